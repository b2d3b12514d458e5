/* Values of GGUF keys. In: views into the file. Out: numbers and text of the types asked for. */
#include <float.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/gguf/gguf_file.h"
#include "formats/gguf/gguf_header.h"

#define TEXT_BYTES_TOLD 40 /* of a string value, in a sentence */

typedef struct type_row {
    const char *name;
    unsigned char bytes;
    bool is_integer, is_signed;
} type_row;

static const type_row types[GGUF_TYPE_COUNT] = {
    [GGUF_TYPE_U8] = {"u8", 1, true, false},    [GGUF_TYPE_I8] = {"i8", 1, true, true},
    [GGUF_TYPE_U16] = {"u16", 2, true, false},  [GGUF_TYPE_I16] = {"i16", 2, true, true},
    [GGUF_TYPE_U32] = {"u32", 4, true, false},  [GGUF_TYPE_I32] = {"i32", 4, true, true},
    [GGUF_TYPE_F32] = {"f32", 4, false, false}, [GGUF_TYPE_BOOL] = {"bool", 1, false, false},
    [GGUF_TYPE_STRING] = {"string", 0, 0, 0},   [GGUF_TYPE_ARRAY] = {"array", 0, 0, 0},
    [GGUF_TYPE_U64] = {"u64", 8, true, false},  [GGUF_TYPE_I64] = {"i64", 8, true, true},
    [GGUF_TYPE_F64] = {"f64", 8, false, false},
};

static const type_row *row_of(gguf_type type) {
    static const type_row none = {"unknown", 0, false, false};
    return (unsigned)type < GGUF_TYPE_COUNT ? types + type : &none;
}

const char *gguf_type_name(gguf_type type) {
    return row_of(type)->name;
}

size_t gguf_type_bytes(gguf_type type) {
    return row_of(type)->bytes;
}

static uint64_t load(const unsigned char *p, size_t n, bool big_endian) {
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)p[big_endian ? n - 1 - i : i] << (8 * i);
    return value;
}

static uint64_t load_value(const gguf_value *value) {
    return load(value->data, gguf_type_bytes(value->type), value->big_endian);
}

/* *negative: the integer is *bits - 2^64. */
static bool load_integer(const gguf_value *value, uint64_t *bits, bool *negative) {
    const type_row *row = row_of(value->type);
    if (!row->is_integer) return false;
    *bits = load_value(value);
    uint64_t sign = (uint64_t)1 << (8 * row->bytes - 1);
    *negative = row->is_signed && (*bits & sign);
    if (*negative) *bits |= ~(sign | (sign - 1));
    return true;
}

bool gguf_value_u64(const gguf_value *value, uint64_t *out) {
    uint64_t bits = 0;
    bool negative = false;
    if (!load_integer(value, &bits, &negative) || negative) return false;
    *out = bits;
    return true;
}

bool gguf_value_i64(const gguf_value *value, int64_t *out) {
    uint64_t bits = 0;
    bool negative = false;
    if (!load_integer(value, &bits, &negative)) return false;
    if (!negative && bits > INT64_MAX) return false;
    /* -(~bits) - 1 is the two's complement without an overflow on the way. */
    *out = negative ? -(int64_t)(~bits) - 1 : (int64_t)bits;
    return true;
}

bool gguf_value_f64(const gguf_value *value, double *out) {
    if (value->type == GGUF_TYPE_F32) {
        uint32_t bits = (uint32_t)load_value(value);
        float f = 0;
        memcpy(&f, &bits, sizeof f);
        *out = (double)f;
        return true;
    }
    if (value->type != GGUF_TYPE_F64) return false;
    uint64_t bits = load_value(value);
    memcpy(out, &bits, sizeof *out);
    return true;
}

bool gguf_value_bool(const gguf_value *value, bool *out) {
    if (value->type != GGUF_TYPE_BOOL) return false;
    *out = value->data[0] != 0;
    return true;
}

bool gguf_value_string(const gguf_value *value, gguf_string *out) {
    if (value->type != GGUF_TYPE_STRING) return false;
    *out = (gguf_string){(const char *)value->data, (size_t)value->count};
    return true;
}

gguf_string gguf_array_string(const gguf_value *array, uint64_t i) {
    if (array->type != GGUF_TYPE_ARRAY || array->element_type != GGUF_TYPE_STRING ||
        i >= array->count) {
        return (gguf_string){"", 0};
    }
    const unsigned char *text = array->data + array->index.string_offsets[i];
    size_t length_bytes = array->short_counts ? 4 : 8;
    uint64_t size = load(text - length_bytes, length_bytes, array->big_endian);
    return (gguf_string){(const char *)text, (size_t)size};
}

bool gguf_array_at(const gguf_value *array, uint64_t i, gguf_value *out) {
    if (array->type != GGUF_TYPE_ARRAY || i >= array->count) return false;
    if (array->element_type == GGUF_TYPE_ARRAY) {
        *out = array->index.elements[i];
        return true;
    }
    *out = (gguf_value){.type = array->element_type,
                        .element_type = array->element_type,
                        .count = 1,
                        .big_endian = array->big_endian,
                        .short_counts = array->short_counts};
    if (array->element_type == GGUF_TYPE_STRING) {
        gguf_string text = gguf_array_string(array, i);
        out->data = (const unsigned char *)text.text;
        out->count = text.size_bytes;
    } else {
        out->data = array->data + i * gguf_type_bytes(array->element_type);
    }
    return true;
}

bool gguf_array_to_i32(const gguf_value *array, int32_t *dst) {
    if (array->type != GGUF_TYPE_ARRAY || !row_of(array->element_type)->is_integer) return false;
    for (uint64_t i = 0; i < array->count; i++) {
        gguf_value element;
        int64_t number = 0;
        if (!gguf_array_at(array, i, &element) || !gguf_value_i64(&element, &number)) return false;
        if (number < INT32_MIN || number > INT32_MAX) return false;
        dst[i] = (int32_t)number;
    }
    return true;
}

/* A finite double that has no finite float is no float. */
static bool narrow(double number, float *out) {
    float f = (float)number;
    if ((f > FLT_MAX || f < -FLT_MAX) && number <= DBL_MAX && number >= -DBL_MAX) return false;
    *out = f;
    return true;
}

bool gguf_array_to_f32(const gguf_value *array, float *dst) {
    if (array->type != GGUF_TYPE_ARRAY) return false;
    if (array->element_type != GGUF_TYPE_F32 && array->element_type != GGUF_TYPE_F64) return false;
    for (uint64_t i = 0; i < array->count; i++) {
        gguf_value element;
        double number = 0;
        if (!gguf_array_at(array, i, &element) || !gguf_value_f64(&element, &number)) return false;
        if (!narrow(number, dst + i)) return false;
    }
    return true;
}

/* "i32 -5", "string 'llama'", "array of 3 f32". */
static void describe(const gguf_value *value, char *out, size_t out_bytes) {
    const char *name = gguf_type_name(value->type);
    int64_t integer = 0;
    uint64_t natural = 0;
    double number = 0;
    bool truth = false;
    gguf_string text = {0};
    if (gguf_value_i64(value, &integer)) {
        snprintf(out, out_bytes, "%s %" PRId64, name, integer);
    } else if (gguf_value_u64(value, &natural)) {
        snprintf(out, out_bytes, "%s %" PRIu64, name, natural);
    } else if (gguf_value_f64(value, &number)) {
        snprintf(out, out_bytes, "%s %g", name, number);
    } else if (gguf_value_bool(value, &truth)) {
        snprintf(out, out_bytes, "bool %s", truth ? "true" : "false");
    } else if (gguf_value_string(value, &text)) {
        bool all = text.size_bytes <= TEXT_BYTES_TOLD;
        snprintf(out, out_bytes, "string '%.*s%s'", all ? (int)text.size_bytes : TEXT_BYTES_TOLD,
                 text.text, all ? "" : "...");
    } else {
        snprintf(out, out_bytes, "array of %" PRIu64 " %s", value->count,
                 gguf_type_name(value->element_type));
    }
}

ondol_status gguf_value_mismatch(const char *key, const gguf_value *value, const char *expected,
                                 ondol_error *err) {
    char got[80 + TEXT_BYTES_TOLD];
    describe(value, got, sizeof got);
    return base_fail(err, ONDOL_E_FORMAT, "key '%s': expected %s, got %s", key, expected, got);
}

static ondol_status require_key(const gguf_file *file, const char *key, const gguf_value **out,
                                ondol_error *err) {
    *out = gguf_find_key(file, key);
    if (*out) return ONDOL_OK;
    return base_fail(err, ONDOL_E_NOT_FOUND, "key '%s' is missing", key);
}

ondol_status gguf_get_u64(const gguf_file *file, const char *key, uint64_t *out, ondol_error *err) {
    const gguf_value *value = NULL;
    ondol_status status = require_key(file, key, &value, err);
    if (status != ONDOL_OK) return status;
    if (!gguf_value_u64(value, out)) {
        return gguf_value_mismatch(key, value, "an integer from 0 to 2^64 - 1", err);
    }
    return ONDOL_OK;
}

ondol_status gguf_get_u32(const gguf_file *file, const char *key, uint32_t *out, ondol_error *err) {
    const gguf_value *value = NULL;
    ondol_status status = require_key(file, key, &value, err);
    if (status != ONDOL_OK) return status;
    uint64_t number = 0;
    if (!gguf_value_u64(value, &number) || number > UINT32_MAX) {
        return gguf_value_mismatch(key, value, "an integer from 0 to 4294967295", err);
    }
    *out = (uint32_t)number;
    return ONDOL_OK;
}

ondol_status gguf_get_i32(const gguf_file *file, const char *key, int32_t *out, ondol_error *err) {
    const gguf_value *value = NULL;
    ondol_status status = require_key(file, key, &value, err);
    if (status != ONDOL_OK) return status;
    int64_t number = 0;
    if (!gguf_value_i64(value, &number) || number < INT32_MIN || number > INT32_MAX) {
        return gguf_value_mismatch(key, value, "an integer from -2147483648 to 2147483647", err);
    }
    *out = (int32_t)number;
    return ONDOL_OK;
}

ondol_status gguf_get_f32(const gguf_file *file, const char *key, float *out, ondol_error *err) {
    const gguf_value *value = NULL;
    ondol_status status = require_key(file, key, &value, err);
    if (status != ONDOL_OK) return status;
    double number = 0;
    if (!gguf_value_f64(value, &number) || !narrow(number, out)) {
        return gguf_value_mismatch(key, value, "a float (f32)", err);
    }
    return ONDOL_OK;
}

ondol_status gguf_get_bool(const gguf_file *file, const char *key, bool *out, ondol_error *err) {
    const gguf_value *value = NULL;
    ondol_status status = require_key(file, key, &value, err);
    if (status != ONDOL_OK) return status;
    if (!gguf_value_bool(value, out)) return gguf_value_mismatch(key, value, "a bool", err);
    return ONDOL_OK;
}

ondol_status gguf_get_string(const gguf_file *file, const char *key, gguf_string *out,
                             ondol_error *err) {
    const gguf_value *value = NULL;
    ondol_status status = require_key(file, key, &value, err);
    if (status != ONDOL_OK) return status;
    if (!gguf_value_string(value, out)) return gguf_value_mismatch(key, value, "a string", err);
    return ONDOL_OK;
}

ondol_status gguf_get_array(const gguf_file *file, const char *key, gguf_type element_type,
                            const gguf_value **out, ondol_error *err) {
    const gguf_value *value = NULL;
    ondol_status status = require_key(file, key, &value, err);
    if (status != ONDOL_OK) return status;
    if (value->type != GGUF_TYPE_ARRAY || value->element_type != element_type) {
        char expected[32];
        snprintf(expected, sizeof expected, "an array of %s", gguf_type_name(element_type));
        return gguf_value_mismatch(key, value, expected, err);
    }
    *out = value;
    return ONDOL_OK;
}

ondol_status gguf_get_u32_or(const gguf_file *file, const char *key, uint32_t otherwise,
                             uint32_t *out, ondol_error *err) {
    if (gguf_find_key(file, key)) return gguf_get_u32(file, key, out, err);
    *out = otherwise;
    return ONDOL_OK;
}

ondol_status gguf_get_i32_or(const gguf_file *file, const char *key, int32_t otherwise,
                             int32_t *out, ondol_error *err) {
    if (gguf_find_key(file, key)) return gguf_get_i32(file, key, out, err);
    *out = otherwise;
    return ONDOL_OK;
}

ondol_status gguf_get_u64_or(const gguf_file *file, const char *key, uint64_t otherwise,
                             uint64_t *out, ondol_error *err) {
    if (gguf_find_key(file, key)) return gguf_get_u64(file, key, out, err);
    *out = otherwise;
    return ONDOL_OK;
}

ondol_status gguf_get_f32_or(const gguf_file *file, const char *key, float otherwise, float *out,
                             ondol_error *err) {
    if (gguf_find_key(file, key)) return gguf_get_f32(file, key, out, err);
    *out = otherwise;
    return ONDOL_OK;
}

ondol_status gguf_get_bool_or(const gguf_file *file, const char *key, bool otherwise, bool *out,
                              ondol_error *err) {
    if (gguf_find_key(file, key)) return gguf_get_bool(file, key, out, err);
    *out = otherwise;
    return ONDOL_OK;
}

ondol_status gguf_get_string_or(const gguf_file *file, const char *key, const char *otherwise,
                                gguf_string *out, ondol_error *err) {
    if (gguf_find_key(file, key)) return gguf_get_string(file, key, out, err);
    *out = (gguf_string){otherwise, otherwise ? strlen(otherwise) : 0};
    return ONDOL_OK;
}

ondol_status gguf_get_array_or_none(const gguf_file *file, const char *key, gguf_type element_type,
                                    const gguf_value **out, ondol_error *err) {
    if (gguf_find_key(file, key)) return gguf_get_array(file, key, element_type, out, err);
    *out = NULL;
    return ONDOL_OK;
}
