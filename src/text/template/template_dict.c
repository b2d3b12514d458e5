/* Dict: an array of pairs in order, and an open-addressing index of it once it has grown. */
#include "text/template/template_dict.h"

#include <math.h>
#include <string.h>

#include "base/map.h"
#include "text/template/template_run.h"

#define INDEX_FROM     8
#define KEY_DEPTH_MAX  32
#define DICT_COUNT_MAX ((size_t)1 << 30)
#define NO_PLACE       SIZE_MAX

template_dict *template_dict_create(template_heap *heap) {
    return template_heap_alloc(heap, 1, sizeof(template_dict));
}

static uint64_t hash_bytes(const template_heap *heap, const void *bytes, size_t size, int kind) {
    return base_siphash(heap->seed, bytes, size) ^ (uint64_t)kind * 0x9e3779b97f4a7c15u;
}

/* Integers, booleans and whole floats share their hash. False: a float that is no int64. */
static bool as_integer(template_value v, int64_t *out) {
    if (v.kind == TEMPLATE_BOOL)
        *out = v.as.boolean;
    else if (v.kind == TEMPLATE_INT)
        *out = v.as.integer;
    else if (fabs(v.as.real) < 9.2e18 && floor(v.as.real) == v.as.real)
        *out = (int64_t)v.as.real;
    else
        return false;
    return true;
}

static ondol_status hash_key(template_run *run, template_value key, unsigned depth, uint64_t *out);

static ondol_status hash_tuple(template_run *run, const template_list *list, unsigned depth,
                               uint64_t *out) {
    uint64_t all = list->count;
    if (depth >= KEY_DEPTH_MAX) {
        return template_fail(run, ONDOL_E_LIMIT, "a dict key is nested deeper than %d",
                             KEY_DEPTH_MAX);
    }
    for (size_t i = 0; i < list->count; i++) {
        uint64_t one = 0;
        ondol_status status = hash_key(run, list->items[i], depth + 1, &one);
        if (status != ONDOL_OK) return status;
        all = (all ^ one) * 0x100000001b3u;
        all ^= all >> 29;
    }
    *out = all;
    return ONDOL_OK;
}

static bool is_tuple(template_value v) {
    return v.kind == TEMPLATE_LIST &&
           (v.as.list->form == TEMPLATE_FORM_TUPLE || v.as.list->form == TEMPLATE_FORM_GROUP);
}

static ondol_status hash_key(template_run *run, template_value key, unsigned depth, uint64_t *out) {
    int64_t integer = 0;
    ondol_status status = template_spend(run, 1);
    if (status != ONDOL_OK) return status;
    switch ((template_kind)key.kind) {
    case TEMPLATE_STRING:
        *out = hash_bytes(run->heap, key.as.string->bytes, key.as.string->size, TEMPLATE_STRING);
        return template_spend(run, key.as.string->size / 64);
    case TEMPLATE_BOOL:
    case TEMPLATE_INT:
    case TEMPLATE_DOUBLE:
        if (as_integer(key, &integer))
            *out = hash_bytes(run->heap, &integer, sizeof integer, TEMPLATE_INT);
        else
            *out = hash_bytes(run->heap, &key.as.real, sizeof key.as.real, TEMPLATE_DOUBLE);
        return ONDOL_OK;
    case TEMPLATE_LIST:
        if (is_tuple(key)) return hash_tuple(run, key.as.list, depth, out);
        if (key.as.list->form == TEMPLATE_FORM_GENERATOR) break;
        return template_fail(run, ONDOL_E_FORMAT, "unhashable type: '%s'", template_type_name(key));
    case TEMPLATE_DICT: return template_fail(run, ONDOL_E_FORMAT, "unhashable type: 'dict'");
    case TEMPLATE_NONE:
    case TEMPLATE_UNDEFINED: *out = key.kind * 0x9e3779b97f4a7c15u; return ONDOL_OK;
    default: break;
    }
    *out = hash_bytes(run->heap, &key.as.dict, sizeof key.as.dict, key.kind); /* by identity */
    return ONDOL_OK;
}

/* Both were hashed, so tuples are at most KEY_DEPTH_MAX deep. run NULL: both are texts. */
static bool same_key(template_run *run, template_value a, template_value b) {
    if (a.kind == TEMPLATE_STRING || b.kind == TEMPLATE_STRING)
        return a.kind == b.kind && template_string_equal(a.as.string, b.as.string);
    if (run && template_spend(run, 1) != ONDOL_OK) return false;
    bool number = a.kind >= TEMPLATE_BOOL && a.kind <= TEMPLATE_DOUBLE && b.kind >= TEMPLATE_BOOL &&
                  b.kind <= TEMPLATE_DOUBLE;
    if (number) {
        int64_t x = 0, y = 0;
        bool whole_a = as_integer(a, &x), whole_b = as_integer(b, &y);
        if (whole_a || whole_b) return whole_a && whole_b && x == y;
        return a.as.real == b.as.real;
    }
    if (a.kind != b.kind) return false;
    if (a.kind == TEMPLATE_NONE || a.kind == TEMPLATE_UNDEFINED) return true;
    if (a.as.dict == b.as.dict) return true;
    if (!is_tuple(a) || !is_tuple(b) || a.as.list->count != b.as.list->count) return false;
    for (size_t i = 0; i < a.as.list->count; i++)
        if (!same_key(run, a.as.list->items[i], b.as.list->items[i])) return false;
    return true;
}

/* Place of the key, or NO_PLACE. *probes counts the looks it took. */
static size_t find_place(template_run *run, const template_dict *dict, template_value key,
                         uint64_t hash) {
    if (!dict->index) {
        for (size_t i = 0; i < dict->used; i++) {
            const template_pair *pair = &dict->pairs[i];
            if (pair->key.kind != TEMPLATE_ABSENT && pair->hash == hash &&
                same_key(run, pair->key, key))
                return i;
        }
        return NO_PLACE;
    }
    size_t mask = dict->index_capacity - 1, slot = (size_t)hash & mask;
    while (dict->index[slot]) {
        size_t place = dict->index[slot] - 1;
        const template_pair *pair = &dict->pairs[place];
        if (pair->key.kind != TEMPLATE_ABSENT && pair->hash == hash &&
            same_key(run, pair->key, key))
            return place;
        slot = (slot + 1) & mask;
    }
    return NO_PLACE;
}

static void index_place(template_dict *dict, size_t place) {
    size_t mask = dict->index_capacity - 1, slot = (size_t)dict->pairs[place].hash & mask;
    while (dict->index[slot])
        slot = (slot + 1) & mask;
    dict->index[slot] = (uint32_t)(place + 1);
}

/* Room for one more pair: leaves the removed ones behind, and builds the index when it is due. */
static bool grow(template_heap *heap, template_dict *dict) {
    size_t capacity = dict->count < 4 ? 4 : dict->count * 2;
    if (capacity > DICT_COUNT_MAX) return false;
    template_pair *pairs = template_heap_alloc(heap, capacity, sizeof *pairs);
    if (!pairs) return false;
    size_t n = 0;
    for (size_t i = 0; i < dict->used; i++)
        if (dict->pairs[i].key.kind != TEMPLATE_ABSENT) pairs[n++] = dict->pairs[i];
    dict->pairs = pairs;
    dict->used = n;
    dict->capacity = capacity;
    dict->index = NULL;
    if (capacity <= INDEX_FROM) return true;
    size_t index_capacity = 16;
    while (index_capacity < capacity * 2)
        index_capacity *= 2;
    uint32_t *index = template_heap_alloc(heap, index_capacity, sizeof *index);
    if (!index) {
        dict->capacity = n; /* consistent, and full */
        return false;
    }
    dict->index = index;
    dict->index_capacity = index_capacity;
    for (size_t i = 0; i < n; i++)
        index_place(dict, i);
    return true;
}

static bool put(template_run *run, template_heap *heap, template_dict *dict, template_value key,
                uint64_t hash, template_value value) {
    size_t place = find_place(run, dict, key, hash);
    if (place != NO_PLACE) {
        dict->pairs[place].value = value;
        return true;
    }
    if (dict->used == dict->capacity && !grow(heap, dict)) return false;
    dict->pairs[dict->used] = (template_pair){.key = key, .value = value, .hash = hash};
    if (dict->index) index_place(dict, dict->used);
    dict->used++;
    dict->count++;
    return true;
}

bool template_dict_put(template_heap *heap, template_dict *dict, const template_string *key,
                       template_value value) {
    uint64_t hash = hash_bytes(heap, key->bytes, key->size, TEMPLATE_STRING);
    return put(NULL, heap, dict, template_from_string(key), hash, value);
}

bool template_dict_put_text(template_heap *heap, template_dict *dict, const char *key,
                            template_value value) {
    const template_string *string = template_string_copy(heap, key, strlen(key));
    return string && template_dict_put(heap, dict, string, value);
}

bool template_dict_find(const template_heap *heap, const template_dict *dict,
                        const template_string *key, template_value *found) {
    uint64_t hash = hash_bytes(heap, key->bytes, key->size, TEMPLATE_STRING);
    size_t place = find_place(NULL, dict, template_from_string(key), hash);
    if (place == NO_PLACE) return false;
    if (found) *found = dict->pairs[place].value;
    return true;
}

ondol_status template_dict_set(template_run *run, template_dict *dict, template_value key,
                               template_value value) {
    uint64_t hash = 0;
    ondol_status status = hash_key(run, key, 0, &hash);
    if (status != ONDOL_OK) return status;
    if (!put(run, run->heap, dict, key, hash, value)) return template_no_memory(run);
    return template_spend(run, 2);
}

ondol_status template_dict_get(template_run *run, const template_dict *dict, template_value key,
                               template_value *value, bool *found) {
    uint64_t hash = 0;
    *found = false;
    ondol_status status = hash_key(run, key, 0, &hash);
    if (status != ONDOL_OK) return status;
    size_t place = find_place(run, dict, key, hash);
    if (place == NO_PLACE) return ONDOL_OK;
    *value = dict->pairs[place].value;
    *found = true;
    return ONDOL_OK;
}

ondol_status template_dict_remove(template_run *run, template_dict *dict, template_value key,
                                  bool *found) {
    uint64_t hash = 0;
    *found = false;
    ondol_status status = hash_key(run, key, 0, &hash);
    if (status != ONDOL_OK) return status;
    size_t place = find_place(run, dict, key, hash);
    if (place == NO_PLACE) return ONDOL_OK;
    dict->pairs[place].key.kind = TEMPLATE_ABSENT; /* its slot in the index stays taken */
    dict->count--;
    *found = true;
    return ONDOL_OK;
}

void template_dict_clear(template_dict *dict) {
    *dict = (template_dict){0};
}
