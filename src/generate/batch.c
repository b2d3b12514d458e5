/* Batches. In: sequences with tokens to compute. Out: a step block. */
#include "generate/batch.h"

/* Rows of [done, done + rows) that are wanted back. */
static uint32_t outputs_of(const generate_sequence *s, uint64_t rows) {
    const generate_work *w = &s->work;
    const uint64_t end = w->done + rows;
    switch (w->want) {
    case GENERATE_WANT_LAST:
    case GENERATE_WANT_SAMPLED: return rows && end == w->end;
    case GENERATE_WANT_ALL:
    case GENERATE_WANT_HIDDEN: {
        const uint64_t first = w->done > s->length ? w->done : s->length;
        return end > first ? (uint32_t)(end - first) : 0;
    }
    default: return 0;
    }
}

typedef struct budget {
    uint64_t rows, outputs;
} budget;

/* As many more rows as share and budget allow. */
static void give(generate_sequence *s, uint64_t share, budget *left) {
    generate_work *w = &s->work;
    uint64_t more = w->end - w->done - w->rows;
    if (more > share) more = share;
    if (more > left->rows) more = left->rows;
    const uint32_t had = outputs_of(s, w->rows);
    while (more && outputs_of(s, w->rows + more) - had > left->outputs)
        more--;
    left->rows -= more;
    left->outputs -= outputs_of(s, w->rows + more) - had;
    w->rows += (uint32_t)more;
}

uint32_t generate_batch_choose(const generate_cache *c, generate_sequence *list) {
    budget left = {c->options.chunk_tokens, c->options.max_output_rows};
    uint64_t active = 0;
    for (generate_sequence *s = list; s; s = s->work.following) {
        s->work.rows = 0;
        active += s->work.active;
    }
    if (!active) return 0;
    const uint64_t share = left.rows > active ? left.rows / active : 1;
    for (int round = 0; round < 2; round++) {
        for (generate_sequence *s = list; s && left.rows; s = s->work.following) {
            if (s->work.active) give(s, round ? left.rows : share, &left);
        }
    }
    return (uint32_t)(c->options.chunk_tokens - left.rows);
}

static void add_tiles(plan_step_block *b, uint32_t first_row, uint32_t rows, uint32_t sequence) {
    for (uint32_t i = 0; i < rows; i += PLAN_TILE_ROWS) {
        const uint32_t count = rows - i < PLAN_TILE_ROWS ? rows - i : PLAN_TILE_ROWS;
        b->tiles[b->tile_count++] = (plan_tile){first_row + i, count, sequence};
    }
}

static void add_rows(generate_cache *c, generate_sequence *s, uint32_t sequence) {
    plan_step_block *b = &c->block;
    generate_work *w = &s->work;
    w->first_row = b->row_count;
    for (uint32_t i = 0; i < w->rows; i++) {
        const uint32_t row = b->row_count++;
        b->ids[row] = s->tokens[w->done + i];
        b->positions[row] = (int32_t)(w->done + i);
        b->regimes[row] = (int32_t)s->regime;
        b->row_sequence[row] = sequence;
    }
    add_tiles(b, w->first_row, w->rows, sequence);
}

static void add_outputs(generate_cache *c, generate_sequence *s) {
    generate_work *w = &s->work;
    w->outputs = outputs_of(s, w->rows);
    w->first_output = c->block.output_count;
    for (uint32_t i = 0; i < w->outputs; i++)
        c->block.output_rows[c->block.output_count++] = w->first_row + w->rows - w->outputs + i;
}

void generate_batch_fill(generate_cache *c, generate_sequence *list) {
    plan_step_block *b = &c->block;
    b->row_count = b->output_count = b->logit_count = b->tile_count = b->sequence_count = 0;
    for (generate_sequence *s = list; s; s = s->work.following)
        b->sequence_count += s->work.rows > 0;
    uint32_t sequence = 0;
    for (generate_sequence *s = list; s; s = s->work.following) {
        if (!s->work.rows) continue;
        for (uint32_t g = 0; g < b->group_count; g++)
            b->page_tables[g * b->sequence_count + sequence] = s->tables[g];
        add_rows(c, s, sequence++);
        if (s->work.want != GENERATE_WANT_HIDDEN) add_outputs(c, s);
    }
    b->logit_count = b->output_count;
    for (generate_sequence *s = list; s; s = s->work.following) {
        if (s->work.rows && s->work.want == GENERATE_WANT_HIDDEN) add_outputs(c, s);
    }
}
