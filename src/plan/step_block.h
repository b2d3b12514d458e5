/* The step block: all that changes between two replays of a plan. It lies at a fixed address for as
 * long as the plans that were recorded with it. */
#ifndef PLAN_STEP_BLOCK_H
#define PLAN_STEP_BLOCK_H

#include <stdint.h>

/* The most rows of one tile. */
#define PLAN_TILE_ROWS 48

/* Consecutive rows of one sequence, at ascending positions, that attention works on together. */
typedef struct plan_tile {
    uint32_t first_row, row_count, sequence;
} plan_tile;

/* R rows of S sequences, O of them wanted back, L of those wanting logits. */
typedef struct plan_step_block {
    uint32_t row_count, output_count, logit_count, tile_count, sequence_count, group_count;
    int32_t *ids;           /* [R] */
    int32_t *positions;     /* [R] */
    int32_t *regimes;       /* [R] 0, or 1 past a decoder's threshold */
    uint32_t *row_sequence; /* [R] index of the row's sequence in this step */
    uint32_t *output_rows;  /* [O] rows wanted back; the first L of them want logits */
    plan_tile *tiles;       /* [tile_count] */
    /* [group_count][S]: page p of the sequence's tokens p*page_tokens and on; entries of pages that
     * every window has left behind are UINT32_MAX. */
    const uint32_t **page_tables;
} plan_step_block;

#endif
