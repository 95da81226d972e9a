"""SemDeDup's published rule, for comparison (Abbas et al. 2023, and its released code).

Inside each k-means cell, members are sorted by distance to the centroid, farthest first, and a member goes when its
cosine to any *earlier* member exceeds the threshold, whether that one stays or not. So in a chain a~b~c both b and c go,
though c resembles nothing that stays; Winnow's own rule (cover.py) keeps c. Neighbor cells are not looked at.
"""

from __future__ import annotations

import numpy as np

from assets.dedup.cover import Best
from assets.dedup.store import Store
from assets.dedup.vectors import cosines, screen, unit_rows

TILE = 1024


def semdedup(store: Store, threshold: float) -> tuple[np.ndarray, Best]:
    """(n,) bool, which vectors stay, by number; and for each that goes the nearest earlier one, which may go itself.

    Args:
        store: vectors in cells.
        threshold: cosine; above it a vector is a copy.
    """
    n = len(store.number)
    best = Best(n)
    for cell in range(store.cells):
        first, last = int(store.start[cell]), int(store.start[cell + 1])
        unit, number = unit_rows(store.read(first, last)), store.number[first:last]
        center = unit_rows(unit.sum(axis=0, keepdims=True, dtype=np.float64)) if len(unit) > 1 else unit
        cosine = cosines(unit, center, np.arange(len(unit)), np.zeros(len(unit), np.int64))
        order = np.lexsort((number, cosine))
        _offer(unit[order], number[order], threshold, best)
    return best.other < 0, best


def _offer(unit: np.ndarray, number: np.ndarray, threshold: float, best: Best) -> None:
    """Offer to each vector of a cell, in the published order, the earlier ones that it is near to."""
    fast = screen(unit.shape[1], len(unit))
    packed = fast.pack(unit)
    for i in range(0, len(unit), TILE):
        for j in range(i, len(unit), TILE):
            p, q = fast.above(packed[i : i + TILE], packed[j : j + TILE], threshold)
            p, q = p + i, q + j
            p, q = p[p < q], q[p < q]
            cosine = cosines(unit, unit, p, q)
            near = cosine > threshold
            best.offer(number[q[near]], number[p[near]], cosine[near])
