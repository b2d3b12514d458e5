"""Two small real tokenizers: SentencePiece-like with byte fallback, and byte-level BPE with merges.

Both are trained here, by plain byte pair encoding, on a few sentences of our own.
"""

from collections import Counter

from gguf import GGUFValueType as T, TokenType

TEXT = (
    "the stove is under the floor and the floor is warm. the warm floor warms the room, and the room warms the house. "
    "in the morning the old man makes the fire; then he sits on the floor and reads. there is a small window in the wall, "
    "and the light of the sun is on the book. the children come home from the school and sit with the old man. "
    "what is the answer? the answer is in the book. who made the fire? the old man made it. the rain is on the roof. "
    "one stove warms every room of the house; that is the whole idea. it is simple, and it is good."
)
SPACE = "\u2581"  # SentencePiece's visible space

CHATML = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
          "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
TURNS = ("{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] | trim + '<|end|>\\n' }}"
         "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}")


def train_bpe(words, count):
    """words: {tuple of pieces: how often} -> the first `count` merges (left, right), by frequency, ties by text."""
    merges = []
    while len(merges) < count:
        pairs = Counter()
        for pieces, times in words.items():
            for pair in zip(pieces, pieces[1:]):
                pairs[pair] += times
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {_merge(pieces, best): times for pieces, times in words.items()}
    return merges


def _merge(pieces, pair):
    out, i = [], 0
    while i < len(pieces):
        if pieces[i:i + 2] == pair:
            out.append(pair[0] + pair[1])
            i += 2
        else:
            out.append(pieces[i])
            i += 1
    return tuple(out)


def sentencepiece(size=352, template=TURNS, space_prefix=True):
    """Metadata of a tokenizer of kind "llama": unk, bos, eos, 256 bytes, control tokens, then scored pieces."""
    control = ["<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|endoftext|>"]  # llama.cpp wants the last for "phi3"
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + control
    types = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL] + [TokenType.BYTE] * 256
    types += [TokenType.CONTROL] * len(control)
    scores = [0.0] * len(tokens)
    words = Counter(tuple(SPACE + word) for word in TEXT.split())
    letters = sorted({c for word in words for c in word})
    merged = [a + b for a, b in train_bpe(words, size - len(tokens) - len(letters))]
    for rank, piece in enumerate(merged + letters):
        tokens.append(piece)
        types.append(TokenType.NORMAL)
        scores.append(-float(rank))
    assert len(tokens) == size == len(set(tokens))
    return size, [
        ("tokenizer.ggml.model", T.STRING, "llama"),
        ("tokenizer.ggml.pre", T.STRING, "default"),
        ("tokenizer.ggml.tokens", T.ARRAY, tokens, T.STRING),
        ("tokenizer.ggml.scores", T.ARRAY, scores, T.FLOAT32),
        ("tokenizer.ggml.token_type", T.ARRAY, [int(t) for t in types], T.INT32),
        ("tokenizer.ggml.bos_token_id", T.UINT32, 1),
        ("tokenizer.ggml.eos_token_id", T.UINT32, 2),
        ("tokenizer.ggml.unknown_token_id", T.UINT32, 0),
        ("tokenizer.ggml.eot_token_id", T.UINT32, tokens.index("<|end|>")),
        ("tokenizer.ggml.add_bos_token", T.BOOL, True),
        ("tokenizer.ggml.add_eos_token", T.BOOL, False),
        ("tokenizer.ggml.add_space_prefix", T.BOOL, space_prefix),
    ] + ([("tokenizer.chat_template", T.STRING, template)] if template else [])


def byte_characters():
    """GPT-2's printable character for each byte (Radford et al. 2019): printable bytes stand for themselves, the other
    bytes, in order, for the code points from 256 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = iter(range(256, 512))
    return [chr(b) if b in printable else chr(next(others)) for b in range(256)]


def byte_level_bpe(size=323, pre="smollm", template=CHATML):
    """Metadata of a tokenizer of kind "gpt2": 3 control tokens, 256 byte characters, merged pieces."""
    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    characters = byte_characters()
    first, *rest = TEXT.split(" ")
    words = Counter(tuple(characters[b] for b in word.encode()) for word in [first] + [" " + word for word in rest])
    merges = train_bpe(words, size - 256 - len(control))
    tokens = control + characters + [a + b for a, b in merges]
    types = [TokenType.CONTROL] * len(control) + [TokenType.NORMAL] * (size - len(control))
    assert len(tokens) == size == len(set(tokens))
    return size, [
        ("tokenizer.ggml.model", T.STRING, "gpt2"),
        ("tokenizer.ggml.pre", T.STRING, pre),
        ("tokenizer.ggml.tokens", T.ARRAY, tokens, T.STRING),
        ("tokenizer.ggml.token_type", T.ARRAY, [int(t) for t in types], T.INT32),
        ("tokenizer.ggml.merges", T.ARRAY, [f"{a} {b}" for a, b in merges], T.STRING),
        ("tokenizer.ggml.bos_token_id", T.UINT32, 1),
        ("tokenizer.ggml.eos_token_id", T.UINT32, 2),
        ("tokenizer.ggml.unknown_token_id", T.UINT32, 0),
        ("tokenizer.ggml.padding_token_id", T.UINT32, 2),
        ("tokenizer.ggml.add_bos_token", T.BOOL, False),
    ] + ([("tokenizer.chat_template", T.STRING, template)] if template else [])
