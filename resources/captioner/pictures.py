"""Encoded pictures made pixels, in bounds."""

from __future__ import annotations

import io
import struct

from PIL import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
DAMAGE = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError,
          MemoryError, RuntimeError, struct.error, Image.DecompressionBombError)  # fmt: skip
"""What Pillow's readers raise on damaged bytes."""


class UnreadablePicture(Exception):
    """The bytes are no picture that is decoded here."""


def decode(data: bytes, max_pixels: int) -> Image.Image:
    """The first frame as RGB, as stored (no EXIF turn), transparency on white.

    Raises:
        UnreadablePicture: not one of FORMATS, damaged, or, by its header, of more than `max_pixels` pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if not 0 < image.width * image.height <= max_pixels:
                raise UnreadablePicture(f"{image.width} x {image.height} pixels, of {max_pixels} that are decoded")
            image.load()
            return _on_white(image)
    except DAMAGE as error:
        raise UnreadablePicture(str(error)) from error


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grays at 255 instead of scaling them.
        return image.point(lambda value: value / 257).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")
