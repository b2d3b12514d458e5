/* ImageDecoder. In: the bytes of a picture. Out: u8 [height, width, 3 or 1]; [0, 0, 3 or 1] of what
 * cannot be decoded, as the specification says. */
#include <inttypes.h>
#include <string.h>

#include "device/ref/image/image.h"
#include "device/ref/ops/ref_kernels.h"

static void swap_colors(const image *from) {
    for (uint64_t i = 0; i < from->width * from->height; i++) {
        uint8_t *rgb = from->rgb + 3 * i;
        const uint8_t red = rgb[0];
        rgb[0] = rgb[2];
        rgb[2] = red;
    }
}

/* Luma of ITU-R BT.601 in 16 bits, rounded, as Pillow's. */
static ondol_status give_gray(plan_call *c, const image *from, ondol_error *err) {
    const int64_t dims[3] = {(int64_t)from->height, (int64_t)from->width, 1};
    tensor_value *y = NULL;
    ondol_status status = plan_call_output(c, 0, TENSOR_ELEMENT_U8, 3, dims, &y, err);
    for (uint64_t i = 0; status == ONDOL_OK && i < y->elems; i++) {
        const uint8_t *rgb = from->rgb + 3 * i;
        const uint32_t luma = 19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2];
        ((uint8_t *)y->data)[i] = (uint8_t)((luma + 0x8000) >> 16);
    }
    return status;
}

ondol_status ref_image_decoder(plan_call *c, ondol_error *err) {
    const char *format = graph_get_string(c->g, c->node, "pixel_format");
    const bool gray = strcmp(format, "Grayscale") == 0, swapped = strcmp(format, "BGR") == 0;
    tensor_value *x = NULL;
    image decoded = {.heap = c->heap};
    ondol_error why = {0};
    ondol_status status = ONDOL_OK;
    if (!gray && !swapped && strcmp(format, "RGB") != 0) {
        return plan_call_fail(c, err, "pixel_format '%s', expected RGB, BGR or Grayscale", format);
    }
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_U8, &x, err));
    if (x->rank != 1) {
        return plan_call_fail(c, err, "bytes of rank %" PRIu32 ", expected 1", x->rank);
    }
    status = image_decode((image_bytes){x->data, x->elems}, &decoded, &why);
    if (status == ONDOL_E_FORMAT) {
        const int64_t dims[3] = {0, 0, gray ? 1 : 3};
        status = plan_call_output(c, 0, TENSOR_ELEMENT_U8, 3, dims, NULL, err);
    } else if (status != ONDOL_OK) {
        if (err) *err = why;
        base_prefix(err, status, "node '%s' (ImageDecoder)", c->g->nodes[c->node].name);
    } else if (gray) {
        status = give_gray(c, &decoded, err);
    } else {
        if (swapped) swap_colors(&decoded);
        plan_call_give(c, 0, decoded.pixels);
    }
done:
    tensor_value_release(decoded.pixels);
    return status;
}
