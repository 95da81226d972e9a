"""Unit vectors: stored as float16, compared so that tiles, threads and neighbors change nothing."""

from __future__ import annotations

import numpy as np

DIGITS = 6
"""Decimals of a cosine in a decision: finer than float16 vectors are, coarser than any order of summing."""
TILE_CELLS = 1 << 22
"""Products held at a time: 16 MiB of float32."""
MAX_ROWS = 4096
GATHER = 512
"""Pairs measured at a time: a few MiB of float64."""


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """(n, d) float32 of unit length, from vectors of any float type and length.

    Raises ValueError, naming the row, for a vector without direction: zero, or not finite.
    """
    wide = vectors.astype(np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", wide, wide, dtype=np.float64))
    lost = np.flatnonzero(~(np.isfinite(length) & (length > 1e-12)))
    if len(lost):
        raise ValueError(f"vector {lost[0]} of {len(vectors)} has no direction: its length is {length[lost[0]]}")
    return (wide / length[:, None]).astype(np.float32)


def cosines(left: np.ndarray, right: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Cosines of the pairs (left[rows[i]], right[others[i]]), one pair at a time in double precision.

    Args:
        left, right: (n, d) and (m, d) float32 unit rows.
        rows, others: (p,) indices into them.

    Returns:
        (p,) float64, rounded to `DIGITS`.
    """
    found = np.empty(len(rows))
    for at in range(0, len(rows), GATHER):
        p, q = rows[at : at + GATHER], others[at : at + GATHER]
        found[at : at + GATHER] = np.einsum("ij,ij->i", left[p].astype(np.float64), right[q].astype(np.float64))
    return np.round(np.clip(found, -1, 1), DIGITS)


def slack(dims: int) -> float:
    """How far a float32 product of unit vectors may lie from their rounded cosine: rounding, and errors of d sums."""
    return 10.0**-DIGITS + dims * float(np.finfo(np.float32).eps)


def nearest(vectors: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest center of every vector, tile by tile; centers that are equally near by `cosines` go to the lower number.

    Args:
        vectors: (n, d) of any float type and length.
        centers: (k, d) float32 unit vectors, k > 0.

    Returns:
        (n,) int64 centers; (n,) float64 cosines.
    """
    found, cosine = np.empty(len(vectors), np.int64), np.empty(len(vectors))
    rows = max(1, min(MAX_ROWS, TILE_CELLS // len(centers)))
    margin = 2 * slack(vectors.shape[1])
    for at in range(0, len(vectors), rows):
        part = unit_rows(vectors[at : at + rows])
        product = part @ centers.T
        best = np.argmax(product, axis=1)
        near = product >= product[np.arange(len(part)), best][:, None] - margin
        for row in np.flatnonzero(np.count_nonzero(near, axis=1) > 1):
            rivals = np.flatnonzero(near[row])
            best[row] = rivals[np.argmax(cosines(part, centers, np.full(len(rivals), row), rivals))]
        found[at : at + rows] = best
        cosine[at : at + rows] = cosines(part, centers, np.arange(len(part)), best)
    return found, cosine
