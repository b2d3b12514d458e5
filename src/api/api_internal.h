/* Inside of api/: what the handles of ondol.h are. */
#ifndef API_INTERNAL_H
#define API_INTERNAL_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "base/map.h"
#include "device/registry.h"
#include "formats/gguf/gguf_file.h"
#include "generate/answer.h"
#include "models/gguf_text.h"
#include "models/model.h"
#include "network/network.h"
#include "ondol/ondol_experimental.h"
#include "optimize/optimize.h"
#include "text/grammar/text_grammar.h"

#define API_DEVICES_MAX 2

/* Text that the library makes for a caller: graphs, plans, conversations. */
#define API_TEXT_BYTES_MAX ((size_t)1 << 30)

struct ondol_engine {
    ondol_allocator allocator;
    atomic_uint references;
    ondol_log_callback log;
    void *log_user;
    base_isa isa;
    base_pool *pool;
    base_mutex *step_lock;
    plan_device *devices[API_DEVICES_MAX]; /* in order of preference */
    uint32_t device_count;
    char processor[64];
};

struct ondol_model {
    ondol_engine *engine;
    atomic_uint references;
    gguf_file *file;
    unsigned char *bytes; /* of a source, NULL otherwise */
    graph *portable;
    models_info info;
    optimize_decoder *decoder;
    models_text *text;
    text_tokenizer *tokenizer; /* NULL: the file has none */
    plan_weights *weights;
    plan_kv_description *layers; /* [decoder->layer_count] */
    char *name, *chat_template;  /* chat_template NULL: none */
    uint64_t parameters, weight_bytes, kv_bytes_per_token, fingerprint;
    bool inspect_only;
    base_mutex *lock;                    /* of `vocabulary` */
    text_grammar_vocabulary *vocabulary; /* made for the first grammar */
};

struct ondol_cache {
    ondol_model *model;
    generate_cache *cache;
};

struct ondol_session {
    ondol_cache *cache;
    generate_sequence *sequence;
};

struct ondol_sampler {
    ondol_model *model;
    text_grammar *grammar;
    generate_sampler *sampler;
};

void api_engine_retain(ondol_engine *e);
void api_engine_release(ondol_engine *e);

/* One line to the caller's log, when there is one. */
void api_log(const ondol_engine *e, ondol_log_level level, const char *format, ...)
    BASE_PRINTF(3, 4);

/* Copies the caller's options (NULL: none) over the defaults in `out`, both of which begin with
 * struct_size; known is out's size. Errors: ARGUMENT (shorter than struct_size itself), UNSUPPORTED
 * (longer, with unknown bytes that are not 0). */
ondol_status api_options_take(const void *options, size_t known, void *out, const char *name,
                              ondol_error *err);

/* Copies `from` to the caller's `out`, as far as out's own struct_size (its first member) goes.
 * Errors: ARGUMENT. */
ondol_status api_info_give(const void *from, size_t known, void *out, ondol_error *err);

/* Text to a caller's array: at most capacity bytes; *count is what there is. */
void api_text_give(const base_buffer *b, char *text, size_t capacity, size_t *count);

/* Reads all of a source to *out, which the caller frees, also on failure. Errors: IO, MEMORY. */
ondol_status api_source_read(const ondol_engine *e, const ondol_source *source, unsigned char **out,
                             ondol_error *err);

/* The weights of a cache that is to be made. */
generate_decoder api_model_decoder(const ondol_model *m);

#endif
