/* AMX's tiles in C, after the operations of LDTILECFG, TILELOADD, TDPBSUD and others in Intel's
 * manual of instructions. In: what a kernel would execute. Out: its results, or a fault. */
#include "device/cpu/x86/amx_tiles.h"

#include <string.h>

enum { TILES = 8, ROWS_MAX = 16, ROW_BYTES = 64 };

typedef struct tile {
    unsigned rows, row_bytes;
    uint8_t bytes[ROWS_MAX][ROW_BYTES];
} tile;

/* Of the one thread that checks. */
static struct {
    bool configured;
    tile tiles[TILES];
    const char *fault;
} state;

/* True when all is well; the first fault is kept. */
static bool demand(bool ok, const char *fault) {
    if (!ok && !state.fault) state.fault = fault;
    return ok;
}

const char *amx_model_take_fault(void) {
    const char *fault = state.fault;
    state.fault = NULL;
    return fault;
}

static bool config_is_valid(const tile_config *c) {
    bool ok = c->palette == 1 && c->start_row < ROWS_MAX;
    for (unsigned i = 0; i < sizeof c->reserved; i++)
        ok = ok && c->reserved[i] == 0;
    for (unsigned i = 0; i < 16; i++) {
        ok = ok && (c->rows[i] == 0) == (c->row_bytes[i] == 0);
        ok = ok && c->rows[i] <= (i < TILES ? ROWS_MAX : 0);
        ok = ok && c->row_bytes[i] <= (i < TILES ? ROW_BYTES : 0);
    }
    return ok;
}

void amx_model_configure(const tile_config *config) {
    _Static_assert(sizeof *config == 64, "what ldtilecfg reads");
    if (!demand(config_is_valid(config), "ldtilecfg of a configuration that is none")) return;
    demand(config->start_row == 0, "ldtilecfg of a start row, which is not modelled");
    memset(state.tiles, 0, sizeof state.tiles);
    for (unsigned i = 0; i < TILES; i++) {
        state.tiles[i].rows = config->rows[i];
        state.tiles[i].row_bytes = config->row_bytes[i];
    }
    state.configured = true;
}

void amx_model_release(void) {
    memset(state.tiles, 0, sizeof state.tiles);
    state.configured = false;
}

static tile *tile_at(unsigned index, const char *fault) {
    const bool ok = state.configured && index < TILES && state.tiles[index].rows;
    return demand(ok, fault) ? state.tiles + index : NULL;
}

void amx_model_zero(unsigned index) {
    tile *t = tile_at(index, "tilezero of a tile that is not configured");
    if (t) memset(t->bytes, 0, sizeof t->bytes);
}

/* What is behind a row and behind the last row becomes 0. */
void amx_model_load(unsigned index, const void *src, size_t stride) {
    tile *t = tile_at(index, "tileloadd of a tile that is not configured");
    if (!t) return;
    memset(t->bytes, 0, sizeof t->bytes);
    for (unsigned r = 0; r < t->rows; r++)
        memcpy(t->bytes[r], (const uint8_t *)src + r * stride, t->row_bytes);
}

void amx_model_store(unsigned index, void *dst, size_t stride) {
    const tile *t = tile_at(index, "tilestored of a tile that is not configured");
    for (unsigned r = 0; t && r < t->rows; r++)
        memcpy((uint8_t *)dst + r * stride, t->bytes[r], t->row_bytes);
}

/* sum + the products of 4 signed bytes and 4 unsigned ones; it wraps around. */
static uint32_t add_four(uint32_t sum, const uint8_t *a, const uint8_t *b) {
    for (unsigned i = 0; i < 4; i++) {
        const int32_t product = (int8_t)a[i] * (int32_t)b[i];
        sum += (uint32_t)product;
    }
    return sum;
}

void amx_model_dot_signed_unsigned(unsigned sums, unsigned a_index, unsigned b_index) {
    static const char FAULT[] = "tdpbsud of a tile that is not configured";
    tile *c = tile_at(sums, FAULT);
    const tile *a = tile_at(a_index, FAULT), *b = tile_at(b_index, FAULT);
    if (!a || !b || !c) return;
    if (!demand(a != b && a != c && b != c, "tdpbsud of a tile with itself")) return;
    bool fit = a->row_bytes % 4 == 0 && b->row_bytes % 4 == 0 && c->row_bytes % 4 == 0;
    fit = fit && c->rows == a->rows && c->row_bytes == b->row_bytes && a->row_bytes / 4 == b->rows;
    if (!demand(fit, "tdpbsud of tiles that do not fit")) return;
    for (unsigned m = 0; m < c->rows; m++) {
        for (unsigned n = 0; n < c->row_bytes / 4; n++) {
            uint32_t sum;
            memcpy(&sum, c->bytes[m] + 4 * n, sizeof sum);
            for (unsigned k = 0; k < b->rows; k++)
                sum = add_four(sum, a->bytes[m] + 4 * k, b->bytes[k] + 4 * n);
            memcpy(c->bytes[m] + 4 * n, &sum, sizeof sum);
        }
        memset(c->bytes[m] + c->row_bytes, 0, ROW_BYTES - c->row_bytes);
    }
    for (unsigned m = c->rows; m < ROWS_MAX; m++)
        memset(c->bytes[m], 0, ROW_BYTES);
}
