/* The oracle's kernels without memory: each allocation fails in turn, the status says so, nothing
 * is left behind. */
#include "fail_alloc.h"
#include "op_call.h"

#define F32 TENSOR_ELEMENT_F32
#define U8  TENSOR_ELEMENT_U8
#define I64 TENSOR_ELEMENT_I64

typedef void (*make_call)(op_call *c);

static void square(op_call *c, tensor_element e) {
    op_numbers(c, e, DIMS(2, 2), 1, 2, 3, 4);
}
static void scalar(op_call *c, tensor_element e, double v) {
    op_numbers(c, e, SCALAR, v);
}

static void make_add(op_call *c) {
    square(c, F32);
    square(c, F32);
    op_node(c, "", "Add", 1);
}
static void make_sum(op_call *c) {
    square(c, F32);
    square(c, F32);
    op_node(c, "", "Sum", 1);
}
static void make_matmul(op_call *c) {
    square(c, F32);
    square(c, F32);
    op_node(c, "", "MatMul", 1);
}
static void make_matmul_of_integers(op_call *c) {
    square(c, I64);
    square(c, I64);
    op_node(c, "", "MatMul", 1);
}
static void make_gemm(op_call *c) {
    square(c, F32);
    square(c, F32);
    scalar(c, F32, 1);
    op_node(c, "", "Gemm", 1);
}
static void make_einsum(op_call *c) {
    for (int i = 0; i < 3; i++)
        square(c, F32);
    op_node(c, "", "Einsum", 1);
    op_set_string(c, "equation", "ij,jk,kl->il");
}
static void make_softmax(op_call *c) {
    square(c, F32);
    op_node(c, "", "Softmax", 1);
}
static void make_det(op_call *c) {
    square(c, F32);
    op_node(c, "", "Det", 1);
}
static void make_top_k(op_call *c) {
    square(c, F32);
    op_numbers(c, I64, DIMS(1), 1);
    op_node(c, "", "TopK", 2);
}
/* 67 is prime: by a chirp. */
static void make_dft(op_call *c) {
    square(c, F32);
    scalar(c, I64, 67);
    op_node(c, "", "DFT", 1);
}
static void make_stft(op_call *c) {
    op_numbers(c, F32, DIMS(1, 4, 1), 1, 2, 3, 4);
    scalar(c, I64, 1);
    op_numbers(c, F32, DIMS(2), 1, 2);
    op_node(c, "", "STFT", 1);
}
static void make_quantize(op_call *c) {
    square(c, F32);
    scalar(c, F32, 1);
    op_node(c, "", "QuantizeLinear", 1);
}
static void make_dynamic_quantize(op_call *c) {
    square(c, F32);
    op_node(c, "", "DynamicQuantizeLinear", 3);
}
static void make_matmul_integer(op_call *c) {
    square(c, U8);
    square(c, U8);
    scalar(c, U8, 1);
    op_node(c, "", "MatMulInteger", 1);
}
static void make_qlinear_matmul(op_call *c) {
    square(c, U8);
    scalar(c, F32, 1);
    scalar(c, U8, 1);
    square(c, U8);
    scalar(c, F32, 1);
    scalar(c, U8, 1);
    scalar(c, F32, 1);
    scalar(c, U8, 1);
    op_node(c, "", "QLinearMatMul", 1);
}
static void make_qlinear_matmul_float8(op_call *c) {
    const tensor_element e = TENSOR_ELEMENT_F8E4M3FN;
    square(c, e);
    scalar(c, F32, 1);
    scalar(c, e, 0);
    square(c, e);
    scalar(c, F32, 1);
    scalar(c, e, 0);
    scalar(c, F32, 1);
    scalar(c, e, 0);
    op_node(c, "", "QLinearMatMul", 1);
}
static void make_conv_integer(op_call *c) {
    op_numbers(c, U8, DIMS(1, 1, 2), 1, 2);
    op_numbers(c, U8, DIMS(1, 1, 1), 1);
    op_node(c, "", "ConvInteger", 1);
}
static void make_qlinear_conv(op_call *c) {
    op_numbers(c, U8, DIMS(1, 1, 2), 1, 2);
    scalar(c, F32, 1);
    scalar(c, U8, 0);
    op_numbers(c, U8, DIMS(1, 1, 1), 1);
    scalar(c, F32, 1);
    scalar(c, U8, 0);
    scalar(c, F32, 1);
    scalar(c, U8, 0);
    op_node(c, "", "QLinearConv", 1);
}

static const make_call CALLS[] = {
    make_add,
    make_sum,
    make_matmul,
    make_matmul_of_integers,
    make_gemm,
    make_einsum,
    make_det,
    make_top_k,
    make_dft,
    make_stft,
    make_quantize,
    make_dynamic_quantize,
    make_matmul_integer,
    make_qlinear_matmul,
    make_qlinear_matmul_float8,
    make_conv_integer,
    make_qlinear_conv,
    make_softmax,
};

static void each_allocation_fails(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++) {
        bool is_done = false;
        for (size_t n = 0; !is_done; n++) {
            fail_alloc memory;
            op_call c;
            fail_alloc_init(&memory, FAIL_ALLOC_NEVER);
            op_begin_with(&c, &memory.api, (uint64_t)1 << 30);
            CALLS[i](&c);
            memory.fail_at = memory.calls + n;
            const ondol_status status = op_run(&c);
            is_done = !memory.failed;
            if (status != (is_done ? ONDOL_OK : ONDOL_E_MEMORY)) {
                fail_msg("call %zu, allocation %zu: %s (%s)", i, n, base_status_name(status),
                         c.err.text);
            }
            op_end(&c);
            fail_alloc_check_empty(&memory);
        }
    }
}

/* The same with a cap on what the run may take. */
static void each_cap_is_met(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++) {
        op_call c;
        op_begin(&c);
        CALLS[i](&c);
        const uint64_t inputs = tensor_heap_used(c.heap);
        op_run_ok(&c);
        const uint64_t needed = tensor_heap_peak(c.heap);
        op_end(&c);
        for (uint64_t cap = inputs; cap < needed; cap += 64) {
            op_begin_with(&c, NULL, cap);
            CALLS[i](&c);
            const ondol_status status = op_run(&c);
            if (status != ONDOL_E_LIMIT) {
                fail_msg("call %zu, cap %" PRIu64 " of %" PRIu64 ": %s", i, cap, needed,
                         base_status_name(status));
            }
            op_end(&c);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails),
        cmocka_unit_test(each_cap_is_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
