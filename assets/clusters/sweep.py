"""How many concepts: what several numbers of them explain of vectors they were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from assets.clusters.kmeans import Centroids, Training, train_centroids
from assets.dedup.vectors import DIGITS, nearest

STEPS = 7
"""Numbers that `auto` tries, each twice the one before."""
MOST = 4096
"""What `auto` tries at most: concepts are coarse, and the training sample grows with their number."""

HELD_OUT = 8192
"""Vectors that numbers of concepts are held against, at most."""


def held_out_size(ks: Sequence[int], samples: int) -> int:
    """How many vectors are held out: a tenth of the pool at most, and so few that the largest k can be trained.

    Args:
        ks: numbers of concepts that are tried; for one alone nothing is held out.
        samples: vectors of the pool.
    """
    return max(0, min(HELD_OUT, samples // 10, samples - max(ks))) if len(ks) > 1 else 0


@dataclass(frozen=True)
class Tried:
    """One number of concepts.

    Attributes:
        k: how many were asked for.
        centroids: what k-means found.
        held_out: mean cosine of held-out vectors to their nearest centroid; None where there were none.
    """

    k: int
    centroids: Centroids
    held_out: float | None


def candidates(k: int | str, sweep: Sequence[int], samples: int) -> list[int]:
    """Numbers of concepts to try, ascending, without repetition.

    Args:
        k: a number, or `auto`.
        sweep: numbers that the recipe lists; tried besides k.
        samples: vectors of the pool: with `auto` and no list, seven numbers are tried, each twice the one before, around
            the square root of half of them, which is a rule of thumb, and none above 4096.
    """
    asked = set(sweep) | ({int(k)} if k != "auto" else set())
    if k == "auto" and not sweep:
        middle = max(1, round(np.sqrt(samples / 2)))
        asked = {min(MOST, max(1, round(middle * 2.0 ** (step - STEPS // 2)))) for step in range(STEPS)}
    return sorted(min(one, max(samples, 1)) for one in asked)


def knee(ks: Sequence[int], values: Sequence[float]) -> int:
    """The k above which more concepts explain little: where the curve over log k lies highest above its chord.

    Kneedle (Satopaa et al. 2011) for a rising curve, without smoothing; of equal heights the smallest k. Of fewer than
    three, and where nothing is gained, the k that explains most.

    Args:
        ks: ascending.
        values: what each explains.
    """
    if len(ks) < 3 or values[-1] <= values[0]:
        return ks[int(np.argmax(values))]
    x = np.log(np.asarray(ks, dtype=np.float64))
    y = np.asarray(values, dtype=np.float64)
    height = (y - y[0]) / (y[-1] - y[0]) - (x - x[0]) / (x[-1] - x[0])
    return ks[int(np.argmax(np.round(height, DIGITS)))]


def sweep_k(
    sample: np.ndarray,
    held_out: np.ndarray,
    ks: Sequence[int],
    points_per_centroid: int,
    training: Training,
    start: np.ndarray | None = None,
) -> list[Tried]:
    """Train for several numbers of concepts and measure each on held-out vectors.

    Args:
        sample: (n, d) unit vectors in the order in which they were drawn; k concepts train on the first
            k * points_per_centroid of them.
        held_out: (m, d) unit vectors.
        ks: numbers of concepts.
        points_per_centroid: vectors per concept.
        training: of k-means.
        start: where to start from; see `train_centroids`.
    """
    found = []
    for k in ks:
        centroids = train_centroids(sample[: k * points_per_centroid], k, training, start)
        mean = float(np.round(nearest(held_out, centroids.vectors)[1].mean(), DIGITS)) if len(held_out) else None
        found.append(Tried(k, centroids, mean))
    return found


def choose(tried: Sequence[Tried], k: int | str) -> Tried:
    """The one that the recipe asks for, or the knee of the held-out curve."""
    if k != "auto":
        return next(one for one in tried if one.k == min(int(k), max(other.k for other in tried)))
    measured = [one.held_out if one.held_out is not None else one.centroids.objective[-1] for one in tried]
    best = knee([one.k for one in tried], [float(value) for value in measured])
    return next(one for one in tried if one.k == best)


def kmeans_table(tried: Sequence[Tried], chosen: Tried) -> pa.Table:
    """Table `kmeans`: every iteration of every number of concepts that was tried."""
    rows = [
        {
            "k": one.k,
            "iteration": number + 1,
            "objective": float(value),
            "moved": int(moved),
            "held_out": one.held_out if number + 1 == len(one.centroids.objective) else None,
            "chosen": one is chosen,
        }
        for one in tried
        for number, (value, moved) in enumerate(zip(one.centroids.objective, one.centroids.moved, strict=True))
    ]
    schema = pa.schema(
        [("k", pa.uint32()), ("iteration", pa.uint32()), ("objective", pa.float64()), ("moved", pa.uint32()),
         ("held_out", pa.float64()), ("chosen", pa.bool_())]
    )  # fmt: skip
    return pa.Table.from_pylist(rows, schema)
