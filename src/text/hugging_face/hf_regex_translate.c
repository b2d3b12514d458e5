/* Regular expressions, token by token. In: Oniguruma's syntax. Out: PCRE2's. What differs is
 * written out: \w, \s, \b, \h by their characters, (?m) as (?s), options to the end of their group,
 * {n,m}+ as a repetition of a repetition. */
#include "text/hugging_face/hf_regex_translate.h"

#include <string.h>

#include "base/utf8.h"
#include "text/hugging_face/hf_regex_reader.h"

#define NO_ATOM SIZE_MAX

#define WORD             "[" HF_WORD_ALONE "]"
#define WORD_BOUNDARY    "(?:(?<=" WORD ")(?!" WORD ")|(?<!" WORD ")(?=" WORD "))"
#define NO_WORD_BOUNDARY "(?:(?<=" WORD ")(?=" WORD ")|(?<!" WORD ")(?!" WORD "))"

static void atom(regex_reader *t, const char *text) {
    t->atom = t->out->size;
    t->repeated = false;
    base_buffer_append_text(t->out, text);
}

static void translate_set(regex_reader *t) {
    regex_set s;
    regex_set_init(&s, t->out->allocator);
    t->at++;
    regex_read_set(t, &s, 0);
    atom(t, "");
    regex_set_put(&s, t->out);
    if (s.items.fault) t->out->fault = s.items.fault;
    if (s.others.fault) t->out->fault = s.others.fault;
    if (s.operands.fault) t->out->fault = s.operands.fault;
    regex_set_destroy(&s);
}

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
static bool translate_reference(regex_reader *t) {
    const char c = t->text[t->at];
    if ((c != 'k' && c != 'g') || t->n - t->at < 2) return false;
    const char open = t->text[t->at + 1];
    if (open != '<' && open != '\'') return false;
    const char *end = memchr(t->text + t->at + 2, open == '<' ? '>' : '\'', t->n - t->at - 2);
    if (!end) return regex_fault(t, ONDOL_E_FORMAT, "a reference without its end");
    const size_t n = (size_t)(end - (t->text + t->at)) + 1;
    atom(t, "\\");
    base_buffer_append(t->out, t->text + t->at, n);
    t->at += n;
    return true;
}

static void translate_escape(regex_reader *t) {
    if (++t->at >= t->n) {
        regex_fault(t, ONDOL_E_FORMAT, "a backslash at its end");
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
        if (regex_read_property(t, &found, &negated)) {
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
    } else if (!translate_reference(t) && regex_read_escaped(t, &code)) {
        atom(t, "");
        regex_put_code(t->out, code);
    }
}

/* Puts what is in out from `start` on into brackets of its own. */
static void wrap(regex_reader *t, size_t start) {
    static const char open[] = "(?:";
    const size_t n = t->out->size - start;
    if (!base_buffer_append_text(t->out, "(?:)")) return;
    memmove(t->out->data + start + 3, t->out->data + start, n);
    memcpy(t->out->data + start, open, 3);
    t->out->data[start + 3 + n] = ')';
}

/* {n} {n,} {,m} {n,m}: true when one stands here; its least and most, most -1: no end. */
static bool read_interval(regex_reader *t, long *least, long *most) {
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

static void translate_quantifier(regex_reader *t) {
    const char c = t->text[t->at];
    long least = 0, most = 0;
    const bool interval = c == '{';
    if (interval && !read_interval(t, &least, &most)) {
        t->at++;
        atom(t, "\\{");
        return;
    }
    if (t->atom == NO_ATOM) {
        regex_fault(t, ONDOL_E_FORMAT, "a quantifier with nothing before it");
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

static void open_group(regex_reader *t, const char *text, size_t skip) {
    if (t->groups == REGEX_GROUPS_MAX) {
        regex_fault(t, ONDOL_E_LIMIT, "groups nested too deep");
        return;
    }
    t->group_starts[t->groups++] = t->out->size;
    t->group_closes[t->groups] = 0;
    base_buffer_append_text(t->out, text);
    t->at += skip;
    t->atom = NO_ATOM;
}

/* (?i) (?m-i:...): i stays, m becomes s. */
static void translate_options(regex_reader *t) {
    char text[16] = "(?";
    size_t used = 2, at = t->at + 2;
    for (; at < t->n && used < 12 && strchr("im-", t->text[at]); at++)
        text[used++] = t->text[at] == 'm' ? 's' : t->text[at];
    if (at >= t->n || (t->text[at] != ':' && t->text[at] != ')')) {
        regex_fault(t, ONDOL_E_UNSUPPORTED, "a group that PCRE2 does not have, or option x");
        return;
    }
    text[used] = ':';
    if (t->text[at] == ':') {
        open_group(t, text, at + 1 - t->at);
        return;
    }
    /* To the end of the group around, its alternatives included. */
    base_buffer_append_text(t->out, text);
    if (++t->group_closes[t->groups] > REGEX_GROUPS_MAX)
        regex_fault(t, ONDOL_E_LIMIT, "too many options");
    t->at = at + 1;
    t->atom = NO_ATOM;
}

static void translate_group(regex_reader *t) {
    static const char *const same[] = {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"};
    if (regex_looking_at(t, "(*")) {
        regex_fault(t, ONDOL_E_UNSUPPORTED, "a callout or verb, (*");
        return;
    }
    if (regex_looking_at(t, "(?#")) {
        const char *end = memchr(t->text + t->at, ')', t->n - t->at);
        if (!end) regex_fault(t, ONDOL_E_FORMAT, "a comment without its end");
        if (end) t->at = (size_t)(end - t->text) + 1;
        return;
    }
    if (!regex_looking_at(t, "(?")) {
        open_group(t, "(", 1);
        return;
    }
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        if (!regex_looking_at(t, same[i])) continue;
        open_group(t, same[i], strlen(same[i]));
        return;
    }
    if (!regex_looking_at(t, "(?<")) {
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
        regex_fault(t, ONDOL_E_FORMAT, "a group's name that is none");
        return;
    }
    text[n++] = '>';
    open_group(t, text, n);
}

static void close_group(regex_reader *t) {
    if (t->groups == 0) {
        regex_fault(t, ONDOL_E_FORMAT, "a ) without its (");
        return;
    }
    for (unsigned i = 0; i < t->group_closes[t->groups]; i++)
        base_buffer_append_text(t->out, ")");
    base_buffer_append_text(t->out, ")");
    t->atom = t->group_starts[--t->groups];
    t->repeated = false;
    t->at++;
}

static void translate_one(regex_reader *t) {
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
        regex_fault(t, ONDOL_E_FORMAT, "bytes that are no UTF-8");
        return;
    }
    t->at += used;
    atom(t, "");
    regex_put_code(t->out, code);
}

ondol_status hf_regex_translate(text_view pattern, base_buffer *out, const char **what) {
    regex_reader t = {.text = pattern.data, .n = pattern.size, .out = out, .atom = NO_ATOM};
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
    if (t.groups > 0) regex_fault(&t, ONDOL_E_FORMAT, "a ( without its )");
    *what = t.what;
    return t.status;
}
