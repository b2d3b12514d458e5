#!/usr/bin/env python3
"""Writes the seeds of fuzz_onnx_run: small models that the folders of cases hold, each with the values of its first data set as
defaults of its inputs, so that it computes something real. Nothing of it is committed.
Usage: python3 fuzz/make_onnx_run_seeds.py OUT CASES...   (CASES: folders that tools/onnx_cases.py and tests/onnx_cases write)
Needs: tools/requirements.txt."""
from pathlib import Path
import shutil
import sys

import onnx

BYTES_MAX = 4096


def seed(folder):
    model = onnx.ModelProto.FromString((folder / "model.onnx").read_bytes())
    if not any(o.domain in ("", "ai.onnx") for o in model.opset_import):
        return None
    model.doc_string = ""
    have = {t.name for t in model.graph.initializer}
    for i, value in enumerate(model.graph.input):
        data = folder / f"test_data_set_0/input_{i}.pb"
        if value.type.HasField("tensor_type") and value.name not in have and data.is_file():
            tensor = onnx.TensorProto.FromString(data.read_bytes())
            tensor.name = value.name
            model.graph.initializer.append(tensor)
    model.ir_version = max(model.ir_version, 4)  # an initializer is a default, not a constant
    data = model.SerializeToString()
    return data if len(data) <= BYTES_MAX else None


def main():
    out = Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    count = 0
    for root in map(Path, sys.argv[2:]):
        for path in sorted(root.rglob("model.onnx")):
            data = seed(path.parent)
            if data is not None:
                (out / f"{root.name}_{path.parent.name}").write_bytes(data)
                count += 1
    print(count, "seeds")
    return 0 if count else 1


if __name__ == "__main__":
    sys.exit(main())
