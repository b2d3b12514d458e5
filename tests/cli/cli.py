"""What the tests of the program share: running it, and what its output must look like.

$ONDOL is the program, $ONDOL_TINY_MODELS the folder of tiny models; $ONDOL_TEST_MODEL (or the cache folder) the default
model. A test program exits with 77 when all of its tests were skipped."""
import fcntl
import json
import os
from pathlib import Path
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

PROGRAM = os.environ.get("ONDOL", "build/release/ondol")
TINY = Path(os.environ.get("ONDOL_TINY_MODELS", "build/release/tests/tiny"))
SOURCE = Path(__file__).resolve().parents[2]
COMMANDS = ("run", "chat", "info", "tokenize", "eval", "bench", "devices")
SKIPPED = 77


def default_model():
    shared = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    cache = os.environ.get("ONDOL_CACHE") or shared + "/ondol"
    path = Path(os.environ.get("ONDOL_TEST_MODEL") or cache + "/models/smollm2.gguf")
    return path if path.is_file() else None


def tiny(name):
    return str(TINY / f"{name}.gguf")


def environment(**more):
    """That of the tests, without what a user's settings would change. None takes a name away."""
    out = {k: v for k, v in os.environ.items() if not k.startswith("ONDOL_") or k == "ONDOL_ISA"}
    out.update({k: str(v) for k, v in more.items() if v is not None})
    for name in (k for k, v in more.items() if v is None):
        out.pop(name, None)
    return out


class Result:
    def __init__(self, code, out, err):
        self.code, self.bytes, self.out, self.err = code, out, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")

    def __repr__(self):
        return f"exit status {self.code}\nstdout: {self.out[-2000:]!r}\nstderr: {self.err[-2000:]!r}"

    def json(self):
        return json.loads(self.out)


def ondol(*arguments, input="", timeout=120, env=None, stdout=subprocess.PIPE, cwd=None):
    """Runs the program; input is text or bytes, given through a pipe."""
    data = input.encode() if isinstance(input, str) else input
    done = subprocess.run([PROGRAM, *map(str, arguments)], input=data, stdout=stdout, stderr=subprocess.PIPE, timeout=timeout,
                          env=env or environment(), cwd=cwd)
    return Result(done.returncode, done.stdout or b"", done.stderr)


class Terminal:
    """The program on a terminal of its own: standard input, output and error."""

    def __init__(self, *arguments, env=None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave,
                                        env=env or environment(TERM="xterm", NO_COLOR=None), start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.seen = ""

    def send(self, text):
        os.write(self.master, text.encode())

    def read(self, until=None, timeout=60):
        """What came, until it holds the pattern or the program ended."""
        end = time.monotonic() + timeout
        while not (until and re.search(until, self.seen)):
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"expected {until!r} within {timeout} s, got {self.seen!r}")
            try:
                chunk = os.read(self.master, 65536)
            except OSError:  # Linux says so when the other side has closed
                chunk = b""
            if not chunk:
                break
            self.seen += chunk.decode("utf-8", "replace")
        return self.seen

    def end(self, timeout=60):
        self.read(timeout=timeout)
        code = self.process.wait(timeout)
        os.close(self.master)
        return code


class Case(unittest.TestCase):
    """Keeps a folder for each test."""
    maxDiff = None

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ondol-cli."))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def succeeds(self, *arguments, quiet=True, **options):
        result = ondol(*arguments, **options)
        self.assertEqual(result.code, 0, result)
        if quiet:
            self.assertEqual(result.err, "", result)
        return result

    def fails(self, code, pattern, *arguments, **options):
        """Ends with the code, one sentence on standard error, and nothing on standard output."""
        result = ondol(*arguments, **options)
        self.assertEqual(result.code, code, result)
        self.one_sentence(result.err)
        self.assertRegex(result.err, pattern)
        self.assertEqual(result.out, "", result)
        if code == 2:
            self.assertRegex(result.err, r"; see 'ondol( \w+)? --help'\n$")
        return result

    def one_sentence(self, text):
        self.assertRegex(text, r"\Aondol( \w+)?: [^\n]+\n\Z")
        self.assertLess(len(text), 700, text)
        self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f]")

    def keys(self, value, *names):
        self.assertEqual(list(value), list(names))


def main():
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun == len(result.skipped) else 0)
