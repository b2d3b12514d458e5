/* Scores and classes, as the classifiers and regressors of ai.onnx.ml share them. Devices that
 * compute in host memory share it. */
#ifndef DEVICE_HOST_SCORES_H
#define DEVICE_HOST_SCORES_H

#include "plan/kernel.h"

/* What becomes of the scores of one row. The numbers are those of TreeEnsemble's post_transform. */
typedef enum host_transform {
    HOST_TRANSFORM_NONE,
    HOST_TRANSFORM_SOFTMAX,
    HOST_TRANSFORM_LOGISTIC,
    HOST_TRANSFORM_SOFTMAX_ZERO, /* scores of 0 stay 0 and have no part in the sum */
    HOST_TRANSFORM_PROBIT,       /* the normal distribution's inverse, by Winitzki's formula */
    HOST_TRANSFORM_COUNT
} host_transform;

/* The node's post_transform, a name. Errors: FORMAT. */
ondol_status host_transform_read(const plan_call *c, host_transform *out, ondol_error *err);
/* scores[0..n) of one row, in place. Source: ONNX's reference implementation, _common_classifier;
 * matches ONNX Runtime but for SOFTMAX_ZERO of zeros alone: 0.5 each. */
void host_transform_apply(host_transform t, double *scores, uint64_t n);

/* Classes as a node names them: strings, or integers where strings is NULL. */
typedef struct host_labels {
    const tensor_string *strings;
    const int64_t *ints;
    uint32_t count;
} host_labels;

/* The two attributes, of which one has items. Errors: FORMAT. */
ondol_status host_labels_read(const plan_call *c, const char *ints_name, const char *strings_name,
                              host_labels *out, ondol_error *err);
/* Makes output i [rows] for labels. Errors: LIMIT, MEMORY. */
ondol_status host_labels_output(plan_call *c, uint32_t i, uint64_t rows, const host_labels *l,
                                tensor_value **out, ondol_error *err);
/* Element row of y is label `index` < l->count. Errors: LIMIT, MEMORY (of strings alone). */
ondol_status host_labels_set(tensor_value *y, uint64_t row, const host_labels *l, uint32_t index,
                             ondol_error *err);

/* The items of a FLOATS attribute, count of them; NULL and 0 where the node lacks it. */
const double *host_floats(const plan_call *c, const char *name, uint32_t *count);

/* Input 0 as [rows, features], of rank 2, or 1: one row; of numbers. Errors: FORMAT. */
ondol_status host_rows(const plan_call *c, tensor_value **x, uint64_t *rows, uint64_t *features,
                       ondol_error *err);

#endif
