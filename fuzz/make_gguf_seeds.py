"""Writes the seeds of fuzz_gguf: tiny GGUF files of every version, byte order and kind of value.

Usage: python3 make_gguf_seeds.py [FOLDER]   (default: seeds/gguf beside this script)
Needs nothing but Python; the same bytes each time.
"""
import pathlib
import struct
import sys

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
PACKED = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}


class Writer:
    def __init__(self, version=3, big_endian=False):
        self.version, self.order = version, ">" if big_endian else "<"

    def number(self, kind, value):
        return struct.pack(self.order + PACKED[kind], value)

    def count(self, n):
        return self.number(U32 if self.version == 1 else U64, n)

    def string(self, text):
        raw = text.encode() if isinstance(text, str) else text
        return self.count(len(raw)) + raw

    def value(self, kind, value):
        """value of an array: (element kind, list)."""
        if kind == STRING:
            return self.string(value)
        if kind != ARRAY:
            return self.number(kind, value)
        element, items = value
        return self.number(U32, element) + self.count(len(items)) + b"".join(self.value(element, i) for i in items)

    def file(self, keys, tensors, alignment=32):
        """keys: (name, kind, value); tensors: (name, dims, ggml type, bytes)."""
        out = b"GGUF" + self.number(U32, self.version) + self.count(len(tensors)) + self.count(len(keys))
        for name, kind, value in keys:
            out += self.string(name) + self.number(U32, kind) + self.value(kind, value)
        data = b""
        for name, dims, ggml_type, raw in tensors:
            data += b"\0" * (-len(data) % alignment)
            out += self.string(name) + self.number(U32, len(dims))
            out += b"".join(self.count(d) for d in dims)
            out += self.number(U32, ggml_type) + self.number(U64, len(data))
            data += raw
        return out + b"\0" * (-len(out) % alignment if tensors else 0) + data


SCALARS = [
    ("general.architecture", STRING, "llama"), ("u8", U8, 200), ("i8", I8, -100), ("u16", U16, 60000),
    ("i16", I16, -30000), ("u32", U32, 4000000000), ("i32", I32, -2000000000), ("f32", F32, 1.5),
    ("bool", BOOL, True), ("u64", U64, 2**64 - 1), ("i64", I64, -2**63), ("f64", F64, 2.0),
]
ARRAYS = [
    ("ints", ARRAY, (I32, [7, -8, 9])), ("floats", ARRAY, (F32, [0.25, -1.0])), ("bools", ARRAY, (BOOL, [True, False])),
    ("strings", ARRAY, (STRING, ["one", "", b"\xff!"])), ("none", ARRAY, (STRING, [])),
    ("nested", ARRAY, (ARRAY, [(U16, [513, 2]), (ARRAY, [(STRING, ["deep", "er"])]), (BOOL, [])])),
]
VOCABULARY = [
    ("tokenizer.ggml.model", STRING, "gpt2"), ("tokenizer.ggml.tokens", ARRAY, (STRING, ["<s>", "</s>", "a", "b", "ab"])),
    ("tokenizer.ggml.token_type", ARRAY, (I32, [3, 3, 1, 1, 1])), ("tokenizer.ggml.merges", ARRAY, (STRING, ["a b"])),
    ("tokenizer.ggml.bos_token_id", U32, 0),
]
TENSORS = [
    ("w", [3, 2], 0, struct.pack("<6f", *range(6))), ("q4_0", [32], 2, bytes(range(18))),
    ("q4_k", [256, 1], 12, bytes(i % 251 for i in range(144))), ("f16", [2, 1, 1, 2], 1, bytes(8)), ("one", [], 28, bytes(8)),
]


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "seeds" / "gguf"
    folder.mkdir(parents=True, exist_ok=True)
    seeds = {}
    for version in (1, 2, 3):
        for name, big in (("le", False), ("be", True)):
            seeds[f"all_v{version}_{name}"] = Writer(version, big).file(SCALARS + ARRAYS, TENSORS)
    w = Writer()
    seeds["empty"] = b""
    seeds["nothing"] = w.file([], [])
    seeds["vocabulary"] = w.file(VOCABULARY, [])
    seeds["alignment_64"] = w.file([("general.alignment", U32, 64)], TENSORS[:2], 64)
    seeds["alignment_1"] = w.file([("general.alignment", U32, 1)], TENSORS[:2], 1)
    seeds["deep"] = w.file([("k", ARRAY, (ARRAY, [(ARRAY, [(ARRAY, [(ARRAY, [(U8, [1])])])])]))], [])
    seeds["split"] = w.file([("split.no", U16, 0), ("split.count", U16, 2), ("split.tensors.count", I32, 1)], TENSORS[:1])
    for name, data in sorted(seeds.items()):
        (folder / name).write_bytes(data)
    print(f"{len(seeds)} seeds, {sum(map(len, seeds.values()))} bytes in {folder.name}/")


if __name__ == "__main__":
    main()
