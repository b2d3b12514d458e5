#!/usr/bin/env python3
"""The same decoder as GGUF and as ONNX, next to each other: logits and speed, in turns, in one sitting.

  compare_formats.py [--program build/release/ondol] [--rounds 5] [--threads 2] [--layers 4] [--keep FOLDER]

Makes a model of Phi-3 mini's shape with random weights: GGUF Q4_0, and a folder as ONNX Runtime GenAI's builder writes it
(MatMulNBits of 4 bits, block 32, float16 scales) with the very same codes and scales. Needs numpy, gguf, onnx.
"""

import argparse
import json
from pathlib import Path
import statistics
import subprocess
import tempfile

import gguf
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parent.parent
HIDDEN, FFN, HEADS, HEAD, VOCABULARY, CONTEXT = 3072, 8192, 32, 96, 32064, 4096
MS = "com.microsoft"


class Weights:
    """Codes 0 to 15 [rows, columns] and float16 scales [rows, columns / 32] of each matrix, by name."""

    def __init__(self, layers):
        random = np.random.default_rng(1)
        shapes = {"output": (VOCABULARY, HIDDEN)}
        for i in range(layers):
            shapes |= {f"{i}.qkv": (3 * HIDDEN, HIDDEN), f"{i}.o": (HIDDEN, HIDDEN), f"{i}.gate": (FFN, HIDDEN), f"{i}.up": (FFN, HIDDEN),
                       f"{i}.down": (HIDDEN, FFN)}
        self.layers = layers
        self.codes = {n: random.integers(0, 16, s, dtype=np.uint8) for n, s in shapes.items()}
        self.scales = {n: (random.uniform(0.5, 1.5, (s[0], s[1] // 32)) * 12 ** 0.5 / 16 * s[1] ** -0.5).astype(np.float16)
                       for n, s in shapes.items()}
        self.embedding = (random.standard_normal((VOCABULARY, HIDDEN))).astype(np.float16)

    def q4_0(self, *names):
        """Blocks of a scale and 16 bytes: element i and i + 16 in one."""
        blocks = []
        for name in names:
            codes = self.codes[name].reshape(-1, 32)
            packed = codes[:, :16] | codes[:, 16:] << 4
            blocks.append(np.concatenate([self.scales[name].reshape(-1, 1).view(np.uint8), packed], 1)
                          .reshape(self.codes[name].shape[0], -1))
        return np.concatenate(blocks)

    def nbits(self, name, block=32):
        """Elements 2 i and 2 i + 1 in one byte: [rows, blocks, block / 2]; of larger blocks every scale but the first goes."""
        codes = self.codes[name]
        return (codes[:, ::2] | codes[:, 1::2] << 4).reshape(codes.shape[0], -1, block // 2), self.scales[name][:, :: block // 32]


def write_gguf(path, w):
    out = gguf.GGUFWriter(path, "phi3")
    out.add_name("compare_formats")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(HIDDEN)
    out.add_feed_forward_length(FFN)
    out.add_block_count(w.layers)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(HEAD)
    out.add_rope_freq_base(10000.0)
    out.add_tokenizer_model("no_vocab")
    ones = np.ones(HIDDEN, np.float32)

    def codes(name, *parts):
        out.add_tensor(name, w.q4_0(*parts), raw_dtype=gguf.GGMLQuantizationType.Q4_0)

    out.add_tensor("token_embd.weight", w.embedding)
    for i in range(w.layers):
        out.add_tensor(f"blk.{i}.attn_norm.weight", ones)
        out.add_tensor(f"blk.{i}.ffn_norm.weight", ones)
        codes(f"blk.{i}.attn_qkv.weight", f"{i}.qkv")
        codes(f"blk.{i}.attn_output.weight", f"{i}.o")
        codes(f"blk.{i}.ffn_up.weight", f"{i}.gate", f"{i}.up")
        codes(f"blk.{i}.ffn_down.weight", f"{i}.down")
    out.add_tensor("output_norm.weight", ones)
    codes("output.weight", "output")
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def write_onnx(folder, w, block=32, element=np.float16):
    """element: of everything but codes; builders write float32 for the CPU, float16 for others."""
    nodes, initializers = [], []
    half = helper.np_dtype_to_tensor_dtype(np.dtype(element))

    def keep(name, array):
        initializers.append(numpy_helper.from_array(array, name))
        return name

    def node(op, inputs, outputs, domain="", **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        nodes.append(helper.make_node(op, inputs, outputs, name=f"/{op}/{len(nodes)}", domain=domain, **attributes))
        return outputs[0]

    def project(x, name, y):
        rows, columns = w.codes[name].shape
        codes, scales = w.nbits(name, block)
        return node("MatMulNBits", [x, keep(f"{name}.weight_Q4", codes), keep(f"{name}.weight_scales", scales.astype(element))], y, MS,
                    K=columns, N=rows, bits=4, block_size=block, accuracy_level=4)

    one = keep("/one", np.array([1], np.int64))
    total = node("ReduceSum", ["attention_mask", one], "/total", keepdims=0)
    last = node("Cast", [node("Sub", [total, one], "/less")], "/seqlens_k", to=TensorProto.INT32)
    size = node("Gather", [node("Shape", ["attention_mask"], "/shape"), keep("/axis", np.int64(1))], "/size", axis=0)
    length = node("Cast", [size], "/total_sequence_length", to=TensorProto.INT32)
    angles = np.arange(CONTEXT)[:, None] / 10000.0 ** (np.arange(0, HEAD, 2) / HEAD)[None]
    caches = [keep(n, f(angles).astype(element)) for n, f in (("cos_cache", np.cos), ("sin_cache", np.sin))]
    gain = keep("gain", np.ones(HIDDEN, element))
    skip = node("Gather", [keep("model.embed_tokens.weight", w.embedding.astype(element)), "input_ids"], "/embedding")
    x = node("SimplifiedLayerNormalization", [skip, gain], "/norm", axis=-1, epsilon=1e-5, stash_type=1)
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"]),
              helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "total"])]
    outputs = [helper.make_tensor_value_info("logits", half, ["batch", "sequence", VOCABULARY])]
    for i in range(w.layers):
        past, present = ([f"{word}.{i}.{n}" for n in ("key", "value")] for word in ("past_key_values", "present"))
        inputs += [helper.make_tensor_value_info(n, half, ["batch", HEADS, "past", HEAD]) for n in past]
        outputs += [helper.make_tensor_value_info(n, half, ["batch", HEADS, "total", HEAD]) for n in present]
        packed = project(x, f"{i}.qkv", f"/{i}/qkv")
        rows = node("GroupQueryAttention", [packed, "", "", *past, last, length, *caches], [f"/{i}/attention", *present], MS,
                    num_heads=HEADS, kv_num_heads=HEADS, do_rotary=1, scale=HEAD ** -0.5)
        y = project(rows, f"{i}.o", f"/{i}/o")
        x = node("SkipSimplifiedLayerNormalization", [skip, y, gain], [f"/{i}/mid", "", "", f"/{i}/mid_sum"], MS, epsilon=1e-5)
        gate, up = project(x, f"{i}.gate", f"/{i}/gate"), project(x, f"{i}.up", f"/{i}/up")
        active = node("Mul", [gate, node("Sigmoid", [gate], f"/{i}/sigmoid")], f"/{i}/act")
        y = project(node("Mul", [active, up], f"/{i}/gated"), f"{i}.down", f"/{i}/down")
        x = node("SkipSimplifiedLayerNormalization", [f"/{i}/mid_sum", y, gain], [f"/{i}/end", "", "", f"/{i}/end_sum"], MS, epsilon=1e-5)
        skip = f"/{i}/end_sum"
    project(x, "output", "logits")
    graph = helper.make_graph(nodes, "main_graph", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)], ir_version=10)
    onnx.save_model(model, folder / "model.onnx", save_as_external_data=True, location="model.onnx.data")
    decoder = {"filename": "model.onnx", "head_size": HEAD, "hidden_size": HIDDEN, "num_attention_heads": HEADS,
               "num_hidden_layers": w.layers, "num_key_value_heads": HEADS,
               "inputs": {"input_ids": "input_ids", "attention_mask": "attention_mask",
                          "past_key_names": "past_key_values.%d.key", "past_value_names": "past_key_values.%d.value"},
               "outputs": {"logits": "logits", "present_key_names": "present.%d.key", "present_value_names": "present.%d.value"},
               "session_options": {"provider_options": []}}
    (folder / "genai_config.json").write_text(json.dumps({"model": {
        "type": "phi3", "context_length": CONTEXT, "vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
        "decoder": decoder}, "search": {"max_length": CONTEXT, "past_present_share_buffer": True}}))


def bench(args, model):
    done = subprocess.run([args.program, "bench", str(model), "--threads", str(args.threads), "-p", str(args.prompt), "-n", str(args.tokens),
                           "--repeats", "1", "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def logits(args, model, place):
    ids = ",".join(str(i * 7919 % VOCABULARY) for i in range(24))
    subprocess.run([args.program, "run", str(model), "--ids", ids, "-n", "1", "--temp", "0", "--logits", str(place)], check=True,
                   capture_output=True)
    return np.load(place)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default=str(ROOT / "build/release/ondol"))
    for name, value in (("rounds", 5), ("threads", 2), ("layers", 4), ("prompt", 512), ("tokens", 64)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--keep")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(args.keep or folder)
        (place / "onnx").mkdir(parents=True, exist_ok=True)
        models = {"GGUF Q4_0": place / "model.gguf", "ONNX int4": place / "onnx"}
        if not (place / "onnx/genai_config.json").exists():
            weights = Weights(args.layers)
            write_gguf(place / "model.gguf", weights)
            write_onnx(place / "onnx", weights)
        a, b = (logits(args, m, Path(folder) / "logits.npy") for m in models.values())
        print(f"logits: worst difference {np.abs(a - b).max():.2g}, largest {np.abs(a).max():.3g}")
        results = {name: [] for name in models}
        for _ in range(args.rounds):
            for name, model in models.items():
                results[name].append(bench(args, model))
        print(json.dumps(results, indent=1)) if args.rounds == 1 else None
        for key in ("prefill_tok_s", "decode_tok_s"):
            shown = {n: [r[key] for r in rows] for n, rows in results.items()}
            medians = [statistics.median(v) for v in shown.values()]
            print(key, *(f"{n} {statistics.median(v):.1f} ({min(v):.1f} to {max(v):.1f})" for n, v in shown.items()),
                  f"ratio {medians[1] / medians[0]:.3f}")


if __name__ == "__main__":
    main()
