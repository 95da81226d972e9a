"""HTTP answers as WARC/1.1 response records (ISO 28500:2017), uncompressed."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import BinaryIO

from resources.fetcher.result import Exchange
from resources.fetcher.settings import FetchSettings

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:winnow:warc")


class WarcWriter:
    """Appends records to a stream that starts empty. The first one says who wrote the file.

    Args:
        stream: opened for writing bytes.
        settings: of the run; its user agent and token are stated.
        created: time of the first record; now, if None.
    """

    def __init__(
        self, stream: BinaryIO, settings: FetchSettings | None = None, created: datetime | None = None
    ) -> None:
        self._stream = stream
        self._count = 0
        try:
            software = f"winnow {version('winnow')}"
        except PackageNotFoundError:
            software = "winnow"
        fields = [("software", software), ("format", "WARC File Format 1.1")]
        if settings is not None:
            fields.append(("robots", f"RFC 9309, token {settings.robots_token}" if settings.robots else "ignored"))
            fields.append(("http-header-user-agent", settings.user_agent))
            fields += [("http-header-from", settings.contact)] if settings.contact else []
        block = "".join(f"{name}: {value}\r\n" for name, value in fields).encode()
        self._write("warcinfo", created or datetime.now(UTC), "application/warc-fields", block)

    def add(self, exchange: Exchange) -> int:
        """Append an answer; returns the index of its record in the file, from 0, the first record included."""
        extra = [("WARC-Target-URI", exchange.url)]
        if exchange.truncated:
            extra.append(("WARC-Truncated", exchange.truncated))
        else:
            digest = hashlib.sha256(exchange.body).hexdigest()
            extra.append(("WARC-Payload-Digest", f"sha256:{digest}"))
        block = exchange.header_bytes + exchange.body
        return self._write("response", exchange.fetched_at, "application/http; msgtype=response", block, *extra)

    def _write(self, kind: str, moment: datetime, mime: str, block: bytes, *extra: tuple[str, str]) -> int:
        date = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        name = f"{self._count} {kind} {date} {extra} {hashlib.sha256(block).hexdigest()}"
        fields = [
            ("WARC-Type", kind),
            ("WARC-Record-ID", f"<urn:uuid:{uuid.uuid5(_NAMESPACE, name)}>"),
            ("WARC-Date", date),
            *extra,
            ("Content-Type", mime),
            ("Content-Length", str(len(block))),
        ]
        head = "".join(f"{key}: {value}\r\n" for key, value in fields)
        self._stream.write(f"WARC/1.1\r\n{head}\r\n".encode())
        self._stream.write(block)
        self._stream.write(b"\r\n\r\n")
        self._count += 1
        return self._count - 1
