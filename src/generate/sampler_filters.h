/* The steps that narrow the choice, one function each; meaning and order stand in sampler.h. */
#ifndef GENERATE_SAMPLER_FILTERS_H
#define GENERATE_SAMPLER_FILTERS_H

#include "generate/sampler_list.h"

/* values[n] = logits[n] with NaN as -infinity and +infinity as FLT_MAX. */
void sampler_values_fill(double *values, const float *logits, size_t n);

/* The id of the highest, of equals the lowest; -1 when there is none above -infinity. In floats
 * NaN counts as none, and +infinity as FLT_MAX. */
int32_t sampler_values_highest(const double *values, size_t n);
int32_t sampler_logits_highest(const float *logits, size_t n);

/* Sets values below maximum - sigmas * (standard deviation) to -infinity; sigmas > 0. */
void sampler_top_n_sigma(double *values, size_t n, double sigmas);

/* Each takes a list of count >= 1 and leaves one. */
void sampler_typical(sampler_list *list, double p);
void sampler_top_p(sampler_list *list, double p);
void sampler_min_p(sampler_list *list, double log_p);
void sampler_xtc(sampler_list *list, double threshold);

/* The place drawn by uniform in [0, 1) from a list with weights. */
size_t sampler_draw(const sampler_list *list, double uniform);

/* Mirostat (Basu et al. 2021): returns the place drawn from a list of count >= 1, whose logits are
 * divided by the temperature already, and moves *mu. */
typedef struct sampler_mirostat {
    int version; /* 1 or 2 */
    double tau, eta;
    double log_vocabulary; /* its natural logarithm; version 1 */
} sampler_mirostat;
size_t sampler_mirostat_draw(const sampler_mirostat *m, sampler_list *list, double uniform,
                             double *mu);

#endif
