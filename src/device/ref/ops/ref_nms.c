/* NonMaxSuppression. In: boxes and their scores for each class. Out: [count, 3], the batch entry,
 * class and box of those that no better box of the class overlaps too much. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"
#include "device/ref/ops/ref_sort.h"

typedef struct suppression {
    const char *boxes, *scores; /* floats of a batch entry; of a class */
    bool by_center;
    double most_overlap;
    uint64_t *order, *spare, *chosen; /* [boxes] each */
} suppression;

typedef struct box {
    double low[2], high[2], area;
} box;

/* [y1, x1, y2, x2], any two corners, or [x, y, width, height] around a center. */
static box box_at(const suppression *s, uint64_t i) {
    float p[4];
    box b = {0};
    memcpy(p, s->boxes + i * sizeof p, sizeof p);
    for (int d = 0; d < 2; d++) {
        const double first = p[d], second = p[d + 2];
        b.low[d] = s->by_center ? first - second / 2 : fmin(first, second);
        b.high[d] = s->by_center ? first + second / 2 : fmax(first, second);
    }
    b.area = (b.high[0] - b.low[0]) * (b.high[1] - b.low[1]);
    return b;
}

static bool overlaps(const suppression *s, uint64_t i, uint64_t k) {
    const box a = box_at(s, i), b = box_at(s, k);
    double common = 1;
    for (int d = 0; d < 2; d++) {
        const double length = fmin(a.high[d], b.high[d]) - fmax(a.low[d], b.low[d]);
        if (!(length > 0)) return false;
        common *= length;
    }
    const double all = a.area + b.area - common;
    if (!(a.area > 0) || !(b.area > 0) || !(all > 0)) return false;
    return common / all > s->most_overlap;
}

static double score_of(const suppression *s, uint64_t i) {
    float score;
    memcpy(&score, s->scores + i * sizeof score, sizeof score);
    return score;
}

/* Best first; NaN last. */
static int compare_scores(const void *of, uint64_t a, uint64_t b) {
    const suppression *s = of;
    const double x = score_of(s, a), y = score_of(s, b);
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return x > y ? -1 : x < y;
}

/* The boxes of one class; returns how many are chosen. */
static uint64_t choose(const suppression *s, uint64_t boxes, uint64_t most, const double *least) {
    uint64_t candidates = 0, chosen = 0;
    for (uint64_t i = 0; i < boxes; i++)
        if (!least || score_of(s, i) > *least) s->order[candidates++] = i;
    ref_sort(s->order, s->spare, candidates, compare_scores, s);
    for (uint64_t i = 0; i < candidates && chosen < most; i++) {
        bool free = true;
        for (uint64_t k = 0; k < chosen && free; k++)
            free = !overlaps(s, s->order[i], s->chosen[k]);
        if (free) s->chosen[chosen++] = s->order[i];
    }
    return chosen;
}

/* A growing list of rows of 3. */
typedef struct rows {
    int64_t *list;
    uint64_t count, room;
} rows;

static ondol_status add_rows(const plan_call *c, rows *r, uint64_t more, ondol_error *err) {
    if (more <= r->room - r->count) return ONDOL_OK;
    const uint64_t room = (r->count + more) * 2;
    void *memory = NULL;
    ondol_status status = ref_alloc(c, room, 3 * sizeof *r->list, "chosen boxes", &memory, err);
    if (status != ONDOL_OK) return status;
    if (r->count) memcpy(memory, r->list, r->count * 3 * sizeof *r->list);
    tensor_heap_free(c->heap, r->list);
    r->list = memory;
    r->room = room;
    return ONDOL_OK;
}

static ondol_status suppress_all(plan_call *c, suppression *s, const tensor_value *boxes,
                                 const tensor_value *scores, uint64_t most, const double *least,
                                 rows *out, ondol_error *err) {
    const uint64_t classes = (uint64_t)scores->dims[1], count = (uint64_t)boxes->dims[1];
    ondol_status status = ONDOL_OK;
    for (uint64_t i = 0; count && i < (uint64_t)boxes->dims[0] * classes; i++) {
        if (c->runtime) TRY(c->runtime->check_cancelled(c->runtime, err));
        s->boxes = (const char *)boxes->data + i / classes * count * 4 * sizeof(float);
        s->scores = (const char *)scores->data + i * count * sizeof(float);
        const uint64_t chosen = choose(s, count, most, least);
        TRY(add_rows(c, out, chosen, err));
        for (uint64_t k = 0; k < chosen; k++) {
            int64_t *row = out->list + 3 * out->count++;
            row[0] = (int64_t)(i / classes);
            row[1] = (int64_t)(i % classes);
            row[2] = (int64_t)s->chosen[k];
        }
    }
done:
    return status;
}

ondol_status ref_non_max_suppression(plan_call *c, ondol_error *err) {
    tensor_value *boxes = NULL, *scores = NULL, *y = NULL;
    suppression s = {.by_center = graph_get_int(c->g, c->node, "center_point_box") != 0};
    int64_t most = 0;
    double least = 0;
    void *memory = NULL;
    rows chosen = {0};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &boxes, err));
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_F32, &scores, err));
    TRY(ref_scalar_integer(c, 2, 0, &most, err));
    TRY(ref_scalar_number(c, 3, 0, &s.most_overlap, err));
    TRY(ref_scalar_number(c, 4, 0, &least, err));
    if (boxes->rank != 3 || scores->rank != 3 || boxes->dims[2] != 4 ||
        boxes->dims[0] != scores->dims[0] || boxes->dims[1] != scores->dims[2]) {
        char text[REF_SHAPE_TEXT_BYTES], other[REF_SHAPE_TEXT_BYTES];
        return plan_call_fail(c, err, "boxes of shape %s with scores of shape %s",
                              ref_shape_text(boxes->rank, boxes->dims, text),
                              ref_shape_text(scores->rank, scores->dims, other));
    }
    const uint64_t count = (uint64_t)boxes->dims[1];
    TRY(ref_alloc(c, count, 3 * sizeof *s.order, "the order of boxes", &memory, err));
    s.order = memory;
    s.spare = s.order + count;
    s.chosen = s.spare + count;
    if (most > 0) {
        TRY(suppress_all(c, &s, boxes, scores, (uint64_t)most,
                         plan_call_input(c, 4) ? &least : NULL, &chosen, err));
    }
    const int64_t dims[2] = {(int64_t)chosen.count, 3};
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_I64, 2, dims, &y, err));
    if (chosen.count) memcpy(y->data, chosen.list, chosen.count * 3 * sizeof *chosen.list);
done:
    tensor_heap_free(c->heap, chosen.list);
    tensor_heap_free(c->heap, memory);
    return status;
}
