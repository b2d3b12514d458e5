/* One operator called by itself: inputs from lists, the oracle's kernel, outputs checked.
 *
 *     op_call c;
 *     op_begin(&c);
 *     op_numbers(&c, TENSOR_ELEMENT_F32, DIMS(2), 1.0, 2.0);
 *     op_node(&c, "", "Neg", 1);
 *     op_run_ok(&c);
 *     op_expect(&c, 0, TENSOR_ELEMENT_F32, DIMS(2), -1.0, -2.0);
 *     op_end(&c);
 */
#ifndef OP_CALL_H
#define OP_CALL_H

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "device/ref/ops/ref_kernels.h"
#include "graph/ops.h"
#include "tensor/number.h"
#include "unit.h"

#define OP_CALL_MAX 16

typedef struct op_call {
    const ondol_allocator *allocator;
    ondol_allocator heap_allocator;
    graph *g;
    graph_node_id node;
    tensor_heap *heap;
    tensor_value *inputs[OP_CALL_MAX], *outputs[OP_CALL_MAX];
    graph_value_id ids[OP_CALL_MAX];
    uint32_t input_count, output_count;
    ondol_error err;
} op_call;

/* A shape: rank and dims, two arguments. */
#define DIMS(...)                                                                                  \
    (uint32_t)(sizeof((int64_t[]){__VA_ARGS__}) / 8), (int64_t[]) {                                \
        __VA_ARGS__                                                                                \
    }
#define SCALAR 0, NULL

static inline void op_begin_with(op_call *c, const ondol_allocator *a, uint64_t max_bytes) {
    memset(c, 0, sizeof *c);
    c->heap_allocator = base_default_allocator();
    c->allocator = &c->heap_allocator;
    ondol_error err = {0};
    ASSERT_OK(graph_create(c->allocator, "test", &c->g, &err));
    ASSERT_OK(tensor_heap_create(a ? a : c->allocator, max_bytes, &c->heap, &err));
}

static inline void op_begin(op_call *c) {
    op_begin_with(c, NULL, (uint64_t)1 << 30);
}

static inline void op_release_outputs(op_call *c) {
    for (uint32_t i = 0; i < c->output_count; i++) {
        tensor_value_release(c->outputs[i]);
        c->outputs[i] = NULL;
    }
}

static inline void op_end(op_call *c) {
    op_release_outputs(c);
    for (uint32_t i = 0; i < c->input_count; i++)
        tensor_value_release(c->inputs[i]);
    assert_int_equal(tensor_heap_used(c->heap), 0);
    tensor_heap_destroy(c->heap);
    graph_destroy(c->g);
}

/* The next input; v NULL: absent. Takes v. */
static inline void op_take(op_call *c, tensor_value *v) {
    char name[16];
    ondol_error err = {0};
    const uint32_t i = c->input_count++;
    c->inputs[i] = v;
    c->ids[i] = GRAPH_NONE;
    if (!v) return;
    snprintf(name, sizeof name, "x%" PRIu32, i);
    ASSERT_OK(graph_add_input(c->g, name, v->element, graph_shape_unknown(), c->ids + i, &err));
}

static inline void op_absent(op_call *c) {
    op_take(c, NULL);
}

static inline tensor_value *op_tensor(op_call *c, tensor_element e, uint32_t rank,
                                      const int64_t *dims) {
    tensor_value *v = NULL;
    ondol_error err = {0};
    ASSERT_OK(tensor_value_create(c->heap, e, rank, dims, &v, &err));
    return v;
}

static inline void op_numbers_list(op_call *c, tensor_element e, uint32_t rank, const int64_t *dims,
                                   const double *list, size_t count) {
    tensor_value *v = op_tensor(c, e, rank, dims);
    assert_int_equal(v->elems, count);
    for (uint64_t i = 0; i < count; i++)
        tensor_set_number(e, v->data, i, list[i]);
    op_take(c, v);
}
/* Numbers of any type, as doubles; as many as the shape has. */
#define OP_LIST(type, ...)           (type[]){__VA_ARGS__}, sizeof((type[]){__VA_ARGS__}) / sizeof(type)
#define op_numbers(c, e, shape, ...) op_numbers_shape(c, e, shape, OP_LIST(double, __VA_ARGS__))
#define op_numbers_shape(c, e, ...)  op_numbers_list(c, e, __VA_ARGS__)

static inline void op_integers_list(op_call *c, tensor_element e, uint32_t rank,
                                    const int64_t *dims, const int64_t *list, size_t count) {
    tensor_value *v = op_tensor(c, e, rank, dims);
    assert_int_equal(v->elems, count);
    for (uint64_t i = 0; i < count; i++)
        tensor_set_integer(e, v->data, i, list[i]);
    op_take(c, v);
}
#define op_integers(c, e, shape, ...) op_integers_shape(c, e, shape, OP_LIST(int64_t, __VA_ARGS__))
#define op_integers_shape(c, e, ...)  op_integers_list(c, e, __VA_ARGS__)

/* A tensor without elements. */
static inline void op_empty(op_call *c, tensor_element e, uint32_t rank, const int64_t *dims) {
    tensor_value *v = op_tensor(c, e, rank, dims);
    assert_int_equal(v->elems, 0);
    op_take(c, v);
}

/* The node, behind its inputs; attributes are set on c->g, c->node afterwards. */
static inline void op_node(op_call *c, const char *domain, const char *name, uint32_t outputs) {
    graph_op op = GRAPH_OP_COUNT;
    ondol_error err = {0};
    assert_true(graph_op_find(domain, name, &op));
    c->output_count = outputs;
    ASSERT_OK(graph_add_node(c->g, op, "node", c->ids, c->input_count, outputs, &c->node, &err));
}

static inline void op_set_int(op_call *c, const char *name, int64_t v) {
    ondol_error err = {0};
    ASSERT_OK(graph_set_int(c->g, c->node, name, v, &err));
}
static inline void op_set_float(op_call *c, const char *name, double v) {
    ondol_error err = {0};
    ASSERT_OK(graph_set_float(c->g, c->node, name, v, &err));
}
static inline void op_set_string(op_call *c, const char *name, const char *v) {
    ondol_error err = {0};
    ASSERT_OK(graph_set_string(c->g, c->node, name, v, &err));
}

/* The kernel's state is made and released around the run. */
static inline ondol_status op_run(op_call *c) {
    const plan_kernel *kernel = ref_kernel_of(c->g->nodes[c->node].op);
    const bool disposable[OP_CALL_MAX] = {false};
    assert_non_null(kernel);
    plan_call call = {.g = c->g,
                      .node = c->node,
                      .inputs = c->inputs,
                      .outputs = c->outputs,
                      .disposable = disposable,
                      .input_count = c->input_count,
                      .output_count = c->output_count,
                      .heap = c->heap};
    void *state = NULL;
    ondol_status status = ONDOL_OK;
    c->err = (ondol_error){0};
    if (kernel->prepare) {
        status = kernel->prepare(NULL, tensor_heap_allocator(c->heap), c->g, c->node, NULL, &state,
                                 &c->err);
    }
    call.state = state;
    if (status == ONDOL_OK) status = kernel->run(&call, &c->err);
    if (kernel->release) kernel->release(tensor_heap_allocator(c->heap), state);
    return status;
}

static inline void op_run_ok(op_call *c) {
    const ondol_status status = op_run(c);
    if (status != ONDOL_OK) fail_msg("%s: %s", base_status_name(status), c->err.text);
}

/* The call ends with `want`, and its sentence has `part`. */
static inline void op_run_fails(op_call *c, ondol_status want, const char *part) {
    const ondol_status status = op_run(c);
    if (status != want) {
        fail_msg("%s, expected %s (%s)", base_status_name(status), base_status_name(want),
                 c->err.text);
    }
    ASSERT_CONTAINS(c->err.text, part);
}

static inline void op_expect_shape(op_call *c, uint32_t output, tensor_element e, uint32_t rank,
                                   const int64_t *dims) {
    const tensor_value *v = c->outputs[output];
    assert_non_null(v);
    assert_int_equal(v->element, e);
    assert_int_equal(v->rank, rank);
    for (uint32_t i = 0; i < rank; i++)
        assert_int_equal(v->dims[i], dims[i]);
}

/* Numbers equal to the last bit; NaN equals NaN. */
static inline void op_expect_list(op_call *c, uint32_t output, tensor_element e, uint32_t rank,
                                  const int64_t *dims, const double *list, size_t count) {
    op_expect_shape(c, output, e, rank, dims);
    const tensor_value *v = c->outputs[output];
    assert_int_equal(v->elems, count);
    for (uint64_t i = 0; i < count; i++) {
        const double got = tensor_get_number(e, v->data, i);
        const bool same = isnan(list[i]) ? isnan(got) : got == list[i];
        const bool same_sign = isnan(got) || signbit(got) == signbit(list[i]);
        if (!same || !same_sign)
            fail_msg("element %" PRIu64 ": %.17g, expected %.17g", i, got, list[i]);
    }
}
#define op_expect(c, output, e, shape, ...)                                                        \
    op_expect_numbers(c, output, e, shape, OP_LIST(double, __VA_ARGS__))
#define op_expect_numbers(c, output, e, ...) op_expect_list(c, output, e, __VA_ARGS__)

static inline void op_expect_integers_list(op_call *c, uint32_t output, tensor_element e,
                                           uint32_t rank, const int64_t *dims, const int64_t *list,
                                           size_t count) {
    op_expect_shape(c, output, e, rank, dims);
    const tensor_value *v = c->outputs[output];
    assert_int_equal(v->elems, count);
    for (uint64_t i = 0; i < count; i++) {
        const int64_t got = tensor_get_integer(e, v->data, i);
        if (got != list[i])
            fail_msg("element %" PRIu64 ": %" PRId64 ", expected %" PRId64, i, got, list[i]);
    }
}
#define op_expect_integers(c, output, e, shape, ...)                                               \
    op_expect_whole(c, output, e, shape, OP_LIST(int64_t, __VA_ARGS__))
#define op_expect_whole(c, output, e, ...) op_expect_integers_list(c, output, e, __VA_ARGS__)

#endif
