"""Makes the pictures beside this file, of kinds that the tests' own encoder cannot write.

    pip install pillow==13.0.0
    python make.py

All show the same 24 × 16 pixels: red, green, blue and grey quarters. The animations go on with black.
"""

from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).parent

quarters = Image.new("RGB", (24, 16))
for left, top, colour in [
    (0, 0, (224, 32, 32)),
    (12, 0, (32, 192, 64)),
    (0, 8, (48, 64, 208)),
    (12, 8, (160, 160, 160)),
]:
    quarters.paste(colour, (left, top, left + 12, top + 8))
black = Image.new("RGB", quarters.size)
small = {"quality": 92, "subsampling": 0}

quarters.convert("CMYK").save(FOLDER / "cmyk.jpg", **small)
quarters.save(FOLDER / "progressive.jpg", progressive=True, **small)
quarters.save(FOLDER / "lossy.webp", quality=90)
animation = {"save_all": True, "append_images": [black], "duration": 100}
quarters.save(FOLDER / "animated.webp", lossless=True, **animation)
quarters.save(FOLDER / "animated.png", **animation)
for orientation, turn in {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
}.items():
    exif = Image.Exif()
    exif[0x0112] = orientation
    # Stored the other way, so that it shows the same.
    quarters.transpose(turn).save(FOLDER / f"orientation_{orientation}.jpg", exif=exif, **small)
