"""A block of metadata in an image file, and how much is read: of one block, inflated or not, and of a whole file."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import brotli

MAX_BLOCK = 1 << 20
"""A larger metadata block is not read; real ones are a few kilobytes."""

MAX_LARGE = 8 * MAX_BLOCK
"""The same for extended XMP, which holds depth maps; for SVG files; and for everything inflated from one file."""

MAX_STEPS = 1 << 18
"""Segments, chunks, boxes or sub-blocks of a file that are walked; a hundred megabytes of image data has some thousands."""

FILE_LIMITS = {
    "licenses": 1000,
    "reservations": 200,
    "credits": 1000,
    "words": 256 << 10,
    "xmp": MAX_LARGE + MAX_BLOCK,
    "svg": MAX_LARGE,
    "exif": 4 * MAX_BLOCK,
    "iptc": MAX_BLOCK,
}
"""What all blocks of a file may come to: findings of each kind, characters searched for licenses, bytes parsed."""

EXIF = b"Exif\0\0"
"""What stands before an EXIF block in most containers."""


@dataclass(frozen=True, slots=True)
class Block:
    """Metadata in a file.

    Attributes:
        kind: xmp, exif, iptc, text, comment, svg, c2pa, or other for what is not told apart.
        data: its bytes, decompressed, without the container's framing; None where it is too large or broken.
        start: range in the file, of the block with its framing.
        key: keyword of a PNG text chunk; format of a comment; `extended:` and GUID of extended XMP.
    """

    kind: str
    data: bytes | None
    start: int
    end: int
    key: str = ""


class SpentError(ValueError):
    """A file has more of something than is read of one."""


class Budget:
    """What is left of FILE_LIMITS while a file is read."""

    def __init__(self) -> None:
        self._left = dict(FILE_LIMITS)
        self._told: set[str] = set()

    def take(self, what: str, amount: int = 1) -> bool:
        """Take that much; False where there was less, from when on nothing is left."""
        self._left[what] -= amount
        return self._left[what] >= 0

    def tell(self, what: str) -> bool:
        """Whether this is to be said: once for a file."""
        new = what not in self._told
        self._told.add(what)
        return new


def bounded(data: bytes, start: int, end: int, limit: int = MAX_BLOCK) -> bytes | None:
    """Bytes of a range; None where it is too long or the file ends before it."""
    return data[start:end] if end - start <= limit and end <= len(data) else None


def inflated(data: bytes, limit: int) -> bytes | None:
    """What zlib packed; None where it is broken or larger than the limit."""
    if limit <= 0:
        return None
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, limit)
    except zlib.error:
        return None
    return text if inflater.eof else None


def unbrotlied(data: bytes, limit: int) -> bytes | None:
    """What Brotli packed; None where it is broken or larger than the limit."""
    if limit <= 0:
        return None
    reader = brotli.Decompressor()
    try:
        text: bytes = reader.process(data, output_buffer_limit=limit)
    except brotli.error:
        return None
    return text if reader.is_finished() else None


def spent(text: bytes | None) -> int:
    """What a text took of the bound for the whole file; one that was given up took as much as it could."""
    return MAX_BLOCK if text is None else len(text)
