"""SemDeDup's published rule, for comparison (Abbas et al. 2023, and its released code).

Inside each k-means cell, members are sorted by distance to the centroid, farthest first, and a member goes when its
cosine to any *earlier* member exceeds the threshold, whether that one stays or not. So in a chain a~b~c both b and c go,
though c resembles nothing that stays; Winnow's own rule (cover.py) keeps c. Neighbor cells are not looked at.
"""

from __future__ import annotations

import numpy as np

from assets.dedup.cover import Best
from assets.dedup.store import Store
from assets.dedup.vectors import Screen, cosines, screen, unit_rows

TILE = 512
"""Rows of a tile: few, so that little above the diagonal is taken twice."""


def semdedup(store: Store, threshold: float) -> tuple[np.ndarray, Best]:
    """(n,) bool, which vectors stay, by number; and for each that goes the nearest earlier one, which may go itself.

    Args:
        store: vectors in cells.
        threshold: cosine; above it a vector is a copy.
    """
    best = Best(len(store.number))
    fast = screen(store.dims, len(store.number))
    for cell in range(store.cells):
        first, last = int(store.start[cell]), int(store.start[cell + 1])
        unit, number = unit_rows(store.read(first, last)), store.number[first:last]
        later, earlier, cosine = copies(unit, farthest_first(unit, number), threshold, fast)
        best.offer(number[later], number[earlier], cosine)
    return best.other < 0, best


def farthest_first(unit: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Rows of a cell by their distance to its centroid, farthest first, ties to the lower number."""
    center = unit_rows(unit.sum(axis=0, keepdims=True, dtype=np.float64)) if len(unit) > 1 else unit
    cosine = cosines(unit, center, np.arange(len(unit)), np.zeros(len(unit), np.int64))
    return np.lexsort((number, cosine))


def copies(
    unit: np.ndarray, order: np.ndarray, threshold: float, fast: Screen
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of a cell above the threshold: row that comes later in `order`, row that comes earlier, cosine.

    Args:
        unit: (n, d) float32 unit rows.
        order: (n,) rows in the order in which they are looked at.
        threshold: cosine.
        fast: takes products of these rows.
    """
    packed = fast.pack(unit[order])
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for i in range(0, len(unit), TILE):
        # One row of tiles, from its own diagonal on: each pair once.
        p, q = fast.above(packed[i : i + TILE], packed[i:], threshold)
        p, q = p[p < q], q[p < q]
        later, earlier = order[q + i], order[p + i]
        cosine = cosines(unit, unit, later, earlier)
        near = cosine > threshold
        found.append((later[near], earlier[near], cosine[near]))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))  # type: ignore[return-value]
