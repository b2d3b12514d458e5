/* Runs of numbers of a tensor as doubles or 64-bit integers and back, and an order of all numbers.
 */
#ifndef DEVICE_REF_NUMBER_H
#define DEVICE_REF_NUMBER_H

#include "device/ref/ops/ref_util.h"
#include "tensor/number.h"

#define REF_CHUNK 256u /* numbers that kernels take at a time, on the stack */

/* dst[0..count) = elements [first, first + count) of v; of any type with numbers, rounding as
 * tensor_get_number. Store rounds once, as tensor_set_number. */
void ref_load_numbers(const tensor_value *v, uint64_t first, uint64_t count, double *dst);
void ref_store_numbers(tensor_value *v, uint64_t first, uint64_t count, const double *src);

/* The same for integers: signed ones extended, all arithmetic may be done modulo 2^64; store cuts
 * to the type's bits. */
void ref_load_integers(const tensor_value *v, uint64_t first, uint64_t count, uint64_t *dst);
void ref_store_integers(tensor_value *v, uint64_t first, uint64_t count, const uint64_t *src);

/* A number for element i that orders as the elements do: a < b exactly when key(a) < key(b). Zeros
 * are equal, NaN is above all and equal to itself. Floats, integers, bool. */
uint64_t ref_order_key(tensor_element e, const void *data, uint64_t i);
#define REF_ORDER_NAN UINT64_MAX /* of a float type */

/* v rounded to a float type (of 8 bits or more) and back. */
double ref_round_to(tensor_element e, double v);

/* What a kernel computes with, of an element type. */
typedef enum ref_class {
    REF_CLASS_FLOAT = 1,
    REF_CLASS_SIGNED = 2,
    REF_CLASS_UNSIGNED = 4,
    REF_CLASS_BOOL = 8,
    REF_CLASS_COMPLEX = 16,
    REF_CLASS_STRING = 32,
    REF_CLASS_INTEGER = REF_CLASS_SIGNED | REF_CLASS_UNSIGNED,
    REF_CLASS_NUMBER = REF_CLASS_FLOAT | REF_CLASS_INTEGER
} ref_class;
ref_class ref_class_of(tensor_element e);

/* Input i as a tensor whose class is one of `classes` (ref_class, or-ed). Errors: FORMAT. */
ondol_status ref_input(const plan_call *c, uint32_t i, unsigned classes, tensor_value **out,
                       ondol_error *err);

/* All elements of v as doubles (integers modulo 2^64) in working memory; give back by
 * tensor_heap_free. Errors: LIMIT, MEMORY. */
ondol_status ref_all_numbers(const plan_call *c, const tensor_value *v, double **out,
                             ondol_error *err);
ondol_status ref_all_integers(const plan_call *c, const tensor_value *v, uint64_t **out,
                              ondol_error *err);

#endif
