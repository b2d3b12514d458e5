/* MatMulNBits. In: a [..., K], codes of bits [N, blocks, bytes], a scale and a zero point for each
 * block. Out: a times (code - zero) * scale, transposed; summed in double, rounded once. */
#include <inttypes.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"

enum { A, B, SCALES, ZEROS, GROUPS, BIAS };

typedef struct nbits_call {
    uint64_t rows, k, n; /* of a; sizes of the weights */
    uint64_t block_size, blocks, blob_bytes, zero_row_bytes;
    unsigned bits;
    const uint8_t *codes;
    const tensor_value *scales, *zeros, *groups; /* zeros, groups: NULL without */
    double *a, *sums;                            /* [rows][k], [rows][n] */
} nbits_call;

static ondol_status expect_elems(const plan_call *c, const char *what, const tensor_value *v,
                                 uint64_t count, ondol_error *err) {
    char text[REF_SHAPE_TEXT_BYTES];
    if (v->elems == count) return ONDOL_OK;
    return plan_call_fail(c, err, "%s of shape %s has %" PRIu64 " elements, expected %" PRIu64,
                          what, ref_shape_text(v->rank, v->dims, text), v->elems, count);
}

static ondol_status read_sizes(const plan_call *c, nbits_call *m, ondol_error *err) {
    const int64_t k = graph_get_int(c->g, c->node, "K"), n = graph_get_int(c->g, c->node, "N");
    const int64_t bits = graph_get_int(c->g, c->node, "bits");
    const int64_t block = graph_get_int(c->g, c->node, "block_size");
    const int64_t most = (int64_t)1 << 30;
    if (k < 1 || n < 1 || k > most || n > most) {
        return plan_call_fail(c, err, "K is %" PRId64 ", N is %" PRId64, k, n);
    }
    if (bits < 1 || bits > 8) return plan_call_fail(c, err, "bits is %" PRId64, bits);
    if (block < 1 || block > most) {
        return plan_call_fail(c, err, "block_size is %" PRId64, block);
    }
    if (graph_get_int(c->g, c->node, "weight_prepacked") != 0) {
        return plan_call_fail(c, err, "its weights are packed for another device");
    }
    m->k = (uint64_t)k;
    m->n = (uint64_t)n;
    m->bits = (unsigned)bits;
    m->block_size = (uint64_t)block;
    m->blocks = (m->k + m->block_size - 1) / m->block_size;
    m->blob_bytes = (m->block_size * m->bits + 7) / 8;
    m->zero_row_bytes = (m->blocks * m->bits + 7) / 8;
    return ONDOL_OK;
}

/* g_idx: the block whose scale and zero point each column has. */
static ondol_status read_groups(const plan_call *c, nbits_call *m, ondol_error *err) {
    tensor_value *v = NULL;
    if (!plan_call_input(c, GROUPS)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, GROUPS, TENSOR_ELEMENT_I32, &v, err);
    if (status != ONDOL_OK) return status;
    if (v->elems != m->blocks * m->block_size) {
        status = expect_elems(c, "g_idx", v, m->k, err);
        if (status != ONDOL_OK) return status;
    }
    for (uint64_t i = 0; i < m->k; i++) {
        const int64_t group = tensor_get_integer(v->element, v->data, i);
        if (group < 0 || (uint64_t)group >= m->blocks) {
            return plan_call_fail(c, err, "g_idx has %" PRId64 " of %" PRIu64 " blocks", group,
                                  m->blocks);
        }
    }
    m->groups = v;
    return ONDOL_OK;
}

static ondol_status read_weights(const plan_call *c, nbits_call *m, const tensor_value *b,
                                 ondol_error *err) {
    tensor_value *scales = NULL, *zeros = NULL;
    ondol_status status = ONDOL_OK;
    TRY(expect_elems(c, "B", b, m->n * m->blocks * m->blob_bytes, err));
    m->codes = b->data;
    TRY(ref_float_input(c, SCALES, &scales, err));
    TRY(expect_elems(c, "scales", scales, m->n * m->blocks, err));
    m->scales = scales;
    TRY(ref_ms_optional(c, ZEROS, REF_CLASS_FLOAT | REF_CLASS_UNSIGNED, &zeros, err));
    if (zeros && zeros->element == TENSOR_ELEMENT_U8) {
        TRY(expect_elems(c, "zero_points", zeros, m->n * m->zero_row_bytes, err));
    } else if (zeros) {
        TRY(ref_float_input(c, ZEROS, &zeros, err));
        TRY(expect_elems(c, "zero_points", zeros, m->n * m->blocks, err));
    }
    m->zeros = zeros;
    TRY(read_groups(c, m, err));
done:
    return status;
}

static double zero_of(const nbits_call *m, uint64_t n, uint64_t block) {
    if (!m->zeros) return (double)(1u << (m->bits - 1));
    if (m->zeros->element == TENSOR_ELEMENT_U8) {
        const uint8_t *row = (const uint8_t *)m->zeros->data + n * m->zero_row_bytes;
        return ref_ms_bits(row, block * m->bits, m->bits);
    }
    return tensor_get_number(m->zeros->element, m->zeros->data, n * m->blocks + block);
}

/* Weights of row n, columns [first, first + count). */
static void decode(const nbits_call *m, uint64_t n, uint64_t first, uint64_t count, double *out) {
    uint64_t last = UINT64_MAX;
    double scale = 0, zero = 0;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t k = first + i, block = k / m->block_size;
        const uint64_t group =
            m->groups ? (uint64_t)tensor_get_integer(TENSOR_ELEMENT_I32, m->groups->data, k)
                      : block;
        if (group != last) {
            scale = tensor_get_number(m->scales->element, m->scales->data, n * m->blocks + group);
            zero = zero_of(m, n, group);
            last = group;
        }
        const uint8_t *blob = m->codes + (n * m->blocks + block) * m->blob_bytes;
        const unsigned code = ref_ms_bits(blob, k % m->block_size * m->bits, m->bits);
        out[i] = ((double)code - zero) * scale;
    }
}

static void run_column(void *user, uint64_t n) {
    const nbits_call *m = user;
    double weights[REF_CHUNK];
    for (uint64_t row = 0; row < m->rows; row++)
        m->sums[row * m->n + n] = 0;
    for (uint64_t first = 0; first < m->k; first += REF_CHUNK) {
        const uint64_t left = m->k - first, count = left < REF_CHUNK ? left : REF_CHUNK;
        decode(m, n, first, count, weights);
        for (uint64_t row = 0; row < m->rows; row++) {
            const double *a = m->a + row * m->k + first;
            double sum = m->sums[row * m->n + n];
            for (uint64_t i = 0; i < count; i++)
                sum += a[i] * weights[i];
            m->sums[row * m->n + n] = sum;
        }
    }
}

static ondol_status make_output(plan_call *c, const nbits_call *m, const tensor_value *a,
                                ondol_error *err) {
    tensor_value *y = NULL;
    double *bias = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    const int64_t n = (int64_t)m->n;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_list(c, BIAS, "bias", n, 0, &bias, err));
    for (uint32_t i = 0; i < a->rank; i++)
        dims[i] = i + 1 == a->rank ? n : a->dims[i];
    TRY(plan_call_output(c, 0, a->element, a->rank, dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++) {
        const double v = (m->sums ? m->sums[i] : 0) + bias[i % m->n];
        tensor_set_number(y->element, y->data, i, v);
    }
done:
    tensor_heap_free(c->heap, bias);
    return status;
}

ondol_status ref_ms_matmul_nbits(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL;
    void *sums = NULL;
    nbits_call m = {0};
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, A, &a, err));
    TRY(plan_call_typed(c, B, TENSOR_ELEMENT_U8, &b, err));
    TRY(read_sizes(c, &m, err));
    if (a->rank < 1 || a->dims[a->rank - 1] != (int64_t)m.k) {
        char text[REF_SHAPE_TEXT_BYTES];
        status = plan_call_fail(c, err, "A has shape %s, K is %" PRIu64,
                                ref_shape_text(a->rank, a->dims, text), m.k);
        goto done;
    }
    /* Without codes the projection is left out: zeros. */
    if (b->elems != 0) {
        TRY(read_weights(c, &m, b, err));
        m.rows = a->elems / m.k;
        TRY(ref_all_numbers(c, a, &m.a, err));
        TRY(ref_alloc(c, m.rows, m.n * sizeof *m.sums, "sums of a product", &sums, err));
        m.sums = sums;
        ref_run_tasks(c, m.n, run_column, &m);
    }
    TRY(make_output(c, &m, a, err));
done:
    tensor_heap_free(c->heap, m.a);
    tensor_heap_free(c->heap, m.sums);
    return status;
}
