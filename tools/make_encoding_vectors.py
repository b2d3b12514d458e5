#!/usr/bin/env python3
"""Writes tests/data/encodings.bin: blocks of every GGML encoding with the float32 values that they decode to.

  make_encoding_vectors.py OUT.bin [--check-ggml LIBGGML_BASE.so]

The values are those of gguf's quants.dequantize (gguf 0.19.0, numpy 2.4.6), whose arithmetic is plain float32, one rounding
for each operation and no fused multiply-add: a decoder written so gets the same bits. The format, little endian:

  8 bytes  "ONDOLVEC"
  records to the end of the file, each
    u32 ggml_type, u32 n_blocks, u32 elements of a block, u32 bytes of a block
    n_blocks * bytes           the blocks
    n_blocks * elements * f32  the values

Blocks are random, and extreme: all bytes 0, all codes 0xFF, scales that are 0, -0, subnormal, negative, the largest finite f16.
Not here, as the gguf package cannot decode them: Q8_1, Q8_K (never in files), Q1_0. No block decodes to NaN; infinity is
only in F16 and BF16. --check-ggml compares with ggml's own decoders and prints the largest difference for each encoding.
"""

import argparse
import ctypes
from pathlib import Path
import struct
import sys

import numpy as np
from gguf import GGMLQuantizationType as Type

sys.path.insert(0, str(Path(__file__).resolve().parent))
from ggml_blocks import LAYOUTS, MINIMUM_ADDED, block_sizes, dequantize, random_blocks, set_scales  # noqa: E402

SEED = 7
SUBNORMAL_LEAST, SUBNORMAL_MOST, LARGEST = 2.0**-24, 1023 * 2.0**-24, 65504.0
HALVES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00]
BRAIN_HALVES = [0x0000, 0x8000, 0x0001, 0x8001, 0x007F, 0x0080, 0x3F80, 0xBF80, 0x7F7F, 0xFF7F, 0x7F80, 0xFF80]


def vectors(encoding, rng):
    """u8 [n, bytes of a block]."""
    if encoding == Type.F16:
        return _two_bytes(HALVES, rng.integers(0, 0x7C00, 244) | rng.integers(0, 2, 244) << 15)
    if encoding == Type.BF16:
        return _two_bytes(BRAIN_HALVES, rng.integers(0, 0x7F80, 244) | rng.integers(0, 2, 244) << 15)
    elements, size = block_sizes(encoding)
    usual = random_blocks(rng, encoding, 4 if elements >= 128 else 24, 0.05)
    codes = rng.integers(0, 256, size=(8, size), dtype=np.uint8)
    codes[0] = 0
    codes[1] = 0xFF
    if encoding == Type.MXFP4:  # E8M0; from 251 on values overflow
        codes[:, 0] = [0, 127, 1, 2, 3, 120, 250, 0]
    elif encoding == Type.NVFP4:  # UE4M3: 0, its largest, subnormals, ...; 0x7F is no number, and bit 7 is not used
        codes[:, 0:4] = [[0] * 4, [0x7E] * 4, [1, 2, 3, 4], [5, 6, 7, 8], [9, 0x10, 0x38, 0x40], [0x77, 0x78, 0x7D, 0x7E],
                         [0, 1, 0, 0x7E], [0x30, 0x31, 0x32, 0x33]]
    else:
        scale = np.array([0.0, 1.0, SUBNORMAL_LEAST, SUBNORMAL_MOST, -0.37, LARGEST, -LARGEST, -0.0])
        minimum = np.array([0.0, 1.0, SUBNORMAL_MOST, -SUBNORMAL_LEAST, 0.011, -LARGEST, LARGEST, 0.25])
        set_scales(codes, encoding, scale, minimum if encoding not in MINIMUM_ADDED else -minimum)
    return np.concatenate([usual, codes])


def _two_bytes(fixed, random):
    return np.concatenate([fixed, random]).astype("<u2").view(np.uint8).reshape(-1, 2)


def check_ggml(library, encoding, blocks, values):
    """Prints how far ggml's own decoder is from the values, in units of the last place of the largest value of its block."""
    class Traits(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("block", ctypes.c_int64), ("interleave", ctypes.c_int64), ("size", ctypes.c_size_t),
                    ("quantized", ctypes.c_bool), ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64))]
    library.ggml_get_type_traits.restype = ctypes.POINTER(Traits)
    blocks, theirs = np.ascontiguousarray(blocks), np.empty_like(values)
    library.ggml_get_type_traits(int(encoding)).contents.to_float(blocks.ctypes.data, theirs.ctypes.data, values.size)
    finite = np.isfinite(values)
    unit = np.spacing(np.abs(np.where(finite, values, 0)).max(axis=1, keepdims=True))
    distance = np.where(finite, np.abs(values.astype(np.float64) - np.where(finite, theirs, 0)), 0) / unit
    same = np.array_equal(values[~finite], theirs[~finite])
    print(f"{encoding.name:8} {len(blocks):4} blocks, same bits {(values.view(np.uint32) == theirs.view(np.uint32)).mean():7.2%}, "
          f"largest difference {distance.max():.2f} units{'' if same else ', infinities differ'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output")
    parser.add_argument("--check-ggml", metavar="LIBRARY")
    args = parser.parse_args()
    out = [b"ONDOLVEC"]
    for encoding in sorted([Type.F16, Type.BF16, *LAYOUTS]):
        blocks = vectors(encoding, np.random.default_rng([SEED, int(encoding)]))
        values = dequantize(blocks, encoding).reshape(len(blocks), -1)
        assert not np.isnan(values).any() and (encoding in (Type.F16, Type.BF16) or np.isfinite(values).all())
        out += [struct.pack("<4I", encoding, len(blocks), values.shape[1], blocks.shape[1]), blocks.tobytes(),
                values.astype("<f4").tobytes()]
        if args.check_ggml:
            check_ggml(ctypes.CDLL(args.check_ggml), encoding, blocks, values)
    Path(args.output).write_bytes(b"".join(out))


if __name__ == "__main__":
    main()
