"""WARC records, one by one, whatever their bytes: what cannot be read is a record with a reason, never an exception."""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import brotli

MAX_BODY = 32 << 20
MAX_HEADERS = 1 << 18
MAX_BROKEN = 10_000
"""Broken stretches of a file after which the rest of it is given up as one."""
GZIP = b"\x1f\x8b\x08"
DAMAGE = (OSError, ValueError, EOFError, zlib.error)
"""What reading a damaged file raises."""


@dataclass(frozen=True, slots=True)
class WarcRecord:
    """One record of a WARC file.

    Attributes:
        ordinal: index in the file, from 0.
        offset: where it starts in the file; for gzip, its member.
        length: bytes it takes in the file; None where its end could not be found.
        type: WARC-Type; `broken` where no record could be read.
        url: WARC-Target-URI without angle brackets.
        fetched_at: WARC-Date.
        http_status: status code of the HTTP answer.
        headers: HTTP header fields as sent.
        header_bytes: the raw HTTP header block.
        body: after transfer and content decoding.
        mime: media type, lower case, without parameters.
        charset: character set of the Content-Type header.
        digest: WARC-Payload-Digest, else sha256 of the body.
        truncated: WARC-Truncated.
        status: ok, redirect, http_error, repeat, error or other.
        reason: why status is error.
    """

    ordinal: int
    offset: int
    length: int | None
    type: str
    url: str | None = None
    fetched_at: datetime | None = None
    http_status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    header_bytes: bytes = b""
    body: bytes = b""
    mime: str | None = None
    charset: str | None = None
    digest: str | None = None
    truncated: str | None = None
    status: str = "other"
    reason: str | None = None

    def header(self, name: str) -> list[str]:
        """All values of an HTTP header field."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


def iter_records(path: str | os.PathLike[str], max_body: int = MAX_BODY) -> Iterator[WarcRecord]:
    """Records in file order. A damaged stretch is one `broken` record; reading goes on at the next record after it."""
    size = Path(path).stat().st_size
    ordinal = offset = broken = 0
    while offset < size:
        start, reason = offset, "broken_warc"
        try:
            for record, after in _good_records(path, start, size, max_body):
                yield replace(record, ordinal=ordinal)
                ordinal, offset = ordinal + 1, after
        except DAMAGE as error:
            if "eof" in str(error).lower():
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
        for record, _ in _good_records(path, offset, size, max_body):
            return record
    except DAMAGE:
        pass
    return WarcRecord(0, offset, None, "broken", status="error", reason="broken_warc")


def _good_records(path: Any, offset: int, size: int, max_body: int) -> Iterator[tuple[WarcRecord, int]]:
    """Records from an offset on, each with the offset after it; ends or raises where the file is damaged."""
    from fastwarc.warc import ArchiveIterator

    with open(path, "rb") as stream, open(path, "rb") as probe:
        stream.seek(offset)
        waiting: WarcRecord | None = None
        try:
            for raw in ArchiveIterator(stream, parse_http=False):
                start = raw.stream_pos
                alone = _begins_at(probe, start)
                if waiting is not None:
                    done, waiting = waiting, None
                    yield replace(done, length=start - done.offset if alone else None), start
                    offset = start if alone else done.offset
                block = raw.reader.read(max_body + MAX_HEADERS + 1)
                expected = raw.content_length
                waiting = _record(dict(raw.headers.items()), block, offset, expected, max_body)
                if len(block) < min(expected, max_body + MAX_HEADERS + 1):
                    waiting = replace(waiting, status="error", reason="truncated", body=b"")
                if not alone:
                    # Records that share a gzip member cannot be found again by an offset.
                    waiting = replace(waiting, status="error", reason="not_record_compressed", body=b"")
                raw.consume()
        except DAMAGE:
            if waiting is not None:
                end = _end(probe, waiting.offset, size)
                yield replace(waiting, length=end - waiting.offset), end
            raise
        if waiting is not None:
            end = _end(probe, waiting.offset, size)
            yield replace(waiting, length=end - waiting.offset), end


def _begins_at(stream: BinaryIO, offset: int) -> bool:
    """Whether a gzip member or an uncompressed record starts there."""
    stream.seek(offset)
    return stream.read(5).startswith((GZIP, b"WARC/"))


def _end(stream: BinaryIO, offset: int, size: int) -> int:
    """Where a record ends: its gzip member, or its block and two line ends; raises where that is damaged."""
    stream.seek(offset)
    head = stream.read(MAX_HEADERS)
    if head.startswith(GZIP):
        decoder, end = zlib.decompressobj(31), offset
        stream.seek(offset)
        while not decoder.eof and (part := stream.read(1 << 14)):
            decoder.decompress(part)
            end += len(part)
        return end - len(decoder.unused_data)
    fields, separator, _ = _split(head)
    length = re.search(rb"(?im)^content-length:[ \t]*([0-9]{1,15})", fields)
    if not separator or not length:
        raise ValueError("a record without length")
    return min(offset + len(fields) + int(length[1]) + 4, size)


def _record(fields: dict[str, str], block: bytes, offset: int, expected: int, max_body: int) -> WarcRecord:
    """A record from its WARC header fields and the bytes of its block."""
    lower = {name.lower(): value for name, value in fields.items()}
    kind = lower.get("warc-type", "unknown").lower()
    url = lower.get("warc-target-uri", "").strip("<> ") or None
    record = WarcRecord(
        0, offset, None, kind, url, _time(lower.get("warc-date")), truncated=lower.get("warc-truncated"),
        digest=lower.get("warc-payload-digest"), mime=_mime(lower.get("content-type")),
    )  # fmt: skip
    if "warc-type" not in lower or not lower.get("content-length", "").isdigit():
        return replace(record, status="error", reason="broken_warc")
    is_http = (lower.get("content-type") or "").replace(" ", "").lower().startswith("application/http")
    if kind == "resource" and not is_http:
        return _finish(
            record, block[:max_body], "ok" if url and url.startswith("http") else "other", expected, max_body
        )
    if kind not in ("response", "revisit") or not is_http:
        return record
    head, separator, body = _split(block)
    if not separator:
        return replace(record, status="error", reason="bad_http")
    status, headers = _http_head(head)
    record = replace(record, http_status=status, headers=headers, header_bytes=head)
    content_type = (record.header("content-type") or [""])[-1]
    record = replace(record, mime=_mime(content_type), charset=_charset(content_type))
    if kind == "revisit":
        return replace(record, status="repeat")
    if status is None:
        return replace(record, status="error", reason="bad_http")
    return _decoded(record, body, expected, max_body)


def _decoded(record: WarcRecord, body: bytes, expected: int, max_body: int) -> WarcRecord:
    if expected > max_body + MAX_HEADERS:
        return replace(record, status="error", reason="too_large")
    try:
        if any("chunked" in value.lower() for value in record.header("transfer-encoding")):
            body = _dechunk(body)
        for coding in reversed([c.strip().lower() for v in record.header("content-encoding") for c in v.split(",")]):
            body = _decompress(coding, body, max_body)
    except OverflowError:
        return replace(record, status="error", reason="too_large")
    except (ValueError, zlib.error, brotli.error):
        return replace(record, status="error", reason="bad_encoding")
    status = record.http_status or 0
    state = "ok" if 200 <= status < 300 else "redirect" if 300 <= status < 400 else "http_error"
    return _finish(record, body, state, len(body), max_body)


def _finish(record: WarcRecord, body: bytes, state: str, size: int, max_body: int) -> WarcRecord:
    if size > max_body:
        return replace(record, status="error", reason="too_large")
    digest = record.digest or f"sha256:{hashlib.sha256(body).hexdigest()}"
    if record.truncated and state == "ok":
        return replace(record, body=body, digest=digest, status="error", reason="truncated")
    return replace(record, body=body, digest=digest, status=state)


def _split(block: bytes) -> tuple[bytes, bytes, bytes]:
    """Header block, separator, body of an HTTP message."""
    window = block[:MAX_HEADERS]
    places = [(at, mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := window.find(mark)) >= 0]
    if not places:
        return block, b"", b""
    at, mark = min(places)
    return block[: at + len(mark)], mark, block[at + len(mark) :]


def _http_head(head: bytes) -> tuple[int | None, tuple[tuple[str, str], ...]]:
    lines = head.decode("utf-8", "replace").splitlines()
    match = re.match(r"HTTP/\d(?:\.\d)?\s+(\d{3})", lines[0]) if lines else None
    pairs = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon and name.strip():
            pairs.append((name.strip(), value.strip()))
    return (int(match[1]) if match else None), tuple(pairs)


def _dechunk(body: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        end = body.find(b"\r\n", at, at + 64)
        if end < 0:
            # Some crawlers take the chunks apart but leave the header field.
            if at == 0:
                return body
            raise ValueError("chunk without size")
        digits = body[at:end].split(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", digits):
            if at == 0:
                return body
            raise ValueError("bad chunk size")
        size = int(digits, 16)
        if size == 0:
            return b"".join(parts)
        if end + 2 + size > len(body):
            raise ValueError("chunk is cut off")
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


def _decompress(coding: str, body: bytes, limit: int) -> bytes:
    """Decode one content coding; OverflowError where more than `limit` bytes come out."""
    if coding in ("", "identity"):
        return body
    if coding in ("gzip", "x-gzip", "deflate"):
        if coding != "deflate" and not body.startswith(GZIP[:2]):
            return body
        window = 31 if coding != "deflate" else 15 if body[:1] == b"\x78" else -15
        decoder = zlib.decompressobj(window)
        out = decoder.decompress(body, limit + 1)
        if len(out) > limit:
            raise OverflowError
        if not decoder.eof:
            raise ValueError("compressed body is cut off")
        return out
    if coding == "br":
        decoder, written = brotli.Decompressor(), bytearray()
        for start in range(0, len(body), 4096):
            part = body[start : start + 4096]
            while True:
                # A few bytes can stand for gigabytes: take the output in pieces.
                written += decoder.process(part, output_buffer_limit=1 << 20)
                if len(written) > limit:
                    raise OverflowError
                if decoder.can_accept_more_data():
                    break
                part = b""
        if not decoder.is_finished():
            raise ValueError("compressed body is cut off")
        return bytes(written)
    raise ValueError(f"unknown content coding {coding}")


def _mime(value: str | None) -> str | None:
    return (value or "").partition(";")[0].strip().lower()[:100] or None


def _charset(value: str | None) -> str | None:
    match = re.search(r"charset\s*=\s*[\"']?([^\s;\"']{1,40})", value or "", re.IGNORECASE)
    return match[1] if match else None


def _time(value: str | None) -> datetime | None:
    """A WARC-Date; one without time zone is in UTC."""
    try:
        found = datetime.fromisoformat((value or "").replace("Z", "+00:00"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _next_start(path: Any, start: int) -> int | None:
    """Where the next record may begin: a gzip member that holds one, or a WARC version line."""
    with open(path, "rb") as stream:
        stream.seek(start)
        at, tail = start, b""
        while block := stream.read(1 << 20):
            window = tail + block
            base = at - len(tail)
            for match in re.finditer(rb"\x1f\x8b\x08|WARC/1\.[01]\r\n", window):
                if match[0] != GZIP or _starts_record(window[match.start() : match.start() + 1024]):
                    return base + match.start()
            at, tail = at + len(block), window[-1024:] if len(block) == 1 << 20 else b""
    return None


def _starts_record(data: bytes) -> bool:
    try:
        return zlib.decompressobj(31).decompress(data, 16).startswith(b"WARC/")
    except zlib.error:
        return False
