/* The ranges of ondol_sampler_options. */
#ifndef GENERATE_SAMPLER_OPTIONS_H
#define GENERATE_SAMPLER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "ondol/ondol.h"

/* Checks every option, used or not; NaN lies in no range. has_tokenizer: whether texts of tokens
 * are known, which breakers need. Errors: ARGUMENT (name, expected, got), UNSUPPORTED. */
ondol_status sampler_options_check(const ondol_sampler_options *o, uint32_t vocabulary,
                                   bool has_tokenizer, ondol_error *err);

#endif
