/* tokenizer.json -> text_tokenizer: the order in which its parts are built. */
#include "text/text_hugging_face.h"

#include <string.h>

#include "formats/json/json_read.h"
#include "text/hugging_face/hf_config.h"
#include "text/hugging_face/hf_read_model.h"

void hf_pipeline_destroy(hf_pipeline *hf) {
    if (!hf) return;
    for (hf_normalizer *step = hf->normalizers; step; step = step->next) {
        hf_regex_destroy(step->pattern);
        charsmap_destroy(&step->map);
    }
    for (hf_pretokenizer *step = hf->pretokenizers; step; step = step->next)
        hf_regex_destroy(step->pattern);
    for (hf_decoder *step = hf->decoders; step; step = step->next)
        hf_regex_destroy(step->pattern);
    trie_destroy(&hf->raw_tokens);
    trie_destroy(&hf->normal_tokens);
    trie_destroy(&hf->pieces);
    base_map_destroy(&hf->vocab);
    base_map_destroy(&hf->added_ids);
    base_free(hf->allocator, hf->merges);
    base_free(hf->allocator, hf->scores);
    base_arena_destroy(&hf->arena);
    base_free(hf->allocator, hf);
}

static hf_pipeline *pipeline_create(const ondol_allocator *allocator) {
    hf_pipeline *hf = base_calloc(allocator, 1, sizeof *hf);
    if (!hf) return NULL;
    hf->allocator = allocator;
    base_arena_init(&hf->arena, allocator, 0);
    base_map_init(&hf->vocab, allocator);
    base_map_init(&hf->added_ids, allocator);
    trie_init(&hf->raw_tokens, allocator);
    trie_init(&hf->normal_tokens, allocator);
    trie_init(&hf->pieces, allocator);
    return hf;
}

static ondol_status check_version(const json_t *from, ondol_error *err) {
    text_view version = {"1.0", 3};
    const ondol_status status = hf_json_text(from, NULL, "version", &version, err);
    if (status != ONDOL_OK) return status;
    if (strcmp(version.data, "1.0") == 0) return ONDOL_OK;
    return base_fail(err, ONDOL_E_UNSUPPORTED,
                     "tokenizer.json: version: expected \"1.0\", got \"%.20s\"", version.data);
}

/* The vocabulary as the parts that all tokenizers have. */
static ondol_status fill_core(text_tokenizer *tok, const hf_vocabulary *v, ondol_error *err) {
    text_spec spec;
    text_spec_init(&spec, TEXT_KIND_UNIGRAM);
    for (int i = 0; i < TEXT_SPECIAL_COUNT; i++)
        spec.special_ids[i] = TEXT_ID_NONE;
    spec.tokens = v->texts;
    spec.types = v->types;
    spec.n_tokens = v->n_ids;
    spec.add_bos = spec.add_eos = TEXT_SWITCH_OFF;
    return tokenizer_vocab_fill(tok, &spec, NULL, err);
}

static ondol_status read_all(hf_reader *r, const json_t *from, const text_hf_files *files,
                             const text_hf_options *options) {
    ondol_status status = ONDOL_OK;
    hf_vocabulary v = {.texts = NULL};
    if (!json_is_object(from)) return hf_json_wrong(NULL, from, "an object", r->err);
    TRY(check_version(from, r->err));
    TRY(hf_normalizers_read(r, from));
    TRY(hf_pretokenizers_read(r, from));
    TRY(hf_decoders_read(r, from));
    TRY(hf_model_read(r, from, &v));
    TRY(hf_added_read(r, from, &v));
    TRY(fill_core(r->tok, &v, r->err));
    TRY(hf_postprocessor_read(r, from, v.n_ids));
    TRY(hf_config_apply(r->tok, files, options, r->err));
    tokenizer_names_apply(r->tok);
    TRY(hf_model_finish(r, from));
    TRY(hf_pieces_fill(r->tok, r->err));
done:
    hf_vocabulary_destroy(r, &v);
    return status;
}

ondol_status text_tokenizer_from_json(const ondol_allocator *allocator, const text_hf_files *files,
                                      const text_hf_options *options, text_tokenizer **out,
                                      ondol_error *err) {
    ondol_status status = ONDOL_OK;
    json_t *tree = NULL;
    *out = NULL;
    text_tokenizer *tok = base_calloc(allocator, 1, sizeof *tok);
    if (!tok) return base_no_memory(err, "a tokenizer", sizeof *tok);
    tok->allocator = allocator;
    tok->kind = TEXT_KIND_PIPELINE;
    base_map_init(&tok->symbols, allocator);
    trie_init(&tok->specials, allocator);
    trie_init(&tok->words, allocator);
    tok->hf = pipeline_create(allocator);
    if (!tok->hf) {
        status = base_no_memory(err, "a tokenizer", sizeof(hf_pipeline));
        goto done;
    }
    hf_reader r = {tok->hf, tok, err};
    TRY(json_read_text(files->tokenizer.data ? files->tokenizer.data : "", files->tokenizer.size,
                       "tokenizer.json", &tree, err));
    TRY(read_all(&r, tree, files, options));
    *out = tok;
    tok = NULL;
done:
    json_decref(tree);
    text_tokenizer_destroy(tok);
    return status;
}
