"""What was found out about files, by their size and time: thousands of them are not read again at every look."""

from __future__ import annotations

import time
from typing import Any

from upath import UPath

from resources.lake import Lake, hash_file


def stamp(path: UPath) -> list[float]:
    """Size and time of a file: cheap to look at, and changed when it changed."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime]


class Seen:
    """Hashes of files, and what else is entered about them, kept in a document of the lake between looks."""

    def __init__(self, lake: Lake, document: UPath) -> None:
        """Take up what the last look found; `document` need not be there."""
        self._lake, self._document = lake, document
        self._known: dict[str, Any] = lake.read_document(document) if lake.exists(document) else {}
        self._found: dict[str, Any] = {}

    def entry(self, name: str, path: UPath) -> dict[str, Any]:
        """What is known of a file by its name: `sha256`, and what is entered besides; it goes when the file changes."""
        if name not in self._found:
            self._found[name] = self._look(name, path)
        entry: dict[str, Any] = self._found[name]
        return entry

    def sha256(self, name: str, path: UPath) -> str:
        """Hash of a file's bytes."""
        return str(self.entry(name, path)["sha256"])

    def save(self) -> None:
        """Keep what was found for the next look; files that were not looked at are forgotten."""
        if self._found != self._known:
            self._lake.write_document(self._document, self._found)

    def _look(self, name: str, path: UPath) -> dict[str, Any]:
        now, known = stamp(path), self._known.get(name)
        # A change within the resolution of the file system's clock would not show in its time.
        if known is not None and known["stamp"] == now and known["hashed_at"] - now[1] >= 2:
            return dict(known)
        return {"stamp": now, "hashed_at": time.time(), "sha256": hash_file(path)}
