/* WebP, by libwebp. In: encoded bytes. Out: pixels, without alpha. Of moving pictures libwebp reads
 * none. */
#include <webp/decode.h>

#include "device/ref/image/image.h"

ondol_status image_decode_webp(image_bytes from, image *to, ondol_error *err) {
    int width = 0, height = 0;
    if (!WebPGetInfo(from.data, (size_t)from.size, &width, &height)) {
        return base_fail(err, ONDOL_E_FORMAT, "a WebP picture with a broken head");
    }
    ondol_status status = image_begin(to, (uint64_t)width, (uint64_t)height, err);
    if (status != ONDOL_OK) return status;
    const uint8_t *read = WebPDecodeRGBInto(from.data, (size_t)from.size, to->rgb,
                                            (size_t)tensor_value_bytes(to->pixels), 3 * width);
    return read ? ONDOL_OK : base_fail(err, ONDOL_E_FORMAT, "a WebP picture that is broken");
}
