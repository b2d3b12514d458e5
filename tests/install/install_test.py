#!/usr/bin/env python3
"""Tests of what `cmake --install` puts down, as somebody sees it who has nothing but that.

  install_test.py CASE --build BUILD --prefix PREFIX

PREFIX is made anew by the case `install`; the others use it. Exit status 0, 1 with what differs, or 77: skipped."""
import argparse
import os
from pathlib import Path
import re
import shutil
import struct
import subprocess
import sys

SOURCE = Path(__file__).resolve().parents[2]
EXAMPLES = ("simple", "chat", "batch", "embed", "classify")
WARNINGS = ["-pedantic", "-Wall", "-Wextra", "-Werror"]
SKIPPED = 77


class Failure(Exception):
    pass


def run(*command, **options):
    """Standard output of a command that must succeed."""
    environment = {**os.environ, **options.pop("environment", {})}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", env=environment,
                          timeout=300, **options)
    if done.returncode:
        raise Failure(f"{' '.join(map(str, command))}\n  ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def expect(condition, text):
    if not condition:
        raise Failure(text)


class Place:
    def __init__(self, build, prefix):
        self.build, self.prefix = build, prefix
        self.work = prefix.parent / "work"

    def library_folder(self):
        found = list(self.prefix.glob("**/libondol.a"))
        expect(len(found) == 1, f"expected one libondol.a below {self.prefix}, got {found}")
        return found[0].parent

    def environment(self):
        folder = self.library_folder()
        return {"PKG_CONFIG_PATH": f"{folder}/pkgconfig", "LD_LIBRARY_PATH": str(folder)}


def install(place):
    for folder in (place.prefix, place.work):
        shutil.rmtree(folder, ignore_errors=True)
    run("cmake", "--install", place.build, "--prefix", place.prefix)
    wanted = ["bin/ondol", "include/ondol/ondol.h", "include/ondol/ondol_status.h", "include/ondol/ondol_experimental.h",
              "share/man/man1/ondol.1", "share/bash-completion/completions/ondol", "share/zsh/site-functions/_ondol",
              "share/fish/vendor_completions.d/ondol.fish", "share/doc/ondol/LICENSE", "share/doc/ondol/NOTICE"]
    library = place.library_folder().relative_to(place.prefix)
    wanted += [f"{library}/{name}" for name in ("libondol.a", "libondol.so", "pkgconfig/ondol.pc",
                                               "cmake/Ondol/OndolConfig.cmake", "cmake/Ondol/OndolConfigVersion.cmake")]
    missing = [name for name in wanted if not (place.prefix / name).is_file()]
    expect(not missing, f"not installed: {missing}")
    places = [path for path in place.prefix.glob("**/*") if path.is_file() and str(place.build).encode() in path.read_bytes()
              and (path.suffix in (".pc", ".cmake", ".h") or "man" in path.parts)]
    expect(not places, f"these name the build folder: {places}")


def headers(place):
    """Each header compiles alone, as C99, C17 and C++11."""
    include = place.prefix / "include"
    plus = shutil.which("clang++") or shutil.which("g++")
    for header in sorted(include.glob("ondol/*.h")):
        text = f"#include <ondol/{header.name}>\n"
        for compiler in filter(shutil.which, ("gcc", "clang")):
            for standard in ("c99", "c17"):
                run(compiler, f"-std={standard}", *WARNINGS, "-Wconversion", f"-I{include}", "-fsyntax-only", "-x", "c", "-",
                    input=text + "int ondol_header_test;\n")
        expect(plus, "expected a C++ compiler")
        run(plus, "-std=c++11", *WARNINGS, f"-I{include}", "-fsyntax-only", "-x", "c++", "-", input=text)
        run(plus, "-std=c++11", *WARNINGS, f"-I{include}", "-fsyntax-only", "-x", "c++", "-", input=text +
            "ondol_item item = ONDOL_ITEM_INIT; ondol_sampler_options options = ONDOL_SAMPLER_OPTIONS_INIT;\n"
            if header.name != "ondol_status.h" else text)


def symbols(place):
    """What the headers declare, what the library exports, and the committed list are the same."""
    listed = (SOURCE / "tests/install/symbols.txt").read_text().split()
    declared = set()
    for header in (place.prefix / "include/ondol").glob("*.h"):
        declared |= set(re.findall(r"^ONDOL_API\s[^;(]*?\b(ondol_\w+)\(", header.read_text(), re.M))
    lines = run("nm", "-D", "--defined-only", place.library_folder() / "libondol.so").splitlines()
    exported = {line.split()[-1].split("@")[0] for line in lines}
    expect(listed == sorted(declared), "symbols.txt is not the sorted list of what the headers declare:\n"
           f"  only in symbols.txt: {sorted(set(listed) - declared)}\n  only in headers: {sorted(declared - set(listed))}")
    expect(exported == declared, f"libondol.so exports other names than the headers declare:\n"
           f"  only exported: {sorted(exported - declared)}\n  only declared: {sorted(declared - exported)}")


def quiet(place):
    """The library neither prints nor exits: it does not even import the functions for it."""
    lines = run("nm", "-D", "--undefined-only", place.library_folder() / "libondol.so").splitlines()
    imported = {line.split()[-1].split("@")[0] for line in lines}
    banned = {"printf", "puts", "putchar", "stdout", "stderr", "exit", "_exit", "_Exit", "abort", "quick_exit", "system",
              "longjmp", "setlocale", "signal", "sigaction", "srand", "rand", "strtok", "gmtime", "localtime"}
    expect(not imported & banned, f"libondol.so imports {sorted(imported & banned)}")


def linked_dynamically(program):
    return "libondol" in run("ldd", program)


def with_cmake(place, static):
    name = "cmake_static" if static else "cmake_shared"
    folder = place.work / name
    run("cmake", "-G", "Ninja", "-S", SOURCE / "examples", "-B", folder, f"-DCMAKE_PREFIX_PATH={place.prefix}",
        f"-DSTATIC={'ON' if static else 'OFF'}", "-DCMAKE_C_FLAGS=" + " ".join(WARNINGS))
    run("cmake", "--build", folder)
    for example in EXAMPLES:
        expect(linked_dynamically(folder / example) != static, f"{folder / example}: linked the other way")
    check_examples(place, folder)


def with_pkg_config(place, static):
    folder = place.work / ("pkgconfig_static" if static else "pkgconfig_shared")
    folder.mkdir(parents=True, exist_ok=True)
    environment = place.environment()
    flags = run("pkg-config", "--cflags", "--libs", *(["--static"] if static else []), "ondol",
                environment=environment).split()
    # Libtiff needs Lerc, which is C++; Debian's Lerc.pc does not say so.
    flags += ["-lstdc++", "-lm"] if static else ["-lm"]
    for example in EXAMPLES:
        run("cc", "-std=c99", *WARNINGS, *(["-static"] if static else []), SOURCE / f"examples/{example}.c", *flags,
            "-o", folder / example)
    version = run("pkg-config", "--modversion", "ondol", environment=environment).strip()
    expect(version in run(place.prefix / "bin/ondol", "--version"), f"pkg-config says version {version}")
    check_examples(place, folder)


def model():
    """The default model where it is there, or a tiny one that babbles."""
    named = os.environ.get("ONDOL_TEST_MODEL")
    if named and Path(named).is_file():
        return named, True
    folder = os.environ.get("ONDOL_TINY_MODELS")
    return (f"{folder}/llama-q8_0.gguf", False) if folder else (None, False)


def protobuf(*fields):
    """(number, value) each: an integer below 128, text, or bytes of a message below 128 bytes."""
    out = b""
    for number, value in fields:
        value = value.encode() if isinstance(value, str) else value
        out += bytes([number << 3, value]) if isinstance(value, int) else bytes([number << 3 | 2, len(value)]) + value
    return out


def network(op, dims):
    """An ONNX model of one node: y = op(x), x: float[dims]."""
    shape = protobuf(*((1, protobuf((1, d))) for d in dims))
    x = protobuf((1, "x"), (2, protobuf((1, protobuf((1, 1), (2, shape))))))
    node = protobuf((1, "x"), (2, "y"), (4, op))
    graph = protobuf((1, node), (2, "g"), (11, x), (12, protobuf((1, "y"))))
    return protobuf((1, 8), (7, graph), (8, protobuf((2, 17))))


def check_classify(place, folder):
    environment = place.environment()
    flat, pooled = place.work / "flat.onnx", place.work / "pooled.onnx"
    flat.write_bytes(network("Identity", [1, 4]))
    pooled.write_bytes(network("GlobalAveragePool", [1, 3, 2, 2]))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4), }\n"
    array = place.work / "x.npy"
    array.write_bytes(b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + struct.pack("<4f", 0, 2, 1, 2))
    labels = place.work / "labels.txt"
    labels.write_text("zero\none\ntwo\n")
    said = run(folder / "classify", flat, array, labels, environment=environment)
    expect([line.split(None, 1) for line in said.splitlines()] == [["0.3995", "one"], ["0.3995", "class 3"], ["0.1470", "two"],
                                                                  ["0.0541", "zero"]], f"classify gave\n{said}")
    picture = place.work / "red.ppm"
    picture.write_bytes(b"P6 4 4 255\n" + b"\xff\0\0" * 16)
    said = run(folder / "classify", pooled, picture, labels, environment=environment)
    expect(said.splitlines()[0].endswith("zero") and len(said.splitlines()) == 3, f"classify gave\n{said}")


def check_examples(place, folder):
    check_classify(place, folder)
    path, knows = model()
    if not path:
        print("not run: neither ONDOL_TEST_MODEL nor ONDOL_TINY_MODELS is set")
        sys.exit(SKIPPED)
    environment = place.environment()
    simple = run(folder / "simple", path, "What is the capital of France? Answer in one sentence.", environment=environment)
    said = "My name is Ada.\n" + ("What is my name?\n" if knows else "")
    chat = run(folder / "chat", path, input=said, environment=environment)
    prompts = ["The capital of France is", "One, two, three,", "Once upon a time"]
    batch = run(folder / "batch", path, *prompts, environment=environment)
    alone = [run(folder / "batch", path, prompt, environment=environment) for prompt in prompts]
    expect(batch == "".join(alone), f"a batch of prompts gave\n{batch}, each alone\n{''.join(alone)}")
    embed = run(folder / "embed", path, "A cat sat on the mat.", "A cat sat on the mat.", "Stocks fell sharply.",
                environment=environment)
    numbers = [float(line.split()[0]) for line in embed.splitlines() if re.match(r"\s*-?\d\.\d{3}  ", line)]
    expect(len(numbers) == 3 and numbers[:2] == [1, 1] and abs(numbers[2]) < 1, f"embed gave\n{embed}")
    for output in (simple, chat, batch):
        expect(output.strip(), f"an example printed nothing: {simple!r} {chat!r} {batch!r}")
    if knows:
        expect("Paris" in simple and "Paris" in batch, f"no Paris in\n{simple}\n{batch}")
        expect("Ada" in chat, f"the name is not remembered in\n{chat}")
        expect(numbers[2] < 0.9, f"embed finds texts alike that are not:\n{embed}")
    for example in EXAMPLES:
        fails = subprocess.run([folder / example, "no such.gguf", "x"][:2 if example == "chat" else 3], capture_output=True,
                               text=True, env={**os.environ, **environment}, input="", timeout=60)
        expect(fails.returncode == 1 and "no such.gguf" in fails.stderr, f"{example} on a missing file: {fails}")


CASES = {"install": install, "headers": headers, "symbols": symbols, "quiet": quiet,
         "cmake_shared": lambda place: with_cmake(place, False), "cmake_static": lambda place: with_cmake(place, True),
         "pkgconfig_shared": lambda place: with_pkg_config(place, False),
         "pkgconfig_static": lambda place: with_pkg_config(place, True)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--prefix", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        CASES[arguments.case](Place(arguments.build.resolve(), arguments.prefix.resolve()))
    except Failure as failure:
        print(f"{arguments.case}: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
