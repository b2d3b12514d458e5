/* The random numbers of numpy.random.RandomState(seed), bit for bit: what ONNX's cases of Dropout
 * in training hold. Source: Matsumoto and Nishimura 1998, MT19937 (2002 seeding); numpy's
 * RandomState.uniform. */
#ifndef DEVICE_REF_MERSENNE_H
#define DEVICE_REF_MERSENNE_H

#include <stdint.h>

#define REF_MERSENNE_WORDS 624

typedef struct ref_mersenne {
    uint32_t state[REF_MERSENNE_WORDS];
    uint32_t next; /* word to be taken; REF_MERSENNE_WORDS: all are */
} ref_mersenne;

/* Seeds of 32 bits as numpy takes them; of larger ones all bits count (init_by_array of their two
 * words, low one first). */
void ref_mersenne_seed(ref_mersenne *m, uint64_t seed);
/* 53 bits in [0, 1). */
double ref_mersenne_uniform(ref_mersenne *m);

#endif
