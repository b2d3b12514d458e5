/* Bad ONNX models, through the public API. In: a folder that make_bad_models.py has written. Out:
 * for each case whether it is refused with the status and the words that its row asks for, by a
 * process that neither crashes nor takes longer, nor asks for more memory, than the row allows. */
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include <ondol/ondol.h>

#define FAILED        3 /* exit status of a case that is not as its row says */
#define PATH_BYTES    4096
#define INPUTS_MAX    32
#define CANCEL_MS     200
#define SECONDS_MAX   20                  /* of one case */
#define REQUEST_BYTES ((size_t)256 << 20) /* one allocation of a case */

/* ---- memory ---- */

static size_t largest_request;

static void *take_memory(void *user, size_t size, size_t alignment) {
    (void)user;
    void *p = NULL;
    if (size > largest_request) largest_request = size;
    if (alignment < sizeof(void *)) alignment = sizeof(void *);
    return posix_memalign(&p, alignment, size ? size : 1) == 0 ? p : NULL;
}

static void drop_memory(void *user, void *p) {
    (void)user;
    free(p);
}

/* ---- one case ---- */

typedef struct bad_case {
    const char *name, *folder;
    const json_t *row;
    ondol_engine *engine;
    ondol_network *network;
    ondol_error err;
} bad_case;

static const char *path_of(const bad_case *c, const char *name) {
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s/%s", c->folder, c->name, name);
    return path;
}

static int read_file(void *user, uint64_t offset, void *to, size_t size) {
    const base_file *f = user;
    if (offset > f->size || size > f->size - offset) return 1;
    if (size) memcpy(to, (const char *)f->data + offset, size);
    return 0;
}

static ondol_status open_bytes(bad_case *c, const ondol_network_options *options) {
    const ondol_allocator a = base_default_allocator();
    base_file file = {0};
    ondol_status status = base_file_open(&a, path_of(c, "model.onnx"), false, &file, &c->err);
    if (status != ONDOL_OK) return status;
    const ondol_source source = {file.size, read_file, &file, "bytes"};
    status = ondol_network_open_source(c->engine, &source, options, &c->network, &c->err);
    base_file_close(&file);
    return status;
}

static ondol_status bind_inputs(bad_case *c) {
    const json_t *names = json_object_get(c->row, "inputs");
    const ondol_allocator a = base_default_allocator();
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < json_array_size(names) && status == ONDOL_OK; i++) {
        size_t input = 0;
        base_file file = {0};
        ondol_value *value = NULL;
        char file_name[64];
        const char *name = json_string_value(json_array_get(names, i));
        /* What has an initializer may be no input of the network any more. */
        if (ondol_network_find_input(c->network, name, &input, NULL) != ONDOL_OK) continue;
        snprintf(file_name, sizeof file_name, "input_%zu.pb", i);
        status = base_file_open(&a, path_of(c, file_name), false, &file, &c->err);
        if (status != ONDOL_OK) return status;
        status = ondol_value_from_protobuf(c->network, input, file.data, (size_t)file.size, &value,
                                           &c->err);
        if (status == ONDOL_OK) status = ondol_network_bind(c->network, input, value, &c->err);
        ondol_value_release(value);
        base_file_close(&file);
    }
    return status;
}

static void *cancel_soon(void *network) {
    const struct timespec pause = {0, CANCEL_MS * 1000000};
    nanosleep(&pause, NULL);
    ondol_network_cancel(network);
    return NULL;
}

static ondol_status run(bad_case *c) {
    pthread_t thread;
    const bool cancel = json_is_true(json_object_get(c->row, "cancel"));
    ondol_status status = bind_inputs(c);
    if (status != ONDOL_OK) return status;
    if (cancel && pthread_create(&thread, NULL, cancel_soon, c->network) != 0) exit(2);
    status = ondol_network_run(c->network, &c->err);
    if (cancel) pthread_join(thread, NULL);
    return status;
}

static ondol_status open_and_run(bad_case *c, const char *device) {
    ondol_engine_options options = ONDOL_ENGINE_OPTIONS_INIT;
    ondol_network_options limits = ONDOL_NETWORK_OPTIONS_INIT;
    const ondol_allocator a = {take_memory, drop_memory, NULL};
    options.threads = 1;
    options.device = device;
    options.allocator = &a;
    limits.max_bytes = (uint64_t)json_integer_value(json_object_get(c->row, "max_bytes"));
    limits.max_iterations = (uint64_t)json_integer_value(json_object_get(c->row, "max_iterations"));
    if (ondol_engine_create(&options, &c->engine, &c->err) != ONDOL_OK) exit(2);
    largest_request = 0;
    ondol_status status = json_is_true(json_object_get(c->row, "bytes"))
                              ? open_bytes(c, &limits)
                              : ondol_network_open(c->engine, path_of(c, "model.onnx"), &limits,
                                                   &c->network, &c->err);
    if (status == ONDOL_OK) status = run(c);
    ondol_network_close(c->network);
    ondol_engine_destroy(c->engine);
    return status;
}

static const char *name_of(ondol_status status) {
    static const char *const names[] = {"OK",        "ARGUMENT",    "MEMORY", "IO",
                                        "FORMAT",    "UNSUPPORTED", "LIMIT",  "FULL",
                                        "CANCELLED", "NOT_FOUND",   "DEVICE", "INTERNAL"};
    return (size_t)status < sizeof names / sizeof *names ? names[status] : "?";
}

static bool is_among(const json_t *list, const char *text) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0) return true;
    return false;
}

/* True when the case is as its row says; prints what is not. */
static bool judge(const bad_case *c, ondol_status status) {
    const json_t *says = json_object_get(c->row, "says");
    bool fine = is_among(json_object_get(c->row, "status"), name_of(status));
    if (status != ONDOL_OK && (c->err.status != status || c->err.text[0] == 0)) fine = false;
    for (size_t i = 0; i < json_array_size(says) && status != ONDOL_OK; i++)
        if (!strstr(c->err.text, json_string_value(json_array_get(says, i)))) fine = false;
    if (!fine) {
        char *row = json_dumps(c->row, JSON_COMPACT);
        printf("%s: %s: %s\n    expected %s\n", c->name, name_of(status),
               status == ONDOL_OK ? "" : c->err.text, row);
        free(row);
    }
    if (largest_request > REQUEST_BYTES) {
        printf("%s: asked for %zu bytes at once\n", c->name, largest_request);
        fine = false;
    }
    if (fine && getenv("ONDOL_BAD_VERBOSE"))
        printf("%s: %s: %s\n", c->name, name_of(status), status == ONDOL_OK ? "" : c->err.text);
    return fine;
}

/* A crash ends the case's own process. */
static bool run_case(const char *folder, const char *device, const json_t *row) {
    bad_case c = {.folder = folder, .row = row};
    c.name = json_string_value(json_object_get(row, "name"));
    fflush(stdout);
    const pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(2);
    }
    if (child == 0) {
        alarm(SECONDS_MAX);
        const bool fine = judge(&c, open_and_run(&c, device));
        fflush(stdout);
        exit(fine ? 0 : FAILED);
    }
    int end = 0;
    if (waitpid(child, &end, 0) != child) return false;
    if (WIFSIGNALED(end))
        printf("%s: ended by signal %d%s\n", c.name, WTERMSIG(end),
               WTERMSIG(end) == SIGALRM ? ": it took too long" : "");
    else if (WEXITSTATUS(end) != 0 && WEXITSTATUS(end) != FAILED)
        printf("%s: its process ended with %d\n", c.name, WEXITSTATUS(end));
    return WIFEXITED(end) && WEXITSTATUS(end) == 0;
}

int main(int argc, char **argv) {
    char path[PATH_BYTES];
    size_t passed = 0, failed = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: %s cpu|ref FOLDER [SUBSTRING]\n", argv[0]);
        return 2;
    }
    snprintf(path, sizeof path, "%s/index.json", argv[2]);
    json_error_t error;
    json_t *rows = json_load_file(path, 0, &error);
    if (!json_is_array(rows)) {
        fprintf(stderr, "%s: %s\n", path, error.text);
        return 2;
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (argc > 3 && !strstr(json_string_value(json_object_get(row, "name")), argv[3])) continue;
        if (run_case(argv[2], argv[1], row))
            passed++;
        else
            failed++;
    }
    json_decref(rows);
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed > 0 || passed == 0;
}
