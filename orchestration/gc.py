"""Garbage collection: files of a home that no manifest needs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from upath import UPath

from orchestration import ledger
from orchestration.manifest import Manifest, find_manifest, named_files
from orchestration.publishing import DATABASES, database_file, releases, standing
from resources.lake import Lake
from resources.objects import entries

RECENT = 24 * 3600
"""Seconds: what was touched later may belong to a build that runs now, or to one that was killed and goes on."""


@dataclass(frozen=True)
class Garbage:
    """Something that can go: a file or a folder, what it is, and its size in bytes."""

    path: UPath
    what: str
    bytes: int


def collect(home: str, keep: int, delete: bool, withdrawn: bool = False, recent: int = RECENT) -> list[str]:
    """Lines that say what goes (or went), and how much it is.

    Args:
        home: the home.
        keep: how many of the newest builds keep their files; the manifests of the others go, and so do files that none of
            the kept ones needs. The build of the newest release of every name that
            is not withdrawn keeps its own, whatever its age.
        delete: False only says what would go.
        withdrawn: also the folders of releases that were withdrawn.
        recent: seconds for which leftovers of runs are left alone.
    """
    lake = Lake(home)
    kept = kept_builds(lake, keep)
    found = list(garbage(lake, kept, withdrawn, recent))
    verb = "deleted" if delete else "would delete"
    lines = [f"{verb} {lake.uri(item.path)}  ({item.what})" for item in found]
    if delete:
        for item in found:
            lake.remove(item.path)
    size = sum(item.bytes for item in found)
    done = "deleted" if delete else "to delete with --yes"
    return [*lines, f"{len(found)} files, {size / 1e6:.1f} MB {done}; builds kept: {', '.join(kept) or 'none'}"]


def kept_builds(lake: Lake, keep: int) -> list[str]:
    """The newest builds, and those of the newest releases that stand, newest first."""
    builds = list(dict.fromkeys(row["build_id"] for row in reversed(ledger.rows(lake, "build"))))
    wanted = {*builds[: max(keep, 0)], *(row["build_id"] for row in standing(lake))}
    return [build for build in builds if build in wanted]


def garbage(lake: Lake, kept: Sequence[str], withdrawn: bool, recent: int) -> Iterator[Garbage]:
    """What no kept build needs."""
    manifests = [manifest for build in kept if (manifest := find_manifest(lake, build)) is not None]
    named = {uri for manifest in manifests for uri in named_files(manifest)}
    for file in lake.tree(lake.home / "lake"):
        # In a store another machine may be at work, whose build is not complete.
        young = not lake.on_disk and time.time() - file.time < recent
        if not young and not file.path.name.startswith(".") and lake.uri(file.path) not in named:
            yield Garbage(file.path, "no kept build needs it", file.bytes)
    starts = {start["uri"] for manifest in manifests for start in manifest.document.get("starts", ())}
    for folder in lake.entries(lake.home / "builds"):
        if folder.name not in kept and not _is_started_from(lake, folder.name, starts):
            yield Garbage(folder, "manifest of a build that is not kept", _size(lake, folder))
    for folder in lake.entries(lake.scratch):
        if _age(folder) >= recent:
            yield Garbage(folder, "work of a killed run", _size(lake, folder))
    gone = {row["release_id"] for row in releases(lake) if row["withdrawn_at"] is not None}
    for folder in lake.entries(lake.home / "releases"):
        if withdrawn and folder.name in gone:
            yield Garbage(folder, "release that was withdrawn", _size(lake, folder))
    yield from _databases(lake, recent)
    yield from _staged(lake, manifests, recent)
    if not lake.on_disk:
        yield from _cut_short(lake, recent)
        return
    for path in _leftovers(lake.home):
        if _age(path) >= recent:
            yield Garbage(path, "left by a killed run", _size(lake, path))


def _databases(lake: Lake, recent: int) -> Iterator[Garbage]:
    """Databases of a home in a store that its pointer does not name."""
    current = database_file(lake)
    for file in lake.tree(lake.home / DATABASES):
        if file.path != current and time.time() - file.time >= recent:
            yield Garbage(file.path, "database that another took the place of", file.bytes)


def _staged(lake: Lake, manifests: Sequence[Manifest], recent: int) -> Iterator[Garbage]:
    """Copies of crawl files, made for workers on other machines, of which no shard of these builds is made."""
    old = [file for file in lake.tree(lake.home / "staged") if time.time() - file.time >= recent]
    if not old:
        return
    tables = [path for manifest in manifests for path in manifest.files(lake, "shard") if lake.exists(path)]
    columns = lake.read_table(tables, ["sha256", "side_sha256"]).columns if tables else []
    needed = {value.hex() for column in columns for value in column.to_pylist() if value is not None}
    for file in old:
        if file.path.parent.name not in needed:
            yield Garbage(file.path, "copy of a crawl file that no kept build reads", file.bytes)


def _cut_short(lake: Lake, recent: int) -> Iterator[Garbage]:
    """Folders of releases in a store whose run was killed while it put them: their list is not there."""
    for folder in lake.entries(lake.home / "releases"):
        found = lake.tree(folder)
        if found and not lake.folder_exists(folder) and all(time.time() - file.time >= recent for file in found):
            yield Garbage(folder, "left by a killed run", sum(file.bytes for file in found))


def _is_started_from(lake: Lake, build: str, starts: set[str]) -> bool:
    """Whether kept builds start from a file of a build, which recipes name by it."""
    manifest = find_manifest(lake, build) if starts else None
    return manifest is not None and any(file["uri"] in starts for file in manifest.document["files"])


def _leftovers(folder: UPath) -> Iterator[UPath]:
    """Hidden names of what was being written, anywhere but in Dagster's own folder."""
    for path in entries(folder):
        if path.name.startswith((".duckdb-", ".probe-")) or (path.name.startswith(".") and ".partial" in path.name):
            yield path
        elif path.is_dir() and path.name != "dagster":
            yield from _leftovers(path)


def _age(path: UPath) -> float:
    return time.time() - float(path.stat().st_mtime)


def _size(lake: Lake, path: UPath) -> int:
    return sum(file.bytes for file in lake.tree(path)) or (lake.size(path) if path.is_file() else 0)
