/* ondol info: a model file -> what is in it, and whether Ondol runs it. Reads the header only. */
#include <stdlib.h>
#include <string.h>

#include <ondol/ondol.h>
#include <ondol/ondol_experimental.h>

#include "common/describe.h"
#include "common/json_print.h"
#include "common/model_flags.h"
#include "common/model_name.h"
#include "common/report.h"
#include "common/terminal.h"
#include "ondol/commands.h"

#define VALUE_BYTES_SHOWN 72
#define ENCODINGS_MAX     64

typedef struct info_flags {
    bool all, tensors, graph, lowered, plan, check, json;
    int64_t context;
    model_flags model;
} info_flags;

#define AT(member) offsetof(info_flags, member)
static const option_row rows[] = {
    {"all", 'a', OPTION_FLAG, AT(all), NULL, "do not cut long values", 0, 0},
    {"tensors", 0, OPTION_FLAG, AT(tensors), NULL, "list every tensor", 0, 0},
    {"graph", 0, OPTION_FLAG, AT(graph), NULL, "print the model as a graph of ONNX operators", 0,
     0},
    {"lowered", 0, OPTION_FLAG, AT(lowered), NULL, "print what the optimizer made of the graph", 0,
     0},
    {"plan", 0, OPTION_FLAG, AT(plan), NULL, "print the plan: steps, devices, memory", 0, 0},
    {"check", 0, OPTION_FLAG, AT(check), NULL,
     "hold an ONNX file against the rules of the specification", 0, 0},
    {"ctx", 'c', OPTION_COUNT, AT(context), "N", "tokens to tell the memory for (4096 at most)", 1,
     1e9},
    {"json", 0, OPTION_FLAG, AT(json), NULL, "print JSON", 0, 0},
};
#undef AT

static const option_group groups[] = {
    {"Options", OPTION_ROWS(rows), 0},
    MODEL_GROUP(info_flags),
};

static const char *const examples[] = {
    "ondol info model.gguf",
    "metadata, tensors by encoding, memory",
    "ondol info model.gguf --tensors",
    "every tensor with its shape",
    "ondol info smollm2 --plan",
    "the steps that run",
    NULL,
};

typedef struct encoding_count {
    char name[24];
    size_t tensors;
    uint64_t bytes;
} encoding_count;

typedef struct info {
    info_flags flags;
    opened o;
    ondol_file *file;
    encoding_count encodings[ENCODINGS_MAX];
    size_t encoding_count;
    uint64_t tensor_bytes, parameters;
    bool runs; /* as a language model */
    ondol_error reason;
    ondol_network *network;  /* an ONNX file that is none */
    size_t nodes, own_nodes; /* of the network; those with a kernel of the first device */
    uint64_t context;
} info;

/* ---------------------------------------------------------------- gathering */

static void count_encoding(info *in, const ondol_tensor_info *t) {
    size_t i = 0;
    while (i < in->encoding_count && strcmp(in->encodings[i].name, t->encoding) != 0)
        i++;
    if (i == ENCODINGS_MAX) return;
    if (i == in->encoding_count) {
        snprintf(in->encodings[i].name, sizeof in->encodings[i].name, "%s", t->encoding);
        in->encoding_count++;
    }
    in->encodings[i].tensors++;
    in->encodings[i].bytes += t->size_bytes;
}

static int count_tensors(info *in) {
    ondol_error err;
    for (size_t i = 0; i < ondol_file_tensor_count(in->file); i++) {
        ondol_tensor_info t = {0};
        if (ondol_file_tensor(in->file, i, &t, &err)) return report_error(&err);
        uint64_t elements = 1;
        for (uint32_t d = 0; d < t.dim_count; d++)
            elements *= t.dims[d];
        in->parameters += elements;
        in->tensor_bytes += t.size_bytes;
        count_encoding(in, &t);
    }
    return EXIT_DONE;
}

static bool is_onnx(const info *in) {
    return strncmp(ondol_file_format(in->file), "ONNX", 4) == 0;
}

static void count_node(void *user, const ondol_node_profile *row) {
    info *in = user;
    in->nodes++;
    in->own_nodes += strcmp(row->device, "ref") != 0;
}

/* A graph that is no language model: its reason gives way to that of the network. */
static void try_network(info *in) {
    ondol_error err;
    if (ondol_network_open(in->o.engine, in->o.path, NULL, &in->network, &err)) {
        in->reason = err;
    } else {
        ondol_network_profile(in->network, count_node, in);
    }
}

/* Opens the model without its weights: that tells whether Ondol runs it, or why not. */
static int try_model(info *in) {
    ondol_model_options options = ONDOL_MODEL_OPTIONS_INIT;
    options.inspect_only = 1;
    in->runs = !ondol_model_open(in->o.engine, in->o.path, &options, &in->o.model, &in->reason);
    if (!in->runs && is_onnx(in)) try_network(in);
    if (!in->runs) return EXIT_DONE;
    ondol_error err;
    in->o.info.struct_size = sizeof in->o.info;
    if (ondol_model_get_info(in->o.model, &in->o.info, &err)) return report_error(&err);
    uint64_t most = in->o.info.context < 4096 ? in->o.info.context : 4096;
    in->context = in->flags.context ? (uint64_t)in->flags.context : most;
    return EXIT_DONE;
}

static uint64_t kv_bytes(const info *in) {
    return in->o.info.kv_bytes_per_token * in->context;
}

/* ---------------------------------------------------------------- text */

/* A value on one line: line ends and other controls as \n, \x1b, ... */
static void print_value(const char *text, uint64_t bytes, bool cut) {
    uint64_t n = cut && bytes > VALUE_BYTES_SHOWN ? VALUE_BYTES_SHOWN : bytes;
    while (n < bytes && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    for (uint64_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n') {
            fputs("\\n", stdout);
        } else if (c < 0x20 || c == 0x7f) {
            printf("\\x%02x", c);
        } else {
            putchar(c);
        }
    }
    if (n < bytes) printf("... (%llu bytes)", (unsigned long long)bytes);
    putchar('\n');
}

static int print_metadata(info *in) {
    ondol_error err;
    size_t count = ondol_file_metadata_count(in->file);
    printf("\nmetadata: %zu\n", count);
    for (size_t i = 0; i < count; i++) {
        ondol_metadata m = {0};
        if (ondol_file_metadata(in->file, i, &m, &err)) return report_error(&err);
        printf("  %-40s ", m.key);
        if (m.elements != 1) printf("%llu: ", (unsigned long long)m.elements);
        print_value(m.text, m.text_bytes, !in->flags.all);
    }
    return EXIT_DONE;
}

static void print_shape(const ondol_tensor_info *t) {
    char shape[16 * 24];
    int n = snprintf(shape, sizeof shape, "[");
    for (uint32_t d = 0; d < t->dim_count && d < 16; d++) {
        n += snprintf(shape + n, sizeof shape - (size_t)n, "%s%llu", d ? ", " : "",
                      (unsigned long long)t->dims[d]);
    }
    printf("%s]", shape);
}

static int print_tensors(info *in) {
    ondol_error err;
    char size[32];
    printf("\ntensors: %zu\n", ondol_file_tensor_count(in->file));
    for (size_t i = 0; in->flags.tensors && i < ondol_file_tensor_count(in->file); i++) {
        ondol_tensor_info t = {0};
        if (ondol_file_tensor(in->file, i, &t, &err)) return report_error(&err);
        printf("  %-32s %-8s %10s  ", t.name, t.encoding,
               bytes_for_people(t.size_bytes, size, sizeof size));
        print_shape(&t);
        putchar('\n');
    }
    for (size_t i = 0; i < in->encoding_count; i++) {
        const encoding_count *e = &in->encodings[i];
        printf("  %-10s %6zu tensor%s %12s\n", e->name, e->tensors, e->tensors == 1 ? " " : "s",
               bytes_for_people(e->bytes, size, sizeof size));
    }
    return EXIT_DONE;
}

static void print_runs(const info *in) {
    const ondol_model_info *m = &in->o.info;
    char a[32], b[32], c[32];
    if (in->network) {
        printf(
            "\nOndol runs it with `ondol infer`: %zu nodes, %zu of them by kernels of the device\n"
            "no language model: %s\n",
            in->nodes, in->own_nodes, in->reason.text);
        return;
    }
    if (!in->runs) {
        printf("\nOndol does not run it: %s\n", in->reason.text);
        return;
    }
    printf("\nOndol runs it: %s, %u layers, hidden %u, vocabulary %u, context %u\n",
           m->architecture, m->layers, m->hidden, m->vocabulary, m->context);
    if (m->unrecognised)
        printf("as it is written, for the graph was not recognised: %s\n", m->unrecognised);
    printf("chat template: %s\n", m->chat_template ? "in the file" : "none; ChatML is used");
    printf("memory: %s of weights and %s of keys and values in f16 for %llu tokens (%s a token)\n",
           bytes_for_people(m->memory_bytes, a, sizeof a),
           bytes_for_people(kv_bytes(in), b, sizeof b), (unsigned long long)in->context,
           bytes_for_people(m->kv_bytes_per_token, c, sizeof c));
}

static int print_text(info *in) {
    char size[32], count[32];
    printf("%s\n%s, %s, %s parameters\n", in->o.path, ondol_file_format(in->file),
           bytes_for_people(ondol_file_size_bytes(in->file), size, sizeof size),
           count_for_people(in->parameters, count, sizeof count));
    int status = print_metadata(in);
    if (!status) status = print_tensors(in);
    if (!status) print_runs(in);
    return status;
}

/* ---------------------------------------------------------------- JSON */

static int json_metadata(info *in, json_t *out) {
    ondol_error err;
    json_t *all = json_object();
    for (size_t i = 0; i < ondol_file_metadata_count(in->file); i++) {
        ondol_metadata m = {0};
        if (ondol_file_metadata(in->file, i, &m, &err)) {
            json_decref(all);
            return report_error(&err);
        }
        uint64_t n = m.text_bytes;
        if (!in->flags.all && n > 16 * VALUE_BYTES_SHOWN) n = 16 * VALUE_BYTES_SHOWN;
        json_t *key = json_text(m.key, strlen(m.key));
        json_object_set_new(all, json_string_value(key),
                            json_pack("{s:s, s:I, s:o}", "type", m.type, "elements",
                                      (json_int_t)m.elements, "value",
                                      json_text(m.text, (size_t)n)));
        json_decref(key);
    }
    json_object_set_new(out, "metadata", all);
    return EXIT_DONE;
}

static int json_tensors(info *in, json_t *out) {
    ondol_error err;
    json_t *encodings = json_object(), *list = json_array();
    for (size_t i = 0; i < in->encoding_count; i++) {
        const encoding_count *e = &in->encodings[i];
        json_object_set_new(encodings, e->name,
                            json_pack("{s:I, s:I}", "tensors", (json_int_t)e->tensors, "bytes",
                                      (json_int_t)e->bytes));
    }
    json_object_set_new(out, "encodings", encodings);
    int status = EXIT_DONE;
    for (size_t i = 0; in->flags.tensors && i < ondol_file_tensor_count(in->file); i++) {
        ondol_tensor_info t = {0};
        if (ondol_file_tensor(in->file, i, &t, &err)) {
            status = report_error(&err);
            break;
        }
        json_t *dims = json_array();
        for (uint32_t d = 0; d < t.dim_count; d++) {
            json_array_append_new(dims, json_integer((json_int_t)t.dims[d]));
        }
        json_array_append_new(
            list, json_pack("{s:o, s:s, s:o, s:I, s:I}", "name", json_text(t.name, strlen(t.name)),
                            "encoding", t.encoding, "shape", dims, "bytes",
                            (json_int_t)t.size_bytes, "offset", (json_int_t)t.offset));
    }
    if (in->flags.tensors) {
        json_object_set_new(out, "tensors", list);
    } else {
        json_decref(list);
    }
    return status;
}

static void json_runs(const info *in, json_t *out) {
    const ondol_model_info *m = &in->o.info;
    json_object_set_new(out, "runs", json_boolean(in->runs || in->network));
    if (in->network) {
        json_object_set_new(out, "nodes", json_integer((json_int_t)in->nodes));
        json_object_set_new(out, "device_nodes", json_integer((json_int_t)in->own_nodes));
    }
    json_object_set_new(out, "language_model", json_boolean(in->runs));
    if (!in->runs) {
        json_object_set_new(out, "reason", json_string(in->reason.text));
        return;
    }
    json_object_set_new(out, "recognised", json_boolean(!m->unrecognised));
    if (m->unrecognised) json_object_set_new(out, "unrecognised", json_string(m->unrecognised));
    json_object_set_new(out, "architecture", json_string(m->architecture));
    json_object_set_new(out, "name", json_text(m->name, strlen(m->name)));
    json_object_set_new(out, "layers", json_integer(m->layers));
    json_object_set_new(out, "hidden", json_integer(m->hidden));
    json_object_set_new(out, "context", json_integer(m->context));
    json_object_set_new(out, "tokenizer",
                        json_pack("{s:I, s:i, s:i, s:b, s:b}", "vocabulary",
                                  (json_int_t)m->vocabulary, "bos", (int)m->bos, "eos", (int)m->eos,
                                  "adds_bos", m->adds_bos, "adds_eos", m->adds_eos));
    json_object_set_new(out, "chat_template",
                        m->chat_template ? json_text(m->chat_template, strlen(m->chat_template))
                                         : json_null());
    json_object_set_new(out, "memory",
                        json_pack("{s:I, s:I, s:I, s:I}", "weight_bytes",
                                  (json_int_t)m->memory_bytes, "kv_bytes_per_token",
                                  (json_int_t)m->kv_bytes_per_token, "context",
                                  (json_int_t)in->context, "kv_bytes", (json_int_t)kv_bytes(in)));
}

static int print_json(info *in) {
    json_t *out = json_pack(
        "{s:o, s:s, s:I, s:I, s:I, s:I}", "path", json_text(in->o.path, strlen(in->o.path)),
        "format", ondol_file_format(in->file), "size_bytes",
        (json_int_t)ondol_file_size_bytes(in->file), "parameters", (json_int_t)in->parameters,
        "tensor_count", (json_int_t)ondol_file_tensor_count(in->file), "tensor_bytes",
        (json_int_t)in->tensor_bytes);
    if (!out) return report_failure("out of memory for JSON");
    int status = json_metadata(in, out);
    if (!status) status = json_tensors(in, out);
    if (status) {
        json_decref(out);
        return status;
    }
    json_runs(in, out);
    return json_print(out);
}

/* ---------------------------------------------------------------- descriptions */

/* The text of an ONNX file itself. */
static int describe_file(const info *in, text_buffer *out) {
    ondol_error err;
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (ondol_file_describe(in->file, out->bytes, count, &count, &err))
            return report_error(&err);
        if (pass == 0) out->bytes = memory_take(count + 1);
        out->size = count;
    }
    return EXIT_DONE;
}

static int print_description(info *in) {
    text_buffer text = {0};
    const info_flags *f = &in->flags;
    ondol_model_text what = f->plan      ? ONDOL_TEXT_PLAN
                            : f->lowered ? ONDOL_TEXT_GRAPH_LOWERED
                                         : ONDOL_TEXT_GRAPH_PORTABLE;
    int status = f->graph && is_onnx(in) ? describe_file(in, &text)
                                         : describe_model(in->o.model, what, &text);
    if (!status && f->json) {
        status = json_print(
            json_pack("{s:o}", f->plan ? "plan" : "graph", json_text(text.bytes, text.size)));
    } else if (!status) {
        fwrite(text.bytes, 1, text.size, stdout);
    }
    text_free(&text);
    return status;
}

/* Ends with 0 where the file keeps the rules; otherwise the first that it breaks is reported. */
static int check_file(info *in) {
    ondol_error err;
    if (ondol_file_check(in->file, &err)) return report_error(&err);
    if (in->flags.json) return json_print(json_pack("{s:b}", "valid", 1));
    printf("%s: it keeps the rules of ONNX\n", in->o.path);
    return EXIT_DONE;
}

static int info_with(info *in, const char *model) {
    ondol_error err;
    const info_flags *f = &in->flags;
    int status = model_name_resolve(model, &in->o.path);
    if (!status) status = opened_engine(&in->o, &f->model);
    if (status) return status;
    if (ondol_file_open(in->o.engine, in->o.path, &in->file, &err)) return report_error(&err);
    if (f->check) return check_file(in);
    if (f->graph && is_onnx(in)) return print_description(in);
    status = count_tensors(in);
    if (!status) status = try_model(in);
    if (status) return status;
    if (f->graph || f->lowered || f->plan) {
        return in->runs ? print_description(in) : report_error(&in->reason);
    }
    return f->json ? print_json(in) : print_text(in);
}

static int run(const command *self, int argc, char **argv) {
    info in = {0};
    int count = 0, status = EXIT_DONE;
    if (!options_parse(self, &in.flags, argc, argv, &count, &status)) return status;
    if (in.flags.graph + in.flags.lowered + in.flags.plan + in.flags.check > 1) {
        return report_usage("info", "give one of --graph, --lowered, --plan and --check");
    }
    status = info_with(&in, argv[0]);
    ondol_file_close(in.file);
    ondol_network_close(in.network);
    opened_free(&in.o);
    return status;
}

const command command_info = {
    "info",
    "FILE",
    "Tells what is in a model file, and whether Ondol runs it",
    "Only the header is read, so this takes a moment for a file of any size.",
    groups,
    2,
    examples,
    1,
    1,
    run};
