/* Cutting a piece. In: a piece, and which stretches of it match. Out: the pieces it becomes, by
 * what a behavior does with matches (SplitDelimiterBehavior of the tokenizers library). */
#include <string.h>

#include "text/hugging_face/hf_pipeline.h"

bool hf_piece_add(hf_work *work, hf_piece piece) {
    hf_pieces *to = &work->next;
    if (piece.size == 0 && piece.token < 0) return true;
    if (to->count == to->capacity) {
        const size_t wanted = to->capacity ? to->capacity * 2 : 64;
        hf_piece *grown = base_alloc(work->hf->allocator, wanted, sizeof *grown);
        if (!grown) return false;
        if (to->count) memcpy(grown, to->at, to->count * sizeof *grown);
        base_free(work->hf->allocator, to->at);
        to->at = grown;
        to->capacity = wanted;
    }
    to->at[to->count++] = piece;
    return true;
}

/* piece's part from..end. */
static bool put_part(hf_work *work, const hf_piece *piece, size_t from, size_t end) {
    size_t at_start = piece->at_start > from ? piece->at_start - from : 0;
    if (at_start > end - from) at_start = end - from;
    return hf_piece_add(work, (hf_piece){piece->start + from, end - from, at_start, HF_NO_ID});
}

/* Each piece ends where the next begins: joins[i] tells whether span i goes on with span i - 1. */
static bool put_joined(hf_work *work, const hf_piece *piece, hf_behavior behavior) {
    const hf_spans *spans = &work->spans;
    size_t from = 0;
    for (size_t i = 0; i < spans->count; i++) {
        const hf_span *s = &spans->at[i];
        const hf_span *before = i > 0 ? s - 1 : NULL;
        bool joins = false;
        if (before && behavior == HF_CONTIGUOUS) joins = s->match == before->match;
        if (before && behavior == HF_MERGED_WITH_PREVIOUS) joins = s->match && !before->match;
        if (before && behavior == HF_MERGED_WITH_NEXT) joins = !s->match && before->match;
        if (!joins) {
            if (before && !put_part(work, piece, from, before->end)) return false;
            from = s->start;
        }
    }
    return spans->count == 0 || put_part(work, piece, from, spans->at[spans->count - 1].end);
}

bool hf_split(hf_work *work, const hf_piece *piece, hf_behavior behavior) {
    const hf_spans *spans = &work->spans;
    if (behavior != HF_REMOVED && behavior != HF_ISOLATED) return put_joined(work, piece, behavior);
    for (size_t i = 0; i < spans->count; i++) {
        const hf_span *s = &spans->at[i];
        if (behavior == HF_REMOVED && s->match) continue;
        if (!put_part(work, piece, s->start, s->end)) return false;
    }
    return true;
}
