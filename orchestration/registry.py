"""The shard registry: which crawl files a build reads, under which numbers.

A registry is a sequence of immutable snapshots per source set. A later snapshot keeps the numbers of the earlier one;
a file whose bytes changed gets a new number that supersedes the old. A fresh home with the same files gets the same
numbers, because they are given in sorted order of uri.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
from upath import UPath

from assets.provenance.tables import TABLES
from orchestration.recipe import Recipe, RecipeError, Source
from resources.lake import Lake, hash_file, sha256_of


@dataclass(frozen=True)
class Shard:
    """One crawl file.

    Attributes:
        shard_id: from 1.
        source: name of the source set.
        uri: as the recipe names it, relative to the recipe's folder unless absolute.
        sha256: hash of the file's bytes, hexadecimal.
        bytes: size of the file.
        supersedes: number of an earlier state of the same uri.
    """

    shard_id: int
    source: str
    uri: str
    sha256: str
    bytes: int
    supersedes: int | None = None

    @property
    def label(self) -> str:
        """How the shard is named in the lake's files."""
        return f"{self.shard_id:05d}"

    @property
    def partition(self) -> str:
        """Dagster's partition key: source set and number."""
        return f"{self.source}.{self.label}"


@dataclass(frozen=True)
class Snapshot:
    """The shards of a build, by number; `retired` keeps numbers that must not be given again."""

    shards: tuple[Shard, ...]
    retired: tuple[Shard, ...] = ()

    @property
    def sha256(self) -> str:
        """Hash of the shards a build reads."""
        return sha256_of([asdict(shard) for shard in self.shards])

    def table(self) -> pa.Table:
        """Rows of table `shard`."""
        rows = [
            {
                **asdict(shard),
                "kind": "warc",
                "sha256": bytes.fromhex(shard.sha256),
                "status": "ok",
                "reason": None,
            }
            for shard in self.shards
        ]
        return pa.Table.from_pylist(rows, schema=TABLES["shard"].schema)


def register(recipe: Recipe, lake: Lake) -> Snapshot:
    """Look at the recipe's sources now; write and return a new snapshot if anything changed.

    Raises RecipeError where a source names no file.
    """
    before = latest(recipe, lake)
    found = [shard for source in recipe.crawl.sources for shard in _files(source, recipe)]
    after = _number(found, before)
    if before is None or after != before:
        folder = _folder(recipe, lake)
        number = len(list(folder.glob("*.json"))) + 1 if folder.exists() else 1
        document = {
            "shards": [asdict(shard) for shard in after.shards],
            "retired": [asdict(shard) for shard in after.retired],
        }
        lake.write_document(folder / f"{number:06d}-{after.sha256[:16]}.json", document)
    return after


def latest(recipe: Recipe, lake: Lake) -> Snapshot | None:
    """The newest snapshot of the recipe's source sets; None before the first registration."""
    folder = _folder(recipe, lake)
    names = sorted(folder.glob("*.json"), key=lambda path: path.name) if folder.exists() else []
    if not names:
        return None
    document: dict[str, Any] = lake.read_document(names[-1])
    return Snapshot(
        tuple(Shard(**row) for row in document["shards"]), tuple(Shard(**row) for row in document["retired"])
    )


def file_of(shard: Shard, recipe: Recipe) -> UPath:
    """Where a shard's crawl file lies now."""
    return recipe.locate(shard.uri)


def _folder(recipe: Recipe, lake: Lake) -> UPath:
    return lake.home / "registry" / "+".join(sorted(source.name for source in recipe.crawl.sources))


def _files(source: Source, recipe: Recipe) -> list[Shard]:
    found: dict[str, UPath] = {}
    for pattern in source.uris:
        matches = recipe.expand(pattern)
        if not matches:
            raise RecipeError(
                f"{recipe.path}: crawl.sources names {pattern} (source {source.name}), but there is no such file"
            )
        found.update(matches)
    return [Shard(0, source.name, uri, hash_file(path), path.stat().st_size) for uri, path in sorted(found.items())]


def _number(found: list[Shard], before: Snapshot | None) -> Snapshot:
    """Give every file its number: the one it had, or the next free one in sorted order of uri."""
    known = {} if before is None else {(s.source, s.uri, s.sha256): s for s in (*before.retired, *before.shards)}
    newest = {} if before is None else {(s.source, s.uri): s for s in (*before.retired, *before.shards)}
    free = 1 + max((shard.shard_id for shard in known.values()), default=0)
    shards = []
    for shard in sorted(found, key=lambda s: (s.uri, s.source)):
        old = known.get((shard.source, shard.uri, shard.sha256))
        if old is None:
            earlier = newest.get((shard.source, shard.uri))
            old = Shard(free, shard.source, shard.uri, shard.sha256, shard.bytes, earlier.shard_id if earlier else None)
            free += 1
        shards.append(old)
    kept = {shard.shard_id for shard in shards}
    retired = tuple(sorted((s for s in known.values() if s.shard_id not in kept), key=lambda s: s.shard_id))
    return Snapshot(tuple(sorted(shards, key=lambda s: s.shard_id)), retired)
