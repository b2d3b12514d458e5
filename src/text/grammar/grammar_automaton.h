/* The places of a grammar as states of an automaton that is worked out while it is used: a state is
 * a set of configurations (node, how far into a character, where to return to), a step is a byte.
 * What costs much once is a table look-up ever after. */
#ifndef TEXT_GRAMMAR_AUTOMATON_H
#define TEXT_GRAMMAR_AUTOMATON_H

#include "text/grammar/grammar_internal.h"

#define GRAMMAR_CONFIGS_MAX   32768u
#define GRAMMAR_SEEN_MAX      (1u << 19) /* configurations met on the way to one state */
#define GRAMMAR_DEPTH_MAX     65536u
#define GRAMMAR_STEPS_MAX     (1u << 24) /* configurations looked at in one call */
#define GRAMMAR_CACHE_BYTES   ((size_t)64 << 20)
#define GRAMMAR_STATE_UNKNOWN 0u
#define GRAMMAR_STATE_DEAD    1u
#define GRAMMAR_STATE_START   2u

/* node GRAMMAR_NONE: the grammar may end. set: the state of a SET's automaton, 0 for others. */
typedef struct grammar_config {
    uint32_t node, set, stack;
} grammar_config;

/* Where a call returns to; equal ones exist once. Number 0 is the bottom. parent < own number. */
typedef struct grammar_stack {
    uint32_t node, parent, depth;
} grammar_stack;

typedef struct grammar_state {
    uint64_t hash;
    uint32_t first_config, n_configs; /* sorted */
    uint32_t *mask;                   /* NULL until asked for */
    bool complete, has_tokens;
} grammar_state;

/* Open addressing; a slot holds number + 1. */
typedef struct grammar_table {
    uint32_t *slots;
    size_t capacity; /* a power of two */
} grammar_table;

/* Shared by a matcher and its clones. Thread class: one thread at a time. */
typedef struct grammar_automaton {
    const ondol_allocator *allocator;
    const text_grammar *grammar;
    const text_grammar_vocabulary *vocabulary;
    uint32_t *token_ids; /* [grammar->n_tokens] */
    uint64_t seed;
    size_t cache_bytes;

    grammar_stack *stacks;
    size_t n_stacks, stack_capacity;
    grammar_table stack_table;

    grammar_config *configs;
    size_t n_configs, config_capacity;
    grammar_state *states;
    size_t n_states, state_capacity, n_masks;
    uint32_t *steps; /* [n_states][n_classes] */
    size_t step_capacity;
    grammar_table state_table;

    /* One exploration: all that was met, of which found[] are the configurations of a state. */
    grammar_config *seen;
    size_t n_seen, seen_capacity;
    grammar_config *found;
    size_t n_found, found_capacity;
    grammar_table seen_table;
    size_t budget;

    uint32_t *walk; /* [max_depth + 1] states along the vocabulary's tree; in use up to n_walk */
    size_t n_walk;
    text_grammar_matcher *matchers;
} grammar_automaton;

struct text_grammar_matcher {
    grammar_automaton *automaton;
    uint32_t state;
    text_grammar_matcher *previous, *next;
};

/* cache_bytes: what tables may hold before they are emptied. Errors: FORMAT, LIMIT, MEMORY. */
ondol_status grammar_automaton_create(const ondol_allocator *allocator, const text_grammar *grammar,
                                      const text_grammar_vocabulary *vocabulary, size_t cache_bytes,
                                      grammar_automaton **out, ondol_error *err);
void grammar_automaton_destroy(grammar_automaton *a);

/* *state: where a byte leads from *state, worked out and kept. Emptying the tables may renumber all
 * states, those of walk[0 .. n_walk) and of all matchers included. Errors: LIMIT, MEMORY. */
ondol_status grammar_automaton_step(grammar_automaton *a, uint32_t *state, unsigned char byte,
                                    ondol_error *err);

/* *state: where token id leads from *state, by its bytes or where the grammar names it. */
ondol_status grammar_automaton_token(grammar_automaton *a, uint32_t *state, uint32_t id,
                                     ondol_error *err);

/* The mask of the matcher's state is there afterwards. */
ondol_status grammar_automaton_mask(grammar_automaton *a, const text_grammar_matcher *m,
                                    ondol_error *err);

/* Empties the tables but for what matchers and the walk stand on. Errors: LIMIT, MEMORY. */
ondol_status grammar_automaton_collect(grammar_automaton *a, ondol_error *err);

/* ---- grammar_tables.c ---- */

/* The number of the stack (node, parent). Errors: LIMIT, MEMORY. */
ondol_status grammar_stack_intern(grammar_automaton *a, uint32_t node, uint32_t parent,
                                  uint32_t *out, ondol_error *err);

/* Adds a configuration to seen[] unless it is there. Errors: LIMIT, MEMORY. */
ondol_status grammar_seen_add(grammar_automaton *a, grammar_config config, ondol_error *err);
void grammar_seen_clear(grammar_automaton *a);

/* Sorts found[] and gives the state that it is. Errors: MEMORY. */
ondol_status grammar_state_intern(grammar_automaton *a, uint32_t *out, ondol_error *err);

void grammar_tables_destroy(grammar_automaton *a);

/* Bytes that the tables hold now. */
size_t grammar_tables_bytes(const grammar_automaton *a);

#endif
