#!/usr/bin/env python3
"""Speed and memory next to llama.cpp and ONNX Runtime GenAI, in turns, in one sitting.

  compare_peers.py [--program build/release/ondol] [--rounds 5] [--threads 2] [--layers 8] [--keep FOLDER] [--prompts 1,512]
                   [--tokens 32] [--models q4_0,q4_k_m,q8_0,nbits32,nbits128] [--gguf FILE] [--batches 8,32]
                   [--python PYTHON --isa avx2]

Models of Phi-3 mini's shape with random codes, cut to some layers: GGUF Q4_0, Q8_0, Q4_K_M (the mix of encodings that llama.cpp's
quantize chooses) and MatMulNBits of blocks of 32 and 128 with accuracy level 4 and float32; and a GGUF file of your own. The peer of
GGUF is llama-cpp-python compiled for this processor, that of ONNX onnxruntime-genai (tried: 0.3.36, 0.18.0).

In each round each engine runs once in a process of its own: load, a prompt that is not counted, the prompt to its first token, then
tokens one by one behind it. Prints medians (lowest to highest) and the ratio of the medians; memory is the most that the process
held, load ends with the first token of a prompt of one token; `first` is Ondol's load when no packed weights are kept. With
--batches, so many sequences decode at once, each behind 64 tokens of its own (GGUF alone). --python runs llama.cpp from another
environment, where it was built for less, and --isa holds Ondol to the same.
"""

import argparse
import ctypes
import json
import os
from pathlib import Path
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import compare_formats as shape

ROOT = Path(__file__).resolve().parent.parent

# ---------------------------------------------------------------- models

# Bytes and elements of a block, bytes where its float16 scales begin, the spread of its weights in scales.
BLOCKS = {"Q4_0": (18, 32, (0,), 4.6), "Q8_0": (34, 32, (0,), 73.9), "Q4_K": (144, 256, (0, 2), 170.0), "Q5_K": (176, 256, (0, 2), 340.0),
          "Q6_K": (210, 256, (208,), 1350.0)}


def random_codes(random, encoding, rows, columns):
    size, elems, scales, spread = BLOCKS[encoding]
    blocks = random.integers(0, 256, (rows, columns // elems, size), dtype=np.uint8)
    for i, at in enumerate(scales):
        number = np.float16(columns ** -0.5 / spread * (8 if i else 1))
        blocks[:, :, at : at + 2] = np.frombuffer(number.tobytes(), np.uint8)
    return blocks.reshape(rows, -1)


def encoding_of(kind, name, layer, layers):
    """As llama.cpp's quantize chooses for Q4_K_M; otherwise one for all."""
    if kind != "q4_k_m":
        return kind.upper()
    more = layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
    return {"output": "Q6_K", "attn_qkv": "Q5_K", "ffn_down": "Q6_K" if more else "Q4_K"}.get(name, "Q4_K")


def write_gguf(path, kind, layers):
    import gguf
    random = np.random.default_rng(1)
    out = gguf.GGUFWriter(path, "phi3")
    out.add_name("compare_peers")
    out.add_context_length(2 * shape.CONTEXT)
    out.add_embedding_length(shape.HIDDEN)
    out.add_feed_forward_length(shape.FFN)
    out.add_block_count(layers)
    out.add_head_count(shape.HEADS)
    out.add_head_count_kv(shape.HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(shape.HEAD)
    out.add_rope_freq_base(10000.0)
    out.add_vocab_size(shape.VOCABULARY)
    out.add_tokenizer_model("no_vocab")

    def codes(name, rows, columns, layer=0):
        encoding = encoding_of(kind, name.split(".")[-2], layer, layers)
        out.add_tensor(name, random_codes(random, encoding, rows, columns), raw_dtype=gguf.GGMLQuantizationType[encoding])

    ones = np.ones(shape.HIDDEN, np.float32)
    codes("token_embd.weight", shape.VOCABULARY, shape.HIDDEN)
    for i in range(layers):
        out.add_tensor(f"blk.{i}.attn_norm.weight", ones)
        out.add_tensor(f"blk.{i}.ffn_norm.weight", ones)
        codes(f"blk.{i}.attn_qkv.weight", 3 * shape.HIDDEN, shape.HIDDEN, i)
        codes(f"blk.{i}.attn_output.weight", shape.HIDDEN, shape.HIDDEN, i)
        codes(f"blk.{i}.ffn_up.weight", 2 * shape.FFN, shape.HIDDEN, i)
        codes(f"blk.{i}.ffn_down.weight", shape.HIDDEN, shape.FFN, i)
    out.add_tensor("output_norm.weight", ones)
    codes("output.weight", shape.VOCABULARY, shape.HIDDEN)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def make_model(folder, kind, layers):
    """In a process of its own: what it holds would count as the peers' memory."""
    if (path := model_path(folder, kind, layers)).exists():
        return path
    subprocess.run([sys.executable, __file__, "--make", kind, "--layers", str(layers), "--keep", str(folder)], check=True)
    return path


def model_path(folder, kind, layers):
    return folder / (f"{kind}_{layers}" + ("" if kind.startswith("nbits") else ".gguf"))


def write_model(folder, kind, layers):
    path = model_path(folder, kind, layers)
    if path.suffix == ".gguf":
        write_gguf(path, kind, layers)
        return
    path.mkdir(parents=True, exist_ok=True)
    shape.write_onnx(path, shape.Weights(layers), int(kind[5:]), np.float32)


# ---------------------------------------------------------------- engines

def memory():
    """Of this program alone, in MiB: getrusage counts what the process held before exec, too."""
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024


def llama_cpp(args, model, prompt):
    import llama_cpp as L
    quiet = L.llama_log_callback(lambda *_: None)
    L.llama_log_set(quiet, ctypes.c_void_p(0))
    if args.batch > 1:
        return llama_cpp_batch(L, args, model)
    begin = time.perf_counter()
    loaded = L.llama_model_load_from_file(str(model).encode(), L.llama_model_default_params())
    params = L.llama_context_default_params()
    params.n_ctx = prompt + args.tokens + 8
    params.n_batch = params.n_ubatch = max(512, prompt)
    params.n_threads = params.n_threads_batch = args.threads
    context = L.llama_init_from_model(loaded, params)
    one = (L.llama_token * 1)(300)
    assert L.llama_decode(context, L.llama_batch_get_one(one, 1)) == 0
    L.llama_get_logits(context)
    load = time.perf_counter() - begin
    ids = (L.llama_token * prompt)(*[i * 7919 % 20000 + 300 for i in range(prompt)])
    for _ in range(2):
        L.llama_memory_clear(L.llama_get_memory(context), True)
        begin = time.perf_counter()
        assert L.llama_decode(context, L.llama_batch_get_one(ids, prompt)) == 0
        L.llama_get_logits(context)
        prefill = time.perf_counter() - begin
        begin = time.perf_counter()
        for _ in range(args.tokens):
            assert L.llama_decode(context, L.llama_batch_get_one(one, 1)) == 0
            L.llama_get_logits(context)
        decode = time.perf_counter() - begin
    return {"prefill": prompt / prefill, "decode": args.tokens / decode, "load": load, "memory": memory()}


BATCH_PROMPT = 64


def llama_cpp_batch(L, args, model):
    loaded = L.llama_model_load_from_file(str(model).encode(), L.llama_model_default_params())
    params = L.llama_context_default_params()
    params.n_ctx = args.batch * 2 * (BATCH_PROMPT + args.tokens)
    params.n_batch = params.n_ubatch = 512
    params.n_seq_max = args.batch
    params.n_threads = params.n_threads_batch = args.threads
    context = L.llama_init_from_model(loaded, params)
    batch = L.llama_batch_init(512, 0, 1)

    def decode(rows):
        """Rows of (token, position, sequence), of which the last of each sequence gives logits."""
        for at in range(0, len(rows), 512):
            part = rows[at : at + 512]
            for i, (token, position, sequence) in enumerate(part):
                batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position, 1
                batch.seq_id[i][0] = sequence
                batch.logits[i] = position >= BATCH_PROMPT - 1
            batch.n_tokens = len(part)
            assert L.llama_decode(context, batch) == 0

    for _ in range(2):
        L.llama_memory_clear(L.llama_get_memory(context), True)
        begin = time.perf_counter()
        decode([((i + s * 131) * 7919 % 20000 + 300, i, s) for s in range(args.batch) for i in range(BATCH_PROMPT)])
        L.llama_get_logits(context)
        prefill = time.perf_counter() - begin
        begin = time.perf_counter()
        for step in range(args.tokens):
            decode([(300 + s, BATCH_PROMPT + step, s) for s in range(args.batch)])
            L.llama_get_logits(context)
        taken = time.perf_counter() - begin
    return {"prefill": args.batch * BATCH_PROMPT / prefill, "decode": args.batch * args.tokens / taken, "memory": memory()}


def genai(args, model, prompt):
    import onnxruntime_genai as og
    begin = time.perf_counter()
    config = og.Config(str(model))
    config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": args.threads}}}}))
    loaded = og.Model(config)

    def generator(n):
        params = og.GeneratorParams(loaded)
        params.set_search_options(max_length=n, min_length=n, do_sample=False)
        return og.Generator(loaded, params)

    first = generator(4)
    first.append_tokens(np.array([300], np.int32))
    first.generate_next_token()
    load = time.perf_counter() - begin
    del first
    ids = np.array([i * 7919 % 20000 + 300 for i in range(prompt)], np.int32)
    for _ in range(2):
        g = generator(prompt + args.tokens + 1)
        begin = time.perf_counter()
        g.append_tokens(ids)
        g.generate_next_token()
        prefill = time.perf_counter() - begin
        begin = time.perf_counter()
        for _ in range(args.tokens):
            g.generate_next_token()
        decode = time.perf_counter() - begin
    return {"prefill": prompt / prefill, "decode": args.tokens / decode, "load": load, "memory": memory()}


def ondol(args, model, prompt, batch=1, options=()):
    if args.isa:
        os.environ["ONDOL_ISA"] = args.isa
    done = subprocess.run([args.program, "bench", str(model), "-p", str(prompt), "-n", str(args.tokens), "-r", "1", "--json", "-t",
                           str(args.threads), "-b", str(batch), *options], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{model}: {done.stderr}")
    found = json.loads(done.stdout)
    return {"prefill": found["prefill_tok_s"], "decode": found["decode_tok_s"], "load": found["first_token_s"],
            "memory": found["peak_rss_bytes"] / 2**20, "prefill_share": found["share"]["prefill_int8"],
            "decode_share": found["share"]["decode_read"]}


def peer(args, model, prompt, batch=1):
    done = subprocess.run([args.python, __file__, "--peer", str(model), "--prompts", str(prompt), "--tokens", str(args.tokens), "--threads",
                           str(args.threads), "--batch", str(batch)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{model}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


# ---------------------------------------------------------------- the table

def shown(values):
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def compare_batches(args, name, model):
    for batch in args.batches:
        own, others = [], []
        for _ in range(args.rounds):
            own.append(ondol(args, model, BATCH_PROMPT, batch)["decode"])
            others.append(peer(args, model, BATCH_PROMPT, batch)["decode"])
        print(f"| {name} | decode of {batch} at {BATCH_PROMPT}, tok/s | {shown(own)} | | {shown(others)} | "
              f"{statistics.median(own) / statistics.median(others):.2f} |", flush=True)


def compare_first_load(args, name, model):
    own = [ondol(args, model, 1, 1, ["--no-pack"])["load"] for _ in range(args.rounds)]
    print(f"| {name} | load to first token without packed weights, s | {shown(own)} | | | |", flush=True)


def compare(args, name, model):
    for prompt in args.prompts:
        own, others = [], []
        for _ in range(args.rounds):
            own.append(ondol(args, model, prompt))
            others.append(peer(args, model, prompt))
        rows = [("decode", f"decode at {prompt}", "tok/s")]
        rows = ([("prefill", f"prefill {prompt}", "tok/s")] if prompt > 1 else []) + rows + \
            ([("load", "load to first token", "s"), ("memory", "memory", "MiB")] if prompt == args.prompts[-1] else [])
        for key, text, unit in rows:
            a, b = [r[key] for r in own], [r[key] for r in others]
            share = ""
            if f"{key}_share" in own[0]:
                share = f"{100 * statistics.median(r[f'{key}_share'] for r in own):.0f} %"
            print(f"| {name} | {text}, {unit} | {shown(a)} | {share} | {shown(b)} | {statistics.median(a) / statistics.median(b):.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "build/release/ondol"))
    for name, value in (("rounds", 5), ("threads", 2), ("layers", 8), ("tokens", 32)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--prompts", default="1,512")
    parser.add_argument("--models", default="q4_0,q4_k_m,q8_0,nbits32,nbits128")
    parser.add_argument("--gguf")
    parser.add_argument("--keep")
    parser.add_argument("--batches", default="")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--isa")
    parser.add_argument("--batch", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--make", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.prompts = [int(p) for p in filter(None, args.prompts.split(","))]
    args.batches = [int(p) for p in filter(None, args.batches.split(","))]
    if args.make:
        write_model(Path(args.keep), args.make, args.layers)
        return
    if args.peer:
        run = genai if Path(args.peer).is_dir() else llama_cpp
        print(json.dumps(run(args, args.peer, args.prompts[0])))
        return
    print("| model | | Ondol | share of the limit | peer | ratio |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(args.keep or folder)
        kinds = [(kind, make_model(place, kind, args.layers)) for kind in filter(None, args.models.split(","))]
        if args.gguf:
            kinds.append((Path(args.gguf).stem, Path(args.gguf)))
        for name, model in kinds:
            compare(args, name, model)
            if args.prompts:
                compare_first_load(args, name, model)
            if not model.is_dir():
                compare_batches(args, name, model)


if __name__ == "__main__":
    main()
