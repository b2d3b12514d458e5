/* Rotary position embedding with tables of cosines and sines. */
#ifndef DEVICE_REF_MS_ROTARY_H
#define DEVICE_REF_MS_ROTARY_H

#include "device/ref/ops/ref_ms.h"

typedef struct ref_ms_rotary {
    const tensor_value *cos, *sin; /* [positions, width]; NULL: nothing is rotated */
    int64_t positions;
    uint64_t width, half; /* numbers of a row; pairs that are rotated: as many or fewer */
    bool interleaved;     /* pairs are neighbours; else `half` apart */
} ref_ms_rotary;

/* From inputs i (cosines) and i + 1 (sines), which are needed. Errors: FORMAT. */
ondol_status ref_ms_rotary_begin(const plan_call *c, uint32_t i, bool interleaved,
                                 ref_ms_rotary *out, ondol_error *err);
/* x[0..2 * half) in place; 0 <= position < positions. */
void ref_ms_rotate(const ref_ms_rotary *r, int64_t position, double *x);

#endif
