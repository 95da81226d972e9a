"""The manifest of a build, and the database that answers for it."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from assets.provenance.checks import funnel_adds_up
from assets.provenance.database import build_database
from assets.provenance.tables import STAGES, TABLES
from orchestration import ledger, plots
from orchestration.manifest import Manifest, read_manifest, write_manifest
from orchestration.plan import Build
from orchestration.stages import Winnow, check
from resources.lake import local_path, sha256_of

LEDGER = {"run", "build", "artifact", "release"}


@dg.asset(group_name="provenance", deps=["release", "licenses", "agents"], kinds={"json"}, owners=["team:winnow"])
def manifest(context: dg.AssetExecutionContext, winnow: Winnow) -> dg.MaterializeResult:
    """Exactly which files make up the build, with their hashes: what releases, the database and diffs start from."""
    build = winnow.open()
    made = write_manifest(build, context.run_id)
    _enter_release(build, made)
    return dg.MaterializeResult(
        metadata={
            "manifest_sha256": made.sha256,
            "build_id": made.build_id,
            "files": len(made.document["files"]),
            "bytes": sum(file["bytes"] for file in made.document["files"]),
            "recipe": dg.MetadataValue.json(build.recipe.model_dump(mode="json")),
        },
        data_version=dg.DataVersion(made.sha256[:32]),
    )


@dg.asset(group_name="provenance", deps=[manifest], kinds={"duckdb"}, owners=["team:winnow"])
def provenance(context: dg.AssetExecutionContext, winnow: Winnow) -> dg.MaterializeResult:
    """`provenance.duckdb`: every table of the build with comments, and the views `funnel` and `why`; published by rename."""
    build = winnow.open()
    made = read_manifest(build.lake, build.build_id)
    target = build.lake.home / "provenance.duckdb"
    with build.lake.new_file(target) as partial:
        build_database(
            local_path(partial),
            {
                **{
                    name: [local_path(path) for path in made.files(build.lake, name)]
                    for name in TABLES
                    if name not in LEDGER
                },
                "model_call": [local_path(path) for path in ledger.call_files(build.lake)],
            },
            {name: ledger.table(name, rows) for name, rows in _ledger(build, made).items()},
            materialize=build.recipe.provenance.database == "tables",
        )
    stages, kept, dropped = funnel_of(build)
    return dg.MaterializeResult(
        metadata={
            "dagster/uri": str(target),
            "bytes": target.stat().st_size,
            "funnel": dg.MetadataValue.md(plots.text_funnel(stages, kept, dropped)),
            "funnel as a picture": dg.MetadataValue.md(plots.inline("funnel", plots.funnel(stages, kept, dropped))),
        },
        data_version=dg.DataVersion(made.sha256[:32]),
    )


def funnel_of(build: Build) -> tuple[list[str], list[int], list[int]]:
    """Stages that decide, with kept and dropped samples."""
    kept, dropped = dict.fromkeys(STAGES, 0), dict.fromkeys(STAGES, 0)
    for name, step in build.steps.items():
        if "decision" not in step.tables:
            continue
        rows = build.read(name, "decision", ["stage", "kept"])
        for stage, stays in zip(rows.column("stage").to_pylist(), rows.column("kept").to_pylist(), strict=True):
            kept[stage] += stays
            dropped[stage] += not stays
    stages = [stage for stage in STAGES if kept[stage] + dropped[stage]]
    return stages, [kept[s] for s in stages], [dropped[s] for s in stages]


@check(provenance, "funnel_adds_up")
def the_funnel_adds_up(build: Build) -> tuple[bool, str]:
    """At every stage kept + dropped = came in, and what came in is what the stage before kept."""
    decisions = [build.read(name, "decision") for name, step in build.steps.items() if "decision" in step.tables]
    return funnel_adds_up(decisions)


def _ledger(build: Build, made: Manifest) -> dict[str, list[dict[str, Any]]]:
    """Runs, builds and releases of this home, and the files of this build."""
    known = ledger.known_files(build.lake)
    artifacts = [
        {
            "uri": file["uri"],
            "table_name": file["table"],
            "shard_id": file["shard"],
            "asset": file["asset"],
            "fingerprint": file["fingerprint"],
            "sha256": file["sha256"],
            "rows": file["rows"],
            "bytes": file["bytes"],
            "run_id": known.get(file["uri"], {}).get("run_id"),
        }
        for file in made.document["files"]
    ]
    rows = {name: ledger.rows(build.lake, name) for name in ("run", "build", "release")}
    # While hosts were asked nobody knew the build's id: a run belongs to the build that it completed.
    completed = {row["run_id"]: row["build_id"] for row in rows["build"]}
    runs = [{**row, "build_id": completed.get(row["run_id"], row["build_id"])} for row in rows["run"]]
    return {**rows, "run": runs, "artifact": artifacts}


def _enter_release(build: Build, made: Manifest) -> None:
    """A row in the ledger for a release that appears for the first time."""
    from assets.release.stage import release_folder

    folder = release_folder(build)
    rows = ledger.rows(build.lake, "release")
    if any(row["release_id"] == folder.name and row["build_id"] == build.build_id for row in rows):
        return
    earlier = [row["release_id"] for row in rows if row["name"] == build.recipe.release.name]
    files = [file for file in made.document["files"] if file["table"] == "release"]
    row = {
        "release_id": folder.name,
        "build_id": build.build_id,
        "name": build.recipe.release.name,
        "version": build.recipe.release.version,
        "manifest_sha256": sha256_of([[file["uri"], file["sha256"]] for file in files]),
        "supersedes": earlier[-1] if earlier else None,
        "published_at": datetime.now(UTC).isoformat(),
    }
    ledger.write(build.lake, "release", [row])
