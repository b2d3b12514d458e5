/* SentencePiece BPE: characters, joined in the order of the scores of what they become; what is no
 * token in the end goes byte by byte. Source: Kudo & Richardson 2018; bpe_model.cc. */
#include <string.h>

#include "base/utf8.h"
#include "text/tokenizer_internal.h"

/* A number that falls as the score rises; scores are finite. */
static uint32_t spm_rank(float score) {
    uint32_t bits = 0;
    memcpy(&bits, &score, sizeof bits);
    uint32_t rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return ~rising;
}

typedef struct spm_context {
    const text_tokenizer *tok;
    const char *text;
} spm_context;

static bool spm_lookup(const void *context, const merge_symbol *left, const merge_symbol *right,
                       uint32_t *rank, uint32_t *id) {
    const spm_context *spm = context;
    *id = tokenizer_symbol(spm->tok, spm->text + left->start, (size_t)left->size + right->size);
    if (*id == MERGE_NO_SYMBOL) return false;
    *rank = spm_rank(spm->tok->scores[*id]);
    return true;
}

static ondol_status spm_chunk(encoder *e, const spm_context *spm, size_t from, size_t end) {
    const unsigned char *bytes = (const unsigned char *)spm->text;
    merge_clear(&e->merges);
    for (size_t i = from; i < end;) {
        uint32_t code = 0;
        size_t used = base_utf8_decode(bytes + i, end - i, &code);
        if (used == 0) used = 1;
        uint32_t id = tokenizer_symbol(e->tok, spm->text + i, used);
        if (!merge_push(&e->merges, id, (uint32_t)i, (uint32_t)used)) {
            return base_no_memory(e->err, "tokens", end - from);
        }
        i += used;
    }
    return encode_merged(e, spm->text, spm_lookup, spm);
}

ondol_status encode_spm(encoder *e, const char *text, size_t n, bool space_first) {
    ondol_status status = ONDOL_OK;
    TRY(encoder_escape_spaces(e, &e->text, &text, &n, space_first));
    spm_context spm = {e->tok, text};
    for (size_t from = 0; from < n;) {
        size_t end = tokenizer_chunk_end(e->tok, text, from, n);
        TRY(spm_chunk(e, &spm, from, end));
        from = end;
    }
done:
    return status;
}
