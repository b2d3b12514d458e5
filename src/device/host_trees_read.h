/* Inside of host_trees: lists of attributes, and the two ways to spell trees. */
#ifndef DEVICE_HOST_TREES_READ_H
#define DEVICE_HOST_TREES_READ_H

#include "device/host_trees.h"

/* Trees being read. The call is for sentences and attributes alone. */
typedef struct trees_reading {
    plan_call c;
    const ondol_allocator *a;
    host_trees *t;
    ondol_error *err;
} trees_reading;

typedef struct trees_numbers {
    const double *floats;
    const graph_tensor *tensor; /* or NULL: floats */
    uint32_t count;
} trees_numbers;

/* The items of an INTS attribute; *count of them. Errors: FORMAT unless there are `count`, where
 * that is not GRAPH_MANY. */
ondol_status trees_ints(trees_reading *r, const char *name, uint32_t count, const int64_t **out,
                        uint32_t *got);
/* Numbers of a FLOATS attribute, or of a tensor (float16, float, double) attribute; tensor_name may
 * be NULL or equal name. Errors: FORMAT (both are there, other types). */
ondol_status trees_numbers_read(trees_reading *r, const char *name, const char *tensor_name,
                                trees_numbers *out);
double trees_number(const trees_numbers *n, uint32_t i);

/* TreeEnsembleClassifier and TreeEnsembleRegressor: nodes by ids. */
ondol_status trees_read_by_ids(trees_reading *r, bool is_classifier);
/* TreeEnsemble: nodes by places, leaves apart. */
ondol_status trees_read_by_places(trees_reading *r);

#endif
