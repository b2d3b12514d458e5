"""Linear models and support vector machines."""
from .case import *

TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


def probit(p):
    x = 2 * p.astype(F64) - 1
    log = np.log((1 - x) * (1 + x))
    v = 2 / (3.14159 * 0.147) + 0.5 * log
    return (1.41421356 * np.sign(x) * np.sqrt(-v + np.sqrt(v * v - log / 0.147))).astype(F32)


def flat(v):
    return [float(i) for i in np.asarray(v, F32).reshape(-1)]


def named(names, count):
    """Labels of one kind."""
    return {"classlabels_ints": [7 * i - 3 for i in range(count)]} if names == "ints" else {
        "classlabels_strings": [f"class {i}" for i in range(count)]}


def kind_of(names):
    return INT64 if names == "ints" else STRING


def linear():
    for dtype in (F32, F64, I32, I64):
        x = (numbers(6, 4) * 2).astype(dtype)
        case(np.dtype(dtype).name, "LinearClassifier", x, [INT64, FLOAT], coefficients=flat(numbers(3, 4)),
             intercepts=flat(numbers(3)), **named("ints", 3))
    for transform in TRANSFORMS:
        x = np.abs(numbers(6, 4)) * F32(0.2)
        more = dict(post_transform=transform)
        for names in ("ints", "strings"):
            case(f"3_{names}_{transform}", "LinearClassifier", x, [kind_of(names), FLOAT], coefficients=flat(abs(numbers(3, 4))),
                 intercepts=flat(numbers(3) * 0.1), **named(names, 3), **more)
            if transform != "PROBIT":  # the runtime leaves half of its output unset
                case(f"1_{names}_{transform}", "LinearClassifier", x, [kind_of(names), FLOAT], coefficients=flat(numbers(1, 4)),
                     intercepts=[0.05], **named(names, 2), **more)
        coefficients = flat(np.abs(numbers(3, 4)))
        case(f"3_{transform}", "LinearRegressor", x, [FLOAT], coefficients=coefficients, intercepts=flat(numbers(3) * 0.1), targets=3,
             **more)
        if transform in ("NONE", "PROBIT"):  # others of one score: as below
            case(f"1_{transform}", "LinearRegressor", x, [FLOAT], coefficients=coefficients[:4], **more)
    x, w = numbers(3, 4), numbers(2, 4)
    one = (x @ w[:1].T).astype(F32)
    case("1_LOGISTIC", "LinearRegressor", x, [FLOAT], expected=[1 / (1 + np.exp(-one))], coefficients=flat(w[:1]),
         post_transform="LOGISTIC")
    case("1_SOFTMAX", "LinearRegressor", x, [FLOAT], expected=[np.ones_like(one)], coefficients=flat(w[:1]), post_transform="SOFTMAX")
    case("row", "LinearRegressor", x[0], [FLOAT], coefficients=flat(w), targets=2)
    case("row", "LinearClassifier", x[0], [INT64, FLOAT], coefficients=flat(w), intercepts=[0.0, 0.1], **named("ints", 2))
    case("no_intercepts", "LinearClassifier", x, [INT64, FLOAT], coefficients=flat(w), classlabels_ints=[4, 9],
         expected=[np.where((x @ w.T).argmax(1) == 1, 9, 4), (x @ w.T).astype(F32)])
    share = np.array([[0.25], [0.75]], F32)
    case("1_PROBIT", "LinearClassifier", share, [INT64, FLOAT], coefficients=[1.0], intercepts=[0.0], post_transform="PROBIT",
         classlabels_ints=[0, 1], expected=[np.array([1, 1]), probit(np.concatenate([1 - share, share], 1))])
    for dtype in (F64, I32, I64):
        x = (numbers(3, 4) * 3).astype(dtype)
        case(np.dtype(dtype).name, "LinearRegressor", x, [FLOAT], expected=[(x.astype(F64) @ w.T.astype(F64)).astype(F32)],
             coefficients=flat(w), targets=2)


KERNELS = {"LINEAR": [0.0, 0.0, 0.0], "POLY": [0.5, 1.0, 3.0], "RBF": [0.3, 0.0, 0.0], "SIGMOID": [0.2, 0.1, 0.0]}


def support():
    def classifier(name, classes, kernel="RBF", names="ints", shares=False, x=None, **more):
        per_class = [2 + i for i in range(classes)]
        vectors, pairs = sum(per_class), classes * (classes - 1) // 2
        x = numbers(7, 3) if x is None else x
        if shares:
            more |= dict(prob_a=flat(-abs(numbers(pairs)) - 0.5), prob_b=flat(numbers(pairs) * 0.1))
        case(name, "SVMClassifier", x, [kind_of(names), FLOAT], coefficients=flat(numbers(classes - 1, vectors)),
             support_vectors=flat(numbers(vectors, 3)), vectors_per_class=per_class, rho=flat(numbers(pairs) * 0.1),
             kernel_type=kernel, kernel_params=KERNELS[kernel], **named(names, classes), **more)

    for kernel in KERNELS:
        for classes in (2, 3, 4):
            for names in ("ints", "strings"):
                classifier(f"{kernel}_{classes}_{names}", classes, kernel, names)
            classifier(f"{kernel}_{classes}_shares", classes, kernel, shares=True)
        case(kernel, "SVMRegressor", numbers(5, 3), [FLOAT], coefficients=flat(numbers(4)), support_vectors=flat(numbers(4, 3)),
             n_supports=4, rho=[0.25], kernel_type=kernel, kernel_params=KERNELS[kernel])
    for dtype in (F64, I32, I64):
        classifier(np.dtype(dtype).name, 3, x=(numbers(5, 3) * 2).astype(dtype))
    classifier("row", 3, x=numbers(3))
    for transform in TRANSFORMS:
        for classes in (2, 3):
            classifier(f"{classes}_shares_{transform}", classes, shares=True, post_transform=transform)
        if transform != "PROBIT":
            for classes in (2, 3):
                classifier(f"{classes}_{transform}", classes, post_transform=transform)
        for classes in (2, 3):
            case(f"coefficients_{classes}_{transform}", "SVMClassifier", abs(numbers(5, 3)) * F32(0.3), [INT64, FLOAT], rho=[0.01],
                 coefficients=flat(abs(numbers(classes, 3)) * 0.5), post_transform=transform, kernel_params=KERNELS["LINEAR"],
                 **named("ints", classes))
    case("coefficients", "SVMRegressor", numbers(5, 3), [FLOAT], coefficients=flat(numbers(3)), rho=[0.25],
         kernel_params=KERNELS["LINEAR"])
    for kernel in ("RBF", "LINEAR"):
        case(f"one_class_{kernel}", "SVMRegressor", numbers(6, 3), [FLOAT], coefficients=flat(numbers(4)), one_class=1, n_supports=4,
             support_vectors=flat(numbers(4, 3)), rho=[-0.1], kernel_type=kernel, kernel_params=KERNELS[kernel])


def make_cases():
    linear()
    support()
