/* Attention, part: a chunk of the cache, for any lanes. In: a tile, its pages. Out: which rows see
 * which blocks, and the blocks in a form that the sums read. */

/* Rows and blocks of the tile that meet in a chunk. What lies outside of [first_block, end_block)
 * is that of a block inside, good to fetch but not to read. */
typedef struct attention_chunk {
    uint32_t first_token, first_row, end_row, first_block, end_block;
    const unsigned char *stored_keys[CPU_CHUNK_BLOCKS], *stored_values[CPU_CHUNK_BLOCKS];
    const unsigned char *key_scales[CPU_CHUNK_BLOCKS], *value_scales[CPU_CHUNK_BLOCKS];
    /* What the sums read: the stored blocks, or f32 made of them. */
    tensor_kv_type form;
    size_t form_bytes; /* of 16 elements */
    const unsigned char *keys[CPU_CHUNK_BLOCKS], *values[CPU_CHUNK_BLOCKS];
    const float *steps; /* q8: the values' scales f32 [CPU_CHUNK_TOKENS][groups] */
    /* The next chunk's stored blocks, fetched on the way, and their bytes for 16 elements. */
    const unsigned char *const *next_keys, *const *next_values;
    size_t vector_bytes;
} attention_chunk;

/* ------------------------------------------------------------ what a row sees */

typedef struct token_range {
    uint32_t low, high;
} token_range;

/* Tokens that row r sees. */
INLINE token_range seen_by(const cpu_attention_tile *tile, uint32_t r) {
    const uint32_t position = tile->first_position + r;
    const bool all = !tile->window || tile->window > position;
    return (token_range){all ? 0 : position + 1 - tile->window, position + 1};
}

/* Of those, the ones in the chunk, counted from its first; high 0 behind the row, low at its end
 * in front of the row's window. */
INLINE token_range seen_in_chunk(const cpu_attention_tile *tile, uint32_t r, uint32_t chunk) {
    token_range seen = seen_by(tile, r);
    seen.low = seen.low > chunk ? seen.low - chunk : 0;
    seen.high = seen.high > chunk ? seen.high - chunk : 0;
    if (seen.low > CPU_CHUNK_TOKENS) seen.low = CPU_CHUNK_TOKENS;
    if (seen.high > CPU_CHUNK_TOKENS) seen.high = CPU_CHUNK_TOKENS;
    return seen;
}

static void locate_block(attention_chunk *c, const cpu_attention_tile *tile, uint32_t b) {
    const tensor_kv_layout *l = tile->layout;
    const uint32_t token = c->first_token + b * TENSOR_KV_BLOCK;
    const uint32_t groups = (l->head_size + TENSOR_KV_GROUP - 1) / TENSOR_KV_GROUP;
    const size_t block = token % l->page_tokens / TENSOR_KV_BLOCK;
    const size_t at = block * l->head_size * c->vector_bytes;
    const size_t scales = block * groups * TENSOR_KV_BLOCK * sizeof(uint16_t);
    const unsigned char *page = tile->pool + tile->pages[token / l->page_tokens] * tile->page_bytes;
    c->stored_keys[b] = page + tile->offsets.keys + at;
    c->stored_values[b] = page + tile->offsets.values + at;
    c->key_scales[b] = page + tile->offsets.key_scales + scales;
    c->value_scales[b] = page + tile->offsets.value_scales + scales;
}

static void locate_chunk(attention_chunk *c, const cpu_attention_tile *tile, uint32_t chunk) {
    c->first_token = chunk;
    c->first_row = 0;
    c->end_row = tile->rows;
    c->vector_bytes = TENSOR_KV_BLOCK * tensor_kv_element_bytes(tile->layout->type);
    while (seen_in_chunk(tile, c->first_row, chunk).high == 0)
        c->first_row++; /* the chunk begins behind these rows */
    while (seen_in_chunk(tile, c->end_row - 1, chunk).low == CPU_CHUNK_TOKENS)
        c->end_row--; /* it lies in front of these rows' windows */
    c->first_block = seen_in_chunk(tile, c->first_row, chunk).low / TENSOR_KV_BLOCK;
    const uint32_t high = seen_in_chunk(tile, c->end_row - 1, chunk).high;
    c->end_block = (high + TENSOR_KV_BLOCK - 1) / TENSOR_KV_BLOCK;
    for (uint32_t b = c->first_block; b < c->end_block; b++)
        locate_block(c, tile, b);
    for (uint32_t b = 0; b < CPU_CHUNK_BLOCKS; b++) {
        if (b >= c->first_block && b < c->end_block) continue;
        c->stored_keys[b] = c->stored_keys[c->first_block];
        c->stored_values[b] = c->stored_values[c->first_block];
    }
}

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

/* step: of the first token, f32 [16][groups]. */
static void widen_q8_values(float *dst, const unsigned char *codes, const float *step,
                            uint32_t head_size) {
    const uint32_t groups = (head_size + TENSOR_KV_GROUP - 1) / TENSOR_KV_GROUP;
    for (uint32_t t = 0; t < TENSOR_KV_BLOCK; t++) {
        uint32_t d = 0;
        for (; d + 16 <= head_size; d += 16) {
            const lanes code = lanes_from_i8(codes + d);
            lanes_store(dst + d, lanes_mul(code, lanes_all(step[d / TENSOR_KV_GROUP])));
        }
        for (; d < head_size; d++)
            dst[d] = (float)(int8_t)codes[d] * step[d / TENSOR_KV_GROUP];
        dst += head_size;
        codes += head_size;
        step += groups;
    }
}

static void widen_block(const attention_chunk *c, tensor_kv_type type, uint32_t b,
                        uint32_t head_size, const cpu_attention_scratch *s) {
    if (type == TENSOR_KV_F16) {
        widen_f16(s->keys[b], c->stored_keys[b], head_size);
        widen_f16(s->values[b], c->stored_values[b], head_size);
        return;
    }
    const uint32_t groups = (head_size + TENSOR_KV_GROUP - 1) / TENSOR_KV_GROUP;
    widen_q8_keys(s->keys[b], c->stored_keys[b], c->key_scales[b], head_size);
    widen_q8_values(s->values[b], c->stored_values[b], c->steps + (size_t)b * 16 * groups,
                    head_size);
}

/* Chooses what the sums read. Blocks become f32 first when more than two tiles of queries would
 * each widen them, or when a vector of values would reach behind its row. */
static void open_chunk(attention_chunk *c, const attention_chunk *next,
                       const cpu_attention_tile *tile, const cpu_attention_scratch *s) {
    const tensor_kv_type type = tile->layout->type;
    const uint32_t n = tile->head_size, groups = (n + TENSOR_KV_GROUP - 1) / TENSOR_KV_GROUP;
    const bool once = tile->rows * tile->heads_per_kv <= 2 * ATTENTION_QUERIES && n % 16 == 0;
    const bool widen = type != TENSOR_KV_F32 && !once;
    c->next_keys = next->stored_keys;
    c->next_values = next->stored_values;
    c->form = widen ? TENSOR_KV_F32 : type;
    c->form_bytes = widen ? 16 * sizeof(float) : c->vector_bytes;
    c->steps = s->steps;
    for (uint32_t b = c->first_block; b < c->end_block; b++) {
        c->keys[b] = widen ? (const unsigned char *)s->keys[b] : c->stored_keys[b];
        c->values[b] = widen ? (const unsigned char *)s->values[b] : c->stored_values[b];
        if (type == TENSOR_KV_Q8) {
            widen_f16(s->steps + (size_t)b * 16 * groups, c->value_scales[b], groups);
        }
        if (widen) widen_block(c, type, b, n, s);
    }
}
