#!/usr/bin/env python3
"""Writes cases in the form of the official ones for operators of old versions, which import upgrades: one or more for each
rule of src/models/onnx_upgrades.def, each with shapes that are stated and with shapes that are not. What is expected comes
from ONNX Runtime where it still has the version, or the same meaning in a newer one; else from numpy by the words of the
specification. Usage: make_upgrade_cases.py OUT"""
import json
from pathlib import Path
import shutil
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
import onnxruntime

F32, I64 = np.float32, np.int64
random = np.random.default_rng(7)
cases = []  # (name, model, inputs, outputs)


def numbers(*shape):
    return random.standard_normal(shape).astype(F32)


def infos(values, with_shapes):
    return [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape if with_shapes else None)
            for name, v in values.items()]


def make_model(nodes, opset, inputs, output_names, output_types, with_shapes=True, domain="", initializers=(), ir=4):
    outputs = [helper.make_tensor_value_info(n, t, None) for n, t in zip(output_names, output_types)]
    graph = helper.make_graph(nodes, "case", infos(inputs, with_shapes), outputs,
                              [numpy_helper.from_array(v, k) for k, v in dict(initializers).items()])
    opsets = [helper.make_opsetid(domain, opset)] + ([helper.make_opsetid("", 9)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir)


def by_runtime(model, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(None, inputs)


def case(name, op, opset, inputs, expected=None, outputs=1, output_types=None, domain="", newer=None, initializers=(), **attributes):
    """newer: (opset, attributes) of a version with the same meaning that ONNX Runtime runs."""
    inputs = {k: np.asarray(v) for k, v in inputs.items()}
    names = [f"y{i}" for i in range(outputs)] if isinstance(outputs, int) else outputs
    node_inputs = [*inputs, *dict(initializers)]
    kept = [n for n in names if n]

    def model_of(version, arguments, with_shapes=True):
        node = helper.make_node(op, [n for n in node_inputs], names, name="node", domain=domain, **arguments)
        return make_model([node], version, inputs, kept, types, with_shapes, domain, initializers)

    types = output_types or [helper.np_dtype_to_tensor_dtype(next(iter(inputs.values())).dtype)] * len(kept)
    if expected is None:
        expected = by_runtime(model_of(*(newer or (opset, attributes))), inputs)
    for with_shapes in (True, False):
        suffix = "" if with_shapes else "_unshaped"
        cases.append((f"{op.lower()}_{opset}_{name}{suffix}", model_of(opset, attributes, with_shapes), inputs,
                      [np.asarray(e) for e in expected]))


BOOL = [TensorProto.BOOL]


def broadcasting():
    a, operations = numbers(2, 3, 4, 5), {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}
    for op, function in operations.items():
        b = numbers(3, 4) + 3
        for opset in (1, 6):
            case("axis", op, opset, {"a": a, "b": b}, [function(a, b[None, :, :, None])], axis=1, broadcast=1)
    for name, b, view, axis in (("first", numbers(2), (2, 1, 1, 1), 0), ("single", numbers(1), (1,), 1),
                                ("scalar", numbers(), (), 2), ("suffix", numbers(4, 5), (4, 5), None),
                                ("minus", numbers(5), (5,), -1), ("behind", numbers(3, 4), (3, 4, 1), -3)):
        more = {} if axis is None else {"axis": axis}
        case(name, "Add", 6, {"a": a, "b": b}, [a + b.reshape(view)], broadcast=1, **more)
    case("none", "Add", 6, {"a": a, "b": a}, [a + a])
    b = numbers(3)
    case("axis", "Pow", 1, {"a": abs(a), "b": b}, [abs(a) ** b.reshape(3, 1, 1)], axis=1, broadcast=1)
    for op, function in {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}.items():
        case("axis", op, 1, {"a": a > 0, "b": b > 0}, [function(a > 0, (b > 0).reshape(3, 1, 1))], output_types=BOOL, axis=1,
             broadcast=1)
    for op, function in {"Greater": np.greater, "Less": np.less}.items():
        case("axis", op, 1, {"a": a, "b": b}, [function(a, b.reshape(3, 1, 1))], output_types=BOOL, axis=1, broadcast=1)
    i, j = random.integers(0, 3, (2, 3, 4)), random.integers(0, 3, 3)
    case("axis", "Equal", 1, {"a": i, "b": j}, [i == j.reshape(3, 1)], output_types=BOOL, axis=1, broadcast=1)


def arithmetic():
    x = numbers(2, 3, 4, 2)
    for op in ("Softmax", "LogSoftmax", "Hardmax"):
        for axis in (None, 0, 2, 3):
            for opset in (1, 11):
                case(f"axis{axis}", op, opset, {"x": x}, newer=(9 if opset == 1 else 11, {} if axis is None else {"axis": axis}),
                     **({} if axis is None else {"axis": axis}))
        case("behind", op, 11, {"x": x}, axis=-2)
    slope = numbers(3)
    for opset in (1, 6):
        case("channels", "PRelu", opset, {"x": x, "slope": slope}, [np.where(x < 0, x * slope.reshape(3, 1, 1), x)])
    case("single", "PRelu", 6, {"x": x, "slope": slope[:1]}, [np.where(x < 0, x * slope[0], x)])
    a, b, c = numbers(3, 4), numbers(5, 4), numbers(5)
    for opset in (1, 6):
        case("broadcast", "Gemm", opset, {"a": a, "b": b, "c": c}, [F32(0.5) * a @ b.T + F32(2) * c], alpha=0.5, beta=2.0,
             transB=1, broadcast=1)
    indices = np.array([[0, -1, 2], [3, 4, -4]])
    values = np.array([-2, 5], F32)
    expected = np.where(indices[..., None] == np.arange(4), F32(5), F32(-2))
    one_hot = {"indices": indices, "depth": np.array([4]), "values": values}
    case("negative", "OneHot", 9, one_hot, [expected], output_types=[TensorProto.FLOAT])
    case("axis", "OneHot", 9, one_hot, [np.moveaxis(expected, -1, 1)], output_types=[TensorProto.FLOAT], axis=1)
    x = numbers(1, 2, 5, 6)
    for p in (1.0, 2.0, 2.5):
        pooled = (abs(x.astype(np.float64)) ** p).sum((2, 3), keepdims=True) ** (1 / p)
        case(f"p{p}", "GlobalLpPool", 1, {"x": x}, [pooled.astype(F32)], p=p)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(abs(x.astype(np.float64)) ** p, ((0, 0), (0, 0), (1, 1), (1, 0))),
                                                           (3, 2), (2, 3))[:, :, ::2, ::1]
        case(f"p{p}", "LpPool", 1, {"x": x}, [(windows.sum((-1, -2)) ** (1 / p)).astype(F32)], p=p, kernel_shape=[3, 2],
             pads=[1, 1, 1, 0], strides=[2, 1])
    x = numbers(7)
    case("default", "Selu", 1, {"x": x}, [np.where(x > 0, F32(1.0507) * x, F32(1.0507) * F32(1.6732) * (np.exp(x) - 1))])
    case("legacy", "Relu", 1, {"x": x}, [np.maximum(x, 0)], consumed_inputs=[0])
    case("three", "Sum", 6, {"a": x, "b": x, "c": x}, [x + x + x])


def attributes_to_inputs():
    x = numbers(2, 1, 3, 1)
    for opset in (1, 11):
        case("axes", "Squeeze", opset, {"x": x}, [x.reshape(2, 3)], axes=[1, 3])
        case("all", "Squeeze", opset, {"x": x}, [x.reshape(2, 3)])
        case("axes", "Unsqueeze", opset, {"x": x}, [x.reshape(1, 2, 1, 1, 3, 1)], axes=[0, 3])
    x = abs(numbers(2, 3, 4)) + F32(0.5)
    d = x.astype(np.float64)
    reductions = {"ReduceL1": lambda a, **k: abs(a).sum(**k), "ReduceL2": lambda a, **k: np.sqrt((a * a).sum(**k)),
                  "ReduceLogSum": lambda a, **k: np.log(a.sum(**k)), "ReduceLogSumExp": lambda a, **k: np.log(np.exp(a).sum(**k)),
                  "ReduceMax": np.max, "ReduceMin": np.min, "ReduceMean": np.mean, "ReduceProd": np.prod, "ReduceSum": np.sum,
                  "ReduceSumSquare": lambda a, **k: (a * a).sum(**k)}
    for op, function in reductions.items():
        for opset in (1, 11, 13) if op != "ReduceSum" else (1, 11):
            case("axes", op, opset, {"x": x}, [function(d, axis=(0, 2), keepdims=True).astype(F32)], axes=[0, 2])
        case("all", op, 1, {"x": x}, [function(d, axis=None, keepdims=False).astype(F32)], keepdims=0)
    x = numbers(5, 6)
    case("axes", "Slice", 1, {"x": x}, axes=[1, 0], starts=[1, -4], ends=[-1, 1000])
    case("all", "Slice", 1, {"x": x}, starts=[1, 2], ends=[4, 4])
    for opset in (2, 11):
        case("sizes", "Split", opset, {"x": x}, outputs=2, axis=1, split=[4, 2])
        case("equal", "Split", opset, {"x": x}, outputs=3, axis=1)
    case("equal", "Split", 13, {"x": x}, outputs=3, axis=1)
    case("sizes", "Split", 1, {"x": x, "split": np.array([2, 3], F32)}, [x[:2], x[2:]], outputs=2, axis=0)
    case("skipped", "Split", 2, {"x": x}, [x[:, 2:4]], outputs=["", "y", ""], axis=1)
    case("k", "TopK", 1, {"x": x}, outputs=2, output_types=[TensorProto.FLOAT, TensorProto.INT64], k=2, axis=0)
    for opset in (1, 6):
        case("both", "Clip", opset, {"x": x}, [np.clip(x, -0.5, 0.5)], min=-0.5, max=0.5)
        case("least", "Clip", opset, {"x": x}, [np.maximum(x, 0.25)], min=0.25)
    far = np.array([-np.inf, 1, np.inf], F32)
    case("defaults", "Clip", 6, {"x": far}, [np.clip(far, np.finfo(F32).min, np.finfo(F32).max)])
    case("none", "Clip", 1, {"x": far}, [far])
    padded = np.pad(x, ((1, 0), (2, 1)), constant_values=F32(1.5))
    case("value", "Pad", 1, {"x": x}, [padded], paddings=[1, 2, 0, 1], value=1.5)
    for mode in ("constant", "reflect", "edge"):
        case(mode, "Pad", 2, {"x": x}, pads=[1, 2, 0, 1], mode=mode)
    case("negative", "Pad", 2, {"x": x}, pads=[-1, 2, 0, -1])
    case("shape", "Reshape", 1, {"x": x}, [x.reshape(5, 2, 3)], shape=[0, 2, -1])
    case("axis", "Tile", 1, {"x": x, "tiles": np.array(3, F32), "axis": np.array(1, F32)}, [np.tile(x, (1, 3))])
    case("default", "Concat", 1, {"a": x, "b": x}, [np.concatenate([x, x], 1)])
    case("axis", "Concat", 1, {"a": x, "b": x}, [np.concatenate([x, x], 0)], axis=0)
    case("int", "Cast", 1, {"x": x}, [x.astype(np.int32)], output_types=[TensorProto.INT32], to="INT32")
    case("double", "Cast", 1, {"x": x}, [x.astype(np.float64)], output_types=[TensorProto.DOUBLE], to="DOUBLE")
    signal = numbers(1, 8, 3, 1)
    case("default", "DFT", 17, {"x": signal})
    case("axis", "DFT", 17, {"x": signal}, axis=2, onesided=1)
    data, updates = numbers(3, 4), numbers(2, 4)
    scatter = {"data": data, "indices": np.array([[0, 1, 2, 0], [2, 0, 1, 1]]), "updates": updates}
    case("axis", "Scatter", 9, scatter, axis=0)


def constants():
    sparse = helper.make_sparse_tensor(numpy_helper.from_array(np.array([1.5, -2], F32), "values"),
                                       numpy_helper.from_array(np.array([1, 5])), [2, 3])
    tensor = numpy_helper.from_array(numbers(2, 2))
    for name, opset, value, attributes in (
            ("tensor", 1, numpy_helper.to_array(tensor), {"value": tensor}),
            ("float", 12, F32(2.5), {"value_float": 2.5}), ("floats", 12, np.array([1, 2.5], F32), {"value_floats": [1.0, 2.5]}),
            ("int", 12, I64(-7), {"value_int": -7}), ("ints", 13, np.array([3, -4]), {"value_ints": [3, -4]}),
            ("string", 12, np.array("ab", object), {"value_string": "ab"}),
            ("strings", 25, np.array(["a", "", "bc"], object), {"value_strings": ["a", "", "bc"]}),
            ("sparse", 11, np.array([[0, 1.5, 0], [0, 0, -2]], F32), {"sparse_value": sparse})):
        node = helper.make_node("Constant", [], ["y"], **attributes)
        kind = TensorProto.STRING if value.dtype == object else helper.np_dtype_to_tensor_dtype(value.dtype)
        cases.append((f"constant_{opset}_{name}", make_model([node], opset, {}, ["y"], [kind], ir=8), {}, [value]))


def normalisation():
    x = numbers(3, 4, 2, 5)
    scale, bias, mean, variance = numbers(4), numbers(4), numbers(4), abs(numbers(4)) + F32(0.1)
    inputs = {"x": x, "scale": scale, "bias": bias, "mean": mean, "variance": variance}

    def normalised(a, s, b, m, v, epsilon=1e-5):
        return ((a.astype(np.float64) - m) / np.sqrt(v.astype(np.float64) + epsilon) * s + b).astype(F32)

    def column(v):
        return v.reshape(4, 1, 1)

    plain = normalised(x, *map(column, (scale, bias, mean, variance)))
    case("inference", "BatchNormalization", 1, inputs, [plain], consumed_inputs=[0, 0, 0, 1, 1], is_test=1)
    case("inference", "BatchNormalization", 6, inputs, [plain], is_test=1)
    case("inference", "BatchNormalization", 7, inputs, [plain])
    case("inference", "BatchNormalization", 9, inputs, [plain], momentum=0.8)
    current, spread = x.mean((0, 2, 3)), x.var((0, 2, 3))
    trained = [normalised(x, column(scale), column(bias), column(current), column(spread)),
               mean * F32(0.9) + current * F32(0.1), variance * F32(0.9) + spread * F32(0.1), current, spread]
    for opset in (6, 7, 9):
        case("training", "BatchNormalization", opset, inputs, trained, outputs=5)
    wide = {"x": x, "scale": numbers(4, 2, 5), "bias": numbers(4, 2, 5), "mean": numbers(4, 2, 5),
            "variance": abs(numbers(4, 2, 5)) + F32(0.1)}
    case("activations", "BatchNormalization", 7, wide, [normalised(*wide.values())], spatial=0)
    case("activations", "BatchNormalization", 6, wide, [normalised(*wide.values())], spatial=0, is_test=1)
    current, spread = x.mean(0), x.var(0)
    trained = [normalised(x, wide["scale"], wide["bias"], current, spread), wide["mean"] * F32(0.9) + current * F32(0.1),
               wide["variance"] * F32(0.9) + spread * F32(0.1), current, spread]
    case("activations_training", "BatchNormalization", 7, wide, trained, outputs=5, spatial=0)
    for opset in (1, 6):
        case("inference", "Dropout", opset, {"x": x}, [x], is_test=1, ratio=0.3)
        case("mask", "Dropout", opset, {"x": x}, [x, np.ones_like(x)], outputs=2, is_test=1)
        case("nothing", "Dropout", opset, {"x": x}, [x, np.ones_like(x)], outputs=2, ratio=0.0)
    case("mask", "Dropout", 7, {"x": x}, [x, np.ones_like(x)], outputs=2)
    case("mask", "Dropout", 10, {"x": x}, [x, np.ones(x.shape, bool)], outputs=2,
         output_types=[TensorProto.FLOAT, TensorProto.BOOL])
    for kind in (F32, np.float64):
        a, s, b = x.astype(kind), numbers(2).astype(kind), numbers(2).astype(kind)
        parts = a.astype(np.float64).reshape(3, 2, -1)
        unit = (parts - parts.mean(-1, keepdims=True)) / np.sqrt(parts.var(-1, keepdims=True) + 1e-2)
        expected = (unit * s[:, None] + b[:, None]).reshape(x.shape).astype(kind)
        case(kind.__name__, "GroupNormalization", 18, {"x": a, "scale": s, "bias": b}, [expected], num_groups=2, epsilon=1e-2)


def recurrence():
    for op, gates in (("RNN", 1), ("LSTM", 4), ("GRU", 3)):
        inputs = {"x": numbers(5, 2, 3), "w": numbers(1, gates * 4, 3), "r": numbers(1, gates * 4, 4)}
        case("plain", op, 1, inputs, outputs=2, newer=(7, {"hidden_size": 4}), hidden_size=4, output_sequence=1)
    case("reset", "GRU", 3, inputs, outputs=2, newer=(7, {"hidden_size": 4, "linear_before_reset": 1}), hidden_size=4,
         linear_before_reset=1, output_sequence=1)


def images():
    x = numbers(1, 2, 4, 5)
    for name, scales in (("up", [1, 1, 2, 3]), ("down", [1, 1, 0.6, 0.5]), ("mixed", [1, 1, 0.6, 2]), ("odd", [1, 1, 1.7, 1.3])):
        scales = np.array(scales, F32)
        for mode in ("nearest", "linear"):
            for held in ("known", "given"):
                if held == "given":
                    case(f"{name}_{mode}_{held}", "Resize", 10, {"x": x, "scales": scales}, mode=mode)
                else:
                    case(f"{name}_{mode}_{held}", "Resize", 10, {"x": x}, initializers={"scales": scales}, mode=mode)
            if min(scales) >= 1:
                case(f"{name}_{mode}", "Upsample", 9, {"x": x, "scales": scales}, mode=mode)
                case(f"{name}_{mode}", "Upsample", 7, {"x": x}, mode=mode, scales=[float(s) for s in scales])
                case(f"{name}_{mode}", "Upsample", 1, {"x": x}, newer=(7, {"mode": mode, "scales": [float(s) for s in scales]}),
                     mode="bilinear" if mode == "linear" else mode, height_scale=float(scales[2]), width_scale=float(scales[3]))
    roi, none, sizes = np.zeros(0, F32), np.zeros(0, F32), np.array([1, 2, 7, 3])
    for mode, nearest, transform in (("nearest", "floor", "tf_half_pixel_for_nn"), ("nearest", "round_prefer_floor", "tf_half_pixel_for_nn"),
                                     ("nearest", "round_prefer_floor", "half_pixel"), ("linear", "floor", "align_corners"),
                                     ("cubic", "floor", "asymmetric")):
        attributes = {"mode": mode, "nearest_mode": nearest, "coordinate_transformation_mode": transform}
        case(f"sizes_{mode}_{nearest}_{transform}", "Resize", 11, {"x": x, "roi": roi, "scales": none, "sizes": sizes}, **attributes)
        case(f"scales_{mode}_{nearest}_{transform}", "Resize", 11, {"x": x, "roi": roi, "scales": np.array([1, 1, 1.5, 0.6], F32)},
             **attributes)
    grid = (random.random((1, 3, 3, 2)) * 2.4 - 1.2).astype(F32)
    for mode in ("bilinear", "nearest", "bicubic"):
        case(mode, "GridSample", 16, {"x": x, "grid": grid}, mode=mode, align_corners=1,
             padding_mode="zeros" if mode == "bicubic" else "border")  # where the runtime and the specification agree
    case("default", "GridSample", 16, {"x": x, "grid": grid})
    rois = {"x": x, "rois": np.array([[0, 0, 3, 3], [1, 0.5, 4, 2]], F32), "batch": np.zeros(2, I64)}
    case("default", "RoiAlign", 10, rois, output_height=2, output_width=2, sampling_ratio=2)


def scans():
    x, start = numbers(3, 4, 2), numbers(3, 2)
    total = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Add", ["sum_in", "next"], ["sum_out"]), helper.make_node("Mul", ["sum_out", "outside"], ["scaled"])], "body",
        [total("sum_in", TensorProto.FLOAT, [2]), total("next", TensorProto.FLOAT, [2])],
        [total("sum_out", TensorProto.FLOAT, [2]), total("scaled", TensorProto.FLOAT, [2])])
    for name, lengths, direction in (("whole", None, 0), ("reverse", None, 1), ("lengths", np.array([4, 1, 3]), 0)):
        outside = F32(3)
        states, outputs = [], []
        for b in range(3):
            n = 4 if lengths is None else lengths[b]
            steps = np.cumsum([start[b], *x[b, :n][::-1 if direction else 1]], 0)
            states.append(steps[-1])
            outputs.append(np.concatenate([steps[1:] * outside, np.zeros((4 - n, 2), F32)]))
        inputs = {"start": start, "x": x, "outside": np.array(outside)}
        if lengths is not None:
            inputs["lengths"] = lengths
        for with_shapes in (True, False):
            node = helper.make_node("Scan", ["lengths" if lengths is not None else "", "start", "x"], ["last", "all"], body=body,
                                    num_scan_inputs=1, directions=[direction])
            model = make_model([node], 8, inputs, ["last", "all"], [TensorProto.FLOAT] * 2, with_shapes)
            cases.append((f"scan_8_{name}{'' if with_shapes else '_unshaped'}", model, inputs,
                          [np.array(states, F32), np.array(outputs, F32)]))


def gone():
    x = numbers(1, 2, 5, 6)
    case("plain", "Affine", 1, {"x": x}, alpha=0.5, beta=2.0)
    case("plain", "Scale", 1, {"x": x}, [x * F32(1.5)], scale=1.5)
    case("plain", "ScaledTanh", 1, {"x": x}, alpha=0.5, beta=2.0)
    case("plain", "ParametricSoftplus", 1, {"x": x}, alpha=0.5, beta=2.0)
    case("plain", "ImageScaler", 1, {"x": x}, scale=0.5, bias=[1.0, -2.0])
    case("border", "Crop", 1, {"x": x}, border=[1, 2, 0, 1])
    case("scale", "Crop", 1, {"x": x}, border=[1, 2, 3, 4], scale=[2, 3])
    case("axes", "DynamicSlice", 1, {"x": x[0, 0], "starts": np.array([1, 0]), "ends": np.array([-1, 3]), "axes": np.array([1, 0])})
    case("plain", "GivenTensorFill", 1, {"shape": np.array([2, 3], F32)}, [np.arange(6, dtype=F32).reshape(2, 3)],
         input_as_shape=1, values=[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    case("like", "GivenTensorFill", 1, {"like": numbers(2)}, [np.arange(6, dtype=F32).reshape(2, 3)], extra_shape=[3],
         values=[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])


def machine_learning():
    classes = ["a", "b", "a", "c"]
    strings, places = np.array(["b", "a", "z", "c"], object), np.array([1, 3, 9, 2])
    case("places", "LabelEncoder", 1, {"x": strings}, [np.array([1, 0, -5, 3])], output_types=[TensorProto.INT64],
         domain="ai.onnx.ml", classes_strings=classes, default_int64=-5)
    case("names", "LabelEncoder", 1, {"x": places}, [np.array(["b", "c", "none", "a"], object)], output_types=[TensorProto.STRING],
         domain="ai.onnx.ml", classes_strings=classes, default_string="none")


def write(out):
    shutil.rmtree(out, ignore_errors=True)
    for name, model, inputs, outputs in cases:
        data_set = out / name / "test_data_set_0"
        data_set.mkdir(parents=True)
        (out / name / "model.onnx").write_bytes(model.SerializeToString())
        (out / name / "data.json").write_text(json.dumps({"rtol": 1e-4, "atol": 1e-5}))
        for k, (key, value) in enumerate(inputs.items()):
            (data_set / f"input_{k}.pb").write_bytes(numpy_helper.from_array(value, key).SerializeToString())
        for k, value in enumerate(outputs):
            (data_set / f"output_{k}.pb").write_bytes(numpy_helper.from_array(value, f"y{k}").SerializeToString())
    print(f"{len(cases)} cases in {out}")


def make_all():
    for group in (broadcasting, arithmetic, attributes_to_inputs, constants, normalisation, recurrence, images, scans, gone,
                  machine_learning):
        group()
    return cases


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    make_all()
    write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
