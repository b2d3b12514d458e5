/* The cache's pages and attention: bytes written as ref writes them; sums against ref within a
 * bound, against the scalar kernel and against any other cut into tiles bit by bit. */
#include "kernelcheck.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check_attention.h"
#include "device/ref/ref_ops.h"

enum { CASES_A_TYPE = 60, WORK_OFFSET = 4 };

/* ------------------------------------------------------------ a sequence in a pool */

static uint32_t pick(check *c, const uint32_t *from, uint32_t count) {
    return from[check_random_below(c, count)];
}
#define PICK(c, ...)                                                                               \
    pick(c, (const uint32_t[]){__VA_ARGS__},                                                       \
         (uint32_t)(sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)))

void check_sequence_create(check *c, check_sequence *s) {
    s->layer_bytes = tensor_kv_layer_bytes(&s->layout);
    s->layer_offset = 96;
    s->page_bytes = s->layer_offset + s->layer_bytes + 32;
    s->page_count = (s->tokens + s->layout.page_tokens - 1) / s->layout.page_tokens;
    const uint32_t width = s->layout.kv_heads * s->layout.head_size;
    s->pool = check_alloc(s->page_bytes * s->page_count, 0);
    s->pages = check_alloc(s->page_count * sizeof *s->pages, 0);
    s->keys = check_alloc((size_t)s->tokens * width * sizeof *s->keys, 4);
    s->values = check_alloc((size_t)s->tokens * width * sizeof *s->values, 4);
    memset(s->pool, 0xff, s->page_bytes * s->page_count); /* NaN in floats and scales */
    for (uint32_t i = 0; i < s->page_count; i++)
        s->pages[i] = i;
    for (uint32_t i = s->page_count; i > 1; i--) {
        const uint32_t j = check_random_below(c, i), page = s->pages[j];
        s->pages[j] = s->pages[i - 1];
        s->pages[i - 1] = page;
    }
    for (size_t i = 0; i < (size_t)s->tokens * width; i++) {
        s->keys[i] = check_random_normal(c, s->key_deviation);
        s->values[i] = check_random_normal(c, 1);
    }
}

void check_sequence_destroy(check_sequence *s) {
    check_free(s->pool);
    check_free(s->pages);
    check_free(s->keys);
    check_free(s->values);
}

void check_sequence_write(const check_sequence *s, check_kv_write write, uint32_t first) {
    for (uint32_t t = first; t < s->tokens; t++) {
        for (uint32_t h = 0; h < s->layout.kv_heads; h++) {
            const tensor_kv_offsets offsets = tensor_kv_head_offsets(&s->layout, h);
            const size_t at = ((size_t)t * s->layout.kv_heads + h) * s->layout.head_size;
            unsigned char *page = s->pool + s->pages[t / s->layout.page_tokens] * s->page_bytes;
            write(&s->layout, &offsets, page + s->layer_offset, t % s->layout.page_tokens,
                  s->keys + at, s->values + at);
        }
    }
}

/* ------------------------------------------------------------ writing */

static void check_written(check *c, const check_sequence *s, const cpu_kernels *k) {
    const size_t bytes = s->page_bytes * s->page_count;
    unsigned char *expected = check_alloc(bytes, 0);
    memset(s->pool, 0xff, bytes);
    check_sequence_write(s, ref_kv_write, 0);
    memcpy(expected, s->pool, bytes);
    memset(s->pool, 0xff, bytes);
    check_sequence_write(s, k->kv_write, 0);
    check_that(c, check_guards(s->pool), "wrote outside of the pool");
    check_that(c, memcmp(expected, s->pool, bytes) == 0, "%s, head size %u: other bytes than ref",
               tensor_kv_type_name(s->layout.type), s->layout.head_size);
    check_free(expected);
}

/* Numbers that are hard to write, in one group each. */
static void spoil(check *c, check_sequence *s) {
    static const float HARD[] = {NAN,      -INFINITY, 1e30f, -8.4e6f,  65519,    65520,   6e-8f,
                                 -2.9e-8f, 1e-42f,    -0.0f, 7.56e-6f, 3.78e-6f, 8.32e6f, 1e-4f};
    const size_t count = (size_t)s->tokens * s->layout.kv_heads * s->layout.head_size;
    for (size_t i = 0; i < sizeof HARD / sizeof *HARD; i++) {
        const size_t at = check_random_below(c, (uint32_t)count);
        s->keys[at] = s->values[count - 1 - at] = HARD[i];
        for (size_t j = at; i >= 5 && j < count && j < at + 70; j++)
            s->keys[j] = HARD[i] * check_random_float(c, -1, 1);
    }
}

static void check_writes(check *c, const cpu_kernels *k, tensor_kv_type type) {
    for (unsigned i = 0; i < 12; i++) {
        check_sequence s = {.layout = {.type = type,
                                       .page_tokens = PICK(c, 16, 48),
                                       .kv_heads = PICK(c, 1, 3),
                                       .head_size = PICK(c, 1, 15, 16, 33, 64, 80, 128)},
                            .tokens = 1 + check_random_below(c, 60),
                            .key_deviation = check_random_below(c, 2) ? 1.0f : 1000.0f};
        check_sequence_create(c, &s);
        if (i % 2) spoil(c, &s);
        check_written(c, &s, k);
        check_sequence_destroy(&s);
    }
}

/* ------------------------------------------------------------ attention */

/* One case: rows of a sequence, all its kv heads. */
typedef struct attention_case {
    check_sequence s;
    uint32_t heads_per_kv, rows, window, first_seen;
    float scale, softcap;
    size_t stride;
    float *q, *out, *expected;
    void *work;
} attention_case;

static void run_tile(const attention_case *a, const cpu_kernels *k, float *out, uint32_t kv_head,
                     uint32_t row, uint32_t rows) {
    const size_t column = (size_t)kv_head * a->heads_per_kv * a->s.layout.head_size;
    const cpu_attention_tile tile = {.q = a->q + row * a->stride + column,
                                     .out = out + row * a->stride + column,
                                     .q_stride = a->stride,
                                     .out_stride = a->stride,
                                     .rows = rows,
                                     .first_position = a->s.tokens - a->rows + row,
                                     .heads_per_kv = a->heads_per_kv,
                                     .head_size = a->s.layout.head_size,
                                     .window = a->window,
                                     .scale = a->scale,
                                     .softcap = a->softcap,
                                     .layout = &a->s.layout,
                                     .offsets = tensor_kv_head_offsets(&a->s.layout, kv_head),
                                     .pool = a->s.pool + a->s.layer_offset,
                                     .page_bytes = a->s.page_bytes,
                                     .pages = a->s.pages};
    k->attention(&tile, a->work);
}

/* Rows cut into tiles of random sizes, or into whole ones. */
static void run_rows(check *c, const attention_case *a, const cpu_kernels *k, float *out,
                     bool random) {
    for (uint32_t h = 0; h < a->s.layout.kv_heads; h++) {
        for (uint32_t row = 0; row < a->rows;) {
            const uint32_t left = a->rows - row;
            const uint32_t most = cpu_attention_rows(a->heads_per_kv);
            const uint32_t whole = left < most ? left : most;
            const uint32_t rows = random ? 1 + check_random_below(c, whole) : whole;
            run_tile(a, k, out, h, row, rows);
            row += rows;
        }
    }
}

static void run_ref(const attention_case *a, uint32_t kv_head) {
    const size_t column = (size_t)kv_head * a->heads_per_kv * a->s.layout.head_size;
    const ref_attention_tile tile = {.q = a->q + column,
                                     .out = a->expected + column,
                                     .q_stride = a->stride,
                                     .out_stride = a->stride,
                                     .rows = a->rows,
                                     .first_position = a->s.tokens - a->rows,
                                     .heads_per_kv = a->heads_per_kv,
                                     .head_size = a->s.layout.head_size,
                                     .window = a->window,
                                     .scale = a->scale,
                                     .softcap = a->softcap,
                                     .layout = &a->s.layout,
                                     .offsets = tensor_kv_head_offsets(&a->s.layout, kv_head),
                                     .pool = a->s.pool + a->s.layer_offset,
                                     .page_bytes = a->s.page_bytes,
                                     .pages = a->s.pages};
    double work[512];
    ref_attention(&tile, work);
}

/* The most that row `row` of query head `head` may be off: each score by the rounding of its dot
 * product, each weight by that, exp's error and the rescaling, each sum by its additions. */
static double bound_of(const attention_case *a, uint32_t row, uint32_t head) {
    const uint32_t n = a->s.layout.head_size, width = a->s.layout.kv_heads * n;
    const uint32_t position = a->s.tokens - a->rows + row;
    const uint32_t first = a->window && a->window <= position ? position + 1 - a->window : 0;
    const float *q = a->q + row * a->stride + (size_t)head * n;
    double score = 0, value = 0;
    for (uint32_t t = first; t <= position; t++) {
        const size_t at = (size_t)t * width + (size_t)(head / a->heads_per_kv) * n;
        double dot = 0;
        for (uint32_t d = 0; d < n; d++) {
            dot += fabs((double)q[d] * a->s.keys[at + d]);
            value = fmax(value, fabs((double)a->s.values[at + d]));
        }
        score = fmax(score, dot * fabs(a->scale));
    }
    const double seen = position + 1 - first;
    const double score_units = 1.02 * score * (n + 4) + 8.0 * a->softcap;
    return 0x1p-24 * 1.02 * value * (2 * score_units + 2 * seen + 4 * (seen / 64) + 24);
}

static void compare_with_ref(check *c, const attention_case *a) {
    const uint32_t n = a->s.layout.head_size, heads = a->s.layout.kv_heads * a->heads_per_kv;
    for (uint32_t row = 0; row < a->rows; row++) {
        for (uint32_t h = 0; h < heads; h++) {
            const double bound = bound_of(a, row, h);
            double worst = 0;
            uint32_t worst_d = 0;
            for (uint32_t d = 0; d < n; d++) {
                const size_t at = row * a->stride + (size_t)h * n + d;
                const double off = fabs((double)a->out[at] - a->expected[at]);
                if (off > worst || isnan(off)) {
                    worst = off;
                    worst_d = d;
                }
            }
            check_that(c, worst <= bound, "%s row %u head %u element %u: off by %g, bound %g",
                       tensor_kv_type_name(a->s.layout.type), row, h, worst_d, worst, bound);
        }
    }
}

static void compare_bits(check *c, const attention_case *a, const float *got, const char *what) {
    const size_t columns = (size_t)a->s.layout.kv_heads * a->heads_per_kv * a->s.layout.head_size;
    bool same = true;
    for (uint32_t row = 0; row < a->rows; row++) {
        for (size_t i = 0; i < columns; i++)
            same = same && check_same_float(got[row * a->stride + i], a->out[row * a->stride + i]);
    }
    check_that(c, same, "%s, head size %u, %u heads, %u tokens, %u rows, window %u: other bits %s",
               tensor_kv_type_name(a->s.layout.type), a->s.layout.head_size, a->heads_per_kv,
               a->s.tokens, a->rows, a->window, what);
}

static void create_case(check *c, attention_case *a, tensor_kv_type type) {
    *a = (attention_case){
        .s = {.layout = {.type = type,
                         .page_tokens = PICK(c, 16, 32, 48, 256),
                         .kv_heads = PICK(c, 1, 2),
                         .head_size = PICK(c, 1, 8, 20, 32, 64, 65, 80, 96, 128, 192)},
              .key_deviation = 1},
        .heads_per_kv = PICK(c, 1, 1, 2, 3, 4, 5, 6, 7, 9),
        .rows = 1 + check_random_below(c, PICK(c, 8, 20, 60)),
        .window = PICK(c, 0, 0, 1, 5, 16, 17, 64, 100),
        .softcap = check_random_below(c, 3) ? 0 : 3.0f};
    const uint32_t n = a->s.layout.head_size;
    a->s.tokens = a->rows + check_random_below(c, PICK(c, 1, 40, 300));
    a->scale = check_random_float(c, 0.2f, 2) / sqrtf((float)n);
    a->stride = (size_t)a->s.layout.kv_heads * a->heads_per_kv * n + 3;
    check_sequence_create(c, &a->s);
    const size_t bytes = (a->rows * a->stride - 3) * sizeof(float);
    a->q = check_alloc(bytes, 4);
    a->out = check_alloc(bytes, 4);
    a->expected = check_alloc(bytes, 0);
    a->work = check_alloc((size_t)cpu_attention_work_bytes(a->heads_per_kv, n), WORK_OFFSET);
    for (size_t i = 0; i < bytes / sizeof(float); i++)
        a->q[i] = check_random_normal(c, 1);
    /* What no row sees stays NaN, pages of it are gone. */
    const uint32_t position = a->s.tokens - a->rows;
    a->first_seen = a->window && a->window <= position ? position + 1 - a->window : 0;
    check_sequence_write(&a->s, ref_kv_write, a->first_seen);
    for (uint32_t p = 0; p < a->first_seen / a->s.layout.page_tokens; p++)
        a->s.pages[p] = UINT32_MAX;
}

static void destroy_case(attention_case *a) {
    check_free(a->q);
    check_free(a->out);
    check_free(a->expected);
    check_free(a->work);
    check_sequence_destroy(&a->s);
}

/* Extremes: rows with NaN and infinities, keys whose scores overflow. The other rows go on. */
static void spoil_case(check *c, attention_case *a) {
    const size_t count = a->rows * a->stride - 3;
    const float hard[] = {NAN, INFINITY, 1e30f, -3e38f, 1e-40f};
    for (uint32_t i = 0; i < 1 + count / 400; i++)
        a->q[check_random_below(c, (uint32_t)count)] = hard[check_random_below(c, 5)];
    const uint32_t seen = a->s.tokens - a->first_seen;
    const size_t width = (size_t)a->s.layout.kv_heads * a->s.layout.head_size;
    for (uint32_t i = 0; i < 1 + seen / 50; i++) {
        const uint32_t t = a->first_seen + check_random_below(c, seen);
        a->s.keys[t * width + check_random_below(c, (uint32_t)width)] =
            hard[check_random_below(c, 5)];
    }
    for (size_t i = 0; i < width; i++)
        a->s.keys[a->first_seen * width + i] = 3e38f;
    check_sequence_write(&a->s, ref_kv_write, a->first_seen);
}

static void check_case_of(check *c, const cpu_kernels *k, const cpu_kernels *scalar,
                          tensor_kv_type type, bool extreme) {
    attention_case a;
    create_case(c, &a, type);
    if (extreme) spoil_case(c, &a);
    run_rows(c, &a, k, a.out, false);
    check_that(c, check_guards(a.out) && check_guards(a.work), "wrote past its rows or its work");
    for (uint32_t row = 0; row + 1 < a.rows; row++) {
        uint32_t gap;
        memcpy(&gap, a.out + (row + 1) * a.stride - 3, sizeof gap);
        check_that(c, gap == 0xa5a5a5a5u, "wrote between its rows");
    }
    for (uint32_t h = 0; !extreme && h < a.s.layout.kv_heads; h++)
        run_ref(&a, h);
    if (!extreme) compare_with_ref(c, &a);
    run_rows(c, &a, k, a.expected, true);
    compare_bits(c, &a, a.expected, "in other tiles");
    run_rows(c, &a, scalar, a.expected, true);
    compare_bits(c, &a, a.expected, "than scalar");
    memcpy(a.expected, a.q, (a.rows * a.stride - 3) * sizeof(float));
    float *q = a.q;
    a.q = a.expected;
    run_rows(c, &a, k, a.expected, false);
    a.q = q;
    compare_bits(c, &a, a.expected, "in place");
    destroy_case(&a);
}

void check_attention(check *c) {
    const cpu_kernels scalar = cpu_kernels_select(BASE_ISA_SCALAR);
    base_isa isa, last = BASE_ISA_COUNT;
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        const cpu_kernels k = cpu_kernels_select(isa);
        if (k.isa == last) continue;
        last = k.isa;
        for (tensor_kv_type type = TENSOR_KV_F16; type <= TENSOR_KV_F32; type++) {
            char name[64];
            snprintf(name, sizeof name, "kv_write_%s_%s", tensor_kv_type_name(type),
                     base_isa_name(k.isa));
            if (check_begin(c, name)) check_writes(c, &k, type);
            snprintf(name, sizeof name, "attention_%s_%s", tensor_kv_type_name(type),
                     base_isa_name(k.isa));
            if (!check_begin(c, name)) continue;
            for (unsigned n = 0; n < (c->quick ? 12u : CASES_A_TYPE); n++)
                check_case_of(c, &k, &scalar, type, n % 6 == 5);
        }
    }
}
