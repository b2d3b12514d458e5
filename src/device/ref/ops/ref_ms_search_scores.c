/* What a search changes in the scores of next tokens. In: scores of all rows, their sequences. Out:
 * the same scores with repetitions, forbidden tokens and early ends made unlikely. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_ms_search.h"

static const double NEVER = -(double)FLT_MAX;

static bool is_token(const ref_ms_search *s, int32_t token) {
    return token >= 0 && (uint64_t)token < s->vocabulary;
}

/* Each token of the row counts once. */
static void penalize_repetition(const ref_ms_search *s, const int32_t *words, double *scores) {
    for (uint64_t i = 0; i < s->length; i++) {
        bool is_first = is_token(s, words[i]);
        for (uint64_t k = 0; k < i && is_first; k++)
            is_first = words[k] != words[i];
        if (!is_first) continue;
        double *score = scores + words[i];
        *score = *score < 0 ? *score * s->repetition : *score / s->repetition;
    }
}

/* Tokens that would end a run of n that has been before. */
static void forbid_runs(const ref_ms_search *s, const int32_t *words, double *scores) {
    const uint64_t n = (uint64_t)s->ngram;
    if (n == 0 || n > s->length) return;
    const int32_t *run = words + s->length - (n - 1);
    for (uint64_t i = 0; i + n <= s->length; i++) {
        const int32_t last = words[i + n - 1];
        if (is_token(s, last) && memcmp(words + i, run, (n - 1) * sizeof *run) == 0)
            scores[last] = NEVER;
    }
}

static void forbid_masked(const ref_ms_search *s, const int32_t *mask, double *scores) {
    for (uint64_t i = 0; i < s->vocabulary; i++)
        if (mask[i] == 0) scores[i] = NEVER;
}

static void forbid(const ref_ms_search *s, int64_t from, int64_t to, double *scores) {
    for (int64_t i = from < 0 ? 0 : from; i < to && (uint64_t)i < s->vocabulary; i++)
        scores[i] = NEVER;
}

/* Whisper's tokens of time: in pairs but for the first, never going back. Source: the rules of
 * Whisper's ApplyTimestampRules. */
static void force_times(const ref_ms_search *s, const int32_t *words, double *scores) {
    const int64_t first_time = s->eos + 107, all = (int64_t)s->vocabulary;
    const uint64_t n = s->length;
    uint64_t begin = 0, last_at = n;
    for (; begin < n; begin++)
        if (words[begin] >= first_time) break;
    begin = begin < n ? begin + 1 : n;
    forbid(s, s->eos + 105, s->eos + 107, scores);
    if (n > begin) {
        forbid(s, s->eos + 1, s->eos + 2, scores);
        forbid(s, 50358, 50360, scores);
    }
    const bool was_time = n > 0 && words[n - 1] >= first_time;
    const bool was_time_before = n <= begin || words[n - 2] >= first_time;
    if (was_time && was_time_before) forbid(s, first_time, all, scores);
    if (was_time && !was_time_before) forbid(s, 0, s->eos, scores);
    for (uint64_t i = 0; i < n; i++)
        if (words[i] >= first_time) last_at = i;
    if (last_at < n) {
        const bool is_open = was_time && !was_time_before;
        forbid(s, first_time, (int64_t)words[last_at] + (is_open ? 0 : 1), scores);
    }
    if (n == begin) forbid(s, first_time + 51, all, scores);
}

static ondol_status process_row(const plan_call *c, const ref_ms_search *s, uint64_t row,
                                ondol_error *err) {
    const int32_t *words = s->sequences + row * s->max_length;
    double *scores = s->scores + row * s->vocabulary;
    const uint64_t example = row / s->beams;
    if (s->repetition != 1) penalize_repetition(s, words, scores);
    forbid_runs(s, words, scores);
    if (s->vocab_mask) forbid_masked(s, s->vocab_mask->data, scores);
    if (s->prefix_mask && s->step == 1)
        forbid_masked(s, (const int32_t *)s->prefix_mask->data + example * s->vocabulary, scores);
    if ((int64_t)s->length < s->min_length && s->eos >= 0) {
        if ((uint64_t)s->eos >= s->vocabulary) {
            return plan_call_fail(c, err, "eos_token_id is %" PRId64 " of %" PRIu64, s->eos,
                                  s->vocabulary);
        }
        scores[s->eos] = NEVER;
    }
    for (uint64_t i = 0; i < s->vocabulary && s->temperature > 0 && s->temperature != 1; i++)
        scores[i] /= s->temperature;
    for (uint64_t i = 0; i < s->vocabulary && s->presence_mask; i++) {
        const int32_t times =
            ((const int32_t *)s->presence_mask->data)[example * s->vocabulary + i];
        scores[i] -= (double)times * s->presence_penalty;
    }
    if (s->has_timestamps) force_times(s, words, scores);
    return ONDOL_OK;
}

ondol_status ref_ms_search_process(const plan_call *c, ref_ms_search *s, ondol_error *err) {
    for (uint64_t row = 0; row < s->rows; row++) {
        ondol_status status = process_row(c, s, row, err);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}
