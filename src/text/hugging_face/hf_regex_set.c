/* Escapes and sets of expressions. In: Oniguruma's [...], with sets in sets and &&. Out: PCRE2's,
 * sets of sets as alternatives and look-aheads. */
#include <string.h>

#include "base/utf8.h"
#include "text/hugging_face/hf_regex_reader.h"

#define SETS_MAX 16

bool regex_fault(regex_reader *t, ondol_status status, const char *what) {
    if (t->status == ONDOL_OK) {
        t->status = status;
        t->what = what;
    }
    return false;
}

bool regex_looking_at(const regex_reader *t, const char *text) {
    const size_t n = strlen(text);
    return t->n - t->at >= n && memcmp(t->text + t->at, text, n) == 0;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static uint32_t read_hex(regex_reader *t, size_t most, size_t *digits) {
    uint32_t code = 0;
    *digits = 0;
    while (t->at < t->n && *digits < most && hex_value(t->text[t->at]) >= 0) {
        code = code * 16 + (uint32_t)hex_value(t->text[t->at++]);
        (*digits)++;
    }
    return code;
}

/* A character written as bytes: \xE2\x96\x81. The first byte is read already. */
static bool read_bytes(regex_reader *t, uint32_t first, uint32_t *code) {
    unsigned char bytes[4] = {(unsigned char)first};
    size_t count = 1, digits = 0;
    while (count < 4 && base_utf8_decode(bytes, count, code) == 0 && regex_looking_at(t, "\\x")) {
        t->at += 2;
        bytes[count++] = (unsigned char)read_hex(t, 2, &digits);
    }
    if (base_utf8_decode(bytes, count, code) == count) return true;
    return regex_fault(t, ONDOL_E_FORMAT, "bytes that make no character");
}

bool regex_read_escaped(regex_reader *t, uint32_t *code) {
    static const char letters[] = "ntrfveab", values[] = "\n\t\r\f\v\x1b\a\b";
    const char c = t->text[t->at];
    size_t digits = 0;
    const char *letter = strchr(letters, c);
    if (letter && c) {
        t->at++;
        *code = (unsigned char)values[letter - letters];
        return true;
    }
    if (c == 'x' || c == 'u') {
        t->at++;
        const bool braces = c == 'x' && regex_looking_at(t, "{");
        t->at += braces;
        *code = read_hex(t, braces ? 8 : c == 'x' ? 2 : 4, &digits);
        if (digits == 0 || (c == 'u' && digits != 4))
            return regex_fault(t, ONDOL_E_FORMAT, "a code without its digits");
        if (braces && !regex_looking_at(t, "}"))
            return regex_fault(t, ONDOL_E_FORMAT, "a code without its closing brace");
        t->at += braces;
        if (c == 'x' && !braces && *code >= 0x80) return read_bytes(t, *code, code);
        return true;
    }
    if (c == '0') {
        *code = 0;
        for (int i = 0; i < 3 && t->at < t->n && t->text[t->at] >= '0' && t->text[t->at] <= '7';
             i++)
            *code = *code * 8 + (uint32_t)(t->text[t->at++] - '0');
        return true;
    }
    if (strchr("cCM", c) && c) return regex_fault(t, ONDOL_E_UNSUPPORTED, "a control escape");
    const size_t used =
        base_utf8_decode((const unsigned char *)t->text + t->at, t->n - t->at, code);
    t->at += used;
    return used > 0;
}

bool regex_read_property(regex_reader *t, base_buffer *out, bool *negated) {
    *negated = t->text[t->at++] == 'P';
    if (!regex_looking_at(t, "{")) return regex_fault(t, ONDOL_E_FORMAT, "\\p without {name}");
    const char *name = t->text + ++t->at;
    const char *end = memchr(name, '}', t->n - t->at);
    if (!end) return regex_fault(t, ONDOL_E_FORMAT, "\\p{ without }");
    t->at += (size_t)(end - name) + 1;
    if (hf_regex_property(name, (size_t)(end - name), false, out, negated)) return true;
    return regex_fault(t, ONDOL_E_FORMAT, "\\p of a property that is not known");
}

void regex_put_code(base_buffer *out, uint32_t code) {
    const bool plain = (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
                       (code >= 'A' && code <= 'Z');
    if (plain) {
        const char c = (char)code;
        base_buffer_append(out, &c, 1);
    } else {
        base_buffer_append_format(out, "\\x{%x}", (unsigned)code);
    }
}

/* ---- sets ---- */

void regex_set_init(regex_set *s, const ondol_allocator *a) {
    base_buffer_init(&s->items, a, HF_PATTERN_BYTES_MAX * 64);
    base_buffer_init(&s->others, a, HF_PATTERN_BYTES_MAX * 64);
    base_buffer_init(&s->operands, a, HF_PATTERN_BYTES_MAX * 64);
    s->negated = false;
}

void regex_set_destroy(regex_set *s) {
    base_buffer_destroy(&s->items);
    base_buffer_destroy(&s->others);
    base_buffer_destroy(&s->operands);
}

/* Items, or the characters that are none of them. */
static void set_add(regex_set *s, const char *items, size_t n, bool negated) {
    if (!negated) {
        base_buffer_append(&s->items, items, n);
        return;
    }
    base_buffer_append_text(&s->others, "|[^");
    base_buffer_append(&s->others, items, n);
    base_buffer_append_text(&s->others, "]");
}

/* The union read so far, as an expression. */
static void set_put_union(const regex_set *s, base_buffer *out) {
    const bool both = s->items.size > 0 && s->others.size > 0;
    if (s->items.size == 0 && s->others.size == 0) {
        base_buffer_append_text(out, "(?!)");
        return;
    }
    if (s->others.size > 0) base_buffer_append_text(out, "(?:");
    if (s->items.size > 0) {
        base_buffer_append_text(out, "[");
        base_buffer_append(out, s->items.data, s->items.size);
        base_buffer_append_text(out, "]");
    }
    if (s->others.size > 0) {
        const size_t skip = both ? 0 : 1; /* the first | */
        base_buffer_append(out, s->others.data + skip, s->others.size - skip);
        base_buffer_append_text(out, ")");
    }
}

void regex_set_put(const regex_set *s, base_buffer *out) {
    const bool plain = s->others.size == 0 && s->operands.size == 0 && s->items.size > 0;
    if (plain && s->negated) {
        base_buffer_append_text(out, "[^");
        base_buffer_append(out, s->items.data, s->items.size);
        base_buffer_append_text(out, "]");
        return;
    }
    if (s->negated) base_buffer_append_text(out, "(?:(?!");
    if (s->operands.size > 0) {
        base_buffer_append_text(out, "(?:");
        base_buffer_append(out, s->operands.data, s->operands.size);
    }
    set_put_union(s, out);
    if (s->operands.size > 0) base_buffer_append_text(out, ")");
    if (s->negated) base_buffer_append_text(out, ")(?s:.))");
}

static void set_finish_operand(regex_set *s) {
    base_buffer_append_text(&s->operands, "(?=");
    set_put_union(s, &s->operands);
    base_buffer_append_text(&s->operands, ")");
    s->items.size = s->others.size = 0;
}

/* \d \w ... within a set. True when there was one. */
static bool set_read_class(regex_reader *t, regex_set *s) {
    const char c = t->text[t->at];
    const char *items = c == 'd' || c == 'D'   ? "\\p{Nd}"
                        : c == 'w' || c == 'W' ? HF_WORD_ITEMS
                        : c == 's' || c == 'S' ? HF_SPACE_ITEMS
                        : c == 'h' || c == 'H' ? "0-9a-fA-F"
                                               : NULL;
    if (items) {
        t->at++;
        set_add(s, items, strlen(items), c < 'a');
        return true;
    }
    if (c != 'p' && c != 'P') return false;
    base_buffer found;
    bool negated = false;
    base_buffer_init(&found, s->items.allocator, 1024);
    if (regex_read_property(t, &found, &negated)) set_add(s, found.data, found.size, negated);
    if (found.fault) s->items.fault = found.fault;
    base_buffer_destroy(&found);
    return true;
}

/* [:name:]; false when that is not what stands here. */
static bool set_read_posix(regex_reader *t, regex_set *s) {
    const char *name = t->text + t->at + 2;
    const size_t left = t->n - t->at - 2;
    size_t n = 0;
    while (n < left && n < 20 && ((name[n] >= 'a' && name[n] <= 'z') || (n == 0 && name[n] == '^')))
        n++;
    if (n == 0 || left - n < 2 || name[n] != ':' || name[n + 1] != ']') return false;
    base_buffer found;
    bool negated = false;
    base_buffer_init(&found, s->items.allocator, 1024);
    if (hf_regex_property(name, n, true, &found, &negated)) {
        set_add(s, found.data, found.size, negated);
        t->at += n + 4;
    } else {
        regex_fault(t, ONDOL_E_FORMAT, "[: of a class that is not known");
    }
    if (found.fault) s->items.fault = found.fault;
    base_buffer_destroy(&found);
    return true;
}

/* One character of a set, written plainly or escaped. */
static bool set_read_character(regex_reader *t, uint32_t *code) {
    if (t->text[t->at] == '\\') {
        if (++t->at >= t->n) return regex_fault(t, ONDOL_E_FORMAT, "a backslash at its end");
        return regex_read_escaped(t, code);
    }
    const size_t used =
        base_utf8_decode((const unsigned char *)t->text + t->at, t->n - t->at, code);
    t->at += used;
    return used > 0;
}

/* A character, or a range when one follows. */
static void set_read_range(regex_reader *t, regex_set *s) {
    uint32_t first = 0, last = 0;
    if (!set_read_character(t, &first)) return;
    regex_put_code(&s->items, first);
    if (t->n - t->at < 2 || t->text[t->at] != '-' || t->text[t->at + 1] == ']') return;
    if (t->text[t->at + 1] == '[') return;
    if (t->text[t->at + 1] == '\\' && t->n - t->at > 2 && strchr("dDwWsShHpP", t->text[t->at + 2]))
        return;
    t->at++;
    if (!set_read_character(t, &last)) return;
    base_buffer_append_text(&s->items, "-");
    regex_put_code(&s->items, last);
}

/* A set within a set. */
static void set_read_inner(regex_reader *t, regex_set *s, unsigned depth) {
    regex_set inner;
    if (depth + 1 >= SETS_MAX) {
        regex_fault(t, ONDOL_E_LIMIT, "sets within sets nested too deep");
        return;
    }
    regex_set_init(&inner, s->items.allocator);
    t->at++;
    regex_read_set(t, &inner, depth + 1);
    if (!inner.negated && inner.others.size == 0 && inner.operands.size == 0) {
        base_buffer_append(&s->items, inner.items.data, inner.items.size);
    } else {
        base_buffer_append_text(&s->others, "|");
        regex_set_put(&inner, &s->others);
    }
    if (inner.items.fault) s->items.fault = inner.items.fault;
    if (inner.others.fault) s->items.fault = inner.others.fault;
    if (inner.operands.fault) s->items.fault = inner.operands.fault;
    regex_set_destroy(&inner);
}

/* From behind the [ to behind its ]. */
void regex_read_set(regex_reader *t, regex_set *s, unsigned depth) {
    s->negated = regex_looking_at(t, "^");
    t->at += s->negated;
    for (bool first = true; t->status == ONDOL_OK; first = false) {
        if (t->at >= t->n) {
            regex_fault(t, ONDOL_E_FORMAT, "a [ without its ]");
            return;
        }
        if (t->text[t->at] == ']' &&
            !(first && memchr(t->text + t->at + 1, ']', t->n - t->at - 1))) {
            t->at++;
            return;
        }
        if (regex_looking_at(t, "&&")) {
            t->at += 2;
            set_finish_operand(s);
        } else if (regex_looking_at(t, "[:") && set_read_posix(t, s)) {
            continue;
        } else if (t->text[t->at] == '[') {
            set_read_inner(t, s, depth);
        } else if (t->text[t->at] == '\\' && t->n - t->at > 1 &&
                   strchr("dDwWsShHpP", t->text[t->at + 1])) {
            t->at++;
            set_read_class(t, s);
        } else {
            set_read_range(t, s);
        }
    }
}
