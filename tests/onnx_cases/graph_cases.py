"""Graphs that are cases in the form of the official ones. What is expected is the graph as it is written, computed by ONNX Runtime
without its optimisations."""
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
import onnxruntime


def rounded(array, element):
    """float32 numbers that the type has."""
    if element == TensorProto.FLOAT16:
        return array.astype(np.float16).astype(np.float32)
    if element == TensorProto.BFLOAT16:
        return numpy_helper.to_array(helper.make_tensor("", element, array.shape, array.ravel())).astype(np.float32)
    return array


class Graph:
    """Nodes with one float input x of a shape."""

    def __init__(self, random, shape, opset=21):
        self.nodes, self.initializers = [], []
        self.random, self.shape, self.opset = random, list(shape), opset

    def node(self, op, inputs, count=1, **attributes):
        """The name of its output; a list of names for several."""
        names = [f"v{len(self.nodes)}" + (f"_{i}" if count > 1 else "") for i in range(count)]
        self.nodes.append(helper.make_node(op, inputs, names, name=names[0], **attributes))
        return names[0] if count == 1 else names

    def keep(self, array):
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def model(self, outputs, element=TensorProto.FLOAT):
        """element: the type of all floats but scales of Resize; those of the graph are rounded to it beforehand."""
        values = [helper.make_tensor_value_info(y, element, None) for y in outputs]
        scales = {n.input[2] for n in self.nodes if n.op_type == "Resize"}
        initializers = [i if i.data_type != TensorProto.FLOAT or i.name in scales or element == TensorProto.FLOAT else
                        helper.make_tensor(i.name, element, i.dims, numpy_helper.to_array(i).ravel()) for i in self.initializers]
        graph = helper.make_graph(self.nodes, "case", [helper.make_tensor_value_info("x", element, self.shape)], values, initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)

    def run(self, outputs, x):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(self.model(outputs).SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x})

    def write(self, folder, name, outputs, rtol, atol, element=TensorProto.FLOAT):
        """A graph of halves is computed in float32, and its outputs are rounded once."""
        outputs = [outputs] if isinstance(outputs, str) else outputs
        x = rounded(self.random.standard_normal(self.shape).astype(np.float32), element)
        for i in self.initializers:
            if i.data_type == TensorProto.FLOAT:
                i.CopyFrom(numpy_helper.from_array(rounded(numpy_helper.to_array(i), element), i.name))
        place = folder / name / "test_data_set_0"
        place.mkdir(parents=True)
        onnx.save(self.model(outputs, element), folder / name / "model.onnx")
        (folder / name / "data.json").write_text(json.dumps({"rtol": rtol, "atol": atol}))
        (place / "input_0.pb").write_bytes(helper.make_tensor("x", element, x.shape, x.ravel()).SerializeToString())
        for i, (y, want) in enumerate(zip(outputs, self.run(outputs, x))):
            (place / f"output_{i}.pb").write_bytes(helper.make_tensor(y, element, want.shape, want.ravel()).SerializeToString())
