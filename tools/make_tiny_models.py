#!/usr/bin/env python3
"""Writes tiny random GGUF models: every architecture, its options, every encoding of weights, every version of the container.

  make_tiny_models.py OUTDIR [--only NAME]... [--list]

The bytes depend on nothing but this code and the versions in tools/requirements.txt. Each file is below 2 MB and carries a
small tokenizer that works, so the program can run it with text. Answers come from tools/oracle/oracle.py.
"""

import argparse
import logging
import math
from pathlib import Path
import sys

import numpy as np
from gguf import GGMLQuantizationType as Type, GGUFValueType as T, quants

sys.path.insert(0, str(Path(__file__).resolve().parent))
from ggml_blocks import LAYOUTS, block_sizes, random_blocks  # noqa: E402
from tiny import container  # noqa: E402
from tiny.architectures import Shape, build  # noqa: E402
from tiny.vocabulary import byte_level_bpe, sentencepiece  # noqa: E402

TERNARY = (Type.TQ1_0, Type.TQ2_0)
QUANTISERS = (Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.MXFP4)
WIDE = Shape(d=256, H=4, K=2, e=64, f=512, L=2)  # k-quants need rows of 256


# ---------------------------------------------------------------- recipes: name -> TinyModel

def llama(**options):
    """The plain one, and the base of its variants: the same seed, so the same weights where shapes agree."""
    options.setdefault("vocabulary", sentencepiece())
    return build("llama", options.pop("shape", Shape()), seed_text="llama", **options)


def llama3_factors(r, factor=8.0, low=1.0, high=4.0, original=64, base=500000.0):
    """rope_freqs.weight as converters compute it from Llama 3's rope scaling."""
    out = []
    for j in range(r // 2):
        turns = original * base ** (-2 * j / r) / (2 * math.pi)  # in the original context
        blend = min(max((turns - low) / (high - low), 0.0), 1.0)
        out.append(1.0 / (blend + (1.0 - blend) / factor))
    return out


def longrope(r, original, context):
    """Keys and tensors of LongRoPE, with factors of the size that Phi-3 has."""
    stretch = math.log(context / original) / math.log(original)
    tensors = [("rope_factors_long.weight", np.linspace(1.1, 12.0, r // 2)), ("rope_factors_short.weight", np.linspace(1.0, 2.5, r // 2))]
    return [("rope.scaling.type", "longrope"), ("rope.scaling.original_context_length", original),
            ("rope.scaling.attn_factor", math.sqrt(1 + stretch))], tensors


def phi3(name, **options):
    options = {"fused_qkv": True, "vocabulary": sentencepiece(), "shape": Shape(K=4, r=16), **options}
    return build("phi3", seed_text=name, **options)


def phi3_longrope(original, context):
    keys, tensors = longrope(16, original, context)
    return phi3("phi3-longrope", shape=Shape(K=4, r=16, context=context), keys=keys, rope_tensors=tensors)


def phi4_mini():
    keys, tensors = longrope(12, original=24, context=256)
    return phi3("phi4-mini", shape=Shape(K=2, r=12), tied=True, keys=[*keys, ("attention.sliding_window", 262144)],
                rope_tensors=tensors, vocabulary=byte_level_bpe(pre="gpt-4o"))


def gemma(architecture, name, shape, keys=(), **options):
    options = {"tied": True, "epsilon": 1e-6, "vocabulary": sentencepiece(space_prefix=False), **options}
    return build(architecture, shape, seed_text=name, keys=keys, **options)


YARN = [("rope.scaling.type", "yarn"), ("rope.scaling.factor", 4.0), ("rope.scaling.original_context_length", 64)]
LINEAR = [("rope.scaling.type", "linear"), ("rope.scaling.factor", 4.0)]
QWEN_BPE = lambda: byte_level_bpe(pre="qwen2")  # noqa: E731
GEMMA_WIDE_HEADS = Shape(H=4, K=1, e=24)
CAPS = [("attn_logit_softcapping", 5.0), ("final_logit_softcapping", 6.0)]
NARROW_27B = {"d": 32, "H": 4, "K": 2, "e": 16, "f": 32}  # d/H != e, many layers

RECIPES = {
    "llama": lambda: llama(),
    "llama-tied": lambda: llama(tied=True, vocabulary=byte_level_bpe()),
    "llama-mha": lambda: llama(shape=Shape(K=4), omit=("attention.head_count_kv",)),
    "llama-mqa": lambda: llama(shape=Shape(H=8, K=1, e=8)),
    "llama-gqa3": lambda: llama(shape=Shape(d=96, H=6, K=2)),
    "llama-headdim": lambda: llama(shape=Shape(e=24)),  # as Mistral Nemo
    "llama-bias": lambda: llama(split_bias="qkvo", mlp_bias=True),
    "llama-fused-qkv": lambda: llama(fused_qkv=True, split_bias="qkv"),
    "llama-rope-freqs": lambda: llama(vocabulary=byte_level_bpe(pre="llama-bpe"), keys=[("rope.freq_base", 500000.0)],
                                      rope_tensors=[("rope_freqs.weight", llama3_factors(16))]),
    "llama-rope-linear": lambda: llama(keys=LINEAR),
    "llama-rope-yarn": lambda: llama(keys=YARN),
    "phi2": lambda: build("phi2", Shape(K=4, r=6, f=128), byte_level_bpe(pre="gpt-2", template=None), split_bias="qkvo", fused_qkv=True),
    "phi2-split": lambda: build("phi2", Shape(K=4, r=6, f=128), byte_level_bpe(pre="gpt-2", template=None), split_bias="qkvo"),
    "phi3": lambda: phi3("phi3"),
    "phi3-window": lambda: phi3("phi3-window", keys=[("attention.sliding_window", 9)]),
    "phi3-longrope": lambda: phi3_longrope(24, 256),  # a test crosses 24
    "phi3-longrope-short": lambda: phi3_longrope(512, 4096),
    "phi4-mini": phi4_mini,
    "qwen2": lambda: build("qwen2", Shape(), QWEN_BPE(), tied=True, split_bias="qkv", epsilon=1e-6, keys=[("rope.freq_base", 1e6)]),
    "qwen2-untied": lambda: build("qwen2", Shape(H=8, K=2, e=8), QWEN_BPE(), split_bias="qkv", keys=[("rope.freq_base", 1e6)]),
    "qwen2-yarn": lambda: build("qwen2", Shape(), QWEN_BPE(), tied=True, split_bias="qkv", keys=YARN),
    "qwen3": lambda: build("qwen3", Shape(e=24), QWEN_BPE(), epsilon=1e-6, keys=[("rope.freq_base", 1e6)]),
    "qwen3-tied": lambda: build("qwen3", Shape(e=32, H=4, K=1), QWEN_BPE(), tied=True, epsilon=1e-6, keys=[("rope.freq_base", 1e6)]),
    "gemma": lambda: gemma("gemma", "gemma", GEMMA_WIDE_HEADS),
    "gemma2": lambda: gemma("gemma2", "gemma2", Shape(e=24, L=4), [*CAPS, ("attention.sliding_window", 6)]),
    "gemma2-defaults": lambda: gemma("gemma2", "gemma2-defaults", Shape(e=24)),
    "gemma2-27b": lambda: gemma("gemma2", "gemma2-27b", Shape(L=46, **NARROW_27B), [*CAPS, ("attention.sliding_window", 6)]),
    "gemma3": lambda: gemma("gemma3", "gemma3", Shape(e=24, L=7), [("attention.sliding_window", 6), ("rope.freq_base", 1e6),
                            ("rope.scaling.type", "linear"), ("rope.scaling.factor", 8.0)]),
    "gemma3-full": lambda: gemma("gemma3", "gemma3-full", Shape(e=24), [("rope.freq_base", 1e6), ("final_logit_softcapping", 6.0)]),
    "gemma3-pattern": lambda: gemma("gemma3", "gemma3-pattern", Shape(e=24, L=3), tied=False, keys=[("rope.freq_base", 1e6),
                                    ("attention.sliding_window", 6), ("attention.sliding_window_pattern", [False, True, False]),
                                    ("rope.freq_base_swa", 5000.0)]),
    "gemma3-period": lambda: gemma("gemma3", "gemma3-period", Shape(e=24, L=4), [("rope.freq_base", 1e6),
                                   ("attention.sliding_window", 6), ("attention.sliding_window_pattern", 2)]),
    "gemma3-27b": lambda: gemma("gemma3", "gemma3-27b", Shape(L=62, **NARROW_27B), [("attention.sliding_window", 6),
                                ("rope.freq_base", 1e6), ("rope.scaling.type", "linear"), ("rope.scaling.factor", 8.0)]),
    "smollm3": lambda: build("smollm3", Shape(L=5), byte_level_bpe(pre="smollm"), tied=True, keys=[("rope.freq_base", 5e6)]),
    "olmo2": lambda: build("olmo2", Shape(K=4), byte_level_bpe(pre="gpt-2"), epsilon=1e-6, keys=[("rope.freq_base", 500000.0)]),
    "olmo3": lambda: build("olmo2", Shape(L=5), byte_level_bpe(pre="gpt-2"), seed_text="olmo3", epsilon=1e-6,
                           keys=[("rope.freq_base", 500000.0), ("attention.sliding_window", 6), *YARN]),
}


# ---------------------------------------------------------------- encodings: name -> GGML type of the linear weights

def encodings():
    """File name -> (recipe, encoding of every linear weight and of the embedding, exceptions by name's end)."""
    wide = lambda: llama(shape=WIDE, tied=True)  # noqa: E731
    table = {"llama-f16": (RECIPES["llama"], Type.F16, {}), "llama-bf16": (RECIPES["llama"], Type.BF16, {}),
             "gemma2-27b": (RECIPES["gemma2-27b"], Type.F16, {}), "gemma3-27b": (RECIPES["gemma3-27b"], Type.F16, {})}
    for encoding in LAYOUTS:
        table[f"llama-{encoding.name.lower()}"] = (wide, encoding, {})
    # as llama.cpp's own mixes: better attn_v and ffn_down, and an output of its own
    q4_k_m = {"attn_v.weight": Type.Q6_K, "ffn_down.weight": Type.Q6_K, "output.weight": Type.Q6_K}
    table["llama-q4_k_m"] = (lambda: llama(shape=WIDE), Type.Q4_K, q4_k_m)
    table["qwen2-q8_0"] = (RECIPES["qwen2"], Type.Q8_0, {})
    table["phi3-q4_0"] = (lambda: phi3("phi3-q4_0"), Type.Q4_0, {"output.weight": Type.Q8_0})
    return table


def encode(model, encoding, exceptions):
    """float32 tensors -> (name, array, GGML type). Vectors stay F32; so do rows that are no whole number of blocks."""
    out = []
    for name, values in model.tensors:
        kind = encoding if values.ndim == 2 else Type.F32
        kind = next((other for end, other in exceptions.items() if name.endswith(end)), kind)
        out.append((name, encode_tensor(values, kind, model.rng(name + " blocks")), kind))
    return out


def encode_tensor(values, kind, rng):
    """float32 -> array of the kind. Encodings that gguf cannot quantise get random blocks of the same deviation."""
    if kind == Type.F32:
        return values
    if kind == Type.F16:
        return values.astype(np.float16)
    if kind in QUANTISERS:
        return quants.quantize(values, kind)
    if kind in TERNARY:
        return quants.quantize((rng.integers(-1, 2, values.shape) * 1.22 * values.std()).astype(np.float32), kind)
    elements, size = block_sizes(kind)
    rows, columns = values.shape
    blocks = random_blocks(rng, kind, rows * columns // elements, float(values.std()))
    return blocks.reshape(rows, columns // elements * size)


# ---------------------------------------------------------------- containers

def write_split(path, model, tensors):
    """Three parts, as llama.cpp's gguf-split names them."""
    container.write(path, model.architecture, model.metadata, tensors, tensors_per_part=-(-len(tensors) // 3))


def write_plain(path, model, tensors):
    container.write(path, model.architecture, model.metadata, tensors)


def write_aligned(path, model, tensors):
    """Tensor data aligned to 64 bytes instead of 32."""
    container.write(path, model.architecture, model.metadata, tensors, alignment=64)


def write_big_endian(path, model, tensors):
    container.write(path, model.architecture, model.metadata, tensors, big_endian=True)


def write_version(version):
    return lambda path, model, tensors: container.write_old(path, model.architecture, model.metadata, tensors, version)


CONTAINERS = {"llama-split": write_split, "llama-align64": write_aligned, "llama-be": write_big_endian,
              "llama-v1": write_version(1), "llama-v2": write_version(2)}


def names():
    """All model names; each is a file NAME.gguf, but llama-split."""
    return [*dict.fromkeys([*RECIPES, *encodings(), *CONTAINERS])]


def make(name, folder):
    """Writes one model into the folder."""
    recipe, encoding, exceptions = encodings().get(name, (RECIPES.get(name, RECIPES["llama"]), Type.F32, {}))
    model = recipe()
    CONTAINERS.get(name, write_plain)(folder / f"{name}.gguf", model, encode(model, encoding, exceptions))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="where to write")
    parser.add_argument("--only", action="append", metavar="NAME", help="write only this model; may be repeated")
    parser.add_argument("--list", action="store_true", help="print the names")
    args = parser.parse_args()
    if args.list:
        print("\n".join(names()))
        return
    if not args.folder:
        parser.error("a folder is needed")
    unknown = set(args.only or ()) - set(names())
    if unknown:
        parser.error(f"no such model: {', '.join(sorted(unknown))}")
    logging.disable(logging.WARNING)
    folder = Path(args.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in args.only or names():
        make(name, folder)


if __name__ == "__main__":
    main()
