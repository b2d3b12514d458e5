/* Old versions of operators: one node of a file becomes nodes of the newest versions that compute
 * exactly the same. onnx_upgrades.def has a row for each version; the rules are in
 * onnx_upgrade_*.c.
 *
 * Errors are sticky, as in decoder.h: the first fault is kept in `status`, and every later call
 * does nothing and gives GRAPH_NONE. Inside of models/. */
#ifndef MODELS_ONNX_UPGRADE_H
#define MODELS_ONNX_UPGRADE_H

#include "graph/ops.h"

/* A node as the file has it, checked against the row of its version. */
typedef struct onnx_upgrade {
    graph *g;
    const graph_op_info *row;
    const char *name; /* of the nodes that are made */
    const graph_value_id *inputs;
    const graph_attribute *attributes; /* lists lie in g's arena or outlive g */
    const bool *wanted;                /* [output_count]: the file names this output */
    graph_value_id *outputs;           /* [output_count]: filled by the rule */
    uint32_t input_count, attribute_count, output_count;
    ondol_status status;
    ondol_error *err;
} onnx_upgrade;

typedef void (*onnx_upgrade_rule)(onnx_upgrade *u);

/* The rule for that version of an operator; NULL: there is none. Newest versions: upgrade_same. */
onnx_upgrade_rule onnx_upgrade_find(const graph_op_info *row);

/* Adds the nodes and fills u->outputs (GRAPH_NONE where not wanted). Errors: FORMAT, UNSUPPORTED,
 * LIMIT, MEMORY. */
ondol_status onnx_upgrade_run(onnx_upgrade *u);

/* Types and shapes of a node that has just been made. Errors: FORMAT. */
ondol_status onnx_import_infer(graph *g, graph_node_id n, ondol_error *err);

/* ------------------------------------------------------------------------------- for the rules */

/* GRAPH_NONE: absent. */
graph_value_id upgrade_input(const onnx_upgrade *u, uint32_t i);
/* NULL: absent. */
const graph_attribute *upgrade_attribute(const onnx_upgrade *u, const char *name);
/* The attribute, the default of the file's version, or 0 and "". */
int64_t upgrade_int(const onnx_upgrade *u, const char *name);
double upgrade_float(const onnx_upgrade *u, const char *name);
const char *upgrade_string(const onnx_upgrade *u, const char *name);
/* Rank of a value, or GRAPH_RANK_UNKNOWN; its element type, or UNDEFINED. */
uint32_t upgrade_rank(const onnx_upgrade *u, graph_value_id v);
tensor_element upgrade_element(const onnx_upgrade *u, graph_value_id v);

/* A node of a newest version: its attributes are to be set, then upgrade_finish. */
graph_node_id upgrade_node(onnx_upgrade *u, graph_op op, const graph_value_id *inputs,
                           uint32_t input_count, uint32_t output_count);
void upgrade_set_int(onnx_upgrade *u, graph_node_id n, const char *name, int64_t v);
void upgrade_set_float(onnx_upgrade *u, graph_node_id n, const char *name, double v);
void upgrade_set_string(onnx_upgrade *u, graph_node_id n, const char *name, const char *v);
/* Sets the node's own attribute `from` (when it is there) under the name `to`. */
void upgrade_move_attribute(onnx_upgrade *u, graph_node_id n, const char *from, const char *to);
/* Sets all of the file's attributes that the newest version has, and those defaults of the file's
 * version that differ from the newest's. */
void upgrade_copy_attributes(onnx_upgrade *u, graph_node_id n);
/* Infers; the first output. */
graph_value_id upgrade_finish(onnx_upgrade *u, graph_node_id n);
graph_value_id upgrade_output(const onnx_upgrade *u, graph_node_id n, uint32_t i);

/* Nodes without attributes and with one output. */
graph_value_id upgrade_unary(onnx_upgrade *u, graph_op op, graph_value_id a);
graph_value_id upgrade_binary(onnx_upgrade *u, graph_op op, graph_value_id a, graph_value_id b);
graph_value_id upgrade_cast(onnx_upgrade *u, graph_value_id a, tensor_element to);

/* Constants: i64 [count]; i64 []; a number of rank 0 of the same element type as `like`. */
graph_value_id upgrade_ints(onnx_upgrade *u, const int64_t *v, uint32_t count);
graph_value_id upgrade_integer(onnx_upgrade *u, int64_t v);
graph_value_id upgrade_number(onnx_upgrade *u, tensor_element element, double v);
graph_value_id upgrade_number_like(onnx_upgrade *u, double v, graph_value_id like);
/* The list of an INTS attribute as i64 [count]; GRAPH_NONE when it is absent. */
graph_value_id upgrade_ints_of(onnx_upgrade *u, const char *name);

/* i64 [rank of a]; i64 [1], the rank. */
graph_value_id upgrade_shape(onnx_upgrade *u, graph_value_id a);
graph_value_id upgrade_rank_value(onnx_upgrade *u, graph_value_id a);
/* a with `count` (i64 [1]) dimensions of 1 put behind its own. */
graph_value_id upgrade_append_ones(onnx_upgrade *u, graph_value_id a, graph_value_id count);
/* a in the shape i64 [r], zeros meant as such. */
graph_value_id upgrade_reshape(onnx_upgrade *u, graph_value_id a, graph_value_id shape);
/* a and b along their only axis. */
graph_value_id upgrade_concat(onnx_upgrade *u, graph_value_id a, graph_value_id b);

/* Output i is v. */
void upgrade_give(onnx_upgrade *u, uint32_t i, graph_value_id v);
bool upgrade_wants(const onnx_upgrade *u, uint32_t i);
void upgrade_fail(onnx_upgrade *u, ondol_status status, const char *format, ...) BASE_PRINTF(3, 4);

/* The newest version of operator op, with the same inputs, outputs and attributes. */
void upgrade_as(onnx_upgrade *u, graph_op op);

/* Rules, named by onnx_upgrades.def. */
#define UPGRADE(domain, name, first, last, rule) void rule(onnx_upgrade *u);
#include "models/onnx_upgrades.def"
#undef UPGRADE

#endif
