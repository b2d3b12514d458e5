/* Boxes of elements moved between tensors in host memory: what Transpose, Slice, Concat, Pad,
 * Expand and their like have in common. Devices that compute in host memory share it. */
#ifndef DEVICE_HOST_BOX_H
#define DEVICE_HOST_BOX_H

#include "plan/kernel.h"

#define HOST_BOX_RANK (2 * TENSOR_MAX_RANK)

/* Element (i0, i1, ...) of the box goes from src_start + sum(i * src_step) to dst_start + sum(i *
 * dst_step), counted in elements; steps may be 0 (a source that repeats) or negative. */
typedef struct host_box {
    uint32_t rank;
    int64_t dims[HOST_BOX_RANK];
    int64_t dst_step[HOST_BOX_RANK], src_step[HOST_BOX_RANK];
    int64_t dst_start, src_start;
} host_box;

/* Steps of a dense tensor. */
void host_dense_steps(uint32_t rank, const int64_t *dims, int64_t *steps);

/* Steps of a tensor as it lies. */
void host_value_steps(const tensor_value *v, int64_t *steps);

/* The same box with its dimensions in the order in which an image with channels last lies. */
void host_box_channels_last(host_box *box);

/* Moves a box between tensors of one element type, of any type; the caller has seen to it that all
 * of it lies within both. Large ones are cut for the threads. Errors: LIMIT, MEMORY (strings). */
ondol_status host_box_move(const plan_call *c, const host_box *box, tensor_value *dst,
                           const tensor_value *src, ondol_error *err);

/* Fills elements [first, first + count) with element `at` of src. */
ondol_status host_fill(tensor_value *dst, uint64_t first, uint64_t count, const tensor_value *src,
                       uint64_t at, ondol_error *err);

/* dst element i = src element k, of any type. */
ondol_status host_move_element(tensor_value *dst, uint64_t i, const tensor_value *src, uint64_t k,
                               ondol_error *err);

#endif
