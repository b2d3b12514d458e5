/* Recognises a decoder. In: a portable graph with explicit past and present, from whichever format.
 * Out: the lowered graph on flat rows, with a paged cache in the place of past and present.
 *
 * [batch, sequence, c] becomes [rows, c]: every operator but attention works on each row alone. */
#include <string.h>

#include "graph/ops.h"
#include "optimize/lowering.h"

typedef struct handling {
    graph_op op;
    lower_handler handle;
} handling;

/* All others compute nothing that stands on rows, or are told by those who need what they make. */
static const handling HANDLERS[] = {
    {GRAPH_OP_GATHER, lower_gather},
    {GRAPH_OP_MS_GATHER_BLOCK_QUANTIZED, lower_gather_quantized},
    {GRAPH_OP_MS_FUSED_MATMUL, lower_matmul},
    {GRAPH_OP_MATMUL, lower_matmul},
    {GRAPH_OP_MS_MATMUL_NBITS, lower_matmul_nbits},
    {GRAPH_OP_GEMM, lower_gemm},
    {GRAPH_OP_ADD, lower_add},
    {GRAPH_OP_MUL, lower_mul},
    {GRAPH_OP_DIV, lower_mul},
    {GRAPH_OP_SWISH, lower_activation},
    {GRAPH_OP_GELU, lower_activation},
    {GRAPH_OP_MS_GELU, lower_activation},
    {GRAPH_OP_MS_FAST_GELU, lower_activation},
    {GRAPH_OP_MS_BIAS_GELU, lower_activation},
    {GRAPH_OP_RMS_NORMALIZATION, lower_norm},
    {GRAPH_OP_SIMPLIFIED_LAYER_NORMALIZATION, lower_norm},
    {GRAPH_OP_LAYER_NORMALIZATION, lower_norm},
    {GRAPH_OP_MS_SKIP_LAYER_NORMALIZATION, lower_skip_norm},
    {GRAPH_OP_MS_SKIP_SIMPLIFIED_LAYER_NORMALIZATION, lower_skip_norm},
    {GRAPH_OP_RESHAPE, lower_reshape},
    {GRAPH_OP_TRANSPOSE, lower_transpose},
    {GRAPH_OP_UNSQUEEZE, lower_unsqueeze},
    {GRAPH_OP_CAST, lower_same},
    {GRAPH_OP_IDENTITY, lower_same},
    {GRAPH_OP_DROPOUT, lower_same},
    {GRAPH_OP_SPLIT, lower_split},
    {GRAPH_OP_SLICE, lower_slice},
    {GRAPH_OP_ROTARY_EMBEDDING, lower_rotary},
    {GRAPH_OP_MS_ROTARY_EMBEDDING, lower_rotary_ms},
    {GRAPH_OP_MS_GROUP_QUERY_ATTENTION, lower_group_query},
};

static ondol_status lower_node(lowering *l, graph_node_id id) {
    for (size_t i = 0; i < sizeof HANDLERS / sizeof *HANDLERS; i++) {
        if (HANDLERS[i].op == l->r.from->nodes[id].op) return HANDLERS[i].handle(l, id);
    }
    return ONDOL_OK;
}

static ondol_status add_inputs(lowering *l) {
    graph *to = l->r.to;
    graph_dim rows = 0;
    ondol_status status = ONDOL_OK;
    TRY(graph_symbol(to, "rows", &rows, l->err));
    TRY(graph_add_input(to, "ids", TENSOR_ELEMENT_I32, graph_shape_1(rows), &l->ids, l->err));
    TRY(graph_add_input(to, "positions", TENSOR_ELEMENT_I32, graph_shape_1(rows), &l->position_rows,
                        l->err));
    TRY(graph_add_input(to, "regimes", TENSOR_ELEMENT_I32, graph_shape_1(rows), &l->regimes,
                        l->err));
done:
    return status;
}

/* The old value that is the logits. Errors: UNSUPPORTED. */
static ondol_status find_logits(const lowering *l, graph_value_id *out) {
    const char *name = l->options->logits ? l->options->logits : "logits";
    const graph *g = l->r.from;
    for (uint32_t i = 0; i < g->output_count; i++) {
        *out = g->outputs[i];
        if (strcmp(g->output_names[i], name) == 0) return ONDOL_OK;
    }
    return base_fail(l->err, ONDOL_E_UNSUPPORTED, "the graph has no output '%s'", name);
}

/* Marks the nodes that `last` is made by: layers behind the logits are left out. */
static void mark_needed(const graph *g, graph_value_id last, bool *needed) {
    if (g->values[last].producer != GRAPH_NONE) needed[g->values[last].producer] = true;
    for (graph_node_id n = g->node_count; n-- > 0;) {
        for (uint32_t i = 0; needed[n] && i < g->nodes[n].input_count; i++) {
            const graph_value_id v = g->nodes[n].inputs[i];
            if (v != GRAPH_NONE && g->values[v].producer != GRAPH_NONE)
                needed[g->values[v].producer] = true;
        }
    }
}

static ondol_status lower_nodes(lowering *l, graph_value_id logits) {
    const graph *g = l->r.from;
    bool *needed = base_calloc(g->allocator, (size_t)g->node_count + 1, sizeof *needed);
    if (!needed) return base_no_memory(l->err, "graph pass", g->node_count);
    ondol_status status = ONDOL_OK;
    mark_needed(g, logits, needed);
    for (graph_node_id n = 0; n < g->node_count && status == ONDOL_OK; n++)
        if (needed[n]) status = lower_node(l, n);
    base_free(g->allocator, needed);
    return status;
}

/* The rows that the last matmul multiplies: the hidden states, normed. */
static graph_value_id hidden_of(const graph *to, graph_value_id logits) {
    graph_node_id n = to->values[logits].producer;
    while (n != GRAPH_NONE && to->nodes[n].op != GRAPH_OP_O_MATMUL)
        n = to->values[to->nodes[n].inputs[0]].producer;
    return n == GRAPH_NONE ? GRAPH_NONE : to->nodes[n].inputs[0];
}

static ondol_status add_outputs(lowering *l, graph_value_id old) {
    if (!lower_is_rows(l, old)) {
        const graph_node_id maker = l->r.from->values[old].producer;
        if (maker != GRAPH_NONE) return lower_unrecognised(l, maker, "it makes the logits");
        return base_fail(l->err, ONDOL_E_UNSUPPORTED, "the logits are made by no node");
    }
    const graph_value_id logits = l->r.map[old], hidden = hidden_of(l->r.to, logits);
    if (hidden == GRAPH_NONE || !l->decoder->layer_count) {
        return base_fail(l->err, ONDOL_E_UNSUPPORTED,
                         "the logits are no projection behind attention layers");
    }
    l->decoder->hidden = (uint32_t)l->r.to->values[hidden].shape.dims[1];
    l->decoder->vocabulary = (uint32_t)l->r.to->values[logits].shape.dims[1];
    ondol_status status = graph_add_output(l->r.to, "hidden", hidden, l->err);
    if (status != ONDOL_OK) return status;
    return graph_add_output(l->r.to, "logits", logits, l->err);
}

static graph_value_id input_named(const graph *g, const char *name, const char *usual) {
    for (uint32_t i = 0; i < g->input_count; i++) {
        if (strcmp(g->values[g->inputs[i]].name, name ? name : usual) == 0) return g->inputs[i];
    }
    return GRAPH_NONE;
}

static ondol_status prepare(lowering *l, const graph *from) {
    const ondol_allocator *a = from->allocator;
    const optimize_options *o = l->options;
    l->uses = base_calloc(a, from->value_count, sizeof *l->uses);
    l->states = base_calloc(a, from->value_count, sizeof *l->states);
    l->answers = base_calloc(a, from->value_count, sizeof *l->answers);
    l->decoder->layers = base_calloc(a, from->node_count, sizeof *l->decoder->layers);
    if (!l->uses || !l->states || !l->answers || !l->decoder->layers) {
        return base_no_memory(l->err, "graph pass", from->value_count * sizeof *l->states);
    }
    match_count_uses(from, l->uses);
    l->input_ids = input_named(from, o->input_ids, "input_ids");
    l->attention_mask = input_named(from, o->attention_mask, "attention_mask");
    l->position_ids = input_named(from, o->position_ids, "position_ids");
    return add_inputs(l);
}

ondol_status optimize_lower_decoder(const graph *portable, const optimize_options *options,
                                    optimize_decoder *d, ondol_error *err) {
    const ondol_allocator *a = portable->allocator;
    lowering l = {.decoder = d, .options = options, .err = err};
    graph_value_id logits = GRAPH_NONE;
    ondol_status status = rewrite_begin(portable, &l.r, err);
    if (status != ONDOL_OK) return status;
    TRY(prepare(&l, portable));
    TRY(find_logits(&l, &logits));
    TRY(lower_nodes(&l, logits));
    TRY(add_outputs(&l, logits));
    TRY(graph_verify(l.r.to, err));
    d->lowered = l.r.to;
done:
    base_free(a, l.uses);
    base_free(a, l.states);
    base_free(a, l.answers);
    rewrite_end(&l.r, status == ONDOL_OK);
    return status;
}
