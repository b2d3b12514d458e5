/* Memory. In: a plan whose steps are complete. Out: an offset for each scratch value, so that
 * values which live at the same time do not overlap.
 *
 * Greedy by size (Pisarchyk & Lee 2020, "Efficient memory management for deep neural net
 * inference"): the largest value first, each in the lowest gap that its neighbours in time leave.
 */
#include <string.h>

#include "base/checked.h"
#include "plan/plan.h"

#define ALIGN_BYTES 64

typedef struct lifetime {
    uint32_t value;       /* a root */
    uint32_t first, last; /* steps */
    uint64_t bytes, offset;
    bool placed;
} lifetime;

static uint64_t rows_at_most(const plan *p, const plan_value *v) {
    switch (v->rows) {
    case PLAN_ROWS_ALL: return p->max_rows;
    case PLAN_ROWS_OUTPUTS:
    case PLAN_ROWS_LOGITS: return p->max_outputs;
    default: return 1;
    }
}

static bool bytes_of(const plan *p, uint32_t id, uint32_t device, uint64_t *out) {
    const plan_value *v = p->values + id;
    uint64_t rows = rows_at_most(p, v), bytes = 0;
    if (v->activation != PLAN_ACTIVATION_F32) {
        const plan_device *d = p->devices[device];
        bytes = d->ops->activation_bytes(d, v->activation, rows, v->columns);
    } else if (!base_mul(rows, v->columns, &bytes) || !base_mul(bytes, 4, &bytes)) {
        return false;
    }
    return base_align_up(bytes, ALIGN_BYTES, out);
}

static void touch(const plan *p, lifetime *lives, uint32_t v, uint32_t step) {
    if (v == PLAN_NONE || p->values[v].storage != PLAN_STORAGE_SCRATCH) return;
    lifetime *l = lives + p->values[v].root;
    if (step < l->first) l->first = step;
    if (step > l->last) l->last = step;
}

static ondol_status find_lifetimes(const plan *p, lifetime *lives, ondol_error *err) {
    for (uint32_t i = 0; i < p->value_count; i++)
        lives[i] = (lifetime){.value = i, .first = UINT32_MAX};
    for (uint32_t s = 0; s < p->step_count; s++) {
        const plan_step *step = p->steps + s;
        for (int i = 0; i < PLAN_MAX_INPUTS; i++)
            touch(p, lives, step->in[i], s);
        touch(p, lives, step->out, s);
        uint32_t root = p->values[step->out].root;
        if (lives[root].bytes == 0 && !bytes_of(p, root, step->device, &lives[root].bytes)) {
            return base_fail(err, ONDOL_E_LIMIT, "plan: a value of %u columns does not fit",
                             p->values[root].columns);
        }
    }
    /* What the caller reads back lives to the end. */
    touch(p, lives, p->hidden, p->step_count);
    touch(p, lives, p->logits, p->step_count);
    return ONDOL_OK;
}

static bool meet(const lifetime *a, const lifetime *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset where l overlaps no neighbour: 0, or the end of one of them. neighbours has
 * room for all lifetimes; few are alive at once, so the search over them is short. */
static uint64_t lowest_gap(const lifetime *lives, uint32_t count, const lifetime *l,
                           uint32_t *neighbours) {
    uint32_t met = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (lives[i].placed && meet(lives + i, l)) neighbours[met++] = i;
    }
    uint64_t best = UINT64_MAX;
    for (uint32_t i = 0; i <= met; i++) {
        const lifetime *below = i < met ? lives + neighbours[i] : NULL;
        uint64_t at = below ? below->offset + below->bytes : 0;
        bool fits = at < best;
        for (uint32_t k = 0; k < met && fits; k++) {
            const lifetime *other = lives + neighbours[k];
            fits = at + l->bytes <= other->offset || at >= other->offset + other->bytes;
        }
        if (fits) best = at;
    }
    return best;
}

static uint32_t largest_unplaced(const lifetime *lives, uint32_t count) {
    uint32_t best = PLAN_NONE;
    for (uint32_t i = 0; i < count; i++) {
        if (lives[i].placed || lives[i].bytes == 0) continue;
        if (best == PLAN_NONE || lives[i].bytes > lives[best].bytes) best = i;
    }
    return best;
}

ondol_status plan_memory_assign(plan *p, ondol_error *err) {
    lifetime *lives = base_calloc(p->allocator, p->value_count, sizeof *lives);
    uint32_t *neighbours = base_alloc(p->allocator, p->value_count, sizeof *neighbours);
    ondol_status status = lives && neighbours
                              ? find_lifetimes(p, lives, err)
                              : base_no_memory(err, "plan", p->value_count * sizeof *lives);
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->value_count && status == ONDOL_OK; i++) {
        if (lives[i].bytes) lives[count++] = lives[i];
    }
    p->scratch_bytes = 0;
    for (uint32_t i; status == ONDOL_OK && (i = largest_unplaced(lives, count)) != PLAN_NONE;) {
        lifetime *l = lives + i;
        l->offset = lowest_gap(lives, count, l, neighbours);
        l->placed = true;
        p->values[l->value].offset = l->offset;
        if (l->offset + l->bytes > p->scratch_bytes) p->scratch_bytes = l->offset + l->bytes;
    }
    for (uint32_t i = 0; i < p->value_count; i++) {
        plan_value *v = p->values + i;
        if (v->root != i) v->offset = p->values[v->root].offset + 4 * (uint64_t)v->first_column;
    }
    base_free(p->allocator, lives);
    base_free(p->allocator, neighbours);
    return status;
}
