/* Added tokens. In: a text. Out: pieces of it that are such tokens, and the others normalised:
 * first those looked for in the text as it is, then those looked for in the normalised text. */
#include <string.h>

#include "base/utf8.h"
#include "text/hugging_face/hf_pipeline.h"
#include "text/hugging_face/hf_unicode.h"
#include "text/tokenizer_unicode.h"

/* The start of the last character of text[0..end). */
static size_t character_before(const char *text, size_t end) {
    size_t start = end - 1;
    while (start > 0 && end - start < 4 && ((unsigned char)text[start] & 0xc0) == 0x80)
        start--;
    return start;
}

static uint32_t code_at(const char *text, size_t from, size_t end) {
    uint32_t code = 0xfffd;
    base_utf8_decode((const unsigned char *)text + from, end - from, &code);
    return code;
}

/* No character of a word stands right before or behind. */
static bool stands_alone(const char *text, size_t n, size_t start, size_t end) {
    if (start > 0 && hf_is_word(code_at(text, character_before(text, start), start))) return false;
    return end == n || !hf_is_word(code_at(text, end, n));
}

static size_t spaces_before(const char *text, size_t end) {
    while (end > 0) {
        const size_t start = character_before(text, end);
        if (!unicode_is_space(code_at(text, start, end))) break;
        end = start;
    }
    return end;
}

static size_t spaces_behind(const char *text, size_t n, size_t at) {
    uint32_t code = 0;
    while (at < n) {
        const size_t used = base_utf8_decode((const unsigned char *)text + at, n - at, &code);
        if (used == 0 || !unicode_is_space(code)) break;
        at += used;
    }
    return at;
}

/* The longest token that starts at text[at]: its place, or -1. */
static int32_t longest_at(const tokenizer_trie *trie, const char *text, size_t n, size_t at,
                          size_t *end) {
    uint32_t node = TRIE_ROOT;
    int32_t found = -1;
    for (size_t i = at; i < n; i++) {
        node = trie_step(trie, node, (unsigned char)text[i]);
        if (node == TRIE_NO_NODE) break;
        if (trie_value(trie, node) < 0) continue;
        found = trie_value(trie, node);
        *end = i + 1;
    }
    return found;
}

static bool add_text(hf_work *work, size_t base, size_t from, size_t end, size_t at_start) {
    size_t same = at_start > from ? at_start - from : 0;
    if (same > end - from) same = end - from;
    return hf_piece_add(work, (hf_piece){base + from, end - from, same, HF_NO_ID});
}

/* Pieces of text[0..n), which lies at `base` of the text of pieces. */
static bool find_tokens(hf_work *work, const tokenizer_trie *trie, size_t base, const char *text,
                        size_t n, size_t at_start) {
    size_t done = 0;
    for (size_t i = 0; i < n && trie->n_nodes > 0;) {
        size_t end = 0;
        if (trie->first[(unsigned char)text[i]] == TRIE_NO_NODE) {
            i++;
            continue;
        }
        const int32_t place = longest_at(trie, text, n, i, &end);
        if (place < 0) {
            i++;
            continue;
        }
        const hf_added *token = &work->hf->added[place];
        size_t start = i;
        i = end;
        if (work->hide && work->tok->flags[token->id] & TOKEN_HIDDEN) continue;
        if (token->single_word && !stands_alone(text, n, start, end)) continue;
        if (token->left) {
            const size_t spaces = spaces_before(text, start);
            start = spaces > done ? spaces : done;
        }
        if (token->right) end = spaces_behind(text, n, end);
        if (done < start && !add_text(work, base, done, start, at_start)) return false;
        if (!hf_piece_add(work, (hf_piece){base + start, 0, 0, place})) return false;
        done = end;
    }
    return done >= n || add_text(work, base, done, n, at_start);
}

static void turn(hf_work *work) {
    const hf_pieces was = work->pieces;
    work->pieces = work->next;
    work->next = was;
    work->next.count = 0;
}

/* A piece through the normalizers, appended to work->other, and cut there. */
static ondol_status normalize_piece(hf_work *work, const hf_piece *piece) {
    const hf_pipeline *hf = work->hf;
    const size_t base = work->other.size;
    size_t at_start = piece->at_start;
    work->one.size = 0;
    base_buffer_append(&work->one, work->text.data + piece->start, piece->size);
    ondol_status status = hf_normalize(work, hf->normalizers, &at_start);
    if (status != ONDOL_OK) return status;
    const size_t n = work->one.size;
    if (!base_buffer_append(&work->other, work->one.data, n))
        return base_buffer_status(&work->other, "a normalised text", work->err);
    if (find_tokens(work, &hf->normal_tokens, base, work->other.data + base, n, at_start))
        return ONDOL_OK;
    return base_no_memory(work->err, "pieces of a text", n);
}

ondol_status hf_added_find(hf_work *work, const char *text, size_t n) {
    const hf_pipeline *hf = work->hf;
    uint32_t code = 0;
    ondol_status status = ONDOL_OK;
    const size_t first = n > 0 ? base_utf8_decode((const unsigned char *)text, n, &code) : 0;
    work->pieces.count = work->next.count = 0;
    work->text.size = 0;
    if (!base_buffer_append(&work->text, text, n))
        return base_buffer_status(&work->text, "a text", work->err);
    if (!find_tokens(work, &hf->raw_tokens, 0, text, n, first))
        return base_no_memory(work->err, "pieces of a text", n);
    turn(work);
    if (!hf->normalizers && hf->normal_tokens.n_nodes == 0) return ONDOL_OK;
    work->other.size = 0;
    for (size_t i = 0; i < work->pieces.count; i++) {
        const hf_piece *piece = &work->pieces.at[i];
        if (piece->token < 0) {
            TRY(normalize_piece(work, piece));
        } else if (!hf_piece_add(work, *piece)) {
            return base_no_memory(work->err, "pieces of a text", n);
        }
    }
    turn(work);
    const base_buffer was = work->text;
    work->text = work->other;
    work->other = was;
done:
    return status;
}
