"""Makes the tables beside this file: what Pillow's scaling and transformers' image processors give.

    pip install pillow==12.3.0 numpy transformers==5.24.0
    python make.py
    pip install pillow==13.0.0
    python make.py

`pillow-VERSION.bin` holds the pixels of each of `SIZES` with each filter, one after another, and
`transformers.bin` the numbers of each of `CONFIGS` for each of `SOURCES` as little-endian f32, in the order
[channels, height, width].
"""

from pathlib import Path

import numpy as np
import PIL
from PIL import Image

FOLDER = Path(__file__).parent
# Filters in the order of `Filter`.
FILTERS = [
    getattr(Image.Resampling, name) for name in ("NEAREST", "BOX", "BILINEAR", "HAMMING", "BICUBIC", "LANCZOS")
]
# Old and new width and height: smaller, larger, one side only, both ways, long and thin, and shapes with which
# Pillow 13 goes over the columns first.
SIZES = [
    (40, 30, 24, 18), (40, 30, 17, 29), (40, 30, 57, 41), (40, 30, 40, 11), (40, 30, 13, 30), (40, 30, 61, 7),
    (40, 30, 5, 40), (40, 30, 40, 30), (40, 30, 36, 10), (40, 30, 1, 1), (30, 80, 12, 32), (517, 389, 24, 18),
    (389, 517, 8, 11), (301, 2, 16, 16), (2, 301, 16, 16),
]
SOURCES = [(61, 47), (33, 70), (20, 20), (10, 12)]
CONFIGS = ["clip", "vit", "siglip", "deit"]


def source(width, height):
    """Slopes, edges and something like noise, the same as in the test."""
    x, y, c = np.arange(width), np.arange(height)[:, None], np.arange(3)[:, None, None]
    values = (x * x * 7 + y * y * 3 + x * y * 5 + c * 91) ^ (x // 5 * 40 + y // 7 * 60)
    return Image.fromarray((values % 256).astype(np.uint8).transpose(1, 2, 0))


table = b""
for width, height, *size in SIZES:
    for resample in FILTERS:
        table += source(width, height).resize(size, resample).tobytes()
(FOLDER / f"pillow-{PIL.__version__}.bin").write_bytes(table)

if PIL.__version__.startswith("12"):
    import transformers
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    import json

    assert transformers.__version__ == "5.24.0"
    kinds = {
        "clip": CLIPImageProcessorPil, "vit": ViTImageProcessorPil, "siglip": SiglipImageProcessorPil,
        "deit": DeiTImageProcessorPil,
    }
    numbers = b""
    for name in CONFIGS:
        config = json.loads((FOLDER / f"{name}.json").read_text())
        processor = kinds[name](**{k: v for k, v in config.items() if k != "image_processor_type"})
        for size in SOURCES:
            values = processor(source(*size), return_tensors="np")["pixel_values"][0]
            numbers += values.astype("<f4").tobytes()
    (FOLDER / "transformers.bin").write_bytes(numbers)
