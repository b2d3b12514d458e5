#!/usr/bin/env python3
"""Checks the oracle itself: its logits against llama.cpp's, on tiny models (or on any model that fits).

  compare_llama_cpp.py FOLDER|MODEL.gguf... [--tokens 40] [--context 0]

Needs llama-cpp-python (the versions tried are in tools/oracle/README.md) beside tools/requirements.txt. llama.cpp runs on one
thread with a float32 cache and without flash attention. For each model it prints the deviation of the oracle's logits, the
largest difference and that difference over the deviation, over all positions. llama.cpp computes in float32, rounds
activations to the encoding's partner (f16, bf16, 8 bit) and has a GELU table in half precision; so a right reading shows about
1e-6 with float32 weights, 1e-3 with GELU, 1e-3 to 3e-2 with the others, and a wrong one shows 0.1 and more.
"""

import argparse
import ctypes
from pathlib import Path
import sys

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent / "oracle"))
import oracle  # noqa: E402


def llama_cpp_logits(path, ids, context):
    """f32 [n, V], or None where llama.cpp refuses the file."""
    import llama_cpp as L
    model_params = L.llama_model_default_params()
    model_params.n_gpu_layers = 0
    model = L.llama_model_load_from_file(str(path).encode(), model_params)
    if not model:
        return None
    params = L.llama_context_default_params()
    n = len(ids)
    params.n_ctx, params.n_batch, params.n_ubatch = context or max(n, 256), max(n, 256), max(n, 256)
    params.n_threads = params.n_threads_batch = 1
    params.type_k = params.type_v = L.GGML_TYPE_F32
    params.flash_attn_type = L.LLAMA_FLASH_ATTN_TYPE_DISABLED
    ctx = L.llama_init_from_model(model, params)
    if not ctx:
        return None
    batch = L.llama_batch_init(n, 0, 1)
    batch.n_tokens = n
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, i, 1, 0, 1
    if L.llama_decode(ctx, batch) != 0:
        raise RuntimeError("llama_decode failed")
    vocabulary = L.llama_vocab_n_tokens(L.llama_model_get_vocab(model))
    logits = np.ctypeslib.as_array(L.llama_get_logits(ctx), shape=(n * vocabulary,)).reshape(n, vocabulary).copy()
    L.llama_batch_free(batch)
    L.llama_free(ctx)
    L.llama_model_free(model)
    return logits


def token_ids(n, vocabulary):
    """Spread over the vocabulary, the same at each run."""
    return [(i * 7919 + 13) % vocabulary for i in range(n)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--context", type=int, default=0, help="llama.cpp's context size; its LongRoPE choice depends on it")
    args = parser.parse_args()
    import llama_cpp as L
    L.llama_backend_init()
    quiet = L.llama_log_callback(lambda *_: None)
    L.llama_log_set(quiet, ctypes.c_void_p(0))
    files = []
    for path in map(Path, args.paths):
        files += sorted(path.glob("*.gguf")) if path.is_dir() else [path]
    print(f"{'model':28} {'deviation':>9} {'largest':>9} {'relative':>9}  best token agrees")
    for path in files:
        if "-of-" in path.name and "-00001-of-" not in path.name:
            continue
        try:
            ids = token_ids(args.tokens, len(oracle.ModelFile(path).weight("token_embd.weight")))
            mine, _, _ = oracle.run(path, ids)
        except ValueError as error:
            print(f"{path.stem:28} oracle: {error}")
            continue
        theirs = llama_cpp_logits(path, ids, args.context)
        if theirs is None:
            print(f"{path.stem:28} {mine.std():9.3f} llama.cpp refuses it")
            continue
        largest = np.abs(mine - theirs).max()
        agree = (mine.argmax(axis=1) == theirs.argmax(axis=1)).mean()
        print(f"{path.stem:28} {mine.std():9.3f} {largest:9.2e} {largest / mine.std():9.2e}  {agree:.0%}", flush=True)


if __name__ == "__main__":
    main()
