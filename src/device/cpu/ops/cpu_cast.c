/* Cast between the types that models count and compute in. In: numbers of one type. Out: the same
 * of another, as C converts them; what is out of range of an integer type saturates. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "device/cpu/ops/cpu_axis_ops.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/rows.h"
#include "tensor/half.h"

static bool is_common(tensor_element e) {
    switch (e) {
    case TENSOR_ELEMENT_F32:
    case TENSOR_ELEMENT_F16:
    case TENSOR_ELEMENT_BF16:
    case TENSOR_ELEMENT_F64:
    case TENSOR_ELEMENT_I64:
    case TENSOR_ELEMENT_I32:
    case TENSOR_ELEMENT_I8:
    case TENSOR_ELEMENT_U8:
    case TENSOR_ELEMENT_BOOL: return true;
    default: return false;
    }
}

/* Cast names its type, CastLike shows it. */
static tensor_element target_of(const graph *g, graph_node_id n) {
    const graph_node *node = g->nodes + n;
    if (node->op == GRAPH_OP_CAST) return (tensor_element)graph_get_int(g, n, "to");
    return g->values[node->inputs[1]].element;
}

bool cpu_accepts_cast(const graph *g, graph_node_id n, base_buffer *why) {
    const tensor_element from = g->values[g->nodes[n].inputs[0]].element;
    const tensor_element to = target_of(g, n);
    if (is_common(from) && is_common(to) &&
        (from != TENSOR_ELEMENT_F64 || tensor_element_bits(to) != 16)) {
        return true;
    }
    if (why) base_buffer_append_text(why, "it casts between float, float16, double, ints and bool");
    return false;
}

typedef struct cast_job {
    const cpu_rows *rows;
    tensor_element from, to;
    const void *x;
    void *y;
    uint64_t n, each;
} cast_job;

static int64_t whole(double v) {
    if (v != v) return 0;
    if (v >= 0x1p63) return INT64_MAX;
    return v < -0x1p63 ? INT64_MIN : (int64_t)v;
}

/* Reads as the type that holds all of both sides: double for floats, int64 for integers. */
#define FROM_INTEGER(type)                                                                         \
    {                                                                                              \
        const type *x = (const type *)j->x + first;                                                \
        switch (j->to) {                                                                           \
        case TENSOR_ELEMENT_F32: FILL(float, (float)x[i]);                                         \
        case TENSOR_ELEMENT_F64: FILL(double, (double)x[i]);                                       \
        case TENSOR_ELEMENT_F16: FILL(uint16_t, tensor_f32_to_f16((float)x[i]));                   \
        case TENSOR_ELEMENT_BF16: FILL(uint16_t, tensor_f32_to_bf16((float)x[i]));                 \
        case TENSOR_ELEMENT_I64: FILL(int64_t, (int64_t)x[i]);                                     \
        case TENSOR_ELEMENT_I32: FILL(int32_t, (int32_t)x[i]);                                     \
        case TENSOR_ELEMENT_I8: FILL(int8_t, (int8_t)x[i]);                                        \
        case TENSOR_ELEMENT_U8: FILL(uint8_t, (uint8_t)x[i]);                                      \
        default: FILL(uint8_t, x[i] != 0);                                                         \
        }                                                                                          \
        break;                                                                                     \
    }

#define FROM_FLOAT(type, value)                                                                    \
    {                                                                                              \
        const type *x = (const type *)j->x + first;                                                \
        switch (j->to) {                                                                           \
        case TENSOR_ELEMENT_F32: FILL(float, (float)(value));                                      \
        case TENSOR_ELEMENT_F64: FILL(double, (double)(value));                                    \
        case TENSOR_ELEMENT_F16: FILL(uint16_t, tensor_f32_to_f16((float)(value)));                \
        case TENSOR_ELEMENT_BF16: FILL(uint16_t, tensor_f32_to_bf16((float)(value)));              \
        case TENSOR_ELEMENT_I64: FILL(int64_t, whole((double)(value)));                            \
        case TENSOR_ELEMENT_I32: FILL(int32_t, (int32_t)whole((double)(value)));                   \
        case TENSOR_ELEMENT_I8: FILL(int8_t, (int8_t)whole((double)(value)));                      \
        case TENSOR_ELEMENT_U8: FILL(uint8_t, (uint8_t)whole((double)(value)));                    \
        default: FILL(uint8_t, (value) != 0);                                                      \
        }                                                                                          \
        break;                                                                                     \
    }

#define FILL(type, value)                                                                          \
    for (uint64_t i = 0; i < count; i++)                                                           \
        ((type *)j->y)[first + i] = (value);                                                       \
    break

static void cast_unit(uint32_t unit, unsigned thread, void *argument) {
    const cast_job *j = argument;
    const uint64_t first = unit * j->each, left = j->n - first;
    const uint64_t count = left < j->each ? left : j->each;
    (void)thread;
    if (j->from == TENSOR_ELEMENT_F16 && j->to == TENSOR_ELEMENT_F32) {
        j->rows->from_f16((float *)j->y + first, (const uint16_t *)j->x + first, (size_t)count);
        return;
    }
    if (j->from == TENSOR_ELEMENT_F32 && j->to == TENSOR_ELEMENT_F16) {
        j->rows->to_f16((uint16_t *)j->y + first, (const float *)j->x + first, (size_t)count);
        return;
    }
    switch (j->from) {
    case TENSOR_ELEMENT_F32: FROM_FLOAT(float, x[i])
    case TENSOR_ELEMENT_BF16: FROM_FLOAT(uint16_t, tensor_bf16_to_f32(x[i]))
    case TENSOR_ELEMENT_F64: FROM_FLOAT(double, x[i])
    case TENSOR_ELEMENT_F16: FROM_FLOAT(uint16_t, tensor_f16_to_f32(x[i]))
    case TENSOR_ELEMENT_I64: FROM_INTEGER(int64_t)
    case TENSOR_ELEMENT_I32: FROM_INTEGER(int32_t)
    case TENSOR_ELEMENT_I8: FROM_INTEGER(int8_t)
    default: FROM_INTEGER(uint8_t)
    }
}

ondol_status cpu_run_cast(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    cast_job j = {.rows = cpu_rows_select(cpu_device_of(c->device)->isa),
                  .to = target_of(c->g, c->node),
                  .each = 1u << 15};
    ondol_status status = plan_call_tensor(c, 0, &x, err);
    if (status != ONDOL_OK) return status;
    if (!is_common(x->element)) {
        return plan_call_fail(c, err, "an input of type %s", tensor_element_onnx_name(x->element));
    }
    if (x->element == j.to) {
        plan_call_give(c, 0, x);
        return ONDOL_OK;
    }
    status = plan_call_output(c, 0, j.to, x->rank, x->dims, &y, err);
    if (status != ONDOL_OK) return status;
    j.from = x->element;
    j.x = x->data;
    j.y = y->data;
    j.n = x->elems;
    plan_call_parallel(c, (uint32_t)((j.n + j.each - 1) / j.each), cast_unit, &j);
    return ONDOL_OK;
}
