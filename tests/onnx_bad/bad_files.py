"""Files: the wire format, external data."""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bad_case import F32, add, text


def varint(v):
    out = b""
    while True:
        out += bytes([v & 127 | (128 if v > 127 else 0)])
        v >>= 7
        if not v:
            return out


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def plain():
    return text('<ir_version: 10, opset_import: ["": 20]> g (float[2] x) => (float[2] y) { [here] y = Relu(x) }')


def nested_graphs(depth):
    """An If within an If: written by hand, as protobuf's own writer refuses it."""
    name = b"b"
    graph = field(2, name)
    for _ in range(depth):
        attribute = field(1, b"then_branch") + field(6, graph) + varint(20 << 3) + varint(5)
        node = field(1, b"x") + field(2, b"y") + field(4, b"If") + field(5, attribute)
        graph = field(1, node) + field(2, name)
    return varint(8) + varint(10) + field(7, graph) + field(8, varint(16) + varint(20))


def nested_types(depth):
    kind = field(1, varint(8) + varint(1))
    for _ in range(depth):
        kind = field(4, field(1, kind))
    graph = field(2, b"g") + field(11, field(1, b"x") + field(2, kind))
    return varint(8) + varint(10) + field(7, graph) + field(8, varint(16) + varint(20))


def wire():
    good = plain().SerializeToString()
    add("wire_varint_11", b"\x08" + b"\xff" * 10 + b"\x01" + good, "FORMAT", "a varint over 10 bytes")
    add("wire_length_past_end", good[:-1], "FORMAT", "the file is damaged or cut short")
    add("wire_length_2_63", b"\x3a" + varint((1 << 63) - 1) + good, "FORMAT", "the file is damaged or cut short")
    add("wire_type_of_graph", b"\x38\x01" + good, "FORMAT", "ModelProto.graph at offset 0: wire type 0, expected 2")
    add("wire_type_7", good + b"\x0f", "FORMAT", "a wire type that is none of 0, 1, 2, 5")
    add("wire_graphs_nest", nested_graphs(200), "LIMIT", "messages nest deeper than 100")
    add("wire_types_nest", nested_types(200), "LIMIT", "messages nest deeper than 100")
    add("wire_graphs_nest_deep", nested_graphs(20000), "LIMIT", "messages nest deeper than 100")
    add("wire_empty", b"", "FORMAT", "an empty file")
    add("wire_page", b"<!DOCTYPE html><html><body>Not found</body></html>", "FORMAT", "HTML page")
    add("wire_no_graph", b"\x08\x0a", "FORMAT", "it has no graph")


# ---------------------------------------------------------------- data within the file

def initializer(**fields):
    m = text('<ir_version: 10, opset_import: ["": 20]> g (float[N] x) => (float[N] y) { [here] y = Add(x, w) }')
    t = TensorProto(name="w", data_type=fields.pop("data_type", 1), dims=fields.pop("dims", [2]))
    for key, value in fields.items():
        if isinstance(value, list):
            getattr(t, key).extend(value)
        else:
            setattr(t, key, value)
    m.graph.initializer.append(t)
    return m


def data():
    add("data_raw_short", initializer(raw_data=b"1234567"), "FORMAT", ["'w'", "7", "8"])
    add("data_raw_long", initializer(raw_data=b"123456789"), "FORMAT", ["'w'", "9", "8"])
    add("data_none", initializer(), "FORMAT", ["'w'", "0", "2"])
    add("data_list_short", initializer(float_data=[1]), "FORMAT", ["'w'", "float_data", "1", "2"])
    add("data_of_another_list", initializer(int64_data=[1, 2]), "FORMAT", ["'w'", "float_data"])
    add("data_negative_dim", initializer(dims=[-2], raw_data=b"12345678"), "FORMAT", ["'w'", "dimension 0 is -2"])
    add("data_dims_wrap", initializer(dims=[1 << 32, 1 << 32]), "FORMAT", ["'w'", "elements past memory"])
    add("data_dims_wrap_to_2", initializer(dims=[1 << 62, 8, 2], raw_data=b""), "FORMAT", ["'w'", "elements past memory"])
    add("data_2_40", initializer(dims=[1 << 40], raw_data=b"12345678"), "FORMAT", ["'w'", "4398046511104"])
    add("data_type_unknown", initializer(data_type=99, raw_data=b"12345678"), "FORMAT", ["'w'", "data_type"])
    add("data_raw_strings", initializer(data_type=8, raw_data=b"12345678"), "FORMAT", ["'w'", "strings"])
    add("data_int4_short", initializer(data_type=22, dims=[3], raw_data=b"1"), "FORMAT", ["'w'", "1", "2"])
    m = text('<ir_version: 10, opset_import: ["": 20]> g () => (float[2] y) { [here] y = Constant <value = float[2] {1, 2}> () }')
    m.graph.node[0].attribute[0].t.dims[0] = 3
    add("data_of_attribute", m, "FORMAT", ["'here'", "3"])
    values = numpy_helper.from_array(np.array([1, 2], F32), "w")
    for name, indices, says in (("range", [1, 9], "'w'"), ("negative", [-1, 2], "'w'"), ("count", [1], "'w'")):
        m = initializer(dims=[4], raw_data=bytes(16))
        del m.graph.initializer[:]
        m.graph.sparse_initializer.append(helper.make_sparse_tensor(values, numpy_helper.from_array(np.array(indices)), [4]))
        add(f"data_sparse_{name}", m, "FORMAT", says)
    m.graph.sparse_initializer[0].indices.CopyFrom(numpy_helper.from_array(np.array([1, 2])))
    m.graph.sparse_initializer[0].dims[:] = [1 << 20, 1 << 30]
    add("data_sparse_2_50", m, ("LIMIT", "FORMAT"), "'w'")


# ---------------------------------------------------------------- external data

def external(**entries):
    m = initializer(data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        m.graph.initializer[0].external_data.add(key=key, value=value)
    return m


def prepare(folder):
    """What locations point to: a file, links to it, a folder, a file outside."""
    (folder / "w.bin").write_bytes(bytes(16))
    (folder / "linked.bin").write_bytes(bytes(16))
    (folder / "sub").mkdir()
    (folder / "sub/w.bin").write_bytes(bytes(16))
    os.link(folder / "linked.bin", folder / "hard.bin")
    os.symlink("w.bin", folder / "soft.bin")
    os.symlink("sub", folder / "soft")
    os.symlink("/dev/zero", folder / "zero")
    os.mkfifo(folder / "fifo")
    (folder.parent / "outside.bin").write_bytes(bytes(16))


LOCATIONS = {
    "absolute": ("/etc/hostname", "absolute"),
    "device": ("/dev/zero", "absolute"),
    "device_linked": ("zero", "symbolic link"),
    "device_within": ("./zero", "symbolic link"),
    "up": ("../outside.bin", "leaves the folder"),
    "up_within": ("sub/../../outside.bin", "leaves the folder"),
    "up_windows": ("..\\outside.bin", "leaves the folder"),
    "up_and_back": ("../external_up_and_back_initializer/w.bin", "leaves the folder"),
    "drive": ("C:\\w.bin", "drive"),
    "network": ("\\\\server\\w.bin", "absolute"),
    "url": ("file:///etc/hostname", "drive"),
    "symbolic_link": ("soft.bin", "symbolic link"),
    "linked_folder": ("soft/w.bin", "symbolic link"),
    "hard_link": ("hard.bin", "hard link"),
    "folder": ("sub", "folder"),
    "folder_slash": ("sub/", "folder"),
    "itself": (".", "folder itself"),
    "empty": ("", "no location"),
    "fifo": ("fifo", "no regular file"),
    "file_as_folder": ("w.bin/w.bin", "w.bin"),
    "absent": ("absent.bin", "absent.bin"),
    "memory": ("*/_ORT_MEM_ADDR_/*", "memory of another process"),
    "zero_byte": ("w.bin\0/../../outside.bin", "holds a 0"),
    "long_name": ("a/" * 3000 + "w.bin", "too long"),
}
RANGES = {
    "past_end": ("16", "8", "pass the file's end"),
    "offset_past_end": ("17", None, "past the file's end"),
    "length_past_end": ("0", "17", "pass the file's end"),
    "wrapping": ("18446744073709551608", "16", "pass any file's end"),
    "wrapping_length": ("8", "18446744073709551615", "pass any file's end"),
    "past_2_64": ("18446744073709551616", "8", "no number"),
    "negative": ("-8", "8", "no number"),
    "negative_length": ("0", "-8", "no number"),
    "short": ("0", "4", "4"),
    "short_of_file": ("12", None, "4"),
    "long": ("0", "16", "16"),
}


def places(m):
    """The model with its external tensor as an initializer, in a subgraph, in an attribute, and in values of a sparse one."""
    tensor = m.graph.initializer[0]
    yield "initializer", m
    inner = text("""<ir_version: 10, opset_import: ["": 20]> g (bool c, float[2] x) => (float[2] y)
        { [here] y = If (c) <then_branch = a () => (p) { p = Add(x, w) }, else_branch = b () => (q) { q = Neg(x) }> }""")
    inner.graph.node[0].attribute[0].g.initializer.append(tensor)
    yield "subgraph", inner
    attribute = text("""<ir_version: 10, opset_import: ["": 20]> g (float[2] x) => (float[2] y)
        { [here] w = Constant <value = float[2] {1, 2}> () y = Add(x, w) }""")
    attribute.graph.node[0].attribute[0].t.CopyFrom(tensor)
    yield "attribute", attribute
    sparse = onnx.ModelProto.FromString(m.SerializeToString())
    del sparse.graph.initializer[:]
    sparse.graph.sparse_initializer.append(helper.make_sparse_tensor(tensor, numpy_helper.from_array(np.array([1, 2])), [4]))
    yield "sparse", sparse


def outside():
    statuses = ("FORMAT", "ARGUMENT", "NOT_FOUND")
    for name, (location, says) in LOCATIONS.items():
        for place, m in places(external(location=location)):
            add(f"external_{name}_{place}", m, statuses, ["external data", says], files=prepare)
    for name, (offset, length, says) in RANGES.items():
        entries = {"location": "w.bin", "offset": offset, **({"length": length} if length else {})}
        for place, m in places(external(**entries)):
            add(f"external_{name}_{place}", m, "FORMAT", ["tensor 'w'", says], files=prepare)
    for place, m in places(external(location="w.bin", offset="8", length="8")):
        add(f"external_fine_{place}", m, "OK" if place != "subgraph" else "OK", [], files=prepare,
            inputs={"c": np.array(True), "x": np.ones(2 if place != "sparse" else 4, F32)})
        add(f"external_bytes_{place}", m, "FORMAT", ["external data", "no folder"], files=prepare, bytes=True)


def make():
    wire()
    data()
    outside()
