/* Writing to cache pages, for any lanes. In: f32 keys and values. Out: elements or codes of a slot.
 */

/* Element d of x to element d * step of dst. */
static void write_f16(unsigned char *dst, size_t step, const float *x, uint32_t n) {
    for (uint32_t d = 0; d < n; d += 16) {
        const uint32_t count = n - d < 16 ? n - d : 16;
        uint16_t half[16];
        lanes_to_f16(half, lanes_load_part(x + d, count));
        for (uint32_t i = 0; i < count; i++)
            memcpy(dst + (d + i) * step * sizeof *half, half + i, sizeof *half);
    }
}

static void write_f32(unsigned char *dst, size_t step, const float *x, uint32_t n) {
    for (uint32_t d = 0; d < n; d++)
        memcpy(dst + d * step * sizeof *x, x + d, sizeof *x);
}

/* The f16 scale of up to 32 elements, and their codes. A group that is not finite gets a NaN. */
static uint16_t quantize_group(const float *x, uint32_t count, int8_t codes[TENSOR_KV_GROUP]) {
    const lanes zero = lanes_all(0), magic = lanes_all(0x1.8p23f); /* rounds to a whole number */
    const lanes a = lanes_load_part(x, count < 16 ? count : 16);
    const lanes b = count > 16 ? lanes_load_part(x + 16, count - 16) : zero;
    const bool finite = lanes_sum(lanes_fma(a, zero, lanes_mul(b, zero))) == 0; /* or NaN */
    const float most = finite ? lanes_most(lanes_max(lanes_abs(a), lanes_abs(b))) : NAN;
    const uint16_t half = tensor_f32_to_f16(most / 127.0f);
    const float step = tensor_f16_to_f32(half);
    const lanes inverse = lanes_all(step > 0 ? 1.0f / step : 0.0f);
    /* the scale, rounded down, may give 127.06 */
    const lanes low = lanes_all(-127), high = lanes_all(127);
    const lanes p = lanes_sub(lanes_add(lanes_mul(a, inverse), magic), magic);
    const lanes q = lanes_sub(lanes_add(lanes_mul(b, inverse), magic), magic);
    lanes_to_i8(codes, finite ? lanes_min(high, lanes_max(low, p)) : zero);
    lanes_to_i8(codes + 16, finite ? lanes_min(high, lanes_max(low, q)) : zero);
    return half;
}

/* code_step, scale_step: from element to element of codes, from group to group of scales. */
static void write_q8(unsigned char *codes_at, size_t code_step, unsigned char *scales_at,
                     size_t scale_step, const float *x, uint32_t n) {
    for (uint32_t first = 0, g = 0; first < n; first += TENSOR_KV_GROUP, g++) {
        const uint32_t count = n - first < TENSOR_KV_GROUP ? n - first : TENSOR_KV_GROUP;
        int8_t codes[TENSOR_KV_GROUP];
        const uint16_t half = quantize_group(x + first, count, codes);
        memcpy(scales_at + g * scale_step * sizeof half, &half, sizeof half);
        for (uint32_t i = 0; i < count; i++)
            codes_at[(first + i) * code_step] = (unsigned char)codes[i];
    }
}

static void kv_write(const tensor_kv_layout *layout, const tensor_kv_offsets *head,
                     unsigned char *layer, uint32_t slot, const float *k, const float *v) {
    const uint32_t n = layout->head_size, groups = (n + TENSOR_KV_GROUP - 1) / TENSOR_KV_GROUP;
    const size_t block = slot / TENSOR_KV_BLOCK, lane = slot % TENSOR_KV_BLOCK;
    const size_t bytes = tensor_kv_element_bytes(layout->type);
    unsigned char *keys = layer + head->keys + (block * n * TENSOR_KV_BLOCK + lane) * bytes;
    unsigned char *values = layer + head->values + (size_t)slot * n * bytes;
    switch (layout->type) {
    case TENSOR_KV_F32:
        write_f32(keys, TENSOR_KV_BLOCK, k, n);
        write_f32(values, 1, v, n);
        break;
    case TENSOR_KV_F16:
        write_f16(keys, TENSOR_KV_BLOCK, k, n);
        write_f16(values, 1, v, n);
        break;
    default:
        write_q8(keys, TENSOR_KV_BLOCK,
                 layer + head->key_scales + (block * groups * TENSOR_KV_BLOCK + lane) * 2,
                 TENSOR_KV_BLOCK, k, n);
        write_q8(values, 1, layer + head->value_scales + (size_t)slot * groups * 2, 1, v, n);
        break;
    }
}
