#!/usr/bin/env python3
"""Checks the tree: who includes whom (the table is that of the design), unique file names, file sizes, banned calls, and no
names of registries or paths of one machine. Prints each fault as FILE:LINE: what; exit status 1 where there is one."""
from pathlib import Path
import re
import sys

ROOT = Path(__file__).resolve().parent.parent
MAY = {
    "src/base": "", "src/tensor": "base", "src/formats": "base tensor", "src/graph": "base tensor",
    "src/text": "base formats/json", "src/models": "base tensor formats graph text", "src/optimize": "base tensor graph",
    "src/plan": "base tensor graph", "src/network": "base tensor graph plan", "src/generate": "base tensor graph plan text device/registry.h ondol/ondol.h",  # the sampler's options are the API's
    "src/api": "base tensor formats graph models optimize plan network device text generate",
}
DEVICE_MAY = "base tensor graph plan"  # and its own folder; device/*.c, the registry, sees all devices
BANNED = re.compile(r"\b(v?f?printf|v?sprintf|puts|putchar|exit|_Exit|abort|strcpy|strcat|gets|alloca|longjmp|setjmp|system)\s*\(")
HEAP = re.compile(r"\b(malloc|calloc|realloc|free|strdup)\s*\(")
PLACES = re.compile("|".join(["pypi" + r"\.org", "python" + "hosted", r"deb\." + r"debian\.org", "npm" + r"js\.", "crates" + r"\.io",
                              "/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/"]))
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)
LINES_MAX = 1000

faults = []


def fault(path, line, text):
    faults.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def allowed(path, target):
    """Whether the file may include `target`, a path from src/ or from apps/."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "apps":
        return target.startswith(("common/", parts[1] + "/")) and (ROOT / "apps" / target).exists()
    if parts[0] != "src" or "/" not in target:
        return True
    folder = "/".join(parts[:2])
    if target.startswith("ondol/"):
        return target == "ondol/ondol_status.h" or folder == "src/api" or target in MAY.get(folder, "").split()
    if folder == "src/device":
        may = ["device" if len(parts) == 3 else "device/" + parts[2], *DEVICE_MAY.split()]
        if target.count("/") == 1 and target.startswith("device/"):
            return True
    else:
        may = [parts[1], *MAY.get(folder, "").split()]
    return any(target == row or target.startswith(row + "/") for row in may)


def check_code(path, text):
    for line, row in enumerate(text.splitlines(), 1):
        include = re.match(r'\s*#\s*include\s+(?:"([^"]+)"|<(ondol/[^>]+)>)', row)
        target = include and (include.group(1) or include.group(2))
        if include and include.group(2) and path.is_relative_to(ROOT / "apps"):
            continue  # the public headers, which are all that <ondol/...> finds there
        if include and not allowed(path, target):
            fault(path, line, f"may not include {target}")
    parts = path.relative_to(ROOT).parts
    if parts[0] != "src":
        return
    code = COMMENT.sub(lambda m: "\n" * m.group().count("\n"), text)
    for line, row in enumerate(code.splitlines(), 1):
        call = BANNED.search(row) or (parts[1] != "base" and HEAP.search(row))
        if call and not re.search(r"(->|\.)\s*" + call.group(1), row):
            fault(path, line, f"the library never calls {call.group(1)} here")


def main():
    names = {}
    skipped = {".git", "build", "__pycache__", "data", "seeds"}
    for path in sorted(p for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.relative_to(ROOT).parts)):
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for line, row in enumerate(text.splitlines(), 1):
            place = PLACES.search(row)
            if place:
                fault(path, line, f"names a registry or a path of one machine: {place.group()}")
        if path.suffix not in (".c", ".h", ".def", ".cu"):
            continue
        own = path.relative_to(ROOT).parts[0] != "examples"  # whose names are for their readers
        other = names.setdefault(path.name, path) if own else path
        if other is not path:
            fault(path, 1, f"same file name as {other.relative_to(ROOT)}")
        if path.suffix != ".def" and not path.stem.endswith(("_grids", "_tables")) and text.count("\n") > LINES_MAX:
            fault(path, 1, f"{text.count(chr(10))} lines; {LINES_MAX} is the most")
        check_code(path, text)
    print("\n".join(faults) or f"layers: {len(names)} files of code, no fault")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
