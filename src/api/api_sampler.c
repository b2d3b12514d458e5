/* Samplers, and probabilities. In: options. Out: a chain, with a compiled grammar if one is asked.
 */
#include <string.h>

#include "api/api_internal.h"

/* The vocabulary as a tree is made once for each model, for its first grammar. */
static ondol_status need_vocabulary(ondol_model *m, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    base_mutex_lock(m->lock);
    if (!m->vocabulary) {
        status = text_grammar_vocabulary_create(&m->engine->allocator, m->tokenizer, &m->vocabulary,
                                                err);
    }
    base_mutex_unlock(m->lock);
    return status;
}

static ondol_status compile(ondol_sampler *s, const ondol_sampler_options *o,
                            text_grammar_matcher **out, ondol_error *err) {
    const ondol_allocator *a = &s->model->engine->allocator;
    ondol_status status = ONDOL_OK;
    if (!o->grammar && !o->json_schema) return ONDOL_OK;
    if (o->grammar && o->json_schema) {
        return base_fail(err, ONDOL_E_ARGUMENT, "a grammar and a JSON schema: expected one");
    }
    if (!s->model->tokenizer) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "a grammar needs a model with a tokenizer");
    }
    TRY(need_vocabulary(s->model, err));
    if (o->grammar) {
        TRY(text_grammar_parse_gbnf(a, o->grammar, strlen(o->grammar), &s->grammar, err));
    } else {
        TRY(text_grammar_from_json_schema(a, o->json_schema, strlen(o->json_schema), &s->grammar,
                                          err));
    }
    TRY(text_grammar_matcher_create(a, s->grammar, s->model->vocabulary, out, err));
done:
    return status;
}

ondol_status ondol_sampler_create(ondol_model *model, const ondol_sampler_options *options,
                                  ondol_sampler **out, ondol_error *err) {
    const ondol_allocator *a = &model->engine->allocator;
    ondol_sampler_options o = ONDOL_SAMPLER_OPTIONS_INIT;
    ondol_status status = api_options_take(options, sizeof o, &o, "ondol_sampler_options", err);
    if (status != ONDOL_OK) return status;
    ondol_sampler *s = base_calloc(a, 1, sizeof *s);
    if (!s) return base_no_memory(err, "sampler", sizeof *s);
    text_grammar_matcher *matcher = NULL;
    s->model = ondol_model_retain(model);
    TRY(compile(s, &o, &matcher, err));
    TRY(generate_sampler_create(a, model->tokenizer, model->info.vocabulary, &o, matcher,
                                &s->sampler, err));
    *out = s;
    return ONDOL_OK;
done:
    text_grammar_matcher_destroy(matcher);
    ondol_sampler_destroy(s);
    return status;
}

void ondol_sampler_destroy(ondol_sampler *sampler) {
    if (!sampler) return;
    ondol_model *model = sampler->model;
    generate_sampler_destroy(sampler->sampler);
    text_grammar_destroy(sampler->grammar);
    base_free(&model->engine->allocator, sampler);
    ondol_model_release(model);
}

ondol_status ondol_sampler_reset(ondol_sampler *sampler, ondol_error *err) {
    (void)err;
    generate_sampler_reset(sampler->sampler);
    return ONDOL_OK;
}

ondol_status ondol_sampler_sample(ondol_sampler *sampler, const float *logits, int32_t *token,
                                  ondol_error *err) {
    return generate_sampler_sample(sampler->sampler, logits, token, err);
}

ondol_status ondol_sampler_accept(ondol_sampler *sampler, int32_t token, int is_prompt,
                                  ondol_error *err) {
    return generate_sampler_accept(sampler->sampler, token, is_prompt != 0, err);
}

void ondol_log_softmax(const float *logits, size_t n, float *log_probabilities) {
    generate_log_softmax(logits, n, log_probabilities);
}
