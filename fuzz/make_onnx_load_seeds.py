#!/usr/bin/env python3
"""Writes the seeds of fuzz_onnx_load to fuzz/seeds/onnx_load: small models with functions, subgraphs and operators of old
versions. Usage: python3 fuzz/make_onnx_load_seeds.py [FOLDER]. Needs: tools/requirements.txt."""
from pathlib import Path
import sys

import onnx
from onnx import parser

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "onnx_cases"))
import make_upgrade_cases  # noqa: E402

# Names of cases begin so; the first of each is taken.
OLD = ["add_6_axis_unshaped", "pow_1", "softmax_11_axis0_unshaped", "prelu_6", "onehot_9", "lppool_1_p2.5", "globallppool_1_p2.5",
       "squeeze_11", "reducemean_13", "slice_1", "split_1", "topk_1", "clip_6_defaults", "pad_2", "tile_1", "cast_1", "dft_17",
       "constant_11_sparse", "constant_25_strings", "batchnormalization_9_training", "batchnormalization_7_activations_training",
       "dropout_7", "groupnormalization_18", "gru_1", "lstm_1", "resize_10_mixed_nearest", "resize_11", "upsample_7", "scan_8_lengths",
       "crop_1", "giventensorfill_1", "labelencoder_1"]
TEXTS = {
    "functions": """<ir_version: 10, opset_import: ["": 18, "local": 1]>
        agraph (float[N, 4] x, bool c) => (float[N, 4] y)
        { t = local.Outer <alpha = 0.5> (x, c)  y = local.Inner (t, x) }
        <domain: "local", opset_import: ["": 18, "local": 1]> Outer <alpha> (a, c) => (r)
        { s = local.Inner <alpha: float = @alpha> (a, a)
          r = If (c) <then_branch = g1 () => (p) { p = Add(s, a) }, else_branch = g2 () => (q) { q = Neg(s) }> }
        <domain: "local", opset_import: ["": 18]> Inner <alpha: float = 2.0> (a, b) => (r)
        { l = LeakyRelu <alpha: float = @alpha> (a)  r = Max(l, b) }""",
    "control": """<ir_version: 8, opset_import: ["": 17]>
        agraph (int64 n, float[2] x) => (float[2] last, float[M, 2] all)
        { last, all = Loop (n, , x) <body = b (int64 i, bool c, float[2] s) => (bool k, float[2] t, float[2] u)
          { k = Identity(c)  t = Add(s, x)  u = Mul(t, t) }> }""",
    "sequences": """<ir_version: 8, opset_import: ["": 17]>
        agraph (float[2] x, seq(float[2]) s) => (seq(float[2]) r, int64 l)
        { e = SequenceInsert(s, x)  l = SequenceLength(e)
          r = SequenceMap(e) <body = b (float[2] a) => (float[2] z) { z = Add(a, x) }> }""",
    "shapes": """<ir_version: 8, opset_import: ["": 17]>
        agraph (float[N, C, H, W] x) => (float[N, K] y) <int64 zero = {0}, int64[1] rest = {-1}>
        { s = Shape(x)  n = Gather(s, zero)  axes = Constant <value_ints = [0]> ()  m = Unsqueeze(n, axes)
          d = Concat <axis = 0> (m, rest)  y = Reshape(x, d) }""",
}


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "seeds" / "onnx_load"
    out.mkdir(parents=True, exist_ok=True)
    made = make_upgrade_cases.make_all()
    for prefix in OLD:
        model = next(model for name, model, _, _ in made if name.startswith(prefix))
        (out / prefix).write_bytes(model.SerializeToString())
    for name, text in TEXTS.items():
        model = parser.parse_model(text)
        onnx.checker.check_model(model)
        (out / name).write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
