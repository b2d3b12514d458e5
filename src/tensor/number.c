/* One number of any element type. In: bytes, an index. Out: a double or an integer, and back. */
#include "tensor/number.h"

#include <math.h>
#include <string.h>

/* What the codes of a short float mean; code without its sign, all fields in bits. */
typedef struct float_format {
    uint8_t exponent_bits, mantissa_bits;
    int16_t bias;
    uint16_t largest;  /* code of the largest finite value */
    uint16_t infinity; /* 0: none */
    uint16_t nan;      /* with the sign bit where it has one; 0: none */
} float_format;

static const float_format FORMATS[TENSOR_ELEMENT_COUNT] = {
    [TENSOR_ELEMENT_F16] = {5, 10, 15, 0x7bff, 0x7c00, 0x7e00},
    [TENSOR_ELEMENT_BF16] = {8, 7, 127, 0x7f7f, 0x7f80, 0x7fc0},
    [TENSOR_ELEMENT_F8E4M3FN] = {4, 3, 7, 0x7e, 0, 0x7f},
    [TENSOR_ELEMENT_F8E4M3FNUZ] = {4, 3, 8, 0x7f, 0, 0x80},
    [TENSOR_ELEMENT_F8E5M2] = {5, 2, 15, 0x7b, 0x7c, 0x7f},
    [TENSOR_ELEMENT_F8E5M2FNUZ] = {5, 2, 16, 0x7f, 0, 0x80},
    [TENSOR_ELEMENT_F4E2M1] = {2, 1, 1, 0x7, 0, 0},
    [TENSOR_ELEMENT_F6E2M3] = {2, 3, 1, 0x1f, 0, 0},
    [TENSOR_ELEMENT_F6E3M2] = {3, 2, 3, 0x1f, 0, 0},
};

static uint32_t encode_e8m0(double v) {
    int exponent = 0;
    if (isnan(v) || isinf(v) || v == 0) return v == 0 ? 0 : 0xff;
    const double fraction = frexp(fabs(v), &exponent) * 2; /* [1, 2) */
    int code = exponent - 1 + 127;
    if (fraction > 1.5 || (fraction == 1.5 && code % 2 != 0)) code++;
    return code < 0 ? 0 : code > 0xfe ? 0xfe : (uint32_t)code;
}

uint32_t tensor_float_encode(tensor_element e, double v, tensor_overflow overflow) {
    if (e == TENSOR_ELEMENT_F8E8M0) return encode_e8m0(v);
    const float_format *f = &FORMATS[e];
    const bool no_negative_zero = f->nan == 0x80;
    const uint32_t sign = signbit(v) ? 1u << (f->exponent_bits + f->mantissa_bits) : 0;
    if (isnan(v)) {
        /* Types without NaN: -0, as ml_dtypes and the official cases have it. */
        if (!f->nan) return 1u << (f->exponent_bits + f->mantissa_bits);
        return f->nan | (no_negative_zero ? 0 : sign);
    }
    int exponent = 0;
    uint32_t code = f->largest + 1u;
    if (!isinf(v)) {
        frexp(v, &exponent);
        const int least = 2 - f->bias; /* as frexp counts: of the smallest normal value */
        if (exponent < least || v == 0) exponent = least;
        const double units = rint(ldexp(fabs(v), f->mantissa_bits + 1 - exponent));
        const uint32_t base = (uint32_t)(exponent - least) << f->mantissa_bits;
        const double sum = units + base; /* a normal value's hidden bit raises the exponent */
        if (sum <= f->largest) code = (uint32_t)sum;
    }
    if (code <= f->largest) return code == 0 && no_negative_zero ? 0 : sign | code;
    if (overflow == TENSOR_OVERFLOW_SATURATE || (!f->infinity && !f->nan)) return sign | f->largest;
    if (f->infinity) return sign | f->infinity;
    return f->nan | (no_negative_zero ? 0 : sign);
}

double tensor_float_decode(tensor_element e, uint32_t code) {
    if (e == TENSOR_ELEMENT_F8E8M0) return code == 0xff ? NAN : ldexp(1.0, (int)code - 127);
    const float_format *f = &FORMATS[e];
    const unsigned bits = f->exponent_bits + f->mantissa_bits;
    const uint32_t rest = code & ((1u << bits) - 1u), mantissa = (1u << f->mantissa_bits) - 1u;
    const bool negative = (code >> bits & 1u) != 0;
    if (f->nan == 0x80 ? code == 0x80 : rest > f->largest && rest != f->infinity) {
        return negative && f->nan != 0x80 ? -(double)NAN : (double)NAN;
    }
    if (f->infinity && rest == f->infinity) return negative ? -INFINITY : INFINITY;
    const int exponent = (int)(rest >> f->mantissa_bits);
    const double fraction = exponent ? (rest & mantissa) + mantissa + 1.0 : rest & mantissa;
    const double value = ldexp(fraction, (exponent ? exponent : 1) - f->bias - f->mantissa_bits);
    return negative ? -value : value;
}

uint32_t tensor_get_code(tensor_element e, const void *data, uint64_t i) {
    const uint8_t *p = data;
    const unsigned bits = tensor_element_bits(e);
    if (bits == 8) return p[i];
    if (bits == 0 || bits > 8) return 0;
    const uint64_t byte = i / 8 * bits + i % 8 * bits / 8;
    const unsigned shift = (unsigned)(i % 8 * bits % 8);
    uint32_t word = p[byte];
    if (shift + bits > 8) word |= (uint32_t)p[byte + 1] << 8;
    return word >> shift & ((1u << bits) - 1u);
}

void tensor_set_code(tensor_element e, void *data, uint64_t i, uint32_t code) {
    uint8_t *p = data;
    const unsigned bits = tensor_element_bits(e);
    if (bits == 8) p[i] = (uint8_t)code;
    if (bits == 0 || bits >= 8) return;
    const uint64_t byte = i / 8 * bits + i % 8 * bits / 8;
    const unsigned shift = (unsigned)(i % 8 * bits % 8);
    const uint32_t mask = ((1u << bits) - 1u) << shift, word = (code << shift) & mask;
    p[byte] = (uint8_t)((p[byte] & ~mask) | word);
    if (shift + bits > 8) p[byte + 1] = (uint8_t)((p[byte + 1] & ~(mask >> 8)) | word >> 8);
}

static int64_t sign_extended(uint32_t code, unsigned bits) {
    const uint32_t top = 1u << (bits - 1);
    return (int64_t)(code ^ top) - (int64_t)top;
}

/* Reads element i of a C type, of any alignment. */
#define GET(type, out)                                                                             \
    type out;                                                                                      \
    memcpy(&out, (const char *)data + i * sizeof out, sizeof out)

static int64_t get_whole(tensor_element e, const void *data, uint64_t i) {
    switch (tensor_element_bits(e)) {
    case 64: {
        GET(int64_t, v);
        return v;
    }
    case 32: {
        GET(uint32_t, v);
        return e == TENSOR_ELEMENT_I32 ? (int32_t)v : (int64_t)v;
    }
    case 16: {
        GET(uint16_t, v);
        return e == TENSOR_ELEMENT_I16 ? (int16_t)v : (int64_t)v;
    }
    default: break;
    }
    const uint32_t code = tensor_get_code(e, data, i);
    if (tensor_element_kind_of(e) == TENSOR_KIND_SIGNED) {
        return sign_extended(code, tensor_element_bits(e));
    }
    return e == TENSOR_ELEMENT_BOOL ? code != 0 : (int64_t)code;
}

static double get_float(tensor_element e, const void *data, uint64_t i) {
    switch (e) {
    case TENSOR_ELEMENT_F32: {
        GET(float, v);
        return v;
    }
    case TENSOR_ELEMENT_F64: {
        GET(double, v);
        return v;
    }
    case TENSOR_ELEMENT_F16:
    case TENSOR_ELEMENT_BF16: {
        GET(uint16_t, v);
        return tensor_float_decode(e, v);
    }
    default: return tensor_float_decode(e, tensor_get_code(e, data, i));
    }
}

double tensor_get_number(tensor_element e, const void *data, uint64_t i) {
    switch (tensor_element_kind_of(e)) {
    case TENSOR_KIND_FLOAT: return get_float(e, data, i);
    case TENSOR_KIND_UNSIGNED: return (double)(uint64_t)get_whole(e, data, i);
    case TENSOR_KIND_SIGNED:
    case TENSOR_KIND_BOOL: return (double)get_whole(e, data, i);
    case TENSOR_KIND_COMPLEX:
        return get_float(e == TENSOR_ELEMENT_C64 ? TENSOR_ELEMENT_F32 : TENSOR_ELEMENT_F64, data,
                         2 * i);
    default: return 0;
    }
}

/* Cut towards zero; what is beyond int64 saturates, but for [2^63, 2^64), whose bits are u64's. */
static int64_t cut(double v) {
    if (isnan(v)) return 0;
    if (v >= 0x1p64) return INT64_MAX;
    if (v >= 0x1p63) return (int64_t)(uint64_t)v;
    return v < -0x1p63 ? INT64_MIN : (int64_t)v;
}

int64_t tensor_get_integer(tensor_element e, const void *data, uint64_t i) {
    switch (tensor_element_kind_of(e)) {
    case TENSOR_KIND_UNSIGNED:
    case TENSOR_KIND_SIGNED:
    case TENSOR_KIND_BOOL: return get_whole(e, data, i);
    default: {
        const double v = tensor_get_number(e, data, i);
        return v >= 0x1p63 ? INT64_MAX : cut(v);
    }
    }
}

/* Writes v, of any alignment. */
#define PUT(type, value)                                                                           \
    do {                                                                                           \
        const type put = (type)(value);                                                            \
        memcpy((char *)data + i * sizeof put, &put, sizeof put);                                   \
    } while (0)

static void set_whole(tensor_element e, void *data, uint64_t i, int64_t v) {
    if (e == TENSOR_ELEMENT_BOOL) v = v != 0;
    switch (tensor_element_bits(e)) {
    case 64: PUT(uint64_t, v); break;
    case 32: PUT(uint32_t, v); break;
    case 16: PUT(uint16_t, v); break;
    default: tensor_set_code(e, data, i, (uint32_t)v); break;
    }
}

static void set_float(tensor_element e, void *data, uint64_t i, double v) {
    switch (e) {
    case TENSOR_ELEMENT_F32: PUT(float, v); break;
    case TENSOR_ELEMENT_F64: PUT(double, v); break;
    case TENSOR_ELEMENT_F16:
    case TENSOR_ELEMENT_BF16:
        PUT(uint16_t, tensor_float_encode(e, v, TENSOR_OVERFLOW_SPECIAL));
        break;
    default: tensor_set_code(e, data, i, tensor_float_encode(e, v, TENSOR_OVERFLOW_SPECIAL)); break;
    }
}

void tensor_set_number(tensor_element e, void *data, uint64_t i, double v) {
    switch (tensor_element_kind_of(e)) {
    case TENSOR_KIND_FLOAT: set_float(e, data, i, v); break;
    case TENSOR_KIND_BOOL: set_whole(e, data, i, v != 0); break;
    case TENSOR_KIND_SIGNED:
    case TENSOR_KIND_UNSIGNED: set_whole(e, data, i, cut(v)); break;
    case TENSOR_KIND_COMPLEX: {
        const tensor_element part =
            e == TENSOR_ELEMENT_C64 ? TENSOR_ELEMENT_F32 : TENSOR_ELEMENT_F64;
        set_float(part, data, 2 * i, v);
        set_float(part, data, 2 * i + 1, 0);
        break;
    }
    default: break;
    }
}

void tensor_set_integer(tensor_element e, void *data, uint64_t i, int64_t v) {
    switch (tensor_element_kind_of(e)) {
    case TENSOR_KIND_SIGNED:
    case TENSOR_KIND_UNSIGNED:
    case TENSOR_KIND_BOOL: set_whole(e, data, i, v); break;
    default: tensor_set_number(e, data, i, (double)v); break;
    }
}
