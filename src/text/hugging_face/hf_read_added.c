/* Added tokens of a tokenizer.json. In: jansson's tree. Out: their list, their ids, and the tries
 * by which they are found in a text. */
#include <string.h>

#include "formats/json/json_read.h"
#include "text/hugging_face/hf_read_model.h"

static const hf_place added_at = {NULL, "added_tokens", 0};

static ondol_status read_fields(hf_reader *r, const json_t *from, const hf_place *at,
                                hf_added *out) {
    ondol_status status = ONDOL_OK;
    text_view text = {NULL, 0};
    if (!json_is_object(from)) return hf_json_wrong(at, from, "an object", r->err);
    TRY(hf_json_need_text(from, at, "content", &text, r->err));
    TRY(hf_json_bool(from, at, "single_word", &out->single_word, r->err));
    TRY(hf_json_bool(from, at, "lstrip", &out->left, r->err));
    TRY(hf_json_bool(from, at, "rstrip", &out->right, r->err));
    TRY(hf_json_bool(from, at, "special", &out->special, r->err));
    out->normalized = !out->special;
    TRY(hf_json_bool(from, at, "normalized", &out->normalized, r->err));
    TRY(hf_copy_text(r, text, &out->content));
    out->pattern = out->content;
done:
    return status;
}

/* content through the normalizers. */
static ondol_status normalize_pattern(hf_reader *r, hf_added *token) {
    const size_t most = token->content.size * 64 + 65536;
    const ondol_allocator *a = r->hf->allocator;
    hf_work work = {.tok = r->tok, .hf = r->hf, .err = r->err};
    size_t at_start = 0;
    ondol_status status = ONDOL_OK;
    work.spans.allocator = work.regex.allocator = a;
    base_buffer_init(&work.one, a, most);
    base_buffer_init(&work.two, a, most);
    base_buffer_append(&work.one, token->content.data, token->content.size);
    TRY(base_buffer_status(&work.one, "an added token", r->err));
    TRY(hf_normalize(&work, r->hf->normalizers, &at_start));
    TRY(hf_copy_text(r, (text_view){work.one.data, work.one.size}, &token->pattern));
done:
    base_buffer_destroy(&work.one);
    base_buffer_destroy(&work.two);
    base_free(a, work.scratch);
    hf_spans_destroy(&work.spans);
    hf_regex_work_destroy(&work.regex);
    return status;
}

/* Its id: the one that its text has already, or the next. */
static ondol_status place_token(hf_reader *r, const hf_added *token, const hf_place *at,
                                uint64_t entries, uint64_t *next, hf_vocabulary *v) {
    hf_pipeline *hf = r->hf;
    uint32_t place = 0, own = 0;
    bool found = false;
    ondol_status status = ONDOL_OK;
    uint64_t id = *next;
    const text_view text = token->content;
    if (!base_map_add(&hf->added_ids, text.data, text.size, (uint32_t)hf->n_added, &found, &place))
        return base_no_memory(r->err, "the added tokens", hf->n_added);
    if (found) {
        id = (uint64_t)hf->added[place].id;
    } else {
        place = (uint32_t)hf->n_added++;
        if (base_map_get(&hf->vocab, text.data, text.size, &own)) {
            id = own;
        } else {
            ++*next;
        }
    }
    TRY(hf_vocabulary_reserve(r, v, id, entries, at));
    hf->added[place] = *token;
    hf->added[place].id = (int32_t)id;
    v->texts[id] = text;
    v->types[id] = !token->special                 ? TEXT_TOKEN_USER_DEFINED
                   : (int32_t)id == hf->unknown_id ? TEXT_TOKEN_UNKNOWN
                                                   : TEXT_TOKEN_CONTROL;
done:
    return status;
}

static ondol_status build_tries(hf_reader *r) {
    hf_pipeline *hf = r->hf;
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < hf->n_added; i++) {
        const hf_added *token = &hf->added[i];
        tokenizer_trie *trie = token->normalized ? &hf->normal_tokens : &hf->raw_tokens;
        TRY(trie_add(trie, token->pattern.data, token->pattern.size, (int32_t)i, r->err));
    }
done:
    return status;
}

ondol_status hf_added_read(hf_reader *r, const json_t *from, hf_vocabulary *v) {
    ondol_status status = ONDOL_OK;
    hf_pipeline *hf = r->hf;
    const json_t *list = NULL;
    uint64_t next = hf->n_vocab;
    TRY(hf_json_list(from, NULL, added_at.name, &list, r->err));
    const size_t n = json_array_size(list);
    hf->added = base_arena_alloc(&hf->arena, n + 1, sizeof *hf->added);
    if (!hf->added) return base_no_memory(r->err, "the added tokens", n * sizeof *hf->added);
    for (size_t i = 0; i < n; i++) {
        const hf_place here = {&added_at, NULL, i};
        hf_added token = {.id = HF_NO_ID};
        TRY(read_fields(r, json_array_get(list, i), &here, &token));
        if (token.content.size == 0) continue;
        if (token.normalized && hf->normalizers) TRY(normalize_pattern(r, &token));
        TRY(place_token(r, &token, &here, hf->n_vocab + n, &next, v));
    }
    TRY(build_tries(r));
done:
    return status;
}
