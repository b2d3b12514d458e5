/* text_tokenize: a text is cut at its special tokens; what lies between goes to the kind's own
 * encoder; BOS and EOS go around it. */
#include <string.h>

#include "base/utf8.h"
#include "text/hugging_face/hf_pipeline.h"
#include "text/tokenizer_internal.h"
#include "text/tokenizer_unicode.h"

#define TEXT_BYTES_MAX ((size_t)INT32_MAX)

void encoder_put(encoder *e, int32_t id) {
    if (e->count < e->cap) e->ids[e->count] = id;
    e->count++;
}

uint32_t tokenizer_symbol(const text_tokenizer *tok, const char *text, size_t n) {
    uint32_t id = MERGE_NO_SYMBOL;
    if (n == 0 || n > tok->symbol_bytes_max) return MERGE_NO_SYMBOL;
    return base_map_get(&tok->symbols, text, n, &id) ? id : MERGE_NO_SYMBOL;
}

void encode_bytes(encoder *e, const char *text, size_t n) {
    const text_tokenizer *tok = e->tok;
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)text[i];
        int32_t id = tok->byte_ids[byte];
        if (tok->byte_letters) {
            uint32_t symbol = tok->merges.byte_symbols[byte];
            id = symbol < tok->n_tokens ? (int32_t)symbol : -1;
        } else if (id < 0) {
            id = tok->special_ids[TEXT_UNK];
        }
        if (id >= 0) encoder_put(e, id);
    }
}

ondol_status encode_merged(encoder *e, const char *text, merge_lookup lookup, const void *context) {
    merge_work *work = &e->merges;
    if (!merge_run(work, lookup, context)) {
        return base_no_memory(e->err, "merging tokens", work->n_symbols);
    }
    for (uint32_t i = 0; i < work->n_symbols; i = work->symbols[i].next) {
        const merge_symbol *symbol = &work->symbols[i];
        if (symbol->id < e->tok->n_tokens) {
            encoder_put(e, (int32_t)symbol->id);
        } else {
            encode_bytes(e, text + symbol->start, symbol->size);
        }
    }
    return ONDOL_OK;
}

size_t tokenizer_chunk_end(const text_tokenizer *tok, const char *text, size_t from, size_t end) {
    for (size_t i = from + 1; i + ESCAPED_SPACE_BYTES <= end; i++) {
        if (text[i] == ESCAPED_SPACE[0] && text[i + 1] == ESCAPED_SPACE[1] &&
            text[i + 2] == ESCAPED_SPACE[2] && !tok->before_space[(unsigned char)text[i - 1]]) {
            return i;
        }
    }
    return end;
}

ondol_status encoder_valid_utf8(encoder *e, base_buffer *dst, const char **text, size_t *n) {
    const unsigned char *bytes = (const unsigned char *)*text;
    if (base_utf8_valid(bytes, *n)) return ONDOL_OK;
    dst->size = 0;
    for (size_t i = 0; i < *n;) {
        uint32_t code = 0;
        size_t used = base_utf8_decode(bytes + i, *n - i, &code);
        bool kept = used ? base_buffer_append(dst, bytes + i, used)
                         : base_buffer_append(dst, "\xef\xbf\xbd", 3);
        if (!kept) break;
        i += used ? used : 1;
    }
    *text = dst->data;
    *n = dst->size;
    return base_buffer_status(dst, "a text made valid UTF-8", e->err);
}

ondol_status encoder_escape_spaces(encoder *e, base_buffer *dst, const char **text, size_t *n,
                                   bool space_first) {
    const char *from = *text;
    const char *end = from + *n;
    dst->size = 0;
    if (space_first) base_buffer_append(dst, ESCAPED_SPACE, ESCAPED_SPACE_BYTES);
    while (from < end) {
        const char *space = memchr(from, ' ', (size_t)(end - from));
        const char *stop = space ? space : end;
        bool kept = base_buffer_append(dst, from, (size_t)(stop - from));
        if (space) kept = kept && base_buffer_append(dst, ESCAPED_SPACE, ESCAPED_SPACE_BYTES);
        if (!kept) break;
        from = space ? space + 1 : end;
    }
    *text = dst->data;
    *n = dst->size;
    return base_buffer_status(dst, "a text with its spaces escaped", e->err);
}

/* ---- special tokens ---- */

/* Where the white space that begins at text[at] ends. */
static size_t spaces_end(const char *text, size_t at, size_t n) {
    const unsigned char *bytes = (const unsigned char *)text;
    uint32_t code = 0;
    size_t used = 0;
    while (at < n && (used = base_utf8_decode(bytes + at, n - at, &code)) > 0) {
        if (!unicode_is_space(code)) break;
        at += used;
    }
    return at;
}

/* Where the white space of text[from..end) that ends at `end` begins. */
static size_t spaces_start(const char *text, size_t from, size_t end) {
    const unsigned char *bytes = (const unsigned char *)text;
    while (end > from) {
        size_t start = end - 1;
        uint32_t code = 0;
        while (start > from && end - start < 4 && (bytes[start] & 0xc0) == 0x80)
            start--;
        if (base_utf8_decode(bytes + start, end - start, &code) != end - start) break;
        if (!unicode_is_space(code)) break;
        end = start;
    }
    return end;
}

/* The longest special token that starts at text[at], or -1. */
static int32_t special_at(const text_tokenizer *tok, const char *text, size_t n, size_t at,
                          unsigned skip) {
    uint32_t node = TRIE_ROOT;
    int32_t found = -1;
    for (size_t i = at; i < n; i++) {
        node = trie_step(&tok->specials, node, (unsigned char)text[i]);
        if (node == TRIE_NO_NODE) break;
        int32_t id = trie_value(&tok->specials, node);
        if (id >= 0 && !(tok->flags[id] & skip)) found = id;
    }
    return found;
}

/* The first special token of text[from..n): *start, and its id; -1 when there is none. */
static int32_t special_next(const text_tokenizer *tok, const char *text, size_t n, size_t from,
                            unsigned flags, size_t *start) {
    unsigned skip = flags & TEXT_PARSE_SPECIAL ? 0 : TOKEN_HIDDEN;
    const uint32_t *first = tok->specials.first;
    for (size_t i = from; i < n; i++) {
        if (first[(unsigned char)text[i]] == TRIE_NO_NODE) continue;
        int32_t id = special_at(tok, text, n, i, skip);
        if (id < 0) continue;
        *start = i;
        return id;
    }
    *start = n;
    return -1;
}

static ondol_status encode_plain(encoder *e, const char *text, size_t n, bool after_special) {
    switch (e->tok->kind) {
    case TEXT_KIND_SPM: return encode_spm(e, text, n, after_special && e->tok->add_space_prefix);
    case TEXT_KIND_BPE: return encode_bpe(e, text, n);
    case TEXT_KIND_WORDPIECE: return encode_wordpiece(e, text, n);
    case TEXT_KIND_UNIGRAM: return encode_unigram(e, text, n);
    case TEXT_KIND_RWKV: return encode_rwkv(e, text, n);
    case TEXT_KIND_PLAMO2: return encode_plamo2(e, text, n);
    default: return base_fail(e->err, ONDOL_E_INTERNAL, "tokenizer: kind %d", (int)e->tok->kind);
    }
}

static ondol_status encode_parts(encoder *e, const char *text, size_t n, unsigned flags) {
    ondol_status status = ONDOL_OK;
    const text_tokenizer *tok = e->tok;
    bool after_special = true;
    for (size_t at = 0; at < n;) {
        size_t start = n;
        int32_t id = special_next(tok, text, n, at, flags, &start);
        size_t end = start;
        if (id >= 0 && tok->flags[id] & TOKEN_STRIP_LEFT) {
            end = spaces_start(text, at, end);
        }
        if (end > at) {
            TRY(encode_plain(e, text + at, end - at, after_special));
            after_special = false;
        }
        if (id < 0) break;
        encoder_put(e, id);
        after_special = true;
        at = start + pool_at(&tok->texts, (size_t)id).size;
        if (tok->flags[id] & TOKEN_STRIP_RIGHT) {
            at = spaces_end(text, at, n);
        }
    }
done:
    return status;
}

static void put_special(encoder *e, text_special role) {
    if (e->tok->special_ids[role] >= 0) encoder_put(e, e->tok->special_ids[role]);
}

static ondol_status encode_all(encoder *e, const char *text, size_t n, unsigned flags) {
    const text_tokenizer *tok = e->tok;
    bool wordpiece = tok->kind == TEXT_KIND_WORDPIECE;
    bool bare = tok->kind == TEXT_KIND_RWKV || tok->kind == TEXT_KIND_PLAMO2;
    bool add = (flags & TEXT_ADD_SPECIAL) != 0 && !bare;
    if (add && tok->add_bos) put_special(e, TEXT_BOS);
    ondol_status status = encode_parts(e, text, n, flags);
    if (add && wordpiece && tok->add_sep) put_special(e, TEXT_SEP);
    if (add && !wordpiece && tok->add_eos) put_special(e, TEXT_EOS);
    return status;
}

ondol_status text_tokenize(const text_tokenizer *tok, const char *text, size_t n, unsigned flags,
                           int32_t *ids, size_t cap, size_t *count, ondol_error *err) {
    *count = 0;
    if ((!text && n > 0) || (!ids && cap > 0)) {
        return base_fail(err, ONDOL_E_ARGUMENT, "tokenize: text or ids is NULL");
    }
    if (n > TEXT_BYTES_MAX) {
        return base_fail(err, ONDOL_E_LIMIT, "tokenize: a text of %zu bytes; at most %zu are done",
                         n, TEXT_BYTES_MAX);
    }
    if (tok->hf) return hf_encode(tok, text, n, flags, ids, cap, count, err);
    encoder e = {.tok = tok, .ids = ids, .cap = cap, .err = err};
    merge_init(&e.merges, tok->allocator);
    pretokenizer_work_init(&e.words, tok->pre, tok->allocator);
    base_buffer_init(&e.text, tok->allocator, UINT32_MAX - 1);
    base_buffer_init(&e.other, tok->allocator, UINT32_MAX - 1);
    ondol_status status = encode_all(&e, text, n, flags);
    if (status == ONDOL_OK && e.count > INT32_MAX) {
        status = base_fail(err, ONDOL_E_LIMIT, "tokenize: %zu tokens; at most 2147483647 are done",
                           e.count);
    }
    if (status == ONDOL_OK) *count = e.count;
    base_buffer_destroy(&e.other);
    base_buffer_destroy(&e.text);
    pretokenizer_work_destroy(&e.words);
    merge_destroy(&e.merges);
    return status;
}
