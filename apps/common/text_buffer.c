/* Text that grows: appended bytes or printed pieces -> one string. */
#include "common/text_buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(text_buffer *text, size_t more) {
    size_t need = text->size + more + 1;
    if (need <= text->capacity) return;
    size_t capacity = text->capacity < 128 ? 256 : text->capacity * 2;
    text->capacity = capacity < need ? need : capacity;
    text->bytes = memory_resize(text->bytes, text->capacity);
}

void text_append(text_buffer *text, const char *bytes, size_t size) {
    reserve(text, size);
    if (size) memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = 0;
}

void text_print(text_buffer *text, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n > 0) {
        reserve(text, (size_t)n);
        vsnprintf(text->bytes + text->size, (size_t)n + 1, format, again);
        text->size += (size_t)n;
    }
    va_end(again);
}

void text_clear(text_buffer *text) {
    text->size = 0;
    if (text->bytes) text->bytes[0] = 0;
}

void text_free(text_buffer *text) {
    free(text->bytes);
    *text = (text_buffer){0};
}
