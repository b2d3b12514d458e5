/* Files through mmap or read. In: a path. Out: bytes that stay until close. */
#ifndef _WIN32
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "base/file.h"

#include "base/map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

#define PATH_MAX_BYTES 4096

static ondol_status io_fault(ondol_error *err, const char *path, const char *verb) {
    ondol_status status = errno == ENOENT || errno == ENOTDIR ? ONDOL_E_NOT_FOUND : ONDOL_E_IO;
    return base_fail(err, status, "cannot %s '%s': %s", verb, path, strerror(errno));
}

#ifndef _WIN32

static ondol_status read_whole(int fd, const char *path, base_file *out, ondol_error *err) {
    unsigned char *data = base_alloc(out->allocator, (size_t)out->size, 1);
    if (!data) return base_no_memory(err, path, out->size);
    uint64_t got = 0;
    while (got < out->size) {
        ssize_t n = read(fd, data + got, (size_t)(out->size - got));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            base_free(out->allocator, data);
            if (n < 0) return io_fault(err, path, "read");
            return base_fail(err, ONDOL_E_IO,
                             "'%s' ended at byte %" PRIu64 " of %" PRIu64 " while it was read",
                             path, got, out->size);
        }
        got += (uint64_t)n;
    }
    out->data = data;
    return ONDOL_OK;
}

static uint64_t identity_of(const struct stat *st) {
    static const uint64_t seed[2] = {0x6f6e646f6c, 0x66696c65};
#if defined(__APPLE__)
    const struct timespec written = st->st_mtimespec;
#else
    const struct timespec written = st->st_mtim;
#endif
    const uint64_t facts[5] = {(uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size,
                               (uint64_t)written.tv_sec, (uint64_t)written.tv_nsec};
    const uint64_t hash = base_siphash(seed, facts, sizeof facts);
    return hash ? hash : 1;
}

static ondol_status open_descriptor(int fd, const char *path, bool use_map, base_file *out,
                                    ondol_error *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) return io_fault(err, path, "inspect");
    if (S_ISDIR(st.st_mode)) {
        return base_fail(err, ONDOL_E_ARGUMENT, "'%s' is a folder, expected a file", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return base_fail(err, ONDOL_E_ARGUMENT, "'%s' is no regular file", path);
    }
    out->size = (uint64_t)st.st_size;
    out->identity = identity_of(&st);
    if (out->size == 0) {
        out->data = (const unsigned char *)"";
        return ONDOL_OK;
    }
    if (out->size > SIZE_MAX / 2) {
        return base_fail(err, ONDOL_E_LIMIT, "'%s' is larger than this system can address", path);
    }
    if (use_map) {
        void *p = mmap(NULL, (size_t)out->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p != MAP_FAILED) {
            out->data = p;
            out->mapped = true;
            return ONDOL_OK;
        }
    }
    return read_whole(fd, path, out, err);
}

ondol_status base_file_open(const ondol_allocator *a, const char *path, bool use_map,
                            base_file *out, ondol_error *err) {
    *out = (base_file){.allocator = a};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return io_fault(err, path, "open");
    ondol_status status = open_descriptor(fd, path, use_map, out, err);
    close(fd);
    if (status != ONDOL_OK) *out = (base_file){0};
    return status;
}

#define PART_BYTES 256

/* The next part of a path, in part; false at its end. */
static bool next_part(const char **path, char part[PART_BYTES]) {
    while (**path == '/')
        (*path)++;
    size_t n = strcspn(*path, "/");
    if (n == 0) return false;
    if (n >= PART_BYTES) n = PART_BYTES - 1; /* no such name exists */
    memcpy(part, *path, n);
    part[n] = 0;
    *path += strcspn(*path, "/");
    return true;
}

static ondol_status open_part(int folder, const char *part, const char *path, int *out,
                              ondol_error *err) {
    if (strcmp(part, "..") == 0) {
        return base_fail(err, ONDOL_E_FORMAT, "'%s' leaves its folder", path);
    }
    struct stat st; /* to open a device may already do something */
    if (fstatat(folder, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode) &&
        !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode)) {
        return base_fail(err, ONDOL_E_ARGUMENT, "'%s' is no regular file", path);
    }
    *out = openat(folder, part, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (*out >= 0) return ONDOL_OK;
    if (errno != ELOOP) return io_fault(err, path, "open");
    return base_fail(err, ONDOL_E_FORMAT,
                     "'%s' is, or lies behind, a symbolic link, which is not followed: copy the "
                     "file into the folder",
                     path);
}

ondol_status base_file_open_inside(const ondol_allocator *a, const char *folder, const char *inside,
                                   bool use_map, base_file *out, ondol_error *err) {
    char part[PART_BYTES];
    struct stat st;
    const char *rest = inside;
    ondol_status status = ONDOL_OK;
    *out = (base_file){.allocator = a};
    int fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (fd < 0) return io_fault(err, folder, "open");
    while (status == ONDOL_OK && next_part(&rest, part)) {
        int next = -1;
        status = open_part(fd, part, inside, &next, err);
        close(fd);
        fd = next;
    }
    if (status == ONDOL_OK && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 1) {
        status = base_fail(err, ONDOL_E_FORMAT,
                           "'%s' is a hard link (it has %llu names), which is not followed: copy "
                           "the file into the folder",
                           inside, (unsigned long long)st.st_nlink);
    }
    if (status == ONDOL_OK) status = open_descriptor(fd, inside, use_map, out, err);
    if (fd >= 0) close(fd);
    if (status != ONDOL_OK) *out = (base_file){0};
    return status;
}

void base_file_close(base_file *f) {
    if (!f || !f->data) return;
    if (f->mapped) {
        munmap((void *)(uintptr_t)f->data, (size_t)f->size);
    } else if (f->size > 0) {
        base_free(f->allocator, (void *)(uintptr_t)f->data);
    }
    *f = (base_file){0};
}

static void advise(const base_file *f, uint64_t offset, uint64_t size, int advice, bool inward) {
    if (!f->mapped || offset >= f->size) return;
    if (size > f->size - offset) size = f->size - offset;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t first = inward ? (offset + page - 1) / page * page : offset / page * page;
    uint64_t end = inward ? (offset + size) / page * page : offset + size;
    if (end <= first) return;
    madvise((void *)(uintptr_t)(f->data + first), (size_t)(end - first), advice);
}

void base_file_will_need(const base_file *f, uint64_t offset, uint64_t size) {
    advise(f, offset, size, MADV_WILLNEED, false);
}

/* Linux 5.14; where there is no such advice, pages come as they are read. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

void base_file_map_pages(const base_file *f, uint64_t offset, uint64_t size) {
    advise(f, offset, size, MADV_POPULATE_READ, false);
}

void base_file_release_pages(const base_file *f, uint64_t offset, uint64_t size) {
    advise(f, offset, size, MADV_DONTNEED, true);
}

ondol_status base_file_lock(const base_file *f, ondol_error *err) {
    if (f->size == 0 || mlock(f->data, (size_t)f->size) == 0) return ONDOL_OK;
    return base_fail(err, ONDOL_E_IO,
                     "cannot lock %" PRIu64 " bytes in memory: %s (raise 'ulimit -l')", f->size,
                     strerror(errno));
}

uint64_t base_file_identity(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? identity_of(&st) : 0;
}

base_path_kind base_path_kind_of(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return BASE_PATH_MISSING;
    if (S_ISREG(st.st_mode)) return BASE_PATH_FILE;
    return S_ISDIR(st.st_mode) ? BASE_PATH_FOLDER : BASE_PATH_OTHER;
}

static ondol_status write_all(int fd, const char *path, const unsigned char *data, uint64_t size,
                              ondol_error *err) {
    while (size > 0) {
        size_t piece = size > ((uint64_t)1 << 30) ? (size_t)1 << 30 : (size_t)size;
        ssize_t n = write(fd, data, piece);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_fault(err, path, "write");
        data += n;
        size -= (uint64_t)n;
    }
    if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS) return io_fault(err, path, "write");
    return ONDOL_OK;
}

/* A device such as /dev/full or a pipe cannot be replaced by a rename: it is written in place. */
static ondol_status write_in_place(const char *path, const void *data, uint64_t size,
                                   ondol_error *err) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return io_fault(err, path, "open for writing");
    ondol_status status = write_all(fd, path, data, size, err);
    if (close(fd) != 0 && status == ONDOL_OK) status = io_fault(err, path, "write");
    return status;
}

ondol_status base_file_write(const char *path, const void *data, uint64_t size, ondol_error *err) {
    if (base_path_kind_of(path) == BASE_PATH_OTHER) return write_in_place(path, data, size, err);
    char temporary[PATH_MAX_BYTES];
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temporary) {
        return base_fail(err, ONDOL_E_ARGUMENT, "path of %zu bytes is too long", strlen(path));
    }
    int fd = mkstemp(temporary);
    if (fd < 0) return io_fault(err, path, "write");
    ondol_status status = write_all(fd, path, data, size, err);
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    if (close(fd) != 0 && status == ONDOL_OK) status = io_fault(err, path, "write");
    if (status == ONDOL_OK && rename(temporary, path) != 0) status = io_fault(err, path, "write");
    if (status != ONDOL_OK) unlink(temporary);
    return status;
}

#else /* _WIN32 */

static wchar_t *wide_path(const char *path, wchar_t *buffer) {
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, buffer, PATH_MAX_BYTES);
    return n > 0 ? buffer : NULL;
}

static ondol_status windows_fault(ondol_error *err, const char *path, const char *verb) {
    DWORD code = GetLastError();
    ondol_status status = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND
                              ? ONDOL_E_NOT_FOUND
                              : ONDOL_E_IO;
    return base_fail(err, status, "cannot %s '%s': Windows error %lu", verb, path, code);
}

static ondol_status read_whole(HANDLE h, const char *path, base_file *out, ondol_error *err) {
    unsigned char *data = base_alloc(out->allocator, (size_t)out->size, 1);
    if (!data) return base_no_memory(err, path, out->size);
    uint64_t got = 0;
    while (got < out->size) {
        uint64_t left = out->size - got;
        DWORD n = 0, piece = left > (1u << 30) ? 1u << 30 : (DWORD)left;
        if (!ReadFile(h, data + got, piece, &n, NULL) || n == 0) {
            base_free(out->allocator, data);
            return windows_fault(err, path, "read");
        }
        got += n;
    }
    out->data = data;
    return ONDOL_OK;
}

ondol_status base_file_open(const ondol_allocator *a, const char *path, bool use_map,
                            base_file *out, ondol_error *err) {
    *out = (base_file){.allocator = a};
    wchar_t wide[PATH_MAX_BYTES];
    if (!wide_path(path, wide)) return base_fail(err, ONDOL_E_ARGUMENT, "path is no UTF-8");
    if (base_path_kind_of(path) == BASE_PATH_FOLDER) {
        return base_fail(err, ONDOL_E_ARGUMENT, "'%s' is a folder, expected a file", path);
    }
    HANDLE h = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (h == INVALID_HANDLE_VALUE) return windows_fault(err, path, "open");
    LARGE_INTEGER size;
    ondol_status status = ONDOL_OK;
    if (!GetFileSizeEx(h, &size)) {
        status = windows_fault(err, path, "inspect");
    } else if (size.QuadPart == 0) {
        out->data = (const unsigned char *)"";
    } else {
        out->size = (uint64_t)size.QuadPart;
        HANDLE map = use_map ? CreateFileMappingW(h, NULL, PAGE_READONLY, 0, 0, NULL) : NULL;
        if (map) {
            out->data = MapViewOfFile(map, FILE_MAP_READ, 0, 0, 0);
            CloseHandle(map);
            out->mapped = out->data != NULL;
        }
        if (!out->data) status = read_whole(h, path, out, err);
    }
    CloseHandle(h);
    if (status != ONDOL_OK) *out = (base_file){0};
    return status;
}

/* A reparse point (link, junction) at the path that `wide` holds. */
static bool is_link(const wchar_t *wide) {
    const DWORD attributes = GetFileAttributesW(wide);
    return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_REPARSE_POINT);
}

ondol_status base_file_open_inside(const ondol_allocator *a, const char *folder, const char *inside,
                                   bool use_map, base_file *out, ondol_error *err) {
    char path[PATH_MAX_BYTES];
    wchar_t wide[PATH_MAX_BYTES];
    const int n = snprintf(path, sizeof path, "%s/", folder);
    size_t size = n > 0 ? (size_t)n : 0;
    *out = (base_file){.allocator = a};
    for (const char *part = inside; *part;) {
        const size_t length = strcspn(part, "/\\");
        if ((length == 2 && memcmp(part, "..", 2) == 0) || memchr(part, ':', length)) {
            return base_fail(err, ONDOL_E_FORMAT, "'%s' leaves its folder", inside);
        }
        if (size + length + 2 > sizeof path) {
            return base_fail(err, ONDOL_E_ARGUMENT, "'%s': the path is too long", inside);
        }
        memcpy(path + size, part, length);
        size += length;
        path[size] = 0;
        if (!wide_path(path, wide)) return base_fail(err, ONDOL_E_ARGUMENT, "path is no UTF-8");
        if (is_link(wide)) {
            return base_fail(err, ONDOL_E_FORMAT, "'%s' lies behind a link, which is not followed",
                             inside);
        }
        part += length + (part[length] != 0);
        if (*part) path[size++] = '/';
    }
    BY_HANDLE_FILE_INFORMATION info = {0};
    HANDLE h = CreateFileW(wide, 0, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    if (h == INVALID_HANDLE_VALUE) return windows_fault(err, inside, "open");
    const bool single = GetFileInformationByHandle(h, &info) && info.nNumberOfLinks == 1;
    CloseHandle(h);
    if (!single) return base_fail(err, ONDOL_E_FORMAT, "'%s' is a hard link", inside);
    return base_file_open(a, path, use_map, out, err);
}

void base_file_close(base_file *f) {
    if (!f || !f->data) return;
    if (f->mapped) {
        UnmapViewOfFile(f->data);
    } else if (f->size > 0) {
        base_free(f->allocator, (void *)(uintptr_t)f->data);
    }
    *f = (base_file){0};
}

void base_file_will_need(const base_file *f, uint64_t offset, uint64_t size) {
    (void)f, (void)offset, (void)size;
}

void base_file_release_pages(const base_file *f, uint64_t offset, uint64_t size) {
    (void)f, (void)offset, (void)size;
}

ondol_status base_file_lock(const base_file *f, ondol_error *err) {
    if (f->size == 0 || VirtualLock((void *)(uintptr_t)f->data, (size_t)f->size)) return ONDOL_OK;
    return base_fail(err, ONDOL_E_IO, "cannot lock the file in memory: Windows error %lu",
                     GetLastError());
}

uint64_t base_file_identity(const char *path) {
    static const uint64_t seed[2] = {0x6f6e646f6c, 0x66696c65};
    wchar_t wide[PATH_MAX_BYTES];
    WIN32_FILE_ATTRIBUTE_DATA d;
    if (!wide_path(path, wide) || !GetFileAttributesExW(wide, GetFileExInfoStandard, &d)) return 0;
    const uint64_t facts[5] = {base_siphash(seed, path, strlen(path)), d.nFileSizeHigh,
                               d.nFileSizeLow, d.ftLastWriteTime.dwHighDateTime,
                               d.ftLastWriteTime.dwLowDateTime};
    return base_siphash(seed, facts, sizeof facts);
}

void base_file_map_pages(const base_file *f, uint64_t offset, uint64_t size) {
    (void)f, (void)offset, (void)size;
}

base_path_kind base_path_kind_of(const char *path) {
    wchar_t wide[PATH_MAX_BYTES];
    if (!wide_path(path, wide)) return BASE_PATH_MISSING;
    DWORD attributes = GetFileAttributesW(wide);
    if (attributes == INVALID_FILE_ATTRIBUTES) return BASE_PATH_MISSING;
    return attributes & FILE_ATTRIBUTE_DIRECTORY ? BASE_PATH_FOLDER : BASE_PATH_FILE;
}

ondol_status base_file_write(const char *path, const void *data, uint64_t size, ondol_error *err) {
    char temporary[PATH_MAX_BYTES];
    wchar_t wide[PATH_MAX_BYTES], wide_temporary[PATH_MAX_BYTES];
    int n = snprintf(temporary, sizeof temporary, "%s.%lu.part", path, GetCurrentProcessId());
    if (n < 0 || (size_t)n >= sizeof temporary || !wide_path(path, wide) ||
        !wide_path(temporary, wide_temporary)) {
        return base_fail(err, ONDOL_E_ARGUMENT, "path is too long or no UTF-8");
    }
    HANDLE h = CreateFileW(wide_temporary, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    if (h == INVALID_HANDLE_VALUE) return windows_fault(err, path, "write");
    const unsigned char *p = data;
    bool ok = true;
    while (ok && size > 0) {
        DWORD written = 0, piece = size > (1u << 30) ? 1u << 30 : (DWORD)size;
        ok = WriteFile(h, p, piece, &written, NULL);
        p += written;
        size -= written;
    }
    CloseHandle(h);
    if (ok && MoveFileExW(wide_temporary, wide, MOVEFILE_REPLACE_EXISTING)) return ONDOL_OK;
    ondol_status status = windows_fault(err, path, "write");
    DeleteFileW(wide_temporary);
    return status;
}

#endif
