/* ONNX language models. In: a folder as ONNX Runtime GenAI's builder writes it, or a file alone.
 * Out: its graph, decoder, tokenizer, template, sizes. */
#include <string.h>

#include "api/api_folder.h"
#include "api/api_internal.h"
#include "api/api_written.h"
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

/* The graph as it is written, when `why` is all that stands against the other way. */
static ondol_status run_as_written(ondol_model *m, const models_genai_config *c,
                                   const ondol_error *why, ondol_error *err) {
    api_written_info info = {0};
    ondol_status status = ONDOL_OK;
    TRY(api_model_copy_text(m, why->text, strlen(why->text), &m->unrecognised, err));
    TRY(api_written_create(m->engine, m->portable, m->encoder, c, &m->written, &info, err));
    m->info.vocabulary = info.vocabulary;
    m->info.layers = c && c->layers ? c->layers : info.layers;
    m->info.hidden = c ? c->hidden : 0;
done:
    return status;
}

static ondol_status take_info(ondol_model *m, const models_genai_config *c, ondol_error *err) {
    const char *type = c ? c->type : "onnx";
    const uint64_t most = m->decoder ? m->decoder->max_positions : 0;
    uint32_t context = c ? c->context : 0;
    ondol_status status = api_model_copy_text(m, type, strlen(type), &m->architecture, err);
    if (status != ONDOL_OK) return status;
    if (m->decoder) {
        m->info.layers = m->decoder->layer_count;
        m->info.hidden = m->decoder->hidden;
        m->info.vocabulary = m->decoder->vocabulary;
    }
    if (!context) context = most && most < UINT32_MAX ? (uint32_t)most : CONTEXT_DEFAULT;
    if (most && most < context) context = (uint32_t)most;
    m->info.architecture = m->architecture;
    m->info.context = context;
    return ONDOL_OK;
}

ondol_status api_model_read_onnx(ondol_model *m, const api_folder *folder, ondol_error *err) {
    const models_genai_config *config = folder && folder->has_config ? &folder->config : NULL;
    ondol_engine *e = m->engine;
    ondol_error why = {.status = ONDOL_OK};
    ondol_status status = ONDOL_OK;
    TRY(models_graph_from_onnx(&e->allocator, m->onnx, &m->portable, err));
    base_mutex_lock(e->step_lock);
    status = network_fold_constants(&e->allocator, m->portable, e->devices, e->device_count,
                                    e->pool, FOLD_BYTES, err);
    base_mutex_unlock(e->step_lock);
    if (status != ONDOL_OK) return status;
    count_weights(m);
    m->identity = onnx_file_identity(m->onnx);
    status = recognise(m, config, &why);
    if (status == ONDOL_E_UNSUPPORTED) {
        status = run_as_written(m, config, &why, err);
    } else if (status != ONDOL_OK && err) {
        *err = why;
    }
    if (status != ONDOL_OK) return status;
    TRY(take_info(m, config, err));
    if (folder) TRY(api_model_read_folder_text(m, folder, err));
    TRY(api_model_copy_text(m, "", 0, &m->name, err));
    if (config) m->bos = config->bos;
    if (config && config->end_count) m->eos = config->ends[0];
done:
    return status;
}

ondol_status api_model_open_onnx(ondol_model *m, const char *path, bool no_map, ondol_error *err) {
    const onnx_open_options how = {.no_map = no_map};
    api_folder folder;
    ondol_status status = ONDOL_OK;
    TRY(api_folder_open(&m->engine->allocator, path, &folder, err));
    TRY(onnx_file_open(&m->engine->allocator, folder.model, &how, &m->onnx, err));
    TRY(api_model_copy_text(m, folder.model, strlen(folder.model), &m->file, err));
    if (folder.encoder) {
        TRY(onnx_file_open(&m->engine->allocator, folder.encoder, &how, &m->encoder_file, err));
        TRY(models_graph_from_onnx(&m->engine->allocator, m->encoder_file, &m->encoder, err));
    }
    TRY(api_model_read_onnx(m, &folder, err));
done:
    api_folder_free(&folder);
    return status;
}
