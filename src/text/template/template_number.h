/* Numbers to text and back as Python does, whatever the C library's locale is. */
#ifndef TEMPLATE_NUMBER_H
#define TEMPLATE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEMPLATE_NUMBER_BYTES 32

/* repr(): the shortest decimal that reads back as the same double. */
size_t template_number_repr(double value, char out[TEMPLATE_NUMBER_BYTES]);

/* Reads the whole of text[0..n): float() of Python without spaces and underscores. */
bool template_number_parse(const char *text, size_t n, double *out);

/* printf of one double with `precision`; conversion is one of e, E, f, F, g, G; alternate as '#'.
 * Returns the bytes written, 0 when out is too small. */
size_t template_number_format(double value, char conversion, int precision, bool alternate,
                              char *out, size_t out_bytes);

/* Digits of value in base 2, 8, 10 or 16; returns how many. out: 64 bytes. */
size_t template_number_digits(uint64_t value, unsigned base, bool upper, char *out);

/* Rounds to `digits` places behind the point, as round() of Python. */
double template_number_round(double value, int64_t digits);

#endif
