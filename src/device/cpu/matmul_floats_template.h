/* Matrix multiplication by packed floats, for vectors of LANES rows: a vector_*.h comes first.
 *
 * A panel is cut along K into slices that stay in the first cache while all tokens pass; sums wait
 * in y between slices. Each output is one chain of fma over K, so every cut gives the same bits. */

#define UNITS           (PANEL_ROWS / LANES)
#define SLICE_COLUMNS   128u
#define SLICE_PIECES    16u
#define PREFETCH_BYTES  8192
/* Tokens from which on a slice takes long enough for the next one to come. */
#define PREFETCH_TOKENS 32u

typedef struct floats_job {
    const uint8_t *packed;
    uint64_t n, k, panel_bytes;
    const float *x;
    size_t x_stride;
    uint32_t tokens;
    float *y;
    size_t y_stride;
    const float *bias;
} floats_job;

INLINE floats load_weights(const panel_layout_kind kind, const uint8_t *column, unsigned unit) {
    const unsigned row = unit * LANES;
    if (kind == PANEL_LAYOUT_F16) return floats_from_f16(column + 2 * row);
    if (kind == PANEL_LAYOUT_BF16) return floats_from_bf16(column + 2 * row);
    return floats_load(column + 4 * row);
}

/* Where a group of units' sums go. */
typedef struct floats_target {
    float *y;
    size_t stride;
    unsigned count; /* rows that exist from the first unit on */
    bool first;
    const float *bias;
} floats_target;

INLINE unsigned count_of(const floats_target *to, unsigned unit) {
    const unsigned before = unit * LANES;
    return to->count < before ? 0 : to->count - before;
}

/* Columns of a panel, and where x has them. */
typedef struct floats_piece {
    const uint8_t *w;
    const float *x;
    uint64_t columns;
} floats_piece;

/* Columns that are summed up in one go. */
typedef struct floats_slice {
    floats_piece pieces[SLICE_PIECES];
    unsigned count;
    bool first, last; /* of the sum */
} floats_slice;

/* `units` units from `unit` on, times `tokens` rows of x, the first of them x_at elements on. */
INLINE void multiply_floats(const panel_layout_kind kind, const unsigned units,
                            const unsigned tokens, const floats_slice *s, size_t x_at,
                            size_t x_stride, unsigned unit, const floats_target *to) {
    const unsigned column_bytes = PANEL_LAYOUTS[kind].block_bytes;
    floats acc[FLOAT_TOKENS][UNITS];
    UNROLL for (unsigned t = 0; t < tokens; t++) {
        UNROLL for (unsigned u = 0; u < units; u++) {
            acc[t][u] = to->first
                            ? floats_zero()
                            : floats_load_part(to->y + t * to->stride + u * LANES, count_of(to, u));
        }
    }
    for (unsigned p = 0; p < s->count; p++) {
        const uint8_t *w = s->pieces[p].w;
        const float *x = s->pieces[p].x + x_at;
        const uint64_t columns = s->pieces[p].columns;
        for (uint64_t c = 0; c < columns; c++, w += column_bytes) {
            if (tokens == 1) {
                vector_fetch(w + PREFETCH_BYTES);
                if (column_bytes > 64) vector_fetch(w + PREFETCH_BYTES + 64);
            }
            floats row[UNITS];
            UNROLL for (unsigned u = 0; u < units; u++) row[u] = load_weights(kind, w, unit + u);
            UNROLL for (unsigned t = 0; t < tokens; t++) {
                const floats value = floats_broadcast(x + t * x_stride + c);
                UNROLL for (unsigned u = 0; u < units; u++) acc[t][u] =
                    floats_fma(row[u], value, acc[t][u]);
            }
        }
    }
    UNROLL for (unsigned t = 0; t < tokens; t++) {
        UNROLL for (unsigned u = 0; u < units; u++) {
            const unsigned count = count_of(to, u);
            if (!count) continue;
            floats v = acc[t][u];
            if (to->bias) v = floats_add(v, floats_load_part(to->bias + u * LANES, count));
            floats_store_part(to->y + t * to->stride + u * LANES, count, v);
        }
    }
}

/* Lines of the weights behind the slice, on their way while this one is multiplied. */
INLINE const uint8_t *prefetch_share(const uint8_t *next, unsigned lines) {
    for (unsigned i = 0; i < lines; i++, next += 64)
        vector_fetch_far(next);
    return next;
}

/* `units` units from `unit` on, times all tokens. */
INLINE void multiply_units(const panel_layout_kind kind, const unsigned units, const floats_job *j,
                           const floats_slice *s, unsigned unit, floats_target *to) {
    const floats_piece *end = s->pieces + s->count - 1;
    const uint8_t *next = end->w + end->columns * PANEL_LAYOUTS[kind].block_bytes;
    /* Half of a whole slice by each group of units, a part of it with each group of tokens. */
    const unsigned lines =
        SLICE_COLUMNS * PANEL_LAYOUTS[kind].block_bytes / 64 / (UNITS / FLOAT_UNITS);
    const unsigned share = j->tokens < PREFETCH_TOKENS ? 0 : lines * FLOAT_TOKENS / j->tokens + 1;
    next += unit / FLOAT_UNITS * lines * 64;
    size_t at = 0;
    unsigned take;
    for (uint32_t left = j->tokens; left; left -= take, at += take * j->x_stride) {
        if (share) next = prefetch_share(next, share);
        if (left >= FLOAT_TOKENS)
            multiply_floats(kind, units, take = FLOAT_TOKENS, s, at, j->x_stride, unit, to);
        else if (FLOAT_TOKENS > 4 && left >= 4)
            multiply_floats(kind, units, take = 4, s, at, j->x_stride, unit, to);
        else if (left >= 2)
            multiply_floats(kind, units, take = 2, s, at, j->x_stride, unit, to);
        else
            multiply_floats(kind, units, take = 1, s, at, j->x_stride, unit, to);
        to->y += take * j->y_stride;
    }
}

/* One slice of a panel times all tokens. */
INLINE void multiply_slice(const panel_layout_kind kind, const floats_job *j, uint64_t panel,
                           const floats_slice *s) {
    for (unsigned unit = 0; unit < UNITS; unit += FLOAT_UNITS) {
        const uint64_t row = panel * PANEL_ROWS + unit * LANES;
        if (row >= j->n) break;
        const uint64_t count = j->n - row;
        floats_target to = {.y = j->y + row,
                            .stride = j->y_stride,
                            .count = count < PANEL_ROWS ? (unsigned)count : PANEL_ROWS,
                            .first = s->first,
                            .bias = j->bias && s->last ? j->bias + row : NULL};
        if (count <= LANES)
            multiply_units(kind, 1, j, s, unit, &to);
        else
            multiply_units(kind, FLOAT_UNITS, j, s, unit, &to);
    }
}

/* T = 1: a whole panel in one pass over its bytes. */
INLINE void multiply_row(const panel_layout_kind kind, const floats_job *j, uint64_t panel) {
    const uint64_t row = panel * PANEL_ROWS, count = j->n - row;
    const floats_target to = {.y = j->y + row,
                              .stride = j->y_stride,
                              .count = count < PANEL_ROWS ? (unsigned)count : PANEL_ROWS,
                              .first = true,
                              .bias = j->bias ? j->bias + row : NULL};
    floats_slice s;
    s.pieces[0] = (floats_piece){j->packed + panel * j->panel_bytes, j->x, j->k};
    s.count = 1;
    multiply_floats(kind, UNITS, 1, &s, 0, j->x_stride, 0, &to);
}

INLINE void multiply_float_panels(const panel_layout_kind kind, const floats_job *j, uint64_t first,
                                  uint64_t end) {
    for (uint64_t p = first; p < end; p++) {
        if (j->tokens == 1) {
            multiply_row(kind, j, p);
            continue;
        }
        for (uint64_t c = 0; c == 0 || c < j->k; c += SLICE_COLUMNS) {
            const uint64_t left = j->k - c;
            const uint8_t *w = j->packed + p * j->panel_bytes + c * PANEL_LAYOUTS[kind].block_bytes;
            const uint64_t columns = left < SLICE_COLUMNS ? left : SLICE_COLUMNS;
            floats_slice s; /* pieces that are not there are not cleared */
            s.pieces[0] = (floats_piece){w, j->x + c, columns};
            s.count = 1;
            s.first = c == 0;
            s.last = columns == left;
            multiply_slice(kind, j, p, &s);
        }
    }
}

static void multiply_f16(const floats_job *j, uint64_t first, uint64_t end) {
    multiply_float_panels(PANEL_LAYOUT_F16, j, first, end);
}
static void multiply_bf16(const floats_job *j, uint64_t first, uint64_t end) {
    multiply_float_panels(PANEL_LAYOUT_BF16, j, first, end);
}
static void multiply_f32(const floats_job *j, uint64_t first, uint64_t end) {
    multiply_float_panels(PANEL_LAYOUT_F32, j, first, end);
}

static void multiply_all_floats(CPU_MATMUL_PARAMETERS) {
    (void)work;
    const floats_job j = {.packed = packed,
                          .n = n,
                          .k = k,
                          .panel_bytes = panel_bytes_of(f, k),
                          .x = x,
                          .x_stride = x_stride,
                          .tokens = rows,
                          .y = y,
                          .y_stride = y_stride,
                          .bias = bias};
    switch ((panel_layout_kind)f.layout) {
    case PANEL_LAYOUT_F16: multiply_f16(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_BF16: multiply_bf16(&j, first_panel, end_panel); break;
    case PANEL_LAYOUT_F32: multiply_f32(&j, first_panel, end_panel); break;
    default: break; /* codes have kernels of their own */
    }
}

/* One panel times segments that are there, some of which, or parts of one, make a slice. */
static void multiply_pieces(const floats_job *j, const cpu_segments *x, uint64_t panel) {
    const size_t column_bytes = PANEL_LAYOUTS[PANEL_LAYOUT_F32].block_bytes;
    floats_slice s;
    s.count = 0;
    s.first = true;
    uint64_t total = 0;
    for (uint32_t i = 0; i <= x->last; i++) {
        const uint8_t *w = j->packed + panel * j->panel_bytes + i * x->columns * column_bytes;
        for (uint64_t c = 0, take; x->at[i] && c < x->columns; c += take) {
            const uint64_t left = x->columns - c, room = SLICE_COLUMNS - total;
            take = left < room ? left : room;
            s.pieces[s.count++] = (floats_piece){w + c * column_bytes, x->at[i] + c, take};
            total += take;
            s.last = i == x->last && take == left;
            if (!s.last && total < SLICE_COLUMNS && s.count < SLICE_PIECES) continue;
            multiply_slice(PANEL_LAYOUT_F32, j, panel, &s);
            s.first = false;
            s.count = 0;
            total = 0;
        }
    }
}

static void multiply_segments(CPU_SEGMENTS_PARAMETERS) {
    const panel_form f = {.layout = PANEL_LAYOUT_F32};
    const floats_job j = {.packed = packed,
                          .n = n,
                          .k = k,
                          .panel_bytes = panel_bytes_of(f, k),
                          .x_stride = x_stride,
                          .tokens = rows,
                          .y = y,
                          .y_stride = y_stride,
                          .bias = bias};
    for (uint64_t p = first_panel; p < end_panel; p++)
        multiply_pieces(&j, x, p);
}
