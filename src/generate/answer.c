/* Answers. In: a prompt's tokens. Out: tokens and text, until the model, a limit, a stop text or
 * the caller ends it. */
#include "generate/answer.h"

#include <string.h>

#include "base/os.h"

/* Text that waits because it may be the beginning of a stop text; far more than any of those. */
#define HELD_BYTES_MAX ((size_t)16 << 20)

typedef struct answer {
    generate_sequence *s;
    const generate_answer_options *o;
    generate_answer_result r;
    text_stream stream;
    base_buffer held; /* whole characters not yet given out */
    bool over;
    ondol_error *err;
} answer;

static void finish(answer *a, generate_finish why) {
    a->r.finish = why;
    a->over = true;
}

static void give(answer *a, int32_t token, size_t bytes) {
    const char *text = a->held.data ? a->held.data : "";
    if (a->o->on_token && (bytes || token >= 0) &&
        a->o->on_token(a->o->user, token, text, bytes) != 0) {
        finish(a, GENERATE_FINISH_CALLBACK);
    }
    if (!bytes) return;
    memmove(a->held.data, a->held.data + bytes, a->held.size - bytes + 1);
    a->held.size -= bytes;
}

/* Where the first of the stop texts begins in what is held, or its size. */
static size_t find_stop(const answer *a) {
    const base_buffer *b = &a->held;
    for (size_t at = 0; at < b->size; at++) {
        for (size_t i = 0; i < a->o->stop_count; i++) {
            const size_t n = strlen(a->o->stop[i]);
            if (n && n <= b->size - at && memcmp(b->data + at, a->o->stop[i], n) == 0) return at;
        }
    }
    return b->size;
}

/* Bytes at the end of what is held that may be the beginning of a stop text. */
static size_t may_become_stop(const answer *a) {
    const base_buffer *b = &a->held;
    size_t most = 0;
    for (size_t i = 0; i < a->o->stop_count; i++) {
        size_t n = strlen(a->o->stop[i]);
        for (n = n > b->size ? b->size : n ? n - 1 : 0; n > most; n--) {
            if (memcmp(b->data + b->size - n, a->o->stop[i], n) == 0) most = n;
        }
    }
    return most;
}

static ondol_status take(answer *a, int32_t token) {
    ondol_status status = ONDOL_OK;
    if (a->o->tokenizer) TRY(text_stream_push(&a->stream, token, &a->held, a->err));
    const size_t stop = find_stop(a);
    if (stop < a->held.size) {
        give(a, token, stop);
        a->held.size = 0;
        finish(a, GENERATE_FINISH_STOP_TEXT);
        return ONDOL_OK;
    }
    give(a, token, a->held.size - may_become_stop(a));
done:
    return status;
}

static ondol_status step(answer *a, const int32_t *tokens, uint64_t count, generate_want want) {
    a->s->work.tokens = tokens;
    a->s->work.token_count = count;
    a->s->work.want = want;
    a->s->work.sampler = a->o->sampler;
    a->s->work.following = NULL;
    return generate_step(a->s->cache, a->s, a->err);
}

static bool is_end(const answer *a, int32_t token) {
    return !a->o->ignore_end && a->o->tokenizer && text_token_is_end(a->o->tokenizer, token);
}

static ondol_status generate_tokens(answer *a) {
    ondol_status status = ONDOL_OK;
    while (!a->over) {
        const int32_t token = a->s->work.token;
        if (is_end(a, token)) {
            finish(a, GENERATE_FINISH_STOP);
            break;
        }
        a->r.generated_tokens++;
        TRY(take(a, token));
        if (a->over) break;
        const bool enough =
            a->o->max_tokens >= 0 && a->r.generated_tokens >= (uint64_t)a->o->max_tokens;
        if (enough || a->s->length >= a->s->capacity) {
            finish(a, GENERATE_FINISH_LENGTH);
            break;
        }
        TRY(step(a, &token, 1, GENERATE_WANT_SAMPLED));
    }
done:
    return status;
}

static ondol_status run(answer *a, const int32_t *prompt, uint64_t prompt_tokens) {
    const bool generates = a->o->max_tokens != 0;
    const uint64_t begin = base_now_ns();
    uint64_t prompt_end = begin;
    ondol_status status = ONDOL_OK;
    for (uint64_t i = 0; generates && i < prompt_tokens; i++) {
        /* Anything else is for the step to refuse. */
        if (prompt[i] < 0 || (uint32_t)prompt[i] >= a->s->cache->decoder.vocabulary) break;
        TRY(generate_sampler_accept(a->o->sampler, prompt[i], true, a->err));
    }
    TRY(step(a, prompt, prompt_tokens, generates ? GENERATE_WANT_SAMPLED : GENERATE_WANT_NOTHING));
    prompt_end = base_now_ns();
    a->r.prompt_ns = prompt_end - begin;
    a->r.finish = GENERATE_FINISH_LENGTH;
    if (generates) TRY(generate_tokens(a));
done:
    if (status == ONDOL_E_CANCELLED) {
        finish(a, GENERATE_FINISH_CANCELLED);
        status = ONDOL_OK;
    }
    a->r.generate_ns = base_now_ns() - prompt_end;
    return status;
}

ondol_status generate_answer(generate_sequence *s, const int32_t *prompt, uint64_t prompt_tokens,
                             const generate_answer_options *options, generate_answer_result *result,
                             ondol_error *err) {
    answer a = {.s = s, .o = options, .err = err};
    a.r.prompt_tokens = prompt_tokens;
    base_buffer_init(&a.held, s->cache->allocator, HELD_BYTES_MAX);
    if (options->tokenizer) {
        text_stream_init(&a.stream, options->tokenizer,
                         TEXT_CONTINUE | (options->show_special ? TEXT_SHOW_CONTROL : 0));
    }
    ondol_status status = run(&a, prompt, prompt_tokens);
    if (status == ONDOL_OK && a.r.finish != GENERATE_FINISH_STOP_TEXT) {
        if (options->tokenizer) status = text_stream_finish(&a.stream, &a.held, err);
        if (status == ONDOL_OK && a.held.size && a.r.finish != GENERATE_FINISH_CALLBACK) {
            const generate_finish why = a.r.finish;
            give(&a, -1, a.held.size);
            a.r.finish = why;
        }
    }
    base_buffer_destroy(&a.held);
    if (status == ONDOL_OK && result) *result = a.r;
    return status;
}
