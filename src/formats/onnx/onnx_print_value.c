/* Text of ONNX models: names, types, tensors, values of attributes. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/number_text.h"
#include "formats/onnx/onnx_printing.h"
#include "tensor/number.h"

void onnx_printing_text(onnx_printing *p, const char *text) {
    base_buffer_append_text(p->out, text);
}

void onnx_printing_bytes(onnx_printing *p, onnx_string s) {
    base_buffer_append(p->out, s.text, s.size_bytes);
}

void onnx_printing_quoted(onnx_printing *p, onnx_string s) {
    size_t begin = 0;
    onnx_printing_text(p, "\"");
    for (size_t i = 0; i < s.size_bytes; i++) {
        if (s.text[i] != '\\' && s.text[i] != '"') continue;
        base_buffer_append(p->out, s.text + begin, i - begin);
        onnx_printing_text(p, "\\");
        begin = i;
    }
    if (s.size_bytes) base_buffer_append(p->out, s.text + begin, s.size_bytes - begin);
    onnx_printing_text(p, "\"");
}

bool onnx_printing_is_identifier(onnx_string s) {
    for (size_t i = 0; i < s.size_bytes; i++) {
        const char c = s.text[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return s.size_bytes > 0;
}

bool onnx_printing_is_type_word(onnx_string s) {
    static const char *const words[] = {"seq", "map", "optional", "sparse_tensor", "opaque"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (onnx_is(s, words[i])) return true;
    for (int e = 1; e < TENSOR_ELEMENT_COUNT; e++)
        if (onnx_is(s, tensor_element_onnx_name((tensor_element)e))) return true;
    return false;
}

void onnx_printing_id(onnx_printing *p, onnx_string s) {
    if (onnx_printing_is_identifier(s)) {
        onnx_printing_bytes(p, s);
    } else {
        onnx_printing_quoted(p, s);
    }
}

void onnx_printing_integer(onnx_printing *p, int64_t v) {
    base_buffer_append_format(p->out, "%" PRId64, v);
}

static void print_float(onnx_printing *p, float v) {
    char text[BASE_NUMBER_TEXT_BYTES];
    base_buffer_append(p->out, text, base_float_text(text, v));
}

static void print_double(onnx_printing *p, double v) {
    char text[BASE_NUMBER_TEXT_BYTES];
    base_buffer_append(p->out, text, base_double_text(text, v));
}

bool onnx_printing_goes_on(onnx_printing *p, uint64_t i, uint64_t count, const char *separator) {
    if (i >= count || p->out->fault) return false;
    if (i) onnx_printing_text(p, separator);
    if (i < p->max_elems) return true;
    onnx_printing_text(p, "...");
    return false;
}

/* ---- types ---- */

static const char *element_name(int32_t type) {
    return tensor_element_onnx_name(tensor_element_valid(type) ? (tensor_element)type
                                                               : TENSOR_ELEMENT_UNDEFINED);
}

static void print_dimension(onnx_printing *p, const onnx_dimension *d) {
    if (onnx_has(&d->head, ONNX_HAS_dimension_dim_value)) {
        onnx_printing_integer(p, d->dim_value);
    } else if (onnx_has(&d->head, ONNX_HAS_dimension_dim_param)) {
        onnx_printing_id(p, d->dim_param);
    } else {
        onnx_printing_text(p, "?");
    }
}

/* "float" has rank 0, "float[]" no known rank. */
static void print_tensor_type(onnx_printing *p, const onnx_tensor_type *type) {
    onnx_printing_text(p, element_name(type->elem_type));
    if (type->shape && type->shape->dim.count == 0) return;
    onnx_printing_text(p, "[");
    for (size_t i = 0; type->shape && i < type->shape->dim.count; i++) {
        if (i) onnx_printing_text(p, ",");
        print_dimension(p, type->shape->dim.items + i);
    }
    onnx_printing_text(p, "]");
}

static void print_opaque(onnx_printing *p, const onnx_opaque_type *type) {
    onnx_printing_text(p, "opaque(");
    if (type->domain.size_bytes) {
        onnx_printing_bytes(p, type->domain);
        onnx_printing_text(p, ",");
    }
    onnx_printing_bytes(p, type->name);
    onnx_printing_text(p, ")");
}

static void print_within(onnx_printing *p, const char *word, const onnx_type *type) {
    onnx_printing_text(p, word);
    onnx_printing_type(p, type);
    onnx_printing_text(p, ")");
}

/* As deep as ONNX_PRINT_MAX_DEPTH. */
void onnx_printing_type(onnx_printing *p, const onnx_type *type) {
    if (!type) return;
    if (++p->depth > ONNX_PRINT_MAX_DEPTH) {
        p->too_deep = true;
    } else if (type->tensor_type) {
        print_tensor_type(p, type->tensor_type);
    } else if (type->sequence_type) {
        print_within(p, "seq(", type->sequence_type->elem_type);
    } else if (type->map_type) {
        onnx_printing_text(p, "map(");
        onnx_printing_text(p, element_name(type->map_type->key_type));
        print_within(p, ", ", type->map_type->value_type);
    } else if (type->optional_type) {
        print_within(p, "optional(", type->optional_type->elem_type);
    } else if (type->sparse_tensor_type) {
        onnx_printing_text(p, "sparse_tensor(");
        print_tensor_type(p, type->sparse_tensor_type);
        onnx_printing_text(p, ")");
    } else if (type->opaque_type) {
        print_opaque(p, type->opaque_type);
    }
    p->depth--;
}

/* ---- tensors ---- */

/* Elements by the dimensions, at most `most`. */
static uint64_t elems_of(const onnx_tensor *t, uint64_t most) {
    uint64_t elems = 1;
    for (size_t i = 0; i < t->dims.count; i++) {
        const uint64_t dim = t->dims.items[i] > 0 ? (uint64_t)t->dims.items[i] : 0;
        if (!base_mul(elems, dim, &elems)) return most;
    }
    return elems < most ? elems : most;
}

/* How raw data reads as the entries of a typed list. */
static uint64_t raw_count(const onnx_tensor *t) {
    const tensor_element e = (tensor_element)t->data_type;
    const uint64_t bits = tensor_element_bits(e);
    const bool pair = tensor_element_kind_of(e) == TENSOR_KIND_COMPLEX;
    if (bits == 6) return elems_of(t, t->raw_data.size_bytes / 3 * 4 + t->raw_data.size_bytes % 3);
    if (bits < 8) return t->raw_data.size_bytes; /* packed into bytes here as well */
    return t->raw_data.size_bytes / (bits / 8) << pair;
}

static uint64_t raw_bits(const onnx_tensor *t, uint64_t i, unsigned n_bytes) {
    const unsigned char *at = (const unsigned char *)t->raw_data.text + i * n_bytes;
    uint64_t value = 0;
    for (unsigned b = 0; b < n_bytes; b++)
        value |= (uint64_t)at[b] << 8 * b;
    return value;
}

static void print_raw(onnx_printing *p, const onnx_tensor *t, uint64_t i) {
    const tensor_element e = (tensor_element)t->data_type;
    const onnx_packed numbers = {(const unsigned char *)t->raw_data.text, 0};
    switch (e) {
    case TENSOR_ELEMENT_F32:
    case TENSOR_ELEMENT_C64: print_float(p, onnx_packed_float(&numbers, i)); break;
    case TENSOR_ELEMENT_F64:
    case TENSOR_ELEMENT_C128: print_double(p, onnx_packed_double(&numbers, i)); break;
    case TENSOR_ELEMENT_I8: onnx_printing_integer(p, (int8_t)raw_bits(t, i, 1)); break;
    case TENSOR_ELEMENT_I16: onnx_printing_integer(p, (int16_t)raw_bits(t, i, 2)); break;
    case TENSOR_ELEMENT_I32: onnx_printing_integer(p, (int32_t)raw_bits(t, i, 4)); break;
    case TENSOR_ELEMENT_I64: onnx_printing_integer(p, (int64_t)raw_bits(t, i, 8)); break;
    case TENSOR_ELEMENT_F6E2M3:
    case TENSOR_ELEMENT_F6E3M2: {
        onnx_printing_integer(p, tensor_get_code(e, t->raw_data.text, i));
        break;
    }
    default: {
        const unsigned bits = tensor_element_bits(e);
        base_buffer_append_format(p->out, "%" PRIu64, raw_bits(t, i, bits < 8 ? 1 : bits / 8));
    }
    }
}

/* Entries of the list that the element type is kept in. */
static uint64_t typed_count(const onnx_tensor *t) {
    switch (t->data_type) {
    case TENSOR_ELEMENT_F32:
    case TENSOR_ELEMENT_C64: return t->float_data.count;
    case TENSOR_ELEMENT_F64:
    case TENSOR_ELEMENT_C128: return t->double_data.count;
    case TENSOR_ELEMENT_I64: return t->int64_data.count;
    case TENSOR_ELEMENT_U32:
    case TENSOR_ELEMENT_U64: return t->uint64_data.count;
    case TENSOR_ELEMENT_STRING: return t->string_data.count;
    default: return t->int32_data.count;
    }
}

static void print_typed(onnx_printing *p, const onnx_tensor *t, uint64_t i) {
    switch (t->data_type) {
    case TENSOR_ELEMENT_F32:
    case TENSOR_ELEMENT_C64: print_float(p, onnx_packed_float(&t->float_data, i)); break;
    case TENSOR_ELEMENT_F64:
    case TENSOR_ELEMENT_C128: print_double(p, onnx_packed_double(&t->double_data, i)); break;
    case TENSOR_ELEMENT_I64: onnx_printing_integer(p, t->int64_data.items[i]); break;
    case TENSOR_ELEMENT_U32:
    case TENSOR_ELEMENT_U64:
        base_buffer_append_format(p->out, "%" PRIu64, t->uint64_data.items[i]);
        break;
    case TENSOR_ELEMENT_STRING: onnx_printing_quoted(p, t->string_data.items[i]); break;
    default: onnx_printing_integer(p, t->int32_data.items[i]);
    }
}

static void print_data(onnx_printing *p, const onnx_tensor *t) {
    const bool raw = t->raw_data.text != NULL;
    const bool texts = t->data_type == TENSOR_ELEMENT_STRING;
    if (!tensor_element_valid(t->data_type) || (raw && texts)) {
        onnx_printing_text(p, "...");
        return;
    }
    const uint64_t count = raw ? raw_count(t) : typed_count(t);
    onnx_printing_text(p, texts ? "{" : " {");
    for (uint64_t i = 0; onnx_printing_goes_on(p, i, count, texts ? ", " : ","); i++) {
        if (raw) {
            print_raw(p, t, i);
        } else {
            print_typed(p, t, i);
        }
    }
    onnx_printing_text(p, "}");
}

void onnx_printing_entries(onnx_printing *p, const onnx_string_entry_list *entries) {
    onnx_printing_text(p, "[");
    for (size_t i = 0; i < entries->count; i++) {
        if (i) onnx_printing_text(p, ", ");
        onnx_printing_quoted(p, entries->items[i].key);
        onnx_printing_text(p, ": ");
        onnx_printing_quoted(p, entries->items[i].value);
    }
    onnx_printing_text(p, "]");
}

void onnx_printing_tensor(onnx_printing *p, const onnx_tensor *t, bool initializer) {
    const bool external = t->data_location == ONNX_DATA_LOCATION_EXTERNAL;
    onnx_printing_text(p, element_name(t->data_type));
    for (size_t i = 0; i < t->dims.count; i++) {
        onnx_printing_text(p, i ? "," : "[");
        onnx_printing_integer(p, t->dims.items[i]);
    }
    if (t->dims.count) onnx_printing_text(p, "]");
    /* In an attribute the parser knows no quoted name, and "[" behind a type as more of it. */
    const bool named = t->name.size_bytes && (initializer || onnx_printing_is_identifier(t->name));
    if (named) {
        onnx_printing_text(p, " ");
        onnx_printing_id(p, t->name);
    }
    if (initializer || (external && !named)) onnx_printing_text(p, " = ");
    if (external) {
        onnx_printing_entries(p, &t->external_data);
    } else {
        print_data(p, t);
    }
}

/* ---- values of attributes ---- */

static void print_sparse(onnx_printing *p, const onnx_sparse_tensor *t) {
    onnx_printing_text(p, "sparse_tensor[");
    for (size_t i = 0; i < t->dims.count; i++) {
        if (i) onnx_printing_text(p, ",");
        onnx_printing_integer(p, t->dims.items[i]);
    }
    onnx_printing_text(p, "](");
    if (t->values) onnx_printing_tensor(p, t->values, false);
    onnx_printing_text(p, ", ");
    if (t->indices) onnx_printing_tensor(p, t->indices, false);
    onnx_printing_text(p, ")");
}

static uint64_t list_count(const onnx_attribute *a, int32_t type) {
    switch (type) {
    case ONNX_ATTRIBUTE_FLOATS: return a->floats.count;
    case ONNX_ATTRIBUTE_INTS: return a->ints.count;
    case ONNX_ATTRIBUTE_STRINGS: return a->strings.count;
    case ONNX_ATTRIBUTE_TENSORS: return a->tensors.count;
    case ONNX_ATTRIBUTE_SPARSE_TENSORS: return a->sparse_tensors.count;
    default: return a->type_protos.count;
    }
}

static void print_list(onnx_printing *p, const onnx_attribute *a, int32_t type) {
    const uint64_t count = list_count(a, type);
    onnx_printing_text(p, "[");
    for (uint64_t i = 0; onnx_printing_goes_on(p, i, count, ", "); i++) {
        switch (type) {
        case ONNX_ATTRIBUTE_FLOATS: print_float(p, onnx_packed_float(&a->floats, i)); break;
        case ONNX_ATTRIBUTE_INTS: onnx_printing_integer(p, a->ints.items[i]); break;
        case ONNX_ATTRIBUTE_STRINGS: onnx_printing_quoted(p, a->strings.items[i]); break;
        case ONNX_ATTRIBUTE_TENSORS: onnx_printing_tensor(p, a->tensors.items + i, false); break;
        case ONNX_ATTRIBUTE_SPARSE_TENSORS: print_sparse(p, a->sparse_tensors.items + i); break;
        default: onnx_printing_type(p, a->type_protos.items + i);
        }
    }
    onnx_printing_text(p, "]");
}

void onnx_printing_value(onnx_printing *p, const onnx_attribute *a, int32_t type) {
    switch (type) {
    case ONNX_ATTRIBUTE_FLOAT: print_float(p, a->f); break;
    case ONNX_ATTRIBUTE_INT: onnx_printing_integer(p, a->i); break;
    case ONNX_ATTRIBUTE_STRING: onnx_printing_quoted(p, a->s); break;
    case ONNX_ATTRIBUTE_TENSOR:
        if (a->t) onnx_printing_tensor(p, a->t, false);
        break;
    case ONNX_ATTRIBUTE_SPARSE_TENSOR:
        if (a->sparse_tensor) print_sparse(p, a->sparse_tensor);
        break;
    case ONNX_ATTRIBUTE_TYPE_PROTO: onnx_printing_type(p, a->tp); break;
    case ONNX_ATTRIBUTE_FLOATS:
    case ONNX_ATTRIBUTE_INTS:
    case ONNX_ATTRIBUTE_STRINGS:
    case ONNX_ATTRIBUTE_TENSORS:
    case ONNX_ATTRIBUTE_SPARSE_TENSORS:
    case ONNX_ATTRIBUTE_TYPE_PROTOS: print_list(p, a, type); break;
    default: break;
    }
}
