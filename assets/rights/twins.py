"""Twins: the same bytes at several places. Different licenses are a conflict; the strictest verdict is everybody's."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pyarrow as pa

from assets.provenance.tables import conform
from assets.rights.licenses import NOASSERTION, NONE
from assets.rights.policy import stricter


def twins(occurrence: pa.Table) -> pa.Table:
    """Table `twin`: groups of samples with the same bytes of which some state a license or a reservation.

    A sample that states nothing conflicts with nothing and makes no copy stricter; NOASSERTION is no license that
    could differ from another.

    Args:
        occurrence: rows of table `occurrence` of all shards, with a column sha256 (null: never a twin).
    """
    columns = ["sha256", "image_license", "reservation", "verdict"]
    groups: dict[bytes, list[dict[str, Any]]] = defaultdict(list)
    for row in occurrence.select(columns).to_pylist():
        if row["sha256"] is not None:
            groups[row["sha256"]].append(row)
    rows = [_twin(sha256, groups[sha256]) for sha256 in sorted(groups) if len(groups[sha256]) > 1]
    schema = pa.schema([("sha256", pa.binary(32)), ("licenses", pa.list_(pa.string())), ("conflict", pa.bool_()),
                        ("verdict", pa.string()), ("samples", pa.uint32())])  # fmt: skip
    return conform("twin", pa.Table.from_pylist([row for row in rows if row], schema=schema))


def _twin(sha256: bytes, copies: list[dict[str, Any]]) -> dict[str, Any] | None:
    stating = [c for c in copies if c["image_license"] != NONE or c["reservation"] in ("reserved", "conditional")]
    if not stating:
        return None
    licenses = sorted({c["image_license"] for c in stating} - {NONE, NOASSERTION})
    return {
        "sha256": sha256,
        "licenses": licenses,
        "conflict": len(licenses) > 1,
        "verdict": stricter(*(c["verdict"] for c in stating)),
        "samples": len(copies),
    }
