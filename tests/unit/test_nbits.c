/* Codes with scales apart: what they decode to in every order and width, and buffers too short. */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "tensor/matrix.h"
#include "tensor/number.h"

enum { ROWS = 3, COLUMNS = 80 };

/* Everything in the open, and the bytes of it. */
typedef struct plain {
    unsigned codes[ROWS][COLUMNS];
    float scales[ROWS][COLUMNS], zeros[ROWS][COLUMNS]; /* by block */
    uint8_t bytes[3][ROWS * COLUMNS * 4];
    tensor_nbits n;
} plain;

static uint32_t next(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

static void put_bits(uint8_t *bytes, uint64_t at, unsigned bits, unsigned value) {
    for (unsigned i = 0; i < bits; i++, at++) {
        bytes[at / 8] = (uint8_t)((bytes[at / 8] & ~(1u << at % 8)) | (value >> i & 1u) << at % 8);
    }
}

static void put_float(tensor_element e, uint8_t *bytes, uint64_t i, float *value) {
    tensor_set_number(e, bytes, i, (double)*value);
    *value = (float)tensor_get_number(e, bytes, i);
}

/* columns_first: [columns][rows], scales and zeros [blocks][rows]. */
static void make(plain *p, unsigned bits, uint64_t block, tensor_element scales,
                 tensor_element zeros, bool is_signed, bool columns_first) {
    uint32_t state = bits * 7919u + (uint32_t)block;
    const uint64_t blocks = (COLUMNS + block - 1) / block;
    memset(p, 0, sizeof *p);
    p->n = (tensor_nbits){.bits = bits, .is_signed = is_signed, .rows = ROWS, .columns = COLUMNS};
    p->n.block_elems = block;
    p->n.scale_element = scales;
    p->n.zero_element = zeros;
    p->n.code_bits = columns_first ? (tensor_strides){bits, ROWS * bits}
                                   : (tensor_strides){(uint64_t)COLUMNS * bits, bits};
    p->n.scale_elems = columns_first ? (tensor_strides){1, ROWS} : (tensor_strides){blocks, 1};
    const uint64_t zero = zeros == TENSOR_ELEMENT_UNDEFINED ? bits : 1;
    p->n.zero_bits =
        columns_first ? (tensor_strides){zero, ROWS * zero} : (tensor_strides){blocks * zero, zero};
    for (uint64_t r = 0; r < ROWS; r++) {
        for (uint64_t c = 0; c < COLUMNS; c++) {
            p->codes[r][c] = next(&state) & ((1u << bits) - 1);
            put_bits(p->bytes[0], r * p->n.code_bits.row + c * p->n.code_bits.column, bits,
                     p->codes[r][c]);
        }
        for (uint64_t b = 0; b < blocks; b++) {
            p->scales[r][b] = (float)(next(&state) % 1000) / 1024 + 0.01f;
            put_float(scales, p->bytes[1], r * p->n.scale_elems.row + b * p->n.scale_elems.column,
                      &p->scales[r][b]);
            const uint64_t at = r * p->n.zero_bits.row + b * p->n.zero_bits.column;
            const unsigned code = next(&state) & ((1u << bits) - 1);
            p->zeros[r][b] = (float)code;
            if (zeros == TENSOR_ELEMENT_UNDEFINED) {
                put_bits(p->bytes[2], at, bits, code);
            } else {
                p->zeros[r][b] += 0.5f;
                put_float(zeros, p->bytes[2], at, &p->zeros[r][b]);
            }
            if (is_signed && code >> (bits - 1)) p->zeros[r][b] -= (float)(1u << bits);
        }
    }
    p->n.codes = p->bytes[0];
    p->n.codes_bytes = (ROWS * COLUMNS * bits + 7) / 8;
    p->n.scales = p->bytes[1];
    p->n.scales_bytes = ROWS * blocks * (scales == TENSOR_ELEMENT_F32 ? 4 : 2);
    p->n.zeros = p->bytes[2];
    p->n.zeros_bytes = zeros == TENSOR_ELEMENT_UNDEFINED
                           ? (ROWS * blocks * bits + 7) / 8
                           : ROWS * blocks * (zeros == TENSOR_ELEMENT_F32 ? 4 : 2);
}

static double value_of(const plain *p, uint64_t r, uint64_t c) {
    int code = (int)p->codes[r][c];
    if (p->n.is_signed && code >> (p->n.bits - 1)) code -= 1 << p->n.bits;
    const uint64_t b = c / p->n.block_elems;
    const float zero = p->n.zeros ? p->zeros[r][b] : (float)p->n.default_zero;
    return (double)p->scales[r][b] * ((double)code - (double)zero);
}

static void check_values(plain *p) {
    ondol_error err = {.status = ONDOL_OK};
    ASSERT_OK(tensor_nbits_check(&p->n, &err));
    const unsigned group = tensor_nbits_group(&p->n);
    const tensor_matrix m = {.rows = ROWS, .columns = COLUMNS, .nbits = &p->n};
    for (uint64_t r = 0; r < ROWS; r++) {
        float row[COLUMNS], scales[8], zeros[8];
        int8_t codes[96];
        tensor_matrix_decode_row(&m, r, row);
        tensor_nbits_unpack(&p->n, r, 0, 96, codes, scales, zeros);
        for (uint64_t c = 0; c < COLUMNS; c++) {
            const double want = value_of(p, r, c);
            const float s = scales[c / group];
            const double got = (double)s * (codes[c] - (double)zeros[c / group]);
            const double bound = 3e-7 * (double)s * (1 << p->n.bits);
            if (fabs((double)row[c] - want) > bound || fabs(got - want) > bound) {
                fail_msg("%u bits, %u to a scale, row %u column %u: %g and %g, expected %g",
                         p->n.bits, (unsigned)p->n.block_elems, (unsigned)r, (unsigned)c,
                         (double)row[c], got, want);
            }
        }
        for (int c = COLUMNS; c < 96; c++)
            assert_int_equal(codes[c], 0);
    }
}

static void decodes_every_width_and_order(void **state) {
    (void)state;
    static plain p;
    static const uint64_t BLOCKS[] = {16, 32, 48, 64, 128};
    static const tensor_element FLOATS[] = {TENSOR_ELEMENT_F32, TENSOR_ELEMENT_F16,
                                            TENSOR_ELEMENT_BF16};
    for (unsigned bits = 1; bits <= 8; bits++) {
        for (int b = 0; b < 5; b++) {
            for (int how = 0; how < 8; how++) {
                const bool codes = how & 1;
                make(&p, bits, BLOCKS[b], FLOATS[(bits + (unsigned)how) % 3],
                     codes ? TENSOR_ELEMENT_UNDEFINED : FLOATS[how % 3], codes && (how & 2),
                     how & 4);
                check_values(&p);
                p.n.zeros = NULL;
                p.n.default_zero = p.n.is_signed ? 0 : 1 << (bits - 1);
                check_values(&p);
                assert_false(p.n.has_zeros);
                p.n.default_zero = 0; /* as DequantizeLinear has it */
                check_values(&p);
                assert_int_equal(p.n.has_zeros, !p.n.is_signed);
            }
        }
    }
}

static void knows_what_is_exact(void **state) {
    (void)state;
    static plain p;
    ondol_error err = {.status = ONDOL_OK};
    make(&p, 4, 32, TENSOR_ELEMENT_F32, TENSOR_ELEMENT_UNDEFINED, false, false);
    ASSERT_OK(tensor_nbits_check(&p.n, &err));
    assert_false(p.n.scales_fit_f16);
    assert_true(p.n.has_zeros && p.n.zeros_fit_f16);
    for (uint64_t i = 0; i < p.n.scales_bytes / 4; i++)
        tensor_set_number(TENSOR_ELEMENT_F32, p.bytes[1], i, 0.25);
    memset(p.bytes[2], 0x88, sizeof p.bytes[2]); /* all in the middle: as if there were none */
    ASSERT_OK(tensor_nbits_check(&p.n, &err));
    assert_true(p.n.scales_fit_f16);
    assert_false(p.n.has_zeros);
    make(&p, 2, 32, TENSOR_ELEMENT_F16, TENSOR_ELEMENT_F32, false, false);
    for (uint64_t i = 0; i < p.n.zeros_bytes / 4; i++)
        tensor_set_number(TENSOR_ELEMENT_F32, p.bytes[2], i, 1.5);
    ASSERT_OK(tensor_nbits_check(&p.n, &err));
    assert_true(p.n.scales_fit_f16 && p.n.has_zeros && p.n.zeros_fit_f16);
    tensor_set_number(TENSOR_ELEMENT_F32, p.bytes[2], p.n.zeros_bytes / 4 - 1, 1.0 / 3);
    ASSERT_OK(tensor_nbits_check(&p.n, &err));
    assert_false(p.n.zeros_fit_f16);
}

static void refuses_what_does_not_fit(void **state) {
    (void)state;
    static plain p;
    ondol_error err = {.status = ONDOL_OK};
    make(&p, 4, 32, TENSOR_ELEMENT_F16, TENSOR_ELEMENT_UNDEFINED, false, false);
    const tensor_nbits sound = p.n;
#define REFUSED(change, status, words)                                                             \
    p.n = sound;                                                                                   \
    change;                                                                                        \
    ASSERT_STATUS(tensor_nbits_check(&p.n, &err), status);                                         \
    ASSERT_CONTAINS(err.text, words)
    REFUSED(p.n.codes_bytes--, ONDOL_E_FORMAT, "bytes of codes");
    REFUSED(p.n.scales_bytes--, ONDOL_E_FORMAT, "bytes of scales");
    REFUSED(p.n.zeros_bytes--, ONDOL_E_FORMAT, "bytes of zero points");
    REFUSED(p.n.rows++, ONDOL_E_FORMAT, "4 rows");
    REFUSED(p.n.columns = UINT64_MAX, ONDOL_E_FORMAT, "expected 1 to 2^31");
    REFUSED(p.n.rows = 0, ONDOL_E_FORMAT, "0 rows");
    REFUSED(p.n.bits = 9, ONDOL_E_FORMAT, "9 bits");
    REFUSED(p.n.bits = 0, ONDOL_E_FORMAT, "0 bits");
    REFUSED(p.n.block_elems = 0, ONDOL_E_FORMAT, "0 to a scale");
    REFUSED(p.n.block_elems = 20, ONDOL_E_UNSUPPORTED, "multiple of 16");
    REFUSED(p.n.code_bits.row = UINT64_MAX, ONDOL_E_FORMAT, "codes");
    REFUSED(p.n.scale_elems.row = UINT64_MAX / 2 + 1, ONDOL_E_FORMAT, "scales");
    REFUSED(p.n.scale_element = TENSOR_ELEMENT_I32, ONDOL_E_FORMAT, "scales of type int32");
    REFUSED(p.n.zero_element = TENSOR_ELEMENT_I8, ONDOL_E_FORMAT, "zero points of type int8");
    REFUSED((p.n.zeros = NULL, p.n.default_zero = 16), ONDOL_E_FORMAT, "zero point 16");
#undef REFUSED
}

static void names_and_sameness(void **state) {
    (void)state;
    static plain p;
    ondol_error err = {.status = ONDOL_OK};
    char name[TENSOR_MATRIX_NAME_BYTES];
    make(&p, 4, 32, TENSOR_ELEMENT_F16, TENSOR_ELEMENT_UNDEFINED, false, false);
    ASSERT_OK(tensor_nbits_check(&p.n, &err));
    tensor_nbits other = p.n;
    const tensor_matrix a = {.rows = ROWS, .columns = COLUMNS, .nbits = &p.n};
    const tensor_matrix b = {.rows = ROWS, .columns = COLUMNS, .nbits = &other};
    assert_string_equal(tensor_matrix_name(&a, name), "int4/32 f16 zeros");
    assert_true(tensor_matrix_is_codes(&a));
    assert_true(tensor_matrix_same(&a, &b));
    other.scales = p.bytes[2];
    assert_false(tensor_matrix_same(&a, &b));
    const tensor_matrix t = {.rows = 2,
                             .columns = 3,
                             .encoding = TENSOR_ENCODING_F32,
                             .data = (const float[]){1, 2, 3, 4, 5, 6},
                             .transposed = true};
    float row[3];
    tensor_matrix_decode_row(&t, 1, row);
    assert_true(row[0] == 2 && row[1] == 4 && row[2] == 6);
    assert_string_equal(tensor_matrix_name(&t, name), "F32^T");
    assert_false(tensor_matrix_same(&a, &t) || tensor_matrix_is_codes(&t));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_every_width_and_order),
        cmocka_unit_test(knows_what_is_exact),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(names_and_sameness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
