/* Caches of keys and values: rows of numbers, or of codes with scales. */
#ifndef DEVICE_REF_MS_KV_H
#define DEVICE_REF_MS_KV_H

#include "device/ref/ops/ref_ms.h"

/* How a number of a cache is stored. */
typedef struct ref_ms_kv {
    tensor_element element; /* of the tensor */
    tensor_element packed;  /* U8 holds two of these (I4: counted from 8, F4E2M1); else UNDEFINED */
    const tensor_value *scale; /* NULL: numbers are stored as they are */
    bool is_per_channel;       /* a scale for each [head][i], else one */
    uint64_t size;             /* numbers of a row */
    uint64_t row_elems;        /* elements of the tensor that hold them */
} ref_ms_kv;

/* A cache of `element`. quant: attribute that says NONE, PER_TENSOR or PER_CHANNEL; scale_input:
 * its scales, of heads * size or 1; bits: 4 for packed codes. Errors: FORMAT. */
ondol_status ref_ms_kv_begin(const plan_call *c, tensor_element element, tensor_element packed,
                             const char *quant, uint32_t scale_input, uint64_t heads, uint64_t size,
                             ref_ms_kv *out, ondol_error *err);

/* Numbers of row `row` (counted in rows of row_elems) of the tensor, which belongs to head `head`;
 * and to write them, rounded to nearest even and saturated. */
void ref_ms_kv_load(const ref_ms_kv *kv, const tensor_value *v, uint64_t row, uint64_t head,
                    double *dst);
void ref_ms_kv_store(const ref_ms_kv *kv, tensor_value *v, uint64_t row, uint64_t head,
                     const double *src);
/* Copies `count` rows of codes; of types of whole bytes, as all of these are. */
void ref_ms_kv_copy(const ref_ms_kv *kv, tensor_value *dst, uint64_t to, const tensor_value *src,
                    uint64_t from, uint64_t count);

#endif
