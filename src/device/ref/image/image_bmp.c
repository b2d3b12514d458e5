/* BMP: OS/2 and Windows heads, 1 to 32 bits, bit fields, run lengths. In: encoded bytes. Out:
 * pixels. Source: Microsoft, "Bitmap Storage" and [MS-WMF] 2.2.2. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/reader.h"
#include "device/ref/image/image.h"

enum { BMP_RGB = 0, BMP_RLE8 = 1, BMP_RLE4 = 2, BMP_BIT_FIELDS = 3, BMP_ALPHA_FIELDS = 6 };

#define FILE_HEAD_BYTES 14

typedef struct bmp {
    base_reader r;
    uint64_t data_at;
    uint32_t head_bytes, bits, compression;
    bool top_down;
    uint64_t width, height;
    uint32_t masks[3];
    uint8_t palette[256][3]; /* red, green, blue */
    uint32_t colors;
} bmp;

static ondol_status broken(const char *what, ondol_error *err) {
    return base_fail(err, ONDOL_E_FORMAT, "a BMP picture: %s", what);
}

static ondol_status read_head(bmp *b, image_bytes from, ondol_error *err) {
    base_reader *r = &b->r;
    int64_t width = 0, height = 0;
    uint32_t used = 0;
    base_reader_init(r, from.data, from.size);
    base_read_view(r, 10);
    b->data_at = base_read_u32(r);
    b->head_bytes = base_read_u32(r);
    if (b->head_bytes == 12) {
        width = base_read_u16(r);
        height = base_read_u16(r);
    } else {
        width = (int32_t)base_read_u32(r);
        height = (int32_t)base_read_u32(r);
    }
    base_read_u16(r);
    b->bits = base_read_u16(r);
    if (b->head_bytes >= 40) {
        b->compression = base_read_u32(r);
        base_read_view(r, 12);
        used = base_read_u32(r);
        base_read_u32(r);
    } else if (b->head_bytes != 12) {
        return broken("a head of unknown size", err);
    }
    b->top_down = height < 0;
    if (r->failed || width <= 0 || height == 0) return broken("a broken head", err);
    b->width = (uint64_t)width;
    b->height = (uint64_t)(height < 0 ? -height : height);
    if (b->bits <= 8) b->colors = used && used <= 1u << b->bits ? used : 1u << b->bits;
    return ONDOL_OK;
}

/* Masks stand within the newer heads, and behind the one of 40 bytes. */
static ondol_status read_masks(bmp *b, ondol_error *err) {
    const bool five = b->bits == 16;
    b->masks[0] = five ? 0x7c00 : 0xff0000;
    b->masks[1] = five ? 0x03e0 : 0x00ff00;
    b->masks[2] = five ? 0x001f : 0x0000ff;
    if (b->compression != BMP_BIT_FIELDS && b->compression != BMP_ALPHA_FIELDS) return ONDOL_OK;
    if (b->bits != 16 && b->bits != 32) return broken("bit fields of no 16 or 32 bits", err);
    for (int i = 0; i < 3; i++)
        b->masks[i] = base_read_u32(&b->r);
    return b->r.failed ? broken("broken bit fields", err) : ONDOL_OK;
}

static void read_palette(bmp *b) {
    const uint64_t entry = b->head_bytes == 12 ? 3 : 4;
    if (b->head_bytes > b->r.size - FILE_HEAD_BYTES) return;
    b->r.offset = FILE_HEAD_BYTES + (uint64_t)b->head_bytes;
    for (uint32_t i = 0; i < b->colors; i++) {
        const unsigned char *p = base_read_view(&b->r, entry);
        if (!p) return; /* the rest is black */
        for (int k = 0; k < 3; k++)
            b->palette[i][k] = p[2 - k];
    }
}

static void put(const bmp *b, const image *to, uint64_t x, uint64_t y, const uint8_t rgb[3]) {
    const uint64_t row = b->top_down ? y : b->height - 1 - y;
    memcpy(to->rgb + 3 * (row * b->width + x), rgb, 3);
}

/* The bits of a mask as a byte. */
static uint8_t field(uint32_t pixel, uint32_t mask) {
    if (!mask) return 0;
    unsigned shift = 0;
    while (!(mask >> shift & 1))
        shift++;
    return image_to_byte((pixel & mask) >> shift, mask >> shift);
}

static void decode_pixel(const bmp *b, const uint8_t *row, uint64_t x, uint8_t out[3]) {
    if (b->bits <= 8) {
        const uint64_t bit = x * b->bits;
        const unsigned shift = (unsigned)(8 - b->bits - bit % 8);
        const uint32_t index = (uint32_t)(row[bit / 8] >> shift) & ((1u << b->bits) - 1);
        memcpy(out, b->palette[index], 3);
        return;
    }
    const uint8_t *p = row + x * (b->bits / 8);
    if (b->bits == 24) {
        for (int k = 0; k < 3; k++)
            out[k] = p[2 - k];
        return;
    }
    uint32_t pixel = p[0] | (uint32_t)p[1] << 8;
    if (b->bits == 32) pixel |= (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    for (int k = 0; k < 3; k++)
        out[k] = field(pixel, b->masks[k]);
}

static ondol_status decode_rows(bmp *b, const image *to, ondol_error *err) {
    const uint64_t row_bytes = (b->width * b->bits + 31) / 32 * 4;
    const uint64_t room = b->r.size - b->data_at;
    if (row_bytes > room / b->height) return broken("rows past its end", err);
    const uint8_t *row = b->r.data + b->data_at;
    for (uint64_t y = 0; y < b->height; y++, row += row_bytes) {
        for (uint64_t x = 0; x < b->width; x++) {
            uint8_t rgb[3] = {0};
            decode_pixel(b, row, x, rgb);
            put(b, to, x, y, rgb);
        }
    }
    return ONDOL_OK;
}

/* Code i of bytes that hold one (RLE8) or two (RLE4) of them. */
static uint8_t code_at(const bmp *b, const unsigned char *bytes, uint64_t i) {
    if (b->compression == BMP_RLE8) return bytes[i];
    return i % 2 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4;
}

static ondol_status decode_runs(bmp *b, const image *to, ondol_error *err) {
    const uint64_t per_byte = b->compression == BMP_RLE4 ? 2 : 1;
    uint64_t x = 0, y = 0;
    memset(to->rgb, 0, (size_t)(3 * b->width * b->height));
    b->r.offset = b->data_at;
    while (y < b->height) {
        const unsigned char *pair = base_read_view(&b->r, 2);
        if (!pair) return broken("runs past its end", err);
        uint64_t count = pair[0];
        const unsigned char *codes = pair + 1;
        const bool is_run = count > 0;
        if (!is_run && pair[1] == 1) return ONDOL_OK;
        if (!is_run && pair[1] == 0) {
            x = 0;
            y++;
            continue;
        }
        if (!is_run && pair[1] == 2) {
            const unsigned char *move = base_read_view(&b->r, 2);
            if (!move) return broken("runs past its end", err);
            x += move[0];
            y += move[1];
            continue;
        }
        if (!is_run) { /* as many codes as they are, up to an even byte */
            count = pair[1];
            codes = base_read_view(&b->r, ((count + per_byte - 1) / per_byte + 1) / 2 * 2);
            if (!codes) return broken("runs past its end", err);
        }
        for (uint64_t i = 0; i < count; i++, x++) {
            const uint8_t code = code_at(b, codes, is_run ? i % per_byte : i);
            if (x < b->width) put(b, to, x, y, b->palette[code]);
        }
    }
    return ONDOL_OK;
}

ondol_status image_decode_bmp(image_bytes from, image *to, ondol_error *err) {
    bmp b = {.bits = 0};
    ondol_status status = ONDOL_OK;
    TRY(read_head(&b, from, err));
    const bool runs =
        (b.compression == BMP_RLE8 && b.bits == 8) || (b.compression == BMP_RLE4 && b.bits == 4);
    const bool fields = b.compression == BMP_BIT_FIELDS || b.compression == BMP_ALPHA_FIELDS;
    const bool known = b.bits == 1 || b.bits == 2 || b.bits == 4 || b.bits == 8 || b.bits == 16 ||
                       b.bits == 24 || b.bits == 32;
    if (!known || (b.compression != BMP_RGB && !runs && !fields) || b.data_at > from.size) {
        return broken("an unknown form of it", err);
    }
    TRY(read_masks(&b, err));
    if (b.bits <= 8) read_palette(&b);
    TRY(image_begin(to, b.width, b.height, err));
    TRY(runs ? decode_runs(&b, to, err) : decode_rows(&b, to, err));
done:
    return status;
}
