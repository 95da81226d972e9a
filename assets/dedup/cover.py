"""Greedy cover: in order of preference, a sample goes when it is near to one that stays.

Held against *kept* samples only: in a chain a~b~c where a is not near c, b goes because of a, and c stays, because b,
which it resembles, is gone. (SemDeDup's released code also holds samples against removed ones and loses c.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Found = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Near pairs: (p,) rows, (p,) rows, (p,) how near they are; greater is nearer."""

MAX_PAIRS = 1 << 25
"""Pairs held at a time: 400 MB, and as much again while they are decided."""
ROUNDS = 64
"""Rounds in which samples are decided all at once, before what is left is decided one by one."""


@dataclass(frozen=True)
class Cover:
    """Outcome for n samples.

    Attributes:
        keep: (n,) bool.
        other: (n,) row of the kept sample it resembles most; -1 where it stays.
        score: (n,) how much; NaN where it stays.
    """

    keep: np.ndarray
    other: np.ndarray
    score: np.ndarray


class Best:
    """For every row the strongest of the rows offered to it, ties to the lower row.

    Attributes:
        other: (n,) row; -1 where none was offered.
        score: (n,) how near; NaN where none was offered.
    """

    def __init__(self, n: int) -> None:
        self.other = np.full(n, -1, np.int64)
        self.score = np.full(n, np.nan)

    def offer(self, rows: np.ndarray, others: np.ndarray, scores: np.ndarray) -> None:
        """Row `rows[i]` is offered `others[i]` at `scores[i]`."""
        order = np.lexsort((others, -scores, rows))
        rows, others, scores = rows[order], others[order], scores[order]
        first = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]]) if len(rows) else np.empty(0, np.int64)
        rows, others, scores = rows[first], others[first], scores[first]
        had, score = self.other[rows], self.score[rows]
        won = (had < 0) | (scores > score) | ((scores == score) & (others < had))
        self.other[rows[won]], self.score[rows[won]] = others[won], scores[won]


class Relation(Protocol):
    """What it means for two of n samples, numbered in order of preference, to be near."""

    def pairs(self, rows: np.ndarray, limit: int | None) -> Found | None:
        """Near pairs (first < second) among `rows` (ascending), or None as soon as they are more than `limit`."""

    def strongest(self, rows: np.ndarray, kept: np.ndarray, best: Best) -> None:
        """Offer to `best`, for each of `rows`, near rows of `kept` that come before it; both ascending."""


def greedy_cover(rank: np.ndarray, first: np.ndarray, second: np.ndarray, score: np.ndarray) -> Cover:
    """Decide n samples in order of rank.

    Args:
        rank: (n,) permutation; 0 is preferred most.
        first, second: rows of pairs that are near enough to be copies, in any order.
        score: nearness of each pair; the dropped sample names the kept one with the highest, ties to the preferred.
    """
    rank = np.asarray(rank, dtype=np.int64)
    order = np.argsort(rank)
    best = Best(len(rank))
    keep = _keep(len(rank), rank[first], rank[second])
    _name([best], [(np.minimum(rank[first], rank[second]), np.maximum(rank[first], rank[second]), score)], keep)
    other = np.where(best.other >= 0, order[best.other], -1)[rank]
    return Cover(keep[rank], other, best.score[rank])


def cover(n: int, relations: Sequence[Relation], max_pairs: int = MAX_PAIRS) -> tuple[np.ndarray, list[Best]]:
    """Decide n samples, numbered in order of preference: one goes when it is near, in any relation, to one that stays.

    Where copies are so many that their pairs do not fit, the better half is decided first; what is near to one that
    stays there goes without its pairs ever being listed, and the rest is decided like any other samples. The outcome is
    the same.

    Args:
        n: samples.
        relations: what counts as near.
        max_pairs: most pairs to hold at a time, for each relation.

    Returns:
        (n,) bool, which samples stay; and for each relation the kept sample before it that a dropped one is nearest to.
    """
    keep = np.zeros(n, dtype=bool)
    best = [Best(n) for _ in relations]

    def settle(rows: np.ndarray) -> None:
        found = _all_pairs(relations, rows, max_pairs if len(rows) > 1 else None)
        if found is not None:
            firsts, seconds, _ = gather(found)
            if len(rows) < n:
                firsts, seconds = np.searchsorted(rows, firsts), np.searchsorted(rows, seconds)
            keep[rows] = _keep(len(rows), firsts, seconds)
            _name(best, found, keep)
            return
        half = len(rows) // 2
        better, worse = rows[:half], rows[half:]
        settle(better)
        near = _strongest(relations, worse, better[keep[better]], best)
        rest = worse[~near]
        settle(rest)
        _strongest(relations, worse[near], rest[keep[rest]], best)

    settle(np.arange(n))
    return keep, best


def gather(found: Sequence[Found]) -> Found:
    """All pairs of a list of pairs."""
    if len(found) == 1:
        return found[0]
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    first, second, score = (np.concatenate(part) for part in zip(*found, strict=True))
    return first, second, score


def _all_pairs(relations: Sequence[Relation], rows: np.ndarray, limit: int | None) -> list[Found] | None:
    found = []
    for relation in relations:
        pairs = relation.pairs(rows, limit)
        if pairs is None:
            return None
        found.append(pairs)
    return found


def _keep(n: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) bool: which of n samples, numbered in order of preference, no kept better one is paired with."""
    better, worse = np.minimum(a, b), np.maximum(a, b)
    keep = np.ones(n, dtype=bool)
    # Whoever is nobody's worse stays, and what it is paired with goes; then the same among what is undecided. Chains
    # are short, so that a few rounds decide nearly all.
    for _ in range(ROUNDS):
        if len(worse) == 0:
            return keep
        open_ = np.zeros(n, dtype=bool)
        open_[worse] = True
        keep[worse[~open_[better]]] = False
        # Of what is left, pairs with a dropped better one say nothing; dropped worse ones are decided.
        left = keep[better] & keep[worse] & open_[better]
        better, worse = better[left], worse[left]
    order = np.argsort(worse, kind="stable")
    better, worse = better[order], worse[order]
    ends = np.flatnonzero(np.r_[worse[1:] != worse[:-1], True]) + 1 if len(worse) else np.empty(0, np.int64)
    start = 0
    for end in ends.tolist():
        # Pairs come by their worse row, so all decisions about better ones are final.
        keep[worse[start]] = not keep[better[start:end]].any()
        start = end
    return keep


def _name(best: Sequence[Best], found: Sequence[Found], keep: np.ndarray) -> None:
    """Offer to every dropped sample the kept better ones that it is paired with."""
    for named, (first, second, score) in zip(best, found, strict=True):
        told = keep[first] & ~keep[second]
        named.offer(second[told], first[told], score[told])


def _strongest(relations: Sequence[Relation], rows: np.ndarray, kept: np.ndarray, best: Sequence[Best]) -> np.ndarray:
    """(len(rows),) bool: which have a kept row before them in `best`, after those of `kept` were offered."""
    named = np.zeros(len(rows), dtype=bool)
    for relation, strongest in zip(relations, best, strict=True):
        relation.strongest(rows, kept, strongest)
        named |= strongest.other[rows] >= 0
    return named
