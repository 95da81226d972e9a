"""Garbage collection: lake files that no recent build names."""

from __future__ import annotations

import shutil

from orchestration import ledger
from orchestration.manifest import named_files, read_manifest
from resources.lake import Lake


def collect(home: str, keep: int, delete: bool) -> list[str]:
    """Lines that say what goes (or went): lake files that none of the `keep` newest builds names, and scratch folders.

    A running build's files are not safe from it; run it when no build runs.
    """
    lake = Lake(home)
    builds = list(dict.fromkeys(row["build_id"] for row in reversed(ledger.rows(lake, "build"))))[: max(keep, 0)]
    named = {uri for build in builds for uri in named_files(read_manifest(lake, build))}
    folder = lake.home / "lake"
    found = sorted((path for path in folder.rglob("*") if path.is_file()), key=str) if folder.exists() else []
    going = [path for path in found if lake.uri(path) not in named]
    size = sum(path.stat().st_size for path in going)
    # What a killed run left for its next one; a step that is done has none.
    scratch = lake.home / "scratch"
    unfinished = sorted(scratch.iterdir(), key=str) if scratch.exists() else []
    lines = [f"{'deleted' if delete else 'would delete'} {lake.uri(path)}" for path in (*going, *unfinished)]
    if delete:
        for path in going:
            path.unlink()
        for left in unfinished:
            shutil.rmtree(str(left))
    kept = ", ".join(builds) or "none"
    lines.append(
        f"{len(going)} files, {size / 1e6:.1f} MB {'deleted' if delete else 'to delete with --yes'}; builds kept: {kept}"
    )
    return lines
