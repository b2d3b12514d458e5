#!/usr/bin/env python3
"""Writes tests/data/encode.bin: what encoders must give, and decoders for which encodings.bin has no vectors.

  make_encode_vectors.py OUT.bin LIBGGML_BASE.so

Blocks are those of gguf's quants.quantize (gguf 0.19.0, numpy 2.4.6) where it knows the encoding, of ggml's reference quantisers
otherwise (Q1_0, Q2_0, Q8_1, NVFP4; llama-cpp-python 0.3.36). The format, little endian:

  8 bytes  "ONDOLENC"
  records to the end of the file, each
    u32 ggml_type, u32 direction (0: decode, 1: encode), u32 n_blocks, u32 elements of a block, u32 bytes of a block
    n_blocks * bytes           the blocks
    n_blocks * elements * f32  the values
"""

import argparse
import ctypes
from pathlib import Path
import struct

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, quants

SEED = 11
BY_GGUF = (Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.TQ1_0, Type.TQ2_0, Type.MXFP4)
BY_GGML = {"q1_0": (41, 128, 18), "q2_0": (42, 64, 18), "q8_1": (9, 32, 36), "nvfp4": (40, 64, 36)}
PLAIN = {0: "<f4", 24: "<i1", 25: "<i2", 26: "<i4", 27: "<i8", 28: "<f8"}


def inputs(elements, rng):
    """f32 [n, elements]: usual weights, outliers, equal and zero elements, ties between codes, large and small scales."""
    count = max(4, 512 // elements)
    blocks = [rng.normal(0, 0.05, (count, elements)), rng.standard_t(2, (count, elements)), rng.uniform(0.2, 0.9, (8, elements)),
              np.round(rng.uniform(-8, 8, (count, elements)) * 2) / 2,
              rng.integers(-1, 2, (8, elements)) * rng.uniform(0.01, 3, (8, 1)),
              rng.normal(0, 1, (16, elements)) * 2.0 ** np.linspace(-40, 8, 16)[:, None],
              np.zeros((1, elements)), np.full((1, elements), -0.0), np.full((1, elements), 0.75), np.full((1, elements), -3.0)]
    return np.concatenate(blocks).astype(np.float32)


def near_powers(elements, rng):
    """f32 [n, elements] whose largest magnitudes lie just below 2^k, where the logarithm rounds to k or does not."""
    blocks = []
    for k in (-120, -65, -64, -63, -33, -32, -31, -17, -16, -9, -8, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33, 64, 65, 100, 120):
        spacing = int(np.log2(abs(k))) - (k > 0 and k & (k - 1) == 0) if k else 0
        edge = int(2.0**spacing * np.log(2))
        for units in (edge, edge + 1):
            block = rng.uniform(-0.9, 0.9, elements)
            block[rng.integers(elements)] = 1 - units * 2.0**-24
            blocks.append(np.ldexp(block, k))
    return np.array(blocks).astype(np.float32)


def special_floats():
    bits = [0, 0x80000000, 1, 0x80000001, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000]
    for half in (0x0000, 0x0001, 0x0002, 0x03FF, 0x0400, 0x3C00, 0x3C01, 0x7BFE, 0x7BFF):  # ties between f16 neighbours
        low, high = np.array([half, half + 1], "<u2").view("<f2").astype(np.float64)
        middle = (low + (high if np.isfinite(high) else 65536.0)) / 2
        at = int(np.array([middle], "<f4").view("<u4")[0])
        bits += [at - 1, at, at + 1, at | 1 << 31]
    for brain in (0x0000, 0x0001, 0x007F, 0x0080, 0x3F80, 0x3F81, 0x7F7E, 0x7F7F):
        bits += [(brain << 16) + 0x7FFF, (brain << 16) + 0x8000, (brain << 16) + 0x8001]
    return np.array([b for b in bits if b >= 0], "<u4").view("<f4")


def ggml_encode(library, name, values, size):
    function = getattr(library, f"quantize_row_{name}_ref")
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64], None
    blocks = np.zeros((len(values), size), np.uint8)
    function(values.ctypes.data, blocks.ctypes.data, values.size)
    return blocks


def half(blocks, offset):
    return blocks[:, offset:offset + 2].copy().view("<f2").astype(np.float32)


def decode_records(rng):
    """(type, blocks, values) of encodings that the gguf package has no decoder for, by their definition in ggml."""
    for number, elements in ((9, 32), (15, 256), (41, 128), (42, 64)):
        blocks = rng.integers(0, 256, (12, {9: 36, 15: 292, 41: 18, 42: 18}[number]), dtype=np.uint8)
        scales = np.array([0, -0.0, 1, -0.37, 2.0**-24, 65504, *rng.normal(0, 0.01, 6)], np.float32)
        if number == 15:
            blocks[:, 0:4] = scales.astype("<f4").view(np.uint8).reshape(-1, 4)
            values = scales[:, None] * blocks[:, 4:260].view(np.int8).astype(np.float32)
        else:
            blocks[:, 0:2] = scales.astype("<f2").view(np.uint8).reshape(-1, 2)
            if number == 9:
                codes = blocks[:, 4:].view(np.int8)
            elif number == 41:
                codes = np.unpackbits(blocks[:, 2:], axis=1, bitorder="little").astype(np.int8) * 2 - 1
            else:
                codes = (blocks[:, 2:, None] >> np.array([0, 2, 4, 6], np.uint8) & 3).reshape(-1, 64).astype(np.int8) - 1
            values = half(blocks, 0) * codes.astype(np.float32)
        yield number, blocks, values.reshape(len(blocks), elements)
    for number, kind in PLAIN.items():
        dtype = np.dtype(kind)
        if dtype.kind == "f":
            stored = np.concatenate([rng.normal(0, 1, 100), [0, -0.0, 1e-45, 3.4e38, 1 + 2.0**-24, 1 + 2.0**-24 + 2.0**-50, np.inf]])
        else:
            limits = np.iinfo(dtype)
            stored = np.concatenate([rng.integers(limits.min, limits.max, 100, endpoint=True), [0, 1, -1, limits.min, limits.max]])
        stored = stored.astype(dtype)
        yield number, stored.view(np.uint8).reshape(len(stored), dtype.itemsize), stored.astype(np.float32).reshape(-1, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    parser.add_argument("ggml_library")
    args = parser.parse_args()
    library = ctypes.CDLL(args.ggml_library)
    out = [b"ONDOLENC"]

    def record(number, direction, blocks, values):
        out.extend([struct.pack("<5I", number, direction, len(blocks), values.shape[1], blocks.shape[1]), blocks.tobytes(),
                    values.astype("<f4").tobytes()])

    for encoding in BY_GGUF:
        rng = np.random.default_rng([SEED, int(encoding)])
        elements, size = GGML_QUANT_SIZES[encoding]
        if elements == 1:
            values = np.concatenate([special_floats(), rng.normal(0, 1, 500).astype(np.float32)]).reshape(-1, 1)
        else:
            values = inputs(elements, rng)
        if encoding == Type.MXFP4:
            values = np.concatenate([values, near_powers(elements, rng)])
        with np.errstate(over="ignore"):
            blocks = quants.quantize(values, encoding)
        record(encoding, 1, np.ascontiguousarray(blocks).view(np.uint8).reshape(len(values), size), values)
    for name, (number, elements, size) in BY_GGML.items():
        values = inputs(elements, np.random.default_rng([SEED, number]))
        record(number, 1, ggml_encode(library, name, values, size), values)
    for number, blocks, values in decode_records(np.random.default_rng(SEED)):
        record(number, 0, blocks, values)
    Path(args.output).write_bytes(b"".join(out))


if __name__ == "__main__":
    main()
