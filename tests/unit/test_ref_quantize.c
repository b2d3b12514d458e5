/* The oracle's quantisation and integer products: limits, granularity, shapes that do not fit. */
#include "op_call.h"

#define F32 TENSOR_ELEMENT_F32
#define F16 TENSOR_ELEMENT_F16
#define I8  TENSOR_ELEMENT_I8
#define I32 TENSOR_ELEMENT_I32
#define U8  TENSOR_ELEMENT_U8

static void saturates(tensor_element e, double least, double greatest) {
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(5), INFINITY, -INFINITY, 1e38, -1e38, 0.5);
    op_numbers(&c, F32, SCALAR, 0x1p-4);
    op_node(&c, "", "QuantizeLinear", 1);
    op_set_int(&c, "output_dtype", e);
    op_run_ok(&c);
    const double zero = least < 0 ? least : 0;
    const double half = greatest < 8 ? greatest : 8;
    op_expect(&c, 0, e, DIMS(5), greatest, zero, greatest, zero, half);
    op_end(&c);
}

static void codes_saturate(void **state) {
    (void)state;
    saturates(U8, 0, 255);
    saturates(I8, -128, 127);
    saturates(TENSOR_ELEMENT_U16, 0, 65535);
    saturates(TENSOR_ELEMENT_I16, -32768, 32767);
    saturates(TENSOR_ELEMENT_U4, 0, 15);
    saturates(TENSOR_ELEMENT_I4, -8, 7);
    saturates(TENSOR_ELEMENT_U2, 0, 3);
    saturates(TENSOR_ELEMENT_I2, -2, 1);
    saturates(TENSOR_ELEMENT_F8E4M3FN, -448, 448);
    saturates(TENSOR_ELEMENT_F8E5M2, -57344, 57344);
    saturates(TENSOR_ELEMENT_F4E2M1, -6, 6);
    saturates(TENSOR_ELEMENT_F6E2M3, -7.5, 7.5);
    saturates(TENSOR_ELEMENT_F6E3M2, -28, 28);
}

static void float8_without_saturation(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(3), 1e6, -1e6, 1);
    op_numbers(&c, F32, SCALAR, 1);
    op_node(&c, "", "QuantizeLinear", 1);
    op_set_int(&c, "output_dtype", TENSOR_ELEMENT_F8E5M2);
    op_set_int(&c, "saturate", 0);
    op_run_ok(&c);
    op_expect(&c, 0, TENSOR_ELEMENT_F8E5M2, DIMS(3), INFINITY, -INFINITY, 1);
    op_end(&c);
}

static void nan_and_zero_scales_are_defined(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(4), NAN, 1, -1, 0);
    op_numbers(&c, F32, SCALAR, 0);
    op_numbers(&c, I8, SCALAR, 3);
    op_node(&c, "", "QuantizeLinear", 1);
    op_run_ok(&c);
    op_expect(&c, 0, I8, DIMS(4), 3, 127, -128, 3);
    op_end(&c);
}

/* 1 / 3 * 7.5 in float is on the other side of a half than in double. */
static void the_division_is_rounded(void **state) {
    (void)state;
    const float by = 0.1f;
    const float x = 0.25f; /* 2.5 in float, 2.49999996... exactly */
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2), x, 3 * x);
    op_numbers(&c, F32, SCALAR, by);
    op_node(&c, "", "QuantizeLinear", 1);
    op_run_ok(&c);
    op_expect(&c, 0, U8, DIMS(2), rint(x / by), rint(3 * x / by));
    op_end(&c);
    op_begin(&c); /* precision: 2049 is 2048 in float16 */
    op_numbers(&c, F32, DIMS(1), 2049);
    op_numbers(&c, F32, SCALAR, 1);
    op_node(&c, "", "QuantizeLinear", 1);
    op_set_int(&c, "precision", F16);
    op_set_int(&c, "output_dtype", TENSOR_ELEMENT_I16);
    op_run_ok(&c);
    op_expect(&c, 0, TENSOR_ELEMENT_I16, DIMS(1), 2048);
    op_end(&c);
}

static void blocks(void **state) {
    (void)state;
    op_call c;
    op_begin(&c); /* the last block is short */
    op_numbers(&c, F32, DIMS(5, 2), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    op_numbers(&c, F32, DIMS(3, 2), 1, 2, 1, 2, 3, 5);
    op_numbers(&c, U8, DIMS(3, 2), 0, 0, 100, 0, 0, 0);
    op_node(&c, "", "QuantizeLinear", 1);
    op_set_int(&c, "axis", 0);
    op_set_int(&c, "block_size", 2);
    op_run_ok(&c);
    op_expect(&c, 0, U8, DIMS(5, 2), 1, 1, 3, 2, 105, 3, 107, 4, 3, 2);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, TENSOR_ELEMENT_I4, DIMS(1, 5), -8, -1, 0, 1, 7);
    op_numbers(&c, F32, DIMS(1, 2), 1, 10);
    op_numbers(&c, TENSOR_ELEMENT_I4, DIMS(1, 2), 1, -2);
    op_node(&c, "", "DequantizeLinear", 1);
    op_set_int(&c, "block_size", 3);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(1, 5), -9, -2, -1, 30, 90);
    op_end(&c);
    op_begin(&c);
    op_empty(&c, F32, DIMS(0, 4));
    op_empty(&c, F32, DIMS(0, 2));
    op_node(&c, "", "QuantizeLinear", 1);
    op_set_int(&c, "block_size", 2);
    op_run_ok(&c);
    op_expect_shape(&c, 0, U8, DIMS(0, 4));
    op_end(&c);
}

static void granularity_fails(int64_t axis, int64_t block_size, int64_t rows, int64_t columns) {
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2, 4), 1, 2, 3, 4, 5, 6, 7, 8);
    const int64_t dims[2] = {rows ? rows : columns, columns};
    op_take(&c, op_tensor(&c, F32, rows ? 2 : 1, dims));
    op_node(&c, "", "QuantizeLinear", 1);
    op_set_int(&c, "axis", axis);
    op_set_int(&c, "block_size", block_size);
    op_run_fails(&c, ONDOL_E_FORMAT, "node 'node'");
    op_end(&c);
}

static void scales_that_do_not_fit(void **state) {
    (void)state;
    granularity_fails(1, 0, 0, 3);
    granularity_fails(0, 0, 0, 4);
    granularity_fails(2, 0, 0, 4);
    granularity_fails(-3, 0, 0, 4);
    granularity_fails(1, -1, 2, 2);
    granularity_fails(1, 2, 2, 3);
    granularity_fails(1, 3, 2, 4);
    granularity_fails(1, 2, 1, 2);
    granularity_fails(1, 0, 2, 2);
    granularity_fails(1, INT64_MAX, 2, 2);
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_numbers(&c, U8, SCALAR, 1);
    op_node(&c, "", "QuantizeLinear", 1);
    op_set_int(&c, "axis", 0);
    op_run_fails(&c, ONDOL_E_FORMAT, "zero point has the shape");
    op_end(&c);
    static const int64_t bad_types[] = {F32, TENSOR_ELEMENT_I64, TENSOR_ELEMENT_F8E8M0, 99, -1};
    for (int i = 0; i < 5; i++) {
        op_begin(&c);
        op_numbers(&c, F32, DIMS(2), 1, 2);
        op_numbers(&c, F32, SCALAR, 1);
        op_node(&c, "", "QuantizeLinear", 1);
        op_set_int(&c, "output_dtype", bad_types[i]);
        op_run_fails(&c, ONDOL_E_FORMAT, "node 'node'");
        op_end(&c);
    }
}

static void dynamic(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2), 0, 0);
    op_node(&c, "", "DynamicQuantizeLinear", 3);
    op_run_ok(&c);
    op_expect(&c, 0, U8, DIMS(2), 0, 0);
    op_expect(&c, 1, F32, SCALAR, 1);
    op_expect(&c, 2, U8, SCALAR, 0);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(3), -1, NAN, 254);
    op_node(&c, "", "DynamicQuantizeLinear", 3);
    op_run_ok(&c);
    op_expect(&c, 0, U8, DIMS(3), 0, 1, 255);
    op_expect(&c, 1, F32, SCALAR, 1);
    op_expect(&c, 2, U8, SCALAR, 1);
    op_end(&c);
    op_begin(&c);
    op_empty(&c, F32, DIMS(0));
    op_node(&c, "", "DynamicQuantizeLinear", 3);
    op_run_ok(&c);
    op_expect(&c, 1, F32, SCALAR, 1);
    op_end(&c);
}

static void integer_products(void **state) {
    (void)state;
    op_call c;
    op_begin(&c); /* a list of a's zero points goes with its rows, of b's with its columns */
    op_numbers(&c, U8, DIMS(2, 2), 1, 2, 3, 4);
    op_numbers(&c, I8, DIMS(2, 2), 1, 2, 3, 4);
    op_numbers(&c, U8, DIMS(2), 1, 3);
    op_numbers(&c, I8, DIMS(2), 1, -1);
    op_node(&c, "", "MatMulInteger", 1);
    op_run_ok(&c);
    /* [0 1; 0 1] x [0 3; 2 5] */
    op_expect_integers(&c, 0, I32, DIMS(2, 2), 2, 5, 2, 5);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, U8, DIMS(3), 255, 255, 255);
    op_numbers(&c, I8, DIMS(3), -128, -128, -128);
    op_numbers(&c, U8, SCALAR, 0);
    op_numbers(&c, I8, SCALAR, 127);
    op_node(&c, "", "MatMulInteger", 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I32, SCALAR, 3 * 255 * -255);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, U8, DIMS(2, 2), 1, 2, 3, 4);
    op_numbers(&c, U8, DIMS(2, 2), 1, 2, 3, 4);
    op_numbers(&c, U8, DIMS(1, 2), 1, 2);
    op_node(&c, "", "MatMulInteger", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "[1, 2] does not fit its matrix");
    op_end(&c);
}

static void qlinear_product(const double *a_scale, int64_t a_lines, const double *b_scale,
                            int64_t b_lines, const double *want) {
    op_call c;
    op_begin(&c);
    op_numbers(&c, U8, DIMS(2, 2), 2, 3, 4, 5);
    op_numbers_list(&c, F32, a_lines > 1, &a_lines, a_scale, (size_t)a_lines);
    op_numbers_list(&c, U8, a_lines > 1, &a_lines, (const double[]){1, 1}, (size_t)a_lines);
    op_numbers(&c, I8, DIMS(2, 2), 1, 0, 0, 1);
    op_numbers_list(&c, F32, b_lines > 1, &b_lines, b_scale, (size_t)b_lines);
    op_numbers_list(&c, I8, b_lines > 1, &b_lines, (const double[]){0, 0}, (size_t)b_lines);
    op_numbers(&c, F32, SCALAR, 0.5);
    op_numbers(&c, I8, SCALAR, -120);
    op_node(&c, "", "QLinearMatMul", 1);
    op_run_ok(&c);
    op_expect_list(&c, 0, I8, DIMS(2, 2), want, 4);
    op_end(&c);
}

static void qlinear_products(void **state) {
    (void)state;
    /* a - 1 = [1 2; 3 4]; times 2 for each unit of scale. */
    qlinear_product((double[]){1}, 1, (double[]){1}, 1, (double[]){-118, -116, -114, -112});
    qlinear_product((double[]){1, 10}, 2, (double[]){1}, 1, (double[]){-118, -116, -60, -40});
    qlinear_product((double[]){1}, 1, (double[]){1, 100}, 2, (double[]){-118, 127, -114, 127});
    qlinear_product((double[]){1, 0.25}, 2, (double[]){1, 3}, 2,
                    (double[]){-118, -108, -118, -114});
}

static void conv_begin(op_call *c, double x_zero) {
    op_begin(c);
    op_numbers(c, U8, DIMS(1, 1, 3, 3), 1, 2, 3, 4, 5, 6, 7, 8, 9);
    op_numbers(c, U8, DIMS(2, 1, 2, 2), 1, 1, 1, 1, 2, 2, 2, 2);
    op_numbers(c, U8, SCALAR, x_zero);
    op_numbers(c, U8, DIMS(2), 0, 1);
}

static void integer_convolutions(void **state) {
    (void)state;
    op_call c;
    conv_begin(&c, 1);
    op_node(&c, "", "ConvInteger", 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I32, DIMS(1, 2, 2, 2), 8, 12, 20, 24, 8, 12, 20, 24);
    op_end(&c);
    conv_begin(&c, 1); /* padding is the zero point, not 0 */
    op_node(&c, "", "ConvInteger", 1);
    ondol_error err = {0};
    const int64_t pads[] = {1, 1, 0, 0}, strides[] = {2, 2};
    ASSERT_OK(graph_set_ints(c.g, c.node, "pads", pads, 4, &err));
    ASSERT_OK(graph_set_ints(c.g, c.node, "strides", strides, 2, &err));
    op_run_ok(&c);
    op_expect_integers(&c, 0, I32, DIMS(1, 2, 2, 2), 0, 3, 9, 24, 0, 3, 9, 24);
    op_end(&c);
    conv_begin(&c, 1);
    op_node(&c, "", "ConvInteger", 1);
    op_set_string(&c, "auto_pad", "SAME_UPPER");
    op_run_ok(&c);
    op_expect_integers(&c, 0, I32, DIMS(1, 2, 3, 3), 8, 12, 7, 20, 24, 13, 13, 15, 8, 8, 12, 7, 20,
                       24, 13, 13, 15, 8);
    op_end(&c);
}

static void conv_fails(const char *name, const int64_t *list, uint32_t count, const char *part) {
    op_call c;
    ondol_error err = {0};
    conv_begin(&c, 0);
    op_node(&c, "", "ConvInteger", 1);
    ASSERT_OK(graph_set_ints(c.g, c.node, name, list, count, &err));
    op_run_fails(&c, ONDOL_E_FORMAT, part);
    op_end(&c);
}

static void convolutions_that_do_not_fit(void **state) {
    (void)state;
    conv_fails("strides", (const int64_t[]){0, 1}, 2, "strides");
    conv_fails("strides", (const int64_t[]){1}, 1, "expected 2");
    conv_fails("dilations", (const int64_t[]){INT64_MAX, 1}, 2, "dilations");
    conv_fails("dilations", (const int64_t[]){9, 1}, 2, "shorter than the kernel");
    conv_fails("pads", (const int64_t[]){-1, 0, 0, 0}, 4, "pads");
    conv_fails("pads", (const int64_t[]){INT64_MAX, 0, 0, 0}, 4, "pads");
    conv_fails("kernel_shape", (const int64_t[]){3, 3}, 2, "kernel_shape");
    static const int64_t groups[] = {0, -1, 2, INT64_MAX};
    for (int i = 0; i < 4; i++) {
        op_call c;
        conv_begin(&c, 0);
        op_node(&c, "", "ConvInteger", 1);
        op_set_int(&c, "group", groups[i]);
        op_run_fails(&c, ONDOL_E_FORMAT, "groups");
        op_end(&c);
    }
    op_call c;
    conv_begin(&c, 0);
    op_node(&c, "", "ConvInteger", 1);
    op_set_string(&c, "auto_pad", "SAME");
    op_run_fails(&c, ONDOL_E_FORMAT, "auto_pad is 'SAME'");
    op_end(&c);
    /* An output past memory. */
    op_begin_with(&c, NULL, (uint64_t)64 << 20);
    op_numbers(&c, U8, DIMS(1, 1, 1, 1), 1);
    op_numbers(&c, U8, DIMS(1, 1, 1, 1), 1);
    op_node(&c, "", "ConvInteger", 1);
    ondol_error err = {0};
    const int64_t pads[] = {(int64_t)1 << 39, (int64_t)1 << 39, 0, 0};
    ASSERT_OK(graph_set_ints(c.g, c.node, "pads", pads, 4, &err));
    op_run_fails(&c, ONDOL_E_LIMIT, "ConvInteger");
    op_end(&c);
}

static void qlinear_convolution(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, U8, DIMS(1, 2, 2), 1, 2, 3, 4);
    op_numbers(&c, F32, SCALAR, 0.5);
    op_numbers(&c, U8, SCALAR, 0);
    op_numbers(&c, I8, DIMS(2, 1, 1), 1, -1);
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_numbers(&c, I8, DIMS(2), 0, 0);
    op_numbers(&c, F32, SCALAR, 1);
    op_numbers(&c, I8, SCALAR, 10);
    op_numbers(&c, I32, DIMS(2), 100, 1000);
    op_node(&c, "", "QLinearConv", 1);
    op_set_int(&c, "group", 2);
    op_run_ok(&c);
    /* (x * w + bias) / 2 and (...) * 1, rounded to even, plus 10 */
    op_expect(&c, 0, I8, DIMS(1, 2, 2), 60, 61, 127, 127);
    op_end(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_saturate),
        cmocka_unit_test(float8_without_saturation),
        cmocka_unit_test(nan_and_zero_scales_are_defined),
        cmocka_unit_test(the_division_is_rounded),
        cmocka_unit_test(blocks),
        cmocka_unit_test(scales_that_do_not_fit),
        cmocka_unit_test(dynamic),
        cmocka_unit_test(integer_products),
        cmocka_unit_test(qlinear_products),
        cmocka_unit_test(integer_convolutions),
        cmocka_unit_test(convolutions_that_do_not_fit),
        cmocka_unit_test(qlinear_convolution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
