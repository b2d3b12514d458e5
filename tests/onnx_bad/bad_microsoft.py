"""Operators of com.microsoft: weights of codes whose buffers do not fit, attention past its cache."""
import numpy as np

from bad_case import F32, FAULTS, I32, I64, U8, one

MS = {"domain": "com.microsoft"}


def n(*shape):
    return (np.arange(int(np.prod(shape))) % 7 / 7).astype(F32).reshape(shape)


def i(*values):
    return np.array(values, I64)


def i32(*values):
    return np.array(values, I32)


# ---------------------------------------------------------------- MatMulNBits

def nbits_inputs(k, m, bits, block, zeros="packed", groups=False, bias=False):
    """A [2,K], B [N,blocks,bytes], scales, zero points, g_idx, bias as K, N, bits and block ask for them."""
    blocks = -(-k // block)
    blob, row = -(-block * bits // 8), -(-blocks * bits // 8)
    zero = {"packed": np.zeros(m * row, U8), "float": n(m * blocks), "none": None}[zeros]
    return [n(2, k), np.ones((m, blocks, blob), U8), n(m * blocks), zero,
            (np.arange(k) // block).astype(I32) if groups else None, n(m) if bias else None]


def resized(v, count):
    return np.resize(v.reshape(-1), max(count, 0)).astype(v.dtype)


def nbits():
    for bits in (2, 3, 4, 8):
        for block in (16, 32, 128):
            for k, m in ((16, 3), (100, 1), (32, 8)):
                for zeros in ("packed", "float", "none"):
                    nbits_buffers(k, m, bits, block, zeros)
    base = nbits_inputs(32, 3, 4, 16)
    good = {"K": 32, "N": 3, "bits": 4, "block_size": 16}
    for name, more in (("K_0", {"K": 0}), ("K_negative", {"K": -32}), ("K_far", {"K": 2**62}), ("K_2_31", {"K": 2**31}),
                       ("N_0", {"N": 0}), ("N_far", {"N": 2**62}), ("N_2_40", {"N": 2**40}), ("K_N_wrap", {"K": 2**32, "N": 2**32}),
                       ("bits_0", {"bits": 0}), ("bits_9", {"bits": 9}), ("bits_negative", {"bits": -4}), ("bits_far", {"bits": 2**32 + 4}),
                       ("block_0", {"block_size": 0}), ("block_negative", {"block_size": -16}), ("block_far", {"block_size": 2**62}),
                       ("K_33", {"K": 33}), ("N_4", {"N": 4}), ("bits_8", {"bits": 8}), ("block_32", {"block_size": 32}),
                       ("prepacked", {"weight_prepacked": 1})):
        one(f"MatMulNBits_{name}", "MatMulNBits", base, **MS, **{**good, **more})
    one("MatMulNBits_A_type", "MatMulNBits", [i(1, 2), *base[1:]], **MS, **good)
    one("MatMulNBits_B_type", "MatMulNBits", [base[0], n(3, 2, 8), *base[2:]], **MS, **good)
    one("MatMulNBits_scales_type", "MatMulNBits", [*base[:2], np.ones(6, I32), *base[3:]], **MS, **good)
    one("MatMulNBits_A_scalar", "MatMulNBits", [np.array(1, F32), *base[1:]], **MS, **good)


def nbits_buffers(k, m, bits, block, zeros):
    attributes = {"K": k, "N": m, "bits": bits, "block_size": block, **MS}
    name = f"MatMulNBits_{k}x{m}_{bits}_{block}_{zeros}"
    values = nbits_inputs(k, m, bits, block, zeros, groups=block == 16, bias=True)
    one(f"{name}_fine", "MatMulNBits", values, "OK", kinds=["constant"], **attributes)
    for at, part in ((1, "B"), (2, "scales"), (3, "zeros"), (4, "groups"), (5, "bias")):
        if values[at] is None:
            continue
        for what, count in (("short", values[at].size - 1), ("long", values[at].size + 1), ("double", values[at].size * 2)):
            changed = list(values)
            changed[at] = resized(values[at], count)
            if at == 4 and count == -(-k // block) * block:
                continue  # padded to whole blocks, as some exports have it
            one(f"{name}_{part}_{what}", "MatMulNBits", changed, kinds=["constant", "unstated"] if what == "short" else ["constant"],
                **attributes)
    if values[4] is not None:
        for what, v in (("far", k), ("negative", -1)):
            changed = list(values)
            changed[4] = np.where(np.arange(k) == k - 1, v, values[4]).astype(I32)
            one(f"{name}_groups_{what}", "MatMulNBits", changed, kinds=["constant", "unstated"], **attributes)
    one(f"{name}_A", "MatMulNBits", [n(2, k + 1), *values[1:]], kinds=["constant", "unstated"], **attributes)


# ---------------------------------------------------------------- attention

def group_query(batch=1, rows=1, past=4, heads=2, kv=1, size=8, lengths=None, total=None):
    return [n(batch, rows, heads * size), n(batch, rows, kv * size), n(batch, rows, kv * size), n(batch, kv, past, size),
            n(batch, kv, past, size), i32(*([2] * batch if lengths is None else lengths)), np.array(3 if total is None else total, I32)]


def group_query_attention():
    good = {"num_heads": 2, "kv_num_heads": 1, "outputs": 3, **MS}

    def gqa(name, values, status=FAULTS, **more):
        one(f"GroupQueryAttention_{name}", "GroupQueryAttention", values, status, **{**good, **more})

    gqa("fine", group_query(), "OK")
    for length in (-2, 2**31 - 1, -2**31):
        gqa(f"length_{length}", group_query(lengths=[length]))
    for total in (-1, 2**31 - 1, -2**31):
        gqa(f"total_{total}", group_query(total=total))
    gqa("length_past_total", group_query(lengths=[9], total=3))
    gqa("length_past_cache", group_query(lengths=[1000], total=1001))
    gqa("length_count", group_query(lengths=[2, 2]))
    gqa("length_of_batch", group_query(batch=2, lengths=[2]))
    gqa("heads_0", group_query(), num_heads=0)
    gqa("kv_0", group_query(), kv_num_heads=0)
    gqa("heads_3", group_query(), num_heads=3)
    gqa("kv_2", group_query(), kv_num_heads=2)
    gqa("heads_far", group_query(), num_heads=2**62)
    gqa("kv_far", group_query(), kv_num_heads=2**62, num_heads=2**62)
    for at, part in enumerate(("query", "key", "value", "past_key", "past_value")):
        values = group_query()
        gqa(f"{part}_rank", values[:at] + [values[at].reshape(-1)] + values[at + 1:])
        gqa(f"{part}_size", values[:at] + [np.concatenate([values[at], values[at][..., :1]], -1)] + values[at + 1:])
    values = group_query()
    gqa("past_alone", values[:4] + [None] + values[5:])
    gqa("past_lengths", values[:4] + [n(1, 1, 5, 8)] + values[5:])
    gqa("past_batch", values[:3] + [n(2, 1, 4, 8), n(2, 1, 4, 8)] + values[5:])
    gqa("key_rows", [values[0], n(1, 2, 8), n(1, 2, 8), *values[3:]])
    cache = n(16, 4)
    gqa("rotary_fine", values + [cache, cache], "OK", do_rotary=1)
    gqa("rotary_absent", values, do_rotary=1)
    gqa("rotary_width", values + [n(16, 5), n(16, 5)], do_rotary=1)
    gqa("rotary_short", values + [n(1, 4), n(1, 4)], do_rotary=1)
    gqa("rotary_differ", values + [cache, n(15, 4)], do_rotary=1)
    for position in (16, -1, 2**62):
        gqa(f"rotary_position_{position}", values + [cache, cache, np.array([[position]])], do_rotary=1)
    gqa("bias_shape", values + [None, None, None, n(1, 2, 1, 2)])
    gqa("sink_count", values + [None, None, None, None, n(3)])


def attention():
    q, k, v = n(1, 3, 8), n(1, 4, 8), n(1, 4, 8)
    one("MultiHeadAttention_fine", "MultiHeadAttention", [q, k, v], "OK", num_heads=2, **MS)
    for heads in (0, -1, 3, 2**62):
        one(f"MultiHeadAttention_heads_{heads}", "MultiHeadAttention", [q, k, v], num_heads=heads, **MS)
        one(f"Attention_ms_heads_{heads}", "Attention", [n(1, 3, 8), n(8, 24), n(24)], num_heads=heads, **MS)
    one("MultiHeadAttention_key", "MultiHeadAttention", [q, n(1, 4, 6), v], num_heads=2, **MS)
    one("MultiHeadAttention_value", "MultiHeadAttention", [q, k, n(1, 5, 8)], num_heads=2, **MS)
    one("MultiHeadAttention_batch", "MultiHeadAttention", [q, n(2, 4, 8), n(2, 4, 8)], num_heads=2, **MS)
    one("MultiHeadAttention_bias", "MultiHeadAttention", [q, k, v, n(23)], num_heads=2, **MS)
    one("MultiHeadAttention_mask", "MultiHeadAttention", [q, k, v, None, np.ones((1, 9), I32)], num_heads=2, **MS)
    one("MultiHeadAttention_mask_far", "MultiHeadAttention", [q, k, v, None, i32(99)], ("OK", *FAULTS), num_heads=2, **MS)
    one("MultiHeadAttention_scores", "MultiHeadAttention", [q, k, v, None, None, n(1, 2, 3, 5)], num_heads=2, **MS)
    one("MultiHeadAttention_past", "MultiHeadAttention", [q, k, v, None, None, None, n(1, 2, 2, 3), n(1, 2, 2, 4)], num_heads=2, **MS)
    one("Attention_weights", "Attention", [n(1, 3, 8), n(7, 24), n(24)], num_heads=2, **MS)
    one("Attention_columns", "Attention", [n(1, 3, 8), n(8, 25), n(25)], num_heads=2, **MS)
    one("Attention_bias_ms", "Attention", [n(1, 3, 8), n(8, 24), n(23)], num_heads=2, **MS)
    one("Attention_mask_ms", "Attention", [n(1, 3, 8), n(8, 24), n(24), i32(9, 9, 9)], num_heads=2, **MS)
    one("Attention_past_ms", "Attention", [n(1, 3, 8), n(8, 24), n(24), None, n(2, 1, 3, 2, 4)], num_heads=2, outputs=2, **MS)
    one("Attention_sizes", "Attention", [n(1, 3, 8), n(8, 24), n(24)], num_heads=2, qkv_hidden_sizes=[8, 8, 2**62], **MS)
    one("Attention_sizes_count", "Attention", [n(1, 3, 8), n(8, 24), n(24)], num_heads=2, qkv_hidden_sizes=[8, 8], **MS)
    cache = n(8, 4)
    x = n(1, 3, 16)
    one("RotaryEmbedding_ms_fine", "RotaryEmbedding", [x, i(0), cache, cache], "OK", **MS)
    for p in (6, 8, -1, 2**62):
        one(f"RotaryEmbedding_ms_{p}", "RotaryEmbedding", [x, i(p), cache, cache], **MS)
    one("RotaryEmbedding_ms_ids", "RotaryEmbedding", [x, np.array([[0, 1, 8]]), cache, cache], **MS)
    one("RotaryEmbedding_ms_count", "RotaryEmbedding", [x, np.array([[0, 1]]), cache, cache], **MS)
    one("RotaryEmbedding_ms_width", "RotaryEmbedding", [x, i(0), n(8, 3), n(8, 3)], **MS)
    one("RotaryEmbedding_ms_dim", "RotaryEmbedding", [x, i(0), cache, cache], rotary_embedding_dim=10, num_heads=2, **MS)
    one("RotaryEmbedding_ms_heads", "RotaryEmbedding", [x, i(0), cache, cache], rotary_embedding_dim=4, num_heads=3, **MS)


# ---------------------------------------------------------------- the rest

def rows():
    one("SkipLayerNormalization_skip", "SkipLayerNormalization", [n(1, 2, 4), n(1, 3, 4), n(4)], **MS)
    one("SkipLayerNormalization_gamma", "SkipLayerNormalization", [n(1, 2, 4), n(1, 2, 4), n(5)], **MS)
    one("SkipLayerNormalization_bias", "SkipLayerNormalization", [n(1, 2, 4), n(1, 2, 4), n(4), n(4), n(3)], **MS)
    one("SkipSimplifiedLayerNormalization_gamma", "SkipSimplifiedLayerNormalization", [n(1, 2, 4), n(1, 2, 4), n(5)], **MS)
    one("BiasGelu_bias", "BiasGelu", [n(2, 4), n(5)], **MS)
    one("BiasSplitGelu_odd", "BiasSplitGelu", [n(1, 2, 5), n(5)], **MS)
    one("FastGelu_bias", "FastGelu", [n(2, 4), n(5)], **MS)
    words, places = n(4, 8), n(3, 8)
    for k in (4, -1, 2**31 - 1):
        one(f"EmbedLayerNormalization_{k}", "EmbedLayerNormalization", [i32(0, k).reshape(1, 2), None, words, places, None, n(8), n(8)],
            outputs=2, **MS)
        one(f"GatherBlockQuantized_{k}", "GatherBlockQuantized", [np.zeros((4, 16), U8), i32(k), n(4, 1)], ("OK", *FAULTS), **MS,
            bits=8, block_size=16, quantize_axis=1)
    one("EmbedLayerNormalization_places", "EmbedLayerNormalization", [np.zeros((1, 4), I32), None, words, places, None, n(8), n(8)],
        outputs=2, **MS)
    for name, more in (("bits", {"bits": 5}), ("block", {"block_size": 17}), ("block_0", {"block_size": 0}),
                       ("axis", {"quantize_axis": 2}), ("gather_axis", {"gather_axis": 7}), ("same_axis", {"gather_axis": 1})):
        one(f"GatherBlockQuantized_{name}", "GatherBlockQuantized", [np.zeros((4, 16), U8), i32(0), n(4, 1)], **MS,
            **{"bits": 8, "block_size": 16, "quantize_axis": 1, **more})
    one("GatherBlockQuantized_scales", "GatherBlockQuantized", [np.zeros((4, 16), U8), i32(0), n(4, 2)], bits=8, block_size=16,
        quantize_axis=1, **MS)
    one("GatherBlockQuantized_zeros", "GatherBlockQuantized", [np.zeros((4, 16), U8), i32(0), n(4, 1), np.zeros((4, 2), U8)], bits=8,
        block_size=16, quantize_axis=1, **MS)
    one("FusedMatMul_inner", "FusedMatMul", [n(2, 3), n(2, 3)], **MS)
    one("MatMulIntegerToFloat_inner", "MatMulIntegerToFloat", [np.ones((2, 3), U8), np.ones((2, 3), U8), n(1)[0], n(1)[0]], **MS)
    one("DynamicQuantizeMatMul_inner", "DynamicQuantizeMatMul", [n(2, 3), np.ones((2, 3), U8), np.array(1, F32)], **MS)
    one("Inverse_shape", "Inverse", [n(2, 3)], **MS)
    one("QLinearAdd_shapes", "QLinearAdd", [np.ones((2, 3), U8), np.array(1, F32), np.array(0, U8), np.ones(4, U8), np.array(1, F32),
                                            np.array(0, U8), np.array(1, F32), np.array(0, U8)], **MS)
    scale, zero = np.array(1, F32), np.array(0, U8)
    one("QLinearConcat_shapes", "QLinearConcat", [scale, zero, np.ones((2, 3), U8), scale, zero, np.ones((3, 3), U8), scale, zero],
        axis=1, **MS)
    one("QLinearConcat_triples", "QLinearConcat", [scale, zero, np.ones((2, 3), U8), scale], axis=0, **MS)
    experts = [n(2, 8), n(2, 3), n(3, 16, 8), None, n(3, 8, 16)]
    one("MoE_k_0", "MoE", experts, k=0, **MS)
    one("MoE_k_far", "MoE", experts, k=9, **MS)
    one("MoE_router", "MoE", [n(2, 8), n(2, 4), *experts[2:]], k=1, **MS)
    one("MoE_inner", "MoE", [n(2, 7), *experts[1:]], k=1, **MS)
    one("NGramRepeatBlock_size_0", "NGramRepeatBlock", [np.zeros((1, 4), I64), n(1, 8)], ngram_size=0, **MS)
    one("NGramRepeatBlock_far", "NGramRepeatBlock", [np.array([[1, 99, 1, 99, 1]]), n(1, 8)], ("OK", *FAULTS), ngram_size=2, **MS)
    one("BifurcationDetector_index", "BifurcationDetector", [i(1, 2), i(1, 2), np.array(9), i(1)], outputs=2, **MS)


def make():
    for part in (nbits, group_query_attention, attention, rows):
        part()
