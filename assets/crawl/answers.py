"""Which record of a crawl file answers an address."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime

from assets.crawl.urls import same
from assets.crawl.warc import WarcRecord

MAX_REDIRECTS = 5
_BEST_FIRST = {"ok": 0, "repeat": 1, "redirect": 2, "http_error": 3, "error": 4}
_DIGEST_BYTES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}

Refusal = tuple[str, float | None, float | None]
"""Reason, score and threshold, as in table `decision`."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """What a revisit says of the record whose bytes it stands for: its WARC-Record-ID, address and time."""

    identifier: str | None
    url: str | None
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is remembered of a record: nothing that grows with its body or header."""

    record_id: int
    offset: int
    status: str
    reason: str | None
    http_status: int | None
    redirect_to: str | None
    digest: str | None
    fetched_at: datetime | None = None
    repeated: Repeated | None = None


class Answers:
    """Addresses and their answers. Of several, the best counts (a body, a redirect, an error), then the first."""

    def __init__(self) -> None:
        self._by_url: dict[str, Answer] = {}
        self._by_digest: dict[str, Answer] = {}
        self._by_key: dict[str, Answer] = {}
        self._by_identifier: dict[str, Answer] = {}
        self._by_time: dict[tuple[str, datetime | None], Answer] = {}

    def add(self, record: WarcRecord, record_id: int, redirect_to: str | None) -> None:
        """Remember a record, if it answers an address."""
        if record.type not in ("response", "resource", "revisit") or not record.url:
            return
        if record.status not in _BEST_FIRST:
            return
        repeated = None
        if record.type == "revisit":
            repeated = Repeated(record.refers_to, record.refers_to_url, record.refers_to_date)
        found = Answer(
            record_id, record.offset, record.status, record.reason, record.http_status, redirect_to, record.digest,
            record.fetched_at, repeated,
        )  # fmt: skip
        url = same(record.url)
        known = self._by_url.get(url)
        if known is None or _BEST_FIRST[found.status] < _BEST_FIRST[known.status]:
            self._by_url[url] = found
        if found.status == "ok":
            if found.digest:
                self._by_digest.setdefault(found.digest, found)
                self._by_key.clear()
            if record.identifier:
                self._by_identifier.setdefault(record.identifier, found)
            self._by_time.setdefault((url, found.fetched_at), found)

    def _first(self, revisit: Answer) -> Answer | None:
        """The record of this file whose bytes a revisit stands for.

        The digest decides. Where there is none, or no body has it, the revisit may name the record by its identifier
        or by address and time; one whose digest is stated the same way and differs is not what was meant.
        """
        if revisit.digest in self._by_digest:
            return self._by_digest[revisit.digest]
        if not self._by_key:
            for digest, answer in self._by_digest.items():
                self._by_key.setdefault(digest_key(digest), answer)
        key = digest_key(revisit.digest or "")
        if key in self._by_key:
            return self._by_key[key]
        repeated = revisit.repeated or Repeated(None, None, None)
        found = self._by_identifier.get(repeated.identifier or "")
        if found is None and repeated.url:
            url = same(repeated.url)
            found = self._by_time.get((url, repeated.date)) if repeated.date else self._by_url.get(url)
        if found is None or found.status != "ok" or _differ(key, digest_key(found.digest or "")):
            return None
        return found

    def follow(self, url: str | None) -> Answer | Refusal:
        """The answer that holds an image's bytes, after redirects inside the file; or why there is none."""
        if not url:
            return "no_address", None, None
        if url.startswith("data:"):
            return "data_url", None, None
        for _ in range(MAX_REDIRECTS + 1):
            found = self._by_url.get(url)
            if found is None:
                return "image_not_in_crawl", None, None
            if found.status == "repeat":
                # A revisit stands for bytes archived before, maybe under another address or in another file.
                found = self._first(found)
                if found is None:
                    return "image_in_other_file", None, None
            if found.status != "redirect":
                return found if found.status == "ok" else _refusal(found)
            if not found.redirect_to:
                return "redirect_without_target", None, None
            url = found.redirect_to
        return "too_many_redirects", float(MAX_REDIRECTS + 1), float(MAX_REDIRECTS)


def _refusal(found: Answer) -> Refusal:
    if found.status == "http_error":
        return f"http_{found.http_status}", None, None
    return found.reason or "broken_record", None, None


def digest_key(digest: str) -> str:
    """One form of a WARC digest, which may be in base32 or hexadecimal digits; others stay as they are."""
    name, _, value = digest.strip().partition(":")
    name = name.lower().replace("-", "")
    size = _DIGEST_BYTES.get(name)
    if size is None:
        return digest
    if len(value) == 2 * size and re.fullmatch(r"[0-9a-fA-F]+", value):
        return f"{name}:{value.lower()}"
    try:
        data = base64.b32decode(value.upper() + "=" * (-len(value) % 8)) if len(value) <= 2 * size else b""
    except (binascii.Error, ValueError):
        return digest
    return f"{name}:{data.hex()}" if len(data) == size else digest


def _differ(one: str, other: str) -> bool:
    """Whether two digests are of the same kind and not the same."""
    return bool(one) and one != other and one.partition(":")[0] == other.partition(":")[0]
