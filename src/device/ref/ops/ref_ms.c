/* What the oracle's kernels of com.microsoft share. In: inputs of a call. Out: checked tensors,
 * doubles, results of other operators' kernels. */
#include "device/ref/ops/ref_ms.h"

#include <inttypes.h>

ondol_status ref_ms_optional(const plan_call *c, uint32_t i, unsigned classes, tensor_value **out,
                             ondol_error *err) {
    *out = NULL;
    return plan_call_input(c, i) ? ref_input(c, i, classes, out, err) : ONDOL_OK;
}

ondol_status ref_ms_integers(const plan_call *c, uint32_t i, const char *name, uint32_t rank,
                             const int64_t *dims, tensor_value **out, ondol_error *err) {
    ondol_status status = plan_call_tensor(c, i, out, err);
    if (status != ONDOL_OK) return status;
    if ((*out)->element != TENSOR_ELEMENT_I32 && (*out)->element != TENSOR_ELEMENT_I64) {
        return plan_call_fail(c, err, "%s has elements of type %s, expected int32 or int64", name,
                              tensor_element_onnx_name((*out)->element));
    }
    return ref_expect_dims(c, name, *out, rank, dims, err);
}

ondol_status ref_ms_numbers(const plan_call *c, uint32_t i, const char *name, uint32_t rank,
                            const int64_t *dims, double **out, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    *out = NULL;
    if (!plan_call_input(c, i)) return ONDOL_OK;
    TRY(ref_float_input(c, i, &v, err));
    TRY(ref_expect_dims(c, name, v, rank, dims, err));
    TRY(ref_all_numbers(c, v, out, err));
done:
    return status;
}

ondol_status ref_ms_needed(const plan_call *c, uint32_t i, const char *name, uint32_t rank,
                           const int64_t *dims, double **out, ondol_error *err) {
    *out = NULL;
    if (!plan_call_input(c, i)) return plan_call_fail(c, err, "%s is missing", name);
    return ref_ms_numbers(c, i, name, rank, dims, out, err);
}

ondol_status ref_ms_doubles(const plan_call *c, uint64_t count, const char *what, double **out,
                            ondol_error *err) {
    void *p = NULL;
    ondol_status status = ref_alloc(c, count, sizeof **out, what, &p, err);
    *out = p;
    return status;
}

ondol_status ref_ms_expect_rank(const plan_call *c, const char *what, const tensor_value *v,
                                uint32_t rank, ondol_error *err) {
    char text[REF_SHAPE_TEXT_BYTES];
    if (v->rank == rank) return ONDOL_OK;
    return plan_call_fail(c, err, "%s has shape %s, expected rank %" PRIu32, what,
                          ref_shape_text(v->rank, v->dims, text), rank);
}

bool ref_ms_has(const plan_call *c, const char *attribute) {
    return graph_get_attribute(c->g, c->node, attribute) != NULL;
}

double ref_ms_float(const plan_call *c, const char *attribute, double otherwise) {
    return ref_ms_has(c, attribute) ? graph_get_float(c->g, c->node, attribute) : otherwise;
}

ondol_status ref_ms_run(const plan_call *c, ref_ms_kernel run, tensor_value *const *inputs,
                        uint32_t count, tensor_value **out, ondol_error *err) {
    plan_call inner = *c;
    tensor_value *output = NULL;
    inner.inputs = inputs;
    inner.input_count = count;
    inner.outputs = &output;
    inner.output_count = 1;
    inner.disposable = NULL;
    inner.state = NULL;
    ondol_status status = run(&inner, err);
    if (status == ONDOL_OK) {
        *out = output;
    } else {
        tensor_value_release(output);
    }
    return status;
}

ondol_status ref_ms_as_f64(const plan_call *c, const tensor_value *v, tensor_value **out,
                           ondol_error *err) {
    ondol_status status =
        tensor_value_create(c->heap, TENSOR_ELEMENT_F64, v->rank, v->dims, out, err);
    if (status == ONDOL_OK) ref_load_numbers(v, 0, v->elems, (*out)->data);
    return status;
}

ondol_status ref_ms_transposed(const plan_call *c, const tensor_value *v, const uint32_t *order,
                               tensor_value **out, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK], from[TENSOR_MAX_RANK];
    ref_walk w;
    ref_strides(v->rank, v->dims, from);
    for (uint32_t i = 0; i < v->rank; i++) {
        dims[i] = v->dims[order[i]];
        strides[i] = from[order[i]];
    }
    ondol_status status = tensor_value_create(c->heap, v->element, v->rank, dims, out, err);
    if (status != ONDOL_OK) return status;
    ref_walk_begin(&w, v->rank, dims);
    ref_walk_add_strided(&w, strides, 0);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++)
        ref_copy_element(*out, i, v, (uint64_t)w.at[0], NULL);
    return ONDOL_OK;
}

ondol_status ref_ms_channels_last(const plan_call *c, const tensor_value *v, tensor_value **out,
                                  ondol_error *err) {
    uint32_t order[TENSOR_MAX_RANK] = {0};
    if (v->rank < 3) return ref_ms_expect_rank(c, "a tensor with channels", v, 3, err);
    for (uint32_t i = 1; i + 1 < v->rank; i++)
        order[i] = i + 1;
    order[v->rank - 1] = 1;
    return ref_ms_transposed(c, v, order, out, err);
}

ondol_status ref_ms_channels_first(const plan_call *c, const tensor_value *v, tensor_value **out,
                                   ondol_error *err) {
    uint32_t order[TENSOR_MAX_RANK] = {0};
    if (v->rank < 3) return ref_ms_expect_rank(c, "a tensor with channels", v, 3, err);
    order[1] = v->rank - 1;
    for (uint32_t i = 2; i < v->rank; i++)
        order[i] = i - 1;
    return ref_ms_transposed(c, v, order, out, err);
}

ondol_status ref_ms_store(plan_call *c, uint32_t i, tensor_element e, uint32_t rank,
                          const int64_t *dims, const double *numbers, ondol_error *err) {
    tensor_value *y = NULL;
    ondol_status status = plan_call_output(c, i, e, rank, dims, &y, err);
    if (status == ONDOL_OK) ref_store_numbers(y, 0, y->elems, numbers);
    return status;
}

unsigned ref_ms_bits(const uint8_t *bytes, uint64_t at, unsigned bits) {
    const unsigned shift = (unsigned)(at % 8);
    unsigned v = bytes[at / 8];
    if (shift + bits > 8) v |= (unsigned)bytes[at / 8 + 1] << 8;
    return v >> shift & ((1u << bits) - 1);
}
