/* Types of an ONNX file. In: TypeProto. Out: types of the graph; dim_param becomes a symbol. */
#include <inttypes.h>

#include "models/onnx_importer.h"

#define TYPE_MAX_DEPTH 32 /* sequences of maps of optionals ... */

static ondol_status take_shape(onnx_importer *im, graph *g, const onnx_shape *from,
                               graph_shape *out) {
    *out = graph_shape_unknown();
    if (!from) return ONDOL_OK;
    if (from->dim.count > GRAPH_MAX_RANK) {
        return base_fail(im->err, ONDOL_E_LIMIT, "a shape of rank %zu, at most %d are known",
                         from->dim.count, GRAPH_MAX_RANK);
    }
    out->rank = (uint32_t)from->dim.count;
    for (uint32_t i = 0; i < out->rank; i++) {
        const onnx_dimension *d = from->dim.items + i;
        const char *name = NULL;
        out->dims[i] = GRAPH_DIM_UNKNOWN;
        if (onnx_has(&d->head, ONNX_HAS_dimension_dim_value)) {
            if (d->dim_value >= 0) out->dims[i] = d->dim_value;
            continue;
        }
        if (!d->dim_param.size_bytes) continue;
        ondol_status status = onnx_import_text(im, g, "", d->dim_param, &name);
        if (status == ONDOL_OK) status = graph_symbol(g, name, out->dims + i, im->err);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

static ondol_status take_element(onnx_importer *im, int32_t number, tensor_element *out) {
    if (number != TENSOR_ELEMENT_UNDEFINED && !tensor_element_valid(number)) {
        return base_fail(im->err, ONDOL_E_FORMAT, "element type %" PRId32 " is not known", number);
    }
    *out = (tensor_element)number;
    return ONDOL_OK;
}

static ondol_status take_tensor(onnx_importer *im, graph *g, const onnx_tensor_type *from,
                                graph_type *out) {
    ondol_status status = take_element(im, from->elem_type, &out->element);
    return status == ONDOL_OK ? take_shape(im, g, from->shape, &out->shape) : status;
}

/* One level of a type; *next: the type of its items, NULL where there are none. */
static ondol_status take_level(onnx_importer *im, graph *g, const onnx_type *type, graph_type *out,
                               const onnx_type **next) {
    *out = (graph_type){.kind = GRAPH_TYPE_TENSOR, .shape = graph_shape_unknown()};
    *next = NULL;
    if (type->tensor_type) return take_tensor(im, g, type->tensor_type, out);
    if (type->sparse_tensor_type) {
        out->kind = GRAPH_TYPE_SPARSE;
        return take_tensor(im, g, type->sparse_tensor_type, out);
    }
    if (type->sequence_type) {
        out->kind = GRAPH_TYPE_SEQUENCE;
        *next = type->sequence_type->elem_type;
    } else if (type->optional_type) {
        out->kind = GRAPH_TYPE_OPTIONAL;
        *next = type->optional_type->elem_type;
    } else if (type->map_type) {
        out->kind = GRAPH_TYPE_MAP;
        *next = type->map_type->value_type;
        return take_element(im, type->map_type->key_type, &out->element);
    } else if (type->opaque_type) {
        return base_fail(im->err, ONDOL_E_UNSUPPORTED, "opaque type '%.*s.%.*s'",
                         onnx_shown(type->opaque_type->domain),
                         onnx_chars(type->opaque_type->domain), onnx_shown(type->opaque_type->name),
                         onnx_chars(type->opaque_type->name));
    }
    return ONDOL_OK;
}

ondol_status onnx_import_type(onnx_importer *im, graph *g, const onnx_type *type, graph_type *out) {
    graph_type *to = out;
    *out = (graph_type){.kind = GRAPH_TYPE_TENSOR, .shape = graph_shape_unknown()};
    for (int depth = 0; type; depth++) {
        const onnx_type *next = NULL;
        if (depth > TYPE_MAX_DEPTH) {
            return base_fail(im->err, ONDOL_E_LIMIT, "a type nested deeper than %d",
                             TYPE_MAX_DEPTH);
        }
        ondol_status status = take_level(im, g, type, to, &next);
        if (status != ONDOL_OK) return status;
        if (next) {
            graph_type *item = base_arena_alloc(&g->arena, 1, sizeof *item);
            if (!item) return base_no_memory(im->err, "type", sizeof *item);
            to->item = item;
            to = item;
        }
        type = next;
    }
    return ONDOL_OK;
}

/* Fills dimensions of *to that are not known. Where both are, what was inferred stays: shapes that
 * files state are often stale. */
static void refine_shape(graph_shape *to, const graph_shape *from) {
    if (from->rank == GRAPH_RANK_UNKNOWN) return;
    if (to->rank == GRAPH_RANK_UNKNOWN) {
        *to = *from;
        return;
    }
    if (to->rank != from->rank) return;
    for (uint32_t i = 0; i < to->rank; i++)
        if (to->dims[i] == GRAPH_DIM_UNKNOWN) to->dims[i] = from->dims[i];
}

ondol_status onnx_import_refine(onnx_importer *im, graph *g, graph_value_id v,
                                const onnx_type *type) {
    graph_type known;
    ondol_status status = onnx_import_type(im, g, type, &known);
    if (status != ONDOL_OK) return status;
    graph_value *value = g->values + v;
    const bool is_tensor = known.kind == GRAPH_TYPE_TENSOR;
    if (is_tensor && known.element == TENSOR_ELEMENT_UNDEFINED) return ONDOL_OK;
    if (value->type_kind == GRAPH_TYPE_TENSOR && value->element == TENSOR_ELEMENT_UNDEFINED) {
        value->type_kind = known.kind;
        value->element = known.element;
        value->item = known.item;
    }
    if (value->type_kind != known.kind) {
        return base_fail(im->err, ONDOL_E_FORMAT,
                         "value '%s' is of another kind than its type says", value->name);
    }
    if (is_tensor && value->element != known.element) {
        return base_fail(im->err, ONDOL_E_FORMAT, "value '%s' is of type %s, stated as %s",
                         value->name, tensor_element_onnx_name(value->element),
                         tensor_element_onnx_name(known.element));
    }
    if (!value->item) value->item = known.item;
    refine_shape(&value->shape, &known.shape);
    return ONDOL_OK;
}
