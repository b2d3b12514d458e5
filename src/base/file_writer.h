/* A file written piece by piece, there whole or not at all. Paths are UTF-8. */
#ifndef BASE_FILE_WRITER_H
#define BASE_FILE_WRITER_H

#include <stddef.h>

#include "base/mem.h"

/* Thread class: one thread at a time. */
typedef struct base_file_writer base_file_writer;

/* Begins a temporary file beside `path` (a device or pipe is written in place).
 * Errors: IO, NOT_FOUND for a folder that is not there, ARGUMENT, MEMORY. */
ondol_status base_file_writer_open(const ondol_allocator *a, const char *path,
                                   base_file_writer **out, ondol_error *err);

/* Errors: IO, as for a full disk. */
ondol_status base_file_writer_append(base_file_writer *w, const void *data, size_t size,
                                     ondol_error *err);

/* The file is now at its path, all of it. Errors: IO; then the path holds what it held before. */
ondol_status base_file_writer_commit(base_file_writer *w, ondol_error *err);

/* Takes NULL. What was not committed is removed. */
void base_file_writer_close(base_file_writer *w);

#endif
