/* What searches begin with. In: a node with its subgraphs, prompts. Out: parameters, rows, the
 * decoder's first inputs. */
#include <inttypes.h>
#include <string.h>

#include "device/ref/ops/ref_ms_search_states.h"

#define LENGTH_MAX 4096 /* of a sequence */
#define BEAMS_MAX  1024

static const graph *subgraph(const plan_call *c, const char *name) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, name);
    return a ? a->graphs[0] : NULL;
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
    if (ref_ms_search_find(s->decoder, "past_sequence_length") != UINT32_MAX ||
        ref_ms_search_find(s->decoder, "cache_indirection") != UINT32_MAX) {
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
        TRY(ref_ms_search_begin_encoder(c, r, s, ids, err));
    else
        TRY(ref_ms_search_begin_decoder(c, r, s, ids, err));
    for (uint32_t i = 0; i < s->in_count; i++) {
        if (s->in[i]) continue;
        const char *name = ref_ms_search_input(s->decoder, i)->name;
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
