/* The public face of a place in a grammar: masks, tokens and bytes accepted, clones. */
#include <inttypes.h>
#include <string.h>

#include "text/grammar/grammar_automaton.h"

static void attach(grammar_automaton *a, text_grammar_matcher *m, uint32_t state) {
    *m = (text_grammar_matcher){a, state, NULL, a->matchers};
    if (m->next) m->next->previous = m;
    a->matchers = m;
}

ondol_status text_grammar_matcher_create(const ondol_allocator *allocator,
                                         const text_grammar *grammar,
                                         const text_grammar_vocabulary *vocabulary,
                                         text_grammar_matcher **out, ondol_error *err) {
    grammar_automaton *a = NULL;
    *out = NULL;
    text_grammar_matcher *m = base_alloc(allocator, 1, sizeof *m);
    if (!m) return base_no_memory(err, "a grammar's matcher", sizeof *m);
    const ondol_status status =
        grammar_automaton_create(allocator, grammar, vocabulary, GRAMMAR_CACHE_BYTES, &a, err);
    if (status != ONDOL_OK) {
        base_free(allocator, m);
        return status;
    }
    attach(a, m, GRAMMAR_STATE_START);
    *out = m;
    return ONDOL_OK;
}

void text_grammar_matcher_destroy(text_grammar_matcher *m) {
    if (!m) return;
    grammar_automaton *a = m->automaton;
    if (m->next) m->next->previous = m->previous;
    if (m->previous) {
        m->previous->next = m->next;
    } else {
        a->matchers = m->next;
    }
    base_free(a->allocator, m);
    if (!a->matchers) grammar_automaton_destroy(a);
}

ondol_status text_grammar_matcher_clone(text_grammar_matcher *m, text_grammar_matcher **out,
                                        ondol_error *err) {
    *out = base_alloc(m->automaton->allocator, 1, sizeof **out);
    if (!*out) return base_no_memory(err, "a grammar's matcher", sizeof **out);
    attach(m->automaton, *out, m->state);
    return ONDOL_OK;
}

void text_grammar_matcher_reset(text_grammar_matcher *m) {
    m->state = GRAMMAR_STATE_START;
}

void text_grammar_matcher_copy(text_grammar_matcher *dst, const text_grammar_matcher *src) {
    dst->state = src->state;
}

size_t text_grammar_mask_words(const text_grammar_matcher *m) {
    return (m->automaton->vocabulary->n_tokens + 31) / 32;
}

ondol_status text_grammar_mask(text_grammar_matcher *m, uint32_t *bits, ondol_error *err) {
    grammar_automaton *a = m->automaton;
    a->budget = GRAMMAR_STEPS_MAX;
    const ondol_status status = grammar_automaton_mask(a, m, err);
    if (status == ONDOL_OK)
        memcpy(bits, a->states[m->state].mask, text_grammar_mask_words(m) * sizeof *bits);
    return status;
}

bool text_grammar_is_complete(const text_grammar_matcher *m) {
    return m->automaton->states[m->state].complete;
}

/* *state: where token id leads, GRAMMAR_STATE_DEAD where it may not come. */
static ondol_status follow(const text_grammar_matcher *m, int32_t id, uint32_t *state,
                           ondol_error *err) {
    grammar_automaton *a = m->automaton;
    const text_tokenizer *tok = a->vocabulary->tok;
    *state = m->state;
    if (id < 0 || (size_t)id >= a->vocabulary->n_tokens) {
        *state = GRAMMAR_STATE_DEAD;
    } else if (text_token_is_end(tok, id)) {
        if (!text_grammar_is_complete(m)) *state = GRAMMAR_STATE_DEAD;
    } else {
        a->budget = GRAMMAR_STEPS_MAX;
        return grammar_automaton_token(a, state, (uint32_t)id, err);
    }
    return ONDOL_OK;
}

ondol_status text_grammar_allows(text_grammar_matcher *m, int32_t id, bool *allowed,
                                 ondol_error *err) {
    uint32_t state = 0;
    *allowed = false;
    const ondol_status status = follow(m, id, &state, err);
    if (status == ONDOL_OK) *allowed = state != GRAMMAR_STATE_DEAD;
    return status;
}

ondol_status text_grammar_accept_token(text_grammar_matcher *m, int32_t id, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint32_t state = 0;
    TRY(follow(m, id, &state, err));
    if (state == GRAMMAR_STATE_DEAD) {
        const text_view text = text_token_text(m->automaton->vocabulary->tok, id);
        TRY(base_fail(err, ONDOL_E_ARGUMENT,
                      "grammar: token %" PRId32 " ('%.*s') may not come here", id,
                      (int)(text.size < 80 ? text.size : 80), text.data ? text.data : ""));
    }
    m->state = state;
done:
    return status;
}

ondol_status text_grammar_accept_bytes(text_grammar_matcher *m, const char *bytes, size_t n,
                                       ondol_error *err) {
    ondol_status status = ONDOL_OK;
    grammar_automaton *a = m->automaton;
    uint32_t state = m->state;
    a->n_walk = 0;
    for (size_t i = 0; i < n; i++) {
        a->budget = GRAMMAR_STEPS_MAX;
        TRY(grammar_automaton_step(a, &state, (unsigned char)bytes[i], err));
        if (state == GRAMMAR_STATE_DEAD)
            TRY(base_fail(err, ONDOL_E_ARGUMENT,
                          "grammar: byte 0x%02x at offset %zu may not come here",
                          (unsigned char)bytes[i], i));
    }
    m->state = state;
done:
    return status;
}
