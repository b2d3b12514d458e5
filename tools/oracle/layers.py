"""The parts that architectures share, in float64: norms, rotary embedding, attention, feed forward.

Letters: n tokens, d hidden, H query heads, K key/value heads, e head size, f feed forward, r rotated dimensions.
"""

from dataclasses import dataclass
import math

import numpy as np


# ---------------------------------------------------------------- element-wise

def silu(x):
    """x * sigmoid(x). Elfwing et al. 2017 (arXiv:1702.03118)."""
    return x * sigmoid(x)


def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow for large negative x."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def gelu_tanh(x):
    """The tanh approximation of GELU. Hendrycks & Gimpel 2016 (arXiv:1606.08415), section 2."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def softcap(x, cap):
    """Squeeze x into (-cap, cap). Gemma 2 report (arXiv:2408.00118), section 2. None or 0 leaves x."""
    return cap * np.tanh(x / cap) if cap else x


def softmax(x):
    """Over the last axis; -inf entries get exactly 0."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------- norms and linear layers

def rms_norm(x, weight, epsilon):
    """x [..., d], weight [d]. Zhang & Sennrich 2019 (arXiv:1910.07467), equation 4; epsilon is added to the mean square."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon) * weight


def layer_norm(x, weight, bias, epsilon):
    """x [..., d]. Ba et al. 2016 (arXiv:1607.06450), equation 4; the variance is the biased one."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred * centred).mean(axis=-1, keepdims=True)
    return centred / np.sqrt(variance + epsilon) * weight + (0 if bias is None else bias)


def linear(model, name, x):
    """x [n, in] -> [n, out] through `name.weight` [out, in] and, where the file has one, `name.bias` [out]."""
    y = x @ model.weight(name + ".weight").T
    bias = model.optional(name + ".bias")
    return y if bias is None else y + bias


# ---------------------------------------------------------------- sizes

@dataclass
class Sizes:
    """The sizes that every decoder here has; see the table in README.md for keys and defaults."""
    n_layers: int
    hidden: int
    n_heads: int
    n_kv_heads: int
    head_size: int
    rotated: int
    feed_forward: int


def read_sizes(model):
    """Metadata -> Sizes. Only one head count and one feed forward size for all layers is supported."""
    hidden, n_heads = int(model.key("embedding_length")), int(model.key("attention.head_count"))
    head_size = int(model.key("attention.key_length", hidden // n_heads))
    if int(model.key("attention.value_length", hidden // n_heads)) != head_size:
        raise ValueError("heads of K and of V differ in size")
    return Sizes(
        n_layers=int(model.key("block_count")), hidden=hidden, n_heads=n_heads,
        n_kv_heads=int(model.key("attention.head_count_kv", n_heads)), head_size=head_size,
        rotated=int(model.key("rope.dimension_count", head_size)), feed_forward=int(model.key("feed_forward_length")))


# ---------------------------------------------------------------- rotary position embedding

@dataclass
class Rope:
    """cos, sin [n, r/2], with the magnitude already in them, and how dimensions are paired."""
    cos: np.ndarray
    sin: np.ndarray
    interleaved: bool

    def rotate(self, x):
        """x [n, heads, e] -> same. RoFormer (arXiv:2104.09864), equation 34; dimensions >= r pass unchanged.

        interleaved: pairs (2j, 2j+1), as in the paper. Otherwise (j, j + r/2), as in GPT-NeoX."""
        half = self.cos.shape[1]
        y = x.copy()
        first, second = (slice(0, 2 * half, 2), slice(1, 2 * half, 2)) if self.interleaved \
            else (slice(0, half), slice(half, 2 * half))
        a, b, cos, sin = x[..., first], x[..., second], self.cos[:, None, :], self.sin[:, None, :]
        y[..., first], y[..., second] = a * cos - b * sin, a * sin + b * cos
        return y


def make_rope(n, rotated, base, *, interleaved, scale=1.0, factors=None, magnitude=1.0, yarn=None):
    """Angles for positions 0..n-1: position / scale * base^(-2j/r) / factors[j]; cos and sin times magnitude.

    factors [r/2] is the content of rope_freqs.weight or of a LongRoPE tensor. yarn: see yarn_frequencies."""
    frequencies = base ** (-2.0 * np.arange(rotated // 2) / rotated)
    if factors is not None:
        frequencies = frequencies / factors
    if yarn is not None:
        frequencies, magnitude = yarn_frequencies(frequencies, base, yarn, magnitude)
    else:
        frequencies = frequencies / scale
    angles = np.arange(n)[:, None] * frequencies[None, :]
    return Rope(np.cos(angles) * magnitude, np.sin(angles) * magnitude, interleaved)


def yarn_frequencies(frequencies, base, yarn, magnitude):
    """YaRN (arXiv:2309.00071), section 3.2 "NTK-by-parts" and equation 22, on frequencies [r/2].

    yarn: dict of factor, original_length, beta_fast (32), beta_slow (1). A dimension that turns more than beta_fast times in
    the original length is kept, one that turns less than beta_slow times is divided by factor, linear in j in between.
    As in YaRN's published code the two limits are rounded outwards to whole dimensions."""
    r = 2 * len(frequencies)

    def dimension(turns):
        return r * math.log(yarn["original_length"] / (turns * 2 * math.pi)) / (2 * math.log(base))

    low = max(0, math.floor(dimension(yarn["beta_fast"])))
    high = min(r - 1, math.ceil(dimension(yarn["beta_slow"])))
    kept = 1 - np.clip((np.arange(r // 2) - low) / max(0.001, high - low), 0, 1)
    mixed = frequencies / yarn["factor"] * (1 - kept) + frequencies * kept
    return mixed, magnitude * (1 + 0.1 * math.log(yarn["factor"]))


def model_rope(model, sizes, n, *, interleaved):
    """The rope that the file's metadata and rope tensors ask for, for a whole sequence of n tokens."""
    kind = model.key("rope.scaling.type", "linear")
    factor = float(model.key("rope.scaling.factor", model.key("rope.scale_linear", 0.0))) or 1.0
    return make_rope(
        n, sizes.rotated, float(model.key("rope.freq_base", 10000.0)), interleaved=interleaved,
        scale=factor if kind == "linear" else 1.0,
        factors=rope_factors(model, n, kind),
        magnitude=float(model.key("rope.scaling.attn_factor", 1.0)),
        yarn=None if kind != "yarn" else {
            "factor": factor, "original_length": original_length(model),
            "beta_fast": float(model.key("rope.scaling.yarn_beta_fast", 32.0)),
            "beta_slow": float(model.key("rope.scaling.yarn_beta_slow", 1.0))})


def original_length(model):
    """The context length before LongRoPE or YaRN stretched it, in tokens."""
    return int(model.key("rope.scaling.original_context_length", model.key("context_length", 0)))


def rope_factors(model, n, kind):
    """[r/2] or None. Llama 3: rope_freqs. LongRoPE (arXiv:2402.13753), as Phi-3's model card uses it: long factors iff n
    exceeds the original length, for the whole sequence."""
    longrope = model.architecture == "phi3" or kind == "longrope"
    if longrope:
        return model.optional("rope_factors_long.weight" if n > original_length(model) else "rope_factors_short.weight")
    return model.optional("rope_freqs.weight") if model.architecture == "llama" else None


# ---------------------------------------------------------------- attention

def causal_mask(n, window=None):
    """bool [n, n], true where query q (row) sees key k (column): k <= q and, with a window, q - k < window."""
    distance = np.arange(n)[:, None] - np.arange(n)[None, :]
    return (distance >= 0) & (distance < window) if window else distance >= 0


def project_qkv(model, layer, sizes, x):
    """x [n, d] -> q [n, H*e], k [n, K*e], v [n, K*e], from three weights or from one fused as rows Q, K, V; biases optional."""
    if not model.has(f"{layer}.attn_qkv.weight"):
        return tuple(linear(model, f"{layer}.attn_{part}", x) for part in "qkv")
    q_rows, kv_rows = sizes.n_heads * sizes.head_size, sizes.n_kv_heads * sizes.head_size
    fused = linear(model, f"{layer}.attn_qkv", x)
    if not model.has(f"{layer}.attn_qkv.bias") and model.has(f"{layer}.attn_q.bias"):
        fused = fused + np.concatenate([model.weight(f"{layer}.attn_{part}.bias") for part in "qkv"])
    return np.split(fused, [q_rows, q_rows + kv_rows], axis=1)


def split_heads(x, head_size):
    """[n, heads*e] -> [n, heads, e]."""
    return x.reshape(x.shape[0], -1, head_size)


def attend(q, k, v, mask, scale, cap=None):
    """q [n, H, e], k and v [n, K, e], mask bool [n, n] -> [n, H*e].

    Vaswani et al. 2017 (arXiv:1706.03762), equation 1; grouped queries (arXiv:2305.13245): head h reads key head h // (H/K)."""
    n, n_heads, head_size = q.shape
    group = n_heads // k.shape[1]
    out = np.empty_like(q)
    for h in range(n_heads):
        scores = softcap(q[:, h] @ k[:, h // group].T * scale, cap)
        out[:, h] = softmax(np.where(mask, scores, -np.inf)) @ v[:, h // group]
    return out.reshape(n, n_heads * head_size)


def self_attention(model, layer, sizes, x, *, rope, mask, scale=None, cap=None, qk_norm_epsilon=None):
    """x [n, d] (already normed) -> [n, d], output projection included.

    rope None: no position embedding. qk_norm_epsilon: RMS norm of every head of q and k, before rope (Qwen 3, Gemma 3)."""
    q, k, v = (split_heads(part, sizes.head_size) for part in project_qkv(model, layer, sizes, x))
    if qk_norm_epsilon is not None:
        q = rms_norm(q, model.weight(f"{layer}.attn_q_norm.weight"), qk_norm_epsilon)
        k = rms_norm(k, model.weight(f"{layer}.attn_k_norm.weight"), qk_norm_epsilon)
    if rope is not None:
        q, k = rope.rotate(q), rope.rotate(k)
    scale = 1 / math.sqrt(sizes.head_size) if scale is None else scale
    return linear(model, f"{layer}.attn_output", attend(q, k, v, mask, scale, cap))


# ---------------------------------------------------------------- feed forward and ends

def gated_mlp(model, layer, x, activation):
    """down(activation(gate(x)) * up(x)). Shazeer 2020 (arXiv:2002.05202), equation 6 (with SiLU: SwiGLU)."""
    return linear(model, f"{layer}.ffn_down",
                  activation(linear(model, f"{layer}.ffn_gate", x)) * linear(model, f"{layer}.ffn_up", x))


def embed(model, ids):
    """ids [n] -> [n, d]."""
    return model.weight("token_embd.weight")[np.asarray(ids)]


def output_logits(model, x, *, always_tied=False):
    """x [n, d] (after the final norm) -> [n, V]; tied to the embedding where the file has no output weight."""
    tied = always_tied or not model.has("output.weight")
    if tied:
        return x @ model.weight("token_embd.weight").T
    return linear(model, "output", x)


def window_layers(model, n_layers, period):
    """bool [L]: which layers have the sliding window. Key attention.sliding_window_pattern: booleans for each layer, or a
    period p, where the last of every p layers is full (p = 0: none is)."""
    pattern = model.key("attention.sliding_window_pattern", period)
    if isinstance(pattern, (list, tuple)):
        return [bool(local) for local in pattern]
    return [pattern == 0 or i % pattern < pattern - 1 for i in range(n_layers)]
