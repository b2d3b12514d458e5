/* BeamSearch. In: prompts, a decoder. Out: for each the best sequences among the beams that were
 * followed, their scores, and the scores of all tokens at each step. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms_search.h"

/* A sequence that has ended, or that was a beam at the end. */
typedef struct hypothesis {
    double score;
    uint64_t length;
} hypothesis;

typedef struct beam_search {
    ref_ms_search s;
    uint64_t kept; /* num_return_sequences */
    double length_penalty;
    bool stops_early;
    double *beam_scores;          /* [rows] */
    bool *is_done;                /* [batch] */
    hypothesis *found;            /* [batch][beams], the best first; found_count[batch] of them */
    int32_t *words;               /* [batch][beams][max_length] of those */
    uint64_t *found_count, *from; /* from: [rows] */
    int32_t *tokens;              /* [rows] */
    double *history;              /* [steps][rows][vocabulary]; NULL: nobody reads it */
    uint64_t history_steps;
    void *memory;
} beam_search;

/* ---------------------------------------------------------------------------------- hypotheses */

/* Keeps a row of that sum of logarithms, if it is among the best. */
static void keep(beam_search *b, uint64_t example, uint64_t row, double sum) {
    const ref_ms_search *s = &b->s;
    const double score = sum / pow((double)s->length, b->length_penalty);
    hypothesis *found = b->found + example * s->beams;
    int32_t *words = b->words + example * s->beams * s->max_length;
    uint64_t *count = b->found_count + example, at = *count;
    if (at == s->beams && !(score > found[at - 1].score)) return;
    if (at == s->beams) at--;
    for (; at > 0 && score > found[at - 1].score; at--) {
        found[at] = found[at - 1];
        memcpy(words + at * s->max_length, words + (at - 1) * s->max_length,
               s->max_length * sizeof *words);
    }
    found[at] = (hypothesis){score, s->length};
    memcpy(words + at * s->max_length, s->sequences + row * s->max_length,
           s->length * sizeof *words);
    if (*count < s->beams) ++*count;
}

/* True when no beam can come among the best any more. */
static bool is_settled(const beam_search *b, uint64_t example, double best_sum) {
    const uint64_t beams = b->s.beams;
    if (b->found_count[example] < beams) return false;
    if (b->stops_early) return true;
    const double worst = b->found[example * beams + beams - 1].score;
    return worst >= best_sum / pow((double)b->s.length, b->length_penalty);
}

/* --------------------------------------------------------------------------------------- a step */

/* The best candidate that comes behind (score, at): of lower score, or equal and later. */
static bool next_candidate(const double *scores, uint64_t count, double *score, uint64_t *at) {
    uint64_t best = UINT64_MAX;
    for (uint64_t i = 0; i < count; i++) {
        const bool is_behind =
            *at == UINT64_MAX || scores[i] < *score || (scores[i] == *score && i > *at);
        if (is_behind && (best == UINT64_MAX || scores[i] > scores[best])) best = i;
    }
    if (best == UINT64_MAX) return false;
    *score = scores[best];
    *at = best;
    return true;
}

/* The beams of one example: the best tokens of all its beams that do not end it. */
static ondol_status step_example(const plan_call *c, beam_search *b, uint64_t example,
                                 ondol_error *err) {
    const ref_ms_search *s = &b->s;
    const uint64_t first = example * s->beams, candidates = s->beams * s->vocabulary;
    const double *scores = s->scores + first * s->vocabulary;
    uint64_t beam = 0, at = UINT64_MAX;
    double score = 0, best = -INFINITY, next[1024];
    for (uint64_t i = 0; i < 2 * s->beams && beam < s->beams; i++) {
        if (!next_candidate(scores, candidates, &score, &at)) break;
        const uint64_t row = first + at / s->vocabulary, token = at % s->vocabulary;
        if (i == 0) best = score;
        if (s->eos >= 0 && (int64_t)token == s->eos) {
            if (i < s->beams) keep(b, example, row, score);
            continue;
        }
        next[beam] = score;
        b->tokens[first + beam] = (int32_t)token;
        b->from[first + beam] = row;
        beam++;
    }
    if (beam < s->beams) {
        return plan_call_fail(c, err, "%" PRIu64 " tokens go on, for %" PRIu64 " beams", beam,
                              s->beams);
    }
    for (uint64_t i = 0; i < s->beams; i++)
        b->beam_scores[first + i] = next[i];
    b->is_done[example] = is_settled(b, example, best);
    return ONDOL_OK;
}

/* An example that is done goes on with padding. */
static void pad_example(beam_search *b, uint64_t example) {
    for (uint64_t row = example * b->s.beams; row < (example + 1) * b->s.beams; row++) {
        b->beam_scores[row] = 0;
        b->tokens[row] = (int32_t)b->s.pad;
        b->from[row] = example * b->s.beams;
    }
}

static ondol_status make_history(plan_call *c, beam_search *b, ondol_error *err) {
    const ref_ms_search *s = &b->s;
    const uint64_t steps = s->max_length - s->prompt, each = s->rows * s->vocabulary;
    ondol_status status = ONDOL_OK;
    if (b->history || !plan_call_wants(c, 2)) return ONDOL_OK;
    if (each > UINT64_MAX / 8 / steps) return plan_call_fail(c, err, "its scores are too large");
    TRY(ref_ms_doubles(c, steps * each, "scores of all steps", &b->history, err));
    for (uint64_t i = 0; i < steps * each; i++)
        b->history[i] = 0;
done:
    return status;
}

/* *is_over: all examples are done. */
static ondol_status step(plan_call *c, beam_search *b, bool *is_over, ondol_error *err) {
    ref_ms_search *s = &b->s;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_search_score(c, s, true, err));
    for (uint64_t i = 0; i < s->rows * s->vocabulary; i++)
        s->scores[i] += b->beam_scores[i / s->vocabulary];
    TRY(make_history(c, b, err));
    if (b->history) {
        const uint64_t each = s->rows * s->vocabulary;
        memcpy(b->history + b->history_steps++ * each, s->scores, each * sizeof *s->scores);
    }
    *is_over = true;
    for (uint64_t i = 0; i < s->batch; i++) {
        if (b->is_done[i])
            pad_example(b, i);
        else
            TRY(step_example(c, b, i, err));
        *is_over = *is_over && b->is_done[i];
    }
    TRY(ref_ms_search_append(c, s, b->tokens, b->from, err));
done:
    return status;
}

/* -------------------------------------------------------------------------------------- outputs */

static ondol_status give(plan_call *c, const beam_search *b, ondol_error *err) {
    const ref_ms_search *s = &b->s;
    const int64_t batch = (int64_t)s->batch, kept = (int64_t)b->kept;
    const int64_t dims[3] = {batch, kept, (int64_t)s->max_length};
    const int64_t all[4] = {(int64_t)(s->max_length - s->prompt), batch, (int64_t)s->beams,
                            (int64_t)s->vocabulary};
    const tensor_value *penalty = plan_call_input(c, 5);
    const tensor_element e = penalty ? penalty->element : TENSOR_ELEMENT_F32;
    tensor_value *y = NULL, *scores = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_I32, 3, dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++) {
        const uint64_t place = i % s->max_length, which = i / s->max_length;
        const uint64_t at = which / b->kept * s->beams + which % b->kept;
        ((int32_t *)y->data)[i] =
            place < b->found[at].length ? b->words[at * s->max_length + place] : (int32_t)s->pad;
    }
    if (plan_call_wants(c, 1)) {
        TRY(plan_call_output(c, 1, e, 2, dims, &scores, err));
        for (uint64_t i = 0; i < scores->elems; i++)
            tensor_set_number(e, scores->data, i,
                              b->found[i / b->kept * s->beams + i % b->kept].score);
    }
    if (b->history) TRY(ref_ms_store(c, 2, e, 4, all, b->history, err));
done:
    return status;
}

static ondol_status make_memory(plan_call *c, beam_search *b, ondol_error *err) {
    const ref_ms_search *s = &b->s;
    const uint64_t row_bytes = sizeof(double) + sizeof(hypothesis) + sizeof(uint64_t) +
                               sizeof(int32_t) * (s->max_length + 2) + sizeof(uint64_t);
    ondol_status status = ref_alloc(c, s->rows + 1, row_bytes + 16, "beams", &b->memory, err);
    if (status != ONDOL_OK) return status;
    memset(b->memory, 0, (size_t)((s->rows + 1) * (row_bytes + 16)));
    b->beam_scores = b->memory;
    b->found = (hypothesis *)(void *)(b->beam_scores + s->rows);
    b->from = (uint64_t *)(void *)(b->found + s->rows);
    b->found_count = b->from + s->rows;
    b->tokens = (int32_t *)(void *)(b->found_count + s->batch);
    b->words = b->tokens + s->rows;
    b->is_done = (bool *)(void *)(b->words + s->rows * s->max_length);
    /* All beams begin alike: the first goes on alone. */
    for (uint64_t i = 0; i < s->rows; i++)
        b->beam_scores[i] = i % s->beams ? -1e9 : 0;
    return ONDOL_OK;
}

static ondol_status read_beams(const plan_call *c, beam_search *b, ondol_error *err) {
    int64_t beams = 1, kept = 1, processor = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_scalar_integer(c, 3, 1, &beams, err));
    TRY(ref_scalar_integer(c, 4, 1, &kept, err));
    TRY(ref_scalar_number(c, 5, 1, &b->length_penalty, err));
    TRY(ref_scalar_integer(c, 11, 0, &processor, err));
    if (beams < 1 || beams > 1024 || kept < 1 || kept > beams) {
        return plan_call_fail(c, err, "%" PRId64 " sequences of %" PRId64 " beams", kept, beams);
    }
    b->s.beams = (uint64_t)beams;
    b->s.has_timestamps = processor == 1;
    b->kept = (uint64_t)kept;
    b->stops_early = graph_get_int(c->g, c->node, "early_stopping") != 0;
done:
    return status;
}

static ondol_status search(plan_call *c, beam_search *b, ondol_error *err) {
    static const ref_ms_search_roles roles = {6, 7, 8, 9, 10, UINT32_MAX};
    ref_ms_search *s = &b->s;
    bool is_over = false;
    ondol_status status = ONDOL_OK;
    TRY(read_beams(c, b, err));
    TRY(ref_ms_search_begin(c, &roles, s, err));
    TRY(make_memory(c, b, err));
    while (s->length < s->max_length && !is_over)
        TRY(step(c, b, &is_over, err));
    for (uint64_t row = 0; row < s->rows; row++)
        if (!b->is_done[row / s->beams]) keep(b, row / s->beams, row, b->beam_scores[row]);
    TRY(give(c, b, err));
done:
    return status;
}

ondol_status ref_ms_beam(plan_call *c, ondol_error *err) {
    beam_search b = {0};
    ondol_status status = search(c, &b, err);
    tensor_heap_free(c->heap, b.memory);
    tensor_heap_free(c->heap, b.history);
    ref_ms_search_end(c, &b.s);
    return status;
}
