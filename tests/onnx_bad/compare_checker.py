#!/usr/bin/env python3
"""Holds what `ondol info --check` says against onnx.checker: no official case is refused that it accepts, and no bad model
is accepted that it refuses. Usage: compare_checker.py PATH_OF_onnx_tool OFFICIAL BAD   (folders of cases)"""
from pathlib import Path
import subprocess
import sys

import onnx

# Bad models that onnx.checker refuses for what Ondol allows on purpose.
ALLOWED = {
    "Transpose_negative": "axes count from the end as well",
}


class Tool:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def check(self, path):
        self.process.stdin.write(f"graph\t{path}\n".encode())
        self.process.stdin.flush()
        return self.process.stdout.readline().decode(errors="replace").rstrip("\n")


def refused(path):
    """What onnx.checker says of it; None: it is accepted."""
    try:
        onnx.checker.check_model(str(path))
        return None
    except Exception as e:  # it has several, and none for some faults
        return str(e).split("\n")[0] or type(e).__name__


def with_types(path):
    """The model with a type and a shape for each output that has none, as onnx.checker wants it; None: as it is."""
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
    except Exception:
        return None
    bare = [o for o in model.graph.output if not o.type.WhichOneof("value")]
    for output in bare:
        output.type.tensor_type.elem_type = 0
        output.type.tensor_type.shape.SetInParent()
    return model if bare else None


def main():
    tool = Tool(sys.argv[1])
    official = sorted(Path(sys.argv[2]).rglob("model.onnx"))
    bad = sorted(Path(sys.argv[3]).glob("*/model.onnx"))
    faults = agreed = left = 0
    for path in official:
        said = tool.check(path)
        if said != "ok" and refused(path) is None:
            faults += 1
            print(f"{path.parent.name}: refused: {said}")
    for path in bad:
        if path.parent.name.endswith("_unstated"):  # onnx.checker wants a shape of each input
            continue
        left += 1
        model = with_types(path)
        if model is not None:
            path = path.with_name("typed.onnx")
            path.write_bytes(model.SerializeToString())
        said = tool.check(path)
        if said != "ok":
            agreed += 1
            continue
        theirs = refused(path)
        if theirs is not None and not any(path.parent.name.startswith(name) for name in ALLOWED):
            faults += 1
            print(f"{path.parent.name}: accepted, but onnx.checker says: {theirs}")
    print(f"{len(official)} official cases, {left} bad models ({agreed} refused without running), {faults} faults")
    return 1 if faults or not official or not bad else 0


if __name__ == "__main__":
    sys.exit(main())
