/* What the oracle's kernels of com.microsoft share: optional inputs, kernels called on other
 * tensors, codes of a few bits. */
#ifndef DEVICE_REF_MS_H
#define DEVICE_REF_MS_H

#include "device/ref/ops/ref_neural.h"

/* Input i as ref_input has it; *out = NULL where it is absent. Errors: FORMAT. */
ondol_status ref_ms_optional(const plan_call *c, uint32_t i, unsigned classes, tensor_value **out,
                             ondol_error *err);

/* Input i, a tensor of i32 or i64 with exactly these dims. Errors: FORMAT with the name. */
ondol_status ref_ms_integers(const plan_call *c, uint32_t i, const char *name, uint32_t rank,
                             const int64_t *dims, tensor_value **out, ondol_error *err);

/* All numbers of input i as doubles, of exactly these dims; *out = NULL where it is absent. Give
 * back by tensor_heap_free. Errors: FORMAT with the name, LIMIT, MEMORY. */
ondol_status ref_ms_numbers(const plan_call *c, uint32_t i, const char *name, uint32_t rank,
                            const int64_t *dims, double **out, ondol_error *err);

/* The same of an input that must be there. */
ondol_status ref_ms_needed(const plan_call *c, uint32_t i, const char *name, uint32_t rank,
                           const int64_t *dims, double **out, ondol_error *err);

/* count doubles of working memory. Errors: LIMIT, MEMORY. */
ondol_status ref_ms_doubles(const plan_call *c, uint64_t count, const char *what, double **out,
                            ondol_error *err);

/* FORMAT with the shapes unless v has rank dimensions; what: its name. */
ondol_status ref_ms_expect_rank(const plan_call *c, const char *what, const tensor_value *v,
                                uint32_t rank, ondol_error *err);

/* True where the node has the attribute. */
bool ref_ms_has(const plan_call *c, const char *attribute);
/* The attribute where the node has it, else otherwise. */
double ref_ms_float(const plan_call *c, const char *attribute, double otherwise);

/* A kernel of another operator as a step of this one: it sees the node's attributes, inputs
 * [0, count) and one output, which the caller releases. Errors: the kernel's. */
typedef ondol_status (*ref_ms_kernel)(plan_call *c, ondol_error *err);
ondol_status ref_ms_run(const plan_call *c, ref_ms_kernel run, tensor_value *const *inputs,
                        uint32_t count, tensor_value **out, ondol_error *err);

/* A new tensor of float64 with the numbers of v. Errors: LIMIT, MEMORY. */
ondol_status ref_ms_as_f64(const plan_call *c, const tensor_value *v, tensor_value **out,
                           ondol_error *err);
/* A new tensor with v's dimension order[i] as dimension i, of types of 8 bits or more without
 * strings. Errors: LIMIT, MEMORY. */
ondol_status ref_ms_transposed(const plan_call *c, const tensor_value *v, const uint32_t *order,
                               tensor_value **out, ondol_error *err);
/* Channels [N, C, ...] to the end, and back. Errors: FORMAT (rank under 3), LIMIT, MEMORY. */
ondol_status ref_ms_channels_last(const plan_call *c, const tensor_value *v, tensor_value **out,
                                  ondol_error *err);
ondol_status ref_ms_channels_first(const plan_call *c, const tensor_value *v, tensor_value **out,
                                   ondol_error *err);

/* Makes output i of numbers, each rounded once to the type. Errors: LIMIT, MEMORY. */
ondol_status ref_ms_store(plan_call *c, uint32_t i, tensor_element e, uint32_t rank,
                          const int64_t *dims, const double *numbers, ondol_error *err);

/* bits (1 to 8) of bytes from bit `at` on, lowest first. */
unsigned ref_ms_bits(const uint8_t *bytes, uint64_t at, unsigned bits);

#endif
