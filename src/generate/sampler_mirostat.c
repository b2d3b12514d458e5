/* Mirostat: candidates -> one of them, the surprise of which is held near tau by moving mu. */
#include <math.h>

#include "base/exact_math.h"
#include "generate/sampler_filters.h"

#define ESTIMATE_TOKENS 100 /* m of the paper */
#define LN2             0x1.62e42fefa39efp-1

/* Version 1: how many tokens stay, from the Zipf exponent of the best ones and 2^mu. */
static size_t tokens_to_keep(const sampler_mirostat *m, sampler_list *list, double mu) {
    double products = 0, squares = 0;
    for (size_t i = 0; i + 1 < list->count && i + 1 < ESTIMATE_TOKENS; i++) {
        const double x = base_log((double)(i + 2) / (double)(i + 1));
        const double high = sampler_list_at(list, i)->logit;
        products += x * (high - sampler_list_at(list, i + 1)->logit);
        squares += x * x;
    }
    if (list->count < 2) return 1;
    const double exponent = products / squares, epsilon = exponent - 1;
    const double tail = 1 - base_exp(-epsilon * m->log_vocabulary);
    /* At epsilon 0, epsilon / tail goes to 1 / log(vocabulary). */
    const double ratio = fabs(epsilon) < 1e-9 ? 1 / m->log_vocabulary : epsilon / tail;
    const double log_power = base_log(ratio) + mu * LN2;
    const double log_all = base_log((double)list->count);
    /* keep = power^(1 / exponent); an exponent of 0 makes that 0 or infinite. */
    if (log_power >= exponent * log_all) return list->count;
    if (log_power <= 0) return 1;
    const size_t keep = (size_t)base_exp(log_power / exponent);
    return keep < 1 ? 1 : keep < list->count ? keep : list->count;
}

/* Version 2: drops the tokens whose surprise, in bits, is above mu; the best one stays. */
static void drop_surprises(sampler_list *list, double mu) {
    const double log_sum = base_log(sampler_list_weigh(list, 1));
    const size_t best = sampler_list_best(list);
    const double maximum = list->items[best].logit;
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        const double surprise = (log_sum - (list->items[i].logit - maximum)) / LN2;
        if (i == best || surprise <= mu) list->items[n++] = list->items[i];
    }
    list->count = n;
}

size_t sampler_mirostat_draw(const sampler_mirostat *m, sampler_list *list, double uniform,
                             double *mu) {
    if (m->version == 1) {
        sampler_list_cut(list, tokens_to_keep(m, list, *mu));
    } else {
        drop_surprises(list, *mu);
    }
    const double log_sum = base_log(sampler_list_weigh(list, 1));
    const double maximum = list->items[sampler_list_best(list)].logit;
    const size_t drawn = sampler_draw(list, uniform);
    const double surprise = (log_sum - (list->items[drawn].logit - maximum)) / LN2;
    *mu -= m->eta * (surprise - m->tau);
    return drawn;
}
