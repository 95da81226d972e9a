"""The manifest of a build, and the database that answers for it."""

from collections import Counter

import dagster as dg
import pyarrow as pa

from assets.provenance.checks import funnel_adds_up
from assets.provenance.decisions import funnel_counts
from assets.release.stage import release_folder
from orchestration import plots, takedowns
from orchestration.manifest import BuildError, read_manifest, write_manifest
from orchestration.plan import Build, source_hash
from orchestration.publishing import compare, enter_release, parent_of, publish_database
from orchestration.stages import STEPS, Winnow, check


def last_steps() -> list[str]:
    """Steps that no other step reads: when they are done, everything is."""
    read = {name for step in STEPS.values() for name in step.reads}
    return [name for name in STEPS if name not in read]


def _code(*modules: str) -> str:
    return source_hash(modules)[:16]


@dg.asset(
    group_name="provenance",
    deps=last_steps(),
    kinds={"json"},
    owners=["team:winnow"],
    code_version=_code("orchestration.manifest"),
)
def manifest(context: dg.AssetExecutionContext, winnow: Winnow) -> dg.MaterializeResult:
    """Exactly which files make up the build, with their hashes: what releases, the database and diffs start from."""
    build = winnow.open()
    made = write_manifest(build, context.run_id)
    if build.config(build.steps["removal_list"])["takedowns"] != takedowns.tombstones(build.lake):
        raise BuildError("a takedown came in while the build was made; run it again, it takes up where it was")
    settings = build.recipe.release
    enter_release(build.lake, made, release_folder(build).name, settings.name, settings.version)
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


@dg.asset(
    group_name="provenance",
    deps=[manifest],
    kinds={"parquet"},
    owners=["team:winnow"],
    code_version=_code("orchestration.publishing"),
)
def changes(context: dg.AssetExecutionContext, winnow: Winnow) -> dg.MaterializeResult:
    """What the release gained, lost and changed since the build before, each sample with its reason; SQL: `release_change`."""
    build = winnow.open()
    made, before = read_manifest(build.lake, build.build_id), parent_of(build.lake, build.build_id)
    if before is None:
        return dg.MaterializeResult(metadata={"changes": "There is no build of this name before this one."})
    counted = change_counts(compare(build.lake, before, made))
    names = [f"{change}: {reason}" if reason else change for change, reason, _ in counted]
    table = [f"| {name} | {count} |" for name, (_, _, count) in zip(names, counted, strict=True)]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(count for _, _, count in counted),
            "older build": before.build_id,
            "newer build": made.build_id,
            "changes": dg.MetadataValue.md("\n".join(["| change | samples |", "| --- | --- |", *table])),
            "changes as a picture": dg.MetadataValue.md(
                plots.inline("changes", plots.bars(names[:20], [count for _, _, count in counted][:20], "samples"))
            ),
        }
    )


def change_counts(rows: pa.Table) -> list[tuple[str, str | None, int]]:
    """(change, stage and reason, samples) of a table `release_change`, most samples first."""
    counted = Counter(
        (row["change"], row["stage"], row["reason"]) for row in rows.select(["change", "stage", "reason"]).to_pylist()
    )
    told = [
        (change, f"{stage} {reason or ''}".strip() if stage else None, n)
        for (change, stage, reason), n in counted.items()
    ]
    return sorted(told, key=lambda row: (-row[2], row[0], row[1] or ""))


@dg.asset(
    group_name="provenance",
    deps=[manifest, changes],
    kinds={"duckdb"},
    owners=["team:winnow"],
    code_version=_code("orchestration.publishing", "assets.provenance.database"),
)
def provenance(context: dg.AssetExecutionContext, winnow: Winnow) -> dg.MaterializeResult:
    """`provenance.duckdb`: every table of the build with comments, and the views `funnel` and `why`; published by rename."""
    build = winnow.open()
    made = read_manifest(build.lake, build.build_id)
    target = publish_database(build.lake, made)
    deciding = [name for name, step in build.steps.items() if "decision" in step.tables]
    counted = [build.read(name, "decision", ["stage", "kept"]) for name in deciding]
    stages, kept, dropped = funnel_counts(counted)
    return dg.MaterializeResult(
        metadata={
            "dagster/uri": str(target),
            "bytes": build.lake.size(target),
            "funnel": dg.MetadataValue.md(plots.text_funnel(stages, kept, dropped)),
            "funnel as a picture": dg.MetadataValue.md(plots.inline("funnel", plots.funnel(stages, kept, dropped))),
        },
        data_version=dg.DataVersion(made.sha256[:32]),
    )


@check(provenance, "funnel_adds_up")
def the_funnel_adds_up(build: Build) -> tuple[bool, str]:
    """At every stage kept + dropped = came in, and what came in is what the stage before kept; first of all every sample."""
    return funnel_of(build)


def funnel_of(build: Build) -> tuple[bool, str]:
    """Whether the funnel of a build adds up, and what it is or where it does not."""
    decisions = (build.read(name, "decision") for name, step in build.steps.items() if "decision" in step.tables)
    return funnel_adds_up(decisions, build.read("crawl", "sample", ["sample_id"])["sample_id"].to_numpy())
