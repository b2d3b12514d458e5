#!/usr/bin/env python3
"""Writes docs/operators.md from the rows of src/graph/ops/*.def and the kernels' tables: each operator, its versions, who
computes it. Usage: operators_page.py [--check]   (--check: writes nothing, status 1 when the page is stale)"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOMAINS = [("onnx", "ai.onnx"), ("ml", "ai.onnx.ml"), ("preview", "ai.onnx.preview"), ("training", "ai.onnx.preview.training"),
           ("microsoft", "com.microsoft")]
HEAD = """# Operators

Written by `tools/operators_page.py` from `src/graph/ops/*.def` and the devices' tables of kernels; do not edit.

A file may use any version below; import makes the newest of it. *cpu*: a kernel of its own for the types named; what it does
not take runs on *ref*, scalar code with sums in double, and is counted. *host*: moves elements, one kernel for both.

"""


def rows(path, macro):
    return re.findall(rf"^{macro}\((\w+), \"([^\"]*)\", \"(\w+)\", (\d+),", path.read_text(), re.M)


def kernels():
    found = {}
    def add(op, device):
        found.setdefault(op, [])
        if device not in found[op]:
            found[op].append(device)
    for op in re.findall(r"^HOST(?:_ANY_LAYOUT)?\((\w+),", (ROOT / "src/device/host_kernels.def").read_text(), re.M):
        add(op, "host")
    for op, name in re.findall(r'^CPU(?:_ANY_LAYOUT|_HALVES)?\((?:[^,"]*<<[^,"]*, )?(\w+), "([^"]*)",', (ROOT / "src/device/cpu/ops/cpu_kernels.def").read_text(), re.M):
        add(op, f"cpu ({name})")
    for path in sorted((ROOT / "src/device/ref/ops").glob("ref_*.def")):
        for op in re.findall(r"^REF(?:_PREPARED)?\(\s*(\w+),", path.read_text(), re.M):
            add(op, "ref")
    return found


def upgraded():
    """Operators of com.microsoft that import makes standard ones of; Gradient becomes the nodes of the derivative."""
    rows = re.findall(r'^UPGRADE\("([^"]*)", "(\w+)", \d+, \d+, (\w+)\)', (ROOT / "src/models/onnx_upgrades.def").read_text(), re.M)
    gradient = {("ai.onnx.preview.training", "Gradient")}
    return gradient | {(domain, name) for domain, name, rule in rows if rule != "upgrade_same"}


def main():
    made = upgraded()
    have, text, counts = kernels(), HEAD, []
    for stem, domain in DOMAINS:
        path = ROOT / f"src/graph/ops/{stem}.def"
        newest = {name: symbol for symbol, _, name, _ in rows(path, "OP")}
        versions = {}
        for macro in ("OP", "OLD", "GONE"):
            for symbol, _, name, since in rows(path, macro):
                versions.setdefault(name, []).append((int(since), macro))
        text += f"## {domain}\n\n| operator | versions | computed by |\n|---|---|---|\n"
        for name in sorted(versions):
            listed = ", ".join(f"{v} (removed)" if m == "GONE" else str(v) for v, m in sorted(versions[name]))
            known = have.get(newest.get(name))
            by = ", ".join(known) if known else "import makes others of it" if name not in newest or (domain, name) in made else "-"
            text += f"| {name} | {listed} | {by} |\n"
        counts.append(f"{domain} {len(versions)} operators, {sum(map(len, versions.values()))} versions, "
                      f"{sum(1 for n in newest if newest[n] not in have and (domain, n) not in made)} without a kernel")
        text += "\n"
    path = ROOT / "docs/operators.md"
    stale = not path.exists() or path.read_text() != text
    if "--check" in sys.argv:
        if stale:
            print("docs/operators.md is stale: run tools/operators_page.py")
        return int(stale)
    path.write_text(text)
    print("\n".join(counts))
    return 0


sys.exit(main())
