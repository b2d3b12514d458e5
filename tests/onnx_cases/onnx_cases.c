/* Runs the official ONNX cases. In: a folder of them. Out: a line for each failure, a count, the
 * share of nodes that each device computed; status 0 when none failed. Each case runs in a child,
 * so that a crash is one case's failure.
 *
 * onnx_cases [--device cpu|ref] [--verbose] [--jobs N] [--timeout SECONDS] FOLDER [SUBSTRING] */
#include <dirent.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/os.h"
#include "onnx_cases.h"

#define PATH_BYTES 4096
#define JOBS_MAX   64

typedef struct options {
    const char *devices[CASE_DEVICES_MAX];
    uint32_t device_count;
    bool verbose;
    unsigned jobs, timeout_seconds;
    const char *folder, *filter;
} options;

typedef struct cases {
    char **names; /* below the folder; "" for the folder itself */
    case_result *results;
    size_t count, capacity;
} cases;

typedef struct job {
    pid_t child;
    int pipe; /* -1: free */
    size_t which;
    size_t received; /* bytes of its result */
    case_result result;
} job;

static void add_case(cases *c, const char *name) {
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? 2 * c->capacity : 256;
        c->names = realloc(c->names, c->capacity * sizeof *c->names);
    }
    if (c->names) c->names[c->count++] = strdup(name);
}

static bool is_case(const char *folder) {
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    return base_path_kind_of(path) == BASE_PATH_FILE;
}

/* Cases in ROOT/below, its folders and theirs. */
static void find_cases(cases *c, const options *o, const char *below, int depth) {
    char path[PATH_BYTES], name[PATH_BYTES / 2];
    snprintf(path, sizeof path, "%s%s%s", o->folder, *below ? "/" : "", below);
    if (is_case(path)) {
        if (!o->filter || strstr(path, o->filter)) add_case(c, below);
        return;
    }
    DIR *d = depth ? opendir(path) : NULL;
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (e->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s%s%s", below, *below ? "/" : "", e->d_name);
        find_cases(c, o, name, depth - 1);
    }
    if (d) closedir(d);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Why the case is not run; NULL: it is. */
static const char *reason_to_skip(const options *o, const char *name) {
    static const struct {
        const char *name, *reason;
    } skipped[] = {
#define SKIPPED(name, reason) {"/" name, reason},
#include "skipped.def"
#undef SKIPPED
    };
    char path[PATH_BYTES];
    const int n = snprintf(path, sizeof path, "%s/%s", o->folder, name);
    for (size_t i = 0; n > 0 && i < sizeof skipped / sizeof *skipped; i++) {
        const size_t length = strlen(skipped[i].name);
        const size_t whole = (size_t)n - (path[n - 1] == '/');
        if (whole < length || strncmp(path + whole - length, skipped[i].name, length) != 0)
            continue;
        return skipped[i].reason;
    }
    return NULL;
}

static void case_path(const options *o, const char *name, char *out, size_t size) {
    snprintf(out, size, "%s%s%s", o->folder, *name ? "/" : "", name);
}

/* In the child: never returns. */
static void be_child(const options *o, const char *name, int to) {
    char path[PATH_BYTES];
    case_result result;
    case_path(o, name, path, sizeof path);
    alarm(o->timeout_seconds);
    case_run(path, o->devices, o->device_count, &result);
    const char *bytes = (const char *)&result;
    for (size_t done = 0; done < sizeof result;) {
        const ssize_t n = write(to, bytes + done, sizeof result - done);
        if (n <= 0) _exit(1);
        done += (size_t)n;
    }
    _exit(0);
}

static bool start(job *j, const options *o, const cases *c, size_t which) {
    int ends[2];
    if (pipe(ends) != 0) return false;
    fflush(stdout);
    j->child = fork();
    if (j->child == 0) {
        close(ends[0]);
        be_child(o, c->names[which], ends[1]);
    }
    close(ends[1]);
    j->pipe = ends[0];
    j->which = which;
    j->received = 0;
    return j->child > 0;
}

static void finish(job *j, cases *c) {
    int status = 0;
    case_result *r = c->results + j->which;
    close(j->pipe);
    j->pipe = -1;
    waitpid(j->child, &status, 0);
    *r = j->result;
    if (j->received == sizeof j->result) return;
    *r = (case_result){.verdict = CASE_FAILED};
    const int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (number == SIGALRM)
        snprintf(r->text, sizeof r->text, "it took too long");
    else
        snprintf(r->text, sizeof r->text, "the process ended with %s %d",
                 number ? "signal" : "status", number ? number : WEXITSTATUS(status));
}

static void report(const options *o, const cases *c, size_t i) {
    const case_result *r = c->results + i;
    const char *name = *c->names[i] ? c->names[i] : o->folder;
    if (r->verdict == CASE_FAILED) printf("FAILED %s: %s\n", name, r->text);
    if (r->verdict == CASE_SKIPPED) printf("skipped %s: %s\n", name, r->text);
    if (r->verdict == CASE_PASSED && o->verbose) printf("passed %s\n", name);
}

/* Waits until a child has said something; finishes those that are done. */
static void serve(job *jobs, unsigned count, cases *c, bool *done) {
    struct pollfd fds[JOBS_MAX];
    for (unsigned i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = jobs[i].pipe, .events = POLLIN};
    if (poll(fds, count, -1) <= 0) return;
    for (unsigned i = 0; i < count; i++) {
        job *j = jobs + i;
        if (j->pipe < 0 || !fds[i].revents) continue;
        const ssize_t n =
            read(j->pipe, (char *)&j->result + j->received, sizeof j->result - j->received);
        if (n > 0) j->received += (size_t)n;
        if (n > 0 && j->received < sizeof j->result) continue;
        finish(j, c);
        done[j->which] = true;
    }
}

static bool skip(const options *o, cases *c, size_t which) {
    const char *reason = reason_to_skip(o, c->names[which]);
    if (!reason) return false;
    c->results[which] = (case_result){.verdict = CASE_SKIPPED};
    snprintf(c->results[which].text, sizeof c->results[which].text, "%s", reason);
    return true;
}

static void run_all(const options *o, cases *c) {
    job jobs[JOBS_MAX];
    bool *done = calloc(c->count + 1, sizeof *done);
    size_t next = 0, shown = 0;
    for (unsigned i = 0; i < o->jobs; i++)
        jobs[i].pipe = -1;
    while (done && shown < c->count) {
        bool waits = false;
        for (unsigned i = 0; i < o->jobs; i++) {
            while (next < c->count && skip(o, c, next))
                done[next++] = true;
            if (jobs[i].pipe < 0 && next < c->count && start(jobs + i, o, c, next)) next++;
            waits = waits || jobs[i].pipe >= 0;
        }
        if (waits) serve(jobs, o->jobs, c, done);
        for (; shown < c->count && done[shown]; shown++)
            report(o, c, shown);
    }
    free(done);
}

static int summarise(const options *o, const cases *c) {
    size_t counts[3] = {0};
    uint64_t nodes[CASE_DEVICES_MAX] = {0}, all = 0;
    for (size_t i = 0; i < c->count; i++) {
        counts[c->results[i].verdict]++;
        for (uint32_t d = 0; d < o->device_count; d++) {
            nodes[d] += c->results[i].nodes[d];
            all += c->results[i].nodes[d];
        }
    }
    printf("nodes:");
    for (uint32_t d = 0; d < o->device_count; d++)
        printf("%s %s %" PRIu64 " (%.1f %%)", d ? "," : "", o->devices[d], nodes[d],
               all ? 100.0 * (double)nodes[d] / (double)all : 0.0);
    printf("\n%zu passed, %zu failed, %zu skipped\n", counts[CASE_PASSED], counts[CASE_FAILED],
           counts[CASE_SKIPPED]);
    return counts[CASE_FAILED] || !counts[CASE_PASSED];
}

static int usage(void) {
    fprintf(stderr, "usage: onnx_cases [--device cpu|ref] [--verbose] [--jobs N] "
                    "[--timeout SECONDS] FOLDER [SUBSTRING]\n");
    return 2;
}

static bool set_device(options *o, const char *name) {
    o->device_count = 0;
    o->devices[o->device_count++] = name;
    if (strcmp(name, "cpu") == 0) o->devices[o->device_count++] = "ref";
    return true;
}

static bool take_option(options *o, const char *name, const char *value) {
    if (!value) return false;
    if (strcmp(name, "--device") == 0) return set_device(o, value);
    if (strcmp(name, "--jobs") == 0) {
        o->jobs = (unsigned)strtoul(value, NULL, 10);
        return o->jobs >= 1 && o->jobs <= JOBS_MAX;
    }
    if (strcmp(name, "--timeout") == 0) {
        o->timeout_seconds = (unsigned)strtoul(value, NULL, 10);
        return o->timeout_seconds >= 1;
    }
    return false;
}

int main(int argc, char **argv) {
    options o = {.timeout_seconds = 300};
    cases c = {0};
    const unsigned processors = base_processor_count();
    o.jobs = processors < JOBS_MAX ? processors : JOBS_MAX;
    set_device(&o, "cpu");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0)
            o.verbose = true;
        else if (strncmp(argv[i], "--", 2) == 0) {
            if (!take_option(&o, argv[i], i + 1 < argc ? argv[i + 1] : NULL)) return usage();
            i++;
        } else if (!o.folder)
            o.folder = argv[i];
        else if (!o.filter)
            o.filter = argv[i];
        else
            return usage();
    }
    if (!o.folder) return usage();
    find_cases(&c, &o, "", 2);
    if (!c.count) {
        fprintf(stderr, "onnx_cases: no case in %s\n", o.folder);
        return 2;
    }
    qsort(c.names, c.count, sizeof *c.names, by_name);
    c.results = calloc(c.count, sizeof *c.results);
    if (!c.results) return 2;
    run_all(&o, &c);
    const int status = summarise(&o, &c);
    for (size_t i = 0; i < c.count; i++)
        free(c.names[i]);
    free(c.names);
    free(c.results);
    return status;
}
