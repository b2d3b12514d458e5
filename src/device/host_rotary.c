/* RotaryRows on the host. In: positions, the file's cosines and sines. Out: both for each row. */
#include "device/host_device.h"
#include "tensor/number.h"

/* Row i of [rows, columns], which may be f32, f16 or bf16. */
static void read_row(const graph_value *v, uint64_t i, float *dst) {
    const uint64_t columns = (uint64_t)v->shape.dims[1], rows = (uint64_t)v->shape.dims[0];
    if (i >= rows) i = rows - 1; /* a session is no longer than its tables */
    for (uint64_t k = 0; k < columns; k++)
        dst[k] = (float)tensor_get_number(v->element, v->data, i * columns + k);
}

void host_rotary_rows(const host_context *c, uint32_t first, uint32_t rows) {
    const plan_step *s = c->step;
    const graph *g = c->p->source;
    const host_rows y = host_value_rows(c, s->out, first);
    const int32_t *positions = (const int32_t *)host_value_address(c, s->in[0]) + first;
    const int32_t *regimes = (const int32_t *)host_value_address(c, s->in[1]) + first;
    for (uint32_t r = 0; r < rows; r++) {
        const uint32_t regime = s->in[4] != PLAN_NONE && regimes[r] == 1 ? 1 : 0;
        const uint64_t row = (uint64_t)positions[r] + (regime ? s->second_row : 0);
        for (uint32_t k = 0; k < 2; k++) {
            const graph_value *v = g->values + c->p->values[s->in[2 + 2 * regime + k]].source;
            read_row(v, row, y.at + r * y.stride + (size_t)k * y.columns / 2);
        }
    }
}
