"""What a reader of a home sees: every name that is not hidden must be whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tests.chaos.reader import MixedError, look

OWN = {"dagster", "scratch"}
"""Folders that are nobody's to read: Dagster's own state, and work that a killed run left for the next one."""

ROOMS = {"lake", "releases", "builds", "ledger", "registry", "observations", "provenance.duckdb"}
"""What else a home holds."""

SUFFIXES = {".parquet", ".json", ".duckdb", ".lock", ".tar", ".warc", ".npy", ".html"}
"""How names outside of releases end."""


def visible(home: Path) -> Iterator[Path]:
    """Files without a hidden part in their names, relative to the home, that a reader may open."""
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home)
        if path.is_file() and name.parts[0] not in OWN and not any(part.startswith(".") for part in name.parts):
            yield name


def hidden(home: Path) -> list[Path]:
    """What killed runs left under hidden names."""
    found = (path.relative_to(home) for path in sorted(home.rglob(".*")))
    return [name for name in found if name.parts[0] not in OWN]


def hashes(home: Path) -> dict[str, str]:
    """SHA-256 of every file of the lake and the releases, by name."""
    rooms = (name for name in visible(home) if name.parts[0] in ("lake", "releases"))
    return {name.as_posix(): _sha256(home / name) for name in rooms}


def faults(home: Path, expected: dict[str, str]) -> list[str]:
    """What is wrong with what a reader sees.

    Args:
        home: the home, at rest.
        expected: `hashes` of a home whose builds were not disturbed: files that have these names must be these files,
            and others must not be there.
    """
    found = []
    for name in visible(home):
        path, told = home / name, name.as_posix()
        if name.parts[0] not in ROOMS or (name.parts[0] != "releases" and name.suffix not in SUFFIXES):
            found.append(f"{told}: no name that a home has")
        if name.parts[0] in ("lake", "releases") and _sha256(path) != expected.get(told):
            found.append(f"{told}: {'other bytes than' if told in expected else 'is not there'} in an undisturbed home")
        if name.suffix == ".parquet":
            found += _unreadable(path, told)
        if name.suffix == ".json":
            found += _unparsable(path, told)
    for folder in sorted((home / "releases").glob("[!.]*")):
        found += _release(folder)
    for path in sorted((home / "builds").glob("[!.]*/manifest.json")):
        if not _unparsable(path, ""):
            found += _manifest(home, path)
    try:
        look(home)
    except (MixedError, duckdb.Error, OSError, ValueError) as error:
        found.append(f"provenance.duckdb: {error}")
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _unreadable(path: Path, told: str) -> list[str]:
    try:
        file = pq.ParquetFile(path)
        rows = sum(part.num_rows for part in file.iter_batches())
        return [] if rows == file.metadata.num_rows else [f"{told}: {rows} rows of {file.metadata.num_rows}"]
    except (pa.ArrowException, OSError) as error:
        return [f"{told}: {error}"]


def _unparsable(path: Path, told: str) -> list[str]:
    try:
        json.loads(path.read_bytes())
    except ValueError as error:
        return [f"{told}: {error}"]
    return []


def _release(folder: Path) -> list[str]:
    """A release that is visible has every file that its checksums list, and none besides."""
    sums = folder / "SHA256SUMS"
    if not sums.exists():
        return [f"{folder.name}: no SHA256SUMS"]
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in sums.read_text().splitlines())}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    found = [f"{folder.name}: {name} is missing or not listed" for name in sorted(there ^ listed.keys())]
    return found + [
        f"{folder.name}: {n} is damaged" for n in sorted(there & listed.keys()) if _sha256(folder / n) != listed[n]
    ]


def _manifest(home: Path, path: Path) -> list[str]:
    """Every file that a visible manifest names is there, with the hash it says."""
    name = path.parent.name
    found = []
    for file in json.loads(path.read_bytes())["files"]:
        there = home / file["uri"]
        if not there.exists() or _sha256(there) != file["sha256"]:
            found.append(f"build {name}: {file['uri']} is {'damaged' if there.exists() else 'missing'}")
    return found
