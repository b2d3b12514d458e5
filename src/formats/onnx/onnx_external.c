/* External data. In: a tensor's entries location, offset, length. Out: bytes of a file inside of
 * the model's folder, each file opened once. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "formats/onnx/onnx_file_state.h"

typedef struct external_entries {
    onnx_string location;
    uint64_t offset, length;
    bool has_length;
} external_entries;

static ondol_status refuse(const onnx_tensor *t, onnx_string location, const char *why,
                           ondol_error *err) {
    const int n = t->name.size_bytes < 100 ? (int)t->name.size_bytes : 100;
    const int k = location.size_bytes < 100 ? (int)location.size_bytes : 100;
    return base_fail(err, ONDOL_E_FORMAT, "tensor '%.*s': external data in '%.*s': %s", n,
                     t->name.text ? t->name.text : "", k, location.text ? location.text : "", why);
}

/* Decimal digits alone. */
static bool parse_number(onnx_string s, uint64_t *out) {
    uint64_t value = 0;
    if (s.size_bytes == 0) return false;
    for (size_t i = 0; i < s.size_bytes; i++) {
        const char c = s.text[i];
        if (c < '0' || c > '9') return false;
        if (!base_mul(value, 10, &value) || !base_add(value, (uint64_t)(c - '0'), &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

static ondol_status take_entries(const onnx_tensor *t, external_entries *out, ondol_error *err) {
    *out = (external_entries){{"", 0}, 0, 0, false};
    for (size_t i = 0; i < t->external_data.count; i++) {
        const onnx_string_entry *e = t->external_data.items + i;
        bool fine = true;
        if (onnx_is(e->key, "location")) out->location = e->value;
        if (onnx_is(e->key, "offset")) fine = parse_number(e->value, &out->offset);
        if (onnx_is(e->key, "length")) {
            fine = parse_number(e->value, &out->length);
            out->has_length = true;
        }
        if (!fine) return refuse(t, out->location, "offset or length is no number", err);
    }
    return ONDOL_OK;
}

/* A relative path of plain names; the file system's own rules are checked when it is opened. */
static const char *fault_of_location(onnx_string s) {
    if (s.size_bytes == 0) return "it has no location";
    if (s.size_bytes > 4096) return "its location is too long";
    if (memchr(s.text, 0, s.size_bytes)) return "its location holds a 0";
    if (s.text[0] == '/' || s.text[0] == '\\') return "its location is absolute";
    if (s.text[0] == '*') return "it points to memory of another process";
    size_t begin = 0;
    bool named = false;
    for (size_t i = 0; i <= s.size_bytes; i++) {
        if (i < s.size_bytes && s.text[i] == ':') return "its location names a drive or stream";
        if (i < s.size_bytes && s.text[i] != '/' && s.text[i] != '\\') continue;
        const size_t n = i - begin;
        if (n == 2 && memcmp(s.text + begin, "..", 2) == 0) return "its location leaves the folder";
        named = named || n > 1 || (n == 1 && s.text[begin] != '.');
        begin = i + 1;
    }
    return named ? NULL : "its location is the folder itself";
}

/* Copies a location without its parts that say nothing, "." and "". Errors: MEMORY. */
static ondol_status copy_plain(const ondol_allocator *a, onnx_string from, char **out,
                               ondol_error *err) {
    size_t n = 0, begin = 0;
    char *to = base_alloc(a, from.size_bytes + 1, 1);
    if (!to) return base_no_memory(err, "external data", from.size_bytes);
    for (size_t i = 0; i <= from.size_bytes; i++) {
        if (i < from.size_bytes && from.text[i] != '/') continue;
        const size_t length = i - begin;
        const char *part = from.text + begin;
        begin = i + 1;
        if (length == 0 || (length == 1 && *part == '.')) continue;
        if (n) to[n++] = '/';
        memcpy(to + n, part, length);
        n += length;
    }
    to[n] = 0;
    *out = to;
    return ONDOL_OK;
}

static ondol_status make_room(onnx_file *f, ondol_error *err) {
    if (f->external_count < f->external_capacity) return ONDOL_OK;
    const size_t wanted = f->external_capacity ? f->external_capacity * 2 : 4;
    onnx_external_file *more = base_calloc(f->allocator, wanted, sizeof *more);
    if (!more) return base_no_memory(err, "external data", wanted * sizeof *more);
    if (f->external_count) memcpy(more, f->external, f->external_count * sizeof *more);
    base_free(f->allocator, f->external);
    f->external = more;
    f->external_capacity = wanted;
    return ONDOL_OK;
}

static ondol_status find_file(onnx_file *f, const onnx_tensor *t, onnx_string location,
                              const base_file **out, ondol_error *err) {
    char *plain = NULL;
    base_file file = {0};
    ondol_status status = copy_plain(f->allocator, location, &plain, err);
    if (status != ONDOL_OK) return status;
    for (size_t i = f->external_count; i > 0; i--) { /* the file of the tensor before, mostly */
        if (strcmp(f->external[i - 1].location, plain) != 0) continue;
        *out = &f->external[i - 1].file;
        goto done;
    }
    TRY(make_room(f, err));
    status = base_file_open_inside(f->allocator, f->folder, plain, f->use_map, &file, err);
    if (status != ONDOL_OK) {
        const int n = t->name.size_bytes < 100 ? (int)t->name.size_bytes : 100;
        base_prefix(err, status, "tensor '%.*s': external data", n,
                    t->name.text ? t->name.text : "");
        goto done;
    }
    f->external[f->external_count] = (onnx_external_file){plain, file};
    *out = &f->external[f->external_count++].file;
    plain = NULL;
done:
    base_free(f->allocator, plain);
    return status;
}

static ondol_status take_valid(const onnx_tensor *t, external_entries *out, ondol_error *err) {
    ondol_status status = take_entries(t, out, err);
    if (status != ONDOL_OK) return status;
    const char *fault = fault_of_location(out->location);
    if (fault) return refuse(t, out->location, fault, err);
    uint64_t end = 0;
    if (!base_add(out->offset, out->length, &end) || end > INT64_MAX) {
        return refuse(t, out->location, "its offset and length pass any file's end", err);
    }
    return ONDOL_OK;
}

ondol_status onnx_external_check(const onnx_tensor *t, ondol_error *err) {
    external_entries e;
    return take_valid(t, &e, err);
}

ondol_status onnx_external_find(onnx_file *f, const onnx_tensor *t, uint64_t wanted,
                                const unsigned char **data, uint64_t *size_bytes,
                                ondol_error *err) {
    external_entries e;
    const base_file *file = NULL;
    ondol_status status = take_valid(t, &e, err);
    if (status != ONDOL_OK) return status;
    if (!f || !f->folder) {
        return refuse(t, e.location, "the model was given as bytes and has no folder", err);
    }
    status = find_file(f, t, e.location, &file, err);
    if (status != ONDOL_OK) return status;
    if (e.offset > file->size)
        return refuse(t, e.location, "its offset is past the file's end", err);
    if (!e.has_length) {
        const uint64_t left = file->size - e.offset;
        e.length = left < wanted ? left : wanted;
    }
    if (!base_range_ok(e.offset, e.length, file->size)) {
        return refuse(t, e.location, "its offset and length pass the file's end", err);
    }
    *data = file->data ? file->data + e.offset : (const unsigned char *)"";
    *size_bytes = e.length;
    return ONDOL_OK;
}
