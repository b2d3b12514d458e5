/* GridSample, AffineGrid. In: [N, C, D1 ... Dr] and, for each place of the output, where to look in
 * it; or affine maps. Out: the values there; or such places. Coordinates run from -1 to 1. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/host_box.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_move.h"
#include "device/ref/ops/ref_number.h"

typedef enum sample_mode { SAMPLE_NEAREST, SAMPLE_LINEAR, SAMPLE_CUBIC } sample_mode;
typedef enum sample_edge { EDGE_ZEROS, EDGE_BORDER, EDGE_REFLECTION } sample_edge;

#define SAMPLE_TAPS 4

typedef struct sampling {
    tensor_value *x, *grid, *y;
    sample_mode mode;
    sample_edge edge;
    bool align_corners;
    uint32_t rank; /* of the space */
    int64_t steps[TENSOR_MAX_RANK];
    /* Of one place: positions along each axis (-1: outside) and their weights. */
    uint32_t taps;
    int64_t at[TENSOR_MAX_RANK][SAMPLE_TAPS];
    double weight[TENSOR_MAX_RANK][SAMPLE_TAPS];
} sampling;

/* x mirrored at both ends until it lies between them. */
static double reflect(double x, double low, double high) {
    const double span = high - low;
    if (x >= low && x <= high) return x;
    if (span <= 0) return low;
    const double away = fmod(x < low ? low - x : x - low, 2 * span);
    return away > span ? high - (away - span) : low + away;
}

/* The place of a coordinate along an axis of n, moved inside where the edge asks for it. */
static double place_of(const sampling *s, double coordinate, int64_t n) {
    const double size = (double)n;
    double x =
        s->align_corners ? (coordinate + 1) / 2 * (size - 1) : ((coordinate + 1) * size - 1) / 2;
    if (s->mode == SAMPLE_NEAREST) x = rint(x);
    if (isnan(x)) return s->edge == EDGE_ZEROS ? -8 : 0;
    const bool by_taps = s->edge == EDGE_BORDER && s->mode == SAMPLE_CUBIC;
    if (isinf(x) || s->edge == EDGE_ZEROS || by_taps) {
        x = x < -8 ? -8 : x > size + 8 ? size + 8 : x; /* outside stays outside */
    }
    if (s->edge == EDGE_BORDER && !by_taps) x = x < 0 ? 0 : x > size - 1 ? size - 1 : x;
    if (s->edge == EDGE_REFLECTION) {
        x = s->align_corners ? reflect(x, 0, size - 1) : reflect(x, -0.5, size - 0.5);
    }
    return x;
}

/* Position i of an axis of n, by the edge: within it, or -1 for a zero. */
static int64_t position(const sampling *s, int64_t i, int64_t n) {
    if (i >= 0 && i < n) return i;
    if (s->edge == EDGE_ZEROS) return -1;
    if (s->edge == EDGE_REFLECTION) {
        const double low = s->align_corners ? 0 : -0.5;
        i = (int64_t)reflect((double)i, low, (double)(n - 1) - low);
    }
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* Keys 1981 with a = -0.75. */
static double cubic_weight(double x) {
    const double a = -0.75;
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static void find_taps(sampling *s, uint32_t axis, double coordinate) {
    const int64_t n = s->x->dims[2 + axis];
    const double x = place_of(s, coordinate, n), below = floor(x);
    const int64_t first = (int64_t)below - (s->mode == SAMPLE_CUBIC);
    for (uint32_t t = 0; t < s->taps; t++) {
        const double away = x - (below + t - (s->mode == SAMPLE_CUBIC));
        s->at[axis][t] = position(s, first + t, n);
        s->weight[axis][t] = s->mode == SAMPLE_NEAREST  ? 1
                             : s->mode == SAMPLE_LINEAR ? 1 - fabs(away)
                                                        : cubic_weight(away);
    }
}

/* The sum over all taps of one channel, whose first number is `first`; stride: numbers of an
 * element. */
static double weigh(const sampling *s, tensor_element e, uint64_t first, int64_t stride) {
    uint32_t tap[TENSOR_MAX_RANK] = {0};
    double sum = 0;
    for (;;) {
        double weight = 1;
        int64_t from = 0;
        bool inside = true;
        for (uint32_t d = 0; d < s->rank; d++) {
            inside = inside && s->at[d][tap[d]] >= 0;
            weight *= s->weight[d][tap[d]];
            from += s->at[d][tap[d]] * s->steps[d];
        }
        if (inside && weight != 0) {
            sum += weight * tensor_get_number(e, s->x->data, first + (uint64_t)(from * stride));
        }
        uint32_t d = s->rank;
        while (d > 0 && ++tap[d - 1] == s->taps)
            tap[--d] = 0;
        if (d == 0) return sum;
    }
}

static ondol_status sample_nearest(const sampling *s, uint64_t to, uint64_t first,
                                   ondol_error *err) {
    int64_t from = 0;
    for (uint32_t d = 0; d < s->rank; d++) {
        if (s->at[d][0] < 0) return ONDOL_OK; /* the output is made of zeros */
        from += s->at[d][0] * s->steps[d];
    }
    return host_move_element(s->y, to, s->x, first + (uint64_t)from, err);
}

/* Integers: cut towards zero. */
static void sample_smoothly(const sampling *s, uint64_t to, uint64_t first) {
    const tensor_element e = s->x->element;
    if (ref_class_of(e) != REF_CLASS_COMPLEX) {
        tensor_set_number(e, s->y->data, to, weigh(s, e, first, 1));
        return;
    }
    const tensor_element part = e == TENSOR_ELEMENT_C64 ? TENSOR_ELEMENT_F32 : TENSOR_ELEMENT_F64;
    for (uint64_t k = 0; k < 2; k++)
        tensor_set_number(part, s->y->data, 2 * to + k, weigh(s, part, 2 * first + k, 2));
}

static ondol_status sample(sampling *s, ondol_error *err) {
    const tensor_value *x = s->x;
    const uint64_t batches = (uint64_t)x->dims[0], channels = (uint64_t)x->dims[1];
    uint64_t places = 0, space = 0;
    ref_product(s->rank, s->y->dims + 2, &places);
    ref_product(s->rank, x->dims + 2, &space);
    for (uint64_t i = 0; i < batches * places; i++) {
        const uint64_t n = i / places, place = i % places;
        for (uint32_t d = 0; d < s->rank; d++) {
            /* The last axis' coordinate comes first. */
            const uint64_t k = i * s->rank + (s->rank - 1 - d);
            find_taps(s, d, tensor_get_number(s->grid->element, s->grid->data, k));
        }
        for (uint64_t c = 0; c < channels; c++) {
            const uint64_t to = (n * channels + c) * places + place;
            const uint64_t first = (n * channels + c) * space;
            if (s->mode == SAMPLE_NEAREST) {
                ondol_status status = sample_nearest(s, to, first, err);
                if (status != ONDOL_OK) return status;
            } else {
                sample_smoothly(s, to, first);
            }
        }
    }
    return ONDOL_OK;
}

static ondol_status read_sampling(const plan_call *c, sampling *s, ondol_error *err) {
    const char *mode = graph_get_string(c->g, c->node, "mode");
    const char *edge = graph_get_string(c->g, c->node, "padding_mode");
    s->align_corners = graph_get_int(c->g, c->node, "align_corners") != 0;
    s->mode = strcmp(mode, "nearest") == 0  ? SAMPLE_NEAREST
              : strcmp(mode, "linear") == 0 ? SAMPLE_LINEAR
                                            : SAMPLE_CUBIC;
    s->edge = strcmp(edge, "zeros") == 0    ? EDGE_ZEROS
              : strcmp(edge, "border") == 0 ? EDGE_BORDER
                                            : EDGE_REFLECTION;
    s->taps = s->mode == SAMPLE_NEAREST ? 1 : s->mode == SAMPLE_LINEAR ? 2 : 4;
    if (s->mode == SAMPLE_CUBIC && strcmp(mode, "cubic") != 0) {
        return plan_call_fail(c, err, "mode '%s', expected linear, nearest or cubic", mode);
    }
    if (s->edge == EDGE_REFLECTION && strcmp(edge, "reflection") != 0) {
        return plan_call_fail(c, err, "padding_mode '%s', expected zeros, border or reflection",
                              edge);
    }
    return ONDOL_OK;
}

/* [N, C, D1 ... Dr] and [N, E1 ... Er, r]. */
static bool shapes_fit(const tensor_value *x, const tensor_value *grid) {
    if (x->rank < 3 || grid->rank != x->rank || grid->dims[0] != x->dims[0]) return false;
    return grid->dims[grid->rank - 1] == x->rank - 2;
}

ondol_status ref_grid_sample(plan_call *c, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK] = {0};
    sampling s = {0};
    uint64_t space = 0;
    ondol_status status = ONDOL_OK;
    TRY(read_sampling(c, &s, err));
    TRY(plan_call_tensor(c, 0, &s.x, err));
    TRY(ref_input(c, 1, REF_CLASS_FLOAT, &s.grid, err));
    if (!shapes_fit(s.x, s.grid)) {
        char text[REF_SHAPE_TEXT_BYTES], other[REF_SHAPE_TEXT_BYTES];
        return plan_call_fail(c, err, "a grid of shape %s for an input of shape %s",
                              ref_shape_text(s.grid->rank, s.grid->dims, text),
                              ref_shape_text(s.x->rank, s.x->dims, other));
    }
    if (s.mode != SAMPLE_NEAREST && s.x->element == TENSOR_ELEMENT_STRING) {
        return plan_call_fail(c, err, "strings have no mean");
    }
    s.rank = s.x->rank - 2;
    memcpy(dims, s.x->dims, 2 * sizeof *dims);
    memcpy(dims + 2, s.grid->dims + 1, s.rank * sizeof *dims);
    ref_strides(s.rank, s.x->dims + 2, s.steps);
    TRY(ref_zeros(c, 0, s.x->element, s.x->rank, dims, &s.y, err));
    if (!s.y->elems) goto done;
    if (!ref_product(s.rank, s.x->dims + 2, &space) || !space) {
        if (s.edge != EDGE_ZEROS) status = plan_call_fail(c, err, "the input has no elements");
        goto done;
    }
    TRY(sample(&s, err));
done:
    return status;
}

/* Place i of n, from -1 to 1: at the corners, or half a step within them. */
static double grid_place(int64_t i, int64_t n, bool align_corners) {
    if (!align_corners) return (2 * (double)i + 1) / (double)n - 1;
    return n == 1 ? -1 : 2 * (double)i / (double)(n - 1) - 1;
}

ondol_status ref_affine_grid(plan_call *c, ondol_error *err) {
    const bool align_corners = graph_get_int(c->g, c->node, "align_corners") != 0;
    tensor_value *theta = NULL, *y = NULL;
    int64_t size[5] = {0}, dims[5] = {0};
    uint32_t count = 0;
    ref_walk w;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_FLOAT, &theta, err));
    TRY(plan_call_integers(c, 1, 5, size, &count, err));
    const uint32_t r = count > 2 ? count - 2 : 0;
    if (r < 2 || theta->rank != 3 || theta->dims[0] != size[0] || theta->dims[1] != r ||
        theta->dims[2] != r + 1) {
        char text[REF_SHAPE_TEXT_BYTES], other[REF_SHAPE_TEXT_BYTES];
        return plan_call_fail(c, err, "maps of shape %s for a size of %s",
                              ref_shape_text(theta->rank, theta->dims, text),
                              ref_shape_text(count, size, other));
    }
    dims[0] = size[0];
    memcpy(dims + 1, size + 2, r * sizeof *dims);
    dims[r + 1] = r;
    TRY(plan_call_output(c, 0, theta->element, r + 2, dims, &y, err));
    ref_walk_begin(&w, r + 2, dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        /* Row index[r + 1] of the map times (x, y, z, 1), x being the last axis. */
        const uint64_t row = (uint64_t)(w.index[0] * r + w.index[r + 1]) * (r + 1);
        double sum = tensor_get_number(theta->element, theta->data, row + r);
        for (uint32_t k = 0; k < r; k++) {
            const uint32_t axis = r - k;
            sum += tensor_get_number(theta->element, theta->data, row + k) *
                   grid_place(w.index[axis], dims[axis], align_corners);
        }
        tensor_set_number(y->element, y->data, i, sum);
    }
done:
    return status;
}
