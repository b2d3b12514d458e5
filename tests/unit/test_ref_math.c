/* The oracle's reductions, operators along an axis, products, Einsum, transforms: what the official
 * cases leave out. */
#include "op_call.h"

#define F32 TENSOR_ELEMENT_F32
#define F64 TENSOR_ELEMENT_F64
#define F16 TENSOR_ELEMENT_F16
#define I32 TENSOR_ELEMENT_I32
#define I64 TENSOR_ELEMENT_I64
#define U32 TENSOR_ELEMENT_U32
#define U64 TENSOR_ELEMENT_U64
#define B   TENSOR_ELEMENT_BOOL

static void reduce_integers(tensor_element e, const char *name, int64_t a, int64_t b,
                            int64_t want) {
    op_call c;
    op_begin(&c);
    op_integers(&c, e, DIMS(2), a, b);
    op_node(&c, "", name, 1);
    op_set_int(&c, "keepdims", 0);
    op_run_ok(&c);
    op_expect_integers(&c, 0, e, SCALAR, want);
    op_end(&c);
}

static void reductions_of_integers(void **state) {
    (void)state;
    reduce_integers(I64, "ReduceSum", INT64_MAX, 1, INT64_MIN);
    reduce_integers(I32, "ReduceSum", INT32_MAX, 1, INT32_MIN);
    reduce_integers(I64, "ReduceSum", 9007199254740993, 2, 9007199254740995);
    reduce_integers(I64, "ReduceMean", -3, 0, -1);
    reduce_integers(I32, "ReduceMean", INT32_MAX, INT32_MAX, INT32_MAX);
    reduce_integers(U64, "ReduceMean", -2, 0, INT64_MAX);
    reduce_integers(I64, "ReduceProd", 3037000500, 3037000500, -9223372036709301616);
    reduce_integers(I64, "ReduceL1", INT64_MIN, 0, INT64_MIN);
    reduce_integers(I64, "ReduceL2", 3037000499, 0, 3037000499);
    reduce_integers(U64, "ReduceL2", 4294967295, 0, 4294967295);
    reduce_integers(I32, "ReduceL2", -30000, 40000, 50000);
    reduce_integers(I64, "ReduceSumSquare", 94906267, 0, 9007199515875289);
    reduce_integers(U64, "ReduceMax", -1, 1, -1);
    reduce_integers(I64, "ReduceMin", 9007199254740993, 9007199254740992, 9007199254740992);
}

/* Over nothing: the identity of each. */
static void reductions_of_nothing(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double want;
    } rows[] = {{"ReduceSum", 0},        {"ReduceProd", 1},
                {"ReduceL1", 0},         {"ReduceL2", 0},
                {"ReduceSumSquare", 0},  {"ReduceMax", -INFINITY},
                {"ReduceMin", INFINITY}, {"ReduceLogSum", -INFINITY},
                {"ReduceMean", NAN},     {"ReduceLogSumExp", -INFINITY}};
    op_call c;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        op_begin(&c);
        op_empty(&c, F32, DIMS(2, 0, 1));
        op_integers(&c, I64, DIMS(1), 1);
        op_node(&c, "", rows[i].name, 1);
        op_run_ok(&c);
        op_expect_list(&c, 0, F32, DIMS(2, 1, 1), (double[]){rows[i].want, rows[i].want}, 2);
        op_end(&c);
    }
    static const struct {
        tensor_element e;
        int64_t least, greatest;
    } limits[] = {{TENSOR_ELEMENT_I8, -128, 127},
                  {TENSOR_ELEMENT_U8, 0, 255},
                  {I32, INT32_MIN, INT32_MAX},
                  {U32, 0, UINT32_MAX},
                  {I64, INT64_MIN, INT64_MAX},
                  {U64, 0, -1},
                  {B, 0, 1}};
    for (size_t i = 0; i < 2 * sizeof limits / sizeof *limits; i++) {
        op_begin(&c);
        op_empty(&c, limits[i / 2].e, DIMS(0));
        op_node(&c, "", i % 2 ? "ReduceMin" : "ReduceMax", 1);
        op_run_ok(&c);
        op_expect_integers(&c, 0, limits[i / 2].e, DIMS(1),
                           i % 2 ? limits[i / 2].greatest : limits[i / 2].least);
        op_end(&c);
    }
    op_begin(&c);
    op_empty(&c, I32, DIMS(0));
    op_node(&c, "", "ReduceMean", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "mean of no integers");
    op_end(&c);
}

static void reductions_without_axes(void **state) {
    (void)state;
    op_call c;
    /* Over the empty set of axes the other steps of an operator are still done. */
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2), -3, 2);
    op_empty(&c, I64, DIMS(0));
    op_node(&c, "", "ReduceSumSquare", 1);
    op_set_int(&c, "noop_with_empty_axes", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(2), 9, 4);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, SCALAR, -3);
    op_node(&c, "", "ReduceL2", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, SCALAR, 3);
    op_end(&c);
    static const int64_t bad[] = {2, -3};
    for (int i = 0; i < 2; i++) {
        op_begin(&c);
        op_numbers(&c, F32, DIMS(1, 2), 1, 2);
        op_integers(&c, I64, DIMS(1), bad[i]);
        op_node(&c, "", "ReduceSum", 1);
        op_run_fails(&c, ONDOL_E_FORMAT, "axis");
        op_end(&c);
    }
    op_begin(&c);
    op_numbers(&c, F32, DIMS(1, 2), 1, 2);
    op_integers(&c, I64, DIMS(2), 1, -1);
    op_node(&c, "", "ReduceSum", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "listed twice");
    op_end(&c);
}

static void reductions_of_infinities(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(5, 2), -INFINITY, -INFINITY, INFINITY, -INFINITY, 1000, 1000, NAN, 1,
               -INFINITY, 3);
    op_integers(&c, I64, DIMS(1), 1);
    op_node(&c, "", "ReduceLogSumExp", 1);
    op_set_int(&c, "keepdims", 0);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(5), -INFINITY, INFINITY, (float)(1000 + log(2)), NAN, 3);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(3), 1, NAN, -INFINITY);
    op_node(&c, "", "ReduceMin", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(1), NAN);
    op_end(&c);
}

static void arg_best(const char *name, bool is_last, int64_t want) {
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(5), 1, NAN, 7, NAN, -7);
    op_node(&c, "", name, 1);
    op_set_int(&c, "select_last_index", is_last);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, DIMS(1), want);
    op_end(&c);
}

static void best_indices(void **state) {
    (void)state;
    arg_best("ArgMax", false, 1); /* as numpy: NaN is before all */
    arg_best("ArgMin", false, 1);
    arg_best("ArgMax", true, 3);
    op_call c;
    op_begin(&c);
    op_integers(&c, I64, DIMS(2, 2), 9007199254740992, 5, 9007199254740993, 5);
    op_node(&c, "", "ArgMax", 1);
    op_set_int(&c, "keepdims", 0);
    op_set_int(&c, "select_last_index", 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, DIMS(2), 1, 1);
    op_end(&c);
    op_begin(&c);
    op_empty(&c, F32, DIMS(0, 2));
    op_node(&c, "", "ArgMax", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "no elements to choose from");
    op_end(&c);
    op_begin(&c);
    op_empty(&c, F32, DIMS(2, 0));
    op_node(&c, "", "ArgMax", 1);
    op_run_ok(&c);
    op_expect_shape(&c, 0, I64, DIMS(1, 0));
    op_end(&c);
}

static void top_k(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(6), 2, NAN, -0.0, 2, 0.0, -INFINITY);
    op_integers(&c, I64, DIMS(1), 6);
    op_node(&c, "", "TopK", 2);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(6), NAN, 2, 2, -0.0, 0.0, -INFINITY);
    op_expect_integers(&c, 1, I64, DIMS(6), 1, 0, 3, 2, 4, 5);
    op_end(&c);
    op_begin(&c);
    op_integers(&c, U64, DIMS(3, 2), 1, -1, 5, 2, 1, 3);
    op_integers(&c, I64, DIMS(1), 2);
    op_node(&c, "", "TopK", 2);
    op_set_int(&c, "axis", 0);
    op_set_int(&c, "largest", 0);
    op_run_ok(&c);
    op_expect_integers(&c, 0, U64, DIMS(2, 2), 1, 2, 1, 3);
    op_expect_integers(&c, 1, I64, DIMS(2, 2), 0, 1, 2, 2);
    op_end(&c);
    static const int64_t bad[] = {7, -1};
    for (int i = 0; i < 3; i++) {
        op_begin(&c);
        op_numbers(&c, F32, DIMS(6), 2, 1, 0, 2, 0, 3);
        op_integers(&c, I64, DIMS(1), i < 2 ? bad[i] : 0);
        op_node(&c, "", "TopK", 2);
        if (i < 2) {
            op_run_fails(&c, ONDOL_E_FORMAT, "6 elements");
        } else {
            op_run_ok(&c);
            op_expect_shape(&c, 0, F32, DIMS(0));
        }
        op_end(&c);
    }
}

static void cumulations(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_integers(&c, I64, DIMS(3), INT64_MAX, 1, 5);
    op_integers(&c, I64, SCALAR, -1);
    op_node(&c, "", "CumSum", 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, DIMS(3), INT64_MAX, INT64_MIN, INT64_MIN + 5);
    op_end(&c);
    op_begin(&c);
    op_integers(&c, I32, DIMS(3), 2, 3, 4);
    op_integers(&c, I32, SCALAR, 0);
    op_node(&c, "", "CumProd", 1);
    op_set_int(&c, "exclusive", 1);
    op_set_int(&c, "reverse", 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I32, DIMS(3), 12, 4, 1);
    op_end(&c);
    op_begin(&c);
    op_integers(&c, I32, DIMS(1), 2);
    op_integers(&c, I32, SCALAR, 1);
    op_node(&c, "", "CumSum", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "axis 1");
    op_end(&c);
}

static void softmaxes(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2, 2), 1e30, -1e30, -INFINITY, 0);
    op_node(&c, "", "Softmax", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(2, 2), 1, 0, 0, 1);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2), 1000, 0);
    op_node(&c, "", "LogSoftmax", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(2), 0, -1000);
    op_end(&c);
    op_begin(&c);
    op_empty(&c, F32, DIMS(2, 0));
    op_node(&c, "", "Softmax", 1);
    op_run_ok(&c);
    op_expect_shape(&c, 0, F32, DIMS(2, 0));
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2, 2), -3, 4, 0, 0);
    op_node(&c, "", "LpNormalization", 1);
    op_set_int(&c, "p", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(2, 2), (float)(-3 / 7.0), (float)(4 / 7.0), 0, 0);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(1), 1);
    op_node(&c, "", "LpNormalization", 1);
    op_set_int(&c, "p", 3);
    op_run_fails(&c, ONDOL_E_FORMAT, "p is 3");
    op_end(&c);
}

/* Sums of bfloat16 are rounded, but a long line does not stand still at 256. */
static void long_softmax_of_bfloat16(void **state) {
    (void)state;
    static const int64_t counts[] = {1, 7, 8, 9, 15, 17, 4096, 5000};
    for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
        op_call c;
        op_begin(&c);
        tensor_value *x = op_tensor(&c, TENSOR_ELEMENT_BF16, DIMS(counts[n]));
        for (uint64_t i = 0; i < x->elems; i++)
            tensor_set_number(x->element, x->data, i, 3);
        op_take(&c, x);
        op_node(&c, "", "Softmax", 1);
        op_run_ok(&c);
        const double want = 1 / (double)counts[n];
        for (uint64_t i = 0; i < x->elems; i++) {
            const double got = tensor_get_number(x->element, c.outputs[0]->data, i);
            if (fabs(got - want) > want / 100) fail_msg("of %" PRId64 ": %g", counts[n], got);
        }
        op_end(&c);
    }
}

static void products(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_integers(&c, I64, DIMS(2), INT64_MAX, 3);
    op_integers(&c, I64, DIMS(2, 1), 2, 1);
    op_node(&c, "", "MatMul", 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, DIMS(1), 1);
    op_end(&c);
    op_begin(&c); /* batches broadcast both ways; sums of nothing are 0 */
    op_empty(&c, F32, DIMS(2, 1, 1, 0));
    op_empty(&c, F32, DIMS(3, 0, 2));
    op_node(&c, "", "MatMul", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(2, 3, 1, 2), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2, 1, 2), 1, 2, 3, 4);
    op_numbers(&c, F32, DIMS(1, 2, 1), 10, 1);
    op_node(&c, "", "MatMul", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(2, 1, 1), 12, 34);
    op_end(&c);
    op_begin(&c); /* summed in double: 2^60 does not swallow the ones between */
    op_numbers(&c, F32, DIMS(4), 0x1p40, 1, 1, -0x1p40);
    op_numbers(&c, F32, DIMS(4), 1, 1, 1, 1);
    op_node(&c, "", "MatMul", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, SCALAR, 2);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2, 1), 1, 2);
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_node(&c, "", "MatMul", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "[2, 1] and [2]");
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, SCALAR, 1);
    op_numbers(&c, F32, DIMS(1), 1);
    op_node(&c, "", "MatMul", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "cannot be multiplied");
    op_end(&c);
}

static void gemm(void **state) {
    (void)state;
    op_call c;
    op_begin(&c); /* C that is not a number does not count where beta is 0 */
    op_numbers(&c, F32, DIMS(2, 1), 1, 2);
    op_numbers(&c, F32, DIMS(2, 2), 1, 2, 3, 4);
    op_numbers(&c, F32, DIMS(1), NAN);
    op_node(&c, "", "Gemm", 1);
    op_set_int(&c, "transA", 1);
    op_set_float(&c, "beta", 0);
    op_set_float(&c, "alpha", 0.5);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(1, 2), 3.5, 5);
    op_end(&c);
    op_begin(&c);
    op_integers(&c, I64, DIMS(1, 1), 9007199254740993);
    op_integers(&c, I64, DIMS(2, 1), 1, -1);
    op_integers(&c, I64, DIMS(1, 1), 1);
    op_node(&c, "", "Gemm", 1);
    op_set_int(&c, "transB", 1);
    op_set_float(&c, "beta", -2);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, DIMS(1, 2), 9007199254740991, -9007199254740995);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(1, 1), 1);
    op_numbers(&c, F32, DIMS(1, 1), 1);
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_node(&c, "", "Gemm", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "C has the shape [2]");
    op_end(&c);
}

static void einsum_fails(const char *equation, const char *part) {
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2, 2), 1, 2, 3, 4);
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_node(&c, "", "Einsum", 1);
    op_set_string(&c, "equation", equation);
    op_run_fails(&c, ONDOL_E_FORMAT, part);
    op_end(&c);
}

static void einsums(void **state) {
    (void)state;
    op_call c;
    op_begin(&c); /* implicit: capitals first; a repeated letter is the diagonal */
    op_integers(&c, I64, DIMS(2, 2, 3), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    op_node(&c, "", "Einsum", 1);
    op_set_string(&c, "equation", " a a B ");
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, DIMS(3), 11, 13, 15);
    op_end(&c);
    op_begin(&c); /* "..." broadcasts at its end, 1 to anything */
    op_integers(&c, I64, DIMS(2, 1, 2), 1, 2, 3, 4);
    op_integers(&c, I64, DIMS(2, 2), 1, 10, 100, 1000);
    op_node(&c, "", "Einsum", 1);
    op_set_string(&c, "equation", "...k,...k->k...");
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, DIMS(2, 2, 2), 1, 100, 3, 300, 20, 2000, 40, 4000);
    op_end(&c);
    /* Thirty vectors without a common letter: as many products as the sums need, not 2^30. */
    op_begin(&c);
    for (int i = 0; i < OP_CALL_MAX; i++)
        op_integers(&c, I64, DIMS(16), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
    op_node(&c, "", "Einsum", 1);
    op_set_string(&c, "equation", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p->");
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, SCALAR, 0); /* 16^16 modulo 2^64 */
    op_end(&c);
    einsum_fails("ij", "fewer terms");
    einsum_fails("ij,j,k", "more terms");
    einsum_fails("ij,jk->ik", "2 letters, its input the rank 1");
    einsum_fails("ij,j->ii", "twice");
    einsum_fails("ij,j->k", "no input has");
    einsum_fails("ij,j->...", "'...'");
    einsum_fails("i.j,j->i", "'.'");
    einsum_fails("i1,j->i", "no letter");
    einsum_fails("ij,j-i", "'-' without");
    einsum_fails("ij,j->i,j", "behind its output");
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_numbers(&c, F32, DIMS(3), 1, 2, 3);
    op_node(&c, "", "Einsum", 1);
    op_set_string(&c, "equation", "i,i->i");
    op_run_fails(&c, ONDOL_E_FORMAT, "elsewhere its letter stands for 2");
    op_end(&c);
}

static void determinants(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, F64, DIMS(2, 2, 2), 0, 2, 3, 5, 1, 2, 2, 4);
    op_node(&c, "", "Det", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F64, DIMS(2), -6, 0);
    op_end(&c);
    op_begin(&c);
    op_empty(&c, F64, DIMS(2, 0, 0));
    op_node(&c, "", "Det", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F64, DIMS(2), 1, 1);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F64, DIMS(1, 2), 1, 2);
    op_node(&c, "", "Det", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "square");
    op_end(&c);
}

static void ranges(void **state) {
    (void)state;
    static const struct {
        int64_t start, limit, delta, count, last;
    } rows[] = {{INT64_MIN, INT64_MAX, INT64_MAX, 3, INT64_MAX - 1},
                {INT64_MAX, INT64_MIN, INT64_MIN, 2, -1},
                {10, 4, -2, 3, 6},
                {0, 0, 1, 0, 0},
                {0, 10, -1, 0, 0},
                {9007199254740992, 9007199254740995, 1, 3, 9007199254740994}};
    op_call c;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        op_begin(&c);
        op_integers(&c, I64, SCALAR, rows[i].start);
        op_integers(&c, I64, SCALAR, rows[i].limit);
        op_integers(&c, I64, SCALAR, rows[i].delta);
        op_node(&c, "", "Range", 1);
        op_run_ok(&c);
        op_expect_shape(&c, 0, I64, DIMS(rows[i].count));
        const int64_t *y = c.outputs[0]->data;
        if (rows[i].count) assert_int_equal(y[rows[i].count - 1], rows[i].last);
        op_end(&c);
    }
    op_begin(&c);
    op_integers(&c, I64, SCALAR, INT64_MIN);
    op_integers(&c, I64, SCALAR, INT64_MAX);
    op_integers(&c, I64, SCALAR, 1);
    op_node(&c, "", "Range", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "too many");
    op_end(&c);
    op_begin(&c);
    op_integers(&c, I32, SCALAR, 0);
    op_integers(&c, I32, SCALAR, INT32_MAX);
    op_integers(&c, I32, SCALAR, 0);
    op_node(&c, "", "Range", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "delta is 0");
    op_end(&c);
    static const double bad[] = {0, NAN, 1e-300};
    for (int i = 0; i < 3; i++) {
        op_begin(&c);
        op_numbers(&c, F64, SCALAR, 0);
        op_numbers(&c, F64, SCALAR, 1);
        op_numbers(&c, F64, SCALAR, bad[i]);
        op_node(&c, "", "Range", 1);
        op_run_fails(&c, ONDOL_E_FORMAT, "never ends");
        op_end(&c);
    }
    op_begin(&c); /* through float: 2048 + 1 is not 2048 */
    op_numbers(&c, F16, SCALAR, 2048);
    op_numbers(&c, F16, SCALAR, 2054);
    op_numbers(&c, F16, SCALAR, 1);
    op_node(&c, "", "Range", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F16, DIMS(6), 2048, 2048, 2050, 2052, 2052, 2052);
    op_end(&c);
}

/* Transforms of all lengths, factors and primes, against the definition. */
static void transforms(void **state) {
    (void)state;
    static const int64_t lengths[] = {1,  2,  3,  4,  5,  6,  7,   8,   9,   10,  11,  12, 16,
                                      30, 59, 61, 64, 67, 97, 100, 121, 127, 128, 134, 210};
    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
        const int64_t length = lengths[n];
        op_call c;
        op_begin(&c);
        tensor_value *x = op_tensor(&c, F64, DIMS(length, 2));
        double *numbers = x->data;
        for (int64_t i = 0; i < 2 * length; i++)
            numbers[i] = (double)(i * i % 37) - 18;
        op_take(&c, x);
        op_node(&c, "", "DFT", 1);
        op_run_ok(&c);
        op_expect_shape(&c, 0, F64, DIMS(length, 2));
        const double *y = c.outputs[0]->data;
        for (int64_t j = 0; j < length; j++) {
            double re = 0, im = 0;
            for (int64_t k = 0; k < length; k++) {
                const double angle = -2 * acos(-1.0) * (double)(j * k % length) / (double)length;
                re += numbers[2 * k] * cos(angle) - numbers[2 * k + 1] * sin(angle);
                im += numbers[2 * k] * sin(angle) + numbers[2 * k + 1] * cos(angle);
            }
            if (fabs(y[2 * j] - re) > 1e-10 || fabs(y[2 * j + 1] - im) > 1e-10) {
                fail_msg("length %" PRId64 ", number %" PRId64, length, j);
            }
        }
        op_end(&c);
    }
}

/* There and back, one-sided: the signal again. */
static void transforms_of_real_signals(void **state) {
    (void)state;
    for (int64_t length = 1; length <= 70; length++) {
        op_call c, back;
        op_begin(&c);
        tensor_value *x = op_tensor(&c, F64, DIMS(2, length, 1));
        double *numbers = x->data;
        for (int64_t i = 0; i < 2 * length; i++)
            numbers[i] = (double)(i * i % 37) - 18;
        op_take(&c, x);
        op_node(&c, "", "DFT", 1);
        op_set_int(&c, "onesided", 1);
        op_run_ok(&c);
        op_expect_shape(&c, 0, F64, DIMS(2, length / 2 + 1, 2));
        op_begin(&back);
        tensor_value *spectrum = op_tensor(&back, F64, DIMS(2, length / 2 + 1, 2));
        memcpy(spectrum->data, c.outputs[0]->data, (size_t)tensor_value_bytes(spectrum));
        op_take(&back, spectrum);
        op_integers(&back, I64, SCALAR, length);
        op_node(&back, "", "DFT", 1);
        op_set_int(&back, "onesided", 1);
        op_set_int(&back, "inverse", 1);
        op_run_ok(&back);
        op_expect_shape(&back, 0, F64, DIMS(2, length, 1));
        const double *y = back.outputs[0]->data;
        for (int64_t i = 0; i < 2 * length; i++) {
            if (fabs(y[i] - numbers[i]) > 1e-11) fail_msg("length %" PRId64, length);
        }
        op_end(&back);
        op_end(&c);
    }
}

static void transforms_that_do_not_fit(void **state) {
    (void)state;
    op_call c;
    static const int64_t axes[] = {-1, 1, 2, -3};
    for (int i = 0; i < 4; i++) {
        op_begin(&c);
        op_numbers(&c, F32, DIMS(2, 1), 1, 2);
        op_absent(&c);
        op_integers(&c, I64, SCALAR, axes[i]);
        op_node(&c, "", "DFT", 1);
        op_run_fails(&c, ONDOL_E_FORMAT, "axis");
        op_end(&c);
    }
    static const int64_t wrong_lengths[] = {0, -1, INT64_MIN};
    for (int i = 0; i < 3; i++) {
        op_begin(&c);
        op_numbers(&c, F32, DIMS(2, 1), 1, 2);
        op_integers(&c, I64, SCALAR, wrong_lengths[i]);
        op_node(&c, "", "DFT", 1);
        op_run_fails(&c, ONDOL_E_FORMAT, "transform of");
        op_end(&c);
    }
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2, 1), 1, 2);
    op_integers(&c, I64, SCALAR, INT64_MAX);
    op_node(&c, "", "DFT", 1);
    op_run_fails(&c, ONDOL_E_LIMIT, "DFT");
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(1, 3), 1, 2, 3);
    op_node(&c, "", "DFT", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "last dimension");
    op_end(&c);
    static const int64_t frames[][2] = {{0, 2}, {1, 5}, {1, 0}, {-1, 2}};
    for (int i = 0; i < 4; i++) {
        op_begin(&c);
        op_numbers(&c, F32, DIMS(1, 4, 1), 1, 2, 3, 4);
        op_integers(&c, I64, SCALAR, frames[i][0]);
        op_absent(&c);
        op_integers(&c, I64, SCALAR, frames[i][1]);
        op_node(&c, "", "STFT", 1);
        op_run_fails(&c, ONDOL_E_FORMAT, "do not fit");
        op_end(&c);
    }
}

static void windows(void **state) {
    (void)state;
    static const char *const names[] = {"HannWindow", "HammingWindow", "BlackmanWindow"};
    for (int i = 0; i < 3; i++) {
        op_call c;
        op_begin(&c);
        op_integers(&c, I64, SCALAR, 1);
        op_node(&c, "", names[i], 1);
        op_set_int(&c, "periodic", 0);
        op_set_int(&c, "output_datatype", F64);
        op_run_ok(&c);
        op_expect(&c, 0, F64, DIMS(1), 1);
        op_end(&c);
        op_begin(&c);
        op_integers(&c, I64, SCALAR, -1);
        op_node(&c, "", names[i], 1);
        op_run_fails(&c, ONDOL_E_FORMAT, "size -1");
        op_end(&c);
        op_begin(&c);
        op_integers(&c, I64, SCALAR, 4);
        op_node(&c, "", names[i], 1);
        op_set_int(&c, "output_datatype", TENSOR_ELEMENT_STRING);
        op_run_fails(&c, ONDOL_E_FORMAT, "output_datatype is 8");
        op_end(&c);
    }
}

static void mel_fails(int64_t bins, int64_t length, int64_t rate, double low, double high,
                      ondol_status want) {
    op_call c;
    op_begin(&c);
    op_integers(&c, I64, SCALAR, bins);
    op_integers(&c, I64, SCALAR, length);
    op_integers(&c, I64, SCALAR, rate);
    op_numbers(&c, F32, SCALAR, low);
    op_numbers(&c, F32, SCALAR, high);
    op_node(&c, "", "MelWeightMatrix", 1);
    op_run_fails(&c, want, "MelWeightMatrix");
    op_end(&c);
}

static void mel_weights_stay_inside(void **state) {
    (void)state;
    mel_fails(8, 16, 8192, 0, 100000, ONDOL_E_FORMAT);
    mel_fails(8, 16, 8192, -10000, 8192, ONDOL_E_FORMAT);
    mel_fails(8, 16, 8192, NAN, 8192, ONDOL_E_FORMAT);
    mel_fails(8, 16, 8192, 4000, 100, ONDOL_E_FORMAT);
    mel_fails(8, 16, 0, 0, 100, ONDOL_E_FORMAT);
    mel_fails(8, -1, 8192, 0, 100, ONDOL_E_FORMAT);
    mel_fails(-1, 16, 8192, 0, 100, ONDOL_E_FORMAT);
    mel_fails(INT64_MAX, 16, 8192, 0, 100, ONDOL_E_FORMAT);
    mel_fails((int64_t)1 << 40, 1 << 20, 8192, 0, 100, ONDOL_E_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reductions_of_integers),
        cmocka_unit_test(reductions_of_nothing),
        cmocka_unit_test(reductions_without_axes),
        cmocka_unit_test(reductions_of_infinities),
        cmocka_unit_test(best_indices),
        cmocka_unit_test(top_k),
        cmocka_unit_test(cumulations),
        cmocka_unit_test(softmaxes),
        cmocka_unit_test(long_softmax_of_bfloat16),
        cmocka_unit_test(products),
        cmocka_unit_test(gemm),
        cmocka_unit_test(einsums),
        cmocka_unit_test(determinants),
        cmocka_unit_test(ranges),
        cmocka_unit_test(transforms),
        cmocka_unit_test(transforms_of_real_signals),
        cmocka_unit_test(transforms_that_do_not_fit),
        cmocka_unit_test(windows),
        cmocka_unit_test(mel_weights_stay_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
