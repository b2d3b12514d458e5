"""What the files of bad models share: a list of cases, and short ways to make one."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, parser

F32, F64, I32, I64, U8, I8 = np.float32, np.float64, np.int32, np.int64, np.uint8, np.int8
NEWEST = 23  # of the default domain, where a case does not say
FAULTS = ("FORMAT", "LIMIT", "ARGUMENT", "UNSUPPORTED")

cases = []  # dictionaries: the row of index.json, with "model" (bytes), "values" and "files" beside it


def add(name, model, status, says, inputs=None, files=None, **more):
    """model: a ModelProto or bytes. inputs: name -> array, or a message. files: function of the case's folder."""
    assert name not in {c["name"] for c in cases}, name
    data = model if isinstance(model, bytes) else model.SerializeToString()
    inputs = inputs or {}
    cases.append({"name": name, "model": data, "values": [message(k, v) for k, v in inputs.items()], "files": files,
                  "inputs": list(inputs), "status": [status] if isinstance(status, str) else list(status),
                  "says": [says] if isinstance(says, str) else list(says), **more})


def message(name, value):
    if isinstance(value, (list, tuple)):
        return numpy_helper.from_list([np.asarray(v) for v in value], name)
    return value if hasattr(value, "SerializeToString") else numpy_helper.from_array(np.asarray(value), name)


def info(name, value, dims=True):
    """dims: True: as they are; False: not stated."""
    if isinstance(value, (list, tuple)):
        return helper.make_tensor_sequence_value_info(name, element_of(value[0]), None)
    return helper.make_tensor_value_info(name, element_of(value), value.shape if dims else None)


def element_of(value):
    value = np.asarray(value)
    return TensorProto.STRING if value.dtype.kind in "OUS" else helper.np_dtype_to_tensor_dtype(value.dtype)


def text(source):
    return parser.parse_model(source)


def opsets(domain="", version=None):
    out = [helper.make_opsetid("", NEWEST if domain or version is None else version)]
    if domain:
        out.append(helper.make_opsetid(domain, version or {"ai.onnx.ml": 5}.get(domain, 1)))
    return out


def model_of(nodes, inputs, outputs, domain="", version=None, dims=True, initializers=None, ir=10):
    graph = helper.make_graph(nodes, "g", [info(k, v, dims) for k, v in inputs.items()],
                              [helper.make_empty_tensor_value_info(o) for o in outputs],
                              [message(k, v) for k, v in (initializers or {}).items()])
    return helper.make_model(graph, opset_imports=opsets(domain, version), ir_version=ir)


KINDS = ("stated", "unstated", "constant")


def one(name, op, values, status=FAULTS, says=(), outputs=1, domain="", version=None, kinds=KINDS, named=None, **attributes):
    """One node whose inputs have shapes that the file states; that it does not; that are constants of the file. Each is
    refused, by the node. values: array, None (absent) or list (a sequence). named: the operator that import makes of it."""
    says = [says] if isinstance(says, str) else list(says)
    names = [f"x{i}" if v is not None else "" for i, v in enumerate(values)]
    given = {n: v if isinstance(v, (list, tuple)) else np.asarray(v) for n, v in zip(names, values) if n}
    made = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, names, made, name="here", domain=domain, **attributes)
    for kind in kinds:
        constant = kind == "constant" and not any(isinstance(v, list) for v in given.values())
        if kind == "constant" and not constant:
            continue
        inputs = {} if constant else given
        model = model_of([node], inputs, made, domain, version, kind == "stated", given if constant else None)
        add(f"{name}_{kind}", model, status, ["'here'", f"{op if named is None else named})", *says], inputs)


def fine(name, op, values, outputs=1, domain="", version=None, **attributes):
    """The same of a node that is right, so that what differs from it in one thing is known to be refused for that."""
    one(name, op, values, "OK", (), outputs, domain, version, **attributes)
