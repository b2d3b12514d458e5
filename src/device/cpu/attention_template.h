/* Paged attention with an online softmax, for any lanes. In: a tile of queries, pages. Out: rows.
 *
 * Chunks of 64 tokens at absolute positions, ascending. For each query: a dot product with each
 * key, d ascending; the greatest score so far; sums and weight sums times e^(old greatest - new);
 * then the values of the tokens that it sees, ascending. A query's arithmetic is its own: how many
 * share a tile changes no bit. Source: Milakov & Gimelshein 2018; Dao et al. 2022.
 */

/* Rows whose queries fill the registers: as few as possible, for each sees another range. */
static uint32_t rows_together(uint32_t heads) {
    const uint32_t common = heads % 6 == 0 ? 6 : heads % 3 == 0 ? 3 : heads % 2 == 0 ? 2 : 1;
    return ATTENTION_QUERIES / common;
}

/* What all of rows [first, end) see goes through the registers together, what is before and behind
 * it row by row. */
static void add_rows_values(const cpu_attention_tile *tile, const cpu_attention_scratch *s,
                            const attention_chunk *c, uint32_t first, uint32_t end) {
    const uint32_t heads = tile->heads_per_kv, n = tile->head_size;
    const uint32_t low = seen_in_chunk(tile, end - 1, c->first_token).low;
    const uint32_t high = seen_in_chunk(tile, first, c->first_token).high;
    if (low >= high) {
        for (uint32_t r = first; r < end; r++) {
            const token_range seen = seen_in_chunk(tile, r, c->first_token);
            add_values(s, r * heads, (r + 1) * heads, n, c, seen.low, seen.high);
        }
        return;
    }
    for (uint32_t r = first; r < end; r++) {
        const uint32_t from = seen_in_chunk(tile, r, c->first_token).low;
        add_values(s, r * heads, (r + 1) * heads, n, c, from, low);
    }
    add_values(s, first * heads, end * heads, n, c, low, high);
    for (uint32_t r = first; r < end; r++) {
        const uint32_t to = seen_in_chunk(tile, r, c->first_token).high;
        add_values(s, r * heads, (r + 1) * heads, n, c, high, to);
    }
}

static void attend_rows(const cpu_attention_tile *tile, const cpu_attention_scratch *s,
                        const attention_chunk *c, uint32_t first, uint32_t end) {
    const uint32_t heads = tile->heads_per_kv;
    const uint32_t high = seen_in_chunk(tile, end - 1, c->first_token).high;
    dots(s, first * heads, end * heads, tile->head_size, c, (high + 15) / 16);
    for (uint32_t i = first * heads; i < end * heads; i++) {
        const token_range seen = seen_in_chunk(tile, i / heads, c->first_token);
        weigh(s, i, seen.low, seen.high, tile->scale, tile->softcap);
    }
}

static void attend_chunk(const cpu_attention_tile *tile, const cpu_attention_scratch *s,
                         attention_chunk *c, const attention_chunk *next) {
    const uint32_t step = rows_together(tile->heads_per_kv);
    open_chunk(c, next, tile, s);
    for (uint32_t r = c->first_row; r < c->end_row; r += step)
        attend_rows(tile, s, c, r, c->end_row - r < step ? c->end_row : r + step);
    for (uint32_t r = c->first_row; r < c->end_row; r += step)
        add_rows_values(tile, s, c, r, c->end_row - r < step ? c->end_row : r + step);
}

/* Elements [first, end) of all queries, a line of each: [d][query]. */
static void turn_queries(const cpu_attention_tile *tile, const cpu_attention_scratch *s,
                         uint32_t first, uint32_t end) {
    const uint32_t heads = tile->heads_per_kv, n = tile->head_size, queries = tile->rows * heads;
    for (uint32_t r = 0, i = 0; r < tile->rows; r++) {
        const float *q = tile->q + r * tile->q_stride;
        for (uint32_t h = 0; h < heads; h++, i++, q += n) {
            lanes_fetch(q + end);
            for (uint32_t d = first; d < end; d++)
                s->queries[(size_t)d * queries + i] = q[d];
        }
    }
}

static void begin_tile(const cpu_attention_tile *tile, const cpu_attention_scratch *s) {
    const uint32_t heads = tile->heads_per_kv, n = tile->head_size, queries = tile->rows * heads;
    for (uint32_t d = 0; d < n; d += 16)
        turn_queries(tile, s, d, n - d < 16 ? n : d + 16);
    for (size_t i = 0; i < (size_t)queries * s->padded; i++)
        s->sums[i] = 0;
    for (size_t i = 0; i < (size_t)queries * 16; i++)
        s->weight_sums[i] = 0;
    for (uint32_t i = 0; i < queries; i++)
        s->maxima[i] = -INFINITY;
}

static void end_tile(const cpu_attention_tile *tile, const cpu_attention_scratch *s) {
    const uint32_t queries = tile->rows * tile->heads_per_kv, n = tile->head_size;
    for (uint32_t i = 0; i < queries; i++) {
        const float *sums = s->sums + (size_t)i * s->padded;
        float *out = tile->out + i / tile->heads_per_kv * tile->out_stride +
                     (size_t)(i % tile->heads_per_kv) * n;
        const float inverse = 1.0f / lanes_sum(lanes_load(s->weight_sums + (size_t)i * 16));
        for (uint32_t d = 0; d < n; d++)
            out[d] = sums[d] * inverse;
    }
}

static void attention(const cpu_attention_tile *tile, void *work) {
    cpu_attention_scratch s;
    cpu_attention_scratch_place(work, tile->heads_per_kv, tile->head_size, &s);
    s.query_count = tile->rows * tile->heads_per_kv;
    begin_tile(tile, &s);
    const uint32_t first = seen_by(tile, 0).low / CPU_CHUNK_TOKENS * CPU_CHUNK_TOKENS;
    const uint32_t end = seen_by(tile, tile->rows - 1).high;
    attention_chunk chunks[2];
    locate_chunk(chunks, tile, first);
    for (uint32_t chunk = first, i = 0; chunk < end; chunk += CPU_CHUNK_TOKENS, i ^= 1) {
        const bool last = chunk + CPU_CHUNK_TOKENS >= end;
        if (!last) locate_chunk(chunks + (i ^ 1), tile, chunk + CPU_CHUNK_TOKENS);
        attend_chunk(tile, &s, chunks + i, chunks + (last ? i : i ^ 1));
    }
    end_tile(tile, &s);
}
