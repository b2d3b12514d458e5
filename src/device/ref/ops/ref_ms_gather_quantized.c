/* GatherBlockQuantized. In: a table of codes, indices into one of its axes, a scale and perhaps a
 * zero point for each block along another. Out: what the chosen codes mean. */
#include <inttypes.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"

enum { DATA, INDICES, SCALES, ZEROS };

typedef struct gather_call {
    tensor_value *data, *indices, *scales, *zeros, *y; /* zeros: NULL without */
    unsigned bits;       /* of a code in bytes of uint8; 0: of a type of its own */
    uint64_t block_size; /* along the quantised axis */
    uint32_t gather_axis, quantize_axis, rank;
    int64_t dims[TENSOR_MAX_RANK]; /* of codes */
    uint64_t outer, axis, inner;   /* of codes, at the gathered axis */
    double default_zero;
} gather_call;

static ondol_status read_sizes(const plan_call *c, gather_call *j, ondol_error *err) {
    const int64_t block = graph_get_int(c->g, c->node, "block_size");
    const int64_t bits = graph_get_int(c->g, c->node, "bits");
    const bool is_float = ref_class_of(j->data->element) == REF_CLASS_FLOAT;
    const bool is_bytes = j->data->element == TENSOR_ELEMENT_U8;
    const int64_t last = j->data->dims[j->rank - 1];
    if (block < 0 || (block == 0 && !is_float) || (block & (block - 1)) != 0 ||
        (block != 0 && block < 16)) {
        return plan_call_fail(c, err, "block_size is %" PRId64, block);
    }
    if (!is_float && (is_bytes ? bits != 2 && bits != 4 && bits != 8 : bits != 4)) {
        return plan_call_fail(c, err, "bits is %" PRId64 " for codes in %s", bits,
                              tensor_element_onnx_name(j->data->element));
    }
    memcpy(j->dims, j->data->dims, j->rank * sizeof *j->dims);
    if (is_bytes) {
        j->bits = (unsigned)bits;
        if (last > INT64_MAX / 8) return plan_call_fail(c, err, "its shapes are too large");
        j->dims[j->rank - 1] = last * (8 / bits);
        j->default_zero = (double)(1 << (bits - 1));
        if (j->gather_axis == j->quantize_axis ||
            (bits < 8 && (j->gather_axis == j->rank - 1 || j->quantize_axis != j->rank - 1))) {
            return plan_call_fail(c, err,
                                  "gather_axis %" PRIu32 " and quantize_axis %" PRIu32
                                  " do not go with codes in bytes",
                                  j->gather_axis, j->quantize_axis);
        }
    }
    const int64_t along = j->dims[j->quantize_axis];
    j->block_size = block ? (uint64_t)block : along ? (uint64_t)along : 1;
    if (is_float && j->zeros) return plan_call_fail(c, err, "float codes have no zero points");
    return ONDOL_OK;
}

/* Scales: blocks along the quantised axis; elsewhere as the codes, or (of floats) 1. */
static ondol_status check_scales(const plan_call *c, const gather_call *j, ondol_error *err) {
    char text[REF_SHAPE_TEXT_BYTES], codes[REF_SHAPE_TEXT_BYTES];
    const bool is_float = ref_class_of(j->data->element) == REF_CLASS_FLOAT;
    bool fits = j->scales->rank == j->rank;
    for (uint32_t i = 0; i < j->rank && fits; i++) {
        const uint64_t blocks = ((uint64_t)j->dims[i] + j->block_size - 1) / j->block_size;
        const int64_t wanted = i == j->quantize_axis ? (int64_t)blocks : j->dims[i];
        const bool spreads = is_float && i != j->quantize_axis && j->scales->dims[i] == 1;
        fits = j->scales->dims[i] == wanted || spreads;
    }
    if (!fits) {
        return plan_call_fail(c, err, "scales of shape %s do not fit codes of shape %s",
                              ref_shape_text(j->scales->rank, j->scales->dims, text),
                              ref_shape_text(j->rank, j->dims, codes));
    }
    if (!j->zeros) return ONDOL_OK;
    int64_t wanted[TENSOR_MAX_RANK];
    memcpy(wanted, j->scales->dims, j->rank * sizeof *wanted);
    const int64_t each = j->bits ? 8 / (int64_t)j->bits : 1;
    wanted[j->rank - 1] = (wanted[j->rank - 1] + each - 1) / each;
    return ref_expect_dims(c, "zero_points", j->zeros, j->rank, wanted, err);
}

/* Dims of the result; splits the codes at the gathered axis. */
static ondol_status make_output(plan_call *c, gather_call *j, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK];
    uint32_t rank = 0;
    j->outer = j->inner = 1;
    j->axis = (uint64_t)j->dims[j->gather_axis];
    if (j->rank - 1 + j->indices->rank > TENSOR_MAX_RANK) {
        return plan_call_fail(c, err, "rank over %d", TENSOR_MAX_RANK);
    }
    for (uint32_t i = 0; i < j->rank; i++) {
        if (i < j->gather_axis) j->outer *= (uint64_t)j->dims[i];
        if (i > j->gather_axis) j->inner *= (uint64_t)j->dims[i];
        for (uint32_t k = 0; i == j->gather_axis && k < j->indices->rank; k++)
            dims[rank++] = j->indices->dims[k];
        if (i != j->gather_axis) dims[rank++] = j->dims[i];
    }
    return plan_call_output(c, 0, j->scales->element, rank, dims, &j->y, err);
}

/* What the code at `at` means. */
static double number_at(const gather_call *j, uint64_t at) {
    const tensor_value *v = j->data;
    uint64_t rest = at, step = 1, scale_at = 0, lines = 0;
    for (uint32_t i = j->rank; i-- > 0;) {
        const uint64_t dim = (uint64_t)j->dims[i];
        uint64_t index = rest % dim;
        rest /= dim;
        if (i == j->quantize_axis) index /= j->block_size;
        if (j->scales->dims[i] == 1) index = 0;
        scale_at += index * step;
        if (i + 1 == j->rank) lines = index;
        step *= (uint64_t)j->scales->dims[i];
    }
    const double scale = tensor_get_number(j->scales->element, j->scales->data, scale_at);
    double zero = j->default_zero;
    if (j->zeros && !j->bits) zero = tensor_get_number(v->element, j->zeros->data, scale_at);
    if (j->zeros && j->bits) {
        const uint64_t blocks = (uint64_t)j->scales->dims[j->rank - 1];
        const uint64_t bytes = (uint64_t)j->zeros->dims[j->rank - 1];
        const uint8_t *row = (const uint8_t *)j->zeros->data + scale_at / blocks * bytes;
        zero = ref_ms_bits(row, lines * j->bits, j->bits);
    }
    const double code = j->bits ? ref_ms_bits(v->data, at * j->bits, j->bits)
                                : tensor_get_number(v->element, v->data, at);
    return (code - zero) * scale;
}

/* Row `at % indices` of outer index `at / indices`; one that is not there: zeros. */
static void gather_row(const gather_call *j, uint64_t at) {
    const uint64_t count = j->indices->elems;
    int64_t index = tensor_get_integer(j->indices->element, j->indices->data, at % count);
    const bool is_there = index >= -(int64_t)j->axis && index < (int64_t)j->axis;
    if (index < 0) index += (int64_t)j->axis;
    for (uint64_t i = 0; i < j->inner; i++) {
        const uint64_t from = (at / count * j->axis + (uint64_t)index) * j->inner + i;
        tensor_set_number(j->y->element, j->y->data, at * j->inner + i,
                          is_there ? number_at(j, from) : 0);
    }
}

ondol_status ref_ms_gather_block_quantized(plan_call *c, ondol_error *err) {
    gather_call j = {0};
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, DATA, REF_CLASS_NUMBER, &j.data, err));
    TRY(ref_float_input(c, SCALES, &j.scales, err));
    TRY(plan_call_tensor(c, INDICES, &j.indices, err));
    if (j.indices->element != TENSOR_ELEMENT_I32 && j.indices->element != TENSOR_ELEMENT_I64) {
        return plan_call_fail(c, err, "its indices are %s",
                              tensor_element_onnx_name(j.indices->element));
    }
    if (plan_call_input(c, ZEROS)) TRY(plan_call_typed(c, ZEROS, j.data->element, &j.zeros, err));
    j.rank = j.data->rank;
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "gather_axis"), j.rank, &j.gather_axis,
                       err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "quantize_axis"), j.rank, &j.quantize_axis,
                       err));
    TRY(read_sizes(c, &j, err));
    TRY(check_scales(c, &j, err));
    TRY(make_output(c, &j, err));
    if (j.y->elems == 0) return ONDOL_OK;
    for (uint64_t at = 0; at < j.outer * j.indices->elems; at++)
        gather_row(&j, at);
done:
    return status;
}
