/* The text side of a GGUF file: its tokenizer.* keys as a text_spec. */
#ifndef MODELS_GGUF_TEXT_H
#define MODELS_GGUF_TEXT_H

#include "formats/gguf/gguf_file.h"
#include "text/text_spec.h"

/* Everything is a view into the file or memory of this struct. Thread class: shared once made. */
typedef struct models_text {
    /* spec.kind is TEXT_KIND_NONE when the file has no vocabulary (no tokenizer.ggml.model, or one
     * of "none" and "no_vocab"): such a model runs on ids alone. */
    text_spec spec;
    int32_t bos_id, eos_id; /* as the file says, -1 when it does not; a tokenizer made of spec knows
                               the kind's habits as well */
    text_view template_text; /* tokenizer.chat_template; data is NULL when there is none */

    const ondol_allocator *allocator;
    text_view *tokens;
    text_merge *merges;
    float *scores;
    uint8_t *types, *strip;
} models_text;

/* Reads and checks all keys that make the tokenizer. *out must end before file closes; a tokenizer
 * made of it may live on. Time and memory are linear in the vocabulary.
 * Errors: FORMAT (a key of a wrong type, a missing or empty vocabulary, lists of unequal length, an
 * id outside the vocabulary, a merge that is not two parts), UNSUPPORTED (a tokenizer.ggml.model
 * that is not known), LIMIT (2^31 tokens or merges), MEMORY. *out is NULL on failure. */
ondol_status models_text_from_gguf(const ondol_allocator *allocator, const gguf_file *file,
                                   models_text **out, ondol_error *err);

/* Takes NULL. */
void models_text_destroy(models_text *text);

/* The template of a name ("tool_use" ...), tokenizer.chat_template.NAME; of "default" the one in
 * template_text. *out is empty with data NULL when there is none. Errors: FORMAT (no string). */
ondol_status models_text_template(const gguf_file *file, const char *name, text_view *out,
                                  ondol_error *err);

#endif
