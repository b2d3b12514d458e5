/* formats/onnx, the checker: one model that keeps the rules, and each rule broken in it. */
#include <stdio.h>

#include "fail_alloc.h"
#include "formats/onnx/onnx_check.h"
#include "onnx_build.h"

/* A model to break: two nodes, a subgraph, an initializer, two functions. */
typedef struct fixture {
    onnx_build build;
    onnx_node nodes[4], then_nodes[2], f_nodes[2], g_nodes[2];
    onnx_graph graph, then;
    onnx_tensor weights[3];
    onnx_sparse_tensor sparse;
    onnx_tensor sparse_values, sparse_indices;
    onnx_attribute alpha, branch;
    onnx_function functions[2];
    onnx_operator_set sets[3];
    onnx_string_entry metadata[2];
    onnx_training_info training;
    onnx_graph step;
    onnx_node step_nodes[1];
    onnx_string_entry update[2];
    onnx_model_proto model;
} fixture;

static const int64_t TWO[] = {2}, SIX[] = {6};
static const int64_t NUMBERS[] = {1, 2, 3, 4};

static onnx_tensor weight(onnx_build *b, const char *name) {
    return i64_tensor(b, name, NUMBERS, 2);
}

static void open_graph(fixture *f) {
    onnx_build *b = &f->build;
    f->then_nodes[0] = node_of(b, "Neg", "a,w", "t");
    f->then = graph_of(b, f->then_nodes, 1, "", "t");
    f->then.node.items = f->then_nodes;
    f->branch = attribute_of("then_branch", ONNX_ATTRIBUTE_GRAPH);
    f->branch.head.has |= HAS(attribute, g);
    f->branch.g = &f->then;
    f->nodes[0] = node_of(b, "Add", "x,w,", "a,");
    f->nodes[1] = node_of(b, "If", "a", "b");
    f->nodes[1].attribute = (onnx_attribute_list){&f->branch, 1};
    f->nodes[2] = domain_node(b, "local", "F", "b,s", "y");
    f->weights[0] = weight(b, "w");
    f->weights[1] = weight(b, "v");
    f->sparse_values = weight(b, "s");
    f->sparse_indices = weight(b, "");
    f->sparse = (onnx_sparse_tensor){
        .values = &f->sparse_values, .indices = &f->sparse_indices, .dims = {SIX, 1}};
    f->graph = graph_of(b, f->nodes, 3, "", "y");
    onnx_value_info *input = build_copy(b, NULL, 0, sizeof *input);
    *input = info_of("x", tensor_type_of(b, TENSOR_ELEMENT_F32, "2,N"));
    f->graph.input = (onnx_value_info_list){input, 1};
    onnx_value_info *output = build_copy(b, NULL, 0, sizeof *output);
    *output = info_of("y", tensor_type_of(b, TENSOR_ELEMENT_F32, ""));
    f->graph.output = (onnx_value_info_list){output, 1};
    f->graph.node.items = f->nodes;
    f->graph.initializer = (onnx_tensor_list){f->weights, 2};
    f->graph.sparse_initializer = (onnx_sparse_tensor_list){&f->sparse, 1};
}

static void open_fixture(fixture *f) {
    *f = (fixture){0};
    onnx_build *b = &f->build;
    build_begin(b);
    open_graph(f);
    f->alpha = reference_attribute("alpha", ONNX_ATTRIBUTE_FLOAT, "alpha");
    f->f_nodes[0] = node_of(b, "LeakyRelu", "p", "q");
    f->f_nodes[0].attribute = (onnx_attribute_list){&f->alpha, 1};
    f->f_nodes[1] = domain_node(b, "local", "G", "q", "r");
    f->g_nodes[0] = node_of(b, "Abs", "p", "q");
    f->functions[0] = function_of(b, "F", f->f_nodes, 2, "p,o", "r");
    f->functions[0].node.items = f->f_nodes;
    f->functions[0].attribute = names_of(b, "alpha,beta");
    f->functions[1] = function_of(b, "G", f->g_nodes, 1, "p", "q");
    f->functions[1].node.items = f->g_nodes;
    f->model = model_of(b, &f->graph, 20);
    f->model.graph = &f->graph;
    f->model.ir_version = 10;
    f->model.functions = (onnx_function_list){f->functions, 2};
    f->metadata[0] = (onnx_string_entry){.key = text_of("k"), .value = text_of("1")};
    f->metadata[1] = (onnx_string_entry){.key = text_of("l"), .value = text_of("1")};
    f->model.metadata_props = (onnx_string_entry_list){f->metadata, 2};
    f->step_nodes[0] = node_of(b, "Sub", "y,w", "w_new");
    f->step = graph_of(b, f->step_nodes, 1, "", "w_new");
    f->step.node.items = f->step_nodes;
    f->update[0] = (onnx_string_entry){.key = text_of("w"), .value = text_of("w_new")};
    f->update[1] = (onnx_string_entry){.key = text_of("v"), .value = text_of("y")};
    f->training = (onnx_training_info){.algorithm = &f->step, .update_binding = {f->update, 2}};
    f->model.training_info = (onnx_training_info_list){&f->training, 1};
}

static void expect(fixture *f, ondol_status wanted, const char *part) {
    ondol_error err = {0};
    ASSERT_STATUS(onnx_check_model(&f->build.heap, &f->model, NULL, &err), wanted);
    if (wanted != ONDOL_OK) ASSERT_CONTAINS(err.text, part);
    build_end(&f->build);
}

/* Breaks a fresh fixture, then expects FORMAT with that part of the sentence. */
#define BROKEN(part, ...)                                                                          \
    do {                                                                                           \
        fixture f;                                                                                 \
        open_fixture(&f);                                                                          \
        __VA_ARGS__;                                                                               \
        expect(&f, ONDOL_E_FORMAT, part);                                                          \
    } while (0)

#define FINE(...)                                                                                  \
    do {                                                                                           \
        fixture f;                                                                                 \
        open_fixture(&f);                                                                          \
        __VA_ARGS__;                                                                               \
        expect(&f, ONDOL_OK, "");                                                                  \
    } while (0)

static void the_model_keeps_the_rules(void **state) {
    (void)state;
    FINE();
    for (size_t k = 0;; k++) {
        fixture f;
        fail_alloc memory;
        ondol_error err = {0};
        open_fixture(&f);
        fail_alloc_init(&memory, k);
        const ondol_status status = onnx_check_model(&memory.api, &f.model, NULL, &err);
        fail_alloc_check_empty(&memory);
        build_end(&f.build);
        if (!memory.failed) {
            ASSERT_OK(status);
            break;
        }
        ASSERT_STATUS(status, ONDOL_E_MEMORY);
    }
}

static void versions(void **state) {
    (void)state;
    BROKEN("IR version 0, expected 1 to 14", f.model.ir_version = 0);
    BROKEN("IR version 15, expected 1 to 14", f.model.ir_version = 15);
    BROKEN("IR version -1, expected 1 to 14", f.model.ir_version = -1);
    BROKEN("no operator set is imported", f.model.opset_import.count = 0);
    BROKEN("operator sets are imported, which came with IR version 3", f.model.ir_version = 2);
    BROKEN("operator set '': version 2147483648",
           onnx_operator_set o = f.model.opset_import.items[0];
           o.version = (int64_t)1 << 31; f.model.opset_import = (onnx_operator_set_list){&o, 1});
    BROKEN("metadata 'k' is there twice", f.metadata[1].key = f.metadata[0].key);
    BROKEN("the model has no graph", f.model.graph = NULL);
    BROKEN("graph '': the graph has no name", f.graph.name.size_bytes = 0);
    FINE(f.model.ir_version = 14);
}

static void names(void **state) {
    (void)state;
    BROKEN("graph 'test': node 0 '' (Add): input 'z' is no value",
           f.nodes[0].input = names_of(&f.build, "z"));
    BROKEN("node 0 '' (Add): input 'b' is no value", /* of a node behind it */
           f.nodes[0].input = names_of(&f.build, "b"));
    BROKEN("node 0 '' (Add): input 'a' is no value", f.nodes[0].input = names_of(&f.build, "a"));
    BROKEN("node 1 '' (If): output 'a' is a value already",
           f.nodes[1].output = names_of(&f.build, "a"));
    BROKEN("node 1 '' (If): output 'w' is a value already",
           f.nodes[1].output = names_of(&f.build, "w"));
    BROKEN("node 1 '' (If): output 's' is a value already",
           f.nodes[1].output = names_of(&f.build, "s"));
    BROKEN("node 0 '' (Add): output 'q' is a value already",
           f.nodes[0].output = names_of(&f.build, "q,q"));
    BROKEN("output 'y' is no value of the graph", f.nodes[2].output = names_of(&f.build, "z"));
    BROKEN("input 'x' is there twice", onnx_value_info two[2];
           two[0] = two[1] = f.graph.input.items[0];
           f.graph.input = (onnx_value_info_list){two, 2});
    BROKEN("initializer 'w' is there twice", f.weights[1].name = text_of("w"));
    BROKEN("initializer 'w' is there twice", f.sparse_values.name = text_of("w"));
    BROKEN("an initializer has no name", f.weights[1].name.size_bytes = 0);
    BROKEN("an initializer has no name", f.sparse_values.name.size_bytes = 0);
    BROKEN("input 0 has no name",
           ((onnx_value_info *)(uintptr_t)f.graph.input.items)->name.size_bytes = 0);
    BROKEN("it has no operator", f.nodes[0].op_type.size_bytes = 0);
    BROKEN("it has neither inputs nor outputs",
           f.nodes[0].input.count = f.nodes[0].output.count = 0);
    BROKEN("no operator set of domain 'other' is imported",
           f.nodes[0] = domain_node(&f.build, "other", "Add", "x,w", "a"));
    BROKEN("initializer 'w' is no input of the graph, as it has to be before IR version 4",
           f.model.ir_version = 3;
           f.model.training_info.count = 0);
    FINE(f.weights[1].name = text_of("x"); /* a default of the input */
         f.training.update_binding.count = 1);
}

static void subgraphs(void **state) {
    (void)state;
    BROKEN("node 1 '' (If): attribute 'then_branch': graph 'test': node 0 '' (Neg): input 'b'",
           f.then_nodes[0].input = names_of(&f.build, "b"));
    BROKEN("graph 'test': node 0 '' (Neg): output 'a' is a value already",
           f.then_nodes[0].output = names_of(&f.build, "a"));
    BROKEN("output 't' is no value of the graph", f.then_nodes[0].output = names_of(&f.build, "u"));
    BROKEN("node 2 '' (F): input 't' is no value", f.nodes[2].input = names_of(&f.build, "t"));
    BROKEN("attribute 'then_branch': graph '': the graph has no name", f.then.name.size_bytes = 0);
    BROKEN("attribute 'then_branch' is there twice", onnx_attribute two[2];
           two[0] = two[1] = f.branch; f.nodes[1].attribute = (onnx_attribute_list){two, 2});
}

static void types(void **state) {
    (void)state;
    onnx_type none = {0};
    onnx_tensor_type bare = {0};
    onnx_sequence_type list = {0};
    onnx_map_type map = {.head.has = HAS(map_type, key_type), .key_type = TENSOR_ELEMENT_I64};
    onnx_optional_type optional = {0};
    onnx_opaque_type opaque = {0};
    onnx_type both = {.sequence_type = &list, .map_type = &map};
    onnx_type tensor = {.tensor_type = &bare}, sequence = {.sequence_type = &list};
    onnx_type maps = {.map_type = &map}, maybe = {.optional_type = &optional};
    onnx_type closed = {.opaque_type = &opaque};
    const struct {
        const onnx_type *type;
        const char *part;
    } cases[] = {{NULL, "input 'x': it has no type"},
                 {&none, "input 'x': its type is none, or more than one"},
                 {&both, "input 'x': its type is none, or more than one"},
                 {&tensor, "input 'x': it has no elem_type"},
                 {&sequence, "input 'x': it has no elem_type"},
                 {&maps, "input 'x': it has no value_type"},
                 {&maybe, "input 'x': it has no elem_type"},
                 {&closed, "input 'x': its type has no name"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        BROKEN(cases[i].part,
               ((onnx_value_info *)(uintptr_t)f.graph.input.items)->type = cases[i].type);
    }
    BROKEN("input 'x': it has no shape", ((onnx_value_info *)(uintptr_t)f.graph.input.items)->type =
                                             tensor_type_of(&f.build, TENSOR_ELEMENT_F32, NULL));
    BROKEN("input 'x': its elem_type is not known",
           ((onnx_value_info *)(uintptr_t)f.graph.input.items)->type =
               tensor_type_of(&f.build, 99, "2"));
}

static void attributes(void **state) {
    (void)state;
    onnx_attribute a = int_attribute("i", 3);
#define WITH(...)                                                                                  \
    a = int_attribute("i", 3);                                                                     \
    __VA_ARGS__;                                                                                   \
    f.nodes[0].attribute = (onnx_attribute_list){&a, 1}
    FINE(WITH((void)0));
    BROKEN("node 0 '' (Add): an attribute has no name", WITH(a.name.size_bytes = 0));
    BROKEN("attribute 'i': it has no type", WITH(a.head.has &= ~HAS(attribute, type)));
    BROKEN("attribute 'i': its type is not known", WITH(a.type = 15));
    BROKEN("attribute 'i': its type is not known", WITH(a.type = -1));
    BROKEN("attribute 'i': its type is not that of its value", WITH(a.type = ONNX_ATTRIBUTE_FLOAT));
    BROKEN("attribute 'i': its type is not that of its value", WITH(a.type = 0));
    BROKEN("attribute 'i': it has more than one value", WITH(a.head.has |= HAS(attribute, f)));
    BROKEN("attribute 'i': it has more than one value", WITH(a.ints = (onnx_int64s){NUMBERS, 2}));
    BROKEN("attribute 'i': it refers to a function's attribute outside of one",
           WITH(a = reference_attribute("i", ONNX_ATTRIBUTE_INT, "alpha")));
    BROKEN("attribute 'i': it has no value", WITH(a = attribute_of("i", ONNX_ATTRIBUTE_TENSOR)));
    BROKEN("attribute 'then_branch': it has no value", f.branch.g = NULL);
    BROKEN("attribute 'i': tensor 'w': data_type 0",
           WITH(a = attribute_of("i", ONNX_ATTRIBUTE_TENSOR); a.t = &f.weights[2];
                f.weights[2].name = text_of("w")));
    FINE(WITH(a = attribute_of("i", ONNX_ATTRIBUTE_INTS))); /* an empty list */
    BROKEN("attribute 'alpha': it has a value and refers to a function's attribute",
           f.alpha.head.has |= HAS(attribute, f));
#undef WITH
}

static void tensors(void **state) {
    (void)state;
    const float number = 0;
    BROKEN("tensor 'v': data_type 29, expected 1 to 28", f.weights[1].data_type = 29);
    BROKEN("tensor 'v': it has no data", f.weights[1].int64_data.count = 0);
    BROKEN("tensor 'v': its data is in more than one field",
           f.weights[1].float_data = (onnx_packed){(const unsigned char *)&number, 1});
    BROKEN("tensor 'v': elements of type float lie in int64_data, expected float_data",
           f.weights[1].data_type = TENSOR_ELEMENT_F32);
    BROKEN("tensor 'v': int64_data has 2 numbers, its 6 elements of type int64 need 6",
           f.weights[1].dims = (onnx_int64s){SIX, 1});
    BROKEN("tensor 'v': raw_data has 2 bytes, its 2 elements of type int64 need 16",
           f.weights[1].int64_data.count = 0;
           f.weights[1].raw_data = text_of("xy"));
    BROKEN("tensor 'v': dimension 0 is -1", const int64_t minus = -1;
           f.weights[1].dims = (onnx_int64s){&minus, 1});
    BROKEN("tensor 'v': its dimensions pass 2^63 elements", const int64_t large[] = {1, INT64_MAX};
           int64_t dims[2] = {large[1], 2}; f.weights[1].dims = (onnx_int64s){dims, 2});
    BROKEN("tensor 'v': it has no elements, but data", const int64_t zero = 0;
           f.weights[1].dims = (onnx_int64s){&zero, 1});
    BROKEN("tensor 'v': it is a segment", const onnx_segment segment = {0};
           f.weights[1].segment = &segment);
    BROKEN("tensor 'v': data_location", f.weights[1].data_location = 3);
    BROKEN("tensor 'v': its data is external, but int64_data has some too",
           f.weights[1].data_location = ONNX_DATA_LOCATION_EXTERNAL);
    BROKEN("tensor 'v': external data in '': it has no location",
           f.weights[1].data_location = ONNX_DATA_LOCATION_EXTERNAL;
           f.weights[1].int64_data.count = 0);
    BROKEN("tensor 'v': strings in external data",
           f.weights[1].data_location = ONNX_DATA_LOCATION_EXTERNAL;
           f.weights[1].data_type = TENSOR_ELEMENT_STRING; f.weights[1].int64_data.count = 0);
    BROKEN("tensor 'v': bits behind its last 6-bit element are not 0",
           f.weights[1].data_type = TENSOR_ELEMENT_F6E2M3;
           f.weights[1].int64_data.count = 0; f.weights[1].raw_data = (onnx_string){"\x01\x10", 2});
    BROKEN("tensor 'v': a number in int32_data has more than 6 bits", const int32_t six[] = {1, 64};
           f.weights[1].data_type = TENSOR_ELEMENT_F6E2M3; f.weights[1].int64_data.count = 0;
           f.weights[1].int32_data = (onnx_int32s){six, 2});
}

static void sparse_tensors(void **state) {
    (void)state;
    static const int64_t backwards[] = {2, 1}, beyond[] = {1, 6}, zero[] = {0}, none[] = {6, 0};
    static const int64_t pairs[] = {2, 1}, four[] = {2, 2};
    BROKEN("a sparse tensor without values", f.sparse.values = NULL;
           f.graph.sparse_initializer.count = 0; f.nodes[2].input = names_of(&f.build, "b");
           onnx_attribute a = attribute_of("st", ONNX_ATTRIBUTE_SPARSE_TENSOR);
           a.sparse_tensor = &f.sparse; f.nodes[0].attribute = (onnx_attribute_list){&a, 1});
    BROKEN("sparse tensor 's': it has no indices", f.sparse.indices = NULL);
    BROKEN("tensor '': indices are not int64", f.sparse_indices.data_type = TENSOR_ELEMENT_U64;
           f.sparse_indices.uint64_data = (onnx_uint64s){(const uint64_t *)NUMBERS, 2};
           f.sparse_indices.int64_data.count = 0);
    BROKEN("sparse tensor 's': index 1 is not above the one before it",
           f.sparse_indices.int64_data.items = backwards);
    BROKEN("sparse tensor 's': index 1 is outside of the dimensions",
           f.sparse_indices.int64_data.items = beyond);
    BROKEN("sparse tensor 's': indices are not [2] or [2,1]",
           f.sparse_indices.dims = (onnx_int64s){four, 2};
           f.sparse_indices.int64_data = (onnx_int64s){NUMBERS, 4});
    BROKEN("sparse tensor 's': 0 dimensions, expected 1 to 16", f.sparse.dims.count = 0);
    BROKEN("sparse tensor 's': dimension 0 is 0", f.sparse.dims.items = zero);
    BROKEN("sparse tensor 's': dimension 1 is 0", f.sparse.dims = (onnx_int64s){none, 2});
    BROKEN("tensor 's': values of a sparse tensor, expected one dimension",
           f.sparse_values.dims = (onnx_int64s){pairs, 2});
    FINE(f.sparse_indices.dims = (onnx_int64s){pairs, 2});
}

static void functions(void **state) {
    (void)state;
    BROKEN("function 'F' of domain 'local' is there twice", f.functions[1].name = text_of("F"));
    BROKEN("function '': it has no name", f.functions[1].name.size_bytes = 0;
           f.f_nodes[1].op_type = text_of("H"));
    BROKEN("function 'G': it has no domain", f.functions[1].head.has &= ~HAS(function, domain));
    BROKEN("function 'G': input 'p' is there twice",
           f.functions[1].input = names_of(&f.build, "p,p"));
    BROKEN("function 'G': output 'q' is there twice",
           f.functions[1].output = names_of(&f.build, "q,q"));
    BROKEN("function 'G': output 'z' is no value of the function",
           f.functions[1].output = names_of(&f.build, "z"));
    BROKEN("function 'F': attribute 'alpha' is there twice",
           f.functions[0].attribute = names_of(&f.build, "alpha,alpha"));
    BROKEN("function 'F': attribute 'beta' is there twice",
           const onnx_attribute beta = float_attribute("beta", 1);
           f.functions[0].attribute_proto = (onnx_attribute_list){&beta, 1});
    BROKEN("function 'F': attribute 'gamma' has no value of its own",
           const onnx_attribute gamma = reference_attribute("gamma", ONNX_ATTRIBUTE_INT, "alpha");
           f.functions[0].attribute_proto = (onnx_attribute_list){&gamma, 1});
    BROKEN("function 'G': node 0 '' (Abs): input 'x' is no value",
           f.g_nodes[0].input = names_of(&f.build, "x"));
    BROKEN("function 'G': node 0 '' (Abs): output 'p' is a value already",
           f.g_nodes[0].output = names_of(&f.build, "p"));
    BROKEN("function 'G': node 0 '' (Abs): no operator set of domain '' is imported",
           f.functions[1].opset_import.count = 0);
    BROKEN("function 'F': node 1 '' (G): 2 inputs and 1 outputs, but the function has 1 and 1",
           f.f_nodes[1].input = names_of(&f.build, "q,p"));
    BROKEN("node 2 '' (F): 2 inputs and 2 outputs, but the function has 2 and 1",
           f.nodes[2].output = names_of(&f.build, "y,z"));
}

static void calls_in_a_circle(void **state) {
    (void)state;
    BROKEN("function 'G' calls itself",
           f.g_nodes[0] = domain_node(&f.build, "local", "G", "p", "q"));
    BROKEN("calls itself, by way of others",
           f.g_nodes[0] = domain_node(&f.build, "local", "F", "p", "q"));
    /* Within a subgraph. */
    BROKEN("calls itself", f.then_nodes[0] = domain_node(&f.build, "local", "G", "p", "t");
           f.nodes[1].attribute.count = 0; f.g_nodes[0] = node_of(&f.build, "If", "p", "q");
           f.g_nodes[0].attribute = (onnx_attribute_list){&f.branch, 1});
}

/* A chain of n functions, each calling the next, last to first in the file or first to last. */
static ondol_status check_chain(unsigned n, bool backwards, ondol_error *err) {
    fixture f;
    open_fixture(&f);
    onnx_build *b = &f.build;
    char(*names)[16] = build_copy(b, NULL, 0, sizeof *names * (n + 1));
    onnx_function *list = build_copy(b, NULL, 0, sizeof *list * (n + 1));
    onnx_node *nodes = build_copy(b, NULL, 0, sizeof *nodes * (n + 1));
    for (unsigned i = 0; i <= n; i++)
        snprintf(names[i], sizeof names[i], "f%u", i);
    for (unsigned i = 0; i < n; i++) {
        const unsigned place = backwards ? n - 1 - i : i;
        nodes[i] = i + 1 < n ? domain_node(b, "local", names[i + 1], "p", "q")
                             : node_of(b, "Abs", "p", "q");
        list[place] = function_of(b, names[i], nodes + i, 1, "p", "q");
    }
    f.nodes[2] = domain_node(b, "local", "f0", "b", "y");
    f.model.functions = (onnx_function_list){list, n};
    const ondol_status status = onnx_check_model(&b->heap, &f.model, NULL, err);
    build_end(b);
    return status;
}

static void calls_are_not_too_deep(void **state) {
    (void)state;
    for (int backwards = 0; backwards < 2; backwards++) {
        ondol_error err = {0};
        ASSERT_OK(check_chain(100, backwards, &err));
        ASSERT_STATUS(check_chain(101, backwards, &err), ONDOL_E_LIMIT);
        ASSERT_CONTAINS(err.text, "function 'f0': calls nest 101 deep, expected at most 100");
    }
    ondol_error err = {0};
    ASSERT_STATUS(check_chain(10001, false, &err), ONDOL_E_LIMIT);
    ASSERT_CONTAINS(err.text, "10001 functions, expected at most 10000");
}

static void training(void **state) {
    (void)state;
    BROKEN("training: 'w' is bound twice", f.update[1].key = text_of("w"));
    BROKEN("training: 'x' is no initializer", f.update[1].key = text_of("x"));
    BROKEN("training: 'v' is bound to what is no output", f.update[1].value = text_of("a"));
    BROKEN("training: graph 'test': node 0 '' (Sub): input 'nowhere' is no value",
           f.step_nodes[0].input = names_of(&f.build, "nowhere"));
    BROKEN("training: graph 'test': node 0 '' (Sub): output 'y' is a value already",
           f.step_nodes[0].output = names_of(&f.build, "y"));
}

static void names_are_not_too_long(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    char *name = malloc(ONNX_MAX_NAME_BYTES + 1);
    assert_non_null(name);
    memset(name, 'n', ONNX_MAX_NAME_BYTES + 1);
    const onnx_string output = {name, ONNX_MAX_NAME_BYTES + 1};
    f.nodes[2].output = (onnx_strings){&output, 1};
    expect(&f, ONDOL_E_LIMIT, "a name of 1048577 bytes, expected at most 1048576");
    free(name);
}

/* ---- values ---- */

static void values_outside_of_models(void **state) {
    (void)state;
    onnx_build b;
    build_begin(&b);
    ondol_error err = {0};
    onnx_tensor t = i64_tensor(&b, "t", NUMBERS, 2);
    onnx_sequence s = {
        .name = text_of("s"), .elem_type = ONNX_SEQUENCE_OF_TENSOR, .tensor_values = {&t, 1}};
    onnx_map m = {
        .name = text_of("m"), .key_type = TENSOR_ELEMENT_I32, .keys = {TWO, 1}, .values = &s};
    onnx_optional o = {.elem_type = ONNX_SEQUENCE_OF_SEQUENCE, .sequence_value = &s};
    ASSERT_OK(onnx_check_sequence(&b.heap, &s, &err));
    ASSERT_OK(onnx_check_map(&b.heap, &m, &err));
    ASSERT_OK(onnx_check_optional(&b.heap, &o, &err));
    o.elem_type = ONNX_SEQUENCE_OF_TENSOR;
    ASSERT_STATUS(onnx_check_optional(&b.heap, &o, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "its value is of another kind than its elem_type");
    o.elem_type = 6;
    ASSERT_STATUS(onnx_check_optional(&b.heap, &o, &err), ONDOL_E_FORMAT);
    m.key_type = TENSOR_ELEMENT_F32;
    ASSERT_STATUS(onnx_check_map(&b.heap, &m, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "key_type is neither an integer nor a string");
    m.key_type = TENSOR_ELEMENT_STRING;
    ASSERT_STATUS(onnx_check_map(&b.heap, &m, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "keys of another type than key_type");
    m.keys.count = 0;
    ASSERT_STATUS(onnx_check_map(&b.heap, &m, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "0 keys and 1 values");
    m.key_type = TENSOR_ELEMENT_I32;
    m.values = NULL;
    ASSERT_STATUS(onnx_check_map(&b.heap, &m, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "it has no values");
    s.elem_type = ONNX_SEQUENCE_OF_MAP;
    ASSERT_STATUS(onnx_check_sequence(&b.heap, &s, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "it has items of another kind than its elem_type");
    s.elem_type = 0;
    ASSERT_STATUS(onnx_check_sequence(&b.heap, &s, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "elem_type 0, expected 1 to 5");
    /* Values within values are followed so far. */
    onnx_optional *chain = build_copy(&b, NULL, 0, 102 * sizeof *chain);
    for (int i = 0; i < 101; i++)
        chain[i] = (onnx_optional){.elem_type = ONNX_SEQUENCE_OF_OPTIONAL,
                                   .optional_value = i < 100 ? chain + i + 1 : NULL};
    ASSERT_STATUS(onnx_check_optional(&b.heap, chain, &err), ONDOL_E_LIMIT);
    ASSERT_OK(onnx_check_optional(&b.heap, chain + 1, &err));
    build_end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_keeps_the_rules),
        cmocka_unit_test(versions),
        cmocka_unit_test(names),
        cmocka_unit_test(subgraphs),
        cmocka_unit_test(types),
        cmocka_unit_test(attributes),
        cmocka_unit_test(tensors),
        cmocka_unit_test(sparse_tensors),
        cmocka_unit_test(functions),
        cmocka_unit_test(calls_in_a_circle),
        cmocka_unit_test(calls_are_not_too_deep),
        cmocka_unit_test(training),
        cmocka_unit_test(names_are_not_too_long),
        cmocka_unit_test(values_outside_of_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
