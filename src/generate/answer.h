/* The loop around steps: a prompt, then tokens one by one, as text. */
#ifndef GENERATE_ANSWER_H
#define GENERATE_ANSWER_H

#include "generate/step.h"
#include "text/text_tokenizer.h"

typedef enum generate_finish {
    GENERATE_FINISH_STOP,
    GENERATE_FINISH_LENGTH,
    GENERATE_FINISH_STOP_TEXT,
    GENERATE_FINISH_CALLBACK,
    GENERATE_FINISH_CANCELLED
} generate_finish;

/* Whole characters, and the token that completed them (-1 at the end). Nonzero stops. */
typedef int (*generate_on_token)(void *user, int32_t token, const char *text, size_t bytes);

typedef struct generate_answer_options {
    const text_tokenizer *tokenizer; /* NULL: tokens without text */
    generate_sampler *sampler;
    int64_t max_tokens; /* -1: until the sequence is full */
    const char *const *stop;
    size_t stop_count;
    generate_on_token on_token; /* may be NULL */
    void *user;
    bool ignore_end, show_special;
} generate_answer_options;

typedef struct generate_answer_result {
    generate_finish finish;
    uint64_t prompt_tokens, generated_tokens;
    uint64_t prompt_ns, generate_ns;
} generate_answer_result;

/* Appends the prompt and the answer; the last token generated is not appended. A cancelled answer
 * is ONDOL_OK. Errors: those of generate_step, MEMORY, LIMIT (text held back for a stop). */
ondol_status generate_answer(generate_sequence *s, const int32_t *prompt, uint64_t prompt_tokens,
                             const generate_answer_options *options, generate_answer_result *result,
                             ondol_error *err);

#endif
