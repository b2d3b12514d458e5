/* Inside of api/: a language model whose graph runs as it is written, with its own past and
 * present. */
#ifndef API_WRITTEN_H
#define API_WRITTEN_H

#include "api/api_internal.h"
#include "models/genai_config.h"

typedef struct api_written api_written;

typedef struct api_written_info {
    uint32_t vocabulary, layers;
} api_written_info;

/* Makes g ready; it is changed (constants folded, fused) and outlives the result, as is encoder,
 * whose first output g reads (NULL: there is none). names may be NULL. Errors: UNSUPPORTED (an
 * input or output that no decoder has: with its name), those of kernels and of a run of two tokens,
 * MEMORY. */
ondol_status api_written_create(ondol_engine *e, graph *g, graph *encoder,
                                const models_genai_config *names, api_written **out,
                                api_written_info *info, ondol_error *err);
/* Takes NULL. */
void api_written_destroy(api_written *w);

/* For generate/; lives as long as w. */
const generate_written *api_written_calls(const api_written *w);

#endif
