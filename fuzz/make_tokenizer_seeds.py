#!/usr/bin/env python3
"""Writes the seeds of fuzz_tokenizer to seeds/tokenizer/: small vocabularies of each kind with a text, and GGUF files.

  make_tokenizer_seeds.py [FOLDER]

The layout is the one that read_spec of fuzz_tokenizer.c reads.
"""

from pathlib import Path
import struct
import sys

SPM, BPE, WORDPIECE, UNIGRAM, RWKV, PLAMO2 = range(1, 7)
NORMAL, UNKNOWN, CONTROL, USER = 1, 2, 3, 4
BYTES = 16
TEXT = "Hello  hello abab 1234567 don't\n\n\t<|end|> é你好🚀 <dna>ACGTACG</dna>\r\n".encode() + b"\xff\xc3 \xf0\x9f x"


def spec(kind, tokens, merges=(), pre=0, switches=(0, 0, 0), flags=3, roles=(), charsmap=b"", text=TEXT):
    data = bytes([kind, pre, *switches, flags])
    data += struct.pack("15b", *(list(roles) + [-2] * (15 - len(roles))))
    data += bytes([len(tokens)])
    for token, kind_of_token, score in tokens:
        raw = token.encode() if isinstance(token, str) else token
        data += bytes([len(raw), kind_of_token]) + struct.pack("b", score) + raw
    data += bytes([len(merges)])
    for left, right in merges:
        data += bytes([len(left.encode()), len(right.encode())]) + left.encode() + right.encode()
    return data + struct.pack("<H", len(charsmap)) + charsmap + text


def words(texts, kind=NORMAL):
    return [(text, kind, -i) for i, text in enumerate(texts)]


def charsmap():
    """'X' -> "ab": see test_tokenizer.c."""
    nodes = [0] * 346
    nodes[0], nodes[344], nodes[345] = 256 << 10, ord("X") | 1 << 8 | 1 << 10, 1 << 31
    return struct.pack("<I", 4 * len(nodes)) + struct.pack("<346I", *nodes) + b"ab\0"


def gguf(keys):
    """A GGUF file of keys alone: strings, lists of strings, ints, lists of ints or floats."""
    def text(value):
        raw = value.encode()
        return struct.pack("<Q", len(raw)) + raw

    data = b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys))
    for key, value in keys.items():
        data += text(key)
        if isinstance(value, str):
            data += struct.pack("<I", 8) + text(value)
        elif isinstance(value, int):
            data += struct.pack("<II", 4, value)
        elif isinstance(value[0], str):
            data += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
        else:
            code, kind = ("f", 6) if isinstance(value[0], float) else ("i", 5)
            data += struct.pack("<IIQ", 9, kind, len(value)) + struct.pack(f"<{len(value)}{code}", *value)
    return data


def seeds():
    specials = [("<unk>", UNKNOWN, 0), ("<s>", CONTROL, 0), ("</s>", CONTROL, 0), ("<|end|>", CONTROL | 0xc0, 0), ("<tag>", USER, 0)]
    spm = specials + words(["▁h", "el", "lo", "▁hello", "▁", "h", "e", "l", "o", "ab", "a", "b"])
    bpe = [("<|end|>", CONTROL, 0)] + words(["he", "ll", "hell", "hello", "Ġa", "12", "123", "<dna>", "</dna>", "<oov>"])
    merges = [("h", "e"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("Ġ", "a"), ("1", "2"), ("12", "3")]
    yield "spm", spec(SPM, spm, switches=(0, 0, BYTES))
    yield "spm-no-bytes", spec(SPM, spm, switches=(0x10, 0, 0))
    for pre in range(0, 110, 6):
        yield f"bpe-{pre}", spec(BPE, bpe, merges, pre=pre, switches=(0, 0x10 * (pre % 3), BYTES))
    yield "bpe-dna", spec(BPE, bpe, merges, pre=1, switches=(0, 0, BYTES | 4))
    yield "bpe-separated", spec(BPE, bpe, merges, pre=1, switches=(0, 0x80, BYTES | 8))
    wordpiece = [("[UNK]", UNKNOWN, 0), ("[CLS]", CONTROL, 0), ("[SEP]", CONTROL, 0)] + words(["▁he", "llo", "▁a", "b", "▁你", "▁1"])
    yield "wordpiece", spec(WORDPIECE, wordpiece, roles=[1, -1, -1, -1, 0, 2])
    yield "wordpiece-cased", spec(WORDPIECE, wordpiece, switches=(0, 0x40, 0x20), roles=[1, -1, -1, -1, 0, 2])
    unigram = [("<pad>", CONTROL, 0), ("</s>", CONTROL, 0), ("<unk>", UNKNOWN, 0)] + words(["▁", "a", "b", "ab", "▁hello", "aba"])
    yield "unigram", spec(UNIGRAM, unigram, switches=(0x20, 0, 0), charsmap=charsmap(), text=b"XX aXb " + TEXT)
    yield "unigram-spaces", spec(UNIGRAM, unigram, switches=(0xa0, 2, BYTES), text=TEXT)
    yield "rwkv", spec(RWKV, [("<s>", CONTROL, 0)] + words(["a", "ab", "\\n", "\\n\\n", "\\xff", "\\\\", "hello"]))
    yield "plamo2", spec(PLAMO2, specials[:3] + [("<pad>", CONTROL, 0)] + words(["a", "ab", "hello", " "]), switches=(0, 0, BYTES))
    ggml = "tokenizer.ggml."
    tokens = ["<unk>", "<s>", "</s>", "▁h", "el", "▁", "h", "e", "l", "<|end|>"]
    yield "gguf-spm", gguf({"general.name": "phi-3", ggml + "model": "llama", ggml + "tokens": tokens,
                            ggml + "scores": [0.0, 0.0, 0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0],
                            ggml + "token_type": [2, 3, 3, 1, 1, 1, 1, 1, 1, 3], ggml + "eos_token_id": 9})
    yield "gguf-bpe", gguf({ggml + "model": "gpt2", ggml + "pre": "llama-bpe", ggml + "tokens": ["a", "b", "ab", "Ġ"],
                            ggml + "merges": ["a b", "Ġ ab"], ggml + "bos_token_id": 1, "tokenizer.chat_template": "{{ x }}"})
    yield "gguf-bert", gguf({ggml + "model": "bert", ggml + "tokens": ["[UNK]", "▁a", "b"], ggml + "unknown_token_id": 0})


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent / "seeds/tokenizer")
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
