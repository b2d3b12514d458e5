"""Random models in float32: metadata and weights of each architecture, with names as llama.cpp has them.

Weights are scaled so that every part is visible in the logits (deviation about 1 to 3): norm weights 0.6 to 1.4, biases 0.3,
linear weights near 1/sqrt(in). Each tensor has its own generator, seeded by the model's seed text and the tensor's name, so
a variant that adds or drops a tensor keeps the others.
"""

from dataclasses import dataclass, field
import math
import zlib

import numpy as np
from gguf import GGUFValueType as T

SEED = 20240229


@dataclass
class TinyModel:
    """A model before encoding. metadata: (key, type, value[, element type]); tensors: (name, f32 array)."""
    architecture: str
    metadata: list = field(default_factory=list)
    tensors: list = field(default_factory=list)
    seed_text: str = ""

    def rng(self, name):
        """The generator of one tensor."""
        return np.random.default_rng([SEED, zlib.crc32(self.seed_text.encode()), zlib.crc32(name.encode())])

    def add_key(self, name, value):
        """`<architecture>.<name>`; its type follows from the value. None adds nothing."""
        if value is None:
            return
        key = f"{self.architecture}.{name}"
        if isinstance(value, list):
            self.metadata.append((key, T.ARRAY, value, T.BOOL if isinstance(value[0], bool) else T.UINT32))
        else:
            kinds = {bool: T.BOOL, int: T.UINT32, float: T.FLOAT32, str: T.STRING}
            self.metadata.append((key, kinds[type(value)], value))

    def add_linear(self, name, rows, columns, *, bias=False, gain=1.0):
        """name.weight [rows, columns] with deviation gain/sqrt(columns), perhaps name.bias [rows]."""
        weight = self.rng(name).standard_normal((rows, columns)) * (gain / math.sqrt(columns))
        self.tensors.append((name + ".weight", weight.astype(np.float32)))
        if bias:
            self.tensors.append((name + ".bias", (0.3 * self.rng(name + ".bias").standard_normal(rows)).astype(np.float32)))

    def add_norm(self, name, size, *, bias=False):
        """name.weight [size], uniform in 0.6..1.4, perhaps name.bias."""
        self.tensors.append((name + ".weight", self.rng(name).uniform(0.6, 1.4, size).astype(np.float32)))
        if bias:
            self.tensors.append((name + ".bias", (0.3 * self.rng(name + ".bias").standard_normal(size)).astype(np.float32)))

    def add_values(self, name, values):
        """A tensor of given values."""
        self.tensors.append((name, np.asarray(values, dtype=np.float32)))


@dataclass
class Shape:
    """Sizes of a tiny decoder; d hidden, H and K heads, e head size, f feed forward, L layers; r rotated dimensions."""
    d: int = 64
    H: int = 4
    K: int = 2
    e: int = 16
    f: int = 96
    L: int = 2
    r: int = 0  # 0: e, and no key
    context: int = 256


def build(architecture, shape, vocabulary, *, seed_text=None, keys=(), epsilon=1e-5, tied=False, split_bias="", fused_qkv=False,
          mlp_bias=False, omit=(), rope_tensors=()):
    """A TinyModel. vocabulary: (size, metadata). keys: more (name, value) pairs. split_bias: which of q, k, v, o have a bias.
    omit: names of standard keys to leave out, to test defaults. rope_tensors: (name, values) pairs."""
    model = TinyModel(architecture, seed_text=seed_text or architecture)
    size, tokenizer = vocabulary
    model.metadata.append(("general.name", T.STRING, "tiny " + model.seed_text))
    eps_name = "attention.layer_norm_epsilon" if architecture == "phi2" else "attention.layer_norm_rms_epsilon"
    standard = [
        ("context_length", shape.context), ("embedding_length", shape.d), ("block_count", shape.L), ("feed_forward_length", shape.f),
        ("attention.head_count", shape.H), ("attention.head_count_kv", shape.K), (eps_name, epsilon),
        ("rope.dimension_count", shape.r or None)]
    if shape.e != shape.d // shape.H:
        standard += [("attention.key_length", shape.e), ("attention.value_length", shape.e)]
    for name, value in [*standard, *keys]:
        if name not in omit:
            model.add_key(name, value)
    model.metadata += tokenizer

    model.add_linear("token_embd", size, shape.d, gain=2.0)  # logits of deviation 2 when tied
    for name, values in rope_tensors:
        model.add_values(name, values)
    for i in range(shape.L):
        layer = f"blk.{i}"
        _norms_before(model, layer, shape)
        _attention(model, layer, shape, split_bias, fused_qkv)
        _feed_forward(model, layer, shape, mlp_bias)
        if architecture in ("gemma2", "gemma3", "olmo2"):
            model.add_norm(f"{layer}.post_attention_norm", shape.d)
            model.add_norm(f"{layer}.post_ffw_norm", shape.d)
    model.add_norm("output_norm", shape.d, bias=architecture == "phi2")
    if not tied:
        model.add_linear("output", size, shape.d, gain=2.0, bias=architecture == "phi2")
    return model


def _norms_before(model, layer, shape):
    if model.architecture != "olmo2":
        model.add_norm(f"{layer}.attn_norm", shape.d, bias=model.architecture == "phi2")
    if model.architecture not in ("olmo2", "phi2"):
        model.add_norm(f"{layer}.ffn_norm", shape.d)


def _attention(model, layer, shape, split_bias, fused_qkv):
    q_rows, kv_rows = shape.H * shape.e, shape.K * shape.e
    if fused_qkv:
        model.add_linear(f"{layer}.attn_qkv", q_rows + 2 * kv_rows, shape.d, bias="q" in split_bias, gain=1.2)
    else:
        for part, rows in (("q", q_rows), ("k", kv_rows), ("v", kv_rows)):
            model.add_linear(f"{layer}.attn_{part}", rows, shape.d, bias=part in split_bias, gain=1.2)
    if model.architecture in ("qwen3", "gemma3"):
        model.add_norm(f"{layer}.attn_q_norm", shape.e)
        model.add_norm(f"{layer}.attn_k_norm", shape.e)
    if model.architecture == "olmo2":
        model.add_norm(f"{layer}.attn_q_norm", q_rows)
        model.add_norm(f"{layer}.attn_k_norm", kv_rows)
    model.add_linear(f"{layer}.attn_output", shape.d, q_rows, bias="o" in split_bias)


def _feed_forward(model, layer, shape, bias):
    if model.architecture == "phi2":
        model.add_linear(f"{layer}.ffn_up", shape.f, shape.d, bias=True, gain=1.2)
        model.add_linear(f"{layer}.ffn_down", shape.d, shape.f, bias=True, gain=1.2)
        return
    if model.architecture == "phi3":
        model.add_linear(f"{layer}.ffn_up", 2 * shape.f, shape.d, gain=1.2)
    else:
        model.add_linear(f"{layer}.ffn_gate", shape.f, shape.d, bias=bias, gain=1.2)
        model.add_linear(f"{layer}.ffn_up", shape.f, shape.d, bias=bias, gain=1.2)
    model.add_linear(f"{layer}.ffn_down", shape.d, shape.f, bias=bias, gain=1.2)
