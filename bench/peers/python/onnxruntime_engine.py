"""ONNX Runtime, natively, as an engine of the benchmark."""

import numpy
import onnxruntime

from protocol import Missing, serve


def prepare(job):
    if job["kind"] != "embed":
        raise Missing("runs the sentence encoder only")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = job["threads"]
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(job["onnx"], options, providers=["CPUExecutionProvider"])
    ids = numpy.array(job["ids"], numpy.int64)

    def compute():
        return session.run(["vectors"], {"ids": ids})[0]

    return f"onnxruntime {onnxruntime.__version__}", compute, compute().ravel().tolist()


serve(prepare)
