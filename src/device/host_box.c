/* Boxes of elements. In: steps on both sides. Out: elements moved, in runs as long as can be. */
#include "device/host_box.h"

#include <string.h>

#include "tensor/number.h"

void host_dense_steps(uint32_t rank, const int64_t *dims, int64_t *steps) {
    uint64_t step = 1; /* of a tensor without elements it may wrap */
    for (uint32_t i = rank; i-- > 0;) {
        steps[i] = (int64_t)step;
        step *= (uint64_t)dims[i];
    }
}

void host_value_steps(const tensor_value *v, int64_t *steps) {
    host_dense_steps(v->rank, v->dims, steps);
    if (!v->channels_last) return;
    const int64_t channels = v->dims[1], image = steps[0];
    for (uint32_t i = 2; i < v->rank; i++)
        steps[i] = (int64_t)((uint64_t)steps[i] * (uint64_t)channels);
    steps[0] = image;
    steps[1] = 1;
}

static void rotate(int64_t *list, uint32_t rank) {
    const int64_t channel = list[1];
    memmove(list + 1, list + 2, (rank - 2) * sizeof *list);
    list[rank - 1] = channel;
}

void host_box_channels_last(host_box *box) {
    rotate(box->dims, box->rank);
    rotate(box->dst_step, box->rank);
    rotate(box->src_step, box->rank);
}

ondol_status host_move_element(tensor_value *dst, uint64_t i, const tensor_value *src, uint64_t k,
                               ondol_error *err) {
    const unsigned bits = tensor_element_bits(dst->element);
    if (dst->element == TENSOR_ELEMENT_STRING) {
        const tensor_string *s = (const tensor_string *)src->data + k;
        return tensor_value_set_string(dst, i, s->text, s->size_bytes, err);
    }
    if (bits < 8) {
        tensor_set_code(dst->element, dst->data, i, tensor_get_code(src->element, src->data, k));
        return ONDOL_OK;
    }
    const size_t size = bits / 8;
    memcpy((char *)dst->data + i * size, (const char *)src->data + k * size, size);
    return ONDOL_OK;
}

/* The same box with dimensions of 1 left out, and those joined that step alike. */
static host_box joined(const host_box *from) {
    host_box box = {.dst_start = from->dst_start, .src_start = from->src_start};
    for (uint32_t i = 0; i < from->rank; i++) {
        if (from->dims[i] == 1) continue;
        if (box.rank) {
            const uint32_t last = box.rank - 1;
            if (box.dst_step[last] == from->dst_step[i] * from->dims[i] &&
                box.src_step[last] == from->src_step[i] * from->dims[i]) {
                box.dims[last] *= from->dims[i];
                box.dst_step[last] = from->dst_step[i];
                box.src_step[last] = from->src_step[i];
                continue;
            }
        }
        box.dims[box.rank] = from->dims[i];
        box.dst_step[box.rank] = from->dst_step[i];
        box.src_step[box.rank++] = from->src_step[i];
    }
    if (!box.rank) {
        box.rank = 1;
        box.dims[0] = box.dst_step[0] = box.src_step[0] = 1;
    }
    return box;
}

typedef struct moving {
    host_box box;
    size_t size; /* bytes of an element */
    char *dst;
    const char *src;
    uint64_t lines, each;
} moving;

#define STEP_LOOP(type)                                                                            \
    for (int64_t i = 0; i < count; i++) {                                                          \
        type v;                                                                                    \
        memcpy(&v, src + i * src_step * (int64_t)sizeof v, sizeof v);                              \
        memcpy(dst + i * dst_step * (int64_t)sizeof v, &v, sizeof v);                              \
    }                                                                                              \
    break

static void move_line(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t count,
                      size_t size) {
    if (dst_step == 1 && src_step == 1) {
        memcpy(dst, src, (size_t)count * size);
        return;
    }
    switch (size) {
    case 1: STEP_LOOP(uint8_t);
    case 2: STEP_LOOP(uint16_t);
    case 4: STEP_LOOP(uint32_t);
    case 8: STEP_LOOP(uint64_t);
    default:
        for (int64_t i = 0; i < count; i++)
            memcpy(dst + i * dst_step * (int64_t)size, src + i * src_step * (int64_t)size, size);
        break;
    }
}

/* Two dimensions that are transposed: squares, so that both sides stay in the first cache. */
static void move_plane(const moving *m, char *dst, const char *src) {
    const host_box *b = &m->box;
    const uint32_t inner = b->rank - 1, outer = b->rank - 2;
    for (int64_t r = 0; r < b->dims[outer]; r += 16) {
        const int64_t r_end = b->dims[outer] - r < 16 ? b->dims[outer] : r + 16;
        for (int64_t c = 0; c < b->dims[inner]; c += 16) {
            const int64_t left = b->dims[inner] - c, count = left < 16 ? left : 16;
            for (int64_t i = r; i < r_end; i++) {
                move_line(
                    dst + (i * b->dst_step[outer] + c * b->dst_step[inner]) * (int64_t)m->size,
                    b->dst_step[inner],
                    src + (i * b->src_step[outer] + c * b->src_step[inner]) * (int64_t)m->size,
                    b->src_step[inner], count, m->size);
            }
        }
    }
}

static bool is_transposed(const host_box *b) {
    if (b->rank < 2) return false;
    const uint32_t inner = b->rank - 1, outer = b->rank - 2;
    return b->src_step[inner] > 1 && b->src_step[outer] == 1 && b->dims[outer] >= 4 &&
           b->dims[inner] >= 4;
}

static void move_unit(uint32_t unit, unsigned thread, void *argument) {
    const moving *m = argument;
    const host_box *b = &m->box;
    const bool plane = is_transposed(b);
    const uint32_t below = plane ? 2 : 1;
    (void)thread;
    for (uint64_t line = unit * m->each; line < (unit + 1) * m->each && line < m->lines; line++) {
        int64_t dst_at = b->dst_start, src_at = b->src_start;
        uint64_t rest = line;
        for (uint32_t d = b->rank - below; d-- > 0;) {
            const int64_t at = (int64_t)(rest % (uint64_t)b->dims[d]);
            rest /= (uint64_t)b->dims[d];
            dst_at += at * b->dst_step[d];
            src_at += at * b->src_step[d];
        }
        char *dst = m->dst + dst_at * (int64_t)m->size;
        const char *src = m->src + src_at * (int64_t)m->size;
        if (plane)
            move_plane(m, dst, src);
        else
            move_line(dst, b->dst_step[b->rank - 1], src, b->src_step[b->rank - 1],
                      b->dims[b->rank - 1], m->size);
    }
}

/* Strings and packed types, element by element. */
static ondol_status move_slowly(const host_box *b, tensor_value *dst, const tensor_value *src,
                                ondol_error *err) {
    uint64_t count = 1;
    for (uint32_t d = 0; d < b->rank; d++)
        count *= (uint64_t)b->dims[d];
    for (uint64_t i = 0; i < count; i++) {
        int64_t dst_at = b->dst_start, src_at = b->src_start;
        uint64_t rest = i;
        for (uint32_t d = b->rank; d-- > 0;) {
            const int64_t at = (int64_t)(rest % (uint64_t)b->dims[d]);
            rest /= (uint64_t)b->dims[d];
            dst_at += at * b->dst_step[d];
            src_at += at * b->src_step[d];
        }
        ondol_status status = host_move_element(dst, (uint64_t)dst_at, src, (uint64_t)src_at, err);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

#define UNIT_ELEMS 32768

ondol_status host_box_move(const plan_call *c, const host_box *box, tensor_value *dst,
                           const tensor_value *src, ondol_error *err) {
    const unsigned bits = tensor_element_bits(dst->element);
    for (uint32_t d = 0; d < box->rank; d++)
        if (box->dims[d] == 0) return ONDOL_OK;
    moving m = {
        .box = joined(box), .size = bits / 8, .dst = dst->data, .src = src->data, .lines = 1};
    if (bits < 8) return move_slowly(&m.box, dst, src, err);
    const uint32_t below = is_transposed(&m.box) ? 2 : 1;
    uint64_t line_elems = 1;
    for (uint32_t d = 0; d < m.box.rank; d++) {
        if (d + below < m.box.rank)
            m.lines *= (uint64_t)m.box.dims[d];
        else
            line_elems *= (uint64_t)m.box.dims[d];
    }
    m.each = UNIT_ELEMS / line_elems + 1;
    while ((m.lines + m.each - 1) / m.each > BASE_POOL_UNITS_MAX)
        m.each *= 2;
    const uint32_t units = (uint32_t)((m.lines + m.each - 1) / m.each);
    if (units == 1)
        move_unit(0, 0, &m);
    else
        plan_call_parallel(c, units, move_unit, &m);
    return ONDOL_OK;
}

ondol_status host_fill(tensor_value *dst, uint64_t first, uint64_t count, const tensor_value *src,
                       uint64_t at, ondol_error *err) {
    const unsigned bits = tensor_element_bits(dst->element);
    if (!count) return ONDOL_OK;
    ondol_status status = host_move_element(dst, first, src, at, err);
    if (status != ONDOL_OK) return status;
    if (bits < 8) {
        for (uint64_t i = 1; i < count && status == ONDOL_OK; i++)
            status = host_move_element(dst, first + i, src, at, err);
        return status;
    }
    /* Doubling: what is filled is the source of the next. */
    const size_t size = bits / 8;
    char *begin = (char *)dst->data + first * size;
    for (uint64_t have = 1; have < count;) {
        const uint64_t take = count - have < have ? count - have : have;
        memcpy(begin + have * size, begin, (size_t)take * size);
        have += take;
    }
    return ONDOL_OK;
}
