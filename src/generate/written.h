/* A decoder that runs as it is written, with a past of its own, one sequence at a time: for graphs
 * that the optimizer does not recognise. Who has the graph gives these calls. */
#ifndef GENERATE_WRITTEN_H
#define GENERATE_WRITTEN_H

#include <stdbool.h>

#include "base/mem.h"

/* What a graph gave as its present, of some tokens of a sequence. Counted. */
typedef struct generate_past generate_past;

typedef struct generate_written {
    void *user;
    bool whole_prompts; /* the first tokens mean something else when more follow: a past is of no
                         * use to another sequence */
    /* Computes tokens[past .. past + count) of a sequence, whose first `past` tokens stand in
     * *state (which may hold more; NULL: none). *state is replaced by one of past + count tokens.
     * logits f32 [wanted][vocabulary], behind the last `wanted` of them, wanted <= count. Under the
     * engine's step lock. Errors: those of a run; *state is then as it was. */
    ondol_status (*run)(void *user, generate_past **state, const int32_t *tokens, uint64_t past,
                        uint64_t count, uint64_t wanted, float *logits, ondol_error *err);
    /* Thread class: shared. release takes NULL. */
    generate_past *(*retain)(void *user, generate_past *state);
    void (*release)(void *user, generate_past *state);
} generate_written;

#endif
