/* The post-processor of a tokenizer.json. In: jansson's tree. Out: two layouts, what stands around
 * a text without and with special tokens. */
#include <string.h>

#include "formats/json/json_read.h"
#include "text/hugging_face/hf_pipeline.h"

#define ITEMS_MAX 4096
#define PARTS_MAX 64 /* encodings that one processor hands to the next */

/* A list of encodings, each a row of ids and HF_SEQUENCE. */
typedef struct parts {
    int32_t items[ITEMS_MAX];
    size_t ends[PARTS_MAX];
    size_t count, n_items;
} parts;

typedef struct post_reader {
    hf_reader *r;
    size_t n_tokens;
    bool special; /* the layout with special tokens is being made */
    parts *from, *to;
} post_reader;

static ondol_status too_many(post_reader *p) {
    return base_fail(
        p->r->err, ONDOL_E_LIMIT,
        "tokenizer.json: post_processor: more than %d tokens around a text or %d parts", ITEMS_MAX,
        PARTS_MAX);
}

static ondol_status put_item(post_reader *p, int32_t id) {
    if (p->to->n_items == ITEMS_MAX) return too_many(p);
    p->to->items[p->to->n_items++] = id;
    return ONDOL_OK;
}

static ondol_status end_part(post_reader *p) {
    if (p->to->count == PARTS_MAX) return too_many(p);
    p->to->ends[p->to->count++] = p->to->n_items;
    return ONDOL_OK;
}

static ondol_status put_part(post_reader *p, size_t i) {
    ondol_status status = ONDOL_OK;
    for (size_t k = i > 0 ? p->from->ends[i - 1] : 0; k < p->from->ends[i]; k++)
        TRY(put_item(p, p->from->items[k]));
done:
    return status;
}

static void turn(post_reader *p) {
    parts *was = p->from;
    p->from = p->to;
    p->to = was;
    p->to->count = p->to->n_items = 0;
}

static ondol_status read_id(post_reader *p, const json_t *v, const hf_place *at, int32_t *id) {
    char place[HF_PLACE_BYTES];
    if (!json_is_integer(v)) return hf_json_wrong(at, v, "a token's id", p->r->err);
    const json_int_t number = json_integer_value(v);
    if (number < 0 || (uint64_t)number >= p->n_tokens) {
        return base_fail(p->r->err, ONDOL_E_FORMAT,
                         "tokenizer.json: %s: id %lld, but there are %zu tokens",
                         hf_place_text(at, place), (long long)number, p->n_tokens);
    }
    *id = (int32_t)number;
    return ONDOL_OK;
}

/* "cls": ["[CLS]", 101] */
static ondol_status read_pair(post_reader *p, const json_t *from, const hf_place *at,
                              const char *name, int32_t *id) {
    const hf_place here = {at, name, 0};
    const json_t *v = json_read_member(from, name);
    if (!json_is_array(v) || json_array_size(v) != 2)
        return hf_json_wrong(&here, v, "a list of a token and its id", p->r->err);
    return read_id(p, json_array_get(v, 1), &here, id);
}

/* Bert: [CLS] A [SEP] B [SEP]; Roberta: <s> A </s> </s> B </s>. */
static ondol_status run_bert(post_reader *p, const json_t *from, const hf_place *at, bool doubled) {
    ondol_status status = ONDOL_OK;
    int32_t cls = 0, sep = 0;
    TRY(read_pair(p, from, at, "cls", &cls));
    TRY(read_pair(p, from, at, "sep", &sep));
    if (!p->special) return ONDOL_OK;
    for (size_t i = 0; i < p->from->count; i++) {
        if (i == 0 || doubled) TRY(put_item(p, i == 0 ? cls : sep));
        TRY(put_part(p, i));
        TRY(put_item(p, sep));
        TRY(end_part(p));
    }
    turn(p);
done:
    return status;
}

/* {"SpecialToken": {"id": "[CLS]", ...}}: the ids of special_tokens. */
static ondol_status put_special(post_reader *p, const json_t *token, const json_t *tokens,
                                const hf_place *at) {
    ondol_status status = ONDOL_OK;
    text_view name = {NULL, 0};
    TRY(hf_json_need_text(token, at, "id", &name, p->r->err));
    const json_t *found = json_read_member(json_read_member(tokens, name.data), "ids");
    if (!json_is_array(found))
        return hf_json_wrong(at, json_read_member(token, "id"),
                             "a token that special_tokens has with a list of ids", p->r->err);
    for (size_t i = 0; i < json_array_size(found); i++) {
        int32_t id = 0;
        TRY(read_id(p, json_array_get(found, i), at, &id));
        if (p->special) TRY(put_item(p, id));
    }
    if (p->special) TRY(end_part(p));
done:
    return status;
}

static ondol_status run_template(post_reader *p, const json_t *from, const hf_place *at) {
    ondol_status status = ONDOL_OK;
    const bool pair = p->from->count == 2;
    const hf_place list_at = {at, pair ? "pair" : "single", 0};
    const json_t *list = NULL, *tokens = NULL;
    TRY(hf_json_list(from, at, list_at.name, &list, p->r->err));
    TRY(hf_json_object(from, at, "special_tokens", &tokens, p->r->err));
    if (!list) return hf_json_wrong(&list_at, NULL, "a list", p->r->err);
    if (p->from->count > 2) {
        return base_fail(p->r->err, ONDOL_E_UNSUPPORTED,
                         "tokenizer.json: post_processor: a template behind one that makes %zu "
                         "parts; 1 or 2 can be",
                         p->from->count);
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const hf_place here = {&list_at, NULL, i};
        const json_t *v = json_array_get(list, i);
        const json_t *sequence = json_read_member(v, "Sequence");
        const json_t *token = json_read_member(v, "SpecialToken");
        if (token) {
            TRY(put_special(p, token, tokens, &here));
            continue;
        }
        text_view id = {NULL, 0};
        if (!sequence) return hf_json_wrong(&here, v, "a Sequence or a SpecialToken", p->r->err);
        TRY(hf_json_need_text(sequence, &here, "id", &id, p->r->err));
        const bool second = strcmp(id.data, "B") == 0;
        if ((!second && strcmp(id.data, "A") != 0) || (second && !pair))
            return hf_json_wrong(&here, json_read_member(sequence, "id"), "sequence A", p->r->err);
        TRY(put_part(p, second));
        TRY(end_part(p));
    }
    turn(p);
done:
    return status;
}

static ondol_status run_processor(post_reader *p, const json_t *from, const hf_place *at) {
    static const char *const names[] = {"RobertaProcessing", "BertProcessing", "ByteLevel",
                                        "TemplateProcessing", "Sequence"};
    ondol_status status = ONDOL_OK;
    const int kind = hf_json_type(from, at, names, 5, p->r->err);
    const hf_place list_at = {at, "processors", 0};
    const json_t *list = NULL;
    switch (kind) {
    case 0: return run_bert(p, from, at, true);
    case 1: return run_bert(p, from, at, false);
    case 2: return ONDOL_OK; /* offsets only */
    case 3: return run_template(p, from, at);
    case 4: break;
    default: return ONDOL_E_FORMAT;
    }
    TRY(hf_json_list(from, at, list_at.name, &list, p->r->err));
    if (!list) return hf_json_wrong(&list_at, NULL, "a list", p->r->err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const hf_place here = {&list_at, NULL, i};
        TRY(run_processor(p, json_array_get(list, i), &here));
    }
done:
    return status;
}

static ondol_status make_layout(post_reader *p, const json_t *from, hf_layout *out) {
    ondol_status status = ONDOL_OK;
    const hf_place at = {NULL, "post_processor", 0};
    const json_t *v = json_read_member(from, at.name);
    p->from->count = p->from->n_items = p->to->count = p->to->n_items = 0;
    p->from->items[p->from->n_items++] = HF_SEQUENCE;
    p->from->ends[p->from->count++] = 1;
    if (v) TRY(run_processor(p, v, &at));
    out->count = p->from->n_items;
    out->items = base_arena_alloc(&p->r->hf->arena, out->count + 1, sizeof *out->items);
    if (!out->items) return base_no_memory(p->r->err, "a tokenizer", out->count * 4);
    memcpy(out->items, p->from->items, out->count * sizeof *out->items);
done:
    return status;
}

ondol_status hf_postprocessor_read(hf_reader *r, const json_t *from, size_t n_tokens) {
    ondol_status status = ONDOL_OK;
    parts *both = base_calloc(r->hf->allocator, 2, sizeof *both);
    post_reader p = {r, n_tokens, false, both, both + 1};
    if (!both) return base_no_memory(r->err, "a tokenizer", 2 * sizeof *both);
    TRY(make_layout(&p, from, &r->hf->layouts[0]));
    p.special = true;
    p.from = both;
    p.to = both + 1;
    TRY(make_layout(&p, from, &r->hf->layouts[1]));
done:
    base_free(r->hf->allocator, both);
    return status;
}
