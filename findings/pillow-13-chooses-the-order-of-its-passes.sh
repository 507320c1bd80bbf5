#!/usr/bin/env bash
# Pillow 13.0.0 resizes a picture column by column first where the height loses more than twice as many pixels as
# the width; Pillow 12.3.0 goes row by row first. The bytes between the passes are rounded, so the same call on the
# same picture gives other pixels: up to 20 of 255 off with LANCZOS. A vision model's input, and every embedding
# that was stored, changes with the version. Release notes of 13.0.0 do not promise one order.
#
# Exits 0 while that is so.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/resize.py" <<'PY'
import sys
import PIL
from PIL import Image

# A tall picture, half as wide and a fifth as high: made without a random generator.
width, height, size = 120, 400, (60, 80)
picture = Image.new("RGB", (width, height))
picture.putdata([((x * x * 7 + y * y * 3 + x * y * 5) % 256,) * 3 for y in range(height) for x in range(width)])

found = picture.resize(size, Image.Resampling.LANCZOS).tobytes()
rows = picture.resize((size[0], height), Image.Resampling.LANCZOS).resize(size, Image.Resampling.LANCZOS).tobytes()
columns = picture.resize((width, size[1]), Image.Resampling.LANCZOS).resize(size, Image.Resampling.LANCZOS).tobytes()
order = "rows first" if found == rows else "columns first" if found == columns else "neither"
off = [abs(a - b) for a, b in zip(rows, columns)]
print(f"Pillow {PIL.__version__}: {order}; the two orders differ in {sum(map(bool, off)) / len(off):.0%} of values, by up to {max(off)}")
sys.exit(order != sys.argv[1])
PY
for version in 12.3.0 13.0.0; do
    python3 -m venv "$work/$version"
    "$work/$version/bin/pip" -q --disable-pip-version-check install "pillow==$version"
done
"$work/12.3.0/bin/python" "$work/resize.py" "rows first"
"$work/13.0.0/bin/python" "$work/resize.py" "columns first"
