"""Compares what formats/gguf reads with what the Python package gguf reads: keys, types, values, tensors, offsets, data.

Usage: python3 gguf_compare.py PATH_OF_gguf_dump FILE.gguf...
Needs: gguf (0.19 was used). Exit status 1 when a file differs.
"""
import subprocess
import sys
import zlib

from gguf import GGUFReader, GGUFValueType

NAMES = {"UINT8": "u8", "INT8": "i8", "UINT16": "u16", "INT16": "i16", "UINT32": "u32", "INT32": "i32", "FLOAT32": "f32",
         "BOOL": "bool", "STRING": "string", "ARRAY": "array", "UINT64": "u64", "INT64": "i64", "FLOAT64": "f64"}


def key_line(field):
    kind = field.types[0]
    items = field.types[1] if kind == GGUFValueType.ARRAY else kind
    assert items != GGUFValueType.ARRAY, "the Python reader gives nested arrays flat"
    crc = 0
    for i in field.data:
        part = field.parts[i]
        little = part.astype(part.dtype.newbyteorder("<"))
        if items == GGUFValueType.STRING:
            crc = zlib.crc32(len(little).to_bytes(8, "little"), crc)
        crc = zlib.crc32(little.tobytes(), crc)
    count = len(field.data) if kind == GGUFValueType.ARRAY else 1
    return f"key {field.name.encode().hex()} {NAMES[kind.name]} {count} {crc:08x}"


def tensor_line(tensor):
    dims = "x".join(str(int(d)) for d in tensor.shape)
    data = tensor.data
    crc = zlib.crc32(data.astype(data.dtype.newbyteorder("<")).tobytes())  # a big-endian file's F32 and F16
    return f"tensor {tensor.name.encode().hex()} {tensor.tensor_type.name} {dims} {tensor.data_offset} {tensor.n_bytes} {crc:08x}"


def main():
    dump, files, faults = sys.argv[1], sys.argv[2:], 0
    for path in files:
        try:
            reader = GGUFReader(path)
        except ValueError as fault:
            print(f"not compared: {path.rsplit('/', 1)[-1]}: {fault}")
            continue
        expected = [key_line(f) for n, f in reader.fields.items() if not n.startswith("GGUF.")]
        keys = len(expected)
        expected += [tensor_line(t) for t in reader.tensors]
        got = subprocess.run([dump, path], capture_output=True, text=True, check=False)
        lines = got.stdout.splitlines()
        differ = [(e, g) for e, g in zip(expected, lines) if e != g]
        same = got.returncode == 0 and len(lines) == len(expected) and not differ
        print(f"{'same' if same else 'DIFFERS'}: {path.rsplit('/', 1)[-1]}: {keys} keys, {len(reader.tensors)} tensors")
        if not same:
            faults += 1
            print(f"  {got.stderr.strip()} {len(lines)} lines, expected {len(expected)}; first difference: {differ[:1]}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
