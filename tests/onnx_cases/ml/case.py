"""Cases of ai.onnx.ml in the form of the official ones: one node, what ONNX Runtime makes of it, or numpy where the specification
says other than ONNX Runtime, or that has no kernel for the type. Maps are dicts, sequences lists."""
import json
from pathlib import Path
import shutil

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from microsoft.case import F16, F32, F64, I32, I64, by_runtime, integers, numbers, random, type_of

I16 = np.int16
FLOAT, DOUBLE, INT64, STRING = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.STRING
cases = {}  # name: (model, inputs, outputs)


def strings(*items):
    return np.array(items, object)


def type_proto(v):
    """The type of an input: an array, a dict."""
    if isinstance(v, dict):
        key, value = next(iter(v.items()))
        kind = STRING if isinstance(value, str) else {float: FLOAT, int: INT64}.get(type(value)) or type_of(value)
        return helper.make_map_type_proto(STRING if isinstance(key, str) else INT64, helper.make_tensor_type_proto(kind, None))
    return helper.make_tensor_type_proto(STRING if v.dtype == object else type_of(v), v.shape)


def map_type(key):
    return helper.make_sequence_type_proto(helper.make_map_type_proto(key, helper.make_tensor_type_proto(FLOAT, None)))


def case(name, op, inputs, types, opset=1, expected=None, **attributes):
    """types: of the outputs, element types or TypeProto. expected: what they are; None: by the runtime."""
    values = inputs if isinstance(inputs, list) else [inputs]
    node = helper.make_node(op, [f"x{i}" for i in range(len(values))], [f"y{i}" for i in range(len(types))], name="node",
                            domain="ai.onnx.ml", **attributes)
    infos = [helper.make_value_info(f"x{i}", type_proto(v)) for i, v in enumerate(values)]
    outputs = [helper.make_value_info(f"y{i}", helper.make_tensor_type_proto(t, None) if isinstance(t, int) else t)
               for i, t in enumerate(types)]
    graph = helper.make_graph([node], "case", infos, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", opset)],
                              ir_version=10)
    if expected is None:
        try:
            expected = by_runtime(model, {f"x{i}": v for i, v in enumerate(values)})
        except Exception as error:
            raise RuntimeError(f"{op} {name}: {error}") from error
    name = f"{op}_{name}".lower()
    assert name not in cases, name
    cases[name] = (model, values, expected)


def array_of(v):
    return np.array(v, object if isinstance(v, str) else F32 if isinstance(v, float) else None)


def message(v):
    if isinstance(v, list):
        sequence = onnx.SequenceProto(elem_type=onnx.SequenceProto.MAP)
        sequence.map_values.extend(message(m) for m in v)
        return sequence
    if not isinstance(v, dict):
        return numpy_helper.from_array(np.asarray(v))
    out = onnx.MapProto(key_type=STRING if isinstance(next(iter(v)), str) else INT64)
    for key, value in v.items():
        if isinstance(key, str):
            out.string_keys.append(key.encode())
        else:
            out.keys.append(key)
        out.values.tensor_values.append(numpy_helper.from_array(array_of(value)))
    out.values.elem_type = onnx.SequenceProto.TENSOR
    return out


def write(folder):
    folder = Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for name, (model, inputs, outputs) in cases.items():
        data = folder / name / "test_data_set_0"
        data.mkdir(parents=True)
        (folder / name / "model.onnx").write_bytes(model.SerializeToString())
        (folder / name / "data.json").write_text(json.dumps({"rtol": 1e-4, "atol": 1e-4 if "probit" in name else 1e-5}))
        for what, values in (("input", inputs), ("output", outputs)):
            for i, v in enumerate(values):
                (data / f"{what}_{i}.pb").write_bytes(message(v).SerializeToString())
    print(f"{len(cases)} cases")
