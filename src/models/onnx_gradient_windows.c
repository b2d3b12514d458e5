/* Derivatives of convolution and pooling. In: a node whose sizes are known but for the batch. Out:
 * the same by gathered windows, a product or a reduction, which are differentiated in its stead. */
#include <math.h>
#include <string.h>

#include "models/onnx_gradient.h"
#include "tensor/number.h"

#define MAX_PLACES (1 << 22) /* windows times their sizes */

typedef struct windows {
    uint32_t spatial; /* dimensions */
    int64_t channels;
    int64_t size[GRAPH_MAX_RANK]; /* of a window */
    int64_t in[GRAPH_MAX_RANK], out[GRAPH_MAX_RANK];
    int64_t begin[GRAPH_MAX_RANK], end[GRAPH_MAX_RANK]; /* pads */
    int64_t stride[GRAPH_MAX_RANK], dilation[GRAPH_MAX_RANK];
    int64_t count, places; /* windows; places of one */
} windows;

/* Item i of an INTS attribute, `otherwise` where there is none. */
static int64_t item(const onnx_gradient *d, graph_node_id n, const char *name, uint32_t i,
                    int64_t otherwise) {
    const graph_attribute *a = graph_get_attribute(d->g, n, name);
    return a && i < a->int_count ? a->ints[i] : otherwise;
}

/* One dimension; false where its numbers are none. */
static bool read_dimension(const onnx_gradient *d, graph_node_id n, windows *w, uint32_t i) {
    const int64_t most = 1 << 24;
    w->begin[i] = item(d, n, "pads", i, 0);
    w->end[i] = item(d, n, "pads", i + w->spatial, 0);
    w->stride[i] = item(d, n, "strides", i, 1);
    w->dilation[i] = item(d, n, "dilations", i, 1);
    if (w->in[i] < 1 || w->in[i] > most || w->size[i] < 1 || w->size[i] > most || w->begin[i] < 0 ||
        w->begin[i] > most || w->end[i] < 0 || w->end[i] > most || w->stride[i] < 1 ||
        w->dilation[i] < 1 || w->dilation[i] > most) {
        return false;
    }
    const int64_t room =
        w->in[i] + w->begin[i] + w->end[i] - (w->dilation[i] * (w->size[i] - 1) + 1);
    if (room < 0) return false;
    w->out[i] = room / w->stride[i] + 1;
    w->count *= w->out[i];
    w->places *= w->size[i];
    return w->count <= MAX_PLACES && w->places <= MAX_PLACES && w->count * w->places <= MAX_PLACES;
}

/* size: of the windows' dimensions, by the weights or by kernel_shape. */
static bool read_windows(onnx_gradient *d, graph_node_id n, windows *w) {
    const graph_shape *x = &d->g->values[gradient_in(d, n, 0)].shape;
    const bool is_conv = d->g->nodes[n].op == GRAPH_OP_CONV;
    const char *pad = graph_get_string(d->g, n, "auto_pad");
    bool fits = x->rank != GRAPH_RANK_UNKNOWN && x->rank > 2 && x->dims[1] > 0 &&
                (strcmp(pad, "NOTSET") == 0 || strcmp(pad, "VALID") == 0) &&
                (is_conv || !graph_get_int(d->g, n, "ceil_mode"));
    *w = (windows){.spatial = fits ? x->rank - 2 : 0, .count = 1, .places = 1};
    if (fits) w->channels = x->dims[1];
    if (fits && is_conv) {
        const graph_shape *weights = &d->g->values[gradient_in(d, n, 1)].shape;
        fits = weights->rank == x->rank && weights->dims[0] > 0 && weights->dims[1] > 0;
        for (uint32_t i = 0; i < w->spatial && fits; i++)
            w->size[i] = weights->dims[i + 2];
    }
    for (uint32_t i = 0; i < w->spatial && fits; i++) {
        if (!is_conv) w->size[i] = item(d, n, "kernel_shape", i, 0);
        w->in[i] = x->dims[i + 2];
        fits = read_dimension(d, n, w, i);
    }
    if (!fits) gradient_fail(d, n, "its sizes are not known, or it pads by itself");
    return fits;
}

/* Where place k of window l lies in the padded input, its spatial dimensions as one. */
static int64_t place_of(const windows *w, int64_t l, int64_t k) {
    int64_t at = 0, stride = 1;
    for (uint32_t i = w->spatial; i-- > 0;) {
        at += stride * (l % w->out[i] * w->stride[i] + k % w->size[i] * w->dilation[i]);
        stride *= w->in[i] + w->begin[i] + w->end[i];
        l /= w->out[i];
        k /= w->size[i];
    }
    return at;
}

static graph_value_id shaped(onnx_gradient *d, graph_value_id v, const int64_t *dims,
                             uint32_t rank) {
    return upgrade_binary(d->u, GRAPH_OP_RESHAPE, v, upgrade_ints(d->u, dims, rank));
}

static graph_value_id turned(onnx_gradient *d, graph_value_id v, const int64_t *order,
                             uint32_t rank) {
    const graph_node_id n = upgrade_node(d->u, GRAPH_OP_TRANSPOSE, &v, 1, 1);
    if (d->u->status == ONDOL_OK)
        d->u->status = graph_set_ints(d->g, n, "perm", order, rank, d->u->err);
    return upgrade_finish(d->u, n);
}

/* [N, C, windows * places] of x [N, C, D...] with `filler` around it. */
static graph_value_id gathered(onnx_gradient *d, const windows *w, graph_value_id x,
                               double filler) {
    onnx_upgrade *u = d->u;
    int64_t pads[2 * GRAPH_MAX_RANK] = {0};
    const int64_t flat[] = {0, 0, -1};
    const uint32_t rank = w->spatial + 2;
    int64_t *places = base_alloc(d->allocator, (size_t)(w->count * w->places), sizeof *places);
    if (!places) {
        upgrade_fail(u, ONDOL_E_MEMORY, "no memory for its windows");
        return GRAPH_NONE;
    }
    for (int64_t i = 0; i < w->count * w->places; i++)
        places[i] = place_of(w, i / w->places, i % w->places);
    const graph_value_id indices = upgrade_ints(u, places, (uint32_t)(w->count * w->places));
    base_free(d->allocator, places);
    for (uint32_t i = 0; i < w->spatial; i++) {
        pads[i + 2] = w->begin[i];
        pads[i + 2 + rank] = w->end[i];
    }
    const graph_value_id padding[] = {x, upgrade_ints(u, pads, 2 * rank),
                                      gradient_number(d, filler, x)};
    const graph_value_id padded = upgrade_finish(u, upgrade_node(u, GRAPH_OP_PAD, padding, 3, 1));
    const graph_value_id inputs[] = {shaped(d, padded, flat, 3), indices};
    const graph_node_id n = upgrade_node(u, GRAPH_OP_GATHER, inputs, 2, 1);
    upgrade_set_int(u, n, "axis", 2);
    return upgrade_finish(u, n);
}

static void conv_form(onnx_gradient *d, graph_node_id n, graph_value_id *outputs) {
    const int64_t groups = graph_get_int(d->g, n, "group");
    const graph_value_id bias = gradient_in(d, n, 2);
    windows w;
    if (!read_windows(d, n, &w)) return;
    const graph_shape *shape = &d->g->values[gradient_in(d, n, 1)].shape;
    const int64_t maps = shape->dims[0], own = shape->dims[1];
    if (groups < 1 || maps % groups || w.channels != own * groups) {
        gradient_fail(d, n, "its groups do not divide its channels");
        return;
    }
    const int64_t split[] = {0, groups, own, w.count, w.places};
    const int64_t rows[] = {0, groups, w.count, own * w.places};
    const int64_t columns[] = {groups, maps / groups, own * w.places};
    int64_t whole[GRAPH_MAX_RANK] = {0, maps}, axes[GRAPH_MAX_RANK];
    for (uint32_t i = 0; i < w.spatial; i++) {
        whole[i + 2] = w.out[i];
        axes[i] = i + 1;
    }
    graph_value_id x = shaped(d, gathered(d, &w, gradient_in(d, n, 0), 0), split, 5);
    x = shaped(d, turned(d, x, (int64_t[]){0, 1, 3, 2, 4}, 5), rows, 4);
    const graph_value_id weights =
        turned(d, shaped(d, gradient_in(d, n, 1), columns, 3), (int64_t[]){0, 2, 1}, 3);
    graph_value_id y = upgrade_binary(d->u, GRAPH_OP_MATMUL, x, weights);
    y = shaped(d, turned(d, y, (int64_t[]){0, 1, 3, 2}, 4), whole, w.spatial + 2);
    if (bias != GRAPH_NONE)
        y = gradient_plus(
            d, y,
            upgrade_binary(d->u, GRAPH_OP_UNSQUEEZE, bias, upgrade_ints(d->u, axes, w.spatial)));
    outputs[0] = y;
}

/* MaxPool, AveragePool. */
static void pool_form(onnx_gradient *d, graph_node_id n, graph_value_id *outputs) {
    const bool is_max = d->g->nodes[n].op == GRAPH_OP_MAX_POOL;
    const int64_t last = -1;
    bool is_padded = false;
    windows w;
    if (!read_windows(d, n, &w)) return;
    int64_t whole[GRAPH_MAX_RANK] = {0, w.channels};
    const int64_t split[] = {0, w.channels, w.count, w.places};
    for (uint32_t i = 0; i < w.spatial; i++) {
        whole[i + 2] = w.out[i];
        is_padded = is_padded || w.begin[i] || w.end[i];
    }
    if (!is_max && is_padded && !graph_get_int(d->g, n, "count_include_pad")) {
        gradient_fail(d, n, "its windows have other numbers of elements");
        return;
    }
    const graph_value_id x =
        shaped(d, gathered(d, &w, gradient_in(d, n, 0), is_max ? -INFINITY : 0), split, 4);
    const graph_value_id inputs[] = {x, upgrade_ints(d->u, &last, 1)};
    const graph_value_id y =
        upgrade_finish(d->u, upgrade_node(d->u, is_max ? GRAPH_OP_REDUCE_MAX : GRAPH_OP_REDUCE_MEAN,
                                          inputs, 2, 1));
    outputs[0] = shaped(d, y, whole, w.spatial + 2);
}

void gradient_of_windows(onnx_gradient *d, graph_node_id n) {
    gradient_by_form(d, n, d->g->nodes[n].op == GRAPH_OP_CONV ? conv_form : pool_form);
}
