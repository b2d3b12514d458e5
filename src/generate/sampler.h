/* The sampler: logits -> a token. The same logits, history and seed give the same token on every
 * machine: all arithmetic is in double, in the order stated here, with exp and log of
 * base/exact_math.h; random numbers are Philox4x32-10 under the seed.
 *
 * ORDER, each step on what the one before left. NaN counts as -infinity, +infinity as FLT_MAX; a
 * token at -infinity is never chosen. Ties go to the lower id. Meaning as in llama.cpp's samplers,
 * but where "here" is said.
 *   logit bias   added to the logit, entry by entry.
 *   grammar      what it does not allow is set to -infinity.
 *   penalties    of tokens among the last penalty_last_n: a logit above 0 is divided by
 *                repeat_penalty, others are multiplied; then count * frequency + presence is taken
 *                off. (Keskar et al. 2019; OpenAI's API.)
 *   DRY          of tokens that would go on with a repetition of L >= dry_allowed_length tokens:
 *                multiplier * base^(L - allowed), the longest L counting, the exponent capped where
 *                the power would pass FLT_MAX. A repetition does not reach back over a sequence
 *                breaker; a token whose text holds a breaker is never penalised. Here a breaker
 *                that spreads over several tokens is found in their text, however it was cut.
 *   top-n sigma  keeps logits >= maximum - n * (standard deviation of all logits not -infinity).
 *                Here what it drops is gone, so that typical's entropy stays a number.
 *   top-k        keeps the k highest logits.
 *   typical      takes tokens in order of |-log p - entropy| until their p sum to more than P
 *                (Meister et al. 2022).
 *   top-p        takes tokens in falling order until their p sum to at least P (Holtzman 2020).
 *   min-p        keeps logits >= maximum + log(min_p).
 *   XTC          with its probability: of the tokens with p >= threshold only the last in falling
 *                order stays. A threshold above 0.5 does nothing.
 *   temperature  p = exp((logit - maximum) / temperature) over their sum.
 *   draw         the first token, in the order of the list, at which the running sum of p passes
 *                a uniform number in [0, 1) of 53 bits. The list is in order of ids until a step
 *                (top-k, typical, top-p, Mirostat 1) puts it in falling order of logits.
 * Temperature 0: the highest logit after the penalties and DRY; no later step counts (here: nor
 * typical, nor XTC, which could drop the highest) and Mirostat does not either.
 * Mirostat (Basu et al. 2021) 1 or 2: stands in place of all from DRY to XTC; temperature comes
 * before it. Its mu begins at 2 * tau and moves with every sample. 100 tokens estimate version 1's
 * exponent.
 * Random numbers: sample number i since create or reset takes the block of counter i: words 0 and 1
 * are the draw, 2 and 3 XTC's chance. Greedy takes none. */
#ifndef GENERATE_SAMPLER_H
#define GENERATE_SAMPLER_H

#include "base/mem.h"
#include "ondol/ondol.h"
#include "text/grammar/text_grammar.h"
#include "text/text_tokenizer.h"

/* Thread class: one thread at a time. */
typedef struct generate_sampler generate_sampler;

/* Makes a sampler for logits[vocabulary]. options are copied (a full structure, struct_size is not
 * looked at; NULL: ONDOL_SAMPLER_OPTIONS_INIT); of their grammar and json_schema it is only checked
 * that not both are there: the caller makes the matcher. allocator and tok are borrowed for its
 * whole life. tok may be NULL for a model without tokenizer; DRY then knows no breakers.
 * take_matcher (NULL: any text) belongs to the sampler once this has succeeded; what it borrows
 * must outlive the sampler. All memory that sample needs, but the matcher's, is taken here and in
 * accept.
 * Errors: ARGUMENT (an option out of its range, named), UNSUPPORTED (breakers given, no tok),
 * MEMORY. */
ondol_status generate_sampler_create(const ondol_allocator *allocator, const text_tokenizer *tok,
                                     uint32_t vocabulary, const ondol_sampler_options *options,
                                     text_grammar_matcher *take_matcher, generate_sampler **out,
                                     ondol_error *err);

/* Takes NULL. */
void generate_sampler_destroy(generate_sampler *s);

/* As new: no history, the grammar at its start, the seed anew, Mirostat's mu at 2 * tau. */
void generate_sampler_reset(generate_sampler *s);

/* *token = the choice from logits[vocabulary]; nothing is accepted yet. Without a grammar it takes
 * no memory. Greedy without bias, grammar and penalties is one pass over logits.
 * Errors: FORMAT when all logits are NaN, -infinity or forbidden; LIMIT, MEMORY (grammar). On an
 * error nothing has changed. */
ondol_status generate_sampler_sample(generate_sampler *s, const float *logits, int32_t *token,
                                     ondol_error *err);

/* Tells of a token that now stands in the sequence. Prompt tokens count for penalties and DRY,
 * others advance the grammar too. On an error nothing has changed.
 * Errors: ARGUMENT (token outside the vocabulary), FORMAT (the grammar does not allow it), LIMIT
 * (grammar), MEMORY. */
ondol_status generate_sampler_accept(generate_sampler *s, int32_t token, bool is_prompt,
                                     ondol_error *err);

/* out[i] = log p(i) of logits[n], in double with base/exact_math.h, rounded once; the sum goes in
 * order of i. NaN counts as -infinity, +infinity as FLT_MAX; where all are -infinity so is all of
 * out. out may be logits. */
void generate_log_softmax(const float *logits, size_t n, float *out);

#endif
