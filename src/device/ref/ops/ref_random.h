/* Random numbers of our own, the same on every machine: Philox4x32-10, a function of key and
 * counter alone, so that any number can be had without those before it.
 *
 * Block b, attempt a of stream s under key k: counter words {b low, b high, s, a}, key words {k
 * low, k high}; its four result words make two 64-bit words, low word first. Number i is made of
 * word i % 2 of block i / 2. Source: Salmon, Moraes, Dror, Shaw 2011, Parallel Random Numbers: As
 * Easy as 1, 2, 3. */
#ifndef DEVICE_REF_RANDOM_H
#define DEVICE_REF_RANDOM_H

#include "plan/kernel.h"

typedef struct ref_random {
    uint64_t key;
    uint32_t stream;
} ref_random;

/* The numbers of the calling node. With attribute seed: the key is the seed's bits as a float64,
 * stream 0, each time it runs. Without: the key is the run's seed, and the stream the number of
 * nodes without a seed that have run before in this run, plus 1. */
ref_random ref_random_begin(const plan_call *c);

/* One block: its two words. */
void ref_random_block(const ref_random *r, uint64_t block, uint32_t attempt, uint64_t words[2]);

/* Number i in [0, 1): the word's upper 53 bits. */
double ref_random_uniform(const ref_random *r, uint64_t i);
/* Number i of mean 0 and deviation 1, by Marsaglia's polar method: both numbers of a pair come of
 * the first attempt (from 0) whose two words, as points of [-1, 1), lie within the circle. */
double ref_random_normal(const ref_random *r, uint64_t i);

#endif
