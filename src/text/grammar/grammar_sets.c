/* Sets of characters -> automata over the bytes of UTF-8, equal states shared. */
#include <string.h>

#include "base/utf8.h"
#include "text/grammar/grammar_internal.h"

struct grammar_set_builder {
    grammar_sets *sets;
    base_arena *arena;
    base_map known;            /* edges of a state -> the state */
    grammar_edge open[4][256]; /* the state being filled at each depth */
    size_t n_open[4];
};

void *grammar_grow(const ondol_allocator *a, void *items, size_t *capacity, size_t need,
                   size_t size) {
    if (need <= *capacity) return items;
    size_t wanted = *capacity < 8 ? 16 : *capacity * 2;
    if (wanted < need) wanted = need;
    void *grown = base_alloc(a, wanted, size);
    if (!grown) return NULL;
    if (items) memcpy(grown, items, *capacity * size);
    base_free(a, items);
    *capacity = wanted;
    return grown;
}

grammar_set_builder *grammar_set_builder_create(grammar_sets *sets, base_arena *arena) {
    grammar_set_builder *b = base_calloc(sets->allocator, 1, sizeof *b);
    if (!b) return NULL;
    b->sets = sets;
    b->arena = arena;
    base_map_init(&b->known, sets->allocator);
    return b;
}

void grammar_set_builder_destroy(grammar_set_builder *b) {
    if (!b) return;
    const ondol_allocator *a = b->sets->allocator;
    base_map_destroy(&b->known);
    base_free(a, b);
}

void grammar_sets_destroy(grammar_sets *sets) {
    base_free(sets->allocator, sets->states);
    base_free(sets->allocator, sets->edges);
}

/* The state with these edges. False: no memory. */
static bool intern_state(grammar_set_builder *b, const grammar_edge *edges, size_t n,
                         uint32_t *out) {
    grammar_sets *sets = b->sets;
    const size_t bytes = n * sizeof *edges;
    if (base_map_get(&b->known, (const char *)edges, bytes, out)) return true;
    grammar_edge *all = grammar_grow(sets->allocator, sets->edges, &sets->edge_capacity,
                                     sets->n_edges + n, sizeof *all);
    if (!all) return false;
    sets->edges = all;
    grammar_set_state *states = grammar_grow(sets->allocator, sets->states, &sets->state_capacity,
                                             sets->n_states + 1, sizeof *states);
    if (!states) return false;
    sets->states = states;
    char *key = base_arena_strndup(b->arena, (const char *)edges, bytes);
    if (!key) return false;
    const uint32_t id = (uint32_t)sets->n_states;
    if (!base_map_put(&b->known, key, bytes, id)) return false;
    memcpy(all + sets->n_edges, edges, bytes);
    states[id] = (grammar_set_state){(uint32_t)sets->n_edges, (uint32_t)n};
    sets->n_edges += n;
    sets->n_states++;
    *out = id;
    return true;
}

/* Closes the open states deeper than `depth`: each becomes the target of the last edge above. */
static bool close_below(grammar_set_builder *b, size_t depth) {
    for (size_t d = 3; d > depth; d--) {
        if (b->n_open[d] == 0) continue;
        uint32_t id = 0;
        if (!intern_state(b, b->open[d], b->n_open[d], &id)) return false;
        b->n_open[d] = 0;
        b->open[d - 1][b->n_open[d - 1] - 1].target = id;
    }
    return true;
}

/* Adds the strings low[0..n) to high[0..n), byte for byte; they ascend from call to call. */
static bool add_sequence(grammar_set_builder *b, const unsigned char *low,
                         const unsigned char *high, size_t n) {
    size_t shared = 0;
    while (shared + 1 < n && b->n_open[shared] > 0) {
        const grammar_edge *last = &b->open[shared][b->n_open[shared] - 1];
        if (last->low != low[shared] || last->high != high[shared]) break;
        shared++;
    }
    if (!close_below(b, shared)) return false;
    for (size_t d = shared; d < n; d++) {
        grammar_edge *edge = &b->open[d][b->n_open[d]++];
        *edge = (grammar_edge){low[d], high[d], GRAMMAR_NONE};
    }
    return true;
}

/* Adds a range of code points without surrogates and of one length in UTF-8, in as many sequences
 * as its bytes ask for (Thompson's splitting, as in RE2). */
static bool add_range(grammar_set_builder *b, grammar_code_range whole) {
    grammar_code_range todo[16];
    size_t n = 0;
    todo[n++] = whole;
    while (n > 0) {
        grammar_code_range r = todo[--n];
        bool cut = false;
        for (unsigned i = 1; i < 4 && r.high > 0x7f && !cut; i++) {
            const uint32_t tail = ((uint32_t)1 << (6 * i)) - 1;
            if ((r.low & ~tail) == (r.high & ~tail)) break;
            if ((r.low & tail) != 0) {
                todo[n++] = (grammar_code_range){(r.low | tail) + 1, r.high};
                todo[n++] = (grammar_code_range){r.low, r.low | tail};
                cut = true;
            } else if ((r.high & tail) != tail) {
                todo[n++] = (grammar_code_range){r.high & ~tail, r.high};
                todo[n++] = (grammar_code_range){r.low, (r.high & ~tail) - 1};
                cut = true;
            }
        }
        if (cut) continue;
        unsigned char low[4], high[4];
        const size_t size = base_utf8_encode(r.low, low);
        base_utf8_encode(r.high, high);
        if (!add_sequence(b, low, high, size)) return false;
    }
    return true;
}

/* Splits at the lengths of UTF-8 and leaves the surrogates out. */
static bool add_lengths(grammar_set_builder *b, grammar_code_range r) {
    static const grammar_code_range parts[] = {
        {0, 0x7f}, {0x80, 0x7ff}, {0x800, 0xd7ff}, {0xe000, 0xffff}, {0x10000, GRAMMAR_CODE_MAX}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const uint32_t low = r.low > parts[i].low ? r.low : parts[i].low;
        const uint32_t high = r.high < parts[i].high ? r.high : parts[i].high;
        if (low <= high && !add_range(b, (grammar_code_range){low, high})) return false;
    }
    return true;
}

/* Shell sort: sets are short, and the C library's qsort may allocate. */
static void sort_ranges(grammar_code_range *ranges, size_t n) {
    for (size_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (size_t i = gap; i < n; i++) {
            const grammar_code_range r = ranges[i];
            size_t j = i;
            for (; j >= gap && ranges[j - gap].low > r.low; j -= gap)
                ranges[j] = ranges[j - gap];
            ranges[j] = r;
        }
    }
}

/* Joins what overlaps or touches; returns how many are left. */
static size_t merge_ranges(grammar_code_range *ranges, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && ranges[i].low <= ranges[kept - 1].high + 1) {
            if (ranges[i].high > ranges[kept - 1].high) ranges[kept - 1].high = ranges[i].high;
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    return kept;
}

static bool add_complement(grammar_set_builder *b, const grammar_code_range *ranges, size_t n) {
    uint32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (ranges[i].low > next && !add_lengths(b, (grammar_code_range){next, ranges[i].low - 1}))
            return false;
        next = ranges[i].high + 1;
    }
    return next > GRAMMAR_CODE_MAX || add_lengths(b, (grammar_code_range){next, GRAMMAR_CODE_MAX});
}

bool grammar_set_add(grammar_set_builder *b, grammar_code_range *ranges, size_t n, bool negated,
                     uint32_t *start) {
    *start = GRAMMAR_NONE;
    memset(b->n_open, 0, sizeof b->n_open);
    sort_ranges(ranges, n);
    n = merge_ranges(ranges, n);
    if (negated) {
        if (!add_complement(b, ranges, n)) return false;
    } else {
        for (size_t i = 0; i < n; i++) {
            if (!add_lengths(b, ranges[i])) return false;
        }
    }
    if (b->n_open[0] == 0) return true;
    return close_below(b, 0) && intern_state(b, b->open[0], b->n_open[0], start);
}
