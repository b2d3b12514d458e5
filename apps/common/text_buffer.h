/* Text that grows. Bytes are always followed by a 0 that size does not count. */
#ifndef TEXT_BUFFER_H
#define TEXT_BUFFER_H

#include <stddef.h>

#include "common/report.h"

typedef struct text_buffer {
    char *bytes; /* NULL until the first append */
    size_t size, capacity;
} text_buffer;

void text_append(text_buffer *text, const char *bytes, size_t size);
void text_print(text_buffer *text, const char *format, ...) REPORT_FORMAT(2, 3);
void text_clear(text_buffer *text);
void text_free(text_buffer *text);

#endif
