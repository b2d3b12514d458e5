/* strftime of our own: no locale, no time zone of the process, any year. */
#include "text/template/template_strftime.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct moment {
    int64_t year, unix_time;
    int month, day, hour, minute, second, weekday, yearday; /* month, yearday from 0; Sunday = 0 */
} moment;

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Civil date from days since 1970 (H. Hinnant, chrono-compatible low-level date algorithms). */
static moment moment_of(int64_t unix_time, int32_t offset) {
    moment m = {.unix_time = unix_time};
    int64_t seconds = unix_time + offset, days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    m.hour = (int)(rest / 3600);
    m.minute = (int)(rest / 60 % 60);
    m.second = (int)(rest % 60);
    m.weekday = (int)(((days + 4) % 7 + 7) % 7);
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100),
            month = (5 * of_year + 2) / 153;
    m.day = (int)(of_year - (153 * month + 2) / 5 + 1);
    m.month = (int)(month < 10 ? month + 2 : month - 10);
    m.year = year + era * 400 + (m.month <= 1);
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    m.yearday = before[m.month] + m.day - 1 + (m.month > 1 && is_leap(m.year));
    return m;
}

/* ISO 8601 week and the year that it belongs to. */
static int iso_week(const moment *m, int64_t *year) {
    int weekday = (m->weekday + 6) % 7; /* Monday = 0 */
    int week = (m->yearday - weekday + 10) / 7;
    *year = m->year;
    if (week < 1) {
        *year = m->year - 1;
        int yearday = m->yearday + (is_leap(*year) ? 366 : 365);
        return (yearday - weekday + 10) / 7;
    }
    int left = (is_leap(m->year) ? 366 : 365) - m->yearday;
    if (week == 53 && left <= 3 - weekday) {
        *year = m->year + 1;
        return 1;
    }
    return week;
}

typedef struct field {
    const char *text; /* NULL: a number */
    int64_t number;
    int width;
    char pad;
} field;

static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};

static bool number_field(const moment *m, char conversion, field *out) {
    int64_t iso_year = 0;
    int week = iso_week(m, &iso_year), hour12 = m->hour % 12 ? m->hour % 12 : 12;
    const struct {
        char conversion;
        int64_t number;
        int width;
        char pad;
    } fields[] = {
        {'d', m->day, 2, '0'},
        {'e', m->day, 2, ' '},
        {'m', m->month + 1, 2, '0'},
        {'y', (m->year % 100 + 100) % 100, 2, '0'},
        {'Y', m->year, 1, '0'},
        {'C', m->year / 100, 2, '0'},
        {'H', m->hour, 2, '0'},
        {'k', m->hour, 2, ' '},
        {'I', hour12, 2, '0'},
        {'l', hour12, 2, ' '},
        {'M', m->minute, 2, '0'},
        {'S', m->second, 2, '0'},
        {'f', 0, 6, '0'},
        {'j', m->yearday + 1, 3, '0'},
        {'w', m->weekday, 1, '0'},
        {'u', m->weekday ? m->weekday : 7, 1, '0'},
        {'U', (m->yearday + 7 - m->weekday) / 7, 2, '0'},
        {'W', (m->yearday + 7 - (m->weekday + 6) % 7) / 7, 2, '0'},
        {'V', week, 2, '0'},
        {'G', iso_year, 1, '0'},
        {'g', (iso_year % 100 + 100) % 100, 2, '0'},
        {'s', m->unix_time, 1, '0'},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].conversion != conversion) continue;
        *out = (field){NULL, fields[i].number, fields[i].width, fields[i].pad};
        return true;
    }
    return false;
}

static bool text_field(const moment *m, char conversion, char *space, field *out) {
    *out = (field){0};
    switch (conversion) {
    case 'A': out->text = day_names[m->weekday]; break;
    case 'B': out->text = month_names[m->month]; break;
    case 'a':
    case 'b':
    case 'h':
        memcpy(space, conversion == 'a' ? day_names[m->weekday] : month_names[m->month], 3);
        space[3] = 0;
        out->text = space;
        break;
    case 'p': out->text = m->hour < 12 ? "AM" : "PM"; break;
    case 'P': out->text = m->hour < 12 ? "am" : "pm"; break;
    case 'Z':
    case 'z': out->text = ""; break;
    case 'n': out->text = "\n"; break;
    case 't': out->text = "\t"; break;
    case '%': out->text = "%"; break;
    default: return false;
    }
    return true;
}

/* Conversions that stand for several others. */
static const char *compound(char conversion) {
    switch (conversion) {
    case 'D':
    case 'x': return "%m/%d/%y";
    case 'F': return "%Y-%m-%d";
    case 'R': return "%H:%M";
    case 'T':
    case 'X': return "%H:%M:%S";
    case 'r': return "%I:%M:%S %p";
    case 'c': return "%a %b %e %H:%M:%S %Y";
    default: return NULL;
    }
}

static ondol_status build_field(template_run *run, template_builder *b, const moment *m,
                                char conversion, char flag) {
    char text[40], space[8];
    field f;
    ondol_status status = ONDOL_OK;
    if (text_field(m, conversion, space, &f)) {
        size_t n = strlen(f.text);
        memcpy(text, f.text, n + 1);
        for (size_t i = 0; flag == '^' && i < n; i++)
            if (text[i] >= 'a' && text[i] <= 'z') text[i] = (char)(text[i] - 32);
        for (size_t i = 0; flag == '#' && conversion == 'p' && i < n; i++)
            text[i] = (char)(text[i] + 32);
        return template_build(run, b, text, n);
    }
    if (!number_field(m, conversion, &f)) {
        return template_fail(run, ONDOL_E_UNSUPPORTED, "strftime_now: '%%%c' is not known",
                             conversion > 0x20 && conversion < 0x7f ? conversion : '?');
    }
    if (flag == '_') f.pad = ' ';
    if (flag == '0') f.pad = '0';
    if (flag == '-') f.width = 1;
    int n = snprintf(text, sizeof text, "%" PRId64, f.number);
    for (int i = n; i < f.width && status == ONDOL_OK; i++)
        status = template_build(run, b, &f.pad, 1);
    return status == ONDOL_OK ? template_build(run, b, text, (size_t)n) : status;
}

static ondol_status build_format(template_run *run, template_builder *b, const moment *m,
                                 const char *format, size_t n, bool nested) {
    ondol_status status = ONDOL_OK;
    for (size_t at = 0; at < n && status == ONDOL_OK; at++) {
        if (format[at] != '%' || at + 1 == n) {
            status = template_build(run, b, format + at, 1);
            continue;
        }
        char flag = 0;
        at++;
        while (at + 1 < n && format[at] && strchr("-_0^#", format[at]))
            flag = format[at++];
        if (at + 1 < n && (format[at] == 'E' || format[at] == 'O')) at++;
        const char *parts = compound(format[at]);
        if (parts && !nested)
            status = build_format(run, b, m, parts, strlen(parts), true);
        else
            status = build_field(run, b, m, format[at], flag);
    }
    return status;
}

ondol_status template_strftime(template_run *run, template_builder *builder,
                               const template_string *format, int64_t unix_time,
                               int32_t utc_offset_seconds) {
    const int64_t most = (int64_t)1 << 50; /* years beyond any calendar, and no overflow */
    if (unix_time > most) unix_time = most;
    if (unix_time < -most) unix_time = -most;
    moment m = moment_of(unix_time, utc_offset_seconds);
    return build_format(run, builder, &m, format->bytes, format->size, false);
}
