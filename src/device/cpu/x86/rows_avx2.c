/* Kernels of rows on AVX2. */
#include "device/cpu/rows.h"

#include <math.h>
#include <string.h>

#include "device/cpu/x86/lanes_avx2.h"
#include "tensor/half.h"
#include "device/cpu/exp_template.h"

#define ROWS_NAME cpu_rows_avx2
#define ROWS_ISA  BASE_ISA_AVX2
#include "device/cpu/rows_template.h"
