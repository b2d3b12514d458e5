/* JPEG 2000, by OpenJPEG. In: encoded bytes, a JP2 file or a bare code stream. Out: pixels. */
#include <openjpeg.h>
#include <string.h>

#include "device/ref/image/image.h"

typedef struct jpeg2000_file {
    image_bytes from;
    uint64_t at;
} jpeg2000_file;

static OPJ_SIZE_T read_bytes(void *out, OPJ_SIZE_T count, void *user) {
    jpeg2000_file *f = user;
    const uint64_t left = f->from.size - f->at;
    const uint64_t n = count < left ? count : left;
    if (!n) return (OPJ_SIZE_T)-1; /* the end */
    memcpy(out, f->from.data + f->at, (size_t)n);
    f->at += n;
    return (OPJ_SIZE_T)n;
}

static OPJ_OFF_T skip_bytes(OPJ_OFF_T count, void *user) {
    jpeg2000_file *f = user;
    if (count < 0 || (uint64_t)count > f->from.size - f->at) return -1;
    f->at += (uint64_t)count;
    return count;
}

static OPJ_BOOL seek_to(OPJ_OFF_T offset, void *user) {
    jpeg2000_file *f = user;
    if (offset < 0 || (uint64_t)offset > f->from.size) return OPJ_FALSE;
    f->at = (uint64_t)offset;
    return OPJ_TRUE;
}

/* Component k at a pixel of the first one's raster, in [0, most]. */
static int64_t component(const opj_image_t *j, uint32_t k, uint64_t x, uint64_t y) {
    const opj_image_comp_t *c = j->comps + k;
    const uint64_t cx = x * c->w / j->comps[0].w, cy = y * c->h / j->comps[0].h;
    const int64_t v = c->data[cy * c->w + cx];
    return c->sgnd ? v + ((int64_t)1 << (c->prec - 1)) : v;
}

static uint8_t clip(double v) {
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
}

static void put_pixel(const opj_image_t *j, image *to, uint64_t x, uint64_t y) {
    uint8_t *rgb = to->rgb + 3 * (y * to->width + x), c[3];
    for (uint32_t k = 0; k < 3; k++) {
        const uint32_t from = j->numcomps < 3 ? 0 : k;
        const int64_t v = component(j, from, x, y);
        c[k] = image_to_byte(v < 0 ? 0 : (uint64_t)v, ((uint64_t)1 << j->comps[from].prec) - 1);
    }
    if (j->color_space != OPJ_CLRSPC_SYCC || j->numcomps < 3) {
        memcpy(rgb, c, sizeof c);
        return;
    }
    const double blue = c[1] - 128.0, red = c[2] - 128.0; /* ITU-R BT.601 */
    rgb[0] = clip(c[0] + 1.402 * red);
    rgb[1] = clip(c[0] - 0.344136 * blue - 0.714136 * red);
    rgb[2] = clip(c[0] + 1.772 * blue);
}

static ondol_status check_components(const opj_image_t *j, bool decoded, ondol_error *err) {
    bool fits = j->numcomps >= 1 && j->numcomps <= 16;
    for (uint32_t k = 0; fits && k < j->numcomps; k++) {
        const opj_image_comp_t *c = j->comps + k;
        fits = c->w > 0 && c->h > 0 && c->prec >= 1 && c->prec <= 31 &&
               (uint64_t)c->w * c->h <= IMAGE_MAX_PIXELS && (!decoded || c->data);
    }
    return fits ? ONDOL_OK : base_fail(err, ONDOL_E_FORMAT, "a JPEG 2000 picture of unknown form");
}

static ondol_status read_pixels(opj_codec_t *codec, opj_stream_t *stream, image *to,
                                ondol_error *err) {
    opj_image_t *j = NULL;
    ondol_status status = ONDOL_OK;
    if (!opj_read_header(stream, codec, &j) || !j) {
        status = base_fail(err, ONDOL_E_FORMAT, "a JPEG 2000 picture with a broken head");
        goto done;
    }
    TRY(check_components(j, false, err));
    TRY(image_begin(to, j->comps[0].w, j->comps[0].h, err));
    if (!opj_decode(codec, stream, j) || !opj_end_decompress(codec, stream)) {
        status = base_fail(err, ONDOL_E_FORMAT, "a JPEG 2000 picture that is broken");
        goto done;
    }
    TRY(check_components(j, true, err));
    if (j->comps[0].w != to->width || j->comps[0].h != to->height) {
        status = base_fail(err, ONDOL_E_FORMAT, "a JPEG 2000 picture of two sizes");
        goto done;
    }
    for (uint64_t i = 0; i < to->width * to->height; i++)
        put_pixel(j, to, i % to->width, i / to->width);
done:
    opj_image_destroy(j);
    return status;
}

ondol_status image_decode_jpeg2000(image_bytes from, image *to, ondol_error *err) {
    jpeg2000_file file = {from, 0};
    opj_dparameters_t parameters;
    ondol_status status = ONDOL_E_MEMORY;
    opj_codec_t *codec =
        opj_create_decompress(from.data[0] == 0xff ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
    opj_stream_t *stream = opj_stream_default_create(OPJ_TRUE);
    opj_set_default_decoder_parameters(&parameters);
    if (!codec || !stream || !opj_setup_decoder(codec, &parameters)) {
        status = base_no_memory(err, "a picture", 0);
        goto done;
    }
    opj_stream_set_read_function(stream, read_bytes);
    opj_stream_set_skip_function(stream, skip_bytes);
    opj_stream_set_seek_function(stream, seek_to);
    opj_stream_set_user_data(stream, &file, NULL);
    opj_stream_set_user_data_length(stream, from.size);
    status = read_pixels(codec, stream, to, err);
done:
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    return status;
}
