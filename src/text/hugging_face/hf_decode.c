/* Decoders. In: ids. Out: their text. Each decoder turns a list of texts, at first one for each
 * token, into another list; in the end they are joined. */
#include <string.h>

#include "base/utf8.h"
#include "text/hugging_face/hf_pipeline.h"

#define REPLACEMENT        "\xef\xbf\xbd"
#define GROWTH_MAX         64u /* times that a text may get longer by decoders */
#define GROWTH_SLACK_BYTES 65536u

typedef struct text_list {
    base_buffer bytes;
    size_t *ends;
    size_t count, capacity;
} text_list;

typedef struct decoding {
    const text_tokenizer *tok;
    text_list from, to;
    base_buffer scratch, more;
    hf_spans spans;
    hf_regex_work regex;
    bool first, last; /* nothing comes before, behind */
    bool fused;       /* the list is one text */
    bool no_memory;
    ondol_error *err;
} decoding;

/* Ends the text being written. */
static void list_end(decoding *d, text_list *list) {
    if (list->count == list->capacity) {
        const size_t wanted = list->capacity ? list->capacity * 2 : 64;
        size_t *grown = base_alloc(d->tok->allocator, wanted, sizeof *grown);
        if (!grown) {
            d->no_memory = true;
            return;
        }
        if (list->count) memcpy(grown, list->ends, list->count * sizeof *grown);
        base_free(d->tok->allocator, list->ends);
        list->ends = grown;
        list->capacity = wanted;
    }
    list->ends[list->count++] = list->bytes.size;
}

static text_view list_at(const text_list *list, size_t i) {
    const size_t from = i > 0 ? list->ends[i - 1] : 0;
    return (text_view){list->bytes.data ? list->bytes.data + from : "", list->ends[i] - from};
}

static void list_add(decoding *d, text_view text) {
    base_buffer_append(&d->to.bytes, text.data, text.size);
    list_end(d, &d->to);
}

static void list_turn(decoding *d) {
    const text_list was = d->from;
    d->from = d->to;
    d->to = was;
    d->to.count = d->to.bytes.size = 0;
}

/* Appends text with each `what` replaced. */
static void put_replaced(base_buffer *out, text_view text, text_view what, const char *with) {
    for (size_t at = 0; at < text.size;) {
        if (what.size > 0 && text.size - at >= what.size &&
            memcmp(text.data + at, what.data, what.size) == 0) {
            base_buffer_append_text(out, with);
            at += what.size;
        } else {
            base_buffer_append(out, text.data + at++, 1);
        }
    }
}

static text_view view_of(const char *text) {
    return (text_view){text, strlen(text)};
}

/* The spaces before English punctuation go, one rule after another. The result is a view into
 * d->scratch. */
static text_view clean_up(decoding *d, text_view text) {
    static const char *const rules[][2] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
    };
    base_buffer *a = &d->scratch, *b = &d->more;
    a->size = 0;
    base_buffer_append(a, text.data, text.size);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        b->size = 0;
        put_replaced(b, (text_view){a->data, a->size}, view_of(rules[i][0]), rules[i][1]);
        base_buffer *was = a;
        a = b;
        b = was;
    }
    return (text_view){a->data ? a->data : "", a->size};
}

/* ---- decoders: from d->from to d->to ---- */

static void decode_bpe(decoding *d, const hf_decoder *step) {
    for (size_t i = 0; i < d->from.count; i++) {
        const bool last = d->last && i + 1 == d->from.count;
        put_replaced(&d->to.bytes, list_at(&d->from, i), step->text, last ? "" : " ");
        list_end(d, &d->to);
    }
}

static void decode_byte_level(decoding *d, bool keep_bytes) {
    base_buffer *bytes = &d->scratch;
    bytes->size = 0;
    for (size_t i = 0; i < d->from.count; i++) {
        const text_view text = list_at(&d->from, i);
        size_t n = 0;
        if (!base_buffer_reserve(bytes, text.size)) return;
        if (byte_letters_decode(text.data, text.size, bytes->data + bytes->size, &n)) {
            bytes->size += n;
        } else {
            base_buffer_append(bytes, text.data, text.size);
        }
    }
    for (size_t at = 0; at < bytes->size && !keep_bytes;) {
        uint32_t code = 0;
        const unsigned char *p = (const unsigned char *)bytes->data + at;
        size_t used = base_utf8_decode(p, bytes->size - at, &code);
        if (used > 0) {
            base_buffer_append(&d->to.bytes, p, used);
        } else { /* as much as could have begun a character becomes one sign */
            for (used = 1; used < bytes->size - at && used < 3; used++) {
                if (base_utf8_incomplete_tail(p, used + 1) != used + 1) break;
            }
            base_buffer_append_text(&d->to.bytes, REPLACEMENT);
        }
        at += used;
    }
    if (keep_bytes) base_buffer_append(&d->to.bytes, bytes->data, bytes->size);
    list_end(d, &d->to);
    d->fused = true;
}

static void decode_wordpiece(decoding *d, const hf_decoder *step) {
    for (size_t i = 0; i < d->from.count; i++) {
        const text_view text = list_at(&d->from, i);
        const text_view prefix = step->text;
        const size_t start = d->to.bytes.size;
        if (d->first && i == 0) {
            base_buffer_append(&d->to.bytes, text.data, text.size);
        } else if (text.size >= prefix.size && memcmp(text.data, prefix.data, prefix.size) == 0) {
            base_buffer_append(&d->to.bytes, text.data + prefix.size, text.size - prefix.size);
        } else {
            base_buffer_append_text(&d->to.bytes, " ");
            base_buffer_append(&d->to.bytes, text.data, text.size);
        }
        if (step->cleanup && d->to.bytes.data) {
            const text_view clean =
                clean_up(d, (text_view){d->to.bytes.data + start, d->to.bytes.size - start});
            d->to.bytes.size = start;
            base_buffer_append(&d->to.bytes, clean.data, clean.size);
        }
        list_end(d, &d->to);
    }
}

static void decode_metaspace(decoding *d, const hf_decoder *step) {
    unsigned char sign[4];
    const size_t n = base_utf8_encode(step->character, sign);
    const text_view what = {(const char *)sign, n};
    for (size_t i = 0; i < d->from.count; i++) {
        const bool dropped = d->first && i == 0 && !step->keeps_first;
        put_replaced(&d->to.bytes, list_at(&d->from, i), what, dropped ? "" : " ");
        list_end(d, &d->to);
    }
}

static bool same_text(text_view a, text_view b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void decode_ctc(decoding *d, const hf_decoder *step) {
    for (size_t i = 0; i < d->from.count; i++) {
        const text_view text = list_at(&d->from, i);
        if (i > 0 && same_text(text, list_at(&d->from, i - 1))) continue;
        const size_t start = d->to.bytes.size;
        put_replaced(&d->to.bytes, text, step->text, "");
        if (step->cleanup && d->to.bytes.data) {
            const text_view clean =
                clean_up(d, (text_view){d->to.bytes.data + start, d->to.bytes.size - start});
            d->to.bytes.size = start;
            put_replaced(&d->to.bytes, clean, step->other, " ");
        }
        if (d->to.bytes.size > start) list_end(d, &d->to);
    }
}

static ondol_status decode_replace(decoding *d, const hf_decoder *step) {
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < d->from.count; i++) {
        const text_view text = list_at(&d->from, i);
        if (!base_utf8_valid((const unsigned char *)text.data, text.size)) {
            list_add(d, text); /* bytes that become a character only with what follows */
            continue;
        }
        TRY(hf_regex_find(&d->regex, step->pattern, text.data, text.size, &d->spans, d->err));
        for (size_t k = 0; k < d->spans.count && text.size > 0; k++) {
            const hf_span *s = &d->spans.at[k];
            if (s->match) base_buffer_append(&d->to.bytes, step->text.data, step->text.size);
            if (!s->match)
                base_buffer_append(&d->to.bytes, text.data + s->start, s->end - s->start);
        }
        list_end(d, &d->to);
    }
done:
    return status;
}

static void decode_fuse(decoding *d) {
    base_buffer_append(&d->to.bytes, d->from.bytes.data, d->from.bytes.size);
    list_end(d, &d->to);
    d->fused = true;
}

/* A text less at most `start` and `stop` times the character at its ends. Of one text for all, only
 * an end at which nothing comes is one. */
static text_view stripped(const decoding *d, const hf_decoder *step, text_view text) {
    unsigned char sign[4];
    const size_t n = base_utf8_encode(step->character, sign);
    size_t start = d->fused && !d->first ? 0 : step->start;
    size_t stop = d->fused && !d->last ? 0 : step->stop;
    const text_view whole = text;
    size_t left = 0, right = 0;
    for (; start > 0 && whole.size - left >= n && memcmp(whole.data + left, sign, n) == 0; start--)
        left += n;
    for (; stop > 0 && whole.size - right >= n &&
           memcmp(whole.data + whole.size - right - n, sign, n) == 0;
         stop--)
        right += n;
    if (left + right >= whole.size) return (text_view){whole.data, 0};
    return (text_view){whole.data + left, whole.size - left - right};
}

static void decode_strip(decoding *d, const hf_decoder *step) {
    for (size_t i = 0; i < d->from.count; i++)
        list_add(d, stripped(d, step, list_at(&d->from, i)));
}

/* Bytes in a row -> a text if they are UTF-8, else U+FFFD for each. keep_bytes: as they are. */
static void put_bytes(decoding *d, base_buffer *bytes, bool keep_bytes) {
    if (bytes->size == 0) return;
    if (keep_bytes || base_utf8_valid((const unsigned char *)bytes->data, bytes->size)) {
        list_add(d, (text_view){bytes->data, bytes->size});
    } else {
        for (size_t i = 0; i < bytes->size; i++)
            list_add(d, view_of(REPLACEMENT));
    }
    bytes->size = 0;
}

static void decode_byte_fallback(decoding *d) {
    base_buffer *bytes = &d->scratch;
    const bool keep_bytes = !d->last; /* of one token: what follows may complete the character */
    bytes->size = 0;
    for (size_t i = 0; i < d->from.count; i++) {
        const text_view text = list_at(&d->from, i);
        const int value = byte_token_value(text);
        if (value >= 0) {
            const char byte = (char)value;
            base_buffer_append(bytes, &byte, 1);
            continue;
        }
        put_bytes(d, bytes, keep_bytes);
        list_add(d, text);
    }
    put_bytes(d, bytes, keep_bytes);
}

static ondol_status decode_step(decoding *d, const hf_decoder *step) {
    switch (step->kind) {
    case HF_DECODE_BPE: decode_bpe(d, step); break;
    case HF_DECODE_BYTE_LEVEL: decode_byte_level(d, !step->next); break;
    case HF_DECODE_WORDPIECE: decode_wordpiece(d, step); break;
    case HF_DECODE_METASPACE: decode_metaspace(d, step); break;
    case HF_DECODE_CTC: decode_ctc(d, step); break;
    case HF_DECODE_REPLACE: return decode_replace(d, step);
    case HF_DECODE_FUSE: decode_fuse(d); break;
    case HF_DECODE_STRIP: decode_strip(d, step); break;
    case HF_DECODE_BYTE_FALLBACK: decode_byte_fallback(d); break;
    }
    return ONDOL_OK;
}

static ondol_status decode_faults(const decoding *d) {
    ondol_status status = ONDOL_OK;
    if (d->no_memory) return base_no_memory(d->err, "text of tokens", d->from.bytes.size);
    TRY(base_buffer_status(&d->to.bytes, "text of tokens", d->err));
    TRY(base_buffer_status(&d->from.bytes, "text of tokens", d->err));
    TRY(base_buffer_status(&d->scratch, "text of tokens", d->err));
    TRY(base_buffer_status(&d->more, "text of tokens", d->err));
done:
    return status;
}

/* An added token that is looked for in normalised text is shown normalised, too. */
static text_view shown_text(const text_tokenizer *tok, int32_t id) {
    const text_view text = pool_at(&tok->texts, (size_t)id);
    uint32_t place = 0;
    if (!(tok->flags[id] & TOKEN_SPECIAL)) return text;
    if (!base_map_get(&tok->hf->added_ids, text.data, text.size, &place)) return text;
    return tok->hf->added[place].normalized ? tok->hf->added[place].pattern : text;
}

/* No file makes a text grow without end. */
static void bound_growth(decoding *d) {
    const size_t most = d->from.bytes.size * GROWTH_MAX + GROWTH_SLACK_BYTES;
    d->from.bytes.max_bytes = d->to.bytes.max_bytes = most;
    d->scratch.max_bytes = d->more.max_bytes = most;
}

static ondol_status decode_all(decoding *d, const int32_t *ids, size_t count, unsigned flags,
                               base_buffer *out) {
    const text_tokenizer *tok = d->tok;
    const hf_pipeline *hf = tok->hf;
    ondol_status status = ONDOL_OK;
    d->fused = false;
    d->to.count = d->to.bytes.size = 0;
    d->to.bytes.max_bytes = SIZE_MAX / 4;
    for (size_t i = 0; i < count; i++) {
        const bool hidden = tok->flags[ids[i]] & TOKEN_HIDDEN && !(flags & TEXT_SHOW_CONTROL);
        if (hidden || tok->flags[ids[i]] & TOKEN_UNUSED) continue;
        list_add(d, shown_text(tok, ids[i]));
    }
    list_turn(d);
    bound_growth(d);
    TRY(decode_faults(d));
    for (const hf_decoder *step = hf->decoders; step; step = step->next) {
        TRY(decode_step(d, step));
        list_turn(d);
        TRY(decode_faults(d));
    }
    for (size_t i = 0; i < d->from.count; i++) {
        const text_view text = list_at(&d->from, i);
        if (hf->joins_by_space && (i > 0 || !d->first)) base_buffer_append(out, " ", 1);
        base_buffer_append(out, text.data, text.size);
    }
    status = base_buffer_status(out, "text of tokens", d->err);
done:
    return status;
}

static void decoding_init(decoding *d, const text_tokenizer *tok, bool first, bool last,
                          ondol_error *err) {
    const ondol_allocator *a = tok->allocator;
    const size_t most = SIZE_MAX / 4;
    *d = (decoding){.tok = tok, .first = first, .last = last, .err = err};
    d->spans.allocator = d->regex.allocator = a;
    base_buffer_init(&d->from.bytes, a, most);
    base_buffer_init(&d->to.bytes, a, most);
    base_buffer_init(&d->scratch, a, most);
    base_buffer_init(&d->more, a, most);
}

static void decoding_destroy(decoding *d) {
    const ondol_allocator *a = d->tok->allocator;
    base_buffer_destroy(&d->from.bytes);
    base_buffer_destroy(&d->to.bytes);
    base_buffer_destroy(&d->scratch);
    base_buffer_destroy(&d->more);
    base_free(a, d->from.ends);
    base_free(a, d->to.ends);
    hf_spans_destroy(&d->spans);
    hf_regex_work_destroy(&d->regex);
}

ondol_status hf_decode(const text_tokenizer *tok, const int32_t *ids, size_t count, unsigned flags,
                       bool first, bool last, base_buffer *out, ondol_error *err) {
    decoding d;
    decoding_init(&d, tok, first, last, err);
    const ondol_status status = decode_all(&d, ids, count, flags, out);
    decoding_destroy(&d);
    return status;
}

/* ---- pieces of tokens by themselves ---- */

ondol_status hf_pieces_fill(text_tokenizer *tok, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    base_buffer bytes;
    decoding d;
    base_buffer_init(&bytes, tok->allocator,
                     tok->texts.offsets[tok->n_tokens] * GROWTH_MAX + 16 * GROWTH_SLACK_BYTES);
    decoding_init(&d, tok, false, false, err);
    tok->pieces.offsets = base_alloc(tok->allocator, tok->n_tokens + 1, sizeof(size_t));
    if (!tok->pieces.offsets || !base_buffer_reserve(&bytes, 1)) {
        status = base_no_memory(err, "the vocabulary", tok->n_tokens * sizeof(size_t));
        goto done;
    }
    for (size_t i = 0; i < tok->n_tokens; i++) {
        const int32_t id = (int32_t)i;
        tok->pieces.offsets[i] = bytes.size;
        TRY(decode_all(&d, &id, 1, TEXT_SHOW_CONTROL, &bytes));
    }
    tok->pieces.offsets[tok->n_tokens] = bytes.size;
    tok->pieces.bytes = bytes.data;
    bytes.data = NULL;
done:
    base_buffer_destroy(&bytes);
    decoding_destroy(&d);
    return status;
}
