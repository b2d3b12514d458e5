/* Pictures as inputs. In: NAME=FILE:resize=…,mean=…. Out: a tensor of numbers, bound. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/image_models.h"
#include "common/tensor_input.h"
#include "common/whole_file.h"

typedef enum image_color { COLOR_RGB, COLOR_BGR, COLOR_GRAY } image_color;

typedef struct image_options {
    int64_t resize[2]; /* width, height; height 0: width is the shorter side; 0 0: as it is */
    int64_t crop[2];   /* width, height from the middle; 0 0: all */
    float mean[3], std[3], scale;
    bool has_scale, nhwc;
    image_color color;
} image_options;

/* Pixels [height][width][3], red first, 0 to 255. */
typedef struct image {
    int64_t width, height;
    float *pixels;
} image;

static bool read_size(const char *text, int64_t out[2]) {
    char *end = NULL;
    out[0] = strtoll(text, &end, 10);
    out[1] = 0;
    if (end == text || out[0] < 1) return false;
    if (*end == 'x') {
        text = end + 1;
        out[1] = strtoll(text, &end, 10);
        if (end == text || out[1] < 1) return false;
    }
    return *end == 0 && out[0] < 1 << 20 && out[1] < 1 << 20;
}

/* "0.5" for all three, or "0.48/0.45/0.41". */
static bool read_three(const char *text, float out[3]) {
    char *end = NULL;
    for (int i = 0; i < 3; i++) {
        out[i] = strtof(text, &end);
        if (end == text) return false;
        if (*end == 0) {
            for (int k = i + 1; k < 3; k++)
                out[k] = out[i];
            return i == 0 || i == 2;
        }
        if (*end != '/') return false;
        text = end + 1;
    }
    return false;
}

static bool read_option(const char *key, const char *value, image_options *out) {
    if (strcmp(key, "resize") == 0) return read_size(value, out->resize);
    if (strcmp(key, "crop") == 0) {
        if (!read_size(value, out->crop)) return false;
        if (!out->crop[1]) out->crop[1] = out->crop[0];
        return true;
    }
    if (strcmp(key, "mean") == 0) return read_three(value, out->mean);
    if (strcmp(key, "std") == 0) {
        return read_three(value, out->std) && out->std[0] != 0 && out->std[1] != 0 &&
               out->std[2] != 0;
    }
    if (strcmp(key, "scale") == 0) {
        char *end = NULL;
        out->scale = strtof(value, &end);
        out->has_scale = true;
        return end != value && *end == 0;
    }
    if (strcmp(key, "layout") == 0) {
        out->nhwc = strcmp(value, "nhwc") == 0;
        return out->nhwc || strcmp(value, "nchw") == 0;
    }
    if (strcmp(key, "color") != 0) return false;
    static const char *const colors[] = {"rgb", "bgr", "gray"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(value, colors[i]) != 0) continue;
        out->color = (image_color)i;
        return true;
    }
    return false;
}

/* Splits FILE:key=value,key=value in place. A colon without a '=' behind it belongs to FILE. */
static int read_options(char *text, image_options *out) {
    *out = (image_options){.std = {1, 1, 1}};
    char *colon = strrchr(text, ':');
    if (!colon || !strchr(colon, '=')) return EXIT_DONE;
    *colon = 0;
    for (char *at = colon + 1; *at;) {
        char *comma = strchr(at, ','), *equals = strchr(at, '=');
        if (comma) *comma = 0;
        if (equals && (!comma || equals < comma)) *equals = 0;
        if (!equals || !read_option(at, equals + 1, out)) {
            return report_failure(
                "image option '%s%s%s': expected resize=N or WxH, crop=N or WxH, mean=R/G/B, "
                "std=R/G/B, scale=X, layout=nchw|nhwc or color=rgb|bgr|gray",
                at, equals ? "=" : "", equals ? equals + 1 : "");
        }
        at = comma ? comma + 1 : at + strlen(at) + (equals ? strlen(equals + 1) + 1 : 0);
        if (!comma) break;
    }
    return EXIT_DONE;
}

typedef struct model_bytes {
    const unsigned char *bytes;
    size_t size;
} model_bytes;

static int read_model(void *user, uint64_t offset, void *to, size_t size) {
    const model_bytes *m = user;
    memcpy(to, m->bytes + offset, size);
    return 0;
}

static ondol_status open_model(ondol_engine *engine, const unsigned char *bytes, size_t size,
                               ondol_network **out, ondol_error *err) {
    model_bytes m = {bytes, size};
    const ondol_source source = {size, read_model, &m, "image"};
    return ondol_network_open_source(engine, &source, NULL, out, err);
}

/* Runs a network on value (released here) and, when it has a second input, sizes. */
static ondol_status run_model(ondol_network *network, ondol_value *value, const int64_t *sizes,
                              ondol_value_info *out, ondol_error *err) {
    const int64_t two = 2;
    ondol_value *second = NULL;
    ondol_status status = ondol_network_bind(network, 0, value, err);
    ondol_value_release(value);
    if (!status && sizes) {
        status = ondol_value_create(network, ONDOL_ELEMENT_INT64, 1, &two, sizes, &second, err);
        if (!status) status = ondol_network_bind(network, 1, second, err);
        ondol_value_release(second);
    }
    if (!status) status = ondol_network_run(network, err);
    out->struct_size = sizeof *out;
    if (!status) status = ondol_value_get_info(ondol_network_result(network, 0), out, err);
    return status;
}

static void target_size(const image_options *o, int64_t width, int64_t height, int64_t sizes[2]) {
    sizes[0] = o->resize[1] ? o->resize[1] : height;
    sizes[1] = o->resize[1] ? o->resize[0] : width;
    if (!o->resize[0] || o->resize[1]) return;
    const int64_t shorter = width < height ? width : height;
    sizes[0] = (height * o->resize[0] + shorter / 2) / shorter;
    sizes[1] = (width * o->resize[0] + shorter / 2) / shorter;
}

static ondol_status decode(ondol_engine *engine, const text_buffer *file, const image_options *o,
                           image *out, ondol_error *err) {
    ondol_network *decoder = NULL, *resizer = NULL;
    ondol_value *value = NULL;
    ondol_value_info info;
    int64_t count = (int64_t)file->size, sizes[2];
    ondol_status status =
        open_model(engine, image_decode_model, sizeof image_decode_model, &decoder, err);
    if (!status) {
        status =
            ondol_value_create(decoder, ONDOL_ELEMENT_UINT8, 1, &count, file->bytes, &value, err);
    }
    if (!status) status = run_model(decoder, value, NULL, &info, err);
    if (!status && info.elements == 0) {
        *err = (ondol_error){.status = ONDOL_E_FORMAT, .text = "no picture that can be read"};
        status = ONDOL_E_FORMAT;
    }
    if (!status) {
        status = open_model(engine, image_resize_model, sizeof image_resize_model, &resizer, err);
    }
    if (!status) {
        target_size(o, info.dims[1], info.dims[0], sizes);
        status =
            ondol_value_create(resizer, ONDOL_ELEMENT_UINT8, 3, info.dims, info.data, &value, err);
    }
    if (!status) status = run_model(resizer, value, sizes, &info, err);
    if (!status) {
        *out = (image){info.dims[1], info.dims[0], memory_take((size_t)info.size_bytes)};
        memcpy(out->pixels, info.data, (size_t)info.size_bytes);
    }
    ondol_network_close(decoder);
    ondol_network_close(resizer);
    return status;
}

/* A channel of the input at a pixel: colours in order, gray as ITU-R BT.601 has it. */
static float channel_of(const image_options *o, const float *pixel, int channel) {
    if (o->color == COLOR_GRAY) return 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
    return pixel[o->color == COLOR_BGR ? 2 - channel : channel];
}

/* Crops, scales and lays out. Floats are taken to 0..1 unless a scale is given; bytes stay. */
static void lay_out(const image *im, const image_options *o, ondol_element element, int64_t width,
                    int64_t height, int channels, char *to) {
    const int64_t left = (im->width - width) / 2, top = (im->height - height) / 2;
    const bool bytes = element == ONDOL_ELEMENT_UINT8;
    const float scale = o->has_scale ? o->scale : bytes ? 1.0f : 1.0f / 255.0f;
    for (int64_t y = 0; y < height; y++) {
        for (int64_t x = 0; x < width; x++) {
            const float *pixel = im->pixels + 3 * ((top + y) * im->width + left + x);
            for (int c = 0; c < channels; c++) {
                const float v = (channel_of(o, pixel, c) * scale - o->mean[c]) / o->std[c];
                const int64_t at =
                    o->nhwc ? (y * width + x) * channels + c : (c * height + y) * width + x;
                const float clipped = v < 0 ? 0 : v > 255 ? 255 : v;
                if (bytes)
                    to[at] = (char)(unsigned char)(clipped + 0.5f);
                else
                    memcpy(to + 4 * at, &v, sizeof v);
            }
        }
    }
}

static int bind_image(ondol_network *network, size_t input, const ondol_port *port, const image *im,
                      const image_options *o) {
    const bool bytes = port->element == ONDOL_ELEMENT_UINT8;
    if (!bytes && port->element != ONDOL_ELEMENT_FLOAT32) {
        return report_failure("input '%s' is %s: --image fills inputs of float or uint8",
                              port->name, port->type);
    }
    const int64_t width = o->crop[0] ? o->crop[0] : im->width;
    const int64_t height = o->crop[1] ? o->crop[1] : im->height;
    const int channels = o->color == COLOR_GRAY ? 1 : 3;
    if (width > im->width || height > im->height) {
        return report_failure("the image is %lldx%lld, a crop to %lldx%lld does not fit",
                              (long long)im->width, (long long)im->height, (long long)width,
                              (long long)height);
    }
    const size_t size = (size_t)(width * height * channels) * (bytes ? 1 : 4);
    char *data = memory_take(size);
    lay_out(im, o, port->element, width, height, channels, data);
    const int64_t nchw[4] = {1, channels, height, width}, nhwc[4] = {1, height, width, channels};
    const int64_t *dims = o->nhwc ? nhwc : nchw;
    const size_t skip = port->rank == 3 ? 1 : 0; /* no batch dimension */
    ondol_error err;
    ondol_value *value = NULL;
    ondol_status status =
        ondol_value_create(network, port->element, 4 - skip, dims + skip, data, &value, &err);
    free(data);
    if (!status) status = ondol_network_bind(network, input, value, &err);
    ondol_value_release(value);
    return status ? report_error(&err) : EXIT_DONE;
}

int tensor_input_bind_image(ondol_engine *engine, ondol_network *network, const char *text) {
    size_t input = 0;
    ondol_port port;
    const char *rest = NULL;
    int status = tensor_input_find(network, text, &input, &port, &rest);
    if (status) return status;
    image_options o;
    image im = {0};
    text_buffer file = {0};
    ondol_error err;
    char *path = memory_text(rest);
    status = read_options(path, &o);
    if (!status) status = whole_file_read(path, (size_t)1 << 32, &file);
    if (!status && decode(engine, &file, &o, &im, &err)) {
        status = report_failure("%s: %s", path, err.text);
    }
    if (!status) status = bind_image(network, input, &port, &im, &o);
    text_free(&file);
    free(im.pixels);
    free(path);
    return status;
}
