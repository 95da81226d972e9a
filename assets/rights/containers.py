"""Where metadata stands in an image file: XMP, EXIF, IPTC, comments and C2PA blocks with their byte ranges.

Nothing is decoded but compressed text, whose size is bounded for each block and for the whole file. A file that is cut
short or lies about lengths gives the blocks that are whole, and a block without data where a broken one begins.
"""

from __future__ import annotations

import binascii
import re
import struct
from collections.abc import Iterator
from itertools import islice

from assets.rights.blocks import EXIF, MAX_BLOCK, MAX_LARGE, MAX_STEPS, Block, bounded, inflated, spent
from assets.rights.boxes import box_blocks

MAX_BLOCKS = 4096
MAX_EXTENSIONS = 16
"""Extended XMP packets of a JPEG file that are told apart; a file has one."""

_XMP_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"


def metadata_blocks(data: bytes) -> list[Block]:
    """Metadata blocks of an image file, whatever its name or media type says."""
    found = list(islice(_blocks(data), MAX_BLOCKS + 1))
    if len(found) > MAX_BLOCKS:
        found[MAX_BLOCKS] = Block("other", None, found[MAX_BLOCKS].start, len(data))
    return found


def _blocks(data: bytes) -> Iterator[Block]:
    if data.startswith(b"\xff\xd8"):
        yield from _jpeg(data)
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        yield from _png(data)
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        yield from _webp(data)
    elif data.startswith((b"GIF87a", b"GIF89a")):
        yield from _gif(data)
        yield from _packets(data)
    elif data.startswith((b"II*\0", b"MM\0*")):
        yield from _tiff(data)
        yield from _packets(data)
    elif data[4:8] in (b"ftyp", b"JXL ", b"jP  "):
        yield from box_blocks(data)
        yield from _packets(data)
    else:
        element = _first_element(data)
        if element == b"svg":
            yield from _svg(data)
        elif element in _NO_PAGE:
            yield from _packets(data)


_ASIDE = re.compile(rb"<!--.*?(?:-->|\Z)|<\?[^>]*(?:>|\Z)", re.S)
_ELEMENT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
_NO_PAGE = (b"", b"xmpmeta", b"xapmeta", b"RDF")
"""First elements of what may be searched for XMP: none, as in formats not known here, or those of a bare packet."""


def _first_element(data: bytes) -> bytes:
    """Name of the first element, without prefix, of bytes that begin as markup in any encoding; empty for others.

    What declares entities before it counts as SVG, which refuses them: they could hide the element.
    """
    head = data[:65536].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if not head.startswith(b"<"):
        return b""
    head = _ASIDE.sub(b"", head)
    element = _ELEMENT.search(head)
    if b"<!ENTITY" in head[: element.start() if element else None]:
        return b"svg"
    return element[1] if element else b""


def _jpeg(data: bytes) -> Iterator[Block]:
    """Segments up to the first scan (ISO/IEC 10918-1, annex B); those that go together are joined at the end."""
    joined, steps = _Joined(data), iter(range(MAX_STEPS))
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        if next(steps, None) is None:
            yield Block("other", None, position, len(data))
            break
        marker = data[position + 1]
        if marker in (0x01, 0xFF) or 0xD0 <= marker <= 0xD7:
            position += 1 if marker == 0xFF else 2
            continue
        length = struct.unpack_from(">H", data, position + 2)[0]
        start, end = position + 4, position + 2 + length
        if marker in (0xDA, 0xD9) or length < 2:
            break
        if marker == 0xE1 and data.startswith(EXIF, start):
            yield Block("exif", bounded(data, start + len(EXIF), end), position, min(end, len(data)))
        elif marker == 0xE1 and data.startswith(_XMP_JPEG, start):
            yield Block("xmp", bounded(data, start + len(_XMP_JPEG), end), position, min(end, len(data)))
        elif marker == 0xE1 and data.startswith(_XMP_EXTENSION, start):
            joined.extended_xmp(position, end)
        elif marker == 0xEB and data.startswith(b"JP", start):
            joined.jumbf(position, end)
        elif marker == 0xED and data.startswith(_PHOTOSHOP, start):
            yield from _photoshop(data, start + len(_PHOTOSHOP), min(end, len(data)), steps)
        elif marker == 0xFE:
            yield Block("comment", bounded(data, start, end), position, min(end, len(data)), "jpeg")
        position = end
    yield from joined.blocks()


class _Joined:
    """Blocks of a JPEG file that are split over segments: extended XMP by its GUID, JUMBF by its box instance."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pieces: dict[tuple[str, bytes], list[tuple[int, bytes]]] = {}
        self._sizes: dict[tuple[str, bytes], int] = {}
        self._ranges: dict[tuple[str, bytes], tuple[int, int]] = {}

    def extended_xmp(self, position: int, end: int) -> None:
        """A segment of extended XMP: GUID, full length, offset and a piece (XMP specification, part 3, 1.1.3.1)."""
        start = position + 4 + len(_XMP_EXTENSION)
        if start + 40 > min(end, len(self._data)):
            self._add(("xmp", b""), position, end, None, 0)
            return
        size, offset = struct.unpack_from(">II", self._data, start + 32)
        key = ("xmp", self._data[start : start + 32])
        if key not in self._sizes and len(self._sizes) >= MAX_EXTENSIONS:
            self._add(("xmp", b""), position, end, None, 0)
            return
        self._sizes.setdefault(key, size)
        self._add(key, position, end, offset, start + 40)

    def jumbf(self, position: int, end: int) -> None:
        """A segment of JUMBF: instance and sequence number; later pieces repeat the header of the box."""
        start = position + 4
        number = int.from_bytes(self._data[start + 4 : start + 8], "big")
        again = 8 if number > 1 else 0
        self._add(("c2pa", self._data[start + 2 : start + 4]), position, end, number, start + 8 + again)

    def _add(self, key: tuple[str, bytes], position: int, end: int, order: int | None, start: int) -> None:
        if order is None or end > len(self._data):
            self._sizes[key] = -1
        if order is not None:
            self._pieces.setdefault(key, []).append((order, self._data[start:end]))
        first, last = self._ranges.get(key, (position, position))
        self._ranges[key] = (first, max(last, min(end, len(self._data))))

    def blocks(self) -> Iterator[Block]:
        """The joined blocks; without data where a piece is missing, cut off or too much."""
        for key, (start, end) in self._ranges.items():
            pieces = sorted(self._pieces.get(key, ()), key=lambda piece: piece[0])
            whole = b"".join(piece for _, piece in pieces)
            if key[0] == "c2pa":
                if b"c2pa" in whole:
                    yield Block("c2pa", whole, start, end)
                continue
            readable = self._sizes[key] <= MAX_LARGE and _contiguous(pieces, self._sizes[key])
            yield Block("xmp", whole if readable else None, start, end, "extended:" + key[1].decode("latin-1"))


def _contiguous(pieces: list[tuple[int, bytes]], size: int) -> bool:
    at = 0
    for offset, piece in pieces:
        if offset != at:
            return False
        at += len(piece)
    return at == size


def _photoshop(data: bytes, position: int, end: int, steps: Iterator[int]) -> Iterator[Block]:
    """IPTC among Photoshop's image resources, as far as there are steps for the file."""
    while position + 12 <= end and data.startswith(b"8BIM", position):
        if next(steps, None) is None:
            yield Block("iptc", None, position, end)
            return
        resource = struct.unpack_from(">H", data, position + 4)[0]
        name = data[position + 6]
        size_at = position + 6 + (name + 2 & ~1)
        if size_at + 4 > end:
            return
        size = struct.unpack_from(">I", data, size_at)[0]
        start = size_at + 4
        if resource == 0x0404:
            whole = start + size <= end and size <= MAX_BLOCK
            yield Block("iptc", data[start : start + size] if whole else None, start, min(start + size, end))
        position = start + size + size % 2


def _png(data: bytes) -> Iterator[Block]:
    position, left, steps = 8, MAX_LARGE, iter(range(MAX_STEPS))
    while position + 8 <= len(data):
        if next(steps, None) is None:
            yield Block("other", None, position, len(data))
            return
        size, kind = struct.unpack_from(">I4s", data, position)
        start, end = position + 8, position + 8 + size
        place = (position, min(end + 4, len(data)))
        if kind == b"IEND":
            return
        if kind == b"eXIf":
            yield Block("exif", bounded(data, start, end), *place)
        elif kind == b"caBX":
            yield Block("c2pa", bounded(data, start, end, len(data)), *place)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            block = _text_chunk(kind, bounded(data, start, end), *place, min(left, MAX_BLOCK))
            left -= spent(block.data) if kind != b"tEXt" else 0
            yield block
        position = end + 4


def _text_chunk(kind: bytes, chunk: bytes | None, start: int, end: int, limit: int) -> Block:
    key, _, rest = (chunk or b"").partition(b"\0")
    compressed = kind == b"zTXt"
    if kind == b"iTXt":
        compressed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif compressed:
        rest = rest[1:]
    text = inflated(rest, limit) if compressed else rest
    if kind != b"iTXt" and text is not None:
        text = text.decode("latin-1").encode("utf-8")
    name = key[:79].decode("latin-1")
    whole = None if chunk is None else text
    return Block("xmp" if name == "XML:com.adobe.xmp" else "text", whole, start, end, name)


def _webp(data: bytes) -> Iterator[Block]:
    position, steps = 12, iter(range(MAX_STEPS))
    while position + 8 <= len(data):
        if next(steps, None) is None:
            yield Block("other", None, position, len(data))
            return
        kind, size = struct.unpack_from("<4sI", data, position)
        start, end = position + 8, position + 8 + size
        place = (position, min(end, len(data)))
        if kind == b"XMP ":
            yield Block("xmp", bounded(data, start, end), *place)
        elif kind == b"EXIF":
            exif = bounded(data, start, end)
            yield Block("exif", exif and exif.removeprefix(EXIF), *place)
        elif kind == b"C2PA":
            yield Block("c2pa", bounded(data, start, end, len(data)), *place)
        position = end + size % 2


def _gif(data: bytes) -> Iterator[Block]:
    """Comment and C2PA extensions of a GIF; XMP is found as a packet."""
    colors = data[10] if len(data) > 10 else 0
    position = 13 + (3 << (colors & 7) + 1 if colors & 0x80 else 0)
    steps = 0
    while position + 2 <= len(data) and steps < MAX_STEPS:
        begin, label = position, data[position : position + 2]
        if label[:1] == b"!":
            position += 2
        elif label[:1] == b"," and position + 10 <= len(data):
            colors = data[position + 9]
            position += 11 + (3 << (colors & 7) + 1 if colors & 0x80 else 0)
        else:
            return
        content = position
        while position < len(data) and data[position] and steps < MAX_STEPS:
            position += 1 + data[position]
            steps += 1
        whole = position < len(data) and data[position] == 0
        place = (begin, min(position + 1, len(data)))
        if label == b"!\xfe":
            yield Block("comment", _sub_blocks(data, content, position) if whole else None, *place, "gif")
        elif label == b"!\xff" and data.startswith(b"C2PA_GIF", content + 1):
            yield Block("c2pa", _sub_blocks(data, content, position) if whole else None, *place)
        position += 1
    if steps >= MAX_STEPS:
        yield Block("other", None, position, len(data))


def _sub_blocks(data: bytes, position: int, end: int) -> bytes:
    pieces = []
    while position < end:
        pieces.append(data[position + 1 : position + 1 + data[position]])
        position += 1 + data[position]
    return b"".join(pieces)


def _tiff(data: bytes) -> Iterator[Block]:
    """A TIFF file is one EXIF block; IPTC, Photoshop's resources and C2PA stand where its first directory says."""
    yield Block("exif", data, 0, len(data))
    for tag, _, start, end in directory(data):
        if tag == 0x83BB:
            yield Block("iptc", bounded(data, start, end), start, min(end, len(data)))
        elif tag == 0x8649:
            yield from _photoshop(data, start, min(end, len(data)), iter(range(MAX_STEPS)))
        elif tag == 0xCD41:
            yield Block("c2pa", bounded(data, start, end, len(data)), start, min(end, len(data)))


def _svg(data: bytes) -> Iterator[Block]:
    """The whole file, where it holds RDF or might hide some behind an entity; and a C2PA manifest in it."""
    plain = data.replace(b"\0", b"")
    if b"rdf-syntax-ns" in plain or b"<!ENTITY" in plain:
        yield Block("svg", bounded(data, 0, len(data), MAX_LARGE), 0, len(data))
    start = data.find(b"<c2pa:manifest")
    if start >= 0:
        end = data.find(b"</c2pa:manifest>", start)
        end = len(data) if end < 0 else end
        text = data[data.find(b">", start, end) + 1 : end]
        try:
            yield Block("c2pa", binascii.a2b_base64(text), start, end)
        except binascii.Error:
            yield Block("c2pa", None, start, end)


_PACKET = re.compile(rb"<\?xpacket begin|<[A-Za-z_][\w.-]{0,20}:xmpmeta[\s>]")


def _packets(data: bytes) -> Iterator[Block]:
    """XMP packets in any other place: the XMP specification (part 3, 2.1) lets a reader scan for them."""
    position = 0
    while match := _PACKET.search(data, position):
        start = match.start()
        last = b"<?xpacket end" if match.group().startswith(b"<?") else b"</" + match.group()[1:-1] + b">"
        at = data.find(last, match.end())
        end = data.find(b">", at) + 1 if at >= 0 else 0
        if not end:
            yield Block("xmp", None, start, len(data))
            return
        yield Block("xmp", bounded(data, start, end), start, end)
        position = end


_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 129: 1}


def directory(block: bytes) -> Iterator[tuple[int, int, int, int]]:
    """(tag, type, start, end) of the first directory of TIFF or EXIF bytes, each tag once; an end may lie.

    No pointer to another directory is followed.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None or len(block) < 8:
        return
    at = struct.unpack_from(order + "I", block, 4)[0]
    if at + 2 > len(block):
        return
    entries, seen = struct.unpack_from(order + "H", block, at)[0], set()
    for entry in range(at + 2, min(at + 2 + 12 * entries, len(block) - 11), 12):
        tag, kind, count = struct.unpack_from(order + "HHI", block, entry)
        if tag in seen:
            continue
        seen.add(tag)
        size = count * _SIZES.get(kind, 1)
        start = entry + 8 if size <= 4 else struct.unpack_from(order + "I", block, entry + 8)[0]
        yield tag, kind, start, start + size
