/* The automaton's tables: stacks, configurations and states, equal ones once; and emptying them. */
#include <string.h>

#include "text/grammar/grammar_automaton.h"

static uint64_t mix(uint64_t h, uint64_t value) {
    h = (h ^ value) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

static uint64_t stack_hash(const grammar_automaton *a, uint32_t node, uint32_t parent) {
    return mix(mix(a->seed, node), parent);
}

static uint64_t config_hash(const grammar_automaton *a, const grammar_config *c) {
    return mix(mix(mix(a->seed, c->node), c->set), c->stack);
}

static uint64_t configs_hash(const grammar_automaton *a, const grammar_config *c, size_t n) {
    uint64_t h = a->seed;
    for (size_t i = 0; i < n; i++)
        h = mix(mix(h, (uint64_t)c[i].node << 32 | c[i].stack), c[i].set);
    return h;
}

static void table_put(grammar_table *t, uint64_t hash, uint32_t number) {
    size_t at = hash & (t->capacity - 1);
    while (t->slots[at] != 0)
        at = (at + 1) & (t->capacity - 1);
    t->slots[at] = number + 1;
}

/* Room for n numbers at half load. *grown: the table is empty now and must be filled again. */
static bool table_reserve(const ondol_allocator *allocator, grammar_table *t, size_t n,
                          bool *grown) {
    *grown = false;
    if (2 * n <= t->capacity) return true;
    size_t capacity = t->capacity ? t->capacity : 64;
    while (capacity < 4 * n)
        capacity *= 2;
    uint32_t *slots = base_calloc(allocator, capacity, sizeof *slots);
    if (!slots) return false;
    base_free(allocator, t->slots);
    *t = (grammar_table){slots, capacity};
    *grown = true;
    return true;
}

static void table_empty(grammar_table *t) {
    if (t->slots) memset(t->slots, 0, t->capacity * sizeof *t->slots);
}

static void fill_stacks(grammar_automaton *a) {
    for (size_t i = 1; i < a->n_stacks; i++) {
        const grammar_stack *s = &a->stacks[i];
        table_put(&a->stack_table, stack_hash(a, s->node, s->parent), (uint32_t)i);
    }
}

ondol_status grammar_stack_intern(grammar_automaton *a, uint32_t node, uint32_t parent,
                                  uint32_t *out, ondol_error *err) {
    bool grown = false;
    if (!table_reserve(a->allocator, &a->stack_table, a->n_stacks + 1, &grown))
        return base_no_memory(err, "a grammar's stacks", a->n_stacks * 8);
    if (grown) fill_stacks(a);
    const grammar_table *t = &a->stack_table;
    const uint64_t hash = stack_hash(a, node, parent);
    for (size_t at = hash & (t->capacity - 1); t->slots[at]; at = (at + 1) & (t->capacity - 1)) {
        const grammar_stack *s = &a->stacks[t->slots[at] - 1];
        if (s->node != node || s->parent != parent) continue;
        *out = t->slots[at] - 1;
        return ONDOL_OK;
    }
    const uint32_t depth = a->stacks[parent].depth + 1;
    if (depth > GRAMMAR_DEPTH_MAX)
        return base_fail(err, ONDOL_E_LIMIT, "grammar: rules within rules over %u deep",
                         GRAMMAR_DEPTH_MAX);
    grammar_stack *stacks =
        grammar_grow(a->allocator, a->stacks, &a->stack_capacity, a->n_stacks + 1, sizeof *stacks);
    if (!stacks) return base_no_memory(err, "a grammar's stacks", a->n_stacks * sizeof *stacks);
    a->stacks = stacks;
    *out = (uint32_t)a->n_stacks++;
    stacks[*out] = (grammar_stack){node, parent, depth};
    table_put(&a->stack_table, hash, *out);
    return ONDOL_OK;
}

void grammar_seen_clear(grammar_automaton *a) {
    /* A large table is emptied slot by slot where few are in use. */
    grammar_table *t = &a->seen_table;
    if (a->n_seen * 8 > t->capacity) {
        table_empty(t);
    } else {
        for (size_t i = 0; i < a->n_seen; i++) {
            size_t at = config_hash(a, &a->seen[i]) & (t->capacity - 1);
            for (; t->slots[at] != 0; at = (at + 1) & (t->capacity - 1))
                t->slots[at] = 0;
        }
    }
    a->n_seen = a->n_found = 0;
}

ondol_status grammar_seen_add(grammar_automaton *a, grammar_config config, ondol_error *err) {
    bool grown = false;
    if (!table_reserve(a->allocator, &a->seen_table, a->n_seen + 1, &grown))
        return base_no_memory(err, "a grammar's places", a->n_seen * 8);
    grammar_table *t = &a->seen_table;
    for (size_t i = 0; grown && i < a->n_seen; i++)
        table_put(t, config_hash(a, &a->seen[i]), (uint32_t)i);
    const uint64_t hash = config_hash(a, &config);
    for (size_t at = hash & (t->capacity - 1); t->slots[at]; at = (at + 1) & (t->capacity - 1)) {
        const grammar_config *c = &a->seen[t->slots[at] - 1];
        if (c->node == config.node && c->set == config.set && c->stack == config.stack)
            return ONDOL_OK;
    }
    if (a->budget == 0 || a->n_seen >= GRAMMAR_SEEN_MAX)
        return base_fail(err, ONDOL_E_LIMIT, "grammar: too ambiguous to follow");
    grammar_config *seen =
        grammar_grow(a->allocator, a->seen, &a->seen_capacity, a->n_seen + 1, sizeof *seen);
    if (!seen) return base_no_memory(err, "a grammar's places", a->n_seen * sizeof *seen);
    a->seen = seen;
    a->budget--;
    table_put(t, hash, (uint32_t)a->n_seen);
    seen[a->n_seen++] = config;
    return ONDOL_OK;
}

static bool config_less(const grammar_config *x, const grammar_config *y) {
    if (x->node != y->node) return x->node < y->node;
    if (x->set != y->set) return x->set < y->set;
    return x->stack < y->stack;
}

/* Shell sort with Ciura's gaps, extended. */
static void sort_configs(grammar_config *c, size_t n) {
    static const size_t gaps[] = {17961, 7983, 3548, 1577, 701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof gaps[0]; g++) {
        for (size_t i = gaps[g]; i < n; i++) {
            const grammar_config value = c[i];
            size_t j = i;
            for (; j >= gaps[g] && config_less(&value, &c[j - gaps[g]]); j -= gaps[g])
                c[j] = c[j - gaps[g]];
            c[j] = value;
        }
    }
}

/* Room for one more state of n configurations. */
static bool reserve_state(grammar_automaton *a, size_t n) {
    const size_t n_classes = a->grammar->n_classes;
    grammar_config *configs = grammar_grow(a->allocator, a->configs, &a->config_capacity,
                                           a->n_configs + n, sizeof *configs);
    if (!configs) return false;
    a->configs = configs;
    grammar_state *states =
        grammar_grow(a->allocator, a->states, &a->state_capacity, a->n_states + 1, sizeof *states);
    if (!states) return false;
    a->states = states;
    uint32_t *steps = grammar_grow(a->allocator, a->steps, &a->step_capacity,
                                   (a->n_states + 1) * n_classes, sizeof *steps);
    if (!steps) return false;
    a->steps = steps;
    return true;
}

static void fill_states(grammar_automaton *a) {
    for (size_t i = GRAMMAR_STATE_START; i < a->n_states; i++)
        table_put(&a->state_table, a->states[i].hash, (uint32_t)i);
}

static void add_state(grammar_automaton *a, uint64_t hash) {
    const size_t n_classes = a->grammar->n_classes;
    grammar_state state = {hash, (uint32_t)a->n_configs, (uint32_t)a->n_found, NULL, false, false};
    for (size_t i = 0; i < a->n_found; i++) {
        const uint32_t node = a->found[i].node;
        if (node == GRAMMAR_NONE) {
            state.complete = true;
        } else if (a->grammar->nodes[node].kind != GRAMMAR_NODE_SET) {
            state.has_tokens = true;
        }
        a->configs[a->n_configs++] = a->found[i];
    }
    memset(a->steps + a->n_states * n_classes, 0, n_classes * sizeof *a->steps);
    a->states[a->n_states++] = state;
}

ondol_status grammar_state_intern(grammar_automaton *a, uint32_t *out, ondol_error *err) {
    bool grown = false;
    const size_t n = a->n_found;
    *out = GRAMMAR_STATE_DEAD;
    if (n == 0) return ONDOL_OK;
    if (!table_reserve(a->allocator, &a->state_table, a->n_states + 1, &grown))
        return base_no_memory(err, "a grammar's states", a->n_states * 8);
    if (grown) fill_states(a);
    sort_configs(a->found, n);
    const uint64_t hash = configs_hash(a, a->found, n);
    const grammar_table *t = &a->state_table;
    for (size_t at = hash & (t->capacity - 1); t->slots[at]; at = (at + 1) & (t->capacity - 1)) {
        const grammar_state *s = &a->states[t->slots[at] - 1];
        if (s->hash != hash || s->n_configs != n) continue;
        if (memcmp(a->configs + s->first_config, a->found, n * sizeof *a->found) != 0) continue;
        *out = t->slots[at] - 1;
        return ONDOL_OK;
    }
    if (!reserve_state(a, n))
        return base_no_memory(err, "a grammar's states", grammar_tables_bytes(a));
    *out = (uint32_t)a->n_states;
    add_state(a, hash);
    table_put(&a->state_table, hash, *out);
    return ONDOL_OK;
}

size_t grammar_tables_bytes(const grammar_automaton *a) {
    const size_t mask_bytes = (a->vocabulary->n_tokens + 31) / 32 * sizeof(uint32_t);
    return a->n_states * (sizeof(grammar_state) + a->grammar->n_classes * sizeof(uint32_t)) +
           a->n_stacks * sizeof(grammar_stack) + a->n_configs * sizeof(grammar_config) +
           a->n_masks * mask_bytes;
}

void grammar_tables_destroy(grammar_automaton *a) {
    for (size_t i = 0; i < a->n_states; i++)
        base_free(a->allocator, a->states[i].mask);
    base_free(a->allocator, a->stacks);
    base_free(a->allocator, a->stack_table.slots);
    base_free(a->allocator, a->configs);
    base_free(a->allocator, a->states);
    base_free(a->allocator, a->steps);
    base_free(a->allocator, a->state_table.slots);
    base_free(a->allocator, a->seen);
    base_free(a->allocator, a->found);
    base_free(a->allocator, a->seen_table.slots);
}

/* ---- emptying ---- */

/* new_states[i] != 0: state i stays. They move down in place, and their stacks are marked. */
static void keep_states(grammar_automaton *a, uint32_t *new_states, uint32_t *new_stacks) {
    size_t n_states = GRAMMAR_STATE_START, n_configs = 0;
    for (size_t i = GRAMMAR_STATE_START; i < a->n_states; i++) {
        grammar_state state = a->states[i];
        if (!new_states[i]) {
            if (state.mask) a->n_masks--;
            base_free(a->allocator, state.mask);
            continue;
        }
        const grammar_config *from = a->configs + state.first_config;
        for (size_t k = 0; k < state.n_configs; k++)
            new_stacks[from[k].stack] = 1;
        memmove(a->configs + n_configs, from, state.n_configs * sizeof *from);
        state.first_config = (uint32_t)n_configs;
        n_configs += state.n_configs;
        new_states[i] = (uint32_t)n_states;
        a->states[n_states++] = state;
    }
    a->n_states = n_states;
    a->n_configs = n_configs;
}

/* Parents have lower numbers: one pass down marks them, one pass up moves what stays. Numbers keep
 * their order, so configurations stay sorted. */
static void keep_stacks(grammar_automaton *a, uint32_t *new_stacks) {
    size_t n_stacks = 1;
    for (size_t i = a->n_stacks - 1; i > 0; i--) {
        if (new_stacks[i]) new_stacks[a->stacks[i].parent] = 1;
    }
    new_stacks[0] = 0;
    for (size_t i = 1; i < a->n_stacks; i++) {
        if (!new_stacks[i]) continue;
        grammar_stack stack = a->stacks[i];
        stack.parent = new_stacks[stack.parent];
        new_stacks[i] = (uint32_t)n_stacks;
        a->stacks[n_stacks++] = stack;
    }
    a->n_stacks = n_stacks;
}

static void rebuild(grammar_automaton *a, const uint32_t *new_stacks) {
    for (size_t i = 0; i < a->n_configs; i++)
        a->configs[i].stack = new_stacks[a->configs[i].stack];
    for (size_t i = GRAMMAR_STATE_START; i < a->n_states; i++) {
        grammar_state *s = &a->states[i];
        s->hash = configs_hash(a, a->configs + s->first_config, s->n_configs);
    }
    memset(a->steps, 0, a->n_states * a->grammar->n_classes * sizeof *a->steps);
    table_empty(&a->stack_table);
    table_empty(&a->state_table);
    fill_stacks(a);
    fill_states(a);
}

ondol_status grammar_automaton_collect(grammar_automaton *a, ondol_error *err) {
    uint32_t *new_states = base_calloc(a->allocator, a->n_states + a->n_stacks, sizeof(uint32_t));
    if (!new_states)
        return base_no_memory(err, "a grammar's tables", (a->n_states + a->n_stacks) * 4);
    uint32_t *new_stacks = new_states + a->n_states;
    new_states[GRAMMAR_STATE_START] = 1;
    for (const text_grammar_matcher *m = a->matchers; m; m = m->next)
        new_states[m->state] = 1;
    for (size_t i = 0; i < a->n_walk; i++)
        new_states[a->walk[i]] = 1;
    keep_states(a, new_states, new_stacks);
    new_states[GRAMMAR_STATE_UNKNOWN] = GRAMMAR_STATE_UNKNOWN;
    new_states[GRAMMAR_STATE_DEAD] = GRAMMAR_STATE_DEAD;
    keep_stacks(a, new_stacks);
    rebuild(a, new_stacks);
    for (text_grammar_matcher *m = a->matchers; m; m = m->next)
        m->state = new_states[m->state];
    for (size_t i = 0; i < a->n_walk; i++)
        a->walk[i] = new_states[a->walk[i]];
    base_free(a->allocator, new_states);
    if (grammar_tables_bytes(a) > a->cache_bytes)
        return base_fail(err, ONDOL_E_LIMIT, "grammar: places in use need over %zu bytes",
                         a->cache_bytes);
    return ONDOL_OK;
}
