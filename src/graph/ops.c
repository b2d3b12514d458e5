/* The table of operators. In: an operator or its name. Out: its row of ops.def. */
#include "graph/ops.h"

#include <string.h>

static const graph_op_info rows[GRAPH_OP_COUNT] = {
#define OP(symbol, domain, name, since, min_in, max_in, min_out, max_out, infer, attributes)       \
    {domain, name, since, min_in, max_in, min_out, max_out, infer, attributes},
#include "graph/ops.def"
#undef OP
};

const graph_op_info *graph_op_info_of(graph_op op) {
    return rows + op;
}

bool graph_op_find(const char *domain, const char *name, graph_op *out) {
    bool found = false;
    uint32_t version = 0;
    for (int i = 0; i < GRAPH_OP_COUNT; i++) {
        if (strcmp(rows[i].domain, domain) != 0 || strcmp(rows[i].name, name) != 0) continue;
        if (found && rows[i].since_version < version) continue;
        found = true;
        version = rows[i].since_version;
        *out = (graph_op)i;
    }
    return found;
}

const char *graph_op_attribute(const graph_op_info *info, const char *name, char *type,
                               size_t *default_bytes) {
    size_t n = strlen(name);
    const char *p = info->attributes;
    while (*p) {
        size_t length = strcspn(p, " ");
        if (length > n + 1 && memcmp(p, name, n) == 0 && p[n] == ':') {
            *type = p[n + 1];
            const char *value = p[n + 2] == '=' ? p + n + 3 : p + length;
            *default_bytes = (size_t)(p + length - value);
            return value;
        }
        p += length;
        while (*p == ' ')
            p++;
    }
    return NULL;
}
