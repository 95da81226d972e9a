"""Which pairs are held aside to measure on, and which samples no arm may learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from assets.dedup.vectors import DIGITS, nearest, unit_rows
from assets.evaluation.draws import drawn
from assets.provenance.tables import TABLES


@dataclass(frozen=True)
class Aside:
    """Rules of what is held aside.

    Attributes:
        count: pairs to hold aside.
        near: cosine above which a sample is too near to a picture held aside to be in an arm.
        seed: of the draw.
    """

    count: int
    near: float = 0.9
    seed: int = 0


def choose(
    ids: np.ndarray, vectors: np.ndarray, encoder_source: np.ndarray, labels: Sequence[str | None], rules: Aside
) -> pa.Table:
    """Rows of table `held_aside`, by sample_id: pairs held aside, and samples that are left out of every arm.

    Pictures of the embedded encoder's training source are neither held aside nor in an arm; of the others the pairs with
    the smallest hashes are held aside, and what looks nearly like one of them is in no arm.

    Args:
        ids: (n,) uint64 sample ids, each once.
        vectors: (n, d) vectors of pictures that near-duplicates are told by; any float type and length.
        encoder_source: (n,) bool, pictures that come from where the embedded encoder learned.
        labels: n classes of the pairs' texts; None where a text names none.
        rules: how many, how near, which seed.

    Raises:
        ValueError: where fewer pairs are left than are to be held aside, or none for the arms.
    """
    usable = np.flatnonzero(~encoder_source)
    if len(usable) <= rules.count:
        raise ValueError(
            f"evaluation.held_aside is {rules.count}, but only {len(usable)} samples do not come from the embedded "
            "encoder's training source, and the arms need some; hold fewer aside or read a larger crawl"
        )
    held = usable[drawn(ids[usable], rules.count, "held aside", rules.seed)]
    others = np.setdiff1d(usable, held, assume_unique=True)
    cosine = nearness(vectors[others], vectors[held])
    near = cosine > rules.near
    parts = [
        _rows(ids[held], "held_aside", labels=[labels[row] for row in held]),
        _rows(ids[encoder_source], "left_out", "encoder_source"),
        _rows(ids[others[near]], "left_out", "near_held_aside", cosine[near], rules.near),
    ]
    return pa.concat_tables(parts).sort_by("sample_id")


def nearness(vectors: np.ndarray, held: np.ndarray) -> np.ndarray:
    """(n,) float64 cosine of each of (n, d) vectors to the nearest of (m, d) that are held aside, rounded as dedup's."""
    return np.round(nearest(vectors, unit_rows(held))[1], DIGITS)


def _rows(
    ids: np.ndarray,
    role: str,
    reason: str | None = None,
    score: np.ndarray | None = None,
    threshold: float | None = None,
    labels: Sequence[str | None] | None = None,
) -> pa.Table:
    n = len(ids)
    columns = {
        "sample_id": pa.array(ids, pa.uint64()),
        "role": pa.repeat(pa.scalar(role), n),
        "reason": pa.repeat(pa.scalar(reason, pa.string()), n),
        "score": pa.nulls(n, pa.float32()) if score is None else pa.array(score.astype(np.float32)),
        "threshold": pa.repeat(pa.scalar(threshold, pa.float32()), n),
        "label": pa.nulls(n, pa.string()) if labels is None else pa.array(list(labels), pa.string()),
    }
    return pa.table(columns, schema=TABLES["held_aside"].schema)
