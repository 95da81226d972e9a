"""Quotas against the published way, a general solver and rounding: `python -m bench.quotas`."""

from __future__ import annotations

import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from assets.prune.complexity import shares
from assets.prune.quotas import budget, cluster_quotas, floors
from bench.measure import duration, machine, medians, table

SOLVED = (500, 2_000, 10_000)
"""Concepts that the general solver is asked for."""
ALONE = (100_000, 1_000_000)
KEEP, TEMPERATURE, FLOOR_RATIO = 0.3, 0.5, 0.5


@dataclass(frozen=True)
class Problem:
    """What both are given: sizes and complexities of k concepts."""

    size: np.ndarray
    complexity: np.ndarray

    @property
    def keep(self) -> int:
        return budget(int(self.size.sum()), KEEP)

    @property
    def floor(self) -> int:
        return int(FLOOR_RATIO * self.keep / len(self.size))

    @property
    def target(self) -> np.ndarray:
        return shares(self.complexity, self.size, TEMPERATURE) * self.keep

    def cost(self, x: np.ndarray) -> float:
        return float(((x - self.target) ** 2).sum())


def problem(k: int) -> Problem:
    """Sizes and complexities as skewed as those of web concepts."""
    rng = np.random.default_rng(k)
    return Problem(np.maximum(1, rng.lognormal(4, 1.2, k)).astype(np.int64), rng.gamma(2.0, 0.15, k))


def published(p: Problem) -> Callable[[], np.ndarray]:
    """qpsolvers with OSQP at its default tolerances, rounded; matrices are sparse, which the reference's are not."""
    from qpsolvers import solve_qp
    from scipy import sparse

    def run() -> np.ndarray:
        k = len(p.size)
        least = floors(p.floor, p.size, p.keep).astype(float)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = solve_qp(
                sparse.eye(k, format="csc"), -p.target, A=sparse.csc_matrix(np.ones((1, k))), b=np.array([float(p.keep)]),
                lb=least, ub=p.size.astype(float), solver="osqp",
            )  # fmt: skip
        return np.full(k, np.nan) if found is None else np.rint(found)

    return run


def ours(p: Problem) -> Callable[[], np.ndarray]:
    """From sizes and complexities to quotas."""
    return lambda: cluster_quotas(p.size, p.complexity, KEEP, TEMPERATURE, p.floor)


def outside(p: Problem, x: np.ndarray) -> int:
    """Concepts whose quota lies outside its bounds."""
    return int(((x < floors(p.floor, p.size, p.keep)) | (x > p.size)).sum())


def beside() -> str:
    """Both, where the solver can."""
    rows = []
    for k in SOLVED:
        p = problem(k)
        seconds, found = medians({"solver": published(p), "ours": ours(p)})
        rows.append(
            (
                f"{k:,}",
                duration(seconds["solver"]),
                duration(seconds["ours"]),
                f"{seconds['solver'] / seconds['ours']:,.0f}",
                f"{p.keep:,}",
                "no answer" if np.isnan(found["solver"]).any() else f"{int(found['solver'].sum()) - p.keep:+d}",
                f"{outside(p, found['solver'])}",
                f"{int(found['ours'].sum()) - p.keep:+d}",
                f"{outside(p, found['ours'])}",
            )
        )
    head = ("concepts", "OSQP, rounded", "Winnow", "times faster", "budget", "OSQP: off by", "OSQP: bounds broken",
            "Winnow: off by", "Winnow: bounds broken")  # fmt: skip
    return table(head, rows)


def alone() -> str:
    """Ours, at sizes where the reference's dense matrix would take 80 GB and 8 TB."""
    rows = []
    for k in ALONE:
        p = problem(k)
        run = ours(p)
        seconds, found = medians({"ours": run})
        tracemalloc.start()
        run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        off = int(found["ours"].sum()) - p.keep
        rows.append((f"{k:,}", duration(seconds["ours"]), f"{peak / k:.0f}", f"{p.keep:,}", f"{off:+d}"))
    return table(("concepts", "Winnow", "peak memory, bytes per concept", "budget", "off by"), rows)


def main() -> str:
    """The section of docs/benchmarks.md."""
    return f"""## Quotas

How many samples each concept keeps: nearest to its target, within its bounds, the budget spent exactly
(`bench/quotas.py`). The peer is the published way: the program in real numbers by qpsolvers and OSQP at default
tolerances, then rounded (given sparse matrices, which the reference's are not). Medians of 5 runs, in turn, in one process.
{machine(("numpy", "qpsolvers", "osqp"))}.

{beside()}

Alone, where the reference's square matrix would take 80 GB and 8 TB:

{alone()}

"Off by" is what the quotas sum to, less the budget; "bounds broken" counts concepts below their floor or above their
size. Both are given sizes and complexities; Winnow's time includes the softmax and the floors."""


if __name__ == "__main__":
    print(main())
