"""The sentence encoder for servers in Python: tokenizers and ONNX Runtime, with a session of one thread."""

import os

import numpy
import onnxruntime
from tokenizers import Tokenizer


class Encoder:
    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(os.environ["BENCH_ONNX"], options, providers=providers)
        self.tokenizer = Tokenizer.from_file(os.environ["BENCH_TOKENIZER"])
        self.tokenizer.enable_truncation(256)
        self.tokenizer.no_padding()

    def __call__(self, text):
        """Returns the vector of a text, and the number of its tokens."""
        ids = self.tokenizer.encode(text).ids
        return self.session.run(["vectors"], {"ids": numpy.array([ids], numpy.int64)})[0][0], len(ids)
