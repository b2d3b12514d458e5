/* Every step of every tiny model's plan: cpu next to ref:planned, on the same inputs. Rounding that
 * flips one 8-bit code is carried on by all that follows, so whole models agree only as far as
 * codes do; steps agree to what float32 allows, and codes exactly. */
#include <dirent.h>
#include <math.h>
#include <stdbool.h>

#include "../../src/api/api_internal.h"
#include "../../src/device/cpu/matmul.h"
#include "../../src/device/ref/ref_ops.h"
#include "model_test.h"

#define ROWS  13
/* The largest difference in a row, relative to the row's largest value. */
#define BOUND 1e-5

/* One of the two devices with the model on it. */
typedef struct side {
    ondol_engine *engine;
    ondol_model *model;
    plan_kv *kv;
    plan *p;
    plan_device *device;
    plan_buffer *scratch, *pools[8];
    plan_step_block block;
    plan_binding binding;
} side;

/* Two sequences of 8 and 5 rows; the second begins a page late, behind its first 32 tokens. */
typedef struct batch {
    int32_t ids[ROWS], positions[ROWS], regimes[ROWS];
    uint32_t row_sequence[ROWS], output_rows[3];
    plan_tile tiles[2];
    uint32_t tables[2][2];
    const uint32_t *page_tables[16];
} batch;

static void fill_batch(batch *b, uint32_t vocabulary, uint32_t groups) {
    *b = (batch){.output_rows = {7, 12, 0}, .tiles = {{0, 8, 0}, {8, 5, 1}}};
    model_test_ids(b->ids, ROWS, vocabulary, 17);
    for (uint32_t i = 0; i < ROWS; i++) {
        b->row_sequence[i] = i >= 8;
        b->positions[i] = (int32_t)(i >= 8 ? i - 8 : i);
    }
    b->tables[0][0] = 1;
    b->tables[1][0] = 0;
    for (uint32_t g = 0; g < groups; g++) {
        b->page_tables[2 * g] = b->tables[0];
        b->page_tables[2 * g + 1] = b->tables[1];
    }
}

static void open_side(side *s, const char *device, const char *path, batch *b) {
    ondol_error err;
    ondol_engine_options o = ONDOL_ENGINE_OPTIONS_INIT;
    o.device = device;
    o.threads = 1;
    *s = (side){0};
    ASSERT_OK(ondol_engine_create(&o, &s->engine, &err));
    ASSERT_OK(ondol_model_open(s->engine, path, NULL, &s->model, &err));
    const ondol_allocator *a = &s->engine->allocator;
    ASSERT_OK(plan_kv_create(a, s->model->layers, s->model->decoder->layer_count, TENSOR_KV_F32, 32,
                             &s->kv, &err));
    ASSERT_OK(
        plan_create(a, s->model->decoder->lowered, s->model->weights, s->kv, ROWS, 3, &s->p, &err));
    fill_batch(b, s->model->info.vocabulary, s->kv->group_count);
    s->block = (plan_step_block){.row_count = ROWS,
                                 .output_count = 3,
                                 .logit_count = 2,
                                 .tile_count = 2,
                                 .sequence_count = 2,
                                 .group_count = s->kv->group_count,
                                 .ids = b->ids,
                                 .positions = b->positions,
                                 .regimes = b->regimes,
                                 .row_sequence = b->row_sequence,
                                 .output_rows = b->output_rows,
                                 .tiles = b->tiles,
                                 .page_tables = b->page_tables};
    s->device = s->engine->devices[0];
    ASSERT_OK(s->device->ops->buffer_create(s->device, s->p->scratch_bytes, &s->scratch, &err));
    for (uint32_t g = 0; g < s->kv->group_count; g++) {
        ASSERT_OK(s->device->ops->buffer_create(s->device, 2 * s->kv->groups[g].page_bytes,
                                                s->pools + g, &err));
    }
    s->binding = (plan_binding){s->scratch, s->pools, &s->block};
}

static void close_side(side *s) {
    for (uint32_t g = 0; g < s->kv->group_count; g++)
        s->device->ops->buffer_destroy(s->device, s->pools[g]);
    s->device->ops->buffer_destroy(s->device, s->scratch);
    plan_destroy(s->p);
    plan_kv_destroy(s->kv);
    ondol_model_release(s->model);
    ondol_engine_destroy(s->engine);
}

static void run_step(side *s, uint32_t step) {
    ondol_error err;
    plan_recorded *r = NULL;
    uint64_t fence = 0;
    ASSERT_OK(s->device->ops->record(s->device, s->p, step, step + 1, &s->binding, &r, &err));
    ASSERT_OK(s->device->ops->submit(s->device, r, &fence, &err));
    ASSERT_OK(s->device->ops->wait(s->device, fence, &err));
    s->device->ops->recorded_destroy(s->device, r);
}

static void *output_of(const side *s, uint32_t step) {
    return (char *)s->scratch->host + s->p->values[s->p->steps[step].out].offset;
}

static void compare_codes(const side *cpu, const side *ref, uint32_t step, const char *name) {
    const uint32_t k = cpu->p->values[cpu->p->steps[step].out].columns;
    const uint32_t rows = plan_value_rows(cpu->p, cpu->p->steps[step].out, &cpu->block);
    const size_t groups = (k + 31) / 32;
    int8_t *codes = malloc(k);
    float *scales = malloc(groups * sizeof *scales);
    const char *expected = output_of(ref, step);
    for (uint32_t r = 0; r < rows; r++) {
        cpu_activation_read(output_of(cpu, step), rows, k, r, codes, scales);
        assert_memory_equal(scales, expected, groups * sizeof *scales);
        if (memcmp(codes, expected + groups * sizeof *scales, k) != 0) {
            fail_msg("%s, step %u: codes of row %u differ", name, step, r);
        }
        expected += groups * sizeof *scales + (k + 3) / 4 * 4;
    }
    free(codes);
    free(scales);
}

/* Then cpu goes on from ref's values. */
static void compare_floats(const side *cpu, const side *ref, uint32_t step, const char *name) {
    const plan_value *a = cpu->p->values + cpu->p->steps[step].out;
    const plan_value *b = ref->p->values + ref->p->steps[step].out;
    const uint32_t rows = plan_value_rows(cpu->p, cpu->p->steps[step].out, &cpu->block);
    for (uint32_t r = 0; r < rows; r++) {
        float *got = (float *)output_of(cpu, step) + (size_t)r * a->row_stride;
        const float *want = (const float *)output_of(ref, step) + (size_t)r * b->row_stride;
        double worst = 0, largest = 0;
        for (uint32_t i = 0; i < a->columns; i++) {
            worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
            largest = fmax(largest, fabs((double)want[i]));
        }
        if (!(worst <= BOUND * largest)) {
            fail_msg("%s, step %u (%s): row %u is %.3g off, of %.3g", name, step,
                     plan_op_name(cpu->p->steps[step].op), r, worst, largest);
        }
        memcpy(got, want, a->columns * sizeof *got);
    }
}

static uint32_t compare_model(const char *path, const char *name) {
    static batch b;
    side cpu, ref;
    open_side(&ref, "ref:planned", path, &b);
    open_side(&cpu, "cpu", path, &b);
    assert_int_equal(cpu.p->step_count, ref.p->step_count);
    const uint32_t steps = cpu.p->step_count;
    for (uint32_t i = 0; i < steps; i++) {
        assert_int_equal(cpu.p->steps[i].op, ref.p->steps[i].op);
        run_step(&ref, i);
        run_step(&cpu, i);
        if (cpu.p->steps[i].op == PLAN_OP_QUANTIZE)
            compare_codes(&cpu, &ref, i, name);
        else
            compare_floats(&cpu, &ref, i, name);
    }
    close_side(&cpu);
    close_side(&ref);
    return steps;
}

static void every_step_of_every_model(void **state) {
    (void)state;
    const char *folder = getenv("ONDOL_TINY_MODELS");
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    uint32_t models = 0, steps = 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        if (!strstr(entry->d_name, ".gguf")) continue;
        if (strstr(entry->d_name, "-of-") && !strstr(entry->d_name, "-00001-of-")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        steps += compare_model(path, entry->d_name);
        models++;
    }
    closedir(dir);
    print_message("%u models, %u steps\n", models, steps);
    assert_true(models > 60);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_step_of_every_model),
};
MODEL_TEST_MAIN(tests)
