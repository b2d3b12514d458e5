/* A sequence in a pool of pages, for the checks of attention and for its bench. */
#ifndef CHECK_ATTENTION_H
#define CHECK_ATTENTION_H

#include "kernelcheck.h"

#include "device/cpu/kernels.h"

typedef void (*check_kv_write)(const tensor_kv_layout *layout, const tensor_kv_offsets *head,
                               unsigned char *layer, uint32_t slot, const float *k, const float *v);

/* layout, tokens and key_deviation are given; check_sequence_create makes the rest: random keys and
 * values f32 [tokens][kv_heads][head_size], pages in random order, all bytes 0xff. */
typedef struct check_sequence {
    tensor_kv_layout layout;
    uint32_t tokens;
    float key_deviation;
    uint64_t layer_bytes, layer_offset, page_bytes;
    uint32_t page_count;
    unsigned char *pool;
    uint32_t *pages;
    float *keys, *values;
} check_sequence;

void check_sequence_create(check *c, check_sequence *s);
void check_sequence_destroy(check_sequence *s);

/* Writes tokens from `first` on. */
void check_sequence_write(const check_sequence *s, check_kv_write write, uint32_t first);

#endif
