"""Tokenizers of every kind that a tokenizer.json can hold, as JSON texts, for compare_hf_tokenizer.py.

Models are trained on CORPUS, or hold a token for each byte: such a model shows what normalizers and pre-tokenizers make of a text, byte
by byte, with a mark where each piece ends.
"""

import base64
import json
import struct

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "The quick brown fox jumps over the lazy dog. It's what they'd say, isn't it? Don't you think we'll win 1234 times?",
    "Hello world! Hello tokenizers, hello again; this is a small corpus for small tokenizers. There there, the theatre's other.",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return fibonacci(n - 1) + fibonacci(n - 2)\n\n\tprint(fibonacci(10))\r\n",
    "Der schnelle braune Fuchs springt über den faulen Hund. Größe, Straße, Äpfel, Öl und Übermut.",
    "Le cœur déçu mais l'âme plutôt naïve, Louÿs rêva de crapaüter en canoë. C'était l'été à Besançon.",
    "Быстрая коричневая лиса прыгает через ленивую собаку. Привет, мир! Как дела сегодня?",
    "你好，世界。今天天气很好，我们去公园散步吧。人工智能和机器学习。", "日本語のテキストを分割する。カタカナとひらがな、漢字も。",
    "안녕하세요 세계. 한국어 문장을 나누는 것은 재미있습니다.", "नमस्ते दुनिया। यह एक छोटा वाक्य है।", "مرحبا بالعالم. هذه جملة قصيرة ١٢٣.",
    "xin chào thế giới, tiếng Việt có nhiều dấu.", "🚀 emoji 👩‍👩‍👧‍👦 and 🇩🇪 flags ✅ — “quotes” … (parens) [brackets] {braces} a_b-c/d\\e @home #tag $5 50% a+b=c",
] * 3

GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = GPT4.replace("{1,3}", "")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
KIMI = (r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t)?|"
        r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIALS = ["<unk>", "<s>", "</s>", "<pad>", "[CLS]", "[SEP]"]


def finish(tokenizer, normalizer=None, pre_tokenizer=None, post_processor=None, decoder=None, added=()):
    """The JSON of a tokenizer with these parts."""
    for name, part in (("normalizer", normalizer), ("pre_tokenizer", pre_tokenizer), ("post_processor", post_processor), ("decoder", decoder)):
        if part is not None:
            setattr(tokenizer, name, part)
    for token in added:
        (tokenizer.add_special_tokens if token.special else tokenizer.add_tokens)([token])
    return tokenizer.to_str()


# ---- models that show all


def byte_model(**options):
    """A token for each byte, some words, and "|" behind the last character of each piece."""
    vocabulary = {f"<0x{i:02X}>": i for i in range(256)}
    for token in ["<unk>", "a", "b", "ab", "a|", "▁", "Ġ", " ", "the"]:
        vocabulary[token] = len(vocabulary)
    return Tokenizer(models.BPE(vocabulary, [("a", "b")], byte_fallback=True, unk_token="<unk>", end_of_word_suffix="|", **options))


def bytes_decoder():
    return decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])


def charsmap(rules):
    """SentencePiece's precompiled map of {text: replacement}: an XOR double array, then the replacements."""
    tree, texts = {}, b""
    for text, to in rules.items():
        node = tree
        for byte in text.encode():
            node = node.setdefault(byte, {})
        node[None] = len(texts)
        texts += to.encode() + b"\0"
    units, used = {0: 0}, {0}

    def place(at, node):
        labels = [0 if label is None else label for label in node]
        offset = 1
        while any(at ^ offset ^ label in used for label in labels):
            offset += 1
        assert offset < 1 << 21
        units[at] |= offset << 10
        if None in node:
            units[at] |= 1 << 8
        for label in labels:
            used.add(at ^ offset ^ label)
        for label, child in node.items():
            to = at ^ offset ^ (0 if label is None else label)
            if label is None:
                units[to] = child | 1 << 31
            else:
                units[to] = label
        for label, child in node.items():
            if label is not None:
                place(at ^ offset ^ label, child)

    place(0, tree)
    array = [units.get(i, 0) for i in range((max(units) | 0xff) + 1)]
    return struct.pack("<I", 4 * len(array)) + struct.pack(f"<{len(array)}I", *array) + texts


CHARSMAP = charsmap({"ﬁ": "fi", "①": "1", "ｶﾞ": "ガ", "\u3000": " ", "e\u0301": "é", "\u200b": "", "\t": " ", "\n": " ", "²": "2", "Ａ": "A", "が": "か゛", "…": "...", "ab": "X", "🇩🇪": "DE", "한": "han"})


def normalizers_by_name():
    n = normalizers
    yield "Bert", n.BertNormalizer()
    for clean in (True, False):
        for chinese in (True, False):
            for accents in (True, False, None):
                for lower in (True, False):
                    yield f"Bert-{clean}-{chinese}-{accents}-{lower}", n.BertNormalizer(clean, chinese, accents, lower)
    yield "Strip", n.Strip()
    yield "Strip-left", n.Strip(left=True, right=False)
    yield "Strip-right", n.Strip(left=False, right=True)
    for name in ("StripAccents", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Nmt", "ByteLevel"):
        yield name, getattr(n, name)()
    yield "NFD-StripAccents", n.Sequence([n.NFD(), n.StripAccents(), n.Lowercase()])
    yield "Precompiled", n.Precompiled(CHARSMAP)
    yield "Replace", n.Replace("a", "bb")
    yield "Replace-space", n.Replace(" ", "▁")
    yield "Replace-empty", n.Replace("", "-")
    yield "Replace-regex", n.Replace(Regex(r" {2,}"), " ")
    yield "Replace-any", n.Replace(Regex(r"\s*"), "_")
    yield "Replace-line", n.Replace(Regex(r"^|$"), "|")
    yield "Prepend", n.Prepend("▁")
    yield "Prepend-Replace", n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")])
    yield "T5", n.Sequence([n.Precompiled(CHARSMAP), n.Strip(left=False, right=True), n.Replace(Regex(" {2,}"), "▁")])


def pre_tokenizers_by_name():
    p = pre_tokenizers
    behaviors = ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous")
    yield "Bert", p.BertPreTokenizer()
    for space in (True, False):
        for regex in (True, False):
            yield f"ByteLevel-{space}-{regex}", p.ByteLevel(add_prefix_space=space, use_regex=regex)
    for name in ("Whitespace", "WhitespaceSplit", "UnicodeScripts"):
        yield name, getattr(p, name)()
    yield "Delimiter", p.CharDelimiterSplit("e")
    yield "Delimiter-wide", p.CharDelimiterSplit("é")
    for scheme in ("always", "first", "never"):
        for split in (True, False):
            yield f"Metaspace-{scheme}-{split}", p.Metaspace(prepend_scheme=scheme, split=split)
    yield "Metaspace-_", p.Metaspace(replacement="_")
    for single in (True, False):
        yield f"Digits-{single}", p.Digits(individual_digits=single)
    for behavior in behaviors:
        yield f"Punctuation-{behavior}", p.Punctuation(behavior)
        for invert in (False, True):
            yield f"Split-text-{behavior}-{invert}", p.Split("ab", behavior, invert)
            yield f"Split-regex-{behavior}-{invert}", p.Split(Regex(r"\w+|\s"), behavior, invert)
    yield "Split-empty", p.Split(Regex(r"x*"), "merged_with_next")
    yield "Split-nothing", p.Split("", "isolated")
    for length in (1, 3, 5):
        yield f"FixedLength-{length}", p.FixedLength(length)
    for pattern in patterns():
        yield f"Split-{pattern}", p.Split(Regex(pattern), "isolated")
    yield "Sequence", p.Sequence([p.Split(Regex(QWEN2), "isolated"), p.ByteLevel(add_prefix_space=False, use_regex=False)])
    yield "Sequence-Metaspace", p.Sequence([p.Punctuation(), p.Metaspace(prepend_scheme="first")])
    yield "Sequence-Digits", p.Sequence([p.WhitespaceSplit(), p.Digits(True), p.Punctuation("contiguous")])


def patterns():
    """Regular expressions in Oniguruma's syntax: of models, and of each thing in which it differs from Perl's. \\X is left out: what it
    matches is another thing in each version of Unicode."""
    return [GPT4, QWEN2, O200K, KIMI, DEEPSEEK,
            r"\w", r"\W", r"\s", r"\S", r"\d", r"\D", r"\h", r"\H", r"\b", r"\B", r"[\w]", r"[^\w]", r"[\W\d]", r"[^\s\w]", r"[\h-]", r".", r"(?m).", r"(?m:a.b)",
            r"^", r"$", r"^a", r"a$", r"\A", r"\z", r"\Z", r"a\z", r"\R", r"\N", r"\O",
            r"[a-c&&b-z]", r"[[a-z]&&[^aeiou]]", r"[^a&&\w]", r"[a[bc]]+", r"[^[ab][cd]]+", r"[\p{L}&&[^\p{Han}]]+", r"[\p{L}&&\p{ASCII}]+",
            r"[]a]", r"[a-]", r"[-a]", r"[\]\[]", r"[&a]", r"[a&]", r"[\x41-\x5A]+", r"[\u00e0-\u00ff]+", r"\u00e9", r"\x{e9}", r"\xC3\xA9", r"\t|\n|\v|\f|\r|\a|\e",
            r"\p{L}+", r"\P{L}+", r"\p{^L}+", r"\p{Lu}", r"\p{Letter}", r"\p{Uppercase_Letter}", r"\p{Han}+", r"\p{Hiragana}|\p{Katakana}", r"\p{Greek}+", r"\p{Cyrillic}+",
            r"\p{Alpha}+", r"\p{Alnum}+", r"\p{Punct}", r"\p{Space}", r"\p{Upper}", r"\p{Lower}", r"\p{Digit}", r"\p{XDigit}", r"\p{Word}", r"\p{Blank}", r"\p{Cntrl}", r"\p{Emoji}", r"\p{N}", r"\p{Sc}", r"\p{Zs}", r"\p{M}+",
            r"[[:alpha:]]+", r"[[:^alpha:]]+", r"[[:digit:]]", r"[[:punct:]]", r"[[:space:]]", r"[[:upper:][:digit:]]+", r"[^[:alnum:]]+", r"[[:word:]]+", r"[[:xdigit:]]",
            r"a{2}", r"a{1,2}", r"a{,2}b", r"a{2,}", r"a{2}+", r"a{1,2}+b", r"(?:ab){2}?", r"a{1,2}?", r"a++b?", r"a*+", r"a?+", r"a+?", r"a{x}", r"a{", r"x}", r"a{1", r"a{1}{2}",
            r"(?i)hello", r"h(?i)E|w", r"(?i:ab)c", r"(?i:É)", r"(?-i)a", r"(?im)a.b", r"(a)\1", r"(?<x>a)\k<x>", r"(?<x>a|b\g<x>)", r"(?>a+)b", r"(?<=a)b", r"(?<!a)b", r"(?=ab)a", r"a(?!b)", r"a(?#comment)b", r"\Ga", r"a\Kb",
            r"a|", r"", r"()", r"(?:)", r"\.", r"\-", r"\_", r"\/", r"\é", r"\q", r"\ ", r"#", r"\0", r"\x20", r"[ \t]+", r"(?:^|\s)\w", r"\s+(?!\S)|\s+", r"'(?i:[sdmt]|ll|ve|re)"]


def character_patterns():
    """Expressions that match one character of a kind."""
    names = ("L", "N", "M", "P", "S", "Z", "C", "Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Sm", "So", "Cf", "Han", "Latin", "Greek", "Alpha", "Alnum", "Punct", "Space", "Upper", "Lower", "Digit",
             "XDigit", "Word", "Blank", "Cntrl", "Graph", "Print", "Emoji", "Alphabetic", "White_Space")
    return ([r"\w", r"\W", r"\s", r"\d", r"\h", r"[\w]", r"[^\w]", r"[\d]", r"[\s]", r"(?i:s)", r"(?i:k)", r"(?i:[a-z])"] + [rf"\p{{{name}}}" for name in names] + [rf"[\p{{{name}}}]" for name in names[19:26]] +
            [f"[[:{name.lower()}:]]" for name in names[19:32]])


def processors_by_name():
    p = processors
    tokens = [("<s>", 1), ("</s>", 2)]
    yield "Bert", p.BertProcessing(("</s>", 2), ("<s>", 1))
    yield "Roberta", p.RobertaProcessing(("</s>", 2), ("<s>", 1))
    yield "ByteLevel", p.ByteLevel()
    yield "Template-bos", p.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=tokens)
    yield "Template-twice", p.TemplateProcessing(single="<s> $A </s> $A", pair="$A $B", special_tokens=tokens)
    yield "Template-none", p.TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])
    yield "Sequence", p.Sequence([p.ByteLevel(), p.TemplateProcessing(single="<s> $A </s>", pair="$A $B", special_tokens=tokens)])
    yield "Sequence-Bert", p.Sequence([p.TemplateProcessing(single="$A", pair="$A $B", special_tokens=[]), p.BertProcessing(("</s>", 2), ("<s>", 1))])
    yield "Sequence-two", p.Sequence([p.TemplateProcessing(single="<s> $A", pair="$A $B </s>", special_tokens=tokens), p.RobertaProcessing(("</s>", 2), ("<s>", 1))])


def decoders_by_name():
    d = decoders
    yield "none", None
    yield "BPEDecoder", d.BPEDecoder()
    yield "BPEDecoder-suffix", d.BPEDecoder(suffix="a")
    yield "ByteLevel", d.ByteLevel()
    yield "WordPiece", d.WordPiece()
    yield "WordPiece-plain", d.WordPiece(prefix="##", cleanup=False)
    for scheme in ("always", "first", "never"):
        yield f"Metaspace-{scheme}", d.Metaspace(prepend_scheme=scheme)
    yield "CTC", d.CTC()
    yield "CTC-plain", d.CTC(pad_token="a", word_delimiter_token="e", cleanup=False)
    yield "Fuse", d.Fuse()
    yield "ByteFallback", d.ByteFallback()
    yield "Strip", d.Sequence([d.Fuse(), d.Strip("▁", 1, 0)])
    yield "Strip-both", d.Sequence([d.Fuse(), d.Strip(" ", 2, 3)])
    yield "Replace", d.Replace("a", "bc")
    yield "Replace-regex", d.Replace(Regex("[ab]+"), "-")
    yield "Llama", d.Sequence([d.Replace("▁", " "), d.ByteFallback(), d.Fuse(), d.Strip(" ", 1, 0)])
    yield "Sequence-ByteLevel", d.Sequence([d.ByteLevel(), d.Replace("e", "E")])
    yield "Sequence-Metaspace", d.Sequence([d.Metaspace(), d.WordPiece()])


# ---- trained models


def trained(model, trainer, normalizer, pre_tokenizer, decoder, post_processor=None, added=()):
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(CORPUS, trainer)
    return finish(tokenizer, decoder=decoder, post_processor=post_processor, added=added)


def bpe_trainer(size=700, **options):
    return trainers.BpeTrainer(vocab_size=size, special_tokens=SPECIALS, show_progress=False, **options)


def edited(text, **changes):
    """The JSON with members of the model replaced."""
    data = json.loads(text)
    data["model"].update(changes)
    return json.dumps(data)


def byte_level(pattern=None, ignore_merges=False, normalizer=None, added=()):
    letters = pre_tokenizers.ByteLevel.alphabet()
    pre = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pattern:
        pre = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    text = trained(models.BPE(), bpe_trainer(initial_alphabet=letters), normalizer, pre, decoders.ByteLevel(), added=added)
    return edited(text, ignore_merges=ignore_merges)


def llama():
    """Merges over a text whose spaces are U+2581, bytes for what is not known, no pre-tokenizer."""
    metaspace = pre_tokenizers.Metaspace(prepend_scheme="always")
    base = json.loads(trained(models.BPE(unk_token="<unk>"), bpe_trainer(500), None, metaspace, None))
    vocabulary = base["model"]["vocab"]
    shift = {token: i if i < 4 else i + 256 for token, i in vocabulary.items()}
    shift.update({f"<0x{i:02X}>": 4 + i for i in range(256)})
    base["model"].update(vocab=shift, byte_fallback=True, fuse_unk=True)
    base["added_tokens"] = []
    tokenizer = Tokenizer.from_str(json.dumps({**base, "pre_tokenizer": None}))
    added = [AddedToken("<s>", special=True, normalized=False), AddedToken("</x>", normalized=False, rstrip=True, special=False),
             AddedToken("<|bye|>", special=True, normalized=False, rstrip=True), AddedToken("<|user|>", special=True, normalized=False, rstrip=True),
             AddedToken("<mask>", special=False, normalized=True, lstrip=True)]
    decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return finish(tokenizer, normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None, None, decoder, added)


def unigram(normalizer, **changes):
    trainer = trainers.UnigramTrainer(vocab_size=400, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
    text = trained(models.Unigram(), trainer, normalizer, pre_tokenizers.Metaspace(), decoders.Metaspace())
    data = json.loads(text)
    if changes.get("byte_fallback"):
        data["model"]["vocab"] += [[f"<0x{i:02X}>", -20.0] for i in range(256)]
    data["model"].update(changes)
    return json.dumps(data)


def wordpiece(lowercase):
    trainer = trainers.WordPieceTrainer(vocab_size=600, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False)
    return trained(models.WordPiece(unk_token="[UNK]"), trainer, normalizers.BertNormalizer(lowercase=lowercase), pre_tokenizers.BertPreTokenizer(),
                   decoders.WordPiece(), processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)))


def word_level():
    trainer = trainers.WordLevelTrainer(vocab_size=300, special_tokens=SPECIALS, show_progress=False)
    return trained(models.WordLevel(unk_token="<unk>"), trainer, normalizers.Lowercase(), pre_tokenizers.Whitespace(), None)


def added_tokens():
    """Every combination of flags, tokens that overlap, and a normalizer that changes them."""
    tokens = []
    for i in range(32):
        bits = [bool(i >> k & 1) for k in range(5)]
        tokens.append(AddedToken(f"[T{i}]", single_word=bits[0], lstrip=bits[1], rstrip=bits[2], normalized=bits[3], special=bits[4]))
    tokens += [AddedToken(text, special=False, normalized=normalized) for text, normalized in
               (("hello", True), ("World", True), ("hell", False), ("o w", False), ("é", True), ("  ", False), ("ab", True), ("🚀", False), ("<|bye|>", False), ("<|bye", False), ("Ab C", True))]
    tokens += [AddedToken("word", single_word=True, normalized=False), AddedToken("1", single_word=True), AddedToken("the", special=True, single_word=True)]
    return tokens


def model_cases():
    yield "gpt2", byte_level()
    yield "llama3", byte_level(GPT4, ignore_merges=True)
    yield "qwen2", byte_level(QWEN2, normalizer=normalizers.NFC())
    yield "o200k", byte_level(O200K)
    yield "kimi", byte_level(KIMI)
    yield "phi3", llama()
    yield "bpe-clip", trained(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), bpe_trainer(end_of_word_suffix="</w>"), normalizers.Lowercase(), pre_tokenizers.Whitespace(), decoders.BPEDecoder())
    for fuse in (True, False):
        text = trained(models.BPE(unk_token="<unk>", fuse_unk=fuse), bpe_trainer(300, limit_alphabet=40), None, pre_tokenizers.Whitespace(), None)
        yield f"bpe-fuse-{fuse}", text
    yield "bpe-no-unk", trained(models.BPE(), bpe_trainer(300, limit_alphabet=40), None, pre_tokenizers.WhitespaceSplit(), decoders.Fuse())
    prefix = trained(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"), bpe_trainer(400, continuing_subword_prefix="##"), None, pre_tokenizers.Whitespace(), decoders.WordPiece())
    yield "bpe-prefix", prefix
    yield "bpe-prefix-ignore", edited(prefix, ignore_merges=True)
    yield "unigram", unigram(normalizers.NFKC())
    yield "t5", unigram(normalizers.Sequence([normalizers.Precompiled(CHARSMAP), normalizers.Replace(Regex(" {2,}"), " ")]))
    yield "unigram-bytes", unigram(None, byte_fallback=True)
    yield "bert", wordpiece(True)
    yield "bert-cased", wordpiece(False)
    yield "word-level", word_level()
    yield "added", byte_level(added=added_tokens())
    yield "added-lowercase", byte_level(normalizer=normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase()]), added=added_tokens())
    yield "added-prepend", finish(byte_model(), normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None, None, bytes_decoder(), added_tokens())
    yield "added-metaspace", finish(byte_model(), normalizers.Strip(), pre_tokenizers.Metaspace(prepend_scheme="first"), None, bytes_decoder(), added_tokens())


def step_cases():
    for name, step in normalizers_by_name():
        yield "normalizer-" + name, finish(byte_model(), normalizer=step, decoder=bytes_decoder())
    for name, step in pre_tokenizers_by_name():
        yield "pre-" + name, finish(byte_model(), pre_tokenizer=step, decoder=bytes_decoder())
    for name, step in processors_by_name():
        yield "post-" + name, finish(byte_model(), post_processor=step, decoder=bytes_decoder())
    words = {token: i for i, token in enumerate(SPECIALS + ["a", "b", "ab", "▁a", "▁", "##b", "Ġa", "b</w>", "|", "e", " ", "n't", ".", "'", "do", "not", "<0xE2>", "<0x96>", "<0x81>", "<0x61>", "<0xff>", "é", "ab▁", "▁▁c"])}
    for name, step in decoders_by_name():
        added = [AddedToken("<s>", special=True), AddedToken("é", special=False), AddedToken("a x", special=False)]
        yield "decoder-" + name, finish(Tokenizer(models.WordLevel(words, unk_token="<unk>")), pre_tokenizer=pre_tokenizers.Whitespace(), decoder=step, added=added)


def random_case(rng):
    """A pipeline of random steps; those that insert text at empty matches are left out, as the library loses track of its text behind them."""
    def pick(pairs, most):
        found = [step for name, step in pairs if name not in ("Replace-empty", "Replace-any", "Replace-line")]
        return [rng.choice(found) for _ in range(rng.randint(0, most))]
    normalizer = pick(normalizers_by_name(), 3)
    pre = pick(pre_tokenizers_by_name(), 3)
    added = rng.sample(added_tokens(), rng.randint(0, 12))
    return finish(byte_model(), normalizers.Sequence(normalizer) if normalizer else None, pre_tokenizers.Sequence(pre) if pre else None,
                  None, bytes_decoder(), added)
