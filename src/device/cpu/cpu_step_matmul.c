/* MatMul on threads. In: rows, quantised or not, and the packed parts of one matmul. Out: rows of
 * all parts' outputs, side by side; each thread has the same number of panels, at most one more. */
#include "device/cpu/cpu_steps.h"
#include "device/host_buffer.h"

static const cpu_weight *weight_of(const plan *p, const plan_matmul_part *part) {
    return (const cpu_weight *)p->weights->items[p->values[part->weight].source];
}

static uint64_t panels_of(const cpu_weight *w) {
    return (w->n + w->config->panel_rows - 1) / w->config->panel_rows;
}

void cpu_step_matmul(const cpu_context *c) {
    const plan *p = c->p;
    const plan_step *s = c->step;
    const plan_value *x = p->values + s->in[0], *y = p->values + s->out;
    const uint32_t rows = plan_value_rows(p, s->out, c->binding->block);
    if (!rows) return;
    uint64_t total = 0, first = 0, end = 0, panel = 0;
    for (uint32_t i = 0; i < s->part_count; i++)
        total += panels_of(weight_of(p, s->parts + i));
    cpu_share(c, total, 1, &first, &end);
    const void *src = host_value_address(p, s->in[0], c->binding);
    float *dst = host_value_address(p, s->out, c->binding);
    for (uint32_t i = 0; i < s->part_count && panel < end; i++) {
        const cpu_weight *w = weight_of(p, s->parts + i);
        const uint64_t panels = panels_of(w);
        const uint64_t from = first > panel ? first - panel : 0;
        const uint64_t to = end - panel < panels ? end - panel : panels;
        if (from < to) {
            w->config->matmul(w->encoding, w->packed, w->n, w->k, from, to, src, x->row_stride,
                              rows, dst, y->row_stride,
                              host_value_address(p, s->parts[i].bias, c->binding), c->work);
        }
        panel += panels;
        dst += w->n;
    }
}
