/* Values of a run: tensors of any element type, sequences, optionals, maps; and the heap that they
 * live in, which is capped and keeps what is given back for the next of that size.
 *
 * Values are counted: each holder retains, and releases when it is done. Data is shared between
 * values that are views of one another. Thread class of all: one thread at a time for a heap and
 * all that came from it (a tensor's elements may be filled by many). */
#ifndef TENSOR_VALUE_H
#define TENSOR_VALUE_H

#include "base/mem.h"
#include "base/thread.h"
#include "tensor/element.h"

#include <stdbool.h>

typedef struct tensor_heap tensor_heap;
typedef struct tensor_block tensor_block;

/* A string element: size_bytes bytes of any kind; not ended by a 0. */
typedef struct tensor_string {
    const char *text;
    size_t size_bytes;
} tensor_string;

typedef enum tensor_value_kind {
    TENSOR_VALUE_TENSOR,
    TENSOR_VALUE_SEQUENCE, /* items */
    TENSOR_VALUE_OPTIONAL, /* no item, or one */
    TENSOR_VALUE_MAP       /* items[0]: keys, items[1]: values, both tensors of rank 1 */
} tensor_value_kind;

typedef struct tensor_value tensor_value;
struct tensor_value {
    tensor_value_kind kind;
    tensor_element element; /* of a tensor; of a sequence's items where they are tensors */
    uint32_t rank;
    int64_t dims[TENSOR_MAX_RANK];
    uint64_t elems;     /* product of dims */
    void *data;         /* dense, row-major, 64-byte aligned unless borrowed or a view; strings:
                         * tensor_string[elems]; never NULL */
    bool channels_last; /* of [N, C, S...]: it lies as [N, S..., C]. Only kernels that say so
                         * (plan_kernel.any_layout) see such a tensor */
    tensor_value **items;
    uint64_t item_count;

    /* Inside of value.c. */
    tensor_heap *heap;
    tensor_block *block; /* that data lies in; NULL: borrowed */
    tensor_block *texts; /* of the strings; also held by views */
    uint64_t item_capacity;
    uint32_t references;
};

/* max_bytes caps what values take together. Errors: MEMORY. */
ondol_status tensor_heap_create(const ondol_allocator *a, uint64_t max_bytes, tensor_heap **out,
                                ondol_error *err);
/* All values must have been released. Takes NULL. */
void tensor_heap_destroy(tensor_heap *h);
const ondol_allocator *tensor_heap_allocator(const tensor_heap *h);
/* Bytes in use, and the most that were. */
uint64_t tensor_heap_used(const tensor_heap *h);
uint64_t tensor_heap_peak(const tensor_heap *h);

/* Working memory of an operator, 64-byte aligned, uninitialised; what: for the sentence.
 * Errors: LIMIT with the number when the cap would be passed, MEMORY. */
ondol_status tensor_heap_alloc(tensor_heap *h, uint64_t size_bytes, const char *what, void **out,
                               ondol_error *err);
void tensor_heap_free(tensor_heap *h, void *p); /* takes NULL */

/* A tensor with data uninitialised (strings: empty; bytes behind the last element up to a multiple
 * of 64: unspecified but readable). Errors: LIMIT (size past memory, rank over TENSOR_MAX_RANK, a
 * negative dimension), MEMORY. */
ondol_status tensor_value_create(tensor_heap *h, tensor_element element, uint32_t rank,
                                 const int64_t *dims, tensor_value **out, ondol_error *err);
/* A tensor of borrowed data, which outlives the value and all its views. Errors: as above. */
ondol_status tensor_value_borrow(tensor_heap *h, tensor_element element, uint32_t rank,
                                 const int64_t *dims, const void *data, tensor_value **out,
                                 ondol_error *err);
/* A tensor of the same data with other dimensions, of which there are as many or fewer elements,
 * from element first on (a whole byte). Errors: as above; INTERNAL when it does not fit. */
ondol_status tensor_value_view(tensor_value *from, uint32_t rank, const int64_t *dims,
                               uint64_t first, tensor_value **out, ondol_error *err);
/* Its own copy of a tensor; strings too. */
ondol_status tensor_value_copy(tensor_heap *h, const tensor_value *from, tensor_value **out,
                               ondol_error *err);
/* Whether a tensor can have its channels last: rank 3 at least, elements of 8, 16, 32 or 64 bits.
 */
bool tensor_value_can_turn(const tensor_value *v);
/* v itself (retained), or its elements in the order of its dimensions: a view where that is the
 * same, else a copy made by the pool's threads (NULL: by this one). Errors: LIMIT, MEMORY. */
ondol_status tensor_value_dense(tensor_value *v, base_pool *pool, tensor_value **out,
                                ondol_error *err);
/* The same with channels last; v can turn. */
ondol_status tensor_value_channels_last(tensor_value *v, base_pool *pool, tensor_value **out,
                                        ondol_error *err);
/* True when nobody else sees the data, so that it may be written over in place. */
bool tensor_value_is_own(const tensor_value *v);

/* Sets element i of a string tensor that is its own: the bytes are copied. Errors: LIMIT, MEMORY.
 */
ondol_status tensor_value_set_string(tensor_value *v, uint64_t i, const char *text, size_t n,
                                     ondol_error *err);

/* An empty sequence or optional, or a map without items. */
ondol_status tensor_value_create_list(tensor_heap *h, tensor_value_kind kind, tensor_value **out,
                                      ondol_error *err);
/* Appends item (retained). Errors: LIMIT, MEMORY. */
ondol_status tensor_value_append(tensor_value *list, tensor_value *item, ondol_error *err);

tensor_value *tensor_value_retain(tensor_value *v);
void tensor_value_release(tensor_value *v); /* takes NULL */

/* Bytes of a tensor's dense data. */
uint64_t tensor_value_bytes(const tensor_value *v);

#endif
