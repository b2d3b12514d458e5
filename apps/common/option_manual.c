/* Tables of options -> the COMMANDS section of the manual page ondol(1). */
#include "common/option_table.h"

#include <string.h>

/* Text of a line in man macros: what roff would take for its own is escaped. */
static void roff_text(const char *text, FILE *to) {
    if (*text == '.' || *text == '\'') fputs("\\&", to);
    for (; *text; text++) {
        switch (*text) {
        case '\\': fputs("\\e", to); break;
        case '-': fputs("\\-", to); break;
        case '\'': fputs("\\(aq", to); break;
        case '^': fputs("\\(ha", to); break;
        case '~': fputs("\\(ti", to); break;
        case '`': fputs("\\(ga", to); break;
        default: fputc(*text, to); break;
        }
    }
}

static void roff_line(const char *text, FILE *to) {
    roff_text(text, to);
    fputc('\n', to);
}

static void print_option(const option_row *row, FILE *to) {
    fputs(".TP\n", to);
    if (row->letter) fprintf(to, "\\fB\\-%c\\fR, ", row->letter);
    fputs("\\fB\\-\\-", to);
    roff_text(row->name, to);
    fputs("\\fR", to);
    if (row->value) {
        fputs(" \\fI", to);
        roff_text(row->value, to);
        fputs("\\fR", to);
    }
    fputc('\n', to);
    roff_line(row->help, to);
}

static void print_command(const command *self, FILE *to) {
    fprintf(to, ".SS \"ondol %s%s", self->name, self->arguments[0] ? " " : "");
    roff_text(self->arguments, to);
    fputs("\"\n", to);
    roff_text(self->summary, to);
    fputs(".\n", to);
    if (self->details) roff_line(self->details, to);
    for (size_t g = 0; g < self->group_count; g++) {
        fputs(".PP\n.I ", to);
        roff_line(self->groups[g].title, to);
        for (size_t i = 0; i < self->groups[g].row_count; i++) {
            print_option(&self->groups[g].rows[i], to);
        }
    }
    fputs(".PP\n.I Examples\n", to);
    for (size_t i = 0; self->examples && self->examples[i]; i += 2) {
        fputs(".TP\n.B ", to);
        roff_line(self->examples[i], to);
        roff_line(self->examples[i + 1], to);
    }
}

void manual_print(const command *const *commands, size_t count, FILE *to) {
    for (size_t i = 0; i < count; i++)
        print_command(commands[i], to);
}
