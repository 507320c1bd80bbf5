"""Makes the graph in 8-bit integers, as ONNX Runtime's own tool does it: weights beforehand, each output
with a scale of its own, activations as they come. Only products with weights: with the tool's defaults
vectors come out that have a cosine of 0.95 with those of the floats, with these 0.99.

    quantize.py MODEL OUTPUT
"""

import sys

from onnxruntime.quantization import QuantType, quantize_dynamic

quantize_dynamic(
    *sys.argv[1:],
    op_types_to_quantize=["MatMul"],
    per_channel=True,
    weight_type=QuantType.QInt8,
    extra_options={"MatMulConstBOnly": True},
)
