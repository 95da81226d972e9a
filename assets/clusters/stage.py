"""Concepts: few and coarse, by k-means on what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.clusters import report
from assets.clusters.assign import members
from assets.clusters.kmeans import Training, take_sample, training_ids
from assets.clusters.stable import stable_ids
from assets.clusters.sweep import candidates, choose, held_out_size, kmeans_table, sweep_k
from assets.embeddings.cache import CONCEPTS, ENCODER, as_matrix
from orchestration.earlier import earlier_file
from orchestration.plan import Build, Rows, Work
from orchestration.recipe import Recipe, RecipeError
from orchestration.stages import check, stage

VECTORS_BY = "winnow.vectors"
"""Parquet key-value metadata of table `centroid`: the key of the encoder whose vectors were clustered."""


def _section(recipe: Recipe) -> dict[str, Any]:
    return recipe.clusters.model_dump()


def _nothing(recipe: Recipe) -> object:
    return {}


def _resolved(build: Build, section: dict[str, Any]) -> dict[str, Any]:
    """The section with the earlier build's centroids, by their file and hash, in the place of the build's name."""
    name = section["warm_start"]
    return {**section, "warm_start": earlier_file(build, name, "clusters.warm_start", "centroid") if name else None}


@stage(
    group="clusters",
    tables=["centroid", "kmeans"],
    reads=["embeddings", "decontaminate"],
    section=_section,
    resolve=_resolved,
    code=["assets.clusters.kmeans", "assets.clusters.sweep", "assets.clusters.stable"],
    libraries=["numpy", "scipy"],
    show=report.training,
)
def centroids(work: Work) -> Mapping[str, Rows]:
    """Spherical k-means on a seeded training sample of all survivors, which are read shard by shard.

    Several numbers of concepts where the recipe asks for a sweep or for `k: auto`; from the centroids of an earlier
    build where it names one, and then concepts keep their ids.
    """
    config = work.config
    survivors = sum(int(pc.sum(part["kept"]).as_py() or 0) for part in work.each("decontaminate", "decision", ["kept"]))
    ks = candidates(config["k"], config["sweep"], survivors)
    held = held_out_size(ks, survivors)
    size = min(ks[-1] * config["points_per_centroid"], survivors - held)
    sample = take_sample(_vectors(work), training_ids(_kept_ids(work), size + held, config["seed"]))
    start = _earlier(work)
    training = Training(config["seed"], config["iterations"], config["tolerance"])
    tried = sweep_k(
        sample[:size], sample[size:], ks, config["points_per_centroid"], training, start[1] if start else None
    )
    chosen = choose(tried, config["k"])
    found = chosen.centroids.vectors
    names = stable_ids(found, start[1], start[0]) if start else np.arange(len(found))
    order = np.argsort(names)
    flat = pa.array(found[order].ravel(), pa.float32())
    vectors = pa.FixedSizeListArray.from_arrays(flat, found.shape[1])
    table = pa.table({"cluster_id": names[order].astype(np.uint32), "vector": vectors})
    return {"centroid": table, "kmeans": kmeans_table(tried, chosen)}


@stage(
    group="clusters",
    tables=["cluster_member"],
    reads=["embeddings", "decontaminate", "centroids"],
    section=_nothing,
    code=["assets.clusters.assign"],
    libraries=["numpy"],
    per_shard=True,
)
def membership(work: Work) -> Mapping[str, Rows]:
    """Every survivor's nearest concept, and how far it lies from it."""
    centroid = work.read("centroids")
    centers, names = as_matrix(centroid["vector"]), centroid["cluster_id"].to_numpy()
    return {"cluster_member": (members(ids, vectors, centers, names) for ids, vectors in _own_vectors(work))}


def _kept_ids(work: Work) -> Iterator[np.ndarray]:
    for part in work.each("decontaminate", "decision", ["sample_id", "kept"]):
        yield part["sample_id"].filter(part["kept"]).to_numpy()


def _vectors(work: Work) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids and vectors of all samples, whether or not they are left."""
    for part in work.each("embeddings", "embedding", ["sample_id", "image_raw"]):
        yield part["sample_id"].to_numpy(), as_matrix(part["image_raw"])


def _own_vectors(work: Work) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids and vectors of this shard's samples that are left."""
    decision = work.read_own("decontaminate", "decision", ["sample_id", "kept"])
    kept = decision["sample_id"].filter(decision["kept"]).combine_chunks()
    for part in work.each("embeddings", "embedding", ["sample_id", "image_raw"]):
        left = part.filter(pc.is_in(part["sample_id"], kept))
        if left.num_rows:
            yield left["sample_id"].to_numpy(), as_matrix(left["image_raw"])


def _earlier(work: Work) -> tuple[np.ndarray, np.ndarray] | None:
    """Ids and vectors of the centroids that the recipe starts from; also notes whose vectors are clustered here."""
    lake, recipe = work.build.lake, work.build.recipe
    told = [_vectors_by(lake.table_metadata(path)) for path in work.paths("embeddings", "embedding")[:1]]
    work.metadata.update({VECTORS_BY: told[0]} if told and told[0] else {})
    start = work.config["warm_start"]
    if start is None:
        return None
    path = lake.home / start["uri"]
    table, theirs = lake.read_table([path]), lake.table_metadata(path).get(VECTORS_BY)
    if theirs != work.metadata.get(VECTORS_BY):
        raise RecipeError(
            f"{recipe.path}: clusters.warm_start is {recipe.clusters.warm_start}, but the vectors of that build are by"
            " another encoder, so its concepts mean nothing here; name a build with the same encoder, or leave it out"
        )
    return table["cluster_id"].to_numpy(), as_matrix(table["vector"])


def _vectors_by(metadata: Mapping[str, str]) -> str | None:
    """Key of the encoder that made the vectors which are clustered."""
    return metadata.get(CONCEPTS) or metadata.get(ENCODER)


@check(membership, "every_survivor_has_a_concept")
def every_survivor_has_a_concept(build: Build) -> tuple[bool, str]:
    """Each sample that is left belongs to one concept."""
    if not all(build.done(build.steps["membership"], shard) for shard in build.snapshot.shards):
        return True, "not all shards are assigned yet"
    total = 0
    for shard in build.snapshot.shards:
        work = Work(build, build.steps["membership"], shard, {})
        decision = work.read_own("decontaminate", "decision", ["sample_id", "kept"])
        kept = decision["sample_id"].filter(decision["kept"])
        assigned = build.read("membership", columns=["sample_id"], shard=shard)["sample_id"]
        if not np.array_equal(kept.to_numpy(), assigned.to_numpy()):
            return False, f"shard {shard.label}: {len(kept)} samples are left, {len(assigned)} assigned, not the same"
        total += len(kept)
    return True, f"{total} samples are left and assigned"
