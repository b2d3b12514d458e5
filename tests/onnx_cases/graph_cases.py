"""Graphs that are cases in the form of the official ones. What is expected is the graph as it is written, computed by ONNX Runtime
without its optimisations."""
import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
import onnxruntime


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

    def model(self, outputs):
        values = [helper.make_tensor_value_info(y, TensorProto.FLOAT, None) for y in outputs]
        graph = helper.make_graph(self.nodes, "case", [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)], values,
                                  self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)

    def run(self, outputs, x):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(self.model(outputs).SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x})

    def write(self, folder, name, outputs, rtol, atol):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        x = self.random.standard_normal(self.shape).astype(np.float32)
        place = folder / name / "test_data_set_0"
        place.mkdir(parents=True)
        onnx.save(self.model(outputs), folder / name / "model.onnx")
        (folder / name / "data.json").write_text(json.dumps({"rtol": rtol, "atol": atol}))
        (place / "input_0.pb").write_bytes(numpy_helper.from_array(x, "x").SerializeToString())
        for i, (y, want) in enumerate(zip(outputs, self.run(outputs, x))):
            (place / f"output_{i}.pb").write_bytes(numpy_helper.from_array(want, y).SerializeToString())
