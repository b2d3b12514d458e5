#!/usr/bin/env python3
"""The command line itself: help, usage errors, completions, the manual page. Needs no model."""
import re
import shutil
import subprocess
import unittest

from cli import COMMANDS, SOURCE, Case, Terminal, environment, main, ondol


def options_in_help(command):
    """[(letter or "", name, value or "")] of --help."""
    text = ondol(command, "--help").out
    return re.findall(r"^  (?:-(\w), |    )--([\w-]+)(?: (\S+))?", text, re.M)


class Help(Case):
    def test_of_every_command(self):
        for command in COMMANDS:
            with self.subTest(command):
                result = self.succeeds(command, "--help")
                self.assertTrue(result.out.startswith(f"Usage: ondol {command} "), result)
                self.assertIn("\nExamples:\n", result.out)
                self.assertIn(f"  ondol {command} ", result.out)
                self.assertLessEqual(max(map(len, result.out.splitlines())), 100)
                self.assertEqual(result.out, self.succeeds("help", command).out)
                self.assertEqual(result.out, self.succeeds(command, "-h").out)

    def test_overview(self):
        result = self.succeeds("--help")
        for command in COMMANDS:
            self.assertRegex(result.out, rf"(?m)^  {command} ")
        self.assertEqual(result.out, self.succeeds("help").out)
        nothing = ondol()
        self.assertEqual((nothing.code, nothing.out, nothing.err), (2, "", result.out))

    def test_version(self):
        self.assertRegex(self.succeeds("--version").out, r"\Aondol \d+\.\d+\.\d+\n\Z")

    def test_colour_on_a_terminal_alone(self):
        self.assertNotIn("\x1b", self.succeeds("run", "--help").out)
        for env, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)):
            terminal = Terminal("run", "--help", env=environment(**{"TERM": "xterm", "NO_COLOR": None, **env}))
            self.assertEqual(terminal.end(), 0)
            self.assertEqual("\x1b" in terminal.seen, coloured, env)

    def test_help_on_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            result = ondol("run", "--help", stdout=full)
        self.assertEqual(result.code, 1)
        self.assertEqual(result.err, "ondol: cannot write to standard output: No space left on device\n")


class UsageErrors(Case):
    def test_commands(self):
        self.fails(2, "unknown command 'rnu' .did you mean 'run'", "rnu")
        self.fails(2, "unknown command 'xyzzy'", "xyzzy", "model")
        self.fails(2, "unknown command 'xyzzy'", "help", "xyzzy")
        self.fails(2, "expected a command before '-n'", "-n", "3", "run")

    def test_options(self):
        self.fails(2, "unknown option '--tmep' .did you mean '--temp'", "run", "m", "p", "--tmep", "1")
        self.fails(2, "unknown option '-Z'", "run", "m", "p", "-Z")
        self.fails(2, "'--temp' needs a value .T.", "run", "m", "p", "--temp")
        self.fails(2, "'--raw' takes no value", "run", "m", "p", "--raw=1")

    def test_values(self):
        rows = [("-n", "-2"), ("-n", "five"), ("-n", "1e3"), ("-n", ""), ("-n", "99999999999999999999"), ("-t", "0"),
                ("-t", "-1"), ("-t", "1025"), ("--temp", "-1"), ("--temp", "nan"), ("--temp", "inf"), ("--temp", "warm"),
                ("--top-k", "-1"), ("--top-p", "1.5"), ("--min-p", "-0.1"), ("--mirostat", "3"), ("--ctx", "0"),
                ("--kv", "f8"), ("--device", "gpu"), ("--seed", "-5"), ("--xtc-probability", "2")]
        for option, value in rows:
            with self.subTest(option=option, value=value):
                self.fails(2, rf"option '{option}': expected .*, got '{re.escape(value)}'", "run", "m", "p", option, value)

    def test_arguments(self):
        self.fails(2, "expected MODEL", "run")
        self.fails(2, "expected FILE", "info")
        self.fails(2, "expected --text FILE", "eval", "m")
        self.fails(2, "unexpected argument 'b' .quote", "run", "m", "a", "b")
        self.fails(2, "unexpected argument 'x'", "devices", "x")
        self.fails(2, "--ids stands in place of the PROMPT", "run", "m", "p", "--ids", "1,2")
        self.fails(2, "give one of TEXT, --file and --ids", "tokenize", "m", "t", "--ids", "1")
        self.fails(2, "give one of --graph, --lowered, --plan and --check", "info", "m", "--graph", "--plan")

    def test_no_prompt_on_a_terminal(self):
        terminal = Terminal("run", "m")
        self.assertEqual(terminal.end(), 2)
        self.assertIn("expected a PROMPT, or text from a pipe", terminal.seen)

    def test_double_dash_ends_options(self):
        self.fails(1, "no model 'm'", "run", "m", "--", "--temp")


class Completions(Case):
    def test_all_options_in_all_shells(self):
        scripts = {shell: self.succeeds("completions", shell).out for shell in ("bash", "zsh", "fish")}
        for command in COMMANDS:
            for letter, name, _ in options_in_help(command):
                self.assertIn(f"--{name} ", scripts["bash"])
                self.assertIn(f"--{name}[", scripts["zsh"])
                self.assertRegex(scripts["fish"], rf"(?m)__fish_seen_subcommand_from {command}' -l {name}( |$)")
        self.fails(2, "completions expects bash, zsh or fish", "completions", "tcsh")

    def test_shells_take_them(self):
        for shell in ("bash", "zsh", "fish"):
            path = self.write(f"ondol.{shell}", self.succeeds("completions", shell).out)
            if shutil.which(shell):
                done = subprocess.run([shell, "-n", path], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), shell)

    def test_bash_completes(self):
        path = self.write("ondol.bash", self.succeeds("completions", "bash").out)

        def complete(*words):
            script = f'. {path}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ondol; printf "%s\\n" "${{COMPREPLY[@]}}"'
            return subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True).stdout.split()
        self.assertEqual(complete("ondol", "tok"), ["tokenize"])
        self.assertEqual(complete("ondol", "run", "--json-"), ["--json-schema"])
        self.assertEqual(complete("ondol", "run", "m", "--kv", "q"), ["q8"])

    def test_names_of_models(self):
        for name in ("b.gguf", "a.gguf", "c-00001-of-00002.gguf", "c-00002-of-00002.gguf", "notes.txt"):
            (self.folder / "models").mkdir(exist_ok=True)
            self.write(f"models/{name}", "")
        result = self.succeeds("completions", "models", env=environment(ONDOL_CACHE=self.folder))
        self.assertEqual(result.out.split(), ["a", "b", "c-00001-of-00002"])


class Manual(Case):
    """ondol(1), as it is installed."""

    def page(self):
        return self.succeeds("completions", "man").out + (SOURCE / "docs/man/ondol.1.in").read_text()

    def test_has_every_option(self):
        page = self.page().replace("\\-", "-")
        for command in COMMANDS:
            self.assertIn(f'.SS "ondol {command}', page)
            section = page.split(f'.SS "ondol {command}')[1].split(".SS")[0]
            for letter, name, value in options_in_help(command):
                self.assertIn(f"--{name}", section)
                if letter:
                    self.assertIn(f"-{letter}", section)

    def test_formats_without_a_warning(self):
        page = (SOURCE / "docs/man/ondol.1.in").read_text().replace("@COMMANDS@", self.succeeds("completions", "man").out)
        path = self.write("ondol.1", page)
        if not shutil.which("groff"):
            self.skipTest("groff is not there")
        done = subprocess.run(["groff", "-man", "-Tutf8", "-wall", "-z", path], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    main()
