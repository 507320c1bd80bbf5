"""Makes the ONNX graph of all-MiniLM-L6-v2 that all engines of the benchmark run which read ONNX.

    model.py WEIGHTS OUTPUT

The graph is written as exporters write a BERT: `ids` `[texts, tokens]` to `vectors` `[texts, 384]`, of
length 1. There is no mask, because texts of one request are equally long.
"""

import json
import pathlib
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

HEADS = 12
EPSILON = 1e-12


class Graph:
    """A graph in the making."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes, self.constants = [], {}

    def node(self, kind, *inputs, **attributes):
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def constant(self, name, values):
        self.constants[name] = numpy_helper.from_array(numpy.ascontiguousarray(values), name)
        return name

    def number(self, value):
        return self.constant(f"number_{value}", numpy.float32(value))

    def integers(self, *values):
        return self.constant("integers_" + "_".join(map(str, values)), numpy.array(values, numpy.int64))

    def weight(self, name):
        return self.constant(name, self.weights[name])

    def linear(self, x, name):
        # Exporters write the transposed weights down.
        weight = self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T)
        return self.node("Add", self.node("MatMul", x, weight), self.weight(f"{name}.bias"))

    def norm(self, x, name):
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.node("LayerNormalization", x, weight, bias, axis=-1, epsilon=EPSILON)

    def heads(self, x, order):
        x = self.node("Reshape", x, self.integers(0, 0, HEADS, -1))
        return self.node("Transpose", x, perm=order)

    def gelu(self, x):
        half = self.node("Erf", self.node("Div", x, self.number(2**0.5)))
        both = self.node("Mul", x, self.node("Add", half, self.number(1.0)))
        return self.node("Mul", both, self.number(0.5))

    def attention(self, x, name):
        query, key, value = (self.linear(x, f"{name}.self.{part}") for part in ("query", "key", "value"))
        query, value = self.heads(query, [0, 2, 1, 3]), self.heads(value, [0, 2, 1, 3])
        scores = self.node("MatMul", query, self.heads(key, [0, 2, 3, 1]))
        size = self.weights[f"{name}.self.query.bias"].size // HEADS
        shares = self.node("Softmax", self.node("Div", scores, self.number(size**0.5)), axis=-1)
        context = self.node("Transpose", self.node("MatMul", shares, value), perm=[0, 2, 1, 3])
        return self.linear(self.node("Reshape", context, self.integers(0, 0, -1)), f"{name}.output.dense")

    def encoder(self, layers):
        words = self.node("Gather", self.weight("embeddings.word_embeddings.weight"), "ids")
        length = self.node("Gather", self.node("Shape", "ids"), self.integers(1))
        positions = self.weights["embeddings.position_embeddings.weight"]
        positions = positions + self.weights["embeddings.token_type_embeddings.weight"][0]
        positions = self.constant("positions", positions)
        positions = self.node("Slice", positions, self.integers(0), length, self.integers(0))
        x = self.norm(self.node("Add", words, positions), "embeddings.LayerNorm")
        for index in range(layers):
            name = f"encoder.layer.{index}"
            x = self.node("Add", x, self.attention(x, f"{name}.attention"))
            x = self.norm(x, f"{name}.attention.output.LayerNorm")
            inner = self.gelu(self.linear(x, f"{name}.intermediate.dense"))
            x = self.norm(self.node("Add", x, self.linear(inner, f"{name}.output.dense")), f"{name}.output.LayerNorm")
        mean = self.node("ReduceMean", x, axes=[1], keepdims=0)
        return self.node("LpNormalization", mean, axis=-1, p=2)


def model(weights, layers):
    graph = Graph(weights)
    graph.nodes.append(helper.make_node("Identity", [graph.encoder(layers)], ["vectors"]))
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"])
    width = weights["embeddings.LayerNorm.bias"].size
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", width])
    made = helper.make_graph(graph.nodes, "encoder", [ids], [vectors], list(graph.constants.values()))
    # The newest that all engines read.
    made = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made


class Reference:
    """The same network by NumPy alone, in double precision: what engines' vectors are compared with."""

    def __init__(self, weights, layers):
        self.weights = {name: values.astype(numpy.float64) for name, values in weights.items()}
        self.layers = layers

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / numpy.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def attention(self, x, name):
        def heads(part):
            return self.linear(x, f"{name}.self.{part}").reshape(len(x), HEADS, -1).transpose(1, 0, 2)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 2, 1) / numpy.sqrt(query.shape[-1])
        shares = numpy.exp(scores - scores.max(-1, keepdims=True))
        context = shares / shares.sum(-1, keepdims=True) @ value
        return self.linear(context.transpose(1, 0, 2).reshape(x.shape), f"{name}.output.dense")

    def vector(self, ids):
        table = lambda name: self.weights[f"embeddings.{name}_embeddings.weight"]
        x = table("word")[ids] + table("position")[: len(ids)] + table("token_type")[0]
        x = self.norm(x, "embeddings.LayerNorm")
        for index in range(self.layers):
            name = f"encoder.layer.{index}"
            x = self.norm(x + self.attention(x, f"{name}.attention"), f"{name}.attention.output.LayerNorm")
            inner = self.linear(x, f"{name}.intermediate.dense")
            inner = inner * 0.5 * (1 + erf(inner / numpy.sqrt(2)))
            x = self.norm(x + self.linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        mean = x.mean(0)
        return mean / numpy.linalg.norm(mean)


def erf(x):
    """Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26: to 1.5e-7."""
    t = 1 / (1 + 0.3275911 * numpy.abs(x))
    powers = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
    series = sum(power * t ** (index + 1) for index, power in enumerate(powers))
    return numpy.sign(x) * (1 - series * numpy.exp(-x * x))


def main():
    folder, output = map(pathlib.Path, sys.argv[1:])
    layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
    weights = load_file(folder / "model.safetensors")
    weights = {name.removeprefix("bert."): values for name, values in weights.items()}
    output.mkdir(parents=True, exist_ok=True)
    onnx.save(model(weights, layers), output / "minilm-f32.onnx")
    asked = json.load(sys.stdin)
    reference = Reference(weights, layers)
    vectors = {}
    for name, texts in asked.items():
        vectors[name] = [float(value) for ids in texts for value in reference.vector(ids)]
    (output / "reference.json").write_text(json.dumps(vectors))


if __name__ == "__main__":
    main()
