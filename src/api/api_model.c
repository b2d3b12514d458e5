/* Models. In: a file or a source. Out: graph, decoder, tokenizer, weights made ready. */
#include <inttypes.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/api_written.h"
#include "formats/sniff.h"

typedef struct opening {
    ondol_model *m;
    ondol_model_options o;
} opening;

/* What is packed is not read from the file again: its pages go. */
static int on_weight(void *user, const graph_value *v, bool borrowed, uint64_t done,
                     uint64_t total) {
    const opening *x = user;
    if (!borrowed && !x->o.lock_memory) {
        const gguf_tensor *t = x->m->gguf ? gguf_find_tensor(x->m->gguf, v->name) : NULL;
        if (t) gguf_tensor_release(x->m->gguf, t);
        if (x->m->onnx) onnx_file_release_pages(x->m->onnx, v->data, v->data_bytes);
    }
    return x->o.progress ? x->o.progress(x->o.progress_user, done, total) : 0;
}

ondol_status api_model_copy_text(const ondol_model *m, const char *text, size_t n, char **out,
                                 ondol_error *err) {
    *out = base_strndup(&m->engine->allocator, text ? text : "", n);
    return *out ? ONDOL_OK : base_no_memory(err, "model", n);
}

/* The vocabulary that text uses must be the one that the weights have, or less. */
static ondol_status check_vocabulary(const ondol_model *m, ondol_error *err) {
    if (!m->tokenizer) return ONDOL_OK;
    const size_t tokens = text_token_count(m->tokenizer);
    if (tokens <= m->info.vocabulary) return ONDOL_OK;
    return base_fail(err, ONDOL_E_FORMAT,
                     "the tokenizer has %zu tokens, the embedding only %u rows", tokens,
                     m->info.vocabulary);
}

static ondol_status describe_cache(ondol_model *m, ondol_error *err) {
    const ondol_allocator *a = &m->engine->allocator;
    const uint32_t count = m->decoder->layer_count;
    plan_kv *kv = NULL;
    m->layers = base_calloc(a, count ? count : 1, sizeof *m->layers);
    if (!m->layers) return base_no_memory(err, "model", count * sizeof *m->layers);
    for (uint32_t i = 0; i < count; i++) {
        const optimize_attention_layer *l = m->decoder->layers + i;
        m->layers[i] = (plan_kv_description){l->kv_heads, l->head_size, l->window};
    }
    ondol_status status =
        plan_kv_create(a, m->layers, count, TENSOR_KV_F16, GENERATE_PAGE_TOKENS, &kv, err);
    if (status == ONDOL_OK) m->kv_bytes_per_token = generate_kv_bytes_per_token(kv);
    plan_kv_destroy(kv);
    return status;
}

static ondol_status open_store(void *user, uint64_t bytes, uint64_t fingerprint, plan_store *out,
                               ondol_error *err) {
    const opening *x = user;
    return api_pack_open(x->m->pack, bytes, fingerprint, out, err);
}

static ondol_status pack_weights(ondol_model *m, opening *x, ondol_error *err) {
    const ondol_engine *e = m->engine;
    const plan_weights_options o = {on_weight, open_store, x};
    return plan_weights_create(&e->allocator, m->decoder->lowered, e->devices, e->device_count, &o,
                               &m->weights, err);
}

static ondol_status make_weights(ondol_model *m, opening *x, ondol_error *err) {
    ondol_engine *e = m->engine;
    if (m->inspect_only) {
        return plan_weights_create_empty(&e->allocator, m->decoder->lowered, e->devices,
                                         e->device_count, &m->weights, err);
    }
    /* Packing runs on the engine's threads, as steps do. */
    base_mutex_lock(e->step_lock);
    ondol_status status = api_pack_create(&e->allocator, e->pool, x->o.pack_folder, m->file,
                                          m->identity, base_isa_name(e->isa), &m->pack, err);
    if (status == ONDOL_OK) status = pack_weights(m, x, err);
    if (status == ONDOL_E_FORMAT && api_pack_is_filled(m->pack)) {
        api_pack_forget(m->pack); /* it is what another version packed */
        status = pack_weights(m, x, err);
    }
    if (status == ONDOL_OK && !api_pack_is_filled(m->pack)) api_pack_keep(m->pack);
    base_mutex_unlock(e->step_lock);
    return status;
}

/* What has been read is made ready to run. */
static ondol_status finish(ondol_model *m, opening *x, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    TRY(check_vocabulary(m, err));
    if (!m->written) TRY(describe_cache(m, err));
    if (x->o.lock_memory && !m->inspect_only) {
        status = m->gguf ? gguf_file_lock(m->gguf, err) : onnx_file_lock(m->onnx, err);
        if (status != ONDOL_OK) return status;
    }
    if (!m->written) TRY(make_weights(m, x, err));
done:
    return status;
}

static void destroy(ondol_model *m) {
    ondol_engine *e = m->engine;
    const ondol_allocator *a = &e->allocator;
    base_mutex_lock(e->step_lock);
    plan_weights_destroy(m->weights);
    api_pack_destroy(m->pack);
    base_mutex_unlock(e->step_lock);
    text_grammar_vocabulary_destroy(m->vocabulary);
    text_tokenizer_destroy(m->tokenizer);
    optimize_decoder_destroy(m->decoder);
    api_written_destroy(m->written);
    graph_destroy(m->portable);
    graph_destroy(m->encoder);
    gguf_file_close(m->gguf);
    onnx_file_close(m->onnx);
    onnx_file_close(m->encoder_file);
    base_mutex_destroy(m->lock);
    base_free(a, m->bytes);
    base_free(a, m->layers);
    base_free(a, m->unrecognised);
    base_free(a, m->architecture);
    base_free(a, m->name);
    base_free(a, m->file);
    base_free(a, m->chat_template);
    base_free(a, m);
    api_engine_release(e);
}

/* A model without content. */
static ondol_status create(ondol_engine *engine, const ondol_model_options *options, opening *x,
                           ondol_error *err) {
    *x = (opening){.o = ONDOL_MODEL_OPTIONS_INIT};
    ondol_status status = api_options_take(options, sizeof x->o, &x->o, "ondol_model_options", err);
    if (status != ONDOL_OK) return status;
    x->m = base_calloc(&engine->allocator, 1, sizeof *x->m);
    if (!x->m) return base_no_memory(err, "model", sizeof *x->m);
    x->m->engine = engine;
    x->m->inspect_only = x->o.inspect_only != 0;
    x->m->bos = x->m->eos = -1;
    atomic_init(&x->m->references, 1);
    api_engine_retain(engine);
    x->m->lock = base_mutex_create(&engine->allocator);
    if (x->m->lock) return ONDOL_OK;
    destroy(x->m);
    return base_no_memory(err, "model", sizeof *x->m);
}

ondol_status ondol_model_open(ondol_engine *engine, const char *path,
                              const ondol_model_options *options, ondol_model **out,
                              ondol_error *err) {
    opening x;
    bool onnx = false;
    ondol_status status = create(engine, options, &x, err);
    if (status != ONDOL_OK) return status;
    const bool no_map = x.o.no_mmap != 0;
    TRY(api_path_is_onnx(engine, path, &onnx, err));
    if (onnx) {
        TRY(api_model_open_onnx(x.m, path, no_map, err));
    } else {
        const gguf_open_options how = {.no_map = no_map};
        TRY(gguf_file_open(&engine->allocator, path, &how, &x.m->gguf, err));
        TRY(api_model_read_gguf(x.m, err));
    }
    TRY(finish(x.m, &x, err));
    *out = x.m;
    return ONDOL_OK;
done:
    destroy(x.m);
    return base_prefix(err, status, "%s", path);
}

ondol_status ondol_model_open_source(ondol_engine *engine, const ondol_source *source,
                                     const ondol_model_options *options, ondol_model **out,
                                     ondol_error *err) {
    const ondol_allocator *a = &engine->allocator;
    opening x;
    if (!source || !source->read) return base_fail(err, ONDOL_E_ARGUMENT, "a source needs `read`");
    ondol_status status = create(engine, options, &x, err);
    if (status != ONDOL_OK) return status;
    TRY(api_source_read(engine, source, &x.m->bytes, err));
    if (formats_sniff(x.m->bytes, source->size_bytes) == FORMATS_KIND_ONNX) {
        TRY(onnx_file_open_memory(a, x.m->bytes, source->size_bytes, &x.m->onnx, err));
        TRY(api_model_read_onnx(x.m, NULL, err));
    } else {
        TRY(gguf_file_open_memory(a, x.m->bytes, source->size_bytes, NULL, &x.m->gguf, err));
        TRY(api_model_read_gguf(x.m, err));
    }
    TRY(finish(x.m, &x, err));
    *out = x.m;
    return ONDOL_OK;
done:
    destroy(x.m);
    return base_prefix(err, status, "%s", source->name ? source->name : "source");
}

ondol_model *ondol_model_retain(ondol_model *model) {
    atomic_fetch_add(&model->references, 1);
    return model;
}

void ondol_model_release(ondol_model *model) {
    if (model && atomic_fetch_sub(&model->references, 1) == 1) destroy(model);
}

ondol_status ondol_model_get_info(const ondol_model *model, ondol_model_info *out,
                                  ondol_error *err) {
    const text_tokenizer *t = model->tokenizer;
    const ondol_model_info info = {.architecture = model->info.architecture,
                                   .name = model->name,
                                   .chat_template = model->chat_template,
                                   .vocabulary = model->info.vocabulary,
                                   .context = model->info.context,
                                   .layers = model->info.layers,
                                   .hidden = model->info.hidden,
                                   .parameters = model->parameters,
                                   .weight_bytes = model->weight_bytes,
                                   .memory_bytes =
                                       model->weights ? model->weights->memory_bytes : 0,
                                   .kv_bytes_per_token = model->kv_bytes_per_token,
                                   .bos = t ? text_token_special(t, TEXT_BOS) : model->bos,
                                   .eos = t ? text_token_special(t, TEXT_EOS) : model->eos,
                                   .adds_bos = t && text_tokenizer_adds_bos(t),
                                   .adds_eos = t && text_tokenizer_adds_eos(t),
                                   .unrecognised = model->unrecognised};
    return api_info_give(&info, sizeof info, out, err);
}

generate_decoder api_model_decoder(const ondol_model *m) {
    if (m->written) {
        return (generate_decoder){.written = api_written_calls(m->written),
                                  .hidden = 1,
                                  .vocabulary = m->info.vocabulary,
                                  .context = m->info.context,
                                  .fingerprint = m->fingerprint,
                                  .step_lock = m->engine->step_lock};
    }
    return (generate_decoder){.lowered = m->decoder->lowered,
                              .weights = m->weights,
                              .layers = m->layers,
                              .layer_count = m->decoder->layer_count,
                              .hidden = m->decoder->hidden,
                              .vocabulary = m->decoder->vocabulary,
                              .context = m->info.context,
                              .regime_threshold = m->decoder->regime_threshold,
                              .fingerprint = m->fingerprint,
                              .step_lock = m->engine->step_lock};
}

static ondol_status append_plan(const ondol_model *m, base_buffer *out, ondol_error *err) {
    const ondol_allocator *a = &m->engine->allocator;
    plan_kv *kv = NULL;
    plan *p = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_kv_create(a, m->layers, m->decoder->layer_count, TENSOR_KV_F16, GENERATE_PAGE_TOKENS,
                       &kv, err));
    TRY(plan_create(a, m->decoder->lowered, m->weights, kv, 1, 1, &p, err));
    plan_print(p, out);
done:
    plan_destroy(p);
    plan_kv_destroy(kv);
    return status;
}

ondol_status ondol_model_describe(const ondol_model *model, ondol_model_text what, char *text,
                                  size_t capacity, size_t *count, ondol_error *err) {
    const ondol_engine *e = model->engine;
    ondol_status status = ONDOL_OK;
    base_buffer b;
    if (model->written && what != ONDOL_TEXT_GRAPH_PORTABLE && what != ONDOL_TEXT_DOT) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "the graph runs as it is written: %s",
                         model->unrecognised);
    }
    base_buffer_init(&b, &e->allocator, API_TEXT_BYTES_MAX);
    switch (what) {
    case ONDOL_TEXT_GRAPH_PORTABLE: graph_print(model->portable, &b); break;
    case ONDOL_TEXT_DOT: graph_print_dot(model->portable, &b); break;
    case ONDOL_TEXT_GRAPH_LOWERED: graph_print(model->decoder->lowered, &b); break;
    case ONDOL_TEXT_PLAN: status = append_plan(model, &b, err); break;
    case ONDOL_TEXT_EXPLAIN:
        status = plan_explain(model->decoder->lowered, e->devices, e->device_count, &b, err);
        break;
    default: status = base_fail(err, ONDOL_E_ARGUMENT, "no text of number %d", (int)what); break;
    }
    if (status == ONDOL_OK) status = base_buffer_status(&b, "text of the model", err);
    if (status == ONDOL_OK) api_text_give(&b, text, capacity, count);
    base_buffer_destroy(&b);
    return status;
}
