/* MatMulNBits and GatherBlockQuantized. In: rows or indices, constant codes. Out: products, or rows
 * of the table. accuracy_level 4: activations are quantised to 8 bits, as the operator allows, and
 * multiplied as those of decoders are; otherwise panels of W become floats, one at a time, and the
 * codes stay where they are. */
#include "device/cpu/ops/cpu_nbits.h"

#include <inttypes.h>
#include <string.h>

#include "device/cpu/matmul_layout.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/rows.h"
#include "graph/graph_nbits.h"

enum { X, CODES, SCALES, ZEROS, GROUPS, BIAS };     /* of MatMulNBits */
enum { TABLE, INDICES, TABLE_SCALES, TABLE_ZEROS }; /* of GatherBlockQuantized */

typedef struct nbits_state {
    tensor_nbits w;
    const cpu_matmul_config *config; /* NULL: by floats */
    panel_form form;
    void *packed;
} nbits_state;

/* ------------------------------------------------------------ which nodes */

static const graph_value *input_of(const graph *g, graph_node_id n, uint32_t i) {
    const graph_node *node = g->nodes + n;
    const bool there = i < node->input_count && node->inputs[i] != GRAPH_NONE;
    return there ? g->values + node->inputs[i] : NULL;
}

static bool is_constant(const graph_value *v) {
    return v && v->kind == GRAPH_VALUE_INITIALIZER && v->data && v->encoding == GRAPH_PLAIN &&
           v->data_bytes;
}

static bool is_scale(tensor_element e) {
    return e == TENSOR_ELEMENT_F32 || e == TENSOR_ELEMENT_F16 || e == TENSOR_ELEMENT_BF16;
}

/* The constants from input `codes` on, or why it is no matrix that is read here. */
static const char *find_parts(const graph *g, graph_node_id n, uint32_t codes, uint32_t scales,
                              uint32_t zeros, graph_nbits_parts *out) {
    const graph_value *zero = input_of(g, n, zeros);
    *out = (graph_nbits_parts){input_of(g, n, codes), input_of(g, n, scales), zero};
    if (!is_constant(out->codes) || !is_constant(out->scales) || (zero && !is_constant(zero)))
        return "it takes constant weights";
    const int64_t block = graph_get_int(g, n, "block_size");
    if (block < 16 || block % 16) return "blocks that are no multiple of 16";
    return is_scale(out->scales->element) ? NULL : "scales of another type";
}

static uint64_t float_bytes(tensor_element e, uint64_t count) {
    return count * tensor_element_bits(e) / 8;
}

/* Every part as long as the sizes ask for; ref tells of those that are not. */
static const char *check_sizes(const graph_nbits_parts *parts, const tensor_nbits *w) {
    const uint64_t scales = w->rows * w->scale_elems.row;
    const bool float_zeros = w->zero_element != TENSOR_ELEMENT_UNDEFINED;
    const uint64_t zeros = float_zeros ? float_bytes(w->zero_element, w->rows * w->zero_bits.row)
                                       : (w->rows * w->zero_bits.row + 7) / 8;
    if (w->codes_bytes != (w->rows * w->code_bits.row + 7) / 8 ||
        w->scales_bytes != float_bytes(w->scale_element, scales) ||
        (parts->zeros && w->zeros_bytes != zeros)) {
        return "codes, scales or zero points of other sizes";
    }
    return NULL;
}

static bool is_table(const graph_nbits_parts *parts, const tensor_nbits *w) {
    const graph_value *const lists[] = {parts->scales, parts->zeros};
    for (int i = 0; i < 2; i++) {
        const graph_shape *shape = lists[i] ? &lists[i]->shape : NULL;
        if (shape && (shape->rank != 2 || shape->dims[0] != (int64_t)w->rows)) return false;
    }
    return !parts->zeros || parts->zeros->element == parts->codes->element;
}

static bool accept(const char *fault, base_buffer *why) {
    if (fault && why) base_buffer_append_text(why, fault);
    return !fault;
}

bool cpu_accepts_matmul_nbits(const graph *g, graph_node_id n, base_buffer *why) {
    graph_nbits_parts parts;
    tensor_nbits w;
    const graph_value *x = input_of(g, n, X), *bias = input_of(g, n, BIAS);
    const char *fault = find_parts(g, n, CODES, SCALES, ZEROS, &parts);
    if (!fault) fault = graph_nbits_of_matmul(g, n, &parts, &w);
    if (!fault) fault = check_sizes(&parts, &w);
    if (!fault && parts.codes->element != TENSOR_ELEMENT_U8) fault = "it takes codes in bytes";
    if (!fault && parts.zeros && parts.zeros->element != TENSOR_ELEMENT_U8 &&
        !is_scale(parts.zeros->element)) {
        fault = "zero points of another type";
    }
    if (!fault &&
        (!x || x->element != TENSOR_ELEMENT_F32 || (bias && bias->element != TENSOR_ELEMENT_F32))) {
        fault = "it multiplies float32";
    }
    return accept(fault, why);
}

bool cpu_accepts_gather_quantized(const graph *g, graph_node_id n, base_buffer *why) {
    graph_nbits_parts parts;
    tensor_nbits w;
    const graph_node *node = g->nodes + n;
    const char *fault = find_parts(g, n, TABLE, TABLE_SCALES, TABLE_ZEROS, &parts);
    if (!fault) fault = graph_nbits_of_table(g, n, &parts, &w);
    if (!fault) fault = check_sizes(&parts, &w);
    if (!fault && !is_table(&parts, &w)) fault = "scales or zero points of other shapes";
    if (!fault && g->values[node->outputs[0]].element != TENSOR_ELEMENT_F32)
        fault = "it gives float32";
    return accept(fault, why);
}

/* ------------------------------------------------------------ weights */

typedef struct packing {
    const nbits_state *s;
    uint64_t panel_bytes;
} packing;

static void pack_unit(uint32_t unit, unsigned thread, void *argument) {
    const packing *p = argument;
    const tensor_matrix m = {.rows = p->s->w.rows, .columns = p->s->w.columns, .nbits = &p->s->w};
    (void)thread;
    p->s->config->pack(p->s->form, &m, unit, (char *)p->s->packed + unit * p->panel_bytes);
}

static ondol_status pack(const plan_device *d, const ondol_allocator *a, base_pool *pool,
                         nbits_state *s, ondol_error *err) {
    const tensor_matrix m = {.rows = s->w.rows, .columns = s->w.columns, .nbits = &s->w};
    s->config = cpu_matmul_select(cpu_device_of(d)->isa, &m, &s->form, NULL);
    if (!s->config) return ONDOL_OK;
    const uint64_t panels = (m.rows + PANEL_ROWS - 1) / PANEL_ROWS;
    const uint64_t bytes = s->config->packed_bytes(s->form, m.rows, m.columns);
    packing p = {s, bytes / panels};
    if (bytes <= SIZE_MAX - CPU_MATMUL_SLACK_BYTES)
        s->packed = base_alloc_aligned(a, (size_t)bytes + CPU_MATMUL_SLACK_BYTES, 64);
    if (!s->packed) return base_no_memory(err, "weights", bytes);
    if (pool && panels <= BASE_POOL_UNITS_MAX) {
        base_pool_run(pool, (uint32_t)panels, pack_unit, &p);
        return ONDOL_OK;
    }
    for (uint64_t i = 0; i < panels; i++)
        pack_unit((uint32_t)i, 0, &p);
    return ONDOL_OK;
}

static ondol_status create(const ondol_allocator *a, const graph *g, graph_node_id n, bool is_table,
                           void **out, ondol_error *err) {
    graph_nbits_parts parts;
    nbits_state *s = base_calloc(a, 1, sizeof *s);
    if (!s) return base_no_memory(err, "weights", sizeof *s);
    *out = s;
    find_parts(g, n, is_table ? TABLE : CODES, SCALES, ZEROS, &parts);
    if (is_table)
        graph_nbits_of_table(g, n, &parts, &s->w);
    else
        graph_nbits_of_matmul(g, n, &parts, &s->w);
    ondol_status status = tensor_nbits_check(&s->w, err);
    return base_prefix(err, status, "node '%s' (%s)", g->nodes[n].name,
                       is_table ? "GatherBlockQuantized" : "MatMulNBits");
}

ondol_status cpu_prepare_matmul_nbits(const plan_device *d, const ondol_allocator *a,
                                      const graph *g, graph_node_id n, base_pool *pool, void **out,
                                      ondol_error *err) {
    ondol_status status = create(a, g, n, false, out, err);
    if (status != ONDOL_OK || graph_get_int(g, n, "accuracy_level") != 4) return status;
    return pack(d, a, pool, *out, err);
}

ondol_status cpu_prepare_gather_quantized(const plan_device *d, const ondol_allocator *a,
                                          const graph *g, graph_node_id n, base_pool *pool,
                                          void **out, ondol_error *err) {
    (void)d, (void)pool;
    return create(a, g, n, true, out, err);
}

void cpu_release_nbits(const ondol_allocator *a, void *state) {
    nbits_state *s = state;
    if (s) base_free(a, s->packed);
    base_free(a, s);
}

/* ------------------------------------------------------------ products */

typedef struct product {
    const nbits_state *s;
    const cpu_rows *rows;
    cpu_quantize_rows quantize;
    const cpu_matmul_config *floats;
    panel_form floats_form;
    const float *x, *bias;
    float *y;
    uint64_t count; /* rows of x */
    unsigned char *quantised;
    unsigned char *work; /* [threads][work_bytes] */
    uint64_t work_bytes, panels, panels_each;
} product;

#define QUANTIZE_ROWS 8u /* of a unit: a tile */

static void quantize_unit(uint32_t unit, unsigned thread, void *argument) {
    const product *p = argument;
    const uint64_t first = (uint64_t)unit * QUANTIZE_ROWS, left = p->count - first;
    const uint64_t end = first + (left < QUANTIZE_ROWS ? left : QUANTIZE_ROWS);
    (void)thread;
    p->quantize(p->quantised, p->x, (size_t)p->s->w.columns, (uint32_t)p->count, (uint32_t)first,
                (uint32_t)end, p->s->w.columns);
}

static void codes_unit(uint32_t unit, unsigned thread, void *argument) {
    const product *p = argument;
    const nbits_state *s = p->s;
    const uint64_t first = unit * p->panels_each, left = p->panels - first;
    s->config->matmul(s->form, s->packed, s->w.rows, s->w.columns, first,
                      first + (left < p->panels_each ? left : p->panels_each), p->quantised, 0,
                      (uint32_t)p->count, p->y, (size_t)s->w.rows, p->bias,
                      p->work + thread * p->work_bytes);
}

/* A panel of W becomes [k][32] floats, and is multiplied by all rows. */
static void floats_unit(uint32_t unit, unsigned thread, void *argument) {
    const product *p = argument;
    const tensor_nbits *w = &p->s->w;
    const uint64_t first = (uint64_t)unit * PANEL_ROWS, left = w->rows - first;
    const size_t n = left < PANEL_ROWS ? (size_t)left : PANEL_ROWS;
    const size_t k = (size_t)w->columns;
    float *panel = (float *)(void *)(p->work + thread * p->work_bytes);
    float *lines = panel + k * PANEL_ROWS;
    for (size_t i = 0; i < n; i++)
        tensor_nbits_decode(w, first + i, 0, k, lines + i * k);
    memset(lines + n * k, 0, (PANEL_ROWS - n) * k * sizeof *lines);
    p->rows->transpose(panel, PANEL_ROWS, lines, k, PANEL_ROWS, k);
    p->floats->matmul(p->floats_form, panel, n, k, 0, 1, p->x, k, (uint32_t)p->count, p->y + first,
                      (size_t)w->rows, p->bias ? p->bias + first : NULL, NULL);
}

static ondol_status multiply_codes(plan_call *c, product *p, ondol_error *err) {
    const nbits_state *s = p->s;
    const unsigned threads = c->pool ? base_pool_thread_count(c->pool) : 1;
    const uint64_t bytes = (cpu_activation_bytes(p->count, s->w.columns) + 63) / 64 * 64;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    p->work_bytes = (s->config->work_bytes + 63) / 64 * 64;
    TRY(tensor_heap_alloc(c->heap, bytes + CPU_MATMUL_SLACK_BYTES + p->work_bytes * threads,
                          "activations", &memory, err));
    p->work = memory;
    p->quantised = p->work + p->work_bytes * threads;
    const uint64_t products = PANEL_ROWS * s->w.columns * (p->count + 1);
    p->panels_each = ((uint64_t)1 << 18) / products + 1;
    plan_call_parallel(c, (uint32_t)((p->count + QUANTIZE_ROWS - 1) / QUANTIZE_ROWS), quantize_unit,
                       p);
    plan_call_parallel(c, (uint32_t)((p->panels + p->panels_each - 1) / p->panels_each), codes_unit,
                       p);
done:
    tensor_heap_free(c->heap, memory);
    return status;
}

static ondol_status multiply_floats(plan_call *c, product *p, ondol_error *err) {
    const unsigned threads = c->pool ? base_pool_thread_count(c->pool) : 1;
    const tensor_matrix m = {
        .rows = PANEL_ROWS, .columns = p->s->w.columns, .encoding = TENSOR_ENCODING_F32};
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    p->floats = cpu_matmul_select(cpu_device_of(c->device)->isa, &m, &p->floats_form, NULL);
    p->work_bytes = 2 * sizeof(float) * PANEL_ROWS * m.columns + CPU_MATMUL_SLACK_BYTES;
    TRY(tensor_heap_alloc(c->heap, p->work_bytes * threads, "weights", &memory, err));
    p->work = memory;
    plan_call_parallel(c, (uint32_t)p->panels, floats_unit, p);
done:
    tensor_heap_free(c->heap, memory);
    return status;
}

static ondol_status read_bias(const plan_call *c, uint64_t n, const float **out, ondol_error *err) {
    tensor_value *bias = NULL;
    if (!plan_call_input(c, BIAS)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, BIAS, TENSOR_ELEMENT_F32, &bias, err);
    if (status != ONDOL_OK) return status;
    if (bias->elems != n) {
        return plan_call_fail(c, err, "a bias of %" PRIu64 " elements, N is %" PRIu64, bias->elems,
                              n);
    }
    *out = bias->data;
    return ONDOL_OK;
}

ondol_status cpu_run_matmul_nbits(plan_call *c, ondol_error *err) {
    const nbits_state *s = c->state;
    const uint64_t k = s->w.columns, n = s->w.rows;
    tensor_value *x = NULL, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    const base_isa isa = cpu_device_of(c->device)->isa;
    product p = {.s = s,
                 .rows = cpu_rows_select(isa),
                 .quantize = cpu_quantize_rows_select(isa),
                 .panels = (n + PANEL_ROWS - 1) / PANEL_ROWS};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, X, TENSOR_ELEMENT_F32, &x, err));
    if (!x->rank || x->dims[x->rank - 1] != (int64_t)k) {
        return plan_call_fail(c, err, "A has rows of %" PRId64 ", K is %" PRIu64,
                              x->rank ? x->dims[x->rank - 1] : 0, k);
    }
    TRY(read_bias(c, n, &p.bias, err));
    memcpy(dims, x->dims, x->rank * sizeof *dims);
    dims[x->rank - 1] = (int64_t)n;
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, x->rank, dims, &y, err));
    p.x = x->data;
    p.y = y->data;
    p.count = x->elems / k;
    if (p.count > UINT32_MAX / QUANTIZE_ROWS || p.panels > BASE_POOL_UNITS_MAX)
        return plan_call_fail(c, err, "%" PRIu64 " rows, %" PRIu64 " outputs", p.count, n);
    if (!p.count) return ONDOL_OK;
    TRY(s->config ? multiply_codes(c, &p, err) : multiply_floats(c, &p, err));
done:
    return status;
}

/* ------------------------------------------------------------ rows of a table */

typedef struct gathering {
    const tensor_nbits *w;
    const tensor_value *indices;
    float *y;
} gathering;

/* A row that is not there: zeros, as ONNX Runtime gives them. */
static void gather_unit(uint32_t unit, unsigned thread, void *argument) {
    const gathering *j = argument;
    const size_t columns = (size_t)j->w->columns;
    int64_t i = j->indices->element == TENSOR_ELEMENT_I64
                    ? ((const int64_t *)j->indices->data)[unit]
                    : ((const int32_t *)j->indices->data)[unit];
    float *y = j->y + unit * columns;
    (void)thread;
    if (i < 0) i += (int64_t)j->w->rows;
    if (i < 0 || i >= (int64_t)j->w->rows)
        memset(y, 0, columns * sizeof *y);
    else
        tensor_nbits_decode(j->w, (uint64_t)i, 0, columns, y);
}

ondol_status cpu_run_gather_quantized(plan_call *c, ondol_error *err) {
    const nbits_state *s = c->state;
    tensor_value *indices = NULL, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, INDICES, &indices, err));
    if (indices->element != TENSOR_ELEMENT_I64 && indices->element != TENSOR_ELEMENT_I32) {
        return plan_call_fail(c, err, "indices of type %s",
                              tensor_element_onnx_name(indices->element));
    }
    if (indices->rank + 1 > TENSOR_MAX_RANK || indices->elems > BASE_POOL_UNITS_MAX)
        return plan_call_fail(c, err, "%" PRIu64 " indices", indices->elems);
    memcpy(dims, indices->dims, indices->rank * sizeof *dims);
    dims[indices->rank] = (int64_t)s->w.columns;
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, indices->rank + 1, dims, &y, err));
    gathering j = {&s->w, indices, y->data};
    plan_call_parallel(c, (uint32_t)indices->elems, gather_unit, &j);
done:
    return status;
}
