"""Decisions: for every sample that reaches a stage, keep, or drop with reason, score and threshold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from assets.provenance.tables import STAGES, TABLES


@dataclass(frozen=True)
class Decision:
    """What one filter says of a batch of n samples.

    Attributes:
        keep: (n,) bool.
        score: (n,) the number that decided; None where the rule has none, NaN where a sample has none.
        threshold: limit the score was held against.
    """

    keep: np.ndarray
    score: np.ndarray | None = None
    threshold: float | None = None


def decision_table(
    stage: str,
    sample_id: Sequence[int] | np.ndarray | pa.Array | pa.ChunkedArray,
    kept: np.ndarray,
    reason: Sequence[str | None] | pa.Array,
    score: np.ndarray | Sequence[float | None] | None = None,
    threshold: np.ndarray | Sequence[float | None] | float | None = None,
    other_sample_id: Sequence[int | None] | pa.Array | None = None,
) -> pa.Table:
    """Rows of table `decision`, in the order given; NaN scores and thresholds become null.

    Raises ValueError if the stage is unknown, lengths differ, or a dropped sample has no reason.
    """
    if stage not in STAGES:
        raise ValueError(f"stage {stage!r} is not one of {', '.join(STAGES)}")
    ids = pa.array(np.asarray(sample_id, dtype=np.uint64))
    n = len(ids)
    kept = np.asarray(kept, dtype=bool)
    if len(kept) != n or len(reason) != n:
        raise ValueError(f"stage {stage}: {n} samples, but {len(kept)} decisions and {len(reason)} reasons")
    reasons = reason if isinstance(reason, pa.Array) else pa.array(list(reason), pa.string())
    if (~kept & reasons.is_null().to_numpy(zero_copy_only=False)).any():
        raise ValueError(f"stage {stage}: a dropped sample has no reason")
    other = pa.nulls(n, pa.uint64()) if other_sample_id is None else other_sample_id
    return pa.table(
        {
            "sample_id": ids,
            "stage": pa.repeat(pa.scalar(stage, pa.string()), n),
            "kept": pa.array(kept),
            "reason": reasons,
            "score": _numbers(score, n),
            "threshold": _numbers(threshold, n),
            "other_sample_id": other if isinstance(other, pa.Array) else pa.array(other, pa.uint64()),
        },
        schema=TABLES["decision"].schema,
    )


def first_failure(stage: str, sample_id: np.ndarray, filters: Mapping[str, Decision]) -> pa.Table:
    """One decision per sample from filters in declared order: the first that drops it gives reason, score, threshold."""
    n = len(sample_id)
    kept = np.ones(n, dtype=bool)
    reason: np.ndarray = np.full(n, None, dtype=object)
    score, threshold = np.full(n, np.nan), np.full(n, np.nan)
    for name, decision in filters.items():
        failed = kept & ~decision.keep
        reason[failed] = name
        if decision.score is not None:
            score[failed] = np.asarray(decision.score, dtype=np.float64)[failed]
        if decision.threshold is not None:
            threshold[failed] = decision.threshold
        kept &= decision.keep
    return decision_table(stage, sample_id, kept, reason.tolist(), score, threshold)


def funnel_counts(decisions: Iterable[pa.Table]) -> tuple[list[str], list[int], list[int]]:
    """Stages that decided, in order, with the samples that each kept and dropped.

    Args:
        decisions: columns stage and kept of tables `decision`, in any order and any cut.
    """
    counts: dict[tuple[str, bool], int] = {}
    for table in decisions:
        for row in table.group_by(["stage", "kept"]).aggregate([([], "count_all")]).to_pylist():
            key = (row["stage"], row["kept"])
            counts[key] = counts.get(key, 0) + row["count_all"]
    stages = [stage for stage in STAGES if (stage, True) in counts or (stage, False) in counts]
    return stages, [counts.get((s, True), 0) for s in stages], [counts.get((s, False), 0) for s in stages]


def kept_ids(decisions: pa.Table) -> np.ndarray:
    """(m,) uint64 ids of the samples that go on, ascending."""
    ids = np.asarray(decisions.column("sample_id").to_numpy(), dtype=np.uint64)
    return np.sort(ids[np.asarray(decisions.column("kept").to_numpy(), dtype=bool)])


def _numbers(values: np.ndarray | Sequence[float | None] | float | None, n: int) -> pa.Array:
    if values is None:
        return pa.nulls(n, pa.float64())
    if isinstance(values, (int, float)):
        values = np.full(n, float(values))
    if not isinstance(values, np.ndarray) or values.dtype == object:
        values = [np.nan if value is None else value for value in values]
    array = np.asarray(values, dtype=np.float64)
    return pa.array(array, mask=np.isnan(array))
