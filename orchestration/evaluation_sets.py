"""Where the recipe's evaluation sets lie, and which bytes they are: a set is an input by its content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upath import UPath

from assets.decontaminate.sets import folder_files
from orchestration.plan import Build
from orchestration.recipe import Recipe, RecipeError
from orchestration.seen import Seen
from resources.lake import local_path, sha256_of


def resolved(build: Build, section: dict[str, Any]) -> dict[str, Any]:
    """The section with the files of every set, each as [uri, hash], in the place of patterns.

    Raises RecipeError where a set names nothing that is there.
    """
    seen = Seen(build.lake, build.lake.home / "registry" / "evaluation_sets" / f"{build.recipe.name}.json")
    sets = []
    for found in section["sets"]:
        files = files_of(build.recipe, found)
        sets.append({**found, "files": [[uri, _hash(seen, uri, path)] for uri, path in files.items()]})
    seen.save()
    for found in sets:
        del found["uris"]
    return {**section, "sets": sets}


def files_of(recipe: Recipe, found: Mapping[str, Any]) -> dict[str, UPath]:
    """Folders or files of a set by uri, in sorted order; raises RecipeError where a pattern names nothing that is there."""
    paths: dict[str, UPath] = {}
    for uri in found["uris"]:
        if found["layout"] == "image_folder":
            folder = recipe.locate(uri)
            matches = {uri: folder} if folder.is_dir() else {}
        else:
            matches = recipe.expand(uri)
        if not matches:
            what = "folder" if found["layout"] == "image_folder" else "file"
            raise RecipeError(
                f"{recipe.path}: decontaminate.sets names {uri} (set {found['name']}), but there is no such {what}"
            )
        paths.update(matches)
    return dict(sorted(paths.items()))


def _hash(seen: Seen, uri: str, path: UPath) -> str:
    """Hash of a file, or of the names and hashes of all files of a folder."""
    if path.is_file():
        return seen.sha256(uri, path)
    top = local_path(path)
    names = {file.relative_to(top).as_posix(): UPath(file) for file in folder_files(top)}
    return sha256_of([[name, seen.sha256(f"{uri}/{name}", file)] for name, file in names.items()])
