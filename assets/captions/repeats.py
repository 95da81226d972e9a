"""The same text again and again: the sign of a model that no longer looks at what it is given.

One published set has the same fused caption four thousand times. Texts are counted over the whole build, by a hash of
their words, and all samples that share one too often lose it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from assets.captions.gates import text_key
from assets.captions.rows import with_columns
from assets.provenance.tables import TABLES


def count_texts(parts: Iterable[pa.Table], most: int) -> pa.Table:
    """Table `repeated_text`: fused texts that more than `most` samples have, by key.

    Args:
        parts: rows of table `draft` with columns kind, status and text, part by part.
        most: samples that may share a text.
    """
    counts: Counter[bytes] = Counter()
    for part in parts:
        columns = (part.column(name).to_pylist() for name in ("kind", "status", "text"))
        counts.update(
            text_key(text)
            for kind, status, text in zip(*columns, strict=True)
            if kind == "fused" and status == "ok" and text
        )
    rows = [{"text_key": key, "samples": count} for key, count in sorted(counts.items()) if count > most]
    return pa.Table.from_pylist(rows, schema=TABLES["repeated_text"].schema)


def refuse_repeated(drafts: pa.Table, repeated: Mapping[bytes, int], most: int) -> pa.Table:
    """The same rows, with fusions whose text too many samples have rejected: reason `repeated`, score how many."""
    if not repeated:
        return drafts
    changed: dict[str, Sequence[object]] = {
        name: drafts.column(name).to_pylist() for name in ("status", "reason", "score", "threshold", "selected")
    }
    kinds, texts = drafts.column("kind").to_pylist(), drafts.column("text").to_pylist()
    for place, (kind, text) in enumerate(zip(kinds, texts, strict=True)):
        count = repeated.get(text_key(text)) if kind == "fused" and text and changed["status"][place] == "ok" else None
        if count is not None:
            values = ("rejected", "repeated", float(count), float(most), False)
            for column, value in zip(changed.values(), values, strict=True):
                column[place] = value  # type: ignore[index]
    types = {name: drafts.schema.field(name).type for name in changed}
    return with_columns(drafts, **{name: pa.array(column, types[name]) for name, column in changed.items()})
