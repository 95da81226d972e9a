"""Copies out, before they dominate the concepts."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from assets.dedup.dedup import DedupSettings, deduplicate
from assets.embeddings.cache import as_matrix
from assets.embeddings.embed import SCORER
from assets.provenance.decisions import kept_ids
from orchestration.plan import Work
from orchestration.recipe import Recipe
from orchestration.stages import stage


def _section(recipe: Recipe) -> object:
    return recipe.dedup.model_dump()


@stage(
    group="dedup",
    tables=["decision"],
    reads=["crawl", "rights", "embeddings", "agreement"],
    section=_section,
    code=["assets.dedup.dedup"],
    libraries=["faiss-cpu", "numpy"],
)
def dedup(work: Work) -> Mapping[str, pa.Table]:
    """Exact and near duplicates, over all shards: one greedy pass in order of preference, every drop names who stays."""
    embedding = work.read("embeddings", "embedding", ["sample_id", "image_raw"])
    kept = pa.array(kept_ids(work.read("agreement", "decision")))
    embedding = embedding.filter(pc.is_in(embedding["sample_id"], kept)).sort_by("sample_id")
    sample = work.read("crawl", "sample", ["sample_id", "image_id", "image_url", "text"])
    image = work.read("crawl", "image", ["image_id", "sha256", "phash", "width", "height"])
    score = work.read("embeddings", "score", ["sample_id", "scorer", "value"])
    score = score.filter(pc.equal(score["scorer"], SCORER)).drop_columns("scorer").rename_columns({"value": "score"})
    verdict = work.read("rights", "rights", ["sample_id", "verdict"])
    rows = embedding.select(["sample_id"]).join(sample, "sample_id").join(image, "image_id")
    rows = rows.join(verdict, "sample_id").join(score, "sample_id").sort_by("sample_id").drop_columns("image_id")
    return {"decision": deduplicate(rows, as_matrix(embedding["image_raw"]), DedupSettings(**work.config))}
