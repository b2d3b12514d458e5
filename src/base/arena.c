/* Arena of chunks that double up to 1 MiB. In: sizes. Out: zeroed memory that ends together. */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#define FIRST_CHUNK_BYTES ((size_t)4096)
#define LAST_CHUNK_BYTES  ((size_t)1 << 20)

struct base_arena_chunk {
    base_arena_chunk *next;
    size_t used, size;
    max_align_t data[];
};

void base_arena_init(base_arena *arena, const ondol_allocator *allocator, size_t max_bytes) {
    *arena = (base_arena){.allocator = allocator, .max_bytes = max_bytes};
}

void base_arena_destroy(base_arena *arena) {
    if (!arena) return;
    while (arena->chunks) {
        base_arena_chunk *next = arena->chunks->next;
        base_free(arena->allocator, arena->chunks);
        arena->chunks = next;
    }
    arena->total_bytes = 0;
}

static base_arena_chunk *add_chunk(base_arena *arena, size_t need) {
    size_t size = arena->chunks ? arena->chunks->size * 2 : FIRST_CHUNK_BYTES;
    if (size > LAST_CHUNK_BYTES) size = LAST_CHUNK_BYTES;
    if (size < need) size = need;
    base_arena_chunk *chunk = base_alloc(arena->allocator, sizeof *chunk + size, 1);
    if (!chunk) return NULL;
    chunk->used = 0;
    chunk->size = size;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk;
}

void *base_arena_alloc(base_arena *arena, size_t count, size_t size) {
    if (size != 0 && count > SIZE_MAX / 4 / size) return NULL;
    size_t need = (count * size + 15) & ~(size_t)15;
    if (arena->max_bytes && need > arena->max_bytes - arena->total_bytes) return NULL;
    base_arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < need) {
        chunk = add_chunk(arena, need);
        if (!chunk) return NULL;
    }
    void *p = (unsigned char *)chunk->data + chunk->used;
    chunk->used += need;
    arena->total_bytes += need;
    memset(p, 0, need);
    return p;
}

char *base_arena_strndup(base_arena *arena, const char *text, size_t n) {
    if (n == SIZE_MAX) return NULL;
    char *copy = base_arena_alloc(arena, n + 1, 1);
    if (copy && n) memcpy(copy, text, n);
    return copy;
}
