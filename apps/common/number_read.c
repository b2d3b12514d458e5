/* Numbers. In: bytes, an index. Out: a double. */
#include "common/number_read.h"

#include <math.h>
#include <string.h>

/* A float of `exponent` and `mantissa` bits; codes above `largest` are `beyond` (inf or NaN). */
static double small_float(unsigned code, int exponent, int mantissa, int bias) {
    const unsigned sign = code >> (exponent + mantissa) & 1u;
    const unsigned e = code >> mantissa & ((1u << exponent) - 1), m = code & ((1u << mantissa) - 1);
    const double value = e ? ldexp(m + (double)(1u << mantissa), (int)e - bias - mantissa)
                           : ldexp(m, 1 - bias - mantissa);
    return sign ? -value : value;
}

static double half(unsigned code, int exponent, int mantissa) {
    const unsigned all = (1u << exponent) - 1;
    if ((code >> mantissa & all) != all) {
        return small_float(code, exponent, mantissa, (int)(all >> 1));
    }
    if (code & ((1u << mantissa) - 1)) return NAN;
    return code >> (exponent + mantissa) & 1u ? -INFINITY : INFINITY;
}

static double read_byte_float(ondol_element element, unsigned code) {
    switch (element) {
    case ONDOL_ELEMENT_FLOAT8E4M3FN:
        return (code & 0x7f) == 0x7f ? NAN : small_float(code, 4, 3, 7);
    case ONDOL_ELEMENT_FLOAT8E4M3FNUZ: return code == 0x80 ? NAN : small_float(code, 4, 3, 8);
    case ONDOL_ELEMENT_FLOAT8E5M2: return half(code, 5, 2);
    case ONDOL_ELEMENT_FLOAT8E5M2FNUZ: return code == 0x80 ? NAN : small_float(code, 5, 2, 16);
    case ONDOL_ELEMENT_FLOAT8E8M0: return code == 0xff ? NAN : ldexp(1, (int)code - 127);
    case ONDOL_ELEMENT_FLOAT6E2M3: return small_float(code, 2, 3, 1);
    case ONDOL_ELEMENT_FLOAT6E3M2: return small_float(code, 3, 2, 3);
    default: return small_float(code, 2, 1, 1);
    }
}

static double read_code(ondol_element element, unsigned bits, unsigned code) {
    switch (element) {
    case ONDOL_ELEMENT_UINT8:
    case ONDOL_ELEMENT_UINT4:
    case ONDOL_ELEMENT_UINT2: return code;
    case ONDOL_ELEMENT_BOOL: return code != 0;
    case ONDOL_ELEMENT_INT8:
    case ONDOL_ELEMENT_INT4:
    case ONDOL_ELEMENT_INT2: return code >> (bits - 1) ? (double)code - (1u << bits) : code;
    default: return read_byte_float(element, code);
    }
}

#define READ(type)                                                                                 \
    do {                                                                                           \
        type v;                                                                                    \
        memcpy(&v, (const char *)data + index * sizeof v, sizeof v);                               \
        return (double)v;                                                                          \
    } while (0)

double number_read(ondol_element element, const void *data, uint64_t index) {
    const unsigned bits = ondol_element_bits(element);
    const unsigned char *bytes = data;
    uint16_t word = 0;
    switch (element) {
    case ONDOL_ELEMENT_FLOAT32: READ(float);
    case ONDOL_ELEMENT_FLOAT64: READ(double);
    case ONDOL_ELEMENT_INT16: READ(int16_t);
    case ONDOL_ELEMENT_INT32: READ(int32_t);
    case ONDOL_ELEMENT_INT64: READ(int64_t);
    case ONDOL_ELEMENT_UINT16: READ(uint16_t);
    case ONDOL_ELEMENT_UINT32: READ(uint32_t);
    case ONDOL_ELEMENT_UINT64: READ(uint64_t);
    case ONDOL_ELEMENT_COMPLEX64: index *= 2; READ(float);
    case ONDOL_ELEMENT_COMPLEX128: index *= 2; READ(double);
    case ONDOL_ELEMENT_FLOAT16: memcpy(&word, bytes + 2 * index, 2); return half(word, 5, 10);
    case ONDOL_ELEMENT_BFLOAT16: memcpy(&word, bytes + 2 * index, 2); return half(word, 8, 7);
    default: break;
    }
    if (bits == 0 || bits > 8) return 0;
    const uint64_t bit = index * bits;
    unsigned code = bytes[bit / 8];
    if (bit % 8 + bits > 8) code |= (unsigned)bytes[bit / 8 + 1] << 8;
    return read_code(element, bits, code >> bit % 8 & ((1u << bits) - 1));
}
