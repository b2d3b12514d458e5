#!/usr/bin/env python3
"""A file of 40 GB: what is in it is told at once, and so is a refusal. The file is a header and a hole."""

import os
import struct
import time

from cli import Case, main, ondol

LAYERS, HIDDEN, FEED_FORWARD, HEADS, KV_HEADS, VOCABULARY = 80, 8192, 28672, 64, 8, 128256
Q4_K, F32 = 12, 0
SECONDS = 2.0  # milliseconds here; the bound is for a machine that does much else


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def key(name, kind, value):
    return text(name) + (struct.pack("<I", 8) + text(value) if kind == "s" else struct.pack("<I" + kind, 4 if kind == "I" else 6, value))


def tensors():
    """(name, shape with the row first, type) of a model of Llama 70B's shape"""
    yield "token_embd.weight", (HIDDEN, VOCABULARY), Q4_K
    yield "output.weight", (HIDDEN, VOCABULARY), Q4_K
    yield "output_norm.weight", (HIDDEN,), F32
    keys = HIDDEN // HEADS * KV_HEADS
    for i in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{i}.{name}.weight", (HIDDEN,), F32
        for name, shape in (("attn_q", (HIDDEN, HIDDEN)), ("attn_k", (HIDDEN, keys)), ("attn_v", (HIDDEN, keys)),
                            ("attn_output", (HIDDEN, HIDDEN)), ("ffn_gate", (HIDDEN, FEED_FORWARD)),
                            ("ffn_up", (HIDDEN, FEED_FORWARD)), ("ffn_down", (FEED_FORWARD, HIDDEN))):
            yield f"blk.{i}.{name}.weight", shape, Q4_K


def write(path, architecture, cut=0):
    keys = [("general.architecture", "s", architecture), (f"{architecture}.block_count", "I", LAYERS),
            (f"{architecture}.embedding_length", "I", HIDDEN), (f"{architecture}.feed_forward_length", "I", FEED_FORWARD),
            (f"{architecture}.attention.head_count", "I", HEADS), (f"{architecture}.attention.head_count_kv", "I", KV_HEADS),
            (f"{architecture}.attention.layer_norm_rms_epsilon", "f", 1e-5), (f"{architecture}.context_length", "I", 8192)]
    offset, records = 0, b""
    for name, shape, kind in tensors():
        elements = 1
        for n in shape:
            elements *= n
        records += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in shape)
        records += struct.pack("<IQ", kind, offset)
        offset += elements * 4 if kind == F32 else elements // 256 * 144
    header = b"GGUF" + struct.pack("<IQQ", 3, len(list(tensors())), len(keys)) + b"".join(key(*k) for k in keys) + records
    header += bytes(-len(header) % 32)
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(len(header) + offset - cut)
    return len(header) + offset


class Large(Case):
    @property
    def path(self):
        return self.folder / "large.gguf"

    def timed(self, *arguments):
        begin = time.monotonic()
        result = ondol(*arguments)
        self.assertLess(time.monotonic() - begin, SECONDS)
        return result

    def test_info_is_told_at_once(self):
        size = write(self.path, "llama")
        self.assertGreater(size, 39e9)
        self.assertLess(os.stat(self.path).st_blocks * 512, 10e6)
        result = self.timed("info", str(self.path))
        self.assertEqual(result.code, 0, result.err)
        self.assertIn("Q4_K          562 tensors", result.out)

    def test_a_refusal_is_told_at_once(self):
        write(self.path, "unheard-of")
        result = self.timed("run", str(self.path), "--raw", "hello")
        self.assertEqual(result.code, 1)
        self.assertIn("unheard-of", result.err)
        self.assertIn("phi3", result.err)

    def test_half_a_download_is_told_at_once(self):
        write(self.path, "llama", cut=20 * 10**9)
        result = self.timed("run", str(self.path), "--raw", "hello")
        self.assertEqual(result.code, 1)
        self.assertIn("end of", result.err)


if __name__ == "__main__":
    main()
