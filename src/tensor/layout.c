/* Layouts of values. In: [N, C, S...] in one order of memory. Out: the same in the other. */
#include <string.h>

#include "tensor/value.h"

/* dst [columns][rows] = src [rows][columns], in squares that stay in the first cache. */
#define TRANSPOSE(type)                                                                            \
    for (uint64_t r = 0; r < rows; r += 16) {                                                      \
        const uint64_t r_end = rows - r < 16 ? rows : r + 16;                                      \
        for (uint64_t c = 0; c < columns; c += 16) {                                               \
            const uint64_t c_end = columns - c < 16 ? columns : c + 16;                            \
            for (uint64_t j = c; j < c_end; j++) {                                                 \
                for (uint64_t i = r; i < r_end; i++)                                               \
                    ((type *)dst)[j * rows + i] = ((const type *)src)[i * columns + j];            \
            }                                                                                      \
        }                                                                                          \
    }

static void transpose(void *dst, const void *src, uint64_t rows, uint64_t columns, unsigned bits) {
    switch (bits) {
    case 8: TRANSPOSE(uint8_t) break;
    case 16: TRANSPOSE(uint16_t) break;
    case 32: TRANSPOSE(uint32_t) break;
    default: TRANSPOSE(uint64_t) break;
    }
}

static ondol_status turn(tensor_value *v, bool to_last, tensor_value **out, ondol_error *err) {
    tensor_value *y = NULL;
    const unsigned bits = tensor_element_bits(v->element);
    if (v->channels_last == to_last) {
        *out = tensor_value_retain(v);
        return ONDOL_OK;
    }
    if (v->rank < 3 || (bits != 8 && bits != 16 && bits != 32 && bits != 64)) {
        return base_fail(err, ONDOL_E_INTERNAL, "a tensor that cannot have its channels last");
    }
    ondol_status status = tensor_value_create(v->heap, v->element, v->rank, v->dims, &y, err);
    if (status != ONDOL_OK) return status;
    y->channels_last = to_last;
    const uint64_t batch = (uint64_t)v->dims[0], channels = (uint64_t)v->dims[1];
    const uint64_t pixels = v->elems ? v->elems / batch / channels : 0;
    const uint64_t step = channels * pixels * (bits / 8);
    for (uint64_t n = 0; v->elems && n < batch; n++) {
        transpose((char *)y->data + n * step, (const char *)v->data + n * step,
                  to_last ? channels : pixels, to_last ? pixels : channels, bits);
    }
    *out = y;
    return ONDOL_OK;
}

ondol_status tensor_value_dense(tensor_value *v, tensor_value **out, ondol_error *err) {
    return turn(v, false, out, err);
}

ondol_status tensor_value_channels_last(tensor_value *v, tensor_value **out, ondol_error *err) {
    return turn(v, true, out, err);
}
