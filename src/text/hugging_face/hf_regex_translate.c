/* Regular expressions, token by token. In: Oniguruma's syntax. Out: PCRE2's. What differs is
 * written out: \w, \s, \b, \h by their characters, sets of sets as alternatives and look-aheads,
 * (?m) as
 * (?s), options to the end of their group, {n,m}+ as a repetition of a repetition. */
#include "text/hugging_face/hf_regex_translate.h"

#include <string.h>

#include "base/utf8.h"

#define GROUPS_MAX 100
#define SETS_MAX   16
#define NO_ATOM    SIZE_MAX

#define WORD             "[" HF_WORD_ALONE "]"
#define WORD_BOUNDARY    "(?:(?<=" WORD ")(?!" WORD ")|(?<!" WORD ")(?=" WORD "))"
#define NO_WORD_BOUNDARY "(?:(?<=" WORD ")(?=" WORD ")|(?<!" WORD ")(?!" WORD "))"

typedef struct translator {
    const char *text;
    size_t n, at;
    base_buffer *out;
    const char *what; /* the fault */
    ondol_status status;
    size_t atom;                           /* where the last atom begins in out, or NO_ATOM */
    bool repeated;                         /* ... and it has its quantifier */
    size_t group_starts[GROUPS_MAX];       /* of the open groups, in out */
    unsigned group_closes[GROUPS_MAX + 1]; /* brackets that options put in the group */
    size_t groups;
} translator;

static bool fault(translator *t, ondol_status status, const char *what) {
    if (t->status == ONDOL_OK) {
        t->status = status;
        t->what = what;
    }
    return false;
}

static bool looking_at(const translator *t, const char *text) {
    const size_t n = strlen(text);
    return t->n - t->at >= n && memcmp(t->text + t->at, text, n) == 0;
}

static void atom(translator *t, const char *text) {
    t->atom = t->out->size;
    t->repeated = false;
    base_buffer_append_text(t->out, text);
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static uint32_t read_hex(translator *t, size_t most, size_t *digits) {
    uint32_t code = 0;
    *digits = 0;
    while (t->at < t->n && *digits < most && hex_value(t->text[t->at]) >= 0) {
        code = code * 16 + (uint32_t)hex_value(t->text[t->at++]);
        (*digits)++;
    }
    return code;
}

/* A character written as bytes: \xE2\x96\x81. The first byte is read already. */
static bool read_bytes(translator *t, uint32_t first, uint32_t *code) {
    unsigned char bytes[4] = {(unsigned char)first};
    size_t count = 1, digits = 0;
    while (count < 4 && base_utf8_decode(bytes, count, code) == 0 && looking_at(t, "\\x")) {
        t->at += 2;
        bytes[count++] = (unsigned char)read_hex(t, 2, &digits);
    }
    if (base_utf8_decode(bytes, count, code) == count) return true;
    return fault(t, ONDOL_E_FORMAT, "bytes that make no character");
}

/* An escape behind the backslash that stands for one character. False with status OK: it is none.
 */
static bool read_escaped(translator *t, uint32_t *code) {
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
        const bool braces = c == 'x' && looking_at(t, "{");
        t->at += braces;
        *code = read_hex(t, braces ? 8 : c == 'x' ? 2 : 4, &digits);
        if (digits == 0 || (c == 'u' && digits != 4))
            return fault(t, ONDOL_E_FORMAT, "a code without its digits");
        if (braces && !looking_at(t, "}"))
            return fault(t, ONDOL_E_FORMAT, "a code without its closing brace");
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
    if (strchr("cCM", c) && c) return fault(t, ONDOL_E_UNSUPPORTED, "a control escape");
    const size_t used =
        base_utf8_decode((const unsigned char *)t->text + t->at, t->n - t->at, code);
    t->at += used;
    return used > 0;
}

/* \p{...}, \P{...} behind the p: items in out. */
static bool read_property(translator *t, base_buffer *out, bool *negated) {
    *negated = t->text[t->at++] == 'P';
    if (!looking_at(t, "{")) return fault(t, ONDOL_E_FORMAT, "\\p without {name}");
    const char *name = t->text + ++t->at;
    const char *end = memchr(name, '}', t->n - t->at);
    if (!end) return fault(t, ONDOL_E_FORMAT, "\\p{ without }");
    t->at += (size_t)(end - name) + 1;
    if (hf_regex_property(name, (size_t)(end - name), false, out, negated)) return true;
    return fault(t, ONDOL_E_FORMAT, "\\p of a property that is not known");
}

static void put_code(base_buffer *out, uint32_t code) {
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

typedef struct set {
    base_buffer items;    /* of [...] */
    base_buffer others;   /* "|x|y": expressions of one character */
    base_buffer operands; /* "(?=x)": what stood before && */
    bool negated;
} set;

static void set_init(set *s, const ondol_allocator *a) {
    base_buffer_init(&s->items, a, HF_PATTERN_BYTES_MAX * 64);
    base_buffer_init(&s->others, a, HF_PATTERN_BYTES_MAX * 64);
    base_buffer_init(&s->operands, a, HF_PATTERN_BYTES_MAX * 64);
    s->negated = false;
}

static void set_destroy(set *s) {
    base_buffer_destroy(&s->items);
    base_buffer_destroy(&s->others);
    base_buffer_destroy(&s->operands);
}

/* Items, or the characters that are none of them. */
static void set_add(set *s, const char *items, size_t n, bool negated) {
    if (!negated) {
        base_buffer_append(&s->items, items, n);
        return;
    }
    base_buffer_append_text(&s->others, "|[^");
    base_buffer_append(&s->others, items, n);
    base_buffer_append_text(&s->others, "]");
}

/* The union read so far, as an expression. */
static void set_put_union(const set *s, base_buffer *out) {
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

static void set_put(const set *s, base_buffer *out) {
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

static void set_finish_operand(set *s) {
    base_buffer_append_text(&s->operands, "(?=");
    set_put_union(s, &s->operands);
    base_buffer_append_text(&s->operands, ")");
    s->items.size = s->others.size = 0;
}

/* \d \w ... within a set. True when there was one. */
static bool set_read_class(translator *t, set *s) {
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
    if (read_property(t, &found, &negated)) set_add(s, found.data, found.size, negated);
    if (found.fault) s->items.fault = found.fault;
    base_buffer_destroy(&found);
    return true;
}

/* [:name:]; false when that is not what stands here. */
static bool set_read_posix(translator *t, set *s) {
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
        fault(t, ONDOL_E_FORMAT, "[: of a class that is not known");
    }
    if (found.fault) s->items.fault = found.fault;
    base_buffer_destroy(&found);
    return true;
}

/* One character of a set, written plainly or escaped. */
static bool set_read_character(translator *t, uint32_t *code) {
    if (t->text[t->at] == '\\') {
        if (++t->at >= t->n) return fault(t, ONDOL_E_FORMAT, "a backslash at its end");
        return read_escaped(t, code);
    }
    const size_t used =
        base_utf8_decode((const unsigned char *)t->text + t->at, t->n - t->at, code);
    t->at += used;
    return used > 0;
}

/* A character, or a range when one follows. */
static void set_read_range(translator *t, set *s) {
    uint32_t first = 0, last = 0;
    if (!set_read_character(t, &first)) return;
    put_code(&s->items, first);
    if (t->n - t->at < 2 || t->text[t->at] != '-' || t->text[t->at + 1] == ']') return;
    if (t->text[t->at + 1] == '[') return;
    if (t->text[t->at + 1] == '\\' && t->n - t->at > 2 && strchr("dDwWsShHpP", t->text[t->at + 2]))
        return;
    t->at++;
    if (!set_read_character(t, &last)) return;
    base_buffer_append_text(&s->items, "-");
    put_code(&s->items, last);
}

static void read_set(translator *t, set *s, unsigned depth);

/* A set within a set. */
static void set_read_inner(translator *t, set *s, unsigned depth) {
    set inner;
    if (depth + 1 >= SETS_MAX) {
        fault(t, ONDOL_E_LIMIT, "sets within sets nested too deep");
        return;
    }
    set_init(&inner, s->items.allocator);
    t->at++;
    read_set(t, &inner, depth + 1);
    if (!inner.negated && inner.others.size == 0 && inner.operands.size == 0) {
        base_buffer_append(&s->items, inner.items.data, inner.items.size);
    } else {
        base_buffer_append_text(&s->others, "|");
        set_put(&inner, &s->others);
    }
    if (inner.items.fault) s->items.fault = inner.items.fault;
    if (inner.others.fault) s->items.fault = inner.others.fault;
    if (inner.operands.fault) s->items.fault = inner.operands.fault;
    set_destroy(&inner);
}

/* From behind the [ to behind its ]. */
static void read_set(translator *t, set *s, unsigned depth) {
    s->negated = looking_at(t, "^");
    t->at += s->negated;
    for (bool first = true; t->status == ONDOL_OK; first = false) {
        if (t->at >= t->n) {
            fault(t, ONDOL_E_FORMAT, "a [ without its ]");
            return;
        }
        if (t->text[t->at] == ']' &&
            !(first && memchr(t->text + t->at + 1, ']', t->n - t->at - 1))) {
            t->at++;
            return;
        }
        if (looking_at(t, "&&")) {
            t->at += 2;
            set_finish_operand(s);
        } else if (looking_at(t, "[:") && set_read_posix(t, s)) {
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

static void translate_set(translator *t) {
    set s;
    set_init(&s, t->out->allocator);
    t->at++;
    read_set(t, &s, 0);
    atom(t, "");
    set_put(&s, t->out);
    if (s.items.fault) t->out->fault = s.items.fault;
    if (s.others.fault) t->out->fault = s.others.fault;
    if (s.operands.fault) t->out->fault = s.operands.fault;
    set_destroy(&s);
}

/* ---- outside of sets ---- */

/* Escapes that mean the same to both, or are written out. NULL: another one. */
static const char *escape_text(char c) {
    switch (c) {
    case 'd': return "\\p{Nd}";
    case 'D': return "\\P{Nd}";
    case 'w': return "[" HF_WORD_ALONE "]";
    case 'W': return "[^" HF_WORD_ALONE "]";
    case 's': return "[" HF_SPACE_ITEMS "]";
    case 'S': return "[^" HF_SPACE_ITEMS "]";
    case 'h': return "[0-9a-fA-F]";
    case 'H': return "[^0-9a-fA-F]";
    case 'b': return WORD_BOUNDARY;
    case 'B': return NO_WORD_BOUNDARY;
    case 'A': return "\\A";
    case 'z': return "\\z";
    case 'Z': return "\\Z";
    case 'G': return "\\G";
    case 'K': return "\\K";
    case 'R': return "\\R";
    case 'X': return "\\X";
    case 'N': return "[^\\n]";
    case 'O': return "(?s:.)";
    default: return NULL;
    }
}

/* \k<name>, \g<name>: to the closing > or '. */
static bool translate_reference(translator *t) {
    const char c = t->text[t->at];
    if ((c != 'k' && c != 'g') || t->n - t->at < 2) return false;
    const char open = t->text[t->at + 1];
    if (open != '<' && open != '\'') return false;
    const char *end = memchr(t->text + t->at + 2, open == '<' ? '>' : '\'', t->n - t->at - 2);
    if (!end) return fault(t, ONDOL_E_FORMAT, "a reference without its end");
    const size_t n = (size_t)(end - (t->text + t->at)) + 1;
    atom(t, "\\");
    base_buffer_append(t->out, t->text + t->at, n);
    t->at += n;
    return true;
}

static void translate_escape(translator *t) {
    if (++t->at >= t->n) {
        fault(t, ONDOL_E_FORMAT, "a backslash at its end");
        return;
    }
    const char c = t->text[t->at];
    const char *text = escape_text(c);
    uint32_t code = 0;
    if (text) {
        t->at++;
        atom(t, text);
    } else if (c == 'p' || c == 'P') {
        base_buffer found;
        bool negated = false;
        base_buffer_init(&found, t->out->allocator, 1024);
        if (read_property(t, &found, &negated)) {
            atom(t, negated ? "[^" : "[");
            const bool word = found.data && strcmp(found.data, HF_WORD_ITEMS) == 0;
            base_buffer_append_text(t->out, word ? HF_WORD_ALONE : found.data ? found.data : "");
            base_buffer_append_text(t->out, "]");
        }
        if (found.fault) t->out->fault = found.fault;
        base_buffer_destroy(&found);
    } else if (c >= '1' && c <= '9') {
        atom(t, "\\g{");
        while (t->at < t->n && t->text[t->at] >= '0' && t->text[t->at] <= '9')
            base_buffer_append(t->out, t->text + t->at++, 1);
        base_buffer_append_text(t->out, "}");
    } else if (!translate_reference(t) && read_escaped(t, &code)) {
        atom(t, "");
        put_code(t->out, code);
    }
}

/* Puts what is in out from `start` on into brackets of its own. */
static void wrap(translator *t, size_t start) {
    static const char open[] = "(?:";
    const size_t n = t->out->size - start;
    if (!base_buffer_append_text(t->out, "(?:)")) return;
    memmove(t->out->data + start + 3, t->out->data + start, n);
    memcpy(t->out->data + start, open, 3);
    t->out->data[start + 3 + n] = ')';
}

/* {n} {n,} {,m} {n,m}: true when one stands here; its least and most, most -1: no end. */
static bool read_interval(translator *t, long *least, long *most) {
    size_t at = t->at + 1, digits = 0;
    long numbers[2] = {0, -1};
    bool comma = false, any[2] = {false, false};
    for (; at < t->n && digits < 12; at++, digits++) {
        const char c = t->text[at];
        if (c >= '0' && c <= '9') {
            numbers[comma] = (any[comma] ? numbers[comma] * 10 : 0) + (c - '0');
            any[comma] = true;
            if (numbers[comma] > 65535) return false;
        } else if (c == ',' && !comma) {
            comma = true;
        } else {
            break;
        }
    }
    if (at >= t->n || t->text[at] != '}' || (!any[0] && !any[1])) return false;
    *least = numbers[0];
    *most = !comma ? numbers[0] : any[1] ? numbers[1] : -1;
    t->at = at + 1;
    return true;
}

static void translate_quantifier(translator *t) {
    const char c = t->text[t->at];
    long least = 0, most = 0;
    const bool interval = c == '{';
    if (interval && !read_interval(t, &least, &most)) {
        t->at++;
        atom(t, "\\{");
        return;
    }
    if (t->atom == NO_ATOM) {
        fault(t, ONDOL_E_FORMAT, "a quantifier with nothing before it");
        return;
    }
    if (t->repeated) wrap(t, t->atom);
    t->repeated = true;
    if (interval && most < 0) {
        base_buffer_append_format(t->out, "{%ld,}", least);
    } else if (interval && most == least) {
        base_buffer_append_format(t->out, "{%ld}", least);
    } else if (interval) {
        base_buffer_append_format(t->out, "{%ld,%ld}", least, most);
    } else {
        base_buffer_append(t->out, &c, 1);
        t->at++;
    }
    /* {n}? and {n,m}+ repeat a repetition; the others have the suffixes of Perl. */
    const char suffix = t->at < t->n ? t->text[t->at] : 0;
    if ((suffix == '?' && !(interval && most == least)) || (suffix == '+' && !interval)) {
        base_buffer_append(t->out, &suffix, 1);
        t->at++;
    }
}

static void open_group(translator *t, const char *text, size_t skip) {
    if (t->groups == GROUPS_MAX) {
        fault(t, ONDOL_E_LIMIT, "groups nested too deep");
        return;
    }
    t->group_starts[t->groups++] = t->out->size;
    t->group_closes[t->groups] = 0;
    base_buffer_append_text(t->out, text);
    t->at += skip;
    t->atom = NO_ATOM;
}

/* (?i) (?m-i:...): i stays, m becomes s. */
static void translate_options(translator *t) {
    char text[16] = "(?";
    size_t used = 2, at = t->at + 2;
    for (; at < t->n && used < 12 && strchr("im-", t->text[at]); at++)
        text[used++] = t->text[at] == 'm' ? 's' : t->text[at];
    if (at >= t->n || (t->text[at] != ':' && t->text[at] != ')')) {
        fault(t, ONDOL_E_UNSUPPORTED, "a group that PCRE2 does not have, or option x");
        return;
    }
    text[used] = ':';
    if (t->text[at] == ':') {
        open_group(t, text, at + 1 - t->at);
        return;
    }
    /* To the end of the group around, its alternatives included. */
    base_buffer_append_text(t->out, text);
    if (++t->group_closes[t->groups] > GROUPS_MAX) fault(t, ONDOL_E_LIMIT, "too many options");
    t->at = at + 1;
    t->atom = NO_ATOM;
}

static void translate_group(translator *t) {
    static const char *const same[] = {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"};
    if (looking_at(t, "(*")) {
        fault(t, ONDOL_E_UNSUPPORTED, "a callout or verb, (*");
        return;
    }
    if (looking_at(t, "(?#")) {
        const char *end = memchr(t->text + t->at, ')', t->n - t->at);
        if (!end) fault(t, ONDOL_E_FORMAT, "a comment without its end");
        if (end) t->at = (size_t)(end - t->text) + 1;
        return;
    }
    if (!looking_at(t, "(?")) {
        open_group(t, "(", 1);
        return;
    }
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        if (!looking_at(t, same[i])) continue;
        open_group(t, same[i], strlen(same[i]));
        return;
    }
    if (!looking_at(t, "(?<")) {
        translate_options(t);
        return;
    }
    char text[48] = "(?<";
    size_t n = 3;
    while (t->at + n < t->n && n < 40) {
        const char c = t->text[t->at + n];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(n > 3 && c >= '0' && c <= '9')) break;
        text[n++] = c;
    }
    if (t->at + n >= t->n || t->text[t->at + n] != '>' || n == 3) {
        fault(t, ONDOL_E_FORMAT, "a group's name that is none");
        return;
    }
    text[n++] = '>';
    open_group(t, text, n);
}

static void close_group(translator *t) {
    if (t->groups == 0) {
        fault(t, ONDOL_E_FORMAT, "a ) without its (");
        return;
    }
    for (unsigned i = 0; i < t->group_closes[t->groups]; i++)
        base_buffer_append_text(t->out, ")");
    base_buffer_append_text(t->out, ")");
    t->atom = t->group_starts[--t->groups];
    t->repeated = false;
    t->at++;
}

static void translate_one(translator *t) {
    const char c = t->text[t->at];
    uint32_t code = 0;
    switch (c) {
    case '\\': translate_escape(t); return;
    case '[': translate_set(t); return;
    case '(': translate_group(t); return;
    case ')': close_group(t); return;
    case '*':
    case '+':
    case '?':
    case '{': translate_quantifier(t); return;
    case '|':
        base_buffer_append_text(t->out, "|");
        t->atom = NO_ATOM;
        t->at++;
        return;
    case '.':
    case '^':
    case '$':
        atom(t, "");
        base_buffer_append(t->out, &c, 1);
        t->at++;
        return;
    default: break;
    }
    const size_t used =
        base_utf8_decode((const unsigned char *)t->text + t->at, t->n - t->at, &code);
    if (used == 0) {
        fault(t, ONDOL_E_FORMAT, "bytes that are no UTF-8");
        return;
    }
    t->at += used;
    atom(t, "");
    put_code(t->out, code);
}

ondol_status hf_regex_translate(text_view pattern, base_buffer *out, const char **what) {
    translator t = {.text = pattern.data, .n = pattern.size, .out = out, .atom = NO_ATOM};
    if (pattern.size > HF_PATTERN_BYTES_MAX) {
        *what = "a pattern of more than 16384 bytes";
        return ONDOL_E_LIMIT;
    }
    while (t.at < t.n && t.status == ONDOL_OK && !out->fault)
        translate_one(&t);
    for (unsigned i = 0; i < t.group_closes[0]; i++)
        base_buffer_append_text(out, ")");
    *what = "a pattern that becomes too long";
    if (out->fault) return out->fault == BASE_BUFFER_NO_MEMORY ? ONDOL_E_MEMORY : ONDOL_E_LIMIT;
    if (t.groups > 0) fault(&t, ONDOL_E_FORMAT, "a ( without its )");
    *what = t.what;
    return t.status;
}
