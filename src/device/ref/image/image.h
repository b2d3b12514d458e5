/* Pictures: encoded bytes become rows of red, green, blue. One decoder for each file format; the
 * libraries behind them take memory of their own, which IMAGE_MAX_PIXELS bounds. */
#ifndef DEVICE_REF_IMAGE_H
#define DEVICE_REF_IMAGE_H

#include "tensor/value.h"

#define IMAGE_MAX_PIXELS ((uint64_t)1 << 28)

/* Encoded bytes, which nobody vouches for. */
typedef struct image_bytes {
    const uint8_t *data;
    uint64_t size;
} image_bytes;

typedef struct image {
    tensor_heap *heap;
    tensor_value *pixels; /* u8 [height, width, 3]; NULL until the decoder knows the size */
    uint64_t width, height;
    uint8_t *rgb; /* of pixels */
} image;

/* Makes pixels, uninitialised. Errors: FORMAT (a size of 0), LIMIT (over IMAGE_MAX_PIXELS), MEMORY.
 */
ondol_status image_begin(image *i, uint64_t width, uint64_t height, ondol_error *err);

/* Decodes into a zeroed image with a heap. Errors: FORMAT for bytes that are no such picture or
 * broken, LIMIT, MEMORY. The caller releases pixels in any case. */
typedef ondol_status (*image_decoder)(image_bytes from, image *to, ondol_error *err);
ondol_status image_decode_bmp(image_bytes from, image *to, ondol_error *err);
ondol_status image_decode_jpeg(image_bytes from, image *to, ondol_error *err);
ondol_status image_decode_jpeg2000(image_bytes from, image *to, ondol_error *err);
ondol_status image_decode_png(image_bytes from, image *to, ondol_error *err);
ondol_status image_decode_pnm(image_bytes from, image *to, ondol_error *err);
ondol_status image_decode_tiff(image_bytes from, image *to, ondol_error *err);
ondol_status image_decode_webp(image_bytes from, image *to, ondol_error *err);

/* Any of them, by its first bytes. Errors: as above. */
ondol_status image_decode(image_bytes from, image *to, ondol_error *err);

/* v of [0, most] as a part of 255, rounded. */
static inline uint8_t image_to_byte(uint64_t v, uint64_t most) {
    return (uint8_t)(v >= most ? 255 : (v * 255 + most / 2) / most);
}

#endif
