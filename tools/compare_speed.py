#!/usr/bin/env python3
"""Speed and memory of a model in turns with llama.cpp, in one sitting.

  compare_speed.py MODEL.gguf [--program build/release/ondol] [--rounds 5] [--prompt 512] [--tokens 64] [--threads 2]

Needs llama-cpp-python (tried: 0.3.36), compiled for this processor. In each round each engine runs once in a process of its
own: load, a prompt that is not counted, the prompt to its first logits, then tokens one by one. Prints median (lowest to
highest) of the rounds and the ratio of the medians; memory is the most that the process held.
"""

import argparse
import ctypes
import json
from pathlib import Path
import resource
import statistics
import subprocess
import sys
import time

ROOT = Path(__file__).resolve().parent.parent


def llama_cpp(args):
    import llama_cpp as L
    quiet = L.llama_log_callback(lambda *_: None)
    L.llama_log_set(quiet, ctypes.c_void_p(0))
    begin = time.perf_counter()
    model = L.llama_model_load_from_file(args.model.encode(), L.llama_model_default_params())
    params = L.llama_context_default_params()
    params.n_ctx = args.prompt + args.tokens + 8
    params.n_batch = params.n_ubatch = max(512, args.prompt)
    params.n_threads = params.n_threads_batch = args.threads
    context = L.llama_init_from_model(model, params)
    load = time.perf_counter() - begin
    vocabulary = L.llama_vocab_n_tokens(L.llama_model_get_vocab(model))
    ids = (L.llama_token * args.prompt)(*[(i * 7919 + 13) % (vocabulary - 300) + 200 for i in range(args.prompt)])
    for counted in range(2):
        L.llama_memory_clear(L.llama_get_memory(context), True)
        begin = time.perf_counter()
        assert L.llama_decode(context, L.llama_batch_get_one(ids, args.prompt)) == 0
        L.llama_get_logits(context)
        prefill = time.perf_counter() - begin
        one = (L.llama_token * 1)(ids[0])
        begin = time.perf_counter()
        for _ in range(args.tokens):
            assert L.llama_decode(context, L.llama_batch_get_one(one, 1)) == 0
            L.llama_get_logits(context)
        decode = time.perf_counter() - begin
    return {"prefill": args.prompt / prefill, "decode": args.tokens / decode, "load": load,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def ondol(args):
    done = subprocess.run([args.program, "bench", args.model, "-p", str(args.prompt), "-n", str(args.tokens), "-r", "1", "--json",
                           "-t", str(args.threads)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return {"prefill": found["prefill_tok_s"], "decode": found["decode_tok_s"], "load": found["load_s"],
            "memory": found["peak_rss_bytes"] / 2**20}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--program", default=str(ROOT / "build/release/ondol"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer-once", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer_once:
        print(json.dumps(llama_cpp(args)))
        return
    rows = {"ondol": [], "llama.cpp": []}
    for _ in range(args.rounds):
        rows["ondol"].append(ondol(args))
        peer = subprocess.run([sys.executable, *sys.argv, "--peer-once"], capture_output=True, text=True, check=True)
        rows["llama.cpp"].append(json.loads(peer.stdout.splitlines()[-1]))
    for key, unit in (("prefill", "tok/s"), ("decode", "tok/s"), ("load", "s"), ("memory", "MiB")):
        medians = {}
        text = []
        for name, found in rows.items():
            values = sorted(r[key] for r in found)
            medians[name] = statistics.median(values)
            text.append(f"{name} {medians[name]:.4g} ({values[0]:.4g} to {values[-1]:.4g})")
        print(f"{key:8} {unit:6} {'   '.join(text)}   ratio {medians['ondol'] / medians['llama.cpp']:.2f}")


if __name__ == "__main__":
    main()
