/* Checks a node against the row of its version. In: the types of its inputs as far as they are
 * known. Out: OK, or the input and the rule that does not hold. */
#include <stdio.h>
#include <string.h>

#include "models/onnx_importer.h"

#define TYPE_BYTES 64

/* Appends text to out[0..TYPE_BYTES); false when it does not fit. */
static bool append(char *out, size_t *used, const char *text) {
    const size_t n = strlen(text);
    if (*used + n >= TYPE_BYTES) return false;
    memcpy(out + *used, text, n + 1);
    *used += n;
    return true;
}

/* "f32", "seq(f32)", "map(i64,f32)" as ops.def writes them; false when it is not wholly known. */
static bool print_type(const graph_value *v, char *out) {
    graph_type top = {.kind = v->type_kind, .element = v->element, .item = v->item};
    size_t used = 0, open = 0;
    bool fits = true;
    out[0] = 0;
    for (const graph_type *t = &top; t && fits; t = t->item) {
        const char *element = tensor_element_name(t->element);
        const bool tensor = t->kind == GRAPH_TYPE_TENSOR || t->kind == GRAPH_TYPE_SPARSE;
        if ((tensor || t->kind == GRAPH_TYPE_MAP) && t->element == TENSOR_ELEMENT_UNDEFINED) {
            return false;
        }
        if (!tensor && !t->item) return false;
        switch (t->kind) {
        case GRAPH_TYPE_TENSOR: fits = append(out, &used, element); break;
        case GRAPH_TYPE_SPARSE:
            fits = append(out, &used, "sparse(") && append(out, &used, element);
            open++;
            break;
        case GRAPH_TYPE_SEQUENCE: fits = append(out, &used, "seq("); break;
        case GRAPH_TYPE_OPTIONAL: fits = append(out, &used, "opt("); break;
        case GRAPH_TYPE_MAP:
            fits = append(out, &used, "map(") && append(out, &used, element) &&
                   append(out, &used, ",");
            break;
        }
        if (!tensor) open++;
        if (tensor) break;
    }
    for (; open && fits; open--)
        fits = append(out, &used, ")");
    return fits;
}

/* What "T=f32|f64" of the row allows for variable `name`; a name that is none allows itself. */
static const char *allowed_types(const graph_op_info *row, const char *name, size_t length,
                                 size_t *out_length) {
    const char *list = row->types, *item = NULL;
    while ((item = graph_list_next(&list)) != NULL) {
        if (strncmp(item, name, length) != 0 || item[length] != '=') continue;
        *out_length = strlen(item + length + 1);
        return item + length + 1;
    }
    *out_length = length;
    return name;
}

/* Whether type is one of "f32|f64"; a dense tensor may stand for a sparse one, which it was. */
static bool is_among(const char *type, const char *allowed, size_t length) {
    char sparse[TYPE_BYTES + 16];
    snprintf(sparse, sizeof sparse, "sparse(%s)", type);
    for (const char *at = allowed; at < allowed + length;) {
        const char *bar = memchr(at, '|', (size_t)(allowed + length - at));
        const size_t n = (size_t)((bar ? bar : allowed + length) - at);
        if (strlen(type) == n && memcmp(type, at, n) == 0) return true;
        if (strlen(sparse) == n && memcmp(sparse, at, n) == 0) return true;
        at += n + 1;
    }
    return false;
}

/* One formal input: "name:type" and its mark. */
typedef struct formal {
    const char *name, *type;
    size_t name_length, type_length;
    char mark; /* 0, ?, * or ~ */
} formal;

static formal read_formal(const char *item) {
    formal f = {.name = item, .name_length = strcspn(item, ":")};
    f.type = item + f.name_length + 1;
    f.type_length = strcspn(f.type, "?*~");
    f.mark = f.type[f.type_length];
    return f;
}

static ondol_status check_type(onnx_importer *im, const graph_op_info *row, const formal *f,
                               uint32_t i, const char *type) {
    size_t length = 0;
    const char *allowed = allowed_types(row, f->type, f->type_length, &length);
    if (is_among(type, allowed, length)) return ONDOL_OK;
    return base_fail(im->err, ONDOL_E_FORMAT, "input %u (%.*s) is of type %s, expected %.*s%s", i,
                     (int)f->name_length, f->name, type, length < 150 ? (int)length : 150, allowed,
                     length < 150 ? "" : " ...");
}

/* The first input of the same type variable, of another type than input i. */
static ondol_status check_same(onnx_importer *im, const graph *g, const graph_op_info *row,
                               const graph_value_id *inputs, uint32_t i, const formal *f,
                               const char *type) {
    const char *list = row->inputs, *item = NULL;
    formal before = {0};
    char other[TYPE_BYTES];
    for (uint32_t k = 0; k < i; k++) {
        item = graph_list_next(&list);
        if (item) before = read_formal(item);
        if (!before.name || before.mark == '~' || before.type_length != f->type_length ||
            memcmp(before.type, f->type, f->type_length) != 0 || inputs[k] == GRAPH_NONE ||
            !print_type(g->values + inputs[k], other)) {
            continue;
        }
        if (strcmp(type, other) == 0) return ONDOL_OK; /* so it was compared with all before it */
        return base_fail(im->err, ONDOL_E_FORMAT,
                         "inputs %u and %u are of types %s and %s, expected the same (%.*s)", k, i,
                         other, type, (int)f->type_length, f->type);
    }
    return ONDOL_OK;
}

ondol_status onnx_import_check_inputs(onnx_importer *im, const graph *g, const graph_op_info *row,
                                      const graph_value_id *inputs, uint32_t count) {
    const char *list = row->inputs, *item = NULL;
    formal f = {0};
    for (uint32_t i = 0; i < count; i++) {
        char type[TYPE_BYTES];
        item = graph_list_next(&list);
        if (item) f = read_formal(item); /* otherwise the last, variadic one goes on */
        if (!f.name) return ONDOL_OK;
        if (inputs[i] == GRAPH_NONE) {
            if (f.mark) continue;
            return base_fail(im->err, ONDOL_E_FORMAT, "input %u (%.*s) is missing", i,
                             (int)f.name_length, f.name);
        }
        if (!print_type(g->values + inputs[i], type)) continue;
        ondol_status status = check_type(im, row, &f, i, type);
        if (status == ONDOL_OK && f.mark != '~') {
            status = check_same(im, g, row, inputs, i, &f, type);
        }
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}
