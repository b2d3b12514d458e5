/* What libFuzzer and replay_main.c ask of each fuzz_<name>.c. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Works on data[0..size) and returns 0. A crash, a sanitizer's report, a leak or a time out is the
 * fault looked for. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
