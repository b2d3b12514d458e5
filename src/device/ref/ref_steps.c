/* The oracle's steps. In: a step, its plan's memory. Out: the operator's result in the step's
 * output. Units share out rows and outputs, which changes no bit. */
#include "device/ref/ref_steps.h"

#include <string.h>

#include "device/ref/ref_ops.h"

static const ref_weight *weight_of(const plan *p, uint32_t v) {
    return (const ref_weight *)p->weights->items[p->values[v].source];
}

static void run_embed(const host_context *c, uint32_t first, uint32_t rows) {
    const plan_step *s = c->step;
    const ref_weight *w = weight_of(c->p, s->in[1]);
    const host_rows y = host_value_rows(c, s->out, first);
    const int32_t *ids = host_value_address(c, s->in[0]);
    for (uint32_t r = 0; r < rows; r++) {
        float *dst = y.at + r * y.stride;
        tensor_matrix_decode_row(&w->stored, (uint64_t)ids[first + r], dst);
        for (uint32_t i = 0; i < y.columns; i++)
            dst[i] = (float)((double)dst[i] * s->scale);
    }
}

static void run_rotary_table(const host_context *c, uint32_t first, uint32_t rows) {
    const plan_step *s = c->step;
    const host_rows y = host_value_rows(c, s->out, first);
    const int32_t *positions = host_value_address(c, s->in[0]);
    const int32_t *regimes = host_value_address(c, s->in[1]);
    ref_rotary_table(y.at, y.stride, positions + first, regimes + first,
                     host_value_address(c, s->in[2]), rows, y.columns, s->scale);
}

static void run_select_rows(const host_context *c, uint32_t first, uint32_t rows) {
    const uint32_t *wanted = c->binding->block->output_rows + first;
    const host_rows x = host_value_rows(c, c->step->in[0], 0),
                    y = host_value_rows(c, c->step->out, first);
    for (uint32_t r = 0; r < rows; r++)
        memcpy(y.at + r * y.stride, x.at + wanted[r] * x.stride, 4 * (size_t)y.columns);
}

/* Operators of one or two inputs whose rows have nothing to do with each other. */
static void run_rows(const host_context *c, uint32_t first, uint32_t rows) {
    const plan_step *s = c->step;
    const host_rows x = host_value_rows(c, s->in[0], first), y = host_value_rows(c, s->out, first);
    const float *weight = NULL, *bias = NULL;
    host_rows other = x;
    if (s->op == PLAN_OP_RMS_NORM || s->op == PLAN_OP_LAYER_NORM) {
        weight = host_value_address(c, s->in[1]);
        bias = host_value_address(c, s->in[2]);
    } else if (s->in[1] != PLAN_NONE) {
        other = host_value_rows(c, s->in[1], first);
    }
    switch (s->op) {
    case PLAN_OP_RMS_NORM:
        ref_rms_norm(y.at, y.stride, x.at, x.stride, weight, rows, s->groups, x.columns / s->groups,
                     s->epsilon);
        break;
    case PLAN_OP_LAYER_NORM:
        ref_layer_norm(y.at, y.stride, x.at, x.stride, weight, bias, rows, x.columns, s->epsilon);
        break;
    case PLAN_OP_ROPE:
        ref_rope(y.at, y.stride, x.at, x.stride, other.at, other.stride, rows, s->heads,
                 s->head_size, other.columns, s->interleaved);
        break;
    case PLAN_OP_GATED_ACTIVATION:
        ref_gated_activation(y.at, y.stride, x.at, x.stride, other.at, other.stride, rows,
                             x.columns, s->function);
        break;
    case PLAN_OP_ACTIVATION:
        ref_activation(y.at, y.stride, x.at, x.stride, rows, x.columns, s->function);
        break;
    case PLAN_OP_ADD:
        ref_add(y.at, y.stride, x.at, x.stride, other.at, other.stride, rows, x.columns);
        break;
    case PLAN_OP_SCALE: ref_scale(y.at, y.stride, x.at, x.stride, rows, x.columns, s->scale); break;
    default: ref_softcap(y.at, y.stride, x.at, x.stride, rows, x.columns, s->softcap); break;
    }
}

/* Outputs, not rows, are shared out: a single row has work for all threads too. */
static void run_matmul(const host_context *c) {
    const plan *p = c->p;
    const plan_step *s = c->step;
    const plan_value *x = p->values + s->in[0];
    const uint32_t rows = plan_value_rows(p, s->out, c->binding->block);
    const void *src = host_value_address(c, s->in[0]);
    host_rows y = host_value_rows(c, s->out, 0);
    for (uint32_t i = 0; i < s->part_count; i++) {
        const ref_weight *w = weight_of(p, s->parts[i].weight);
        const float *bias = host_value_address(c, s->parts[i].bias);
        uint64_t first = 0, end = 0;
        host_share(c, w->stored.rows, &first, &end);
        if (x->activation == PLAN_ACTIVATION_Q8) {
            ref_matmul_planned(y.at, y.stride, &w->stored, first, end, src, rows, bias, c->work);
        } else {
            ref_matmul(y.at, y.stride, &w->stored, first, end, src, x->row_stride, rows, bias,
                       c->work);
        }
        y.at += w->stored.rows;
    }
}

static void write_rows(const host_context *c, const tensor_kv_layout *layout) {
    const plan *p = c->p;
    const plan_kv_layer *layer = p->kv->layers + c->step->layer;
    const plan_step_block *b = c->binding->block;
    unsigned char *pool = c->binding->pools[layer->group]->host;
    uint64_t first = 0, end = 0;
    host_share(c, b->row_count, &first, &end);
    for (uint32_t row = (uint32_t)first; row < end; row++) {
        const host_rows k = host_value_rows(c, c->step->in[1], row),
                        v = host_value_rows(c, c->step->in[2], row);
        const uint32_t position = (uint32_t)b->positions[row];
        const uint32_t page =
            host_page_table(c, layer->group, b->row_sequence[row])[position / layout->page_tokens];
        unsigned char *at =
            pool + page * p->kv->groups[layer->group].page_bytes + layer->offset_bytes;
        for (uint32_t head = 0; head < layer->kv_heads; head++) {
            const tensor_kv_offsets offsets = tensor_kv_head_offsets(layout, head);
            const size_t column = (size_t)head * layer->head_size;
            ref_kv_write(layout, &offsets, at, position % layout->page_tokens, k.at + column,
                         v.at + column);
        }
    }
}

static void attend(const host_context *c, const tensor_kv_layout *layout, const plan_tile *t,
                   uint32_t kv_head) {
    const plan_step *s = c->step;
    const plan_kv_layer *layer = c->p->kv->layers + s->layer;
    const plan_step_block *b = c->binding->block;
    const uint32_t heads_per_kv = s->heads / s->kv_heads;
    const size_t column = (size_t)kv_head * heads_per_kv * s->head_size;
    const host_rows q = host_value_rows(c, s->in[0], t->first_row),
                    y = host_value_rows(c, s->out, t->first_row);
    const unsigned char *pool = c->binding->pools[layer->group]->host;
    const ref_attention_tile tile = {.q = q.at + column,
                                     .out = y.at + column,
                                     .q_stride = q.stride,
                                     .out_stride = y.stride,
                                     .rows = t->row_count,
                                     .first_position = (uint32_t)b->positions[t->first_row],
                                     .heads_per_kv = heads_per_kv,
                                     .head_size = s->head_size,
                                     .window = s->window,
                                     .scale = s->scale,
                                     .softcap = s->softcap,
                                     .layout = layout,
                                     .offsets = tensor_kv_head_offsets(layout, kv_head),
                                     .pool = pool + layer->offset_bytes,
                                     .page_bytes = c->p->kv->groups[layer->group].page_bytes,
                                     .pages = host_page_table(c, layer->group, t->sequence)};
    ref_attention(&tile, c->work);
}

static void run_attention(const host_context *c) {
    const tensor_kv_layout layout = plan_kv_layout(c->p->kv, c->step->layer);
    const plan_step_block *b = c->binding->block;
    if (c->phase == 0) {
        write_rows(c, &layout);
        return;
    }
    const uint64_t parts = (uint64_t)b->tile_count * c->step->kv_heads;
    for (uint64_t u = c->unit; u < parts; u += c->units) {
        attend(c, &layout, b->tiles + u / c->step->kv_heads, (uint32_t)(u % c->step->kv_heads));
    }
}

uint64_t ref_step_work_bytes(const plan *p, const plan_step *s) {
    uint64_t most = s->op == PLAN_OP_PAGED_ATTENTION ? 8 * (uint64_t)s->head_size : 0;
    for (uint32_t i = 0; i < s->part_count; i++) {
        const uint64_t bytes = 4 * weight_of(p, s->parts[i].weight)->stored.columns;
        if (bytes > most) most = bytes;
    }
    return most;
}

/* All that the oracle does is slow, so all is worth sharing: outputs of a matmul, rows else. */
uint32_t ref_step_units(const host_context *c) {
    const plan_step *s = c->step;
    const uint32_t rows = plan_value_rows(c->p, s->out, c->binding->block);
    if (s->op == PLAN_OP_MATMUL) return host_units(c, rows ? c->p->values[s->out].columns : 0, 16);
    if (s->op == PLAN_OP_PAGED_ATTENTION && c->phase == 1) {
        return host_units(c, (uint64_t)c->binding->block->tile_count * s->kv_heads, 1);
    }
    return host_units(c, rows, 1);
}

void ref_step_run(const host_context *c) {
    const plan_step *s = c->step;
    uint64_t first = 0, end = 0;
    host_share(c, plan_value_rows(c->p, s->out, c->binding->block), &first, &end);
    const uint32_t row = (uint32_t)first, rows = (uint32_t)(end - first);
    switch (s->op) {
    case PLAN_OP_QUANTIZE: {
        const host_rows x = host_value_rows(c, s->in[0], 0);
        ref_quantize_rows(host_value_address(c, s->out), x.at, x.stride, row, row + rows,
                          x.columns);
        break;
    }
    case PLAN_OP_EMBED: run_embed(c, row, rows); break;
    case PLAN_OP_ROTARY_TABLE: run_rotary_table(c, row, rows); break;
    case PLAN_OP_ROTARY_ROWS: host_rotary_rows(c, row, rows); break;
    case PLAN_OP_MATMUL: run_matmul(c); break;
    case PLAN_OP_PAGED_ATTENTION: run_attention(c); break;
    case PLAN_OP_SELECT_ROWS: run_select_rows(c, row, rows); break;
    default: run_rows(c, row, rows); break;
    }
}
