/* A conversation as the ids that a model expects. */
#ifndef CHAT_PROMPT_H
#define CHAT_PROMPT_H

#include <ondol/ondol.h>

/* Through the model's chat template, with the assistant's turn opened (free *ids). Returns an exit
 * status, having reported. */
int chat_prompt_ids(const ondol_model *model, const ondol_message *messages, size_t n,
                    int32_t **ids, size_t *count);

#endif
