"""Cases of com.microsoft in the form of the official ones: one node, what ONNX Runtime makes of it, or numpy where its CPU build
has no kernel."""
import json
from pathlib import Path
import shutil

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
import onnxruntime

F16, F32, F64, I8, U8, I32, I64 = np.float16, np.float32, np.float64, np.int8, np.uint8, np.int32, np.int64
random = np.random.default_rng(11)
cases = {}  # name: (model, inputs, outputs, rtol, atol)


def numbers(*shape, dtype=F32):
    return random.standard_normal(shape).astype(dtype)


def integers(low, high, *shape, dtype=I32):
    """In [low, high)."""
    return random.integers(low, high, shape).astype(dtype)


def type_of(v):
    return helper.np_dtype_to_tensor_dtype(v.dtype)


def info(name, v, with_shape=True):
    return helper.make_tensor_value_info(name, type_of(v), v.shape if with_shape else None)


def by_runtime(model, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def make(op, values, names, types, constants, keep, ir, attributes):
    """keep: {output: bools}; numbers of that output where they are false say nothing and become 0."""
    nodes = [helper.make_node(op, [f"x{i}" if v is not None else "" for i, v in enumerate(values)], names, name="node",
                              domain="com.microsoft", **attributes)]
    outputs, initializers = [], []
    for name, kind in zip(names, types):
        if not name:
            continue
        index = int(name[1:])
        if keep and index in keep:
            zero = np.zeros((), helper.tensor_dtype_to_np_dtype(kind))
            initializers += [numpy_helper.from_array(keep[index], f"keep{index}"), numpy_helper.from_array(zero, f"zero{index}")]
            nodes.append(helper.make_node("Where", [f"keep{index}", name, f"zero{index}"], [f"kept{index}"]))
            name = f"kept{index}"
        outputs.append(helper.make_tensor_value_info(name, kind, None))
    infos = [info(f"x{i}", v) for i, v in enumerate(values) if v is not None and i not in constants]
    initializers += [numpy_helper.from_array(values[i], f"x{i}") for i in constants if i < len(values) and values[i] is not None]
    graph = helper.make_graph(nodes, "case", infos, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)],
                             ir_version=ir)


def case(name, op, inputs, outputs=1, types=None, constants=(), expected=None, keep=None, rtol=1e-4, atol=1e-5, ir=10, **attributes):
    """outputs: how many, or their names: y0, y1, ... with "" for one that is left out. expected: what they are; None: by the
    runtime."""
    names = [f"y{i}" for i in range(outputs)] if isinstance(outputs, int) else outputs
    values = [None if v is None else np.asarray(v) for v in inputs]
    while values and values[-1] is None:
        values.pop()
    types = types or [type_of(values[0])] * len(names)
    model = make(op, values, names, types, constants, keep, ir, attributes)
    feeds = {f"x{i}": v for i, v in enumerate(values) if v is not None and i not in constants}
    if expected is None:
        try:
            expected = by_runtime(model, feeds)
        except Exception as error:
            raise RuntimeError(f"{op} {name}: {error}") from error
    add(f"{op}_{name}", model, feeds, expected, rtol, atol)


def add(name, model, feeds, expected, rtol=1e-4, atol=1e-5):
    name = name.lower()
    assert name not in cases, name
    cases[name] = (model, feeds, [np.asarray(e) for e in expected], rtol, atol)


def half(case_function, name, op, inputs, *rest, **more):
    """The same case in float16, where the inputs are floats."""
    inputs = [v.astype(F16) if v is not None and v.dtype == F32 else v for v in inputs]
    case_function(name, op, inputs, *rest, rtol=4e-3, atol=4e-3, **more)


def write(folder):
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for name, (model, inputs, outputs, rtol, atol) in cases.items():
        data = folder / name / "test_data_set_0"
        data.mkdir(parents=True)
        (folder / name / "model.onnx").write_bytes(model.SerializeToString())
        (folder / name / "data.json").write_text(json.dumps({"rtol": rtol, "atol": atol}))
        for what, values in (("input", list(inputs.values())), ("output", outputs)):
            for i, v in enumerate(values):
                (data / f"{what}_{i}.pb").write_bytes(numpy_helper.from_array(v).SerializeToString())
    print(f"{len(cases)} cases")


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def pack(codes, bits):
    """Codes of the last axis, lowest bits first; what is left of the last byte is 0."""
    flat = ((codes[..., None].astype(np.uint32) >> np.arange(bits)) & 1).reshape(*codes.shape[:-1], -1)
    extra = -flat.shape[-1] % 8
    flat = np.concatenate([flat, np.zeros((*flat.shape[:-1], extra), flat.dtype)], -1)
    return np.packbits(flat.astype(U8), axis=-1, bitorder="little")
