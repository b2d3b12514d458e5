/* Patterns of portable subgraphs: walks from a value back to what made it. */
#ifndef OPTIMIZE_LOWER_MATCH_H
#define OPTIMIZE_LOWER_MATCH_H

#include "graph/graph.h"

/* How cosines of a rotary embedding are computed:
 *   Cast(Mul(Cos(Mul(Unsqueeze(Cast(position_ids)), frequencies)), magnitude)), Mul optional;
 * frequencies an initializer double [r/2], or Where(Greater(total_length, threshold), long, short).
 */
typedef struct match_rotary {
    graph_value_id positions; /* the graph input */
    graph_value_id frequencies[2];
    uint32_t regimes;
    uint64_t threshold;
    double magnitude;
} match_rotary;

/* The node that makes the value when it is of that operator; GRAPH_NONE otherwise. */
graph_node_id match_producer(const graph *g, graph_value_id v, graph_op op);

/* True, with the value as double, when v is an initializer of one float or double element. */
bool match_scalar(const graph *g, graph_value_id v, double *out);

/* True when v is made by `trig` (Cos or Sin) as above. */
bool match_rotary_table(const graph *g, graph_value_id v, graph_op trig, match_rotary *out);

/* uses[v] = how often v is a node's input or an output of the graph; uses has g->value_count. */
void match_count_uses(const graph *g, uint32_t *uses);

#endif
