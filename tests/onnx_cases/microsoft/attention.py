"""MultiHeadAttention, DecoderMaskedMultiHeadAttention, Attention, DecoderMaskedSelfAttention, QAttention."""
from .case import *

BATCH, HEADS, SIZE = 2, 3, 8
WIDTH = HEADS * SIZE


def masks(queries, keys):
    return {"ends": integers(1, keys + 1, BATCH), "ranges": np.array([keys, keys - 1, 1, 0], I32), "keys": np.array(
        random.random((BATCH, keys)) > 0.4, I32) | np.eye(1, keys, dtype=I32), "queries": np.array(
        random.random((BATCH, queries, keys)) > 0.4, I32) | np.eye(1, keys, dtype=I32)}


def mha(name, inputs, outputs=1, op="MultiHeadAttention", **more):
    case(name, op, inputs, outputs, num_heads=HEADS, **more)


def multi_head():
    q, k, v = numbers(BATCH, 3, WIDTH), numbers(BATCH, 5, WIDTH), numbers(BATCH, 5, HEADS * 4)
    for outputs in (1, 3, 4):
        mha(f"plain_{outputs}", [q, k, v], outputs)
    mha("projection", [q, k, v, numbers(2 * WIDTH + HEADS * 4)], 3)
    for name, mask in masks(3, 5).items():
        if name != "ranges":
            mha(f"mask_{name}", [q, k, v, None, mask], 4)
            mha(f"mask_{name}_value", [q, k, v, None, mask], 1, mask_filter_value=-2.0)
    mha("mask_cumulative", [q, k, v, None, np.array([2, 5, 0, 3, 6, 0, 5, 10], I32)])
    for shape in ((BATCH, HEADS), (1, HEADS), (BATCH, 1), (1, 1)):
        mha(f"bias_{shape[0]}_{shape[1]}", [q, k, v, None, None, numbers(*shape, 3, 5)], 4)
    mha("scale", [q, k, v], scale=0.7)
    mha("cached_keys", [q, numbers(BATCH, HEADS, 5, SIZE), numbers(BATCH, HEADS, 5, SIZE)])
    mha("cached_keys_projection", [q, numbers(BATCH, HEADS, 5, SIZE), numbers(BATCH, HEADS, 5, SIZE), numbers(3 * WIDTH)])
    k, v = numbers(BATCH, 3, WIDTH), numbers(BATCH, 3, WIDTH)
    past = [numbers(BATCH, HEADS, 4, SIZE) for _ in range(2)]
    mha("past", [q, k, v, None, None, None, *past], 4)
    mha("past_causal", [q, k, v, numbers(3 * WIDTH), None, numbers(1, 1, 3, 7), *past], 4, unidirectional=1)
    mha("past_mask", [q, k, v, None, masks(3, 7)["keys"], None, *past], 3)
    mha("causal", [q, k, v], 4, unidirectional=1)
    mha("causal_mask", [q, k, v, None, masks(3, 3)["keys"]], 4, unidirectional=1)
    for rows in (1, 2):
        step = [x[:, :rows] for x in (q, k, v)]
        mha(f"buffer_{rows}", [*step, None, None, None, *past, np.array([2], I32)], 4)
        mha(f"buffer_{rows}_mask", [*step, None, masks(rows, 2 + rows)["keys"], None, *past, np.array([2], I32)], 3)
    packed(q, k, v)


def packed(q, k, v):
    """Packed inputs, which ONNX Runtime takes on a GPU alone: as the same ones apart."""
    def same(inputs):
        model = make("MultiHeadAttention", inputs, ["y0"], [TensorProto.FLOAT], (), None, 10, {"num_heads": HEADS})
        return by_runtime(model, {f"x{i}": x for i, x in enumerate(inputs) if x is not None})

    bias = numbers(3 * WIDTH)
    parts = [x.reshape(BATCH, 3, HEADS, SIZE) for x in (q, k, v)]
    mha("packed", [np.stack(parts, 3)], expected=same([q, k, v]))
    mha("packed_projection", [np.stack(parts, 3), None, None, bias], expected=same([q, k, v, bias]))
    mha("packed_keys", [q, np.stack(parts[1:], 3)], expected=same([q, k, v]))
    mha("half", [q.astype(F16), k.astype(F16), v.astype(F16)], expected=[same([q, k, v])[0].astype(F16)], rtol=4e-3, atol=4e-3)


def decoder():
    q, k, v = (numbers(4, 1, WIDTH) for _ in range(3))
    past = [numbers(4, HEADS, 6, SIZE) for _ in range(2)]
    length, mask = np.array([3], I32), np.array(random.random((4, 4)) > 0.3, I32) | np.eye(1, 4, dtype=I32)
    bias = numbers(1, HEADS, 1, 4)
    beams = integers(0, 2, 2, 2, 6)
    dec = dict(op="DecoderMaskedMultiHeadAttention")
    shared = dict(past_present_share_buffer=1, **dec)
    mha("plain", [q, k, v, None, None, *past, length], 3, **shared)
    mha("mask_bias", [q, k, v, mask, bias, *past, length], 3, **shared)
    mha("projection", [q, k, v, mask, None, *past, length, None, None, numbers(3 * WIDTH)], 3, **shared)
    mha("scores", [q, k, v, None, None, *past, length], 4, output_qk=1, **shared)
    mha("first", [q, k, v, None, None, *past, np.array([0], I32)], 3, **shared)
    mha("last", [q, k, v, None, None, *past, np.array([5], I32)], 3, **shared)
    mha("beams", [q, k, v, None, None, *past, length, np.array([2], I32), beams], 3, **shared)
    mha("beams_mask", [q, k, v, mask, bias, *past, length, np.array([2], I32), beams], 3, **shared)
    cache = [numbers(4, HEADS, 5, SIZE) for _ in range(2)]
    mha("cross", [q, *cache], **dec)
    mha("cross_mask", [q, *cache, np.array(random.random((4, 5)) > 0.3, I32) | np.eye(1, 5, dtype=I32)], **dec)
    mha("cross_scores", [q, *cache], ["y0", "", "", "y3"], types=[TensorProto.FLOAT] * 4, output_qk=1, **dec)


def attend(x, w, b, past=None, causal=False, rotary=0, mask=None):
    """Attention in float64: output, present."""
    y = x.astype(F64) @ w.astype(F64) + (0 if b is None else b)
    batch, queries = x.shape[:2]
    q, k, v = (part.reshape(batch, queries, HEADS, -1).transpose(0, 2, 1, 3) for part in np.split(y, 3, -1))
    before = 0 if past is None else past.shape[3]
    if rotary:
        half = rotary // 2
        angle = (before + np.arange(queries))[:, None] * 10000.0 ** (-np.arange(half) / half)

        def turn(a):
            r, i, rest = a[..., :half], a[..., half:rotary], a[..., rotary:]
            return np.concatenate([r * np.cos(angle) - i * np.sin(angle), i * np.cos(angle) + r * np.sin(angle), rest], -1)
        q, k = turn(q), turn(k)
    if past is not None:
        k, v = np.concatenate([past[0], k], 2), np.concatenate([past[1], v], 2)
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.arange(k.shape[2]) <= before + np.arange(queries)[:, None], scores, -np.inf)
    if mask is not None:
        scores = scores + np.where(mask, 0, -10000.0)
    y = (softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(batch, queries, -1)
    return [y.astype(F32), np.stack([k, v]).astype(F32)]


def self_attention():
    x, w, b, past = numbers(BATCH, 3, 10), numbers(10, 3 * WIDTH), numbers(3 * WIDTH), numbers(2, BATCH, HEADS, 4, SIZE)
    one = dict(op="Attention")
    mha("plain", [x, w, b], 2, **one)
    mha("no_bias", [x, w], 1, **one)
    mha("causal", [x, w, b], 2, unidirectional=1, **one)
    mha("sizes", [x, numbers(10, 2 * WIDTH + HEADS * 4), numbers(2 * WIDTH + HEADS * 4)], qkv_hidden_sizes=[WIDTH, WIDTH, HEADS * 4], **one)
    for name, mask in masks(3, 3).items():
        mha(f"mask_{name}", [x, w, b, mask], **one)
        mha(f"mask_{name}_causal", [x, w, b, mask], unidirectional=1, mask_filter_value=-5.0, **one)
    mha("past", [x, w, b, None, past], 2, unidirectional=1, **one)
    mha("past_mask", [x, w, b, masks(3, 7)["keys"], past], 2, **one)
    mha("bias", [x, w, b, None, None, numbers(1, HEADS, 3, 3)], scale=0.3, **one)
    mha("rotary", [x, w, b], 2, expected=attend(x, w, b, rotary=SIZE), do_rotary=1, **one)
    mha("rotary_past", [x, w, b, None, past], 2, expected=attend(x, w, b, past, True, 4), do_rotary=1, unidirectional=1,
        rotary_embedding_dim=4, **one)
    square = np.array(np.tril(np.ones((9, 9))), I32)[None, None].repeat(BATCH, 0)
    mha("mask_square", [x, w, b, square, past], 2, expected=attend(x, w, b, past, True), **one)
    decoder_self(x[:, :1], w, b)
    quantised(past)


def decoder_self(x, w, b):
    """A buffer of 6 rows of which 3 are filled, and beams; in numpy: the runtime has it for GPUs."""
    past, mask = numbers(2, BATCH, HEADS, 6, SIZE), np.array([[1, 0, 1, 1], [1, 1, 0, 1]], I32)
    length, beams = np.array([3], I32), np.array([[[0, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]]], I32)
    for name, chosen in (("plain", None), ("beams", beams)):
        used = past[..., :3, :]
        if chosen is not None:
            used = np.stack([np.stack([used[:, chosen[0, b, t], :, t] for t in range(3)], 2) for b in range(BATCH)], 1)
        y, present = attend(x, w, b, used, mask=mask[:, None, None])
        kept = past.copy()
        kept[..., 3, :] = present[..., 3, :]
        extra = [] if chosen is None else [np.array([2], I32), chosen]
        mha(name, [x, w, b, mask, past, None, length, *extra], 2, op="DecoderMaskedSelfAttention", expected=[y, kept],
            past_present_share_buffer=1)
        if chosen is None:
            mha("buffer", [x, w, b, mask, past, None, length], 2, op="Attention", expected=[y, kept], past_present_share_buffer=1)


def quantised(past):
    x, w, b = integers(0, 256, BATCH, 3, 10, dtype=U8), integers(-128, 128, 10, 3 * WIDTH, dtype=I8), numbers(3 * WIDTH)
    scale, zero = np.array(0.01, F32), np.array(120, U8)
    columns, zeros = (np.abs(numbers(3 * WIDTH)) * 0.01).astype(F32), integers(-20, 20, 3 * WIDTH, dtype=I8)
    kind = dict(op="QAttention")
    mha("plain", [x, w, b, scale, scale, None, zero], types=[TensorProto.FLOAT], **kind)
    mha("unsigned", [x, integers(0, 256, 10, 3 * WIDTH, dtype=U8), b, scale, scale, None, zero, np.array(130, U8)], types=[TensorProto.FLOAT],
        **kind)
    mha("columns", [x, w, b, scale, columns, np.array([2, 3], I32), zero, zeros], types=[TensorProto.FLOAT], **kind)
    mha("past", [x, w, b, scale, columns, None, zero, None, past], 2, types=[TensorProto.FLOAT] * 2, unidirectional=1, **kind)


def make_cases():
    multi_head()
    decoder()
    self_attention()
