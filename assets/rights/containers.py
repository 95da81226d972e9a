"""Where metadata stands in an image file: XMP, EXIF, IPTC and text blocks with their byte ranges.

Nothing is decoded but compressed text chunks, whose size is bounded. Files that are cut short or lie about lengths give
the blocks that are whole.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAX_BLOCK = 1 << 20
"""A larger metadata block is not read; real ones are a few kilobytes."""

MAX_BLOCKS = 4096

_XMP_JPEG = b"http://ns.adobe.com/xap/1.0/\0"


@dataclass(frozen=True, slots=True)
class Block:
    """Metadata in a file.

    Attributes:
        kind: xmp, exif, iptc, text or svg.
        data: its bytes, decompressed, without the container's framing; None where it is too large or broken.
        start: range in the file, of the block with its framing.
        key: keyword of a PNG text chunk.
    """

    kind: str
    data: bytes | None
    start: int
    end: int
    key: str = ""


def metadata_blocks(data: bytes) -> list[Block]:
    """Metadata blocks of an image file in file order, whatever its name or media type says."""
    if data.startswith(b"\xff\xd8"):
        found = _jpeg(data)
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        found = _png(data)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        found = _webp(data)
    elif b"<svg" in data[:65536]:
        found = iter([Block("svg", data if len(data) <= 8 * MAX_BLOCK else None, 0, len(data))])
    else:
        found = _packets(data)
    return [block for block, _ in zip(found, range(MAX_BLOCKS), strict=False)]


def _bounded(data: bytes, start: int, end: int) -> bytes | None:
    return data[start:end] if end - start <= MAX_BLOCK else None


def _jpeg(data: bytes) -> Iterator[Block]:
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        length = struct.unpack_from(">H", data, position + 2)[0]
        start, end = position + 4, position + 2 + length
        if marker == 0xDA or length < 2 or end > len(data):
            return
        if marker == 0xE1 and data.startswith(b"Exif\0\0", start):
            yield Block("exif", data[start + 6 : end], position, end)
        elif marker == 0xE1 and data.startswith(_XMP_JPEG, start):
            yield Block("xmp", data[start + len(_XMP_JPEG) : end], position, end)
        elif marker == 0xED and data.startswith(b"Photoshop 3.0\0", start):
            yield from _photoshop(data, start + 14, end)
        position = end


def _photoshop(data: bytes, position: int, end: int) -> Iterator[Block]:
    while position + 12 <= end and data.startswith(b"8BIM", position):
        resource = struct.unpack_from(">H", data, position + 4)[0]
        name = data[position + 6]
        size_at = position + 6 + (name + 2 & ~1)
        if size_at + 4 > end:
            return
        size = struct.unpack_from(">I", data, size_at)[0]
        start = size_at + 4
        if start + size > end:
            return
        if resource == 0x0404:
            yield Block("iptc", data[start : start + size], start, start + size)
        position = start + size + size % 2


def _png(data: bytes) -> Iterator[Block]:
    position = 8
    while position + 12 <= len(data):
        size = struct.unpack_from(">I", data, position)[0]
        kind, start, end = data[position + 4 : position + 8], position + 8, position + 8 + size
        if end + 4 > len(data) or kind == b"IEND":
            return
        if kind == b"eXIf":
            yield Block("exif", _bounded(data, start, end), position, end + 4)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            yield _text_chunk(kind, _bounded(data, start, end), position, end + 4)
        position = end + 4


def _text_chunk(kind: bytes, chunk: bytes | None, start: int, end: int) -> Block:
    key, _, rest = (chunk or b"").partition(b"\0")
    compressed = kind == b"zTXt"
    if kind == b"iTXt":
        compressed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif compressed:
        rest = rest[1:]
    text = _inflated(rest) if compressed else rest
    if kind != b"iTXt" and text is not None:
        text = text.decode("latin-1").encode("utf-8")
    name = key[:79].decode("latin-1")
    whole = None if chunk is None else text
    return Block("xmp" if name == "XML:com.adobe.xmp" else "text", whole, start, end, name)


def _inflated(data: bytes) -> bytes | None:
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(data, MAX_BLOCK)
    except zlib.error:
        return None
    return None if inflater.unconsumed_tail else text


def _webp(data: bytes) -> Iterator[Block]:
    position = 12
    while position + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, position)
        start, end = position + 8, position + 8 + size
        if end > len(data):
            return
        if kind == b"XMP ":
            yield Block("xmp", _bounded(data, start, end), position, end)
        elif kind == b"EXIF":
            exif = _bounded(data, start, end)
            yield Block("exif", exif and exif.removeprefix(b"Exif\0\0"), position, end)
        position = end + size % 2


def _packets(data: bytes) -> Iterator[Block]:
    """XMP packets in any other format (GIF, TIFF, AVIF …): the XMP specification lets a reader scan for them."""
    position = 0
    while (start := data.find(b"<x:xmpmeta", position)) >= 0:
        end = data.find(b"</x:xmpmeta>", start)
        if end < 0:
            return
        end += len(b"</x:xmpmeta>")
        yield Block("xmp", _bounded(data, start, end), start, end)
        position = end


EXIF_TAGS = {0x013B: "artist", 0x8298: "copyright"}


def exif_texts(block: bytes) -> dict[str, str]:
    """Artist and copyright of an EXIF block; nothing where it is broken."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return {}
    directory = struct.unpack_from(order + "I", block, 4)[0]
    if directory + 2 > len(block):
        return {}
    found = {}
    for entry in range(struct.unpack_from(order + "H", block, directory)[0]):
        at = directory + 2 + 12 * entry
        if at + 12 > len(block):
            break
        tag, kind, count = struct.unpack_from(order + "HHI", block, at)
        if tag in EXIF_TAGS and kind in (2, 7, 129):
            start = at + 8 if count <= 4 else struct.unpack_from(order + "I", block, at + 8)[0]
            found[EXIF_TAGS[tag]] = _words(block[start : start + min(count, 10_000)].replace(b"\0", b" "))
    return {name: text for name, text in found.items() if text}


IPTC_FIELDS = {40: "instructions", 80: "byline", 110: "credit", 115: "source", 116: "copyright"}


def iptc_texts(block: bytes) -> list[tuple[str, str, int, int]]:
    """(field, text, start, end) of the datasets that speak of rights; the range is within the block."""
    found, position = [], 0
    while position + 5 <= len(block) and block[position] == 0x1C:
        record, dataset, size = struct.unpack_from(">BBH", block, position + 1)
        end = position + 5 + size
        if size & 0x8000 or end > len(block):
            break
        if record == 2 and dataset in IPTC_FIELDS and size:
            found.append((IPTC_FIELDS[dataset], _words(block[position + 5 : end]), position, end))
        position = end
    return found


def _words(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return " ".join(text.split())
