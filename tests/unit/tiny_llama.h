/* A complete tiny llama as a GGUF file in memory. A test takes the list of its keys and tensors,
 * spoils one, and opens what comes of it. */
#ifndef TINY_LLAMA_H
#define TINY_LLAMA_H

#include <stdbool.h>
#include <stdio.h>

#include "base/buffer.h"
#include "formats/gguf/gguf_file.h"
#include "formats/gguf/gguf_writer.h"
#include "unit.h"

#define TINY_HIDDEN       64u
#define TINY_HEADS        4u
#define TINY_KV_HEADS     2u
#define TINY_HEAD_SIZE    16u
#define TINY_FEED_FORWARD 96u
#define TINY_VOCABULARY   40u
#define TINY_KEYS_MAX     24
#define TINY_TENSORS_MAX  64

/* snprintf for texts that fit: a longer one is a fault of the test. */
static inline void tiny_format(char *out, size_t size, const char *format, ...) BASE_PRINTF(3, 4);

static inline void tiny_format(char *out, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out, size, format, arguments);
    va_end(arguments);
    assert_true(length >= 0 && (size_t)length < size);
}

/* One of number, real and text counts, by type. */
typedef struct tiny_key {
    char name[128];
    gguf_type type;
    uint64_t number;
    double real;
    const char *text;
} tiny_key;

typedef struct tiny_tensor {
    char name[64];
    tensor_encoding encoding;
    unsigned n_dims;
    uint64_t dims[GGUF_DIMS_MAX];
} tiny_tensor;

typedef struct tiny_llama {
    tiny_key keys[TINY_KEYS_MAX];
    tiny_tensor tensors[TINY_TENSORS_MAX];
    int key_count, tensor_count;
    base_buffer bytes; /* of the file, while it is open */
    ondol_allocator heap;
} tiny_llama;

static inline tiny_key *tiny_find_key(tiny_llama *m, const char *name) {
    for (int i = 0; i < m->key_count; i++) {
        if (strcmp(m->keys[i].name, name) == 0) return m->keys + i;
    }
    return NULL;
}

/* The key of that name, added when it is new. */
static inline tiny_key *tiny_key_of(tiny_llama *m, const char *name) {
    tiny_key *key = tiny_find_key(m, name);
    if (key) return key;
    assert_true(m->key_count < TINY_KEYS_MAX);
    key = m->keys + m->key_count++;
    tiny_format(key->name, sizeof key->name, "%s", name);
    return key;
}

static inline void tiny_set_u32(tiny_llama *m, const char *name, uint64_t number) {
    tiny_key *key = tiny_key_of(m, name);
    key->type = number > UINT32_MAX ? GGUF_TYPE_U64 : GGUF_TYPE_U32;
    key->number = number;
}

static inline void tiny_set_f32(tiny_llama *m, const char *name, double real) {
    tiny_key *key = tiny_key_of(m, name);
    key->type = GGUF_TYPE_F32;
    key->real = real;
}

static inline void tiny_set_text(tiny_llama *m, const char *name, const char *text) {
    tiny_key *key = tiny_key_of(m, name);
    key->type = GGUF_TYPE_STRING;
    key->text = text;
}

static inline void tiny_remove_key(tiny_llama *m, const char *name) {
    tiny_key *key = tiny_find_key(m, name);
    assert_non_null(key);
    *key = m->keys[--m->key_count];
}

static inline tiny_tensor *tiny_find_tensor(tiny_llama *m, const char *name) {
    for (int i = 0; i < m->tensor_count; i++) {
        if (strcmp(m->tensors[i].name, name) == 0) return m->tensors + i;
    }
    return NULL;
}

/* rows 0: a vector f32 of that many columns; otherwise a matrix. */
static inline tiny_tensor *tiny_add_tensor(tiny_llama *m, const char *name, tensor_encoding e,
                                           uint64_t columns, uint64_t rows) {
    assert_true(m->tensor_count < TINY_TENSORS_MAX);
    tiny_tensor *t = m->tensors + m->tensor_count++;
    *t = (tiny_tensor){
        .encoding = e, .n_dims = rows ? 2 : 1, .dims = {columns, rows ? rows : 1, 1, 1}};
    tiny_format(t->name, sizeof t->name, "%s", name);
    return t;
}

static inline void tiny_remove_tensor(tiny_llama *m, const char *name) {
    tiny_tensor *t = tiny_find_tensor(m, name);
    assert_non_null(t);
    *t = m->tensors[--m->tensor_count];
}

static inline void tiny_add_layer(tiny_llama *m, unsigned layer) {
    static const struct {
        const char *name;
        uint64_t columns, rows;
    } tensors[] = {
        {"attn_norm", TINY_HIDDEN, 0},
        {"attn_q", TINY_HIDDEN, TINY_HEADS * TINY_HEAD_SIZE},
        {"attn_k", TINY_HIDDEN, TINY_KV_HEADS * TINY_HEAD_SIZE},
        {"attn_v", TINY_HIDDEN, TINY_KV_HEADS * TINY_HEAD_SIZE},
        {"attn_output", TINY_HEADS * TINY_HEAD_SIZE, TINY_HIDDEN},
        {"ffn_norm", TINY_HIDDEN, 0},
        {"ffn_gate", TINY_HIDDEN, TINY_FEED_FORWARD},
        {"ffn_up", TINY_HIDDEN, TINY_FEED_FORWARD},
        {"ffn_down", TINY_FEED_FORWARD, TINY_HIDDEN},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        char name[64];
        tiny_format(name, sizeof name, "blk.%u.%s.weight", layer, tensors[i].name);
        tiny_add_tensor(m, name, tensors[i].rows ? TENSOR_ENCODING_Q4_0 : TENSOR_ENCODING_F32,
                        tensors[i].columns, tensors[i].rows);
    }
}

static inline void tiny_llama_init(tiny_llama *m, unsigned layers) {
    *m = (tiny_llama){.heap = base_default_allocator()};
    tiny_set_text(m, "general.architecture", "llama");
    tiny_set_u32(m, "llama.block_count", layers);
    tiny_set_u32(m, "llama.embedding_length", TINY_HIDDEN);
    tiny_set_u32(m, "llama.attention.head_count", TINY_HEADS);
    tiny_set_u32(m, "llama.attention.head_count_kv", TINY_KV_HEADS);
    tiny_set_u32(m, "llama.feed_forward_length", TINY_FEED_FORWARD);
    tiny_set_u32(m, "llama.context_length", 512);
    tiny_set_f32(m, "llama.attention.layer_norm_rms_epsilon", 1e-5);
    tiny_set_f32(m, "llama.rope.freq_base", 10000);
    tiny_add_tensor(m, "token_embd.weight", TENSOR_ENCODING_Q4_0, TINY_HIDDEN, TINY_VOCABULARY);
    for (unsigned i = 0; i < layers; i++)
        tiny_add_layer(m, i);
    tiny_add_tensor(m, "output_norm.weight", TENSOR_ENCODING_F32, TINY_HIDDEN, 0);
    tiny_add_tensor(m, "output.weight", TENSOR_ENCODING_Q4_0, TINY_HIDDEN, TINY_VOCABULARY);
}

static inline void tiny_write_key(gguf_writer *w, const tiny_key *key) {
    ondol_error err = {0};
    if (key->type == GGUF_TYPE_STRING) {
        gguf_string text = {key->text, strlen(key->text)};
        ASSERT_OK(gguf_writer_add_string(w, key->name, text, &err));
    } else if (key->type == GGUF_TYPE_F32) {
        ASSERT_OK(gguf_writer_add_float(w, key->name, key->type, key->real, &err));
    } else {
        ASSERT_OK(gguf_writer_add_unsigned(w, key->name, key->type, key->number, &err));
    }
}

/* Every byte of every tensor is 0. */
static inline void tiny_write_zeros(gguf_writer *w, const tiny_tensor *t) {
    static const unsigned char zeros[4096];
    ondol_error err = {0};
    uint64_t elements = 1, bytes = 0;
    for (unsigned i = 0; i < t->n_dims; i++)
        elements *= t->dims[i];
    ASSERT_OK(tensor_encoding_row_bytes(t->encoding, elements, &bytes, &err));
    while (bytes) {
        size_t piece = bytes < sizeof zeros ? (size_t)bytes : sizeof zeros;
        ASSERT_OK(gguf_writer_put(w, zeros, piece, &err));
        bytes -= piece;
    }
}

/* The file is closed by tiny_llama_close. m must not move in between. */
static inline gguf_file *tiny_llama_open(tiny_llama *m) {
    ondol_error err = {0};
    gguf_writer *w = NULL;
    gguf_file *file = NULL;
    base_buffer_init(&m->bytes, &m->heap, 16 << 20);
    ASSERT_OK(gguf_writer_create(&m->heap, 0, &w, &err));
    for (int i = 0; i < m->key_count; i++)
        tiny_write_key(w, m->keys + i);
    for (int i = 0; i < m->tensor_count; i++) {
        const tiny_tensor *t = m->tensors + i;
        ASSERT_OK(gguf_writer_add_tensor(w, t->name, t->encoding, t->n_dims, t->dims, &err));
    }
    ASSERT_OK(gguf_writer_begin(w, gguf_sink_of_buffer(&m->bytes), &err));
    for (int i = 0; i < m->tensor_count; i++)
        tiny_write_zeros(w, m->tensors + i);
    ASSERT_OK(gguf_writer_finish(w, &err));
    gguf_writer_destroy(w);
    ASSERT_OK(gguf_file_open_memory(&m->heap, m->bytes.data, m->bytes.size, NULL, &file, &err));
    return file;
}

static inline void tiny_llama_close(tiny_llama *m, gguf_file *file) {
    gguf_file_close(file);
    base_buffer_destroy(&m->bytes);
}

#endif
