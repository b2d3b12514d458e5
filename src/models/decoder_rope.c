/* Rotary embeddings. In: keys and rope tensors of the file. Out: nodes that compute cosines and
 * sines of position * frequency, in double, once for all layers that share them. */
#include <math.h>
#include <string.h>

#include "models/decoder_nodes.h"

#define MAX_HALF 32768u

static const double pi = 3.14159265358979323846;

/* cos or sin of the angles [B, S, r/2], times magnitude, as float. */
static graph_value_id add_trig(decoder *d, graph_op trig, graph_value_id angles, double magnitude,
                               const char *name) {
    graph_value_id x = decoder_unary(d, trig, angles, DECODER_GLOBAL, name);
    if (magnitude != 1) {
        graph_value_id m =
            decoder_constant(d, "rope_magnitude", TENSOR_ELEMENT_F64, (graph_shape){0}, &magnitude);
        x = decoder_binary(d, GRAPH_OP_MUL, x, m, DECODER_GLOBAL, name);
    }
    graph_node_id n = decoder_node(d, GRAPH_OP_CAST, DECODER_GLOBAL, name, &x, 1, 1);
    decoder_set_int(d, n, "to", TENSOR_ELEMENT_F32);
    return decoder_infer(d, n);
}

static decoder_rope add_rope(decoder *d, graph_value_id frequencies, double magnitude,
                             bool interleaved) {
    graph_node_id cast =
        decoder_node(d, GRAPH_OP_CAST, DECODER_GLOBAL, "rope_position", &d->positions, 1, 1);
    decoder_set_int(d, cast, "to", TENSOR_ELEMENT_F64);
    const int64_t axis = 2;
    graph_value_id axes =
        decoder_constant(d, "rope_axes", TENSOR_ELEMENT_I64, graph_shape_1(1), &axis);
    graph_value_id p = decoder_infer(d, cast);
    p = decoder_binary(d, GRAPH_OP_UNSQUEEZE, p, axes, DECODER_GLOBAL, "rope_position");
    p = decoder_binary(d, GRAPH_OP_MUL, p, frequencies, DECODER_GLOBAL, "rope_angle");
    return (decoder_rope){.cosines = add_trig(d, GRAPH_OP_COS, p, magnitude, "rope_cos"),
                          .sines = add_trig(d, GRAPH_OP_SIN, p, magnitude, "rope_sin"),
                          .rotated = d->rotated,
                          .interleaved = interleaved};
}

static graph_value_id add_frequencies(decoder *d, const double *frequencies, const char *name) {
    return decoder_constant(d, name, TENSOR_ELEMENT_F64, graph_shape_1(d->rotated / 2),
                            frequencies);
}

/* base^(-2j/r), RoFormer (Su et al. 2021), section 3.2.2; NULL with a sticky fault. In the arena.
 */
static double *plain_frequencies(decoder *d, double base) {
    uint32_t half = d->rotated / 2;
    if (d->status != ONDOL_OK) return NULL;
    if (half > MAX_HALF || !(base > 0) || !isfinite(base)) {
        d->status =
            base_fail(d->err, ONDOL_E_FORMAT, "'%s': rotary base %g", d->architecture, base);
        return NULL;
    }
    double *f = base_arena_alloc(&d->g->arena, half ? half : 1, sizeof *f);
    if (!f) d->status = base_no_memory(d->err, "rope", half * sizeof *f);
    for (uint32_t j = 0; f && j < half; j++)
        f[j] = pow(base, -2.0 * j / d->rotated);
    return f;
}

decoder_rope decoder_plain_rope(decoder *d, double base, bool interleaved) {
    double *f = plain_frequencies(d, base);
    if (!f) return (decoder_rope){GRAPH_NONE, GRAPH_NONE, 0, false};
    return add_rope(d, add_frequencies(d, f, "rope_local_frequencies"), 1, interleaved);
}

/* Divides each frequency by the factors of a tensor f32 [r/2]. */
static void divide_by(decoder *d, double *f, const char *tensor) {
    graph_value_id v = decoder_vector(d, DECODER_GLOBAL, tensor, d->rotated / 2, false);
    if (d->status != ONDOL_OK) return;
    const float *factors = d->g->values[v].data;
    for (uint32_t j = 0; j < d->rotated / 2; j++)
        f[j] /= (double)factors[j];
}

typedef struct yarn {
    double factor, original, fast, slow;
} yarn;

/* The dimension that turns `turns` times within the original length. */
static double yarn_dimension(const decoder *d, double base, double original, double turns) {
    return d->rotated * log(original / (turns * 2 * pi)) / (2 * log(base));
}

/* YaRN (Peng et al. 2023, arXiv:2309.00071), section 3.2: a dimension that turns more than `fast`
 * times in the original length is kept, less than `slow` divided by factor, linear in between. */
static void apply_yarn(const decoder *d, double *f, double base, const yarn *y) {
    double low = fmax(0, floor(yarn_dimension(d, base, y->original, y->fast)));
    double high = fmin(d->rotated - 1.0, ceil(yarn_dimension(d, base, y->original, y->slow)));
    for (uint32_t j = 0; j < d->rotated / 2; j++) {
        double ramp = (j - low) / fmax(0.001, high - low);
        double kept = 1 - fmin(1, fmax(0, ramp));
        f[j] = f[j] / y->factor * (1 - kept) + f[j] * kept;
    }
}

static double original_length(decoder *d) {
    return decoder_key_f64(d, "rope.scaling.original_context_length", d->context);
}

/* LongRoPE (Ding et al. 2024, arXiv:2402.13753) as Phi-3 uses it: long factors when the whole
 * sequence is longer than the original context, short ones otherwise. */
static decoder_rope longrope(decoder *d, double base, double magnitude, bool interleaved) {
    static const char *const names[2] = {"rope_factors_short.weight", "rope_factors_long.weight"};
    graph_value_id sets[2] = {GRAPH_NONE, GRAPH_NONE};
    for (int i = 0; i < 2; i++) {
        double *f = plain_frequencies(d, base);
        if (f) divide_by(d, f, names[i]);
        if (f) sets[i] = add_frequencies(d, f, names[i]);
    }
    double limit = original_length(d);
    if (d->status == ONDOL_OK && !(limit >= 1 && limit < INT32_MAX)) {
        d->status = base_fail(d->err, ONDOL_E_FORMAT, "'%s': original context length %g",
                              d->architecture, limit);
    }
    if (d->status != ONDOL_OK) return (decoder_rope){GRAPH_NONE, GRAPH_NONE, 0, false};
    int32_t threshold = (int32_t)limit;
    graph_value_id c =
        decoder_constant(d, "original_context", TENSOR_ELEMENT_I32, (graph_shape){0}, &threshold);
    graph_value_id past =
        decoder_binary(d, GRAPH_OP_GREATER, d->total, c, DECODER_GLOBAL, "rope_is_long");
    graph_value_id inputs[3] = {past, sets[1], sets[0]};
    graph_value_id f = decoder_infer(
        d, decoder_node(d, GRAPH_OP_WHERE, DECODER_GLOBAL, "rope_factors", inputs, 3, 1));
    return add_rope(d, f, magnitude, interleaved);
}

/* A kind of scaling that is not known would give wrong positions without a word. */
static void check_scaling_type(decoder *d) {
    static const char *const known[] = {"none", "linear", "yarn", "longrope"};
    const gguf_value *type = decoder_key(d, "rope.scaling.type");
    gguf_string s;
    if (!type) return;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (decoder_key_equals(d, "rope.scaling.type", known[i])) return;
    }
    if (!gguf_value_string(type, &s)) {
        d->status = base_fail(d->err, ONDOL_E_FORMAT,
                              "key '%s.rope.scaling.type': expected a string, got %s",
                              d->architecture, gguf_type_name(type->type));
        return;
    }
    int shown = s.size_bytes < 64 ? (int)s.size_bytes : 64;
    d->status = base_fail(d->err, ONDOL_E_UNSUPPORTED,
                          "key '%s.rope.scaling.type': '%.*s' is not known; known are none, "
                          "linear, yarn, longrope",
                          d->architecture, shown, s.text);
}

decoder_rope decoder_model_rope(decoder *d, bool interleaved) {
    check_scaling_type(d);
    double base = decoder_key_f64(d, "rope.freq_base", 10000);
    double factor =
        decoder_key_f64(d, "rope.scaling.factor", decoder_key_f64(d, "rope.scale_linear", 0));
    double magnitude = decoder_key_f64(d, "rope.scaling.attn_factor", 1);
    bool linear = !decoder_key(d, "rope.scaling.type") ||
                  decoder_key_equals(d, "rope.scaling.type", "linear");
    bool is_phi3 = strcmp(d->architecture, "phi3") == 0;
    if (factor == 0) factor = 1;
    if (decoder_has(d, DECODER_GLOBAL, "rope_factors_long.weight") &&
        (is_phi3 || decoder_key_equals(d, "rope.scaling.type", "longrope"))) {
        return longrope(d, base, magnitude, interleaved);
    }
    double *f = plain_frequencies(d, base);
    if (!f) return (decoder_rope){GRAPH_NONE, GRAPH_NONE, 0, false};
    if (strcmp(d->architecture, "llama") == 0 &&
        decoder_has(d, DECODER_GLOBAL, "rope_freqs.weight")) {
        divide_by(d, f, "rope_freqs.weight");
    }
    if (decoder_key_equals(d, "rope.scaling.type", "yarn")) {
        yarn y = {factor, original_length(d), decoder_key_f64(d, "rope.scaling.yarn_beta_fast", 32),
                  decoder_key_f64(d, "rope.scaling.yarn_beta_slow", 1)};
        apply_yarn(d, f, base, &y);
        magnitude *= 1 + 0.1 * log(factor);
    } else if (linear) {
        for (uint32_t j = 0; j < d->rotated / 2; j++)
            f[j] /= factor;
    }
    return add_rope(d, add_frequencies(d, f, "rope_frequencies"), magnitude, interleaved);
}
