/* The keys of a GGUF file to write. In: values of the machine or of another file. Out: their bytes
 * as they will lie in the header, in the writer's buffer. */
#include <float.h>
#include <inttypes.h>
#include <string.h>

#include "formats/gguf/gguf_writer_state.h"

static ondol_status begin_key(gguf_writer *w, gguf_string key, gguf_type type, ondol_error *err) {
    static const char alignment[] = "general.alignment";
    if (key.size_bytes == sizeof alignment - 1 &&
        memcmp(key.text, alignment, key.size_bytes) == 0) {
        return base_fail(err, ONDOL_E_ARGUMENT, "key '%s' is written by the writer itself",
                         alignment);
    }
    ondol_status status = gguf_writer_enter_name(w, &w->key_map, "key", key, 65535, NULL, err);
    if (status != ONDOL_OK) return status;
    gguf_put_text(&w->keys, key);
    gguf_put_integer(&w->keys, type, 4);
    w->key_count++;
    return ONDOL_OK;
}

static ondol_status wrong_type(const char *key, gguf_type type, const char *expected,
                               ondol_error *err) {
    return base_fail(err, ONDOL_E_ARGUMENT, "key '%s': expected %s, got type %s", key, expected,
                     gguf_type_name(type));
}

ondol_status gguf_writer_add_unsigned(gguf_writer *writer, const char *key, gguf_type type,
                                      uint64_t value, ondol_error *err) {
    if (type != GGUF_TYPE_U8 && type != GGUF_TYPE_U16 && type != GGUF_TYPE_U32 &&
        type != GGUF_TYPE_U64) {
        return wrong_type(key, type, "u8, u16, u32 or u64", err);
    }
    const size_t n = gguf_type_bytes(type);
    if (n < 8 && value >> (8 * n) != 0) {
        return base_fail(err, ONDOL_E_ARGUMENT, "key '%s': %" PRIu64 " does not fit %s", key, value,
                         gguf_type_name(type));
    }
    ondol_status status = begin_key(writer, gguf_string_of(key), type, err);
    if (status != ONDOL_OK) return status;
    gguf_put_integer(&writer->keys, value, n);
    return base_buffer_status(&writer->keys, "keys", err);
}

ondol_status gguf_writer_add_signed(gguf_writer *writer, const char *key, gguf_type type,
                                    int64_t value, ondol_error *err) {
    if (type != GGUF_TYPE_I8 && type != GGUF_TYPE_I16 && type != GGUF_TYPE_I32 &&
        type != GGUF_TYPE_I64) {
        return wrong_type(key, type, "i8, i16, i32 or i64", err);
    }
    const size_t n = gguf_type_bytes(type);
    const int64_t most = INT64_MAX >> (64 - 8 * n);
    if (value > most || value < -most - 1) {
        return base_fail(err, ONDOL_E_ARGUMENT, "key '%s': %" PRId64 " does not fit %s", key, value,
                         gguf_type_name(type));
    }
    ondol_status status = begin_key(writer, gguf_string_of(key), type, err);
    if (status != ONDOL_OK) return status;
    gguf_put_integer(&writer->keys, (uint64_t)value, n);
    return base_buffer_status(&writer->keys, "keys", err);
}

static uint32_t bits_of_float(float value) {
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t bits_of_double(double value) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

ondol_status gguf_writer_add_float(gguf_writer *writer, const char *key, gguf_type type,
                                   double value, ondol_error *err) {
    if (type != GGUF_TYPE_F32 && type != GGUF_TYPE_F64) {
        return wrong_type(key, type, "f32 or f64", err);
    }
    const float narrow = (float)value;
    if (type == GGUF_TYPE_F32 && (narrow > FLT_MAX || narrow < -FLT_MAX) && value <= DBL_MAX &&
        value >= -DBL_MAX) {
        return base_fail(err, ONDOL_E_ARGUMENT, "key '%s': %g does not fit f32", key, value);
    }
    ondol_status status = begin_key(writer, gguf_string_of(key), type, err);
    if (status != ONDOL_OK) return status;
    if (type == GGUF_TYPE_F32) {
        gguf_put_integer(&writer->keys, bits_of_float(narrow), 4);
    } else {
        gguf_put_integer(&writer->keys, bits_of_double(value), 8);
    }
    return base_buffer_status(&writer->keys, "keys", err);
}

ondol_status gguf_writer_add_bool(gguf_writer *writer, const char *key, bool value,
                                  ondol_error *err) {
    ondol_status status = begin_key(writer, gguf_string_of(key), GGUF_TYPE_BOOL, err);
    if (status != ONDOL_OK) return status;
    gguf_put_integer(&writer->keys, value, 1);
    return base_buffer_status(&writer->keys, "keys", err);
}

ondol_status gguf_writer_add_string(gguf_writer *writer, const char *key, gguf_string value,
                                    ondol_error *err) {
    ondol_status status = begin_key(writer, gguf_string_of(key), GGUF_TYPE_STRING, err);
    if (status != ONDOL_OK) return status;
    gguf_put_text(&writer->keys, value);
    return base_buffer_status(&writer->keys, "keys", err);
}

ondol_status gguf_writer_add_strings(gguf_writer *writer, const char *key,
                                     const gguf_string *strings, size_t n, ondol_error *err) {
    ondol_status status = begin_key(writer, gguf_string_of(key), GGUF_TYPE_ARRAY, err);
    if (status != ONDOL_OK) return status;
    gguf_put_integer(&writer->keys, GGUF_TYPE_STRING, 4);
    gguf_put_integer(&writer->keys, n, 8);
    for (size_t i = 0; i < n; i++)
        gguf_put_text(&writer->keys, strings[i]);
    return base_buffer_status(&writer->keys, "keys", err);
}

/* The machine's own bytes of a number of n_bytes, as an integer. */
static uint64_t native_bits(const unsigned char *p, size_t n_bytes) {
    uint64_t bits64 = 0;
    uint32_t bits32 = 0;
    uint16_t bits16 = 0;
    switch (n_bytes) {
    case 8: memcpy(&bits64, p, 8); return bits64;
    case 4: memcpy(&bits32, p, 4); return bits32;
    case 2: memcpy(&bits16, p, 2); return bits16;
    default: return *p;
    }
}

ondol_status gguf_writer_add_array(gguf_writer *writer, const char *key, gguf_type element_type,
                                   const void *elements, size_t n, ondol_error *err) {
    const size_t n_bytes = gguf_type_bytes(element_type);
    if (n_bytes == 0) return wrong_type(key, element_type, "elements of numbers or bool", err);
    ondol_status status = begin_key(writer, gguf_string_of(key), GGUF_TYPE_ARRAY, err);
    if (status != ONDOL_OK) return status;
    gguf_put_integer(&writer->keys, element_type, 4);
    gguf_put_integer(&writer->keys, n, 8);
    const unsigned char *p = elements;
    for (size_t i = 0; i < n; i++)
        gguf_put_integer(&writer->keys, native_bits(p + i * n_bytes, n_bytes), n_bytes);
    return base_buffer_status(&writer->keys, "keys", err);
}

/* n numbers as they lie in a file. */
static void put_numbers(base_buffer *b, const gguf_value *value, gguf_type type, uint64_t n) {
    const size_t n_bytes = gguf_type_bytes(type);
    if (!value->big_endian || n_bytes == 1) {
        base_buffer_append(b, value->data, (size_t)n * n_bytes);
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        unsigned char swapped[8];
        for (size_t k = 0; k < n_bytes; k++)
            swapped[k] = value->data[(i + 1) * n_bytes - 1 - k];
        base_buffer_append(b, swapped, n_bytes);
    }
}

/* The head of an array and its elements, unless those are arrays. */
static void put_array_flat(base_buffer *b, const gguf_value *array) {
    gguf_put_integer(b, array->element_type, 4);
    gguf_put_integer(b, array->count, 8);
    if (array->element_type == GGUF_TYPE_STRING) {
        for (uint64_t i = 0; i < array->count; i++)
            gguf_put_text(b, gguf_array_string(array, i));
    } else if (array->element_type != GGUF_TYPE_ARRAY) {
        put_numbers(b, array, array->element_type, array->count);
    }
}

static ondol_status put_array(base_buffer *b, const gguf_value *array, ondol_error *err) {
    struct {
        const gguf_value *array;
        uint64_t next;
    } frames[GGUF_ARRAY_DEPTH_MAX];
    size_t depth = 0;
    const gguf_value *current = array;
    for (;;) {
        put_array_flat(b, current);
        if (current->element_type == GGUF_TYPE_ARRAY) {
            if (depth == GGUF_ARRAY_DEPTH_MAX) {
                return base_fail(err, ONDOL_E_ARGUMENT, "arrays within arrays, more than %u deep",
                                 GGUF_ARRAY_DEPTH_MAX);
            }
            frames[depth].array = current;
            frames[depth++].next = 0;
        }
        while (depth > 0 && frames[depth - 1].next == frames[depth - 1].array->count)
            depth--;
        if (depth == 0) return ONDOL_OK;
        current = frames[depth - 1].array->index.elements + frames[depth - 1].next++;
    }
}

ondol_status gguf_writer_add_value(gguf_writer *writer, gguf_string key, const gguf_value *value,
                                   ondol_error *err) {
    ondol_status status = ONDOL_OK;
    gguf_string text = {0};
    TRY(begin_key(writer, key, value->type, err));
    if (value->type == GGUF_TYPE_ARRAY) {
        TRY(put_array(&writer->keys, value, err));
    } else if (gguf_value_string(value, &text)) {
        gguf_put_text(&writer->keys, text);
    } else {
        put_numbers(&writer->keys, value, value->type, 1);
    }
    status = base_buffer_status(&writer->keys, "keys", err);
done:
    return status;
}
