/* UTF-8, strictly: no overlong forms, no surrogates, nothing past U+10FFFF (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one code point from p[0..n). Returns the bytes used (1 to 4), 0 when p does not start
 * with a whole valid character. */
size_t base_utf8_decode(const unsigned char *p, size_t n, uint32_t *code);

/* Writes code (a valid code point) to out; returns the bytes written, 1 to 4. */
size_t base_utf8_encode(uint32_t code, unsigned char out[4]);

/* Bytes at the end of p[0..n) that begin a character not yet complete, 0 to 3. */
size_t base_utf8_incomplete_tail(const unsigned char *p, size_t n);

bool base_utf8_valid(const unsigned char *p, size_t n);

#endif
