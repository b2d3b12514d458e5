/* Tables of comma-separated values (RFC 4180). */
#ifndef CSV_READ_H
#define CSV_READ_H

#include "common/npy.h"

/* Parses bytes as rows of one length into a tensor [rows, columns] of that type. False: why. Free
 * *out with npy_free either way. */
bool csv_parse(const char *bytes, size_t size, ondol_element element, npy_array *out, char *why,
               size_t why_size);

#endif
