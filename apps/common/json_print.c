/* Facts -> JSON on standard output. */
#include "common/json_print.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/report.h"
#include "common/text_buffer.h"

int json_print(json_t *value) {
    char *text = value ? json_dumps(value, JSON_REAL_PRECISION(15)) : NULL;
    json_decref(value);
    if (!text) return report_failure("out of memory for JSON");
    puts(text);
    free(text);
    return report_flush(EXIT_DONE);
}

/* Bytes of the valid UTF-8 character at s, or 0. */
static size_t character_bytes(const unsigned char *s, size_t n) {
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (s[0] < 0x80) return 1;
    size_t need = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    if (!need || s[0] > 0xf4 || need > n) return 0;
    unsigned code = s[0] & (0x7fu >> need);
    for (size_t i = 1; i < need; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[need] || code > 0x10ffff || surrogate ? 0 : need;
}

json_t *json_text(const char *bytes, size_t size) {
    text_buffer clean = {0};
    text_append(&clean, "", 0);
    for (size_t i = 0; i < size;) {
        size_t n = character_bytes((const unsigned char *)bytes + i, size - i);
        if (n) {
            text_append(&clean, bytes + i, n);
        } else {
            text_print(&clean, "<0x%02X>", (unsigned)(unsigned char)bytes[i]);
            n = 1;
        }
        i += n;
    }
    json_t *out = json_stringn(clean.bytes, clean.size);
    text_free(&clean);
    return out;
}

json_t *json_ids(const int32_t *ids, size_t count) {
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(out, json_integer(ids[i]));
    return out;
}

json_t *json_rounded(double value) {
    if (!isfinite(value)) return json_null();
    char text[40];
    snprintf(text, sizeof text, "%.6g", value);
    return json_real(strtod(text, NULL));
}
