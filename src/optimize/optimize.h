/* From a portable graph to the lowered one that plans are made of. */
#ifndef OPTIMIZE_OPTIMIZE_H
#define OPTIMIZE_OPTIMIZE_H

#include "graph/graph.h"

/* One attention layer of a recognised decoder, in the order of PagedAttention's `layer`. */
typedef struct optimize_attention_layer {
    uint32_t kv_heads, head_size;
    uint32_t window; /* keys that a token sees, itself included; 0: all */
} optimize_attention_layer;

/* A small dense tensor of the host. */
typedef struct optimize_tensor {
    tensor_element element;
    uint32_t rank;
    int64_t dims[TENSOR_MAX_RANK];
    uint64_t elems;
    void *data;
} optimize_tensor;

/* Computes what a few nodes give, so that passes need not know every way of writing it. */
typedef struct optimize_evaluator {
    void *user;
    /* Runs g, which has one output, once on inputs [g->input_count]. out->data comes from g's
     * allocator, the caller frees it. Errors: those of the run. */
    ondol_status (*run)(void *user, const graph *g, const optimize_tensor *inputs,
                        optimize_tensor *out, ondol_error *err);
} optimize_evaluator;

/* What is known of a graph beside itself. Texts may be NULL: then they are as usual. */
typedef struct optimize_options {
    const char *input_ids, *attention_mask, *position_ids, *logits; /* names of values */
    uint64_t context;                    /* the longest sequence that is asked about; 0: 4096 */
    const optimize_evaluator *evaluator; /* NULL: only what is plain without one is recognised */
} optimize_options;

/* A recognised decoder. Inputs of `lowered`: ids, positions, regimes i32 [rows]. Outputs: "hidden"
 * f32 [outputs, hidden] and "logits" f32 [logits, vocabulary]. Owned by optimize_decoder_destroy.
 */
typedef struct optimize_decoder {
    const ondol_allocator *allocator;
    graph *lowered;
    optimize_attention_layer *layers;
    uint32_t layer_count;
    uint32_t hidden, vocabulary;
    uint64_t regime_threshold; /* sequences longer than this take regime 1; 0: one regime */
    uint64_t max_positions;    /* tokens that tables of positions go to; 0: any */
} optimize_decoder;

/* Runs all passes. portable must outlive the result (weights are borrowed). options may be NULL.
 * Errors: UNSUPPORTED with the node that is no part of a decoder, MEMORY. */
ondol_status optimize_decoder_create(const ondol_allocator *a, const graph *portable,
                                     const optimize_options *options, optimize_decoder **out,
                                     ondol_error *err);
void optimize_decoder_destroy(optimize_decoder *d);

/* Passes for a graph that runs as it is written, in place; its constants have been folded.
 * Errors: MEMORY. */
ondol_status optimize_network(graph *g, ondol_error *err);

/* Operators between DequantizeLinear and QuantizeLinear become those that compute in int8: Conv,
 * MatMul, Add, Mul. In place, before constants are folded. Errors: MEMORY. */
ondol_status optimize_quantized(graph *g, ondol_error *err);

/* The passes, one a file; each makes a new graph. */

/* Portable decoder -> lowered, all outputs on all rows; fills all of *d but its allocator. */
ondol_status optimize_lower_decoder(const graph *portable, const optimize_options *options,
                                    optimize_decoder *d, ondol_error *err);
/* Computes on the rows wanted back alone whatever no key or value depends on. */
ondol_status optimize_select_rows(const graph *from, graph **out, ondol_error *err);
/* MatMuls of the same input become one, with Columns behind it. */
ondol_status optimize_fuse_projections(const graph *from, graph **out, ondol_error *err);

#endif
