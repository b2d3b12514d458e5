/* Structures across the border. In: what a caller of any header version passes. Out: ours. */
#include <inttypes.h>
#include <string.h>

#include "api/api_internal.h"

ondol_status api_options_take(const void *options, size_t known, void *out, const char *name,
                              ondol_error *err) {
    if (!options) return ONDOL_OK;
    size_t size = 0;
    memcpy(&size, options, sizeof size);
    if (size < sizeof size) {
        return base_fail(err, ONDOL_E_ARGUMENT, "%s: struct_size is %zu; begin with its _INIT",
                         name, size);
    }
    const unsigned char *bytes = options;
    for (size_t i = known; i < size; i++) {
        if (bytes[i]) {
            return base_fail(err, ONDOL_E_UNSUPPORTED,
                             "%s: made for a newer Ondol than %s, with an option that this one "
                             "does not know",
                             name, ondol_version());
        }
    }
    memcpy(out, options, size < known ? size : known);
    memcpy(out, &known, sizeof known);
    return ONDOL_OK;
}

ondol_status api_info_give(const void *from, size_t known, void *out, ondol_error *err) {
    size_t size = 0;
    if (!out) return base_fail(err, ONDOL_E_ARGUMENT, "no structure to fill");
    memcpy(&size, out, sizeof size);
    if (size < sizeof size) {
        return base_fail(err, ONDOL_E_ARGUMENT, "struct_size is %zu: set it before the call", size);
    }
    if (size > known) {
        memset((char *)out + known, 0, size - known);
    }
    memcpy(out, from, size < known ? size : known);
    memcpy(out, &size, sizeof size);
    return ONDOL_OK;
}

void api_text_give(const base_buffer *b, char *text, size_t capacity, size_t *count) {
    const size_t n = b->size < capacity ? b->size : capacity;
    if (n) memcpy(text, b->data, n);
    *count = b->size;
}

ondol_status api_source_read(const ondol_engine *e, const ondol_source *source, unsigned char **out,
                             ondol_error *err) {
    const size_t piece = (size_t)16 << 20;
    const uint64_t size = source->size_bytes;
    if (size > SIZE_MAX) return base_no_memory(err, "model file", size);
    *out = base_alloc_aligned(&e->allocator, (size_t)size, 64);
    if (!*out) return base_no_memory(err, "model file", size);
    for (uint64_t at = 0; at < size; at += piece) {
        const size_t n = size - at < piece ? (size_t)(size - at) : piece;
        if (source->read(source->user, at, *out + at, n) != 0) {
            return base_fail(err, ONDOL_E_IO, "could not read %zu bytes at %" PRIu64, n, at);
        }
    }
    return ONDOL_OK;
}
