/* Hash map from byte strings to uint32. Keys are hashed with SipHash-1-3 under a key of the map's
 * own, so that no file can choose colliding names. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

typedef struct base_map_slot {
    const char *key; /* borrowed; NULL: free slot */
    uint32_t key_bytes, value;
    uint64_t hash;
} base_map_slot;

/* Thread class: one thread at a time while it grows; shared once built. */
typedef struct base_map {
    const ondol_allocator *allocator;
    base_map_slot *slots;
    size_t capacity, count; /* capacity is a power of two, or 0 */
    uint64_t seed[2];
} base_map;

void base_map_init(base_map *m, const ondol_allocator *allocator);
void base_map_destroy(base_map *m);

/* Room for n keys without growth; false when there is no memory. */
bool base_map_reserve(base_map *m, size_t n);

/* Adds key (borrowed: it must outlive the map; n < 2^32). When the key is there already, nothing
 * changes, *found is true and *old is its value (both may be NULL). False: no memory. */
bool base_map_add(base_map *m, const char *key, size_t n, uint32_t value, bool *found,
                  uint32_t *old);

/* Adds or overwrites. False: no memory. */
bool base_map_put(base_map *m, const char *key, size_t n, uint32_t value);

/* True and *value when the key is there. */
bool base_map_get(const base_map *m, const char *key, size_t n, uint32_t *value);

/* SipHash-1-3 of data[0..n) (Aumasson & Bernstein 2012). */
uint64_t base_siphash(const uint64_t seed[2], const void *data, size_t n);

#endif
