/* Texts of the vocabulary -> the plain bytes that tokens stand for. */
#include <string.h>

#include "base/utf8.h"
#include "text/tokenizer_internal.h"

/* GPT-2 writes bytes that are printable in Latin-1 as themselves, the others from U+0100 on. */
static bool byte_is_own_letter(unsigned byte) {
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

int byte_letter_decode(uint32_t code) {
    if (code < 0x100) return byte_is_own_letter(code) ? (int)code : -1;
    code -= 0x100; /* place among the bytes that are not their own letters: 0-20, 7f-a0, ad */
    if (code <= 0x20) return (int)code;
    if (code <= 0x42) return (int)(code - 0x21 + 0x7f);
    return code == 0x43 ? 0xad : -1;
}

bool byte_letters_decode(const char *text, size_t size, char *dst, size_t *dst_size) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t n = 0;
    for (size_t i = 0; i < size;) {
        uint32_t code = 0;
        size_t used = base_utf8_decode(bytes + i, size - i, &code);
        int byte = used ? byte_letter_decode(code) : -1;
        if (byte < 0) return false;
        if (dst) dst[n] = (char)byte;
        n++;
        i += used;
    }
    *dst_size = n;
    return true;
}

/* The inside of RWKV's quotes: \t \n \r \xHH, any other escaped character is itself. */
static size_t rwkv_unescape(text_view text, char *dst) {
    size_t n = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '\\' && i + 1 < text.size) {
            c = text.data[++i];
            if (c == 't') c = '\t';
            if (c == 'n') c = '\n';
            if (c == 'r') c = '\r';
            if (c == 'x' && i + 2 < text.size) {
                char digits[6] = {'<', '0', 'x', text.data[i + 1], text.data[i + 2], '>'};
                int value = byte_token_value((text_view){digits, sizeof digits});
                if (value >= 0) {
                    c = (char)value;
                    i += 2;
                }
            }
        }
        dst[n++] = c;
    }
    return n;
}

static size_t unescape_spaces(text_view text, char *dst) {
    size_t n = 0;
    for (size_t i = 0; i < text.size;) {
        bool space = text.size - i >= ESCAPED_SPACE_BYTES &&
                     memcmp(text.data + i, ESCAPED_SPACE, ESCAPED_SPACE_BYTES) == 0;
        dst[n++] = space ? ' ' : text.data[i];
        i += space ? ESCAPED_SPACE_BYTES : 1;
    }
    return n;
}

bool tokenizer_is_kmer(const text_tokenizer *tok, text_view text) {
    size_t n = strlen(KMER_MARK);
    return tok->dna_kmers && text.size > n && memcmp(text.data + text.size - n, KMER_MARK, n) == 0;
}

/* dst has room for text.size bytes; all rules only shorten. */
static size_t piece_decode(const text_tokenizer *tok, text_view text, char *dst) {
    size_t n = 0;
    if (tok->kind == TEXT_KIND_RWKV) return rwkv_unescape(text, dst);
    if (tok->byte_letters && byte_letters_decode(text.data, text.size, dst, &n)) return n;
    if (tok->kind != TEXT_KIND_PLAMO2 && tok->escape_whitespaces) return unescape_spaces(text, dst);
    if (tokenizer_is_kmer(tok, text)) text.size -= strlen(KMER_MARK);
    if (text.size) memcpy(dst, text.data, text.size);
    return text.size;
}

ondol_status tokenizer_pieces_fill(text_tokenizer *tok, ondol_error *err) {
    size_t total = tok->texts.offsets[tok->n_tokens];
    tok->pieces.bytes = base_alloc(tok->allocator, total + 1, 1);
    tok->pieces.offsets = base_alloc(tok->allocator, tok->n_tokens + 1, sizeof(size_t));
    if (!tok->pieces.bytes || !tok->pieces.offsets) {
        return base_no_memory(err, "the vocabulary", total);
    }
    size_t at = 0;
    for (size_t i = 0; i < tok->n_tokens; i++) {
        tok->pieces.offsets[i] = at;
        text_view text = pool_at(&tok->texts, i);
        int byte = tok->flags[i] & TOKEN_BYTE ? byte_token_value(text) : -1;
        if (byte >= 0) {
            tok->pieces.bytes[at++] = (char)byte;
        } else {
            at += piece_decode(tok, text, tok->pieces.bytes + at);
        }
    }
    tok->pieces.offsets[tok->n_tokens] = at;
    return ONDOL_OK;
}
