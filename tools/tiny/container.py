"""Writes metadata and tensors as GGUF: version 3 (either byte order, or in parts) with the gguf package, 1 and 2 by hand."""

import struct

import numpy as np
from gguf import GGUFEndian, GGUFValueType as T, GGUFWriter

SCALARS = {T.UINT8: "B", T.INT8: "b", T.UINT16: "H", T.INT16: "h", T.UINT32: "I", T.INT32: "i", T.FLOAT32: "f",
           T.BOOL: "?", T.UINT64: "Q", T.INT64: "q", T.FLOAT64: "d"}
ALIGNMENT = 32


def write(path, architecture, metadata, tensors, *, big_endian=False, tensors_per_part=0, alignment=ALIGNMENT):
    """GGUF version 3. metadata: (key, type, value[, element type]); tensors: (name, array, GGML type), where the array of a
    block encoding is u8 [rows, bytes of a row]. With tensors_per_part, path's stem gets -00001-of-0000N."""
    writer = GGUFWriter(path, architecture, endianess=GGUFEndian.BIG if big_endian else GGUFEndian.LITTLE,
                        split_max_tensors=tensors_per_part)
    if alignment != ALIGNMENT:
        writer.add_custom_alignment(alignment)
    for key, kind, value, *element in metadata:
        writer.add_key_value(key, value, kind, element[0] if element else None)
    for name, array, encoding in tensors:
        writer.add_tensor(name, array, raw_dtype=encoding)  # swaps bytes by the array's type: F32 and F16 only
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_old(path, architecture, metadata, tensors, version):
    """GGUF version 1 (32-bit counts, lengths and dimensions) or 2 (64-bit, as version 3), little endian."""
    size = "I" if version == 1 else "Q"

    def text(value):
        raw = value.encode()
        return struct.pack("<" + size, len(raw)) + raw

    def value_bytes(kind, value, element):
        if kind == T.STRING:
            return text(value)
        if kind == T.ARRAY:
            items = b"".join(value_bytes(element, item, None) for item in value)
            return struct.pack("<I" + size, element, len(value)) + items
        return struct.pack("<" + SCALARS[kind], value)

    metadata = [("general.architecture", T.STRING, architecture), *metadata]
    head = [b"GGUF", struct.pack("<I" + size + size, version, len(tensors), len(metadata))]
    for key, kind, value, *element in metadata:
        head += [text(key), struct.pack("<I", kind), value_bytes(kind, value, element[0] if element else None)]
    offset, data = 0, []
    for name, array, encoding in tensors:
        head += [text(name), struct.pack("<I", array.ndim), struct.pack(f"<{array.ndim}{size}", *reversed(array.shape)),
                 struct.pack("<IQ", encoding, offset)]
        raw = np.ascontiguousarray(array).tobytes()
        raw += b"\0" * (-len(raw) % ALIGNMENT)
        data.append(raw)
        offset += len(raw)
    head = b"".join(head)
    path.write_bytes(head + b"\0" * (-len(head) % ALIGNMENT) + b"".join(data))
