/* The table of the oracle's kernels. In: an operator. Out: its kernel. */
#include "device/ref/ops/ref_kernels.h"

#include "device/host_ops.h"

static const plan_kernel kernels[GRAPH_OP_COUNT] = {
#define REF(operator, function)                                                                    \
    [GRAPH_OP_##operator] = {.op = GRAPH_OP_##operator, .name = "ref", .run = function},
#define REF_PREPARED(operator, function, make, drop)                                               \
    [GRAPH_OP_##operator] = {.op = GRAPH_OP_##operator,                                            \
                             .name = "ref",                                                        \
                             .run = function,                                                      \
                             .prepare = make,                                                      \
                             .release = drop},
#define HOST(operator, function) REF(operator, function)
#define HOST_ANY_LAYOUT(operator, function)                                                        \
    [GRAPH_OP_##operator] = {                                                                      \
        .op = GRAPH_OP_##operator, .name = "ref", .run = function, .any_layout = true},
#include "device/host_kernels.def"
#include "device/ref/ops/ref_kernels.def"
#undef HOST
#undef HOST_ANY_LAYOUT
#undef REF
#undef REF_PREPARED
};

const plan_kernel *ref_kernel_of(graph_op op) {
    return kernels[op].run ? kernels + op : NULL;
}
