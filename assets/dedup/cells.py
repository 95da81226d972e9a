"""Cells: many small k-means cells in two levels, so that assigning a vector does not grow with the number of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from assets.dedup.vectors import TILE_CELLS, nearest, unit_rows

POINTS_PER_CELL = 64
"""Training vectors per cell: cells need not be good clusters, only small and coherent."""
ITERATIONS = 8
CHUNK = 1 << 15
"""Vectors copied out at a time."""
AROUND = 4
"""A vector chooses the cells it visits among the cells nearest to its own, so many times as it may choose."""


@dataclass(frozen=True)
class Cells:
    """A partition of n vectors.

    Attributes:
        count: number of cells.
        cell: (n,) cell of each vector.
        visits: (n, m) further cells that each vector is compared with: those whose centers are nearest to it.
    """

    count: int
    cell: np.ndarray
    visits: np.ndarray

    def members(self, rows: np.ndarray) -> list[np.ndarray]:
        """Those of `rows` (ascending) that lie in each cell, ascending."""
        return self._by_cell(self.cell[rows], rows)

    def visitors(self, rows: np.ndarray) -> list[np.ndarray]:
        """Those of `rows` (ascending) that visit each cell, ascending."""
        return self._by_cell(self.visits[rows].ravel(), np.repeat(rows, self.visits.shape[1]))

    def meet_again(self, visitors: np.ndarray, members: np.ndarray) -> np.ndarray:
        """(p,) bool: for pairs of a visitor and a member of the cell it visits: does the member visit its cell too?"""
        return (self.visits[members] == self.cell[visitors][:, None]).any(axis=1)

    def _by_cell(self, cell: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
        ends = np.cumsum(np.bincount(cell, minlength=self.count))
        return np.split(rows[np.argsort(cell, kind="stable")], ends[:-1])


def one_cell(n: int) -> Cells:
    """All n vectors in one cell."""
    return Cells(1, np.zeros(n, np.int64), np.zeros((n, 0), np.int64))


def make_cells(vectors: np.ndarray, cell_size: int, neighbors: int, seed: int) -> Cells:
    """Cells of about `cell_size` vectors: coarse k-means first, then k-means inside each coarse cell.

    Args:
        vectors: (n, d) vectors, n > 0.
        cell_size: wanted vectors per cell.
        neighbors: further cells that each vector visits.
        seed: of samples and starts.
    """
    wanted = max(1, len(vectors) // cell_size)
    coarse, _ = nearest(vectors, _train(vectors, np.arange(len(vectors)), max(1, int(np.sqrt(wanted))), seed))
    cell = np.zeros(len(vectors), np.int64)
    centers: list[np.ndarray] = []
    for group in np.flatnonzero(np.bincount(coarse)):
        rows = np.flatnonzero(coarse == group)
        fine = _train(vectors, rows, max(1, round(len(rows) / cell_size)), seed + 1 + int(group))
        for at in range(0, len(rows), CHUNK):
            part = rows[at : at + CHUNK]
            cell[part] = len(centers) + nearest(vectors[part], fine)[0]
        centers.extend(fine)
    return Cells(len(centers), cell, _visits(vectors, cell, np.stack(centers), neighbors))


def _visits(vectors: np.ndarray, cell: np.ndarray, centers: np.ndarray, count: int) -> np.ndarray:
    """(n, m) cells other than its own whose centers are nearest to each vector, among those around its own."""
    around = _around(centers, AROUND * count)
    count = min(count, around.shape[1])
    found = np.empty((len(vectors), count), np.int64)
    order = np.argsort(cell, kind="stable")
    ends = np.cumsum(np.bincount(cell, minlength=len(centers)))
    for own, rows in enumerate(np.split(order, ends[:-1])):
        for at in range(0, len(rows), CHUNK):
            part = rows[at : at + CHUNK]
            similar = unit_rows(vectors[part]) @ centers[around[own]].T
            found[part] = around[own][np.argsort(-similar, axis=1, kind="stable")[:, :count]]
    return found


def _train(vectors: np.ndarray, rows: np.ndarray, k: int, seed: int) -> np.ndarray:
    """(k, d) unit centroids of some rows, from a seeded sample of them."""
    import faiss

    rng = np.random.default_rng(seed)
    size = min(len(rows), k * POINTS_PER_CELL)
    sample = np.ascontiguousarray(unit_rows(vectors[np.sort(rng.choice(rows, size, replace=False))]))
    kmeans: Any = faiss.Kmeans(
        sample.shape[1],
        k,
        niter=ITERATIONS,
        spherical=True,
        seed=seed,
        max_points_per_centroid=size,
        min_points_per_centroid=1,
    )
    kmeans.train(sample)
    return np.asarray(kmeans.centroids)


def _around(centers: np.ndarray, count: int) -> np.ndarray:
    """(k, m) nearest other centroids of each."""
    k = len(centers)
    count = min(count, k - 1)
    found = np.empty((k, count), np.int64)
    rows = max(1, TILE_CELLS // k)
    for at in range(0, k, rows):
        similar = centers[at : at + rows] @ centers.T
        similar[np.arange(len(similar)), np.arange(at, at + len(similar))] = -np.inf
        found[at : at + rows] = np.argsort(-similar, axis=1, kind="stable")[:, :count]
    return found
