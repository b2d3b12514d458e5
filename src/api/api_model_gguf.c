/* GGUF models. In: an open file. Out: its graph, decoder, tokenizer, template, sizes. */
#include <string.h>

#include "api/api_internal.h"
#include "models/gguf_text.h"

static ondol_status read_text(ondol_model *m, models_text *text, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    gguf_string name = {NULL, 0};
    if (text->spec.kind != TEXT_KIND_NONE)
        TRY(text_tokenizer_create(&m->engine->allocator, &text->spec, &m->tokenizer, err));
    if (text->template_text.data) {
        TRY(api_model_copy_text(m, text->template_text.data, text->template_text.size,
                                &m->chat_template, err));
    }
    m->bos = text->bos_id;
    m->eos = text->eos_id;
    const gguf_value *value = gguf_find_key(m->gguf, "general.name");
    if (value) gguf_value_string(value, &name);
    TRY(api_model_copy_text(m, name.text, name.size_bytes, &m->name, err));
done:
    return status;
}

static void count_tensors(ondol_model *m) {
    /* A fixed key: the number must be the same in every process. */
    static const uint64_t seed[2] = {0x6f6e646f6c2d6d6f, 0x64656c2d66696e67};
    const gguf_part *part = gguf_part_at(m->gguf, 0);
    for (size_t i = 0; i < gguf_tensor_count(m->gguf); i++) {
        const gguf_tensor *t = gguf_tensor_at(m->gguf, i);
        m->parameters += t->n_elems;
        m->weight_bytes += t->size_bytes;
    }
    for (uint32_t i = 0; i < gguf_part_count(m->gguf); i++) {
        const uint64_t one = base_file_identity(gguf_part_at(m->gguf, i)->path);
        m->identity = one ? base_siphash(seed, &one, sizeof one) ^ m->identity * 31 : 0;
        if (!one) break;
    }
    m->fingerprint = base_siphash(seed, part->data, (size_t)part->header_bytes) ^ m->weight_bytes;
}

static ondol_status take_file(ondol_model *m, ondol_error *err) {
    const char *path = gguf_part_at(m->gguf, 0)->path;
    return *path ? api_model_copy_text(m, path, strlen(path), &m->file, err) : ONDOL_OK;
}

ondol_status api_model_read_gguf(ondol_model *m, ondol_error *err) {
    const ondol_allocator *a = &m->engine->allocator;
    models_text *text = NULL;
    ondol_status status = ONDOL_OK;
    TRY(models_graph_from_gguf(a, m->gguf, &m->portable, &m->info, err));
    TRY(optimize_decoder_create(a, m->portable, NULL, &m->decoder, err));
    TRY(models_text_from_gguf(a, m->gguf, &text, err));
    TRY(read_text(m, text, err));
    TRY(take_file(m, err));
    count_tensors(m);
done:
    models_text_destroy(text);
    return status;
}
