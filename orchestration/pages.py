"""What an asset's page shows beside what its stage says: code, documentation, table of the database, how old it may be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._utils.schedules import schedule_execution_time_iterator

from assets.provenance.tables import TABLES
from orchestration.recipe import Recipe
from orchestration.stages import STEPS

REPOSITORY = Path(__file__).resolve().parents[1]

DOCUMENTS = {
    "crawl": "docs/crawls.md",
    "rights": "docs/rights.md",
    "pool": "docs/recipe.md",
    "embeddings": "docs/encoder.md",
    "dedup": "docs/pruning.md",
    "decontaminate": "docs/evaluation.md",
    "clusters": "docs/pruning.md",
    "prune": "docs/pruning.md",
    "captions": "docs/captions.md",
    "release": "docs/releases.md",
    "evaluation": "docs/evaluation.md",
    "provenance": "docs/tables.md",
}
"""Which page explains the assets of a group."""

FINAL = frozenset({"release", "manifest", "provenance"})
"""Assets that people take away: they are stale when nights were missed."""

SLACK = timedelta(hours=6)
"""How long a scheduled build may take."""

TICKS = 400
"""Ticks of a schedule that are looked at for the longest time between two: more than a year of nights."""


def with_pages(assets: Sequence[dg.AssetsDefinition], recipe: Recipe) -> list[dg.AssetsDefinition]:
    """The assets with links to their code, documentation and table, and the final ones with a freshness policy."""
    policy = freshness(recipe)
    return [asset.map_asset_specs(partial(_page, asset, policy)) for asset in assets]


def _page(asset: dg.AssetsDefinition, policy: dg.FreshnessPolicy, spec: dg.AssetSpec) -> dg.AssetSpec:
    name = spec.key.to_user_string()
    return spec.replace_attributes(
        metadata={**spec.metadata, **_links(name, spec.group_name or "", _function(asset, name))},
        freshness_policy=policy if name in FINAL else spec.freshness_policy,
    )


def freshness(recipe: Recipe) -> dg.FreshnessPolicy:
    """A warning when one build of the schedule is missing, a failure when two are.

    Weekends and the like count: what matters is the longest time between two ticks of the recipe's schedule.
    """
    gap = longest_gap(recipe.schedule.cron, recipe.schedule.timezone)
    return dg.FreshnessPolicy.time_window(fail_window=2 * gap + SLACK, warn_window=gap + SLACK)


def longest_gap(cron: str, timezone: str) -> timedelta:
    """The longest time between two ticks of a cron schedule, over a year of nights or as many ticks."""
    start = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
    ticks = (tick.astimezone(UTC) for tick in islice(schedule_execution_time_iterator(start, cron, timezone), TICKS))
    return max(later - earlier for earlier, later in pairwise(ticks))


def _links(name: str, group: str, function: Callable[..., Any]) -> dict[str, Any]:
    document = DOCUMENTS[group]
    file, line = Path(inspect.getsourcefile(function) or ""), inspect.getsourcelines(function)[1]
    references: list[dg.LocalFileCodeReference | dg.UrlCodeReference] = [
        dg.LocalFileCodeReference(file_path=str(file), line_number=line, label=f"{_relative(file)}:{line}"),
        dg.LocalFileCodeReference(file_path=str(REPOSITORY / document), label=document),
    ]
    return {
        "documentation": document,
        "code": f"{_relative(file)}:{line}",
        "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=references),
        **_table_name(name),
    }


def _relative(file: Path) -> str:
    return file.relative_to(REPOSITORY).as_posix() if file.is_relative_to(REPOSITORY) else file.name


def _table_name(name: str) -> dict[str, str]:
    """Where SQL finds the asset's main table; some tables stay in the lake."""
    if name not in STEPS or TABLES[STEPS[name].tables[0]].internal:
        return {}
    return {"dagster/table_name": f"provenance.main.{STEPS[name].tables[0]}"}


def _function(asset: dg.AssetsDefinition, name: str) -> Callable[..., Any]:
    """The function in a `stage.py`: that of the step, or the asset's own body."""
    if name in STEPS:
        return STEPS[name].compute
    return asset.op.compute_fn.decorated_fn  # type: ignore[union-attr]
