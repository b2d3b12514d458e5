/* ONNX language models. In: a folder as ONNX Runtime GenAI's builder writes it, or a file alone.
 * Out: its graph, decoder, tokenizer, template, sizes. */
#include <string.h>

#include "api/api_folder.h"
#include "api/api_internal.h"
#include "models/onnx_import.h"

/* Small constants are computed at once; weights stay as their file has them. */
#define FOLD_BYTES ((uint64_t)1 << 20)

#define CONTEXT_DEFAULT 4096u

static void count_weights(ondol_model *m) {
    static const uint64_t seed[2] = {0x6f6e646f6c2d6f6e, 0x6e782d6d6f64656c};
    const graph *g = m->portable;
    for (graph_value_id v = 0; v < g->value_count; v++) {
        const graph_value *value = g->values + v;
        uint64_t elements = 0;
        if (value->kind != GRAPH_VALUE_INITIALIZER) continue;
        if (graph_shape_elements(&value->shape, &elements)) m->parameters += elements;
        m->weight_bytes += value->data_bytes;
    }
    m->fingerprint = base_siphash(seed, &m->weight_bytes, sizeof m->weight_bytes) ^
                     base_siphash(seed, g->name, strlen(g->name)) ^ g->node_count;
}

static ondol_status recognise(ondol_model *m, const models_genai_config *c, ondol_error *err) {
    const optimize_evaluator evaluator = {m->engine, api_evaluate};
    optimize_options o = {.evaluator = &evaluator, .context = CONTEXT_DEFAULT};
    if (c) {
        o.input_ids = c->input_ids;
        o.attention_mask = c->attention_mask;
        o.position_ids = c->position_ids;
        o.logits = c->logits;
        if (c->context) o.context = c->context;
    }
    return optimize_decoder_create(&m->engine->allocator, m->portable, &o, &m->decoder, err);
}

static ondol_status take_info(ondol_model *m, const models_genai_config *c, ondol_error *err) {
    const char *type = c ? c->type : "onnx";
    const uint64_t most = m->decoder->max_positions;
    ondol_status status = api_model_copy_text(m, type, strlen(type), &m->architecture, err);
    if (status != ONDOL_OK) return status;
    m->info = (models_info){.architecture = m->architecture,
                            .layers = m->decoder->layer_count,
                            .hidden = m->decoder->hidden,
                            .vocabulary = m->decoder->vocabulary,
                            .context = c && c->context ? c->context : 0};
    if (!m->info.context)
        m->info.context = most && most < UINT32_MAX ? (uint32_t)most : CONTEXT_DEFAULT;
    if (most && most < m->info.context) m->info.context = (uint32_t)most;
    return ONDOL_OK;
}

ondol_status api_model_read_onnx(ondol_model *m, const api_folder *folder, ondol_error *err) {
    const models_genai_config *config = folder && folder->has_config ? &folder->config : NULL;
    ondol_engine *e = m->engine;
    ondol_status status = ONDOL_OK;
    TRY(models_graph_from_onnx(&e->allocator, m->onnx, &m->portable, err));
    base_mutex_lock(e->step_lock);
    status = network_fold_constants(&e->allocator, m->portable, e->devices, e->device_count,
                                    e->pool, FOLD_BYTES, err);
    base_mutex_unlock(e->step_lock);
    if (status != ONDOL_OK) return status;
    TRY(recognise(m, config, err));
    TRY(take_info(m, config, err));
    TRY(api_model_copy_text(m, "", 0, &m->name, err));
    if (config) m->bos = config->bos;
    if (config && config->end_count) m->eos = config->ends[0];
    count_weights(m);
done:
    return status;
}

ondol_status api_model_open_onnx(ondol_model *m, const char *path, bool no_map, ondol_error *err) {
    const onnx_open_options how = {.no_map = no_map};
    api_folder folder;
    ondol_status status = ONDOL_OK;
    TRY(api_folder_open(&m->engine->allocator, path, &folder, err));
    TRY(onnx_file_open(&m->engine->allocator, folder.model, &how, &m->onnx, err));
    TRY(api_model_read_onnx(m, &folder, err));
done:
    api_folder_free(&folder);
    return status;
}
