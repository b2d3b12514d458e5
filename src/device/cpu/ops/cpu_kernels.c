/* The table of the cpu's kernels. In: a node. Out: the kernel that computes it. */
#include "device/cpu/ops/cpu_kernels.h"

#include "device/cpu/ops/cpu_kernel_table.h"
#include "device/host_ops.h"

static const plan_kernel kernels[] = {
#define CPU(operator, text, run_, accept_, prepare_, release_)                                     \
    {.op = GRAPH_OP_##operator,                                                                    \
     .name = text,                                                                                 \
     .run = run_,                                                                                  \
     .accept = accept_,                                                                            \
     .prepare = prepare_,                                                                          \
     .release = release_},
#define CPU_ANY_LAYOUT(operator, text, run_, accept_, prepare_, release_)                          \
    {.op = GRAPH_OP_##operator,                                                                    \
     .name = text,                                                                                 \
     .run = run_,                                                                                  \
     .any_layout = true,                                                                           \
     .accept = accept_,                                                                            \
     .prepare = prepare_,                                                                          \
     .release = release_},
#define CPU_HALVES(inputs, operator, text, run_, accept_, prepare_, release_)                      \
    {.op = GRAPH_OP_##operator,                                                                    \
     .name = text,                                                                                 \
     .run = run_,                                                                                  \
     .half_inputs = inputs,                                                                        \
     .accept = accept_,                                                                            \
     .prepare = prepare_,                                                                          \
     .release = release_},
#define HOST(operator, run_)            CPU(operator, "host", run_, NULL, NULL, NULL)
#define HOST_ANY_LAYOUT(operator, run_) CPU_ANY_LAYOUT(operator, "host", run_, NULL, NULL, NULL)
#include "device/cpu/ops/cpu_kernels.def"
#include "device/host_kernels.def"
#undef CPU
#undef HOST
#undef HOST_ANY_LAYOUT
#undef CPU_ANY_LAYOUT
#undef CPU_HALVES
    {.op = GRAPH_OP_COUNT},
};

const plan_kernel *cpu_kernel_of(const graph *g, graph_node_id n, base_buffer *why) {
    const size_t before = why ? why->size : 0;
    for (size_t i = 0; kernels[i].op != GRAPH_OP_COUNT; i++) {
        const plan_kernel *k = kernels + i;
        if (k->op != g->nodes[n].op) continue;
        if (!k->accept || k->accept(g, n, why)) return k;
    }
    if (why && why->size == before) base_buffer_append_text(why, "it has no kernel");
    return NULL;
}
