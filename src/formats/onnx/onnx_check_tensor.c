/* Rules on tensors. In: a TensorProto or SparseTensorProto. Out: the first rule that it breaks. */
#include <inttypes.h>

#include "base/checked.h"
#include "formats/onnx/onnx_checking.h"
#include "formats/onnx/onnx_file_state.h"
#include "tensor/number.h"

/* One of the lists that data may lie in. */
typedef struct data_list {
    const char *name;
    uint64_t count;
} data_list;

enum { LISTS = 7 };

static void lists_of(const onnx_tensor *t, data_list lists[LISTS]) {
    const data_list all[LISTS] = {
        {"float_data", t->float_data.count},   {"int32_data", t->int32_data.count},
        {"int64_data", t->int64_data.count},   {"double_data", t->double_data.count},
        {"uint64_data", t->uint64_data.count}, {"string_data", t->string_data.count},
        {"raw_data", t->raw_data.size_bytes},
    };
    for (int i = 0; i < LISTS; i++)
        lists[i] = all[i];
}

/* The index of the list for elements of a type. */
static int list_for(int32_t type) {
    switch (type) {
    case TENSOR_ELEMENT_F32:
    case TENSOR_ELEMENT_C64: return 0;
    case TENSOR_ELEMENT_I64: return 2;
    case TENSOR_ELEMENT_F64:
    case TENSOR_ELEMENT_C128: return 3;
    case TENSOR_ELEMENT_U32:
    case TENSOR_ELEMENT_U64: return 4;
    case TENSOR_ELEMENT_STRING: return 5;
    default: return 1;
    }
}

static ondol_status fault(onnx_checking *c, const onnx_tensor *t, const char *text) {
    return base_fail(c->err, ONDOL_E_FORMAT, "tensor '%.*s': %s", ONNX_BRIEF(t->name), text);
}

static ondol_status count_elems(onnx_checking *c, const onnx_tensor *t, uint64_t *out) {
    uint64_t elems = 1;
    bool fits = true;
    for (size_t i = 0; i < t->dims.count; i++) {
        if (t->dims.items[i] < 0) {
            return base_fail(c->err, ONDOL_E_FORMAT,
                             "tensor '%.*s': dimension %zu is %" PRId64 ", expected 0 or more",
                             ONNX_BRIEF(t->name), i, t->dims.items[i]);
        }
        fits = fits && base_mul(elems, (uint64_t)t->dims.items[i], &elems);
    }
    if (!fits || elems > INT64_MAX) return fault(c, t, "its dimensions pass 2^63 elements");
    *out = elems;
    return ONDOL_OK;
}

static ondol_status check_external(onnx_checking *c, const onnx_tensor *t) {
    data_list lists[LISTS];
    lists_of(t, lists);
    for (int i = 0; i < LISTS; i++) {
        if (!lists[i].count) continue;
        return base_fail(c->err, ONDOL_E_FORMAT,
                         "tensor '%.*s': its data is external, but %s has some too",
                         ONNX_BRIEF(t->name), lists[i].name);
    }
    if (t->data_type == TENSOR_ELEMENT_STRING) return fault(c, t, "strings in external data");
    if (!c->file) return onnx_external_check(t, c->err);
    onnx_tensor_view view;
    return onnx_tensor_read(c->file, &c->arena, t, &view, c->err);
}

/* Bits that a byte or number has beyond a 6-bit element are 0. */
static ondol_status check_spare_bits(onnx_checking *c, const onnx_tensor *t, uint64_t elems) {
    if (t->data_type != TENSOR_ELEMENT_F6E2M3 && t->data_type != TENSOR_ELEMENT_F6E3M2) {
        return ONDOL_OK;
    }
    const unsigned used = (unsigned)(elems % 4 * 6 % 8);
    const size_t n = t->raw_data.size_bytes;
    if (n && used && (unsigned char)t->raw_data.text[n - 1] >> used) {
        return fault(c, t, "bits behind its last 6-bit element are not 0");
    }
    for (size_t i = 0; i < t->int32_data.count; i++) {
        if (t->int32_data.items[i] >= 0 && t->int32_data.items[i] <= 0x3f) continue;
        return fault(c, t, "a number in int32_data has more than 6 bits");
    }
    return ONDOL_OK;
}

/* Numbers that a list holds for so many elements; elems < 2^63. */
static uint64_t numbers_for(int32_t type, uint64_t elems) {
    const unsigned bits = tensor_element_bits((tensor_element)type);
    if (type == TENSOR_ELEMENT_C64 || type == TENSOR_ELEMENT_C128) return elems * 2;
    if (bits == 4 || bits == 2) return elems / (8 / bits) + (elems % (8 / bits) != 0);
    return elems;
}

static ondol_status check_inline(onnx_checking *c, const onnx_tensor *t) {
    data_list lists[LISTS];
    uint64_t elems = 0, bytes = 0;
    int used = 0, which = LISTS - 1;
    ondol_status status = count_elems(c, t, &elems);
    if (status != ONDOL_OK) return status;
    lists_of(t, lists);
    for (int i = 0; i < LISTS; i++) {
        if (!lists[i].count) continue;
        used++;
        which = i;
    }
    if (elems == 0) return used ? fault(c, t, "it has no elements, but data") : ONDOL_OK;
    if (used != 1) {
        return fault(c, t, used ? "its data is in more than one field" : "it has no data");
    }
    const bool texts = t->data_type == TENSOR_ELEMENT_STRING;
    const bool raw = which == LISTS - 1;
    if (raw ? texts : which != list_for(t->data_type)) {
        return base_fail(
            c->err, ONDOL_E_FORMAT, "tensor '%.*s': elements of type %s lie in %s, expected %s",
            ONNX_BRIEF(t->name), tensor_element_onnx_name((tensor_element)t->data_type),
            lists[which].name, lists[list_for(t->data_type)].name);
    }
    if (raw && !tensor_element_bytes((tensor_element)t->data_type, elems, &bytes)) {
        return fault(c, t, "its elements pass 2^64 bytes");
    }
    const uint64_t expected = raw ? bytes : numbers_for(t->data_type, elems);
    if (lists[which].count != expected) {
        return base_fail(c->err, ONDOL_E_FORMAT,
                         "tensor '%.*s': %s has %" PRIu64 " %s, its %" PRIu64
                         " elements of type %s need %" PRIu64,
                         ONNX_BRIEF(t->name), lists[which].name, lists[which].count,
                         raw ? "bytes" : "numbers", elems,
                         tensor_element_onnx_name((tensor_element)t->data_type), expected);
    }
    return check_spare_bits(c, t, elems);
}

ondol_status onnx_checking_tensor(onnx_checking *c, const onnx_tensor *t) {
    if (!onnx_has(&t->head, ONNX_HAS_tensor_data_type) || !tensor_element_valid(t->data_type)) {
        return base_fail(c->err, ONDOL_E_FORMAT,
                         "tensor '%.*s': data_type %" PRId32 ", expected 1 to %d",
                         ONNX_BRIEF(t->name), t->data_type, TENSOR_ELEMENT_COUNT - 1);
    }
    if (t->dims.count > TENSOR_MAX_RANK) {
        return base_fail(c->err, ONDOL_E_LIMIT,
                         "tensor '%.*s': %zu dimensions, expected at most %d", ONNX_BRIEF(t->name),
                         t->dims.count, TENSOR_MAX_RANK);
    }
    if (t->segment) return fault(c, t, "it is a segment of a tensor, which nothing puts together");
    if (t->data_location == ONNX_DATA_LOCATION_EXTERNAL) return check_external(c, t);
    if (t->data_location != ONNX_DATA_LOCATION_DEFAULT) {
        return fault(c, t, "data_location is neither DEFAULT nor EXTERNAL");
    }
    return check_inline(c, t);
}

/* ---- sparse tensors ---- */

/* The place of value i in the dense tensor, in *place; false when an index is out of range. */
static bool place_of(const onnx_sparse_tensor *t, const onnx_tensor_view *indices, uint64_t i,
                     uint64_t dense, uint64_t *place) {
    const size_t rank = t->dims.count;
    if (indices->rank == 1) {
        *place = (uint64_t)tensor_get_integer(TENSOR_ELEMENT_I64, indices->data, i);
        return *place < dense;
    }
    *place = 0;
    for (size_t d = 0; d < rank; d++) {
        const int64_t at = tensor_get_integer(TENSOR_ELEMENT_I64, indices->data, i * rank + d);
        if (at < 0 || at >= t->dims.items[d]) return false;
        *place = *place * (uint64_t)t->dims.items[d] + (uint64_t)at;
    }
    return true;
}

static ondol_status check_indices(onnx_checking *c, const onnx_sparse_tensor *t, uint64_t dense) {
    onnx_tensor_view view;
    const onnx_tensor *values = t->values, *indices = t->indices;
    const int64_t count = values->dims.items[0];
    ondol_status status = onnx_checking_tensor(c, indices);
    if (status != ONDOL_OK) return status;
    const onnx_int64s *dims = &indices->dims;
    if (indices->data_type != TENSOR_ELEMENT_I64) return fault(c, indices, "indices are not int64");
    const bool fits = dims->count == 1 || (dims->count == 2 && dims->items[1] >= 0 &&
                                           (uint64_t)dims->items[1] == t->dims.count);
    if (!fits || dims->items[0] != count) {
        return base_fail(c->err, ONDOL_E_FORMAT,
                         "sparse tensor '%.*s': indices are not [%" PRId64 "] or [%" PRId64 ",%zu]",
                         ONNX_BRIEF(values->name), count, count, t->dims.count);
    }
    if (!c->file && indices->data_location == ONNX_DATA_LOCATION_EXTERNAL) return ONDOL_OK;
    base_arena arena;
    base_arena_init(&arena, c->allocator, 0);
    TRY(onnx_tensor_read(c->file, &arena, indices, &view, c->err));
    uint64_t before = 0;
    for (uint64_t i = 0; i < (uint64_t)count; i++) {
        uint64_t place = 0;
        const bool inside = place_of(t, &view, i, dense, &place);
        if (inside && (i == 0 || place > before)) {
            before = place;
            continue;
        }
        status = base_fail(c->err, ONDOL_E_FORMAT, "sparse tensor '%.*s': index %" PRIu64 " is %s",
                           ONNX_BRIEF(values->name), i,
                           inside ? "not above the one before it" : "outside of the dimensions");
        goto done;
    }
done:
    base_arena_destroy(&arena);
    return status;
}

ondol_status onnx_checking_sparse(onnx_checking *c, const onnx_sparse_tensor *t) {
    uint64_t dense = 1;
    if (!t->values) return base_fail(c->err, ONDOL_E_FORMAT, "a sparse tensor without values");
    ondol_status status = onnx_checking_tensor(c, t->values);
    if (status != ONDOL_OK) return status;
    if (t->values->dims.count != 1) {
        return fault(c, t->values, "values of a sparse tensor, expected one dimension");
    }
    if (t->dims.count == 0 || t->dims.count > TENSOR_MAX_RANK) {
        return base_fail(c->err, ONDOL_E_FORMAT,
                         "sparse tensor '%.*s': %zu dimensions, expected 1 to %d",
                         ONNX_BRIEF(t->values->name), t->dims.count, TENSOR_MAX_RANK);
    }
    for (size_t i = 0; i < t->dims.count; i++) {
        if (t->dims.items[i] <= 0 || !base_mul(dense, (uint64_t)t->dims.items[i], &dense) ||
            dense > INT64_MAX) {
            return base_fail(c->err, ONDOL_E_FORMAT,
                             "sparse tensor '%.*s': dimension %zu is %" PRId64
                             ", expected 1 or more and fewer than 2^63 elements",
                             ONNX_BRIEF(t->values->name), i, t->dims.items[i]);
        }
    }
    if (t->indices) return check_indices(c, t, dense);
    if (t->values->dims.items[0] == 0) return ONDOL_OK;
    return base_fail(c->err, ONDOL_E_FORMAT, "sparse tensor '%.*s': it has no indices",
                     ONNX_BRIEF(t->values->name));
}
