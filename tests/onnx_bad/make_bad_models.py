#!/usr/bin/env python3
"""Writes bad ONNX models, and what is expected of each, for onnx_bad.c:

  OUT/index.json            [{"name": ..., "inputs": [...], "status": [...], "says": [...], ...}]
  OUT/NAME/model.onnx       and input_N.pb, and what external data needs
Rows: status: any of these is right; says: each is part of the sentence; bytes: opened from memory; cancel: from another thread;
max_bytes, max_iterations: as in ondol_network_options. Usage: make_bad_models.py OUT"""
import json
from pathlib import Path
import shutil
import sys
import warnings

warnings.filterwarnings("ignore")
import bad_case  # noqa: E402
import bad_files  # noqa: E402
import bad_graphs  # noqa: E402
import bad_microsoft  # noqa: E402
import bad_ml  # noqa: E402
import bad_standard  # noqa: E402


def main():
    out = Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for part in (bad_files, bad_graphs, bad_standard, bad_ml, bad_microsoft):
        part.make()
    index = []
    for case in bad_case.cases:
        folder = out / case["name"]
        folder.mkdir()
        (folder / "model.onnx").write_bytes(case.pop("model"))
        for k, value in enumerate(case.pop("values")):
            (folder / f"input_{k}.pb").write_bytes(value.SerializeToString())
        files = case.pop("files")
        if files:
            files(folder)
        index.append(case)
    (out / "index.json").write_text(json.dumps(index, indent=0))
    print(len(index), "cases")


if __name__ == "__main__":
    main()
