/* Random numbers by counter: the block of a number does not depend on what was drawn before. */
#ifndef GENERATE_SAMPLER_RANDOM_H
#define GENERATE_SAMPLER_RANDOM_H

#include <stdint.h>

/* Philox4x32-10 (Salmon et al. 2011, Random123): 128 bits of counter under 64 bits of key, lowest
 * word first. */
void sampler_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* uniform[0] and [1] = two numbers in [0, 1), multiples of 2^-53: from words 0 and 1, and 2 and 3,
 * of the block with counter `index` under `seed`. */
void sampler_uniform(uint64_t seed, uint64_t index, double uniform[2]);

#endif
