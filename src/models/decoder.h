/* Building blocks of decoders: an architecture's file is a loop over these. They read keys and
 * tensors of a GGUF file and add portable nodes to a graph.
 *
 * Errors are sticky: the first fault is kept in `status` (its sentence in `err`), and every later
 * call does nothing and gives GRAPH_NONE, so that an architecture reads as its formula.
 *
 * Letters: B batch, S sequence, d hidden, H heads, K key/value heads, e head size, f feed forward,
 * V vocabulary, r rotated dimensions. Tensor names are llama.cpp's. */
#ifndef MODELS_DECODER_H
#define MODELS_DECODER_H

#include "formats/gguf/gguf_file.h"
#include "graph/graph.h"

#define DECODER_GLOBAL (-1) /* as layer: a tensor outside of the layers */

/* Limits on what a file may ask for; far above any model. */
#define DECODER_MAX_LAYERS  4096u
#define DECODER_MAX_HIDDEN  (1u << 20)
#define DECODER_MAX_CONTEXT (1u << 30)

typedef struct decoder {
    gguf_file *file;
    const char *architecture;
    graph *g;
    ondol_status status;
    ondol_error *err;
    uint32_t layers, hidden, heads, kv_heads, head_size, rotated, feed_forward, vocabulary, context;
    float epsilon;
    graph_value_id ids, positions, lengths, total; /* graph inputs */
    graph_dim batch, sequence, past;
    uint32_t cache_layers;    /* attention layers so far */
    graph_value_id *presents; /* [2 * layers], in the graph's arena */
} decoder;

/* cos and sin [B, S, r/2] of a rotary embedding. */
typedef struct decoder_rope {
    graph_value_id cosines, sines;
    uint32_t rotated;
    bool interleaved; /* pairs (2j, 2j+1), as in RoFormer; else (j, j + r/2), as in GPT-NeoX */
} decoder_rope;

typedef enum decoder_qk_norm {
    DECODER_QK_NONE,
    DECODER_QK_HEADS, /* RMS norm of each head of q and of k (Qwen 3, Gemma 3) */
    DECODER_QK_WHOLE  /* one RMS norm over all of q, one over all of k (OLMo 2) */
} decoder_qk_norm;

typedef struct decoder_attention {
    const decoder_rope *rope; /* NULL: no position embedding */
    uint32_t window;          /* keys that a token sees, itself included; 0: all */
    double scale;             /* 0: 1/sqrt(e) */
    double softcap;           /* 0: none */
    decoder_qk_norm qk_norm;
} decoder_attention;

typedef enum decoder_activation { DECODER_SILU, DECODER_GELU_TANH } decoder_activation;

/* Reads the sizes that all architectures share and adds the graph's inputs. epsilon_key: the key
 * without its architecture. */
void decoder_begin(decoder *d, const char *epsilon_key);

/* Keys "ARCH.name", by value. A missing one gives `otherwise`; the _required ones fail. */
uint32_t decoder_key_u32(decoder *d, const char *name, uint32_t otherwise);
uint32_t decoder_key_u32_required(decoder *d, const char *name);
double decoder_key_f64(decoder *d, const char *name, double otherwise);
bool decoder_key_equals(decoder *d, const char *name, const char *text);
const gguf_value *decoder_key(decoder *d, const char *name); /* NULL: missing */

/* True when the file has tensor blk.LAYER.name (or `name` for DECODER_GLOBAL). */
bool decoder_has(decoder *d, int layer, const char *name);

/* The matrix [rows, columns] of that name. rows 0: any. */
graph_value_id decoder_matrix(decoder *d, int layer, const char *name, uint64_t rows,
                              uint64_t columns);
/* The vector f32 [n] of that name, decoded; optional: GRAPH_NONE without a fault. */
graph_value_id decoder_vector(decoder *d, int layer, const char *name, uint64_t n, bool optional);

/* token_embd[ids], times scale: [B, S, d]. Sets d->vocabulary. */
graph_value_id decoder_embed(decoder *d, double scale);

/* x [B, S, in] -> [B, S, out] through NAME.weight [out, in] and, where there is one, NAME.bias. */
graph_value_id decoder_linear(decoder *d, graph_value_id x, int layer, const char *name,
                              uint64_t in, uint64_t out);

graph_value_id decoder_rms_norm(decoder *d, graph_value_id x, int layer, const char *name);
/* NAME.weight and, where there is one, NAME.bias. */
graph_value_id decoder_layer_norm(decoder *d, graph_value_id x, int layer, const char *name);

graph_value_id decoder_add(decoder *d, graph_value_id a, graph_value_id b, int layer,
                           const char *name);
/* cap * tanh(x / cap); cap 0: x. */
graph_value_id decoder_softcap(decoder *d, graph_value_id x, double cap);

/* The rotary embedding that the file's keys and rope tensors ask for: linear, YaRN, LongRoPE, or
 * Llama 3's frequencies. */
decoder_rope decoder_model_rope(decoder *d, bool interleaved);
/* base^(-2j/r), unscaled. */
decoder_rope decoder_plain_rope(decoder *d, double base, bool interleaved);

/* x [B, S, d] (normed) -> [B, S, d]: projections, rope, cache, attention, output projection. */
graph_value_id decoder_self_attention(decoder *d, graph_value_id x, int layer,
                                      const decoder_attention *options);

/* down(activation(gate(x)) * up(x)); ffn_up holds gate and up when ffn_gate is absent. */
graph_value_id decoder_gated_mlp(decoder *d, graph_value_id x, int layer,
                                 decoder_activation activation);
/* down(gelu(up(x))) */
graph_value_id decoder_plain_mlp(decoder *d, graph_value_id x, int layer);

/* Which layers have the sliding window: key attention.sliding_window_pattern, booleans or a period
 * of which the last is full (0: none is full); `period` when it is absent. */
bool decoder_layer_has_window(decoder *d, uint32_t layer, uint32_t period);

/* Adds the outputs: hidden_states = x (normed), logits = output(x), softcapped, presents. Tied to
 * the embedding when output.weight is absent or always_tied. */
void decoder_finish(decoder *d, graph_value_id x, bool always_tied, double logit_cap);

/* One function for each row of architectures.def. */
typedef void (*models_build)(decoder *d);
#define ARCHITECTURE(name, build) void build(decoder *d);
#include "models/architectures.def"
#undef ARCHITECTURE

#endif
