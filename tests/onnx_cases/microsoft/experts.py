"""MoE, QMoE, DynamicQuantizeLSTM."""
import ml_dtypes

from .case import *

EXPERTS, HIDDEN, INTER, TOKENS = 4, 32, 64, 5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(x):
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3))) / 2


PLAIN = {"relu": lambda x: np.maximum(x, 0), "gelu": gelu, "silu": lambda x: x * sigmoid(x), "identity": lambda x: x,
         "relu2": lambda x: np.maximum(x, 0) ** 2, "geglu": gelu}


def routes(scores, k, normalise=False, sparse=False, weights=None):
    """For each token: pairs of an expert and its weight."""
    result = []
    for row, s in enumerate(scores.astype(F64)):
        order, left = np.argsort(-s, kind="stable")[:k], np.ones(len(s), bool)
        share = softmax(s)[order] if weights is None else weights[row, order].astype(F64)
        if sparse:
            share = []
            for e in order:
                near = left & ((s[e] - s) / np.maximum(np.abs(s), s[e]) <= 0.02)
                share.append(1 / np.exp(s[near] - s[e]).sum())
                left[e] = False
        elif normalise:
            share = share / share.sum()
        result.append(list(zip(order, share)))
    return result


def gate(g, l, kind, alpha=1.0, beta=0.0, limit=np.inf, after=False):
    if kind != "swiglu":
        return PLAIN[kind](g) * l
    l = np.clip(l, -limit, limit)
    if after:
        return np.minimum(g * sigmoid(alpha * g), limit) * (l + beta)
    g = np.minimum(g, limit)
    return g * sigmoid(alpha * g) * (l + beta)


def mixture(x, scores, w, b, kind="relu", fusion=0, routing=None, **gates):
    """w, b: of fc1, fc2, fc3 (None: absent)."""
    rows, y = x.reshape(-1, x.shape[-1]).astype(F64), []
    b = [np.zeros((EXPERTS, v.shape[1])) if c is None and v is not None else c for v, c in zip(w, b)]
    for row, chosen in zip(rows, routes(scores, **routing)):
        total = np.zeros(x.shape[-1])
        for e, weight in chosen:
            first = w[0][e] @ row + b[0][e]
            if fusion == 1:
                inner = gate(first[::2], first[1::2], kind, **gates)
            elif fusion == 2:
                inner = gate(*np.split(first, 2), kind, **gates)
            elif w[2] is not None:
                inner = gate(first, w[2][e] @ row + b[2][e], kind, **gates)
            else:
                inner = PLAIN[kind](first)
            total += weight * (w[1][e] @ inner + b[1][e])
        y.append(total)
    return np.array(y).reshape(x.shape).astype(F32)


def shapes(fused, third):
    return [(EXPERTS, INTER * (2 if fused else 1), HIDDEN), (EXPERTS, HIDDEN, INTER), (EXPERTS, INTER, HIDDEN) if third else None]


def plain():
    x, scores = numbers(TOKENS, HIDDEN), numbers(TOKENS, EXPERTS)
    for name, kind, k, fusion, third, biased, more, gates in (
            ("relu", "relu", 1, 0, False, True, {}, {}), ("gelu", "gelu", 2, 0, False, False, {}, {}), ("silu", "silu", 3, 0, False, True, {}, {}),
            ("identity", "identity", 4, 0, False, True, {}, {}), ("relu2", "relu2", 2, 0, False, True, {}, {}),
            ("normal", "silu", 2, 0, False, True, dict(normalise=True), {}), ("sparse", "silu", 2, 0, False, True, dict(sparse=True), {}),
            ("third", "silu", 2, 0, True, True, {}, {}), ("swiglu", "swiglu", 2, 1, False, True, {}, dict(alpha=1.7, beta=1.0, limit=0.8)),
            ("swiglu_halves", "swiglu", 2, 2, False, True, {}, dict(alpha=1.2, beta=0.5)),
            ("swiglu_own", "swiglu", 2, 0, True, True, {}, dict(alpha=1.2, limit=0.5)),
            ("swiglu_after", "swiglu", 2, 1, False, False, {}, dict(limit=0.3, after=True)), ("geglu", "geglu", 2, 1, False, True, {}, {}),
            ("geglu_halves", "geglu", 1, 2, False, True, {}, {})):
        w = [None if s is None else (numbers(*s) * 0.3).astype(F32) for s in shapes(fusion, third)]
        b = [numbers(*v.shape[:2]) if biased and v is not None else None for v in w]
        attributes = dict(k=k, activation_type=kind, swiglu_fusion=fusion, normalize_routing_weights=int("normalise" in more),
                          use_sparse_mixer=int("sparse" in more))
        attributes.update({n: gates[g] for g, n in (("alpha", "activation_alpha"), ("beta", "activation_beta"), ("limit", "swiglu_limit")) if g in gates})
        if "after" in gates:
            attributes["swiglu_limit_after_activation"] = 1
        y = mixture(x, scores, w, b, kind, fusion, dict(k=k, **more), **gates)
        inputs = [x, scores, w[0], b[0], w[1], b[1], w[2], b[2]]
        case(name, "MoE", inputs, expected=[y], rtol=1e-3, atol=1e-4, **attributes)
        if name in ("relu", "silu", "normal", "identity", "swiglu"):
            case(f"runtime_{name}", "MoE", inputs, rtol=1e-3, atol=1e-4, **attributes)
    case("batches", "MoE", [x[None].repeat(2, 0), np.tile(scores, (2, 1)), w[0], b[0], w[1], b[1]],
         expected=[mixture(x, scores, w, b, "geglu", 2, dict(k=1))[None].repeat(2, 0)], k=1, activation_type="geglu", swiglu_fusion=2, rtol=1e-3, atol=1e-4)


def bits_of(codes, bits):
    """Codes lowest bits first, rows padded to bytes."""
    spread = (codes[..., None].astype(U8) >> np.arange(bits, dtype=U8)) & 1
    return np.packbits(spread.reshape(*codes.shape[:-1], -1), axis=-1, bitorder="little")


def quantised():
    x, scores = numbers(TOKENS, HIDDEN), numbers(TOKENS, EXPERTS)
    for bits in (2, 3, 4, 8):
        for block in (0, 16, 32):
            for zeros in (False, True):
                for fused in (False, True):
                    w, meant, scales, points = [], [], [], []
                    for shape in shapes(fused, not fused):
                        if shape is None:
                            w.append(None), meant.append(None), scales.append(None), points.append(None)
                            continue
                        codes, blocks = integers(0, 1 << bits, *shape), shape[2] // (block or shape[2])
                        by, at = (np.abs(numbers(*shape[:2], blocks)) * 0.05).astype(F32), integers(0, 1 << bits, *shape[:2], blocks)
                        wide = [np.repeat(v, shape[2] // blocks, 2) for v in (by, at if zeros else np.full_like(at, 1 << bits - 1))]
                        meant.append((codes - wide[1]) * wide[0].astype(F64))
                        w.append(bits_of(codes, bits))
                        scales.append(by if block else by[..., 0])
                        points.append(None if not zeros else bits_of(at, bits) if block else bits_of(at[..., 0], bits))
                    b = [None if v is None else numbers(*v.shape[:2]) for v in w]
                    routing, mixing = dict(k=2, normalise=True), None
                    if bits == 4 and block == 32:
                        mixing = random.random((TOKENS, EXPERTS)).astype(F32)
                        routing["weights"] = mixing
                    kind = "swiglu" if fused else "silu"
                    y = mixture(x, scores, meant, b, kind, int(fused), routing)
                    inputs = [x, scores, w[0], scales[0], b[0], w[1], scales[1], b[1], w[2], scales[2], b[2], *points, mixing]
                    attributes = dict(k=2, expert_weight_bits=bits, normalize_routing_weights=1, activation_type=kind, swiglu_fusion=int(fused),
                                      quant_type="int", weights_prepacked=0)
                    if block:
                        attributes["block_size"] = block
                    case(f"{bits}_{block}_{int(zeros)}_{int(fused)}", "QMoE", inputs, expected=[y], rtol=1e-3, atol=1e-4, **attributes)
                    if fused and bits == 4 and block == 32:
                        case(f"runtime_{bits}_{block}_{int(zeros)}", "QMoE", inputs, rtol=1e-2, atol=1e-2, **attributes)
    floats()


def floats():
    x, scores = numbers(TOKENS, HIDDEN), numbers(TOKENS, EXPERTS)
    attributes = dict(k=2, activation_type="silu")
    routing = dict(k=2)
    for block in (0, 16, 24):
        w, meant, by = [], [], []
        for shape in shapes(False, False)[:2]:
            codes = numbers(*shape).astype(ml_dtypes.float8_e4m3fn)
            size = [1, 1] if not block else [-(-shape[1] // block), -(-shape[2] // block)]
            scale = (np.abs(numbers(EXPERTS, *size)) * 0.2).astype(F32)
            wide = np.repeat(np.repeat(scale, block or shape[1], 1), block or shape[2], 2)[:, :shape[1], :shape[2]]
            w.append(codes), meant.append(codes.astype(F64) * wide), by.append(scale)
        y = mixture(x, scores, [*meant, None], [None] * 3, "silu", 0, routing)
        local, wide = ([by[0], by[1]], [None, None]) if block else ([None, None], [s[:, 0, 0] for s in by])
        case(f"fp8_{block}", "QMoE", [x, scores, w[0], local[0], None, w[1], local[1], None, *[None] * 7, *wide], expected=[y], rtol=1e-3, atol=1e-4,
             quant_type="fp8", block_size=block, expert_weight_bits=8, ir=11, **attributes)
    for name, block, kind, turned in (("fp4", 32, ml_dtypes.float8_e8m0fnu, False), ("nvfp4", 16, ml_dtypes.float8_e4m3fn, True),
                                      ("nvfp4_rows", 16, ml_dtypes.float8_e4m3fn, False)):
        w, meant, by, whole = [], [], [], []
        for shape in shapes(False, False)[:2]:
            codes = integers(0, 16, *shape)
            values = codes.astype(U8).view(U8).astype(I32)
            table = np.array([0, .5, 1, 1.5, 2, 3, 4, 6])
            number = np.where(values & 8, -table[values & 7], table[values & 7])
            scale = (2.0 ** integers(-4, 1, *shape[:2], shape[2] // block)).astype(kind)
            total = (np.abs(numbers(EXPERTS)) * 0.3).astype(F32)
            meant.append(number * np.repeat(scale.astype(F64), block, 2) * total[:, None, None])
            w.append(bits_of(codes.swapaxes(1, 2) if turned else codes, 4)), by.append(scale), whole.append(total)
        y = mixture(x, scores, [*meant, None], [None] * 3, "silu", 0, routing)
        more = {} if name == "fp4" else dict(weights_prepacked=int(not turned))
        case(name, "QMoE", [x, scores, w[0], by[0], None, w[1], by[1], None, *[None] * 7, *whole], expected=[y], rtol=1e-3, atol=1e-4,
             quant_type=name.split("_")[0], ir=13, **attributes, **more)


def lstm():
    types = [TensorProto.FLOAT] * 3
    for dtype, low, high in ((I8, -128, 128), (U8, 0, 256)):
        for direction, count in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
            for columns in (False, True):
                x, hidden, size = numbers(4, 3, 6), 5, 6
                w, r = (integers(low, high, count, n, 4 * hidden, dtype=dtype) for n in (size, hidden))
                shape = (count, 4 * hidden) if columns else (count,)
                by = [(np.abs(numbers(*shape)) * 0.004 + 0.001).astype(F32) for _ in range(2)]
                at = [np.full(shape, 0 if dtype == I8 else 128, dtype) for _ in range(2)]
                b, h, c, p = numbers(count, 8 * hidden), (numbers(count, 3, hidden) * 0.3).astype(F32), numbers(count, 3, hidden), numbers(count, 3 * hidden)
                for name, more in (("plain", [None] * 5), ("all", [b, None, h, c, p]), ("lengths", [b, np.array([4, 2, 3], I32), None, None, None])):
                    case(f"{np.dtype(dtype).name}_{direction}_{int(columns)}_{name}", "DynamicQuantizeLSTM", [x, w, r, *more, by[0], at[0], by[1], at[1]], 3,
                         types=types, constants=[1, 2], hidden_size=hidden, direction=direction, rtol=1e-3, atol=1e-3 if name != "lengths" else 1e-2)


def make_cases():
    plain()
    quantised()
    lstm()
