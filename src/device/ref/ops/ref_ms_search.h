/* GreedySearch, Sampling and BeamSearch: sequences that grow by what a decoder subgraph says.
 *
 * Rows are batch * beams, the beams of an example next to each other. A decoder is given the new
 * tokens of each row and the states of the last step, and gives scores of the vocabulary and the
 * next states; an encoder, where there is one, runs once before. */
#ifndef DEVICE_REF_MS_SEARCH_H
#define DEVICE_REF_MS_SEARCH_H

#include "device/ref/ops/ref_ms.h"

/* Which inputs an operator has; those that it lacks: UINT32_MAX. */
typedef struct ref_ms_search_roles {
    uint32_t repetition, vocab_mask, prefix_mask, attention_mask, decoder_ids, presence_mask;
} ref_ms_search_roles;

typedef struct ref_ms_search {
    const graph *decoder, *first, *encoder; /* first: of the first step, or decoder */
    uint64_t batch, beams, rows, vocabulary, max_length;
    uint64_t prompt, length; /* tokens of a row: at the beginning, now */
    uint64_t step;           /* counts what score_next has done */
    int64_t eos, pad, min_length, ngram;
    double repetition, temperature, presence_penalty;
    bool has_timestamps; /* tokens of time behind eos, as Whisper has them */
    const tensor_value *vocab_mask, *prefix_mask, *presence_mask; /* NULL: none */
    int32_t *sequences, *spare;                                   /* [rows][max_length] */
    double *scores; /* [rows][vocabulary] of score_next */

    /* Inside of ref_ms_search*.c. */
    tensor_value **in, **out; /* of the decoder */
    tensor_value *logits;     /* of the last step; NULL before it */
    tensor_value *mask;       /* i32 [rows, length], of the prompt's words and all behind */
    int32_t *positions;       /* [rows] of the next token; NULL: the decoder has none */
    uint32_t in_count, out_count;
    void *memory;
} ref_ms_search;

/* Reads attributes and inputs, runs the encoder, makes the decoder's first inputs. s->beams is set.
 * Give back by ref_ms_search_end, after errors too. Errors: FORMAT, UNSUPPORTED, LIMIT, MEMORY,
 * those of the subgraphs. */
ondol_status ref_ms_search_begin(plan_call *c, const ref_ms_search_roles *r, ref_ms_search *s,
                                 ondol_error *err);
void ref_ms_search_end(plan_call *c, ref_ms_search *s);

/* Scores of the next token of each row: the decoder's, as log of the softmax where to_logs, then
 * changed by what the node asks for. Errors: those of the decoder, FORMAT, CANCELLED. */
ondol_status ref_ms_search_score(plan_call *c, ref_ms_search *s, bool to_logs, ondol_error *err);

/* Appends tokens[rows] to the rows; row i goes on from what row from[i] was (NULL: from itself).
 * Errors: LIMIT, MEMORY, FORMAT. */
ondol_status ref_ms_search_append(plan_call *c, ref_ms_search *s, const int32_t *tokens,
                                  const uint64_t *from, ondol_error *err);

/* The scores of all rows changed: repetition_penalty, no_repeat_ngram_size, masks, min_length,
 * temperature, presence_penalty, times; in that order. Errors: FORMAT. */
ondol_status ref_ms_search_process(const plan_call *c, ref_ms_search *s, ondol_error *err);

#endif
