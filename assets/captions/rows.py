"""Rows of tables `caption` and `draft`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from assets.provenance.tables import TABLES, conform

SCHEMA = TABLES["caption"].schema
KIND_ORDER = ("alt", "synthetic-short", "synthetic-dense", "synthetic-dense+", "fused")
"""Kinds in the order in which a sample's rows stand."""

_EMPTY = {"inputs": [], "obligations": 0, "attempt": 1, "selected": False, "chosen": False}


def caption_rows(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """A table of captions from mappings; columns left out are null, `inputs` empty, `attempt` 1, flags False."""
    full = [{**dict.fromkeys(SCHEMA.names), **_EMPTY, **row} for row in rows]
    return conform("caption", pa.Table.from_pylist(full, schema=SCHEMA))


def join_captions(*tables: pa.Table) -> pa.Table:
    """Captions of several writers as one table, by sample, kind, model and attempt."""
    table = pa.concat_tables(tables)
    place = {kind: i for i, kind in enumerate(KIND_ORDER)}
    keys = zip(
        table.column("sample_id").to_pylist(),
        (place[kind] for kind in table.column("kind").to_pylist()),
        (model or "" for model in table.column("model").to_pylist()),
        table.column("attempt").to_pylist(),
        range(table.num_rows),
        strict=True,
    )
    return table.take(pa.array([key[-1] for key in sorted(keys)], pa.int64()))


def with_columns(table: pa.Table, **columns: pa.Array) -> pa.Table:
    """The same table with some columns replaced."""
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), values.cast(table.schema.field(place).type))
    return table
