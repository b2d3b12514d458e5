/* Logits of given tokens as a file for numpy. */
#ifndef LOGITS_FILE_H
#define LOGITS_FILE_H

#include "common/model_flags.h"
#include "common/whole_file.h"

/* Computes ids[0..n) from an empty session on, writes float32 [n][vocabulary] (.npy version 1.0)
 * into `file` and commits it. rows: at most as many as the cache gives out in one step. Returns an
 * exit status, having reported. */
int logits_file_write(opened *o, const int32_t *ids, size_t n, size_t rows, output_file *file);

#endif
