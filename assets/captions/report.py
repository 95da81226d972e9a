"""What became of the captions: counts a release card can state, good or bad."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import pyarrow as pa

from assets.captions import words


@dataclass(frozen=True)
class CaptionReport:
    """Counts over a table of captions.

    Attributes:
        samples: samples that have rows.
        chosen: samples whose text is of a kind, by kind.
        status: rows by kind and status.
        asked: fusions the model was asked for.
        accepted: fusions that passed every gate.
        rejected: fusions refused, by gate, most frequent first.
        skipped: fusions not asked for, by reason.
        failed: fusions that gave no answer, by reason.
        cut: fusions that ran into the token limit.
        tokens: tokens written for fusions.
        median_words: median words of accepted fusions; None without any.
        repeated: accepted fusions whose text another sample has too.
    """

    samples: int
    chosen: dict[str, int]
    status: dict[str, dict[str, int]]
    asked: int
    accepted: int
    rejected: dict[str, int]
    skipped: dict[str, int]
    failed: dict[str, int]
    cut: int
    tokens: int
    median_words: float | None
    repeated: int

    @property
    def accepted_share(self) -> float | None:
        """Share of the answers that passed; None if none was asked for."""
        return self.accepted / self.asked if self.asked else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "accepted_share": self.accepted_share}

    def sentence(self) -> str:
        """One sentence for the card: how many fusions were asked for, accepted, and why the others were not."""
        left_out = f" {sum(self.skipped.values())} samples were not asked for." if self.skipped else ""
        if not self.asked:
            return f"No fusion was asked for.{left_out}"
        share = f"{100 * self.accepted / self.asked:.0f} %"
        refused = ", ".join(f"{reason} {count}" for reason, count in {**self.rejected, **self.failed}.items())
        why = f"; refused: {refused}" if refused else ""
        return f"Of {self.asked} fusions {self.accepted} ({share}) passed the gates{why}.{left_out}"


def report(captions: pa.Table) -> CaptionReport:
    """Counts over a table of captions, of one shard or of all."""
    rows = captions.select(
        ["sample_id", "kind", "status", "reason", "text", "tokens", "finish_reason", "chosen"]
    ).to_pylist()
    fused = [row for row in rows if row["kind"] == "fused"]
    accepted = [row["text"] for row in fused if row["status"] == "ok"]
    kinds = sorted({row["kind"] for row in rows})
    texts = Counter(words.clean(text).casefold() for text in accepted)
    return CaptionReport(
        samples=len({row["sample_id"] for row in rows}),
        chosen=_count(row["kind"] for row in rows if row["chosen"]),
        status={kind: _count(row["status"] for row in rows if row["kind"] == kind) for kind in kinds},
        asked=sum(row["status"] != "skipped" for row in fused),
        accepted=len(accepted),
        rejected=_count(row["reason"] for row in fused if row["status"] == "rejected"),
        skipped=_count(row["reason"] for row in fused if row["status"] == "skipped"),
        failed=_count(row["reason"] for row in fused if row["status"] == "failed"),
        cut=sum(row["finish_reason"] == "length" for row in fused),
        tokens=sum(row["tokens"] or 0 for row in fused),
        median_words=float(median(len(words.tokens(text)) for text in accepted)) if accepted else None,
        repeated=sum(count for count in texts.values() if count > 1),
    )


def _count(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))
