/* Stable sorting of indices by what they stand for. */
#ifndef DEVICE_REF_SORT_H
#define DEVICE_REF_SORT_H

#include <stdbool.h>
#include <stdint.h>

/* Below 0 when a belongs before b, 0 when they are equal. */
typedef int (*ref_order)(const void *of, uint64_t a, uint64_t b);

/* Sorts list[0..n); what is equal keeps its order. spare: [n], for working. */
void ref_sort(uint64_t *list, uint64_t *spare, uint64_t n, ref_order compare, const void *of);

#endif
