/* RelativePositionBias, GatedRelativePositionBias. In: a table of biases, or projections of
 * queries. Out: what attention adds to the score of each query and key. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"

/* T5's bucket of a distance: exact for the first half, then by the logarithm. */
static int64_t bucket_of(int64_t distance, int64_t buckets, bool is_bidirectional,
                         int64_t most_distance) {
    int64_t first = 0;
    if (is_bidirectional) {
        buckets /= 2;
        if (distance > 0) first = buckets;
    }
    if (distance < 0) distance = -distance;
    const int64_t exact = buckets / 2;
    if (distance < exact || exact == 0)
        return first + (distance < buckets ? distance : buckets - 1);
    const float ratio =
        logf((float)distance / (float)exact) / logf((float)most_distance / (float)exact);
    const float steps = ratio * (float)(buckets - exact);
    const int64_t last = buckets - 1;
    if (!(steps < (float)(last - exact))) return first + last;
    return first + exact + (int64_t)(steps < 0 ? 0 : steps);
}

/* The table's numbers of a head lie one behind the other, whatever its shape says. */
ondol_status ref_ms_relative_position_bias(plan_call *c, ondol_error *err) {
    const int64_t most_distance = graph_get_int(c->g, c->node, "max_distance");
    const bool both = graph_get_int(c->g, c->node, "is_bidirectional") != 0;
    tensor_value *table = NULL, *y = NULL;
    int64_t queries = 0, keys = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &table, err));
    TRY(ref_ms_expect_rank(c, "bias_table", table, 2, err));
    TRY(ref_scalar_integer(c, 1, 0, &queries, err));
    TRY(ref_scalar_integer(c, 2, 0, &keys, err));
    const int64_t buckets = table->dims[0], heads = table->dims[1];
    if (queries < 0 || keys < 0 || most_distance < 1 || buckets < (both ? 2 : 1)) {
        return plan_call_fail(c, err,
                              "%" PRId64 " queries, %" PRId64 " keys, max_distance %" PRId64
                              ", %" PRId64 " buckets",
                              queries, keys, most_distance, buckets);
    }
    const int64_t dims[4] = {1, heads, queries, keys};
    TRY(plan_call_output(c, 0, table->element, 4, dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++) {
        const int64_t key = (int64_t)(i % (uint64_t)keys);
        const int64_t query = (int64_t)(i / (uint64_t)keys % (uint64_t)queries);
        const uint64_t head = i / (uint64_t)keys / (uint64_t)queries;
        const int64_t bucket = bucket_of(key - query, buckets, both, most_distance);
        ref_copy_element(y, i, table, head * (uint64_t)buckets + (uint64_t)bucket, NULL);
    }
done:
    return status;
}

/* ------------------------------------------------------------- GatedRelativePositionBias */

enum { QUERY, QUERY_BIAS, REL_POS, WEIGHT, BIAS, ECO, OFFSETS };

typedef struct gated {
    uint64_t batch, heads, length, size, gates; /* gates: D, columns of the weight */
    double *query, *query_bias, *rel_pos, *weight, *bias, *eco;
    const tensor_value *offsets; /* NULL: rows are [batch][length] */
    uint64_t rows;
} gated;

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/* What scales the row of rel_pos that a query of a head has; query: its row of tokens. */
static double gate_of(const gated *j, uint64_t row, uint64_t head) {
    const uint64_t half = j->gates / 2;
    double sums[2] = {0, 0};
    for (uint64_t d = 0; d < j->gates; d++) {
        double sum = j->bias[d];
        for (uint64_t k = 0; k < j->size; k++) {
            const uint64_t at = head * j->size + k;
            const double q = j->query[row * j->heads * j->size + at] + j->query_bias[at];
            sum += q * j->weight[k * j->gates + d];
        }
        sums[d / half] += sum;
    }
    return sigmoid(sums[0]) * (sigmoid(sums[1]) * j->eco[head] - 1) + 2;
}

static ondol_status read_gated(const plan_call *c, gated *j, tensor_value **query,
                               ondol_error *err) {
    tensor_value *rel_pos = NULL, *weight = NULL, *offsets = NULL;
    const int64_t heads = graph_get_int(c->g, c->node, "num_heads");
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, QUERY, query, err));
    TRY(ref_float_input(c, REL_POS, &rel_pos, err));
    TRY(ref_float_input(c, WEIGHT, &weight, err));
    const tensor_value *q = *query;
    TRY(ref_ms_expect_rank(c, "query_layer", q, plan_call_input(c, OFFSETS) ? 2 : 3, err));
    TRY(ref_ms_expect_rank(c, "rel_pos", rel_pos, 4, err));
    TRY(ref_ms_expect_rank(c, "weight", weight, 2, err));
    const int64_t width = q->dims[q->rank - 1];
    if (heads < 1 || width % heads != 0 || weight->dims[1] % 2 != 0 || weight->dims[1] < 2) {
        return plan_call_fail(c, err, "%" PRId64 " heads of rows of %" PRId64 ", D %" PRId64, heads,
                              width, weight->dims[1]);
    }
    j->heads = (uint64_t)heads;
    j->size = (uint64_t)(width / heads);
    j->gates = (uint64_t)weight->dims[1];
    j->length = (uint64_t)rel_pos->dims[2];
    j->rows = width ? q->elems / (uint64_t)width : 0;
    const int64_t length = rel_pos->dims[2];
    if (plan_call_input(c, OFFSETS)) {
        TRY(plan_call_typed(c, OFFSETS, TENSOR_ELEMENT_I32, &offsets, err));
        TRY(ref_ms_expect_rank(c, "token_offset", offsets, 2, err));
        j->batch = (uint64_t)offsets->dims[0];
        const int64_t dims[2] = {offsets->dims[0], length};
        TRY(ref_expect_dims(c, "token_offset", offsets, 2, dims, err));
        j->offsets = offsets;
    } else {
        j->batch = (uint64_t)q->dims[0];
        const int64_t dims[3] = {q->dims[0], length, width};
        TRY(ref_expect_dims(c, "query_layer", q, 3, dims, err));
    }
    const int64_t square[4] = {1, heads, length, length}, eco[4] = {1, heads, 1, 1};
    const int64_t matrix[2] = {width / heads, weight->dims[1]};
    TRY(ref_ms_needed(c, QUERY_BIAS, "query_bias", 1, &width, &j->query_bias, err));
    TRY(ref_ms_needed(c, REL_POS, "rel_pos", 4, square, &j->rel_pos, err));
    TRY(ref_ms_needed(c, WEIGHT, "weight", 2, matrix, &j->weight, err));
    TRY(ref_ms_needed(c, BIAS, "bias", 1, weight->dims + 1, &j->bias, err));
    TRY(ref_ms_needed(c, ECO, "eco_a", 4, eco, &j->eco, err));
    TRY(ref_all_numbers(c, q, &j->query, err));
done:
    return status;
}

/* Rows of query_layer: [batch][length], or without padding: the first offsets say which place of
 * [batch][length] each token has. */
static ondol_status gate_rows(const plan_call *c, const gated *j, tensor_value *y,
                              ondol_error *err) {
    const uint64_t places = j->batch * j->length;
    for (uint64_t row = 0; row < j->rows; row++) {
        const int64_t place = j->offsets
                                  ? tensor_get_integer(TENSOR_ELEMENT_I32, j->offsets->data, row)
                                  : (int64_t)row;
        if (place < 0 || (uint64_t)place >= places) {
            return plan_call_fail(c, err, "token_offset %" PRId64 " of %" PRIu64, place, places);
        }
        const uint64_t batch = (uint64_t)place / j->length, query = (uint64_t)place % j->length;
        for (uint64_t head = 0; head < j->heads; head++) {
            const double gate = gate_of(j, row, head);
            const double *from = j->rel_pos + (head * j->length + query) * j->length;
            const uint64_t to = ((batch * j->heads + head) * j->length + query) * j->length;
            for (uint64_t k = 0; k < j->length; k++)
                tensor_set_number(y->element, y->data, to + k, gate * from[k]);
        }
    }
    return ONDOL_OK;
}

ondol_status ref_ms_gated_relative_position_bias(plan_call *c, ondol_error *err) {
    gated j = {0};
    tensor_value *query = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_gated(c, &j, &query, err));
    const int64_t length = (int64_t)j.length;
    const int64_t dims[4] = {(int64_t)j.batch, (int64_t)j.heads, length, length};
    if (j.rows > j.batch * j.length) {
        status = plan_call_fail(c, err, "%" PRIu64 " tokens for %" PRIu64 " places", j.rows,
                                j.batch * j.length);
        goto done;
    }
    TRY(plan_call_output(c, 0, query->element, 4, dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++)
        tensor_set_number(y->element, y->data, i, 0);
    TRY(gate_rows(c, &j, y, err));
done:
    tensor_heap_free(c->heap, j.query);
    tensor_heap_free(c->heap, j.query_bias);
    tensor_heap_free(c->heap, j.rel_pos);
    tensor_heap_free(c->heap, j.weight);
    tensor_heap_free(c->heap, j.bias);
    tensor_heap_free(c->heap, j.eco);
    return status;
}
