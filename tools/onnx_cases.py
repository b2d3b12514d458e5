#!/usr/bin/env python3
"""Writes the official ONNX backend cases of the installed `onnx` package (tools/requirements.txt has the version) as folders:

  OUT/KIND/NAME/model.onnx
  OUT/KIND/NAME/test_data_set_N/input_K.pb, output_K.pb
  OUT/KIND/NAME/data.json                 {"rtol": ..., "atol": ..., "opset": {...}, "ops": [...]}
  OUT/index.json                          all data.json in a list; written last

Kinds: node, simple (made by the package), pytorch-converted, pytorch-operator (copied from it), light (networks without
weights of their own, on the input that the package's runner makes, with its expected outputs).
Usage: onnx_cases.py OUT   (nothing is done when OUT/index.json is there and of this version)"""
import collections
import json
import os
from pathlib import Path
import shutil
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from onnx.backend.test.loader import DATA_DIR, load_model_tests  # noqa: E402
from onnx.backend.test.runner import Runner  # noqa: E402

KINDS = ["node", "simple", "pytorch-converted", "pytorch-operator", "real"]


def empty_optional(type_of_element, name):
    optional = onnx.OptionalProto()
    optional.name = name
    is_sequence = type_of_element.HasField("sequence_type")
    optional.elem_type = onnx.OptionalProto.SEQUENCE if is_sequence else onnx.OptionalProto.TENSOR
    return optional


def message_of(value, info):
    """The value as the message that the type of its ValueInfoProto asks for."""
    kind = info.type
    if isinstance(value, onnx.TensorProto):
        if not value.name:
            value = onnx.TensorProto.FromString(value.SerializeToString())
            value.name = info.name
        return value
    if isinstance(value, (onnx.SequenceProto, onnx.OptionalProto, onnx.MapProto)):
        return value
    if kind.HasField("map_type"):
        return numpy_helper.from_dict(value, info.name)
    if kind.HasField("sequence_type"):
        return numpy_helper.from_list(value, info.name)
    if kind.HasField("optional_type"):
        if value is None:
            return empty_optional(kind.optional_type.elem_type, info.name)
        return numpy_helper.from_optional(value, info.name)
    return numpy_helper.from_array(np.asarray(value), info.name)


def write_values(folder, what, values, infos):
    for k, value in enumerate(values):
        (folder / f"{what}_{k}.pb").write_bytes(message_of(value, infos[k]).SerializeToString())


def write_made(case, folder):
    """A case that the package makes: model and values are in memory."""
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    for i, (inputs, outputs) in enumerate(case.data_sets):
        data_set = folder / f"test_data_set_{i}"
        data_set.mkdir()
        write_values(data_set, "input", inputs, case.model.graph.input)
        write_values(data_set, "output", outputs, case.model.graph.output)
    return case.model


def write_light(case, folder):
    source = os.path.join(DATA_DIR, "light", os.path.basename(case.url))
    shutil.copy(source, folder / "model.onnx")
    model = onnx.load(str(folder / "model.onnx"))
    data_set = folder / "test_data_set_0"
    data_set.mkdir()
    initializers = {i.name for i in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in initializers]
    values = [Runner.generate_dummy_data(i, seed=0, name=case.model_name) for i in inputs]
    write_values(data_set, "input", values, inputs)
    for k in range(len(model.graph.output)):
        shutil.copy(f"{source[:-5]}_output_{k}.pb", data_set / f"output_{k}.pb")
    return model


def write_case(case, folder):
    if case.model is not None:
        return write_made(case, folder)
    if case.model_dir:
        shutil.copytree(case.model_dir, folder, dirs_exist_ok=True)
        return onnx.load(str(folder / "model.onnx"))
    return write_light(case, folder)


def operators(graph, out):
    for node in graph.node:
        out[f"{node.domain or 'ai.onnx'}:{node.op_type}"] += 1
        for attribute in node.attribute:
            for subgraph in [attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else attribute.graphs:
                operators(subgraph, out)


def describe(model, case, kind):
    ops = collections.Counter()
    operators(model.graph, ops)
    for function in model.functions:
        ops.update(f"{n.domain or 'ai.onnx'}:{n.op_type}" for n in function.node)
    return {"kind": kind, "name": case.name, "rtol": case.rtol, "atol": case.atol, "ir": model.ir_version,
            "opset": {o.domain or "ai.onnx": o.version for o in model.opset_import}, "ops": sorted(ops.items())}


def is_current(out):
    stamp = out / "version"
    return (out / "index.json").exists() and stamp.exists() and stamp.read_text() == onnx.__version__


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    out = Path(sys.argv[1])
    if is_current(out):
        return
    shutil.rmtree(out, ignore_errors=True)
    index = []
    for kind in KINDS:
        for case in load_model_tests(kind=kind):
            name = "light" if kind == "real" else kind
            folder = out / name / case.name
            folder.mkdir(parents=True)
            description = describe(write_case(case, folder), case, name)
            (folder / "data.json").write_text(json.dumps(description))
            index.append(description)
    (out / "version").write_text(onnx.__version__)
    (out / "index.json").write_text(json.dumps(index))
    for kind, count in sorted(collections.Counter(d["kind"] for d in index).items()):
        print(f"{kind}: {count}")


main()
