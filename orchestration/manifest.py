"""The manifest: which files make up a build, with their hashes; what releases, the database and diffs start from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from upath import UPath

from orchestration import ledger
from orchestration.plan import Build, Step
from resources.lake import Lake, StoredFile, sha256_of


class BuildError(Exception):
    """A build is missing or incomplete; the message says which and what to do."""


@dataclass(frozen=True)
class Manifest:
    """A build that is complete.

    Attributes:
        build_id: known before anything was made.
        sha256: hash of `document`.
        document: name, recipe, policy and code hashes; `steps`: what each reads, and its code; `files`: table, asset,
            shard, fingerprint, uri, sha256, rows and bytes of every file; `starts`, where a step starts from a file of
            an earlier build: asset, uri and sha256 of it; no clock, no host, no absolute path.
    """

    build_id: str
    sha256: str
    document: dict[str, Any]

    def files(self, lake: Lake, table: str) -> list[UPath]:
        """Files of one table, in the order of steps and shards."""
        return [lake.home / file["uri"] for file in self.document["files"] if file["table"] == table]


def write_manifest(build: Build, run_id: str) -> Manifest:
    """Write the manifest of a complete build, and its row in the ledger.

    Raises BuildError naming the first asset whose files are not there.
    """
    known = ledger.known_files(build.lake)
    files = []
    for step, shard, name, path in build.files():
        if not build.lake.exists(path):
            raise BuildError(
                f"asset {step.name} is not complete ({build.lake.uri(path)} is missing); materialize it first"
            )
        stored = _stored(build.lake, path, known)
        files.append(
            {
                "table": name,
                "asset": step.name,
                "shard": shard.shard_id if shard else None,
                "fingerprint": build.fingerprint(step, shard),
                **stored.as_dict(),
            }
        )
    for step in build.steps.values():
        files += _folder_files(build, step, known)
    document = {
        "name": build.recipe.name,
        "recipe_sha256": build.recipe.sha256,
        "policy_sha256": policy_sha256(build),
        "code_version": build.code_version,
        "snapshot_sha256": build.snapshot.sha256,
        "steps": _steps(build),
        "files": files,
    }
    if starts := _starts(build):
        document["starts"] = starts
    manifest = Manifest(build.build_id, sha256_of(document), document)
    store_manifest(build.lake, manifest)
    _enter(build, manifest, run_id)
    return manifest


def manifest_path(lake: Lake, build_id: str) -> UPath:
    """Where the manifest of a build lies."""
    return lake.home / "builds" / build_id / "manifest.json"


def store_manifest(lake: Lake, manifest: Manifest) -> None:
    """Write a manifest under its build's name, unless it is there."""
    path = manifest_path(lake, manifest.build_id)
    if not lake.exists(path) or sha256_of(lake.read_document(path)) != manifest.sha256:
        lake.write_document(path, manifest.document)


def read_manifest(lake: Lake, build_id: str) -> Manifest:
    """The manifest of a build, by its id or an unambiguous start of it; `latest` is the one completed last."""
    rows = ledger.rows(lake, "build")
    known = list(dict.fromkeys(row["build_id"] for row in rows))
    found = known[-1:] if build_id == "latest" else [name for name in known if name.startswith(build_id)]
    if len(found) != 1:
        told = ", ".join(known) or "none yet; run `winnow build` first"
        raise BuildError(f"build {build_id}: {'ambiguous' if found else 'not in'} {lake.home}; builds there: {told}")
    manifest = find_manifest(lake, found[0])
    if manifest is None:
        raise BuildError(
            f"build {found[0]}: its manifest is gone (winnow gc deletes those of builds that are not kept)"
        )
    return manifest


def find_manifest(lake: Lake, build_id: str) -> Manifest | None:
    """The manifest of a build by its whole id; None where it is gone."""
    path = manifest_path(lake, build_id)
    if not lake.exists(path):
        return None
    document = lake.read_document(path)
    return Manifest(build_id, sha256_of(document), document)


def named_files(manifest: Manifest) -> set[str]:
    """Every file that a build needs, by uri: its own, and those of earlier builds that it starts from."""
    document = manifest.document
    return {file["uri"] for file in (*document["files"], *document.get("starts", ()))}


def _starts(build: Build) -> list[dict[str, str]]:
    """Files of earlier builds that steps start from, as their resolved sections name them."""
    return [
        {"asset": step.name, **value}
        for step in build.steps.values()
        if step.resolve
        for value in (build.config(step) or {}).values()
        if isinstance(value, dict) and value.keys() == {"uri", "sha256"}
    ]


def _steps(build: Build) -> dict[str, dict[str, Any]]:
    """What each step read and which code it ran: with it the manifest alone tells what every file was made from."""
    return {
        name: {"reads": list(step.inputs(build.config(step))), "code": step.code_version()}
        for name, step in build.steps.items()
    }


def policy_sha256(build: Build) -> str:
    """Hash of the policy in force, from the step that applies it."""
    return str(build.config(build.steps["occurrence"])["policy_sha256"])


def _folder_files(build: Build, step: Step, known: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Files of the folder that a step publishes, in sorted order."""
    folder = step.folder(build) if step.folder else None
    if folder is None:
        return []
    if not build.lake.folder_exists(folder):
        raise BuildError(
            f"asset {step.name} is not complete ({build.lake.uri(folder)} is missing); materialize it first"
        )
    entry = {"table": step.name, "asset": step.name, "shard": None, "fingerprint": build.fingerprint(step, None)}
    paths = [found.path for found in build.lake.tree(folder)]
    return [{**entry, **_stored(build.lake, path, known).as_dict(), "rows": None} for path in paths]


def _stored(lake: Lake, path: UPath, known: dict[str, dict[str, Any]]) -> StoredFile:
    """A file's hash and size: from the ledger if its size still agrees, else from its bytes."""
    uri = lake.uri(path)
    row = known.get(uri)
    if row and row["bytes"] == lake.size(path):
        return StoredFile(uri, row["sha256"], row["rows"], row["bytes"])
    return lake.describe(path, lake.rows_of(path) if path.suffix == ".parquet" else None)


def _enter(build: Build, manifest: Manifest, run_id: str) -> None:
    """One row per build and manifest in the ledger; a repeated build adds none."""
    rows = ledger.rows(build.lake, "build")
    if rows and rows[-1]["build_id"] == build.build_id and rows[-1]["manifest_sha256"] == manifest.sha256:
        return
    before = [row["build_id"] for row in rows if row["name"] == build.recipe.name and row["build_id"] != build.build_id]
    row = {
        "build_id": build.build_id,
        "name": build.recipe.name,
        "recipe_sha256": build.recipe.sha256,
        "policy_sha256": manifest.document["policy_sha256"],
        "code_version": build.code_version,
        "manifest_sha256": manifest.sha256,
        "parent_build_id": before[-1] if before else None,
        "recipe": build.recipe.model_dump_json(),
        "completed_at": datetime.now(UTC).isoformat(),
        "run_id": run_id,
    }
    ledger.write(build.lake, "build", [row])
