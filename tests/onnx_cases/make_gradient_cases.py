#!/usr/bin/env python3
"""Writes cases in the form of the official ones for Gradient of ai.onnx.preview.training: forward nodes in double, and the
derivative of the sum of y by central differences of what the onnx package's reference evaluator makes of them. Each with shapes
that are stated, and where the rules need no ranks with shapes that are not. Usage: make_gradient_cases.py OUT"""
import json
import math
from pathlib import Path
import shutil
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.ops import op_erf

F64, I64 = np.float64, np.int64
random = np.random.default_rng(5)
cases = {}  # name: (model, inputs, outputs)


def numbers(*shape):
    return random.standard_normal(shape)


def apart(*shape):
    """Numbers no two of which are near to one another, nor to 0."""
    count = int(np.prod(shape))
    return ((random.permutation(count) - count / 2 + 0.5) * 0.37).reshape(shape)


def positive(*shape):
    return random.random(shape) + 0.5


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def model_of(nodes, inputs, output_names, with_shapes, kind=TensorProto.DOUBLE):
    infos = [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape if with_shapes else None)
             for k, v in inputs.items()]
    graph = helper.make_graph(nodes, "case", infos, [helper.make_tensor_value_info(n, kind, None) for n in output_names])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 28), helper.make_opsetid("ai.onnx.preview.training", 1)],
                             ir_version=14)


# In double: the evaluator's own rounds to float.
op_erf.Erf._run = lambda self, x: (np.vectorize(math.erf, otypes=[F64])(x),)


def value_of(nodes, inputs, y):
    return ReferenceEvaluator(model_of(nodes, inputs, [y], True)).run([y], inputs)[0]


def total(nodes, inputs, y):
    return float(np.sum(value_of(nodes, inputs, y)))


def differences(nodes, inputs, x, y, step=1e-5):
    """d sum(y) / dx."""
    out = np.zeros_like(inputs[x])
    for i in np.ndindex(out.shape):
        moved = [total(nodes, inputs | {x: inputs[x] + sign * step * (np.arange(out.size) == np.ravel_multi_index(i, out.shape))
                                        .reshape(out.shape)}, y) for sign in (1, -1)]
        out[i] = (moved[0] - moved[1]) / (2 * step)
    return out


def case(name, nodes, inputs, xs=None, y="y", zs=(), open_too=True, expected=None):
    """nodes: (op, inputs, outputs, attributes). inputs: those that are floats are differentiated by."""
    nodes = [node(n[0], n[1], n[2], **(n[3] if len(n) > 3 else {})) for n in nodes]
    xs = xs or [k for k, v in inputs.items() if v.dtype == F64]
    zs = list(zs) or [k for k in inputs if k not in xs]
    # Weights that differ, so that the adjoints of y do.
    weight = numpy_helper.from_array(random.random(value_of(nodes, inputs, y).shape) + 0.5)
    nodes += [helper.make_node("Constant", [], ["weight"], value=weight), node("Mul", f"{y} weight", "weighted")]
    outputs = [f"d_{x}" for x in xs]
    expected = expected or [differences(nodes, inputs, x, "weighted") for x in xs]
    gradient = helper.make_node("Gradient", [*xs, *zs], outputs, name="gradient", domain="ai.onnx.preview.training", xs=xs,
                                y="weighted", **({"zs": zs} if zs else {}))
    for with_shapes in (True, False) if open_too else (True,):
        add(name + ("" if with_shapes else "_open"), model_of([*nodes, gradient], inputs, outputs, with_shapes), inputs, expected)


def add(name, model, inputs, expected):
    name = name.lower()
    assert name not in cases, name
    cases[name] = (model, inputs, expected)


def one(op, x, name=None, **attributes):
    case(name or op, [(op, "x", "y", attributes)], {"x": x})


def elementwise():
    for op in ("Exp", "Neg", "Identity", "Sigmoid", "Tanh", "Sin", "Cos", "Sinh", "Cosh", "Erf", "Softplus", "Atan", "Asinh"):
        one(op, numbers(2, 3))
    for op in ("Abs", "Relu", "Sign", "Reciprocal", "Softsign", "Elu", "Selu", "LeakyRelu", "ThresholdedRelu", "HardSigmoid",
               "HardSwish", "Mish", "Floor", "Ceil", "Round"):
        one(op, apart(3, 4) + (0.07 if op in ("Floor", "Ceil", "Round", "Reciprocal") else 0))
    for op in ("Log", "Sqrt", "Acosh"):
        one(op, positive(2, 3) + (1 if op == "Acosh" else 0))
    for op in ("Asin", "Acos", "Atanh", "Tan"):
        one(op, (random.random((2, 3)) - 0.5) * 1.4)
    one("Elu", apart(3, 4), "elu_alpha", alpha=0.3)
    one("LeakyRelu", apart(3, 4), "leakyrelu_alpha", alpha=0.3)
    one("Celu", apart(3, 4), alpha=0.7)
    one("HardSigmoid", apart(3, 4), "hardsigmoid_alpha", alpha=0.3, beta=0.4)
    for how in ("none", "tanh"):
        one("Gelu", numbers(3, 4), f"gelu_{how}", approximate=how)
    for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"):
        for name, a, b in (("same", (2, 3), (2, 3)), ("row", (2, 3), (3,)), ("column", (3,), (2, 1)), ("scalar", (2, 3), ()),
                           ("ones", (1, 3), (2, 2, 1))):
            left, right = (positive(*a), positive(*b)) if op in ("Div", "Pow") else (numbers(*a), numbers(*b))
            case(f"{op}_{name}", [(op, "a b", "y")], {"a": left, "b": right})
    case("pow_integers", [("Pow", "a b", "y")], {"a": numbers(2, 4), "b": np.array([0, 1, 2, 3])})
    case("prelu", [("PRelu", "a b", "y")], {"a": apart(2, 3), "b": positive(3)})
    for op in ("Sum", "Mean", "Max", "Min"):
        case(f"{op}_three", [(op, "a b c", "y")], {"a": numbers(2, 3), "b": numbers(3), "c": numbers(2, 1)})
    case("max_equal", [("Max", "a b", "y")], {"a": np.ones(2), "b": np.ones(2)}, open_too=False)
    case("where", [("Where", "c a b", "y")], {"c": np.array([[True], [False]]), "a": numbers(3), "b": numbers(2, 3)})
    bounds = {"x": apart(3, 4), "low": np.array(-1.0), "high": np.array(0.9)}
    case("clip", [("Clip", "x low high", "y")], bounds)
    case("clip_low", [("Clip", "x low", "y")], {k: bounds[k] for k in ("x", "low")})


def products():
    for name, a, b in (("plain", (2, 3), (3, 4)), ("stack", (5, 2, 3), (3, 4)), ("both", (5, 1, 2, 3), (4, 3, 2)),
                       ("row", (3,), (3, 4)), ("column", (2, 3), (3,)), ("dot", (3,), (3,)), ("row_stack", (3,), (5, 3, 4)),
                       ("column_stack", (5, 2, 3), (3,))):
        case(f"matmul_{name}", [("MatMul", "a b", "y")], {"a": numbers(*a), "b": numbers(*b)}, open_too=False)
    for trans_a in (0, 1):
        for trans_b in (0, 1):
            for name, c in (("", None), ("_row", (4,)), ("_column", (2, 1)), ("_scalar", ())):
                inputs = {"a": numbers(*((3, 2) if trans_a else (2, 3))), "b": numbers(*((4, 3) if trans_b else (3, 4)))}
                if c is not None:
                    inputs["c"] = numbers(*c)
                case(f"gemm_{trans_a}{trans_b}{name}", [("Gemm", " ".join(inputs), "y", dict(
                    transA=trans_a, transB=trans_b, alpha=0.5, beta=2.0))], inputs)


def reductions():
    for op in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum",
               "ReduceLogSumExp"):
        x = positive(2, 3, 4) if op == "ReduceLogSum" else apart(2, 3, 4)
        for keep in (0, 1):
            one(op, x, f"{op}_all_{keep}", keepdims=keep)
            for name, axes in (("one", [1]), ("two", [0, -1])):
                case(f"{op}_{name}_{keep}", [("Constant", "", "axes", {"value_ints": axes}), (op, "x axes", "y", {"keepdims": keep})],
                     {"x": x})
    for op in ("Softmax", "LogSoftmax"):
        for axis in (-1, 0, 1):
            one(op, numbers(2, 3, 4), f"{op}_{axis}", axis=axis)


def moves():
    def constant(name, values):
        return ("Constant", "", name, {"value": numpy_helper.from_array(np.array(values, I64))})

    x = {"x": numbers(2, 3, 4)}
    case("reshape", [constant("s", [4, -1]), ("Reshape", "x s", "y")], x)
    case("flatten", [("Flatten", "x", "y")], x)
    case("squeeze", [constant("s", [1]), ("Squeeze", "x s", "y")], {"x": numbers(2, 1, 3)})
    case("unsqueeze", [constant("s", [0, 2]), ("Unsqueeze", "x s", "y")], x)
    case("transpose", [("Transpose", "x", "y", {"perm": [2, 0, 1]})], x)
    case("transpose_plain", [("Transpose", "x", "y")], x)
    case("expand", [constant("s", [5, 2, 3, 4]), ("Expand", "x s", "y")], {"x": numbers(2, 1, 4)})
    for axis in (0, 1, -1):
        case(f"concat_{axis}", [("Concat", "a b a", "y", {"axis": axis})], {"a": numbers(2, 2), "b": numbers(2, 2)})
    case("split", [("Split", "x", "a b", {"num_outputs": 2, "axis": 2}), ("Mul", "a b", "y")], x)
    case("split_one", [constant("s", [1, 2]), ("Split", "x s", "a y", {"axis": 1})], x)
    case("slice", [constant("from", [3, 0]), constant("to", [-9, 2]), constant("axes", [2, 1]), constant("steps", [-2, 1]),
                   ("Slice", "x from to axes steps", "y")], x)
    case("gather", [constant("i", [[0, 2], [2, -1]]), ("Gather", "x i", "y", {"axis": 1})], x)
    case("gather_elements", [constant("i", [[0, 1, 0], [1, 1, 0]]), ("GatherElements", "x i", "y", {"axis": 0})], {"x": numbers(2, 3)})
    case("gather_nd", [constant("i", [[0, 1], [1, 2], [0, 1]]), ("GatherND", "x i", "y")], x)
    case("tile", [constant("s", [2, 1, 3]), ("Tile", "x s", "y")], x)
    for mode in ("constant", "reflect", "edge", "wrap"):
        case(f"pad_{mode}", [constant("s", [0, 1, 2, 0, 0, 1]), ("Pad", "x s", "y", {"mode": mode})], x)
    case("pad_value", [constant("s", [1, 2]), ("Constant", "", "v", {"value": numpy_helper.from_array(np.array(3.0))}),
                       ("Pad", "x s v", "y")], {"x": numbers(4)})
    for upper in (0, 1):
        case(f"trilu_{upper}", [("Trilu", "x", "y", {"upper": upper})], {"x": numbers(3, 4)})
    case("depth_to_space", [("DepthToSpace", "x", "y", {"blocksize": 2})], {"x": numbers(1, 4, 2, 3)})
    case("space_to_depth", [("SpaceToDepth", "x", "y", {"blocksize": 2})], {"x": numbers(1, 1, 4, 2)})
    case("dropout", [("Dropout", "x", "y")], x)
    for exclusive in (0, 1):
        for reverse in (0, 1):
            case(f"cumsum_{exclusive}{reverse}", [("Constant", "", "a", {"value_int": 1}), (
                "CumSum", "x a", "y", {"exclusive": exclusive, "reverse": reverse})], x)


def models():
    for axis in (-1, 1):
        shape = (3, 4) if axis == 1 else (4,)
        case(f"layer_norm_{axis}", [("LayerNormalization", "x s b", "y", {"axis": axis})],
             {"x": numbers(2, 3, 4), "s": numbers(*shape), "b": numbers(*shape)}, open_too=axis < 0)
    batch = {"x": numbers(3, 2, 2), "s": numbers(2), "b": numbers(2), "m": numbers(2), "v": positive(2)}
    case("batch_norm", [("BatchNormalization", "x s b m v", "y")], batch, open_too=False)
    case("batch_norm_training", [("BatchNormalization", "x s b m v", "y m2 v2", {"training_mode": 1})], batch, xs=["x", "s", "b"],
         open_too=False)
    case("global_average_pool", [("GlobalAveragePool", "x", "y")], {"x": numbers(2, 3, 2, 2)}, open_too=False)
    labels = np.array([[1, 0], [2, 1], [1, 1]])
    for reduction in ("none", "sum", "mean"):
        for name, more, weights in (("", {}, False), ("_weights", {}, True), ("_ignore", {"ignore_index": 1}, True)):
            inputs = {"x": numbers(3, 3, 2), "t": labels} | ({"w": positive(3)} if weights else {})
            for op in ("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"):
                case(f"{op}_{reduction}{name}", [(op, " ".join(inputs), "y", dict(reduction=reduction, **more))], inputs, xs=["x"])
    case("log_prob", [("SoftmaxCrossEntropyLoss", "x t", "l p"), ("Mul", "l p", "y")], {"x": numbers(3, 4), "t": np.array([1, 0, 3])})
    mlp = {"x": numbers(4, 3), "w": numbers(3, 5), "b": numbers(5), "v": numbers(5, 2)}
    mlp_nodes = [("MatMul", "x w", "h"), ("Add", "h b", "i"), ("Tanh", "i", "j"), ("MatMul", "j v", "k"),
                 ("LogSoftmax", "k", "y")]
    case("perceptron", mlp_nodes, mlp, open_too=False)
    case("some", mlp_nodes, mlp, xs=["w", "v"], open_too=False)
    case("unrelated", [("Mul", "a a", "y"), ("Exp", "b", "q")], {"a": numbers(3), "b": numbers(2)})
    case("twice_used", [("Exp", "x", "e"), ("Mul", "e x", "f"), ("Sub", "f e", "y")], {"x": numbers(3)})


def windows():
    for name, x, w, more in (("plain", (2, 3, 5, 4), (4, 3, 3, 2), {}), ("line", (1, 2, 7), (3, 2, 3), dict(pads=[1, 2], strides=[2])),
                             ("groups", (2, 4, 4, 4), (6, 2, 2, 2), dict(group=2, pads=[1, 0, 0, 1])),
                             ("dilated", (1, 2, 6, 5), (2, 2, 2, 2), dict(dilations=[2, 3], strides=[1, 2], pads=[0, 1, 1, 1]))):
        inputs = {"x": numbers(*x), "w": numbers(*w), "b": numbers(w[0])}
        case(f"conv_{name}", [("Conv", "x w b", "y", more)], inputs, open_too=False)
        case(f"conv_{name}_no_bias", [("Conv", "x w", "y", more)], {k: inputs[k] for k in "xw"}, open_too=False)
        size = dict(kernel_shape=list(w[2:]), **{k: v for k, v in more.items() if k != "group"})
        case(f"max_pool_{name}", [("MaxPool", "x", "y", size)], {"x": apart(*x)}, open_too=False)
        case(f"average_pool_{name}", [("AveragePool", "x", "y", dict(count_include_pad=1, **size))], {"x": apart(*x)}, open_too=False)


def nested():
    """Derivatives of derivatives, of values between, and at other values."""
    x = {"x": numbers(3)}
    first = helper.make_node("Gradient", ["x"], ["d"], domain="ai.onnx.preview.training", xs=["x"], y="y")
    second = helper.make_node("Gradient", ["x"], ["dd"], domain="ai.onnx.preview.training", xs=["x"], y="d")
    v = x["x"]
    add("second_order", model_of([node("Mul", "x x", "s"), node("Mul", "s x", "y"), first, second], x, ["d", "dd"], True), x,
        [3 * v**2, 6 * v])
    add("second_order_sin", model_of([node("Sin", "x", "y"), first, second], x, ["d", "dd"], False), x, [np.cos(v), -np.sin(v)])
    between = helper.make_node("Gradient", ["h"], ["d"], domain="ai.onnx.preview.training", xs=["h"], y="y")
    add("between", model_of([node("Exp", "x", "h"), node("Mul", "h h", "y"), between], x, ["d"], True), x, [2 * np.exp(v)])
    at = helper.make_node("Gradient", ["k", "z"], ["d", "e"], domain="ai.onnx.preview.training", xs=["h", "z"], y="y")
    inputs = {"x": v, "z": numbers(3), "k": numbers(3)}
    k, z = inputs["k"], inputs["z"]
    add("elsewhere", model_of([node("Exp", "x", "h"), node("Mul", "h h", "s"), node("Mul", "s z", "y"), at], inputs, ["d", "e"], True),
        inputs, [2 * k * z, k * k])
    swapped = helper.make_node("Gradient", ["b", "b"], ["d", "e"], domain="ai.onnx.preview.training", xs=["a", "b"], y="y")
    inputs = {"a": numbers(2), "b": numbers(2)}
    add("one_value_twice", model_of([node("Exp", "a", "p"), node("Mul", "p b", "y"), swapped], inputs, ["d", "e"], True), inputs,
        [np.exp(inputs["b"]) * inputs["b"], np.exp(inputs["b"])])
    itself = helper.make_node("Gradient", ["x"], ["d"], domain="ai.onnx.preview.training", xs=["x"], y="x")
    add("itself", model_of([itself], x, ["d"], True), x, [np.ones(3)])
    skipped = helper.make_node("Gradient", ["a", "b"], ["", "e"], domain="ai.onnx.preview.training", xs=["a", "b"], y="y")
    add("skipped", model_of([node("Mul", "a b", "y"), skipped], inputs, ["e"], True), inputs, [inputs["a"]])


def write(folder):
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for name, (model, inputs, outputs) in cases.items():
        data = folder / name / "test_data_set_0"
        data.mkdir(parents=True)
        (folder / name / "model.onnx").write_bytes(model.SerializeToString())
        (folder / name / "data.json").write_text(json.dumps({"rtol": 1e-5, "atol": 1e-7}))
        for what, values in (("input", inputs.values()), ("output", outputs)):
            for i, v in enumerate(values):
                (data / f"{what}_{i}.pb").write_bytes(numpy_helper.from_array(np.asarray(v)).SerializeToString())
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    for group in (elementwise, products, reductions, moves, models, windows, nested):
        group()
    write(sys.argv[1])
