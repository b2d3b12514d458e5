/* File of ondol eval --save-logits: what one model gave each token, to compare another one with.
 *
 * Little endian: "ONDOLLP1", u32 vocabulary, u32 context, u32 windows, u32 rows in a window,
 * i32 tokens[windows][context], then float32 log-probabilities [windows][rows][vocabulary]. Row r
 * of a window is what follows its token context/2 + r. */
#ifndef LOGPROB_FILE_H
#define LOGPROB_FILE_H

#include <stdint.h>
#include <stdio.h>

typedef struct logprob_header {
    uint32_t vocabulary, context, windows, rows;
} logprob_header;

#define LOGPROB_MAGIC "ONDOLLP1"

/* Opens a file for comparison and checks that it was made of the same text, vocabulary and context;
 * *windows is lowered to those that it holds. Returns an exit status, having reported. */
int logprob_file_open(const char *path, const logprob_header *expected, const int32_t *tokens,
                      uint32_t *windows, FILE **out);

#endif
