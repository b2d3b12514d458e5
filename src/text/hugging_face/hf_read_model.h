/* The vocabulary of a tokenizer.json while it is read: which text an id has, what type it is. */
#ifndef TEXT_HF_READ_MODEL_H
#define TEXT_HF_READ_MODEL_H

#include "text/hugging_face/hf_pipeline.h"

typedef struct hf_vocabulary {
    text_view *texts; /* [n_ids]: views into the pipeline's arena; data NULL: a hole */
    uint8_t *types;   /* [n_ids] of text_token_type */
    size_t n_ids, capacity;
} hf_vocabulary;

/* Reads the member "model": fills v and the model of r->hf, all but merges, tries and scores.
 * Errors: FORMAT, LIMIT (ids far past the count of tokens), MEMORY. */
ondol_status hf_model_read(hf_reader *r, const json_t *from, hf_vocabulary *v);

/* Then the member "added_tokens": ids as the library gives them, which are those of the file where
 * these follow on. */
ondol_status hf_added_read(hf_reader *r, const json_t *from, hf_vocabulary *v);

/* Then merges, tries, scores; tok has its vocabulary. */
ondol_status hf_model_finish(hf_reader *r, const json_t *from);

/* Room for ids up to `id` of `entries` tokens. */
ondol_status hf_vocabulary_reserve(hf_reader *r, hf_vocabulary *v, uint64_t id, uint64_t entries,
                                   const hf_place *at);
void hf_vocabulary_destroy(hf_reader *r, hf_vocabulary *v);

#endif
