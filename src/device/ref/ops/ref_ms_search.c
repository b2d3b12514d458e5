/* Sequences that grow. In: a node with its subgraphs, prompts. Out: the decoder's scores for each
 * next token; tokens appended, states reordered. */
#include "device/ref/ops/ref_ms_search.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_move.h"

#define LENGTH_MAX 4096 /* of a sequence */
#define BEAMS_MAX  1024

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

static const graph *subgraph(const plan_call *c, const char *name) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, name);
    return a ? a->graphs[0] : NULL;
}

static const graph_value *input_value(const graph *g, uint32_t i) {
    return g->values + g->inputs[i];
}

/* The input of that name; UINT32_MAX: there is none. */
static uint32_t find_input(const graph *g, const char *name) {
    for (uint32_t i = 0; i < g->input_count; i++) {
        const char *own = input_value(g, i)->name;
        if (own && strcmp(own, name) == 0) return i;
    }
    return UINT32_MAX;
}

/* True for an input that is no state. */
static bool is_plain_input(const graph *g, uint32_t i) {
    const char *name = input_value(g, i)->name;
    return name && !starts_with(name, "past_key") && !starts_with(name, "past_value") &&
           !starts_with(name, "past_0") &&
           (strcmp(name, "input_ids") == 0 || strcmp(name, "position_ids") == 0 ||
            strcmp(name, "attention_mask") == 0 || starts_with(name, "encoder_"));
}

static uint32_t first_state(const graph *g) {
    uint32_t i = 0;
    while (i < g->input_count && is_plain_input(g, i))
        i++;
    return i;
}

static bool is_cross(const graph *g, uint32_t i) {
    const char *name = input_value(g, i)->name;
    return name && (starts_with(name, "past_key_cross") || starts_with(name, "past_value_cross"));
}

/* The dimension of a state that counts rows: GPT-2's hold keys and values, [2, rows, ...]. */
static uint32_t row_axis(const tensor_value *v) {
    return v->rank == 5 ? 1 : 0;
}

/* ---------------------------------------------------------------------------------- parameters */

/* Input i, one integer; otherwise where it is absent. */
static ondol_status read_count(const plan_call *c, uint32_t i, const char *name, int64_t otherwise,
                               int64_t least, int64_t most, int64_t *out, ondol_error *err) {
    ondol_status status = ref_scalar_integer(c, i, otherwise, out, err);
    if (status != ONDOL_OK) return status;
    if (*out >= least && *out <= most) return ONDOL_OK;
    return plan_call_fail(c, err, "%s is %" PRId64 ", expected %" PRId64 " to %" PRId64, name, *out,
                          least, most);
}

/* A mask of integers, [vocabulary] or [batch, vocabulary]; read when the vocabulary is known. */
static ondol_status read_mask(const plan_call *c, uint32_t i, const char *name, uint32_t rank,
                              const tensor_value **out, ondol_error *err) {
    tensor_value *v = NULL;
    if (!plan_call_input(c, i)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, i, TENSOR_ELEMENT_I32, &v, err);
    if (status == ONDOL_OK) status = ref_ms_expect_rank(c, name, v, rank, err);
    *out = v;
    return status;
}

static ondol_status read_graphs(const plan_call *c, ref_ms_search *s, ondol_error *err) {
    s->decoder = subgraph(c, "decoder");
    s->first = subgraph(c, "init_decoder");
    s->encoder = subgraph(c, "encoder");
    if (!s->decoder || s->decoder->input_count < 2 || s->decoder->output_count < 1) {
        return plan_call_fail(c, err, "it lacks a decoder with inputs and outputs");
    }
    if (!s->first) s->first = s->decoder;
    if (s->first->input_count != s->decoder->input_count ||
        s->first->output_count != s->decoder->output_count) {
        return plan_call_fail(c, err, "init_decoder and decoder differ in inputs or outputs");
    }
    if (find_input(s->decoder, "past_sequence_length") != UINT32_MAX ||
        find_input(s->decoder, "cache_indirection") != UINT32_MAX) {
        return plan_call_fail(c, err, "its decoder shares one buffer of states among its steps");
    }
    return ONDOL_OK;
}

static ondol_status read_parameters(const plan_call *c, const ref_ms_search_roles *r,
                                    ref_ms_search *s, ondol_error *err) {
    int64_t number = 0;
    double penalty = 1;
    ondol_status status = ONDOL_OK;
    TRY(read_graphs(c, s, err));
    s->eos = graph_get_int(c->g, c->node, "eos_token_id");
    s->pad = graph_get_int(c->g, c->node, "pad_token_id");
    s->ngram = graph_get_int(c->g, c->node, "no_repeat_ngram_size");
    s->temperature = ref_ms_float(c, "temperature", 1);
    s->presence_penalty = ref_ms_float(c, "presence_penalty", 0);
    if (s->pad < 0 || s->pad > INT32_MAX || s->ngram < 0 || s->ngram > LENGTH_MAX) {
        return plan_call_fail(c, err, "pad_token_id %" PRId64 ", no_repeat_ngram_size %" PRId64,
                              s->pad, s->ngram);
    }
    TRY(read_count(c, 1, "max_length", LENGTH_MAX, 1, LENGTH_MAX, &number, err));
    s->max_length = (uint64_t)number;
    TRY(read_count(c, 2, "min_length", 0, 0, LENGTH_MAX, &s->min_length, err));
    TRY(ref_scalar_number(c, r->repetition, 1, &penalty, err));
    if (!(penalty > 0)) return plan_call_fail(c, err, "repetition_penalty is %g", penalty);
    s->repetition = penalty;
    TRY(read_mask(c, r->vocab_mask, "vocab_mask", 1, &s->vocab_mask, err));
    TRY(read_mask(c, r->prefix_mask, "prefix_vocab_mask", 2, &s->prefix_mask, err));
    TRY(read_mask(c, r->presence_mask, "presence_mask", 2, &s->presence_mask, err));
done:
    return status;
}

/* ----------------------------------------------------------------------------------- the tensors
 */

/* i32 [rows, columns] with a number for each. */
static ondol_status make_ids(const plan_call *c, uint64_t rows, uint64_t columns,
                             tensor_value **out, ondol_error *err) {
    const int64_t dims[2] = {(int64_t)rows, (int64_t)columns};
    return tensor_value_create(c->heap, TENSOR_ELEMENT_I32, 2, dims, out, err);
}

/* v with each index of the axis `times` times, or with rows `from` (then times is 1). */
static ondol_status take_rows(const plan_call *c, const tensor_value *v, uint32_t axis,
                              uint64_t times, const uint64_t *from, uint64_t count,
                              tensor_value **out, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK];
    tensor_value *y = NULL;
    ondol_status status = ONDOL_OK;
    if (v->rank <= axis) return plan_call_fail(c, err, "a state has no dimension of rows");
    memcpy(dims, v->dims, sizeof dims);
    dims[axis] = (int64_t)count;
    TRY(tensor_value_create(c->heap, v->element, v->rank, dims, &y, err));
    const ref_split s = ref_split_at(v, axis);
    for (uint64_t i = 0; i < s.outer * count && y->elems; i++) {
        const uint64_t row = i % count, source = from ? from[row] : row / times;
        if (source >= s.axis) {
            status =
                plan_call_fail(c, err, "row %" PRIu64 " of a state of %" PRIu64, source, s.axis);
            goto done;
        }
        TRY(ref_move_run(y, i * s.inner, v, (i / count * s.axis + source) * s.inner, s.inner, err));
    }
    *out = y;
    return ONDOL_OK;
done:
    tensor_value_release(y);
    return status;
}

/* A state of no token: the decoder's input says heads and sizes. */
static ondol_status empty_state(const plan_call *c, const ref_ms_search *s, uint32_t i,
                                tensor_value **out, ondol_error *err) {
    const graph_value *v = input_value(s->decoder, i);
    int64_t dims[TENSOR_MAX_RANK];
    const bool is_pair = v->shape.rank == 5; /* [2, rows, heads, tokens, size] */
    if (v->shape.rank != 5 && v->shape.rank != 4) {
        return plan_call_fail(c, err, "state '%s' has an unknown number of dimensions",
                              v->name ? v->name : "");
    }
    for (uint32_t d = 0; d < v->shape.rank; d++)
        dims[d] = v->shape.dims[d];
    if (is_pair) dims[0] = 2;
    dims[is_pair ? 1 : 0] = (int64_t)s->rows;
    dims[is_pair ? 3 : 2] = 0;
    const int64_t heads = dims[is_pair ? 2 : 1], size = dims[is_pair ? 4 : 3];
    if (heads < 1 || size < 1 || v->element == TENSOR_ELEMENT_UNDEFINED) {
        return plan_call_fail(c, err, "state '%s' does not say its heads and their size",
                              v->name ? v->name : "");
    }
    return tensor_value_create(c->heap, v->element, v->shape.rank, dims, out, err);
}

/* Input i of the decoder becomes v, whose reference goes over. */
static void set_input(ref_ms_search *s, uint32_t i, tensor_value *v) {
    tensor_value_release(s->in[i]);
    s->in[i] = v;
}

/* The new tokens of all rows; the whole sequences where the decoder asks for them. */
static ondol_status set_tokens(const plan_call *c, ref_ms_search *s, uint64_t from,
                               ondol_error *err) {
    const uint64_t count = s->length - from;
    tensor_value *ids = NULL;
    ondol_status status = make_ids(c, s->rows, count, &ids, err);
    if (status != ONDOL_OK) return status;
    for (uint64_t i = 0; i < s->rows; i++)
        memcpy((int32_t *)ids->data + i * count, s->sequences + i * s->max_length + from,
               count * sizeof(int32_t));
    set_input(s, 0, ids);
    return ONDOL_OK;
}

/* ---------------------------------------------------------------------------- decoders alone */

/* Prompts, which words of them are there, and their places. */
static ondol_status begin_decoder(plan_call *c, const ref_ms_search_roles *r, ref_ms_search *s,
                                  const tensor_value *ids, ondol_error *err) {
    tensor_value *given = NULL, *mask = NULL, *places = NULL;
    const uint32_t place_at = find_input(s->decoder, "position_ids");
    const uint32_t mask_at = find_input(s->decoder, "attention_mask");
    ondol_status status = ONDOL_OK;
    if (plan_call_input(c, r->attention_mask)) {
        TRY(plan_call_typed(c, r->attention_mask, TENSOR_ELEMENT_I32, &given, err));
        if (given->rank != 2 || !ref_same_dims(given, ids)) {
            return plan_call_fail(c, err, "attention_mask is not as input_ids");
        }
    }
    TRY(make_ids(c, s->rows, s->prompt, &mask, err));
    s->mask = mask;
    TRY(make_ids(c, s->rows, s->prompt, &places, err));
    for (uint64_t row = 0; row < s->rows; row++) {
        const int32_t *words = s->sequences + row * s->max_length;
        int32_t place = 0;
        for (uint64_t i = 0; i < s->prompt; i++) {
            const uint64_t at = row / s->beams * s->prompt + i;
            const bool is_word = words[i] != s->pad; /* a mask that is given changes no place */
            ((int32_t *)mask->data)[row * s->prompt + i] =
                given ? ((const int32_t *)given->data)[at] : is_word;
            ((int32_t *)places->data)[row * s->prompt + i] = is_word ? place : 0;
            place += is_word;
        }
        s->positions[row] = place;
    }
    TRY(set_tokens(c, s, 0, err));
    if (mask_at != UINT32_MAX) set_input(s, mask_at, tensor_value_retain(mask));
    if (place_at != UINT32_MAX) set_input(s, place_at, tensor_value_retain(places));
    for (uint32_t i = first_state(s->decoder); i < s->in_count; i++) {
        tensor_value *state = NULL;
        TRY(empty_state(c, s, i, &state, err));
        set_input(s, i, state);
    }
done:
    tensor_value_release(places);
    return status;
}

/* ------------------------------------------------------------------------- encoder and decoder */

/* Which words of the encoder's input are there: left padding is not. */
static ondol_status encoder_mask(const plan_call *c, const ref_ms_search_roles *r,
                                 const ref_ms_search *s, const tensor_value *ids,
                                 tensor_value **out, ondol_error *err) {
    tensor_value *given = NULL;
    ondol_status status = ONDOL_OK;
    if (plan_call_input(c, r->attention_mask)) {
        TRY(plan_call_typed(c, r->attention_mask, TENSOR_ELEMENT_I32, &given, err));
        *out = tensor_value_retain(given);
        return ONDOL_OK;
    }
    if (ids->rank != 2 || ids->element != TENSOR_ELEMENT_I32) {
        return plan_call_fail(c, err, "attention_mask is missing");
    }
    TRY(make_ids(c, (uint64_t)ids->dims[0], (uint64_t)ids->dims[1], out, err));
    for (uint64_t row = 0; row < s->batch; row++) {
        const uint64_t width = (uint64_t)ids->dims[1];
        bool has_begun = false;
        for (uint64_t i = row * width; i < (row + 1) * width; i++) {
            has_begun = has_begun || ((const int32_t *)ids->data)[i] != s->pad;
            ((int32_t *)(*out)->data)[i] = has_begun;
        }
    }
done:
    return status;
}

/* The encoder's outputs, outputs[s->encoder->output_count]. */
static ondol_status run_encoder(plan_call *c, const ref_ms_search *s, tensor_value *ids,
                                tensor_value *mask, tensor_value **outputs, ondol_error *err) {
    const graph *g = s->encoder;
    tensor_value *inputs[8] = {NULL}, *start = NULL;
    ondol_status status = ONDOL_OK;
    if (g->input_count < 1 || g->input_count > 8) {
        return plan_call_fail(c, err, "its encoder has %" PRIu32 " inputs", g->input_count);
    }
    TRY(make_ids(c, s->batch, s->prompt, &start, err));
    for (uint64_t i = 0; i < s->batch; i++)
        memcpy((int32_t *)start->data + i * s->prompt, s->sequences + i * s->beams * s->max_length,
               s->prompt * sizeof(int32_t));
    for (uint32_t i = 0; i < g->input_count; i++) {
        const char *name = input_value(g, i)->name;
        inputs[i] = i == 0                                           ? ids
                    : name && strcmp(name, "decoder_input_ids") == 0 ? start
                    : name && strstr(name, "mask")                   ? mask
                                                                     : NULL;
        if (!inputs[i]) {
            status =
                plan_call_fail(c, err, "its encoder's input '%s' is not known", name ? name : "");
            goto done;
        }
    }
    TRY(c->runtime->run_subgraph(c->runtime, c, g, inputs, outputs, err));
done:
    tensor_value_release(start);
    return status;
}

/* States of the decoder from the encoder's outputs: [logits, hidden states,] states; or the cross
 * ones alone. Each row of the batch becomes one for each beam. */
static ondol_status share_states(plan_call *c, ref_ms_search *s, tensor_value *const *outputs,
                                 ondol_error *err) {
    const uint32_t from = first_state(s->decoder), count = s->encoder->output_count;
    const char *name = s->encoder->values[s->encoder->outputs[0]].name;
    const bool has_logits = name && strcmp(name, "logits") == 0;
    const uint32_t hidden_at = find_input(s->decoder, "encoder_hidden_states");
    uint32_t at = has_logits ? 2 : 0;
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    if (has_logits && count < 2) return plan_call_fail(c, err, "its encoder gives no states");
    if (has_logits) s->logits = tensor_value_retain(outputs[0]);
    if (hidden_at != UINT32_MAX) {
        if (!has_logits) return plan_call_fail(c, err, "its encoder gives no hidden states");
        TRY(take_rows(c, outputs[1], 0, s->beams, NULL, s->rows, &v, err));
        set_input(s, hidden_at, v);
    }
    for (uint32_t i = from; i < s->in_count; i++) {
        if (!has_logits && !is_cross(s->decoder, i)) {
            TRY(empty_state(c, s, i, &v, err));
        } else {
            if (at >= count) return plan_call_fail(c, err, "its encoder gives too few states");
            TRY(take_rows(c, outputs[at++], 0, s->beams, NULL, s->rows, &v, err));
        }
        set_input(s, i, v);
    }
done:
    return status;
}

static ondol_status begin_encoder(plan_call *c, const ref_ms_search_roles *r, ref_ms_search *s,
                                  tensor_value *ids, ondol_error *err) {
    const uint32_t count = s->encoder->output_count;
    const uint32_t mask_at = find_input(s->decoder, "encoder_attention_mask");
    tensor_value *mask = NULL, *wide = NULL, **outputs = NULL;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_alloc(c, count, sizeof *outputs, "an encoder", &memory, err));
    outputs = memory;
    memset(outputs, 0, count * sizeof *outputs);
    if (mask_at != UINT32_MAX || s->encoder->input_count > 1) {
        const bool needs_mask =
            mask_at != UINT32_MAX || find_input(s->encoder, "encoder_attention_mask") != UINT32_MAX;
        if (needs_mask) TRY(encoder_mask(c, r, s, ids, &mask, err));
    }
    TRY(run_encoder(c, s, ids, mask, outputs, err));
    if (count == 0) {
        status = plan_call_fail(c, err, "its encoder gives nothing");
        goto done;
    }
    TRY(share_states(c, s, outputs, err));
    if (mask_at != UINT32_MAX) {
        TRY(take_rows(c, mask, 0, s->beams, NULL, s->rows, &wide, err));
        set_input(s, mask_at, wide);
    }
    TRY(set_tokens(c, s, 0, err));
done:
    for (uint32_t i = 0; i < count && outputs; i++)
        tensor_value_release(outputs[i]);
    tensor_heap_free(c->heap, memory);
    tensor_value_release(mask);
    return status;
}

/* ------------------------------------------------------------------------------------- a search */

/* The tokens that rows begin with: the prompt, the forced ones, or one that says to start. */
static ondol_status first_tokens(const plan_call *c, const ref_ms_search_roles *r,
                                 const ref_ms_search *s, const tensor_value *ids,
                                 const tensor_value **out, ondol_error *err) {
    tensor_value *forced = NULL;
    *out = NULL;
    if (!s->encoder) {
        *out = ids;
        return ONDOL_OK;
    }
    if (!plan_call_input(c, r->decoder_ids)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, r->decoder_ids, TENSOR_ELEMENT_I32, &forced, err);
    if (status != ONDOL_OK) return status;
    if (forced->rank != 2 || forced->dims[0] != ids->dims[0] || forced->dims[1] < 1) {
        return plan_call_fail(c, err, "decoder_input_ids do not go with input_ids");
    }
    *out = forced;
    return ONDOL_OK;
}

static ondol_status make_rows(plan_call *c, const tensor_value *tokens, ref_ms_search *s,
                              ondol_error *err) {
    const int64_t start = graph_get_int(c->g, c->node, "decoder_start_token_id");
    void *sequences = NULL, *spare = NULL, *positions = NULL;
    ondol_status status = ONDOL_OK;
    s->rows = s->batch * s->beams;
    s->prompt = s->length = tokens ? (uint64_t)tokens->dims[1] : 1;
    if (s->prompt < 1 || s->prompt >= s->max_length || (!tokens && start < 0) || s->batch < 1 ||
        s->batch > INT32_MAX) {
        return plan_call_fail(c, err, "%" PRIu64 " rows of %" PRIu64 " tokens, max_length %" PRIu64,
                              s->batch, s->prompt, s->max_length);
    }
    const uint64_t row_bytes = s->max_length * sizeof(int32_t);
    TRY(ref_alloc(c, s->rows, row_bytes, "sequences", &sequences, err));
    s->sequences = sequences;
    TRY(ref_alloc(c, s->rows, row_bytes, "sequences", &spare, err));
    s->spare = spare;
    TRY(ref_alloc(c, s->rows, sizeof(int32_t), "positions", &positions, err));
    s->positions = positions;
    memset(positions, 0, (size_t)s->rows * sizeof(int32_t));
    memset(sequences, 0, (size_t)(s->rows * row_bytes));
    for (uint64_t i = 0; i < s->rows * s->prompt; i++) {
        const uint64_t row = i / s->prompt, place = i % s->prompt;
        s->sequences[row * s->max_length + place] =
            tokens ? ((const int32_t *)tokens->data)[row / s->beams * s->prompt + place]
                   : (int32_t)start;
    }
done:
    return status;
}

ondol_status ref_ms_search_begin(plan_call *c, const ref_ms_search_roles *r, ref_ms_search *s,
                                 ondol_error *err) {
    tensor_value *ids = NULL;
    const tensor_value *tokens = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_parameters(c, r, s, err));
    TRY(plan_call_tensor(c, 0, &ids, err));
    if (ids->rank < 2 || s->beams < 1 || s->beams > BEAMS_MAX ||
        (!s->encoder && (ids->rank != 2 || ids->element != TENSOR_ELEMENT_I32))) {
        return plan_call_fail(c, err, "input_ids have %" PRIu32 " dimensions, %" PRIu64 " beams",
                              ids->rank, s->beams);
    }
    s->batch = (uint64_t)ids->dims[0];
    s->in_count = s->decoder->input_count;
    s->out_count = s->decoder->output_count;
    const uint64_t pointers = (uint64_t)s->in_count + s->out_count;
    TRY(ref_alloc(c, pointers, sizeof *s->in, "a decoder", &s->memory, err));
    memset(s->memory, 0, pointers * sizeof *s->in);
    s->in = s->memory;
    s->out = s->in + s->in_count;
    TRY(first_tokens(c, r, s, ids, &tokens, err));
    TRY(make_rows(c, tokens, s, err));
    if (s->encoder)
        TRY(begin_encoder(c, r, s, ids, err));
    else
        TRY(begin_decoder(c, r, s, ids, err));
    for (uint32_t i = 0; i < s->in_count; i++) {
        if (s->in[i]) continue;
        const char *name = input_value(s->decoder, i)->name;
        status = plan_call_fail(c, err, "its decoder's input '%s' is not known", name ? name : "");
        goto done;
    }
done:
    return status;
}

void ref_ms_search_end(plan_call *c, ref_ms_search *s) {
    for (uint32_t i = 0; s->memory && i < s->in_count + s->out_count; i++)
        tensor_value_release(s->in[i]);
    tensor_value_release(s->logits);
    tensor_value_release(s->mask);
    tensor_heap_free(c->heap, s->memory);
    tensor_heap_free(c->heap, s->sequences);
    tensor_heap_free(c->heap, s->spare);
    tensor_heap_free(c->heap, s->positions);
    tensor_heap_free(c->heap, s->scores);
}

/* ---------------------------------------------------------------------------------------- steps */

static ondol_status run_decoder(plan_call *c, ref_ms_search *s, ondol_error *err) {
    const graph *g = s->step == 0 ? s->first : s->decoder;
    ondol_status status = ONDOL_OK;
    TRY(c->runtime->check_cancelled(c->runtime, err));
    for (uint32_t i = 0; i < s->out_count; i++) {
        tensor_value_release(s->out[i]);
        s->out[i] = NULL;
    }
    TRY(c->runtime->run_subgraph(c->runtime, c, g, s->in, s->out, err));
    s->logits = tensor_value_retain(s->out[0]);
done:
    return status;
}

/* The vocabulary, and memory for its scores, from the first logits. */
static ondol_status find_vocabulary(const plan_call *c, ref_ms_search *s, ondol_error *err) {
    const int64_t given = graph_get_int(c->g, c->node, "vocab_size");
    const tensor_value *v = s->logits;
    const bool is_score = v->kind == TENSOR_VALUE_TENSOR && v->rank == 3 && v->dims[1] >= 1 &&
                          v->dims[2] >= 1 && ref_class_of(v->element) == REF_CLASS_FLOAT;
    const bool has_rows =
        is_score && ((uint64_t)v->dims[0] == s->rows || (uint64_t)v->dims[0] == s->batch);
    if (!has_rows) {
        return plan_call_fail(c, err, "its decoder's first output is no [rows, tokens, scores]");
    }
    const uint64_t own = (uint64_t)v->dims[2];
    const uint64_t count = given > 0 && (uint64_t)given < own ? (uint64_t)given : own;
    if (s->scores) {
        if (count == s->vocabulary) return ONDOL_OK;
        return plan_call_fail(c, err, "its decoder's vocabulary changes");
    }
    const int64_t dims[2] = {(int64_t)s->batch, (int64_t)count};
    ondol_status status = ONDOL_OK;
    s->vocabulary = count;
    if (s->vocab_mask) TRY(ref_expect_dims(c, "vocab_mask", s->vocab_mask, 1, dims + 1, err));
    if (s->prefix_mask) TRY(ref_expect_dims(c, "prefix_vocab_mask", s->prefix_mask, 2, dims, err));
    if (s->presence_mask) TRY(ref_expect_dims(c, "presence_mask", s->presence_mask, 2, dims, err));
    TRY(ref_ms_doubles(c, s->rows * count, "scores", &s->scores, err));
done:
    return status;
}

static void log_softmax(double *x, uint64_t n) {
    double most = -INFINITY, sum = 0;
    for (uint64_t i = 0; i < n; i++)
        if (x[i] > most) most = x[i];
    for (uint64_t i = 0; i < n; i++)
        sum += exp(x[i] - most);
    for (uint64_t i = 0; i < n; i++)
        x[i] = x[i] - most - log(sum);
}

ondol_status ref_ms_search_score(plan_call *c, ref_ms_search *s, bool to_logs, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (!s->logits) TRY(run_decoder(c, s, err));
    TRY(find_vocabulary(c, s, err));
    const uint64_t tokens = (uint64_t)s->logits->dims[1], width = (uint64_t)s->logits->dims[2];
    const uint64_t shared = s->rows / (uint64_t)s->logits->dims[0]; /* rows that share scores */
    for (uint64_t row = 0; row < s->rows; row++) {
        double *scores = s->scores + row * s->vocabulary;
        ref_load_numbers(s->logits, (row / shared * tokens + tokens - 1) * width, s->vocabulary,
                         scores);
        if (to_logs) log_softmax(scores, s->vocabulary);
    }
    s->step++;
    TRY(ref_ms_search_process(c, s, err));
    tensor_value_release(s->logits);
    s->logits = NULL;
done:
    return status;
}

/* Places and masks of decoders that have them: one more token. */
static ondol_status next_places(const plan_call *c, ref_ms_search *s, ondol_error *err) {
    const uint32_t place_at = find_input(s->decoder, "position_ids");
    const uint32_t mask_at = find_input(s->decoder, "attention_mask");
    tensor_value *mask = NULL, *places = NULL;
    ondol_status status = ONDOL_OK;
    TRY(make_ids(c, s->rows, s->length, &mask, err));
    TRY(make_ids(c, s->rows, 1, &places, err));
    for (uint64_t row = 0; row < s->rows; row++) {
        int32_t *to = (int32_t *)mask->data + row * s->length;
        memcpy(to, (const int32_t *)s->mask->data + row * (s->length - 1),
               (s->length - 1) * sizeof *to);
        to[s->length - 1] = 1;
        ((int32_t *)places->data)[row] = s->positions[row]++;
    }
    tensor_value_release(s->mask);
    s->mask = tensor_value_retain(mask);
    if (mask_at != UINT32_MAX) set_input(s, mask_at, tensor_value_retain(mask));
    if (place_at != UINT32_MAX) set_input(s, place_at, tensor_value_retain(places));
done:
    tensor_value_release(mask);
    tensor_value_release(places);
    return status;
}

/* The decoder's new states become its inputs, in the order of the rows that go on. After the
 * encoder's own step there are none yet: its states are those of all beams alike. */
static ondol_status next_states(plan_call *c, ref_ms_search *s, const uint64_t *from,
                                ondol_error *err) {
    uint32_t at = 1;
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    if (!s->out[0]) return ONDOL_OK;
    for (uint32_t i = first_state(s->decoder); i < s->in_count; i++) {
        if (is_cross(s->decoder, i)) continue;
        if (at >= s->out_count) return plan_call_fail(c, err, "its decoder gives too few states");
        tensor_value *state = s->out[at++];
        if (!state || state->kind != TENSOR_VALUE_TENSOR) {
            return plan_call_fail(c, err, "a state of its decoder is no tensor");
        }
        if (from)
            TRY(take_rows(c, state, row_axis(state), 1, from, s->rows, &v, err));
        else
            v = tensor_value_retain(state);
        set_input(s, i, v);
    }
done:
    return status;
}

ondol_status ref_ms_search_append(plan_call *c, ref_ms_search *s, const int32_t *tokens,
                                  const uint64_t *from, ondol_error *err) {
    const graph_value *ids = input_value(s->decoder, 0);
    const bool takes_all = s->encoder && (ids->shape.rank != 2 || ids->shape.dims[1] != 1);
    ondol_status status = ONDOL_OK;
    for (uint64_t row = 0; row < s->rows; row++) {
        int32_t *to = s->spare + row * s->max_length;
        memcpy(to, s->sequences + (from ? from[row] : row) * s->max_length, s->length * sizeof *to);
        to[s->length] = tokens[row];
    }
    int32_t *const swapped = s->sequences;
    s->sequences = s->spare;
    s->spare = swapped;
    s->length++;
    if (s->length >= s->max_length) return ONDOL_OK;
    TRY(set_tokens(c, s, takes_all ? 0 : s->length - 1, err));
    if (!s->encoder) TRY(next_places(c, s, err));
    TRY(next_states(c, s, from, err));
done:
    return status;
}
