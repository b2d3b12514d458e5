/* The table of operators. In: an operator or its name. Out: its row of ops.def. */
#include "graph/ops.h"

#include <string.h>

static const graph_op_info rows[GRAPH_OP_COUNT] = {
#define OP(symbol, ...) {__VA_ARGS__},
#define OLD(symbol, ...)
#define GONE(symbol, ...)
#include "graph/ops.def"
#undef OP
#undef OLD
#undef GONE
};

/* In the order of ops.def: versions of one operator follow one another, the newest first. */
static const graph_schema schemas[] = {
#define OP(symbol, ...)   {{__VA_ARGS__}, GRAPH_OP_##symbol, false},
#define OLD(symbol, ...)  {{__VA_ARGS__}, GRAPH_OP_COUNT, false},
#define GONE(symbol, ...) {{__VA_ARGS__}, GRAPH_OP_COUNT, true},
#include "graph/ops.def"
#undef OP
#undef OLD
#undef GONE
};

const graph_op_info *graph_op_info_of(graph_op op) {
    return rows + op;
}

bool graph_op_find(const char *domain, const char *name, graph_op *out) {
    for (int i = 0; i < GRAPH_OP_COUNT; i++) {
        if (strcmp(rows[i].domain, domain) != 0 || strcmp(rows[i].name, name) != 0) continue;
        *out = (graph_op)i;
        return true;
    }
    return false;
}

static bool is_text(const char *text, const char *bytes, size_t n) {
    return strlen(text) == n && (n == 0 || memcmp(text, bytes, n) == 0);
}

const graph_schema *graph_schema_find(const char *domain, size_t domain_bytes, const char *name,
                                      size_t name_bytes, uint32_t version, uint32_t *newest) {
    if (is_text("ai.onnx", domain, domain_bytes)) domain_bytes = 0;
    *newest = 0;
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        const graph_op_info *row = &schemas[i].info;
        if (!is_text(row->name, name, name_bytes)) continue;
        if (!is_text(row->domain, domain, domain_bytes)) continue;
        if (row->since_version > *newest) *newest = row->since_version;
        if (row->since_version <= version) return schemas + i;
    }
    return NULL;
}

uint32_t graph_schema_newest(const char *domain, size_t domain_bytes) {
    uint32_t newest = 0;
    if (is_text("ai.onnx", domain, domain_bytes)) domain_bytes = 0;
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        const graph_op_info *row = &schemas[i].info;
        if (row->since_version > newest && is_text(row->domain, domain, domain_bytes)) {
            newest = row->since_version;
        }
    }
    return newest;
}

const char *graph_list_next(const char **list) {
    const char *item = *list;
    if (!*item) return NULL;
    *list = item + strlen(item) + 1;
    return item;
}

const char *graph_op_attribute(const graph_op_info *info, const char *name, char *type) {
    const size_t n = strlen(name);
    const char *list = info->attributes, *item = NULL;
    while ((item = graph_list_next(&list)) != NULL) {
        if (strncmp(item, name, n) != 0 || item[n] != ':') continue;
        *type = item[n + 1];
        return item[n + 2] == '=' ? item + n + 3 : item + strlen(item);
    }
    return NULL;
}
