"""One crawl file: its records, a sample for every <img>, and the bytes of every image that decodes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from assets.crawl.answers import Answer, Answers, Refusal
from assets.crawl.charsets import decode_html
from assets.crawl.html import ImageReference, Page, PageRefused, parse_page
from assets.crawl.images import EXTENSIONS, ImageRefused, ImageTar, decode_file, perceptual_hash
from assets.crawl.text import clean, collapse, sample_text
from assets.crawl.urls import join
from assets.crawl.warc import WarcRecord, iter_records, read_record
from assets.provenance.decisions import decision_table
from assets.provenance.tables import TABLES

HTML = ("text/html", "application/xhtml+xml")
BATCH = 4096


@dataclass(frozen=True)
class CrawlSettings:
    """Limits and roles.

    Attributes:
        text_roles: texts of an image (alt, title, caption, heading), first non-empty wins.
        max_body: bytes of a body after decoding; a larger one costs its record.
        max_page_bytes: a larger page is not read.
        max_image_bytes: a larger image is dropped before it is decoded.
        max_pixels: an image with more pixels is dropped, from its header.
    """

    text_roles: tuple[str, ...] = ("alt",)
    max_body: int = 32 << 20
    max_page_bytes: int = 8 << 20
    max_image_bytes: int = 20 << 20
    max_pixels: int = 64_000_000


@dataclass(frozen=True)
class CrawledShard:
    """Tables of one crawl file; see the contract."""

    record: pa.Table
    sample: pa.Table
    image: pa.Table
    decision: pa.Table


def crawl_shard(
    path: str | os.PathLike[str], shard_id: int, tar_path: str | os.PathLike[str], tar_uri: str, settings: CrawlSettings
) -> CrawledShard:
    """Read a crawl file in two passes: records and pages, then the bodies of the images that pages name.

    Args:
        path: the WARC file.
        shard_id: its number; ids of records and samples start with it.
        tar_path: where the image bytes are written.
        tar_uri: how table `image` names that tar.
        settings: limits.
    Raises:
        OSError: the file cannot be read, or the tar not written.
    """
    records, samples, answers = _Rows("record"), _Rows("sample"), Answers()
    for record, charset, page in _first_pass(path, settings):
        record_id = shard_id << 32 | record.ordinal
        target = _redirect_target(record)
        answers.add(record, record_id, target)
        records.add(_record_row(record, record_id, shard_id, charset, target))
        if page is not None:
            for reference in page.images:
                samples.add(_sample(shard_id, samples.count, record, page, reference, settings))
    sample = samples.table()
    found = [answers.follow(url) for url in sample["image_url"].to_pylist()]
    wanted = {answer.record_id: answer for answer in found if isinstance(answer, Answer)}
    images, failed = _images(path, [wanted[i] for i in sorted(wanted)], shard_id, tar_path, tar_uri, settings)
    refusals = [failed.get(f.record_id) if isinstance(f, Answer) else f for f in found]
    named = [f.record_id if isinstance(f, Answer) else None for f in found]
    decoded = [i if refusal is None else None for i, refusal in zip(named, refusals, strict=True)]
    sample = _with(_with(sample, "image_record_id", named), "image_id", decoded)
    return CrawledShard(records.table(), sample, images, _decisions(sample["sample_id"], refusals))


class _Rows:
    """Rows of a table, kept as Arrow batches: a shard may hold a million samples."""

    def __init__(self, name: str) -> None:
        self.count = 0
        self._schema = TABLES[name].schema
        self._waiting: list[Mapping[str, Any]] = []
        self._batches: list[pa.RecordBatch] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row."""
        self.count += 1
        self._waiting.append(row)
        if len(self._waiting) == BATCH:
            self._flush()

    def table(self) -> pa.Table:
        """All rows, in one piece per column."""
        self._flush()
        return pa.Table.from_batches(self._batches, self._schema).combine_chunks()

    def _flush(self) -> None:
        if self._waiting:
            self._batches.append(pa.RecordBatch.from_pylist(self._waiting, self._schema))
            self._waiting = []


def _with(table: pa.Table, name: str, values: Sequence[int | None]) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))


def _first_pass(
    path: str | os.PathLike[str], settings: CrawlSettings
) -> Iterator[tuple[WarcRecord, str | None, Page | None]]:
    """Every record; for a page that was not archived before, its character set and what it holds."""
    archived: set[tuple[str, str]] = set()
    for record in iter_records(path, settings.max_body):
        charset, page = None, None
        if record.status == "ok" and record.type in ("response", "resource") and record.url and record.digest:
            state = (record.url, record.digest)
            if state in archived:
                record = replace(record, status="repeat")
            archived.add(state)
        if record.status == "ok" and record.url and _is_page(record):
            try:
                charset, page = _read_page(record, record.url, settings)
            except PageRefused as refusal:
                record = replace(record, status="error", reason=str(refusal))
        yield record, charset, page


def _is_page(record: WarcRecord) -> bool:
    if record.mime:
        return record.mime in HTML
    return record.body[:1024].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _read_page(record: WarcRecord, url: str, settings: CrawlSettings) -> tuple[str, Page]:
    if len(record.body) > settings.max_page_bytes:
        raise PageRefused("too_large")
    html, charset = decode_html(record.body, record.charset)
    return charset, parse_page(html, url)


def _redirect_target(record: WarcRecord) -> str | None:
    location = record.header("location") if record.status == "redirect" else []
    return join(record.url, location[0]) if location and record.url else None


def _record_row(
    record: WarcRecord, record_id: int, shard_id: int, charset: str | None, target: str | None
) -> dict[str, Any]:
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
        "charset": charset,
        "digest": clean(record.digest, 200),
        "truncated": clean(record.truncated, 100),
        "redirect_to": target,
        "body_bytes": len(record.body) if has_body else None,
    }


def _sample(
    shard_id: int, ordinal: int, record: WarcRecord, page: Page, reference: ImageReference, settings: CrawlSettings
) -> dict[str, Any]:
    texts = {name: getattr(reference, name) for name in ("alt", "title", "caption", "heading")}
    return {
        "sample_id": shard_id << 32 | ordinal,
        "shard_id": shard_id,
        "page_record_id": shard_id << 32 | record.ordinal,
        "page_url": clean(record.url, 8192),
        "image_record_id": None,
        "image_id": None,
        "image_url": clean(reference.url, 8192),
        "other_urls": reference.other_urls,
        **texts,
        "context": collapse(f"{reference.before} {reference.after}"),
        "text": sample_text(texts, settings.text_roles),
        "language": reference.language,
        "page_title": page.title,
        "position": reference.position,
    }


def _images(
    path: str | os.PathLike[str],
    wanted: Sequence[Answer],
    shard_id: int,
    tar_path: str | os.PathLike[str],
    tar_uri: str,
    settings: CrawlSettings,
) -> tuple[pa.Table, dict[int, Refusal]]:
    """Table `image` in order of record, the bytes in the tar; and why the other records were refused."""
    rows = _Rows("image")
    failed: dict[int, Refusal] = {}
    with ImageTar(tar_path) as tar:
        for answer in wanted:
            data = read_record(path, answer.offset, settings.max_body).body
            try:
                row = _image(data, answer.record_id, settings)
            except ImageRefused as refusal:
                failed[answer.record_id] = (refusal.reason, refusal.score, refusal.threshold)
                continue
            member = f"{answer.record_id:020d}.{EXTENSIONS[row['format']]}"
            tar.add(member, data)
            rows.add({**row, "shard_id": shard_id, "file": tar_uri, "member": member})
    return rows.table(), failed


def _image(data: bytes, record_id: int, settings: CrawlSettings) -> dict[str, Any]:
    if len(data) > settings.max_image_bytes:
        raise ImageRefused("too_large", float(len(data)), float(settings.max_image_bytes))
    decoded = decode_file(data, settings.max_pixels)
    return {
        "image_id": record_id,
        "sha256": hashlib.sha256(data).digest(),
        "phash": perceptual_hash(decoded.picture),
        "width": decoded.picture.width,
        "height": decoded.picture.height,
        "format": decoded.format,
        "bytes": len(data),
        "frames": decoded.frames,
    }


def _decisions(sample_id: pa.ChunkedArray, refusals: Sequence[Refusal | None]) -> pa.Table:
    nothing: Refusal = ("", None, None)
    return decision_table(
        "crawl",
        sample_id,
        np.array([refusal is None for refusal in refusals], dtype=bool),
        [(refusal or nothing)[0] or None for refusal in refusals],
        [(refusal or nothing)[1] for refusal in refusals],
        [(refusal or nothing)[2] for refusal in refusals],
    )
