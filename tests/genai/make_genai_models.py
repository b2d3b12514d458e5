#!/usr/bin/env python3
"""Writes tiny language models in the forms in which ONNX Runtime GenAI's builder exports them (names, operators, order of
nodes), with random weights, each in a folder of its own with genai_config.json, and the logits that ONNX Runtime gives.
Usage: make_genai_models.py OUT"""
import json
from pathlib import Path
import shutil
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
import onnxruntime

HIDDEN, HEAD, FFN, VOCABULARY, LAYERS, CONTEXT = 128, 32, 256, 320, 2, 256
MS = "com.microsoft"
NP = {TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16}


def tables(rows, theta=10000.0, factor=1.0, size=HEAD, magnitude=1.0):
    angles = np.arange(rows)[:, None] / theta ** (np.arange(0, size, 2) / size)[None] / factor
    return np.cos(angles) * magnitude, np.sin(angles) * magnitude


def write_text(folder):
    """A tokenizer of the vocabulary's size, and a chat template, as the builder copies them."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)])
    specials = ["<pad>", "<s>", "</s>", "<|end|>", "<|user|>", "<|assistant|>"]
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[AddedToken(t, special=True) for t in specials],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    root = Path(__file__).resolve().parents[2]
    tokenizer.train_from_iterator((root / "README.md").read_text().splitlines(), trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "add_bos_token": True}))
    (folder / "chat_template.jinja").write_text(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}")
    texts = ["Hello, world!", "Ondol runs small models.", " spaces   and\nlines\t", "한국어 文字 ñ", "<|user|>hi<|end|>"]
    (folder / "encoded.json").write_text(json.dumps([[t, tokenizer.encode(t).ids] for t in texts]))


class Model:
    """One export. `layout`: how a projection is stored; `rotary`: where it is done."""

    def __init__(self, name, dtype=TensorProto.FLOAT, layout="float", rotary="attention", heads=4, kv_heads=4, **options):
        self.name, self.dtype, self.layout, self.rotary = name, dtype, layout, rotary
        self.heads, self.kv_heads, self.options = heads, kv_heads, options
        self.random = np.random.default_rng(sum(map(ord, name)))
        self.nodes, self.initializers = [], []
        self.positions = "position_ids" if options.get("position_ids") else ""
        self.build()

    # ---- parts of a graph

    def node(self, op, inputs, outputs, domain="", **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"/n{len(self.nodes)}/{op}", domain=domain, **attributes))
        return outputs[0]

    def constant(self, name, array):
        if name not in (t.name for t in self.initializers):
            self.initializers.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def floats(self, name, array):
        return self.constant(name, np.asarray(array).astype(NP[self.dtype]))

    def numbers(self, *shape, scale=1.0):
        return (self.random.standard_normal(shape) * scale).astype(np.float32)

    def nbits(self, name, rows, columns, bits, block, zeros):
        blocks = (columns + block - 1) // block
        codes = self.random.integers(0, 256, (rows, blocks, block * bits // 8), dtype=np.uint8)
        scales = self.random.uniform(0.5, 1.5, (rows, blocks)) * 12 ** 0.5 / 2 ** bits * columns ** -0.5
        out = [self.constant(f"{name}.weight_Q{bits}", codes),
               self.floats(f"{name}.weight_scales", scales.reshape(-1) if self.options.get("flat") else scales)]
        if zeros:
            middle = 2 ** (bits - 1)  # a pair of zero points in each byte, or one
            points = self.random.integers(middle - 1, middle + 2, (rows, (blocks * bits + 7) // 8), dtype=np.uint8)
            if bits == 4:
                points += points[:, ::-1] << 4
            out.append(self.constant(f"{name}.weight_zp", points.reshape(-1) if self.options.get("flat") else points))
        return out

    def project(self, x, name, rows, columns, bits=None):
        y = f"/{name}/output_0"
        if self.layout == "float":
            return self.node("MatMul", [x, self.floats(f"{name}.weight", self.numbers(columns, rows, scale=columns ** -0.5))], y)
        if self.layout == "qdq":
            codes = self.random.integers(-8, 8, (columns, rows)).astype(np.int8)
            codes = helper.make_tensor(f"{name}.codes", TensorProto.INT4, codes.shape, codes.reshape(-1).tolist())
            self.initializers.append(codes)
            scales = self.floats(f"{name}.scales", self.random.uniform(0.01, 0.03, (columns // 32, rows)))
            w = self.node("DequantizeLinear", [codes.name, scales], f"{name}.dequantized", axis=0, block_size=32)
            return self.node("MatMul", [x, w], y)
        bits = bits or self.options.get("bits", 4)
        block = self.options.get("block", 32)
        attributes = {"K": columns, "N": rows, "bits": bits, "block_size": block}
        if self.options.get("accuracy"):
            attributes["accuracy_level"] = self.options["accuracy"]
        return self.node("MatMulNBits", [x, *self.nbits(name, rows, columns, bits, block, self.options.get("zeros"))], y, MS, **attributes)

    def gain(self, name, n=HIDDEN):
        return self.floats(name, 1 + 0.2 * self.numbers(n))

    # ---- rotary caches

    def caches(self):
        kind = self.options.get("long")
        small = tables(CONTEXT)
        if not kind:
            return self.floats("cos_cache", small[0]), self.floats("sin_cache", small[1])
        threshold = 16
        small, large = tables(threshold), tables(CONTEXT, factor=4.0, magnitude=1.19)
        if kind == "rows":  # one cache, positions shifted for long sequences
            both = [np.concatenate(pair) for pair in zip(small, large)]
            most = self.node("ReduceMax", ["position_ids"], "/pos/ReduceMax/output_0", keepdims=0)
            far = self.node("GreaterOrEqual", [most, self.constant("/pos/limit", np.int64(threshold))], "/pos/far")
            shift = self.node("Mul", [self.node("Cast", [far], "/pos/cast", to=TensorProto.INT64),
                                      self.constant("/pos/shift", np.int64(threshold))], "/pos/mul")
            self.positions = self.node("Add", ["position_ids", shift], "/pos/add")
            return self.floats("cos_cache", both[0]), self.floats("sin_cache", both[1])
        shape = self.node("Shape", ["attention_mask"], "/rot/Shape/output_0")
        total = self.node("Gather", [shape, self.constant("/rot/one", np.int64(1))], "/rot/Gather/output_0", axis=0)
        far = self.node("Greater", [total, self.constant("/rot/limit", np.int64(threshold))], "/rot/Greater/output_0")

        def branch(name, pair):
            nodes = [helper.make_node("Constant", [], [f"{n}_{name}"], value=numpy_helper.from_array(v.astype(NP[self.dtype])))
                     for n, v in zip(("cos", "sin"), pair)]
            outputs = [helper.make_tensor_value_info(f"{n}_{name}", self.dtype, pair[0].shape) for n in ("cos", "sin")]
            return helper.make_graph(nodes, name, [], outputs)

        self.node("If", [far], ["cos_cache", "sin_cache"], then_branch=branch("large", large), else_branch=branch("small", small))
        return "cos_cache", "sin_cache"

    # ---- layers

    def attention(self, x, layer, lengths, caches):
        q, kv = self.heads * HEAD, self.kv_heads * HEAD
        name = f"model.layers.{layer}.attn"
        past = [f"past_key_values.{layer}.{n}" for n in ("key", "value")]
        present = [f"present.{layer}.{n}" for n in ("key", "value")]
        if self.rotary == "attention":
            packed = self.project(x, f"{name}.qkv_proj", q + 2 * kv, HIDDEN)
            if self.options.get("bias"):
                packed = self.node("Add", [packed, self.floats(f"{name}.qkv_bias", self.numbers(q + 2 * kv, scale=0.1))], f"/{name}/bias")
            rows = [packed, "", ""]
        else:
            rows = [self.project(x, f"{name}.{n}_proj", size, HIDDEN) for n, size in (("q", q), ("k", kv), ("v", kv))]
            if self.options.get("head_norms"):
                for i, heads in ((0, self.heads), (1, self.kv_heads)):
                    n = "qk"[i]
                    split = self.node("Reshape", [rows[i], self.constant(f"/split{heads}", np.array([0, -1, HEAD], np.int64))], f"/{name}/{n}_split")
                    normed = self.node("SimplifiedLayerNormalization", [split, self.gain(f"{name}.{n}_norm", HEAD)], f"/{name}/{n}_normed",
                                       axis=-1, epsilon=1e-6, stash_type=1)
                    rows[i] = self.node("Reshape", [normed, self.constant(f"/join{heads}", np.array([0, -1, heads * HEAD], np.int64))], f"/{name}/{n}_joined")
            if self.rotary == "operator":
                rows[:2] = [self.node("RotaryEmbedding", [r, self.positions, *caches], f"/{name}/{n}_rotary", MS, interleaved=0,
                                      num_heads=0, rotary_embedding_dim=0) for r, n in zip(rows, "qk")]
        own = self.rotary != "operator"
        attributes = {"num_heads": self.heads, "kv_num_heads": self.kv_heads, "scale": HEAD ** -0.5, "do_rotary": int(own),
                      "rotary_interleaved": 0, "local_window_size": self.options.get("window", -1),
                      "softcap": self.options.get("softcap", 0.0), **self.options.get("attention", {})}
        inputs = [*rows, *past, *lengths, *(caches if own else ("", "")), "", "", ""]
        self.node("GroupQueryAttention", inputs, [f"/{name}/output_0", *present], MS, **attributes)
        return self.project(f"/{name}/output_0", f"{name}.o_proj", HIDDEN, q, self.options.get("mixed"))

    def feed_forward(self, x, layer):
        name = f"model.layers.{layer}.mlp"
        gate, up = (self.project(x, f"{name}.{n}_proj", FFN, HIDDEN) for n in ("gate", "up"))
        if self.options.get("gelu"):
            active = self.node("FastGelu", [gate], f"/{name}/act", MS)
        else:
            active = self.node("Mul", [gate, self.node("Sigmoid", [gate], f"/{name}/sigmoid")], f"/{name}/act")
        return self.project(self.node("Mul", [active, up], f"/{name}/mul"), f"{name}.down_proj", HIDDEN, FFN, self.options.get("mixed"))

    def embed(self):
        if not self.options.get("tied"):
            table = self.floats("model.embed_tokens.weight", self.numbers(VOCABULARY, HIDDEN))
            x = self.node("Gather", [table, "input_ids"], "/embed/Gather/output_0")
        else:
            codes, scales = self.nbits("lm_head", VOCABULARY, HIDDEN, 4, 32, False)
            flat = self.node("Reshape", [codes, self.constant("/embed/shape", np.array([VOCABULARY, HIDDEN // 2], np.int64))], "/embed/Reshape")
            x = self.node("GatherBlockQuantized", [flat, "input_ids", scales], "/embed/output_0", MS, bits=4, block_size=32,
                          gather_axis=0, quantize_axis=1)
        if self.options.get("scaled"):
            x = self.node("Mul", [x, self.floats("/embed/scale", np.float32(HIDDEN ** 0.5))], "/embed/Mul/output_0")
        return x

    def head(self, x):
        if self.options.get("tied"):
            logits = self.node("MatMulNBits", [x, "lm_head.weight_Q4", "lm_head.weight_scales"], "logits_", MS, K=HIDDEN, N=VOCABULARY, bits=4, block_size=32)
        else:
            logits = self.project(x, "lm_head", VOCABULARY, HIDDEN)
        cap = self.options.get("logit_cap")
        if cap:
            small = self.node("Tanh", [self.node("Div", [logits, self.floats("/cap", np.float32(cap))], "/cap/Div")], "/cap/Tanh")
            logits = self.node("Mul", [small, "/cap"], "/cap/Mul")
        self.node("Identity", [logits], "logits")

    def lengths(self):
        one = self.constant("/one", np.array([1], np.int64))
        total = self.node("ReduceSum", ["attention_mask", one], "/mask/ReduceSum/output_0", keepdims=0)
        last = self.node("Cast", [self.node("Sub", [total, one], "/mask/Sub/output_0")], "/mask/Sub/Cast/output_0", to=TensorProto.INT32)
        size = self.node("Gather", [self.node("Shape", ["attention_mask"], "/mask/Shape/output_0"), self.constant("/axis", np.int64(1))],
                         "/mask/Gather/output_0", axis=0)
        return [last, self.node("Cast", [size], "/mask/Gather/Cast/output_0", to=TensorProto.INT32)]

    def build(self):
        lengths, caches, skip = self.lengths(), self.caches(), self.embed()
        x = self.node("SimplifiedLayerNormalization", [skip, self.gain("model.layers.0.input_layernorm.weight")], "/norm0", axis=-1, epsilon=1e-5, stash_type=1)
        for layer in range(LAYERS):
            for part, made in (("attn", lambda v: self.attention(v, layer, lengths, caches)), ("mlp", lambda v: self.feed_forward(v, layer))):
                y = made(x)
                names = [f"/skip{layer}{part}/output_{i}" for i in (0, 3)]
                x = self.node("SkipSimplifiedLayerNormalization", [skip, y, self.gain(f"model.layers.{layer}.{part}_norm")],
                              [names[0], "", "", names[1]], MS, epsilon=1e-5)
                skip = names[1]
        self.head(x)

    # ---- files

    def proto(self):
        ids = helper.make_tensor_value_info
        inputs = [ids("input_ids", TensorProto.INT64, ["batch_size", "sequence_length"]),
                  ids("attention_mask", TensorProto.INT64, ["batch_size", "total_sequence_length"])]
        if self.options.get("position_ids"):
            inputs.append(ids("position_ids", TensorProto.INT64, ["batch_size", "sequence_length"]))
        outputs = [ids("logits", self.dtype, ["batch_size", "sequence_length", VOCABULARY])]
        for layer in range(LAYERS):
            for n in ("key", "value"):
                inputs.append(ids(f"past_key_values.{layer}.{n}", self.dtype, ["batch_size", self.kv_heads, "past_sequence_length", HEAD]))
                outputs.append(ids(f"present.{layer}.{n}", self.dtype, ["batch_size", self.kv_heads, "total_sequence_length", HEAD]))
        graph = helper.make_graph(self.nodes, "main_graph", inputs, outputs, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(MS, 1)], ir_version=10)

    def config(self):
        inputs = {"input_ids": "input_ids", "attention_mask": "attention_mask",
                  "past_key_names": "past_key_values.%d.key", "past_value_names": "past_key_values.%d.value"}
        if self.options.get("position_ids"):
            inputs["position_ids"] = "position_ids"
        return {"model": {"bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0, "context_length": CONTEXT, "vocab_size": VOCABULARY, "type": "phi3",
                          "decoder": {"filename": "model.onnx", "head_size": HEAD, "hidden_size": HIDDEN, "num_attention_heads": self.heads,
                                      "num_hidden_layers": LAYERS, "num_key_value_heads": self.kv_heads, "inputs": inputs,
                                      "outputs": {"logits": "logits", "present_key_names": "present.%d.key", "present_value_names": "present.%d.value"}}},
                "search": {"do_sample": False, "max_length": CONTEXT}}

    def logits(self, path, ids):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if self.layout == "qdq":  # ONNX Runtime would round activations to 8 bits
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        feed = {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64),
                "position_ids": np.arange(len(ids), dtype=np.int64)[None]}
        for v in session.get_inputs():
            if v.name.startswith("past"):
                feed[v.name] = np.zeros((1, self.kv_heads, 0, HEAD), NP[self.dtype])
        return session.run(["logits"], {v.name: feed[v.name] for v in session.get_inputs()})[0][0].astype(np.float32)

    def write(self, folder):
        folder.mkdir(parents=True)
        onnx.save_model(self.proto(), folder / "model.onnx", save_as_external_data=True, all_tensors_to_one_file=True,
                        location="model.onnx.data", size_threshold=1024)
        (folder / "genai_config.json").write_text(json.dumps(self.config(), indent=1))
        write_text(folder)
        ids = np.random.default_rng(5).integers(4, VOCABULARY, 40).tolist()
        lengths = (12, 40) if self.options.get("long") else (40,)
        expected = {f"logits_{n}": self.logits(folder / "model.onnx", ids[:n]) for n in lengths}
        np.savez(folder / "expected.npz", ids=ids, **expected)


class Plain:
    """A decoder of standard operators, as exporters wrote it before contrib operators and genai_config.json: explicit attention
    with Softmax, keys and values by Concat; with an encoder beside it (`pair`) as T5 has one; or by com.microsoft.Attention."""

    def __init__(self, name, attention="explicit", pair=False):
        self.name, self.attention, self.pair = name, attention, pair
        self.random = np.random.default_rng(sum(map(ord, name)))
        self.nodes, self.initializers = [], []

    node, constant = Model.node, Model.constant

    def weight(self, name, rows, columns):
        return self.constant(name, (self.random.standard_normal((rows, columns)) * rows ** -0.5).astype(np.float32))

    def integer(self, *values):
        return self.constant("/i" + "_".join(map(str, values)), np.array(values, np.int64))

    def heads(self, x, name):
        split = self.node("Reshape", [x, self.integer(0, -1, 4, HEAD)], f"/{name}/split")
        return self.node("Transpose", [split], f"/{name}/heads", perm=[0, 2, 1, 3])

    def attend(self, q, k, v, bias, name):
        scores = self.node("MatMul", [q, self.node("Transpose", [k], f"/{name}/kt", perm=[0, 1, 3, 2])], f"/{name}/qk")
        scores = self.node("Mul", [scores, self.constant("/scale", np.float32(HEAD ** -0.5))], f"/{name}/scaled")
        if bias:
            scores = self.node("Add", [scores, bias], f"/{name}/biased")
        y = self.node("MatMul", [self.node("Softmax", [scores], f"/{name}/softmax", axis=-1), v], f"/{name}/values")
        y = self.node("Transpose", [y], f"/{name}/turned", perm=[0, 2, 1, 3])
        y = self.node("Reshape", [y, self.integer(0, -1, HIDDEN)], f"/{name}/joined")
        return self.node("MatMul", [y, self.weight(f"{name}.o", HIDDEN, HIDDEN)], f"/{name}/o")

    def norm(self, x, name):
        gain, zero = (self.constant(f"{name}.{n}", np.full(HIDDEN, v, np.float32)) for n, v in (("gain", 1.1), ("bias", 0.05)))
        return self.node("LayerNormalization", [x, gain, zero], f"/{name}/norm", axis=-1, epsilon=1e-5)

    def feed_forward(self, x, name):
        h = self.node("MatMul", [self.norm(x, name), self.weight(f"{name}.up", HIDDEN, FFN)], f"/{name}/up")
        y = self.node("MatMul", [self.node("Relu", [h], f"/{name}/relu"), self.weight(f"{name}.down", FFN, HIDDEN)], f"/{name}/down")
        return self.node("Add", [x, y], f"/{name}/sum")

    def embed(self, ids):
        return self.node("Gather", [self.constant("embedding", self.random.standard_normal((VOCABULARY, HIDDEN)).astype(np.float32)), ids], "/embedding")

    def project(self, x, name, parts):
        return [self.heads(self.node("MatMul", [x, self.weight(f"{name}.{n}", HIDDEN, HIDDEN)], f"/{name}/{n}"), f"{name}.{n}") for n in parts]

    def causal(self):
        """0 where a token sees another, else a very negative number: [1, 1, sequence, total]."""
        total = self.node("Gather", [self.node("Shape", ["attention_mask"], "/mask/shape"), self.integer(1)], "/mask/total")
        fresh = self.node("Gather", [self.node("Shape", ["input_ids"], "/ids/shape"), self.integer(1)], "/ids/fresh")
        zero, one = self.constant("/0", np.int64(0)), self.constant("/1", np.int64(1))
        first = self.node("Squeeze", [self.node("Sub", [total, fresh], "/mask/past")], "/mask/past0")
        end = self.node("Squeeze", [total], "/mask/total0")
        keys = self.node("Range", [zero, end, one], "/mask/keys")
        rows = self.node("Unsqueeze", [self.node("Range", [first, end, one], "/mask/rows"), self.integer(1)], "/mask/column")
        later = self.node("Greater", [keys, rows], "/mask/later")
        low, none = self.constant("/low", np.float32(-1e9)), self.constant("/none", np.float32(0))
        return self.node("Where", [later, low, none], "/mask/bias")

    def decoder(self):
        self.nodes, self.initializers = [], []
        value = helper.make_tensor_value_info
        inputs = [value("input_ids", TensorProto.INT64, ["batch", "sequence"])]
        outputs = [value("logits", TensorProto.FLOAT, ["batch", "sequence", VOCABULARY])]
        if self.pair:
            inputs += [value("encoder_hidden_states", TensorProto.FLOAT, ["batch", "source", HIDDEN]),
                       value("encoder_attention_mask", TensorProto.INT64, ["batch", "source"]), value("use_cache_branch", TensorProto.BOOL, [1])]
        else:
            inputs.append(value("attention_mask", TensorProto.INT64, ["batch", "total"]))
        x = self.embed("input_ids")
        bias = self.causal() if self.attention == "explicit" and not self.pair else None
        for layer in range(LAYERS):
            name = f"{layer}.self"
            normed = self.norm(x, name)
            if self.attention == "contrib":
                past, present = f"past_{layer}", f"present_{layer}"
                inputs.append(value(past, TensorProto.FLOAT, [2, "batch", 4, "past", HEAD]))
                outputs.append(value(present, TensorProto.FLOAT, [2, "batch", 4, "total", HEAD]))
                y = self.node("Attention", [normed, self.weight(f"{name}.qkv", HIDDEN, 3 * HIDDEN),
                                            self.constant(f"{name}.qkv_bias", np.zeros(3 * HIDDEN, np.float32)), "", past],
                              [f"/{name}/attention", present], MS, num_heads=4, unidirectional=1)
                y = self.node("MatMul", [y, self.weight(f"{name}.o", HIDDEN, HIDDEN)], f"/{name}/o")
            else:
                q, k, v = self.project(normed, name, "qkv")
                word = ".decoder" if self.pair else ""
                joined = []
                for n, fresh in (("key", k), ("value", v)):
                    past, present = (f"{w}.{layer}{word}.{n}" for w in ("past_key_values", "present"))
                    inputs.append(value(past, TensorProto.FLOAT, ["batch", 4, "past", HEAD]))
                    outputs.append(value(present, TensorProto.FLOAT, ["batch", 4, "total", HEAD]))
                    joined.append(self.node("Concat", [past, fresh], present, axis=2))
                y = self.attend(q, *joined, bias, name)
            x = self.node("Add", [x, y], f"/{name}/sum")
            if self.pair:
                x = self.cross(x, layer, inputs, outputs)
            x = self.feed_forward(x, f"{layer}.ffn")
        self.node("MatMul", [self.norm(x, "last"), self.weight("head", HIDDEN, VOCABULARY)], "logits")
        return self.proto(inputs, outputs)

    def cross(self, x, layer, inputs, outputs):
        """Keys and values of the encoder's states: made once, then handed on, as merged decoders do."""
        name, value = f"{layer}.cross", helper.make_tensor_value_info
        q, = self.project(self.norm(x, name), name, "q")
        kept = []
        for n in ("key", "value"):
            past, present = (f"{w}.{layer}.encoder.{n}" for w in ("past_key_values", "present"))
            inputs.append(value(past, TensorProto.FLOAT, ["batch", 4, "source_past", HEAD]))
            outputs.append(value(present, TensorProto.FLOAT, ["batch", 4, "source_total", HEAD]))
            weight = self.weight(f"{name}.{n}", HIDDEN, HIDDEN)
            then = helper.make_graph([helper.make_node("Identity", [past], [f"{present}.kept"])], "kept", [], [value(f"{present}.kept", TensorProto.FLOAT, None)])
            made = [helper.make_node("MatMul", ["encoder_hidden_states", weight], ["a"]),
                    helper.make_node("Reshape", ["a", self.integer(0, -1, 4, HEAD)], ["b"]),
                    helper.make_node("Transpose", ["b"], [f"{present}.made"], perm=[0, 2, 1, 3])]
            other = helper.make_graph(made, "made", [], [value(f"{present}.made", TensorProto.FLOAT, None)])
            kept.append(self.node("If", ["use_cache_branch"], present, then_branch=then, else_branch=other))
        return self.node("Add", [x, self.attend(q, *kept, None, name)], f"/{name}/sum")

    def encoder(self):
        self.nodes, self.initializers = [], []
        value = helper.make_tensor_value_info
        x = self.embed("input_ids")
        y = self.attend(*self.project(self.norm(x, "e"), "e", "qkv"), None, "e")
        x = self.node("Add", [x, y], "/e/sum")
        self.node("Identity", [self.norm(self.feed_forward(x, "e.ffn"), "e.last")], "last_hidden_state")
        return self.proto([value("input_ids", TensorProto.INT64, ["batch", "source"]), value("attention_mask", TensorProto.INT64, ["batch", "source"])],
                          [value("last_hidden_state", TensorProto.FLOAT, ["batch", "source", HIDDEN])])

    def proto(self, inputs, outputs):
        graph = helper.make_graph(self.nodes, "main_graph", inputs, outputs, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)], ir_version=8)

    def run(self, path, feeds, names=None):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for v in session.get_inputs():
            if v.name.startswith("past"):
                feeds.setdefault(v.name, np.zeros([d if isinstance(d, int) else 1 if d == "batch" else 0 for d in v.shape], np.float32))
        return session.run(names, {v.name: feeds[v.name] for v in session.get_inputs()})

    def write(self, folder):
        folder.mkdir(parents=True)
        config = {"model_type": "t5" if self.pair else "gpt2", "vocab_size": VOCABULARY, "max_position_embeddings": CONTEXT, "hidden_size": HIDDEN,
                  "head_dim": HEAD, "eos_token_id": 2, "is_encoder_decoder": self.pair, "decoder_start_token_id": 7}
        (folder / "config.json").write_text(json.dumps(config))
        path = folder / ("decoder_model_merged.onnx" if self.pair else "model.onnx")
        onnx.save(self.decoder(), path)
        ids = np.random.default_rng(6).integers(4, VOCABULARY, 20).tolist()
        if not self.pair:
            want, = self.run(path, {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64)}, ["logits"])
            np.savez(folder / "expected.npz", ids=ids, logits_20=want[0])
            return
        onnx.save(self.encoder(), folder / "encoder_model.onnx")
        states, = self.run(folder / "encoder_model.onnx", {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, 20), np.int64)})
        answer, rows = [7], []
        for _ in range(8):  # greedy, all of the answer anew for each token; the decoder sees no mask: so one token at a time with its past
            rows.append(self.decode_all(path, states, answer))
            answer.append(int(rows[-1].argmax()))
        np.savez(folder / "expected.npz", ids=ids, answer=answer[1:], answer_logits=np.stack(rows))

    def decode_all(self, path, states, answer):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names, past = [o.name for o in session.get_outputs()], {}
        for i, token in enumerate(answer):
            feeds = {"input_ids": np.array([[token]], np.int64), "encoder_hidden_states": states, "encoder_attention_mask": np.ones((1, 20), np.int64),
                     "use_cache_branch": np.array([i > 0]), **past}
            out = dict(zip(names, self.run(path, feeds)))
            past = {k.replace("present", "past_key_values"): v for k, v in out.items() if k != "logits"}
        return out["logits"][0, -1]


HALF = TensorProto.FLOAT16
FLOAT_LIKE, CODES = "float", "codes"
MODELS = [
    # The four configurations of Phi-3 mini.
    Model("phi3-awq-int4-dml", HALF, "nbits", "operator", block=128, zeros=True, flat=True, position_ids=True),
    Model("phi3-fp16-cuda", HALF),
    Model("phi3-int4-cuda", HALF, "nbits"),
    Model("phi3-int4-cpu-block32-acc4", layout="nbits", accuracy=4),
    # Their 128k forms.
    Model("phi3-long-if", HALF, long="if"),
    Model("phi3-long-rows", HALF, rotary="operator", long="rows", position_ids=True),
    # Other models, and options of the builder.
    Model("llama-int4", layout="nbits", kv_heads=2),
    Model("llama-fp32", kv_heads=1),
    Model("qwen2-tied", HALF, "nbits", kv_heads=2, bias=True, tied=True),
    Model("qwen3-head-norms", rotary="separate", kv_heads=2, head_norms=True),
    Model("gemma2-caps", kv_heads=2, gelu=True, scaled=True, softcap=20.0, logit_cap=3.0),
    Model("mistral-window", layout="nbits", kv_heads=2, window=8),
    Model("int8-block64", layout="nbits", bits=8, block=64),
    Model("mixed-4-and-8", layout="nbits", mixed=8, zeros=True),
    Model("qdq-int4", layout="qdq"),
    # What is not recognised runs as it is written.
    Model("written-smooth-softmax", kv_heads=2, attention={"smooth_softmax": 1}),
    Model("written-smooth-softmax-int4", layout="nbits", kv_heads=2, attention={"smooth_softmax": 1}),
    Plain("written-explicit"),
    Plain("written-gpt2-attention", attention="contrib"),
    Plain("written-t5-pair", pair=True),
]

if __name__ == "__main__":
    out = Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    for model in MODELS:
        model.write(out / model.name)
    print(len(MODELS), "models")
