/* Inside of the CPU's matmul: what packed weights and quantised activations look like.
 *
 * A panel is 32 rows. Within a block of 32 columns, row r and column c = 4j + i (j < 8), half h =
 * r / 16, lane l = r % 16; codes are unsigned (offset added):
 *   4 bits  byte (4h + j % 4) * 64 + 4l + i; low nibble for j < 4, high for j >= 4
 *   5 bits  as above, then bit j of byte 512 + 64h + 4l + i is the fifth
 *   6 bits  as 4 bits, then bits 2(j % 4).. of byte 512 + (2h + j / 4) * 64 + 4l + i
 *   8 bits  byte (8h + j) * 64 + 4l + i
 * so that a dword of 16 lanes is 4 columns of 16 rows. Nothing here is shared inline code: files
 * compiled for one instruction set include it. Thread class of all: shared. Errors: none. */
#ifndef DEVICE_CPU_MATMUL_LAYOUT_H
#define DEVICE_CPU_MATMUL_LAYOUT_H

#include "device/cpu/matmul.h"

#define CPU_PANEL_ROWS 32u

typedef enum cpu_layout_kind {
#define CODES(symbol, ...)  CPU_LAYOUT_##symbol,
#define FLOATS(symbol, ...) CPU_LAYOUT_##symbol,
#include "device/cpu/matmul_layouts.def"
#undef CODES
#undef FLOATS
    CPU_LAYOUT_COUNT
} cpu_layout_kind;

/* A record's header, for its 32 rows: lane = row. A zero is counted in codes: the minimum is scale
 * * zero. */
typedef enum cpu_scales {
    CPU_SCALES_F16,         /* f16 scale */
    CPU_SCALES_F16_MINIMUM, /* f16 scale, f16 that is added */
    CPU_SCALES_SIX_BITS,    /* f16 scale, f16 minimum, 12 lines of u8: Q4_K's packed 6 bits */
    CPU_SCALES_EIGHT_BITS,  /* f16 scale, 16 lines of i8 */
    CPU_SCALES_F32,         /* f32 scale of each group */
    CPU_SCALES_F32_MINIMUM, /* f32 scale of each group, f32 minimum of each group */
    CPU_SCALES_F16_ZERO,    /* f16 scale, f16 zero */
    CPU_SCALES_F32_ZERO     /* f32 scale, f16 zero */
} cpu_scales;

typedef struct cpu_layout {
    const char *name;
    unsigned code_bits; /* 0: floats */
    int offset;
    unsigned group_elems;
    cpu_scales scales;
    unsigned record_elems; /* 0: one scale to a record, of as many blocks as the form says */
    unsigned header_bytes, block_bytes;
} cpu_layout;

static const cpu_layout CPU_LAYOUTS[CPU_LAYOUT_COUNT] = {
#define CODES(symbol, name, bits, offset, group, scales, elems, header, block)                     \
    {name, bits, offset, group, CPU_SCALES_##scales, elems, header, block},
#define FLOATS(symbol, name, bytes) {name, 0, 0, 0, CPU_SCALES_F32, 1, 0, bytes * CPU_PANEL_ROWS},
#include "device/cpu/matmul_layouts.def"
#undef CODES
#undef FLOATS
};

/* The form of a weight: that of its encoding, or one for all alike. False when there is none. */
bool cpu_form_of(const tensor_matrix *w, cpu_form *out);

static inline bool cpu_scales_have_minimum(cpu_scales s) {
    return s == CPU_SCALES_F16_MINIMUM || s == CPU_SCALES_SIX_BITS || s >= CPU_SCALES_F32_MINIMUM;
}

/* Bytes of one panel of k columns. */
uint64_t cpu_layout_panel_bytes(cpu_form f, uint64_t k);

/* Block `block` (32 columns) of one row of a panel: codes i8[32], scales and minimums for its two
 * halves of 16 columns. */
void cpu_layout_read_block(cpu_form f, const void *panel, uint64_t block, unsigned row,
                           int8_t codes[32], float scales[2], float minimums[2]);

/* Inside of packing. A run of up to 256 columns of 16 rows, half `half` of a panel, is words
 * [block][row][8]: word j of a block holds columns [4j, 4j + 4), offset added. */

/* The words of one row, from its codes. */
void cpu_layout_take_codes(const cpu_layout *layout, const int8_t *codes, unsigned elems,
                           unsigned row, uint32_t u[][16][8]);
/* Those of group `s` (32 columns) of a block of the file in each of `rows` rows. False, and nothing
 * written, for encodings that have no layout of their own. */
bool cpu_layout_take_words(tensor_encoding e, const uint8_t *block, size_t row_bytes, unsigned rows,
                           unsigned s, uint32_t u[][8]);
/* To the records from dst on. */
void cpu_layout_put_words(cpu_form f, unsigned elems, unsigned half, uint32_t u[][16][8],
                          uint8_t *dst);
/* cpu_codes_pack of codes with scales apart. */
void cpu_nbits_pack(cpu_form f, const tensor_matrix *w, uint64_t panel, void *dst);

/* The isum * scale of matmul.h. Layouts with scales of 22 bits or fewer compute it as a register
 * that holds 1.5 * 2^23 + isum does; that rounds likewise for every finite scale, and gives the
 * same NaN for others. */
float cpu_scaled_sum(cpu_layout_kind kind, int32_t isum, float scale);

/* Quantised activations: rows in tiles of 8 (the last may have fewer), a tile is [groups][rows] of
 * lines. */
#define CPU_TILE_TOKENS 8u

/* The bits of 1.5 * 2^23: an int32 of magnitude < 2^22 added to them is, read as a float, that sum
 * exactly. */
#define CPU_MAGIC_BITS 0x4b400000
#define CPU_MAGIC      12582912.0f

/* A group of 32 columns of one row. 64 bytes. */
typedef struct cpu_activation_line {
    int8_t codes[32];
    float scale;
    float scaled_sum;                          /* scale * (float)(sum of the codes) */
    int32_t start0, start8, start16, start128; /* CPU_MAGIC_BITS - offset * sum */
    int32_t sums[2];                           /* of the halves */
} cpu_activation_line;

/* Line of row `row`, group 0; the next group is *step lines further. */
const cpu_activation_line *cpu_activation_row(const void *quantised, uint32_t rows, uint64_t k,
                                              uint32_t row, size_t *step);
cpu_activation_line *cpu_activation_row_of(void *quantised, uint32_t rows, uint64_t k, uint32_t row,
                                           size_t *step);

/* All but the codes, from the scale and the sums of the two halves. */
void cpu_activation_finish(cpu_activation_line *line, float scale, int32_t low_sum,
                           int32_t high_sum);

/* The functions of configs, see matmul.h; kernels of an instruction set are named in
 * matmul_configs.def. */
uint64_t cpu_packed_bytes(cpu_form f, uint64_t n, uint64_t k);
void cpu_codes_pack(cpu_form f, const tensor_matrix *w, uint64_t panel, void *dst);
void cpu_codes_decode_row(cpu_form f, const void *packed, uint64_t n, uint64_t k, uint64_t n_index,
                          float *dst);
void cpu_floats_pack(cpu_form f, const tensor_matrix *w, uint64_t panel, void *dst);
void cpu_floats_decode_row(cpu_form f, const void *packed, uint64_t n, uint64_t k, uint64_t n_index,
                           float *dst);

/* Parameters of a matmul kernel; those of cpu_matmul_config. */
#define CPU_MATMUL_PARAMETERS                                                                      \
    cpu_form f, const void *packed, uint64_t n, uint64_t k, uint64_t first_panel,                  \
        uint64_t end_panel, const void *x, size_t x_stride, uint32_t rows, float *y,               \
        size_t y_stride, const float *bias, void *work

#endif
