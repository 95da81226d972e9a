"""Unit vectors: stored as float16, compared so that tiles, threads and neighbors change nothing.

Products of many vectors are taken twice. First all of them in a fast type, with a known bound on the error: what cannot
reach the limit is out. Then the few that are left, one pair at a time in double precision, and these decide. So the
fast type changes how long it takes, never what is found: bfloat16 where the processor multiplies in it (three to four
times as fast), float32 elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

DIGITS = 6
"""Decimals of a cosine in a decision: finer than float16 vectors are, coarser than any order of summing."""
TILE_CELLS = 1 << 22
"""Products held at a time: 8 MiB of bfloat16, 16 MiB of float32."""
MAX_ROWS = 4096
GATHER = 512
"""Pairs measured at a time: a few MiB."""
WORTH = 1 << 22
"""Numbers in vectors up to which float32 does: loading the library for bfloat16 takes seconds."""
BF16_SLACK = 3 * 2.0**-8
"""Rounding two unit vectors and their product to bfloat16 changes the product by at most this."""


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """(n, d) float32 of unit length, from vectors of any float type and length.

    Raises ValueError, naming the row, for a vector without direction: zero, or not finite.
    """
    wide = _wide(vectors)
    length = np.sqrt(np.einsum("ij,ij->i", wide, wide, dtype=np.float64))
    lost = np.flatnonzero(~(np.isfinite(length) & (length > 1e-12)))
    if len(lost):
        raise ValueError(f"vector {lost[0]} of {len(vectors)} has no direction: its length is {length[lost[0]]}")
    wide /= length.astype(np.float32)[:, None]
    return wide


def _wide(vectors: np.ndarray) -> np.ndarray:
    """A float32 copy; of float16 by torch where it is loaded anyway, which is twice as fast and no less exact."""
    if vectors.dtype == np.float16 and "torch" in sys.modules:
        import torch

        return torch.from_numpy(np.array(vectors, order="C")).float().numpy()
    return np.array(vectors, dtype=np.float32, order="C")


def cosines(left: np.ndarray, right: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Cosines of the pairs (left[rows[i]], right[others[i]]), one pair at a time in double precision.

    Args:
        left, right: (n, d) and (m, d) float32 unit rows.
        rows, others: (p,) indices into them.

    Returns:
        (p,) float64, rounded to `DIGITS`.
    """
    found = np.empty(len(rows))
    for at in range(0, len(rows), GATHER):
        p, q = rows[at : at + GATHER], others[at : at + GATHER]
        found[at : at + GATHER] = np.einsum("ij,ij->i", left[p], right[q], dtype=np.float64)
    return np.round(np.clip(found, -1, 1), DIGITS)


def slack(dims: int) -> float:
    """How far a float32 product of unit vectors may lie from their rounded cosine: rounding, and errors of d sums."""
    return 10.0**-DIGITS + dims * float(np.finfo(np.float32).eps)


class Screen:
    """Products of unit vectors in float32: what they rule out is out, what they let through is measured.

    Attributes:
        slack: how far a product may lie from the rounded cosine.
    """

    def __init__(self, dims: int) -> None:
        self.slack = slack(dims)

    def pack(self, unit: np.ndarray) -> Any:
        """(n, d) float32 unit rows as the other methods take them; slices of it are packed rows too."""
        return unit

    def above(self, a: Any, b: Any, limit: float) -> tuple[np.ndarray, np.ndarray]:
        """Rows of `a` and rows of `b`, as pairs in order: all whose cosine is above `limit`, and perhaps others."""
        return np.divmod(np.flatnonzero(a @ b.T > limit - self.slack), max(len(b), 1))

    def best(self, a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
        """Rows of `a` and rows of `b`, as pairs in order: for each of `a` all that may be nearest to it."""
        product = a @ b.T
        near = product >= product.max(axis=1, keepdims=True) - 2 * self.slack
        return np.divmod(np.flatnonzero(near), len(b))


class Bf16Screen(Screen):
    """The same in bfloat16."""

    def __init__(self, dims: int) -> None:
        super().__init__(dims)
        self.slack += BF16_SLACK

    def pack(self, unit: np.ndarray) -> Any:
        """(n, d) float32 unit rows as the other methods take them; slices of it are packed rows too."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(unit)).bfloat16()

    def above(self, a: Any, b: Any, limit: float) -> tuple[np.ndarray, np.ndarray]:
        """Rows of `a` and rows of `b`, as pairs in order: all whose cosine is above `limit`, and perhaps others."""
        if not (len(a) and len(b)):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        limit -= self.slack
        if limit < 2.0**-7:
            return super().above(a.float().numpy(), b.float().numpy(), limit + self.slack)
        product, least = self._bits(a, b, limit)
        hot = np.flatnonzero(product.amax(dim=1).numpy() >= least)
        p, q = np.divmod(np.flatnonzero(product.numpy()[hot] >= least), len(b))
        return hot[p], q

    def best(self, a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
        """Rows of `a` and rows of `b`, as pairs in order: for each of `a` all that may be nearest to it."""
        import torch

        product, _ = self._bits(a, b, 1.0)
        top = product.amax(dim=1)
        limit = top.view(torch.bfloat16).float() - 2 * self.slack
        # Bits of bfloat16 are in the order of the numbers as long as these are not negative.
        if bool((limit < 2.0**-7).any()):
            return super().best(a.float().numpy(), b.float().numpy())
        least = (limit.view(torch.int32) >> 16).short().numpy()
        return np.divmod(np.flatnonzero(product.numpy() >= least[:, None]), len(b))

    def _bits(self, a: Any, b: Any, limit: float) -> tuple[Any, int]:
        """Products as (n, m) int16, the bits of bfloat16; and those of a limit, rounded down."""
        import torch

        bits = torch.mm(a, b.T).view(torch.int16)
        return bits, int(torch.tensor(limit, dtype=torch.float32).view(torch.int32)) >> 16


def screen(dims: int, rows: int) -> Screen:
    """The screen that is fastest for that many vectors."""
    return Bf16Screen(dims) if dims * rows > WORTH and _multiplies_bf16() else Screen(dims)


@cache
def _multiplies_bf16() -> bool:
    import torch

    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))


def nearest(vectors: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest center of every vector, tile by tile; centers that are equally near by `cosines` go to the lower number.

    Args:
        vectors: (n, d) of any float type and length.
        centers: (k, d) float32 unit vectors, k > 0.

    Returns:
        (n,) int64 centers; (n,) float64 cosines.
    """
    found, cosine = np.empty(len(vectors), np.int64), np.empty(len(vectors))
    fast = screen(centers.shape[1], len(vectors))
    packed = fast.pack(centers)
    for at, part in _tiles(vectors, len(centers)):
        rows, others = fast.best(fast.pack(part), packed)
        if len(rows) > 3 * len(part):
            rows, others = Screen(centers.shape[1]).best(part, centers)
        near = cosines(part, centers, rows, others)
        first = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
        if len(first) < len(rows):
            best = np.maximum.reduceat(near, first)
            keep = near == np.repeat(best, np.diff(np.r_[first, len(rows)]))
            rows, others, near = rows[keep], others[keep], near[keep]
            first = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
        found[at : at + len(part)], cosine[at : at + len(part)] = others[first], near[first]
    return found, cosine


def _tiles(vectors: np.ndarray, columns: int) -> Iterator[tuple[int, np.ndarray]]:
    """Where each tile starts, and its unit rows."""
    rows = max(1, min(MAX_ROWS, TILE_CELLS // columns))
    for at in range(0, len(vectors), rows):
        yield at, unit_rows(vectors[at : at + rows])
