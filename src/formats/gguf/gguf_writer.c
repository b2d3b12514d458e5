/* Writes GGUF version 3, little endian. In: shapes, then the tensors' bytes. Out: the file's bytes,
 * in order, into a sink. Keys: gguf_writer_keys.c. */
#include "formats/gguf/gguf_writer_state.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/utf8.h"

#define VERSION 3

static ondol_status sink_to_buffer(void *user, const void *bytes, size_t n, ondol_error *err) {
    base_buffer_append(user, bytes, n);
    return base_buffer_status(user, "GGUF file", err);
}

gguf_sink gguf_sink_of_buffer(base_buffer *buffer) {
    return (gguf_sink){sink_to_buffer, buffer};
}

static ondol_status sink_to_file(void *user, const void *bytes, size_t n, ondol_error *err) {
    return base_file_writer_append(user, bytes, n, err);
}

gguf_sink gguf_sink_of_file(base_file_writer *file) {
    return (gguf_sink){sink_to_file, file};
}

/* ---- little-endian pieces ---- */

void gguf_put_integer(base_buffer *b, uint64_t bits, size_t n_bytes) {
    unsigned char bytes[8];
    for (size_t i = 0; i < n_bytes; i++)
        bytes[i] = (unsigned char)(bits >> (8 * i));
    base_buffer_append(b, bytes, n_bytes);
}

void gguf_put_text(base_buffer *b, gguf_string text) {
    gguf_put_integer(b, text.size_bytes, 8);
    base_buffer_append(b, text.text, text.size_bytes);
}

gguf_string gguf_string_of(const char *text) {
    return (gguf_string){text, strlen(text)};
}

/* ---- creation ---- */

ondol_status gguf_writer_create(const ondol_allocator *allocator, uint32_t alignment,
                                gguf_writer **out, ondol_error *err) {
    *out = NULL;
    if (alignment == 0) alignment = GGUF_ALIGNMENT_DEFAULT;
    if ((alignment & (alignment - 1)) != 0 || alignment > GGUF_ALIGNMENT_MAX) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "alignment is %" PRIu32 ", expected a power of two up to %u", alignment,
                         GGUF_ALIGNMENT_MAX);
    }
    gguf_writer *w = base_calloc(allocator, 1, sizeof *w);
    if (!w) return base_no_memory(err, "GGUF writer", sizeof *w);
    w->allocator = allocator;
    w->alignment = alignment;
    base_buffer_init(&w->keys, allocator, GGUF_HEADER_BYTES_MAX);
    base_buffer_init(&w->records, allocator, GGUF_HEADER_BYTES_MAX);
    base_arena_init(&w->names, allocator, 0);
    base_map_init(&w->key_map, allocator);
    base_map_init(&w->tensor_map, allocator);
    if (alignment != GGUF_ALIGNMENT_DEFAULT) {
        static const gguf_string name = {"general.alignment", 17};
        gguf_put_text(&w->keys, name);
        gguf_put_integer(&w->keys, GGUF_TYPE_U32, 4);
        gguf_put_integer(&w->keys, alignment, 4);
        w->key_count = 1;
    }
    ondol_status status = base_buffer_status(&w->keys, "keys", err);
    if (status == ONDOL_OK) {
        *out = w;
    } else {
        gguf_writer_destroy(w);
    }
    return status;
}

void gguf_writer_destroy(gguf_writer *writer) {
    if (!writer) return;
    base_buffer_destroy(&writer->keys);
    base_buffer_destroy(&writer->records);
    base_arena_destroy(&writer->names);
    base_map_destroy(&writer->key_map);
    base_map_destroy(&writer->tensor_map);
    base_free(writer->allocator, writer->tensors);
    base_free(writer->allocator, writer);
}

ondol_status gguf_writer_enter_name(gguf_writer *w, base_map *map, const char *what,
                                    gguf_string name, size_t max_bytes, const char **copy,
                                    ondol_error *err) {
    int told = name.size_bytes < 80 ? (int)name.size_bytes : 80;
    if (w->begun) {
        return base_fail(err, ONDOL_E_ARGUMENT, "%s '%.*s' comes after the header is written", what,
                         told, name.text);
    }
    if (name.size_bytes == 0 || name.size_bytes > max_bytes ||
        memchr(name.text, 0, name.size_bytes) ||
        !base_utf8_valid((const unsigned char *)name.text, name.size_bytes)) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "%s '%.*s': its name has %zu bytes, expected 1 to %zu bytes of UTF-8",
                         what, told, name.text, name.size_bytes, max_bytes);
    }
    const char *own = base_arena_strndup(&w->names, name.text, name.size_bytes);
    bool found = false;
    if (!own || !base_map_add(map, own, name.size_bytes, 0, &found, NULL)) {
        return base_no_memory(err, what, name.size_bytes);
    }
    if (found) {
        return base_fail(err, ONDOL_E_ARGUMENT, "%s '%.*s' is there already", what, told,
                         name.text);
    }
    if (copy) *copy = own;
    return ONDOL_OK;
}

/* ---- tensors ---- */

static ondol_status tensor_bytes(const char *name, tensor_encoding encoding, unsigned n_dims,
                                 const uint64_t *dims, uint64_t *out, ondol_error *err) {
    const tensor_encoding_info *info = tensor_encoding_info_of(encoding);
    if (!info || n_dims > GGUF_DIMS_MAX) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "tensor '%s': encoding %d with %u dims, expected an encoding and at most "
                         "%u dims",
                         name, (int)encoding, n_dims, GGUF_DIMS_MAX);
    }
    uint64_t n_elems = 1;
    for (unsigned i = 0; i < n_dims; i++) {
        if (dims[i] == 0 || !base_mul(n_elems, dims[i], &n_elems) || n_elems > INT64_MAX) {
            return base_fail(err, ONDOL_E_ARGUMENT,
                             "tensor '%s': dim %u is %" PRIu64
                             ", expected at least 1 and a product below 2^63",
                             name, i, dims[i]);
        }
    }
    const uint64_t row = n_dims > 0 ? dims[0] : 1;
    if (row % info->block_elems != 0 ||
        !base_mul(n_elems / info->block_elems, info->block_bytes, out)) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "tensor '%s': rows of %" PRIu64
                         " elements, expected a multiple of %" PRIu32
                         ", the block of %s, and less than 2^64 bytes",
                         name, row, info->block_elems, info->name);
    }
    return ONDOL_OK;
}

static ondol_status grow_tensors(gguf_writer *w, ondol_error *err) {
    if (w->tensor_count < w->tensor_capacity) return ONDOL_OK;
    const size_t capacity = w->tensor_capacity ? w->tensor_capacity * 2 : 64;
    written_tensor *tensors = base_alloc(w->allocator, capacity, sizeof *tensors);
    if (!tensors) return base_no_memory(err, "tensors to write", capacity * sizeof *tensors);
    if (w->tensor_count) memcpy(tensors, w->tensors, w->tensor_count * sizeof *tensors);
    base_free(w->allocator, w->tensors);
    w->tensors = tensors;
    w->tensor_capacity = capacity;
    return ONDOL_OK;
}

ondol_status gguf_writer_add_tensor(gguf_writer *writer, const char *name, tensor_encoding encoding,
                                    unsigned n_dims, const uint64_t *dims, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    written_tensor tensor = {.offset = writer->data_bytes};
    uint64_t end = 0;
    TRY(tensor_bytes(name, encoding, n_dims, dims, &tensor.size_bytes, err));
    if (!base_add(tensor.offset, tensor.size_bytes, &end) ||
        !base_align_up(end, writer->alignment, &end)) {
        TRY(base_fail(err, ONDOL_E_LIMIT, "tensor '%s': the file would have 2^64 bytes", name));
    }
    TRY(grow_tensors(writer, err));
    TRY(gguf_writer_enter_name(writer, &writer->tensor_map, "tensor", gguf_string_of(name),
                               GGUF_TENSOR_NAME_BYTES_MAX, &tensor.name, err));
    gguf_put_text(&writer->records, gguf_string_of(name));
    gguf_put_integer(&writer->records, n_dims, 4);
    for (unsigned i = 0; i < n_dims; i++)
        gguf_put_integer(&writer->records, dims[i], 8);
    gguf_put_integer(&writer->records, tensor_encoding_info_of(encoding)->ggml_type, 4);
    gguf_put_integer(&writer->records, tensor.offset, 8);
    TRY(base_buffer_status(&writer->records, "tensor records", err));
    writer->tensors[writer->tensor_count++] = tensor;
    writer->data_bytes = end;
done:
    return status;
}

/* ---- writing ---- */

static ondol_status emit(gguf_writer *w, const void *bytes, size_t n, ondol_error *err) {
    return n == 0 ? ONDOL_OK : w->sink.write(w->sink.user, bytes, n, err);
}

/* Zeros from byte `written` up to the alignment. */
static ondol_status emit_padding(gguf_writer *w, uint64_t written, ondol_error *err) {
    static const unsigned char zeros[4096] = {0};
    uint64_t left = (w->alignment - written % w->alignment) % w->alignment;
    while (left > 0) {
        size_t piece = left < sizeof zeros ? (size_t)left : sizeof zeros;
        ondol_status status = emit(w, zeros, piece, err);
        if (status != ONDOL_OK) return status;
        left -= piece;
    }
    return ONDOL_OK;
}

ondol_status gguf_writer_begin(gguf_writer *writer, gguf_sink sink, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    base_buffer head;
    base_buffer_init(&head, writer->allocator, 64);
    if (writer->begun) TRY(base_fail(err, ONDOL_E_ARGUMENT, "the header is written already"));
    TRY(base_buffer_status(&writer->keys, "keys", err));
    TRY(base_buffer_status(&writer->records, "tensor records", err));
    base_buffer_append(&head, "GGUF", 4);
    gguf_put_integer(&head, VERSION, 4);
    gguf_put_integer(&head, writer->tensor_count, 8);
    gguf_put_integer(&head, writer->key_count, 8);
    TRY(base_buffer_status(&head, "head", err));
    writer->begun = true;
    writer->sink = sink;
    TRY(emit(writer, head.data, head.size, err));
    TRY(emit(writer, writer->keys.data, writer->keys.size, err));
    TRY(emit(writer, writer->records.data, writer->records.size, err));
    TRY(emit_padding(writer, head.size + writer->keys.size + writer->records.size, err));
done:
    base_buffer_destroy(&head);
    return status;
}

ondol_status gguf_writer_put(gguf_writer *writer, const void *bytes, size_t size_bytes,
                             ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (!writer->begun || writer->next == writer->tensor_count) {
        return base_fail(err, ONDOL_E_ARGUMENT, "%zu bytes, but %s", size_bytes,
                         writer->begun ? "all tensors are written" : "the header is not written");
    }
    const written_tensor *tensor = writer->tensors + writer->next;
    if (size_bytes > tensor->size_bytes - writer->next_bytes) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "tensor '%s': %zu bytes, expected at most the %" PRIu64 " that it lacks",
                         tensor->name, size_bytes, tensor->size_bytes - writer->next_bytes);
    }
    TRY(emit(writer, bytes, size_bytes, err));
    writer->next_bytes += size_bytes;
    if (writer->next_bytes == tensor->size_bytes) {
        TRY(emit_padding(writer, tensor->size_bytes, err));
        writer->next++;
        writer->next_bytes = 0;
    }
done:
    return status;
}

ondol_status gguf_writer_finish(gguf_writer *writer, ondol_error *err) {
    if (!writer->begun) return base_fail(err, ONDOL_E_ARGUMENT, "the header is not written");
    if (writer->next == writer->tensor_count) return ONDOL_OK;
    const written_tensor *tensor = writer->tensors + writer->next;
    return base_fail(err, ONDOL_E_ARGUMENT,
                     "tensor '%s': %" PRIu64 " of its %" PRIu64 " bytes are written", tensor->name,
                     writer->next_bytes, tensor->size_bytes);
}
