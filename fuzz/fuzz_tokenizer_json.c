/* A tokenizer.json and a text: the file is refused with a sentence, or ids are tokens, plain text
 * gives no control token, and what comes out of a stream is UTF-8.
 * In: the JSON, a zero byte, text_tokenize's flags, the text; without a zero byte the JSON is the
 * text, too. fuzz/make_tokenizer_json_seeds.py writes such files. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "text/text_hugging_face.h"

#define TEXT_BYTES_MAX 200u /* expressions may take their limit of steps at each character */

/* Counts all that is ever taken. */
typedef struct bounded_heap {
    ondol_allocator heap;
    size_t left_bytes;
} bounded_heap;

static void *bounded_alloc(void *user, size_t size, size_t align) {
    bounded_heap *b = user;
    if (size > b->left_bytes) abort(); /* more than the input's size justifies */
    b->left_bytes -= size;
    return b->heap.alloc(b->heap.user, size, align);
}

static void bounded_release(void *user, void *p) {
    bounded_heap *b = user;
    b->heap.release(b->heap.user, p);
}

/* The ids' text at once and in a stream. */
static void check_text(const text_tokenizer *tok, const ondol_allocator *heap, const int32_t *ids,
                       size_t count, unsigned flags) {
    base_buffer whole, streamed;
    text_stream stream;
    ondol_error err = {0};
    base_buffer_init(&whole, heap, SIZE_MAX / 2);
    base_buffer_init(&streamed, heap, SIZE_MAX / 2);
    const ondol_status status = text_detokenize(tok, ids, count, flags, &whole, &err);
    if (status != ONDOL_OK && status != ONDOL_E_LIMIT) abort();
    text_stream_init(&stream, tok, flags);
    for (size_t i = 0; i < count; i++) {
        const ondol_status pushed = text_stream_push(&stream, ids[i], &streamed, &err);
        if (pushed != ONDOL_OK && pushed != ONDOL_E_LIMIT) abort();
    }
    if (text_stream_finish(&stream, &streamed, NULL) != ONDOL_OK) abort();
    if (streamed.size > 0 && !base_utf8_valid((const unsigned char *)streamed.data, streamed.size))
        abort();
    base_buffer_destroy(&whole);
    base_buffer_destroy(&streamed);
}

static void check_ids(const text_tokenizer *tok, const int32_t *ids, size_t count, unsigned flags) {
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= text_token_count(tok)) abort();
        const bool plain = !(flags & (TEXT_ADD_SPECIAL | TEXT_PARSE_SPECIAL));
        if (plain && text_token_is_control(tok, ids[i]) &&
            ids[i] != text_token_special(tok, TEXT_UNK))
            abort();
    }
}

static void check_tokenizer(const text_tokenizer *tok, const char *text, size_t n, unsigned flags) {
    const ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    size_t count = 0, again = 0;
    if (text_tokenize(tok, text, n, flags, NULL, 0, &count, &err) != ONDOL_OK) {
        if (err.status != ONDOL_E_LIMIT || count != 0) abort();
        return;
    }
    if (count > (size_t)1 << 20) return;
    int32_t *ids = malloc((count + 1) * sizeof *ids);
    if (!ids) abort();
    if (text_tokenize(tok, text, n, flags, ids, count, &again, &err) != ONDOL_OK) abort();
    if (again != count) abort();
    check_ids(tok, ids, count, flags);
    check_text(tok, &heap, ids, count < 1000 ? count : 1000,
               flags & (TEXT_SHOW_CONTROL | TEXT_CONTINUE));
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bounded_heap bounded = {base_default_allocator(), size * 8192 + ((size_t)96 << 20)};
    const ondol_allocator allocator = {bounded_alloc, bounded_release, &bounded};
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t n = end ? (size_t)(end - data) : size;
    const bool own = end && n + 2 <= size;
    const char *text = (const char *)data + (own ? n + 2 : 0);
    const size_t text_bytes = own ? size - n - 2 : n;
    const unsigned flags = own ? data[n + 1] & (TEXT_ADD_SPECIAL | TEXT_PARSE_SPECIAL) : 0;
    const text_view json = {(const char *)data, n};
    const text_hf_files files = {.tokenizer = json, .tokenizer_config = json};
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    const ondol_status status = text_tokenizer_from_json(&allocator, &files, NULL, &tok, &err);
    if ((status == ONDOL_OK) != (tok != NULL)) abort();
    if (!tok) {
        if (err.status != status || err.text[0] == 0) abort();
        return 0;
    }
    check_tokenizer(tok, text_bytes ? text : "",
                    text_bytes < TEXT_BYTES_MAX ? text_bytes : TEXT_BYTES_MAX, flags);
    text_tokenizer_destroy(tok);
    return 0;
}
