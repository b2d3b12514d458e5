/* Growable bytes with a maximum. A failed append is remembered, so a writer may check once. */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

typedef enum base_buffer_fault {
    BASE_BUFFER_FINE,
    BASE_BUFFER_NO_MEMORY,
    BASE_BUFFER_OVER_MAXIMUM
} base_buffer_fault;

/* data holds `size` bytes and one 0 behind them once anything was appended (NULL before).
 * Thread class: one thread at a time. */
typedef struct base_buffer {
    const ondol_allocator *allocator;
    char *data;
    size_t size, capacity, max_bytes;
    base_buffer_fault fault;
} base_buffer;

void base_buffer_init(base_buffer *b, const ondol_allocator *allocator, size_t max_bytes);
void base_buffer_destroy(base_buffer *b);

/* False once memory or the maximum has failed; the bytes so far stay. */
bool base_buffer_append(base_buffer *b, const void *bytes, size_t n);
bool base_buffer_append_text(base_buffer *b, const char *text);
bool base_buffer_append_format(base_buffer *b, const char *format, ...) BASE_PRINTF(2, 3);

/* Makes room for n more bytes behind `size` without changing it. */
bool base_buffer_reserve(base_buffer *b, size_t n);

/* ONDOL_OK, or ONDOL_E_MEMORY / ONDOL_E_LIMIT with `what` in the sentence. */
ondol_status base_buffer_status(const base_buffer *b, const char *what, ondol_error *err);

#endif
