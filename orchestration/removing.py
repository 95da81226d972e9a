"""Takedowns, carried through: from a selector to the samples it reaches, to a release without them, to the proof.

request   selectors are sealed and written down with what they reach: from here on every build keeps it out
apply     mode subtract: each release that has any of it is patched; mode rebuild: a build follows
proof     the new release is looked through again: no member was reached, no selector names a row of it
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.provenance.tables import TABLES, conform
from assets.release.card import History
from assets.release.papers import credits_without, papers_of, read_counted, write_papers
from assets.release.patch import Patch, write_patch
from assets.release.reach import REACHES, TABLES_READ, named_among, reached
from assets.release.shards import ReleaseSettings, id_pairs
from assets.rights.removals import RemovalError, Selector, rows_of, seal, selector_table
from orchestration import ledger, takedowns
from orchestration.manifest import BuildError, Manifest, find_manifest, read_manifest, store_manifest
from orchestration.publishing import build_row, compare, enter_release, publish_database, releases, standing
from resources import objects
from resources.lake import Lake, StoredFile, local_path, sha256_of

BASES = ("copyright", "privacy", "illegal_content", "reservation_update", "other")
MODES = ("subtract", "rebuild")
DISCREET = ("privacy", "illegal_content")
"""Bases of which the public difference must not tell which samples were meant."""
NEUTRAL = 9
"""Neutral samples that go beside each one that is meant, where discretion is asked for: one in ten is guilty."""
MOST_NEUTRAL = 0.1
"""Share of the rows of the files touched that may go as neutral ones."""


@dataclass(frozen=True)
class Request:
    """What somebody asks.

    Attributes:
        selectors: kind, value and radius of each, as `rows_of` gives them.
        basis: one of BASES.
        mode: one of MODES.
        reach: one of REACHES.
        padding: neutral samples beside each; None for what the basis asks for.
        keep_selector: whether the selector itself may be written down, and not only its keyed hash.
    """

    selectors: pa.Table
    basis: str = "other"
    mode: str = "subtract"
    reach: str = "duplicates"
    padding: int | None = None
    keep_selector: bool = False


@dataclass
class Report:
    """What a takedown reaches, and what became of it.

    Attributes:
        takedown_id: None of a look that changes nothing.
        matches: samples of the crawl by match.
        released: release -> samples of it that go.
        files: release -> files to write anew.
        patches: release -> the release in its place.
        seconds: from the request to the last release.
        neutral: samples among those that go beside the ones that are meant.
    """

    takedown_id: str | None = None
    matches: dict[str, int] = field(default_factory=dict)
    released: dict[str, int] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    patches: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None
    neutral: int = 0


def _standing(lake: Lake) -> list[tuple[dict[str, Any], Manifest]]:
    """The newest release of every name that is not withdrawn, with the manifest of its build."""
    found = []
    for row in standing(lake):
        manifest = find_manifest(lake, row["build_id"])
        if manifest is None:
            raise BuildError(
                f"build {row['build_id']}: its manifest is gone, so release {row['release_id']} cannot be patched"
            )
        found.append((row, manifest))
    return found


@objects.holding()
def look(lake: Lake, request: Request) -> Report:
    """What a request would reach; nothing is written."""
    report = Report()
    for release, manifest in _standing_or_refused(lake):
        found = _reached(lake, manifest, selector_table("asked", request.selectors, True), request.reach, None)
        _count(report, lake, release, manifest, found)
    return report


@objects.holding()
def request_takedown(lake: Lake, request: Request) -> str:
    """Write down a request, sealed, with what it reaches in the builds of standing releases; its id.

    From here on every build of this home keeps out what it names, and the images that it reached.

    Raises RemovalError where the request is none.
    """
    _check(request)
    now = datetime.now(UTC)
    takedown_id = f"{takedowns.PREFIX}{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    secret = takedowns.secret(lake, make=True)
    assert secret is not None
    twins = request.reach != "exact"
    asked = selector_table(takedown_id, request.selectors, twins, secret)
    parts, rows, builds = [asked], [], []
    for release, manifest in _standing(lake):
        builds.append(manifest.build_id)
        found = _reached(lake, manifest, selector_table(takedown_id, request.selectors, twins), request.reach, None)
        neutral = _neutral(lake, release, manifest, found, _padding(request), secret)
        parts += _derived(takedown_id, found, neutral, twins, secret)
        rows.append(_hits(takedown_id, manifest.build_id, found, neutral))
    document = {
        "takedown_id": takedown_id,
        "received_at": now.isoformat(),
        "basis": request.basis,
        "mode": request.mode,
        "reach": request.reach,
        "selectors": request.selectors.num_rows,
        "builds": builds,
        **_told(request, secret),
    }
    with lake.new_folder(takedowns.folder(lake, takedown_id)) as folder:
        made = Lake(folder)
        made.write_document(folder / "request.json", document)
        made.write_table(folder / "selectors.parquet", pa.concat_tables(parts))
        made.write_table(folder / "hits.parquet", pa.concat_tables([TABLES["takedown_hit"].empty(), *rows]))
    return takedown_id


@objects.holding()
def apply_takedown(lake: Lake, takedown_id: str, build: Callable[[str], Manifest | None] | None = None) -> Report:
    """Carry a takedown through: releases without what it reaches, proof, withdrawal of those that had it, the database.

    May be called again after a kill: what was done stands.

    Args:
        lake: the home.
        takedown_id: as `request_takedown` gave it.
        build: makes the build of a name again, for mode rebuild; None where it is the build of another recipe.
    """
    folder = takedowns.folder(lake, takedown_id)
    document = lake.read_document(folder / "request.json")
    hits = lake.read_table([folder / "hits.parquet"])
    report = Report(takedown_id)
    last: Manifest | None = None
    gone: list[np.ndarray] = []
    for release, manifest in _standing(lake):
        if manifest.build_id in document["builds"]:
            drop = hits.filter(pc.equal(hits["build_id"], manifest.build_id))
        else:
            # It came after the request; a build that had begun before it may still have some of it.
            selectors = lake.read_table([folder / "selectors.parquet"])
            found = _reached(lake, manifest, selectors, document["reach"], takedowns.secret(lake))
            drop = _hits(takedown_id, manifest.build_id, found, np.empty(0, np.uint64))
        members = _members(lake, manifest)
        going = members.filter(pc.is_in(members["sample_id"], drop["sample_id"].combine_chunks()))
        if going.num_rows == 0:
            continue
        report.released[release["release_id"]] = going.num_rows
        padding = drop.filter(pc.equal(drop["match"], "padding"))["sample_id"].combine_chunks()
        report.neutral += int(pc.sum(pc.is_in(going["sample_id"], padding)).as_py())
        if document["mode"] == "rebuild":
            made = build(manifest.document["name"]) if build else None
            if made is None:
                raise BuildError(
                    f"{takedown_id}: mode rebuild needs the recipe of build {manifest.document['name']}; give it, or subtract"
                )
            patched, name = made, _release_of(lake, made)
            _prove(lake, takedown_id, patched, name)
            gone.append(_uids(lake, release, going))
        else:
            patched, name, patch = _subtract(lake, takedown_id, release, manifest, drop)
            report.files[release["release_id"]] = patch.rewritten
            gone.append(patch.removed)
        last = patched
        report.patches[release["release_id"]] = name
        _withdraw(lake, takedown_id, release["release_id"])
    _withdraw_earlier(lake, takedown_id, hits)
    for release in releases(lake):
        # What a call before this one had made, and was killed after.
        if build_row(lake, release["build_id"]).get("run_id") == takedown_id and release["supersedes"]:
            report.patches.setdefault(release["supersedes"], release["release_id"])
    _finish(lake, document, report, gone)
    if last is not None or ledger.rows(lake, "build"):
        publish_database(lake, last or read_manifest(lake, "latest"))
    return report


def pending(lake: Lake) -> list[str]:
    """Takedowns that were received and not carried through: a process was killed on the way."""
    return [row["takedown_id"] for row in takedowns.documents(lake) if row["applied"] is None]


def _check(request: Request) -> None:
    for name, value, known in (
        ("basis", request.basis, BASES), ("mode", request.mode, MODES), ("reach", request.reach, REACHES),
    ):  # fmt: skip
        if value not in known:
            raise RemovalError(f"{value!r} is no {name}; give one of {', '.join(known)}")
    if request.selectors.num_rows == 0:
        raise RemovalError("the takedown names nothing; give a selector, or a list that has any")


def _standing_or_refused(lake: Lake) -> list[tuple[dict[str, Any], Manifest]]:
    found = _standing(lake)
    if not found:
        raise BuildError(f"{lake.home}: it has no release that stands; run `winnow build` first")
    return found


def _padding(request: Request) -> int:
    if request.padding is not None:
        return request.padding
    return NEUTRAL if request.basis in DISCREET else 0


def _told(request: Request, secret: bytes) -> dict[str, Any]:
    """What the ledger says of a request of one selector; nothing of a list."""
    rows = request.selectors.slice(0, 1).to_pylist()
    if request.selectors.num_rows != 1:
        kinds = sorted(request.selectors["kind"].unique().to_pylist())
        return {"selector_type": kinds[0] if len(kinds) == 1 else None, "selector_hmac": None, "selector": None}
    kind, value = rows[0]["kind"], rows[0]["value"]
    return {
        "selector_type": kind,
        "selector_hmac": seal(secret, kind, value).hex(),
        "selector": value if request.keep_selector else None,
    }


def _reached(lake: Lake, manifest: Manifest, selectors: pa.Table, reach: str, secret: bytes | None) -> pa.Table:
    files = {name: [local_path(path) for path in manifest.files(lake, name)] for name in TABLES_READ}
    return reached(selectors, files, reach, secret)


def _members(lake: Lake, manifest: Manifest) -> pa.Table:
    return lake.read_table(manifest.files(lake, "release_member"))


def _count(report: Report, lake: Lake, release: dict[str, Any], manifest: Manifest, found: pa.Table) -> None:
    members = _members(lake, manifest)
    going = members.filter(pc.is_in(members["sample_id"], found["sample_id"].combine_chunks()))
    for row in found.group_by("match").aggregate([([], "count_all")]).to_pylist():
        report.matches[row["match"]] = report.matches.get(row["match"], 0) + row["count_all"]
    report.released[release["release_id"]] = going.num_rows
    report.files[release["release_id"]] = sorted(set(going["file"].to_pylist()))


def _neutral(
    lake: Lake, release: dict[str, Any], manifest: Manifest, found: pa.Table, each: int, secret: bytes
) -> np.ndarray:
    """Samples that go beside those that are meant, from the same files, drawn by keyed hash."""
    members = _members(lake, manifest)
    meant = pc.is_in(members["sample_id"], found["sample_id"].combine_chunks())
    wanted = each * int(pc.sum(meant).as_py() or 0)
    if not wanted:
        return np.empty(0, np.uint64)
    touched = members.filter(meant)["file"].unique()
    others = members.filter(pc.and_(pc.is_in(members["file"], touched), pc.invert(meant)))["sample_id"].to_pylist()
    drawn = sorted(others, key=lambda i: hmac.digest(secret, f"neutral:{release['release_id']}:{i}".encode(), "sha256"))
    return np.array(sorted(drawn[: min(wanted, int(MOST_NEUTRAL * len(others)))]), np.uint64)


def _derived(takedown_id: str, found: pa.Table, neutral: np.ndarray, twins: bool, secret: bytes) -> list[pa.Table]:
    """Selectors that follow: every image that was reached, and the neutral samples, which must not come back either."""
    images = [value.hex() for value in found["sha256"].unique().to_pylist() if value is not None and twins]
    parts = [Selector("image_sha256", value) for value in images]
    alone = [Selector("sample", str(sample)) for sample in neutral]
    return [
        selector_table(takedown_id, rows_of(parts), True, secret),
        selector_table(takedown_id, rows_of(alone), False, secret),
    ]


def _hits(takedown_id: str, build_id: str, found: pa.Table, neutral: np.ndarray) -> pa.Table:
    beside = pa.table(
        {
            "sample_id": pa.array(neutral, pa.uint64()),
            "match": pa.repeat(pa.scalar("padding"), len(neutral)),
            "distance": pa.nulls(len(neutral), pa.float32()),
        }
    )
    rows = pa.concat_tables([found.select(["sample_id", "match", "distance"]), beside]).sort_by("sample_id")
    names = {"takedown_id": takedown_id, "build_id": build_id}
    columns = {name: pa.repeat(pa.scalar(value), rows.num_rows) for name, value in names.items()}
    return conform("takedown_hit", pa.table({**columns, **{name: rows[name] for name in rows.column_names}}))


def _subtract(
    lake: Lake, takedown_id: str, release: dict[str, Any], manifest: Manifest, drop: pa.Table
) -> tuple[Manifest, str, Patch]:
    """A patch of a release, and the build that has it in the release's place."""
    started = datetime.now(UTC)
    fingerprint = sha256_of(["takedown", manifest.build_id, sorted(drop["sample_id"].to_pylist())])[:32]
    version = _next_version(lake, release)
    name = f"{release['name']}-{version}-{fingerprint[:12]}"
    old, new = (lake.home / "releases" / folder for folder in (release["release_id"], name))
    settings = ReleaseSettings(name, release["name"], version)
    members = _members(lake, manifest)
    dropped = np.asarray(drop["sample_id"].to_numpy(), np.uint64)
    with lake.new_folder(new) as partial:
        patch = write_patch(local_path(old), local_path(partial), members, dropped, settings)
        decision = _decision(lake, manifest, drop)
        gone = drop["sample_id"].to_pylist()
        _write_papers(lake, manifest, decision, patch, gone, local_path(old), local_path(partial), settings)
    tables = {"release_member": patch.members, "decision": decision}
    stored = {}
    for table, rows in tables.items():
        path = lake.path(table, "all", fingerprint)
        stored[table] = lake.describe(path, lake.rows_of(path)) if lake.exists(path) else lake.write_table(path, rows)
    made = _derive(lake, manifest, new, fingerprint, stored)
    _prove(lake, takedown_id, made, name)
    store_manifest(lake, made)
    _enter(lake, manifest, made, takedown_id, started, stored)
    enter_release(lake, made, name, release["name"], version, release["release_id"])
    compare(lake, manifest, made)
    return made, name, patch


def _write_papers(
    lake: Lake,
    manifest: Manifest,
    decision: pa.Table,
    patch: Patch,
    gone: Sequence[int],
    old: Path,
    new: Path,
    settings: ReleaseSettings,
) -> None:
    """The papers of a patch: counted anew, and saying what it is a patch of."""

    def read(name: str, columns: Sequence[str]) -> pa.Table:
        files = [
            file for file in manifest.document["files"] if file["table"] == name and not _is_release_decision(file)
        ]
        paths = [lake.home / file["uri"] for file in files]
        parts = [lake.read_table(paths, columns) if paths else TABLES[name].empty().select(list(columns))]
        return pa.concat_tables([*parts, decision.select(list(columns))] if name == "decision" else parts)

    papers = papers_of(old, history=History(old.name, len(patch.removed), "subtract", 0))
    credits = credits_without((old / "ATTRIBUTION.csv").read_text(encoding="utf-8"), {f"{i:020d}" for i in gone})
    write_papers(new, read_counted(new, patch.files), patch.files, credits, read, settings, papers)


def _next_version(lake: Lake, release: dict[str, Any]) -> str:
    """The next patch number of a release's name that is free."""
    major, minor, _ = release["version"].split(".")
    taken = [row["version"].split(".") for row in releases(lake) if row["name"] == release["name"]]
    last = max(int(version[2]) for version in taken if version[:2] == [major, minor])
    return f"{major}.{minor}.{last + 1}"


def _decision(lake: Lake, manifest: Manifest, drop: pa.Table) -> pa.Table:
    """Decisions of stage release: what the release before kept, but for what goes now."""
    (path,) = [lake.home / f["uri"] for f in manifest.document["files"] if _is_release_decision(f)]
    rows = lake.read_table([path])
    padding = drop.filter(pc.equal(drop["match"], "padding"))["sample_id"].combine_chunks()
    meant = drop.filter(pc.not_equal(drop["match"], "padding"))["sample_id"].combine_chunks()
    ids, kept = rows["sample_id"], rows["kept"]
    goes = pc.and_(kept, pc.or_(pc.is_in(ids, meant), pc.is_in(ids, padding)))
    word = pc.if_else(pc.is_in(ids, meant), pa.scalar("takedown"), pa.scalar("padding"))
    changed = {
        "kept": pc.and_(kept, pc.invert(goes)),
        "reason": pc.if_else(goes, word, rows["reason"]),
    }
    for name, column in changed.items():
        rows = rows.set_column(rows.column_names.index(name), name, column)
    return conform("decision", rows)


def _is_release_decision(file: dict[str, Any]) -> bool:
    return file["table"] == "decision" and file["asset"] in ("release", "takedown")


def _derive(lake: Lake, manifest: Manifest, folder: Any, fingerprint: str, stored: dict[str, StoredFile]) -> Manifest:
    """The manifest of a build that has a patch in the place of its release."""
    known = {file["name"]: file for file in lake.read_document(folder / "release.json")["files"]}
    entry = {"asset": "takedown", "shard": None, "fingerprint": fingerprint}
    files: list[dict[str, Any]] = []
    for file in manifest.document["files"]:
        if file["table"] == "release":
            continue
        if _is_release_decision(file) or file["table"] == "release_member":
            file = {**entry, "table": file["table"], **stored[file["table"]].as_dict()}
        files.append(file)
    for path in lake.entries(folder):
        found = known.get(path.name)
        described = StoredFile(lake.uri(path), found["sha256"], None, found["bytes"]) if found else lake.describe(path)
        files.append({**entry, "table": "release", **described.as_dict()})
    steps = {**manifest.document.get("steps", {})}
    steps["takedown"] = {"reads": ["release"], "code": sha256_of("patch 1")}
    document = {**manifest.document, "steps": steps, "files": files}
    return Manifest(sha256_of([manifest.build_id, fingerprint])[:16], sha256_of(document), document)


def _enter(
    lake: Lake, before: Manifest, made: Manifest, takedown_id: str, started: datetime, stored: dict[str, StoredFile]
) -> None:
    """Rows of the ledger about a patch: the build, and the run that made it."""
    if build_row(lake, made.build_id).get("manifest_sha256") == made.sha256:
        return
    now = datetime.now(UTC).isoformat()
    row = build_row(lake, before.build_id)
    ledger.write(
        lake,
        "build",
        [{**row, "build_id": made.build_id, "manifest_sha256": made.sha256, "parent_build_id": before.build_id,
          "completed_at": now, "run_id": takedown_id}],
    )  # fmt: skip
    files = [file for file in made.document["files"] if file["asset"] == "takedown"]
    names = ("uri", "sha256", "rows", "bytes")
    ledger.write(
        lake,
        "run",
        [{"run_id": takedown_id, "build_id": made.build_id, "asset": "takedown", "partition": None,
          "fingerprint": files[0]["fingerprint"], "code_version": made.document["steps"]["takedown"]["code"],
          "config_sha256": sha256_of(takedown_id), "started_at": started.isoformat(), "ended_at": now, "status": "ok",
          "reused": False, "because": "takedown", "files": [{name: file[name] for name in names} for file in files]}],
    )  # fmt: skip


def _prove(lake: Lake, takedown_id: str, manifest: Manifest, release_id: str) -> None:
    """Look through a release again: raises RemovalError where it has a sample that was reached or that a selector names."""
    members = pa.table({"sample_id": pc.unique(_members(lake, manifest)["sample_id"])})
    folder = takedowns.folder(lake, takedown_id)
    hits = lake.read_table([folder / "hits.parquet"])["sample_id"]
    left = set(members.filter(pc.is_in(members["sample_id"], hits.combine_chunks()))["sample_id"].to_pylist())
    selectors = lake.read_table([folder / "selectors.parquet"])
    files = {name: [local_path(path) for path in manifest.files(lake, name)] for name in TABLES_READ}
    left |= set(named_among(members, selectors, files, takedowns.secret(lake)))
    if left:
        raise RemovalError(
            f"{takedown_id}: release {release_id} still has {len(left)} samples that it reaches or names, e.g. {min(left)};"
            " see table takedown_hit"
        )


def _release_of(lake: Lake, manifest: Manifest) -> str:
    return next(row["release_id"] for row in reversed(releases(lake)) if row["build_id"] == manifest.build_id)


def _uids(lake: Lake, release: dict[str, Any], going: pa.Table) -> np.ndarray:
    """Ids of samples of a release, as its public difference lists them."""
    folder = lake.home / "releases" / release["release_id"]
    names = sorted({f"{file.rpartition('.')[0]}.parquet" for file in going["file"].to_pylist()})
    rows = lake.read_table([folder / name for name in names], ["sample_id", "uid"])
    return id_pairs(rows.filter(pc.is_in(rows["sample_id"], going["sample_id"].combine_chunks()))["uid"].to_pylist())


def _withdraw(lake: Lake, takedown_id: str, release_id: str) -> None:
    now = datetime.now(UTC).isoformat()
    ledger.write(lake, "withdrawal", [{"release_id": release_id, "withdrawn_at": now, "takedown_id": takedown_id}])


def _withdraw_earlier(lake: Lake, takedown_id: str, hits: pa.Table) -> None:
    """Withdraw releases that were superseded long ago, still stand and have any of it."""
    newest = {row["release_id"] for row in standing(lake)}
    for row in releases(lake):
        manifest = find_manifest(lake, row["build_id"])
        if row["withdrawn_at"] is not None or row["release_id"] in newest or manifest is None:
            continue
        paths = [path for path in manifest.files(lake, "release_member") if lake.exists(path)]
        members = lake.read_table(paths, ["sample_id"])["sample_id"] if paths else pa.array([], pa.uint64())
        if pc.any(pc.is_in(members, hits["sample_id"].combine_chunks())).as_py():
            _withdraw(lake, takedown_id, row["release_id"])


def _finish(lake: Lake, document: dict[str, Any], report: Report, gone: Sequence[np.ndarray]) -> None:
    """Write the public difference, and what became of the takedown."""
    now = datetime.now(UTC)
    folder = takedowns.folder(lake, document["takedown_id"])
    removed = np.sort(np.concatenate([id_pairs([]), *gone]))
    with lake.new_file(folder / "removed.npy") as partial, partial.open("wb") as stream:
        np.save(stream, removed, allow_pickle=False)
    report.seconds = (now - datetime.fromisoformat(document["received_at"])).total_seconds()
    names = list(report.patches.values())
    lake.write_document(
        folder / "applied.json",
        {
            "status": "applied",
            "effective_at": now.isoformat(),
            "release_id": names[-1] if names else None,
            "releases": report.patches,
            "samples": sum(report.released.values()),
            "files_rewritten": sum(len(files) for files in report.files.values()),
            # Nothing is carried through, and nothing written here, before each new release was proved to be without.
            "residue": 0,
            "seconds": report.seconds,
        },
    )
