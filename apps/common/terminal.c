/* What the terminal is, numbers as people read them, and the clock. */
#include "common/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool terminal_is(int file_descriptor) {
    const char *kind = getenv("TERM");
    return isatty(file_descriptor) && kind && strcmp(kind, "dumb") != 0;
}

bool terminal_has_colour(int file_descriptor) {
    const char *no_colour = getenv("NO_COLOR");
    return terminal_is(file_descriptor) && !(no_colour && *no_colour);
}

char *bytes_for_people(uint64_t bytes, char *text, size_t size) {
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        snprintf(text, size, "%u bytes", (unsigned)bytes);
        return text;
    }
    double value = (double)bytes / 1000.0;
    size_t unit = 0;
    while (value >= 999.95 && unit < 5) {
        value /= 1000.0;
        unit++;
    }
    snprintf(text, size, "%.1f %s", value, units[unit]);
    return text;
}

char *count_for_people(uint64_t count, char *text, size_t size) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    size_t used = 0;
    for (int i = 0; i < n && used + 2 < size; i++) {
        if (i && (n - i) % 3 == 0) text[used++] = ',';
        if (used + 1 < size) text[used++] = digits[i];
    }
    text[used] = 0;
    return text;
}

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
