/* Encodings of single elements: floats and integers of 8 to 64 bits to f32, f32 to floats. */
#include "tensor/block_codecs.h"

void tensor_decode_f32(const uint8_t *src, size_t n, float *dst) {
    for (size_t i = 0; i < n; i++)
        dst[i] = tensor_f32_from_bits(tensor_get_u32(src + 4 * i));
}

void tensor_decode_f16(const uint8_t *src, size_t n, float *dst) {
    for (size_t i = 0; i < n; i++)
        dst[i] = tensor_get_f16(src + 2 * i);
}

void tensor_decode_bf16(const uint8_t *src, size_t n, float *dst) {
    for (size_t i = 0; i < n; i++)
        dst[i] = tensor_bf16_to_f32(tensor_get_u16(src + 2 * i));
}

void tensor_decode_f64(const uint8_t *src, size_t n, float *dst) {
    for (size_t i = 0; i < n; i++) {
        const uint64_t bits = tensor_get_u64(src + 8 * i);
        double value;
        memcpy(&value, &bits, sizeof value);
        dst[i] = (float)value;
    }
}

void tensor_decode_i8(const uint8_t *src, size_t n, float *dst) {
    for (size_t i = 0; i < n; i++)
        dst[i] = (float)(int8_t)src[i];
}

void tensor_decode_i16(const uint8_t *src, size_t n, float *dst) {
    for (size_t i = 0; i < n; i++)
        dst[i] = (float)(int16_t)tensor_get_u16(src + 2 * i);
}

void tensor_decode_i32(const uint8_t *src, size_t n, float *dst) {
    for (size_t i = 0; i < n; i++)
        dst[i] = (float)(int32_t)tensor_get_u32(src + 4 * i);
}

void tensor_decode_i64(const uint8_t *src, size_t n, float *dst) {
    for (size_t i = 0; i < n; i++)
        dst[i] = (float)(int64_t)tensor_get_u64(src + 8 * i);
}

static void put_u32(uint8_t *p, uint32_t value) {
    tensor_put_u16(p, (uint16_t)value);
    tensor_put_u16(p + 2, (uint16_t)(value >> 16));
}

size_t tensor_encode_f32(const float *src, size_t n, uint8_t *dst) {
    for (size_t i = 0; i < n; i++)
        put_u32(dst + 4 * i, tensor_f32_bits(src[i]));
    return n;
}

size_t tensor_encode_f16(const float *src, size_t n, uint8_t *dst) {
    for (size_t i = 0; i < n; i++)
        tensor_put_u16(dst + 2 * i, tensor_f32_to_f16(src[i]));
    return n;
}

size_t tensor_encode_bf16(const float *src, size_t n, uint8_t *dst) {
    for (size_t i = 0; i < n; i++)
        tensor_put_u16(dst + 2 * i, tensor_f32_to_bf16(src[i]));
    return n;
}

size_t tensor_encode_f64(const float *src, size_t n, uint8_t *dst) {
    for (size_t i = 0; i < n; i++) {
        const double value = (double)src[i];
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        put_u32(dst + 8 * i, (uint32_t)bits);
        put_u32(dst + 8 * i + 4, (uint32_t)(bits >> 32));
    }
    return n;
}
