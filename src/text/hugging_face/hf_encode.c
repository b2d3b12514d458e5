/* text_tokenize by a tokenizer.json: added tokens, normalizers, pre-tokenizers, model, and what
 * goes around. */
#include <string.h>

#include "text/hugging_face/hf_pipeline.h"

#define GROWTH_MAX 64u /* times that a text may get longer by rewriting */

void *hf_scratch(hf_work *work, size_t n, size_t size) {
    if (n > SIZE_MAX / size) return NULL;
    if (work->scratch && work->scratch_bytes >= n * size) return work->scratch;
    base_free(work->hf->allocator, work->scratch);
    work->scratch_bytes = 0;
    work->scratch = base_alloc(work->hf->allocator, n, size);
    if (work->scratch) work->scratch_bytes = n * size;
    return work->scratch;
}

static ondol_status encode_piece(hf_work *work, const hf_piece *piece) {
    const char *text = work->text.data + piece->start;
    switch (work->hf->model) {
    case HF_MODEL_BPE: return hf_bpe_encode(work, text, piece->size);
    case HF_MODEL_UNIGRAM: return hf_unigram_encode(work, text, piece->size);
    case HF_MODEL_WORDPIECE: hf_wordpiece_encode(work, text, piece->size); break;
    case HF_MODEL_WORD_LEVEL: hf_word_level_encode(work, text, piece->size); break;
    }
    return ONDOL_OK;
}

static ondol_status encode_pieces(hf_work *work) {
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < work->pieces.count; i++) {
        const hf_piece *piece = &work->pieces.at[i];
        if (piece->token >= 0) {
            hf_put(work, work->hf->added[piece->token].id);
        } else {
            TRY(encode_piece(work, piece));
        }
    }
done:
    return status;
}

static ondol_status encode_all(hf_work *work, const char *text, size_t n, unsigned flags) {
    ondol_status status = ONDOL_OK;
    const hf_layout *layout = &work->hf->layouts[flags & TEXT_ADD_SPECIAL ? 1 : 0];
    encoder valid = {.tok = work->tok, .err = work->err};
    base_buffer_init(&valid.other, work->hf->allocator, UINT32_MAX - 1);
    TRY(encoder_valid_utf8(&valid, &valid.other, &text, &n));
    TRY(hf_added_find(work, text, n));
    TRY(hf_pretokenize(work));
    for (size_t i = 0; i < layout->count; i++) {
        if (layout->items[i] != HF_SEQUENCE) {
            hf_put(work, layout->items[i]);
        } else {
            TRY(encode_pieces(work));
        }
    }
done:
    base_buffer_destroy(&valid.other);
    return status;
}

ondol_status hf_encode(const text_tokenizer *tok, const char *text, size_t n, unsigned flags,
                       int32_t *ids, size_t cap, size_t *count, ondol_error *err) {
    const ondol_allocator *a = tok->allocator;
    const uint64_t limit = (uint64_t)n * GROWTH_MAX + 65536;
    const size_t most = limit < UINT32_MAX - 1 ? (size_t)limit : UINT32_MAX - 1;
    hf_work work = {.tok = tok, .hf = tok->hf, .err = err, .ids = ids, .cap = cap};
    work.hide = !(flags & TEXT_PARSE_SPECIAL);
    work.spans.allocator = work.regex.allocator = a;
    merge_init(&work.merges, a);
    base_buffer_init(&work.text, a, most);
    base_buffer_init(&work.other, a, most);
    base_buffer_init(&work.one, a, most);
    base_buffer_init(&work.two, a, most);
    ondol_status status = encode_all(&work, text, n, flags);
    if (status == ONDOL_OK && work.count > INT32_MAX) {
        status = base_fail(err, ONDOL_E_LIMIT, "tokenize: %zu tokens; at most 2147483647 are done",
                           work.count);
    }
    if (status == ONDOL_OK) *count = work.count;
    base_free(a, work.scratch);
    base_free(a, work.pieces.at);
    base_free(a, work.next.at);
    hf_spans_destroy(&work.spans);
    hf_regex_work_destroy(&work.regex);
    merge_destroy(&work.merges);
    base_buffer_destroy(&work.text);
    base_buffer_destroy(&work.other);
    base_buffer_destroy(&work.one);
    base_buffer_destroy(&work.two);
    return status;
}
