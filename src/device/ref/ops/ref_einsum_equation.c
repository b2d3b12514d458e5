/* The equation of Einsum. In: "ij, ...jk -> ...ik", ranks. Out: a label for each dimension. */
#include "device/ref/ops/ref_einsum_equation.h"

#include <inttypes.h>

static void skip_spaces(einsum_equation *e) {
    while (*e->text == ' ')
        e->text++;
}

static bool label_of(char letter, uint8_t *out) {
    if (letter >= 'A' && letter <= 'Z')
        *out = (uint8_t)(EINSUM_ELLIPSIS + (letter - 'A'));
    else if (letter >= 'a' && letter <= 'z')
        *out = (uint8_t)(EINSUM_ELLIPSIS + 26 + (letter - 'a'));
    else
        return false;
    return true;
}

typedef struct letters {
    uint8_t labels[TENSOR_MAX_RANK];
    uint32_t count;
    uint32_t ellipsis_at; /* letters in front of "..."; UINT32_MAX: there is none */
} letters;

/* Letters and at most one "...", up to ',' or '-' or the end. */
static ondol_status read_letters(const plan_call *c, einsum_equation *e, letters *out,
                                 ondol_error *err) {
    *out = (letters){.ellipsis_at = UINT32_MAX};
    for (skip_spaces(e); *e->text && *e->text != ',' && *e->text != '-'; skip_spaces(e)) {
        uint8_t label = 0;
        if (*e->text == '.') {
            if (e->text[1] != '.' || e->text[2] != '.' || out->ellipsis_at != UINT32_MAX) {
                return plan_call_fail(c, err, "a term of the equation has '.' beside one '...'");
            }
            out->ellipsis_at = out->count;
            e->text += 3;
            continue;
        }
        if (!label_of(*e->text, &label)) {
            return plan_call_fail(c, err, "the equation has '%c', which is no letter", *e->text);
        }
        if (out->count == TENSOR_MAX_RANK) {
            return plan_call_fail(c, err, "a term of the equation has more than %d letters",
                                  TENSOR_MAX_RANK);
        }
        out->labels[out->count++] = label;
        e->text++;
    }
    return ONDOL_OK;
}

/* Letters with `more` dimensions in place of "...", the last of which are the same in all terms. */
static void spread(const letters *l, uint32_t more, einsum_term *out) {
    out->rank = 0;
    for (uint32_t i = 0; i <= l->count; i++) {
        for (uint32_t k = 0; i == l->ellipsis_at && k < more; k++)
            out->labels[out->rank++] = (uint8_t)(EINSUM_ELLIPSIS - more + k);
        if (i < l->count) out->labels[out->rank++] = l->labels[i];
    }
}

ondol_status einsum_read_input(const plan_call *c, einsum_equation *e, uint32_t rank,
                               einsum_term *out, ondol_error *err) {
    letters l;
    if (e->is_first_read) {
        skip_spaces(e);
        if (*e->text != ',')
            return plan_call_fail(c, err, "the equation has fewer terms than inputs");
        e->text++;
    }
    e->is_first_read = true;
    ondol_status status = read_letters(c, e, &l, err);
    if (status != ONDOL_OK) return status;
    const bool has_ellipsis = l.ellipsis_at != UINT32_MAX;
    if (rank < l.count || (rank > l.count && !has_ellipsis)) {
        return plan_call_fail(
            c, err, "a term of the equation has %" PRIu32 " letters, its input the rank %" PRIu32,
            l.count, rank);
    }
    spread(&l, rank - l.count, out);
    for (uint32_t i = 0; i < out->rank; i++)
        e->counts[out->labels[i]]++;
    e->has_ellipsis = e->has_ellipsis || has_ellipsis;
    return ONDOL_OK;
}

/* Dimensions that "..." stands for: as many as in the longest of all terms. */
static uint32_t ellipsis_rank(const einsum_equation *e) {
    uint32_t rank = 0;
    for (uint32_t label = 0; label < EINSUM_ELLIPSIS; label++)
        rank += e->counts[label] != 0;
    return rank;
}

static ondol_status too_many(const plan_call *c, ondol_error *err) {
    return plan_call_fail(c, err, "the equation's output has more than %d dimensions",
                          TENSOR_MAX_RANK);
}

/* "...", then what occurs once, sorted. */
static ondol_status implicit_output(const plan_call *c, const einsum_equation *e, einsum_term *out,
                                    ondol_error *err) {
    out->rank = 0;
    for (uint32_t label = 0; label < EINSUM_LABELS; label++) {
        const bool is_ellipsis = label < EINSUM_ELLIPSIS;
        if (e->counts[label] == 0 || (!is_ellipsis && e->counts[label] != 1)) continue;
        if (out->rank == TENSOR_MAX_RANK) return too_many(c, err);
        out->labels[out->rank++] = (uint8_t)label;
    }
    return ONDOL_OK;
}

ondol_status einsum_read_output(const plan_call *c, einsum_equation *e, einsum_term *out,
                                ondol_error *err) {
    letters l;
    skip_spaces(e);
    if (!*e->text) return implicit_output(c, e, out, err);
    if (*e->text == ',') return plan_call_fail(c, err, "the equation has more terms than inputs");
    if (e->text[1] != '>') return plan_call_fail(c, err, "the equation has '-' without '>'");
    e->text += 2;
    ondol_status status = read_letters(c, e, &l, err);
    if (status != ONDOL_OK) return status;
    if (*e->text) return plan_call_fail(c, err, "the equation goes on behind its output");
    if (l.ellipsis_at != UINT32_MAX && !e->has_ellipsis) {
        return plan_call_fail(c, err, "the equation's output has '...', no input has it");
    }
    const uint32_t more = l.ellipsis_at != UINT32_MAX ? ellipsis_rank(e) : 0;
    if (more + l.count > TENSOR_MAX_RANK) return too_many(c, err);
    bool is_used[EINSUM_LABELS] = {false};
    for (uint32_t i = 0; i < l.count; i++) {
        if (e->counts[l.labels[i]] == 0 || is_used[l.labels[i]]) {
            return plan_call_fail(c, err, "the equation's output has a letter %s",
                                  is_used[l.labels[i]] ? "twice" : "that no input has");
        }
        is_used[l.labels[i]] = true;
    }
    spread(&l, more, out);
    return ONDOL_OK;
}
