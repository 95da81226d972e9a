"""Near pairs: which vectors lie nearer to each other than a threshold, without ever holding an n x n matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from assets.dedup.cells import make_cells, one_cell
from assets.dedup.cover import Best, Found, gather
from assets.dedup.vectors import DIGITS, cosines, slack, unit_rows

TILE = 2048
"""Rows of one side of a tile: 2048 x 2048 float32 products take 16 MiB."""


@dataclass(frozen=True)
class Pairs:
    """Near pairs: `first < second` are rows, `cosine` is float64, rounded to `DIGITS`; sorted by first, then second."""

    first: np.ndarray
    second: np.ndarray
    cosine: np.ndarray


def near_pairs(vectors: np.ndarray, threshold: float, cell_size: int, neighbor_cells: int, seed: int) -> Pairs:
    """All pairs whose cosine is above `threshold`; arguments as for `NearVectors`."""
    found = NearVectors(vectors, threshold, cell_size, neighbor_cells, seed).pairs(np.arange(len(vectors)), None)
    assert found is not None
    first, second, cosine = found
    order = np.lexsort((second, first))
    return Pairs(first[order], second[order], cosine[order])


class NearVectors:
    """The relation of vectors whose cosine is above a threshold.

    While there are few cells every pair is compared; beyond, a vector is compared with its cell and the cells whose
    centers are next nearest to it, so that work grows with n times the cell size, not with n squared. Float32 products
    pick candidates, cosines in double precision decide: no pair depends on tiles, threads or the order of rows, though
    cells may miss one.

    Args:
        vectors: (n, d) of any float type; compared as unit vectors.
        threshold: cosine, rounded to `DIGITS` like the cosines it is held against.
        cell_size: vectors per cell, about.
        neighbor_cells: further cells that a vector is compared with.
        seed: of the cells.
    """

    def __init__(self, vectors: np.ndarray, threshold: float, cell_size: int, neighbor_cells: int, seed: int) -> None:
        self.vectors = vectors
        self.threshold = round(threshold, DIGITS)
        n = len(vectors)
        # Up to here visits, which meet most pairs from both sides, were measured to be no faster than all pairs.
        few = n <= cell_size * 3 * (neighbor_cells + 1)
        self.cells = one_cell(n) if few else make_cells(vectors, cell_size, neighbor_cells, seed)

    def pairs(self, rows: np.ndarray, limit: int | None) -> Found | None:
        """Near pairs (first < second) among `rows` (ascending), or None as soon as they are more than `limit`."""
        if self.threshold >= 1:
            return gather([])
        found: list[Found] = []
        count = 0
        cells = self.cells
        for inside, visiting in zip(cells.members(rows), cells.visitors(rows), strict=True):
            for first, second, cosine in self._compare(inside, inside, ordered=True):
                found.append((first, second, cosine))
                count += len(first)
                if limit is not None and count > limit:
                    return None
            for host, guest, cosine in self._compare(inside, visiting, ordered=False):
                once = ~cells.meet_again(guest, host) | (cells.cell[guest] < cells.cell[host])
                guest, host = guest[once], host[once]
                found.append((np.minimum(guest, host), np.maximum(guest, host), cosine[once]))
                count += len(guest)
                if limit is not None and count > limit:
                    return None
        return gather(found)

    def strongest(self, rows: np.ndarray, kept: np.ndarray, best: Best) -> None:
        """Offer to `best`, for each of `rows`, the nearest of the `kept` rows that come before it; both ascending."""
        if self.threshold >= 1:
            return
        cells = self.cells
        both = (cells.members(kept), cells.visitors(kept), cells.members(rows), cells.visitors(rows))
        for staying, calling, inside, visiting in zip(*both, strict=True):
            for a, b in ((staying, inside), (staying, visiting), (calling, inside)):
                for first, second, cosine in self._compare(a, b, ordered=True):
                    best.offer(second, first, cosine)

    def _compare(self, a: np.ndarray, b: np.ndarray, ordered: bool) -> Iterator[Found]:
        """Near pairs of a row of `a` and one of `b`, tile by tile; `ordered`: only the former before the latter."""
        for i in range(0, len(a), TILE):
            left = a[i : i + TILE]
            wide = None
            for j in range(0, len(b), TILE):
                right = b[j : j + TILE]
                if ordered and left[0] >= right[-1]:
                    continue
                wide = unit_rows(self.vectors[left]) if wide is None else wide
                other = unit_rows(self.vectors[right])
                p, q = np.divmod(np.flatnonzero(wide @ other.T > self.threshold - slack(wide.shape[1])), len(right))
                if ordered:
                    before = left[p] < right[q]
                    p, q = p[before], q[before]
                cosine = cosines(wide, other, p, q)
                near = cosine > self.threshold
                yield left[p[near]], right[q[near]], cosine[near]
