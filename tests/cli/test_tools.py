#!/usr/bin/env python3
"""ondol info, tokenize, eval, bench, devices, on tiny models."""
import math
import unittest

from cli import TINY, Case, environment, main, ondol, tiny

LLAMA = tiny("llama")


class Info(Case):
    KEYS = ("path", "format", "size_bytes", "parameters", "tensor_count", "tensor_bytes", "metadata", "encodings")
    MODEL_KEYS = ("runs", "language_model", "recognised", "architecture", "name", "layers", "hidden", "context", "tokenizer", "chat_template", "memory")

    def test_json(self):
        answer = self.succeeds("info", LLAMA, "--json").json()
        self.keys(answer, *self.KEYS, *self.MODEL_KEYS)
        self.assertEqual((answer["path"], answer["size_bytes"]), (LLAMA, (TINY / "llama.gguf").stat().st_size))
        self.assertEqual((answer["architecture"], answer["layers"], answer["hidden"], answer["context"]), ("llama", 2, 64, 256))
        self.assertEqual(answer["metadata"]["llama.context_length"], {"type": "u32", "elements": 1, "value": "256"})
        self.assertEqual(answer["metadata"]["tokenizer.ggml.tokens"]["elements"], 352)
        self.assertEqual(sum(row["tensors"] for row in answer["encodings"].values()), answer["tensor_count"])
        self.assertEqual(sum(row["bytes"] for row in answer["encodings"].values()), answer["tensor_bytes"])
        self.keys(answer["tokenizer"], "vocabulary", "bos", "eos", "adds_bos", "adds_eos")
        self.assertEqual(answer["tokenizer"], {"vocabulary": 352, "bos": 1, "eos": 2, "adds_bos": True, "adds_eos": False})
        self.keys(answer["memory"], "weight_bytes", "kv_bytes_per_token", "context", "kv_bytes")
        self.assertEqual(answer["memory"]["kv_bytes_per_token"], 2 * 2 * 2 * 16 * 2)  # layers, K and V, heads, e, f16
        self.assertIn("<|assistant|>", answer["chat_template"])

    def test_tensors(self):
        answer = self.succeeds("info", LLAMA, "--json", "--tensors").json()
        self.assertEqual(len(answer["tensors"]), answer["tensor_count"])
        first = next(t for t in answer["tensors"] if t["name"] == "token_embd.weight")
        self.keys(first, "name", "encoding", "shape", "bytes", "offset")
        self.assertEqual((first["shape"], first["bytes"]), ([352, 64], 352 * 64 * 4))
        listed = self.succeeds("info", LLAMA, "--tensors").out
        for row in answer["tensors"]:
            self.assertIn(f"  {row['name']} ", listed)

    def test_every_tiny_model_runs(self):
        files = [path for path in sorted(TINY.glob("*.gguf")) if "-of-" not in path.name or "-00001-" in path.name]
        self.assertGreater(len(files), 50)
        for path in files:
            with self.subTest(path.name):
                answer = self.succeeds("info", path, "--json").json()
                self.assertTrue(answer["runs"], answer.get("reason"))

    def test_graph_and_plan(self):
        for option, key, word in (("--graph", "graph", "MatMul"), ("--lowered", "graph", "ondol"), ("--plan", "plan", "cpu")):
            text = self.succeeds("info", LLAMA, option).out
            self.assertIn(word, text)
            answer = self.succeeds("info", LLAMA, option, "--json").json()
            self.keys(answer, key)
            self.assertEqual(answer[key], text)

    def test_text(self):
        result = self.succeeds("info", LLAMA)
        self.assertIn("\nOndol runs it: llama, 2 layers, hidden 64, vocabulary 352, context 256\n", result.out)
        self.assertNotRegex(result.out, r"[\x00-\x09\x0b-\x1f]")
        self.assertIn("\nmetadata: ", result.out)


class Tokenize(Case):
    def json(self, *arguments, **options):
        return self.succeeds("tokenize", *arguments, "--json", **options).json()

    def test_ids_and_pieces(self):
        answer = self.json(LLAMA, "the cat")
        self.keys(answer, "ids", "pieces")
        self.assertEqual(len(answer["ids"]), len(answer["pieces"]))
        self.assertEqual((answer["ids"][0], answer["pieces"][0]), (1, "<s>"))
        self.assertEqual("".join(answer["pieces"][1:]).strip(), "the cat")
        self.assertEqual(self.json(LLAMA, "the cat", "--no-bos")["ids"], answer["ids"][1:])
        rows = self.succeeds("tokenize", LLAMA, "the cat").out.splitlines()
        self.assertEqual([int(row.split()[0]) for row in rows], answer["ids"])

    def test_sources_of_text(self):
        expected = self.json(LLAMA, "the cat\nsat")
        path = self.write("t.txt", "the cat\nsat")
        self.assertEqual(self.json(LLAMA, "--file", path), expected)
        self.assertEqual(self.json(LLAMA, input="the cat\nsat"), expected)
        self.assertEqual(self.json(LLAMA, "-", input="the cat\nsat"), expected)

    def test_back_to_text(self):
        for model in ("llama", "qwen2"):
            for text in ("the cat and the dog", "Grüße, 世界! 🙂", "two\nlines\t", "  spaces  "):
                ids = self.json(tiny(model), text, "--no-bos")["ids"]
                answer = self.json(tiny(model), "--ids", ",".join(map(str, ids)))
                self.keys(answer, "text")
                self.assertIn(answer["text"], (text, " " + text))
        self.assertEqual(self.succeeds("tokenize", tiny("qwen2"), "--ids", "1,2").out, "<|im_start|><|im_end|>\n")
        self.assertEqual(self.succeeds("tokenize", tiny("qwen2"), "--ids", "1,2", "--no-special").out, "\n")

    def test_special_tokens(self):
        model = tiny("qwen2")
        self.assertEqual(self.json(model, "<|im_start|>")["ids"], [1])
        plain = self.json(model, "<|im_start|>", "--no-special")
        self.assertGreater(len(plain["ids"]), 3)
        self.assertEqual("".join(plain["pieces"]), "<|im_start|>")

    def test_part_of_a_character(self):
        answer = self.json(tiny("qwen2"), "世", "--no-bos")
        self.assertEqual(len(answer["ids"]), 3)
        self.assertEqual(answer["pieces"], ["<0xE4>", "<0xB8>", "<0x96>"])

    def test_count(self):
        n = len(self.json(LLAMA, "the cat")["ids"])
        self.assertEqual(self.succeeds("tokenize", LLAMA, "the cat", "--count").out, f"{n}\n")
        self.assertEqual(self.json(LLAMA, "the cat", "--count"), {"count": n})

    def test_id_past_the_vocabulary(self):
        self.fails(1, "352", "tokenize", LLAMA, "--ids", "5,352")

    def test_megabyte_without_spaces(self):
        self.assertEqual(self.succeeds("tokenize", tiny("qwen2"), "--count", input="a" * 1000000, timeout=30).code, 0)


class Eval(Case):
    TEXT = "the cat and the dog sat on the mat and looked at the fish in the sea. " * 12

    def run_eval(self, *arguments):
        text = self.write("t.txt", self.TEXT)
        return self.succeeds("eval", LLAMA, "--text", text, "--ctx", "64", *arguments)

    def test_json(self):
        answer = self.run_eval("--json", "--chunks", "3").json()
        self.keys(answer, "perplexity", "error", "tokens", "windows", "context")
        self.assertEqual((answer["windows"], answer["context"], answer["tokens"]), (3, 64, 3 * 31))
        self.assertGreater(answer["perplexity"], 10)
        self.assertLess(answer["perplexity"], 352 ** 2)
        self.assertGreater(answer["error"], 0)

    def test_text_has_running_estimates(self):
        lines = self.run_eval("--chunks", "3").out.splitlines()
        self.assertEqual(len(lines), 4)
        for w, line in enumerate(lines[:3], 1):
            self.assertRegex(line, rf"\Awindow {w} of 3: perplexity [\d.]+ \+- [\d.]+\Z")
        self.assertRegex(lines[3], r"\Aperplexity [\d.]+ \+- [\d.]+ over 93 tokens \(3 windows of 64\)\Z")

    def test_compare(self):
        saved = self.folder / "base"
        plain = self.run_eval("--json", "--save-logits", saved).json()
        same = self.run_eval("--json", "--compare", saved).json()
        self.keys(same, "perplexity", "error", "tokens", "windows", "context", "kl", "top1_agreement", "worst", "perplexity_base")
        self.assertEqual((same["kl"]["max"], same["top1_agreement"]), (0, 1))
        self.assertEqual((same["perplexity_base"], same["perplexity"]), (plain["perplexity"], plain["perplexity"]))
        ref = self.run_eval("--json", "--compare", saved, "--device", "ref").json()
        self.assertLess(ref["kl"]["max"], 0.01)
        self.assertGreater(ref["top1_agreement"], 0.95)
        self.assertTrue(math.isclose(ref["perplexity"], plain["perplexity"], rel_tol=0.01))

    def test_bad_files(self):
        text = self.write("t.txt", self.TEXT)
        self.fails(1, "cannot open '/no/t': No such", "eval", LLAMA, "--text", "/no/t")
        self.fails(1, "a window takes 128", "eval", LLAMA, "--text", self.write("s.txt", "short"), "--ctx", "128")
        junk = self.write("junk", b"x" * 5000)
        self.fails(1, "junk", "eval", LLAMA, "--text", text, "--ctx", "64", "--compare", junk)
        saved = self.folder / "base"
        self.run_eval("--json", "--save-logits", saved, "--chunks", "2")
        saved.write_bytes(saved.read_bytes()[:-100])
        self.fails(1, "base", "eval", LLAMA, "--text", text, "--ctx", "64", "--compare", saved, "--chunks", "2", "--json")


class Bench(Case):
    def test_json(self):
        answer = self.succeeds("bench", LLAMA, "-p", "32", "-n", "4", "-r", "2", "--json").json()
        for key in ("prefill_tok_s", "decode_tok_s", "load_s", "peak_rss_bytes"):
            self.assertGreater(answer[key], 0, key)
        self.keys(answer["limits"], "read_bytes_s", "int8_ops_s")
        self.keys(answer["share"], "decode_read", "prefill_int8")
        self.assertEqual((len(answer["prefill_all"]), len(answer["decode_all"])), (2, 2))
        self.assertEqual((answer["prompt"], answer["tokens"], answer["depth"]), (32, 4, 0))

    def test_text_and_depth(self):
        result = self.succeeds("bench", LLAMA, "-p", "8", "-n", "2", "-r", "1", "-d", "40")
        for word in ("load", "prefill", "decode", "memory", "limits", "reached"):
            self.assertRegex(result.out, rf"(?m)^{word} ")
        self.assertIn("(8 tokens behind 40)", result.out)

    def test_profile(self):
        options = ("bench", LLAMA, "-p", "8", "-n", "2", "-r", "1", "--profile")
        result = self.succeeds(*options)
        self.assertRegex(result.out, r"(?m)^the prompt$")
        self.assertRegex(result.out, r"(?m)^blk\.\*\.ffn_down +matmul ")
        answer = self.succeeds(*options, "--json").json()
        for key, runs in (("prefill_profile", 1), ("decode_profile", 2)):
            rows = answer[key]
            self.assertAlmostEqual(sum(r["share"] for r in rows), 1, 3)
            down, = [r for r in rows if r["step"] == "blk.*.ffn_down"]
            self.assertEqual((down["operator"], down["runs"]), ("matmul", runs))
            self.assertGreater(down["pass_ms"], 0)

    def test_too_long(self):
        self.fails(1, "make 513 tokens, but the model's context holds 256", "bench", LLAMA, "-p", "500", "-n", "12")


class Devices(Case):
    def test_json(self):
        answer = self.succeeds("devices", "--json").json()
        self.keys(answer, "devices")
        names = [device["name"] for device in answer["devices"]]
        self.assertTrue({"cpu", "ref"} <= set(names), names)
        for device in answer["devices"]:
            self.keys(device, "name", "description", "isa", "threads", "memory_bytes", "chosen")
        self.assertEqual(sum(device["chosen"] for device in answer["devices"]), 1)

    def test_choice(self):
        def chosen(*arguments, **env):
            devices = self.succeeds("devices", "--json", *arguments, env=environment(**env)).json()["devices"]
            return next(device for device in devices if device["chosen"])
        self.assertEqual(chosen("--device", "ref")["name"], "ref")
        self.assertEqual(chosen(ONDOL_DEVICE="ref")["name"], "ref")
        self.assertEqual(chosen("--device", "cpu", ONDOL_DEVICE="ref")["name"], "cpu")
        self.assertEqual(chosen("--device", "cpu", ONDOL_ISA="scalar")["isa"], "scalar")
        self.assertEqual(chosen("--device", "cpu", "-t", "2")["threads"], 2)
        self.fails(1, "ONDOL_ISA|instruction set", "devices", env=environment(ONDOL_ISA="mmx"))
        self.fails(1, "tpu", "devices", env=environment(ONDOL_DEVICE="tpu"))

    def test_explain(self):
        text = self.succeeds("devices", "--explain", LLAMA).out
        self.assertIn("cpu", text)
        answer = self.succeeds("devices", "--explain", LLAMA, "--json").json()
        self.keys(answer, "devices", "explain")
        self.assertTrue(text.endswith(answer["explain"]))


if __name__ == "__main__":
    main()
