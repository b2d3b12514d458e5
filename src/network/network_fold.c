/* Constants. In: a graph. Out: the same graph, where what can be computed once has become an
 * initializer and its node is gone. The devices' own kernels compute it. */
#include <string.h>

#include "graph/ops.h"
#include "network/network.h"

/* A result may be this much larger than what it is made of. */
#define GROWTH_BYTES ((uint64_t)1 << 16)

typedef struct folding {
    const ondol_allocator *allocator;
    plan_device *const *devices;
    uint32_t device_count;
    base_pool *pool;
    tensor_heap *heap;
} folding;

static bool is_constant(const graph *g, graph_value_id v) {
    return v == GRAPH_NONE || (g->values[v].kind == GRAPH_VALUE_INITIALIZER && g->values[v].data &&
                               g->values[v].encoding == GRAPH_PLAIN);
}

static bool is_random(graph_op op) {
    switch (op) {
    case GRAPH_OP_RANDOM_NORMAL:
    case GRAPH_OP_RANDOM_NORMAL_LIKE:
    case GRAPH_OP_RANDOM_UNIFORM:
    case GRAPH_OP_RANDOM_UNIFORM_LIKE:
    case GRAPH_OP_BERNOULLI:
    case GRAPH_OP_MULTINOMIAL:
    case GRAPH_OP_DROPOUT: return true;
    default: return false;
    }
}

/* All inputs constant, no subgraph, plain tensors out. */
static bool is_foldable(const graph *g, const graph_node *n) {
    const graph_op_info *info = graph_op_info_of(n->op);
    if (is_random(n->op) || strcmp(info->domain, "ai.onnx.preview.training") == 0) return false;
    for (uint32_t i = 0; i < n->input_count; i++)
        if (!is_constant(g, n->inputs[i])) return false;
    for (uint32_t i = 0; i < n->attribute_count; i++) {
        const graph_attribute_type type = n->attributes[i].type;
        if (type == GRAPH_ATTRIBUTE_GRAPH || type == GRAPH_ATTRIBUTE_GRAPHS) return false;
    }
    for (uint32_t i = 0; i < n->output_count; i++)
        if (n->outputs[i] != GRAPH_NONE &&
            g->values[n->outputs[i]].type_kind != GRAPH_TYPE_TENSOR) {
            return false;
        }
    return true;
}

static ondol_status cannot_run(plan_runtime *r, const plan_call *call, const graph *sub,
                               tensor_value *const *inputs, tensor_value **outputs,
                               ondol_error *err) {
    (void)r, (void)call, (void)sub, (void)inputs, (void)outputs;
    return base_fail(err, ONDOL_E_INTERNAL, "a constant with a subgraph");
}

static ondol_status never_cancelled(plan_runtime *r, ondol_error *err) {
    (void)r, (void)err;
    return ONDOL_OK;
}

static const plan_kernel *find_kernel(const folding *f, const graph *g, graph_node_id id,
                                      const plan_device **device) {
    for (uint32_t d = 0; d < f->device_count; d++) {
        const plan_device_ops *ops = f->devices[d]->ops;
        const plan_kernel *k = ops->kernel ? ops->kernel(f->devices[d], g, id, NULL) : NULL;
        *device = f->devices[d];
        if (k) return k;
    }
    return NULL;
}

static ondol_status borrow_inputs(const folding *f, const graph *g, const graph_node *n,
                                  tensor_value **in, uint64_t *bytes, ondol_error *err) {
    for (uint32_t i = 0; i < n->input_count; i++) {
        if (n->inputs[i] == GRAPH_NONE) continue;
        const graph_value *v = g->values + n->inputs[i];
        ondol_status status = tensor_value_borrow(f->heap, v->element, v->shape.rank, v->shape.dims,
                                                  v->data, in + i, err);
        if (status != ONDOL_OK) return status;
        *bytes += v->data_bytes;
    }
    return ONDOL_OK;
}

/* What was computed becomes an initializer of the graph. */
static ondol_status keep(graph *g, graph_value_id id, const tensor_value *from, ondol_error *err) {
    const uint64_t bytes = tensor_value_bytes(from);
    char *copy = base_arena_alloc(&g->arena, bytes ? (size_t)bytes : 1, 1);
    if (!copy) return base_no_memory(err, "constant", bytes);
    if (bytes) memcpy(copy, from->data, (size_t)bytes);
    for (uint64_t i = 0; from->element == TENSOR_ELEMENT_STRING && i < from->elems; i++) {
        tensor_string *s = (tensor_string *)(void *)copy + i;
        s->text = base_arena_strndup(&g->arena, s->text, s->size_bytes);
        if (!s->text) return base_no_memory(err, "constant", s->size_bytes);
    }
    graph_value *v = g->values + id;
    v->kind = GRAPH_VALUE_INITIALIZER;
    v->element = from->element;
    v->shape.rank = from->rank;
    memcpy(v->shape.dims, from->dims, from->rank * sizeof *from->dims);
    v->data = copy;
    v->data_bytes = bytes;
    v->in_arena = true;
    v->producer = GRAPH_NONE;
    return ONDOL_OK;
}

/* True when all outputs were made, are dense tensors, and are no blow-up of a few numbers. */
static bool worth_keeping(const graph_node *n, tensor_value *const *out, uint64_t in_bytes) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < n->output_count; i++) {
        if (n->outputs[i] == GRAPH_NONE) continue;
        if (!out[i] || out[i]->kind != TENSOR_VALUE_TENSOR || out[i]->channels_last) return false;
        bytes += tensor_value_bytes(out[i]);
    }
    return bytes <= GROWTH_BYTES + 8 * in_bytes;
}

/* Folds node id; a fault of its computation is left to the run, which tells it. */
static ondol_status fold_node(folding *f, graph *g, graph_node_id id, bool *folded,
                              ondol_error *err) {
    const graph_node *n = g->nodes + id;
    const plan_device *device = NULL;
    const plan_kernel *k = find_kernel(f, g, id, &device);
    const uint32_t slots = n->input_count + n->output_count;
    tensor_value **in = NULL, **out = NULL;
    bool *disposable = NULL;
    void *state = NULL;
    uint64_t in_bytes = 0;
    ondol_status status = ONDOL_OK;
    if (!k) return ONDOL_OK;
    in = base_calloc(f->allocator, slots ? slots : 1, sizeof *in);
    disposable = base_calloc(f->allocator, slots ? slots : 1, sizeof *disposable);
    if (!in || !disposable) {
        status = base_no_memory(err, "constants", slots * sizeof *in);
        goto done;
    }
    out = in + n->input_count;
    TRY(borrow_inputs(f, g, n, in, &in_bytes, err));
    if (k->prepare && k->prepare(device, f->allocator, g, id, f->pool, &state, NULL) != ONDOL_OK) {
        goto done;
    }
    plan_runtime runtime = {
        .run_subgraph = cannot_run, .check_cancelled = never_cancelled, .max_iterations = 1};
    plan_call call = {.g = g,
                      .node = id,
                      .state = state,
                      .inputs = in,
                      .outputs = out,
                      .disposable = disposable,
                      .input_count = n->input_count,
                      .output_count = n->output_count,
                      .heap = f->heap,
                      .device = device,
                      .pool = f->pool,
                      .runtime = &runtime};
    if (k->run(&call, NULL) != ONDOL_OK || !worth_keeping(n, out, in_bytes)) goto done;
    for (uint32_t i = 0; i < n->output_count; i++)
        if (n->outputs[i] != GRAPH_NONE) TRY(keep(g, n->outputs[i], out[i], err));
    *folded = true;
done:
    if (k->release) k->release(f->allocator, state);
    for (uint32_t i = 0; in && i < slots; i++)
        tensor_value_release(in[i]);
    base_free(f->allocator, in);
    base_free(f->allocator, disposable);
    return status;
}

/* What a subgraph captures of a constant is one there as well. */
static void pass_constants_in(graph *g, graph *sub) {
    for (uint32_t v = 0; v < sub->value_count; v++) {
        graph_value *to = sub->values + v;
        if (to->kind != GRAPH_VALUE_CAPTURE) continue;
        const graph_value *from = g->values + to->outer;
        if (!is_constant(g, to->outer)) continue;
        to->kind = GRAPH_VALUE_INITIALIZER;
        to->element = from->element;
        to->shape = from->shape;
        to->data = from->data;
        to->data_bytes = from->data_bytes;
        to->outer = GRAPH_NONE;
    }
}

/* As deep as GRAPH_MAX_DEPTH. */
static ondol_status fold_graph(folding *f, graph *g, ondol_error *err) {
    uint32_t kept = 0;
    ondol_status status = ONDOL_OK;
    for (graph_node_id id = 0; id < g->node_count; id++) {
        bool folded = false;
        if (is_foldable(g, g->nodes + id)) status = fold_node(f, g, id, &folded, err);
        if (status != ONDOL_OK) return status;
        if (folded) continue;
        g->nodes[kept] = g->nodes[id];
        for (uint32_t i = 0; i < g->nodes[kept].output_count; i++)
            if (g->nodes[kept].outputs[i] != GRAPH_NONE) {
                g->values[g->nodes[kept].outputs[i]].producer = kept;
            }
        kept++;
    }
    g->node_count = kept;
    for (graph *sub = g->first_subgraph; sub && status == ONDOL_OK; sub = sub->next_sibling) {
        pass_constants_in(g, sub);
        status = fold_graph(f, sub, err);
    }
    return status;
}

ondol_status network_fold_constants(const ondol_allocator *a, graph *g, plan_device *const *devices,
                                    uint32_t device_count, base_pool *pool, uint64_t max_bytes,
                                    ondol_error *err) {
    folding f = {a, devices, device_count, pool, NULL};
    if (!max_bytes) max_bytes = (uint64_t)INT64_MAX;
    ondol_status status = tensor_heap_create(a, max_bytes, &f.heap, err);
    if (status == ONDOL_OK) status = fold_graph(&f, g, err);
    tensor_heap_destroy(f.heap);
    return status;
}
