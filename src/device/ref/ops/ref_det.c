/* Det. In: square matrices. Out: their determinants, by elimination with row pivots in double. */
#include <math.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

/* The row from `column` down whose number there is the largest. */
static uint64_t pivot_row(const double *a, uint64_t n, uint64_t column) {
    uint64_t best = column;
    for (uint64_t i = column + 1; i < n; i++) {
        if (fabs(a[i * n + column]) > fabs(a[best * n + column])) best = i;
    }
    return best;
}

/* a[n][n] is used up. */
static double determinant(double *a, uint64_t n) {
    double result = 1;
    for (uint64_t k = 0; k < n; k++) {
        const uint64_t row = pivot_row(a, n, k);
        for (uint64_t j = k; j < n && row != k; j++) {
            const double moved = a[k * n + j];
            a[k * n + j] = a[row * n + j];
            a[row * n + j] = moved;
        }
        const double pivot = a[k * n + k];
        if (pivot == 0) return 0;
        result *= row != k ? -pivot : pivot;
        for (uint64_t i = k + 1; i < n; i++) {
            const double factor = a[i * n + k] / pivot;
            for (uint64_t j = k + 1; j < n; j++)
                a[i * n + j] -= factor * a[k * n + j];
        }
    }
    return result;
}

ondol_status ref_det(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    void *memory = NULL;
    char text[REF_SHAPE_TEXT_BYTES];
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_FLOAT, &x, err));
    if (x->rank < 2 || x->dims[x->rank - 1] != x->dims[x->rank - 2]) {
        return plan_call_fail(c, err, "shape %s, expected square matrices",
                              ref_shape_text(x->rank, x->dims, text));
    }
    TRY(plan_call_output(c, 0, x->element, x->rank - 2, x->dims, &y, err));
    const uint64_t n = (uint64_t)x->dims[x->rank - 1];
    const uint64_t matrix = x->elems ? n * n : 0;
    TRY(ref_alloc(c, matrix, sizeof(double), "a matrix", &memory, err));
    for (uint64_t i = 0; i < y->elems; i++) {
        ref_load_numbers(x, i * matrix, matrix, memory);
        tensor_set_number(y->element, y->data, i, determinant(memory, x->elems ? n : 0));
    }
done:
    tensor_heap_free(c->heap, memory);
    return status;
}
