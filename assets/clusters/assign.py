"""Membership: every sample's nearest concept, chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from assets.dedup.vectors import nearest

CHUNK = 1 << 15
DISTANCE_BITS = 32
"""Distances are summed as whole multiples of 2 ** -32: in any order, over any shards, the sum is the same."""


@dataclass(frozen=True)
class DistanceSums:
    """Size and spread of k concepts; those of several shards add up.

    Attributes:
        size: (k,) int64 members.
        total: (k,) int64 sum of distances, in units of 2 ** -32.
    """

    size: np.ndarray
    total: np.ndarray

    def __add__(self, other: DistanceSums) -> DistanceSums:
        return DistanceSums(self.size + other.size, self.total + other.total)

    def mean(self) -> np.ndarray:
        """(k,) float32 mean distance, NaN for an empty concept."""
        mean = np.full(len(self.size), np.nan)
        np.divide(np.ldexp(self.total.astype(np.float64), -DISTANCE_BITS), self.size, out=mean, where=self.size > 0)
        return mean.astype(np.float32)


def distance_sums(cluster_id: np.ndarray, distance: np.ndarray, k: int) -> DistanceSums:
    """Sums over some members.

    Args:
        cluster_id: (n,) concepts, below k.
        distance: (n,) cosine distances to their centroids, in [0, 2].
        k: number of concepts.

    Raises:
        ValueError: for a distance that is not finite.
    """
    wide = np.asarray(distance, dtype=np.float64)
    if not np.isfinite(wide).all():
        raise ValueError("clusters: a distance to a centroid is not a finite number")
    total = np.zeros(k, np.int64)
    np.add.at(total, cluster_id, np.rint(np.ldexp(wide, DISTANCE_BITS)).astype(np.int64))
    return DistanceSums(np.bincount(cluster_id, minlength=k).astype(np.int64), total)


def assign(vectors: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest centroid and cosine distance to it, 1 - cosine.

    Args:
        vectors: (n, d) unit vectors, float16 or float32.
        centroids: (k, d) unit vectors, float32.

    Returns:
        (n,) uint32 concepts, of equally near ones (cosines to six decimals) the lower number; (n,) float32 distances,
        at least 0, in six decimals.
    """
    concept, distance = np.empty(len(vectors), np.uint32), np.empty(len(vectors), np.float32)
    for at in range(0, len(vectors), CHUNK):
        found, cosine = nearest(vectors[at : at + CHUNK], centroids)
        concept[at : at + CHUNK] = found
        distance[at : at + CHUNK] = 1 - cosine
    return concept, distance


def members(sample_id: np.ndarray, vectors: np.ndarray, centroids: np.ndarray, cluster_id: np.ndarray) -> pa.Table:
    """Table `cluster_member` of some samples, in their order; `cluster_id` says the ids of the (k, d) centroids."""
    concept, distance = assign(vectors, centroids)
    ids = np.asarray(cluster_id, np.uint32)[concept]
    return pa.table({"sample_id": np.asarray(sample_id, np.uint64), "cluster_id": ids, "distance": distance})
