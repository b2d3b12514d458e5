/* The ragged batch: which rows of which sequences go into the next chunk. */
#ifndef GENERATE_BATCH_H
#define GENERATE_BATCH_H

#include "generate/sequence.h"

/* Gives each active sequence of the list its rows of the next chunk (work.rows, 0: none) and says
 * how many rows there are in all. Small remainders go whole, the rest is shared out evenly. */
uint32_t generate_batch_choose(const generate_cache *c, generate_sequence *list);

/* Fills the cache's step block with the rows chosen; their pages are reserved. Rows that want
 * logits come first among the outputs. */
void generate_batch_fill(generate_cache *c, generate_sequence *list);

#endif
