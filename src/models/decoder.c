/* Keys and tensors. In: a GGUF file. Out: numbers, and initializers of the graph. */
#include "models/decoder.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES 128

static void full_key(const decoder *d, const char *name, char out[NAME_BYTES]) {
    snprintf(out, NAME_BYTES, "%s.%s", d->architecture, name);
}

const gguf_value *decoder_key(decoder *d, const char *name) {
    char key[NAME_BYTES];
    full_key(d, name, key);
    return d->status == ONDOL_OK ? gguf_find_key(d->file, key) : NULL;
}

uint32_t decoder_key_u32(decoder *d, const char *name, uint32_t otherwise) {
    char key[NAME_BYTES];
    uint32_t value = otherwise;
    full_key(d, name, key);
    if (d->status == ONDOL_OK) d->status = gguf_get_u32_or(d->file, key, otherwise, &value, d->err);
    return value;
}

uint32_t decoder_key_u32_required(decoder *d, const char *name) {
    char key[NAME_BYTES];
    uint32_t value = 0;
    full_key(d, name, key);
    if (d->status == ONDOL_OK) d->status = gguf_get_u32(d->file, key, &value, d->err);
    return value;
}

double decoder_key_f64(decoder *d, const char *name, double otherwise) {
    const gguf_value *value = decoder_key(d, name);
    double number = otherwise;
    int64_t integer = 0;
    if (!value) return otherwise;
    if (gguf_value_i64(value, &integer)) {
        number = (double)integer;
    } else if (!gguf_value_f64(value, &number) || !isfinite(number)) {
        d->status =
            base_fail(d->err, ONDOL_E_FORMAT, "key '%s.%s': expected a finite number, got %s",
                      d->architecture, name, gguf_type_name(value->type));
    }
    return number;
}

bool decoder_key_equals(decoder *d, const char *name, const char *text) {
    const gguf_value *value = decoder_key(d, name);
    gguf_string s;
    if (!value || !gguf_value_string(value, &s)) return false;
    return s.size_bytes == strlen(text) && memcmp(s.text, text, s.size_bytes) == 0;
}

static void tensor_name(int layer, const char *name, char out[NAME_BYTES]) {
    if (layer == DECODER_GLOBAL)
        snprintf(out, NAME_BYTES, "%s", name);
    else
        snprintf(out, NAME_BYTES, "blk.%d.%s", layer, name);
}

bool decoder_has(decoder *d, int layer, const char *name) {
    char full[NAME_BYTES];
    tensor_name(layer, name, full);
    return gguf_find_tensor(d->file, full) != NULL;
}

/* The tensor, or a sticky fault. */
static const gguf_tensor *find(decoder *d, const char *full) {
    if (d->status != ONDOL_OK) return NULL;
    const gguf_tensor *t = gguf_find_tensor(d->file, full);
    if (!t) {
        d->status =
            base_fail(d->err, ONDOL_E_NOT_FOUND,
                      "tensor '%s' is missing; architecture '%s' needs it", full, d->architecture);
    }
    return t;
}

graph_value_id decoder_matrix(decoder *d, int layer, const char *name, uint64_t rows,
                              uint64_t columns) {
    char full[NAME_BYTES];
    tensor_name(layer, name, full);
    const gguf_tensor *t = find(d, full);
    if (!t) return GRAPH_NONE;
    bool fits = t->dims[0] == columns && (rows == 0 || t->dims[1] == rows) && t->dims[2] == 1 &&
                t->dims[3] == 1 && t->dims[1] <= INT32_MAX;
    if (!fits) {
        d->status = base_fail(d->err, ONDOL_E_FORMAT,
                              "tensor '%s': shape [%" PRIu64 ", %" PRIu64 "%s], expected [%" PRIu64
                              ", %" PRIu64 "]%s",
                              full, t->dims[0], t->dims[1], t->n_dims > 2 ? ", ..." : "", columns,
                              rows, rows ? "" : " (0: any)");
        return GRAPH_NONE;
    }
    if (tensor_encoding_info_of(t->encoding)->encoding_class == TENSOR_CLASS_INTEGER) {
        d->status = base_fail(d->err, ONDOL_E_UNSUPPORTED, "tensor '%s': weights of type %s", full,
                              tensor_encoding_info_of(t->encoding)->name);
        return GRAPH_NONE;
    }
    const unsigned char *data = NULL;
    graph_value_id v = GRAPH_NONE;
    d->status = gguf_tensor_data(d->file, t, &data, d->err);
    if (d->status == ONDOL_OK) {
        d->status = graph_add_weight(d->g, full, t->encoding,
                                     graph_shape_2((graph_dim)t->dims[1], (graph_dim)t->dims[0]),
                                     data, t->size_bytes, &v, d->err);
    }
    return v;
}

graph_value_id decoder_vector(decoder *d, int layer, const char *name, uint64_t n, bool optional) {
    char full[NAME_BYTES];
    tensor_name(layer, name, full);
    if (optional && !decoder_has(d, layer, name)) return GRAPH_NONE;
    const gguf_tensor *t = find(d, full);
    if (!t) return GRAPH_NONE;
    if (t->n_elems != n || t->dims[0] != n) {
        d->status =
            base_fail(d->err, ONDOL_E_FORMAT,
                      "tensor '%s': %" PRIu64 " elements, expected %" PRIu64, full, t->n_elems, n);
        return GRAPH_NONE;
    }
    const unsigned char *data = NULL;
    graph_value_id v = GRAPH_NONE;
    float *values = base_alloc(d->g->allocator, (size_t)n, sizeof *values);
    if (!values)
        d->status = base_no_memory(d->err, full, n * sizeof *values);
    else
        d->status = gguf_tensor_data(d->file, t, &data, d->err);
    if (d->status == ONDOL_OK) {
        tensor_decode(t->encoding, data, (size_t)n, values);
        d->status = graph_add_constant(d->g, full, TENSOR_ELEMENT_F32, graph_shape_1((graph_dim)n),
                                       values, &v, d->err);
    }
    base_free(d->g->allocator, values);
    return v;
}

static void read_sizes(decoder *d) {
    d->layers = decoder_key_u32_required(d, "block_count");
    d->hidden = decoder_key_u32_required(d, "embedding_length");
    d->heads = decoder_key_u32_required(d, "attention.head_count");
    d->feed_forward = decoder_key_u32_required(d, "feed_forward_length");
    d->context = decoder_key_u32(d, "context_length", 2048);
    d->kv_heads = decoder_key_u32(d, "attention.head_count_kv", d->heads);
    if (d->status != ONDOL_OK) return;
    if (d->heads < 1 || d->kv_heads < 1 || d->heads % d->kv_heads || d->layers < 1 ||
        d->layers > DECODER_MAX_LAYERS || d->hidden < 1 || d->hidden > DECODER_MAX_HIDDEN ||
        d->feed_forward < 1 || d->feed_forward > DECODER_MAX_HIDDEN || d->context < 1 ||
        d->context > DECODER_MAX_CONTEXT || d->heads > DECODER_MAX_HIDDEN) {
        d->status = base_fail(d->err, ONDOL_E_FORMAT,
                              "sizes of '%s' make no model: %u layers, %u hidden, %u heads, %u "
                              "key/value heads, %u feed forward, %u context",
                              d->architecture, d->layers, d->hidden, d->heads, d->kv_heads,
                              d->feed_forward, d->context);
        return;
    }
    d->head_size = decoder_key_u32(d, "attention.key_length", d->hidden / d->heads);
    uint32_t value_size = decoder_key_u32(d, "attention.value_length", d->hidden / d->heads);
    d->rotated = decoder_key_u32(d, "rope.dimension_count", d->head_size);
    if (d->status != ONDOL_OK) return;
    if (d->head_size < 1 || d->head_size > 65536 || value_size != d->head_size ||
        d->rotated > d->head_size || d->rotated % 2) {
        d->status = base_fail(d->err, ONDOL_E_UNSUPPORTED,
                              "'%s': heads of %u for keys and %u for values, %u rotated; expected "
                              "the same size and an even number of rotated dimensions in it",
                              d->architecture, d->head_size, value_size, d->rotated);
    }
}

static void add_input(decoder *d, const char *name, tensor_element element, graph_shape shape,
                      graph_value_id *out) {
    if (d->status == ONDOL_OK) {
        d->status = graph_add_input(d->g, name, element, shape, out, d->err);
    }
}

static void add_symbol(decoder *d, const char *name, graph_dim *out) {
    if (d->status == ONDOL_OK) d->status = graph_symbol(d->g, name, out, d->err);
}

void decoder_begin(decoder *d, const char *epsilon_key) {
    read_sizes(d);
    if (d->status == ONDOL_OK && !decoder_key(d, epsilon_key)) {
        d->status = base_fail(d->err, ONDOL_E_NOT_FOUND, "key '%s.%s' is missing", d->architecture,
                              epsilon_key);
    }
    d->epsilon = (float)decoder_key_f64(d, epsilon_key, 0);
    if (d->status != ONDOL_OK) return;
    d->presents = base_arena_alloc(&d->g->arena, 2 * d->layers, sizeof *d->presents);
    if (!d->presents)
        d->status = base_no_memory(d->err, "graph", 2 * d->layers * sizeof *d->presents);
    add_symbol(d, "batch", &d->batch);
    add_symbol(d, "sequence", &d->sequence);
    add_symbol(d, "past", &d->past);
    graph_shape rows = graph_shape_2(d->batch, d->sequence);
    add_input(d, "input_ids", TENSOR_ELEMENT_I64, rows, &d->ids);
    add_input(d, "position_ids", TENSOR_ELEMENT_I64, rows, &d->positions);
    add_input(d, "seqlens_k", TENSOR_ELEMENT_I32, graph_shape_1(d->batch), &d->lengths);
    add_input(d, "total_sequence_length", TENSOR_ELEMENT_I32, (graph_shape){0}, &d->total);
}

bool decoder_layer_has_window(decoder *d, uint32_t layer, uint32_t period) {
    const gguf_value *pattern = decoder_key(d, "attention.sliding_window_pattern");
    uint64_t number = period;
    if (pattern && pattern->type == GGUF_TYPE_ARRAY) {
        gguf_value element;
        bool local = false;
        if (!gguf_array_at(pattern, layer, &element) || !gguf_value_bool(&element, &local)) {
            d->status = base_fail(d->err, ONDOL_E_FORMAT,
                                  "key '%s.attention.sliding_window_pattern': expected a bool for "
                                  "layer %u",
                                  d->architecture, layer);
        }
        return local;
    }
    if (pattern && !gguf_value_u64(pattern, &number)) {
        d->status = base_fail(d->err, ONDOL_E_FORMAT,
                              "key '%s.attention.sliding_window_pattern': expected a number or "
                              "booleans, got %s",
                              d->architecture, gguf_type_name(pattern->type));
        return false;
    }
    return number == 0 || layer % number + 1 < number;
}
