#!/usr/bin/env python3
"""How far each engine is from the exact answer on the same file.

  compare_exactness.py MODEL.gguf [--encodings q4_0,q4_k_m,q8_0] [--program build/release/ondol] [--tokens 256] [--threads 2]

The model is quantised anew by llama.cpp to each encoding (from what it is in; that it was quantised before is no matter here, for
both engines get the same file). Texts of this project go through `--device ref`, which rounds no activation and adds in float64, the cpu and
llama.cpp. Prints KL divergence from ref's distribution, in the mean and at the worst position, and the agreement of the most likely token.
Needs llama-cpp-python (tried: 0.3.36) beside tools/requirements.txt.
"""

import argparse
import ctypes
from pathlib import Path
import tempfile

import numpy as np

from compare_text import LlamaCpp, Ondol, log_softmax

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ("LICENSE", "README.md", "docs/tour.md", "include/ondol/ondol.h")
FILE_TYPES = {"q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q4_k_m": 15, "q5_k_m": 17, "q6_k": 18}  # llama_ftype


kept = []  # llama.cpp calls it as long as the process lives


def quantise(model, encoding, path):
    import llama_cpp as L
    params = L.llama_model_quantize_default_params()
    params.ftype = FILE_TYPES[encoding]
    params.allow_requantize = True
    if not kept:
        kept.append(L.llama_log_callback(lambda *_: None))
        L.llama_log_set(kept[0], ctypes.c_void_p(0))
    if L.llama_model_quantize(str(model).encode(), str(path).encode(), ctypes.byref(params)) != 0:
        raise SystemExit(f"{encoding}: llama.cpp does not quantise {model}")


def compare(args, encoding, path):
    args.model = str(path)
    ours, peer = Ondol(args), LlamaCpp(args)
    distances, agreements = {"cpu": [], "llama.cpp": []}, {"cpu": [], "llama.cpp": []}
    for text in TEXTS:
        ids = ours.tokenize((ROOT / text).read_text()[:8 * args.tokens])[:args.tokens]
        exact = log_softmax(ours.run(ids, 1, "ref")[1][:len(ids)])
        for name, logits in (("cpu", ours.run(ids, 1, "cpu")[1][:len(ids)]), ("llama.cpp", peer.logits(ids))):
            found = log_softmax(logits)
            distances[name].extend((np.exp(exact) * (exact - found)).sum(axis=1))
            agreements[name].extend(exact.argmax(axis=1) == found.argmax(axis=1))
    shown = [f"{np.mean(d):.2e}, {np.max(d):.2e}, {100 * np.mean(agreements[n]):.1f} %" for n, d in distances.items()]
    print(f"| {encoding} | {len(distances['cpu'])} | {shown[0]} | {shown[1]} | {np.mean(distances['cpu']) / np.mean(distances['llama.cpp']):.2f} |",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--encodings", default="q4_0,q4_k_m,q8_0")
    parser.add_argument("--program", default=str(ROOT / "build/release/ondol"))
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    source = args.model
    print("| encoding | positions | Ondol: KL mean, worst, same token | llama.cpp | ratio of the means |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for encoding in args.encodings.split(","):
            path = Path(folder) / f"{encoding}.gguf"
            quantise(source, encoding, path)
            compare(args, encoding, path)


if __name__ == "__main__":
    main()
