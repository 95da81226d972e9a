"""WARC files written by hand, byte by byte, so that tests can break them."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

from fastwarc.stream_io import ZstdWriter, zstd_train_dictionary_from_samples
from PIL import Image

from assets.crawl.warc import ZSTD_DICTIONARY


def block(
    kind: str, url: str | bytes | None, content: bytes, mime: str = "application/http; msgtype=response", **fields
) -> bytes:
    """One record, uncompressed; `fields` are WARC header fields with `_` for `-`."""
    target = url.encode() if isinstance(url, str) else url
    lines = [b"WARC/1.0", b"WARC-Type: " + kind.encode()]
    lines += [b"WARC-Target-URI: " + target] if target else []
    given = {"WARC_Date": "2024-05-06T07:08:09Z", "Content_Length": str(len(content)), **fields}
    lines += [f"{name.replace('_', '-')}: {value}".encode() for name, value in given.items() if value is not None]
    lines += [b"Content-Type: " + mime.encode()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + content + b"\r\n\r\n"


def http(body: bytes, mime: str = "text/html", status: str = "200 OK", *headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {mime}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def response(
    url: str | bytes, body: bytes, mime: str = "text/html", status: str = "200 OK", *headers: str, **fields
) -> bytes:
    """A response record, uncompressed."""
    return block("response", url, http(body, mime, status, *headers), **fields)


def member(record: bytes) -> bytes:
    """A record as a gzip member of its own."""
    return gzip.compress(record, mtime=0)


def write(path: Path, *records: bytes) -> Path:
    """A .warc.gz of one member per record."""
    path.write_bytes(b"".join(member(record) for record in records))
    return path


def picture(
    color: str | int | tuple = "red", size: tuple[int, int] = (8, 6), kind: str = "PNG", mode: str = "RGB", **options
) -> bytes:
    """The bytes of a one-color picture."""
    stream = io.BytesIO()
    Image.new(mode, size, color).save(stream, kind, **options)
    return stream.getvalue()


def frame(record: bytes, dictionary: bytes | None = None) -> bytes:
    """A record as a Zstandard frame of its own; with a dictionary the frame refers to it and does not hold it."""
    stream = _Kept()
    with ZstdWriter(stream, dictionary=dictionary) as writer:
        writer.write(record)
    data = stream.getvalue()
    if data.startswith(ZSTD_DICTIONARY):
        # The writer puts the dictionary before each frame; in a WARC file it stands once, at the start.
        data = data[8 + int.from_bytes(data[4:8], "little") :]
    return data


def dictionary_frame(content: bytes) -> bytes:
    """The skippable frame at the start of a .warc.zst."""
    return ZSTD_DICTIONARY + len(content).to_bytes(4, "little") + content


def dictionary() -> bytes:
    """A small Zstandard dictionary, trained on records like those of the tests."""
    samples = [response(f"http://a.example/{n}", b"<p>word %d</p>" % n * (n % 9 + 1)) for n in range(400)]
    return bytes(zstd_train_dictionary_from_samples(samples, 2048))


class _Kept(io.BytesIO):
    """What is written stays readable after it is closed."""

    def close(self) -> None:
        pass
