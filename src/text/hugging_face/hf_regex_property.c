/* Names of character properties. In: a name as Oniguruma takes it. Out: items of a PCRE2 class. */
#include <string.h>

#include "text/hugging_face/hf_regex_translate.h"

#define NAME_BYTES_MAX 48

typedef struct property_row {
    const char *name; /* lower case, no spaces, hyphens and underscores */
    const char *items;
} property_row;

static const property_row property_rows[] = {
    {"alnum", "\\p{Alphabetic}\\p{Nd}"},
    {"alpha", "\\p{Alphabetic}"},
    {"blank", "\\p{Zs}\\x{9}"},
    {"cntrl", "\\p{Cc}"},
    {"digit", "\\p{Nd}"},
    {"lower", "\\p{Lowercase}"},
    {"upper", "\\p{Uppercase}"},
    {"graph", "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Cf}\\p{Co}"},
    {"print", "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Cf}\\p{Co}\\p{Zs}"},
    {"punct", "\\p{P}"},
    {"space", HF_SPACE_ITEMS},
    {"xdigit", "0-9a-fA-F"},
    {"word", HF_WORD_ITEMS},
    {"ascii", "\\x{0}-\\x{7f}"},
    {"any", "\\x{0}-\\x{10ffff}"},
    {"assigned", "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Z}\\p{Cc}\\p{Cf}\\p{Co}\\p{Cs}"},
    {"other", "\\p{C}"},
    {"control", "\\p{Cc}"},
    {"format", "\\p{Cf}"},
    {"unassigned", "\\p{Cn}"},
    {"privateuse", "\\p{Co}"},
    {"surrogate", "\\p{Cs}"},
    {"letter", "\\p{L}"},
    {"casedletter", "\\p{L&}"},
    {"lc", "\\p{L&}"},
    {"lowercaseletter", "\\p{Ll}"},
    {"modifierletter", "\\p{Lm}"},
    {"otherletter", "\\p{Lo}"},
    {"titlecaseletter", "\\p{Lt}"},
    {"uppercaseletter", "\\p{Lu}"},
    {"mark", "\\p{M}"},
    {"combiningmark", "\\p{M}"},
    {"spacingmark", "\\p{Mc}"},
    {"enclosingmark", "\\p{Me}"},
    {"nonspacingmark", "\\p{Mn}"},
    {"number", "\\p{N}"},
    {"decimalnumber", "\\p{Nd}"},
    {"letternumber", "\\p{Nl}"},
    {"othernumber", "\\p{No}"},
    {"punctuation", "\\p{P}"},
    {"connectorpunctuation", "\\p{Pc}"},
    {"dashpunctuation", "\\p{Pd}"},
    {"closepunctuation", "\\p{Pe}"},
    {"finalpunctuation", "\\p{Pf}"},
    {"initialpunctuation", "\\p{Pi}"},
    {"otherpunctuation", "\\p{Po}"},
    {"openpunctuation", "\\p{Ps}"},
    {"symbol", "\\p{S}"},
    {"currencysymbol", "\\p{Sc}"},
    {"modifiersymbol", "\\p{Sk}"},
    {"mathsymbol", "\\p{Sm}"},
    {"othersymbol", "\\p{So}"},
    {"separator", "\\p{Z}"},
    {"lineseparator", "\\p{Zl}"},
    {"paragraphseparator", "\\p{Zp}"},
    {"spaceseparator", "\\p{Zs}"},
};

/* What may stand in [:...:]. */
static const char *const posix_names[] = {"alnum", "alpha", "ascii", "blank", "cntrl",
                                          "digit", "graph", "lower", "print", "punct",
                                          "space", "upper", "word",  "xdigit"};

static bool is_posix(const char *name) {
    for (size_t i = 0; i < sizeof posix_names / sizeof posix_names[0]; i++) {
        if (strcmp(posix_names[i], name) == 0) return true;
    }
    return false;
}

/* General categories and yes-or-no properties that PCRE2 knows by the same name. */
static const char *const same_names[] = {"c",
                                         "cc",
                                         "cf",
                                         "cn",
                                         "co",
                                         "cs",
                                         "l",
                                         "ll",
                                         "lm",
                                         "lo",
                                         "lt",
                                         "lu",
                                         "m",
                                         "mc",
                                         "me",
                                         "mn",
                                         "n",
                                         "nd",
                                         "nl",
                                         "no",
                                         "p",
                                         "pc",
                                         "pd",
                                         "pe",
                                         "pf",
                                         "pi",
                                         "po",
                                         "ps",
                                         "s",
                                         "sc",
                                         "sk",
                                         "sm",
                                         "so",
                                         "z",
                                         "zl",
                                         "zp",
                                         "zs",
                                         "alphabetic",
                                         "whitespace",
                                         "lowercase",
                                         "uppercase",
                                         "asciihexdigit",
                                         "cased",
                                         "caseignorable",
                                         "dash",
                                         "defaultignorablecodepoint",
                                         "deprecated",
                                         "diacritic",
                                         "emoji",
                                         "emojicomponent",
                                         "emojimodifier",
                                         "emojimodifierbase",
                                         "emojipresentation",
                                         "extendedpictographic",
                                         "extender",
                                         "graphemebase",
                                         "graphemeextend",
                                         "hexdigit",
                                         "idcontinue",
                                         "idstart",
                                         "ideographic",
                                         "joincontrol",
                                         "math",
                                         "noncharactercodepoint",
                                         "patternsyntax",
                                         "patternwhitespace",
                                         "quotationmark",
                                         "radical",
                                         "regionalindicator",
                                         "softdotted",
                                         "terminalpunctuation",
                                         "unifiedideograph",
                                         "variationselector",
                                         "xidcontinue",
                                         "xidstart"};

bool hf_regex_property(const char *name, size_t n, bool posix, base_buffer *out, bool *negated) {
    char plain[NAME_BYTES_MAX];
    size_t used = 0;
    if (n > 0 && name[0] == '^') {
        *negated = !*negated;
        name++;
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        const char c = name[i];
        if (c == ' ' || c == '_' || c == '-') continue;
        const bool upper = c >= 'A' && c <= 'Z';
        if (!upper && !(c >= 'a' && c <= 'z')) return false;
        if (used + 1 >= sizeof plain) return false;
        plain[used++] = upper ? (char)(c - 'A' + 'a') : c;
    }
    plain[used] = 0;
    if (used == 0 || (posix && !is_posix(plain))) return false;
    if (posix && strcmp(plain, "punct") == 0) {
        base_buffer_append_text(out, "\\p{P}\\p{S}");
        return true;
    }
    for (size_t i = 0; i < sizeof property_rows / sizeof property_rows[0]; i++) {
        if (strcmp(property_rows[i].name, plain) == 0)
            return base_buffer_append_text(out, property_rows[i].items) || true;
    }
    for (size_t i = 0; i < sizeof same_names / sizeof same_names[0]; i++) {
        if (strcmp(same_names[i], plain) == 0)
            return base_buffer_append_format(out, "\\p{%s}", plain) || true;
    }
    /* The rest are scripts: PCRE2 itself says whether there is one of that name. */
    return base_buffer_append_format(out, "\\p{sc:%s}", plain) || true;
}
