/* tokenizer.* keys of a GGUF file -> a text_spec of views and small arrays, everything checked.
 * Names of keys and what a silent file means are llama.cpp's (llama-vocab.cpp). */
#include "models/gguf_text.h"

#include <stdio.h>
#include <string.h>

#define KEY(name) "tokenizer.ggml." name

typedef struct text_kind_name {
    const char *name;
    text_kind kind;
} text_kind_name;

static const text_kind_name kind_names[] = {
    {"llama", TEXT_KIND_SPM},     {"gpt2", TEXT_KIND_BPE},       {"gemma4", TEXT_KIND_BPE},
    {"hybriddna", TEXT_KIND_BPE}, {"whitespace", TEXT_KIND_BPE}, {"bert", TEXT_KIND_WORDPIECE},
    {"t5", TEXT_KIND_UNIGRAM},    {"rwkv", TEXT_KIND_RWKV},      {"plamo2", TEXT_KIND_PLAMO2},
    {"no_vocab", TEXT_KIND_NONE}, {"none", TEXT_KIND_NONE},
};
#define KIND_COUNT (sizeof kind_names / sizeof kind_names[0])

typedef struct text_special_key {
    const char *key;
    text_special role;
} text_special_key;

/* Of two keys for one role the later one counts. */
static const text_special_key special_keys[] = {
    {KEY("bos_token_id"), TEXT_BOS},
    {KEY("eos_token_id"), TEXT_EOS},
    {KEY("eot_token_id"), TEXT_EOT},
    {KEY("eom_token_id"), TEXT_EOM},
    {KEY("unknown_token_id"), TEXT_UNK},
    {KEY("seperator_token_id"), TEXT_SEP}, /* spelt so in files */
    {KEY("padding_token_id"), TEXT_PAD},
    {KEY("cls_token_id"), TEXT_CLS},
    {KEY("mask_token_id"), TEXT_MASK},
    {KEY("fim_pre_token_id"), TEXT_FIM_PREFIX},
    {KEY("fim_suf_token_id"), TEXT_FIM_SUFFIX},
    {KEY("fim_mid_token_id"), TEXT_FIM_MIDDLE},
    {KEY("fim_pad_token_id"), TEXT_FIM_PAD},
    {KEY("fim_rep_token_id"), TEXT_FIM_REPO},
    {KEY("fim_sep_token_id"), TEXT_FIM_FILE},
    {KEY("prefix_token_id"), TEXT_FIM_PREFIX},
    {KEY("suffix_token_id"), TEXT_FIM_SUFFIX},
    {KEY("middle_token_id"), TEXT_FIM_MIDDLE},
};
#define SPECIAL_COUNT (sizeof special_keys / sizeof special_keys[0])

static bool view_is(gguf_string view, const char *text) {
    return view.size_bytes == strlen(text) && memcmp(view.text, text, view.size_bytes) == 0;
}

static text_view view_of(gguf_string string) {
    return (text_view){string.text, string.size_bytes};
}

/* FORMAT: the list named is not as long as the vocabulary. */
static ondol_status check_length(const char *key, const gguf_value *array, size_t n_tokens,
                                 ondol_error *err) {
    if (array->count == n_tokens) return ONDOL_OK;
    return base_fail(err, ONDOL_E_FORMAT,
                     "%s: %llu elements, expected one for each of the %zu tokens", key,
                     (unsigned long long)array->count, n_tokens);
}

static ondol_status read_kind(models_text *text, const gguf_file *file, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    gguf_string model = {0};
    gguf_string pre = {0};
    TRY(gguf_get_string_or(file, KEY("model"), NULL, &model, err));
    if (!model.text) {
        if (!gguf_find_key(file, KEY("tokens"))) goto done;
        status = base_fail(err, ONDOL_E_FORMAT, KEY("model") " is missing, but there are tokens");
        goto done;
    }
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (!view_is(model, kind_names[i].name)) continue;
        text_spec_init(&text->spec, kind_names[i].kind);
        text->spec.dna_kmers = view_is(model, "hybriddna");
        text->spec.drop_whitespace = view_is(model, "whitespace");
        TRY(gguf_get_string_or(file, KEY("pre"), "", &pre, err));
        text->spec.pretokenizer = view_of(pre);
        if (view_is(model, "gemma4")) text->spec.pretokenizer = (text_view){"gemma4", 6};
        goto done;
    }
    int shown = model.size_bytes < 100 ? (int)model.size_bytes : 100;
    status = base_fail(err, ONDOL_E_UNSUPPORTED,
                       KEY("model") ": '%.*s' is not known; expected llama, gpt2, bert, t5, rwkv, "
                                    "plamo2, gemma4, hybriddna, whitespace or none",
                       shown, model.text);
done:
    return status;
}

static ondol_status read_tokens(models_text *text, const gguf_file *file, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const gguf_value *array = NULL;
    TRY(gguf_get_array_or_none(file, KEY("tokens"), GGUF_TYPE_STRING, &array, err));
    if (!array || array->count == 0) {
        status = base_fail(err, ONDOL_E_FORMAT, KEY("tokens") ": %s, expected a vocabulary",
                           array ? "an empty array" : "missing");
        goto done;
    }
    if (array->count > INT32_MAX) {
        status = base_fail(err, ONDOL_E_LIMIT,
                           KEY("tokens") ": %llu tokens; at most 2147483647 are done",
                           (unsigned long long)array->count);
        goto done;
    }
    size_t n = (size_t)array->count;
    text->tokens = base_alloc(text->allocator, n, sizeof *text->tokens);
    if (!text->tokens) {
        status = base_no_memory(err, "the vocabulary", (uint64_t)n * sizeof *text->tokens);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        text->tokens[i] = view_of(gguf_array_string(array, i));
    text->spec.tokens = text->tokens;
    text->spec.n_tokens = n;
done:
    return status;
}

/* dst[0..count) = an array of whole numbers. False: it is none. */
static bool ints_to_f32(const gguf_value *array, float *dst) {
    gguf_value element;
    int64_t value = 0;
    for (uint64_t i = 0; gguf_array_at(array, i, &element); i++) {
        if (!gguf_value_i64(&element, &value)) return false;
        dst[i] = (float)value;
    }
    return true;
}

/* Floats, or whole numbers as a few converters write. */
static ondol_status read_scores(models_text *text, const gguf_file *file, ondol_error *err) {
    const gguf_value *array = gguf_find_key(file, KEY("scores"));
    if (!array) return ONDOL_OK;
    if (array->type != GGUF_TYPE_ARRAY) {
        return base_fail(err, ONDOL_E_FORMAT, KEY("scores") ": expected an array, got a %s",
                         gguf_type_name(array->type));
    }
    ondol_status status = check_length(KEY("scores"), array, text->spec.n_tokens, err);
    if (status != ONDOL_OK) return status;
    text->scores = base_alloc(text->allocator, text->spec.n_tokens, sizeof *text->scores);
    if (!text->scores) return base_no_memory(err, "the vocabulary's scores", array->count * 4);
    if (!gguf_array_to_f32(array, text->scores) && !ints_to_f32(array, text->scores)) {
        return base_fail(err, ONDOL_E_FORMAT, KEY("scores") ": expected numbers, got %s",
                         gguf_type_name(array->element_type));
    }
    text->spec.scores = text->scores;
    return ONDOL_OK;
}

static ondol_status read_types(models_text *text, const gguf_file *file, ondol_error *err) {
    const gguf_value *array = gguf_find_key(file, KEY("token_type"));
    if (!array) return ONDOL_OK;
    if (array->type != GGUF_TYPE_ARRAY) {
        return base_fail(err, ONDOL_E_FORMAT, KEY("token_type") ": expected an array, got a %s",
                         gguf_type_name(array->type));
    }
    ondol_status status = check_length(KEY("token_type"), array, text->spec.n_tokens, err);
    if (status != ONDOL_OK) return status;
    text->types = base_alloc(text->allocator, text->spec.n_tokens, sizeof *text->types);
    if (!text->types) return base_no_memory(err, "the vocabulary's types", array->count);
    gguf_value element;
    for (uint64_t i = 0; gguf_array_at(array, i, &element); i++) {
        int64_t type = 0;
        if (!gguf_value_i64(&element, &type)) {
            return base_fail(err, ONDOL_E_FORMAT, KEY("token_type") ": expected i32, got %s",
                             gguf_type_name(element.type));
        }
        bool known = type >= TEXT_TOKEN_UNDEFINED && type <= TEXT_TOKEN_BYTE;
        text->types[i] = (uint8_t)(known ? type : TEXT_TOKEN_UNDEFINED);
    }
    text->spec.types = text->types;
    return ONDOL_OK;
}

/* "left right"; a space at the very start belongs to left. */
static bool split_merge(gguf_string string, text_merge *out) {
    if (string.size_bytes < 3) return false;
    const char *space = memchr(string.text + 1, ' ', string.size_bytes - 2);
    if (!space) return false;
    size_t left = (size_t)(space - string.text);
    *out = (text_merge){{string.text, left}, {space + 1, string.size_bytes - left - 1}};
    return true;
}

static ondol_status read_merges(models_text *text, const gguf_file *file, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const gguf_value *array = NULL;
    TRY(gguf_get_array_or_none(file, KEY("merges"), GGUF_TYPE_STRING, &array, err));
    if (!array) {
        text_view pre = text->spec.pretokenizer;
        bool needs_none = pre.size == 7 && memcmp(pre.data, "kimi-k2", 7) == 0;
        if (needs_none) goto done;
        status = base_fail(err, ONDOL_E_FORMAT,
                           KEY("merges") ": missing, but " KEY("model") " says BPE");
        goto done;
    }
    if (array->count > INT32_MAX) {
        status = base_fail(err, ONDOL_E_LIMIT,
                           KEY("merges") ": %llu merges; at most 2147483647 are done",
                           (unsigned long long)array->count);
        goto done;
    }
    size_t n = (size_t)array->count;
    text->merges = base_alloc(text->allocator, n, sizeof *text->merges);
    if (!text->merges) {
        status = base_no_memory(err, "the merges", (uint64_t)n * sizeof *text->merges);
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        gguf_string merge = gguf_array_string(array, i);
        if (split_merge(merge, &text->merges[i])) continue;
        int shown = merge.size_bytes < 100 ? (int)merge.size_bytes : 100;
        status = base_fail(err, ONDOL_E_FORMAT,
                           KEY("merges") ": merge %zu: expected two parts with a space between, "
                                         "got '%.*s'",
                           i, shown, merge.text ? merge.text : "");
        goto done;
    }
    text->spec.merges = text->merges;
    text->spec.n_merges = n;
done:
    return status;
}

/* Without a vocabulary an id is only checked to be one. */
static ondol_status read_special_ids(models_text *text, const gguf_file *file, ondol_error *err) {
    bool none = text->spec.kind == TEXT_KIND_NONE;
    for (size_t i = 0; i < SPECIAL_COUNT; i++) {
        const char *key = special_keys[i].key;
        const gguf_value *value = gguf_find_key(file, key);
        if (!value) continue;
        int64_t id = 0;
        if (!gguf_value_i64(value, &id)) {
            return base_fail(err, ONDOL_E_FORMAT, "%s: expected a token's id, got %s", key,
                             value->type == GGUF_TYPE_U64 ? "one past 2^63"
                                                          : gguf_type_name(value->type));
        }
        int64_t limit = none ? INT32_MAX : (int64_t)text->spec.n_tokens;
        if (id < 0 || id >= limit) {
            return base_fail(err, ONDOL_E_FORMAT, "%s: expected an id from 0 to %lld, got %lld",
                             key, (long long)limit - 1, (long long)id);
        }
        text->spec.special_ids[special_keys[i].role] = id;
    }
    int64_t bos = text->spec.special_ids[TEXT_BOS];
    int64_t eos = text->spec.special_ids[TEXT_EOS];
    text->bos_id = bos >= 0 ? (int32_t)bos : -1;
    text->eos_id = eos >= 0 ? (int32_t)eos : -1;
    return ONDOL_OK;
}

static ondol_status read_switches(models_text *text, const gguf_file *file, ondol_error *err) {
    const struct {
        const char *key;
        text_switch *out;
    } rows[] = {
        {KEY("add_bos_token"), &text->spec.add_bos},
        {KEY("add_eos_token"), &text->spec.add_eos},
        {KEY("add_sep_token"), &text->spec.add_sep},
        {KEY("add_space_prefix"), &text->spec.add_space_prefix},
        {KEY("remove_extra_whitespaces"), &text->spec.remove_extra_whitespaces},
        {KEY("normalizer.lowercase"), &text->spec.lowercase},
        {KEY("normalizer.strip_accents"), &text->spec.strip_accents},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!gguf_find_key(file, rows[i].key)) continue;
        bool on = false;
        ondol_status status = gguf_get_bool(file, rows[i].key, &on, err);
        if (status != ONDOL_OK) return status;
        *rows[i].out = on ? TEXT_SWITCH_ON : TEXT_SWITCH_OFF;
    }
    return ONDOL_OK;
}

static ondol_status read_charsmap(models_text *text, const gguf_file *file, ondol_error *err) {
    const gguf_value *array = gguf_find_key(file, KEY("precompiled_charsmap"));
    if (!array) return ONDOL_OK;
    bool is_bytes = array->type == GGUF_TYPE_ARRAY &&
                    (array->element_type == GGUF_TYPE_U8 || array->element_type == GGUF_TYPE_I8);
    if (!is_bytes) {
        return base_fail(
            err, ONDOL_E_FORMAT, KEY("precompiled_charsmap") ": expected an array of bytes, got %s",
            gguf_type_name(array->type == GGUF_TYPE_ARRAY ? array->element_type : array->type));
    }
    text->spec.charsmap = (text_view){(const char *)array->data, (size_t)array->count};
    return ONDOL_OK;
}

/* ---- strip flags, which GGUF has no key for: they go by names, as in llama.cpp ---- */

/* Whether text has part in it, the case of ASCII letters apart; part is in small letters. */
static bool has_word(gguf_string text, const char *part) {
    size_t n = strlen(part);
    for (size_t i = 0; n <= text.size_bytes && i <= text.size_bytes - n; i++) {
        size_t k = 0;
        while (k < n) {
            char c = text.text[i + k];
            if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
            if (c != part[k]) break;
            k++;
        }
        if (k == n) return true;
    }
    return false;
}

static void strip_one(models_text *text, const char *token, uint8_t flags) {
    for (size_t i = 0; i < text->spec.n_tokens; i++) {
        text_view view = text->spec.tokens[i];
        if (!view_is((gguf_string){view.data, view.size}, token)) continue;
        text->strip[i] = flags;
        return;
    }
}

/* Phi-3's own tokenizer.json: all its added tokens but three swallow the space behind them. Its
 * heirs with the same vocabulary (Phi-3.5 ...) are known by architecture and kind. */
static bool is_phi3(const models_text *text, gguf_string name, gguf_string architecture) {
    if (has_word(name, "phi-3") || has_word(name, "phi3")) return true;
    return text->spec.kind == TEXT_KIND_SPM && view_is(architecture, "phi3");
}

static ondol_status read_strip(models_text *text, const gguf_file *file, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    gguf_string name = {0};
    gguf_string architecture = {0};
    TRY(gguf_get_string_or(file, "general.name", "", &name, err));
    TRY(gguf_get_string_or(file, "general.architecture", "", &architecture, err));
    gguf_string pre = {text->spec.pretokenizer.data, text->spec.pretokenizer.size};
    const char *mask = NULL;
    if (has_word(pre, "jina-v2-de") || has_word(pre, "jina-v2-es") ||
        has_word(pre, "jina-v2-code") || has_word(architecture, "nomic-bert-moe") ||
        has_word(architecture, "jina-bert-v3")) {
        mask = "<mask>";
    } else if (!is_phi3(text, name, architecture)) {
        if (!has_word(name, "modern-bert")) goto done;
        mask = "[MASK]";
    }
    text->strip = base_calloc(text->allocator, text->spec.n_tokens, sizeof *text->strip);
    if (!text->strip) {
        status = base_no_memory(err, "the vocabulary's strip flags", text->spec.n_tokens);
        goto done;
    }
    if (mask) {
        strip_one(text, mask, TEXT_STRIP_LEFT);
    } else { /* of no effect on a token that is not special */
        memset(text->strip, TEXT_STRIP_RIGHT, text->spec.n_tokens);
        strip_one(text, "<unk>", 0);
        strip_one(text, "<s>", 0);
        strip_one(text, "<|endoftext|>", 0);
    }
    text->spec.strip = text->strip;
done:
    return status;
}

static ondol_status read_all(models_text *text, const gguf_file *file, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    text_spec_init(&text->spec, TEXT_KIND_NONE);
    TRY(models_text_template(file, "default", &text->template_text, err));
    TRY(read_kind(text, file, err));
    if (text->spec.kind != TEXT_KIND_NONE) {
        TRY(read_tokens(text, file, err));
        TRY(read_scores(text, file, err));
        TRY(read_types(text, file, err));
        if (text->spec.kind == TEXT_KIND_BPE) TRY(read_merges(text, file, err));
        if (text->spec.kind == TEXT_KIND_UNIGRAM) TRY(read_charsmap(text, file, err));
        TRY(read_switches(text, file, err));
        TRY(read_strip(text, file, err));
    }
    TRY(read_special_ids(text, file, err));
done:
    return status;
}

ondol_status models_text_from_gguf(const ondol_allocator *allocator, const gguf_file *file,
                                   models_text **out, ondol_error *err) {
    *out = NULL;
    models_text *text = base_calloc(allocator, 1, sizeof *text);
    if (!text) return base_no_memory(err, "a tokenizer's description", sizeof *text);
    text->allocator = allocator;
    ondol_status status = read_all(text, file, err);
    if (status != ONDOL_OK) {
        models_text_destroy(text);
        return status;
    }
    *out = text;
    return ONDOL_OK;
}

void models_text_destroy(models_text *text) {
    if (!text) return;
    base_free(text->allocator, text->strip);
    base_free(text->allocator, text->types);
    base_free(text->allocator, text->scores);
    base_free(text->allocator, text->merges);
    base_free(text->allocator, text->tokens);
    base_free(text->allocator, text);
}

ondol_status models_text_template(const gguf_file *file, const char *name, text_view *out,
                                  ondol_error *err) {
    ondol_status status = ONDOL_OK;
    char key[256] = "tokenizer.chat_template";
    gguf_string found = {0};
    *out = (text_view){NULL, 0};
    if (strcmp(name, "default") != 0) {
        int n = snprintf(key, sizeof key, "tokenizer.chat_template.%s", name);
        if (n < 0 || (size_t)n >= sizeof key) goto done;
    }
    TRY(gguf_get_string_or(file, key, NULL, &found, err));
    *out = view_of(found);
done:
    return status;
}
