"""Where the recipe's evaluation sets lie, and which bytes they are: a set is an input by its content."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from upath import UPath

from assets.decontaminate.sets import folder_files
from orchestration.plan import Build
from orchestration.recipe import Recipe, RecipeError
from resources.lake import Lake, hash_file, local_path, sha256_of


def resolved(build: Build, section: dict[str, Any]) -> dict[str, Any]:
    """The section with the files of every set, each as [uri, hash], in the place of patterns.

    Raises RecipeError where a set names nothing that is there.
    """
    seen = _Seen(build.lake)
    sets = []
    for found in section["sets"]:
        files = files_of(build.recipe, found)
        sets.append({**found, "files": [[uri, seen.sha256_of_all(path)] for uri, path in files.items()]})
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


class _Seen:
    """Hashes of files by size and time: tens of thousands of images are not read again at every look."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._path = lake.home / "registry" / "evaluation_sets.json"
        self._known: dict[str, list[Any]] = lake.read_document(self._path) if self._path.exists() else {}
        self._new = False

    def sha256_of_all(self, path: UPath) -> str:
        """Hash of a file, or of the names and hashes of all files of a folder."""
        if path.is_file():
            return self._sha256(path)
        top = local_path(path)
        return sha256_of([[file.relative_to(top).as_posix(), self._sha256(UPath(file))] for file in folder_files(top)])

    def save(self) -> None:
        """Keep what was read for the next look."""
        if self._new:
            self._lake.write_document(self._path, self._known)

    def _sha256(self, path: UPath) -> str:
        stat, key = path.stat(), str(path.absolute())
        known = self._known.get(key)
        # A change within the resolution of the file system's clock would not show in its time.
        if known is not None and known[:2] == [stat.st_size, stat.st_mtime] and known[2] - stat.st_mtime >= 2:
            return str(known[3])
        self._known[key] = [stat.st_size, stat.st_mtime, time.time(), hash_file(path)]
        self._new = True
        return str(self._known[key][3])
