"""Keep more of complex concepts and less of simple ones, hardest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.clusters.assign import distance_sums
from assets.embeddings.cache import as_matrix
from assets.prune.checks import quotas_spend_the_budget, selection_keeps_the_quotas
from assets.prune.concepts import QuotaSettings
from assets.prune.concepts import concepts as describe
from assets.prune.selection import decide
from orchestration import plots
from orchestration.plan import Build, Rows, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, stage
from resources.lake import local_path

EXAMPLES = 24
QUOTA_KEYS = {"keep", "neighbors", "temperature", "floor_ratio"}


def _quotas(recipe: Recipe) -> object:
    fixed_ratio = {"by": "size"} if recipe.prune.select == "ssp" else {}
    return recipe.prune.model_dump(include=QUOTA_KEYS) | fixed_ratio


def _selection(recipe: Recipe) -> object:
    return recipe.prune.model_dump(exclude=QUOTA_KEYS)


def _show_concepts(build: Build) -> dict[str, str]:
    table = build.read("concepts")
    column = {name: np.nan_to_num(table[name].to_numpy(zero_copy_only=False)) for name in table.column_names}
    scatter = plots.complexity(column["d_inter"], column["d_intra"], column["size"], column["quota"])
    order = np.argsort(column["complexity"], kind="stable")
    bars = plots.kept_by_concept(column["size"], column["quota"], order)
    return {"complexity": plots.inline("complexity", scatter), "quotas": plots.inline("quotas", bars)}


def _show_selection(build: Build) -> dict[str, str]:
    return {"kept and dropped": plots.inline("kept and dropped", plots.contact_sheet(_examples(build)))}


def _examples(build: Build) -> list[tuple[str, list[Any]]]:
    """A dozen pictures each of what stayed and of what went, in the order of a hash of their ids."""
    from assets.clusters.kmeans import splitmix
    from assets.crawl.images import decode, read_members

    sample = build.read("crawl", "sample", ["sample_id", "image_id"])
    image = build.read("crawl", "image", ["image_id", "shard_id", "member"])
    places = sample.join(image, "image_id")
    tars = {shard.shard_id: build.path(build.steps["crawl"], shard, "image.tar") for shard in build.snapshot.shards}
    sheet = []
    for title, step, kept in (
        ("kept", "selection", True),
        ("over quota", "selection", False),
        ("duplicates", "dedup", False),
    ):
        decision = build.read(step, "decision", ["sample_id", "kept"])
        ids = decision["sample_id"].filter(pc.equal(decision["kept"], kept)).to_numpy()
        chosen = ids[np.argsort(splitmix(ids.astype(np.uint64)), kind="stable")][:EXAMPLES]
        found = places.filter(pc.is_in(places["sample_id"], pa.array(chosen))).sort_by("sample_id").to_pylist()
        pictures = [decode(next(read_members(local_path(tars[row["shard_id"]]), [row["member"]]))) for row in found]
        sheet.append((f"{title}: {len(ids)} samples", pictures))
    return sheet


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
    show=_show_selection,
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
