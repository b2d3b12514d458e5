/* GGUF files made by hand, byte by byte: any version, byte order and fault. */
#ifndef GGUF_BYTES_H
#define GGUF_BYTES_H

#include <stdbool.h>

#include "formats/gguf/gguf_file.h"
#include "unit.h"

typedef struct gguf_bytes {
    unsigned char data[8192];
    size_t n;
    bool big_endian, short_counts;
} gguf_bytes;

static inline void put_integer(gguf_bytes *b, uint64_t value, size_t n) {
    assert_true(b->n + n <= sizeof b->data);
    for (size_t i = 0; i < n; i++) {
        size_t shift = 8 * (b->big_endian ? n - 1 - i : i);
        b->data[b->n++] = (unsigned char)(value >> shift);
    }
}

static inline void put_u32(gguf_bytes *b, uint32_t value) {
    put_integer(b, value, 4);
}

static inline void put_count(gguf_bytes *b, uint64_t value) {
    put_integer(b, value, b->short_counts ? 4 : 8);
}

static inline void put_raw(gguf_bytes *b, const void *bytes, size_t n) {
    assert_true(b->n + n <= sizeof b->data);
    memcpy(b->data + b->n, bytes, n);
    b->n += n;
}

static inline void put_string(gguf_bytes *b, const char *text) {
    put_count(b, strlen(text));
    put_raw(b, text, strlen(text));
}

static inline void put_f32(gguf_bytes *b, float value) {
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    put_u32(b, bits);
}

static inline void put_head(gguf_bytes *b, uint32_t version, bool big_endian, uint64_t n_tensors,
                            uint64_t n_keys) {
    *b = (gguf_bytes){.big_endian = big_endian, .short_counts = version == 1};
    put_raw(b, "GGUF", 4);
    put_u32(b, version);
    put_count(b, n_tensors);
    put_count(b, n_keys);
}

static inline void put_key(gguf_bytes *b, const char *name, gguf_type type) {
    put_string(b, name);
    put_u32(b, (uint32_t)type);
}

static inline void put_key_u32(gguf_bytes *b, const char *name, uint32_t value) {
    put_key(b, name, GGUF_TYPE_U32);
    put_u32(b, value);
}

static inline void put_array(gguf_bytes *b, gguf_type element_type, uint64_t count) {
    put_u32(b, (uint32_t)element_type);
    put_count(b, count);
}

static inline void put_tensor(gguf_bytes *b, const char *name, uint32_t n_dims,
                              const uint64_t *dims, uint32_t ggml_type, uint64_t offset) {
    put_string(b, name);
    put_u32(b, n_dims);
    for (uint32_t i = 0; i < n_dims; i++)
        put_count(b, dims[i]);
    put_u32(b, ggml_type);
    put_integer(b, offset, 8);
}

static inline void put_padding(gguf_bytes *b, size_t alignment) {
    while (b->n % alignment)
        put_integer(b, 0, 1);
}

/* A file with a value of each type, nested arrays, and two tensors: "w" f32 [3, 2], 0 to 5, and
 * "q" Q4_0 [32, 1]. */
static inline void put_tiny_file(gguf_bytes *b, uint32_t version, bool big_endian) {
    put_head(b, version, big_endian, 2, 17);
    put_key(b, "general.architecture", GGUF_TYPE_STRING);
    put_string(b, "tiny");
    put_key(b, "u8", GGUF_TYPE_U8), put_integer(b, 200, 1);
    put_key(b, "i8", GGUF_TYPE_I8), put_integer(b, (uint8_t)-100, 1);
    put_key(b, "u16", GGUF_TYPE_U16), put_integer(b, 60000, 2);
    put_key(b, "i16", GGUF_TYPE_I16), put_integer(b, (uint16_t)-30000, 2);
    put_key(b, "u32", GGUF_TYPE_U32), put_integer(b, 4000000000u, 4);
    put_key(b, "i32", GGUF_TYPE_I32), put_integer(b, (uint32_t)-2000000000, 4);
    put_key(b, "f32", GGUF_TYPE_F32), put_f32(b, 1.5f);
    put_key(b, "bool", GGUF_TYPE_BOOL), put_integer(b, 1, 1);
    put_key(b, "u64", GGUF_TYPE_U64), put_integer(b, UINT64_MAX, 8);
    put_key(b, "i64", GGUF_TYPE_I64), put_integer(b, (uint64_t)INT64_MIN, 8);
    put_key(b, "f64", GGUF_TYPE_F64), put_integer(b, 0x4000000000000000u, 8); /* 2.0 */
    put_key(b, "ints", GGUF_TYPE_ARRAY), put_array(b, GGUF_TYPE_I32, 3);
    put_u32(b, 7), put_u32(b, (uint32_t)-8), put_u32(b, 9);
    put_key(b, "floats", GGUF_TYPE_ARRAY), put_array(b, GGUF_TYPE_F32, 2);
    put_f32(b, 0.25f), put_f32(b, -1);
    put_key(b, "strings", GGUF_TYPE_ARRAY), put_array(b, GGUF_TYPE_STRING, 3);
    put_string(b, "one"), put_string(b, ""), put_string(b, "\xff!");
    put_key(b, "nested", GGUF_TYPE_ARRAY), put_array(b, GGUF_TYPE_ARRAY, 3);
    put_array(b, GGUF_TYPE_U16, 2), put_integer(b, 513, 2), put_integer(b, 2, 2);
    put_array(b, GGUF_TYPE_ARRAY, 1);
    put_array(b, GGUF_TYPE_STRING, 2), put_string(b, "deep"), put_string(b, "er");
    put_array(b, GGUF_TYPE_BOOL, 0);
    put_key(b, "empty", GGUF_TYPE_ARRAY), put_array(b, GGUF_TYPE_ARRAY, 0);

    put_tensor(b, "w", 2, (const uint64_t[]){3, 2}, 0, 0);
    put_tensor(b, "q", 1, (const uint64_t[]){32}, 2, 32);
    put_padding(b, 32);
    for (int i = 0; i < 6; i++)
        put_f32(b, (float)i);
    put_padding(b, 32);
    put_integer(b, 0x3c00, 2); /* scale 1.0 */
    for (unsigned i = 0; i < 16; i++)
        put_integer(b, i * 17, 1);
}

#endif
