/* BPE: merges of a vocabulary -> a table; a text -> words -> bytes or characters -> merged ids. */
#include "text/tokenizer_bpe.h"

#include <string.h>

#include "base/checked.h"
#include "base/os.h"
#include "base/utf8.h"
#include "text/tokenizer_internal.h"

static bpe_slot *bpe_find(const bpe_merges *merges, uint64_t pair) {
    size_t i = (size_t)(((pair ^ pair >> 32) * merges->multiplier + pair) * merges->multiplier >>
                        merges->shift);
    while (merges->slots[i].rank != UINT32_MAX && merges->slots[i].pair != pair) {
        i = (i + 1) & (merges->capacity - 1);
    }
    return &merges->slots[i];
}

/* The symbol of a text, made when there is none. Hidden tokens have none: theirs is a new one. */
static ondol_status bpe_intern(text_tokenizer *tok, const char *text, size_t n, uint32_t *id,
                               ondol_error *err) {
    *id = MERGE_NO_SYMBOL;
    if (n == 0) return ONDOL_OK;
    if (base_map_get(&tok->symbols, text, n, id)) return ONDOL_OK;
    uint64_t next = (uint64_t)tok->n_tokens + tok->merges.n_names;
    if (next >= MERGE_NO_SYMBOL || n >= UINT32_MAX) {
        return base_fail(err, ONDOL_E_LIMIT, "tokenizer: the merges name too many symbols");
    }
    char *name = base_arena_strndup(&tok->merges.names, text, n);
    if (!name || !base_map_add(&tok->symbols, name, n, (uint32_t)next, NULL, NULL)) {
        return base_no_memory(err, "the merges", n);
    }
    tok->merges.n_names++;
    tokenizer_note_symbol(tok, name, n);
    *id = (uint32_t)next;
    return ONDOL_OK;
}

/* A merge's part as the text symbols are known by; false when it can never come up. */
static bool bpe_part(const text_tokenizer *tok, text_view part, char *dst, size_t *n) {
    if (tok->byte_letters) return byte_letters_decode(part.data, part.size, dst, n);
    if (part.size) memcpy(dst, part.data, part.size);
    *n = part.size;
    return true;
}

static ondol_status bpe_add(text_tokenizer *tok, const text_merge *merge, uint32_t rank,
                            char *scratch, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint32_t left = 0;
    uint32_t right = 0;
    uint32_t joined = 0;
    size_t left_size = 0;
    size_t right_size = 0;
    if (!bpe_part(tok, merge->left, scratch, &left_size)) return ONDOL_OK;
    if (!bpe_part(tok, merge->right, scratch + left_size, &right_size)) return ONDOL_OK;
    if (left_size == 0 || right_size == 0) return ONDOL_OK;
    TRY(bpe_intern(tok, scratch, left_size, &left, err));
    TRY(bpe_intern(tok, scratch + left_size, right_size, &right, err));
    TRY(bpe_intern(tok, scratch, left_size + right_size, &joined, err));
    uint64_t pair = (uint64_t)left << 32 | right;
    bpe_slot *slot = bpe_find(&tok->merges, pair);
    if (slot->rank == UINT32_MAX) *slot = (bpe_slot){pair, rank, joined};
done:
    return status;
}

static ondol_status bpe_table(bpe_merges *merges, size_t n_merges, ondol_error *err) {
    size_t capacity = 16;
    merges->shift = 60;
    while (capacity < n_merges * 2) {
        capacity *= 2;
        merges->shift--;
    }
    merges->slots = base_alloc(merges->allocator, capacity, sizeof *merges->slots);
    if (!merges->slots) return base_no_memory(err, "the merges", capacity * sizeof(bpe_slot));
    memset(merges->slots, 0xff, capacity * sizeof *merges->slots);
    merges->capacity = capacity;
    uint64_t seed[2];
    base_random_seed(seed);
    merges->multiplier = seed[0] | 1;
    return ONDOL_OK;
}

ondol_status bpe_merges_fill(text_tokenizer *tok, const text_spec *spec, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    bpe_merges *merges = &tok->merges;
    merges->allocator = tok->allocator;
    base_arena_init(&merges->names, tok->allocator, 0);
    char *scratch = NULL;
    size_t longest = 0;
    if (spec->n_merges > INT32_MAX) {
        return base_fail(err, ONDOL_E_LIMIT, "tokenizer: %zu merges; at most 2147483647 are done",
                         spec->n_merges);
    }
    for (size_t i = 0; i < spec->n_merges; i++) {
        uint64_t size = 0;
        if (!base_add(spec->merges[i].left.size, spec->merges[i].right.size, &size) ||
            size >= UINT32_MAX) {
            return base_fail(err, ONDOL_E_LIMIT, "tokenizer: merge %zu is too long", i);
        }
        if (size > longest) longest = (size_t)size;
    }
    TRY(bpe_table(merges, spec->n_merges, err));
    scratch = base_alloc(tok->allocator, longest, 1);
    if (!scratch) {
        status = base_no_memory(err, "the merges", longest);
        goto done;
    }
    for (size_t i = 0; i < spec->n_merges; i++) {
        TRY(bpe_add(tok, &spec->merges[i], (uint32_t)i, scratch, err));
    }
    for (int byte = 0; byte < 256; byte++) {
        char text[1] = {(char)byte};
        merges->byte_symbols[byte] = tokenizer_symbol(tok, text, 1);
    }
done:
    base_free(tok->allocator, scratch);
    return status;
}

void bpe_merges_destroy(bpe_merges *merges) {
    if (!merges->allocator) return;
    base_free(merges->allocator, merges->slots);
    base_arena_destroy(&merges->names);
    *merges = (bpe_merges){.allocator = NULL};
}

static bool bpe_lookup(const void *context, const merge_symbol *left, const merge_symbol *right,
                       uint32_t *rank, uint32_t *id) {
    const bpe_merges *merges = context;
    if (left->id == MERGE_NO_SYMBOL || right->id == MERGE_NO_SYMBOL) return false;
    const bpe_slot *slot = bpe_find(merges, (uint64_t)left->id << 32 | right->id);
    *rank = slot->rank;
    *id = slot->id;
    return slot->rank != UINT32_MAX;
}

/* Characters of text[from..to) as symbols, joined and put. */
static ondol_status bpe_characters(encoder *e, const char *text, size_t from, size_t to) {
    const unsigned char *bytes = (const unsigned char *)text;
    merge_clear(&e->merges);
    for (size_t i = from; i < to;) {
        uint32_t code = 0;
        size_t used = base_utf8_decode(bytes + i, to - i, &code);
        if (used == 0) used = 1;
        uint32_t id = tokenizer_symbol(e->tok, text + i, used);
        if (!merge_push(&e->merges, id, (uint32_t)i, (uint32_t)used)) {
            return base_no_memory(e->err, "tokens", to - from);
        }
        i += used;
    }
    return encode_merged(e, text, bpe_lookup, &e->tok->merges);
}

static ondol_status bpe_bytes(encoder *e, const char *text, size_t from, size_t to) {
    const uint32_t *symbols = e->tok->merges.byte_symbols;
    merge_clear(&e->merges);
    for (size_t i = from; i < to; i++) {
        if (!merge_push(&e->merges, symbols[(unsigned char)text[i]], (uint32_t)i, 1)) {
            return base_no_memory(e->err, "tokens", to - from);
        }
    }
    return encode_merged(e, text, bpe_lookup, &e->tok->merges);
}

static ondol_status bpe_word(encoder *e, const char *text, size_t from, size_t to) {
    const text_tokenizer *tok = e->tok;
    bool whole = tok->ignore_merges;
    if (tok->newline_runs && text[from] == '\n') whole = true;
    if (whole) {
        uint32_t id = tokenizer_symbol(tok, text + from, to - from);
        if (id < tok->n_tokens) {
            encoder_put(e, (int32_t)id);
            return ONDOL_OK;
        }
    }
    if (tok->byte_letters) return bpe_bytes(e, text, from, to);
    ondol_status status = ONDOL_OK;
    while (from < to && status == ONDOL_OK) {
        size_t end = tokenizer_chunk_end(tok, text, from, to);
        status = bpe_characters(e, text, from, end);
        from = end;
    }
    return status;
}

static ondol_status bpe_words(encoder *e, const char *text, size_t n) {
    ondol_status status = ONDOL_OK;
    TRY(pretokenizer_split(&e->words, text, n, e->err));
    size_t from = 0;
    for (size_t i = 0; i < e->words.n_ends; i++) {
        TRY(bpe_word(e, text, from, e->words.ends[i]));
        from = e->words.ends[i];
    }
done:
    return status;
}

ondol_status encode_bpe(encoder *e, const char *text, size_t n) {
    ondol_status status = ONDOL_OK;
    TRY(encoder_valid_utf8(e, &e->other, &text, &n));
    if (e->tok->escape_whitespaces) {
        TRY(encoder_escape_spaces(e, &e->text, &text, &n, false));
    }
    if (e->tok->drop_whitespace) return encode_bpe_segments(e, text, n, bpe_words);
    if (e->tok->dna_kmers) return encode_bpe_dna(e, text, n, bpe_words);
    TRY(bpe_words(e, text, n));
done:
    return status;
}
