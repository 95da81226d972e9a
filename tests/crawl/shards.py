"""A crawl file read from end to end, as the stages do it, without hosts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from assets.crawl.bodies import body_reader
from assets.crawl.candidates import ReadSettings, read_warc
from assets.crawl.images import DecodeSettings
from assets.crawl.shard import Target, crawl_shard
from assets.provenance.tables import TABLES


@dataclass(frozen=True)
class Crawled:
    record: pa.Table
    candidate: pa.Table
    sample: pa.Table
    image: pa.Table
    decision: pa.Table


def crawl_warc(
    path: Path,
    shard_id: int,
    tar: Path,
    uri: str = "image.tar",
    reading: ReadSettings | None = None,
    decoding: DecodeSettings | None = None,
    **limits,
) -> Crawled:
    """All tables of a WARC file."""
    reading = reading or ReadSettings()
    found = read_warc(path, shard_id, reading)
    read_body = body_reader("warc", path, {}, found.record, reading.max_body)
    nothing_fetched = TABLES["fetch"].empty()
    made = crawl_shard(
        shard_id, found.candidate, nothing_fetched, read_body, Target(tar, uri), decoding or DecodeSettings(), **limits
    )
    return Crawled(found.record, found.candidate, made.sample, made.image, made.decision)
