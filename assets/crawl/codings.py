"""Bodies of HTTP answers: out of their chunks and content codings, a bounded number of bytes."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import brotli
from fastwarc.stream_io import ZstdReader

GZIP = b"\x1f\x8b\x08"
ZSTD = b"\x28\xb5\x2f\xfd"
NO_CODING = {"", "identity", "none", "binary", "8bit", "utf-8", "utf8"}
"""Content codings that change nothing, and what servers send in their place."""


def dechunk(body: bytes) -> bytes:
    """A body without its chunks; one that has none is left as it is, and ValueError where they are broken."""
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


def decompress(coding: str, body: bytes, limit: int) -> bytes:
    """Decode one content coding.

    Raises OverflowError where more than `limit` bytes come out, ValueError and the decoders' own errors where the body is
    damaged.
    """
    if coding in NO_CODING:
        return body
    if coding in ("gzip", "x-gzip", "deflate"):
        return _inflate(coding, body, limit)
    if coding == "br":
        return _unbrotli(body, limit)
    if coding == "zstd":
        return _unzstd(body, limit)
    raise ValueError(f"unknown content coding {coding}")


def _inflate(coding: str, body: bytes, limit: int) -> bytes:
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


def _unbrotli(body: bytes, limit: int) -> bytes:
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


def _unzstd(body: bytes, limit: int) -> bytes:
    if not body.startswith(ZSTD):
        return body
    written = bytearray()
    with panics_are_damage():
        reader = ZstdReader(io.BytesIO(body))
        while part := reader.read(1 << 16):
            written += part
            if len(written) > limit:
                raise OverflowError
    return bytes(written)


@contextmanager
def panics_are_damage() -> Iterator[None]:
    """Where the reader cannot cope with what it is given, such as a damaged dictionary, it panics: no Exception."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(str(error)) from None
