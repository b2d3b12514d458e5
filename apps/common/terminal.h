/* What the terminal is, sizes and numbers for people, and the clock. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Control sequences may be written to it: a terminal that is not "dumb". */
bool terminal_is(int file_descriptor);

/* Colours as well: and NO_COLOR is not set. */
bool terminal_has_colour(int file_descriptor);

/* "98.4 MB" (powers of 1000) into text[size]; returns text. */
char *bytes_for_people(uint64_t bytes, char *text, size_t size);

/* "134,515,008" */
char *count_for_people(uint64_t count, char *text, size_t size);

/* Seconds of a clock that never goes back. */
double seconds_now(void);

#endif
