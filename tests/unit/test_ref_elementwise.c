/* The oracle's elementwise operators: integers at their limits, NaN, broadcasting, empty tensors.
 */
#include "op_call.h"

#include "device/ref/ops/ref_util.h"

#define F32 TENSOR_ELEMENT_F32
#define I8  TENSOR_ELEMENT_I8
#define I32 TENSOR_ELEMENT_I32
#define I64 TENSOR_ELEMENT_I64
#define U8  TENSOR_ELEMENT_U8
#define U64 TENSOR_ELEMENT_U64
#define B   TENSOR_ELEMENT_BOOL

static void binary_integers(tensor_element e, const char *name, int64_t a, int64_t b,
                            int64_t want) {
    op_call c;
    op_begin(&c);
    op_integers(&c, e, SCALAR, a);
    op_integers(&c, e, SCALAR, b);
    op_node(&c, "", name, 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, e, SCALAR, want);
    op_end(&c);
}

static void integers_wrap(void **state) {
    (void)state;
    binary_integers(I64, "Add", INT64_MAX, 1, INT64_MIN);
    binary_integers(I64, "Sub", INT64_MIN, 1, INT64_MAX);
    binary_integers(I64, "Mul", INT64_MAX, 2, -2);
    binary_integers(I64, "Mul", 3037000500, 3037000500, -9223372036709301616);
    binary_integers(I32, "Mul", 65536, 65536, 0);
    binary_integers(I8, "Add", 127, 1, -128);
    binary_integers(U8, "Sub", 0, 1, 255);
    binary_integers(U64, "Add", -1, 1, 0);
    /* Beyond what a double holds. */
    binary_integers(I64, "Add", 9007199254740993, 2, 9007199254740995);
}

static void integers_divide(void **state) {
    (void)state;
    binary_integers(I64, "Div", INT64_MIN, -1, INT64_MIN);
    binary_integers(I32, "Div", INT32_MIN, -1, INT32_MIN);
    binary_integers(I8, "Div", -128, -1, -128);
    binary_integers(I64, "Div", -7, 2, -3);
    binary_integers(I64, "Div", 9007199254740993, 1, 9007199254740993);
    binary_integers(U64, "Div", -1, 2, INT64_MAX);
    binary_integers(I64, "Mod", INT64_MIN, -1, 0);
    binary_integers(I64, "Mod", -7, 3, 2);
    binary_integers(I64, "Mod", 7, -3, -2);
    binary_integers(I64, "Mod", INT64_MIN, INT64_MAX, INT64_MAX - 1);
    binary_integers(U64, "Mod", -1, 10, 5); /* 2^64 - 1 */
}

static void division_by_zero_is_a_status(void **state) {
    (void)state;
    const char *const names[] = {"Div", "Mod"};
    const tensor_element types[] = {I8, I32, I64, U8, U64};
    for (size_t n = 0; n < 2; n++) {
        for (size_t t = 0; t < 5; t++) {
            op_call c;
            op_begin(&c);
            op_integers(&c, types[t], DIMS(2), 1, 2);
            op_integers(&c, types[t], DIMS(2), 1, 0);
            op_node(&c, "", names[n], 1);
            op_run_fails(&c, ONDOL_E_FORMAT, "division by zero, at element 1");
            op_end(&c);
        }
    }
}

static void fmod_has_the_sign_of_the_dividend(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_integers(&c, I64, DIMS(4), -7, 7, INT64_MIN, -6);
    op_integers(&c, I64, DIMS(4), 3, -3, -1, 3);
    op_node(&c, "", "Mod", 1);
    op_set_int(&c, "fmod", 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, DIMS(4), -1, 1, 0, 0);
    op_end(&c);
}

static void float_mod(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(7), -7, 7, -0.0, 1, -1, INFINITY, 5);
    op_numbers(&c, F32, DIMS(7), 3, -3, 2, INFINITY, INFINITY, 2, 0);
    op_node(&c, "", "Mod", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(7), 2, -2, 0, 1, INFINITY, NAN, NAN);
    op_end(&c);
}

static void powers(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_integers(&c, I64, DIMS(7), 3, -1, 2, 7, 0, -1, 3);
    op_integers(&c, I64, DIMS(7), 39, -3, 64, -2, 0, INT64_MIN, 41);
    op_node(&c, "", "Pow", 1);
    op_run_ok(&c);
    /* 3^39 needs 62 bits, 3^41 more than there are: modulo 2^64. */
    op_expect_integers(&c, 0, I64, DIMS(7), 4052555153018976267, -1, 0, 0, 1, 1,
                       -420491770248316829);
    op_end(&c);

    op_begin(&c);
    op_integers(&c, I64, DIMS(2), 3, 2);
    op_numbers(&c, F32, DIMS(2), 39.0, 0.5);
    op_node(&c, "", "Pow", 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, DIMS(2), 4052555153018976267, 1);
    op_end(&c);

    op_begin(&c);
    op_integers(&c, I32, DIMS(1), 0);
    op_integers(&c, I32, DIMS(1), -1);
    op_node(&c, "", "Pow", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "0 to a negative power");
    op_end(&c);
}

static void shift(tensor_element e, const char *direction, int64_t x, int64_t by, int64_t want) {
    op_call c;
    op_begin(&c);
    op_integers(&c, e, SCALAR, x);
    op_integers(&c, e, SCALAR, by);
    op_node(&c, "", "BitShift", 1);
    op_set_string(&c, "direction", direction);
    op_run_ok(&c);
    op_expect_integers(&c, 0, e, SCALAR, want);
    op_end(&c);
}

static void shifts(void **state) {
    (void)state;
    shift(U8, "LEFT", 1, 8, 0);
    shift(U8, "LEFT", 1, 7, 128);
    shift(U8, "RIGHT", 128, 200, 0);
    shift(I8, "RIGHT", -128, 7, -1);
    shift(I8, "RIGHT", -128, 8, -1);
    shift(I8, "RIGHT", 64, 8, 0);
    shift(I8, "RIGHT", -8, -1, -1);
    shift(I8, "LEFT", 64, 1, -128);
    shift(I8, "LEFT", -1, -1, 0);
    shift(I64, "RIGHT", INT64_MIN, 63, -1);
    shift(I64, "LEFT", 1, 63, INT64_MIN);
    shift(I64, "LEFT", 1, 64, 0);
    shift(U64, "RIGHT", -1, 63, 1);
    shift(U64, "RIGHT", -1, 0, -1);
    op_call c;
    op_begin(&c);
    op_integers(&c, U8, SCALAR, 1);
    op_integers(&c, U8, SCALAR, 1);
    op_node(&c, "", "BitShift", 1);
    op_set_string(&c, "direction", "UP");
    op_run_fails(&c, ONDOL_E_FORMAT, "direction is 'UP'");
    op_end(&c);
}

static void unary_integers(tensor_element e, const char *name, int64_t x, int64_t want) {
    op_call c;
    op_begin(&c);
    op_integers(&c, e, DIMS(1), x);
    op_node(&c, "", name, 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, e, DIMS(1), want);
    op_end(&c);
}

static void unary_on_integers(void **state) {
    (void)state;
    unary_integers(I64, "Abs", INT64_MIN, INT64_MIN);
    unary_integers(I8, "Abs", -128, -128);
    unary_integers(I64, "Abs", -9007199254740993, 9007199254740993);
    unary_integers(U64, "Abs", -1, -1);
    unary_integers(I64, "Neg", INT64_MIN, INT64_MIN);
    unary_integers(I64, "Neg", 9007199254740993, -9007199254740993);
    unary_integers(I64, "Sign", INT64_MIN, -1);
    unary_integers(U64, "Sign", -1, 1);
    unary_integers(I64, "Relu", -5, 0);
    unary_integers(I64, "Relu", 9007199254740993, 9007199254740993);
    unary_integers(U64, "BitwiseNot", 0, -1);
    unary_integers(U8, "BitwiseNot", 1, 254);
    op_call c;
    op_begin(&c);
    op_integers(&c, I64, DIMS(1), 1);
    op_node(&c, "", "Exp", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "int64");
    op_end(&c);
}

static void shrink_of_integers(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_integers(&c, I64, DIMS(6), -3, -2, 2, 3, 9007199254740993, INT64_MIN);
    op_node(&c, "", "Shrink", 1);
    op_set_float(&c, "lambd", 2.5);
    op_set_float(&c, "bias", 1.5);
    op_run_ok(&c);
    /* x + 1.5 and x - 1.5, cut towards zero. */
    op_expect_integers(&c, 0, I64, DIMS(6), -1, 0, 0, 1, 9007199254740991, INT64_MIN + 2);
    op_end(&c);
}

static void nan_goes_through(void **state) {
    (void)state;
    static const char *const names[] = {"Relu", "LeakyRelu", "Elu",     "Celu",        "Selu",
                                        "Sign", "Abs",       "Sigmoid", "HardSigmoid", "HardSwish",
                                        "Gelu", "Mish",      "Floor",   "Softplus",    "Softsign"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        op_call c;
        op_begin(&c);
        op_numbers(&c, F32, DIMS(1), NAN);
        op_node(&c, "", names[i], 1);
        op_run_ok(&c);
        op_expect(&c, 0, F32, DIMS(1), NAN);
        op_end(&c);
    }
}

static void nan_in_max_min_clip(void **state) {
    (void)state;
    op_call c;
    static const char *const names[] = {"Max", "Min"};
    for (size_t i = 0; i < 2; i++) {
        op_begin(&c);
        op_numbers(&c, F32, DIMS(2), NAN, 1);
        op_numbers(&c, F32, DIMS(2), 1, NAN);
        op_numbers(&c, F32, DIMS(1), 5);
        op_node(&c, "", names[i], 1);
        op_run_ok(&c);
        op_expect(&c, 0, F32, DIMS(2), NAN, NAN);
        op_end(&c);
    }
    op_begin(&c);
    op_numbers(&c, F32, DIMS(5), NAN, -2, 2, INFINITY, -INFINITY);
    op_numbers(&c, F32, SCALAR, -1);
    op_numbers(&c, F32, SCALAR, 1);
    op_node(&c, "", "Clip", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(5), NAN, -1, 1, 1, -1);
    op_end(&c);
}

static void clip_of_integers(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_integers(&c, U64, DIMS(3), -1, 5, 0);
    op_integers(&c, U64, SCALAR, 3);
    op_absent(&c);
    op_node(&c, "", "Clip", 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, U64, DIMS(3), -1, 5, 3);
    op_end(&c);
    /* A least bound above the greatest: the greatest counts. */
    op_begin(&c);
    op_integers(&c, I64, DIMS(2), 9007199254740993, -9007199254740993);
    op_integers(&c, I64, SCALAR, 10);
    op_integers(&c, I64, SCALAR, 5);
    op_node(&c, "", "Clip", 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, DIMS(2), 5, 5);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(1), 1);
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_node(&c, "", "Clip", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "expected 1");
    op_end(&c);
}

static void comparisons(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double want[5];
    } rows[] = {{"Equal", {0, 1, 0, 0, 0}},
                {"Less", {1, 0, 0, 0, 0}},
                {"LessOrEqual", {1, 1, 0, 0, 0}},
                {"Greater", {0, 0, 1, 0, 0}},
                {"GreaterOrEqual", {0, 1, 1, 0, 0}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        op_call c;
        op_begin(&c);
        op_numbers(&c, F32, DIMS(5), -INFINITY, -0.0, 2, NAN, NAN);
        op_numbers(&c, F32, DIMS(5), 1, 0.0, 1, 1, NAN);
        op_node(&c, "", rows[i].name, 1);
        op_run_ok(&c);
        op_expect_list(&c, 0, B, DIMS(5), rows[i].want, 5);
        op_end(&c);
    }
    /* Integers that are one number as doubles; unsigned ones with the highest bit. */
    op_call c;
    op_begin(&c);
    op_integers(&c, I64, DIMS(2), 9007199254740993, -1);
    op_integers(&c, I64, DIMS(2), 9007199254740992, 1);
    op_node(&c, "", "Greater", 1);
    op_run_ok(&c);
    op_expect(&c, 0, B, DIMS(2), 1, 0);
    op_end(&c);
    op_begin(&c);
    op_integers(&c, U64, DIMS(1), -1);
    op_integers(&c, U64, DIMS(1), 1);
    op_node(&c, "", "Greater", 1);
    op_run_ok(&c);
    op_expect(&c, 0, B, DIMS(1), 1);
    op_end(&c);
}

static void strings(op_call *c, const char *const *texts, int64_t count) {
    tensor_value *v = op_tensor(c, TENSOR_ELEMENT_STRING, 1, &count);
    ondol_error err = {0};
    for (int64_t i = 0; i < count; i++)
        ASSERT_OK(tensor_value_set_string(v, (uint64_t)i, texts[i], strlen(texts[i]), &err));
    op_take(c, v);
}

static void strings_compare_and_are_chosen(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    strings(&c, (const char *[]){"a", "", "long text"}, 3);
    strings(&c, (const char *[]){"a", "b", "long texts"}, 3);
    op_node(&c, "", "Equal", 1);
    op_run_ok(&c);
    op_expect(&c, 0, B, DIMS(3), 1, 0, 0);
    op_end(&c);

    op_begin(&c);
    op_numbers(&c, B, DIMS(2, 1), 1, 0);
    strings(&c, (const char *[]){"x", "y"}, 2);
    strings(&c, (const char *[]){"z"}, 1);
    op_node(&c, "", "Where", 1);
    op_run_ok(&c);
    op_expect_shape(&c, 0, TENSOR_ELEMENT_STRING, DIMS(2, 2));
    const tensor_string *s = c.outputs[0]->data;
    const char want[] = {'x', 'y', 'z', 'z'};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(s[i].size_bytes, 1);
        assert_int_equal(s[i].text[0], want[i]);
    }
    op_end(&c);
}

static void where_of_complex(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, B, DIMS(2), 0, 1);
    for (int k = 0; k < 2; k++) {
        tensor_value *v = op_tensor(&c, TENSOR_ELEMENT_C64, DIMS(2));
        const float parts[4] = {1.0f + (float)k, 2, 3.0f + (float)k, 4};
        memcpy(v->data, parts, sizeof parts);
        op_take(&c, v);
    }
    op_node(&c, "", "Where", 1);
    op_run_ok(&c);
    const float *got = c.outputs[0]->data;
    assert_true(got[0] == 2 && got[1] == 2 && got[2] == 3 && got[3] == 4);
    op_end(&c);
}

static void broadcasting(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2, 1, 3), 1, 2, 3, 4, 5, 6);
    op_numbers(&c, F32, DIMS(2, 1), 10, 20);
    op_node(&c, "", "Add", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(2, 2, 3), 11, 12, 13, 21, 22, 23, 14, 15, 16, 24, 25, 26);
    op_end(&c);
    /* Nothing broadcasts with one: nothing. */
    op_begin(&c);
    op_empty(&c, F32, DIMS(0, 3));
    op_numbers(&c, F32, DIMS(1, 3), 1, 2, 3);
    op_node(&c, "", "Mul", 1);
    op_run_ok(&c);
    op_expect_shape(&c, 0, F32, DIMS(0, 3));
    op_end(&c);
    op_begin(&c);
    op_empty(&c, F32, DIMS(0));
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_node(&c, "", "Mul", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "[2] does not broadcast with [0]");
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_integers(&c, I32, DIMS(2), 1, 2);
    op_node(&c, "", "Mul", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "expected one type");
    op_end(&c);
}

/* Two long columns of little data: the size of the output is refused before it is taken. */
static void huge_outputs_are_refused(void **state) {
    (void)state;
    op_call c;
    op_begin_with(&c, NULL, (uint64_t)64 << 20);
    const int64_t down[] = {100000, 1}, across[] = {1, 100000};
    op_take(&c, op_tensor(&c, U8, 2, down));
    op_take(&c, op_tensor(&c, U8, 2, across));
    op_node(&c, "", "Add", 1);
    op_run_fails(&c, ONDOL_E_LIMIT, "10000000");
    op_end(&c);
    op_begin(&c);
    const int64_t empty[] = {0, INT64_MAX, 1}, none[] = {0, 1, INT64_MAX};
    op_take(&c, op_tensor(&c, U8, 3, empty));
    op_take(&c, op_tensor(&c, U8, 3, none));
    op_node(&c, "", "Add", 1);
    op_run_ok(&c);
    assert_int_equal(c.outputs[0]->elems, 0);
    op_end(&c);
}

static void sums_and_means(void **state) {
    (void)state;
    op_call c;
    /* One rounding: 1 + 2^-24 + 2^-24 is not 1 in float. */
    op_begin(&c);
    op_numbers(&c, F32, SCALAR, 1);
    op_numbers(&c, F32, DIMS(1), 0x1p-24);
    op_numbers(&c, F32, DIMS(1, 1), 0x1p-24);
    op_node(&c, "", "Sum", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(1, 1), 1 + 0x1p-23);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_numbers(&c, F32, DIMS(2, 1), 3, 5);
    op_node(&c, "", "Mean", 1);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(2, 2), 2, 2.5, 3, 3.5);
    op_end(&c);
}

static void prelu(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_integers(&c, I64, DIMS(2), -9007199254740993, 9007199254740993);
    op_integers(&c, I64, DIMS(1), -1);
    op_node(&c, "", "PRelu", 1);
    op_run_ok(&c);
    op_expect_integers(&c, 0, I64, DIMS(2), 9007199254740993, 9007199254740993);
    op_end(&c);
    /* The slope broadcasts to x, never x to the slope. */
    op_begin(&c);
    op_numbers(&c, F32, DIMS(1), -1);
    op_numbers(&c, F32, DIMS(2), 1, 2);
    op_node(&c, "", "PRelu", 1);
    op_run_fails(&c, ONDOL_E_FORMAT, "[2] does not broadcast to [1]");
    op_end(&c);
}

static void specials(void **state) {
    (void)state;
    op_call c;
    op_begin(&c);
    op_numbers(&c, TENSOR_ELEMENT_F8E5M2, DIMS(4), INFINITY, -INFINITY, NAN, 1);
    op_node(&c, "", "IsInf", 1);
    op_set_int(&c, "detect_negative", 0);
    op_run_ok(&c);
    op_expect(&c, 0, B, DIMS(4), 1, 0, 0, 0);
    op_end(&c);
    op_begin(&c);
    op_numbers(&c, TENSOR_ELEMENT_F8E4M3FNUZ, DIMS(2), NAN, 0);
    op_node(&c, "", "IsNaN", 1);
    op_run_ok(&c);
    op_expect(&c, 0, B, DIMS(2), 1, 0);
    op_end(&c);
}

static void wrong_inputs_are_a_status(void **state) {
    (void)state;
    static const char *const names[] = {"Add",   "Mul", "Less", "And", "BitwiseAnd", "Pow",
                                        "PRelu", "Max", "Sum",  "Mod", "SwiGLU",     "MatMul"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        op_call c;
        op_begin(&c);
        strings(&c, (const char *[]){"a"}, 1);
        strings(&c, (const char *[]){"b"}, 1);
        op_node(&c, "", names[i], 1);
        op_run_fails(&c, ONDOL_E_FORMAT, "string");
        op_end(&c);
        op_begin(&c);
        op_absent(&c);
        op_absent(&c);
        op_node(&c, "", names[i], 1);
        op_run_fails(&c, ONDOL_E_FORMAT, "missing");
        op_end(&c);
    }
}

static void walk_goes_through_all(void **state) {
    (void)state;
    ref_walk w;
    uint64_t steps = 0;
    const int64_t dims[] = {2, 3, 4}, column[] = {3, 1};
    ref_walk_begin(&w, 3, dims);
    ref_walk_add(&w, 3, dims);
    ref_walk_add(&w, 2, column);
    for (; w.left; ref_walk_next(&w), steps++) {
        assert_int_equal(w.at[0], steps);
        assert_int_equal(w.at[1], steps / 4 % 3);
        assert_int_equal(w.index[2], steps % 4);
    }
    assert_int_equal(steps, 24);
    ref_walk_begin(&w, 0, NULL);
    assert_int_equal(w.left, 1);
    ref_walk_begin(&w, 2, (const int64_t[]){0, INT64_MAX});
    assert_int_equal(w.left, 0);
    uint64_t product = 0;
    assert_false(ref_product(2, (const int64_t[]){INT64_MAX, 2}, &product));
    assert_false(ref_product(1, (const int64_t[]){-1}, &product));
    assert_true(ref_product(3, (const int64_t[]){INT64_MAX, 2, 0}, &product));
    assert_int_equal(product, 0);
    char text[REF_SHAPE_TEXT_BYTES];
    int64_t huge[TENSOR_MAX_RANK];
    for (int i = 0; i < TENSOR_MAX_RANK; i++)
        huge[i] = INT64_MAX;
    assert_true(strlen(ref_shape_text(TENSOR_MAX_RANK, huge, text)) < sizeof text);
    assert_string_equal(ref_shape_text(0, NULL, text), "[]");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_wrap),
        cmocka_unit_test(integers_divide),
        cmocka_unit_test(division_by_zero_is_a_status),
        cmocka_unit_test(fmod_has_the_sign_of_the_dividend),
        cmocka_unit_test(float_mod),
        cmocka_unit_test(powers),
        cmocka_unit_test(shifts),
        cmocka_unit_test(unary_on_integers),
        cmocka_unit_test(shrink_of_integers),
        cmocka_unit_test(nan_goes_through),
        cmocka_unit_test(nan_in_max_min_clip),
        cmocka_unit_test(clip_of_integers),
        cmocka_unit_test(comparisons),
        cmocka_unit_test(strings_compare_and_are_chosen),
        cmocka_unit_test(where_of_complex),
        cmocka_unit_test(broadcasting),
        cmocka_unit_test(huge_outputs_are_refused),
        cmocka_unit_test(sums_and_means),
        cmocka_unit_test(prelu),
        cmocka_unit_test(specials),
        cmocka_unit_test(wrong_inputs_are_a_status),
        cmocka_unit_test(walk_goes_through_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
