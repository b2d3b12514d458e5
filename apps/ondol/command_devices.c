/* ondol devices: what this machine computes with. */
#include <stdlib.h>

#include <ondol/ondol.h>
#include <ondol/ondol_experimental.h>

#include "common/describe.h"
#include "common/json_print.h"
#include "common/model_flags.h"
#include "common/report.h"
#include "common/terminal.h"
#include "ondol/commands.h"

typedef struct devices_flags {
    const char *explain;
    bool measure, json;
    model_flags model;
} devices_flags;

#define AT(member) offsetof(devices_flags, member)
static const option_row rows[] = {
    {"explain", 0, OPTION_FILE, AT(explain), "MODEL",
     "which kernel each operator of a model gets, and why others declined", 0, 0},
    {"measure", 0, OPTION_FLAG, AT(measure), NULL,
     "measure streaming read and int8 arithmetic (half a second)", 0, 0},
    {"json", 0, OPTION_FLAG, AT(json), NULL, "print JSON: devices (and limits, explain)", 0, 0},
};
#undef AT

static const option_group groups[] = {
    {"Options", OPTION_ROWS(rows), 0},
    MODEL_GROUP(devices_flags),
};

static const char *const examples[] = {
    "ondol devices",
    "devices, instruction set and memory",
    "ondol devices --explain model.gguf",
    "which kernel each operator got",
    "ONDOL_ISA=avx2 ondol devices",
    "with the instruction set capped",
    NULL,
};

static int print_device(const ondol_device_info *d, json_t *list) {
    char memory[32];
    if (list) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:I, s:b}", "name", d->name,
                                              "description", d->description, "isa", d->isa,
                                              "threads", (json_int_t)d->threads, "memory_bytes",
                                              (json_int_t)d->memory_bytes, "chosen", d->chosen));
        return EXIT_DONE;
    }
    printf("%c %-6s %s\n", d->chosen ? '*' : ' ', d->name, d->description);
    printf("         ");
    if (d->isa[0]) printf("%s, ", d->isa);
    printf("%u thread%s", d->threads, d->threads == 1 ? "" : "s");
    if (d->memory_bytes) {
        printf(", %s of memory", bytes_for_people(d->memory_bytes, memory, sizeof memory));
    }
    putchar('\n');
    return EXIT_DONE;
}

static int print_all(const opened *o, json_t *list) {
    ondol_error err;
    for (size_t i = 0; i < ondol_engine_device_count(o->engine); i++) {
        ondol_device_info info = {.struct_size = sizeof info};
        if (ondol_engine_device(o->engine, i, &info, &err)) return report_error(&err);
        print_device(&info, list);
    }
    return EXIT_DONE;
}

static int measure(const opened *o, json_t *out) {
    ondol_error err;
    double read = 0, int8 = 0;
    if (ondol_engine_measure(o->engine, &read, &int8, &err)) return report_error(&err);
    if (out) {
        json_object_set_new(out, "limits",
                            json_pack("{s:o, s:o}", "read_bytes_s", json_rounded(read),
                                      "int8_ops_s", json_rounded(int8)));
    } else {
        printf("  streaming read %.1f GB/s, int8 arithmetic %.2f Tops/s\n", read * 1e-9,
               int8 * 1e-12);
    }
    return EXIT_DONE;
}

static int explain(opened *o, const devices_flags *flags, json_t *out) {
    text_buffer text = {0};
    int status = opened_model(o, flags->explain, &flags->model, false);
    if (!status) status = describe_model(o->model, ONDOL_TEXT_EXPLAIN, &text);
    if (!status && out) {
        json_object_set_new(out, "explain", json_text(text.bytes, text.size));
    } else if (!status) {
        printf("\n%s", text.bytes);
    }
    text_free(&text);
    return status;
}

static int run(const command *self, int argc, char **argv) {
    devices_flags flags = {0};
    opened o = {0};
    int count = 0, status = EXIT_DONE;
    if (!options_parse(self, &flags, argc, argv, &count, &status)) return status;
    json_t *out = flags.json ? json_object() : NULL, *list = flags.json ? json_array() : NULL;
    status = opened_engine(&o, &flags.model);
    if (!status) status = print_all(&o, list);
    if (out) json_object_set_new(out, "devices", list);
    if (!status && flags.measure) status = measure(&o, out);
    if (!status && flags.explain) status = explain(&o, &flags, out);
    if (!status && out) {
        status = json_print(out);
    } else if (out) {
        json_decref(out);
    }
    opened_free(&o);
    return status;
}

const command command_devices = {"devices",
                                 "",
                                 "Lists the devices of this machine, and their kernels",
                                 "The star marks the device that models run on.",
                                 groups,
                                 2,
                                 examples,
                                 0,
                                 0,
                                 run};
