"""One crawl file: its records, a sample for every <img>, and the bytes of every image that decodes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from assets.crawl.charsets import decode_html
from assets.crawl.html import ImageReference, Page, parse_page
from assets.crawl.images import EXTENSIONS, ImageRefused, ImageTar, decode_file, perceptual_hash
from assets.crawl.nesting import too_deep
from assets.crawl.text import clean, collapse, sample_text
from assets.crawl.urls import join, same
from assets.crawl.warc import WarcRecord, iter_records, read_record
from assets.provenance.decisions import decision_table
from assets.provenance.tables import TABLES

HTML = ("text/html", "application/xhtml+xml")
MAX_REDIRECTS = 5
MAX_IMAGES_PER_PAGE = 100_000


@dataclass(frozen=True)
class CrawlSettings:
    """Limits and roles.

    Attributes:
        text_roles: texts of an image, first non-empty wins.
        max_body: bytes of a body after decoding; a larger one costs its record.
        max_image_bytes: a larger image is dropped before it is decoded.
        max_pixels: an image with more pixels is dropped, from its header.
    """

    text_roles: tuple[str, ...] = ("alt",)
    max_body: int = 32 << 20
    max_image_bytes: int = 20 << 20
    max_pixels: int = 64_000_000


@dataclass(frozen=True)
class CrawledShard:
    """Tables of one crawl file; see the contract."""

    record: pa.Table
    sample: pa.Table
    image: pa.Table
    decision: pa.Table


@dataclass
class _Seen:
    """What the first pass keeps of a record: no body."""

    record_id: int
    record: WarcRecord
    redirect_to: str | None


Refusal = tuple[str, float | None, float | None]


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
    """
    seen: list[_Seen] = []
    samples: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    for entry, row, page in _first_pass(path, shard_id, settings):
        seen.append(entry)
        records.append(row)
        if page is not None:
            for reference in page.images[:MAX_IMAGES_PER_PAGE]:
                samples.append(_sample(shard_id, len(samples), entry, page, reference, settings))
    answers = {same(s.record.url): s for s in reversed(seen) if s.record.url and _answers(s.record)}
    by_id = {s.record_id: s for s in seen}
    refused: dict[int, Refusal] = {}
    for sample in samples:
        found = _follow(sample["image_url"], answers)
        if isinstance(found, _Seen):
            sample["image_record_id"] = found.record_id
        else:
            refused[sample["sample_id"]] = found
    wanted = sorted({s["image_record_id"] for s in samples if s["image_record_id"] is not None})
    images, failed = _images(path, [by_id[i] for i in wanted], shard_id, tar_path, tar_uri, settings)
    good = {image["image_id"] for image in images}
    for sample in samples:
        record_id = sample["image_record_id"]
        sample["image_id"] = record_id if record_id in good else None
        if record_id in failed:
            refused[sample["sample_id"]] = failed[record_id]
    return CrawledShard(
        pa.Table.from_pylist(records, TABLES["record"].schema),
        pa.Table.from_pylist(samples, TABLES["sample"].schema),
        pa.Table.from_pylist(images, TABLES["image"].schema),
        _decisions([s["sample_id"] for s in samples], refused),
    )


def _first_pass(
    path: str | os.PathLike[str], shard_id: int, settings: CrawlSettings
) -> Iterator[tuple[_Seen, dict[str, Any], Page | None]]:
    """Every record without its body, its row, and its page where it is one that was not archived before."""
    archived: set[tuple[str | None, str | None]] = set()
    for record in iter_records(path, settings.max_body):
        page, charset = None, None
        if record.status == "ok" and record.type == "response" and record.url and record.digest:
            if (record.url, record.digest) in archived:
                record = replace(record, status="repeat")
            archived.add((record.url, record.digest))
        if record.status == "ok" and record.mime in HTML and too_deep(record.body):
            record = replace(record, status="error", reason="too_deep")
        if record.status == "ok" and record.mime in HTML and record.url:
            html, charset = decode_html(record.body, record.charset)
            page = parse_page(html, record.url)
        location = record.header("location") if record.status == "redirect" else []
        target = join(record.url, location[0]) if location and record.url else None
        entry = _Seen(shard_id << 32 | record.ordinal, replace(record, body=b"", header_bytes=b""), target)
        yield entry, _record_row(entry, shard_id, len(record.body), charset), page


def _record_row(entry: _Seen, shard_id: int, body_bytes: int, charset: str | None) -> dict[str, Any]:
    record = entry.record
    has_body = record.type in ("response", "resource") and record.status != "error"
    return {
        "record_id": entry.record_id,
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
        "redirect_to": entry.redirect_to,
        "body_bytes": body_bytes if has_body else None,
    }


def _sample(
    shard_id: int, ordinal: int, entry: _Seen, page: Page, reference: ImageReference, settings: CrawlSettings
) -> dict[str, Any]:
    texts = {name: getattr(reference, name) for name in ("alt", "title", "caption", "heading")}
    return {
        "sample_id": shard_id << 32 | ordinal,
        "shard_id": shard_id,
        "page_record_id": entry.record_id,
        "page_url": entry.record.url,
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


def _answers(record: WarcRecord) -> bool:
    """A record that says something about its address; a revisit only repeats what stands elsewhere."""
    return record.type in ("response", "resource") and record.status in ("ok", "redirect", "http_error", "error")


def _follow(url: str | None, answers: dict[str, _Seen]) -> _Seen | Refusal:
    """The record that holds an image, after redirects inside the shard; or why there is none."""
    if not url:
        return "no_address", None, None
    if url.startswith("data:"):
        return "data_url", None, None
    for _ in range(MAX_REDIRECTS + 1):
        found = answers.get(url)
        if found is None:
            return "image_not_in_crawl", None, None
        if found.record.status == "ok":
            return found
        if found.record.status == "http_error":
            return f"http_{found.record.http_status}", None, None
        if found.record.status == "error":
            return found.record.reason or "broken_record", None, None
        if not found.redirect_to:
            return "redirect_without_target", None, None
        url = found.redirect_to
    return "too_many_redirects", float(MAX_REDIRECTS + 1), float(MAX_REDIRECTS)


def _images(
    path: str | os.PathLike[str],
    wanted: Sequence[_Seen],
    shard_id: int,
    tar_path: str | os.PathLike[str],
    tar_uri: str,
    settings: CrawlSettings,
) -> tuple[list[dict[str, Any]], dict[int, Refusal]]:
    """Rows of table `image` in order of record, their bytes in the tar; and why the others were refused."""
    rows: list[dict[str, Any]] = []
    failed: dict[int, Refusal] = {}
    with ImageTar(tar_path) as tar:
        for entry in wanted:
            data = read_record(path, entry.record.offset, settings.max_body).body
            try:
                row = _image(data, entry.record_id, settings)
            except ImageRefused as refusal:
                failed[entry.record_id] = (refusal.reason, refusal.score, refusal.threshold)
                continue
            member = f"{entry.record_id:020d}.{EXTENSIONS[row['format']]}"
            tar.add(member, data)
            rows.append({**row, "shard_id": shard_id, "file": tar_uri, "member": member})
    return rows, failed


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


def _decisions(ids: Sequence[int], refused: dict[int, Refusal]) -> pa.Table:
    nothing: Refusal = ("", None, None)
    found = [refused.get(i, nothing) for i in ids]
    return decision_table(
        "crawl",
        ids,
        np.array([i not in refused for i in ids], dtype=bool),
        [reason or None for reason, _, _ in found],
        [score for _, score, _ in found],
        [threshold for _, _, threshold in found],
    )
