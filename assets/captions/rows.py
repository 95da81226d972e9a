"""Rows of table `caption`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from assets.provenance.tables import TABLES, conform

SCHEMA = TABLES["caption"].schema
KIND_ORDER = ("alt", "synthetic-short", "synthetic-dense", "fused")
"""Kinds in the order in which a sample's rows stand."""


def caption_rows(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """A table of captions from mappings; columns left out are null, `inputs` empty, `obligations` 0, `chosen` False."""
    full = [{**dict.fromkeys(SCHEMA.names), "inputs": [], "obligations": 0, "chosen": False, **row} for row in rows]
    return conform("caption", pa.Table.from_pylist(full, schema=SCHEMA))


def join_captions(*tables: pa.Table) -> pa.Table:
    """Captions of several writers as one table, by sample and kind."""
    table = pa.concat_tables(tables)
    place = {kind: i for i, kind in enumerate(KIND_ORDER)}
    keys = zip(
        table.column("sample_id").to_pylist(),
        (place[kind] for kind in table.column("kind").to_pylist()),
        (model or "" for model in table.column("model").to_pylist()),
        range(table.num_rows),
        strict=True,
    )
    return table.take(pa.array([key[-1] for key in sorted(keys)], pa.int64()))
