/* Matrix multiplication by packed codes, for vectors of LANES rows: a vector_*.h comes first. The
 * including file then calls multiply_codes from its one public function.
 *
 * Up to FEW_TOKENS tokens take a panel's packed bytes in order and open them in registers, for at
 * most DIRECT_TOKENS at once. More of them open PANELS_OPEN panels times BLOCKS_OPEN blocks into
 * `work`, once, and multiply those by all tokens, UNITS_AT_ONCE units by TOKENS_AT_ONCE at once;
 * sums wait in y between such slices. Both add in the order of matmul.h, so their bits are the
 * same. With TILES defined as 1, two units by 8 tokens get the products of the latter from AMX. */

#define UNITS          (PANEL_ROWS / LANES)
#define HALVES_OF_LINE (16u / LANES) /* units within the 64 bytes of 16 lanes */
#define PREFETCH_BYTES 8192
#define CHUNK_TOKENS   64u
#define BLOCK_BYTES(k) (PANEL_LAYOUTS[(k).kind].block_bytes)

/* 32 columns of LANES rows in the open. */
typedef struct open_block {
    ints codes[8];
    floats scale[2], minimum[2]; /* of the two groups of 16 columns, or [0] */
} open_block;

/* All that a kernel is specialised by: constants wherever functions are inlined. */
typedef struct codes_kind {
    panel_layout_kind kind;
    unsigned code_bits, group_elems;
    int offset;
    bool minimum, plain_scale; /* plain: scales have more than 22 bits */
    bool shared;               /* one scale to a record */
    unsigned record_shift;     /* a record has 1 << record_shift blocks; no constant if shared */
} codes_kind;

/* Where a unit's sums go. */
typedef struct target {
    float *y;
    size_t stride;
    unsigned count; /* rows that exist; LANES and more: all */
    bool first;     /* sums begin at 0 */
    const float *bias;
} target;

/* ------------------------------------------------------------ opening */

INLINE void open_codes(const codes_kind k, const uint8_t *block, unsigned unit, ints codes[8]) {
    const unsigned h = unit / HALVES_OF_LINE;
    const uint8_t *at = block + unit % HALVES_OF_LINE * (LANES * 4);
    if (k.code_bits == 8) {
        UNROLL for (unsigned j = 0; j < 8; j++) {
            codes[j] = ints_load(at + (8 * h + j) * 64);
            if (CODES_ARE_SIGNED && k.offset) codes[j] = ints_xor(codes[j], ints_all_bytes(0x80));
        }
        return;
    }
    UNROLL for (unsigned j = 0; j < 4; j++) {
        const ints both = ints_load(at + (4 * h + j) * 64);
        codes[j] = ints_and(both, ints_all_bytes(15));
        codes[j + 4] = ints_and(ints_right_16(both, 4), ints_all_bytes(15));
    }
    if (k.code_bits == 5) {
        const ints high = ints_load(at + 512 + 64 * h);
        UNROLL for (unsigned j = 0; j < 8; j++) {
            const ints bit = j < 4 ? ints_left_16(high, 4 - j) : ints_right_16(high, j - 4);
            codes[j] = ints_or_and(codes[j], bit, ints_all_bytes(16));
        }
    }
    if (k.code_bits == 6) {
        UNROLL for (unsigned j = 0; j < 8; j++) {
            const ints high = ints_load(at + 512 + (2 * h + j / 4) * 64);
            const unsigned m = j % 4;
            const ints bits =
                m < 2 ? ints_left_16(high, 4 - 2 * m) : ints_right_16(high, 2 * m - 4);
            codes[j] = ints_or_and(codes[j], bits, ints_all_bytes(48));
        }
    }
}

/* Q4_K's scale and minimum of block s: see panel_read_block. */
INLINE void open_six_bits(const uint8_t *header, unsigned row, unsigned s, open_block *out) {
    const uint8_t *q = header + 128 + row;
    ints scale, minimum;
    if (s < 4) {
        scale = ints_and(ints_from_u8(q + s * 32), ints_all(63));
        minimum = ints_and(ints_from_u8(q + (s + 4) * 32), ints_all(63));
    } else {
        const ints both = ints_from_u8(q + (s + 4) * 32), top = ints_all(48);
        const ints scale_top = ints_right_16(ints_from_u8(q + (s - 4) * 32), 2);
        const ints minimum_top = ints_right_16(ints_from_u8(q + s * 32), 2);
        scale = ints_or_and(ints_and(both, ints_all(15)), scale_top, top);
        minimum = ints_or_and(ints_right_16(both, 4), minimum_top, top);
    }
    out->scale[0] = floats_mul(floats_from_f16(header + 2 * row), floats_from_ints(scale));
    out->minimum[0] = floats_mul(floats_from_f16(header + 64 + 2 * row), floats_from_ints(minimum));
}

INLINE void open_scales(const codes_kind k, const uint8_t *header, unsigned unit, unsigned s,
                        open_block *out) {
    const unsigned row = unit * LANES;
    const unsigned second = k.group_elems == 16 ? 128 : 0, behind = second + 128;
    switch (PANEL_LAYOUTS[k.kind].scales) {
    case PANEL_SCALES_F16: out->scale[0] = floats_from_f16(header + 2 * row); break;
    case PANEL_SCALES_F16_MINIMUM:
        out->scale[0] = floats_from_f16(header + 2 * row);
        out->minimum[0] = floats_negate(floats_from_f16(header + 64 + 2 * row));
        break;
    case PANEL_SCALES_SIX_BITS: open_six_bits(header, row, s, out); break;
    case PANEL_SCALES_EIGHT_BITS:
        UNROLL for (unsigned g = 0; g < 2; g++) {
            const ints code = ints_from_i8(header + 64 + (2 * s + g) * 32 + row);
            out->scale[g] = floats_mul(floats_from_f16(header + 2 * row), floats_from_ints(code));
        }
        break;
    case PANEL_SCALES_F32_MINIMUM:
        out->minimum[0] = floats_load(header + behind + 4 * row);
        if (second) out->minimum[1] = floats_load(header + behind + second + 4 * row);
        /* fall through */
    case PANEL_SCALES_F32:
        out->scale[0] = floats_load(header + 4 * row);
        if (second) out->scale[1] = floats_load(header + second + 4 * row);
        break;
    case PANEL_SCALES_F16_ZERO:
        out->scale[0] = floats_from_f16(header + 2 * row);
        out->minimum[0] = floats_mul(out->scale[0], floats_from_f16(header + 64 + 2 * row));
        break;
    case PANEL_SCALES_F32_ZERO:
        out->scale[0] = floats_load(header + 4 * row);
        out->minimum[0] = floats_mul(out->scale[0], floats_from_f16(header + 128 + 2 * row));
        break;
    }
}

/* Block `block` of a panel, and what will be read soon. */
typedef struct place {
    const uint8_t *header, *codes;
    unsigned s;
} place;

INLINE place place_of(const codes_kind k, const uint8_t *panel, uint64_t block) {
    const panel_layout *layout = PANEL_LAYOUTS + k.kind;
    const size_t record_bytes =
        layout->header_bytes + ((size_t)layout->block_bytes << k.record_shift);
    const uint8_t *record = panel + (block >> k.record_shift) * record_bytes;
    const unsigned s = (unsigned)(block & ((1u << k.record_shift) - 1));
    return (place){record, record + layout->header_bytes + s * (size_t)layout->block_bytes, s};
}

INLINE void prefetch_block(const codes_kind k, const place *at) {
    const panel_layout *layout = PANEL_LAYOUTS + k.kind;
    const bool alone = k.record_shift == 0 && !k.shared;
    const unsigned bytes = layout->block_bytes + (alone ? layout->header_bytes : 0);
    const uint8_t *from = (alone ? at->header : at->codes) + PREFETCH_BYTES;
    UNROLL for (unsigned i = 0; i < bytes; i += 64) vector_fetch(from + i);
}

/* ------------------------------------------------------------ multiplying */

/* What the sum of column group `half` starts with: the magic number minus offset * sum of x. */
INLINE ints sum_start(const codes_kind k, const cpu_activation_line *x, unsigned half) {
    const bool is_signed = CODES_ARE_SIGNED && k.code_bits == 8;
    if (is_signed || k.offset == 0) return ints_all(CPU_MAGIC_BITS);
    if (k.group_elems == 16) {
        const unsigned shift = k.offset == 32 ? 5 : 7;
        return ints_sub(ints_all(CPU_MAGIC_BITS),
                        ints_left_32(ints_broadcast(x->sums + half), shift));
    }
    if (k.offset == 8) return ints_broadcast(&x->start8);
    if (k.offset == 16) return ints_broadcast(&x->start16);
    return ints_broadcast(&x->start128);
}

/* acc += isum * scale * x's scale - minimum * x's sum. sum holds the magic number + isum. */
INLINE floats add_group(const codes_kind k, const open_block *w, floats magic_scale, ints sum,
                        const cpu_activation_line *x, unsigned half, floats acc) {
    const floats scale = w->scale[half], shifted = floats_of_bits(sum);
    const floats g = k.plain_scale ? floats_mul(floats_sub(shifted, floats_all(CPU_MAGIC)), scale)
                                   : floats_fms(shifted, scale, magic_scale);
    acc = floats_fma(g, floats_broadcast(&x->scale), acc);
    if (!k.minimum) return acc;
    if (k.group_elems == 32) {
        return floats_fnma(w->minimum[0], floats_broadcast(&x->scaled_sum), acc);
    }
    const floats x_sum = floats_from_ints(ints_broadcast(x->sums + half));
    return floats_fnma(w->minimum[half], floats_mul(x_sum, floats_broadcast(&x->scale)), acc);
}

/* sum += the products of `chain` vectors of codes from `first` on. */
INLINE void add_chain(const codes_kind k, const unsigned units, const unsigned tokens,
                      const open_block *w, const unsigned apart, const cpu_activation_line *x,
                      const unsigned first, const unsigned chain, ints sum[2][CPU_TILE_TOKENS]) {
    const bool is_signed = CODES_ARE_SIGNED && k.code_bits == 8;
    ints part[2][CPU_TILE_TOKENS];
    UNROLL for (unsigned j = first; j < first + chain; j++) {
        UNROLL for (unsigned t = 0; t < tokens; t++) {
            const int8_t *codes = x[t].codes + 4 * j;
            if (j == first) {
                UNROLL for (unsigned u = 0; u < units; u++) part[u][t] = dots_begin(sum[u][t]);
            }
            if (units == 1) {
                dots_add_from(&part[0][t], w->codes[j], codes, is_signed, j == first);
            } else {
                const ints four = ints_broadcast(codes);
                dots_add(&part[0][t], w->codes[j], four, is_signed, j == first);
                dots_add(&part[1][t], w[apart].codes[j], four, is_signed, j == first);
            }
        }
    }
    UNROLL for (unsigned u = 0; u < units; u++) {
        UNROLL for (unsigned t = 0; t < tokens; t++) sum[u][t] = dots_end(sum[u][t], part[u][t]);
    }
}

/* One block of `units` units, `apart` open blocks from one to the next, times `tokens` lines. */
INLINE void multiply_block(const codes_kind k, const unsigned units, const unsigned tokens,
                           const open_block *w, const unsigned apart, const cpu_activation_line *x,
                           floats acc[][CPU_TILE_TOKENS]) {
    const unsigned halves = 32 / k.group_elems, vectors = 8 / halves;
    const unsigned chain = CHAIN(k.code_bits) < vectors ? CHAIN(k.code_bits) : vectors;
    UNROLL for (unsigned half = 0; half < halves; half++) {
        ints sum[2][CPU_TILE_TOKENS];
        UNROLL for (unsigned t = 0; t < tokens; t++) {
            sum[0][t] = sum_start(k, x + t, half);
            if (units == 2) sum[1][t] = sum[0][t];
        }
        UNROLL for (unsigned j = half * vectors; j < (half + 1) * vectors; j += chain)
            add_chain(k, units, tokens, w, apart, x, j, chain, sum);
        UNROLL for (unsigned u = 0; u < units; u++) {
            const open_block *unit = w + u * apart;
            const floats magic_scale = floats_mul(floats_all(CPU_MAGIC), unit->scale[half]);
            UNROLL for (unsigned t = 0; t < tokens; t++) acc[u][t] =
                add_group(k, unit, magic_scale, sum[u][t], x + t, half, acc[u][t]);
        }
    }
}

#if TILES
#include "device/cpu/x86/matmul_codes_tiles.h"
#endif

INLINE void finish(const target *to, unsigned t, floats acc) {
    if (to->bias) acc = floats_add(acc, floats_load_part(to->bias, to->count));
    floats_store_part(to->y + t * to->stride, to->count, acc);
}

/* The open blocks of `units` units times `tokens` lines of a tile; `step` lines from block to
 * block. `next`: lines from here to those that come after them. */
INLINE void multiply_units(const codes_kind k, const unsigned units, const unsigned tokens,
                           const open_block *w, unsigned blocks, const cpu_activation_line *x,
                           size_t step, ptrdiff_t next, const target *to) {
    floats acc[UNITS_AT_ONCE][CPU_TILE_TOKENS];
    UNROLL for (unsigned u = 0; u < units; u++) {
        UNROLL for (unsigned t = 0; t < tokens; t++) {
            acc[u][t] = to[u].first ? floats_zero()
                                    : floats_load_part(to[u].y + t * to[u].stride, to[u].count);
        }
    }
#if TILES
    if (units == 2 && tokens == CPU_TILE_TOKENS) {
        multiply_blocks_by_tiles(k, w, blocks, x, step, next, acc);
        blocks = 0;
    }
#endif
    for (unsigned b = 0; b < blocks; b++, w++, x += step) {
        if (LANES == 16) {
            UNROLL for (unsigned t = 0; t < tokens; t++) vector_fetch(x + next + t);
        }
        multiply_block(k, units, tokens, w, BLOCKS_OPEN, x, acc);
    }
    UNROLL for (unsigned u = 0; u < units; u++) {
        UNROLL for (unsigned t = 0; t < tokens; t++) finish(to + u, t, acc[u][t]);
    }
}

/* UNITS_AT_ONCE units times any number of tokens of one tile. */
INLINE void multiply_tile(const codes_kind k, const open_block *w, unsigned blocks,
                          const cpu_activation_line *x, size_t step, ptrdiff_t next, target *to) {
    unsigned left = (unsigned)step, take;
    const bool all = UNITS_AT_ONCE == 1 || to[UNITS_AT_ONCE - 1].count;
    for (; left; left -= take, x += take) {
        if (left >= 8 && TOKENS_AT_ONCE >= 8 && all)
            multiply_units(k, UNITS_AT_ONCE, take = 8, w, blocks, x, step, next, to);
        else if (left >= 4 && TOKENS_AT_ONCE >= 4 && all)
            multiply_units(k, UNITS_AT_ONCE, take = 4, w, blocks, x, step, next, to);
        else if (left >= 2 && all)
            multiply_units(k, UNITS_AT_ONCE, take = 2, w, blocks, x, step, next, to);
        else if (all)
            multiply_units(k, UNITS_AT_ONCE, take = 1, w, blocks, x, step, next, to);
        else /* the last unit of W, alone */
            multiply_units(k, 1, take = 1, w, blocks, x, step, next, to);
        UNROLL for (unsigned u = 0; u < UNITS_AT_ONCE; u++) to[u].y += take * to->stride;
    }
}

/* ------------------------------------------------------------ panels */

typedef struct job {
    const uint8_t *packed;
    uint64_t n, panel_bytes, blocks; /* blocks of 32 along K */
    unsigned record_shift;
    const void *x;
    uint32_t tokens;
    float *y;
    size_t y_stride;
    const float *bias;
    open_block *work;
} job;

INLINE target target_of(const job *j, uint64_t row, uint32_t token, bool first, bool last) {
    const uint64_t count = j->n > row ? j->n - row : 0;
    return (target){.y = j->y + token * j->y_stride + row,
                    .stride = j->y_stride,
                    .count = count < LANES ? (unsigned)count : LANES,
                    .first = first,
                    .bias = last && j->bias ? j->bias + row : NULL};
}

/* The next block of a record whose scales are open already. */
INLINE void multiply_shared_block(const codes_kind k, const unsigned tokens, const place *at,
                                  const open_block scales[UNITS], const cpu_activation_line *x,
                                  floats acc[UNITS][CPU_TILE_TOKENS]) {
    prefetch_block(k, at);
    UNROLL for (unsigned u = 0; u < UNITS; u++) {
        open_block w;
        w.scale[0] = scales[u].scale[0];
        if (k.minimum) w.minimum[0] = scales[u].minimum[0];
        open_codes(k, at->codes, u, w.codes);
        multiply_block(k, 1, tokens, &w, 0, x, acc + u);
    }
}

/* A record with one scale. Gives the line behind its last. */
INLINE const cpu_activation_line *multiply_shared(const codes_kind k, const unsigned tokens,
                                                  place at, const cpu_activation_line *x,
                                                  size_t step, floats acc[UNITS][CPU_TILE_TOKENS]) {
    open_block scales[UNITS];
    UNROLL for (unsigned u = 0; u < UNITS; u++) open_scales(k, at.header, u, 0, scales + u);
    UNROLL for (unsigned i = 0; i < PANEL_LAYOUTS[k.kind].header_bytes; i += 64)
        vector_fetch(at.header + PREFETCH_BYTES + i);
    for (unsigned s = 0; s < 1u << k.record_shift; s++, x += step, at.codes += BLOCK_BYTES(k))
        multiply_shared_block(k, tokens, &at, scales, x, acc);
    return x;
}

/* One block of all units of a panel, opened in registers, times `tokens` lines. */
INLINE void multiply_direct_block(const codes_kind k, const unsigned tokens, const place *at,
                                  const cpu_activation_line *x,
                                  floats acc[UNITS][CPU_TILE_TOKENS]) {
    prefetch_block(k, at);
    /* Five bits: both units together hide the longest chain of operations; others spill. */
    if (tokens == 1 && UNITS == 2 && k.code_bits == 5 && k.record_shift) {
        open_block w[UNITS];
        UNROLL for (unsigned u = 0; u < UNITS; u++) {
            open_codes(k, at->codes, u, w[u].codes);
            open_scales(k, at->header, u, at->s, w + u);
        }
        multiply_block(k, UNITS, tokens, w, 1, x, acc);
        return;
    }
    UNROLL for (unsigned u = 0; u < UNITS; u++) {
        open_block w;
        open_codes(k, at->codes, u, w.codes);
        open_scales(k, at->header, u, at->s, &w);
        multiply_block(k, 1, tokens, &w, 0, x, acc + u);
    }
}

/* One panel times `tokens` lines from token on, of a tile of `step`, in one pass over its bytes. */
INLINE void multiply_direct(const codes_kind k, const unsigned tokens, const job *j, uint64_t panel,
                            uint32_t token, const cpu_activation_line *x, size_t step) {
    const unsigned blocks = 1u << k.record_shift;
    const uint8_t *from = j->packed + panel * j->panel_bytes;
    floats acc[UNITS][CPU_TILE_TOKENS];
    UNROLL for (unsigned u = 0; u < UNITS; u++) {
        UNROLL for (unsigned t = 0; t < tokens; t++) acc[u][t] = floats_zero();
    }
    for (uint64_t b = 0; b < j->blocks; b += blocks) {
        place at = place_of(k, from, b);
        if (k.shared) {
            x = multiply_shared(k, tokens, at, x, step, acc);
        } else if (tokens == 1 && k.code_bits == 4) { /* the header's conversions are made once */
            UNROLL for (at.s = 0; at.s < blocks; at.s++, x += step, at.codes += BLOCK_BYTES(k))
                multiply_direct_block(k, tokens, &at, x, acc);
        } else {
            for (at.s = 0; at.s < blocks; at.s++, x += step, at.codes += BLOCK_BYTES(k))
                multiply_direct_block(k, tokens, &at, x, acc);
        }
    }
    UNROLL for (unsigned u = 0; u < UNITS; u++) {
        const target to = target_of(j, panel * PANEL_ROWS + u * LANES, token, true, true);
        UNROLL for (unsigned t = 0; t < tokens; t++) {
            if (to.count) finish(&to, t, acc[u][t]);
        }
    }
}

/* Few tokens: a panel again and again, from the cache, by as many tokens as registers hold. */
INLINE void multiply_few(const codes_kind k, const job *j, uint64_t panel) {
    const cpu_activation_line *tile = j->x;
    for (uint32_t first = 0; first < j->tokens; first += CPU_TILE_TOKENS) {
        const uint32_t rest = j->tokens - first;
        const size_t step = rest < CPU_TILE_TOKENS ? rest : CPU_TILE_TOKENS;
        unsigned take;
        for (uint32_t t = 0; t < step; t += take) {
            const unsigned left = (unsigned)step - t;
            if (left >= 8 && DIRECT_TOKENS >= 8) {
                multiply_direct(k, take = 8, j, panel, first + t, tile + t, step);
            } else if (left >= 4 && DIRECT_TOKENS >= 4) {
                multiply_direct(k, take = 4, j, panel, first + t, tile + t, step);
            } else if (left >= 2) {
                multiply_direct(k, take = 2, j, panel, first + t, tile + t, step);
            } else {
                multiply_direct(k, take = 1, j, panel, first + t, tile + t, step);
            }
        }
        tile += j->blocks * step;
    }
}

/* Blocks [first, first + count) of a panel to [UNITS][BLOCKS_OPEN]. */
INLINE void open_panel(const codes_kind k, const uint8_t *panel, uint64_t first, unsigned count,
                       open_block *out) {
    for (unsigned b = 0; b < count; b++) {
        const place at = place_of(k, panel, first + b);
        prefetch_block(k, &at);
        UNROLL for (unsigned u = 0; u < UNITS; u++) {
            open_codes(k, at.codes, u, out[u * BLOCKS_OPEN + b].codes);
            open_scales(k, at.header, u, at.s, out + u * BLOCKS_OPEN + b);
        }
    }
}

/* What is open of `panels` panels, from block b on, times CHUNK_TOKENS tokens: those stay in the
 * second cache while one group of units after the other is in the first. */
INLINE void multiply_chunk(const codes_kind k, const job *j, uint64_t panel, unsigned panels,
                           uint64_t b, uint32_t first) {
    const uint64_t rest_blocks = j->blocks - b;
    const unsigned count = rest_blocks < BLOCKS_OPEN ? (unsigned)rest_blocks : BLOCKS_OPEN;
    const bool last = rest_blocks <= BLOCKS_OPEN;
    const uint32_t rest = j->tokens - first;
    const uint32_t end = first + (rest < CHUNK_TOKENS ? rest : CHUNK_TOKENS);
    for (unsigned u = 0; u < panels * UNITS; u += UNITS_AT_ONCE) {
        const uint64_t row = panel * PANEL_ROWS + u * LANES;
        if (row >= j->n) break;
        const cpu_activation_line *x = (const cpu_activation_line *)j->x + first * j->blocks;
        for (uint32_t t = first; t < end; t += CPU_TILE_TOKENS) {
            const size_t step = end - t < CPU_TILE_TOKENS ? end - t : CPU_TILE_TOKENS;
            const ptrdiff_t tile = (ptrdiff_t)(j->blocks * step);
            /* After the last tile comes the first again, for the next units. */
            const ptrdiff_t back = (ptrdiff_t)((t - first) * j->blocks);
            target to[UNITS_AT_ONCE];
            UNROLL for (unsigned i = 0; i < UNITS_AT_ONCE; i++) to[i] =
                target_of(j, row + i * LANES, t, b == 0, last);
            multiply_tile(k, j->work + u * BLOCKS_OPEN, count, x + b * step, step,
                          t + step < end ? tile : -back, to);
            x += tile;
        }
    }
}

/* T > 1: `panels` <= PANELS_OPEN of them. */
INLINE void multiply_many(const codes_kind k, const job *j, uint64_t panel, unsigned panels) {
    for (uint64_t b = 0; b == 0 || b < j->blocks; b += BLOCKS_OPEN) {
        const uint64_t rest = j->blocks - b;
        const unsigned count = rest < BLOCKS_OPEN ? (unsigned)rest : BLOCKS_OPEN;
        for (unsigned p = 0; p < panels; p++) {
            open_panel(k, j->packed + (panel + p) * j->panel_bytes, b, count,
                       j->work + p * (UNITS * BLOCKS_OPEN));
        }
        for (uint32_t t = 0; t < j->tokens; t += CHUNK_TOKENS)
            multiply_chunk(k, j, panel, panels, b, t);
    }
}

INLINE void multiply_panels(const codes_kind k, const job *j, uint64_t first, uint64_t end) {
    if (j->tokens <= FEW_TOKENS(k)) {
        for (uint64_t p = first; p < end; p++)
            multiply_few(k, j, p);
        return;
    }
    /* One open panel stays in the first cache, four share what is fetched of x. */
    const unsigned open = j->tokens <= 64 ? 1 : PANELS_OPEN;
    for (uint64_t p = first; p < end; p += open)
        multiply_many(k, j, p, end - p < open ? (unsigned)(end - p) : open);
}

/* ------------------------------------------------------------ layouts */

INLINE codes_kind kind_of(panel_layout_kind kind) {
    const panel_layout *layout = PANEL_LAYOUTS + kind;
    return (codes_kind){.kind = kind,
                        .code_bits = layout->code_bits,
                        .group_elems = layout->group_elems,
                        .offset = layout->offset,
                        .minimum = layout->scales == PANEL_SCALES_F16_MINIMUM ||
                                   layout->scales == PANEL_SCALES_SIX_BITS ||
                                   layout->scales >= PANEL_SCALES_F32_MINIMUM,
                        .plain_scale = layout->scales == PANEL_SCALES_F32 ||
                                       layout->scales == PANEL_SCALES_F32_MINIMUM ||
                                       layout->scales == PANEL_SCALES_F32_ZERO,
                        .shared = layout->record_elems == 0,
                        .record_shift = layout->record_elems == 256 ? 3 : 0};
}

/* Kinds whose records are as long as the weight's scales allow. */
INLINE codes_kind shared_kind_of(panel_layout_kind kind, const job *j) {
    codes_kind k = kind_of(kind);
    k.record_shift = j->record_shift;
    return k;
}

static void multiply_q4_0(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_Q4_0), j, first, end);
}
static void multiply_q4_1(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_Q4_1), j, first, end);
}
static void multiply_q5_0(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_Q5_0), j, first, end);
}
static void multiply_q5_1(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_Q5_1), j, first, end);
}
static void multiply_q8_0(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_Q8_0), j, first, end);
}
static void multiply_q4_k(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_Q4_K), j, first, end);
}
static void multiply_q5_k(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_Q5_K), j, first, end);
}
static void multiply_q6_k(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_Q6_K), j, first, end);
}
static void multiply_group32(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_GROUP32), j, first, end);
}
static void multiply_group16(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_GROUP16), j, first, end);
}
static void multiply_group16m(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_GROUP16M), j, first, end);
}

static void multiply_group32m(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(kind_of(PANEL_LAYOUT_GROUP32M), j, first, end);
}
static void multiply_n4(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(shared_kind_of(PANEL_LAYOUT_N4, j), j, first, end);
}
static void multiply_n4z(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(shared_kind_of(PANEL_LAYOUT_N4Z, j), j, first, end);
}
static void multiply_n4f(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(shared_kind_of(PANEL_LAYOUT_N4F, j), j, first, end);
}
static void multiply_n4fz(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(shared_kind_of(PANEL_LAYOUT_N4FZ, j), j, first, end);
}
static void multiply_n8(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(shared_kind_of(PANEL_LAYOUT_N8, j), j, first, end);
}
static void multiply_n8z(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(shared_kind_of(PANEL_LAYOUT_N8Z, j), j, first, end);
}
static void multiply_n8f(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(shared_kind_of(PANEL_LAYOUT_N8F, j), j, first, end);
}
static void multiply_n8fz(const job *j, uint64_t first, uint64_t end) {
    multiply_panels(shared_kind_of(PANEL_LAYOUT_N8FZ, j), j, first, end);
}

static void multiply_codes(CPU_MATMUL_PARAMETERS) {
    (void)x_stride;
    const panel_layout_kind kind = (panel_layout_kind)f.layout;
    const job j = {.packed = packed,
                   .n = n,
                   .panel_bytes = panel_bytes_of(f, k),
                   .blocks = (k + 31) / 32,
                   .record_shift = f.record_shift,
                   .x = x,
                   .tokens = rows,
                   .y = y,
                   .y_stride = y_stride,
                   .bias = bias,
                   .work = work};
    switch (kind) {
    case PANEL_LAYOUT_Q4_0: multiply_q4_0(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_Q4_1: multiply_q4_1(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_Q5_0: multiply_q5_0(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_Q5_1: multiply_q5_1(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_Q8_0: multiply_q8_0(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_Q4_K: multiply_q4_k(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_Q5_K: multiply_q5_k(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_Q6_K: multiply_q6_k(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_GROUP32: multiply_group32(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_GROUP16: multiply_group16(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_GROUP16M: multiply_group16m(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_GROUP32M: multiply_group32m(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_N4: multiply_n4(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_N4Z: multiply_n4z(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_N4F: multiply_n4f(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_N4FZ: multiply_n4fz(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_N8: multiply_n8(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_N8Z: multiply_n8z(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_N8F: multiply_n8f(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_N8FZ: multiply_n8fz(&j, first_panel, end_panel); break;
    default: break; /* floats have kernels of their own */
    }
}
