"""ai.onnx.ml: lists of attributes that disagree."""
import numpy as np
from onnx import helper

from bad_case import F32, FAULTS, I64, one

ML = {"domain": "ai.onnx.ml"}


def n(*shape):
    return np.arange(int(np.prod(shape)), dtype=F32).reshape(shape)


def tensor(kind, values):
    return helper.make_tensor("t", kind, [len(values)], values)


def label_encoder():
    x = np.array([1, 2], I64)
    good = {"keys_int64s": [1, 2], "values_floats": [1.0, 2.0]}
    one("LabelEncoder_fine", "LabelEncoder", [x], "OK", **ML, **good)
    one("LabelEncoder_short", "LabelEncoder", [x], **ML, **{**good, "values_floats": [1.0]})
    one("LabelEncoder_no_keys", "LabelEncoder", [x], **ML, values_floats=[1.0])
    one("LabelEncoder_no_values", "LabelEncoder", [x], **ML, keys_int64s=[1])
    one("LabelEncoder_two_keys", "LabelEncoder", [x], **ML, **good, keys_floats=[1.0, 2.0])
    one("LabelEncoder_key_type", "LabelEncoder", [np.array(["a"], object)], **ML, **good)
    one("LabelEncoder_tensors", "LabelEncoder", [x], **ML, keys_tensor=tensor(7, [1, 2]), values_tensor=tensor(1, [1.0]))
    one("LabelEncoder_default", "LabelEncoder", [x], **ML, keys_tensor=tensor(7, [1]), values_tensor=tensor(1, [1.0]),
        default_tensor=tensor(7, [1]))


def ensemble():
    """Node 0 splits feature 0 at 1: leaves 0 and 1."""
    return {"n_targets": 1, "aggregate_function": 1, "post_transform": 0, "tree_roots": [0], "nodes_featureids": [0],
            "nodes_modes": helper.make_tensor("m", 2, [1], [0]), "nodes_splits": helper.make_tensor("s", 1, [1], [1.0]),
            "nodes_truenodeids": [0], "nodes_trueleafs": [1], "nodes_falsenodeids": [1], "nodes_falseleafs": [1],
            "leaf_targetids": [0, 0], "leaf_weights": helper.make_tensor("w", 1, [2], [1.0, 2.0])}


def trees():
    x = n(2, 2)
    one("TreeEnsemble_fine", "TreeEnsemble", [x], "OK", **ML, **ensemble())
    changes = {"feature": {"nodes_featureids": [2]}, "feature_negative": {"nodes_featureids": [-1]}, "feature_far": {"nodes_featureids": [2**62]},
               "features": {"nodes_featureids": [0, 0]}, "root": {"tree_roots": [1]}, "root_negative": {"tree_roots": [-1]},
               "no_root": {"tree_roots": [2**62]}, "leaf": {"nodes_truenodeids": [2]}, "leaf_negative": {"nodes_truenodeids": [-1]},
               "leaf_far": {"nodes_falsenodeids": [2**62]}, "circle": {"nodes_truenodeids": [0], "nodes_trueleafs": [0]},
               "node": {"nodes_truenodeids": [5], "nodes_trueleafs": [0]}, "leafs": {"nodes_trueleafs": []},
               "target": {"leaf_targetids": [0, 1]}, "target_negative": {"leaf_targetids": [0, -1]}, "targets": {"leaf_targetids": [0]},
               "n_targets_0": {"n_targets": 0}, "n_targets_far": {"n_targets": 2**40}, "aggregate": {"aggregate_function": 9},
               "transform": {"post_transform": 9}, "mode": {"nodes_modes": helper.make_tensor("m", 2, [1], [77])},
               "modes": {"nodes_modes": helper.make_tensor("m", 2, [2], [0, 0])}, "splits": {"nodes_splits": helper.make_tensor("s", 1, [2], [1.0, 1.0])},
               "weights": {"leaf_weights": helper.make_tensor("w", 1, [1], [1.0])},
               "missing": {"nodes_missing_value_tracks_true": [0, 1]}}
    for name, change in changes.items():
        merged = {k: v for k, v in {**ensemble(), **change}.items() if v != []}
        one(f"TreeEnsemble_{name}", "TreeEnsemble", [x], **ML, **merged)
    one("TreeEnsemble_rank", "TreeEnsemble", [n(2, 2, 2)], **ML, **ensemble())
    old = {"n_targets": 1, "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0],
           "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_values": [1.0, 0.0, 0.0], "nodes_truenodeids": [1, 0, 0],
           "nodes_falsenodeids": [2, 0, 0], "target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 0],
           "target_weights": [1.0, 2.0]}
    for version in (1, 3):
        one(f"TreeEnsembleRegressor_{version}_fine", "TreeEnsembleRegressor", [x], "OK", **ML, version=version, named="", **old)
        changes = {"ids": {"nodes_nodeids": [0, 1]}, "twice": {"nodes_nodeids": [0, 1, 1]}, "modes": {"nodes_modes": ["LEAF"]},
                   "mode": {"nodes_modes": ["BRANCH_X", "LEAF", "LEAF"]}, "true": {"nodes_truenodeids": [9, 0, 0]},
                   "circle": {"nodes_truenodeids": [0, 0, 0]}, "target_node": {"target_nodeids": [1, 9]},
                   "target": {"target_ids": [0, 1]}, "weights": {"target_weights": [1.0]},
                   "base": {"base_values": [1.0, 2.0]}, "features": {"nodes_featureids": [0]}, "values": {"nodes_values": [0.0]},
                   "feature": {"nodes_featureids": [9, 0, 0]}}
        for name, change in changes.items():
            one(f"TreeEnsembleRegressor_{version}_{name}", "TreeEnsembleRegressor", [x], **ML, version=version, named="",
                **{**old, **change})


def linear():
    x = n(2, 3)
    one("LinearRegressor_count", "LinearRegressor", [x], **ML, coefficients=[1.0, 2.0], targets=1)
    one("LinearRegressor_targets_0", "LinearRegressor", [x], **ML, coefficients=[1.0, 2.0, 3.0], targets=0)
    one("LinearRegressor_targets_far", "LinearRegressor", [x], **ML, coefficients=[1.0, 2.0, 3.0], targets=2**62)
    one("LinearRegressor_intercepts", "LinearRegressor", [x], **ML, coefficients=[1.0, 2.0, 3.0], targets=1, intercepts=[1.0, 2.0])
    one("LinearClassifier_count", "LinearClassifier", [x], **ML, coefficients=[1.0] * 5, classlabels_ints=[0, 1], outputs=2)
    one("LinearClassifier_labels", "LinearClassifier", [x], **ML, coefficients=[1.0] * 6, classlabels_ints=[0], intercepts=[0.0] * 2, outputs=2)
    one("Scaler_count", "Scaler", [x], **ML, offset=[1.0, 2.0], scale=[1.0, 2.0])
    one("Normalizer_norm", "Normalizer", [x], **ML, norm="L9")
    one("Imputer_count", "Imputer", [x], **ML, imputed_value_floats=[1.0, 2.0], replaced_value_float=0.0)
    one("FeatureVectorizer_count", "FeatureVectorizer", [x], **ML, inputdimensions=[3, 3])
    one("OneHotEncoder_none", "OneHotEncoder", [np.array([1], I64)], **ML)
    one("OneHotEncoder_unknown", "OneHotEncoder", [np.array([7], I64)], **ML, cats_int64s=[1, 2], zeros=0)
    one("ArrayFeatureExtractor_far", "ArrayFeatureExtractor", [x, np.array([3], I64)], **ML)
    one("ArrayFeatureExtractor_negative", "ArrayFeatureExtractor", [x, np.array([-1], I64)], ("OK", *FAULTS), **ML)
    one("CategoryMapper_counts", "CategoryMapper", [np.array(["a"], object)], **ML, cats_strings=["a", "b"], cats_int64s=[1])
    svm = {"kernel_type": "RBF", "kernel_params": [0.5, 0.0, 0.0], "n_supports": 2, "support_vectors": [0.0] * 6, "coefficients": [1.0, 2.0],
           "rho": [0.0]}
    one("SVMRegressor_fine", "SVMRegressor", [x], "OK", **ML, **svm)
    for name, change in {"vectors": {"support_vectors": [0.0] * 5}, "coefficients": {"coefficients": [1.0]}, "supports": {"n_supports": 3},
                         "supports_far": {"n_supports": 2**62}, "supports_negative": {"n_supports": -2}, "kernel": {"kernel_type": "X"},
                         "params": {"kernel_params": [0.5]}}.items():
        one(f"SVMRegressor_{name}", "SVMRegressor", [x], **ML, **{**svm, **change})
    classifier = {"classlabels_ints": [0, 1], "vectors_per_class": [1, 1], "support_vectors": [0.0] * 6, "coefficients": [1.0, 1.0],
                  "rho": [0.0], "kernel_type": "LINEAR", "kernel_params": [0.0, 0.0, 0.0], "outputs": 2}
    one("SVMClassifier_fine", "SVMClassifier", [x], "OK", **ML, **classifier)
    for name, change in {"per_class": {"vectors_per_class": [1, 2]}, "per_class_negative": {"vectors_per_class": [3, -1]},
                         "per_class_wrap": {"vectors_per_class": [2**62, 2**62]}, "labels": {"classlabels_ints": [0]}, "rho": {"rho": []},
                         "vectors": {"support_vectors": [0.0] * 5}, "coefficients": {"coefficients": [1.0]}}.items():
        merged = {k: v for k, v in {**classifier, **change}.items() if v != []}
        one(f"SVMClassifier_{name}", "SVMClassifier", [x], **ML, **merged)


def make():
    for part in (label_encoder, trees, linear):
        part()
