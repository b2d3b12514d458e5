"""MatMulNBits."""
from .case import *


def weights(n, k, bits, block, zeros):
    """Codes as the operator has them, scales, zero points as `zeros` says, and what they mean."""
    blocks = -(-k // block)
    codes = integers(0, 1 << bits, n, blocks, block)
    scales = (numbers(n, blocks) * 0.1).astype(F32)
    zero = {"none": np.full((n, blocks), 1 << (bits - 1)), "packed": integers(0, 1 << bits, n, blocks),
            "float": (random.random((n, blocks)) * (1 << bits)).astype(F32)}[zeros]
    meant = ((codes - zero[..., None]) * scales[..., None]).reshape(n, -1)[:, :k]
    given = {"none": None, "packed": pack(zero.astype(I32), bits), "float": zero}[zeros]
    return pack(codes, bits), scales, given, meant


def matmul(name, m, k, n, bits, block, zeros="none", bias=False, flat=False, dtype=F32, runtime=True, groups=None, rtol=1e-4, **more):
    b, scales, given, meant = weights(n, k, bits, block, zeros)
    a = numbers(*m, k)
    added = numbers(n) if bias else None
    if groups is not None:
        blocks = -(-k // block)
        codes = ((np.unpackbits(b, axis=-1, bitorder="little").reshape(n, blocks, -1)[..., :block * bits]
                  .reshape(n, blocks, block, bits)) << np.arange(bits)).sum(-1).reshape(n, -1)[:, :k]
        zero = np.full((n, blocks), 1 << (bits - 1)) if zeros == "none" else None
        meant = (codes - zero[:, groups[:k]]) * scales[:, groups[:k]]
    expected = a.astype(F64) @ meant.T.astype(F64) + (0 if added is None else added)
    if flat:
        scales, given = scales.reshape(-1), None if given is None else given.reshape(-1)
    inputs = [a, b, scales, given, groups, added]
    attributes = dict(K=k, N=n, bits=bits, block_size=block, **more)
    if dtype == F16:
        inputs = [v.astype(F16) if v is not None and v.dtype == F32 else v for v in inputs]
    if runtime:
        case(name, "MatMulNBits", inputs, rtol=rtol, atol=1e-4 if dtype == F32 else 2e-2, **attributes)
    else:
        case(name, "MatMulNBits", inputs, expected=[expected.astype(dtype)], rtol=rtol, atol=1e-4 if dtype == F32 else 2e-2, **attributes)


def make_cases():
    for bits in (2, 4, 8):
        for zeros in ("none", "packed", "float"):
            for block in (16, 32, 64, 128, 256):
                runtime = bits == 4 or zeros != "float"
                matmul(f"{bits}_{zeros}_{block}", (3,), 2 * block + 16, 5, bits, block, zeros, bias=block == 32, runtime=runtime)
    for zeros in ("none", "packed", "float"):
        for block in (16, 32, 128):
            matmul(f"3_{zeros}_{block}", (2, 2), 2 * block, 4, 3, block, zeros, runtime=False)
            matmul(f"3_{zeros}_{block}_rest", (2,), 2 * block + 5, 4, 3, block, zeros, runtime=False)
    for bits in (5, 6, 7, 1):
        matmul(f"{bits}_packed", (2,), 48, 4, bits, 16, "packed", runtime=False)
    matmul("bits_3_small_blocks", (2,), 20, 4, 4, 8, "packed", runtime=False)
    for zeros in ("none", "packed"):
        matmul(f"flat_{zeros}", (2, 3), 96, 6, 4, 32, zeros, flat=True)
    matmul("row", (), 64, 6, 4, 32, runtime=False)
    matmul("one_column", (1,), 64, 1, 4, 32, "packed")
    matmul("no_rows", (0,), 64, 6, 4, 32, runtime=False)
    matmul("half", (3,), 128, 7, 4, 32, "packed", dtype=F16, rtol=1e-2)
    matmul("half_float_zeros", (3,), 128, 7, 4, 32, "float", dtype=F16, runtime=False, rtol=1e-2)
    matmul("half_8", (3,), 128, 7, 8, 64, "none", dtype=F16, rtol=1e-2)
    for level in (1, 2, 3):
        matmul(f"accuracy_{level}", (3,), 128, 7, 4, 32, "packed", accuracy_level=level)
    matmul("accuracy_4", (3,), 128, 7, 4, 32, "packed", accuracy_level=4, runtime=False)
    k, block = 64, 16
    matmul("groups", (3,), k, 6, 4, block, groups=integers(0, k // block, k))
    matmul("groups_padded", (3,), 60, 6, 4, block, runtime=False, groups=integers(0, 4, 64))
    a, bias = numbers(2, 32), numbers(6)
    case("empty", "MatMulNBits", [a, np.zeros((0, 1, 16), U8), np.zeros((6, 1), F32), None, None, bias], K=32, N=6, bits=4, block_size=32,
         expected=[np.broadcast_to(bias, (2, 6)).copy()])
    case("empty_no_bias", "MatMulNBits", [a, np.zeros((6, 0, 16), U8), np.zeros((0,), F32)], K=32, N=6, bits=4, block_size=32,
         expected=[np.zeros((2, 6), F32)])
