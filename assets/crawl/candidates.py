"""One shard, whatever way it arrived: its records, and a candidate for every image that it shows or names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from assets.crawl.answers import Answer, Answers
from assets.crawl.charsets import decode_html
from assets.crawl.html import ImageReference, Page, PageRefused, parse_page
from assets.crawl.image_shards import ShardMember, read_image_shard
from assets.crawl.lists import Columns, ListRow, Piece, read_rows
from assets.crawl.rows import Rows
from assets.crawl.text import clean, collapse, sample_text
from assets.crawl.urls import join
from assets.crawl.warc import HTML, WarcRecord, iter_records
from assets.crawl.wat import WatPage, WatRefused, read_wat

NOT_FETCHED = "not_fetched"
"""Why a list or a WAT file gives no image: it holds addresses alone."""
Path = str | os.PathLike[str]


@dataclass(frozen=True)
class ReadSettings:
    """Limits and roles.

    Attributes:
        text_roles: texts of an image (alt, title, caption, heading), first non-empty wins.
        max_body: bytes of a body after decoding; a larger one costs its record.
        max_page: a larger page is not read.
    """

    text_roles: tuple[str, ...] = ("alt",)
    max_body: int = 32 << 20
    max_page: int = 8 << 20


@dataclass(frozen=True)
class Candidates:
    """Tables `record` and `candidate` of one shard; see the contract."""

    record: pa.Table
    candidate: pa.Table


def read_warc(path: Path, shard_id: int, settings: ReadSettings) -> Candidates:
    """Records of a WARC file, and a candidate for every <img> of every page that was not archived before.

    Raises OSError where the file cannot be read.
    """
    records, candidates, answers = Rows("record"), _Candidates(shard_id, settings), Answers()
    for record, charset, page in _pages(path, settings):
        record_id = shard_id << 32 | record.ordinal
        target = redirect_target(record)
        answers.add(record, record_id, target)
        images = page.og_images if page is not None else None
        records.add({**record_row(record, record_id, shard_id, target), "charset": charset, "page_images": images})
        if page is not None:
            candidates.add_page(page, record_id, record.url)
    table = candidates.table()
    found = [answers.follow(url) for url in table["image_url"].to_pylist()]
    refusals = [(None, None, None) if isinstance(f, Answer) else f for f in found]
    columns: dict[str, list[Any]] = {
        "image_record_id": [f.record_id if isinstance(f, Answer) else None for f in found],
        **{name: [refusal[at] for refusal in refusals] for at, name in enumerate(("reason", "score", "threshold"))},
    }
    return Candidates(records.table(), with_columns(table, columns))


def read_wat_file(path: Path, shard_id: int, settings: ReadSettings) -> Candidates:
    """Records of a WAT file, and a candidate for every image that one of its pages names."""
    records, candidates = Rows("record"), _Candidates(shard_id, settings)
    archived: set[bytes] = set()
    for record in iter_records(path, settings.max_body):
        record_id = shard_id << 32 | record.ordinal
        row = record_row(record, record_id, shard_id, None)
        if record.type == "metadata" and record.status != "error":
            row, page = _read_wat(record, row, settings, archived)
            if page is not None:
                candidates.add_page(page.page, record_id, page.url)
        records.add(row)
    return Candidates(records.table(), candidates.table())


def read_links(path: Path, shard_id: int, piece: Piece, columns: Columns, settings: ReadSettings) -> Candidates:
    """A candidate for every row of a piece of a link list; the piece itself is the one record.

    A row that cannot be read is a candidate with its reason: numbers never shift.
    """
    records, candidates = Rows("record"), _Candidates(shard_id, settings)
    records.add(
        {
            "record_id": shard_id << 32,
            "shard_id": shard_id,
            "offset": piece.first_byte or 0,
            "length": None,
            "type": "list",
            "status": "ok",
        }
    )
    for row in read_rows(path, columns, piece):
        candidates.add_row(row)
    return Candidates(records.table(), candidates.table())


def read_images(path: Path, side: Path | None, shard_id: int, settings: ReadSettings) -> Candidates:
    """A record and a candidate for every image of a WebDataset tar, and candidates for what its side file lacks."""
    records, candidates = Rows("record"), _Candidates(shard_id, settings)
    for member in read_image_shard(path, side):
        record_id = None
        if member.image_offset is not None:
            record_id = shard_id << 32 | records.count
            records.add(
                {
                    "record_id": record_id,
                    "shard_id": shard_id,
                    "offset": member.image_offset,
                    "length": member.image_bytes,
                    "type": "member",
                    "url": clean(member.url, 8192),
                    "status": "ok",
                    "body_bytes": member.image_bytes,
                }
            )
        candidates.add_member(member, record_id)
    return Candidates(records.table(), candidates.table())


class _Candidates:
    """Rows of table `candidate`, numbered as they come."""

    def __init__(self, shard_id: int, settings: ReadSettings) -> None:
        self._shard_id, self._roles, self._rows = shard_id, settings.text_roles, Rows("candidate")

    def table(self) -> pa.Table:
        return self._rows.table()

    def add_page(self, page: Page, record_id: int, url: str | None) -> None:
        """Every image of a page; whoever knows which of them the file answers says so afterwards."""
        for image in page.images:
            self._add(
                {name: getattr(image, name) for name in ("alt", "title", "caption", "heading", "language", "position")},
                page_record_id=record_id,
                page_url=clean(url, 8192),
                image_url=clean(image.url, 8192),
                other_urls=image.other_urls,
                context=_context(image),
                page_title=page.title,
                reason=NOT_FETCHED if image.url else "no_address",
            )

    def add_row(self, row: ListRow) -> None:
        """A row of a link list."""
        url = join(row.url, row.url) if row.url else None
        self._add(
            {"alt": clean(row.text), "title": clean(row.title), "language": row.language},
            page_url=clean(row.page_url, 8192),
            image_url=clean(url, 8192),
            expected_sha256=bytes.fromhex(row.sha256) if row.sha256 else None,
            license=clean(row.license, 500),
            reason=row.reason or (NOT_FETCHED if url else "no_address"),
        )

    def add_member(self, member: ShardMember, record_id: int | None) -> None:
        """An image of an image shard."""
        url = join(member.url, member.url) if member.url else None
        self._add(
            {"alt": clean(member.text)},
            image_url=clean(url, 8192),
            image_record_id=record_id if member.reason is None else None,
            reason=member.reason,
        )

    def _add(self, texts: Mapping[str, Any], **columns: Any) -> None:
        self._rows.add(
            {
                "sample_id": self._shard_id << 32 | self._rows.count,
                "shard_id": self._shard_id,
                "other_urls": [],
                "position": 0,
                "text": sample_text(texts, self._roles),
                **texts,
                **columns,
            }
        )


def with_columns(table: pa.Table, columns: Mapping[str, list[Any]]) -> pa.Table:
    """The table with some columns replaced."""
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))
    return table


def _context(image: ImageReference) -> str | None:
    return collapse(f"{image.before} {image.after}")


def _pages(path: Path, settings: ReadSettings) -> Iterator[tuple[WarcRecord, str | None, Page | None]]:
    """Every record; for a page that was not archived before, its character set and what it holds."""
    archived: set[bytes] = set()
    for record in iter_records(path, settings.max_body):
        charset, page = None, None
        if record.status == "ok" and record.type in ("response", "resource") and record.url and record.digest:
            state = _state(record.url, record.digest)
            if state in archived:
                record = replace(record, status="repeat")
            archived.add(state)
        if record.status == "ok" and record.url and _is_page(record):
            try:
                charset, page = _read_page(record, record.url, settings)
            except PageRefused as refusal:
                record = replace(record, status="error", reason=str(refusal))
        yield record, charset, page


def _state(url: str, digest: str) -> bytes:
    """An address with what it held; a hash, since a file may hold a million of them."""
    return hashlib.blake2b(f"{url}\n{digest}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _is_page(record: WarcRecord) -> bool:
    if record.mime:
        return record.mime in HTML
    return record.body[:1024].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _read_page(record: WarcRecord, url: str, settings: ReadSettings) -> tuple[str, Page]:
    if len(record.body) > settings.max_page:
        raise PageRefused("too_large")
    html, charset = decode_html(record.body, record.charset)
    return charset, parse_page(html, url)


def _read_wat(
    record: WarcRecord, row: dict[str, Any], settings: ReadSettings, archived: set[bytes]
) -> tuple[dict[str, Any], WatPage | None]:
    """The record's row as the archived page's own header fields make it, and the page."""
    try:
        if len(record.body) > settings.max_body:
            raise WatRefused("too_large")
        page = read_wat(record.body)
    except WatRefused as refusal:
        # Requests, robots.txt and other records have their metadata too: they are no pages and nothing is wrong.
        reason = str(refusal)
        return {**row, "status": "other" if reason == "not_a_response" else "error", "reason": reason}, None
    row |= {"url": clean(page.url, 8192), "http_status": page.http_status, "mime": clean(page.mime)}
    row |= {"digest": clean(page.digest, 200), "truncated": page.truncated, "page_images": page.page.og_images}
    row["fetched_at"] = page.fetched_at or row["fetched_at"]
    state = _state(page.url or "", page.digest or "")
    row["status"] = _wat_status(page.http_status)
    if row["status"] == "ok" and page.url and page.digest:
        if state in archived:
            return {**row, "status": "repeat"}, None
        archived.add(state)
    return row, page if row["status"] == "ok" and page.url else None


def _wat_status(http_status: int | None) -> str:
    if http_status is None:
        return "other"
    return "ok" if 200 <= http_status < 300 else "redirect" if 300 <= http_status < 400 else "http_error"


def redirect_target(record: WarcRecord) -> str | None:
    """Where a redirect points to, absolute."""
    location = record.header("location") if record.status == "redirect" else []
    return join(record.url, location[0]) if location and record.url else None


def record_row(record: WarcRecord, record_id: int, shard_id: int, target: str | None) -> dict[str, Any]:
    """A row of table `record`."""
    has_body = record.type in ("response", "resource") and record.status != "error"
    return {
        "record_id": record_id,
        "shard_id": shard_id,
        "offset": record.offset,
        "length": record.length,
        "type": record.type,
        "url": clean(record.url, 8192),
        "fetched_at": record.fetched_at,
        "http_status": record.http_status,
        "status": record.status,
        "reason": record.reason,
        "mime": clean(record.mime),
        "digest": clean(record.digest, 200),
        "truncated": clean(record.truncated, 100),
        "redirect_to": target,
        "body_bytes": len(record.body) if has_body else None,
    }
