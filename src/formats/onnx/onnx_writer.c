/* Writing ONNX files. In: a model and where its tensors shall lie. Out: the file, and one of
 * external data beside it. */
#include "formats/onnx/onnx_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "formats/onnx/onnx_writing.h"

static const onnx_tensor *give_up(onnx_writing *w, ondol_status status) {
    if (w->status == ONDOL_OK) w->status = status;
    return NULL;
}

/* A copy of t without data. */
static onnx_tensor *without_data(onnx_writing *w, const onnx_tensor *t) {
    onnx_tensor *out = base_arena_alloc(&w->arena, 1, sizeof *out);
    if (!out) {
        give_up(w, base_no_memory(w->err, "ONNX file", sizeof *out));
        return NULL;
    }
    *out = *t;
    out->float_data = out->double_data = (onnx_packed){0};
    out->int32_data = (onnx_int32s){0};
    out->int64_data = (onnx_int64s){0};
    out->uint64_data = (onnx_uint64s){0};
    out->string_data = (onnx_strings){0};
    out->external_data = (onnx_string_entry_list){0};
    out->raw_data = (onnx_string){0};
    out->data_location = 0;
    out->head.has &= ~(1u << ONNX_HAS_tensor_raw_data | 1u << ONNX_HAS_tensor_data_location);
    return out;
}

static const onnx_tensor *place_inline(onnx_writing *w, const onnx_tensor *t,
                                       const onnx_tensor_view *view) {
    onnx_tensor *out = without_data(w, t);
    if (!out) return NULL;
    out->raw_data = (onnx_string){view->data, (size_t)view->size_bytes};
    out->head.has |= 1u << ONNX_HAS_tensor_raw_data;
    return out;
}

/* An entry of external_data; false when there is no memory. */
static bool set_entry(onnx_writing *w, onnx_string_entry *e, const char *key, const char *value) {
    const size_t n = strlen(value);
    const char *copy = base_arena_strndup(&w->arena, value, n);
    e->head.has = 1u << ONNX_HAS_string_entry_key | 1u << ONNX_HAS_string_entry_value;
    e->key = (onnx_string){key, strlen(key)};
    e->value = (onnx_string){copy, n};
    return copy != NULL;
}

static ondol_status pad(onnx_writing *w) {
    static const char zeros[4096] = {0};
    uint64_t end = 0;
    if (!base_align_up(w->data_bytes, w->options.alignment_bytes, &end)) {
        return base_fail(w->err, ONDOL_E_LIMIT, "ONNX: external data past 2^64 bytes");
    }
    while (w->data_bytes < end) {
        const uint64_t left = end - w->data_bytes;
        const size_t n = left < sizeof zeros ? (size_t)left : sizeof zeros;
        ondol_status status = base_file_writer_append(w->data, zeros, n, w->err);
        if (status != ONDOL_OK) return status;
        w->data_bytes += n;
    }
    return ONDOL_OK;
}

static const onnx_tensor *place_outside(onnx_writing *w, const onnx_tensor *t,
                                        const onnx_tensor_view *view) {
    char offset[24], length[24];
    ondol_status status = pad(w);
    if (status != ONDOL_OK) return give_up(w, status);
    status = base_file_writer_append(w->data, view->data, (size_t)view->size_bytes, w->err);
    if (status != ONDOL_OK) return give_up(w, status);
    snprintf(offset, sizeof offset, "%" PRIu64, w->data_bytes);
    snprintf(length, sizeof length, "%" PRIu64, view->size_bytes);
    w->data_bytes += view->size_bytes;
    onnx_tensor *out = without_data(w, t);
    onnx_string_entry *entries = base_arena_alloc(&w->arena, 3, sizeof *entries);
    if (!out || !entries || !set_entry(w, entries, "location", w->external_name) ||
        !set_entry(w, entries + 1, "offset", offset) ||
        !set_entry(w, entries + 2, "length", length)) {
        return give_up(w, base_no_memory(w->err, "ONNX file", 3 * sizeof *entries));
    }
    out->external_data = (onnx_string_entry_list){entries, 3};
    out->data_location = ONNX_DATA_LOCATION_EXTERNAL;
    out->head.has |= 1u << ONNX_HAS_tensor_data_location;
    return out;
}

const onnx_tensor *onnx_writing_place(onnx_writing *w, const onnx_tensor *t, bool initializer) {
    const bool external = t->data_location == ONNX_DATA_LOCATION_EXTERNAL;
    const bool moves = initializer && w->options.placement == ONNX_DATA_EXTERNAL &&
                       t->data_type != TENSOR_ELEMENT_STRING;
    if (!external && !moves) return t;
    base_arena arena; /* of typed data made dense; what is external is borrowed */
    base_arena_init(&arena, w->allocator, 0);
    onnx_tensor_view view;
    ondol_status status = onnx_tensor_read(w->options.source, &arena, t, &view, w->err);
    if (status != ONDOL_OK) {
        t = give_up(w, status);
    } else if (moves && view.size_bytes >= w->options.threshold_bytes) {
        t = place_outside(w, t, &view);
    } else if (external) {
        t = place_inline(w, t, &view);
    }
    base_arena_destroy(&arena);
    return t;
}

/* ---- files ---- */

static size_t folder_bytes(const char *path) {
    size_t n = 0;
    for (size_t i = 0; path[i]; i++)
        if (path[i] == '/' || path[i] == '\\') n = i + 1;
    return n;
}

static ondol_status take_options(onnx_writing *w, const char *path,
                                 const onnx_write_options *options) {
    const char *name = path + folder_bytes(path);
    if (options) w->options = *options;
    if (w->options.placement != ONNX_DATA_EXTERNAL) return ONDOL_OK;
    onnx_write_options *o = &w->options;
    if (o->threshold_bytes == 0) o->threshold_bytes = ONNX_WRITE_THRESHOLD_BYTES;
    if (o->alignment_bytes == 0) o->alignment_bytes = ONNX_WRITE_ALIGNMENT_BYTES;
    if (o->alignment_bytes & (o->alignment_bytes - 1) ||
        o->alignment_bytes > ONNX_WRITE_ALIGNMENT_MAX) {
        return base_fail(w->err, ONDOL_E_ARGUMENT,
                         "alignment of external data: %" PRIu64
                         ", expected a power of two up to %u",
                         o->alignment_bytes, ONNX_WRITE_ALIGNMENT_MAX);
    }
    const char *external = o->external_name;
    if (external && (!external[0] || folder_bytes(external) || strchr(external, ':') ||
                     external[0] == '*' || !strcmp(external, ".") || !strcmp(external, ".."))) {
        return base_fail(w->err, ONDOL_E_ARGUMENT, "external data: '%s' is no plain file name",
                         external);
    }
    char *copy = base_arena_alloc(&w->arena, strlen(external ? external : name) + 6, 1);
    if (!copy) return base_no_memory(w->err, "path", strlen(name));
    memcpy(copy, external ? external : name, strlen(external ? external : name));
    if (!external) memcpy(copy + strlen(name), ".data", 5);
    w->external_name = copy;
    return ONDOL_OK;
}

/* Begins the file of external data, in the folder of path. */
static ondol_status open_data(onnx_writing *w, const char *path) {
    if (w->options.placement != ONNX_DATA_EXTERNAL) return ONDOL_OK;
    const size_t folder = folder_bytes(path), n = strlen(w->external_name);
    char *full = base_arena_alloc(&w->arena, folder + n + 1, 1);
    if (!full) return base_no_memory(w->err, "path", folder + n);
    if (strcmp(path + folder, w->external_name) == 0) {
        return base_fail(w->err, ONDOL_E_ARGUMENT, "external data: '%s' is the model's own file",
                         w->external_name);
    }
    memcpy(full, path, folder);
    memcpy(full + folder, w->external_name, n);
    return base_file_writer_open(w->allocator, full, &w->data, w->err);
}

ondol_status onnx_write_file(const ondol_allocator *a, const onnx_model_proto *model,
                             const char *path, const onnx_write_options *options,
                             ondol_error *err) {
    base_buffer out;
    onnx_writing w;
    base_buffer_init(&out, a, SIZE_MAX / 2);
    onnx_writing_init(&w, a, &out, err);
    ondol_status status = ONDOL_OK;
    TRY(take_options(&w, path, options));
    TRY(open_data(&w, path));
    TRY(onnx_writing_count(&w, ONNX_MESSAGE_model_proto, model));
    TRY(base_file_writer_open(a, path, &w.file, err));
    TRY(onnx_writing_write(&w, ONNX_MESSAGE_model_proto, model));
    if (w.data) TRY(base_file_writer_commit(w.data, err));
    TRY(base_file_writer_commit(w.file, err));
done:
    base_file_writer_close(w.data);
    base_file_writer_close(w.file);
    onnx_writing_destroy(&w);
    base_buffer_destroy(&out);
    return status;
}
