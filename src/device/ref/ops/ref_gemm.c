/* Matrix products. In: two dense operands. Out: rows of sums. Rows and runs of columns are the
 * units of the threads; each sum goes up along k, so threads change no bit. */
#include "device/ref/ops/ref_gemm.h"

#include <inttypes.h>

#define SMALL_PRODUCT (1u << 15) /* multiplications that are not worth a second thread */
#define UNITS_MAX     4096u

static ondol_status refuse(const plan_call *c, const tensor_value *a, const tensor_value *b,
                           ondol_error *err) {
    char a_text[REF_SHAPE_TEXT_BYTES], b_text[REF_SHAPE_TEXT_BYTES];
    return plan_call_fail(c, err, "shapes %s and %s cannot be multiplied",
                          ref_shape_text(a->rank, a->dims, a_text),
                          ref_shape_text(b->rank, b->dims, b_text));
}

/* The larger of two batch dimensions, where one broadcasts to the other. */
static bool join(int64_t a, int64_t b, int64_t *out) {
    *out = a == 1 ? b : a;
    return a == b || a == 1 || b == 1;
}

ondol_status ref_gemm_begin(const plan_call *c, const tensor_value *a, const tensor_value *b,
                            ref_gemm *p, ondol_error *err) {
    *p = (ref_gemm){.a_dims = a->dims, .b_dims = b->dims, .m = 1, .n = 1};
    if (a->rank == 0 || b->rank == 0) return refuse(c, a, b, err);
    const int64_t k = a->dims[a->rank - 1], b_k = b->dims[b->rank == 1 ? 0 : b->rank - 2];
    if (k != b_k) return refuse(c, a, b, err);
    p->k = (uint64_t)k;
    p->a_batch_rank = a->rank > 2 ? a->rank - 2 : 0;
    p->b_batch_rank = b->rank > 2 ? b->rank - 2 : 0;
    p->batch_rank = p->a_batch_rank > p->b_batch_rank ? p->a_batch_rank : p->b_batch_rank;
    for (uint32_t i = 0; i < p->batch_rank; i++) {
        const uint32_t back = p->batch_rank - i; /* counted from behind */
        const int64_t a_dim = back > p->a_batch_rank ? 1 : a->dims[p->a_batch_rank - back];
        const int64_t b_dim = back > p->b_batch_rank ? 1 : b->dims[p->b_batch_rank - back];
        if (!join(a_dim, b_dim, p->batch_dims + i)) return refuse(c, a, b, err);
        p->dims[p->rank++] = p->batch_dims[i];
    }
    if (a->rank > 1) p->dims[p->rank++] = a->dims[a->rank - 2];
    if (b->rank > 1) p->dims[p->rank++] = b->dims[b->rank - 1];
    if (a->rank > 1) p->m = (uint64_t)a->dims[a->rank - 2];
    if (b->rank > 1) p->n = (uint64_t)b->dims[b->rank - 1];
    if (!ref_product(p->batch_rank, p->batch_dims, &p->batches)) return refuse(c, a, b, err);
    if (!ref_product(p->rank, p->dims, &p->elems)) return refuse(c, a, b, err);
    return ONDOL_OK;
}

void ref_gemm_of_matrices(uint64_t m, uint64_t k, uint64_t n, ref_gemm *p) {
    *p = (ref_gemm){.rank = 2,
                    .dims = {(int64_t)m, (int64_t)n},
                    .m = m,
                    .k = k,
                    .n = n,
                    .batches = 1,
                    .elems = m * n};
}

/* One batch of a product: a[m][k], b[k][n]. */
typedef struct gemm_job {
    const ref_gemm *p;
    const double *a, *b;
    const uint64_t *integer_a, *integer_b; /* instead, where not NULL */
    ref_take_numbers take;
    ref_take_integers take_integers;
    void *user;
    uint64_t first; /* of the batch's results */
    uint64_t column_runs;
    uint32_t unit_count;
} gemm_job;

static void sum_numbers(const gemm_job *j, uint64_t row, uint64_t column, uint64_t count) {
    const ref_gemm *p = j->p;
    double sums[REF_CHUNK] = {0};
    for (uint64_t k = 0; k < p->k; k++) {
        const double a = j->a[row * p->k + k];
        const double *b = j->b + k * p->n + column;
        for (uint64_t i = 0; i < count; i++)
            sums[i] += a * b[i];
    }
    j->take(j->user, j->first + row * p->n + column, count, sums);
}

static void sum_integers(const gemm_job *j, uint64_t row, uint64_t column, uint64_t count) {
    const ref_gemm *p = j->p;
    uint64_t sums[REF_CHUNK] = {0};
    for (uint64_t k = 0; k < p->k; k++) {
        const uint64_t a = j->integer_a[row * p->k + k];
        const uint64_t *b = j->integer_b + k * p->n + column;
        for (uint64_t i = 0; i < count; i++)
            sums[i] += a * b[i];
    }
    j->take_integers(j->user, j->first + row * p->n + column, count, sums);
}

static void run_unit(uint32_t unit, unsigned thread_index, void *argument) {
    const gemm_job *j = argument;
    (void)thread_index;
    for (uint64_t task = unit; task < j->p->m * j->column_runs; task += j->unit_count) {
        const uint64_t column = task % j->column_runs * REF_CHUNK, left = j->p->n - column;
        const uint64_t row = task / j->column_runs, count = left < REF_CHUNK ? left : REF_CHUNK;
        if (j->integer_a)
            sum_integers(j, row, column, count);
        else
            sum_numbers(j, row, column, count);
    }
}

static void run_batch(plan_call *c, gemm_job *j) {
    const ref_gemm *p = j->p;
    j->column_runs = (p->n + REF_CHUNK - 1) / REF_CHUNK;
    const uint64_t tasks = p->m * j->column_runs;
    const bool is_small = (double)p->m * (double)p->n * (double)p->k < SMALL_PRODUCT;
    j->unit_count = is_small ? 1 : tasks < UNITS_MAX ? (uint32_t)tasks : UNITS_MAX;
    if (tasks) plan_call_parallel(c, j->unit_count, run_unit, j);
}

static void run_all(plan_call *c, const ref_gemm *p, const gemm_job *job) {
    ref_walk w;
    gemm_job j = *job;
    ref_walk_begin(&w, p->batch_rank, p->batch_dims);
    ref_walk_add(&w, p->a_batch_rank, p->a_dims);
    ref_walk_add(&w, p->b_batch_rank, p->b_dims);
    for (; w.left && p->elems; ref_walk_next(&w)) {
        const uint64_t a_offset = (uint64_t)w.at[0] * p->m * p->k;
        const uint64_t b_offset = (uint64_t)w.at[1] * p->k * p->n;
        if (job->integer_a) {
            j.integer_a = job->integer_a + a_offset;
            j.integer_b = job->integer_b + b_offset;
        } else {
            j.a = job->a + a_offset;
            j.b = job->b + b_offset;
        }
        run_batch(c, &j);
        j.first += p->m * p->n;
    }
}

void ref_gemm_numbers(plan_call *c, const ref_gemm *p, const double *a, const double *b,
                      ref_take_numbers take, void *user) {
    run_all(c, p, &(gemm_job){.p = p, .a = a, .b = b, .take = take, .user = user});
}

void ref_gemm_integers(plan_call *c, const ref_gemm *p, const uint64_t *a, const uint64_t *b,
                       ref_take_integers take, void *user) {
    const gemm_job job = {
        .p = p, .integer_a = a, .integer_b = b, .take_integers = take, .user = user};
    run_all(c, p, &job);
}

void ref_take_numbers_into(void *user, uint64_t first, uint64_t count, const double *sums) {
    ref_store_numbers(user, first, count, sums);
}

void ref_take_integers_into(void *user, uint64_t first, uint64_t count, const uint64_t *sums) {
    ref_store_integers(user, first, count, sums);
}
