/* The profile of a decoder. In: time by step. Out: a table by kind of step, layers added up. */
#include "ondol/bench_profile.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ondol/ondol_experimental.h>

#include "common/json_print.h"
#include "common/whole_file.h"

typedef struct kind {
    char name[64], op[24], kernel[40];
    uint64_t steps, runs, time_ns; /* steps: in a pass */
} kind;

struct bench_profile {
    kind *kinds;
    size_t count;
    uint64_t time_ns;
};

/* "blk.3.ffn_up" -> "blk.*.ffn_up". */
static void without_number(const char *from, char *to, size_t size) {
    size_t n = 0;
    for (; *from && n + 2 < size; from++) {
        const bool digit = isdigit((unsigned char)*from) != 0;
        if (!digit)
            to[n++] = *from;
        else if (n && (to[n - 1] == '.' || to[n - 1] == '/'))
            to[n++] = '*';
        else if (!n || to[n - 1] != '*')
            to[n++] = *from;
    }
    to[n] = 0;
}

static void on_step(void *user, const ondol_node_profile *row) {
    bench_profile *p = user;
    kind k = {.steps = 1, .runs = row->runs, .time_ns = row->time_ns};
    size_t i = 0;
    without_number(row->node, k.name, sizeof k.name);
    snprintf(k.op, sizeof k.op, "%s", row->op);
    snprintf(k.kernel, sizeof k.kernel, "%s%s",
             strcmp(row->device, "ref") ? "" : "ref: ", row->kernel);
    p->time_ns += row->time_ns;
    while (i < p->count && (strcmp(p->kinds[i].name, k.name) || strcmp(p->kinds[i].op, k.op) ||
                            strcmp(p->kinds[i].kernel, k.kernel)))
        i++;
    if (i < p->count) {
        p->kinds[i].steps++;
        p->kinds[i].time_ns += k.time_ns;
        return;
    }
    p->kinds = memory_resize(p->kinds, (p->count + 1) * sizeof *p->kinds);
    p->kinds[p->count++] = k;
}

static int compare_time(const void *a, const void *b) {
    const kind *x = a, *y = b;
    return (x->time_ns < y->time_ns) - (x->time_ns > y->time_ns);
}

bench_profile *bench_profile_read(const ondol_model *model) {
    bench_profile *p = memory_take(sizeof *p);
    *p = (bench_profile){0};
    ondol_model_profile(model, on_step, p);
    if (p->count) qsort(p->kinds, p->count, sizeof *p->kinds, compare_time);
    return p;
}

void bench_profile_free(bench_profile *p) {
    if (p) free(p->kinds);
    free(p);
}

/* Milliseconds of a pass over all layers. */
static double pass_ms(const kind *k) {
    return k->runs ? 1e-6 * (double)k->time_ns / (double)k->runs : 0;
}

static double share_of(const bench_profile *p, const kind *k) {
    return p->time_ns ? 100 * (double)k->time_ns / (double)p->time_ns : 0;
}

void bench_profile_print(const bench_profile *p, const char *title) {
    printf("\n%s\n%-30s %-18s %-24s %5s %10s %6s\n", title, "step", "operator", "kernel", "steps",
           "ms a pass", "%");
    for (size_t i = 0; i < p->count; i++) {
        const kind *k = p->kinds + i;
        printf("%-30s %-18s %-24s %5llu %10.3f %6.1f\n", k->name, k->op, k->kernel,
               (unsigned long long)k->steps, pass_ms(k), share_of(p, k));
    }
}

json_t *bench_profile_json(const bench_profile *p) {
    json_t *out = json_array();
    for (size_t i = 0; i < p->count; i++) {
        const kind *k = p->kinds + i;
        json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:o}", "step", k->name,
                                             "operator", k->op, "kernel", k->kernel, "steps",
                                             (json_int_t)k->steps, "runs", (json_int_t)k->runs,
                                             "pass_ms", json_rounded(pass_ms(k)), "share",
                                             json_rounded(share_of(p, k) / 100)));
    }
    return out;
}
