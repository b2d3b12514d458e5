"""Operators of com.microsoft that standard ones nearly have: fused ones, layouts, tensors, text, tokens."""
from .case import *

STRING = TensorProto.STRING


def fused_matmul():
    for name, a, b, attributes in (
            ("plain", (4, 5), (5, 3), {}), ("alpha", (4, 5), (5, 3), dict(alpha=0.3)), ("turned", (5, 4), (3, 5), dict(transA=1, transB=1)),
            ("batch", (2, 4, 5), (2, 5, 3), {}), ("batch_turned", (2, 5, 4), (2, 3, 5), dict(transA=1, transB=1, alpha=2.0)),
            ("spread", (2, 1, 4, 5), (3, 3, 5), dict(transB=1)), ("batch_a", (4, 2, 5), (2, 5, 3), dict(transBatchA=1)),
            ("batch_b", (2, 4, 5), (5, 2, 3), dict(transBatchB=1)), ("batch_both", (4, 2, 3, 5), (5, 2, 3, 7), dict(transBatchA=1, transBatchB=1)),
            ("batch_a_turned", (5, 2, 4), (2, 5, 3), dict(transBatchA=1, transA=1)),
            ("batch_b_turned", (2, 4, 5), (3, 2, 5), dict(transBatchB=1, transB=1)), ("vector", (5,), (5, 3), {}), ("dot", (5,), (5,), dict(alpha=3.0))):
        x, y = numbers(*a), numbers(*b)
        case(name, "FusedMatMul", [x, y], **attributes)
        if not any(k.startswith("transBatch") for k in attributes):
            case(name, "TransposeMatMul", [x, y], **attributes)
    case("double", "FusedMatMul", [numbers(3, 4, dtype=F64), numbers(4, 2, dtype=F64)], alpha=0.5)
    x, y = numbers(2, 3, 4), numbers(4, 5)
    product = x.astype(F64) @ y * 0.5
    for name, value in (("Relu", np.maximum(product, 0)), ("Tanh", np.tanh(product)), ("LeakyRelu", np.where(product < 0, product * 0.2, product)),
                        ("Softmax", softmax(product)), ("Selu", 1.3 * np.where(product > 0, product, 0.2 * (np.exp(product) - 1)))):
        more = {"LeakyRelu": dict(activation_alpha=0.2), "Softmax": dict(activation_axis=-1), "Selu": dict(activation_alpha=0.2, activation_gamma=1.3)}
        case(name, "FusedMatMulActivation", [x, y], expected=[value.astype(F32)], alpha=0.5, activation=name, **more.get(name, {}))
    for name, more in (("Relu", {}), ("LeakyRelu", dict(activation_alpha=0.3)), ("Sigmoid", {}), ("Tanh", {}), ("Elu", dict(activation_alpha=0.7)),
                       ("HardSigmoid", dict(activation_alpha=0.3, activation_beta=0.4)), ("Softplus", {}), ("Softsign", {}),
                       ("ThresholdedRelu", dict(activation_alpha=0.4))):
        case(name, "FusedGemm", [numbers(3, 4), numbers(5, 4), numbers(5)], transB=1, alpha=0.7, beta=1.2, activation=name, **more)
    case("turned", "FusedGemm", [numbers(4, 3), numbers(4, 5)], transA=1, activation="Relu")


def convolutions():
    x, w, b = numbers(2, 4, 7, 6), numbers(6, 2, 3, 3), numbers(6)
    place = dict(group=2, pads=[1, 1, 1, 1])
    for name, more in (("Relu", {}), ("Tanh", {}), ("Sigmoid", {}), ("LeakyRelu", dict(activation_params=[0.2])),
                       ("Clip", dict(activation_params=[-0.5, 0.7])), ("HardSigmoid", dict(activation_params=[0.3, 0.4]))):
        case(name, "FusedConv", [x, w, b], activation=name, **place, **more)
    case("sum", "FusedConv", [x, w, b, numbers(2, 6, 7, 6)], activation="Relu", **place)
    case("sum_no_bias", "FusedConv", [x, w, None, numbers(2, 6, 7, 6)], **place)
    case("line", "FusedConv", [numbers(1, 3, 9), numbers(4, 3, 2)], activation="Relu", strides=[2], dilations=[3])

    def plain(inputs, **attributes):
        model = make("FusedConv", inputs, ["y0"], [TensorProto.FLOAT], (), None, 10, attributes)
        return by_runtime(model, {f"x{i}": v for i, v in enumerate(inputs) if v is not None})[0]

    def last(v):
        return np.ascontiguousarray(np.moveaxis(v, 1, -1))
    case("plain", "NhwcConv", [last(x), w, b], expected=[last(plain([x, w, b], **place))], **place)
    z = numbers(2, 6, 7, 6)
    case("plain", "NhwcFusedConv", [last(x), w, b, last(z)], expected=[last(plain([x, w, b, z], activation="Relu", **place))], activation="Relu", **place)
    for name, more in (("plain", {}), ("strides", dict(strides=[2, 3], output_padding=[1, 0], dilations=[1, 2]))):
        case(name, "ConvTransposeWithDynamicPads", [numbers(1, 3, 5, 4), numbers(3, 4, 3, 3), np.array([1, 0, 0, 2], I64), numbers(4)], **more)


def standard():
    x = numbers(3, 4, 5)
    for axis in (0, 2, -1):
        case(f"{axis}", "ExpandDims", [x, np.array(axis, I32)])
    case("plain", "GatherND", [x, integers(0, 3, 2, 6, 2, dtype=I64)])
    case("rows", "GatherND", [x, integers(0, 3, 4, 1, dtype=I32)])
    table, rows = numbers(6, 3), integers(0, 6, 2, 4, dtype=I64)
    case("plain", "TorchEmbedding", [table, rows, np.array(2, I64)], expected=[table[rows]])
    grid = (random.random((2, 4, 3, 2)) * 2.6 - 1.3).astype(F32)
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            for corners in (0, 1):
                case(f"{mode}_{padding}_{corners}", "GridSample", [numbers(2, 3, 5, 6), grid], mode=mode, padding_mode=padding, align_corners=corners)
    for mode in ("constant", "reflect", "edge"):
        case(mode, "Pad", [x, np.array([0, 1, 2, 1, 0, 1], I64), *([np.array([0.7], F32)] if mode == "constant" else [])], mode=mode)
        case(f"row_{mode}", "Pad", [x, np.array([[0, 1, 2, 1, 0, 1]], I64)], mode=mode)
    for dtype in (F32, F64, I32, I64, np.int16):
        case(f"{np.dtype(dtype).name}", "Range", [np.array(1, dtype), np.array(11, dtype), np.array(3, dtype)])
        case(f"one_{np.dtype(dtype).name}", "Range", [np.array([1], dtype), np.array([5], dtype)])
    kinds = [TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT64]
    case("plain", "Unique", [np.array([2, 1, 1, 3, 4, 3, 2.5, -1, 2], F32)], 3, types=kinds)
    for upper in (0, 1):
        for k in (None, 1, -2):
            case(f"{upper}_{k}", "Trilu", [numbers(2, 4, 5), None if k is None else np.array(k, I64)], upper=upper)
    case("default", "Trilu", [integers(0, 9, 4, 4, dtype=I64)])
    for dim, size, step in ((-1, 2, 1), (0, 3, 1), (1, 2, 2)):
        case(f"{dim}_{size}_{step}", "UnfoldTensor", [x], dim=dim, size=size, step=step)
    matrices = numbers(2, 4, 4) + 3 * np.eye(4, dtype=F32)
    case("plain", "Inverse", [matrices])
    case("one", "Inverse", [matrices[0].astype(F64)])
    case("pivot", "Inverse", [np.array([[0, 2], [3, 0]], F32)])


def maths():
    a, b = numbers(3, 1, 4, 2), numbers(5, 4, 2)
    z, w = a[..., 0].astype(np.complex128) + 1j * a[..., 1], b[..., 0].astype(np.complex128) + 1j * b[..., 1]
    for op, v in (("ComplexMul", z * w), ("ComplexMulConj", z * w.conj())):
        case("plain", op, [a, b], expected=[np.stack([v.real, v.imag], -1).astype(F32)])
    x = numbers(2, 3, 4, 5)
    for name, bias, axis, inner in (("inner", (2, 1, 4, 5), 2, 1), ("outer", (1, 3, 4, 5), 2, 0), ("last", (2, 1, 1, 5), 3, 1), ("rows", (4, 5), 2, 0)):
        added = numbers(*bias)
        y = (x.astype(F64) + added).reshape(*x.shape[:axis], -1)
        case(name, "BiasSoftmax", [x, added], expected=[softmax(y).reshape(x.shape).astype(F32)], axis=axis, is_inner_broadcast=inner)
    u, v = numbers(4, 6), numbers(5, 6)
    for metric in ("sqeuclidean", "euclidean"):
        case(metric, "CDist", [u, v], metric=metric)
        case(f"double_{metric}", "CDist", [u.astype(F64), v.astype(F64)], metric=metric)
    far = u[:, None].astype(F64) - v
    turn = [u[:, None].astype(F64), v[None].astype(F64)]
    middle = [t - t.mean(-1, keepdims=True) for t in turn]

    def angle(p, q):
        return 1 - (p * q).sum(-1) / np.sqrt((p * p).sum(-1) * (q * q).sum(-1))
    for metric, y in {"cityblock": np.abs(far).sum(-1), "chebyshev": np.abs(far).max(-1), "cosine": angle(*turn), "correlation": angle(*middle),
                      "canberra": (np.abs(far) / (np.abs(turn[0]) + np.abs(turn[1]))).sum(-1), "hamming": np.ones((4, 5)),
                      "braycurtis": np.abs(far).sum(-1) / np.abs(turn[0] + turn[1]).sum(-1)}.items():
        case(metric, "CDist", [u, v], expected=[y.astype(F32)], metric=metric)
    for name, value in (("fine", 1.0), ("inf", np.inf), ("nan", np.nan)):
        for more in ({}, dict(isinf_only=1), dict(isnan_only=1)):
            fine = np.isfinite(value) or (more.get("isinf_only") and np.isnan(value)) or (more.get("isnan_only") and np.isinf(value))
            case(f"{name}{''.join(more)}", "IsAllFinite", [numbers(3), np.array([2, value], F32)], types=[TensorProto.BOOL],
                 expected=[np.array(bool(fine))], **more)
    for n in (8, 6, 10):
        x = numbers(2, 3, n)
        case(f"{n}", "Rfft", [x], expected=[np.stack([(f := np.fft.rfft(x)).real, f.imag], -1).astype(F32)], signal_ndim=1, onesided=1, normalized=0)
        case(f"{n}", "Irfft", [np.stack([f.real, f.imag], -1).astype(F32)], expected=[x], signal_ndim=1, onesided=1, normalized=0)
        f = np.fft.rfftn(x, axes=(1, 2))
        case(f"plane_{n}", "Rfft", [x], expected=[np.stack([f.real, f.imag], -1).astype(F32)], signal_ndim=2)
        case(f"plane_{n}", "Irfft", [np.stack([f.real, f.imag], -1).astype(F32)], expected=[x], signal_ndim=2)


def images():
    x = numbers(2, 3, 6, 7)
    rois = np.array([[0, 0, 1, 1], [0.2, 0.1, 0.7, 0.9], [-0.3, 0.5, 0.5, 1.4], [0.9, 0.8, 0.1, 0.2]], F32)
    for mode in ("bilinear", "nearest"):
        for size in ((3, 4), (1, 1), (5, 1)):
            case(f"{mode}_{size[0]}{size[1]}", "CropAndResize", [x, rois, np.array([0, 1, 1, 0], I32), np.array(size, I32)], mode=mode,
                 extrapolation_value=0.7)
    mask = np.array(random.random((1, 1, 6, 7)) > 0.15, I32)
    mask[..., 0] = 1
    for name, more in (("plain", dict(kernel_shape=[2, 3])), ("pads", dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]))):
        case(name, "MaxpoolWithMask", [x, mask], **more)
    table = numbers(8, 3)
    for both in (0, 1):
        for length in (4, 40):
            place = np.arange(length)
            far = place[None] - place[:, None]
            count, first = 8, np.zeros_like(far)
            if both:
                count, first = 4, np.where(far > 0, 4, 0)
            size = np.abs(far)
            exact = count // 2
            with np.errstate(divide="ignore"):
                large = exact + (np.log(np.maximum(size, 1).astype(F32) / F32(exact)) / np.log(F32(20 / exact)) * F32(count - exact)).astype(I64)
            bucket = first + np.where(size < exact, size, np.minimum(large, count - 1))
            y = table.reshape(3, 8)[:, bucket][None]
            case(f"{both}_{length}", "RelativePositionBias", [table, np.array([length], I64), np.array([length], I64)], types=[TensorProto.FLOAT],
                 expected=[y], is_bidirectional=both, max_distance=20)
    q, q_bias, rel, w, bias, eco = numbers(2, 5, 12), numbers(12), numbers(1, 3, 5, 5), numbers(4, 8), numbers(8), numbers(1, 3, 1, 1)
    heads = (q + q_bias).astype(F64).reshape(2, 5, 3, 4).transpose(0, 2, 1, 3)
    gates = 1 / (1 + np.exp(-(heads @ w + bias).reshape(2, 3, 5, 2, 4).sum(-1)))
    y = (gates[..., :1] * (gates[..., 1:] * eco - 1) + 2) * rel
    case("plain", "GatedRelativePositionBias", [q, q_bias, rel, w, bias, eco], expected=[y.astype(F32)], num_heads=3)
    offsets = np.array([[0, 1, 2, 5, 6], [7, 8, 3, 4, 9]], I32)
    kept = np.array([1, 1, 1, 0, 0, 1, 1, 1, 1, 0], bool)
    padded = y * kept.reshape(2, 1, 5, 1)
    rows = q.reshape(10, 12)[[0, 1, 2, 5, 6, 7, 8]]
    case("tokens", "GatedRelativePositionBias", [rows, q_bias, rel, w, bias, eco, offsets], expected=[padded.astype(F32)], num_heads=3)


def texts():
    kinds = {0: TensorProto.INT32, 1: TensorProto.UINT32}
    for positive in (0, 1):
        for seed in (0, 42):
            for dtype in (I32, np.uint32, I64, F32, F64):
                case(f"{np.dtype(dtype).name}_{positive}_{seed}", "MurmurHash3", [integers(-99999 * (dtype != np.uint32), 99999, 7).astype(dtype)],
                     types=[kinds[positive]], positive=positive, seed=seed)
            words = np.array(["", "a", "ab", "abc", "abcd", "abcde", "온돌", "the quick brown fox"], object)
            case(f"text_{positive}_{seed}", "MurmurHash3", [words], types=[kinds[positive]], positive=positive, seed=seed)
    words = np.array([[5, 3, 2, 0, 0, 0], [1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0]], I32)
    case("plain", "WordConvEmbedding", [words, numbers(5, 1, 3, 4), numbers(5), numbers(7, 4)], types=[TensorProto.FLOAT],
         embedding_size=5, conv_window_size=3, char_embedding_size=4)
    source, current = np.array([2, 3, 4, 5, 3, 9, 7], I64), np.array([2], I64)
    kinds = [TensorProto.INT64] * 2
    for name, predicted, start in (("all", [2, 3, 4, 5, 3, 9, 7, 1], 0), ("some", [2, 3, 8, 5, 3, 9, 7, 1], 0), ("later", [5, 3, 9, 8, 1], 3), ("none", None, 0)):
        for low, high in ((1, 3), (2, 5), (1, 1)):
            case(f"{name}_{low}{high}", "BifurcationDetector", [source, current, np.array([start], I64), None if predicted is None else np.array(predicted, I64)],
                 2, types=kinds, min_ngram_size=low, max_ngram_size=high)
    ids = integers(0, 4, 3, 12, dtype=I64)
    for n in (1, 2, 3, 4, 13):
        case(f"{n}", "NGramRepeatBlock", [ids, numbers(3, 5)], types=[TensorProto.FLOAT], ngram_size=n)


def tokens():
    words = np.array([["Hello World", "I love  computer science !"], ["", "온돌 is warm, and small"]], object)
    for name, more in {"space": dict(separators=[" "]), "several": dict(separators=["[ ,]+", "o"]), "short": dict(separators=[" "], mincharnum=3),
                       "characters": dict(separators=[""]), "dot": dict(tokenexp="."), "token": dict(tokenexp="[a-z]+"),
                       "token_short": dict(tokenexp="[a-z]+|[A-Z]", mincharnum=2), "longest": dict(tokenexp="l|lo|love")}.items():
        for mark in (0, 1):
            attributes = dict(mark=mark, pad_value="#", mincharnum=1)
            attributes.update(more)
            case(f"{name}_{mark}", "Tokenizer", [words], types=[STRING], **attributes)
            case(f"{name}_{mark}_row", "Tokenizer", [words[0]], types=[STRING], **attributes)
    case("nothing", "Tokenizer", [np.array([" ", "  "], object)], types=[STRING], separators=[" "], mark=1, pad_value="", mincharnum=1)


def make_cases():
    tokens()
    fused_matmul()
    convolutions()
    standard()
    maths()
    images()
    texts()
