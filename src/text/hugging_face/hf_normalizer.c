/* Normalizers. In: a piece of text. Out: the text that models see, and how much of it stems from
 * the first character of the whole text (which Metaspace's "first" asks for). */
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "text/hugging_face/hf_pipeline.h"
#include "text/hugging_face/hf_unicode.h"
#include "text/tokenizer_unicode.h"

#define DECOMPOSED_MAX 32

/* One step: from -> out; start: bytes of `from` that stem from the first character. */
typedef struct rewriting {
    hf_work *work;
    const char *from;
    size_t n, start;
    base_buffer *out;
    size_t out_start;
} rewriting;

/* Appends bytes that stem from place `at` of the text before. */
static void put(rewriting *r, const char *bytes, size_t n, size_t at) {
    base_buffer_append(r->out, bytes, n);
    if (at < r->start) r->out_start = r->out->size;
}

static void put_code(rewriting *r, uint32_t code, size_t at) {
    unsigned char utf8[4];
    put(r, (const char *)utf8, base_utf8_encode(code, utf8), at);
}

/* The character at *at, which moves on. Texts are valid UTF-8. */
static uint32_t next_code(const rewriting *r, size_t *at) {
    uint32_t code = 0xfffd;
    const size_t used = base_utf8_decode((const unsigned char *)r->from + *at, r->n - *at, &code);
    *at += used ? used : 1;
    return code;
}

static ondol_status step_strip(rewriting *r, bool left, bool right) {
    size_t from = 0, end = r->n;
    for (size_t at = 0; left && at < r->n; from = at) {
        if (!unicode_is_space(next_code(r, &at))) break;
    }
    if (right) {
        end = from;
        for (size_t at = from; at < r->n;) {
            if (!unicode_is_space(next_code(r, &at))) end = at;
        }
    }
    put(r, r->from + from, end - from, from);
    if (from < r->start && r->start < end) r->out_start = r->start - from;
    return ONDOL_OK;
}

/* Characters one by one: kept, dropped, or replaced by one other. */
typedef bool (*map_code)(uint32_t *code);

static ondol_status step_map(rewriting *r, map_code map) {
    for (size_t at = 0; at < r->n && !r->out->fault;) {
        const size_t was = at;
        uint32_t code = next_code(r, &at);
        if (map(&code)) put_code(r, code, was);
    }
    return ONDOL_OK;
}

static bool map_accents(uint32_t *code) {
    return !(hf_character(*code) & HF_CHAR_MARK);
}

static bool map_nonspacing(uint32_t *code) {
    return !(hf_character(*code) & HF_CHAR_NONSPACING);
}

static bool map_nmt(uint32_t *code) {
    const uint32_t c = *code;
    if ((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f ||
        c == 0x9f) {
        return false;
    }
    if (c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) ||
        c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd) {
        *code = ' ';
    }
    return true;
}

static bool map_clean(uint32_t *code) {
    const uint32_t c = *code;
    const bool line = c == '\t' || c == '\n' || c == '\r';
    if (c == 0 || c == 0xfffd || (!line && hf_character(c) & HF_CHAR_OTHER)) return false;
    if (line || unicode_is_space(c)) *code = ' ';
    return true;
}

static ondol_status step_lowercase(rewriting *r) {
    for (size_t at = 0; at < r->n && !r->out->fault;) {
        const size_t was = at;
        const uint32_t code = next_code(r, &at);
        put_code(r, code == 0x130 ? 'i' : hf_lower(code), was);
        if (code == 0x130) put_code(r, 0x307, was); /* the one that becomes two */
    }
    return ONDOL_OK;
}

static ondol_status step_chinese(rewriting *r) {
    for (size_t at = 0; at < r->n && !r->out->fault;) {
        const size_t was = at;
        const uint32_t code = next_code(r, &at);
        const bool alone = hf_is_chinese(code);
        if (alone) put(r, " ", 1, was);
        put_code(r, code, was);
        if (alone) put(r, " ", 1, was);
    }
    return ONDOL_OK;
}

/* ---- normal forms ---- */

typedef struct placed_code {
    utf8proc_int32_t code;
    uint32_t class_at_start; /* combining class, and 256 when it stems from the first character */
} placed_code;

#define CLASS_OF(p) ((p).class_at_start & 0xffu)

/* Marks in a row by rising combining class, equals as they stand: by counting, as rows of a
 * hostile text may be long. spare has room for n. */
static void order_marks(placed_code *codes, size_t n, placed_code *spare) {
    size_t counts[257] = {0};
    bool ordered = true;
    for (size_t i = 0; i < n; i++) {
        counts[CLASS_OF(codes[i]) + 1]++;
        if (i > 0 && CLASS_OF(codes[i]) < CLASS_OF(codes[i - 1])) ordered = false;
    }
    if (ordered) return;
    for (size_t i = 1; i < 257; i++)
        counts[i] += counts[i - 1];
    for (size_t i = 0; i < n; i++)
        spare[counts[CLASS_OF(codes[i])]++] = codes[i];
    memcpy(codes, spare, n * sizeof *codes);
}

static void order_all(placed_code *codes, size_t n, placed_code *spare) {
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && CLASS_OF(codes[end]) != 0)
            end++;
        if (end - i > 1) order_marks(codes + i, end - i, spare);
        i = end + 1;
    }
}

static int combining_class(uint32_t code) {
    if (code < 0x300 || !(hf_character(code) & HF_CHAR_COMBINES)) return 0;
    return utf8proc_get_property((utf8proc_int32_t)code)->combining_class;
}

/* All characters of the text taken apart: their count, or SIZE_MAX when there is no memory. */
static size_t decompose(rewriting *r, bool compatible, placed_code **out) {
    const utf8proc_option_t options =
        (utf8proc_option_t)(UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0));
    const unsigned bit = compatible ? HF_CHAR_COMPATIBLE : HF_CHAR_DECOMPOSES;
    utf8proc_int32_t parts[DECOMPOSED_MAX];
    size_t count = 0, n_codes = 0;
    for (int pass = 0; pass < 2; pass++) {
        placed_code *codes = NULL;
        if (pass == 1) {
            codes = hf_scratch(r->work, n_codes + 1, 2 * sizeof *codes + sizeof parts[0]);
            if (!codes) return SIZE_MAX;
            *out = codes;
        }
        for (size_t at = 0; at < r->n;) {
            const size_t was = at;
            const uint32_t code = next_code(r, &at);
            int boundary = 0;
            utf8proc_ssize_t n = 0;
            if (hf_character(code) & bit)
                n = utf8proc_decompose_char((utf8proc_int32_t)code, parts, DECOMPOSED_MAX, options,
                                            &boundary);
            if (n < 1 || n > DECOMPOSED_MAX) {
                parts[0] = (utf8proc_int32_t)code;
                n = 1;
            }
            for (utf8proc_ssize_t i = 0; i < n && codes; i++) {
                const int class = combining_class((uint32_t)parts[i]);
                codes[count++] = (placed_code){parts[i], ((uint32_t) class & 0xffu) |
                                                             (was < r->start ? 256u : 0u)};
            }
            n_codes += codes ? 0 : (size_t)n;
        }
    }
    return count;
}

static bool is_ascii(const char *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] >= 0x80) return false;
    }
    return true;
}

/* How many characters the first n become when they are put together; spare has room for n. */
static size_t composed_count(const placed_code *codes, size_t n, placed_code *spare) {
    utf8proc_int32_t *plain = (utf8proc_int32_t *)(void *)spare;
    for (size_t i = 0; i < n; i++)
        plain[i] = codes[i].code;
    const utf8proc_ssize_t left = utf8proc_normalize_utf32(
        plain, (utf8proc_ssize_t)n, (utf8proc_option_t)(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
    return left < 0 ? n : (size_t)left;
}

static ondol_status step_normal_form(rewriting *r, bool compatible, bool composed) {
    if (is_ascii(r->from, r->n)) {
        put(r, r->from, r->n, r->n);
        r->out_start = r->start;
        return ONDOL_OK;
    }
    placed_code *codes = NULL;
    const size_t n = decompose(r, compatible, &codes);
    if (n == SIZE_MAX) return base_no_memory(r->work->err, "a normal form", r->n);
    placed_code *spare = codes + n;
    utf8proc_int32_t *plain = (utf8proc_int32_t *)(void *)(spare + n);
    order_all(codes, n, spare);
    size_t count = n, at_start = 0;
    for (size_t i = 0; i < n; i++) {
        plain[i] = codes[i].code;
        if (codes[i].class_at_start & 256u) at_start = i + 1;
    }
    if (composed) {
        const utf8proc_ssize_t left = utf8proc_normalize_utf32(
            plain, (utf8proc_ssize_t)n, (utf8proc_option_t)(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
        count = left < 0 ? n : (size_t)left;
        at_start = composed_count(codes, at_start, spare);
    }
    for (size_t i = 0; i < count && !r->out->fault; i++)
        put_code(r, (uint32_t)plain[i], i < at_start ? 0 : r->n);
    return ONDOL_OK;
}

/* ---- replacements ---- */

static ondol_status step_replace(rewriting *r, const hf_normalizer *step) {
    hf_work *w = r->work;
    const ondol_status status =
        hf_regex_find(&w->regex, step->pattern, r->from, r->n, &w->spans, w->err);
    if (status != ONDOL_OK) return status;
    for (size_t i = 0; i < w->spans.count && !r->out->fault; i++) {
        const hf_span *s = &w->spans.at[i];
        if (s->match) {
            put(r, step->content.data, step->content.size, s->end > 0 ? s->end - 1 : 0);
            continue;
        }
        const size_t size = r->out->size;
        put(r, r->from + s->start, s->end - s->start, s->start);
        if (s->start < r->start && r->start < s->end) r->out_start = size + (r->start - s->start);
    }
    return ONDOL_OK;
}

/* The characters of a text's part that the map rewrites as a whole. */
static bool precompiled_part(rewriting *r, const charsmap *map, size_t at, size_t end) {
    text_view to = {NULL, 0};
    if (charsmap_first(map, r->from + at, end - at, &to) == 0) return false;
    if (to.size > 0 && ((unsigned char)to.data[0] & 0xc0) == 0x80) return false;
    put(r, to.data, to.size, at);
    return true;
}

/* Grapheme clusters of less than six bytes as a whole, then characters one by one. */
static ondol_status step_precompiled(rewriting *r, const charsmap *map) {
    for (size_t at = 0; at < r->n && !r->out->fault;) {
        size_t end = at;
        utf8proc_int32_t state = 0;
        uint32_t before = next_code(r, &end);
        while (end < r->n) {
            size_t next = end;
            const uint32_t code = next_code(r, &next);
            if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)code,
                                                 &state)) {
                break;
            }
            before = code;
            end = next;
        }
        const bool whole = end - at < 6 && precompiled_part(r, map, at, end);
        while (!whole && at < end) {
            size_t next = at;
            next_code(r, &next);
            if (!precompiled_part(r, map, at, next)) put(r, r->from + at, next - at, at);
            at = next;
        }
        at = end;
    }
    return ONDOL_OK;
}

/* ---- all ---- */

typedef struct step_state {
    rewriting r;
    base_buffer *from, *to;
} step_state;

static void begin(step_state *s) {
    s->to->size = 0;
    s->r.from = s->from->data ? s->from->data : "";
    s->r.n = s->from->size;
    s->r.out = s->to;
    s->r.out_start = 0;
}

static void turn(step_state *s) {
    base_buffer *was = s->from;
    s->from = s->to;
    s->to = was;
    s->r.start = s->r.out_start < s->from->size ? s->r.out_start : s->from->size;
    begin(s);
}

static ondol_status run_bert(step_state *s, const hf_normalizer *step) {
    ondol_status status = ONDOL_OK;
    if (step->clean_text) {
        step_map(&s->r, map_clean);
        turn(s);
    }
    if (step->chinese) {
        step_chinese(&s->r);
        turn(s);
    }
    if (step->strip_accents) {
        TRY(step_normal_form(&s->r, false, false));
        turn(s);
        step_map(&s->r, map_nonspacing);
        turn(s);
    }
    if (step->lowercase) {
        step_lowercase(&s->r);
        turn(s);
    }
done:
    return status;
}

static ondol_status run_step(step_state *s, const hf_normalizer *step) {
    rewriting *r = &s->r;
    switch (step->kind) {
    case HF_NORMALIZE_STRIP: return step_strip(r, step->left, step->right);
    case HF_NORMALIZE_STRIP_ACCENTS: return step_map(r, map_accents);
    case HF_NORMALIZE_NFC: return step_normal_form(r, false, true);
    case HF_NORMALIZE_NFD: return step_normal_form(r, false, false);
    case HF_NORMALIZE_NFKC: return step_normal_form(r, true, true);
    case HF_NORMALIZE_NFKD: return step_normal_form(r, true, false);
    case HF_NORMALIZE_LOWERCASE: return step_lowercase(r);
    case HF_NORMALIZE_NMT: return step_map(r, map_nmt);
    case HF_NORMALIZE_PRECOMPILED: return step_precompiled(r, &step->map);
    case HF_NORMALIZE_REPLACE: return step_replace(r, step);
    case HF_NORMALIZE_PREPEND:
        if (r->n > 0) put(r, step->content.data, step->content.size, 0);
        base_buffer_append(r->out, r->from, r->n);
        if (r->n > 0 && r->start > 0) r->out_start = step->content.size + r->start;
        return ONDOL_OK;
    case HF_NORMALIZE_BYTE_LEVEL: {
        hf_put_letters(r->out, r->from, r->start);
        r->out_start = r->out->size;
        hf_put_letters(r->out, r->from + r->start, r->n - r->start);
        return ONDOL_OK;
    }
    default: return ONDOL_OK;
    }
}

ondol_status hf_normalize(hf_work *work, const hf_normalizer *steps, size_t *at_start) {
    ondol_status status = ONDOL_OK;
    step_state s = {{.work = work, .start = *at_start}, &work->one, &work->two};
    begin(&s);
    for (const hf_normalizer *step = steps; step; step = step->next) {
        if (step->kind == HF_NORMALIZE_BERT) {
            TRY(run_bert(&s, step));
        } else {
            TRY(run_step(&s, step));
            turn(&s);
        }
        TRY(base_buffer_status(s.from, "a normalised text", work->err));
        TRY(base_buffer_status(s.to, "a normalised text", work->err));
    }
    *at_start = s.r.start;
    if (s.from != &work->one) {
        const base_buffer was = work->one;
        work->one = work->two;
        work->two = was;
    }
done:
    return status;
}
