/* Files as they are. In: a path. Out: metadata and tensors as text and numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api_internal.h"

/* Elements of an array that are shown. */
#define SHOWN_ELEMENTS 8u
#define TEXT_VALUE_MAX ((size_t)64 << 20)

struct ondol_file {
    ondol_engine *engine;
    gguf_file *file;
    char format[64];
    char **tensor_names; /* [tensors], each ended by 0 */
    base_buffer key, text;
    char type[48];
};

static void destroy(ondol_file *f) {
    const ondol_allocator *a = &f->engine->allocator;
    for (size_t i = 0; f->tensor_names && i < gguf_tensor_count(f->file); i++)
        base_free(a, f->tensor_names[i]);
    base_free(a, f->tensor_names);
    gguf_file_close(f->file);
    base_buffer_destroy(&f->key);
    base_buffer_destroy(&f->text);
    base_free(a, f);
}

static ondol_status copy_names(ondol_file *f, ondol_error *err) {
    const ondol_allocator *a = &f->engine->allocator;
    const size_t count = gguf_tensor_count(f->file);
    f->tensor_names = base_calloc(a, count + 1, sizeof *f->tensor_names);
    if (!f->tensor_names) return base_no_memory(err, "tensor names", count * sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        const gguf_string name = gguf_tensor_at(f->file, i)->name;
        f->tensor_names[i] = base_strndup(a, name.text, name.size_bytes);
        if (!f->tensor_names[i]) return base_no_memory(err, "tensor names", name.size_bytes);
    }
    return ONDOL_OK;
}

ondol_status ondol_file_open(ondol_engine *engine, const char *path, ondol_file **out,
                             ondol_error *err) {
    ondol_status status = ONDOL_OK;
    ondol_file *f = base_calloc(&engine->allocator, 1, sizeof *f);
    if (!f) return base_no_memory(err, "file", sizeof *f);
    f->engine = engine;
    base_buffer_init(&f->key, &engine->allocator, TEXT_VALUE_MAX);
    base_buffer_init(&f->text, &engine->allocator, TEXT_VALUE_MAX);
    TRY(gguf_file_open(&engine->allocator, path, NULL, &f->file, err));
    TRY(copy_names(f, err));
    const gguf_part *part = gguf_part_at(f->file, 0);
    snprintf(f->format, sizeof f->format, "GGUF v%u, %s endian%s", part->version,
             part->big_endian ? "big" : "little", gguf_part_count(f->file) > 1 ? ", split" : "");
    api_engine_retain(engine);
    *out = f;
    return ONDOL_OK;
done:
    destroy(f);
    return status;
}

void ondol_file_close(ondol_file *file) {
    if (!file) return;
    ondol_engine *engine = file->engine;
    destroy(file);
    api_engine_release(engine);
}

const char *ondol_file_format(const ondol_file *file) {
    return file->format;
}

uint64_t ondol_file_size_bytes(const ondol_file *file) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < gguf_part_count(file->file); i++)
        total += gguf_part_at(file->file, i)->size_bytes;
    return total;
}

size_t ondol_file_metadata_count(const ondol_file *file) {
    return gguf_key_count(file->file);
}

/* Shortest text that reads back as the same number. */
static void append_float(base_buffer *b, double number, bool single) {
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        double back = 0;
        sscanf(text, "%lf", &back);
        if (single ? (float)back == (float)number : back == number) break;
    }
    base_buffer_append_text(b, text);
}

static void append_scalar(base_buffer *b, const gguf_value *v) {
    gguf_string s;
    bool flag = false;
    int64_t integer = 0;
    uint64_t natural = 0;
    double number = 0;
    if (gguf_value_string(v, &s))
        base_buffer_append(b, s.text, s.size_bytes);
    else if (gguf_value_bool(v, &flag))
        base_buffer_append_text(b, flag ? "true" : "false");
    else if (gguf_value_u64(v, &natural))
        base_buffer_append_format(b, "%" PRIu64, natural);
    else if (gguf_value_i64(v, &integer))
        base_buffer_append_format(b, "%" PRId64, integer);
    else if (gguf_value_f64(v, &number))
        append_float(b, number, v->type == GGUF_TYPE_F32);
}

/* An array within an array is told by its length: values are for people. */
static void append_array(base_buffer *b, const gguf_value *array) {
    base_buffer_append_text(b, "[");
    for (uint64_t i = 0; i < array->count; i++) {
        if (i) base_buffer_append_text(b, ", ");
        if (i == SHOWN_ELEMENTS) {
            base_buffer_append_text(b, "...");
            break;
        }
        gguf_value v;
        if (!gguf_array_at(array, i, &v)) break;
        if (v.type == GGUF_TYPE_ARRAY)
            base_buffer_append_format(b, "[%" PRIu64 " elements]", v.count);
        else
            append_scalar(b, &v);
    }
    base_buffer_append_text(b, "]");
}

ondol_status ondol_file_metadata(ondol_file *file, size_t index, ondol_metadata *out,
                                 ondol_error *err) {
    if (index >= gguf_key_count(file->file)) {
        return base_fail(err, ONDOL_E_ARGUMENT, "key %zu: the file has %zu", index,
                         gguf_key_count(file->file));
    }
    const gguf_key *key = gguf_key_at(file->file, index);
    const gguf_value *v = &key->value;
    const bool array = v->type == GGUF_TYPE_ARRAY;
    file->key.size = file->text.size = 0;
    base_buffer_append(&file->key, key->name.text, key->name.size_bytes);
    base_buffer_append(&file->text, "", 0);
    if (array)
        append_array(&file->text, v);
    else
        append_scalar(&file->text, v);
    ondol_status status = ONDOL_OK;
    TRY(base_buffer_status(&file->key, "key", err));
    TRY(base_buffer_status(&file->text, "value", err));
    snprintf(file->type, sizeof file->type, array ? "array of %s" : "%s",
             gguf_type_name(array ? v->element_type : v->type));
    *out = (ondol_metadata){.key = file->key.data,
                            .type = file->type,
                            .text = file->text.data ? file->text.data : "",
                            .text_bytes = file->text.size,
                            .elements = array ? v->count : 1};
done:
    return status;
}

size_t ondol_file_tensor_count(const ondol_file *file) {
    return gguf_tensor_count(file->file);
}

ondol_status ondol_file_tensor(const ondol_file *file, size_t index, ondol_tensor_info *out,
                               ondol_error *err) {
    if (index >= gguf_tensor_count(file->file)) {
        return base_fail(err, ONDOL_E_ARGUMENT, "tensor %zu: the file has %zu", index,
                         gguf_tensor_count(file->file));
    }
    const gguf_tensor *t = gguf_tensor_at(file->file, index);
    *out = (ondol_tensor_info){.name = file->tensor_names[index],
                               .encoding = tensor_encoding_info_of(t->encoding)->name,
                               .dim_count = t->n_dims,
                               .size_bytes = t->size_bytes,
                               .offset = t->offset};
    for (unsigned i = 0; i < t->n_dims; i++)
        out->dims[i] = t->dims[t->n_dims - 1 - i];
    return ONDOL_OK;
}
