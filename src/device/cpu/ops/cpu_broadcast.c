/* Broadcasting. In: tensors. Out: rows, cut into units for the threads. */
#include "device/cpu/ops/cpu_broadcast.h"

#include <inttypes.h>

static int64_t dim_at(const tensor_value *v, uint32_t rank, uint32_t i) {
    return i + v->rank < rank ? 1 : v->dims[i + v->rank - rank];
}

static ondol_status common_shape(const plan_call *c, tensor_value *const *values, uint32_t count,
                                 uint32_t *rank, int64_t *dims, ondol_error *err) {
    *rank = 0;
    for (uint32_t k = 0; k < count; k++)
        if (values[k]->rank > *rank) *rank = values[k]->rank;
    for (uint32_t i = 0; i < *rank; i++) {
        dims[i] = 1;
        for (uint32_t k = 0; k < count; k++) {
            const int64_t d = dim_at(values[k], *rank, i);
            if (d != dims[i] && d != 1 && dims[i] != 1) {
                return plan_call_fail(c, err,
                                      "dimension %" PRIu32 " is %" PRId64 " and %" PRId64
                                      ": they do not broadcast",
                                      i, dims[i], d);
            }
            if (d != 1) dims[i] = d;
        }
    }
    return ONDOL_OK;
}

/* Channels last: [N, S..., C]. */
static uint32_t dim_in_memory(uint32_t rank, uint32_t place) {
    if (place == rank - 1) return 1;
    return place ? place + 1 : 0;
}

/* Whether dimension i goes on where the last one of b ends, in all operands. */
static bool continues(const cpu_broadcast *b, const int64_t *step) {
    const uint32_t last = b->rank - 1;
    for (uint32_t k = 0; k < b->operands; k++)
        if (step[k] != b->step[k][last] * b->dims[last]) return false;
    return true;
}

/* A tensor of fewer dimensions whose elements, if several, are those of the channels. */
static bool is_per_channel(const tensor_value *v, uint32_t rank) {
    if (v->channels_last) return false;
    for (uint32_t i = 0; i < v->rank; i++)
        if (v->dims[i] != 1 && i + rank - v->rank != 1) return false;
    return true;
}

/* An image with channels last, of several channels and pixels: not the same bytes when dense. */
static bool is_turned(const tensor_value *v) {
    return v->channels_last && v->dims[1] > 1 &&
           v->elems > (uint64_t)v->dims[0] * (uint64_t)v->dims[1];
}

ondol_status cpu_broadcast_operands(const plan_call *c, tensor_value *const *values, uint32_t count,
                                    tensor_value **out, bool *last, ondol_error *err) {
    uint32_t rank = 0;
    bool any = false, fits = true;
    for (uint32_t k = 0; k < count; k++) {
        any = any || is_turned(values[k]);
        if (values[k]->rank > rank) rank = values[k]->rank;
    }
    for (uint32_t k = 0; k < count; k++)
        fits = fits && (values[k]->rank == rank ? tensor_value_can_turn(values[k])
                                                : is_per_channel(values[k], rank));
    *last = any && fits;
    for (uint32_t k = 0; k < count; k++) {
        ondol_status status = ONDOL_OK;
        if (*last && values[k]->rank < rank)
            out[k] = tensor_value_retain(values[k]);
        else
            status = *last ? tensor_value_channels_last(values[k], c->pool, out + k, err)
                           : tensor_value_dense(values[k], c->pool, out + k, err);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

ondol_status cpu_broadcast_join(const plan_call *c, tensor_value *const *values, uint32_t count,
                                bool last, cpu_broadcast *b, uint32_t *rank, int64_t *dims,
                                ondol_error *err) {
    int64_t size[CPU_BROADCAST_OPERANDS];
    ondol_status status = common_shape(c, values, count, rank, dims, err);
    if (status != ONDOL_OK) return status;
    *b = (cpu_broadcast){.operands = count, .lines = 1};
    for (uint32_t k = 0; k < count; k++)
        size[k] = 1;
    for (uint32_t place = *rank; place-- > 0;) {
        const uint32_t i = last ? dim_in_memory(*rank, place) : place;
        int64_t step[CPU_BROADCAST_OPERANDS];
        for (uint32_t k = 0; k < count; k++) {
            const int64_t d = dim_at(values[k], *rank, i);
            step[k] = d == 1 ? 0 : size[k];
            size[k] = (int64_t)((uint64_t)size[k] * (uint64_t)d);
        }
        if (dims[i] == 0) b->lines = 0;
        if (dims[i] == 1) continue;
        if (b->rank && continues(b, step)) {
            b->dims[b->rank - 1] = (int64_t)((uint64_t)b->dims[b->rank - 1] * (uint64_t)dims[i]);
            continue;
        }
        b->dims[b->rank] = dims[i];
        for (uint32_t k = 0; k < count; k++)
            b->step[k][b->rank] = step[k];
        b->rank++;
    }
    if (!b->rank) b->dims[b->rank++] = 1;
    for (uint32_t i = 1; i < b->rank && b->lines; i++)
        b->lines *= (uint64_t)b->dims[i];
    return ONDOL_OK;
}

typedef struct walking {
    const cpu_broadcast *b;
    cpu_run_function run;
    const void *argument;
    uint64_t each; /* rows to a unit */
    int64_t cut;   /* of a single row: elements to a unit; 0: not cut */
} walking;

static void run_line(const walking *w, uint64_t line, int64_t first, int64_t count) {
    const cpu_broadcast *b = w->b;
    cpu_run r = {.out = (int64_t)line * b->dims[0] + first, .count = count};
    for (uint32_t k = 0; k < b->operands; k++)
        r.at[k] = first * b->step[k][0];
    for (uint32_t d = 1; d < b->rank; d++) {
        const int64_t at = (int64_t)(line % (uint64_t)b->dims[d]);
        line /= (uint64_t)b->dims[d];
        for (uint32_t k = 0; k < b->operands; k++)
            r.at[k] += at * b->step[k][d];
    }
    w->run(&r, b, w->argument);
}

static void run_unit(uint32_t unit, unsigned thread, void *argument) {
    const walking *w = argument;
    (void)thread;
    if (w->cut) {
        const int64_t first = (int64_t)unit * w->cut, left = w->b->dims[0] - first;
        run_line(w, 0, first, left < w->cut ? left : w->cut);
        return;
    }
    for (uint64_t i = unit * w->each; i < (unit + 1) * w->each && i < w->b->lines; i++)
        run_line(w, i, 0, w->b->dims[0]);
}

#define UNIT_ELEMS 16384

void cpu_broadcast_run(const plan_call *c, const cpu_broadcast *b, cpu_run_function run,
                       const void *argument) {
    walking w = {.b = b, .run = run, .argument = argument};
    uint64_t units = 1;
    if (!b->lines) return;
    w.each = UNIT_ELEMS / (uint64_t)b->dims[0] + 1;
    if (b->lines == 1 && b->dims[0] > UNIT_ELEMS) {
        w.cut = UNIT_ELEMS;
        while ((units = ((uint64_t)b->dims[0] + (uint64_t)w.cut - 1) / (uint64_t)w.cut) >
               BASE_POOL_UNITS_MAX)
            w.cut *= 2;
    } else {
        while ((units = (b->lines + w.each - 1) / w.each) > BASE_POOL_UNITS_MAX)
            w.each *= 2;
    }
    if (units == 1)
        run_unit(0, 0, &w);
    else
        plan_call_parallel(c, (uint32_t)units, run_unit, &w);
}
