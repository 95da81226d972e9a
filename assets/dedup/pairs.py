"""Near pairs: which vectors lie nearer to each other than a threshold, without ever holding an n x n matrix."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from assets.dedup.cover import Best, Found, gather
from assets.dedup.store import CellSettings, Store, Visits, build_store, publish
from assets.dedup.vectors import DIGITS, Screen, cosines, screen, unit_rows

Spread = Callable[[Callable[["Unit"], np.ndarray], Iterable["Unit"]], Iterator[np.ndarray]]
"""Gives a function to workers for each of some units, of which only some are held at a time; results in their order."""

TILE = 1024
"""Rows of the shorter side of a tile."""
LONG = 8192
"""Rows of the longer side: a tile of products takes 16 MiB in bfloat16."""
GUEST_NUMBERS = 1 << 26
"""Numbers in the visiting vectors held at a time: 0.5 GB with their stored and packed forms."""
UNIT_NUMBERS = 1 << 23
"""The same of what is handed to a worker: 16 MB of float16 on the way."""
PART = 1 << 16
"""Vectors in memory handed over at a time."""
PAIR = np.dtype([("first", np.uint32), ("second", np.uint32), ("cosine", np.float32)])


@dataclass(frozen=True)
class Pairs:
    """Near pairs: `first < second` are rows, `cosine` is float64, rounded to `DIGITS`; sorted by first, then second."""

    first: np.ndarray
    second: np.ndarray
    cosine: np.ndarray


def near_pairs(vectors: np.ndarray, threshold: float, cell_size: int, neighbor_cells: int, seed: int) -> Pairs:
    """All pairs of (n, d) vectors of any length whose cosine is above `threshold`; see `CellSettings` for the rest."""
    with tempfile.TemporaryDirectory() as folder:
        near = near_vectors(Path(folder), vectors, threshold, CellSettings(cell_size, neighbor_cells, seed))
        found = near.pairs(np.arange(len(vectors)), None)
    assert found is not None
    first, second = found[0].astype(np.int64), found[1].astype(np.int64)
    key, once = np.unique(first * max(len(vectors), 1) + second, return_index=True)
    return Pairs(first[once], second[once], np.round(found[2][once].astype(np.float64), DIGITS))


def near_vectors(folder: Path, vectors: np.ndarray, threshold: float, settings: CellSettings) -> NearVectors:
    """The relation over (n, d) vectors in memory, in cells that lie in `folder`."""
    unit_rows(vectors)  # says which vector has no direction
    stored = vectors if vectors.dtype == np.float16 else vectors.astype(np.float32)

    def parts() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for at in range(0, len(stored), PART):
            yield np.arange(at, min(at + PART, len(stored))), stored[at : at + PART]

    return NearVectors(build_store(folder, len(stored), parts, enough(len(stored), settings)), threshold)


def enough(n: int, settings: CellSettings) -> CellSettings:
    """The settings for n vectors: while there are few, one cell, in which every pair is compared."""
    # Up to here visits, which meet most pairs from both sides, were measured to be no faster than all pairs.
    if n > settings.size * 3 * (settings.neighbors + 1):
        return settings
    return CellSettings(max(n, 1), 0, settings.seed, settings.threads)


class NearVectors:
    """The relation of vectors whose cosine is above a threshold.

    A vector is compared with those of its cell and of the cells whose centers are next nearest to it, so that work
    grows with n times the cell size, not with n squared. Fast products pick candidates, cosines in double precision
    decide: no pair depends on tiles, threads or the order of rows, though cells may miss one.

    Args:
        store: the vectors, numbered in order of preference.
        threshold: cosine, rounded to `DIGITS` like the cosines it is held against.
        report: called with the share that is done after each group of cells.
        spread: hands units of cells to workers; without it all are compared here. Which of both changes no pair.
    """

    def __init__(
        self,
        store: Store,
        threshold: float,
        report: Callable[[float], None] | None = None,
        spread: Spread | None = None,
    ) -> None:
        self.store, self.spread = store, spread
        self.threshold = round(threshold, DIGITS)
        self.report = report or (lambda share: None)

    def pairs(self, rows: np.ndarray, limit: int | None) -> Found | None:
        """Near pairs (first < second) among `rows` (ascending), or None as soon as they are more than `limit`.

        A pair that two cells see is given twice. Where `rows` are all, what a group gives is kept in the store's
        folder, for whoever comes after a killed run.
        """
        if self.threshold >= 1:
            return gather([])
        whole = len(rows) == len(self.store.number)
        mask = None if whole else _mask(rows, len(self.store.number))
        found: list[np.ndarray] = []
        count = 0
        kept = [self.store.folder / f"pairs-{group:05}-{self.threshold}.bin" for group in range(self.store.groups)]
        known = {group for group, path in enumerate(kept) if whole and path.exists()}
        seen = self._see([group for group in range(len(kept)) if group not in known], mask, mask)
        for group, done in enumerate(kept):
            if group in known:
                some = np.fromfile(done, PAIR)
            else:
                gathered = _up_to(next(seen), None if limit is None else limit - count)
                if gathered is None:
                    return None
                some = gathered
                if whole and self.store.groups > 1:
                    publish(done, some)
            count += len(some)
            if limit is not None and count > limit:
                return None
            found.append(some)
            self.report((group + 1) / self.store.groups)
        every = np.concatenate(found or [np.empty(0, PAIR)])
        return every["first"], every["second"], every["cosine"]

    def strongest(self, rows: np.ndarray, kept: np.ndarray, best: Best) -> None:
        """Offer to `best`, for each of `rows`, the nearest of the `kept` rows that come before it; both ascending."""
        if self.threshold >= 1 or not (len(rows) and len(kept)):
            return
        n = len(self.store.number)
        before, after = _mask(kept, n), _mask(rows, n)
        for parts in self._see(range(self.store.groups), before, after):
            for some in parts:
                best.offer(some["second"], some["first"], some["cosine"])

    def _see(
        self, groups: Iterable[int], before: np.ndarray | None, after: np.ndarray | None
    ) -> Iterator[Iterator[np.ndarray]]:
        """For each of some groups the near pairs that its cells see: the first of `before`, the second of `after`."""
        if self.spread is None:
            for group in groups:
                yield _all_near(self._units(group, before, after, GUEST_NUMBERS))
            return
        last: deque[bool] = deque()

        def units() -> Iterator[Unit]:
            for group in groups:
                for unit in self._units(group, before, after, UNIT_NUMBERS):
                    last.append(unit.last)
                    yield replace(unit, cells=tuple(unit.cells))

        found: list[np.ndarray] = []
        for some in self.spread(near_in, units()):
            found.append(some)
            if last.popleft():
                yield iter(found)
                found = []

    def _units(self, group: int, before: np.ndarray | None, after: np.ndarray | None, numbers: int) -> Iterator[Unit]:
        """Cells of a group with their visitors, so many at a time that there are at most so many numbers in these."""
        store = self.store
        visits = store.visits(group)
        among = before is after

        def members(number: np.ndarray, vectors: np.ndarray) -> Members:
            masks = (None if mask is None else mask[number] for mask in (before, after))
            return Members(number, vectors, *masks)

        def cells_of(cells: range, guests: np.ndarray) -> Iterator[Cell]:
            for cell in cells:
                low, high = int(store.start[cell]), int(store.start[cell + 1])
                if low < high:
                    calls = slice(*np.searchsorted(visits.cell, [cell, cell + 1]))
                    rows = np.searchsorted(guests, visits.position[calls])
                    yield Cell(members(store.number[low:high], store.read(low, high)), rows)

        end = int(store.first_cell[group + 1])
        for cells, guests in _runs(store, group, visits, numbers):
            every = members(store.number[guests], store.take(guests))
            size = (store.dims, len(store.number))
            yield Unit(cells_of(cells, guests), every, self.threshold, among, size, cells.stop == end)
            del every  # lets go of the last ones before the next are read


@dataclass(frozen=True)
class Members:
    """Some vectors.

    Attributes:
        number: (m,) their numbers.
        vectors: (m, d) as they are stored.
        before, after: (m,) which of them may come first, and second, in a pair; None is all.
    """

    number: np.ndarray
    vectors: np.ndarray
    before: np.ndarray | None
    after: np.ndarray | None


@dataclass(frozen=True)
class Cell:
    """The vectors of a cell, and the rows of those that visit it, among a unit's guests."""

    inside: Members
    calls: np.ndarray


@dataclass(frozen=True)
class Unit:
    """Some cells of a group with all that visit them: what it takes to find the near pairs that these cells see.

    Attributes:
        cells: the cells that have vectors; an iterator reads each when it is asked for.
        guests: who visits them.
        threshold: see `NearVectors`.
        among: both vectors of a pair are of the same rows, in either order.
        size: length of the vectors, and how many there are in all.
        last: no more of this group comes.
    """

    cells: Iterable[Cell]
    guests: Members
    threshold: float
    among: bool
    size: tuple[int, int]
    last: bool


def near_in(unit: Unit) -> np.ndarray:
    """Near pairs that the cells of a unit see."""
    return np.concatenate([np.empty(0, PAIR), *_near(unit)])


def _all_near(units: Iterable[Unit]) -> Iterator[np.ndarray]:
    for unit in units:
        yield from _near(unit)
        del unit  # lets go of its vectors before the next are read


def _near(unit: Unit) -> Iterator[np.ndarray]:
    fast, among = screen(*unit.size), unit.among
    compare = partial(_compare, fast, unit.threshold)
    every = _side(fast, unit.guests)
    for cell in unit.cells:
        inside, visiting = _side(fast, cell.inside), every.at(cell.calls)
        host, home = inside.only(cell.inside.before), inside.only(cell.inside.after)
        yield from compare(host, host if among else home, directed=not among)
        yield from compare(host, visiting.only(_at(unit.guests.after, cell.calls)), directed=not among)
        if not among:
            yield from compare(visiting.only(_at(unit.guests.before, cell.calls)), home, directed=True)


def _compare(fast: Screen, threshold: float, a: _Side, b: _Side, directed: bool) -> Iterator[np.ndarray]:
    """Near pairs of a vector of `a` and one of `b`, tile by tile; `directed`: only those with the lower one in `a`."""
    for i in range(0, len(a.number), TILE):
        for j in range(i if a is b else 0, len(b.number), LONG):
            p, q = fast.above(a.packed[i : i + TILE], b.packed[j : j + LONG], threshold)
            p, q = p + i, q + j
            one, two = a.number[p], b.number[q]
            if directed or a is b:
                first = one < two
                p, q, one, two = p[first], q[first], one[first], two[first]
            cosine = cosines(a.unit, b.unit, a.rows[p], b.rows[q])
            near = cosine > threshold
            yield _as_pairs(np.minimum(one, two)[near], np.maximum(one, two)[near], cosine[near])


@dataclass(frozen=True)
class _Side:
    """Some vectors: their numbers, unit rows and which of these they are, and the rows as the screen takes them."""

    number: np.ndarray
    unit: np.ndarray
    rows: np.ndarray
    packed: Any

    def at(self, some: np.ndarray) -> _Side:
        """Some of them."""
        return _Side(self.number[some], self.unit, self.rows[some], self.packed[some])

    def only(self, mask: np.ndarray | None) -> _Side:
        """Those that a mask over them chooses; all of them without one."""
        return self if mask is None else self.at(np.flatnonzero(mask))


def _side(fast: Screen, members: Members) -> _Side:
    unit = unit_rows(members.vectors)
    return _Side(members.number, unit, np.arange(len(unit)), fast.pack(unit))


def _at(mask: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if mask is None else mask[rows]


def _runs(store: Store, group: int, visits: Visits, numbers: int) -> Iterator[tuple[range, np.ndarray]]:
    """Cells of a group with the positions that visit them, ascending, so many at a time that their vectors fit.

    The last ones come last; a group without cells comes as one run of none.
    """
    waiting = [range(int(store.first_cell[group]), int(store.first_cell[group + 1]))]
    while waiting:
        cells = waiting.pop()
        calls = slice(*np.searchsorted(visits.cell, [cells.start, cells.stop]))
        guests = np.unique(visits.position[calls])
        if len(cells) > 1 and len(guests) * store.dims > numbers:
            middle = len(cells) // 2
            waiting += [cells[middle:], cells[:middle]]
        else:
            yield cells, guests


def _up_to(parts: Iterator[np.ndarray], room: int | None) -> np.ndarray | None:
    """All pairs of the parts, or None as soon as they are more than there is room for."""
    found, count = [np.empty(0, PAIR)], 0
    for part in parts:
        if len(part):
            found.append(part)
            count += len(part)
        if room is not None and count > room:
            return None
    return np.concatenate(found)


def _as_pairs(first: np.ndarray, second: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    pairs = np.empty(len(first), PAIR)
    pairs["first"], pairs["second"], pairs["cosine"] = first, second, cosine
    return pairs


def _mask(rows: np.ndarray, n: int) -> np.ndarray:
    mask = np.zeros(n, dtype=bool)
    mask[rows] = True
    return mask
