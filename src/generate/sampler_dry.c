/* DRY: the tokens of the sequence -> how long a repetition each next token would go on with ->
 * penalties. */
#include "generate/sampler_dry.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/exact_math.h"

#define NO_MATCH      SIZE_MAX
#define LOG_FLOAT_MAX 88.72283905206835

/* ---- breakers ---- */

static bool holds(text_view text, text_view part) {
    for (size_t i = 0; i + part.size <= text.size; i++) {
        if (memcmp(text.data + i, part.data, part.size) == 0) return true;
    }
    return false;
}

static bool add_head(sampler_dry *d, sampler_breaker_head head) {
    if (d->head_count == d->head_capacity) {
        const size_t capacity = d->head_capacity ? d->head_capacity * 2 : 64;
        sampler_breaker_head *heads = base_alloc(d->allocator, capacity, sizeof *heads);
        if (!heads) return false;
        if (d->head_count) memcpy(heads, d->heads, d->head_count * sizeof *heads);
        base_free(d->allocator, d->heads);
        d->heads = heads;
        d->head_capacity = capacity;
    }
    d->heads[d->head_count++] = head;
    return true;
}

/* Notes whether the token's text holds breaker b, or else each beginning of b that it ends with. */
static bool look_at_token(sampler_dry *d, int32_t token, uint32_t b) {
    const text_view text = text_token_piece(d->tok, token, TEXT_SHOW_CONTROL);
    const text_view breaker = d->breakers[b];
    if (holds(text, breaker)) {
        d->breaks[token] = 1;
        return true;
    }
    for (size_t n = 1; n < breaker.size && n <= text.size; n++) {
        if (memcmp(text.data + text.size - n, breaker.data, n) != 0) continue;
        if (!add_head(d, (sampler_breaker_head){token, b, (uint32_t)n})) return false;
    }
    return true;
}

static bool copy_breakers(sampler_dry *d, const sampler_dry_options *options) {
    size_t bytes = 0;
    for (size_t i = 0; i < options->breaker_count; i++)
        bytes += strlen(options->breakers[i]);
    d->breaker_text = base_alloc(d->allocator, bytes, 1);
    d->breakers = base_alloc(d->allocator, options->breaker_count, sizeof *d->breakers);
    if (!d->breaker_text || !d->breakers) return false;
    char *to = d->breaker_text;
    for (size_t i = 0; i < options->breaker_count; i++) {
        const size_t size = strlen(options->breakers[i]);
        memcpy(to, options->breakers[i], size);
        d->breakers[i] = (text_view){to, size};
        to += size;
    }
    d->breaker_count = options->breaker_count;
    return true;
}

static bool find_breakers(sampler_dry *d) {
    const size_t tokens = d->breaker_count ? text_token_count(d->tok) : 0;
    for (size_t token = 0; token < d->vocabulary && token < tokens; token++) {
        for (size_t b = 0; b < d->breaker_count; b++) {
            if (!look_at_token(d, (int32_t)token, (uint32_t)b)) return false;
        }
    }
    return true;
}

ondol_status sampler_dry_create(sampler_dry *d, const ondol_allocator *allocator,
                                const text_tokenizer *tok, uint32_t vocabulary,
                                const sampler_dry_options *options, ondol_error *err) {
    *d = (sampler_dry){.allocator = allocator,
                       .tok = tok,
                       .vocabulary = vocabulary,
                       .multiplier = options->multiplier,
                       .base = options->base,
                       .allowed_length = options->allowed_length,
                       .max_exponent = UINT32_MAX,
                       .window = options->window};
    /* A base is a float, so above 1 it is at least 1 + 2^-23: the quotient stays below 2^30. */
    if (d->base > 1) d->max_exponent = (uint32_t)(LOG_FLOAT_MAX / base_log(d->base));
    d->breaks = base_calloc(allocator, vocabulary, sizeof *d->breaks);
    d->longest = base_calloc(allocator, vocabulary, sizeof *d->longest);
    d->touched = base_calloc(allocator, vocabulary, sizeof *d->touched);
    if (d->breaks && d->longest && d->touched && copy_breakers(d, options) && find_breakers(d)) {
        return ONDOL_OK;
    }
    sampler_dry_destroy(d);
    return base_no_memory(err, "DRY", (uint64_t)vocabulary * 9);
}

void sampler_dry_destroy(sampler_dry *d) {
    if (!d->allocator) return;
    base_free(d->allocator, d->breaker_text);
    base_free(d->allocator, d->breakers);
    base_free(d->allocator, d->breaks);
    base_free(d->allocator, d->heads);
    base_free(d->allocator, d->longest);
    base_free(d->allocator, d->touched);
    *d = (sampler_dry){0};
}

/* ---- how far back a repetition may reach ---- */

/* How many of tokens[n] it takes until their text has begun with all of `rest`, or NO_MATCH. */
static size_t tokens_of_rest(const sampler_dry *d, const int32_t *tokens, size_t n,
                             text_view rest) {
    size_t used = 0;
    while (rest.size) {
        if (used == n) return NO_MATCH;
        const text_view text = text_token_piece(d->tok, tokens[used++], TEXT_SHOW_CONTROL);
        const size_t bytes = text.size < rest.size ? text.size : rest.size;
        if (bytes && memcmp(text.data, rest.data, bytes) != 0) return NO_MATCH;
        rest.data += bytes;
        rest.size -= bytes;
    }
    return used;
}

/* The first head of that token. */
static size_t find_heads(const sampler_dry *d, int32_t token) {
    size_t low = 0, high = d->head_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (d->heads[middle].token < token) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Tokens behind tokens[at] with which the longest breaker that begins in it ends, or NO_MATCH. */
static size_t breaker_at(const sampler_dry *d, const int32_t *tokens, size_t n, size_t at) {
    size_t longest = d->breaks[tokens[at]] ? 0 : NO_MATCH;
    for (size_t i = find_heads(d, tokens[at]); i < d->head_count; i++) {
        const sampler_breaker_head *head = &d->heads[i];
        if (head->token != tokens[at]) break;
        const text_view breaker = d->breakers[head->breaker];
        const text_view rest = {breaker.data + head->matched, breaker.size - head->matched};
        const size_t used = tokens_of_rest(d, tokens + at + 1, n - at - 1, rest);
        if (used != NO_MATCH && (longest == NO_MATCH || used > longest)) longest = used;
    }
    return longest;
}

/* How many of the last tokens stand behind the last breaker. */
static size_t tokens_since_breaker(const sampler_dry *d, const int32_t *tokens, size_t n) {
    for (size_t back = 0; back < n; back++) {
        const size_t used = breaker_at(d, tokens, n, n - 1 - back);
        if (used != NO_MATCH) return back - used;
    }
    return n;
}

/* ---- repetitions ---- */

/* lengths[k], 1 <= k < n: how many tokens before the last k are as the last ones. This is the
 * Z function of the reversed sequence (Gusfield 1997, section 1.4), in linear time. */
static void find_repetitions(const int32_t *tokens, size_t n, uint32_t *lengths) {
    const int32_t *last = tokens + n - 1;
    size_t left = 0, right = 0; /* [left, right) back matches [0, right - left) */
    for (size_t k = 1; k < n; k++) {
        size_t length = 0;
        if (k < right) {
            length = lengths[k - left];
            if (length < right - k) {
                lengths[k] = (uint32_t)length;
                continue;
            }
            length = right - k;
        }
        while (k + length < n && *(last - length) == *(last - k - length))
            length++;
        lengths[k] = (uint32_t)length;
        left = k;
        right = k + length;
    }
}

/* base^exponent by squaring; exact where the result is short. */
static double power(double base, uint32_t exponent) {
    double result = 1;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1) result *= base;
        base *= base;
    }
    return result;
}

void sampler_dry_penalise(sampler_dry *d, const sampler_history *h, double *values) {
    const size_t n = h->count < d->window ? h->count : d->window;
    if (n <= d->allowed_length) return;
    const int32_t *tokens = h->tokens + (h->count - n);
    const size_t reach = tokens_since_breaker(d, tokens, n);
    if (reach < d->allowed_length) return;
    find_repetitions(tokens, n, h->lengths);
    size_t touched = 0;
    for (size_t k = 1; k < n; k++) {
        const size_t length = h->lengths[k] < reach ? h->lengths[k] : reach;
        if (length < d->allowed_length) continue;
        const int32_t next = tokens[n - k]; /* what followed there */
        if (d->longest[next] == 0) d->touched[touched++] = next;
        if (d->longest[next] < length + 1) d->longest[next] = (uint32_t)length + 1;
    }
    for (size_t i = 0; i < touched; i++) {
        const int32_t id = d->touched[i];
        uint32_t exponent = d->longest[id] - 1 - d->allowed_length;
        if (exponent > d->max_exponent) exponent = d->max_exponent;
        if (!d->breaks[id]) values[id] -= d->multiplier * power(d->base, exponent);
        d->longest[id] = 0;
    }
}
