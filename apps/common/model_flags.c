/* Options of the command line -> an engine, a model, a cache and a session. */
#include "common/model_flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/interrupt.h"
#include "common/model_name.h"
#include "common/progress.h"
#include "common/report.h"
#include "common/terminal.h"

#define AT(member) offsetof(model_flags, member)
const option_row model_rows[] = {
    {"device", 0, OPTION_CHOICE, AT(device), "auto|cpu|ref",
     "where to compute; ref is the slow and exact reference ($ONDOL_DEVICE, or auto)", 0, 0},
    {"threads", 't', OPTION_COUNT, AT(threads), "N",
     "threads (one for each processor that may be used)", 1, 1024},
    {"no-mmap", 0, OPTION_FLAG, AT(no_mmap), NULL, "read the file in place of mapping it", 0, 0},
    {"mlock", 0, OPTION_FLAG, AT(lock_memory), NULL, "keep the file's pages in memory", 0, 0},
    {"no-pack", 0, OPTION_FLAG, AT(no_pack), NULL,
     "keep no packed weights beside the models, and use none", 0, 0},
    {"verbose", 'v', OPTION_FLAG, AT(verbose), NULL, "say on standard error what happens", 0, 0},
};
#undef AT
_Static_assert(sizeof model_rows / sizeof model_rows[0] == MODEL_ROW_COUNT, "MODEL_ROW_COUNT");

#define AT(member) offsetof(cache_flags, member)
const option_row cache_rows[] = {
    {"ctx", 'c', OPTION_COUNT, AT(context), "N", "most tokens of the conversation", 1, 1e9},
    {"kv", 0, OPTION_CHOICE, AT(kv), "f16|q8|f32", "how keys and values are kept (f16)", 0, 0},
};
#undef AT
_Static_assert(sizeof cache_rows / sizeof cache_rows[0] == CACHE_ROW_COUNT, "CACHE_ROW_COUNT");

static void on_log(void *user, ondol_log_level level, const char *text) {
    const model_flags *flags = user;
    progress_clear();
    if (level <= ONDOL_LOG_WARNING) {
        report_warning("%s", text);
    } else if (flags->verbose) {
        fprintf(stderr, "ondol: %s\n", text);
    }
}

int opened_engine(opened *o, const model_flags *flags) {
    ondol_error err;
    ondol_engine_options options = ONDOL_ENGINE_OPTIONS_INIT;
    options.threads = (uint32_t)flags->threads;
    options.device = flags->device;
    options.log = on_log;
    options.log_user = (void *)flags;
    if (ondol_engine_create(&options, &o->engine, &err)) return report_error(&err);
    return EXIT_DONE;
}

static int on_progress(void *user, uint64_t done, uint64_t total) {
    (void)user;
    progress_update(done, total, NULL);
    return interrupt_seen();
}

int opened_model(opened *o, const char *model, const model_flags *flags, bool inspect) {
    int status = model_name_resolve(model, &o->path);
    if (status == EXIT_DONE && !o->engine) status = opened_engine(o, flags);
    if (status) return status;
    ondol_error err;
    ondol_model_options options = ONDOL_MODEL_OPTIONS_INIT;
    options.no_mmap = flags->no_mmap;
    options.lock_memory = flags->lock_memory;
    options.progress = on_progress;
    options.inspect_only = inspect;
    char *packed = flags->no_pack || inspect ? NULL : cache_path("packed", 1);
    if (packed) mkdir(packed, 0700);
    options.pack_folder = packed;
    double begin = seconds_now();
    progress_begin("loading");
    ondol_status failed = ondol_model_open(o->engine, o->path, &options, &o->model, &err);
    progress_end();
    free(packed);
    if (failed) return report_error(&err);
    o->load_s = seconds_now() - begin;
    o->info.struct_size = sizeof o->info;
    if (ondol_model_get_info(o->model, &o->info, &err)) return report_error(&err);
    return EXIT_DONE;
}

/* At least what a session's last page may leave empty. */
#define PAGE_TOKENS 64u

static ondol_kv_type kv_type(const char *name) {
    if (name && strcmp(name, "q8") == 0) return ONDOL_KV_Q8;
    if (name && strcmp(name, "f32") == 0) return ONDOL_KV_F32;
    return ONDOL_KV_F16;
}

int opened_session(opened *o, const cache_flags *flags, uint64_t tokens, uint32_t output_rows) {
    ondol_error err;
    ondol_cache_options options = ONDOL_CACHE_OPTIONS_INIT;
    const uint64_t sessions = flags->sessions ? flags->sessions : 1;
    options.capacity_tokens = sessions > 1 ? sessions * (tokens + PAGE_TOKENS) : tokens;
    options.kv_type = kv_type(flags->kv);
    options.max_sessions = (uint32_t)sessions;
    options.max_output_rows = output_rows;
    if (ondol_cache_create(o->model, &options, &o->cache, &err)) return report_error(&err);
    ondol_session_options session = ONDOL_SESSION_OPTIONS_INIT;
    session.max_tokens = tokens;
    if (ondol_session_create(o->cache, &session, &o->session, &err)) return report_error(&err);
    return EXIT_DONE;
}

void opened_free(opened *o) {
    interrupt_watch(NULL);
    ondol_session_destroy(o->session);
    ondol_cache_destroy(o->cache);
    ondol_model_release(o->model);
    ondol_engine_destroy(o->engine);
    free(o->path);
    *o = (opened){0};
}

int text_to_ids(const ondol_model *model, const char *text, size_t text_bytes, uint32_t flags,
                int32_t **ids, size_t *count) {
    ondol_error err;
    *ids = NULL;
    *count = 0;
    size_t capacity = text_bytes / 2 + 16;
    for (;;) {
        *ids = memory_resize(*ids, capacity * sizeof **ids);
        if (ondol_tokenize(model, text, text_bytes, flags, *ids, capacity, count, &err)) {
            return report_error(&err);
        }
        if (*count <= capacity) return EXIT_DONE;
        capacity = *count;
    }
}

int list_to_ids(const char *command_name, const char *list, int32_t **ids, size_t *count) {
    *ids = memory_take((strlen(list) / 2 + 1) * sizeof **ids);
    *count = 0;
    const char *at = list;
    for (;;) {
        char *end = NULL;
        errno = 0;
        long id = strtol(at, &end, 10);
        while (end != at && *end == ' ')
            end++;
        if (end == at || (*end && *end != ',') || errno || id < 0 || id > INT32_MAX) {
            return report_usage(command_name, "--ids expects whole numbers like 1,2,3, got '%s'",
                                list);
        }
        (*ids)[(*count)++] = (int32_t)id;
        if (!*end) return EXIT_DONE;
        at = end + 1;
    }
}
