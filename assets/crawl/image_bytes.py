"""What the bytes of an image say before anything is decoded: what it is, and whether decoding it stays in bounds."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Literal

MAX_SCANS = 100
"""Scans of a JPEG; each one is a pass over all its pixels. Progressive encoders write about ten."""
MAX_PARTS = 100_000
"""Segments of a JPEG before its first scan, chunks of a PNG, strips or tiles of a TIFF; fillers count."""
MAX_FRAMES = 10_000
"""Frames that are counted; a longer animation has this many."""

_BARE = frozenset((0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)))
_SIZED = frozenset((*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE)) - _BARE
_SEQUENTIAL = (0xC0, 0xC1, 0xC9)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_STRIPS = (273, 324)
"""TIFF tags StripOffsets and TileOffsets."""


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


def is_svg(data: bytes) -> bool:
    """Whether bytes begin as a drawing does; a gzipped one counts too."""
    head = _head(data)
    if head.startswith((b"<svg", b"<?xml", b"<!doctype svg", b"<!--")) and b"<svg" in data[:65536].lower():
        return True
    return data[:3] == b"\x1f\x8b\x08" and (b"svg" in data[:512] or b"<svg" in _inflated(data, 1024).lower())


def refuse_other(data: bytes) -> None:
    """Refuse what is no raster image, whatever the server said it was."""
    if not data:
        raise ImageRefused("empty", 0.0)
    if _head(data).startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise ImageRefused("html_body")
    if is_svg(data):
        raise ImageRefused("svg")


def refuse_endless(data: bytes) -> None:
    """Refuse an image whose headers or passes would take too much time: too_many_scans, too_many_parts."""
    if data.startswith(b"\xff\xd8\xff"):
        _check_jpeg(data)
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        _bounded(sum(1 for _ in _png_chunks(data)))
    elif tiff := _Tiff.of(data):
        _bounded(max((count for tag, count in tiff.entries(tiff.first) if tag in _STRIPS), default=0))


def frames_of(data: bytes) -> int | None:
    """Frames of a GIF or pages of a TIFF, at most MAX_FRAMES, without decoding; None for other formats."""
    if data.startswith((b"GIF87a", b"GIF89a")):
        return max(_gif_frames(data), 1)
    if tiff := _Tiff.of(data):
        return max(tiff.pages(), 1)
    return None


def refuse_false_sums(png: bytes) -> None:
    """Refuse a PNG whose picture data are not those that were written; Pillow does not look at their check sums."""
    for start, end in _png_chunks(png):
        critical = png[start : start + 1].isupper()
        if critical and zlib.crc32(memoryview(png)[start:end]) != int.from_bytes(png[end : end + 4], "big"):
            raise ImageRefused("bad_checksum")


def _head(data: bytes) -> bytes:
    return data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()


def _inflated(data: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(data[: 1 << 16], limit)
    except zlib.error:
        return b""


def _bounded(parts: int) -> None:
    if parts > MAX_PARTS:
        raise ImageRefused("too_many_parts", float(parts), float(MAX_PARTS))


def _check_jpeg(data: bytes) -> None:
    """Walk to the first scan as Pillow does, then count scans where there can be several."""
    at, parts, components = 2, 0, 0
    while at + 4 <= len(data):
        parts += 1
        if parts > MAX_PARTS:
            _bounded(parts)
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xFF:
            at += 1  # junk and fillers are read byte by byte
        elif marker == 0xDA:
            break
        elif marker == 0 or marker in _BARE:
            at += 2
        elif marker in _SIZED:
            if marker in _SEQUENTIAL and at + 9 < len(data):
                components = data[at + 9]
            elif marker in _FRAMES:
                components = 0  # progressive
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        else:
            return
    if at + 4 < len(data) and data[at + 4] == components:
        return  # every component is in the first scan, and sequential: decoders stop after it
    # What merely looks like a scan, in whatever follows the picture, costs a slower count.
    if data.count(b"\xff\xda", at) > MAX_SCANS and (scans := _scans(data, at)) > MAX_SCANS:
        raise ImageRefused("too_many_scans", float(scans), float(MAX_SCANS))


def _scans(data: bytes, at: int) -> int:
    """Scans up to the end of the picture; counting stops above the limit."""
    scans = 0
    while scans <= MAX_SCANS and (found := _NEXT_MARKER.search(data, at)):
        marker, at = data[found.start() + 1], found.end()
        if marker == 0xD9:
            break
        scans += marker == 0xDA
        at += int.from_bytes(data[at : at + 2], "big")
    return scans


def _png_chunks(png: bytes) -> Iterator[tuple[int, int]]:
    """(start of the name, end of the data) of every whole chunk."""
    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        if end + 4 > len(png):
            return
        yield at + 4, end
        at = end + 4


def _gif_frames(gif: bytes) -> int:
    """Image descriptors of a GIF (GIF89a, section 20)."""
    at, frames = 13, 0
    if len(gif) > 10 and gif[10] & 128:
        at += 3 << ((gif[10] & 7) + 1)
    while at < len(gif) and frames < MAX_FRAMES:
        kind = gif[at]
        if kind == 0x3B:
            break
        if kind == 0x21:
            at = _after_blocks(gif, at + 2)
        elif kind == 0x2C:
            flags = gif[at + 9] if at + 9 < len(gif) else 0
            at += 11 + ((3 << ((flags & 7) + 1)) if flags & 128 else 0)
            frames += at < len(gif)
            at = _after_blocks(gif, at)
        else:
            at += 1
    return frames


def _after_blocks(gif: bytes, at: int) -> int:
    while at < len(gif) and gif[at]:
        at += 1 + gif[at]
    return at + 1


class _Tiff:
    """Directories of a TIFF or BigTIFF, as far as they have to be known before it is opened."""

    def __init__(self, data: bytes, order: Literal["little", "big"], big: bool) -> None:
        self._data, self._order, self._big = data, order, big
        self._entry, self._counted = (20, 8) if big else (12, 2)
        self.first = self._number(8, 8) if big else self._number(4, 4)

    @classmethod
    def of(cls, data: bytes) -> _Tiff | None:
        """The directories; None where bytes are no TIFF."""
        if data[:2] not in (b"II", b"MM"):
            return None
        order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
        version = int.from_bytes(data[2:4], order)
        return cls(data, order, version == 43) if version in (42, 43) else None

    def entries(self, at: int) -> Iterator[tuple[int, int]]:
        """(tag, count of values) of a directory."""
        end = self._end(at)
        for entry in range(at + self._counted, min(end, len(self._data)), self._entry):
            yield self._number(entry, 2), self._number(entry + 4, 8 if self._big else 4)

    def pages(self) -> int:
        """Directories in the chain, at most MAX_FRAMES; a chain that returns to itself ends there."""
        seen: set[int] = set()
        at = self.first
        while at and at + self._counted <= len(self._data) and at not in seen and len(seen) < MAX_FRAMES:
            seen.add(at)
            at = self._number(self._end(at), 8 if self._big else 4)
        return len(seen)

    def _end(self, at: int) -> int:
        return at + self._counted + self._entry * self._number(at, self._counted)

    def _number(self, at: int, size: int) -> int:
        return int.from_bytes(self._data[at : at + size], self._order)
