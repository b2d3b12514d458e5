/* JSON on standard output. */
#ifndef JSON_PRINT_H
#define JSON_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Prints one line; takes the reference. Returns an exit status, having reported. */
int json_print(json_t *value);

/* Bytes as a JSON string: what is no UTF-8 becomes <0xE3>. */
json_t *json_text(const char *bytes, size_t size);
json_t *json_ids(const int32_t *ids, size_t count);
/* Rounded to 6 significant digits, so that output stays readable. null where not finite. */
json_t *json_rounded(double value);

#endif
