"""Texts in EXIF and IPTC blocks of an image that speak of rights: owner, author, title, credit."""

from __future__ import annotations

import struct

from assets.rights.blocks import MAX_BLOCK, Block
from assets.rights.containers import directory

MAX_TEXT = 10_000

EXIF_TAGS = {
    0x013B: "artist",
    0x8298: "copyright",
    0x9C9B: "title",
    0x9C9D: "author",
}
"""EXIF 2.32, table 4, and the tags of Windows (XPTitle, XPAuthor), which are UTF-16."""

_LISTS = ("artist", "author")
"""Fields that name several people with a semicolon between."""


class BrokenError(ValueError):
    """A block that speaks of rights is cut short or lies about lengths; `found` is what could be read before."""

    def __init__(self, reason: str, found: list) -> None:
        super().__init__(reason)
        self.found = found


def exif_texts(block: bytes) -> list[tuple[str, str]]:
    """(field, text) of an EXIF block, each tag's first; a copyright in two parts gives two. Raises BrokenError."""
    found: list[tuple[str, str]] = []
    broken = "" if block[:4] in (b"II*\0", b"MM\0*") else "no TIFF header"
    for tag, kind, start, end in directory(block):
        if tag not in EXIF_TAGS or kind not in (1, 2, 7, 129):
            continue
        name, raw = EXIF_TAGS[tag], block[start : min(end, start + MAX_TEXT)]
        if end > len(block):
            broken = f"{name} ends outside of the block"
        elif tag >= 0x9C9B:
            found += [(name, text) for text in _split(name, raw[: len(raw) & ~1].decode("utf-16-le", "replace"))]
        else:
            found += [(name, text) for part in raw.split(b"\0") for text in _split(name, decoded(part))]
    if broken and block.strip(b"\0"):
        raise BrokenError(broken, found)
    return found


def _split(name: str, text: str) -> list[str]:
    parts = text.split(";") if name in _LISTS else [text]
    return [words for part in parts if (words := " ".join(part.replace("\0", " ").split()))]


IPTC_FIELDS = {5: "title", 40: "instructions", 80: "byline", 110: "credit", 115: "source", 116: "copyright"}
"""Datasets of record 2 (IPTC-IIM 4.2)."""

_UTF8 = b"\x1b%G"


def iptc_texts(block: bytes) -> list[tuple[str, str, int, int]]:
    """(field, text, start, end) of the datasets that speak of rights; the range is within the block.

    Dataset 1:90 may say that text is UTF-8; else it is read as UTF-8 where it can be. Raises BrokenError.
    """
    found: list[tuple[str, str, int, int]] = []
    position = 0
    utf8 = False
    while position < len(block) and block[position] == 0x1C:
        header = _dataset(block, position)
        if header is None:
            raise BrokenError("a dataset is cut short", found)
        record, dataset, start, end = header
        if (record, dataset) == (1, 90):
            utf8 = block[start:end] == _UTF8
        elif record == 2 and dataset in IPTC_FIELDS and end > start:
            raw = block[start : min(end, start + MAX_TEXT)]
            text = raw.decode("utf-8", "replace") if utf8 else decoded(raw)
            found.append((IPTC_FIELDS[dataset], " ".join(text.replace("\0", " ").split()), position, end))
        position = end
    if position == 0 and block.strip(b"\0"):
        raise BrokenError("no dataset at its start", found)
    return found


def _dataset(block: bytes, position: int) -> tuple[int, int, int, int] | None:
    """(record, dataset, start, end) of the dataset at a position; None where the block ends before it."""
    if position + 5 > len(block):
        return None
    record, dataset, size = struct.unpack_from(">BBH", block, position + 1)
    start = position + 5
    if size & 0x8000:
        digits = size & 0x7FFF
        size = int.from_bytes(block[start : start + digits], "big") if digits <= 4 else MAX_BLOCK + len(block)
        start += digits
    return None if start + size > len(block) else (record, dataset, start, start + size)


def decoded(raw: bytes) -> str:
    """Text whose character set nothing tells: UTF-8 where it can be, else Latin-1."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


_RAW_PROFILE = "raw profile type "


def raw_profile(block: Block) -> Block | None:
    """XMP, EXIF or IPTC that a PNG text chunk holds in hexadecimal, as ImageMagick writes it; None for other text."""
    name = block.key.lower()
    if not name.startswith(_RAW_PROFILE):
        return None
    kind = {"xmp": "xmp", "exif": "exif", "app1": "exif", "iptc": "iptc"}.get(name.removeprefix(_RAW_PROFILE).strip())
    if kind is None:
        return None
    parts = (block.data or b"").split(None, 2)
    try:
        data = bytes.fromhex(parts[2].decode("ascii")) if len(parts) == 3 else None
    except ValueError:
        data = None
    if data is not None and kind == "exif":
        kind = "xmp" if data.startswith(b"http://ns.adobe.com/xap/1.0/\0") else kind
        data = data.removeprefix(b"Exif\0\0").removeprefix(b"http://ns.adobe.com/xap/1.0/\0")
    return Block(kind, _iptc_of(data) if data is not None and kind == "iptc" else data, block.start, block.end)


def _iptc_of(data: bytes) -> bytes:
    """Datasets in what may be wrapped as one of Photoshop's image resources."""
    at = data.find(b"\x1c\x02") if data.startswith(b"8BIM") else 0
    return data[max(at, 0) :]
