/* The steps that narrow the choice: values -> values, candidates -> candidates -> one of them. */
#include "generate/sampler_filters.h"

#include <float.h>
#include <math.h>

#include "base/exact_math.h"

#define BLOCK_LOGITS 512
#define LANES        16

void sampler_values_fill(double *values, const float *logits, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const double x = logits[i] < FLT_MAX ? (double)logits[i] : (double)FLT_MAX;
        values[i] = isnan(logits[i]) ? -HUGE_VAL : x;
    }
}

int32_t sampler_values_highest(const double *values, size_t n) {
    size_t best = n;
    double highest = -HUGE_VAL;
    for (size_t i = 0; i < n; i++) {
        if (!(values[i] > highest)) continue;
        best = i;
        highest = values[i];
    }
    return best < n ? (int32_t)best : -1;
}

/* The highest of logits[BLOCK_LOGITS]; NaN never wins. Lanes let the compiler use vectors. */
static float block_highest(const float *logits) {
    float lanes[LANES];
    for (size_t k = 0; k < LANES; k++)
        lanes[k] = -HUGE_VALF;
    for (size_t i = 0; i < BLOCK_LOGITS; i += LANES) {
        for (size_t k = 0; k < LANES; k++)
            lanes[k] = logits[i + k] > lanes[k] ? logits[i + k] : lanes[k];
    }
    for (size_t k = 1; k < LANES; k++) {
        if (lanes[k] > lanes[0]) lanes[0] = lanes[k];
    }
    return lanes[0];
}

int32_t sampler_logits_highest(const float *logits, size_t n) {
    size_t best = n, i = 0;
    float highest = -HUGE_VALF;
    /* Find the first block that holds the highest, ... */
    for (; i + BLOCK_LOGITS <= n; i += BLOCK_LOGITS) {
        const float x = block_highest(logits + i);
        if (!(x > highest)) continue;
        best = i;
        highest = x;
        if (highest >= FLT_MAX) break; /* none is higher: +infinity counts as FLT_MAX */
    }
    /* ... look at what is left over, ... */
    for (; i < n && highest < FLT_MAX; i++) {
        if (!(logits[i] > highest)) continue;
        best = i;
        highest = logits[i];
    }
    if (best == n) return -1;
    /* ... then for the first such logit in that block. */
    const float least = highest < FLT_MAX ? highest : FLT_MAX;
    while (!(logits[best] >= least))
        best++;
    return (int32_t)best;
}

void sampler_top_n_sigma(double *values, size_t n, double sigmas) {
    double maximum = -HUGE_VAL, sum = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(values[i] > -HUGE_VAL)) continue;
        if (values[i] > maximum) maximum = values[i];
        sum += values[i];
        count += 1;
    }
    if (count < 2) return;
    const double mean = sum / count;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        if (values[i] > -HUGE_VAL) squares += (values[i] - mean) * (values[i] - mean);
    }
    /* Squared, for a square root is the C library's. */
    const double limit = sigmas * sigmas * (squares / count);
    for (size_t i = 0; i < n; i++) {
        const double below = maximum - values[i];
        if (below * below > limit) values[i] = -HUGE_VAL;
    }
}

/* entropy = log(sum) - mean of (logit - maximum), -log p = log(sum) - (logit - maximum): the
 * logarithm falls out of their difference. */
void sampler_typical(sampler_list *list, double p) {
    const double sum = sampler_list_weigh(list, 1);
    const double maximum = list->items[sampler_list_best(list)].logit;
    double mean = 0;
    for (size_t i = 0; i < list->count; i++)
        mean += list->items[i].weight * (list->items[i].logit - maximum);
    mean /= sum;
    for (size_t i = 0; i < list->count; i++) {
        const double off = (list->items[i].logit - maximum) - mean;
        list->items[i].key = off < 0 ? off : -off;
    }
    list->order = SAMPLER_ORDER_NONE;
    size_t n = 0;
    for (double taken = 0; n < list->count && !(taken > p * sum); n++)
        taken += sampler_list_at(list, n)->weight;
    sampler_list_cut(list, n);
    for (size_t i = 0; i < n; i++)
        list->items[i].key = list->items[i].logit;
    list->order = SAMPLER_ORDER_NONE;
    sampler_list_cut(list, n);
}

void sampler_top_p(sampler_list *list, double p) {
    const double sum = sampler_list_weigh(list, 1);
    size_t n = 0;
    double taken = 0;
    do {
        taken += sampler_list_at(list, n++)->weight;
    } while (n < list->count && !(taken >= p * sum));
    sampler_list_cut(list, n);
}

void sampler_min_p(sampler_list *list, double log_p) {
    const double least = list->items[sampler_list_best(list)].logit + log_p;
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].logit >= least) list->items[n++] = list->items[i];
    }
    list->count = n;
}

void sampler_xtc(sampler_list *list, double threshold) {
    const double least = threshold * sampler_list_weigh(list, 1);
    size_t last = 0, tops = 0;
    for (size_t i = 0; i < list->count; i++) {
        const sampler_candidate *c = &list->items[i], *l = &list->items[last];
        if (!(c->weight >= least)) continue;
        if (tops++ == 0 || c->key < l->key || (c->key == l->key && c->id > l->id)) last = i;
    }
    if (tops < 2) return;
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (i == last || !(list->items[i].weight >= least)) list->items[n++] = list->items[i];
    }
    list->count = n;
}

size_t sampler_draw(const sampler_list *list, double uniform) {
    const double target = uniform * sampler_list_sum(list);
    double sum = 0;
    size_t last = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!(list->items[i].weight > 0)) continue;
        sum += list->items[i].weight;
        if (sum > target) return i;
        last = i;
    }
    return last; /* target was rounded up to the sum */
}
