/* CastMap, DictVectorizer, ZipMap. In: a map; a tensor. Out: a tensor of its values in the order of
 * keys or of a vocabulary; a sequence of maps, one for each row. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "device/host_scores.h"
#include "device/ref/ops/ref_cast_text.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_list.h"
#include "device/ref/ops/ref_number.h"
#include "device/ref/ops/ref_sort.h"

/* Input 0: a map from keys to as many values. */
static ondol_status map_input(const plan_call *c, tensor_value **keys, tensor_value **values,
                              ondol_error *err) {
    const tensor_value *v = plan_call_input(c, 0);
    if (!v || v->kind != TENSOR_VALUE_MAP || v->item_count != 2) {
        return plan_call_fail(c, err, "its input is no map");
    }
    *keys = v->items[0];
    *values = v->items[1];
    const tensor_element e = (*keys)->element;
    if ((e != TENSOR_ELEMENT_I64 && e != TENSOR_ELEMENT_STRING) ||
        (*keys)->elems != (*values)->elems) {
        return plan_call_fail(c, err, "a map of %" PRIu64 " keys of type %s to %" PRIu64 " values",
                              (*keys)->elems, tensor_element_onnx_name(e), (*values)->elems);
    }
    return ONDOL_OK;
}

/* "%f" in every locale: whatever stands before the last six digits is a point. */
static ondol_status set_fixed_text(tensor_value *y, uint64_t i, double v, ondol_error *err) {
    char text[352], fixed[352]; /* of the largest double */
    const int n = snprintf(text, sizeof text, "%f", v);
    const size_t head = strspn(text, "-0123456789");
    if (!isfinite(v) || n < 8) return tensor_value_set_string(y, i, text, strlen(text), err);
    const int m = snprintf(fixed, sizeof fixed, "%.*s.%s", (int)head, text, text + n - 6);
    return tensor_value_set_string(y, i, fixed, (size_t)m, err);
}

static ondol_status cast_text(const plan_call *c, const tensor_string *s, tensor_value *y,
                              uint64_t i, ondol_error *err) {
    double number = 0;
    int64_t integer = 0;
    if (y->element == TENSOR_ELEMENT_STRING) {
        return tensor_value_set_string(y, i, s->text, s->size_bytes, err);
    }
    if (y->element == TENSOR_ELEMENT_I64 && ref_text_to_integer(s, &integer)) {
        ((int64_t *)y->data)[i] = integer;
        return ONDOL_OK;
    }
    if (y->element == TENSOR_ELEMENT_F32 && ref_text_to_number(s, &number)) {
        ((float *)y->data)[i] = (float)number;
        return ONDOL_OK;
    }
    return plan_call_fail(c, err, "'%.*s' is no number",
                          s->size_bytes < 60 ? (int)s->size_bytes : 60,
                          s->size_bytes ? s->text : "");
}

static ondol_status cast_value(const plan_call *c, const tensor_value *from, uint64_t j,
                               tensor_value *y, uint64_t i, ondol_error *err) {
    if (from->element == TENSOR_ELEMENT_STRING) {
        return cast_text(c, (const tensor_string *)from->data + j, y, i, err);
    }
    const double v = tensor_get_number(from->element, from->data, j);
    if (y->element == TENSOR_ELEMENT_STRING) return set_fixed_text(y, i, v, err);
    if (y->element == TENSOR_ELEMENT_I64) {
        ((int64_t *)y->data)[i] = tensor_get_integer(from->element, from->data, j);
    } else {
        ((float *)y->data)[i] = (float)v;
    }
    return ONDOL_OK;
}

static int compare_keys(const void *of, uint64_t a, uint64_t b) {
    const int64_t *keys = of;
    return keys[a] < keys[b] ? -1 : keys[a] > keys[b];
}

/* What a sparse map lacks. */
static ondol_status fill_missing(tensor_value *y, ondol_error *err) {
    if (y->element != TENSOR_ELEMENT_STRING) {
        memset(y->data, 0, (size_t)tensor_value_bytes(y));
        return ONDOL_OK;
    }
    ondol_status status = ONDOL_OK;
    for (uint64_t i = 0; i < y->elems && status == ONDOL_OK; i++)
        status = tensor_value_set_string(y, i, "0.f", 3, err);
    return status;
}

static ondol_status cast_to(const plan_call *c, tensor_element *out, ondol_error *err) {
    const char *to = graph_get_string(c->g, c->node, "cast_to");
    *out = strcmp(to, "TO_FLOAT") == 0    ? TENSOR_ELEMENT_F32
           : strcmp(to, "TO_INT64") == 0  ? TENSOR_ELEMENT_I64
           : strcmp(to, "TO_STRING") == 0 ? TENSOR_ELEMENT_STRING
                                          : TENSOR_ELEMENT_UNDEFINED;
    if (*out) return ONDOL_OK;
    return plan_call_fail(c, err, "cast_to '%s', expected TO_FLOAT, TO_INT64 or TO_STRING", to);
}

/* Keys in order, the last of equal ones: list[0..*count). */
static void order_keys(const tensor_value *keys, uint64_t *list, uint64_t *spare, uint64_t *count) {
    const int64_t *key = keys->data;
    for (uint64_t i = 0; i < keys->elems; i++)
        list[i] = i;
    ref_sort(list, spare, keys->elems, compare_keys, key);
    *count = 0;
    for (uint64_t i = 0; i < keys->elems; i++) {
        if (i + 1 < keys->elems && key[list[i]] == key[list[i + 1]]) continue;
        list[(*count)++] = list[i];
    }
}

/* Keys of a sparse map beyond max_map are left out, as in ONNX Runtime. */
ondol_status ref_ml_cast_map(plan_call *c, ondol_error *err) {
    const char *form = graph_get_string(c->g, c->node, "map_form");
    const bool is_sparse = strcmp(form, "SPARSE") == 0;
    tensor_value *keys = NULL, *values = NULL, *y = NULL;
    tensor_element element = TENSOR_ELEMENT_UNDEFINED;
    uint64_t count = 0;
    void *list = NULL, *spare = NULL;
    ondol_status status = ONDOL_OK;
    if (!is_sparse && strcmp(form, "DENSE") != 0) {
        return plan_call_fail(c, err, "map_form '%s', expected DENSE or SPARSE", form);
    }
    TRY(map_input(c, &keys, &values, err));
    TRY(cast_to(c, &element, err));
    if (keys->element != TENSOR_ELEMENT_I64) return plan_call_fail(c, err, "keys that are strings");
    TRY(ref_alloc(c, keys->elems, sizeof(uint64_t), "keys", &list, err));
    TRY(ref_alloc(c, keys->elems, sizeof(uint64_t), "keys", &spare, err));
    order_keys(keys, list, spare, &count);
    const uint64_t *order = list;
    const int64_t *key = keys->data;
    const int64_t dims[2] = {1,
                             is_sparse ? graph_get_int(c->g, c->node, "max_map") : (int64_t)count};
    TRY(plan_call_output(c, 0, element, 2, dims, &y, err));
    if (is_sparse) TRY(fill_missing(y, err));
    for (uint64_t i = 0; i < count; i++) {
        const int64_t at = is_sparse ? key[order[i]] : (int64_t)i;
        if (at < 0) {
            status = plan_call_fail(c, err, "key %" PRId64 " of a sparse map", at);
            goto done;
        }
        if (at < dims[1]) TRY(cast_value(c, values, order[i], y, (uint64_t)at, err));
    }
done:
    tensor_heap_free(c->heap, list);
    tensor_heap_free(c->heap, spare);
    return status;
}

/* Key i of a tensor of strings or int64 as bytes. */
static const char *key_bytes(const tensor_value *keys, uint64_t i, size_t *n) {
    if (keys->element == TENSOR_ELEMENT_STRING) {
        const tensor_string *s = (const tensor_string *)keys->data + i;
        *n = s->size_bytes;
        return s->size_bytes ? s->text : "";
    }
    *n = sizeof(int64_t);
    return (const char *)((const int64_t *)keys->data + i);
}

static const char *label_bytes(const host_labels *l, uint32_t i, size_t *n) {
    *n = l->strings ? l->strings[i].size_bytes : sizeof(int64_t);
    if (!l->strings) return (const char *)(l->ints + i);
    return *n ? l->strings[i].text : "";
}

/* Keys that the vocabulary lacks are left out, as in ONNX Runtime. */
ondol_status ref_ml_dict_vectorizer(plan_call *c, ondol_error *err) {
    tensor_value *keys = NULL, *values = NULL, *y = NULL;
    host_labels words;
    base_map index;
    size_t n = 0;
    uint32_t at = 0;
    ondol_status status = ONDOL_OK;
    base_map_init(&index, tensor_heap_allocator(c->heap));
    TRY(map_input(c, &keys, &values, err));
    TRY(host_labels_read(c, "int64_vocabulary", "string_vocabulary", &words, err));
    if ((keys->element == TENSOR_ELEMENT_STRING) != (words.strings != NULL) ||
        keys->elems >= UINT32_MAX) {
        status = plan_call_fail(c, err, "%" PRIu64 " keys of type %s for a vocabulary of %s",
                                keys->elems, tensor_element_onnx_name(keys->element),
                                words.strings ? "strings" : "int64");
        goto done;
    }
    for (uint64_t i = 0; i < keys->elems; i++) {
        const char *key = key_bytes(keys, i, &n);
        if (base_map_put(&index, key, n, (uint32_t)i)) continue;
        status = base_no_memory(err, "keys", keys->elems);
        goto done;
    }
    const int64_t dims[2] = {1, words.count};
    TRY(plan_call_output(c, 0, values->element, 2, dims, &y, err));
    if (y->element != TENSOR_ELEMENT_STRING) memset(y->data, 0, (size_t)tensor_value_bytes(y));
    for (uint32_t i = 0; i < words.count; i++) {
        const char *word = label_bytes(&words, i, &n);
        if (base_map_get(&index, word, n, &at)) TRY(ref_copy_element(y, i, values, at, err));
    }
done:
    base_map_destroy(&index);
    return status;
}

/* The keys of all maps, each once; slots[j]: where label j stands among them. */
static ondol_status zip_keys(const plan_call *c, const host_labels *l, uint32_t *slots,
                             tensor_value **keys, ondol_error *err) {
    base_map seen;
    uint32_t count = 0;
    size_t n = 0;
    ondol_status status = ONDOL_OK;
    base_map_init(&seen, tensor_heap_allocator(c->heap));
    for (uint32_t j = 0; j < l->count; j++) {
        bool found = false;
        const char *label = label_bytes(l, j, &n);
        if (!base_map_add(&seen, label, n, count, &found, slots + j)) {
            status = base_no_memory(err, "keys", l->count);
            goto done;
        }
        if (!found) slots[j] = count++;
    }
    const int64_t dims[1] = {count};
    TRY(tensor_value_create(c->heap, l->strings ? TENSOR_ELEMENT_STRING : TENSOR_ELEMENT_I64, 1,
                            dims, keys, err));
    for (uint32_t j = 0; j < l->count; j++)
        TRY(host_labels_set(*keys, slots[j], l, j, err));
done:
    base_map_destroy(&seen);
    return status;
}

static ondol_status zip_row(const plan_call *c, const float *x, const uint32_t *slots,
                            uint32_t labels, tensor_value *keys, tensor_value *out,
                            ondol_error *err) {
    tensor_value *map = NULL, *values = NULL;
    ondol_status status = ONDOL_OK;
    TRY(tensor_value_create_list(c->heap, TENSOR_VALUE_MAP, &map, err));
    TRY(tensor_value_create(c->heap, TENSOR_ELEMENT_F32, 1, keys->dims, &values, err));
    for (uint32_t j = 0; j < labels; j++)
        ((float *)values->data)[slots[j]] = x[j];
    TRY(tensor_value_append(map, keys, err));
    TRY(tensor_value_append(map, values, err));
    TRY(tensor_value_append(out, map, err));
done:
    tensor_value_release(values);
    tensor_value_release(map);
    return status;
}

ondol_status ref_ml_zip_map(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *keys = NULL, *out = NULL;
    host_labels labels;
    uint64_t rows = 0, features = 0;
    void *slots = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    TRY(host_rows(c, &x, &rows, &features, err));
    TRY(host_labels_read(c, "classlabels_int64s", "classlabels_strings", &labels, err));
    if (features != labels.count) {
        return plan_call_fail(c, err, "%" PRIu64 " columns for %" PRIu32 " labels", features,
                              labels.count);
    }
    TRY(ref_alloc(c, labels.count, sizeof(uint32_t), "keys", &slots, err));
    TRY(zip_keys(c, &labels, slots, &keys, err));
    TRY(ref_list_output(c, 0, TENSOR_VALUE_SEQUENCE, &out, err));
    for (uint64_t r = 0; r < rows; r++)
        TRY(zip_row(c, (const float *)x->data + r * features, slots, labels.count, keys, out, err));
done:
    tensor_value_release(keys);
    tensor_heap_free(c->heap, slots);
    return status;
}
