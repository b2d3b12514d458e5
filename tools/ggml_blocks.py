"""Random valid blocks of every GGML encoding that the `gguf` package can decode.

A block is bytes; only its scales need care, so that decoded values are finite and of a wanted size. This table says where
the half-precision scales of each encoding lie; all other bytes are codes, of which any value is valid.
"""

from dataclasses import dataclass

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, quants


@dataclass(frozen=True)
class Layout:
    """Byte offsets in a block. scale: f16 fields that multiply codes. minimum: f16 field that is subtracted (or, for Q4_1 and
    Q5_1, added), and its ratio to the scale that puts the middle of the decoded values near 0."""
    scale: tuple = ()
    minimum: tuple = ()
    ratio: float = 0.0


LAYOUTS = {
    Type.Q4_0: Layout((0,)),
    Type.Q4_1: Layout((0,), (2,), -7.5),
    Type.Q5_0: Layout((0,)),
    Type.Q5_1: Layout((0,), (2,), -15.5),
    Type.Q8_0: Layout((0,)),
    Type.Q2_K: Layout((80,), (82,), 1.5),
    Type.Q3_K: Layout((108,)),
    Type.Q4_K: Layout((0,), (2,), 7.5),
    Type.Q5_K: Layout((0,), (2,), 15.5),
    Type.Q6_K: Layout((208,)),
    Type.IQ1_S: Layout((0,)),
    Type.IQ1_M: Layout(),  # its f16 is spread over the top nibbles of four u16, see set_scales
    Type.IQ2_XXS: Layout((0,)),
    Type.IQ2_XS: Layout((0,)),
    Type.IQ2_S: Layout((0,)),
    Type.IQ3_XXS: Layout((0,)),
    Type.IQ3_S: Layout((0,)),
    Type.IQ4_NL: Layout((0,)),
    Type.IQ4_XS: Layout((0,)),
    Type.TQ1_0: Layout((52,)),
    Type.TQ2_0: Layout((64,)),
    Type.MXFP4: Layout(),  # E8M0 in byte 0
    Type.NVFP4: Layout(),  # UE4M3 in bytes 0..3
}
MINIMUM_ADDED = (Type.Q4_1, Type.Q5_1)


def block_sizes(encoding):
    """-> (elements, bytes) of one block."""
    return GGML_QUANT_SIZES[encoding]


def dequantize(blocks, encoding):
    """blocks u8 [n, bytes] -> f32 [n, elements], as the gguf package decodes them."""
    return quants.dequantize(np.ascontiguousarray(blocks), encoding)


def set_scales(blocks, encoding, scale, minimum=None):
    """Writes f16 scale [n] (and minimum [n], by default scale * ratio) into blocks u8 [n, bytes]; also for IQ1_M.

    MXFP4 and NVFP4 have no f16 scale: there the nearest power of two, or UE4M3 value, is written."""
    scale = np.asarray(scale, dtype=np.float32)
    layout = LAYOUTS[encoding]
    if encoding == Type.IQ1_M:
        bits = scale.astype(np.float16).view(np.uint16)
        for i in range(4):  # nibble i of the f16 is the top nibble of the i-th u16 at byte 48
            high = blocks[:, 49 + 2 * i]
            blocks[:, 49 + 2 * i] = (high & 0x0F) | (((bits >> (4 * i)) & 0xF) << 4).astype(np.uint8)
    elif encoding == Type.MXFP4:
        blocks[:, 0] = np.clip(np.round(np.log2(np.abs(scale))) + 128, 0, 254).astype(np.uint8)
    elif encoding == Type.NVFP4:
        blocks[:, 0:4] = quants.NVFP4.fp32_to_ue4m3(2 * np.abs(scale))[:, None]
    else:
        for offset in layout.scale:
            _put_f16(blocks, offset, scale)
        for offset in layout.minimum:
            _put_f16(blocks, offset, scale * layout.ratio if minimum is None else minimum)


def _put_f16(blocks, offset, values):
    blocks[:, offset:offset + 2] = np.asarray(values).astype("<f2").view(np.uint8).reshape(-1, 2)


def random_blocks(rng, encoding, n, deviation):
    """u8 [n, bytes]: random codes, scales such that decoded values have about this standard deviation."""
    blocks = rng.integers(0, 256, size=(n, block_sizes(encoding)[1]), dtype=np.uint8)
    unit = 2.0**-4  # exact in every scale format, and large enough for IQ1_M's rounding
    set_scales(blocks, encoding, np.full(n, unit))
    spread = float(dequantize(blocks, encoding).astype(np.float64).std())
    set_scales(blocks, encoding, unit * deviation / spread * rng.uniform(0.7, 1.3, size=n))
    return blocks
