"""Compares formats/onnx with the onnx package: files and test data read and written again, text, the rules of the checker.

Usage: python3 onnx_compare.py PATH_OF_onnx_tool
In: the official backend cases: those of $ONDOL_ONNX_CASES (folders with model.onnx and test_data_set_N/*.pb), or of the package
where it is not set; for the rules, models made here and damaged in thousands of ways.
- What is read is written again to the same bytes as protobuf gives, and with its tensors in an external file, and back inline;
  onnx.checker accepts each.
- The text is that of onnx.printer where onnx.parser reads it; ours is always read, where the syntax has what the model needs.
- Whatever onnx.checker refuses is refused. Nodes have an operator of no known domain there, so that only structure is compared.
Needs: onnx (1.23.2 was used). Exit status: 1 when something differs, 77 without onnx.
"""
import copy
import os
from pathlib import Path
import random
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    import onnx.parser
    import onnx.printer
    from onnx.backend.test.loader import load_model_tests
except ImportError:
    print("skipped: Python lacks onnx (tools/requirements.txt)")
    sys.exit(77)

DOMAIN = "ondol.test"
MUTATIONS = 4000
faults = 0


class Tool:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, *words):
        self.process.stdin.write("\t".join(map(str, words)).encode() + b"\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().decode(errors="replace").rstrip("\n")


def fault(name, what):
    global faults
    faults += 1
    if faults <= 20:
        print(f"{name}: {what}")


# ---------------------------------------------------------------- models to compare

def official():
    """(name, model, bytes of its file, list of serialized test data)"""
    for kind in ("node", "simple", "pytorch-converted", "pytorch-operator"):
        for case in load_model_tests(kind=kind):
            if case.model is not None:
                yield case.name, case.model.SerializeToString(), [
                    v for inputs, outputs in case.data_sets for v in [*inputs, *outputs]]
            elif case.model_dir:
                yield from folder(Path(case.model_dir), case.name)


def folder(path, name):
    data = [p.read_bytes() for p in sorted(path.glob("test_data_set_*/*.pb"))]
    yield name, (path / "model.onnx").read_bytes(), data


def cases():
    root = os.environ.get("ONDOL_ONNX_CASES")
    if not root:
        yield from official()
        return
    for path in sorted(Path(root).rglob("model.onnx")):
        yield from folder(path.parent, str(path.parent.relative_to(root)))


def has_sparse(graph):
    return any(a.HasField("sparse_tensor") or a.sparse_tensors or (a.HasField("g") and has_sparse(a.g))
               for n in graph.node for a in n.attribute)


def accepted(path):
    try:
        onnx.checker.check_model(str(path))
        return True
    except (onnx.checker.ValidationError, ValueError):
        return False


def compare_file(tool, work, name, data):
    source, out = work / "in.onnx", work / "out.onnx"
    source.write_bytes(data)
    model = onnx.ModelProto.FromString(data)
    if (said := tool("write", source, out)) != "ok":
        return fault(name, said)
    if out.read_bytes() != model.SerializeToString():
        fault(name, "written differently")
    fine = accepted(source)
    if (said := tool("check", source)) != "ok" and fine:
        fault(name, f"refused: {said}")
    if model.graph.initializer:
        compare_external(tool, work, name, model, fine)
    compare_text(tool, work, name, model, source)


def compare_external(tool, work, name, model, fine):
    source, out, back = work / "in.onnx", work / "out.onnx", work / "back.onnx"
    if (said := tool("external", source, out)) != "ok":
        return fault(name, f"external: {said}")
    if fine and not accepted(out):
        fault(name, "external: onnx.checker refuses it")
    if (said := tool("check", out)) != "ok" and fine:
        fault(name, f"external: {said}")
    if (said := tool("inline", out, back)) != "ok":
        return fault(name, f"inline: {said}")
    loaded, inline = onnx.load(out), onnx.load(back)
    for one in (loaded, inline):
        for a, b in zip(model.graph.initializer, one.graph.initializer, strict=True):
            x, y = numpy_helper.to_array(a), numpy_helper.to_array(b)
            if a.name != b.name or x.dtype != y.dtype or x.shape != y.shape or x.tobytes() != y.tobytes():
                fault(name, f"external: tensor {a.name} differs")


def compare_text(tool, work, name, model, source):
    out = work / "out.txt"
    if (said := tool("text", source, out)) != "ok":
        return fault(name, f"text: {said}")
    ours = out.read_bytes().decode(errors="surrogateescape")
    try:
        theirs = onnx.printer.to_text(model)
        onnx.parser.parse_model(theirs)
        if ours != theirs:
            fault(name, "text differs from onnx.printer's")
    except Exception:  # it cannot print or read this one
        try:
            onnx.parser.parse_model(ours)
        except Exception as e:
            if not has_sparse(model.graph):
                fault(name, f"text is not read: {e}")


KINDS = {TensorProto: "tensor", onnx.SequenceProto: "sequence", onnx.OptionalProto: "optional", onnx.MapProto: "map"}


def as_message(value):
    """Test data of a case as it would lie in a file; None where that is no single message."""
    if isinstance(value, (bytes, *KINDS)):
        return value
    if value is None or isinstance(value, dict):
        return None
    return numpy_helper.from_list(value) if isinstance(value, list) else numpy_helper.from_array(np.asarray(value))


def compare_data(tool, work, name, values):
    source, out = work / "in.pb", work / "out.pb"
    for value in map(as_message, values):
        if value is None:
            continue
        kinds = KINDS.values() if isinstance(value, bytes) else [KINDS[type(value)]]  # a file does not say what it is
        data = value if isinstance(value, bytes) else value.SerializeToString()
        source.write_bytes(data)
        if not any(tool(kind, source, out) == "ok" and out.read_bytes() == data for kind in kinds):
            fault(name, "test data is written differently")


# ---------------------------------------------------------------- models to damage

def node(kind, inputs, outputs, **attributes):
    return helper.make_node(kind, inputs, outputs, name=f"n_{outputs[0] if outputs else kind}", domain=DOMAIN, **attributes)


def info(name, kind=TensorProto.FLOAT, shape=(2, "n")):
    return helper.make_tensor_value_info(name, kind, shape)


def typed_tensors():
    """One of each element type, raw and in its list."""
    names = [t.name for t in TensorProto.DESCRIPTOR.enum_types_by_name["DataType"].values if t.number]
    for name in names:
        kind = TensorProto.DataType.Value(name)
        dtype = helper.tensor_dtype_to_np_dtype(kind)
        if name == "STRING":
            yield helper.make_tensor("t_STRING", kind, [2], [b"a", b"\xc3\xa9"])
            continue
        values = np.arange(5).astype(np.float32).astype(dtype)
        raw = numpy_helper.from_array(values, f"r_{name}")
        yield raw
        yield helper.make_tensor(f"t_{name}", kind, [5], values.tolist() if name != "BOOL" else [0, 1, 1, 0, 1])


def sparse(name, indices):
    values = numpy_helper.from_array(np.array([1, 2, 3], np.float32), name)
    return helper.make_sparse_tensor(values, numpy_helper.from_array(np.array(indices, np.int64), "i_" + name), [3, 4])


def main_model():
    then = helper.make_graph([node("Op", ["x", "r_FLOAT"], ["t1"])], "then", [], [info("t1")])
    other = helper.make_graph([node("Op", ["c"], ["e1"]), node("Op", ["e1"], ["e2"])], "else", [], [info("e2")],
                              [numpy_helper.from_array(np.ones(2, np.float32), "c")])
    body = helper.make_graph([node("Op", ["s", "x"], ["s1"])], "body", [info("s"), info("k")], [info("s1")])
    nodes = [
        node("Op", ["x", "t_FLOAT"], ["a"], f=1.5, i=3, s="text", fs=[1.0, 2.0], ints=[1, 2], ss=["a", "b"]),
        node("If", ["a"], ["b"], then_branch=then, else_branch=other),
        node("Loop", ["b", "", "a"], ["c1", "c2"], body=body),
        node("Op", ["c1", "sp1", "sp2"], ["d", ""], t=numpy_helper.from_array(np.ones((2, 2), np.float16), "v"),
             tp=helper.make_tensor_type_proto(1, [2])),
        node("F", ["d", "c2"], ["y"], alpha=2.0),
    ]
    nodes[3].attribute.append(helper.make_attribute("st", sparse("inner", [0, 5, 11])))
    graph = helper.make_graph(nodes, "main", [info("x"), info("t_FLOAT", shape=(5,))], [info("y"), info("c2")],
                              list(typed_tensors()), value_info=[info("a")],
                              sparse_initializer=[sparse("sp1", [1, 2, 7]), sparse("sp2", [[0, 1], [1, 0], [2, 3]])])
    annotation = graph.quantization_annotation.add(tensor_name="a")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="r_FLOAT")
    inner = helper.make_function(DOMAIN, "G", ["p"], ["q"], [node("Op", ["p"], ["q"])],
                                 [helper.make_opsetid(DOMAIN, 1)])
    call = node("Op", ["u"], ["w1"])
    call.attribute.append(onnx.AttributeProto(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="alpha"))
    outer = helper.make_function(DOMAIN, "F", ["u", "v"], ["w2"], [call, node("G", ["w1"], ["w2"])],
                                 [helper.make_opsetid(DOMAIN, 1), helper.make_opsetid("", 20)], ["beta"],
                                 [helper.make_attribute("alpha", 1.0)])
    model = helper.make_model(graph, functions=[outer, inner], ir_version=10, producer_name="ondol",
                              opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)])
    helper.set_model_props(model, {"a": "1", "b": "2"})
    return model


def old_model(version):
    graph = helper.make_graph([node("Op", ["x", "w"], ["y"], i=1)], "old", [info("x"), info("w", shape=(2,))], [info("y")],
                              [numpy_helper.from_array(np.ones(2, np.float32), "w")])
    for n in graph.node:
        n.domain = "" if version < 3 else DOMAIN
        n.op_type = "Identity" if version < 3 else "Op"
        if version < 3:
            del n.attribute[:], n.input[1:]
    model = helper.make_model(graph, ir_version=version, opset_imports=[helper.make_opsetid(DOMAIN, 1)])
    if version < 3:
        del model.opset_import[:]
    return model


def external_model(work):
    model = main_model()
    (work / "weights.bin").write_bytes(bytes(range(256)) * 4)
    (work / "sub").mkdir(exist_ok=True)
    (work / "sub" / "more.bin").write_bytes(bytes(64))
    for t, location, offset in zip([t for t in model.graph.initializer if t.name in ("r_FLOAT", "r_INT8")],
                                   ("weights.bin", "sub/more.bin"), ("16", "0")):
        size = len(t.raw_data)
        t.ClearField("raw_data")
        t.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", str(size))):
            t.external_data.add(key=key, value=value)
    return model


# ---------------------------------------------------------------- damage

def messages(message, found):
    found.append(message)
    for field, value in message.ListFields():
        if field.message_type:
            for child in (value if field.is_repeated else [value]):
                messages(child, found)
    return found


TEXTS = ["", "x", "y", "a", "b", "d", "r_FLOAT", "t_FLOAT", "nowhere", "F", "G", "alpha", "location", DOMAIN, "ai.onnx",
         "/etc/passwd", "../weights.bin", "sub/../weights.bin", "weights.bin", "sub", ".", "16", "-1", "99999999999999999999", "1e3"]
NUMBERS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 14, 15, 28, 29, 1 << 31, -1, 1 << 40, (1 << 63) - 1, -(1 << 63)]


def damage(rng, model):
    """Changes one thing somewhere; returns what it was."""
    everything = [m for m in messages(model, []) if m.DESCRIPTOR.fields]
    message = rng.choice(everything)
    field = rng.choice(message.DESCRIPTOR.fields)
    name = f"{message.DESCRIPTOR.name}.{field.name}"
    value = getattr(message, field.name)
    if field.is_repeated:
        how = rng.choice(["clear", "pop", "twice", "swap", "set"])
        if how == "clear" or not value:
            message.ClearField(field.name)
        elif how == "pop":
            del value[rng.randrange(len(value))]
        elif how == "twice":
            value.append(copy.deepcopy(rng.choice(value)))
        elif how == "swap":
            items = [copy.deepcopy(v) for v in value]
            rng.shuffle(items)
            message.ClearField(field.name)
            getattr(message, field.name).extend(items)
        elif not field.message_type:
            value[rng.randrange(len(value))] = some(rng, field)
        return f"{how} {name}"
    if rng.random() < 0.4:
        message.ClearField(field.name)
        return f"clear {name}"
    if field.message_type:
        value.SetInParent()
        return f"present {name}"
    new = some(rng, field)
    setattr(message, field.name, new)
    return f"{name} = {new!r}"


def some(rng, field):
    if field.enum_type:
        return rng.choice(field.enum_type.values).number
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return rng.choice([0.0, 1.5, float("nan")])
    if field.type == field.TYPE_BYTES:
        return rng.choice([b"", b"abc", bytes(20)])
    if field.cpp_type == field.CPPTYPE_STRING:
        return rng.choice(TEXTS)
    number = rng.choice(NUMBERS)
    return {field.CPPTYPE_INT32: lambda: (number + (1 << 31)) % (1 << 32) - (1 << 31),
            field.CPPTYPE_UINT64: lambda: number % (1 << 64)}.get(field.cpp_type, lambda: number)()


def compare_rules(tool, work):
    rng = random.Random(7)
    seeds = [main_model(), external_model(work), *(old_model(v) for v in (1, 2, 3, 4))]
    path = work / "rules.onnx"
    refused = stricter = 0
    for i in range(len(seeds) + MUTATIONS):
        model = copy.deepcopy(seeds[i] if i < len(seeds) else rng.choice(seeds))
        done = "as made" if i < len(seeds) else "; ".join(damage(rng, model) for _ in range(rng.choice([1, 1, 1, 2])))
        path.write_bytes(model.SerializePartialToString())
        said = tool("check", path)
        try:
            onnx.checker.check_model(str(path))
            theirs = None
        except Exception as e:
            theirs = str(e)
        refused += theirs is not None
        if i < len(seeds) and (said != "ok" or theirs):
            fault(f"model {i}", f"{said}; onnx.checker: {theirs}")
        if theirs and said == "ok" and not any(part in theirs for part in SCHEMAS):
            fault(f"damage {i}", f"{done}: onnx.checker refuses it: {theirs.splitlines()[0]}")
        if said != "ok" and not theirs:
            stricter += 1
            if os.environ.get("ONDOL_SHOW_STRICTER"):
                print(f"stricter: {done}: {said}")
    print(f"rules: {MUTATIONS} damaged models, onnx.checker refuses {refused}, Ondol {stricter} more")


# What onnx.checker says by an operator's schema, which the graph's own rules see to.
SCHEMAS = ("No Op registered", "is deprecated in domain_version", "Unrecognized attribute", "is not compatible with the version",
           "has input size", "has output size", "is marked single", "Required attribute", "Mismatched attribute type")


def main():
    warnings.filterwarnings("ignore")
    tool = Tool(sys.argv[1])
    count = 0
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # each file is synced to its disk
    with tempfile.TemporaryDirectory(dir=memory) as name:
        work = Path(name)
        compare_rules(tool, work)
        for name, data, values in cases():
            compare_file(tool, work, name, data)
            compare_data(tool, work, name, values)
            count += 1
    print(f"{count} models compared, {faults} faults")
    return 1 if faults or count < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
