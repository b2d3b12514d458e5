/* StringNormalizer. In: strings [C] or [1, C]. Out: those that are no stop words, in lower or upper
 * case where that is asked for; one empty string where none is left. */
#include <inttypes.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_util.h"

typedef enum letter_case { CASE_NONE, CASE_LOWER, CASE_UPPER } letter_case;

/* The simple case mapping of Unicode, of any locale. The sharp s has none (utf8proc has). */
static uint32_t with_case(uint32_t code, letter_case to) {
    if (to == CASE_NONE || code == 0xdf) return code;
    const utf8proc_int32_t from = (utf8proc_int32_t)code;
    return (uint32_t)(to == CASE_LOWER ? utf8proc_tolower(from) : utf8proc_toupper(from));
}

/* Writes s in that case to out, if not NULL; returns the bytes. A character may get longer. */
static uint64_t write_case(const tensor_string *s, letter_case to, char *out) {
    uint64_t n = 0;
    for (size_t i = 0; i < s->size_bytes;) {
        const unsigned char *p = (const unsigned char *)s->text + i;
        unsigned char bytes[4] = {*p};
        uint32_t code = 0;
        const size_t used = base_utf8_decode(p, s->size_bytes - i, &code);
        const size_t made = used ? base_utf8_encode(with_case(code, to), bytes) : 1;
        if (out) memcpy(out + n, bytes, made);
        n += made;
        i += used ? used : 1;
    }
    return n;
}

/* Equal, or equal but for the case of letters. */
static bool is_same(const tensor_string *a, const tensor_string *b, bool case_sensitive) {
    if (case_sensitive) {
        return a->size_bytes == b->size_bytes &&
               (!a->size_bytes || memcmp(a->text, b->text, a->size_bytes) == 0);
    }
    size_t i = 0, k = 0;
    while (i < a->size_bytes && k < b->size_bytes) {
        const unsigned char *p = (const unsigned char *)a->text + i;
        const unsigned char *q = (const unsigned char *)b->text + k;
        uint32_t x = 0, y = 0;
        const size_t m = base_utf8_decode(p, a->size_bytes - i, &x);
        const size_t n = base_utf8_decode(q, b->size_bytes - k, &y);
        if (!m != !n || (m ? with_case(x, CASE_LOWER) != with_case(y, CASE_LOWER) : *p != *q)) {
            return false;
        }
        i += m ? m : 1;
        k += n ? n : 1;
    }
    return i == a->size_bytes && k == b->size_bytes;
}

static bool is_stop_word(const graph_attribute *stops, const tensor_string *s,
                         bool case_sensitive) {
    for (uint32_t i = 0; stops && i < stops->int_count; i++)
        if (is_same(s, stops->strings + i, case_sensitive)) return true;
    return false;
}

static ondol_status read_case(const plan_call *c, letter_case *out, ondol_error *err) {
    const char *name = graph_get_string(c->g, c->node, "case_change_action");
    if (strcmp(name, "NONE") == 0) {
        *out = CASE_NONE;
    } else if (strcmp(name, "LOWER") == 0) {
        *out = CASE_LOWER;
    } else if (strcmp(name, "UPPER") == 0) {
        *out = CASE_UPPER;
    } else {
        return plan_call_fail(c, err, "case_change_action '%s', expected NONE, LOWER or UPPER",
                              name);
    }
    return ONDOL_OK;
}

static ondol_status put_string(const plan_call *c, tensor_value *y, uint64_t at,
                               const tensor_string *s, letter_case to, ondol_error *err) {
    void *memory = NULL;
    if (to == CASE_NONE) return tensor_value_set_string(y, at, s->text, s->size_bytes, err);
    ondol_status status = ref_alloc(c, write_case(s, to, NULL), 1, "a string", &memory, err);
    if (status != ONDOL_OK) return status;
    const uint64_t n = write_case(s, to, memory);
    status = tensor_value_set_string(y, at, memory, (size_t)n, err);
    tensor_heap_free(c->heap, memory);
    return status;
}

ondol_status ref_string_normalizer(plan_call *c, ondol_error *err) {
    const graph_attribute *stops = graph_get_attribute(c->g, c->node, "stopwords");
    const bool case_sensitive = graph_get_int(c->g, c->node, "is_case_sensitive") != 0;
    tensor_value *x = NULL, *y = NULL;
    letter_case to = CASE_NONE;
    uint64_t kept = 0, at = 0;
    ondol_status status = ONDOL_OK;
    TRY(read_case(c, &to, err));
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_STRING, &x, err));
    if (x->rank != 1 && (x->rank != 2 || x->dims[0] != 1)) {
        char text[REF_SHAPE_TEXT_BYTES];
        return plan_call_fail(c, err, "strings of shape %s, expected [C] or [1, C]",
                              ref_shape_text(x->rank, x->dims, text));
    }
    const tensor_string *s = x->data;
    for (uint64_t i = 0; i < x->elems; i++)
        kept += !is_stop_word(stops, s + i, case_sensitive);
    const int64_t dims[2] = {1, kept ? (int64_t)kept : 1};
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_STRING, x->rank, dims + (2 - x->rank), &y, err));
    for (uint64_t i = 0; i < x->elems; i++) {
        if (is_stop_word(stops, s + i, case_sensitive)) continue;
        TRY(put_string(c, y, at++, s + i, to, err));
    }
done:
    return status;
}
