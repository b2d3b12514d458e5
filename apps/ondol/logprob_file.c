/* File of log-probabilities -> a stream that stands at its first row, checked. */
#include "ondol/logprob_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/report.h"

static int check_header(const char *path, const logprob_header *got, const logprob_header *expected,
                        FILE *file) {
    struct stat about;
    uint64_t row_bytes = (uint64_t)got->rows * got->vocabulary * 4;
    uint64_t window_bytes = row_bytes + (uint64_t)got->context * 4;
    if (got->vocabulary != expected->vocabulary) {
        return report_failure("'%s' is of a model with %u tokens, this one has %u", path,
                              got->vocabulary, expected->vocabulary);
    }
    if (got->context != expected->context || got->rows != expected->rows) {
        return report_failure("'%s' has windows of %u tokens; use --ctx %u", path, got->context,
                              got->context);
    }
    if (fstat(fileno(file), &about) || got->windows == 0 ||
        ((uint64_t)about.st_size - 24) / window_bytes < got->windows) {
        return report_failure("'%s' is cut short: %lld bytes for %u windows", path,
                              (long long)about.st_size, got->windows);
    }
    return EXIT_DONE;
}

/* The rows belong to the same tokens. Leaves the stream behind all of the file's tokens. */
static int check_tokens(const char *path, const logprob_header *got, const int32_t *tokens,
                        uint32_t windows, FILE *file) {
    size_t n = (size_t)windows * got->context;
    int32_t *theirs = memory_take(n * sizeof *theirs);
    int status = EXIT_DONE;
    if (fread(theirs, sizeof *theirs, n, file) != n) {
        status = report_failure("cannot read '%s': %s", path, strerror(errno));
    } else if (memcmp(theirs, tokens, n * sizeof *theirs) != 0) {
        status = report_failure("'%s' was made of another text", path);
    }
    free(theirs);
    off_t more = (off_t)(got->windows - windows) * got->context * 4;
    if (!status && fseeko(file, more, SEEK_CUR)) {
        status = report_failure("cannot read '%s': %s", path, strerror(errno));
    }
    return status;
}

int logprob_file_open(const char *path, const logprob_header *expected, const int32_t *tokens,
                      uint32_t *windows, FILE **out) {
    char magic[8];
    logprob_header got = {0};
    FILE *file = fopen(path, "rb");
    if (!file) return report_failure("cannot open '%s': %s", path, strerror(errno));
    int status = EXIT_DONE;
    if (fread(magic, 1, 8, file) != 8 || memcmp(magic, LOGPROB_MAGIC, 8) != 0 ||
        fread(&got, sizeof got, 1, file) != 1) {
        status = report_failure("'%s' is no file of ondol eval --save-logits", path);
    }
    if (!status) status = check_header(path, &got, expected, file);
    if (!status && got.windows < *windows) *windows = got.windows;
    if (!status) status = check_tokens(path, &got, tokens, *windows, file);
    if (status) {
        fclose(file);
        return status;
    }
    *out = file;
    return EXIT_DONE;
}
