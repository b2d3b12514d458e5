/* Binary and variadic operators. In: tensors of f32 that broadcast. Out: one of their common shape.
 * Dimensions that all operands step through alike are run together, so that most calls are a few
 * long rows. */
#include "device/cpu/ops/cpu_elementwise.h"

#include <inttypes.h>
#include <string.h>

#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/ops/cpu_output.h"
#include "device/cpu/rows.h"

/* The common shape, with dimensions joined: each operand's steps in elements, 0 where it repeats.
 */
typedef struct pair_shape {
    uint32_t rank;
    int64_t dims[TENSOR_MAX_RANK];
    int64_t a_step[TENSOR_MAX_RANK], b_step[TENSOR_MAX_RANK];
} pair_shape;

static int64_t dim_at(const tensor_value *v, uint32_t rank, uint32_t i) {
    return i + v->rank < rank ? 1 : v->dims[i + v->rank - rank];
}

static ondol_status broadcast(const plan_call *c, const tensor_value *a, const tensor_value *b,
                              uint32_t *rank, int64_t *dims, ondol_error *err) {
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (uint32_t i = 0; i < *rank; i++) {
        const int64_t p = dim_at(a, *rank, i), q = dim_at(b, *rank, i);
        if (p != q && p != 1 && q != 1) {
            return plan_call_fail(c, err,
                                  "dimension %" PRIu32 " is %" PRId64 " and %" PRId64
                                  ": they do not broadcast",
                                  i, p, q);
        }
        dims[i] = p == 1 ? q : p;
    }
    return ONDOL_OK;
}

static void join(const tensor_value *a, const tensor_value *b, uint32_t rank, const int64_t *dims,
                 pair_shape *out) {
    int64_t a_size = 1, b_size = 1;
    *out = (pair_shape){0};
    /* From the last dimension on; out's dimensions are kept in that order. */
    for (uint32_t i = rank; i-- > 0;) {
        const int64_t p = dim_at(a, rank, i), q = dim_at(b, rank, i);
        const int64_t a_step = p == 1 ? 0 : a_size, b_step = q == 1 ? 0 : b_size;
        a_size *= p;
        b_size *= q;
        if (dims[i] == 1) continue;
        if (out->rank) {
            const uint32_t last = out->rank - 1;
            if (a_step == out->a_step[last] * out->dims[last] &&
                b_step == out->b_step[last] * out->dims[last]) {
                out->dims[last] *= dims[i];
                continue;
            }
        }
        out->dims[out->rank] = dims[i];
        out->a_step[out->rank] = a_step;
        out->b_step[out->rank++] = b_step;
    }
    if (!out->rank) {
        out->rank = 1;
        out->dims[0] = 1;
    }
}

typedef struct binary_job {
    const cpu_rows *rows;
    cpu_binary op;
    const pair_shape *s;
    const float *a, *b;
    float *dst;
    uint64_t lines, each; /* runs of the last dimension */
    int64_t cut;          /* of a single line: elements to a unit; 0: not cut */
} binary_job;

static void run_line(const binary_job *j, uint64_t line, int64_t first, int64_t count) {
    const pair_shape *s = j->s;
    int64_t a_at = first * s->a_step[0], b_at = first * s->b_step[0];
    const uint64_t out = line * (uint64_t)s->dims[0] + (uint64_t)first;
    for (uint32_t d = 1; d < s->rank; d++) {
        const int64_t at = (int64_t)(line % (uint64_t)s->dims[d]);
        line /= (uint64_t)s->dims[d];
        a_at += at * s->a_step[d];
        b_at += at * s->b_step[d];
    }
    j->rows->binary(j->op, j->dst + out, j->a + a_at, s->a_step[0] != 0, j->b + b_at,
                    s->b_step[0] != 0, (size_t)count);
}

static void binary_unit(uint32_t unit, unsigned thread, void *argument) {
    const binary_job *j = argument;
    (void)thread;
    if (j->cut) {
        const int64_t first = (int64_t)unit * j->cut, left = j->s->dims[0] - first;
        run_line(j, 0, first, left < j->cut ? left : j->cut);
        return;
    }
    for (uint64_t i = unit * j->each; i < (unit + 1) * j->each && i < j->lines; i++)
        run_line(j, i, 0, j->s->dims[0]);
}

#define UNIT_ELEMS 16384

static void run_pair(const plan_call *c, cpu_binary op, const pair_shape *s, const float *a,
                     const float *b, float *dst) {
    binary_job j = {.rows = cpu_rows_select(cpu_device_of(c->device)->isa),
                    .op = op,
                    .s = s,
                    .a = a,
                    .b = b,
                    .dst = dst,
                    .lines = 1};
    for (uint32_t d = 1; d < s->rank; d++)
        j.lines *= (uint64_t)s->dims[d];
    if (!j.lines || !s->dims[0]) return;
    j.each = UNIT_ELEMS / (uint64_t)s->dims[0] + 1;
    uint64_t units = (j.lines + j.each - 1) / j.each;
    if (j.lines == 1 && s->dims[0] > UNIT_ELEMS) {
        j.cut = UNIT_ELEMS;
        units = ((uint64_t)s->dims[0] + UNIT_ELEMS - 1) / UNIT_ELEMS;
    }
    while (units > BASE_POOL_UNITS_MAX) {
        j.each *= 2;
        j.cut *= 2;
        units = j.cut ? ((uint64_t)s->dims[0] + (uint64_t)j.cut - 1) / (uint64_t)j.cut
                      : (j.lines + j.each - 1) / j.each;
    }
    plan_call_parallel(c, (uint32_t)units, binary_unit, &j);
}

static cpu_binary op_of(graph_op op) {
    switch (op) {
    case GRAPH_OP_ADD:
    case GRAPH_OP_SUM:
    case GRAPH_OP_MEAN: return CPU_BINARY_ADD;
    case GRAPH_OP_SUB: return CPU_BINARY_SUB;
    case GRAPH_OP_MUL: return CPU_BINARY_MUL;
    case GRAPH_OP_DIV: return CPU_BINARY_DIV;
    case GRAPH_OP_MAX: return CPU_BINARY_MAX;
    case GRAPH_OP_MIN: return CPU_BINARY_MIN;
    case GRAPH_OP_PRELU: return CPU_BINARY_PRELU;
    default: return CPU_BINARY_POW;
    }
}

/* Both operands in one order of memory; a per-channel operand is turned into that of the other. */
static bool same_layout(const tensor_value *a, const tensor_value *b) {
    return a->channels_last && b->channels_last && a->rank == b->rank &&
           memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

/* With channels last, [N,C,S...] is [N,S...,C] in memory: true when v, dense, has a single value
 * or one for each channel; *per_channel says which. */
static bool fits_channels(const tensor_value *v, const tensor_value *image, bool *per_channel) {
    if (v->channels_last) return false;
    *per_channel = v->elems != 1;
    if (v->elems == 1) return v->rank <= image->rank;
    const int64_t channels = image->dims[1];
    for (uint32_t i = 0; i < v->rank; i++) {
        const bool is_channel = v->rank - i == image->rank - 1;
        if (v->dims[i] != (is_channel ? channels : 1)) return false;
    }
    return v->rank >= image->rank - 1 && v->rank <= image->rank;
}

/* Pairs where one operand has its channels last, and the other fits it. */
static bool run_channels_last(plan_call *c, tensor_value *a, tensor_value *b, ondol_error *err,
                              ondol_status *status) {
    tensor_value *image = a->channels_last ? a : b, *other = a->channels_last ? b : a, *y = NULL;
    bool per_channel = false;
    if (!image->channels_last) return false;
    const bool same = same_layout(a, b);
    if (!same && !fits_channels(other, image, &per_channel)) return false;
    *status = cpu_output_like(c, 0, image, &y, err);
    if (*status != ONDOL_OK) return true;
    const int64_t channels = image->dims[1], all = (int64_t)image->elems;
    pair_shape s = {.rank = 1, .dims = {all}};
    int64_t *image_step = a->channels_last ? s.a_step : s.b_step;
    int64_t *other_step = a->channels_last ? s.b_step : s.a_step;
    image_step[0] = 1;
    other_step[0] = same;
    if (!same && per_channel) {
        s.rank = 2;
        s.dims[0] = channels;
        s.dims[1] = channels ? all / channels : 0;
        other_step[0] = 1;
        image_step[1] = channels;
    }
    run_pair(c, op_of(c->g->nodes[c->node].op), &s, a->data, b->data, y->data);
    return true;
}

static ondol_status run_two(plan_call *c, tensor_value *a, tensor_value *b, ondol_error *err) {
    tensor_value *y = NULL;
    uint32_t rank = 0;
    int64_t dims[TENSOR_MAX_RANK] = {0};
    pair_shape s;
    ondol_status status = broadcast(c, a, b, &rank, dims, err);
    if (status != ONDOL_OK) return status;
    status = plan_call_output(c, 0, TENSOR_ELEMENT_F32, rank, dims, &y, err);
    if (status != ONDOL_OK) return status;
    join(a, b, rank, dims, &s);
    if (y->elems) run_pair(c, op_of(c->g->nodes[c->node].op), &s, a->data, b->data, y->data);
    return ONDOL_OK;
}

ondol_status cpu_run_binary(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *joined = NULL, *owned[2] = {NULL};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &a, err));
    if (c->input_count == 1) {
        plan_call_give(c, 0, a);
        return ONDOL_OK;
    }
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_F32, &b, err));
    if (c->input_count == 2 && run_channels_last(c, a, b, err, &status)) goto done;
    TRY(tensor_value_dense(a, owned, err));
    TRY(tensor_value_dense(b, owned + 1, err));
    TRY(run_two(c, owned[0], owned[1], err));
    for (uint32_t i = 2; i < c->input_count; i++) {
        joined = tensor_value_retain(c->outputs[0]);
        TRY(plan_call_typed(c, i, TENSOR_ELEMENT_F32, &b, err));
        tensor_value_release(owned[1]);
        owned[1] = NULL;
        TRY(tensor_value_dense(b, owned + 1, err));
        TRY(run_two(c, joined, owned[1], err));
        tensor_value_release(joined);
        joined = NULL;
    }
    if (c->g->nodes[c->node].op == GRAPH_OP_MEAN) {
        const float share = 1.0f / (float)c->input_count;
        tensor_value *y = c->outputs[0];
        cpu_rows_select(cpu_device_of(c->device)->isa)
            ->binary(CPU_BINARY_MUL, y->data, y->data, 1, &share, 0, (size_t)y->elems);
    }
done:
    tensor_value_release(joined);
    tensor_value_release(owned[0]);
    tensor_value_release(owned[1]);
    return status;
}
