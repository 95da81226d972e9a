"""Quotas: how many samples each concept keeps, as exact integers.

The published method solves a quadratic program with a general solver and rounds afterwards, which loses the budget. The
program is a projection onto a box cut by one plane, so every quota is its target plus one common shift, clipped to its
bounds. In integers: raising x_j from v to v + 1 costs 2 (v - t_j) + 1, which grows with v, so the cheapest raises of
all concepts are taken until the budget is spent. The shift that solves the program in real numbers says which raises
those are, all but the last of each concept; the rest of the budget goes to the cheapest of these.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np

TARGET_BITS = 32
"""Targets are whole multiples of 2 ** -32 of a sample, so that every comparison is exact, and the last bits of a
softmax, which differ between processors, decide nothing."""


def budget(samples: int, keep: float) -> int:
    """Number of samples to keep: `keep`, as it is written in decimals, times `samples`, half rounded up.

    Raises ValueError unless 0 < keep <= 1.
    """
    if not 0 < keep <= 1:
        raise ValueError(f"prune.keep is {keep}, but it is a share and must lie in (0, 1]")
    return int((samples * Decimal(repr(float(keep)))).to_integral_value(ROUND_HALF_UP))


def floors(floor: int, size: np.ndarray, keep: int) -> np.ndarray:
    """(k,) int64 least quotas: `floor`, but no more than a concept has.

    Where together they exceed `keep`, all are lowered to the largest common bound that fits.
    """
    if floor < 0:
        raise ValueError(f"the floor of a quota is {floor}, but must not be negative")
    wanted = np.minimum(np.int64(floor), size.astype(np.int64))
    low, high = 0, floor
    while low < high:
        middle = (low + high + 1) // 2
        if int(np.minimum(wanted, middle).sum()) <= keep:
            low = middle
        else:
            high = middle - 1
    return np.minimum(wanted, low)


def quotas(share: np.ndarray, size: np.ndarray, keep: int, least: np.ndarray) -> np.ndarray:
    """The integers x that minimise sum (x_j - share_j keep)^2 with sum x = keep and least_j <= x_j <= size_j.

    Args:
        share: (k,) shares, which sum to 1 (or are all 0).
        size: (k,) members of each concept.
        keep: budget.
        least: (k,) lower bounds.

    Returns:
        (k,) int64; of equally good solutions the one that favors lower cluster ids.

    Raises:
        ValueError: if shares are no shares, or the bounds leave no solution.
    """
    size, least = np.asarray(size).astype(np.int64), np.asarray(least).astype(np.int64)
    share = np.asarray(share, dtype=np.float64)
    if not (share >= 0).all() or (share.sum() and abs(share.sum() - 1) > 1e-6):
        raise ValueError(f"shares of concepts must not be negative and sum to 1, but they sum to {share.sum()}")
    if (least > size).any() or (least < 0).any():
        raise ValueError("a quota's floor is negative or above the size of its concept")
    if not int(least.sum()) <= keep <= int(size.sum()):
        raise ValueError(f"no quotas sum to {keep}: floors sum to {least.sum()}, sizes to {size.sum()}")
    bits = min(TARGET_BITS, 60 - int(size.sum()).bit_length())
    target = np.rint(np.ldexp(share * keep, bits)).astype(np.int64)
    shift = _shift(target, least << bits, size << bits, keep << bits)
    x = np.clip((target + shift) >> bits, least, size)
    raisable = np.flatnonzero(x < size)
    cost = (x[raisable] << bits) - target[raisable]
    x[raisable[_smallest(cost, keep - int(x.sum()))]] += 1
    return x


def _shift(target: np.ndarray, low: np.ndarray, high: np.ndarray, total: int) -> int:
    """The largest whole s for which clip(target + s, low, high) sums to at most `total`, by bisection."""
    if len(target) == 0:
        return 0
    start, end = int((low - target).min()), int((high - target).max()) + 1
    while end - start > 1:
        middle = (start + end) // 2
        if int(np.clip(target + middle, low, high).sum()) <= total:
            start = middle
        else:
            end = middle
    return start


def _smallest(values: np.ndarray, count: int) -> np.ndarray:
    """Positions of the `count` smallest values, ties to the first, in no particular order."""
    if count == 0:
        return np.empty(0, np.int64)
    limit = np.partition(values, count - 1)[count - 1]
    below = np.flatnonzero(values < limit)
    return np.concatenate([below, np.flatnonzero(values == limit)[: count - len(below)]])
