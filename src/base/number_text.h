/* Numbers as the shortest text that reads back as the same number, in every locale. */
#ifndef BASE_NUMBER_TEXT_H
#define BASE_NUMBER_TEXT_H

#include <stddef.h>

#define BASE_NUMBER_TEXT_BYTES 32

/* Writes v, ended by a 0; returns the length. Whichever of 0.001 and 1e-03 is shorter, the former
 * where they are equal, as std::to_chars of C++17; "inf", "-inf", "nan", "-nan". */
size_t base_float_text(char out[BASE_NUMBER_TEXT_BYTES], float v);
size_t base_double_text(char out[BASE_NUMBER_TEXT_BYTES], double v);

#endif
