/* Whole files and standard input into memory, and files that appear only when they are complete. */
#ifndef WHOLE_FILE_H
#define WHOLE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/text_buffer.h"

/* Appends the content of path ("-": standard input). Returns an exit status, having reported. */
int whole_file_read(const char *path, size_t max_bytes, text_buffer *out);

/* A file that is written beside `path` and takes its place in output_commit. */
typedef struct output_file {
    FILE *stream;
    char *path, *temporary;
    int fault; /* errno of the first write that failed */
} output_file;

/* Fails early where the folder cannot be written. Returns an exit status, having reported. */
int output_open(output_file *file, const char *path);
/* Writes; false after a fault, which output_commit reports. */
bool output_write(output_file *file, const void *bytes, size_t size);
/* Puts the complete file in its place. Returns an exit status, having reported. */
int output_commit(output_file *file);
/* Throws away what was written, if output_commit did not run; takes a zeroed file. */
void output_drop(output_file *file);

#endif
