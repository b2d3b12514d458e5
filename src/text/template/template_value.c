/* Heap, strings and lists of a render. In: bytes and values. Out: values that live in the heap. */
#include "text/template/template_value.h"

#include <string.h>

#include "base/os.h"
#include "base/utf8.h"

void template_heap_init(template_heap *heap, const ondol_allocator *allocator, size_t max_bytes) {
    *heap = (template_heap){0};
    base_arena_init(&heap->arena, allocator, max_bytes);
    base_random_seed(heap->seed);
}

void template_heap_destroy(template_heap *heap) {
    if (heap) base_arena_destroy(&heap->arena);
}

void *template_heap_alloc(template_heap *heap, size_t count, size_t size) {
    void *memory = base_arena_alloc(&heap->arena, count, size);
    if (memory) return memory;
    size_t left = heap->arena.max_bytes - heap->arena.total_bytes;
    heap->over_maximum = size != 0 && count > SIZE_MAX / 8 / size;
    if (heap->arena.max_bytes && count * size + 16 > left) heap->over_maximum = true;
    return NULL;
}

template_value template_none(void) {
    return (template_value){.kind = TEMPLATE_NONE};
}

template_value template_bool(bool boolean) {
    return (template_value){.kind = TEMPLATE_BOOL, .as.boolean = boolean};
}

template_value template_int(int64_t integer) {
    return (template_value){.kind = TEMPLATE_INT, .as.integer = integer};
}

template_value template_double(double real) {
    return (template_value){.kind = TEMPLATE_DOUBLE, .as.real = real};
}

template_value template_from_string(const template_string *string) {
    return (template_value){.kind = TEMPLATE_STRING, .as.string = string};
}

template_value template_from_list(template_list *list) {
    return (template_value){.kind = TEMPLATE_LIST, .as.list = list};
}

template_value template_from_dict(template_dict *dict) {
    return (template_value){.kind = TEMPLATE_DICT, .as.dict = dict};
}

template_value template_undefined(template_missing why, const template_string *name) {
    return (template_value){.kind = TEMPLATE_UNDEFINED, .flag = (uint8_t)why, .as.string = name};
}

size_t template_text_next(const char *bytes, size_t size, size_t at, uint32_t *code) {
    unsigned char first = (unsigned char)bytes[at];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    size_t used = base_utf8_decode((const unsigned char *)bytes + at, size - at, code);
    if (used) return used;
    *code = 0xfffd;
    return 1;
}

size_t template_text_length(const char *bytes, size_t size) {
    size_t length = 0, at = 0;
    while (at < size) {
        uint32_t code = 0;
        at += template_text_next(bytes, size, at, &code);
        length++;
    }
    return length;
}

size_t template_string_offset(const template_string *string, size_t index) {
    if (string->length == string->size) return index;
    if (index >= string->length) return string->size;
    size_t at = 0;
    for (size_t i = 0; i < index && at < string->size; i++) {
        uint32_t code = 0;
        at += template_text_next(string->bytes, string->size, at, &code);
    }
    return at;
}

template_string *template_string_view(template_heap *heap, const char *bytes, size_t size) {
    template_string *string = template_heap_alloc(heap, 1, sizeof *string);
    if (!string) return NULL;
    string->bytes = bytes;
    string->size = size;
    string->length = template_text_length(bytes, size);
    return string;
}

template_string *template_string_blank(template_heap *heap, size_t size, char **bytes) {
    template_string *string = template_heap_alloc(heap, 1, sizeof *string);
    char *data = string ? template_heap_alloc(heap, size ? size : 1, 1) : NULL;
    if (!data) return NULL;
    string->bytes = data;
    string->size = size;
    *bytes = data;
    return string;
}

void template_string_finish(template_string *string) {
    string->length = template_text_length(string->bytes, string->size);
}

template_string *template_string_copy(template_heap *heap, const char *bytes, size_t size) {
    char *data = NULL;
    template_string *string = template_string_blank(heap, size, &data);
    if (!string) return NULL;
    if (size) memcpy(data, bytes, size);
    template_string_finish(string);
    return string;
}

static template_store *make_store(template_heap *heap, const template_string *a, size_t size) {
    template_store *store = template_heap_alloc(heap, 1, sizeof *store);
    if (!store) return NULL;
    /* a text that grew once will grow again: double it from the second time on */
    store->capacity = a->store && size < SIZE_MAX / 4 ? size * 2 : size;
    store->data = template_heap_alloc(heap, store->capacity, 1);
    if (!store->data && store->capacity > size) {
        store->capacity = size;
        store->data = template_heap_alloc(heap, size, 1);
    }
    if (!store->data) return NULL;
    if (a->size) memcpy(store->data, a->bytes, a->size);
    store->used = a->size;
    return store;
}

template_string *template_string_concat(template_heap *heap, const template_string *a,
                                        const template_string *b) {
    if (a->size > SIZE_MAX / 4 || b->size > SIZE_MAX / 4) {
        heap->over_maximum = true;
        return NULL;
    }
    template_string *string = template_heap_alloc(heap, 1, sizeof *string);
    if (!string) return NULL;
    size_t size = a->size + b->size;
    template_store *store = a->store;
    bool continues = store && a->bytes + a->size == store->data + store->used &&
                     store->capacity - store->used >= b->size;
    if (!continues) store = make_store(heap, a, size ? size : 1);
    if (!store) return NULL;
    if (b->size) memcpy(store->data + store->used, b->bytes, b->size);
    store->used += b->size;
    string->store = store;
    string->bytes = store->data + store->used - size;
    string->size = size;
    string->length = a->length + b->length;
    return string;
}

bool template_string_equal(const template_string *a, const template_string *b) {
    return a == b || (a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0);
}

bool template_string_is(const template_string *a, const char *text) {
    return a->size == strlen(text) && memcmp(a->bytes, text, a->size) == 0;
}

template_list *template_list_create(template_heap *heap, template_list_form form, size_t capacity) {
    template_list *list = template_heap_alloc(heap, 1, sizeof *list);
    if (!list) return NULL;
    list->form = form;
    if (capacity == 0) return list;
    list->items = template_heap_alloc(heap, capacity, sizeof *list->items);
    if (!list->items) return NULL;
    list->capacity = capacity;
    return list;
}

bool template_list_append(template_heap *heap, template_list *list, template_value value) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 4;
        template_value *items = template_heap_alloc(heap, capacity, sizeof *items);
        if (!items) return false;
        if (list->count) memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = value;
    return true;
}

static const char *list_type_name(const template_list *list) {
    switch (list->form) {
    case TEMPLATE_FORM_LIST: return "list";
    case TEMPLATE_FORM_TUPLE: return "tuple";
    case TEMPLATE_FORM_GENERATOR: return "generator";
    case TEMPLATE_FORM_KEYS: return "dict_keys";
    case TEMPLATE_FORM_VALUES: return "dict_values";
    case TEMPLATE_FORM_ITEMS: return "dict_items";
    case TEMPLATE_FORM_GROUP: return "tuple";
    }
    return "list";
}

const char *template_type_name(template_value value) {
    switch ((template_kind)value.kind) {
    case TEMPLATE_ABSENT: return "nothing";
    case TEMPLATE_UNDEFINED: return "Undefined";
    case TEMPLATE_NONE: return "NoneType";
    case TEMPLATE_BOOL: return "bool";
    case TEMPLATE_INT: return "int";
    case TEMPLATE_DOUBLE: return "float";
    case TEMPLATE_STRING: return value.flag ? "Markup" : "str";
    case TEMPLATE_LIST: return list_type_name(value.as.list);
    case TEMPLATE_DICT: return "dict";
    case TEMPLATE_RANGE: return "range";
    case TEMPLATE_NAMESPACE: return "Namespace";
    case TEMPLATE_CALLABLE: return "function";
    case TEMPLATE_LOOP: return "LoopContext";
    case TEMPLATE_CYCLER: return "Cycler";
    case TEMPLATE_JOINER: return "Joiner";
    }
    return "object";
}
