/* Blocks. In: values of a portable graph. Out: the nodes of norms, projections, attention, MLP. */
#include <math.h>
#include <stdio.h>

#include "models/decoder_nodes.h"

graph_node_id decoder_node(decoder *d, graph_op op, int layer, const char *name,
                           const graph_value_id *inputs, uint32_t input_count,
                           uint32_t output_count) {
    char full[128];
    graph_node_id n = GRAPH_NONE;
    if (d->status != ONDOL_OK) return GRAPH_NONE;
    if (layer == DECODER_GLOBAL)
        snprintf(full, sizeof full, "%s", name);
    else
        snprintf(full, sizeof full, "blk.%d.%s", layer, name);
    d->status = graph_add_node(d->g, op, full, inputs, input_count, output_count, &n, d->err);
    return n;
}

void decoder_set_int(decoder *d, graph_node_id n, const char *name, int64_t v) {
    if (d->status == ONDOL_OK) d->status = graph_set_int(d->g, n, name, v, d->err);
}

void decoder_set_float(decoder *d, graph_node_id n, const char *name, double v) {
    if (d->status == ONDOL_OK) d->status = graph_set_float(d->g, n, name, v, d->err);
}

graph_value_id decoder_infer(decoder *d, graph_node_id n) {
    if (d->status == ONDOL_OK) d->status = graph_infer_node(d->g, n, d->err);
    return d->status == ONDOL_OK ? graph_output_of(d->g, n, 0) : GRAPH_NONE;
}

graph_value_id decoder_unary(decoder *d, graph_op op, graph_value_id x, int layer,
                             const char *name) {
    return decoder_infer(d, decoder_node(d, op, layer, name, &x, 1, 1));
}

graph_value_id decoder_binary(decoder *d, graph_op op, graph_value_id a, graph_value_id b,
                              int layer, const char *name) {
    graph_value_id inputs[2] = {a, b};
    return decoder_infer(d, decoder_node(d, op, layer, name, inputs, 2, 1));
}

graph_value_id decoder_constant(decoder *d, const char *name, tensor_element element,
                                graph_shape shape, const void *data) {
    graph_value_id v = GRAPH_NONE;
    if (d->status == ONDOL_OK) {
        d->status = graph_add_constant(d->g, name, element, shape, data, &v, d->err);
    }
    return v;
}

static graph_value_id times(decoder *d, graph_value_id x, double factor, const char *name) {
    float f = (float)factor;
    graph_value_id c = decoder_constant(d, name, TENSOR_ELEMENT_F32, (graph_shape){0}, &f);
    return decoder_binary(d, GRAPH_OP_MUL, x, c, DECODER_GLOBAL, name);
}

graph_value_id decoder_embed(decoder *d, double scale) {
    graph_value_id table = decoder_matrix(d, DECODER_GLOBAL, "token_embd.weight", 0, d->hidden);
    if (d->status != ONDOL_OK) return GRAPH_NONE;
    d->vocabulary = (uint32_t)d->g->values[table].shape.dims[0];
    graph_value_id x =
        decoder_binary(d, GRAPH_OP_GATHER, table, d->ids, DECODER_GLOBAL, "token_embd");
    return scale == 1 ? x : times(d, x, scale, "embedding_scale");
}

graph_value_id decoder_linear(decoder *d, graph_value_id x, int layer, const char *name,
                              uint64_t in, uint64_t out) {
    char weight[96], bias[96];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    graph_value_id inputs[2] = {x, decoder_matrix(d, layer, weight, out, in)};
    graph_node_id n = decoder_node(d, GRAPH_OP_MS_FUSED_MATMUL, layer, name, inputs, 2, 1);
    decoder_set_int(d, n, "transB", 1);
    graph_value_id y = decoder_infer(d, n);
    graph_value_id b = decoder_vector(d, layer, bias, out, true);
    return b == GRAPH_NONE ? y : decoder_binary(d, GRAPH_OP_ADD, y, b, layer, bias);
}

static graph_value_id rms_norm_of(decoder *d, graph_value_id x, int layer, const char *name,
                                  uint64_t n) {
    char weight[96];
    snprintf(weight, sizeof weight, "%s.weight", name);
    graph_value_id inputs[2] = {x, decoder_vector(d, layer, weight, n, false)};
    graph_node_id node = decoder_node(d, GRAPH_OP_RMS_NORMALIZATION, layer, name, inputs, 2, 1);
    decoder_set_float(d, node, "epsilon", (double)d->epsilon);
    return decoder_infer(d, node);
}

graph_value_id decoder_rms_norm(decoder *d, graph_value_id x, int layer, const char *name) {
    return rms_norm_of(d, x, layer, name, d->hidden);
}

graph_value_id decoder_layer_norm(decoder *d, graph_value_id x, int layer, const char *name) {
    char weight[96], bias[96];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    graph_value_id inputs[3] = {x, decoder_vector(d, layer, weight, d->hidden, false),
                                decoder_vector(d, layer, bias, d->hidden, true)};
    uint32_t count = inputs[2] == GRAPH_NONE ? 2 : 3;
    graph_node_id n = decoder_node(d, GRAPH_OP_LAYER_NORMALIZATION, layer, name, inputs, count, 1);
    decoder_set_float(d, n, "epsilon", (double)d->epsilon);
    return decoder_infer(d, n);
}

graph_value_id decoder_add(decoder *d, graph_value_id a, graph_value_id b, int layer,
                           const char *name) {
    return decoder_binary(d, GRAPH_OP_ADD, a, b, layer, name);
}

graph_value_id decoder_softcap(decoder *d, graph_value_id x, double cap) {
    if (cap == 0) return x;
    float f = (float)cap;
    graph_value_id c = decoder_constant(d, "softcap", TENSOR_ELEMENT_F32, (graph_shape){0}, &f);
    x = decoder_binary(d, GRAPH_OP_DIV, x, c, DECODER_GLOBAL, "softcap");
    x = decoder_unary(d, GRAPH_OP_TANH, x, DECODER_GLOBAL, "softcap");
    return decoder_binary(d, GRAPH_OP_MUL, x, c, DECODER_GLOBAL, "softcap");
}

/* Splits the last axis of x [B, S, sum] into `count` parts of these sizes. */
static void split(decoder *d, graph_value_id x, const int64_t *sizes, uint32_t count, int layer,
                  const char *name, graph_value_id *out) {
    graph_value_id inputs[2] = {
        x, decoder_constant(d, name, TENSOR_ELEMENT_I64, graph_shape_1(count), sizes)};
    graph_node_id n = decoder_node(d, GRAPH_OP_SPLIT, layer, name, inputs, 2, count);
    decoder_set_int(d, n, "axis", -1);
    decoder_infer(d, n);
    for (uint32_t i = 0; i < count; i++)
        out[i] = d->status == ONDOL_OK ? graph_output_of(d->g, n, i) : GRAPH_NONE;
}

/* q [B,S,H*e], k and v [B,S,K*e] from three weights, or from one with rows of q, k, v. */
static void project_qkv(decoder *d, graph_value_id x, int layer, graph_value_id qkv[3]) {
    int64_t sizes[3] = {(int64_t)d->heads * d->head_size, (int64_t)d->kv_heads * d->head_size,
                        (int64_t)d->kv_heads * d->head_size};
    static const char *const names[3] = {"attn_q", "attn_k", "attn_v"};
    static const char *const biases[3] = {"attn_q.bias", "attn_k.bias", "attn_v.bias"};
    bool fused = decoder_has(d, layer, "attn_qkv.weight");
    if (fused) {
        uint64_t total = (uint64_t)(sizes[0] + sizes[1] + sizes[2]);
        graph_value_id all = decoder_linear(d, x, layer, "attn_qkv", d->hidden, total);
        split(d, all, sizes, 3, layer, "attn_qkv", qkv);
    }
    for (int i = 0; i < 3; i++) {
        if (!fused) {
            qkv[i] = decoder_linear(d, x, layer, names[i], d->hidden, (uint64_t)sizes[i]);
        } else if (decoder_has(d, layer, biases[i])) {
            d->status =
                d->status != ONDOL_OK
                    ? d->status
                    : base_fail(d->err, ONDOL_E_UNSUPPORTED,
                                "tensor 'blk.%d.%s' beside a fused attn_qkv", layer, biases[i]);
        }
    }
}

static graph_value_id reshape(decoder *d, graph_value_id x, const int64_t *shape, uint32_t rank,
                              int layer, const char *name) {
    graph_value_id s = decoder_constant(d, name, TENSOR_ELEMENT_I64, graph_shape_1(rank), shape);
    return decoder_binary(d, GRAPH_OP_RESHAPE, x, s, layer, name);
}

/* RMS norm of q or k, by head or whole. */
static graph_value_id qk_norm(decoder *d, graph_value_id x, int layer, const char *name,
                              uint32_t heads, decoder_qk_norm kind) {
    if (kind == DECODER_QK_NONE) return x;
    uint64_t columns = (uint64_t)heads * d->head_size;
    if (kind == DECODER_QK_WHOLE) return rms_norm_of(d, x, layer, name, columns);
    const int64_t by_head[4] = {0, 0, heads, d->head_size}, whole[3] = {0, 0, (int64_t)columns};
    x = reshape(d, x, by_head, 4, layer, name);
    x = rms_norm_of(d, x, layer, name, d->head_size);
    return reshape(d, x, whole, 3, layer, name);
}

static graph_value_id rotate(decoder *d, graph_value_id x, int layer, const char *name,
                             uint32_t heads, const decoder_rope *rope) {
    if (!rope || rope->rotated == 0) return x;
    graph_value_id inputs[3] = {x, rope->cosines, rope->sines};
    graph_node_id n = decoder_node(d, GRAPH_OP_ROTARY_EMBEDDING, layer, name, inputs, 3, 1);
    decoder_set_int(d, n, "interleaved", rope->interleaved);
    decoder_set_int(d, n, "num_heads", heads);
    decoder_set_int(d, n, "rotary_embedding_dim", rope->rotated);
    return decoder_infer(d, n);
}

graph_value_id decoder_self_attention(decoder *d, graph_value_id x, int layer,
                                      const decoder_attention *options) {
    graph_value_id qkv[3] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE},
                   pasts[2] = {GRAPH_NONE, GRAPH_NONE};
    graph_shape past = graph_shape_4(d->batch, d->kv_heads, d->past, d->head_size);
    static const char *const kinds[2] = {"key", "value"};
    project_qkv(d, x, layer, qkv);
    qkv[0] = qk_norm(d, qkv[0], layer, "attn_q_norm", d->heads, options->qk_norm);
    qkv[1] = qk_norm(d, qkv[1], layer, "attn_k_norm", d->kv_heads, options->qk_norm);
    qkv[0] = rotate(d, qkv[0], layer, "q_rope", d->heads, options->rope);
    qkv[1] = rotate(d, qkv[1], layer, "k_rope", d->kv_heads, options->rope);
    for (int i = 0; i < 2 && d->status == ONDOL_OK; i++) {
        char name[64];
        snprintf(name, sizeof name, "past_key_values.%u.%s", d->cache_layers, kinds[i]);
        d->status = graph_add_input(d->g, name, TENSOR_ELEMENT_F32, past, pasts + i, d->err);
    }
    graph_value_id inputs[7] = {qkv[0], qkv[1], qkv[2], pasts[0], pasts[1], d->lengths, d->total};
    graph_node_id n =
        decoder_node(d, GRAPH_OP_MS_GROUP_QUERY_ATTENTION, layer, "attention", inputs, 7, 3);
    double scale = options->scale == 0 ? 1 / sqrt((double)d->head_size) : options->scale;
    decoder_set_int(d, n, "num_heads", d->heads);
    decoder_set_int(d, n, "kv_num_heads", d->kv_heads);
    decoder_set_float(d, n, "scale", scale);
    decoder_set_float(d, n, "softcap", options->softcap);
    decoder_set_int(d, n, "local_window_size", options->window ? (int64_t)options->window : -1);
    x = decoder_infer(d, n);
    if (d->status != ONDOL_OK) return GRAPH_NONE;
    d->presents[2 * d->cache_layers] = graph_output_of(d->g, n, 1);
    d->presents[2 * d->cache_layers + 1] = graph_output_of(d->g, n, 2);
    d->cache_layers++;
    return decoder_linear(d, x, layer, "attn_output", (uint64_t)d->heads * d->head_size, d->hidden);
}

static graph_value_id activate(decoder *d, graph_value_id x, int layer, decoder_activation kind) {
    if (kind == DECODER_SILU) return decoder_unary(d, GRAPH_OP_SWISH, x, layer, "ffn_act");
    graph_node_id n = decoder_node(d, GRAPH_OP_GELU, layer, "ffn_act", &x, 1, 1);
    if (d->status == ONDOL_OK) {
        d->status = graph_set_string(d->g, n, "approximate", "tanh", d->err);
    }
    return decoder_infer(d, n);
}

graph_value_id decoder_gated_mlp(decoder *d, graph_value_id x, int layer,
                                 decoder_activation activation) {
    graph_value_id parts[2];
    if (decoder_has(d, layer, "ffn_gate.weight")) {
        parts[0] = decoder_linear(d, x, layer, "ffn_gate", d->hidden, d->feed_forward);
        parts[1] = decoder_linear(d, x, layer, "ffn_up", d->hidden, d->feed_forward);
    } else {
        const int64_t sizes[2] = {d->feed_forward, d->feed_forward};
        graph_value_id both =
            decoder_linear(d, x, layer, "ffn_up", d->hidden, 2 * (uint64_t)d->feed_forward);
        split(d, both, sizes, 2, layer, "ffn_gate_up", parts);
    }
    parts[0] = activate(d, parts[0], layer, activation);
    x = decoder_binary(d, GRAPH_OP_MUL, parts[0], parts[1], layer, "ffn_gated");
    return decoder_linear(d, x, layer, "ffn_down", d->feed_forward, d->hidden);
}

graph_value_id decoder_plain_mlp(decoder *d, graph_value_id x, int layer) {
    x = decoder_linear(d, x, layer, "ffn_up", d->hidden, d->feed_forward);
    x = activate(d, x, layer, DECODER_GELU_TANH);
    return decoder_linear(d, x, layer, "ffn_down", d->feed_forward, d->hidden);
}

/* The embedding table as it stands in the graph already: tied weights exist once. */
static graph_value_id tied_logits(decoder *d, graph_value_id x) {
    graph_value_id inputs[2] = {x, GRAPH_NONE};
    for (uint32_t n = 0; d->status == ONDOL_OK && n < d->g->node_count; n++) {
        if (d->g->nodes[n].op == GRAPH_OP_GATHER) inputs[1] = d->g->nodes[n].inputs[0];
    }
    graph_node_id n =
        decoder_node(d, GRAPH_OP_MS_FUSED_MATMUL, DECODER_GLOBAL, "output", inputs, 2, 1);
    decoder_set_int(d, n, "transB", 1);
    return decoder_infer(d, n);
}

void decoder_finish(decoder *d, graph_value_id x, bool always_tied, double logit_cap) {
    bool tied = always_tied || !decoder_has(d, DECODER_GLOBAL, "output.weight");
    graph_value_id logits =
        tied ? tied_logits(d, x)
             : decoder_linear(d, x, DECODER_GLOBAL, "output", d->hidden, d->vocabulary);
    logits = decoder_softcap(d, logits, logit_cap);
    if (d->status == ONDOL_OK) d->status = graph_add_output(d->g, "logits", logits, d->err);
    if (d->status == ONDOL_OK) d->status = graph_add_output(d->g, "hidden_states", x, d->err);
    for (uint32_t i = 0; i < 2 * d->cache_layers && d->status == ONDOL_OK; i++) {
        char name[64];
        snprintf(name, sizeof name, "present.%u.%s", i / 2, i % 2 ? "value" : "key");
        d->status = graph_add_output(d->g, name, d->presents[i], d->err);
    }
}
