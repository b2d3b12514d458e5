#!/usr/bin/env python3
"""Logits of a GGUF model in float64, from the file's own weights, with plain full causal attention.

  oracle.py MODEL.gguf --ids 1,2,3 [-o logits.npy] [--hidden hidden.npy] [--layers layers.npy]

Writes float64 arrays: logits [n, V], the hidden state after the final norm [n, d], the residual stream after each
layer [L, n, d]. Without -o it prints the five best next tokens at each position. What is computed, and from which keys
and tensors, is in README.md beside this file. Needs tools/requirements.txt.
"""

import argparse
import importlib
from pathlib import Path
import sys

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from model_file import ModelFile  # noqa: E402

ARCHITECTURES = ("gemma", "gemma2", "gemma3", "llama", "olmo2", "phi2", "phi3", "qwen2", "qwen3", "smollm3")


def run(path, ids):
    """-> (logits [n, V], hidden [n, d], residual after each layer [L, n, d]), all float64."""
    model = ModelFile(path)
    if model.architecture not in ARCHITECTURES:
        raise ValueError(f"architecture '{model.architecture}' is not one of {', '.join(ARCHITECTURES)}")
    forward = importlib.import_module("arch_" + model.architecture).forward
    layers = []
    hidden, logits = forward(model, list(ids), lambda _, x: layers.append(x))
    return logits, hidden, np.stack(layers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--ids", required=True, help="token ids, separated by commas")
    parser.add_argument("-o", "--output", help="file for the logits")
    parser.add_argument("--hidden", help="file for the hidden state after the final norm")
    parser.add_argument("--layers", help="file for the residual stream after each layer")
    args = parser.parse_args()
    logits, hidden, layers = run(args.model, [int(i) for i in args.ids.split(",")])
    for path, array in ((args.output, logits), (args.hidden, hidden), (args.layers, layers)):
        if path:
            np.save(path, array)
    if not args.output:
        for position, row in enumerate(logits):
            best = np.argsort(-row, kind="stable")[:5]
            print(position, " ".join(f"{i}:{row[i]:.9f}" for i in best))


if __name__ == "__main__":
    main()
