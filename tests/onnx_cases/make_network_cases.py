#!/usr/bin/env python3
"""Writes cases of random networks for images, in the form of the official ones: operators that keep their channels last on some
devices next to those that do not, weights larger than a cache, shapes at which vectors end. What is expected comes from ONNX
Runtime. Usage: make_network_cases.py OUT"""
from pathlib import Path
import shutil
import sys

import numpy as np
from onnx import TensorProto

from graph_cases import Graph

F32 = np.float32
random = np.random.default_rng(23)


def pick(*choices):
    return choices[random.integers(len(choices))]


class Network(Graph):
    """Values with their shapes; `grow` adds an operator that takes one or two of them."""

    def __init__(self, shape):
        super().__init__(random, shape, 22)
        self.values = [("x", list(shape))]

    def images(self):
        return [v for v in self.values if len(v[1]) == 4]

    def add(self, name, shape):
        self.values.append((name, [int(d) for d in shape]))

    def floats(self, *shape, scale=1.0):
        return self.keep((random.standard_normal(shape) * scale).astype(F32))

    def conv(self, x, shape):
        n, c, h, w = shape
        kernel, stride, dilation = [pick(1, 1, 2, 3, 5), pick(1, 3, 3)], [pick(1, 1, 2), pick(1, 2)], [pick(1, 1, 2), 1]
        pads = [int(random.integers(0, k + 1)) for k in kernel] + [int(random.integers(0, k)) for k in kernel]
        out = [(d + pads[i] + pads[2 + i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i, d in enumerate((h, w))]
        if min(out) < 1:
            return
        groups = pick(1, 1, 1, c, 2 if c % 2 == 0 else 1)
        m = groups * int(random.integers(1, 5)) if groups > 1 else int(random.integers(1, 50))
        inputs = [x, self.floats(m, c // groups, *kernel, scale=(c // groups * kernel[0] * kernel[1]) ** -0.5)]
        if random.random() < 0.5:
            inputs.append(self.floats(m))
        self.add(self.node("Conv", inputs, kernel_shape=kernel, strides=stride, dilations=dilation, pads=pads, group=groups), [n, m] + out)

    def conv_transpose(self, x, shape):
        n, c, h, w = shape
        kernel, stride = [pick(1, 2, 3), pick(2, 3)], [pick(1, 2), pick(2, 3)]
        m, bias = int(random.integers(1, 9)), random.random() < 0.5
        inputs = [x, self.floats(c, m, *kernel, scale=c ** -0.5)] + ([self.floats(m)] if bias else [])
        out = [(d - 1) * stride[i] + kernel[i] for i, d in enumerate((h, w))]
        if max(out) < 40:
            self.add(self.node("ConvTranspose", inputs, kernel_shape=kernel, strides=stride), [n, m] + out)

    def alone(self, x, shape):
        self.add(self.node(pick("Relu", "Sigmoid", "HardSwish", "Abs", "Neg"), [x]), shape)

    def with_constant(self, x, shape):
        c = shape[1] if len(shape) == 4 else 1
        form = pick([], [c, 1, 1] if len(shape) == 4 else [1], [1] * len(shape), shape, shape[-1:])
        self.add(self.node(pick("Add", "Mul", "Sub"), pick(lambda k: [x, k], lambda k: [k, x])(self.floats(*form))), shape)

    def with_other(self, x, shape):
        others = [v for v in self.values if len(v[1]) == len(shape) and all(a == b or 1 in (a, b) for a, b in zip(v[1], shape))]
        name, other = others[random.integers(len(others))]
        self.add(self.node(pick("Add", "Mul", "Max"), [x, name]), [max(a, b) for a, b in zip(shape, other)])

    def squeeze_excite(self, x, shape):
        pooled = self.node("GlobalAveragePool", [x])
        gate = self.node("HardSigmoid", [self.node("Conv", [pooled, self.floats(shape[1], shape[1], 1, 1, scale=shape[1] ** -0.5)])])
        self.add(gate, shape[:2] + [1, 1])
        self.add(self.node("Add", [x, self.node("Mul", [x, gate])]), shape)

    def pool(self, x, shape):
        if min(shape[2:]) < 2:
            return
        op = pick("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")
        if op.startswith("Global"):
            self.add(self.node(op, [x]), shape[:2] + [1, 1])
            return
        self.add(self.node(op, [x], kernel_shape=[2, 2], strides=[2, 1]), shape[:2] + [(shape[2] - 2) // 2 + 1, shape[3] - 1])

    def concat(self, x, shape):
        axis = int(random.integers(0, len(shape)))
        same = [v for v in self.values if len(v[1]) == len(shape) and all(a == b for i, (a, b) in enumerate(zip(v[1], shape)) if i != axis)]
        parts = [(x, shape)] + [same[random.integers(len(same))] for _ in range(pick(1, 2))]
        self.add(self.node("Concat", [p[0] for p in parts], axis=axis),
                 [sum(p[1][axis] for p in parts) if i == axis else d for i, d in enumerate(shape)])

    def slice(self, x, shape):
        axes = sorted(random.choice(len(shape), size=pick(1, 2), replace=False))
        starts = [int(random.integers(0, shape[a])) for a in axes]
        steps = [pick(1, 1, 2, -1) for _ in axes]
        ends = [-1000 if s < 0 else 1000 for s in steps]
        out = list(shape)
        for a, s, t in zip(axes, starts, steps):
            out[a] = s + 1 if t < 0 else (shape[a] - s - 1) // t + 1
        self.add(self.node("Slice", [x] + [self.keep(np.array(v, np.int64)) for v in (starts, ends, axes, steps)]), out)

    def split(self, x, shape):
        axis = int(random.integers(0, len(shape)))
        if shape[axis] < 2:
            return
        first = int(random.integers(1, shape[axis]))
        sizes = [first, shape[axis] - first]
        names = self.node("Split", [x, self.keep(np.array(sizes, np.int64))], count=2, axis=axis)
        for name, size in zip(names, sizes):
            self.add(name, [size if i == axis else d for i, d in enumerate(shape)])

    def transpose(self, x, shape):
        perm = pick([0, 2, 3, 1], [0, 3, 1, 2], [0, 2, 1, 3], list(random.permutation(4))) if len(shape) == 4 else list(random.permutation(len(shape)))
        self.add(self.node("Transpose", [x], perm=[int(p) for p in perm]), [shape[p] for p in perm])

    def squeeze(self, x, shape):
        ones = [i for i, d in enumerate(shape) if d == 1]
        if not ones or len(shape) < 3:
            return
        axis = ones[random.integers(len(ones))]
        self.add(self.node("Squeeze", [x, self.keep(np.array([axis], np.int64))]), shape[:axis] + shape[axis + 1 :])

    def unsqueeze(self, x, shape):
        if len(shape) < 4:
            axis = int(random.integers(0, len(shape) + 1))
            self.add(self.node("Unsqueeze", [x, self.keep(np.array([axis], np.int64))]), shape[:axis] + [1] + shape[axis:])

    def resize(self, x, shape):
        if max(shape[2:]) > 16:
            return
        scales = [1, 1, pick(1, 2, 3), 2]
        self.add(self.node("Resize", [x, "", self.keep(np.array(scales, F32))], mode=pick("nearest", "linear"),
                           coordinate_transformation_mode="asymmetric", nearest_mode="floor"), [d * s for d, s in zip(shape, scales)])

    def normalize(self, x, shape):
        c = shape[1]
        self.add(self.node("BatchNormalization", [x, self.floats(c), self.floats(c), self.floats(c),
                                                  self.keep(random.uniform(0.5, 2, c).astype(F32))]), shape)

    def row(self, x, shape):
        axis = int(random.integers(0, len(shape)))
        if random.random() < 0.5:
            self.add(self.node("Softmax", [x], axis=axis), shape)
            return
        self.add(self.node(pick("ReduceMean", "ReduceMax"), [x, self.keep(np.array([axis], np.int64))], keepdims=1),
                 [1 if i == axis else d for i, d in enumerate(shape)])

    def grow(self):
        of_images = [self.conv, self.conv, self.conv, self.conv_transpose, self.squeeze_excite, self.pool, self.resize, self.normalize]
        of_any = [self.alone, self.with_constant, self.with_other, self.with_other, self.concat, self.concat, self.slice, self.split,
                  self.transpose, self.squeeze, self.unsqueeze, self.row]
        if random.random() < 0.5:
            images = self.images()[-4:]
            pick(*of_images)(*images[random.integers(len(images))])
        else:
            recent = self.values[-4:]
            pick(*of_any)(*recent[random.integers(len(recent))])
        if np.prod(self.values[-1][1]) > 60000 or len(self.values[-1][1]) < 2:
            self.values.pop()


def networks(out, count, form, element, rtol, atol):
    for i in range(count):
        g = Network([pick(1, 1, 2), int(random.integers(1, 36)), int(random.integers(1, 14)), int(random.integers(1, 24))])
        for _ in range(24):
            g.grow()
        names = [v[0] for v in g.values[1:]]
        g.write(out, f"{form}_{i:03}", sorted(set(names[-3:] + [names[random.integers(len(names))]])), rtol, atol, element)


def large_weights(out):
    """Weights that are cut for the second cache; few and many pixels."""
    for i, (c, m, kernel, h, w) in enumerate([(256, 512, (5, 1), 70, 1), (384, 400, (1, 1), 7, 9), (130, 260, (3, 3), 20, 33), (512, 1000, (1, 1), 1, 1)]):
        g = Network([1, c, h, w])
        pads = [k // 2 for k in kernel] * 2
        y = g.node("Conv", ["x", g.floats(m, c, *kernel, scale=(c * kernel[0] * kernel[1]) ** -0.5), g.floats(m)], kernel_shape=kernel, pads=pads)
        y = g.node("Mul", [g.node("Relu", [y]), g.floats(m, 1, 1)])
        g.write(out, f"large_{i}", y, 1e-3, 1e-4)


def recurrent(out):
    """All steps of LSTM, GRU and RNN: directions, biases, states that are given."""
    for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        for i, direction in enumerate(("forward", "reverse", "bidirectional") * 4):
            steps, batch, inputs, hidden = int(random.integers(1, 7)), int(random.integers(1, 5)), int(random.integers(1, 20)), int(random.integers(1, 40))
            n = 2 if direction == "bidirectional" else 1
            g = Network([steps, batch, inputs])
            names = ["x", g.floats(n, gates * hidden, inputs, scale=inputs ** -0.5), g.floats(n, gates * hidden, hidden, scale=hidden ** -0.5),
                     g.floats(n, 2 * gates * hidden, scale=0.3) if i % 2 else "", ""]
            if i % 4 > 1:
                names += [g.floats(n, batch, hidden)] + ([g.floats(n, batch, hidden)] if op == "LSTM" else [])
            more = {"linear_before_reset": i // 3 % 2} if op == "GRU" else {}
            if op == "RNN" and i % 3 == 0:
                more["activations"] = [pick("Relu", "Tanh")] * n
            outputs = g.node(op, names, count=3 if op == "LSTM" else 2, hidden_size=hidden, direction=direction, **more)
            g.write(out, f"{op.lower()}_{i}", outputs, 1e-3, 1e-5)


def main():
    out = Path(sys.argv[1])
    shutil.rmtree(out, ignore_errors=True)
    networks(out, 120, "network", TensorProto.FLOAT, 1e-3, 1e-4)
    networks(out, 40, "float16", TensorProto.FLOAT16, 2e-2, 2e-2)
    networks(out, 20, "bfloat16", TensorProto.BFLOAT16, 0.15, 0.15)
    large_weights(out)
    recurrent(out)


main()
