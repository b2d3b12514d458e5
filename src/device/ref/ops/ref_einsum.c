/* Einsum. In: tensors and an equation. Out: the sum over all labels that the output lacks. Inputs
 * are taken in one after the other; a label is summed as soon as nothing that follows has it.
 * Floats in double, rounded once; integers modulo 2^64. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "device/ref/ops/ref_einsum_equation.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

/* Numbers by label: extent and stride of each (0 where it has not the label, or 1 of it). */
typedef struct factor {
    void *data; /* double or uint64_t */
    uint64_t elems;
    bool has[EINSUM_LABELS];
    int64_t extent[EINSUM_LABELS], stride[EINSUM_LABELS];
} factor;

/* A walk over labels that keeps a position in two factors. */
typedef struct label_walk {
    uint32_t count;
    int64_t index[EINSUM_LABELS], extent[EINSUM_LABELS];
    int64_t stride[2][EINSUM_LABELS], at[2];
} label_walk;

static void walk_add(label_walk *w, uint32_t label, const factor *a, const factor *b) {
    w->extent[w->count] = a->has[label] && a->extent[label] != 1 ? a->extent[label]
                          : b->has[label]                        ? b->extent[label]
                                                                 : a->extent[label];
    w->stride[0][w->count] = a->stride[label];
    w->stride[1][w->count] = b->stride[label];
    w->index[w->count++] = 0;
}

static void walk_next(label_walk *w) {
    for (uint32_t d = w->count; d-- > 0;) {
        if (++w->index[d] < w->extent[d]) {
            w->at[0] += w->stride[0][d];
            w->at[1] += w->stride[1][d];
            return;
        }
        w->index[d] = 0;
        w->at[0] -= w->stride[0][d] * (w->extent[d] - 1);
        w->at[1] -= w->stride[1][d] * (w->extent[d] - 1);
    }
}

static bool walk_steps(const label_walk *w, uint64_t *steps) {
    *steps = 1;
    for (uint32_t d = 0; d < w->count; d++) {
        if (w->extent[d] == 0) *steps = 0;
    }
    for (uint32_t d = 0; d < w->count && *steps; d++) {
        if (!base_mul(*steps, (uint64_t)w->extent[d], steps)) return false;
    }
    return true;
}

typedef struct einsum {
    plan_call *c;
    bool is_float;
    uint32_t uses[EINSUM_LABELS]; /* inputs to come, and the output, that have the label */
    int64_t size[EINSUM_LABELS];  /* of the whole equation; -1: not met */
    einsum_term output;
} einsum;

/* The sum over `inner` of a * b, for each step of `outer`, in order. */
static void sum_products(const einsum *s, const factor *a, const factor *b, label_walk *outer,
                         const label_walk *inner, uint64_t outer_steps, uint64_t inner_steps,
                         void *out) {
    for (uint64_t n = 0; n < outer_steps; n++, walk_next(outer)) {
        label_walk w = *inner;
        double number = 0;
        uint64_t integer = 0;
        w.at[0] = outer->at[0];
        w.at[1] = outer->at[1];
        for (uint64_t k = 0; k < inner_steps; k++, walk_next(&w)) {
            if (s->is_float)
                number += ((const double *)a->data)[w.at[0]] * ((const double *)b->data)[w.at[1]];
            else
                integer +=
                    ((const uint64_t *)a->data)[w.at[0]] * ((const uint64_t *)b->data)[w.at[1]];
        }
        if (s->is_float)
            ((double *)out)[n] = number;
        else
            ((uint64_t *)out)[n] = integer;
    }
}

/* Labels of out, dense in the order of `kept`. */
static void describe(const label_walk *outer, const uint8_t *kept, factor *out) {
    uint64_t stride = 1; /* wraps where there are no elements */
    for (uint32_t i = outer->count; i-- > 0;) {
        out->has[kept[i]] = true;
        out->extent[kept[i]] = outer->extent[i];
        out->stride[kept[i]] = outer->extent[i] == 1 ? 0 : (int64_t)stride;
        stride *= (uint64_t)outer->extent[i];
    }
}

/* *total = *total * x, without the labels that nothing uses any more; the last one in the order of
 * the output. *total's data is replaced. */
static ondol_status take_in(const einsum *s, factor *total, const factor *x, bool is_last,
                            ondol_error *err) {
    label_walk outer = {0}, inner = {0};
    uint8_t kept[EINSUM_LABELS];
    uint64_t inner_steps = 0;
    factor result = {0};
    for (uint32_t i = 0; is_last && i < s->output.rank; i++) {
        kept[outer.count] = s->output.labels[i];
        walk_add(&outer, s->output.labels[i], total, x);
    }
    for (uint32_t label = 0; label < EINSUM_LABELS; label++) {
        if (!total->has[label] && !x->has[label]) continue;
        if (s->uses[label] == 0) {
            walk_add(&inner, label, total, x);
        } else if (!is_last) {
            kept[outer.count] = (uint8_t)label;
            walk_add(&outer, label, total, x);
        }
    }
    if (!walk_steps(&outer, &result.elems) || !walk_steps(&inner, &inner_steps)) {
        return base_fail(err, ONDOL_E_LIMIT, "the equation goes through more than 2^64 products");
    }
    ondol_status status =
        ref_alloc(s->c, result.elems, sizeof(double), "sums of an equation", &result.data, err);
    if (status != ONDOL_OK) return status;
    describe(&outer, kept, &result);
    sum_products(s, total, x, &outer, &inner, result.elems, inner_steps, result.data);
    tensor_heap_free(s->c->heap, total->data);
    *total = result;
    return ONDOL_OK;
}

/* Input i as a factor; a label that it has twice walks its diagonal. */
static ondol_status load(const einsum *s, uint32_t i, const einsum_term *term, factor *out,
                         ondol_error *err) {
    const tensor_value *v = s->c->inputs[i];
    int64_t strides[TENSOR_MAX_RANK];
    ref_strides(v->rank, v->dims, strides);
    *out = (factor){.elems = v->elems};
    for (uint32_t d = 0; d < v->rank; d++) {
        const uint32_t label = term->labels[d];
        if (!out->has[label] || out->extent[label] == 1) out->extent[label] = v->dims[d];
        out->has[label] = true;
        if (v->dims[d] != 1) out->stride[label] += strides[d];
    }
    double *numbers = NULL;
    uint64_t *integers = NULL;
    ondol_status status = s->is_float ? ref_all_numbers(s->c, v, &numbers, err)
                                      : ref_all_integers(s->c, v, &integers, err);
    if (s->is_float)
        out->data = numbers;
    else
        out->data = integers;
    return status;
}

/* All terms of the equation; the size of each label; what uses it. terms: [input_count]. */
static ondol_status read_equation(einsum *s, const char *text, einsum_term *terms,
                                  ondol_error *err) {
    einsum_equation e = {.text = text};
    ondol_status status = ONDOL_OK;
    for (uint32_t label = 0; label < EINSUM_LABELS; label++)
        s->size[label] = -1;
    for (uint32_t i = 0; i < s->c->input_count; i++) {
        const tensor_value *v = s->c->inputs[i];
        bool is_met[EINSUM_LABELS] = {false};
        TRY(einsum_read_input(s->c, &e, v->rank, terms + i, err));
        for (uint32_t d = 0; d < v->rank; d++) {
            const uint32_t label = terms[i].labels[d];
            int64_t *size = s->size + label;
            if (*size == -1 || *size == 1) *size = v->dims[d];
            if (v->dims[d] != 1 && v->dims[d] != *size) {
                return plan_call_fail(s->c, err,
                                      "dimension %" PRIu32 " of input %" PRIu32 " is %" PRId64
                                      ", elsewhere its letter stands for %" PRId64,
                                      d, i, v->dims[d], *size);
            }
            if (!is_met[label]) s->uses[label]++;
            is_met[label] = true;
        }
    }
    TRY(einsum_read_output(s->c, &e, &s->output, err));
    for (uint32_t i = 0; i < s->output.rank; i++)
        s->uses[s->output.labels[i]]++;
done:
    return status;
}

static ondol_status check_inputs(const plan_call *c, tensor_value **first, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_NUMBER, first, err));
    for (uint32_t i = 1; i < c->input_count; i++)
        TRY(plan_call_typed(c, i, (*first)->element, &v, err));
done:
    return status;
}

static ondol_status store(einsum *s, tensor_element e, const factor *total, ondol_error *err) {
    tensor_value *y = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    for (uint32_t i = 0; i < s->output.rank; i++)
        dims[i] = s->size[s->output.labels[i]];
    ondol_status status = plan_call_output(s->c, 0, e, s->output.rank, dims, &y, err);
    if (status != ONDOL_OK) return status;
    if (s->is_float)
        ref_store_numbers(y, 0, y->elems, total->data);
    else
        ref_store_integers(y, 0, y->elems, total->data);
    return ONDOL_OK;
}

ondol_status ref_einsum(plan_call *c, ondol_error *err) {
    tensor_value *first = NULL;
    void *memory = NULL;
    factor total = {0}, x = {0};
    einsum s = {.c = c};
    ondol_status status = ONDOL_OK;
    TRY(check_inputs(c, &first, err));
    s.is_float = tensor_element_kind_of(first->element) == TENSOR_KIND_FLOAT;
    TRY(ref_alloc(c, c->input_count, sizeof(einsum_term), "terms of an equation", &memory, err));
    einsum_term *terms = memory;
    TRY(read_equation(&s, graph_get_string(c->g, c->node, "equation"), terms, err));
    TRY(ref_alloc(c, 1, sizeof(double), "sums of an equation", &total.data, err));
    total.elems = 1;
    if (s.is_float)
        *(double *)total.data = 1;
    else
        *(uint64_t *)total.data = 1;
    for (uint32_t i = 0; i < c->input_count; i++) {
        TRY(load(&s, i, terms + i, &x, err));
        for (uint32_t label = 0; label < EINSUM_LABELS; label++)
            s.uses[label] -= x.has[label];
        TRY(take_in(&s, &total, &x, i + 1 == c->input_count, err));
        tensor_heap_free(c->heap, x.data);
        x.data = NULL;
    }
    TRY(store(&s, first->element, &total, err));
done:
    tensor_heap_free(c->heap, x.data);
    tensor_heap_free(c->heap, total.data);
    tensor_heap_free(c->heap, memory);
    return status;
}
