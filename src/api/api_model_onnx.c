/* ONNX language models. In: a folder as ONNX Runtime GenAI's builder writes it, or a file alone.
 * Out: its graph, decoder, tokenizer, template, sizes. */
#include <string.h>

#include "api/api_internal.h"
#include "base/file.h"
#include "models/onnx_import.h"

/* Small constants are computed at once; weights stay as their file has them. */
#define FOLD_BYTES ((uint64_t)1 << 20)

#define CONTEXT_DEFAULT 4096u

/* ------------------------------------------------------------ files */

static char *join(const ondol_allocator *a, const char *folder, const char *name) {
    const size_t n = strlen(folder), k = strlen(name);
    char *path = base_alloc(a, n + k + 2, 1);
    if (!path) return NULL;
    memcpy(path, folder, n);
    path[n] = '/';
    memcpy(path + n + 1, name, k + 1);
    return path;
}

/* The file of that name beside the model. *found false: there is none. */
static ondol_status open_beside(const ondol_model *m, const char *folder, const char *name,
                                base_file *out, bool *found, ondol_error *err) {
    const ondol_allocator *a = &m->engine->allocator;
    char *path = join(a, folder, name);
    *found = false;
    if (!path) return base_no_memory(err, "path", strlen(folder));
    ondol_status status = ONDOL_OK;
    if (base_path_kind_of(path) != BASE_PATH_MISSING) {
        status = base_file_open(a, path, false, out, err);
        *found = status == ONDOL_OK;
    }
    base_free(a, path);
    return base_prefix(err, status, "%s", name);
}

/* The folder that a file lies in; "." where its path names none. */
static char *folder_of(const ondol_allocator *a, const char *path) {
    const char *end = NULL;
    for (const char *p = path; *p; p++)
        if (*p == '/' || *p == '\\') end = p;
    if (!end) return base_strndup(a, ".", 1);
    return base_strndup(a, path, end == path ? 1 : (size_t)(end - path));
}

/* ------------------------------------------------------------ the model */

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

ondol_status api_model_read_onnx(ondol_model *m, const char *folder,
                                 const models_genai_config *config, ondol_error *err) {
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
    (void)folder;
done:
    return status;
}

static ondol_status read_folder(ondol_model *m, const char *folder, const char *path, bool no_map,
                                ondol_error *err) {
    const ondol_allocator *a = &m->engine->allocator;
    const onnx_open_options how = {.no_map = no_map};
    base_file file = {0};
    models_genai_config config = {0};
    char *model = NULL;
    bool found = false;
    ondol_status status = open_beside(m, folder, "genai_config.json", &file, &found, err);
    if (status != ONDOL_OK) return status;
    if (found) TRY(models_genai_config_read((const char *)file.data, file.size, &config, err));
    if (!found && !path) {
        status = base_fail(err, ONDOL_E_NOT_FOUND, "the folder holds no genai_config.json");
        goto done;
    }
    model = path ? base_strndup(a, path, strlen(path)) : join(a, folder, config.filename);
    if (!model) {
        status = base_no_memory(err, "path", strlen(folder));
        goto done;
    }
    TRY(onnx_file_open(a, model, &how, &m->onnx, err));
    TRY(api_model_read_onnx(m, folder, found ? &config : NULL, err));
done:
    models_genai_config_free(&config);
    base_file_close(&file);
    base_free(a, model);
    return status;
}

ondol_status api_model_open_onnx(ondol_model *m, const char *path, bool folder, bool no_map,
                                 ondol_error *err) {
    const ondol_allocator *a = &m->engine->allocator;
    if (folder) return read_folder(m, path, NULL, no_map, err);
    char *around = folder_of(a, path);
    if (!around) return base_no_memory(err, "path", strlen(path));
    ondol_status status = read_folder(m, around, path, no_map, err);
    base_free(a, around);
    return status;
}
