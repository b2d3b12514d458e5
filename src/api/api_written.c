/* Decoders that run as they are written. In: tokens, what the graph gave as its present before.
 * Out: logits, its present. With an encoder, the tokens before the first logits are what it reads;
 * the decoder begins with a token of its own, and goes on with those that follow. */
#include "api/api_written.h"

#include <inttypes.h>
#include <string.h>

#include "api/api_ready.h"
#include "api/api_written_ports.h"
#include "base/os.h"
#include "tensor/number.h"

struct generate_past {
    uint32_t references;
    generate_past *next; /* of those that wait to be freed */
    uint64_t tokens;
    uint64_t source;       /* with an encoder: tokens that it has read; 0: it has not run yet */
    tensor_value *states;  /* and what it gave for them */
    tensor_value **values; /* [past_count], behind this struct; NULL before the first run */
};

/* One run of the decoder. */
typedef struct decoding {
    const generate_past *state; /* NULL: nothing stands behind it */
    tensor_value *states;       /* of the encoder; NULL: there is none */
    const int32_t *ids;         /* [count] */
    uint64_t past, count;       /* tokens of the decoder */
} decoding;

struct api_written {
    generate_written calls;
    ondol_engine *engine;
    const graph *g;
    network *n;
    const graph *encoder_graph; /* NULL: no encoder */
    network *encoder;
    int32_t start; /* the decoder's first token, with an encoder */
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
        tensor_value_release(p->states);
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
static ondol_status fill(network *n, const graph *g, uint32_t input, uint64_t count, int64_t first,
                         int64_t step, bool single, tensor_value **out, ondol_error *err) {
    const graph_value *v = g->values + g->inputs[input];
    const uint32_t rank = v->shape.rank == GRAPH_RANK_UNKNOWN ? (single ? 1 : 2) : v->shape.rank;
    int64_t dims[TENSOR_MAX_RANK];
    for (uint32_t i = 0; i < rank; i++)
        dims[i] = i + 1 == rank ? (int64_t)count : 1;
    if (rank == 0 && count != 1) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "input '%s' is one number", v->name);
    }
    ondol_status status = tensor_value_create(network_heap(n), v->element, rank, dims, out, err);
    for (uint64_t i = 0; status == ONDOL_OK && i < count; i++)
        tensor_set_integer(v->element, (*out)->data, i, first + step * (int64_t)i);
    return status;
}

static ondol_status fill_ids(network *n, const graph *g, uint32_t input, const int32_t *ids,
                             uint64_t count, tensor_value **out, ondol_error *err) {
    ondol_status status = fill(n, g, input, count, 0, 0, false, out, err);
    for (uint64_t i = 0; status == ONDOL_OK && i < count; i++)
        tensor_set_integer((*out)->element, (*out)->data, i, ids[i]);
    return status;
}

static ondol_status fill_past(api_written *w, uint32_t input, const decoding *d, uint32_t index,
                              ondol_error *err) {
    const written_port *p = w->ports.inputs + input;
    const graph_value *v = w->g->values + w->g->inputs[input];
    tensor_value **out = w->in + input;
    if (!d->past)
        return tensor_value_create(network_heap(w->n), v->element, p->rank, p->dims, out, err);
    tensor_value *value = d->state->values[index];
    if (!p->cross) return cut(value, p->token_axis, d->past, out, err);
    *out = tensor_value_retain(value);
    return ONDOL_OK;
}

static ondol_status fill_source(api_written *w, uint32_t input, const decoding *d,
                                ondol_error *err) {
    if (!d->states || d->states->rank != 3) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "input '%s': expected an encoder beside the decoder, whose output is "
                         "[batch, tokens, hidden]",
                         w->g->values[w->g->inputs[input]].name);
    }
    if (w->ports.inputs[input].role == WRITTEN_SOURCE) {
        w->in[input] = tensor_value_retain(d->states);
        return ONDOL_OK;
    }
    return fill(w->n, w->g, input, (uint64_t)d->states->dims[1], 1, 0, false, w->in + input, err);
}

static ondol_status fill_input(api_written *w, uint32_t i, const decoding *d, uint32_t *index,
                               ondol_error *err) {
    const int64_t past = (int64_t)d->past, total = (int64_t)(d->past + d->count);
    tensor_value **out = w->in + i;
    switch (w->ports.inputs[i].role) {
    case WRITTEN_IDS: return fill_ids(w->n, w->g, i, d->ids, d->count, out, err);
    case WRITTEN_MASK: return fill(w->n, w->g, i, (uint64_t)total, 1, 0, false, out, err);
    case WRITTEN_POSITIONS: return fill(w->n, w->g, i, d->count, past, 1, false, out, err);
    case WRITTEN_PAST: return fill_past(w, i, d, (*index)++, err);
    case WRITTEN_USE_PAST: return fill(w->n, w->g, i, 1, past > 0, 0, true, out, err);
    case WRITTEN_TOTAL: return fill(w->n, w->g, i, 1, total, 0, true, out, err);
    case WRITTEN_LENGTH: return fill(w->n, w->g, i, 1, total - 1, 0, true, out, err);
    case WRITTEN_PAST_LENGTH: return fill(w->n, w->g, i, 1, past, 0, true, out, err);
    case WRITTEN_SOURCE:
    case WRITTEN_SOURCE_MASK: return fill_source(w, i, d, err);
    default: return ONDOL_OK;
    }
}

static ondol_status fill_inputs(api_written *w, const decoding *d, ondol_error *err) {
    uint32_t index = 0;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < w->g->input_count && status == ONDOL_OK; i++)
        status = fill_input(w, i, d, &index, err);
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

static ondol_status take_present(api_written *w, const decoding *d, generate_past *to,
                                 ondol_error *err) {
    const uint64_t total = d->past + d->count;
    uint32_t index = 0;
    for (uint32_t i = 0; i < w->g->input_count; i++) {
        const written_port *port = w->ports.inputs + i;
        if (port->role != WRITTEN_PAST) continue;
        tensor_value *v = port->cross && d->past ? d->state->values[index] : w->out[port->output];
        if (!v || v->kind != TENSOR_VALUE_TENSOR || v->rank != port->rank ||
            (!port->cross && (uint64_t)v->dims[port->token_axis] != total)) {
            return base_fail(err, ONDOL_E_UNSUPPORTED,
                             "output '%s': expected the keys or values of %" PRIu64 " tokens",
                             w->g->output_names[port->output], total);
        }
        to->values[index++] = tensor_value_retain(v);
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

/* Runs the decoder; *state becomes one of `tokens` tokens of the sequence. */
static ondol_status decode(api_written *w, const decoding *d, uint64_t tokens, uint64_t source,
                           uint64_t wanted, float *logits, generate_past **state,
                           ondol_error *err) {
    generate_past *present = NULL;
    ondol_status status = ONDOL_OK;
    TRY(fill_inputs(w, d, err));
    TRY(network_run(w->n, w->in, w->out, err));
    present = create_past(w, tokens);
    if (!present) {
        status = base_no_memory(err, "a past", sizeof *present);
        goto done;
    }
    present->source = source;
    if (d->states) present->states = tensor_value_retain(d->states);
    TRY(take_present(w, d, present, err));
    if (wanted) TRY(take_logits(w, d->count, wanted, logits, err));
    release(w, *state);
    *state = present;
    present = NULL;
done:
    clear(w);
    release(w, present);
    free_garbage(w);
    return status;
}

/* What the encoder gives for ids, in the decoder's heap. */
static ondol_status encode(api_written *w, const int32_t *ids, uint64_t count, tensor_value **out,
                           ondol_error *err) {
    const graph *g = w->encoder_graph;
    tensor_value *in[2] = {NULL, NULL}, **outputs = NULL;
    ondol_status status = ONDOL_OK;
    outputs = base_calloc(&w->engine->allocator, (size_t)g->output_count + 1, sizeof *outputs);
    if (!outputs) return base_no_memory(err, "outputs", g->output_count * sizeof *outputs);
    TRY(fill_ids(w->encoder, g, 0, ids, count, in, err));
    if (g->input_count > 1) TRY(fill(w->encoder, g, 1, count, 1, 0, false, in + 1, err));
    TRY(network_run(w->encoder, in, outputs, err));
    if (!outputs[0] || outputs[0]->kind != TENSOR_VALUE_TENSOR) {
        status = base_fail(err, ONDOL_E_UNSUPPORTED, "the encoder gives no tensor");
        goto done;
    }
    TRY(tensor_value_copy(network_heap(w->n), outputs[0], out, err));
done:
    tensor_value_release(in[0]);
    tensor_value_release(in[1]);
    for (uint32_t i = 0; i < g->output_count; i++)
        tensor_value_release(outputs[i]);
    base_free(&w->engine->allocator, outputs);
    return status;
}

/* The first logits: all tokens so far are the encoder's. */
static ondol_status begin_answer(api_written *w, generate_past **state, const int32_t *tokens,
                                 uint64_t count, float *logits, ondol_error *err) {
    decoding d = {.ids = &w->start, .count = 1};
    ondol_status status = encode(w, tokens, count, &d.states, err);
    if (status == ONDOL_OK) status = decode(w, &d, count, count, 1, logits, state, err);
    tensor_value_release(d.states);
    return status;
}

/* A prompt that goes on: nothing is computed before logits are wanted. */
static ondol_status remember(api_written *w, generate_past **state, uint64_t tokens,
                             ondol_error *err) {
    generate_past *p = create_past(w, tokens);
    if (!p) return base_no_memory(err, "a past", sizeof *p);
    release(w, *state);
    *state = p;
    return ONDOL_OK;
}

static ondol_status run_pair(api_written *w, generate_past **state, const int32_t *tokens,
                             uint64_t past, uint64_t count, uint64_t wanted, float *logits,
                             ondol_error *err) {
    generate_past *s = *state;
    free_garbage(w);
    if (s && s->source && past >= s->source) {
        const decoding d = {s, s->states, tokens + past, 1 + past - s->source, count};
        return decode(w, &d, past + count, s->source, wanted, logits, state, err);
    }
    if (!wanted) return remember(w, state, past + count, err);
    if (wanted > 1) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "the prompt of a model with an encoder has no logits of its own");
    }
    return begin_answer(w, state, tokens, past + count, logits, err);
}

static ondol_status run(void *user, generate_past **state, const int32_t *tokens, uint64_t past,
                        uint64_t count, uint64_t wanted, float *logits, ondol_error *err) {
    api_written *w = user;
    ondol_status status = ONDOL_OK;
    if (w->encoder) return run_pair(w, state, tokens, past, count, wanted, logits, err);
    free_garbage(w);
    const uint64_t end = past + count;
    for (uint64_t done = past; status == ONDOL_OK && done < end;) {
        const bool one = w->last_only && wanted > 1;
        const uint64_t now = one ? end - wanted + 1 : end, rows = one ? 1 : wanted;
        /* Without a past all is computed each time. */
        const uint64_t from = w->ports.past_count ? done : 0;
        const decoding d = {*state, NULL, tokens + from, from, now - from};
        status = decode(w, &d, now, 0, rows, logits, state, err);
        wanted -= rows;
        logits += rows * w->vocabulary;
        done = now;
    }
    return status;
}

/* ------------------------------------------------------------ making */

/* Two tokens: what the logits are like, and whether the graph runs at all. */
static ondol_status try_tokens(api_written *w, ondol_error *err) {
    static const int32_t ids[2] = {0, 0};
    decoding d = {.ids = ids, .count = 2};
    ondol_status status = ONDOL_OK;
    if (w->encoder) TRY(encode(w, ids, 2, &d.states, err));
    TRY(fill_inputs(w, &d, err));
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
    tensor_value_release(d.states);
    return status;
}

static ondol_status make_network(ondol_engine *e, graph *g, network **out, ondol_error *err) {
    const network_options options = {.max_bytes = base_memory_total_bytes()};
    return api_ready_network(&e->allocator, g, e->devices, e->device_count, e->pool, &options, out,
                             err);
}

static ondol_status build(api_written *w, graph *g, graph *encoder,
                          const models_genai_config *names, ondol_error *err) {
    ondol_engine *e = w->engine;
    const ondol_allocator *a = &e->allocator;
    ondol_status status = ONDOL_OK;
    w->lock = base_mutex_create(a);
    w->in = base_calloc(a, (size_t)g->input_count + 1, sizeof *w->in);
    w->out = base_calloc(a, (size_t)g->output_count + 1, sizeof *w->out);
    w->ports.inputs = base_calloc(a, (size_t)g->input_count + 1, sizeof *w->ports.inputs);
    if (!w->lock || !w->in || !w->out || !w->ports.inputs)
        return base_no_memory(err, "decoder", sizeof *w);
    TRY(written_ports_find(g, names, &w->ports, err));
    TRY(make_network(e, g, &w->n, err));
    if (encoder && w->ports.has_source) {
        if (encoder->input_count < 1 || encoder->input_count > 2 || !encoder->output_count) {
            return base_fail(err, ONDOL_E_UNSUPPORTED,
                             "the encoder has %u inputs, expected input_ids and attention_mask",
                             encoder->input_count);
        }
        TRY(make_network(e, encoder, &w->encoder, err));
        w->encoder_graph = encoder;
        w->calls.whole_prompts = true;
        w->start = names && names->decoder_start >= 0 ? names->decoder_start
                   : names && names->pad >= 0         ? names->pad
                                                      : 0;
    }
    TRY(try_tokens(w, err));
done:
    return status;
}

ondol_status api_written_create(ondol_engine *e, graph *g, graph *encoder,
                                const models_genai_config *names, api_written **out,
                                api_written_info *info, ondol_error *err) {
    api_written *w = base_calloc(&e->allocator, 1, sizeof *w);
    if (!w) return base_no_memory(err, "decoder", sizeof *w);
    *w = (api_written){.calls = {w, false, run, retain, release}, .engine = e, .g = g};
    base_mutex_lock(e->step_lock);
    ondol_status status = build(w, g, encoder, names, err);
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
    network_destroy(w->encoder);
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
