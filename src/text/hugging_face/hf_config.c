/* Roles of tokens. In: tokenizer_config.json, special_tokens_map.json, generation_config.json,
 * options. Out: BOS, EOS and the others, and whether a text gets them. */
#include "text/hugging_face/hf_config.h"

#include <string.h>

#include "formats/json/json_read.h"

typedef struct role_row {
    const char *name;    /* in tokenizer_config.json and special_tokens_map.json */
    const char *id_name; /* in generation_config.json, or NULL */
    text_special role;
} role_row;

static const role_row role_rows[] = {
    {"bos_token", "bos_token_id", TEXT_BOS}, {"eos_token", "eos_token_id", TEXT_EOS},
    {"unk_token", NULL, TEXT_UNK},           {"sep_token", NULL, TEXT_SEP},
    {"pad_token", "pad_token_id", TEXT_PAD}, {"cls_token", NULL, TEXT_CLS},
    {"mask_token", NULL, TEXT_MASK},
};
#define ROLE_COUNT (sizeof role_rows / sizeof role_rows[0])

static ondol_status read_file(text_view text, const char *what, json_t **out, ondol_error *err) {
    if (!text.data) return ONDOL_OK;
    const ondol_status status = json_read_text(text.data, text.size, what, out, err);
    if (status == ONDOL_OK && !json_is_object(*out))
        return base_fail(err, ONDOL_E_FORMAT, "%s: expected an object", what);
    return status;
}

/* A token's text: "<s>" or {"content": "<s>", ...}. -1: none, or no token. */
static int32_t token_of(const text_tokenizer *tok, const json_t *v) {
    if (json_is_object(v)) v = json_read_member(v, "content");
    if (!json_is_string(v)) return -1;
    return text_token_find(tok, json_string_value(v), json_string_length(v));
}

static bool id_exists(const text_tokenizer *tok, int64_t id) {
    return id >= 0 && (uint64_t)id < tok->n_tokens;
}

/* A number or a list of numbers; ids that are no tokens are passed over, as a generation never
 * gives them. mark: they end a generation. Returns the first. */
static int32_t ids_of(text_tokenizer *tok, const json_t *v, bool mark) {
    int32_t first = -1;
    const size_t n = json_is_array(v) ? json_array_size(v) : v ? 1 : 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_is_array(v) ? json_array_get(v, i) : v;
        if (!json_is_integer(item) || !id_exists(tok, json_integer_value(item))) continue;
        const int32_t id = (int32_t)json_integer_value(item);
        if (first < 0) first = id;
        if (mark) tok->flags[id] |= TOKEN_ENDS;
    }
    return first;
}

static void set_role(text_tokenizer *tok, text_special role, int32_t id) {
    if (tok->special_ids[role] < 0 && id >= 0) tok->special_ids[role] = id;
}

static ondol_status option_id(const text_tokenizer *tok, int64_t id, const char *what,
                              ondol_error *err) {
    if (id >= 0 && (uint64_t)id < tok->n_tokens) return ONDOL_OK;
    return base_fail(err, ONDOL_E_FORMAT,
                     "tokenizer: the %s token is %lld, but there are %zu tokens", what,
                     (long long)id, tok->n_tokens);
}

static ondol_status apply_options(text_tokenizer *tok, const text_hf_options *options,
                                  ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (!options) return ONDOL_OK;
    if (options->bos >= 0) {
        TRY(option_id(tok, options->bos, "bos", err));
        tok->special_ids[TEXT_BOS] = (int32_t)options->bos;
    }
    if (id_exists(tok, options->pad)) tok->special_ids[TEXT_PAD] = (int32_t)options->pad;
    for (size_t i = 0; i < options->n_ends; i++) {
        TRY(option_id(tok, options->ends[i], "eos", err));
        const int32_t id = (int32_t)options->ends[i];
        tok->flags[id] |= TOKEN_ENDS;
        set_role(tok, TEXT_EOS, id);
    }
done:
    return status;
}

/* ---- BOS and EOS around a text ---- */

/* The layout with special tokens, its first or last item put there or taken away. */
static bool layout_with(hf_pipeline *hf, int32_t id, bool at_end, bool wanted) {
    hf_layout *layout = &hf->layouts[1];
    const size_t n = layout->count;
    const bool has = n > 0 && layout->items[at_end ? n - 1 : 0] == id;
    if (has == wanted) return true;
    int32_t *items = base_arena_alloc(&hf->arena, n + 2, sizeof *items);
    if (!items) return false;
    const size_t skip = has && !at_end, put = wanted && !at_end;
    if (put) items[0] = id;
    if (n > skip) memcpy(items + put, layout->items + skip, (n - skip) * sizeof *items);
    if (wanted && at_end) items[n] = id;
    layout->items = items;
    layout->count = wanted ? n + 1 : n - 1;
    return true;
}

static ondol_status apply_switch(text_tokenizer *tok, const json_t *config, const char *name,
                                 text_special role, bool at_end, ondol_error *err) {
    const json_t *v = json_read_member(config, name);
    const int32_t id = tok->special_ids[role];
    if (!json_is_boolean(v) || id < 0) return ONDOL_OK;
    if (layout_with(tok->hf, id, at_end, json_is_true(v))) return ONDOL_OK;
    return base_no_memory(err, "a tokenizer", 0);
}

/* The roles that no file names, from what the layout puts around a text. */
static void roles_of_layout(text_tokenizer *tok) {
    const hf_layout *layout = &tok->hf->layouts[1];
    const size_t n = layout->count;
    const int32_t *items = layout->items;
    if (n > 1 && items[0] != HF_SEQUENCE) set_role(tok, TEXT_BOS, items[0]);
    if (n > 1 && items[n - 1] != HF_SEQUENCE) set_role(tok, TEXT_EOS, items[n - 1]);
    tok->add_bos = n > 1 && items[0] != HF_SEQUENCE && items[0] == tok->special_ids[TEXT_BOS];
    tok->add_eos =
        n > 1 && items[n - 1] != HF_SEQUENCE && items[n - 1] == tok->special_ids[TEXT_EOS];
}

ondol_status hf_config_apply(text_tokenizer *tok, const text_hf_files *files,
                             const text_hf_options *options, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    json_t *config = NULL, *map = NULL, *generation = NULL;
    TRY(read_file(files->tokenizer_config, "tokenizer_config.json", &config, err));
    TRY(read_file(files->special_tokens_map, "special_tokens_map.json", &map, err));
    TRY(read_file(files->generation_config, "generation_config.json", &generation, err));
    TRY(apply_options(tok, options, err));
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        const role_row *row = &role_rows[i];
        const json_t *const named[] = {json_read_member(config, row->name),
                                       json_read_member(map, row->name)};
        for (int k = 0; k < 2; k++) {
            const int32_t id = token_of(tok, named[k]);
            set_role(tok, row->role, id);
            if (id >= 0 && row->role == TEXT_EOS) tok->flags[id] |= TOKEN_ENDS;
        }
        if (row->id_name) {
            const json_t *ids = json_read_member(generation, row->id_name);
            set_role(tok, row->role, ids_of(tok, ids, row->role == TEXT_EOS));
        }
    }
    set_role(tok, TEXT_UNK, tok->hf->unknown_id);
    TRY(apply_switch(tok, config, "add_bos_token", TEXT_BOS, false, err));
    TRY(apply_switch(tok, config, "add_eos_token", TEXT_EOS, true, err));
    roles_of_layout(tok);
done:
    json_decref(config);
    json_decref(map);
    json_decref(generation);
    return status;
}

/* ---- chat templates ---- */

/* The text of a template of that name in "chat_template". */
static const json_t *template_of(const json_t *from, const char *name) {
    const json_t *v = json_read_member(from, "chat_template");
    const bool any = !name || strcmp(name, "default") == 0;
    if (json_is_string(v)) return any ? v : NULL;
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *row = json_array_get(v, i);
        const json_t *called = json_read_member(row, "name");
        const json_t *text = json_read_member(row, "template");
        if (!json_is_string(called) || !json_is_string(text)) continue;
        if (strcmp(json_string_value(called), any ? "default" : name) == 0) return text;
    }
    if (json_is_object(v)) v = json_read_member(v, any ? "default" : name);
    return json_is_string(v) ? v : NULL;
}

ondol_status text_hf_template(const ondol_allocator *allocator, const text_hf_files *files,
                              const char *name, char **out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    json_t *beside = NULL, *config = NULL;
    const bool any = !name || strcmp(name, "default") == 0;
    text_view text = {NULL, 0};
    *out = NULL;
    if (files->template_jinja.data && any) {
        text = files->template_jinja;
    } else {
        TRY(read_file(files->template_json, "chat_template.json", &beside, err));
        TRY(read_file(files->tokenizer_config, "tokenizer_config.json", &config, err));
        const json_t *found = template_of(beside, name);
        if (!found) found = template_of(config, name);
        if (found) text = hf_json_view(found);
    }
    if (!text.data) goto done;
    *out = base_strndup(allocator, text.data, text.size);
    if (!*out) status = base_no_memory(err, "the chat template", text.size);
done:
    json_decref(beside);
    json_decref(config);
    return status;
}
