/* Kernels of rows on NEON. */
#include "device/cpu/rows.h"

#include <math.h>
#include <string.h>

#include "device/cpu/arm64/lanes_neon.h"
#include "tensor/half.h"
#include "device/cpu/exp_template.h"

#define ROWS_NAME cpu_rows_neon
#define ROWS_ISA  BASE_ISA_NEON
#include "device/cpu/rows_template.h"
