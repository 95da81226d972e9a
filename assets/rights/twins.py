"""Twins: the same bytes at several places. Different licenses are a conflict; the strictest verdict is everybody's."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from assets.provenance.tables import conform
from assets.rights.verdict import rights_sql


def twins(occurrence: pa.Table, sample_sha256: pa.Table, threads: int = 2) -> pa.Table:
    """Table `twin`: groups of samples with the same bytes of which some state a license or a reservation.

    Args:
        occurrence: rows of table `occurrence` of all shards.
        sample_sha256: columns sample_id and sha256 of their images; samples that it lacks are nobody's twin.
        threads: threads of the grouping; they do not change the outcome.
    """
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.register("occurrence", occurrence)
        connection.register("sample_sha256", sample_sha256)
        return conform("twin", connection.execute(rights_sql("twin")).to_arrow_table())
