/* Pieces of ONNX files, byte by byte, for tests of reading. */
#ifndef ONNX_BYTES_H
#define ONNX_BYTES_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "formats/onnx/onnx_file.h"
#include "unit.h"

#define ONNX_BYTES_MAX 4096

typedef struct onnx_bytes {
    unsigned char data[ONNX_BYTES_MAX];
    size_t n;
} onnx_bytes;

static inline void put_raw(onnx_bytes *b, const void *bytes, size_t n) {
    assert_true(n <= ONNX_BYTES_MAX - b->n);
    if (n) memcpy(b->data + b->n, bytes, n);
    b->n += n;
}

static inline void put_varint(onnx_bytes *b, uint64_t value) {
    do {
        const unsigned char byte = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        put_raw(b, &byte, 1);
        value >>= 7;
    } while (value);
}

static inline void put_tag(onnx_bytes *b, uint32_t number, unsigned wire) {
    put_varint(b, (uint64_t)number << 3 | wire);
}

static inline void put_integer(onnx_bytes *b, uint32_t number, int64_t value) {
    put_tag(b, number, 0);
    put_varint(b, (uint64_t)value);
}

static inline void put_bytes(onnx_bytes *b, uint32_t number, const void *bytes, size_t n) {
    put_tag(b, number, 2);
    put_varint(b, n);
    put_raw(b, bytes, n);
}

static inline void put_text(onnx_bytes *b, uint32_t number, const char *text) {
    put_bytes(b, number, text, strlen(text));
}

static inline void put_message(onnx_bytes *b, uint32_t number, const onnx_bytes *message) {
    put_bytes(b, number, message->data, message->n);
}

/* A TensorProto of float32 without data: dims [n], name "w". */
static inline onnx_bytes bytes_of_tensor(int64_t n) {
    onnx_bytes t = {.n = 0};
    put_integer(&t, 1, n);
    put_integer(&t, 2, TENSOR_ELEMENT_F32);
    put_text(&t, 8, "w");
    return t;
}

/* A ModelProto with one initializer. */
static inline onnx_bytes bytes_of_model(const onnx_bytes *tensor) {
    onnx_bytes graph = {.n = 0}, imports = {.n = 0}, model = {.n = 0};
    put_text(&graph, 2, "g");
    if (tensor) put_message(&graph, 5, tensor);
    put_text(&imports, 1, "");
    put_integer(&imports, 2, 20);
    put_integer(&model, 1, 10);
    put_message(&model, 7, &graph);
    put_message(&model, 8, &imports);
    return model;
}

static inline void put_entry(onnx_bytes *tensor, const char *key, const char *value) {
    onnx_bytes e = {.n = 0};
    put_text(&e, 1, key);
    put_text(&e, 2, value);
    put_message(tensor, 13, &e);
}

/* A tensor [n] of external data; entries that are NULL are left out. */
static inline onnx_bytes bytes_of_external(int64_t n, const char *location, const char *offset,
                                           const char *length) {
    onnx_bytes t = bytes_of_tensor(n);
    if (location) put_entry(&t, "location", location);
    if (offset) put_entry(&t, "offset", offset);
    if (length) put_entry(&t, "length", length);
    put_integer(&t, 14, ONNX_DATA_LOCATION_EXTERNAL);
    return t;
}

/* Writes folder/name. */
static inline void put_file(const char *folder, const char *name, const void *bytes, size_t n) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void put_model_file(const char *folder, const onnx_bytes *model) {
    put_file(folder, "model.onnx", model->data, model->n);
}

#endif
