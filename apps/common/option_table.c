/* Command line -> the command's structure of flags, by its table of options. */
#include "common/option_table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/report.h"

#define NAME_BYTES_MAX 40

/* ---------------------------------------------------------------- values */

static bool in_range(const option_row *row, double value) {
    return value >= row->low && (row->high == 0 || value <= row->high);
}

static void expected_range(const option_row *row, const char *kind, char *why, size_t size) {
    if (row->high != 0) {
        snprintf(why, size, "expected %s from %g to %.10g", kind, row->low, row->high);
    } else {
        snprintf(why, size, "expected %s, at least %g", kind, row->low);
    }
}

static bool set_count(const option_row *row, int64_t *target, const char *value, char *why,
                      size_t why_size) {
    char *end = NULL;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (errno || end == value || *end || !in_range(row, (double)n)) {
        expected_range(row, "a whole number", why, why_size);
        return false;
    }
    *target = n;
    return true;
}

static bool set_number(const option_row *row, float *target, const char *value, char *why,
                       size_t why_size) {
    char *end = NULL;
    float x = strtof(value, &end);
    if (end == value || *end || !isfinite(x) || !in_range(row, (double)x)) {
        expected_range(row, "a number", why, why_size);
        return false;
    }
    *target = x;
    return true;
}

/* choices: "auto|cpu|ref" */
static bool set_choice(const option_row *row, const char **target, const char *value, char *why,
                       size_t why_size) {
    size_t n = strlen(value);
    for (const char *at = row->value; at; at = strchr(at, '|')) {
        if (*at == '|') at++;
        size_t length = strcspn(at, "|");
        if (n && length == n && memcmp(at, value, n) == 0) {
            *target = value;
            return true;
        }
    }
    snprintf(why, why_size, "expected one of %s", row->value);
    return false;
}

static void add_to_list(option_list *list, const char *value) {
    list->items = memory_resize(list->items, (list->count + 1) * sizeof *list->items);
    list->items[list->count++] = value;
}

bool option_set(const option_row *row, void *base, const char *value, char *why, size_t why_size) {
    void *target = (char *)base + row->offset;
    switch (row->kind) {
    case OPTION_FLAG: *(bool *)target = true; return true;
    case OPTION_TEXT:
    case OPTION_FILE: *(const char **)target = value; return true;
    case OPTION_COUNT: return set_count(row, target, value, why, why_size);
    case OPTION_NUMBER: return set_number(row, target, value, why, why_size);
    case OPTION_CHOICE: return set_choice(row, target, value, why, why_size);
    case OPTION_LIST: add_to_list(target, value); return true;
    }
    return false;
}

/* ---------------------------------------------------------------- names */

const option_row *option_find(const option_row *rows, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    }
    return NULL;
}

/* Edits (insert, remove, replace) that turn a into b; both below NAME_BYTES_MAX. */
static size_t edit_distance(const char *a, const char *b) {
    size_t row[NAME_BYTES_MAX + 1];
    size_t m = strlen(a), n = strlen(b);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

const char *nearest_name(const char *name, const char *(*next)(const void *user, size_t i),
                         const void *user) {
    const char *best = NULL;
    if (strlen(name) >= NAME_BYTES_MAX) return NULL;
    size_t limit = strlen(name) / 3 + 1;
    for (size_t i = 0;; i++) {
        const char *other = next(user, i);
        if (!other) return best;
        if (strlen(other) >= NAME_BYTES_MAX) continue;
        size_t distance = edit_distance(name, other);
        if (distance <= limit) {
            best = other;
            limit = distance ? distance - 1 : 0;
            if (distance == 0) return best;
        }
    }
}

static const char *nth_option(const void *user, size_t i) {
    const command *self = user;
    for (size_t g = 0; g < self->group_count; g++) {
        if (i < self->groups[g].row_count) return self->groups[g].rows[i].name;
        i -= self->groups[g].row_count;
    }
    return i == 0 ? "help" : NULL;
}

/* ---------------------------------------------------------------- parsing */

typedef struct parser {
    const command *self;
    char *flags;
    int argc, at;
    char **argv;
    int status;
} parser;

typedef struct found_option {
    const option_row *row;
    void *base;
} found_option;

/* By its long name (letter 0), or by its letter. */
static found_option find(const parser *p, const char *name, size_t name_bytes, char letter) {
    for (size_t g = 0; g < p->self->group_count; g++) {
        const option_group *group = &p->self->groups[g];
        for (size_t i = 0; i < group->row_count; i++) {
            const option_row *row = &group->rows[i];
            bool same = letter ? row->letter == letter
                               : strlen(row->name) == name_bytes &&
                                     memcmp(row->name, name, name_bytes) == 0;
            if (same) return (found_option){row, p->flags + group->offset};
        }
    }
    return (found_option){NULL, NULL};
}

static bool unknown_option(parser *p, const char *argument, size_t name_bytes) {
    char name[NAME_BYTES_MAX];
    const char *near = NULL;
    if (name_bytes < sizeof name && argument[1] == '-') {
        memcpy(name, argument + 2, name_bytes);
        name[name_bytes] = 0;
        near = nearest_name(name, nth_option, p->self);
    }
    p->status = near ? report_usage(p->self->name, "unknown option '%s' (did you mean '--%s'?)",
                                    argument, near)
                     : report_usage(p->self->name, "unknown option '%s'", argument);
    return false;
}

static bool take(parser *p, found_option found, const char *shown, const char *value) {
    if (found.row->kind == OPTION_FLAG) {
        if (value) {
            p->status = report_usage(p->self->name, "option '%s' takes no value", shown);
            return false;
        }
    } else if (!value) {
        if (p->at + 1 >= p->argc) {
            p->status = report_usage(p->self->name, "option '%s' needs a value (%s)", shown,
                                     found.row->value);
            return false;
        }
        value = p->argv[++p->at];
    }
    char why[160];
    if (option_set(found.row, found.base, value, why, sizeof why)) return true;
    p->status = report_usage(p->self->name, "option '%s': %s, got '%s'", shown, why, value);
    return false;
}

static bool parse_long(parser *p, const char *argument) {
    const char *name = argument + 2;
    size_t name_bytes = strcspn(name, "=");
    const char *value = name[name_bytes] == '=' ? name + name_bytes + 1 : NULL;
    found_option found = find(p, name, name_bytes, 0);
    if (!found.row) return unknown_option(p, argument, name_bytes);
    char shown[NAME_BYTES_MAX + 2];
    snprintf(shown, sizeof shown, "--%s", found.row->name);
    return take(p, found, shown, value);
}

/* "-n 5", "-n5" */
static bool parse_letter(parser *p, const char *argument) {
    found_option found = find(p, NULL, 0, argument[1]);
    bool flag = found.row && found.row->kind == OPTION_FLAG;
    if (!found.row || (flag && argument[2])) return unknown_option(p, argument, 0);
    char shown[3] = {'-', argument[1], 0};
    return take(p, found, shown, argument[2] ? argument + 2 : NULL);
}

static bool is_help(const char *argument) {
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static bool check_arguments(parser *p, int count) {
    const command *self = p->self;
    if (count < self->arguments_min) {
        p->status = report_usage(self->name, "expected %s", self->arguments);
    } else if (count > self->arguments_max) {
        p->status = report_usage(self->name, "unexpected argument '%s' (quote text with spaces)",
                                 p->argv[self->arguments_max]);
    } else {
        return true;
    }
    return false;
}

bool options_parse(const command *self, void *flags, int argc, char **argv, int *count,
                   int *status) {
    parser p = {self, flags, argc, 0, argv, EXIT_DONE};
    bool ok = true, options = true;
    *count = 0;
    for (p.at = 0; p.at < argc && ok; p.at++) {
        char *argument = argv[p.at];
        if (!options || argument[0] != '-' || !argument[1]) {
            argv[(*count)++] = argument;
        } else if (strcmp(argument, "--") == 0) {
            options = false;
        } else if (is_help(argument)) {
            help_command(self, stdout);
            p.status = report_flush(EXIT_DONE);
            ok = false;
        } else {
            ok = argument[1] == '-' ? parse_long(&p, argument) : parse_letter(&p, argument);
        }
    }
    if (ok) ok = check_arguments(&p, *count);
    *status = p.status;
    return ok;
}
