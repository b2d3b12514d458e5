/* The runner of official ONNX cases: what its files share. */
#ifndef ONNX_CASES_H
#define ONNX_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/value.h"

#define CASE_DEVICES_MAX 4
#define CASE_TEXT_BYTES  1024

typedef enum case_verdict { CASE_PASSED, CASE_FAILED, CASE_SKIPPED } case_verdict;

/* What a child tells of its case. */
typedef struct case_result {
    case_verdict verdict;
    uint32_t nodes[CASE_DEVICES_MAX]; /* that each device computed */
    char text[CASE_TEXT_BYTES];       /* why it failed or is skipped; "" */
} case_result;

typedef struct case_tolerance {
    double relative, absolute;
} case_tolerance;

/* Runs every data set of the case in `folder` on the devices, the first that takes a node. */
void case_run(const char *folder, const char *const *devices, uint32_t device_count,
              case_result *out);

/* True when `got` is `expected`: kinds, element types and shapes the same; integers, bools and
 * strings too; floats as numpy.testing.assert_allclose has it, NaN equal to NaN. Otherwise says in
 * text[0..size) where, with the worst element. */
bool case_compare(const tensor_value *got, const tensor_value *expected, case_tolerance tolerance,
                  char *text, size_t size);

#endif
