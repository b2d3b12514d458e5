/* Multi-head attention as the operators of BERT, GPT-2 and T5 exports have it: a mask in one of
 * several forms, a bias, a past that is concatenated or lies in a buffer shared with the present.
 */
#ifndef DEVICE_REF_MS_MHA_H
#define DEVICE_REF_MS_MHA_H

#include "device/ref/ops/ref_ms.h"

typedef enum ref_ms_mask {
    REF_MS_MASK_NONE,
    REF_MS_MASK_ENDS,    /* [batch] or longer: how many keys each sequence has */
    REF_MS_MASK_RANGES,  /* [2 * batch]: ends, then starts */
    REF_MS_MASK_KEYS,    /* [batch, keys]: 0 is masked */
    REF_MS_MASK_QUERIES, /* [batch, queries, keys] */
    REF_MS_MASK_SQUARE   /* [batch, 1, n, n]: rows past, past + 1, ... */
} ref_ms_mask;

typedef struct ref_ms_mha {
    uint64_t batch, heads, queries, size, v_size;
    uint64_t past, news; /* keys that were there, and that are new */
    double *q;           /* [batch][heads][queries][size] */
    double *new_k;       /* [batch][heads][news][size] */
    double *new_v;       /* [batch][heads][news][v_size] */

    const tensor_value *past_k, *past_v; /* [..., batch, heads, capacity, size]; NULL: none */
    uint64_t past_v_first;               /* elements of past_v before the values */
    uint64_t capacity;
    bool is_shared;            /* the present has `capacity` rows too */
    const tensor_value *beams; /* [batch / beam_width, beam_width, at least past]: the sequence of
                                * its batch that each cached key comes from; NULL: its own */
    uint64_t beam_width;

    const tensor_value *mask, *bias;
    ref_ms_mask mask_kind;
    double scale, mask_value;
    bool is_causal;
} ref_ms_mha;

/* heads, scale, mask_value, is_causal of the node's attributes; size must be known for scale at
 * ref_ms_mha_attend. Errors: FORMAT. */
ondol_status ref_ms_mha_begin(const plan_call *c, ref_ms_mha *m, ondol_error *err);
/* Frees q, new_k, new_v. */
void ref_ms_mha_end(const plan_call *c, ref_ms_mha *m);

/* past = capacity, or with a shared buffer what input i, one number, says. Errors: FORMAT. */
ondol_status ref_ms_mha_past(const plan_call *c, uint32_t i, ref_ms_mha *m, ondol_error *err);
/* Inputs i: mask, bias [batch or 1, heads or 1, queries, keys]; absent: none. All sizes are set.
 * Errors: FORMAT. */
ondol_status ref_ms_mha_mask(const plan_call *c, uint32_t i, ref_ms_mha *m, ondol_error *err);
ondol_status ref_ms_mha_bias(const plan_call *c, uint32_t i, ref_ms_mha *m, ondol_error *err);

/* Rows of the present. */
static inline uint64_t ref_ms_mha_rows(const ref_ms_mha *m) {
    return m->is_shared ? m->capacity : m->past + m->news;
}
/* Writes the keys (or values) behind this step to y from element `first` on, as [batch][heads][rows
 * of the present][size]. */
void ref_ms_mha_present(const ref_ms_mha *m, bool is_value, tensor_value *y, uint64_t first);

/* Makes output 0, [batch, queries, heads * v_size] of type e; and, unless scores_output is 0, that
 * output: scores before the softmax, [batch, heads, queries, keys] of type e, where it is wanted.
 * Errors: LIMIT, MEMORY. */
ondol_status ref_ms_mha_attend(plan_call *c, const ref_ms_mha *m, tensor_element e,
                               uint32_t scores_output, ondol_error *err);

#endif
