/* Softmax of one line, as tensors of each type have it. */
#ifndef DEVICE_REF_SOFTMAX_H
#define DEVICE_REF_SOFTMAX_H

#include "tensor/element.h"

/* x[count] = e^x / sum of all e^x. -infinity gives 0, nothing but -infinity gives NaN. Of float16
 * and bfloat16 each step of the operator's function body (maximum taken off, exponential, sum,
 * quotient) is rounded to the type; sums of bfloat16 are rounded at each addition, in pairs of runs
 * of 8. Source: ONNX Softmax-13 and its function; numpy and ml_dtypes, whose rounding the official
 * cases of Attention hold. All other types: in double, for the caller to round. */
void ref_softmax_line(tensor_element e, double *x, uint64_t count);

#endif
