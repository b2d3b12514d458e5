/* RotaryEmbedding. In: x [batch, heads, length, size] or [batch, length, heads * size], cosines and
 * sines, perhaps positions that pick their rows. Out: x with pairs of its numbers rotated. */
#include <inttypes.h>

#include "device/ref/ops/ref_heads.h"
#include "device/ref/ops/ref_kernels.h"

typedef struct rotary_job {
    ref_heads x;
    const tensor_value *cosines, *sines, *positions; /* positions: NULL: a row for each place */
    uint64_t half;                                   /* pairs */
    bool is_interleaved;
    tensor_value *y;
} rotary_job;

static double number(const tensor_value *v, uint64_t i) {
    return tensor_get_number(v->element, v->data, i);
}

/* One row of a head: at `at`, with the angles in `row` of the tables. */
static void rotate(const rotary_job *j, uint64_t at, uint64_t row) {
    const tensor_value *x = j->x.v;
    for (uint64_t i = 0; i < j->half; i++) {
        const uint64_t first = at + (j->is_interleaved ? 2 * i : i);
        const uint64_t second = j->is_interleaved ? first + 1 : first + j->half;
        const double c = number(j->cosines, row * j->half + i);
        const double s = number(j->sines, row * j->half + i);
        const double real = c * number(x, first) - s * number(x, second);
        const double imaginary = s * number(x, first) + c * number(x, second);
        ref_store_numbers(j->y, first, 1, &real);
        ref_store_numbers(j->y, second, 1, &imaginary);
    }
    for (uint64_t i = 2 * j->half; i < (uint64_t)j->x.size; i++) {
        const double v = number(x, at + i);
        ref_store_numbers(j->y, at + i, 1, &v);
    }
}

static void rotate_all(const rotary_job *j) {
    const uint64_t length = (uint64_t)j->x.length;
    for (uint64_t batch = 0; batch < (uint64_t)j->x.batch; batch++)
        for (uint64_t place = 0; place < length; place++) {
            uint64_t row = batch * length + place;
            if (j->positions) {
                row = (uint64_t)tensor_get_integer(j->positions->element, j->positions->data, row);
            }
            for (uint64_t head = 0; head < (uint64_t)j->x.heads; head++)
                rotate(j, ref_heads_at(&j->x, batch, head, place), row);
        }
}

/* The tables: [rows, half] with positions, [batch, length, half] without. */
static ondol_status read_tables(const plan_call *c, rotary_job *j, ondol_error *err) {
    const int64_t places[3] = {j->x.batch, j->x.length, (int64_t)j->half};
    tensor_value *cosines = NULL, *sines = NULL, *positions = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 1, &cosines, err));
    TRY(ref_float_input(c, 2, &sines, err));
    TRY(ref_expect_dims(c, "sin_cache", sines, cosines->rank, cosines->dims, err));
    j->cosines = cosines;
    j->sines = sines;
    if (!plan_call_input(c, 3)) return ref_expect_dims(c, "cos_cache", cosines, 3, places, err);
    TRY(plan_call_typed(c, 3, TENSOR_ELEMENT_I64, &positions, err));
    TRY(ref_expect_dims(c, "position_ids", positions, 2, places, err));
    if (cosines->rank != 2 || cosines->dims[1] != (int64_t)j->half) {
        return plan_call_fail(c, err,
                              "cos_cache has rank %" PRIu32 ", expected 2 with rows of %" PRIu64,
                              cosines->rank, j->half);
    }
    j->positions = positions;
    for (uint64_t i = 0; i < positions->elems; i++) {
        const int64_t row = tensor_get_integer(positions->element, positions->data, i);
        if (row < 0 || row >= cosines->dims[0]) {
            return plan_call_fail(c, err, "position %" PRId64 " of %" PRId64, row,
                                  cosines->dims[0]);
        }
    }
done:
    return status;
}

ondol_status ref_rotary_embedding(plan_call *c, ondol_error *err) {
    rotary_job j = {0};
    ondol_status status = ONDOL_OK;
    TRY(ref_heads_begin(c, 0, "x", graph_get_int(c->g, c->node, "num_heads"), &j.x, err));
    const int64_t wanted = graph_get_int(c->g, c->node, "rotary_embedding_dim");
    const int64_t size = wanted ? wanted : j.x.size;
    if (size < 0 || size > j.x.size || size % 2 != 0) {
        return plan_call_fail(c, err, "%" PRId64 " of %" PRId64 " numbers to be rotated", size,
                              j.x.size);
    }
    j.half = (uint64_t)size / 2;
    j.is_interleaved = graph_get_int(c->g, c->node, "interleaved") != 0;
    TRY(read_tables(c, &j, err));
    TRY(plan_call_output(c, 0, j.x.v->element, j.x.v->rank, j.x.v->dims, &j.y, err));
    if (j.y->elems) rotate_all(&j);
done:
    return status;
}
