"""Perceptual-hash twins: 64-bit hashes within a Hamming radius."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from assets.dedup.cover import Best, Found, gather

CHUNK = 1 << 22
"""Candidates looked at together: 32 MiB of hashes."""
MAX_BANDS = 8


def phash_pairs(hashes: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (first < second) whose hashes differ in at most `radius` bits, and in how many; by first, then second.

    Args:
        hashes: (n,) uint64.
        radius: bits.
    """
    rows = np.arange(len(hashes))
    found = NearHashes(hashes, np.ones(len(hashes), dtype=bool), radius).pairs(rows, None)
    assert found is not None
    first, second, near = found
    order = np.lexsort((second, first))
    return first[order], second[order], (-near[order]).astype(np.int64)


class NearHashes:
    """The relation of hashes that differ in at most `radius` bits; nearness is minus their number.

    Hashes that differ in r bits agree in one of r + 1 bands of bits, whichever bits these are, so that only hashes that
    share a band are compared; where bands would be so narrow that they pick nothing, every pair is.

    Args:
        hashes: (n,) uint64.
        known: (n,) bool; False where there is no hash, which is near to nothing.
        radius: bits.
    """

    def __init__(self, hashes: np.ndarray, known: np.ndarray, radius: int) -> None:
        self.hashes, self.known, self.radius = hashes.astype(np.uint64), known, radius
        bands = radius + 1 if radius < MAX_BANDS else 0
        edges = np.linspace(0, 64, bands + 1).astype(int) if bands else np.array([0, 0])
        self.masks = [
            np.uint64(((1 << int(high)) - 1) ^ ((1 << int(low)) - 1))
            for low, high in zip(edges[:-1], edges[1:], strict=True)
        ]

    def pairs(self, rows: np.ndarray, limit: int | None) -> Found | None:
        """Near pairs (first < second) among `rows` (ascending), or None as soon as they are more than `limit`."""
        found: list[Found] = []
        count = 0
        for part in self._compare(rows, rows):
            found.append(part)
            count += len(part[0])
            if limit is not None and count > limit:
                return None
        return gather(found)

    def strongest(self, rows: np.ndarray, kept: np.ndarray, best: Best) -> None:
        """Offer to `best`, for each of `rows`, the near ones among `kept` that come before it; both ascending."""
        for first, second, near in self._compare(kept, rows):
            best.offer(second, first, near)

    def _compare(self, a: np.ndarray, b: np.ndarray) -> Iterator[Found]:
        """Near pairs of a row of `a` and a later row of `b`, each once."""
        a, b = a[self.known[a]], b[self.known[b]]
        for band, mask in enumerate(self.masks):
            key = self.hashes[b] & mask
            order = np.argsort(key, kind="stable")
            wanted, key = self.hashes[a] & mask, key[order]
            start, end = np.searchsorted(key, wanted, "left"), np.searchsorted(key, wanted, "right")
            for part in _parts(end - start):
                counts = (end - start)[part]
                left = np.repeat(a[part], counts)
                offset = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
                right = b[order[np.repeat(start[part], counts) + offset]]
                differ = self.hashes[left] ^ self.hashes[right]
                bits = np.bitwise_count(differ)
                near = (left < right) & (bits <= self.radius)
                for earlier in self.masks[:band]:
                    # A pair that agrees in an earlier band was found there.
                    near &= (differ & earlier) != 0
                yield left[near], right[near], -bits[near].astype(np.float64)


def _parts(counts: np.ndarray) -> Iterator[slice]:
    """Slices of rows whose counts sum to about `CHUNK`; a row is never divided."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + CHUNK, "right")))
        yield slice(start, stop)
        start = stop
