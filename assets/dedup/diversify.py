"""A few samples from each of many small cells: how a pool is cut to a small share of itself and stays diverse.

DenseFusion-1M took the top 20 of each of 50,000 k-means clusters this way, after removing what is similar beyond a
cosine of 0.6. This is selection, not deduplication: its cells and limits are its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from assets.dedup.dedup import Pool, numbered
from assets.dedup.ranking import PREFERENCES, rank
from assets.dedup.store import CellSettings, Store, build_store
from assets.provenance.decisions import decision_table

PART = 1 << 16


@dataclass(frozen=True)
class DiversifySettings:
    """How a pool is thinned.

    Attributes:
        cells: how many cells the pool is divided into, about.
        top: samples that each cell keeps.
        prefer: what makes one sample preferred to another, the most important first; the lower sample_id decides last.
        seed: of the cells.
        threads: of k-means; part of what makes cells repeat.
    """

    cells: int = 50_000
    top: int = 20
    prefer: tuple[str, ...] = ("verdict", "resolution", "score")
    seed: int = 0
    threads: int = 2

    def __post_init__(self) -> None:
        for name in ("cells", "top", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"diversify.{name} is {getattr(self, name)}, but must be at least 1")
        if unknown := [name for name in self.prefer if name not in PREFERENCES]:
            raise ValueError(f"diversify.prefer names {unknown[0]!r}, but must name some of {', '.join(PREFERENCES)}")


def decide_diversity(pool: Pool, folder: Path, settings: DiversifySettings) -> Iterator[pa.Table]:
    """Decisions of stage diversify, by sample_id, in parts.

    A dropped sample has the reason over_top, its place in its cell (from 1) as score, `top` as threshold, and names the
    cell's most preferred sample. A cell with no more than `top` samples keeps them all.
    """
    ranking = rank(pool.rows(), settings.prefer, [], False, folder)
    ids = ranking.ids
    size = max(1, -(-len(ids) // settings.cells))
    cells = CellSettings(size, 0, settings.seed, settings.threads)
    store = build_store(folder / "cells", len(ids), lambda: numbered(pool, ids), cells)
    if len(store.number) != len(ids):
        raise ValueError(f"diversify: {len(ids)} samples, but {len(store.number)} vectors")
    place, leader = _places(store)
    order = np.argsort(ids)
    for at in range(0, max(len(ids), 1), PART):
        some = order[at : at + PART]
        kept = place[some] <= settings.top
        score = np.where(kept, np.nan, place[some].astype(np.float64))
        reason = pa.array(["over_top"], pa.string()).take(pa.array(np.zeros(len(some), np.int8), mask=kept))
        named = pa.array(ids[leader[some]], pa.uint64(), mask=kept)
        limit = np.where(kept, np.nan, float(settings.top))
        yield decision_table("diversify", ids[some], kept, reason, score, limit, named)


def _places(store: Store) -> tuple[np.ndarray, np.ndarray]:
    """By number: the place of each vector in its cell, from 1, and the number of the first of its cell."""
    first = np.repeat(store.start[:-1], np.diff(store.start))
    place, leader = np.empty(len(store.number), np.int64), np.empty(len(store.number), np.int64)
    place[store.number] = np.arange(len(store.number)) - first + 1
    leader[store.number] = store.number[first]
    return place, leader
