#!/usr/bin/env python3
"""Logits of every tiny model, on every device, next to tools/oracle's float64 ones.

The difference at a position is the largest over the vocabulary, relative to the largest logit there. What is allowed:

  ref          1e-5: sums in double, but every operator's result is rounded to float32
  cpu, floats  5e-5: the same in float32, each output summed in one lane
  cpu, codes   0.12 at any position, 0.06 in the median: activations are quantised to 8 bits at each matmul, which these random
               models, a few layers of noise, hardly average out. That nothing else differs is shown by model.steps, which
               compares cpu and ref:planned, which quantises the same, step by step: one code that rounds the other way
               spreads to all that follows, so whole models agree no better.

Sequences are longer than every window and cross LongRoPE's original length. Exit status 77 when numpy or gguf is missing.
"""

import argparse
import os
from pathlib import Path
import subprocess
import sys
import tempfile

ROOT = Path(__file__).resolve().parent.parent.parent
TOKENS = 60


def logits_of(program, model, ids, device, folder):
    path = Path(folder) / "logits.npy"
    command = [program, "run", str(model), "--raw", "--kv", "f32", "-n", "1", "--ids", ",".join(map(str, ids)), "--temp", "0",
               "--logits", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "ONDOL_DEVICE": device})
    if done.returncode != 0:
        return None, done.stderr.strip()
    return np.load(path).astype(np.float64), ""


def difference(got, want):
    return np.abs(got - want).max(axis=1) / np.abs(want).max(axis=1)


def check(program, model, oracle, folder):
    """-> list of faults, one line of figures"""
    rng = np.random.default_rng(1)
    readable = oracle_model(model)
    vocabulary = oracle.run(readable, [1])[0].shape[1]
    ids = [int(i) for i in rng.integers(0, vocabulary, TOKENS)]
    want = oracle.run(readable, ids)[0]
    found, faults = {}, []
    for device in ("ref", "ref:planned", "cpu"):
        found[device], text = logits_of(program, model, ids, device, folder)
        if found[device] is None:
            return [f"{device}: {text}"], ""
        if found[device].shape != want.shape:
            return [f"{device}: shape {found[device].shape}, expected {want.shape}"], ""
    exact = difference(found["ref"], want)
    cpu = difference(found["cpu"], want)
    codes = difference(found["ref:planned"], found["ref"]).max() > 1e-5
    if not exact.max() <= 1e-5:
        faults.append(f"ref: {exact.max():.2e} at {exact.argmax()}")
    if not cpu.max() <= (0.12 if codes else 5e-5):
        faults.append(f"cpu: {cpu.max():.2e} at {cpu.argmax()}")
    if not np.median(cpu) <= (0.06 if codes else 5e-5):
        faults.append(f"cpu: median {np.median(cpu):.2e}")
    return faults, f"ref {exact.max():.1e}  cpu {cpu.max():.1e}"


def oracle_model(model):
    """The gguf package reads no version 1; llama-v1 holds what llama holds."""
    return model.with_name("llama.gguf") if model.name == "llama-v1.gguf" else model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--models", required=True, type=Path)
    args = parser.parse_args()
    import oracle
    models = [m for m in sorted(args.models.glob("*.gguf")) if "-of-" not in m.name or "-00001-of-" in m.name]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            faults, figures = check(args.program, model, oracle, folder)
            print(f"{model.stem:24} {figures}" + "".join(f"\n    FAULT {f}" for f in faults), flush=True)
            bad += bool(faults)
    print(f"{len(models)} models, {bad} with faults")
    return 1 if bad or not models else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tools" / "oracle"))
    try:
        import gguf  # noqa: F401
        import numpy as np
    except ImportError as missing:
        print(f"skipped: {missing}")
        sys.exit(77)
    sys.exit(main())
