/* GGUF files and split sets. In: a path or bytes. Out: the keys of the first part and the tensors
 * of all, with their data. */
#include "formats/gguf/gguf_file.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/thread.h"
#include "formats/gguf/gguf_header.h"
#include "formats/gguf/gguf_split.h"
#include "formats/sniff.h"

typedef struct opened_part {
    base_file file; /* zero when opened from memory */
    char *path;
    gguf_header header; /* its tensors are moved away, but for the first part also its keys */
    gguf_part info;
} opened_part;

struct gguf_file {
    const ondol_allocator *allocator;
    opened_part *parts;
    uint32_t part_count;
    gguf_tensor *tensors;
    size_t tensor_count;
    base_map tensor_map;

    /* Of a big-endian file: swapped copies of tensors, made when asked for. */
    base_mutex *mutex;
    unsigned char **swapped; /* [tensor_count] */
};

static ondol_status parse_part(const ondol_allocator *allocator, const void *bytes,
                               uint64_t size_bytes, const gguf_open_options *options,
                               opened_part *part, ondol_error *err) {
    ondol_status status = gguf_header_parse(allocator, bytes, size_bytes, options->max_header_bytes,
                                            &part->header, err);
    const gguf_header *header = &part->header;
    part->info = (gguf_part){.path = part->path ? part->path : "",
                             .version = header->version,
                             .big_endian = header->big_endian,
                             .mapped = part->file.mapped,
                             .alignment = header->alignment,
                             .header_bytes = header->header_bytes,
                             .data_offset = header->data_offset,
                             .size_bytes = size_bytes,
                             .data = bytes};
    return status;
}

static ondol_status open_part(const ondol_allocator *allocator, const char *path,
                              const gguf_open_options *options, opened_part *part,
                              ondol_error *err) {
    ondol_status status = ONDOL_OK;
    part->path = base_strndup(allocator, path, strlen(path));
    if (!part->path) return base_no_memory(err, "path", strlen(path));
    TRY(base_file_open(allocator, path, !options->no_map, &part->file, err));
    status = parse_part(allocator, part->file.data, part->file.size, options, part, err);
    if (status == ONDOL_E_FORMAT && formats_path_unfinished(path)) {
        return base_prefix(err, status, "'%s' (its name says that a download is not finished)",
                           path);
    }
    return base_prefix(err, status, "'%s'", path);
done:
    return status;
}

static void close_part(const ondol_allocator *allocator, opened_part *part) {
    gguf_header_free(&part->header);
    base_file_close(&part->file);
    base_free(allocator, part->path);
    *part = (opened_part){0};
}

static ondol_status check_part_of_set(const opened_part *part, const gguf_split_keys *keys,
                                      uint32_t number, uint32_t count, ondol_error *err) {
    if (keys->number == number && keys->count == count) return ONDOL_OK;
    return base_fail(err, ONDOL_E_FORMAT,
                     "'%s': its keys say part %" PRIu32 " of %" PRIu32 ", expected part %" PRIu32
                     " of %" PRIu32,
                     part->path, keys->number + 1, keys->count, number + 1, count);
}

/* parts[0] is any part of a set; afterwards parts are all of them, in order. */
static ondol_status open_split_set(gguf_file *file, const gguf_open_options *options,
                                   const gguf_split_keys *first, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    opened_part *parts = NULL;
    char *path = NULL;
    uint64_t tensor_count = 0, promised = UINT64_MAX;
    TRY(gguf_split_check_path(file->parts[0].path, first, err));
    path = base_strndup(file->allocator, file->parts[0].path, strlen(file->parts[0].path));
    if (!path) TRY(base_no_memory(err, "path", strlen(file->parts[0].path)));
    TRY(gguf_split_check_exist(path, first->count, err));
    parts = base_calloc(file->allocator, first->count, sizeof *parts);
    if (!parts) TRY(base_no_memory(err, "split set", first->count * sizeof *parts));
    parts[first->number] = file->parts[0];
    base_free(file->allocator, file->parts);
    file->parts = parts;
    file->part_count = first->count;
    for (uint32_t i = 0; i < first->count; i++) {
        gguf_split_keys keys = {0};
        gguf_split_put_suffix(path + strlen(path) - GGUF_SPLIT_SUFFIX_BYTES, i, first->count);
        if (!parts[i].path) TRY(open_part(file->allocator, path, options, parts + i, err));
        TRY(gguf_split_read(&parts[i].header, &keys, err));
        TRY(check_part_of_set(parts + i, &keys, i, first->count, err));
        if (i == 0) promised = keys.tensor_count;
        tensor_count += parts[i].header.tensor_count;
    }
    if (promised != UINT64_MAX && promised != tensor_count) {
        TRY(base_fail(err, ONDOL_E_FORMAT,
                      "key 'split.tensors.count' is %" PRIu64 ", but the %" PRIu32
                      " parts have %" PRIu64 " tensors",
                      promised, first->count, tensor_count));
    }
done:
    base_free(file->allocator, path);
    return status;
}

/* ---- opening ---- */

static ondol_status index_tensors(gguf_file *file, ondol_error *err) {
    if (!base_map_reserve(&file->tensor_map, file->tensor_count)) {
        return base_no_memory(err, "map of the tensors",
                              file->tensor_count * sizeof(base_map_slot));
    }
    for (size_t i = 0; i < file->tensor_count; i++) {
        const gguf_string name = file->tensors[i].name;
        bool found = false;
        if (!base_map_add(&file->tensor_map, name.text, name.size_bytes, (uint32_t)i, &found,
                          NULL)) {
            return base_no_memory(err, "map of the tensors", 0);
        }
        if (found) {
            return base_fail(err, ONDOL_E_FORMAT, "tensor '%.*s': there are two of that name",
                             name.size_bytes < 100 ? (int)name.size_bytes : 100, name.text);
        }
    }
    return ONDOL_OK;
}

/* One array of the tensors of all parts; a single part's is taken as it is. */
static ondol_status gather_tensors(gguf_file *file, ondol_error *err) {
    gguf_header *first = &file->parts[0].header;
    if (file->part_count == 1) {
        file->tensors = first->tensors;
        file->tensor_count = first->tensor_count;
        first->tensors = NULL;
        return ONDOL_OK;
    }
    uint64_t total = 0;
    for (uint32_t p = 0; p < file->part_count; p++)
        total += file->parts[p].header.tensor_count;
    if (total > UINT32_MAX) {
        return base_fail(err, ONDOL_E_LIMIT, "the parts have %" PRIu64 " tensors", total);
    }
    file->tensors = base_calloc(file->allocator, (size_t)total, sizeof *file->tensors);
    if (!file->tensors) return base_no_memory(err, "tensors", total * sizeof *file->tensors);
    for (uint32_t p = 0; p < file->part_count; p++) {
        gguf_header *header = &file->parts[p].header;
        for (size_t i = 0; i < header->tensor_count; i++) {
            file->tensors[file->tensor_count] = header->tensors[i];
            file->tensors[file->tensor_count++].part = p;
        }
        if (p > 0) gguf_header_free(header);
    }
    return ONDOL_OK;
}

static ondol_status finish_open(gguf_file *file, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    TRY(gather_tensors(file, err));
    TRY(index_tensors(file, err));
    bool big_endian = false;
    for (uint32_t p = 0; p < file->part_count; p++)
        big_endian = big_endian || file->parts[p].info.big_endian;
    if (big_endian) {
        file->mutex = base_mutex_create(file->allocator);
        file->swapped = base_calloc(file->allocator, file->tensor_count, sizeof *file->swapped);
        if (!file->mutex || !file->swapped) {
            TRY(base_no_memory(err, "swapped tensors", file->tensor_count * sizeof *file->swapped));
        }
    }
done:
    return status;
}

static gguf_file *create_file(const ondol_allocator *allocator) {
    gguf_file *file = base_calloc(allocator, 1, sizeof *file);
    if (!file) return NULL;
    file->allocator = allocator;
    base_map_init(&file->tensor_map, allocator);
    file->parts = base_calloc(allocator, 1, sizeof *file->parts);
    file->part_count = 1;
    if (file->parts) return file;
    base_free(allocator, file);
    return NULL;
}

ondol_status gguf_file_open(const ondol_allocator *allocator, const char *path,
                            const gguf_open_options *options, gguf_file **out, ondol_error *err) {
    static const gguf_open_options defaults = {0};
    ondol_status status = ONDOL_OK;
    gguf_split_keys keys = {0};
    *out = NULL;
    if (!options) options = &defaults;
    gguf_file *file = create_file(allocator);
    if (!file) return base_no_memory(err, "GGUF file", sizeof *file);
    TRY(open_part(allocator, path, options, file->parts, err));
    status = gguf_split_read(&file->parts[0].header, &keys, err);
    if (status != ONDOL_OK) TRY(base_prefix(err, status, "'%s'", path));
    if (keys.count > 1) TRY(open_split_set(file, options, &keys, err));
    status = finish_open(file, err);
    if (status != ONDOL_OK) TRY(base_prefix(err, status, "'%s'", path));
    *out = file;
    file = NULL;
done:
    gguf_file_close(file);
    return status;
}

ondol_status gguf_file_open_memory(const ondol_allocator *allocator, const void *bytes,
                                   uint64_t size_bytes, const gguf_open_options *options,
                                   gguf_file **out, ondol_error *err) {
    static const gguf_open_options defaults = {0};
    ondol_status status = ONDOL_OK;
    gguf_split_keys keys = {0};
    *out = NULL;
    gguf_file *file = create_file(allocator);
    if (!file) return base_no_memory(err, "GGUF file", sizeof *file);
    TRY(parse_part(allocator, bytes, size_bytes, options ? options : &defaults, file->parts, err));
    TRY(gguf_split_read(&file->parts[0].header, &keys, err));
    if (keys.count > 1) {
        TRY(base_fail(err, ONDOL_E_UNSUPPORTED,
                      "this is part %" PRIu32 " of %" PRIu32
                      " of a model: open it by its path, so that the others can be found",
                      keys.number + 1, keys.count));
    }
    TRY(finish_open(file, err));
    *out = file;
    file = NULL;
done:
    gguf_file_close(file);
    return status;
}

void gguf_file_close(gguf_file *file) {
    if (!file) return;
    const ondol_allocator *allocator = file->allocator;
    for (size_t i = 0; file->swapped && i < file->tensor_count; i++)
        base_free(allocator, file->swapped[i]);
    base_free(allocator, file->swapped);
    base_mutex_destroy(file->mutex);
    base_map_destroy(&file->tensor_map);
    base_free(allocator, file->tensors);
    for (uint32_t p = 0; p < file->part_count; p++)
        close_part(allocator, file->parts + p);
    base_free(allocator, file->parts);
    base_free(allocator, file);
}

/* ---- what is in it ---- */

uint32_t gguf_part_count(const gguf_file *file) {
    return file->part_count;
}

const gguf_part *gguf_part_at(const gguf_file *file, uint32_t i) {
    return &file->parts[i].info;
}

ondol_status gguf_file_lock(const gguf_file *file, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    for (uint32_t p = 0; p < file->part_count; p++)
        TRY(base_file_lock(&file->parts[p].file, err));
done:
    return status;
}

size_t gguf_key_count(const gguf_file *file) {
    return file->parts[0].header.key_count;
}

const gguf_key *gguf_key_at(const gguf_file *file, size_t i) {
    return file->parts[0].header.keys + i;
}

const gguf_value *gguf_find_key(const gguf_file *file, const char *key) {
    return gguf_header_find(&file->parts[0].header, key);
}

size_t gguf_tensor_count(const gguf_file *file) {
    return file->tensor_count;
}

const gguf_tensor *gguf_tensor_at(const gguf_file *file, size_t i) {
    return file->tensors + i;
}

const gguf_tensor *gguf_find_tensor(const gguf_file *file, const char *name) {
    uint32_t i = 0;
    if (!base_map_get(&file->tensor_map, name, strlen(name), &i)) return NULL;
    return file->tensors + i;
}

static ondol_status swap_tensor(gguf_file *file, const gguf_tensor *tensor, unsigned char **copy,
                                ondol_error *err) {
    unsigned char *bytes = base_alloc_aligned(file->allocator, (size_t)tensor->size_bytes, 64);
    if (!bytes) return base_no_memory(err, "byte-swapped copy of a tensor", tensor->size_bytes);
    memcpy(bytes, file->parts[tensor->part].info.data + tensor->offset, (size_t)tensor->size_bytes);
    tensor_encoding_byteswap(tensor->encoding, bytes, (size_t)tensor->n_elems);
    *copy = bytes;
    return ONDOL_OK;
}

ondol_status gguf_tensor_data(gguf_file *file, const gguf_tensor *tensor,
                              const unsigned char **data, ondol_error *err) {
    const gguf_part *part = &file->parts[tensor->part].info;
    if (!part->big_endian) {
        *data = part->data + tensor->offset;
        return ONDOL_OK;
    }
    ondol_status status = ONDOL_OK;
    unsigned char **copy = file->swapped + (tensor - file->tensors);
    base_mutex_lock(file->mutex);
    if (!*copy) status = swap_tensor(file, tensor, copy, err);
    if (status == ONDOL_OK) *data = *copy;
    base_mutex_unlock(file->mutex);
    return status;
}

void gguf_tensor_will_need(const gguf_file *file, const gguf_tensor *tensor) {
    base_file_will_need(&file->parts[tensor->part].file, tensor->offset, tensor->size_bytes);
}

void gguf_tensor_release(gguf_file *file, const gguf_tensor *tensor) {
    base_file_release_pages(&file->parts[tensor->part].file, tensor->offset, tensor->size_bytes);
    if (!file->swapped || !file->parts[tensor->part].info.big_endian) return;
    base_mutex_lock(file->mutex);
    unsigned char **copy = file->swapped + (tensor - file->tensors);
    base_free(file->allocator, *copy);
    *copy = NULL;
    base_mutex_unlock(file->mutex);
}
