"""The release's own list of files: `release.json` for programs, `SHA256SUMS` for `sha256sum --check`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assets.release.rows import COLUMNS
from assets.release.shards import ReleaseError, ReleaseFile, ReleaseSettings, describe_file

CHECKSUMS = "SHA256SUMS"
MANIFEST = "release.json"
LAYOUT = 1
"""Raised when the layout of a release changes."""


def finish_release(
    folder: Path,
    files: Sequence[ReleaseFile],
    documents: Mapping[str, str | bytes],
    settings: ReleaseSettings,
    facts: Mapping[str, Any] | None = None,
) -> list[ReleaseFile]:
    """Write the documents, `release.json` and `SHA256SUMS`; returns every file of the release, by name.

    Args:
        folder: the release, whose data files are there.
        files: the data files, as `write_release` describes them.
        documents: text or bytes by file name: README.md, card.html, figures, ATTRIBUTION.csv …
        settings: name, version and id.
        facts: further JSON-able values for `release.json`, without clocks or paths.
    """
    listed = list(files)
    for name in sorted(documents):
        content = documents[name]
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        listed.append(describe_file(folder / name))
    manifest = release_manifest(listed, settings, facts or {})
    (folder / MANIFEST).write_bytes(manifest.encode())
    listed.append(describe_file(folder / MANIFEST))
    (folder / CHECKSUMS).write_bytes(checksums(listed).encode())
    listed.append(describe_file(folder / CHECKSUMS))
    return sorted(listed, key=lambda file: file.name)


def read_list(folder: Path) -> dict[str, Any]:
    """`release.json` of a release; raises ReleaseError where a folder has none, and so is none."""
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        found["files"]  # noqa: B018 - whatever else it is, it lists files
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReleaseError(f"{folder}: not the folder of a release, which has a {MANIFEST}") from error
    return found


def release_manifest(files: Sequence[ReleaseFile], settings: ReleaseSettings, facts: Mapping[str, Any]) -> str:
    """`release.json`: what the release is, its files with hashes, and its columns."""
    samples = sum(file.rows or 0 for file in files if file.name.endswith(".parquet"))
    document = {
        **facts,
        "layout": LAYOUT,
        "release_id": settings.release_id,
        "name": settings.name,
        "version": settings.version,
        "samples": samples,
        "samples_with_image": sum(file.rows or 0 for file in files if file.name.endswith(".tar")),
        "files": [asdict(file) for file in sorted(files, key=lambda file: file.name)],
        "columns": {name: {"type": str(kind), "description": text} for name, (kind, text) in COLUMNS.items()},
    }
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def checksums(files: Sequence[ReleaseFile]) -> str:
    """Lines that `sha256sum --check SHA256SUMS` reads, sorted by name."""
    return "".join(f"{file.sha256}  {file.name}\n" for file in sorted(files, key=lambda file: file.name))


def verify_folder(folder: Path) -> list[str]:
    """Names in a release folder that are missing, changed or not listed in its SHA256SUMS; empty if all is well.

    Raises ReleaseError where the list itself is missing or not readable.
    """
    listed = {}
    try:
        for line in (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines():
            digest, _, name = line.partition("  ")
            listed[name] = digest
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{folder / CHECKSUMS}: no readable list of checksums; write the release again") from error
    present = {path.name for path in folder.iterdir()} - {CHECKSUMS}
    wrong = set(listed) ^ present
    for name in set(listed) & present:
        with (folder / name).open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != listed[name]:
                wrong.add(name)
    return sorted(wrong)
