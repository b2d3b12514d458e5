/* Philox4x32-10. In: a key, a counter. Out: words, and numbers made of them. Logarithms are
 * base_log's, which are the same everywhere. */
#include "device/ref/ops/ref_random.h"

#include <math.h>
#include <string.h>

#include "base/exact_math.h"

#define ROUNDS 10

static uint32_t high_product(uint32_t a, uint32_t b, uint32_t *low) {
    const uint64_t product = (uint64_t)a * b;
    *low = (uint32_t)product;
    return (uint32_t)(product >> 32);
}

void ref_random_block(const ref_random *r, uint64_t block, uint32_t attempt, uint64_t words[2]) {
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), r->stream, attempt};
    uint32_t k[2] = {(uint32_t)r->key, (uint32_t)(r->key >> 32)};
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t low_0 = 0, low_1 = 0;
        const uint32_t high_0 = high_product(0xd2511f53u, c[0], &low_0);
        const uint32_t high_1 = high_product(0xcd9e8d57u, c[2], &low_1);
        c[0] = high_1 ^ c[1] ^ k[0];
        c[1] = low_1;
        c[2] = high_0 ^ c[3] ^ k[1];
        c[3] = low_0;
        k[0] += 0x9e3779b9u;
        k[1] += 0xbb67ae85u;
    }
    words[0] = c[0] | (uint64_t)c[1] << 32;
    words[1] = c[2] | (uint64_t)c[3] << 32;
}

static double unit(uint64_t word) {
    return (double)(word >> 11) * 0x1p-53;
}

double ref_random_uniform(const ref_random *r, uint64_t i) {
    uint64_t words[2];
    ref_random_block(r, i / 2, 0, words);
    return unit(words[i % 2]);
}

double ref_random_normal(const ref_random *r, uint64_t i) {
    /* Three of four attempts succeed: 2^-100 that none does. */
    for (uint32_t attempt = 0; attempt < 64; attempt++) {
        uint64_t words[2];
        ref_random_block(r, i / 2, attempt, words);
        const double x = 2 * unit(words[0]) - 1, y = 2 * unit(words[1]) - 1, s = x * x + y * y;
        if (s >= 1 || s == 0) continue;
        return (i % 2 ? y : x) * sqrt(-2 * base_log(s) / s);
    }
    return 0;
}

ref_random ref_random_begin(const plan_call *c) {
    const graph_attribute *seed = graph_get_attribute(c->g, c->node, "seed");
    ref_random r = {c->runtime->seed, 0};
    if (seed) {
        const double v = seed->type == GRAPH_ATTRIBUTE_INT ? (double)seed->i : seed->f;
        memcpy(&r.key, &v, sizeof v);
    } else if (c->runtime->draws) {
        r.stream = (uint32_t)++ * c->runtime->draws;
    }
    return r;
}
