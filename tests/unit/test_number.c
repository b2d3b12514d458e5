/* tensor/number.h: one number of a tensor, of each element type: codes to values and back, rounded
 * to nearest even, cut, wrapped, past the largest. */
#include <math.h>

#include "tensor/number.h"
#include "unit.h"

static double stored(tensor_element e, double v) {
    unsigned char data[16] = {0};
    tensor_set_number(e, data, 0, v);
    return tensor_get_number(e, data, 0);
}

static int64_t stored_integer(tensor_element e, int64_t v) {
    unsigned char data[16] = {0};
    tensor_set_integer(e, data, 0, v);
    return tensor_get_integer(e, data, 0);
}

/* Every code of a small float type means what is encoded to it again; NaN stays one. */
static void codes_come_back(void **state) {
    (void)state;
    static const struct {
        tensor_element e;
        unsigned bits;
    } types[] = {
        {TENSOR_ELEMENT_F16, 16},       {TENSOR_ELEMENT_BF16, 16},  {TENSOR_ELEMENT_F8E4M3FN, 8},
        {TENSOR_ELEMENT_F8E4M3FNUZ, 8}, {TENSOR_ELEMENT_F8E5M2, 8}, {TENSOR_ELEMENT_F8E5M2FNUZ, 8},
        {TENSOR_ELEMENT_F8E8M0, 8},     {TENSOR_ELEMENT_F4E2M1, 4}, {TENSOR_ELEMENT_F6E2M3, 6},
        {TENSOR_ELEMENT_F6E3M2, 6},
    };
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        for (uint32_t code = 0; code < 1u << types[t].bits; code++) {
            const double v = tensor_float_decode(types[t].e, code);
            const uint32_t back = tensor_float_encode(types[t].e, v, TENSOR_OVERFLOW_SPECIAL);
            if (isnan(v))
                assert_true(isnan(tensor_float_decode(types[t].e, back)));
            else if (back != code)
                fail_msg("type %d: code %u is %g, which is code %u", (int)types[t].e, code, v,
                         back);
        }
    }
}

static void ties_go_to_even(void **state) {
    (void)state;
    assert_true(stored(TENSOR_ELEMENT_F16, 2049) == 2048);
    assert_true(stored(TENSOR_ELEMENT_F16, 2051) == 2052);
    assert_true(stored(TENSOR_ELEMENT_BF16, 257) == 256);
    assert_true(stored(TENSOR_ELEMENT_BF16, 259) == 260);
    assert_true(stored(TENSOR_ELEMENT_F8E4M3FN, 17) == 16);
    assert_true(stored(TENSOR_ELEMENT_F8E4M3FN, 19) == 20);
    assert_true(stored(TENSOR_ELEMENT_F4E2M1, 2.5) == 2);
    assert_true(stored(TENSOR_ELEMENT_F4E2M1, 3.5) == 4);
    /* Twice rounded, by float32 first, it would be 2048. */
    assert_true(stored(TENSOR_ELEMENT_F16, 2049.0000001) == 2050);
    assert_true(stored(TENSOR_ELEMENT_F16, ldexp(1, -25)) == 0);
    assert_true(stored(TENSOR_ELEMENT_F16, ldexp(1.0001, -25)) == ldexp(1, -24));
}

static void past_the_largest(void **state) {
    (void)state;
    assert_true(stored(TENSOR_ELEMENT_F16, 65519) == 65504);
    assert_true(isinf(stored(TENSOR_ELEMENT_F16, 65520)));
    assert_true(isinf(stored(TENSOR_ELEMENT_F32, 1e300)));
    assert_true(isnan(stored(TENSOR_ELEMENT_F8E4M3FN, 1e9)));
    assert_true(isinf(stored(TENSOR_ELEMENT_F8E5M2, 1e9)));
    static const struct {
        tensor_element e;
        double most;
    } types[] = {{TENSOR_ELEMENT_F8E4M3FN, 448},
                 {TENSOR_ELEMENT_F8E5M2, 57344},
                 {TENSOR_ELEMENT_F4E2M1, 6},
                 {TENSOR_ELEMENT_F6E2M3, 7.5},
                 {TENSOR_ELEMENT_F6E3M2, 28}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const uint32_t code = tensor_float_encode(types[i].e, 1e9, TENSOR_OVERFLOW_SATURATE);
        assert_true(tensor_float_decode(types[i].e, code) == types[i].most);
        const uint32_t low = tensor_float_encode(types[i].e, -1e9, TENSOR_OVERFLOW_SATURATE);
        assert_true(tensor_float_decode(types[i].e, low) == -types[i].most);
    }
}

static void integers_are_cut(void **state) {
    (void)state;
    assert_true(stored(TENSOR_ELEMENT_I8, -3.9) == -3);
    assert_true(stored(TENSOR_ELEMENT_I8, 130) == -126);
    assert_true(stored(TENSOR_ELEMENT_U8, -1) == 255);
    assert_true(stored(TENSOR_ELEMENT_U8, 256.7) == 0);
    assert_true(stored(TENSOR_ELEMENT_I4, 9) == -7);
    assert_true(stored(TENSOR_ELEMENT_U2, 5) == 1);
    assert_true(stored(TENSOR_ELEMENT_I2, 2) == -2);
    assert_true(stored(TENSOR_ELEMENT_I32, NAN) == 0);
    assert_true(stored(TENSOR_ELEMENT_BOOL, -0.5) == 1);
    assert_true(stored(TENSOR_ELEMENT_BOOL, 0) == 0);
    assert_int_equal(stored_integer(TENSOR_ELEMENT_I64, INT64_MIN), INT64_MIN);
    assert_int_equal(stored_integer(TENSOR_ELEMENT_U64, -1), -1);
    assert_int_equal(stored_integer(TENSOR_ELEMENT_I16, 0x18000), -32768);
    assert_int_equal(stored_integer(TENSOR_ELEMENT_U4, -1), 15);
    assert_int_equal(stored_integer(TENSOR_ELEMENT_I4, -1), -1);
}

static void floats_as_integers(void **state) {
    (void)state;
    static const struct {
        double v;
        int64_t wanted;
    } cases[] = {{2.9, 2},
                 {-2.9, -2},
                 {NAN, 0},
                 {INFINITY, INT64_MAX},
                 {1e300, INT64_MAX},
                 {-1e300, INT64_MIN},
                 {-INFINITY, INT64_MIN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(tensor_get_integer(TENSOR_ELEMENT_F64, &cases[i].v, 0), cases[i].wanted);
    }
    /* Past what any integer holds: defined all the same. */
    static const double far[] = {1e300, -1e300, INFINITY, -INFINITY, 9.3e18, -9.3e18, 1.9e19};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        for (int e = TENSOR_ELEMENT_F32; e < TENSOR_ELEMENT_COUNT; e++)
            if (e != TENSOR_ELEMENT_STRING) stored((tensor_element)e, far[i]);
    }
}

/* Elements that share bytes leave their neighbours alone. */
static void packed_elements(void **state) {
    (void)state;
    static const tensor_element types[] = {
        TENSOR_ELEMENT_U4, TENSOR_ELEMENT_I4,     TENSOR_ELEMENT_F4E2M1, TENSOR_ELEMENT_U2,
        TENSOR_ELEMENT_I2, TENSOR_ELEMENT_F6E2M3, TENSOR_ELEMENT_F6E3M2};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        const uint32_t most = (1u << tensor_element_bits(types[t])) - 1;
        unsigned char data[16] = {0};
        for (uint64_t i = 0; i < 17; i++)
            tensor_set_code(types[t], data, i, (uint32_t)(i * 7 + 3) & most);
        tensor_set_code(types[t], data, 5, most);
        tensor_set_code(types[t], data, 5, 0);
        for (uint64_t i = 0; i < 17; i++) {
            const uint32_t wanted = i == 5 ? 0 : (uint32_t)(i * 7 + 3) & most;
            assert_int_equal(tensor_get_code(types[t], data, i), wanted);
        }
    }
    unsigned char low_first[1] = {0};
    tensor_set_code(TENSOR_ELEMENT_U4, low_first, 0, 0xa);
    tensor_set_code(TENSOR_ELEMENT_U4, low_first, 1, 0x5);
    assert_int_equal(low_first[0], 0x5a);
}

static void complex_numbers(void **state) {
    (void)state;
    float pair[2] = {7, 7};
    tensor_set_number(TENSOR_ELEMENT_C64, pair, 0, 1.5);
    assert_true(pair[0] == 1.5f && pair[1] == 0);
    assert_true(tensor_get_number(TENSOR_ELEMENT_C64, pair, 0) == 1.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_come_back),    cmocka_unit_test(ties_go_to_even),
        cmocka_unit_test(past_the_largest),   cmocka_unit_test(integers_are_cut),
        cmocka_unit_test(floats_as_integers), cmocka_unit_test(packed_elements),
        cmocka_unit_test(complex_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
