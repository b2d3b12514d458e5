/* GroupNorm, SkipGroupNorm. In: x [N, ..., C] or [N, C, ...], what is added to it. Out: each
 * group of channels of an example normalised, SiLU of that where it is asked for; the sum. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"

typedef struct group_norm {
    const tensor_value *x, *skip; /* skip: NULL without */
    bool is_last, is_skip_per_channel;
    uint64_t batch, channels, places, groups;
    double epsilon;
    bool is_silu;
    double *gamma, *beta, *bias; /* [channels]; bias: NULL without */
    double *sums;                /* as x lies */
    tensor_value *y;
} group_norm;

/* Where channel c of place p lies in example n. */
static uint64_t position(const group_norm *g, uint64_t n, uint64_t c, uint64_t p) {
    if (g->is_last) return (n * g->places + p) * g->channels + c;
    return (n * g->channels + c) * g->places + p;
}

static void run_group(void *user, uint64_t task) {
    const group_norm *g = user;
    const uint64_t size = g->channels / g->groups, n = task / g->groups;
    const uint64_t first = task % g->groups * size;
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < size * g->places; i++)
        sum += g->sums[position(g, n, first + i % size, i / size)];
    const double mean = sum / (double)(size * g->places);
    for (uint64_t i = 0; i < size * g->places; i++) {
        const double v = g->sums[position(g, n, first + i % size, i / size)] - mean;
        squares += v * v;
    }
    const double by = 1 / sqrt(squares / (double)(size * g->places) + g->epsilon);
    for (uint64_t i = 0; i < size * g->places; i++) {
        const uint64_t channel = first + i % size, at = position(g, n, channel, i / size);
        double v = (g->sums[at] - mean) * by * g->gamma[channel] + g->beta[channel];
        if (g->is_silu) v = v / (1 + exp(-v));
        ref_store_numbers(g->y, at, 1, &v);
    }
}

static ondol_status check_skip(const plan_call *c, group_norm *g, ondol_error *err) {
    const tensor_value *x = g->x, *skip = g->skip;
    int64_t dims[TENSOR_MAX_RANK];
    if (ref_same_dims(x, skip)) return ONDOL_OK;
    g->is_skip_per_channel = true;
    if (skip->rank == 2) {
        const int64_t flat[2] = {(int64_t)g->batch, (int64_t)g->channels};
        return ref_expect_dims(c, "skip", skip, 2, flat, err);
    }
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i] = i == 0 || i == (g->is_last ? x->rank - 1 : 1) ? x->dims[i] : 1;
    return ref_expect_dims(c, "skip", skip, x->rank, dims, err);
}

static void add_all(const group_norm *g) {
    for (uint64_t i = 0; i < g->x->elems; i++) {
        const uint64_t channel = g->is_last ? i % g->channels : i / g->places % g->channels;
        const uint64_t n = i / g->places / g->channels;
        const uint64_t at = g->is_skip_per_channel ? n * g->channels + channel : i;
        if (g->skip) g->sums[i] += tensor_get_number(g->skip->element, g->skip->data, at);
        if (g->bias) g->sums[i] += g->bias[channel];
    }
}

static ondol_status read_call(const plan_call *c, group_norm *g, ondol_error *err) {
    tensor_value *x = NULL, *skip = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    if (x->rank < 3) return ref_ms_expect_rank(c, "X", x, 4, err);
    g->x = x;
    g->is_last = graph_get_int(c->g, c->node, "channels_last") != 0;
    g->is_silu = graph_get_int(c->g, c->node, "activation") == 1;
    g->epsilon = graph_get_float(c->g, c->node, "epsilon");
    const int64_t groups = graph_get_int(c->g, c->node, "groups");
    const int64_t channels = x->dims[g->is_last ? x->rank - 1 : 1];
    if (groups < 1 || channels < groups || channels % groups) {
        return plan_call_fail(c, err, "%" PRId64 " channels in %" PRId64 " groups", channels,
                              groups);
    }
    g->groups = (uint64_t)groups;
    g->channels = (uint64_t)channels;
    g->batch = (uint64_t)x->dims[0];
    g->places = x->elems ? x->elems / g->batch / g->channels : 0;
    TRY(ref_ms_needed(c, 1, "gamma", 1, &channels, &g->gamma, err));
    TRY(ref_ms_needed(c, 2, "beta", 1, &channels, &g->beta, err));
    if (c->g->nodes[c->node].op == GRAPH_OP_MS_SKIP_GROUP_NORM) {
        TRY(ref_float_input(c, 3, &skip, err));
        g->skip = skip;
        TRY(check_skip(c, g, err));
        TRY(ref_ms_numbers(c, 4, "bias", 1, &channels, &g->bias, err));
    }
done:
    return status;
}

static ondol_status run(plan_call *c, group_norm *g, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    TRY(read_call(c, g, err));
    TRY(plan_call_output(c, 0, g->x->element, g->x->rank, g->x->dims, &g->y, err));
    TRY(ref_all_numbers(c, g->x, &g->sums, err));
    add_all(g);
    if (g->x->elems) ref_run_tasks(c, g->batch * g->groups, run_group, g);
    if (plan_call_wants(c, 1))
        TRY(ref_ms_store(c, 1, g->x->element, g->x->rank, g->x->dims, g->sums, err));
done:
    return status;
}

ondol_status ref_ms_group_norm(plan_call *c, ondol_error *err) {
    group_norm g = {0};
    ondol_status status = run(c, &g, err);
    tensor_heap_free(c->heap, g.gamma);
    tensor_heap_free(c->heap, g.beta);
    tensor_heap_free(c->heap, g.bias);
    tensor_heap_free(c->heap, g.sums);
    return status;
}
