/* MatMul in units. In: rows, quantised or not, and the packed parts of one matmul. Out: rows of all
 * parts' outputs, side by side; a unit is a run of panels. */
#include "device/cpu/cpu_steps.h"

/* Products, reading the weight counted as one row, that are worth a unit. */
#define UNIT_PRODUCTS ((uint64_t)1 << 18)

static uint64_t panels_of(const cpu_weight *w) {
    return (w->n + w->config->panel_rows - 1) / w->config->panel_rows;
}

static uint64_t panels_of_step(const host_context *c) {
    uint64_t total = 0;
    for (uint32_t i = 0; i < c->step->part_count; i++)
        total += panels_of(cpu_weight_of(c->p, c->step->parts[i].weight));
    return total;
}

uint32_t cpu_step_matmul_units(const host_context *c) {
    const cpu_weight *w = cpu_weight_of(c->p, c->step->parts[0].weight);
    const uint32_t rows = plan_value_rows(c->p, c->step->out, c->binding->block);
    const uint64_t panel_products = w->k * w->config->panel_rows * (rows + 1);
    const uint64_t worth = UNIT_PRODUCTS / panel_products;
    return host_units(c, rows ? panels_of_step(c) : 0, worth ? worth : 1);
}

void cpu_step_matmul(const host_context *c) {
    const plan *p = c->p;
    const plan_step *s = c->step;
    const plan_value *x = p->values + s->in[0], *y = p->values + s->out;
    const uint32_t rows = plan_value_rows(p, s->out, c->binding->block);
    if (!rows) return;
    uint64_t first = 0, end = 0, panel = 0;
    host_share(c, panels_of_step(c), &first, &end);
    const void *src = host_value_address(c, s->in[0]);
    float *dst = host_value_address(c, s->out);
    for (uint32_t i = 0; i < s->part_count && panel < end; i++) {
        const cpu_weight *w = cpu_weight_of(p, s->parts[i].weight);
        const uint64_t panels = panels_of(w);
        const uint64_t from = first > panel ? first - panel : 0;
        const uint64_t to = end - panel < panels ? end - panel : panels;
        if (from < to) {
            w->config->matmul(w->form, w->packed, w->n, w->k, from, to, src, x->row_stride, rows,
                              dst, y->row_stride, host_value_address(c, s->parts[i].bias), c->work);
        }
        panel += panels;
        dst += w->n;
    }
}
