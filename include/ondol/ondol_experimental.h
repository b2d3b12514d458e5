/* Ondol: calls that may still change between releases. Texts are for people to read. */
#ifndef ONDOL_EXPERIMENTAL_H
#define ONDOL_EXPERIMENTAL_H

#include "ondol.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ondol_model_text {
    ONDOL_TEXT_GRAPH_PORTABLE = 0, /* the file as a graph of ONNX operators */
    ONDOL_TEXT_GRAPH_LOWERED = 1,  /* what the optimizer made of it */
    ONDOL_TEXT_PLAN = 2,           /* steps, devices and memory offsets */
    ONDOL_TEXT_EXPLAIN = 3,        /* which kernel each operator got, and why others declined */
    ONDOL_TEXT_DOT = 4             /* the portable graph, drawn in Graphviz's language */
} ondol_model_text;

/* As ondol_chat_format: at most `capacity` bytes, *count always set. Errors: MEMORY. */
ONDOL_API ondol_status ondol_model_describe(const ondol_model *model, ondol_model_text what,
                                            char *text, size_t capacity, size_t *count,
                                            ondol_error *err);

/* What a token costs but for attention: bytes of weights that decoding reads, as the file has them,
 * and int8 operations (2 for each product) of a prompt's token. A graph that runs as it is written:
 * all of its weights. */
ONDOL_API void ondol_model_cost(const ondol_model *model, double *decode_bytes,
                                double *prefill_ops);

/* An ONNX file as it is, in the syntax of onnx.parser. As above. Errors: UNSUPPORTED (GGUF), LIMIT,
 * MEMORY. */
ONDOL_API ondol_status ondol_file_describe(const ondol_file *file, char *text, size_t capacity,
                                           size_t *count, ondol_error *err);

/* Holds an ONNX file against the rules of the specification: its structure, names, types,
 * attributes, the sizes of all tensors and of external data, and each operator's own rules as far
 * as types and shapes are known. Tensors' values are not read, but for indices of sparse ones.
 * Errors: FORMAT with the node or tensor and the rule; UNSUPPORTED (GGUF; an operator or version
 * that is not known); NOT_FOUND, IO (external data); LIMIT, MEMORY. */
ONDOL_API ondol_status ondol_file_check(ondol_file *file, ondol_error *err);

/* The machine's limits, measured in this process with the engine's threads: streaming read in bytes
 * per second, and int8 multiply-add operations (2 for each) per second; 0 where not measurable.
 * Takes about half a second. Errors: MEMORY. */
ONDOL_API ondol_status ondol_engine_measure(ondol_engine *engine, double *read_bytes_per_s,
                                            double *int8_ops_per_s, ondol_error *err);

/* The highest amount of memory that this process has held, in bytes; 0: unknown. */
ONDOL_API uint64_t ondol_process_peak_bytes(void);

/* log-probabilities of logits[n] into log_probabilities[n] (may be the same): the sampler's own exp
 * and log, in double, rounded once. */
ONDOL_API void ondol_log_softmax(const float *logits, size_t n, float *log_probabilities);

/* A network's graph: PORTABLE or DOT. As above. Errors: ARGUMENT, MEMORY. */
ONDOL_API ondol_status ondol_network_describe(const ondol_network *network, ondol_model_text what,
                                              char *text, size_t capacity, size_t *count,
                                              ondol_error *err);

/* What a node took, in a network opened with `profile`. Strings live during the call. */
typedef struct ondol_node_profile {
    size_t struct_size;
    const char *node, *domain, *op;
    const char *device, *kernel;
    uint64_t runs, time_ns; /* of all runs so far; the nodes of its subgraphs included */
} ondol_node_profile;
typedef void (*ondol_profile_row)(void *user, const ondol_node_profile *row);

/* Calls row for each node, those of subgraphs behind their own, in the order in which they run. */
ONDOL_API void ondol_network_profile(const ondol_network *network, ondol_profile_row row,
                                     void *user);

/* From now on the steps of the model's sessions are timed, from 0, one behind the other. Errors:
 * UNSUPPORTED (a graph that runs as it is written), MEMORY. */
ONDOL_API ondol_status ondol_model_profile_start(ondol_model *model, ondol_error *err);
/* Calls row for each kind of step that ran since then, in the order of a pass: node is where it
 * comes from ("blk.3.ffn_up"), op what it does. */
ONDOL_API void ondol_model_profile(const ondol_model *model, ondol_profile_row row, void *user);

#ifdef __cplusplus
}
#endif

#endif
