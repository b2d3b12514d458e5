/* Hugging Face's tokenizer.json, and the files beside it, as a tokenizer and a chat template. */
#ifndef TEXT_TEXT_HUGGING_FACE_H
#define TEXT_TEXT_HUGGING_FACE_H

#include "text/text_tokenizer.h"

/* The texts of the files; data is NULL where there is none. Borrowed during the call. */
typedef struct text_hf_files {
    text_view tokenizer;          /* tokenizer.json: needed */
    text_view tokenizer_config;   /* tokenizer_config.json */
    text_view special_tokens_map; /* special_tokens_map.json */
    text_view generation_config;  /* generation_config.json */
    text_view template_jinja;     /* chat_template.jinja */
    text_view template_json;      /* chat_template.json */
} text_hf_files;

/* What another file says about tokens (genai_config.json), which counts before the files above. */
typedef struct text_hf_options {
    int64_t bos;         /* an id; TEXT_ID_DEFAULT: as the files above say */
    int64_t pad;         /* the same; an id outside the vocabulary counts as not said */
    const int64_t *ends; /* end a generation besides those of the files; the first is EOS */
    size_t n_ends;
} text_hf_options;

#define TEXT_HF_OPTIONS_INIT                                                                       \
    { TEXT_ID_DEFAULT, TEXT_ID_DEFAULT, NULL, 0 }

/* Builds the tokenizer that the tokenizers library makes of the file: the same ids for every text,
 * and the same text for ids. docs/tokenizers.md has the few differences. With TEXT_PARSE_SPECIAL it
 * is encode(), without it special tokens are plain text, as with encode_special_tokens; decoding
 * without TEXT_SHOW_CONTROL is skip_special_tokens. add_bos_token and add_eos_token of
 * tokenizer_config.json count before the post-processor. truncation, padding and dropout are read
 * past. options may be NULL. Time and memory are linear in the file. Thread class of the result:
 * shared. allocator is borrowed for its whole life.
 * Errors: FORMAT (JSON, a member of a wrong type, an id outside the vocabulary, a merge of what is
 * no token, an expression that does not compile), UNSUPPORTED (syntax of expressions), LIMIT (2^31
 * tokens, ids far past the count of tokens, nesting), MEMORY. *out is NULL on failure. */
ondol_status text_tokenizer_from_json(const ondol_allocator *allocator, const text_hf_files *files,
                                      const text_hf_options *options, text_tokenizer **out,
                                      ondol_error *err);

/* The chat template of a name, NULL or "default" for the one that is meant without. The first that
 * has it counts: chat_template.jinja, chat_template.json, tokenizer_config.json (a text, or a list
 * of {name, template}). *out: 0-terminated, the caller's to base_free; NULL when there is none.
 * Errors: FORMAT, MEMORY. */
ondol_status text_hf_template(const ondol_allocator *allocator, const text_hf_files *files,
                              const char *name, char **out, ondol_error *err);

#endif
