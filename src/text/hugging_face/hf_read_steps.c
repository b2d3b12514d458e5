/* Normalizers, pre-tokenizers and decoders of a tokenizer.json. In: jansson's tree. Out: lists of
 * steps; a Sequence's steps stand in its place. */
#include <string.h>

#include "base/utf8.h"
#include "formats/json/json_read.h"
#include "text/hugging_face/hf_pipeline.h"

#define GPT2_PATTERN                                                                               \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define STEPS_MAX 1000 /* of one kind */

typedef struct step_reader {
    hf_reader *r;
    size_t count;
    void *last; /* the list's last step */
} step_reader;

ondol_status hf_copy_text(hf_reader *r, text_view text, text_view *out) {
    const char *copy = base_arena_strndup(&r->hf->arena, text.data ? text.data : "", text.size);
    if (!copy) return base_no_memory(r->err, "a tokenizer", text.size);
    *out = (text_view){copy, text.size};
    return ONDOL_OK;
}

void *hf_step_new(hf_reader *r, size_t size) {
    return base_arena_alloc(&r->hf->arena, 1, size);
}

static ondol_status no_step_memory(hf_reader *r) {
    return base_no_memory(r->err, "a tokenizer", sizeof(hf_normalizer));
}

static ondol_status count_step(step_reader *s) {
    if (++s->count <= STEPS_MAX) return ONDOL_OK;
    return base_fail(s->r->err, ONDOL_E_LIMIT, "tokenizer.json: more than %d steps in a row",
                     STEPS_MAX);
}

/* The elements of a Sequence's list, each by `read`. */
typedef ondol_status (*read_step)(step_reader *s, const json_t *from, const hf_place *at);

static ondol_status read_sequence(step_reader *s, const json_t *from, const hf_place *at,
                                  const char *name, read_step read) {
    ondol_status status = ONDOL_OK;
    const hf_place list_at = {at, name, 0};
    const json_t *list = NULL;
    TRY(hf_json_list(from, at, name, &list, s->r->err));
    if (!list) return hf_json_wrong(&list_at, NULL, "a list", s->r->err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const hf_place here = {&list_at, NULL, i};
        TRY(read(s, json_array_get(list, i), &here));
    }
done:
    return status;
}

static ondol_status read_copy(hf_reader *r, const json_t *from, const hf_place *at,
                              const char *name, text_view *out) {
    text_view text = {NULL, 0};
    ondol_status status = hf_json_need_text(from, at, name, &text, r->err);
    return status == ONDOL_OK ? hf_copy_text(r, text, out) : status;
}

/* ---- normalizers ---- */

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

/* Standard base64 (RFC 4648) with its padding; false when it is none. out: size / 4 * 3. */
static bool base64_decode(text_view text, char *out, size_t *n) {
    *n = 0;
    if (text.size % 4 != 0) return false;
    for (size_t i = 0; i < text.size; i += 4) {
        uint32_t bits = 0;
        size_t pads = 0;
        for (size_t k = 0; k < 4; k++) {
            const char c = text.data[i + k];
            const bool pad = c == '=' && i + 4 == text.size && k >= 2;
            if (!pad && (base64_value(c) < 0 || pads > 0)) return false;
            pads += pad;
            bits = bits << 6 | (pad ? 0 : (uint32_t)base64_value(c));
        }
        for (size_t k = 0; k < 3 - pads; k++)
            out[(*n)++] = (char)(bits >> (16 - 8 * k));
    }
    return true;
}

static ondol_status read_charsmap(hf_reader *r, const json_t *from, const hf_place *at,
                                  charsmap *out) {
    ondol_status status = ONDOL_OK;
    text_view text = {NULL, 0};
    const hf_place here = {at, "precompiled_charsmap", 0};
    size_t n = 0;
    char *bytes = NULL;
    TRY(hf_json_text(from, at, here.name, &text, r->err));
    if (text.size == 0) return ONDOL_OK; /* no map: nothing is rewritten */
    bytes = base_alloc(r->hf->allocator, text.size / 4 * 3 + 1, 1);
    if (!bytes) return base_no_memory(r->err, here.name, text.size);
    if (!base64_decode(text, bytes, &n)) {
        status = hf_json_wrong(&here, json_read_member(from, here.name), "base64", r->err);
        goto done;
    }
    TRY(charsmap_read(r->hf->allocator, (text_view){bytes, n}, out, r->err));
    if (!base_utf8_valid((const unsigned char *)out->replacements, out->replacement_bytes))
        status = hf_json_wrong(&here, json_read_member(from, here.name),
                               "replacements that are UTF-8", r->err);
done:
    base_free(r->hf->allocator, bytes);
    return status;
}

static ondol_status read_normalizer_fields(hf_reader *r, const json_t *from, const hf_place *at,
                                           hf_normalizer *step) {
    ondol_status status = ONDOL_OK;
    ondol_error *err = r->err;
    switch (step->kind) {
    case HF_NORMALIZE_BERT:
        step->clean_text = step->chinese = step->lowercase = true;
        TRY(hf_json_bool(from, at, "clean_text", &step->clean_text, err));
        TRY(hf_json_bool(from, at, "handle_chinese_chars", &step->chinese, err));
        TRY(hf_json_bool(from, at, "lowercase", &step->lowercase, err));
        step->strip_accents = step->lowercase;
        TRY(hf_json_bool(from, at, "strip_accents", &step->strip_accents, err));
        break;
    case HF_NORMALIZE_STRIP:
        step->left = step->right = true;
        TRY(hf_json_bool(from, at, "strip_left", &step->left, err));
        TRY(hf_json_bool(from, at, "strip_right", &step->right, err));
        break;
    case HF_NORMALIZE_PRECOMPILED: TRY(read_charsmap(r, from, at, &step->map)); break;
    case HF_NORMALIZE_REPLACE:
        TRY(hf_regex_read(r->hf->allocator, from, at, &step->pattern, err));
        TRY(read_copy(r, from, at, "content", &step->content));
        break;
    case HF_NORMALIZE_PREPEND: TRY(read_copy(r, from, at, "prepend", &step->content)); break;
    default: break;
    }
done:
    return status;
}

static ondol_status read_normalizer(step_reader *s, const json_t *from, const hf_place *at) {
    static const char *const names[] = {
        "BertNormalizer", "Strip",   "StripAccents", "NFC",      "NFD",
        "NFKC",           "NFKD",    "Lowercase",    "Nmt",      "Precompiled",
        "Replace",        "Prepend", "ByteLevel",    "Sequence", "Bert"};
    ondol_status status = ONDOL_OK;
    int kind = hf_json_type(from, at, names, 15, s->r->err);
    if (kind < 0) return ONDOL_E_FORMAT;
    if (kind == 13) return read_sequence(s, from, at, "normalizers", read_normalizer);
    if (kind == 14) kind = HF_NORMALIZE_BERT;
    hf_normalizer *step = hf_step_new(s->r, sizeof *step);
    if (!step) return no_step_memory(s->r);
    step->kind = (hf_normalizer_kind)kind;
    TRY(count_step(s));
    /* In the list before it is filled, so that it is destroyed with it. */
    if (s->last) ((hf_normalizer *)s->last)->next = step;
    if (!s->last) s->r->hf->normalizers = step;
    s->last = step;
    TRY(read_normalizer_fields(s->r, from, at, step));
done:
    return status;
}

ondol_status hf_normalizers_read(hf_reader *r, const json_t *from) {
    step_reader s = {r, 0, NULL};
    const hf_place at = {NULL, "normalizer", 0};
    const json_t *v = json_read_member(from, at.name);
    return v ? read_normalizer(&s, v, &at) : ONDOL_OK;
}

/* ---- pre-tokenizers ---- */

static ondol_status read_behavior(hf_reader *r, const json_t *from, const hf_place *at,
                                  hf_behavior *out) {
    /* As files have them, and as the enumeration of the library is written. */
    static const char *const names[] = {
        "Removed", "Isolated", "MergedWithPrevious",   "MergedWithNext",   "Contiguous",
        "removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"};
    const json_t *v = json_read_member(from, "behavior");
    const hf_place here = {at, "behavior", 0};
    if (!v) return ONDOL_OK;
    for (int i = 0; i < 10 && json_is_string(v); i++) {
        if (strcmp(names[i], json_string_value(v)) != 0) continue;
        *out = (hf_behavior)(i % 5);
        return ONDOL_OK;
    }
    return hf_json_wrong(
        &here, v, "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous", r->err);
}

static ondol_status read_prepend(hf_reader *r, const json_t *from, const hf_place *at,
                                 hf_prepend *out) {
    static const char *const names[] = {"always", "first", "never"};
    const json_t *v = json_read_member(from, "prepend_scheme");
    const hf_place here = {at, "prepend_scheme", 0};
    bool prefix_space = true;
    ondol_status status = ONDOL_OK;
    bool known = !v;
    *out = HF_PREPEND_ALWAYS;
    for (int i = 0; i < 3 && json_is_string(v); i++) {
        if (strcmp(names[i], json_string_value(v)) != 0) continue;
        *out = (hf_prepend)i;
        known = true;
    }
    if (!known) return hf_json_wrong(&here, v, "always, first or never", r->err);
    TRY(hf_json_bool(from, at, "add_prefix_space", &prefix_space, r->err));
    if (!prefix_space) *out = HF_PREPEND_NEVER; /* how older files say it */
done:
    return status;
}

static ondol_status read_character(hf_reader *r, const json_t *from, const hf_place *at,
                                   const char *name, hf_pretokenizer *step) {
    uint32_t code = 0;
    const hf_place here = {at, name, 0};
    const ondol_status status = hf_json_character(from, at, name, &code, r->err);
    if (status != ONDOL_OK) return status;
    if (!json_read_member(from, name))
        return hf_json_wrong(&here, NULL, "a text of one character", r->err);
    step->character_bytes = base_utf8_encode(code, step->character);
    return ONDOL_OK;
}

static ondol_status read_byte_level(hf_reader *r, const json_t *from, const hf_place *at,
                                    hf_pretokenizer *step) {
    ondol_status status = ONDOL_OK;
    bool use_regex = true;
    step->prefix_space = true;
    TRY(hf_json_bool(from, at, "add_prefix_space", &step->prefix_space, r->err));
    TRY(hf_json_bool(from, at, "use_regex", &use_regex, r->err));
    if (use_regex) TRY(hf_regex_create(r->hf->allocator, GPT2_PATTERN, &step->pattern, r->err));
done:
    return status;
}

static ondol_status read_pretokenizer_fields(hf_reader *r, const json_t *from, const hf_place *at,
                                             hf_pretokenizer *step) {
    ondol_status status = ONDOL_OK;
    int64_t length = 5;
    bool single = false;
    step->behavior = HF_ISOLATED;
    step->split = true;
    switch (step->kind) {
    case HF_PRE_BYTE_LEVEL: return read_byte_level(r, from, at, step);
    case HF_PRE_DELIMITER: return read_character(r, from, at, "delimiter", step);
    case HF_PRE_PUNCTUATION: return read_behavior(r, from, at, &step->behavior);
    case HF_PRE_METASPACE:
        TRY(read_character(r, from, at, "replacement", step));
        TRY(hf_json_bool(from, at, "split", &step->split, r->err));
        return read_prepend(r, from, at, &step->prepend);
    case HF_PRE_SPLIT:
        TRY(hf_json_bool(from, at, "invert", &step->invert, r->err));
        TRY(read_behavior(r, from, at, &step->behavior));
        return hf_regex_read(r->hf->allocator, from, at, &step->pattern, r->err);
    case HF_PRE_DIGITS:
        TRY(hf_json_bool(from, at, "individual_digits", &single, r->err));
        step->behavior = single ? HF_ISOLATED : HF_CONTIGUOUS;
        break;
    case HF_PRE_FIXED_LENGTH:
        TRY(hf_json_integer(from, at, "length", 1, INT32_MAX, &length, r->err));
        step->length = (size_t)length;
        break;
    default: break;
    }
done:
    return status;
}

static ondol_status add_pretokenizer(step_reader *s, const json_t *from, const hf_place *at,
                                     hf_pretokenizer_kind kind) {
    hf_pretokenizer *step = hf_step_new(s->r, sizeof *step);
    if (!step) return no_step_memory(s->r);
    step->kind = kind;
    const ondol_status status = count_step(s);
    if (status != ONDOL_OK) return status;
    if (s->last) ((hf_pretokenizer *)s->last)->next = step;
    if (!s->last) s->r->hf->pretokenizers = step;
    s->last = step;
    return read_pretokenizer_fields(s->r, from, at, step);
}

static ondol_status read_pretokenizer(step_reader *s, const json_t *from, const hf_place *at) {
    static const char *const names[] = {"ByteLevel",
                                        "Delimiter",
                                        "Metaspace",
                                        "Whitespace",
                                        "WhitespaceSplit",
                                        "Punctuation",
                                        "Split",
                                        "Digits",
                                        "UnicodeScripts",
                                        "FixedLength",
                                        "BertPreTokenizer",
                                        "Sequence",
                                        "CharDelimiterSplit"};
    ondol_status status = ONDOL_OK;
    int kind = hf_json_type(from, at, names, 13, s->r->err);
    if (kind < 0) return ONDOL_E_FORMAT;
    if (kind == 11) return read_sequence(s, from, at, "pretokenizers", read_pretokenizer);
    if (kind == 12) kind = HF_PRE_DELIMITER;
    if (kind < 10) return add_pretokenizer(s, from, at, (hf_pretokenizer_kind)kind);
    TRY(add_pretokenizer(s, from, at, HF_PRE_WHITESPACE_SPLIT));
    TRY(add_pretokenizer(s, NULL, at, HF_PRE_PUNCTUATION));
done:
    return status;
}

ondol_status hf_pretokenizers_read(hf_reader *r, const json_t *from) {
    step_reader s = {r, 0, NULL};
    const hf_place at = {NULL, "pre_tokenizer", 0};
    const json_t *v = json_read_member(from, at.name);
    return v ? read_pretokenizer(&s, v, &at) : ONDOL_OK;
}
