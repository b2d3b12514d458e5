/* Text and ids. In: UTF-8 or ids. Out: the other, as the model's tokenizer says. */
#include <string.h>

#include "api/api_internal.h"

static ondol_status need_tokenizer(const ondol_model *m, ondol_error *err) {
    if (m->tokenizer) return ONDOL_OK;
    return base_fail(err, ONDOL_E_UNSUPPORTED,
                     "the model's file has no tokenizer: it runs on token ids alone");
}

ondol_status ondol_tokenize(const ondol_model *model, const char *text, size_t text_bytes,
                            uint32_t flags, int32_t *ids, size_t capacity, size_t *count,
                            ondol_error *err) {
    ondol_status status = need_tokenizer(model, err);
    if (status != ONDOL_OK) return status;
    const unsigned how = (flags & ONDOL_TOKENIZE_NO_BOS ? 0 : TEXT_ADD_SPECIAL) |
                         (flags & ONDOL_TOKENIZE_NO_SPECIAL ? 0 : TEXT_PARSE_SPECIAL);
    return text_tokenize(model->tokenizer, text, text_bytes, how, ids, capacity, count, err);
}

ondol_status ondol_detokenize(const ondol_model *model, const int32_t *ids, size_t n,
                              uint32_t flags, char *text, size_t capacity, size_t *count,
                              ondol_error *err) {
    ondol_status status = need_tokenizer(model, err);
    if (status != ONDOL_OK) return status;
    base_buffer b;
    base_buffer_init(&b, &model->engine->allocator, API_TEXT_BYTES_MAX);
    status = text_detokenize(model->tokenizer, ids, n,
                             flags & ONDOL_TEXT_SHOW_SPECIAL ? TEXT_SHOW_CONTROL : 0, &b, err);
    if (status == ONDOL_OK) api_text_give(&b, text, capacity, count);
    base_buffer_destroy(&b);
    return status;
}

int ondol_token_is_end(const ondol_model *model, int32_t id) {
    return model->tokenizer && text_token_is_end(model->tokenizer, id);
}
