/* PNG, by libpng's simplified interface, which returns from errors. In: encoded bytes. Out: pixels;
 * alpha is left out, colours are not blended with anything. */
#include <png.h>
#include <string.h>

#include "device/ref/image/image.h"

static ondol_status read_pixels(png_image *png, image *to, ondol_error *err) {
    const bool has_alpha = (png->format & PNG_FORMAT_FLAG_ALPHA) != 0;
    const uint64_t pixels = to->width * to->height;
    void *memory = NULL;
    png->flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    png->format = has_alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
    if (has_alpha) {
        ondol_status status = tensor_heap_alloc(to->heap, 4 * pixels, "a picture", &memory, err);
        if (status != ONDOL_OK) return status;
    }
    const bool read = png_image_finish_read(png, NULL, has_alpha ? memory : to->rgb, 0, NULL) != 0;
    for (uint64_t i = 0; read && has_alpha && i < pixels; i++)
        memcpy(to->rgb + 3 * i, (const uint8_t *)memory + 4 * i, 3);
    tensor_heap_free(to->heap, memory);
    return read ? ONDOL_OK : base_fail(err, ONDOL_E_FORMAT, "a PNG picture: %s", png->message);
}

ondol_status image_decode_png(image_bytes from, image *to, ondol_error *err) {
    png_image png = {.version = PNG_IMAGE_VERSION};
    ondol_status status = ONDOL_OK;
    if (!png_image_begin_read_from_memory(&png, from.data, (size_t)from.size)) {
        status = base_fail(err, ONDOL_E_FORMAT, "a PNG picture: %s", png.message);
        goto done;
    }
    TRY(image_begin(to, png.width, png.height, err));
    TRY(read_pixels(&png, to, err));
done:
    png_image_free(&png);
    return status;
}
