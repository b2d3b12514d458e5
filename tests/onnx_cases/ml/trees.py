"""Ensembles of trees: random ones of all modes, and the special cases of one and two classes."""
from .case import *
from .linear import TRANSFORMS, flat

MODES = ["LEQ", "LT", "GTE", "GT", "EQ", "NEQ"]


class Trees:
    """count random trees of at most that depth; split(i): its mode and threshold. leaves: (tree, node)."""

    def __init__(self, count, depth, features, modes=("LEQ",), missing=False):
        self.rows, self.leaves, self.missing, self.features, self.modes = [], [], missing, features, modes
        for tree in range(count):
            first = len(self.rows)
            self.grow(tree, depth, first)

    def grow(self, tree, depth, first):
        at = len(self.rows)
        is_leaf = depth == 0 or (at > first and random.random() < 0.2)
        row = dict(tree=tree, id=at - first, mode="LEAF", feature=0, value=0.0, yes=0, no=0, missing=0)
        self.rows.append(row)
        if is_leaf:
            self.leaves.append((tree, at - first))
            return at - first
        row |= dict(mode="BRANCH_" + str(random.choice(self.modes)), feature=int(random.integers(self.features)),
                    value=float(F32(random.integers(-4, 5) / 4)), missing=int(self.missing and random.random() < 0.5))
        row["yes"] = self.grow(tree, depth - 1, first)
        row["no"] = self.grow(tree, depth - 1, first)
        return at - first

    def attributes(self, doubles=False):
        values = [r["value"] for r in self.rows]
        out = dict(nodes_treeids="tree", nodes_nodeids="id", nodes_modes="mode", nodes_featureids="feature", nodes_truenodeids="yes",
                   nodes_falsenodeids="no")
        out = {k: [r[v] for r in self.rows] for k, v in out.items()}
        if self.missing:
            out["nodes_missing_value_tracks_true"] = [r["missing"] for r in self.rows]
        return out | ({"nodes_values_as_tensor": numpy_helper.from_array(np.array(values))} if doubles else {"nodes_values": values})


def votes(trees, kind, targets, many=False, doubles=False, positive=False):
    """Weights of the leaves: one target each, or all of them."""
    rows = [(tree, node, t) for tree, node in trees.leaves
            for t in (range(targets) if many else [int(random.integers(targets))])]
    weights = numbers(len(rows)) * F32(0.3)
    weights = abs(weights) if positive else weights
    out = {f"{kind}_treeids": [r[0] for r in rows], f"{kind}_nodeids": [r[1] for r in rows], f"{kind}_ids": [r[2] for r in rows]}
    return out | ({f"{kind}_weights_as_tensor": numpy_helper.from_array(weights.astype(F64))} if doubles
                  else {f"{kind}_weights": flat(weights)})


def quarters(*shape, dtype=F32):
    """Numbers that often equal a threshold."""
    return (random.integers(-6, 7, shape) / 4).astype(dtype)


def regressors():
    for mode in MODES:
        trees = Trees(3, 4, 5, [mode])
        case(f"mode_{mode}", "TreeEnsembleRegressor", quarters(20, 5), [FLOAT], 3, n_targets=1, **trees.attributes(),
             **votes(trees, "target", 1))
    holes = quarters(30, 5)
    holes[random.random(holes.shape) < 0.3] = np.nan
    for missing in (False, True):
        trees = Trees(4, 4, 5, MODES, missing)
        case(f"missing_{missing}", "TreeEnsembleRegressor", holes, [FLOAT], 3, n_targets=2, **trees.attributes(),
             **votes(trees, "target", 2))
    for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
        for targets in (1, 3):
            for base in (False, True):
                trees = Trees(6, 3, 4, MODES)
                more = dict(base_values=flat(numbers(targets))) if base else {}
                case(f"{aggregate}_{targets}_{base}", "TreeEnsembleRegressor", quarters(12, 4), [FLOAT], 1, n_targets=targets,
                     aggregate_function=aggregate, **trees.attributes(), **votes(trees, "target", targets, many=base), **more)  # else the runtime drops base values
    trees = Trees(5, 4, 4, MODES)
    given = dict(n_targets=2, **trees.attributes(), **votes(trees, "target", 2))
    x = np.trunc(quarters(12, 4) * 2)
    for dtype in (F32, F64, I32, I64):  # of integers there is no kernel
        case(np.dtype(dtype).name, "TreeEnsembleRegressor", x.astype(dtype), [FLOAT], 3, **given,
             expected=cases["treeensembleregressor_float32"][2] if dtype in (I32, I64) else None)
    trees = Trees(5, 4, 4, MODES, True)
    case("as_tensors", "TreeEnsembleRegressor", quarters(12, 4, dtype=F64), [FLOAT], 3, n_targets=2, **trees.attributes(True),
         **votes(trees, "target", 2, many=True, doubles=True), base_values_as_tensor=numpy_helper.from_array(np.array([0.5, -1.0])))
    for transform in TRANSFORMS:
        trees = Trees(3, 3, 4)
        case(f"transform_{transform}", "TreeEnsembleRegressor", quarters(12, 4), [FLOAT], 1, n_targets=2, post_transform=transform,
             **trees.attributes(), **votes(trees, "target", 2, many=True, positive=True))
    trees = Trees(1, 0, 2)
    case("leaf_alone", "TreeEnsembleRegressor", quarters(3, 2), [FLOAT], 1, n_targets=1, **trees.attributes(),
         **votes(trees, "target", 1))
    trees = Trees(40, 6, 8)
    case("many_trees", "TreeEnsembleRegressor", quarters(50, 8), [FLOAT], 1, n_targets=1, **trees.attributes(),
         **votes(trees, "target", 1))
    given = votes(trees, "target", 1)
    x = quarters(1, 8)
    case("rows", "TreeEnsembleRegressor", x, [FLOAT], 1, n_targets=1, **trees.attributes(), **given)
    case("row", "TreeEnsembleRegressor", x[0], [FLOAT], 1, n_targets=1, expected=cases["treeensembleregressor_rows"][2],
         **trees.attributes(), **given)
    one = dict(nodes_treeids=[0], nodes_nodeids=[0], nodes_modes=["LEAF"], nodes_featureids=[0], nodes_truenodeids=[0],
               nodes_falsenodeids=[0], nodes_values=[0.0], target_treeids=[0], target_nodeids=[0], target_ids=[0])
    for transform, want in (("LOGISTIC", 1 / (1 + np.exp(-0.5))), ("SOFTMAX", 1)):  # the runtime transforms no score that is alone
        case(f"one_{transform}", "TreeEnsembleRegressor", quarters(2, 1), [FLOAT], 3, expected=[np.full((2, 1), want, F32)],
             n_targets=1, target_weights=[0.5], post_transform=transform, **one)
    one |= dict(target_treeids=[0, 0], target_nodeids=[0, 0], target_ids=[0, 0])
    case("two_votes", "TreeEnsembleRegressor", quarters(2, 1), [FLOAT], 3, expected=[np.full((2, 1), 0.75, F32)],
         n_targets=1, target_weights=[0.5, 0.25], **one)  # the runtime takes the first alone


def named(names, count):
    return {"classlabels_int64s": [i if count == 2 else 7 * i - 3 for i in range(count)]} if names == "int64s" else {
        "classlabels_strings": [f"class {i}" for i in range(count)]}


def classifiers():
    for transform in TRANSFORMS:
        for names, kind in (("int64s", INT64), ("strings", STRING)):
            for classes in (2, 3, 5):
                for base in (False, True):
                    trees = Trees(4, 3, 4, MODES)
                    more = dict(base_values=flat(abs(numbers(classes)) * 0.1)) if base and classes > 2 else {}
                    case(f"{transform}_{names}_{classes}_{base}", "TreeEnsembleClassifier", quarters(12, 4), [kind, FLOAT],
                         1 if base else 3, post_transform=transform, **named(names, classes), **trees.attributes(),
                         **votes(trees, "class", classes, many=True, positive=transform == "PROBIT"), **more)
    # Two classes of which one has votes: scores are shares or margins, with base values or none.
    for transform in TRANSFORMS[:-1]:
        for positive in (False, True):
            for base in ([], [0.1], [0.1, 0.25]):
                for which in (0, 1):
                    trees = Trees(3, 3, 4)
                    given = votes(trees, "class", 1, positive=positive)
                    given["class_ids"] = [which] * len(given["class_ids"])
                    more = dict(base_values=base) if base else {}
                    case(f"one_{transform}_{positive}_{len(base)}_{which}", "TreeEnsembleClassifier", quarters(12, 4), [INT64, FLOAT],
                         3, post_transform=transform, classlabels_int64s=[5, 8], **trees.attributes(), **given, **more)
    for base in ([], [0.1, 0.25]):
        for positive in (False, True):
            trees = Trees(1, 4, 4)
            more = dict(base_values=base) if base else {}
            case(f"either_{len(base)}_{positive}", "TreeEnsembleClassifier", quarters(12, 4), [INT64, FLOAT], 3,
                 classlabels_int64s=[0, 1], **trees.attributes(), **votes(trees, "class", 2, positive=positive), **more)
    for dtype in (F64, I32, I64):
        trees = Trees(4, 4, 4, MODES)
        case(np.dtype(dtype).name, "TreeEnsembleClassifier", (quarters(12, 4) * 2).astype(dtype), [INT64, FLOAT], 3,
             classlabels_int64s=[3, 9, -1], **trees.attributes(), **votes(trees, "class", 3))
    trees = Trees(4, 4, 4, MODES, True)
    case("as_tensors", "TreeEnsembleClassifier", quarters(12, 4, dtype=F64), [INT64, FLOAT], 3, classlabels_int64s=[3, 9, -1],
         **trees.attributes(True), **votes(trees, "class", 3, doubles=True),
         base_values_as_tensor=numpy_helper.from_array(np.array([0.5, -1.0, 0.25])))


def ensembles():
    """TreeEnsemble: nodes and leaves by place."""
    tensor = numpy_helper.from_array

    def ensemble(name, trees, targets, x, dtype=F32, members=False, expected=None, **more):
        inner = [r for r in trees.rows if r["mode"] != "LEAF"]
        leaves = [r for r in trees.rows if r["mode"] == "LEAF"]
        place = {(r["tree"], r["id"]): i for part in (inner, leaves) for i, r in enumerate(part)}
        is_leaf = {(r["tree"], r["id"]): r["mode"] == "LEAF" for r in trees.rows}

        def branch(which):
            return [place[r["tree"], r[which]] for r in inner], [int(is_leaf[r["tree"], r[which]]) for r in inner]

        modes = [MODES.index(r["mode"][7:]) for r in inner]
        if members:
            modes = [6 if i % 2 else m for i, m in enumerate(modes)]
            sets = [[*integers(0, 7, int(random.integers(1, 5))), np.nan] for m in modes if m == 6]  # others the runtime refuses
            more["membership_values"] = tensor(np.concatenate(sets).astype(dtype))
        if trees.missing:
            more["nodes_missing_value_tracks_true"] = [r["missing"] for r in inner]
        case(name, "TreeEnsemble", x.astype(dtype), [helper.np_dtype_to_tensor_dtype(np.dtype(dtype))], 5, expected=expected,
             n_targets=targets, tree_roots=[i for i, r in enumerate(inner) if r["id"] == 0],
             nodes_splits=tensor(np.array([r["value"] for r in inner], dtype)), nodes_modes=tensor(np.array(modes, np.uint8)),
             nodes_featureids=[r["feature"] for r in inner], nodes_truenodeids=branch("yes")[0], nodes_trueleafs=branch("yes")[1],
             nodes_falsenodeids=branch("no")[0], nodes_falseleafs=branch("no")[1],
             leaf_targetids=[int(random.integers(targets)) for _ in leaves],
             leaf_weights=tensor((numbers(len(leaves)) * 0.25).astype(dtype)), **more)

    for dtype in (F32, F64):
        for aggregate in range(4):
            for targets in (1, 3):
                ensemble(f"{np.dtype(dtype).name}_{aggregate}_{targets}", Trees(5, 4, 4, MODES, aggregate == 2), targets,
                         quarters(12, 4), dtype, aggregate_function=aggregate)
        ensemble(f"{np.dtype(dtype).name}_members", Trees(5, 4, 4, MODES), 2, integers(0, 7, 20, 4), dtype,
                 members=True)
    swapped = {1: 2, 2: 1}  # the runtime's numbers of SOFTMAX and LOGISTIC
    for transform in range(4):
        ensemble(f"transform_{transform}", Trees(5, 4, 4, MODES), 3, quarters(12, 4), post_transform=transform)
        model = cases[f"treeensemble_transform_{transform}"][0]
        (attribute,) = (a for a in model.graph.node[0].attribute if a.name == "post_transform")
        attribute.i = swapped.get(transform, transform)


def make_cases():
    regressors()
    classifiers()
    ensembles()
