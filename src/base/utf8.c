/* UTF-8 decoding and encoding. In: bytes. Out: code points, or 0 for what is no character. */
#include "base/utf8.h"

static size_t lead_length(unsigned char lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead <= 0xdf) return 2;
    if (lead >= 0xe0 && lead <= 0xef) return 3;
    if (lead >= 0xf0 && lead <= 0xf4) return 4;
    return 0;
}

size_t base_utf8_decode(const unsigned char *p, size_t n, uint32_t *code) {
    if (n == 0) return 0;
    size_t length = lead_length(p[0]);
    if (length == 0 || length > n) return 0;
    if (length == 1) {
        *code = p[0];
        return 1;
    }
    uint32_t value = p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        value = value << 6 | (p[i] & 0x3fu);
    }
    if (length == 3 && (value < 0x800 || (value >= 0xd800 && value <= 0xdfff))) return 0;
    if (length == 4 && (value < 0x10000 || value > 0x10ffff)) return 0;
    *code = value;
    return length;
}

size_t base_utf8_encode(uint32_t code, unsigned char out[4]) {
    if (code < 0x80) {
        out[0] = (unsigned char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (unsigned char)(0xc0 | code >> 6);
        out[1] = (unsigned char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (unsigned char)(0xe0 | code >> 12);
        out[1] = (unsigned char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (unsigned char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (unsigned char)(0xf0 | code >> 18);
    out[1] = (unsigned char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (unsigned char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (unsigned char)(0x80 | (code & 0x3f));
    return 4;
}

/* Whether a character may begin with these two: some would be overlong, a surrogate or past
 * U+10FFFF whatever comes next. */
static bool second_fits(unsigned char lead, unsigned char second) {
    if (lead == 0xe0) return second >= 0xa0;
    if (lead == 0xed) return second <= 0x9f;
    if (lead == 0xf0) return second >= 0x90;
    if (lead == 0xf4) return second <= 0x8f;
    return true;
}

size_t base_utf8_incomplete_tail(const unsigned char *p, size_t n) {
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned char c = p[n - back];
        if ((c & 0xc0) == 0x80) continue;
        if (lead_length(c) <= back) return 0;
        return back == 1 || second_fits(c, p[n - back + 1]) ? back : 0;
    }
    return 0;
}

bool base_utf8_valid(const unsigned char *p, size_t n) {
    size_t i = 0;
    while (i < n) {
        uint32_t code = 0;
        size_t used = base_utf8_decode(p + i, n - i, &code);
        if (used == 0) return false;
        i += used;
    }
    return true;
}
