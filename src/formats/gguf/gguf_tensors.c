/* The tensor records of a GGUF header. In: the walk behind the keys. Out: shapes, encodings, and
 * places that lie within the file and apart from each other. */
#include <inttypes.h>

#include "base/checked.h"
#include "formats/gguf/gguf_header.h"

/* The name of a tensor as arguments of "%.*s". */
#define NAME_ARGUMENTS(t)                                                                          \
    ((t)->name.size_bytes < 80 ? (int)(t)->name.size_bytes : 80), (t)->name.text

static ondol_status walk_shape(gguf_walk *walk, gguf_tensor *out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint32_t n_dims = 0;
    uint64_t start = walk->reader.offset;
    TRY(gguf_walk_u32(walk, "number of dims", &n_dims, err));
    if (n_dims > GGUF_DIMS_MAX) {
        return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                              "number of dims at byte %" PRIu64 " is %" PRIu32
                              ", expected at most %u",
                              start, n_dims, GGUF_DIMS_MAX);
    }
    out->n_dims = n_dims;
    out->n_elems = 1;
    for (unsigned i = 0; i < GGUF_DIMS_MAX; i++) {
        out->dims[i] = 1;
        if (i >= n_dims) continue;
        start = walk->reader.offset;
        TRY(gguf_walk_count(walk, "dim", &out->dims[i], err));
        if (out->dims[i] == 0) {
            return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                                  "dim %u at byte %" PRIu64 " is 0, expected at least 1", i, start);
        }
        if (!base_mul(out->n_elems, out->dims[i], &out->n_elems) || out->n_elems > INT64_MAX) {
            return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                                  "dim %u at byte %" PRIu64 " is %" PRIu64
                                  ": the product of the dims is 2^63 or more",
                                  i, start, out->dims[i]);
        }
    }
done:
    return status;
}

static ondol_status walk_encoding(gguf_walk *walk, gguf_tensor *out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint32_t ggml_type = 0;
    uint64_t start = walk->reader.offset;
    TRY(gguf_walk_u32(walk, "type", &ggml_type, err));
    ondol_error why = {0};
    status = tensor_encoding_from_ggml(ggml_type, &out->encoding, &why);
    if (status != ONDOL_OK) {
        return gguf_walk_fail(walk, err, status, "type at byte %" PRIu64 ": %s", start, why.text);
    }
    const tensor_encoding_info *info = tensor_encoding_info_of(out->encoding);
    if (out->dims[0] % info->block_elems != 0) {
        return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                              "a row has %" PRIu64 " elements, expected a multiple of %" PRIu32
                              ", the block of %s",
                              out->dims[0], info->block_elems, info->name);
    }
    if (!base_mul(out->n_elems / info->block_elems, info->block_bytes, &out->size_bytes)) {
        return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                              "%" PRIu64 " elements of %s have 2^64 bytes or more", out->n_elems,
                              info->name);
    }
done:
    return status;
}

ondol_status gguf_walk_tensor(gguf_walk *walk, uint32_t alignment, gguf_tensor *out,
                              ondol_error *err) {
    ondol_status status = ONDOL_OK;
    *out = (gguf_tensor){0};
    TRY(gguf_walk_name(walk, err));
    out->name = walk->name;
    TRY(walk_shape(walk, out, err));
    TRY(walk_encoding(walk, out, err));
    uint64_t start = walk->reader.offset;
    TRY(gguf_walk_need(walk, 8, "offset", err));
    out->offset = base_read_u64(&walk->reader);
    if (out->offset % alignment != 0) {
        return gguf_walk_fail(walk, err, ONDOL_E_FORMAT,
                              "offset at byte %" PRIu64 " is %" PRIu64
                              ", expected a multiple of the alignment %" PRIu32,
                              start, out->offset, alignment);
    }
done:
    return status;
}

/* Restores the heap (greatest offset on top) of order[0..n) below `root`. */
static void sift_down(uint32_t *order, size_t root, size_t n, const gguf_tensor *tensors) {
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= n) return;
        if (child + 1 < n && tensors[order[child]].offset < tensors[order[child + 1]].offset) {
            child++;
        }
        if (tensors[order[root]].offset >= tensors[order[child]].offset) return;
        uint32_t swap = order[root];
        order[root] = order[child];
        order[child] = swap;
        root = child;
    }
}

/* Heap sort, since its worst case is no worse and it takes no memory. */
static void sort_by_offset(uint32_t *order, size_t n, const gguf_tensor *tensors) {
    for (size_t i = n / 2; i > 0; i--)
        sift_down(order, i - 1, n, tensors);
    for (size_t left = n; left > 1; left--) {
        uint32_t swap = order[0];
        order[0] = order[left - 1];
        order[left - 1] = swap;
        sift_down(order, 0, left - 1, tensors);
    }
}

static ondol_status check_pair(const gguf_tensor *a, const gguf_tensor *b, ondol_error *err) {
    if (a->offset + a->size_bytes <= b->offset) return ONDOL_OK;
    return base_fail(err, ONDOL_E_FORMAT,
                     "tensor '%.*s' at byte %" PRIu64 " overlaps tensor '%.*s', which has %" PRIu64
                     " bytes from byte %" PRIu64,
                     NAME_ARGUMENTS(b), b->offset, NAME_ARGUMENTS(a), a->size_bytes, a->offset);
}

/* Ends are known to fit 64 bits. Files mostly hold their tensors in order: then nothing is sorted.
 */
static ondol_status check_apart(const ondol_allocator *allocator, const gguf_tensor *tensors,
                                size_t n, ondol_error *err) {
    bool ascending = true;
    for (size_t i = 1; i < n && ascending; i++)
        ascending = tensors[i - 1].offset <= tensors[i].offset;
    uint32_t *order = NULL;
    if (!ascending) {
        order = base_alloc(allocator, n, sizeof *order);
        if (!order) return base_no_memory(err, "order of the tensors", n * sizeof *order);
        for (size_t i = 0; i < n; i++)
            order[i] = (uint32_t)i;
        sort_by_offset(order, n, tensors);
    }
    ondol_status status = ONDOL_OK;
    for (size_t i = 1; i < n && status == ONDOL_OK; i++) {
        status = check_pair(tensors + (order ? order[i - 1] : i - 1),
                            tensors + (order ? order[i] : i), err);
    }
    base_free(allocator, order);
    return status;
}

ondol_status gguf_tensors_place(const ondol_allocator *allocator, gguf_tensor *tensors, size_t n,
                                uint64_t data_offset, uint64_t size_bytes, ondol_error *err) {
    const gguf_tensor *first_past = NULL;
    uint64_t greatest_end = 0;
    for (size_t i = 0; i < n; i++) {
        gguf_tensor *t = tensors + i;
        uint64_t end = 0;
        if (!base_add(t->offset, data_offset, &t->offset) ||
            !base_add(t->offset, t->size_bytes, &end)) {
            return base_fail(err, ONDOL_E_FORMAT,
                             "tensor '%.*s': offset %" PRIu64 " and size %" PRIu64
                             " together pass 2^64",
                             NAME_ARGUMENTS(t), t->offset, t->size_bytes);
        }
        if (end > size_bytes && !first_past) first_past = t;
        if (end > greatest_end) greatest_end = end;
    }
    if (first_past) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "tensor '%.*s': its %" PRIu64 " bytes from byte %" PRIu64
                         " pass the end of the file (%" PRIu64 " bytes); the tensors need %" PRIu64
                         " bytes: %" PRIu64 " are missing (half a download, or damaged)",
                         NAME_ARGUMENTS(first_past), first_past->size_bytes, first_past->offset,
                         size_bytes, greatest_end, greatest_end - size_bytes);
    }
    return check_apart(allocator, tensors, n, err);
}
