/* One step: new tokens for any number of sequences of a cache, in chunks. */
#ifndef GENERATE_STEP_H
#define GENERATE_STEP_H

#include "generate/sequence.h"

/* Works through the list that begins at `list` (linked by work.following; each sequence stands in
 * it once). A sequence that fails keeps its former length and does not stop the others; *err tells
 * of the first in the list, whose status is returned.
 * Status of a sequence: ARGUMENT (no tokens, a token past the vocabulary), FULL, LIMIT (more output
 * rows than the cache has room for), CANCELLED, DEVICE, those of the sampler. Allocates nothing but
 * what the sampler does. */
ondol_status generate_step(generate_cache *c, generate_sequence *list, ondol_error *err);

#endif
