/* Codes of a few bits. In: buffers of codes, scales and zero points. Out: whether they fit
 * together; codes, scales and zero points of parts of rows. */
#include "tensor/nbits.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "tensor/half.h"
#include "tensor/number.h"

static int middle_of(const tensor_nbits *n) {
    return n->is_signed ? 0 : 1 << (n->bits - 1);
}

static uint64_t blocks_of(const tensor_nbits *n) {
    return (n->columns + n->block_elems - 1) / n->block_elems;
}

unsigned tensor_nbits_group(const tensor_nbits *n) {
    return n->block_elems % 32 == 0 || n->block_elems >= n->columns ? 32 : 16;
}

/* ------------------------------------------------------------ reading */

/* `bits` bits from `at` on; they lie in two bytes at most. */
static unsigned read_bits(const uint8_t *bytes, uint64_t at, unsigned bits) {
    const unsigned shift = (unsigned)(at % 8);
    unsigned value = bytes[at / 8];
    if (shift + bits > 8) value |= (unsigned)bytes[at / 8 + 1] << 8;
    return value >> shift & ((1u << bits) - 1);
}

/* A code's bits to its distance from the origin: (bits ^ flip) - base. */
typedef struct counting {
    int flip, base;
} counting;

static counting counting_of(const tensor_nbits *n) {
    const int sign = n->is_signed ? 1 << (n->bits - 1) : 0;
    return (counting){sign, sign + n->origin};
}

static int code_at(const tensor_nbits *n, const void *bytes, uint64_t at) {
    const counting c = counting_of(n);
    return ((int)read_bits(bytes, at, n->bits) ^ c.flip) - c.base;
}

static float float_at(tensor_element e, const void *data, uint64_t i) {
    const uint8_t *p = data;
    if (e == TENSOR_ELEMENT_F32) {
        p += 4 * i;
        return tensor_f32_from_bits((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                                    (uint32_t)p[3] << 24);
    }
    p += 2 * i;
    const uint16_t half = (uint16_t)(p[0] | p[1] << 8);
    return e == TENSOR_ELEMENT_F16 ? tensor_f16_to_f32(half) : tensor_bf16_to_f32(half);
}

static float scale_at(const tensor_nbits *n, uint64_t row, uint64_t block) {
    return float_at(n->scale_element, n->scales,
                    row * n->scale_elems.row + block * n->scale_elems.column);
}

static float zero_at(const tensor_nbits *n, uint64_t row, uint64_t block) {
    if (!n->zeros) return (float)(n->default_zero - n->origin);
    const uint64_t at = row * n->zero_bits.row + block * n->zero_bits.column;
    if (n->zero_element == TENSOR_ELEMENT_UNDEFINED) return (float)code_at(n, n->zeros, at);
    return float_at(n->zero_element, n->zeros, at) - (float)n->origin;
}

static void unpack_nibbles(const tensor_nbits *n, uint64_t at, size_t count, int8_t *codes) {
    const uint8_t *bytes = (const uint8_t *)n->codes + at / 8;
    const counting c = counting_of(n);
    const uint8_t flip = (uint8_t)c.flip, base = (uint8_t)c.base;
    for (size_t i = 0; i < count / 2; i++) { /* in bytes alone, for whole vectors of them */
        const uint8_t low = bytes[i] & 15, high = bytes[i] >> 4;
        codes[2 * i] = (int8_t)(uint8_t)((low ^ flip) - base);
        codes[2 * i + 1] = (int8_t)(uint8_t)((high ^ flip) - base);
    }
    if (count % 2) codes[count - 1] = (int8_t)(((bytes[count / 2] & 15) ^ c.flip) - c.base);
}

static void unpack_bytes(const tensor_nbits *n, uint64_t at, size_t step, size_t count,
                         int8_t *codes) {
    const uint8_t *bytes = (const uint8_t *)n->codes + at / 8;
    const counting c = counting_of(n);
    const uint8_t flip = (uint8_t)c.flip, base = (uint8_t)c.base;
    if (step == 1) {
        for (size_t i = 0; i < count; i++)
            codes[i] = (int8_t)(uint8_t)((bytes[i] ^ flip) - base);
    } else {
        for (size_t i = 0; i < count; i++)
            codes[i] = (int8_t)(uint8_t)((bytes[i * step] ^ flip) - base);
    }
}

static void unpack_codes(const tensor_nbits *n, uint64_t row, uint64_t first, size_t count,
                         int8_t *codes) {
    const uint64_t step = n->code_bits.column;
    uint64_t at = row * n->code_bits.row + first * step;
    if (n->bits == 4 && step == 4 && at % 8 == 0) {
        unpack_nibbles(n, at, count, codes);
    } else if (n->bits == 8 && at % 8 == 0 && step % 8 == 0) {
        unpack_bytes(n, at, (size_t)(step / 8), count, codes);
    } else {
        for (size_t i = 0; i < count; i++, at += step)
            codes[i] = (int8_t)code_at(n, n->codes, at);
    }
}

void tensor_nbits_unpack(const tensor_nbits *n, uint64_t row, uint64_t first, size_t count,
                         int8_t *codes, float *scales, float *zeros) {
    const unsigned group = tensor_nbits_group(n);
    const size_t real = first >= n->columns          ? 0
                        : count > n->columns - first ? (size_t)(n->columns - first)
                                                     : count;
    unpack_codes(n, row, first, real, codes);
    memset(codes + real, 0, count - real);
    uint64_t block = first / n->block_elems, end = (block + 1) * n->block_elems;
    for (size_t g = 0; g * group < count; g++) {
        if (first + g * group >= end) {
            block++;
            end += n->block_elems;
        }
        const bool inside = g * group < real;
        scales[g] = inside ? scale_at(n, row, block) : 0;
        zeros[g] = inside ? zero_at(n, row, block) : 0;
    }
}

void tensor_nbits_decode(const tensor_nbits *n, uint64_t row, uint64_t first, size_t count,
                         float *dst) {
    int8_t codes[256];
    for (size_t done = 0; done < count;) {
        const uint64_t column = first + done, block = column / n->block_elems;
        size_t run = sizeof codes;
        if (run > n->block_elems - column % n->block_elems) {
            run = (size_t)(n->block_elems - column % n->block_elems);
        }
        if (run > count - done) run = count - done;
        const float scale = scale_at(n, row, block), minimum = scale * zero_at(n, row, block);
        unpack_codes(n, row, column, run, codes);
        for (size_t i = 0; i < run; i++)
            dst[done + i] = scale * (float)codes[i];
        for (size_t i = 0; n->has_zeros && i < run; i++)
            dst[done + i] -= minimum;
        done += run;
    }
}

/* ------------------------------------------------------------ checking */

static bool is_f16(float value) {
    return tensor_f32_bits(tensor_f16_to_f32(tensor_f32_to_f16(value))) == tensor_f32_bits(value);
}

/* The last of rows x columns things of `size` units lies within `limit` units. */
static bool fits(const tensor_strides *s, uint64_t rows, uint64_t columns, uint64_t size,
                 uint64_t limit) {
    uint64_t down = 0, along = 0, at = 0;
    return base_mul(rows - 1, s->row, &down) && base_mul(columns - 1, s->column, &along) &&
           base_add(down, along, &at) && base_range_ok(at, size, limit);
}

static ondol_status misfit(const tensor_nbits *n, const char *what, uint64_t bytes,
                           ondol_error *err) {
    return base_fail(err, ONDOL_E_FORMAT,
                     "%" PRIu64 " bytes of %s do not hold %" PRIu64 " rows of %" PRIu64
                     " columns in %u bits, %" PRIu64 " to a scale",
                     bytes, what, n->rows, n->columns, n->bits, n->block_elems);
}

static bool is_float(tensor_element e) {
    return e == TENSOR_ELEMENT_F32 || e == TENSOR_ELEMENT_F16 || e == TENSOR_ELEMENT_BF16;
}

static ondol_status check_sizes(const tensor_nbits *n, ondol_error *err) {
    if (n->bits < 1 || n->bits > 8 || n->rows < 1 || n->columns < 1 || n->block_elems < 1 ||
        n->rows > INT32_MAX || n->columns > INT32_MAX) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "%" PRIu64 " rows of %" PRIu64 " columns of codes of %u bits, %" PRIu64
                         " to a scale: expected 1 to 2^31 - 1, 1 to 8 bits",
                         n->rows, n->columns, n->bits, n->block_elems);
    }
    if (n->block_elems % 16 && n->block_elems < n->columns) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "%" PRIu64 " columns to a scale: expected a multiple of 16",
                         n->block_elems);
    }
    if (!is_float(n->scale_element)) {
        return base_fail(err, ONDOL_E_FORMAT, "scales of type %s",
                         tensor_element_onnx_name(n->scale_element));
    }
    const int least = n->is_signed ? -(1 << (n->bits - 1)) : 0;
    if (n->zeros && n->zero_element != TENSOR_ELEMENT_UNDEFINED && !is_float(n->zero_element)) {
        return base_fail(err, ONDOL_E_FORMAT, "zero points of type %s",
                         tensor_element_onnx_name(n->zero_element));
    }
    if (!n->zeros && (n->default_zero < least || n->default_zero >= least + (1 << n->bits))) {
        return base_fail(err, ONDOL_E_FORMAT, "zero point %d of codes of %u bits", n->default_zero,
                         n->bits);
    }
    return ONDOL_OK;
}

static ondol_status check_buffers(const tensor_nbits *n, ondol_error *err) {
    const uint64_t blocks = blocks_of(n);
    uint64_t bits = 0;
    if (!base_mul(n->codes_bytes, 8, &bits) ||
        !fits(&n->code_bits, n->rows, n->columns, n->bits, bits)) {
        return misfit(n, "codes", n->codes_bytes, err);
    }
    const uint64_t scales = n->scales_bytes / (n->scale_element == TENSOR_ELEMENT_F32 ? 4 : 2);
    if (!fits(&n->scale_elems, n->rows, blocks, 1, scales)) {
        return misfit(n, "scales", n->scales_bytes, err);
    }
    if (!n->zeros) return ONDOL_OK;
    bool inside = false;
    if (n->zero_element == TENSOR_ELEMENT_UNDEFINED) {
        inside = base_mul(n->zeros_bytes, 8, &bits) &&
                 fits(&n->zero_bits, n->rows, blocks, n->bits, bits);
    } else {
        const uint64_t size = n->zero_element == TENSOR_ELEMENT_F32 ? 4 : 2;
        inside = fits(&n->zero_bits, n->rows, blocks, 1, n->zeros_bytes / size);
    }
    return inside ? ONDOL_OK : misfit(n, "zero points", n->zeros_bytes, err);
}

/* Stops at the first that tells: real files hold scales of f32 that are no f16 at once. */
/* Of 16 f32: each is 0 or a normal f16, whose 13 lowest bits and exponent tell. Others may fit too.
 */
static bool all_plain_f16(const uint8_t *p) {
    uint32_t wrong = 0;
    for (unsigned i = 0; i < 16; i++) {
        uint32_t bits;
        memcpy(&bits, p + 4 * i, sizeof bits);
        bits &= 0x7fffffffu;
        const uint32_t outside = bits - 0x38800000u >= 0x0f000000u;
        wrong |= (bits & 0x1fffu) | (outside & (uint32_t)(bits != 0));
    }
    return wrong == 0;
}

static bool row_fits_f16(const tensor_nbits *n, uint64_t row, uint64_t blocks) {
    const bool plain = n->scale_element == TENSOR_ELEMENT_F32 && n->scale_elems.column == 1;
    const uint8_t *at = (const uint8_t *)n->scales + 4 * row * n->scale_elems.row;
    for (uint64_t b = 0; b < blocks;) {
        if (plain && blocks - b >= 16 && all_plain_f16(at + 4 * b)) {
            b += 16;
        } else if (is_f16(scale_at(n, row, b))) {
            b++;
        } else {
            return false;
        }
    }
    return true;
}

static void look(tensor_nbits *n) {
    const uint64_t blocks = blocks_of(n);
    n->origin = middle_of(n);
    n->scales_fit_f16 = true;
    for (uint64_t r = 0; n->scale_element != TENSOR_ELEMENT_F16 && n->scales_fit_f16 && r < n->rows;
         r++)
        n->scales_fit_f16 = row_fits_f16(n, r, blocks);
    n->zeros_fit_f16 = true;
    n->has_zeros = !n->zeros && n->default_zero != middle_of(n);
    if (!n->zeros) return;
    const bool codes = n->zero_element == TENSOR_ELEMENT_UNDEFINED;
    for (uint64_t r = 0; r < n->rows && n->zeros_fit_f16 && !(codes && n->has_zeros); r++) {
        for (uint64_t b = 0; b < blocks; b++) {
            const float zero = zero_at(n, r, b);
            n->has_zeros = n->has_zeros || zero != 0;
            n->zeros_fit_f16 = n->zeros_fit_f16 && is_f16(zero);
        }
    }
    n->has_zeros = n->has_zeros || !n->zeros_fit_f16;
}

ondol_status tensor_nbits_check(tensor_nbits *n, ondol_error *err) {
    ondol_status status = check_sizes(n, err);
    if (status == ONDOL_OK) status = check_buffers(n, err);
    if (status != ONDOL_OK) return status;
    look(n);
    if (tensor_nbits_group(n) == 16 && n->has_zeros && n->bits < 8) {
        n->origin = n->is_signed ? -(1 << (n->bits - 1)) : 0;
    }
    return ONDOL_OK;
}
