/* Inputs and states of searches' subgraphs. In: prompts, an encoder's outputs. Out: the decoder's
 * first inputs. */
#include "device/ref/ops/ref_ms_search_states.h"

#include <inttypes.h>
#include <string.h>

#include "device/ref/ops/ref_move.h"

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

const graph_value *ref_ms_search_input(const graph *g, uint32_t i) {
    return g->values + g->inputs[i];
}

/* The input of that name; UINT32_MAX: there is none. */
uint32_t ref_ms_search_find(const graph *g, const char *name) {
    for (uint32_t i = 0; i < g->input_count; i++) {
        const char *own = ref_ms_search_input(g, i)->name;
        if (own && strcmp(own, name) == 0) return i;
    }
    return UINT32_MAX;
}

/* True for an input that is no state. */
static bool is_plain_input(const graph *g, uint32_t i) {
    const char *name = ref_ms_search_input(g, i)->name;
    return name && !starts_with(name, "past_key") && !starts_with(name, "past_value") &&
           !starts_with(name, "past_0") &&
           (strcmp(name, "input_ids") == 0 || strcmp(name, "position_ids") == 0 ||
            strcmp(name, "attention_mask") == 0 || starts_with(name, "encoder_"));
}

uint32_t ref_ms_search_first_state(const graph *g) {
    uint32_t i = 0;
    while (i < g->input_count && is_plain_input(g, i))
        i++;
    return i;
}

bool ref_ms_search_is_cross(const graph *g, uint32_t i) {
    const char *name = ref_ms_search_input(g, i)->name;
    return name && (starts_with(name, "past_key_cross") || starts_with(name, "past_value_cross"));
}

/* The dimension of a state that counts rows: GPT-2's hold keys and values, [2, rows, ...]. */
uint32_t ref_ms_search_row_axis(const tensor_value *v) {
    return v->rank == 5 ? 1 : 0;
}

/* ----------------------------------------------------------------------------------- the tensors
 */

/* i32 [rows, columns] with a number for each. */
ondol_status ref_ms_search_ids(const plan_call *c, uint64_t rows, uint64_t columns,
                               tensor_value **out, ondol_error *err) {
    const int64_t dims[2] = {(int64_t)rows, (int64_t)columns};
    return tensor_value_create(c->heap, TENSOR_ELEMENT_I32, 2, dims, out, err);
}

/* v with each index of the axis `times` times, or with rows `from` (then times is 1). */
ondol_status ref_ms_search_take(const plan_call *c, const tensor_value *v, uint32_t axis,
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
    const graph_value *v = ref_ms_search_input(s->decoder, i);
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
void ref_ms_search_set(ref_ms_search *s, uint32_t i, tensor_value *v) {
    tensor_value_release(s->in[i]);
    s->in[i] = v;
}

/* The new tokens of all rows; the whole sequences where the decoder asks for them. */
ondol_status ref_ms_search_set_tokens(const plan_call *c, ref_ms_search *s, uint64_t from,
                                      ondol_error *err) {
    const uint64_t count = s->length - from;
    tensor_value *ids = NULL;
    ondol_status status = ref_ms_search_ids(c, s->rows, count, &ids, err);
    if (status != ONDOL_OK) return status;
    for (uint64_t i = 0; i < s->rows; i++)
        memcpy((int32_t *)ids->data + i * count, s->sequences + i * s->max_length + from,
               count * sizeof(int32_t));
    ref_ms_search_set(s, 0, ids);
    return ONDOL_OK;
}

/* ---------------------------------------------------------------------------- decoders alone */

/* Prompts, which words of them are there, and their places. */
ondol_status ref_ms_search_begin_decoder(plan_call *c, const ref_ms_search_roles *r,
                                         ref_ms_search *s, const tensor_value *ids,
                                         ondol_error *err) {
    tensor_value *given = NULL, *mask = NULL, *places = NULL;
    const uint32_t place_at = ref_ms_search_find(s->decoder, "position_ids");
    const uint32_t mask_at = ref_ms_search_find(s->decoder, "attention_mask");
    ondol_status status = ONDOL_OK;
    if (plan_call_input(c, r->attention_mask)) {
        TRY(plan_call_typed(c, r->attention_mask, TENSOR_ELEMENT_I32, &given, err));
        if (given->rank != 2 || !ref_same_dims(given, ids)) {
            return plan_call_fail(c, err, "attention_mask is not as input_ids");
        }
    }
    TRY(ref_ms_search_ids(c, s->rows, s->prompt, &mask, err));
    s->mask = mask;
    TRY(ref_ms_search_ids(c, s->rows, s->prompt, &places, err));
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
    TRY(ref_ms_search_set_tokens(c, s, 0, err));
    if (mask_at != UINT32_MAX) ref_ms_search_set(s, mask_at, tensor_value_retain(mask));
    if (place_at != UINT32_MAX) ref_ms_search_set(s, place_at, tensor_value_retain(places));
    for (uint32_t i = ref_ms_search_first_state(s->decoder); i < s->in_count; i++) {
        tensor_value *state = NULL;
        TRY(empty_state(c, s, i, &state, err));
        ref_ms_search_set(s, i, state);
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
    TRY(ref_ms_search_ids(c, (uint64_t)ids->dims[0], (uint64_t)ids->dims[1], out, err));
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
    TRY(ref_ms_search_ids(c, s->batch, s->prompt, &start, err));
    for (uint64_t i = 0; i < s->batch; i++)
        memcpy((int32_t *)start->data + i * s->prompt, s->sequences + i * s->beams * s->max_length,
               s->prompt * sizeof(int32_t));
    for (uint32_t i = 0; i < g->input_count; i++) {
        const char *name = ref_ms_search_input(g, i)->name;
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
    const uint32_t from = ref_ms_search_first_state(s->decoder), count = s->encoder->output_count;
    const char *name = s->encoder->values[s->encoder->outputs[0]].name;
    const bool has_logits = name && strcmp(name, "logits") == 0;
    const uint32_t hidden_at = ref_ms_search_find(s->decoder, "encoder_hidden_states");
    uint32_t at = has_logits ? 2 : 0;
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    if (has_logits && count < 2) return plan_call_fail(c, err, "its encoder gives no states");
    if (has_logits) s->logits = tensor_value_retain(outputs[0]);
    if (hidden_at != UINT32_MAX) {
        if (!has_logits) return plan_call_fail(c, err, "its encoder gives no hidden states");
        TRY(ref_ms_search_take(c, outputs[1], 0, s->beams, NULL, s->rows, &v, err));
        ref_ms_search_set(s, hidden_at, v);
    }
    for (uint32_t i = from; i < s->in_count; i++) {
        if (!has_logits && !ref_ms_search_is_cross(s->decoder, i)) {
            TRY(empty_state(c, s, i, &v, err));
        } else {
            if (at >= count) return plan_call_fail(c, err, "its encoder gives too few states");
            TRY(ref_ms_search_take(c, outputs[at++], 0, s->beams, NULL, s->rows, &v, err));
        }
        ref_ms_search_set(s, i, v);
    }
done:
    return status;
}

ondol_status ref_ms_search_begin_encoder(plan_call *c, const ref_ms_search_roles *r,
                                         ref_ms_search *s, tensor_value *ids, ondol_error *err) {
    const uint32_t count = s->encoder->output_count;
    const uint32_t mask_at = ref_ms_search_find(s->decoder, "encoder_attention_mask");
    tensor_value *mask = NULL, *wide = NULL, **outputs = NULL;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_alloc(c, count, sizeof *outputs, "an encoder", &memory, err));
    outputs = memory;
    memset(outputs, 0, count * sizeof *outputs);
    if (mask_at != UINT32_MAX || s->encoder->input_count > 1) {
        const bool needs_mask =
            mask_at != UINT32_MAX ||
            ref_ms_search_find(s->encoder, "encoder_attention_mask") != UINT32_MAX;
        if (needs_mask) TRY(encoder_mask(c, r, s, ids, &mask, err));
    }
    TRY(run_encoder(c, s, ids, mask, outputs, err));
    if (count == 0) {
        status = plan_call_fail(c, err, "its encoder gives nothing");
        goto done;
    }
    TRY(share_states(c, s, outputs, err));
    if (mask_at != UINT32_MAX) {
        TRY(ref_ms_search_take(c, mask, 0, s->beams, NULL, s->rows, &wide, err));
        ref_ms_search_set(s, mask_at, wide);
    }
    TRY(ref_ms_search_set_tokens(c, s, 0, err));
done:
    for (uint32_t i = 0; i < count && outputs; i++)
        tensor_value_release(outputs[i]);
    tensor_heap_free(c->heap, memory);
    tensor_value_release(mask);
    return status;
}
