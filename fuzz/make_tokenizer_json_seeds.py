#!/usr/bin/env python3
"""Writes the seeds of fuzz_tokenizer_json to seeds/tokenizer_json/: a small tokenizer.json of each model, all steps among them, each with
a text.

  make_tokenizer_json_seeds.py [FOLDER]
"""

import base64
import json
from pathlib import Path
import sys

from make_tokenizer_seeds import charsmap

TEXT = "Hello  hello ab ab1 don't\n<|end|> [T] é e\u0301 你好 🚀 XX \t1 2".encode() + b"\xff\xc3 x"
ADDED = [{"id": 0, "content": "<unk>", "special": True, "normalized": False}, {"id": 90, "content": "<|end|>", "special": True, "rstrip": True, "lstrip": True, "normalized": False},
         {"id": 91, "content": "[T]", "special": False, "normalized": True, "single_word": True}]


def numbered(texts):
    return {text: i for i, text in enumerate(texts)}


def of(kind, **fields):
    return dict(type=kind, **fields)


def sequence(name, steps):
    return of("Sequence", **{name: steps})


def regex(text):
    return {"Regex": text}


def seeds():
    letters = numbered(["<unk>", "a", "b", "h", "e", "l", "o", "Ġ", "1", "ab", "he", "ll", "hell", "Ġhe", "Ã", "©"])
    merges = ["a b", "h e", ["l", "l"], "he ll", "Ġ he"]
    yield "bpe", dict(model=of("BPE", vocab=letters, merges=merges, ignore_merges=True), pre_tokenizer=of("ByteLevel", add_prefix_space=True, use_regex=True), decoder=of("ByteLevel"),
                      post_processor=sequence("processors", [of("ByteLevel"), of("TemplateProcessing", single=[{"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], pair=[],
                                                                                 special_tokens={"x": {"id": "x", "ids": [0, 1], "tokens": ["x", "y"]}})]))
    bytes_too = numbered(["<unk>", "▁", "h", "e", "▁h", "he", "▁he"] + [f"<0x{i:02X}>" for i in (0x0a, 0xc3, 0xa9, 0xff)])
    yield "llama", dict(model=of("BPE", vocab=bytes_too, merges=["▁ h", "h e", "▁h e"], byte_fallback=True, fuse_unk=True, unk_token="<unk>"),
                        normalizer=sequence("normalizers", [of("Prepend", prepend="▁"), of("Replace", pattern={"String": " "}, content="▁")]),
                        decoder=sequence("decoders", [of("Replace", pattern={"String": "▁"}, content=" "), of("ByteFallback"), of("Fuse"), of("Strip", content=" ", start=1, stop=1)]))
    yield "affixes", dict(model=of("BPE", vocab=numbered(["<unk>", "a", "##b", "a##b", "ab", "b</w>", "##b</w>", "ab</w>"]), merges=["a ##b", "a ##b</w>"], continuing_subword_prefix="##",
                                   end_of_word_suffix="</w>", unk_token="<unk>"), pre_tokenizer=of("Whitespace"), decoder=of("BPEDecoder", suffix="</w>"))
    yield "unigram", dict(model=of("Unigram", unk_id=0, byte_fallback=False, vocab=[["<unk>", 0.0], ["▁", -2.0], ["a", -3.0], ["ab", -4.5], ["▁hello", -5.0], ["l", -6]]),
                          normalizer=sequence("normalizers", [of("Precompiled", precompiled_charsmap=base64.b64encode(charsmap()).decode()), of("Nmt"), of("Strip", strip_left=True, strip_right=False)]),
                          pre_tokenizer=of("Metaspace", replacement="▁", prepend_scheme="first", split=True), decoder=of("Metaspace", replacement="▁", prepend_scheme="always"))
    yield "bert", dict(model=of("WordPiece", vocab=numbered(["[UNK]", "[CLS]", "[SEP]", "hello", "he", "##llo", "ab", "##1", "你", "e"]), unk_token="[UNK]", continuing_subword_prefix="##",
                                max_input_chars_per_word=20), normalizer=of("BertNormalizer", clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True),
                       pre_tokenizer=of("BertPreTokenizer"), post_processor=of("RobertaProcessing", sep=["[SEP]", 2], cls=["[CLS]", 1], trim_offsets=True, add_prefix_space=True), decoder=of("WordPiece", prefix="##", cleanup=True))
    yield "steps", dict(model=of("WordLevel", vocab=numbered(["<unk>", "ab", "hello", "1"]), unk_token="<unk>"),
                        normalizer=sequence("normalizers", [of("NFD"), of("StripAccents"), of("NFKC"), of("Lowercase"), of("Replace", pattern=regex("x*"), content="-")]),
                        pre_tokenizer=sequence("pretokenizers", [of("Digits", individual_digits=True), of("Punctuation", behavior="Contiguous"), of("UnicodeScripts"), of("FixedLength", length=3),
                                                                 of("CharDelimiterSplit", delimiter="-"), of("Split", pattern=regex(r"(?i:'s)|[\w&&[^a]]{1,3}+|\b(?=h)|\p{^Han}|[[:punct:]]"), behavior="MergedWithNext", invert=True)]),
                        decoder=sequence("decoders", [of("CTC", pad_token="<pad>", word_delimiter_token="|", cleanup=True), of("Replace", pattern=regex("a|b"), content="")]))
    config = dict(bos_token="<unk>", add_bos_token=True, eos_token={"content": "ab"}, add_eos_token=True, chat_template="x")
    yield "config", dict(model=of("WordLevel", vocab=numbered(["<unk>", "ab"]), unk_token="<unk>"), pre_tokenizer=of("WhitespaceSplit"), **config)


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent / "seeds/tokenizer_json")
    folder.mkdir(parents=True, exist_ok=True)
    for i, (name, parts) in enumerate(seeds()):
        text = json.dumps({"version": "1.0", "truncation": None, "added_tokens": ADDED, **parts}, ensure_ascii=False, separators=(",", ":"))
        (folder / name).write_bytes(text.encode() + b"\0" + bytes([i % 4]) + TEXT)


if __name__ == "__main__":
    main()
