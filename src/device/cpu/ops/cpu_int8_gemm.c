/* Products of codes. In: a, b packed, zero points. Out: int32 sums, floats or codes. A unit is a
 * tile of rows and panels; its sums lie on the stack until they are finished. */
#include "device/cpu/ops/cpu_int8_gemm.h"

#include <string.h>

#define GROUP_BYTES  ((uint64_t)CPU_INT8_COLUMNS * CPU_INT8_DEPTH)
#define TILE_ROWS    48u
#define TILE_COLUMNS (CPU_INT8_PANELS * CPU_INT8_COLUMNS)

static uint64_t rounded(uint64_t n, uint64_t to) {
    return (n + to - 1) / to;
}

bool cpu_int8_packed_bytes(uint64_t k, uint64_t n, uint64_t *out) {
    const uint64_t groups = rounded(k, CPU_INT8_DEPTH), panels = rounded(n, CPU_INT8_COLUMNS);
    if (k > (uint64_t)1 << 40 || n > (uint64_t)1 << 40) return false;
    if (groups && panels > ((uint64_t)1 << 46) / groups) return false;
    *out = panels * groups * GROUP_BYTES + 2 * panels * CPU_INT8_COLUMNS * sizeof(int32_t) + 64;
    return *out <= SIZE_MAX;
}

/* Column n of b: its codes at `to`, and their sum. */
static uint32_t pack_column(const uint8_t *data, uint8_t flip, uint64_t k, uint64_t k_stride,
                            int8_t *to) {
    int64_t sum = 0;
    for (uint64_t i = 0; i < k; i++) {
        const int8_t code = (int8_t)(data[i * k_stride] ^ flip);
        to[i / CPU_INT8_DEPTH * GROUP_BYTES + i % CPU_INT8_DEPTH] = code;
        sum += code;
    }
    return (uint32_t)sum;
}

void cpu_int8_pack(const uint8_t *data, bool is_signed, uint64_t k, uint64_t n, uint64_t k_stride,
                   uint64_t n_stride, const uint8_t *zeros, uint64_t zero_count, void *to,
                   cpu_int8_packed *out) {
    const uint8_t flip = is_signed ? 0 : 128;
    const uint64_t groups = rounded(k, CPU_INT8_DEPTH), panels = rounded(n, CPU_INT8_COLUMNS);
    const uint64_t code_bytes = panels * groups * GROUP_BYTES;
    int8_t *codes = to;
    int32_t *centred = (int32_t *)(void *)((char *)to + code_bytes);
    int32_t *column_zeros = centred + panels * CPU_INT8_COLUMNS;
    bool has_zeros = false;
    memset(to, 0, (size_t)(code_bytes + 2 * panels * CPU_INT8_COLUMNS * sizeof *centred));
    for (uint64_t c = 0; c < n; c++) {
        int8_t *at = codes + c / CPU_INT8_COLUMNS * groups * GROUP_BYTES +
                     c % CPU_INT8_COLUMNS * CPU_INT8_DEPTH;
        const uint32_t sum = pack_column(data + c * n_stride, flip, k, k_stride, at);
        const uint8_t zero = zero_count ? zeros[zero_count > 1 ? c : 0] : 0;
        const int8_t moved = (int8_t)(zero ^ flip);
        column_zeros[c] = moved;
        centred[c] = (int32_t)(sum - (uint32_t)k * (uint32_t)moved);
        has_zeros = has_zeros || moved != 0;
    }
    *out = (cpu_int8_packed){.k = k,
                             .n = n,
                             .groups = groups,
                             .panels = panels,
                             .data = codes,
                             .centred = centred,
                             .zeros = has_zeros ? column_zeros : NULL};
}

/* Columns [first, first + n) of row `row`, whose sums are final after this. */
static void finish_row(const cpu_int8_gemm *g, uint64_t row, uint64_t first, size_t n,
                       int32_t row_sum, int32_t *sums) {
    const cpu_int8_shift s = {g->b->centred + first, g->b->zeros ? g->b->zeros + first : NULL,
                              g->row_zeros[row * g->row_zero_step], row_sum};
    const float *scales = g->scales ? g->scales + first * g->scale_step : NULL;
    const size_t at = row * g->y_stride + first;
    g->kernels->shift(sums, &s, n);
    switch (g->result) {
    case CPU_INT8_SUMS: memcpy((int32_t *)g->y + at, sums, n * sizeof *sums); break;
    case CPU_INT8_FLOATS:
        g->kernels->to_float((float *)g->y + at, sums, g->a_scale, scales, g->scale_step,
                             g->bias ? g->bias + first : NULL, n);
        break;
    case CPU_INT8_CODES:
        g->kernels->to_codes((uint8_t *)g->y + at, sums, g->offset ? g->offset + first : NULL,
                             scales, g->scale_step, g->y_zero, g->y_low, n);
        break;
    }
}

/* Rows [row, row + rows), all of columns [panel, panel + panels) of panels. */
static void run_tile(const cpu_int8_gemm *g, uint64_t row, size_t rows, uint64_t panel,
                     size_t panels, const int32_t *row_sums) {
    int32_t sums[TILE_ROWS * TILE_COLUMNS];
    const uint64_t panel_bytes = g->b->groups * GROUP_BYTES, first = panel * CPU_INT8_COLUMNS;
    const uint64_t left = g->b->n - first, all = panels * CPU_INT8_COLUMNS;
    g->kernels->sums(g->a + row * g->a_stride, g->a_stride, rows, g->b->data + panel * panel_bytes,
                     (size_t)panel_bytes, (size_t)g->b->groups, panels, sums, TILE_COLUMNS);
    for (size_t r = 0; r < rows; r++)
        finish_row(g, row + r, first, (size_t)(left < all ? left : all), row_sums[r],
                   sums + r * TILE_COLUMNS);
}

/* Rows [row, row + rows) of panels [from, to). */
static void run_rows(const cpu_int8_gemm *g, uint64_t row, size_t rows, uint64_t from,
                     uint64_t to) {
    int32_t row_sums[TILE_ROWS] = {0};
    for (size_t r = 0; g->b->zeros && r < rows; r++)
        row_sums[r] = g->kernels->add_up(g->a + (row + r) * g->a_stride, (size_t)g->b->k);
    for (uint64_t p = from; p < to; p += CPU_INT8_PANELS) {
        const uint64_t panels = to - p < CPU_INT8_PANELS ? to - p : CPU_INT8_PANELS;
        run_tile(g, row, rows, p, (size_t)panels, row_sums);
    }
}

typedef struct tiling {
    const cpu_int8_gemm *g;
    uint64_t rows_each, row_units, panels_each;
} tiling;

static void run_unit(uint32_t unit, unsigned thread, void *argument) {
    const tiling *t = argument;
    const cpu_int8_gemm *g = t->g;
    const uint64_t row = unit % t->row_units * t->rows_each;
    const uint64_t from = unit / t->row_units * t->panels_each;
    const uint64_t end = row + t->rows_each < g->rows ? row + t->rows_each : g->rows;
    const uint64_t to = from + t->panels_each < g->b->panels ? from + t->panels_each : g->b->panels;
    (void)thread;
    for (uint64_t r = row; r < end; r += TILE_ROWS)
        run_rows(g, r, (size_t)(end - r < TILE_ROWS ? end - r : TILE_ROWS), from, to);
}

void cpu_int8_gemm_run_here(const cpu_int8_gemm *g) {
    tiling t = {g, g->rows, 1, g->b->panels};
    if (g->rows && g->b->n) run_unit(0, 0, &t);
}

#define UNIT_PRODUCTS 262144.0 /* that are worth a unit */

void cpu_int8_gemm_run(base_pool *pool, const cpu_int8_gemm *g) {
    const unsigned threads = pool ? base_pool_thread_count(pool) : 1;
    const double products = (double)g->rows * (double)g->b->n * (double)g->b->k;
    if (threads == 1 || products < 2 * UNIT_PRODUCTS) {
        cpu_int8_gemm_run_here(g);
        return;
    }
    /* Tiles of both directions, until each thread has some. */
    tiling t = {g, TILE_ROWS, rounded(g->rows, TILE_ROWS), g->b->panels};
    const uint64_t wanted = 4 * (uint64_t)threads;
    uint64_t pieces = rounded(wanted, t.row_units);
    const double each = products / (double)t.row_units;
    while (pieces > 1 && each / (double)pieces < UNIT_PRODUCTS)
        pieces--;
    t.panels_each = rounded(rounded(g->b->panels, pieces), CPU_INT8_PANELS) * CPU_INT8_PANELS;
    while (t.row_units * rounded(g->b->panels, t.panels_each) > BASE_POOL_UNITS_MAX) {
        t.rows_each *= 2;
        t.row_units = rounded(g->rows, t.rows_each);
    }
    const uint64_t units = t.row_units * rounded(g->b->panels, t.panels_each);
    base_pool_run(pool, (uint32_t)units, run_unit, &t);
}

ondol_status cpu_int8_left(const plan_call *c, const tensor_value *a, uint64_t k,
                           const uint8_t **out, void **owned, ondol_error *err) {
    const bool is_unsigned = a->element == TENSOR_ELEMENT_U8;
    *owned = NULL;
    *out = a->data;
    if (is_unsigned && k % CPU_INT8_DEPTH == 0) return ONDOL_OK;
    ondol_status status = tensor_heap_alloc(c->heap, a->elems + 64, "codes", owned, err);
    if (status != ONDOL_OK) return status;
    if (is_unsigned)
        memcpy(*owned, a->data, (size_t)a->elems);
    else
        cpu_int8_of(c->device)->flip(*owned, a->data, (size_t)a->elems);
    memset((char *)*owned + a->elems, 0, 64);
    *out = *owned;
    return ONDOL_OK;
}
