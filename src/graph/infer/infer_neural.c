/* Rules of matrix products, convolution, pooling, norms and recurrence. */
#include <inttypes.h>
#include <string.h>

#include "graph/infer/infer.h"

static ondol_status product(graph *g, graph_node_id n, uint32_t b_index, bool a_turned,
                            bool b_turned, ondol_error *err) {
    const graph_value *a = infer_ranked(g, n, 0), *b = infer_ranked(g, n, b_index);
    if (!a || !b) return ONDOL_OK;
    if (!a->shape.rank || !b->shape.rank) return infer_fail(g, n, err, "an operand of rank 0");
    const bool a_vector = a->shape.rank == 1, b_vector = b->shape.rank == 1;
    const graph_dim *a_end = a->shape.dims + a->shape.rank, *b_end = b->shape.dims + b->shape.rank;
    const graph_dim a_rows = a_vector ? 1 : a_end[a_turned ? -1 : -2];
    const graph_dim a_inner = a_vector ? a_end[-1] : a_end[a_turned ? -2 : -1];
    const graph_dim b_inner = b_vector ? b_end[-1] : b_end[b_turned ? -1 : -2];
    const graph_dim b_columns = b_vector ? 1 : b_end[b_turned ? -2 : -1];
    graph_dim merged = 0;
    if (!infer_merge_dims(a_inner, b_inner, &merged)) {
        return infer_fail(g, n, err, "inner sizes %" PRId64 " and %" PRId64, a_inner, b_inner);
    }
    graph_shape p = a->shape, q = b->shape, y;
    p.rank = a_vector ? 0 : p.rank - 2;
    q.rank = b_vector ? 0 : q.rank - 2;
    if (!infer_broadcast_shapes(&p, &q, &y))
        return infer_fail(g, n, err, "batches do not broadcast");
    if (!a_vector) y.dims[y.rank++] = a_rows;
    if (!b_vector) y.dims[y.rank++] = b_columns;
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_matmul(graph *g, graph_node_id n, ondol_error *err) {
    if (graph_get_int(g, n, "transBatchA") || graph_get_int(g, n, "transBatchB")) return ONDOL_OK;
    return product(g, n, 1, graph_get_int(g, n, "transA") != 0, graph_get_int(g, n, "transB") != 0,
                   err);
}

/* QLinearMatMul: b is input 3. */
ondol_status infer_qlinear_matmul(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *zero = infer_input(g, n, 7);
    if (zero) infer_set_element(g, n, 0, zero->element);
    return product(g, n, 3, false, false, err);
}

/* y [..., N]. */
ondol_status infer_matmul_nbits(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *a = infer_ranked(g, n, 0);
    const int64_t k = graph_get_int(g, n, "K"), outputs = graph_get_int(g, n, "N");
    if (k < 1 || outputs < 1) return infer_fail(g, n, err, "K %" PRId64 ", N %" PRId64, k, outputs);
    if (!a || !a->shape.rank) return ONDOL_OK;
    graph_shape y = a->shape;
    graph_dim merged = 0;
    if (!infer_merge_dims(y.dims[y.rank - 1], k, &merged)) {
        return infer_fail(g, n, err, "rows of %" PRId64 ", K is %" PRId64, y.dims[y.rank - 1], k);
    }
    y.dims[y.rank - 1] = outputs;
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* One output size of a window. */
static graph_dim window_size(graph_dim in, int64_t kernel, int64_t stride, int64_t dilation,
                             int64_t pads, const char *auto_pad, bool ceil) {
    if (in < 0 || kernel < 1 || stride < 1 || dilation < 1) return GRAPH_DIM_UNKNOWN;
    if (strncmp(auto_pad, "SAME", 4) == 0) return in / stride + (in % stride != 0);
    if (strcmp(auto_pad, "VALID") == 0) pads = 0;
    const int64_t reach = infer_sum(infer_product(kernel - 1, dilation), 1);
    const int64_t room = infer_sum(infer_sum(in, pads), -reach);
    if (room < 0 || room == INT64_MAX) return GRAPH_DIM_UNKNOWN;
    return ceil && room % stride ? GRAPH_DIM_UNKNOWN : room / stride + 1;
}

static int64_t item_of(const graph_attribute *a, uint32_t i, int64_t otherwise) {
    return a && i < a->int_count ? a->ints[i] : otherwise;
}

/* Spatial sizes of convolution and pooling. w: weights whose dims from 2 on are the kernel, or
 * NULL.
 */
static graph_shape windowed(const graph *g, graph_node_id n, const graph_shape *x,
                            const graph_shape *w, graph_dim channels) {
    const graph_attribute *kernel = graph_get_attribute(g, n, "kernel_shape");
    const graph_attribute *strides = graph_get_attribute(g, n, "strides");
    const graph_attribute *dilations = graph_get_attribute(g, n, "dilations");
    const graph_attribute *pads = graph_get_attribute(g, n, "pads");
    const char *auto_pad = graph_get_string(g, n, "auto_pad");
    const bool ceil = graph_get_int(g, n, "ceil_mode") != 0;
    graph_shape y = infer_open(x->rank);
    const uint32_t spatial = x->rank - 2;
    y.dims[0] = x->dims[0];
    y.dims[1] = channels;
    for (uint32_t i = 0; i < spatial; i++) {
        const int64_t size = item_of(kernel, i, w && i + 2 < w->rank ? w->dims[i + 2] : -1);
        y.dims[i + 2] = window_size(
            x->dims[i + 2], size, item_of(strides, i, 1), item_of(dilations, i, 1),
            infer_sum(item_of(pads, i, 0), item_of(pads, spatial + i, 0)), auto_pad, ceil);
    }
    return y;
}

/* x [N, C, S...], weights [M, C / group, k...] at input w. */
static ondol_status convolve(graph *g, graph_node_id n, uint32_t w_index, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0), *w = infer_ranked(g, n, w_index);
    if (!x) {
        if (w) infer_set_shape(g, n, 0, infer_open(w->shape.rank));
        return ONDOL_OK;
    }
    if (x->shape.rank < 2) return infer_fail(g, n, err, "X has rank %" PRIu32, x->shape.rank);
    if (w && w->shape.rank != x->shape.rank) {
        return infer_fail(g, n, err, "X has rank %" PRIu32 ", W %" PRIu32, x->shape.rank,
                          w->shape.rank);
    }
    const int64_t group = graph_get_int(g, n, "group");
    if (w && x->shape.dims[1] >= 0 && w->shape.dims[1] >= 0 && group > 0 &&
        x->shape.dims[1] != infer_product(w->shape.dims[1], group)) {
        return infer_fail(g, n, err,
                          "%" PRId64 " channels, but weights for %" PRId64 " in %" PRId64 " groups",
                          x->shape.dims[1], w->shape.dims[1], group);
    }
    infer_set_shape(
        g, n, 0,
        windowed(g, n, &x->shape, w ? &w->shape : NULL, w ? w->shape.dims[0] : GRAPH_DIM_UNKNOWN));
    return ONDOL_OK;
}

ondol_status infer_conv(graph *g, graph_node_id n, ondol_error *err) {
    return convolve(g, n, 1, err);
}

ondol_status infer_qlinear_conv(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *zero = infer_input(g, n, 7);
    if (zero) infer_set_element(g, n, 0, zero->element);
    return convolve(g, n, 3, err);
}

ondol_status infer_conv_transpose(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0), *w = infer_ranked(g, n, 1);
    const graph_attribute *shape = graph_get_attribute(g, n, "output_shape");
    const graph_attribute *strides = graph_get_attribute(g, n, "strides");
    const graph_attribute *dilations = graph_get_attribute(g, n, "dilations");
    const graph_attribute *pads = graph_get_attribute(g, n, "pads");
    const graph_attribute *extra = graph_get_attribute(g, n, "output_padding");
    const bool explicit_pads = strcmp(graph_get_string(g, n, "auto_pad"), "NOTSET") == 0;
    if (!x || !w || x->shape.rank < 3 || w->shape.rank != x->shape.rank) return ONDOL_OK;
    graph_shape y = infer_open(x->shape.rank);
    const uint32_t spatial = y.rank - 2;
    const int64_t group = graph_get_int(g, n, "group");
    y.dims[0] = x->shape.dims[0];
    if (w->shape.dims[1] >= 0) y.dims[1] = infer_size(infer_product(w->shape.dims[1], group));
    for (uint32_t i = 0; i < spatial; i++) {
        const graph_dim in = x->shape.dims[i + 2], kernel = w->shape.dims[i + 2];
        if (shape && shape->int_count >= spatial) {
            y.dims[i + 2] = shape->ints[shape->int_count - spatial + i];
        } else if (in > 0 && kernel > 0 && explicit_pads) {
            const int64_t parts[] = {infer_product(item_of(strides, i, 1), in - 1),
                                     infer_product(kernel - 1, item_of(dilations, i, 1)),
                                     item_of(extra, i, 0), infer_product(item_of(pads, i, 0), -1),
                                     infer_product(item_of(pads, spatial + i, 0), -1)};
            int64_t size = 1;
            for (uint32_t k = 0; k < 5; k++)
                size = infer_sum(size, parts[k]);
            y.dims[i + 2] = infer_size(size);
        }
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_pool(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    if (!x) return ONDOL_OK;
    if (x->shape.rank < 3) return infer_fail(g, n, err, "X has rank %" PRIu32, x->shape.rank);
    const graph_shape y = windowed(g, n, &x->shape, NULL, x->shape.dims[1]);
    infer_set_shape(g, n, 0, y);
    infer_set_shape(g, n, 1, y);
    return ONDOL_OK;
}

ondol_status infer_global_pool(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0);
    if (!x || x->shape.rank < 2) return ONDOL_OK;
    graph_shape y = x->shape;
    for (uint32_t i = 2; i < y.rank; i++)
        y.dims[i] = 1;
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* Output 0 as input 0; the others [channels]. */
ondol_status infer_batch_norm(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0), *scale = infer_ranked(g, n, 1);
    if (x) infer_set_shape(g, n, 0, x->shape);
    for (uint32_t i = 1; scale && i < g->nodes[n].output_count; i++)
        infer_set_shape(g, n, i, infer_ranked(g, n, 1)->shape);
    return ONDOL_OK;
}

/* Output 0 as input 0; statistics with the normed axes 1. */
ondol_status infer_layer_norm(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    uint32_t axis = 0;
    if (!x) return ONDOL_OK;
    graph_shape y = x->shape;
    const tensor_element e = x->element;
    infer_set_shape(g, n, 0, y);
    if (!y.rank) return infer_fail(g, n, err, "an input of rank 0");
    ondol_status status = infer_axis(g, n, graph_get_int(g, n, "axis"), y.rank, &axis, err);
    if (status != ONDOL_OK) return status;
    for (uint32_t i = axis; i < y.rank; i++)
        y.dims[i] = 1;
    infer_set_shape(g, n, 1, y);
    infer_set_shape(g, n, 2, y);
    if (g->nodes[n].op == GRAPH_OP_SIMPLIFIED_LAYER_NORMALIZATION) infer_set_element(g, n, 0, e);
    return ONDOL_OK;
}

/* SkipLayerNormalization and its kin: outputs 0 and 3 as input 0. */
ondol_status infer_skip_norm(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0);
    if (!x) return ONDOL_OK;
    const graph_shape y = x->shape;
    const tensor_element e = x->element;
    infer_set(g, n, 0, e, y);
    infer_set(g, n, 3, e, y);
    return ONDOL_OK;
}

/* X [seq, batch, in] (layout 0): Y [seq, dirs, batch, hidden], Y_h and Y_c [dirs, batch, hidden].
 */
ondol_status infer_recurrent(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0), *r = infer_ranked(g, n, 2);
    const bool batch_first = graph_get_int(g, n, "layout") != 0;
    const graph_attribute *size = graph_get_attribute(g, n, "hidden_size");
    const graph_dim dirs =
        strcmp(graph_get_string(g, n, "direction"), "bidirectional") == 0 ? 2 : 1;
    const graph_dim hidden = size                      ? size->i
                             : r && r->shape.rank == 3 ? r->shape.dims[2]
                                                       : GRAPH_DIM_UNKNOWN;
    graph_dim seq = GRAPH_DIM_UNKNOWN, batch = GRAPH_DIM_UNKNOWN;
    if (x && x->shape.rank == 3) {
        seq = x->shape.dims[batch_first ? 1 : 0];
        batch = x->shape.dims[batch_first ? 0 : 1];
    }
    infer_set_shape(g, n, 0,
                    batch_first ? graph_shape_4(batch, seq, dirs, hidden)
                                : graph_shape_4(seq, dirs, batch, hidden));
    for (uint32_t i = 1; i < 3; i++)
        infer_set_shape(g, n, i,
                        batch_first ? graph_shape_3(batch, dirs, hidden)
                                    : graph_shape_3(dirs, batch, hidden));
    return ONDOL_OK;
}

/* Axes as input 1, or as attribute `axis`. */
static ondol_status reduced(graph *g, graph_node_id n, const graph_shape *x, const int64_t *axes,
                            uint32_t count, bool all, ondol_error *err) {
    const bool keep = graph_get_int(g, n, "keepdims") != 0;
    bool marked[GRAPH_MAX_RANK] = {false};
    graph_shape y = {0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t axis = 0;
        ondol_status status = infer_axis(g, n, axes[i], x->rank, &axis, err);
        if (status != ONDOL_OK) return status;
        marked[axis] = true;
    }
    for (uint32_t i = 0; i < x->rank; i++) {
        const bool gone = marked[i] || all;
        if (!gone || keep) y.dims[y.rank++] = gone ? 1 : x->dims[i];
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_reduce(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    int64_t axes[INFER_MAX_NUMBERS];
    uint32_t count = 0;
    if (!x) return ONDOL_OK;
    if (infer_input(g, n, 1) && !infer_integers(g, n, 1, axes, &count)) {
        if (graph_get_int(g, n, "keepdims")) infer_set_shape(g, n, 0, infer_open(x->shape.rank));
        return ONDOL_OK;
    }
    const bool all = !count && !graph_get_int(g, n, "noop_with_empty_axes");
    const graph_shape shape = x->shape;
    return reduced(g, n, &shape, axes, count, all, err);
}

ondol_status infer_arg_reduce(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    const int64_t axis = graph_get_int(g, n, "axis");
    if (!x) return ONDOL_OK;
    const graph_shape shape = x->shape;
    return reduced(g, n, &shape, &axis, 1, false, err);
}

ondol_status infer_det(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    if (!x) return ONDOL_OK;
    if (x->shape.rank < 2) return infer_fail(g, n, err, "X has rank %" PRIu32, x->shape.rank);
    graph_shape y = x->shape;
    y.rank -= 2;
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* q [B,S,H*e], k and v [B,S,K*e], past [B,K,P,e] twice, seqlens_k [B], total_sequence_length []. */
ondol_status infer_group_query_attention(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *q = infer_ranked(g, n, 0), *k = infer_ranked(g, n, 1);
    const graph_value *past = infer_ranked(g, n, 3);
    const int64_t heads = graph_get_int(g, n, "num_heads"),
                  kv = graph_get_int(g, n, "kv_num_heads");
    if (heads < 1 || kv < 1 || heads % kv) {
        return infer_fail(g, n, err, "heads are no multiple of kv");
    }
    if (!q || q->shape.rank != 3) return ONDOL_OK;
    graph_shape y = q->shape;
    const graph_dim packed = y.dims[2];
    if (!infer_input(g, n, 1) && packed >= 0)
        y.dims[2] = packed / infer_sum(heads, infer_product(2, kv)) * heads;
    const graph_dim size = y.dims[2] >= 0 ? y.dims[2] / heads : GRAPH_DIM_UNKNOWN;
    if (k && k->shape.rank == 3 && k->shape.dims[2] >= 0 && size >= 0 &&
        k->shape.dims[2] != infer_product(kv, size)) {
        return infer_fail(g, n, err, "hidden sizes are not heads times head size");
    }
    graph_shape present = graph_shape_4(y.dims[0], kv, GRAPH_DIM_UNKNOWN, size);
    const tensor_element e = q->element, cache = past ? past->element : e;
    if (past && past->shape.rank == 4) {
        present = past->shape;
        ondol_status status = graph_symbol(g, "total_sequence_length", present.dims + 2, err);
        if (status != ONDOL_OK) return status;
    }
    infer_set(g, n, 0, e, y);
    infer_set(g, n, 1, cache, present);
    infer_set(g, n, 2, cache, present);
    return ONDOL_OK;
}

ondol_status infer_resize(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0);
    int64_t sizes[INFER_MAX_NUMBERS];
    uint32_t count = 0;
    if (!x) return ONDOL_OK;
    graph_shape y = infer_open(x->shape.rank);
    const bool stretch = strcmp(graph_get_string(g, n, "keep_aspect_ratio_policy"), "stretch") == 0;
    const bool axes = graph_get_attribute(g, n, "axes") != NULL;
    if (stretch && !axes && infer_integers(g, n, 3, sizes, &count) && count == y.rank) {
        for (uint32_t i = 0; i < y.rank; i++)
            y.dims[i] = sizes[i] >= 0 ? sizes[i] : GRAPH_DIM_UNKNOWN;
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* loss: a number, or one for each place where nothing is reduced. */
ondol_status infer_loss(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *scores = infer_ranked(g, n, 0), *target = infer_ranked(g, n, 1);
    const bool none = strcmp(graph_get_string(g, n, "reduction"), "none") == 0;
    if (scores) infer_set_shape(g, n, 1, scores->shape);
    if (!none) infer_set_shape(g, n, 0, (graph_shape){0});
    if (none && target) infer_set_shape(g, n, 0, target->shape);
    return ONDOL_OK;
}
