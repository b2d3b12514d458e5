/* PagedAttention in units. Phase 0: keys and values of the step's rows go to their pages. Phase
 * 1: every tile of rows, with every kv head, attends to its sequence's pages. */
#include "device/cpu/cpu_steps.h"

/* Elements written, products of queries and keys, that are worth a unit. */
#define UNIT_ELEMENTS 8192u
#define UNIT_PRODUCTS ((uint64_t)1 << 16)

static void write_rows(const host_context *c, const tensor_kv_layout *layout) {
    const plan *p = c->p;
    const plan_step *s = c->step;
    const plan_kv_layer *layer = p->kv->layers + s->layer;
    const plan_step_block *b = c->binding->block;
    const plan_value *k = p->values + s->in[1], *v = p->values + s->in[2];
    const float *keys = host_value_address(c, s->in[1]);
    const float *values = host_value_address(c, s->in[2]);
    unsigned char *pool = c->binding->pools[layer->group]->host;
    uint64_t first = 0, end = 0;
    host_share(c, (uint64_t)b->row_count * layer->kv_heads, &first, &end);
    for (uint64_t unit = first; unit < end; unit++) {
        const uint32_t row = (uint32_t)(unit / layer->kv_heads);
        const uint32_t head = (uint32_t)(unit % layer->kv_heads);
        const uint32_t position = (uint32_t)b->positions[row];
        const uint32_t page =
            host_page_table(c, layer->group, b->row_sequence[row])[position / layout->page_tokens];
        const tensor_kv_offsets offsets = tensor_kv_head_offsets(layout, head);
        unsigned char *at =
            pool + page * p->kv->groups[layer->group].page_bytes + layer->offset_bytes;
        const size_t column = (size_t)head * layer->head_size;
        cpu_kernels_of(c)->kv_write(layout, &offsets, at, position % layout->page_tokens,
                                    keys + (size_t)row * k->row_stride + column,
                                    values + (size_t)row * v->row_stride + column);
    }
}

/* Rows [first, first + rows) of a tile with one kv head. */
static void attend(const host_context *c, const tensor_kv_layout *layout, const plan_tile *t,
                   uint32_t first, uint32_t rows, uint32_t kv_head) {
    const plan *p = c->p;
    const plan_step *s = c->step;
    const plan_kv_layer *layer = p->kv->layers + s->layer;
    const plan_step_block *b = c->binding->block;
    const plan_value *q = p->values + s->in[0], *y = p->values + s->out;
    const uint32_t heads_per_kv = s->heads / s->kv_heads;
    const size_t column = (size_t)kv_head * heads_per_kv * s->head_size;
    const float *queries = host_value_address(c, s->in[0]);
    float *out = host_value_address(c, s->out);
    const uint32_t row = t->first_row + first;
    const cpu_attention_tile tile = {.q = queries + row * (size_t)q->row_stride + column,
                                     .out = out + row * (size_t)y->row_stride + column,
                                     .q_stride = q->row_stride,
                                     .out_stride = y->row_stride,
                                     .rows = rows,
                                     .first_position = (uint32_t)b->positions[row],
                                     .heads_per_kv = heads_per_kv,
                                     .head_size = s->head_size,
                                     .window = s->window,
                                     .scale = s->scale,
                                     .softcap = s->softcap,
                                     .layout = layout,
                                     .offsets = tensor_kv_head_offsets(layout, kv_head),
                                     .pool = host_layer_pool(c, layer),
                                     .page_bytes = p->kv->groups[layer->group].page_bytes,
                                     .pages = host_page_table(c, layer->group, t->sequence)};
    cpu_kernels_of(c)->attention(&tile, c->work);
}

/* Keys that a tile sees, times the heads: what it costs. */
static uint64_t cost_of(const host_context *c) {
    const plan_step_block *b = c->binding->block;
    uint64_t keys = 0;
    for (uint32_t i = 0; i < b->tile_count; i++) {
        const plan_tile *t = b->tiles + i;
        keys += t->row_count * ((uint64_t)b->positions[t->first_row] + 1);
    }
    return keys * c->step->heads * c->step->head_size;
}

/* Pieces of the step's largest tile, each of as many rows as the kernel takes. */
static uint32_t pieces_of(const host_context *c, uint32_t rows) {
    const plan_step_block *b = c->binding->block;
    uint32_t most = 1;
    for (uint32_t i = 0; i < b->tile_count; i++)
        most = b->tiles[i].row_count > most ? b->tiles[i].row_count : most;
    return (most + rows - 1) / rows;
}

uint32_t cpu_step_attention_units(const host_context *c) {
    const plan_step_block *b = c->binding->block;
    const plan_step *s = c->step;
    if (c->phase == 0) {
        const uint64_t parts = (uint64_t)b->row_count * s->kv_heads;
        return host_units(c, parts, UNIT_ELEMENTS / s->head_size + 1);
    }
    const uint64_t pieces = pieces_of(c, cpu_attention_rows(s->heads / s->kv_heads));
    const uint64_t parts = b->tile_count * pieces * s->kv_heads, cost = cost_of(c);
    const uint64_t worth = cost ? parts * UNIT_PRODUCTS / cost : parts;
    return host_units(c, parts, worth ? worth : 1);
}

void cpu_step_attention(const host_context *c) {
    const tensor_kv_layout layout = plan_kv_layout(c->p->kv, c->step->layer);
    if (c->phase == 0) {
        write_rows(c, &layout);
        return;
    }
    /* Head by head, so that its keys stay in the cache while tile after tile passes; later tiles
     * see more of them: dealt out in turn, not in runs. */
    const plan_step_block *b = c->binding->block;
    const uint32_t kv_heads = c->step->kv_heads;
    const uint32_t rows = cpu_attention_rows(c->step->heads / kv_heads),
                   pieces = pieces_of(c, rows);
    const uint64_t parts = (uint64_t)b->tile_count * pieces * kv_heads;
    for (uint64_t u = c->unit; u < parts; u += c->units) {
        const uint64_t piece = u % (b->tile_count * pieces);
        const plan_tile *t = b->tiles + piece / pieces;
        const uint32_t first = (uint32_t)(piece % pieces) * rows;
        if (first >= t->row_count) continue;
        const uint32_t left = t->row_count - first;
        attend(c, &layout, t, first, left < rows ? left : rows,
               (uint32_t)(u / (b->tile_count * pieces)));
    }
}

uint64_t cpu_step_work_bytes(const plan *p, const plan_step *s) {
    if (s->op == PLAN_OP_PAGED_ATTENTION) {
        return cpu_attention_work_bytes(s->heads / s->kv_heads, s->head_size);
    }
    uint64_t most = 0;
    for (uint32_t i = 0; i < s->part_count; i++) {
        const cpu_weight *w =
            (const cpu_weight *)p->weights->items[p->values[s->parts[i].weight].source];
        if (w->config->work_bytes > most) most = w->config->work_bytes;
    }
    return most;
}
