"""Texts that tokenizers differ on, and Ondol's ids of texts: what the tools that compare tokenizers share."""

import struct
import subprocess

NASTY = [
    "", " ", "  ", "   ", "\n", "\n\n", " \n", "\t", "\r\n", "\r", "\n \n\n \n\n\n", " \t\n\v\f\r ", "\u00a0", "\u3000", "\u2028",
    "\u0085", "\u180e", "\ufeff", "\u200b", "\u200d", "\x00", "a\x00b", "\x7f", "\x1b[0m", "'", "''", "'s", "'S", "'ſ", "'LL", "'ll've",
    "don't", "I'M", "we'Ve", "1", "12", "123", "1234", "12345678901", "1,234.56", "½²Ⅷ৪", "१२३४", "①②③", "a1b2c3", "3.14e-10",
    "Hello world", " Hello  world  ", "HELLO", "hElLo", "iPhone", "CamelCaseWord", "snake_case", "ǅ", "ΑΒΓ", "straße", "İstanbul", "ﬁ",
    "é", "e\u0301", "n\u0303o", "a\u0300\u0301\u0302", "Việt Nam", "ក្រុម", "你好，世界。", "日本語のテキスト", "カタカナｶﾅ", "한국어 텍스트", "ㄱㄴ",
    "नमस्ते", "العربية ١٢٣", "עברית", "ไทย", "ລາວ", "မြန်မာ", "தமிழ்", "ქართული", "🚀", "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "👍🏽", "✅❌", "\U000e0041",
    "\U0010ffff", "\ue000", "\ufffd", "▁", "▁▁", " ▁ ", "a▁b", "Ġ", "Ċ", "Ġa", "##", "##ing", "[UNK]", "[CLS]", "[MASK] x", "x <mask> y",
    "<s>", "</s>", "<unk>", "<pad>", " <s> ", "<s>\n", "<|endoftext|>", "<|im_start|>user\nhi<|im_end|>\n", "<|user|>\nHi<|end|>\n",
    "<|user|>\u00a0x", "<|end|>  \t\n a", "a <|end|> b", "<|eot_id|>", "<|begin_of_text|>", "<bos>", "<start_of_turn>", "<0x0A>", "<0x41>",
    "a<0x41>b", "<|", "|>", "<|end", "<<|end|>>", "https://example.com/a?b=c&d=%20#e", "user@host", "C:\\path", "for (int i=0;i<n;++i) {\n\t\tx+=i;\n}\n",
    "def f(x):\n    return x\n", "{\"a\": [1, 2.5, null]}", "====", "----------------", "!!!???", "...", "…", "—–-", "“quoted” ‘text’",
    "$100 €50 £3", "a+b=c", "x^2", "~`@#%&*", "(.)", " .", " ,", "\\n", "a/b/c", "//\n//\n", "/\n", "a\n", "a \n", "a\n\n b", "a  \n  b",
    " a", "  a", "    a", "\ta", "\n a", "a ", "a  ", "a\t\t\tb", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    " " * 70, "\n" * 20, "=" * 100, "ab" * 60, "1" * 50, "é" * 40, "🚀" * 9, "你" * 30, "\u0301" * 5, "a" * 150,
]

RANGES = [(0x20, 0x7e)] * 6 + [(0x09, 0x0d), (0x80, 0x24f), (0x250, 0x3ff), (0x300, 0x36f), (0x400, 0x52f), (0x590, 0x6ff),
          (0x900, 0xdff), (0xe00, 0xeff), (0x1000, 0x10ff), (0x1780, 0x17ff), (0x1e00, 0x1fff), (0x2000, 0x206f), (0x20a0, 0x2bff),
          (0x2c00, 0x2dff), (0x3000, 0x30ff), (0x4e00, 0x9fff), (0xa640, 0xa7ff), (0xac00, 0xd7a3), (0xf900, 0xfaff), (0xfe00, 0xffef),
          (0x10000, 0x1ffff), (0x20000, 0x2a6df), (0xe0000, 0xe01ef)]


def random_character(rng):
    low, high = rng.choice(RANGES)
    return chr(rng.randint(low, high))


def random_texts(rng, n, pieces):
    """Characters of all scripts, mixtures of the nasty ones, and the vocabulary's own pieces glued together."""
    texts = []
    for i in range(n):
        kind = i % 4
        if kind == 0:
            texts.append("".join(random_character(rng) for _ in range(rng.randint(1, 40))))
        elif kind == 1:
            texts.append("".join(rng.choice(NASTY) + rng.choice(["", " ", "\n"]) for _ in range(rng.randint(2, 6))))
        elif kind == 2:
            texts.append("".join(rng.choice(pieces) for _ in range(rng.randint(1, 20))))
        else:
            letters = rng.choice(["ab ", "a1 ", " \n\ta", "aA'", "Aa1.", "é e\u0301", "你a ", "01", "- =", "<|>s/ "])
            texts.append("".join(rng.choice(letters) for _ in range(rng.randint(1, 60))))
    return texts


def ondol_ids(program, path, records):
    """[ids or an error's text] for [(flags, bytes)]."""
    data = b"".join(struct.pack("<BI", flags, len(text)) + text for flags, text in records)
    result = subprocess.run([program, path], input=data, stdout=subprocess.PIPE, check=True)
    lines = result.stdout.decode().split("\n")[::2]
    return [line if line.startswith("error") else [int(i) for i in line.split()] for line in lines[:len(records)]]
