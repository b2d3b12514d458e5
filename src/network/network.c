/* Running a network. In: input values. Out: output values, node after node. */
#include "network/network.h"

#include <inttypes.h>
#include <string.h>

#include "base/os.h"
#include "graph/ops.h"
#include "network/program.h"

/* One graph under way. */
typedef struct frame {
    plan_runtime runtime; /* first: kernels get its address */
    network *n;
    network_program *p;
    tensor_value **slots; /* [value_count] */
} frame;

static ondol_status run_graph(network *n, network_program *p, const frame *around,
                              tensor_value *const *inputs, tensor_value **outputs,
                              ondol_error *err);

static ondol_status run_subgraph(plan_runtime *r, const plan_call *call, const graph *sub,
                                 tensor_value *const *inputs, tensor_value **outputs,
                                 ondol_error *err) {
    frame *f = (frame *)r;
    const network_node *node = f->p->nodes + call->node;
    for (uint32_t c = 0; c < node->child_count; c++) {
        if (node->children[c]->g == sub) {
            return run_graph(f->n, node->children[c], f, inputs, outputs, err);
        }
    }
    return base_fail(err, ONDOL_E_INTERNAL, "graph '%s' is no subgraph of its node", sub->name);
}

static ondol_status check_cancelled(plan_runtime *r, ondol_error *err) {
    frame *f = (frame *)r;
    if (!atomic_load(&f->n->cancelled)) return ONDOL_OK;
    return base_fail(err, ONDOL_E_CANCELLED, "the run was cancelled");
}

static void release_slot(frame *f, graph_value_id v) {
    tensor_value_release(f->slots[v]);
    f->slots[v] = NULL;
}

#define FEW 16 /* inputs and outputs for which no memory is taken */

/* A value for a kernel, or a reader, that takes dense tensors alone: turned once for all who
 * follow.
 */
static ondol_status make_dense(frame *f, graph_value_id v, ondol_error *err) {
    tensor_value *dense = NULL;
    if (!f->slots[v] || !f->slots[v]->channels_last) return ONDOL_OK;
    ondol_status status = tensor_value_dense(f->slots[v], f->n->pool, &dense, err);
    if (status != ONDOL_OK) return status;
    release_slot(f, v);
    f->slots[v] = dense;
    return ONDOL_OK;
}

/* Captured values too: subgraphs read them from this frame. */
static ondol_status make_inputs_dense(frame *f, graph_node_id id, ondol_error *err) {
    const graph_node *node = f->p->g->nodes + id;
    const network_node *ready = f->p->nodes + id;
    ondol_status status = ONDOL_OK;
    if (!ready->kernel->any_layout) {
        for (uint32_t i = 0; i < node->input_count && status == ONDOL_OK; i++)
            if (node->inputs[i] != GRAPH_NONE) status = make_dense(f, node->inputs[i], err);
    }
    for (uint32_t c = 0; c < ready->child_count; c++) {
        const graph *sub = ready->children[c]->g;
        for (uint32_t v = 0; v < sub->value_count && status == ONDOL_OK; v++)
            if (sub->values[v].kind == GRAPH_VALUE_CAPTURE) {
                status = make_dense(f, sub->values[v].outer, err);
            }
    }
    return status;
}

/* Names the node where a fault's sentence does not: of memory, or of another layer. */
static ondol_status name_node(const graph_node *node, ondol_status status, ondol_error *err) {
    const bool named = err && strncmp(err->text, "node '", 6) == 0;
    if (status == ONDOL_OK || status == ONDOL_E_CANCELLED || named) return status;
    return base_prefix(err, status, "node '%s' (%s)", node->name, graph_op_info_of(node->op)->name);
}

static ondol_status run_node(frame *f, graph_node_id id, ondol_error *err) {
    const graph_node *node = f->p->g->nodes + id;
    network_node *ready = f->p->nodes + id;
    tensor_value *few[2 * FEW] = {NULL};
    tensor_value **in = few, **out = few + FEW;
    void *many = NULL;
    ondol_status status = make_inputs_dense(f, id, err);
    if (status != ONDOL_OK) return status;
    if (node->input_count > FEW || node->output_count > FEW) {
        const uint64_t count = (uint64_t)node->input_count + node->output_count;
        TRY(tensor_heap_alloc(f->n->heap, count * sizeof *in, "a node's inputs", &many, err));
        in = many;
        out = in + node->input_count;
        memset(out, 0, node->output_count * sizeof *out);
    }
    for (uint32_t i = 0; i < node->input_count; i++)
        in[i] = node->inputs[i] == GRAPH_NONE ? NULL : f->slots[node->inputs[i]];
    plan_call call = {.g = f->p->g,
                      .node = id,
                      .state = ready->state,
                      .inputs = in,
                      .outputs = out,
                      .disposable = ready->disposable,
                      .input_count = node->input_count,
                      .output_count = node->output_count,
                      .heap = f->n->heap,
                      .device = f->n->devices[ready->device],
                      .pool = f->n->pool,
                      .runtime = &f->runtime};
    const uint64_t start = f->n->options.profile ? base_now_ns() : 0;
    status = name_node(node, ready->kernel->run(&call, err), err);
    if (f->n->options.profile) {
        ready->runs++;
        ready->time_ns += base_now_ns() - start;
    }
    for (uint32_t i = 0; i < node->output_count; i++) {
        const bool wanted = node->outputs[i] != GRAPH_NONE;
        if (status == ONDOL_OK && wanted && !out[i]) {
            status = base_fail(err, ONDOL_E_INTERNAL, "node '%s' (%s) made no output %" PRIu32,
                               node->name, graph_op_info_of(node->op)->name, i);
        }
        if (status == ONDOL_OK && wanted)
            f->slots[node->outputs[i]] = out[i];
        else
            tensor_value_release(out[i]);
    }
    for (uint32_t i = 0; i < ready->release_count; i++)
        release_slot(f, f->p->releases[ready->first_release + i]);
done:
    tensor_heap_free(f->n->heap, many);
    return status;
}

/* An input against what the graph declares of it. Names of dimensions bind nothing: exporters give
 * one name to sizes that differ, and kernels check what they need. */
static ondol_status check_input(const graph *g, const graph_value *v, const tensor_value *x,
                                ondol_error *err) {
    if (v->type_kind != GRAPH_TYPE_TENSOR || x->kind != TENSOR_VALUE_TENSOR) return ONDOL_OK;
    if (v->element != TENSOR_ELEMENT_UNDEFINED && v->element != x->element) {
        return base_fail(
            err, ONDOL_E_FORMAT, "input '%s' of '%s': elements of type %s, expected %s", v->name,
            g->name, tensor_element_onnx_name(x->element), tensor_element_onnx_name(v->element));
    }
    if (v->shape.rank == GRAPH_RANK_UNKNOWN) return ONDOL_OK;
    if (v->shape.rank != x->rank) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "input '%s' of '%s': rank %" PRIu32 ", expected %" PRIu32, v->name,
                         g->name, x->rank, v->shape.rank);
    }
    for (uint32_t i = 0; i < x->rank; i++) {
        if (v->shape.dims[i] < 0 || v->shape.dims[i] == x->dims[i]) continue;
        return base_fail(err, ONDOL_E_FORMAT,
                         "input '%s' of '%s': dimension %" PRIu32 " is %" PRId64
                         ", expected %" PRId64,
                         v->name, g->name, i, x->dims[i], v->shape.dims[i]);
    }
    return ONDOL_OK;
}

static ondol_status fill_slots(frame *f, const frame *around, tensor_value *const *inputs,
                               ondol_error *err) {
    const graph *g = f->p->g;
    for (uint32_t v = 0; v < g->value_count; v++) {
        tensor_value *x = f->p->constants[v];
        if (g->values[v].kind == GRAPH_VALUE_CAPTURE) x = around->slots[g->values[v].outer];
        f->slots[v] = x ? tensor_value_retain(x) : NULL;
    }
    for (uint32_t i = 0; i < g->input_count; i++) {
        const graph_value *v = g->values + g->inputs[i];
        if (!inputs[i]) {
            if (f->slots[g->inputs[i]] || v->type_kind == GRAPH_TYPE_OPTIONAL) continue;
            return base_fail(err, ONDOL_E_ARGUMENT, "input '%s' of '%s' is missing", v->name,
                             g->name);
        }
        ondol_status status = check_input(g, v, inputs[i], err);
        if (status != ONDOL_OK) return status;
        release_slot(f, g->inputs[i]);
        f->slots[g->inputs[i]] = tensor_value_retain(inputs[i]);
    }
    return ONDOL_OK;
}

/* Nothing stays in outputs when it fails. */
static ondol_status take_outputs(frame *f, tensor_value **outputs, ondol_error *err) {
    const graph *g = f->p->g;
    ondol_status status = ONDOL_OK;
    uint32_t taken = 0;
    for (; taken < g->output_count; taken++) {
        const graph_value_id id = g->outputs[taken];
        if (id != GRAPH_NONE) TRY(make_dense(f, id, err));
        tensor_value *v = id == GRAPH_NONE ? NULL : f->slots[id];
        if (!v) {
            status = base_fail(err, ONDOL_E_FORMAT, "output '%s' of '%s' was not computed",
                               g->output_names[taken], g->name);
            goto done;
        }
        outputs[taken] = tensor_value_retain(v);
    }
    return ONDOL_OK;
done:
    while (taken-- > 0) {
        tensor_value_release(outputs[taken]);
        outputs[taken] = NULL;
    }
    return status;
}

/* As deep as subgraphs nest, which is GRAPH_MAX_DEPTH. */
static ondol_status run_graph(network *n, network_program *p, const frame *around,
                              tensor_value *const *inputs, tensor_value **outputs,
                              ondol_error *err) {
    const graph *g = p->g;
    frame f = {.runtime = {.run_subgraph = run_subgraph,
                           .check_cancelled = check_cancelled,
                           .max_iterations = n->options.max_iterations,
                           .seed = n->options.seed,
                           .draws = &n->draws},
               .n = n,
               .p = p};
    ondol_status status = ONDOL_OK;
    f.slots = p->slots;
    p->slots = NULL;
    if (!f.slots) {
        f.slots = base_calloc(n->allocator, g->value_count ? g->value_count : 1, sizeof *f.slots);
        if (!f.slots) return base_no_memory(err, "run", g->value_count * sizeof *f.slots);
    }
    TRY(fill_slots(&f, around, inputs, err));
    for (graph_node_id id = 0; id < g->node_count; id++) {
        TRY(run_node(&f, id, err));
        TRY(check_cancelled(&f.runtime, err));
    }
    TRY(take_outputs(&f, outputs, err));
done:
    for (uint32_t v = 0; v < g->value_count; v++)
        release_slot(&f, v);
    if (p->slots)
        base_free(n->allocator, f.slots);
    else
        p->slots = f.slots;
    return status;
}

ondol_status network_create(const ondol_allocator *a, const graph *g, plan_device *const *devices,
                            uint32_t device_count, base_pool *pool, const network_options *options,
                            network **out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    network *n = base_calloc(a, 1, sizeof *n);
    if (!n) return base_no_memory(err, "network", sizeof *n);
    n->allocator = a;
    n->devices = devices;
    n->device_count = device_count;
    n->pool = pool;
    if (options) n->options = *options;
    if (!n->options.max_iterations) n->options.max_iterations = NETWORK_MAX_ITERATIONS;
    if (!n->options.max_bytes) n->options.max_bytes = (uint64_t)INT64_MAX;
    atomic_init(&n->cancelled, false);
    n->device_nodes = base_calloc(a, device_count ? device_count : 1, sizeof *n->device_nodes);
    if (!n->device_nodes) {
        status = base_no_memory(err, "network", sizeof *n);
        goto done;
    }
    TRY(tensor_heap_create(a, n->options.max_bytes, &n->heap, err));
    TRY(network_program_create(n, g, &n->program, err));
    *out = n;
    return ONDOL_OK;
done:
    network_destroy(n);
    return status;
}

void network_destroy(network *n) {
    if (!n) return;
    network_program_destroy(n, n->program);
    tensor_heap_destroy(n->heap);
    base_free(n->allocator, n->device_nodes);
    base_free(n->allocator, n);
}

tensor_heap *network_heap(network *n) {
    return n->heap;
}

ondol_status network_run(network *n, tensor_value *const *inputs, tensor_value **outputs,
                         ondol_error *err) {
    n->draws = 0;
    ondol_status status = run_graph(n, n->program, NULL, inputs, outputs, err);
    atomic_store(&n->cancelled, false);
    return status;
}

void network_cancel(network *n) {
    atomic_store(&n->cancelled, true);
}

uint32_t network_node_count(const network *n) {
    return n->node_count;
}

uint32_t network_nodes_on(const network *n, uint32_t device) {
    return n->device_nodes[device];
}

static void profile_program(const network *n, const network_program *p, network_profile_row row,
                            void *user) {
    for (graph_node_id id = 0; id < p->g->node_count; id++) {
        const network_node *node = p->nodes + id;
        row(user, p->g, id, n->devices[node->device]->ops->name, node->kernel->name, node->runs,
            node->time_ns);
        for (uint32_t c = 0; c < node->child_count; c++)
            profile_program(n, node->children[c], row, user);
    }
}

void network_profile(const network *n, network_profile_row row, void *user) {
    profile_program(n, n->program, row, user);
}
