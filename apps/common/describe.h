/* Descriptions of a model as text. */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <ondol/ondol_experimental.h>

#include "common/text_buffer.h"

/* Appends the text. Returns an exit status, having reported. */
int describe_model(const ondol_model *model, ondol_model_text what, text_buffer *text);

#endif
