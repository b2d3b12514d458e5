#!/usr/bin/env python3
"""Writes the rows of src/graph/ops/*.def: one for each operator and version range, from the schemas of the installed `onnx`
package and, for com.microsoft, of `onnxruntime`. A row's shape rule is ours: it is kept from the file as it is, and
infer_by_types where the row is new. Usage: make_ops.py [--check]   (--check: writes nothing, status 1 when a file is stale)"""
import re
import sys
from pathlib import Path

import onnx
from onnx import defs

FOLDER = Path(__file__).resolve().parent.parent / "src/graph/ops"
FILES = {"": "onnx", "ai.onnx.ml": "ml", "ai.onnx.preview": "preview", "ai.onnx.preview.training": "training",
         "com.microsoft": "microsoft"}
PREFIX = {"": "", "ai.onnx.ml": "ML_", "ai.onnx.preview": "PREVIEW_", "ai.onnx.preview.training": "TRAINING_",
          "com.microsoft": "MS_"}
# What real exports hold; the others of onnxruntime's table are its own inner forms.
MICROSOFT = """Attention BeamSearch BiasAdd BiasGelu BiasSoftmax BiasSplitGelu BifurcationDetector CDist ComplexMul ComplexMulConj
ConvTransposeWithDynamicPads CropAndResize DecoderMaskedMultiHeadAttention DecoderMaskedSelfAttention DequantizeLinear
DynamicQuantizeLSTM DynamicQuantizeMatMul EmbedLayerNormalization ExpandDims FastGelu FusedConv FusedGemm FusedMatMul
FusedMatMulActivation GatedRelativePositionBias GatherBlockQuantized GatherND Gelu GemmFastGelu GreedySearch GridSample
GroupNorm GroupQueryAttention Inverse Irfft IsAllFinite MatMulInteger16 MatMulIntegerToFloat MatMulNBits MaxpoolWithMask MoE
MulInteger MultiHeadAttention MurmurHash3 NGramRepeatBlock NhwcConv NhwcFusedConv NhwcMaxPool Pad PagedAttention QAttention
QGemm QLinearAdd QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul
QLinearReduceMean QLinearSigmoid QLinearSoftmax QLinearWhere QMoE QuantizeLinear QuickGelu Range ReduceSumInteger
RelativePositionBias Rfft RotaryEmbedding Sampling SkipGroupNorm SkipLayerNormalization SkipSimplifiedLayerNormalization
SparseToDenseMatMul Tokenizer TorchEmbedding TransposeMatMul Trilu UnfoldTensor Unique WordConvEmbedding""".split()
# Operators of the empty domain that only onnxruntime has.
RUNTIME_ONLY = ["SimplifiedLayerNormalization", "Affine", "ParametricSoftplus", "ImageScaler", "Crop", "ThresholdedRelu",
                "DynamicSlice", "GivenTensorFill", "Scale", "ScaledTanh"]
# Deprecated, but their successor cannot say all that they can: their last version stays an operator.
KEPT = ["TreeEnsembleClassifier", "TreeEnsembleRegressor"]
LETTERS = {"FLOAT": "f", "INT": "i", "STRING": "s", "TENSOR": "t", "GRAPH": "g", "SPARSE_TENSOR": "p", "TYPE_PROTO": "T",
           "FLOATS": "F", "INTS": "I", "STRINGS": "S", "TENSORS": "X", "GRAPHS": "G", "SPARSE_TENSORS": "Q", "TYPE_PROTOS": "P"}
SHORT = {"float": "f32", "double": "f64", "float16": "f16", "bfloat16": "bf16", "complex64": "c64", "complex128": "c128",
         "float8e4m3fn": "f8e4m3fn", "float8e4m3fnuz": "f8e4m3fnuz", "float8e5m2": "f8e5m2", "float8e5m2fnuz": "f8e5m2fnuz",
         "float6e2m3": "f6e2m3", "float6e3m2": "f6e3m2", "float8e8m0": "f8e8m0", "float4e2m1": "f4e2m1", "string": "string", "bool": "bool",
         **{f"{u}int{b}": f"{u}i{b}".replace("ui", "u") for u in ("", "u") for b in (2, 4, 8, 16, 32, 64)}}
UNBOUNDED = 2147483647


# Names that read as one word.
WORDS = {"MatMul": "Matmul", "NBits": "Nbits", "MoE": "Moe", "PRelu": "Prelu", "QLinear": "Qlinear", "CDist": "Cdist",
         "TfIdf": "Tfidf", "IsNaN": "IsNan", "QGemm": "Qgemm", "STFT": "Stft", "QAttention": "Qattention"}


def snake(name):
    for word, one in WORDS.items():
        name = name.replace(word, one)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).upper()


def short_type(text):
    """tensor(float) -> f32, seq(tensor(float)) -> seq(f32), map(int64,tensor(float)) and map(int64,float) -> map(i64,f32)"""
    text = text.replace(" ", "")
    text = re.sub(r"sparse_tensor\((\w+)\)", lambda m: f"sparse({SHORT[m.group(1)]})", text)
    text = re.sub(r"(?<![\w_])tensor\((\w+)\)", lambda m: SHORT[m.group(1)], text)
    text = re.sub(r"optional\(", "opt(", text)
    return re.sub(r"map\((\w+),(\w+)", lambda m: "map({},{}".format(*(SHORT.get(t, t) for t in m.groups())), text)


def enum_name(value):
    return str(value).split(".")[-1].upper()


def formal(parameters):
    rows = []
    for p in parameters:
        option = enum_name(p.option)
        type_text = getattr(p, "type_str", None) or getattr(p, "typeStr", "")
        homogeneous = getattr(p, "is_homogeneous", getattr(p, "isHomogeneous", True))
        mark = {"SINGLE": "", "OPTIONAL": "?", "VARIADIC": "*" if homogeneous else "~"}[option]
        rows.append(f"{p.name}:{short_type(type_text) if '(' in type_text else type_text}{mark}")
    return rows


def default_text(a):
    kind = enum_name(a.type)
    value = getattr(a, "default_value", None) or getattr(a, "_default_value", None)
    if isinstance(value, bytes):
        proto = onnx.AttributeProto()
        proto.ParseFromString(value)
        value = proto
    if value is None or value.type == onnx.AttributeProto.UNDEFINED:
        return None
    if kind == "INT":
        return str(value.i)
    if kind == "FLOAT":
        return repr(float(f"{value.f:.9g}"))
    if kind == "STRING":
        return value.s.decode()
    if kind == "INTS":
        return ",".join(str(i) for i in value.ints)
    if kind == "FLOATS":
        return ",".join(repr(float(f"{f:.9g}")) for f in value.floats)
    if kind == "STRINGS":
        return ",".join(s.decode() for s in value.strings)
    return None


def attributes(schema):
    rows = []
    for name in sorted(schema.attributes):
        a = schema.attributes[name]
        default = default_text(a)
        mark = f"={default}" if default is not None else "" if a.required else "?"
        rows.append(f"{name}:{LETTERS[enum_name(a.type)]}{mark}")
    return rows


def types(schema):
    rows = []
    for c in schema.type_constraints:
        name = getattr(c, "type_param_str", None) or c.typeParamStr
        allowed = getattr(c, "allowed_type_strs", None) or c.allowedTypeStrs
        rows.append(f"{name}=" + "|".join(sorted({short_type(t) for t in allowed})))
    return rows


def joined(rows):
    return "".join(r.replace("\\", "\\\\").replace('"', '\\"') + "\\0" for r in rows)


def wrapped(text):
    """A C string literal of `text`, broken behind each \\0 so that no line passes 100 columns by much."""
    parts, line = [], ""
    for piece in re.findall(r".*?\\0|.+$", text):
        while len(piece) > 88:
            cut = piece.rfind("|", 0, 88) + 1 or 88
            if line:
                parts.append(line)
                line = ""
            parts.append(piece[:cut])
            piece = piece[cut:]
        if line and len(line) + len(piece) > 88:
            parts.append(line)
            line = ""
        line += piece
    if line or not parts:
        parts.append(line)
    return "\n   ".join(f'"{p}"' for p in parts)


def count(n):
    return "GRAPH_MANY" if n >= UNBOUNDED else str(n)


def row(schema, domain, newest, rules):
    symbol = PREFIX[domain] + snake(schema.name)
    inputs, outputs = formal(schema.inputs), formal(schema.outputs)
    counts = ", ".join(count(n) for n in (schema.min_input, schema.max_input, schema.min_output, schema.max_output))
    macro = "OP" if newest and not schema.deprecated else "GONE" if schema.deprecated else "OLD"
    rule = rules.get(symbol, "infer_by_types") if macro == "OP" else "infer_by_types"
    body = [wrapped(joined(x)) for x in (inputs, outputs, types(schema), attributes(schema))]
    return (f'{macro}({symbol}, "{domain}", "{schema.name}", {schema.since_version}, {counts},\n   {rule},\n   '
            + ",\n   ".join(body) + ")\n")


def onnx_schemas():
    for s in defs.get_all_schemas_with_history():
        yield ("" if s.domain == "ai.onnx" else s.domain), s


def runtime_schemas():
    from onnxruntime.capi import onnxruntime_pybind11_state as state
    for s in state.get_all_operator_schema():
        if s.domain == "com.microsoft" and s.name in MICROSOFT:
            yield "com.microsoft", s
        elif s.domain == "" and s.name in RUNTIME_ONLY and not defs.has(s.name):
            yield "", s


def main():
    check = "--check" in sys.argv
    groups = {}
    for domain, s in [*onnx_schemas(), *runtime_schemas()]:
        if domain in FILES:
            groups.setdefault(domain, {}).setdefault(s.name, []).append(s)
    stale = []
    for domain, operators in groups.items():
        path = FOLDER / f"{FILES[domain]}.def"
        old = path.read_text() if path.exists() else ""
        rules = dict(re.findall(r'^OP\((\w+), "[^"]*", "[^"]*", \d+, [\w, ]+,\n   (\w+),', old, re.M))
        text = (f"/* Operators of domain {domain or 'ai.onnx'}, see graph/ops.def. Written by tools/make_ops.py, which keeps\n"
                " * the shape rules: the line below each OP. */\n\n")
        for name in sorted(operators):
            versions = sorted(operators[name], key=lambda s: -s.since_version)
            newest = next((s for s in versions if not s.deprecated), None) if name in KEPT else versions[0]
            for s in versions:
                text += row(s, domain, s is newest, rules)
        if text != old:
            stale.append(path.name)
            if not check:
                path.write_text(text)
        print(f"{path.name}: {len(operators)} operators, {sum(map(len, operators.values()))} versions")
    if stale:
        print(("stale: " if check else "written: ") + " ".join(stale))
    return 1 if check and stale else 0


sys.exit(main())
