/* ONNX files as they are. In: an open file. Out: versions, properties, inputs and outputs as rows
 * of text; initializers as tensors. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api_file.h"
#include "api/api_folder.h"
#include "base/checked.h"
#include "formats/onnx/onnx_print.h"

#define ONNX_EXTERNAL 1 /* TensorProto.DataLocation */

static ondol_status no_memory(ondol_error *err) {
    return base_no_memory(err, "file", 0);
}

/* A row; key and text are copied, type is a literal. */
static ondol_status add_row(ondol_file *f, const char *prefix, onnx_string key, const char *type,
                            const char *text, size_t n, ondol_error *err) {
    const size_t k = strlen(prefix);
    char *name = base_arena_alloc(&f->arena, k + key.size_bytes + 1, 1);
    char *copy = base_arena_strndup(&f->arena, n ? text : "", n);
    if (!name || !copy) return no_memory(err);
    memcpy(name, prefix, k);
    if (key.size_bytes) memcpy(name + k, key.text, key.size_bytes);
    name[k + key.size_bytes] = 0;
    f->rows[f->row_count++] = (api_file_row){name, type, copy, n};
    return ONDOL_OK;
}

static ondol_status add_number(ondol_file *f, const char *prefix, onnx_string key, int64_t number,
                               ondol_error *err) {
    char text[24];
    const int n = snprintf(text, sizeof text, "%" PRId64, number);
    return add_row(f, prefix, key, "int64", text, (size_t)n, err);
}

static ondol_status add_text(ondol_file *f, const char *prefix, onnx_string text,
                             ondol_error *err) {
    if (!text.size_bytes) return ONDOL_OK;
    return add_row(f, prefix, (onnx_string){"", 0}, "string", text.text, text.size_bytes, err);
}

static ondol_status add_ports(ondol_file *f, const char *prefix, const onnx_value_info_list *list,
                              ondol_error *err) {
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < list->count; i++) {
        f->text.size = 0;
        TRY(onnx_print_type(list->items[i].type, &f->text, err));
        TRY(base_buffer_status(&f->text, "type", err));
        TRY(add_row(f, prefix, list->items[i].name, "type", f->text.data, f->text.size, err));
    }
done:
    return status;
}

static ondol_status add_rows(ondol_file *f, ondol_error *err) {
    static const onnx_string none = {"", 0}, standard = {"ai.onnx", 7};
    const onnx_model_proto *m = onnx_file_model(f->onnx);
    const onnx_graph *g = m->graph;
    const size_t count =
        8 + m->opset_import.count + m->metadata_props.count + g->input.count + g->output.count;
    f->rows = base_arena_alloc(&f->arena, count, sizeof *f->rows);
    if (!f->rows) return no_memory(err);
    ondol_status status = ONDOL_OK;
    TRY(add_number(f, "ir_version", none, m->ir_version, err));
    for (size_t i = 0; i < m->opset_import.count; i++) {
        const onnx_operator_set *o = m->opset_import.items + i;
        TRY(add_number(f, "opset.", o->domain.size_bytes ? o->domain : standard, o->version, err));
    }
    TRY(add_text(f, "producer_name", m->producer_name, err));
    TRY(add_text(f, "producer_version", m->producer_version, err));
    TRY(add_text(f, "domain", m->domain, err));
    if (m->model_version) TRY(add_number(f, "model_version", none, m->model_version, err));
    TRY(add_text(f, "doc_string", m->doc_string, err));
    TRY(add_text(f, "graph", g->name, err));
    TRY(add_number(f, "nodes", none, (int64_t)g->node.count, err));
    for (size_t i = 0; i < m->metadata_props.count; i++) {
        const onnx_string_entry *e = m->metadata_props.items + i;
        TRY(add_row(f, "metadata_props.", e->key, "string", e->value.text, e->value.size_bytes,
                    err));
    }
    TRY(add_ports(f, "input.", &g->input, err));
    TRY(add_ports(f, "output.", &g->output, err));
done:
    return status;
}

/* What a tensor's type and dims say; its data is not read. */
static ondol_status add_tensor(ondol_file *f, const onnx_tensor *t, ondol_error *err) {
    ondol_tensor_info *out = f->tensors + f->tensor_count;
    const bool known = tensor_element_valid(t->data_type);
    uint64_t elems = 1, bytes = 0;
    *out = (ondol_tensor_info){.dim_count = (uint32_t)t->dims.count};
    out->name =
        base_arena_strndup(&f->arena, t->name.size_bytes ? t->name.text : "", t->name.size_bytes);
    if (!out->name) return no_memory(err);
    if (t->dims.count > TENSOR_MAX_RANK) {
        return base_fail(err, ONDOL_E_LIMIT, "tensor '%s' has %zu dimensions, at most %d are read",
                         out->name, t->dims.count, TENSOR_MAX_RANK);
    }
    for (size_t i = 0; i < t->dims.count; i++) {
        out->dims[i] = t->dims.items[i] > 0 ? (uint64_t)t->dims.items[i] : 0;
        if (!base_mul(elems, out->dims[i], &elems)) elems = 0;
    }
    out->encoding = known ? tensor_element_onnx_name((tensor_element)t->data_type) : "unknown";
    if (known && tensor_element_bytes((tensor_element)t->data_type, elems, &bytes))
        out->size_bytes = bytes;
    if (t->data_location == ONNX_EXTERNAL) f->external_bytes += out->size_bytes;
    f->tensor_count++;
    return ONDOL_OK;
}

ondol_status api_file_open_onnx(ondol_file *f, const char *path, ondol_error *err) {
    api_folder folder;
    ondol_status status = ONDOL_OK;
    TRY(api_folder_open(&f->engine->allocator, path, &folder, err));
    TRY(onnx_file_open(&f->engine->allocator, folder.model, NULL, &f->onnx, err));
    const onnx_model_proto *m = onnx_file_model(f->onnx);
    const onnx_tensor_list *list = &m->graph->initializer;
    TRY(add_rows(f, err));
    f->tensors = base_arena_alloc(&f->arena, list->count + 1, sizeof *f->tensors);
    if (!f->tensors) {
        status = no_memory(err);
        goto done;
    }
    for (size_t i = 0; i < list->count; i++)
        TRY(add_tensor(f, list->items + i, err));
    snprintf(f->format, sizeof f->format, "ONNX IR version %" PRId64 "%s", m->ir_version,
             folder.has_config ? ", a folder of ONNX Runtime GenAI" : "");
done:
    api_folder_free(&folder);
    return status;
}
