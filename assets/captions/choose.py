"""Choice: which of a sample's captions is its text in the release, and which samples have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa

from assets.captions.rows import with_columns
from assets.provenance.decisions import decision_table
from assets.rights.combining import REASONS as COMBINING
from assets.rights.policy import MODEL_REFUSALS

Fallback = Literal["alt", "synthetic-short", "synthetic-dense", "synthetic-dense+", "drop"]
SYNTHETIC = ("synthetic-short", "synthetic-dense", "synthetic-dense+")
REASONS = frozenset(
    {"no_alt", "no_synthetic", "over_limit", "injected", "unsafe", "too_long", "alt_off_image", "synthetic_off_image",
     "disagreement", "empty", "markup", "instruction_leak", "refusal", "meta", "copied", "cut_off", "repetition",
     "language_flip", "lost_facts", "invented_facts", "unsupported", "too_short", "score_drop", "repeated",
     "prompt_too_long", "content_filter", "refused", "timeout", "unreachable", "rate_limited", "server_error", "cut_stream",
     "bad_json", "no_choice", "wrong_id", "packed", "over_budget", "not_asked", *COMBINING, *MODEL_REFUSALS}
)  # fmt: skip
"""Reasons for which a sample has no accepted fusion."""


def order_of(fallback: str) -> tuple[str, ...]:
    """Kinds in order of preference: a fusion, then what the recipe falls back to, then what else is there unless it
    says drop."""
    if fallback == "drop":
        return ("fused",)
    if fallback not in ("alt", *SYNTHETIC):
        raise ValueError(f"fallback of captions is {fallback!r}, but must be alt, {', '.join(SYNTHETIC)} or drop")
    first = ("alt", *SYNTHETIC) if fallback == "alt" else (fallback, *SYNTHETIC, "alt")
    return ("fused", *dict.fromkeys(first))


def choose(captions: pa.Table, fallback: str = "alt", fallback_for: Mapping[str, str] | None = None) -> pa.Table:
    """The same rows with `chosen` set for one caption per sample: the selected one of the first kind that has one.

    With fallback `drop`, a sample whose fusion was not accepted has no chosen caption, also where none was asked for.

    Args:
        captions: rows of table `caption`, all of a sample's together.
        fallback: kind that stands in for a fusion.
        fallback_for: another one by the reason for which there is no fusion.
    """
    orders = {name: order_of(name) for name in {fallback, *(fallback_for or {}).values()}}
    names = ("sample_id", "kind", "attempt", "status", "reason", "selected", "text")
    rows = list(zip(*(captions.column(name).to_pylist() for name in names), strict=True))
    why: dict[int, tuple[int, str | None]] = {}
    selected: dict[int, dict[str, int]] = {}
    for place, (sample, kind, attempt, status, reason, goes_on, text) in enumerate(rows):
        if kind == "fused":
            why[sample] = max(why.get(sample, (0, None)), (attempt, reason), key=lambda found: found[0])
        if goes_on and status == "ok" and text:
            selected.setdefault(sample, {}).setdefault(kind, place)
    chosen = np.zeros(captions.num_rows, dtype=bool)
    for sample, places in selected.items():
        reason = why.get(sample, (0, None))[1]
        order = orders[(fallback_for or {}).get(reason or "", fallback)]
        first = next((places[kind] for kind in order if kind in places), None)
        if first is not None:
            chosen[first] = True
    return with_columns(captions, chosen=pa.array(chosen))


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
