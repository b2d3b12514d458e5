/* Sequences and their pages. In: tokens to hold. Out: page tables. */
#include "generate/sequence.h"

#include <inttypes.h>
#include <string.h>

static uint64_t page_of(uint64_t token) {
    return token / GENERATE_PAGE_TOKENS;
}

static uint64_t pages_for(uint64_t tokens) {
    return (tokens + GENERATE_PAGE_TOKENS - 1) / GENERATE_PAGE_TOKENS;
}

static void free_parts(generate_sequence *s) {
    const ondol_allocator *a = s->cache->allocator;
    for (uint32_t g = 0; s->tables && g < s->cache->kv->group_count; g++)
        base_free(a, s->tables[g]);
    base_free(a, s->tables);
    base_free(a, s->first_page);
    base_free(a, s->end_page);
    base_free(a, s->tokens);
    base_free(a, s);
}

static ondol_status allocate(generate_sequence *s, ondol_error *err) {
    const ondol_allocator *a = s->cache->allocator;
    const uint32_t groups = s->cache->kv->group_count;
    const uint64_t pages = pages_for(s->capacity);
    bool fine = true;
    s->tokens = base_alloc(a, s->capacity, sizeof *s->tokens);
    s->first_page = base_calloc(a, groups + 1, sizeof *s->first_page);
    s->end_page = base_calloc(a, groups + 1, sizeof *s->end_page);
    s->tables = base_calloc(a, groups + 1, sizeof *s->tables);
    for (uint32_t g = 0; s->tables && g < groups; g++) {
        s->tables[g] = base_alloc(a, pages, sizeof **s->tables);
        if (s->tables[g]) memset(s->tables[g], 0xff, pages * sizeof **s->tables);
        fine = fine && s->tables[g];
    }
    if (!s->tokens || !s->first_page || !s->end_page || !s->tables || !fine) {
        return base_no_memory(err, "session",
                              s->capacity * sizeof *s->tokens + pages * groups * sizeof(uint32_t));
    }
    return ONDOL_OK;
}

/* Puts s into the list. */
static ondol_status enter(generate_sequence *s, ondol_error *err) {
    generate_cache *c = s->cache;
    if (c->sequence_count >= c->options.max_sequences) {
        return base_fail(err, ONDOL_E_FULL, "the cache has its %u sessions already",
                         c->options.max_sequences);
    }
    s->next = c->sequences;
    if (s->next) s->next->previous = s;
    c->sequences = s;
    c->sequence_count++;
    return ONDOL_OK;
}

ondol_status generate_sequence_create(generate_cache *c, uint64_t max_tokens,
                                      generate_sequence **out, ondol_error *err) {
    const uint64_t capacity = c->options.capacity_tokens;
    uint64_t most = c->decoder.context < capacity ? c->decoder.context : capacity;
    if (max_tokens > capacity) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "session of %" PRIu64 " tokens: the cache holds %" PRIu64, max_tokens,
                         capacity);
    }
    if (max_tokens) most = max_tokens;
    generate_sequence *s = base_calloc(c->allocator, 1, sizeof *s);
    if (!s) return base_no_memory(err, "session", sizeof *s);
    s->cache = c;
    s->capacity = most;
    atomic_init(&s->cancelled, 0);
    ondol_status status = allocate(s, err);
    if (status == ONDOL_OK) {
        base_mutex_lock(c->lock);
        status = enter(s, err);
        base_mutex_unlock(c->lock);
    }
    if (status != ONDOL_OK) {
        free_parts(s);
        return status;
    }
    *out = s;
    return ONDOL_OK;
}

void generate_sequence_destroy(generate_sequence *s) {
    if (!s) return;
    generate_cache *c = s->cache;
    base_mutex_lock(c->lock);
    generate_sequence_forget(s);
    if (s->previous)
        s->previous->next = s->next;
    else
        c->sequences = s->next;
    if (s->next) s->next->previous = s->previous;
    c->sequence_count--;
    base_mutex_unlock(c->lock);
    free_parts(s);
}

ondol_status generate_sequence_fork(generate_sequence *s, generate_sequence **out,
                                    ondol_error *err) {
    generate_sequence *twin = NULL;
    ondol_status status = generate_sequence_create(s->cache, s->capacity, &twin, err);
    if (status != ONDOL_OK) return status;
    base_mutex_lock(s->cache->lock);
    memcpy(twin->tokens, s->tokens, s->length * sizeof *s->tokens);
    twin->length = s->length;
    twin->regime = s->regime;
    generate_sequence_share(twin, s, s->computed);
    base_mutex_unlock(s->cache->lock);
    *out = twin;
    return ONDOL_OK;
}

uint64_t generate_window_start(const generate_cache *c, uint32_t group, uint64_t position) {
    const uint64_t window = c->kv->groups[group].window;
    return window && position + 1 > window ? position + 1 - window : 0;
}

bool generate_sequence_can_go_on(const generate_sequence *s, uint64_t n) {
    for (uint32_t g = 0; n && g < s->cache->kv->group_count; g++) {
        if (s->first_page[g] > page_of(generate_window_start(s->cache, g, n))) return false;
        if (s->end_page[g] < pages_for(n)) return false;
    }
    return true;
}

void generate_sequence_forget(generate_sequence *s) {
    for (uint32_t g = 0; g < s->cache->kv->group_count; g++) {
        for (uint32_t i = s->first_page[g]; i < s->end_page[g]; i++)
            generate_pages_drop(s->cache->groups + g, s->tables[g][i]);
        s->first_page[g] = s->end_page[g] = 0;
    }
    if (s->past) s->cache->decoder.written->release(s->cache->decoder.written->user, s->past);
    s->past = NULL;
    s->computed = 0;
}

void generate_sequence_drop_from(generate_sequence *s, uint64_t end) {
    for (uint32_t g = 0; g < s->cache->kv->group_count; g++) {
        while (s->end_page[g] > s->first_page[g] && s->end_page[g] > pages_for(end))
            generate_pages_drop(s->cache->groups + g, s->tables[g][--s->end_page[g]]);
    }
}

void generate_sequence_drop_before(generate_sequence *s, uint64_t position) {
    for (uint32_t g = 0; g < s->cache->kv->group_count; g++) {
        const uint64_t keep = page_of(generate_window_start(s->cache, g, position));
        while (s->first_page[g] < s->end_page[g] && s->first_page[g] < keep) {
            generate_pages_drop(s->cache->groups + g, s->tables[g][s->first_page[g]]);
            s->tables[g][s->first_page[g]++] = GENERATE_NO_PAGE;
        }
    }
}

ondol_status generate_sequence_truncate(generate_sequence *s, uint64_t n, ondol_error *err) {
    if (n > s->length) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "truncate to %" PRIu64 " tokens: the session has %" PRIu64, n, s->length);
    }
    base_mutex_lock(s->cache->lock);
    s->length = n;
    if (s->computed > n) s->computed = n;
    if (!generate_sequence_can_go_on(s, s->computed)) generate_sequence_forget(s);
    generate_sequence_drop_from(s, s->computed);
    base_mutex_unlock(s->cache->lock);
    return ONDOL_OK;
}

/* A page of one's own with the same bytes. */
static bool copy_page(generate_sequence *s, uint32_t group, uint32_t index, ondol_error *err) {
    generate_cache *c = s->cache;
    const uint32_t page = generate_pages_take(c->groups + group);
    if (page == GENERATE_NO_PAGE) return false;
    const uint64_t bytes = c->kv->groups[group].page_bytes;
    const uint32_t old = s->tables[group][index];
    if (c->device->ops->copy(c->device, c->pools[group], page * bytes, c->pools[group], old * bytes,
                             bytes, err) != ONDOL_OK) {
        generate_pages_drop(c->groups + group, page);
        return false;
    }
    generate_pages_drop(c->groups + group, old);
    s->tables[group][index] = page;
    return true;
}

bool generate_sequence_reserve(generate_sequence *s, uint32_t group, uint64_t from, uint64_t end,
                               ondol_error *err) {
    generate_pages *pages = s->cache->groups + group;
    const uint64_t first = page_of(from);
    if (s->first_page[group] == s->end_page[group]) {
        s->first_page[group] = s->end_page[group] = (uint32_t)first;
    }
    for (uint64_t i = first; i < pages_for(end); i++) {
        if (i < s->end_page[group]) {
            const uint32_t page = s->tables[group][i];
            if (pages->holders[page] > 1 && !copy_page(s, group, (uint32_t)i, err)) return false;
            continue;
        }
        const uint32_t page = generate_pages_take(pages);
        if (page == GENERATE_NO_PAGE) return false;
        s->tables[group][s->end_page[group]++] = page;
    }
    return true;
}

void generate_sequence_share(generate_sequence *s, const generate_sequence *from, uint64_t n) {
    for (uint32_t g = 0; g < s->cache->kv->group_count; g++) {
        const uint32_t end =
            from->end_page[g] < pages_for(n) ? from->end_page[g] : (uint32_t)pages_for(n);
        s->first_page[g] = from->first_page[g] < end ? from->first_page[g] : end;
        s->end_page[g] = end;
        for (uint32_t i = s->first_page[g]; i < end; i++) {
            s->tables[g][i] = from->tables[g][i];
            generate_pages_hold(s->cache->groups + g, s->tables[g][i]);
        }
        for (uint32_t i = 0; i < s->first_page[g]; i++)
            s->tables[g][i] = GENERATE_NO_PAGE;
    }
    if (from->past)
        s->past = s->cache->decoder.written->retain(s->cache->decoder.written->user, from->past);
    s->regime = from->regime;
    s->computed = n;
}
