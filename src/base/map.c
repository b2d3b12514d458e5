/* Open-addressing hash map. In: borrowed byte strings. Out: the uint32 put beside each. */
#include "base/map.h"

#include <string.h>

#include "base/os.h"

#define ROTATE(x, b) ((x) << (b) | (x) >> (64 - (b)))

static void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = ROTATE(v[1], 13) ^ v[0];
    v[0] = ROTATE(v[0], 32);
    v[2] += v[3];
    v[3] = ROTATE(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = ROTATE(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = ROTATE(v[1], 17) ^ v[2];
    v[2] = ROTATE(v[2], 32);
}

static uint64_t load_le(const unsigned char *p, size_t n) {
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

uint64_t base_siphash(const uint64_t seed[2], const void *data, size_t n) {
    const unsigned char *p = data;
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
                     seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
    size_t whole = n & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m = load_le(p + i, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = load_le(n > whole ? p + whole : NULL, n - whole) | (uint64_t)n << 56;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void base_map_init(base_map *m, const ondol_allocator *allocator) {
    *m = (base_map){.allocator = allocator};
    base_random_seed(m->seed);
}

void base_map_destroy(base_map *m) {
    if (!m || !m->slots) return;
    base_free(m->allocator, m->slots);
    m->slots = NULL;
    m->capacity = m->count = 0;
}

/* The slot of the key, or the free slot where it belongs. capacity > count holds. */
static base_map_slot *find_slot(base_map_slot *slots, size_t capacity, const char *key, size_t n,
                                uint64_t hash) {
    size_t i = (size_t)hash & (capacity - 1);
    while (slots[i].key) {
        if (slots[i].hash == hash && slots[i].key_bytes == n &&
            (n == 0 || memcmp(slots[i].key, key, n) == 0)) {
            break;
        }
        i = (i + 1) & (capacity - 1);
    }
    return slots + i;
}

static bool grow(base_map *m, size_t capacity) {
    base_map_slot *slots = base_calloc(m->allocator, capacity, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < m->capacity; i++) {
        const base_map_slot *s = m->slots + i;
        if (s->key) *find_slot(slots, capacity, s->key, s->key_bytes, s->hash) = *s;
    }
    base_free(m->allocator, m->slots);
    m->slots = slots;
    m->capacity = capacity;
    return true;
}

bool base_map_reserve(base_map *m, size_t n) {
    size_t capacity = m->capacity ? m->capacity : 16;
    while (capacity / 2 < n) {
        if (capacity > SIZE_MAX / 4 / sizeof(base_map_slot)) return false;
        capacity *= 2;
    }
    return capacity == m->capacity || grow(m, capacity);
}

bool base_map_add(base_map *m, const char *key, size_t n, uint32_t value, bool *found,
                  uint32_t *old) {
    if (found) *found = false;
    if (n > UINT32_MAX || !base_map_reserve(m, m->count + 1)) return false;
    uint64_t hash = base_siphash(m->seed, key, n);
    base_map_slot *s = find_slot(m->slots, m->capacity, key, n, hash);
    if (s->key) {
        if (found) *found = true;
        if (old) *old = s->value;
        return true;
    }
    *s = (base_map_slot){
        .key = key ? key : "", .key_bytes = (uint32_t)n, .value = value, .hash = hash};
    m->count++;
    return true;
}

bool base_map_put(base_map *m, const char *key, size_t n, uint32_t value) {
    bool found = false;
    if (!base_map_add(m, key, n, value, &found, NULL)) return false;
    if (found) {
        uint64_t hash = base_siphash(m->seed, key, n);
        find_slot(m->slots, m->capacity, key, n, hash)->value = value;
    }
    return true;
}

bool base_map_get(const base_map *m, const char *key, size_t n, uint32_t *value) {
    if (m->count == 0 || n > UINT32_MAX) return false;
    uint64_t hash = base_siphash(m->seed, key, n);
    const base_map_slot *s = find_slot(m->slots, m->capacity, key, n, hash);
    if (!s->key) return false;
    *value = s->value;
    return true;
}
