/* Inside of api/: what each input of a decoder's graph is to be given. */
#ifndef API_WRITTEN_PORTS_H
#define API_WRITTEN_PORTS_H

#include "base/buffer.h"
#include "graph/graph.h"
#include "models/genai_config.h"

typedef enum written_role {
    WRITTEN_ABSENT,      /* an optional input, or one with a default */
    WRITTEN_IDS,         /* [1, count]: the tokens */
    WRITTEN_MASK,        /* [1, past + count]: ones */
    WRITTEN_POSITIONS,   /* [1, count] or [count]: from past on */
    WRITTEN_PAST,        /* what output `output` gave before */
    WRITTEN_USE_PAST,    /* [1] or []: whether there is a past */
    WRITTEN_TOTAL,       /* [1] or []: past + count */
    WRITTEN_LENGTH,      /* [1] or []: past + count - 1 */
    WRITTEN_PAST_LENGTH, /* [1] or []: past */
    WRITTEN_SOURCE,      /* [1, source, hidden]: what the encoder gave */
    WRITTEN_SOURCE_MASK  /* [1, source]: ones */
} written_role;

typedef struct written_port {
    written_role role;
    uint32_t output;               /* PAST */
    uint32_t token_axis, rank;     /* PAST */
    int64_t dims[TENSOR_MAX_RANK]; /* PAST: of an empty one */
    bool cross;                    /* PAST: keys or values of the encoder's states, made once */
} written_port;

typedef struct written_ports {
    written_port *inputs; /* [g->input_count], owned by whoever asked */
    uint32_t logits;      /* output */
    uint32_t past_count;
    bool has_source; /* one input is the encoder's states */
} written_ports;

/* Fills out->inputs, which has g->input_count. names may be NULL. Errors: UNSUPPORTED with the
 * input or output that is not understood. */
ondol_status written_ports_find(const graph *g, const models_genai_config *names,
                                written_ports *out, ondol_error *err);

#endif
