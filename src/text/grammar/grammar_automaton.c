/* The automaton of a grammar: where a byte or a token leads, and which tokens may come at a state.
 * States are those of a pushdown machine made deterministic while it runs. */
#include "text/grammar/grammar_automaton.h"

#include <inttypes.h>
#include <string.h>

#include "base/os.h"

static ondol_status found_add(grammar_automaton *a, grammar_config config, ondol_error *err) {
    if (a->n_found >= GRAMMAR_CONFIGS_MAX)
        return base_fail(err, ONDOL_E_LIMIT, "grammar: over %u places at once",
                         GRAMMAR_CONFIGS_MAX);
    grammar_config *found =
        grammar_grow(a->allocator, a->found, &a->found_capacity, a->n_found + 1, sizeof *found);
    if (!found) return base_no_memory(err, "a grammar's places", a->n_found * sizeof *found);
    a->found = found;
    found[a->n_found++] = config;
    return ONDOL_OK;
}

/* The start of node with that stack. */
static ondol_status add_node(grammar_automaton *a, uint32_t node, uint32_t stack,
                             ondol_error *err) {
    const grammar_node *n = &a->grammar->nodes[node];
    const uint32_t set = n->kind == GRAMMAR_NODE_SET ? n->operand : 0;
    return grammar_seen_add(a, (grammar_config){node, set, stack}, err);
}

static ondol_status add_call(grammar_automaton *a, const grammar_node *node, uint32_t stack,
                             ondol_error *err) {
    /* A call at the end of a rule need not come back to it: recursion there costs no depth. */
    ondol_status status = ONDOL_OK;
    if (a->grammar->nodes[node->next].kind != GRAMMAR_NODE_RETURN)
        TRY(grammar_stack_intern(a, node->next, stack, &stack, err));
    TRY(add_node(a, node->operand, stack, err));
done:
    return status;
}

static ondol_status add_return(grammar_automaton *a, uint32_t stack, ondol_error *err) {
    if (stack == 0) return grammar_seen_add(a, (grammar_config){GRAMMAR_NONE, 0, 0}, err);
    const grammar_stack *s = &a->stacks[stack];
    return add_node(a, s->node, s->parent, err);
}

/* Follows seen[] through all that costs no character; what waits for one is in found[] then. */
static ondol_status explore(grammar_automaton *a, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < a->n_seen; i++) {
        const grammar_config c = a->seen[i];
        if (c.node == GRAMMAR_NONE) {
            TRY(found_add(a, c, err));
            continue;
        }
        const grammar_node *node = &a->grammar->nodes[c.node];
        switch ((grammar_node_kind)node->kind) {
        case GRAMMAR_NODE_SET:
        case GRAMMAR_NODE_TOKEN:
        case GRAMMAR_NODE_TOKEN_NOT: TRY(found_add(a, c, err)); break;
        case GRAMMAR_NODE_SPLIT:
            TRY(add_node(a, node->operand, c.stack, err));
            TRY(add_node(a, node->next, c.stack, err));
            break;
        case GRAMMAR_NODE_CALL: TRY(add_call(a, node, c.stack, err)); break;
        case GRAMMAR_NODE_RETURN: TRY(add_return(a, c.stack, err)); break;
        }
    }
done:
    return status;
}

/* Adds what a configuration becomes by a byte, if anything. */
static ondol_status add_byte(grammar_automaton *a, const grammar_config *c, unsigned char byte,
                             ondol_error *err) {
    const text_grammar *g = a->grammar;
    if (c->node == GRAMMAR_NONE || g->nodes[c->node].kind != GRAMMAR_NODE_SET) return ONDOL_OK;
    const grammar_set_state *set = &g->sets.states[c->set];
    const grammar_edge *edge = g->sets.edges + set->first_edge;
    for (uint32_t i = 0; i < set->n_edges && edge[i].low <= byte; i++) {
        if (byte > edge[i].high) continue;
        if (edge[i].target == GRAMMAR_NONE)
            return add_node(a, g->nodes[c->node].next, c->stack, err);
        return grammar_seen_add(a, (grammar_config){c->node, edge[i].target, c->stack}, err);
    }
    return ONDOL_OK;
}

/* Makes room when the tables are full. *state goes through a slot of the walk, so that it is kept
 * and renumbered. */
static ondol_status make_room(grammar_automaton *a, uint32_t *state, ondol_error *err) {
    if (grammar_tables_bytes(a) <= a->cache_bytes) return ONDOL_OK;
    a->walk[a->n_walk++] = *state;
    const ondol_status status = grammar_automaton_collect(a, err);
    *state = a->walk[--a->n_walk];
    return status;
}

ondol_status grammar_automaton_step(grammar_automaton *a, uint32_t *state, unsigned char byte,
                                    ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const size_t n_classes = a->grammar->n_classes;
    const size_t class = a->grammar->class_of[byte];
    if (*state == GRAMMAR_STATE_DEAD) return ONDOL_OK;
    const uint32_t known = a->steps[*state * n_classes + class];
    if (known != GRAMMAR_STATE_UNKNOWN) {
        *state = known;
        return ONDOL_OK;
    }
    TRY(make_room(a, state, err));
    grammar_seen_clear(a);
    for (uint32_t i = 0; i < a->states[*state].n_configs; i++)
        TRY(add_byte(a, &a->configs[a->states[*state].first_config + i], byte, err));
    TRY(explore(a, err));
    uint32_t to = 0;
    TRY(grammar_state_intern(a, &to, err));
    a->steps[*state * n_classes + class] = to;
    *state = to;
done:
    return status;
}

static bool matches(const grammar_automaton *a, const grammar_config *c, uint32_t id) {
    if (c->node == GRAMMAR_NONE) return false;
    const grammar_node *node = &a->grammar->nodes[c->node];
    if (node->kind == GRAMMAR_NODE_TOKEN) return a->token_ids[node->operand] == id;
    return node->kind == GRAMMAR_NODE_TOKEN_NOT && a->token_ids[node->operand] != id;
}

/* What the bytes of a token lead to, and what its names in the grammar lead to, as one state. */
static ondol_status join(grammar_automaton *a, uint32_t from, uint32_t by_bytes, uint32_t id,
                         uint32_t *out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    grammar_seen_clear(a);
    if (by_bytes != GRAMMAR_STATE_DEAD) {
        for (uint32_t i = 0; i < a->states[by_bytes].n_configs; i++)
            TRY(grammar_seen_add(a, a->configs[a->states[by_bytes].first_config + i], err));
    }
    for (uint32_t i = 0; i < a->states[from].n_configs; i++) {
        const grammar_config c = a->configs[a->states[from].first_config + i];
        if (matches(a, &c, id)) TRY(add_node(a, a->grammar->nodes[c.node].next, c.stack, err));
    }
    TRY(explore(a, err));
    TRY(grammar_state_intern(a, out, err));
done:
    return status;
}

ondol_status grammar_automaton_token(grammar_automaton *a, uint32_t *state, uint32_t id,
                                     ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const text_view piece = text_token_piece(a->vocabulary->tok, (int32_t)id, 0);
    uint32_t to = piece.size > 0 ? *state : GRAMMAR_STATE_DEAD;
    /* `from` is kept through emptied tables on the walk. */
    a->n_walk = 0;
    a->walk[a->n_walk++] = *state;
    for (size_t i = 0; i < piece.size && to != GRAMMAR_STATE_DEAD; i++)
        TRY(grammar_automaton_step(a, &to, (unsigned char)piece.data[i], err));
    if (a->states[a->walk[0]].has_tokens) TRY(join(a, a->walk[0], to, id, &to, err));
    *state = to;
done:
    if (status != ONDOL_OK) *state = a->walk[0];
    a->n_walk = 0;
    return status;
}

/* ---- masks ---- */

static inline void set_bit(uint32_t *bits, uint32_t id) {
    bits[id / 32] |= (uint32_t)1 << id % 32;
}

static inline void clear_bit(uint32_t *bits, uint32_t id) {
    bits[id / 32] &= ~((uint32_t)1 << id % 32);
}

/* The tokens that the grammar names here. */
static void mask_named(const grammar_automaton *a, const grammar_state *state, uint32_t *bits) {
    const text_grammar_vocabulary *v = a->vocabulary;
    uint32_t excluded = GRAMMAR_NONE;
    bool any = false, all = false;
    for (uint32_t i = 0; i < state->n_configs; i++) {
        const uint32_t at = a->configs[state->first_config + i].node;
        if (at == GRAMMAR_NONE || a->grammar->nodes[at].kind != GRAMMAR_NODE_TOKEN_NOT) continue;
        const uint32_t id = a->token_ids[a->grammar->nodes[at].operand];
        if (any && id != excluded) all = true;
        excluded = id;
        any = true;
    }
    if (any) {
        memset(bits, 0xff, v->n_tokens / 32 * sizeof *bits);
        if (v->n_tokens % 32) bits[v->n_tokens / 32] = ((uint32_t)1 << v->n_tokens % 32) - 1;
        if (!all) clear_bit(bits, excluded);
    }
    for (uint32_t i = 0; i < state->n_configs; i++) {
        const uint32_t at = a->configs[state->first_config + i].node;
        if (at == GRAMMAR_NONE || a->grammar->nodes[at].kind != GRAMMAR_NODE_TOKEN) continue;
        set_bit(bits, a->token_ids[a->grammar->nodes[at].operand]);
    }
}

/* The tokens whose bytes lead somewhere: a walk along the tree of all pieces that leaves out what
 * lies below a dead end. walk[0] is the state, walk[d] where the piece's first d bytes lead. */
static ondol_status mask_pieces(grammar_automaton *a, uint32_t *bits, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const text_grammar_vocabulary *v = a->vocabulary;
    const text_grammar *g = a->grammar;
    for (size_t i = 1; i < v->n_nodes;) {
        const grammar_piece_node *node = &v->nodes[i];
        const uint32_t depth = node->depth_byte >> 8;
        const unsigned char byte = (unsigned char)node->depth_byte;
        uint32_t state = a->walk[depth - 1];
        const uint32_t known = a->steps[state * g->n_classes + g->class_of[byte]];
        if (known != GRAMMAR_STATE_UNKNOWN) {
            state = known;
        } else {
            a->n_walk = depth;
            TRY(grammar_automaton_step(a, &state, byte, err));
        }
        if (state == GRAMMAR_STATE_DEAD) {
            i = node->end;
            continue;
        }
        a->walk[depth] = state;
        for (uint32_t t = node->first_token; t < node[1].first_token; t++)
            set_bit(bits, v->sorted[t]);
        i++;
    }
done:
    return status;
}

ondol_status grammar_automaton_mask(grammar_automaton *a, const text_grammar_matcher *m,
                                    ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const text_grammar_vocabulary *v = a->vocabulary;
    if (a->states[m->state].mask) return ONDOL_OK;
    const size_t n_words = (v->n_tokens + 31) / 32;
    uint32_t *bits = base_calloc(a->allocator, n_words, sizeof *bits);
    if (!bits) return base_no_memory(err, "a grammar's mask", n_words * sizeof *bits);
    const grammar_state *state = &a->states[m->state];
    if (state->has_tokens) mask_named(a, state, bits);
    a->n_walk = 1;
    a->walk[0] = m->state;
    TRY(mask_pieces(a, bits, err));
    state = &a->states[m->state];
    for (size_t i = 0; i < v->n_ends; i++) {
        if (state->complete) {
            set_bit(bits, v->ends[i]);
        } else {
            clear_bit(bits, v->ends[i]);
        }
    }
    a->states[m->state].mask = bits;
    a->n_masks++;
    bits = NULL;
done:
    a->n_walk = 0;
    base_free(a->allocator, bits);
    return status;
}

/* ---- life ---- */

static ondol_status resolve_token(const text_tokenizer *tok, const grammar_token_ref *ref,
                                  uint32_t *out, ondol_error *err) {
    const size_t n_tokens = text_token_count(tok);
    *out = ref->id;
    if (!ref->text) {
        if (ref->id < n_tokens) return ONDOL_OK;
        return base_fail(err, ONDOL_E_FORMAT,
                         "grammar, line %" PRIu32 ", column %" PRIu32 ": token %" PRIu32
                         " of a vocabulary of %zu",
                         ref->line, ref->column, ref->id, n_tokens);
    }
    int32_t ids[1] = {0};
    size_t count = 0;
    const ondol_status status =
        text_tokenize(tok, ref->text, ref->text_bytes, TEXT_PARSE_SPECIAL, ids, 1, &count, err);
    if (status != ONDOL_OK) return status;
    *out = (uint32_t)ids[0];
    if (count == 1) return ONDOL_OK;
    return base_fail(err, ONDOL_E_FORMAT,
                     "grammar, line %" PRIu32 ", column %" PRIu32
                     ": '%.*s' is %zu tokens of this vocabulary, not one",
                     ref->line, ref->column, (int)(ref->text_bytes < 100 ? ref->text_bytes : 100),
                     ref->text, count);
}

static ondol_status make_start(grammar_automaton *a, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint32_t start = 0;
    a->stacks = grammar_grow(a->allocator, NULL, &a->stack_capacity, 16, sizeof *a->stacks);
    a->states = grammar_grow(a->allocator, NULL, &a->state_capacity, 16, sizeof *a->states);
    a->steps = grammar_grow(a->allocator, NULL, &a->step_capacity,
                            16 * (size_t)a->grammar->n_classes, sizeof *a->steps);
    if (!a->stacks || !a->states || !a->steps) TRY(base_no_memory(err, "a grammar's tables", 0));
    a->stacks[0] = (grammar_stack){0, 0, 0};
    a->n_stacks = 1;
    memset(a->states, 0, GRAMMAR_STATE_START * sizeof *a->states);
    memset(a->steps, 0, GRAMMAR_STATE_START * (size_t)a->grammar->n_classes * sizeof *a->steps);
    a->n_states = GRAMMAR_STATE_START;
    TRY(add_node(a, a->grammar->start, 0, err));
    TRY(explore(a, err));
    TRY(grammar_state_intern(a, &start, err));
    if (start != GRAMMAR_STATE_START) TRY(base_fail(err, ONDOL_E_INTERNAL, "grammar: no start"));
done:
    return status;
}

ondol_status grammar_automaton_create(const ondol_allocator *allocator, const text_grammar *grammar,
                                      const text_grammar_vocabulary *vocabulary, size_t cache_bytes,
                                      grammar_automaton **out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    *out = NULL;
    grammar_automaton *a = base_calloc(allocator, 1, sizeof *a);
    if (!a) return base_no_memory(err, "a grammar's matcher", sizeof *a);
    a->allocator = allocator;
    a->grammar = grammar;
    a->vocabulary = vocabulary;
    a->cache_bytes = cache_bytes;
    a->budget = GRAMMAR_STEPS_MAX;
    uint64_t seed[2];
    base_random_seed(seed);
    a->seed = seed[0];
    /* Two slots more than pieces are deep: where a step comes from, and its own. */
    a->walk = base_calloc(allocator, vocabulary->max_depth + 3, sizeof *a->walk);
    a->token_ids = base_calloc(allocator, grammar->n_tokens, sizeof *a->token_ids);
    if (!a->walk || !a->token_ids)
        TRY(base_no_memory(err, "a grammar's matcher", vocabulary->max_depth * 4));
    for (size_t i = 0; i < grammar->n_tokens; i++)
        TRY(resolve_token(vocabulary->tok, &grammar->tokens[i], &a->token_ids[i], err));
    TRY(make_start(a, err));
    *out = a;
    a = NULL;
done:
    grammar_automaton_destroy(a);
    return status;
}

void grammar_automaton_destroy(grammar_automaton *a) {
    if (!a) return;
    grammar_tables_destroy(a);
    base_free(a->allocator, a->walk);
    base_free(a->allocator, a->token_ids);
    base_free(a->allocator, a);
}
