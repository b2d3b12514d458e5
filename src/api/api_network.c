/* Networks. In: an ONNX file or source. Out: graph, kernels, runs on bound values. */
#include <string.h>

#include "api/api_internal.h"
#include "api/api_ready.h"
#include "api/api_value.h"
#include "base/os.h"
#include "formats/onnx/onnx_file.h"
#include "graph/ops.h"
#include "models/onnx_import.h"

typedef struct port_texts {
    const char *type;
} port_texts;

struct ondol_network {
    ondol_engine *engine;
    onnx_file *file;
    unsigned char *bytes; /* of a source, NULL otherwise */
    graph *g;
    network *n;
    tensor_value **bound, **results; /* [inputs], [outputs] */
    port_texts *ports;               /* [inputs + outputs] */
    base_arena texts;
};

static void destroy(ondol_network *w) {
    ondol_engine *e = w->engine;
    const ondol_allocator *a = &e->allocator;
    for (uint32_t i = 0; w->bound && i < w->g->input_count; i++)
        tensor_value_release(w->bound[i]);
    for (uint32_t i = 0; w->results && i < w->g->output_count; i++)
        tensor_value_release(w->results[i]);
    base_free(a, w->bound);
    base_free(a, w->results);
    base_free(a, w->ports);
    base_mutex_lock(e->step_lock);
    network_destroy(w->n);
    base_mutex_unlock(e->step_lock);
    graph_destroy(w->g);
    onnx_file_close(w->file);
    base_arena_destroy(&w->texts);
    base_free(a, w->bytes);
    base_free(a, w);
    api_engine_release(e);
}

static ondol_status print_port(ondol_network *w, const graph_value *v, port_texts *out,
                               ondol_error *err) {
    base_buffer b;
    base_buffer_init(&b, &w->engine->allocator, 1u << 16);
    graph_print_type(w->g, v, &b);
    out->type = base_arena_strndup(&w->texts, b.data ? b.data : "", b.size);
    base_buffer_destroy(&b);
    return out->type ? ONDOL_OK : base_no_memory(err, "network", 0);
}

static ondol_status describe_ports(ondol_network *w, ondol_error *err) {
    const ondol_allocator *a = &w->engine->allocator;
    const graph *g = w->g;
    w->bound = base_calloc(a, g->input_count ? g->input_count : 1, sizeof *w->bound);
    w->results = base_calloc(a, g->output_count ? g->output_count : 1, sizeof *w->results);
    w->ports = base_calloc(a, (size_t)g->input_count + g->output_count + 1, sizeof *w->ports);
    if (!w->bound || !w->results || !w->ports) return base_no_memory(err, "network", sizeof *w);
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < g->input_count; i++)
        TRY(print_port(w, g->values + g->inputs[i], w->ports + i, err));
    for (uint32_t i = 0; i < g->output_count; i++)
        TRY(print_port(w, g->values + g->outputs[i], w->ports + g->input_count + i, err));
done:
    return status;
}

static ondol_status create(ondol_engine *engine, const ondol_network_options *options,
                           ondol_network_options *o, ondol_network **out, ondol_error *err) {
    *o = (ondol_network_options)ONDOL_NETWORK_OPTIONS_INIT;
    ondol_status status = api_options_take(options, sizeof *o, o, "ondol_network_options", err);
    if (status != ONDOL_OK) return status;
    ondol_network *w = base_calloc(&engine->allocator, 1, sizeof *w);
    if (!w) return base_no_memory(err, "network", sizeof *w);
    w->engine = engine;
    base_arena_init(&w->texts, &engine->allocator, 0);
    api_engine_retain(engine);
    *out = w;
    return ONDOL_OK;
}

static ondol_status build(ondol_network *w, const ondol_network_options *o, ondol_error *err) {
    ondol_engine *e = w->engine;
    const uint64_t memory = base_memory_total_bytes();
    const network_options options = {.max_bytes = o->max_bytes ? o->max_bytes : memory,
                                     .max_iterations = o->max_iterations,
                                     .seed = o->seed,
                                     .profile = o->profile != 0};
    ondol_status status = ONDOL_OK;
    TRY(models_graph_from_onnx(&e->allocator, w->file, &w->g, err));
    TRY(describe_ports(w, err));
    /* Kernels prepare constants on the engine's threads, as runs do. */
    base_mutex_lock(e->step_lock);
    status = api_ready_network(&e->allocator, w->g, e->devices, e->device_count, e->pool, &options,
                               &w->n, err);
    base_mutex_unlock(e->step_lock);
done:
    return status;
}

ondol_status ondol_network_open(ondol_engine *engine, const char *path,
                                const ondol_network_options *options, ondol_network **out,
                                ondol_error *err) {
    ondol_network *w = NULL;
    ondol_network_options o;
    ondol_status status = create(engine, options, &o, &w, err);
    if (status != ONDOL_OK) return status;
    const onnx_open_options how = {.no_map = o.no_mmap != 0};
    TRY(onnx_file_open(&engine->allocator, path, &how, &w->file, err));
    TRY(build(w, &o, err));
    *out = w;
    return ONDOL_OK;
done:
    destroy(w);
    return base_prefix(err, status, "%s", path);
}

ondol_status ondol_network_open_source(ondol_engine *engine, const ondol_source *source,
                                       const ondol_network_options *options, ondol_network **out,
                                       ondol_error *err) {
    ondol_network *w = NULL;
    ondol_network_options o;
    if (!source || !source->read) return base_fail(err, ONDOL_E_ARGUMENT, "a source needs `read`");
    ondol_status status = create(engine, options, &o, &w, err);
    if (status != ONDOL_OK) return status;
    TRY(api_source_read(engine, source, &w->bytes, err));
    TRY(onnx_file_open_memory(&engine->allocator, w->bytes, source->size_bytes, &w->file, err));
    TRY(build(w, &o, err));
    *out = w;
    return ONDOL_OK;
done:
    destroy(w);
    return base_prefix(err, status, "%s", source->name ? source->name : "source");
}

void ondol_network_close(ondol_network *w) {
    if (w) destroy(w);
}

size_t ondol_network_input_count(const ondol_network *w) {
    return w->g->input_count;
}

size_t ondol_network_output_count(const ondol_network *w) {
    return w->g->output_count;
}

static ondol_status give_port(const ondol_network *w, graph_value_id id, const char *name,
                              const port_texts *texts, ondol_port *out, ondol_error *err) {
    const graph_value *v = w->g->values + id;
    const bool tensor = v->type_kind == GRAPH_TYPE_TENSOR;
    ondol_port port = {.name = name,
                       .type = texts->type,
                       .element = tensor ? (ondol_element)v->element : ONDOL_ELEMENT_UNKNOWN,
                       .rank = -1,
                       .has_default = v->initial != NULL || v->type_kind == GRAPH_TYPE_OPTIONAL};
    if (tensor && v->shape.rank != GRAPH_RANK_UNKNOWN) {
        port.rank = (int32_t)v->shape.rank;
        for (uint32_t i = 0; i < v->shape.rank; i++) {
            const graph_dim d = v->shape.dims[i];
            port.dims[i] = d >= 0 ? d : -1;
            if (d < 0 && d != GRAPH_DIM_UNKNOWN) {
                port.dim_names[i] = w->g->symbols[GRAPH_SYMBOL_INDEX(d)];
            }
        }
    }
    return api_info_give(&port, sizeof port, out, err);
}

ondol_status ondol_network_input(const ondol_network *w, size_t index, ondol_port *out,
                                 ondol_error *err) {
    if (index >= w->g->input_count) {
        return base_fail(err, ONDOL_E_ARGUMENT, "input %zu: there are %u", index,
                         w->g->input_count);
    }
    const graph_value_id id = w->g->inputs[index];
    return give_port(w, id, w->g->values[id].name, w->ports + index, out, err);
}

ondol_status ondol_network_output(const ondol_network *w, size_t index, ondol_port *out,
                                  ondol_error *err) {
    if (index >= w->g->output_count) {
        return base_fail(err, ONDOL_E_ARGUMENT, "output %zu: there are %u", index,
                         w->g->output_count);
    }
    return give_port(w, w->g->outputs[index], w->g->output_names[index],
                     w->ports + w->g->input_count + index, out, err);
}

ondol_status ondol_network_find_input(const ondol_network *w, const char *name, size_t *index,
                                      ondol_error *err) {
    char names[256] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < w->g->input_count; i++) {
        const char *have = w->g->values[w->g->inputs[i]].name;
        if (strcmp(have, name) == 0) {
            *index = i;
            return ONDOL_OK;
        }
        const size_t n = strlen(have);
        if (used + n + 3 > sizeof names) continue;
        if (used) {
            memcpy(names + used, ", ", 2);
            used += 2;
        }
        memcpy(names + used, have, n + 1);
        used += n;
    }
    return base_fail(err, ONDOL_E_NOT_FOUND, "there is no input '%s'; there are: %s", name, names);
}

ondol_status ondol_network_bind(ondol_network *w, size_t input, ondol_value *value,
                                ondol_error *err) {
    tensor_value *v = api_value_of(value);
    if (input >= w->g->input_count) {
        return base_fail(err, ONDOL_E_ARGUMENT, "input %zu: there are %u", input,
                         w->g->input_count);
    }
    if (v && v->heap != network_heap(w->n)) {
        return base_fail(err, ONDOL_E_ARGUMENT, "the value belongs to another network");
    }
    if (v) tensor_value_retain(v);
    tensor_value_release(w->bound[input]);
    w->bound[input] = v;
    return ONDOL_OK;
}

ondol_status ondol_network_run(ondol_network *w, ondol_error *err) {
    for (uint32_t i = 0; i < w->g->output_count; i++) {
        tensor_value_release(w->results[i]);
        w->results[i] = NULL;
    }
    base_mutex_lock(w->engine->step_lock);
    const ondol_status status = network_run(w->n, w->bound, w->results, err);
    base_mutex_unlock(w->engine->step_lock);
    if (status != ONDOL_OK) memset(w->results, 0, w->g->output_count * sizeof *w->results);
    return status;
}

ondol_value *ondol_network_result(const ondol_network *w, size_t output) {
    return output < w->g->output_count ? api_value_from(w->results[output]) : NULL;
}

void ondol_network_cancel(ondol_network *w) {
    network_cancel(w->n);
}

tensor_heap *api_network_heap(const ondol_network *w) {
    return network_heap(w->n);
}

const graph_value *api_network_input_value(const ondol_network *w, size_t input) {
    return input < w->g->input_count ? w->g->values + w->g->inputs[input] : NULL;
}

typedef struct profile_target {
    ondol_profile_row row;
    void *user;
} profile_target;

static void give_row(void *user, const graph *g, graph_node_id id, const char *device,
                     const char *kernel, uint64_t runs, uint64_t time_ns) {
    const profile_target *to = user;
    const graph_op_info *info = graph_op_info_of(g->nodes[id].op);
    const ondol_node_profile row = {
        sizeof row, g->nodes[id].name, info->domain, info->name, device, kernel, runs, time_ns};
    to->row(to->user, &row);
}

void ondol_network_profile(const ondol_network *w, ondol_profile_row row, void *user) {
    profile_target to = {row, user};
    network_profile(w->n, give_row, &to);
}

ondol_status ondol_network_describe(const ondol_network *w, ondol_model_text what, char *text,
                                    size_t capacity, size_t *count, ondol_error *err) {
    base_buffer b;
    if (what != ONDOL_TEXT_GRAPH_PORTABLE && what != ONDOL_TEXT_DOT) {
        return base_fail(err, ONDOL_E_ARGUMENT, "a network has no text %d", (int)what);
    }
    base_buffer_init(&b, &w->engine->allocator, API_TEXT_BYTES_MAX);
    if (what == ONDOL_TEXT_DOT)
        graph_print_dot(w->g, &b);
    else
        graph_print(w->g, &b);
    const ondol_status status = base_buffer_status(&b, "graph", err);
    if (status == ONDOL_OK) api_text_give(&b, text, capacity, count);
    base_buffer_destroy(&b);
    return status;
}
