"""Graphs: names, operators, versions, types, attributes, subgraphs."""
import numpy as np
from onnx import AttributeProto, helper

from bad_case import F32, add, text

HEAD = '<ir_version: 10, opset_import: ["": 20, "ai.onnx.ml": 3, "com.microsoft": 1]>'
X2 = {"x": np.ones(2, F32)}
LOOP = {"n": np.array(3), "c": np.array(True), "x": np.ones(2, F32)}


def graph(name, body, status, says, inputs=None, head=HEAD, arguments="float[2] x", results="float[2] y", **more):
    add(f"graph_{name}", text(f"{head} g ({arguments}) => ({results}) {{ {body} }}"), status, says, inputs, **more)


def operators():
    graph("unknown_operator", "[here] y = Frobnicate(x)", "UNSUPPORTED", ["'here'", "Frobnicate"])
    graph("unknown_microsoft", "[here] y = com.microsoft.Frobnicate(x)", "UNSUPPORTED", ["'here'", "Frobnicate"])
    graph("unknown_ml", "[here] y = ai.onnx.ml.Frobnicate(x)", "UNSUPPORTED", ["'here'", "Frobnicate"])
    graph("unknown_domain", "[here] y = a.b.Relu(x)", "UNSUPPORTED", ["'here'", "a.b"],
          head='<ir_version: 10, opset_import: ["": 20, "a.b": 1]>')
    graph("domain_not_imported", "[here] y = a.b.Relu(x)", "FORMAT", ["'here'", "'a.b'"])
    for version in (29, 1000, 2**31 - 1):
        graph(f"opset_{version}", "[here] y = Relu(x)", "UNSUPPORTED", [str(version), "28"],
              head=f'<ir_version: 10, opset_import: ["": {version}]>')
    for version in (0, -1, 2**31, 2**63 - 1):
        graph(f"opset_{version}", "[here] y = Relu(x)", ("FORMAT", "UNSUPPORTED"), str(version),
              head=f'<ir_version: 10, opset_import: ["": {version}]>')
    graph("operator_too_new", "[here] y = Gelu(x)", "UNSUPPORTED", ["'here'", "Gelu", "20", "19"],
          head='<ir_version: 10, opset_import: ["": 19]>')
    graph("operator_gone", "[here] y = Upsample(x, x)", "UNSUPPORTED", ["'here'", "Upsample"])
    graph("no_imports", "[here] y = Relu(x)", "FORMAT", "", head='<ir_version: 10, opset_import: ["x": 1]>')


def names():
    graph("undefined", "[here] y = Add(x, z)", "FORMAT", ["'here'", "'z'"])
    graph("cycle_of_one", "[here] y = Add(x, y)", "FORMAT", ["'here'", "'y'"])
    graph("cycle_of_two", "[here] a = Add(x, y) y = Relu(a)", "FORMAT", ["'here'", "'y'"])
    graph("cycle_through_subgraph", "[here] y = If (c) <then_branch = a () => (p) { p = Neg(y) }, "
          "else_branch = b () => (q) { q = Neg(x) }>", "FORMAT", ["'y'"], arguments="float[2] x, bool c")
    graph("defined_twice", "y = Relu(x) [here] y = Neg(x)", "FORMAT", ["'here'", "'y'"])
    graph("defined_twice_by_one", "[here] y, y = Split <num_outputs = 2> (x)", "FORMAT", ["'here'", "'y'"])
    graph("input_defined", "[here] x = Relu(x) y = Relu(x)", "FORMAT", ["'here'", "'x'"])
    graph("inputs_twice", "[here] y = Relu(x)", "FORMAT", "'x'", arguments="float[2] x, float[2] x")
    m = text(f"{HEAD} g (float[2] x) => (float[2] y) <float[2] w = {{1, 2}}> {{ [here] w = Relu(x) y = Add(x, w) }}")
    add("graph_initializer_of_a_node", m, "FORMAT", ["'here'", "'w'"])
    m.graph.node[0].output[0] = "v"
    m.graph.initializer.append(m.graph.initializer[0])
    add("graph_initializer_twice", m, "FORMAT", "'w'")
    graph("output_of_nothing", "[here] z = Relu(x)", "FORMAT", "'y'")
    graph("later_node", "[here] a = Relu(b) b = Relu(x) y = Relu(a)", "FORMAT", ["'here'", "'b'"])
    graph("of_a_subgraph", "t = If (c) <then_branch = a () => (p) { p = Neg(x) }, else_branch = b () => (q) { q = Neg(x) }> "
          "[here] y = Add(t, p)", "FORMAT", ["'here'", "'p'"], arguments="float[2] x, bool c")


def attributes():
    graph("attribute_type", "[here] y = LeakyRelu <alpha: int = 1> (x)", "FORMAT", ["'here'", "'alpha'"])
    graph("attribute_list", "[here] y = LeakyRelu <alpha = [1.0]> (x)", "FORMAT", ["'here'", "'alpha'"])
    graph("attribute_text", "[here] y = Softmax <axis = \"last\"> (x)", "FORMAT", ["'here'", "'axis'"])
    graph("attribute_unknown", "[here] y = Relu <beta = 1.0> (x)", "FORMAT", ["'here'", "'beta'"])
    graph("attribute_missing", "[here] y = Cast (x)", "FORMAT", ["'here'", "'to'"])
    graph("attribute_twice", "[here] y = LeakyRelu <alpha = 1.0, alpha = 2.0> (x)", "FORMAT", ["'here'", "'alpha'"])
    graph("attribute_of_none", "[here] y = LeakyRelu <alpha: float = @alpha> (x)", "FORMAT", ["'here'", "'alpha'"])
    graph("attribute_body", "[here] y = If <then_branch = 1, else_branch = 2> (c)", "FORMAT", ["'here'", "branch'"],
          arguments="bool c")
    for to in (0, 29, -1, 2**40):
        graph(f"cast_to_{to}", f"[here] y = Cast <to = {to}> (x)", ("FORMAT", "UNSUPPORTED"), ["'here'", str(to)],
              X2, results="y")
    m = text(f"{HEAD} g (float[2] x) => (float[2] y) {{ [here] y = LeakyRelu <alpha = 1.0> (x) }}")
    m.graph.node[0].attribute[0].type = AttributeProto.UNDEFINED
    m.graph.node[0].attribute[0].ClearField("f")
    add("graph_attribute_of_no_type", m, "FORMAT", ["'here'", "'alpha'"])


def types():
    graph("type_not_allowed", "[here] y = Relu(x)", "FORMAT", ["'here'", "bool"], arguments="bool[2] x", results="bool[2] y")
    graph("types_differ", "[here] y = Add(x, z)", "FORMAT", ["'here'", "i64"], arguments="float[2] x, int64[2] z")
    graph("type_stated", "[here] y = Shape(x)", "FORMAT", ["'y'", "int64", "float"])
    m = text(f"{HEAD} g (float[2] x) => (float[2] y) {{ [here] y = Identity(x) }}")
    m.graph.input[0].type.tensor_type.elem_type = 77
    add("graph_type_77", m, "FORMAT", ["'x'", "77"])
    graph("tensor_for_sequence", "[here] y = SequenceLength(x)", "FORMAT", "'here'", results="int64 y")
    graph("sequence_for_tensor", "[here] y = Relu(x)", "FORMAT", "'here'", arguments="seq(float[2]) x")
    graph("too_few", "[here] y = Add(x)", "FORMAT", "'here'")
    graph("too_many", "[here] y = Relu(x, x)", "FORMAT", "'here'")
    graph("too_many_outputs", "[here] y, z = Relu(x)", "FORMAT", "'here'")
    graph("required_absent", "[here] y = Add(, x)", "FORMAT", "'here'")
    graph("shape_stated", "[here] y = Relu(x)", ("FORMAT", "OK"), "", X2, results="float[3] y")
    graph("input_of_another_type", "[here] y = Relu(x)", "FORMAT", ["'x'", "int64", "float"], {"x": np.ones(2, np.int64)})
    graph("input_of_another_rank", "[here] y = Relu(x)", "FORMAT", ["'x'", "rank"], {"x": np.ones((1, 2), F32)})
    graph("input_of_another_size", "[here] y = Relu(x)", "FORMAT", ["'x'", "3", "2"], {"x": np.ones(3, F32)})
    graph("input_missing", "[here] y = Relu(x)", "ARGUMENT", "'x'", {})


def branches():
    arguments = "float[2] x, bool c"
    given = {"x": np.ones(2, F32), "c": np.array(True)}
    graph("if_one_output", "[here] y = If (c) <then_branch = a () => (p, r) { p = Neg(x) r = Neg(x) }, "
          "else_branch = b () => (q) { q = Neg(x) }>", "FORMAT", "'here'", given, arguments=arguments)
    graph("if_inputs", "[here] y = If (c) <then_branch = a (float[2] i) => (p) { p = Neg(i) }, "
          "else_branch = b () => (q) { q = Neg(x) }>", "FORMAT", "'here'", given, arguments=arguments)
    graph("if_one_branch", "[here] y = If (c) <then_branch = a () => (p) { p = Neg(x) }>", "FORMAT",
          ["'here'", "else_branch"], given, arguments=arguments)
    graph("if_types", "[here] y = If (c) <then_branch = a () => (p) { p = Shape(x) }, else_branch = b () => (q) "
          "{ q = Neg(x) }>", "FORMAT", "", given, arguments=arguments)
    graph("if_condition_type", "[here] y = If (x) <then_branch = a () => (p) { p = Neg(x) }, else_branch = b () => (q) "
          "{ q = Neg(x) }>", "FORMAT", "'here'", given, arguments=arguments)
    for name, value in (("many", np.array([True, True])), ("none", np.zeros(0, bool))):
        graph(f"if_condition_{name}", "[here] y = If (c) <then_branch = a () => (p) { p = Neg(x) }, else_branch = b () => (q) "
              "{ q = Neg(x) }>", "FORMAT", "'here'", {**given, "c": value}, arguments="float[2] x, bool[K] c")


def loop(name, body, status, says, inputs=None, call="n, c, x", outputs="y", **more):
    graph(f"loop_{name}", f"[here] {outputs} = Loop ({call}) <body = b {body}>", status, says,
          LOOP if inputs is None else inputs, arguments="int64 n, bool c, float[2] x",
          results=", ".join(o for o in outputs.split(", ")), **more)


def loops():
    good = "(int64 i, bool d, float[2] s) => (bool k, float[2] t) { k = Identity(d) t = Add(s, s) }"
    loop("fine", good, "OK", [])
    loop("too_few_inputs", "(int64 i, bool d) => (bool k, float[2] t) { k = Identity(d) t = Neg(x) }", "FORMAT", "'here'")
    loop("too_many_inputs", "(int64 i, bool d, float[2] s, float[2] r) => (bool k, float[2] t) "
         "{ k = Identity(d) t = Add(s, r) }", "FORMAT", "'here'")
    loop("too_few_outputs", "(int64 i, bool d, float[2] s) => (bool k) { k = Identity(d) }", "FORMAT", "'here'")
    loop("too_many_outputs", good, "FORMAT", "'here'", outputs="y, z")
    loop("condition_type", "(int64 i, bool d, float[2] s) => (float[2] k, float[2] t) { k = Neg(s) t = Add(s, s) }", "FORMAT",
         "'here'")
    loop("condition_many", "(int64 i, bool d, float[2] s) => (k, float[2] t) { k = Less(s, s) t = Add(s, s) }", "FORMAT",
         ["'here'", "condition"])
    loop("carried_type", "(int64 i, bool d, float[2] s) => (bool k, t) { k = Identity(d) t = Shape(s) }", ("FORMAT", "OK"), "")
    loop("trips_type", good, "FORMAT", "", call="x, c, x")
    loop("carried_missing", good, "FORMAT", "'here'", call="n, c, ")
    loop("scan_shapes", "(int64 i, bool d, s) => (bool k, t, u) { k = Identity(d) t = Concat <axis = 0> (s, s) u = Neg(s) }",
         "FORMAT", "'here'", outputs="y, z")
    endless = {**LOOP, "n": np.array(2**62)}
    loop("endless", good, "LIMIT", ["'here'", "1000 iterations"], endless, max_iterations=1000)
    loop("endless_by_condition", good, "LIMIT", ["'here'", "1000 iterations"], call=", c, x", max_iterations=1000)
    loop("endless_without_either", good, "LIMIT", ["'here'", "1000 iterations"], call=", , x", max_iterations=1000)
    loop("cancelled", good, "CANCELLED", "cancelled", endless, cancel=True)
    loop("growing", "(int64 i, bool d, s) => (bool k, t) { k = Identity(d) t = Concat <axis = 0> (s, s) }", "LIMIT", "bytes",
         endless, max_bytes=1 << 22)
    loop("stacking", "(int64 i, bool d, float[2] s) => (bool k, float[2] t, float[2] u) { k = Identity(d) t = Neg(s) "
         "u = Neg(s) }", "LIMIT", "bytes", endless, outputs="y, z", max_bytes=1 << 22)
    inner = ("r = Loop (n, c, s) <body = e (int64 j, bool f, float[2] w) => (bool m, float[2] v) "
             "{ m = Identity(f) v = Neg(w) }>")
    loop("nested_cancelled", f"(int64 i, bool d, float[2] s) => (bool k, float[2] t) {{ k = Identity(d) {inner} t = Neg(r) }}",
         "CANCELLED", "cancelled", endless, cancel=True)
    loop("negative", good, "OK", [], {**LOOP, "n": np.array(-5)})


def scan(name, body, status, says, call="x, z", outputs="y, w", more="num_scan_inputs = 1", inputs=None):
    graph(f"scan_{name}", f"[here] {outputs} = Scan <{more}, body = b {body}> ({call})", status, says,
          inputs or {"x": np.ones(2, F32), "z": np.ones((3, 2), F32)}, arguments="float[2] x, float[N, 2] z", results=outputs)


def scans():
    good = "(float[2] s, float[2] a) => (float[2] t, float[2] u) { t = Add(s, a) u = Neg(t) }"
    scan("fine", good, "OK", [])
    for count in (0, 3, -1, 2**40):
        scan(f"inputs_{count}", good, "FORMAT", "'here'", more=f"num_scan_inputs = {count}")
    scan("too_few_inputs", "(float[2] s) => (float[2] t, float[2] u) { t = Neg(s) u = Neg(t) }", "FORMAT", "'here'")
    scan("too_few_outputs", "(float[2] s, float[2] a) => (float[2] t) { t = Add(s, a) }", "FORMAT", "'here'")
    scan("axes", good, "FORMAT", "'here'", more="num_scan_inputs = 1, scan_input_axes = [2]")
    scan("axes_negative", good, "FORMAT", "'here'", more="num_scan_inputs = 1, scan_input_axes = [-3]")
    scan("axes_many", good, "FORMAT", "'here'", more="num_scan_inputs = 1, scan_input_axes = [0, 0]")
    scan("output_axes", good, "FORMAT", "'here'", more="num_scan_inputs = 1, scan_output_axes = [5]")
    scan("directions", good, "FORMAT", "'here'", more="num_scan_inputs = 1, scan_input_directions = [2]")
    scan("lengths", "(float[2] a, float b) => (float[2] t, float u) { t = Neg(a) u = Neg(b) }", "FORMAT", "'here'", call="z, x",
         more="num_scan_inputs = 2")
    scan("state_shape", "(s, a) => (t, u) { t = Concat <axis = 0> (s, a) u = Neg(t) }", "FORMAT", "'here'")
    scan("no_rank", good, "FORMAT", "", call="x, x", more="num_scan_inputs = 1, scan_input_axes = [1]")


def sequences():
    given = {"s": [np.ones(2, F32), np.ones(2, F32)], "r": [np.ones(2, F32)], "i": np.array(5)}
    arguments = "seq(float[2]) s, seq(float[2]) r, int64 i"

    def sequence(name, body, status, says, results="y", inputs=None):
        graph(f"sequence_{name}", body, status, says, inputs or given, arguments=arguments, results=results)

    sequence("at", "[here] y = SequenceAt(s, i)", "FORMAT", ["'here'", "5"])
    sequence("erase", "[here] y = SequenceErase(s, i)", "FORMAT", ["'here'", "5"])
    sequence("insert", "[here] y = SequenceInsert(s, i, i)", "FORMAT", "'here'")
    sequence("insert_type", "[here] y = SequenceInsert(s, i)", "FORMAT", "'here'")
    sequence("map_lengths", "[here] y = SequenceMap (s, r) <body = b (float[2] a, float[2] e) => (float[2] z) { z = Add(a, e) }>",
             "FORMAT", "'here'")
    sequence("map_inputs", "[here] y = SequenceMap (s) <body = b (float[2] a, float[2] e) => (float[2] z) { z = Add(a, e) }>",
             "FORMAT", "'here'")
    sequence("concat_axis", "[here] y = ConcatFromSequence <axis = 3> (s)", "FORMAT", "'here'")
    sequence("concat_nothing", "e = SequenceEmpty () [here] y = ConcatFromSequence <axis = 0> (e)", "FORMAT", "'here'")
    for position in (-3, 2, 2**62, -2**63):
        sequence(f"at_{position}", "[here] y = SequenceAt(s, i)", "FORMAT", ["'here'", str(position)],
                 inputs={**given, "i": np.array(position)})
    graph("optional_of_nothing", "o = Optional <type = float[2]> () [here] y = OptionalGetElement(o)", "FORMAT", "'here'", X2)


def make():
    for part in (operators, names, attributes, types, branches, loops, scans, sequences):
        part()
