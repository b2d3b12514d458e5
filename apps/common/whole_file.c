/* Files of the program: path -> bytes, and bytes -> a file that appears only when complete. */
#include "common/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int whole_file_read(const char *path, size_t max_bytes, text_buffer *out) {
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    FILE *stream = standard ? stdin : fopen(path, "rb");
    if (!stream) return report_failure("cannot open '%s': %s", name, strerror(errno));
    char chunk[16384];
    size_t n, total = 0;
    int status = EXIT_DONE;
    while ((n = fread(chunk, 1, sizeof chunk, stream)) > 0) {
        total += n;
        if (total > max_bytes) {
            status = report_failure("'%s' has more than %zu bytes", name, max_bytes);
            break;
        }
        text_append(out, chunk, n);
    }
    if (ferror(stream)) status = report_failure("cannot read '%s': %s", name, strerror(errno));
    if (!standard) fclose(stream);
    if (total == 0) text_append(out, "", 0);
    return status;
}

/* Devices and pipes are written in place. */
static bool written_in_place(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode);
}

int output_open(output_file *file, const char *path) {
    *file = (output_file){0};
    if (written_in_place(path)) {
        file->stream = fopen(path, "wb");
    } else {
        text_buffer name = {0};
        text_print(&name, "%s.%ld.part", path, (long)getpid());
        int descriptor = open(name.bytes, O_WRONLY | O_CREAT | O_EXCL, 0666);
        file->stream = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
        file->temporary = name.bytes;
    }
    file->path = memory_text(path);
    struct stat about;
    if (file->stream && stat(path, &about) == 0 && S_ISDIR(about.st_mode)) {
        errno = EISDIR;
    } else if (file->stream) {
        return EXIT_DONE;
    }
    int status = report_failure("cannot write '%s': %s", path, strerror(errno));
    output_drop(file);
    return status;
}

bool output_write(output_file *file, const void *bytes, size_t size) {
    errno = 0;
    if (size && !file->fault && fwrite(bytes, 1, size, file->stream) != size) {
        file->fault = errno ? errno : EIO;
    }
    return file->fault == 0;
}

int output_commit(output_file *file) {
    if (fclose(file->stream) && !file->fault) file->fault = errno;
    file->stream = NULL;
    if (!file->fault && file->temporary) {
        if (rename(file->temporary, file->path)) {
            file->fault = errno;
        } else {
            free(file->temporary);
            file->temporary = NULL;
        }
    }
    int status = EXIT_DONE;
    if (file->fault) {
        status = report_failure("cannot write '%s': %s", file->path, strerror(file->fault));
    }
    output_drop(file);
    return status;
}

void output_drop(output_file *file) {
    if (file->stream) fclose(file->stream);
    if (file->temporary) unlink(file->temporary);
    free(file->temporary);
    free(file->path);
    *file = (output_file){0};
}
