#!/usr/bin/env python3
"""Ctrl-C: exit status 130, the text so far, no half files. Needs the default model, which takes long enough."""
import re
import signal
import subprocess
import time
import unittest

from cli import PROGRAM, Case, Terminal, default_model, environment, main

MODEL = default_model()
LONG = ("--ignore-eos", "-n", "7000", "--temp", "0", "Tell me a long story.")


@unittest.skipUnless(MODEL, "the default model is not there")
class Interrupt(Case):
    def start(self, *arguments):
        process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=environment())
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process

    def test_keeps_the_text_so_far(self):
        process = self.start("run", MODEL, *LONG)
        first = process.stdout.read(20)
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        text = (first + rest).decode()
        self.assertTrue(text.endswith("\n") and len(text) > 20, text)
        self.assertLess(len(text), 6000)
        self.assertIn(err, (b"", b"ondol: interrupted\n"))

    def test_json_has_the_text_so_far(self):
        process = self.start("run", MODEL, "--json", *LONG)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertRegex(out.decode(), r'"finish_reason": "cancelled"')

    def test_leaves_no_half_file(self):
        process = self.start("run", MODEL, "--logits", self.folder / "x.npy", *LONG)
        process.stdout.read(10)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual((process.returncode, list(self.folder.iterdir())), (130, []))

    def test_other_commands(self):
        text = self.write("t.txt", "All happy families are alike. " * 30000)
        for command in (["eval", MODEL, "--text", text], ["bench", MODEL, "-r", "100", "-n", "500"]):
            process = self.start(*command)
            time.sleep(2)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            self.assertEqual((process.returncode, err), (130, b"ondol: interrupted\n"), command)

    def test_chat_goes_on(self):
        terminal = Terminal("chat", MODEL, "--temp", "0", env=environment(TERM="xterm", ONDOL_CACHE=self.folder, NO_COLOR="1"))
        terminal.read(until=r">>> ")
        terminal.send("Tell me a long story about a dragon and a knight, with many details.\r")
        terminal.read(until=r"Once[\s\S]{40}")
        terminal.send("\x03")
        terminal.read(until=r"Once[\s\S]*>>> ")
        terminal.send("/stats\r")
        terminal.read(until=r"read at [\s\S]*>>> ")
        written = int(re.search(r"(\d+) written at", terminal.seen).group(1))
        self.assertTrue(5 < written < 150, terminal.seen)
        terminal.send("/quit\r")
        self.assertEqual(terminal.end(), 0)


if __name__ == "__main__":
    main()
