/* Files: mapped or read, written whole or not at all. Paths are UTF-8. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

/* An open file whose bytes are all at `data`. Thread class: shared once open. */
typedef struct base_file {
    const unsigned char *data;
    uint64_t size;
    bool mapped;       /* false: `data` was read into memory of the allocator */
    uint64_t identity; /* as of base_file_identity; 0: unknown */
    const ondol_allocator *allocator;
} base_file;

/* Opens a regular file for reading: mapped when use_map (and the system can), read whole otherwise.
 * Errors: NOT_FOUND, IO, MEMORY; ARGUMENT for a directory or device. *out is zero on failure. */
ondol_status base_file_open(const ondol_allocator *a, const char *path, bool use_map,
                            base_file *out, ondol_error *err);

/* Opens the regular file at the relative path `inside`, separated by '/', of a folder that is
 * trusted: no part of it may be "..", and neither a part nor the file a link, symbolic or hard.
 * Errors: as above; FORMAT for such a path or link. */
ondol_status base_file_open_inside(const ondol_allocator *a, const char *folder, const char *inside,
                                   bool use_map, base_file *out, ondol_error *err);

/* Takes a zeroed one. */
void base_file_close(base_file *f);

/* Advice on [offset, offset + size): will be read soon / will not be read again / keep in memory.
 */
void base_file_will_need(const base_file *f, uint64_t offset, uint64_t size);
/* Maps [offset, offset + size) now, so that reading it later waits for no page. */
void base_file_map_pages(const base_file *f, uint64_t offset, uint64_t size);
void base_file_release_pages(const base_file *f, uint64_t offset, uint64_t size);
ondol_status base_file_lock(const base_file *f, ondol_error *err);

/* Writes data[0..size) to `path` by way of a temporary file beside it: afterwards the path holds
 * all of it, or what it held before. Errors: IO. */
ondol_status base_file_write(const char *path, const void *data, uint64_t size, ondol_error *err);

/* Tells files, and versions of a file, from one another: where it lies, its size, when it was
 * written. 0: there is no such file. */
uint64_t base_file_identity(const char *path);

typedef enum base_path_kind {
    BASE_PATH_MISSING,
    BASE_PATH_FILE,
    BASE_PATH_FOLDER,
    BASE_PATH_OTHER
} base_path_kind;

base_path_kind base_path_kind_of(const char *path);

#endif
