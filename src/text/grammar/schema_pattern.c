/* Regular expressions of JSON schemas (ECMA 262's, with Unicode) -> GBNF for the inside of a JSON
 * string: characters that JSON escapes are escaped. What a grammar cannot say is refused. */
#include <string.h>

#include "base/utf8.h"
#include "text/grammar/schema_internal.h"

#define PATTERN_NESTING_MAX 40u
#define PATTERN_RANGES_MAX  256u

typedef struct pattern {
    schema_context *c;
    const char *text;
    size_t n, at;
    base_buffer *out;
    uint32_t depth;
    bool whole; /* ^ begins and $ ends it: both hold for all alternatives */
} pattern;

/* The shortest and longest text, in characters; SIZE_MAX: no bound. */
typedef struct lengths {
    size_t min, max;
} lengths;

typedef struct class_set {
    grammar_code_range ranges[PATTERN_RANGES_MAX];
    size_t n;
    bool negated;
} class_set;

static ondol_status parse_choice(pattern *p, lengths *length);

static ondol_status malformed(const pattern *p, const char *what) {
    return base_fail(p->c->err, ONDOL_E_FORMAT, "JSON schema, #%.200s/pattern, offset %zu: %s",
                     p->c->path.data ? p->c->path.data : "", p->at, what);
}

static ondol_status unsupported(const pattern *p, const char *what) {
    return base_fail(p->c->err, ONDOL_E_UNSUPPORTED,
                     "JSON schema, #%.200s/pattern, offset %zu: a grammar cannot honour %s",
                     p->c->path.data ? p->c->path.data : "", p->at, what);
}

static char peek(const pattern *p, size_t ahead) {
    return p->at + ahead < p->n ? p->text[p->at + ahead] : 0;
}

static size_t add_lengths(size_t a, size_t b) {
    return a == SIZE_MAX || b == SIZE_MAX || a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

static size_t mul_lengths(size_t a, size_t b) {
    if (a == 0 || b == 0) return 0;
    return a == SIZE_MAX || b == SIZE_MAX || a > SIZE_MAX / b ? SIZE_MAX : a * b;
}

/* ---- sets of characters ---- */

static ondol_status add_range(const pattern *p, class_set *set, uint32_t low, uint32_t high) {
    if (set->n == PATTERN_RANGES_MAX) return unsupported(p, "a class of over 256 ranges");
    set->ranges[set->n++] = (grammar_code_range){low, high};
    return ONDOL_OK;
}

/* \d \w \s and their opposites, which are upper case. Tables ascend. */
static ondol_status add_named(const pattern *p, class_set *set, char name) {
    static const grammar_code_range digits[] = {{'0', '9'}};
    static const grammar_code_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    static const grammar_code_range spaces[] = {
        {0x09, 0x0d},     {0x20, 0x20},     {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
        {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
    const char lower = (char)(name | 0x20);
    const grammar_code_range *table = lower == 'd' ? digits : lower == 'w' ? words : spaces;
    const size_t n = lower == 'd' ? 1 : lower == 'w' ? 4 : sizeof spaces / sizeof spaces[0];
    ondol_status status = ONDOL_OK;
    uint32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        if (name == lower) {
            TRY(add_range(p, set, table[i].low, table[i].high));
        } else {
            if (table[i].low > next) TRY(add_range(p, set, next, table[i].low - 1));
            next = table[i].high + 1;
        }
    }
    if (name != lower) TRY(add_range(p, set, next, GRAMMAR_CODE_MAX));
done:
    return status;
}

static bool set_holds(const class_set *set, uint32_t code) {
    for (size_t i = 0; i < set->n; i++) {
        if (code >= set->ranges[i].low && code <= set->ranges[i].high) return !set->negated;
    }
    return set->negated;
}

/* The characters of set that JSON writes plainly, as a class without its bracket; false: none. */
static bool append_plain(base_buffer *b, const class_set *set) {
    static const grammar_code_range escaped[] = {{0, 0x1f}, {'"', '"'}, {'\\', '\\'}};
    if (set->negated) {
        base_buffer_append_text(b, "[^\\x00-\\x1F\\\"\\\\");
        for (size_t i = 0; i < set->n; i++)
            base_buffer_append_format(b, "\\U%08X-\\U%08X", (unsigned)set->ranges[i].low,
                                      (unsigned)set->ranges[i].high);
        base_buffer_append_text(b, "]");
        return true;
    }
    bool any = false;
    for (size_t i = 0; i < set->n; i++) {
        uint32_t low = set->ranges[i].low;
        for (size_t k = 0; k <= sizeof escaped / sizeof escaped[0]; k++) {
            const bool end = k == sizeof escaped / sizeof escaped[0];
            const uint32_t high = end || escaped[k].low > set->ranges[i].high
                                      ? set->ranges[i].high + 1
                                      : escaped[k].low;
            if (low < high) {
                base_buffer_append_text(b, any ? "" : "[");
                base_buffer_append_format(b, "\\U%08X-\\U%08X", (unsigned)low, (unsigned)high - 1);
                any = true;
            }
            if (!end && low <= escaped[k].high) low = escaped[k].high + 1;
        }
    }
    if (any) base_buffer_append_text(b, "]");
    return any;
}

/* A group of one character of the set. Control characters without a short escape are left out. */
static ondol_status append_set(pattern *p, const class_set *set) {
    static const char codes[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    base_buffer_append_text(p->out, "(");
    bool any = append_plain(p->out, set);
    for (size_t i = 0; codes[i]; i++) {
        const char spelled[2] = {'\\', letters[i]};
        if (!set_holds(set, (uint32_t)codes[i])) continue;
        base_buffer_append_text(p->out, any ? " | " : "");
        schema_append_literal(p->out, spelled, 2);
        any = true;
    }
    base_buffer_append_text(p->out, ")");
    return any ? ONDOL_OK : unsupported(p, "a class that no character of a JSON string is in");
}

/* ---- escapes ---- */

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static ondol_status read_hex(pattern *p, size_t digits, uint32_t *code) {
    *code = 0;
    for (size_t i = 0; i < digits; i++, p->at++) {
        const int digit = hex_value(peek(p, 0));
        if (digit < 0) return malformed(p, "expected a hexadecimal digit");
        *code = *code << 4 | (uint32_t)digit;
    }
    return ONDOL_OK;
}

/* \uHHHH, a pair of surrogates or \u{H...}; p->at is behind the u. */
static ondol_status read_unicode(pattern *p, uint32_t *code) {
    ondol_status status = ONDOL_OK;
    if (peek(p, 0) == '{') {
        size_t digits = 0;
        p->at++;
        while (hex_value(peek(p, digits)) >= 0)
            digits++;
        if (digits == 0 || digits > 6) return malformed(p, "expected 1 to 6 hexadecimal digits");
        TRY(read_hex(p, digits, code));
        if (peek(p, 0) != '}') TRY(malformed(p, "expected '}'"));
        p->at++;
    } else {
        uint32_t low = 0;
        TRY(read_hex(p, 4, code));
        if (*code >= 0xd800 && *code < 0xdc00 && peek(p, 0) == '\\' && peek(p, 1) == 'u') {
            p->at += 2;
            TRY(read_hex(p, 4, &low));
            *code = 0x10000 + ((*code - 0xd800) << 10) + ((low - 0xdc00) & 0x3ff);
        }
    }
    if (*code > GRAMMAR_CODE_MAX) TRY(malformed(p, "expected a code point up to 10FFFF"));
done:
    return status;
}

/* What follows a backslash that is one character. */
static ondol_status read_escape(pattern *p, uint32_t *code) {
    static const char from[] = "nrtfv0", to[] = "\n\r\t\f\v\0";
    const char c = peek(p, 0);
    const char *known = c ? strchr(from, c) : NULL;
    if (p->at >= p->n) return malformed(p, "expected something behind the backslash");
    if (c == 'x' || c == 'u') {
        p->at++;
        return c == 'x' ? read_hex(p, 2, code) : read_unicode(p, code);
    }
    if (c == 'c' && ((peek(p, 1) | 0x20) >= 'a' && (peek(p, 1) | 0x20) <= 'z')) {
        *code = (uint32_t)peek(p, 1) & 0x1f;
        p->at += 2;
        return ONDOL_OK;
    }
    if (known) {
        *code = (uint32_t)to[known - from];
    } else if ((c >= '1' && c <= '9') || c == 'k') {
        return unsupported(p, "a back reference");
    } else if (c == 'b' || c == 'B') {
        return unsupported(p, "a word boundary");
    } else if (c == 'p' || c == 'P') {
        return unsupported(p, "a Unicode property");
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        return malformed(p, "an escape that is not known");
    } else {
        *code = (uint32_t)(unsigned char)c;
    }
    p->at++;
    return ONDOL_OK;
}

static bool is_named_class(char c) {
    return c && strchr("dDwWsS", c);
}

static ondol_status read_plain(pattern *p, uint32_t *code) {
    const size_t size =
        base_utf8_decode((const unsigned char *)p->text + p->at, p->n - p->at, code);
    if (size == 0) return malformed(p, "expected a character");
    p->at += size;
    return ONDOL_OK;
}

/* One member of a class; *named: it was \d or its like, added already. */
static ondol_status read_member(pattern *p, class_set *set, uint32_t *code, bool *named) {
    *named = false;
    if (peek(p, 0) != '\\') return read_plain(p, code);
    p->at++;
    const char c = peek(p, 0);
    *named = is_named_class(c);
    if (c == 'b') {
        *code = '\b';
    } else if (*named) {
        p->at++;
        return add_named(p, set, c);
    } else {
        return read_escape(p, code);
    }
    p->at++;
    return ONDOL_OK;
}

static ondol_status parse_class(pattern *p) {
    ondol_status status = ONDOL_OK;
    class_set set;
    set.n = 0;
    p->at++;
    set.negated = peek(p, 0) == '^';
    if (set.negated) p->at++;
    while (peek(p, 0) != ']') {
        uint32_t low = 0, high = 0;
        bool named = false, named_end = false;
        if (p->at >= p->n) TRY(malformed(p, "expected ']'"));
        TRY(read_member(p, &set, &low, &named));
        if (named) continue;
        high = low;
        if (peek(p, 0) == '-' && peek(p, 1) != ']' && p->at + 1 < p->n) {
            p->at++;
            TRY(read_member(p, &set, &high, &named_end));
            if (named_end) {
                TRY(add_range(p, &set, '-', '-'));
                high = low;
            }
        }
        if (high < low) TRY(malformed(p, "a range whose end is below its start"));
        TRY(add_range(p, &set, low, high));
    }
    p->at++;
    TRY(append_set(p, &set));
done:
    return status;
}

/* ---- terms ---- */

static ondol_status append_character(pattern *p, uint32_t code) {
    class_set set = {.n = 1, .negated = false};
    set.ranges[0] = (grammar_code_range){code, code};
    return append_set(p, &set);
}

static ondol_status parse_group(pattern *p, lengths *length) {
    ondol_status status = ONDOL_OK;
    p->at++;
    if (peek(p, 0) == '?') {
        const char kind = peek(p, 1), next = peek(p, 2);
        if (kind == ':') {
            p->at += 2;
        } else if (kind == '<' && next != '=' && next != '!') {
            while (p->at < p->n && peek(p, 0) != '>')
                p->at++;
            p->at++;
        } else {
            TRY(unsupported(p, "a look-around or flags"));
        }
    }
    base_buffer_append_text(p->out, "(");
    TRY(parse_choice(p, length));
    if (peek(p, 0) != ')') TRY(malformed(p, "expected ')'"));
    base_buffer_append_text(p->out, ")");
    p->at++;
done:
    return status;
}

static ondol_status parse_atom(pattern *p, lengths *length) {
    ondol_status status = ONDOL_OK;
    class_set set = {.n = 0, .negated = true};
    uint32_t code = 0;
    const char c = peek(p, 0);
    *length = (lengths){1, 1};
    if (c == '(') return parse_group(p, length);
    if (c == '[') return parse_class(p);
    if (c == '*' || c == '+' || c == '?') return malformed(p, "nothing to repeat");
    if (c == '^' || c == '$') return unsupported(p, "an anchor inside");
    if (c == '.') {
        p->at++;
        TRY(add_range(p, &set, '\n', '\n'));
        TRY(add_range(p, &set, '\r', '\r'));
        TRY(add_range(p, &set, 0x2028, 0x2029));
        return append_set(p, &set);
    }
    if (c == '\\' && is_named_class(peek(p, 1))) {
        set.negated = false;
        TRY(add_named(p, &set, peek(p, 1)));
        p->at += 2;
        return append_set(p, &set);
    }
    if (c == '\\') {
        p->at++;
        TRY(read_escape(p, &code));
    } else {
        TRY(read_plain(p, &code));
    }
    TRY(append_character(p, code));
done:
    return status;
}

/* {m}, {m,} or {m,n} at p->at; false: what stands there is plain text. */
static bool read_braces(pattern *p, size_t *min, size_t *max) {
    size_t at = p->at + 1, values[2] = {0, SIZE_MAX}, count = 0;
    for (; count < 2; count++) {
        size_t digits = 0, value = 0;
        for (; at < p->n && p->text[at] >= '0' && p->text[at] <= '9'; at++, digits++)
            value = value > 1000000000 ? value : value * 10 + (size_t)(p->text[at] - '0');
        if (digits == 0 && count == 0) return false;
        if (digits > 0) values[count] = value;
        if (count == 0 && at < p->n && p->text[at] == ',') {
            at++;
            continue;
        }
        if (count == 0) values[1] = values[0];
        break;
    }
    if (at >= p->n || p->text[at] != '}') return false;
    p->at = at + 1;
    *min = values[0];
    *max = values[1];
    return true;
}

static ondol_status parse_term(pattern *p, lengths *length) {
    ondol_status status = ONDOL_OK;
    size_t min = 1, max = 1;
    TRY(parse_atom(p, length));
    const char c = peek(p, 0);
    if (c == '*' || c == '+' || c == '?') {
        min = c == '+';
        max = c == '?' ? 1 : SIZE_MAX;
        p->at++;
    } else if (c != '{' || !read_braces(p, &min, &max)) {
        goto done;
    }
    if (peek(p, 0) == '?') p->at++; /* lazy: the same texts */
    if (max < min) TRY(malformed(p, "a repetition {m,n} with n below m"));
    schema_append_times(p->out, min, max);
    *length = (lengths){mul_lengths(length->min, min), mul_lengths(length->max, max)};
done:
    return status;
}

/* One alternative; anchors are met at the ends of the outermost ones alone, and what lacks one may
 * go on with any text there. */
static ondol_status parse_alternative(pattern *p, lengths *length) {
    ondol_status status = ONDOL_OK;
    const char *chars = NULL;
    const bool outer = p->depth == 1;
    bool begins = p->whole, ends = p->whole;
    *length = (lengths){0, 0};
    if (outer && peek(p, 0) == '^' && p->at < p->n) {
        p->at++;
        begins = true;
    }
    if (outer) TRY(schema_use(p->c, SCHEMA_CHAR, &chars));
    base_buffer_append_text(p->out, outer && !begins ? "char*" : "\"\"");
    while (p->at < p->n && peek(p, 0) != '|' && peek(p, 0) != ')') {
        lengths term;
        if (outer && peek(p, 0) == '$' && (p->at + 1 == p->n || peek(p, 1) == '|')) {
            p->at++;
            ends = true;
            break;
        }
        base_buffer_append_text(p->out, " ");
        TRY(parse_term(p, &term));
        *length = (lengths){add_lengths(length->min, term.min), add_lengths(length->max, term.max)};
    }
    if (outer && !ends) base_buffer_append_text(p->out, " char*");
    if (outer && (!begins || !ends)) length->max = SIZE_MAX;
    status = schema_buffer(p->c, p->out);
done:
    return status;
}

/* Recursion is capped by p->depth. */
static ondol_status parse_choice(pattern *p, lengths *length) {
    ondol_status status = ONDOL_OK;
    if (p->depth >= PATTERN_NESTING_MAX)
        return base_fail(p->c->err, ONDOL_E_LIMIT, "JSON schema: a pattern nested over %u deep",
                         PATTERN_NESTING_MAX);
    p->depth++;
    TRY(parse_alternative(p, length));
    while (peek(p, 0) == '|') {
        lengths other;
        p->at++;
        base_buffer_append_text(p->out, " | ");
        TRY(parse_alternative(p, &other));
        if (other.min < length->min) length->min = other.min;
        if (other.max > length->max) length->max = other.max;
    }
    p->depth--;
done:
    return status;
}

ondol_status schema_pattern(schema_context *c, const char *text, size_t n, base_buffer *body,
                            size_t *min, size_t *max) {
    ondol_status status = ONDOL_OK;
    pattern p = {.c = c, .text = text, .n = n, .out = body};
    lengths length = {0, 0};
    size_t backslashes = 0;
    while (n >= 2 + backslashes && text[n - 2 - backslashes] == '\\')
        backslashes++;
    p.whole = n >= 2 && text[0] == '^' && text[n - 1] == '$' && backslashes % 2 == 0;
    base_buffer_append_text(body, "(");
    TRY(parse_choice(&p, &length));
    if (p.at < n) TRY(malformed(&p, "a ')' without its '('"));
    base_buffer_append_text(body, ")");
    *min = length.min;
    *max = length.max;
done:
    return status;
}
