/* Kernels of rows on AVX512. */
#include "device/cpu/rows.h"

#include <math.h>
#include <string.h>

#include "device/cpu/x86/lanes_avx512.h"
#include "tensor/half.h"
#include "device/cpu/exp_template.h"

#define ROWS_NAME cpu_rows_avx512
#define ROWS_ISA  BASE_ISA_AVX512
#include "device/cpu/rows_template.h"
