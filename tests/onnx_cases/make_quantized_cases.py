#!/usr/bin/env python3
"""Writes cases of quantised models, in the form of the official ones: operators between DequantizeLinear and QuantizeLinear, as
static quantisation makes them. What is expected is the graph as it is written, computed by ONNX Runtime in float32; a result may
be one code away, for int8 rounds once where floats round more often. Usage: make_quantized_cases.py OUT"""
from pathlib import Path
import shutil
import sys

import numpy as np

from graph_cases import Graph

F32, I8, U8, I32 = np.float32, np.int8, np.uint8, np.int32
random = np.random.default_rng(17)


class Quantized(Graph):
    def quantize(self, x, scale, zero):
        return self.node("QuantizeLinear", [x, self.keep(F32(scale)), self.keep(zero)])

    def dequantize(self, q, scale, zero=None, **attributes):
        return self.node("DequantizeLinear", [q, self.keep(np.asarray(scale, F32))] + ([] if zero is None else [self.keep(zero)]), **attributes)

    def activation(self, x, scale, zero):
        return self.dequantize(self.quantize(x, scale, zero), scale, zero)

    def weight(self, shape, scale, zero=None, dtype=I8, **attributes):
        codes = random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape).astype(dtype)
        return self.dequantize(self.keep(codes), scale, zero, **attributes)

    def write(self, folder, name, y, tolerance):
        super().write(folder, name, y, 0, float(tolerance) * 1.001)


def convolutions(out):
    for dtype in (U8, I8):
        for by_channel in (False, True):
            for bias in (False, True):
                for groups in (1, 2, 8):
                    g = Quantized(random, [2, 8, 9, 10])
                    zero = dtype(7) if dtype == I8 else dtype(131)
                    x = g.activation("x", 0.02, zero)
                    scales = random.uniform(0.002, 0.006, 16) if by_channel else 0.004
                    inputs = [x, g.weight((16, 8 // groups, 3, 3), scales, axis=0) if by_channel else g.weight((16, 8 // groups, 3, 3), scales)]
                    if bias:
                        b = np.asarray(F32(0.02) * np.asarray(scales, F32), F32)
                        inputs.append(g.dequantize(g.keep(random.integers(-4000, 4000, 16).astype(I32)), b, axis=0) if by_channel else
                                      g.dequantize(g.keep(random.integers(-4000, 4000, 16).astype(I32)), b))
                    y = g.node("Conv", inputs, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 2], group=groups)
                    g.write(out, f"conv_{dtype.__name__}_{'channels' if by_channel else 'tensor'}_{'bias' if bias else 'plain'}_{groups}",
                            g.activation(y, 0.05, zero), 0.05)


def products(out):
    for dtype in (U8, I8):
        zero = dtype(-3) if dtype == I8 else dtype(120)
        for kind in ("tensor", "columns", "unsigned"):
            g = Quantized(random, [3, 5, 40])
            x = g.activation("x", 0.03, zero)
            w = {"tensor": lambda: g.weight((40, 24), 0.01), "columns": lambda: g.weight((40, 24), random.uniform(0.004, 0.01, 24), axis=1),
                 "unsigned": lambda: g.weight((40, 24), 0.01, U8(100), U8)}[kind]()
            g.write(out, f"matmul_{dtype.__name__}_{kind}", g.activation(g.node("MatMul", [x, w]), 0.1, zero), 0.1)
        for op in ("Add", "Mul"):
            g = Quantized(random, [2, 6, 7])
            a, b = g.activation("x", 0.03, zero), g.activation(g.node("Sin", ["x"]), 0.01, zero)
            g.write(out, f"{op.lower()}_{dtype.__name__}", g.activation(g.node(op, [a, b]), 0.04, zero), 0.04)


def networks(out):
    g = Quantized(random, [1, 4, 12, 12])
    x = g.activation("x", 0.03, U8(128))
    a = g.activation(g.node("Relu", [g.node("Conv", [x, g.weight((16, 4, 3, 3), 0.004)], kernel_shape=[3, 3], pads=[1] * 4)]), 0.02, U8(0))
    b = g.activation(g.node("Conv", [a, g.weight((16, 1, 3, 3), random.uniform(0.001, 0.004, 16), axis=0)], kernel_shape=[3, 3], pads=[1] * 4, group=16), 0.02, U8(128))
    c = g.activation(g.node("Add", [g.activation(a, 0.02, U8(128)), b]), 0.03, U8(128))
    d = g.activation(g.node("GlobalAveragePool", [c]), 0.01, U8(128))
    e = g.activation(g.node("MatMul", [g.node("Reshape", [d, g.keep(np.array([1, 16], np.int64))]), g.weight((16, 10), 0.01)]), 0.01, U8(128))
    g.write(out, "network", e, 0.04)


out = Path(sys.argv[1])
shutil.rmtree(out, ignore_errors=True)
for make in (convolutions, products, networks):
    make(out)
print(len(list(out.iterdir())), "cases")
