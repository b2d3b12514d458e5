/* Exit statuses, and the one sentence on standard error that goes with each. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include <ondol/ondol.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

#if defined(__GNUC__)
#define REPORT_FORMAT(a, b) __attribute__((format(printf, a, b)))
#else
#define REPORT_FORMAT(a, b)
#endif

/* "ondol: ..." Returns EXIT_FAILED. */
int report_failure(const char *format, ...) REPORT_FORMAT(1, 2);

/* The library's sentence. Returns EXIT_INTERRUPTED where Ctrl-C was the cause, or EXIT_FAILED. */
int report_error(const ondol_error *err);

/* "ondol run: ...; see 'ondol run --help'" (command NULL: "ondol"). Returns EXIT_USAGE. */
int report_usage(const char *command, const char *format, ...) REPORT_FORMAT(2, 3);

/* "ondol: warning: ..." */
void report_warning(const char *format, ...) REPORT_FORMAT(1, 2);

/* Text to standard output at once, for streaming. False after a fault, which report_flush tells. */
bool report_stream(const char *text, size_t bytes);

/* Flushes standard output; a full disk or a closed pipe is reported. Returns an exit status. */
int report_flush(int status);

/* Memory, or the sentence and the end of the program. size 0 is taken as 1. */
void *memory_take(size_t size);
void *memory_resize(void *memory, size_t size);
char *memory_text(const char *text);

#endif
