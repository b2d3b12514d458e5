/* Attention (ai.onnx). In: queries, keys, values, perhaps a mask, a cache before or around the
 * keys. Out: sums of values, the cache with the new keys. Scores as an output are left to ref. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/cpu/ops/cpu_attend.h"
#include "device/cpu/ops/cpu_attention_ops.h"
#include "device/host_box.h"

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, VALID_LENGTHS };

static const graph_value *input_of(const graph *g, graph_node_id n, uint32_t i) {
    const graph_node *node = g->nodes + n;
    const bool there = i < node->input_count && node->inputs[i] != GRAPH_NONE;
    return there ? g->values + node->inputs[i] : NULL;
}

bool cpu_accepts_dot_attention(const graph *g, graph_node_id n, base_buffer *why) {
    static const uint32_t floats[] = {Q, K, V, PAST_KEY, PAST_VALUE};
    const graph_node *node = g->nodes + n;
    const graph_value *mask = input_of(g, n, MASK);
    const int64_t precision = graph_get_int(g, n, "softmax_precision");
    const char *fault = NULL;
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        const graph_value *v = input_of(g, n, floats[i]);
        if (v && v->element != TENSOR_ELEMENT_F32) fault = "it attends in float32";
    }
    if (mask && mask->element != TENSOR_ELEMENT_F32 && mask->element != TENSOR_ELEMENT_BOOL)
        fault = "it takes masks of float32 and bool";
    if (precision != 0 && precision != TENSOR_ELEMENT_F32) fault = "a softmax of another type";
    if (node->output_count > 3 && node->outputs[3] != GRAPH_NONE) fault = "scores as an output";
    if (fault && why) base_buffer_append_text(why, fault);
    return !fault;
}

/* Heads of an input, [batch, heads, length, size] or [batch, length, heads * size]. */
typedef struct heads {
    const tensor_value *v;
    uint64_t batch, heads, length, size;
    cpu_head_steps step;
} heads;

static ondol_status read_heads(const plan_call *c, uint32_t i, int64_t count, heads *out,
                               ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = plan_call_typed(c, i, TENSOR_ELEMENT_F32, &v, err);
    if (status != ONDOL_OK) return status;
    const bool packed = v->rank == 3 && count > 0 && v->dims[2] % count == 0;
    const bool apart = v->rank == 4 && (count == 0 || count == v->dims[1]);
    if (!packed && !apart) {
        return plan_call_fail(c, err,
                              "input %" PRIu32 " of rank %" PRIu32 " has not %" PRId64 " heads", i,
                              v->rank, count);
    }
    *out = (heads){.v = v, .batch = (uint64_t)v->dims[0]};
    out->heads = packed ? (uint64_t)count : (uint64_t)v->dims[1];
    out->length = (uint64_t)v->dims[packed ? 1 : 2];
    out->size = packed ? (uint64_t)(v->dims[2] / count) : (uint64_t)v->dims[3];
    const uint64_t row = packed ? out->heads * out->size : out->size;
    out->step = (cpu_head_steps){out->heads * out->length * out->size,
                                 packed ? out->size : out->length * out->size, row};
    return ONDOL_OK;
}

typedef struct job {
    heads q, k, v, past[2];
    uint64_t before, total; /* keys of the past, and all */
    const int64_t *valid;   /* keys of each example; NULL: all */
    uint64_t mask_length;
    bool is_causal;
    int64_t left, right; /* of the window; -1: unbounded */
} job;

static ondol_status check_heads(const plan_call *c, const job *j, ondol_error *err) {
    if (j->q.batch == j->k.batch && j->k.batch == j->v.batch && j->q.size == j->k.size &&
        j->k.length == j->v.length && j->k.heads == j->v.heads && j->k.heads &&
        j->q.heads % j->k.heads == 0) {
        return ONDOL_OK;
    }
    return plan_call_fail(c, err,
                          "q [%" PRIu64 ", %" PRIu64 ", .., %" PRIu64 "], k [%" PRIu64 ", %" PRIu64
                          ", %" PRIu64 ", %" PRIu64 "] and v [%" PRIu64 ", %" PRIu64 ", %" PRIu64
                          ", ..] do not fit each other",
                          j->q.batch, j->q.heads, j->q.size, j->k.batch, j->k.heads, j->k.length,
                          j->k.size, j->v.batch, j->v.heads, j->v.length);
}

/* ------------------------------------------------------------ the cache */

static ondol_status read_past(const plan_call *c, job *j, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (!plan_call_input(c, PAST_KEY) && !plan_call_input(c, PAST_VALUE)) return ONDOL_OK;
    TRY(read_heads(c, PAST_KEY, 0, j->past, err));
    TRY(read_heads(c, PAST_VALUE, 0, j->past + 1, err));
    for (uint32_t i = 0; i < 2; i++) {
        const heads *p = j->past + i, *now = i ? &j->v : &j->k;
        if (p->batch != now->batch || p->heads != now->heads || p->size != now->size ||
            p->length != j->past[0].length) {
            return plan_call_fail(c, err,
                                  "past_key and past_value do not have the shapes of k and v");
        }
    }
    j->before = j->past[0].length;
done:
    return status;
}

static ondol_status copy_heads(const plan_call *c, const heads *from, tensor_value *to,
                               uint64_t first, ondol_error *err) {
    host_box box = {.rank = 4,
                    .dims = {(int64_t)from->batch, (int64_t)from->heads, (int64_t)from->length,
                             (int64_t)from->size},
                    .src_step = {(int64_t)from->step.batch, (int64_t)from->step.head,
                                 (int64_t)from->step.row, 1}};
    host_dense_steps(4, to->dims, box.dst_step);
    box.dst_start = (int64_t)first * box.dst_step[2];
    return from->v->elems ? host_box_move(c, &box, to, from->v, err) : ONDOL_OK;
}

/* Keys (values) of the past with the new ones behind them, where somebody wants them together. */
static ondol_status join(plan_call *c, const job *j, uint32_t i, heads *now, tensor_value **owned,
                         ondol_error *err) {
    const int64_t dims[4] = {(int64_t)now->batch, (int64_t)now->heads, (int64_t)j->total,
                             (int64_t)now->size};
    ondol_status status = ONDOL_OK;
    if (!j->past[i].v && !plan_call_wants(c, 1 + i)) return ONDOL_OK;
    TRY(tensor_value_create(c->heap, TENSOR_ELEMENT_F32, 4, dims, owned, err));
    if (j->past[i].v) TRY(copy_heads(c, j->past + i, *owned, 0, err));
    TRY(copy_heads(c, now, *owned, j->before, err));
    if (plan_call_wants(c, 1 + i)) plan_call_give(c, 1 + i, *owned);
    now->v = *owned;
    now->length = j->total;
    now->step =
        (cpu_head_steps){now->heads * j->total * now->size, j->total * now->size, now->size};
done:
    return status;
}

/* ------------------------------------------------------------ what a query sees */

/* At most `keys`, so that nothing wraps. */
static uint64_t reach(int64_t place, uint64_t keys) {
    return place < 0 ? 0 : (uint64_t)place < keys ? (uint64_t)place : keys;
}

static void sees(const void *user, uint64_t b, uint64_t row, uint64_t *first, uint64_t *end) {
    const job *j = user;
    const int64_t start = j->valid ? j->valid[b] - (int64_t)j->q.length : (int64_t)j->before;
    const int64_t place = start + (int64_t)row;
    uint64_t last = j->valid ? (uint64_t)j->valid[b] : j->total;
    if (j->mask_length < last) last = j->mask_length;
    if (j->is_causal && reach(place + 1, last) < last) last = reach(place + 1, last);
    if (j->right >= 0 && j->right < INT64_MAX / 2 && reach(place + 1 + j->right, last) < last)
        last = reach(place + 1 + j->right, last);
    *first = j->left >= 0 && j->left < INT64_MAX / 2 ? reach(place - j->left, last) : 0;
    *end = last;
}

static ondol_status read_valid(const plan_call *c, job *j, ondol_error *err) {
    tensor_value *v = NULL;
    if (!plan_call_input(c, VALID_LENGTHS)) return ONDOL_OK;
    if (plan_call_input(c, PAST_KEY))
        return plan_call_fail(c, err, "nonpad_kv_seqlen does not go with a past");
    ondol_status status = plan_call_typed(c, VALID_LENGTHS, TENSOR_ELEMENT_I64, &v, err);
    if (status != ONDOL_OK) return status;
    if (v->rank != 1 || v->elems != j->q.batch)
        return plan_call_fail(c, err, "nonpad_kv_seqlen has %" PRIu64 " elements", v->elems);
    j->valid = v->data;
    for (uint64_t i = 0; i < v->elems; i++) {
        if (j->valid[i] >= 0 && (uint64_t)j->valid[i] <= j->total) continue;
        return plan_call_fail(c, err, "nonpad_kv_seqlen is %" PRId64 " of %" PRIu64 " keys",
                              j->valid[i], j->total);
    }
    return ONDOL_OK;
}

/* The mask broadcasts to [batch, heads, queries]; its keys may be too few. Of bool: a copy that
 * adds -infinity where it forbids. */
static ondol_status read_mask(const plan_call *c, job *j, cpu_attention *a, void **copy,
                              ondol_error *err) {
    const uint64_t to[3] = {j->q.batch, j->q.heads, j->q.length};
    const tensor_value *m = plan_call_input(c, MASK);
    uint64_t steps[3] = {0};
    ondol_status status = ONDOL_OK;
    j->mask_length = j->total;
    if (!m) return ONDOL_OK;
    bool fits = m->kind == TENSOR_VALUE_TENSOR && m->rank >= 1 && m->rank <= 4 &&
                (m->element == TENSOR_ELEMENT_F32 || m->element == TENSOR_ELEMENT_BOOL) &&
                (uint64_t)m->dims[m->rank - 1] <= j->total;
    uint64_t step = fits ? (uint64_t)m->dims[m->rank - 1] : 0;
    j->mask_length = step;
    for (uint32_t i = 1; fits && i < m->rank; i++) {
        const uint64_t dim = (uint64_t)m->dims[m->rank - 1 - i];
        steps[3 - i] = dim == 1 ? 0 : step;
        fits = dim == 1 || dim == to[3 - i];
        step *= dim;
    }
    if (!fits)
        return plan_call_fail(c, err,
                              "the mask does not broadcast to [%" PRIu64 ", %" PRIu64 ", %" PRIu64
                              ", %" PRIu64 "]",
                              to[0], to[1], to[2], j->total);
    a->bias = m->data;
    a->bias_step = (cpu_head_steps){steps[0], steps[1], steps[2]};
    if (m->element == TENSOR_ELEMENT_F32) return ONDOL_OK;
    TRY(tensor_heap_alloc(c->heap, m->elems * sizeof(float), "a mask", copy, err));
    for (uint64_t i = 0; i < m->elems; i++)
        ((float *)*copy)[i] = ((const uint8_t *)m->data)[i] ? 0.0f : -INFINITY;
    a->bias = *copy;
done:
    return status;
}

static ondol_status read_attributes(const plan_call *c, job *j, cpu_attention *a,
                                    ondol_error *err) {
    j->is_causal = graph_get_int(c->g, c->node, "is_causal") != 0;
    j->left = graph_get_int(c->g, c->node, "left_window_size");
    j->right = graph_get_int(c->g, c->node, "right_window_size");
    a->softcap = (float)graph_get_float(c->g, c->node, "softcap");
    if (a->softcap < 0) a->softcap = 0;
    a->scale = 1 / sqrtf((float)j->q.size);
    if (graph_get_attribute(c->g, c->node, "scale"))
        a->scale = (float)graph_get_float(c->g, c->node, "scale");
    if (j->left >= -1 && j->right >= -1) return ONDOL_OK;
    return plan_call_fail(c, err, "a window of %" PRId64 " to the left, %" PRId64 " to the right",
                          j->left, j->right);
}

static ondol_status make_output(plan_call *c, const job *j, cpu_attention *a, ondol_error *err) {
    const uint64_t size = j->v.size, count = j->q.heads, rows = j->q.length;
    const int64_t packed[3] = {(int64_t)j->q.batch, (int64_t)rows, (int64_t)(count * size)};
    const int64_t apart[4] = {(int64_t)j->q.batch, (int64_t)count, (int64_t)rows, (int64_t)size};
    const bool is_packed = j->q.v->rank == 3;
    tensor_value *y = NULL;
    ondol_status status = plan_call_output(c, 0, TENSOR_ELEMENT_F32, j->q.v->rank,
                                           is_packed ? packed : apart, &y, err);
    if (status != ONDOL_OK) return status;
    a->y = y->data;
    a->y_step = (cpu_head_steps){count * rows * size, is_packed ? size : rows * size,
                                 is_packed ? count * size : size};
    return ONDOL_OK;
}

ondol_status cpu_run_dot_attention(plan_call *c, ondol_error *err) {
    const int64_t kv_heads = graph_get_int(c->g, c->node, "kv_num_heads");
    tensor_value *owned[2] = {NULL};
    void *mask = NULL;
    job j = {.is_causal = false};
    cpu_attention a = {.sees = sees, .user = &j};
    ondol_status status = ONDOL_OK;
    TRY(read_heads(c, Q, graph_get_int(c->g, c->node, "q_num_heads"), &j.q, err));
    TRY(read_heads(c, K, kv_heads, &j.k, err));
    TRY(read_heads(c, V, kv_heads, &j.v, err));
    TRY(check_heads(c, &j, err));
    TRY(read_attributes(c, &j, &a, err));
    TRY(read_past(c, &j, err));
    j.total = j.before + j.k.length;
    TRY(read_mask(c, &j, &a, &mask, err));
    TRY(read_valid(c, &j, err));
    TRY(join(c, &j, 0, &j.k, owned, err));
    TRY(join(c, &j, 1, &j.v, owned + 1, err));
    TRY(make_output(c, &j, &a, err));
    a.batch = j.q.batch;
    a.heads = j.q.heads;
    a.kv_heads = j.k.heads;
    a.queries = j.q.length;
    a.keys = j.total;
    a.size = j.q.size;
    a.v_size = j.v.size;
    a.q = j.q.v->data;
    a.k = j.k.v->data;
    a.v = j.v.v->data;
    a.q_step = j.q.step;
    a.k_step = j.k.step;
    a.v_step = j.v.step;
    TRY(cpu_attend(c, &a, err));
done:
    tensor_heap_free(c->heap, mask);
    tensor_value_release(owned[0]);
    tensor_value_release(owned[1]);
    return status;
}
