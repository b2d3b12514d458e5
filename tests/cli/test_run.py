#!/usr/bin/env python3
"""ondol run, on tiny models: what it prints, and that its options do what they say."""
import json
import re
import struct
import unittest

from cli import Case, Terminal, environment, main, ondol, tiny

LLAMA = tiny("llama")
GREEDY = ("--temp", "0", "--ignore-eos")


def read_npy(path):
    """(shape, floats) of a version 1.0 file of '<f4'."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\1\0"
    length, = struct.unpack("<H", data[8:10])
    header = eval(data[10:10 + length], {})
    assert header["descr"] == "<f4" and not header["fortran_order"] and (10 + length) % 64 == 0
    return header["shape"], struct.unpack(f"<{(len(data) - 10 - length) // 4}f", data[10 + length:])


class Json(Case):
    def test_keys_and_counts(self):
        answer = self.succeeds("run", LLAMA, "the cat", "--json", "-n", "5", *GREEDY, "--seed", "7").json()
        self.keys(answer, "text", "ids", "finish_reason", "seed", "timings")
        self.assertEqual((len(answer["ids"]), answer["finish_reason"], answer["seed"]), (5, "length", 7))
        t = answer["timings"]
        self.keys(t, "load_s", "prompt_s", "prompt_tokens", "prompt_tok_s", "generate_s", "generated_tokens", "decode_tok_s")
        self.assertEqual(t["generated_tokens"], 5)
        self.assertGreater(t["prompt_tokens"], 3)
        self.assertGreater(t["prompt_tok_s"], 0)

    def test_one_line_of_utf8(self):
        result = self.succeeds("run", LLAMA, "x", "--json", "-n", "100", "--seed", "1", "--temp", "5", "--top-k", "0",
                               "--top-p", "1", "--min-p", "0", "--ignore-eos")
        self.assertEqual(result.out.count("\n"), 1)
        self.assertEqual(len(result.bytes.decode("utf-8", "strict")), len(result.out))
        self.assertEqual(len(result.json()["ids"]), 100)

    def test_none_generated(self):
        answer = self.succeeds("run", LLAMA, "x", "--json", "-n", "0").json()
        self.assertEqual((answer["text"], answer["ids"], answer["finish_reason"]), ("", [], "length"))


class Prompt(Case):
    def ids(self, *arguments, **options):
        return self.succeeds("run", LLAMA, "--json", "-n", "8", *GREEDY, *arguments, **options).json()["ids"]

    def test_from_argument_and_standard_input(self):
        expected = self.ids("the cat sat")
        self.assertEqual(self.ids(input="the cat sat"), expected)
        self.assertEqual(self.ids(input="the cat sat\n"), expected)
        self.assertEqual(self.ids("-", input="the cat sat\n"), expected)

    def test_raw_is_the_text_alone(self):
        ids = self.succeeds("tokenize", LLAMA, "the cat", "--json").json()["ids"]
        raw = self.succeeds("run", LLAMA, "the cat", "--raw", "--json", "-n", "3", *GREEDY).json()
        self.assertEqual(raw["timings"]["prompt_tokens"], len(ids))
        given = self.ids("--ids", ",".join(map(str, ids)))
        self.assertEqual(given[:3], raw["ids"])
        chat = "<s><|user|>\nthe cat<|end|>\n<|assistant|>\n"
        same = self.succeeds("tokenize", LLAMA, chat, "--no-bos", "--json").json()["ids"]
        self.assertEqual(self.ids("--ids", ",".join(map(str, same))), self.ids("the cat"))

    def test_system_prompt_joins_the_template(self):
        short = self.succeeds("run", LLAMA, "x", "--json", "-n", "1").json()["timings"]["prompt_tokens"]
        long = self.succeeds("run", LLAMA, "x", "--json", "-n", "1", "--system", "be kind").json()["timings"]["prompt_tokens"]
        self.assertGreater(long, short + 5)

    def test_ids(self):
        self.assertEqual(self.ids("--ids", "5, 6,7"), self.ids("--ids", "5,6,7"))
        for bad in ("", "1,,2", "1,2,", "one", "1.5", "-1", "99999999999"):
            self.fails(2, "--ids expects whole numbers", "run", LLAMA, "--ids", bad)
        self.fails(1, "352", "run", LLAMA, "--ids", "1,352", "-n", "1")

    def test_too_long_or_empty(self):
        long = ",".join(["70"] * 257)
        self.fails(1, "the prompt has 257 tokens, but the context holds 256", "run", LLAMA, "--ids", long)
        self.fails(1, "the prompt has 9 tokens, but the context holds 8 .as --ctx says", "run", LLAMA, "--ids", "70" + ",70" * 8,
                   "--ctx", "8")
        self.fails(1, "the prompt has no tokens", "run", tiny("qwen2"), "", "--raw")

    def test_runs_to_the_end_of_the_context(self):
        for n in ("-1", "100000"):
            answer = self.succeeds("run", LLAMA, "--ids", "70,71,72", "-n", n, "--json", *GREEDY).json()
            self.assertEqual(answer["finish_reason"], "length")
            self.assertEqual(len(answer["ids"]), 256 - 3 + 1)


class Sampling(Case):
    HOT = ("--temp", "3", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--ignore-eos", "-n", "40", "--json")

    def ids(self, *arguments, model=LLAMA):
        return self.succeeds("run", model, "the cat", *arguments).json()["ids"]

    def test_seed(self):
        one = self.ids(*self.HOT, "--seed", "1")
        self.assertEqual(one, self.ids(*self.HOT, "--seed", "1"))
        self.assertEqual(one, self.ids(*self.HOT, "--seed", "1", "-t", "1"))
        self.assertEqual(one, self.ids(*self.HOT, "--seed", "1", "-t", "3"))
        self.assertNotEqual(one, self.ids(*self.HOT, "--seed", "2"))

    def test_top_k_one_is_greedy(self):
        greedy = self.ids(*GREEDY, "-n", "40", "--json")
        self.assertEqual(self.ids(*self.HOT, "--top-k", "1"), greedy)
        self.assertEqual(self.ids(*self.HOT, "--top-p", "0"), greedy)

    def test_logit_bias(self):
        self.assertEqual(self.ids(*GREEDY, "-n", "3", "--json", "--logit-bias", "99=1000"), [99, 99, 99])
        first = self.ids(*GREEDY, "-n", "1", "--json")
        self.assertNotEqual(self.ids(*GREEDY, "-n", "1", "--json", "--logit-bias", f"{first[0]}=-inf"), first)
        self.fails(2, "--logit-bias expects ID=X", "run", LLAMA, "p", "--logit-bias", "5")
        self.fails(1, "logit", "run", LLAMA, "p", "--logit-bias", "352=1")

    def test_penalties_forbid_repetition(self):
        plain = self.ids(*GREEDY, "-n", "60", "--json")
        punished = self.ids(*GREEDY, "-n", "60", "--json", "--presence-penalty", "100", "--repeat-last-n", "-1")
        self.assertEqual(len(set(punished)), 60)
        self.assertLess(len(set(plain)), 61)

    def test_other_filters_are_taken(self):
        for more in (["--mirostat", "1"], ["--mirostat", "2", "--mirostat-tau", "3"], ["--typical", "0.5"],
                     ["--top-n-sigma", "1"], ["--xtc-probability", "1", "--xtc-threshold", "0.01"],
                     ["--dry-multiplier", "2", "--dry-sequence-breaker", "x"], ["--repeat-penalty", "1.3"],
                     ["--frequency-penalty", "0.5"], ["--min-p", "0.5"]):
            with self.subTest(more):
                self.assertEqual(len(self.ids(*self.HOT, "--seed", "3", *more)), 40)

    def test_same_on_devices(self):
        ref = self.ids(*GREEDY, "-n", "12", "--json", "--device", "ref")
        self.assertEqual(self.ids(*GREEDY, "-n", "12", "--json", "--device", "cpu"), ref)

    def test_memory_options(self):
        expected = self.ids(*GREEDY, "-n", "12", "--json")
        for more in (["--no-mmap"], ["--mlock"], ["--ctx", "128"], ["--kv", "f32"]):
            self.assertEqual(self.ids(*GREEDY, "-n", "12", "--json", *more), expected, more)
        self.assertEqual(len(self.ids(*GREEDY, "-n", "12", "--json", "--kv", "q8")), 12)


class Held(Case):
    """Answers held to a grammar or a schema, by a model that knows nothing."""

    def test_grammar(self):
        grammar = self.write("g.gbnf", 'root ::= ("yes" | "no") " " [0-9]+ "!"\n')
        for seed in range(5):
            result = self.succeeds("run", LLAMA, "x", "--grammar", grammar, "--seed", seed, "--temp", "2", "-n", "100")
            self.assertRegex(result.out, r"\A(yes|no) \d+(!\n|\n)\Z")

    def test_json_schema(self):
        schema = self.write("s.json", json.dumps({
            "type": "object", "properties": {"name": {"type": "string", "maxLength": 8}, "age": {"type": "integer"},
                                             "kind": {"enum": ["cat", "dog"]}},
            "required": ["name", "age", "kind"], "additionalProperties": False}))
        whole = 0
        for seed in range(6):
            answer = self.succeeds("run", tiny("qwen2"), "x", "--json-schema", schema, "--seed", seed, "--json").json()
            if answer["finish_reason"] != "stop":
                continue
            whole += 1
            value = json.loads(answer["text"])
            self.assertEqual(set(value), {"name", "age", "kind"})
            self.assertIn(value["kind"], ("cat", "dog"))
            self.assertIsInstance(value["age"], int)
            self.assertLessEqual(len(value["name"]), 8)
        self.assertGreater(whole, 0)


class Stop(Case):
    def test_ends_before_the_text(self):
        whole = self.succeeds("run", LLAMA, "the cat", "-n", "40", "--json", *GREEDY).json()["text"]
        stop = next(c for c in whole[3:] if c.isascii() and c.isprintable() and c not in whole[:3])
        answer = self.succeeds("run", LLAMA, "the cat", "-n", "40", "--json", *GREEDY, "--stop", "never ever", "--stop",
                               stop).json()
        self.assertEqual((answer["text"], answer["finish_reason"]), (whole[:whole.index(stop)], "stop_text"))

    def test_end_of_the_model(self):
        answer = self.succeeds("run", LLAMA, "x", "--json", "--temp", "0", "--logit-bias", "2=1000").json()
        self.assertEqual((answer["finish_reason"], answer["text"], answer["ids"]), ("stop", "", []))
        shown = self.succeeds("run", LLAMA, "x", "--temp", "0", "--logit-bias", "2=1000", "--ignore-eos", "--special", "-n",
                              "2")
        self.assertEqual(shown.out, "</s></s>\n")


class Logits(Case):
    def test_shape_and_values(self):
        path = self.folder / "l.npy"
        answer = self.succeeds("run", LLAMA, "--ids", "1,70,71,72", "-n", "5", "--json", *GREEDY, "--logits", path).json()
        shape, values = read_npy(path)
        self.assertEqual(shape, (4 + 5 - 1, 352))
        self.assertEqual(len(values), 8 * 352)
        rows = [values[r * 352:(r + 1) * 352] for r in range(8)]
        greedy = [max(range(352), key=row.__getitem__) for row in rows]
        self.assertEqual(greedy[3:], answer["ids"])
        again = self.folder / "m.npy"
        self.succeeds("run", LLAMA, "--ids", ",".join(map(str, [1, 70, 71, 72] + answer["ids"][:4])), "-n", "1", *GREEDY,
                      "--logits", again)
        self.assertEqual(again.read_bytes(), path.read_bytes())

    def test_prompt_alone(self):
        path = self.folder / "l.npy"
        self.succeeds("run", LLAMA, "--ids", "1,70,71,72", "-n", "1", *GREEDY, "--logits", path)
        self.assertEqual(read_npy(path)[0], (4, 352))
        self.succeeds("run", LLAMA, "--ids", "1,70,71,72", "-n", "0", "--logits", path)
        self.assertEqual(read_npy(path)[0], (3, 352))

    def test_longer_than_one_step(self):
        path = self.folder / "l.npy"
        self.succeeds("run", LLAMA, "--ids", "1" + ",70" * 150, "-n", "1", *GREEDY, "--logits", path)
        self.assertEqual(read_npy(path)[0], (151, 352))


class Shown(Case):
    def test_text_alone_in_a_pipe(self):
        result = self.succeeds("run", LLAMA, "the cat", "-n", "12", *GREEDY)
        answer = self.succeeds("run", LLAMA, "the cat", "-n", "12", "--json", *GREEDY).json()
        self.assertEqual(result.out.rstrip("\n"), answer["text"].rstrip("\n"))
        self.assertNotIn("\x1b", result.out)

    def test_timings_on_standard_error(self):
        result = self.succeeds("run", LLAMA, "x", "-n", "2", "--timings", quiet=False)
        self.assertRegex(result.err, r"\Aload [\d.]+ s; prompt \d+ tokens, [\d.]+ tok/s; answer 2 tokens, .*\n\Z")

    def test_terminal_has_no_colour_in_text(self):
        terminal = Terminal("run", LLAMA, "x", "-n", "3", "--temp", "0", env=environment(TERM="xterm", NO_COLOR="1"))
        self.assertEqual(terminal.end(), 0)
        self.assertNotRegex(terminal.seen, r"\x1b\[[0-9;]*m")

    def test_verbose(self):
        result = self.succeeds("run", LLAMA, "x", "-n", "1", "-v", quiet=False)
        self.assertTrue(all(line.startswith("ondol: ") for line in result.err.splitlines()), result)


if __name__ == "__main__":
    main()
