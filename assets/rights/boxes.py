"""Metadata in files made of boxes (ISO/IEC 14496-12): AVIF, HEIC, JPEG XL and JPEG 2000."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from assets.rights.blocks import EXIF, MAX_BLOCK, MAX_LARGE, MAX_STEPS, Block, bounded, spent, unbrotlied

_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def box_blocks(data: bytes) -> Iterator[Block]:
    """Boxes at the top of AVIF, HEIC, JPEG XL and JPEG 2000 files; an Exif item of the first two by its header."""
    position, left, steps = 0, MAX_LARGE, iter(range(MAX_STEPS))
    while position + 8 <= len(data):
        if next(steps, None) is None:
            yield Block("other", None, position, len(data))
            break
        size, kind = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if size == 1 and position + 16 <= len(data):
            size, start = struct.unpack_from(">Q", data, start)[0], position + 16
        end = position + size if size else len(data)
        if end < start:
            return
        place = (position, min(end, len(data)))
        if kind == b"Exif":
            yield Block("exif", bounded(data, start + 4, end), *place)
        elif kind == b"brob" and data[start : start + 4] in (b"xml ", b"Exif"):
            text = unbrotlied(data[start + 4 : end], min(left, MAX_BLOCK)) if end <= len(data) else None
            left -= spent(text)
            if data.startswith(b"xml ", start):
                yield Block("xmp", text, *place)
            else:
                yield Block("exif", text and text[4:], *place)
        elif data[start : start + 16] == _C2PA_UUID or (kind == b"jumb" and b"c2pa" in data[start:end]):
            yield Block("c2pa", bounded(data, start, end, len(data)), *place)
        position = end
    item = re.search(rb"Exif\0\0(?:II\*\0|MM\0\*)", data) if data[4:8] == b"ftyp" else None
    if item:
        end = min(item.start() + 65536, len(data))
        yield Block("exif", data[item.start() + len(EXIF) : end], item.start(), end)
