/* Errors of the program: one sentence on standard error, and the exit status that belongs to it. */
#include "common/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/interrupt.h"
#include "common/progress.h"

static void print_line(const char *head, const char *format, va_list args, const char *tail) {
    progress_clear();
    fputs(head, stderr);
    vfprintf(stderr, format, args);
    fputs(tail, stderr);
    fputc('\n', stderr);
}

int report_failure(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line("ondol: ", format, args, "");
    va_end(args);
    return EXIT_FAILED;
}

int report_error(const ondol_error *err) {
    if (err->status == ONDOL_E_CANCELLED && interrupt_seen()) {
        progress_clear();
        fputs("ondol: interrupted\n", stderr);
        return EXIT_INTERRUPTED;
    }
    return report_failure("%s", err->text);
}

int report_usage(const char *command, const char *format, ...) {
    char head[64], tail[96];
    const char *gap = command ? " " : "", *name = command ? command : "";
    snprintf(head, sizeof head, "ondol%s%s: ", gap, name);
    snprintf(tail, sizeof tail, "; see 'ondol%s%s --help'", gap, name);
    va_list args;
    va_start(args, format);
    print_line(head, format, args, tail);
    va_end(args);
    return EXIT_USAGE;
}

void report_warning(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line("ondol: warning: ", format, args, "");
    va_end(args);
}

static int output_fault; /* errno of the first write that failed */

bool report_stream(const char *text, size_t bytes) {
    errno = 0;
    bool written = fwrite(text, 1, bytes, stdout) == bytes && fflush(stdout) == 0;
    if (!written && !output_fault) output_fault = errno ? errno : EIO;
    return written;
}

int report_flush(int status) {
    report_stream("", 0);
    if (ferror(stdout) && !output_fault) output_fault = EIO;
    if (!output_fault || status != EXIT_DONE) return status;
    return report_failure("cannot write to standard output: %s", strerror(output_fault));
}

void *memory_take(size_t size) {
    return memory_resize(NULL, size);
}

void *memory_resize(void *memory, size_t size) {
    void *out = realloc(memory, size ? size : 1);
    if (!out) exit(report_failure("out of memory (%zu bytes)", size));
    return out;
}

char *memory_text(const char *text) {
    size_t n = strlen(text) + 1;
    return memcpy(memory_take(n), text, n);
}
