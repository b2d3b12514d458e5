/* A GGUF file in memory: opens or fails, and everything in an opened one can be read. Memory is
 * bounded by the file's size; what is read is written again and reads the same. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "formats/gguf/gguf_file.h"
#include "formats/gguf/gguf_writer.h"
#include "fuzz.h"
#include "gguf_touch.h"

typedef struct bounded_heap {
    ondol_allocator heap;
    size_t left_bytes;
} bounded_heap;

static void *bounded_alloc(void *user, size_t size, size_t align) {
    bounded_heap *b = user;
    if (size > b->left_bytes) abort(); /* more than the file's size justifies */
    b->left_bytes -= size;
    return b->heap.alloc(b->heap.user, size, align);
}

static void bounded_release(void *user, void *p) {
    bounded_heap *b = user;
    b->heap.release(b->heap.user, p);
}

static bool is_alignment(const gguf_key *key) {
    static const char name[] = "general.alignment";
    return key->name.size_bytes == sizeof name - 1 &&
           memcmp(key->name.text, name, sizeof name - 1) == 0;
}

/* False when the writer refuses it, as it may for long names. */
static bool write_again(gguf_file *file, const ondol_allocator *heap, base_buffer *out) {
    ondol_status status = ONDOL_OK;
    gguf_writer *w = NULL;
    const unsigned char *data = NULL;
    TRY(gguf_writer_create(heap, gguf_part_at(file, 0)->alignment, &w, NULL));
    for (size_t i = 0; i < gguf_key_count(file); i++) {
        const gguf_key *key = gguf_key_at(file, i);
        if (is_alignment(key)) continue;
        TRY(gguf_writer_add_value(w, key->name, &key->value, NULL));
    }
    for (size_t i = 0; i < gguf_tensor_count(file); i++) {
        const gguf_tensor *t = gguf_tensor_at(file, i);
        char name[GGUF_TENSOR_NAME_BYTES_MAX + 1] = {0};
        if (t->name.size_bytes >= sizeof name) TRY(ONDOL_E_ARGUMENT);
        memcpy(name, t->name.text, t->name.size_bytes);
        TRY(gguf_writer_add_tensor(w, name, t->encoding, t->n_dims, t->dims, NULL));
    }
    TRY(gguf_writer_begin(w, gguf_sink_of_buffer(out), NULL));
    for (size_t i = 0; i < gguf_tensor_count(file); i++) {
        const gguf_tensor *t = gguf_tensor_at(file, i);
        TRY(gguf_tensor_data(file, t, &data, NULL));
        TRY(gguf_writer_put(w, data, (size_t)t->size_bytes, NULL));
    }
    TRY(gguf_writer_finish(w, NULL));
done:
    gguf_writer_destroy(w);
    return status == ONDOL_OK;
}

/* The value of the key of that name; aborts when there is none. */
static const gguf_value *require(const gguf_file *file, gguf_string name) {
    char *text = calloc(name.size_bytes + 1, 1);
    if (!text) abort();
    memcpy(text, name.text, name.size_bytes);
    const gguf_value *value = gguf_find_key(file, text);
    free(text);
    if (!value) abort();
    return value;
}

static void check_round_trip(gguf_file *file, const ondol_allocator *heap) {
    base_buffer out;
    base_buffer_init(&out, heap, (size_t)64 << 20); /* a large alignment may pad beyond: no test */
    if (write_again(file, heap, &out)) {
        gguf_file *again = NULL;
        if (gguf_file_open_memory(heap, out.data, out.size, NULL, &again, NULL) != ONDOL_OK)
            abort();
        if (gguf_tensor_count(again) != gguf_tensor_count(file)) abort();
        for (size_t i = 0; i < gguf_key_count(file); i++) {
            const gguf_key *key = gguf_key_at(file, i);
            if (is_alignment(key)) continue;
            const gguf_value *value = require(again, key->name);
            if (gguf_touch_value(value) != gguf_touch_value(&key->value)) abort();
        }
        gguf_file_close(again);
    }
    base_buffer_destroy(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bounded_heap bounded = {base_default_allocator(), size * 32 + 8192};
    const ondol_allocator heap = base_default_allocator();
    const ondol_allocator allocator = {bounded_alloc, bounded_release, &bounded};
    gguf_file *file = NULL;
    ondol_error err = {0};
    ondol_status status = gguf_file_open_memory(&allocator, data, size, NULL, &file, &err);
    if ((status == ONDOL_OK) != (file != NULL)) abort();
    if (!file) {
        if (err.status != status || err.text[0] == 0) abort();
        return 0;
    }
    gguf_touch_file(file);
    check_round_trip(file, &heap);
    gguf_file_close(file);
    return 0;
}
