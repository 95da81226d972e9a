"""Takedowns of a home: what was asked to be taken out, sealed, and what became of it.

    takedowns/key                        secret that selectors are sealed with; made at the first takedown
    takedowns/<id>/request.json          basis, mode, reach, when it came in
    takedowns/<id>/selectors.parquet     table `selector`, sealed: what was asked for, and the images it reached
    takedowns/<id>/hits.parquet          table `takedown_hit`
    takedowns/<id>/applied.json          release, what was rewritten, proof; written last

Nothing here is ever changed: these are the tombstones that keep future builds clean.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

import pyarrow as pa
from upath import UPath

from assets.provenance.tables import TABLES
from assets.rights.removals import RemovalError
from resources.lake import Lake, hash_file

PREFIX = "takedown-"
"""What ids of takedowns start with; names of removal lists never do."""


def folder(lake: Lake, takedown_id: str | None = None) -> UPath:
    """Where takedowns lie, or one of them."""
    return lake.home / "takedowns" / takedown_id if takedown_id else lake.home / "takedowns"


def ids(lake: Lake) -> list[str]:
    """Takedowns of a home whose selectors are written, oldest first."""
    found = folder(lake)
    return [
        path.name
        for path in lake.entries(found)
        if path.name.startswith(PREFIX) and not path.name.endswith(".json") and lake.folder_exists(path)
    ]


def secret(lake: Lake, make: bool = False) -> bytes | None:
    """The key that selectors are sealed with; None where there is none and none is to be made.

    Raises RemovalError where it is gone although selectors were sealed with it: nobody could tell any more what they name.
    """
    path = folder(lake) / "key"
    if not lake.exists(path):
        if ids(lake):
            raise RemovalError(
                f"{path}: the key of this home's takedowns is gone, so they can no longer be obeyed; put it back from a backup"
            )
        if not make:
            return None
        with lake.new_file(path, once=True) as partial:
            partial.write_bytes(secrets.token_bytes(32))
            os.chmod(str(partial), 0o600)
    return bytes(path.read_bytes())


def tombstones(lake: Lake) -> list[list[str]]:
    """Id of every takedown with the hash of its selectors: what a build's removals follow from."""
    return [[name, hash_file(folder(lake, name) / "selectors.parquet")] for name in ids(lake)]


def selectors(lake: Lake, names: list[str]) -> pa.Table:
    """Table `selector` of some takedowns."""
    if not names:
        return TABLES["selector"].empty()
    return lake.read_table([folder(lake, name) / "selectors.parquet" for name in names])


def documents(lake: Lake) -> list[dict[str, Any]]:
    """Request of every takedown, with what became of it under `applied` (None while that is not known)."""
    found = []
    for name in ids(lake):
        applied = folder(lake, name) / "applied.json"
        request = lake.read_document(folder(lake, name) / "request.json")
        found.append({**request, "applied": lake.read_document(applied) if lake.exists(applied) else None})
    return found


def hit_files(lake: Lake) -> list[UPath]:
    """Files of table `takedown_hit`."""
    return [folder(lake, name) / "hits.parquet" for name in ids(lake)]
