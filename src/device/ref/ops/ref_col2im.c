/* Col2Im. In: [N, C * block, L], the blocks that cover an image, as columns. Out: [N, C, image...],
 * where blocks overlap their sum. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

typedef struct folding {
    uint32_t rank; /* of the image */
    int64_t image[TENSOR_MAX_RANK], block[TENSOR_MAX_RANK], dilations[TENSOR_MAX_RANK];
    int64_t strides[TENSOR_MAX_RANK], begins[TENSOR_MAX_RANK], ends[TENSOR_MAX_RANK];
    int64_t blocks[TENSOR_MAX_RANK];      /* along each axis */
    int64_t block_steps[TENSOR_MAX_RANK]; /* of a place among the L blocks */
    uint64_t block_elems;
} folding;

/* A list of integers, `otherwise` where it is absent, in [least, 2^31). */
static ondol_status read_list(const plan_call *c, const char *name, uint32_t count,
                              int64_t otherwise, int64_t least, int64_t *out, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, name);
    if (a && a->int_count != count) {
        return plan_call_fail(c, err, "%s has %" PRIu32 " numbers, expected %" PRIu32, name,
                              a->int_count, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        out[i] = a ? a->ints[i] : otherwise;
        if (out[i] < least || out[i] > INT32_MAX) {
            return plan_call_fail(c, err, "%s has %" PRId64, name, out[i]);
        }
    }
    return ONDOL_OK;
}

static ondol_status read_folding(const plan_call *c, const tensor_value *x, folding *f,
                                 ondol_error *err) {
    int64_t pads[2 * TENSOR_MAX_RANK];
    uint32_t count = 0;
    uint64_t columns = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_integers(c, 1, TENSOR_MAX_RANK - 2, f->image, &f->rank, err));
    TRY(plan_call_integers(c, 2, TENSOR_MAX_RANK - 2, f->block, &count, err));
    if (!f->rank || count != f->rank || x->rank != 3) {
        return plan_call_fail(c, err,
                              "an image of rank %" PRIu32 ", blocks of rank %" PRIu32
                              ", an input of rank %" PRIu32,
                              f->rank, count, x->rank);
    }
    TRY(read_list(c, "dilations", f->rank, 1, 1, f->dilations, err));
    TRY(read_list(c, "strides", f->rank, 1, 1, f->strides, err));
    TRY(read_list(c, "pads", 2 * f->rank, 0, 0, pads, err));
    for (uint32_t d = 0; d < f->rank; d++) {
        f->begins[d] = pads[d];
        f->ends[d] = pads[f->rank + d];
        if (f->block[d] < 1 || f->block[d] > INT32_MAX || f->image[d] < 0 ||
            f->image[d] > INT64_MAX / 4) {
            return plan_call_fail(c, err, "blocks of %" PRId64 " for an image of %" PRId64,
                                  f->block[d], f->image[d]);
        }
        const int64_t reach = f->dilations[d] * (f->block[d] - 1) + 1;
        const int64_t room = f->image[d] + f->begins[d] + f->ends[d] - reach;
        if (room < 0) return plan_call_fail(c, err, "blocks reach past the padded image");
        f->blocks[d] = room / f->strides[d] + 1;
    }
    const bool fits = ref_product(f->rank, f->block, &f->block_elems) &&
                      ref_product(f->rank, f->blocks, &columns) &&
                      (uint64_t)x->dims[2] == columns && (uint64_t)x->dims[1] % f->block_elems == 0;
    if (!fits) {
        char text[REF_SHAPE_TEXT_BYTES], other[REF_SHAPE_TEXT_BYTES];
        return plan_call_fail(c, err, "an input of shape %s for blocks %s",
                              ref_shape_text(3, x->dims, text),
                              ref_shape_text(f->rank, f->blocks, other));
    }
    ref_strides(f->rank, f->blocks, f->block_steps);
done:
    return status;
}

/* The block along axis d whose place `at` within it lies on `pixel`; -1: none. */
static int64_t block_of(const folding *f, uint32_t d, int64_t pixel, int64_t at) {
    const int64_t from = pixel + f->begins[d] - at * f->dilations[d];
    if (from < 0 || from % f->strides[d]) return -1;
    return from / f->strides[d] < f->blocks[d] ? from / f->strides[d] : -1;
}

typedef struct fold_sum {
    double number;
    uint64_t whole;
} fold_sum;

/* The sum of all that lies on a pixel. first: the element of block place 0, column 0; parts: 2 of a
 * complex type, seen as pairs of floats. */
static fold_sum sum_pixel(const folding *f, const tensor_value *x, tensor_element e, bool is_float,
                          uint64_t first, const int64_t *pixel, uint64_t parts, uint64_t part) {
    fold_sum sum = {0};
    ref_walk w;
    ref_walk_begin(&w, f->rank, f->block);
    for (uint64_t place = 0; w.left; ref_walk_next(&w), place++) {
        uint64_t column = 0;
        bool covers = true;
        for (uint32_t d = 0; d < f->rank && covers; d++) {
            const int64_t b = block_of(f, d, pixel[d], w.index[d]);
            covers = b >= 0;
            column += (uint64_t)(b * f->block_steps[d]);
        }
        if (!covers) continue;
        const uint64_t at = (first + place * (uint64_t)x->dims[2] + column) * parts + part;
        if (is_float)
            sum.number += tensor_get_number(e, x->data, at);
        else
            sum.whole += (uint64_t)tensor_get_integer(e, x->data, at);
    }
    return sum;
}

ondol_status ref_col2im(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    folding f = {0};
    ref_walk w;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_NUMBER | REF_CLASS_BOOL | REF_CLASS_COMPLEX, &x, err));
    TRY(read_folding(c, x, &f, err));
    dims[0] = x->dims[0];
    dims[1] = x->dims[1] / (int64_t)f.block_elems;
    memcpy(dims + 2, f.image, f.rank * sizeof *dims);
    TRY(plan_call_output(c, 0, x->element, f.rank + 2, dims, &y, err));
    const bool complex = ref_class_of(x->element) == REF_CLASS_COMPLEX;
    const bool is_float = complex || ref_class_of(x->element) == REF_CLASS_FLOAT;
    const uint64_t parts = complex ? 2 : 1;
    const tensor_element e = !complex                           ? x->element
                             : x->element == TENSOR_ELEMENT_C64 ? TENSOR_ELEMENT_F32
                                                                : TENSOR_ELEMENT_F64;
    ref_walk_begin(&w, y->rank, y->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const uint64_t channel = (uint64_t)(w.index[0] * dims[1] + w.index[1]);
        const uint64_t first = channel * f.block_elems * (uint64_t)x->dims[2];
        for (uint64_t part = 0; part < parts; part++) {
            const fold_sum sum = sum_pixel(&f, x, e, is_float, first, w.index + 2, parts, part);
            if (is_float)
                tensor_set_number(e, y->data, i * parts + part, sum.number);
            else
                tensor_set_integer(e, y->data, i, (int64_t)sum.whole);
        }
    }
done:
    return status;
}
