"""Rows of a table, gathered one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from assets.provenance.tables import TABLES

BATCH = 4096


class Rows:
    """Rows of a table, kept as Arrow batches: a shard may hold a million samples."""

    def __init__(self, name: str) -> None:
        self.count = 0
        self._schema = TABLES[name].schema
        self._waiting: list[Mapping[str, Any]] = []
        self._batches: list[pa.RecordBatch] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row; columns that it does not name are null."""
        self.count += 1
        self._waiting.append(row)
        if len(self._waiting) == BATCH:
            self._flush()

    def table(self) -> pa.Table:
        """All rows, in one piece per column."""
        self._flush()
        return pa.Table.from_batches(self._batches, self._schema).combine_chunks()

    def _flush(self) -> None:
        if self._waiting:
            self._batches.append(pa.RecordBatch.from_pylist(self._waiting, self._schema))
            self._waiting = []
