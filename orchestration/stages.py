"""How a stage's function becomes a Dagster asset, and a statement about it a blocking check."""

import inspect
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa
import yaml
from upath import UPath

from assets.provenance.tables import TABLES, Table, describe
from orchestration import capacity, executors, ledger, progress, workers
from orchestration.cost import Cost, Meter
from orchestration.partitions import shards as shard_partitions
from orchestration.plan import Build, Outcome, Rows, Step, Work
from orchestration.recipe import Recipe, home_folder, load_recipe
from orchestration.registry import Shard, latest, register
from resources.lake import Lake

# Backfill policies and links to code are beta in the pinned version; nobody who builds can do anything about that.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

STEPS: dict[str, Step] = {}
"""Every step, in the order the data flows: the order in which the stages are imported."""

Compute = Callable[[Work], Mapping[str, Rows]]
Show = Callable[[Build], dict[str, str]]
"""Plots of an asset: title -> Markdown with the picture inline."""

RECIPE = "winnow/recipe"
"""Tag of a run: name of the recipe that it builds."""

RECIPE_SHA256 = "winnow/recipe_sha256"
"""Tag of a run: first digits of the hash of the recipe that it read."""

PREVIEW_ROWS = 5
MAX_SHARDS_PER_RUN = capacity.whole_number("WINNOW_SHARDS_PER_RUN", 100)


class Winnow(dg.ConfigurableResource):
    """Which recipe is built, and where. Empty values follow WINNOW_RECIPE and WINNOW_HOME."""

    recipe: str = ""
    home: str = ""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Write the recipe in force on the run, whoever launched it: two tags, and the whole of it in the run's log."""
        if context.run is not None and context.instance is not None:
            show_recipe(context.instance, context.run.run_id, load_recipe(self.recipe or None), context.log)

    def open(self, renew: bool = False) -> Build:
        """The build of the recipe in force, over the shards registered last; `renew` looks at the sources again."""
        return open_build(load_recipe(self.recipe or None), self.home or None, renew)


def show_recipe(instance: dg.DagsterInstance, run_id: str, recipe: Recipe, log: dg.DagsterLogManager | None) -> None:
    """Tag a run with its recipe and log the recipe as YAML, once; again where it changed while the run went on."""
    run, sha256 = instance.get_run_by_id(run_id), recipe.sha256[:12]
    if run is None or run.tags.get(RECIPE_SHA256) == sha256:
        return
    instance.add_run_tags(run_id, {RECIPE: recipe.name, RECIPE_SHA256: sha256})
    if log is not None:
        text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        log.info(f"recipe {recipe.name}, sha256 {recipe.sha256}, defaults written out:\n{text}")


def open_build(recipe: Recipe, home: str | os.PathLike[str] | None = None, renew: bool = False) -> Build:
    """A build over the newest snapshot of its shards; registers them first if asked to, or if nothing is registered."""
    lake = Lake(UPath(home) if home is not None else home_folder())
    snapshot = None if renew else latest(recipe, lake)
    return Build(recipe, lake, snapshot or register(recipe, lake), STEPS)


def stage(
    *,
    group: str,
    tables: Sequence[str],
    section: Callable[[Recipe], Any],
    code: Sequence[str],
    reads: Sequence[str] = (),
    libraries: Sequence[str] = (),
    per_shard: bool = False,
    blobs: Sequence[str] = (),
    kinds: set[str] | None = None,
    show: Show | None = None,
    prepare: Callable[[dg.AssetExecutionContext, Build], None] | None = None,
    folder: Callable[[Build], UPath] | None = None,
    when: Mapping[str, Callable[[Any], bool]] | None = None,
    observe: Callable[[Sequence[Work]], None] | None = None,
    observes: Callable[[Any], str | None] | None = None,
    beside: Sequence[str] = (),
    resolve: Callable[[Build, Any], Any] | None = None,
    by_content: Sequence[str] = (),
) -> Callable[[Compute], dg.AssetsDefinition]:
    """Turn a function over tables into a step of the plan and an asset of the graph; see `Step` for the arguments."""

    def wrap(compute: Compute) -> dg.AssetsDefinition:
        name = compute.__name__
        step = Step(
            name, group, tuple(tables), tuple(reads), section, tuple(code), tuple(libraries), per_shard, compute,
            tuple(blobs), prepare is not None, folder, tuple((when or {}).items()), observe,
            observes or Step.observes, tuple(beside), resolve, tuple(by_content),
        )  # fmt: skip
        STEPS[name] = step

        @dg.asset(
            name=name,
            group_name=group,
            deps=list(reads) or (["shards"] if per_shard else []),
            description=inspect.cleandoc(compute.__doc__ or ""),
            partitions_def=shard_partitions if per_shard else None,
            backfill_policy=dg.BackfillPolicy.multi_run(MAX_SHARDS_PER_RUN) if per_shard else None,
            kinds=kinds or {"parquet"},
            owners=["team:winnow"],
            op_tags=executors.tags(name, per_shard),
            pool=executors.pool(name),
            code_version=step.code_version()[:16],
            metadata=_definition_metadata(step),
        )
        def body(context: dg.AssetExecutionContext, winnow: Winnow) -> dg.MaterializeResult:
            build = winnow.open(renew=prepare is not None)
            if prepare:
                prepare(context, build)
            outcomes = run_step(build, step, _asked_for(context, build, step), context.run_id)
            for outcome in outcomes:
                if outcome.partition is not None:
                    context.add_asset_metadata(_metadata(build, step, [outcome]), partition_key=outcome.partition)
            plots = {t: dg.MetadataValue.md(md) for t, md in show(build).items()} if show and outcomes else {}
            if per_shard:
                return dg.MaterializeResult(metadata=plots)
            return dg.MaterializeResult(
                metadata={**_metadata(build, step, outcomes), **plots},
                data_version=dg.DataVersion(build.fingerprint(step, None)),
            )

        return body

    return wrap


def run_step(
    build: Build, step: Step, wanted: Sequence[Shard | None], run_id: str, team: workers.Team | None = None
) -> list[Outcome]:
    """Run a step for some shards and write the ledger's rows; done shards are kept on failure.

    `team` computes; by default the one that the environment names.
    """
    outcomes: list[Outcome] = []
    started, before, failed = datetime.now(UTC), ledger.Before(build.lake, step), wanted[:1]
    meter = Meter(build.lake.traffic)
    spent = Cost()
    try:
        progress.begin(step.group, step.name, len(wanted))
        try:
            if wanted:
                build.observe(step, wanted)
        finally:
            spent = meter.cost
        team = team or workers.chosen()
        build.spread = team.spread
        for shard, result in team.run(build, step, wanted):
            failed = [shard]
            # The first shard is charged what looking at the world outside for all of them took.
            result, spent = replace(result, cost=spent + result.cost), Cost()
            if isinstance(result, workers.Failure):
                spent = result.cost
                raise result.error
            outcome = result if outcomes else replace(result, started_at=started)
            if not outcome.reused:
                parts = ledger.parts_of(build, step, shard)
                outcome = replace(outcome, because=before.differs(outcome.partition, parts))
            outcomes.append(outcome)
            progress.finished(outcome)
    finally:
        outcomes.sort(key=lambda outcome: outcome.shard.shard_id if outcome.shard else 0)
        ledger.record_runs(build, step, outcomes, run_id)
        if len(outcomes) < len(wanted):
            ledger.record_failure(build, step, failed[0], run_id, started, spent)
    return outcomes


def check(asset: dg.AssetsDefinition, name: str) -> Callable[[Callable[[Build], tuple[bool, str]]], Any]:
    """A blocking check: what a function over the build says, as (holds, one sentence)."""

    def wrap(function: Callable[[Build], tuple[bool, str]]) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset=asset, name=name, blocking=True, description=function.__doc__)
        def body(winnow: Winnow) -> dg.AssetCheckResult:
            holds, sentence = function(winnow.open())
            return dg.AssetCheckResult(passed=bool(holds), description=sentence, metadata={"answer": sentence})

        return body

    return wrap


def done_shards(build: Build, *names: str) -> list[Shard]:
    """Shards for which all the named steps have their files: what a check on a partly built graph can look at."""
    return [s for s in build.snapshot.shards if all(build.done(build.steps[name], s) for name in names)]


def read_done(build: Build, name: str, table: str, columns: Sequence[str]) -> pa.Table:
    """Rows of a step's table for the shards that have it: a run may cover some of them only."""
    step = build.steps[name]
    paths = [build.path(step, shard, table) for shard in done_shards(build, name)]
    return build.lake.read_table(paths, columns) if paths else TABLES[table].empty().select(list(columns))


def _asked_for(context: dg.AssetExecutionContext, build: Build, step: Step) -> list[Shard | None]:
    if not step.per_shard:
        return [None]
    keys = set(context.partition_keys)
    return [shard for shard in build.snapshot.shards if shard.partition in keys]


def _metadata(build: Build, step: Step, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Row counts, where the files are, and the first rows of the main table."""
    rows = {name: sum(outcome.rows[name] for outcome in outcomes) for name in step.tables}
    files = [path for outcome in outcomes for path in build.outputs(step, outcome.shard)]
    cost = sum((outcome.cost for outcome in outcomes), Cost())
    metadata: dict[str, Any] = {
        "dagster/row_count": rows[step.tables[0]],
        **{f"rows: {name}": count for name, count in rows.items()},
        "fingerprint": ", ".join(sorted({outcome.fingerprint for outcome in outcomes})),
        "reused": all(outcome.reused for outcome in outcomes),
        "why": "; ".join(sorted({outcome.because for outcome in outcomes if outcome.because})) or "nothing changed",
        "seconds": round(sum((o.ended_at - o.started_at).total_seconds() for o in outcomes), 2),
        "cpu seconds": round(cost.cpu_seconds, 2),
        "gpu seconds": round(cost.gpu_seconds, 2),
        "bytes read": cost.bytes_read,
        "bytes written": cost.bytes_written,
        "files": dg.MetadataValue.md("\n".join(f"- `{build.lake.uri(path)}`" for path in files)),
        "recipe": dg.MetadataValue.json(build.config(step)),
    }
    if len(outcomes) == 1:
        metadata |= outcomes[0].notes
        path = build.path(step, outcomes[0].shard, step.tables[0])
        # The page shows either the table's name or the uri; the path is there to copy.
        metadata |= {"dagster/uri": str(path), "file": dg.MetadataValue.path(str(path))}
        metadata["first rows"] = dg.MetadataValue.md(_preview(build.lake.read_table([path])))
    return metadata


def _preview(table: pa.Table) -> str:
    """The first rows as a Markdown table; long values are cut, vectors and hashes are shown by their start."""
    lines = ["| " + " | ".join(table.column_names) + " |", "|" + " --- |" * table.num_columns]
    for row in table.slice(0, PREVIEW_ROWS).to_pylist():
        lines.append("| " + " | ".join(_cell(value) for value in row.values()) + " |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()[:12] + "…"
    if isinstance(value, list):
        value = ", ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in value[:3]) + (
            "…" if value[3:] else ""
        )
    if isinstance(value, float):
        value = f"{value:.4g}"
    text = "" if value is None else " ".join(str(value).split())
    text = text if len(text) <= 60 else text[:59] + "…"
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'").replace("[", "\\[")


def _definition_metadata(step: Step) -> dict[str, Any]:
    schemas = {
        f"schema: {name}": dg.MetadataValue.table_schema(_table_schema(TABLES[name])) for name in step.tables[1:]
    }
    return {
        "dagster/column_schema": _table_schema(TABLES[step.tables[0]]),
        "tables": ", ".join(step.tables),
        "libraries": ", ".join(step.libraries) or "none beyond the house",
        **schemas,
    }


def _table_schema(table: Table) -> dg.TableSchema:
    columns = [
        dg.TableColumn(
            field.name,
            str(field.type),
            description=describe(field),
            constraints=dg.TableColumnConstraints(nullable=field.nullable),
        )
        for field in table.schema
    ]
    return dg.TableSchema(columns)
