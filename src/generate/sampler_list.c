/* The list of candidates: values of the vocabulary -> candidates, sorted as far as needed. */
#include "generate/sampler_list.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/exact_math.h"

/* The order of candidates; total, for ids differ. */
static bool comes_before(const sampler_candidate *a, const sampler_candidate *b) {
    return a->key > b->key || (a->key == b->key && a->id < b->id);
}

/* Puts x in place of item i of a heap of n, in which no parent comes behind its children
 * (best_on_top) or before them (not best_on_top). */
static void sift_down(sampler_candidate *items, size_t n, size_t i, sampler_candidate x,
                      bool best_on_top) {
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n) break;
        if (child + 1 < n && comes_before(&items[child + 1], &items[child]) == best_on_top) child++;
        if (comes_before(&x, &items[child]) == best_on_top) break;
        items[i] = items[child];
        i = child;
    }
    items[i] = x;
}

static void make_heap(sampler_candidate *items, size_t n, bool best_on_top) {
    for (size_t i = n / 2; i-- > 0;)
        sift_down(items, n, i, items[i], best_on_top);
}

/* Swaps the top of a heap of n with its last item, which leaves the heap. */
static void heap_pop(sampler_candidate *items, size_t n, bool best_on_top) {
    const sampler_candidate last = items[n - 1];
    items[n - 1] = items[0];
    if (n > 1) sift_down(items, n - 1, 0, last, best_on_top);
}

static sampler_candidate candidate_of(const double *values, size_t id) {
    return (sampler_candidate){values[id], values[id], 0, (int32_t)id};
}

void sampler_list_fill(sampler_list *list, const double *values, size_t n) {
    list->count = 0;
    list->order = SAMPLER_ORDER_NONE;
    for (size_t id = 0; id < n; id++) {
        if (values[id] > -HUGE_VAL) list->items[list->count++] = candidate_of(values, id);
    }
}

void sampler_list_fill_top(sampler_list *list, const double *values, size_t n, size_t k) {
    size_t count = 0, id = 0;
    for (; id < n && count < k; id++) {
        if (values[id] > -HUGE_VAL) list->items[count++] = candidate_of(values, id);
    }
    make_heap(list->items, count, false);
    /* Ids rise, so one that only equals the worst comes behind it. */
    for (; id < n; id++) {
        if (!(values[id] > list->items[0].key)) continue;
        sift_down(list->items, count, 0, candidate_of(values, id), false);
    }
    for (size_t left = count; left > 1; left--)
        heap_pop(list->items, left, false);
    list->count = count;
    list->order = SAMPLER_ORDER_FALLING;
}

const sampler_candidate *sampler_list_at(sampler_list *list, size_t i) {
    if (list->order == SAMPLER_ORDER_FALLING) return &list->items[i];
    if (list->order == SAMPLER_ORDER_NONE) {
        make_heap(list->items, list->count, true);
        list->heap_count = list->count;
        list->order = SAMPLER_ORDER_HEAP;
    }
    while (list->count - list->heap_count <= i)
        heap_pop(list->items, list->heap_count--, true);
    return &list->items[list->count - 1 - i];
}

void sampler_list_cut(sampler_list *list, size_t n) {
    if (n == 0 || list->order == SAMPLER_ORDER_FALLING) {
        list->count = n;
        return;
    }
    sampler_list_at(list, n - 1);
    sampler_candidate *best = list->items + (list->count - n);
    for (size_t i = 0; i < n / 2; i++) {
        const sampler_candidate x = best[i];
        best[i] = best[n - 1 - i];
        best[n - 1 - i] = x;
    }
    memmove(list->items, best, n * sizeof *best);
    list->count = n;
    list->order = SAMPLER_ORDER_FALLING;
}

size_t sampler_list_best(const sampler_list *list) {
    size_t best = 0;
    for (size_t i = 1; i < list->count; i++) {
        if (comes_before(&list->items[i], &list->items[best])) best = i;
    }
    return best;
}

double sampler_list_weigh(sampler_list *list, double temperature) {
    if (list->count == 0) return 0;
    const double maximum = list->items[sampler_list_best(list)].logit;
    double sum = 0;
    for (size_t i = 0; i < list->count; i++) {
        sampler_candidate *c = &list->items[i];
        c->weight = base_exp((c->logit - maximum) / temperature);
        sum += c->weight;
    }
    return sum;
}

double sampler_list_sum(const sampler_list *list) {
    double sum = 0;
    for (size_t i = 0; i < list->count; i++)
        sum += list->items[i].weight;
    return sum;
}
