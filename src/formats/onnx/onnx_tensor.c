/* Data of tensors. In: a TensorProto, in whichever of its forms. Out: a dense view. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "formats/onnx/onnx_file_state.h"
#include "tensor/number.h"

#define DENSE_BYTES_MAX ((uint64_t)1 << 31)

static ondol_status fault(const onnx_tensor *t, ondol_error *err, const char *what, uint64_t got,
                          uint64_t expected) {
    const int n = t->name.size_bytes < 100 ? (int)t->name.size_bytes : 100;
    return base_fail(err, ONDOL_E_FORMAT, "tensor '%.*s': %s: %" PRIu64 ", expected %" PRIu64, n,
                     t->name.text ? t->name.text : "", what, got, expected);
}

static ondol_status negative_fault(const onnx_tensor *t, size_t i, int64_t got, ondol_error *err) {
    const int n = t->name.size_bytes < 100 ? (int)t->name.size_bytes : 100;
    return base_fail(err, ONDOL_E_FORMAT,
                     "tensor '%.*s': dimension %zu is %" PRId64 ", expected 0 or more", n,
                     t->name.text ? t->name.text : "", i, got);
}

static ondol_status take_shape(const onnx_tensor *t, const onnx_int64s *dims, int32_t type,
                               onnx_tensor_view *out, ondol_error *err) {
    uint64_t elems = 1;
    bool none = false;
    if (!tensor_element_valid(type)) {
        return fault(t, err, "data_type", (uint64_t)(int64_t)type, TENSOR_ELEMENT_F32);
    }
    if (dims->count > TENSOR_MAX_RANK) return fault(t, err, "rank", dims->count, TENSOR_MAX_RANK);
    for (size_t i = 0; i < dims->count; i++) {
        out->dims[i] = dims->items[i];
        none = none || dims->items[i] == 0;
        if (dims->items[i] < 0) return negative_fault(t, i, dims->items[i], err);
    }
    for (size_t i = 0; i < dims->count && !none; i++) {
        if (!base_mul(elems, (uint64_t)dims->items[i], &elems)) {
            return fault(t, err, "elements past memory, dimension", (uint64_t)dims->items[i], 1);
        }
    }
    if (none) elems = 0;
    out->element = (tensor_element)type;
    out->rank = (uint32_t)dims->count;
    out->elems = elems;
    const bool sized = type == TENSOR_ELEMENT_STRING
                           ? base_mul(elems, sizeof(tensor_string), &out->size_bytes)
                           : tensor_element_bytes(out->element, elems, &out->size_bytes);
    return sized ? ONDOL_OK : fault(t, err, "elements past memory", elems, 0);
}

/* How many numbers of the typed list hold the elements. */
static ondol_status check_count(const onnx_tensor *t, const char *list, uint64_t got,
                                uint64_t expected, ondol_error *err) {
    return got == expected ? ONDOL_OK : fault(t, err, list, got, expected);
}

static ondol_status from_int32s(const onnx_tensor *t, const onnx_tensor_view *v, void *to,
                                ondol_error *err) {
    const unsigned bits = tensor_element_bits(v->element);
    const unsigned each = bits == 4 || bits == 2 ? 8 / bits : 1; /* packed into bytes of int32s */
    const uint64_t wanted = v->elems / each + (v->elems % each != 0);
    ondol_status status = check_count(t, "numbers in int32_data", t->int32_data.count, wanted, err);
    if (status != ONDOL_OK) return status;
    for (uint64_t i = 0; i < wanted; i++) {
        const uint32_t word = (uint32_t)t->int32_data.items[i];
        const uint16_t half = (uint16_t)word;
        if (bits == 32)
            memcpy((char *)to + 4 * i, &word, 4);
        else if (bits == 16)
            memcpy((char *)to + 2 * i, &half, 2);
        else if (bits == 6)
            tensor_set_code(v->element, to, i, word & 0x3f);
        else
            ((unsigned char *)to)[i] = (unsigned char)word;
    }
    return ONDOL_OK;
}

static ondol_status from_strings(const onnx_tensor *t, const onnx_tensor_view *v, void *to,
                                 ondol_error *err) {
    ondol_status status =
        check_count(t, "texts in string_data", t->string_data.count, v->elems, err);
    if (status != ONDOL_OK) return status;
    tensor_string *s = to;
    for (uint64_t i = 0; i < v->elems; i++) {
        s[i] = t->string_data.items[i];
        if (!s[i].text) s[i] = (tensor_string){"", 0};
    }
    return ONDOL_OK;
}

/* Data of the typed fields, copied. */
static ondol_status from_typed(const onnx_tensor *t, base_arena *arena, onnx_tensor_view *v,
                               ondol_error *err) {
    /* Before memory is taken: a list must hold as many numbers, each a byte of the file. */
    const uint64_t held = t->float_data.count + t->int32_data.count + t->int64_data.count +
                          t->double_data.count + t->uint64_data.count + t->string_data.count;
    if (held < v->elems / 8) return fault(t, err, "numbers of data", held, v->elems);
    void *to = base_arena_alloc(arena, v->size_bytes ? (size_t)v->size_bytes : 1, 1);
    if (!to) return base_no_memory(err, "tensor", v->size_bytes);
    v->data = to;
    const uint64_t pair = v->element == TENSOR_ELEMENT_C64 || v->element == TENSOR_ELEMENT_C128;
    ondol_status status = ONDOL_OK;
    switch (v->element) {
    case TENSOR_ELEMENT_F32:
    case TENSOR_ELEMENT_C64:
        status =
            check_count(t, "numbers in float_data", t->float_data.count, v->elems << pair, err);
        if (status == ONDOL_OK && v->size_bytes) {
            memcpy(to, t->float_data.items, (size_t)v->size_bytes);
        }
        return status;
    case TENSOR_ELEMENT_F64:
    case TENSOR_ELEMENT_C128:
        status =
            check_count(t, "numbers in double_data", t->double_data.count, v->elems << pair, err);
        if (status == ONDOL_OK && v->size_bytes) {
            memcpy(to, t->double_data.items, (size_t)v->size_bytes);
        }
        return status;
    case TENSOR_ELEMENT_I64:
        status = check_count(t, "numbers in int64_data", t->int64_data.count, v->elems, err);
        if (status == ONDOL_OK && v->elems) {
            memcpy(to, t->int64_data.items, (size_t)v->size_bytes);
        }
        return status;
    case TENSOR_ELEMENT_U64:
    case TENSOR_ELEMENT_U32:
        status = check_count(t, "numbers in uint64_data", t->uint64_data.count, v->elems, err);
        for (uint64_t i = 0; status == ONDOL_OK && i < v->elems; i++)
            tensor_set_integer(v->element, to, i, (int64_t)t->uint64_data.items[i]);
        return status;
    case TENSOR_ELEMENT_STRING: return from_strings(t, v, to, err);
    default: return from_int32s(t, v, to, err);
    }
}

ondol_status onnx_tensor_read(onnx_file *file, base_arena *arena, const onnx_tensor *t,
                              onnx_tensor_view *out, ondol_error *err) {
    *out = (onnx_tensor_view){.data = ""};
    ondol_status status = take_shape(t, &t->dims, t->data_type, out, err);
    if (status != ONDOL_OK) return status;
    if (t->segment) return fault(t, err, "segments are not known", 1, 0);
    const unsigned char *data = (const unsigned char *)t->raw_data.text;
    uint64_t size = t->raw_data.size_bytes;
    if (t->data_location == ONNX_DATA_LOCATION_EXTERNAL) {
        status = onnx_external_find(file, t, out->size_bytes, &data, &size, err);
        if (status != ONDOL_OK) return status;
    } else if (t->data_location != ONNX_DATA_LOCATION_DEFAULT) {
        return fault(t, err, "data_location", (uint64_t)(int64_t)t->data_location, 1);
    } else if (!data) {
        return from_typed(t, arena, out, err);
    }
    if (out->element == TENSOR_ELEMENT_STRING) {
        return fault(t, err, "bytes of raw or external data for strings", size, 0);
    }
    if (size != out->size_bytes) return fault(t, err, "bytes of data", size, out->size_bytes);
    out->data = data;
    out->borrowed = true;
    return ONDOL_OK;
}

/* Where entry i of the indices puts its value; false when it is out of range. */
static bool place_of(const onnx_tensor_view *indices, const onnx_tensor_view *out, uint64_t i,
                     uint64_t *place) {
    if (indices->rank == 1) {
        const int64_t at = tensor_get_integer(indices->element, indices->data, i);
        *place = (uint64_t)at;
        return at >= 0 && *place < out->elems;
    }
    *place = 0;
    for (uint32_t d = 0; d < out->rank; d++) {
        const int64_t at = tensor_get_integer(indices->element, indices->data, i * out->rank + d);
        if (at < 0 || at >= out->dims[d]) return false;
        *place = *place * (uint64_t)out->dims[d] + (uint64_t)at;
    }
    return true;
}

static void move_element(tensor_element e, void *to, uint64_t i, const void *from, uint64_t k) {
    const unsigned bits = tensor_element_bits(e);
    const size_t size = e == TENSOR_ELEMENT_STRING ? sizeof(tensor_string) : bits / 8;
    if (bits && bits < 8)
        tensor_set_code(e, to, i, tensor_get_code(e, from, k));
    else
        memcpy((char *)to + i * size, (const char *)from + k * size, size);
}

ondol_status onnx_sparse_tensor_read(onnx_file *file, base_arena *arena,
                                     const onnx_sparse_tensor *t, onnx_tensor_view *out,
                                     ondol_error *err) {
    onnx_tensor_view values, indices;
    ondol_status status = ONDOL_OK;
    *out = (onnx_tensor_view){.data = ""};
    if (!t->values) return base_fail(err, ONDOL_E_FORMAT, "a sparse tensor without values");
    TRY(onnx_tensor_read(file, arena, t->values, &values, err));
    if (t->indices) {
        TRY(onnx_tensor_read(file, arena, t->indices, &indices, err));
    } else if (values.elems) {
        return fault(t->values, err, "indices of the sparse values", 0, values.elems);
    } else {
        indices = (onnx_tensor_view){.element = TENSOR_ELEMENT_I64, .rank = 1, .data = ""};
    }
    TRY(take_shape(t->values, &t->dims, t->values->data_type, out, err));
    const bool pairs = indices.rank == 2 && indices.dims[1] == (int64_t)out->rank;
    if (values.rank != 1 || indices.element != TENSOR_ELEMENT_I64 ||
        (indices.rank != 1 && !pairs) || indices.dims[0] != (int64_t)values.elems) {
        return fault(t->values, err, "indices of the sparse values", indices.elems, values.elems);
    }
    if (out->size_bytes > DENSE_BYTES_MAX) {
        return base_fail(err, ONDOL_E_LIMIT,
                         "a sparse tensor of %" PRIu64
                         " bytes when dense, expected at most %" PRIu64,
                         out->size_bytes, DENSE_BYTES_MAX);
    }
    char *to = base_arena_alloc(arena, out->size_bytes ? (size_t)out->size_bytes : 1, 1);
    if (!to) return base_no_memory(err, "sparse tensor", out->size_bytes);
    for (uint64_t i = 0; out->element == TENSOR_ELEMENT_STRING && i < out->elems; i++)
        ((tensor_string *)(void *)to)[i] = (tensor_string){"", 0};
    for (uint64_t i = 0; i < values.elems; i++) {
        uint64_t place = 0;
        if (!place_of(&indices, out, i, &place)) {
            return fault(t->values, err, "an index past the dimensions, at", i, out->elems);
        }
        move_element(out->element, to, place, values.data, i);
    }
    out->data = to;
done:
    return status;
}
