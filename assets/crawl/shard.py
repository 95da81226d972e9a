"""One shard, complete: its samples, and the bytes of every image that decodes, from the crawl file or from a host."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from assets.crawl.answers import Refusal
from assets.crawl.candidates import with_columns
from assets.crawl.fetched import FETCHABLE
from assets.crawl.images import EXTENSIONS, DecodeSettings, ImageRefused, ImageTar, perceptual_hash, render
from assets.crawl.rows import Rows
from assets.provenance.decisions import decision_table
from assets.provenance.tables import TABLES, conform

ReadBody = Callable[[int], bytes]
"""record id -> body of that record; raises ImageRefused where it has none."""


@dataclass(frozen=True)
class CrawledShard:
    """Tables of one shard; see the contract."""

    sample: pa.Table
    image: pa.Table
    decision: pa.Table


@dataclass(frozen=True)
class Target:
    """Where images go: a tar, and how table `image` names it."""

    path: str | os.PathLike[str]
    uri: str


def crawl_shard(
    shard_id: int,
    candidate: pa.Table,
    fetch: pa.Table,
    read_body: ReadBody,
    target: Target,
    settings: DecodeSettings,
    max_bytes: int = 20 << 20,
    threads: int = 1,
    verify_sha256: bool = False,
) -> CrawledShard:
    """Decode what candidates show; say of every one that has no image why.

    Args:
        shard_id: the shard.
        candidate: its candidates.
        fetch: its attempts; empty where nothing was fetched.
        read_body: gives the bytes of a record, of the crawl file or fetched.
        target: where the images are written.
        settings: how they are decoded and stored.
        max_bytes: a larger image is refused before it is decoded.
        threads: images decoded at once; the result does not depend on it.
        verify_sha256: refuse images that are not those a list's hash speaks of.
    Raises:
        OSError: a file cannot be read, or the tar not written.
    """
    record_ids, refusals = _answers(candidate, fetch)
    expected = _expected(candidate, record_ids) if verify_sha256 else {}
    answered = zip(record_ids, refusals, strict=True)
    wanted = sorted({i for i, refusal in answered if i is not None and refusal is None})
    images, failed = _images(wanted, shard_id, read_body, expected, target, settings, max_bytes, threads)
    refusals = [refusal or failed.get(i or -1) for i, refusal in zip(record_ids, refusals, strict=True)]
    decoded = [i if refusal is None else None for i, refusal in zip(record_ids, refusals, strict=True)]
    sample = candidate.select([name for name in TABLES["sample"].schema.names if name != "image_id"])
    sample = with_columns(sample, {"image_record_id": record_ids})
    sample = conform("sample", sample.append_column("image_id", pa.array(decoded, pa.uint64())))
    return CrawledShard(sample, images, _decisions(sample["sample_id"], refusals))


def _answers(candidate: pa.Table, fetch: pa.Table) -> tuple[list[int | None], list[Refusal | None]]:
    """For each candidate the record that answers its address, of the crawl file or fetched; and why it has no image."""
    latest: dict[str, dict[str, Any]] = {}
    for row in fetch.filter(pa.compute.equal(fetch["kind"], "image")).to_pylist():
        if row["url"] not in latest or latest[row["url"]]["status"] != "ok":
            latest[row["url"]] = row
    record_ids: list[int | None] = []
    refusals: list[Refusal | None] = []
    for row in candidate.select(["image_record_id", "image_url", "reason", "score", "threshold"]).to_pylist():
        record_id, refusal = row["image_record_id"], (row["reason"], row["score"], row["threshold"])
        attempt = latest.get(row["image_url"]) if row["reason"] in FETCHABLE else None
        if attempt is not None:
            # What a host said while it refused is evidence too: its record is the sample's.
            record_id, refusal = attempt["record_id"], (attempt["reason"], None, None)
        record_ids.append(record_id)
        refusals.append(refusal if refusal[0] is not None else None)
    return record_ids, refusals


def _expected(candidate: pa.Table, record_ids: Sequence[int | None]) -> dict[int, bytes]:
    hashes = candidate["expected_sha256"].to_pylist()
    return {i: sha256 for i, sha256 in zip(record_ids, hashes, strict=True) if i is not None and sha256 is not None}


def _images(
    wanted: Sequence[int],
    shard_id: int,
    read_body: ReadBody,
    expected: Mapping[int, bytes],
    target: Target,
    settings: DecodeSettings,
    max_bytes: int,
    threads: int,
) -> tuple[pa.Table, dict[int, Refusal]]:
    """Table `image` in order of record, the bytes in the tar; and why the other records were refused."""
    rows = Rows("image")
    failed: dict[int, Refusal] = {}

    def work(record_id: int) -> tuple[dict[str, Any], bytes]:
        return _image(read_body(record_id), expected.get(record_id), settings, max_bytes)

    with ImageTar(target.path) as tar:
        for record_id, done in _in_order(work, wanted, threads):
            try:
                row, stored = done()
            except ImageRefused as refusal:
                failed[record_id] = (refusal.reason, refusal.score, refusal.threshold)
                continue
            member = f"{record_id:020d}.{EXTENSIONS[row['stored_format']]}"
            tar.add(member, stored)
            rows.add({**row, "image_id": record_id, "shard_id": shard_id, "file": target.uri, "member": member})
    return rows.table(), failed


def _in_order(
    work: Callable[[int], tuple[dict[str, Any], bytes]], items: Sequence[int], threads: int
) -> Iterator[tuple[int, Callable[[], tuple[dict[str, Any], bytes]]]]:
    """Each item with what gives its result, in order; at most two items a thread are worked on or wait."""
    if threads == 1:
        for item in items:
            yield item, lambda item=item: work(item)  # type: ignore[misc]
        return
    waiting: deque[tuple[int, Future[tuple[dict[str, Any], bytes]]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as workers:
        for item in items:
            waiting.append((item, workers.submit(work, item)))
            if len(waiting) > 2 * threads:
                done, future = waiting.popleft()
                yield done, future.result
        for done, future in waiting:
            yield done, future.result


def _image(
    data: bytes, expected: bytes | None, settings: DecodeSettings, max_bytes: int
) -> tuple[dict[str, Any], bytes]:
    """A row of table `image` without its place, and the bytes to store."""
    if len(data) > max_bytes:
        raise ImageRefused("too_large", float(len(data)), float(max_bytes))
    digest = hashlib.sha256(data).digest()
    if expected is not None and digest != expected:
        raise ImageRefused("other_bytes")
    rendered = render(data, settings)
    stored = rendered.stored if rendered.stored is not None else data
    row = {
        "sha256": digest,
        "md5": hashlib.md5(data, usedforsecurity=False).digest(),
        "phash": perceptual_hash(rendered.picture),
        "width": rendered.width,
        "height": rendered.height,
        "format": rendered.format,
        "bytes": len(data),
        "frames": rendered.frames,
        "stored_sha256": digest if stored is data else hashlib.sha256(stored).digest(),
        "stored_bytes": len(stored),
        "stored_format": rendered.stored_format,
        "stored_width": rendered.stored_width,
        "stored_height": rendered.stored_height,
    }
    return row, stored


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
