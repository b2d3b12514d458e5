/* Character classes and searching, as Python's str has them. */
#include "text/template/template_text.h"

#include <string.h>
#include <utf8proc.h>

#include "text/template/template_value.h"

typedef struct code_range {
    uint32_t first, last;
} code_range;

static bool in_ranges(const code_range *ranges, size_t n, uint32_t code) {
    for (size_t i = 0; i < n; i++)
        if (code >= ranges[i].first && code <= ranges[i].last) return true;
    return false;
}

#define IN_RANGES(table, code) in_ranges(table, sizeof(table) / sizeof *(table), code)

static utf8proc_category_t category(uint32_t code) {
    return utf8proc_category((utf8proc_int32_t)code);
}

bool template_code_is_space(uint32_t code) {
    if (code < 0x80) return (code >= 9 && code <= 13) || (code >= 28 && code <= 32);
    return code == 0x85 || code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) ||
           code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool template_code_is_alpha(uint32_t code) {
    if (code < 0x80) return (code | 32) >= 'a' && (code | 32) <= 'z';
    utf8proc_category_t c = category(code);
    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

bool template_code_is_decimal(uint32_t code) {
    if (code < 0x80) return code >= '0' && code <= '9';
    return category(code) == UTF8PROC_CATEGORY_ND;
}

bool template_code_is_digit(uint32_t code) {
    /* Numeric_Type=Digit */
    static const code_range digits[] = {
        {0xb2, 0xb3},       {0xb9, 0xb9},       {0x1369, 0x1371},   {0x19da, 0x19da},
        {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
        {0x2474, 0x247c},   {0x2488, 0x2490},   {0x24ea, 0x24ea},   {0x24f5, 0x24fd},
        {0x24ff, 0x24ff},   {0x2776, 0x277e},   {0x2780, 0x2788},   {0x278a, 0x2792},
        {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a},
    };
    return template_code_is_decimal(code) || (code >= 0x80 && IN_RANGES(digits, code));
}

bool template_code_is_numeric(uint32_t code) {
    if (code < 0x80) return code >= '0' && code <= '9';
    /* the ideographs that are numbers */
    static const code_range ideographs[] = {
        {0x3405, 0x3405}, {0x3483, 0x3483}, {0x382a, 0x382a}, {0x3b4d, 0x3b4d}, {0x4e00, 0x4e00},
        {0x4e03, 0x4e03}, {0x4e07, 0x4e07}, {0x4e09, 0x4e09}, {0x4e5d, 0x4e5d}, {0x4e8c, 0x4e8c},
        {0x4e94, 0x4e94}, {0x4e96, 0x4e96}, {0x4ebf, 0x4ec0}, {0x4edf, 0x4edf}, {0x4ee8, 0x4ee8},
        {0x4f0d, 0x4f0d}, {0x4f70, 0x4f70}, {0x5104, 0x5104}, {0x5146, 0x5146}, {0x5169, 0x5169},
        {0x516b, 0x516b}, {0x516d, 0x516d}, {0x5341, 0x5341}, {0x5343, 0x5345}, {0x534c, 0x534c},
        {0x53c1, 0x53c4}, {0x56db, 0x56db}, {0x58f1, 0x58f1}, {0x58f9, 0x58f9}, {0x5e7a, 0x5e7a},
        {0x5efe, 0x5eff}, {0x5f0c, 0x5f0e}, {0x5f10, 0x5f10}, {0x62fe, 0x62fe}, {0x634c, 0x634c},
        {0x67d2, 0x67d2}, {0x6f06, 0x6f06}, {0x7396, 0x7396}, {0x767e, 0x767e}, {0x8086, 0x8086},
        {0x842c, 0x842c}, {0x8cae, 0x8cae}, {0x8cb3, 0x8cb3}, {0x8d30, 0x8d30}, {0x9621, 0x9621},
        {0x9646, 0x9646}, {0x964c, 0x964c}, {0x9678, 0x9678}, {0x96f6, 0x96f6},
    };
    utf8proc_category_t c = category(code);
    return (c >= UTF8PROC_CATEGORY_ND && c <= UTF8PROC_CATEGORY_NO) || IN_RANGES(ideographs, code);
}

bool template_code_is_alnum(uint32_t code) {
    return template_code_is_alpha(code) || template_code_is_numeric(code);
}

bool template_code_is_word(uint32_t code) {
    return code == '_' || template_code_is_alnum(code);
}

bool template_code_is_printable(uint32_t code) {
    if (code < 0x80) return code >= 0x20 && code < 0x7f;
    utf8proc_category_t c = category(code);
    return c != UTF8PROC_CATEGORY_CN && !(c >= UTF8PROC_CATEGORY_ZS && c <= UTF8PROC_CATEGORY_CO);
}

bool template_code_is_lower(uint32_t code) {
    if (code < 0x80) return code >= 'a' && code <= 'z';
    /* Other_Lowercase */
    static const code_range lower[] = {
        {0xaa, 0xaa},       {0xba, 0xba},       {0x2b0, 0x2b8},     {0x2c0, 0x2c1},
        {0x2e0, 0x2e4},     {0x345, 0x345},     {0x37a, 0x37a},     {0x1d2c, 0x1d6a},
        {0x1d78, 0x1d78},   {0x1d9b, 0x1dbf},   {0x2071, 0x2071},   {0x207f, 0x207f},
        {0x2090, 0x209c},   {0x2170, 0x217f},   {0x24d0, 0x24e9},   {0x2c7c, 0x2c7d},
        {0xa69c, 0xa69d},   {0xa770, 0xa770},   {0xa7f8, 0xa7f9},   {0xab5c, 0xab5f},
        {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba},
    };
    return category(code) == UTF8PROC_CATEGORY_LL || IN_RANGES(lower, code);
}

bool template_code_is_upper(uint32_t code) {
    if (code < 0x80) return code >= 'A' && code <= 'Z';
    /* Other_Uppercase */
    static const code_range upper[] = {
        {0x2160, 0x216f},   {0x24b6, 0x24cf},   {0x1f130, 0x1f149},
        {0x1f150, 0x1f169}, {0x1f170, 0x1f189},
    };
    return category(code) == UTF8PROC_CATEGORY_LU || IN_RANGES(upper, code);
}

bool template_code_is_title(uint32_t code) {
    return code >= 0x80 && category(code) == UTF8PROC_CATEGORY_LT;
}

bool template_code_is_cased(uint32_t code) {
    return template_code_is_lower(code) || template_code_is_upper(code) ||
           template_code_is_title(code);
}

bool template_code_is_case_ignorable(uint32_t code) {
    static const code_range marks[] = {
        {0x27, 0x27},     {0x2e, 0x2e},     {0x3a, 0x3a},     {0xb7, 0xb7},
        {0x387, 0x387},   {0x55f, 0x55f},   {0x5f4, 0x5f4},   {0x2018, 0x2019},
        {0x2024, 0x2024}, {0x2027, 0x2027}, {0xfe13, 0xfe13}, {0xfe52, 0xfe52},
        {0xfe55, 0xfe55}, {0xff07, 0xff07}, {0xff0e, 0xff0e}, {0xff1a, 0xff1a},
    };
    utf8proc_category_t c = category(code);
    return c == UTF8PROC_CATEGORY_MN || c == UTF8PROC_CATEGORY_ME || c == UTF8PROC_CATEGORY_CF ||
           c == UTF8PROC_CATEGORY_LM || c == UTF8PROC_CATEGORY_SK || IN_RANGES(marks, code);
}

size_t template_text_strip_right(const char *text, size_t n) {
    while (n > 0) {
        size_t at = n - 1;
        while (at > 0 && n - at < 4 && ((unsigned char)text[at] & 0xc0) == 0x80)
            at--;
        uint32_t code = 0;
        size_t used = template_text_next(text, n, at, &code);
        if (at + used != n || !template_code_is_space(code)) break;
        n = at;
    }
    return n;
}

size_t template_text_leading_space(const char *text, size_t n) {
    size_t at = 0;
    while (at < n) {
        uint32_t code = 0;
        size_t used = template_text_next(text, n, at, &code);
        if (!template_code_is_space(code)) break;
        at += used;
    }
    return at;
}

#define HASH_FROM_BYTES 32
#define HASH_BASE       0x9e3779b97f4a7c15u

/* Rabin and Karp: linear however alike text and part are. step 1 searches from the left, -1 from
 * the right, where each window is hashed from its last byte to its first. */
static size_t find_hashed(const char *text, size_t n, const char *part, size_t m, int step) {
    uint64_t want = 0, got = 0, power = 1;
    for (size_t i = 0; i < m; i++) {
        size_t in_part = step > 0 ? i : m - 1 - i, in_text = step > 0 ? i : n - 1 - i;
        want = want * HASH_BASE + (unsigned char)part[in_part];
        got = got * HASH_BASE + (unsigned char)text[in_text];
        power *= HASH_BASE;
    }
    for (size_t i = 0;; i++) {
        size_t at = step > 0 ? i : n - m - i;
        if (got == want && memcmp(text + at, part, m) == 0) return at;
        if (i == n - m) return SIZE_MAX;
        size_t leaves = step > 0 ? i : n - 1 - i, enters = step > 0 ? i + m : n - 1 - i - m;
        got = got * HASH_BASE + (unsigned char)text[enters] - power * (unsigned char)text[leaves];
    }
}

size_t template_text_find(const char *text, size_t n, const char *part, size_t part_n) {
    if (part_n == 0) return 0;
    if (part_n > n) return SIZE_MAX;
    if (part_n > HASH_FROM_BYTES) return find_hashed(text, n, part, part_n, 1);
    for (size_t at = 0; part_n <= n - at; at++) {
        const char *p = memchr(text + at, part[0], n - at - part_n + 1);
        if (!p) break;
        at = (size_t)(p - text);
        if (memcmp(p, part, part_n) == 0) return at;
    }
    return SIZE_MAX;
}

size_t template_text_find_last(const char *text, size_t n, const char *part, size_t part_n) {
    if (part_n > n) return SIZE_MAX;
    if (part_n > HASH_FROM_BYTES) return find_hashed(text, n, part, part_n, -1);
    for (size_t at = n - part_n + 1; at-- > 0;)
        if (memcmp(text + at, part, part_n) == 0) return at;
    return SIZE_MAX;
}

size_t template_text_line_break(const char *text, size_t n, size_t at) {
    uint32_t code = 0;
    size_t used = template_text_next(text, n, at, &code);
    if (code == '\r' && at + 1 < n && text[at + 1] == '\n') return 2;
    bool is_break = (code >= 10 && code <= 13) || (code >= 28 && code <= 30) || code == 0x85 ||
                    code == 0x2028 || code == 0x2029;
    return is_break ? used : 0;
}
