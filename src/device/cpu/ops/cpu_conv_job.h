/* Inside of the CPU's convolution: weights made ready, and one run of them. */
#ifndef DEVICE_CPU_OPS_CONV_JOB_H
#define DEVICE_CPU_OPS_CONV_JOB_H

#include "device/cpu/matmul_layout.h"
#include "device/cpu/ops/cpu_conv.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/rows.h"

typedef struct conv_state {
    int64_t kernel[2];
    int64_t groups, in_channels, out_channels; /* of a group */
    cpu_packed *packed;                        /* [groups]; NULL: depthwise */
    void *memory;
    float *taps;       /* depthwise: [kernel][channels] */
    cpu_unary then;    /* what the outputs go through: COPY, or an activation */
    float alpha, beta; /* of it */
} conv_state;

/* What is done to finished outputs: y = then(y) * scale + shift. */
typedef struct conv_after {
    cpu_unary then;
    float alpha, beta;
    const float *scale, *shift;              /* NULL: none */
    uint64_t scale_elements, shift_elements; /* 1, or the channels */
} conv_after;

typedef struct conv_job {
    const conv_state *s;
    const cpu_rows *rows;
    cpu_matmul_segments multiply;
    cpu_window w;
    const float *x, *bias;
    float *y;
    int64_t images, x_channels, y_channels;
    int64_t pixels;           /* of one image */
    int64_t each, units_each; /* pixels or rows of a unit; units of one image */
    int64_t parts;            /* that rows are cut into, each for a unit */
    int64_t slabs;            /* that weights are cut into, each for a unit */
    bool direct;              /* each pixel is made of one pixel */
    int64_t inside[2];        /* columns of the output whose windows are whole */
    conv_after after;
    unsigned char *work; /* [threads][work_bytes] */
    uint64_t work_bytes;
} conv_job;

/* Output rows [first, first + count) of an image, columns [left, right); pixels where the
 * convolution is direct. Of each: panels [panel, end_panel) of a group's output channels. */
typedef struct conv_area {
    int64_t first, count, left, right;
    uint64_t panel, end_panel;
} conv_area;

/* Bytes of work that a thread needs for units of `rows` output rows. */
uint64_t conv_rows_work_bytes(const conv_job *j, int64_t rows);
void conv_rows_run(const conv_job *j, const float *image, float *out, const conv_area *area,
                   void *work);
/* The same where each pixel is made of one. */
void conv_pixels_run(const conv_job *j, const float *image, float *out, const conv_area *area);

/* y [pixels][y_channels] on its way out: channels [first, first + count) of it. */
void conv_after_run(const conv_job *j, float *y, int64_t pixels, int64_t first, int64_t count);
/* Reads activation, alpha and beta of a fused node; false: there is no such activation. */
bool conv_after_read(const graph *g, graph_node_id n, conv_state *s);

#endif
