/* The model of a tokenizer.json. In: jansson's tree. Out: vocabulary, merges, scores, settings. */
#include "text/hugging_face/hf_read_model.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "formats/json/json_read.h"

#define AFFIX_BYTES_MAX 500 /* of a prefix or suffix on each character */
#define HOLES_PER_TOKEN 16u /* ids that a vocabulary may leave out */
#define HOLES_SLACK     65536u

static const hf_place model_at = {NULL, "model", 0};

void hf_vocabulary_destroy(hf_reader *r, hf_vocabulary *v) {
    base_free(r->hf->allocator, v->texts);
    base_free(r->hf->allocator, v->types);
    *v = (hf_vocabulary){.texts = NULL};
}

ondol_status hf_vocabulary_reserve(hf_reader *r, hf_vocabulary *v, uint64_t id, uint64_t entries,
                                   const hf_place *at) {
    const ondol_allocator *a = r->hf->allocator;
    char place[HF_PLACE_BYTES];
    if (id >= entries * HOLES_PER_TOKEN + HOLES_SLACK || id >= INT32_MAX) {
        return base_fail(
            r->err, ONDOL_E_LIMIT, "tokenizer.json: %s: id %llu, but there are only %llu tokens",
            hf_place_text(at, place), (unsigned long long)id, (unsigned long long)entries);
    }
    if (id < v->n_ids) return ONDOL_OK;
    if (id >= v->capacity) {
        size_t wanted = v->capacity * 2 > (size_t)id + 1 ? v->capacity * 2 : (size_t)id + 1;
        if (wanted < entries) wanted = (size_t)entries;
        text_view *texts = base_calloc(a, wanted, sizeof *texts);
        uint8_t *types = base_calloc(a, wanted, 1);
        if (texts && v->n_ids) memcpy(texts, v->texts, v->n_ids * sizeof *texts);
        if (types && v->n_ids) memcpy(types, v->types, v->n_ids);
        if (!texts || !types) {
            base_free(a, texts);
            base_free(a, types);
            return base_no_memory(r->err, "the vocabulary", wanted * sizeof *texts);
        }
        hf_vocabulary_destroy(r, &(hf_vocabulary){v->texts, v->types, 0, 0});
        v->texts = texts;
        v->types = types;
        v->capacity = wanted;
    }
    memset(v->types + v->n_ids, TEXT_TOKEN_UNUSED, (size_t)id + 1 - v->n_ids);
    v->n_ids = (size_t)id + 1;
    return ONDOL_OK;
}

/* One token of the model's own. copy: where its text lies for good. */
static ondol_status add_token(hf_reader *r, hf_vocabulary *v, text_view copy, uint32_t id) {
    if (!base_map_put(&r->hf->vocab, copy.data, copy.size, id))
        return base_no_memory(r->err, "the vocabulary", r->hf->n_vocab);
    if (!v->texts[id].data) v->texts[id] = copy;
    v->types[id] = TEXT_TOKEN_NORMAL;
    return ONDOL_OK;
}

static ondol_status vocabulary_room(hf_reader *r, size_t n, uint64_t bytes, char **out) {
    r->hf->n_vocab = n;
    *out = base_arena_alloc(&r->hf->arena, (size_t)bytes + 1, 1);
    if (!*out || !base_map_reserve(&r->hf->vocab, n))
        return base_no_memory(r->err, "the vocabulary", bytes);
    return ONDOL_OK;
}

/* {"text": id, ...} */
static ondol_status read_vocab_object(hf_reader *r, const json_t *model, hf_vocabulary *v) {
    ondol_status status = ONDOL_OK;
    const hf_place at = {&model_at, "vocab", 0};
    const json_t *vocab = NULL;
    uint64_t bytes = 0;
    char *to = NULL;
    TRY(hf_json_object(model, &model_at, at.name, &vocab, r->err));
    if (!vocab) return hf_json_wrong(&at, NULL, "an object", r->err);
    json_t *tree = (json_t *)(uintptr_t)vocab;
    const size_t n = json_object_size(vocab);
    for (void *i = json_object_iter(tree); i; i = json_object_iter_next(tree, i))
        bytes += strlen(json_object_iter_key(i));
    TRY(vocabulary_room(r, n, bytes, &to));
    for (void *i = json_object_iter(tree); i; i = json_object_iter_next(tree, i)) {
        const char *text = json_object_iter_key(i);
        const json_t *id = json_object_iter_value(i);
        const hf_place here = {&at, text, 0};
        const size_t size = strlen(text);
        if (!json_is_integer(id) || json_integer_value(id) < 0)
            return hf_json_wrong(&here, id, "an id", r->err);
        TRY(hf_vocabulary_reserve(r, v, (uint64_t)json_integer_value(id), n, &here));
        memcpy(to, text, size);
        TRY(add_token(r, v, (text_view){to, size}, (uint32_t)json_integer_value(id)));
        to += size;
    }
done:
    return status;
}

/* [["text", score], ...] */
static ondol_status read_vocab_list(hf_reader *r, const json_t *model, hf_vocabulary *v) {
    ondol_status status = ONDOL_OK;
    const hf_place at = {&model_at, "vocab", 0};
    const json_t *vocab = NULL;
    uint64_t bytes = 0;
    char *to = NULL;
    TRY(hf_json_list(model, &model_at, at.name, &vocab, r->err));
    if (!vocab) return hf_json_wrong(&at, NULL, "a list", r->err);
    const size_t n = json_array_size(vocab);
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(vocab, i);
        const hf_place here = {&at, NULL, i};
        if (!json_is_array(row) || json_array_size(row) != 2 ||
            !json_is_string(json_array_get(row, 0)) || !json_is_number(json_array_get(row, 1))) {
            return hf_json_wrong(&here, row, "a list of a text and a score", r->err);
        }
        bytes += json_string_length(json_array_get(row, 0));
    }
    TRY(vocabulary_room(r, n, bytes, &to));
    for (size_t i = 0; i < n; i++) {
        const text_view text = hf_json_view(json_array_get(json_array_get(vocab, i), 0));
        const hf_place here = {&at, NULL, i};
        TRY(hf_vocabulary_reserve(r, v, i, n, &here));
        if (text.size) memcpy(to, text.data, text.size);
        TRY(add_token(r, v, (text_view){to, text.size}, (uint32_t)i));
        to += text.size;
    }
done:
    return status;
}

/* The id of a member that names a token; HF_NO_ID when there is none. */
static ondol_status read_unknown(hf_reader *r, const json_t *model, const char *habit) {
    text_view text = {habit, habit ? strlen(habit) : 0};
    uint32_t id = 0;
    const ondol_status status = hf_json_text(model, &model_at, "unk_token", &text, r->err);
    if (status != ONDOL_OK || !text.data) return status;
    if (base_map_get(&r->hf->vocab, text.data, text.size, &id)) r->hf->unknown_id = (int32_t)id;
    return ONDOL_OK;
}

static ondol_status read_affix(hf_reader *r, const json_t *model, const char *name,
                               const char *habit, text_view *out) {
    const hf_place at = {&model_at, name, 0};
    text_view text = {habit, strlen(habit)};
    const ondol_status status = hf_json_text(model, &model_at, name, &text, r->err);
    if (status != ONDOL_OK) return status;
    if (text.size > AFFIX_BYTES_MAX) {
        return hf_json_wrong(&at, json_read_member(model, name), "a text of at most 500 bytes",
                             r->err);
    }
    return hf_copy_text(r, text, out);
}

static ondol_status read_bpe(hf_reader *r, const json_t *model, hf_vocabulary *v) {
    ondol_status status = ONDOL_OK;
    hf_pipeline *hf = r->hf;
    TRY(read_vocab_object(r, model, v));
    TRY(read_unknown(r, model, NULL));
    TRY(read_affix(r, model, "continuing_subword_prefix", "", &hf->prefix));
    TRY(read_affix(r, model, "end_of_word_suffix", "", &hf->suffix));
    TRY(hf_json_bool(model, &model_at, "fuse_unk", &hf->fuse_unknown, r->err));
    TRY(hf_json_bool(model, &model_at, "byte_fallback", &hf->byte_fallback, r->err));
    TRY(hf_json_bool(model, &model_at, "ignore_merges", &hf->ignore_merges, r->err));
done:
    return status;
}

static ondol_status read_unigram(hf_reader *r, const json_t *model, hf_vocabulary *v) {
    ondol_status status = ONDOL_OK;
    int64_t unknown = HF_NO_ID;
    TRY(read_vocab_list(r, model, v));
    TRY(hf_json_integer(model, &model_at, "unk_id", 0, (int64_t)r->hf->n_vocab - 1, &unknown,
                        r->err));
    TRY(hf_json_bool(model, &model_at, "byte_fallback", &r->hf->byte_fallback, r->err));
    r->hf->unknown_id = (int32_t)unknown;
done:
    return status;
}

static ondol_status read_wordpiece(hf_reader *r, const json_t *model, hf_vocabulary *v) {
    ondol_status status = ONDOL_OK;
    int64_t chars = 100;
    TRY(read_vocab_object(r, model, v));
    TRY(read_unknown(r, model, "[UNK]"));
    TRY(read_affix(r, model, "continuing_subword_prefix", "##", &r->hf->prefix));
    TRY(hf_json_integer(model, &model_at, "max_input_chars_per_word", 0, INT64_MAX, &chars,
                        r->err));
    r->hf->word_chars_max = (size_t)chars;
done:
    return status;
}

static void find_bytes(hf_reader *r, hf_vocabulary *v) {
    hf_pipeline *hf = r->hf;
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        uint32_t id = 0;
        snprintf(text, sizeof text, "<0x%02X>", byte);
        hf->byte_tokens[byte] = HF_NO_ID;
        if (!base_map_get(&hf->vocab, text, 6, &id)) continue;
        hf->byte_tokens[byte] = (int32_t)id;
        if (hf->byte_fallback) v->types[id] = TEXT_TOKEN_BYTE;
    }
}

/* Files of before types were written. */
static int guess_type(const json_t *model) {
    if (json_read_member(model, "merges")) return HF_MODEL_BPE;
    if (json_is_array(json_read_member(model, "vocab"))) return HF_MODEL_UNIGRAM;
    return json_read_member(model, "max_input_chars_per_word") ? HF_MODEL_WORDPIECE
                                                               : HF_MODEL_WORD_LEVEL;
}

ondol_status hf_model_read(hf_reader *r, const json_t *from, hf_vocabulary *v) {
    static const char *const names[] = {"BPE", "Unigram", "WordPiece", "WordLevel"};
    ondol_status status = ONDOL_OK;
    const json_t *model = NULL;
    TRY(hf_json_object(from, NULL, "model", &model, r->err));
    if (!model) return hf_json_wrong(&model_at, NULL, "an object", r->err);
    const int type = json_read_member(model, "type")
                         ? hf_json_type(model, &model_at, names, 4, r->err)
                         : guess_type(model);
    if (type < 0) return ONDOL_E_FORMAT;
    r->hf->model = (hf_model_kind)type;
    r->hf->unknown_id = HF_NO_ID;
    switch (r->hf->model) {
    case HF_MODEL_BPE: TRY(read_bpe(r, model, v)); break;
    case HF_MODEL_UNIGRAM: TRY(read_unigram(r, model, v)); break;
    case HF_MODEL_WORDPIECE: TRY(read_wordpiece(r, model, v)); break;
    case HF_MODEL_WORD_LEVEL:
        TRY(read_vocab_object(r, model, v));
        TRY(read_unknown(r, model, "<unk>"));
        break;
    }
    find_bytes(r, v);
done:
    return status;
}

/* ---- what needs the tokenizer's own copy ---- */

static ondol_status finish_bpe(hf_reader *r, const json_t *model) {
    ondol_status status = ONDOL_OK;
    const hf_place at = {&model_at, "merges", 0};
    const json_t *merges = NULL;
    TRY(hf_json_list(model, &model_at, at.name, &merges, r->err));
    if (!merges) return hf_json_wrong(&at, NULL, "a list", r->err);
    TRY(hf_merges_read(r, merges, &at));
    for (size_t i = 0; i < 0x200; i++) {
        uint32_t *id = &r->hf->letters[i];
        if (*id != MERGE_NO_SYMBOL && r->tok->flags[*id] & TOKEN_HIDDEN) *id = MERGE_NO_SYMBOL;
    }
done:
    return status;
}

static ondol_status finish_unigram(hf_reader *r, const json_t *model) {
    hf_pipeline *hf = r->hf;
    const json_t *vocab = json_read_member(model, "vocab");
    ondol_status status = ONDOL_OK;
    hf->scores = base_calloc(hf->allocator, r->tok->n_tokens + 1, sizeof *hf->scores);
    if (!hf->scores) return base_no_memory(r->err, "the vocabulary", r->tok->n_tokens * 8);
    hf->lowest_score = DBL_MAX;
    for (size_t i = 0; i < json_array_size(vocab); i++) {
        const json_t *row = json_array_get(vocab, i);
        const text_view text = hf_json_view(json_array_get(row, 0));
        uint32_t id = 0;
        hf->scores[i] = json_number_value(json_array_get(row, 1));
        if (hf->scores[i] < hf->lowest_score) hf->lowest_score = hf->scores[i];
        if (!base_map_get(&hf->vocab, text.data, text.size, &id)) continue;
        TRY(trie_add(&hf->pieces, text.data, text.size, (int32_t)id, r->err));
    }
done:
    return status;
}

static ondol_status finish_wordpiece(hf_reader *r, const json_t *model) {
    hf_pipeline *hf = r->hf;
    ondol_status status = ONDOL_OK;
    json_t *tree = (json_t *)(uintptr_t)json_read_member(model, "vocab");
    for (void *i = json_object_iter(tree); i; i = json_object_iter_next(tree, i)) {
        const char *text = json_object_iter_key(i);
        const json_int_t id = json_integer_value(json_object_iter_value(i));
        TRY(trie_add(&hf->pieces, text, strlen(text), (int32_t)id, r->err));
    }
    hf->prefix_node = TRIE_ROOT;
    for (size_t i = 0; i < hf->prefix.size && hf->prefix_node != TRIE_NO_NODE; i++) {
        hf->prefix_node = hf->pieces.n_nodes == 0 ? TRIE_NO_NODE
                                                  : trie_step(&hf->pieces, hf->prefix_node,
                                                              (unsigned char)hf->prefix.data[i]);
    }
done:
    return status;
}

ondol_status hf_model_finish(hf_reader *r, const json_t *from) {
    const json_t *model = json_read_member(from, "model");
    switch (r->hf->model) {
    case HF_MODEL_BPE: return finish_bpe(r, model);
    case HF_MODEL_UNIGRAM: return finish_unigram(r, model);
    case HF_MODEL_WORDPIECE: return finish_wordpiece(r, model);
    default: return ONDOL_OK;
    }
}
