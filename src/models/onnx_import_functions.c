/* Functions of an ONNX model. In: a node that calls one. Out: the function's nodes in its place. */
#include <string.h>

#include "models/onnx_importer.h"

/* domain 0 name 0 overload; "ai.onnx" is "". */
static ondol_status make_key(onnx_importer *im, onnx_string domain, onnx_string name,
                             onnx_string overload, const char **out, size_t *length) {
    if (onnx_is(domain, "ai.onnx")) domain.size_bytes = 0;
    *length = domain.size_bytes + name.size_bytes + overload.size_bytes + 2;
    char *key = base_arena_alloc(&im->root->arena, *length, 1);
    if (!key) return base_no_memory(im->err, "function", *length);
    char *to = key;
    const onnx_string parts[] = {domain, name, overload};
    for (int i = 0; i < 3; i++) {
        if (parts[i].size_bytes) memcpy(to, parts[i].text, parts[i].size_bytes);
        to += parts[i].size_bytes + 1;
    }
    *out = key;
    return ONDOL_OK;
}

ondol_status onnx_import_index_functions(onnx_importer *im) {
    const onnx_function_list *list = &im->model->functions;
    for (size_t i = 0; i < list->count && i < UINT32_MAX; i++) {
        const onnx_function *f = list->items + i;
        const char *key = NULL;
        size_t length = 0;
        bool found = false;
        ondol_status status = make_key(im, f->domain, f->name, f->overload, &key, &length);
        if (status != ONDOL_OK) return status;
        if (!base_map_add(&im->functions, key, length, (uint32_t)i, &found, NULL)) {
            return base_no_memory(im->err, "functions", list->count);
        }
        if (found) {
            return base_fail(im->err, ONDOL_E_FORMAT, "function '%.*s.%.*s' is there twice",
                             onnx_shown(f->domain), onnx_chars(f->domain), onnx_shown(f->name),
                             onnx_chars(f->name));
        }
    }
    return ONDOL_OK;
}

ondol_status onnx_import_find_function(onnx_importer *im, const onnx_node *node,
                                       const onnx_function **out) {
    const char *key = NULL;
    size_t length = 0;
    uint32_t index = 0;
    *out = NULL;
    if (!im->model->functions.count) return ONDOL_OK;
    ondol_status status = make_key(im, node->domain, node->op_type, node->overload, &key, &length);
    if (status != ONDOL_OK) return status;
    if (base_map_get(&im->functions, key, length, &index)) {
        *out = im->model->functions.items + index;
    }
    return ONDOL_OK;
}

static bool same_text(onnx_string a, onnx_string b) {
    return a.size_bytes == b.size_bytes &&
           (a.size_bytes == 0 || memcmp(a.text, b.text, a.size_bytes) == 0);
}

static bool is_parameter(const onnx_function *f, onnx_string name) {
    for (size_t i = 0; i < f->attribute.count; i++)
        if (same_text(f->attribute.items[i], name)) return true;
    for (size_t i = 0; i < f->attribute_proto.count; i++)
        if (same_text(f->attribute_proto.items[i].name, name)) return true;
    return false;
}

/* The attributes of the call, then defaults for those that it does not give. */
static ondol_status bind_attributes(onnx_importer *im, const onnx_import_scope *s,
                                    const onnx_node *node, const onnx_function *f,
                                    const onnx_import_scope *inside, onnx_import_body *body) {
    const size_t most = node->attribute.count + f->attribute_proto.count;
    onnx_import_binding *list = base_arena_alloc(&im->root->arena, most ? most : 1, sizeof *list);
    if (!list) return base_no_memory(im->err, "attributes", most * sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < node->attribute.count; i++) {
        const onnx_attribute *a = node->attribute.items + i;
        onnx_import_binding *b = list + count;
        if (!is_parameter(f, a->name)) {
            return base_fail(im->err, ONDOL_E_FORMAT, "the function has no attribute '%.*s'",
                             onnx_shown(a->name), onnx_chars(a->name));
        }
        b->name = a->name;
        ondol_status status = onnx_import_resolve(im, s, a, &b->attribute, &b->scope);
        if (status != ONDOL_OK) return status;
        if (b->attribute) count++;
    }
    const size_t given = count;
    for (size_t i = 0; i < f->attribute_proto.count; i++) {
        const onnx_attribute *a = f->attribute_proto.items + i;
        bool found = false;
        for (size_t k = 0; k < given; k++)
            found = found || same_text(list[k].name, a->name);
        if (!found) list[count++] = (onnx_import_binding){a->name, a, inside};
    }
    body->bindings = list;
    body->binding_count = count;
    return ONDOL_OK;
}

static ondol_status bind_inputs(onnx_importer *im, const onnx_import_scope *s,
                                const onnx_node *node, const onnx_function *f,
                                onnx_import_scope *inside) {
    for (size_t i = 0; i < f->input.count; i++) {
        graph_value_id v = GRAPH_NONE;
        ondol_status status = ONDOL_OK;
        if (i < node->input.count && node->input.items[i].size_bytes) {
            status = onnx_scope_find(im, s, node->input.items[i], &v);
        }
        if (status == ONDOL_OK) status = onnx_scope_define(im, inside, f->input.items[i], v);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

static ondol_status bind_outputs(onnx_importer *im, onnx_import_scope *s, const onnx_node *node,
                                 const onnx_function *f, const onnx_import_scope *inside) {
    for (size_t i = 0; i < node->output.count; i++) {
        graph_value_id v = GRAPH_NONE;
        if (!node->output.items[i].size_bytes) continue;
        ondol_status status = onnx_scope_find(im, inside, f->output.items[i], &v);
        if (status == ONDOL_OK) status = onnx_scope_define(im, s, node->output.items[i], v);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

/* Calls nest as deep as ONNX_IMPORT_MAX_CALLS. */
ondol_status onnx_import_call(onnx_importer *im, onnx_import_scope *s, const onnx_node *node,
                              const onnx_function *f) {
    onnx_import_body body = {
        .function = f, .opsets = &f->opset_import, .depth = s->body->depth + 1};
    onnx_import_scope inside = {.body = &body, .g = s->g};
    ondol_status status = ONDOL_OK;
    if (body.depth > ONNX_IMPORT_MAX_CALLS) {
        return base_fail(im->err, ONDOL_E_LIMIT, "functions call one another deeper than %u",
                         ONNX_IMPORT_MAX_CALLS);
    }
    if (node->input.count > f->input.count || node->output.count > f->output.count) {
        return base_fail(im->err, ONDOL_E_FORMAT,
                         "%zu inputs and %zu outputs, the function has %zu and %zu",
                         node->input.count, node->output.count, f->input.count, f->output.count);
    }
    const char *name = NULL;
    TRY(onnx_import_text(im, s->g, s->body->prefix,
                         node->name.size_bytes ? node->name : node->op_type, &name));
    TRY(onnx_import_text(im, s->g, name, (onnx_string){"/", 1}, &body.prefix));
    TRY(onnx_scope_open(im, &inside, &f->value_info));
    TRY(bind_attributes(im, s, node, f, &inside, &body));
    TRY(bind_inputs(im, s, node, f, &inside));
    TRY(onnx_import_nodes(im, &inside, &f->node));
    TRY(bind_outputs(im, s, node, f, &inside));
done:
    onnx_scope_close(&inside);
    return status;
}
