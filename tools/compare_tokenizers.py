#!/usr/bin/env python3
"""Compares Ondol's tokenizers with llama.cpp's, on nasty and random texts, for each vocabulary given.

  compare_tokenizers.py TOKENIZER_DUMP FILE.gguf... [--texts 400] [--seed 1] [--show 3] [--pre NAME,NAME...]

With --pre each file is taken again for each name, as if its tokenizer.ggml.pre said that: so every pre-tokenizer can be compared
on one BPE vocabulary. "all" is all names in src/text/pretokenizers.def.

TOKENIZER_DUMP is the program of that name from a build folder (tests/vectors/). Needs llama-cpp-python. Every text is
tokenized four ways: with and without special tokens around it, with and without special tokens parsed in it. Prints for each
vocabulary how many texts differ, and the shortest of those. Exit status 1 when some do.

WordPiece differs by intent, as it follows Hugging Face's BertNormalizer and WordPiece: words over 100 characters are unknown, Hangul
is decomposed, private and format characters are taken out. So does the white space that Phi-3's special tokens swallow: all of
Unicode's, where llama.cpp knows ASCII's. Of special tokens that overlap in a text the one that starts first counts here, and the
longest of those; llama.cpp takes the longest of all first.

gpt-4o, tekken, kimi-k2, youtu, tiny_aya and afmoe differ as well: Ondol runs the patterns of these models' own tokenizer.json, of which
llama.cpp has approximations (it cuts no "batchSize" for some, splits marks off Thai and Arabic letters, glues digits to the text
before them). And no plain text gives a control token here, even where a token is one only by its name ("</s>" in Qwen 2's list).

A text whose bytes are no UTF-8 is left out: the two engines replace such bytes differently by intent.
"""

import argparse
import ctypes
from pathlib import Path
import random
import re
import struct
import sys
import tempfile

import llama_cpp

from tokenizer_texts import NASTY, ondol_ids, random_texts

class Llama:
    """llama.cpp's tokenizer of a file."""

    def __init__(self, path):
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        if not self.model:
            raise RuntimeError(f"{path}: llama.cpp refuses it")
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)

    def tokenize(self, data, add_special, parse_special):
        cap = len(data) * 2 + 16
        ids = (llama_cpp.llama_token * cap)()
        n = llama_cpp.llama_tokenize(self.vocab, data, len(data), ids, cap, add_special, parse_special)
        if n < 0:
            raise RuntimeError(f"llama.cpp wants {-n} tokens for {len(data)} bytes")
        return list(ids[:n])

    def pieces(self, count=3000):
        """Texts of tokens spread over the vocabulary, those that are UTF-8."""
        n = llama_cpp.llama_vocab_n_tokens(self.vocab)
        buffer = ctypes.create_string_buffer(1024)
        texts = []
        for i in range(0, n, max(1, n // count)):
            size = llama_cpp.llama_token_to_piece(self.vocab, i, buffer, 1024, 0, True)
            try:
                texts.append(buffer.raw[:max(size, 0)].decode())
            except UnicodeDecodeError:
                pass
        return texts

    def close(self):
        llama_cpp.llama_model_free(self.model)


def with_pre(path, name, folder):
    """A copy of a file without tensors whose tokenizer.ggml.pre is `name`; its path."""
    data = Path(path).read_bytes()
    key = b"tokenizer.ggml.pre"
    at = data.index(struct.pack("<Q", len(key)) + key) + 8 + len(key) + 4
    size = struct.unpack_from("<Q", data, at)[0]
    copy = Path(folder) / f"{name}.gguf"
    copy.write_bytes(data[:at] + struct.pack("<Q", len(name)) + name.encode() + data[at + 8 + size:])
    return str(copy)


def pre_names(text):
    if text != "all":
        return text.split(",")
    table = Path(__file__).resolve().parent.parent / "src/text/pretokenizers.def"
    names = re.findall(r'^PRE\("([^"]+)"', table.read_text(), re.M)
    return [name for name in names if name != "whitespace"]  # aborts llama.cpp on any other vocabulary


def compare(program, path, arguments):
    """Number of texts that differ."""
    rng = random.Random(arguments.seed)
    llama = Llama(path)
    texts = NASTY + random_texts(rng, arguments.texts, llama.pieces())
    records = [(flags, text.encode()) for text in texts for flags in range(4)]
    ours = ondol_ids(program, path, records)
    different = []
    for (flags, data), ids in zip(records, ours):
        wanted = llama.tokenize(data, bool(flags & 1), bool(flags & 2))
        if ids != wanted:
            different.append((len(data), flags, data, wanted, ids))
    llama.close()
    print(f"{Path(path).name}: {len(records)} texts, {len(different)} differ", flush=True)
    for _, flags, data, wanted, ids in sorted(different, key=lambda row: row[:3])[:arguments.show]:
        print(f"  flags {flags} {data.decode()!r}\n    llama.cpp {wanted}\n    ondol     {ids}")
    return len(different)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--pre")
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=3)
    arguments = parser.parse_args()
    llama_cpp.llama_log_set(QUIET, ctypes.c_void_p(0))
    different = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.files:
            for name in pre_names(arguments.pre) if arguments.pre else [None]:
                chosen = with_pre(path, name, folder) if name else path
                different += compare(arguments.program, chosen, arguments)
                if name:
                    Path(chosen).unlink()
    return 1 if different else 0


@llama_cpp.llama_log_callback
def QUIET(level, text, user):
    """llama.cpp says a page about each file."""


if __name__ == "__main__":
    sys.exit(main())
