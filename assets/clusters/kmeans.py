"""Spherical k-means on an explicit, seeded sample that fits in memory, whatever the size of the pool.

Assignments are exact (assets/dedup/vectors.py), sums are taken in one fixed order: the same sample gives the same
concepts on any number of threads. faiss would silently train on 256 points per centroid, leave empty concepts where they
are and give other bits for another number of threads; bench/kmeans.py holds both against each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from assets.dedup.vectors import DIGITS, nearest, unit_rows

ROUNDS = 5
"""Rounds in which starts are drawn: each draws a part of them, far from those before (k-means||, Bahmani et al. 2012)."""
CHUNK = 1 << 14
"""Vectors summed at a time."""


@dataclass(frozen=True)
class Centroids:
    """Concepts.

    Attributes:
        vectors: (k, d) float32 unit vectors; each is the nearest one of some vector of the training sample.
        objective: (iterations,) mean cosine of the training sample to its centroids, before each move of these.
        moved: (iterations,) concepts without members that were moved to where the sample is served worst.
    """

    vectors: np.ndarray
    objective: np.ndarray
    moved: np.ndarray


@dataclass(frozen=True)
class Training:
    """How k-means runs.

    Attributes:
        seed: of sample and starts.
        iterations: at most.
        tolerance: it stops when an iteration takes less than this share of what the mean cosine lacks to 1.
    """

    seed: int = 0
    iterations: int = 20
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ValueError(f"clusters.iterations is {self.iterations}, but must be at least 1")
        if not self.tolerance >= 0:
            raise ValueError(f"clusters.tolerance is {self.tolerance}, but must not be negative")


def training_ids(parts: Iterable[np.ndarray], size: int, seed: int) -> np.ndarray:
    """Ids of a sample, chosen by keyed hash and so independent of order and shards; in the order of the hashes.

    Args:
        parts: (m,) uint64 ids, in however many parts.
        size: how many; all if there are fewer. No more than these and one part are held.
        seed: key.
    """
    key = splitmix(np.array([seed], np.uint64))[0]
    ids, mixed = np.empty(0, np.uint64), np.empty(0, np.uint64)
    for part in parts:
        ids = np.concatenate([ids, part.astype(np.uint64)])
        mixed = np.concatenate([mixed, splitmix(part.astype(np.uint64) ^ key)])
        if len(ids) > size:
            best = np.argpartition(mixed, size - 1)[:size] if size else np.empty(0, np.int64)
            ids, mixed = ids[best], mixed[best]
    return ids[np.lexsort((ids, mixed))]


def take_sample(parts: Iterable[tuple[np.ndarray, np.ndarray]], ids: np.ndarray) -> np.ndarray:
    """(len(ids), d) float32 unit vectors of some ids, in the order of the ids.

    Args:
        parts: ((m,) ids, (m, d) vectors), in however many parts.
        ids: those wanted.

    Raises:
        ValueError: where there are no ids, or one of them has no vector.
    """
    if len(ids) == 0:
        raise ValueError(
            "clusters: no sample is left, so there is nothing to cluster; the funnel says which stage dropped them"
        )
    order = np.argsort(ids)
    sorted_ids = ids[order]
    sample: np.ndarray | None = None
    filled = np.zeros(len(ids), dtype=bool)
    for part, vectors in parts:
        place = np.minimum(np.searchsorted(sorted_ids, part), len(ids) - 1)
        rows = np.flatnonzero(sorted_ids[place] == part)
        if len(rows):
            sample = np.empty((len(ids), vectors.shape[1]), np.float32) if sample is None else sample
            sample[order[place[rows]]] = unit_rows(vectors[rows])
            filled[order[place[rows]]] = True
    if sample is None or not filled.all():
        raise ValueError(
            f"clusters: sample {ids[np.argmin(filled)]} has no vector; run the build again from embeddings"
        )
    return sample


def splitmix(values: np.ndarray) -> np.ndarray:
    """A fixed 64-bit mix (splitmix64, Steele, Lea and Flood 2014): equal values give equal, well-spread numbers."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def train_centroids(
    sample: np.ndarray, k: int, training: Training | None = None, start: np.ndarray | None = None
) -> Centroids:
    """Spherical k-means; where there are fewer different vectors than k, each is a concept, and there are fewer than k.

    Args:
        sample: (n, d) float32 unit vectors, n > 0.
        k: concepts asked for.
        training: see `Training`.
        start: (m, d) unit vectors to start from; what k lacks is drawn, of more than k the most used stay.

    Raises:
        ValueError: if k is below 1.
    """
    if k < 1:
        raise ValueError(f"clusters.k is {k}, but must be at least 1")
    training = training or Training()
    centers = starts(sample, min(k, len(sample)), training.seed, start)
    objective: list[float] = []
    moved: list[int] = []
    for _ in range(training.iterations):
        concept, cosine = nearest(sample, centers)
        objective.append(_mean(cosine))
        empty = np.flatnonzero(np.bincount(concept, minlength=len(centers)) == 0)
        lonely = _lonely(sample, cosine, len(empty))
        moved.append(len(lonely))
        lacking = 1 - objective[-1]
        if len(objective) > 1 and not len(lonely) and objective[-1] - objective[-2] <= training.tolerance * lacking:
            break
        centers = _means(sample, concept, centers)
        centers[empty[: len(lonely)]] = sample[lonely]
    used = np.bincount(nearest(sample, centers)[0], minlength=len(centers)) > 0
    return Centroids(centers[used], np.array(objective), np.array(moved, dtype=np.int64))


def starts(sample: np.ndarray, k: int, seed: int, given: np.ndarray | None = None) -> np.ndarray:
    """(k, d) vectors to start from: rows of the sample, drawn in rounds by their distance to those already drawn.

    Args:
        sample: (n, d) unit vectors, n >= k.
        k: how many.
        seed: of the draws.
        given: (m, d) unit vectors that count as drawn already; of more than k the most used stay.
    """
    rng = np.random.default_rng(seed)
    if given is not None and len(given) > k:
        use = np.bincount(nearest(sample, given)[0], minlength=len(given))
        return np.ascontiguousarray(given[np.sort(np.argsort(-use, kind="stable")[:k])], np.float32)
    chosen = sample[rng.integers(0, len(sample), 1)] if given is None else np.asarray(given, np.float32)
    distance = 1 - nearest(sample, chosen)[1]
    for left in range(ROUNDS, 0, -1):
        count = -(-(k - len(chosen)) // left)
        if count <= 0:
            continue
        # Whole numbers, so that their sums are exact.
        weight = np.cumsum(np.rint(distance * 10**DIGITS).astype(np.int64))
        if weight[-1] == 0:
            more = rng.choice(len(sample), count, replace=False)
        else:
            more = np.searchsorted(weight, rng.integers(0, weight[-1], count), side="right")
        drawn = sample[more]
        chosen = np.concatenate([chosen, drawn])
        distance = np.minimum(distance, 1 - nearest(sample, drawn)[1])
    return chosen


def _means(sample: np.ndarray, concept: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(k, d) unit means of the members of each concept; one without members, or whose members cancel, stays."""
    from scipy import sparse

    k = len(before)
    total = np.zeros(before.shape, np.float64)
    for at in range(0, len(sample), CHUNK):
        part, which = sample[at : at + CHUNK].astype(np.float64), concept[at : at + CHUNK]
        ones = sparse.csr_matrix((np.ones(len(part)), (which, np.arange(len(part)))), shape=(k, len(part)))
        total += ones @ part
    length = np.linalg.norm(total, axis=1)
    found = before.copy()
    found[length > 1e-9] = unit_rows(total[length > 1e-9])
    return found


def _mean(cosine: np.ndarray) -> float:
    """Mean of cosines in six decimals, by an exact sum."""
    return float(np.rint(cosine * 10**DIGITS).astype(np.int64).sum()) / 10**DIGITS / len(cosine)


def _lonely(sample: np.ndarray, cosine: np.ndarray, count: int) -> np.ndarray:
    """Up to `count` different vectors that lie farthest from their centroids, none of which is one."""
    chosen: list[int] = []
    seen: set[bytes] = set()
    for row in np.argsort(cosine, kind="stable") if count else []:
        if len(chosen) == count or cosine[row] >= 1 - 10.0**-DIGITS:
            break
        if sample[row].tobytes() not in seen:
            seen.add(sample[row].tobytes())
            chosen.append(int(row))
    return np.array(chosen, dtype=np.int64)
