/* ondol infer: an ONNX model and the values of its inputs -> its outputs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ondol/ondol.h>
#include <ondol/ondol_experimental.h>

#include "common/interrupt.h"
#include "common/json_print.h"
#include "common/model_flags.h"
#include "common/report.h"
#include "common/tensor_input.h"
#include "common/terminal.h"
#include "ondol/commands.h"
#include "ondol/infer_output.h"
#include "ondol/infer_profile.h"

typedef struct infer_flags {
    option_list inputs, images, dims;
    bool random, json;
    const char *output, *profile;
    int64_t repeat, top, seed;
    model_flags model;
} infer_flags;

#define AT(member) offsetof(infer_flags, member)
static const option_row rows[] = {
    {"input", 'i', OPTION_LIST, AT(inputs), "NAME=FILE",
     "an input: .npy, .npz (or FILE.npz:ARRAY), .pb, .csv", 0, 0},
    {"image", 0, OPTION_LIST, AT(images), "NAME=FILE:OPTIONS",
     "an input from an image; options, with commas between: resize=WxH, crop=WxH, mean=R/G/B, "
     "std=R/G/B, scale=X, layout=nchw|nhwc, color=rgb|bgr|gray",
     0, 0},
    {"random", 0, OPTION_FLAG, AT(random), NULL, "random values for the inputs that are not given",
     0, 0},
    {"dim", 0, OPTION_LIST, AT(dims), "NAME=N", "the size of a dimension for --random", 0, 0},
    {"output", 'o', OPTION_FILE, AT(output), "FOLDER",
     "write each output as NAME.npy, '/' in a name as '_'", 0, 0},
    {"repeat", 'r', OPTION_COUNT, AT(repeat), "N", "runs to time, behind one that is not counted",
     1, 1e6},
    {"top", 0, OPTION_COUNT, AT(top), "N", "largest values to show of each output (5)", 0, 1000},
    {"seed", 0, OPTION_COUNT, AT(seed), "N", "seed of random operators that have none", 0, 1e15},
    {"profile", 0, OPTION_FILE, AT(profile), "FILE",
     "print time by operator, and write a trace for chrome://tracing", 0, 0},
    {"json", 0, OPTION_FLAG, AT(json), NULL,
     "print JSON: seconds.median, seconds.min, outputs with names, types, shapes, top values", 0,
     0},
};
#undef AT

static const option_group groups[] = {
    {"Options", OPTION_ROWS(rows), 0},
    MODEL_GROUP(infer_flags),
};

static const char *const examples[] = {
    "ondol infer model.onnx --input x=x.npy --output out",
    "compute, and write each output to a folder",
    "ondol infer model.onnx --random --dim batch=1 --repeat 100",
    "how long a run takes",
    NULL,
};

typedef struct infer {
    infer_flags flags;
    opened o; /* its engine */
    ondol_network *network;
    bool *bound;
    dim_setting *dims;
    double *seconds; /* of each repetition */
    int64_t runs;
} infer;

static int open_network(infer *x, const char *path) {
    ondol_error err;
    ondol_network_options options = ONDOL_NETWORK_OPTIONS_INIT;
    int status = opened_engine(&x->o, &x->flags.model);
    if (status) return status;
    options.no_mmap = x->flags.model.no_mmap;
    options.profile = x->flags.profile != NULL;
    options.seed = (uint64_t)x->flags.seed;
    const double begin = seconds_now();
    if (ondol_network_open(x->o.engine, path, &options, &x->network, &err)) {
        return report_error(&err);
    }
    x->o.load_s = seconds_now() - begin;
    return EXIT_DONE;
}

static int bind_list(infer *x, const option_list *list, bool images) {
    for (size_t i = 0; i < list->count; i++) {
        size_t input = 0;
        ondol_port port;
        const char *rest = NULL;
        int status = tensor_input_find(x->network, list->items[i], &input, &port, &rest);
        if (!status) {
            status = images ? tensor_input_bind_image(x->o.engine, x->network, list->items[i])
                            : tensor_input_bind(x->network, list->items[i]);
        }
        if (status) return status;
        x->bound[input] = true;
    }
    return EXIT_DONE;
}

static int bind_inputs(infer *x) {
    const size_t count = ondol_network_input_count(x->network);
    x->bound = memory_take(count * sizeof *x->bound);
    memset(x->bound, 0, count * sizeof *x->bound);
    x->dims = memory_take(x->flags.dims.count * sizeof *x->dims);
    for (size_t i = 0; i < x->flags.dims.count; i++) {
        const int status = dim_setting_parse(x->flags.dims.items[i], x->dims + i);
        if (status) return status;
    }
    int status = bind_list(x, &x->flags.inputs, false);
    if (!status) status = bind_list(x, &x->flags.images, true);
    if (status) return status;
    if (x->flags.random) {
        return tensor_input_random(x->network, x->bound, x->dims, x->flags.dims.count);
    }
    for (size_t i = 0; i < count; i++) {
        ondol_port port = {.struct_size = sizeof port};
        ondol_error err;
        if (ondol_network_input(x->network, i, &port, &err)) return report_error(&err);
        if (x->bound[i] || port.has_default) continue;
        return report_failure("input '%s' (%s) is not given: --input %s=FILE, or --random",
                              port.name, port.type, port.name);
    }
    return EXIT_DONE;
}

static int run_all(infer *x) {
    const int64_t wanted = x->flags.repeat;
    ondol_error err;
    x->seconds = memory_take((size_t)(wanted + 1) * sizeof *x->seconds);
    if (ondol_network_run(x->network, &err)) return report_error(&err);
    for (int64_t i = 0; i < wanted; i++) {
        const double begin = seconds_now();
        if (ondol_network_run(x->network, &err)) return report_error(&err);
        x->seconds[x->runs++] = seconds_now() - begin;
        if (interrupt_seen()) break;
    }
    return EXIT_DONE;
}

static int compare_seconds(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *sorted, int64_t n) {
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static int print_json(infer *x) {
    json_t *outputs = json_array(), *out = json_object();
    for (size_t i = 0; i < ondol_network_output_count(x->network); i++) {
        json_array_append_new(outputs, infer_output_json(x->network, i, (size_t)x->flags.top));
    }
    json_object_set_new(out, "load_s", json_rounded(x->o.load_s));
    if (x->runs) {
        json_object_set_new(out, "seconds",
                            json_pack("{s:o, s:o, s:I}", "median",
                                      json_rounded(median(x->seconds, x->runs)), "min",
                                      json_rounded(x->seconds[0]), "runs", (json_int_t)x->runs));
    }
    json_object_set_new(out, "peak_rss_bytes",
                        json_integer((json_int_t)ondol_process_peak_bytes()));
    json_object_set_new(out, "outputs", outputs);
    return json_print(out);
}

static int print_results(infer *x) {
    if (x->flags.json) return print_json(x);
    for (size_t i = 0; i < ondol_network_output_count(x->network); i++) {
        infer_output_print(x->network, i, (size_t)x->flags.top);
    }
    if (x->runs) {
        printf("%lld runs: median %.3f ms, least %.3f ms\n", (long long)x->runs,
               1e3 * median(x->seconds, x->runs), 1e3 * x->seconds[0]);
    }
    return EXIT_DONE;
}

static int infer_with(infer *x, const char *path) {
    int status = open_network(x, path);
    if (!status) status = bind_inputs(x);
    if (!status) status = run_all(x);
    if (status) return status;
    qsort(x->seconds, (size_t)x->runs, sizeof *x->seconds, compare_seconds);
    if (x->flags.output) status = infer_output_write(x->network, x->flags.output);
    if (!status) status = print_results(x);
    if (!status && x->flags.profile) {
        status = infer_profile_write(x->network, x->flags.profile, !x->flags.json);
    }
    return status;
}

static int run(const command *self, int argc, char **argv) {
    infer x = {.flags = {.top = 5}};
    int count = 0, status = EXIT_DONE;
    if (!options_parse(self, &x.flags, argc, argv, &count, &status)) return status;
    interrupt_catch();
    status = infer_with(&x, argv[0]);
    ondol_network_close(x.network);
    opened_free(&x.o);
    free(x.bound);
    free(x.dims);
    free(x.seconds);
    free(x.flags.inputs.items);
    free(x.flags.images.items);
    free(x.flags.dims.items);
    return status;
}

const command command_infer = {
    "infer",
    "MODEL.onnx",
    "Computes the outputs of any ONNX model",
    "Inputs come from files or are random. Each output is shown with its type, shape and largest "
    "values; --output keeps them.",
    groups,
    2,
    examples,
    1,
    1,
    run};
