"""What the figures support: differences between arms, with an interval over seeds and one over pairs held aside.

Three seeds say how far luck in first weights, order and draw goes, and nothing about which pairs happened to be held
aside; resampled pairs say the other half. A difference counts where both intervals leave 0 out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from assets.evaluation.measure import hits, of_model
from assets.provenance.tables import TABLES

LEVEL = 0.95
FIRST = "pruned"


@dataclass(frozen=True)
class Interval:
    """Ends of an interval."""

    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Is no difference within it."""
        return self.low <= 0 <= self.high


def compare(rank: pa.Table, resamples: int = 2000, seed: int = 0, first: str = FIRST) -> pa.Table:
    """Rows of table `evaluation_comparison`: one arm against every other, in every metric.

    Args:
        rank: table `evaluation_rank`.
        resamples: draws of the bootstrap.
        seed: of the bootstrap.
        first: arm that the others are compared with.

    Raises:
        ValueError: with fewer than two seeds, or where arms were not measured on the same seeds and pairs.
    """
    right = answers(rank)
    if first not in right:
        raise ValueError(f"evaluation: arm {first} was not measured, and the others are compared with it")
    rows = []
    for metric, ours in right[first].items():
        for other in sorted(set(right) - {first}):
            rows.append(_row(metric, (first, ours), (other, right[other][metric]), resamples, seed))
    return pa.Table.from_pylist(rows, schema=TABLES["evaluation_comparison"].schema)


def answers(rank: pa.Table) -> dict[str, dict[str, np.ndarray]]:
    """By arm and metric, (seeds, pairs) of 1 for right and 0 for wrong answers, over the pairs that were asked."""
    models = sorted({(row["arm"], row["seed"]) for row in rank.select(["arm", "seed"]).to_pylist()})
    seeds = {arm: [seed for name, seed in models if name == arm] for arm, _ in models}
    if any(len(found) < 2 for found in seeds.values()):
        raise ValueError("evaluation.seeds: with fewer than two seeds there is no deviation; name two or more")
    if len({tuple(found) for found in seeds.values()}) > 1:
        raise ValueError(f"evaluation: arms were trained under different seeds: {seeds}")
    tables = {model: of_model(rank, *model) for model in models}
    pairs = {tuple(table["sample_id"].to_pylist()) for table in tables.values()}
    if len(pairs) > 1:
        raise ValueError("evaluation: arms were measured on different pairs")
    found: dict[str, dict[str, np.ndarray]] = {}
    for arm in seeds:
        each = [hits(tables[arm, seed]) for seed in seeds[arm]]
        stacked = {metric: np.stack([one[metric] for one in each]) for metric in each[0]}
        found[arm] = {metric: right[:, ~np.isnan(right[0])] for metric, right in stacked.items()}
    return found


def over_seeds(ours: np.ndarray, others: np.ndarray) -> Interval:
    """95 % interval of the difference of two means whose variances may differ (Welch 1947, Biometrika 34).

    Args:
        ours, others: figures, one per seed, at least two each. Where neither varies, the interval is their difference.
    """
    from scipy import stats

    difference = float(ours.mean() - others.mean())
    a, b = (float(figures.var(ddof=1)) / len(figures) for figures in (ours, others))
    if a + b == 0:
        return Interval(difference, difference)
    freedom = (a + b) ** 2 / (a**2 / (len(ours) - 1) + b**2 / (len(others) - 1))
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * (a + b) ** 0.5
    return Interval(difference - half, difference + half)


def over_pairs(ours: np.ndarray, others: np.ndarray, resamples: int, seed: int) -> Interval:
    """95 % interval of the difference over pairs: the paired bootstrap's percentiles (Efron 1979, Ann. Statist. 7).

    Args:
        ours, others: (n,) share of seeds under which each pair was answered right; the same pairs.
        resamples: draws.
        seed: of the draws.
    """
    from scipy import stats

    found = stats.bootstrap(
        (ours - others,), np.mean, n_resamples=resamples, batch=100, confidence_level=LEVEL, method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return Interval(float(found.low), float(found.high))


Arm = tuple[str, np.ndarray]
"""Name, and (seeds, pairs) of right and wrong answers."""


def _row(metric: str, ours: Arm, others: Arm, resamples: int, seed: int) -> dict[str, object]:
    figures, other_figures = ours[1].mean(axis=1), others[1].mean(axis=1)
    seeds = over_seeds(figures, other_figures)
    pairs = over_pairs(ours[1].mean(axis=0), others[1].mean(axis=0), resamples, seed)
    supported = not seeds.holds_zero and not pairs.holds_zero and (seeds.low > 0) == (pairs.low > 0)
    return {
        "metric": metric,
        "arm": ours[0],
        "other": others[0],
        "mean": float(figures.mean()),
        "deviation": float(figures.std(ddof=1)),
        "other_mean": float(other_figures.mean()),
        "other_deviation": float(other_figures.std(ddof=1)),
        "difference": float(figures.mean() - other_figures.mean()),
        "low": seeds.low,
        "high": seeds.high,
        "pairs_low": pairs.low,
        "pairs_high": pairs.high,
        "supported": supported,
        "statement": statement(ours[0], figures, others[0], other_figures, (seeds, pairs) if supported else ()),
    }


def statement(
    arm: str, figures: np.ndarray, other: str, other_figures: np.ndarray, intervals: Sequence[Interval]
) -> str:
    """The comparison in a sentence, in percent; without intervals that support a difference it claims none."""
    told = f"{arm} {_spread(figures)}, {other} {_spread(other_figures)}"
    if not intervals:
        return f"{told}: no difference that the deviations support"
    seeds, pairs = (f"{100 * one.low:+.1f} to {100 * one.high:+.1f}" for one in intervals)
    word = "better" if figures.mean() > other_figures.mean() else "worse"
    points = abs(100 * (figures.mean() - other_figures.mean()))
    return f"{told}: {arm} is {points:.1f} points {word} (95 %: {seeds} over seeds, {pairs} over pairs)"


def _spread(figures: np.ndarray) -> str:
    return f"{100 * figures.mean():.1f} ± {100 * figures.std(ddof=1):.1f}"
