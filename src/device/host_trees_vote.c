/* What trees say of a row. In: the leaf of each tree. Out: scores, a class. */
#include "device/host_trees.h"

void host_trees_vote(const host_trees *t, const host_tree_node *leaf, host_score *scores) {
    for (uint32_t i = leaf->yes; i < leaf->yes + leaf->no; i++) {
        host_score *s = scores + t->votes[i].target;
        const double w = t->votes[i].weight;
        const bool is_better =
            !s->is_set || (t->aggregate == HOST_AGGREGATE_MIN ? w < s->value : w > s->value);
        if (t->aggregate == HOST_AGGREGATE_SUM || t->aggregate == HOST_AGGREGATE_AVERAGE)
            s->value += w;
        else if (is_better)
            s->value = w;
        s->is_set = true;
    }
}

void host_trees_finish(const host_trees *t, const host_score *scores, double *out) {
    for (uint32_t i = 0; i < t->targets; i++) {
        double v = scores[i].is_set ? scores[i].value : 0;
        if (t->aggregate == HOST_AGGREGATE_AVERAGE && t->root_count) v /= t->root_count;
        out[i] = t->base_count ? v + t->base[i] : v;
    }
    host_transform_apply(t->transform, out, t->targets);
}

/* The first of the largest that has votes or a base value. */
static uint32_t choose_of_many(const host_trees *t, host_score *scores) {
    uint32_t best = 0;
    for (uint32_t i = 0; i < t->base_count; i++) {
        scores[i].value = scores[i].is_set ? scores[i].value + t->base[i] : t->base[i];
        scores[i].is_set = true;
    }
    for (uint32_t i = 0; i < t->targets; i++) {
        if (!scores[i].is_set) continue;
        if (!scores[best].is_set || scores[i].value > scores[best].value) best = i;
    }
    return best;
}

/* Two classes, of which one score is left: *left = 1. In that case it is scores[0]. */
static void add_base_to_two(const host_trees *t, host_score *scores, uint32_t *left) {
    *left = scores[1].is_set ? 2 : 1;
    if (t->base_count == 1) scores[0].value += t->base[0];
    if (t->base_count != 2) return;
    *left = 2;
    if (scores[1].is_set) { /* one margin, of which the other is the negative */
        scores[1].value = t->base[1] + scores[0].value;
        scores[0].value = -scores[1].value;
    } else {
        scores[0].value += t->base[0];
    }
}

/* The score s of the second class as two: shares where no weight is negative. */
static void expand_one(const host_trees *t, double s, double *out) {
    const bool is_share =
        t->transform == HOST_TRANSFORM_PROBIT ||
        (t->one_class && t->is_positive && t->transform != HOST_TRANSFORM_LOGISTIC);
    out[0] = is_share ? 1 - s : -s;
    out[1] = s;
    if (t->transform == HOST_TRANSFORM_PROBIT || t->transform == HOST_TRANSFORM_LOGISTIC) {
        host_transform_apply(t->transform, out, 2);
    }
}

uint32_t host_trees_classify(const host_trees *t, host_score *scores, double *out) {
    uint32_t best = 0, left = t->targets;
    if (t->targets == 2) {
        add_base_to_two(t, scores, &left);
        const host_score *s = scores + (scores[1].is_set ? 1 : 0);
        const double share = t->one_class && t->is_positive ? 0.5 : 0;
        best = s->is_set && s->value > share;
    } else {
        best = choose_of_many(t, scores);
    }
    if (t->targets == 2 && left == 1) {
        expand_one(t, scores[0].value, out);
        return best;
    }
    for (uint32_t i = 0; i < t->targets; i++)
        out[i] = scores[i].is_set ? scores[i].value : 0;
    host_transform_apply(t->transform, out, t->targets);
    return best;
}
