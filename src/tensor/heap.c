/* The run heap. In: sizes. Out: memory, which is kept for the next of its size class when it is
 * given back: a run that repeats takes none from the allocator. */
#include "tensor/heap.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"

/* Classes of 4 to each power of two, from 64 bytes on. */
#define CLASS_COUNT 200

typedef struct piece piece;
struct piece {
    union {
        piece *next;        /* free */
        uint64_t use_bytes; /* in use */
    } u;
    uint32_t class_index;
};

#define HEAD_BYTES 64

struct tensor_heap {
    const ondol_allocator *allocator;
    uint64_t max_bytes, used_bytes, peak_bytes, kept_bytes;
    piece *kept[CLASS_COUNT];
};

struct tensor_block {
    tensor_block *next; /* of a chain of texts */
    uint64_t size_bytes, filled_bytes;
    uint32_t references;
};

/* The class that holds n bytes, and its size; false when n is too large for any. */
static bool find_class(uint64_t n, uint32_t *index, uint64_t *size) {
    uint64_t base = 64;
    for (uint32_t c = 0; c < CLASS_COUNT; c++) {
        *size = base + base / 4 * (c % 4);
        if (n <= *size) {
            *index = c;
            return true;
        }
        if (c % 4 == 3) base *= 2;
    }
    return false;
}

ondol_status tensor_heap_create(const ondol_allocator *a, uint64_t max_bytes, tensor_heap **out,
                                ondol_error *err) {
    tensor_heap *h = base_calloc(a, 1, sizeof *h);
    if (!h) return base_no_memory(err, "run heap", sizeof *h);
    h->allocator = a;
    h->max_bytes = max_bytes;
    *out = h;
    return ONDOL_OK;
}

/* Gives all that is kept back to the allocator. */
static void trim(tensor_heap *h) {
    for (uint32_t c = 0; c < CLASS_COUNT; c++) {
        for (piece *p = h->kept[c], *next; p; p = next) {
            next = p->u.next;
            base_free(h->allocator, p);
        }
        h->kept[c] = NULL;
    }
    h->kept_bytes = 0;
}

void tensor_heap_destroy(tensor_heap *h) {
    if (!h) return;
    trim(h);
    base_free(h->allocator, h);
}

const ondol_allocator *tensor_heap_allocator(const tensor_heap *h) {
    return h->allocator;
}

uint64_t tensor_heap_used(const tensor_heap *h) {
    return h->used_bytes;
}

uint64_t tensor_heap_peak(const tensor_heap *h) {
    return h->peak_bytes;
}

ondol_status tensor_heap_alloc(tensor_heap *h, uint64_t size_bytes, const char *what, void **out,
                               ondol_error *err) {
    uint32_t index = 0;
    uint64_t class_bytes = 0;
    if (!find_class(size_bytes, &index, &class_bytes) ||
        class_bytes > h->max_bytes - h->used_bytes) {
        return base_fail(err, ONDOL_E_LIMIT,
                         "%s needs %" PRIu64 " bytes; %" PRIu64 " of the run's %" PRIu64
                         " are in use",
                         what, size_bytes, h->used_bytes, h->max_bytes);
    }
    piece *p = h->kept[index];
    if (p) {
        h->kept[index] = p->u.next;
        h->kept_bytes -= class_bytes;
    } else {
        if (h->kept_bytes > h->max_bytes - h->used_bytes - class_bytes) trim(h);
        p = class_bytes > SIZE_MAX - HEAD_BYTES
                ? NULL
                : base_alloc_aligned(h->allocator, (size_t)class_bytes + HEAD_BYTES, 64);
        if (!p) return base_no_memory(err, what, size_bytes);
    }
    p->class_index = index;
    p->u.use_bytes = class_bytes;
    h->used_bytes += class_bytes;
    if (h->used_bytes > h->peak_bytes) h->peak_bytes = h->used_bytes;
    *out = (char *)p + HEAD_BYTES;
    return ONDOL_OK;
}

void tensor_heap_free(tensor_heap *h, void *memory) {
    if (!memory) return;
    piece *p = (piece *)(void *)((char *)memory - HEAD_BYTES);
    h->used_bytes -= p->u.use_bytes;
    h->kept_bytes += p->u.use_bytes;
    p->u.next = h->kept[p->class_index];
    h->kept[p->class_index] = p;
}

ondol_status tensor_block_create(tensor_heap *h, uint64_t size_bytes, tensor_block **out,
                                 ondol_error *err) {
    uint64_t bytes = 0;
    void *p = NULL;
    if (!base_add(size_bytes, HEAD_BYTES, &bytes)) bytes = UINT64_MAX;
    ondol_status status = tensor_heap_alloc(h, bytes, "a tensor", &p, err);
    if (status != ONDOL_OK) return status;
    *out = p;
    **out = (tensor_block){.size_bytes = size_bytes, .references = 1};
    return ONDOL_OK;
}

void *tensor_block_data(tensor_block *b) {
    return (char *)b + HEAD_BYTES;
}

tensor_block *tensor_block_retain(tensor_block *b) {
    if (b) b->references++;
    return b;
}

void tensor_block_release(tensor_heap *h, tensor_block *b) {
    while (b && --b->references == 0) {
        tensor_block *next = b->next;
        tensor_heap_free(h, b);
        b = next;
    }
}

bool tensor_block_is_single(const tensor_block *b) {
    return b->references == 1;
}

ondol_status tensor_block_add_text(tensor_heap *h, tensor_block **chain, const char *text, size_t n,
                                   char **out, ondol_error *err) {
    tensor_block *b = *chain;
    if (!b || b->references != 1 || b->size_bytes - b->filled_bytes < n) {
        uint64_t wanted = b ? b->size_bytes * 2 : 192;
        if (wanted > (uint64_t)1 << 20) wanted = (uint64_t)1 << 20;
        if (wanted < n) wanted = n;
        ondol_status status = tensor_block_create(h, wanted, &b, err);
        if (status != ONDOL_OK) return status;
        b->next = *chain; /* this holder's reference moves on with it */
        *chain = b;
    }
    *out = (char *)tensor_block_data(b) + b->filled_bytes;
    memcpy(*out, text, n);
    b->filled_bytes += n;
    return ONDOL_OK;
}
