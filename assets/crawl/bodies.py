"""Bytes of records, by their ids: from the crawl file, from what hosts answered, from an image shard."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from assets.crawl.image_shards import read_image
from assets.crawl.images import ImageRefused
from assets.crawl.warc import read_record


def body_reader(
    kind: str,
    path: str | os.PathLike[str],
    segments: Mapping[str, Path],
    record: pa.Table,
    max_body: int,
) -> Callable[[int], bytes]:
    """What gives the body of a record by its id.

    Args:
        kind: of the shard: warc, wat, links or images.
        path: its crawl file.
        segments: WARC files of fetched answers, by how table `record` names them.
        record: columns record_id, file, offset, length of the shard's table `record`.
        max_body: as the crawl file was read.
    """
    places = {
        row["record_id"]: (row["file"], row["offset"], row["length"])
        for row in record.select(["record_id", "file", "offset", "length"]).to_pylist()
    }

    def read(record_id: int) -> bytes:
        file, offset, length = places[record_id]
        if file is None and kind == "images":
            return read_image(path, offset, length)
        found = read_record(path if file is None else segments[file], offset, max_body)
        if found.status == "error":
            raise ImageRefused(found.reason or "broken_record")
        return found.body

    return read
