"""Pictures of single samples, for sheets that people look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from assets.crawl.images import ImageRefused, decode
from resources.lake import local_path
from resources.objects import exists

BLOCK = 512
"""Bytes of a tar's header, and what files in it are filled up to."""


@dataclass(frozen=True)
class Tile:
    """A sample on a sheet.

    Attributes:
        sample_id: which one.
        picture: a PIL image; None where there is none to show.
        absence: why there is none; empty where there is one.
        note: what stands below it.
    """

    sample_id: int
    picture: Any
    absence: str = ""
    note: str = ""


def tiles(build: Any, sample_ids: Sequence[int], barred: Mapping[int, str] | None = None) -> dict[int, Tile]:
    """Tiles of some samples, with their pictures; where one cannot be shown, its tile says why.

    Args:
        build: with the crawl done.
        sample_ids: which samples.
        barred: samples that must not be shown, and why; their bytes are not read.
    """
    barred = barred or {}
    found = {int(one): Tile(int(one), None, barred.get(int(one), "no picture")) for one in sample_ids}
    for shard in build.snapshot.shards:
        wanted = [one for one in found if one >> 32 == shard.shard_id and one not in barred]
        if not wanted:
            continue
        sample = build.read("crawl", "sample", ["sample_id", "image_id"], shard=shard)
        sample = sample.filter(pc.is_in(sample["sample_id"], pa.array(wanted, pa.uint64())))
        image = build.read("crawl", "image", ["image_id", "file", "member"], shard=shard)
        image = image.filter(pc.is_in(image["image_id"], sample["image_id"].combine_chunks()))
        rows = sample.join(image, "image_id", join_type="inner").to_pylist()
        members = defaultdict(set)
        for row in rows:
            members[row["file"]].add(row["member"])
        stored = {file: stored_bytes(build.lake.home / file, names) for file, names in members.items()}
        for row in rows:
            found[row["sample_id"]] = _tile(row["sample_id"], stored[row["file"]].get(row["member"]))
    return found


def _tile(sample_id: int, data: bytes | None) -> Tile:
    if data is None:
        return Tile(sample_id, None, "bytes missing")
    try:
        return Tile(sample_id, decode(data))
    except ImageRefused as refused:
        return Tile(sample_id, None, f"not decodable: {refused.reason}")


def stored_bytes(path: UPath, members: set[str]) -> dict[str, bytes]:
    """Bytes of some members of a tar that the crawl wrote, as far as they are there; a tar that is gone has none.

    Only headers are looked at on the way, up to the last member asked for: `tarfile` takes 20 times as long.
    """
    found: dict[str, bytes] = {}
    if not exists(path):
        return found
    with local_path(path).open("rb") as tar:
        while len(found) < len(members):
            header = tar.read(BLOCK)
            octal = header[124:136].strip(b"\0 ")
            if len(header) < BLOCK or not octal.isdigit():
                break
            size, name = int(octal, 8), header[:100].rstrip(b"\0").decode("utf-8", "replace")
            if name in members:
                data = tar.read(size)
                if len(data) < size:
                    break
                found[name] = data
                size = -len(data) % BLOCK
            else:
                size += -size % BLOCK
            tar.seek(size, 1)
    return found
