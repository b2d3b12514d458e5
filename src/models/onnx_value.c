/* Values from messages. In: a TensorProto, SequenceProto, OptionalProto, MapProto. Out: a value
 * with its own data. Depth is that of the parser. */
#include "models/onnx_value.h"

#include <string.h>

#include "formats/onnx/onnx_file.h"

typedef struct taking {
    tensor_heap *heap;
    base_arena *arena;
    ondol_error *err;
} taking;

static ondol_status take_view(taking *t, const onnx_tensor_view *view, tensor_value **out) {
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    TRY(tensor_value_create(t->heap, view->element, view->rank, view->dims, &v, t->err));
    if (view->element == TENSOR_ELEMENT_STRING) {
        const tensor_string *s = view->data;
        for (uint64_t i = 0; i < view->elems; i++)
            TRY(tensor_value_set_string(v, i, s[i].text, s[i].size_bytes, t->err));
    } else if (view->size_bytes) {
        memcpy(v->data, view->data, (size_t)view->size_bytes);
    }
    *out = v;
    return ONDOL_OK;
done:
    tensor_value_release(v);
    return status;
}

static ondol_status take_tensor(taking *t, const onnx_tensor *from, tensor_value **out) {
    onnx_tensor_view view;
    ondol_status status = onnx_tensor_read(NULL, t->arena, from, &view, t->err);
    return status == ONDOL_OK ? take_view(t, &view, out) : status;
}

static ondol_status take_sparse(taking *t, const onnx_sparse_tensor *from, tensor_value **out) {
    onnx_tensor_view view;
    ondol_status status = onnx_sparse_tensor_read(NULL, t->arena, from, &view, t->err);
    return status == ONDOL_OK ? take_view(t, &view, out) : status;
}

static ondol_status take_sequence(taking *t, const onnx_sequence *from, tensor_value **out);
static ondol_status take_map(taking *t, const onnx_map *from, tensor_value **out);

/* Appends what was taken with `status` and gives it up. */
static ondol_status append(taking *t, tensor_value *list, ondol_status status, tensor_value *item) {
    if (status == ONDOL_OK) status = tensor_value_append(list, item, t->err);
    tensor_value_release(item);
    return status;
}

static ondol_status take_optional(taking *t, const onnx_optional *from, tensor_value **out) {
    tensor_value *v = NULL, *item = NULL;
    ondol_status status = tensor_value_create_list(t->heap, TENSOR_VALUE_OPTIONAL, &v, t->err);
    if (status != ONDOL_OK) return status;
    bool present = true;
    if (from->tensor_value)
        status = take_tensor(t, from->tensor_value, &item);
    else if (from->sparse_tensor_value)
        status = take_sparse(t, from->sparse_tensor_value, &item);
    else if (from->sequence_value)
        status = take_sequence(t, from->sequence_value, &item);
    else if (from->map_value)
        status = take_map(t, from->map_value, &item);
    else if (from->optional_value)
        status = take_optional(t, from->optional_value, &item);
    else
        present = false;
    if (present) status = append(t, v, status, item);
    if (status != ONDOL_OK) {
        tensor_value_release(v);
        return status;
    }
    *out = v;
    return ONDOL_OK;
}

static ondol_status take_items(taking *t, const onnx_sequence *from, tensor_value *list) {
    ondol_status status = ONDOL_OK;
    tensor_value *item = NULL;
    for (size_t i = 0; i < from->tensor_values.count && status == ONDOL_OK; i++, item = NULL) {
        status = take_tensor(t, from->tensor_values.items + i, &item);
        status = append(t, list, status, item);
    }
    for (size_t i = 0; i < from->sparse_tensor_values.count && status == ONDOL_OK;
         i++, item = NULL) {
        status = take_sparse(t, from->sparse_tensor_values.items + i, &item);
        status = append(t, list, status, item);
    }
    for (size_t i = 0; i < from->sequence_values.count && status == ONDOL_OK; i++, item = NULL) {
        status = take_sequence(t, from->sequence_values.items + i, &item);
        status = append(t, list, status, item);
    }
    for (size_t i = 0; i < from->map_values.count && status == ONDOL_OK; i++, item = NULL) {
        status = take_map(t, from->map_values.items + i, &item);
        status = append(t, list, status, item);
    }
    for (size_t i = 0; i < from->optional_values.count && status == ONDOL_OK; i++, item = NULL) {
        status = take_optional(t, from->optional_values.items + i, &item);
        status = append(t, list, status, item);
    }
    return status;
}

static ondol_status take_sequence(taking *t, const onnx_sequence *from, tensor_value **out) {
    tensor_value *v = NULL;
    ondol_status status = tensor_value_create_list(t->heap, TENSOR_VALUE_SEQUENCE, &v, t->err);
    if (status == ONDOL_OK) status = take_items(t, from, v);
    if (status == ONDOL_OK)
        *out = v;
    else
        tensor_value_release(v);
    return status;
}

static ondol_status take_keys(taking *t, const onnx_map *from, tensor_value **out) {
    const bool texts = from->key_type == TENSOR_ELEMENT_STRING;
    const int64_t count = (int64_t)(texts ? from->string_keys.count : from->keys.count);
    tensor_value *v = NULL;
    ondol_status status = tensor_value_create(
        t->heap, texts ? TENSOR_ELEMENT_STRING : TENSOR_ELEMENT_I64, 1, &count, &v, t->err);
    if (status != ONDOL_OK) return status;
    for (int64_t i = 0; i < count && status == ONDOL_OK; i++) {
        if (texts) {
            const onnx_string *s = from->string_keys.items + i;
            status = tensor_value_set_string(v, (uint64_t)i, s->text, s->size_bytes, t->err);
        } else {
            ((int64_t *)v->data)[i] = from->keys.items[i];
        }
    }
    if (status == ONDOL_OK)
        *out = v;
    else
        tensor_value_release(v);
    return status;
}

/* Values of a map: its sequence's tensors of one element each, as one tensor; or one tensor. */
static ondol_status take_map_values(taking *t, const onnx_sequence *from, tensor_value **out) {
    tensor_value *v = NULL, *one = NULL;
    ondol_status status = ONDOL_OK;
    const int64_t count = (int64_t)from->tensor_values.count;
    for (int64_t i = 0; i < count; i++) {
        TRY(take_tensor(t, from->tensor_values.items + i, &one));
        if (count == 1 && one->rank == 1) {
            *out = one;
            return ONDOL_OK;
        }
        if (!v) TRY(tensor_value_create(t->heap, one->element, 1, &count, &v, t->err));
        if (one->elems != 1 || one->element != v->element) {
            status = base_fail(t->err, ONDOL_E_FORMAT, "a map's values are no single numbers");
            goto done;
        }
        if (v->element == TENSOR_ELEMENT_STRING) {
            const tensor_string *s = one->data;
            TRY(tensor_value_set_string(v, (uint64_t)i, s->text, s->size_bytes, t->err));
        } else {
            const size_t size = (size_t)tensor_value_bytes(one);
            memcpy((char *)v->data + (size_t)i * size, one->data, size);
        }
        tensor_value_release(one);
        one = NULL;
    }
    if (!v) {
        status = base_fail(t->err, ONDOL_E_FORMAT, "a map without values");
        goto done;
    }
    *out = v;
    return ONDOL_OK;
done:
    tensor_value_release(one);
    tensor_value_release(v);
    return status;
}

static ondol_status take_map(taking *t, const onnx_map *from, tensor_value **out) {
    tensor_value *v = NULL, *keys = NULL, *values = NULL;
    ondol_status status = ONDOL_OK;
    if (!from->values) return base_fail(t->err, ONDOL_E_FORMAT, "a map without values");
    TRY(tensor_value_create_list(t->heap, TENSOR_VALUE_MAP, &v, t->err));
    TRY(take_keys(t, from, &keys));
    TRY(take_map_values(t, from->values, &values));
    if (keys->elems != values->elems) {
        status = base_fail(t->err, ONDOL_E_FORMAT, "a map has other numbers of keys and values");
        goto done;
    }
    TRY(tensor_value_append(v, keys, t->err));
    TRY(tensor_value_append(v, values, t->err));
done:
    tensor_value_release(keys);
    tensor_value_release(values);
    if (status == ONDOL_OK)
        *out = v;
    else
        tensor_value_release(v);
    return status;
}

ondol_status models_value_from_onnx(tensor_heap *heap, graph_type_kind kind, const void *bytes,
                                    uint64_t size, tensor_value **out, ondol_error *err) {
    static const onnx_message messages[] = {
        [GRAPH_TYPE_TENSOR] = ONNX_MESSAGE_tensor,
        [GRAPH_TYPE_SPARSE] = ONNX_MESSAGE_sparse_tensor,
        [GRAPH_TYPE_SEQUENCE] = ONNX_MESSAGE_sequence,
        [GRAPH_TYPE_OPTIONAL] = ONNX_MESSAGE_optional,
        [GRAPH_TYPE_MAP] = ONNX_MESSAGE_map,
    };
    const ondol_allocator a = *tensor_heap_allocator(heap);
    base_arena arena;
    const void *message = NULL;
    base_arena_init(&arena, &a, 0);
    taking t = {heap, &arena, err};
    ondol_status status = onnx_parse(&arena, messages[kind], bytes, size, &message, err);
    if (status == ONDOL_OK) {
        switch (kind) {
        case GRAPH_TYPE_TENSOR: status = take_tensor(&t, message, out); break;
        case GRAPH_TYPE_SPARSE: status = take_sparse(&t, message, out); break;
        case GRAPH_TYPE_SEQUENCE: status = take_sequence(&t, message, out); break;
        case GRAPH_TYPE_OPTIONAL: status = take_optional(&t, message, out); break;
        case GRAPH_TYPE_MAP: status = take_map(&t, message, out); break;
        }
    }
    base_arena_destroy(&arena);
    return status;
}
