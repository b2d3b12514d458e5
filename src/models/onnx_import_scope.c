/* Names of an ONNX graph. In: names as nodes use them. Out: values of the graph, captured level by
 * level where they lie outside of a subgraph. */
#include <string.h>

#include "models/onnx_importer.h"

int onnx_shown(onnx_string text) {
    return text.size_bytes < 80 ? (int)text.size_bytes : 80;
}

ondol_status onnx_import_text(onnx_importer *im, graph *g, const char *prefix, onnx_string text,
                              const char **out) {
    const size_t before = strlen(prefix);
    if (text.size_bytes && memchr(text.text, 0, text.size_bytes)) {
        return base_fail(im->err, ONDOL_E_FORMAT, "name '%.*s' holds a zero byte", onnx_shown(text),
                         onnx_chars(text));
    }
    if (text.size_bytes > SIZE_MAX / 4) return base_no_memory(im->err, "name", text.size_bytes);
    char *copy = base_arena_alloc(&g->arena, before + text.size_bytes + 1, 1);
    if (!copy) return base_no_memory(im->err, "name", text.size_bytes);
    memcpy(copy, prefix, before);
    if (text.size_bytes) memcpy(copy + before, text.text, text.size_bytes);
    *out = copy;
    return ONDOL_OK;
}

ondol_status onnx_scope_open(onnx_importer *im, onnx_import_scope *s,
                             const onnx_value_info_list *value_info) {
    base_map_init(&s->names, im->allocator);
    base_map_init(&s->infos, im->allocator);
    s->value_info = value_info;
    for (size_t i = 0; i < value_info->count && i < UINT32_MAX; i++) {
        const onnx_string name = value_info->items[i].name;
        if (!base_map_put(&s->infos, name.text, name.size_bytes, (uint32_t)i)) {
            return base_no_memory(im->err, "names", value_info->count);
        }
    }
    return ONDOL_OK;
}

void onnx_scope_close(onnx_import_scope *s) {
    base_map_destroy(&s->names);
    base_map_destroy(&s->infos);
}

/* Brings value v of `from`, a graph around g or g itself, into g. As deep as graphs nest. */
static ondol_status bring(graph *g, const graph *from, graph_value_id v, graph_value_id *out,
                          ondol_error *err) {
    if (g == from) {
        *out = v;
        return ONDOL_OK;
    }
    if (!g->parent) return base_fail(err, ONDOL_E_INTERNAL, "a value of a graph not around");
    graph_value_id outer = GRAPH_NONE;
    ondol_status status = bring(g->parent, from, v, &outer, err);
    return status == ONDOL_OK ? graph_capture(g, outer, out, err) : status;
}

ondol_status onnx_scope_find(onnx_importer *im, const onnx_import_scope *s, onnx_string name,
                             graph_value_id *out) {
    for (const onnx_import_scope *at = s; at; at = at->outer) {
        uint32_t v = GRAPH_NONE;
        if (!base_map_get(&at->names, name.text, name.size_bytes, &v)) continue;
        if (v != GRAPH_NONE) return bring(s->g, at->g, v, out, im->err);
        *out = GRAPH_NONE;
        return ONDOL_OK;
    }
    return base_fail(im->err, ONDOL_E_FORMAT,
                     "value '%.*s' is not defined: no input, initializer or earlier node makes it",
                     onnx_shown(name), onnx_chars(name));
}

ondol_status onnx_scope_define(onnx_importer *im, onnx_import_scope *s, onnx_string name,
                               graph_value_id value) {
    bool found = false;
    if (!base_map_add(&s->names, name.text, name.size_bytes, value, &found, NULL)) {
        return base_no_memory(im->err, "names", name.size_bytes);
    }
    if (!found) return ONDOL_OK;
    return base_fail(im->err, ONDOL_E_FORMAT, "value '%.*s' is defined twice", onnx_shown(name),
                     onnx_chars(name));
}
