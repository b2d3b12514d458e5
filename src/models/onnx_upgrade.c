/* One node of a file, of any version. In: its inputs and attributes. Out: nodes of the newest
 * versions, by the rule that onnx_upgrades.def names. */
#include "models/onnx_upgrade.h"

#include <string.h>

typedef struct upgrade_row {
    const char *domain, *name;
    uint32_t first, last; /* versions, both included */
    onnx_upgrade_rule rule;
} upgrade_row;

static const upgrade_row rows[] = {
#define UPGRADE(domain, name, first, last, rule) {domain, name, first, last, rule},
#include "models/onnx_upgrades.def"
#undef UPGRADE
};

onnx_upgrade_rule onnx_upgrade_find(const graph_op_info *row) {
    graph_op op;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const upgrade_row *r = rows + i;
        if (row->since_version < r->first || row->since_version > r->last) continue;
        if (strcmp(r->name, row->name) == 0 && strcmp(r->domain, row->domain) == 0) return r->rule;
    }
    const bool known = graph_op_find(row->domain, row->name, &op);
    if (known && graph_op_info_of(op)->since_version == row->since_version) return upgrade_same;
    return NULL;
}

ondol_status onnx_upgrade_run(onnx_upgrade *u) {
    onnx_upgrade_rule rule = onnx_upgrade_find(u->row);
    u->status = ONDOL_OK;
    for (uint32_t i = 0; i < u->output_count; i++)
        u->outputs[i] = GRAPH_NONE;
    if (!rule) {
        upgrade_fail(u, ONDOL_E_UNSUPPORTED, "version %u of the operator has no newer form",
                     u->row->since_version);
        return u->status;
    }
    rule(u);
    for (uint32_t i = 0; i < u->output_count && u->status == ONDOL_OK; i++) {
        if (u->wanted[i] && u->outputs[i] == GRAPH_NONE) {
            upgrade_fail(u, ONDOL_E_UNSUPPORTED,
                         "output %u of version %u has no equal in newer versions", i,
                         u->row->since_version);
        }
    }
    return u->status;
}

/* The newest version with the same inputs, outputs and attributes. */
void upgrade_same(onnx_upgrade *u) {
    graph_op op;
    if (!graph_op_find(u->row->domain, u->row->name, &op)) {
        upgrade_fail(u, ONDOL_E_INTERNAL, "there is no newest version");
        return;
    }
    upgrade_as(u, op);
}

void upgrade_as(onnx_upgrade *u, graph_op op) {
    const graph_node_id n = upgrade_node(u, op, u->inputs, u->input_count, u->output_count);
    upgrade_copy_attributes(u, n);
    upgrade_finish(u, n);
    for (uint32_t i = 0; i < u->output_count && u->status == ONDOL_OK; i++) {
        if (u->wanted[i])
            upgrade_give(u, i, upgrade_output(u, n, i));
        else
            u->g->nodes[n].outputs[i] = GRAPH_NONE;
    }
}
