"""Normalisation and Gelu, with what is fused with them."""
from math import erf

from .case import *


def skip_norms():
    x, skip, gamma, beta, bias = numbers(2, 3, 12), numbers(2, 3, 12), numbers(12), numbers(12), numbers(12)
    for simple, op in ((0, "SkipLayerNormalization"), (1, "SkipSimplifiedLayerNormalization")):
        scale = [gamma] if simple else [gamma, beta]
        kinds = [TensorProto.FLOAT] * 4
        case("plain", op, [x, skip, *scale])
        case("bias", op, [x, skip, *scale, bias], 4, epsilon=0.1, types=kinds)
        case("sum", op, [x, skip, *scale], ["y0", "", "", "y3"], types=kinds)
        case("one_skip", op, [x, skip[:1], *scale, bias])
        case("inner_skip", op, [x, skip[0], *scale])
        case("rows", op, [x[0], skip[0], *scale])
        half(case, "half", op, [x, skip, *scale, bias], ["y0", "", "", "y3"], types=[TensorProto.FLOAT16] * 4)
    case("no_beta", "SkipLayerNormalization", [x, skip, gamma, None, bias], ["y0", "", "", "y3"], types=[TensorProto.FLOAT] * 4)


def embed_norms():
    ids, segments, mask = integers(0, 7, 2, 4), integers(0, 2, 2, 4), np.array([[1, 1, 1, 0], [1, 0, 0, 0]], I32)
    words, places, parts, gamma, beta = numbers(7, 8), numbers(6, 8), numbers(2, 8), numbers(8), numbers(8)
    kinds = [TensorProto.FLOAT, TensorProto.INT32, TensorProto.FLOAT]
    op = "EmbedLayerNormalization"
    case("plain", op, [ids, segments, words, places, parts, gamma, beta], 2, types=kinds[:2])
    case("mask", op, [ids, segments, words, places, parts, gamma, beta, mask], 3, types=kinds, epsilon=1e-3)
    case("no_segments", op, [ids, None, words, places, None, gamma, beta, mask], 2, types=kinds[:2])
    case("places", op, [ids, segments, words, places, parts, gamma, beta, mask, integers(0, 6, 2, 4)], 3, types=kinds)
    case("shared_places", op, [ids, segments, words, places, parts, gamma, beta, None, integers(0, 6, 1, 4)], 2, types=kinds[:2])


def group_norms():
    def norm(x, groups, gamma, beta, epsilon, last):
        x = x.astype(F64)
        first = x if not last else np.moveaxis(x, -1, 1)
        parts = first.reshape(first.shape[0], groups, -1)
        y = ((parts - parts.mean(-1, keepdims=True)) / np.sqrt(parts.var(-1, keepdims=True) + epsilon)).reshape(first.shape)
        y = y * gamma[:, None, None] + beta[:, None, None]
        return np.moveaxis(y, 1, -1) if last else y

    gamma, beta, bias = numbers(6), numbers(6), numbers(6)
    for last in (0, 1):
        shape = (2, 4, 5, 6) if last else (2, 6, 4, 5)
        x, skip = numbers(*shape), numbers(*shape)
        for activation in (0, 1):
            def out(v, epsilon=1e-5):
                y = norm(v, 3, gamma, beta, epsilon, last)
                return (y / (1 + np.exp(-y)) if activation else y).astype(F32)
            name = f"{last}_{activation}"
            attributes = dict(groups=3, activation=activation, channels_last=last)
            case(name, "GroupNorm", [x, gamma, beta], expected=[out(x)], **attributes)
            case(name, "SkipGroupNorm", [x, gamma, beta, skip], 2, expected=[out(x + skip), x + skip], **attributes)
            channel = numbers(2, 6)
            wide = channel[:, None, None] if last else channel[..., None, None]
            total = x + wide + (bias if last else bias[:, None, None])
            case(f"{name}_channels", "SkipGroupNorm", [x, gamma, beta, channel, bias], 2, expected=[out(total, 0.01), total], epsilon=0.01,
                 **attributes)
            case(f"{name}_wide", "SkipGroupNorm", [x, gamma, beta, np.ascontiguousarray(wide), bias], 1, expected=[out(total)], **attributes)


def gelus():
    x, bias = (numbers(2, 3, 8) * 2).astype(F32), numbers(8)
    for op in ("Gelu", "QuickGelu", "FastGelu"):
        case("plain", op, [x])
        case("half", op, [x.astype(F16)], expected=[by_runtime(make(op, [x], ["y0"], [1], (), None, 10, {}), {"x0": x})[0].astype(F16)],
             rtol=4e-3, atol=4e-3)
    case("alpha", "QuickGelu", [x], alpha=0.8)
    case("bias", "FastGelu", [x, bias])
    case("plain", "BiasGelu", [x, bias])
    exact = np.vectorize(lambda v: v * (1 + erf(v / np.sqrt(2))) / 2)
    left, right = np.split(x + bias, 2, -1)
    case("plain", "BiasSplitGelu", [x, bias], expected=[(left * exact(right)).astype(F32)])
    skip, w = numbers(2, 3, 8), numbers(8, 5)
    case("plain", "BiasAdd", [x, bias, skip], expected=[x + bias + skip])
    for added in (None, numbers(5)):
        y = x.astype(F64) @ w + (0 if added is None else added)
        y = y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y ** 3))) / 2
        case("plain" if added is None else "bias", "GemmFastGelu", [x, w, added], expected=[y.astype(F32)])


def make_cases():
    skip_norms()
    embed_norms()
    group_norms()
    gelus()
