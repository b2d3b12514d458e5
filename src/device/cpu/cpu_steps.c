/* Steps on threads: each operator's share of rows or columns. In: a step, its plan's memory. Out:
 * the kernel's results in the step's output. Which thread computes what changes no bit. */
#include "device/cpu/cpu_steps.h"

#include <math.h>
#include <string.h>

#include "device/host_buffer.h"

/* Columns of a share of a single row; shorter rows are not worth the wait for a second thread. */
#define COLUMN_GRAIN 256u

typedef struct rows_of {
    float *at;
    size_t stride;
    uint32_t rows, columns;
} rows_of;

static rows_of find(const cpu_context *c, uint32_t v) {
    const plan_value *value = c->p->values + v;
    return (rows_of){.at = host_value_address(c->p, v, c->binding),
                     .stride = value->row_stride,
                     .rows = plan_value_rows(c->p, v, c->binding->block),
                     .columns = value->columns};
}

void cpu_share(const cpu_context *c, uint64_t count, uint64_t grain, uint64_t *first,
               uint64_t *end) {
    const uint64_t blocks = (count + grain - 1) / grain;
    *first = blocks * c->thread / c->threads * grain;
    *end = blocks * (c->thread + 1) / c->threads * grain;
    if (*first > count) *first = count;
    if (*end > count) *end = count;
}

static void share_rows(const cpu_context *c, uint32_t rows, uint32_t *first, uint32_t *count) {
    uint64_t begin = 0, end = 0;
    cpu_share(c, rows, 1, &begin, &end);
    *first = (uint32_t)begin;
    *count = (uint32_t)(end - begin);
}

/* A rectangle: rows when there are enough of them, columns otherwise. */
typedef struct area {
    uint32_t row, rows, column, columns;
} area;

static area share_area(const cpu_context *c, const rows_of *x) {
    area a = {.rows = x->rows, .columns = x->columns};
    if (x->rows >= c->threads) {
        share_rows(c, x->rows, &a.row, &a.rows);
        return a;
    }
    uint64_t first = 0, end = 0;
    cpu_share(c, x->columns, COLUMN_GRAIN, &first, &end);
    a.column = (uint32_t)first;
    a.columns = (uint32_t)(end - first);
    return a;
}

static float *corner(const rows_of *x, const area *a) {
    return x->at + a->row * x->stride + a->column;
}

static void run_quantize(const cpu_context *c) {
    const rows_of x = find(c, c->step->in[0]);
    uint32_t first = 0, count = 0;
    share_rows(c, x.rows, &first, &count);
    if (!count) return;
    void *dst = host_value_address(c->p, c->step->out, c->binding);
    c->device->quantize(dst, x.at, x.stride, x.rows, first, first + count, x.columns);
}

static void run_embed(const cpu_context *c) {
    const plan_step *s = c->step;
    const cpu_weight *w = (const cpu_weight *)c->p->weights->items[c->p->values[s->in[1]].source];
    const rows_of y = find(c, s->out);
    const int32_t *ids = host_value_address(c->p, s->in[0], c->binding);
    uint64_t row_bytes = 0;
    if (!w->config) tensor_encoding_row_bytes(w->encoding, w->k, &row_bytes, NULL);
    uint32_t first = 0, count = 0;
    share_rows(c, y.rows, &first, &count);
    for (uint32_t r = first; r < first + count; r++) {
        float *dst = y.at + r * y.stride;
        if (w->config) {
            w->config->decode_row(w->encoding, w->packed, w->n, w->k, (uint64_t)ids[r], dst);
        } else {
            const char *row = (const char *)w->blocks + (uint64_t)ids[r] * row_bytes;
            tensor_decode(w->encoding, row, (size_t)w->k, dst);
        }
        for (uint32_t i = 0; s->scale != 1 && i < y.columns; i++)
            dst[i] *= s->scale;
    }
}

static void run_rotary_table(const cpu_context *c) {
    const plan_step *s = c->step;
    const rows_of y = find(c, s->out);
    const uint32_t half = y.columns / 2;
    const int32_t *positions = host_value_address(c->p, s->in[0], c->binding);
    const int32_t *regimes = host_value_address(c->p, s->in[1], c->binding);
    const double *frequencies = host_value_address(c->p, s->in[2], c->binding);
    uint32_t first = 0, count = 0;
    share_rows(c, y.rows, &first, &count);
    for (uint32_t r = first; r < first + count; r++) {
        const double *f = frequencies + (size_t)regimes[r] * half;
        for (uint32_t i = 0; i < half; i++) {
            const double angle = positions[r] * f[i];
            y.at[r * y.stride + i] = (float)(cos(angle) * s->scale);
            y.at[r * y.stride + half + i] = (float)(sin(angle) * s->scale);
        }
    }
}

static void run_norm(const cpu_context *c) {
    const plan_step *s = c->step;
    const rows_of x = find(c, s->in[0]), y = find(c, s->out);
    const float *weight = host_value_address(c->p, s->in[1], c->binding);
    const float *bias = host_value_address(c->p, s->in[2], c->binding);
    uint32_t r = 0, count = 0;
    share_rows(c, x.rows, &r, &count);
    float *dst = y.at + r * y.stride;
    const float *src = x.at + r * x.stride;
    if (s->op == PLAN_OP_RMS_NORM) {
        c->device->kernels.rms_norm(dst, y.stride, src, x.stride, weight, count, s->groups,
                                    x.columns / s->groups, s->epsilon);
    } else {
        c->device->kernels.layer_norm(dst, y.stride, src, x.stride, weight, bias, count, x.columns,
                                      s->epsilon);
    }
}

static void run_rope(const cpu_context *c) {
    const plan_step *s = c->step;
    const rows_of x = find(c, s->in[0]), y = find(c, s->out), t = find(c, s->in[1]);
    uint32_t r = 0, count = 0;
    share_rows(c, x.rows, &r, &count);
    c->device->kernels.rope(y.at + r * y.stride, y.stride, x.at + r * x.stride, x.stride,
                            t.at + r * t.stride, t.stride, count, s->heads, s->head_size, t.columns,
                            s->interleaved);
}

static void run_elementwise(const cpu_context *c) {
    const plan_step *s = c->step;
    const cpu_kernels *k = &c->device->kernels;
    const rows_of x = find(c, s->in[0]), y = find(c, s->out);
    const area a = share_area(c, &x);
    float *dst = corner(&y, &a);
    const float *src = corner(&x, &a);
    rows_of other = x;
    if (s->in[1] != PLAN_NONE) other = find(c, s->in[1]);
    const float *second = corner(&other, &a);
    switch (s->op) {
    case PLAN_OP_GATED_ACTIVATION:
        k->gated_activation(dst, y.stride, src, x.stride, second, other.stride, a.rows, a.columns,
                            s->function);
        break;
    case PLAN_OP_ACTIVATION:
        k->activation(dst, y.stride, src, x.stride, a.rows, a.columns, s->function);
        break;
    case PLAN_OP_ADD:
        k->add(dst, y.stride, src, x.stride, second, other.stride, a.rows, a.columns);
        break;
    case PLAN_OP_SCALE: k->scale(dst, y.stride, src, x.stride, a.rows, a.columns, s->scale); break;
    default: k->softcap(dst, y.stride, src, x.stride, a.rows, a.columns, s->softcap); break;
    }
}

static void run_select_rows(const cpu_context *c) {
    const rows_of x = find(c, c->step->in[0]), y = find(c, c->step->out);
    const uint32_t *rows = c->binding->block->output_rows;
    uint32_t first = 0, count = 0;
    share_rows(c, y.rows, &first, &count);
    for (uint32_t r = first; r < first + count; r++)
        memcpy(y.at + r * y.stride, x.at + rows[r] * x.stride, 4 * (size_t)y.columns);
}

unsigned cpu_step_phases(plan_op op) {
    return op == PLAN_OP_PAGED_ATTENTION ? 2 : 1;
}

void cpu_step_run(const cpu_context *c, unsigned phase) {
    switch (c->step->op) {
    case PLAN_OP_QUANTIZE: run_quantize(c); break;
    case PLAN_OP_EMBED: run_embed(c); break;
    case PLAN_OP_ROTARY_TABLE: run_rotary_table(c); break;
    case PLAN_OP_RMS_NORM:
    case PLAN_OP_LAYER_NORM: run_norm(c); break;
    case PLAN_OP_MATMUL: cpu_step_matmul(c); break;
    case PLAN_OP_ROPE: run_rope(c); break;
    case PLAN_OP_PAGED_ATTENTION: cpu_step_attention(c, phase); break;
    case PLAN_OP_SELECT_ROWS: run_select_rows(c); break;
    default: run_elementwise(c); break;
    }
}
