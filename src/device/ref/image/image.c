/* Pictures. In: encoded bytes. Out: the decoder that their first bytes ask for, and its pixels. */
#include "device/ref/image/image.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"

ondol_status image_begin(image *i, uint64_t width, uint64_t height, ondol_error *err) {
    uint64_t pixels = 0;
    if (!width || !height) return base_fail(err, ONDOL_E_FORMAT, "a picture without pixels");
    if (!base_mul(width, height, &pixels) || pixels > IMAGE_MAX_PIXELS) {
        return base_fail(err, ONDOL_E_LIMIT,
                         "a picture of %" PRIu64 " by %" PRIu64
                         " pixels, expected at most %" PRIu64,
                         width, height, IMAGE_MAX_PIXELS);
    }
    const int64_t dims[3] = {(int64_t)height, (int64_t)width, 3};
    ondol_status status = tensor_value_create(i->heap, TENSOR_ELEMENT_U8, 3, dims, &i->pixels, err);
    if (status != ONDOL_OK) return status;
    i->width = width;
    i->height = height;
    i->rgb = i->pixels->data;
    return ONDOL_OK;
}

static bool begins(image_bytes from, uint64_t at, const char *with, size_t n) {
    return base_range_ok(at, n, from.size) && memcmp(from.data + at, with, n) == 0;
}

static bool is_pnm(image_bytes from) {
    if (from.size < 3 || from.data[0] != 'P') return false;
    return from.data[1] >= '1' && from.data[1] <= '6' && strchr(" \t\r\n#", from.data[2]) &&
           from.data[2];
}

ondol_status image_decode(image_bytes from, image *to, ondol_error *err) {
    if (begins(from, 0, "\xff\xd8\xff", 3)) return image_decode_jpeg(from, to, err);
    if (begins(from, 0, "\x89PNG\r\n\x1a\n", 8)) return image_decode_png(from, to, err);
    if (begins(from, 0, "RIFF", 4) && begins(from, 8, "WEBP", 4)) {
        return image_decode_webp(from, to, err);
    }
    if (begins(from, 0, "II*\0", 4) || begins(from, 0, "MM\0*", 4) || begins(from, 0, "II+\0", 4) ||
        begins(from, 0, "MM\0+", 4)) {
        return image_decode_tiff(from, to, err);
    }
    if (begins(from, 0, "\0\0\0\x0cjP  \r\n\x87\n", 12) || begins(from, 0, "\xff\x4f\xff\x51", 4)) {
        return image_decode_jpeg2000(from, to, err);
    }
    if (begins(from, 0, "BM", 2)) return image_decode_bmp(from, to, err);
    if (is_pnm(from)) return image_decode_pnm(from, to, err);
    return base_fail(err, ONDOL_E_FORMAT, "bytes that are no picture of a known format");
}
