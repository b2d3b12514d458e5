/* Caches, sessions, steps, answers. In: handles of ondol.h. Out: what generate/ does with them. */
#include <inttypes.h>

#include "api/api_internal.h"

#define DEFAULT_CAPACITY    4096u
#define DEFAULT_SESSIONS    64u
#define DEFAULT_CHUNK       512u
#define DEFAULT_OUTPUT_ROWS 64u

static ondol_status kv_type_of(ondol_kv_type type, tensor_kv_type *out, ondol_error *err) {
    switch (type) {
    case ONDOL_KV_F16: *out = TENSOR_KV_F16; return ONDOL_OK;
    case ONDOL_KV_Q8: *out = TENSOR_KV_Q8; return ONDOL_OK;
    case ONDOL_KV_F32: *out = TENSOR_KV_F32; return ONDOL_OK;
    default: return base_fail(err, ONDOL_E_ARGUMENT, "no KV type of number %d", (int)type);
    }
}

ondol_status ondol_cache_create(ondol_model *model, const ondol_cache_options *options,
                                ondol_cache **out, ondol_error *err) {
    const ondol_allocator *a = &model->engine->allocator;
    ondol_cache_options o = ONDOL_CACHE_OPTIONS_INIT;
    generate_cache_options g = {0};
    ondol_cache *c = NULL;
    ondol_status status = ONDOL_OK;
    TRY(api_options_take(options, sizeof o, &o, "ondol_cache_options", err));
    if (model->inspect_only) {
        return base_fail(err, ONDOL_E_ARGUMENT, "the model was opened with inspect_only");
    }
    const uint32_t context = model->info.context;
    g.capacity_tokens = o.capacity_tokens            ? o.capacity_tokens
                        : context < DEFAULT_CAPACITY ? context
                                                     : DEFAULT_CAPACITY;
    g.max_sequences = o.max_sessions ? o.max_sessions : DEFAULT_SESSIONS;
    g.chunk_tokens = o.chunk_tokens ? o.chunk_tokens : DEFAULT_CHUNK;
    g.max_output_rows = o.max_output_rows ? o.max_output_rows : DEFAULT_OUTPUT_ROWS;
    TRY(kv_type_of(o.kv_type, &g.kv_type, err));
    c = base_calloc(a, 1, sizeof *c);
    if (!c) return base_no_memory(err, "cache", sizeof *c);
    const generate_decoder decoder = api_model_decoder(model);
    TRY(generate_cache_create(a, &decoder, &g, &c->cache, err));
    c->model = ondol_model_retain(model);
    *out = c;
    return ONDOL_OK;
done:
    base_free(a, c);
    return status;
}

void ondol_cache_destroy(ondol_cache *cache) {
    if (!cache) return;
    ondol_model *model = cache->model;
    generate_cache_destroy(cache->cache);
    base_free(&model->engine->allocator, cache);
    ondol_model_release(model);
}

ondol_status ondol_cache_get_info(const ondol_cache *cache, ondol_cache_info *out,
                                  ondol_error *err) {
    const generate_cache *c = cache->cache;
    ondol_cache_info info = {.bytes = c->bytes,
                             .scratch_bytes = c->scratch ? c->scratch->size_bytes : 0,
                             .page_tokens = GENERATE_PAGE_TOKENS};
    base_mutex_lock(c->lock);
    for (uint32_t i = 0; i < c->kv->group_count; i++) {
        info.pages += c->groups[i].count;
        info.pages_free += c->groups[i].free_count;
    }
    base_mutex_unlock(c->lock);
    return api_info_give(&info, sizeof info, out, err);
}

static ondol_status wrap(ondol_cache *cache, ondol_session **out, ondol_error *err) {
    *out = base_calloc(&cache->model->engine->allocator, 1, sizeof **out);
    if (!*out) return base_no_memory(err, "session", sizeof **out);
    (*out)->cache = cache;
    return ONDOL_OK;
}

static void unwrap(ondol_session *s) {
    base_free(&s->cache->model->engine->allocator, s);
}

ondol_status ondol_session_create(ondol_cache *cache, const ondol_session_options *options,
                                  ondol_session **out, ondol_error *err) {
    ondol_session_options o = ONDOL_SESSION_OPTIONS_INIT;
    ondol_session *s = NULL;
    ondol_status status = ONDOL_OK;
    TRY(api_options_take(options, sizeof o, &o, "ondol_session_options", err));
    TRY(wrap(cache, &s, err));
    TRY(generate_sequence_create(cache->cache, o.max_tokens, &s->sequence, err));
    *out = s;
    return ONDOL_OK;
done:
    if (s) unwrap(s);
    return status;
}

void ondol_session_destroy(ondol_session *session) {
    if (!session) return;
    generate_sequence_destroy(session->sequence);
    unwrap(session);
}

ondol_status ondol_session_fork(ondol_session *session, ondol_session **out, ondol_error *err) {
    ondol_session *s = NULL;
    ondol_status status = wrap(session->cache, &s, err);
    if (status != ONDOL_OK) return status;
    status = generate_sequence_fork(session->sequence, &s->sequence, err);
    if (status == ONDOL_OK)
        *out = s;
    else
        unwrap(s);
    return status;
}

uint64_t ondol_session_length(const ondol_session *session) {
    return session->sequence->length;
}

uint64_t ondol_session_capacity(const ondol_session *session) {
    return session->sequence->capacity;
}

const int32_t *ondol_session_tokens(const ondol_session *session) {
    return session->sequence->tokens;
}

ondol_status ondol_session_truncate(ondol_session *session, uint64_t n, ondol_error *err) {
    return generate_sequence_truncate(session->sequence, n, err);
}

void ondol_session_cancel(ondol_session *session) {
    atomic_store(&session->sequence->cancelled, 1);
}

ondol_status ondol_session_save(ondol_session *session, ondol_write_callback write, void *user,
                                ondol_error *err) {
    if (!write) return base_fail(err, ONDOL_E_ARGUMENT, "saving needs `write`");
    return generate_sequence_save(session->sequence, write, user, err);
}

ondol_status ondol_session_load(ondol_session *session, const void *bytes, size_t size,
                                ondol_error *err) {
    return generate_sequence_load(session->sequence, bytes, size, err);
}

static ondol_status want_of(ondol_want want, generate_want *out, ondol_error *err) {
    switch (want) {
    case ONDOL_WANT_NOTHING: *out = GENERATE_WANT_NOTHING; return ONDOL_OK;
    case ONDOL_WANT_LAST: *out = GENERATE_WANT_LAST; return ONDOL_OK;
    case ONDOL_WANT_ALL: *out = GENERATE_WANT_ALL; return ONDOL_OK;
    case ONDOL_WANT_HIDDEN: *out = GENERATE_WANT_HIDDEN; return ONDOL_OK;
    case ONDOL_WANT_SAMPLED: *out = GENERATE_WANT_SAMPLED; return ONDOL_OK;
    default: return base_fail(err, ONDOL_E_ARGUMENT, "no want of number %d", (int)want);
    }
}

/* Items lie struct_size bytes apart: they may be of a newer header. */
static ondol_item *item_at(ondol_item *items, size_t i) {
    return (ondol_item *)(void *)((char *)items + i * items->struct_size);
}

static ondol_status check_item(ondol_item *items, size_t i, ondol_error *err) {
    const ondol_item *item = item_at(items, i);
    if (item->struct_size != items->struct_size || item->struct_size < sizeof *item) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "item %zu: struct_size is %zu; begin with "
                         "ONDOL_ITEM_INIT",
                         i, item->struct_size);
    }
    if (!item->session) return base_fail(err, ONDOL_E_ARGUMENT, "item %zu has no session", i);
    if (item->session->cache != items->session->cache) {
        return base_fail(err, ONDOL_E_ARGUMENT, "item %zu: a session of another cache", i);
    }
    return ONDOL_OK;
}

/* Links the items' sequences; `following` of one that is not linked is NULL, so that a session
 * which stands in two items shows. */
static ondol_status link_items(ondol_item *items, size_t n, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < n; i++) {
        TRY(check_item(items, i, err));
        item_at(items, i)->session->sequence->work.following = NULL;
    }
    for (size_t i = n; i-- > 0;) {
        const ondol_item *item = item_at(items, i);
        generate_work *w = &item->session->sequence->work;
        if (w->following || (i + 1 < n && item_at(items, n - 1)->session == item->session)) {
            status =
                base_fail(err, ONDOL_E_ARGUMENT, "item %zu: its session stands in two items", i);
            goto done;
        }
        *w = (generate_work){.tokens = item->tokens, .token_count = item->token_count};
        TRY(want_of(item->want, &w->want, err));
        w->sampler = item->sampler ? item->sampler->sampler : NULL;
        if (i + 1 < n) w->following = item_at(items, i + 1)->session->sequence;
    }
done:
    return status;
}

ondol_status ondol_step(ondol_item *items, size_t n, ondol_error *err) {
    if (n == 0) return ONDOL_OK;
    if (!items) return base_fail(err, ONDOL_E_ARGUMENT, "no items");
    ondol_status status = link_items(items, n, err);
    if (status != ONDOL_OK) return status;
    status = generate_step(items->session->cache->cache, items->session->sequence, err);
    for (size_t i = 0; i < n; i++) {
        ondol_item *item = item_at(items, i);
        const generate_work *w = &item->session->sequence->work;
        item->status = w->status;
        item->token = w->token;
        item->output_rows = (size_t)w->output_rows;
        item->output = w->output;
    }
    return status;
}

const char *ondol_finish_name(ondol_finish finish) {
    switch (finish) {
    case ONDOL_FINISH_STOP: return "stop";
    case ONDOL_FINISH_LENGTH: return "length";
    case ONDOL_FINISH_STOP_TEXT: return "stop_text";
    case ONDOL_FINISH_CALLBACK: return "callback";
    case ONDOL_FINISH_CANCELLED: return "cancelled";
    default: return "unknown";
    }
}

static ondol_finish finish_of(generate_finish finish) {
    switch (finish) {
    case GENERATE_FINISH_STOP: return ONDOL_FINISH_STOP;
    case GENERATE_FINISH_LENGTH: return ONDOL_FINISH_LENGTH;
    case GENERATE_FINISH_STOP_TEXT: return ONDOL_FINISH_STOP_TEXT;
    case GENERATE_FINISH_CALLBACK: return ONDOL_FINISH_CALLBACK;
    default: return ONDOL_FINISH_CANCELLED;
    }
}

static ondol_status check_generation(const ondol_generate_options *o, ondol_error *err) {
    if (o->max_tokens < -1) {
        return base_fail(err, ONDOL_E_ARGUMENT, "max_tokens %" PRId64 ": expected -1 or more",
                         o->max_tokens);
    }
    for (size_t i = 0; i < o->stop_count; i++) {
        if (!o->stop || !o->stop[i]) {
            return base_fail(err, ONDOL_E_ARGUMENT, "stop text %zu is missing", i);
        }
    }
    return ONDOL_OK;
}

static ondol_status create_greedy(const ondol_model *m, generate_sampler **out, ondol_error *err) {
    ondol_sampler_options greedy = ONDOL_SAMPLER_OPTIONS_INIT;
    greedy.temperature = 0;
    return generate_sampler_create(&m->engine->allocator, m->tokenizer, m->info.vocabulary, &greedy,
                                   NULL, out, err);
}

ondol_status ondol_generate(ondol_session *session, const int32_t *prompt, size_t prompt_tokens,
                            const ondol_generate_options *options, ondol_generate_result *result,
                            ondol_error *err) {
    const ondol_model *m = session->cache->model;
    ondol_generate_options o = ONDOL_GENERATE_OPTIONS_INIT;
    generate_sampler *greedy = NULL;
    generate_answer_result r = {0};
    ondol_status status = ONDOL_OK;
    TRY(api_options_take(options, sizeof o, &o, "ondol_generate_options", err));
    TRY(check_generation(&o, err));
    if (!o.sampler) TRY(create_greedy(m, &greedy, err));
    const generate_answer_options how = {.tokenizer = m->tokenizer,
                                         .sampler = greedy ? greedy : o.sampler->sampler,
                                         .max_tokens = o.max_tokens,
                                         .stop = o.stop,
                                         .stop_count = o.stop_count,
                                         .on_token = o.on_token,
                                         .user = o.user,
                                         .ignore_end = o.ignore_end != 0,
                                         .show_special = o.show_special != 0};
    TRY(generate_answer(session->sequence, prompt, prompt_tokens, &how, &r, err));
    if (result) {
        const ondol_generate_result given = {.finish = finish_of(r.finish),
                                             .prompt_tokens = r.prompt_tokens,
                                             .generated_tokens = r.generated_tokens,
                                             .prompt_ns = r.prompt_ns,
                                             .generate_ns = r.generate_ns};
        TRY(api_info_give(&given, sizeof given, result, err));
    }
done:
    generate_sampler_destroy(greedy);
    return status;
}
