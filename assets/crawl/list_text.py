"""Link lists as text: CSV, TSV and JSON lines, also compressed, record by record with the byte where each starts."""

from __future__ import annotations

import csv
import io
import json
import os
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from assets.crawl.list_layouts import FIELDS, Columns, ListRefused, Values, places

MAX_ROW = 1 << 20
"""Bytes of a line, and of a record of several lines."""
MAX_LINES = 64
"""Lines of a CSV record; a quote that is still open after them was none."""
JSON_SAMPLE = 100
"""Objects at the start of a JSON file whose keys are its columns."""
CHUNK = 1 << 16
BOM = b"\xef\xbb\xbf"
Found = list[str] | dict[str, Any] | str
"""A record: its fields, its object, or the reason why it has neither."""


class Damaged(Exception):
    """The bytes of a file end or break in its middle."""


@dataclass(frozen=True)
class Form:
    """How a text file is written: delimiter (None for JSON lines) and compression."""

    delimiter: str | None
    compression: str | None


def form(path: str | os.PathLike[str]) -> Form | None:
    """What a file's name says of how it is written; None if it is no text."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    compression = {".gz": "gzip", ".zst": "zstd"}.get(suffixes[-1]) if suffixes else None
    kind = suffixes[-2:-1] if compression else suffixes[-1:]
    delimiters = {".csv": ",", ".tsv": "\t", ".jsonl": None, ".ndjson": None}
    return Form(delimiters[kind[0]], compression) if kind and kind[0] in delimiters else None


class _Unpacked(io.RawIOBase):
    """What a compressed file holds, in pieces of one size whoever asks, so that damage is met at the same byte again."""

    def __init__(self, path: str | os.PathLike[str], compression: str) -> None:
        self._stream = open(path, "rb")  # noqa: SIM115
        self._pieces = (_gunzip if compression == "gzip" else _unzstd)(self._stream)
        self._waiting = b""

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, target: Any) -> int:
        """Fill a buffer."""
        if not self._waiting:
            self._waiting = next(self._pieces, b"")
        part = self._waiting[: len(target)]
        self._waiting = self._waiting[len(part) :]
        target[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        super().close()


def _gunzip(stream: BinaryIO) -> Iterator[bytes]:
    """The content of a gzip file of any number of members; raises OSError where it is damaged."""
    decoder, packed = zlib.decompressobj(31), stream.read(CHUNK)
    while packed:
        try:
            piece = decoder.decompress(packed, CHUNK)
        except zlib.error as error:
            raise OSError(str(error)) from error
        if piece:
            yield piece
        packed = decoder.unconsumed_tail or decoder.unused_data or stream.read(CHUNK)
        if decoder.eof:
            # Zeros after the last member are padding.
            while not packed.strip(b"\x00") and (packed := stream.read(CHUNK)):
                pass
            if not packed:
                return
            packed, decoder = packed.lstrip(b"\x00"), zlib.decompressobj(31)
    raise OSError("the compressed file is cut off")


def _unzstd(stream: BinaryIO) -> Iterator[bytes]:
    import pyarrow as pa

    try:
        with pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd") as unpacked:
            while piece := unpacked.read(CHUNK):
                yield piece
    except pa.ArrowException as error:
        raise OSError(str(error)) from error


def _open(path: str | os.PathLike[str], compression: str | None) -> BinaryIO:
    if compression is None:
        return open(path, "rb", buffering=CHUNK)
    return io.BufferedReader(_Unpacked(path, compression), CHUNK)


class _Lines:
    """Physical lines of a file, each at most MAX_ROW bytes; a longer one is None with its length."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._again: deque[tuple[bytes | None, int]] = deque()

    def skip(self, size: int) -> None:
        """Pass over bytes."""
        if self._stream.seekable():
            self._stream.seek(size)
            return
        try:
            while size > 0 and (part := self._stream.read(min(size, CHUNK))):
                size -= len(part)
        except OSError as error:
            raise Damaged from error

    def next(self) -> tuple[bytes | None, int]:
        """A line and its length; b"" at the end."""
        if self._again:
            return self._again.popleft()
        try:
            line = self._stream.readline(MAX_ROW + 1)
            size = len(line)
            if size <= MAX_ROW or line.endswith(b"\n"):
                return line, size
            while line and not line.endswith(b"\n"):
                line = self._stream.readline(MAX_ROW)
                size += len(line)
            return None, size
        except OSError as error:
            raise Damaged from error

    def again(self, lines: Sequence[tuple[bytes | None, int]]) -> None:
        """Give lines back, to be read again."""
        self._again.extendleft(list(lines)[::-1])


@dataclass(frozen=True)
class _Start:
    """What the start of a file says: how it is written, its columns, where each field stands, where rows begin."""

    written: Form
    quoted: bool
    names: Sequence[str]
    places: Sequence[int | None]
    first_byte: int

    def values(self, record: Found) -> Values | str:
        """Raw values of a record, or the reason why it has none."""
        if isinstance(record, str):
            return record
        if isinstance(record, dict):
            return [None if at is None else record.get(self.names[at]) for at in self.places]
        if len(record) != len(self.names):
            return "bad_fields"
        return [None if at is None else record[at] or None for at in self.places]


def text_pieces(path: str | os.PathLike[str], layout: Columns, rows_per_shard: int) -> Iterator[tuple[int, int, int]]:
    """(first row, rows, first byte in the unpacked file) of pieces of a list, in one pass.

    Where the file is damaged, one row at the end stands for all that is lost.

    Raises:
        ListRefused: nothing of the file can be read, or a column is missing.
        OSError: the file is not there.
    """
    start = _start(path, layout)
    first = rows = 0
    first_byte = start.first_byte
    with _open(path, start.written.compression) as stream:
        lines = _Lines(stream)
        try:
            lines.skip(start.first_byte)
            for begins, _, _ in _records(lines, start.first_byte, start.written, start.quoted):
                if rows == rows_per_shard:
                    yield first, rows, first_byte
                    first, rows = first + rows, 0
                first_byte = begins if rows == 0 else first_byte
                rows += 1
        except Damaged:
            rows += 1
    if rows:
        yield first, rows, first_byte


def text_values(path: str | os.PathLike[str], layout: Columns, first_byte: int) -> Iterator[Values | str]:
    """Raw values of every row from a byte on, or why there are none; ends where the file ends or is damaged.

    Raises ListRefused and OSError as `text_pieces`.
    """
    start = _start(path, layout)
    with _open(path, start.written.compression) as stream:
        lines = _Lines(stream)
        try:
            lines.skip(first_byte)
            for _, _, record in _records(lines, first_byte, start.written, start.quoted):
                yield start.values(record)
        except Damaged:
            return


def _start(path: str | os.PathLike[str], layout: Columns) -> _Start:
    written = form(path)
    if written is None:
        raise ListRefused(f"{path}: its name does not say that it is a list of text; use .csv, .tsv or .jsonl.")
    try:
        with _open(path, written.compression) as stream:
            mark = stream.read(3)
            if mark[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise ListRefused(f"{path}: it is written in UTF-16; convert it to UTF-8.")
            begin = 3 if mark == BOM else 0
        with _open(path, written.compression) as stream:
            lines = _Lines(stream)
            lines.skip(begin)
            records = _records(lines, begin, written, layout.quoted)
            return (
                _json_start(path, layout, written, records, begin)
                if written.delimiter is None
                else (_csv_start(path, layout, written, records, begin))
            )
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except (Damaged, OSError):
        raise ListRefused(f"{path}: it is damaged before its first row; fetch it again.") from None


def _csv_start(
    path: object, layout: Columns, written: Form, records: Iterator[tuple[int, int, Found]], begin: int
) -> _Start:
    _, after, record = next(records, (begin, begin, None))
    if record is None and not layout.header:
        raise ListRefused(f"{path}: it is empty; its first line has to name the columns.")
    if layout.header:
        # Users put the missing header line there, because other tools ask for it.
        named = isinstance(record, list) and [n.strip().lower() for n in record] == [n.lower() for n in layout.header]
        names: Sequence[str] = layout.header
        begin = after if named else begin
    elif isinstance(record, list):
        names, begin = record, after
    else:
        raise ListRefused(f"{path}: its first line does not name columns ({record}); add a line that does.")
    return _Start(written, layout.quoted, names, places(path, names, layout), begin)


def _json_start(
    path: object, layout: Columns, written: Form, records: Iterator[tuple[int, int, Found]], begin: int
) -> _Start:
    names: dict[str, None] = {}
    seen = 0
    try:
        for _, (_, _, record) in zip(range(JSON_SAMPLE), records, strict=False):
            seen += 1
            if isinstance(record, dict):
                names.update(dict.fromkeys(record))
    except Damaged:
        if not seen:
            raise
    # A file without a single row lacks no column.
    where = places(path, list(names), layout) if names else [None] * len(FIELDS)
    return _Start(written, False, list(names), where, begin)


def _records(lines: _Lines, at: int, written: Form, quoted: bool) -> Iterator[tuple[int, int, Found]]:
    """(first byte, byte after it, record) from a record's first byte on. Raises Damaged.

    Where records begin follows from the bytes alone, so that reading from any record on finds the same ones.
    """
    while True:
        line, size = lines.next()
        if line == b"":
            return
        start, at = at, at + size
        if line is None:
            yield start, at, "too_long"
        elif not line.strip(b"\r\n"):
            continue
        elif written.delimiter is None:
            yield start, at, _object(line)
        elif quoted and b'"' in line:
            record, more = _quoted(lines, line, written.delimiter)
            at += more
            yield start, at, record
        else:
            try:
                yield start, at, line.decode().rstrip("\r\n").split(written.delimiter)
            except UnicodeDecodeError:
                yield start, at, "not_utf8"


def _object(line: bytes) -> Found:
    try:
        found = json.loads(line.decode())
    except UnicodeDecodeError:
        return "not_utf8"
    except (ValueError, RecursionError):
        return "bad_json"
    return found if isinstance(found, dict) else "bad_json"


def _quoted(lines: _Lines, first: bytes, delimiter: str) -> tuple[Found, int]:
    """A record whose first line has quotes, and the size of its further lines.

    Where quotes are not closed the first line alone is the bad record, and the lines after it are read again.
    """
    taken: list[tuple[bytes, int]] = []
    state = {"open": False, "utf8": True}

    def text(line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            state["utf8"] = False
            return line.decode("utf-8", "surrogateescape")

    def feed() -> Iterator[str]:
        yield text(first)
        size = len(first)
        while len(taken) < MAX_LINES and size <= MAX_ROW:
            line, length = lines.next()
            if line is None:
                lines.again([(None, length)])
            if not line:
                break
            taken.append((line, length))
            size += length
            yield text(line)
        state["open"] = True

    reason = None
    try:
        record = next(csv.reader(feed(), delimiter=delimiter))
    except csv.Error:
        reason = "bad_csv"
    if state["open"]:
        reason = "unclosed_quote"
    if reason is not None:
        lines.again(taken)
        return reason, 0
    return record if state["utf8"] else "not_utf8", sum(size for _, size in taken)
