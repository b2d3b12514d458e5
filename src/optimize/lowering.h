/* Inside of optimize/: a decoder on its way from the portable to the lowered dialect.
 *
 * A value of the old graph either stands on rows (one for each token: it has a stand-in of shape
 * [rows, columns] in the new graph) or is left alone: arithmetic on masks, lengths, positions and
 * shapes is not translated. What depends on such a value asks what it computes (lower_probe.c).
 * Nodes that nobody asks for are dropped, whatever they are. */
#ifndef OPTIMIZE_LOWERING_H
#define OPTIMIZE_LOWERING_H

#include "optimize/lower_match.h"
#include "optimize/optimize.h"
#include "optimize/rewrite.h"

/* How the old value has its rows: batch b, sequence s, heads h of e elements, columns c = h * e. */
typedef enum lower_form {
    LOWER_NONE,        /* not on rows */
    LOWER_ROWS,        /* [b, s, c] */
    LOWER_FLAT,        /* [b * s, c] */
    LOWER_HEADS,       /* [b, s, h, e] */
    LOWER_HEADS_FIRST, /* [b, h, s, e] */
    LOWER_HEADS_FLAT,  /* [b, s * h, e] */
    LOWER_LAST         /* [b, c]: of the last token, as the file has it; rows are chosen later */
} lower_form;

typedef struct lower_state {
    lower_form form;
    uint32_t heads; /* of the forms that have them; 0 otherwise */
} lower_state;

/* What a value that is not on rows has been found to compute. */
typedef enum lower_meaning {
    LOWER_UNASKED,
    LOWER_OTHER,
    LOWER_LENGTHS,  /* one number: tokens of the sequence, less one */
    LOWER_TOTAL,    /* one number: tokens of the sequence */
    LOWER_POSITIONS /* [s]: positions of the tokens, shifted by `offset` past `threshold` tokens */
} lower_meaning;

typedef struct lower_answer {
    lower_meaning meaning;
    uint64_t threshold; /* sequences longer than this, 0: none, */
    int64_t offset;     /* are shifted by this */
} lower_answer;

#define LOWER_MAX_TABLES 16

/* The file's own cosines and sines, a row for each position. */
typedef struct lower_cache {
    const graph_value *cosines[2], *sines[2]; /* [positions, r/2], by regime */
    int64_t first[2];                         /* row of position 0 */
    uint32_t regimes;
    uint64_t threshold;
} lower_cache;

/* One rotary table: frequencies, or rows that are looked up. */
typedef struct lower_table {
    match_rotary computed; /* regimes 0: looked up */
    lower_cache cache;     /* regimes 0: computed */
    graph_value_id value;  /* of the new graph */
} lower_table;

typedef struct lowering {
    rewrite r;
    optimize_decoder *decoder;
    const optimize_options *options;
    uint32_t *uses;
    lower_state *states;   /* [old values] */
    lower_answer *answers; /* [old values]: what has been asked */
    lower_table tables[LOWER_MAX_TABLES];
    uint32_t table_count;
    graph_value_id ids, position_rows, regimes;             /* of the new graph */
    graph_value_id input_ids, attention_mask, position_ids; /* of the old graph; GRAPH_NONE */
    ondol_error *err;
} lowering;

typedef ondol_status (*lower_handler)(lowering *l, graph_node_id id);

/* ------------------------------------------------------------ lowering.c: what all share */

/* UNSUPPORTED with the node and why. */
ondol_status lower_unrecognised(const lowering *l, graph_node_id id, const char *why);

/* Input and output i of an old node; GRAPH_NONE when it is absent. */
graph_value_id lower_in(const lowering *l, graph_node_id id, uint32_t i);
graph_value_id lower_out(const lowering *l, graph_node_id id, uint32_t i);

/* True when the old value stands on rows. */
bool lower_is_rows(const lowering *l, graph_value_id v);
/* Columns of its rows. */
uint32_t lower_columns(const lowering *l, graph_value_id v);
/* The stand-in of input i. Errors: UNSUPPORTED, with the node that makes it, when it has none. */
ondol_status lower_rows(lowering *l, graph_node_id id, uint32_t i, graph_value_id *out);

/* Adds a node of one output; attributes are to be set, then lower_finish infers it and makes it the
 * stand-in of old value v. */
ondol_status lower_begin(lowering *l, graph_node_id id, graph_op op, const graph_value_id *inputs,
                         uint32_t input_count, graph_node_id *node);
ondol_status lower_finish(lowering *l, graph_node_id node, graph_value_id v, lower_state state);
/* The same for a value that no old value stands for. */
ondol_status lower_finish_value(lowering *l, graph_node_id node, graph_value_id *out);
/* Makes `value` of the new graph the stand-in of old value v. */
void lower_alias(lowering *l, graph_value_id v, graph_value_id value, lower_state state);

/* Columns [first, first + count) of a value of the new graph. */
ondol_status lower_add_columns(lowering *l, graph_node_id id, graph_value_id x, uint64_t first,
                               uint64_t count, graph_value_id *out);

/* The only node that uses old value v; GRAPH_NONE when there are more, or the graph gives it out.
 */
graph_node_id lower_only_user(const lowering *l, graph_value_id v);

/* ------------------------------------------------------------ lower_weights.c */

/* How old value v is stored as a matrix [outputs, inputs]; as_columns: v is [inputs, outputs]. Sees
 * through Cast, Identity, Transpose, Reshape and DequantizeLinear of initializers. *nbits is where
 * codes are described. False: it is no such thing. Errors: those of tensor_nbits_check. */
ondol_status lower_find_matrix(lowering *l, graph_value_id v, bool as_columns, tensor_matrix *out,
                               tensor_nbits *nbits, bool *found);
/* Brings a matrix to the new graph; one that is there already is not brought again. */
ondol_status lower_bring_matrix(lowering *l, const char *name, const tensor_matrix *m,
                                graph_value_id *out);
/* The f32 [n] of the new graph for an old initializer of n floats. Errors: UNSUPPORTED. */
ondol_status lower_vector(lowering *l, graph_node_id id, graph_value_id v, uint64_t n,
                          graph_value_id *out);
/* The bytes of an old initializer, through Identity, and its value; NULL: it is none. */
const graph_value *lower_constant(const lowering *l, graph_value_id v);

/* ------------------------------------------------------------ lower_probe.c */

/* Elements of old value v as integers, with `past` tokens in the cache and `fresh` new ones, batch
 * 1. False when it is no tensor of numbers, has more than max, or needs more than arithmetic. */
bool lower_probe(lowering *l, graph_value_id v, uint64_t past, uint64_t fresh, int64_t *out,
                 uint64_t max, uint64_t *count);
/* What v means as lengths, total or positions. */
const lower_answer *lower_ask(lowering *l, graph_value_id v);
/* *first: what bool v is for a sequence of one token; *threshold: the longest sequence of which it
 * is that still, 0: all. False: it depends on more than the length. */
bool lower_threshold(lowering *l, graph_value_id v, uint64_t *threshold, bool *first);

/* ------------------------------------------------------------ lower_shape.c */

/* Dimensions of an old value on rows, for `fresh` tokens of batch 1; the rank, 0: not known. */
uint32_t lower_dims(const lowering *l, graph_value_id v, uint64_t fresh, int64_t dims[4]);

/* ------------------------------------------------------------ handlers, by what they know */

ondol_status lower_gather(lowering *l, graph_node_id id);
ondol_status lower_gather_quantized(lowering *l, graph_node_id id);
ondol_status lower_matmul(lowering *l, graph_node_id id);
ondol_status lower_matmul_nbits(lowering *l, graph_node_id id);
ondol_status lower_gemm(lowering *l, graph_node_id id);
ondol_status lower_add(lowering *l, graph_node_id id);
ondol_status lower_mul(lowering *l, graph_node_id id);
ondol_status lower_activation(lowering *l, graph_node_id id);
ondol_status lower_norm(lowering *l, graph_node_id id);
ondol_status lower_skip_norm(lowering *l, graph_node_id id);
ondol_status lower_reshape(lowering *l, graph_node_id id);
ondol_status lower_transpose(lowering *l, graph_node_id id);
ondol_status lower_unsqueeze(lowering *l, graph_node_id id);
ondol_status lower_same(lowering *l, graph_node_id id);
ondol_status lower_split(lowering *l, graph_node_id id);
ondol_status lower_slice(lowering *l, graph_node_id id);
ondol_status lower_rotary(lowering *l, graph_node_id id);
ondol_status lower_rotary_ms(lowering *l, graph_node_id id);
ondol_status lower_group_query(lowering *l, graph_node_id id);

/* x on rows of the new graph, plus a vector of the old graph: joined to the matmul that makes x,
 * which nothing else may use. Errors: UNSUPPORTED when x is made by something else. */
ondol_status lower_join_bias(lowering *l, graph_node_id id, graph_value_id x, graph_value_id bias);

/* ------------------------------------------------------------ lower_rotary.c */

/* The table of the new graph for rows of old cosines and sines [positions, r/2], at old value
 * positions (GRAPH_NONE: the tokens' own). *r: how many elements of a head it rotates.
 * Errors: UNSUPPORTED. */
ondol_status lower_cached_table(lowering *l, graph_node_id id, graph_value_id cosines,
                                graph_value_id sines, graph_value_id positions,
                                graph_value_id *table, uint32_t *r);
/* Rotates x of the new graph. */
ondol_status lower_add_rope(lowering *l, graph_node_id id, graph_value_id x, graph_value_id table,
                            uint32_t heads, bool interleaved, graph_value_id *out);

#endif
