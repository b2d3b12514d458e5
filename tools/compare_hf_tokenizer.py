#!/usr/bin/env python3
"""Compares what Ondol makes of a tokenizer.json with what the tokenizers library does: ids, and their text.

  compare_hf_tokenizer.py TOKENIZER_JSON_DUMP [tokenizer.json...] [--only NAME] [--texts 40] [--random 20] [--seed 1] [--show 3]
  compare_hf_tokenizer.py TOKENIZER_JSON_DUMP --characters

TOKENIZER_JSON_DUMP is the program of that name from a build folder (tests/vectors/). Needs the package tokenizers (tools/requirements.txt).
Files given, or without any the tokenizers of hf_tokenizers.py: models trained on a few sentences, each step by itself, and random rows of
steps. Each text is tokenized with and without special tokens around it, and with special tokens as plain text. Ids, and random ids, are
decoded with and without special tokens, and as a stream. With --characters every character goes through each step that asks what a
character is; those that differ are printed, as the tables of the two are of different versions of Unicode.

What is left out of the comparison: plain text in which the library finds a special token all the same (Ondol never does); texts on which the library itself fails or panics; characters
that are newer than Python's Unicode; special tokens that the library shows because it looks for them normalised; and text of streams where a decoder looks at
tokens to come (CTC, BPEDecoder) or at the bytes of several at once (ByteFallback on bytes that are no UTF-8).
Exit status: 1 when something differs, 77 without the package.
"""

import argparse
import json
import os
from pathlib import Path
import random
import struct
import subprocess
import sys
import tempfile
import unicodedata

try:
    import tokenizers
    import hf_tokenizers
except ImportError:
    print("skipped: Python lacks tokenizers (tools/requirements.txt)")
    sys.exit(77)

from tokenizer_texts import NASTY, random_texts

PARSE, ADD, IDS = 2, 1, 128
LETTERS_ABOVE = {chr(c) for c in range(0x363, 0x370)}  # not Alphabetic before Unicode 16
TOKENS = ["a[T0]b", " [T2] ", "x [T6]\n y", "[T4][T4]", "[T1]", "a[T1]", "[T1] [T3] [T5] [T7]", "[t8] [T9] [T15] [T31]", "Hello World", "hello, world", "hell o world", "words word sword", "11 1 a1", "the theatre",
          "a   b", "<|bye|>x<|bye", "AB C ab c", "e\u0301 É", "[T17]\u3000\u00a0z", "  [T22]  ", "\U0001f680 ab", "▁[T24]▁", "<s>a</s> b", "a <mask> b", "<s><s>", "<|user|> \n hi<|bye|>\n", "[UNK] [CLS]x", "</x>  x"]


def attempt(work):
    """The result, or None when the library fails or panics."""
    try:
        return work()
    except BaseException as fault:  # noqa: B902: a panic of Rust is no Exception
        if isinstance(fault, KeyboardInterrupt):
            raise
        return None


def ask(program, path, records):
    """[(ids or "error ...", text without specials, text, streamed text)], or the sentence with which the file is refused."""
    data = b"".join(struct.pack("<BI", flags, len(text)) + text for flags, text in records)
    result = subprocess.run([program, path], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if result.returncode:
        return result.stderr.decode("utf8", "replace").strip() or f"status {result.returncode}"
    lines = result.stdout.decode().split("\n")
    return [lines[4 * i:4 * i + 4] for i in range(len(records))]


def shown(line):
    return line if line.startswith("error") else bytes.fromhex(line).decode("utf8", "replace")


def streams_alike(text):
    """Whether a stream of the decoders gives the same text as all ids at once."""
    return not any(name in text for name in ('"CTC"', '"BPEDecoder"', '"ByteFallback"')) and '"stop":' not in text


class Case:
    def __init__(self, name, text, rng, n_texts, n_random):
        self.name, self.text = name, text
        self.tokenizer = tokenizers.Tokenizer.from_str(text)
        self.plain = tokenizers.Tokenizer.from_str(text)
        self.plain.encode_special_tokens = True
        decoder = self.tokenizer.get_added_tokens_decoder()
        self.shown_specials = {i for i, token in decoder.items() if token.special and self.tokenizer.id_to_token(i) != token.content}
        self.specials = {i for i, token in self.tokenizer.get_added_tokens_decoder().items() if token.special}
        size = self.tokenizer.get_vocab_size()
        pieces = [attempt(lambda: self.tokenizer.decode([i], skip_special_tokens=False)) or "x" for i in range(0, size, max(1, size // 300))]
        texts = rng.sample(NASTY, min(n_texts, len(NASTY))) + rng.sample(TOKENS, min(n_texts, len(TOKENS))) + random_texts(rng, n_random, pieces)
        self.texts = ["".join("x" if unicodedata.category(c) in ("Cn", "Cs") or c in LETTERS_ABOVE else c for c in text) for text in texts if "\0" not in text]
        self.ids = [[rng.randrange(size + 1) for _ in range(rng.randint(0, 8))] for _ in range(n_random // 2)]

    def records(self):
        for text in self.texts:
            for flags in (PARSE | ADD, PARSE, ADD):
                yield flags, text.encode()
        for ids in self.ids:
            yield IDS, struct.pack(f"<{len(ids)}i", *ids)

    def gives_special(self, text):
        """Whether the library's model makes special tokens of plain text, which Ondol never does."""
        encoding = attempt(lambda: self.plain.encode(text, add_special_tokens=False))
        return encoding is not None and any(i in self.specials for i in encoding.ids)

    def wanted(self, flags, data):
        """(ids, text without special tokens, text), as far as the library gives them."""
        if flags == IDS:
            ids = list(struct.unpack(f"<{len(data) // 4}i", data))
        else:
            tokenizer = self.tokenizer if flags & PARSE else self.plain
            encoding = attempt(lambda: tokenizer.encode(data.decode(), add_special_tokens=bool(flags & ADD)))
            if encoding is None:
                return None
            ids = encoding.ids
        return ids, attempt(lambda: self.tokenizer.decode(ids)), attempt(lambda: self.tokenizer.decode(ids, skip_special_tokens=False))

    def faults(self, program, folder):
        """[what differs, as a text]"""
        path = Path(folder) / "tokenizer.json"
        path.write_text(self.text)
        records = list(self.records())
        answers = ask(program, str(path), records)
        if isinstance(answers, str):
            return [f"refused: {answers}"]
        faults = []
        for (flags, data), answer in zip(records, answers):
            wanted = self.wanted(flags, data)
            if wanted is None:
                continue
            ids, bare, full = wanted
            what = ids if flags == IDS else data.decode()
            if not flags & (PARSE | IDS) and self.gives_special(data.decode()):
                continue
            if any(i >= self.tokenizer.get_vocab_size() for i in ids):
                continue
            if answer[0] != " ".join(map(str, ids)):
                faults.append(f"flags {flags} {what!r}\n    library {ids}\n    ondol   {answer[0]}")
                continue
            got = [shown(line) for line in answer[1:]]
            for name, want, have in (("bare", bare, got[0]), ("full", full, got[1]), ("stream", full if streams_alike(self.text) else None, got[2])):
                if name == "bare" and self.shown_specials.intersection(ids):
                    continue
                if want is not None and want != have:
                    faults.append(f"{name} text of {what!r} {ids}\n    library {want!r}\n    ondol   {have!r}")
                    break
        return faults


def character_cases():
    """Steps that ask what a character is, on texts of one character between letters."""
    pre = hf_tokenizers.pre_tokenizers
    for name, step in hf_tokenizers.normalizers_by_name():
        if name in ("Bert", "Strip", "StripAccents", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Nmt"):
            yield "normalizer-" + name, dict(normalizer=step)
    for name, step in [("Whitespace", pre.Whitespace()), ("WhitespaceSplit", pre.WhitespaceSplit()), ("Punctuation", pre.Punctuation()), ("Digits", pre.Digits()), ("UnicodeScripts", pre.UnicodeScripts())]:
        yield "pre-" + name, dict(pre_tokenizer=step)
    for pattern in hf_tokenizers.character_patterns():
        yield "pattern-" + pattern, dict(pre_tokenizer=pre.Split(hf_tokenizers.Regex(pattern), "removed"))


def ranges(codes):
    rows = []
    for code in codes:
        if rows and rows[-1][1] == code - 1:
            rows[-1][1] = code
        else:
            rows.append([code, code])
    return " ".join(f"{a:x}" if a == b else f"{a:x}-{b:x}" for a, b in rows)


def compare_characters(program, only):
    different = 0
    codes = [c for c in range(1, 0x110000) if not 0xd800 <= c < 0xe000 and not 0xf0100 <= c < 0x10ff00]
    with tempfile.TemporaryDirectory() as folder:
        for name, parts in character_cases():
            if only and only not in name:
                continue
            text = hf_tokenizers.finish(hf_tokenizers.byte_model(), **parts)
            path = Path(folder) / "tokenizer.json"
            path.write_text(text)
            library = tokenizers.Tokenizer.from_str(text)
            texts = [f"x{chr(c)}x" for c in codes]
            answers = ask(program, str(path), [(PARSE, text.encode()) for text in texts])
            wanted = [encoding.ids for encoding in library.encode_batch(texts)]
            bad = [c for c, ids, answer in zip(codes, wanted, answers) if answer[0] != " ".join(map(str, ids))]
            print(f"{name}: {len(bad)} of {len(codes)} characters differ: {ranges(bad)[:1500]}", flush=True)
            different += len(bad)
    return different


def cases(arguments, rng):
    for path in arguments.files:
        yield Path(path).parent.name, Path(path).read_text()
    if arguments.files:
        return
    yield from hf_tokenizers.model_cases()
    yield from hf_tokenizers.step_cases()
    for i in range(arguments.random):
        text = attempt(lambda: hf_tokenizers.random_case(rng))
        if text:
            yield f"random-{i}", text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--only", help="cases whose name has this in it")
    parser.add_argument("--texts", type=int, default=40)
    parser.add_argument("--random", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=3)
    parser.add_argument("--characters", action="store_true")
    arguments = parser.parse_args()
    sys.stderr = sys.stdout
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what Rust prints when it panics
    if arguments.characters:
        return 1 if compare_characters(arguments.program, arguments.only) else 0
    rng = random.Random(arguments.seed)
    different = count = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, text in cases(arguments, rng):
            if arguments.only and arguments.only not in name:
                continue
            case = attempt(lambda: Case(name, text, random.Random(f"{arguments.seed} {name}"), arguments.texts, arguments.texts))
            if case is None:
                print(f"{name}: the library refuses it")
                continue
            faults = case.faults(arguments.program, folder)
            count += 1
            different += len(faults)
            if faults:
                print(f"{name}: {len(faults)} differ", flush=True)
                for fault in sorted(faults, key=len)[:arguments.show]:
                    print("  " + fault)
    print(f"{count} tokenizers, {different} texts differ")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
