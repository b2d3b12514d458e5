/* The tokens that may still be chosen, in order of ids or of logits, and their weights. */
#ifndef GENERATE_SAMPLER_LIST_H
#define GENERATE_SAMPLER_LIST_H

#include <stddef.h>
#include <stdint.h>

typedef struct sampler_candidate {
    double logit;
    double key;    /* what the order goes by, the highest first: the logit, but within typical */
    double weight; /* exp((logit - maximum) / temperature), by sampler_list_weigh */
    int32_t id;
} sampler_candidate;

typedef enum sampler_order {
    SAMPLER_ORDER_NONE,   /* as filled: by ids */
    SAMPLER_ORDER_HEAP,   /* being sorted: a heap, and behind it the best ones, the best last */
    SAMPLER_ORDER_FALLING /* highest key first, of equals the lower id */
} sampler_order;

/* Thread class: one thread at a time. items hold the whole vocabulary. */
typedef struct sampler_list {
    sampler_candidate *items;
    size_t count;
    size_t heap_count; /* ORDER_HEAP: items still in the heap */
    sampler_order order;
} sampler_list;

/* Takes every id whose value is not -infinity, in order of ids. values[n] hold no NaN. */
void sampler_list_fill(sampler_list *list, const double *values, size_t n);

/* Takes the k >= 1 highest of these, in falling order. O(n log k), O(n) for most inputs. */
void sampler_list_fill_top(sampler_list *list, const double *values, size_t n, size_t k);

/* Candidate i < count in falling order. Called for i = 0, 1, 2 ... it sorts only as far as asked;
 * sampler_list_cut must follow. */
const sampler_candidate *sampler_list_at(sampler_list *list, size_t i);

/* Keeps the first n <= count in falling order, sorted. */
void sampler_list_cut(sampler_list *list, size_t n);

/* Sets all weights; returns their sum, in list order. */
double sampler_list_weigh(sampler_list *list, double temperature);

/* The sum of weights in list order. */
double sampler_list_sum(const sampler_list *list);

/* The place of the best candidate; count >= 1. */
size_t sampler_list_best(const sampler_list *list);

#endif
