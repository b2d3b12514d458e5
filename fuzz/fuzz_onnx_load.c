/* The whole load of an ONNX model: opened, imported (functions, subgraphs, old versions), printed,
 * made ready to run on the oracle. Each fails with a sentence or holds what it promises. */
#include <stdlib.h>
#include <string.h>

#include "device/registry.h"
#include "fuzz.h"
#include "models/onnx_import.h"
#include "network/network.h"

#define RUN_BYTES_MAX   ((uint64_t)64 << 20)
#define PRINT_BYTES_MAX ((size_t)4 << 20)

static void expect_sentence(ondol_status status, const ondol_error *err) {
    if (status != ONDOL_OK && (err->status != status || err->text[0] == 0)) abort();
}

static void print(const ondol_allocator *a, const graph *g) {
    base_buffer text;
    base_buffer_init(&text, a, PRINT_BYTES_MAX);
    graph_print(g, &text);
    base_buffer_destroy(&text);
}

/* Nodes refer to values of their graph alone, subgraphs to the graph around. */
static void check(const graph *g) {
    for (graph_node_id n = 0; n < g->node_count; n++) {
        const graph_node *node = g->nodes + n;
        for (uint32_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] != GRAPH_NONE && node->inputs[i] >= g->value_count) abort();
        for (uint32_t i = 0; i < node->output_count; i++)
            if (node->outputs[i] != GRAPH_NONE && node->outputs[i] >= g->value_count) abort();
    }
    for (graph_value_id v = 0; v < g->value_count; v++) {
        const graph_value *value = g->values + v;
        if (value->kind != GRAPH_VALUE_CAPTURE) continue;
        if (!g->parent || value->outer >= g->parent->value_count) abort();
    }
    for (const graph *sub = g->first_subgraph; sub; sub = sub->next_sibling) {
        if (sub->parent != g) abort();
        check(sub); /* as deep as graphs nest */
    }
}

static void make_ready(const ondol_allocator *a, const graph *g) {
    plan_device *device = NULL;
    network *n = NULL;
    ondol_error err = {0};
    const device_settings settings = {.allocator = a, .isa = BASE_ISA_SCALAR};
    const network_options options = {.max_bytes = RUN_BYTES_MAX, .max_iterations = 100};
    if (device_create("ref", &settings, &device, &err) != ONDOL_OK) abort();
    expect_sentence(network_create(a, g, &device, 1, NULL, &options, &n, &err), &err);
    network_destroy(n);
    device_destroy(device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const ondol_allocator a = base_default_allocator();
    onnx_file *file = NULL;
    graph *g = NULL;
    ondol_error err = {0};
    if (onnx_file_open_memory(&a, data, size, &file, &err) != ONDOL_OK) return 0;
    const ondol_status status = models_graph_from_onnx(&a, file, &g, &err);
    if ((status == ONDOL_OK) != (g != NULL)) abort();
    expect_sentence(status, &err);
    if (g) {
        if (graph_verify(g, &err) != ONDOL_OK) abort();
        check(g);
        print(&a, g);
        make_ready(&a, g);
        graph_destroy(g);
    }
    onnx_file_close(file);
    return 0;
}
