/* MT19937. In: a seed. Out: numbers in [0, 1), as numpy has them. */
#include "device/ref/ops/ref_mersenne.h"

#define N REF_MERSENNE_WORDS
#define M 397u

static void seed_word(ref_mersenne *m, uint32_t seed) {
    for (uint32_t i = 0; i < N; i++) {
        m->state[i] = seed;
        seed = 1812433253u * (seed ^ seed >> 30) + i + 1;
    }
    m->next = N;
}

static void seed_words(ref_mersenne *m, const uint32_t words[2]) {
    uint32_t i = 1;
    seed_word(m, 19650218u);
    for (uint32_t k = 0; k < N; k++) {
        const uint32_t before = m->state[i - 1];
        m->state[i] = (m->state[i] ^ (before ^ before >> 30) * 1664525u) + words[k % 2] + k % 2;
        if (++i < N) continue;
        m->state[0] = m->state[N - 1];
        i = 1;
    }
    for (uint32_t k = 0; k < N - 1; k++) {
        const uint32_t before = m->state[i - 1];
        m->state[i] = (m->state[i] ^ (before ^ before >> 30) * 1566083941u) - i;
        if (++i < N) continue;
        m->state[0] = m->state[N - 1];
        i = 1;
    }
    m->state[0] = 0x80000000u;
}

void ref_mersenne_seed(ref_mersenne *m, uint64_t seed) {
    const uint32_t words[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    if (words[1])
        seed_words(m, words);
    else
        seed_word(m, words[0]);
}

static void refill(ref_mersenne *m) {
    for (uint32_t i = 0; i < N; i++) {
        const uint32_t next = m->state[(i + 1) % N];
        const uint32_t y = (m->state[i] & 0x80000000u) | (next & 0x7fffffffu);
        m->state[i] = m->state[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    m->next = 0;
}

static uint32_t next_word(ref_mersenne *m) {
    if (m->next >= N) refill(m);
    uint32_t y = m->state[m->next++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

double ref_mersenne_uniform(ref_mersenne *m) {
    const uint32_t high = next_word(m) >> 5, low = next_word(m) >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
}
