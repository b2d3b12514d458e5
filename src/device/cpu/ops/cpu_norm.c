/* Norms. In: rows along the last axes, weights. Out: rows of mean 0 (or not) and unit size; for
 * BatchNormalization, channels scaled and shifted. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/cpu/ops/cpu_axis_ops.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/ops/cpu_output.h"
#include "device/cpu/rows.h"

/* float32 in, float32 statistics, and only outputs that are computed here. */
bool cpu_accepts_norm(const graph *g, graph_node_id n, base_buffer *why) {
    const graph_node *node = g->nodes + n;
    bool fine = true;
    for (uint32_t i = 0; i < node->input_count && fine; i++)
        fine = node->inputs[i] == GRAPH_NONE ||
               g->values[node->inputs[i]].element == TENSOR_ELEMENT_F32;
    for (uint32_t i = 1; i < node->output_count && fine; i++)
        fine = node->outputs[i] == GRAPH_NONE ||
               ((node->op == GRAPH_OP_MS_SKIP_SIMPLIFIED_LAYER_NORMALIZATION ||
                 node->op == GRAPH_OP_MS_SKIP_LAYER_NORMALIZATION) &&
                i == 3);
    if (node->op == GRAPH_OP_BATCH_NORMALIZATION)
        fine = fine && !graph_get_int(g, n, "training_mode");
    if (!fine && why)
        base_buffer_append_text(why, "it norms float32, without statistics given out");
    return fine;
}

typedef struct norm_job {
    const cpu_rows *rows;
    const cpu_kernels *kernels;
    const float *x, *skip, *skip_bias, *weight, *bias;
    float *y, *sum;
    uint64_t lines, skip_lines, each, n; /* skip's lines are taken again from the first */
    float epsilon;
    bool rms;
} norm_job;

static void norm_unit(uint32_t unit, unsigned thread, void *argument) {
    const norm_job *j = argument;
    const size_t n = (size_t)j->n;
    (void)thread;
    for (uint64_t i = unit * j->each; i < (unit + 1) * j->each && i < j->lines; i++) {
        const float *x = j->x + i * j->n;
        float *y = j->y + i * j->n;
        if (j->skip) {
            float *sum = j->sum ? j->sum + i * j->n : y;
            const float *skip = j->skip + i % j->skip_lines * j->n;
            j->rows->binary(CPU_BINARY_ADD, sum, x, 1, skip, 1, n);
            if (j->skip_bias) j->rows->binary(CPU_BINARY_ADD, sum, sum, 1, j->skip_bias, 1, n);
            x = sum;
        }
        if (j->rms)
            j->kernels->rms_norm(y, n, x, n, j->weight, 1, 1, (uint32_t)n, j->epsilon);
        else
            j->rows->layer_norm(y, x, j->weight, j->bias, n, j->epsilon);
    }
}

static void run_lines(plan_call *c, norm_job *j) {
    j->rows = cpu_rows_select(cpu_device_of(c->device)->isa);
    j->kernels = &cpu_device_of(c->device)->kernels;
    j->each = j->n ? 4096 / j->n + 1 : 1;
    if (j->lines && j->n) {
        plan_call_parallel(c, (uint32_t)((j->lines + j->each - 1) / j->each), norm_unit, j);
    }
}

/* An input of n floats; NULL where it is absent. */
static ondol_status read_vector(const plan_call *c, uint32_t i, uint64_t n, const float **out,
                                ondol_error *err) {
    tensor_value *v = NULL;
    *out = NULL;
    if (!plan_call_input(c, i)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, i, TENSOR_ELEMENT_F32, &v, err);
    if (status != ONDOL_OK) return status;
    if (v->elems != n) {
        return plan_call_fail(c, err,
                              "input %" PRIu32 " has %" PRIu64 " elements, expected %" PRIu64, i,
                              v->elems, n);
    }
    *out = v->data;
    return ONDOL_OK;
}

static ondol_status run_norm(plan_call *c, bool rms, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    uint32_t axis = 0;
    norm_job j = {.n = 1, .rms = rms, .epsilon = (float)graph_get_float(c->g, c->node, "epsilon")};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), x->rank, &axis, err));
    for (uint32_t i = axis; i < x->rank; i++)
        j.n *= (uint64_t)x->dims[i];
    TRY(read_vector(c, 1, j.n, &j.weight, err));
    TRY(read_vector(c, 2, j.n, &j.bias, err));
    if (!j.weight) return plan_call_fail(c, err, "it lacks a scale");
    TRY(cpu_output_like(c, 0, x, &y, err));
    j.lines = j.n ? x->elems / j.n : 0;
    j.x = x->data;
    j.y = y->data;
    run_lines(c, &j);
done:
    return status;
}

ondol_status cpu_run_layer_norm(plan_call *c, ondol_error *err) {
    return run_norm(c, false, err);
}

ondol_status cpu_run_rms_norm(plan_call *c, ondol_error *err) {
    return run_norm(c, true, err);
}

/* skip has x's dims, or is one example of a batch of them. */
static bool is_skip_of(const tensor_value *x, const tensor_value *skip) {
    const bool is_one = skip->rank == x->rank && x->rank == 3 && skip->dims[0] == 1;
    const uint32_t lead = x->rank > skip->rank ? 1 : 0;
    if (!x->rank || skip->rank + lead != x->rank || (lead && x->rank != 3)) return false;
    for (uint32_t i = is_one ? 1 : 0; i < skip->rank; i++)
        if (skip->dims[i] != x->dims[i + lead]) return false;
    return true;
}

/* Outputs 0: the normed sum, 3: the sum. */
ondol_status cpu_run_skip_norm(plan_call *c, ondol_error *err) {
    const graph_op op = c->g->nodes[c->node].op;
    tensor_value *x = NULL, *skip = NULL, *y = NULL, *sum = NULL;
    norm_job j = {.rms = op == GRAPH_OP_MS_SKIP_SIMPLIFIED_LAYER_NORMALIZATION,
                  .epsilon = (float)graph_get_float(c->g, c->node, "epsilon")};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_F32, &skip, err));
    if (!is_skip_of(x, skip)) {
        return plan_call_fail(c, err, "skip has %" PRIu64 " elements, expected %" PRIu64,
                              skip->elems, x->elems);
    }
    j.n = (uint64_t)x->dims[x->rank - 1];
    TRY(read_vector(c, 2, j.n, &j.weight, err));
    if (!j.rms) TRY(read_vector(c, 3, j.n, &j.bias, err));
    TRY(read_vector(c, j.rms ? 3 : 4, j.n, &j.skip_bias, err));
    if (!j.weight) return plan_call_fail(c, err, "it lacks gamma");
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, x->rank, x->dims, &y, err));
    if (plan_call_wants(c, 3)) {
        TRY(plan_call_output(c, 3, TENSOR_ELEMENT_F32, x->rank, x->dims, &sum, err));
        j.sum = sum->data;
    }
    j.lines = j.n ? x->elems / j.n : 0;
    j.skip_lines = j.n ? skip->elems / j.n : 0;
    j.x = x->data;
    j.skip = skip->data;
    j.y = y->data;
    run_lines(c, &j);
done:
    return status;
}

/* scale[c] = weight / sqrt(variance + epsilon), shift[c] = bias - mean * scale. */
static ondol_status find_factors(plan_call *c, uint64_t channels, float *scale, float *shift,
                                 ondol_error *err) {
    const float *weight = NULL, *bias = NULL, *mean = NULL, *variance = NULL;
    const double epsilon = graph_get_float(c->g, c->node, "epsilon");
    ondol_status status = ONDOL_OK;
    TRY(read_vector(c, 1, channels, &weight, err));
    TRY(read_vector(c, 2, channels, &bias, err));
    TRY(read_vector(c, 3, channels, &mean, err));
    TRY(read_vector(c, 4, channels, &variance, err));
    if (!weight || !bias || !mean || !variance) return plan_call_fail(c, err, "it lacks an input");
    for (uint64_t i = 0; i < channels; i++) {
        const double s = weight[i] / sqrt(variance[i] + epsilon);
        scale[i] = (float)s;
        shift[i] = (float)(bias[i] - mean[i] * s);
    }
done:
    return status;
}

ondol_status cpu_run_batch_norm(plan_call *c, ondol_error *err) {
    const cpu_rows *rows = cpu_rows_select(cpu_device_of(c->device)->isa);
    tensor_value *x = NULL, *y = NULL;
    void *work = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    const uint64_t channels = x->rank > 1 ? (uint64_t)x->dims[1] : 1;
    TRY(tensor_heap_alloc(c->heap, 2 * channels * sizeof(float) + 1, "factors", &work, err));
    float *scale = work, *shift = scale + channels;
    TRY(find_factors(c, channels, scale, shift, err));
    TRY(cpu_output_like(c, 0, x, &y, err));
    const uint64_t images = x->rank ? (uint64_t)x->dims[0] : 1;
    const uint64_t pixels = y->elems ? x->elems / images / channels : 0;
    const float *from = x->data;
    float *to = y->data;
    if (x->channels_last) {
        for (uint64_t i = 0; i < images * pixels; i++, from += channels, to += channels) {
            rows->binary(CPU_BINARY_MUL, to, from, 1, scale, 1, (size_t)channels);
            rows->binary(CPU_BINARY_ADD, to, to, 1, shift, 1, (size_t)channels);
        }
    } else {
        for (uint64_t i = 0; i < images * channels; i++, from += pixels, to += pixels) {
            rows->binary(CPU_BINARY_MUL, to, from, 1, scale + i % channels, 0, (size_t)pixels);
            rows->binary(CPU_BINARY_ADD, to, to, 1, shift + i % channels, 0, (size_t)pixels);
        }
    }
done:
    tensor_heap_free(c->heap, work);
    return status;
}
