/* Growable bytes with a maximum. In: pieces. Out: one run of bytes that ends in 0. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void base_buffer_init(base_buffer *b, const ondol_allocator *allocator, size_t max_bytes) {
    *b = (base_buffer){.allocator = allocator, .max_bytes = max_bytes};
}

void base_buffer_destroy(base_buffer *b) {
    if (!b || !b->data) return;
    base_free(b->allocator, b->data);
    b->data = NULL;
    b->size = b->capacity = 0;
}

bool base_buffer_reserve(base_buffer *b, size_t n) {
    if (b->fault) return false;
    if (n > b->max_bytes || b->size > b->max_bytes - n) {
        b->fault = BASE_BUFFER_OVER_MAXIMUM;
        return false;
    }
    if (b->capacity > b->size && n < b->capacity - b->size) return true;
    size_t capacity = b->capacity ? b->capacity + b->capacity / 2 : 64;
    if (capacity < b->size + n + 1) capacity = b->size + n + 1;
    char *data = base_alloc(b->allocator, capacity, 1);
    if (!data) {
        b->fault = BASE_BUFFER_NO_MEMORY;
        return false;
    }
    if (b->size) memcpy(data, b->data, b->size);
    data[b->size] = 0;
    base_free(b->allocator, b->data);
    b->data = data;
    b->capacity = capacity;
    return true;
}

bool base_buffer_append(base_buffer *b, const void *bytes, size_t n) {
    if (!base_buffer_reserve(b, n)) return false;
    if (n) memcpy(b->data + b->size, bytes, n);
    b->size += n;
    b->data[b->size] = 0;
    return true;
}

bool base_buffer_append_text(base_buffer *b, const char *text) {
    return base_buffer_append(b, text, strlen(text));
}

bool base_buffer_append_format(base_buffer *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    bool ok = n >= 0 && base_buffer_reserve(b, (size_t)n);
    if (ok) {
        vsnprintf(b->data + b->size, (size_t)n + 1, format, again);
        b->size += (size_t)n;
    }
    va_end(again);
    return ok;
}

ondol_status base_buffer_status(const base_buffer *b, const char *what, ondol_error *err) {
    if (b->fault == BASE_BUFFER_NO_MEMORY) return base_no_memory(err, what, b->capacity);
    if (b->fault == BASE_BUFFER_OVER_MAXIMUM) {
        return base_fail(err, ONDOL_E_LIMIT, "%s: longer than its maximum of %zu bytes", what,
                         b->max_bytes);
    }
    return ONDOL_OK;
}
