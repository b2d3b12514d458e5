/* Literals of the template language: the text of a token -> its value. */
#ifndef TEMPLATE_LITERAL_H
#define TEMPLATE_LITERAL_H

#include "text/template/template_value.h"

/* All return NULL, or a sentence for what is wrong. */

/* text: between the quotes. out has room for 3 * n + 8 bytes. */
const char *template_literal_string(const char *text, size_t n, char *out, size_t *size);
const char *template_literal_integer(const char *text, size_t n, int64_t *out);
const char *template_literal_float(const char *text, size_t n, double *out);

#endif
