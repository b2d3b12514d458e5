/* Prefixes that sequences of a cache have in common are computed once. */
#ifndef GENERATE_PREFIX_H
#define GENERATE_PREFIX_H

#include "generate/sequence.h"

/* s holds no pages; tokens[0, most] of it stand. Finds the live sequence that has computed the
 * longest common prefix of at most `most` tokens with s's regime, and shares its pages. The
 * cache's lock is held. */
void generate_prefix_share(generate_sequence *s, uint64_t most);

#endif
