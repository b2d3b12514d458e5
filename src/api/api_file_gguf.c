/* GGUF files as they are. In: an open file. Out: keys and tensors as text and numbers. */
#include <inttypes.h>
#include <stdio.h>

#include "api/api_file.h"

/* Elements of an array that are shown. */
#define SHOWN_ELEMENTS 8u

ondol_status api_file_open_gguf(ondol_file *f, const char *path, ondol_error *err) {
    ondol_status status = gguf_file_open(&f->engine->allocator, path, NULL, &f->gguf, err);
    if (status != ONDOL_OK) return status;
    const size_t count = gguf_tensor_count(f->gguf);
    f->tensor_names = base_arena_alloc(&f->arena, count + 1, sizeof *f->tensor_names);
    if (!f->tensor_names) return base_no_memory(err, "tensor names", count * sizeof(char *));
    for (size_t i = 0; i < count; i++) {
        const gguf_string name = gguf_tensor_at(f->gguf, i)->name;
        f->tensor_names[i] = base_arena_strndup(&f->arena, name.text, name.size_bytes);
        if (!f->tensor_names[i]) return base_no_memory(err, "tensor names", name.size_bytes);
    }
    f->tensor_count = count;
    f->row_count = gguf_key_count(f->gguf);
    const gguf_part *part = gguf_part_at(f->gguf, 0);
    snprintf(f->format, sizeof f->format, "GGUF v%u, %s endian%s", part->version,
             part->big_endian ? "big" : "little", gguf_part_count(f->gguf) > 1 ? ", split" : "");
    return ONDOL_OK;
}

uint64_t api_file_size_gguf(const ondol_file *f) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < gguf_part_count(f->gguf); i++)
        total += gguf_part_at(f->gguf, i)->size_bytes;
    return total;
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

ondol_status api_file_metadata_gguf(ondol_file *f, size_t index, ondol_metadata *out,
                                    ondol_error *err) {
    const gguf_key *key = gguf_key_at(f->gguf, index);
    const gguf_value *v = &key->value;
    const bool array = v->type == GGUF_TYPE_ARRAY;
    f->key.size = f->text.size = 0;
    base_buffer_append(&f->key, key->name.text, key->name.size_bytes);
    base_buffer_append(&f->text, "", 0);
    if (array)
        append_array(&f->text, v);
    else
        append_scalar(&f->text, v);
    ondol_status status = ONDOL_OK;
    TRY(base_buffer_status(&f->key, "key", err));
    TRY(base_buffer_status(&f->text, "value", err));
    snprintf(f->type, sizeof f->type, array ? "array of %s" : "%s",
             gguf_type_name(array ? v->element_type : v->type));
    *out = (ondol_metadata){.key = f->key.data,
                            .type = f->type,
                            .text = f->text.data ? f->text.data : "",
                            .text_bytes = f->text.size,
                            .elements = array ? v->count : 1};
done:
    return status;
}

void api_file_tensor_gguf(const ondol_file *f, size_t index, ondol_tensor_info *out) {
    const gguf_tensor *t = gguf_tensor_at(f->gguf, index);
    *out = (ondol_tensor_info){.name = f->tensor_names[index],
                               .encoding = tensor_encoding_info_of(t->encoding)->name,
                               .dim_count = t->n_dims,
                               .size_bytes = t->size_bytes,
                               .offset = t->offset};
    for (unsigned i = 0; i < t->n_dims; i++)
        out->dims[i] = t->dims[t->n_dims - 1 - i];
}
