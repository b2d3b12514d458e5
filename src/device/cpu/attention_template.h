/* Paged attention with an online softmax, for any lanes. In: a tile of queries, pages. Out: rows.
 *
 * Chunks of 64 tokens at absolute positions, ascending. For each query: a dot product with each
 * key, d ascending; the greatest score so far; sums and weight sums times e^(old greatest - new);
 * then the values of the tokens that it sees, ascending. A query's arithmetic is its own: how many
 * share a tile changes no bit. Source: Milakov & Gimelshein 2018; Dao et al. 2022.
 *
 * The file that includes this defines ATTENTION_QUERIES, the most queries in registers, and
 * DOT_BLOCKS(q), SUM_VECTORS(q), the blocks and vectors with q of them. */

typedef struct attention_chunk {
    uint32_t first_token;
    uint32_t first_block, end_block; /* those that a query of the tile sees */
    const float *keys[CPU_CHUNK_BLOCKS], *values[CPU_CHUNK_BLOCKS];
} attention_chunk;

/* ------------------------------------------------------------ keys and values as f32 */

static void widen_f16(float *dst, const unsigned char *src, uint32_t vectors) {
    for (uint32_t i = 0; i < vectors; i++)
        lanes_store(dst + (size_t)i * 16, lanes_from_f16(src + (size_t)i * 32));
}

/* A block of 16 tokens: 16 codes and scales at a time. */
static void widen_q8_keys(float *dst, const unsigned char *codes, const unsigned char *scales,
                          uint32_t head_size) {
    for (uint32_t first = 0; first < head_size; first += TENSOR_KV_GROUP) {
        const lanes step = lanes_from_f16(scales + first / TENSOR_KV_GROUP * 32);
        const uint32_t left = head_size - first;
        const uint32_t end = first + (left < TENSOR_KV_GROUP ? left : TENSOR_KV_GROUP);
        for (uint32_t d = first; d < end; d++) {
            const lanes code = lanes_from_i8(codes + (size_t)d * 16);
            lanes_store(dst + (size_t)d * 16, lanes_mul(code, step));
        }
    }
}

static void widen_q8_values(float *dst, const unsigned char *codes, const unsigned char *scales,
                            uint32_t head_size) {
    const uint32_t groups = (head_size + TENSOR_KV_GROUP - 1) / TENSOR_KV_GROUP;
    for (uint32_t t = 0; t < TENSOR_KV_BLOCK; t++, dst += head_size, codes += head_size) {
        for (uint32_t d = 0; d < head_size; d += 16) {
            uint16_t half;
            memcpy(&half, scales + ((size_t)t * groups + d / TENSOR_KV_GROUP) * 2, sizeof half);
            const float step = tensor_f16_to_f32(half);
            if (d + 16 <= head_size) {
                lanes_store(dst + d, lanes_mul(lanes_from_i8(codes + d), lanes_all(step)));
                continue;
            }
            for (uint32_t i = d; i < head_size; i++)
                dst[i] = (float)(int8_t)codes[i] * step;
        }
    }
}

/* Finds the chunk's blocks [first_block, end_block), as f32: in place or widened to scratch. */
static void open_chunk(attention_chunk *c, const cpu_attention_tile *tile,
                       const cpu_attention_scratch *s) {
    const tensor_kv_layout *l = tile->layout;
    const uint32_t groups = (l->head_size + TENSOR_KV_GROUP - 1) / TENSOR_KV_GROUP;
    const size_t elements = (size_t)TENSOR_KV_BLOCK * l->head_size;
    for (uint32_t b = c->first_block; b < c->end_block; b++) {
        const uint32_t token = c->first_token + b * TENSOR_KV_BLOCK;
        const size_t block = token % l->page_tokens / TENSOR_KV_BLOCK;
        const unsigned char *page =
            tile->pool + tile->pages[token / l->page_tokens] * tile->page_bytes;
        const size_t at = block * elements * tensor_kv_element_bytes(l->type);
        const unsigned char *keys = page + tile->offsets.keys + at;
        const unsigned char *values = page + tile->offsets.values + at;
        c->keys[b] = s->keys[b];
        c->values[b] = s->values[b];
        if (l->type == TENSOR_KV_F32) {
            c->keys[b] = (const float *)(const void *)keys;
            c->values[b] = (const float *)(const void *)values;
        } else if (l->type == TENSOR_KV_F16) {
            widen_f16(s->keys[b], keys, l->head_size);
            widen_f16(s->values[b], values, l->head_size);
        } else {
            const size_t scales = block * groups * TENSOR_KV_BLOCK * 2;
            widen_q8_keys(s->keys[b], keys, page + tile->offsets.key_scales + scales, l->head_size);
            widen_q8_values(s->values[b], values, page + tile->offsets.value_scales + scales,
                            l->head_size);
        }
    }
}

/* ------------------------------------------------------------ dot products */

/* scores[i][b] = queries i < q of [head_size], times `blocks` blocks of keys from b on. */
INLINE void dots_tile(float *scores, const float *queries, uint32_t head_size,
                      const float *const *keys, unsigned q, unsigned blocks) {
    lanes sums[ATTENTION_QUERIES][CPU_CHUNK_BLOCKS];
    UNROLL for (unsigned i = 0; i < q; i++) {
        UNROLL for (unsigned b = 0; b < blocks; b++) sums[i][b] = lanes_all(0);
    }
    for (uint32_t d = 0; d < head_size; d++) {
        lanes key[CPU_CHUNK_BLOCKS];
        UNROLL for (unsigned b = 0; b < blocks; b++) key[b] = lanes_load(keys[b] + (size_t)d * 16);
        UNROLL for (unsigned i = 0; i < q; i++) {
            const lanes x = lanes_all(queries[(size_t)i * head_size + d]);
            UNROLL for (unsigned b = 0; b < blocks; b++) {
                sums[i][b] = lanes_fma(x, key[b], sums[i][b]);
            }
        }
    }
    UNROLL for (unsigned i = 0; i < q; i++) {
        UNROLL for (unsigned b = 0; b < blocks; b++) {
            lanes_store(scores + i * CPU_CHUNK_TOKENS + b * 16, sums[i][b]);
        }
    }
}

INLINE void dots_blocks(float *scores, const float *queries, uint32_t head_size,
                        const attention_chunk *c, unsigned q) {
    uint32_t b = c->first_block;
    for (; b + DOT_BLOCKS(q) <= c->end_block; b += DOT_BLOCKS(q))
        dots_tile(scores + b * 16, queries, head_size, c->keys + b, q, DOT_BLOCKS(q));
    for (; b < c->end_block; b++)
        dots_tile(scores + b * 16, queries, head_size, c->keys + b, q, 1);
}

static void dots(const cpu_attention_scratch *s, uint32_t first, uint32_t end, uint32_t head_size,
                 const attention_chunk *c) {
    for (uint32_t i = first; i < end;) {
        float *scores = s->scores + (size_t)i * CPU_CHUNK_TOKENS;
        const float *queries = s->queries + (size_t)i * head_size;
        const uint32_t left = end - i;
        const uint32_t q = left < ATTENTION_QUERIES ? left : ATTENTION_QUERIES;
        switch (q) {
        case 1: dots_blocks(scores, queries, head_size, c, 1); break;
        case 2: dots_blocks(scores, queries, head_size, c, 2); break;
        case 3: dots_blocks(scores, queries, head_size, c, 3); break;
        case 4: dots_blocks(scores, queries, head_size, c, 4); break;
        case 5: dots_blocks(scores, queries, head_size, c, 5); break;
        default: dots_blocks(scores, queries, head_size, c, 6); break;
        }
        i += q;
    }
}

/* ------------------------------------------------------------ softmax */

/* Of the chunk's tokens, the query sees [low, high). Scores become weights; those of others are
 * left as they are. */
static void weigh(const cpu_attention_scratch *s, uint32_t query, uint32_t low, uint32_t high,
                  float factor, float cap) {
    float *scores = s->scores + (size_t)query * CPU_CHUNK_TOKENS;
    const lanes least = lanes_all(-INFINITY);
    lanes most = least;
    for (uint32_t b = low / 16; b * 16 < high; b++) {
        lanes v = lanes_mul(lanes_load(scores + b * 16), lanes_all(factor));
        if (cap != 0) v = cap_lanes(v, lanes_all(cap));
        lanes_store(scores + b * 16, v);
        const uint32_t from = low > b * 16 ? low - b * 16 : 0;
        const uint32_t to = high - b * 16 < 16 ? high - b * 16 : 16;
        most = lanes_max(lanes_range(v, from, to, least), most);
    }
    const float old = s->maxima[query], chunk_most = lanes_most(most);
    const float greatest = chunk_most > old ? chunk_most : old;
    s->maxima[query] = greatest;
    /* All scores -infinity: weights 0, not NaN, as later chunks may have others. */
    const float base = greatest > -INFINITY ? greatest : 0.0f;
    const float shrink = greatest > old ? lanes_first(lanes_exp(lanes_all(old - base))) : 1.0f;
    s->factors[query] = shrink;
    float *sum_at = s->weight_sums + (size_t)query * 16;
    lanes sum = lanes_mul(lanes_load(sum_at), lanes_all(shrink));
    for (uint32_t b = low / 16; b * 16 < high; b++) {
        const uint32_t from = low > b * 16 ? low - b * 16 : 0;
        const uint32_t to = high - b * 16 < 16 ? high - b * 16 : 16;
        const lanes w = lanes_exp(lanes_sub(lanes_load(scores + b * 16), lanes_all(base)));
        lanes_store(scores + b * 16, w);
        sum = lanes_add(sum, lanes_range(w, from, to, lanes_all(0)));
    }
    lanes_store(sum_at, sum);
}

/* ------------------------------------------------------------ sums of values */

/* sums[i][d ..] of queries i < q, `vectors` of 16 from d on (part: the last has so few). */
INLINE void sums_tile(const cpu_attention_scratch *s, uint32_t first, uint32_t head_size,
                      const attention_chunk *c, uint32_t low, uint32_t high, uint32_t d,
                      uint32_t part, unsigned q, unsigned vectors) {
    lanes sums[ATTENTION_QUERIES][8];
    float *at = s->sums + (size_t)first * s->padded + d;
    const float *weights = s->scores + (size_t)first * CPU_CHUNK_TOKENS;
    UNROLL for (unsigned i = 0; i < q; i++) {
        const lanes factor = lanes_all(s->factors[first + i]);
        UNROLL for (unsigned v = 0; v < vectors; v++) {
            sums[i][v] = lanes_mul(lanes_load(at + (size_t)i * s->padded + v * 16), factor);
        }
    }
    for (uint32_t t = low; t < high;) {
        const float *value = c->values[t / 16] + (size_t)(t % 16) * head_size + d;
        const uint32_t end = high < t / 16 * 16 + 16 ? high : t / 16 * 16 + 16;
        for (; t < end; t++, value += head_size) {
            lanes x[8];
            UNROLL for (unsigned v = 0; v < vectors; v++) {
                x[v] = part ? lanes_load_part(value, part) : lanes_load(value + v * 16);
            }
            UNROLL for (unsigned i = 0; i < q; i++) {
                const lanes weight = lanes_all(weights[i * CPU_CHUNK_TOKENS + t]);
                UNROLL for (unsigned v = 0; v < vectors; v++) {
                    sums[i][v] = lanes_fma(weight, x[v], sums[i][v]);
                }
            }
        }
    }
    UNROLL for (unsigned i = 0; i < q; i++) {
        UNROLL for (unsigned v = 0; v < vectors; v++) {
            lanes_store(at + (size_t)i * s->padded + v * 16, sums[i][v]);
        }
    }
}

INLINE void sums_vectors(const cpu_attention_scratch *s, uint32_t first, uint32_t head_size,
                         const attention_chunk *c, uint32_t low, uint32_t high, unsigned q) {
    uint32_t d = 0;
    for (; d + SUM_VECTORS(q) * 16 <= head_size; d += SUM_VECTORS(q) * 16)
        sums_tile(s, first, head_size, c, low, high, d, 0, q, SUM_VECTORS(q));
    for (; d + 16 <= head_size; d += 16)
        sums_tile(s, first, head_size, c, low, high, d, 0, q, 1);
    if (d < head_size) sums_tile(s, first, head_size, c, low, high, d, head_size - d, q, 1);
}

/* Queries [first, end) take up the values of the chunk's tokens [low, high). */
static void add_values(const cpu_attention_scratch *s, uint32_t first, uint32_t end,
                       uint32_t head_size, const attention_chunk *c, uint32_t low, uint32_t high) {
    if (low >= high) return;
    for (uint32_t i = first; i < end;) {
        const uint32_t left = end - i;
        const uint32_t q = left < ATTENTION_QUERIES ? left : ATTENTION_QUERIES;
        switch (q) {
        case 1: sums_vectors(s, i, head_size, c, low, high, 1); break;
        case 2: sums_vectors(s, i, head_size, c, low, high, 2); break;
        case 3: sums_vectors(s, i, head_size, c, low, high, 3); break;
        case 4: sums_vectors(s, i, head_size, c, low, high, 4); break;
        case 5: sums_vectors(s, i, head_size, c, low, high, 5); break;
        default: sums_vectors(s, i, head_size, c, low, high, 6); break;
        }
        i += q;
    }
    for (uint32_t i = first; i < end; i++)
        s->factors[i] = 1; /* applied */
}

/* ------------------------------------------------------------ the tile */

typedef struct token_range {
    uint32_t low, high;
} token_range;

/* Tokens that row r sees. */
INLINE token_range seen_by(const cpu_attention_tile *tile, uint32_t r) {
    const uint32_t position = tile->first_position + r;
    const bool all = !tile->window || tile->window > position;
    return (token_range){all ? 0 : position + 1 - tile->window, position + 1};
}

/* Of those, the ones in the chunk, counted from its first; low >= high when there are none. */
INLINE token_range seen_in_chunk(const cpu_attention_tile *tile, uint32_t r, uint32_t chunk) {
    token_range seen = seen_by(tile, r);
    seen.low = seen.low > chunk ? seen.low - chunk : 0;
    seen.high = seen.high > chunk ? seen.high - chunk : 0;
    if (seen.high > CPU_CHUNK_TOKENS) seen.high = CPU_CHUNK_TOKENS;
    return seen;
}

/* Rows [first, end) see tokens of the chunk: what all of them see goes through the registers
 * together, what is before and behind it row by row. */
static void add_chunk_values(const cpu_attention_tile *tile, const cpu_attention_scratch *s,
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

static void attend_chunk(const cpu_attention_tile *tile, const cpu_attention_scratch *s,
                         uint32_t chunk) {
    const uint32_t heads = tile->heads_per_kv;
    uint32_t first = 0, end = tile->rows;
    while (!seen_in_chunk(tile, first, chunk).high)
        first++; /* the chunk begins behind these rows */
    while (seen_in_chunk(tile, end - 1, chunk).low >= CPU_CHUNK_TOKENS)
        end--; /* it lies in front of these rows' windows */
    const uint32_t low = seen_in_chunk(tile, first, chunk).low;
    const uint32_t high = seen_in_chunk(tile, end - 1, chunk).high;
    attention_chunk c = {.first_token = chunk,
                         .first_block = low / TENSOR_KV_BLOCK,
                         .end_block = (high + TENSOR_KV_BLOCK - 1) / TENSOR_KV_BLOCK};
    open_chunk(&c, tile, s);
    dots(s, first * heads, end * heads, tile->head_size, &c);
    for (uint32_t i = first * heads; i < end * heads; i++) {
        const token_range seen = seen_in_chunk(tile, i / heads, chunk);
        weigh(s, i, seen.low, seen.high, tile->scale, tile->softcap);
    }
    add_chunk_values(tile, s, &c, first, end);
}

static void begin_tile(const cpu_attention_tile *tile, const cpu_attention_scratch *s) {
    const uint32_t queries = tile->rows * tile->heads_per_kv;
    const size_t row_elems = (size_t)tile->heads_per_kv * tile->head_size;
    for (uint32_t r = 0; r < tile->rows; r++)
        memcpy(s->queries + r * row_elems, tile->q + r * tile->q_stride, row_elems * sizeof(float));
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
    begin_tile(tile, &s);
    const uint32_t first = seen_by(tile, 0).low / CPU_CHUNK_TOKENS * CPU_CHUNK_TOKENS;
    const uint32_t end = seen_by(tile, tile->rows - 1).high;
    for (uint32_t chunk = first; chunk < end; chunk += CPU_CHUNK_TOKENS)
        attend_chunk(tile, &s, chunk);
    end_tile(tile, &s);
}
