"""The shard registry: which crawl files a build reads, under which numbers.

A registry is a sequence of immutable snapshots per source set. A later snapshot keeps the numbers of the earlier one;
a file whose bytes changed gets a new number that supersedes the old. A fresh home with the same files gets the same
numbers, because they are given in sorted order of uri. A link list is many shards: so many rows each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import pyarrow as pa
from upath import UPath

from assets.crawl import list_parquet, list_text, lists
from assets.crawl.lists import LAYOUTS, Columns, ListRefused, Piece, split
from assets.provenance.tables import TABLES
from orchestration.recipe import Recipe, RecipeError, Source
from orchestration.seen import Seen, stamp
from resources.lake import Lake, hash_file, local_path, sha256_of

_KINDS = (
    ("wat", re.compile(r"\.wat(\.gz)?$", re.IGNORECASE)),
    ("warc", re.compile(r"\.warc(\.gz|\.zst)?$", re.IGNORECASE)),
    ("images", re.compile(r"\.tar$", re.IGNORECASE)),
    ("links", re.compile(r"\.(parquet|(csv|tsv|jsonl|ndjson)(\.gz|\.zst)?)$", re.IGNORECASE)),
)
"""What a file is, by its name."""


@dataclass(frozen=True)
class Shard:
    """One crawl file, or some rows of a link list.

    Attributes:
        shard_id: from 1.
        source: name of the source set.
        uri: as the recipe names it, relative to the recipe's folder unless absolute.
        sha256: hash of the file's bytes, hexadecimal.
        bytes: size of the file.
        supersedes: number of an earlier state of the same uri.
        kind: warc, wat, links or images.
        first_row, rows: rows of a link list; None for other kinds.
        first_byte: where the first of these rows starts in the list, unpacked; None where its format needs none.
        side_uri, side_sha256: Parquet file beside an image shard; None where there is none.
    """

    shard_id: int
    source: str
    uri: str
    sha256: str
    bytes: int
    supersedes: int | None = None
    kind: str = "warc"
    first_row: int | None = None
    rows: int | None = None
    first_byte: int | None = None
    side_uri: str | None = None
    side_sha256: str | None = None

    @property
    def label(self) -> str:
        """How the shard is named in the lake's files."""
        return f"{self.shard_id:05d}"

    @property
    def partition(self) -> str:
        """Dagster's partition key: source set and number."""
        return f"{self.source}.{self.label}"

    @property
    def state(self) -> tuple[Any, ...]:
        """What makes it this shard and no other: changed bytes, or another cut, are another shard."""
        return self.source, self.uri, *self.content

    @property
    def content(self) -> tuple[Any, ...]:
        """Its bytes, and how they are read; nothing about where they lie or what they are called."""
        return self.sha256, self.kind, self.first_row, self.rows, self.first_byte, self.side_sha256

    @property
    def piece(self) -> Piece:
        """The rows of the link list that it stands for."""
        return Piece(self.first_row or 0, self.rows or 0, self.first_byte)


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
                **{name: value for name, value in asdict(shard).items() if name != "first_byte"},
                "sha256": bytes.fromhex(shard.sha256),
                "side_sha256": bytes.fromhex(shard.side_sha256) if shard.side_sha256 else None,
                "status": "ok",
                "reason": None,
            }
            for shard in self.shards
        ]
        return pa.Table.from_pylist(rows, schema=TABLES["shard"].schema)


def register(recipe: Recipe, lake: Lake) -> Snapshot:
    """Look at the recipe's sources now; write and return a new snapshot if anything changed.

    Where another process wrote a snapshot meanwhile, the sources are looked at again, against that one.

    A file whose size and time are those of the last look is not read again: whoever reads it later compares its hash.
    Raises RecipeError where a source names no file, or one that cannot be told or read.
    """
    before = latest(recipe, lake)
    seen = _Seen(lake, _seen_document(recipe, lake))
    found = [shard for source in recipe.crawl.sources for shard in _files(source, recipe, seen)]
    if not found:
        raise RecipeError(f"{recipe.path}: the files of crawl.sources hold no rows; there is nothing to build")
    after = _number(found, before)
    if before is None or after != before:
        folder = _folder(recipe, lake)
        number = len(lake.files(folder, "*.json")) + 1
        document = {
            "shards": [asdict(shard) for shard in after.shards],
            "retired": [asdict(shard) for shard in after.retired],
        }
        if not lake.create_document(folder / f"{number:06d}.json", document):
            return register(recipe, lake)
    seen.save()
    return after


def latest(recipe: Recipe, lake: Lake) -> Snapshot | None:
    """The newest snapshot of the recipe's source sets; None before the first registration."""
    folder = _folder(recipe, lake)
    names = lake.files(folder, "*.json")
    if not names:
        return None
    document: dict[str, Any] = lake.read_document(names[-1])
    return Snapshot(
        tuple(Shard(**row) for row in document["shards"]), tuple(Shard(**row) for row in document["retired"])
    )


def forget(recipe: Recipe, lake: Lake) -> None:
    """Look at every file again at the next registration: one has changed although its size and time did not."""
    path = _seen_document(recipe, lake)
    if path.exists():
        path.unlink()


def listing(recipe: Recipe) -> dict[str, list[float]]:
    """Sizes and times of every file under the recipe's sources: cheap to look at, and changed when they changed."""
    found: dict[str, list[float]] = {}
    for source in recipe.crawl.sources:
        for uri, path, _, side in _named(source, recipe):
            found[uri] = stamp(path)
            if side is not None:
                found[side[0]] = stamp(side[1])
    return found


def columns_of(source: Source) -> Columns:
    """Which columns of a link list mean what: those that the recipe names, else those of the layout."""
    if source.columns is None:
        return LAYOUTS[source.layout]
    given = source.columns.model_dump()
    header, quoted = tuple(given.pop("header")), given.pop("quoted")
    return Columns(**{key: (name,) if name else () for key, name in given.items()}, header=header, quoted=quoted)


def _folder(recipe: Recipe, lake: Lake) -> UPath:
    return lake.home / "registry" / "+".join(sorted(source.name for source in recipe.crawl.sources))


def _seen_document(recipe: Recipe, lake: Lake) -> UPath:
    return _folder(recipe, lake) / "seen" / "files.json"


@cache
def _code_of_cutting() -> list[str]:
    """Hashes of the code that cuts lists: another cut must not be hidden by what was seen before."""
    return [hash_file(UPath(str(module.__file__))) for module in (lists, list_text, list_parquet)]


class _Seen(Seen):
    """Hashes and cuts of crawl files."""

    def pieces(self, uri: str, path: UPath, rows: int, columns: Columns) -> list[Piece]:
        """The pieces of a link list."""
        entry = self.entry(uri, path)
        cut = sha256_of([rows, asdict(columns), _code_of_cutting()])
        if entry.get("cut") != cut:
            entry["cut"] = cut
            entry["pieces"] = [asdict(piece) for piece in split(local_path(path), rows, columns)]
        return [Piece(**piece) for piece in entry["pieces"]]

    def entry(self, uri: str, path: UPath) -> dict[str, Any]:
        """What is known of a crawl file; raises RecipeError where it cannot be read."""
        try:
            return super().entry(uri, path)
        except OSError as error:
            raise RecipeError(
                f"{uri}: the crawl file cannot be read ({error.strerror}); see to it and run again"
            ) from error


def _named(source: Source, recipe: Recipe) -> Iterator[tuple[str, UPath, str, tuple[str, UPath] | None]]:
    """(uri, path, kind, side file) of every crawl file that a source names, in sorted order of uri."""
    found: dict[str, UPath] = {}
    for pattern in source.uris:
        matches = recipe.expand(pattern)
        if not matches:
            raise RecipeError(
                f"{recipe.path}: crawl.sources names {pattern} (source {source.name}), but there is no such file"
            )
        found.update(matches)
    tars = {uri[:-4] for uri in found if uri.lower().endswith(".tar")}
    for uri, path in sorted(found.items()):
        stem = uri.rpartition(".")[0]
        beside_tar = not uri.lower().endswith(".tar") and (stem in tars or stem.removesuffix("_stats") in tars)
        if beside_tar and source.kind in (None, "images"):
            continue
        kind: str | None = source.kind or next((name for name, form in _KINDS if form.search(uri)), None)
        if kind is None:
            raise RecipeError(
                f"{recipe.path}: source {source.name} names {uri}, which could be anything by its name; take names that "
                "end in .warc.gz, .wat.gz, .parquet, .csv, .tsv, .jsonl or .tar, or say crawl.sources.kind: warc, wat or images"
            )
        side = path.with_suffix(".parquet") if kind == "images" else None
        yield uri, path, kind, (f"{stem}.parquet", side) if side is not None and side.is_file() else None


def _files(source: Source, recipe: Recipe, seen: _Seen) -> Iterator[Shard]:
    for uri, path, kind, side in _named(source, recipe):
        shard = Shard(0, source.name, uri, seen.sha256(uri, path), path.stat().st_size, kind=kind)
        if side is not None:
            shard = replace(shard, side_uri=side[0], side_sha256=seen.sha256(*side))
        if kind != "links":
            yield shard
            continue
        try:
            pieces = seen.pieces(uri, path, source.rows_per_shard, columns_of(source))
        except ListRefused as error:
            raise RecipeError(f"{recipe.path}: source {source.name}: {error}") from error
        for piece in pieces:
            yield replace(shard, first_row=piece.first_row, rows=piece.rows, first_byte=piece.first_byte)


def _number(found: list[Shard], before: Snapshot | None) -> Snapshot:
    """Give every shard its number: the one it had, or the next free one in sorted order of uri and row."""
    earlier = () if before is None else (*before.retired, *before.shards)
    known = {shard.state: shard for shard in earlier}
    newest = {(s.source, s.uri, s.first_row): s for s in sorted(earlier, key=lambda s: s.shard_id)}
    free = 1 + max((shard.shard_id for shard in earlier), default=0)
    shards = []
    for shard in sorted(found, key=lambda s: (s.uri, s.source, s.first_row or 0)):
        old = known.get(shard.state)
        if old is None:
            before_it = newest.get((shard.source, shard.uri, shard.first_row))
            old = replace(shard, shard_id=free, supersedes=before_it.shard_id if before_it else None)
            free += 1
        shards.append(old)
    kept = {shard.shard_id for shard in shards}
    retired = tuple(sorted((s for s in earlier if s.shard_id not in kept), key=lambda s: s.shard_id))
    return Snapshot(tuple(sorted(shards, key=lambda s: s.shard_id)), retired)
