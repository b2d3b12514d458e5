/* TIFF, by libtiff. In: encoded bytes. Out: pixels of the first picture of the file. */
#include <string.h>
#include <tiffio.h>

#include "device/ref/image/image.h"

/* What libtiff may take at once, for a strip or tile. */
#define PIECE_MAX_BYTES ((tmsize_t)1 << 30)

typedef struct tiff_file {
    image_bytes from;
    uint64_t at;
} tiff_file;

static tmsize_t read_bytes(thandle_t handle, void *out, tmsize_t count) {
    tiff_file *f = handle;
    const uint64_t left = f->at < f->from.size ? f->from.size - f->at : 0;
    const uint64_t n = count < 0 ? 0 : (uint64_t)count < left ? (uint64_t)count : left;
    if (n) memcpy(out, f->from.data + f->at, (size_t)n);
    f->at += n;
    return (tmsize_t)n;
}

static tmsize_t write_none(thandle_t handle, void *data, tmsize_t count) {
    (void)handle, (void)data, (void)count;
    return 0;
}

static toff_t seek_to(thandle_t handle, toff_t offset, int whence) {
    tiff_file *f = handle;
    const uint64_t base = whence == SEEK_CUR ? f->at : whence == SEEK_END ? f->from.size : 0;
    f->at = base + offset;
    return f->at;
}

static int close_none(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle) {
    const tiff_file *f = handle;
    return f->from.size;
}

/* Nothing is printed. */
static int be_silent(TIFF *tiff, void *user, const char *module, const char *format, va_list list) {
    (void)tiff, (void)user, (void)module, (void)format, (void)list;
    return 1;
}

static ondol_status read_pixels(TIFF *tiff, image *to, ondol_error *err) {
    uint32_t width = 0, height = 0;
    void *memory = NULL;
    if (!TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width) ||
        !TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height)) {
        return base_fail(err, ONDOL_E_FORMAT, "a TIFF picture without a size");
    }
    ondol_status status = image_begin(to, width, height, err);
    if (status != ONDOL_OK) return status;
    const uint64_t pixels = to->width * to->height;
    status = tensor_heap_alloc(to->heap, pixels * sizeof(uint32_t), "a picture", &memory, err);
    if (status != ONDOL_OK) return status;
    uint32_t *raster = memory;
    const bool read =
        TIFFReadRGBAImageOriented(tiff, width, height, raster, ORIENTATION_TOPLEFT, 1) != 0;
    for (uint64_t i = 0; read && i < pixels; i++) {
        to->rgb[3 * i] = (uint8_t)TIFFGetR(raster[i]);
        to->rgb[3 * i + 1] = (uint8_t)TIFFGetG(raster[i]);
        to->rgb[3 * i + 2] = (uint8_t)TIFFGetB(raster[i]);
    }
    tensor_heap_free(to->heap, memory);
    return read ? ONDOL_OK : base_fail(err, ONDOL_E_FORMAT, "a TIFF picture that is broken");
}

ondol_status image_decode_tiff(image_bytes from, image *to, ondol_error *err) {
    tiff_file file = {from, 0};
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return base_no_memory(err, "a picture", 0);
    TIFFOpenOptionsSetErrorHandlerExtR(options, be_silent, NULL);
    TIFFOpenOptionsSetWarningHandlerExtR(options, be_silent, NULL);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, PIECE_MAX_BYTES);
    TIFF *tiff = TIFFClientOpenExt("picture", "rm", &file, read_bytes, write_none, seek_to,
                                   close_none, size_of, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    if (!tiff) return base_fail(err, ONDOL_E_FORMAT, "a TIFF picture with a broken head");
    ondol_status status = read_pixels(tiff, to, err);
    TIFFClose(tiff);
    return status;
}
