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

/* y [pixels][channels] joined with one number, or one for each channel. */
static void join(const conv_job *j, cpu_binary op, float *y, int64_t pixels, const float *with,
                 uint64_t elements) {
    const size_t channels = (size_t)j->y_channels;
    if (elements == 1) {
        j->rows->binary(op, y, y, 1, with, 0, (size_t)pixels * channels);
        return;
    }
    for (int64_t p = 0; p < pixels; p++, y += channels)
        j->rows->binary(op, y, y, 1, with, 1, channels);
}

void conv_after_run(const conv_job *j, float *y, int64_t pixels) {
    const conv_after *a = &j->after;
    const size_t n = (size_t)(pixels * j->y_channels);
    if (a->then != CPU_UNARY_COPY) j->rows->unary(a->then, y, y, n, a->alpha, a->beta);
    if (a->scale) join(j, CPU_BINARY_MUL, y, pixels, a->scale, a->scale_elements);
    if (a->shift) join(j, CPU_BINARY_ADD, y, pixels, a->shift, a->shift_elements);
}
