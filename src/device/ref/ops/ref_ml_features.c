/* ArrayFeatureExtractor, Binarizer, FeatureVectorizer, Imputer, Normalizer, Scaler. In: rows of
 * features. Out: rows of features chosen, replaced, scaled or put side by side. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "device/host_scores.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

#define ML_NUMBERS (REF_CLASS_FLOAT | REF_CLASS_SIGNED)

ondol_status ref_ml_array_feature_extractor(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *places = NULL, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_I64, &places, err));
    if (!x->rank) return plan_call_fail(c, err, "an input of rank 0");
    const int64_t width = x->dims[x->rank - 1];
    const int64_t *at = places->data;
    for (uint64_t i = 0; i < places->elems; i++) {
        if (at[i] >= 0 && at[i] < width) continue;
        return plan_call_fail(c, err, "index %" PRId64 " of %" PRId64 " features", at[i], width);
    }
    memcpy(dims, x->dims, sizeof dims);
    dims[x->rank - 1] = (int64_t)places->elems;
    if (x->rank == 1) { /* one row of a matrix, as ONNX Runtime has it */
        dims[0] = 1;
        dims[1] = (int64_t)places->elems;
    }
    TRY(plan_call_output(c, 0, x->element, x->rank == 1 ? 2 : x->rank, dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++) {
        const uint64_t row = i / places->elems;
        TRY(ref_copy_element(y, i, x, row * (uint64_t)width + (uint64_t)at[i % places->elems],
                             err));
    }
done:
    return status;
}

/* x[i] > threshold, exactly. */
static bool is_above(const tensor_value *x, uint64_t i, double threshold) {
    if (tensor_element_kind_of(x->element) == TENSOR_KIND_FLOAT) {
        return tensor_get_number(x->element, x->data, i) > threshold;
    }
    if (isnan(threshold) || threshold >= 0x1p63) return false;
    if (threshold < -0x1p63) return true;
    return tensor_get_integer(x->element, x->data, i) > (int64_t)floor(threshold);
}

ondol_status ref_ml_binarizer(plan_call *c, ondol_error *err) {
    const double threshold = graph_get_float(c->g, c->node, "threshold");
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, ML_NUMBERS, &x, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    for (uint64_t i = 0; i < x->elems; i++)
        tensor_set_integer(y->element, y->data, i, is_above(x, i, threshold));
done:
    return status;
}

/* Input i as [rows, *width]: the first dimension is rows, or there is one row. */
static ondol_status vectorizer_input(const plan_call *c, uint32_t i, tensor_value **x,
                                     uint64_t *rows, uint64_t *width, ondol_error *err) {
    ondol_status status = ref_input(c, i, ML_NUMBERS, x, err);
    if (status != ONDOL_OK) return status;
    const ref_split s = (*x)->rank > 1 ? ref_split_at(*x, 0) : (ref_split){1, 1, (*x)->elems};
    *rows = s.axis;
    *width = s.inner;
    return ONDOL_OK;
}

/* The columns of input i in the output: what inputdimensions says, or what it has. */
static ondol_status vectorizer_columns(const plan_call *c, uint32_t i, uint64_t rows,
                                       uint64_t *columns, ondol_error *err) {
    const graph_attribute *given = graph_get_attribute(c->g, c->node, "inputdimensions");
    tensor_value *x = NULL;
    uint64_t own_rows = 0;
    ondol_status status = vectorizer_input(c, i, &x, &own_rows, columns, err);
    if (status != ONDOL_OK) return status;
    if (own_rows != rows) {
        return plan_call_fail(c, err, "input %" PRIu32 " has %" PRIu64 " rows, the first %" PRIu64,
                              i, own_rows, rows);
    }
    if (!given || !given->int_count) return ONDOL_OK;
    if (given->int_count != c->input_count || given->ints[i] < 0) {
        return plan_call_fail(c, err,
                              "inputdimensions has %" PRIu32 " items for %" PRIu32
                              " inputs, or a negative one",
                              given->int_count, c->input_count);
    }
    *columns = (uint64_t)given->ints[i];
    return ONDOL_OK;
}

/* Columns of an input that are too many are dropped, missing ones are 0, as in ONNX Runtime. */
ondol_status ref_ml_feature_vectorizer(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    uint64_t rows = 0, width = 0, columns = 0, total = 0, first = 0;
    ondol_status status = ONDOL_OK;
    TRY(vectorizer_input(c, 0, &x, &rows, &width, err));
    for (uint32_t i = 0; i < c->input_count; i++) {
        TRY(vectorizer_columns(c, i, rows, &columns, err));
        if (!base_add(total, columns, &total) || total > INT64_MAX) {
            return plan_call_fail(c, err, "inputdimensions go past memory");
        }
    }
    const int64_t dims[2] = {(int64_t)rows, (int64_t)total};
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, 2, dims, &y, err));
    float *out = y->data;
    memset(out, 0, (size_t)tensor_value_bytes(y));
    for (uint32_t i = 0; i < c->input_count; i++, first += columns) {
        TRY(vectorizer_input(c, i, &x, &rows, &width, err));
        TRY(vectorizer_columns(c, i, rows, &columns, err));
        const uint64_t both = width < columns ? width : columns;
        for (uint64_t r = 0; r < rows; r++)
            for (uint64_t k = 0; k < both; k++)
                out[r * total + first + k] =
                    (float)tensor_get_number(x->element, x->data, r * width + k);
    }
done:
    return status;
}

/* Features of the last dimension; 1 of a scalar. */
static uint64_t feature_count(const tensor_value *x) {
    return x->rank ? (uint64_t)x->dims[x->rank - 1] : 1;
}

static ondol_status impute_floats(const plan_call *c, const tensor_value *x, tensor_value *y,
                                  ondol_error *err) {
    const double replaced = graph_get_float(c->g, c->node, "replaced_value_float");
    const uint64_t features = feature_count(x);
    uint32_t count = 0;
    const double *values = host_floats(c, "imputed_value_floats", &count);
    if (count != 1 && (!count || count != features)) {
        return plan_call_fail(c, err, "%" PRIu32 " imputed_value_floats for %" PRIu64 " features",
                              count, features);
    }
    for (uint64_t i = 0; i < x->elems; i++) {
        const double v = tensor_get_number(x->element, x->data, i);
        const bool is_missing = isnan(replaced) ? isnan(v) : v == replaced;
        tensor_set_number(y->element, y->data, i, is_missing ? values[i % count] : v);
    }
    return ONDOL_OK;
}

static ondol_status impute_integers(const plan_call *c, const tensor_value *x, tensor_value *y,
                                    ondol_error *err) {
    const int64_t replaced = graph_get_int(c->g, c->node, "replaced_value_int64");
    const graph_attribute *values = graph_get_attribute(c->g, c->node, "imputed_value_int64s");
    const uint64_t features = feature_count(x);
    const uint32_t count = values ? values->int_count : 0;
    if (count != 1 && (!count || count != features)) {
        return plan_call_fail(c, err, "%" PRIu32 " imputed_value_int64s for %" PRIu64 " features",
                              count, features);
    }
    for (uint64_t i = 0; i < x->elems; i++) {
        const int64_t v = tensor_get_integer(x->element, x->data, i);
        tensor_set_integer(y->element, y->data, i, v == replaced ? values->ints[i % count] : v);
    }
    return ONDOL_OK;
}

ondol_status ref_ml_imputer(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, ML_NUMBERS, &x, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    TRY(ref_class_of(x->element) == REF_CLASS_FLOAT ? impute_floats(c, x, y, err)
                                                    : impute_integers(c, x, y, err));
done:
    return status;
}

typedef enum norm_kind { NORM_MAX, NORM_L1, NORM_L2 } norm_kind;

/* What row [first, first + n) is divided by: the largest (signed), or the sum of magnitudes or
 * squares, in order. */
static double row_divisor(const tensor_value *x, uint64_t first, uint64_t n, norm_kind kind) {
    double sum = 0, most = -HUGE_VAL;
    for (uint64_t i = first; i < first + n; i++) {
        const double v = tensor_get_number(x->element, x->data, i);
        if (v > most) most = v;
        sum += kind == NORM_L1 ? fabs(v) : v * v;
    }
    return kind == NORM_MAX ? most : kind == NORM_L1 ? sum : sqrt(sum);
}

ondol_status ref_ml_normalizer(plan_call *c, ondol_error *err) {
    const char *norm = graph_get_string(c->g, c->node, "norm");
    norm_kind kind = NORM_MAX;
    tensor_value *x = NULL, *y = NULL;
    uint64_t rows = 0, features = 0;
    ondol_status status = ONDOL_OK;
    if (strcmp(norm, "L1") == 0) {
        kind = NORM_L1;
    } else if (strcmp(norm, "L2") == 0) {
        kind = NORM_L2;
    } else if (strcmp(norm, "MAX") != 0) {
        return plan_call_fail(c, err, "norm '%s', expected MAX, L1 or L2", norm);
    }
    TRY(host_rows(c, &x, &rows, &features, err));
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, x->rank, x->dims, &y, err));
    float *out = y->data;
    for (uint64_t r = 0; r < rows && features; r++) {
        const double divisor = row_divisor(x, r * features, features, kind);
        for (uint64_t i = r * features; i < (r + 1) * features; i++) {
            const double v = tensor_get_number(x->element, x->data, i);
            out[i] = (float)(divisor == 0 ? v : v / divisor);
        }
    }
done:
    return status;
}

ondol_status ref_ml_scaler(plan_call *c, ondol_error *err) {
    uint32_t offsets = 0, scales = 0;
    const double *offset = host_floats(c, "offset", &offsets);
    const double *scale = host_floats(c, "scale", &scales);
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, ML_NUMBERS, &x, err));
    const uint64_t features = feature_count(x);
    if ((offsets > 1 && offsets != features) || (scales > 1 && scales != features)) {
        return plan_call_fail(c, err,
                              "%" PRIu32 " offsets and %" PRIu32 " scales for %" PRIu64 " features",
                              offsets, scales, features);
    }
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, x->rank, x->dims, &y, err));
    float *out = y->data;
    for (uint64_t i = 0; i < x->elems; i++) {
        const double v = tensor_get_number(x->element, x->data, i);
        const double moved = offsets ? v - offset[i % offsets] : v;
        out[i] = (float)(scales ? moved * scale[i % scales] : moved);
    }
done:
    return status;
}
