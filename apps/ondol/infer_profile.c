/* The profile of a network. In: time by node. Out: a table by operator, a trace by node. */
#include "ondol/infer_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ondol/ondol_experimental.h>

#include "common/json_print.h"
#include "common/whole_file.h"

typedef struct op_time {
    char name[64], device[8];
    uint64_t nodes, runs, time_ns;
} op_time;

typedef struct profile {
    op_time *ops;
    size_t count;
    json_t *events;
    uint64_t at_ns; /* in the trace: nodes one after the other, a mean run of each */
} profile;

static void on_node(void *user, const ondol_node_profile *row) {
    profile *p = user;
    char name[64];
    size_t i = 0;
    snprintf(name, sizeof name, "%s%s%s", row->domain, *row->domain ? "." : "", row->op);
    while (i < p->count &&
           (strcmp(p->ops[i].name, name) != 0 || strcmp(p->ops[i].device, row->device) != 0))
        i++;
    if (i == p->count) {
        p->ops = memory_resize(p->ops, (p->count + 1) * sizeof *p->ops);
        p->ops[p->count] = (op_time){0};
        snprintf(p->ops[i].name, sizeof p->ops[i].name, "%s", name);
        snprintf(p->ops[i].device, sizeof p->ops[i].device, "%s", row->device);
        p->count++;
    }
    p->ops[i].nodes++;
    p->ops[i].runs += row->runs;
    p->ops[i].time_ns += row->time_ns;
    if (!row->runs) return;
    const double us = 1e-3 * (double)row->time_ns / (double)row->runs;
    json_array_append_new(
        p->events, json_pack("{s:o, s:s, s:s, s:i, s:s, s:f, s:f, s:{s:s, s:I}}", "name",
                             json_text(row->node, strlen(row->node)), "cat", name, "ph", "X", "pid",
                             1, "tid", row->device, "ts", 1e-3 * (double)p->at_ns, "dur", us,
                             "args", "kernel", row->kernel, "runs", (json_int_t)row->runs));
    p->at_ns += row->time_ns / row->runs;
}

static int compare_time(const void *a, const void *b) {
    const op_time *x = a, *y = b;
    return (x->time_ns < y->time_ns) - (x->time_ns > y->time_ns);
}

static void print_table(const profile *p) {
    uint64_t total = 0;
    for (size_t i = 0; i < p->count; i++)
        total += p->ops[i].time_ns;
    printf("%-40s %-7s %7s %9s %11s %6s\n", "operator", "device", "nodes", "runs", "ms", "%");
    for (size_t i = 0; i < p->count; i++) {
        const op_time *o = p->ops + i;
        printf("%-40s %-7s %7llu %9llu %11.3f %6.1f\n", o->name, o->device,
               (unsigned long long)o->nodes, (unsigned long long)o->runs, 1e-6 * (double)o->time_ns,
               total ? 100 * (double)o->time_ns / (double)total : 0);
    }
}

int infer_profile_write(const ondol_network *network, const char *path, bool print) {
    profile p = {.events = json_array()};
    ondol_network_profile(network, on_node, &p);
    qsort(p.ops, p.count, sizeof *p.ops, compare_time);
    if (print) print_table(&p);
    json_t *trace = json_pack("{s:o}", "traceEvents", p.events);
    char *text = trace ? json_dumps(trace, JSON_COMPACT) : NULL;
    json_decref(trace);
    free(p.ops);
    if (!text) return report_failure("out of memory for the trace");
    output_file file = {0};
    int status = output_open(&file, path);
    if (!status) {
        output_write(&file, text, strlen(text));
        status = output_commit(&file);
    }
    output_drop(&file);
    free(text);
    return status;
}
