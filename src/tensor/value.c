/* Values of a run. In: element types, dimensions. Out: counted tensors, sequences, maps. */
#include "tensor/value.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "tensor/heap.h"

static ondol_status new_value(tensor_heap *h, tensor_value_kind kind, tensor_value **out,
                              ondol_error *err) {
    void *p = NULL;
    ondol_status status = tensor_heap_alloc(h, sizeof **out, "a value", &p, err);
    if (status != ONDOL_OK) return status;
    *out = p;
    **out = (tensor_value){.kind = kind, .heap = h, .references = 1};
    return ONDOL_OK;
}

static ondol_status set_shape(tensor_value *v, tensor_element element, uint32_t rank,
                              const int64_t *dims, ondol_error *err) {
    uint64_t elems = 1;
    if (rank > TENSOR_MAX_RANK) {
        return base_fail(err, ONDOL_E_LIMIT, "a tensor of rank %" PRIu32 ", expected at most %d",
                         rank, TENSOR_MAX_RANK);
    }
    for (uint32_t i = 0; i < rank; i++) {
        if (dims[i] < 0) {
            return base_fail(err, ONDOL_E_LIMIT, "dimension %" PRIu32 " of a tensor is %" PRId64, i,
                             dims[i]);
        }
        v->dims[i] = dims[i];
        if (dims[i] == 0) elems = 0;
    }
    for (uint32_t i = 0; i < rank && elems; i++) {
        if (!base_mul(elems, (uint64_t)dims[i], &elems) || elems > (uint64_t)INT64_MAX) {
            return base_fail(err, ONDOL_E_LIMIT, "a tensor has more elements than 2^63");
        }
    }
    v->element = element;
    v->rank = rank;
    v->elems = elems;
    return ONDOL_OK;
}

static bool dense_bytes(const tensor_value *v, uint64_t *bytes) {
    if (v->element == TENSOR_ELEMENT_STRING) {
        return base_mul(v->elems, sizeof(tensor_string), bytes);
    }
    return tensor_element_bytes(v->element, v->elems, bytes);
}

uint64_t tensor_value_bytes(const tensor_value *v) {
    uint64_t bytes = 0;
    dense_bytes(v, &bytes);
    return bytes;
}

ondol_status tensor_value_create(tensor_heap *h, tensor_element element, uint32_t rank,
                                 const int64_t *dims, tensor_value **out, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    uint64_t bytes = 0;
    TRY(new_value(h, TENSOR_VALUE_TENSOR, &v, err));
    TRY(set_shape(v, element, rank, dims, err));
    if (!dense_bytes(v, &bytes)) {
        status = base_fail(err, ONDOL_E_LIMIT, "a tensor of %" PRIu64 " elements of type %s",
                           v->elems, tensor_element_name(element));
        goto done;
    }
    TRY(tensor_block_create(h, bytes, &v->block, err));
    v->data = tensor_block_data(v->block);
    if (element == TENSOR_ELEMENT_STRING) {
        tensor_string *s = v->data;
        for (uint64_t i = 0; i < v->elems; i++)
            s[i] = (tensor_string){"", 0};
    }
    *out = v;
    return ONDOL_OK;
done:
    tensor_value_release(v);
    return status;
}

ondol_status tensor_value_borrow(tensor_heap *h, tensor_element element, uint32_t rank,
                                 const int64_t *dims, const void *data, tensor_value **out,
                                 ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    TRY(new_value(h, TENSOR_VALUE_TENSOR, &v, err));
    TRY(set_shape(v, element, rank, dims, err));
    /* Nobody writes it: tensor_value_is_own is false. */
    union {
        const void *in;
        void *out;
    } bytes = {.in = data ? data : ""};
    v->data = bytes.out;
    *out = v;
    return ONDOL_OK;
done:
    tensor_value_release(v);
    return status;
}

ondol_status tensor_value_view(tensor_value *from, uint32_t rank, const int64_t *dims,
                               uint64_t first, tensor_value **out, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    TRY(new_value(from->heap, TENSOR_VALUE_TENSOR, &v, err));
    TRY(set_shape(v, from->element, rank, dims, err));
    if (!base_range_ok(first, v->elems, from->elems)) {
        status = base_fail(err, ONDOL_E_INTERNAL,
                           "a view of %" PRIu64 " elements at %" PRIu64 " of %" PRIu64, v->elems,
                           first, from->elems);
        goto done;
    }
    uint64_t offset = 0;
    if (v->element == TENSOR_ELEMENT_STRING)
        offset = first * sizeof(tensor_string);
    else
        tensor_element_bytes(v->element, first, &offset);
    v->data = (char *)from->data + offset;
    v->block = tensor_block_retain(from->block);
    v->texts = tensor_block_retain(from->texts);
    *out = v;
    return ONDOL_OK;
done:
    tensor_value_release(v);
    return status;
}

ondol_status tensor_value_copy(tensor_heap *h, const tensor_value *from, tensor_value **out,
                               ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    TRY(tensor_value_create(h, from->element, from->rank, from->dims, &v, err));
    if (from->element != TENSOR_ELEMENT_STRING) {
        memcpy(v->data, from->data, (size_t)tensor_value_bytes(from));
    } else {
        const tensor_string *s = from->data;
        for (uint64_t i = 0; i < from->elems; i++)
            TRY(tensor_value_set_string(v, i, s[i].text, s[i].size_bytes, err));
    }
    *out = v;
    return ONDOL_OK;
done:
    tensor_value_release(v);
    return status;
}

bool tensor_value_is_own(const tensor_value *v) {
    return v->references == 1 && v->block && tensor_block_is_single(v->block);
}

ondol_status tensor_value_set_string(tensor_value *v, uint64_t i, const char *text, size_t n,
                                     ondol_error *err) {
    tensor_string *s = (tensor_string *)v->data + i;
    if (n == 0) {
        *s = (tensor_string){"", 0};
        return ONDOL_OK;
    }
    char *copy = NULL;
    ondol_status status = tensor_block_add_text(v->heap, &v->texts, text, n, &copy, err);
    if (status == ONDOL_OK) *s = (tensor_string){copy, n};
    return status;
}

ondol_status tensor_value_create_list(tensor_heap *h, tensor_value_kind kind, tensor_value **out,
                                      ondol_error *err) {
    return new_value(h, kind, out, err);
}

ondol_status tensor_value_append(tensor_value *list, tensor_value *item, ondol_error *err) {
    if (list->item_count == list->item_capacity) {
        const uint64_t wanted = list->item_capacity ? list->item_capacity * 2 : 4;
        void *p = NULL;
        ondol_status status =
            tensor_heap_alloc(list->heap, wanted * sizeof *list->items, "a sequence", &p, err);
        if (status != ONDOL_OK) return status;
        if (list->items) memcpy(p, list->items, list->item_count * sizeof *list->items);
        tensor_heap_free(list->heap, list->items);
        list->items = p;
        list->item_capacity = wanted;
    }
    if (item->kind == TENSOR_VALUE_TENSOR) list->element = item->element;
    list->items[list->item_count++] = tensor_value_retain(item);
    return ONDOL_OK;
}

tensor_value *tensor_value_retain(tensor_value *v) {
    v->references++;
    return v;
}

/* Lists hold what types nest, which is as deep as a file's types: capped where they are read. */
void tensor_value_release(tensor_value *v) {
    if (!v || --v->references) return;
    for (uint64_t i = 0; i < v->item_count; i++)
        tensor_value_release(v->items[i]);
    tensor_heap *h = v->heap;
    tensor_heap_free(h, v->items);
    tensor_block_release(h, v->block);
    tensor_block_release(h, v->texts);
    tensor_heap_free(h, v);
}
