"""Makes the graph in 8-bit integers, as ONNX Runtime's own tool does it: weights beforehand, activations
as they come.

    quantize.py MODEL OUTPUT
"""

import sys

from onnxruntime.quantization import QuantType, quantize_dynamic

quantize_dynamic(*sys.argv[1:], weight_type=QuantType.QInt8)
