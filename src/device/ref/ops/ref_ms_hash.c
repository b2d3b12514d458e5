/* MurmurHash3. In: strings or numbers. Out: the 32-bit hash of each one's bytes.
 * Source: MurmurHash3_x86_32 by Austin Appleby, in the public domain. */
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

static uint32_t rotate(uint32_t x, unsigned by) {
    return x << by | x >> (32 - by);
}

static uint32_t scramble(uint32_t k) {
    return rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u;
}

static uint32_t hash(const uint8_t *bytes, size_t n, uint32_t seed) {
    uint32_t h = seed, rest = 0;
    for (size_t i = 0; i + 4 <= n; i += 4) {
        const uint32_t k = (uint32_t)bytes[i] | (uint32_t)bytes[i + 1] << 8 |
                           (uint32_t)bytes[i + 2] << 16 | (uint32_t)bytes[i + 3] << 24;
        h = rotate(h ^ scramble(k), 13) * 5 + 0xe6546b64u;
    }
    for (size_t i = n % 4; i-- > 0;)
        rest = rest << 8 | bytes[n - n % 4 + i];
    if (n % 4) h ^= scramble(rest);
    h ^= (uint32_t)n;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

ondol_status ref_ms_murmur_hash3(plan_call *c, ondol_error *err) {
    const uint32_t seed = (uint32_t)graph_get_int(c->g, c->node, "seed");
    const bool is_positive = graph_get_int(c->g, c->node, "positive") != 0;
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_NUMBER | REF_CLASS_STRING, &x, err));
    TRY(plan_call_output(c, 0, is_positive ? TENSOR_ELEMENT_U32 : TENSOR_ELEMENT_I32, x->rank,
                         x->dims, &y, err));
    const size_t bytes = tensor_element_bits(x->element) / 8;
    for (uint64_t i = 0; i < x->elems; i++) {
        const tensor_string *s = (const tensor_string *)x->data + i;
        const bool is_text = x->element == TENSOR_ELEMENT_STRING;
        ((uint32_t *)y->data)[i] = is_text
                                       ? hash((const uint8_t *)s->text, s->size_bytes, seed)
                                       : hash((const uint8_t *)x->data + i * bytes, bytes, seed);
    }
done:
    return status;
}
