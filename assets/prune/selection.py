"""Selection: which samples of a concept stay, given its quota."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from assets.clusters.kmeans import splitmix
from assets.provenance.decisions import decision_table

WAYS = ("hard", "easy", "random")


def select(member: pa.Table, cluster: pa.Table, way: str = "hard", seed: int = 0) -> pa.Table:
    """Decisions of stage prune, by sample_id: each concept keeps its quota.

    Args:
        member: table `cluster_member`.
        cluster: table `cluster`.
        way: `hard` keeps what is farthest from the centroid, `easy` what is nearest, `random` what a keyed hash picks.
        seed: key of the hash.

    Returns:
        Table `decision`. The score is the distance to the centroid (for `random` the hash, in [0, 1)), the threshold
        that of the last sample its concept keeps: for `hard` a dropped score is at or below it, otherwise at or above.
        Equal scores go to the lower sample_id. The threshold is null where a concept keeps nothing.
    """
    if way not in WAYS:
        raise ValueError(f"prune.select is {way!r}, but must be one of {', '.join(WAYS)}")
    ids = member["sample_id"].to_numpy()
    concept = member["cluster_id"].to_numpy().astype(np.int64)
    distance = member["distance"].to_numpy().astype(np.float64)
    score = _hashes(ids, seed) if way == "random" else distance
    numbers = cluster["cluster_id"].to_numpy().astype(np.int64)
    if np.isnan(distance).any():
        raise ValueError("prune: a sample's distance to its centroid is not a number")
    if len(unknown := np.setdiff1d(concept, numbers)):
        raise ValueError(f"prune: samples belong to concept {unknown[0]}, which table cluster does not have")
    quota = np.zeros(numbers.max(initial=-1) + 1, np.int64)
    quota[numbers] = cluster["quota"].to_numpy()
    order = np.lexsort((ids, -score if way == "hard" else score, concept))
    place = _places(concept[order])
    kept = np.empty(len(ids), dtype=bool)
    kept[order] = place < quota[concept[order]]
    limit = np.full(len(quota), np.nan)
    last = order[place == quota[concept[order]] - 1]
    limit[concept[last]] = score[last]
    reason = [None if stays else "over_quota" for stays in kept.tolist()]
    return decision_table("prune", ids, kept, reason, score, limit[concept]).sort_by("sample_id")


def _places(sorted_concept: np.ndarray) -> np.ndarray:
    """Position of each row among the rows of its concept, for rows sorted by concept."""
    return np.arange(len(sorted_concept)) - np.searchsorted(sorted_concept, sorted_concept)


def _hashes(ids: np.ndarray, seed: int) -> np.ndarray:
    """(n,) numbers in [0, 1) that depend on id and seed alone."""
    key = splitmix(np.array([seed], np.uint64))[0]
    return np.ldexp((splitmix(ids.astype(np.uint64) ^ key) >> np.uint64(11)).astype(np.float64), -53)
