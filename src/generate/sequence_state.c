/* A sequence as bytes, and back. In: a sequence. Out: little-endian numbers, tokens, pages:
 *   "ONDOLSEQ"; u32 version, KV type, regime, groups; u64 fingerprint, length, computed;
 *   for each group u32 first page, end page; i32 tokens[length]; the groups' pages.
 * A past that is no pages is not kept: then computed is 0, and the next step computes it again.
 * The bytes are not trusted: all is checked before any is taken. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/reader.h"
#include "generate/sequence.h"

#define STATE_MAGIC   "ONDOLSEQ"
#define STATE_VERSION 1u

typedef struct writer {
    generate_write write;
    void *user;
    bool failed;
} writer;

static void put(writer *w, const void *bytes, size_t size) {
    if (!w->failed && size && w->write(w->user, bytes, size) != 0) w->failed = true;
}

static void put_number(writer *w, uint64_t value, size_t size) {
    unsigned char bytes[8];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    put(w, bytes, size);
}

static uint64_t pages_for(uint64_t tokens) {
    return (tokens + GENERATE_PAGE_TOKENS - 1) / GENERATE_PAGE_TOKENS;
}

/* One page in host memory, its unwritten slots cleared: they may hold what others left. */
static ondol_status read_page(const generate_sequence *s, uint32_t group, uint64_t index,
                              unsigned char *page, ondol_error *err) {
    const generate_cache *c = s->cache;
    const uint64_t bytes = c->kv->groups[group].page_bytes;
    ondol_status status = c->device->ops->read_back(
        c->device, c->pools[group], s->tables[group][index] * bytes, page, bytes, err);
    const uint64_t slots = s->computed - index * GENERATE_PAGE_TOKENS;
    if (status != ONDOL_OK || slots >= GENERATE_PAGE_TOKENS) return status;
    for (uint32_t l = 0; l < c->kv->layer_count; l++) {
        if (c->kv->layers[l].group != group) continue;
        const tensor_kv_layout layout = plan_kv_layout(c->kv, l);
        tensor_kv_clear_from(&layout, page + c->kv->layers[l].offset_bytes, (uint32_t)slots);
    }
    return ONDOL_OK;
}

static ondol_status put_pages(const generate_sequence *s, writer *w, ondol_error *err) {
    const plan_kv *kv = s->cache->kv;
    ondol_status status = ONDOL_OK;
    for (uint32_t g = 0; g < kv->group_count && status == ONDOL_OK; g++) {
        unsigned char *page = base_alloc(s->cache->allocator, 1, kv->groups[g].page_bytes);
        if (!page) return base_no_memory(err, "a page to save", kv->groups[g].page_bytes);
        for (uint64_t i = s->first_page[g]; i < pages_for(s->computed) && !w->failed; i++) {
            status = read_page(s, g, i, page, err);
            if (status != ONDOL_OK) break;
            put(w, page, kv->groups[g].page_bytes);
        }
        base_free(s->cache->allocator, page);
    }
    return status;
}

ondol_status generate_sequence_save(generate_sequence *s, generate_write write, void *user,
                                    ondol_error *err) {
    const generate_cache *c = s->cache;
    writer w = {.write = write, .user = user};
    base_mutex_lock(c->decoder.step_lock);
    put(&w, STATE_MAGIC, 8);
    put_number(&w, STATE_VERSION, 4);
    put_number(&w, c->kv->type, 4);
    put_number(&w, s->regime, 4);
    put_number(&w, c->kv->group_count, 4);
    put_number(&w, c->decoder.fingerprint, 8);
    put_number(&w, s->length, 8);
    put_number(&w, c->decoder.written ? 0 : s->computed, 8);
    for (uint32_t g = 0; g < c->kv->group_count; g++) {
        put_number(&w, s->computed ? s->first_page[g] : 0, 4);
        put_number(&w, pages_for(s->computed), 4);
    }
    for (uint64_t i = 0; i < s->length; i++)
        put_number(&w, (uint32_t)s->tokens[i], 4);
    ondol_status status = put_pages(s, &w, err);
    base_mutex_unlock(c->decoder.step_lock);
    if (status == ONDOL_OK && w.failed) {
        return base_fail(err, ONDOL_E_IO, "saving the session: the callback could not write");
    }
    return status;
}

/* The head of a saved state. */
typedef struct state {
    uint32_t version, kv_type, regime, groups;
    uint64_t fingerprint, length, computed;
} state;

static ondol_status truncated(const base_reader *r, ondol_error *err) {
    return base_fail(err, ONDOL_E_FORMAT, "saved session ends at byte %" PRIu64, r->size);
}

static ondol_status read_head(base_reader *r, state *h, ondol_error *err) {
    const unsigned char *magic = base_read_view(r, 8);
    if (!magic || memcmp(magic, STATE_MAGIC, 8) != 0) {
        return base_fail(err, ONDOL_E_FORMAT, "these bytes are no saved session");
    }
    h->version = base_read_u32(r);
    h->kv_type = base_read_u32(r);
    h->regime = base_read_u32(r);
    h->groups = base_read_u32(r);
    h->fingerprint = base_read_u64(r);
    h->length = base_read_u64(r);
    h->computed = base_read_u64(r);
    return r->failed ? truncated(r, err) : ONDOL_OK;
}

static ondol_status check_head(const generate_sequence *s, const state *h, ondol_error *err) {
    const generate_cache *c = s->cache;
    if (h->version != STATE_VERSION) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "saved session of version %u: expected %u",
                         h->version, STATE_VERSION);
    }
    if (h->fingerprint != c->decoder.fingerprint || h->groups != c->kv->group_count) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "the session was saved with another model");
    }
    if (h->kv_type != (uint32_t)c->kv->type) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "the session was saved with another KV type than %s",
                         tensor_kv_type_name(c->kv->type));
    }
    if (h->length > s->capacity) {
        return base_fail(err, ONDOL_E_FULL,
                         "the saved session has %" PRIu64 " tokens: this one holds %" PRIu64,
                         h->length, s->capacity);
    }
    if (h->computed > h->length || h->regime > 1 || (h->regime && !c->decoder.regime_threshold)) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "saved session: %" PRIu64 " of %" PRIu64 " tokens computed in regime %u",
                         h->computed, h->length, h->regime);
    }
    return ONDOL_OK;
}

static ondol_status read_ranges(generate_sequence *s, base_reader *r, const state *h,
                                ondol_error *err) {
    generate_cache *c = s->cache;
    for (uint32_t g = 0; g < h->groups; g++) {
        const uint32_t first = base_read_u32(r), end = base_read_u32(r);
        if (r->failed) return truncated(r, err);
        const uint64_t needed = generate_window_start(c, g, h->computed) / GENERATE_PAGE_TOKENS;
        if (end != pages_for(h->computed) || first > end || (h->computed && first > needed)) {
            return base_fail(err, ONDOL_E_FORMAT,
                             "saved session: pages %u to %u for %" PRIu64 " tokens", first, end,
                             h->computed);
        }
        s->first_page[g] = s->end_page[g] = first;
        if (end == first) continue;
        const uint64_t from = (uint64_t)first * GENERATE_PAGE_TOKENS;
        if (!generate_sequence_reserve(s, g, from, h->computed, NULL)) {
            return base_fail(err, ONDOL_E_FULL, "the cache has no %u pages left for the session",
                             end - first);
        }
    }
    return ONDOL_OK;
}

static ondol_status read_tokens(generate_sequence *s, base_reader *r, const state *h,
                                ondol_error *err) {
    for (uint64_t i = 0; i < h->length; i++) {
        const uint32_t id = base_read_u32(r);
        if (r->failed) return truncated(r, err);
        if (id >= s->cache->decoder.vocabulary) {
            return base_fail(err, ONDOL_E_FORMAT,
                             "saved session: token %" PRIu64 " is %u, the vocabulary has %u", i, id,
                             s->cache->decoder.vocabulary);
        }
        s->tokens[i] = (int32_t)id;
    }
    return ONDOL_OK;
}

static ondol_status read_pages(generate_sequence *s, base_reader *r, ondol_error *err) {
    generate_cache *c = s->cache;
    ondol_status status = ONDOL_OK;
    for (uint32_t g = 0; g < c->kv->group_count; g++) {
        const uint64_t bytes = c->kv->groups[g].page_bytes;
        for (uint32_t i = s->first_page[g]; i < s->end_page[g]; i++) {
            const unsigned char *page = base_read_view(r, bytes);
            if (!page) return truncated(r, err);
            TRY(c->device->ops->upload(c->device, c->pools[g], s->tables[g][i] * bytes, page, bytes,
                                       err));
        }
    }
    if (base_reader_left(r)) {
        status = base_fail(err, ONDOL_E_FORMAT, "saved session: bytes behind its end");
    }
done:
    return status;
}

ondol_status generate_sequence_load(generate_sequence *s, const void *bytes, size_t size,
                                    ondol_error *err) {
    generate_cache *c = s->cache;
    base_reader r;
    base_reader_init(&r, bytes, size);
    state h = {0};
    base_mutex_lock(c->decoder.step_lock);
    base_mutex_lock(c->lock);
    generate_sequence_forget(s);
    s->length = 0;
    ondol_status status = ONDOL_OK;
    TRY(read_head(&r, &h, err));
    TRY(check_head(s, &h, err));
    TRY(read_ranges(s, &r, &h, err));
    TRY(read_tokens(s, &r, &h, err));
    TRY(read_pages(s, &r, err));
    s->length = h.length;
    s->computed = h.computed;
    s->regime = h.regime;
done:
    if (status != ONDOL_OK) generate_sequence_forget(s);
    base_mutex_unlock(c->lock);
    base_mutex_unlock(c->decoder.step_lock);
    return status;
}
