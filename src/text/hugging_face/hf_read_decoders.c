/* Decoders of a tokenizer.json. In: jansson's tree. Out: a list of steps. */
#include <string.h>

#include "formats/json/json_read.h"
#include "text/hugging_face/hf_pipeline.h"

#define STEPS_MAX 1000

typedef struct decoder_reader {
    hf_reader *r;
    size_t count;
    hf_decoder *last;
} decoder_reader;

/* The text of a member, or `habit` when there is none. */
static ondol_status read_text(hf_reader *r, const json_t *from, const hf_place *at,
                              const char *name, const char *habit, text_view *out) {
    text_view text = {habit, strlen(habit)};
    const ondol_status status = hf_json_text(from, at, name, &text, r->err);
    return status == ONDOL_OK ? hf_copy_text(r, text, out) : status;
}

static ondol_status read_metaspace(hf_reader *r, const json_t *from, const hf_place *at,
                                   hf_decoder *step) {
    ondol_status status = ONDOL_OK;
    text_view scheme = {NULL, 0};
    bool prefix_space = true;
    step->character = 0x2581;
    TRY(hf_json_character(from, at, "replacement", &step->character, r->err));
    TRY(hf_json_text(from, at, "prepend_scheme", &scheme, r->err));
    TRY(hf_json_bool(from, at, "add_prefix_space", &prefix_space, r->err));
    step->keeps_first = !prefix_space || (scheme.data && strcmp(scheme.data, "never") == 0);
done:
    return status;
}

static ondol_status read_strip(hf_reader *r, const json_t *from, const hf_place *at,
                               hf_decoder *step) {
    ondol_status status = ONDOL_OK;
    int64_t start = 0, stop = 0;
    step->character = ' ';
    TRY(hf_json_character(from, at, "content", &step->character, r->err));
    TRY(hf_json_integer(from, at, "start", 0, INT32_MAX, &start, r->err));
    TRY(hf_json_integer(from, at, "stop", 0, INT32_MAX, &stop, r->err));
    step->start = (size_t)start;
    step->stop = (size_t)stop;
done:
    return status;
}

static ondol_status read_fields(hf_reader *r, const json_t *from, const hf_place *at,
                                hf_decoder *step) {
    ondol_status status = ONDOL_OK;
    text_view content = {NULL, 0};
    step->cleanup = true;
    switch (step->kind) {
    case HF_DECODE_BPE: return read_text(r, from, at, "suffix", "</w>", &step->text);
    case HF_DECODE_METASPACE: return read_metaspace(r, from, at, step);
    case HF_DECODE_STRIP: return read_strip(r, from, at, step);
    case HF_DECODE_WORDPIECE:
        TRY(hf_json_bool(from, at, "cleanup", &step->cleanup, r->err));
        return read_text(r, from, at, "prefix", "##", &step->text);
    case HF_DECODE_CTC:
        TRY(hf_json_bool(from, at, "cleanup", &step->cleanup, r->err));
        TRY(read_text(r, from, at, "pad_token", "<pad>", &step->text));
        return read_text(r, from, at, "word_delimiter_token", "|", &step->other);
    case HF_DECODE_REPLACE:
        TRY(hf_regex_read(r->hf->allocator, from, at, &step->pattern, r->err));
        TRY(hf_json_need_text(from, at, "content", &content, r->err));
        return hf_copy_text(r, content, &step->text);
    default: break;
    }
done:
    return status;
}

static ondol_status read_decoder(decoder_reader *s, const json_t *from, const hf_place *at);

static ondol_status read_list(decoder_reader *s, const json_t *from, const hf_place *at) {
    ondol_status status = ONDOL_OK;
    const hf_place list_at = {at, "decoders", 0};
    const json_t *list = NULL;
    TRY(hf_json_list(from, at, list_at.name, &list, s->r->err));
    if (!list) return hf_json_wrong(&list_at, NULL, "a list", s->r->err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const hf_place here = {&list_at, NULL, i};
        TRY(read_decoder(s, json_array_get(list, i), &here));
    }
done:
    return status;
}

static ondol_status read_decoder(decoder_reader *s, const json_t *from, const hf_place *at) {
    static const char *const names[] = {"BPEDecoder",   "ByteLevel", "WordPiece", "Metaspace",
                                        "CTC",          "Replace",   "Fuse",      "Strip",
                                        "ByteFallback", "Sequence"};
    hf_reader *r = s->r;
    const int kind = hf_json_type(from, at, names, 10, r->err);
    if (kind < 0) return ONDOL_E_FORMAT;
    if (kind == 9) return read_list(s, from, at);
    if (++s->count > STEPS_MAX) {
        return base_fail(r->err, ONDOL_E_LIMIT, "tokenizer.json: more than %d steps in a row",
                         STEPS_MAX);
    }
    hf_decoder *step = hf_step_new(r, sizeof *step);
    if (!step) return base_no_memory(r->err, "a tokenizer", sizeof *step);
    step->kind = (hf_decoder_kind)kind;
    if (s->last) s->last->next = step;
    if (!s->last) r->hf->decoders = step;
    s->last = step;
    return read_fields(r, from, at, step);
}

ondol_status hf_decoders_read(hf_reader *r, const json_t *from) {
    decoder_reader s = {r, 0, NULL};
    const hf_place at = {NULL, "decoder", 0};
    const json_t *v = json_read_member(from, at.name);
    r->hf->joins_by_space = !v;
    return v ? read_decoder(&s, v, &at) : ONDOL_OK;
}
