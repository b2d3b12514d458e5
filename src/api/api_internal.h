/* Inside of api/: what the handles of ondol.h are. */
#ifndef API_INTERNAL_H
#define API_INTERNAL_H

#include <stdatomic.h>

#include "api/api_pack.h"
#include "base/buffer.h"
#include "base/map.h"
#include "device/registry.h"
#include "formats/gguf/gguf_file.h"
#include "formats/onnx/onnx_file.h"
#include "generate/answer.h"
#include "models/model.h"
#include "network/network.h"
#include "ondol/ondol_experimental.h"
#include "optimize/optimize.h"
#include "text/grammar/text_grammar.h"

#define API_DEVICES_MAX 2

/* Text that the library makes for a caller: graphs, plans, conversations. */
#define API_TEXT_BYTES_MAX ((size_t)1 << 30)

struct api_folder;
struct api_written;

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
    gguf_file *gguf;                /* one of both */
    onnx_file *onnx, *encoder_file; /* encoder_file: of a pair */
    graph *encoder;
    unsigned char *bytes; /* of a source, NULL otherwise */
    graph *portable;
    models_info info;            /* architecture: owned */
    optimize_decoder *decoder;   /* NULL: `written` is there in its place */
    struct api_written *written; /* the graph was not recognised: it runs as it is written */
    char *unrecognised;          /* why */
    text_tokenizer *tokenizer;   /* NULL: the file has none */
    int32_t bos, eos;            /* of a model without a tokenizer; -1: none */
    plan_weights *weights;
    api_pack *pack;                            /* what the weights lie in */
    char *file;                                /* the first of its files; NULL: it came from none */
    uint64_t identity;                         /* of the model's files; 0: it came from no file */
    plan_kv_description *layers;               /* [decoder->layer_count] */
    char *architecture, *name, *chat_template; /* chat_template NULL: none */
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

/* What the model's file holds, but for weights made ready: m->gguf or m->onnx is open. */
ondol_status api_model_read_gguf(ondol_model *m, ondol_error *err);
/* folder NULL: nothing lies beside the model. Opens tokenizer and template. */
ondol_status api_model_read_onnx(ondol_model *m, const struct api_folder *folder, ondol_error *err);
/* Opens an ONNX file, or a folder with genai_config.json, and reads it. Errors: NOT_FOUND, IO,
 * FORMAT, UNSUPPORTED, MEMORY. */
ondol_status api_model_open_onnx(ondol_model *m, const char *path, bool no_map, ondol_error *err);
/* Tokenizer and chat template of the folder, where it has them. Errors: those of the files. */
ondol_status api_model_read_folder_text(ondol_model *m, const struct api_folder *folder,
                                        ondol_error *err);
/* A 0-terminated copy for the model. Errors: MEMORY. */
ondol_status api_model_copy_text(const ondol_model *m, const char *text, size_t n, char **out,
                                 ondol_error *err);

/* For optimize_evaluator: runs g on the engine's devices, on this thread alone. */
ondol_status api_evaluate(void *engine, const graph *g, const optimize_tensor *inputs,
                          optimize_tensor *out, ondol_error *err);

void api_engine_retain(ondol_engine *e);
void api_engine_release(ondol_engine *e);

/* True when a path is a folder or a file that is ONNX's, not GGUF's. Errors: those of opening it.
 */
ondol_status api_path_is_onnx(const ondol_engine *e, const char *path, bool *onnx,
                              ondol_error *err);

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
