"""Values that do not fit the operators of the default domain and of ai.onnx.ml, at run time or before it."""
import numpy as np
from onnx import helper, numpy_helper

from bad_case import FAULTS, F32, I32, I64, I8, U8, add, model_of, fine, one

BIG = 2**40
FAR = (2**62, -2**62, 2**63 - 1, -2**63)
ZERO = np.zeros


def n(*shape):
    return np.arange(1, 1 + int(np.prod(shape)), dtype=F32).reshape(shape)


def i(*values):
    return np.array(values, I64)


def scalar(v, kind=I64):
    return np.array(v, kind)


def elementwise():
    for op in ("Add", "Sub", "Mul", "Div", "Pow", "PRelu", "Equal", "Less", "Greater"):
        one(f"{op}_shapes", op, [n(2, 3), n(4)])
    one("Max_shapes", "Max", [n(2), n(3), n(2)])
    one("Where_shapes", "Where", [np.array([True, False]), n(2), n(3)])
    one("And_shapes", "And", [np.array([True, False]), np.array([True] * 3)])
    for kind in (I8, U8, np.int16, np.uint16, I32, np.uint32, I64, np.uint64):
        one(f"Div_zero_{kind.__name__}", "Div", [np.array([4, 5], kind), np.array([2, 0], kind)], "FORMAT", ["zero"])
        one(f"Mod_zero_{kind.__name__}", "Mod", [np.array([4, 5], kind), np.array([2, 0], kind)], "FORMAT", ["zero"])
        if kind(0).dtype.kind == "i":
            least = np.array([np.iinfo(kind).min], kind)
            one(f"Div_least_{kind.__name__}", "Div", [least, np.array([-1], kind)], ("OK", *FAULTS))
            one(f"Mod_least_{kind.__name__}", "Mod", [least, np.array([-1], kind)], ("OK", *FAULTS))
            one(f"Pow_least_{kind.__name__}", "Pow", [least, np.array([-1], kind)], ("OK", *FAULTS))
            one(f"Abs_least_{kind.__name__}", "Abs", [least], "OK")
            one(f"Neg_least_{kind.__name__}", "Neg", [least], "OK")
    one("BitShift_far", "BitShift", [np.array([1], U8), np.array([200], U8)], ("OK", *FAULTS), direction="LEFT")
    one("BitShift_direction", "BitShift", [np.array([1], U8), np.array([1], U8)], direction="UP")
    one("Clip_bounds", "Clip", [n(2), n(2), n(2)])
    one("CumSum_axis", "CumSum", [n(2, 3), scalar(2)])
    one("CumSum_axes", "CumSum", [n(2, 3), i(0, 1)])
    one("Expand_shape", "Expand", [n(2, 3), i(4)])
    one("Expand_negative", "Expand", [n(1), i(-2)])
    one("Cast_text", "Cast", [np.array(["one"], object)], to=1)
    one("Cast_text_to_int", "Cast", [np.array(["1.5x"], object)], to=7)



def sizes():
    """Outputs past memory: refused before it is taken, with the number."""
    no = ("LIMIT", "FORMAT")
    one("Expand_2_40", "Expand", [n(1), i(BIG)], no, ["4398046511"])
    one("Expand_2_80", "Expand", [n(1, 1), i(BIG, BIG)], no)
    one("Tile_2_40", "Tile", [n(1), i(BIG)], no, ["4398046511"])
    one("Tile_2_80", "Tile", [n(2, 2), i(BIG, BIG)], no)
    one("ConstantOfShape_2_40", "ConstantOfShape", [i(1 << 20, 1 << 20)], no, ["4398046511"])
    one("ConstantOfShape_2_63", "ConstantOfShape", [i(1 << 62, 2)], no)
    one("ConstantOfShape_strings", "ConstantOfShape", [i(BIG)], no, value=helper.make_tensor("v", 8, [1], [b"abc"]))
    one("Range_2_40", "Range", [scalar(0), scalar(BIG), scalar(1)], no, ["8796093022"])
    one("Range_2_64", "Range", [scalar(-2**63), scalar(2**63 - 1), scalar(1)], no)
    one("Range_tiny", "Range", [scalar(0, F32), scalar(1e30, F32), scalar(1e-30, F32)], no)
    one("Range_float64_infinite", "Range", [scalar(0.0, float), scalar(np.inf, float), scalar(1.0, float)], no)
    one("Pad_2_40", "Pad", [n(2), i(0, BIG)], no, ["4398046511"])
    one("Pad_wrap", "Pad", [n(2), i(2**63 - 1, 2**63 - 1)], no)
    for mode in ("edge", "wrap"):
        one(f"Pad_2_40_{mode}", "Pad", [n(2), i(0, BIG)], no, mode=mode)
    one("Resize_2_40", "Resize", [n(1, 1, 2, 2), None, None, i(1, 1, 1 << 20, 1 << 20)], no, ["4398046511"])
    one("Resize_scale", "Resize", [n(1, 1, 2, 2), None, np.array([1, 1, 1e9, 1e9], F32)], no)
    one("Upsample_2_40", "Upsample", [n(1, 1, 2, 2), np.array([1, 1, 1e9, 1e9], F32)], no, ["1600000000"], version=9, named="Resize")
    one("OneHot_2_40", "OneHot", [i(1), scalar(BIG), n(2)], no, ["4398046511"])
    one("EyeLike_fine", "EyeLike", [n(2, 2)], "OK")
    one("RandomUniform_2_40", "RandomUniform", [], no, shape=[1 << 20, 1 << 20])
    one("RandomNormal_2_80", "RandomNormal", [], no, shape=[BIG, BIG])
    one("Multinomial_2_40", "Multinomial", [n(1, 2)], no, sample_size=BIG)
    one("HannWindow_2_40", "HannWindow", [scalar(BIG)], no, ["4398046511"])
    one("MelWeightMatrix_2_40", "MelWeightMatrix", [scalar(BIG), scalar(64), scalar(8000), scalar(0.0, F32), scalar(99.0, F32)], no)
    one("MatMul_2_40", "MatMul", [ZERO((1 << 20, 1), U8).astype(F32), ZERO((1, 1 << 20), U8).astype(F32)], no, kinds=["unstated"])
    one("Col2Im_2_40", "Col2Im", [n(1, 4, 4), i(1 << 20, 1 << 20), i(2, 2)], no)
    one("CenterCropPad_2_40", "CenterCropPad", [n(2, 2), i(1 << 20, 1 << 20)], no)
    one("AffineGrid_2_40", "AffineGrid", [n(1, 2, 3), i(1, 1, 1 << 20, 1 << 20)], no)
    one("ConvTranspose_2_40", "ConvTranspose", [n(1, 1, 2, 2), n(1, 1, 1, 1)], no, strides=[BIG, BIG])
    one("ConvTranspose_pads", "ConvTranspose", [n(1, 1, 2, 2), n(1, 1, 1, 1)], no, output_padding=[BIG, BIG], strides=[2**41] * 2)
    one("DFT_2_40", "DFT", [n(1, 4, 1), scalar(BIG)], no)
    one("Conv_pads_2_40", "Conv", [n(1, 1, 2, 2), n(1, 1, 1, 1)], no, pads=[1 << 20] * 4)
    one("Conv_pads_wrap", "Conv", [n(1, 1, 2, 2), n(1, 1, 1, 1)], no, pads=[2**63 - 1] * 4)
    one("MaxUnpool_2_40", "MaxUnpool", [n(1, 1, 1, 1), ZERO((1, 1, 1, 1), I64), i(1, 1, 1 << 20, 1 << 20)], no, kernel_shape=[1, 1])
    one("BlackmanWindow_negative", "BlackmanWindow", [scalar(-5)], no)
    one("SplitToSequence_many", "SplitToSequence", [n(4), scalar(0)], no)
    one("Unsqueeze_rank", "Unsqueeze", [n(1), i(*range(16))], no)


def shapes():
    for count, values in (("elements", i(4)), ("two_holes", i(-1, -1)), ("negative", i(-2, 3)), ("hole", i(-1, 4)),
                          ("zero", i(2, 3, 0)), ("wrap", i(2**32, 2**32)), ("wrap_to_6", i(2**63 - 1, 2)), ("hole_of_0", i(0, 0, -1))):
        one(f"Reshape_{count}", "Reshape", [n(2, 3), values], **({"allowzero": 1} if count == "hole_of_0" else {}))
    one("Reshape_matrix", "Reshape", [n(2, 3), i(2, 3).reshape(1, 2)])
    one("Concat_sizes", "Concat", [n(2, 3), n(3, 3)], axis=1)
    one("Concat_ranks", "Concat", [n(2, 3), n(3)], axis=0)
    one("Concat_scalars", "Concat", [scalar(1), scalar(2)], axis=0)
    for axis in (2, -3, *FAR):
        one(f"Concat_axis_{axis}", "Concat", [n(2, 3), n(2, 3)], axis=axis)
        one(f"Gather_axis_{axis}", "Gather", [n(2, 3), i(0)], axis=axis)
        one(f"Softmax_axis_{axis}", "Softmax", [n(2, 3)], axis=axis)
        one(f"Split_axis_{axis}", "Split", [n(2, 4)], axis=axis, num_outputs=2, outputs=2)
        one(f"ReduceSum_axis_{axis}", "ReduceSum", [n(2, 3), i(axis)])
        one(f"ArgMax_axis_{axis}", "ArgMax", [n(2, 3)], axis=axis)
        one(f"LayerNormalization_axis_{axis}", "LayerNormalization", [n(2, 3), n(3)], axis=axis)
        one(f"TopK_axis_{axis}", "TopK", [n(2, 3), i(1)], axis=axis, outputs=2)
        one(f"Unsqueeze_axis_{axis}", "Unsqueeze", [n(2), i(axis if abs(axis) > 3 else axis * 2)])
        one(f"Squeeze_axis_{axis}", "Squeeze", [n(1, 1), i(axis)])
        one(f"Compress_axis_{axis}", "Compress", [n(2, 3), np.array([True])], axis=axis)
        one(f"Unique_axis_{axis}", "Unique", [n(2, 3)], axis=axis)
        one(f"DFT_axis_{axis}", "DFT", [n(2, 3), None, scalar(axis if abs(axis) > 3 else 5)])
        one(f"Flatten_axis_{axis}", "Flatten", [n(2, 3)], axis=axis if axis != 2 else 3)
        one(f"ScatterElements_axis_{axis}", "ScatterElements", [n(2, 3), ZERO((1, 1), I64), n(1, 1)], axis=axis)
        one(f"GatherElements_axis_{axis}", "GatherElements", [n(2, 3), ZERO((1, 1), I64)], axis=axis)
        one(f"LpNormalization_axis_{axis}", "LpNormalization", [n(2, 3)], axis=axis)
        one(f"Hardmax_axis_{axis}", "Hardmax", [n(2, 3)], axis=axis)
        one(f"OneHot_axis_{axis}", "OneHot", [i(1), scalar(3), n(2)], axis=axis if axis != 2 else 3)
        one(f"QuantizeLinear_axis_{axis}", "QuantizeLinear", [n(2, 3), n(3), np.array([0, 0, 0], U8)], axis=axis)
        one(f"Concat_sequence_axis_{axis}", "ConcatFromSequence", [[n(2, 3), n(2, 3)]], axis=axis)
    for name, perm in (("short", [0]), ("twice", [0, 0]), ("far", [0, 5]), ("negative", [0, -3]), ("long", [0, 1, 2])):
        one(f"Transpose_{name}", "Transpose", [n(2, 3)], perm=perm)
    one("Squeeze_size", "Squeeze", [n(2, 3), i(0)])
    one("Unsqueeze_twice", "Unsqueeze", [n(2), i(0, 0)])
    one("Split_sum", "Split", [n(4), i(1, 2)], outputs=2)
    one("Split_negative", "Split", [n(4), i(5, -1)], outputs=2)
    one("Split_count", "Split", [n(4), i(1, 1, 2)], outputs=2)
    one("Split_wrap", "Split", [n(4), i(2**63 - 1, 2**63 - 1, 6)], outputs=3)
    one("Split_num_outputs", "Split", [n(4)], outputs=2, num_outputs=3)
    one("Split_num_outputs_0", "Split", [n(4)], outputs=1, num_outputs=0)
    one("Split_both", "Split", [n(4), i(2, 2)], outputs=2, num_outputs=2)
    one("SplitToSequence_sum", "SplitToSequence", [n(4), i(1, 1)])
    one("SplitToSequence_negative", "SplitToSequence", [n(4), i(5, -1)])
    one("Slice_step_0", "Slice", [n(4), i(0), i(4), i(0), i(0)])
    one("Slice_lengths", "Slice", [n(4), i(0), i(4, 4)])
    one("Slice_axes_twice", "Slice", [n(4, 4), i(0, 0), i(4, 4), i(0, 0)])
    one("Slice_axis", "Slice", [n(4), i(0), i(4), i(1)])
    one("Slice_many", "Slice", [n(4), i(0, 0), i(4, 4)])
    one("Slice_far", "Slice", [n(4), i(-2**63), i(2**63 - 1), i(0), i(2**63 - 1)], "OK")
    one("Slice_far_back", "Slice", [n(4), i(2**63 - 1), i(-2**63), i(0), i(-2**63)], "OK")
    one("Pad_count", "Pad", [n(2, 2), i(1, 1)])
    one("Pad_negative", "Pad", [n(2), i(-2, -2)])
    one("Pad_reflect", "Pad", [ZERO(0, F32), i(3, 3)], mode="reflect")
    one("Pad_edge_of_nothing", "Pad", [ZERO(0, F32), i(3, 3)], mode="edge")
    one("Pad_mode", "Pad", [n(2), i(1, 1)], mode="sideways")
    one("Pad_axes", "Pad", [n(2, 2), i(1, 1), None, i(7)])
    one("Tile_count", "Tile", [n(2, 2), i(2)])
    one("Tile_negative", "Tile", [n(2), i(-1)])
    one("ConstantOfShape_negative", "ConstantOfShape", [i(2, -1)])
    one("ConstantOfShape_value", "ConstantOfShape", [i(2)], value=helper.make_tensor("v", 1, [2], [1, 2]))
    one("Range_step_0", "Range", [scalar(0), scalar(5), scalar(0)])
    one("Range_nan", "Range", [scalar(0, F32), scalar(np.nan, F32), scalar(1, F32)])
    one("OneHot_negative", "OneHot", [i(1), scalar(-3), n(2)])
    one("OneHot_values", "OneHot", [i(1), scalar(3), n(3)])
    one("TopK_far", "TopK", [n(3), i(4)], outputs=2)
    one("TopK_negative", "TopK", [n(3), i(-1)], outputs=2)
    one("ArgMax_of_nothing", "ArgMax", [ZERO((0, 2), F32)], axis=0)
    one("ReduceMax_of_nothing", "ReduceMax", [ZERO((0, 2), np.int64), i(0)], ("OK", *FAULTS))
    one("ReduceMean_of_no_integers", "ReduceMean", [ZERO((0, 2), np.int64), i(0)], ("OK", *FAULTS))
    one("Identity_of_rank_16", "Identity", [np.ones((1,) * 16, F32)], "OK")
    one("DepthToSpace_size", "DepthToSpace", [n(1, 3, 1, 1)], blocksize=2)
    for size in (0, -1, 2**31, 2**62):
        one(f"DepthToSpace_{size}", "DepthToSpace", [n(1, 4, 1, 1)], blocksize=size)
        one(f"SpaceToDepth_{size}", "SpaceToDepth", [n(1, 1, 4, 4)], blocksize=size)
    one("SpaceToDepth_size", "SpaceToDepth", [n(1, 1, 3, 3)], blocksize=2)
    one("DepthToSpace_rank", "DepthToSpace", [n(4)], blocksize=2)
    one("ReverseSequence_far", "ReverseSequence", [n(2, 2), i(1, 3)])
    one("ReverseSequence_negative", "ReverseSequence", [n(2, 2), i(1, -1)])
    one("ReverseSequence_count", "ReverseSequence", [n(2, 2), i(1)])
    one("EyeLike_rank", "EyeLike", [n(2)])
    one("Trilu_rank", "Trilu", [n(2)])
    for k in FAR:
        one(f"Trilu_{k}", "Trilu", [n(2, 2), scalar(k)], "OK")
        one(f"EyeLike_{k}", "EyeLike", [n(2, 2)], "OK", k=k)
    one("Det_shape", "Det", [n(2, 3)])
    one("Det_rank", "Det", [n(2)])
    for name, equation in (("nothing", ""), ("letters", "ij,jk->iz"), ("operands", "ij->i"), ("ranks", "ijk,jk->i"),
                           ("twice", "ij,jk->ii"), ("sign", "ij,j?->i"), ("dots", "i..j,jk->ik"), ("arrows", "ij->jk->k")):
        one(f"Einsum_{name}", "Einsum", [n(2, 3), n(3, 4)], equation=equation)
    one("Einsum_sizes", "Einsum", [n(2, 3), n(4, 4)], equation="ij,jk->ik")


def indices():
    for k in (3, -4, *FAR):
        one(f"Gather_{k}", "Gather", [n(3), i(k)], "FORMAT", [str(k)])
        one(f"GatherElements_{k}", "GatherElements", [n(3), i(k)], "FORMAT", [str(k)])
        one(f"GatherND_{k}", "GatherND", [n(3), i(k).reshape(1, 1)], "FORMAT", [str(k)])
        one(f"ScatterElements_{k}", "ScatterElements", [n(3), i(k), n(1)], "FORMAT", [str(k)])
        one(f"ScatterND_{k}", "ScatterND", [n(3), i(k).reshape(1, 1), n(1)], "FORMAT", [str(k)])
        one(f"OneHot_{k}", "OneHot", [i(k), scalar(3), n(2)], "OK")
        one(f"MaxUnpool_{k}", "MaxUnpool", [n(1, 1, 1), i(k if k != 3 else 9).reshape(1, 1, 1)], kernel_shape=[2], strides=[2])
        one(f"NegativeLogLikelihoodLoss_{k}", "NegativeLogLikelihoodLoss", [n(1, 3), i(k)])
        one(f"SoftmaxCrossEntropyLoss_{k}", "SoftmaxCrossEntropyLoss", [n(1, 3), i(k)])
        one(f"RoiAlign_{k}", "RoiAlign", [n(1, 1, 4, 4), n(1, 4), i(k)])
        one(f"TensorScatter_{k}", "TensorScatter", [n(1, 3, 2), n(1, 1, 2), i(k)], version=24)
    one("GatherND_rank", "GatherND", [n(3), ZERO((1, 2), I64)])
    one("GatherND_batch", "GatherND", [n(3, 2), ZERO((2, 1), I64)], batch_dims=1)
    one("GatherND_batch_negative", "GatherND", [n(3, 2), ZERO((2, 1), I64)], batch_dims=-1)
    one("ScatterND_updates", "ScatterND", [n(3), ZERO((2, 1), I64), n(1)])
    one("ScatterND_rank", "ScatterND", [n(3), ZERO((1, 2), I64), n(1)])
    one("ScatterElements_shapes", "ScatterElements", [n(3), i(0, 1), n(1)])
    one("ScatterElements_reduction", "ScatterElements", [n(3), i(0), n(1)], reduction="average")
    one("GatherElements_rank", "GatherElements", [n(3, 2), i(0)])
    one("GatherElements_sizes", "GatherElements", [n(2, 2), ZERO((1, 3), I64)], axis=0)
    one("Gather_scalar", "Gather", [scalar(1.0, F32), i(0)])
    one("RoiAlign_shape", "RoiAlign", [n(1, 1, 4, 4), n(1, 3), i(0)])
    one("RoiAlign_count", "RoiAlign", [n(1, 1, 4, 4), n(2, 4), i(0)])
    one("RoiAlign_infinite", "RoiAlign", [n(1, 1, 4, 4), np.array([[np.nan, np.inf, -np.inf, 1e30]], F32), i(0)], ("OK", *FAULTS))
    one("RoiAlign_samples", "RoiAlign", [n(1, 1, 4, 4), np.array([[0, 0, 1e6, 1e6]], F32), i(0)], "FORMAT", ["samples"])
    one("MaxRoiPool_batch", "MaxRoiPool", [n(1, 1, 4, 4), np.array([[7, 0, 0, 1, 1]], F32)], pooled_shape=[1, 1])
    one("MaxRoiPool_nan", "MaxRoiPool", [n(1, 1, 4, 4), np.array([[np.nan] * 5], F32)], ("OK", *FAULTS), pooled_shape=[1, 1])
    one("NonMaxSuppression_shapes", "NonMaxSuppression", [n(1, 2, 4), n(1, 1, 3)])
    one("GridSample_shapes", "GridSample", [n(1, 1, 2, 2), n(2, 2, 2, 2)])
    one("GridSample_last", "GridSample", [n(1, 1, 2, 2), n(1, 2, 2, 3)])
    for name, v in (("nan", np.nan), ("infinite", np.inf), ("far", 1e30)):
        for mode in ("linear", "nearest", "cubic"):
            for padding in ("zeros", "border", "reflection"):
                one(f"GridSample_{name}_{mode}_{padding}", "GridSample", [n(1, 1, 2, 2), np.full((1, 1, 1, 2), v, F32)], "OK",
                    mode=mode, padding_mode=padding, kinds=["unstated"])


def windows():
    x, w = n(1, 2, 4, 4), n(2, 2, 3, 3)
    for op in ("Conv", "ConvTranspose"):
        one(f"{op}_channels", op, [x, n(3, 3, 3, 3)])
        one(f"{op}_rank", op, [x, n(2, 2, 3)])
        one(f"{op}_vector", op, [n(4), n(4)])
        one(f"{op}_bias", op, [x, w, n(5)])
        for name, more in (("group_0", {"group": 0}), ("group_negative", {"group": -1}), ("group_3", {"group": 3}),
                           ("strides_0", {"strides": [0, 1]}), ("strides_count", {"strides": [1]}),
                           ("dilations_0", {"dilations": [0, 1]}), ("dilations_wrap", {"dilations": [2**62, 1]}),
                           ("pads_count", {"pads": [0, 0]}), ("pads_negative", {"pads": [-9, 0, 0, 0]}),
                           ("kernel_differs", {"kernel_shape": [2, 2]}), ("kernel_0", {"kernel_shape": [0, 0]}),
                           ("auto_pad", {"auto_pad": "EVERYWHERE"}), ("strides_negative", {"strides": [-1, 1]})):
            one(f"{op}_{name}", op, [x, w], **more)
    one("Conv_too_large", "Conv", [n(1, 2, 2, 2), w])
    one("ConvTranspose_output_shape", "ConvTranspose", [x, w], ("OK", *FAULTS), output_shape=[2**40, 2**40])
    one("ConvTranspose_output_shape_count", "ConvTranspose", [x, w], output_shape=[6])
    one("ConvTranspose_output_shape_0", "ConvTranspose", [x, w], ("OK", *FAULTS), output_shape=[0, -3])
    for op in ("MaxPool", "AveragePool", "LpPool"):
        one(f"{op}_rank", op, [n(4)], kernel_shape=[2])
        one(f"{op}_kernel_count", op, [x], kernel_shape=[2])
        for name, more in (("kernel_0", {"kernel_shape": [0, 1]}), ("kernel_negative", {"kernel_shape": [-1, 1]}),
                           ("strides_0", {"strides": [0, 1]}), ("pads_count", {"pads": [0]}), ("pads_negative", {"pads": [-9] * 4}),
                           ("too_large", {"kernel_shape": [9, 9]}), ("kernel_wrap", {"kernel_shape": [2**62, 2**62]}),
                           ("dilations_0", {"dilations": [0, 0]}), ("dilations_wrap", {"dilations": [2**62, 2**62]}),
                           ("pads_wrap", {"pads": [2**63 - 1] * 4}), ("strides_count", {"strides": [1]})):
            one(f"{op}_{name}", op, [x], **{"kernel_shape": [2, 2], **more})
    one("MaxPool_strides_far", "MaxPool", [x], ("OK", *FAULTS), kernel_shape=[2, 2], strides=[2**62, 2**62])
    one("GlobalAveragePool_rank", "GlobalAveragePool", [n(4)])
    one("LRN_size_0", "LRN", [x], size=0)
    one("LRN_size_far", "LRN", [x], ("OK", *FAULTS), size=2**62)
    one("BatchNormalization_sizes", "BatchNormalization", [x, n(2), n(2), n(2), n(3)])
    one("InstanceNormalization_sizes", "InstanceNormalization", [x, n(3), n(2)])
    one("GroupNormalization_groups", "GroupNormalization", [x, n(2), n(2)], num_groups=3)
    one("GroupNormalization_groups_0", "GroupNormalization", [x, n(2), n(2)], num_groups=0)
    one("LayerNormalization_scale", "LayerNormalization", [n(2, 3), n(4)])
    one("RMSNormalization_scale", "RMSNormalization", [n(2, 3), n(4)])
    one("MatMul_inner", "MatMul", [n(2, 3), n(4, 2)])
    one("MatMul_batch", "MatMul", [n(2, 2, 3), n(3, 3, 2)])
    one("MatMul_scalar", "MatMul", [scalar(1.0, F32), n(2)])
    one("Gemm_inner", "Gemm", [n(2, 3), n(4, 2)])
    one("Gemm_transposed", "Gemm", [n(2, 3), n(3, 2)], transB=1)
    one("Gemm_rank", "Gemm", [n(2, 3, 1), n(1, 2)])
    one("Gemm_bias", "Gemm", [n(2, 3), n(3, 2), n(3)])
    one("Col2Im_sizes", "Col2Im", [n(1, 5, 4), i(3, 3), i(2, 2)])
    one("Col2Im_blocks", "Col2Im", [n(1, 4, 5), i(3, 3), i(2, 2)])
    one("Col2Im_0", "Col2Im", [n(1, 4, 4), i(3, 3), i(0, 0)])
    one("CenterCropPad_count", "CenterCropPad", [n(2, 2), i(3)])
    one("CenterCropPad_negative", "CenterCropPad", [n(2, 2), i(-3, 3)])
    one("AffineGrid_shape", "AffineGrid", [n(1, 3, 3), i(1, 1, 2, 2)])
    one("AffineGrid_negative", "AffineGrid", [n(1, 2, 3), i(1, 1, -2, 2)])
    one("DeformConv_offset", "DeformConv", [n(1, 1, 3, 3), n(1, 1, 2, 2), n(1, 4, 2, 2)])
    one("DeformConv_groups", "DeformConv", [n(1, 1, 3, 3), n(1, 1, 2, 2), n(1, 8, 2, 2)], offset_group=0)
    one("DeformConv_mask", "DeformConv", [n(1, 1, 3, 3), n(1, 1, 2, 2), n(1, 8, 2, 2), None, n(1, 3, 2, 2)])
    one("DeformConv_far", "DeformConv", [n(1, 1, 3, 3), n(1, 1, 2, 2), np.full((1, 8, 2, 2), 1e30, F32)], "OK")
    one("DeformConv_nan", "DeformConv", [n(1, 1, 3, 3), n(1, 1, 2, 2), np.full((1, 8, 2, 2), np.nan, F32)], "OK")


def resize():
    x = n(1, 1, 2, 2)
    for name, rest in (("neither", [None, None]), ("both", [None, np.ones(4, F32), i(1, 1, 2, 2)]), ("sizes_count", [None, None, i(2, 2)]),
                       ("scales_count", [None, np.ones(2, F32)]), ("scale_0", [None, np.array([1, 1, 0, 1], F32)]),
                       ("scale_negative", [None, np.array([1, 1, -1, 1], F32)]), ("scale_nan", [None, np.array([1, 1, np.nan, 1], F32)]),
                       ("scale_infinite", [None, np.array([1, 1, np.inf, 1], F32)]), ("sizes_negative", [None, None, i(1, 1, -2, 2)]),
                       ("scale_huge", [None, np.array([1, 1, 3e38, 3e38], F32)])):
        one(f"Resize_{name}", "Resize", [x, *rest])
    scales = np.array([1, 1, 2, 2], F32)
    for name, more in (("mode", {"mode": "sinc"}), ("nearest", {"nearest_mode": "up"}), ("transform", {"coordinate_transformation_mode": "x"}),
                       ("axes", {"axes": [7, 8, 9, 10]}), ("axes_twice", {"axes": [2, 2, 3, 3]})):
        one(f"Resize_{name}", "Resize", [x, None, scales], **more)
    one("Resize_policy", "Resize", [x, None, None, i(1, 1, 4, 4)], keep_aspect_ratio_policy="x")
    one("Resize_roi", "Resize", [x, n(3), scales], coordinate_transformation_mode="tf_crop_and_resize")
    one("Resize_roi_nan", "Resize", [x, np.full(8, np.nan, F32), scales], ("OK", *FAULTS), coordinate_transformation_mode="tf_crop_and_resize")
    one("Resize_roi_far", "Resize", [x, np.full(8, 1e38, F32), scales], ("OK", *FAULTS), coordinate_transformation_mode="tf_crop_and_resize",
        mode="cubic")
    one("Resize_of_nothing", "Resize", [ZERO((1, 1, 0, 2), F32), None, None, i(1, 1, 2, 2)])


def recurrent():
    for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        x, w, r = n(3, 2, 4), n(1, gates * 5, 4), n(1, gates * 5, 5)
        outs = {"outputs": 3 if op == "LSTM" else 2}
        fine(f"{op}_fine", op, [x, w, r], hidden_size=5, **outs)
        for name, values, more in (("hidden", [x, w, r], {"hidden_size": 6}), ("hidden_0", [x, w, r], {"hidden_size": 0}),
                                   ("hidden_far", [x, w, r], {"hidden_size": 2**62}), ("W", [x, n(1, gates * 5, 3), r], {}),
                                   ("R", [x, w, n(1, gates * 5, 4)], {}), ("B", [x, w, r, n(1, gates * 5)], {}),
                                   ("lengths", [x, w, r, None, np.array([3, 4], I32)], {}),
                                   ("lengths_negative", [x, w, r, None, np.array([3, -1], I32)], {}),
                                   ("lengths_count", [x, w, r, None, np.array([3], I32)], {}),
                                   ("h", [x, w, r, None, None, n(1, 2, 4)], {}), ("rank", [n(3, 2), w, r], {}),
                                   ("direction", [x, w, r], {"direction": "bidirectional"}),
                                   ("direction_unknown", [x, w, r], {"direction": "up"}), ("layout", [x, w, r], {"layout": 2}),
                                   ("activations", [x, w, r], {"activations": ["Sigmoidal"] * 3}),
                                   ("activation_count", [x, w, r], {"activations": []  or ["Tanh"] * 7})):
            one(f"{op}_{name}", op, values, **{"hidden_size": 5, **outs, **more})


def quantised():
    x, s, z = np.ones((2, 4), U8), np.ones((), F32), np.zeros((), U8)
    one("QuantizeLinear_scale", "QuantizeLinear", [n(2, 3), n(4), np.zeros(4, U8)])
    one("QuantizeLinear_zero", "QuantizeLinear", [n(2, 3), n(3), np.zeros(2, U8)])
    one("QuantizeLinear_block", "QuantizeLinear", [n(2, 4), n(2, 3)], block_size=2)
    one("QuantizeLinear_block_negative", "QuantizeLinear", [n(2, 4), n(2, 2)], block_size=-2)
    one("DequantizeLinear_scale", "DequantizeLinear", [x, n(3)])
    one("DequantizeLinear_block", "DequantizeLinear", [x, n(2, 3)], block_size=2)
    one("DequantizeLinear_block_far", "DequantizeLinear", [x, n(2, 2)], block_size=2**62)
    one("MatMulInteger_inner", "MatMulInteger", [x, np.ones((3, 2), U8)])
    one("MatMulInteger_zero", "MatMulInteger", [x, np.ones((4, 2), U8), np.zeros(3, U8)])
    one("QLinearMatMul_inner", "QLinearMatMul", [x, s, z, np.ones((3, 2), U8), s, z, s, z])
    one("QLinearMatMul_scale", "QLinearMatMul", [x, n(3), z, np.ones((4, 2), U8), s, z, s, z])
    q = np.ones((1, 2, 4, 4), U8)
    one("ConvInteger_channels", "ConvInteger", [q, np.ones((2, 3, 1, 1), U8)])
    one("QLinearConv_channels", "QLinearConv", [q, s, z, np.ones((2, 3, 1, 1), U8), s, z, s, z])
    one("QLinearConv_scales", "QLinearConv", [q, s, z, np.ones((2, 2, 1, 1), U8), n(3), np.zeros(3, U8), s, z])
    one("QLinearConv_bias", "QLinearConv", [q, s, z, np.ones((2, 2, 1, 1), U8), s, z, s, z, np.ones(3, I32)])


def words():
    text = np.array(["a b", "c"], object)
    one("RegexFullMatch_pattern", "RegexFullMatch", [text], pattern="(a")
    one("RegexFullMatch_endless", "RegexFullMatch", [np.array(["a" * 5000 + "b"], object)], ("OK", *FAULTS), pattern="(a*)*(a*)*c")
    one("StringConcat_shapes", "StringConcat", [text, np.array(["x"] * 3, object)])
    one("StringNormalizer_action", "StringNormalizer", [text], case_change_action="SHOUT")
    one("StringNormalizer_rank", "StringNormalizer", [np.array([[["a"]]], object)])
    one("StringNormalizer_locale", "StringNormalizer", [text], ("OK", *FAULTS), locale="x" * 1000, case_change_action="UPPER")
    grams = {"mode": "TF", "min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 0, "ngram_counts": [0, 2],
             "ngram_indexes": [0, 1, 2], "pool_int64s": [1, 2, 3, 4]}
    fine("TfIdfVectorizer_fine", "TfIdfVectorizer", [i(1, 2, 3)], **grams)
    for name, more in (("counts", {"ngram_counts": [0, 9]}), ("counts_negative", {"ngram_counts": [-1, 2]}),
                       ("counts_order", {"ngram_counts": [2, 0]}), ("indexes", {"ngram_indexes": [0, 1]}),
                       ("indexes_negative", {"ngram_indexes": [0, 1, -2]}), ("indexes_far", {"ngram_indexes": [0, 1, 2**62]}),
                       ("length_0", {"min_gram_length": 0}), ("lengths", {"min_gram_length": 3}), ("mode", {"mode": "X"}),
                       ("weights", {"mode": "IDF", "weights": [1.0]}), ("skip", {"max_skip_count": -1}),
                       ("pool", {"pool_int64s": [1, 2, 3]})):
        one(f"TfIdfVectorizer_{name}", "TfIdfVectorizer", [i(1, 2, 3)], **{**grams, **more})
    one("TfIdfVectorizer_skip_far", "TfIdfVectorizer", [i(1, 2, 3)], ("OK", *FAULTS), **{**grams, "max_skip_count": 2**62})
    one("ImageDecoder_noise", "ImageDecoder", [np.arange(200).astype(U8)], ("OK", *FAULTS))
    one("ImageDecoder_nothing", "ImageDecoder", [ZERO(0, U8)], ("OK", *FAULTS))
    one("ImageDecoder_header", "ImageDecoder", [np.frombuffer(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06\0\0\0", U8)], ("OK", *FAULTS))
    one("ImageDecoder_bitmap", "ImageDecoder", [np.frombuffer(b"BM" + bytes(8) + b"\x36\0\0\0\x28\0\0\0" + b"\xff\xff\xff\x7f" * 2
                                                              + b"\1\0\x18\0" + bytes(24), U8)], ("OK", *FAULTS))
    one("ImageDecoder_pnm", "ImageDecoder", [np.frombuffer(b"P6 99999999 99999999 255\n", U8)], ("OK", *FAULTS))


def other():
    one("DFT_length_0", "DFT", [n(1, 4, 1), scalar(0)])
    one("DFT_length_negative", "DFT", [n(1, 4, 1), scalar(-4)])
    one("DFT_last", "DFT", [n(1, 4, 3)])
    one("STFT_step_0", "STFT", [n(1, 8, 1), scalar(0), n(4)])
    one("STFT_window", "STFT", [n(1, 8, 1), scalar(2), n(4), scalar(9)])
    one("STFT_length", "STFT", [n(1, 8, 1), scalar(2), None, scalar(-1)])
    one("STFT_length_far", "STFT", [n(1, 8, 1), scalar(2), None, scalar(2**62)])
    one("MelWeightMatrix_rate", "MelWeightMatrix", [scalar(8), scalar(16), scalar(0), scalar(0.0, F32), scalar(9.0, F32)], ("OK", *FAULTS))
    one("MelWeightMatrix_edges", "MelWeightMatrix", [scalar(8), scalar(16), scalar(8192), scalar(np.nan, F32), scalar(np.inf, F32)], ("OK", *FAULTS))
    one("MelWeightMatrix_negative", "MelWeightMatrix", [scalar(-8), scalar(16), scalar(8192), scalar(0.0, F32), scalar(99.0, F32)])
    one("Multinomial_size", "Multinomial", [n(1, 2)], sample_size=-1)
    one("Multinomial_rank", "Multinomial", [n(2)])
    one("Multinomial_nan", "Multinomial", [np.full((1, 2), np.nan, F32)], ("OK", *FAULTS))
    one("RandomUniform_negative", "RandomUniform", [], shape=[2, -1])
    one("RandomNormalLike_type", "RandomNormalLike", [n(2)], dtype=99)
    one("Bernoulli_far", "Bernoulli", [n(2) * 5], ("OK", *FAULTS))
    one("Dropout_ratio", "Dropout", [n(2), scalar(1.0, F32), scalar(True, bool)], ("OK", *FAULTS))
    one("Dropout_ratio_2", "Dropout", [n(2), scalar(2.0, F32), scalar(True, bool)])
    one("NegativeLogLikelihoodLoss_shapes", "NegativeLogLikelihoodLoss", [n(2, 3), i(0)])
    one("NegativeLogLikelihoodLoss_weights", "NegativeLogLikelihoodLoss", [n(1, 3), i(0), n(2)])
    q, k, v = n(1, 2, 3, 4), n(1, 2, 5, 4), n(1, 2, 5, 4)
    fine("Attention_fine", "Attention", [q, k, v])
    for name, values, more in (("head_size", [q, n(1, 2, 5, 3), v], {}), ("lengths", [q, k, n(1, 2, 4, 4)], {}),
                               ("batch", [q, n(2, 2, 5, 4), n(2, 2, 5, 4)], {}), ("heads", [q, n(1, 3, 5, 4), n(1, 3, 5, 4)], {}),
                               ("mask", [q, k, v, n(3, 6)], {}), ("mask_rank", [q, k, v, n(1, 1, 1, 3, 5)], {}),
                               ("rank", [n(3, 4), n(5, 4), n(5, 4)], {}), ("no_heads", [n(1, 3, 8), n(1, 5, 8), n(1, 5, 8)], {}),
                               ("heads_3", [n(1, 3, 8), n(1, 5, 8), n(1, 5, 8)], {"q_num_heads": 3, "kv_num_heads": 2}),
                               ("heads_negative", [n(1, 3, 8), n(1, 5, 8), n(1, 5, 8)], {"q_num_heads": -2, "kv_num_heads": -2}),
                               ("past_alone", [q, k, v, None, n(1, 2, 1, 4)], {}),
                               ("past", [q, k, v, None, n(1, 2, 1, 3), n(1, 2, 1, 4)], {})):
        one(f"Attention_{name}", "Attention", values, **more)
    for length in (6, -1, 2**62):
        one(f"Attention_lengths_{length}", "Attention", [q, k, v, None, None, None, i(length)], version=24)
    cache = n(8, 2)
    fine("RotaryEmbedding_fine", "RotaryEmbedding", [n(1, 2, 3, 4), cache, cache, ZERO((1, 3), I64)])
    for p in (8, -1, 2**62):
        one(f"RotaryEmbedding_{p}", "RotaryEmbedding", [n(1, 2, 3, 4), cache, cache, np.full((1, 3), p)], "FORMAT", [str(p)])
    one("RotaryEmbedding_cache", "RotaryEmbedding", [n(1, 2, 3, 4), n(8, 3), n(8, 3), ZERO((1, 3), I64)])
    one("RotaryEmbedding_odd", "RotaryEmbedding", [n(1, 2, 3, 3), n(8, 1), n(8, 1), ZERO((1, 3), I64)])
    one("RotaryEmbedding_dim", "RotaryEmbedding", [n(1, 2, 3, 4), cache, cache, ZERO((1, 3), I64)], rotary_embedding_dim=6)
    one("RotaryEmbedding_heads", "RotaryEmbedding", [n(1, 3, 8), cache, cache, ZERO((1, 3), I64)], num_heads=3)
    one("TensorScatter_batch", "TensorScatter", [n(1, 3, 2), n(2, 1, 2), i(0)], version=24)


def constants():
    """Graphs whose constants could be computed at once, but not within reason."""
    shape = numpy_helper.from_array(i(1 << 17, 1 << 17), "s")
    nodes = [helper.make_node("ConstantOfShape", ["s"], ["a"], name="here"), helper.make_node("ReduceSum", ["a"], ["y"])]
    model = model_of(nodes, {}, ["y"])
    model.graph.initializer.append(shape)
    add("constant_2_36_bytes", model, "LIMIT", ["'here'", "bytes"], max_bytes=1 << 28)


def make():
    for part in (elementwise, sizes, shapes, indices, windows, resize, recurrent, quantised, words, other, constants):
        part()
