/* Convolution by output rows. In: an image with channels last. Out: rows of Y. Windows lie in the
 * image as they are: their rows are contiguous there, so nothing is copied but at the image's left
 * and right edges. */
#include <string.h>

#include "device/cpu/ops/cpu_conv_job.h"

/* Pixels that share a pass over the weights. */
#define PIXELS_AT_ONCE 64

/* Pieces of a window that are contiguous: its rows, or its taps. */
static bool rows_are_whole(const conv_job *j) {
    return j->s->groups == 1 && (j->w.dilation[1] == 1 || j->w.kernel[1] == 1);
}

static int64_t taps_of(const conv_job *j) {
    return j->s->kernel[0] * j->s->kernel[1];
}

static int64_t columns_of(const conv_job *j) {
    return taps_of(j) * j->s->in_channels;
}

static int64_t edge_pixels(const conv_job *j, int64_t rows) {
    return rows * (j->w.out[1] - (j->inside[1] - j->inside[0]));
}

uint64_t conv_rows_work_bytes(const conv_job *j, int64_t rows) {
    const uint64_t list = (uint64_t)taps_of(j) * 2 * sizeof(void *);
    const uint64_t edges = (uint64_t)edge_pixels(j, rows);
    const uint64_t numbers = j->s->taps ? 0 : (uint64_t)(columns_of(j) + j->s->out_channels);
    return (list + 63) / 64 * 64 + (edges * numbers * sizeof(float) + 127) / 64 * 64;
}

/* ------------------------------------------------------------ whole windows */

/* Segments for output row oy, from column ox on. Returns how many are there. */
static uint32_t find_segments(const conv_job *j, const float *image, int64_t oy, int64_t ox,
                              int64_t channel, const float **at, cpu_segments *out) {
    const cpu_window *w = &j->w;
    const int64_t pieces = rows_are_whole(j) ? 1 : w->kernel[1];
    uint32_t there = 0;
    *out = (cpu_segments){.at = at,
                          .count = (uint32_t)(w->kernel[0] * pieces),
                          .columns = (uint64_t)(columns_of(j) / (w->kernel[0] * pieces))};
    for (int64_t ky = 0; ky < w->kernel[0]; ky++) {
        const int64_t y = oy * w->stride[0] - w->before[0] + ky * w->dilation[0];
        for (int64_t kx = 0; kx < pieces; kx++) {
            const uint32_t i = (uint32_t)(ky * pieces + kx);
            const int64_t x = ox * w->stride[1] - w->before[1] + kx * w->dilation[1];
            at[i] = NULL;
            if (y < 0 || y >= w->in[0]) continue;
            at[i] = image + (y * w->in[1] + x) * j->x_channels + channel;
            out->last = i;
            there++;
        }
    }
    return there;
}

/* Channels that an area has of a group, from its first one on. */
static int64_t channels_of(const conv_job *j, const conv_area *area) {
    const int64_t first = (int64_t)area->panel * PANEL_ROWS;
    const int64_t end = (int64_t)area->end_panel * PANEL_ROWS, n = j->s->out_channels;
    return (end < n ? end : n) - first;
}

/* Pixels no tap of which lies in the image; y: the first channel of the area. */
static void fill_bias(const conv_job *j, float *y, const float *bias, int64_t channels,
                      int64_t pixels) {
    const size_t bytes = (size_t)channels * sizeof *y;
    for (int64_t p = 0; p < pixels; p++) {
        if (bias)
            memcpy(y + p * j->y_channels, bias, bytes);
        else
            memset(y + p * j->y_channels, 0, bytes);
    }
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void run_inside(const conv_job *j, const float *image, float *row, int64_t oy,
                       const conv_area *area, const float **at) {
    const conv_state *s = j->s;
    const int64_t end = sooner(j->inside[1], area->right);
    for (int64_t ox = later(j->inside[0], area->left); ox < end; ox += PIXELS_AT_ONCE) {
        const int64_t left = end - ox;
        const uint32_t count = (uint32_t)(left < PIXELS_AT_ONCE ? left : PIXELS_AT_ONCE);
        for (int64_t g = 0; g < s->groups; g++) {
            const cpu_packed *b = s->packed + g;
            const int64_t channel = g * s->out_channels;
            const float *bias = j->bias ? j->bias + channel : NULL;
            float *y = row + ox * j->y_channels + channel;
            cpu_segments x;
            if (find_segments(j, image, oy, ox, g * s->in_channels, at, &x)) {
                j->multiply(b->data, b->n, b->k, area->panel, area->end_panel, &x,
                            (size_t)(j->w.stride[1] * j->x_channels), count, y,
                            (size_t)j->y_channels, bias);
                continue;
            }
            const uint64_t first = area->panel * PANEL_ROWS;
            fill_bias(j, y + first, bias ? bias + first : NULL, channels_of(j, area), count);
        }
    }
}

/* Rows of K numbers each times the area's weights of group g. */
static void multiply_rows(const conv_job *j, const conv_area *area, int64_t g, const float *x,
                          size_t x_stride, uint64_t rows, float *y, size_t y_stride) {
    const cpu_packed *b = j->s->packed + g;
    const float *bias = j->bias ? j->bias + g * j->s->out_channels : NULL;
    for (uint64_t row = 0; row < rows; row += PIXELS_AT_ONCE) {
        const uint64_t left = rows - row;
        const float *at = x + row * x_stride;
        const cpu_segments whole = {.at = &at, .count = 1, .columns = b->k};
        j->multiply(b->data, b->n, b->k, area->panel, area->end_panel, &whole, x_stride,
                    (uint32_t)(left < PIXELS_AT_ONCE ? left : PIXELS_AT_ONCE), y + row * y_stride,
                    y_stride, bias);
    }
}

void conv_pixels_run(const conv_job *j, const float *image, float *out, const conv_area *area) {
    const conv_state *s = j->s;
    float *y = out + area->first * j->y_channels;
    for (int64_t g = 0; g < s->groups; g++) {
        multiply_rows(j, area, g, image + area->first * j->x_channels + g * s->in_channels,
                      (size_t)j->x_channels, (uint64_t)area->count, y + g * s->out_channels,
                      (size_t)j->y_channels);
    }
    const bool slab = j->slabs > 1;
    conv_after_run(j, y, area->count, slab ? (int64_t)area->panel * PANEL_ROWS : 0,
                   slab ? channels_of(j, area) : j->y_channels);
}

/* ------------------------------------------------------------ windows over the edges */

/* Taps of one output pixel: copied behind each other, 0 where they miss the image. */
static void gather(const conv_job *j, const float *image, int64_t oy, int64_t ox, int64_t channel,
                   float *to) {
    const cpu_window *w = &j->w;
    const size_t count = (size_t)j->s->in_channels;
    for (int64_t ky = 0; ky < w->kernel[0]; ky++) {
        const int64_t y = oy * w->stride[0] - w->before[0] + ky * w->dilation[0];
        for (int64_t kx = 0; kx < w->kernel[1]; kx++, to += count) {
            const int64_t x = ox * w->stride[1] - w->before[1] + kx * w->dilation[1];
            if (y < 0 || y >= w->in[0] || x < 0 || x >= w->in[1])
                memset(to, 0, count * sizeof *to);
            else
                memcpy(to, image + (y * w->in[1] + x) * j->x_channels + channel,
                       count * sizeof *to);
        }
    }
}

/* The first column from ox on whose window is not whole. */
static int64_t edge_from(const conv_job *j, int64_t ox) {
    return ox >= j->inside[0] && ox < j->inside[1] ? j->inside[1] : ox;
}

static void run_edges(const conv_job *j, const float *image, float *out, const conv_area *area,
                      float *windows) {
    const conv_state *s = j->s;
    const size_t k = (size_t)columns_of(j), n = (size_t)s->out_channels;
    const int64_t end = area->first + area->count;
    float *results = windows + (size_t)edge_pixels(j, area->count) * k;
    for (int64_t g = 0; g < s->groups; g++) {
        float *to = windows;
        uint64_t edges = 0;
        for (int64_t oy = area->first; oy < end; oy++) {
            for (int64_t ox = edge_from(j, area->left); ox < area->right;
                 ox = edge_from(j, ox + 1), to += k, edges++)
                gather(j, image, oy, ox, g * s->in_channels, to);
        }
        if (!edges) return;
        multiply_rows(j, area, g, windows, k, edges, results, n);
        const size_t first = (size_t)(area->panel * PANEL_ROWS);
        const size_t bytes = (size_t)channels_of(j, area) * sizeof *results;
        const float *from = results;
        for (int64_t oy = area->first; oy < end; oy++) {
            for (int64_t ox = edge_from(j, area->left); ox < area->right;
                 ox = edge_from(j, ox + 1), from += n) {
                float *y = out + (oy * j->w.out[1] + ox) * j->y_channels + g * s->out_channels;
                memcpy(y + first, from + first, bytes);
            }
        }
    }
}

/* ------------------------------------------------------------ each channel by itself */

/* Taps that lie in the image for output row oy and columns from ox on. */
static size_t find_taps(const conv_job *j, int64_t oy, int64_t ox, ptrdiff_t *offsets,
                        const float **weights) {
    const cpu_window *w = &j->w;
    size_t count = 0;
    for (int64_t ky = 0; ky < w->kernel[0]; ky++) {
        const int64_t y = oy * w->stride[0] - w->before[0] + ky * w->dilation[0];
        if (y < 0 || y >= w->in[0]) continue;
        for (int64_t kx = 0; kx < w->kernel[1]; kx++) {
            const int64_t x = ox * w->stride[1] - w->before[1] + kx * w->dilation[1];
            if (x < 0 || x >= w->in[1]) continue;
            offsets[count] = (ptrdiff_t)((y * w->in[1] + x) * j->x_channels);
            weights[count++] = j->s->taps + (ky * w->kernel[1] + kx) * j->x_channels;
        }
    }
    return count;
}

static void run_depthwise(const conv_job *j, const float *image, float *row, int64_t oy,
                          const conv_area *area, void *work) {
    const size_t channels = (size_t)j->y_channels;
    const float **weights = work;
    ptrdiff_t *offsets = (ptrdiff_t *)(void *)(weights + taps_of(j));
    for (int64_t ox = area->left; ox < area->right;) {
        const bool inside = ox >= j->inside[0] && ox < j->inside[1];
        const int64_t pixels = inside ? sooner(j->inside[1], area->right) - ox : 1;
        const size_t taps = find_taps(j, oy, ox, offsets, weights);
        j->rows->depthwise(row + (size_t)ox * channels, image,
                           (size_t)(j->w.stride[1] * j->x_channels), j->bias, offsets, weights,
                           taps, channels, (size_t)pixels);
        ox += pixels;
    }
}

void conv_rows_run(const conv_job *j, const float *image, float *out, const conv_area *area,
                   void *work) {
    const uint64_t list = ((uint64_t)taps_of(j) * 2 * sizeof(void *) + 63) / 64 * 64;
    const bool slab = j->slabs > 1;
    if (!j->s->taps) run_edges(j, image, out, area, (float *)(void *)((char *)work + list));
    for (int64_t oy = area->first; oy < area->first + area->count; oy++) {
        float *row = out + oy * j->w.out[1] * j->y_channels;
        if (j->s->taps)
            run_depthwise(j, image, row, oy, area, work);
        else
            run_inside(j, image, row, oy, area, work);
        conv_after_run(j, row + area->left * j->y_channels, area->right - area->left,
                       slab ? (int64_t)area->panel * PANEL_ROWS : 0,
                       slab ? channels_of(j, area) : j->y_channels);
    }
}
