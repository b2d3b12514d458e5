/* BPE as the tokenizers library has it. In: the merges; a piece in the model's letters. Out: ids.
 * Source: Sennrich et al. 2016; merges are of ids, so one text may be reached in several ways. */
#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/utf8.h"
#include "text/hugging_face/hf_pipeline.h"

#define LETTER_BYTES_MAX 1024u /* a character with its prefix and suffix */

/* ---- the table ---- */

static bpe_slot *merge_find(const hf_pipeline *hf, uint64_t pair) {
    size_t i =
        (size_t)(((pair ^ pair >> 32) * hf->merge_multiplier + pair) * hf->merge_multiplier >>
                 hf->merge_shift);
    while (hf->merges[i].rank != UINT32_MAX && hf->merges[i].pair != pair) {
        i = (i + 1) & (hf->merge_capacity - 1);
    }
    return &hf->merges[i];
}

static ondol_status merges_reserve(hf_reader *r, size_t n) {
    hf_pipeline *hf = r->hf;
    size_t capacity = 16;
    uint64_t seed[2];
    hf->merge_shift = 60;
    for (; capacity < n * 2; capacity *= 2)
        hf->merge_shift--;
    hf->merges = base_alloc(hf->allocator, capacity, sizeof *hf->merges);
    if (!hf->merges) return base_no_memory(r->err, "the merges", capacity * sizeof(bpe_slot));
    memset(hf->merges, 0xff, capacity * sizeof *hf->merges);
    hf->merge_capacity = capacity;
    base_random_seed(seed);
    hf->merge_multiplier = seed[0] | 1;
    return ONDOL_OK;
}

/* "left right" or ["left", "right"]. */
static ondol_status merge_parts(hf_reader *r, const json_t *v, const hf_place *at, text_view *left,
                                text_view *right) {
    if (json_is_array(v) && json_array_size(v) == 2 && json_is_string(json_array_get(v, 0)) &&
        json_is_string(json_array_get(v, 1))) {
        *left = hf_json_view(json_array_get(v, 0));
        *right = hf_json_view(json_array_get(v, 1));
        return ONDOL_OK;
    }
    if (json_is_string(v)) {
        const text_view both = hf_json_view(v);
        const char *space = memchr(both.data, ' ', both.size);
        const size_t n = space ? (size_t)(space - both.data) : 0;
        if (space && !memchr(space + 1, ' ', both.size - n - 1)) {
            *left = (text_view){both.data, n};
            *right = (text_view){space + 1, both.size - n - 1};
            return ONDOL_OK;
        }
    }
    return hf_json_wrong(at, v, "two texts, as a list or with one space between", r->err);
}

static ondol_status merge_id(hf_reader *r, const hf_place *at, const char *text, size_t n,
                             uint32_t *id) {
    char place[HF_PLACE_BYTES];
    if (base_map_get(&r->hf->vocab, text, n, id)) return ONDOL_OK;
    return base_fail(r->err, ONDOL_E_FORMAT,
                     "tokenizer.json: %s: \"%.*s\" is not in the vocabulary",
                     hf_place_text(at, place), n < 40 ? (int)n : 40, text);
}

static ondol_status merge_add(hf_reader *r, const json_t *v, const hf_place *at, uint32_t rank,
                              base_buffer *joined) {
    hf_pipeline *hf = r->hf;
    ondol_status status = ONDOL_OK;
    text_view left = {NULL, 0}, right = {NULL, 0};
    uint32_t left_id = 0, right_id = 0, id = 0;
    TRY(merge_parts(r, v, at, &left, &right));
    TRY(merge_id(r, at, left.data, left.size, &left_id));
    TRY(merge_id(r, at, right.data, right.size, &right_id));
    if (right.size < hf->prefix.size)
        return hf_json_wrong(at, v, "a right part that has the continuing_subword_prefix", r->err);
    joined->size = 0;
    base_buffer_append(joined, left.data, left.size);
    base_buffer_append(joined, right.data + hf->prefix.size, right.size - hf->prefix.size);
    TRY(base_buffer_status(joined, "a merge", r->err));
    TRY(merge_id(r, at, joined->data, joined->size, &id));
    const uint64_t pair = (uint64_t)left_id << 32 | right_id;
    *merge_find(hf, pair) = (bpe_slot){pair, rank, id};
done:
    return status;
}

/* Ids of characters below U+0200 alone, which byte letters are. */
static void find_letters(hf_pipeline *hf) {
    unsigned char utf8[4];
    for (uint32_t code = 0; code < 0x200; code++) {
        const size_t n = base_utf8_encode(code, utf8);
        hf->letters[code] = MERGE_NO_SYMBOL;
        base_map_get(&hf->vocab, (const char *)utf8, n, &hf->letters[code]);
    }
}

ondol_status hf_merges_read(hf_reader *r, const json_t *from, const hf_place *at) {
    ondol_status status = ONDOL_OK;
    const size_t n = json_array_size(from);
    uint32_t rank = 0;
    base_buffer joined;
    base_buffer_init(&joined, r->hf->allocator, SIZE_MAX / 2);
    if (n >= UINT32_MAX / 4)
        return base_fail(r->err, ONDOL_E_LIMIT, "tokenizer.json: too many merges");
    TRY(merges_reserve(r, n));
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(from, i);
        const hf_place here = {at, NULL, i};
        if (json_is_string(v) && strncmp(json_string_value(v), "#version", 8) == 0) continue;
        TRY(merge_add(r, v, &here, rank++, &joined));
    }
    find_letters(r->hf);
done:
    base_buffer_destroy(&joined);
    return status;
}

/* ---- a piece ---- */

static bool bpe_lookup(const void *context, const merge_symbol *left, const merge_symbol *right,
                       uint32_t *rank, uint32_t *id) {
    const hf_work *work = context;
    const bpe_slot *slot = merge_find(work->hf, (uint64_t)left->id << 32 | right->id);
    if (slot->rank == UINT32_MAX || hf_hidden(work, (int32_t)slot->id)) return false;
    *rank = slot->rank;
    *id = slot->id;
    return true;
}

/* A character as the vocabulary has it, prefix and suffix on it: in bytes, or where it stands. */
static text_view letter_text(const hf_pipeline *hf, const char *text, size_t n, bool first,
                             bool last, char bytes[LETTER_BYTES_MAX]) {
    const text_view prefix = first ? (text_view){"", 0} : hf->prefix;
    const text_view suffix = last ? hf->suffix : (text_view){"", 0};
    if (prefix.size + suffix.size == 0) return (text_view){text, n};
    memcpy(bytes, prefix.data, prefix.size);
    memcpy(bytes + prefix.size, text, n);
    memcpy(bytes + prefix.size + n, suffix.data, suffix.size);
    return (text_view){bytes, prefix.size + n + suffix.size};
}

/* The tokens of its bytes, if all are there. */
static bool push_bytes(hf_work *work, text_view letter, size_t at, bool *kept) {
    const hf_pipeline *hf = work->hf;
    for (size_t i = 0; i < letter.size; i++) {
        if (hf->byte_tokens[(unsigned char)letter.data[i]] < 0) return false;
    }
    for (size_t i = 0; i < letter.size && *kept; i++) {
        const int32_t id = hf->byte_tokens[(unsigned char)letter.data[i]];
        *kept = merge_push(&work->merges, (uint32_t)id, (uint32_t)at, 1);
    }
    return true;
}

/* Unknown characters in a row, which wait until a known one comes. */
typedef struct unknown_run {
    size_t start, size; /* size 0: none */
} unknown_run;

static bool push_unknown(hf_work *work, unknown_run *run) {
    const bool kept = run->size == 0 || merge_push(&work->merges, (uint32_t)work->hf->unknown_id,
                                                   (uint32_t)run->start, (uint32_t)run->size);
    run->size = 0;
    return kept;
}

static bool push_letter(hf_work *work, const char *text, size_t n, size_t at, size_t used,
                        unknown_run *run) {
    const hf_pipeline *hf = work->hf;
    char bytes[LETTER_BYTES_MAX];
    const text_view letter = letter_text(hf, text + at, used, at == 0, at + used == n, bytes);
    const int32_t id = hf_vocab_find(work, letter.data, letter.size);
    bool kept = true;
    if (id >= 0)
        return push_unknown(work, run) &&
               merge_push(&work->merges, (uint32_t)id, (uint32_t)at, (uint32_t)used);
    if (hf->byte_fallback && push_bytes(work, letter, at, &kept)) return kept;
    if (hf->unknown_id < 0) return true;
    if (run->size > 0 && !hf->fuse_unknown) kept = push_unknown(work, run);
    if (run->size == 0) run->start = at;
    run->size += used;
    return kept;
}

static bool push_letters(hf_work *work, const char *text, size_t n) {
    const hf_pipeline *hf = work->hf;
    const bool plain = hf->prefix.size + hf->suffix.size == 0 && !work->hide;
    unknown_run run = {0, 0};
    merge_clear(&work->merges);
    for (size_t at = 0; at < n;) {
        uint32_t code = 0;
        size_t used = base_utf8_decode((const unsigned char *)text + at, n - at, &code);
        if (used == 0) used = 1;
        bool kept = true;
        if (plain && code < 0x200 && run.size == 0 && hf->letters[code] != MERGE_NO_SYMBOL) {
            kept = merge_push(&work->merges, hf->letters[code], (uint32_t)at, (uint32_t)used);
        } else {
            kept = push_letter(work, text, n, at, used, &run);
        }
        if (!kept) return false;
        at += used;
    }
    return push_unknown(work, &run);
}

ondol_status hf_bpe_encode(hf_work *work, const char *text, size_t n) {
    if (work->hf->ignore_merges) {
        const int32_t id = hf_vocab_find(work, text, n);
        if (id >= 0) {
            hf_put(work, id);
            return ONDOL_OK;
        }
    }
    merge_work *merges = &work->merges;
    if (!push_letters(work, text, n) || !merge_run(merges, bpe_lookup, work))
        return base_no_memory(work->err, "merging tokens", n);
    for (uint32_t i = 0; i < merges->n_symbols; i = merges->symbols[i].next)
        hf_put(work, (int32_t)merges->symbols[i].id);
    return ONDOL_OK;
}
