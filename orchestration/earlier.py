"""Files of an earlier build that a step starts from: found when the build is opened, then an input like any other."""

from __future__ import annotations

from orchestration import ledger
from orchestration.manifest import read_manifest
from orchestration.plan import Build
from orchestration.recipe import RecipeError
from resources.lake import Lake


def earlier_file(build: Build, name: str, key: str, table: str) -> dict[str, str]:
    """Where the one file of a table of an earlier build lies, and its hash.

    Args:
        build: the build that starts from it.
        name: id of the earlier build, or name of another recipe: then its newest build.
        key: of the recipe, for messages.
        table: the table.

    Raises:
        RecipeError: where there is no such build, it is this recipe's own name, or it has no such table.
    """
    lake: Lake = build.lake
    rows = ledger.rows(lake, "build")
    ids = [row["build_id"] for row in rows if row["name"] == name] or [
        row["build_id"] for row in rows if row["build_id"] == name
    ]
    if name == build.recipe.name:
        raise RecipeError(
            f"{build.recipe.path}: {key} is {name}, this recipe's own name, which would mean another build after every"
            f" build; name the id of one of its builds: {', '.join(dict.fromkeys(ids)) or 'there is none yet'}"
        )
    if not ids:
        known = ", ".join(dict.fromkeys(f"{row['name']} ({row['build_id']})" for row in rows)) or "none yet"
        raise RecipeError(f"{build.recipe.path}: {key} is {name}, but there is no such build; builds there: {known}")
    files = [file for file in read_manifest(lake, ids[-1]).document["files"] if file["table"] == table]
    if len(files) != 1 or not lake.exists(lake.home / files[0]["uri"]):
        raise RecipeError(f"{build.recipe.path}: {key} is {name}, but that build's table {table} is gone; name another")
    return {"uri": files[0]["uri"], "sha256": files[0]["sha256"]}
