/* Conv. In: X, W, B. Out: Y with channels last. A unit is a run of output pixels where each is made
 * of one pixel alone, else a run of output rows; units go to the threads. */
#include "device/cpu/ops/cpu_conv.h"

#include <inttypes.h>
#include <string.h>

#include "device/cpu/ops/cpu_conv_job.h"

bool cpu_accepts_conv(const graph *g, graph_node_id n, base_buffer *why) {
    const graph_node *node = g->nodes + n;
    const graph_value *x = g->values + node->inputs[0], *w = g->values + node->inputs[1];
    const bool rank = w->shape.rank == 3 || w->shape.rank == 4;
    if (x->element == TENSOR_ELEMENT_F32 && w->kind == GRAPH_VALUE_INITIALIZER && rank) return true;
    if (why) base_buffer_append_text(why, "it takes float32 and constant weights of rank 3 or 4");
    return false;
}

/* W [M][C][kernel] -> [M][kernel][C], the order of gathered windows. */
static void turn_weights(const float *from, int64_t count, int64_t channels, int64_t taps,
                         float *to) {
    for (int64_t m = 0; m < count; m++) {
        for (int64_t c = 0; c < channels; c++) {
            for (int64_t t = 0; t < taps; t++)
                to[(m * taps + t) * channels + c] = from[(m * channels + c) * taps + t];
        }
    }
}

static ondol_status pack_groups(const cpu_device *d, const ondol_allocator *a, base_pool *pool,
                                const float *weights, conv_state *s, ondol_error *err) {
    const int64_t taps = s->kernel[0] * s->kernel[1];
    const uint64_t k = (uint64_t)(taps * s->in_channels), n = (uint64_t)s->out_channels;
    const uint64_t each = (cpu_gemm_packed_bytes(d, TENSOR_ENCODING_F32, k, n) + 63) / 64 * 64;
    float *turned = base_alloc(a, (size_t)(k * n), sizeof *turned);
    s->packed = base_calloc(a, (size_t)s->groups, sizeof *s->packed);
    s->memory = base_alloc_aligned(a, (size_t)(each * (uint64_t)s->groups), 64);
    const bool fine = turned && s->packed && s->memory;
    for (int64_t i = 0; fine && i < s->groups; i++) {
        turn_weights(weights + (uint64_t)i * k * n, s->out_channels, s->in_channels, taps, turned);
        const cpu_matrix m = {TENSOR_ENCODING_F32, turned, k, n, 1, k};
        cpu_gemm_pack(d, pool, &m, (char *)s->memory + (uint64_t)i * each, s->packed + i);
    }
    base_free(a, turned);
    return fine ? ONDOL_OK : base_no_memory(err, "convolution", each * (uint64_t)s->groups);
}

ondol_status cpu_prepare_conv(const plan_device *d, const ondol_allocator *a, const graph *g,
                              graph_node_id n, base_pool *pool, void **out, ondol_error *err) {
    const graph_value *w = g->values + g->nodes[n].inputs[1];
    const int64_t groups = graph_get_int(g, n, "group"), *dims = w->shape.dims;
    const bool flat = w->shape.rank == 3;
    const int64_t kernel[2] = {flat ? 1 : dims[2], flat ? dims[2] : dims[3]};
    if (groups < 1 || dims[0] < 1 || dims[0] % groups || dims[1] < 1 || kernel[0] < 1 ||
        kernel[1] < 1) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "node '%s' (Conv): weights [%" PRId64 ", %" PRId64 ", ...] in %" PRId64
                         " groups",
                         g->nodes[n].name, dims[0], dims[1], groups);
    }
    conv_state *s = base_calloc(a, 1, sizeof *s);
    if (!s) return base_no_memory(err, "convolution", sizeof *s);
    *out = s;
    *s = (conv_state){.kernel = {kernel[0], kernel[1]},
                      .groups = groups,
                      .in_channels = dims[1],
                      .out_channels = dims[0] / groups};
    if (g->nodes[n].op == GRAPH_OP_O_CONV && !conv_after_read(g, n, s)) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "node '%s' (Conv): no activation '%s'",
                         g->nodes[n].name, graph_get_string(g, n, "activation"));
    }
    if (s->in_channels != 1 || s->out_channels != 1 || groups == 1) {
        return pack_groups(cpu_device_of(d), a, pool, w->data, s, err);
    }
    const int64_t taps = kernel[0] * kernel[1];
    s->taps = base_alloc(a, (size_t)(taps * groups), sizeof *s->taps);
    if (!s->taps) return base_no_memory(err, "convolution", (uint64_t)(taps * groups) * 4);
    for (int64_t c = 0; c < groups; c++) {
        for (int64_t t = 0; t < taps; t++)
            s->taps[t * groups + c] = ((const float *)w->data)[c * taps + t];
    }
    return ONDOL_OK;
}

void cpu_release_conv(const ondol_allocator *a, void *state) {
    conv_state *s = state;
    if (!s) return;
    base_free(a, s->packed);
    base_free(a, s->memory);
    base_free(a, s->taps);
    base_free(a, s);
}

/* Units that share weights follow each other: these stay in the second cache. */
static void conv_unit(uint32_t unit, unsigned thread, void *argument) {
    const conv_job *j = argument;
    const int64_t places = j->images * j->units_each * j->parts;
    const int64_t slab = unit / places, place = unit % places;
    const int64_t part = place % j->parts, block = place / j->parts;
    const int64_t image = block / j->units_each, first = block % j->units_each * j->each;
    const int64_t left = (j->direct ? j->pixels : j->w.out[0]) - first;
    const uint64_t panels = j->s->taps ? 0 : (j->s->packed->n + PANEL_ROWS - 1) / PANEL_ROWS;
    const uint64_t slabs = (uint64_t)j->slabs;
    const float *x = j->x + image * j->w.in[0] * j->w.in[1] * j->x_channels;
    float *y = j->y + image * j->pixels * j->y_channels;
    const conv_area area = {.first = first,
                            .count = left < j->each ? left : j->each,
                            .left = j->w.out[1] * part / j->parts,
                            .right = j->w.out[1] * (part + 1) / j->parts,
                            .panel = panels * (uint64_t)slab / slabs,
                            .end_panel = panels * ((uint64_t)slab + 1) / slabs};
    if (j->direct)
        conv_pixels_run(j, x, y, &area);
    else
        conv_rows_run(j, x, y, &area, j->work + thread * j->work_bytes);
}

static ondol_status read_bias(const plan_call *c, int64_t channels, const float **out,
                              ondol_error *err) {
    tensor_value *b = NULL;
    *out = NULL;
    if (!plan_call_input(c, 2)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, 2, TENSOR_ELEMENT_F32, &b, err);
    if (status != ONDOL_OK) return status;
    if (b->elems != (uint64_t)channels) {
        return plan_call_fail(c, err, "%" PRIu64 " biases for %" PRId64 " channels", b->elems,
                              channels);
    }
    *out = b->data;
    return ONDOL_OK;
}

/* Products to a unit at least. */
#define UNIT_PRODUCTS ((int64_t)1 << 17)
#define UNIT_PIXELS   ((int64_t)128)
#define PART_PIXELS   ((int64_t)32)
/* Weights of a unit: they, and the pixels that pass, stay in the second cache. */
#define SLAB_BYTES    ((int64_t)384 << 10)

/* Weights that the second cache does not hold are cut into slabs of panels, as many for each
 * thread. */
static void cut_slabs(conv_job *j, unsigned threads) {
    const conv_state *s = j->s;
    j->slabs = 1;
    if (s->taps || s->groups > 1) return;
    const int64_t panels = (s->out_channels + PANEL_ROWS - 1) / PANEL_ROWS;
    const int64_t bytes = (int64_t)s->packed->k * panels * PANEL_ROWS * (int64_t)sizeof(float);
    const int64_t slabs = (bytes + SLAB_BYTES - 1) / SLAB_BYTES;
    if (slabs < 2) return;
    j->slabs = (slabs + threads - 1) / threads * threads;
    if (j->slabs > panels) j->slabs = panels;
}

/* Pixels, or output rows, that are a unit: each shares one pass over the weights, and each thread
 * gets some. */
static void cut_units(conv_job *j, unsigned threads) {
    const conv_state *s = j->s;
    const int64_t images = j->images;
    cut_slabs(j, threads);
    const int64_t k = s->kernel[0] * s->kernel[1] * s->in_channels;
    const int64_t worth = UNIT_PRODUCTS / (k * j->y_channels) + 1;
    const int64_t share = (images * j->pixels / (4 * (int64_t)threads) + 7) / 8 * 8;
    j->each = UNIT_PIXELS < share ? UNIT_PIXELS : share;
    if (s->taps || j->each < worth) j->each = worth;
    if (j->each < 8) j->each = 8;
    int64_t items = j->pixels;
    if (!j->direct) {
        const int64_t width = j->w.out[1];
        j->each = (j->each + width - 1) / width;
        /* The edges of some rows go together; threads come first. */
        const int64_t fair = images * j->w.out[0] / (4 * (int64_t)threads);
        if (j->each < 4) j->each = fair < 4 ? (fair > j->each ? fair : j->each) : 4;
        items = j->w.out[0];
    }
    j->units_each = (items + j->each - 1) / j->each;
    j->parts = 1;
    const int64_t wanted = 4 * (int64_t)threads, have = images * j->units_each * j->slabs;
    if (j->direct || have >= wanted) return;
    /* Too few rows for all threads: each is cut, as far as a part is worth its pass over the
     * weights. */
    const int64_t most = j->w.out[1] / PART_PIXELS;
    j->parts = (wanted + have - 1) / have;
    if (j->parts > most) j->parts = most > 1 ? most : 1;
}

#define GATHER_BELOW 16

/* A column of pixels is a row of them, with channels last. */
static void turn_column(cpu_window *w) {
    int64_t *const pairs[] = {w->kernel, w->stride, w->dilation, w->before,
                              w->after,  w->in,     w->out};
    if (w->in[1] != 1 || w->kernel[1] != 1 || w->out[1] != 1) return;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const int64_t first = pairs[i][0];
        pairs[i][0] = pairs[i][1];
        pairs[i][1] = first;
    }
}

/* Columns of the output whose windows lie in the image from left to right. */
static void find_inside(conv_job *j) {
    const cpu_window *w = &j->w;
    const int64_t reach = (w->kernel[1] - 1) * w->dilation[1], stride = w->stride[1];
    const int64_t last = w->in[1] - 1 - reach + w->before[1];
    int64_t first = (w->before[1] + stride - 1) / stride;
    int64_t end = last < 0 ? 0 : last / stride + 1;
    if (end > w->out[1]) end = w->out[1];
    /* Few pixels to a row: gathered windows share a pass over the weights with those of other rows.
     */
    if (first > end || (!j->s->taps && end - first < GATHER_BELOW)) first = end = 0;
    j->inside[0] = first;
    j->inside[1] = end;
}

static ondol_status run_units(plan_call *c, conv_job *j, ondol_error *err) {
    const conv_state *s = j->s;
    const int64_t images = j->images;
    const unsigned threads = c->pool ? base_pool_thread_count(c->pool) : 1;
    void *work = NULL;
    ondol_status status = ONDOL_OK;
    if (j->pixels == 1 && images == 1 && j->direct && s->groups == 1) {
        /* A product with one row: cut along the channels. */
        const cpu_gemm_call call = {
            s->packed, j->x, (size_t)j->x_channels, 1, j->y, (size_t)j->y_channels, j->bias};
        cpu_gemm_run(c->pool, &call);
        conv_after_run(j, j->y, 1, 0, j->y_channels);
        return ONDOL_OK;
    }
    turn_column(&j->w);
    find_inside(j);
    cut_units(j, threads);
    const int64_t units = j->units_each * images * j->parts * j->slabs;
    if (units > BASE_POOL_UNITS_MAX) {
        return plan_call_fail(c, err, "an output of %" PRId64 " pixels", j->pixels * images);
    }
    if (!j->direct) {
        j->work_bytes = conv_rows_work_bytes(j, j->each);
        status = tensor_heap_alloc(c->heap, j->work_bytes * threads, "convolution", &work, err);
        if (status != ONDOL_OK) return status;
        j->work = work;
    }
    plan_call_parallel(c, (uint32_t)units, conv_unit, j);
    tensor_heap_free(c->heap, work);
    return ONDOL_OK;
}

/* Scale or shift: one number, or one for each channel. */
static ondol_status read_after(const plan_call *c, uint32_t input, int64_t channels,
                               const float **out, uint64_t *elements, ondol_error *err) {
    tensor_value *v = NULL;
    if (!plan_call_input(c, input)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, input, TENSOR_ELEMENT_F32, &v, err);
    if (status != ONDOL_OK) return status;
    if (v->elems != 1 && v->elems != (uint64_t)channels) {
        return plan_call_fail(c, err, "%" PRIu64 " numbers for %" PRId64 " channels", v->elems,
                              channels);
    }
    *out = v->data;
    *elements = v->elems;
    return ONDOL_OK;
}

ondol_status cpu_run_conv(plan_call *c, ondol_error *err) {
    const conv_state *s = c->state;
    tensor_value *given = NULL, *x = NULL, *y = NULL;
    const base_isa isa = cpu_device_of(c->device)->isa;
    conv_job j = {.s = s,
                  .rows = cpu_rows_select(isa),
                  .multiply = cpu_matmul_segments_select(isa),
                  .after = {s->then, s->alpha, s->beta, NULL, NULL, 0, 0}};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &given, err));
    const uint32_t rank = c->g->values[c->g->nodes[c->node].inputs[1]].shape.rank;
    if (given->rank != rank || given->dims[1] != s->in_channels * s->groups) {
        return plan_call_fail(
            c, err,
            "X has rank %" PRIu32 " and %" PRId64 " channels, expected %" PRIu32 " and %" PRId64,
            given->rank, given->rank > 1 ? given->dims[1] : 0, rank, s->in_channels * s->groups);
    }
    TRY(cpu_window_read(c, given, s->kernel, &j.w, err));
    j.x_channels = s->in_channels * s->groups;
    j.y_channels = s->out_channels * s->groups;
    TRY(read_bias(c, j.y_channels, &j.bias, err));
    TRY(read_after(c, 3, j.y_channels, &j.after.scale, &j.after.scale_elements, err));
    TRY(read_after(c, 4, j.y_channels, &j.after.shift, &j.after.shift_elements, err));
    TRY(tensor_value_channels_last(given, c->pool, &x, err));
    TRY(cpu_window_output(c, 0, x, j.y_channels, &j.w, &y, err));
    j.x = x->data;
    j.y = y->data;
    j.pixels = j.w.out[0] * j.w.out[1];
    const cpu_window *w = &j.w;
    j.direct = !s->taps && s->kernel[0] * s->kernel[1] == 1 && w->stride[0] == 1 &&
               w->stride[1] == 1 && w->before[0] + w->before[1] + w->after[0] + w->after[1] == 0;
    j.images = x->dims[0];
    if (y->elems) TRY(run_units(c, &j, err));
done:
    tensor_value_release(x);
    return status;
}
