/* CausalConvWithState. In: x [batch, channels, length], a kernel for each channel, the numbers that
 * came before. Out: the correlation that looks back alone, and the last numbers for next time. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_neural.h"

typedef struct causal_job {
    uint64_t channels, length, kernel;
    double *x, *w, *bias, *past; /* past: [batch, channels, kernel - 1]; NULL: zeros */
    bool is_silu;
    tensor_value *y, *present;
} causal_job;

/* Number i of the line that is the past, then x. */
static double at(const causal_job *j, uint64_t line, uint64_t i) {
    const uint64_t before = j->kernel - 1;
    if (i >= before) return j->x[line * j->length + i - before];
    return j->past ? j->past[line * before + i] : 0;
}

/* One channel of one example. */
static void run_task(void *user, uint64_t line) {
    const causal_job *j = user;
    const uint64_t channel = line % j->channels;
    for (uint64_t i = 0; i < j->length; i++) {
        double sum = j->bias[channel];
        for (uint64_t k = 0; k < j->kernel; k++)
            sum += at(j, line, i + k) * j->w[channel * j->kernel + k];
        if (j->is_silu) sum /= 1 + exp(-sum);
        ref_store_numbers(j->y, line * j->length + i, 1, &sum);
    }
    for (uint64_t i = 0; i + 1 < j->kernel; i++) {
        const double v = at(j, line, j->length + i);
        ref_store_numbers(j->present, line * (j->kernel - 1) + i, 1, &v);
    }
}

static ondol_status begin(plan_call *c, causal_job *j, ondol_error *err) {
    const char *activation = graph_get_string(c->g, c->node, "activation");
    char text[REF_SHAPE_TEXT_BYTES];
    tensor_value *x = NULL, *w = NULL, *past = NULL;
    ondol_status status = ONDOL_OK;
    j->is_silu = strcmp(activation, "silu") == 0 || strcmp(activation, "swish") == 0;
    if (!j->is_silu && strcmp(activation, "none") != 0) {
        return plan_call_fail(c, err, "activation is '%s'", activation);
    }
    TRY(ref_float_input(c, 0, &x, err));
    TRY(ref_float_input(c, 1, &w, err));
    if (x->rank != 3 || w->rank != 3 || w->dims[0] != x->dims[1] || w->dims[1] != 1 ||
        w->dims[2] < 1) {
        return plan_call_fail(c, err, "x of rank %" PRIu32 " and a weight of shape %s", x->rank,
                              ref_shape_text(w->rank, w->dims, text));
    }
    const int64_t state[3] = {x->dims[0], x->dims[1], w->dims[2] - 1};
    j->channels = (uint64_t)x->dims[1];
    j->length = (uint64_t)x->dims[2];
    j->kernel = (uint64_t)w->dims[2];
    TRY(ref_all_numbers(c, x, &j->x, err));
    TRY(ref_all_numbers(c, w, &j->w, err));
    TRY(ref_float_list(c, 2, "the bias", x->dims[1], 0, &j->bias, err));
    if (plan_call_input(c, 3)) {
        TRY(ref_float_input(c, 3, &past, err));
        TRY(ref_expect_dims(c, "past_state", past, 3, state, err));
        TRY(ref_all_numbers(c, past, &j->past, err));
    }
    TRY(plan_call_output(c, 0, x->element, 3, x->dims, &j->y, err));
    TRY(plan_call_output(c, 1, x->element, 3, state, &j->present, err));
done:
    return status;
}

ondol_status ref_causal_conv_with_state(plan_call *c, ondol_error *err) {
    causal_job j = {0};
    ondol_status status = ONDOL_OK;
    TRY(begin(c, &j, err));
    const uint64_t lines = (uint64_t)j.y->dims[0] * j.channels;
    if (j.y->elems || j.present->elems) ref_run_tasks(c, lines, run_task, &j);
done:
    tensor_heap_free(c->heap, j.x);
    tensor_heap_free(c->heap, j.w);
    tensor_heap_free(c->heap, j.bias);
    tensor_heap_free(c->heap, j.past);
    return status;
}
