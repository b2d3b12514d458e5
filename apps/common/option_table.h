/* Commands and their options as tables. One row is one option: parsing, --help, completions and the
 * check of the man page all come from it. */
#ifndef OPTION_TABLE_H
#define OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum option_kind {
    OPTION_FLAG,   /* bool: true */
    OPTION_TEXT,   /* const char *, borrowed from argv */
    OPTION_FILE,   /* the same, a path */
    OPTION_COUNT,  /* int64_t in [low, high] */
    OPTION_NUMBER, /* float in [low, high] */
    OPTION_CHOICE, /* const char *, one of `choices` */
    OPTION_LIST    /* option_list: may be repeated */
} option_kind;

typedef struct option_list {
    const char **items; /* freed by the owner of the flags */
    size_t count;
} option_list;

typedef struct option_row {
    const char *name; /* without "--" */
    char letter;      /* 'n' for -n, or 0 */
    option_kind kind;
    size_t offset;     /* of the target in its structure */
    const char *value; /* "N", "FILE"; for OPTION_CHOICE "auto|cpu|ref"; NULL for a flag */
    const char *help;
    double low, high; /* high 0: no limit above */
} option_row;

typedef struct option_group {
    const char *title;
    const option_row *rows;
    size_t row_count;
    size_t offset; /* of the rows' structure in the command's */
} option_group;

#define OPTION_ROWS(rows) rows, sizeof(rows) / sizeof((rows)[0])

typedef struct command {
    const char *name, *arguments; /* "run", "MODEL [PROMPT]" */
    const char *summary;          /* one line for the list of commands */
    const char *details;          /* sentences for --help, or NULL */
    const option_group *groups;
    size_t group_count;
    const char *const *examples; /* command line, what it does, ..., NULL */
    int arguments_min, arguments_max;
    int (*run)(const struct command *self, int argc, char **argv);
} command;

/* Reads argv[0..argc) (behind the command's name) into *flags. Arguments that are no options are
 * moved to the front of argv, *count of them. Returns true to go on; false to end with *status
 * (--help, or a usage error that was reported). */
bool options_parse(const command *self, void *flags, int argc, char **argv, int *count,
                   int *status);

/* One value, as the option's row says. False: *why (a static or borrowed sentence part) says what
 * was expected. base: the structure that row->offset counts from. */
bool option_set(const option_row *row, void *base, const char *value, char *why, size_t why_size);

const option_row *option_find(const option_row *rows, size_t count, const char *name);

/* The name that differs least from `name`, or NULL where none is near. next(user, i): the i-th name
 * or NULL at the end. */
const char *nearest_name(const char *name, const char *(*next)(const void *user, size_t i),
                         const void *user);

/* ---- option_help.c */
void help_command(const command *self, FILE *to);
void help_overview(const command *const *commands, size_t count, FILE *to);

/* ---- option_manual.c: the commands as man(7) source. */
void manual_print(const command *const *commands, size_t count, FILE *to);

/* ---- completion.c: shell is "bash", "zsh" or "fish". False: unknown shell. */
bool completion_print(const char *shell, const command *const *commands, size_t count, FILE *to);

#endif
