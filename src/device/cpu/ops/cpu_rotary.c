/* RotaryEmbedding, of com.microsoft and of ai.onnx. In: heads, positions, tables. Out: the first
 * pairs of each head turned by its position. */
#include "device/cpu/ops/cpu_rotary.h"

#include <inttypes.h>
#include <string.h>

bool cpu_accepts_rotary(const graph *g, graph_node_id n, base_buffer *why) {
    const graph_node *node = g->nodes + n;
    if (g->values[node->inputs[0]].element == TENSOR_ELEMENT_F32) return true;
    if (why) base_buffer_append_text(why, "it rotates float32");
    return false;
}

ondol_status cpu_rotary_read(const plan_call *c, uint32_t i, bool interleaved, cpu_rotary *out,
                             ondol_error *err) {
    tensor_value *cosines = NULL, *sines = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, i, TENSOR_ELEMENT_F32, &cosines, err));
    TRY(plan_call_typed(c, i + 1, TENSOR_ELEMENT_F32, &sines, err));
    if (cosines->rank != 2 || sines->rank != 2 ||
        memcmp(cosines->dims, sines->dims, 2 * sizeof *sines->dims) != 0) {
        return plan_call_fail(c, err,
                              "cosines and sines have ranks %" PRIu32 " and %" PRIu32
                              ", expected two of the same shape",
                              cosines->rank, sines->rank);
    }
    *out = (cpu_rotary){cosines->data,
                        sines->data,
                        cosines->dims[0],
                        (uint64_t)cosines->dims[1],
                        (uint64_t)cosines->dims[1],
                        interleaved};
done:
    return status;
}

void cpu_rotate(const cpu_rotary *r, int64_t position, const float *x, float *y, uint64_t size) {
    const float *c = r->cos + (uint64_t)position * r->width;
    const float *s = r->sin + (uint64_t)position * r->width;
    if (r->interleaved) {
        for (uint64_t i = 0; i < r->half; i++) {
            const float a = x[2 * i], b = x[2 * i + 1];
            y[2 * i] = a * c[i] - b * s[i];
            y[2 * i + 1] = b * c[i] + a * s[i];
        }
    } else {
        for (uint64_t i = 0; i < r->half; i++) {
            const float a = x[i], b = x[i + r->half];
            y[i] = a * c[i] - b * s[i];
            y[i + r->half] = b * c[i] + a * s[i];
        }
    }
    if (y != x) memcpy(y + 2 * r->half, x + 2 * r->half, (size_t)(size - 2 * r->half) * sizeof *y);
}

/* Heads of a tensor [batch][rows][heads * size], or transposed [batch][heads][rows][size]. */
typedef struct rotating {
    cpu_rotary rotary;
    const float *x;
    float *y;
    const tensor_value *positions; /* i64: one for each row; NULL, or one to start from */
    bool is_start, is_transposed;
    uint64_t batch, rows, heads, size;
} rotating;

static void rotate_unit(uint32_t unit, unsigned thread, void *argument) {
    const rotating *j = argument;
    const uint64_t batch = unit / j->rows, row = unit % j->rows;
    const int64_t *list = j->positions ? j->positions->data : NULL;
    int64_t position = (int64_t)unit; /* tables have a row for each */
    if (list) position = j->is_start ? list[0] + (int64_t)row : list[unit];
    (void)thread;
    for (uint64_t h = 0; h < j->heads; h++) {
        const uint64_t place = j->is_transposed ? (batch * j->heads + h) * j->rows + row
                                                : (batch * j->rows + row) * j->heads + h;
        cpu_rotate(&j->rotary, position, j->x + place * j->size, j->y + place * j->size, j->size);
    }
}

static ondol_status read_x(plan_call *c, rotating *j, tensor_value **x, ondol_error *err) {
    ondol_status status = plan_call_typed(c, 0, TENSOR_ELEMENT_F32, x, err);
    if (status != ONDOL_OK) return status;
    const tensor_value *v = *x;
    if (v->rank != 3 && v->rank != 4) {
        return plan_call_fail(c, err, "the input has rank %" PRIu32 ", expected 3 or 4", v->rank);
    }
    j->is_transposed = v->rank == 4;
    j->batch = (uint64_t)v->dims[0];
    j->rows = (uint64_t)v->dims[j->is_transposed ? 2 : 1];
    j->size = (uint64_t)v->dims[v->rank - 1];
    j->heads = j->is_transposed ? (uint64_t)v->dims[1] : 1;
    if (j->batch * j->rows <= BASE_POOL_UNITS_MAX) return ONDOL_OK;
    return plan_call_fail(c, err, "%" PRIu64 " rows are too many", j->batch * j->rows);
}

static ondol_status check_positions(const plan_call *c, const rotating *j, ondol_error *err) {
    const tensor_value *p = j->positions;
    const int64_t more = j->is_start && j->rows ? (int64_t)j->rows - 1 : 0;
    if (!j->is_start &&
        (p->rank != 2 || p->dims[0] != (int64_t)j->batch || p->dims[1] != (int64_t)j->rows)) {
        return plan_call_fail(c, err,
                              "position_ids do not have the shape [%" PRIu64 ", %" PRIu64 "]",
                              j->batch, j->rows);
    }
    for (uint64_t i = 0; i < p->elems; i++) {
        const int64_t position = ((const int64_t *)p->data)[i];
        if (position < 0 || position >= j->rotary.positions ||
            more >= j->rotary.positions - position) {
            return plan_call_fail(c, err, "position %" PRId64 " of %" PRId64, position,
                                  j->rotary.positions);
        }
    }
    return ONDOL_OK;
}

static ondol_status run(plan_call *c, rotating *j, const tensor_value *x, ondol_error *err) {
    tensor_value *y = NULL;
    ondol_status status = plan_call_output(c, 0, TENSOR_ELEMENT_F32, x->rank, x->dims, &y, err);
    if (status != ONDOL_OK) return status;
    j->x = x->data;
    j->y = y->data;
    if (y->elems) plan_call_parallel(c, (uint32_t)(j->batch * j->rows), rotate_unit, j);
    return ONDOL_OK;
}

/* The attribute scale is read by no implementation. */
ondol_status cpu_run_ms_rotary(plan_call *c, ondol_error *err) {
    const int64_t heads = graph_get_int(c->g, c->node, "num_heads");
    const int64_t dim = graph_get_int(c->g, c->node, "rotary_embedding_dim");
    tensor_value *x = NULL, *positions = NULL;
    rotating j = {.heads = 0};
    ondol_status status = ONDOL_OK;
    TRY(read_x(c, &j, &x, err));
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_I64, &positions, err));
    TRY(cpu_rotary_read(c, 2, graph_get_int(c->g, c->node, "interleaved") != 0, &j.rotary, err));
    j.positions = positions;
    j.is_start = positions->elems == 1 && positions->rank < 2;
    if (heads < 0 || dim < 0) {
        return plan_call_fail(c, err, "num_heads is %" PRId64 ", rotary_embedding_dim %" PRId64,
                              heads, dim);
    }
    const uint64_t hidden = j.size;
    if (!j.is_transposed) {
        j.heads = dim > 0 ? (uint64_t)heads : 0;
        j.size = dim > 0 ? (heads ? hidden / (uint64_t)heads : 0) : 2 * j.rotary.half;
        if (dim == 0 && j.size) j.heads = hidden / j.size;
    }
    const uint64_t tables = 2 * j.rotary.half;
    const bool has_half = dim == 0 ? tables == j.size : (uint64_t)dim == tables || tables == j.size;
    if (dim > 0 && (uint64_t)dim < tables) j.rotary.half = (uint64_t)dim / 2;
    if (!has_half || 2 * j.rotary.half > j.size || (uint64_t)dim > j.size ||
        (!j.is_transposed && j.heads * j.size != hidden)) {
        return plan_call_fail(c, err,
                              "an input of rows of %" PRIu64 " does not fit %" PRIu64
                              " pairs of cosines and sines, num_heads %" PRId64
                              " and rotary_embedding_dim %" PRId64,
                              hidden, j.rotary.half, heads, dim);
    }
    TRY(check_positions(c, &j, err));
    TRY(run(c, &j, x, err));
done:
    return status;
}

/* Tables: [positions, half] with positions, [batch, rows, half] without. */
static ondol_status read_tables(plan_call *c, rotating *j, uint64_t half, ondol_error *err) {
    tensor_value *cosines = NULL, *sines = NULL, *positions = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_F32, &cosines, err));
    TRY(plan_call_typed(c, 2, TENSOR_ELEMENT_F32, &sines, err));
    const bool given = plan_call_input(c, 3) != NULL;
    const uint32_t rank = given ? 2 : 3;
    const bool fits =
        cosines->rank == rank && sines->rank == rank &&
        memcmp(cosines->dims, sines->dims, rank * sizeof *sines->dims) == 0 &&
        cosines->dims[rank - 1] == (int64_t)half &&
        (given || (cosines->dims[0] == (int64_t)j->batch && cosines->dims[1] == (int64_t)j->rows));
    if (!fits) {
        return plan_call_fail(c, err,
                              "cosines and sines do not have rows of %" PRIu64 " for %" PRIu64
                              " places of %" PRIu64 " batches",
                              half, j->rows, j->batch);
    }
    j->rotary.cos = cosines->data;
    j->rotary.sin = sines->data;
    j->rotary.width = j->rotary.half = half;
    j->rotary.positions = given ? cosines->dims[0] : (int64_t)(j->batch * j->rows);
    if (!given) return ONDOL_OK;
    TRY(plan_call_typed(c, 3, TENSOR_ELEMENT_I64, &positions, err));
    j->positions = positions;
    TRY(check_positions(c, j, err));
done:
    return status;
}

ondol_status cpu_run_rotary(plan_call *c, ondol_error *err) {
    const int64_t heads = graph_get_int(c->g, c->node, "num_heads");
    const int64_t dim = graph_get_int(c->g, c->node, "rotary_embedding_dim");
    tensor_value *x = NULL;
    rotating j = {.rotary = {.interleaved = graph_get_int(c->g, c->node, "interleaved") != 0}};
    ondol_status status = ONDOL_OK;
    TRY(read_x(c, &j, &x, err));
    if (!j.is_transposed) {
        if (heads < 1 || j.size % (uint64_t)heads) {
            return plan_call_fail(c, err, "rows of %" PRIu64 " for num_heads %" PRId64, j.size,
                                  heads);
        }
        j.heads = (uint64_t)heads;
        j.size /= (uint64_t)heads;
    }
    if (j.is_transposed && heads != 0 && heads != (int64_t)j.heads) {
        return plan_call_fail(c, err, "%" PRIu64 " heads, num_heads is %" PRId64, j.heads, heads);
    }
    const int64_t size = dim ? dim : (int64_t)j.size;
    if (size < 0 || (uint64_t)size > j.size || size % 2 != 0) {
        return plan_call_fail(c, err, "%" PRId64 " of %" PRIu64 " numbers to be rotated", size,
                              j.size);
    }
    TRY(read_tables(c, &j, (uint64_t)size / 2, err));
    TRY(run(c, &j, x, err));
done:
    return status;
}
