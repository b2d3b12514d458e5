/* The text side of an ONNX folder. In: the files beside the model. Out: its tokenizer and template.
 */
#include "api/api_folder.h"
#include "api/api_internal.h"
#include "text/text_hugging_face.h"

enum { TOKENIZER, CONFIG, SPECIAL, GENERATION, JINJA, TEMPLATE, FILES };

static const char *const NAMES[FILES] = {
    [TOKENIZER] = "tokenizer.json",        [CONFIG] = "tokenizer_config.json",
    [SPECIAL] = "special_tokens_map.json", [GENERATION] = "generation_config.json",
    [JINJA] = "chat_template.jinja",       [TEMPLATE] = "chat_template.json",
};

static text_view view_of(const base_file *f) {
    return (text_view){(const char *)f->data, (size_t)f->size};
}

static text_hf_files views_of(const base_file files[FILES]) {
    return (text_hf_files){.tokenizer = view_of(files + TOKENIZER),
                           .tokenizer_config = view_of(files + CONFIG),
                           .special_tokens_map = view_of(files + SPECIAL),
                           .generation_config = view_of(files + GENERATION),
                           .template_jinja = view_of(files + JINJA),
                           .template_json = view_of(files + TEMPLATE)};
}

ondol_status api_model_read_folder_text(ondol_model *m, const api_folder *folder,
                                        ondol_error *err) {
    const ondol_allocator *a = &m->engine->allocator;
    const models_genai_config *c = &folder->config;
    text_hf_options options = TEXT_HF_OPTIONS_INIT;
    int64_t ends[MODELS_GENAI_ENDS_MAX];
    base_file files[FILES] = {0};
    bool found = false;
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < FILES; i++)
        TRY(api_folder_read(folder, NAMES[i], files + i, &found, err));
    for (size_t i = 0; i < c->end_count; i++)
        ends[i] = c->ends[i];
    if (folder->has_config && c->bos >= 0) options.bos = c->bos;
    if (folder->has_config && c->pad >= 0) options.pad = c->pad;
    options.ends = ends;
    options.n_ends = c->end_count;
    const text_hf_files views = views_of(files);
    if (views.tokenizer.data)
        TRY(text_tokenizer_from_json(a, &views, &options, &m->tokenizer, err));
    TRY(text_hf_template(a, &views, NULL, &m->chat_template, err));
done:
    for (size_t i = 0; i < FILES; i++)
        base_file_close(files + i);
    return status;
}
