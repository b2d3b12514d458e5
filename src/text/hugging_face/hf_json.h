/* Typed reading of tokenizer.json: every fault names the place, what was expected, what is there.
 */
#ifndef TEXT_HF_JSON_H
#define TEXT_HF_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"
#include "text/text_spec.h"

/* Where a value stands, for sentences: "model.vocab", the step of a Sequence. */
typedef struct hf_place {
    const struct hf_place *parent; /* NULL: the file */
    const char *name;              /* of the member; NULL: an element of a list */
    size_t index;
} hf_place;

#define HF_PLACE_BYTES 160

/* "normalizer.normalizers[2].pattern" in out, cut short when it is longer. */
const char *hf_place_text(const hf_place *place, char out[HF_PLACE_BYTES]);

/* FORMAT: "tokenizer.json: PLACE: expected WANTED, got VALUE". v may be NULL: nothing. */
ondol_status hf_json_wrong(const hf_place *at, const json_t *v, const char *wanted,
                           ondol_error *err);

/* The members below are looked for in `from`, an object at `at`. Absent and null are one. */

/* *out stays when there is none. Errors: FORMAT (another type). */
ondol_status hf_json_bool(const json_t *from, const hf_place *at, const char *name, bool *out,
                          ondol_error *err);
/* *out stays when there is none. Errors: FORMAT (no integer, or outside [least, most]). */
ondol_status hf_json_integer(const json_t *from, const hf_place *at, const char *name,
                             int64_t least, int64_t most, int64_t *out, ondol_error *err);
/* A view into the tree; *out stays when there is none. Errors: FORMAT (another type). */
ondol_status hf_json_text(const json_t *from, const hf_place *at, const char *name, text_view *out,
                          ondol_error *err);
/* The same, but there must be one. */
ondol_status hf_json_need_text(const json_t *from, const hf_place *at, const char *name,
                               text_view *out, ondol_error *err);
/* A text of exactly one character; *out stays when there is none. */
ondol_status hf_json_character(const json_t *from, const hf_place *at, const char *name,
                               uint32_t *out, ondol_error *err);
/* Lists and objects: *out is NULL when there is none. */
ondol_status hf_json_list(const json_t *from, const hf_place *at, const char *name,
                          const json_t **out, ondol_error *err);
ondol_status hf_json_object(const json_t *from, const hf_place *at, const char *name,
                            const json_t **out, ondol_error *err);

/* The index of the member "type" among names[0..count), or -1 with the error set. */
int hf_json_type(const json_t *from, const hf_place *at, const char *const *names, int count,
                 ondol_error *err);

static inline text_view hf_json_view(const json_t *text) {
    return (text_view){json_string_value(text), json_string_length(text)};
}

#endif
