/* LabelEncoder, CategoryMapper, OneHotEncoder. In: labels. Out: what a table that the attributes
 * spell maps each to, or where it stands in a list. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/map.h"
#include "device/host_scores.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

/* A list of constants that an attribute holds. */
typedef struct constants {
    tensor_element element; /* UNDEFINED: none are there */
    uint64_t count;
    const double *floats;
    const void *data; /* int64, tensor_string, or elements of a tensor; NULL: floats */
} constants;

typedef struct table {
    base_map places; /* of a constant as bytes -> its index */
    uint64_t *codes; /* of constants that are numbers: [count] */
} table;

/* A number as bytes that are equal where numbers are: zeros are one, NaNs are one. */
static uint64_t number_code(tensor_element e, const void *data, uint64_t i) {
    if (tensor_element_kind_of(e) != TENSOR_KIND_FLOAT) {
        return (uint64_t)tensor_get_integer(e, data, i);
    }
    double v = tensor_get_number(e, data, i);
    uint64_t code = 0;
    if (isnan(v)) return UINT64_MAX;
    if (v == 0) v = 0;
    memcpy(&code, &v, sizeof code);
    return code;
}

static uint64_t constant_code(const constants *k, uint64_t i) {
    return k->data ? number_code(k->element, k->data, i)
                   : number_code(TENSOR_ELEMENT_F64, k->floats, i);
}

static void table_init(table *t, const ondol_allocator *a) {
    base_map_init(&t->places, a);
    t->codes = NULL;
}

static void table_destroy(table *t, const ondol_allocator *a) {
    base_map_destroy(&t->places);
    base_free(a, t->codes);
}

/* The last of equal constants counts. Errors: MEMORY. */
static ondol_status table_fill(table *t, const ondol_allocator *a, const constants *k,
                               ondol_error *err) {
    const tensor_string *s = k->data;
    const bool of_strings = k->element == TENSOR_ELEMENT_STRING;
    if (k->count >= UINT32_MAX || !base_map_reserve(&t->places, (size_t)k->count)) {
        return base_no_memory(err, "table", k->count);
    }
    if (!of_strings) t->codes = base_alloc(a, (size_t)k->count, sizeof *t->codes);
    if (!of_strings && !t->codes) return base_no_memory(err, "table", k->count);
    for (uint32_t i = 0; i < k->count; i++) {
        if (!of_strings) t->codes[i] = constant_code(k, i);
        const char *key = of_strings ? (s[i].size_bytes ? s[i].text : "") : (char *)(t->codes + i);
        const size_t n = of_strings ? s[i].size_bytes : sizeof *t->codes;
        if (!base_map_put(&t->places, key, n, i)) return base_no_memory(err, "table", k->count);
    }
    return ONDOL_OK;
}

/* Where element i of x stands; x is of strings exactly where the table is. */
static bool table_find(const table *t, const tensor_value *x, uint64_t i, uint32_t *out) {
    if (x->element == TENSOR_ELEMENT_STRING) {
        const tensor_string *s = (const tensor_string *)x->data + i;
        return base_map_get(&t->places, s->size_bytes ? s->text : "", s->size_bytes, out);
    }
    const uint64_t code = number_code(x->element, x->data, i);
    return base_map_get(&t->places, (const char *)&code, sizeof code, out);
}

/* y element i = constant j, both of one type. */
static ondol_status set_constant(tensor_value *y, uint64_t i, const constants *k, uint64_t j,
                                 ondol_error *err) {
    if (k->element == TENSOR_ELEMENT_STRING) {
        const tensor_string *s = (const tensor_string *)k->data + j;
        return tensor_value_set_string(y, i, s->text, s->size_bytes, err);
    }
    if (!k->data) {
        tensor_set_number(y->element, y->data, i, k->floats[j]);
    } else if (tensor_element_kind_of(k->element) == TENSOR_KIND_FLOAT) {
        tensor_set_number(y->element, y->data, i, tensor_get_number(k->element, k->data, j));
    } else {
        tensor_set_integer(y->element, y->data, i, tensor_get_integer(k->element, k->data, j));
    }
    return ONDOL_OK;
}

static constants constants_of(const graph_attribute *a) {
    constants k = {.count = a->int_count};
    switch (a->type) {
    case GRAPH_ATTRIBUTE_FLOATS:
        k.element = TENSOR_ELEMENT_F32;
        k.floats = a->floats;
        break;
    case GRAPH_ATTRIBUTE_INTS:
        k.element = TENSOR_ELEMENT_I64;
        k.data = a->ints;
        break;
    case GRAPH_ATTRIBUTE_STRINGS:
        k.element = TENSOR_ELEMENT_STRING;
        k.data = a->strings;
        break;
    default:
        k.element = a->tensors->element;
        k.data = a->tensors->data;
        if (!graph_shape_elements(&a->tensors->shape, &k.count)) k.count = 0;
        break;
    }
    return k;
}

/* The one attribute of the four that has items. Errors: FORMAT (none, several, no such type). */
static ondol_status read_constants(const plan_call *c, const char *const names[4], constants *out,
                                   ondol_error *err) {
    *out = (constants){.element = TENSOR_ELEMENT_UNDEFINED};
    for (int i = 0; i < 4; i++) {
        const graph_attribute *a = graph_get_attribute(c->g, c->node, names[i]);
        if (!a) continue;
        const constants k = constants_of(a);
        if (!k.count) continue;
        if (out->count) return plan_call_fail(c, err, "it has two kinds of %s", names[3]);
        *out = k;
    }
    if (!out->count) return plan_call_fail(c, err, "it lacks %s", names[3]);
    const tensor_element_kind kind = tensor_element_kind_of(out->element);
    if (kind == TENSOR_KIND_COMPLEX || kind == TENSOR_KIND_NONE) {
        return plan_call_fail(c, err, "%s of type %s", names[3],
                              tensor_element_onnx_name(out->element));
    }
    return ONDOL_OK;
}

typedef struct label_encoder {
    table keys;
    tensor_element key_element;
    constants values, otherwise; /* otherwise: one */
    double default_number;       /* what otherwise points to where the node has no tensor */
    int64_t default_integer;
    tensor_string default_string;
} label_encoder;

/* An attribute's string, or the operator's own where the node has none. */
static tensor_string string_of(const plan_call *c, const char *name) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, name);
    if (a) return (tensor_string){a->s, a->s_bytes};
    const char *s = graph_get_string(c->g, c->node, name);
    return (tensor_string){s, strlen(s)};
}

static ondol_status read_default(const plan_call *c, label_encoder *e, ondol_error *err) {
    const graph_attribute *given = graph_get_attribute(c->g, c->node, "default_tensor");
    const tensor_element_kind kind = tensor_element_kind_of(e->values.element);
    e->otherwise = (constants){.element = e->values.element, .count = 1};
    if (given) {
        e->otherwise = constants_of(given);
        if (e->otherwise.element == e->values.element && e->otherwise.count == 1) return ONDOL_OK;
        return plan_call_fail(c, err,
                              "default_tensor of %" PRIu64 " elements of type %s for "
                              "values of type %s",
                              e->otherwise.count, tensor_element_onnx_name(e->otherwise.element),
                              tensor_element_onnx_name(e->values.element));
    }
    e->default_number = graph_get_float(c->g, c->node, "default_float");
    e->default_integer = graph_get_int(c->g, c->node, "default_int64");
    e->default_string = string_of(c, "default_string");
    if (kind == TENSOR_KIND_FLOAT) {
        e->otherwise.floats = &e->default_number;
    } else if (kind == TENSOR_KIND_STRING) {
        e->otherwise.data = &e->default_string;
    } else {
        e->otherwise = (constants){TENSOR_ELEMENT_I64, 1, NULL, &e->default_integer};
    }
    return ONDOL_OK;
}

ondol_status ref_prepare_label_encoder(const plan_device *d, const ondol_allocator *a,
                                       const graph *g, graph_node_id n, base_pool *pool,
                                       void **state, ondol_error *err) {
    static const char *const key_names[] = {"keys_floats", "keys_int64s", "keys_strings",
                                            "keys_tensor"};
    static const char *const value_names[] = {"values_floats", "values_int64s", "values_strings",
                                              "values_tensor"};
    const plan_call c = {.g = g, .node = n}; /* for its sentences */
    constants keys;
    (void)d, (void)pool;
    label_encoder *e = base_calloc(a, 1, sizeof *e);
    if (!e) return base_no_memory(err, "table", sizeof *e);
    table_init(&e->keys, a);
    *state = e;
    ondol_status status = ONDOL_OK;
    TRY(read_constants(&c, key_names, &keys, err));
    TRY(read_constants(&c, value_names, &e->values, err));
    if (keys.count != e->values.count) {
        return plan_call_fail(&c, err, "%" PRIu64 " keys and %" PRIu64 " values", keys.count,
                              e->values.count);
    }
    e->key_element = keys.element;
    TRY(read_default(&c, e, err));
    TRY(table_fill(&e->keys, a, &keys, err));
done:
    return status;
}

void ref_release_label_encoder(const ondol_allocator *a, void *state) {
    label_encoder *e = state;
    if (!e) return;
    table_destroy(&e->keys, a);
    base_free(a, e);
}

ondol_status ref_ml_label_encoder(plan_call *c, ondol_error *err) {
    const label_encoder *e = c->state;
    tensor_value *x = NULL, *y = NULL;
    uint32_t place = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, e->key_element, &x, err));
    TRY(plan_call_output(c, 0, e->values.element, x->rank, x->dims, &y, err));
    for (uint64_t i = 0; i < x->elems; i++) {
        const bool found = table_find(&e->keys, x, i, &place);
        TRY(set_constant(y, i, found ? &e->values : &e->otherwise, found ? place : 0, err));
    }
done:
    return status;
}

typedef struct category_mapper {
    table strings, integers;
} category_mapper;

static ondol_status two_lists(const plan_call *c, const char *ints_name, const char *strings_name,
                              constants *ints, constants *strings) {
    const graph_attribute *i = graph_get_attribute(c->g, c->node, ints_name);
    const graph_attribute *s = graph_get_attribute(c->g, c->node, strings_name);
    *ints = i ? constants_of(i) : (constants){.element = TENSOR_ELEMENT_I64};
    *strings = s ? constants_of(s) : (constants){.element = TENSOR_ELEMENT_STRING};
    return ONDOL_OK;
}

ondol_status ref_prepare_category_mapper(const plan_device *d, const ondol_allocator *a,
                                         const graph *g, graph_node_id n, base_pool *pool,
                                         void **state, ondol_error *err) {
    const plan_call c = {.g = g, .node = n}; /* for its sentences */
    constants ints, strings;
    (void)d, (void)pool;
    category_mapper *m = base_calloc(a, 1, sizeof *m);
    if (!m) return base_no_memory(err, "table", sizeof *m);
    table_init(&m->strings, a);
    table_init(&m->integers, a);
    *state = m;
    ondol_status status = ONDOL_OK;
    TRY(two_lists(&c, "cats_int64s", "cats_strings", &ints, &strings));
    if (ints.count != strings.count) {
        return plan_call_fail(&c, err, "%" PRIu64 " cats_int64s and %" PRIu64 " cats_strings",
                              ints.count, strings.count);
    }
    TRY(table_fill(&m->integers, a, &ints, err));
    TRY(table_fill(&m->strings, a, &strings, err));
done:
    return status;
}

void ref_release_category_mapper(const ondol_allocator *a, void *state) {
    category_mapper *m = state;
    if (!m) return;
    table_destroy(&m->strings, a);
    table_destroy(&m->integers, a);
    base_free(a, m);
}

ondol_status ref_ml_category_mapper(plan_call *c, ondol_error *err) {
    const category_mapper *m = c->state;
    const tensor_string default_string = string_of(c, "default_string");
    const int64_t default_integer = graph_get_int(c->g, c->node, "default_int64");
    tensor_value *x = NULL, *y = NULL;
    constants ints, strings;
    uint32_t place = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(two_lists(c, "cats_int64s", "cats_strings", &ints, &strings));
    const bool from_strings = x->element == TENSOR_ELEMENT_STRING;
    if (!from_strings && x->element != TENSOR_ELEMENT_I64) {
        return plan_call_fail(c, err, "an input of type %s, expected string or int64",
                              tensor_element_onnx_name(x->element));
    }
    const constants otherwise = {from_strings ? TENSOR_ELEMENT_I64 : TENSOR_ELEMENT_STRING, 1, NULL,
                                 from_strings ? (const void *)&default_integer
                                              : (const void *)&default_string};
    TRY(plan_call_output(c, 0, otherwise.element, x->rank, x->dims, &y, err));
    for (uint64_t i = 0; i < x->elems; i++) {
        const bool found = table_find(from_strings ? &m->strings : &m->integers, x, i, &place);
        const constants *of = !found ? &otherwise : from_strings ? &ints : &strings;
        TRY(set_constant(y, i, of, found ? place : 0, err));
    }
done:
    return status;
}

typedef struct one_hot {
    table categories;
    uint64_t count;
    bool of_strings;
} one_hot;

ondol_status ref_prepare_one_hot_encoder(const plan_device *d, const ondol_allocator *a,
                                         const graph *g, graph_node_id n, base_pool *pool,
                                         void **state, ondol_error *err) {
    const plan_call c = {.g = g, .node = n}; /* for its sentences */
    constants ints, strings;
    (void)d, (void)pool;
    one_hot *h = base_calloc(a, 1, sizeof *h);
    if (!h) return base_no_memory(err, "table", sizeof *h);
    table_init(&h->categories, a);
    *state = h;
    ondol_status status = ONDOL_OK;
    TRY(two_lists(&c, "cats_int64s", "cats_strings", &ints, &strings));
    if (!ints.count == !strings.count) {
        return plan_call_fail(&c, err,
                              "%" PRIu64 " cats_int64s and %" PRIu64
                              " cats_strings, expected one of the two",
                              ints.count, strings.count);
    }
    h->of_strings = strings.count != 0;
    h->count = h->of_strings ? strings.count : ints.count;
    TRY(table_fill(&h->categories, a, h->of_strings ? &strings : &ints, err));
done:
    return status;
}

void ref_release_one_hot_encoder(const ondol_allocator *a, void *state) {
    one_hot *h = state;
    if (!h) return;
    table_destroy(&h->categories, a);
    base_free(a, h);
}

/* Numbers are cut to integers; one that is none (NaN, or beyond int64) is no category. */
static bool find_category(const one_hot *h, const tensor_value *x, uint64_t i, uint32_t *out) {
    if (tensor_element_kind_of(x->element) != TENSOR_KIND_FLOAT) {
        return table_find(&h->categories, x, i, out);
    }
    const double v = tensor_get_number(x->element, x->data, i);
    const int64_t whole = tensor_get_integer(x->element, x->data, i);
    return v >= -0x1p63 && v < 0x1p63 &&
           base_map_get(&h->categories.places, (const char *)&whole, sizeof whole, out);
}

ondol_status ref_ml_one_hot_encoder(plan_call *c, ondol_error *err) {
    const one_hot *h = c->state;
    const bool unknown_is_fine = graph_get_int(c->g, c->node, "zeros") != 0;
    tensor_value *x = NULL, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK + 1];
    uint32_t place = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, h->of_strings ? REF_CLASS_STRING : REF_CLASS_FLOAT | REF_CLASS_SIGNED, &x,
                  err));
    memcpy(dims, x->dims, sizeof x->dims);
    dims[x->rank] = (int64_t)h->count;
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, x->rank + 1, dims, &y, err));
    float *out = y->data;
    memset(out, 0, (size_t)tensor_value_bytes(y));
    for (uint64_t i = 0; i < x->elems; i++) {
        if (find_category(h, x, i, &place)) {
            out[i * h->count + place] = 1;
        } else if (!unknown_is_fine) {
            return plan_call_fail(c, err, "element %" PRIu64 " is of no category", i);
        }
    }
done:
    return status;
}
