/* Symbols and a rule for pairs -> the symbols that remain when nothing can be joined any more. */
#include "text/tokenizer_merge.h"

#include <string.h>

#define MERGE_END UINT32_MAX

void merge_init(merge_work *work, const ondol_allocator *allocator) {
    *work = (merge_work){.allocator = allocator};
}

void merge_destroy(merge_work *work) {
    if (!work->allocator) return;
    base_free(work->allocator, work->symbols);
    base_free(work->allocator, work->heap);
    *work = (merge_work){.allocator = NULL};
}

void merge_clear(merge_work *work) {
    work->n_symbols = 0;
    work->n_heap = 0;
}

/* Doubles an array of `count` elements. */
static bool merge_grow(const ondol_allocator *a, void **array, size_t count, size_t *capacity,
                       size_t element_bytes) {
    size_t wanted = *capacity ? *capacity * 2 : 64;
    void *grown = base_alloc(a, wanted, element_bytes);
    if (!grown) return false;
    if (count) memcpy(grown, *array, count * element_bytes);
    base_free(a, *array);
    *array = grown;
    *capacity = wanted;
    return true;
}

bool merge_push(merge_work *work, uint32_t id, uint32_t start, uint32_t size) {
    if (work->n_symbols == work->symbol_capacity) {
        void *array = work->symbols;
        if (!merge_grow(work->allocator, &array, work->n_symbols, &work->symbol_capacity,
                        sizeof *work->symbols)) {
            return false;
        }
        work->symbols = array;
    }
    uint32_t i = (uint32_t)work->n_symbols++;
    if (i > 0) work->symbols[i - 1].next = i;
    work->symbols[i] = (merge_symbol){id, start, size, i > 0 ? i - 1 : MERGE_END, MERGE_END};
    return true;
}

static bool merge_before(const merge_candidate *a, const merge_candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->left < b->left;
}

static bool merge_heap_push(merge_work *work, merge_candidate candidate) {
    if (work->n_heap == work->heap_capacity) {
        void *array = work->heap;
        if (!merge_grow(work->allocator, &array, work->n_heap, &work->heap_capacity,
                        sizeof *work->heap)) {
            return false;
        }
        work->heap = array;
    }
    size_t i = work->n_heap++;
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!merge_before(&candidate, &work->heap[parent])) break;
        work->heap[i] = work->heap[parent];
        i = parent;
    }
    work->heap[i] = candidate;
    return true;
}

static merge_candidate merge_heap_pop(merge_work *work) {
    merge_candidate top = work->heap[0];
    merge_candidate last = work->heap[--work->n_heap];
    size_t n = work->n_heap;
    size_t i = 0;
    for (;;) {
        size_t child = i * 2 + 1;
        if (child >= n) break;
        if (child + 1 < n && merge_before(&work->heap[child + 1], &work->heap[child])) child++;
        if (!merge_before(&work->heap[child], &last)) break;
        work->heap[i] = work->heap[child];
        i = child;
    }
    if (n > 0) work->heap[i] = last;
    return top;
}

/* Puts the pair (left, right) on the heap when it may be joined. */
static bool merge_consider(merge_work *work, merge_lookup lookup, const void *context,
                           uint32_t left, uint32_t right) {
    if (left == MERGE_END || right == MERGE_END) return true;
    const merge_symbol *a = &work->symbols[left];
    const merge_symbol *b = &work->symbols[right];
    merge_candidate candidate = {0, left, right, a->size + b->size, 0};
    if (!lookup(context, a, b, &candidate.rank, &candidate.id)) return true;
    return merge_heap_push(work, candidate);
}

bool merge_run(merge_work *work, merge_lookup lookup, const void *context) {
    for (uint32_t i = 1; i < work->n_symbols; i++) {
        if (!merge_consider(work, lookup, context, i - 1, i)) return false;
    }
    while (work->n_heap > 0) {
        merge_candidate best = merge_heap_pop(work);
        merge_symbol *left = &work->symbols[best.left];
        merge_symbol *right = &work->symbols[best.right];
        if (left->size == 0 || right->size == 0 || left->size + right->size != best.size) continue;
        left->id = best.id;
        left->size += right->size;
        right->size = 0;
        left->next = right->next;
        if (right->next != MERGE_END) work->symbols[right->next].prev = best.left;
        if (!merge_consider(work, lookup, context, left->prev, best.left)) return false;
        if (!merge_consider(work, lookup, context, best.left, left->next)) return false;
    }
    return true;
}
