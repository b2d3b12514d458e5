/* Typed reading of tokenizer.json. In: jansson's tree. Out: values, or a sentence on the fault. */
#include "text/hugging_face/hf_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "formats/json/json_read.h"

#define PLACE_DEPTH_MAX 12

const char *hf_place_text(const hf_place *place, char out[HF_PLACE_BYTES]) {
    const hf_place *chain[PLACE_DEPTH_MAX];
    size_t depth = 0, used = 0;
    out[0] = 0;
    for (; place && depth < PLACE_DEPTH_MAX; place = place->parent)
        chain[depth++] = place;
    while (depth > 0 && used < HF_PLACE_BYTES - 1) {
        const hf_place *p = chain[--depth];
        const size_t room = HF_PLACE_BYTES - used;
        const int n = p->name ? snprintf(out + used, room, used > 0 ? ".%s" : "%s", p->name)
                              : snprintf(out + used, room, "[%zu]", p->index);
        used += n > 0 ? (size_t)n : 0;
    }
    return out;
}

/* What a value is, its text or number where that is short. */
static void value_text(const json_t *v, char out[64]) {
    const char *text = "nothing";
    if (json_is_string(v)) {
        snprintf(out, 64, "\"%.40s\"", json_string_value(v));
        return;
    }
    if (json_is_integer(v)) {
        snprintf(out, 64, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        return;
    }
    if (json_is_object(v)) text = "an object";
    if (json_is_array(v)) text = "a list";
    if (json_is_real(v)) text = "a number with a fraction";
    if (json_is_boolean(v)) text = json_is_true(v) ? "true" : "false";
    if (json_is_null(v)) text = "null";
    snprintf(out, 64, "%s", text);
}

ondol_status hf_json_wrong(const hf_place *at, const json_t *v, const char *wanted,
                           ondol_error *err) {
    char place[HF_PLACE_BYTES], value[64];
    value_text(v, value);
    return base_fail(err, ONDOL_E_FORMAT, "tokenizer.json: %s: expected %s, got %s",
                     hf_place_text(at, place), wanted, value);
}

static ondol_status member_wrong(const hf_place *at, const char *name, const json_t *v,
                                 const char *wanted, ondol_error *err) {
    const hf_place here = {at, name, 0};
    return hf_json_wrong(&here, v, wanted, err);
}

ondol_status hf_json_bool(const json_t *from, const hf_place *at, const char *name, bool *out,
                          ondol_error *err) {
    const json_t *v = json_read_member(from, name);
    if (!v) return ONDOL_OK;
    if (!json_is_boolean(v)) return member_wrong(at, name, v, "true or false", err);
    *out = json_is_true(v);
    return ONDOL_OK;
}

ondol_status hf_json_integer(const json_t *from, const hf_place *at, const char *name,
                             int64_t least, int64_t most, int64_t *out, ondol_error *err) {
    const json_t *v = json_read_member(from, name);
    if (!v) return ONDOL_OK;
    if (!json_is_integer(v) || json_integer_value(v) < least || json_integer_value(v) > most) {
        char wanted[80];
        snprintf(wanted, sizeof wanted, "an integer from %" PRId64 " to %" PRId64, least, most);
        return member_wrong(at, name, v, wanted, err);
    }
    *out = json_integer_value(v);
    return ONDOL_OK;
}

ondol_status hf_json_text(const json_t *from, const hf_place *at, const char *name, text_view *out,
                          ondol_error *err) {
    const json_t *v = json_read_member(from, name);
    if (!v) return ONDOL_OK;
    if (!json_is_string(v)) return member_wrong(at, name, v, "a text", err);
    *out = hf_json_view(v);
    return ONDOL_OK;
}

ondol_status hf_json_need_text(const json_t *from, const hf_place *at, const char *name,
                               text_view *out, ondol_error *err) {
    if (!json_read_member(from, name)) return member_wrong(at, name, NULL, "a text", err);
    return hf_json_text(from, at, name, out, err);
}

ondol_status hf_json_character(const json_t *from, const hf_place *at, const char *name,
                               uint32_t *out, ondol_error *err) {
    const json_t *v = json_read_member(from, name);
    if (!v) return ONDOL_OK;
    uint32_t code = 0;
    const size_t n = json_string_length(v);
    if (!json_is_string(v) || n == 0 ||
        base_utf8_decode((const unsigned char *)json_string_value(v), n, &code) != n) {
        return member_wrong(at, name, v, "a text of one character", err);
    }
    *out = code;
    return ONDOL_OK;
}

ondol_status hf_json_list(const json_t *from, const hf_place *at, const char *name,
                          const json_t **out, ondol_error *err) {
    *out = json_read_member(from, name);
    if (*out && !json_is_array(*out)) return member_wrong(at, name, *out, "a list", err);
    return ONDOL_OK;
}

ondol_status hf_json_object(const json_t *from, const hf_place *at, const char *name,
                            const json_t **out, ondol_error *err) {
    *out = json_read_member(from, name);
    if (*out && !json_is_object(*out)) return member_wrong(at, name, *out, "an object", err);
    return ONDOL_OK;
}

int hf_json_type(const json_t *from, const hf_place *at, const char *const *names, int count,
                 ondol_error *err) {
    if (!json_is_object(from)) {
        hf_json_wrong(at, from, "an object", err);
        return -1;
    }
    const json_t *v = json_read_member(from, "type");
    for (int i = 0; i < count && json_is_string(v); i++) {
        if (strcmp(names[i], json_string_value(v)) == 0) return i;
    }
    member_wrong(at, "type", v, "a type that this version of Ondol knows", err);
    return -1;
}
