/* MatMulInteger, QLinearMatMul, MatMulIntegerToFloat, DynamicQuantizeMatMul. In: codes (or floats
 * to be made codes), scales, zero points; B packed once where it is constant. Out: sums of
 * products, floats or codes, for each of the broadcast batches. */
#include <inttypes.h>
#include <string.h>

#include "device/cpu/ops/cpu_int8_gemm.h"
#include "device/cpu/ops/cpu_int8_ops.h"

#define NONE UINT32_MAX

/* Which inputs an operator has. */
typedef struct roles {
    graph_op op;
    cpu_int8_result result;
    uint32_t b, a_scale, a_zero, b_scale, b_zero, y_scale, y_zero, bias;
} roles;

static const roles ROLES[] = {
    {GRAPH_OP_MATMUL_INTEGER, CPU_INT8_SUMS, 1, NONE, 2, NONE, 3, NONE, NONE, NONE},
    {GRAPH_OP_QLINEAR_MATMUL, CPU_INT8_CODES, 3, 1, 2, 4, 5, 6, 7, NONE},
    {GRAPH_OP_MS_MATMUL_INTEGER_TO_FLOAT, CPU_INT8_FLOATS, 1, 2, 4, 3, 5, NONE, NONE, 6},
    {GRAPH_OP_MS_DYNAMIC_QUANTIZE_MATMUL, CPU_INT8_FLOATS, 1, NONE, NONE, 2, 3, NONE, NONE, 4},
};

static const roles *roles_of(graph_op op) {
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; i++)
        if (ROLES[i].op == op) return ROLES + i;
    return ROLES;
}

/* ------------------------------------------------------------------------- acceptance, packing */

const graph_value *cpu_int8_value(const graph *g, graph_node_id n, uint32_t i) {
    const graph_node *node = g->nodes + n;
    if (i >= node->input_count || node->inputs[i] == GRAPH_NONE) return NULL;
    return g->values + node->inputs[i];
}

bool cpu_int8_are(const graph_value *v) {
    return v && (v->element == TENSOR_ELEMENT_U8 || v->element == TENSOR_ELEMENT_I8);
}

bool cpu_int8_is_one(const graph *g, graph_node_id n, uint32_t i) {
    const graph_value *v = cpu_int8_value(g, n, i);
    return !v || v->shape.rank == 0 || (v->shape.rank == 1 && v->shape.dims[0] == 1);
}

bool cpu_int8_is_constant(const graph_value *v) {
    return v && v->kind == GRAPH_VALUE_INITIALIZER && v->data && !v->matrix &&
           v->encoding == GRAPH_PLAIN;
}

/* One number, or a list. */
static bool is_list(const graph *g, graph_node_id n, uint32_t i) {
    const graph_value *v = cpu_int8_value(g, n, i);
    return !v || v->shape.rank <= 1;
}

static bool is_f32(const graph *g, graph_node_id n, uint32_t i) {
    const graph_value *v = cpu_int8_value(g, n, i);
    return !v || v->element == TENSOR_ELEMENT_F32;
}

bool cpu_accepts_int8_matmul(const graph *g, graph_node_id n, base_buffer *why) {
    const roles *r = roles_of(g->nodes[n].op);
    const graph_value *a = cpu_int8_value(g, n, 0), *b = cpu_int8_value(g, n, r->b);
    const bool is_dynamic = r->op == GRAPH_OP_MS_DYNAMIC_QUANTIZE_MATMUL;
    bool fine =
        a && (is_dynamic ? a->element == TENSOR_ELEMENT_F32 : cpu_int8_are(a)) && cpu_int8_are(b);
    fine = fine && is_list(g, n, r->a_zero) && is_list(g, n, r->b_zero) &&
           is_list(g, n, r->b_scale) && is_f32(g, n, r->a_scale) && is_f32(g, n, r->b_scale);
    fine = fine && cpu_int8_is_one(g, n, r->a_scale) && cpu_int8_is_one(g, n, r->y_scale) &&
           cpu_int8_is_one(g, n, r->y_zero) && is_f32(g, n, r->y_scale);
    if (fine && r->result == CPU_INT8_CODES) {
        /* The oracle's sums have 64 bits there. */
        const bool has_rank = b->shape.rank >= 1 && b->shape.rank <= GRAPH_MAX_RANK;
        const graph_dim k =
            has_rank ? b->shape.dims[b->shape.rank > 1 ? b->shape.rank - 2 : 0] : -1;
        fine = k >= 0 && k <= CPU_INT8_LONGEST && cpu_int8_is_one(g, n, r->a_zero) &&
               cpu_int8_are(cpu_int8_value(g, n, r->y_zero));
    }
    if (!fine && why)
        base_buffer_append_text(why, "it takes 8-bit codes with float32 scales by column");
    return fine;
}

/* A constant B. */
typedef struct matmul_state {
    cpu_int8_packed packed;
    void *memory;
} matmul_state;

ondol_status cpu_prepare_int8_matmul(const plan_device *d, const ondol_allocator *a, const graph *g,
                                     graph_node_id n, base_pool *pool, void **out,
                                     ondol_error *err) {
    const roles *r = roles_of(g->nodes[n].op);
    const graph_value *b = cpu_int8_value(g, n, r->b), *zero = cpu_int8_value(g, n, r->b_zero);
    uint64_t bytes = 0, zeros = 0;
    (void)d, (void)pool;
    if (!cpu_int8_is_constant(b) || b->shape.rank != 2 || b->shape.dims[0] < 0 ||
        b->shape.dims[1] < 0 || (zero && !cpu_int8_is_constant(zero)) ||
        (zero && zero->element != b->element)) {
        return ONDOL_OK;
    }
    const uint64_t k = (uint64_t)b->shape.dims[0], columns = (uint64_t)b->shape.dims[1];
    if (zero) zeros = zero->shape.rank ? (uint64_t)zero->shape.dims[0] : 1;
    if (zero && zeros != 1 && zeros != columns) return ONDOL_OK; /* refused when it runs */
    matmul_state *s = base_calloc(a, 1, sizeof *s);
    if (!s) return base_no_memory(err, "matmul", sizeof *s);
    *out = s;
    const bool fits = cpu_int8_packed_bytes(k, columns, &bytes);
    s->memory = fits ? base_alloc_aligned(a, (size_t)bytes, 64) : NULL;
    if (!s->memory) return base_no_memory(err, "matmul", bytes);
    cpu_int8_pack(b->data, b->element == TENSOR_ELEMENT_I8, k, columns, columns, 1,
                  zero ? zero->data : NULL, zeros, s->memory, &s->packed);
    return ONDOL_OK;
}

void cpu_release_int8_matmul(const ondol_allocator *a, void *state) {
    matmul_state *s = state;
    if (!s) return;
    base_free(a, s->memory);
    base_free(a, s);
}

/* ------------------------------------------------------------------------------------ one call */

typedef struct product {
    const roles *r;
    tensor_value *a, *b, *y;
    uint64_t m, k, n, batches, a_batches, b_batches;
    uint32_t batch_rank;
    int64_t batch_dims[TENSOR_MAX_RANK];
    cpu_int8_gemm g;
    const uint8_t *codes; /* of a */
    void *owned;
    int32_t *row_zeros;
    float *factors;
    void *packing;
} product;

static int64_t batch_dim(const tensor_value *v, uint32_t rank, uint32_t i) {
    const uint32_t own = v->rank > 2 ? v->rank - 2 : 0;
    return i + own < rank ? 1 : v->dims[i + own - rank];
}

/* Sizes, and the output. */
static ondol_status find_shape(plan_call *c, product *p, tensor_element e, ondol_error *err) {
    const tensor_value *a = p->a, *b = p->b;
    int64_t dims[TENSOR_MAX_RANK];
    if (!a->rank || !b->rank) return plan_call_fail(c, err, "an operand of rank 0");
    const int64_t k = a->dims[a->rank - 1], b_k = b->dims[b->rank > 1 ? b->rank - 2 : 0];
    if (k != b_k) {
        return plan_call_fail(c, err, "inner sizes %" PRId64 " and %" PRId64, k, b_k);
    }
    p->k = (uint64_t)k;
    p->m = a->rank > 1 ? (uint64_t)a->dims[a->rank - 2] : 1;
    p->n = b->rank > 1 ? (uint64_t)b->dims[b->rank - 1] : 1;
    p->batches = p->a_batches = p->b_batches = 1;
    p->batch_rank = (a->rank > b->rank ? a->rank : b->rank) > 2
                        ? (a->rank > b->rank ? a->rank : b->rank) - 2
                        : 0;
    uint32_t rank = p->batch_rank;
    for (uint32_t i = 0; i < rank; i++) {
        const int64_t u = batch_dim(a, rank, i), v = batch_dim(b, rank, i);
        if (u != v && u != 1 && v != 1) {
            return plan_call_fail(c, err, "batches of %" PRId64 " and %" PRId64, u, v);
        }
        dims[i] = p->batch_dims[i] = u == 1 ? v : u;
        p->batches *= (uint64_t)dims[i];
        p->a_batches *= (uint64_t)u;
        p->b_batches *= (uint64_t)v;
    }
    if (a->rank > 1) dims[rank++] = (int64_t)p->m;
    if (b->rank > 1) dims[rank++] = (int64_t)p->n;
    return plan_call_output(c, 0, e, rank, dims, &p->y, err);
}

/* Codes of a and the zero points of its rows. */
static ondol_status read_left(plan_call *c, product *p, ondol_error *err) {
    tensor_value *zero = NULL;
    void *zeros = NULL;
    const bool is_dynamic = p->r->op == GRAPH_OP_MS_DYNAMIC_QUANTIZE_MATMUL;
    ondol_status status = ONDOL_OK;
    if (!is_dynamic && plan_call_input(c, p->r->a_zero)) {
        TRY(plan_call_typed(c, p->r->a_zero, p->a->element, &zero, err));
        if (zero->elems != 1 && (zero->elems != p->m || zero->rank != 1)) {
            return plan_call_fail(c, err, "%" PRIu64 " zero points for %" PRIu64 " rows",
                                  zero->elems, p->m);
        }
    }
    TRY(tensor_heap_alloc(c->heap, (zero ? zero->elems : 1) * sizeof(int32_t), "zero points",
                          &zeros, err));
    p->row_zeros = zeros;
    p->g.row_zeros = zeros;
    p->g.row_zero_step = zero && zero->elems > 1;
    if (is_dynamic) {
        TRY(tensor_heap_alloc(c->heap, p->a->elems + 64, "codes", &p->owned, err));
        memset((char *)p->owned + p->a->elems, 0, 64);
        cpu_int8_quantize_dynamic(c, p->a->data, p->a->elems, p->owned, &p->g.a_scale,
                                  p->row_zeros);
        p->codes = p->owned;
        return ONDOL_OK;
    }
    const uint8_t flip = p->a->element == TENSOR_ELEMENT_I8 ? 128 : 0;
    for (uint64_t i = 0; i < (zero ? zero->elems : 1); i++)
        p->row_zeros[i] = (zero ? ((const uint8_t *)zero->data)[i] : 0) ^ flip;
    TRY(cpu_int8_left(c, p->a, p->k, &p->codes, &p->owned, err));
done:
    return status;
}

/* Input i: one float, or one for each column. */
static ondol_status read_columns(const plan_call *c, const product *p, uint32_t i,
                                 tensor_value **out, ondol_error *err) {
    ondol_status status = plan_call_typed(c, i, TENSOR_ELEMENT_F32, out, err);
    if (status != ONDOL_OK) return status;
    const bool is_list = (*out)->rank == 1 && (*out)->elems == p->n;
    if ((*out)->elems == 1 || is_list) return ONDOL_OK;
    return plan_call_fail(c, err, "%" PRIu64 " scales for %" PRIu64 " columns", (*out)->elems,
                          p->n);
}

static ondol_status read_one(const plan_call *c, uint32_t i, float *out, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = plan_call_typed(c, i, TENSOR_ELEMENT_F32, &v, err);
    if (status != ONDOL_OK) return status;
    if (v->elems != 1) return plan_call_fail(c, err, "%" PRIu64 " scales for one", v->elems);
    *out = *(const float *)v->data;
    return ONDOL_OK;
}

static ondol_status read_scales(plan_call *c, product *p, ondol_error *err) {
    tensor_value *scales = NULL, *bias = NULL;
    const roles *r = p->r;
    float y_scale = 1;
    void *factors = NULL;
    ondol_status status = ONDOL_OK;
    if (r->a_scale != NONE) TRY(read_one(c, r->a_scale, &p->g.a_scale, err));
    TRY(read_columns(c, p, r->b_scale, &scales, err));
    p->g.scales = scales->data;
    p->g.scale_step = scales->elems > 1;
    if (r->bias != NONE && plan_call_input(c, r->bias)) {
        TRY(plan_call_typed(c, r->bias, TENSOR_ELEMENT_F32, &bias, err));
        if (bias->rank != 1 || bias->elems != p->n) {
            return plan_call_fail(c, err, "%" PRIu64 " biases for %" PRIu64 " columns", bias->elems,
                                  p->n);
        }
        p->g.bias = bias->data;
    }
    if (r->y_scale == NONE) return ONDOL_OK;
    TRY(read_one(c, r->y_scale, &y_scale, err));
    TRY(tensor_heap_alloc(c->heap, scales->elems * sizeof(float), "factors", &factors, err));
    p->factors = factors;
    for (uint64_t i = 0; i < scales->elems; i++) {
        const float both = p->g.a_scale * p->g.scales[i];
        p->factors[i] = both / y_scale;
    }
    p->g.scales = p->factors;
done:
    return status;
}

/* The result's zero point. */
static ondol_status read_result_zero(const plan_call *c, product *p, tensor_element *e,
                                     ondol_error *err) {
    tensor_value *zero = NULL;
    ondol_status status = plan_call_tensor(c, p->r->y_zero, &zero, err);
    if (status != ONDOL_OK) return status;
    *e = zero->element;
    if (zero->elems != 1 || (*e != TENSOR_ELEMENT_U8 && *e != TENSOR_ELEMENT_I8)) {
        return plan_call_fail(c, err, "the result's zero point is no code of 8 bits");
    }
    p->g.y_low = *e == TENSOR_ELEMENT_I8 ? -128 : 0;
    p->g.y_zero =
        *e == TENSOR_ELEMENT_I8 ? *(const int8_t *)zero->data : *(const uint8_t *)zero->data;
    return ONDOL_OK;
}

/* Packs B of batch `index`. */
static void pack_batch(const product *p, uint64_t index, const tensor_value *zero,
                       cpu_int8_packed *out) {
    const uint8_t *data = (const uint8_t *)p->b->data + index * p->k * p->n;
    cpu_int8_pack(data, p->b->element == TENSOR_ELEMENT_I8, p->k, p->n, p->n, 1,
                  zero ? zero->data : NULL, zero ? zero->elems : 0, p->packing, out);
}

/* Which matrix of v batch `index` of the result has. */
static uint64_t batch_of(const product *p, const tensor_value *v, uint64_t index) {
    uint64_t at = 0, step = 1;
    for (uint32_t i = p->batch_rank; i-- > 0;) {
        const uint64_t size = (uint64_t)p->batch_dims[i], place = index % size;
        const int64_t own = batch_dim(v, p->batch_rank, i);
        index /= size;
        if (own != 1) at += place * step;
        step *= (uint64_t)own;
    }
    return at;
}

static ondol_status run_batches(plan_call *c, product *p, ondol_error *err) {
    const matmul_state *s = c->state;
    tensor_value *zero = NULL;
    cpu_int8_packed packed;
    uint64_t bytes = 0, last = UINT64_MAX;
    const size_t y_bytes = p->r->result == CPU_INT8_CODES ? 1 : 4;
    ondol_status status = ONDOL_OK;
    p->g.b = s ? &s->packed : &packed;
    if (!s) {
        if (plan_call_input(c, p->r->b_zero))
            TRY(plan_call_typed(c, p->r->b_zero, p->b->element, &zero, err));
        if (zero && zero->elems != 1 && (zero->rank != 1 || zero->elems != p->n)) {
            return plan_call_fail(c, err, "%" PRIu64 " zero points for %" PRIu64 " columns",
                                  zero->elems, p->n);
        }
        if (!cpu_int8_packed_bytes(p->k, p->n, &bytes)) {
            return plan_call_fail(c, err, "its operands are too large");
        }
        TRY(tensor_heap_alloc(c->heap, bytes, "matmul", &p->packing, err));
    }
    /* One matrix for all rows: they are one product. */
    const bool is_flat = p->b_batches == 1 && p->g.row_zero_step == 0;
    const uint64_t steps = is_flat ? 1 : p->batches;
    p->g.rows = is_flat ? p->batches * p->m : p->m;
    for (uint64_t i = 0; i < steps && p->y->elems; i++) {
        const uint64_t a_at = is_flat ? 0 : batch_of(p, p->a, i);
        const uint64_t b_at = is_flat ? 0 : batch_of(p, p->b, i);
        if (!s && b_at != last) pack_batch(p, b_at, zero, &packed);
        last = b_at;
        p->g.a = p->codes + a_at * p->m * p->k;
        p->g.y = (char *)p->y->data + i * p->m * p->n * y_bytes;
        cpu_int8_gemm_run(c->pool, &p->g);
    }
done:
    return status;
}

ondol_status cpu_run_int8_matmul(plan_call *c, ondol_error *err) {
    product p = {.r = roles_of(c->g->nodes[c->node].op)};
    tensor_element e = TENSOR_ELEMENT_I32;
    const bool is_dynamic = p.r->op == GRAPH_OP_MS_DYNAMIC_QUANTIZE_MATMUL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &p.a, err));
    TRY(plan_call_tensor(c, p.r->b, &p.b, err));
    const bool a_fits =
        is_dynamic ? p.a->element == TENSOR_ELEMENT_F32
                   : p.a->element == TENSOR_ELEMENT_U8 || p.a->element == TENSOR_ELEMENT_I8;
    if (!a_fits || (p.b->element != TENSOR_ELEMENT_U8 && p.b->element != TENSOR_ELEMENT_I8)) {
        return plan_call_fail(c, err, "operands of types %s and %s",
                              tensor_element_onnx_name(p.a->element),
                              tensor_element_onnx_name(p.b->element));
    }
    if (p.r->result == CPU_INT8_FLOATS) e = TENSOR_ELEMENT_F32;
    if (p.r->result == CPU_INT8_CODES) TRY(read_result_zero(c, &p, &e, err));
    TRY(find_shape(c, &p, e, err));
    if (e != TENSOR_ELEMENT_I32 && p.k > CPU_INT8_LONGEST && p.r->result == CPU_INT8_CODES) {
        status = plan_call_fail(c, err, "sums of %" PRIu64 " products of codes", p.k);
        goto done;
    }
    p.g.kernels = cpu_int8_of(c->device);
    p.g.result = p.r->result;
    p.g.a_stride = (size_t)p.k;
    p.g.y_stride = (size_t)p.n;
    TRY(read_left(c, &p, err));
    if (p.r->result != CPU_INT8_SUMS) TRY(read_scales(c, &p, err));
    TRY(run_batches(c, &p, err));
done:
    tensor_heap_free(c->heap, p.owned);
    tensor_heap_free(c->heap, p.row_zeros);
    tensor_heap_free(c->heap, p.factors);
    tensor_heap_free(c->heap, p.packing);
    return status;
}
