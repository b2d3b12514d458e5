/* Status and error text. In: a status and a printf format. Out: one clean line in ondol_error. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* Error text may quote bytes of a hostile file: keep it one line of valid UTF-8. */
static void clean_line(char *text) {
    size_t n = strlen(text);
    size_t i = 0;
    while (i < n) {
        uint32_t code = 0;
        size_t used = base_utf8_decode((const unsigned char *)text + i, n - i, &code);
        if (used == 0) {
            text[i++] = '?';
        } else {
            if (used == 1 && (code < 0x20 || code == 0x7f)) text[i] = '?';
            i += used;
        }
    }
}

ondol_status base_fail(ondol_error *err, ondol_status status, const char *format, ...) {
    if (!err) return status;
    va_list args;
    va_start(args, format);
    err->status = status;
    if (vsnprintf(err->text, sizeof err->text, format, args) < 0) err->text[0] = 0;
    va_end(args);
    clean_line(err->text);
    return status;
}

ondol_status base_prefix(ondol_error *err, ondol_status status, const char *format, ...) {
    if (!err || status == ONDOL_OK) return status;
    char old[ONDOL_ERROR_TEXT_BYTES];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (n < 0) n = 0;
    size_t used = (size_t)n < sizeof err->text ? (size_t)n : sizeof err->text - 1;
    if (used + 2 < sizeof err->text) {
        err->text[used++] = ':';
        err->text[used++] = ' ';
        size_t room = sizeof err->text - 1 - used, length = strlen(old);
        size_t kept = length < room ? length : room;
        memcpy(err->text + used, old, kept);
        err->text[used + kept] = 0;
    }
    clean_line(err->text);
    return status;
}

const char *base_status_name(ondol_status status) {
    switch (status) {
    case ONDOL_OK: return "ok";
    case ONDOL_E_ARGUMENT: return "argument";
    case ONDOL_E_MEMORY: return "memory";
    case ONDOL_E_IO: return "io";
    case ONDOL_E_FORMAT: return "format";
    case ONDOL_E_UNSUPPORTED: return "unsupported";
    case ONDOL_E_LIMIT: return "limit";
    case ONDOL_E_FULL: return "full";
    case ONDOL_E_CANCELLED: return "cancelled";
    case ONDOL_E_NOT_FOUND: return "not found";
    case ONDOL_E_DEVICE: return "device";
    case ONDOL_E_INTERNAL: return "internal";
    }
    return "unknown";
}
