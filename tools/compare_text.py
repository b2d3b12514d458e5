#!/usr/bin/env python3
"""Text, logits and perplexity of a real model next to llama.cpp's.

  compare_text.py MODEL.gguf [--program build/release/ondol] [--text FILE] [--tokens 64] [--chunks N] [--threads N]

Needs llama-cpp-python (tried: 0.3.36) beside tools/requirements.txt. Both engines get the same ids.
  greedy   ten prompts, the most likely token each time. Where the texts part, it prints how far apart the two tokens' logits
           are in llama.cpp, in Ondol and in `--device ref`, which rounds no activation, and how far ref's logits are from each
           engine's in the mean there: a near-tie is one that this noise settles.
  logits   KL divergence and top-1 agreement over the prompts' and answers' positions, and next to `--device ref` too.
  perplexity  windows of 512 tokens, second half counted, on --text (default: the licence, the documents and the headers).
"""

import argparse
import json
from pathlib import Path
import subprocess
import tempfile

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PROMPTS = (
    "What is the capital of France?", "Write a short poem about the sea.", "Explain how a bicycle stays upright.",
    "List three prime numbers larger than 50.", "Translate 'good morning' into Spanish.", "Why is the sky blue?",
    "Give me a recipe for pancakes.", "Who wrote the play Hamlet?", "What is the difference between a list and a tuple in Python?",
    "Tell me a story about a dragon who is afraid of fire.",
)


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


class Ondol:
    def __init__(self, args):
        self.program, self.model, self.threads = args.program, args.model, args.threads

    def json(self, *arguments):
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(arguments[:2])}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def tokenize(self, text):
        return self.json("tokenize", self.model, "--no-bos", "--json", text)["ids"]

    def run(self, ids, tokens, device):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "logits.npy"
            answer = self.json("run", self.model, "--raw", "--json", "--temp", "0", "-n", str(tokens), "--device", device,
                               "-t", str(self.threads), "--ids", ",".join(map(str, ids)), "--logits", str(path))
            return answer["ids"], np.load(path)

    def perplexity(self, text, chunks):
        more = ["--chunks", str(chunks)] if chunks else []
        return self.json("eval", self.model, "--text", str(text), "--ctx", "512", "--json", "-t", str(self.threads), *more)


class LlamaCpp:
    def __init__(self, args):
        import llama_cpp
        self.version = llama_cpp.__version__
        self.llama = llama_cpp.Llama(args.model, n_ctx=1024, n_batch=512, logits_all=True, n_threads=args.threads, verbose=False)

    def tokenize(self, text):
        return self.llama.tokenize(text.encode(), add_bos=False, special=True)

    def logits(self, ids):
        self.llama.reset()
        self.llama.eval(ids)
        return np.array(self.llama.scores[:len(ids)], dtype=np.float32)

    def greedy(self, ids, tokens, is_end):
        made, self_logits = [], []
        self.llama.reset()
        self.llama.eval(ids)
        for _ in range(tokens):
            row = np.array(self.llama.scores[self.llama.n_tokens - 1], dtype=np.float32)
            self_logits.append(row)
            best = int(row.argmax())
            if is_end(best):
                break
            made.append(best)
            self.llama.eval([best])
        return made, self_logits

    def perplexity(self, ids, chunks):
        total = count = 0
        for chunk in range(min(len(ids) // 512, chunks or 1 << 30)):
            window = list(ids[chunk * 512:(chunk + 1) * 512])
            if self.llama._model.add_bos_token():
                window[0] = self.llama.token_bos()
            rows = log_softmax(self.logits(window)[256:511])
            total -= rows[np.arange(255), window[257:512]].sum()
            count += 255
        return float(np.exp(total / count)), count


def compare_greedy(ours, peer, tokens):
    same, kl, agree, kl_ref, agree_ref = 0, [], [], [], []
    ends = {peer.llama.token_eos()}
    for prompt in PROMPTS:
        text = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
        ids = ours.tokenize(text)
        assert ids == peer.tokenize(text), f"ids differ: {prompt}"
        theirs, rows = peer.greedy(ids, tokens, lambda i: i in ends)
        got, logits = ours.run(ids, tokens, "cpu")
        got = [i for i in got if i not in ends]
        parts = next((i for i, (a, b) in enumerate(zip(got, theirs)) if a != b), min(len(got), len(theirs)))
        equal = got == theirs
        same += equal
        if equal:
            print(f"  same {len(got):3} tokens  {prompt}")
        else:
            end = next(iter(ends))
            pair = [(got + [end])[parts], (theirs + [end])[parts]]
            exact = ours.run(ids + got[:parts], 1, "ref")[1][-1]
            mine = logits[len(ids) + parts - 1]
            gap = [float(row[pair[0]] - row[pair[1]]) for row in (rows[parts], mine, exact)]
            noise = [float(np.abs(row - exact).mean()) for row in (rows[parts], mine)]
            print(f"  part at token {parts:2} of {len(theirs)}: the two are apart by {gap[0]:+.3f} in llama.cpp, {gap[1]:+.3f} in Ondol, "
                  f"{gap[2]:+.3f} in ref; mean distance of the logits from ref's {noise[0]:.3f}, {noise[1]:.3f}  {prompt}")
        fed = (ids + got)[:logits.shape[0]]
        p = log_softmax(peer.logits(fed))
        for device, found, k, a in (("cpu", logits, kl, agree), ("ref", None, kl_ref, agree_ref)):
            if found is None:
                found = ours.run(fed, 1, "ref")[1][:len(fed)]
            q = log_softmax(found[:len(fed)])
            k.extend((np.exp(p) * (p - q)).sum(axis=1))
            a.extend(p.argmax(axis=1) == q.argmax(axis=1))
    print(f"greedy: {same} of {len(PROMPTS)} the same")
    for name, k, a in (("cpu", kl, agree), ("ref", kl_ref, agree_ref)):
        print(f"logits of {name}: {len(k)} positions, KL mean {np.mean(k):.2e}, largest {np.max(k):.2e}, top-1 agreement "
              f"{100 * np.mean(a):.2f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--program", default=str(ROOT / "build/release/ondol"))
    parser.add_argument("--text", type=Path)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--chunks", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    ours, peer = Ondol(args), LlamaCpp(args)
    print(f"llama-cpp-python {peer.version}, {Path(args.model).name}")
    compare_greedy(ours, peer, args.tokens)
    with tempfile.TemporaryDirectory() as folder:
        text = args.text
        if not text:
            text = Path(folder) / "text"
            parts = [ROOT / "LICENSE", *sorted((ROOT / "docs").glob("*.md")), ROOT / "include/ondol/ondol.h"]
            text.write_text("\n".join(p.read_text() for p in parts))
        found = ours.perplexity(text, args.chunks)
        ids = peer.llama.tokenize(text.read_bytes(), add_bos=peer.llama._model.add_bos_token(), special=False)
        theirs, count = peer.perplexity(ids, args.chunks)
        print(f"perplexity: {found['perplexity']:.4f} ({found['tokens']} tokens), llama.cpp {theirs:.4f} ({count}): "
              f"{100 * (found['perplexity'] / theirs - 1):+.3f} %")


if __name__ == "__main__":
    main()
