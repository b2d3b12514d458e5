/* Ondol: runs language models, and any ONNX model, on the devices of this machine.
 *
 * THE WAY. An engine holds threads and devices. A model is opened from a file; it never changes and
 * may be shared. A cache holds the keys and values of all sequences that run on a model; it is
 * sized once. A session is one sequence in a cache. ondol_step takes new tokens for any number of
 * sessions and computes what was asked for; ondol_generate is a loop around it.
 *
 *     ondol_engine *engine = NULL;
 *     ondol_model *model = NULL;
 *     ondol_error err;
 *     if (ondol_engine_create(NULL, &engine, &err)) ...
 *     if (ondol_model_open(engine, "model.gguf", NULL, &model, &err)) ...
 *
 * examples/simple.c is the whole of it in twenty lines.
 *
 * STATUS. Every call that can fail returns ondol_status, ONDOL_OK being 0, and takes as its last
 * argument an ondol_error to be filled (or NULL). On failure outputs are untouched unless said.
 * The library never prints, exits, aborts or calls longjmp, and has no global state.
 *
 * OWNERSHIP. Pairs of verbs: create/destroy, open/close, retain/release. Destroy, close and release
 * take NULL. What is passed in is copied unless its declaration says "borrowed".
 *
 * OPTIONS. Structures of options begin with struct_size and have an ..._INIT macro. NULL means all
 * defaults. A shorter structure, of an older header, means defaults for the rest; a longer one
 * whose unknown bytes are not zero is ONDOL_E_UNSUPPORTED. They need live only during the call.
 *
 * THREADS. Each type states its class. *Shared*: any thread at any time. *One thread at a time*:
 * the caller keeps two calls on the same object from overlapping. Sessions of one cache may be
 * stepped from several threads: the engine does one step after the other.
 *
 * TEXT is UTF-8. Strings given with a length need no 0 at their end.
 */
#ifndef ONDOL_H
#define ONDOL_H

#include <stddef.h>
#include <stdint.h>

#include "ondol_status.h"

#if defined(_WIN32) && defined(ONDOL_SHARED)
#ifdef ONDOL_BUILD
#define ONDOL_API __declspec(dllexport)
#else
#define ONDOL_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define ONDOL_API __attribute__((visibility("default")))
#else
#define ONDOL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define ONDOL_VERSION_MAJOR 0
#define ONDOL_VERSION_MINOR 1
#define ONDOL_VERSION_PATCH 0

/* "0.1.0", of the library that runs. */
ONDOL_API const char *ondol_version(void);

/* "ok", "argument", "memory", ... */
ONDOL_API const char *ondol_status_name(ondol_status status);

/* ------------------------------------------------------------------------------------ engine
 * Threads, devices, allocator, log. Thread class: shared.
 * Made by ondol_engine_create. It lives until it is destroyed and the last model is released. */
typedef struct ondol_engine ondol_engine;

typedef enum ondol_log_level {
    ONDOL_LOG_ERROR = 1,
    ONDOL_LOG_WARNING = 2,
    ONDOL_LOG_INFO = 3
} ondol_log_level;

/* text is one line without its end, valid during the call. Called from any thread. */
typedef void (*ondol_log_callback)(void *user, ondol_log_level level, const char *text);

typedef struct ondol_engine_options {
    size_t struct_size;
    uint32_t threads;   /* 0: one for each processor that the process may use */
    const char *device; /* "auto", "cpu", "ref"; NULL: $ONDOL_DEVICE, or "auto" */
    const char *isa;    /* highest instruction set, as $ONDOL_ISA; NULL: $ONDOL_ISA, or the best */
    const ondol_allocator *allocator; /* the structure is copied; NULL: the C heap */
    ondol_log_callback log;           /* NULL: nothing is logged */
    void *log_user;
} ondol_engine_options;
#define ONDOL_ENGINE_OPTIONS_INIT                                                                  \
    { sizeof(ondol_engine_options), 0, NULL, NULL, NULL, NULL, NULL }

/* Errors: ARGUMENT (threads > 1024, unknown device or instruction set), MEMORY, DEVICE. */
ONDOL_API ondol_status ondol_engine_create(const ondol_engine_options *options, ondol_engine **out,
                                           ondol_error *err);
ONDOL_API void ondol_engine_destroy(ondol_engine *engine);

typedef struct ondol_device_info {
    size_t struct_size;      /* set by the caller */
    const char *name;        /* "cpu", "ref"; lives as long as the engine */
    const char *description; /* processor model */
    const char *isa;         /* instruction set level in use, "" where it means nothing */
    uint32_t threads;
    uint64_t memory_bytes; /* of the device; 0: unknown */
    int32_t chosen;        /* 1: models of this engine run on it */
} ondol_device_info;

ONDOL_API size_t ondol_engine_device_count(const ondol_engine *engine);
/* Errors: ARGUMENT (index). */
ONDOL_API ondol_status ondol_engine_device(const ondol_engine *engine, size_t index,
                                           ondol_device_info *out, ondol_error *err);

/* ------------------------------------------------------------------------------------ file
 * What a model file says, whether or not Ondol can run it: nothing but the header is read.
 * Thread class: shared. Views live as long as the file. */
typedef struct ondol_file ondol_file;

typedef struct ondol_metadata {
    const char *key;
    const char *type; /* "u32", "f32", "string", "array of string", ... */
    const char *text; /* the value as text; arrays: their first elements and "..." */
    uint64_t text_bytes;
    uint64_t elements; /* of an array; 1 otherwise */
} ondol_metadata;

typedef struct ondol_tensor_info {
    const char *name;
    const char *encoding; /* "Q4_0", "F32", ... */
    uint32_t dim_count;   /* at most 16; GGUF: 4 */
    uint64_t dims[16];    /* outermost first: [rows][columns] */
    uint64_t size_bytes;
    uint64_t offset; /* GGUF: of its first byte in the file */
} ondol_tensor_info;

/* engine is retained. Errors: NOT_FOUND, IO, FORMAT, UNSUPPORTED, MEMORY. */
ONDOL_API ondol_status ondol_file_open(ondol_engine *engine, const char *path, ondol_file **out,
                                       ondol_error *err);
ONDOL_API void ondol_file_close(ondol_file *file);
/* "GGUF v3, little endian", "ONNX IR version 10" */
ONDOL_API const char *ondol_file_format(const ondol_file *file);
ONDOL_API uint64_t ondol_file_size_bytes(const ondol_file *file);
ONDOL_API size_t ondol_file_metadata_count(const ondol_file *file);
/* `out->text` lives until the next call on this file from any thread. Errors: ARGUMENT, MEMORY. */
ONDOL_API ondol_status ondol_file_metadata(ondol_file *file, size_t index, ondol_metadata *out,
                                           ondol_error *err);
ONDOL_API size_t ondol_file_tensor_count(const ondol_file *file);
ONDOL_API ondol_status ondol_file_tensor(const ondol_file *file, size_t index,
                                         ondol_tensor_info *out, ondol_error *err);

/* ------------------------------------------------------------------------------------ model
 * An opened model: immutable, counted. Thread class: shared. */
typedef struct ondol_model ondol_model;

/* done of total, in bytes of weights made ready. Return nonzero to stop (ONDOL_E_CANCELLED). */
typedef int (*ondol_progress_callback)(void *user, uint64_t done, uint64_t total);

typedef struct ondol_model_options {
    size_t struct_size;
    int32_t no_mmap;     /* 1: read the file into memory in place of mapping it */
    int32_t lock_memory; /* 1: keep the file's pages in memory (mlock) */
    ondol_progress_callback progress;
    void *progress_user;
    int32_t inspect_only; /* 1: text and facts alone; no weights are made ready, no cache can be */
    const char *pack_folder; /* a folder that is there: weights over 64 MiB, packed for this
                              * processor, are kept in it as a file, written beside the first steps,
                              * from which the next open is done in a moment; NULL: none */
} ondol_model_options;
#define ONDOL_MODEL_OPTIONS_INIT                                                                   \
    { sizeof(ondol_model_options), 0, 0, NULL, NULL, 0, NULL }

/* Opens a language model: a GGUF file, an ONNX file, or a folder with genai_config.json (or
 * Optimum's config.json), model, tokenizer.json and chat template. Weights are made ready for the
 * device here. On success *out holds one reference. Errors: NOT_FOUND, IO, FORMAT, UNSUPPORTED
 * (architecture, tokenizer), MEMORY, CANCELLED. */
ONDOL_API ondol_status ondol_model_open(ondol_engine *engine, const char *path,
                                        const ondol_model_options *options, ondol_model **out,
                                        ondol_error *err);

/* A model from anywhere. read copies [offset, offset + size) to `to`, returns 0 on success. The
 * whole is read during this call; `name` stands in for the path in errors. */
typedef struct ondol_source {
    uint64_t size_bytes;
    int (*read)(void *user, uint64_t offset, void *to, size_t size);
    void *user;
    const char *name;
} ondol_source;
ONDOL_API ondol_status ondol_model_open_source(ondol_engine *engine, const ondol_source *source,
                                               const ondol_model_options *options,
                                               ondol_model **out, ondol_error *err);

ONDOL_API ondol_model *ondol_model_retain(ondol_model *model);
ONDOL_API void ondol_model_release(ondol_model *model);

typedef struct ondol_model_info {
    size_t struct_size;        /* set by the caller */
    const char *architecture;  /* "llama", "phi3", ...; strings live as long as the model */
    const char *name;          /* from the file; "" when it has none */
    const char *chat_template; /* NULL: none in the file, ChatML is used */
    uint32_t vocabulary, context, layers, hidden;
    uint64_t parameters, weight_bytes; /* as in the file */
    uint64_t memory_bytes;             /* that ready weights take, or would, beside the file */
    uint64_t kv_bytes_per_token;       /* in f16 */
    int32_t bos, eos;                  /* -1: none */
    int32_t adds_bos, adds_eos;
    const char *unrecognised; /* why an ONNX graph was not recognised as a decoder and runs as it is
                               * written, sequence by sequence; NULL: it was */
} ondol_model_info;
ONDOL_API ondol_status ondol_model_get_info(const ondol_model *model, ondol_model_info *out,
                                            ondol_error *err);

/* ------------------------------------------------------------------------------------ text */
#define ONDOL_TOKENIZE_NO_BOS     1u /* add neither BOS nor EOS, whatever the model says */
#define ONDOL_TOKENIZE_NO_SPECIAL 2u /* read the text of special tokens as plain text */

/* Text to ids: writes at most `capacity` of them and always sets *count to how many there are.
 * Errors: FORMAT (text is no UTF-8 where the tokenizer needs it), LIMIT, MEMORY. */
ONDOL_API ondol_status ondol_tokenize(const ondol_model *model, const char *text, size_t text_bytes,
                                      uint32_t flags, int32_t *ids, size_t capacity, size_t *count,
                                      ondol_error *err);

#define ONDOL_TEXT_SHOW_SPECIAL 1u /* write special tokens as their text, not as nothing */

/* Ids to text: writes at most `capacity` bytes, no 0 behind them; always sets *count.
 * A single token may be a part of a character. Errors: ARGUMENT (id), MEMORY. */
ONDOL_API ondol_status ondol_detokenize(const ondol_model *model, const int32_t *ids, size_t n,
                                        uint32_t flags, char *text, size_t capacity, size_t *count,
                                        ondol_error *err);

/* 1 when the token ends a generation (EOS, end of turn, ...). */
ONDOL_API int ondol_token_is_end(const ondol_model *model, int32_t id);

typedef struct ondol_message {
    const char *role;       /* "system", "user", "assistant", "tool" */
    const char *content;    /* may be NULL */
    const char *extra_json; /* object whose members join the message (tool_calls ...), or NULL */
} ondol_message;

typedef struct ondol_chat_options {
    size_t struct_size;
    int32_t no_generation_prompt; /* 1: do not open the assistant's turn at the end */
    const char *tools_json;       /* array of function descriptions, or NULL */
    const char *variables_json;   /* object of further template variables, or NULL */
    const char *template_text;    /* in place of the model's own, or NULL */
    int64_t unix_time;            /* what strftime_now sees; 0: now */
} ondol_chat_options;
#define ONDOL_CHAT_OPTIONS_INIT                                                                    \
    { sizeof(ondol_chat_options), 0, NULL, NULL, NULL, 0 }

/* A conversation as the model's chat template writes it, to be tokenized with special tokens parsed
 * and ONDOL_TOKENIZE_NO_BOS (templates write BOS themselves). Capacity and count as above.
 * Errors: FORMAT (template, JSON, or the template refused), LIMIT, UNSUPPORTED, MEMORY. */
ONDOL_API ondol_status ondol_chat_format(const ondol_model *model, const ondol_message *messages,
                                         size_t n, const ondol_chat_options *options, char *text,
                                         size_t capacity, size_t *count, ondol_error *err);

/* ------------------------------------------------------------------------------------ cache
 * Keys and values of all sequences on one model, in pages, sized once. Holds a reference to its
 * model. Thread class: shared. */
typedef struct ondol_cache ondol_cache;

typedef enum ondol_kv_type { ONDOL_KV_F16 = 0, ONDOL_KV_Q8 = 1, ONDOL_KV_F32 = 2 } ondol_kv_type;

typedef struct ondol_cache_options {
    size_t struct_size;
    uint64_t capacity_tokens; /* of all sessions together; 0: the model's context, at most 4096 */
    ondol_kv_type kv_type;
    uint32_t max_sessions;    /* 0: 64 */
    uint32_t chunk_tokens;    /* most rows computed at once; 0: 512 */
    uint32_t max_output_rows; /* most rows of logits or hidden states in one step; 0: 64 */
} ondol_cache_options;
#define ONDOL_CACHE_OPTIONS_INIT                                                                   \
    { sizeof(ondol_cache_options), 0, ONDOL_KV_F16, 0, 0, 0 }

/* All memory that steps need is taken here. Errors: ARGUMENT (also a model opened with
 * inspect_only), MEMORY (with the bytes needed). */
ONDOL_API ondol_status ondol_cache_create(ondol_model *model, const ondol_cache_options *options,
                                          ondol_cache **out, ondol_error *err);
/* All its sessions must have been destroyed. */
ONDOL_API void ondol_cache_destroy(ondol_cache *cache);

typedef struct ondol_cache_info {
    size_t struct_size; /* set by the caller */
    uint64_t bytes, scratch_bytes;
    uint64_t page_tokens, pages, pages_free;
} ondol_cache_info;
ONDOL_API ondol_status ondol_cache_get_info(const ondol_cache *cache, ondol_cache_info *out,
                                            ondol_error *err);

/* ------------------------------------------------------------------------------------ session
 * One sequence. Thread class: one thread at a time, but for ondol_session_cancel. */
typedef struct ondol_session ondol_session;

typedef struct ondol_session_options {
    size_t struct_size;
    uint64_t max_tokens; /* 0: the model's context or the cache's capacity, whichever is less */
} ondol_session_options;
#define ONDOL_SESSION_OPTIONS_INIT                                                                 \
    { sizeof(ondol_session_options), 0 }

/* Errors: ARGUMENT, MEMORY, FULL (max_sessions). */
ONDOL_API ondol_status ondol_session_create(ondol_cache *cache,
                                            const ondol_session_options *options,
                                            ondol_session **out, ondol_error *err);
ONDOL_API void ondol_session_destroy(ondol_session *session);

/* A second session with the same tokens: pages are shared and copied when one of both writes. */
ONDOL_API ondol_status ondol_session_fork(ondol_session *session, ondol_session **out,
                                          ondol_error *err);

/* Tokens in the sequence, and the most it takes. */
ONDOL_API uint64_t ondol_session_length(const ondol_session *session);
ONDOL_API uint64_t ondol_session_capacity(const ondol_session *session);

/* The ids of the sequence, ondol_session_length of them; valid until the next call on it. */
ONDOL_API const int32_t *ondol_session_tokens(const ondol_session *session);

/* Keeps the first n tokens. A model with a sliding window may have freed keys that are needed to go
 * on from n; they are computed again in the next step. Errors: ARGUMENT (n > length). */
ONDOL_API ondol_status ondol_session_truncate(ondol_session *session, uint64_t n, ondol_error *err);

/* Stops the step or generation that runs on this session, from any thread: it returns
 * ONDOL_E_CANCELLED with the tokens so far kept. Without one, it stops the next. */
ONDOL_API void ondol_session_cancel(ondol_session *session);

/* Tokens, keys and values as bytes. write returns 0 on success. Errors: IO (callback), MEMORY. */
typedef int (*ondol_write_callback)(void *user, const void *bytes, size_t size);
ONDOL_API ondol_status ondol_session_save(ondol_session *session, ondol_write_callback write,
                                          void *user, ondol_error *err);
/* Replaces the session's content by bytes[0..size) from ondol_session_save, of the same model, KV
 * type and Ondol version. Errors: FORMAT, UNSUPPORTED, FULL; on error the session is empty. */
ONDOL_API ondol_status ondol_session_load(ondol_session *session, const void *bytes, size_t size,
                                          ondol_error *err);

/* ------------------------------------------------------------------------------------ sampler
 * Turns logits into a token. The same logits, history and seed give the same token on every
 * machine. Thread class: one thread at a time. Order: logit bias, grammar, penalties, DRY, top-n
 * sigma, top-k, typical, top-p, min-p, XTC, temperature, draw (mirostat takes the place of all
 * after the penalties but temperature). */
typedef struct ondol_sampler ondol_sampler;

typedef struct ondol_logit_bias {
    int32_t id;
    float bias; /* added to the logit; -INFINITY forbids the token */
} ondol_logit_bias;

typedef struct ondol_sampler_options {
    size_t struct_size;
    uint64_t seed;
    float temperature;      /* 0: the highest logit */
    int32_t top_k;          /* 0: all */
    float top_p;            /* 1: all */
    float min_p;            /* 0: all */
    float typical_p;        /* 1: all */
    float top_n_sigma;      /* 0: all */
    float repeat_penalty;   /* 1: none */
    float presence_penalty; /* 0: none */
    float frequency_penalty;
    int32_t penalty_last_n; /* tokens looked back; -1: all */
    float dry_multiplier;   /* 0: no DRY */
    float dry_base;
    int32_t dry_allowed_length;
    int32_t dry_penalty_last_n;               /* -1: all */
    const char *const *dry_sequence_breakers; /* NULL: "\n", ":", "\"", "*" */
    size_t dry_sequence_breaker_count;
    float xtc_probability; /* 0: no XTC */
    float xtc_threshold;
    int32_t mirostat; /* 0, 1 or 2 */
    float mirostat_tau, mirostat_eta;
    const ondol_logit_bias *logit_bias;
    size_t logit_bias_count;
    const char *grammar;     /* GBNF, or NULL */
    const char *json_schema; /* JSON Schema, or NULL; not both */
} ondol_sampler_options;
#define ONDOL_SAMPLER_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(ondol_sampler_options), 0, 0.8f, 40, 0.95f, 0.05f, 1.0f, 0.0f, 1.0f, 0.0f, 0.0f,    \
            64, 0.0f, 1.75f, 2, -1, NULL, 0, 0.0f, 0.1f, 0, 5.0f, 0.1f, NULL, 0, NULL, NULL        \
    }

/* Holds a reference to the model. Errors: ARGUMENT (a value out of its range, named), FORMAT
 * (grammar or schema, with line and column), UNSUPPORTED, MEMORY. */
ONDOL_API ondol_status ondol_sampler_create(ondol_model *model,
                                            const ondol_sampler_options *options,
                                            ondol_sampler **out, ondol_error *err);
ONDOL_API void ondol_sampler_destroy(ondol_sampler *sampler);
/* Forgets history and grammar state; the seed starts anew. */
ONDOL_API ondol_status ondol_sampler_reset(ondol_sampler *sampler, ondol_error *err);
/* Picks from logits[vocabulary]. Errors: FORMAT when no token may follow (all logits NaN or
 * forbidden). */
ONDOL_API ondol_status ondol_sampler_sample(ondol_sampler *sampler, const float *logits,
                                            int32_t *token, ondol_error *err);
/* Tells the sampler of a token that stands in the sequence: prompt tokens count for the penalties
 * only (`is_prompt` 1), generated ones advance the grammar too. Errors: FORMAT (not allowed by the
 * grammar), MEMORY. */
ONDOL_API ondol_status ondol_sampler_accept(ondol_sampler *sampler, int32_t token, int is_prompt,
                                            ondol_error *err);

/* ------------------------------------------------------------------------------------ step */
typedef enum ondol_want {
    ONDOL_WANT_NOTHING = 0,
    ONDOL_WANT_LAST = 1,   /* logits after the last new token */
    ONDOL_WANT_ALL = 2,    /* logits after every new token */
    ONDOL_WANT_HIDDEN = 3, /* normed hidden state of every new token */
    ONDOL_WANT_SAMPLED = 4 /* a token from `sampler`, which also accepts it; it is not appended */
} ondol_want;

/* New tokens for one session. A session stands in one item of a call at most. */
typedef struct ondol_item {
    size_t struct_size;
    ondol_session *session;
    const int32_t *tokens;
    size_t token_count; /* at least 1 */
    ondol_want want;
    ondol_sampler *sampler;
    /* Set by the call: */
    ondol_status status; /* of this item alone */
    int32_t token;       /* SAMPLED */
    size_t output_rows;  /* rows that `output` holds */
    const float *output; /* [output_rows][vocabulary or hidden]; until the cache's next step */
} ondol_item;
#define ONDOL_ITEM_INIT                                                                            \
    { sizeof(ondol_item), NULL, NULL, 0, ONDOL_WANT_LAST, NULL, ONDOL_OK, -1, 0, NULL }

/* Appends the tokens of n items, all of one cache, to their sessions, and computes what they want,
 * in chunks of any mixture of sessions. What a session computes does not depend on the others.
 * An item that fails (FULL, ARGUMENT: a token past the vocabulary, CANCELLED, LIMIT: more output
 * rows than max_output_rows) does not stop the others; its session keeps its former length. The
 * call returns the status of the first item that failed. */
ONDOL_API ondol_status ondol_step(ondol_item *items, size_t n, ondol_error *err);

/* ------------------------------------------------------------------------------------ generate */
typedef enum ondol_finish {
    ONDOL_FINISH_STOP = 0,   /* the model ended */
    ONDOL_FINISH_LENGTH = 1, /* max_tokens, or the session is full */
    ONDOL_FINISH_STOP_TEXT = 2,
    ONDOL_FINISH_CALLBACK = 3,
    ONDOL_FINISH_CANCELLED = 4
} ondol_finish;

/* "stop", "length", "stop_text", "callback", "cancelled" */
ONDOL_API const char *ondol_finish_name(ondol_finish finish);

/* A piece of text, whole characters only, and the token that completed it (-1 at the end).
 * Return nonzero to stop. */
typedef int (*ondol_token_callback)(void *user, int32_t token, const char *text, size_t bytes);

typedef struct ondol_generate_options {
    size_t struct_size;
    int64_t max_tokens;      /* new tokens; -1: until the session is full; 0: none */
    ondol_sampler *sampler;  /* borrowed; NULL: greedy */
    const char *const *stop; /* texts at which to end; they are not given out */
    size_t stop_count;
    ondol_token_callback on_token;
    void *user;
    int32_t ignore_end;   /* 1: go on past EOS */
    int32_t show_special; /* 1: special tokens are given out as text */
} ondol_generate_options;
#define ONDOL_GENERATE_OPTIONS_INIT                                                                \
    { sizeof(ondol_generate_options), -1, NULL, NULL, 0, NULL, NULL, 0, 0 }

typedef struct ondol_generate_result {
    size_t struct_size; /* set by the caller */
    ondol_finish finish;
    uint64_t prompt_tokens, generated_tokens;
    uint64_t prompt_ns, generate_ns; /* prompt_ns ends with the first token's logits */
} ondol_generate_result;
#define ONDOL_GENERATE_RESULT_INIT                                                                 \
    { sizeof(ondol_generate_result), ONDOL_FINISH_STOP, 0, 0, 0, 0 }

/* Appends the prompt and what the model says to it. All generated tokens but the last are in the
 * session afterwards. result may be NULL. A cancelled generation is ONDOL_OK with that finish.
 * Errors: FULL (the prompt does not fit), ARGUMENT, and those of the sampler. */
ONDOL_API ondol_status ondol_generate(ondol_session *session, const int32_t *prompt,
                                      size_t prompt_tokens, const ondol_generate_options *options,
                                      ondol_generate_result *result, ondol_error *err);

/* ------------------------------------------------------------------------------------ network
 * Any ONNX model as a function of named values. The model is run as it is written, node by node,
 * with the shapes of the values that it is given; each node runs on the first of the engine's
 * devices that has a kernel for it, and on ref where none has. Holds a reference to its engine.
 * Thread class: one thread at a time, but for ondol_network_cancel. */
typedef struct ondol_network ondol_network;

/* The numbers are those of ONNX's TensorProto.DataType. */
typedef enum ondol_element {
    ONDOL_ELEMENT_UNKNOWN = 0,
    ONDOL_ELEMENT_FLOAT32 = 1,
    ONDOL_ELEMENT_UINT8 = 2,
    ONDOL_ELEMENT_INT8 = 3,
    ONDOL_ELEMENT_UINT16 = 4,
    ONDOL_ELEMENT_INT16 = 5,
    ONDOL_ELEMENT_INT32 = 6,
    ONDOL_ELEMENT_INT64 = 7,
    ONDOL_ELEMENT_STRING = 8,
    ONDOL_ELEMENT_BOOL = 9,
    ONDOL_ELEMENT_FLOAT16 = 10,
    ONDOL_ELEMENT_FLOAT64 = 11,
    ONDOL_ELEMENT_UINT32 = 12,
    ONDOL_ELEMENT_UINT64 = 13,
    ONDOL_ELEMENT_COMPLEX64 = 14,
    ONDOL_ELEMENT_COMPLEX128 = 15,
    ONDOL_ELEMENT_BFLOAT16 = 16,
    ONDOL_ELEMENT_FLOAT8E4M3FN = 17,
    ONDOL_ELEMENT_FLOAT8E4M3FNUZ = 18,
    ONDOL_ELEMENT_FLOAT8E5M2 = 19,
    ONDOL_ELEMENT_FLOAT8E5M2FNUZ = 20,
    ONDOL_ELEMENT_UINT4 = 21, /* types of 6, 4 and 2 bits: the first element in the lowest bits */
    ONDOL_ELEMENT_INT4 = 22,
    ONDOL_ELEMENT_FLOAT4E2M1 = 23,
    ONDOL_ELEMENT_FLOAT8E8M0 = 24,
    ONDOL_ELEMENT_UINT2 = 25,
    ONDOL_ELEMENT_INT2 = 26,
    ONDOL_ELEMENT_FLOAT6E2M3 = 27,
    ONDOL_ELEMENT_FLOAT6E3M2 = 28
} ondol_element;

/* "float", "int64", ... as ONNX writes it; "undefined" for what is none. */
ONDOL_API const char *ondol_element_name(ondol_element element);
/* Bits of one element, 0 for strings and what is none. */
ONDOL_API unsigned ondol_element_bits(ondol_element element);

typedef struct ondol_network_options {
    size_t struct_size;
    int32_t no_mmap;         /* 1: read the file into memory in place of mapping it */
    int32_t profile;         /* 1: take the time of each node; see ondol_network_profile */
    uint64_t max_bytes;      /* of all values of a run together; 0: what the machine has */
    uint64_t max_iterations; /* of one Loop; 0: 2^31 */
    uint64_t seed;           /* of random operators that have none of their own */
} ondol_network_options;
#define ONDOL_NETWORK_OPTIONS_INIT                                                                 \
    { sizeof(ondol_network_options), 0, 0, 0, 0, 0 }

/* Opens an ONNX model; external data is read from its folder alone. Errors: NOT_FOUND, IO, FORMAT
 * (with the node and the rule), UNSUPPORTED (an operator or version that is not known, or that no
 * device takes), MEMORY. */
ONDOL_API ondol_status ondol_network_open(ondol_engine *engine, const char *path,
                                          const ondol_network_options *options, ondol_network **out,
                                          ondol_error *err);
/* The same from a source, which has no folder: external data is refused. */
ONDOL_API ondol_status ondol_network_open_source(ondol_engine *engine, const ondol_source *source,
                                                 const ondol_network_options *options,
                                                 ondol_network **out, ondol_error *err);
ONDOL_API void ondol_network_close(ondol_network *network);

#define ONDOL_MAX_RANK 16

/* An input or output as the model declares it. */
typedef struct ondol_port {
    size_t struct_size;                    /* set by the caller */
    const char *name;                      /* strings live as long as the network */
    const char *type;                      /* "float[N, 3, 224, 224]", "seq(int64[])", ... */
    ondol_element element;                 /* of a tensor; UNKNOWN for all else */
    int32_t rank;                          /* -1: not declared */
    int64_t dims[ONDOL_MAX_RANK];          /* -1: not declared */
    const char *dim_names[ONDOL_MAX_RANK]; /* of a dimension that is a symbol; NULL otherwise */
    int32_t has_default;                   /* 1: may stay unbound */
} ondol_port;

ONDOL_API size_t ondol_network_input_count(const ondol_network *network);
ONDOL_API size_t ondol_network_output_count(const ondol_network *network);
/* Errors: ARGUMENT (index). */
ONDOL_API ondol_status ondol_network_input(const ondol_network *network, size_t index,
                                           ondol_port *out, ondol_error *err);
ONDOL_API ondol_status ondol_network_output(const ondol_network *network, size_t index,
                                            ondol_port *out, ondol_error *err);
/* The input of that name. Errors: NOT_FOUND, with the names that there are. */
ONDOL_API ondol_status ondol_network_find_input(const ondol_network *network, const char *name,
                                                size_t *index, ondol_error *err);

/* A value of a network: a tensor, a sequence, an optional or a map. Counted; it must be released
 * before its network is closed. Thread class: that of its network. */
typedef struct ondol_value ondol_value;

typedef enum ondol_value_kind {
    ONDOL_VALUE_TENSOR = 0,
    ONDOL_VALUE_SEQUENCE = 1,
    ONDOL_VALUE_OPTIONAL = 2, /* of no item, or one */
    ONDOL_VALUE_MAP = 3       /* item 0: keys, item 1: values, tensors of rank 1 */
} ondol_value_kind;

/* A tensor with its own copy of data, dense and row-major (NULL: zeros). Strings have no data here:
 * set them by ondol_value_set_string. Errors: LIMIT, MEMORY. */
ONDOL_API ondol_status ondol_value_create(ondol_network *network, ondol_element element,
                                          size_t rank, const int64_t *dims, const void *data,
                                          ondol_value **out, ondol_error *err);
/* A tensor of borrowed data, which must stay as it is until the value and all that was computed
 * from it are released. */
ONDOL_API ondol_status ondol_value_borrow(ondol_network *network, ondol_element element,
                                          size_t rank, const int64_t *dims, const void *data,
                                          ondol_value **out, ondol_error *err);
/* An empty sequence, optional or map, and to append to it (item is retained).
 * Errors: ARGUMENT, LIMIT, MEMORY. */
ONDOL_API ondol_status ondol_value_create_list(ondol_network *network, ondol_value_kind kind,
                                               ondol_value **out, ondol_error *err);
ONDOL_API ondol_status ondol_value_append(ondol_value *list, ondol_value *item, ondol_error *err);
/* A value from a protobuf message as ONNX's test data has them: TensorProto, SequenceProto,
 * OptionalProto or MapProto, by what the input of that index declares. Errors: FORMAT, MEMORY. */
ONDOL_API ondol_status ondol_value_from_protobuf(ondol_network *network, size_t input,
                                                 const void *bytes, size_t size, ondol_value **out,
                                                 ondol_error *err);
ONDOL_API ondol_value *ondol_value_retain(ondol_value *value);
ONDOL_API void ondol_value_release(ondol_value *value);

typedef struct ondol_value_info {
    size_t struct_size; /* set by the caller */
    ondol_value_kind kind;
    ondol_element element; /* of a tensor */
    size_t rank;
    int64_t dims[ONDOL_MAX_RANK];
    uint64_t elements; /* product of dims */
    const void *data;  /* dense, row-major; NULL: strings, and what is no tensor */
    uint64_t size_bytes;
    size_t items; /* of what is no tensor */
} ondol_value_info;
ONDOL_API ondol_status ondol_value_get_info(const ondol_value *value, ondol_value_info *out,
                                            ondol_error *err);
/* Item of a sequence, optional or map; NULL: none of that index. Not retained. */
ONDOL_API ondol_value *ondol_value_item(const ondol_value *value, size_t index);
/* Element of a string tensor; lives as long as the value. Errors: ARGUMENT. */
ONDOL_API ondol_status ondol_value_string(const ondol_value *value, uint64_t index,
                                          const char **text, size_t *text_bytes, ondol_error *err);
ONDOL_API ondol_status ondol_value_set_string(ondol_value *value, uint64_t index, const char *text,
                                              size_t text_bytes, ondol_error *err);

/* Binds a value to an input for all runs to come, until another is bound; NULL unbinds. The value
 * is retained. Errors: ARGUMENT (index, or a value of another network). */
ONDOL_API ondol_status ondol_network_bind(ondol_network *network, size_t input, ondol_value *value,
                                          ondol_error *err);
/* Computes all outputs. Errors: ARGUMENT (an unbound input), FORMAT (shapes that do not fit, an
 * index out of range, with the node), LIMIT, MEMORY, CANCELLED. */
ONDOL_API ondol_status ondol_network_run(ondol_network *network, ondol_error *err);
/* Output of the last run, not retained, valid until the next; NULL before the first. */
ONDOL_API ondol_value *ondol_network_result(const ondol_network *network, size_t output);
/* Ends the run under way, or the next, with ONDOL_E_CANCELLED. Thread class: shared. */
ONDOL_API void ondol_network_cancel(ondol_network *network);

#ifdef __cplusplus
}
#endif

#endif
