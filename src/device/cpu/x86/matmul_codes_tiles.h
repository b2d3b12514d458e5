/* Part of matmul_codes_template.h: the products of two units by 8 tokens on AMX. A step is a group
 * of columns of a block; integers alone come from tiles, and the template adds them up as always.
 *
 * Tiles, of 8 rows or as many as said: 0 to 3 sums [8 tokens][16 lanes] of i32, two to a step; 4, 5
 * codes of x [8 tokens][columns]; 6, 7 open codes [columns / 4 rows][16 lanes][4]. Lines of x and
 * open codes lie in memory as tiles want them. */
#ifndef DEVICE_CPU_X86_MATMUL_CODES_TILES_H
#define DEVICE_CPU_X86_MATMUL_CODES_TILES_H

#include "device/cpu/x86/amx_tiles.h"

typedef int32_t tile_sums[CPU_TILE_TOKENS][LANES];

static const tile_config TILES_OF_32 = {
    .palette = 1, .row_bytes = {64, 64, 64, 64, 32, 32, 64, 64}, .rows = {8, 8, 8, 8, 8, 8, 8, 8}};
static const tile_config TILES_OF_16 = {
    .palette = 1, .row_bytes = {64, 64, 64, 64, 16, 16, 64, 64}, .rows = {8, 8, 8, 8, 8, 8, 4, 4}};

#define TILES_OF_STEP(x_tile, first_sums, second_sums)                                             \
    do {                                                                                           \
        TILE_LOAD(x_tile, x, sizeof(cpu_activation_line));                                         \
        TILE_LOAD(6, codes, 64);                                                                   \
        TILE_ZERO(first_sums);                                                                     \
        TILE_DOT_SIGNED_UNSIGNED(first_sums, x_tile, 6);                                           \
        TILE_LOAD(7, next_codes, 64);                                                              \
        TILE_ZERO(second_sums);                                                                    \
        TILE_DOT_SIGNED_UNSIGNED(second_sums, x_tile, 7);                                          \
        TILE_STORE(first_sums, sums[0], 64);                                                       \
        TILE_STORE(second_sums, sums[1], 64);                                                      \
    } while (0)

/* The step's products of both units. Odd steps take other tiles, since two are under way. */
INLINE void multiply_step(bool odd, const int8_t *x, const ints *codes, const ints *next_codes,
                          tile_sums sums[2]) {
    if (odd) {
        TILES_OF_STEP(5, 2, 3);
    } else {
        TILES_OF_STEP(4, 0, 1);
    }
}

/* acc += what a step's products give: see multiply_block. */
INLINE void add_step(const codes_kind k, const open_block *w, const cpu_activation_line *x,
                     const unsigned half, tile_sums sums[2], floats acc[][CPU_TILE_TOKENS]) {
    floats magic_scale[2];
    UNROLL for (unsigned u = 0; u < 2; u++) magic_scale[u] =
        floats_mul(floats_all(CPU_MAGIC), w[u * BLOCKS_OPEN].scale[half]);
    UNROLL for (unsigned t = 0; t < CPU_TILE_TOKENS; t++) {
        const ints start = sum_start(k, x + t, half);
        UNROLL for (unsigned u = 0; u < 2; u++) {
            const ints sum = ints_add(ints_load(sums[u][t]), start);
            acc[u][t] =
                add_group(k, w + u * BLOCKS_OPEN, magic_scale[u], sum, x + t, half, acc[u][t]);
        }
    }
}

/* A step's products are begun before those of the step in front are added: they take a while. */
INLINE void multiply_blocks_by_tiles(const codes_kind k, const open_block *w, unsigned blocks,
                                     const cpu_activation_line *x, size_t step, ptrdiff_t next,
                                     floats acc[][CPU_TILE_TOKENS]) {
    const unsigned halves = 32 / k.group_elems, vectors = 8 / halves;
    _Alignas(64) tile_sums sums[2][2];
    bool odd = false;
    if (blocks) multiply_step(odd, x->codes, w->codes, w[BLOCKS_OPEN].codes, sums[odd]);
    for (unsigned b = 0; b < blocks; b++, w++, x += step) {
        UNROLL for (unsigned t = 0; t < CPU_TILE_TOKENS; t++)
            _mm_prefetch((const char *)(x + next + t), _MM_HINT_T0);
        UNROLL for (unsigned half = 0; half < halves; half++, odd = !odd) {
            const unsigned j = (half + 1) % halves;
            const open_block *then = j ? w : w + 1;
            if (j || b + 1 < blocks) {
                multiply_step(!odd, (x + (j ? 0 : step))->codes + j * 16, then->codes + j * vectors,
                              then[BLOCKS_OPEN].codes + j * vectors, sums[!odd]);
            }
            add_step(k, w, x, half, sums[odd], acc);
        }
    }
}

#endif
