/* Streaming writes through a temporary file. In: a path and pieces. Out: the file, renamed to it.
 */
#ifndef _WIN32
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/file_writer.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#include "base/file.h"

#define SUFFIX_BYTES 24 /* of a temporary name */

struct base_file_writer {
    const ondol_allocator *allocator;
    char *path, *temporary; /* temporary is NULL when written in place */
    bool open, committed;
#ifdef _WIN32
    HANDLE handle;
#else
    int fd;
#endif
};

#ifndef _WIN32

static ondol_status io_fault(const base_file_writer *w, const char *verb, ondol_error *err) {
    ondol_status status = errno == ENOENT || errno == ENOTDIR ? ONDOL_E_NOT_FOUND : ONDOL_E_IO;
    return base_fail(err, status, "cannot %s '%s': %s", verb, w->path, strerror(errno));
}

static ondol_status system_open(base_file_writer *w, ondol_error *err) {
    if (!w->temporary) {
        w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
        w->open = w->fd >= 0;
        return w->open ? ONDOL_OK : io_fault(w, "open for writing", err);
    }
    snprintf(w->temporary, strlen(w->path) + SUFFIX_BYTES, "%s.XXXXXX", w->path);
    w->fd = mkstemp(w->temporary);
    w->open = w->fd >= 0;
    if (!w->open) return io_fault(w, "write", err);
    mode_t mask = umask(0);
    umask(mask);
    fchmod(w->fd, 0666 & ~mask);
    return ONDOL_OK;
}

static ondol_status system_append(base_file_writer *w, const unsigned char *data, size_t size,
                                  ondol_error *err) {
    while (size > 0) {
        size_t piece = size > (size_t)1 << 30 ? (size_t)1 << 30 : size;
        ssize_t n = write(w->fd, data, piece);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_fault(w, "write", err);
        data += n;
        size -= (size_t)n;
    }
    return ONDOL_OK;
}

static ondol_status system_commit(base_file_writer *w, ondol_error *err) {
    if (fsync(w->fd) != 0 && errno != EINVAL && errno != EROFS) return io_fault(w, "write", err);
    w->open = false;
    if (close(w->fd) != 0) return io_fault(w, "write", err);
    if (w->temporary && rename(w->temporary, w->path) != 0) return io_fault(w, "write", err);
    return ONDOL_OK;
}

static void system_discard(base_file_writer *w, bool created) {
    if (w->open) close(w->fd);
    if (created && w->temporary) unlink(w->temporary);
}

#else /* _WIN32 */

static ondol_status io_fault(const base_file_writer *w, const char *verb, ondol_error *err) {
    DWORD code = GetLastError();
    ondol_status status = code == ERROR_PATH_NOT_FOUND ? ONDOL_E_NOT_FOUND : ONDOL_E_IO;
    return base_fail(err, status, "cannot %s '%s': Windows error %lu", verb, w->path, code);
}

/* NULL, or a wide copy that the caller frees. */
static wchar_t *wide_copy(const base_file_writer *w, const char *path) {
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    wchar_t *wide = n > 0 ? base_alloc(w->allocator, (size_t)n, sizeof *wide) : NULL;
    if (wide) MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, n);
    return wide;
}

static ondol_status system_open(base_file_writer *w, ondol_error *err) {
    if (w->temporary) {
        snprintf(w->temporary, strlen(w->path) + SUFFIX_BYTES, "%s.%lu.part", w->path,
                 GetCurrentProcessId());
    }
    wchar_t *wide = wide_copy(w, w->temporary ? w->temporary : w->path);
    if (!wide) return base_fail(err, ONDOL_E_ARGUMENT, "path is no UTF-8, or no memory for it");
    w->handle = CreateFileW(wide, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    w->open = w->handle != INVALID_HANDLE_VALUE;
    ondol_status status = w->open ? ONDOL_OK : io_fault(w, "write", err);
    base_free(w->allocator, wide);
    return status;
}

static ondol_status system_append(base_file_writer *w, const unsigned char *data, size_t size,
                                  ondol_error *err) {
    while (size > 0) {
        DWORD n = 0, piece = size > (1u << 30) ? 1u << 30 : (DWORD)size;
        if (!WriteFile(w->handle, data, piece, &n, NULL)) return io_fault(w, "write", err);
        data += n;
        size -= n;
    }
    return ONDOL_OK;
}

static ondol_status system_commit(base_file_writer *w, ondol_error *err) {
    w->open = false;
    if (!CloseHandle(w->handle)) return io_fault(w, "write", err);
    if (!w->temporary) return ONDOL_OK;
    wchar_t *from = wide_copy(w, w->temporary), *to = wide_copy(w, w->path);
    ondol_status status = ONDOL_OK;
    if (!from || !to) {
        status = base_no_memory(err, "path", strlen(w->path));
    } else if (!MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING)) {
        status = io_fault(w, "write", err);
    }
    base_free(w->allocator, from);
    base_free(w->allocator, to);
    return status;
}

static void system_discard(base_file_writer *w, bool created) {
    if (w->open) CloseHandle(w->handle);
    wchar_t *wide = created && w->temporary ? wide_copy(w, w->temporary) : NULL;
    if (wide) DeleteFileW(wide);
    base_free(w->allocator, wide);
}

#endif

ondol_status base_file_writer_open(const ondol_allocator *a, const char *path,
                                   base_file_writer **out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    *out = NULL;
    const base_path_kind kind = base_path_kind_of(path);
    if (kind == BASE_PATH_FOLDER) {
        return base_fail(err, ONDOL_E_ARGUMENT, "'%s' is a folder, expected a file", path);
    }
    const size_t n = strlen(path);
    base_file_writer *w = base_calloc(a, 1, sizeof *w);
    if (!w) return base_no_memory(err, "file to write", sizeof *w);
    w->allocator = a;
    w->path = base_strndup(a, path, n);
    if (kind != BASE_PATH_OTHER) w->temporary = base_calloc(a, n + SUFFIX_BYTES, 1);
    if (!w->path || (kind != BASE_PATH_OTHER && !w->temporary)) {
        TRY(base_no_memory(err, "path", n));
    }
    TRY(system_open(w, err));
    *out = w;
    return ONDOL_OK;
done:
    base_free(a, w->path);
    base_free(a, w->temporary);
    base_free(a, w);
    return status;
}

ondol_status base_file_writer_append(base_file_writer *w, const void *data, size_t size,
                                     ondol_error *err) {
    return system_append(w, data, size, err);
}

ondol_status base_file_writer_commit(base_file_writer *w, ondol_error *err) {
    ondol_status status = system_commit(w, err);
    w->committed = status == ONDOL_OK;
    return status;
}

void base_file_writer_close(base_file_writer *w) {
    if (!w) return;
    system_discard(w, !w->committed);
    base_free(w->allocator, w->path);
    base_free(w->allocator, w->temporary);
    base_free(w->allocator, w);
}
