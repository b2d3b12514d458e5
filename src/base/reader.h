/* Bounded reader of bytes that nobody vouches for. A read past the end sets `failed` and gives
 * zeros, so that a parser checks once for each record. */
#ifndef BASE_READER_H
#define BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct base_reader {
    const unsigned char *data;
    uint64_t size, offset;
    bool big_endian, failed;
} base_reader;

void base_reader_init(base_reader *r, const void *data, uint64_t size);

uint8_t base_read_u8(base_reader *r);
uint16_t base_read_u16(base_reader *r);
uint32_t base_read_u32(base_reader *r);
uint64_t base_read_u64(base_reader *r);

/* A view of the next n bytes, or NULL (and failed) when there are fewer. */
const unsigned char *base_read_view(base_reader *r, uint64_t n);

/* Bytes not yet read. */
static inline uint64_t base_reader_left(const base_reader *r) {
    return r->size - r->offset;
}

#endif
