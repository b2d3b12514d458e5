/* Dense products. In: matrices. Out: panels of B, and rows of y, cut into units for the threads. */
#include "device/cpu/ops/cpu_gemm.h"

#include <string.h>

#include "device/cpu/matmul_layout.h"
#include "device/cpu/rows.h"

#define PANEL         32u
/* Rows of x to a unit: with K columns they stay in the second cache, and share the weights. */
#define UNIT_ROWS     64u
#define UNIT_ROWS_MAX 256u
#define UNIT_X_BYTES  ((uint64_t)256 << 10)
#define UNIT_PRODUCTS ((uint64_t)1 << 17)

static tensor_matrix weight_of(tensor_encoding e, const void *data, uint64_t k, uint64_t n) {
    return (tensor_matrix){.rows = n, .columns = k, .encoding = e, .data = data};
}

static const cpu_matmul_config *config_of(const cpu_device *d, tensor_encoding e, uint64_t k,
                                          uint64_t n, panel_form *form) {
    const tensor_matrix w = weight_of(e, NULL, k, n);
    return cpu_matmul_select(d->isa, &w, form, NULL);
}

uint64_t cpu_gemm_packed_bytes(const cpu_device *d, tensor_encoding e, uint64_t k, uint64_t n) {
    panel_form form;
    const cpu_matmul_config *config = config_of(d, e, k, n, &form);
    return config->packed_bytes(form, n, k) + CPU_MATMUL_SLACK_BYTES;
}

typedef struct packing {
    const cpu_matmul_config *config;
    panel_form form;
    const cpu_rows *rows;
    const cpu_matrix *b;
    unsigned char *to;
    uint64_t panel_bytes, panels, per_unit;
} packing;

static void pack_panel(const packing *p, uint64_t panel) {
    const cpu_matrix *b = p->b;
    float *to = (float *)(void *)(p->to + panel * p->panel_bytes);
    const uint64_t first = panel * PANEL;
    const size_t count = b->n - first < PANEL ? (size_t)(b->n - first) : PANEL;
    if (b->encoding != TENSOR_ENCODING_F32) {
        const bool by_rows = b->k_stride == 1;
        tensor_matrix w = weight_of(b->encoding, b->data, b->k, b->n);
        w.transposed = !by_rows;
        p->config->pack(p->form, &w, panel, to);
        return;
    }
    const float *from = (const float *)b->data + first * b->n_stride;
    if (b->k_stride == 1) {
        p->rows->transpose(to, PANEL, from, b->n_stride, count, b->k);
        for (uint64_t k = 0; k < b->k && count < PANEL; k++)
            memset(to + k * PANEL + count, 0, (PANEL - count) * sizeof *to);
        return;
    }
    for (uint64_t k = 0; k < b->k; k++, from += b->k_stride, to += PANEL) {
        memcpy(to, from, count * sizeof *to);
        for (size_t i = count; i < PANEL; i++)
            to[i] = 0;
    }
}

static void pack_unit(uint32_t unit, unsigned thread, void *argument) {
    const packing *p = argument;
    (void)thread;
    const uint64_t first = unit * p->per_unit;
    for (uint64_t i = first; i < first + p->per_unit && i < p->panels; i++)
        pack_panel(p, i);
}

void cpu_gemm_pack(const cpu_device *d, base_pool *pool, const cpu_matrix *b, void *to,
                   cpu_packed *out) {
    packing p = {.rows = cpu_rows_select(d->isa), .b = b, .to = to};
    p.config = config_of(d, b->encoding, b->k, b->n, &p.form);
    p.panels = (b->n + PANEL - 1) / PANEL;
    if (p.panels) p.panel_bytes = p.config->packed_bytes(p.form, b->n, b->k) / p.panels;
    const uint64_t worth = b->k ? ((uint64_t)1 << 16) / (b->k * PANEL) : 1;
    p.per_unit = worth ? worth : 1;
    const uint32_t units = (uint32_t)((p.panels + p.per_unit - 1) / p.per_unit);
    for (uint32_t i = 0; !pool && i < units; i++)
        pack_unit(i, 0, &p);
    if (pool && units) base_pool_run(pool, units, pack_unit, &p);
    *out = (cpu_packed){p.config, p.form, b->n, b->k, to};
}

typedef struct multiplying {
    const cpu_gemm_call *g;
    uint64_t panels, panels_each, rows_each, row_units;
} multiplying;

static void multiply(const cpu_gemm_call *g, uint64_t first_panel, uint64_t end_panel,
                     uint64_t first_row, uint64_t rows) {
    const cpu_packed *b = g->b;
    b->config->matmul(b->form, b->data, b->n, b->k, first_panel, end_panel,
                      g->x + first_row * g->x_stride, g->x_stride, (uint32_t)rows,
                      g->y + first_row * g->y_stride, g->y_stride, g->bias, NULL);
}

static void multiply_unit(uint32_t unit, unsigned thread, void *argument) {
    const multiplying *m = argument;
    (void)thread;
    const uint64_t panel = unit / m->row_units * m->panels_each;
    const uint64_t row = unit % m->row_units * m->rows_each;
    const uint64_t panels = m->panels - panel, rows = m->g->rows - row;
    multiply(m->g, panel, panel + (panels < m->panels_each ? panels : m->panels_each), row,
             rows < m->rows_each ? rows : m->rows_each);
}

static uint64_t rows_to_a_unit(uint64_t k) {
    const uint64_t rows = UNIT_X_BYTES / sizeof(float) / (k ? k : 1) / 8 * 8;
    return rows < UNIT_ROWS ? UNIT_ROWS : rows > UNIT_ROWS_MAX ? UNIT_ROWS_MAX : rows;
}

void cpu_gemm_run_here(const cpu_gemm_call *g) {
    const uint64_t panels = (g->b->n + PANEL - 1) / PANEL;
    const uint64_t each = rows_to_a_unit(g->b->k);
    for (uint64_t row = 0; row < g->rows; row += each) {
        const uint64_t left = g->rows - row;
        multiply(g, 0, panels, row, left < each ? left : each);
    }
}

void cpu_gemm_run(base_pool *pool, const cpu_gemm_call *g) {
    multiplying m = {.g = g, .panels = (g->b->n + PANEL - 1) / PANEL};
    const uint64_t products = g->rows * g->b->n * (g->b->k ? g->b->k : 1);
    if (!pool || products < 2 * UNIT_PRODUCTS) {
        cpu_gemm_run_here(g);
        return;
    }
    m.rows_each = rows_to_a_unit(g->b->k);
    m.row_units = (g->rows + m.rows_each - 1) / m.rows_each;
    const uint64_t panel_products =
        (g->rows < m.rows_each ? g->rows : m.rows_each) * PANEL * g->b->k;
    const uint64_t worth = panel_products ? UNIT_PRODUCTS / panel_products : m.panels;
    m.panels_each = worth ? worth : 1;
    /* Rows alone are units enough: then each reads all of B once. */
    if (m.row_units >= 4 * base_pool_thread_count(pool)) m.panels_each = m.panels;
    const uint64_t units = m.row_units * ((m.panels + m.panels_each - 1) / m.panels_each);
    if (units > BASE_POOL_UNITS_MAX) {
        cpu_gemm_run_here(g);
        return;
    }
    base_pool_run(pool, (uint32_t)units, multiply_unit, &m);
}
