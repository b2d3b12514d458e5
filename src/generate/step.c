/* Steps. In: a list of sequences with work. Out: their tokens in the cache, and what they wanted.
 */
#include "generate/step.h"

#include <inttypes.h>
#include <string.h>

#include "generate/batch.h"
#include "generate/prefix.h"

typedef struct stepper {
    generate_cache *cache;
    generate_sequence *list;
    uint64_t output_rows; /* given away so far */
    float *next_output;
    uint32_t first_failed; /* index; UINT32_MAX: none */
    ondol_status status;
    ondol_error *err;
} stepper;

/* The step goes on without s. `status` and *fault say why. */
static void fail(stepper *t, generate_sequence *s, ondol_status status, const ondol_error *fault) {
    generate_work *w = &s->work;
    w->active = false;
    w->status = status;
    w->output_rows = 0;
    w->output = NULL;
    if (w->index >= t->first_failed) return;
    t->first_failed = w->index;
    t->status = status;
    if (t->err && fault) *t->err = *fault;
}

/* What was computed beyond the former length is given back. */
static void retreat(generate_sequence *s) {
    if (s->computed > s->length) s->computed = s->length;
    if (!generate_sequence_can_go_on(s, s->computed)) generate_sequence_forget(s);
    generate_sequence_drop_from(s, s->computed);
}

static uint32_t regime_of(const generate_cache *c, uint64_t tokens) {
    return c->decoder.regime_threshold && tokens > c->decoder.regime_threshold;
}

static ondol_status check(const stepper *t, const generate_sequence *s, ondol_error *err) {
    const generate_work *w = &s->work;
    const generate_cache *c = t->cache;
    if (w->token_count < 1 || !w->tokens) {
        return base_fail(err, ONDOL_E_ARGUMENT, "a step needs at least one token");
    }
    if (w->want == GENERATE_WANT_SAMPLED && !w->sampler) {
        return base_fail(err, ONDOL_E_ARGUMENT, "a step that samples needs a sampler");
    }
    if (w->want == GENERATE_WANT_HIDDEN && c->decoder.written) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "the graph runs as it is written: it gives no hidden states");
    }
    for (uint64_t i = 0; i < w->token_count; i++) {
        if (w->tokens[i] >= 0 && (uint32_t)w->tokens[i] < c->decoder.vocabulary) continue;
        return base_fail(err, ONDOL_E_ARGUMENT, "token %" PRIu64 " is %d: the vocabulary has %u", i,
                         w->tokens[i], c->decoder.vocabulary);
    }
    if (w->token_count > s->capacity - s->length) {
        return base_fail(err, ONDOL_E_FULL,
                         "%" PRIu64 " tokens do not fit: the session holds %" PRIu64
                         " of at most %" PRIu64,
                         w->token_count, s->length, s->capacity);
    }
    return ONDOL_OK;
}

/* Room for what s wants back. */
static ondol_status claim_outputs(stepper *t, generate_sequence *s, ondol_error *err) {
    generate_work *w = &s->work;
    const generate_decoder *d = &t->cache->decoder;
    uint64_t rows = 0;
    if (w->want == GENERATE_WANT_LAST) rows = 1;
    if (w->want == GENERATE_WANT_ALL || w->want == GENERATE_WANT_HIDDEN) rows = w->token_count;
    if (rows > t->cache->options.max_output_rows - t->output_rows) {
        return base_fail(err, ONDOL_E_LIMIT,
                         "%" PRIu64 " output rows are wanted: the cache has room for %u in a step",
                         t->output_rows + rows, t->cache->options.max_output_rows);
    }
    w->output_rows = rows;
    w->output = w->next_output = rows ? t->next_output : NULL;
    t->output_rows += rows;
    t->next_output += rows * (w->want == GENERATE_WANT_HIDDEN ? d->hidden : d->vocabulary);
    return ONDOL_OK;
}

/* The first token that must be computed for what is wanted. */
static uint64_t first_needed(const generate_sequence *s) {
    switch (s->work.want) {
    case GENERATE_WANT_NOTHING: return s->work.end;
    case GENERATE_WANT_LAST:
    case GENERATE_WANT_SAMPLED: return s->work.end - 1;
    default: return s->length;
    }
}

/* Pages of the groups that keep all; windows take theirs chunk by chunk. */
static ondol_status reserve_all(generate_sequence *s, ondol_error *err) {
    generate_cache *c = s->cache;
    for (uint32_t g = 0; g < c->kv->group_count; g++) {
        if (c->kv->groups[g].window) continue;
        ondol_error fault = {.status = ONDOL_OK};
        if (generate_sequence_reserve(s, g, s->work.done, s->work.end, &fault)) continue;
        if (fault.status != ONDOL_OK) {
            if (err) *err = fault;
            return fault.status;
        }
        return base_fail(err, ONDOL_E_FULL,
                         "the cache has no page left for %" PRIu64 " tokens more (%u pages of %u "
                         "tokens, shared by %u sessions)",
                         s->work.end - s->work.done, c->groups[g].count, GENERATE_PAGE_TOKENS,
                         c->sequence_count);
    }
    return ONDOL_OK;
}

static ondol_status admit(stepper *t, generate_sequence *s, ondol_error *err) {
    generate_work *w = &s->work;
    ondol_status status = ONDOL_OK;
    TRY(check(t, s, err));
    TRY(claim_outputs(t, s, err));
    w->end = s->length + w->token_count;
    memcpy(s->tokens + s->length, w->tokens, w->token_count * sizeof *s->tokens);
    /* The known length decides: keys made with the other factors are of no use. */
    const uint32_t regime = regime_of(t->cache, w->end);
    if (regime != s->regime) generate_sequence_forget(s);
    s->regime = regime;
    if (s->computed == 0) generate_prefix_share(s, first_needed(s));
    w->done = s->computed;
    TRY(reserve_all(s, err));
    w->active = w->done < w->end;
    if (!w->active) s->length = w->end;
done:
    return status;
}

static void admit_all(stepper *t) {
    uint32_t index = 0;
    for (generate_sequence *s = t->list; s; s = s->work.following) {
        ondol_error fault = {.status = ONDOL_OK};
        s->work.index = index++;
        s->work.status = ONDOL_OK;
        s->work.token = -1;
        s->work.output_rows = 0;
        s->work.output = s->work.next_output = NULL;
        s->work.active = false;
        ondol_status status = admit(t, s, &fault);
        if (status == ONDOL_OK) continue;
        retreat(s);
        fail(t, s, status, &fault);
    }
}

static void drop_cancelled(stepper *t) {
    for (generate_sequence *s = t->list; s; s = s->work.following) {
        if (!s->work.active || !atomic_exchange(&s->cancelled, 0)) continue;
        ondol_error fault = {.status = ONDOL_OK};
        base_fail(&fault, ONDOL_E_CANCELLED, "the session was cancelled");
        retreat(s);
        fail(t, s, ONDOL_E_CANCELLED, &fault);
    }
}

/* Pages of windowed groups for the rows chosen. False: some sequence had to leave. */
static bool reserve_windows(stepper *t) {
    bool fine = true;
    for (generate_sequence *s = t->list; s; s = s->work.following) {
        generate_work *w = &s->work;
        ondol_error fault = {.status = ONDOL_OK};
        if (!w->active || !w->rows) continue;
        generate_sequence_drop_before(s, w->done);
        for (uint32_t g = 0; g < t->cache->kv->group_count && w->active; g++) {
            if (t->cache->kv->groups[g].window == 0) continue;
            if (generate_sequence_reserve(s, g, w->done, w->done + w->rows, &fault)) continue;
            if (fault.status == ONDOL_OK) {
                base_fail(&fault, ONDOL_E_FULL, "the cache has no page left for a window of %u",
                          t->cache->kv->groups[g].window);
            }
            retreat(s);
            fail(t, s, fault.status, &fault);
            w->rows = 0;
            fine = false;
        }
    }
    return fine;
}

/* The chunk's rows of one sequence, from the device's memory to where they are wanted. */
static ondol_status deliver(stepper *t, const plan *p, generate_sequence *s, ondol_error *err) {
    generate_work *w = &s->work;
    generate_cache *c = t->cache;
    const plan_value *v = p->values + (w->want == GENERATE_WANT_HIDDEN ? p->hidden : p->logits);
    const uint64_t row_bytes = 4 * (uint64_t)v->columns;
    float *to = w->want == GENERATE_WANT_SAMPLED ? c->sample_row : w->next_output;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < w->outputs; i++) {
        const uint64_t row = w->first_output + i;
        TRY(c->device->ops->read_back(c->device, c->scratch, v->offset + row * v->row_stride * 4,
                                      to, row_bytes, err));
        to += v->columns;
    }
    if (w->want != GENERATE_WANT_SAMPLED) {
        w->next_output = to;
    } else if (w->outputs) {
        TRY(generate_sampler_sample(w->sampler, c->sample_row, &w->token, err));
        TRY(generate_sampler_accept(w->sampler, w->token, false, err));
    }
done:
    return status;
}

/* The chunk's rows of s are computed. */
static void finish_rows(generate_sequence *s) {
    generate_work *w = &s->work;
    w->done += w->rows;
    s->computed = w->done;
    if (w->done < w->end) return;
    s->length = w->end;
    w->active = false;
}

static void advance(stepper *t, const plan *p) {
    for (generate_sequence *s = t->list; s; s = s->work.following) {
        generate_work *w = &s->work;
        ondol_error fault = {.status = ONDOL_OK};
        if (!w->active || !w->rows) continue;
        ondol_status status = deliver(t, p, s, &fault);
        if (status != ONDOL_OK) {
            retreat(s);
            fail(t, s, status, &fault);
        } else {
            finish_rows(s);
        }
    }
}

static void fail_all(stepper *t, ondol_status status, const ondol_error *fault) {
    for (generate_sequence *s = t->list; s; s = s->work.following) {
        if (!s->work.active) continue;
        retreat(s);
        fail(t, s, status, fault);
    }
}

/* One sequence of a chunk, as the graph is written. */
static ondol_status run_written(generate_cache *c, generate_sequence *s, ondol_error *err) {
    const generate_written *g = c->decoder.written;
    generate_work *w = &s->work;
    const bool sampled = w->want == GENERATE_WANT_SAMPLED;
    float *to = sampled ? c->sample_row : w->next_output;
    ondol_status status = ONDOL_OK;
    TRY(g->run(g->user, &s->past, s->tokens, w->done, w->rows, w->outputs, to, err));
    if (!sampled) {
        w->next_output = to + (size_t)w->outputs * c->decoder.vocabulary;
    } else if (w->outputs) {
        TRY(generate_sampler_sample(w->sampler, to, &w->token, err));
        TRY(generate_sampler_accept(w->sampler, w->token, false, err));
    }
done:
    return status;
}

static void run_chunk_written(stepper *t) {
    for (generate_sequence *s = t->list; s; s = s->work.following) {
        generate_work *w = &s->work;
        ondol_error fault = {.status = ONDOL_OK};
        if (!w->active || !w->rows) continue;
        const ondol_status status = run_written(t->cache, s, &fault);
        base_mutex_lock(t->cache->lock);
        if (status != ONDOL_OK) {
            retreat(s);
            fail(t, s, status, &fault);
        } else {
            finish_rows(s);
        }
        base_mutex_unlock(t->cache->lock);
    }
}

/* One chunk; false when there is nothing more to do. */
static bool run_chunk(stepper *t) {
    generate_cache *c = t->cache;
    ondol_error fault = {.status = ONDOL_OK};
    base_mutex_lock(c->lock);
    drop_cancelled(t);
    uint32_t rows = generate_batch_choose(c, t->list);
    const bool fine = rows && reserve_windows(t);
    if (fine) generate_batch_fill(c, t->list);
    base_mutex_unlock(c->lock);
    if (!fine) return rows != 0;
    if (c->decoder.written) {
        run_chunk_written(t);
        return true;
    }
    plan *p = generate_cache_plan(c, rows);
    ondol_status status = plan_run(p, &fault);
    base_mutex_lock(c->lock);
    if (status == ONDOL_OK)
        advance(t, p);
    else
        fail_all(t, status, &fault);
    base_mutex_unlock(c->lock);
    return true;
}

ondol_status generate_step(generate_cache *c, generate_sequence *list, ondol_error *err) {
    stepper t = {.cache = c, .list = list, .first_failed = UINT32_MAX, .err = err};
    base_mutex_lock(c->decoder.step_lock);
    t.next_output = c->outputs;
    base_mutex_lock(c->lock);
    admit_all(&t);
    base_mutex_unlock(c->lock);
    while (run_chunk(&t)) {
    }
    base_mutex_unlock(c->decoder.step_lock);
    return t.status;
}
