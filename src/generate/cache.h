/* The cache of a model on its devices: pages of keys and values, and the plans that run on them,
 * one for each bucket of rows. All memory that steps need is taken when it is made. */
#ifndef GENERATE_CACHE_H
#define GENERATE_CACHE_H

#include "base/thread.h"
#include "generate/pages.h"
#include "generate/written.h"
#include "plan/plan.h"

#define GENERATE_BUCKETS_MAX 24

/* A model ready to run. All is borrowed and outlives the caches made on it. */
typedef struct generate_decoder {
    const graph *lowered; /* inputs ids, positions, regimes; outputs hidden, logits */
    const plan_weights *weights;
    const generate_written *written; /* not NULL: in place of both, and of layers */
    const plan_kv_description *layers;
    uint32_t layer_count, hidden, vocabulary;
    uint64_t context;          /* the model's own limit, in tokens */
    uint64_t regime_threshold; /* sequences longer than this take regime 1; 0: one regime */
    uint64_t fingerprint;      /* of the model, for saved sequences */
    base_mutex *step_lock;     /* of the engine: one step at a time */
} generate_decoder;

typedef struct generate_cache_options {
    uint64_t capacity_tokens;
    tensor_kv_type kv_type;
    uint32_t max_sequences, chunk_tokens, max_output_rows;
} generate_cache_options;

typedef struct generate_sequence generate_sequence;

/* Thread class: shared. `lock` guards pages, page tables and the list of sequences; step_lock,
 * taken first, guards the rest. */
typedef struct generate_cache {
    const ondol_allocator *allocator;
    generate_decoder decoder;
    generate_cache_options options;
    base_mutex *lock;
    plan_device *device; /* where scratch and pools lie: the first of the devices */
    plan_kv *kv;
    generate_pages *groups; /* [kv->group_count] */
    plan_buffer **pools;    /* [kv->group_count] */
    plan_buffer *scratch;
    plan_binding binding;
    plan *plans[GENERATE_BUCKETS_MAX]; /* of 1, 2, 4 ... chunk_tokens rows */
    uint32_t plan_count;
    plan_step_block block;
    float *outputs;    /* [max_output_rows][max(vocabulary, hidden)] that the caller reads */
    float *sample_row; /* [vocabulary] */
    uint64_t bytes;    /* of pools */
    generate_sequence *sequences; /* list of all that live */
    uint32_t sequence_count;
} generate_cache;

/* Errors: ARGUMENT (a size of 0 or past the limits below), MEMORY (with the bytes needed),
 * UNSUPPORTED. */
ondol_status generate_cache_create(const ondol_allocator *a, const generate_decoder *decoder,
                                   const generate_cache_options *options, generate_cache **out,
                                   ondol_error *err);
/* Takes NULL. No sequence may live. */
void generate_cache_destroy(generate_cache *c);

#define GENERATE_MAX_SEQUENCES   65536u
#define GENERATE_MAX_CHUNK       65536u
#define GENERATE_MAX_OUTPUT_ROWS 65536u
#define GENERATE_MAX_CAPACITY    (1ull << 31)

/* Bytes of a page of every group, over the tokens of a page, rounded up. */
uint64_t generate_kv_bytes_per_token(const plan_kv *kv);

/* Tokens that a page holds. */
#define GENERATE_PAGE_TOKENS 32u

/* The smallest plan for that many rows (1 to chunk_tokens). */
plan *generate_cache_plan(const generate_cache *c, uint32_t rows);

#endif
