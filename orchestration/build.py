"""`winnow build`: the assets of the Dagster graph, run in this process, with progress bars and the funnel at the end."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from orchestration import ledger, progress
from orchestration.manifest import BuildError, Manifest, read_manifest
from orchestration.partitions import announce
from orchestration.plan import Build, Outcome
from orchestration.publishing import database_file
from orchestration.recipe import load_recipe
from orchestration.stages import STEPS

PROCESS = "winnow/process"
"""Tag of runs that `winnow build` started: the machine and the process that work on them."""

PLAIN = (
    "LakeError",
    "RecipeError",
    "CrawlFileError",
    "BuildError",
    "PolicyError",
    "TruthError",
    "RemovalError",
    "ReleaseError",
    "EvaluationSetError",
    "CapacityError",
    "PointerMovedError",
    "WorkerError",
)
"""Errors that say in their own words what is wrong; what caused them says less."""

SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Bars:
    """Progress bars, one per asset, and counts of what was computed and what was reused."""

    def __init__(self, console: Console) -> None:
        self.computed = self.reused = 0
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.bars = Progress(
            TextColumn("{task.fields[group]:>10} {task.description:<18}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[said]}"),
            console=console,
        )
        self._tasks: dict[str, object] = {}

    def start(self, group: str, name: str, total: int) -> None:
        """A bar for the next asset."""
        self._tasks[name] = self.bars.add_task(name, total=total, group=group, said="")

    def finished(self, outcome: Outcome) -> None:
        """One shard further."""
        self.computed += not outcome.reused
        self.reused += outcome.reused
        if outcome.because:
            self.reasons[outcome.step, outcome.because] += 1
        said = "reused" if outcome.reused else ""
        self.bars.update(self._tasks[outcome.step], advance=1, said=said)  # type: ignore[arg-type]

    def said(self, name: str, text: str) -> None:
        """How far a step is."""
        self.bars.update(self._tasks[name], said=text)  # type: ignore[arg-type]


@contextmanager
def dagster_instance() -> Iterator[dg.DagsterInstance]:
    """The Dagster instance under DAGSTER_HOME."""
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    with dg.DagsterInstance.get() as instance:
        yield instance


def close_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs of builds whose process is gone as failed, or they would look as if they went on; their ids."""
    closed = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])):
        process = run.tags.get(PROCESS)
        host, _, number = (process or "").rpartition(":")
        if process and host in ("", socket.gethostname()) and not _is_alive(int(number)):
            instance.report_run_failed(run, "the process of this build was killed; what it had made is reused")
            closed.append(run.run_id)
    return closed


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def run_build(recipe_path: str | None, home: str, select: str | None, quiet: bool) -> Manifest | None:
    """Materialize the assets in this process; the manifest if the last asset was among them.

    Raises BuildError with one sentence where an asset or a blocking check failed.
    """
    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    warnings.filterwarnings("ignore", category=dg.PreviewWarning)
    from orchestration import jobs, stages
    from orchestration.definitions import assets, checks

    recipe = load_recipe(recipe_path or os.environ.get("WINNOW_RECIPE"))
    build = stages.open_build(recipe, os.environ.get("WINNOW_HOME", home), renew=True)
    console = Console(quiet=quiet, stderr=False)
    bars = Bars(console)
    console.print(f"[bold]{recipe.name}[/bold]: {len(build.snapshot.shards)} shards -> {build.lake.home}")
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with dagster_instance() as instance, bars.bars, progress.listening(bars):
        close_abandoned_runs(instance)
        announce(instance, build.snapshot)
        result = _materialize(
            [*assets, *checks],
            instance=instance,
            resources={"winnow": stages.Winnow()},
            selection=select,
            run_config=SILENT,
            tags={
                **jobs.range_tags(build.snapshot, instance.get_dynamic_partitions("shard")),
                PROCESS: f"{socket.gethostname()}:{os.getpid()}",
            },
            raise_on_error=False,
        )
    build = stages.open_build(recipe, os.environ.get("WINNOW_HOME", home))
    if not result.success:
        print_funnel_so_far(build, console)
        raise BuildError(_failure(result))
    console.print(f"{bars.computed} computed, {bars.reused} reused")
    if bars.reused and bars.computed:
        print_reasons(bars, console)
    if select is not None:
        print_funnel_so_far(build, console)
    if not any(row["build_id"] == build.build_id for row in ledger.rows(build.lake, "build")):
        return None
    manifest = read_manifest(build.lake, build.build_id)
    print_funnel(build, console)
    return manifest


def print_reasons(bars: Bars, console: Console) -> None:
    """What was computed although an earlier build had made the like of it, and why."""
    table = Table("computed", "files for", "because", title="what changed")
    for (step, because), count in bars.reasons.items():
        table.add_row(step, f"{count} shards" if STEPS[step].per_shard else "all shards at once", because)
    console.print(table)


def print_funnel(build: Build, console: Console) -> None:
    """The funnel, and where things are."""
    from orchestration.asking import ask

    columns, rows = ask(str(build.lake.home), "SELECT stage, came_in, kept, dropped, top_reasons FROM funnel", ())
    table = Table(*columns, title=f"{build.recipe.name}: funnel")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console.print(table)
    releases = [row for row in ledger.rows(build.lake, "release") if row["build_id"] == build.build_id]
    if releases:
        console.print(f"release:  {build.lake.home / 'releases' / releases[-1]['release_id']}", soft_wrap=True)
    console.print(f"database: {database_file(build.lake)}  (winnow sql, winnow explain)", soft_wrap=True)


def print_funnel_so_far(build: Build, console: Console) -> None:
    """What was decided of samples as far as the build went; the database has it only when everything is done."""
    table = Table("stage", "kept", "dropped", "top_reasons", title=f"{build.recipe.name}: so far")
    for name, step in build.steps.items():
        if "decision" not in step.tables or not all(build.done(step, shard) for shard in build.shards_of(step)):
            continue
        rows = build.read(name, "decision", ["stage", "kept", "reason"]).to_pylist()
        dropped = Counter(row["reason"] for row in rows if not row["kept"])
        told = ", ".join(f"{reason} {count}" for reason, count in dropped.most_common(4))
        stage = rows[0]["stage"] if rows else name
        table.add_row(stage, str(len(rows) - dropped.total()), str(dropped.total()), told)
    if table.row_count:
        console.print(table)


def _materialize(assets: Sequence[Any], selection: str | None, **options: Any) -> dg.ExecuteInProcessResult:
    """Materialize what a selection names; raises BuildError where it is none."""
    if selection is None:
        return dg.materialize(assets, **options)
    try:
        return dg.materialize(assets, selection=dg.AssetSelection.from_string(selection), **options)
    except dg.DagsterError as error:
        words = " ".join(str(error).split()) or "nothing of that name"
        raise BuildError(
            f"--select {selection!r} names no assets ({words[:200]}); write e.g. '*crawl' (with all it needs), 'fetch' or "
            f"'group:pool'; assets are {', '.join(STEPS)}"
        ) from error


def _failure(result: dg.ExecuteInProcessResult) -> str:
    """What failed, in one sentence: the innermost error's own words, or what a check said."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None and error.cls_name not in PLAIN:
                if (error.cause.cls_name or "").startswith("RayTaskError"):
                    # It only says on which worker the error arose.
                    break
                error = error.cause
            words = (error.message if error else "unknown error").strip()
            name, _, sentence = words.partition(": ")
            plain = sentence if name.rpartition(".")[2].isidentifier() and sentence else words
            return f"asset {event.step_key}: {plain.splitlines()[0]}"
    for event in result.all_events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            answer = event.asset_check_evaluation_data
            if not answer.passed:
                return f"check {answer.check_name} of asset {answer.asset_key.to_user_string()}: {answer.description}"
    return "the build failed; look at the run in the Dagster UI (winnow ui)"
