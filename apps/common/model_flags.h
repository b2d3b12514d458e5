/* Options that open a model and size its cache, and the calls that use them. */
#ifndef MODEL_FLAGS_H
#define MODEL_FLAGS_H

#include <stdbool.h>

#include <ondol/ondol.h>

#include "common/option_table.h"

typedef struct model_flags {
    const char *device; /* NULL: as the environment says */
    int64_t threads;    /* 0: all */
    bool no_mmap, lock_memory, no_pack, verbose;
} model_flags;

typedef struct cache_flags {
    int64_t context;   /* 0: chosen */
    const char *kv;    /* NULL: f16 */
    uint32_t sessions; /* 0: 1 */
} cache_flags;

extern const option_row model_rows[];
extern const option_row cache_rows[];
enum { MODEL_ROW_COUNT = 6, CACHE_ROW_COUNT = 2 };

/* Groups for a command's table; `type` has members `model` and `cache`. */
#define MODEL_GROUP(type)                                                                          \
    { "Model", model_rows, MODEL_ROW_COUNT, offsetof(type, model) }
#define CACHE_GROUP(type)                                                                          \
    { "Context", cache_rows, CACHE_ROW_COUNT, offsetof(type, cache) }

/* An engine, a model, a cache and one session in it. */
typedef struct opened {
    ondol_engine *engine;
    ondol_model *model;
    ondol_cache *cache;
    ondol_session *session;
    ondol_model_info info;
    double load_s;
    char *path;
} opened;

/* Each returns an exit status, having reported. opened_free takes what any of them left. */
int opened_engine(opened *o, const model_flags *flags);
/* With the engine; with a progress bar. inspect: without weights. */
int opened_model(opened *o, const char *model, const model_flags *flags, bool inspect);
/* The first session; tokens: capacity of each, 0 for the library's own choice; output_rows as in
 * ondol_cache_options. */
int opened_session(opened *o, const cache_flags *flags, uint64_t tokens, uint32_t output_rows);
void opened_free(opened *o);

/* Text -> ids (free *ids). Returns an exit status, having reported. */
int text_to_ids(const ondol_model *model, const char *text, size_t text_bytes, uint32_t flags,
                int32_t **ids, size_t *count);
/* "1,2,3" (spaces allowed) -> ids. */
int list_to_ids(const char *command_name, const char *list, int32_t **ids, size_t *count);

#endif
