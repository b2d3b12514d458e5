/* What the files beside tokenizer.json say: roles of tokens, BOS and EOS around a text. */
#ifndef TEXT_HF_CONFIG_H
#define TEXT_HF_CONFIG_H

#include "text/hugging_face/hf_pipeline.h"
#include "text/text_hugging_face.h"

/* Sets tok->special_ids and marks the tokens that end a generation; tok has its vocabulary and
 * layouts. Errors: FORMAT, MEMORY. */
ondol_status hf_config_apply(text_tokenizer *tok, const text_hf_files *files,
                             const text_hf_options *options, ondol_error *err);

#endif
