/* The tile instructions of AMX that kernels use; with AMX_MODEL defined as 1, a model of them in C
 * instead, which the tests define. Tiles are numbers, written out. For files of one instruction set
 * only. */
#ifndef DEVICE_CPU_X86_AMX_TILES_H
#define DEVICE_CPU_X86_AMX_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What ldtilecfg reads. Palette 1: tiles 0 to 7, of at most 16 rows of 64 bytes. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

#if AMX_MODEL

void amx_model_configure(const tile_config *config);
void amx_model_release(void);
void amx_model_zero(unsigned tile);
void amx_model_load(unsigned tile, const void *src, size_t stride);
void amx_model_store(unsigned tile, void *dst, size_t stride);
void amx_model_dot_signed_unsigned(unsigned sums, unsigned a, unsigned b);
/* What the processor would have refused since the last call: NULL when nothing. */
const char *amx_model_take_fault(void);

#define TILES_CONFIGURE(config)           amx_model_configure(config)
#define TILES_RELEASE()                   amx_model_release()
#define TILE_ZERO(tile)                   amx_model_zero(tile)
#define TILE_LOAD(tile, src, stride)      amx_model_load(tile, src, stride)
#define TILE_STORE(tile, dst, stride)     amx_model_store(tile, dst, stride)
#define TILE_DOT_SIGNED_UNSIGNED(c, a, b) amx_model_dot_signed_unsigned(c, a, b)

#else

#include <immintrin.h>

/* config is static: GCC 12 believes that only its first bytes are read. */
#define TILES_CONFIGURE(config) _tile_loadconfig(config)
#define TILES_RELEASE()         _tile_release()
#define TILE_ZERO(tile)         _tile_zero(tile)
/* GCC 12 does not know that memory is read: what was written before must be there. */
#define TILE_LOAD(tile, src, stride)                                                               \
    do {                                                                                           \
        __asm__ volatile("" ::: "memory");                                                         \
        _tile_loadd(tile, src, stride);                                                            \
    } while (0)
#define TILE_STORE(tile, dst, stride)     _tile_stored(tile, dst, stride)
/* c += a, signed bytes [rows][4 * n], times b, unsigned bytes [n][columns][4]. */
#define TILE_DOT_SIGNED_UNSIGNED(c, a, b) _tile_dpbsud(c, a, b)

#endif

#endif
