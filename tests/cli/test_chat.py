#!/usr/bin/env python3
"""ondol chat, on a tiny model: turns from a pipe, /commands, a terminal."""
import json
import re
import unittest

from cli import Case, Terminal, environment, main, ondol, tiny

LLAMA = tiny("llama")
SHORT = ("-n", "6", "--temp", "0")


class Pipe(Case):
    def chat(self, text, *arguments, quiet=True):
        return self.succeeds("chat", LLAMA, *SHORT, *arguments, input=text, quiet=quiet,
                             env=environment(ONDOL_CACHE=self.folder))

    def test_first_turn_is_what_run_says(self):
        for system in ((), ("--system", "be kind")):
            run = self.succeeds("run", LLAMA, "the cat", *SHORT, *system).out
            self.assertEqual(self.chat("the cat\n", *system).out.rstrip("\n"), run.rstrip("\n"))

    def test_kept_keys_and_values_change_nothing(self):
        conversation = self.folder / "c.json"
        self.chat(f"the cat\nthe dog\nthe fish\n/save {conversation}\n")
        saved = json.loads(conversation.read_text())
        self.assertEqual([m["role"] for m in saved], ["user", "assistant"] * 3)
        self.chat(f"/load {conversation}\n/regen\n/save {conversation}\n")
        self.assertEqual(json.loads(conversation.read_text()), saved)

    def test_last_line_without_its_end(self):
        self.assertEqual(self.chat("the cat").out, self.chat("the cat\n").out)

    def test_lines_are_joined(self):
        conversation = self.folder / "c.json"
        self.chat(f"one\\\ntwo\n/save {conversation}\n")
        self.assertEqual(json.loads(conversation.read_text())[0], {"role": "user", "content": "one\ntwo"})

    def test_commands(self):
        conversation = self.folder / "c.json"
        result = self.chat(f"/help\nx\n/undo\n/system be kind\ny\n/stats\n/set temp 0.5\n/save {conversation}\n/clear\n/quit\nz\n")
        for line in ("(0 messages left)", "(system prompt set)", "(temp is 0.5)", "(3 messages saved)", "(forgotten)"):
            self.assertIn(line + "\n", result.out)
        self.assertRegex(result.out, r"context: \d+ of \d+ tokens\n")
        self.assertEqual([m["role"] for m in json.loads(conversation.read_text())], ["system", "user", "assistant"])

    def test_wrong_commands(self):
        result = self.chat("/hlep\n/xyzzy\n/save\n/load /no/c.json\n/set tmep 1\n/set temp\n/set temp hot\n/regen\n", quiet=False)
        patterns = ["no command '/hlep' .did you mean '/help'", "no command '/xyzzy'; see /help", "/save needs a file",
                    "cannot open '/no/c.json'", "/set knows no 'tmep'", "/set temp needs a value", "expected a number",
                    "no answer to make again"]
        lines = result.err.splitlines()
        self.assertEqual(len(lines), len(patterns), result)
        for line, pattern in zip(lines, patterns):
            self.assertRegex(line, rf"\Aondol: .*{pattern}")
        junk = self.write("c.json", '[{"role": 5}]')
        self.assertRegex(self.chat(f"/load {junk}\n", quiet=False).err, r"is no list of")

    def test_oldest_turns_are_dropped(self):
        result = self.chat("the cat sat on the mat\n" * 12, "--ctx", "200", quiet=False)
        self.assertEqual(result.out.count("\n"), 12)
        self.assertRegex(result.err, r"the oldest \d+ turns? (was|were) dropped")

    def test_message_longer_than_the_context(self):
        result = ondol("chat", LLAMA, *SHORT, "--ctx", "64", input="xyz " * 200 + "\nthe cat\n")
        self.assertEqual((result.code, result.out), (1, ""), result)
        self.assertRegex(result.err, r"\Aondol: the message makes \d+ tokens, but the context holds 64\n\Z")

    def test_nothing_said(self):
        self.assertEqual(self.chat("").out, "")
        self.assertEqual(self.chat("\n  \n\n").out, "")


class OnTerminal(Case):
    def test_a_conversation(self):
        terminal = Terminal("chat", LLAMA, *SHORT, env=environment(TERM="xterm", ONDOL_CACHE=self.folder, NO_COLOR="1"))
        terminal.read(until=r"/help for help\r?\n.*>>> ")
        terminal.send("the cat\r")
        terminal.read(until=r">>> the cat\r*\n[\s\S]*>>> ")
        terminal.send("/quit\r")
        self.assertEqual(terminal.end(), 0)
        self.assertNotRegex(terminal.seen, r"\x1b\[1;32m")
        self.assertIn("the cat", (self.folder / "chat_history").read_text().replace("\\040", " "))
        self.assertEqual((self.folder / "chat_history").stat().st_mode & 0o077, 0)

    def test_ctrl_c_and_ctrl_d(self):
        terminal = Terminal("chat", LLAMA, *SHORT, env=environment(TERM="xterm", ONDOL_CACHE=self.folder))
        terminal.read(until=r">>> ")
        terminal.send("\x03")
        terminal.read(until=r"\(Ctrl-D or /quit ends\)[\s\S]*>>> ")
        terminal.send("\x04")
        self.assertEqual(terminal.end(), 0)


if __name__ == "__main__":
    main()
