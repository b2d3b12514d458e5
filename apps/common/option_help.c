/* Tables of options -> the text of --help. */
#include "common/option_table.h"

#include <string.h>
#include <unistd.h>

#include "common/terminal.h"

#define HELP_COLUMN 32
#define HELP_WIDTH  96

static void print_title(const char *title, FILE *to) {
    bool bold = to == stdout && terminal_has_colour(STDOUT_FILENO);
    fprintf(to, "\n%s%s:%s\n", bold ? "\x1b[1m" : "", title, bold ? "\x1b[0m" : "");
}

/* Words of text from `column` on, broken before HELP_WIDTH. */
static void print_wrapped(const char *text, size_t column, size_t indent, FILE *to) {
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > indent && column + 1 + word > HELP_WIDTH) {
            fprintf(to, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', to);
            column++;
        }
        fprintf(to, "%.*s", (int)word, text);
        column += word;
        text += word;
        while (*text == ' ')
            text++;
    }
    fputc('\n', to);
}

static void print_row(const option_row *row, FILE *to) {
    char left[80];
    int n = row->letter ? snprintf(left, sizeof left, "  -%c, --%s", row->letter, row->name)
                        : snprintf(left, sizeof left, "      --%s", row->name);
    if (row->value) n += snprintf(left + n, sizeof left - (size_t)n, " %s", row->value);
    fputs(left, to);
    if (n + 2 > HELP_COLUMN) {
        fprintf(to, "\n%*s", HELP_COLUMN, "");
    } else {
        fprintf(to, "%*s", HELP_COLUMN - n, "");
    }
    print_wrapped(row->help, HELP_COLUMN, HELP_COLUMN, to);
}

void help_command(const command *self, FILE *to) {
    fprintf(to, "Usage: ondol %s%s%s%s\n\n", self->name, self->group_count ? " [OPTION]..." : "",
            self->arguments[0] ? " " : "", self->arguments);
    fprintf(to, "%s.\n", self->summary);
    if (self->details) print_wrapped(self->details, 0, 0, to);
    for (size_t g = 0; g < self->group_count; g++) {
        print_title(self->groups[g].title, to);
        for (size_t i = 0; i < self->groups[g].row_count; i++) {
            print_row(&self->groups[g].rows[i], to);
        }
    }
    if (!self->examples) return;
    print_title("Examples", to);
    for (size_t i = 0; self->examples[i]; i += 2) {
        fprintf(to, "  %s\n      %s\n", self->examples[i], self->examples[i + 1]);
    }
}

void help_overview(const command *const *commands, size_t count, FILE *to) {
    fputs("Usage: ondol COMMAND [OPTION]... [ARGUMENT]...\n\n"
          "Runs language models from GGUF files and ONNX folders, and any ONNX model.\n",
          to);
    print_title("Commands", to);
    for (size_t i = 0; i < count; i++) {
        fprintf(to, "  %-10s %-18s %s\n", commands[i]->name, commands[i]->arguments,
                commands[i]->summary);
    }
    fputs("\nMODEL is a .gguf or .onnx file, a folder that holds one, or a name in the cache "
          "folder.\n"
          "'ondol help COMMAND' tells more; 'ondol --version' prints the version.\n",
          to);
}
