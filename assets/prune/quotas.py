"""Quotas: how many samples each concept keeps, as exact integers.

The published method solves a quadratic program with a general solver and rounds afterwards, which loses the budget. The
program is a projection onto a box cut by one plane, so every quota is its target plus one common shift, clipped to its
bounds. In integers: raising x_j from v to v + 1 costs 2 (v - t_j) + 1, which grows with v, so the cheapest raises of
all concepts are taken until the budget is spent. The shift that solves the program in real numbers says which raises
those are, all but the last of each concept; the rest of the budget goes to the cheapest of these.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from assets.prune.complexity import shares

TARGET_BITS = 32
"""Targets are whole multiples of 2 ** -32 of a sample, so that every comparison is exact, and the last bits of a
softmax, which differ between processors, decide nothing."""
HALVINGS = 200
"""Steps of bisection at most: by then no float64 lies between its ends."""


def cluster_quotas(
    sizes: np.ndarray, complexity: np.ndarray, keep: float, temperature: float = 0.5, floor: int = 0
) -> np.ndarray:
    """How many samples each concept keeps: the integers nearest to the softmax targets that spend the budget exactly.

    The x that minimise sum (x_j - p_j N)^2 with sum x = N and floor_j <= x_j <= size_j, where p = softmax(complexity /
    temperature) over concepts that have members and N = `keep` times all samples, half rounded to even.

    Args:
        sizes: (k,) members of each concept, whole numbers.
        complexity: (k,) complexity of each; NaN, where nobody knows it, takes the mean of the known ones (of concepts
            that have members), or 0 if none is known. That of an empty concept counts for nothing.
        keep: share of all samples to keep, in (0, 1], read as it is written in decimals.
        temperature: of the softmax, above 0: the smaller, the more goes to the most complex concepts.
        floor: least quota of a concept, but no more than it has. Where floors together exceed N, all are lowered to
            the largest common bound that fits.

    Returns:
        (k,) int64; an empty concept has 0. Of equally good solutions the one that gives more to lower cluster ids.

    Raises:
        ValueError: for a value out of its range, or an infinite complexity of a concept that has members.
    """
    size = _whole(np.asarray(sizes))
    known = np.asarray(complexity, dtype=np.float64)
    if known.shape != size.shape:
        raise ValueError(f"there are {len(size)} sizes of concepts, but {len(known)} complexities")
    total = budget(int(size.sum()), keep)
    return quotas(shares(filled(known, size), size, temperature), size, total, floors(floor, size, total))


def filled(complexity: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(k,) complexities, NaN replaced by the mean of the known ones of concepts that have members; 0 if none is known."""
    unknown = np.isnan(complexity)
    if not unknown.any():
        return complexity
    known = complexity[np.isfinite(complexity) & (size > 0)]
    greatest = known.max(initial=-np.inf)
    # Around the greatest: the mean of equal numbers is that number to the last bit, which tiny temperatures would see.
    return np.where(unknown, greatest + (known - greatest).mean() if len(known) else 0.0, complexity)


def budget(samples: int, keep: float) -> int:
    """Number of samples to keep: `keep`, as it is written in decimals, times `samples`, half rounded to even.

    Raises ValueError unless 0 < keep <= 1.
    """
    if not 0 < keep <= 1:
        raise ValueError(f"prune.keep is {keep}, but it is a share and must lie in (0, 1]")
    return round(samples * Fraction(repr(float(keep))))  # round is half to even, and exact for a fraction


def floors(floor: int, size: np.ndarray, keep: int) -> np.ndarray:
    """(k,) int64 least quotas: `floor`, but no more than a concept has.

    Where together they exceed `keep`, all are lowered to the largest common bound that fits.
    """
    if floor < 0:
        raise ValueError(f"the floor of a quota is {floor}, but must not be negative")
    low, high = 0, min(floor, int(size.max(initial=0)))
    wanted = np.minimum(high, size.astype(np.int64))
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


def real_quotas(target: np.ndarray, low: np.ndarray, high: np.ndarray, total: float) -> np.ndarray:
    """The same program in real numbers: the x nearest to `target` with sum x = total and low <= x <= high.

    A projection onto a box cut by a plane: x = clip(target + s, low, high), with the one s whose sum is right. The sum
    grows with s and is straight between the values at which some x_j meets a bound; halving finds the straight piece,
    and on it s is a quotient.

    Args:
        target, low, high: (k,) real numbers, low <= high.
        total: what the result sums to, between the sums of `low` and `high`.

    Returns:
        (k,) float64.

    Raises:
        ValueError: where the bounds leave no solution.
    """
    target, low, high = (np.asarray(part, dtype=np.float64) for part in (target, low, high))
    if not low.sum() <= total <= high.sum() or (low > high).any():
        raise ValueError(f"no quotas sum to {total}: lower bounds sum to {low.sum()}, upper ones to {high.sum()}")
    if len(target) == 0:
        return target
    enters, leaves = low - target, high - target
    start, end = float(enters.min()), float(leaves.max())
    for _ in range(HALVINGS):
        middle = (start + end) / 2
        if not start < middle < end:
            break
        start, end = (middle, end) if np.clip(target + middle, low, high).sum() < total else (start, middle)
    shift, free = end, (enters < end) & (leaves > start)
    if free.any():
        bound = np.where(enters >= end, low, high)[~free]
        shift = float((total - bound.sum() - target[free].sum()) / np.count_nonzero(free))
    return np.clip(target + shift, low, high)


def optimality_gap(x: np.ndarray, target: np.ndarray, low: np.ndarray, high: np.ndarray, total: float) -> float:
    """How far `x` is from meeting the conditions of Karush, Kuhn and Tucker for `real_quotas`, relative to the numbers.

    The largest of: distance of the sum from `total`, over the larger of it and 1; distance of x from the bounds; and how
    much the common shift that the free x_j have differs among them, or a bound holds an x_j back on the wrong side, over
    the larger of the greatest target and 1.
    """
    slope = np.asarray(x, dtype=np.float64) - target
    free = (x > low) & (x < high)
    # The common shift lies between those of the x_j at their upper bounds and those of the x_j at their lower ones.
    least = slope[(x >= high) & (low < high)].max(initial=-np.inf)
    most = slope[(x <= low) & (low < high)].min(initial=np.inf)
    if free.any():
        shift = float(np.median(slope[free]))
        wrong = max(float(np.abs(slope[free] - shift).max()), least - shift, shift - most)
    else:
        wrong = max(least - most, 0.0)
    outside = np.max([(low - x).max(initial=0), (x - high).max(initial=0), 0])
    largest = max(float(np.abs(target).max(initial=0)), 1.0)
    return float(max(abs(float(np.sum(x)) - total) / max(total, 1), outside / largest, wrong / largest))


def _whole(sizes: np.ndarray) -> np.ndarray:
    """(k,) int64 sizes; ValueError for one that is no whole number from 0 to 2 ** 53."""
    wrong = ~((sizes >= 0) & (sizes <= 2**53) & (sizes == np.floor(sizes)))
    if wrong.any():
        concept = int(np.argmax(wrong))
        raise ValueError(f"the size of concept {concept} is {sizes[concept]}, but must be a whole number, at least 0")
    return sizes.astype(np.int64)


def _shift(target: np.ndarray, low: np.ndarray, high: np.ndarray, total: int) -> int:
    """The largest whole s for which clip(target + s, low, high) sums to at most `total`.

    By steps of Newton, which end after a few as the sum is straight between the values at which some number meets a
    bound; every third step halves the interval, so that there are never more than three times the steps of bisection.
    """
    if len(target) == 0:
        return 0
    start, end = int((low - target).min()), int((high - target).max()) + 1
    guess, step = 0, 0
    while end - start > 1:
        step += 1
        at = (start + end) // 2 if step % 3 == 0 else min(max(guess, start + 1), end - 1)
        moved = np.clip(target + at, low, high)
        missing = total - int(moved.sum())
        start, end = (at, end) if missing >= 0 else (start, at)
        free = int(np.count_nonzero((moved > low) & (moved < high)))
        guess = at + missing // free if free else (start + end) // 2
    return start


def _smallest(values: np.ndarray, count: int) -> np.ndarray:
    """Positions of the `count` smallest values, ties to the first, in no particular order."""
    if count == 0:
        return np.empty(0, np.int64)
    limit = np.partition(values, count - 1)[count - 1]
    below = np.flatnonzero(values < limit)
    return np.concatenate([below, np.flatnonzero(values == limit)[: count - len(below)]])
