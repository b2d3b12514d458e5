/* Bounded walk through the records of a GGUF header. In: bytes that nobody vouches for. Out: values
 * as views. A first walk without targets proves that what counts claim is there; a second fills. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/utf8.h"
#include "formats/gguf/gguf_header.h"

#define NAME_BYTES_MAX  65535u
#define NAME_BYTES_TOLD 100 /* of a name, in a sentence */

ondol_status gguf_walk_fail(const gguf_walk *walk, ondol_error *err, ondol_status status,
                            const char *format, ...) {
    if (!err) return status;
    char text[ONDOL_ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0) text[0] = 0;
    va_end(args);
    if (!walk->record) return base_fail(err, status, "%s", text);
    if (!walk->name.text) {
        return base_fail(err, status, "%s %" PRIu64 ": %s", walk->record, walk->record_index, text);
    }
    int told =
        walk->name.size_bytes < NAME_BYTES_TOLD ? (int)walk->name.size_bytes : NAME_BYTES_TOLD;
    return base_fail(err, status, "%s '%.*s': %s", walk->record, told, walk->name.text, text);
}

ondol_status gguf_walk_need(const gguf_walk *walk, uint64_t size_bytes, const char *what,
                            ondol_error *err) {
    uint64_t left = base_reader_left(&walk->reader), offset = walk->reader.offset;
    if (size_bytes > left) {
        return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                              "%s at byte %" PRIu64 " needs %" PRIu64 " bytes, %" PRIu64
                              " are left: %" PRIu64 " are missing (half a download, or damaged)",
                              what, offset, size_bytes, left, size_bytes - left);
    }
    if (offset + size_bytes > walk->limit_bytes) {
        return gguf_walk_fail(walk, err, ONDOL_E_LIMIT,
                              "%s at byte %" PRIu64 " needs %" PRIu64
                              " bytes, but a header may have %" PRIu64 " bytes in all",
                              what, offset, size_bytes, walk->limit_bytes);
    }
    return ONDOL_OK;
}

ondol_status gguf_walk_u32(gguf_walk *walk, const char *what, uint32_t *out, ondol_error *err) {
    ondol_status status = gguf_walk_need(walk, 4, what, err);
    if (status == ONDOL_OK) *out = base_read_u32(&walk->reader);
    return status;
}

ondol_status gguf_walk_count(gguf_walk *walk, const char *what, uint64_t *out, ondol_error *err) {
    ondol_status status = gguf_walk_need(walk, walk->short_counts ? 4 : 8, what, err);
    if (status != ONDOL_OK) return status;
    *out = walk->short_counts ? base_read_u32(&walk->reader) : base_read_u64(&walk->reader);
    return ONDOL_OK;
}

ondol_status gguf_walk_string(gguf_walk *walk, const char *what, gguf_string *out,
                              ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint64_t size = 0;
    TRY(gguf_walk_count(walk, what, &size, err));
    TRY(gguf_walk_need(walk, size, what, err));
    *out = (gguf_string){(const char *)base_read_view(&walk->reader, size), (size_t)size};
done:
    return status;
}

ondol_status gguf_walk_name(gguf_walk *walk, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    gguf_string name = {0};
    uint64_t start = walk->reader.offset;
    walk->name = name;
    TRY(gguf_walk_string(walk, "its name", &name, err));
    if (name.size_bytes == 0 || name.size_bytes > NAME_BYTES_MAX) {
        return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                              "its name at byte %" PRIu64 " has %zu bytes, expected 1 to %u", start,
                              name.size_bytes, NAME_BYTES_MAX);
    }
    if (!base_utf8_valid((const unsigned char *)name.text, name.size_bytes) ||
        memchr(name.text, 0, name.size_bytes)) {
        return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                              "its name at byte %" PRIu64 " is not UTF-8 text", start);
    }
    walk->name = name;
done:
    return status;
}

/* A bool is 0 or 1; anything else is a sign that the file is damaged. */
static ondol_status check_bools(const gguf_walk *walk, const unsigned char *bytes, uint64_t n,
                                ondol_error *err) {
    for (uint64_t i = 0; i < n; i++) {
        if (bytes[i] > 1) {
            return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                                  "bool at byte %" PRIu64 " is %u, expected 0 or 1",
                                  (uint64_t)(bytes - walk->reader.data) + i, bytes[i]);
        }
    }
    return ONDOL_OK;
}

static ondol_status walk_numbers(gguf_walk *walk, gguf_value *array, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint64_t size = 0;
    if (!base_mul(array->count, gguf_type_bytes(array->element_type), &size)) size = UINT64_MAX;
    TRY(gguf_walk_need(walk, size, "array", err));
    array->data = base_read_view(&walk->reader, size);
    if (array->element_type == GGUF_TYPE_BOOL) {
        TRY(check_bools(walk, array->data, array->count, err));
    }
done:
    return status;
}

/* Vocabularies have half a million strings: those of less than 256 bytes, well before the end of
 * the file and of the limit, need no more than this. False, with nothing read, for any other. */
static bool skip_short_string(gguf_walk *walk, gguf_string *out) {
    base_reader *r = &walk->reader;
    const unsigned char *p = r->data + r->offset;
    if (walk->short_counts || r->big_endian || base_reader_left(r) < 8 + 255) return false;
    if (r->offset + 8 + 255 > walk->limit_bytes) return false;
    if (p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]) return false;
    *out = (gguf_string){(const char *)p + 8, p[0]};
    r->offset += 8 + (uint64_t)p[0];
    return true;
}

static ondol_status walk_strings(gguf_walk *walk, gguf_value *array, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint64_t least = 0;
    if (!base_mul(array->count, walk->short_counts ? 4 : 8, &least)) least = UINT64_MAX;
    TRY(gguf_walk_need(walk, least, "array of strings", err));
    array->data = walk->reader.data + walk->reader.offset;
    uint64_t *offsets = walk->string_offsets ? walk->string_offsets + walk->offset_count : NULL;
    array->index.string_offsets = offsets;
    for (uint64_t i = 0; i < array->count; i++) {
        gguf_string text = {0};
        if (!skip_short_string(walk, &text)) {
            TRY(gguf_walk_string(walk, "string of an array", &text, err));
        }
        if (offsets) offsets[i] = (uint64_t)((const unsigned char *)text.text - array->data);
    }
    walk->offset_count += (size_t)array->count;
done:
    return status;
}

/* The arrays that are being walked, outermost first. */
typedef struct array_frame {
    gguf_value *elements; /* NULL while only counting */
    uint64_t next, count;
} array_frame;

static ondol_status push_arrays(gguf_walk *walk, gguf_value *array, array_frame *frames,
                                size_t *depth, ondol_error *err) {
    uint64_t least = 0;
    if (*depth + 1 >= GGUF_ARRAY_DEPTH_MAX) {
        return gguf_walk_fail(walk, err, ONDOL_E_LIMIT,
                              "arrays within arrays at byte %" PRIu64
                              ", more than %u deep, which no model needs",
                              walk->reader.offset, GGUF_ARRAY_DEPTH_MAX);
    }
    if (!base_mul(array->count, walk->short_counts ? 8 : 12, &least)) least = UINT64_MAX;
    ondol_status status = gguf_walk_need(walk, least, "array of arrays", err);
    if (status != ONDOL_OK) return status;
    gguf_value *elements = walk->elements ? walk->elements + walk->element_count : NULL;
    array->data = walk->reader.data + walk->reader.offset;
    array->index.elements = elements;
    walk->element_count += (size_t)array->count;
    frames[(*depth)++] = (array_frame){.elements = elements, .count = array->count};
    return ONDOL_OK;
}

/* The head of an array, and all its elements unless those are arrays: then a frame is pushed. */
static ondol_status begin_array(gguf_walk *walk, gguf_value *array, array_frame *frames,
                                size_t *depth, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint32_t type = 0;
    uint64_t count = 0, start = walk->reader.offset;
    TRY(gguf_walk_u32(walk, "type of an array's elements", &type, err));
    if (type >= GGUF_TYPE_COUNT) {
        return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                              "type of an array's elements at byte %" PRIu64 " is %" PRIu32
                              ", expected 0 to %d",
                              start, type, GGUF_TYPE_COUNT - 1);
    }
    TRY(gguf_walk_count(walk, "count of an array", &count, err));
    *array = (gguf_value){.type = GGUF_TYPE_ARRAY,
                          .element_type = (gguf_type)type,
                          .count = count,
                          .big_endian = walk->reader.big_endian,
                          .short_counts = walk->short_counts};
    if (type == GGUF_TYPE_ARRAY) return push_arrays(walk, array, frames, depth, err);
    if (type == GGUF_TYPE_STRING) return walk_strings(walk, array, err);
    return walk_numbers(walk, array, err);
done:
    return status;
}

static ondol_status walk_array(gguf_walk *walk, gguf_value *out, ondol_error *err) {
    array_frame frames[GGUF_ARRAY_DEPTH_MAX] = {0};
    size_t depth = 0;
    ondol_status status = begin_array(walk, out, frames, &depth, err);
    while (status == ONDOL_OK && depth > 0) {
        array_frame *frame = frames + depth - 1;
        if (frame->next == frame->count) {
            depth--;
            continue;
        }
        gguf_value counted;
        gguf_value *element = frame->elements ? frame->elements + frame->next : &counted;
        frame->next++;
        status = begin_array(walk, element, frames, &depth, err);
    }
    return status;
}

ondol_status gguf_walk_value(gguf_walk *walk, gguf_value *out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint32_t type = 0;
    uint64_t start = walk->reader.offset;
    TRY(gguf_walk_u32(walk, "type of the value", &type, err));
    if (type >= GGUF_TYPE_COUNT) {
        return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                              "type of the value at byte %" PRIu64 " is %" PRIu32
                              ", expected 0 to %d",
                              start, type, GGUF_TYPE_COUNT - 1);
    }
    if (type == GGUF_TYPE_ARRAY) return walk_array(walk, out, err);
    *out = (gguf_value){.type = (gguf_type)type,
                        .element_type = (gguf_type)type,
                        .count = 1,
                        .big_endian = walk->reader.big_endian,
                        .short_counts = walk->short_counts};
    if (type == GGUF_TYPE_STRING) {
        gguf_string text = {0};
        TRY(gguf_walk_string(walk, "string", &text, err));
        out->data = (const unsigned char *)text.text;
        out->count = text.size_bytes;
        return ONDOL_OK;
    }
    TRY(gguf_walk_need(walk, gguf_type_bytes(out->type), "value", err));
    out->data = base_read_view(&walk->reader, gguf_type_bytes(out->type));
    if (type == GGUF_TYPE_BOOL) TRY(check_bools(walk, out->data, 1, err));
done:
    return status;
}
