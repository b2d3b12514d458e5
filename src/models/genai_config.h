/* genai_config.json: what ONNX Runtime GenAI knows of a folder's model. */
#ifndef MODELS_GENAI_CONFIG_H
#define MODELS_GENAI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/mem.h"

#define MODELS_GENAI_ENDS_MAX 16

/* Texts live as long as the config. Names of inputs and outputs are as the file says, or GenAI's
 * own; `past_key` ... have one %d, for the layer. */
typedef struct models_genai_config {
    const char *type;     /* "phi3" ... */
    const char *filename; /* of the decoder, in the same folder */
    const char *encoder;  /* filename of the encoder of a pair; NULL: none */
    const char *input_ids, *attention_mask, *position_ids, *logits;
    const char *past_key, *past_value, *present_key, *present_value;
    const char *encoder_hidden_states;  /* the decoder's input; NULL: none */
    uint32_t context, vocabulary;       /* 0: not said */
    uint32_t layers, hidden, head_size; /* 0: not said */
    int32_t bos, pad;                   /* -1: none */
    int32_t decoder_start;              /* first token of a decoder with an encoder; -1 */
    bool has_encoder;                   /* Hugging Face: it is one of a pair */
    int32_t ends[MODELS_GENAI_ENDS_MAX];
    size_t end_count;

    void *tree; /* inside of genai_config.c */
} models_genai_config;

/* Reads text[0..n). Errors: FORMAT (no JSON, a key of a wrong type, no decoder, a filename with a
 * folder in it), LIMIT, MEMORY. */
ondol_status models_genai_config_read(const char *text, size_t n, models_genai_config *out,
                                      ondol_error *err);
/* The same of Hugging Face's config.json, as exporters put it beside their models: sizes and ids;
 * names of inputs and outputs are the usual ones, filename and encoder are NULL. Errors: FORMAT,
 * LIMIT, MEMORY. */
ondol_status models_genai_config_from_hugging_face(const char *text, size_t n,
                                                   models_genai_config *out, ondol_error *err);
/* Takes a zeroed one. */
void models_genai_config_free(models_genai_config *c);

#endif
