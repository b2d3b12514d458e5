#!/usr/bin/env python3
"""The program with the default model, SmolLM2-135M-Instruct: answers that make sense."""
import json
import unittest

from cli import Case, default_model, environment, main, ondol

MODEL = default_model()
TEXT = """The sun rose slowly over the quiet village. Birds sang in the trees, and the smell of fresh bread came from the
bakery at the corner. Anna walked down the street to the market, as she did every morning, to buy fruit and vegetables for
her family. The old man who sold apples greeted her with a smile. "Good morning, Anna," he said. "These came in today." She
took one, held it to the light, and put it into her basket. Then she went on to the fountain in the middle of the square,
where her friends were waiting. They talked about the weather, about the school, and about the feast that would be held at
the end of the week. Everybody was looking forward to it: there would be music, dancing, and more food than anyone could eat.
"""


@unittest.skipUnless(MODEL, "the default model is not there")
class SmolLM2(Case):
    def test_capital_of_france(self):
        result = self.succeeds("run", MODEL, "What is the capital of France? Answer in one sentence.", "--temp", "0", "-n", "40")
        self.assertIn("Paris", result.out)

    def test_by_its_name_in_the_cache(self):
        (self.folder / "models").mkdir()
        (self.folder / "models/smollm2.gguf").symlink_to(MODEL)
        answer = self.succeeds("tokenize", "smollm2", "<|im_start|>user\nHello, world", "--json",
                               env=environment(ONDOL_CACHE=self.folder)).json()
        self.assertEqual(answer["ids"], [1, 4093, 198, 19556, 28, 905])
        self.assertEqual(answer["pieces"], ["<|im_start|>", "user", "\n", "Hello", ",", " world"])

    def test_perplexity(self):
        text = self.write("t.txt", TEXT)
        answer = self.succeeds("eval", MODEL, "--text", text, "--ctx", "128", "--json").json()
        self.assertTrue(5 < answer["perplexity"] < 25, answer)

    def test_remembers(self):
        result = self.succeeds("chat", MODEL, "--temp", "0", "-n", "40", input="My name is Ada.\nWhat is my name?\n",
                               env=environment(ONDOL_CACHE=self.folder))
        self.assertIn("Ada", result.out)

    def test_json_schema(self):
        schema = self.write("s.json", json.dumps({
            "type": "object", "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
            "required": ["city", "country"], "additionalProperties": False}))
        answer = self.succeeds("run", MODEL, "Name a city and its country as JSON.", "--json-schema", schema, "--temp", "0",
                               "-n", "100", "--json").json()
        self.assertEqual(answer["finish_reason"], "stop", answer)
        self.assertEqual(list(json.loads(answer["text"])), ["city", "country"])

    def test_threads_do_not_change_the_answer(self):
        run = ("run", MODEL, "Write a short poem.", "--seed", "5", "-n", "24", "--json")
        answers = [self.succeeds(*run, "-t", t).json()["ids"] for t in (1, 2, 3)]
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0], answers[2])

    def test_packed_weights_are_kept(self):
        run = ("run", MODEL, "Write a short poem.", "--seed", "5", "-n", "24", "--json")
        env = environment(ONDOL_CACHE=self.folder)
        answers = [self.succeeds(*run, env=env).json()["ids"]]
        packed, = (self.folder / "packed").iterdir()
        written = packed.stat().st_mtime_ns
        answers.append(self.succeeds(*run, env=env).json()["ids"])
        self.assertEqual(packed.stat().st_mtime_ns, written)
        with packed.open("r+b") as file:  # other weights behind a header that fits
            file.seek(4096)
            file.write(bytes(packed.stat().st_size - 8192))
        answers.append(self.succeeds(*run, env=env).json()["ids"])
        self.assertNotEqual(packed.stat().st_mtime_ns, written)
        answers.append(self.succeeds(*run, env=env).json()["ids"])
        packed.unlink()
        answers.append(self.succeeds(*run, "--no-pack", env=env).json()["ids"])
        self.assertFalse(packed.exists())
        self.assertEqual(answers, answers[:1] * 5)

    def test_prompt_longer_than_the_context(self):
        self.fails(1, r"the prompt has \d+ tokens, but the context holds 8192", "run", MODEL, "--raw", input="word " * 9000)


if __name__ == "__main__":
    main()
