"""PagedAttention, which ONNX Runtime has for GPUs alone: in numpy."""
from .case import *

HEADS, KV, SIZE, BLOCK = 4, 2, 8, 4
CODES = {"int8": (I8, -128, 127), "int4": (U8, -8, 7)}


class Pages:
    """Sequences of past lengths and new rows over a cache whose pages lie in no order."""

    def __init__(self, past, fresh, kv=KV, size=SIZE, dtype=F32, width=None):
        self.past, self.fresh, self.kv, self.size = past, fresh, kv, size
        tokens, pages = sum(fresh), max(-(-(p + f) // BLOCK) for p, f in zip(past, fresh))
        self.blocks = len(past) * pages + 2
        self.table = random.permutation(self.blocks)[:len(past) * pages].reshape(len(past), pages).astype(I32)
        self.q, self.k, self.v = numbers(tokens, HEADS * size, dtype=dtype), numbers(tokens, kv * size, dtype=dtype), numbers(tokens, kv * size, dtype=dtype)
        self.caches = [numbers(self.blocks, BLOCK, kv, width or size, dtype=dtype) for _ in range(2)]
        self.cumulative = np.concatenate([[0], np.cumsum(fresh)]).astype(I32)

    def slots(self):
        return np.array([self.table[b, t // BLOCK] * BLOCK + t % BLOCK for b, (p, f) in enumerate(zip(self.past, self.fresh))
                         for t in range(p, p + f)], I32)


def turn(x, position, cos, sin, interleaved, offset):
    half, y = cos.shape[1], x.copy()
    a, b = ((slice(offset, offset + 2 * half, 2), slice(offset + 1, offset + 2 * half, 2)) if interleaved
            else (slice(offset, offset + half), slice(offset + half, offset + 2 * half)))
    y[..., a] = x[..., a] * cos[position] - x[..., b] * sin[position]
    y[..., b] = x[..., b] * cos[position] + x[..., a] * sin[position]
    return y


def attend(p, cos=None, sin=None, interleaved=0, offset=0, window=0, causal=True, cap=0.0, sink=None, norms=None, slots=None, scale=None, v_size=None,
           load=None, store=None):
    """The result and both caches, in float64."""
    size = p.size
    load, store = load or (lambda i, x: x.astype(F64)), store or (lambda i, x: x)
    q, k, v = (x.astype(F64).reshape(len(x), -1, size) for x in (p.q, p.k, p.v))
    if norms:
        q, k = (x / np.sqrt((x ** 2).mean(-1, keepdims=True) + 1e-6) * w for x, w in zip((q, k), norms))
    caches, at = [c.copy() for c in p.caches], p.slots() if slots is None else slots
    y, row = np.zeros((len(q), HEADS, v_size or size)), 0
    places = [t for past, f in zip(p.past, p.fresh) for t in range(past, past + f)]
    if cos is not None:
        q = np.stack([turn(x, t, cos, sin, interleaved, offset) for x, t in zip(q, places)])
        k = np.stack([turn(x, t, cos, sin, interleaved, offset) for x, t in zip(k, places)])
    for i, new in enumerate((k, v)):
        flat = caches[i].reshape(-1, *caches[i].shape[2:])
        for s, x in zip(at, new):
            if s >= 0:
                flat[s] = store(i, x)
    for b, (past, fresh) in enumerate(zip(p.past, p.fresh)):
        total = past + fresh
        mine = [np.array([p.table[b, t // BLOCK] * BLOCK + t % BLOCK for t in range(total)], int)] * 2
        keys, values = (load(i, c.reshape(-1, *c.shape[2:])[m]) for i, (c, m) in enumerate(zip(caches, mine)))
        if v_size:
            values = keys[..., :v_size]
        for r in range(row, row + fresh):
            t = places[r]
            seen = np.arange(total)
            seen = seen[(seen <= t) | (not causal)]
            seen = seen[(seen > t - window) | (not window)]
            seen = np.array([s for s in seen if p.table[b, s // BLOCK] >= 0], int)
            for h in range(HEADS):
                score = keys[seen, h // (HEADS // p.kv)] @ q[r, h] * (scale or size ** -0.5)
                score = cap * np.tanh(score / cap) if cap else score
                share = softmax(np.append(score, sink[h]))[:-1] if sink is not None else softmax(score)
                y[r, h] = share @ values[seen, h // (HEADS // p.kv)]
        row += fresh
    return y.reshape(len(q), -1).astype(p.q.dtype), *caches


def case_of(name, p, expected, extras=None, packed=False, latent=False, rtol=1e-4, atol=1e-5, **attributes):
    inputs = [np.concatenate([p.q, p.k, p.v], 1) if packed else p.q, None if packed else p.k, None if packed or latent else p.v, p.caches[0],
              None if latent else p.caches[1], p.cumulative, np.array(p.past, I32), p.table, *[None] * 9]
    for i, v in (extras or {}).items():
        inputs[i] = v
    outputs = 2 if latent else 3
    case(name, "PagedAttention", inputs, outputs, types=[type_of(e) for e in expected[:outputs]], expected=list(expected[:outputs]), rtol=rtol, atol=atol,
         num_heads=HEADS, kv_num_heads=p.kv, **attributes)


def make_cases():
    for dtype, near in ((F16, dict(rtol=4e-3, atol=4e-3)),):
        def pages(*a, **k):
            return Pages(*a, dtype=dtype, **k)
        angle = np.arange(20)[:, None] * 10000.0 ** (-np.arange(SIZE // 2) / (SIZE // 2))
        cos, sin = np.cos(angle).astype(dtype), np.sin(angle).astype(dtype)
        for name, past, fresh in (("prompt", [0, 0], [5, 3]), ("decode", [6, 3, 9], [1, 1, 1]), ("mixed", [0, 7, 2], [4, 1, 3]), ("idle", [4, 2], [0, 2])):
            p = pages(past, fresh)
            case_of(name, p, attend(p), **near)
            case_of(f"{name}_packed", p, attend(p), packed=True, **near)
            case_of(f"{name}_window", p, attend(p, window=3), local_window_size=3, **near)
            case_of(f"{name}_all", p, attend(p, causal=False, cap=1.5), is_causal=0, softcap=1.5, **near)
            for interleaved in (0, 1):
                case_of(f"{name}_rotary_{interleaved}", p, attend(p, cos, sin, interleaved), {8: cos, 9: sin}, do_rotary=1, rotary_interleaved=interleaved,
                        **near)
            sink, norms = numbers(HEADS, dtype=dtype), [numbers(SIZE, dtype=dtype) for _ in range(2)]
            case_of(f"{name}_sink", p, attend(p, sink=sink, scale=0.5), {11: sink}, scale=0.5, **near)
            case_of(f"{name}_norm", p, attend(p, norms=norms), {12: norms[0], 13: norms[1]}, **near)
            slots = p.slots()
            slots[::2] = -1
            case_of(f"{name}_slots", p, attend(p, slots=slots), {10: slots}, **near)
        p = pages([0, 9], [6, 2])
        p.table[1, 1] = -1
        case_of("unmapped", p, attend(p), **near)
        quantised(near)
        p = pages([3, 5], [2, 1], kv=1, size=16)
        case_of("latent", p, attend(p, cos[:, :2], sin[:, :2], offset=8, v_size=8, scale=0.3), {8: cos[:, :2].copy(), 9: sin[:, :2].copy()}, latent=True,
                kv_cache_layout="LATENT", v_head_size=8, scale=0.3, do_rotary=1, rotary_offset=8, **near)


def quantised(near):
    for kind, (dtype, low, high) in CODES.items():
        for mode in ("PER_TENSOR", "PER_CHANNEL"):
            p = Pages([0, 6], [5, 2], dtype=F16)
            codes = [integers(low, high + 1, p.blocks, BLOCK, KV, SIZE) for _ in range(2)]
            scales = [(np.abs(numbers(*((1,) if mode == "PER_TENSOR" else (KV, 1, SIZE)))) * 0.02 + 0.01).astype(F32) * (1 if kind == "int8" else 16)
                      for _ in range(2)]
            wide = [s.reshape(-1, SIZE) if s.size > 1 else s for s in scales]

            def pack(v):
                return v.astype(I8) if kind == "int8" else ((v[..., ::2] + 8) | (v[..., 1::2] + 8) << 4).astype(U8)

            def load(i, v):
                v = v.astype(I32)
                return (v if kind == "int8" else np.stack([v & 15, v >> 4], -1).reshape(*v.shape[:-1], -1) - 8) * wide[i].astype(F64)

            def store(i, v):
                return pack(np.clip(np.rint(v / wide[i].astype(F64)), low, high).astype(I32))
            p.caches = [pack(c) for c in codes]
            case_of(f"{kind}_{mode}", p, attend(p, load=load, store=store), {14: scales[0], 15: scales[1]}, k_quant_type=mode, v_quant_type=mode,
                    k_cache_dtype=kind, v_cache_dtype=kind, **near)
