/* Rotary position embedding with tables of cosines and sines, on f32. */
#ifndef DEVICE_CPU_OPS_ROTARY_H
#define DEVICE_CPU_OPS_ROTARY_H

#include "device/cpu/ops/cpu_kernels.h"

typedef struct cpu_rotary {
    const float *cos, *sin; /* [positions][width] */
    int64_t positions;
    uint64_t width, half; /* numbers of a row; pairs that are rotated: as many or fewer */
    bool interleaved;     /* pairs are neighbours; else `half` apart */
} cpu_rotary;

/* From inputs i (cosines) and i + 1 (sines) of a call, [positions, half]. Errors: FORMAT. */
ondol_status cpu_rotary_read(const plan_call *c, uint32_t i, bool interleaved, cpu_rotary *out,
                             ondol_error *err);
/* y[0..size) = x with its first pairs rotated; y may be x. 0 <= position < positions. */
void cpu_rotate(const cpu_rotary *r, int64_t position, const float *x, float *y, uint64_t size);

cpu_kernel_accept cpu_accepts_rotary;
cpu_kernel_run cpu_run_ms_rotary, cpu_run_rotary;

#endif
