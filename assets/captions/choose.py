"""Choice: which of a sample's captions is its text in the release, and which samples have none."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa

from assets.provenance.decisions import decision_table

Fallback = Literal["alt", "synthetic-short", "drop"]


def order_of(fallback: Fallback) -> tuple[str, ...]:
    """Kinds in order of preference: a fusion, then what the recipe falls back to, then what else is there unless it
    says drop."""
    rest = {"alt": ("alt", "synthetic-short"), "synthetic-short": ("synthetic-short", "alt"), "drop": ()}
    if fallback not in rest:
        raise ValueError(f"fallback of captions is {fallback!r}, but must be alt, synthetic-short or drop")
    return ("fused", *rest[fallback])


def choose(captions: pa.Table, fallback: Fallback = "alt", order: tuple[str, ...] | None = None) -> pa.Table:
    """The same rows with `chosen` set for one caption per sample: the first kind in order whose status is ok.

    Of several captions of one kind the one with the higher score is taken, then the one that stands first. With
    fallback `drop`, a sample whose fusion was not accepted has no chosen caption, also where none was asked for.
    """
    order = order_of(fallback) if order is None else order
    preference = {kind: place for place, kind in enumerate(order)}
    best: dict[int, tuple[int, float, int]] = {}
    columns = (captions.column(name).to_pylist() for name in ("sample_id", "kind", "status", "text", "score"))
    for row, (sample, kind, status, text, score) in enumerate(zip(*columns, strict=True)):
        if status == "ok" and text and kind in preference:
            rank = (preference[kind], -score if score is not None else 0.0, row)
            best[sample] = min(best.get(sample, rank), rank)
    chosen = np.zeros(captions.num_rows, dtype=bool)
    chosen[[rank[2] for rank in best.values()]] = True
    place = captions.schema.get_field_index("chosen")
    return captions.set_column(place, captions.schema.field(place), pa.array(chosen))


def caption_decisions(sample_id: np.ndarray | pa.ChunkedArray, captions: pa.Table) -> pa.Table:
    """Rows of table `decision`, stage captions: kept with the chosen kind as reason, or dropped with `no_caption`.

    Args:
        sample_id: every sample that came in.
        captions: rows of `choose`.
    """
    ids = np.sort(np.asarray(sample_id, dtype=np.uint64))
    marked = captions.filter(captions.column("chosen"))
    kinds = dict(zip(marked.column("sample_id").to_pylist(), marked.column("kind").to_pylist(), strict=True))
    reasons = [kinds.get(i, "no_caption") for i in ids.tolist()]
    return decision_table("captions", ids, np.array([i in kinds for i in ids.tolist()], dtype=bool), reasons)
