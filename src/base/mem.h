/* Allocation: everything goes through the engine's ondol_allocator. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The C library's heap. */
ondol_allocator base_default_allocator(void);

/* `size` bytes, uninitialised, aligned to `align` (a power of two >= 16). NULL when there are none;
 * a size of 0 gives a valid pointer. */
void *base_alloc_aligned(const ondol_allocator *a, size_t size, size_t align);

/* count * size bytes of zeros, aligned to 16. NULL on overflow or when there are none. */
void *base_calloc(const ondol_allocator *a, size_t count, size_t size);

/* count * size bytes, uninitialised, aligned to 16. NULL on overflow or when there are none. */
void *base_alloc(const ondol_allocator *a, size_t count, size_t size);

/* Takes NULL. */
void base_free(const ondol_allocator *a, void *p);

/* A copy of text[0..n) with a 0 behind it; NULL when there is no memory. */
char *base_strndup(const ondol_allocator *a, const char *text, size_t n);

/* ONDOL_E_MEMORY with a sentence that names what the memory was for. */
ondol_status base_no_memory(ondol_error *err, const char *what, uint64_t size_bytes);

#endif
