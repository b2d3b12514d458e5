#!/usr/bin/env python3
"""Runs the models of make_genai_models.py by the program and compares logits with those of ONNX Runtime.
Usage: test_genai.py ONDOL MODELS"""
import json
from pathlib import Path
import subprocess
import sys
import tempfile

import numpy as np

ONDOL, MODELS = sys.argv[1], Path(sys.argv[2])

# Worst difference of a logit, as a share of the largest; worst KL divergence. By what each side rounds: ONNX Runtime to
# 16 bits or, at accuracy level 4, activations to 8; our cpu activations to 8 bits with weights of codes.
FLOATS, HALVES, CODES = (2e-5, 1e-9), (4e-3, 1e-5), (5e-2, 2e-3)


def bounds(name, device, config):
    codes = any(word in name for word in ("int4", "int8", "tied", "window", "mixed"))
    if "acc4" in name or (codes and device == "cpu"):
        return CODES
    half = config["half"]
    return HALVES if half else FLOATS


def divergence(want, got):
    def logs(x):
        x = x.astype(np.float64) - x.max(-1, keepdims=True)
        return x - np.log(np.exp(x).sum(-1, keepdims=True))
    p, q = logs(want), logs(got)
    return float((np.exp(p) * (p - q)).sum(-1).max())


def logits(folder, device, ids, count):
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        command = [ONDOL, "run", str(folder), "--device", device, "--ids", ",".join(map(str, ids)), "-n", str(count), "--temp", "0",
                   "--ignore-eos", "--kv", "f32", "--logits", file.name, "--json", "--threads", "2"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise AssertionError(f"{' '.join(command)}\n{done.stderr}")
        return np.load(file.name), json.loads(done.stdout)["ids"]


def is_half(folder):
    import onnx
    model = onnx.load(folder / "model.onnx", load_external_data=False)  # a pair is not asked
    return next(o for o in model.graph.output if o.name == "logits").type.tensor_type.elem_type == onnx.TensorProto.FLOAT16


def check(folder, device):
    expected = np.load(folder / "expected.npz")
    ids = expected["ids"].tolist()
    kl_most, share_most = 0.0, 0.0
    worst, most = bounds(folder.name, device, {"half": is_half(folder)})
    for key in (k for k in expected.files if k.startswith("logits")):
        want = expected[key]
        got, _ = logits(folder, device, ids[: len(want)], 1)
        assert got.shape == want.shape, f"{key}: logits {got.shape}, expected {want.shape}"
        share_most = max(share_most, float(np.abs(got - want).max() / np.abs(want).max()))
        kl_most = max(kl_most, divergence(want, got))
    assert share_most <= worst and kl_most <= most, f"logits differ by {share_most:.2g} (at most {worst}), KL {kl_most:.2g} (at most {most})"
    # One token after the other, as a session computes them.
    got, answer = logits(folder, device, ids[:5], 8)
    again, _ = logits(folder, device, ids[:5] + answer[:-1], 1)
    assert np.array_equal(got, again), f"step by step logits differ from those at once by {np.abs(got - again).max():.2g}"
    return share_most, kl_most


def check_pair(folder, device):
    """With an encoder: the answer to a prompt, token by token."""
    expected = np.load(folder / "expected.npz")
    command = [ONDOL, "run", str(folder), "--device", device, "--ids", ",".join(map(str, expected["ids"])), "-n", "8", "--temp", "0",
               "--ignore-eos", "--json", "--threads", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)["ids"]
    assert answer == expected["answer"].tolist(), f"answer {answer}, expected {expected['answer'].tolist()}"
    return 0, 0


def program(*arguments, stdin=None):
    done = subprocess.run([ONDOL, *map(str, arguments)], capture_output=True, text=True, input=stdin, timeout=120)
    assert done.returncode == 0, f"{' '.join(map(str, arguments))}: {done.stderr}"
    return done.stdout


def check_commands(folder, device):
    """Each command takes a folder as it takes a GGUF file."""
    for text, ids in json.loads((folder / "encoded.json").read_text()):
        answer = json.loads(program("tokenize", folder, text, "--json"))
        got = answer["ids"]
        assert got == ids, f"{text!r}: tokens {got}, expected {ids}"
    options = ("--device", device, "--threads", "2")
    answer = json.loads(program("run", folder, "Hello", "-n", "6", "--temp", "0", "--json", *options))
    assert 1 <= len(answer["ids"]) <= 6, answer
    again = json.loads(program("run", folder / "model.onnx", "Hello", "-n", "6", "--temp", "0", "--json", *options))
    assert again["ids"] == answer["ids"], f"the file gives {again['ids']}, the folder {answer['ids']}"
    program("chat", folder, "-n", "4", "--temp", "0", *options, stdin="Hello\nAnd again\n")
    info = json.loads(program("info", folder, "--json"))
    assert info["chat_template"] and info["tokenizer"]["bos"] == 1 and info["tokenizer"]["eos"] == 2, info["tokenizer"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("Ondol runs small language models from files. " * 12)
        file.flush()
        assert json.loads(program("eval", folder, "--text", file.name, "--ctx", "64", "--json", *options))["perplexity"] > 1
    assert json.loads(program("bench", folder, "-p", "16", "-n", "8", "-r", "1", "--json", *options))["decode_tok_s"] > 0


def recognised(folder):
    done = subprocess.run([ONDOL, "info", str(folder), "--json"], capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(done.stdout)
    expected = not folder.name.startswith("written")
    assert answer["runs"] and answer["recognised"] == expected, answer.get("unrecognised", answer.get("reason", "recognised"))


failures = 0
for folder in sorted(MODELS.iterdir()):
    for device in ("ref", "cpu"):
        try:
            recognised(folder)
            if folder.name in ("phi3-int4-cpu-block32-acc4", "written-smooth-softmax"):
                check_commands(folder, device)
            share, kl = (check_pair if "pair" in folder.name else check)(folder, device)
            print(f"ok   {folder.name:28} {device}  worst {share:.1e} of the largest logit, KL {kl:.1e}")
        except AssertionError as fault:
            failures += 1
            print(f"FAIL {folder.name:28} {device}  {fault}")
print(f"{failures} failures")
sys.exit(failures > 0)
