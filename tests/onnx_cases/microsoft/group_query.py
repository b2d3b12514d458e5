"""GroupQueryAttention and RotaryEmbedding."""
from .case import *


def tables(positions, half):
    angles = np.arange(positions)[:, None] * 0.3 ** np.arange(half)
    return np.cos(angles).astype(F32), np.sin(angles).astype(F32)


def rotary():
    cos, sin = tables(12, 4)
    x, x4 = numbers(2, 3, 16), numbers(2, 3, 5, 8)
    ids = integers(0, 12, 2, 3, dtype=I64)
    for interleaved in (0, 1):
        case(f"rows_{interleaved}", "RotaryEmbedding", [x, ids, cos, sin], interleaved=interleaved)
        case(f"start_{interleaved}", "RotaryEmbedding", [x, np.array([5]), cos, sin], interleaved=interleaved)
        case(f"transposed_{interleaved}", "RotaryEmbedding", [x4, integers(0, 12, 2, 5, dtype=I64), cos, sin], interleaved=interleaved)
        case(f"partial_{interleaved}", "RotaryEmbedding", [numbers(2, 3, 48), ids, cos, sin], num_heads=3, rotary_embedding_dim=8,
             interleaved=interleaved)
    case("partial_transposed", "RotaryEmbedding", [numbers(2, 3, 5, 16), np.array([3]), cos, sin], num_heads=3, rotary_embedding_dim=8)
    case("packed", "RotaryEmbedding", [numbers(1, 7, 16), integers(0, 12, 1, 7, dtype=I64), cos, sin], is_packed_batching=1)
    case("scale", "RotaryEmbedding", [x, ids, cos, sin], scale=2.0)
    half(case, "half", "RotaryEmbedding", [x, ids, cos, sin])


HEADS, KV, SIZE = 4, 2, 16


def shares(scores, bias, softcap, sink):
    if softcap:
        scores = softcap * np.tanh(scores / softcap)
    scores = scores + bias
    e = np.exp(scores)
    return e / (e.sum() + (0 if sink is None else np.exp(sink)))


class Step:
    """One call: what was cached before, what is new, how long each sequence is."""

    def __init__(self, batch=1, past=0, fresh=3, capacity=None, lengths=None, total=None, heads=HEADS, kv=KV, size=SIZE, packed=False):
        self.batch, self.fresh, self.heads, self.kv, self.size = batch, fresh, heads, kv, size
        self.capacity = past if capacity is None else capacity
        self.total = past + fresh if total is None else total
        self.lengths = [self.total] * batch if lengths is None else lengths
        self.q, self.k, self.v = (numbers(batch, fresh, n * size) for n in (heads, kv, kv))
        self.past = [numbers(batch, kv, self.capacity, size) for _ in range(2)] if self.capacity else [None, None]
        self.packed = packed

    def inputs(self, **more):
        names = ["cos", "sin", "ids", "bias", "sink", "k_scale", "v_scale", "q_norm", "k_norm", "rows"]
        qkv = [np.concatenate([self.q, self.k, self.v], -1), None, None] if self.packed else [self.q, self.k, self.v]
        return [*qkv, *more.get("past", self.past), np.array(self.lengths, I32) - 1, np.array([self.total], I32),
                *(more.get(n) for n in names)]

    def keep(self, rows=None, capacity=None):
        """What is not padding of outputs and caches."""
        rows = [min(self.fresh, n) for n in self.lengths] if rows is None else rows
        capacity = max(self.total, self.capacity) if capacity is None else capacity
        y = np.broadcast_to((np.arange(self.fresh) < np.array(rows)[:, None])[..., None],
                            (self.batch, self.fresh, self.heads * self.size))
        cache = (np.arange(capacity) < np.array(self.lengths)[:, None])[:, None, :, None]
        return {0: np.array(y), 1: np.array(cache), 2: np.array(cache)}

    def attributes(self):
        return {"num_heads": self.heads, "kv_num_heads": self.kv}


def gqa(name, step, outputs=3, types=None, keep=True, rows=None, capacity=None, inputs=None, dtype=F32, expected=None, **attributes):
    values = step.inputs(**(inputs or {}))
    types = types or [TensorProto.FLOAT] * outputs
    tolerance = {}
    if dtype == F16:
        values = [v.astype(F16) if v is not None and v.dtype == F32 else v for v in values]
        types, tolerance = [TensorProto.FLOAT16] * outputs, {"rtol": 4e-3, "atol": 4e-3}
    kept = step.keep(rows, capacity) if keep else None
    case(name, "GroupQueryAttention", values, outputs, types, keep=kept, expected=expected, **tolerance, **step.attributes(), **attributes)


def plain():
    cos, sin = tables(32, 8)
    rotary = {"cos": cos, "sin": sin}
    steps = {"prompt": dict(batch=2), "ragged_prompt": dict(batch=3, fresh=4, lengths=[4, 2, 1]), "decode": dict(batch=2, past=5, fresh=1),
             "ragged_decode": dict(batch=3, past=5, fresh=1, lengths=[6, 3, 1]), "chunk": dict(past=5, fresh=3),
             "fixed_prompt": dict(batch=2, fresh=4, capacity=9, lengths=[4, 3]), "fixed_decode": dict(batch=2, past=4, fresh=1, capacity=9),
             "fixed_chunk": dict(past=4, fresh=3, capacity=9), "short_chunk": dict(past=4, fresh=3, capacity=9, lengths=[6])}
    for name, arguments in steps.items():
        for packed in (False, True):
            step = Step(packed=packed, **arguments)
            suffix = f"{name}_packed" if packed else name
            gqa(suffix, step)
            gqa(f"{suffix}_rotary", step, inputs=rotary, do_rotary=1)
            gqa(f"{suffix}_window", step, inputs=rotary, do_rotary=1, local_window_size=2, rotary_interleaved=1)
        bias = numbers(step.batch if step.batch > 1 else 1, HEADS, step.fresh, step.total)
        gqa(f"{name}_bias", step, inputs={"bias": bias})
        gqa(f"{name}_softcap", step, inputs={"bias": bias[:1, :1]}, softcap=1.5, scale=0.4)
        gqa(f"{name}_sink", step, inputs={"sink": numbers(HEADS)})
        gqa(f"{name}_smooth", step, smooth_softmax=1, local_window_size=3)
        gqa(f"{name}_half", step, inputs=rotary, do_rotary=1, dtype=F16)
    cos4, sin4 = tables(32, 4)
    gqa("partial_rotary", Step(past=3, fresh=2, size=32), inputs={"cos": tables(32, 8)[0], "sin": tables(32, 8)[1]}, do_rotary=1)
    gqa("positions_prompt", Step(batch=2), inputs={**rotary, "ids": np.array([[3, 4, 5], [7, 1, 2]])}, do_rotary=1)
    gqa("positions_chunk", Step(past=3, fresh=3), inputs={**rotary, "ids": np.array([[3, 9, 5]])}, do_rotary=1)
    gqa("positions_decode", Step(batch=2, past=3, fresh=1), inputs={**rotary, "ids": np.array([[9], [2]])}, do_rotary=1)
    gqa("one_head", Step(heads=1, kv=1))
    gqa("all_heads", Step(heads=4, kv=4, past=2, fresh=2))
    gqa("both_ways", Step(past=2, fresh=3), causal=0)
    gqa("both_ways_prompt", Step(batch=2, fresh=3), causal=0)
    shared = Step(past=5, fresh=3, total=5)
    shared.k, shared.v = shared.k[:, :0], shared.v[:, :0]
    gqa("shared", shared)
    gqa("shared_rotary", shared, inputs=rotary, do_rotary=1)


def scores():
    for name, arguments in {"prompt": dict(batch=2), "chunk": dict(past=4, fresh=3, capacity=9)}.items():
        step = Step(**arguments)
        bias = numbers(1, 1, step.fresh, step.total)
        for mode in (1, 2):
            gqa(f"scores_{name}_{mode}", step, 4, inputs={"bias": bias}, qk_output=mode, softcap=2.0)


def quantised():
    bits = {4: (TensorProto.UINT8, U8), 8: (TensorProto.INT8, I8)}
    for width, (kind, dtype) in bits.items():
        for mode in ("PER_TENSOR", "PER_CHANNEL"):
            for name, arguments in {"prompt": dict(batch=2), "decode": dict(batch=2, past=5, fresh=1),
                                    "fixed": dict(past=4, fresh=2, capacity=9)}.items():
                step = Step(**arguments)
                shape = (step.batch, KV, step.capacity, SIZE if width == 8 else SIZE // 2)
                low, high = (-128, 128) if width == 8 else (0, 256)
                past = [integers(low, high, *shape, dtype=dtype) for _ in range(2)]
                shape = (1,) if mode == "PER_TENSOR" else (1, KV, 1, SIZE)
                scales = {s: (np.abs(numbers(*shape)) + 0.5).astype(F32) * (0.02 if width == 8 else 0.3) for s in ("k_scale", "v_scale")}
                gqa(f"codes_{width}_{mode}_{name}", step, types=[TensorProto.FLOAT, kind, kind], inputs={"past": past, **scales},
                    k_quant_type=mode, v_quant_type=mode, kv_cache_bit_width=width)


def chunks():
    cos, sin = tables(40, 8)
    for name, arguments, rows in (("chunks", dict(batch=3, fresh=4, capacity=12, lengths=[7, 4, 5], total=12), [3, 4, 1]),
                                  ("idle", dict(batch=2, fresh=1, capacity=6, lengths=[3, 4], total=6), [0, 1])):
        step = Step(**arguments)
        counts = {"rows": np.array(rows, I32)}
        gqa(name, step, inputs=counts, rows=rows)
        gqa(f"{name}_rotary", step, inputs={**counts, "cos": cos, "sin": sin}, rows=rows, do_rotary=1, local_window_size=3)


def windowed():
    cos, sin = tables(40, 8)

    def resident(total, capacity, window):
        step = capacity - window + 1
        return total if total <= capacity else total - step * -(-(total - capacity) // step)

    for window, capacity in ((3, 3), (3, 4), (3, 6), (2, 5)):
        for past, fresh in ((0, 2), (0, 9), (2, 1), (4, 1), (9, 1), (7, 3), (6, 8)):
            step = Step(past=past, fresh=fresh, capacity=capacity)
            kept = resident(past + fresh, capacity, window)
            step_keep = np.array(np.arange(capacity) < kept)[None, None, :, None]
            values = step.inputs(cos=cos, sin=sin, bias=numbers(1, 1, fresh, step.total))
            case(f"sliding_{window}_{capacity}_{past}_{fresh}", "GroupQueryAttention", values, 3, keep={1: step_keep, 2: step_keep},
                 do_rotary=1, local_window_size=window, sliding_window_cache=1, **step.attributes())


def normalised():
    """q_norm_weight and k_norm_weight: not on ONNX Runtime's CPU, so the same call on rows that are normalised before."""
    step, weights = Step(batch=2, past=3, fresh=1), [numbers(SIZE), numbers(SIZE)]

    def norm(x, weight, epsilon):
        heads = x.reshape(*x.shape[:-1], -1, SIZE)
        return (heads / np.sqrt((heads ** 2).mean(-1, keepdims=True) + epsilon) * weight).reshape(x.shape).astype(F32)

    for name, epsilons, attributes in (("norm", (1e-6, 1e-6), {}), ("norm_epsilon", (0.1, 0.1), {"qk_norm_epsilon": 0.1}),
                                       ("norm_epsilons", (0.2, 0.3), {"q_norm_epsilon": 0.2, "k_norm_epsilon": 0.3})):
        before = Step(batch=2, past=3, fresh=1)
        before.q, before.k, before.v, before.past = norm(step.q, weights[0], epsilons[0]), norm(step.k, weights[1], epsilons[1]), step.v, \
            step.past
        model = make("GroupQueryAttention", before.inputs()[:7], ["y0", "y1", "y2"], [TensorProto.FLOAT] * 3, (), None, 10, step.attributes())
        expected = by_runtime(model, {f"x{i}": v for i, v in enumerate(before.inputs()[:7])})
        gqa(name, step, inputs={"q_norm": weights[0], "k_norm": weights[1]}, expected=expected, keep=False, **attributes)


def make_cases():
    rotary()
    plain()
    scores()
    quantised()
    chunks()
    windowed()
    normalised()
