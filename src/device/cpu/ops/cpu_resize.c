/* Resize. In: a tensor of f32, in either layout. Out: it with other sizes. Nearest elements are
 * moved; means are taken axis by axis, in f32, channels or rows at a time. */
#include <math.h>
#include <string.h>

#include "device/cpu/ops/cpu_axis_ops.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/rows.h"
#include "device/host_resize.h"

bool cpu_accepts_resize(const graph *g, graph_node_id n, base_buffer *why) {
    const bool nearest = strcmp(graph_get_string(g, n, "mode"), "nearest") == 0;
    if (nearest || g->values[g->nodes[n].inputs[0]].element == TENSOR_ELEMENT_F32) return true;
    if (why) base_buffer_append_text(why, "it takes means of float32");
    return false;
}

/* One axis: src [outer, in, inner] -> dst [outer, out, inner]. */
typedef struct axis_job {
    const cpu_rows *rows;
    const resize_rules *rules;
    const resize_axis *a;
    uint64_t inner, taps;
    const int64_t *first; /* [out]; INT64_MIN: outside */
    const float *weights; /* [out][taps] */
    const float *src;
    float *dst;
} axis_job;

static void axis_unit(uint32_t unit, unsigned thread, void *argument) {
    const axis_job *j = argument;
    const int64_t in = j->a->in, out = j->a->out;
    const uint64_t outer = unit / (uint64_t)out, i = unit % (uint64_t)out;
    float *to = j->dst + (uint64_t)unit * j->inner;
    (void)thread;
    const bool outside = j->first[i] == INT64_MIN;
    const float fill = outside ? (float)j->rules->extrapolation : 0.0f;
    for (uint64_t k = 0; k < j->inner; k++)
        to[k] = fill;
    for (uint64_t t = 0; !outside && t < j->taps; t++) {
        int64_t at = j->first[i] + (int64_t)t;
        const float weight = j->weights[i * j->taps + t];
        at = at < 0 ? 0 : at >= in ? in - 1 : at;
        const float *from = j->src + (outer * (uint64_t)in + (uint64_t)at) * j->inner;
        for (uint64_t k = 0; weight != 0 && k < j->inner; k++)
            to[k] = fmaf(weight, from[k], to[k]);
    }
}

/* Units are places of the axis: too many small ones are done as one. */
static ondol_status run_axis(const plan_call *c, axis_job *j, uint64_t outer, ondol_error *err) {
    const uint64_t out = (uint64_t)j->a->out;
    void *memory = NULL, *wide = NULL;
    ondol_status status = ONDOL_OK;
    TRY(tensor_heap_alloc(c->heap, out * (8 + 4 * j->taps), "weights of a resize", &memory, err));
    TRY(tensor_heap_alloc(c->heap, 8 * j->taps, "weights of a resize", &wide, err));
    int64_t *first = memory;
    float *weights = (float *)(void *)(first + out);
    for (uint64_t i = 0; i < out; i++) {
        const double source = resize_axis_source(j->rules, j->a, (int64_t)i);
        double *w = wide;
        first[i] = INT64_MIN;
        if (isnan(source)) continue;
        resize_axis_weights(j->rules, j->a, source, j->taps, first + i, w);
        for (uint64_t t = 0; t < j->taps; t++)
            weights[i * j->taps + t] = (float)w[t];
    }
    j->first = first;
    j->weights = weights;
    if (outer * out <= BASE_POOL_UNITS_MAX && j->inner * j->taps >= 512) {
        plan_call_parallel(c, (uint32_t)(outer * out), axis_unit, j);
    } else if (outer * out > UINT32_MAX) {
        status = plan_call_fail(c, err, "an output of more than 2^32 rows");
    } else {
        for (uint64_t i = 0; i < outer * out; i++)
            axis_unit((uint32_t)i, 0, j);
    }
done:
    tensor_heap_free(c->heap, memory);
    tensor_heap_free(c->heap, wide);
    return status;
}

/* Where axis d of [N, C, S...] lies in memory. */
static uint32_t place_of(const tensor_value *v, uint32_t d) {
    if (!v->channels_last || d == 0) return d;
    return d == 1 ? v->rank - 1 : d - 1;
}

static ondol_status resize_smoothly(plan_call *c, host_resizing *r, ondol_error *err) {
    tensor_value *from = tensor_value_retain(r->x), *to = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    memcpy(dims, r->x->dims, sizeof dims);
    for (uint32_t d = 0; d < r->x->rank; d++) {
        const resize_axis *a = r->axes + d;
        uint64_t outer = 1, inner = 1;
        if (resize_axis_is_same(&r->rules, a)) continue;
        for (uint32_t k = 0; k < r->x->rank; k++) {
            if (place_of(from, k) < place_of(from, d)) outer *= (uint64_t)dims[k];
            if (place_of(from, k) > place_of(from, d)) inner *= (uint64_t)dims[k];
        }
        dims[d] = a->out;
        TRY(tensor_value_create(c->heap, TENSOR_ELEMENT_F32, from->rank, dims, &to, err));
        to->channels_last = from->channels_last;
        axis_job j = {.rows = cpu_rows_select(cpu_device_of(c->device)->isa),
                      .rules = &r->rules,
                      .a = a,
                      .inner = inner,
                      .taps = resize_axis_taps(&r->rules, a),
                      .src = from->data,
                      .dst = to->data};
        if (!j.taps) {
            status = plan_call_fail(c, err, "an axis scaled by %g", a->scale);
            goto done;
        }
        if (to->elems) TRY(run_axis(c, &j, outer, err));
        tensor_value_release(from);
        from = to;
        to = NULL;
    }
    plan_call_give(c, 0, from);
done:
    tensor_value_release(from);
    tensor_value_release(to);
    return status;
}

typedef struct image_job {
    const host_resizing *r;
    const float *x;
    float *y;
    const int64_t *rows, *columns; /* places in the image; -1: outside */
} image_job;

/* One row of one image, pixel by pixel. */
static void image_unit(uint32_t unit, unsigned thread, void *argument) {
    const image_job *j = argument;
    const resize_axis *axes = j->r->axes;
    const size_t channels = (size_t)axes[1].in;
    const uint64_t image = unit / (uint64_t)axes[2].out, row = unit % (uint64_t)axes[2].out;
    const uint64_t first = image * (uint64_t)axes[2].in;
    float *to = j->y + (uint64_t)unit * (uint64_t)axes[3].out * channels;
    (void)thread;
    for (int64_t i = 0; i < axes[3].out; i++, to += channels) {
        const bool inside = j->rows[row] >= 0 && j->columns[i] >= 0;
        const uint64_t at =
            (first + (uint64_t)j->rows[row]) * (uint64_t)axes[3].in + (uint64_t)j->columns[i];
        for (size_t k = 0; !inside && k < channels; k++)
            to[k] = (float)j->r->rules.extrapolation;
        if (inside) memcpy(to, j->x + at * channels, channels * sizeof *to);
    }
}

static void find_places(const host_resizing *r, uint32_t d, int64_t *places) {
    const resize_axis *a = r->axes + d;
    const bool same = resize_axis_is_same(&r->rules, a);
    for (int64_t i = 0; i < a->out; i++) {
        const double source = same ? (double)i : resize_axis_source(&r->rules, a, i);
        places[i] = isnan(source) ? -1 : resize_axis_nearest(&r->rules, a, source);
    }
}

/* Images whose channels lie last and stay as many. */
static ondol_status resize_image(plan_call *c, const host_resizing *r, const int64_t *dims,
                                 ondol_error *err) {
    tensor_value *y = NULL;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, 4, dims, &y, err));
    y->channels_last = true;
    if (!y->elems) return ONDOL_OK;
    TRY(tensor_heap_alloc(c->heap, (uint64_t)(dims[2] + dims[3]) * 8, "places of a resize", &memory,
                          err));
    int64_t *places = memory;
    find_places(r, 2, places);
    find_places(r, 3, places + dims[2]);
    image_job j = {r, r->x->data, y->data, places, places + dims[2]};
    const uint64_t units = (uint64_t)dims[0] * (uint64_t)dims[2];
    if (units > BASE_POOL_UNITS_MAX)
        status = plan_call_fail(c, err, "an output of more than 2^20 rows");
    else
        plan_call_parallel(c, (uint32_t)units, image_unit, &j);
    tensor_heap_free(c->heap, memory);
done:
    return status;
}

ondol_status cpu_run_resize(plan_call *c, ondol_error *err) {
    host_resizing r = {.x = NULL};
    int64_t dims[TENSOR_MAX_RANK];
    tensor_value *y = NULL, *dense = NULL;
    bool same = true;
    ondol_status status = ONDOL_OK;
    TRY(host_resize_read(c, &r, err));
    for (uint32_t d = 0; d < r.x->rank; d++) {
        dims[d] = r.axes[d].out;
        same = same && resize_axis_is_same(&r.rules, r.axes + d);
    }
    if (same) {
        plan_call_give(c, 0, r.x);
        return ONDOL_OK;
    }
    const bool nearest = r.rules.mode == RESIZE_NEAREST;
    if (!nearest && r.x->element == TENSOR_ELEMENT_F32) return resize_smoothly(c, &r, err);
    if (!nearest) return plan_call_fail(c, err, "means of other types than float32");
    if (r.x->channels_last && r.x->element == TENSOR_ELEMENT_F32 && r.x->rank == 4 &&
        resize_axis_is_same(&r.rules, r.axes) && resize_axis_is_same(&r.rules, r.axes + 1)) {
        return resize_image(c, &r, dims, err);
    }
    TRY(tensor_value_dense(r.x, c->pool, &dense, err));
    r.x = dense;
    TRY(plan_call_output(c, 0, dense->element, dense->rank, dims, &y, err));
    TRY(host_resize_nearest(c, &r, y, err));
done:
    tensor_value_release(dense);
    return status;
}
