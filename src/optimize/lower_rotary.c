/* Rotary embeddings. In: RotaryEmbedding of either domain, with cosines and sines computed or
 * looked up. Out: one RotaryTable or RotaryRows for all that share it, and Rope. */
#include <string.h>

#include "optimize/lowering.h"

/* ------------------------------------------------------------ tables */

static ondol_status keep_table(lowering *l, graph_node_id id, const lower_table *t) {
    if (l->table_count == LOWER_MAX_TABLES) {
        return lower_unrecognised(l, id, "more than 16 rotary tables");
    }
    l->tables[l->table_count++] = *t;
    return ONDOL_OK;
}

/* One threshold for the whole decoder. */
static ondol_status take_threshold(lowering *l, graph_node_id id, uint64_t threshold) {
    uint64_t *known = &l->decoder->regime_threshold;
    if (*known && *known != threshold) {
        return lower_unrecognised(l, id, "its rotary table changes at another length than others");
    }
    *known = threshold;
    return ONDOL_OK;
}

/* ------------------------------------------------------------ computed */

static bool same_computed(const match_rotary *a, const match_rotary *b) {
    return a->positions == b->positions && a->regimes == b->regimes &&
           a->threshold == b->threshold && a->frequencies[0] == b->frequencies[0] &&
           (a->regimes == 1 || a->frequencies[1] == b->frequencies[1]) &&
           a->magnitude == b->magnitude;
}

static ondol_status add_computed(lowering *l, graph_node_id id, const match_rotary *m,
                                 graph_value_id *value) {
    const graph *g = l->r.from;
    const graph_value *first = g->values + m->frequencies[0];
    const size_t bytes = (size_t)first->data_bytes;
    unsigned char *both = base_alloc(g->allocator, m->regimes, bytes);
    if (!both) return base_no_memory(l->err, "rotary frequencies", m->regimes * bytes);
    for (uint32_t i = 0; i < m->regimes; i++)
        memcpy(both + i * bytes, g->values[m->frequencies[i]].data, bytes);
    graph_value_id inputs[3] = {l->position_rows, l->regimes, GRAPH_NONE};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(graph_add_constant(l->r.to, first->name, TENSOR_ELEMENT_F64,
                           graph_shape_2(m->regimes, first->shape.dims[0]), both, inputs + 2,
                           l->err));
    TRY(rewrite_add(&l->r, GRAPH_OP_O_ROTARY_TABLE, first->name, inputs, 3, &node, l->err));
    TRY(graph_set_float(l->r.to, node, "magnitude", m->magnitude, l->err));
    TRY(lower_finish_value(l, node, value));
    TRY(keep_table(l, id, &(lower_table){.computed = *m, .value = *value}));
done:
    base_free(g->allocator, both);
    return status;
}

/* The table for cosines and sines that are functions of the positions. */
static ondol_status computed_table(lowering *l, graph_node_id id, graph_value_id cosines,
                                   graph_value_id sines, graph_value_id *value) {
    const graph *g = l->r.from;
    match_rotary c, s;
    if (!match_rotary_table(g, cosines, GRAPH_OP_COS, &c) ||
        !match_rotary_table(g, sines, GRAPH_OP_SIN, &s) || !same_computed(&c, &s)) {
        return lower_unrecognised(l, id,
                                  "its cosines and sines are not of position times frequency");
    }
    if (c.regimes == 2) {
        if (g->values[c.frequencies[0]].data_bytes != g->values[c.frequencies[1]].data_bytes) {
            return lower_unrecognised(l, id, "its two sets of frequencies do not go together");
        }
        ondol_status status = take_threshold(l, id, c.threshold);
        if (status != ONDOL_OK) return status;
    }
    for (uint32_t i = 0; i < l->table_count; i++) {
        if (same_computed(&l->tables[i].computed, &c)) {
            *value = l->tables[i].value;
            return ONDOL_OK;
        }
    }
    return add_computed(l, id, &c, value);
}

/* ------------------------------------------------------------ looked up */

/* What output `index` of a branch of an If is, when that is a constant. */
static const graph_value *branch_constant(const lowering *l, graph_node_id id, const char *branch,
                                          uint32_t index) {
    const graph_attribute *a = graph_get_attribute(l->r.from, id, branch);
    if (!a || a->type != GRAPH_ATTRIBUTE_GRAPH) return NULL;
    const graph *g = a->graphs[0];
    if (index >= g->output_count) return NULL;
    const graph_value *v = g->values + g->outputs[index];
    if (v->kind == GRAPH_VALUE_CAPTURE) return lower_constant(l, v->outer);
    for (int i = 0; v->producer != GRAPH_NONE && i < 8; i++) {
        const graph_node *n = g->nodes + v->producer;
        if (n->op != GRAPH_OP_IDENTITY) return NULL;
        v = g->values + n->inputs[0];
        if (v->kind == GRAPH_VALUE_CAPTURE) return lower_constant(l, v->outer);
    }
    return v->kind == GRAPH_VALUE_INITIALIZER ? v : NULL;
}

/* The one or two constants that v is, by regime. Errors: UNSUPPORTED. */
static ondol_status find_rows(lowering *l, graph_node_id id, graph_value_id v,
                              const graph_value *rows[2], uint32_t *regimes, uint64_t *threshold) {
    const graph *g = l->r.from;
    const graph_node_id choice = match_producer(g, v, GRAPH_OP_IF);
    bool first = false;
    rows[0] = lower_constant(l, v);
    *regimes = 1;
    *threshold = 0;
    if (rows[0]) return ONDOL_OK;
    if (choice == GRAPH_NONE) {
        return lower_unrecognised(l, id, "its cosines and sines are no initializers");
    }
    uint32_t index = 0;
    while (g->nodes[choice].outputs[index] != v)
        index++;
    if (!lower_threshold(l, lower_in(l, choice, 0), threshold, &first)) {
        return lower_unrecognised(l, choice, "its condition is of more than the length");
    }
    rows[0] = branch_constant(l, choice, first ? "then_branch" : "else_branch", index);
    rows[1] = branch_constant(l, choice, first ? "else_branch" : "then_branch", index);
    *regimes = *threshold ? 2 : 1;
    if (!rows[0] || !rows[1]) {
        return lower_unrecognised(l, choice, "a branch gives no constant");
    }
    return ONDOL_OK;
}

static bool are_rows(const graph_value *v) {
    return v->encoding == GRAPH_PLAIN && !v->matrix && v->shape.rank == 2 && v->shape.dims[0] > 0 &&
           v->shape.dims[1] > 0 && v->shape.dims[1] < 1 << 16 &&
           (v->element == TENSOR_ELEMENT_F32 || v->element == TENSOR_ELEMENT_F16 ||
            v->element == TENSOR_ELEMENT_BF16);
}

/* Positions that are shifted past a threshold ask for the second table in the same rows. */
static ondol_status take_positions(lowering *l, graph_node_id id, graph_value_id positions,
                                   lower_cache *c) {
    if (positions == GRAPH_NONE) return ONDOL_OK;
    const lower_answer *a = lower_ask(l, positions);
    if (a->meaning != LOWER_POSITIONS || (a->threshold && c->regimes == 2) || a->offset < 0) {
        return lower_unrecognised(l, id, "its positions are not those of the tokens");
    }
    if (!a->threshold) return ONDOL_OK;
    c->regimes = 2;
    c->threshold = a->threshold;
    c->cosines[1] = c->cosines[0];
    c->sines[1] = c->sines[0];
    c->first[1] = a->offset;
    return ONDOL_OK;
}

static ondol_status check_cache(lowering *l, graph_node_id id, const lower_cache *c) {
    for (uint32_t i = 0; i < c->regimes; i++) {
        const graph_value *cosines = c->cosines[i], *sines = c->sines[i];
        const uint64_t needed = i + 1 < c->regimes ? c->threshold : 1;
        if (!are_rows(cosines) || !are_rows(sines) || sines->element != c->cosines[0]->element ||
            cosines->element != sines->element ||
            !graph_shape_equal(&cosines->shape, &sines->shape) ||
            cosines->shape.dims[1] != c->cosines[0]->shape.dims[1] ||
            cosines->shape.dims[0] - c->first[i] < (int64_t)needed) {
            return lower_unrecognised(l, id, "its cosines and sines do not go together");
        }
    }
    const uint64_t most =
        (uint64_t)(c->cosines[c->regimes - 1]->shape.dims[0]) - (uint64_t)c->first[c->regimes - 1];
    uint64_t *known = &l->decoder->max_positions;
    if (!*known || most < *known) *known = most;
    return c->regimes == 2 ? take_threshold(l, id, c->threshold) : ONDOL_OK;
}

static bool same_cache(const lower_cache *a, const lower_cache *b) {
    if (a->regimes != b->regimes || a->threshold != b->threshold) return false;
    for (uint32_t i = 0; i < a->regimes; i++) {
        if (a->cosines[i]->data != b->cosines[i]->data || a->sines[i]->data != b->sines[i]->data ||
            a->first[i] != b->first[i]) {
            return false;
        }
    }
    return true;
}

static ondol_status add_cached(lowering *l, graph_node_id id, const lower_cache *c,
                               graph_value_id *value) {
    graph_value_id inputs[6] = {l->position_rows, l->regimes};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < 2 * c->regimes; i++) {
        const graph_value *v = i % 2 ? c->sines[i / 2] : c->cosines[i / 2];
        const graph_tensor t = {v->element, v->shape, v->data, v->data_bytes};
        TRY(graph_add_borrowed(l->r.to, v->name, &t, inputs + 2 + i, l->err));
    }
    TRY(rewrite_add(&l->r, GRAPH_OP_O_ROTARY_ROWS, c->cosines[0]->name, inputs, 2 + 2 * c->regimes,
                    &node, l->err));
    TRY(graph_set_int(l->r.to, node, "second", c->first[1], l->err));
    TRY(lower_finish_value(l, node, value));
    TRY(keep_table(l, id, &(lower_table){.cache = *c, .value = *value}));
done:
    return status;
}

ondol_status lower_cached_table(lowering *l, graph_node_id id, graph_value_id cosines,
                                graph_value_id sines, graph_value_id positions,
                                graph_value_id *table, uint32_t *r) {
    lower_cache c = {0};
    uint32_t regimes = 0;
    uint64_t threshold = 0;
    ondol_status status = ONDOL_OK;
    TRY(find_rows(l, id, cosines, c.cosines, &c.regimes, &c.threshold));
    TRY(find_rows(l, id, sines, c.sines, &regimes, &threshold));
    if (regimes != c.regimes || threshold != c.threshold) {
        return lower_unrecognised(l, id, "its cosines and sines do not go together");
    }
    TRY(take_positions(l, id, positions, &c));
    TRY(check_cache(l, id, &c));
    *r = 2 * (uint32_t)c.cosines[0]->shape.dims[1];
    for (uint32_t i = 0; i < l->table_count; i++) {
        const lower_table *t = l->tables + i;
        if (t->computed.regimes || !same_cache(&t->cache, &c)) continue;
        *table = t->value;
        return ONDOL_OK;
    }
    return add_cached(l, id, &c, table);
done:
    return status;
}

/* ------------------------------------------------------------ rotation */

ondol_status lower_add_rope(lowering *l, graph_node_id id, graph_value_id x, graph_value_id table,
                            uint32_t heads, bool interleaved, graph_value_id *out) {
    const graph_value_id inputs[2] = {x, table};
    const int64_t columns = l->r.to->values[x].shape.dims[1];
    const int64_t r = l->r.to->values[table].shape.dims[1];
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    if (heads == 0 || columns % heads || columns / heads < r) {
        return lower_unrecognised(l, id, "its heads are shorter than its cosines and sines");
    }
    TRY(lower_begin(l, id, GRAPH_OP_O_ROPE, inputs, 2, &node));
    TRY(graph_set_int(l->r.to, node, "heads", heads, l->err));
    TRY(graph_set_int(l->r.to, node, "interleaved", interleaved, l->err));
    TRY(lower_finish_value(l, node, out));
done:
    return status;
}

static uint32_t heads_of(const lowering *l, graph_node_id id, graph_value_id x) {
    const int64_t heads = graph_get_int(l->r.from, id, "num_heads");
    if (l->states[x].heads) return l->states[x].heads;
    return heads > 0 && heads <= INT32_MAX ? (uint32_t)heads : 0;
}

/* ai.onnx: x, cosines, sines, positions. */
ondol_status lower_rotary(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    const graph_value_id x = lower_in(l, id, 0), positions = lower_in(l, id, 3);
    const int64_t wanted = graph_get_int(g, id, "rotary_embedding_dim");
    graph_value_id table = GRAPH_NONE, y = GRAPH_NONE;
    uint32_t r = 0;
    ondol_status status = ONDOL_OK;
    if (!lower_is_rows(l, x)) return ONDOL_OK;
    if (positions != GRAPH_NONE) {
        TRY(lower_cached_table(l, id, lower_in(l, id, 1), lower_in(l, id, 2), positions, &table,
                               &r));
    } else {
        TRY(computed_table(l, id, lower_in(l, id, 1), lower_in(l, id, 2), &table));
        r = (uint32_t)l->r.to->values[table].shape.dims[1];
    }
    if (wanted && wanted != r) {
        return lower_unrecognised(l, id, "rotary_embedding_dim is not that of its cosines");
    }
    TRY(lower_add_rope(l, id, l->r.map[x], table, heads_of(l, id, x),
                       graph_get_int(g, id, "interleaved") != 0, &y));
    lower_alias(l, lower_out(l, id, 0), y, l->states[x]);
done:
    return status;
}

/* com.microsoft: x, positions, cosines, sines; without num_heads all of a head is rotated. */
ondol_status lower_rotary_ms(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    const graph_value_id x = lower_in(l, id, 0);
    graph_value_id table = GRAPH_NONE, y = GRAPH_NONE;
    uint32_t r = 0;
    ondol_status status = ONDOL_OK;
    if (!lower_is_rows(l, x)) return ONDOL_OK;
    const int64_t wanted = graph_get_int(g, id, "rotary_embedding_dim");
    if (graph_get_int(g, id, "is_packed_batching") ||
        (graph_get_attribute(g, id, "scale") && graph_get_float(g, id, "scale") != 1)) {
        return lower_unrecognised(l, id, "a scale or packed batches");
    }
    TRY(lower_cached_table(l, id, lower_in(l, id, 2), lower_in(l, id, 3), lower_in(l, id, 1),
                           &table, &r));
    if (wanted && wanted != r) {
        return lower_unrecognised(l, id, "rotary_embedding_dim is not that of its cosines");
    }
    uint32_t heads = heads_of(l, id, x);
    if (!heads) heads = lower_columns(l, x) / r;
    TRY(lower_add_rope(l, id, l->r.map[x], table, heads, graph_get_int(g, id, "interleaved") != 0,
                       &y));
    lower_alias(l, lower_out(l, id, 0), y, l->states[x]);
done:
    return status;
}
