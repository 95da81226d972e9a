"""Keep more of complex concepts and less of simple ones, hardest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from assets.clusters.assign import distance_sums
from assets.embeddings.cache import as_matrix
from assets.prune import report
from assets.prune.checks import quotas_spend_the_budget, selection_keeps_the_quotas
from assets.prune.concepts import QuotaSettings
from assets.prune.concepts import concepts as describe
from assets.prune.selection import decide
from orchestration.plan import Build, Rows, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, stage

QUOTA_KEYS = {"keep", "neighbors", "temperature", "floor_ratio"}


def _quotas(recipe: Recipe) -> object:
    fixed_ratio = {"by": "size"} if recipe.prune.select == "ssp" else {}
    return recipe.prune.model_dump(include=QUOTA_KEYS) | fixed_ratio


def _selection(recipe: Recipe) -> object:
    return recipe.prune.model_dump(exclude=QUOTA_KEYS)


def _show_concepts(build: Build) -> dict[str, str]:
    return report.concept_plots(build.read("concepts"))


@stage(
    group="prune",
    tables=["cluster"],
    reads=["centroids", "membership"],
    section=_quotas,
    code=["assets.prune.concepts"],
    libraries=["numpy"],
    show=_show_concepts,
)
def concepts(work: Work) -> Mapping[str, pa.Table]:
    """Complexity of every concept, and its quota: exact integers that spend the budget (Abbas, Rusak et al., ICLR 2024)."""
    centroid = work.read("centroids")
    ids = centroid["cluster_id"].to_numpy()
    sums = distance_sums(np.empty(0, np.int64), np.empty(0), len(ids))
    for part in work.each("membership", columns=["cluster_id", "distance"]):
        sums += distance_sums(
            np.searchsorted(ids, part["cluster_id"].to_numpy()), part["distance"].to_numpy(), len(ids)
        )
    return {"cluster": describe(sums, as_matrix(centroid["vector"]), QuotaSettings(**work.config), ids)}


@stage(
    group="prune",
    tables=["decision"],
    reads=["membership", "concepts"],
    section=_selection,
    code=["assets.prune.selection"],
    libraries=["numpy"],
    show=report.selection_plots,
)
def selection(work: Work) -> Mapping[str, Rows]:
    """Which samples the build keeps: each concept's quota, hardest first."""

    def members(columns: Sequence[str]) -> Iterator[pa.Table]:
        return work.each("membership", columns=columns)

    return {"decision": decide(members, work.read("concepts"), work.config["select"], work.config["seed"])}


@check(concepts, "quotas_spend_the_budget")
def the_quotas_spend_the_budget(build: Build) -> tuple[bool, str]:
    """Quotas sum to the budget exactly, within their bounds."""
    return quotas_spend_the_budget(build.read("concepts"), build.recipe.prune.keep)


@check(selection, "selection_keeps_the_quotas")
def the_selection_keeps_the_quotas(build: Build) -> tuple[bool, str]:
    """Every concept keeps exactly its quota."""
    path = build.paths("selection")

    def parts() -> Iterator[tuple[pa.Table, pa.Table]]:
        for shard in build.snapshot.shards:
            ids = (shard.shard_id << 32, (shard.shard_id + 1) << 32)
            member = build.read("membership", columns=["sample_id", "cluster_id"], shard=shard)
            yield build.lake.read_table(path, ["sample_id", "kept"], ids), member

    return selection_keeps_the_quotas(parts(), build.read("concepts"))
