"""WARC records, one by one, whatever their bytes: what cannot be read is a record with a reason, never an exception."""

from __future__ import annotations

import hashlib
import io
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import brotli
from fastwarc.stream_io import ZstdReader
from fastwarc.warc import ArchiveIterator, WarcHeader

from assets.crawl.codings import GZIP, ZSTD, dechunk, decompress, panics_are_damage

HTML = ("text/html", "application/xhtml+xml")
MAX_BODY = 32 << 20
MAX_HEADERS = 1 << 18
MAX_DICTIONARY = 4 << 20
"""Bytes of a Zstandard dictionary that a file may bring along."""
MEMBER = 1024
"""Bytes of a gzip member after which it has shown whether it holds a record."""
MAX_BROKEN = 10_000
"""Broken stretches of a file after which the rest of it is given up as one."""
ZSTD_DICTIONARY = b"\x5d\x2a\x4d\x18"
"""The skippable frame that holds the dictionary of a .warc.zst (IIPC, WARC Zstandard compression 0.1)."""
STARTS = (GZIP, b"WARC/", ZSTD, ZSTD_DICTIONARY)
DAMAGE = (OSError, ValueError, EOFError, zlib.error)
"""What reading a damaged file raises."""
_STATUS = re.compile(rb"HTTP/[0-9](?:\.[0-9])?[ \t]+([0-9]{3})")


@dataclass(slots=True)
class WarcRecord:
    """One record of a WARC file.

    Attributes:
        ordinal: index in the file, from 0.
        offset: where it starts in the file; for gzip its member, for Zstandard its frame.
        length: bytes it takes in the file; None where its end could not be found.
        type: WARC-Type; `broken` where no record could be read.
        url: WARC-Target-URI without angle brackets.
        fetched_at: WARC-Date.
        http_status: status code of the HTTP answer.
        header_bytes: the raw HTTP header block.
        body: after transfer and content decoding.
        mime: media type, lower case, without parameters.
        charset: character set of the Content-Type header.
        digest: WARC-Payload-Digest, else sha256 of the body.
        truncated: WARC-Truncated.
        status: ok, redirect, http_error, repeat, error or other.
        reason: why status is error.
        identifier: WARC-Record-ID.
        refers_to, refers_to_url, refers_to_date: of a revisit, the identifier, address and time of what it repeats.
    """

    ordinal: int
    offset: int
    length: int | None
    type: str
    url: str | None = None
    fetched_at: datetime | None = None
    http_status: int | None = None
    header_bytes: bytes = b""
    body: bytes = b""
    mime: str | None = None
    charset: str | None = None
    digest: str | None = None
    truncated: str | None = None
    status: str = "other"
    reason: str | None = None
    identifier: str | None = None
    refers_to: str | None = None
    refers_to_url: str | None = None
    refers_to_date: datetime | None = None

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """HTTP header fields as sent."""
        lines = self.header_bytes.decode("utf-8", "replace").splitlines()[1:]
        pairs = (
            (name.strip(), value.strip()) for name, colon, value in (line.partition(":") for line in lines) if colon
        )
        return tuple(pair for pair in pairs if pair[0])

    def header(self, name: str) -> list[str]:
        """All values of an HTTP header field."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def failed(self, reason: str) -> WarcRecord:
        """The same record, as one that could not be read, without what was read of its body."""
        self.status, self.reason, self.body = "error", reason, b""
        return self


def iter_records(path: str | os.PathLike[str], max_body: int = MAX_BODY) -> Iterator[WarcRecord]:
    """Records in file order. A damaged stretch is one `broken` record; reading goes on at the next record after it.

    The file is plain, or compressed record by record with gzip or Zstandard.
    """
    size = Path(path).stat().st_size
    ordinal = broken = 0
    offset, dictionary = _dictionary(path)
    while offset < size:
        start, reason = offset, "broken_warc"
        try:
            for record, after in _good_records(path, start, size, max_body, dictionary):
                record.ordinal = ordinal
                yield record
                ordinal, offset = ordinal + 1, after
        except DAMAGE as error:
            if "eof" in str(error).lower() or "incomplete frame" in str(error):
                reason = "truncated"
        if offset > start:
            # What follows a damaged record may be whole: try there before giving a stretch up.
            continue
        broken += 1
        following = (_next_start(path, offset + 1) if broken < MAX_BROKEN else None) or size
        yield WarcRecord(ordinal, offset, following - offset, "broken", status="error", reason=reason)
        ordinal += 1
        offset = following


def read_record(path: str | os.PathLike[str], offset: int, max_body: int = MAX_BODY) -> WarcRecord:
    """The record at an offset, again."""
    size = Path(path).stat().st_size
    try:
        _, dictionary = _dictionary(path)
        for record, _ in _good_records(path, offset, size, max_body, dictionary):
            return record
    except DAMAGE:
        pass
    return WarcRecord(0, offset, None, "broken", status="error", reason="broken_warc")


def _good_records(
    path: Any, offset: int, size: int, max_body: int, dictionary: bytes | None
) -> Iterator[tuple[WarcRecord, int]]:
    """Records from an offset on, each with the offset after it; ends or raises where the file is damaged."""
    limit = max_body + MAX_HEADERS + 1
    with open(path, "rb") as stream, open(path, "rb") as probe:
        stream.seek(offset)
        look = _Probe(probe)
        waiting: WarcRecord | None = None
        try:
            for raw in _raw_records(stream, dictionary):
                # A reader that was given a dictionary says of its first record where the second starts.
                start = offset if dictionary is not None and waiting is None else raw.stream_pos
                # In this order the file is looked at from its start to its end.
                inner = look.member_inside(waiting.offset, start) if waiting is not None else None
                alone = look.starts(start)
                if waiting is not None:
                    done, waiting = waiting, None
                    if not alone:
                        yield done, start
                        offset = done.offset
                    elif inner is None:
                        done.length = start - done.offset
                        yield done, start
                        if done.reason == "broken_warc":
                            # The reader may have lost its place: a new one begins where the next record does.
                            return
                        offset = start
                    else:
                        yield _swallower(done, inner), inner
                        return
                expected = raw.content_length
                wanted = min(expected, limit)
                block = raw.reader.read(wanted)
                waiting = _record(raw.headers, block, offset, expected, max_body)
                if len(block) < wanted:
                    waiting.failed("truncated")
                if not alone:
                    # Records that share a gzip member cannot be found again by an offset.
                    waiting.failed("not_record_compressed")
                raw.consume()
        except DAMAGE:
            if waiting is not None:
                yield _apart(look, waiting, _end(probe, waiting.offset, size))
            raise
        if waiting is not None:
            end = _end(probe, waiting.offset, size)
            yield _apart(look, waiting, end if look.has_header(waiting.offset, end) else size)


def _apart(look: _Probe, record: WarcRecord, end: int) -> tuple[WarcRecord, int]:
    """A record that was read up to `end`, with its length, and where the next one is to be looked for.

    A gzip member that ends in the middle of a record's header, or that is damaged and never ends, swallows the member
    after it: what was read is then no record, and the other one is found again.
    """
    inner = look.member_inside(record.offset, end)
    if inner is None:
        record.length = end - record.offset
        return record, end
    return _swallower(record, inner), inner


def _swallower(record: WarcRecord, inner: int) -> WarcRecord:
    length = inner - record.offset
    return WarcRecord(0, record.offset, length, "broken", status="error", reason="broken_warc")


def _raw_records(stream: BinaryIO, dictionary: bytes | None) -> Iterator[Any]:
    with panics_are_damage():
        source = stream if dictionary is None else ZstdReader(stream, dictionary=dictionary)
        yield from ArchiveIterator(source, parse_http=False)


class _Probe:
    """Looks at bytes of a file without moving its reader; asks the system once for many offsets."""

    WINDOW = 1 << 18

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self._begin, self._window, self._at_end = 0, b"", False

    def starts(self, offset: int) -> bool:
        """Whether a member, frame or uncompressed record starts at an offset."""
        place = self._place(offset, 5)
        return self._window.startswith(STARTS, place)

    def member_inside(self, start: int, end: int) -> int | None:
        """Where a gzip member with a record begins within what was read as one; None where it is one.

        Only of compressed files: what stands in a record that is not packed is its own, whatever it looks like.
        """
        place = self._place(start, len(GZIP))
        if not self._window.startswith(GZIP, place):
            return None
        at = start + 3
        while at < end:
            place = self._place(at, min(end - at, self.WINDOW - MEMBER) + MEMBER)
            stop = min(end - self._begin, place + self.WINDOW - MEMBER)
            found = self._window.find(GZIP, place, stop + 2)
            while 0 <= found < stop:
                if _starts_record(self._window[found : found + MEMBER]):
                    return None if self._is_one_member(start, end) else self._begin + found
                found = self._window.find(GZIP, found + 1, stop + 2)
            at = self._begin + stop
        return None

    def has_header(self, start: int, end: int) -> bool:
        """Whether the header of a record ends within its own gzip member; other wrappings are left alone."""
        data = os.pread(self.stream.fileno(), min(end - start, MAX_HEADERS), start)
        if not data.startswith(GZIP):
            return True
        try:
            head = zlib.decompressobj(31).decompress(data, MAX_HEADERS)
        except zlib.error:
            return False
        return b"\n\r\n" in head or b"\n\n" in head or len(head) == MAX_HEADERS

    def _is_one_member(self, start: int, end: int) -> bool:
        try:
            return _member_end(self.stream, start) == end
        except DAMAGE:
            return False

    def _place(self, offset: int, size: int) -> int:
        """Where an offset lies in the window; as many bytes as asked for are there, unless the file ends."""
        place = offset - self._begin
        if place < 0 or (place > len(self._window) - size and not self._at_end):
            self._begin, self._window = offset, os.pread(self.stream.fileno(), self.WINDOW, offset)
            self._at_end = len(self._window) < self.WINDOW
            return 0
        return place


def _dictionary(path: Any) -> tuple[int, bytes | None]:
    """Where the first record may stand, and the Zstandard dictionary before it, with which all of them are read."""
    with open(path, "rb") as stream:
        head = stream.read(8)
        size = int.from_bytes(head[4:], "little")
        if not head.startswith(ZSTD_DICTIONARY) or size > MAX_DICTIONARY:
            return 0, None
        data = stream.read(size)
    if data.startswith(ZSTD):
        try:
            with panics_are_damage():
                data = ZstdReader(io.BytesIO(data)).read(MAX_DICTIONARY + 1)
        except DAMAGE:
            return 0, None
    return (8 + size, data) if len(data) <= MAX_DICTIONARY else (0, None)


def _end(stream: BinaryIO, offset: int, size: int) -> int:
    """Where a record ends: its gzip member or Zstandard frame, or its block and two line ends; raises if damaged."""
    stream.seek(offset)
    head = stream.read(MAX_HEADERS)
    if head.startswith(GZIP):
        end = _member_end(stream, offset)
        return size if end is None else end
    if head.startswith(ZSTD):
        return min(_frame_end(stream, offset), size)
    fields, separator, _ = _split(head)
    length = re.search(rb"(?im)^content-length:[ \t]*([0-9]{1,15})", fields)
    if not separator or not length:
        raise ValueError("a record without length")
    return min(offset + len(fields) + int(length[1]) + 4, size)


def _member_end(stream: BinaryIO, offset: int) -> int | None:
    """Where a gzip member ends; None where the file ends before it, raises where it is damaged."""
    decoder, end = zlib.decompressobj(31), offset
    stream.seek(offset)
    while not decoder.eof and (part := stream.read(1 << 14)):
        # What comes out is not wanted: a piece at a time, so that a bomb stays small.
        end += len(part)
        while part and not decoder.eof:
            decoder.decompress(part, 1 << 20)
            part = decoder.unconsumed_tail
    return end - len(decoder.unused_data) if decoder.eof else None


def _frame_end(stream: BinaryIO, offset: int) -> int:
    """Where a Zstandard frame ends: its header and blocks tell their sizes (RFC 8878, section 3.1.1)."""
    stream.seek(offset + 4)
    descriptor = stream.read(1)[:1] or b"\0"
    flags = descriptor[0]
    single_segment, checksum = bool(flags & 32), bool(flags & 4)
    content_size = (int(single_segment), 2, 4, 8)[flags >> 6]
    at = offset + 5 + (not single_segment) + (0, 1, 2, 4)[flags & 3] + content_size
    while True:
        stream.seek(at)
        head = stream.read(3)
        if len(head) < 3:
            raise EOFError("eof in a Zstandard frame")
        bits = int.from_bytes(head, "little")
        # A block of one byte repeated holds that byte alone.
        at += 3 + (1 if bits >> 1 & 3 == 1 else bits >> 3)
        if bits & 1:
            return at + 4 * checksum


def _record(headers: Any, block: bytes, offset: int, expected: int, max_body: int) -> WarcRecord:
    """A record from its WARC header fields and the bytes of its block."""
    several = headers.get_multiple

    def get(name: WarcHeader) -> str | None:
        # The last of a field counts: where a header was cut off, that of the record after it follows in its place.
        values = several(name)
        return values[-1] if values else None

    kind = (get(WarcHeader.WARC_TYPE) or "").lower()
    content_type = get(WarcHeader.CONTENT_TYPE) or ""
    mime, _ = _media(content_type)
    record = WarcRecord(
        0,
        offset,
        None,
        kind or "unknown",
        (get(WarcHeader.WARC_TARGET_URI) or "").strip("<> ") or None,
        _time(get(WarcHeader.WARC_DATE)),
        mime=mime,
        digest=get(WarcHeader.WARC_PAYLOAD_DIGEST),
        truncated=get(WarcHeader.WARC_TRUNCATED),
        identifier=get(WarcHeader.WARC_RECORD_ID),
    )
    if not kind or not (get(WarcHeader.CONTENT_LENGTH) or "").isdigit():
        return record.failed("broken_warc")
    is_http = mime is not None and mime.startswith("application/http")
    if kind == "resource" and not is_http:
        state = "ok" if record.url and record.url.startswith("http") else "other"
        return _finish(record, block[:max_body], state, expected, max_body)
    if kind == "revisit":
        record.refers_to = get(WarcHeader.WARC_REFERS_TO)
        record.refers_to_url = (get(WarcHeader.WARC_REFERS_TO_TARGET_URI) or "").strip("<> ") or None
        record.refers_to_date = _time(get(WarcHeader.WARC_REFERS_TO_DATE))
    elif kind == "metadata" and not is_http:
        # What a WAT file says of a page is the block of such a record.
        record.body = block
        return record if expected <= max_body else record.failed("too_large")
    elif kind != "response":
        return record
    if not is_http:
        return record
    record.header_bytes, separator, body = _split(block)
    if not separator:
        record.header_bytes = b""
        return record.failed("bad_http")
    return _http(record, body, expected, max_body)


def _http(record: WarcRecord, body: bytes, expected: int, max_body: int) -> WarcRecord:
    """Reads the header block of an HTTP answer, and its body by what stands there."""
    head = record.header_bytes
    lower = head.lower()
    match = _STATUS.match(head)
    status = record.http_status = int(match[1]) if match else None
    record.mime, record.charset = _media(_content_type(record, lower))
    if record.type == "revisit":
        record.status = "repeat"
        return record
    if status is None:
        return record.failed("bad_http")
    if expected > max_body + MAX_HEADERS:
        return record.failed("too_large")
    if b"\ncontent-encoding" in lower or b"\ntransfer-encoding" in lower:
        try:
            body = _decoded(record, body, max_body)
        except OverflowError:
            return record.failed("too_large")
        except (OSError, ValueError, zlib.error, brotli.error):
            return record.failed("bad_encoding")
    state = "ok" if 200 <= status < 300 else "redirect" if 300 <= status < 400 else "http_error"
    return _finish(record, body, state, len(body), max_body)


def _content_type(record: WarcRecord, lower: bytes) -> str:
    """The last Content-Type field; `lower` is the header block in lower case."""
    name = b"\ncontent-type:"
    at = lower.rfind(name)
    if at < 0:
        return (record.header("content-type") or [""])[-1] if b"content-type" in lower else ""
    return record.header_bytes[at + len(name) :].split(b"\n", 1)[0].strip().decode("utf-8", "replace")


def _decoded(record: WarcRecord, body: bytes, max_body: int) -> bytes:
    """The body without its transfer and content codings."""
    if any("chunked" in value.lower() for value in record.header("transfer-encoding")):
        body = dechunk(body)
    for coding in reversed([c.strip().lower() for v in record.header("content-encoding") for c in v.split(",")]):
        body = decompress(coding, body, max_body)
    return body


def _finish(record: WarcRecord, body: bytes, state: str, size: int, max_body: int) -> WarcRecord:
    if size > max_body:
        return record.failed("too_large")
    record.body, record.status = body, state
    if not record.digest:
        record.digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if record.truncated and state == "ok" and record.mime not in HTML:
        # The part of a page that is here shows images all the same; whoever judges its rights knows that it is a part.
        record.status, record.reason = "error", "truncated"
    return record


def _split(block: bytes) -> tuple[bytes, bytes, bytes]:
    """Header block, separator, body of an HTTP message."""
    at, mark = block.find(b"\r\n\r\n", 0, MAX_HEADERS), b"\r\n\r\n"
    shorter = block.find(b"\n\n", 0, at if at >= 0 else MAX_HEADERS)
    if shorter >= 0:
        at, mark = shorter, b"\n\n"
    if at < 0:
        return block, b"", b""
    end = at + len(mark)
    return block[:end], mark, block[end:]


@lru_cache(4096)
def _media(value: str) -> tuple[str | None, str | None]:
    """Media type and character set of a Content-Type field."""
    mime = value[:1000].partition(";")[0].strip().lower()[:100] or None
    match = re.search(r"charset\s*=\s*[\"']?([^\s;\"']{1,40})", value[:1000], re.IGNORECASE)
    return mime, match[1] if match else None


def _time(value: str | None) -> datetime | None:
    """A WARC-Date; one without time zone is in UTC."""
    if not value:
        return None
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is UTC:
            return found
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _next_start(path: Any, start: int) -> int | None:
    """Where the next record may begin: a gzip member that holds one, a WARC version line, a Zstandard frame."""
    with open(path, "rb") as stream:
        # Whether a frame holds a record cannot be told from its start alone; only a file of frames has them to try.
        frames = stream.read(4) in (ZSTD, ZSTD_DICTIONARY) or str(path).endswith(".zst")
        pattern = re.compile(rb"\x1f\x8b\x08|WARC/1\.[01]\r\n" + (rb"|\x28\xb5\x2f\xfd" if frames else b""))
        stream.seek(start)
        at, tail = start, b""
        while block := stream.read(1 << 20):
            window = tail + block
            base = at - len(tail)
            for match in pattern.finditer(window):
                if match[0] != GZIP or _starts_record(window[match.start() : match.start() + 1024]):
                    return base + match.start()
            at, tail = at + len(block), window[-1024:] if len(block) == 1 << 20 else b""
    return None


def _starts_record(data: bytes) -> bool:
    try:
        return zlib.decompressobj(31).decompress(data, 16).startswith(b"WARC/")
    except zlib.error:
        return False
