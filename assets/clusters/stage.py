"""Concepts: few and coarse, by k-means on what is left."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.clusters.assign import members
from assets.clusters.kmeans import train_centroids
from assets.embeddings.cache import as_matrix
from assets.provenance.decisions import kept_ids
from orchestration.plan import Build, Work
from orchestration.recipe import Recipe
from orchestration.stages import check, stage


def _section(recipe: Recipe) -> object:
    return recipe.clusters.model_dump()


def _nothing(recipe: Recipe) -> None:
    return None


@stage(
    group="clusters",
    tables=["centroid"],
    reads=["embeddings", "dedup"],
    section=_section,
    code=["assets.clusters.kmeans"],
    libraries=["faiss-cpu", "numpy"],
    kinds={"parquet", "faiss"},
)
def centroids(work: Work) -> Mapping[str, pa.Table]:
    """Spherical k-means over all shards, on a seeded training sample of the survivors."""
    rows = survivors(work)
    config = {**work.config}
    found = train_centroids(as_matrix(rows["image_raw"]), rows["sample_id"].to_numpy(), **config)
    flat = pa.array(found.vectors.ravel(), pa.float32())
    vectors = pa.FixedSizeListArray.from_arrays(flat, found.vectors.shape[1])
    return {"centroid": pa.table({"cluster_id": np.arange(len(found.vectors), dtype=np.uint32), "vector": vectors})}


@stage(
    group="clusters",
    tables=["cluster_member"],
    reads=["embeddings", "dedup", "centroids"],
    section=_nothing,
    code=["assets.clusters.assign"],
    libraries=["numpy"],
    per_shard=True,
)
def membership(work: Work) -> Mapping[str, pa.Table]:
    """Every survivor's nearest concept, and how far it lies from it."""
    rows = survivors(work)
    centers = as_matrix(work.read("centroids")["vector"])
    dims = centers.shape[1]
    vectors = as_matrix(rows["image_raw"]) if rows.num_rows else np.empty((0, dims), np.float16)
    return {"cluster_member": members(rows["sample_id"].to_numpy(), vectors, centers)}


def survivors(work: Work) -> pa.Table:
    """sample_id and raw vector of what dedup kept: of this shard, or of all."""
    rows = work.read("embeddings", "embedding", ["sample_id", "image_raw"])
    return rows.filter(pc.is_in(rows["sample_id"], pa.array(kept_ids(work.read("dedup", "decision"))))).sort_by(
        "sample_id"
    )


@check(membership, "every_survivor_has_a_concept")
def every_survivor_has_a_concept(build: Build) -> tuple[bool, str]:
    """Each sample that dedup kept belongs to one concept."""
    if not all(build.done(build.steps["membership"], shard) for shard in build.snapshot.shards):
        return True, "not all shards are assigned yet"
    kept = kept_ids(build.read("dedup", "decision")).tolist()
    assigned = sorted(build.read("membership")["sample_id"].to_pylist())
    return kept == assigned, f"{len(kept)} samples kept, {len(assigned)} assigned"
