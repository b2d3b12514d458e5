/* Making a cache. In: a model made ready, sizes. Out: pages, scratch, a step block, recorded plans.
 */
#include "generate/cache.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "generate/sequence.h"

static ondol_status check_options(const generate_cache_options *o, ondol_error *err) {
    if (o->capacity_tokens < 1 || o->capacity_tokens > GENERATE_MAX_CAPACITY) {
        return base_fail(err, ONDOL_E_ARGUMENT, "cache of %" PRIu64 " tokens: expected 1 to %llu",
                         o->capacity_tokens, GENERATE_MAX_CAPACITY);
    }
    if (o->max_sequences < 1 || o->max_sequences > GENERATE_MAX_SEQUENCES) {
        return base_fail(err, ONDOL_E_ARGUMENT, "cache for %u sessions: expected 1 to %u",
                         o->max_sequences, GENERATE_MAX_SEQUENCES);
    }
    if (o->chunk_tokens < 1 || o->chunk_tokens > GENERATE_MAX_CHUNK) {
        return base_fail(err, ONDOL_E_ARGUMENT, "chunks of %u tokens: expected 1 to %u",
                         o->chunk_tokens, GENERATE_MAX_CHUNK);
    }
    if (o->max_output_rows < 1 || o->max_output_rows > GENERATE_MAX_OUTPUT_ROWS) {
        return base_fail(err, ONDOL_E_ARGUMENT, "%u output rows: expected 1 to %u",
                         o->max_output_rows, GENERATE_MAX_OUTPUT_ROWS);
    }
    return ONDOL_OK;
}

uint64_t generate_kv_bytes_per_token(const plan_kv *kv) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < kv->group_count; i++)
        total += kv->groups[i].page_bytes;
    return (total + kv->page_tokens - 1) / kv->page_tokens;
}

/* Pages of a group: for all tokens, or for as many as all sequences' windows can hold at once. */
static uint64_t pages_of_group(const generate_cache *c, uint32_t group) {
    const uint64_t all =
        (c->options.capacity_tokens + GENERATE_PAGE_TOKENS - 1) / GENERATE_PAGE_TOKENS;
    const uint64_t window = c->kv->groups[group].window;
    if (window == 0) return all;
    const uint64_t each =
        (window + c->options.chunk_tokens + GENERATE_PAGE_TOKENS - 1) / GENERATE_PAGE_TOKENS + 2;
    const uint64_t most = each * c->options.max_sequences;
    return most < all ? most : all;
}

static ondol_status create_pools(generate_cache *c, ondol_error *err) {
    const uint32_t groups = c->kv->group_count;
    ondol_status status = ONDOL_OK;
    c->groups = base_calloc(c->allocator, groups + 1, sizeof *c->groups);
    c->pools = base_calloc(c->allocator, groups + 1, sizeof *c->pools);
    if (!c->groups || !c->pools) return base_no_memory(err, "cache", groups * sizeof *c->groups);
    for (uint32_t i = 0; i < groups; i++) {
        const uint64_t pages = pages_of_group(c, i);
        uint64_t bytes = 0;
        if (pages >= GENERATE_NO_PAGE || !base_mul(pages, c->kv->groups[i].page_bytes, &bytes)) {
            return base_fail(err, ONDOL_E_ARGUMENT, "cache of %" PRIu64 " tokens does not fit",
                             c->options.capacity_tokens);
        }
        TRY(generate_pages_create(c->allocator, (uint32_t)pages, c->groups + i, err));
        TRY(c->device->ops->buffer_create(c->device, bytes, c->pools + i, err));
        c->bytes += bytes;
    }
done:
    return status;
}

static ondol_status create_block(generate_cache *c, ondol_error *err) {
    const ondol_allocator *a = c->allocator;
    plan_step_block *b = &c->block;
    const uint32_t rows = c->options.chunk_tokens, groups = c->kv->group_count;
    const uint32_t columns =
        c->decoder.vocabulary > c->decoder.hidden ? c->decoder.vocabulary : c->decoder.hidden;
    b->group_count = groups;
    b->ids = base_calloc(a, rows, sizeof *b->ids);
    b->positions = base_calloc(a, rows, sizeof *b->positions);
    b->regimes = base_calloc(a, rows, sizeof *b->regimes);
    b->row_sequence = base_calloc(a, rows, sizeof *b->row_sequence);
    b->output_rows = base_calloc(a, c->options.max_output_rows, sizeof *b->output_rows);
    b->tiles = base_calloc(a, rows, sizeof *b->tiles);
    b->page_tables = base_calloc(a, (size_t)rows * (groups + 1), sizeof *b->page_tables);
    c->outputs = base_alloc(a, c->options.max_output_rows, columns * sizeof *c->outputs);
    c->sample_row = base_alloc(a, c->decoder.vocabulary, sizeof *c->sample_row);
    if (!c->sample_row || !b->ids || !b->positions || !b->regimes || !b->row_sequence ||
        !b->output_rows || !b->tiles || !b->page_tables || !c->outputs) {
        return base_no_memory(err, "a step's rows and outputs",
                              (uint64_t)c->options.max_output_rows * columns * sizeof *c->outputs);
    }
    return ONDOL_OK;
}

static ondol_status create_plans(generate_cache *c, ondol_error *err) {
    uint64_t scratch = 0;
    ondol_status status = ONDOL_OK;
    for (uint32_t rows = 1;; rows *= 2) {
        if (rows > c->options.chunk_tokens) rows = c->options.chunk_tokens;
        const uint32_t outputs =
            rows < c->options.max_output_rows ? rows : c->options.max_output_rows;
        plan **p = c->plans + c->plan_count;
        TRY(plan_create(c->allocator, c->decoder.lowered, c->decoder.weights, c->kv, rows, outputs,
                        p, err));
        c->plan_count++;
        if ((*p)->scratch_bytes > scratch) scratch = (*p)->scratch_bytes;
        if (rows == c->options.chunk_tokens) break;
    }
    TRY(c->device->ops->buffer_create(c->device, scratch, &c->scratch, err));
    c->binding = (plan_binding){c->scratch, c->pools, &c->block};
    for (uint32_t i = 0; i < c->plan_count; i++)
        TRY(plan_record(c->plans[i], &c->binding, err));
done:
    return status;
}

static ondol_status fill(generate_cache *c, ondol_error *err) {
    const generate_decoder *d = &c->decoder;
    ondol_status status = ONDOL_OK;
    c->lock = base_mutex_create(c->allocator);
    if (!c->lock) return base_no_memory(err, "cache", sizeof *c);
    c->device = d->written ? NULL : d->weights->devices[0];
    TRY(plan_kv_create(c->allocator, d->layers, d->layer_count, c->options.kv_type,
                       GENERATE_PAGE_TOKENS, &c->kv, err));
    TRY(create_pools(c, err));
    TRY(create_block(c, err));
    if (!d->written) TRY(create_plans(c, err));
done:
    return status;
}

ondol_status generate_cache_create(const ondol_allocator *a, const generate_decoder *decoder,
                                   const generate_cache_options *options, generate_cache **out,
                                   ondol_error *err) {
    ondol_status status = check_options(options, err);
    if (status != ONDOL_OK) return status;
    generate_cache *c = base_calloc(a, 1, sizeof *c);
    if (!c) return base_no_memory(err, "cache", sizeof *c);
    *c = (generate_cache){.allocator = a, .decoder = *decoder, .options = *options};
    base_mutex_lock(decoder->step_lock);
    status = fill(c, err);
    base_mutex_unlock(decoder->step_lock);
    if (status != ONDOL_OK) {
        generate_cache_destroy(c);
        return status;
    }
    *out = c;
    return ONDOL_OK;
}

void generate_cache_destroy(generate_cache *c) {
    if (!c) return;
    const ondol_allocator *a = c->allocator;
    base_mutex_lock(c->decoder.step_lock);
    for (uint32_t i = 0; i < c->plan_count; i++)
        plan_destroy(c->plans[i]);
    if (c->scratch) c->device->ops->buffer_destroy(c->device, c->scratch);
    for (uint32_t i = 0; c->kv && i < c->kv->group_count; i++) {
        if (c->pools && c->pools[i]) c->device->ops->buffer_destroy(c->device, c->pools[i]);
        if (c->groups) generate_pages_destroy(c->groups + i);
    }
    base_mutex_unlock(c->decoder.step_lock);
    base_free(a, c->pools);
    base_free(a, c->groups);
    plan_kv_destroy(c->kv);
    base_mutex_destroy(c->lock);
    base_free(a, c->block.ids);
    base_free(a, c->block.positions);
    base_free(a, c->block.regimes);
    base_free(a, c->block.row_sequence);
    base_free(a, c->block.output_rows);
    base_free(a, c->block.tiles);
    base_free(a, c->block.page_tables);
    base_free(a, c->outputs);
    base_free(a, c->sample_row);
    base_free(a, c);
}

plan *generate_cache_plan(const generate_cache *c, uint32_t rows) {
    uint32_t i = 0;
    while (c->plans[i]->max_rows < rows)
        i++;
    return c->plans[i];
}
