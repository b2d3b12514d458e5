/* Layouts of values. In: [N, C, S...] in one order of memory. Out: the same in the other. */
#include "base/thread.h"
#include "tensor/value.h"

/* dst[j * dst_step + i] = src[i * src_step + j], in squares that stay in the first cache. */
#define TRANSPOSE(type)                                                                            \
    for (uint64_t r = 0; r < rows; r += 16) {                                                      \
        const uint64_t r_end = rows - r < 16 ? rows : r + 16;                                      \
        for (uint64_t c = 0; c < columns; c += 16) {                                               \
            const uint64_t c_end = columns - c < 16 ? columns : c + 16;                            \
            for (uint64_t j = c; j < c_end; j++) {                                                 \
                for (uint64_t i = r; i < r_end; i++)                                               \
                    ((type *)dst)[j * dst_step + i] = ((const type *)src)[i * src_step + j];       \
            }                                                                                      \
        }                                                                                          \
    }

static void transpose(void *dst, uint64_t dst_step, const void *src, uint64_t src_step,
                      uint64_t rows, uint64_t columns, unsigned bits) {
    switch (bits) {
    case 8: TRANSPOSE(uint8_t) break;
    case 16: TRANSPOSE(uint16_t) break;
    case 32: TRANSPOSE(uint32_t) break;
    default: TRANSPOSE(uint64_t) break;
    }
}

typedef struct turning {
    const char *from;
    char *to;
    uint64_t channels, pixels, blocks, each; /* blocks of `each` pixels in an image */
    unsigned bits;
    bool to_last;
} turning;

static void turn_block(const turning *t, uint64_t image, uint64_t first) {
    const uint64_t left = t->pixels - first, count = left < t->each ? left : t->each;
    const uint64_t start = image * t->channels * t->pixels, bytes = t->bits / 8;
    const uint64_t dense = (start + first) * bytes, last = (start + first * t->channels) * bytes;
    if (t->to_last)
        transpose(t->to + last, t->channels, t->from + dense, t->pixels, t->channels, count,
                  t->bits);
    else
        transpose(t->to + dense, t->pixels, t->from + last, t->channels, count, t->channels,
                  t->bits);
}

static void turn_unit(uint32_t unit, unsigned thread, void *argument) {
    const turning *t = argument;
    (void)thread;
    turn_block(t, unit / t->blocks, unit % t->blocks * t->each);
}

#define UNIT_ELEMS ((uint64_t)1 << 15)

static ondol_status turn(tensor_value *v, bool to_last, base_pool *pool, tensor_value **out,
                         ondol_error *err) {
    tensor_value *y = NULL;
    const unsigned bits = tensor_element_bits(v->element);
    if (v->channels_last == to_last) {
        *out = tensor_value_retain(v);
        return ONDOL_OK;
    }
    if (!tensor_value_can_turn(v)) {
        return base_fail(err, ONDOL_E_INTERNAL, "a tensor that cannot have its channels last");
    }
    const uint64_t images = (uint64_t)v->dims[0], channels = (uint64_t)v->dims[1];
    const uint64_t pixels = v->elems ? v->elems / images / channels : 0;
    const bool same = channels <= 1 || pixels <= 1;
    ondol_status status = same
                              ? tensor_value_view(v, v->rank, v->dims, 0, &y, err)
                              : tensor_value_create(v->heap, v->element, v->rank, v->dims, &y, err);
    if (status != ONDOL_OK) return status;
    y->channels_last = to_last;
    *out = y;
    if (same) return ONDOL_OK;
    turning t = {.from = v->data,
                 .to = y->data,
                 .channels = channels,
                 .pixels = pixels,
                 .each = (UNIT_ELEMS / channels + 16) / 16 * 16,
                 .bits = bits,
                 .to_last = to_last};
    t.blocks = (pixels + t.each - 1) / t.each;
    if (pool && t.blocks <= BASE_POOL_UNITS_MAX && images <= BASE_POOL_UNITS_MAX / t.blocks) {
        base_pool_run(pool, (uint32_t)(images * t.blocks), turn_unit, &t);
        return ONDOL_OK;
    }
    for (uint64_t i = 0; i < images; i++)
        for (uint64_t first = 0; first < pixels; first += t.each)
            turn_block(&t, i, first);
    return ONDOL_OK;
}

bool tensor_value_can_turn(const tensor_value *v) {
    const unsigned bits = tensor_element_bits(v->element);
    return v->rank >= 3 && (bits == 8 || bits == 16 || bits == 32 || bits == 64);
}

ondol_status tensor_value_dense(tensor_value *v, base_pool *pool, tensor_value **out,
                                ondol_error *err) {
    return turn(v, false, pool, out, err);
}

ondol_status tensor_value_channels_last(tensor_value *v, base_pool *pool, tensor_value **out,
                                        ondol_error *err) {
    return turn(v, true, pool, out, err);
}
