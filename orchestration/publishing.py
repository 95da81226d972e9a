"""Publishing what a manifest stands for: rows of the ledger about releases, and `provenance.duckdb`.

A manifest and the ledger are all that is needed, so a build, a takedown and a look at an earlier build do the same.
"""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from upath import UPath

from assets.provenance.database import build_database
from assets.provenance.diff import TABLES_COMPARED, diff
from assets.provenance.tables import TABLES, conform
from orchestration import ledger, takedowns
from orchestration.manifest import BuildError, Manifest, find_manifest, manifest_path
from resources.lake import Lake, PointerMovedError, local_path, sha256_of

HISTORY = {"release_history", "release_change", "model_call", "takedown_hit"}
"""Tables that are files of the home and not of one build."""


DATABASES = "provenance"
"""Folder of databases in an object store; the pointer `provenance.json` says which one counts."""

ATTEMPTS = 3
"""Times that a database is built, where another process publishes one meanwhile."""


def publish_database(lake: Lake, manifest: Manifest) -> UPath:
    """Build the database of a manifest and put it in the place of the one before; readers keep what they opened.

    On a disk it takes its place by rename. In an object store it is written under a name of its own, and a pointer is moved
    to it, which fails where another process moved it since this one read the ledger: then the ledger is read again.
    """
    if lake.on_disk:
        with lake.new_file(target := lake.home / "provenance.duckdb") as partial:
            _build(lake, manifest, local_path(partial))
        return target
    for _ in range(ATTEMPTS - 1):
        with suppress(PointerMovedError):
            return _point_to_new(lake, manifest)
    return _point_to_new(lake, manifest)


def _point_to_new(lake: Lake, manifest: Manifest) -> UPath:
    """Build the database in an object store; raises PointerMovedError where another process published one meanwhile."""
    with lake.new_pointer(lake.home / "provenance.json") as pointer:
        target = lake.home / DATABASES / f"{manifest.build_id}-{uuid.uuid4().hex[:12]}.duckdb"
        with lake.new_file(target, once=True) as partial:
            _build(lake, manifest, local_path(partial))
        pointer.document = {
            "file": lake.uri(target),
            "build_id": manifest.build_id,
            "manifest": lake.uri(manifest_path(lake, manifest.build_id)),
            "manifest_sha256": manifest.sha256,
            "published_at": datetime.now(UTC).isoformat(),
        }
    return target


def database_file(lake: Lake) -> UPath:
    """Where the database lies that counts, whether or not there is one."""
    if lake.on_disk:
        return lake.home / "provenance.duckdb"
    pointer = lake.home / "provenance.json"
    return lake.home / lake.read_document(pointer)["file"] if lake.exists(pointer) else pointer


def _build(lake: Lake, manifest: Manifest, target: Path) -> None:
    recipe = json.loads(build_row(lake, manifest.build_id).get("recipe") or "{}")
    tables = recipe.get("provenance", {}).get("database", "tables") == "tables"
    if not tables and not lake.on_disk:
        raise BuildError(
            "provenance.database is views, but views of a home in an object store would name copies of this machine; write"
            " tables, or take it out"
        )
    files = {
        name: [local_path(path) for path in manifest.files(lake, name)]
        for name, table in TABLES.items()
        if not table.ledger and name not in HISTORY
    }
    files |= {
        "model_call": [local_path(path) for path in ledger.call_files(lake)],
        "release_history": [local_path(path) for path in _other_releases(lake, manifest)],
        "release_change": [local_path(path) for path in change_files(lake)],
        "takedown_hit": [local_path(path) for path in takedowns.hit_files(lake)],
    }
    build_database(
        target,
        files,
        {name: ledger.table(name, rows) for name, rows in _ledger(lake, manifest).items()},
        materialize=tables,
        inputs={name: step["reads"] for name, step in manifest.document.get("steps", {}).items()},
    )


def build_row(lake: Lake, build_id: str) -> dict[str, Any]:
    """The newest row of the ledger about a build; empty where there is none."""
    return next((row for row in reversed(ledger.rows(lake, "build")) if row["build_id"] == build_id), {})


def change_files(lake: Lake) -> list[UPath]:
    """Files of table `release_change`: what differs between two builds, for every pair that was compared."""
    return lake.files(lake.home / "changes", "*.parquet")


def compare(lake: Lake, older: Manifest, newer: Manifest) -> pa.Table:
    """Rows of table `release_change`: what differs between two builds; kept for the database, since builds never change."""
    path = lake.home / "changes" / f"{older.build_id}-{newer.build_id}.parquet"
    if lake.exists(path):
        return lake.read_table([path])
    before, after = (
        {table: [local_path(file) for file in m.files(lake, table)] for table in TABLES_COMPARED}
        for m in (older, newer)
    )
    found = diff(before, after)
    builds = {"older": older.build_id, "newer": newer.build_id}
    columns = {name: pa.repeat(pa.scalar(build), found.num_rows) for name, build in builds.items()}
    made = conform("release_change", pa.table({**columns, **{c: found[c] for c in found.column_names}}))
    lake.write_table(path, made)
    return made


def parent_of(lake: Lake, build_id: str) -> Manifest | None:
    """The manifest of the build before one, of the same name; None where there is none, or it is gone."""
    parent = build_row(lake, build_id).get("parent_build_id")
    return find_manifest(lake, parent) if parent else None


def releases(lake: Lake) -> list[dict[str, Any]]:
    """Rows of table `release`, the one that a build came to last at the end: each once, withdrawn where the ledger says so."""
    withdrawn = {row["release_id"]: row["withdrawn_at"] for row in ledger.rows(lake, "withdrawal")}
    found: dict[str, dict[str, Any]] = {}
    for row in ledger.rows(lake, "release"):
        # A build that comes to an earlier release again makes it the newest, but it appeared when it appeared.
        first = found.pop(row["release_id"], row)
        kept = {name: first[name] for name in ("published_at", "supersedes")}
        found[row["release_id"]] = {**row, **kept}
    return [{**row, "withdrawn_at": withdrawn.get(name)} for name, row in found.items()]


def standing(lake: Lake) -> list[dict[str, Any]]:
    """The newest release of every name that is not withdrawn."""
    newest = {row["name"]: row for row in releases(lake) if row["withdrawn_at"] is None}
    return list(newest.values())


def enter_release(
    lake: Lake, manifest: Manifest, release_id: str, name: str, version: str, supersedes: str | None = None
) -> None:
    """A row in the ledger for a release that appears for the first time.

    Args:
        lake: the home.
        manifest: of the build it was cut from.
        release_id: its folder's name.
        name, version: as the recipe calls it.
        supersedes: the release it replaces; None for the one of that name before it.
    """
    rows = releases(lake)
    if any(row["release_id"] == release_id and row["build_id"] == manifest.build_id for row in rows):
        return
    earlier = [row["release_id"] for row in rows if row["name"] == name and row["release_id"] != release_id]
    files = [file for file in manifest.document["files"] if file["table"] == "release"]
    row = {
        "release_id": release_id,
        "build_id": manifest.build_id,
        "name": name,
        "version": version,
        "manifest_sha256": sha256_of([[file["uri"], file["sha256"]] for file in files]),
        "supersedes": supersedes or (earlier[-1] if earlier else None),
        "published_at": datetime.now(UTC).isoformat(),
    }
    ledger.write(lake, "release", [row])


def member_files(lake: Lake, release_id: str) -> list[UPath]:
    """Files of table `release_member` of a release; none where its build or they are gone."""
    build = next((row["build_id"] for row in releases(lake) if row["release_id"] == release_id), None)
    manifest = find_manifest(lake, build) if build else None
    return [path for path in manifest.files(lake, "release_member") if lake.exists(path)] if manifest else []


def _other_releases(lake: Lake, manifest: Manifest) -> list[UPath]:
    ours = set(manifest.files(lake, "release_member"))
    found = dict.fromkeys(path for row in releases(lake) for path in member_files(lake, row["release_id"]))
    return [path for path in found if path not in ours]


def _ledger(lake: Lake, manifest: Manifest) -> dict[str, list[dict[str, Any]]]:
    """Runs, builds, releases and takedowns of this home, and the files of this build."""
    known = ledger.known_files(lake)
    artifacts = [
        {
            **{name: file[name] for name in ("uri", "asset", "fingerprint", "sha256", "rows", "bytes")},
            "table_name": file["table"],
            "shard_id": file["shard"],
            "run_id": known.get(file["uri"], {}).get("run_id"),
        }
        for file in manifest.document["files"]
    ]
    builds = ledger.rows(lake, "build")
    # While hosts were asked nobody knew the build's id: a run belongs to the build that it completed.
    completed = {row["run_id"]: row["build_id"] for row in builds}
    runs = [{**row, "build_id": completed.get(row["run_id"], row["build_id"])} for row in ledger.rows(lake, "run")]
    return {
        "run": runs,
        "build": builds,
        "release": releases(lake),
        "artifact": artifacts,
        "takedown": [takedown_row(document) for document in takedowns.documents(lake)],
    }


def takedown_row(document: dict[str, Any]) -> dict[str, Any]:
    """A row of table `takedown` from what a home keeps of one."""
    applied = document["applied"] or {}
    return {
        **{name: document[name] for name in ("takedown_id", "received_at", "basis", "mode", "reach", "selectors")},
        **{name: document.get(name) for name in ("selector_type", "selector_hmac", "selector")},
        "status": applied.get("status", "received"),
        "effective_at": applied.get("effective_at"),
        "release_id": applied.get("release_id"),
        "samples": applied.get("samples"),
        "files_rewritten": applied.get("files_rewritten"),
        "residue": applied.get("residue"),
    }
