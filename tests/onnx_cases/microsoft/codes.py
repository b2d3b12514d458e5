"""Operators on codes of 8 bits and fewer: QLinear..., products of integers, GatherBlockQuantized."""
import ml_dtypes

from .case import *

BOTH = (("u", U8, 0, 256), ("i", I8, -128, 128))


def scale(v):
    return np.array(v, F32)


def codes(kind, *shape):
    _, dtype, low, high = kind
    return integers(low, high, *shape, dtype=dtype)


def zero(kind, v):
    return np.array(v - (128 if kind[1] == I8 else 0), kind[1])


def quantise(v, by, at, dtype):
    limits = np.iinfo(dtype)
    return np.clip(np.rint(v / F64(by)) + at, limits.min, limits.max).astype(dtype)


def no_zeros(name, op, inputs, **attributes):
    """Zero points left out: as zeros, since the runtime refuses that."""
    given = [np.zeros((), inputs[0].dtype) if v is None else v for v in inputs]
    if len(given) != 5 and len(given) != 8:
        given.append(np.zeros((), inputs[0].dtype))
    model = make(op, given, ["y0"], [type_of(inputs[0])], (), None, 10, attributes)
    case(name, op, inputs, expected=by_runtime(model, {f"x{i}": v for i, v in enumerate(given)}), **attributes)


def elementwise():
    for kind in BOTH:
        z, types = kind[0], [type_of(np.zeros(1, kind[1]))]
        for op in ("QLinearAdd", "QLinearMul"):
            for name, a, b in (("same", (3, 37), (3, 37)), ("row", (4, 70), (70,)), ("scalar", (2, 3, 5), ()), ("spread", (4, 1, 6), (3, 1)),
                               ("empty", (0, 3), (3,))):
                case(f"{name}_{z}", op, [codes(kind, *a), scale(0.037), zero(kind, 120), codes(kind, *b), scale(0.051), zero(kind, 131),
                                         scale(0.093 if op == "QLinearAdd" else 0.41), zero(kind, 126)])
            no_zeros(f"no_zeros_{z}", op, [codes(kind, 5, 9), scale(0.037), None, codes(kind, 5, 9), scale(0.051), None, scale(0.12)])
        for op in ("QLinearSigmoid", "QLinearLeakyRelu"):
            case(f"plain_{z}", op, [codes(kind, 2, 150), scale(0.043), zero(kind, 110), scale(0.0041 if op == "QLinearSigmoid" else 0.031),
                                    zero(kind, 5)])
            no_zeros(f"no_zeros_{z}", op, [codes(kind, 256), scale(0.043), None, scale(0.0041)])
        case(f"alpha_{z}", "QLinearLeakyRelu", [codes(kind, 2, 150), scale(0.043), zero(kind, 110), scale(0.031), zero(kind, 60)], alpha=0.3)
        for axis in (-1, 1, 0):
            for opset in (11, 13):
                case(f"{axis}_{opset}_{z}", "QLinearSoftmax", [codes(kind, 3, 4, 5), scale(0.043), zero(kind, 128), scale(1 / 256),
                                                                zero(kind, 0)], axis=axis, opset=opset)
        for name, c, x, y in (("same", (4, 9), (4, 9), (4, 9)), ("spread", (3, 1, 1), (1, 4, 1), (5,)), ("one", (2, 3), (), (2, 3))):
            case(f"{name}_{z}", "QLinearWhere", [random.random(c) > 0.5, codes(kind, *x), scale(0.043), zero(kind, 110), codes(kind, *y),
                                                 scale(0.021), zero(kind, 140), scale(0.05), zero(kind, 126)], types=types)
        for axis in (0, 1, -1):
            shapes = [[2, 3, 4] for _ in range(3)]
            for i, s in enumerate(shapes):
                s[axis] += i
            parts = [[codes(kind, *s), scale(0.02 * (i + 1)), zero(kind, 120 + 3 * i)] for i, s in enumerate(shapes)]
            case(f"{axis}_{z}", "QLinearConcat", [scale(0.04), zero(kind, 123), *sum(parts, [])], types=types, axis=axis)
        a, b = codes(kind, 3, 4), codes(kind, 4)
        wide = [v.astype(I32) for v in (a, b)]
        case(f"plain_{z}", "MulInteger", [a, zero(kind, 100), b, zero(kind, 130)],
             expected=[(wide[0] - int(zero(kind, 100))) * (wide[1] - int(zero(kind, 130)))], types=[TensorProto.INT32])
        case(f"no_zeros_{z}", "MulInteger", [a, None, b], expected=[wide[0] * wide[1]], types=[TensorProto.INT32])


def pools():
    for kind in BOTH:
        z, ends = kind[0], [scale(0.0431973), zero(kind, 110), scale(0.0370187), zero(kind, 123)]
        for last in (0, 1):
            x = codes(kind, 2, 7, 9, 3) if last else codes(kind, 2, 3, 7, 9)
            for name, attributes in {"plain": dict(kernel_shape=[2, 3]), "strides": dict(kernel_shape=[3, 3], strides=[2, 3]),
                                     "pads": dict(kernel_shape=[3, 3], pads=[1, 0, 1, 2], strides=[2, 2]),
                                     "include": dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
                                     "ceil": dict(kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1),
                                     "upper": dict(kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
                                     "lower": dict(kernel_shape=[2, 2], auto_pad="SAME_LOWER"),
                                     "valid": dict(kernel_shape=[2, 4], auto_pad="VALID")}.items():
                case(f"{name}_{last}_{z}", "QLinearAveragePool", [x, *ends], channels_last=last, **attributes)
            case(f"plain_{last}_{z}", "QLinearGlobalAveragePool", [x, *ends], channels_last=last)
        case(f"line_{z}", "QLinearAveragePool", [codes(kind, 2, 3, 11), *ends], kernel_shape=[4], strides=[3])
        no_zeros(f"no_zeros_{z}", "QLinearAveragePool", [codes(kind, 1, 2, 6, 6), scale(0.0431973), None, scale(0.0370187)], kernel_shape=[2, 2])
        x = codes(kind, 3, 4, 5)
        for axes, keep in (([1], 1), ([0, -1], 0), ([0, 1, 2], 1)):
            mean = ((x.astype(F64) - int(zero(kind, 110))) * F64(scale(0.0431973))).mean(tuple(axes), keepdims=bool(keep))
            name = "_".join(map(str, axes)) + f"_{keep}_{z}"
            case(name, "QLinearReduceMean", [x, *ends], expected=[quantise(mean, scale(0.0370187), int(zero(kind, 123)), kind[1])], axes=axes,
                 keepdims=keep)
            wide = I32 if kind[1] == I8 else np.uint32
            case(name, "ReduceSumInteger", [x], expected=[x.astype(wide).sum(tuple(axes), dtype=wide, keepdims=bool(keep))],
                 types=[type_of(np.zeros(1, wide))], axes=axes, keepdims=keep)


def products():
    for a in BOTH:
        for b in BOTH:
            z = a[0] + b[0]
            for name, left, right in (("plain", (5, 33), (33, 17)), ("batch", (2, 3, 8), (8, 6)), ("batches", (2, 3, 8), (2, 8, 6)),
                                      ("long", (1, 300), (300, 64))):
                x, w = codes(a, *left), codes(b, *right)
                for bias in (None, numbers(right[-1])):
                    for columns in (False, True):
                        if columns and len(right) > 2:
                            continue
                        by = (np.abs(numbers(right[-1])) * 0.01).astype(F32) if columns else scale(0.013)
                        at = codes(b, right[-1]) if columns else zero(b, 117)
                        each = f"{name}_{z}_{int(columns)}_{int(bias is not None)}"
                        inputs = [x, w, scale(0.021), by, zero(a, 121), at, bias]
                        sums = (x.astype(F64) - int(zero(a, 121))) @ (w.astype(F64) - at.astype(F64))
                        y = (sums * F64(F32(0.021)) * by + (0 if bias is None else bias)).astype(F32)
                        case(each, "MatMulIntegerToFloat", inputs, types=[TensorProto.FLOAT], expected=[y] if a[1] == I8 else None)
                        case(f"constant_{each}", "MatMulIntegerToFloat", inputs, types=[TensorProto.FLOAT], expected=[y] if a[1] == I8 else None,
                             constants=(1, 5))
                        if a[1] == U8:
                            case(each, "DynamicQuantizeMatMul", [numbers(*left), w, by, at, bias])
                            case(f"constant_{each}", "DynamicQuantizeMatMul", [numbers(*left), w, by, at, bias], constants=(1, 3))
            x, w = codes(a, 4, 9), codes(b, 9, 3)
            y = x.astype(F64) @ w.astype(F64) * F64(F32(0.02) * F32(0.03))
            case(f"no_zeros_{z}", "MatMulIntegerToFloat", [x, w, scale(0.02), scale(0.03)], types=[TensorProto.FLOAT],
                 expected=[y.astype(F32)])
            case(f"half_{z}", "MatMulIntegerToFloat", [x, w, scale(0.02).astype(F16), scale(0.03).astype(F16)], types=[TensorProto.FLOAT16],
                 expected=[(x.astype(F64) @ w.astype(F64) * F64(F16(0.02)) * F64(F16(0.03))).astype(F16)], rtol=1e-3)
    case("constant", "DynamicQuantizeMatMul", [np.zeros((2, 6), F32), codes(BOTH[1], 6, 4), scale(0.1)])
    case("positive", "DynamicQuantizeMatMul", [np.abs(numbers(2, 6)), codes(BOTH[0], 6, 4), scale(0.1)])
    for dtype in (np.int16, np.uint16):
        x, w = integers(0, 3000, 2, 3, 7, dtype=dtype), integers(0, 3000, 7, 5, dtype=dtype)
        wide = I32 if dtype == np.int16 else np.uint32
        case(f"plain_{np.dtype(dtype).name}", "MatMulInteger16", [x, w], types=[type_of(np.zeros(1, wide))],
             expected=[x.astype(wide) @ w.astype(wide)])


def gemms():
    for a, b in ((BOTH[0], BOTH[0]), (BOTH[0], BOTH[1]), (BOTH[1], BOTH[1])):
        z = a[0] + b[0]
        for left in (0, 1):
            for right in (0, 1):
                x = codes(a, *((9, 4) if left else (4, 9)))
                w = codes(b, *((5, 9) if right else (9, 5)))
                for columns in (False, True):
                    by = (np.abs(numbers(5)) * 0.01 + 0.001).astype(F32) if columns else scale(0.013)
                    at = codes(b, 5) if columns else zero(b, 117)
                    c = [None, integers(-9999, 9999, 5), integers(-9999, 9999, 4, 1), integers(-9999, 9999, 4, 5)][2 * left + right]
                    inputs = [x, scale(0.021), zero(a, 121), w, by, at, c]
                    name = f"{z}_{left}{right}{int(columns)}"
                    case(name, "QGemm", inputs, types=[TensorProto.FLOAT], transA=left, transB=right, alpha=1.3)
                    case(f"{name}_codes", "QGemm", [*inputs, scale(0.9), zero(a, 140)], transA=left, transB=right)


def convolutions():
    for a, b in ((BOTH[0], BOTH[0]), (BOTH[0], BOTH[1]), (BOTH[1], BOTH[1])):
        z = a[0] + b[0]
        for last in (0, 1):
            for group in (1, 2, 4):
                x, w = codes(a, 2, 4, 7, 8), codes(b, 8, 4 // group, 3, 3)
                if last:
                    x = np.ascontiguousarray(np.moveaxis(x, 1, -1))
                for columns in (False, True):
                    by = (np.abs(numbers(8)) * 0.01 + 0.001).astype(F32) if columns else scale(0.013)
                    at = np.full(8, zero(b, 128)) if columns else zero(b, 128)
                    bias = integers(-9999, 9999, 8)
                    for name, constants in (("", ()), ("constant_", (3, 4, 5))):
                        case(f"{name}{z}_{last}{group}{int(columns)}", "QLinearConv", [x, scale(0.021), zero(a, 121), w, by, at, scale(0.31),
                                                                                      zero(a, 130), bias], channels_last=last, group=group,
                             pads=[1, 1, 0, 2], strides=[1, 2], constants=constants)
                    case(f"point_{z}_{last}{group}{int(columns)}", "QLinearConv", [x, scale(0.021), zero(a, 121), w[..., :1, :1].copy(), by, at,
                                                                                  scale(0.31), zero(a, 130)], channels_last=last, group=group,
                         constants=(3, 4, 5))
            x = codes(a, 2, 7, 8, 4) if last else None
            if last and b[1] == a[1]:
                for name, attributes in {"plain": dict(kernel_shape=[2, 3]), "pads": dict(kernel_shape=[3, 3], pads=[1, 0, 1, 2], strides=[2, 2]),
                                         "dilated": dict(kernel_shape=[2, 2], dilations=[2, 3]),
                                         "ceil": dict(kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
                                         "upper": dict(kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_UPPER")}.items():
                    case(f"{name}_{z}", "NhwcMaxPool", [x], **attributes)


def linear():
    for kind in BOTH:
        z, x = kind[0], codes(kind, 3, 4, 5)
        case(f"{z}", "DequantizeLinear", [x, scale(0.03), zero(kind, 120)], types=[TensorProto.FLOAT])
        case(f"axis_{z}", "DequantizeLinear", [x, (np.abs(numbers(4)) * 0.1).astype(F32), codes(kind, 4)], types=[TensorProto.FLOAT], axis=1)
        case(f"{z}", "QuantizeLinear", [numbers(3, 4, 5), scale(0.03), zero(kind, 120)], types=[type_of(x)])
        case(f"axis_{z}", "QuantizeLinear", [numbers(3, 4, 5), (np.abs(numbers(4)) * 0.1).astype(F32), codes(kind, 4)], types=[type_of(x)], axis=1)
    for dtype in (np.int16, np.uint16):
        limits = np.iinfo(dtype)
        x = integers(limits.min, limits.max + 1, 3, 4, dtype=dtype)
        case(f"{np.dtype(dtype).name}", "DequantizeLinear", [x, scale(0.003), np.array(120, dtype)], types=[TensorProto.FLOAT])
        case(f"{np.dtype(dtype).name}", "QuantizeLinear", [numbers(3, 4), scale(0.0003), np.array(120, dtype)], types=[type_of(x)])


def pack(v, bits):
    each = 8 // bits
    v = np.concatenate([v, np.zeros((*v.shape[:-1], -v.shape[-1] % each), v.dtype)], -1).astype(U8)
    v = v.reshape(*v.shape[:-1], -1, each)
    return np.bitwise_or.reduce(v << (np.arange(each, dtype=U8) * U8(bits)), -1).astype(U8)


def gather(name, data, chosen, scales, zeros, runtime=True, expected=None, dtype=F32, **attributes):
    kind = {F32: TensorProto.FLOAT, F16: TensorProto.FLOAT16}[dtype]
    inputs = [data, chosen, scales.astype(dtype), zeros]
    if runtime and dtype == F16:
        model = make("GatherBlockQuantized", [data, chosen, scales.astype(dtype).astype(F32), zeros], ["y0"], [TensorProto.FLOAT],
                     [0, 2, 3], None, 10, attributes)
        expected = [by_runtime(model, {"x1": chosen})[0].astype(F16)]
    case(name, "GatherBlockQuantized", inputs, types=[kind], constants=[0, 2, 3], expected=expected,
         rtol=1e-3 if dtype == F16 else 1e-6, **attributes)


def gathers():
    for bits in (2, 4, 8):
        for width in (32, 80):
            for block in (16, 32):
                blocks = -(-width // block)
                data, scales = pack(integers(0, 1 << bits, 6, width), bits), (np.abs(numbers(6, blocks)) * 0.1).astype(F32)
                for zeros in (None, pack(integers(0, 1 << bits, 6, blocks), bits)):
                    for chosen in (np.array([[3, 0], [-1, 5]], I64), np.array(2, I32), np.array([-7, 6, 1], I32)):
                        for dtype in (F32, F16):
                            gather(f"{bits}_{width}_{block}_{int(zeros is not None)}_{chosen.ndim}_{np.dtype(dtype).name}", data, chosen, scales,
                                   zeros, bits=bits, block_size=block, dtype=dtype)
    for dtype in (ml_dtypes.int4, ml_dtypes.uint4):
        low = -8 if dtype == ml_dtypes.int4 else 0
        for gather_axis, quantize_axis, shape in ((0, 1, (4, 40)), (0, -1, (3, 2, 32)), (1, 0, (33, 4)), (1, 2, (2, 5, 16)), (-1, 0, (20, 3))):
            blocks = list(shape)
            blocks[quantize_axis] = -(-shape[quantize_axis] // 16)
            data, scales = integers(low, low + 16, *shape, dtype=I8).astype(dtype), (np.abs(numbers(*blocks)) * 0.1).astype(F32)
            for zeros in (None, integers(low, low + 16, *blocks, dtype=I8).astype(dtype)):
                gather(f"{np.dtype(dtype).name}_{gather_axis}_{quantize_axis}_{len(shape)}_{int(zeros is not None)}", data,
                       np.array([[1, 0, 2]], I64), scales, zeros, gather_axis=gather_axis, quantize_axis=quantize_axis, block_size=16)
    for dtype in (ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float4_e2m1fn):
        name = np.dtype(dtype).name
        data = numbers(4, 40).astype(dtype)
        for each, scales, block in (("blocks", numbers(4, 3), 16), ("row", numbers(4, 1), 0), ("one", numbers(1, 1), 0), ("column", numbers(1, 2), 32)):
            wide = np.repeat(scales, block or 40, 1)[:, :40]
            y = data.astype(F32) * wide
            chosen = np.array([3, -4, 9], I64)
            rows = np.stack([y[3], y[0], np.zeros(40, F32)])
            gather(f"{name}_{each}", data, chosen, scales, None, runtime=False, expected=[rows], block_size=block)


def make_cases():
    elementwise()
    pools()
    products()
    gemms()
    convolutions()
    linear()
    gathers()
