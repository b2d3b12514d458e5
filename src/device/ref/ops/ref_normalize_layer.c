/* Normalization of the last axes: LayerNormalization, RMSNormalization,
 * SimplifiedLayerNormalization. In: x, a scale, perhaps a bias, which broadcast to x. Out: y, and
 * the moments that it was made of; all in double, rounded once. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_neural.h"

typedef struct layer_job {
    const tensor_value *x, *scale, *bias; /* bias: NULL: none */
    bool has_mean;                        /* that is taken away first */
    double epsilon;
    uint32_t axis;
    uint64_t rows, columns;
    tensor_value *y, *mean, *inverse; /* mean, inverse: [rows]; NULL: nobody wants it */
} layer_job;

static double number(const tensor_value *x, uint64_t i) {
    return tensor_get_number(x->element, x->data, i);
}

/* The mean of a row (0 where it stays), and the inverse of its deviation. */
static void row_moments(const layer_job *j, uint64_t row, double *mean, double *inverse) {
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < j->columns && j->has_mean; i++)
        sum += number(j->x, row * j->columns + i);
    *mean = j->has_mean ? sum / (double)j->columns : 0;
    for (uint64_t i = 0; i < j->columns; i++) {
        const double d = number(j->x, row * j->columns + i) - *mean;
        squares += d * d;
    }
    *inverse = 1 / sqrt(squares / (double)j->columns + j->epsilon);
}

static void normalize(const layer_job *j) {
    double mean = 0, inverse = 0;
    ref_walk w;
    ref_walk_begin(&w, j->x->rank, j->x->dims);
    ref_walk_add(&w, j->scale->rank, j->scale->dims);
    if (j->bias) ref_walk_add(&w, j->bias->rank, j->bias->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        if (i % j->columns == 0) {
            const uint64_t row = i / j->columns;
            row_moments(j, row, &mean, &inverse);
            if (j->mean) ref_store_numbers(j->mean, row, 1, &mean);
            if (j->inverse) ref_store_numbers(j->inverse, row, 1, &inverse);
        }
        double v = (number(j->x, i) - mean) * inverse * number(j->scale, (uint64_t)w.at[0]);
        if (j->bias) v += number(j->bias, (uint64_t)w.at[1]);
        ref_store_numbers(j->y, i, 1, &v);
    }
}

static ondol_status broadcasting_input(const plan_call *c, uint32_t i, const tensor_value *x,
                                       const tensor_value **out, ondol_error *err) {
    char text[REF_SHAPE_TEXT_BYTES], x_text[REF_SHAPE_TEXT_BYTES];
    tensor_value *v = NULL;
    ondol_status status = ref_float_input(c, i, &v, err);
    if (status != ONDOL_OK) return status;
    *out = v;
    if (ref_broadcasts_to(v->rank, v->dims, x->rank, x->dims)) return ONDOL_OK;
    return plan_call_fail(c, err, "input %" PRIu32 " of shape %s does not broadcast to %s", i,
                          ref_shape_text(v->rank, v->dims, text),
                          ref_shape_text(x->rank, x->dims, x_text));
}

/* The type of what is kept of the moments. */
static ondol_status stash_type(const plan_call *c, tensor_element *out, ondol_error *err) {
    const int64_t type = graph_get_int(c->g, c->node, "stash_type");
    const bool is_float = type == TENSOR_ELEMENT_F32 || type == TENSOR_ELEMENT_F64 ||
                          type == TENSOR_ELEMENT_F16 || type == TENSOR_ELEMENT_BF16;
    if (!is_float) {
        return plan_call_fail(c, err, "stash_type is %" PRId64 ", which is no type of floats",
                              type);
    }
    *out = (tensor_element)type;
    return ONDOL_OK;
}

static ondol_status begin(plan_call *c, layer_job *j, ondol_error *err) {
    const bool is_layer = c->g->nodes[c->node].op == GRAPH_OP_LAYER_NORMALIZATION;
    int64_t dims[TENSOR_MAX_RANK];
    tensor_value *x = NULL;
    tensor_element stash = TENSOR_ELEMENT_F32;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), x->rank, &j->axis, err));
    TRY(broadcasting_input(c, 1, x, &j->scale, err));
    if (is_layer && plan_call_input(c, 2)) TRY(broadcasting_input(c, 2, x, &j->bias, err));
    TRY(stash_type(c, &stash, err));
    j->x = x;
    j->has_mean = is_layer;
    j->epsilon = graph_get_float(c->g, c->node, "epsilon");
    if (!ref_product(j->axis, x->dims, &j->rows)) j->rows = 0;
    j->columns = x->elems && j->rows ? x->elems / j->rows : 1;
    const tensor_element y_type = is_layer ? x->element : j->scale->element;
    TRY(plan_call_output(c, 0, y_type, x->rank, x->dims, &j->y, err));
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i] = i < j->axis ? x->dims[i] : 1;
    if (is_layer && plan_call_wants(c, 1)) {
        TRY(plan_call_output(c, 1, stash, x->rank, dims, &j->mean, err));
    }
    const uint32_t inverse = is_layer ? 2 : 1;
    if (plan_call_wants(c, inverse)) {
        TRY(plan_call_output(c, inverse, stash, x->rank, dims, &j->inverse, err));
    }
done:
    return status;
}

/* LayerNormalization, RMSNormalization, SimplifiedLayerNormalization. */
ondol_status ref_layer_normalization(plan_call *c, ondol_error *err) {
    layer_job j = {0};
    ondol_status status = begin(c, &j, err);
    if (status != ONDOL_OK) return status;
    if (j.x->elems) {
        normalize(&j);
        return ONDOL_OK;
    }
    /* Rows without elements have a mean of 0 / 0. */
    const double none = NAN;
    for (uint64_t i = 0; j.mean && i < j.mean->elems; i++)
        ref_store_numbers(j.mean, i, 1, &none);
    for (uint64_t i = 0; j.inverse && i < j.inverse->elems; i++)
        ref_store_numbers(j.inverse, i, 1, &none);
    return ONDOL_OK;
}
