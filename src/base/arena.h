/* Arena: many small allocations with one owner and one end. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/mem.h"

typedef struct base_arena_chunk base_arena_chunk;

/* Thread class: one thread at a time. Zero-initialise, then base_arena_init. */
typedef struct base_arena {
    const ondol_allocator *allocator;
    base_arena_chunk *chunks;
    size_t total_bytes, max_bytes;
} base_arena;

/* max_bytes bounds all that the arena will ever hold (0: no bound). allocator is borrowed. */
void base_arena_init(base_arena *arena, const ondol_allocator *allocator, size_t max_bytes);
void base_arena_destroy(base_arena *arena);

/* count * size bytes of zeros, aligned to 16. NULL when there is no memory or max_bytes is met. */
void *base_arena_alloc(base_arena *arena, size_t count, size_t size);

/* Copies text[0..n), adds a 0. NULL as above. */
char *base_arena_strndup(base_arena *arena, const char *text, size_t n);

#endif
