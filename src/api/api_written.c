/* Decoders that run as they are written. In: tokens, what the graph gave as its present before.
 * Out: logits, its present. */
#include "api/api_written.h"

#include <inttypes.h>
#include <string.h>

#include "api/api_written_ports.h"
#include "base/os.h"
#include "tensor/number.h"

struct generate_past {
    uint32_t references;
    generate_past *next; /* of those that wait to be freed */
    uint64_t tokens;
    tensor_value **values; /* [past_count], behind this struct */
};

struct api_written {
    generate_written calls;
    ondol_engine *engine;
    const graph *g;
    network *n;
    written_ports ports;
    tensor_value **in, **out; /* [inputs], [outputs]: of the run under way */
    uint32_t vocabulary;
    bool last_only;         /* logits of the last token alone */
    base_mutex *lock;       /* of the two below */
    generate_past *garbage; /* to be freed under the step lock, for the network's heap needs it */
};

/* ------------------------------------------------------------ pasts */

static generate_past *retain(void *user, generate_past *p) {
    api_written *w = user;
    base_mutex_lock(w->lock);
    p->references++;
    base_mutex_unlock(w->lock);
    return p;
}

static void release(void *user, generate_past *p) {
    api_written *w = user;
    if (!p) return;
    base_mutex_lock(w->lock);
    if (--p->references == 0) {
        p->next = w->garbage;
        w->garbage = p;
    }
    base_mutex_unlock(w->lock);
}

static void free_garbage(api_written *w) {
    base_mutex_lock(w->lock);
    generate_past *p = w->garbage;
    w->garbage = NULL;
    base_mutex_unlock(w->lock);
    while (p) {
        generate_past *next = p->next;
        for (uint32_t i = 0; i < w->ports.past_count; i++)
            tensor_value_release(p->values[i]);
        base_free(&w->engine->allocator, p);
        p = next;
    }
}

static generate_past *create_past(const api_written *w, uint64_t tokens) {
    const size_t count = w->ports.past_count;
    generate_past *p = base_calloc(&w->engine->allocator, 1, sizeof *p + count * sizeof *p->values);
    if (!p) return NULL;
    *p = (generate_past){.references = 1, .tokens = tokens, .values = (tensor_value **)(p + 1)};
    return p;
}

/* The first `tokens` of a past: itself when it has no more. */
static ondol_status cut(tensor_value *v, uint32_t axis, uint64_t tokens, tensor_value **out,
                        ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK];
    uint64_t outer = 1, inner = tensor_element_bits(v->element) / 8;
    if ((uint64_t)v->dims[axis] == tokens) {
        *out = tensor_value_retain(v);
        return ONDOL_OK;
    }
    memcpy(dims, v->dims, sizeof dims);
    dims[axis] = (int64_t)tokens;
    for (uint32_t i = 0; i < v->rank; i++) {
        if (i < axis) outer *= (uint64_t)v->dims[i];
        if (i > axis) inner *= (uint64_t)v->dims[i];
    }
    ondol_status status = tensor_value_create(v->heap, v->element, v->rank, dims, out, err);
    for (uint64_t i = 0; status == ONDOL_OK && i < outer; i++) {
        memcpy((char *)(*out)->data + i * tokens * inner,
               (const char *)v->data + i * (uint64_t)v->dims[axis] * inner, tokens * inner);
    }
    return status;
}

/* ------------------------------------------------------------ inputs */

/* first, first + step, ... of the input's own type; its rank, or the one given. */
static ondol_status fill(api_written *w, uint32_t input, uint64_t count, int64_t first,
                         int64_t step, bool single, ondol_error *err) {
    const graph_value *v = w->g->values + w->g->inputs[input];
    const uint32_t rank = v->shape.rank == GRAPH_RANK_UNKNOWN ? (single ? 1 : 2) : v->shape.rank;
    int64_t dims[TENSOR_MAX_RANK];
    for (uint32_t i = 0; i < rank; i++)
        dims[i] = i + 1 == rank ? (int64_t)count : 1;
    if (rank == 0 && count != 1) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "input '%s' is one number", v->name);
    }
    ondol_status status =
        tensor_value_create(network_heap(w->n), v->element, rank, dims, w->in + input, err);
    for (uint64_t i = 0; status == ONDOL_OK && i < count; i++)
        tensor_set_integer(v->element, w->in[input]->data, i, first + step * (int64_t)i);
    return status;
}

static ondol_status fill_ids(api_written *w, uint32_t input, const int32_t *tokens, uint64_t count,
                             ondol_error *err) {
    ondol_status status = fill(w, input, count, 0, 0, false, err);
    for (uint64_t i = 0; status == ONDOL_OK && i < count; i++)
        tensor_set_integer(w->in[input]->element, w->in[input]->data, i, tokens[i]);
    return status;
}

static ondol_status fill_past(api_written *w, uint32_t input, const generate_past *state,
                              uint32_t index, uint64_t past, ondol_error *err) {
    const written_port *p = w->ports.inputs + input;
    const graph_value *v = w->g->values + w->g->inputs[input];
    if (past) return cut(state->values[index], p->token_axis, past, w->in + input, err);
    return tensor_value_create(network_heap(w->n), v->element, p->rank, p->dims, w->in + input,
                               err);
}

static ondol_status fill_inputs(api_written *w, const generate_past *state, const int32_t *tokens,
                                uint64_t past, uint64_t count, ondol_error *err) {
    const int64_t total = (int64_t)(past + count);
    uint32_t index = 0;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < w->g->input_count && status == ONDOL_OK; i++) {
        switch (w->ports.inputs[i].role) {
        case WRITTEN_IDS: status = fill_ids(w, i, tokens + past, count, err); break;
        case WRITTEN_MASK: status = fill(w, i, past + count, 1, 0, false, err); break;
        case WRITTEN_POSITIONS: status = fill(w, i, count, (int64_t)past, 1, false, err); break;
        case WRITTEN_PAST: status = fill_past(w, i, state, index++, past, err); break;
        case WRITTEN_USE_PAST: status = fill(w, i, 1, past > 0, 0, true, err); break;
        case WRITTEN_TOTAL: status = fill(w, i, 1, total, 0, true, err); break;
        case WRITTEN_LENGTH: status = fill(w, i, 1, total - 1, 0, true, err); break;
        case WRITTEN_PAST_LENGTH: status = fill(w, i, 1, (int64_t)past, 0, true, err); break;
        default: break;
        }
    }
    return status;
}

/* ------------------------------------------------------------ outputs */

/* The last `wanted` rows of [1, rows, vocabulary] or [1, vocabulary]. */
static ondol_status take_logits(const api_written *w, uint64_t count, uint64_t wanted,
                                float *logits, ondol_error *err) {
    const tensor_value *v = w->out[w->ports.logits];
    const bool tensor = v && v->kind == TENSOR_VALUE_TENSOR && v->rank >= 2 && v->rank <= 3;
    const uint64_t columns = tensor ? (uint64_t)v->dims[v->rank - 1] : 0;
    const uint64_t rows = columns ? v->elems / columns : 0;
    if (columns != w->vocabulary || (rows != count && rows != 1) || rows < wanted ||
        tensor_element_kind_of(v->element) != TENSOR_KIND_FLOAT) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "output '%s': expected logits [1, %" PRIu64 ", %u]",
                         w->g->output_names[w->ports.logits], count, w->vocabulary);
    }
    const uint64_t first = (rows - wanted) * columns;
    for (uint64_t i = 0; i < wanted * columns; i++)
        logits[i] = (float)tensor_get_number(v->element, v->data, first + i);
    return ONDOL_OK;
}

static ondol_status take_present(api_written *w, uint64_t total, generate_past **out,
                                 ondol_error *err) {
    generate_past *p = create_past(w, total);
    uint32_t index = 0;
    if (!p) return base_no_memory(err, "a past", sizeof *p);
    *out = p;
    for (uint32_t i = 0; i < w->g->input_count; i++) {
        const written_port *port = w->ports.inputs + i;
        if (port->role != WRITTEN_PAST) continue;
        tensor_value *v = w->out[port->output];
        if (!v || v->kind != TENSOR_VALUE_TENSOR || v->rank != port->rank ||
            (uint64_t)v->dims[port->token_axis] != total) {
            return base_fail(err, ONDOL_E_UNSUPPORTED,
                             "output '%s': expected the keys or values of %" PRIu64 " tokens",
                             w->g->output_names[port->output], total);
        }
        p->values[index++] = tensor_value_retain(v);
    }
    return ONDOL_OK;
}

static void clear(api_written *w) {
    for (uint32_t i = 0; i < w->g->input_count; i++) {
        tensor_value_release(w->in[i]);
        w->in[i] = NULL;
    }
    for (uint32_t i = 0; i < w->g->output_count; i++) {
        tensor_value_release(w->out[i]);
        w->out[i] = NULL;
    }
}

static ondol_status run_once(api_written *w, generate_past **state, const int32_t *tokens,
                             uint64_t past, uint64_t count, uint64_t wanted, float *logits,
                             ondol_error *err) {
    generate_past *present = NULL;
    ondol_status status = ONDOL_OK;
    free_garbage(w);
    TRY(fill_inputs(w, *state, tokens, past, count, err));
    TRY(network_run(w->n, w->in, w->out, err));
    TRY(take_present(w, past + count, &present, err));
    if (wanted) TRY(take_logits(w, count, wanted, logits, err));
    release(w, *state);
    *state = present;
    present = NULL;
done:
    clear(w);
    release(w, present);
    free_garbage(w);
    return status;
}

static ondol_status run(void *user, generate_past **state, const int32_t *tokens, uint64_t past,
                        uint64_t count, uint64_t wanted, float *logits, ondol_error *err) {
    api_written *w = user;
    if (!w->ports.past_count) { /* without a past all is computed each time */
        count += past;
        past = 0;
    }
    while (w->last_only && wanted > 1) {
        const uint64_t now = count - wanted + 1;
        ondol_status status = run_once(w, state, tokens, past, now, 1, logits, err);
        if (status != ONDOL_OK) return status;
        if (w->ports.past_count) {
            past += now;
            count -= now;
        }
        wanted--;
        logits += w->vocabulary;
    }
    return run_once(w, state, tokens, past, count, wanted, logits, err);
}

/* ------------------------------------------------------------ making */

/* Two tokens: what the logits are like, and whether the graph runs at all. */
static ondol_status try_tokens(api_written *w, ondol_error *err) {
    static const int32_t tokens[2] = {0, 0};
    ondol_status status = ONDOL_OK;
    TRY(fill_inputs(w, NULL, tokens, 0, 2, err));
    TRY(network_run(w->n, w->in, w->out, err));
    const tensor_value *v = w->out[w->ports.logits];
    if (!v || v->kind != TENSOR_VALUE_TENSOR || v->rank < 2 || v->rank > 3 ||
        v->dims[v->rank - 1] < 1 || v->dims[v->rank - 1] > INT32_MAX) {
        status = base_fail(err, ONDOL_E_UNSUPPORTED,
                           "output '%s': expected logits [batch, tokens, vocabulary]",
                           w->g->output_names[w->ports.logits]);
        goto done;
    }
    w->vocabulary = (uint32_t)v->dims[v->rank - 1];
    w->last_only = v->elems == w->vocabulary;
done:
    clear(w);
    return status;
}

static ondol_status build(api_written *w, graph *g, const models_genai_config *names,
                          ondol_error *err) {
    ondol_engine *e = w->engine;
    const ondol_allocator *a = &e->allocator;
    const network_options options = {.max_bytes = base_memory_total_bytes()};
    ondol_status status = ONDOL_OK;
    w->lock = base_mutex_create(a);
    w->in = base_calloc(a, (size_t)g->input_count + 1, sizeof *w->in);
    w->out = base_calloc(a, (size_t)g->output_count + 1, sizeof *w->out);
    w->ports.inputs = base_calloc(a, (size_t)g->input_count + 1, sizeof *w->ports.inputs);
    if (!w->lock || !w->in || !w->out || !w->ports.inputs)
        return base_no_memory(err, "decoder", sizeof *w);
    TRY(written_ports_find(g, names, &w->ports, err));
    TRY(network_fold_constants(a, g, e->devices, e->device_count, e->pool, options.max_bytes, err));
    if (strncmp(e->devices[0]->ops->name, "ref", 3) != 0) TRY(optimize_network(g, err));
    TRY(network_create(a, g, e->devices, e->device_count, e->pool, &options, &w->n, err));
    TRY(try_tokens(w, err));
done:
    return status;
}

ondol_status api_written_create(ondol_engine *e, graph *g, const models_genai_config *names,
                                api_written **out, api_written_info *info, ondol_error *err) {
    api_written *w = base_calloc(&e->allocator, 1, sizeof *w);
    if (!w) return base_no_memory(err, "decoder", sizeof *w);
    *w = (api_written){.calls = {w, run, retain, release}, .engine = e, .g = g};
    base_mutex_lock(e->step_lock);
    ondol_status status = build(w, g, names, err);
    base_mutex_unlock(e->step_lock);
    if (status != ONDOL_OK) {
        api_written_destroy(w);
        return status;
    }
    *info = (api_written_info){w->vocabulary, (w->ports.past_count + 1) / 2};
    *out = w;
    return ONDOL_OK;
}

void api_written_destroy(api_written *w) {
    if (!w) return;
    const ondol_allocator *a = &w->engine->allocator;
    base_mutex_lock(w->engine->step_lock);
    if (w->lock) free_garbage(w);
    network_destroy(w->n);
    base_mutex_unlock(w->engine->step_lock);
    base_mutex_destroy(w->lock);
    base_free(a, w->in);
    base_free(a, w->out);
    base_free(a, w->ports.inputs);
    base_free(a, w);
}

const generate_written *api_written_calls(const api_written *w) {
    return &w->calls;
}
