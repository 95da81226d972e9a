"""Vectors on disk, sorted by cell: near ones lie together, and any cell is one read.

Two levels, so that assigning a vector does not grow with the number of cells: coarse groups by k-means on a sample of the
pool; inside each group, cells by k-means on the group's part of that sample. A vector is looked up in the few groups
nearest to it, and lies in the nearest cell of these. Nothing larger than a group is held at a time. Every file appears
by rename: who comes after a killed run goes on where it stopped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assets.dedup.vectors import nearest, unit_rows

POINTS_PER_CELL = 32
"""Training vectors per cell: cells need not be good clusters, only small and coherent."""
POINTS_PER_GROUP = 256
ITERATIONS = 8
GROUPS_ASKED = 6
"""Nearest groups in which a vector looks for its nearest cells."""
CHUNK = 1 << 15
"""Vectors copied out at a time."""
GRAIN = 4000
"""Unit vectors times this, rounded, are whole numbers whose products sum to less than 2 ** 24: float32 sums them without
any error, in whatever order, so that the choice of cells is the same on any number of threads."""

Vectors = Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]
"""Gives all vectors of a pool, in parts: ((m,) numbers, (m, d) float16 or float32), always in the same order."""


@dataclass(frozen=True)
class CellSettings:
    """How cells are made.

    Attributes:
        size: wanted vectors per cell.
        neighbors: further cells that each vector visits.
        seed: of samples and starts.
        threads: of k-means; part of what makes cells repeat.
    """

    size: int = 1000
    neighbors: int = 4
    seed: int = 0
    threads: int = 2


@dataclass(frozen=True)
class Visits:
    """Which vectors visit the cells of some group, by cell, then position.

    Attributes:
        cell: (v,) cells.
        position: (v,) positions of the visitors.
    """

    cell: np.ndarray
    position: np.ndarray


class Centers:
    """Centers of cells in two levels.

    Attributes:
        coarse: (groups, d) float32 unit vectors.
        fine: (cells, d) float32 unit vectors, by group.
        first: (groups + 1,) int64 first cell of each group.
    """

    def __init__(self, coarse: np.ndarray, fine: np.ndarray, first: np.ndarray) -> None:
        self.coarse, self.fine, self.first = coarse, fine, first
        self._coarse, self._fine = _whole(coarse), _whole(fine)

    def nearest(self, vectors: np.ndarray, count: int) -> np.ndarray:
        """(n, count) cells nearest to each vector, the nearest first, among those of the groups nearest to it.

        Where these groups have fewer cells, the last ones are -1; of equally near cells the lower number comes first.
        """
        whole = _whole(unit_rows(vectors))
        groups = _largest(whole @ self._coarse.T, min(GROUPS_ASKED, len(self.coarse)))[0]
        cells = np.full((len(vectors), count), -1, np.int64)
        near = np.full((len(vectors), count), -np.inf, np.float32)
        flat = groups.ravel()
        order = np.argsort(flat, kind="stable")
        ends = np.cumsum(np.bincount(flat, minlength=len(self.coarse)))
        # Groups ascend, so that of equally near cells the lower one was there before.
        for group, places in enumerate(np.split(order, ends[:-1])):
            low, high = int(self.first[group]), int(self.first[group + 1])
            if len(places) and low < high:
                rows = places // groups.shape[1]
                some, similar = _largest(whole[rows] @ self._fine[low:high].T, min(count, high - low))
                both = np.concatenate([near[rows], similar], axis=1)
                best = np.argsort(-both, axis=1, kind="stable")[:, :count]
                near[rows] = np.take_along_axis(both, best, axis=1)
                cells[rows] = np.take_along_axis(np.concatenate([cells[rows], low + some], axis=1), best, axis=1)
        return cells


class Store:
    """n vectors, sorted by cell and then by number; a vector's place in that order is its position.

    Attributes:
        dtype: of the vectors: float16 or float32.
        dims: length of the vectors.
        number: (n,) uint32 number of the vector at each position.
        start: (cells + 1,) int64 first position of each cell.
        centers: (cells, d) float32 unit vectors.
        first_cell: (groups + 1,) int64 first cell of each group.
    """

    def __init__(self, folder: Path, centers: Centers, groups: list[_Group], dtype: np.dtype) -> None:
        self.folder, self.dtype = folder, dtype
        self.dims = centers.coarse.shape[1]
        self.centers, self.first_cell = centers.fine, centers.first
        self.number = np.concatenate([group.number for group in groups] or [np.empty(0, np.uint32)])
        sizes = np.concatenate([group.sizes for group in groups] or [np.empty(0, np.int64)])
        self.start = np.r_[0, np.cumsum(sizes)].astype(np.int64)
        self._first = self.start[self.first_cell]
        self._calls = [group.calls for group in groups]

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.start) - 1

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.first_cell) - 1

    def cell_of(self, positions: np.ndarray) -> np.ndarray:
        """Cell of each position."""
        return np.searchsorted(self.start, positions, side="right") - 1

    def read(self, first: int, last: int) -> np.ndarray:
        """(last - first, d) vectors of a range of positions inside one group."""
        # The last group that starts there: those before it that start there, too, are empty.
        group = min(int(np.searchsorted(self._first[:-1], first, side="right")), self.groups) - 1
        row = self.dims * self.dtype.itemsize
        with open(self.folder / f"vectors-{group:05}.bin", "rb") as stream:
            data = os.pread(stream.fileno(), (last - first) * row, (first - int(self._first[group])) * row)
        return np.frombuffer(data, self.dtype).reshape(-1, self.dims)

    def take(self, positions: np.ndarray) -> np.ndarray:
        """(m, d) vectors of some positions, ascending; one read for each cell that has any."""
        found = np.empty((len(positions), self.dims), self.dtype)
        ends = np.r_[np.flatnonzero(np.diff(self.cell_of(positions))) + 1, len(positions)] if len(positions) else []
        at = 0
        for end in ends:
            some = positions[at:end]
            first = int(some[0])
            found[at:end] = self.read(first, int(some[-1]) + 1)[some - first]
            at = end
        return found

    def visits(self, group: int) -> Visits:
        """Who visits the cells of a group from other cells."""
        cells, positions = [np.empty(0, np.uint32)], [np.empty(0, np.int64)]
        for source, calls in enumerate(self._calls):
            low, high = int(calls[group]), int(calls[group + 1])
            if low < high:
                with open(self.folder / f"visits-{source:05}.u32", "rb") as stream:
                    data = os.pread(stream.fileno(), (high - low) * 8, low * 8)
                pairs = np.frombuffer(data, np.uint32).reshape(-1, 2)
                cells.append(pairs[:, 0])
                positions.append(pairs[:, 1] + self._first[source])
        cell, position = np.concatenate(cells), np.concatenate(positions)
        order = np.lexsort((position, cell))
        return Visits(cell[order], position[order])


@dataclass(frozen=True)
class _Group:
    """A group's cells: sizes, numbers of the vectors by position, and where its visits to each group begin."""

    sizes: np.ndarray
    number: np.ndarray
    calls: np.ndarray


def build_store(folder: Path, n: int, vectors: Vectors, settings: CellSettings) -> Store:
    """Vectors numbered 0 to n - 1 in cells of about `settings.size`, in a folder that may have part of them already.

    Args:
        folder: of this pool and these settings alone.
        n: how many vectors there are.
        vectors: gives them, each number once; asked at most twice.
        settings: of the cells.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if n == 0:
        nothing = np.empty((0, 0), np.float32)
        return Store(folder, Centers(nothing, nothing, np.zeros(1, np.int64)), [], np.dtype(np.float16))
    if not (folder / "centers.npz").exists():
        centers = _centers(folder, n, vectors, settings)
        with _Publishing(folder / "centers.npz") as stream:
            np.savez(stream, coarse=centers.coarse, fine=centers.fine, first=centers.first)
    with np.load(folder / "centers.npz") as stored:
        centers = Centers(stored["coarse"], stored["fine"], stored["first"])
    if not (folder / "parted").exists():
        publish(folder / "parted", np.array([_part(folder, vectors, centers, settings.neighbors)], np.int64))
    dtype = np.dtype(np.float16 if np.fromfile(folder / "parted", np.int64)[0] == 2 else np.float32)
    groups = [_group(folder, group, centers, dtype, settings.neighbors) for group in range(len(centers.coarse))]
    return Store(folder, centers, groups, dtype)


def _centers(folder: Path, n: int, vectors: Vectors, settings: CellSettings) -> Centers:
    """Groups and their cells, from a seeded sample that lies on disk meanwhile."""
    wanted = max(1, n // settings.size)
    groups = max(1, int(np.sqrt(wanted)))
    number, sample = _sample(
        folder, n, vectors, max(wanted * POINTS_PER_CELL, groups * POINTS_PER_GROUP), settings.seed
    )
    # By number, so that the order in which vectors came changes nothing.
    order = np.argsort(number)
    some = order[_chosen(len(order), groups * POINTS_PER_GROUP, settings.seed)]
    coarse = _train(unit_rows(sample[some]), groups, settings.seed, settings)
    group = np.concatenate([nearest(sample[at : at + CHUNK], coarse)[0] for at in range(0, len(sample), CHUNK)])
    fine = []
    for one in range(len(coarse)):
        rows = order[group[order] == one]
        k = max(1, round(wanted * len(rows) / len(sample))) if len(rows) else 0
        rows = rows[_chosen(len(rows), k * POINTS_PER_CELL, settings.seed + 1 + one)]
        fine.append(_train(unit_rows(sample[rows]), k, settings.seed + 1 + one, settings))
    del sample
    (folder / "sample.bin").unlink()
    first = np.r_[0, np.cumsum([len(part) for part in fine])].astype(np.int64)
    return Centers(coarse, np.concatenate(fine), first)


def _sample(folder: Path, n: int, vectors: Vectors, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and vectors of a seeded sample, in the order in which they come; vectors on disk."""
    wanted = np.zeros(n, dtype=bool)
    wanted[_chosen(n, size, seed)] = True
    numbers: list[np.ndarray] = []
    with open(folder / "sample.bin", "wb") as stream:
        for number, matrix in vectors():
            chosen = wanted[number]
            stream.write(np.ascontiguousarray(matrix[chosen]).data)
            numbers.append(number[chosen])
    number = np.concatenate(numbers)
    if len(number) == 0:
        raise ValueError(f"cells: {n} vectors were announced, but none came")
    return number, np.memmap(folder / "sample.bin", matrix.dtype, "r").reshape(len(number), -1)


def _part(folder: Path, vectors: Vectors, centers: Centers, neighbors: int) -> int:
    """Write every vector, its number, cell and visits to the files of its group; gives the bytes of a component."""
    for group in range(len(centers.coarse)):
        for path in _parts(folder, group):
            path.write_bytes(b"")
    size = 2
    for number, matrix in vectors():
        size = matrix.dtype.itemsize
        cells = centers.nearest(matrix, neighbors + 1)
        place = np.searchsorted(centers.first, cells[:, 0], side="right") - 1
        order = np.argsort(place, kind="stable")
        ends = np.cumsum(np.bincount(place, minlength=len(centers.coarse)))
        for group, rows in enumerate(np.split(order, ends[:-1])):
            if len(rows):
                values = (matrix[rows], number[rows].astype(np.uint32), cells[rows].astype(np.int32))
                for path, value in zip(_parts(folder, group), values, strict=True):
                    with open(path, "ab") as stream:
                        stream.write(np.ascontiguousarray(value).data)
    return size


def _parts(folder: Path, group: int) -> list[Path]:
    """Files of a group before it is sorted: vectors, numbers, cells and visits."""
    return [folder / f"part-{group:05}.{suffix}" for suffix in ("bin", "u32", "i32")]


def _group(folder: Path, group: int, centers: Centers, dtype: np.dtype, neighbors: int) -> _Group:
    """A group's sorted cells; made from its parts unless they are there."""
    done = folder / f"cells-{group:05}.npz"
    if not done.exists():
        parts = _parts(folder, group)
        number, cells = np.fromfile(parts[1], np.uint32), np.fromfile(parts[2], np.int32).reshape(-1, neighbors + 1)
        order = np.lexsort((number, cells[:, 0]))
        with _Publishing(folder / f"vectors-{group:05}.bin") as stream:
            if len(number):
                matrix = np.memmap(parts[0], dtype, "r").reshape(len(number), -1)
                for at in range(0, len(order), CHUNK):
                    stream.write(np.ascontiguousarray(matrix[order[at : at + CHUNK]]).data)
                del matrix
        visits = np.column_stack([cells[order, 1:].ravel(), np.repeat(np.arange(len(order)), neighbors)])
        visits = visits[visits[:, 0] >= 0]
        visits = visits[np.lexsort((visits[:, 1], visits[:, 0]))].astype(np.uint32)
        publish(folder / f"visits-{group:05}.u32", visits)
        low, high = int(centers.first[group]), int(centers.first[group + 1])
        sizes = np.bincount(cells[:, 0] - low, minlength=high - low)
        calls = np.searchsorted(visits[:, 0], centers.first)
        with _Publishing(done) as stream:
            np.savez(stream, sizes=sizes, number=number[order], calls=calls)
        for path in parts:
            path.unlink()
    with np.load(done) as stored:
        return _Group(stored["sizes"].astype(np.int64), stored["number"], stored["calls"])


def _chosen(n: int, size: int, seed: int) -> np.ndarray:
    """Up to `size` of n rows, ascending."""
    return np.sort(np.random.default_rng(seed).choice(n, min(n, size), replace=False))


def _train(sample: np.ndarray, k: int, seed: int, settings: CellSettings) -> np.ndarray:
    """(k, d) unit centroids of a sample of unit rows."""
    if k <= 1:
        middle = sample.sum(axis=0, keepdims=True, dtype=np.float64)
        return sample[:k] if np.linalg.norm(middle) < 1e-6 else unit_rows(middle)
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(settings.threads)
    try:
        kmeans: Any = faiss.Kmeans(
            sample.shape[1],
            min(k, len(sample)),
            niter=ITERATIONS,
            spherical=True,
            seed=seed,
            max_points_per_centroid=len(sample),
            min_points_per_centroid=1,
        )
        kmeans.train(np.ascontiguousarray(sample))
    finally:
        faiss.omp_set_num_threads(before)
    return unit_rows(np.asarray(kmeans.centroids))


def _whole(unit: np.ndarray) -> np.ndarray:
    return np.rint(unit * np.float32(GRAIN))


def _largest(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, count) columns of the largest values of each row, the largest first, ties to the first; and these values.

    Overwrites `values`: looking for the largest a few times is several times as fast as sorting.
    """
    rows = np.arange(len(values))
    columns, found = np.empty((len(values), count), np.int64), np.empty((len(values), count), values.dtype)
    for place in range(count):
        columns[:, place] = values.argmax(axis=1)
        found[:, place] = values[rows, columns[:, place]]
        values[rows, columns[:, place]] = -np.inf
    return columns, found


class _Publishing:
    """A binary stream to a temporary name, which takes its place when the block ends well."""

    def __init__(self, path: Path) -> None:
        self.path, self.partial = path, path.with_name(f".{path.name}.partial")

    def __enter__(self) -> Any:
        self.stream = open(self.partial, "wb")
        return self.stream

    def __exit__(self, kind: object, *_: object) -> None:
        self.stream.close()
        if kind is None:
            self.partial.replace(self.path)
        else:
            self.partial.unlink(missing_ok=True)


def publish(path: Path, values: np.ndarray) -> None:
    """Write an array's bytes under a name that it has only when it is whole."""
    with _Publishing(path) as stream:
        stream.write(np.ascontiguousarray(values).data)
