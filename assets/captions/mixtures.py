"""Mixtures: which of a sample's captions it brings to which training target, in the shares that a recipe names.

Shares are held over the whole build: as well as the captions at hand allow, and exactly where every kind is there. Which
sample gets which kind follows from a keyed hash of its id, so a sample more or less moves few others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

KINDS = ("alt", "synthetic-short", "synthetic-dense", "synthetic-dense+", "fused")
"""Kinds of captions; a sample's captions are a bit mask in this order."""

STAND_INS = {
    "alt": ("fused", "synthetic-short", "synthetic-dense", "synthetic-dense+"),
    "synthetic-short": ("synthetic-dense", "synthetic-dense+", "fused", "alt"),
    "synthetic-dense": ("synthetic-dense+", "synthetic-short", "fused", "alt"),
    "synthetic-dense+": ("synthetic-dense", "synthetic-short", "fused", "alt"),
    "fused": ("alt", "synthetic-short", "synthetic-dense", "synthetic-dense+"),
}
"""What stands in for a kind that nothing in a build writes: the nearest in length first."""


@dataclass(frozen=True)
class Mixture:
    """Captions of n samples for one target.

    Attributes:
        kind: (n,) place in KINDS; -1 for a sample without any caption.
        asked: share of each kind that was asked for, after stand-ins.
        realized: share that came out.
        stood_in: kinds that nothing in the build writes, and what stands in for them.
    """

    kind: np.ndarray
    asked: dict[str, float]
    realized: dict[str, float]
    stood_in: dict[str, str]


def mask_of(kinds: Sequence[str]) -> int:
    """Bit mask of kinds."""
    return sum(1 << KINDS.index(kind) for kind in set(kinds))


def mix(ids: np.ndarray, masks: np.ndarray, shares: Mapping[str, float], target: str, seed: int) -> Mixture:
    """Assign one kind of caption to every sample.

    Args:
        ids: (n,) uint64 sample ids, each once.
        masks: (n,) kinds that each sample has, as bits; see `mask_of`.
        shares: share of each kind; they sum to 1.
        target: name of the target; part of the hash, so targets are mixed independently.
        seed: key of the hash.
    """
    ids, masks = np.asarray(ids, np.uint64), np.asarray(masks, np.int64)
    there = int(np.bitwise_or.reduce(masks, initial=0))
    asked, stood_in = available(shares, there)
    kind = np.full(len(ids), -1)
    groups = {int(mask): np.flatnonzero(masks == mask) for mask in np.unique(masks) if mask}
    total = sum(map(len, groups.values()))
    counts = apportion(asked, total)
    quotas = flow({mask: len(rows) for mask, rows in groups.items()}, counts)
    order = keyed_hash(ids, target, seed)
    for mask, rows in groups.items():
        ranked = rows[np.lexsort((ids[rows], order[rows]))]
        kind[ranked] = np.repeat(np.arange(len(KINDS)), quotas[mask])
    made = np.bincount(kind[kind >= 0], minlength=len(KINDS))
    realized = {name: float(made[i] / total) for i, name in enumerate(KINDS) if made[i]} if total else {}
    return Mixture(kind, asked, realized, stood_in)


def available(shares: Mapping[str, float], there: int) -> tuple[dict[str, float], dict[str, str]]:
    """Shares over kinds that some sample has: what nothing writes gives its share to what stands in for it."""
    asked: dict[str, float] = {}
    stood_in: dict[str, str] = {}
    for kind, share in shares.items():
        if share <= 0:
            continue
        found = next((k for k in (kind, *STAND_INS[kind]) if there >> KINDS.index(k) & 1), None)
        if found is None:
            continue
        if found != kind:
            stood_in[kind] = found
        asked[found] = asked.get(found, 0.0) + share
    return asked, stood_in


def apportion(shares: Mapping[str, float], total: int) -> np.ndarray:
    """(kinds,) whole numbers that sum to `total`, by largest remainders; ties go to the earlier kind."""
    exact = np.array([shares.get(kind, 0.0) for kind in KINDS])
    exact = exact / exact.sum() * total if exact.sum() else exact
    counts = np.floor(exact + 1e-9).astype(np.int64)
    left = total - int(counts.sum()) if exact.sum() else 0
    counts[np.argsort(-(exact - counts), kind="stable")[:left]] += 1
    return counts


def flow(sizes: Mapping[int, int], counts: np.ndarray) -> dict[int, np.ndarray]:
    """How many samples of each group get which kind, so that as many as can be have a kind that is still asked for.

    Maximum flow from groups of samples with the same captions to kinds (augmenting paths over at most 31 groups and 5
    kinds); what is left over gets the group's nearest kind to what was asked for.

    Args:
        sizes: samples per mask of kinds.
        counts: (kinds,) how many samples each kind should get.
    Returns:
        (kinds,) whole numbers per mask, which sum to its size and are 0 outside of it.
    """
    masks = sorted(sizes)
    given = {mask: np.zeros(len(KINDS), np.int64) for mask in masks}
    left = np.array(counts, np.int64)
    for mask in masks:
        waiting = sizes[mask]
        while waiting:
            path = _augmenting(mask, given, left, masks)
            if path is None:
                break
            waiting -= _push(path, given, left, waiting)
        if waiting:
            kinds = [k for k in range(len(KINDS)) if mask >> k & 1]
            given[mask][max(kinds, key=lambda k: (counts[k], -k))] += waiting
    return given


Path = list[tuple[int, int]]
"""Steps (mask, kind): the first mask takes the kind, whose holder, the next mask, takes the next kind, and so on."""


def _augmenting(start: int, given: dict[int, np.ndarray], left: np.ndarray, masks: list[int]) -> Path | None:
    """The shortest chain of exchanges that ends at a kind of which some are left, by breadth."""
    waiting: list[tuple[int, Path]] = [(start, [])]
    seen_masks, seen_kinds = {start}, set[int]()
    while waiting:
        mask, path = waiting.pop(0)
        for kind in range(len(KINDS)):
            if not mask >> kind & 1 or kind in seen_kinds:
                continue
            if left[kind] > 0:
                return [*path, (mask, kind)]
            seen_kinds.add(kind)
            for other in masks:
                if other not in seen_masks and given[other][kind] > 0:
                    seen_masks.add(other)
                    waiting.append((other, [*path, (mask, kind)]))
    return None


def _push(path: Path, given: dict[int, np.ndarray], left: np.ndarray, waiting: int) -> int:
    """Send as many samples along a path as fit."""
    fits = [waiting, int(left[path[-1][1]])]
    fits += [int(given[path[i + 1][0]][path[i][1]]) for i in range(len(path) - 1)]
    amount = min(fits)
    for step, (mask, kind) in enumerate(path):
        given[mask][kind] += amount
        if step + 1 < len(path):
            given[path[step + 1][0]][kind] -= amount
    left[path[-1][1]] -= amount
    return amount


def keyed_hash(ids: np.ndarray, target: str, seed: int) -> np.ndarray:
    """(n,) uint64 hash of each id, keyed by target and seed (splitmix64's finalizer, twice)."""
    key = int.from_bytes(hashlib.blake2b(f"{seed} {target}".encode(), digest_size=8).digest(), "little")
    values = np.asarray(ids, np.uint64) ^ np.uint64(key)
    with np.errstate(over="ignore"):
        for _ in range(2):
            values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            values = values ^ (values >> np.uint64(31))
            values = values + np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    return values
