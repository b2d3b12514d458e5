/* Shared prefixes. In: a sequence with tokens and no pages. Out: pages of another one, whose keys
 * and values are the same bits, since they depend on the tokens and the regime alone. */
#include "generate/prefix.h"

/* Fewer tokens are computed faster than a page is copied. */
#define WORTH_SHARING 16u

static uint64_t common_prefix(const generate_sequence *a, const generate_sequence *b,
                              uint64_t most) {
    uint64_t n = 0;
    while (n < most && a->tokens[n] == b->tokens[n])
        n++;
    return n;
}

void generate_prefix_share(generate_sequence *s, uint64_t most) {
    const generate_sequence *best = NULL;
    uint64_t best_tokens = WORTH_SHARING - 1;
    const generate_written *written = s->cache->decoder.written;
    if (written && written->whole_prompts) return;
    for (const generate_sequence *o = s->cache->sequences; o; o = o->next) {
        if (o == s || o->regime != s->regime || o->computed <= best_tokens) continue;
        const uint64_t n = common_prefix(s, o, o->computed < most ? o->computed : most);
        if (n <= best_tokens || !generate_sequence_can_go_on(o, n)) continue;
        best = o;
        best_tokens = n;
    }
    if (best) generate_sequence_share(s, best, best_tokens);
}
