/* ConvInteger, QLinearConv. In: codes X, constant codes W, scales, zero points, a bias. Out: sums
 * or codes with channels last. A unit is a run of output pixels: their windows are gathered into
 * rows and multiplied with the packed weights; padding is the code of 0. Where each channel is its
 * own group, taps are added up channel by channel. */
#include <inttypes.h>
#include <string.h>

#include "device/cpu/ops/cpu_conv.h"
#include "device/cpu/ops/cpu_int8_gemm.h"
#include "device/cpu/ops/cpu_int8_ops.h"
#include "graph/ops.h"

#define NONE UINT32_MAX

/* Which inputs an operator has. */
typedef struct roles {
    uint32_t x_zero, w, w_zero, x_scale, w_scale, y_scale, y_zero, bias;
} roles;

static roles roles_of(graph_op op) {
    return op == GRAPH_OP_QLINEAR_CONV ? (roles){2, 3, 5, 1, 4, 6, 7, 8}
                                       : (roles){2, 1, 3, NONE, NONE, NONE, NONE, NONE};
}

typedef struct conv_state {
    int64_t kernel[2];
    int64_t groups, in_channels, out_channels; /* of a group */
    cpu_int8_packed *packed;                   /* [groups]; NULL: depthwise */
    void *memory;
    int16_t *taps; /* depthwise: [kernel][channels], less their zero points */
} conv_state;

/* ------------------------------------------------------------------------- acceptance, packing */

static bool is_list(const graph *g, graph_node_id n, uint32_t i) {
    const graph_value *v = cpu_int8_value(g, n, i);
    return !v || v->shape.rank <= 1;
}

bool cpu_accepts_int8_conv(const graph *g, graph_node_id n, base_buffer *why) {
    const roles r = roles_of(g->nodes[n].op);
    const graph_value *w = cpu_int8_value(g, n, r.w), *w_zero = cpu_int8_value(g, n, r.w_zero);
    bool fine = cpu_int8_are(cpu_int8_value(g, n, 0)) && cpu_int8_are(w) &&
                cpu_int8_is_constant(w) && (w->shape.rank == 3 || w->shape.rank == 4) &&
                (!w_zero || (cpu_int8_is_constant(w_zero) && w_zero->element == w->element)) &&
                is_list(g, n, r.w_zero) && is_list(g, n, r.w_scale);
    fine = fine && cpu_int8_is_one(g, n, r.x_zero) && cpu_int8_is_one(g, n, r.x_scale) &&
           cpu_int8_is_one(g, n, r.y_scale) && cpu_int8_is_one(g, n, r.y_zero);
    int64_t k = 1;
    for (uint32_t i = 1; fine && i < w->shape.rank; i++)
        fine = w->shape.dims[i] > 0 && (k *= w->shape.dims[i]) <= CPU_INT8_LONGEST;
    if (r.y_zero != NONE) fine = fine && cpu_int8_are(cpu_int8_value(g, n, r.y_zero));
    if (!fine && why)
        base_buffer_append_text(why, "it takes 8-bit codes and constant weights of rank 3 or 4");
    return fine;
}

/* W [M][C][kernel] -> [M][kernel][C], the order of gathered windows. */
static void turn_weights(const uint8_t *from, int64_t count, int64_t channels, int64_t taps,
                         uint8_t *to) {
    for (int64_t m = 0; m < count; m++) {
        for (int64_t c = 0; c < channels; c++) {
            for (int64_t t = 0; t < taps; t++)
                to[(m * taps + t) * channels + c] = from[(m * channels + c) * taps + t];
        }
    }
}

/* The zero points of the weights: zero_count 0 (none), 1, or one for each filter. */
typedef struct weight_zeros {
    const uint8_t *codes;
    uint64_t count;
} weight_zeros;

static ondol_status pack_groups(const ondol_allocator *a, const graph_value *w,
                                const weight_zeros *zeros, conv_state *s, ondol_error *err) {
    const int64_t taps = s->kernel[0] * s->kernel[1];
    const uint64_t k = (uint64_t)(taps * s->in_channels), n = (uint64_t)s->out_channels;
    const uint64_t groups = (uint64_t)s->groups;
    uint64_t each = 0;
    if (!cpu_int8_packed_bytes(k, n, &each) || each > SIZE_MAX / 2 / groups) {
        return base_no_memory(err, "convolution", each);
    }
    each = (each + 63) / 64 * 64;
    uint8_t *turned = base_alloc(a, (size_t)(k * n), 1);
    s->packed = base_calloc(a, (size_t)groups, sizeof *s->packed);
    s->memory = base_alloc_aligned(a, (size_t)(each * groups), 64);
    const bool fine = turned && s->packed && s->memory;
    for (uint64_t i = 0; fine && i < groups; i++) {
        const uint64_t own = zeros->count > 1 ? n : zeros->count;
        turn_weights((const uint8_t *)w->data + i * k * n, s->out_channels, s->in_channels, taps,
                     turned);
        cpu_int8_pack(turned, w->element == TENSOR_ELEMENT_I8, k, n, 1, k,
                      zeros->codes + (zeros->count > 1 ? i * n : 0), own,
                      (char *)s->memory + i * each, s->packed + i);
    }
    base_free(a, turned);
    return fine ? ONDOL_OK : base_no_memory(err, "convolution", each * groups);
}

static ondol_status take_taps(const ondol_allocator *a, const graph_value *w,
                              const weight_zeros *zeros, conv_state *s, ondol_error *err) {
    const int64_t taps = s->kernel[0] * s->kernel[1];
    const bool is_signed = w->element == TENSOR_ELEMENT_I8;
    s->taps = base_alloc(a, (size_t)(taps * s->groups), sizeof *s->taps);
    if (!s->taps) return base_no_memory(err, "convolution", (uint64_t)(taps * s->groups) * 2);
    for (int64_t c = 0; c < s->groups; c++) {
        const uint8_t zero = zeros->count ? zeros->codes[zeros->count > 1 ? c : 0] : 0;
        for (int64_t t = 0; t < taps; t++) {
            const uint8_t code = ((const uint8_t *)w->data)[c * taps + t];
            const int less = is_signed ? (int8_t)code - (int8_t)zero : code - zero;
            s->taps[t * s->groups + c] = (int16_t)less;
        }
    }
    return ONDOL_OK;
}

ondol_status cpu_prepare_int8_conv(const plan_device *d, const ondol_allocator *a, const graph *g,
                                   graph_node_id n, base_pool *pool, void **out, ondol_error *err) {
    const roles r = roles_of(g->nodes[n].op);
    const graph_value *w = cpu_int8_value(g, n, r.w), *zero = cpu_int8_value(g, n, r.w_zero);
    const int64_t groups = graph_get_int(g, n, "group"), *dims = w->shape.dims;
    const bool flat = w->shape.rank == 3;
    static const uint8_t nothing = 0;
    weight_zeros zeros = {&nothing, 0};
    (void)d, (void)pool;
    if (zero)
        zeros = (weight_zeros){zero->data, zero->shape.rank ? (uint64_t)zero->shape.dims[0] : 1};
    if (groups < 1 || dims[0] < 1 || dims[0] % groups ||
        (zeros.count > 1 && zeros.count != (uint64_t)dims[0]) || (zero && zeros.count == 0)) {
        return base_fail(
            err, ONDOL_E_FORMAT,
            "node '%s' (%s): %" PRId64 " filters in %" PRId64 " groups, %" PRIu64 " zero points",
            g->nodes[n].name, graph_op_info_of(g->nodes[n].op)->name, dims[0], groups, zeros.count);
    }
    conv_state *s = base_calloc(a, 1, sizeof *s);
    if (!s) return base_no_memory(err, "convolution", sizeof *s);
    *out = s;
    *s = (conv_state){.kernel = {flat ? 1 : dims[2], flat ? dims[2] : dims[3]},
                      .groups = groups,
                      .in_channels = dims[1],
                      .out_channels = dims[0] / groups};
    const bool is_depthwise = s->in_channels == 1 && s->out_channels == 1 && groups > 1;
    return is_depthwise ? take_taps(a, w, &zeros, s, err) : pack_groups(a, w, &zeros, s, err);
}

void cpu_release_int8_conv(const ondol_allocator *a, void *state) {
    conv_state *s = state;
    if (!s) return;
    base_free(a, s->packed);
    base_free(a, s->memory);
    base_free(a, s->taps);
    base_free(a, s);
}

/* ------------------------------------------------------------------------------------ one call */

typedef struct conv_job {
    const conv_state *s;
    const cpu_int8 *kernels;
    cpu_window w;
    const uint8_t *x; /* uint8, or moved by 128 */
    int32_t x_zero;   /* moved as x is */
    const int32_t *bias;
    float *factors;     /* [factor_count]; NULL: sums */
    size_t factor_step; /* 1, or 0 for one for all */
    int32_t y_zero, y_low;
    unsigned char *y;
    size_t y_bytes;                               /* of an element */
    int64_t x_channels, y_channels, pixels, each; /* pixels: of one image */
    int64_t units_each;                           /* units of one image */
    uint64_t row_bytes;                           /* of a gathered window */
    bool direct;
    unsigned char *work;
    uint64_t work_bytes;
} conv_job;

/* Where tap (ky, kx) of a pixel lies in the image; false: it is padding. */
static bool find_tap(const cpu_window *w, int64_t pixel, int64_t ky, int64_t kx, int64_t *at) {
    const int64_t y = pixel / w->out[1] * w->stride[0] - w->before[0] + ky * w->dilation[0];
    const int64_t x = pixel % w->out[1] * w->stride[1] - w->before[1] + kx * w->dilation[1];
    *at = y * w->in[1] + x;
    return y >= 0 && y < w->in[0] && x >= 0 && x < w->in[1];
}

/* The taps of one output pixel behind each other. */
static void gather(const conv_job *j, const uint8_t *image, int64_t pixel, int64_t channel,
                   uint8_t *to) {
    const size_t count = (size_t)j->s->in_channels;
    int64_t at = 0;
    for (int64_t ky = 0; ky < j->w.kernel[0]; ky++) {
        for (int64_t kx = 0; kx < j->w.kernel[1]; kx++, to += count) {
            if (find_tap(&j->w, pixel, ky, kx, &at))
                memcpy(to, image + at * j->x_channels + channel, count);
            else
                memset(to, j->x_zero, count);
        }
    }
}

static void run_pixels(const conv_job *j, const uint8_t *image, unsigned char *out, int64_t first,
                       int64_t count, uint8_t *windows) {
    const conv_state *s = j->s;
    for (int64_t g = 0; g < s->groups; g++) {
        const uint8_t *x = image + first * j->x_channels + g * s->in_channels;
        const int64_t channel = g * s->out_channels;
        if (!j->direct) {
            for (int64_t p = 0; p < count; p++)
                gather(j, image, first + p, g * s->in_channels,
                       windows + (uint64_t)p * j->row_bytes);
            x = windows;
        }
        const cpu_int8_gemm call = {
            .kernels = j->kernels,
            .b = s->packed + g,
            .a = x,
            .a_stride = j->direct ? (size_t)j->x_channels : (size_t)j->row_bytes,
            .rows = (uint64_t)count,
            .row_zeros = &j->x_zero,
            .result = j->factors ? CPU_INT8_CODES : CPU_INT8_SUMS,
            .y = out + (size_t)(first * j->y_channels + channel) * j->y_bytes,
            .y_stride = (size_t)j->y_channels,
            .scales = j->factors ? j->factors + (size_t)channel * j->factor_step : NULL,
            .scale_step = j->factor_step,
            .offset = j->bias ? j->bias + channel : NULL,
            .y_zero = j->y_zero,
            .y_low = j->y_low};
        cpu_int8_gemm_run_here(&call);
    }
}

#define TAPS_ONCE 32 /* that are added up in one call */

/* The taps [from, from + count) of a pixel that lie in the image: their codes and weights. */
static size_t list_taps(const conv_job *j, const uint8_t *image, int64_t pixel, int64_t from,
                        int64_t count, const uint8_t **x, const int16_t **w) {
    const size_t channels = (size_t)j->y_channels;
    size_t found = 0;
    int64_t at = 0;
    for (int64_t t = from; t < from + count; t++) {
        if (!find_tap(&j->w, pixel, t / j->w.kernel[1], t % j->w.kernel[1], &at)) continue;
        x[found] = image + (size_t)at * channels;
        w[found++] = j->s->taps + (size_t)t * channels;
    }
    return found;
}

/* The sums of one pixel; part: working memory like them. */
static void sum_taps(const conv_job *j, const uint8_t *image, int64_t pixel, int32_t *sums,
                     int32_t *part) {
    const int64_t all = j->w.kernel[0] * j->w.kernel[1];
    const size_t channels = (size_t)j->y_channels;
    const uint8_t *x[TAPS_ONCE];
    const int16_t *w[TAPS_ONCE];
    for (int64_t from = 0; from < all; from += TAPS_ONCE) {
        const int64_t count = all - from < TAPS_ONCE ? all - from : TAPS_ONCE;
        const size_t found = list_taps(j, image, pixel, from, count, x, w);
        j->kernels->add_taps(from ? part : sums, x, found, j->x_zero, w, channels);
        for (size_t i = 0; from && i < channels; i++)
            sums[i] = (int32_t)((uint32_t)sums[i] + (uint32_t)part[i]);
    }
}

static void run_depthwise(const conv_job *j, const uint8_t *image, unsigned char *out,
                          int64_t first, int64_t count, int32_t *sums) {
    const size_t channels = (size_t)j->y_channels;
    for (int64_t p = first; p < first + count; p++) {
        sum_taps(j, image, p, sums, sums + channels);
        unsigned char *to = out + (size_t)p * channels * j->y_bytes;
        if (j->factors)
            j->kernels->to_codes(to, sums, j->bias, j->factors, j->factor_step, j->y_zero, j->y_low,
                                 channels);
        else
            memcpy(to, sums, channels * sizeof *sums);
    }
}

static void conv_unit(uint32_t unit, unsigned thread, void *argument) {
    const conv_job *j = argument;
    const int64_t image = unit / j->units_each, first = unit % j->units_each * j->each;
    const int64_t left = j->pixels - first, count = left < j->each ? left : j->each;
    const uint8_t *x = j->x + image * j->w.in[0] * j->w.in[1] * j->x_channels;
    unsigned char *y = j->y + (size_t)(image * j->pixels * j->y_channels) * j->y_bytes;
    unsigned char *work = j->work + thread * j->work_bytes;
    if (j->s->taps)
        run_depthwise(j, x, y, first, count, (int32_t *)(void *)work);
    else
        run_pixels(j, x, y, first, count, work);
}

#define UNIT_PRODUCTS ((int64_t)1 << 19) /* to a unit at least */
#define UNIT_PIXELS   ((int64_t)192)

static ondol_status run_units(plan_call *c, conv_job *j, int64_t images, ondol_error *err) {
    const conv_state *s = j->s;
    const int64_t k = s->kernel[0] * s->kernel[1] * s->in_channels;
    const unsigned threads = c->pool ? base_pool_thread_count(c->pool) : 1;
    void *work = NULL;
    const int64_t worth = UNIT_PRODUCTS / (k * j->y_channels) + 1;
    const int64_t share = images * j->pixels / (4 * (int64_t)threads) + 1;
    j->each = UNIT_PIXELS < share ? UNIT_PIXELS : share;
    if (j->each < worth) j->each = worth;
    if (j->each > j->pixels) j->each = j->pixels;
    j->units_each = (j->pixels + j->each - 1) / j->each;
    if (j->units_each > BASE_POOL_UNITS_MAX / images) {
        return plan_call_fail(c, err, "an output of %" PRId64 " pixels", j->pixels);
    }
    j->row_bytes = ((uint64_t)k + CPU_INT8_DEPTH - 1) / CPU_INT8_DEPTH * CPU_INT8_DEPTH;
    const uint64_t windows = j->direct ? 0 : (uint64_t)j->each * j->row_bytes;
    const uint64_t bytes = s->taps ? (uint64_t)j->y_channels * 2 * sizeof(int32_t) : windows;
    j->work_bytes = (bytes + 64) / 64 * 64;
    ondol_status status =
        tensor_heap_alloc(c->heap, j->work_bytes * threads, "convolution", &work, err);
    if (status != ONDOL_OK) return status;
    memset(work, 0, (size_t)(j->work_bytes * threads)); /* what rows are filled up with */
    j->work = work;
    plan_call_parallel(c, (uint32_t)(j->units_each * images), conv_unit, j);
    tensor_heap_free(c->heap, work);
    return ONDOL_OK;
}

/* ------------------------------------------------------------------------------------- inputs */

static ondol_status read_float(const plan_call *c, uint32_t i, float *out, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = plan_call_typed(c, i, TENSOR_ELEMENT_F32, &v, err);
    if (status != ONDOL_OK) return status;
    if (v->elems != 1) return plan_call_fail(c, err, "%" PRIu64 " scales for one", v->elems);
    *out = *(const float *)v->data;
    return ONDOL_OK;
}

/* One code of input i, as uint8 or moved by 128. */
static ondol_status read_zero(const plan_call *c, uint32_t i, tensor_element e, uint8_t *out,
                              ondol_error *err) {
    tensor_value *v = NULL;
    *out = 0;
    if (plan_call_input(c, i)) {
        ondol_status status = plan_call_typed(c, i, e, &v, err);
        if (status != ONDOL_OK) return status;
        if (v->elems != 1) return plan_call_fail(c, err, "%" PRIu64 " zero points", v->elems);
        *out = *(const uint8_t *)v->data;
    }
    return ONDOL_OK;
}

/* x's scale * w's / y's, in float step by step; the bias; the result's zero point. */
static ondol_status read_result(plan_call *c, const roles *r, conv_job *j, tensor_element *e,
                                ondol_error *err) {
    tensor_value *scales = NULL, *zero = NULL, *bias = NULL;
    float x_scale = 1, y_scale = 1;
    void *factors = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_float(c, r->x_scale, &x_scale, err));
    TRY(read_float(c, r->y_scale, &y_scale, err));
    TRY(plan_call_typed(c, r->w_scale, TENSOR_ELEMENT_F32, &scales, err));
    TRY(plan_call_tensor(c, r->y_zero, &zero, err));
    if ((scales->elems != 1 && scales->elems != (uint64_t)j->y_channels) || zero->elems != 1 ||
        (zero->element != TENSOR_ELEMENT_I8 && zero->element != TENSOR_ELEMENT_U8)) {
        return plan_call_fail(
            c, err, "%" PRIu64 " scales and %" PRIu64 " zero points for %" PRId64 " filters",
            scales->elems, zero->elems, j->y_channels);
    }
    *e = zero->element;
    j->y_low = *e == TENSOR_ELEMENT_I8 ? -128 : 0;
    j->y_zero =
        *e == TENSOR_ELEMENT_I8 ? *(const int8_t *)zero->data : *(const uint8_t *)zero->data;
    if (plan_call_input(c, r->bias)) {
        TRY(plan_call_typed(c, r->bias, TENSOR_ELEMENT_I32, &bias, err));
        if (bias->rank != 1 || bias->dims[0] != j->y_channels) {
            return plan_call_fail(c, err, "%" PRIu64 " biases for %" PRId64 " filters", bias->elems,
                                  j->y_channels);
        }
        j->bias = bias->data;
    }
    TRY(tensor_heap_alloc(c->heap, scales->elems * sizeof(float), "factors", &factors, err));
    j->factors = factors;
    j->factor_step = scales->elems > 1;
    for (uint64_t i = 0; i < scales->elems; i++) {
        const float both = x_scale * ((const float *)scales->data)[i];
        j->factors[i] = both / y_scale;
    }
done:
    return status;
}

static ondol_status make_output(plan_call *c, conv_job *j, const tensor_value *x, tensor_element e,
                                tensor_value **y, ondol_error *err) {
    const int64_t four[4] = {x->dims[0], j->y_channels, j->w.out[0], j->w.out[1]};
    const int64_t three[3] = {x->dims[0], j->y_channels, j->w.out[1]};
    ondol_status status = plan_call_output(c, 0, e, x->rank, x->rank == 4 ? four : three, y, err);
    if (status == ONDOL_OK) (*y)->channels_last = true;
    return status;
}

ondol_status cpu_run_int8_conv(plan_call *c, ondol_error *err) {
    const roles r = roles_of(c->g->nodes[c->node].op);
    const conv_state *s = c->state;
    const uint32_t rank = c->g->values[c->g->nodes[c->node].inputs[r.w]].shape.rank;
    conv_job j = {.s = s, .kernels = cpu_int8_of(c->device), .y_bytes = 4};
    tensor_value *given = NULL, *x = NULL, *y = NULL;
    tensor_element e = TENSOR_ELEMENT_I32;
    void *owned = NULL;
    uint8_t zero = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &given, err));
    const bool is_signed = given->element == TENSOR_ELEMENT_I8;
    if ((!is_signed && given->element != TENSOR_ELEMENT_U8) || given->rank != rank ||
        given->dims[1] != s->in_channels * s->groups) {
        return plan_call_fail(c, err,
                              "X of type %s and rank %" PRIu32 " with %" PRId64 " channels,"
                              " expected codes of rank %" PRIu32 " with %" PRId64,
                              tensor_element_onnx_name(given->element), given->rank,
                              given->rank > 1 ? given->dims[1] : 0, rank,
                              s->in_channels * s->groups);
    }
    TRY(cpu_window_read(c, given, s->kernel, &j.w, err));
    j.x_channels = s->in_channels * s->groups;
    j.y_channels = s->out_channels * s->groups;
    TRY(read_zero(c, r.x_zero, given->element, &zero, err));
    j.x_zero = is_signed ? zero ^ 128 : zero;
    if (r.y_scale != NONE) TRY(read_result(c, &r, &j, &e, err));
    if (e != TENSOR_ELEMENT_I32) j.y_bytes = 1;
    TRY(tensor_value_channels_last(given, c->pool, &x, err));
    TRY(cpu_int8_left(c, x, (uint64_t)s->in_channels, &j.x, &owned, err));
    TRY(make_output(c, &j, x, e, &y, err));
    j.y = y->data;
    j.pixels = j.w.out[0] * j.w.out[1];
    const cpu_window *w = &j.w;
    j.direct = s->kernel[0] * s->kernel[1] == 1 && w->stride[0] == 1 && w->stride[1] == 1 &&
               w->before[0] + w->before[1] + w->after[0] + w->after[1] == 0;
    if (y->elems) TRY(run_units(c, &j, x->dims[0], err));
done:
    tensor_value_release(x);
    tensor_heap_free(c->heap, owned);
    tensor_heap_free(c->heap, j.factors);
    return status;
}
