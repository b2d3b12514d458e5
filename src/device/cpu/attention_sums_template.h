/* Attention, part: sums over a chunk, for any lanes. In: queries, blocks of keys and values. Out:
 * scores, weights, sums of values.
 *
 * The file that includes this defines ATTENTION_QUERIES (6), the most queries in registers, and
 * DOT_BLOCKS(q), SUM_VECTORS(q), the blocks and vectors with q of them. */

/* Vector i of f32, f16 or codes without their scale. */
INLINE lanes lanes_from_form(const unsigned char *p, size_t i, tensor_kv_type form) {
    switch (form) {
    case TENSOR_KV_F32: return lanes_load((const float *)(const void *)p + i * 16);
    case TENSOR_KV_F16: return lanes_from_f16(p + i * 32);
    default: return lanes_from_i8(p + i * 16);
    }
}

/* ------------------------------------------------------------ dot products */

/* scores[i][b] = queries i < q of [head_size][stride], times `blocks` blocks of keys from `first`
 * on. */
INLINE void dots_tile(float *scores, const float *queries, size_t stride, uint32_t head_size,
                      const attention_chunk *c, uint32_t first, tensor_kv_type form, unsigned q,
                      unsigned blocks) {
    const unsigned char *const *keys = c->keys + first, *const *next = c->next_keys + first;
    const size_t next_bytes = c->vector_bytes;
    lanes sums[ATTENTION_QUERIES][CPU_CHUNK_BLOCKS], scales[CPU_CHUNK_BLOCKS];
    UNROLL for (unsigned i = 0; i < q; i++) {
        UNROLL for (unsigned b = 0; b < blocks; b++) sums[i][b] = lanes_all(0);
    }
    for (uint32_t d = 0, end = 0; d < head_size;) {
        UNROLL for (unsigned b = 0; b < blocks; b++) {
            if (form == TENSOR_KV_Q8) scales[b] = lanes_from_f16(c->key_scales[first + b] + d);
        }
        end = head_size - d < TENSOR_KV_GROUP ? head_size : d + TENSOR_KV_GROUP;
        for (; d < end; d++) {
            lanes key[CPU_CHUNK_BLOCKS];
            UNROLL for (unsigned b = 0; b < blocks; b++) {
                key[b] = lanes_from_form(keys[b], d, form);
                if (form == TENSOR_KV_Q8) key[b] = lanes_mul(key[b], scales[b]);
                lanes_fetch(next[b] + d * next_bytes);
            }
            UNROLL for (unsigned i = 0; i < q; i++) {
                const lanes x = lanes_all(queries[d * stride + i]);
                UNROLL for (unsigned b = 0; b < blocks; b++) {
                    sums[i][b] = lanes_fma(x, key[b], sums[i][b]);
                }
            }
        }
    }
    UNROLL for (unsigned i = 0; i < q; i++) {
        UNROLL for (unsigned b = 0; b < blocks; b++) {
            lanes_store(scores + i * CPU_CHUNK_TOKENS + b * 16, sums[i][b]);
        }
    }
}

INLINE void dots_blocks(float *scores, const float *queries, size_t stride, uint32_t head_size,
                        const attention_chunk *c, tensor_kv_type form, uint32_t end_block,
                        unsigned q) {
    uint32_t b = c->first_block;
    for (; b + DOT_BLOCKS(q) <= end_block; b += DOT_BLOCKS(q))
        dots_tile(scores + b * 16, queries, stride, head_size, c, b, form, q, DOT_BLOCKS(q));
    for (; b < end_block; b++)
        dots_tile(scores + b * 16, queries, stride, head_size, c, b, form, q, 1);
}

/* How many of `left` queries make the next tile: all tiles are about as large. */
INLINE uint32_t tile_queries(uint32_t left) {
    const uint32_t tiles = (left + ATTENTION_QUERIES - 1) / ATTENTION_QUERIES;
    return (left + tiles - 1) / tiles;
}

INLINE void dots_of(const cpu_attention_scratch *s, uint32_t first, uint32_t end, uint32_t n,
                    const attention_chunk *c, tensor_kv_type form, uint32_t end_block) {
    for (uint32_t i = first, q; i < end; i += q) {
        float *scores = s->scores + (size_t)i * CPU_CHUNK_TOKENS;
        const float *queries = s->queries + i;
        q = tile_queries(end - i);
        switch (q) {
        case 1: dots_blocks(scores, queries, s->query_count, n, c, form, end_block, 1); break;
        case 2: dots_blocks(scores, queries, s->query_count, n, c, form, end_block, 2); break;
        case 3: dots_blocks(scores, queries, s->query_count, n, c, form, end_block, 3); break;
        case 4: dots_blocks(scores, queries, s->query_count, n, c, form, end_block, 4); break;
        case 5: dots_blocks(scores, queries, s->query_count, n, c, form, end_block, 5); break;
        default: dots_blocks(scores, queries, s->query_count, n, c, form, end_block, 6); break;
        }
    }
}

/* Scores of queries [first, end) and the chunk's blocks in front of end_block. */
static void dots(const cpu_attention_scratch *s, uint32_t first, uint32_t end, uint32_t head_size,
                 const attention_chunk *c, uint32_t end_block) {
    switch (c->form) {
    case TENSOR_KV_F32: dots_of(s, first, end, head_size, c, TENSOR_KV_F32, end_block); break;
    case TENSOR_KV_F16: dots_of(s, first, end, head_size, c, TENSOR_KV_F16, end_block); break;
    default: dots_of(s, first, end, head_size, c, TENSOR_KV_Q8, end_block); break;
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

/* What a tile of sums reads: the chunk's tokens [low, high), elements from `d` on; part: so few of
 * them, 0 for whole vectors. */
typedef struct value_range {
    uint32_t low, high, d, part;
} value_range;

/* sums[i] of queries i < q, `vectors` of 16. */
INLINE void sums_tile(const cpu_attention_scratch *s, uint32_t first, uint32_t head_size,
                      const attention_chunk *c, value_range r, tensor_kv_type form, unsigned q,
                      unsigned vectors) {
    const uint32_t groups = (head_size + TENSOR_KV_GROUP - 1) / TENSOR_KV_GROUP;
    const size_t row_bytes = head_size * c->form_bytes / 16, column = r.d / 16;
    const size_t next_row_bytes = head_size * c->vector_bytes / 16;
    float *at = s->sums + (size_t)first * s->padded + r.d;
    const float *weights = s->scores + (size_t)first * CPU_CHUNK_TOKENS;
    lanes sums[ATTENTION_QUERIES][8];
    UNROLL for (unsigned i = 0; i < q; i++) {
        const lanes factor = lanes_all(s->factors[first + i]);
        UNROLL for (unsigned v = 0; v < vectors; v++) {
            sums[i][v] = lanes_mul(lanes_load(at + (size_t)i * s->padded + v * 16), factor);
        }
    }
    for (uint32_t t = r.low; t < r.high; t++) {
        const unsigned char *value = c->values[t / 16] + t % 16 * row_bytes;
        const unsigned char *next = c->next_values[t / 16] + t % 16 * next_row_bytes;
        lanes x[8];
        UNROLL for (unsigned v = 0; v < vectors; v++) {
            if (r.part) {
                x[v] = lanes_load_part((const float *)(const void *)value + r.d, r.part);
                continue;
            }
            x[v] = lanes_from_form(value, column + v, form);
            if (form == TENSOR_KV_Q8) {
                const float step = c->steps[(size_t)t * groups + (column + v) / 2];
                x[v] = lanes_mul(x[v], lanes_all(step));
            }
            lanes_fetch(next + (column + v) * c->vector_bytes);
        }
        UNROLL for (unsigned i = 0; i < q; i++) {
            const lanes weight = lanes_all(weights[i * CPU_CHUNK_TOKENS + t]);
            UNROLL for (unsigned v = 0; v < vectors; v++) {
                sums[i][v] = lanes_fma(weight, x[v], sums[i][v]);
            }
        }
    }
    UNROLL for (unsigned i = 0; i < q; i++) {
        UNROLL for (unsigned v = 0; v < vectors; v++) {
            lanes_store(at + (size_t)i * s->padded + v * 16, sums[i][v]);
        }
    }
}

INLINE void sums_vectors(const cpu_attention_scratch *s, uint32_t first, uint32_t n,
                         const attention_chunk *c, uint32_t low, uint32_t high, tensor_kv_type form,
                         unsigned q) {
    value_range r = {.low = low, .high = high};
    for (; r.d + SUM_VECTORS(q) * 16 <= n; r.d += SUM_VECTORS(q) * 16)
        sums_tile(s, first, n, c, r, form, q, SUM_VECTORS(q));
    for (; r.d + 16 <= n; r.d += 16)
        sums_tile(s, first, n, c, r, form, q, 1);
    r.part = n - r.d;
    if (form == TENSOR_KV_F32 && r.part) sums_tile(s, first, n, c, r, form, q, 1);
}

INLINE void sums_of(const cpu_attention_scratch *s, uint32_t first, uint32_t end, uint32_t n,
                    const attention_chunk *c, uint32_t low, uint32_t high, tensor_kv_type form) {
    for (uint32_t i = first, q; i < end; i += q) {
        q = tile_queries(end - i);
        switch (q) {
        case 1: sums_vectors(s, i, n, c, low, high, form, 1); break;
        case 2: sums_vectors(s, i, n, c, low, high, form, 2); break;
        case 3: sums_vectors(s, i, n, c, low, high, form, 3); break;
        case 4: sums_vectors(s, i, n, c, low, high, form, 4); break;
        case 5: sums_vectors(s, i, n, c, low, high, form, 5); break;
        default: sums_vectors(s, i, n, c, low, high, form, 6); break;
        }
    }
}

/* Queries [first, end) take up the values of the chunk's tokens [low, high). */
static void add_values(const cpu_attention_scratch *s, uint32_t first, uint32_t end, uint32_t n,
                       const attention_chunk *c, uint32_t low, uint32_t high) {
    if (low >= high) return;
    switch (c->form) {
    case TENSOR_KV_F32: sums_of(s, first, end, n, c, low, high, TENSOR_KV_F32); break;
    case TENSOR_KV_F16: sums_of(s, first, end, n, c, low, high, TENSOR_KV_F16); break;
    default: sums_of(s, first, end, n, c, low, high, TENSOR_KV_Q8); break;
    }
    for (uint32_t i = first; i < end; i++)
        s->factors[i] = 1; /* applied */
}
