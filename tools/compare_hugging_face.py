#!/usr/bin/env python3
"""Compares Ondol's tokenizers with Hugging Face's, where llama.cpp is no oracle: BERT's WordPiece, and Phi-3 with its special tokens.

  compare_hugging_face.py TOKENIZER_DUMP FILE.gguf... [--texts 4000] [--seed 1] [--show 3]

TOKENIZER_DUMP is the program of that name from a build folder (tests/vectors/). Needs the packages tokenizers (0.23 was tried) and
gguf. Files: BERTs and Phi-3s alone. The Hugging Face tokenizer is made from the file's own vocabulary, with the normalizer, the added tokens and the strip flags
that the models' tokenizer.json has: a file of tokenizer.ggml.model "bert" becomes a BertNormalizer and WordPiece, one of "llama" a
BPE with byte fallback whose merges follow from the scores. Characters that are newer than one side's Unicode tables may differ.
"""

import argparse
from pathlib import Path
import random
import sys

from gguf import GGUFReader
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from tokenizer_texts import NASTY, ondol_ids, random_texts

UNKNOWN, CONTROL, USER = 2, 3, 4
MARK = "\u2581"


def bert(tokens):
    """WordPiece; GGUF has U+2581 before what starts a word in place of ## before what does not."""
    vocabulary = {}
    for i, token in enumerate(tokens):
        special = token.startswith("[") and token.endswith("]")
        vocabulary[token[1:] if token.startswith(MARK) else token if special else "##" + token] = i
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def merges_of(vocabulary, normal, scores):
    """The pairs that make each token, best score first, as transformers' converter of SentencePiece files has them."""
    merges = []
    for token in normal:
        pairs = [(token[:k], token[k:]) for k in range(1, len(token)) if token[:k] in vocabulary and token[k:] in vocabulary]
        pairs.sort(key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))
        merges += [(scores[vocabulary[token]], pair) for pair in pairs]
    merges.sort(key=lambda row: -row[0])
    return [pair for _, pair in merges]


def phi3(tokens, types, scores):
    vocabulary = {token: i for i, token in enumerate(tokens)}
    normal = [token for token, i in vocabulary.items() if types[i] == 1 and len(token) > 1]
    merges = merges_of(vocabulary, normal, scores)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    kept = ("<unk>", "<s>", "<|endoftext|>")
    tokenizer.add_special_tokens([AddedToken(token, rstrip=token not in kept, normalized=False)
                                  for i, token in enumerate(tokens) if types[i] in (UNKNOWN, CONTROL, USER)])
    return tokenizer


def compare(program, path, arguments):
    """Number of texts that differ."""
    reader = GGUFReader(path)

    def get(name):
        field = reader.fields.get("tokenizer.ggml." + name)
        return field.contents() if field else None

    rng = random.Random(arguments.seed)
    tokens = get("tokens")
    if get("model") == "bert":
        tokenizer, flags = bert(tokens), 0
        pieces = [token.lstrip(MARK) for token in tokens[::10]]
    else:
        tokenizer, flags = phi3(tokens, get("token_type"), get("scores")), 2
        special = [token for token, kind in zip(tokens, get("token_type")) if kind == CONTROL and token.startswith("<|")]
        pieces = [token.replace(MARK, " ") for token in tokens[::9]] + [" ", "\n", "\u00a0", *special] * 40
    texts = [text for text in NASTY + random_texts(rng, arguments.texts, pieces) if flags or "[" not in text]
    ours = ondol_ids(program, path, [(flags, text.encode()) for text in texts])
    different = []
    for text, ids in zip(texts, ours):
        wanted = tokenizer.encode(text, add_special_tokens=False).ids
        if ids != wanted:
            different.append((len(text), text, wanted, ids))
    print(f"{Path(path).name}: {len(texts)} texts, {len(different)} differ", flush=True)
    for _, text, wanted, ids in sorted(different)[:arguments.show]:
        print(f"  {text!r}\n    tokenizers {wanted}\n    ondol      {ids}")
    return len(different)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--texts", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=3)
    arguments = parser.parse_args()
    return 1 if sum(compare(arguments.program, path, arguments) for path in arguments.files) else 0


if __name__ == "__main__":
    sys.exit(main())
