/* Steps in units: each operator's share of rows or columns. In: a step, its plan's memory. Out: the
 * kernel's results in the step's output. Into how many units a step is cut changes no bit. */
#include "device/cpu/cpu_steps.h"

#include <math.h>
#include <string.h>

/* Elements that are worth a unit of their own: some microseconds. */
#define UNIT_ELEMENTS 8192u

static uint32_t rows_of(const host_context *c) {
    return plan_value_rows(c->p, c->step->out, c->binding->block);
}

static void run_quantize(const host_context *c, uint32_t first, uint32_t rows) {
    const host_rows x = host_value_rows(c, c->step->in[0], 0);
    ((const cpu_device *)c->device)
        ->quantize(host_value_address(c, c->step->out), x.at, x.stride, rows_of(c), first,
                   first + rows, x.columns);
}

static void run_embed(const host_context *c, uint32_t first, uint32_t rows) {
    const plan_step *s = c->step;
    const cpu_weight *w = cpu_weight_of(c->p, s->in[1]);
    const host_rows y = host_value_rows(c, s->out, first);
    const int32_t *ids = (const int32_t *)host_value_address(c, s->in[0]) + first;
    for (uint32_t r = 0; r < rows; r++) {
        float *dst = y.at + r * y.stride;
        if (w->config) {
            w->config->decode_row(w->form, w->packed, w->n, w->k, (uint64_t)ids[r], dst);
        } else {
            tensor_matrix_decode_row(&w->stored, (uint64_t)ids[r], dst);
        }
    }
    if (s->scale != 1) {
        cpu_kernels_of(c)->scale(y.at, y.stride, y.at, y.stride, rows, y.columns, s->scale);
    }
}

static void run_rotary_table(const host_context *c, uint32_t first, uint32_t rows) {
    const plan_step *s = c->step;
    const host_rows y = host_value_rows(c, s->out, first);
    const uint32_t half = y.columns / 2;
    const int32_t *positions = (const int32_t *)host_value_address(c, s->in[0]) + first;
    const int32_t *regimes = (const int32_t *)host_value_address(c, s->in[1]) + first;
    const double *frequencies = host_value_address(c, s->in[2]);
    for (uint32_t r = 0; r < rows; r++) {
        const double *f = frequencies + (size_t)regimes[r] * half;
        float *cosines = y.at + r * y.stride;
        for (uint32_t i = 0; i < half; i++) {
            const double angle = positions[r] * f[i];
            cosines[i] = (float)(cos(angle) * s->scale);
            cosines[half + i] = (float)(sin(angle) * s->scale);
        }
    }
}

static void run_norm(const host_context *c, uint32_t first, uint32_t rows) {
    const plan_step *s = c->step;
    const cpu_kernels *k = cpu_kernels_of(c);
    const host_rows x = host_value_rows(c, s->in[0], first), y = host_value_rows(c, s->out, first);
    const float *weight = host_value_address(c, s->in[1]);
    if (s->op == PLAN_OP_RMS_NORM) {
        k->rms_norm(y.at, y.stride, x.at, x.stride, weight, rows, s->groups, x.columns / s->groups,
                    s->epsilon);
    } else {
        k->layer_norm(y.at, y.stride, x.at, x.stride, weight, host_value_address(c, s->in[2]), rows,
                      x.columns, s->epsilon);
    }
}

static void run_rope(const host_context *c, uint32_t first, uint32_t rows) {
    const plan_step *s = c->step;
    const host_rows x = host_value_rows(c, s->in[0], first), y = host_value_rows(c, s->out, first);
    const host_rows t = host_value_rows(c, s->in[1], first);
    cpu_kernels_of(c)->rope(y.at, y.stride, x.at, x.stride, t.at, t.stride, rows, s->heads,
                            s->head_size, t.columns, s->interleaved);
}

static void run_select_rows(const host_context *c, uint32_t first, uint32_t rows) {
    const uint32_t *wanted = c->binding->block->output_rows + first;
    const host_rows x = host_value_rows(c, c->step->in[0], 0);
    const host_rows y = host_value_rows(c, c->step->out, first);
    for (uint32_t r = 0; r < rows; r++)
        memcpy(y.at + r * y.stride, x.at + wanted[r] * x.stride, 4 * (size_t)y.columns);
}

/* Operators that work on each element by itself: on some rows, or on some columns of a single row.
 */
static void run_elements(const host_context *c, uint32_t row, uint32_t rows, uint32_t column,
                         uint32_t columns) {
    const plan_step *s = c->step;
    const cpu_kernels *k = cpu_kernels_of(c);
    const host_rows x = host_value_rows(c, s->in[0], row), y = host_value_rows(c, s->out, row);
    const host_rows other = s->in[1] == PLAN_NONE ? x : host_value_rows(c, s->in[1], row);
    float *dst = y.at + column;
    const float *src = x.at + column, *second = other.at + column;
    switch (s->op) {
    case PLAN_OP_GATED_ACTIVATION:
        k->gated_activation(dst, y.stride, src, x.stride, second, other.stride, rows, columns,
                            s->function);
        break;
    case PLAN_OP_ACTIVATION:
        k->activation(dst, y.stride, src, x.stride, rows, columns, s->function);
        break;
    case PLAN_OP_ADD:
        k->add(dst, y.stride, src, x.stride, second, other.stride, rows, columns);
        break;
    case PLAN_OP_SCALE: k->scale(dst, y.stride, src, x.stride, rows, columns, s->scale); break;
    default: k->softcap(dst, y.stride, src, x.stride, rows, columns, s->softcap); break;
    }
}

static void share_elements(const host_context *c) {
    const uint32_t rows = rows_of(c), columns = c->p->values[c->step->out].columns;
    uint64_t first = 0, end = 0;
    if (rows > 1) {
        host_share(c, rows, &first, &end);
        run_elements(c, (uint32_t)first, (uint32_t)(end - first), 0, columns);
    } else if (rows == 1) {
        host_share(c, columns, &first, &end);
        run_elements(c, 0, 1, (uint32_t)first, (uint32_t)(end - first));
    }
}

/* True for operators that share_elements() cuts. */
static bool by_elements(plan_op op) {
    switch (op) {
    case PLAN_OP_GATED_ACTIVATION:
    case PLAN_OP_ACTIVATION:
    case PLAN_OP_ADD:
    case PLAN_OP_SCALE:
    case PLAN_OP_SOFTCAP: return true;
    default: return false;
    }
}

uint32_t cpu_step_units(const host_context *c) {
    const uint32_t rows = rows_of(c), columns = c->p->values[c->step->out].columns;
    if (c->step->op == PLAN_OP_MATMUL) return cpu_step_matmul_units(c);
    if (c->step->op == PLAN_OP_PAGED_ATTENTION) return cpu_step_attention_units(c);
    if (by_elements(c->step->op) && rows == 1) return host_units(c, columns, UNIT_ELEMENTS);
    const uint32_t rows_worth = columns < UNIT_ELEMENTS ? UNIT_ELEMENTS / columns : 1;
    return host_units(c, rows, rows_worth);
}

void cpu_step_run(const host_context *c) {
    uint64_t begin = 0, end = 0;
    host_share(c, rows_of(c), &begin, &end);
    const uint32_t first = (uint32_t)begin, rows = (uint32_t)(end - begin);
    switch (c->step->op) {
    case PLAN_OP_QUANTIZE: run_quantize(c, first, rows); break;
    case PLAN_OP_EMBED: run_embed(c, first, rows); break;
    case PLAN_OP_ROTARY_TABLE: run_rotary_table(c, first, rows); break;
    case PLAN_OP_ROTARY_ROWS: host_rotary_rows(c, first, rows); break;
    case PLAN_OP_RMS_NORM:
    case PLAN_OP_LAYER_NORM: run_norm(c, first, rows); break;
    case PLAN_OP_MATMUL: cpu_step_matmul(c); break;
    case PLAN_OP_ROPE: run_rope(c, first, rows); break;
    case PLAN_OP_PAGED_ATTENTION: cpu_step_attention(c); break;
    case PLAN_OP_SELECT_ROWS: run_select_rows(c, first, rows); break;
    default: share_elements(c); break;
    }
}
