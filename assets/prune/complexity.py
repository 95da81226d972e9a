"""Concept complexity: how much there is to learn in a cluster (Abbas, Rusak et al., ICLR 2024, section 3)."""

from __future__ import annotations

import numpy as np

from assets.dedup.vectors import TILE_CELLS

F32 = np.ndarray


def isolation(centroids: F32, neighbors: int = 20) -> F32:
    """d_inter: mean cosine distance of each centroid to its nearest other centroids.

    Args:
        centroids: (k, d) unit vectors.
        neighbors: how many count; capped at k - 1.

    Returns:
        (k,) float32; 0 for a single concept.
    """
    k = len(centroids)
    count = min(neighbors, k - 1)
    if count < 1:
        return np.zeros(k, np.float32)
    wide = centroids.astype(np.float64)
    found = np.empty(k)
    rows = max(1, TILE_CELLS // k)
    for at in range(0, k, rows):
        distance = 1 - wide[at : at + rows] @ wide.T
        # A centroid is no neighbor of itself; one that equals it is.
        distance[np.arange(len(distance)), np.arange(at, at + len(distance))] = np.inf
        found[at : at + rows] = np.sort(np.partition(distance, count - 1, axis=1)[:, :count], axis=1).mean(axis=1)
    return np.maximum(found, 0).astype(np.float32)


def complexity(centroids: F32, d_intra: F32, neighbors: int = 20) -> F32:
    """Complexity of each concept: spread of its members times distance to its neighbors.

    Args:
        centroids: (k, d) unit vectors.
        d_intra: (k,) mean cosine distance of members to their centroid; NaN for an empty concept.
        neighbors: how many nearest centroids count as the neighborhood; capped at k - 1.

    Returns:
        (k,) complexity; 0 for an empty concept.
    """
    return product(d_intra, isolation(centroids, neighbors))


def product(d_intra: F32, d_inter: F32) -> F32:
    """(k,) float32 d_intra * d_inter, 0 where d_intra is NaN: an empty concept."""
    return np.where(np.isnan(d_intra), 0, d_intra * d_inter).astype(np.float32)


def shares(complexity_of: F32, size: np.ndarray, temperature: float) -> np.ndarray:
    """(k,) float64 share of each concept: softmax of complexity / temperature over concepts that have members.

    Raises ValueError unless temperature is above 0 and the complexity of every concept with members is finite.
    """
    if not temperature > 0:
        raise ValueError(f"prune.temperature is {temperature}, but must be above 0")
    share = np.zeros(len(size))
    there = np.flatnonzero(size > 0)
    if len(there):
        logits = complexity_of[there].astype(np.float64)
        if not np.isfinite(logits).all():
            wrong = there[np.argmin(np.isfinite(logits))]
            raise ValueError(
                f"the complexity of concept {wrong} is {complexity_of[wrong]}, but must be a finite number"
            )
        # The difference first: at tiny temperatures a quotient alone would be infinite.
        with np.errstate(over="ignore", under="ignore"):
            weights = np.exp((logits - logits.max()) / temperature)
        share[there] = weights / weights.sum()
    return share
