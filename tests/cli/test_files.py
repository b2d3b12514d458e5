#!/usr/bin/env python3
"""Files that are not there, are no models, cannot be read or cannot be written: one sentence, exit status 1, nothing left."""
import gzip
import os
from pathlib import Path
import random
import unittest

from cli import TINY, Case, environment, main, ondol, tiny

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1234567890\n"


class Missing(Case):
    def test_files_and_names(self):
        empty = environment(ONDOL_CACHE=self.folder)
        for command in (["run", "x.gguf", "p"], ["info", "x.gguf"], ["tokenize", "x.gguf", "t"], ["bench", "x.gguf"],
                        ["eval", "x.gguf", "--text", "t"], ["chat", "x.gguf"], ["devices", "--explain", "x.gguf"]):
            with self.subTest(command[0]):
                result = ondol(*command, env=empty)
                self.assertEqual(result.code, 1, result)
                self.one_sentence(result.err)
                self.assertIn("cannot open 'x.gguf': No such file or directory", result.err)
        self.fails(1, "no model 'smollm': .* holds no model", "info", "smollm", env=empty)
        self.fails(1, "no model 'smollm2': .*'./dev demo'", "info", "smollm2", env=empty)
        self.fails(1, "cannot open '': No such file", "info", "", env=empty)

    def test_names_in_the_cache(self):
        (self.folder / "models/two").mkdir(parents=True)
        (self.folder / "models/one").mkdir()
        (self.folder / "models/small.gguf").symlink_to(tiny("llama"))
        (self.folder / "models/one/x.gguf").symlink_to(tiny("llama"))
        (self.folder / "models/two/a.gguf").symlink_to(tiny("llama"))
        (self.folder / "models/two/b.gguf").symlink_to(tiny("llama"))
        env = environment(ONDOL_CACHE=self.folder)
        for name in ("small", "one", self.folder / "models/one", self.folder / "models/small.gguf"):
            self.assertIn("Ondol runs it: llama", self.succeeds("info", name, env=env).out)
        self.fails(1, "holds 2 models .*; name the file", "info", "two", env=env)
        self.fails(1, "holds neither a .gguf file nor a genai_config.json or model.onnx", "info", self.folder, env=env)
        self.fails(1, "holds one, small, two", "info", "tow", env=env)

    def test_split_file(self):
        result = self.succeeds("info", TINY / "llama-split-00001-of-00003.gguf", "--json").json()
        whole = self.succeeds("info", tiny("llama"), "--json").json()
        self.assertEqual((result["runs"], result["parameters"]), (True, whole["parameters"]))
        alone = self.folder / "m-00001-of-00003.gguf"
        alone.symlink_to(TINY / "llama-split-00001-of-00003.gguf")
        self.fails(1, "m-00002-of-00003.gguf", "info", alone)


class NoModels(Case):
    def refused(self, name, content, pattern):
        path = self.write(name, content)
        for command in (["info", path], ["run", path, "p"]):
            self.fails(1, pattern, *command)

    def test_other_things_are_named(self):
        self.refused("empty.gguf", b"", "empty")
        self.refused("lfs.gguf", LFS, "Git LFS|Git-LFS")
        self.refused("page.gguf", "<!DOCTYPE html>\n<html><body>Not found</body></html>", "HTML")
        self.refused("packed.gguf", gzip.compress(Path(tiny("llama")).read_bytes()), "gzip")
        self.refused("text.gguf", "Dear reader,\n" * 99, "magic|GGUF")
        self.refused("x.safetensors", (2).to_bytes(8, "little") + b"{}", "safetensors")
        self.refused("noise.gguf", random.Random(1).randbytes(4096), "magic|GGUF")

    def test_cut_short(self):
        whole = Path(tiny("llama")).read_bytes()
        for size in (*range(1, 25), 100, 1000, len(whole) // 3, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
            with self.subTest(size):
                result = ondol("run", self.write("cut.gguf", whole[:size]), "p")
                self.assertEqual((result.code, result.out), (1, ""), result)
                self.one_sentence(result.err)

    def test_unknown_architecture(self):
        whole = Path(tiny("llama")).read_bytes()
        path = self.write("x.gguf", whole.replace(b"\5\0\0\0\0\0\0\0llama", b"\5\0\0\0\0\0\0\0mamba", 1))
        self.fails(1, "mamba.*llama.*qwen3", "run", path, "p")
        result = self.succeeds("info", path)
        self.assertRegex(result.out, r"\nOndol does not run it: .*mamba")
        answer = self.succeeds("info", path, "--json").json()
        self.assertFalse(answer["runs"])
        self.assertIn("mamba", answer["reason"])
        self.assertEqual(answer["tensor_count"], 21)

    def test_not_readable(self):
        self.fails(1, "cannot|Is a directory|neither a .gguf", "info", "/")
        self.fails(1, "regular|device|/dev/null|empty", "info", "/dev/null")
        path = self.write("x.gguf", Path(tiny("llama")).read_bytes())
        if os.geteuid():
            path.chmod(0)
            self.fails(1, "Permission denied", "info", path)


class Output(Case):
    def left(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_logits_that_cannot_be_written(self):
        run = ("run", tiny("llama"), "--ids", "1,2,3", "-n", "2", "--temp", "0")
        self.fails(1, "cannot write '/no/such/folder/x.npy': No such file or directory", *run, "--logits",
                   "/no/such/folder/x.npy")
        self.fails(1, "cannot write '.*': Is a directory", *run, "--logits", self.folder)
        self.assertEqual(self.left(), [])
        result = ondol(*run, "--logits", "/dev/full")
        self.assertEqual(result.code, 1, result)
        self.assertIn("cannot write '/dev/full': No space left on device", result.err)
        self.one_sentence(result.err)

    def test_what_fails_leaves_no_file(self):
        logits = self.folder / "x.npy"
        self.fails(1, "No such file", "run", "no.gguf", "p", "--logits", logits)
        self.fails(1, "context holds", "run", tiny("llama"), "--ids", ",".join(["5"] * 300), "--logits", logits)
        self.assertEqual(self.left(), [])
        logits.write_text("precious")
        self.fails(1, "No such file", "run", "no.gguf", "p", "--logits", logits)
        self.assertEqual((self.left(), logits.read_text()), (["x.npy"], "precious"))

    def test_standard_output_is_full(self):
        text = self.write("t.txt", "the cat and the dog " * 60)
        for command in (["run", tiny("llama"), "p", "-n", "40", "--ignore-eos"], ["run", tiny("llama"), "p", "-n", "4", "--json"],
                        ["info", tiny("llama")], ["info", tiny("llama"), "--json"], ["info", tiny("llama"), "--plan"],
                        ["tokenize", tiny("llama"), "abc"], ["tokenize", tiny("llama"), "--ids", "70,71"],
                        ["eval", tiny("llama"), "--text", text, "--ctx", "64", "--chunks", "1"], ["devices"]):
            with self.subTest(command), open("/dev/full", "wb") as full:
                result = ondol(*command, stdout=full)
                self.assertEqual(result.code, 1, result)
                self.assertEqual(result.err, "ondol: cannot write to standard output: No space left on device\n")

    def test_standard_output_is_closed_early(self):
        reader, writer = os.pipe()
        os.close(reader)
        result = ondol("run", tiny("llama"), "p", "-n", "60", "--ignore-eos", stdout=writer)
        os.close(writer)
        self.assertIn(result.code, (1, -13), result)  # the sentence, or SIGPIPE where it is not ignored

    def test_grammar_files(self):
        run = ("run", tiny("llama"), "p", "-n", "2")
        self.fails(1, "cannot open '/no/g.gbnf': No such file", *run, "--grammar", "/no/g.gbnf")
        self.fails(1, "line|1:", *run, "--grammar", self.write("g.gbnf", 'root ::= "a" (\n'))
        self.fails(1, "root", *run, "--grammar", self.write("g.gbnf", 'start ::= "a"\n'))
        self.fails(1, "JSON|line|1:", *run, "--json-schema", self.write("s.json", '{"type": '))
        self.fails(2, "--grammar and --json-schema exclude each other", *run, "--grammar", self.write("g.gbnf", 'root ::= "a"'),
                   "--json-schema", self.write("s.json", "{}"))


if __name__ == "__main__":
    main()
