"""Image bytes: gates before anything is decoded, decoding in bounds, and tars that keep the bytes as crawled."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFile, ImageOps, PngImagePlugin, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tif", "AVIF": "avif"}
MAX_PIXELS = 64_000_000
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError,
              MemoryError, RuntimeError, struct.error)  # fmt: skip
"""What Pillow's readers raise on damaged bytes; AVIF's raises RuntimeError, TIFF's struct.error."""


class ImageRefused(Exception):
    """An image that is not decoded.

    Attributes:
        reason: why, as in table `decision`.
        score: number that decided, if one did.
        threshold: limit it was held against.
    """

    def __init__(self, reason: str, score: float | None = None, threshold: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.score, self.threshold = reason, score, threshold


@dataclass(frozen=True)
class Decoded:
    """A picture and what its file says of it."""

    picture: Image.Image
    format: str
    frames: int


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture as RGB, upright, transparency on white, first frame; raises ImageRefused."""
    return decode_file(data, max_pixels).picture


def decode_file(data: bytes, max_pixels: int = MAX_PIXELS) -> Decoded:
    """The picture with format and number of frames. Pixels are counted from the header, before anything is decoded."""
    _not_something_else(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError:
            raise ImageRefused("not_an_image") from None
        except UNREADABLE:
            raise ImageRefused("bad_header") from None
        with image:
            return _load(image, data, max_pixels)


def _load(image: Image.Image, data: bytes, max_pixels: int) -> Decoded:
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise ImageRefused("too_many_pixels", float(pixels), float(max_pixels))
    if pixels == 0:
        raise ImageRefused("empty")
    try:
        if image.format == "PNG":
            _check_sums(data)
        frames = int(getattr(image, "n_frames", 1))
        image.load()
        upright = ImageOps.exif_transpose(image)
        return Decoded(_on_white(upright), image.format or "", frames)
    except UNREADABLE as error:
        raise ImageRefused(_why(str(error))) from None


def _check_sums(png: bytes) -> None:
    """Refuse a PNG whose picture data are not those that were written; Pillow does not look at their check sums."""
    at = 8
    while at + 12 <= len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        kind, end = png[at + 4 : at + 8], at + 8 + size
        if end + 4 > len(png):
            return
        critical = kind[:1].isupper()
        if critical and zlib.crc32(memoryview(png)[at + 4 : end]) != int.from_bytes(png[end : end + 4], "big"):
            raise ImageRefused("bad_checksum")
        at = end + 4


def _why(words: str) -> str:
    lower = words.lower()
    if "truncated" in lower or "unexpected end" in lower or "cut off" in lower or "premature" in lower:
        return "truncated"
    if "checksum" in lower or "crc" in lower or "broken png" in lower:
        return "bad_checksum"
    return "broken_data" if "broken data" in lower else "undecodable"


def _not_something_else(data: bytes) -> None:
    """Refuse what is no raster image, whatever the server said it was."""
    if not data:
        raise ImageRefused("empty", 0.0)
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise ImageRefused("html_body")
    if head.startswith((b"<svg", b"<?xml", b"<!doctype svg", b"<!--")) and b"<svg" in data[:65536].lower():
        raise ImageRefused("svg")
    if data[:3] == b"\x1f\x8b\x08" and b"svg" in data[:512]:
        raise ImageRefused("svg")


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        # Pillow clips 16-bit grays at 255 instead of scaling them.
        image = image.point(lambda value: value / 257).convert("L")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image)
        return ground.convert("RGB")
    return image.convert("RGB")


def perceptual_hash(picture: Image.Image) -> bytes:
    """64-bit DCT hash of a picture, 8 bytes."""
    import imagehash
    import numpy as np

    return np.packbits(imagehash.phash(picture).hash.flatten()).tobytes()


class ImageTar:
    """A tar of image bytes whose own bytes depend on the images alone: no time, no owner."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._tar = tarfile.TarFile(path, "w", format=tarfile.USTAR_FORMAT)

    def add(self, member: str, data: bytes) -> None:
        """Append a file."""
        entry = tarfile.TarInfo(member)
        entry.size = len(data)
        entry.mode = 0o644
        self._tar.addfile(entry, io.BytesIO(data))

    def __enter__(self) -> ImageTar:
        return self

    def __exit__(self, *error: Any) -> None:
        self._tar.close()


def read_members(tar_path: str | os.PathLike[str], members: Sequence[str]) -> Iterator[bytes]:
    """Bytes of members of a tar, in the order asked for; raises KeyError where one is not there."""
    with tarfile.open(tar_path, "r:") as tar:
        entries = {entry.name: entry for entry in tar}
        for name in members:
            stream = tar.extractfile(entries[name]) if name in entries else None
            if stream is None:
                raise KeyError(f"{tar_path}: no file {name}")
            yield stream.read()


ImageFile.LOAD_TRUNCATED_IMAGES = False
# Pixels are counted here, against the recipe's limit and with the number that decided.
Image.MAX_IMAGE_PIXELS = None
PngImagePlugin.MAX_TEXT_CHUNK = 1 << 20
