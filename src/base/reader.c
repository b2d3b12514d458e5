/* Bounded reader. In: bytes of a mapping. Out: integers of either byte order, and views. */
#include "base/reader.h"

void base_reader_init(base_reader *r, const void *data, uint64_t size) {
    *r = (base_reader){.data = data, .size = size};
}

const unsigned char *base_read_view(base_reader *r, uint64_t n) {
    if (r->failed || n > r->size - r->offset) {
        r->failed = true;
        return NULL;
    }
    const unsigned char *p = r->data + r->offset;
    r->offset += n;
    return p;
}

static uint64_t read_integer(base_reader *r, unsigned n) {
    const unsigned char *p = base_read_view(r, n);
    if (!p) return 0;
    uint64_t value = 0;
    for (unsigned i = 0; i < n; i++) {
        value |= (uint64_t)p[r->big_endian ? n - 1 - i : i] << (8 * i);
    }
    return value;
}

uint8_t base_read_u8(base_reader *r) {
    return (uint8_t)read_integer(r, 1);
}

uint16_t base_read_u16(base_reader *r) {
    return (uint16_t)read_integer(r, 2);
}

uint32_t base_read_u32(base_reader *r) {
    return (uint32_t)read_integer(r, 4);
}

uint64_t base_read_u64(base_reader *r) {
    return read_integer(r, 8);
}
