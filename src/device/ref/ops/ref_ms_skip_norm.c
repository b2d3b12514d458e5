/* SkipLayerNormalization, SkipSimplifiedLayerNormalization, EmbedLayerNormalization. In: rows, or
 * indices of rows, that are summed. Out: each sum normalised, and the sums. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"
#include "device/ref/ops/ref_ms_norm.h"

void ref_ms_norm_row(double *x, uint64_t n, bool is_simple, double epsilon, const double *gamma,
                     const double *beta, double *mean, double *inverse) {
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < n && !is_simple; i++)
        sum += x[i];
    const double middle = n ? sum / (double)n : 0;
    for (uint64_t i = 0; i < n; i++)
        squares += (x[i] - middle) * (x[i] - middle);
    const double by = 1 / sqrt((n ? squares / (double)n : 0) + epsilon);
    for (uint64_t i = 0; i < n; i++)
        x[i] = (x[i] - middle) * by * gamma[i] + (beta ? beta[i] : 0);
    if (mean) *mean = middle;
    if (inverse) *inverse = by;
}

/* Rows, and what belongs to all of them. */
typedef struct norm_call {
    bool is_simple;
    double epsilon;
    uint64_t rows, width;
    double *row, *gamma, *beta, *bias;      /* [width]; beta, bias: NULL where absent */
    tensor_value *y, *mean, *inverse, *sum; /* all but y: NULL where nobody reads it */
} norm_call;

static void finish(const plan_call *c, norm_call *n) {
    tensor_heap_free(c->heap, n->row);
    tensor_heap_free(c->heap, n->gamma);
    tensor_heap_free(c->heap, n->beta);
    tensor_heap_free(c->heap, n->bias);
}

static void norm_row(norm_call *n, uint64_t i) {
    double mean = 0, inverse = 0;
    if (n->sum) ref_store_numbers(n->sum, i * n->width, n->width, n->row);
    ref_ms_norm_row(n->row, n->width, n->is_simple, n->epsilon, n->gamma, n->beta, &mean, &inverse);
    ref_store_numbers(n->y, i * n->width, n->width, n->row);
    if (n->mean) ref_store_numbers(n->mean, i, 1, &mean);
    if (n->inverse) ref_store_numbers(n->inverse, i, 1, &inverse);
}

/* The sum's own dims, or those of x without the first. */
static ondol_status check_skip(const plan_call *c, const tensor_value *x, const tensor_value *skip,
                               ondol_error *err) {
    const bool is_inner = skip->rank + 1 == x->rank && x->rank == 3;
    const bool is_one = skip->rank == 3 && x->rank == 3 && skip->dims[0] == 1;
    if (is_inner) return ref_expect_dims(c, "skip", skip, 2, x->dims + 1, err);
    if (is_one) {
        const int64_t dims[3] = {1, x->dims[1], x->dims[2]};
        return ref_expect_dims(c, "skip", skip, 3, dims, err);
    }
    return ref_expect_dims(c, "skip", skip, x->rank, x->dims, err);
}

static ondol_status skip_outputs(plan_call *c, const tensor_value *x, norm_call *n,
                                 ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i] = i + 1 == x->rank ? 1 : x->dims[i];
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &n->y, err));
    if (plan_call_wants(c, 1))
        TRY(plan_call_output(c, 1, TENSOR_ELEMENT_F32, x->rank, dims, &n->mean, err));
    if (plan_call_wants(c, 2))
        TRY(plan_call_output(c, 2, TENSOR_ELEMENT_F32, x->rank, dims, &n->inverse, err));
    if (plan_call_wants(c, 3))
        TRY(plan_call_output(c, 3, x->element, x->rank, x->dims, &n->sum, err));
done:
    return status;
}

static ondol_status skip_norm(plan_call *c, norm_call *n, ondol_error *err) {
    tensor_value *x = NULL, *skip = NULL;
    double numbers[REF_CHUNK];
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    TRY(ref_float_input(c, 1, &skip, err));
    if (x->rank < 1) return ref_ms_expect_rank(c, "the input", x, 3, err);
    TRY(check_skip(c, x, skip, err));
    const int64_t width = x->dims[x->rank - 1];
    n->width = (uint64_t)width;
    n->rows = width ? x->elems / n->width : 0;
    n->epsilon = graph_get_float(c->g, c->node, "epsilon");
    TRY(ref_ms_needed(c, 2, "gamma", 1, &width, &n->gamma, err));
    if (!n->is_simple) TRY(ref_ms_numbers(c, 3, "beta", 1, &width, &n->beta, err));
    TRY(ref_ms_numbers(c, n->is_simple ? 3 : 4, "bias", 1, &width, &n->bias, err));
    TRY(skip_outputs(c, x, n, err));
    TRY(ref_ms_doubles(c, n->width, "a row", &n->row, err));
    for (uint64_t i = 0; i < n->rows; i++) {
        ref_load_numbers(x, i * n->width, n->width, n->row);
        for (uint64_t first = 0; first < n->width; first += REF_CHUNK) {
            const uint64_t left = n->width - first, count = left < REF_CHUNK ? left : REF_CHUNK;
            ref_load_numbers(skip, (i * n->width + first) % skip->elems, count, numbers);
            for (uint64_t k = 0; k < count; k++)
                n->row[first + k] += numbers[k] + (n->bias ? n->bias[first + k] : 0);
        }
        norm_row(n, i);
    }
done:
    return status;
}

ondol_status ref_ms_skip_layer_norm(plan_call *c, ondol_error *err) {
    norm_call n = {.is_simple =
                       c->g->nodes[c->node].op == GRAPH_OP_MS_SKIP_SIMPLIFIED_LAYER_NORMALIZATION};
    ondol_status status = skip_norm(c, &n, err);
    finish(c, &n);
    return status;
}

/* ------------------------------------------------------------ EmbedLayerNormalization */

enum { IDS, SEGMENTS, WORDS, PLACES, SEGMENT_ROWS, GAMMA, BETA, MASK, PLACE_IDS };

/* A table of rows, and which row each of [batch][length] has. */
typedef struct lookup {
    const char *name;
    uint32_t table, ids; /* inputs */
    tensor_value *rows, *index;
} lookup;

static ondol_status read_lookup(const plan_call *c, lookup *l, const int64_t *dims, int64_t width,
                                ondol_error *err) {
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, l->table, &l->rows, err));
    TRY(ref_ms_expect_rank(c, l->name, l->rows, 2, err));
    const int64_t shape[2] = {l->rows->dims[0], width};
    if (width >= 0) TRY(ref_expect_dims(c, l->name, l->rows, 2, shape, err));
    if (!plan_call_input(c, l->ids)) return ONDOL_OK;
    const tensor_value *given = plan_call_input(c, l->ids);
    const bool is_shared = l->ids == PLACE_IDS && given->rank == 2 && given->dims[0] == 1;
    const int64_t wanted[2] = {is_shared ? 1 : dims[0], dims[1]};
    TRY(ref_ms_integers(c, l->ids, "indices of rows", 2, wanted, &l->index, err));
done:
    return status;
}

/* Adds the row that place `i` of [batch][length] has; without indices, that of its column. */
static ondol_status add_row(const plan_call *c, const lookup *l, uint64_t i, uint64_t length,
                            uint64_t width, double *row, ondol_error *err) {
    const tensor_value *index = l->index;
    const int64_t at = index ? tensor_get_integer(index->element, index->data, i % index->elems)
                             : (int64_t)(i % length);
    if (at < 0 || at >= l->rows->dims[0]) {
        return plan_call_fail(c, err, "row %" PRId64 " of %s, which has %" PRId64, at, l->name,
                              l->rows->dims[0]);
    }
    for (uint64_t k = 0; k < width; k++)
        row[k] += tensor_get_number(l->rows->element, l->rows->data, (uint64_t)at * width + k);
    return ONDOL_OK;
}

/* How many words of each sequence the mask has; 0 without one. */
static ondol_status count_words(plan_call *c, const int64_t *dims, ondol_error *err) {
    tensor_value *mask = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_output(c, 1, TENSOR_ELEMENT_I32, 1, dims, &y, err));
    if (plan_call_input(c, MASK)) TRY(ref_ms_integers(c, MASK, "mask", 2, dims, &mask, err));
    for (uint64_t b = 0; b < y->elems; b++) {
        int64_t count = 0;
        for (uint64_t i = 0; mask && i < (uint64_t)dims[1]; i++)
            count += tensor_get_integer(mask->element, mask->data, b * (uint64_t)dims[1] + i) == 1;
        tensor_set_integer(y->element, y->data, b, count);
    }
done:
    return status;
}

static ondol_status embed_norm(plan_call *c, norm_call *n, ondol_error *err) {
    lookup lookups[3] = {{"word_embedding", WORDS, IDS, NULL, NULL},
                         {"position_embedding", PLACES, PLACE_IDS, NULL, NULL},
                         {"segment_embedding", SEGMENT_ROWS, SEGMENTS, NULL, NULL}};
    tensor_value *ids = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, IDS, &ids, err));
    TRY(ref_ms_expect_rank(c, "input_ids", ids, 2, err));
    TRY(read_lookup(c, lookups, ids->dims, -1, err));
    const int64_t width = lookups[0].rows->dims[1];
    const int64_t dims[3] = {ids->dims[0], ids->dims[1], width};
    TRY(read_lookup(c, lookups + 1, dims, width, err));
    const uint32_t count = plan_call_input(c, SEGMENTS) ? 3 : 2;
    if (count == 3) TRY(read_lookup(c, lookups + 2, dims, width, err));
    n->width = (uint64_t)width;
    n->epsilon = graph_get_float(c->g, c->node, "epsilon");
    TRY(ref_ms_needed(c, GAMMA, "gamma", 1, &width, &n->gamma, err));
    TRY(ref_ms_needed(c, BETA, "beta", 1, &width, &n->beta, err));
    const tensor_element e = lookups[0].rows->element;
    TRY(plan_call_output(c, 0, e, 3, dims, &n->y, err));
    if (plan_call_wants(c, 1)) TRY(count_words(c, dims, err));
    if (plan_call_wants(c, 2)) TRY(plan_call_output(c, 2, e, 3, dims, &n->sum, err));
    TRY(ref_ms_doubles(c, n->width, "a row", &n->row, err));
    for (uint64_t i = 0; i < ids->elems; i++) {
        for (uint64_t k = 0; k < n->width; k++)
            n->row[k] = 0;
        for (uint32_t k = 0; k < count; k++)
            TRY(add_row(c, lookups + k, i, (uint64_t)dims[1], n->width, n->row, err));
        norm_row(n, i);
    }
done:
    return status;
}

ondol_status ref_ms_embed_layer_norm(plan_call *c, ondol_error *err) {
    norm_call n = {0};
    ondol_status status = embed_norm(c, &n, err);
    finish(c, &n);
    return status;
}
