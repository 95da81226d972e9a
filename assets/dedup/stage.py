"""Copies out, before they dominate the concepts; and, where the recipe asks, a few samples from each of many cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from assets.dedup import report
from assets.dedup.checks import copies_name_who_stays
from assets.dedup.dedup import DedupSettings, Pool, decide, pool_rows
from assets.dedup.diversify import DiversifySettings, decide_diversity
from assets.embeddings.cache import as_matrix
from assets.embeddings.embed import SCORER
from orchestration import progress
from orchestration.plan import Build, Rows, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, stage


def _section(recipe: Recipe) -> object:
    return recipe.dedup.model_dump()


def _diversity(recipe: Recipe) -> object:
    return recipe.diversify.model_dump() if recipe.diversify else None


@stage(
    group="dedup",
    tables=["decision"],
    reads=["crawl", "rights", "embeddings", "agreement"],
    section=_section,
    code=["assets.dedup.dedup"],
    libraries=["faiss-cpu", "numpy", "duckdb"],
    show=report.dedup_plots,
)
def dedup(work: Work) -> Mapping[str, Rows]:
    """Exact and near duplicates, over all shards: one greedy pass in order of preference, every drop names who stays.

    In bounded memory: vectors lie on disk, sorted by cell; a run that was killed goes on where it stopped. Workers of a
    cluster, where there is one, compare the cells.
    """
    settings = DedupSettings(**{**work.config, "prefer": tuple(work.config["prefer"])})
    columns = ["image_url", "text"] if settings.same_url or settings.same_phash_and_text else []
    decisions = decide(_pool(work, "agreement", columns), work.scratch(), settings, _report(work), work.spread())
    return {"decision": decisions}


@stage(
    group="dedup",
    tables=["decision"],
    reads=["crawl", "rights", "embeddings", "dedup"],
    section=_diversity,
    code=["assets.dedup.diversify"],
    libraries=["faiss-cpu", "numpy", "duckdb"],
)
def diversify(work: Work) -> Mapping[str, Rows]:
    """At most so many samples from each of many small cells, as DenseFusion chose its million; where the recipe asks.

    Without a section `diversify` nothing is decided here, and what dedup kept goes on.
    """
    if work.config is None:
        return {"decision": iter(())}
    settings = DiversifySettings(**{**work.config, "prefer": tuple(work.config["prefer"])})
    return {"decision": decide_diversity(_pool(work, "dedup", []), work.scratch(), settings)}


def _pool(work: Work, before: str, columns: list[str]) -> Pool:
    """What step `before` kept: one shard at a time."""
    return Pool(lambda: (_rows(work.of(shard), before, columns) for shard in work.shards), lambda: _vectors(work))


def _rows(work: Work, before: str, columns: list[str]) -> pa.Table:
    """One shard's samples with what makes one preferred to another."""
    return pool_rows(
        work.read_own(before, "decision", ["sample_id", "kept"]),
        work.read("crawl", "sample", ["sample_id", "image_id", *columns]),
        work.read("crawl", "image", ["image_id", "sha256", "phash", "width", "height"]),
        work.read("rights", "rights", ["sample_id", "verdict"]),
        work.read("embeddings", "score", ["sample_id", "scorer", "value"]),
        SCORER,
    )


def _vectors(work: Work) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for part in work.each("embeddings", "embedding", ["sample_id", "image_raw"]):
        yield part["sample_id"].to_numpy(), as_matrix(part["image_raw"])


def _report(work: Work) -> Any:
    """Says how far the search for near pairs is, at every tenth."""
    said = [-1]

    def report(share: float) -> None:
        if int(10 * share) > said[0]:
            said[0] = int(10 * share)
            progress.say(work.step.name, f"{100 * share:.0f} % of the cells compared")

    return report


@check(dedup, "every_copy_names_one_that_stays")
def every_copy_names_one_that_stays(build: Build) -> tuple[bool, str]:
    """Every copy went in favor of another sample, which itself stays."""
    columns = ["sample_id", "kept", "other_sample_id"]
    parts = (part for path in build.paths("dedup") for part in build.lake.each_group(path, columns))
    return copies_name_who_stays(parts, others_stay=build.recipe.dedup.rule == "greedy")
