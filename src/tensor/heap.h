/* Inside of tensor/: counted blocks of a run heap. */
#ifndef TENSOR_HEAP_H
#define TENSOR_HEAP_H

#include "tensor/value.h"

/* A block of size_bytes for one holder. Errors: LIMIT, MEMORY. */
ondol_status tensor_block_create(tensor_heap *h, uint64_t size_bytes, tensor_block **out,
                                 ondol_error *err);
void *tensor_block_data(tensor_block *b);
tensor_block *tensor_block_retain(tensor_block *b); /* takes NULL */
void tensor_block_release(tensor_heap *h, tensor_block *b);
bool tensor_block_is_single(const tensor_block *b);

/* Copies text into *chain, a list of blocks that grows and that one holder has alone.
 * Errors: LIMIT, MEMORY. */
ondol_status tensor_block_add_text(tensor_heap *h, tensor_block **chain, const char *text, size_t n,
                                   char **out, ondol_error *err);

#endif
