/* An ONNX file in memory: opens or fails, and everything in an opened one can be read, printed,
 * held against the rules and written again, which reads the same. Memory to open it is bounded by
 * the file's size. What is no model may be test data. */
#include <stdlib.h>
#include <string.h>

#include "formats/onnx/onnx_check.h"
#include "formats/onnx/onnx_print.h"
#include "formats/onnx/onnx_writer.h"
#include "fuzz.h"

#define DATA_BYTES_MAX ((size_t)32 << 20) /* of tensors made dense */
#define TEXT_BYTES_MAX ((size_t)4 << 20)

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

/* A failure has its sentence. */
static void expect_sentence(ondol_status status, const ondol_error *err) {
    if (status != ONDOL_OK && (err->status != status || err->text[0] == 0)) abort();
}

static void touch(const void *bytes, uint64_t n) {
    static volatile unsigned char sink;
    for (uint64_t i = 0; i < n; i++)
        sink = (unsigned char)(sink + ((const unsigned char *)bytes)[i]);
}

static void touch_view(const onnx_tensor_view *view) {
    touch(view->data, view->size_bytes);
    const tensor_string *texts = view->data;
    for (uint64_t i = 0; view->element == TENSOR_ELEMENT_STRING && i < view->elems; i++)
        touch(texts[i].text, texts[i].size_bytes);
}

/* checked: the model keeps the rules, so its data is there. */
static void read_tensors(const ondol_allocator *a, onnx_file *file, bool checked) {
    const onnx_graph *g = onnx_file_model(file)->graph;
    ondol_error err = {0};
    onnx_tensor_view view;
    base_arena arena;
    base_arena_init(&arena, a, DATA_BYTES_MAX);
    for (size_t i = 0; i < g->initializer.count; i++) {
        const onnx_tensor *t = g->initializer.items + i;
        const ondol_status status = onnx_tensor_read(file, &arena, t, &view, &err);
        expect_sentence(status, &err);
        if (status == ONDOL_OK) touch_view(&view);
        const bool external = t->data_location == ONNX_DATA_LOCATION_EXTERNAL;
        if (checked && !external && status != ONDOL_OK && status != ONDOL_E_MEMORY) abort();
    }
    for (size_t i = 0; i < g->sparse_initializer.count; i++) {
        const onnx_sparse_tensor *t = g->sparse_initializer.items + i;
        const ondol_status status = onnx_sparse_tensor_read(file, &arena, t, &view, &err);
        expect_sentence(status, &err);
        if (status == ONDOL_OK) touch_view(&view);
    }
    base_arena_destroy(&arena);
}

static void print(const ondol_allocator *a, const onnx_model_proto *model) {
    ondol_error err = {0};
    base_buffer text;
    const onnx_print_options few = {.max_elems = 3};
    base_buffer_init(&text, a, TEXT_BYTES_MAX);
    expect_sentence(onnx_print_text(model, NULL, &text, &err), &err);
    base_buffer_destroy(&text);
    base_buffer_init(&text, a, TEXT_BYTES_MAX);
    expect_sentence(onnx_print_text(model, &few, &text, &err), &err);
    base_buffer_destroy(&text);
}

/* What was read is written, and that is read and written to the same bytes. */
static void write_twice(const ondol_allocator *a, onnx_message kind, const void *message) {
    base_buffer once, twice;
    base_arena arena;
    const void *again = NULL;
    base_buffer_init(&once, a, SIZE_MAX / 2);
    base_buffer_init(&twice, a, SIZE_MAX / 2);
    base_arena_init(&arena, a, 0);
    if (onnx_write(a, kind, message, &once, NULL) != ONDOL_OK) abort();
    if (onnx_parse(&arena, kind, once.data ? once.data : "", once.size, &again, NULL) != ONDOL_OK)
        abort();
    if (onnx_write(a, kind, again, &twice, NULL) != ONDOL_OK) abort();
    if (once.size != twice.size || (once.size && memcmp(once.data, twice.data, once.size))) abort();
    base_arena_destroy(&arena);
    base_buffer_destroy(&twice);
    base_buffer_destroy(&once);
}

static void try_model(const ondol_allocator *a, onnx_file *file) {
    const onnx_model_proto *model = onnx_file_model(file);
    ondol_error err = {0};
    const ondol_status status = onnx_check_model(a, model, NULL, &err);
    expect_sentence(status, &err);
    expect_sentence(onnx_check_model(a, model, file, &err), &err);
    read_tensors(a, file, status == ONDOL_OK);
    print(a, model);
    write_twice(a, ONNX_MESSAGE_model_proto, model);
}

static ondol_status check_message(const ondol_allocator *a, onnx_message kind, const void *message,
                                  ondol_error *err) {
    switch (kind) {
    case ONNX_MESSAGE_tensor: return onnx_check_tensor(a, message, err);
    case ONNX_MESSAGE_sequence: return onnx_check_sequence(a, message, err);
    case ONNX_MESSAGE_map: return onnx_check_map(a, message, err);
    default: return onnx_check_optional(a, message, err);
    }
}

static void try_message(const ondol_allocator *a, onnx_message kind, const uint8_t *data,
                        size_t size) {
    ondol_error err = {0};
    base_arena arena;
    const void *message = NULL;
    base_arena_init(&arena, a, 0);
    const ondol_status status = onnx_parse(&arena, kind, data, size, &message, &err);
    expect_sentence(status, &err);
    if (status == ONDOL_OK) {
        expect_sentence(check_message(a, kind, message, &err), &err);
        write_twice(a, kind, message);
    }
    base_arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bounded_heap bounded = {base_default_allocator(), size * 1024 + 65536};
    const ondol_allocator heap = base_default_allocator();
    const ondol_allocator allocator = {bounded_alloc, bounded_release, &bounded};
    onnx_file *file = NULL;
    ondol_error err = {0};
    const ondol_status status = onnx_file_open_memory(&allocator, data, size, &file, &err);
    if ((status == ONDOL_OK) != (file != NULL)) abort();
    expect_sentence(status, &err);
    if (file) {
        try_model(&heap, file);
        onnx_file_close(file);
    } else {
        try_message(&heap, ONNX_MESSAGE_tensor, data, size);
        try_message(&heap, ONNX_MESSAGE_sequence, data, size);
        try_message(&heap, ONNX_MESSAGE_map, data, size);
        try_message(&heap, ONNX_MESSAGE_optional, data, size);
    }
    return 0;
}
