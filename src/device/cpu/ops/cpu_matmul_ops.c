/* MatMul, Gemm, FusedMatMul. In: A, B (packed once where it is constant), for Gemm C. Out: their
 * product, for each of the broadcast batches. */
#include "device/cpu/ops/cpu_matmul_ops.h"

#include <inttypes.h>
#include <string.h>

#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/rows.h"

/* A constant B. */
typedef struct matmul_state {
    cpu_packed packed;
    void *memory;
} matmul_state;

static bool is_half(tensor_element e) {
    return e == TENSOR_ELEMENT_F16 || e == TENSOR_ELEMENT_BF16;
}

/* A matrix that is packed when the network is made ready. */
static bool is_weight(const graph_value *b) {
    return b->kind == GRAPH_VALUE_INITIALIZER && b->encoding == GRAPH_PLAIN && b->shape.rank == 2 &&
           b->shape.dims[0] > 0 && b->shape.dims[1] > 0;
}

bool cpu_accepts_matmul(const graph *g, graph_node_id n, base_buffer *why) {
    const graph_node *node = g->nodes + n;
    const graph_value *a = g->values + node->inputs[0], *b = g->values + node->inputs[1];
    const tensor_element e = a->element != TENSOR_ELEMENT_UNDEFINED ? a->element : b->element;
    const bool plain =
        graph_get_int(g, n, "transBatchA") == 0 && graph_get_int(g, n, "transBatchB") == 0;
    const bool halves = is_half(b->element) && is_weight(b) && graph_get_int(g, n, "transA") == 0;
    if (e == TENSOR_ELEMENT_F32 && plain && (!is_half(b->element) || halves)) return true;
    if (why) base_buffer_append_text(why, plain ? "it multiplies float32" : "batches transposed");
    return false;
}

/* B as [k, n] behind its batch dimensions, transposed where the node says so. */
static cpu_matrix matrix_of(tensor_encoding e, const void *data, int64_t rows, int64_t columns,
                            bool transposed) {
    const uint64_t r = (uint64_t)rows, c = (uint64_t)columns;
    return transposed ? (cpu_matrix){e, data, c, r, 1, c} : (cpu_matrix){e, data, r, c, c, 1};
}

ondol_status cpu_prepare_matmul(const plan_device *d, const ondol_allocator *a, const graph *g,
                                graph_node_id n, base_pool *pool, void **out, ondol_error *err) {
    const graph_value *b = g->values + g->nodes[n].inputs[1];
    const cpu_device *device = cpu_device_of(d);
    tensor_encoding encoding;
    if (!is_weight(b) || (b->element != TENSOR_ELEMENT_F32 && !is_half(b->element)) ||
        !tensor_encoding_of_element(b->element, &encoding)) {
        return ONDOL_OK;
    }
    const cpu_matrix m = matrix_of(encoding, b->data, b->shape.dims[0], b->shape.dims[1],
                                   graph_get_int(g, n, "transB") != 0);
    matmul_state *s = base_calloc(a, 1, sizeof *s);
    if (!s) return base_no_memory(err, "matmul", sizeof *s);
    *out = s;
    const uint64_t bytes = cpu_gemm_packed_bytes(device, m.encoding, m.k, m.n);
    s->memory = bytes > SIZE_MAX ? NULL : base_alloc_aligned(a, (size_t)bytes, 64);
    if (!s->memory) return base_no_memory(err, "matmul", bytes);
    cpu_gemm_pack(device, pool, &m, s->memory, &s->packed);
    return ONDOL_OK;
}

void cpu_release_matmul(const ondol_allocator *a, void *state) {
    matmul_state *s = state;
    if (!s) return;
    base_free(a, s->memory);
    base_free(a, s);
}

/* Packed already, or of floats. */
static ondol_status read_b(const plan_call *c, tensor_value **b, ondol_error *err) {
    return c->state ? plan_call_tensor(c, 1, b, err)
                    : plan_call_typed(c, 1, TENSOR_ELEMENT_F32, b, err);
}

/* Batches of a product: where each operand's matrix lies. */
typedef struct batches {
    uint32_t rank;
    int64_t dims[TENSOR_MAX_RANK];
    uint64_t count, a_step[TENSOR_MAX_RANK], b_step[TENSOR_MAX_RANK]; /* in matrices */
} batches;

static ondol_status broadcast_batches(const plan_call *c, uint32_t a_rank, const int64_t *a,
                                      uint32_t b_rank, const int64_t *b, batches *out,
                                      ondol_error *err) {
    uint64_t a_size = 1, b_size = 1;
    *out = (batches){.rank = a_rank > b_rank ? a_rank : b_rank, .count = 1};
    for (uint32_t i = out->rank; i-- > 0;) {
        const int64_t p = i + a_rank < out->rank ? 1 : a[i + a_rank - out->rank];
        const int64_t q = i + b_rank < out->rank ? 1 : b[i + b_rank - out->rank];
        if (p != q && p != 1 && q != 1) {
            return plan_call_fail(c, err, "batches of %" PRId64 " and %" PRId64, p, q);
        }
        out->dims[i] = p == 1 ? q : p;
        out->a_step[i] = p == 1 ? 0 : a_size;
        out->b_step[i] = q == 1 ? 0 : b_size;
        a_size *= (uint64_t)p;
        b_size *= (uint64_t)q;
        out->count *= (uint64_t)out->dims[i];
    }
    return ONDOL_OK;
}

static void find_batch(const batches *b, uint64_t index, uint64_t *a_at, uint64_t *b_at) {
    *a_at = *b_at = 0;
    for (uint32_t i = b->rank; i-- > 0;) {
        const uint64_t at = index % (uint64_t)b->dims[i];
        index /= (uint64_t)b->dims[i];
        *a_at += at * b->a_step[i];
        *b_at += at * b->b_step[i];
    }
}

/* A product under way. */
typedef struct product {
    plan_call *c;
    batches batch;
    const float *a, *b;
    float *y;
    uint64_t m, k, n;
    uint64_t b_rows, b_columns;
    bool a_transposed, b_transposed;
    unsigned char *work; /* [threads][work_bytes]: B packed, A transposed */
    uint64_t work_bytes, packed_bytes;
} product;

static void transpose_a(const product *p, const float *a, float *to) {
    const cpu_device *d = cpu_device_of(p->c->device);
    cpu_rows_select(d->isa)->transpose(to, p->k, a, p->m, p->k, p->m);
}

static void run_batch(const product *p, uint64_t index, unsigned thread, base_pool *pool) {
    uint64_t a_at = 0, b_at = 0;
    find_batch(&p->batch, index, &a_at, &b_at);
    unsigned char *work = p->work + thread * p->work_bytes;
    const float *a = p->a + a_at * p->m * p->k;
    const cpu_matrix b = matrix_of(TENSOR_ENCODING_F32, p->b + b_at * p->k * p->n,
                                   (int64_t)p->b_rows, (int64_t)p->b_columns, p->b_transposed);
    cpu_packed packed;
    if (p->a_transposed) {
        float *turned = (float *)(void *)(work + p->packed_bytes);
        transpose_a(p, a, turned);
        a = turned;
    }
    cpu_gemm_pack(cpu_device_of(p->c->device), pool, &b, work, &packed);
    const cpu_gemm_call g = {&packed, a, p->k, p->m, p->y + index * p->m * p->n, p->n, NULL};
    cpu_gemm_run(pool, &g);
}

static void batch_unit(uint32_t unit, unsigned thread, void *argument) {
    run_batch(argument, unit, thread, NULL);
}

/* Many small products go to threads whole, few large ones are cut. */
static ondol_status run_batches(product *p, ondol_error *err) {
    plan_call *c = p->c;
    void *work = NULL;
    const unsigned threads = c->pool ? base_pool_thread_count(c->pool) : 1;
    const bool whole = p->batch.count >= 2 * threads && p->batch.count < BASE_POOL_UNITS_MAX;
    p->packed_bytes =
        (cpu_gemm_packed_bytes(cpu_device_of(c->device), TENSOR_ENCODING_F32, p->k, p->n) + 63) /
        64 * 64;
    p->work_bytes = p->packed_bytes + (p->a_transposed ? (4 * p->m * p->k + 63) / 64 * 64 : 0);
    ondol_status status =
        tensor_heap_alloc(c->heap, p->work_bytes * (whole ? threads : 1), "matmul", &work, err);
    if (status != ONDOL_OK) return status;
    p->work = work;
    if (whole && c->pool) {
        base_pool_run(c->pool, (uint32_t)p->batch.count, batch_unit, p);
    } else {
        for (uint64_t i = 0; i < p->batch.count; i++)
            run_batch(p, i, 0, c->pool);
    }
    tensor_heap_free(c->heap, work);
    return ONDOL_OK;
}

/* y of the right shape; vectors lose the dimension that they were given. */
static ondol_status make_output(plan_call *c, const product *p, bool a_vector, bool b_vector,
                                tensor_value **y, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK];
    uint32_t rank = p->batch.rank;
    memcpy(dims, p->batch.dims, rank * sizeof *dims);
    if (rank + 2 > TENSOR_MAX_RANK) return plan_call_fail(c, err, "rank over %d", TENSOR_MAX_RANK);
    if (!a_vector) dims[rank++] = (int64_t)p->m;
    if (!b_vector) dims[rank++] = (int64_t)p->n;
    return plan_call_output(c, 0, TENSOR_ELEMENT_F32, rank, dims, y, err);
}

static void scale_output(const plan_call *c, tensor_value *y) {
    const double alpha = graph_get_float(c->g, c->node, "alpha");
    if (c->g->nodes[c->node].op != GRAPH_OP_MS_FUSED_MATMUL || alpha == 1.0) return;
    const float factor = (float)alpha;
    cpu_rows_select(cpu_device_of(c->device)->isa)
        ->binary(CPU_BINARY_MUL, y->data, y->data, 1, &factor, 0, (size_t)y->elems);
}

ondol_status cpu_run_matmul(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *y = NULL;
    const matmul_state *s = c->state;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &a, err));
    TRY(read_b(c, &b, err));
    if (!a->rank || !b->rank) return plan_call_fail(c, err, "an operand of rank 0");
    const bool a_vector = a->rank == 1, b_vector = b->rank == 1;
    product p = {.c = c, .a = a->data, .b = b->data};
    p.a_transposed = !a_vector && graph_get_int(c->g, c->node, "transA") != 0;
    p.b_transposed = !b_vector && graph_get_int(c->g, c->node, "transB") != 0;
    const int64_t *a_end = a->dims + a->rank, *b_end = b->dims + b->rank;
    const int64_t a_rows = a_vector ? 1 : a_end[-2], a_columns = a_end[-1];
    const int64_t b_rows = b_vector ? b_end[-1] : b_end[-2], b_columns = b_vector ? 1 : b_end[-1];
    p.m = (uint64_t)(p.a_transposed ? a_columns : a_rows);
    p.k = (uint64_t)(p.a_transposed ? a_rows : a_columns);
    p.n = (uint64_t)(p.b_transposed ? b_rows : b_columns);
    p.b_rows = (uint64_t)b_rows;
    p.b_columns = (uint64_t)b_columns;
    if (p.k != (uint64_t)(p.b_transposed ? b_columns : b_rows)) {
        return plan_call_fail(c, err, "inner sizes %" PRIu64 " and %" PRId64, p.k,
                              p.b_transposed ? b_columns : b_rows);
    }
    TRY(broadcast_batches(c, a_vector ? 0 : a->rank - 2, a->dims, b_vector ? 0 : b->rank - 2,
                          b->dims, &p.batch, err));
    TRY(make_output(c, &p, a_vector, b_vector, &y, err));
    p.y = y->data;
    if (!y->elems) return ONDOL_OK;
    if (!p.k) {
        memset(y->data, 0, (size_t)tensor_value_bytes(y));
    } else if (s && !p.a_transposed) {
        const tensor_value *bias = plan_call_input(c, 2);
        const cpu_gemm_call g = {
            &s->packed, p.a, p.k, p.batch.count * p.m, p.y, p.n, bias ? bias->data : NULL};
        cpu_gemm_run(c->pool, &g);
    } else if (b->rank <= 2 && !p.a_transposed) {
        p.m *= p.batch.count; /* one B for all */
        p.batch = (batches){.count = 1};
        TRY(run_batches(&p, err));
    } else {
        TRY(run_batches(&p, err));
    }
    scale_output(c, y);
done:
    return status;
}

/* y = alpha * y + beta * C, C broadcast to [m, n]. */
static ondol_status add_c(plan_call *c, tensor_value *y, bool is_bias, ondol_error *err) {
    const cpu_rows *rows = cpu_rows_select(cpu_device_of(c->device)->isa);
    const float alpha = (float)graph_get_float(c->g, c->node, "alpha");
    const float beta = (float)graph_get_float(c->g, c->node, "beta");
    const size_t m = (size_t)y->dims[0], n = (size_t)y->dims[1];
    tensor_value *x = NULL;
    if (alpha != 1.0f) rows->binary(CPU_BINARY_MUL, y->data, y->data, 1, &alpha, 0, m * n);
    if (is_bias || !plan_call_input(c, 2) || beta == 0.0f) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, 2, TENSOR_ELEMENT_F32, &x, err);
    if (status != ONDOL_OK) return status;
    const int64_t columns = x->rank ? x->dims[x->rank - 1] : 1;
    const int64_t lines = x->rank > 1 ? x->dims[x->rank - 2] : 1;
    if (x->rank > 2 || (columns != 1 && columns != (int64_t)n) ||
        (lines != 1 && lines != (int64_t)m)) {
        return plan_call_fail(c, err, "C does not broadcast to [%zu, %zu]", m, n);
    }
    const size_t step = columns == 1 ? 0 : 1;
    void *scaled = NULL;
    status = tensor_heap_alloc(c->heap, 4 * (uint64_t)n, "gemm", &scaled, err);
    if (status != ONDOL_OK) return status;
    for (size_t i = 0; i < m; i++) {
        const float *line = (const float *)x->data + (lines == 1 ? 0 : i * (size_t)columns);
        float *out = (float *)y->data + i * n;
        if (beta != 1.0f) {
            rows->binary(CPU_BINARY_MUL, scaled, line, step, &beta, 0, step ? n : 1);
            line = scaled;
        }
        rows->binary(CPU_BINARY_ADD, out, out, 1, line, step, n);
    }
    tensor_heap_free(c->heap, scaled);
    return ONDOL_OK;
}

ondol_status cpu_run_gemm(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *y = NULL, *bias = plan_call_input(c, 2);
    const matmul_state *s = c->state;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &a, err));
    TRY(read_b(c, &b, err));
    if (a->rank != 2 || b->rank != 2) return plan_call_fail(c, err, "A and B must have rank 2");
    product p = {.c = c, .a = a->data, .b = b->data, .batch = {.count = 1}};
    p.a_transposed = graph_get_int(c->g, c->node, "transA") != 0;
    p.b_transposed = graph_get_int(c->g, c->node, "transB") != 0;
    p.m = (uint64_t)a->dims[p.a_transposed];
    p.k = (uint64_t)a->dims[!p.a_transposed];
    p.n = (uint64_t)b->dims[!p.b_transposed];
    p.b_rows = (uint64_t)b->dims[0];
    p.b_columns = (uint64_t)b->dims[1];
    if (p.k != (uint64_t)b->dims[p.b_transposed]) {
        return plan_call_fail(c, err, "inner sizes %" PRIu64 " and %" PRId64, p.k,
                              b->dims[p.b_transposed]);
    }
    TRY(make_output(c, &p, false, false, &y, err));
    p.y = y->data;
    /* A vector for each row and no factors: added in the product. */
    const bool as_bias = s && bias && bias->element == TENSOR_ELEMENT_F32 && !p.a_transposed &&
                         bias->elems == p.n &&
                         (bias->rank == 1 || (bias->rank == 2 && bias->dims[0] == 1)) &&
                         graph_get_float(c->g, c->node, "alpha") == 1.0 &&
                         graph_get_float(c->g, c->node, "beta") == 1.0;
    if (!y->elems) return ONDOL_OK;
    if (!p.k) {
        memset(y->data, 0, (size_t)tensor_value_bytes(y));
    } else if (s && !p.a_transposed) {
        const cpu_gemm_call g = {&s->packed, p.a, p.k, p.m, p.y, p.n, as_bias ? bias->data : NULL};
        cpu_gemm_run(c->pool, &g);
    } else {
        TRY(run_batches(&p, err));
    }
    TRY(add_c(c, y, as_bias && p.k, err));
done:
    return status;
}
