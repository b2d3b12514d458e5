/* JPEG, by libjpeg-turbo. In: encoded bytes. Out: pixels; four colours of print become three. */
#include <limits.h>
#include <turbojpeg.h>

#include "device/ref/image/image.h"

/* CMYK lies in files as its complement, as Adobe writes it: what is left of the light. */
static void mix_inks(const uint8_t *inks, image *to) {
    for (uint64_t i = 0; i < to->width * to->height; i++) {
        for (uint64_t k = 0; k < 3; k++)
            to->rgb[3 * i + k] = (uint8_t)((inks[4 * i + k] * inks[4 * i + 3] + 127) / 255);
    }
}

static ondol_status read_pixels(tjhandle jpeg, image_bytes from, bool inks, image *to,
                                ondol_error *err) {
    void *memory = NULL;
    if (inks) {
        ondol_status status =
            tensor_heap_alloc(to->heap, 4 * to->width * to->height, "a picture", &memory, err);
        if (status != ONDOL_OK) return status;
    }
    const int failed = tjDecompress2(
        jpeg, from.data, (unsigned long)from.size, inks ? memory : to->rgb, (int)to->width, 0,
        (int)to->height, inks ? TJPF_CMYK : TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
    /* A warning: the picture is there, if not as whole as it was. */
    const bool read = !failed || tjGetErrorCode(jpeg) == TJERR_WARNING;
    if (read && inks) mix_inks(memory, to);
    tensor_heap_free(to->heap, memory);
    if (read) return ONDOL_OK;
    return base_fail(err, ONDOL_E_FORMAT, "a JPEG picture: %s", tjGetErrorStr2(jpeg));
}

ondol_status image_decode_jpeg(image_bytes from, image *to, ondol_error *err) {
    int width = 0, height = 0, sampling = 0, colors = 0;
    ondol_status status = ONDOL_OK;
    tjhandle jpeg = tjInitDecompress();
    if (!jpeg) return base_no_memory(err, "a picture", 0);
    if (from.size > ULONG_MAX || tjDecompressHeader3(jpeg, from.data, (unsigned long)from.size,
                                                     &width, &height, &sampling, &colors)) {
        status = base_fail(err, ONDOL_E_FORMAT, "a JPEG picture: %s", tjGetErrorStr2(jpeg));
        goto done;
    }
    TRY(image_begin(to, width > 0 ? (uint64_t)width : 0, height > 0 ? (uint64_t)height : 0, err));
    TRY(read_pixels(jpeg, from, colors == TJCS_CMYK || colors == TJCS_YCCK, to, err));
done:
    tjDestroy(jpeg);
    return status;
}
