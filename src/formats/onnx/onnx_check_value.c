/* Rules on values outside of a model. In: a tensor, sequence, map or optional. Out: the first rule
 * broken. */
#include <inttypes.h>

#include "formats/onnx/onnx_checking.h"

ondol_status onnx_check_tensor(const ondol_allocator *a, const onnx_tensor *t, ondol_error *err) {
    onnx_checking c;
    onnx_checking_open(&c, a, err);
    ondol_status status = onnx_checking_tensor(&c, t);
    onnx_checking_close(&c);
    return status;
}

static ondol_status check_sequence(onnx_checking *c, const onnx_sequence *s);
static ondol_status check_map(onnx_checking *c, const onnx_map *m);
static ondol_status check_optional(onnx_checking *c, const onnx_optional *o);

static ondol_status check_items(onnx_checking *c, const onnx_sequence *s) {
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < s->tensor_values.count; i++)
        TRY(onnx_checking_tensor(c, s->tensor_values.items + i));
    for (size_t i = 0; i < s->sparse_tensor_values.count; i++)
        TRY(onnx_checking_sparse(c, s->sparse_tensor_values.items + i));
    for (size_t i = 0; i < s->sequence_values.count; i++)
        TRY(check_sequence(c, s->sequence_values.items + i));
    for (size_t i = 0; i < s->map_values.count; i++)
        TRY(check_map(c, s->map_values.items + i));
    for (size_t i = 0; i < s->optional_values.count; i++)
        TRY(check_optional(c, s->optional_values.items + i));
done:
    return status;
}

static size_t items_of(const onnx_sequence *s) {
    switch (s->elem_type) {
    case ONNX_SEQUENCE_OF_TENSOR: return s->tensor_values.count;
    case ONNX_SEQUENCE_OF_SPARSE_TENSOR: return s->sparse_tensor_values.count;
    case ONNX_SEQUENCE_OF_SEQUENCE: return s->sequence_values.count;
    case ONNX_SEQUENCE_OF_MAP: return s->map_values.count;
    default: return s->optional_values.count;
    }
}

/* Enters a value within values. */
static ondol_status deeper(onnx_checking *c) {
    if (++c->depth <= ONNX_CHECK_MAX_DEPTH) return ONDOL_OK;
    return base_fail(c->err, ONDOL_E_LIMIT, "values nest deeper than %u", ONNX_CHECK_MAX_DEPTH);
}

/* As deep as ONNX_CHECK_MAX_DEPTH, as are maps and optionals. */
static ondol_status check_sequence(onnx_checking *c, const onnx_sequence *s) {
    const size_t all = s->tensor_values.count + s->sparse_tensor_values.count +
                       s->sequence_values.count + s->map_values.count + s->optional_values.count;
    ondol_status status = deeper(c);
    if (status == ONDOL_OK &&
        (s->elem_type < ONNX_SEQUENCE_OF_TENSOR || s->elem_type > ONNX_SEQUENCE_OF_OPTIONAL)) {
        status = base_fail(c->err, ONDOL_E_FORMAT,
                           "sequence '%.*s': elem_type %" PRId32 ", expected 1 to 5",
                           ONNX_BRIEF(s->name), s->elem_type);
    } else if (status == ONDOL_OK && all != items_of(s)) {
        status = base_fail(c->err, ONDOL_E_FORMAT,
                           "sequence '%.*s': it has items of another kind than its elem_type",
                           ONNX_BRIEF(s->name));
    }
    if (status == ONDOL_OK) status = check_items(c, s);
    c->depth--;
    return status;
}

static bool is_key_type(int32_t type) {
    const tensor_element_kind kind = tensor_element_kind_of((tensor_element)type);
    return tensor_element_valid(type) &&
           (kind == TENSOR_KIND_STRING ||
            ((kind == TENSOR_KIND_SIGNED || kind == TENSOR_KIND_UNSIGNED) &&
             tensor_element_bits((tensor_element)type) >= 8));
}

static ondol_status check_map(onnx_checking *c, const onnx_map *m) {
    const bool texts = m->key_type == TENSOR_ELEMENT_STRING;
    const size_t keys = texts ? m->string_keys.count : m->keys.count;
    ondol_status status = deeper(c);
    const char *fault = NULL;
    if (status != ONDOL_OK) goto done;
    if (!is_key_type(m->key_type)) fault = "key_type is neither an integer nor a string";
    if (texts ? m->keys.count : m->string_keys.count) fault = "keys of another type than key_type";
    if (!m->values) fault = "it has no values";
    if (fault) {
        TRY(base_fail(c->err, ONDOL_E_FORMAT, "map '%.*s': %s", ONNX_BRIEF(m->name), fault));
    }
    if (items_of(m->values) != keys) {
        TRY(base_fail(c->err, ONDOL_E_FORMAT, "map '%.*s': %zu keys and %zu values",
                      ONNX_BRIEF(m->name), keys, items_of(m->values)));
    }
    TRY(check_sequence(c, m->values));
done:
    c->depth--;
    return status;
}

static ondol_status check_optional(onnx_checking *c, const onnx_optional *o) {
    const void *const held[] = {
        NULL,         o->tensor_value,  o->sparse_tensor_value, o->sequence_value,
        o->map_value, o->optional_value};
    ondol_status status = deeper(c);
    if (status != ONDOL_OK) goto done;
    if (o->elem_type < 0 || o->elem_type > ONNX_SEQUENCE_OF_OPTIONAL) {
        TRY(base_fail(c->err, ONDOL_E_FORMAT,
                      "optional '%.*s': elem_type %" PRId32 ", expected 0 to 5",
                      ONNX_BRIEF(o->name), o->elem_type));
    }
    for (int i = 1; i <= ONNX_SEQUENCE_OF_OPTIONAL; i++) {
        if (!held[i] || i == o->elem_type) continue;
        TRY(base_fail(c->err, ONDOL_E_FORMAT,
                      "optional '%.*s': its value is of another kind than its elem_type",
                      ONNX_BRIEF(o->name)));
    }
    if (o->tensor_value) TRY(onnx_checking_tensor(c, o->tensor_value));
    if (o->sparse_tensor_value) TRY(onnx_checking_sparse(c, o->sparse_tensor_value));
    if (o->sequence_value) TRY(check_sequence(c, o->sequence_value));
    if (o->map_value) TRY(check_map(c, o->map_value));
    if (o->optional_value) TRY(check_optional(c, o->optional_value));
done:
    c->depth--;
    return status;
}

ondol_status onnx_check_sequence(const ondol_allocator *a, const onnx_sequence *s,
                                 ondol_error *err) {
    onnx_checking c;
    onnx_checking_open(&c, a, err);
    ondol_status status = check_sequence(&c, s);
    onnx_checking_close(&c);
    return status;
}

ondol_status onnx_check_map(const ondol_allocator *a, const onnx_map *m, ondol_error *err) {
    onnx_checking c;
    onnx_checking_open(&c, a, err);
    ondol_status status = check_map(&c, m);
    onnx_checking_close(&c);
    return status;
}

ondol_status onnx_check_optional(const ondol_allocator *a, const onnx_optional *o,
                                 ondol_error *err) {
    onnx_checking c;
    onnx_checking_open(&c, a, err);
    ondol_status status = check_optional(&c, o);
    onnx_checking_close(&c);
    return status;
}
