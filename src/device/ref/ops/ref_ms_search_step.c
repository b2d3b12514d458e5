/* Steps of a search. In: tokens that are chosen. Out: the decoder's scores for the next ones, its
 * states in the order of the rows that go on. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_ms_search_states.h"

static ondol_status run_decoder(plan_call *c, ref_ms_search *s, ondol_error *err) {
    const graph *g = s->step == 0 ? s->first : s->decoder;
    ondol_status status = ONDOL_OK;
    TRY(c->runtime->check_cancelled(c->runtime, err));
    for (uint32_t i = 0; i < s->out_count; i++) {
        tensor_value_release(s->out[i]);
        s->out[i] = NULL;
    }
    TRY(c->runtime->run_subgraph(c->runtime, c, g, s->in, s->out, err));
    s->logits = tensor_value_retain(s->out[0]);
done:
    return status;
}

/* The vocabulary, and memory for its scores, from the first logits. */
static ondol_status find_vocabulary(const plan_call *c, ref_ms_search *s, ondol_error *err) {
    const int64_t given = graph_get_int(c->g, c->node, "vocab_size");
    const tensor_value *v = s->logits;
    const bool is_score = v->kind == TENSOR_VALUE_TENSOR && v->rank == 3 && v->dims[1] >= 1 &&
                          v->dims[2] >= 1 && ref_class_of(v->element) == REF_CLASS_FLOAT;
    const bool has_rows =
        is_score && ((uint64_t)v->dims[0] == s->rows || (uint64_t)v->dims[0] == s->batch);
    if (!has_rows) {
        return plan_call_fail(c, err, "its decoder's first output is no [rows, tokens, scores]");
    }
    const uint64_t own = (uint64_t)v->dims[2];
    const uint64_t count = given > 0 && (uint64_t)given < own ? (uint64_t)given : own;
    if (s->scores) {
        if (count == s->vocabulary) return ONDOL_OK;
        return plan_call_fail(c, err, "its decoder's vocabulary changes");
    }
    const int64_t dims[2] = {(int64_t)s->batch, (int64_t)count};
    ondol_status status = ONDOL_OK;
    s->vocabulary = count;
    if (s->vocab_mask) TRY(ref_expect_dims(c, "vocab_mask", s->vocab_mask, 1, dims + 1, err));
    if (s->prefix_mask) TRY(ref_expect_dims(c, "prefix_vocab_mask", s->prefix_mask, 2, dims, err));
    if (s->presence_mask) TRY(ref_expect_dims(c, "presence_mask", s->presence_mask, 2, dims, err));
    TRY(ref_ms_doubles(c, s->rows * count, "scores", &s->scores, err));
done:
    return status;
}

static void log_softmax(double *x, uint64_t n) {
    double most = -INFINITY, sum = 0;
    for (uint64_t i = 0; i < n; i++)
        if (x[i] > most) most = x[i];
    for (uint64_t i = 0; i < n; i++)
        sum += exp(x[i] - most);
    for (uint64_t i = 0; i < n; i++)
        x[i] = x[i] - most - log(sum);
}

ondol_status ref_ms_search_score(plan_call *c, ref_ms_search *s, bool to_logs, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (!s->logits) TRY(run_decoder(c, s, err));
    TRY(find_vocabulary(c, s, err));
    const uint64_t tokens = (uint64_t)s->logits->dims[1], width = (uint64_t)s->logits->dims[2];
    const uint64_t shared = s->rows / (uint64_t)s->logits->dims[0]; /* rows that share scores */
    for (uint64_t row = 0; row < s->rows; row++) {
        double *scores = s->scores + row * s->vocabulary;
        ref_load_numbers(s->logits, (row / shared * tokens + tokens - 1) * width, s->vocabulary,
                         scores);
        if (to_logs) log_softmax(scores, s->vocabulary);
    }
    s->step++;
    TRY(ref_ms_search_process(c, s, err));
    tensor_value_release(s->logits);
    s->logits = NULL;
done:
    return status;
}

/* Places and masks of decoders that have them: one more token. */
static ondol_status next_places(const plan_call *c, ref_ms_search *s, ondol_error *err) {
    const uint32_t place_at = ref_ms_search_find(s->decoder, "position_ids");
    const uint32_t mask_at = ref_ms_search_find(s->decoder, "attention_mask");
    tensor_value *mask = NULL, *places = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_search_ids(c, s->rows, s->length, &mask, err));
    TRY(ref_ms_search_ids(c, s->rows, 1, &places, err));
    for (uint64_t row = 0; row < s->rows; row++) {
        int32_t *to = (int32_t *)mask->data + row * s->length;
        memcpy(to, (const int32_t *)s->mask->data + row * (s->length - 1),
               (s->length - 1) * sizeof *to);
        to[s->length - 1] = 1;
        ((int32_t *)places->data)[row] = s->positions[row]++;
    }
    tensor_value_release(s->mask);
    s->mask = tensor_value_retain(mask);
    if (mask_at != UINT32_MAX) ref_ms_search_set(s, mask_at, tensor_value_retain(mask));
    if (place_at != UINT32_MAX) ref_ms_search_set(s, place_at, tensor_value_retain(places));
done:
    tensor_value_release(mask);
    tensor_value_release(places);
    return status;
}

/* The decoder's new states become its inputs, in the order of the rows that go on. After the
 * encoder's own step there are none yet: its states are those of all beams alike. */
static ondol_status next_states(plan_call *c, ref_ms_search *s, const uint64_t *from,
                                ondol_error *err) {
    uint32_t at = 1;
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    if (!s->out[0]) return ONDOL_OK;
    for (uint32_t i = ref_ms_search_first_state(s->decoder); i < s->in_count; i++) {
        if (ref_ms_search_is_cross(s->decoder, i)) continue;
        if (at >= s->out_count) return plan_call_fail(c, err, "its decoder gives too few states");
        tensor_value *state = s->out[at++];
        if (!state || state->kind != TENSOR_VALUE_TENSOR) {
            return plan_call_fail(c, err, "a state of its decoder is no tensor");
        }
        if (from)
            TRY(ref_ms_search_take(c, state, ref_ms_search_row_axis(state), 1, from, s->rows, &v,
                                   err));
        else
            v = tensor_value_retain(state);
        ref_ms_search_set(s, i, v);
    }
done:
    return status;
}

ondol_status ref_ms_search_append(plan_call *c, ref_ms_search *s, const int32_t *tokens,
                                  const uint64_t *from, ondol_error *err) {
    const graph_value *ids = ref_ms_search_input(s->decoder, 0);
    const bool takes_all = s->encoder && (ids->shape.rank != 2 || ids->shape.dims[1] != 1);
    ondol_status status = ONDOL_OK;
    for (uint64_t row = 0; row < s->rows; row++) {
        int32_t *to = s->spare + row * s->max_length;
        memcpy(to, s->sequences + (from ? from[row] : row) * s->max_length, s->length * sizeof *to);
        to[s->length] = tokens[row];
    }
    int32_t *const swapped = s->sequences;
    s->sequences = s->spare;
    s->spare = swapped;
    s->length++;
    if (s->length >= s->max_length) return ONDOL_OK;
    TRY(ref_ms_search_set_tokens(c, s, takes_all ? 0 : s->length - 1, err));
    if (!s->encoder) TRY(next_places(c, s, err));
    TRY(next_states(c, s, from, err));
done:
    return status;
}
