"""Selection: which samples of a concept stay, given its quota; however many samples there are.

Members are read again and again, never held: a radix select. Whole-number keys, the preferred sample's the smaller, are
counted by their leading digit for every concept; the quota says in which digit the last sample to keep lies; the next
pass counts the next digit of those that share it, until the whole key of that sample is known. One more pass decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.clusters.kmeans import splitmix
from assets.provenance.decisions import decision_table

WAYS = ("hard", "easy", "random", "ssp")
HASH_BITS = 53
"""As many as a float64 holds exactly."""
COUNTERS = 1 << 25
"""Counters held at a time, of 8 bytes: 256 MiB."""
DIGIT_BITS = 11
"""Longest digit: more would save a pass, but counters of a few hundred concepts would no longer stay in the cache."""
ALL_BITS, SIGN = np.uint32(0xFFFFFFFF), np.uint32(0x80000000)

Members = Callable[[Sequence[str]], Iterable[pa.Table]]
"""Gives the named columns of table `cluster_member`, in parts, all rows by sample_id; the same each time."""


@dataclass(frozen=True)
class Order:
    """What makes one sample of a concept preferred to another.

    Attributes:
        way: one of `WAYS`.
        seed: of the hash for `random`.
    """

    way: str
    seed: int = 0

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise ValueError(f"prune.select is {self.way!r}, but must be one of {', '.join(WAYS)}")

    @property
    def column(self) -> str:
        """The column that keys are made from."""
        return "sample_id" if self.way == "random" else "distance"

    @property
    def bits(self) -> int:
        """Length of a key."""
        return HASH_BITS if self.way == "random" else 32

    def keys(self, values: np.ndarray) -> np.ndarray:
        """(n,) uint64 keys in the order of preference; equal values have equal keys.

        Raises:
            ValueError: for a distance that is not a number.
        """
        if self.way == "random":
            key = splitmix(np.array([self.seed], np.uint64))[0]
            return splitmix(values.astype(np.uint64) ^ key) >> np.uint64(64 - HASH_BITS)
        if np.isnan(values).any():
            raise ValueError("prune: a sample's distance to its centroid is not a number")
        bits = _as_bits(values)
        return (bits if self.way == "easy" else ~bits).astype(np.uint64)

    def scores(self, keys: np.ndarray) -> np.ndarray:
        """(n,) float64 numbers that keys were made from: distances, or hashes in [0, 1)."""
        if self.way == "random":
            return np.ldexp(keys.astype(np.float64), -HASH_BITS)
        bits = keys.astype(np.uint32)
        return _from_bits(bits if self.way == "easy" else ~bits).astype(np.float64)


@dataclass(frozen=True)
class Limits:
    """Where each of k concepts stops.

    Attributes:
        concept: (k,) int64 cluster ids, ascending.
        key: (k,) uint64 key of the last sample it keeps.
        ties: (k,) int64 samples with just that key that it keeps; 0 where it keeps nothing.
    """

    concept: np.ndarray
    key: np.ndarray
    ties: np.ndarray


def select(member: pa.Table, cluster: pa.Table, way: str = "hard", seed: int = 0) -> pa.Table:
    """Decisions of stage prune for members in memory, whatever their order; see `decide`."""
    ordered = member.sort_by("sample_id")
    parts = list(decide(lambda columns: [ordered.select(list(columns))], cluster, way, seed))
    return pa.concat_tables(parts)


def decide(members: Members, cluster: pa.Table, way: str = "hard", seed: int = 0) -> Iterator[pa.Table]:
    """Decisions of stage prune, by sample_id, in parts: each concept keeps its quota.

    Args:
        members: table `cluster_member`, by sample_id; it is asked several times.
        cluster: table `cluster`; its numbers may have gaps.
        way: `hard` keeps what is farthest from the centroid, `easy` what is nearest, `random` what a keyed hash picks.
            `ssp` orders like `hard`: its quotas, the same share of every concept, make the difference.
        seed: key of the hash.

    Returns:
        Table `decision`. The score is the distance to the centroid (for `random` the hash, in [0, 1)), the threshold
        that of the last sample its concept keeps: for `hard` a dropped score is at or below it, otherwise at or above.
        Equal scores go to the lower sample_id. The threshold is null where a concept keeps nothing.

    Raises:
        ValueError: for an unknown way, a concept that table cluster lacks, a distance that is not a number, or members
            that do not come by sample_id.
    """
    order = Order(way, seed)
    return _decisions(members, order, limits(members, cluster, order))


def limits(members: Members, cluster: pa.Table, order: Order) -> Limits:
    """Where each concept stops; arguments as for `decide`. Memory is O(concepts), whatever the number of members."""
    by_id = np.argsort(cluster["cluster_id"].to_numpy(), kind="stable")
    concept = cluster["cluster_id"].to_numpy().astype(np.int64)[by_id]
    wanted = cluster["quota"].to_numpy().astype(np.int64)[by_id]
    key = np.zeros(len(concept), np.uint64)
    known = 0
    while known < order.bits:
        width = min(_width(len(concept)), order.bits - known)
        counts = _count(members, order, concept, key, known, width)
        np.cumsum(counts, axis=1, out=counts)
        if known == 0:
            # A quota above its concept's size keeps all of it.
            wanted = np.minimum(wanted, counts[:, -1])
        # The first digit up to which there are as many as wanted.
        digit = np.count_nonzero(counts < wanted[:, None], axis=1)
        before = counts[np.arange(len(concept)), np.maximum(digit - 1, 0)]
        wanted = wanted - np.where(digit > 0, before, 0)
        key = key << np.uint64(width) | digit.astype(np.uint64)
        known += width
    return Limits(concept, key, wanted)


def _width(concepts: int) -> int:
    """Bits of a digit, so that one counter per concept and digit fits in memory."""
    return max(1, min(DIGIT_BITS, (COUNTERS // max(concepts, 1)).bit_length() - 1))


def _count(members: Members, order: Order, concept: np.ndarray, key: np.ndarray, known: int, width: int) -> np.ndarray:
    """(concepts, 2 ** width) int64 members by the next digit, of those whose first `known` bits are their concept's."""
    counts = np.zeros((len(concept), 1 << width), np.int64)
    flat = counts.reshape(-1)
    rest = np.uint64(order.bits - known - width)
    for part in members(["cluster_id", order.column]):
        row = _places(concept, part["cluster_id"].to_numpy())
        leading = order.keys(part[order.column].to_numpy()) >> rest
        same = leading >> np.uint64(width) == key[row]
        digit = leading[same].astype(np.int64) & ((1 << width) - 1)
        np.add.at(flat, (row[same] << width) + digit, 1)
    return counts


def _decisions(members: Members, order: Order, limit: Limits) -> Iterator[pa.Table]:
    """The decisions, once it is known where each concept stops."""
    threshold = np.where(limit.ties > 0, order.scores(limit.key), np.nan)
    left = limit.ties.copy()
    last = -1
    for part in members(list(dict.fromkeys(["sample_id", "cluster_id", order.column]))):
        ids = part["sample_id"].to_numpy().astype(np.uint64)
        if len(ids) and (int(ids[0]) <= last or not (ids[1:] > ids[:-1]).all()):
            raise ValueError("prune: members must come by sample_id, each once")
        last = int(ids[-1]) if len(ids) else last
        row = _places(limit.concept, part["cluster_id"].to_numpy())
        keys = order.keys(part[order.column].to_numpy())
        kept = (keys < limit.key[row]) & (limit.ties[row] > 0)
        tied = np.flatnonzero(keys == limit.key[row])
        kept[tied] = _first(row[tied], left)
        reason = pc.if_else(pa.array(kept), pa.scalar(None, pa.string()), pa.scalar("over_quota"))
        yield decision_table("prune", ids, kept, reason, order.scores(keys), threshold[row])


def _first(row: np.ndarray, left: np.ndarray) -> np.ndarray:
    """(n,) which of some samples, in order, their concepts still have room for; takes them off `left`."""
    by_row = np.argsort(row, kind="stable")
    ranked = row[by_row]
    place = np.arange(len(row)) - np.searchsorted(ranked, ranked)
    fits = np.empty(len(row), dtype=bool)
    fits[by_row] = place < left[ranked]
    np.subtract.at(left, row[fits], 1)
    return fits


def _as_bits(distance: np.ndarray) -> np.ndarray:
    """(n,) uint32 in the order of (n,) numbers, as float32: the bits of positive ones rise with them, others fall."""
    # Adding zero makes one zero of the two that there are.
    bits = (distance.astype(np.float32) + np.float32(0)).view(np.uint32)
    return bits ^ np.where(bits >> np.uint32(31) == 1, ALL_BITS, SIGN)


def _from_bits(bits: np.ndarray) -> np.ndarray:
    """(n,) float32, the inverse of `_as_bits`."""
    return (bits ^ np.where(bits >> np.uint32(31) == 0, ALL_BITS, SIGN)).view(np.float32)


def _places(concept: np.ndarray, cluster_id: np.ndarray) -> np.ndarray:
    """(n,) int64 places of cluster ids among ascending ones; raises ValueError for one that is not there."""
    wanted = cluster_id.astype(np.int64)
    place = np.searchsorted(concept, wanted)
    known = place < len(concept)
    known[known] = concept[place[known]] == wanted[known]
    if not known.all():
        raise ValueError(f"prune: samples belong to concept {wanted[~known].min()}, which table cluster does not have")
    return place
