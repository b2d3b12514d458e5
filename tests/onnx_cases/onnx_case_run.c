/* One case. In: a folder with model.onnx, data.json and test_data_set_N/{input,output}_K.pb. Out:
 * whether the network gives the outputs. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/api_ready.h"
#include "base/cpu.h"
#include "base/file.h"
#include "device/registry.h"
#include "formats/onnx/onnx_file.h"
#include "models/onnx_import.h"
#include "models/onnx_value.h"
#include "network/network.h"
#include "onnx_cases.h"

#define PATH_BYTES 4096

/* A case under way. */
typedef struct run {
    ondol_allocator allocator;
    const char *folder;
    onnx_file *file;
    graph *g;
    base_pool *pool;
    plan_device *devices[CASE_DEVICES_MAX];
    uint32_t device_count;
    network *n;
    case_tolerance tolerance;
    tensor_value **inputs, **outputs;
    ondol_error err;
} run;

static void read_tolerance(run *r) {
    char path[PATH_BYTES];
    r->tolerance = (case_tolerance){1e-3, 1e-7};
    snprintf(path, sizeof path, "%s/data.json", r->folder);
    json_t *data = json_load_file(path, 0, NULL);
    const json_t *relative = json_object_get(data, "rtol"),
                 *absolute = json_object_get(data, "atol");
    if (json_is_number(relative)) r->tolerance.relative = json_number_value(relative);
    if (json_is_number(absolute)) r->tolerance.absolute = json_number_value(absolute);
    json_decref(data);
}

static ondol_status open_case(run *r, const char *const *devices, uint32_t device_count) {
    char path[PATH_BYTES];
    ondol_status status = ONDOL_OK;
    ondol_error *err = &r->err;
    const ondol_allocator *a = &r->allocator;
    snprintf(path, sizeof path, "%s/model.onnx", r->folder);
    read_tolerance(r);
    TRY(onnx_file_open(a, path, NULL, &r->file, err));
    TRY(models_graph_from_onnx(a, r->file, &r->g, err));
    TRY(base_pool_create(a, 1, &r->pool, err));
    const device_settings settings = {a, r->pool, base_cpu_isa()};
    for (; r->device_count < device_count; r->device_count++)
        TRY(device_create(devices[r->device_count], &settings, r->devices + r->device_count, err));
    const network_options options = {0};
    TRY(api_ready_network(a, r->g, r->devices, r->device_count, r->pool, &options, &r->n, err));
    r->inputs = base_calloc(a, r->g->input_count + 1, sizeof(tensor_value *));
    r->outputs = base_calloc(a, r->g->output_count + 1, sizeof(tensor_value *));
    if (!r->inputs || !r->outputs) status = base_no_memory(err, "values", 0);
done:
    return status;
}

static void release_values(tensor_value **list, uint32_t count) {
    for (uint32_t i = 0; list && i < count; i++) {
        tensor_value_release(list[i]);
        list[i] = NULL;
    }
}

static void close_case(run *r) {
    const ondol_allocator *a = &r->allocator;
    release_values(r->inputs, r->g ? r->g->input_count : 0);
    release_values(r->outputs, r->g ? r->g->output_count : 0);
    base_free(a, r->inputs);
    base_free(a, r->outputs);
    network_destroy(r->n);
    for (uint32_t i = 0; i < r->device_count; i++)
        device_destroy(r->devices[i]);
    base_pool_destroy(r->pool);
    graph_destroy(r->g);
    onnx_file_close(r->file);
}

/* Reads SET/WHAT_K.pb; *out stays NULL when there is no such file. */
static ondol_status read_value(run *r, const char *set, const char *what, uint32_t k,
                               graph_type_kind kind, tensor_value **out) {
    char path[PATH_BYTES];
    base_file file = {0};
    ondol_status status = ONDOL_OK;
    snprintf(path, sizeof path, "%s/%s_%" PRIu32 ".pb", set, what, k);
    *out = NULL;
    if (base_path_kind_of(path) == BASE_PATH_MISSING) return ONDOL_OK;
    TRY(base_file_open(&r->allocator, path, false, &file, &r->err));
    TRY(models_value_from_onnx(network_heap(r->n), kind, file.data, file.size, out, &r->err));
done:
    base_file_close(&file);
    return status == ONDOL_OK ? status : base_prefix(&r->err, status, "%s_%" PRIu32 ".pb", what, k);
}

static ondol_status read_inputs(run *r, const char *set) {
    for (uint32_t i = 0; i < r->g->input_count; i++) {
        const graph_value *v = r->g->values + r->g->inputs[i];
        ondol_status status = read_value(r, set, "input", i, v->type_kind, r->inputs + i);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

/* True when the value is what the graph says of it before any run. */
static bool is_as_inferred(const graph_value *v, const tensor_value *got) {
    if (v->type_kind != GRAPH_TYPE_TENSOR || got->kind != TENSOR_VALUE_TENSOR) return true;
    if (v->element != TENSOR_ELEMENT_UNDEFINED && v->element != got->element) return false;
    if (v->shape.rank == GRAPH_RANK_UNKNOWN) return true;
    if (v->shape.rank != got->rank) return false;
    for (uint32_t i = 0; i < got->rank; i++)
        if (v->shape.dims[i] >= 0 && v->shape.dims[i] != got->dims[i]) return false;
    return true;
}

/* True when all outputs are as expected; otherwise says in text which is not. */
static bool check_outputs(run *r, const char *set, char *text, size_t size) {
    for (uint32_t i = 0; i < r->g->output_count; i++) {
        const graph_value *v = r->g->values + r->g->outputs[i];
        tensor_value *expected = NULL;
        char why[CASE_TEXT_BYTES / 2] = "";
        if (read_value(r, set, "output", i, v->type_kind, &expected) != ONDOL_OK) {
            snprintf(text, size, "%s", r->err.text);
            return false;
        }
        if (!expected) {
            snprintf(text, size, "there is no output_%" PRIu32 ".pb", i);
            return false;
        }
        bool same = case_compare(r->outputs[i], expected, r->tolerance, why, sizeof why);
        if (same && !is_as_inferred(v, r->outputs[i])) {
            snprintf(why, sizeof why, "the graph says that it is of another type or shape");
            same = false;
        }
        tensor_value_release(expected);
        if (same) continue;
        snprintf(text, size, "output %" PRIu32 " '%s': %s", i, r->g->output_names[i], why);
        return false;
    }
    return true;
}

static bool run_set(run *r, const char *set, char *text, size_t size) {
    bool passed = false;
    if (read_inputs(r, set) != ONDOL_OK ||
        network_run(r->n, r->inputs, r->outputs, &r->err) != ONDOL_OK) {
        snprintf(text, size, "%s", r->err.text);
    } else {
        passed = check_outputs(r, set, text, size);
        release_values(r->outputs, r->g->output_count);
    }
    release_values(r->inputs, r->g->input_count);
    return passed;
}

void case_run(const char *folder, const char *const *devices, uint32_t device_count,
              case_result *out) {
    run r = {.allocator = base_default_allocator(), .folder = folder};
    char set[PATH_BYTES];
    uint32_t sets = 0;
    *out = (case_result){.verdict = CASE_FAILED};
    if (open_case(&r, devices, device_count) != ONDOL_OK) {
        snprintf(out->text, sizeof out->text, "%s", r.err.text);
        close_case(&r);
        return;
    }
    out->verdict = CASE_PASSED;
    for (;; sets++) {
        snprintf(set, sizeof set, "%s/test_data_set_%" PRIu32, folder, sets);
        if (base_path_kind_of(set) != BASE_PATH_FOLDER) break;
        if (run_set(&r, set, out->text, sizeof out->text)) continue;
        out->verdict = CASE_FAILED;
        break;
    }
    if (!sets && out->verdict == CASE_PASSED) {
        out->verdict = CASE_FAILED;
        snprintf(out->text, sizeof out->text, "there is no test_data_set_0");
    }
    for (uint32_t d = 0; d < device_count; d++)
        out->nodes[d] = network_nodes_on(r.n, d);
    close_case(&r);
}
