/* The header of one GGUF file. In: all its bytes. Out: keys and tensors as views, all checked. */
#include "formats/gguf/gguf_header.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "formats/sniff.h"

/* Least bytes of a record with a name of one byte: without count, with counts of 32 bits more. */
#define KEY_BYTES_LEAST    14
#define TENSOR_BYTES_LEAST 25

static ondol_status walk_version(gguf_walk *walk, gguf_header *out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint32_t version = 0;
    TRY(gguf_walk_u32(walk, "version", &version, err));
    /* A big-endian file is told by its version: 3 reads as 0x03000000. */
    if (version != 0 && (version & 0xffff) == 0) {
        walk->reader.big_endian = out->big_endian = true;
        version = version >> 24 | (version >> 8 & 0xff00);
    }
    if (version < 1 || version > 3) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "GGUF version %" PRIu32 " at byte 4, expected 1, 2 or 3", version);
    }
    out->version = version;
    walk->short_counts = version == 1;
done:
    return status;
}

/* A count of records, which must fit what is left of the file. */
static ondol_status walk_record_count(gguf_walk *walk, const char *what, uint64_t least_bytes,
                                      uint64_t *out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint64_t start = walk->reader.offset, bytes = 0;
    TRY(gguf_walk_count(walk, what, out, err));
    uint64_t left = base_reader_left(&walk->reader);
    if (!base_mul(*out, least_bytes, &bytes)) bytes = UINT64_MAX;
    if (bytes > left) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "%s at byte %" PRIu64 " is %" PRIu64 ", which takes at least %" PRIu64
                         " bytes, %" PRIu64 " are left: %" PRIu64
                         " are missing (half a download, or damaged)",
                         what, start, *out, bytes, left, bytes - left);
    }
    if (*out > UINT32_MAX) {
        return base_fail(err, ONDOL_E_LIMIT,
                         "%s at byte %" PRIu64 " is %" PRIu64 ", expected below 2^32", what, start,
                         *out);
    }
done:
    return status;
}

static ondol_status walk_keys(gguf_walk *walk, gguf_header *header, size_t n, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    walk->record = "key";
    walk->offset_count = walk->element_count = 0;
    for (size_t i = 0; i < n; i++) {
        gguf_key key = {0};
        walk->record_index = i;
        TRY(gguf_walk_name(walk, err));
        key.name = walk->name;
        TRY(gguf_walk_value(walk, &key.value, err));
        if (!header) continue;
        header->keys[i] = key;
        bool found = false;
        if (!base_map_add(&header->key_map, key.name.text, key.name.size_bytes, (uint32_t)i, &found,
                          NULL)) {
            return base_no_memory(err, "map of the keys", n * sizeof(base_map_slot));
        }
        if (found) return gguf_walk_fail(walk, err, ONDOL_E_FORMAT, "there are two of that name");
    }
done:
    walk->record = NULL;
    return status;
}

static ondol_status fill_keys(gguf_walk *walk, gguf_header *out, size_t n, ondol_error *err) {
    const base_reader start = walk->reader;
    ondol_status status = walk_keys(walk, NULL, n, err);
    if (status != ONDOL_OK) return status;
    const ondol_allocator *a = out->allocator;
    out->keys = base_calloc(a, n, sizeof *out->keys);
    out->string_offsets = base_alloc(a, walk->offset_count, sizeof *out->string_offsets);
    out->elements = base_calloc(a, walk->element_count, sizeof *out->elements);
    if (!out->keys || !out->string_offsets || !out->elements ||
        !base_map_reserve(&out->key_map, n)) {
        return base_no_memory(err, "index of the keys",
                              n * sizeof *out->keys +
                                  walk->offset_count * sizeof *out->string_offsets +
                                  walk->element_count * sizeof *out->elements);
    }
    walk->reader = start;
    walk->string_offsets = out->string_offsets;
    walk->elements = out->elements;
    status = walk_keys(walk, out, n, err);
    out->key_count = status == ONDOL_OK ? n : 0;
    return status;
}

static ondol_status read_alignment(gguf_header *out, ondol_error *err) {
    static const char key[] = "general.alignment";
    out->alignment = GGUF_ALIGNMENT_DEFAULT;
    const gguf_value *value = gguf_header_find(out, key);
    if (!value) return ONDOL_OK;
    uint64_t alignment = 0;
    if (value->type != GGUF_TYPE_U32 || !gguf_value_u64(value, &alignment)) {
        return gguf_value_mismatch(key, value, "u32", err);
    }
    if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
        return base_fail(err, ONDOL_E_FORMAT, "key '%s' is %" PRIu64 ", expected a power of two",
                         key, alignment);
    }
    if (alignment > GGUF_ALIGNMENT_MAX) {
        return base_fail(err, ONDOL_E_LIMIT, "key '%s' is %" PRIu64 ", expected at most %u", key,
                         alignment, GGUF_ALIGNMENT_MAX);
    }
    out->alignment = (uint32_t)alignment;
    return ONDOL_OK;
}

static ondol_status walk_tensors(gguf_walk *walk, gguf_header *header, gguf_tensor *tensors,
                                 size_t n, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    walk->record = "tensor";
    for (size_t i = 0; i < n; i++) {
        gguf_tensor counted;
        walk->record_index = i;
        TRY(gguf_walk_tensor(walk, header->alignment, tensors ? tensors + i : &counted, err));
    }
done:
    walk->record = NULL;
    return status;
}

static ondol_status fill_tensors(gguf_walk *walk, gguf_header *out, size_t n, ondol_error *err) {
    const base_reader start = walk->reader;
    ondol_status status = walk_tensors(walk, out, NULL, n, err);
    if (status != ONDOL_OK) return status;
    out->tensors = base_calloc(out->allocator, n, sizeof *out->tensors);
    if (!out->tensors) return base_no_memory(err, "index of the tensors", n * sizeof *out->tensors);
    walk->reader = start;
    out->tensor_count = n;
    return walk_tensors(walk, out, out->tensors, n, err);
}

ondol_status gguf_header_parse(const ondol_allocator *allocator, const void *bytes,
                               uint64_t size_bytes, uint64_t max_header_bytes, gguf_header *out,
                               ondol_error *err) {
    ondol_status status = ONDOL_OK;
    *out = (gguf_header){.allocator = allocator};
    base_map_init(&out->key_map, allocator);
    gguf_walk walk = {.limit_bytes = max_header_bytes ? max_header_bytes : GGUF_HEADER_BYTES_MAX};
    base_reader_init(&walk.reader, bytes, size_bytes);

    formats_kind kind = formats_sniff(bytes, size_bytes);
    if (kind != FORMATS_KIND_GGUF) return formats_sniff_fail(kind, bytes, size_bytes, "GGUF", err);
    TRY(gguf_walk_need(&walk, 4, "magic", err));
    base_read_view(&walk.reader, 4);
    TRY(walk_version(&walk, out, err));
    const uint64_t shorter = walk.short_counts ? 4 : 0;
    uint64_t tensor_count = 0, key_count = 0;
    TRY(walk_record_count(&walk, "number of tensors", TENSOR_BYTES_LEAST - shorter, &tensor_count,
                          err));
    TRY(walk_record_count(&walk, "number of keys", KEY_BYTES_LEAST - shorter, &key_count, err));
    TRY(fill_keys(&walk, out, (size_t)key_count, err));
    TRY(read_alignment(out, err));
    TRY(fill_tensors(&walk, out, (size_t)tensor_count, err));

    out->header_bytes = walk.reader.offset;
    if (!base_align_up(out->header_bytes, out->alignment, &out->data_offset)) {
        return base_fail(err, ONDOL_E_FORMAT, "the header ends at byte %" PRIu64,
                         out->header_bytes);
    }
    TRY(gguf_tensors_place(allocator, out->tensors, out->tensor_count, out->data_offset, size_bytes,
                           err));
done:
    return status;
}

void gguf_header_free(gguf_header *header) {
    if (!header->allocator) return;
    base_free(header->allocator, header->keys);
    base_free(header->allocator, header->string_offsets);
    base_free(header->allocator, header->elements);
    base_free(header->allocator, header->tensors);
    base_map_destroy(&header->key_map);
    *header = (gguf_header){0};
}

const gguf_value *gguf_header_find(const gguf_header *header, const char *key) {
    uint32_t i = 0;
    if (!base_map_get(&header->key_map, key, strlen(key), &i)) return NULL;
    return &header->keys[i].value;
}
