/* Sorting. In: indices, an order. Out: the indices in it, by merging runs of doubled length. */
#include "device/ref/ops/ref_sort.h"

#include <string.h>

static void merge(const uint64_t *from, uint64_t *to, uint64_t middle, uint64_t end,
                  ref_order compare, const void *of) {
    for (uint64_t a = 0, b = middle, k = 0; k < end; k++) {
        const bool second = a == middle || (b < end && compare(of, from[b], from[a]) < 0);
        to[k] = second ? from[b++] : from[a++];
    }
}

void ref_sort(uint64_t *list, uint64_t *spare, uint64_t n, ref_order compare, const void *of) {
    uint64_t *from = list, *to = spare;
    for (uint64_t run = 1; run < n; run *= 2) {
        for (uint64_t at = 0; at < n;) {
            const uint64_t left = n - at, middle = left < run ? left : run;
            const uint64_t end = left - middle < run ? left : middle + run;
            merge(from + at, to + at, middle, end, compare, of);
            at += end;
        }
        uint64_t *merged = to;
        to = from;
        from = merged;
        if (run > n / 2) break;
    }
    if (from != list && n) memcpy(list, from, (size_t)n * sizeof *list);
}
