/* BifurcationDetector, NGramRepeatBlock: runs of token ids that repeat. In: token ids, scores. Out:
 * the tokens that agree with a source and where they go on in it; scores without repetitions. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_move.h"
#include "device/ref/ops/ref_ms.h"

/* Token ids, one row. */
static ondol_status read_tokens(const plan_call *c, uint32_t i, const char *name,
                                tensor_value **out, ondol_error *err) {
    ondol_status status = plan_call_typed(c, i, TENSOR_ELEMENT_I64, out, err);
    return status == ONDOL_OK ? ref_ms_expect_rank(c, name, *out, 1, err) : status;
}

/* How many predicted tokens are taken: those that agree with the source from `from` on, and the
 * one behind them. */
static ondol_status count_taken(const plan_call *c, const tensor_value *source, int64_t from,
                                const tensor_value *predicted, uint64_t *out, ondol_error *err) {
    const int64_t *s = source->data, *p = predicted->data;
    if (from < 0 || (uint64_t)from > source->elems ||
        predicted->elems != source->elems + 1 - (uint64_t)from) {
        return plan_call_fail(c, err,
                              "%" PRIu64 " predicted tokens from place %" PRId64 " of %" PRIu64,
                              predicted->elems, from, source->elems);
    }
    uint64_t same = 0;
    while (same + (uint64_t)from < source->elems && p[same] == s[same + (uint64_t)from])
        same++;
    *out = same + 1;
    return ONDOL_OK;
}

/* The first place from `from` on where n tokens stand in s[count]; count where there is none. */
static uint64_t find_run(const int64_t *s, uint64_t count, uint64_t from, const int64_t *run,
                         uint64_t n) {
    for (uint64_t i = from; i < count && n <= count - i; i++)
        if (memcmp(s + i, run, n * sizeof *run) == 0) return i;
    return count;
}

/* Behind the only place of the source where the last tokens stand; -1: none, or several. */
static int64_t find_suffix(const tensor_value *source, const int64_t *tokens, uint64_t count,
                           int64_t least, int64_t most) {
    const int64_t *s = source->data;
    int64_t found = -1;
    for (int64_t n = least; n <= most && (uint64_t)n <= count; n++) {
        const int64_t *run = tokens + count - (uint64_t)n;
        const uint64_t at = find_run(s, source->elems, 0, run, (uint64_t)n);
        if (at == source->elems) break;
        found = (int64_t)at + n;
        if ((uint64_t)found >= source->elems) break;
        if (find_run(s, source->elems, at + 1, run, (uint64_t)n) != source->elems) found = -1;
    }
    return found;
}

ondol_status ref_ms_bifurcation_detector(plan_call *c, ondol_error *err) {
    const int64_t least = graph_get_int(c->g, c->node, "min_ngram_size");
    const int64_t most = graph_get_int(c->g, c->node, "max_ngram_size");
    tensor_value *source = NULL, *current = NULL, *before = NULL, *predicted = NULL;
    tensor_value *tokens = NULL, *found = NULL;
    uint64_t taken = 0;
    int64_t from = 0;
    ondol_status status = ONDOL_OK;
    if (least < 1 || most < least || most > INT32_MAX) {
        return plan_call_fail(c, err, "runs of %" PRId64 " to %" PRId64 " tokens", least, most);
    }
    TRY(read_tokens(c, 0, "src_tokens", &source, err));
    TRY(read_tokens(c, 1, "cur_tokens", &current, err));
    TRY(plan_call_typed(c, 2, TENSOR_ELEMENT_I64, &before, err));
    if (plan_call_input(c, 3)) {
        TRY(ref_scalar_integer(c, 2, 0, &from, err));
        TRY(read_tokens(c, 3, "pred_tokens", &predicted, err));
        TRY(count_taken(c, source, from, predicted, &taken, err));
    }
    const int64_t dims[1] = {(int64_t)(current->elems + taken)};
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_I64, 1, dims, &tokens, err));
    memcpy(tokens->data, current->data, current->elems * sizeof(int64_t));
    if (taken) {
        memcpy((int64_t *)tokens->data + current->elems, predicted->data, taken * sizeof(int64_t));
    }
    TRY(plan_call_output(c, 1, TENSOR_ELEMENT_I64, before->rank, before->dims, &found, err));
    for (uint64_t i = 0; i < found->elems; i++)
        ((int64_t *)found->data)[i] = find_suffix(source, tokens->data, tokens->elems, least, most);
done:
    return status;
}

/* A token that would end a run of n tokens which has been before scores -infinity. */
ondol_status ref_ms_ngram_repeat_block(plan_call *c, ondol_error *err) {
    const int64_t n = graph_get_int(c->g, c->node, "ngram_size");
    tensor_value *ids = NULL, *scores = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_I64, &ids, err));
    TRY(ref_float_input(c, 1, &scores, err));
    TRY(ref_ms_expect_rank(c, "input_ids", ids, 2, err));
    TRY(ref_ms_expect_rank(c, "scores", scores, 2, err));
    if (n < 1 || ids->dims[0] != scores->dims[0]) {
        return plan_call_fail(c, err, "ngram_size %" PRId64 ", %" PRId64 " rows of %" PRId64, n,
                              ids->dims[0], scores->dims[0]);
    }
    TRY(ref_copy_out(c, 0, scores, &y, err));
    const uint64_t length = (uint64_t)ids->dims[1], vocabulary = (uint64_t)scores->dims[1];
    for (uint64_t row = 0; row < (uint64_t)ids->dims[0] && (uint64_t)n <= length; row++) {
        const int64_t *at = (const int64_t *)ids->data + row * length;
        const int64_t *run = at + length - (uint64_t)n + 1;
        for (uint64_t i = 0; i + (uint64_t)n <= length; i++) {
            const int64_t token = at[i + (uint64_t)n - 1];
            if (memcmp(at + i, run, ((size_t)n - 1) * sizeof *run) != 0) continue;
            if (token < 0 || (uint64_t)token >= vocabulary) {
                return plan_call_fail(c, err, "token %" PRId64 " of %" PRIu64, token, vocabulary);
            }
            tensor_set_number(y->element, y->data, row * vocabulary + (uint64_t)token, -INFINITY);
        }
    }
done:
    return status;
}
