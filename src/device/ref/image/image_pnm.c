/* PBM, PGM, PPM, as text or binary. In: encoded bytes. Out: pixels. Source: the Netpbm manual. */
#include <inttypes.h>

#include "device/ref/image/image.h"

typedef struct pnm {
    image_bytes from;
    uint64_t at;
} pnm;

static bool is_blank(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Moves behind white space and comments, which end with their line. */
static void skip_blanks(pnm *p) {
    while (p->at < p->from.size) {
        const uint8_t c = p->from.data[p->at];
        if (c == '#') {
            while (p->at < p->from.size && p->from.data[p->at] != '\n')
                p->at++;
        } else if (is_blank(c)) {
            p->at++;
        } else {
            return;
        }
    }
}

/* The next number, of one digit alone where digits stand without blanks. False: there is none. */
static bool read_number(pnm *p, bool one_digit, uint64_t *out) {
    uint64_t value = 0, digits = 0;
    skip_blanks(p);
    while (p->at < p->from.size && p->from.data[p->at] >= '0' && p->from.data[p->at] <= '9') {
        value = value * 10 + (uint64_t)(p->from.data[p->at++] - '0');
        if (value > UINT32_MAX) return false;
        if (++digits == 1 && one_digit) break;
    }
    *out = value;
    return digits > 0;
}

static bool read_binary(pnm *p, uint64_t most, uint64_t *out) {
    const uint64_t bytes = most > 255 ? 2 : 1;
    if (bytes > p->from.size - p->at) return false;
    *out = p->from.data[p->at++];
    if (bytes == 2) *out = *out << 8 | p->from.data[p->at++];
    return true;
}

/* Rows of bits, each from a byte of its own; 1 is black. */
static bool read_bits(pnm *p, const image *to) {
    const uint64_t row_bytes = (to->width + 7) / 8;
    if (row_bytes > (p->from.size - p->at) / to->height) return false;
    for (uint64_t i = 0; i < to->width * to->height; i++) {
        const uint64_t y = i / to->width, x = i % to->width;
        const uint8_t byte = p->from.data[p->at + y * row_bytes + x / 8];
        const uint8_t value = byte >> (7 - x % 8) & 1 ? 0 : 255;
        for (int k = 0; k < 3; k++)
            to->rgb[3 * i + (uint64_t)k] = value;
    }
    return true;
}

static bool read_samples(pnm *p, const image *to, char kind, uint64_t most) {
    const bool is_text = kind <= '3', bits = kind == '1';
    const uint64_t channels = kind == '3' || kind == '6' ? 3 : 1;
    for (uint64_t i = 0; i < to->width * to->height; i++) {
        uint64_t value = 0;
        for (uint64_t k = 0; k < 3; k++) {
            if (k < channels) {
                const bool read =
                    is_text ? read_number(p, bits, &value) : read_binary(p, most, &value);
                if (!read) return false;
                if (bits) value = !value;
            }
            to->rgb[3 * i + k] = image_to_byte(value, most);
        }
    }
    return true;
}

ondol_status image_decode_pnm(image_bytes from, image *to, ondol_error *err) {
    pnm p = {from, 2};
    const char kind = (char)from.data[1];
    const bool bits = kind == '1' || kind == '4';
    uint64_t width = 0, height = 0, most = 1;
    if (!read_number(&p, false, &width) || !read_number(&p, false, &height) ||
        (!bits && !read_number(&p, false, &most)) || !most || most > 65535) {
        return base_fail(err, ONDOL_E_FORMAT, "a PNM picture with a broken head");
    }
    ondol_status status = image_begin(to, width, height, err);
    if (status != ONDOL_OK) return status;
    if (kind > '3') { /* one blank ends the head */
        if (p.at >= from.size || !is_blank(from.data[p.at])) {
            return base_fail(err, ONDOL_E_FORMAT, "a PNM picture with a broken head");
        }
        p.at++;
    }
    const bool read = kind == '4' ? read_bits(&p, to) : read_samples(&p, to, kind, most);
    if (read) return ONDOL_OK;
    return base_fail(err, ONDOL_E_FORMAT, "a PNM picture that ends at byte %" PRIu64, from.size);
}
