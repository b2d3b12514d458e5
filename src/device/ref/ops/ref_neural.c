/* What the kernels of neural operators share. In: inputs of a call. Out: doubles, checked shapes.
 */
#include "device/ref/ops/ref_neural.h"

#include <inttypes.h>
#include <string.h>

ondol_status ref_float_input(const plan_call *c, uint32_t i, tensor_value **out, ondol_error *err) {
    ondol_status status = ref_input(c, i, REF_CLASS_FLOAT, out, err);
    if (status != ONDOL_OK || tensor_element_bits((*out)->element) >= 8) return status;
    return plan_call_fail(c, err, "input %" PRIu32 " has elements of type %s", i,
                          tensor_element_onnx_name((*out)->element));
}

ondol_status ref_expect_dims(const plan_call *c, const char *name, const tensor_value *v,
                             uint32_t rank, const int64_t *dims, ondol_error *err) {
    char got[REF_SHAPE_TEXT_BYTES], wanted[REF_SHAPE_TEXT_BYTES];
    if (v->rank == rank && memcmp(v->dims, dims, rank * sizeof *dims) == 0) return ONDOL_OK;
    return plan_call_fail(c, err, "%s has shape %s, expected %s", name,
                          ref_shape_text(v->rank, v->dims, got),
                          ref_shape_text(rank, dims, wanted));
}

ondol_status ref_float_list(const plan_call *c, uint32_t i, const char *name, int64_t count,
                            double otherwise, double **out, ondol_error *err) {
    tensor_value *v = NULL;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    if (plan_call_input(c, i)) {
        TRY(ref_float_input(c, i, &v, err));
        TRY(ref_expect_dims(c, name, v, 1, &count, err));
        return ref_all_numbers(c, v, out, err);
    }
    TRY(ref_alloc(c, (uint64_t)count, sizeof **out, name, &memory, err));
    *out = memory;
    for (int64_t k = 0; k < count; k++)
        (*out)[k] = otherwise;
done:
    return status;
}

typedef struct task_list {
    uint64_t count;
    uint32_t units;
    ref_task run;
    void *user;
} task_list;

static void run_unit(uint32_t unit, unsigned thread_index, void *argument) {
    const task_list *list = argument;
    (void)thread_index;
    for (uint64_t task = unit; task < list->count; task += list->units)
        list->run(list->user, task);
}

void ref_run_tasks(const plan_call *c, uint64_t task_count, ref_task run, void *user) {
    task_list list = {task_count, task_count < 4096 ? (uint32_t)task_count : 4096, run, user};
    if (task_count) plan_call_parallel(c, list.units, run_unit, &list);
}
