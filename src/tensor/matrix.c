/* Matrices of weights. In: how a file stores one. Out: rows as f32, and what it is called. */
#include "tensor/matrix.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool tensor_matrix_is_codes(const tensor_matrix *m) {
    return m->nbits ||
           tensor_encoding_info_of(m->encoding)->encoding_class == TENSOR_CLASS_QUANTISED;
}

void tensor_matrix_decode_row(const tensor_matrix *m, uint64_t row, float *dst) {
    if (m->nbits) {
        tensor_nbits_decode(m->nbits, row, 0, (size_t)m->columns, dst);
        return;
    }
    const tensor_encoding_info *info = tensor_encoding_info_of(m->encoding);
    const char *from = m->data;
    if (!m->transposed) {
        from += row * (m->columns / info->block_elems * info->block_bytes);
        tensor_decode(m->encoding, from, (size_t)m->columns, dst);
        return;
    }
    for (uint64_t c = 0; c < m->columns; c++)
        tensor_decode(m->encoding, from + (c * m->rows + row) * info->block_bytes, 1, dst + c);
}

static bool same_strides(const tensor_strides *a, const tensor_strides *b) {
    return a->row == b->row && a->column == b->column;
}

static bool same_nbits(const tensor_nbits *a, const tensor_nbits *b) {
    return a->bits == b->bits && a->is_signed == b->is_signed && a->block_elems == b->block_elems &&
           a->codes == b->codes && same_strides(&a->code_bits, &b->code_bits) &&
           a->scales == b->scales && a->scale_element == b->scale_element &&
           same_strides(&a->scale_elems, &b->scale_elems) && a->zeros == b->zeros &&
           (a->zeros
                ? a->zero_element == b->zero_element && same_strides(&a->zero_bits, &b->zero_bits)
                : a->default_zero == b->default_zero);
}

bool tensor_matrix_same(const tensor_matrix *a, const tensor_matrix *b) {
    if (a->rows != b->rows || a->columns != b->columns || !a->nbits != !b->nbits) return false;
    if (a->nbits) return same_nbits(a->nbits, b->nbits);
    return a->encoding == b->encoding && a->data == b->data && a->transposed == b->transposed;
}

const char *tensor_matrix_name(const tensor_matrix *m, char out[TENSOR_MATRIX_NAME_BYTES]) {
    const tensor_nbits *n = m->nbits;
    if (n) {
        snprintf(out, TENSOR_MATRIX_NAME_BYTES, "int%u/%" PRIu64 " %s%s", n->bits, n->block_elems,
                 tensor_element_name(n->scale_element), n->has_zeros ? " zeros" : "");
    } else {
        snprintf(out, TENSOR_MATRIX_NAME_BYTES, "%s%s", tensor_encoding_info_of(m->encoding)->name,
                 m->transposed ? "^T" : "");
    }
    return out;
}
