"""Operators on features, labels and maps."""
from .case import *


def features():
    for x in (numbers(3, 5), numbers(2, 3, 5), numbers(5), integers(-9, 9, 3, 5, dtype=I64), integers(-9, 9, 3, 5, dtype=I32),
              numbers(3, 5, dtype=F64), strings(*"abcde")):
        kind = STRING if x.dtype == object else type_of(x)
        case(f"{x.dtype}_{x.ndim}", "ArrayFeatureExtractor", [x, np.array([4, 0, 0, 2])], [kind])
    case("index_matrix", "ArrayFeatureExtractor", [numbers(3, 5), np.array([[4, 0], [1, 2]])], [FLOAT])
    case("float", "Binarizer", np.array([[-1, 0.5, 9], [0.25, np.inf, -0.0]], F32), [FLOAT], threshold=0.25)
    for dtype in (F64, I32, I64):  # no kernel
        x = np.array([[-1, 2, 3], [4, 1, 0]], dtype)
        case(f"{np.dtype(dtype).name}", "Binarizer", x, [type_of(x)], expected=[(x > 1.5).astype(dtype)], threshold=1.5)
    large = np.array([2**60 + 1, 2**60, 2**60 - 1, -2**63])
    case("large", "Binarizer", large, [INT64], expected=[(large > 2**60).astype(I64)], threshold=float(2**60))
    for dtype in (F32, F64, I32, I64):
        x, wide = (numbers(4, 3) * 5).astype(dtype), (numbers(4, 2) * 5).astype(dtype)
        name = np.dtype(dtype).name
        case(name, "FeatureVectorizer", [x, wide], [FLOAT], inputdimensions=[3, 2])
        for norm in ("MAX", "L1", "L2"):
            case(f"{norm}_{name}", "Normalizer", x, [FLOAT], norm=norm)
        case(name, "Scaler", x, [FLOAT], offset=[0.5, -1.0, 2.0], scale=[2.0, 0.25, -3.0])
        case(f"{name}_one", "Scaler", x, [FLOAT], offset=[0.5], scale=[2.0])
    case("more_and_fewer", "FeatureVectorizer", [numbers(4, 3), numbers(4, 2)], [FLOAT], inputdimensions=[2, 4])
    case("rows", "FeatureVectorizer", [numbers(3), numbers(2)], [FLOAT], inputdimensions=[3, 2])
    a, b = numbers(4, 3), numbers(4, 2)
    case("no_dimensions", "FeatureVectorizer", [a, b], [FLOAT], expected=[np.concatenate([a, b], 1)])
    case("row", "Normalizer", numbers(6), [FLOAT], norm="L2")
    case("zeros", "Normalizer", np.zeros((2, 3), F32), [FLOAT], norm="MAX")
    case("row", "Scaler", numbers(3), [FLOAT], offset=[0.5, -1.0, 2.0], scale=[2.0, 0.25, -3.0])
    holes = np.array([[1, np.nan, 0], [np.nan, 2, -0.0]], F32)
    case("nan", "Imputer", holes, [FLOAT], imputed_value_floats=[7.0, 8.0, 9.0], replaced_value_float=np.nan)
    case("one", "Imputer", holes, [FLOAT], imputed_value_floats=[7.0], replaced_value_float=0.0)
    case("int64", "Imputer", np.array([[1, 0, 2], [-1, 1, 1]]), [INT64], imputed_value_int64s=[7, 8, 9], replaced_value_int64=1)
    double = holes.astype(F64)
    case("double", "Imputer", double, [DOUBLE], expected=[np.where(np.isnan(double), 7.0, double)],
         imputed_value_floats=[7.0], replaced_value_float=np.nan)
    case("int32", "Imputer", np.array([1, 0], I32), [TensorProto.INT32], expected=[np.array([1, 5], I32)],
         imputed_value_int64s=[5], replaced_value_int64=0)


def labels():
    keys = {"strings": ["a", "", "ccc"], "int64s": [5, -7, 2**40], "floats": [1.5, float("nan"), 0.0]}
    inputs = {"strings": strings("a", "ccc", "zz", "", "a"), "int64s": np.array([5, 2**40, 8, -7, 5]),
              "floats": np.array([1.5, -0.0, 3, np.nan, 1.5], F32)}
    values = {"strings": ["x", "y", "zz"], "int64s": [1, 2, 3], "floats": [0.5, -1.0, 2.0]}
    kinds = {"strings": STRING, "int64s": INT64, "floats": FLOAT}
    default = {"strings": {"default_string": "none"}, "int64s": {"default_int64": -9}, "floats": {"default_float": 4.5}}
    for key in keys:
        for value in values:
            given = {f"keys_{key}": keys[key], f"values_{value}": values[value]}
            for opset in (2, 4):
                if opset == 2 and (key == "floats" or (key == "int64s" and value == "int64s")):
                    continue  # NaN came with 4
                if (key, value) != ("int64s", "int64s") or opset == 4:
                    case(f"{opset}_{key}_{value}", "LabelEncoder", inputs[key].reshape(5, 1), [kinds[value]], opset,
                         **given, **default[value])
            case(f"default_{key}_{value}", "LabelEncoder", inputs[key], [kinds[value]], 4, **given)
    tensor = numpy_helper.from_array
    case("tensor_i16", "LabelEncoder", np.array([[3, 1], [2, 9]], I16), [TensorProto.INT16], 4,
         expected=[np.array([[30, 10], [20, -1]], I16)], keys_tensor=tensor(np.array([1, 2, 3], I16)),
         values_tensor=tensor(np.array([10, 20, 30], I16)))
    case("tensor_double", "LabelEncoder", np.array([1.25, np.nan, 7]), [DOUBLE], 4,
         keys_tensor=tensor(np.array([1.25, np.nan])), values_tensor=tensor(np.array([0.5, 1.5])),
         default_tensor=tensor(np.array([-2.5])))
    case("tensor_strings", "LabelEncoder", strings("b", "q", "a"), [STRING], 4,
         expected=[strings("2", "_Unused", "1")], keys_tensor=tensor(strings("a", "b")), values_tensor=tensor(strings("1", "2")))
    case("tensor_double_int", "LabelEncoder", np.array([2.0, 3.0]), [TensorProto.INT32], 4, expected=[np.array([20, -1], I32)],
         keys_tensor=tensor(np.array([2.0])), values_tensor=tensor(np.array([20], I32)))
    case("repeated", "LabelEncoder", np.array([1, 2, 3]), [INT64], 4, expected=[np.array([30, 20, -1])],  # the last counts
         keys_int64s=[1, 2, 1], values_int64s=[10, 20, 30])
    cats = dict(cats_int64s=[3, 5, -1], cats_strings=["three", "five", "minus"])
    case("strings", "CategoryMapper", strings("five", "none", "minus", "three"), [INT64], **cats, default_int64=-99)
    case("integers", "CategoryMapper", np.array([[5, -1], [0, 3]]), [STRING], **cats, default_string="other")
    for dtype in (F32, F64, I64):
        case(np.dtype(dtype).name, "OneHotEncoder", np.array([[1.9, -1], [3, 8]]).astype(dtype), [FLOAT],
             cats_int64s=[1, -1, 3, 4])
    case("int32", "OneHotEncoder", np.array([3, 1], I32), [FLOAT], expected=[np.array([[0, 1], [1, 0]], F32)], cats_int64s=[1, 3])
    case("strings", "OneHotEncoder", strings("b", "", "a"), [FLOAT], cats_strings=["a", "b"])
    case("strict", "OneHotEncoder", np.array([1, 3]), [FLOAT], cats_int64s=[1, 3], zeros=0)


def maps():
    numbers_of = {9: 1.25, -2: 3.0, 4: -7.75}
    for to, kind in (("TO_FLOAT", FLOAT), ("TO_INT64", INT64), ("TO_STRING", STRING)):
        case(f"numbers_{to}", "CastMap", numbers_of, [kind], cast_to=to)
        case(f"sparse_{to}", "CastMap", {3: 2.5, 0: -1.0, 9: 4.0}, [kind], cast_to=to, map_form="SPARSE", max_map=5)
    # The runtime's Python takes no maps to strings or integers.
    texts = {9: "1.5", -2: "-3", 4: "12"}
    case("texts_to_float", "CastMap", texts, [FLOAT], expected=[np.array([[-3, 12, 1.5]], F32)], cast_to="TO_FLOAT")
    case("texts_to_int64", "CastMap", {1: "7", 0: "-3"}, [INT64], expected=[np.array([[-3, 7]])], cast_to="TO_INT64")
    case("texts_to_string", "CastMap", texts, [STRING], expected=[strings("-3", "12", "1.5").reshape(1, 3)], cast_to="TO_STRING")
    case("int64_float", "DictVectorizer", {7: 1.5, 3: -2.5, 99: 8.0}, [FLOAT], int64_vocabulary=[3, 5, 7])
    case("int64_string", "DictVectorizer", {7: "a", 3: "bc", 99: "d"}, [STRING], expected=[strings("bc", "", "a").reshape(1, 3)],
         int64_vocabulary=[3, 5, 7])
    case("string_float", "DictVectorizer", {"b": 1.5, "q": 2.0}, [FLOAT], string_vocabulary=["a", "b", "c"])
    case("string_int64", "DictVectorizer", {"b": 7, "a": 2}, [INT64], expected=[np.array([[2, 7, 0]])],
         string_vocabulary=["a", "b", "c"])
    x = numbers(3, 3)
    for name, keys, kind in (("int64s", [7, -1, 3], INT64), ("strings", ["b", "", "a"], STRING)):
        for rows in (x, x[0]):
            expected = [{k: float(v) for k, v in zip(keys, row)} for row in np.atleast_2d(rows)]
            given = {f"classlabels_{name}": keys}
            case(f"{name}_{rows.ndim}", "ZipMap", rows, [map_type(kind)], expected=[expected], **given)
            name_of = f"zipmap_{name}_{rows.ndim}"
            for a, b in zip(by_runtime(cases[name_of][0], {"x0": rows})[0], expected):
                assert a == b  # the runtime sorts the keys
    case("repeated", "ZipMap", x, [map_type(INT64)], expected=[[{7: float(r[2]), 1: float(r[1])} for r in x]],
         classlabels_int64s=[7, 1, 7])


def make_cases():
    features()
    labels()
    maps()
