/* A vocabulary and a text: the tokenizer is refused with a sentence, or its ids are tokens, plain
 * text gives no control token, and what comes out of a stream is UTF-8 and the same as at once.
 * In: a GGUF file, whose own bytes are the text; or the description that read_spec reads, then the
 * text. fuzz/make_tokenizer_seeds.py writes both. */
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "models/gguf_text.h"
#include "text/pretokenizer.h"
#include "text/text_tokenizer.h"

#define TOKENS_MAX     512u
#define MERGES_MAX     256u
#define TEXT_BYTES_MAX 20000u

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

typedef struct spec_memory {
    text_view tokens[TOKENS_MAX];
    float scores[TOKENS_MAX];
    uint8_t types[TOKENS_MAX], strip[TOKENS_MAX];
    text_merge merges[MERGES_MAX];
    char letters[256][8];
} spec_memory;

static text_view read_text(base_reader *r, size_t n) {
    const unsigned char *p = base_read_view(r, n);
    return p ? (text_view){(const char *)p, n} : (text_view){"", 0};
}

static size_t add_token(spec_memory *m, size_t n, text_view text, uint8_t type) {
    m->tokens[n] = text;
    m->types[n] = type;
    m->strip[n] = 0;
    m->scores[n] = 0;
    return n + 1;
}

/* A token for each byte, as the kind writes them. */
static size_t add_bytes(spec_memory *m, size_t n, text_kind kind) {
    static const char digits[] = "0123456789ABCDEF";
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; byte++) {
        char *p = m->letters[byte];
        if (kind != TEXT_KIND_BPE) {
            const char text[6] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
            memcpy(p, text, sizeof text);
            n = add_token(m, n, (text_view){p, sizeof text}, TEXT_TOKEN_BYTE);
            continue;
        }
        const bool own = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
        const size_t size = base_utf8_encode(own ? byte : next++, (unsigned char *)p);
        n = add_token(m, n, (text_view){p, size}, TEXT_TOKEN_NORMAL);
    }
    return n;
}

static text_switch read_switch(unsigned bits) {
    return (text_switch)(bits % 3);
}

/* kind, pre-tokenizer, 3 bytes of switches, what text_tokenize takes, 15 roles, tokens (a count,
 * then for each a length, type, score and text), merges (a count, then for each two lengths and
 * texts), the charsmap (a length of 16 bits, bytes). Returns text_tokenize's flags. */
static unsigned read_spec(base_reader *r, spec_memory *m, text_spec *spec) {
    const text_kind kind = (text_kind)(base_read_u8(r) % TEXT_KIND_COUNT);
    text_spec_init(spec, kind);
    const pretokenizer_row *row = pretokenizer_at(base_read_u8(r));
    if (row) spec->pretokenizer = (text_view){row->name, strlen(row->name)};
    const unsigned one = base_read_u8(r), two = base_read_u8(r), three = base_read_u8(r);
    spec->add_bos = read_switch(one);
    spec->add_eos = read_switch(one >> 2);
    spec->add_space_prefix = read_switch(one >> 4);
    spec->remove_extra_whitespaces = read_switch(one >> 6);
    spec->whitespace_as_suffix = read_switch(two);
    spec->escape_whitespaces = read_switch(two >> 2);
    spec->ignore_merges = read_switch(two >> 4);
    spec->lowercase = read_switch(two >> 6);
    spec->strip_accents = read_switch(three);
    spec->dna_kmers = three & 4;
    spec->drop_whitespace = three & 8;
    spec->max_word_chars = three >> 5;
    const unsigned flags = base_read_u8(r);
    for (int i = 0; i < TEXT_SPECIAL_COUNT; i++)
        spec->special_ids[i] = (int8_t)base_read_u8(r);
    size_t n = three & 16 ? add_bytes(m, 0, kind) : 0;
    for (size_t left = base_read_u8(r); left > 0 && !r->failed; left--) {
        const size_t size = base_read_u8(r);
        const unsigned type = base_read_u8(r);
        const float score = (float)(int8_t)base_read_u8(r) / 4;
        n = add_token(m, n, read_text(r, size), type & 15);
        m->strip[n - 1] = (uint8_t)(type >> 6);
        m->scores[n - 1] = score;
    }
    for (size_t left = base_read_u8(r); left > 0 && !r->failed; left--) {
        const size_t first = base_read_u8(r), second = base_read_u8(r);
        text_merge *merge = &m->merges[spec->n_merges++];
        merge->left = read_text(r, first);
        merge->right = read_text(r, second);
    }
    spec->charsmap = read_text(r, base_read_u16(r));
    spec->tokens = m->tokens;
    spec->n_tokens = n;
    spec->scores = m->scores;
    spec->types = m->types;
    spec->strip = m->strip;
    spec->merges = m->merges;
    return flags & (TEXT_ADD_SPECIAL | TEXT_PARSE_SPECIAL);
}

/* The ids' text at once and in a stream. */
static void check_text(const text_tokenizer *tok, const ondol_allocator *heap, const int32_t *ids,
                       size_t count, unsigned flags) {
    base_buffer whole, streamed;
    text_stream stream;
    base_buffer_init(&whole, heap, SIZE_MAX / 2);
    base_buffer_init(&streamed, heap, SIZE_MAX / 2);
    if (text_detokenize(tok, ids, count, flags, &whole, NULL) != ONDOL_OK) abort();
    text_stream_init(&stream, tok, flags);
    for (size_t i = 0; i < count; i++) {
        const size_t before = streamed.size;
        if (text_stream_push(&stream, ids[i], &streamed, NULL) != ONDOL_OK) abort();
        if (streamed.size == before) continue;
        const unsigned char *added = (const unsigned char *)streamed.data + before;
        if (!base_utf8_valid(added, streamed.size - before)) abort();
    }
    if (text_stream_finish(&stream, &streamed, NULL) != ONDOL_OK) abort();
    if (whole.size > 0 && base_utf8_valid((const unsigned char *)whole.data, whole.size)) {
        if (whole.size != streamed.size || memcmp(whole.data, streamed.data, whole.size) != 0)
            abort();
    }
    base_buffer_destroy(&whole);
    base_buffer_destroy(&streamed);
}

static void check_tokenizer(const text_tokenizer *tok, const char *text, size_t n, unsigned flags) {
    const ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    size_t count = 0;
    size_t again = 0;
    if (text_tokenize(tok, text, n, flags, NULL, 0, &count, &err) != ONDOL_OK) {
        if (err.status != ONDOL_E_LIMIT || count != 0) abort();
        return;
    }
    int32_t *ids = malloc((count + 1) * sizeof *ids);
    if (!ids) abort();
    if (text_tokenize(tok, text, n, flags, ids, count, &again, &err) != ONDOL_OK) abort();
    if (again != count) abort();
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (size_t)ids[i] >= text_token_count(tok)) abort();
    }
    check_text(tok, &heap, ids, count, flags & (TEXT_SHOW_CONTROL | TEXT_CONTINUE));
    free(ids);
}

/* The tokenizer of a spec, and a text through it. */
static void run_spec(const ondol_allocator *allocator, const text_spec *spec, const char *text,
                     size_t n, unsigned flags) {
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    const ondol_status status = text_tokenizer_create(allocator, spec, &tok, &err);
    if ((status == ONDOL_OK) != (tok != NULL)) abort();
    if (!tok) {
        if (err.status != status || err.text[0] == 0) abort();
        return;
    }
    for (size_t i = 0; i < spec->n_tokens; i++) {
        const text_view view = text_token_text(tok, (int32_t)i);
        if (view.size != spec->tokens[i].size) abort();
        (void)text_token_find(tok, view.data, view.size);
        (void)text_token_piece(tok, (int32_t)i, TEXT_SHOW_CONTROL);
    }
    check_tokenizer(tok, text, n < TEXT_BYTES_MAX ? n : TEXT_BYTES_MAX, flags);
    text_tokenizer_destroy(tok);
}

static void run_gguf(const ondol_allocator *allocator, const uint8_t *data, size_t size) {
    gguf_file *file = NULL;
    models_text *text = NULL;
    ondol_error err = {0};
    if (gguf_file_open_memory(allocator, data, size, NULL, &file, NULL) != ONDOL_OK) return;
    const ondol_status status = models_text_from_gguf(allocator, file, &text, &err);
    if ((status == ONDOL_OK) != (text != NULL)) abort();
    if (text) {
        run_spec(allocator, &text->spec, (const char *)data, size, TEXT_PARSE_SPECIAL);
    } else if (err.status != status || err.text[0] == 0) {
        abort();
    }
    models_text_destroy(text);
    gguf_file_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bounded_heap bounded = {base_default_allocator(), size * 8192 + ((size_t)8 << 20)};
    const ondol_allocator allocator = {bounded_alloc, bounded_release, &bounded};
    if (size >= 4 && memcmp(data, "GGUF", 4) == 0) {
        run_gguf(&allocator, data, size);
        return 0;
    }
    static spec_memory memory;
    text_spec spec;
    base_reader reader;
    base_reader_init(&reader, data, size);
    const unsigned flags = read_spec(&reader, &memory, &spec);
    const size_t n = (size_t)base_reader_left(&reader);
    const char *text = n > 0 ? (const char *)data + reader.offset : "";
    run_spec(&allocator, &spec, text, n, flags);
    return 0;
}
