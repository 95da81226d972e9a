"""Image shards as img2dataset writes them: a tar of KEY.jpg, KEY.txt and KEY.json, and perhaps a Parquet file beside it.

The tar is read by its headers alone, with bounds: `tarfile` reads a header of any size into memory and follows links.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from assets.crawl.images import ImageRefused
from assets.crawl.list_parquet import parquet_names, parquet_rows, parquet_values
from assets.crawl.text import clean

BLOCK = 512
MAX_NAME = 1 << 16
"""Bytes of a header that holds a long name."""
MAX_TEXT = 1 << 16
MAX_JSON = 1 << 20
MAX_IMAGE = 64 << 20
MAX_KEYS = 1_000_000
MAX_MEMBERS = 4_000_000
IMAGES = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "img")
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
SIDE = ("key", "url", "caption", "status", "sha256", "original_width", "original_height")
MEMBER = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)
"""Key and extension of a member's name, as WebDataset tells them: at the first dot of the last part."""


class ImageShardRefused(ValueError):
    """An image shard that cannot be read at all; the message is a sentence that names the file and what to do."""


@dataclass(frozen=True, slots=True)
class ShardMember:
    """One row of an image shard.

    Attributes:
        row: index in the side file, else the order in which keys first appear in the tar, from 0.
        key: name of its members without extension; None for the row that stands for the rest of a damaged tar.
        url: address that the image was fetched from, as stated.
        text: its caption, at most 4096 characters.
        json_status: status that img2dataset gave it.
        reason: why there is no image: a status of img2dataset such as failed_to_download, not_in_tar, no_image,
            duplicate_key, no_key, truncated, broken_tar, too_many_members, broken_file (of the side file); else None.
        image_offset: where the image's bytes begin in the tar.
        image_bytes: how many they are.
        sha256: hash of the fetched file, as stated: 64 hexadecimal digits, lower case. The image may have been resized.
        original_width, original_height: pixels before resizing, as stated.
        note: what is odd about it and costs nothing: duplicate_image, duplicate_text, duplicate_json (the first counts),
            bad_text, bad_json.
    """

    row: int
    key: str | None
    url: str | None = None
    text: str | None = None
    json_status: str | None = None
    reason: str | None = None
    image_offset: int | None = None
    image_bytes: int | None = None
    sha256: str | None = None
    original_width: int | None = None
    original_height: int | None = None
    note: str | None = None


@dataclass(slots=True)
class _Parts:
    """Where the members of a key lie: (offset, size); and what is odd about them."""

    image: tuple[int, int] | None = None
    text: tuple[int, int] | None = None
    json: tuple[int, int] | None = None
    reason: str | None = None
    note: str | None = None


@dataclass
class _Tar:
    """The keys of a tar in order, and why reading it ended early."""

    keys: dict[str, _Parts] = field(default_factory=dict)
    reason: str | None = None


class _Broken(Exception):
    """A tar that cannot be read further; the message is the reason."""


def read_image_shard(
    tar_path: str | os.PathLike[str], side_path: str | os.PathLike[str] | None = None
) -> Iterator[ShardMember]:
    """Rows of an image shard: those of its side file, then the keys of the tar that it lacks.

    Where the tar is damaged its readable keys come first and one row with key None at the end says why.

    Raises:
        ImageShardRefused: the tar is compressed.
        ListRefused: the side file is not Parquet or has no column `key`.
        OSError: a file is not there.
    """
    with open(tar_path, "rb") as stream:
        start = stream.read(6)
        packed = next((name for magic, name in PACKED.items() if start.startswith(magic)), None)
        if packed:
            raise ImageShardRefused(f"{tar_path}: it is compressed ({packed}); unpack it, images gain nothing from it.")
        tar = _index(stream)
        row = 0
        seen: set[str] = set()
        for key, stated in _side_rows(side_path) if side_path is not None else ():
            yield _side_member(row, key, stated, tar, seen, stream)
            row += 1
        for key, parts in tar.keys.items():
            if key not in seen:
                yield _member(row, key, parts, {}, stream)
                row += 1
        if tar.reason is not None:
            yield ShardMember(row, None, reason=tar.reason)


def member_places(tar_path: str | os.PathLike[str]) -> Iterator[tuple[str, int, int]]:
    """(name, first byte, size) of the plain files of a whole tar; raises ImageShardRefused where it is damaged."""
    with open(tar_path, "rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        try:
            yield from _members(stream, end)
        except _Broken as broken:
            raise ImageShardRefused(f"{tar_path}: the tar is damaged ({broken}); see to the file.") from broken


def read_image(tar_path: str | os.PathLike[str], offset: int, size: int) -> bytes:
    """Bytes of an image of a tar; raises ImageRefused where the tar no longer holds them, OSError if it is not there."""
    if size > MAX_IMAGE or offset < 0 or size < 0:
        raise ImageRefused("too_large", float(size), float(MAX_IMAGE))
    with open(tar_path, "rb") as stream:
        stream.seek(offset)
        data = stream.read(size)
    if len(data) < size:
        raise ImageRefused("truncated")
    return data


def _index(stream: BinaryIO) -> _Tar:
    """The keys of a tar, from its headers."""
    tar = _Tar()
    end = stream.seek(0, os.SEEK_END)
    try:
        for name, at, size in _members(stream, end):
            match = MEMBER.fullmatch(name.removeprefix("./"))
            kind = _kind(match[2]) if match else None
            if match is None or kind is None:
                continue
            key = clean(match[1], 500) or ""
            if key not in tar.keys and len(tar.keys) >= MAX_KEYS:
                raise _Broken("too_many_members")
            parts = tar.keys.setdefault(key, _Parts())
            if at + size > end:
                if kind == "image" and parts.image is None:
                    parts.reason = "truncated"
            elif getattr(parts, kind) is None:
                setattr(parts, kind, (at, size))
            else:
                parts.note = f"duplicate_{kind}"
    except _Broken as broken:
        tar.reason = str(broken)
    return tar


def _kind(extension: str) -> str | None:
    lower = extension.lower()
    return "image" if lower in IMAGES else {"txt": "text", "json": "json"}.get(lower)


def _members(stream: BinaryIO, end: int) -> Iterator[tuple[str, int, int]]:
    """(name, first byte, size) of the plain files of a tar; raises _Broken where it ends before its end mark."""
    at, long_name, long_size = 0, None, None
    for _ in range(MAX_MEMBERS):
        header = _exactly(stream, at, BLOCK)
        if not header.strip(b"\0"):
            return
        if not _sum_is_right(header):
            raise _Broken("broken_tar")
        kind, size = header[156:157], _octal(header[124:136])
        at += BLOCK
        if kind in (b"L", b"x"):
            if size > MAX_NAME:
                raise _Broken("broken_tar")
            data = _exactly(stream, at, size)
            found = _pax(data) if kind == b"x" else {"path": data.rstrip(b"\0")}
            long_name = found.get("path", long_name)
            long_size = found.get("size", long_size)
        elif kind not in (b"g", b"K"):
            size = size if long_size is None else _decimal(long_size)
            raw = _name(header) if long_name is None else long_name
            if kind in (b"0", b"\0", b"7"):
                yield raw.decode("utf-8", "replace"), at, size
            elif kind in (b"1", b"2", b"3", b"4", b"5", b"6"):
                # Links, devices and folders have no bytes of their own, whatever their header says.
                size = 0
            long_name = long_size = None
        at += -(-size // BLOCK) * BLOCK
        if at > end:
            raise _Broken("truncated")
    raise _Broken("too_many_members")


def _exactly(stream: BinaryIO, at: int, size: int) -> bytes:
    stream.seek(at)
    data = stream.read(size)
    if len(data) < size:
        raise _Broken("truncated")
    return data


def _sum_is_right(header: bytes) -> bool:
    """POSIX.1-2017, pax, ustar header block: the sum of its bytes, those of the sum itself taken as blanks."""
    return _octal(header[148:156]) == sum(header[:148]) + 8 * 32 + sum(header[156:])


def _octal(field: bytes) -> int:
    """A number of a header: octal digits, or after the byte 0x80 a binary number, as GNU tar writes large ones."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not re.fullmatch(b"[0-7]*", digits):
        raise _Broken("broken_tar")
    return int(digits or b"0", 8)


def _decimal(field: bytes) -> int:
    if not re.fullmatch(b"[0-9]{1,18}", field):
        raise _Broken("broken_tar")
    return int(field)


def _name(header: bytes) -> bytes:
    name, prefix = header[:100].partition(b"\0")[0], header[345:500].partition(b"\0")[0]
    return prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name


def _pax(data: bytes) -> dict[str, bytes]:
    """Path and size of a pax header: records of `length keyword=value` and a line end, the length counting all of it."""
    found: dict[str, bytes] = {}
    while data:
        length, _, rest = data[:20].partition(b" ")
        if not re.fullmatch(b"[0-9]{1,6}", length) or not len(length) + 1 < int(length) <= len(data):
            raise _Broken("broken_tar")
        record, data = data[len(length) + 1 : int(length)], data[int(length) :]
        keyword, _, value = record.rstrip(b"\n").partition(b"=")
        if keyword in (b"path", b"size"):
            found[keyword.decode()] = value
    return found


def _side_rows(path: str | os.PathLike[str]) -> Iterator[tuple[str | None, dict[str, Any] | str]]:
    """Key and values of every row of a side file, or why it has none."""
    from assets.crawl.list_layouts import ListRefused

    there = {name.lower(): name for name in reversed(parquet_names(path))}
    if "key" not in there:
        raise ListRefused(f"{path}: there is no column key; take the file that img2dataset wrote beside the tar.")
    rows, given = parquet_rows(path), 0
    for values in parquet_values(path, [there.get(name) for name in SIDE], 0, rows):
        given += 1
        if isinstance(values, str):
            yield None, values
        else:
            yield _string(values[0], 500), dict(zip(SIDE, values, strict=True))
    for _ in range(given, rows):
        yield None, "broken_file"


def _side_member(
    row: int, key: str | None, stated: dict[str, Any] | str, tar: _Tar, seen: set[str], stream: BinaryIO
) -> ShardMember:
    if isinstance(stated, str) or key is None:
        return ShardMember(row, None, reason=stated if isinstance(stated, str) else "no_key")
    parts = tar.keys.get(key)
    known = key in seen
    seen.add(key)
    if parts is not None and not known:
        return _member(row, key, parts, stated, stream)
    found = _stated(ShardMember(row, key), stated)
    if known:
        return replace(found, reason="duplicate_key")
    status = found.json_status or ""
    failed = status != "success" and re.fullmatch("[a-z][a-z0-9_]{0,39}", status)
    return replace(found, reason=status if failed else tar.reason or "not_in_tar")


def _member(row: int, key: str, parts: _Parts, stated: dict[str, Any], stream: BinaryIO) -> ShardMember:
    """A row whose members are in the tar; the side file goes before KEY.txt, and that before KEY.json."""
    note = parts.note
    written: dict[str, Any] = {}
    if parts.json is not None and any(stated.get(name) is None for name in ("url", "status", "caption")):
        read = _json(stream, parts.json)
        note = note if read is not None else note or "bad_json"
        written.update(read or {})
    if parts.text is not None and stated.get("caption") is None:
        text = _text(stream, parts.text)
        note = note if text is not None else note or "bad_text"
        written.update({"caption": text} if text is not None else {})
    written.update({name: value for name, value in stated.items() if value is not None})
    found = replace(_stated(ShardMember(row, key), written), note=note)
    if parts.image is None:
        return replace(found, reason=parts.reason or "no_image")
    return replace(found, image_offset=parts.image[0], image_bytes=parts.image[1])


def _stated(member: ShardMember, stated: dict[str, Any]) -> ShardMember:
    digest = (_string(stated.get("sha256"), 64) or "").lower()
    return replace(
        member,
        url=_string(stated.get("url"), 8192),
        text=_string(stated.get("caption"), 4096),
        json_status=_string(stated.get("status"), 100),
        sha256=digest if re.fullmatch("[0-9a-f]{64}", digest) else None,
        original_width=_side(stated.get("original_width")),
        original_height=_side(stated.get("original_height")),
    )


def _string(value: Any, limit: int) -> str | None:
    if isinstance(value, bytes):
        value = value[: 4 * limit].decode("utf-8", "replace")
    if type(value) is int:
        value = str(value)
    return clean(value, limit) if isinstance(value, str) else None


def _side(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 < value < 1 << 31 else None


def _text(stream: BinaryIO, place: tuple[int, int]) -> str | None:
    if place[1] > MAX_TEXT:
        return None
    stream.seek(place[0])
    try:
        return clean(stream.read(place[1]).decode())
    except UnicodeDecodeError:
        return None


def _json(stream: BinaryIO, place: tuple[int, int]) -> dict[str, Any] | None:
    if place[1] > MAX_JSON:
        return None
    stream.seek(place[0])
    try:
        found = json.loads(stream.read(place[1]).decode())
    except (ValueError, RecursionError):
        return None
    return {name: found.get(name) for name in SIDE} if isinstance(found, dict) else None
