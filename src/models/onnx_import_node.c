/* Nodes of an ONNX graph or function. In: NodeProto. Out: nodes of the newest operator versions. */
#include <string.h>

#include "models/onnx_gradient.h"
#include "models/onnx_importer.h"
#include "models/onnx_upgrade.h"

ondol_status onnx_import_version(onnx_importer *im, const onnx_import_body *body,
                                 onnx_string domain, uint32_t *out) {
    const bool is_main = !domain.size_bytes || onnx_is(domain, "ai.onnx");
    for (size_t i = 0; i < body->opsets->count; i++) {
        const onnx_operator_set *set = body->opsets->items + i;
        const bool set_is_main = !set->domain.size_bytes || onnx_is(set->domain, "ai.onnx");
        const bool same = set->domain.size_bytes == domain.size_bytes && domain.size_bytes &&
                          memcmp(set->domain.text, domain.text, domain.size_bytes) == 0;
        if (!same && !(is_main && set_is_main)) continue;
        if (set->version < 1 || set->version > UINT32_MAX) {
            return base_fail(im->err, ONDOL_E_FORMAT, "opset version %lld of domain '%.*s'",
                             (long long)set->version, onnx_shown(domain), onnx_chars(domain));
        }
        *out = (uint32_t)set->version;
        return ONDOL_OK;
    }
    if (is_main && im->model->ir_version < 3) { /* before opset_import there was one version */
        *out = 1;
        return ONDOL_OK;
    }
    return base_fail(im->err, ONDOL_E_FORMAT, "domain '%.*s' is not among the imported opsets",
                     onnx_shown(domain), onnx_chars(domain));
}

/* Its name, or that of its first output. */
static onnx_string name_of(const onnx_node *node) {
    onnx_string name = node->name;
    for (size_t i = 0; i < node->output.count && !name.size_bytes; i++)
        name = node->output.items[i];
    return name;
}

static ondol_status not_known(onnx_importer *im, const onnx_node *node, uint32_t version,
                              uint32_t newest) {
    if (!newest) {
        return base_fail(im->err, ONDOL_E_UNSUPPORTED,
                         "the operator is not known, nor is it a function of the model");
    }
    return base_fail(im->err, ONDOL_E_UNSUPPORTED,
                     "opset %u of domain '%.*s' has no such operator; the newest version known is "
                     "%u",
                     version, onnx_shown(node->domain), onnx_chars(node->domain), newest);
}

/* The row of the node's operator in the body's version; NULL: call function *f. */
static ondol_status find_row(onnx_importer *im, const onnx_import_scope *s, const onnx_node *node,
                             const graph_schema **row, const onnx_function **f) {
    uint32_t version = 0, newest = 0;
    *row = NULL;
    *f = NULL;
    ondol_status status = onnx_import_find_function(im, node, f);
    if (status != ONDOL_OK) return status;
    if (*f && node->overload.size_bytes) return ONDOL_OK;
    graph_schema_find(node->domain.text, node->domain.size_bytes, node->op_type.text,
                      node->op_type.size_bytes, UINT32_MAX, &newest);
    if (*f && !newest) return ONDOL_OK;
    status = onnx_import_version(im, s->body, node->domain, &version);
    if (status != ONDOL_OK) return status;
    const uint32_t last = graph_schema_newest(node->domain.text, node->domain.size_bytes);
    if (last && version > last) {
        return base_fail(im->err, ONDOL_E_UNSUPPORTED,
                         "opset %u of domain '%.*s'; the newest that is known is %u", version,
                         onnx_shown(node->domain), onnx_chars(node->domain), last);
    }
    *row = graph_schema_find(node->domain.text, node->domain.size_bytes, node->op_type.text,
                             node->op_type.size_bytes, version, &newest);
    if (*row) {
        *f = NULL; /* a function is what runs where there is no operator */
        return ONDOL_OK;
    }
    return *f ? ONDOL_OK : not_known(im, node, version, newest);
}

/* How many are left when trailing absent ones beyond what the operator wants are not counted. */
static size_t count_present(const onnx_strings *names, uint32_t least, uint32_t most) {
    size_t n = names->count;
    if (most == GRAPH_MANY) return n; /* how many there are says something */
    while (n > least && !names->items[n - 1].size_bytes)
        n--;
    return n;
}

static ondol_status check_counts(onnx_importer *im, const graph_op_info *row, size_t inputs,
                                 size_t outputs) {
    if (inputs < row->min_inputs || inputs > row->max_inputs || outputs < row->min_outputs ||
        outputs > row->max_outputs) {
        return base_fail(
            im->err, ONDOL_E_FORMAT, "%zu inputs and %zu outputs, expected %u to %u and %u to %u",
            inputs, outputs, row->min_inputs, row->max_inputs, row->min_outputs, row->max_outputs);
    }
    return ONDOL_OK;
}

static ondol_status find_inputs(onnx_importer *im, const onnx_import_scope *s,
                                const onnx_node *node, uint32_t count, graph_value_id *out) {
    for (uint32_t i = 0; i < count; i++) {
        out[i] = GRAPH_NONE;
        if (!node->input.items[i].size_bytes) continue;
        ondol_status status = onnx_scope_find(im, s, node->input.items[i], out + i);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

/* Arguments that a function's call leaves out are absent too. */
static void drop_absent(onnx_upgrade *u) {
    while (u->input_count > u->row->min_inputs && u->row->max_inputs != GRAPH_MANY &&
           u->inputs[u->input_count - 1] == GRAPH_NONE) {
        u->input_count--;
    }
}

/* Gives the outputs the file's names and what it says of their types. */
static ondol_status define_outputs(onnx_importer *im, onnx_import_scope *s, const onnx_node *node,
                                   const onnx_upgrade *u, uint32_t first_value) {
    for (uint32_t i = 0; i < u->output_count; i++) {
        const onnx_string name = node->output.items[i];
        const graph_value_id v = u->outputs[i];
        const char *text = NULL;
        uint32_t info = 0;
        ondol_status status = ONDOL_OK;
        if (!u->wanted[i]) continue;
        TRY(onnx_scope_define(im, s, name, v));
        if (v < first_value) continue;
        TRY(onnx_import_text(im, s->g, s->body->prefix, name, &text));
        s->g->values[v].name = text;
        if (!base_map_get(&s->infos, name.text, name.size_bytes, &info)) continue;
        if (!s->value_info->items[info].type) continue;
        TRY(onnx_import_refine(im, s->g, v, s->value_info->items[info].type));
    done:
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

static ondol_status import_operator(onnx_importer *im, onnx_import_scope *s, const onnx_node *node,
                                    const graph_schema *schema) {
    graph *g = s->g;
    graph_attribute *attributes = NULL;
    onnx_upgrade u = {.g = g, .row = &schema->info, .err = im->err};
    const size_t inputs = count_present(&node->input, u.row->min_inputs, u.row->max_inputs);
    const size_t outputs = count_present(&node->output, u.row->min_outputs, u.row->max_outputs);
    if (schema->gone && !onnx_upgrade_find(u.row)) {
        return base_fail(im->err, ONDOL_E_UNSUPPORTED, "from opset %u on the operator is no more",
                         u.row->since_version);
    }
    ondol_status status = check_counts(im, u.row, inputs, outputs);
    if (status != ONDOL_OK) return status;
    u.input_count = (uint32_t)inputs;
    u.output_count = (uint32_t)outputs;
    graph_value_id *in = base_arena_alloc(&g->arena, inputs + 1, sizeof *in);
    graph_value_id *out = base_arena_alloc(&g->arena, outputs + 1, sizeof *out);
    bool *wanted = base_arena_alloc(&g->arena, outputs + 1, sizeof *wanted);
    if (!in || !out || !wanted) return base_no_memory(im->err, "node", inputs * sizeof *in);
    for (size_t i = 0; i < outputs; i++)
        wanted[i] = node->output.items[i].size_bytes != 0;
    u.inputs = in;
    u.outputs = out;
    u.wanted = wanted;
    TRY(find_inputs(im, s, node, u.input_count, in));
    drop_absent(&u);
    TRY(onnx_import_check_inputs(im, g, u.row, in, u.input_count));
    TRY(onnx_import_attributes(im, s, node, u.row, &attributes, &u.attribute_count));
    u.attributes = attributes;
    TRY(onnx_import_text(im, g, s->body->prefix, name_of(node), &u.name));
    const uint32_t first_value = g->value_count;
    TRY(schema->op == GRAPH_OP_TRAINING_GRADIENT ? onnx_import_gradient(im, s, &u)
                                                 : onnx_upgrade_run(&u));
    TRY(define_outputs(im, s, node, &u, first_value));
done:
    return status;
}

static ondol_status import_node(onnx_importer *im, onnx_import_scope *s, const onnx_node *node) {
    const graph_schema *row = NULL;
    const onnx_function *f = NULL;
    ondol_status status = ONDOL_OK;
    if (s->body->depth) {
        if (!im->nodes_left) {
            return base_fail(im->err, ONDOL_E_LIMIT, "calls of functions make more than %u nodes",
                             ONNX_IMPORT_MAX_NODES);
        }
        im->nodes_left--;
    }
    TRY(find_row(im, s, node, &row, &f));
    TRY(f ? onnx_import_call(im, s, node, f) : import_operator(im, s, node, row));
done:
    return status;
}

ondol_status onnx_import_nodes(onnx_importer *im, onnx_import_scope *s,
                               const onnx_node_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        const onnx_node *node = list->items + i;
        ondol_status status = import_node(im, s, node);
        if (status == ONDOL_OK) continue;
        const char *said = im->err ? im->err->text : "";
        if (strncmp(said, "node '", 6) == 0) return status; /* it is named already */
        const onnx_string name = name_of(node);
        return base_prefix(im->err, status, "node '%.*s' (%.*s%s%.*s)", onnx_shown(name),
                           onnx_chars(name), onnx_shown(node->domain), onnx_chars(node->domain),
                           node->domain.size_bytes ? "." : "", onnx_shown(node->op_type),
                           onnx_chars(node->op_type));
    }
    return ONDOL_OK;
}
