"""Quotas against a general solver: `python -m bench.quotas`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from assets.prune.complexity import shares
from assets.prune.quotas import budget, floors, quotas
from bench.measure import duration, machine, medians, table

SOLVED = (32, 128, 256)
"""Concepts that the general solver is asked for; its time grows with their cube."""
ALONE = (10_000, 1_000_000)
KEEP = 0.3


@dataclass(frozen=True)
class Problem:
    """What both are given: shares, sizes, budget and floors of k concepts."""

    share: np.ndarray
    size: np.ndarray
    keep: int
    least: np.ndarray

    def cost(self, x: np.ndarray) -> float:
        return float(((x - self.share * self.keep) ** 2).sum())


def problem(k: int) -> Problem:
    """Sizes and complexities as skewed as those of web concepts, at the published temperature and floor."""
    rng = np.random.default_rng(k)
    size = np.maximum(1, rng.lognormal(4, 1.2, k)).astype(np.int64)
    share = shares(rng.gamma(2.0, 0.15, k), size, 0.5)
    keep = budget(int(size.sum()), KEEP)
    return Problem(share, size, keep, floors(int(0.5 * keep / k), size, keep))


def solver(p: Problem) -> Callable[[], np.ndarray]:
    """The program in real numbers by SLSQP, a dense solver for any program, started at a feasible point."""
    from scipy.optimize import minimize

    target = p.share * p.keep
    room = p.size - p.least
    start = p.least + room * (p.keep - p.least.sum()) / room.sum()

    def run() -> np.ndarray:
        found = minimize(
            lambda x: ((x - target) ** 2).sum(),
            start,
            jac=lambda x: 2 * (x - target),
            bounds=list(zip(p.least, p.size, strict=True)),
            constraints={"type": "eq", "fun": lambda x: x.sum() - p.keep, "jac": np.ones_like},
            method="SLSQP",
            options={"maxiter": 200, "ftol": 1e-9},
        )
        return np.asarray(found.x)

    return run


def real(p: Problem) -> np.ndarray:
    """The program in real numbers: targets plus one common shift, within their bounds."""
    target = p.share * p.keep
    low, high = float((p.least - target).min()), float((p.size - target).max())
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(target + middle, p.least, p.size).sum() < p.keep else (low, middle)
    return np.clip(target + high, p.least, p.size)


def beside() -> str:
    """Both, where the solver can."""
    rows = []
    for k in SOLVED:
        p = problem(k)
        ways = {"solver": solver(p), "ours": lambda p=p: quotas(p.share, p.size, p.keep, p.least)}
        seconds, found = medians(ways)
        rounded = np.rint(found["solver"])
        rows.append(
            (
                f"{k:,}",
                duration(seconds["solver"]),
                duration(seconds["ours"]),
                f"{p.keep:,}",
                f"{int(rounded.sum()) - p.keep:+d}",
                f"{int(found['ours'].sum()) - p.keep:+d}",
                f"{p.cost(found['solver']):,.1f}",
                f"{p.cost(found['ours']):,.1f}",
            )
        )
    head = ("concepts", "SLSQP", "Winnow", "budget", "SLSQP, rounded: off by", "Winnow: off by",
            "cost of SLSQP in real numbers", "cost of Winnow in whole numbers")  # fmt: skip
    return table(head, rows)


def alone() -> str:
    """Ours, where a dense solver's matrix would not fit."""
    rows = []
    for k in ALONE:
        p = problem(k)
        seconds, found = medians({"ours": lambda p=p: quotas(p.share, p.size, p.keep, p.least)})
        naive = np.rint(real(p))
        rows.append(
            (
                f"{k:,}",
                duration(seconds["ours"]),
                f"{p.keep:,}",
                f"{int(naive.sum()) - p.keep:+,d}",
                f"{int(found['ours'].sum()) - p.keep:+d}",
            )
        )
    return table(("concepts", "Winnow", "budget", "real solution, rounded: off by", "Winnow: off by"), rows)


def main() -> str:
    """The section of docs/benchmarks.md."""
    return f"""## Quotas

How many samples each concept keeps: nearest to its target, within its bounds, the budget spent exactly
(`bench/quotas.py`). The peer is SciPy's SLSQP, a dense solver for any program, on the same program in real numbers;
its answer is then rounded, as the published method does. Medians of 5 runs, in turn, in one process.
{machine(("numpy", "scipy"))}.

{beside()}

Where a dense solver's matrix would no longer fit, alone:

{alone()}

"Off by" is what the quotas sum to, less the budget. The cost is the sum of squared distances to the targets; whole
numbers cannot cost less than real ones, so a lower cost would mean that the solver stopped early."""


if __name__ == "__main__":
    print(main())
