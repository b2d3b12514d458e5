/* Rules of com.microsoft's operators: shapes as far as their inputs tell them; types come from the
 * lists but where a rule sets them. */
#include <inttypes.h>
#include <string.h>

#include "graph/infer/infer.h"

/* Input i where it has that rank. */
static const graph_value *of_rank(const graph *g, graph_node_id n, uint32_t i, uint32_t rank) {
    const graph_value *v = infer_ranked(g, n, i);
    return v && v->shape.rank == rank ? v : NULL;
}

static graph_dim times(graph_dim d, int64_t by) {
    return d >= 0 && by >= 0 && (by == 0 || d <= INT64_MAX / by) ? d * by : GRAPH_DIM_UNKNOWN;
}

static graph_dim over(graph_dim d, int64_t by) {
    return d >= 0 && by > 0 ? d / by : GRAPH_DIM_UNKNOWN;
}

static graph_dim plus(graph_dim a, graph_dim b) {
    return a >= 0 && b >= 0 && a <= INT64_MAX - b ? a + b : GRAPH_DIM_UNKNOWN;
}

/* ------------------------------------------------------------------------- codes of 8 bits */

static ondol_status broadcast_of(graph *g, graph_node_id n, const uint32_t *inputs, uint32_t count,
                                 ondol_error *err) {
    graph_shape shape = {0};
    for (uint32_t i = 0; i < count; i++) {
        const graph_value *x = infer_ranked(g, n, inputs[i]);
        if (!x) return ONDOL_OK;
        const graph_shape before = shape;
        if (!infer_broadcast_shapes(&before, &x->shape, &shape)) {
            return infer_fail(g, n, err, "its operands do not broadcast");
        }
    }
    infer_set_shape(g, n, 0, shape);
    return ONDOL_OK;
}

/* QLinearAdd, QLinearMul. */
ondol_status infer_ms_qlinear_binary(graph *g, graph_node_id n, ondol_error *err) {
    return broadcast_of(g, n, (const uint32_t[]){0, 3}, 2, err);
}

ondol_status infer_ms_mul_integer(graph *g, graph_node_id n, ondol_error *err) {
    return broadcast_of(g, n, (const uint32_t[]){0, 2}, 2, err);
}

ondol_status infer_ms_qlinear_where(graph *g, graph_node_id n, ondol_error *err) {
    return broadcast_of(g, n, (const uint32_t[]){0, 1, 4}, 3, err);
}

ondol_status infer_ms_qgemm(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *a = of_rank(g, n, 0, 2), *b = of_rank(g, n, 3, 2);
    const graph_value *zero = infer_input(g, n, 8), *scale = infer_input(g, n, 7);
    const bool a_turned = graph_get_int(g, n, "transA") != 0;
    const bool b_turned = graph_get_int(g, n, "transB") != 0;
    graph_dim inner = 0;
    if (zero)
        infer_set_element(g, n, 0, zero->element);
    else
        infer_set_element(g, n, 0, scale ? TENSOR_ELEMENT_UNDEFINED : TENSOR_ELEMENT_F32);
    if (!a || !b) return ONDOL_OK;
    if (!infer_merge_dims(a->shape.dims[a_turned ? 0 : 1], b->shape.dims[b_turned ? 1 : 0],
                          &inner)) {
        return infer_fail(g, n, err, "its matrices do not fit");
    }
    infer_set_shape(
        g, n, 0, graph_shape_2(a->shape.dims[a_turned ? 1 : 0], b->shape.dims[b_turned ? 0 : 1]));
    return ONDOL_OK;
}

ondol_status infer_ms_qlinear_concat(graph *g, graph_node_id n, ondol_error *err) {
    const graph_node *node = g->nodes + n;
    const graph_value *zero = infer_input(g, n, 1), *first = infer_ranked(g, n, 2);
    uint32_t axis = 0;
    if (zero) infer_set_element(g, n, 0, zero->element);
    if (!first) return ONDOL_OK;
    graph_shape y = first->shape;
    ondol_status status = infer_axis(g, n, graph_get_int(g, n, "axis"), y.rank, &axis, err);
    if (status != ONDOL_OK) return status;
    for (uint32_t i = 5; i < node->input_count; i += 3) {
        const graph_value *part = infer_ranked(g, n, i);
        if (!part || part->shape.rank != y.rank) return ONDOL_OK;
        y.dims[axis] = plus(y.dims[axis], part->shape.dims[axis]);
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* QLinearAveragePool, QLinearGlobalAveragePool: batch and channels stay; the rest is 1 or open. */
ondol_status infer_ms_qlinear_pool(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    const bool is_global = g->nodes[n].op == GRAPH_OP_MS_QLINEAR_GLOBAL_AVERAGE_POOL;
    (void)err;
    if (!x || x->shape.rank < 3) return ONDOL_OK;
    const uint32_t channel = graph_get_int(g, n, "channels_last") ? x->shape.rank - 1 : 1;
    graph_shape y = x->shape;
    for (uint32_t i = 1; i < y.rank; i++)
        if (i != channel) y.dims[i] = is_global ? 1 : GRAPH_DIM_UNKNOWN;
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* QLinearReduceMean, ReduceSumInteger: axes of the attribute, all where it has none. */
ondol_status infer_ms_reduce(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    const graph_attribute *axes = graph_get_attribute(g, n, "axes");
    const bool keeps = !graph_get_attribute(g, n, "keepdims") || graph_get_int(g, n, "keepdims");
    bool is_reduced[GRAPH_MAX_RANK] = {false};
    graph_shape y = {0};
    if (g->nodes[n].op == GRAPH_OP_MS_REDUCE_SUM_INTEGER && infer_input(g, n, 0)) {
        const tensor_element e = infer_input(g, n, 0)->element;
        if (e == TENSOR_ELEMENT_I8) infer_set_element(g, n, 0, TENSOR_ELEMENT_I32);
        if (e == TENSOR_ELEMENT_U8) infer_set_element(g, n, 0, TENSOR_ELEMENT_U32);
    }
    if (!x) return ONDOL_OK;
    const uint32_t count = axes ? axes->int_count : 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t axis = 0;
        ondol_status status = infer_axis(g, n, axes->ints[i], x->shape.rank, &axis, err);
        if (status != ONDOL_OK) return status;
        is_reduced[axis] = true;
    }
    for (uint32_t i = 0; i < x->shape.rank; i++) {
        const bool goes = count == 0 || is_reduced[i];
        if (!goes || keeps) y.dims[y.rank++] = goes ? 1 : x->shape.dims[i];
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* Codes in bytes: the last dimension holds 8 / bits times as many. */
ondol_status infer_ms_gather_block_quantized(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *data = infer_ranked(g, n, 0), *indices = infer_ranked(g, n, 1);
    const int64_t bits = graph_get_int(g, n, "bits");
    uint32_t axis = 0;
    graph_shape y = {0};
    if (!data || !indices || !data->shape.rank) return ONDOL_OK;
    ondol_status status =
        infer_axis(g, n, graph_get_int(g, n, "gather_axis"), data->shape.rank, &axis, err);
    if (status != ONDOL_OK) return status;
    if (data->shape.rank - 1 + indices->shape.rank > GRAPH_MAX_RANK) {
        return infer_fail(g, n, err, "its result has too many dimensions");
    }
    for (uint32_t i = 0; i < data->shape.rank; i++) {
        graph_dim d = data->shape.dims[i];
        const bool is_packed = data->element == TENSOR_ELEMENT_U8 && i + 1 == data->shape.rank;
        if (is_packed) d = bits > 0 && bits <= 8 ? times(d, 8 / bits) : GRAPH_DIM_UNKNOWN;
        for (uint32_t k = 0; i == axis && k < indices->shape.rank; k++)
            y.dims[y.rank++] = indices->shape.dims[k];
        if (i != axis) y.dims[y.rank++] = d;
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* -------------------------------------------------------------------------------- attention */

/* Attention, DecoderMaskedSelfAttention, QAttention: the values' part of the projections. */
ondol_status infer_ms_self_attention(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = of_rank(g, n, 0, 3), *bias = of_rank(g, n, 2, 1);
    const graph_attribute *sizes = graph_get_attribute(g, n, "qkv_hidden_sizes");
    const graph_value *bias_type = infer_input(g, n, 2);
    (void)err;
    if (g->nodes[n].op == GRAPH_OP_MS_QATTENTION && bias_type)
        infer_set_element(g, n, 0, bias_type->element);
    if (!x) return ONDOL_OK;
    graph_dim width = bias ? over(bias->shape.dims[0], 3) : GRAPH_DIM_UNKNOWN;
    if (sizes) width = sizes->int_count == 3 ? sizes->ints[2] : GRAPH_DIM_UNKNOWN;
    infer_set_shape(g, n, 0, graph_shape_3(x->shape.dims[0], x->shape.dims[1], width));
    return ONDOL_OK;
}

/* MultiHeadAttention, DecoderMaskedMultiHeadAttention. */
ondol_status infer_ms_multi_head_attention(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *q = infer_ranked(g, n, 0), *v = infer_ranked(g, n, 2);
    graph_dim width = GRAPH_DIM_UNKNOWN;
    (void)err;
    if (!q || (q->shape.rank != 3 && q->shape.rank != 5)) return ONDOL_OK;
    if (q->shape.rank == 5) { /* packed: [batch, rows, heads, 3, size] */
        if (q->shape.dims[2] >= 0) width = times(q->shape.dims[4], q->shape.dims[2]);
    } else if (v && v->shape.rank == 3) {
        width = v->shape.dims[2];
    } else if (v && v->shape.rank == 4 && v->shape.dims[1] >= 0) {
        width = times(v->shape.dims[3], v->shape.dims[1]);
    } else if (!infer_input(g, n, 2)) {
        width = q->shape.dims[2];
    }
    infer_set_shape(g, n, 0, graph_shape_3(q->shape.dims[0], q->shape.dims[1], width));
    return ONDOL_OK;
}

ondol_status infer_ms_paged_attention(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *q = of_rank(g, n, 0, 2);
    const graph_value *caches[2] = {infer_ranked(g, n, 3), infer_ranked(g, n, 4)};
    const int64_t heads = graph_get_int(g, n, "num_heads");
    const int64_t kv = graph_get_int(g, n, "kv_num_heads"),
                  v_size = graph_get_int(g, n, "v_head_size");
    (void)err;
    for (uint32_t i = 0; i < 2; i++)
        if (caches[i]) infer_set_shape(g, n, 1 + i, caches[i]->shape);
    if (!q || heads < 1 || kv < 1 || heads > INT32_MAX || kv > INT32_MAX) return ONDOL_OK;
    graph_dim width = q->shape.dims[1];
    if (!infer_input(g, n, 1)) width = times(over(width, heads + 2 * kv), heads);
    if (v_size > 0) width = times(v_size, heads);
    infer_set_shape(g, n, 0, graph_shape_2(q->shape.dims[0], width));
    return ONDOL_OK;
}

/* --------------------------------------------------------------------------- rows of numbers */

ondol_status infer_ms_embed_layer_norm(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *ids = of_rank(g, n, 0, 2), *words = of_rank(g, n, 2, 2);
    (void)err;
    if (!ids) return ONDOL_OK;
    const graph_dim width = words ? words->shape.dims[1] : GRAPH_DIM_UNKNOWN;
    const graph_shape y = graph_shape_3(ids->shape.dims[0], ids->shape.dims[1], width);
    const graph_shape counts = graph_shape_1(ids->shape.dims[0]);
    infer_set_shape(g, n, 0, y);
    infer_set_shape(g, n, 1, counts);
    infer_set_shape(g, n, 2, y);
    return ONDOL_OK;
}

ondol_status infer_ms_bias_split_gelu(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    (void)err;
    if (!x || !x->shape.rank) return ONDOL_OK;
    graph_shape y = x->shape;
    y.dims[y.rank - 1] = over(y.dims[y.rank - 1], 2);
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* Output 0 is like input 0 (MoE, QMoE), input 1 (NGramRepeatBlock). */
ondol_status infer_ms_shape_of_second(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 1);
    (void)err;
    if (x) infer_set_shape(g, n, 0, x->shape);
    return ONDOL_OK;
}

ondol_status infer_ms_cdist(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *a = of_rank(g, n, 0, 2), *b = of_rank(g, n, 1, 2);
    (void)err;
    if (a && b) infer_set_shape(g, n, 0, graph_shape_2(a->shape.dims[0], b->shape.dims[0]));
    return ONDOL_OK;
}

ondol_status infer_ms_crop_and_resize(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = of_rank(g, n, 0, 4), *rois = of_rank(g, n, 1, 2);
    graph_dim size[2] = {GRAPH_DIM_UNKNOWN, GRAPH_DIM_UNKNOWN};
    int64_t numbers[INFER_MAX_NUMBERS];
    uint32_t count = 0;
    (void)err;
    if (infer_integers(g, n, 3, numbers, &count) && count == 2) {
        for (int i = 0; i < 2; i++)
            if (numbers[i] >= 0) size[i] = numbers[i];
    }
    infer_set_shape(g, n, 0,
                    graph_shape_4(rois ? rois->shape.dims[0] : GRAPH_DIM_UNKNOWN,
                                  x ? x->shape.dims[1] : GRAPH_DIM_UNKNOWN, size[0], size[1]));
    return ONDOL_OK;
}

ondol_status infer_ms_unfold_tensor(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    const int64_t size = graph_get_int(g, n, "size"), step = graph_get_int(g, n, "step");
    uint32_t axis = 0;
    if (!x || x->shape.rank >= GRAPH_MAX_RANK) return ONDOL_OK;
    ondol_status status = infer_axis(g, n, graph_get_int(g, n, "dim"), x->shape.rank, &axis, err);
    if (status != ONDOL_OK) return status;
    if (size < 1 || step < 1)
        return infer_fail(g, n, err, "size %" PRId64 ", step %" PRId64, size, step);
    graph_shape y = x->shape;
    const graph_dim whole = y.dims[axis];
    y.dims[axis] = whole >= size ? (whole - size) / step + 1 : GRAPH_DIM_UNKNOWN;
    y.dims[y.rank++] = size;
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* Rfft: the last dimension halved, and pairs; Irfft: back. */
ondol_status infer_ms_fourier(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    (void)err;
    if (!x || x->shape.rank < 1 || x->shape.rank >= GRAPH_MAX_RANK) return ONDOL_OK;
    graph_shape y = x->shape;
    if (g->nodes[n].op == GRAPH_OP_MS_RFFT) {
        const graph_dim half = over(y.dims[y.rank - 1], 2);
        y.dims[y.rank - 1] = plus(half, 1);
        y.dims[y.rank++] = 2;
    } else {
        if (y.rank < 2) return ONDOL_OK;
        y.rank--;
        const graph_dim kept = y.dims[y.rank - 1];
        y.dims[y.rank - 1] = kept >= 1 ? times(kept - 1, 2) : GRAPH_DIM_UNKNOWN;
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* Hashes: an integer for each element, with a sign where the attribute says so. */
ondol_status infer_ms_murmur_hash3(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    (void)err;
    infer_set_element(g, n, 0,
                      graph_get_int(g, n, "positive") ? TENSOR_ELEMENT_U32 : TENSOR_ELEMENT_I32);
    if (x) infer_set_shape(g, n, 0, x->shape);
    return ONDOL_OK;
}

ondol_status infer_ms_matmul_integer16(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *a = infer_input(g, n, 0), *b = infer_input(g, n, 1);
    if (a && b && a->element != TENSOR_ELEMENT_UNDEFINED &&
        b->element != TENSOR_ELEMENT_UNDEFINED) {
        const bool is_unsigned =
            a->element == TENSOR_ELEMENT_U16 && b->element == TENSOR_ELEMENT_U16;
        infer_set_element(g, n, 0, is_unsigned ? TENSOR_ELEMENT_U32 : TENSOR_ELEMENT_I32);
    }
    return infer_matmul(g, n, err);
}

/* ---------------------------------------------------------------------------------- searches */

/* GreedySearch, Sampling [batch, max_length]; BeamSearch [batch, sequences, max_length]. */
ondol_status infer_ms_search(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *ids = infer_ranked(g, n, 0);
    const bool is_beam = g->nodes[n].op == GRAPH_OP_MS_BEAM_SEARCH;
    int64_t numbers[INFER_MAX_NUMBERS];
    uint32_t count = 0;
    graph_dim length = GRAPH_DIM_UNKNOWN, kept = GRAPH_DIM_UNKNOWN;
    (void)err;
    if (infer_integers(g, n, 1, numbers, &count) && count == 1 && numbers[0] >= 0)
        length = numbers[0];
    if (is_beam && infer_integers(g, n, 4, numbers, &count) && count == 1 && numbers[0] >= 0)
        kept = numbers[0];
    const graph_dim batch = ids && ids->shape.rank ? ids->shape.dims[0] : GRAPH_DIM_UNKNOWN;
    infer_set_shape(g, n, 0,
                    is_beam ? graph_shape_3(batch, kept, length) : graph_shape_2(batch, length));
    if (is_beam) infer_set_shape(g, n, 1, graph_shape_2(batch, kept));
    for (uint32_t i = 1; i < g->nodes[n].output_count; i++) {
        const graph_value *penalty = infer_input(g, n, is_beam ? 5 : 3);
        infer_set_element(g, n, i, penalty ? penalty->element : TENSOR_ELEMENT_F32);
    }
    return ONDOL_OK;
}
