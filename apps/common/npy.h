/* Arrays of numpy: .npy files read and written, .npz archives read.
 * Source: NEP 1, "A simple file format for NumPy arrays"; PKWARE's APPNOTE for the archive. */
#ifndef NPY_H
#define NPY_H

#include <stdbool.h>

#include "common/text_buffer.h"

/* A dense array, row-major, little endian. */
typedef struct npy_array {
    ondol_element element;
    size_t rank;
    int64_t dims[ONDOL_MAX_RANK];
    uint64_t elements;
    text_buffer data;    /* its bytes; of strings: one after the other */
    uint64_t *text_ends; /* strings: [elements], where each ends in data; NULL otherwise */
} npy_array;

/* Parses a .npy file; what fails is in why. Free *out either way. */
bool npy_parse(const char *bytes, size_t size, npy_array *out, char *why, size_t why_size);
void npy_free(npy_array *array);

/* The header of a .npy file for a tensor, appended to out; its data follows as it lies, but for the
 * types that numpy lacks, which npy_append_data widens. False: no such type in a .npy (strings). */
bool npy_append_header(const ondol_value_info *info, text_buffer *out);
void npy_append_data(const ondol_value_info *info, text_buffer *out);

/* The member `name` (with or without .npy) of an .npz archive; name NULL: the only one.
 * Appends its bytes to out. False: why. */
bool npz_find(const char *bytes, size_t size, const char *name, text_buffer *out, char *why,
              size_t why_size);

#endif
