"""Spherical k-means on an explicit, seeded sample (faiss would silently train on 256 points per centroid)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assets.dedup.vectors import DIGITS, nearest, unit_rows

REPAIRS = 3
"""How often concepts without members are moved to where the sample is served worst, before they are given up."""


@dataclass(frozen=True)
class Centroids:
    """Concepts.

    Attributes:
        vectors: (k, d) float32 unit vectors; each is the nearest one of some vector of the training sample.
        objective: sum of cosines of the training sample to its centroids, per iteration.
        sampled: how many vectors were trained on.
    """

    vectors: np.ndarray
    objective: np.ndarray
    sampled: int


def training_rows(ids: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Rows of a sample of `size`, chosen by keyed hash of the id and so independent of order and shards; ascending.

    Args:
        ids: (n,) uint64.
        size: how many; n if there are fewer.
        seed: key.
    """
    if len(ids) <= size:
        return np.arange(len(ids))
    mixed = splitmix(ids.astype(np.uint64) ^ splitmix(np.array([seed], np.uint64))[0])
    order = np.lexsort((ids, mixed))
    return np.sort(order[:size])


def splitmix(values: np.ndarray) -> np.ndarray:
    """A fixed 64-bit mix (splitmix64, Steele, Lea and Flood 2014): equal values give equal, well-spread numbers."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def train_centroids(
    vectors: np.ndarray, ids: np.ndarray, k: int, seed: int, iterations: int, points_per_centroid: int, threads: int
) -> Centroids:
    """Spherical k-means; where there are fewer different vectors than k, each is a concept, and there are fewer than k.

    Args:
        vectors: (n, d) unit vectors.
        ids: (n,) sample ids, which pick the training sample.
        k: concepts asked for.
        seed: of sample and start.
        iterations: of k-means.
        points_per_centroid: sample size over k.
        threads: of faiss; part of what makes the result repeat.

    Raises:
        ValueError: if there are no vectors, or a number is below 1.
    """
    for name, value in (("k", k), ("iterations", iterations), ("points_per_centroid", points_per_centroid)):
        if value < 1:
            raise ValueError(f"clusters.{name} is {value}, but must be at least 1")
    if len(vectors) == 0:
        raise ValueError(
            "clusters: no sample is left, so there is nothing to cluster; the funnel says which stage dropped them"
        )
    rows = training_rows(np.asarray(ids), k * points_per_centroid, seed)
    # By id, so that the order in which samples come changes nothing.
    rows = rows[np.argsort(np.asarray(ids)[rows], kind="stable")]
    sample = np.ascontiguousarray(unit_rows(vectors[rows]))
    centers, objective = _kmeans(sample, min(k, len(sample)), None, seed, iterations, threads)
    for _ in range(REPAIRS):
        concept, cosine = nearest(sample, centers)
        empty = np.flatnonzero(np.bincount(concept, minlength=len(centers)) == 0)
        lonely = _lonely(sample, cosine, len(empty))
        if len(lonely) == 0:
            break
        centers[empty[: len(lonely)]] = sample[lonely]
        centers, objective = _kmeans(sample, len(centers), centers, seed, iterations, threads)
    used = np.bincount(nearest(sample, centers)[0], minlength=len(centers)) > 0
    return Centroids(centers[used], objective, len(sample))


def _kmeans(
    sample: np.ndarray, k: int, start: np.ndarray | None, seed: int, iterations: int, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """(k, d) unit centroids and the objective per iteration, by faiss on every vector of the sample."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        kmeans: Any = faiss.Kmeans(
            sample.shape[1],
            k,
            niter=iterations,
            spherical=True,
            seed=seed,
            max_points_per_centroid=len(sample),
            min_points_per_centroid=1,
            # Starts spread out (Bachem et al., NeurIPS 2016): about 1 % nearer to their centroids than random ones.
            init_method=faiss.ClusteringInitMethod_AFK_MC2,
        )
        kmeans.train(sample, init_centroids=start)
    finally:
        faiss.omp_set_num_threads(before)
    return unit_rows(np.asarray(kmeans.centroids)), np.asarray(kmeans.obj, dtype=np.float64)


def _lonely(sample: np.ndarray, cosine: np.ndarray, count: int) -> np.ndarray:
    """Up to `count` different vectors that lie farthest from their centroids, none of which is one."""
    chosen: list[int] = []
    seen: set[bytes] = set()
    for row in np.argsort(cosine, kind="stable"):
        if len(chosen) == count or cosine[row] >= 1 - 10.0**-DIGITS:
            break
        if sample[row].tobytes() not in seen:
            seen.add(sample[row].tobytes())
            chosen.append(int(row))
    return np.array(chosen, dtype=np.int64)
