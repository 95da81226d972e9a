"""Which record of a crawl file answers an address."""

from __future__ import annotations

from dataclasses import dataclass

from assets.crawl.urls import same
from assets.crawl.warc import WarcRecord

MAX_REDIRECTS = 5
_BEST_FIRST = {"ok": 0, "repeat": 1, "redirect": 2, "http_error": 3, "error": 4}

Refusal = tuple[str, float | None, float | None]
"""Reason, score and threshold, as in table `decision`."""


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


class Answers:
    """Addresses and their answers. Of several, the best counts (a body, a redirect, an error), then the first."""

    def __init__(self) -> None:
        self._by_url: dict[str, Answer] = {}
        self._by_digest: dict[str, Answer] = {}

    def add(self, record: WarcRecord, record_id: int, redirect_to: str | None) -> None:
        """Remember a record, if it answers an address."""
        if record.type not in ("response", "resource", "revisit") or not record.url:
            return
        if record.status not in _BEST_FIRST:
            return
        found = Answer(
            record_id, record.offset, record.status, record.reason, record.http_status, redirect_to, record.digest
        )
        url = same(record.url)
        known = self._by_url.get(url)
        if known is None or _BEST_FIRST[found.status] < _BEST_FIRST[known.status]:
            self._by_url[url] = found
        if found.status == "ok" and found.digest:
            self._by_digest.setdefault(found.digest, found)

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
                found = self._by_digest.get(found.digest or "")
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
