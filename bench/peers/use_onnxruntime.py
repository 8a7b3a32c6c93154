"""ONNX Runtime: the network written as an ONNX file in memory (needs the package `onnx`, too)."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from cases import Array, Case, Data, Weights
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 9  # the newest defaults of onnx are ahead of the runtimes


def _model(case: Case, weights: Weights) -> onnx.ModelProto:
    nodes, constants, value = [], [], "x"
    for i, (kernel, bias) in enumerate(weights):
        constants += [
            numpy_helper.from_array(kernel, f"kernel{i}"),
            numpy_helper.from_array(bias, f"bias{i}"),
        ]
        nodes.append(helper.make_node("Gemm", [value, f"kernel{i}", f"bias{i}"], [f"z{i}"]))
        last = i == len(case.widths) - 2
        kind = ("Softmax" if case.classes else "Identity") if last else "Relu"
        value = "y" if last else f"a{i}"
        nodes.append(helper.make_node(kind, [f"z{i}"], [value]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])
        for name, width in (("x", case.widths[0]), ("y", case.widths[-1]))
    ]
    graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], constants)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)


class OnnxRuntime:
    """One session; predicts only."""

    version = onnxruntime.__version__

    def __init__(self, case: Case, data: Data, start: Weights, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            _model(case, start).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def epoch(self, shuffle: bool = True) -> None:
        raise NotImplementedError("onnxruntime predicts only")

    def predict(self, x: Array) -> Array:
        return np.asarray(self.session.run(["y"], {"x": x})[0])
