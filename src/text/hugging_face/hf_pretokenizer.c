/* Pre-tokenizers. In: pieces of normalised text. Out: the pieces within which the model works, in
 * its letters. */
#include <string.h>

#include "base/utf8.h"
#include "text/hugging_face/hf_pipeline.h"
#include "text/hugging_face/hf_unicode.h"
#include "text/tokenizer_unicode.h"

static const char *piece_text(const hf_work *work, const hf_piece *piece) {
    return work->text.data + piece->start;
}

static uint32_t code_at(const char *text, size_t n, size_t *used) {
    uint32_t code = 0xfffd;
    *used = base_utf8_decode((const unsigned char *)text, n, &code);
    if (*used == 0) *used = 1;
    return code;
}

/* ---- matches by character ---- */

typedef bool (*is_code)(uint32_t code);

/* work->spans = each character that is one, and what lies between. */
static bool spans_of_codes(hf_work *work, const char *text, size_t n, is_code is) {
    size_t done = 0;
    work->spans.count = 0;
    for (size_t at = 0; at < n;) {
        size_t used = 0;
        if (is(code_at(text + at, n - at, &used))) {
            if (at > done && !hf_spans_add(&work->spans, done, at, false)) return false;
            if (!hf_spans_add(&work->spans, at, at + used, true)) return false;
            done = at + used;
        }
        at += used;
    }
    return done == n || hf_spans_add(&work->spans, done, n, false);
}

/* The same for one character. */
static bool spans_of_text(hf_work *work, const char *text, size_t n, const unsigned char *sign,
                          size_t sign_bytes) {
    size_t done = 0;
    work->spans.count = 0;
    for (size_t at = 0; at + sign_bytes <= n;) {
        if (memcmp(text + at, sign, sign_bytes) != 0) {
            at++;
            continue;
        }
        if (at > done && !hf_spans_add(&work->spans, done, at, false)) return false;
        at += sign_bytes;
        if (!hf_spans_add(&work->spans, at - sign_bytes, at, true)) return false;
        done = at;
    }
    return done == n || hf_spans_add(&work->spans, done, n, false);
}

/* Runs of word characters and runs of others; white space between is a match. */
static bool spans_of_words(hf_work *work, const char *text, size_t n) {
    size_t start = 0;
    int before = -1;
    work->spans.count = 0;
    for (size_t at = 0; at <= n;) {
        size_t used = 1;
        const uint32_t code = at < n ? code_at(text + at, n - at, &used) : 0;
        const int kind = at == n ? -1 : hf_is_word(code) ? 1 : unicode_is_space(code) ? 0 : 2;
        if (kind != before && at > start) {
            if (!hf_spans_add(&work->spans, start, at, before == 0)) return false;
            start = at;
        }
        before = kind;
        at += used;
    }
    return true;
}

/* A match where a script begins; what stands before the first one is dropped. */
static bool pieces_of_scripts(hf_work *work, const hf_piece *piece) {
    const char *text = piece_text(work, piece);
    uint32_t last = 0;
    size_t start = piece->size;
    work->spans.count = 0;
    for (size_t at = 0; at < piece->size;) {
        size_t used = 0;
        const uint32_t script = hf_script(code_at(text + at, piece->size - at, &used));
        if (script != 0 && script != last) {
            if (at > start && !hf_spans_add(&work->spans, start, at, false)) return false;
            start = at;
            last = script;
        }
        at += used;
    }
    if (start < piece->size && !hf_spans_add(&work->spans, start, piece->size, false)) return false;
    return hf_split(work, piece, HF_ISOLATED);
}

static bool pieces_of_length(hf_work *work, const hf_piece *piece, size_t length) {
    const char *text = piece_text(work, piece);
    size_t start = 0, chars = 0;
    work->spans.count = 0;
    for (size_t at = 0; at < piece->size;) {
        size_t used = 0;
        code_at(text + at, piece->size - at, &used);
        at += used;
        if (++chars < length && at < piece->size) continue;
        if (!hf_spans_add(&work->spans, start, at, false)) return false;
        start = at;
        chars = 0;
    }
    return hf_split(work, piece, HF_ISOLATED);
}

/* ---- steps that rewrite the text, into work->other ---- */

void hf_put_letters(base_buffer *out, const char *text, size_t n) {
    unsigned char utf8[4];
    for (size_t i = 0; i < n && !out->fault; i++) {
        const unsigned byte = (unsigned char)text[i];
        const bool own = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
        uint32_t code = byte;
        if (!own) /* from U+0100 on, in order: 0 to 20, 7f to a0, ad */
            code = 0x100 + (byte <= 0x20 ? byte : byte == 0xad ? 0x43 : byte - 0x7f + 0x21);
        base_buffer_append(out, utf8, base_utf8_encode(code, utf8));
    }
}

static bool write_letters(hf_work *work, const char *text, size_t n, size_t at_start) {
    base_buffer *out = &work->other;
    hf_piece piece = {out->size, 0, 0, HF_NO_ID};
    hf_put_letters(out, text, at_start);
    piece.at_start = out->size - piece.start;
    hf_put_letters(out, text + at_start, n - at_start);
    piece.size = out->size - piece.start;
    return hf_piece_add(work, piece);
}

static ondol_status step_byte_level(hf_work *work, const hf_pretokenizer *step,
                                    const hf_piece *piece) {
    const char *text = piece_text(work, piece);
    size_t n = piece->size, at_start = piece->at_start;
    if (step->prefix_space && text[0] != ' ') {
        work->one.size = 0;
        base_buffer_append(&work->one, " ", 1);
        if (!base_buffer_append(&work->one, text, n))
            return base_buffer_status(&work->one, "a text behind a space", work->err);
        text = work->one.data;
        n++;
        if (at_start > 0) at_start++;
    }
    work->spans.count = 0;
    ondol_status status = ONDOL_OK;
    bool kept = true;
    if (step->pattern) {
        TRY(hf_regex_find(&work->regex, step->pattern, text, n, &work->spans, work->err));
    } else {
        kept = hf_spans_add(&work->spans, 0, n, false);
    }
    for (size_t i = 0; i < work->spans.count && kept; i++) {
        const hf_span *s = &work->spans.at[i];
        size_t same = at_start > s->start ? at_start - s->start : 0;
        if (same > s->end - s->start) same = s->end - s->start;
        kept = write_letters(work, text + s->start, s->end - s->start, same);
    }
    if (!kept) status = base_no_memory(work->err, "pieces of a text", n);
done:
    return status;
}

static ondol_status step_metaspace(hf_work *work, const hf_pretokenizer *step,
                                   const hf_piece *piece) {
    const char *text = piece_text(work, piece);
    const char *sign = (const char *)step->character;
    const size_t sign_bytes = step->character_bytes;
    base_buffer *out = &work->other;
    hf_piece made = {out->size, 0, 0, HF_NO_ID};
    const bool has_sign =
        text[0] == ' ' || (piece->size >= sign_bytes && memcmp(text, sign, sign_bytes) == 0);
    const bool wanted = step->prepend == HF_PREPEND_ALWAYS ||
                        (step->prepend == HF_PREPEND_FIRST && piece->at_start > 0);
    if (wanted && !has_sign) {
        base_buffer_append(out, sign, sign_bytes);
        if (piece->at_start > 0) made.at_start = out->size - made.start;
    }
    for (size_t i = 0; i < piece->size && !out->fault; i++) {
        if (text[i] == ' ') {
            base_buffer_append(out, sign, sign_bytes);
        } else {
            base_buffer_append(out, text + i, 1);
        }
        if (i < piece->at_start) made.at_start = out->size - made.start;
    }
    made.size = out->size - made.start;
    if (out->fault) return base_buffer_status(out, "a text with its spaces replaced", work->err);
    bool kept = true;
    if (step->split) {
        kept =
            spans_of_text(work, out->data + made.start, made.size, step->character, sign_bytes) &&
            hf_split(work, &made, HF_MERGED_WITH_NEXT);
    } else {
        kept = hf_piece_add(work, made);
    }
    return kept ? ONDOL_OK : base_no_memory(work->err, "pieces of a text", made.size);
}

/* ---- all ---- */

static bool rewrites(const hf_pretokenizer *step) {
    return step->kind == HF_PRE_BYTE_LEVEL || step->kind == HF_PRE_METASPACE;
}

static ondol_status step_split(hf_work *work, const hf_pretokenizer *step, const hf_piece *piece) {
    ondol_status status = ONDOL_OK;
    TRY(hf_regex_find(&work->regex, step->pattern, piece_text(work, piece), piece->size,
                      &work->spans, work->err));
    for (size_t i = 0; i < work->spans.count && step->invert; i++)
        work->spans.at[i].match = !work->spans.at[i].match;
    if (!hf_split(work, piece, step->behavior))
        status = base_no_memory(work->err, "pieces of a text", piece->size);
done:
    return status;
}

static ondol_status run_step(hf_work *work, const hf_pretokenizer *step, const hf_piece *piece) {
    const char *text = piece_text(work, piece);
    const size_t n = piece->size;
    hf_behavior behavior = HF_REMOVED;
    bool kept = false;
    switch (step->kind) {
    case HF_PRE_BYTE_LEVEL: return step_byte_level(work, step, piece);
    case HF_PRE_METASPACE: return step_metaspace(work, step, piece);
    case HF_PRE_SPLIT: return step_split(work, step, piece);
    case HF_PRE_SCRIPTS:
        kept = pieces_of_scripts(work, piece);
        return kept ? ONDOL_OK : base_no_memory(work->err, "pieces of a text", n);
    case HF_PRE_FIXED_LENGTH:
        kept = pieces_of_length(work, piece, step->length);
        return kept ? ONDOL_OK : base_no_memory(work->err, "pieces of a text", n);
    case HF_PRE_DELIMITER:
        kept = spans_of_text(work, text, n, step->character, step->character_bytes);
        break;
    case HF_PRE_WHITESPACE: kept = spans_of_words(work, text, n); break;
    case HF_PRE_WHITESPACE_SPLIT: kept = spans_of_codes(work, text, n, unicode_is_space); break;
    case HF_PRE_PUNCTUATION:
        kept = spans_of_codes(work, text, n, hf_is_punctuation);
        behavior = step->behavior;
        break;
    case HF_PRE_DIGITS:
        kept = spans_of_codes(work, text, n, hf_is_numeric);
        behavior = step->behavior;
        break;
    }
    kept = kept && hf_split(work, piece, behavior);
    return kept ? ONDOL_OK : base_no_memory(work->err, "pieces of a text", n);
}

ondol_status hf_pretokenize(hf_work *work) {
    ondol_status status = ONDOL_OK;
    for (const hf_pretokenizer *step = work->hf->pretokenizers; step; step = step->next) {
        work->next.count = 0;
        work->other.size = 0;
        for (size_t i = 0; i < work->pieces.count; i++) {
            const hf_piece *piece = &work->pieces.at[i];
            if (piece->token < 0) {
                TRY(run_step(work, step, piece));
            } else if (!hf_piece_add(work, *piece)) {
                return base_no_memory(work->err, "pieces of a text", work->text.size);
            }
        }
        TRY(base_buffer_status(&work->other, "the pieces of a text", work->err));
        const hf_pieces was = work->pieces;
        work->pieces = work->next;
        work->next = was;
        if (rewrites(step)) {
            const base_buffer text = work->text;
            work->text = work->other;
            work->other = text;
        }
    }
done:
    return status;
}
