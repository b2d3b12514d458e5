/* What finished outputs of a convolution go through while they are in the first cache. In: rows of
 * Y. Out: then(y) * scale + shift. */
#include <string.h>

#include "device/cpu/ops/cpu_conv_job.h"

bool conv_after_read(const graph *g, graph_node_id n, conv_state *s) {
    static const struct {
        const char *name;
        cpu_unary op;
    } known[] = {
        {"", CPU_UNARY_COPY},
        {"Relu", CPU_UNARY_RELU},
        {"Clip", CPU_UNARY_CLIP},
        {"LeakyRelu", CPU_UNARY_LEAKY_RELU},
        {"HardSigmoid", CPU_UNARY_HARD_SIGMOID},
        {"HardSwish", CPU_UNARY_HARD_SWISH},
        {"Sigmoid", CPU_UNARY_SIGMOID},
        {"Tanh", CPU_UNARY_TANH},
        {"Swish", CPU_UNARY_SWISH},
    };
    const char *name = graph_get_string(g, n, "activation");
    s->alpha = (float)graph_get_float(g, n, "alpha");
    s->beta = (float)graph_get_float(g, n, "beta");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) != 0) continue;
        s->then = known[i].op;
        return true;
    }
    return false;
}

/* n channels joined with one number, or one for each, which begin at `first`. */
static void join(const conv_job *j, cpu_binary op, float *y, size_t n, const float *with,
                 uint64_t elements, size_t first) {
    const size_t step = elements == 1 ? 0 : 1;
    j->rows->binary(op, y, y, 1, with + step * first, step, n);
}

static void run_piece(const conv_job *j, float *y, size_t first, size_t count) {
    const conv_after *a = &j->after;
    if (a->then != CPU_UNARY_COPY) j->rows->unary(a->then, y, y, count, a->alpha, a->beta);
    if (a->scale) join(j, CPU_BINARY_MUL, y, count, a->scale, a->scale_elements, first);
    if (a->shift) join(j, CPU_BINARY_ADD, y, count, a->shift, a->shift_elements, first);
}

void conv_after_run(const conv_job *j, float *y, int64_t pixels, int64_t first, int64_t count) {
    const conv_after *a = &j->after;
    const bool alike =
        (!a->scale || a->scale_elements == 1) && (!a->shift || a->shift_elements == 1);
    if (a->then == CPU_UNARY_COPY && !a->scale && !a->shift) return;
    if (alike && count == j->y_channels) {
        run_piece(j, y, 0, (size_t)(pixels * count));
        return;
    }
    for (int64_t p = 0; p < pixels; p++, y += j->y_channels)
        run_piece(j, y + first, (size_t)first, (size_t)count);
}
