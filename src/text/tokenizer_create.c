/* text_spec -> text_tokenizer: the order in which the parts are built, and its small questions. */
#include <string.h>

#include "text/hugging_face/hf_pipeline.h"
#include "text/tokenizer_internal.h"

void tokenizer_note_symbol(text_tokenizer *tok, const char *text, size_t n) {
    if (n > tok->symbol_bytes_max) tok->symbol_bytes_max = n;
    for (size_t i = 1; i + ESCAPED_SPACE_BYTES <= n; i++) {
        if (memcmp(text + i, ESCAPED_SPACE, ESCAPED_SPACE_BYTES) == 0) {
            tok->before_space[(unsigned char)text[i - 1]] = true;
        }
    }
}

/* True for a token that stands for one byte by its number and for no text. */
static bool create_is_byte(const text_tokenizer *tok, size_t id) {
    return tok->flags[id] & TOKEN_BYTE && byte_token_value(pool_at(&tok->texts, id)) >= 0;
}

/* Texts that merges can reach. */
static ondol_status create_symbols(text_tokenizer *tok, ondol_error *err) {
    if (!base_map_reserve(&tok->symbols, tok->n_tokens)) {
        return base_no_memory(err, "the vocabulary", tok->n_tokens);
    }
    for (size_t id = 0; id < tok->n_tokens; id++) {
        text_view text = pool_at(&tok->texts, id);
        if (text.size == 0 || tok->flags[id] & TOKEN_HIDDEN || create_is_byte(tok, id)) continue;
        if (tok->byte_letters) {
            size_t n = 0;
            bool letters = byte_letters_decode(text.data, text.size, NULL, &n);
            if (!letters && !tokenizer_is_kmer(tok, text)) continue;
            if (letters) text = pool_at(&tok->pieces, id);
        }
        tokenizer_note_symbol(tok, text.data, text.size);
        if (!base_map_add(&tok->symbols, text.data, text.size, (uint32_t)id, NULL, NULL)) {
            return base_no_memory(err, "the vocabulary", tok->n_tokens);
        }
    }
    return ONDOL_OK;
}

static ondol_status create_specials(text_tokenizer *tok, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    for (size_t id = 0; id < tok->n_tokens; id++) {
        if (!(tok->flags[id] & TOKEN_SPECIAL)) continue;
        text_view text = pool_at(&tok->texts, id);
        TRY(trie_add(&tok->specials, text.data, text.size, (int32_t)id, err));
    }
done:
    return status;
}

/* What WordPiece, Unigram, RWKV and PLaMo-2 match against a text. */
static ondol_status create_words(text_tokenizer *tok, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const string_pool *pool = tok->kind == TEXT_KIND_RWKV ? &tok->pieces : &tok->texts;
    float lowest = 0.0f;
    bool any = false;
    for (size_t id = 0; id < tok->n_tokens; id++) {
        if (tok->flags[id] & TOKEN_HIDDEN || create_is_byte(tok, id)) continue;
        if (tok->flags[id] & TOKEN_NORMAL && (!any || tok->scores[id] < lowest)) {
            lowest = tok->scores[id];
            any = true;
        }
        text_view text = pool_at(pool, id);
        TRY(trie_add(&tok->words, text.data, text.size, (int32_t)id, err));
    }
    tok->unknown_score = (double)(lowest - 10.0f); /* SentencePiece's kUnkPenalty */
done:
    return status;
}

static ondol_status create_bpe(text_tokenizer *tok, const text_spec *spec,
                               const pretokenizer_row *row, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    TRY(bpe_merges_fill(tok, spec, err));
    TRY(pretokenizer_create(tok->allocator, row, &tok->pre, err));
    if (tok->dna_kmers) {
        tok->dna_open = text_token_find(tok, "<dna>", 5);
        tok->dna_close = text_token_find(tok, "</dna>", 6);
        tok->dna_unknown = text_token_find(tok, "<oov>", 5);
        tok->dna_kmers = tok->dna_open >= 0 && tok->dna_close >= 0 && tok->dna_unknown >= 0;
    }
done:
    return status;
}

static ondol_status create_fill(text_tokenizer *tok, const text_spec *spec,
                                const pretokenizer_row *row, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    TRY(tokenizer_vocab_fill(tok, spec, row, err));
    tokenizer_names_apply(tok);
    TRY(tokenizer_pieces_fill(tok, err));
    TRY(create_symbols(tok, err));
    TRY(create_specials(tok, err));
    if (tok->kind == TEXT_KIND_BPE) {
        TRY(create_bpe(tok, spec, row, err));
    } else if (tok->kind != TEXT_KIND_SPM) {
        TRY(create_words(tok, err));
    }
    if (tok->kind == TEXT_KIND_UNIGRAM && spec->charsmap.size > 0) {
        TRY(charsmap_read(tok->allocator, spec->charsmap, &tok->normalizer, err));
    }
done:
    return status;
}

ondol_status text_tokenizer_create(const ondol_allocator *allocator, const text_spec *spec,
                                   text_tokenizer **out, ondol_error *err) {
    *out = NULL;
    if (spec->kind <= TEXT_KIND_NONE || spec->kind >= TEXT_KIND_COUNT) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "tokenizer: the file has none (it says 'none' or 'no_vocab'); text needs "
                         "one, ids do not");
    }
    const pretokenizer_row *row = NULL;
    if (spec->kind == TEXT_KIND_BPE) {
        row = pretokenizer_find(spec->pretokenizer.data, spec->pretokenizer.size);
        if (!row) {
            int size = spec->pretokenizer.size < 100 ? (int)spec->pretokenizer.size : 100;
            return base_fail(err, ONDOL_E_UNSUPPORTED,
                             "tokenizer: pre-tokenizer '%.*s' is not known", size,
                             spec->pretokenizer.data);
        }
    }
    text_tokenizer *tok = base_calloc(allocator, 1, sizeof *tok);
    if (!tok) return base_no_memory(err, "a tokenizer", sizeof *tok);
    tok->allocator = allocator;
    tok->kind = spec->kind;
    base_map_init(&tok->symbols, allocator);
    trie_init(&tok->specials, allocator);
    trie_init(&tok->words, allocator);
    ondol_status status = create_fill(tok, spec, row, err);
    if (status != ONDOL_OK) {
        text_tokenizer_destroy(tok);
        return status;
    }
    *out = tok;
    return ONDOL_OK;
}

void text_tokenizer_destroy(text_tokenizer *tok) {
    if (!tok) return;
    const ondol_allocator *allocator = tok->allocator;
    hf_pipeline_destroy(tok->hf);
    charsmap_destroy(&tok->normalizer);
    pretokenizer_destroy(tok->pre);
    bpe_merges_destroy(&tok->merges);
    trie_destroy(&tok->words);
    trie_destroy(&tok->specials);
    base_map_destroy(&tok->symbols);
    base_free(allocator, tok->flags);
    base_free(allocator, tok->scores);
    base_free(allocator, tok->pieces.offsets);
    base_free(allocator, tok->pieces.bytes);
    base_free(allocator, tok->texts.offsets);
    base_free(allocator, tok->texts.bytes);
    base_free(allocator, tok);
}

/* ---- questions ---- */

static bool token_exists(const text_tokenizer *tok, int32_t id) {
    return id >= 0 && (size_t)id < tok->n_tokens;
}

text_kind text_tokenizer_kind(const text_tokenizer *tok) {
    return tok->kind;
}

size_t text_token_count(const text_tokenizer *tok) {
    return tok->n_tokens;
}

int32_t text_token_special(const text_tokenizer *tok, text_special role) {
    return (unsigned)role < TEXT_SPECIAL_COUNT ? tok->special_ids[role] : -1;
}

bool text_token_is_end(const text_tokenizer *tok, int32_t id) {
    return token_exists(tok, id) && tok->flags[id] & TOKEN_ENDS;
}

bool text_token_is_control(const text_tokenizer *tok, int32_t id) {
    return token_exists(tok, id) && tok->flags[id] & TOKEN_HIDDEN;
}

unsigned text_token_types(const text_tokenizer *tok, int32_t id) {
    return token_exists(tok, id) ? tok->flags[id] & TOKEN_TYPES : 0;
}

text_view text_token_text(const text_tokenizer *tok, int32_t id) {
    if (!token_exists(tok, id)) return (text_view){"", 0};
    return pool_at(&tok->texts, (size_t)id);
}

bool text_tokenizer_adds_bos(const text_tokenizer *tok) {
    return tok->add_bos && tok->special_ids[TEXT_BOS] >= 0;
}

bool text_tokenizer_adds_eos(const text_tokenizer *tok) {
    return tok->add_eos && tok->special_ids[TEXT_EOS] >= 0;
}

static int32_t find_special(const text_tokenizer *tok, const char *text, size_t size) {
    uint32_t node = TRIE_ROOT;
    if (size == 0 || tok->specials.n_nodes == 0) return -1;
    for (size_t i = 0; i < size; i++) {
        node = trie_step(&tok->specials, node, (unsigned char)text[i]);
        if (node == TRIE_NO_NODE) return -1;
    }
    return trie_value(&tok->specials, node);
}

static int32_t find_in_pipeline(const hf_pipeline *hf, const char *text, size_t size) {
    uint32_t found = 0;
    if (base_map_get(&hf->added_ids, text, size, &found)) return hf->added[found].id;
    return base_map_get(&hf->vocab, text, size, &found) ? (int32_t)found : -1;
}

int32_t text_token_find(const text_tokenizer *tok, const char *text, size_t size) {
    if (tok->hf) return find_in_pipeline(tok->hf, text, size);
    int32_t special = find_special(tok, text, size);
    if (special >= 0 || size == 0) return special;
    char bytes[TRIE_STRING_MAX];
    if (tok->byte_letters) {
        if (size > sizeof bytes || !byte_letters_decode(text, size, bytes, &size)) return -1;
        text = bytes;
    }
    uint32_t id = tokenizer_symbol(tok, text, size);
    if (id < tok->n_tokens) return (int32_t)id;
    int byte = byte_token_value((text_view){text, size});
    return byte >= 0 ? tok->byte_ids[byte] : -1;
}
