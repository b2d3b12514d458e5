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
    for (size_t i = 0; i <= s.size_bytes; i++) {
        if (i < s.size_bytes && s.text[i] == ':') return "its location names a drive or stream";
        if (i < s.size_bytes && s.text[i] != '/' && s.text[i] != '\\') continue;
        const size_t n = i - begin;
        if (n == 2 && memcmp(s.text + begin, "..", 2) == 0) return "its location leaves the folder";
        begin = i + 1;
    }
    return NULL;
}

static ondol_status find_file(onnx_file *f, const onnx_tensor *t, onnx_string location,
                              const base_file **out, ondol_error *err) {
    for (size_t i = 0; i < f->external_count; i++) {
        const char *have = f->external[i].location;
        if (strlen(have) == location.size_bytes &&
            memcmp(have, location.text, location.size_bytes) == 0) {
            *out = &f->external[i].file;
            return ONDOL_OK;
        }
    }
    if (f->external_count == f->external_capacity) {
        const size_t wanted = f->external_capacity ? f->external_capacity * 2 : 4;
        onnx_external_file *more = base_calloc(f->allocator, wanted, sizeof *more);
        if (!more) return base_no_memory(err, "external data", wanted * sizeof *more);
        if (f->external_count) memcpy(more, f->external, f->external_count * sizeof *more);
        base_free(f->allocator, f->external);
        f->external = more;
        f->external_capacity = wanted;
    }
    onnx_external_file *e = f->external + f->external_count;
    e->location = base_strndup(f->allocator, location.text, location.size_bytes);
    if (!e->location) return base_no_memory(err, "external data", location.size_bytes);
    ondol_status status =
        base_file_open_inside(f->allocator, f->folder, e->location, f->use_map, &e->file, err);
    if (status != ONDOL_OK) {
        base_free(f->allocator, e->location);
        const int n = t->name.size_bytes < 100 ? (int)t->name.size_bytes : 100;
        return base_prefix(err, status, "tensor '%.*s': external data", n,
                           t->name.text ? t->name.text : "");
    }
    f->external_count++;
    *out = &e->file;
    return ONDOL_OK;
}

ondol_status onnx_external_find(onnx_file *f, const onnx_tensor *t, const unsigned char **data,
                                uint64_t *size_bytes, ondol_error *err) {
    external_entries e;
    const base_file *file = NULL;
    ondol_status status = take_entries(t, &e, err);
    if (status != ONDOL_OK) return status;
    const char *fault = fault_of_location(e.location);
    if (fault) return refuse(t, e.location, fault, err);
    if (!f || !f->folder) {
        return refuse(t, e.location, "the model was given as bytes and has no folder", err);
    }
    status = find_file(f, t, e.location, &file, err);
    if (status != ONDOL_OK) return status;
    if (e.offset > file->size)
        return refuse(t, e.location, "its offset is past the file's end", err);
    if (!e.has_length) e.length = file->size - e.offset;
    if (!base_range_ok(e.offset, e.length, file->size)) {
        return refuse(t, e.location, "its offset and length pass the file's end", err);
    }
    *data = file->data ? file->data + e.offset : (const unsigned char *)"";
    *size_bytes = e.length;
    return ONDOL_OK;
}
