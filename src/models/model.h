/* A model file as a portable graph: the architecture is looked up and builds it. */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include "formats/gguf/gguf_file.h"
#include "graph/graph.h"

/* Sizes of the model; architecture lives for ever. */
typedef struct models_info {
    const char *architecture;
    uint32_t layers, hidden, vocabulary, context;
} models_info;

/* Builds the graph of the architecture that the file names. file is borrowed: the graph's weights
 * are views into it. Reads headers and vectors only. Errors: NOT_FOUND (a key or tensor), FORMAT
 * (shapes), UNSUPPORTED (an architecture that is not known: says which are), MEMORY. */
ondol_status models_graph_from_gguf(const ondol_allocator *a, gguf_file *file, graph **out,
                                    models_info *info, ondol_error *err);

#endif
