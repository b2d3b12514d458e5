/* Random operators: RandomNormal, RandomUniform, their Like, Bernoulli, Multinomial, Dropout. In:
 * shapes or probabilities, a seed. Out: the numbers that ref_random.h describes; Dropout with a
 * seed has numpy's. */
#include <inttypes.h>
#include <math.h>

#include "base/exact_math.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_mersenne.h"
#include "device/ref/ops/ref_neural.h"
#include "device/ref/ops/ref_random.h"

/* Attribute dtype, or `otherwise`; one of `classes`. */
static ondol_status read_type(const plan_call *c, tensor_element otherwise, unsigned classes,
                              tensor_element *out, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, "dtype");
    const int64_t type = a ? a->i : (int64_t)otherwise;
    if (tensor_element_valid(type) && ref_class_of((tensor_element)type) & classes) {
        *out = (tensor_element)type;
        return ONDOL_OK;
    }
    return plan_call_fail(
        c, err, "elements of type %" PRId64 " (%s) cannot be random numbers", type,
        tensor_element_valid(type) ? tensor_element_onnx_name((tensor_element)type) : "no type");
}

/* Output 0 with the dims of attribute shape, or of input 0. */
static ondol_status make_output(plan_call *c, bool is_like, tensor_value **y, ondol_error *err) {
    const graph_attribute *shape = graph_get_attribute(c->g, c->node, "shape");
    tensor_element type = TENSOR_ELEMENT_F32;
    tensor_value *x = NULL;
    ondol_status status = ONDOL_OK;
    if (is_like) TRY(plan_call_tensor(c, 0, &x, err));
    TRY(read_type(c, x ? x->element : type, REF_CLASS_FLOAT, &type, err));
    if (!x && (!shape || shape->int_count > TENSOR_MAX_RANK)) {
        return plan_call_fail(c, err, "its shape is missing, or has a rank over %d",
                              TENSOR_MAX_RANK);
    }
    const uint32_t rank = x ? x->rank : shape->int_count;
    TRY(plan_call_output(c, 0, type, rank, x ? x->dims : shape->ints, y, err));
done:
    return status;
}

/* RandomNormal, RandomNormalLike, RandomUniform, RandomUniformLike. */
ondol_status ref_random_fill(plan_call *c, ondol_error *err) {
    const graph_op op = c->g->nodes[c->node].op;
    const bool is_normal = op == GRAPH_OP_RANDOM_NORMAL || op == GRAPH_OP_RANDOM_NORMAL_LIKE;
    const bool is_like = op == GRAPH_OP_RANDOM_NORMAL_LIKE || op == GRAPH_OP_RANDOM_UNIFORM_LIKE;
    tensor_value *y = NULL;
    ondol_status status = make_output(c, is_like, &y, err);
    if (status != ONDOL_OK) return status;
    const double start = graph_get_float(c->g, c->node, is_normal ? "mean" : "low");
    const double width = is_normal ? graph_get_float(c->g, c->node, "scale")
                                   : graph_get_float(c->g, c->node, "high") - start;
    const ref_random r = ref_random_begin(c);
    for (uint64_t i = 0; i < y->elems; i++) {
        const double v = is_normal ? ref_random_normal(&r, i) : ref_random_uniform(&r, i);
        tensor_set_number(y->element, y->data, i, start + v * width);
    }
    return ONDOL_OK;
}

/* 1 with the probability that the input has. */
ondol_status ref_bernoulli(plan_call *c, ondol_error *err) {
    const unsigned classes = REF_CLASS_NUMBER | REF_CLASS_BOOL;
    tensor_element type = TENSOR_ELEMENT_F32;
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_FLOAT, &x, err));
    TRY(read_type(c, x->element, classes, &type, err));
    TRY(plan_call_output(c, 0, type, x->rank, x->dims, &y, err));
    const ref_random r = ref_random_begin(c);
    for (uint64_t i = 0; i < x->elems; i++) {
        const double p = tensor_get_number(x->element, x->data, i);
        if (!(p >= 0 && p <= 1)) return plan_call_fail(c, err, "%g is no probability", p);
        tensor_set_number(y->element, y->data, i, ref_random_uniform(&r, i) < p ? 1 : 0);
    }
done:
    return status;
}

/* The class at which the sum of shares passes u of all of them; shares: e^(x - largest), summed
 * into place. The last class with a share, where rounding leaves none. */
static int64_t choose(const double *sums, uint64_t count, double u) {
    const double wanted = u * sums[count - 1];
    for (uint64_t k = 0; k < count; k++)
        if (wanted < sums[k]) return (int64_t)k;
    return (int64_t)count - 1;
}

/* Row `row` of unnormalized log-probabilities to running sums of shares. False: there is none. */
static bool sum_shares(const tensor_value *x, uint64_t row, uint64_t count, double *sums) {
    double largest = -INFINITY, sum = 0;
    ref_load_numbers(x, row * count, count, sums);
    for (uint64_t k = 0; k < count; k++)
        if (sums[k] > largest || isnan(sums[k])) largest = sums[k];
    for (uint64_t k = 0; k < count; k++) {
        sum += base_exp(sums[k] - largest);
        sums[k] = sum;
    }
    return isfinite(largest) && isfinite(sum);
}

ondol_status ref_multinomial(plan_call *c, ondol_error *err) {
    const int64_t samples = graph_get_int(c->g, c->node, "sample_size");
    tensor_element type = TENSOR_ELEMENT_I32;
    tensor_value *x = NULL, *y = NULL;
    double *sums = NULL;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_FLOAT, &x, err));
    TRY(read_type(c, type, REF_CLASS_SIGNED, &type, err));
    if (type != TENSOR_ELEMENT_I32 && type != TENSOR_ELEMENT_I64) {
        return plan_call_fail(c, err, "classes as %s", tensor_element_onnx_name(type));
    }
    if (x->rank != 2 || x->dims[1] < 1 || x->dims[1] > INT32_MAX || samples < 1) {
        return plan_call_fail(c, err,
                              "%" PRId64 " samples of an input of rank %" PRIu32
                              ", expected [batch, classes]",
                              samples, x->rank);
    }
    const int64_t dims[2] = {x->dims[0], samples};
    const uint64_t classes = (uint64_t)x->dims[1];
    TRY(plan_call_output(c, 0, type, 2, dims, &y, err));
    TRY(ref_alloc(c, classes, sizeof *sums, "shares of classes", &memory, err));
    sums = memory;
    const ref_random r = ref_random_begin(c);
    for (uint64_t row = 0; row < (uint64_t)dims[0]; row++) {
        if (!sum_shares(x, row, classes, sums)) {
            status = plan_call_fail(c, err, "row %" PRIu64 " has no probabilities", row);
            goto done;
        }
        for (uint64_t i = row * (uint64_t)samples; i < (row + 1) * (uint64_t)samples; i++) {
            const int64_t class_index = choose(sums, classes, ref_random_uniform(&r, i));
            tensor_set_integer(type, y->data, i, class_index);
        }
    }
done:
    tensor_heap_free(c->heap, memory);
    return status;
}

/* Elements kept, and raised so that the mean stays. mask: NULL: nobody wants it. */
static void drop(const plan_call *c, const tensor_value *x, double ratio, tensor_value *y,
                 tensor_value *mask) {
    const graph_attribute *seed = graph_get_attribute(c->g, c->node, "seed");
    const double scale = 1 / (1 - ratio);
    ref_random ours = {0, 0};
    ref_mersenne numpys;
    if (seed)
        ref_mersenne_seed(&numpys, (uint64_t)seed->i);
    else
        ours = ref_random_begin(c);
    for (uint64_t i = 0; i < x->elems; i++) {
        const double u = seed ? ref_mersenne_uniform(&numpys) : ref_random_uniform(&ours, i);
        const bool is_kept = u >= ratio;
        const double v = is_kept ? tensor_get_number(x->element, x->data, i) * scale : 0;
        ref_store_numbers(y, i, 1, &v);
        if (mask) tensor_set_integer(TENSOR_ELEMENT_BOOL, mask->data, i, is_kept);
    }
}

ondol_status ref_dropout(plan_call *c, ondol_error *err) {
    double ratio = 0.5;
    int64_t is_training = 0;
    tensor_value *x = NULL, *y = NULL, *mask = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    TRY(ref_scalar_number(c, 1, ratio, &ratio, err));
    TRY(ref_scalar_integer(c, 2, 0, &is_training, err));
    if (is_training && !(ratio >= 0 && ratio < 1)) {
        return plan_call_fail(c, err, "the ratio is %g, expected one in [0, 1)", ratio);
    }
    if (plan_call_wants(c, 1)) {
        TRY(plan_call_output(c, 1, TENSOR_ELEMENT_BOOL, x->rank, x->dims, &mask, err));
    }
    if (is_training) {
        TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
        drop(c, x, ratio, y, mask);
        return ONDOL_OK;
    }
    plan_call_give(c, 0, x);
    for (uint64_t i = 0; mask && i < x->elems; i++)
        tensor_set_integer(TENSOR_ELEMENT_BOOL, mask->data, i, 1);
done:
    return status;
}
