"""The kit for pool filters: one answer per sample, the same for the same sample, whatever stands beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from assets.pool import sets  # noqa: F401  (registers the filters)
from assets.pool.registry import FILTERS, FREQUENCIES, VECTORS, Registered, unknown
from assets.pool.scores import COLUMNS
from assets.provenance.decisions import Decision, decision_table
from resources.conformance.checks import Answer, Check, Result, results
from resources.conformance.material import odd_texts, texts

ROWS = 48


@dataclass(frozen=True)
class FilterCase:
    """A filter that is asked.

    Attributes:
        filter: as it is registered.
        given: limits that differ from its own.
    """

    filter: Registered
    given: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def limits(self) -> dict[str, Any]:
        """All limits; raises ValueError for one that it does not know or allow."""
        return self.filter.limits(self.filter.name, self.given)

    @cached_property
    def batch(self) -> pa.Table:
        """Samples of every size, with ordinary and odd texts, and every fourth without the number that it may need."""
        random = np.random.default_rng(7)
        words = [*texts(), *odd_texts().values(), None]
        width, height = (np.maximum(1, random.lognormal(5, 1.5, ROWS)).astype(np.uint32) for _ in range(2))
        size = np.maximum(1, width.astype(float) * height * random.uniform(0.001, 3, ROWS)).astype(np.uint64)
        columns: dict[str, Any] = {
            "sample_id": np.arange(ROWS, dtype=np.uint64) << np.uint64(32),
            "image_id": np.arange(ROWS, dtype=np.uint64),
            "sha256": pa.array([bytes([place]) * 32 for place in range(ROWS)], pa.binary(32)),
            "text": pa.array([words[place % len(words)] for place in range(ROWS)], pa.string()),
            "language": pa.array(["en", "de", None, "fr"] * (ROWS // 4), pa.string()),
            "width": width,
            "height": height,
            "bytes": size,
        }
        needed = {"language_wanted", "language_other"} if self.filter.needs == "language" else {self.filter.needs}
        if "language" in self.limits:
            needed.add("language_wanted")
        for column in sorted(filter(None, needed)):
            columns[column] = np.where(np.arange(ROWS) % 4 == 3, np.nan, random.uniform(0, 1, ROWS)).astype(np.float32)
        return pa.table(columns)

    def ask(self, batch: pa.Table) -> Decision:
        """What the filter says of a batch."""
        return self.filter.apply(batch, **self.limits)

    @cached_property
    def answer(self) -> Decision:
        """What it says of the whole batch."""
        return self.ask(self.batch)


def answers(case: FilterCase) -> Answer:
    """Does it take every column that filters get, and answer with a decision?"""
    if not isinstance(case.answer, Decision):
        return False, f"it answers with a {type(case.answer).__name__}, but must with a Decision"
    return True, case.filter.question


def decides_every_row(case: FilterCase) -> Answer:
    """Is there one True or False, and one number if any, for every sample?"""
    keep, score = np.asarray(case.answer.keep), case.answer.score
    if keep.shape != (ROWS,) or keep.dtype != bool:
        return (
            False,
            f"{ROWS} samples get answers of shape {keep.shape} and type {keep.dtype}, but must get as many bools",
        )
    if score is not None and np.asarray(score).shape != (ROWS,):
        return False, f"{ROWS} samples get {np.asarray(score).shape} numbers"
    return True, f"{int(keep.sum())} of {ROWS} made-up samples stay"


def lets_pass_what_nobody_measured(case: FilterCase) -> Answer:
    """Does a sample without the number that it needs stay?"""
    if case.filter.needs in (None, "language"):
        return True, "it needs no number"
    missing = np.isnan(case.batch[case.filter.needs].to_numpy())
    kept = bool(np.asarray(case.answer.keep)[missing].all())
    return kept, "kept" if kept else "it drops samples that nobody measured"


def decides_a_sample_by_itself(case: FilterCase) -> Answer:
    """Has a sample the same answer alone, in any order, and asked again?"""
    if case.filter.one_of:
        return True, "it may take a share of the whole pool, so it is asked about all of it at once"
    order = np.random.default_rng(1).permutation(ROWS)
    for what, batch, places in (
        ("asked again", case.batch, np.arange(ROWS)),
        ("in another order", case.batch.take(pa.array(order)), order),
        ("alone", case.batch.slice(5, 1), np.array([5])),
    ):
        found = case.ask(batch)
        if not np.array_equal(found.keep, np.asarray(case.answer.keep)[places]):
            return False, f"{what}, samples get other answers"
        if found.score is not None and not np.array_equal(
            found.score, np.asarray(case.answer.score)[places], equal_nan=True
        ):
            return False, f"{what}, samples get other numbers"
    return True, "asked again, in another order and alone: the same answers"


def answers_nothing_for_nothing(case: FilterCase) -> Answer:
    """Does an empty batch get an empty answer?"""
    count = len(case.ask(case.batch.slice(0, 0)).keep)
    return count == 0, f"no samples, {count} answers"


def needs_no_more_than_it_gets(case: FilterCase) -> Answer:
    """Does it need no column that a batch does not have?"""
    mine = case.batch.select(
        [*COLUMNS, *(name for name in case.batch.column_names if name not in (*COLUMNS, "language"))]
    )
    if case.limits.get("undetermined") == "declared":
        return True, "it reads the declared language, which it gets"
    case.ask(mine)
    return True, "the columns that it gets are enough"


def gives_its_reason(case: FilterCase) -> Answer:
    """Does table `decision` take what it drops, under its name, with its number and limit?"""
    if not case.filter.source:
        return False, "it does not say where its rule and limit come from"
    stage = "agreement" if case.filter.needs in VECTORS else "pool"
    reasons = [None if keep else case.filter.name for keep in case.answer.keep]
    rows = decision_table(
        stage, case.batch["sample_id"], case.answer.keep, reasons, case.answer.score, case.answer.threshold
    )
    dropped = rows.num_rows - sum(rows["kept"].to_pylist())
    later = " over the whole pool" if case.filter.needs in FREQUENCIES else ""
    return True, f"{dropped} rows with reason {case.filter.name}, decided in {stage}{later}"


FILTER_CHECKS: tuple[Check[FilterCase], ...] = (
    answers,
    decides_every_row,
    lets_pass_what_nobody_measured,
    decides_a_sample_by_itself,
    answers_nothing_for_nothing,
    needs_no_more_than_it_gets,
    gives_its_reason,
)


def filter_checks(name: str, given: Mapping[str, Any] | None = None) -> Iterator[Result]:
    """Ask a filter everything that the pool relies on. Raises ValueError for one that is not registered."""
    if name not in FILTERS:
        raise ValueError(unknown("filter", name, FILTERS))
    return results(FILTER_CHECKS, FilterCase(FILTERS[name], given or {}))
