/* ondol graph: a model -> a drawing of its graph, by Graphviz. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ondol/ondol.h>
#include <ondol/ondol_experimental.h>

#include "common/interrupt.h"
#include "common/model_flags.h"
#include "common/report.h"
#include "common/whole_file.h"
#include "ondol/commands.h"

typedef struct graph_flags {
    const char *output;
    model_flags model;
} graph_flags;

#define AT(member) offsetof(graph_flags, member)
static const option_row rows[] = {
    {"output", 'o', OPTION_FILE, AT(output), "FILE",
     "the drawing: .svg, .pdf, .png by Graphviz's 'dot'; .dot its language (standard output)", 0,
     0},
};
#undef AT

static const option_group groups[] = {
    {"Options", OPTION_ROWS(rows), 0},
    MODEL_GROUP(graph_flags),
};

static const char *const examples[] = {
    "ondol graph model.onnx -o model.svg", "draw a model", "ondol graph model.gguf > model.dot",
    "the graph in Graphviz's language",    NULL,
};

static bool ends_with(const char *path, const char *end) {
    const size_t n = strlen(path), k = strlen(end);
    return n >= k && strcmp(path + n - k, end) == 0;
}

/* The text of an opened model or network, whichever is not NULL. */
static int read_text(const ondol_model *model, const ondol_network *network, char **text,
                     size_t *size) {
    ondol_error err;
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        const ondol_status status =
            model ? ondol_model_describe(model, ONDOL_TEXT_DOT, *text, count, &count, &err)
                  : ondol_network_describe(network, ONDOL_TEXT_DOT, *text, count, &count, &err);
        if (status) return report_error(&err);
        if (pass == 0) *text = memory_take(count);
        *size = count;
    }
    return EXIT_DONE;
}

/* Runs dot on the text; its own messages go to standard error. */
static int draw(const char *text, size_t size, const char *path) {
    const char *kind = strrchr(path, '.');
    char line[64];
    if (!kind || strlen(kind) > 8 ||
        strspn(kind + 1, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(kind + 1)) {
        return report_failure("'%s': expected a name that ends in .svg, .pdf, .png or .dot", path);
    }
    output_file file = {0};
    int status = output_open(&file, path);
    if (status) return status;
    fclose(file.stream);
    file.stream = NULL;
    snprintf(line, sizeof line, "dot -T%s -o \"$ONDOL_DRAWING\"", kind + 1);
    setenv("ONDOL_DRAWING", file.temporary ? file.temporary : path, 1);
    FILE *dot = popen(line, "w");
    const bool written = dot && fwrite(text, 1, size, dot) == size;
    const int end = dot ? pclose(dot) : -1;
    if (!written || end != 0) {
        output_drop(&file);
        return report_failure("'dot' did not draw '%s': is Graphviz there (Debian: graphviz)?",
                              path);
    }
    if (file.temporary && rename(file.temporary, path) != 0) {
        status = report_failure("cannot write '%s': %s", path, strerror(errno));
    }
    output_drop(&file);
    return status;
}

static int write_text(const char *text, size_t size, const char *path) {
    output_file file = {0};
    if (!path || strcmp(path, "-") == 0) {
        report_stream(text, size);
        return EXIT_DONE;
    }
    int status = output_open(&file, path);
    if (!status) {
        output_write(&file, text, size);
        status = output_commit(&file);
    }
    output_drop(&file);
    return status;
}

static int run(const command *self, int argc, char **argv) {
    graph_flags flags = {0};
    opened o = {0};
    ondol_network *network = NULL;
    ondol_error err;
    char *text = NULL;
    size_t size = 0;
    int count = 0, status = EXIT_DONE;
    if (!options_parse(self, &flags, argc, argv, &count, &status)) return status;
    interrupt_catch();
    if (ends_with(argv[0], ".onnx")) {
        status = opened_engine(&o, &flags.model);
        if (!status && ondol_network_open(o.engine, argv[0], NULL, &network, &err)) {
            status = report_error(&err);
        }
    } else {
        status = opened_model(&o, argv[0], &flags.model, true);
    }
    if (!status) status = read_text(o.model, network, &text, &size);
    if (!status) {
        const bool plain = !flags.output || ends_with(flags.output, ".dot") ||
                           ends_with(flags.output, ".gv") || strcmp(flags.output, "-") == 0;
        status = plain ? write_text(text, size, flags.output) : draw(text, size, flags.output);
    }
    ondol_network_close(network);
    opened_free(&o);
    free(text);
    return status;
}

const command command_graph = {
    "graph",
    "MODEL",
    "Draws a model's graph",
    "Weights are named in the nodes that use them; subgraphs have a frame of their own.",
    groups,
    2,
    examples,
    1,
    1,
    run};
