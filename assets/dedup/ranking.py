"""Which samples are preferred, and which are equal: ranks and exact twins, by DuckDB, which sorts on disk if it must."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

VERDICTS = ("allow", "url_only")
"""From preferred to less; others come last."""
MEMORY = "1GB"
"""What DuckDB may hold; the rest goes to its folder."""

_VERDICT = (
    "CASE verdict " + " ".join(f"WHEN '{v}' THEN {i}" for i, v in enumerate(VERDICTS)) + f" ELSE {len(VERDICTS)} END"
)
PREFERENCES: Mapping[str, str] = {
    "verdict": _VERDICT,
    "resolution": "-(width::BIGINT * height::BIGINT)",
    "score": "CASE WHEN score IS NULL OR isnan(score) THEN 'infinity'::DOUBLE ELSE -score::DOUBLE END",
}
"""What may make one copy preferred to another, smaller is better: rights, pixels, agreement of picture and text."""

EQUALS: Mapping[str, str] = {
    "exact_duplicate": "sha256::BLOB",
    "url_duplicate": "image_url",
    "phash_text_duplicate": "CASE WHEN phash IS NULL OR text IS NULL THEN NULL ELSE {'phash': phash, 'text': text} END",
}
"""What makes samples equal, by the reason that a copy goes with; a null is equal to nothing."""


@dataclass(frozen=True)
class Ranking:
    """n samples, numbered in order of preference, and the equals among them.

    Attributes:
        ids: (n,) uint64 sample ids.
        keeper: (n,) uint32 number of the sample that stays in each one's place, as far as equals go; itself where it
            stays.
        level: (n,) int8 which kind of equals it went by; -1 where it stays.
        phash: (n,) uint64 perceptual hashes; None where nobody asked.
        has_phash: (n,) bool; None where nobody asked.
    """

    ids: np.ndarray
    keeper: np.ndarray
    level: np.ndarray
    phash: np.ndarray | None
    has_phash: np.ndarray | None


def rank(
    parts: Iterable[pa.Table], prefer: Sequence[str], equals: Sequence[str], phash: bool, folder: Path | None = None
) -> Ranking:
    """Number samples in order of preference and find equals, each kind among those that the kinds before it left.

    Args:
        parts: rows with sample_id and what `prefer`, `equals` and `phash` ask about.
        prefer: names of `PREFERENCES`, the most important first; the lower sample_id decides last.
        equals: names of `EQUALS`, in order.
        phash: also give perceptual hashes.
        folder: where rows go that do not fit in `MEMORY`.
    """
    import duckdb

    config: dict[str, Any] = {"memory_limit": MEMORY, "threads": 2, "preserve_insertion_order": False}
    with duckdb.connect(":memory:", config=config) as db:
        db.execute("SET enable_progress_bar = false")
        if folder is not None:
            db.execute(f"SET temp_directory = {_quoted(str(folder / 'duckdb'))}")
        try:
            return _rank(db, iter(parts), prefer, equals, phash)
        except duckdb.IOException as error:
            if "space" in str(error).lower():
                raise OSError(errno.ENOSPC, "no space left", str(folder)) from error
            raise


def _rank(db: Any, parts: Iterator[pa.Table], prefer: Sequence[str], equals: Sequence[str], phash: bool) -> Ranking:
    first = next(parts, None)
    if first is None:
        first = pa.table({"sample_id": pa.array([], pa.uint64())})
        prefer, equals, phash = (), (), False
    columns = [f"{EQUALS[name]} AS equal_{number}" for number, name in enumerate(equals)]
    order = ", ".join([*(PREFERENCES[name] for name in prefer), "sample_id"])
    columns += ["phash"] if phash else []

    def batches() -> Iterator[pa.RecordBatch]:
        yield from first.to_batches()
        for part in parts:
            yield from part.select(first.column_names).cast(first.schema).to_batches()

    db.register("part", pa.RecordBatchReader.from_batches(first.schema, batches()))
    db.execute(
        "CREATE TABLE sample AS SELECT " + ", ".join(["sample_id::UBIGINT AS sample_id", *columns])
        + f", (row_number() OVER (ORDER BY {order}) - 1)::UINTEGER AS number FROM part"
    )  # fmt: skip
    found = db.execute("SELECT sample_id, number FROM sample").fetchnumpy()
    ids = np.empty(len(found["number"]), np.uint64)
    ids[found["number"]] = found["sample_id"]
    keeper, level = np.arange(len(ids), dtype=np.uint32), np.full(len(ids), -1, np.int8)
    for kind in range(len(equals)):
        _collapse(db, kind, keeper, level)
    hashes, known = _hashes(db, len(ids)) if phash else (None, None)
    return Ranking(ids, keeper, level, hashes, known)


def _collapse(db: Any, kind: int, keeper: np.ndarray, level: np.ndarray) -> None:
    """Let the preferred one stand for its equals, among samples that stand for themselves."""
    gone = pa.table({"number": np.flatnonzero(level >= 0).astype(np.uint32)})
    db.register("gone", gone)
    db.execute(
        f"""CREATE OR REPLACE TEMP TABLE alone AS
            SELECT number, equal_{kind} AS equal FROM sample ANTI JOIN gone USING (number) WHERE equal_{kind} IS NOT NULL"""
    )
    copies = db.execute(
        """SELECT number, stays FROM alone
           JOIN (SELECT equal, min(number) AS stays FROM alone GROUP BY equal HAVING count(*) > 1) USING (equal)
           WHERE number > stays"""
    ).fetchnumpy()
    db.unregister("gone")
    level[copies["number"]] = kind
    now = np.arange(len(keeper), dtype=np.uint32)
    now[copies["number"]] = copies["stays"]
    keeper[:] = now[keeper]


def _hashes(db: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Perceptual hashes by number, and where there is one."""
    hashes, known = np.zeros(n, np.uint64), np.zeros(n, dtype=bool)
    for batch in db.execute("SELECT number, phash FROM sample WHERE phash IS NOT NULL").to_arrow_reader(1 << 16):
        number = batch["number"].to_numpy()
        known[number] = True
        hashes[number] = [int.from_bytes(value, "big") for value in batch["phash"].to_pylist()]
    return hashes, known


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
