/* Packed weights of codes with scales apart. In: codes, scales, zero points. Out: panels of 32 rows
 * in the same layouts as those of blocks. */
#include <string.h>

#include "device/panel_layout.h"
#include "tensor/half.h"

enum { ROWS = 32, HALF_ROWS = 16, BLOCK = 32, RUN = 256 };

static void put_f16(uint8_t *dst, float value) {
    const uint16_t half = tensor_f32_to_f16(value); /* exact: tensor_nbits_check has looked */
    dst[0] = (uint8_t)half;
    dst[1] = (uint8_t)(half >> 8);
}

/* The header's part of one row: scales and zeros of the record's groups. */
static void put_scales(const panel_layout *layout, uint8_t *header, unsigned row,
                       const float *scales, const float *zeros) {
    const unsigned groups = BLOCK / layout->group_elems;
    switch (layout->scales) {
    case PANEL_SCALES_F16_ZERO:
        put_f16(header + 2 * ROWS + 2 * row, zeros[0]);
        /* fall through */
    case PANEL_SCALES_F16: put_f16(header + 2 * row, scales[0]); break;
    case PANEL_SCALES_F32_ZERO:
        put_f16(header + 4 * ROWS + 2 * row, zeros[0]);
        memcpy(header + 4 * row, scales, 4);
        break;
    case PANEL_SCALES_F32_MINIMUM:
        for (unsigned g = 0; g < groups; g++) {
            const float minimum = scales[g] * zeros[g];
            memcpy(header + (groups + g) * 4 * ROWS + 4 * row, &minimum, 4);
        }
        /* fall through */
    case PANEL_SCALES_F32:
        for (unsigned g = 0; g < groups; g++)
            memcpy(header + g * 4 * ROWS + 4 * row, scales + g, 4);
        break;
    default: break; /* of encodings alone */
    }
}

static void pack_row(panel_form f, const tensor_nbits *n, uint64_t row_of_w, uint64_t first,
                     unsigned elems, unsigned row, uint32_t u[][16][8], uint8_t *dst) {
    const panel_layout *layout = PANEL_LAYOUTS + f.layout;
    const unsigned record_elems = (unsigned)BLOCK << f.record_shift;
    const unsigned group_elems = tensor_nbits_group(n);
    const uint64_t record_bytes = panel_bytes_of(f, record_elems);
    int8_t codes[RUN];
    float scales[RUN / 16], zeros[RUN / 16];
    tensor_nbits_unpack(n, row_of_w, first, elems, codes, scales, zeros);
    panel_take_codes(layout, codes, elems, row % HALF_ROWS, u);
    for (unsigned c = 0; c < elems; c += record_elems, dst += record_bytes)
        put_scales(layout, dst, row, scales + c / group_elems, zeros + c / group_elems);
}

void panel_nbits_pack(panel_form f, const tensor_matrix *w, uint64_t panel, void *dst) {
    const uint64_t left = w->rows - panel * ROWS;
    const unsigned rows = left < ROWS ? (unsigned)left : ROWS;
    const uint64_t columns = (w->columns + BLOCK - 1) / BLOCK * BLOCK;
    uint8_t *out = dst;
    uint32_t u[RUN / BLOCK][HALF_ROWS][8];
    if (rows < ROWS) memset(dst, 0, (size_t)panel_bytes_of(f, w->columns));
    for (uint64_t c = 0; c < columns; c += RUN) {
        const unsigned run = columns - c < RUN ? (unsigned)(columns - c) : RUN;
        for (unsigned half = 0; half * HALF_ROWS < rows; half++) {
            memset(u, 0, sizeof u);
            for (unsigned r = half * HALF_ROWS; r < rows && r < (half + 1) * HALF_ROWS; r++)
                pack_row(f, w->nbits, panel * ROWS + r, c, run, r, u, out);
            panel_put_words(f, run, half, u, out);
        }
        out += panel_bytes_of(f, run);
    }
}
