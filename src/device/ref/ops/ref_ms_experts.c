/* Weights of experts. In: tensors of numbers or codes, scales, zero points. Out: rows times a
 * vector, in double. */
#include "device/ref/ops/ref_ms_experts.h"

#include <inttypes.h>
#include <string.h>

static uint64_t blocks_of(uint64_t n, uint64_t block) {
    return block ? (n + block - 1) / block : 1;
}

static tensor_value *input_of(const plan_call *c, uint32_t i) {
    return i == REF_MS_NO_INPUT ? NULL : plan_call_input(c, i);
}

/* v has as many elements as those dims; older models have the last two the other way round, over
 * the same memory. */
static ondol_status expect(const plan_call *c, const char *name, const char *part,
                           const tensor_value *v, uint64_t experts, uint64_t rows, uint64_t columns,
                           ondol_error *err) {
    char text[REF_SHAPE_TEXT_BYTES];
    const bool is_row = v->rank == 2 && columns == 1;
    const bool fits = (v->rank == 3 || is_row) && (uint64_t)v->dims[0] == experts;
    const uint64_t a = fits ? (uint64_t)v->dims[1] : 0;
    const uint64_t b = fits && v->rank == 3 ? (uint64_t)v->dims[2] : 1;
    if (fits && ((a == rows && b == columns) || (a == columns && b == rows))) return ONDOL_OK;
    if (fits && a * b == rows * columns && a != 0 && v->elems == experts * rows * columns) {
        return ONDOL_OK;
    }
    return plan_call_fail(
        c, err, "%s%s has shape %s, expected [%" PRIu64 ", %" PRIu64 ", %" PRIu64 "]", name, part,
        ref_shape_text(v->rank, v->dims, text), experts, rows, columns);
}

static ondol_status read_bias(const plan_call *c, const ref_ms_expert_inputs *in, ref_ms_experts *w,
                              ondol_error *err) {
    const int64_t dims[2] = {(int64_t)w->experts, (int64_t)w->rows};
    return input_of(c, in->bias) ? ref_ms_numbers(c, in->bias, in->name, 2, dims, &w->bias, err)
                                 : ONDOL_OK;
}

/* Scales of codes, [experts][rows] or [experts][rows][blocks]. */
static ondol_status read_scales(const plan_call *c, const ref_ms_expert_inputs *in,
                                ref_ms_experts *w, uint64_t rows, ondol_error *err) {
    tensor_value *scales = NULL;
    ondol_status status = ONDOL_OK;
    if (!input_of(c, in->scales)) return plan_call_fail(c, err, "%s has no scales", in->name);
    TRY(ref_float_input(c, in->scales, &scales, err));
    TRY(expect(c, in->name, "'s scales", scales, w->experts, rows, blocks_of(w->columns, w->block),
               err));
    w->scales = scales;
done:
    return status;
}

static ondol_status read_codes(const plan_call *c, const ref_ms_expert_inputs *in,
                               ref_ms_experts *w, ondol_error *err) {
    tensor_value *codes = NULL, *zeros = NULL;
    const int64_t all = graph_get_int(c->g, c->node, "expert_weight_bits");
    const int64_t bits = ref_ms_has(c, in->bits) ? graph_get_int(c->g, c->node, in->bits) : all;
    ondol_status status = ONDOL_OK;
    if (bits != 2 && bits != 3 && bits != 4 && bits != 8) {
        return plan_call_fail(c, err, "%s has codes of %" PRId64 " bits", in->name, bits);
    }
    w->bits = (unsigned)bits;
    const uint64_t row_bytes = (w->columns * w->bits + 7) / 8;
    TRY(plan_call_typed(c, in->w, TENSOR_ELEMENT_U8, &codes, err));
    TRY(expect(c, in->name, "'s weights", codes, w->experts, w->rows, row_bytes, err));
    if (w->columns * w->bits % 8 != 0 && w->bits != 3) {
        return plan_call_fail(c, err, "%s: rows of %" PRIu64 " codes end within a byte", in->name,
                              w->columns);
    }
    TRY(read_scales(c, in, w, w->rows, err));
    if (input_of(c, in->zeros)) {
        const uint64_t blocks = blocks_of(w->columns, w->block);
        TRY(plan_call_typed(c, in->zeros, TENSOR_ELEMENT_U8, &zeros, err));
        /* Without blocks the zero points of all rows are packed together. */
        const uint64_t packed = ((w->block ? blocks : w->rows) * w->bits + 7) / 8;
        TRY(expect(c, in->name, "'s zero points", zeros, w->experts, w->block ? w->rows : packed,
                   w->block ? packed : 1, err));
    }
    w->w = codes;
    w->zeros = zeros;
done:
    return status;
}

/* A factor for each expert. */
static ondol_status read_global(const plan_call *c, const ref_ms_expert_inputs *in,
                                ref_ms_experts *w, ondol_error *err) {
    const int64_t dims[1] = {(int64_t)w->experts};
    tensor_value *global = NULL;
    ondol_status status = ONDOL_OK;
    if (!input_of(c, in->global)) {
        return plan_call_fail(c, err, "%s has no global scale", in->name);
    }
    TRY(plan_call_typed(c, in->global, TENSOR_ELEMENT_F32, &global, err));
    TRY(ref_expect_dims(c, in->name, global, 1, dims, err));
    w->global = global;
done:
    return status;
}

static ondol_status read_floats(const plan_call *c, const ref_ms_expert_inputs *in,
                                ref_ms_experts *w, ondol_error *err) {
    tensor_value *codes = NULL;
    ondol_status status = ONDOL_OK;
    if (w->kind == REF_MS_EXPERT_FP8) {
        TRY(plan_call_typed(c, in->w, TENSOR_ELEMENT_F8E4M3FN, &codes, err));
        TRY(expect(c, in->name, "'s weights", codes, w->experts, w->rows, w->columns, err));
        w->w = codes;
        if (w->block) return read_scales(c, in, w, blocks_of(w->rows, w->block), err);
        return read_global(c, in, w, err);
    }
    const bool is_turned = w->kind == REF_MS_EXPERT_FP4_TURNED;
    const uint64_t packed = is_turned ? w->rows : w->columns;
    TRY(plan_call_typed(c, in->w, TENSOR_ELEMENT_U8, &codes, err));
    if (packed % 2 != 0) {
        return plan_call_fail(c, err, "%s: %" PRIu64 " codes end within a byte", in->name, packed);
    }
    TRY(expect(c, in->name, "'s weights", codes, w->experts, is_turned ? w->columns : w->rows,
               packed / 2, err));
    w->w = codes;
    TRY(read_scales(c, in, w, w->rows, err));
    TRY(read_global(c, in, w, err));
done:
    return status;
}

ondol_status ref_ms_experts_begin(const plan_call *c, const ref_ms_expert_inputs *in,
                                  ref_ms_experts *out, ondol_error *err) {
    tensor_value *w = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_bias(c, in, out, err));
    switch (out->kind) {
    case REF_MS_EXPERT_NUMBERS:
        TRY(ref_float_input(c, in->w, &w, err));
        TRY(expect(c, in->name, "'s weights", w, out->experts, out->rows, out->columns, err));
        out->w = w;
        break;
    case REF_MS_EXPERT_CODES: TRY(read_codes(c, in, out, err)); break;
    default: TRY(read_floats(c, in, out, err)); break;
    }
done:
    return status;
}

static double scale_at(const ref_ms_experts *w, uint64_t expert, uint64_t row, uint64_t column) {
    double scale = 1;
    if (w->global) scale = tensor_get_number(w->global->element, w->global->data, expert);
    if (!w->scales) return scale;
    const bool is_square = w->kind == REF_MS_EXPERT_FP8;
    const uint64_t blocks = blocks_of(w->columns, w->block);
    const uint64_t rows = is_square ? blocks_of(w->rows, w->block) : w->rows;
    const uint64_t line = is_square ? row / w->block : row;
    const uint64_t at = (expert * rows + line) * blocks + (w->block ? column / w->block : 0);
    return scale * tensor_get_number(w->scales->element, w->scales->data, at);
}

static double zero_at(const ref_ms_experts *w, uint64_t expert, uint64_t row, uint64_t column) {
    if (!w->zeros) return (double)(1u << (w->bits - 1));
    const uint64_t blocks = w->block ? blocks_of(w->columns, w->block) : w->rows;
    const uint64_t bytes = (blocks * w->bits + 7) / 8;
    const uint64_t line = w->block ? expert * w->rows + row : expert;
    const uint64_t index = w->block ? column / w->block : row;
    return ref_ms_bits((const uint8_t *)w->zeros->data + line * bytes, index * w->bits, w->bits);
}

/* A code, or number, of a row; without scale. */
static double code_at(const ref_ms_experts *w, uint64_t expert, uint64_t row, uint64_t column) {
    const uint64_t line = expert * w->rows + row;
    const uint8_t *bytes = w->w->data;
    if (w->kind == REF_MS_EXPERT_CODES) {
        const uint64_t row_bytes = (w->columns * w->bits + 7) / 8;
        return ref_ms_bits(bytes + line * row_bytes, column * w->bits, w->bits);
    }
    if (w->kind == REF_MS_EXPERT_FP4 || w->kind == REF_MS_EXPERT_FP4_TURNED) {
        const uint64_t at = w->kind == REF_MS_EXPERT_FP4
                                ? line * w->columns + column
                                : (expert * w->columns + column) * w->rows + row;
        return tensor_float_decode(TENSOR_ELEMENT_F4E2M1, bytes[at / 2] >> (at % 2 * 4) & 15u);
    }
    return tensor_get_number(w->w->element, w->w->data, line * w->columns + column);
}

double ref_ms_experts_row(const ref_ms_experts *w, uint64_t expert, uint64_t row, const double *x) {
    const uint64_t block = w->block ? w->block : w->columns;
    double sum = w->bias ? w->bias[expert * w->rows + row] : 0;
    for (uint64_t first = 0; first < w->columns; first += block) {
        const uint64_t last = block < w->columns - first ? first + block : w->columns;
        const double scale = scale_at(w, expert, row, first);
        const double zero = w->kind == REF_MS_EXPERT_CODES ? zero_at(w, expert, row, first) : 0;
        for (uint64_t i = first; i < last; i++)
            sum += x[i] * ((code_at(w, expert, row, i) - zero) * scale);
    }
    return sum;
}
