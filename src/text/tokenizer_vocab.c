/* A text_spec -> the tokenizer's own copy of the vocabulary, its roles and switches. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/utf8.h"
#include "text/tokenizer_internal.h"

/* What each kind has where a file says nothing. */
typedef struct kind_habits {
    int32_t bos, eos, unk, sep, pad, mask;
    bool add_bos, add_eos, add_sep, add_space_prefix, escape_whitespaces;
} kind_habits;

static const kind_habits kind_habits_of[TEXT_KIND_COUNT] = {
    [TEXT_KIND_NONE] = {-1, -1, -1, -1, -1, -1, false, false, false, false, false},
    [TEXT_KIND_SPM] = {1, 2, 0, -1, -1, -1, true, false, false, true, true},
    [TEXT_KIND_BPE] = {11, 11, -1, -1, -1, -1, false, false, false, false, false},
    [TEXT_KIND_WORDPIECE] = {101, -1, 100, 102, 0, 103, true, false, true, false, true},
    [TEXT_KIND_UNIGRAM] = {-1, 1, 2, -1, 0, -1, false, true, false, false, true},
    [TEXT_KIND_RWKV] = {-1, -1, -1, -1, -1, -1, false, false, false, false, false},
    [TEXT_KIND_PLAMO2] = {1, 2, 0, -1, 3, -1, false, false, false, false, false},
};

static const char *const special_names[TEXT_SPECIAL_COUNT] = {
    "bos",  "eos",        "eot",        "eom",        "unknown", "separator", "padding", "cls",
    "mask", "fim prefix", "fim suffix", "fim middle", "fim pad", "fim repo",  "fim file"};

static ondol_status vocab_copy_texts(text_tokenizer *tok, const text_spec *spec, ondol_error *err) {
    uint64_t total = 1;
    for (size_t i = 0; i < spec->n_tokens; i++) {
        size_t size = spec->tokens[i].size;
        if (size >= UINT32_MAX || !base_add(total, size, &total) || total > SIZE_MAX / 4) {
            return base_fail(err, ONDOL_E_LIMIT, "tokenizer: token %zu has %zu bytes", i, size);
        }
    }
    tok->texts.bytes = base_alloc(tok->allocator, (size_t)total, 1);
    tok->texts.offsets = base_alloc(tok->allocator, spec->n_tokens + 1, sizeof(size_t));
    if (!tok->texts.bytes || !tok->texts.offsets) {
        return base_no_memory(err, "the vocabulary", total);
    }
    size_t at = 0;
    for (size_t i = 0; i < spec->n_tokens; i++) {
        tok->texts.offsets[i] = at;
        text_view text = spec->tokens[i];
        if (text.size) memcpy(tok->texts.bytes + at, text.data, text.size);
        at += text.size;
    }
    tok->texts.offsets[spec->n_tokens] = at;
    return ONDOL_OK;
}

static ondol_status vocab_copy_numbers(text_tokenizer *tok, const text_spec *spec,
                                       ondol_error *err) {
    size_t n = spec->n_tokens;
    tok->scores = base_calloc(tok->allocator, n + 1, sizeof *tok->scores);
    tok->flags = base_calloc(tok->allocator, n + 1, sizeof *tok->flags);
    if (!tok->scores || !tok->flags) {
        return base_no_memory(err, "the vocabulary", (uint64_t)n * 6);
    }
    for (size_t i = 0; i < n; i++) {
        float score = spec->scores ? spec->scores[i] : 0.0f;
        if (isnan(score) || score < -FLT_MAX) score = -FLT_MAX;
        if (score > FLT_MAX) score = FLT_MAX;
        tok->scores[i] = score + 0.0f; /* -0 equals 0 */
        unsigned type = spec->types ? spec->types[i] : TEXT_TOKEN_NORMAL;
        if (type > TEXT_TOKEN_BYTE) type = TEXT_TOKEN_UNDEFINED;
        unsigned strip = spec->strip ? spec->strip[i] : 0;
        unsigned flags = TOKEN_IS(type);
        if (strip & TEXT_STRIP_LEFT) flags |= TOKEN_STRIP_LEFT;
        if (strip & TEXT_STRIP_RIGHT) flags |= TOKEN_STRIP_RIGHT;
        tok->flags[i] = (uint16_t)flags;
    }
    return ONDOL_OK;
}

static ondol_status vocab_resolve_ids(text_tokenizer *tok, const text_spec *spec, unsigned pre,
                                      ondol_error *err) {
    const kind_habits *habits = &kind_habits_of[spec->kind];
    int32_t ids[TEXT_SPECIAL_COUNT];
    for (int i = 0; i < TEXT_SPECIAL_COUNT; i++)
        ids[i] = -1;
    ids[TEXT_BOS] = pre & PRE_NO_BOS ? -1 : habits->bos;
    ids[TEXT_EOS] = habits->eos;
    ids[TEXT_UNK] = habits->unk;
    ids[TEXT_SEP] = habits->sep;
    ids[TEXT_PAD] = habits->pad;
    ids[TEXT_MASK] = habits->mask;
    if (pre & PRE_FORCE_BOS) ids[TEXT_BOS] = ids[TEXT_EOS] = -1;
    for (int i = 0; i < TEXT_SPECIAL_COUNT; i++) {
        int64_t id = spec->special_ids[i];
        if (id == TEXT_ID_DEFAULT) {
            id = ids[i] >= 0 && (size_t)ids[i] < tok->n_tokens ? ids[i] : -1;
        } else if (id < TEXT_ID_NONE || id >= (int64_t)tok->n_tokens) {
            return base_fail(err, ONDOL_E_FORMAT,
                             "tokenizer: the %s token is %lld, but there are %zu tokens",
                             special_names[i], (long long)id, tok->n_tokens);
        }
        tok->special_ids[i] = (int32_t)id;
    }
    if (spec->kind == TEXT_KIND_WORDPIECE && spec->special_ids[TEXT_BOS] == TEXT_ID_DEFAULT &&
        tok->special_ids[TEXT_CLS] >= 0) {
        tok->special_ids[TEXT_BOS] = tok->special_ids[TEXT_CLS];
    }
    return ONDOL_OK;
}

static bool vocab_switch(text_switch value, bool habit) {
    return value == TEXT_SWITCH_DEFAULT ? habit : value == TEXT_SWITCH_ON;
}

static void vocab_resolve_switches(text_tokenizer *tok, const text_spec *spec, unsigned pre) {
    const kind_habits *habits = &kind_habits_of[spec->kind];
    tok->add_bos = vocab_switch(spec->add_bos, habits->add_bos || (pre & PRE_ADD_BOS) != 0);
    if (pre & PRE_FORCE_BOS) tok->add_bos = true;
    tok->add_eos = vocab_switch(spec->add_eos, habits->add_eos);
    tok->add_sep = vocab_switch(spec->add_sep, habits->add_sep || (pre & PRE_ADD_SEP) != 0);
    tok->add_space_prefix = vocab_switch(spec->add_space_prefix, habits->add_space_prefix);
    tok->remove_extra_whitespaces = vocab_switch(spec->remove_extra_whitespaces, false);
    tok->whitespace_as_suffix = vocab_switch(spec->whitespace_as_suffix, false);
    tok->escape_whitespaces = vocab_switch(
        spec->escape_whitespaces, habits->escape_whitespaces || (pre & PRE_ESCAPE_SPACES) != 0);
    tok->ignore_merges = vocab_switch(spec->ignore_merges, (pre & PRE_IGNORE_MERGES) != 0);
    tok->byte_letters = spec->kind == TEXT_KIND_BPE && !(pre & PRE_RAW_UTF8);
    tok->newline_runs = (pre & PRE_NEWLINE_RUNS) != 0;
    tok->lowercase = vocab_switch(spec->lowercase, !(pre & PRE_KEEP_CASE));
    tok->strip_accents = vocab_switch(spec->strip_accents, tok->lowercase);
    tok->max_word_chars = spec->max_word_chars ? spec->max_word_chars : 100;
    tok->dna_kmers = spec->dna_kmers;
    tok->drop_whitespace = spec->drop_whitespace;
}

int byte_token_value(text_view text) {
    if (text.size != 6 || memcmp(text.data, "<0x", 3) != 0 || text.data[5] != '>') return -1;
    int value = 0;
    for (int i = 3; i < 5; i++) {
        char c = text.data[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                           : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* "<0xHH>" counts whatever its type; a token of one byte serves where there is none of those. */
static void vocab_find_bytes(text_tokenizer *tok) {
    for (int i = 0; i < 256; i++)
        tok->byte_ids[i] = -1;
    for (size_t i = 0; i < tok->n_tokens; i++) {
        int value = byte_token_value(pool_at(&tok->texts, i));
        if (value >= 0 && tok->byte_ids[value] < 0) tok->byte_ids[value] = (int32_t)i;
    }
    for (size_t i = 0; i < tok->n_tokens; i++) {
        text_view text = pool_at(&tok->texts, i);
        if (text.size != 1 || tok->flags[i] & TOKEN_HIDDEN) continue;
        unsigned char byte = (unsigned char)text.data[0];
        if (tok->byte_ids[byte] < 0) tok->byte_ids[byte] = (int32_t)i;
    }
}

ondol_status tokenizer_vocab_fill(text_tokenizer *tok, const text_spec *spec,
                                  const pretokenizer_row *row, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    unsigned pre = row ? row->flags : 0;
    if (spec->n_tokens == 0 || !spec->tokens) {
        return base_fail(err, ONDOL_E_FORMAT, "tokenizer: the vocabulary is empty");
    }
    if (spec->n_tokens > INT32_MAX) {
        return base_fail(err, ONDOL_E_LIMIT, "tokenizer: %zu tokens; at most 2147483647 are done",
                         spec->n_tokens);
    }
    tok->n_tokens = spec->n_tokens;
    TRY(vocab_copy_texts(tok, spec, err));
    TRY(vocab_copy_numbers(tok, spec, err));
    TRY(vocab_resolve_ids(tok, spec, pre, err));
    vocab_resolve_switches(tok, spec, pre);
    vocab_find_bytes(tok);
done:
    return status;
}
