"""ONNX models, test data and .npy files as bytes, by nothing but Python's own library."""
import io
import struct
import zipfile

FLOAT, UINT8, INT64, STRING, BOOL = 1, 2, 7, 8, 9


def varint(v):
    v &= (1 << 64) - 1
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def message(*fields):
    """(number, value) each: an integer, a float, text, or the bytes of a message."""
    out = b""
    for number, value in fields:
        if isinstance(value, float):
            out += varint(number << 3 | 5) + struct.pack("<f", value)
        elif isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            value = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def tensor_type(kind, dims):
    sizes = [(1, message((2, d) if isinstance(d, str) else (1, d))) for d in dims]
    return message((1, message((1, kind), (2, message(*sizes)))))


def info(name, kind, dims):
    return message((1, name), (2, tensor_type(kind, dims)))


def attribute(name, value):
    if isinstance(value, int):
        return message((1, name), (3, value), (20, 2))
    if isinstance(value, list):
        return message((1, name), *((8, v) for v in value), (20, 7))
    return message((1, name), (4, value), (20, 3))


def node(op, inputs, outputs, name="", **attributes):
    return message(*((1, i) for i in inputs), *((2, o) for o in outputs), (3, name), (4, op),
                   *((5, attribute(k, v)) for k, v in attributes.items()))


def tensor(name, kind, dims, raw):
    return message(*((1, d) for d in dims), (2, kind), (8, name), (9, raw))


def model(nodes, inputs, outputs, initializers=(), opset=20):
    """inputs and outputs: (name, kind, dims); nodes and initializers: messages."""
    graph = message(*((1, n) for n in nodes), (2, "g"), *((5, t) for t in initializers), *((11, info(*i)) for i in inputs),
                    *((12, info(*o)) for o in outputs))
    return message((1, 10), (7, graph), (8, message((1, ""), (2, opset))))


def npy(descr, shape, data, version=1):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({''.join(f'{d},' for d in shape)}), }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + data


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


def npz(packed=True, **arrays):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, data in arrays.items():
            archive.writestr(name + ".npy", data)
    return out.getvalue()
