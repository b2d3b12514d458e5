/* MaxPool, AveragePool and the global ones. In: X. Out: Y with channels last, and as such summed or
 * compared channel by channel. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/cpu/ops/cpu_conv.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/rows.h"

bool cpu_accepts_pool(const graph *g, graph_node_id n, base_buffer *why) {
    const graph_node *node = g->nodes + n;
    const graph_value *x = g->values + node->inputs[0];
    const graph_attribute *kernel = graph_get_attribute(g, n, "kernel_shape");
    const bool indices = node->output_count > 1 && node->outputs[1] != GRAPH_NONE;
    const bool global =
        node->op == GRAPH_OP_GLOBAL_AVERAGE_POOL || node->op == GRAPH_OP_GLOBAL_MAX_POOL;
    if (x->element == TENSOR_ELEMENT_F32 && !indices &&
        (global || (kernel && kernel->int_count <= 2))) {
        return true;
    }
    if (why) {
        base_buffer_append_text(why, "it pools float32 in one or two dimensions, without indices");
    }
    return false;
}

typedef struct pool_job {
    const cpu_rows *rows;
    cpu_window w;
    const float *x;
    float *y;
    int64_t channels, pixels;
    bool most, count_pad;
} pool_job;

/* Places of the window that a divisor counts, pad included where it is asked for. */
static int64_t counted(const cpu_window *w, int i, int64_t at) {
    const int64_t begin = at * w->stride[i] - w->before[i], limit = w->in[i] + w->after[i];
    int64_t n = 0;
    for (int64_t k = 0; k < w->kernel[i]; k++)
        n += begin + k * w->dilation[i] < limit;
    return n;
}

static void pool_pixel(const pool_job *j, const float *image, int64_t pixel, float *to) {
    const cpu_window *w = &j->w;
    const size_t channels = (size_t)j->channels;
    const int64_t oy = pixel / w->out[1], ox = pixel % w->out[1];
    int64_t seen = 0;
    for (size_t c = 0; c < channels; c++)
        to[c] = j->most ? -INFINITY : 0.0f;
    for (int64_t ky = 0; ky < w->kernel[0]; ky++) {
        const int64_t y = oy * w->stride[0] - w->before[0] + ky * w->dilation[0];
        if (y < 0 || y >= w->in[0]) continue;
        for (int64_t kx = 0; kx < w->kernel[1]; kx++) {
            const int64_t x = ox * w->stride[1] - w->before[1] + kx * w->dilation[1];
            if (x < 0 || x >= w->in[1]) continue;
            j->rows->accumulate(j->most ? CPU_REDUCTION_MAX : CPU_REDUCTION_SUM, to,
                                image + (size_t)(y * w->in[1] + x) * channels, channels);
            seen++;
        }
    }
    if (j->most) return;
    if (j->count_pad) seen = counted(w, 0, oy) * counted(w, 1, ox);
    const float divisor = (float)seen;
    j->rows->binary(CPU_BINARY_DIV, to, to, 1, &divisor, 0, channels);
}

static void pool_unit(uint32_t unit, unsigned thread, void *argument) {
    const pool_job *j = argument;
    (void)thread;
    const int64_t image = unit / j->w.out[0], row = unit % j->w.out[0];
    const float *x = j->x + image * j->w.in[0] * j->w.in[1] * j->channels;
    float *y = j->y + (image * j->pixels + row * j->w.out[1]) * j->channels;
    for (int64_t i = 0; i < j->w.out[1]; i++)
        pool_pixel(j, x, row * j->w.out[1] + i, y + i * j->channels);
}

ondol_status cpu_run_pool(plan_call *c, ondol_error *err) {
    tensor_value *given = NULL, *x = NULL, *y = NULL;
    pool_job j = {.rows = cpu_rows_select(cpu_device_of(c->device)->isa)};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &given, err));
    const graph_attribute *kernel = graph_get_attribute(c->g, c->node, "kernel_shape");
    if (!kernel || given->rank != kernel->int_count + 2) {
        return plan_call_fail(c, err, "X has rank %" PRIu32 ", which kernel_shape does not fit",
                              given->rank);
    }
    TRY(cpu_window_read(c, given, NULL, &j.w, err));
    j.most = c->g->nodes[c->node].op == GRAPH_OP_MAX_POOL;
    j.count_pad = graph_get_int(c->g, c->node, "count_include_pad") != 0;
    TRY(tensor_value_channels_last(given, c->pool, &x, err));
    TRY(cpu_window_output(c, 0, x, x->dims[1], &j.w, &y, err));
    j.x = x->data;
    j.y = y->data;
    j.channels = x->dims[1];
    j.pixels = j.w.out[0] * j.w.out[1];
    if (x->dims[0] * j.w.out[0] > BASE_POOL_UNITS_MAX) {
        status = plan_call_fail(c, err, "an output of %" PRId64 " rows", x->dims[0] * j.w.out[0]);
        goto done;
    }
    if (y->elems) plan_call_parallel(c, (uint32_t)(x->dims[0] * j.w.out[0]), pool_unit, &j);
done:
    tensor_value_release(x);
    return status;
}

/* Dense input: each channel is a row; with channels last, rows are added up. */
/* Channels of a unit: two lines of the cache for each pixel, and pixels that follow each other. */
#define GLOBAL_CHANNELS ((size_t)128)

typedef struct global_job {
    const cpu_rows *rows;
    cpu_reduction op;
    const float *x;
    float *y;
    size_t channels, pixels, blocks; /* blocks: of an image's channels */
} global_job;

static void global_unit(uint32_t unit, unsigned thread, void *argument) {
    const global_job *j = argument;
    const size_t image = unit / j->blocks, first = unit % j->blocks * GLOBAL_CHANNELS;
    const size_t left = j->channels - first;
    const size_t count = left < GLOBAL_CHANNELS ? left : GLOBAL_CHANNELS;
    const float *from = j->x + image * j->pixels * j->channels + first;
    float *to = j->y + image * j->channels + first;
    (void)thread;
    memcpy(to, from, count * sizeof *to);
    for (size_t p = 1; p < j->pixels; p++)
        j->rows->accumulate(j->op, to, from + p * j->channels, count);
}

ondol_status cpu_run_global_pool(plan_call *c, ondol_error *err) {
    const cpu_rows *rows = cpu_rows_select(cpu_device_of(c->device)->isa);
    const bool most = c->g->nodes[c->node].op == GRAPH_OP_GLOBAL_MAX_POOL;
    const cpu_reduction op = most ? CPU_REDUCTION_MAX : CPU_REDUCTION_SUM;
    tensor_value *x = NULL, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    ondol_status status = plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err);
    if (status != ONDOL_OK) return status;
    if (x->rank < 3) return plan_call_fail(c, err, "X has rank %" PRIu32, x->rank);
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i] = i < 2 ? x->dims[i] : 1;
    status = plan_call_output(c, 0, TENSOR_ELEMENT_F32, x->rank, dims, &y, err);
    if (status != ONDOL_OK) return status;
    const size_t images = (size_t)dims[0], channels = (size_t)dims[1];
    const size_t pixels = y->elems ? (size_t)(x->elems / y->elems) : 0;
    if (y->elems && !pixels) return plan_call_fail(c, err, "nothing to pool");
    float *to = y->data;
    const float *from = x->data, divisor = (float)pixels;
    if (x->channels_last && y->elems) {
        global_job j = {.rows = rows, .op = op, .x = from, .y = to, .channels = channels};
        j.pixels = pixels;
        j.blocks = (channels + GLOBAL_CHANNELS - 1) / GLOBAL_CHANNELS;
        if (images > BASE_POOL_UNITS_MAX / j.blocks)
            return plan_call_fail(c, err, "%zu images are too many", images);
        plan_call_parallel(c, (uint32_t)(images * j.blocks), global_unit, &j);
    }
    for (size_t i = 0; i < images * channels && !x->channels_last; i++)
        to[i] = rows->reduce(op, from + i * pixels, pixels);
    if (!most) rows->binary(CPU_BINARY_DIV, y->data, y->data, 1, &divisor, 0, (size_t)y->elems);
    /* One pixel: both layouts are the same bytes. */
    y->channels_last = x->channels_last;
    return ONDOL_OK;
}
