/* ConvTranspose. In: X, W, B. Out: Y with channels last. With stride s the output falls into s * s
 * phases; in each, a pixel is a convolution of the input with those taps of the kernel that meet
 * it, so that nothing is added twice from two sides. Where the kernel is as wide as the stride,
 * each input pixel makes a run of the output row: phases side by side are channels of one. */
#include <inttypes.h>
#include <string.h>

#include "device/cpu/ops/cpu_conv.h"
#include "device/cpu/ops/cpu_gemm.h"

#define MAX_PHASES 64

/* Output places phase + stride * j, from input places j + offset of each tap. */
typedef struct phase {
    int64_t taps;          /* ky * kernel width + kx of each is not kept: offsets are */
    int64_t (*offsets)[2]; /* [taps] y, x */
    cpu_packed *packed;    /* [groups]: K = taps * channels of a group */
    void *memory;
} phase;

typedef struct transpose_state {
    int64_t kernel[2], stride[2], dilation[2], before[2], after[2], extra[2];
    int64_t groups, in_channels, out_channels; /* of a group */
    bool abreast; /* one phase for all columns, with stride[1] * out_channels channels */
    uint32_t rank, phase_count;
    phase phases[MAX_PHASES];
} transpose_state;

/* A list of `count` numbers, or none. */
static bool has_count(const graph *g, graph_node_id n, const char *name, uint32_t count) {
    const graph_attribute *a = graph_get_attribute(g, n, name);
    return !a || a->int_count == count;
}

/* The lists are as long as the weights ask for; ref tells of those that are not. */
static bool is_as_stated(const graph *g, graph_node_id n, const graph_shape *w) {
    const graph_attribute *kernel = graph_get_attribute(g, n, "kernel_shape");
    const graph_attribute *pads = graph_get_attribute(g, n, "pads");
    const uint32_t spatial = w->rank - 2;
    if (!has_count(g, n, "kernel_shape", spatial) || !has_count(g, n, "strides", spatial) ||
        !has_count(g, n, "dilations", spatial) || !has_count(g, n, "output_padding", spatial) ||
        !has_count(g, n, "pads", 2 * spatial)) {
        return false;
    }
    for (uint32_t i = 0; kernel && i < spatial; i++)
        if (kernel->ints[i] != w->dims[2 + i]) return false;
    for (uint32_t i = 0; pads && i < 2 * spatial; i++)
        if (pads->ints[i] < 0) return false;
    return true;
}

bool cpu_accepts_conv_transpose(const graph *g, graph_node_id n, base_buffer *why) {
    const graph_node *node = g->nodes + n;
    const graph_value *x = g->values + node->inputs[0], *w = g->values + node->inputs[1];
    const graph_attribute *strides = graph_get_attribute(g, n, "strides");
    int64_t phases = 1;
    for (uint32_t i = 0; strides && i < strides->int_count; i++)
        phases = strides->ints[i] > 0 && strides->ints[i] < MAX_PHASES ? phases * strides->ints[i]
                                                                       : MAX_PHASES + 1;
    const bool plain = strcmp(graph_get_string(g, n, "auto_pad"), "NOTSET") == 0 &&
                       !graph_get_attribute(g, n, "output_shape") && phases <= MAX_PHASES;
    if (plain && x->element == TENSOR_ELEMENT_F32 && w->kind == GRAPH_VALUE_INITIALIZER &&
        (w->shape.rank == 3 || w->shape.rank == 4) && is_as_stated(g, n, &w->shape)) {
        return true;
    }
    if (why) {
        base_buffer_append_text(why, "it takes float32, constant weights of rank 3 or 4, and pads "
                                     "that are given");
    }
    return false;
}

/* Lists of the node, for both dimensions; of a flat one the first is `otherwise`. */
static void read_list(const graph *g, graph_node_id n, const char *name, uint32_t spatial,
                      uint32_t from, int64_t otherwise, int64_t out[2]) {
    const graph_attribute *a = graph_get_attribute(g, n, name);
    out[0] = out[1] = otherwise;
    for (uint32_t i = 0; a && i < spatial; i++)
        if (from + i < a->int_count) out[2 - spatial + i] = a->ints[from + i];
}

static bool in_range(const transpose_state *s) {
    for (int i = 0; i < 2; i++) {
        const int64_t most = (int64_t)1 << 20;
        if (s->kernel[i] < 1 || s->kernel[i] > most || s->stride[i] < 1 || s->stride[i] > most ||
            s->dilation[i] < 1 || s->dilation[i] > most || s->before[i] < -most ||
            s->before[i] > most || s->after[i] < -most || s->after[i] > most || s->extra[i] < 0 ||
            s->extra[i] > most) {
            return false;
        }
    }
    return true;
}

/* Whether tap k reaches output places of the phase, and from which input offset. */
static bool reaches(const transpose_state *s, int i, int64_t phase_at, int64_t k, int64_t *offset) {
    const int64_t distance = phase_at + s->before[i] - k * s->dilation[i];
    *offset = distance / s->stride[i];
    return distance % s->stride[i] == 0;
}

static void list_taps(const transpose_state *s, int64_t py, int64_t px, phase *p, int64_t *places) {
    p->taps = 0;
    for (int64_t ky = 0; ky < s->kernel[0]; ky++) {
        for (int64_t kx = 0; kx < s->kernel[1]; kx++) {
            int64_t y = 0, x = 0;
            if (!reaches(s, 0, py, ky, &y) || !reaches(s, 1, px, kx, &x)) continue;
            p->offsets[p->taps][0] = y;
            p->offsets[p->taps][1] = x;
            places[p->taps++] = ky * s->kernel[1] + kx;
        }
    }
}

/* Phases side by side. */
static int64_t abreast_of(const transpose_state *s) {
    return s->abreast ? s->stride[1] : 1;
}

/* W [C][M / group][kernel] -> for each output channel of the group [taps][C / group]; abreast: for
 * each column of the kernel first. */
static void turn_weights(const transpose_state *s, const float *w, int64_t group, const phase *p,
                         const int64_t *places, float *to) {
    const int64_t kernel = s->kernel[0] * s->kernel[1], m_count = s->out_channels;
    for (int64_t i = 0; i < m_count * abreast_of(s); i++) {
        const int64_t m = i % m_count, column = i / m_count;
        for (int64_t t = 0; t < p->taps; t++) {
            for (int64_t c = 0; c < s->in_channels; c++)
                *to++ =
                    w[((group * s->in_channels + c) * m_count + m) * kernel + places[t] + column];
        }
    }
}

static ondol_status pack_phase(const cpu_device *d, const ondol_allocator *a, base_pool *pool,
                               const transpose_state *s, const float *w, int64_t py, int64_t px,
                               phase *p, ondol_error *err) {
    const size_t kernel = (size_t)(s->kernel[0] * s->kernel[1]);
    int64_t *places = base_alloc(a, kernel, sizeof *places);
    float *turned = NULL;
    bool fine = places != NULL;
    p->offsets = base_alloc(a, kernel, sizeof *p->offsets);
    p->packed = base_calloc(a, (size_t)s->groups, sizeof *p->packed);
    fine = fine && p->offsets && p->packed;
    if (fine) list_taps(s, py, px, p, places);
    if (fine && p->taps) {
        const uint64_t k = (uint64_t)(p->taps * s->in_channels);
        const uint64_t n = (uint64_t)(s->out_channels * abreast_of(s));
        const uint64_t each = (cpu_gemm_packed_bytes(d, TENSOR_ENCODING_F32, k, n) + 63) / 64 * 64;
        turned = base_alloc(a, (size_t)(k * n), sizeof *turned);
        p->memory = base_alloc_aligned(a, (size_t)(each * (uint64_t)s->groups), 64);
        fine = turned && p->memory;
        for (int64_t i = 0; fine && i < s->groups; i++) {
            turn_weights(s, w, i, p, places, turned);
            const cpu_matrix m = {TENSOR_ENCODING_F32, turned, k, n, 1, k};
            cpu_gemm_pack(d, pool, &m, (char *)p->memory + (uint64_t)i * each, p->packed + i);
        }
    }
    base_free(a, turned);
    base_free(a, places);
    return fine ? ONDOL_OK : base_no_memory(err, "convolution", kernel);
}

ondol_status cpu_prepare_conv_transpose(const plan_device *d, const ondol_allocator *a,
                                        const graph *g, graph_node_id n, base_pool *pool,
                                        void **out, ondol_error *err) {
    const graph_value *w = g->values + g->nodes[n].inputs[1];
    const uint32_t spatial = w->shape.rank - 2;
    const int64_t *dims = w->shape.dims, groups = graph_get_int(g, n, "group");
    transpose_state *s = base_calloc(a, 1, sizeof *s);
    if (!s) return base_no_memory(err, "convolution", sizeof *s);
    *out = s;
    s->rank = w->shape.rank;
    s->kernel[0] = spatial == 2 ? dims[2] : 1;
    s->kernel[1] = dims[w->shape.rank - 1];
    read_list(g, n, "strides", spatial, 0, 1, s->stride);
    read_list(g, n, "dilations", spatial, 0, 1, s->dilation);
    read_list(g, n, "pads", spatial, 0, 0, s->before);
    read_list(g, n, "pads", spatial, spatial, 0, s->after);
    read_list(g, n, "output_padding", spatial, 0, 0, s->extra);
    s->groups = groups;
    if (groups < 1 || dims[0] < 1 || dims[0] % groups || dims[1] < 1 || !in_range(s)) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "node '%s' (ConvTranspose): weights [%" PRId64 ", %" PRId64
                         ", ...] in %" PRId64 " groups, or sizes out of range",
                         g->nodes[n].name, dims[0], dims[1], groups);
    }
    s->in_channels = dims[0] / groups;
    s->out_channels = dims[1];
    s->abreast = groups == 1 && s->kernel[1] == s->stride[1] && s->dilation[1] == 1 &&
                 !s->before[1] && !s->after[1] && !s->extra[1];
    ondol_status status = ONDOL_OK;
    for (int64_t py = 0; py < s->stride[0]; py++) {
        for (int64_t px = 0; px < (s->abreast ? 1 : s->stride[1]); px++) {
            phase *p = s->phases + s->phase_count++;
            TRY(pack_phase(cpu_device_of(d), a, pool, s, w->data, py, px, p, err));
        }
    }
done:
    return status;
}

void cpu_release_conv_transpose(const ondol_allocator *a, void *state) {
    transpose_state *s = state;
    if (!s) return;
    for (uint32_t i = 0; i < s->phase_count; i++) {
        base_free(a, s->phases[i].offsets);
        base_free(a, s->phases[i].packed);
        base_free(a, s->phases[i].memory);
    }
    base_free(a, s);
}

typedef struct transpose_job {
    const transpose_state *s;
    const float *x, *bias;
    float *y;
    int64_t in[2], out[2], x_channels, y_channels;
    unsigned char *work;
    uint64_t work_bytes;
} transpose_job;

/* Windows of `count` pixels in one phase, one after the other. */
static void gather(const transpose_job *j, const phase *p, const float *image, int64_t at,
                   int64_t count, int64_t group, float *to) {
    const transpose_state *s = j->s;
    const size_t channels = (size_t)s->in_channels;
    for (int64_t i = 0; i < count; i++) {
        for (int64_t t = 0; t < p->taps; t++, to += channels) {
            const int64_t y = at + p->offsets[t][0], x = i + p->offsets[t][1];
            if (y < 0 || y >= j->in[0] || x < 0 || x >= j->in[1])
                memset(to, 0, channels * sizeof *to);
            else
                memcpy(to, image + (y * j->in[1] + x) * j->x_channels + group * s->in_channels,
                       channels * sizeof *to);
        }
    }
}

/* A window of one tap that meets all `count` pixels: they are read where they lie. */
static bool lies_there(const transpose_job *j, const phase *p, int64_t at, int64_t count) {
    if (p->taps != 1) return false;
    const int64_t y = at + p->offsets[0][0], x = p->offsets[0][1];
    return y >= 0 && y < j->in[0] && x >= 0 && x + count <= j->in[1];
}

/* Pixels of one output row in one phase. */
static void run_row(const transpose_job *j, const phase *p, const float *image, float *row,
                    int64_t at, int64_t px, float *windows) {
    const transpose_state *s = j->s;
    const int64_t count = (j->out[1] - px + s->stride[1] - 1) / s->stride[1];
    const size_t k = (size_t)(p->taps * s->in_channels);
    for (int64_t g = 0; g < s->groups && count > 0; g++) {
        const bool there = lies_there(j, p, at, count);
        const int64_t pixel = there ? (at + p->offsets[0][0]) * j->in[1] + p->offsets[0][1] : 0;
        if (!there) gather(j, p, image, at, count, g, windows);
        const int64_t channel = g * s->out_channels;
        const cpu_gemm_call call = {p->packed + g,
                                    there ? image + pixel * j->x_channels + g * s->in_channels
                                          : windows,
                                    there ? (size_t)j->x_channels : k,
                                    (uint64_t)count,
                                    row + px * j->y_channels + channel,
                                    (size_t)(s->stride[1] * j->y_channels),
                                    j->bias ? j->bias + channel : NULL};
        cpu_gemm_run_here(&call);
    }
}

/* Pixels that no tap reaches. */
static void fill_row(const transpose_job *j, float *row, int64_t px) {
    const size_t channels = (size_t)j->y_channels;
    for (int64_t i = px; i < j->out[1]; i += j->s->stride[1]) {
        float *to = row + (size_t)i * channels;
        if (j->bias)
            memcpy(to, j->bias, channels * sizeof *to);
        else
            memset(to, 0, channels * sizeof *to);
    }
}

static void transpose_unit(uint32_t unit, unsigned thread, void *argument) {
    const transpose_job *j = argument;
    const transpose_state *s = j->s;
    const int64_t image = unit / j->out[0], oy = unit % j->out[0];
    const float *x = j->x + image * j->in[0] * j->in[1] * j->x_channels;
    float *row = j->y + (image * j->out[0] + oy) * j->out[1] * j->y_channels;
    float *windows = (float *)(void *)(j->work + thread * j->work_bytes);
    const int64_t columns = s->abreast ? 1 : s->stride[1];
    for (int64_t px = 0; px < columns; px++) {
        const phase *p = s->phases + oy % s->stride[0] * columns + px;
        if (p->taps)
            run_row(j, p, x, row, oy / s->stride[0], px, windows);
        else
            for (int64_t i = px; i < px + abreast_of(s); i++)
                fill_row(j, row, i);
    }
}

static ondol_status find_sizes(const plan_call *c, const transpose_state *s, const tensor_value *x,
                               transpose_job *j, ondol_error *err) {
    for (uint32_t i = 0; i < 2; i++) {
        const bool given = i + s->rank >= 4;
        j->in[i] = given ? x->dims[i + s->rank - 2] : 1;
        j->out[i] = s->stride[i] * (j->in[i] - 1) + s->extra[i] +
                    (s->kernel[i] - 1) * s->dilation[i] + 1 - s->before[i] - s->after[i];
        if (j->in[i] > (int64_t)1 << 31 || j->in[i] < 1 || j->out[i] < 1) {
            return plan_call_fail(c, err, "an input of %" PRId64 " gives an output of %" PRId64,
                                  j->in[i], j->out[i]);
        }
    }
    return ONDOL_OK;
}

/* The bias once for each of the phases that are abreast. */
static ondol_status repeat_bias(const plan_call *c, transpose_job *j, void **memory,
                                ondol_error *err) {
    const size_t bytes = (size_t)j->y_channels * sizeof *j->bias;
    const size_t count = (size_t)abreast_of(j->s);
    ondol_status status = tensor_heap_alloc(c->heap, count * bytes, "biases", memory, err);
    if (status != ONDOL_OK) return status;
    for (size_t i = 0; i < count; i++)
        memcpy((char *)*memory + i * bytes, j->bias, bytes);
    j->bias = *memory;
    return ONDOL_OK;
}

ondol_status cpu_run_conv_transpose(plan_call *c, ondol_error *err) {
    const transpose_state *s = c->state;
    tensor_value *given = NULL, *x = NULL, *y = NULL, *b = NULL;
    transpose_job j = {.s = s};
    void *work = NULL, *bias = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &given, err));
    j.x_channels = s->in_channels * s->groups;
    j.y_channels = s->out_channels * s->groups;
    if (given->rank != s->rank || given->dims[1] != j.x_channels) {
        return plan_call_fail(c, err, "X does not fit weights for %" PRId64 " channels",
                              j.x_channels);
    }
    TRY(find_sizes(c, s, given, &j, err));
    if (plan_call_input(c, 2)) {
        TRY(plan_call_typed(c, 2, TENSOR_ELEMENT_F32, &b, err));
        if (b->elems != (uint64_t)j.y_channels) {
            return plan_call_fail(c, err, "%" PRIu64 " biases for %" PRId64 " channels", b->elems,
                                  j.y_channels);
        }
        j.bias = b->data;
        if (s->abreast) TRY(repeat_bias(c, &j, &bias, err));
    }
    const cpu_window w = {.out = {j.out[0], j.out[1]}};
    TRY(tensor_value_channels_last(given, c->pool, &x, err));
    TRY(cpu_window_output(c, 0, x, j.y_channels, &w, &y, err));
    j.x = x->data;
    j.y = y->data;
    const uint64_t row = (uint64_t)((j.out[1] + s->stride[1] - 1) / s->stride[1]);
    const uint64_t taps = (uint64_t)(s->kernel[0] * s->kernel[1]);
    const unsigned threads = c->pool ? base_pool_thread_count(c->pool) : 1;
    j.work_bytes = (row * taps * (uint64_t)s->in_channels * sizeof(float) + 127) / 64 * 64;
    if (x->dims[0] * j.out[0] > BASE_POOL_UNITS_MAX) {
        status = plan_call_fail(c, err, "an output of %" PRId64 " rows", x->dims[0] * j.out[0]);
        goto done;
    }
    TRY(tensor_heap_alloc(c->heap, j.work_bytes * threads, "convolution", &work, err));
    j.work = work;
    if (y->elems) plan_call_parallel(c, (uint32_t)(x->dims[0] * j.out[0]), transpose_unit, &j);
done:
    tensor_heap_free(c->heap, work);
    tensor_heap_free(c->heap, bias);
    tensor_value_release(x);
    return status;
}
