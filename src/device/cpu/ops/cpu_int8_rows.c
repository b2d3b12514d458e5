/* DynamicQuantizeLinear, QuantizeLinear, DequantizeLinear, QLinearAdd, QLinearMul. In: floats or
 * codes. Out: codes or floats. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/cpu/ops/cpu_broadcast.h"
#include "device/cpu/ops/cpu_int8_gemm.h"
#include "device/cpu/ops/cpu_int8_ops.h"

#define PIECE 16384u /* elements of a unit */

static uint32_t pieces_of(uint64_t n, uint64_t *each) {
    *each = PIECE;
    while ((n + *each - 1) / *each > BASE_POOL_UNITS_MAX)
        *each *= 2;
    return (uint32_t)((n + *each - 1) / *each);
}

/* ------------------------------------------------------------------------------------- dynamic */

#define RANGES_MAX 64u

typedef struct dynamic_job {
    const cpu_int8 *kernels;
    const float *x;
    uint8_t *y;
    uint64_t n, each;
    float least[RANGES_MAX], greatest[RANGES_MAX];
    float scale;
    int32_t zero;
} dynamic_job;

static uint64_t count_of(const dynamic_job *j, uint64_t unit) {
    const uint64_t first = unit * j->each, left = first < j->n ? j->n - first : 0;
    return left < j->each ? left : j->each;
}

static void find_range(uint32_t unit, unsigned thread, void *argument) {
    dynamic_job *j = argument;
    (void)thread;
    j->least[unit] = j->greatest[unit] = 0;
    j->kernels->range(j->x + unit * j->each, (size_t)count_of(j, unit), j->least + unit,
                      j->greatest + unit);
}

static void make_codes(uint32_t unit, unsigned thread, void *argument) {
    const dynamic_job *j = argument;
    (void)thread;
    j->kernels->quantize(j->y + unit * j->each, j->x + unit * j->each, j->scale, j->zero, 0,
                         (size_t)count_of(j, unit));
}

void cpu_int8_quantize_dynamic(const plan_call *c, const float *x, uint64_t n, uint8_t *codes,
                               float *scale, int32_t *zero) {
    dynamic_job j = {.kernels = cpu_int8_of(c->device), .x = x, .y = codes, .n = n};
    float least = 0, greatest = 0;
    j.each = (n + RANGES_MAX - 1) / RANGES_MAX;
    if (j.each < PIECE) j.each = PIECE;
    const uint32_t units = (uint32_t)((n + j.each - 1) / j.each);
    plan_call_parallel(c, units, find_range, &j);
    for (uint32_t i = 0; i < units; i++) {
        if (j.least[i] < least) least = j.least[i];
        if (j.greatest[i] > greatest) greatest = j.greatest[i];
    }
    const float width = greatest - least;
    j.scale = width == 0 ? 1 : width / 255;
    const float at = rintf(-least / j.scale);
    j.zero = at > 0 ? (at < 255 ? (int32_t)at : 255) : 0;
    plan_call_parallel(c, units, make_codes, &j);
    *scale = j.scale;
    *zero = j.zero;
}

bool cpu_accepts_dynamic_quantize(const graph *g, graph_node_id n, base_buffer *why) {
    (void)g, (void)n, (void)why;
    return true;
}

ondol_status cpu_run_dynamic_quantize(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL, *scale = NULL, *zero = NULL;
    int32_t code = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_U8, x->rank, x->dims, &y, err));
    TRY(plan_call_output(c, 1, TENSOR_ELEMENT_F32, 0, NULL, &scale, err));
    TRY(plan_call_output(c, 2, TENSOR_ELEMENT_U8, 0, NULL, &zero, err));
    cpu_int8_quantize_dynamic(c, x->data, x->elems, y->data, scale->data, &code);
    *(uint8_t *)zero->data = (uint8_t)code;
done:
    return status;
}

/* ------------------------------------------------------------------- QuantizeLinear and back */

/* One scale for all, float32 and 8-bit codes. */
bool cpu_accepts_quantize(const graph *g, graph_node_id n, base_buffer *why) {
    const bool is_back = g->nodes[n].op == GRAPH_OP_DEQUANTIZE_LINEAR;
    const graph_value *x = cpu_int8_value(g, n, 0), *scale = cpu_int8_value(g, n, 1);
    const graph_value *zero = cpu_int8_value(g, n, 2);
    const bool fine = x && scale && scale->element == TENSOR_ELEMENT_F32 &&
                      cpu_int8_is_one(g, n, 1) && cpu_int8_is_one(g, n, 2) &&
                      (!zero || cpu_int8_are(zero)) &&
                      (is_back ? cpu_int8_are(x) : x->element == TENSOR_ELEMENT_F32) &&
                      !graph_get_int(g, n, "block_size") && !graph_get_int(g, n, "output_dtype") &&
                      !graph_get_int(g, n, "precision");
    if (!fine && why) base_buffer_append_text(why, "it takes float32, 8-bit codes and one scale");
    return fine;
}

typedef struct linear_job {
    const cpu_int8 *kernels;
    const void *x;
    void *y;
    uint64_t n, each;
    float scale;
    int32_t zero, low;
    bool is_back;
} linear_job;

static void linear_unit(uint32_t unit, unsigned thread, void *argument) {
    const linear_job *j = argument;
    const uint64_t first = unit * j->each, left = j->n - first;
    const size_t count = (size_t)(left < j->each ? left : j->each);
    (void)thread;
    if (j->is_back)
        j->kernels->dequantize((float *)j->y + first, (const uint8_t *)j->x + first, j->scale,
                               j->zero, j->low, count);
    else
        j->kernels->quantize((uint8_t *)j->y + first, (const float *)j->x + first, j->scale,
                             j->zero, j->low, count);
}

/* The scale at input i, and the zero point behind it (0 where it is absent); *e: its type,
 * UNDEFINED where it is absent. */
static ondol_status read_meaning(const plan_call *c, uint32_t i, float *scale, int32_t *zero,
                                 tensor_element *e, ondol_error *err) {
    tensor_value *s = NULL, *z = NULL;
    ondol_status status = ONDOL_OK;
    *zero = 0;
    *e = TENSOR_ELEMENT_UNDEFINED;
    TRY(plan_call_typed(c, i, TENSOR_ELEMENT_F32, &s, err));
    if (plan_call_input(c, i + 1)) TRY(plan_call_tensor(c, i + 1, &z, err));
    if (s->elems != 1 || (z && z->elems != 1) ||
        (z && z->element != TENSOR_ELEMENT_U8 && z->element != TENSOR_ELEMENT_I8)) {
        return plan_call_fail(c, err, "input %" PRIu32 " is no single scale with its zero point",
                              i);
    }
    *scale = *(const float *)s->data;
    if (!z) return ONDOL_OK;
    *e = z->element;
    *zero = *e == TENSOR_ELEMENT_I8 ? *(const int8_t *)z->data : *(const uint8_t *)z->data;
done:
    return status;
}

static ondol_status run_linear(plan_call *c, bool is_back, ondol_error *err) {
    linear_job j = {.kernels = cpu_int8_of(c->device), .is_back = is_back};
    tensor_value *x = NULL, *y = NULL;
    tensor_element e = TENSOR_ELEMENT_UNDEFINED;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(read_meaning(c, 1, &j.scale, &j.zero, &e, err));
    const bool are_codes = x->element == TENSOR_ELEMENT_U8 || x->element == TENSOR_ELEMENT_I8;
    if (is_back ? !are_codes || (e != TENSOR_ELEMENT_UNDEFINED && e != x->element)
                : x->element != TENSOR_ELEMENT_F32) {
        return plan_call_fail(c, err, "its input has elements of type %s",
                              tensor_element_onnx_name(x->element));
    }
    if (is_back) e = x->element;
    if (e == TENSOR_ELEMENT_UNDEFINED) e = TENSOR_ELEMENT_U8;
    j.low = e == TENSOR_ELEMENT_I8 ? -128 : 0;
    TRY(plan_call_output(c, 0, is_back ? TENSOR_ELEMENT_F32 : e, x->rank, x->dims, &y, err));
    y->channels_last = x->channels_last;
    j.x = x->data;
    j.y = y->data;
    j.n = x->elems;
    const uint32_t units = pieces_of(j.n, &j.each);
    plan_call_parallel(c, units, linear_unit, &j);
done:
    return status;
}

ondol_status cpu_run_quantize(plan_call *c, ondol_error *err) {
    return run_linear(c, false, err);
}

ondol_status cpu_run_dequantize(plan_call *c, ondol_error *err) {
    return run_linear(c, true, err);
}

/* ------------------------------------------------------------------------ QLinearAdd, QLinearMul
 */

bool cpu_accepts_int8_binary(const graph *g, graph_node_id n, base_buffer *why) {
    bool fine = cpu_int8_are(cpu_int8_value(g, n, 0));
    for (uint32_t i = 1; i < 8; i++)
        fine = fine && (i == 3 || cpu_int8_is_one(g, n, i));
    if (!fine && why) base_buffer_append_text(why, "it takes 8-bit codes with one scale each");
    return fine;
}

typedef struct binary_job {
    const cpu_int8 *kernels;
    const uint8_t *a, *b;
    uint8_t *y;
    cpu_int8_binary p;
    bool is_mul;
} binary_job;

static void binary_run(const cpu_run *r, const cpu_broadcast *b, const void *argument) {
    const binary_job *j = argument;
    const uint8_t *left = j->a + r->at[0], *right = j->b + r->at[1];
    const size_t left_step = (size_t)b->step[0][0], right_step = (size_t)b->step[1][0];
    (j->is_mul ? j->kernels->multiply : j->kernels->add)(j->y + r->out, left, left_step, right,
                                                         right_step, &j->p, (size_t)r->count);
}

/* True for two images of one shape, of which one has channels last. */
/* Runs on what both operands hold, in the same order of elements. */
static ondol_status run_joined(plan_call *c, binary_job *j, tensor_value *const *given,
                               ondol_error *err) {
    tensor_value *in[2] = {NULL}, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK] = {0};
    uint32_t rank = 0;
    bool last = false;
    cpu_broadcast b;
    ondol_status status = ONDOL_OK;
    TRY(cpu_broadcast_operands(c, given, 2, in, &last, err));
    TRY(cpu_broadcast_join(c, in, 2, last, &b, &rank, dims, err));
    TRY(plan_call_output(c, 0, in[0]->element, rank, dims, &y, err));
    y->channels_last = last;
    j->a = in[0]->data;
    j->b = in[1]->data;
    j->y = y->data;
    if (y->elems) cpu_broadcast_run(c, &b, binary_run, j);
done:
    tensor_value_release(in[0]);
    tensor_value_release(in[1]);
    return status;
}

ondol_status cpu_run_int8_binary(plan_call *c, ondol_error *err) {
    binary_job j = {.kernels = cpu_int8_of(c->device),
                    .is_mul = c->g->nodes[c->node].op == GRAPH_OP_MS_QLINEAR_MUL};
    tensor_value *in[2] = {NULL};
    tensor_element types[3];
    float scales[3];
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, in, err));
    TRY(plan_call_typed(c, 3, in[0]->element, in + 1, err));
    TRY(read_meaning(c, 1, scales, &j.p.a_zero, types, err));
    TRY(read_meaning(c, 4, scales + 1, &j.p.b_zero, types + 1, err));
    TRY(read_meaning(c, 6, scales + 2, &j.p.y_zero, types + 2, err));
    const tensor_element e = in[0]->element;
    bool fits = e == TENSOR_ELEMENT_U8 || e == TENSOR_ELEMENT_I8;
    for (int i = 0; i < 3; i++)
        fits = fits && (types[i] == TENSOR_ELEMENT_UNDEFINED || types[i] == e);
    if (!fits) return plan_call_fail(c, err, "its operands and zero points differ in type");
    j.p.low = e == TENSOR_ELEMENT_I8 ? -128 : 0;
    const float both = scales[0] * scales[1];
    j.p.a_by = j.is_mul ? both / scales[2] : scales[0] / scales[2];
    j.p.b_by = scales[1] / scales[2];
    TRY(run_joined(c, &j, in, err));
done:
    return status;
}
