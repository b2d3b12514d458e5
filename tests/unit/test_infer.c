/* graph/infer: shapes and types of nodes from what is known of their inputs, numbers through shape
 * arithmetic, attributes at which arithmetic would overflow. */
#include "graph/infer/infer.h"
#include "graph/ops.h"
#include "unit.h"

typedef struct fixture {
    ondol_allocator a;
    graph *g;
    ondol_error err;
} fixture;

static int begin(void **state) {
    static fixture f;
    f = (fixture){.a = base_default_allocator()};
    *state = &f;
    return graph_create(&f.a, "test", &f.g, &f.err) == ONDOL_OK ? 0 : 1;
}

static int end(void **state) {
    fixture *f = *state;
    graph_destroy(f->g);
    return 0;
}

static graph_shape shape_of(uint32_t rank, const graph_dim *dims) {
    graph_shape s = {.rank = rank};
    memcpy(s.dims, dims, rank * sizeof *dims);
    return s;
}

#define SHAPE(...)                                                                                 \
    shape_of((uint32_t)(sizeof((graph_dim[]){__VA_ARGS__}) / sizeof(graph_dim)),                   \
             (graph_dim[]){__VA_ARGS__})

static graph_value_id input(fixture *f, graph_shape shape) {
    graph_value_id v = GRAPH_NONE;
    ondol_error err;
    ASSERT_OK(graph_add_input(f->g, "x", TENSOR_ELEMENT_F32, shape, &v, &err));
    return v;
}

static graph_value_id integers(fixture *f, uint32_t count, const int64_t *v) {
    graph_value_id id = GRAPH_NONE;
    ondol_error err;
    ASSERT_OK(graph_add_constant(f->g, "n", TENSOR_ELEMENT_I64, SHAPE(count), v, &id, &err));
    return id;
}

static graph_node_id node(fixture *f, const char *op, uint32_t outputs, uint32_t count,
                          const graph_value_id *in) {
    graph_node_id n = GRAPH_NONE;
    graph_op which = GRAPH_OP_COUNT;
    ondol_error err;
    for (uint32_t o = 0; o < GRAPH_OP_COUNT; o++) {
        const graph_op_info *info = graph_op_info_of((graph_op)o);
        if (strcmp(info->name, op) == 0 && *info->domain == 0) which = (graph_op)o;
    }
    assert_true(which != GRAPH_OP_COUNT);
    ASSERT_OK(graph_add_node(f->g, which, "here", in, count, outputs, &n, &err));
    return n;
}

static void expect(fixture *f, graph_node_id n, uint32_t output, graph_shape wanted) {
    ondol_error err;
    ASSERT_OK(graph_infer_node(f->g, n, &err));
    const graph_shape *have = &f->g->values[graph_output_of(f->g, n, output)].shape;
    assert_int_equal(have->rank, wanted.rank);
    for (uint32_t i = 0; i < wanted.rank; i++)
        assert_int_equal(have->dims[i], wanted.dims[i]);
}

static void arithmetic_stays_within_int64(void **state) {
    (void)state;
    static const int64_t some[] = {
        INT64_MIN,        INT64_MIN + 1,    -((int64_t)1 << 32), -2,       -1, 0, 1, 2,
        (int64_t)1 << 31, (int64_t)1 << 32, INT64_MAX - 1,       INT64_MAX};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        for (size_t k = 0; k < sizeof some / sizeof *some; k++) {
            const int64_t a = some[i], b = some[k];
            const long double sum = (long double)a + b, product = (long double)a * b;
            const int64_t s = infer_sum(a, b), p = infer_product(a, b);
            assert_int_equal(s, sum >= INT64_MAX ? INT64_MAX : sum <= INT64_MIN ? INT64_MIN : s);
            if (sum > INT64_MIN && sum < INT64_MAX) assert_true((long double)s == sum);
            assert_int_equal(p, product >= INT64_MAX   ? INT64_MAX
                                : product <= INT64_MIN ? INT64_MIN
                                                       : p);
            if (product > INT64_MIN && product < INT64_MAX) assert_true((long double)p == product);
        }
    }
    assert_int_equal(infer_size(-1), GRAPH_DIM_UNKNOWN);
    assert_int_equal(infer_size(INT64_MAX), GRAPH_DIM_UNKNOWN);
    assert_int_equal(infer_size(7), 7);
}

static void broadcasting(void **state) {
    fixture *f = *state;
    graph_dim batch;
    ondol_error err;
    ASSERT_OK(graph_symbol(f->g, "batch", &batch, &err));
    const graph_value_id both[] = {input(f, SHAPE(batch, 1, 3)), input(f, SHAPE(4, 1))};
    expect(f, node(f, "Add", 1, 2, both), 0, SHAPE(batch, 4, 3));
    const graph_value_id open[] = {input(f, SHAPE(GRAPH_DIM_UNKNOWN, 3)), input(f, SHAPE(5, 3))};
    expect(f, node(f, "Add", 1, 2, open), 0, SHAPE(5, 3));
    const graph_value_id odd[] = {input(f, SHAPE(2)), input(f, SHAPE(3))};
    ASSERT_STATUS(graph_infer_node(f->g, node(f, "Add", 1, 2, odd), &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "node 'here' (Add)");
}

/* Reshape(x, Concat(Gather(Shape(x), 0), [-1])): the batch's symbol goes through. */
static void numbers_go_through(void **state) {
    fixture *f = *state;
    graph_dim batch;
    ondol_error err;
    static const int64_t zero[] = {0}, rest[] = {-1};
    ASSERT_OK(graph_symbol(f->g, "batch", &batch, &err));
    const graph_value_id x = input(f, SHAPE(batch, 3, 4));
    graph_node_id n = node(f, "Shape", 1, 1, &x);
    expect(f, n, 0, SHAPE(3));
    const graph_value_id gather[] = {graph_output_of(f->g, n, 0), integers(f, 1, zero)};
    n = node(f, "Gather", 1, 2, gather);
    expect(f, n, 0, SHAPE(1));
    const graph_value_id concat[] = {graph_output_of(f->g, n, 0), integers(f, 1, rest)};
    n = node(f, "Concat", 1, 2, concat);
    ASSERT_OK(graph_set_int(f->g, n, "axis", 0, &err));
    expect(f, n, 0, SHAPE(2));
    const graph_value_id reshape[] = {x, graph_output_of(f->g, n, 0)};
    n = node(f, "Reshape", 1, 2, reshape);
    expect(f, n, 0, SHAPE(batch, 12));
}

/* Attributes and constants at which sizes would pass int64: unknown, or refused; never an
 * overflow, which a sanitizer finds, and never a size below 0. */
static void extremes(void **state) {
    fixture *f = *state;
    static const int64_t far[] = {INT64_MIN, -1, 0, 1, (int64_t)1 << 62, INT64_MAX};
    static const char *const lists[] = {"strides", "dilations", "pads", "kernel_shape",
                                        "output_padding"};
    static const char *const windows[] = {"Conv", "ConvTranspose", "MaxPool", "AveragePool"};
    for (size_t v = 0; v < sizeof far / sizeof *far; v++) {
        const int64_t four[] = {far[v], far[v], far[v], far[v]};
        for (size_t op = 0; op < 4; op++) {
            for (size_t l = 0; l < 5; l++) {
                const graph_value_id in[] = {input(f, SHAPE(1, 2, INT64_MAX, 4)),
                                             input(f, SHAPE(2, 2, 3, INT64_MAX))};
                const graph_node_id n = node(f, windows[op], 1, op < 2 ? 2 : 1, in);
                ondol_error err = {0};
                if (graph_set_ints(f->g, n, lists[l], four, l == 2 ? 4 : 2, &err) != ONDOL_OK)
                    continue; /* the operator has no such list */
                if (graph_infer_node(f->g, n, &err) != ONDOL_OK) {
                    ASSERT_CONTAINS(err.text, "node 'here'");
                    continue;
                }
                const graph_shape *y = &f->g->values[graph_output_of(f->g, n, 0)].shape;
                for (uint32_t d = 0; y->rank != GRAPH_RANK_UNKNOWN && d < y->rank; d++)
                    assert_true(y->dims[d] >= 0 || y->dims[d] == GRAPH_DIM_UNKNOWN);
            }
        }
        for (size_t w = 0; w < sizeof far / sizeof *far; w++) {
            const int64_t pads[] = {far[v], far[w]}, one[] = {1};
            const graph_value_id pad[] = {input(f, SHAPE(3)), integers(f, 2, pads)};
            const graph_value_id range[] = {integers(f, 1, far + v), integers(f, 1, far + w),
                                            integers(f, 1, one)};
            const graph_value_id slice[] = {input(f, SHAPE(INT64_MAX)), range[0], range[1]};
            ondol_error err = {0};
            graph_infer_node(f->g, node(f, "Pad", 1, 2, pad), &err);
            graph_infer_node(f->g, node(f, "Range", 1, 3, range), &err);
            graph_infer_node(f->g, node(f, "Slice", 1, 3, slice), &err);
            graph_infer_node(f->g, node(f, "Split", 2, 2, pad), &err);
        }
    }
}

static void parts_of_split(void **state) {
    fixture *f = *state;
    ondol_error err = {0};
    static const int64_t good[] = {1, 4}, bad[] = {1, 3};
    const graph_value_id known[] = {input(f, SHAPE(5, 2)), integers(f, 2, good)};
    expect(f, node(f, "Split", 2, 2, known), 1, SHAPE(4, 2));
    const graph_value_id short_ones[] = {input(f, SHAPE(5, 2)), integers(f, 2, bad)};
    ASSERT_STATUS(graph_infer_node(f->g, node(f, "Split", 2, 2, short_ones), &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "its parts leave 1 of 5");
    graph_node_id n = node(f, "Split", 2, 1, known);
    ASSERT_OK(graph_set_int(f->g, n, "num_outputs", 3, &err));
    ASSERT_STATUS(graph_infer_node(f->g, n, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "num_outputs is 3");
    n = node(f, "Split", 3, 1, known);
    ASSERT_OK(graph_set_int(f->g, n, "num_outputs", 3, &err));
    expect(f, n, 2, SHAPE(1, 2)); /* the last one is smaller */
}

/* Outputs that are left out have no type to print. */
static void absent_outputs_are_printed(void **state) {
    fixture *f = *state;
    base_buffer text;
    const graph_value_id x = input(f, SHAPE(4));
    const graph_node_id n = node(f, "Split", 2, 1, &x);
    f->g->nodes[n].outputs[0] = GRAPH_NONE;
    ondol_error err;
    ASSERT_OK(graph_infer_node(f->g, n, &err));
    base_buffer_init(&text, &f->a, 1 << 16);
    graph_print(f->g, &text);
    base_buffer_append(&text, "", 1);
    ASSERT_CONTAINS(text.data, "float[2] = Split");
    base_buffer_destroy(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_stays_within_int64),
        cmocka_unit_test_setup_teardown(broadcasting, begin, end),
        cmocka_unit_test_setup_teardown(numbers_go_through, begin, end),
        cmocka_unit_test_setup_teardown(extremes, begin, end),
        cmocka_unit_test_setup_teardown(parts_of_split, begin, end),
        cmocka_unit_test_setup_teardown(absent_outputs_are_printed, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
