/* A conversation as a model's chat template writes it. */
#ifndef TEXT_CHAT_TEMPLATE_H
#define TEXT_CHAT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* All texts are borrowed and 0-terminated. */
typedef struct text_chat_message {
    const char *role;
    const char *content;    /* NULL: none, unless extra_json has it */
    const char *extra_json; /* object whose members join the message (tool_calls ...), or NULL */
} text_chat_message;

/* Zero-initialised: no tools, no variables, no generation prompt, no special tokens, 1970. */
typedef struct text_chat_options {
    bool add_generation_prompt;
    const char *tools_json;     /* array of function descriptions, or NULL */
    const char *variables_json; /* object of further template variables, or NULL */
    int64_t unix_time;          /* what strftime_now tells, seconds since 1970 */
    int32_t utc_offset_seconds; /* of the clock that it shows */
    const char *bos, *eos;      /* texts of these tokens; NULL: the model has none */
    size_t bos_bytes, eos_bytes;
} text_chat_options;

/* Appends the conversation to *out, as apply_chat_template of the transformers library does. The
 * template sees messages, tools (none without tools_json), documents (none),
 * add_generation_prompt, bos_token and eos_token where given, and the variables, which may replace
 * all but the first two and the generation prompt. A message has role, then content, then its extra
 * members. source[0..n): the template, NULL: ChatML. Thread class: shared. Limits: those of
 * text_template_render. On failure *out is as before.
 * Errors: FORMAT (template, JSON, which the sentence names, or the template refused), UNSUPPORTED,
 * LIMIT, MEMORY; ARGUMENT (a message without role). */
ondol_status text_chat_render(const ondol_allocator *allocator, const char *source, size_t n,
                              const text_chat_message *messages, size_t count,
                              const text_chat_options *options, base_buffer *out, ondol_error *err);

#endif
