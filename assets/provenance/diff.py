"""The difference of two builds of one home: which samples a release gained and lost, which changed, and why.

Sample ids stay the same between builds over the same registry of shards, whatever the filters: rows are compared by id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from assets.provenance.tables import STAGES, TABLES

TABLES_COMPARED = ("sample", "decision", "rights", "caption", "release_member")
"""Tables whose files `diff` reads."""

CHANGES = ("added", "removed", "changed caption", "changed license", "changed delivery")
"""Values of `change`, in the order of the rows."""


def diff(before: Mapping[str, Sequence[Path]], after: Mapping[str, Sequence[Path]], threads: int = 2) -> pa.Table:
    """What is different in the release of the later build.

    Args:
        before, after: Parquet files by table of TABLES_COMPARED; a table left out is empty.
        threads: threads of DuckDB.
    Returns:
        One row per sample and change, sorted by change and sample: sample_id, change, stage, reason, before, after.
        For a removed sample, stage and reason are those that drop it now; for an added one, those that dropped it
        before; `crawl` and `new` or `gone` where the other build does not have it at all. `before` and `after` hold
        captions, licenses, or how it is delivered (image, address).
    """
    with duckdb.connect(config={"threads": threads}) as connection:
        for side, files, other in (("a", before, after), ("b", after, before)):
            for name in TABLES_COMPARED:
                # A file that both builds name holds the same rows: no text or license in it can have changed.
                shared = {str(path) for path in other.get(name, ())} if name in ("rights", "caption") else set()
                _open(connection, f"{side}_{name}", name, [p for p in map(str, files.get(name, ())) if p not in shared])
        order = pa.table({"stage": list(STAGES), "position": pa.array(range(len(STAGES)), pa.int64())})
        connection.register("stage_order", order)
        connection.register("change_order", pa.table({"change": list(CHANGES), "rank": list(range(len(CHANGES)))}))
        return connection.execute(_DIFF).to_arrow_table()


def _open(connection: duckdb.DuckDBPyConnection, view: str, table: str, files: Sequence[str]) -> None:
    if files:
        paths = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
        connection.execute(f"CREATE TEMP VIEW {view} AS SELECT * FROM read_parquet([{paths}])")
    else:
        connection.register(view, TABLES[table].empty())


_DIFF = """
WITH both_released AS (
    SELECT a.sample_id, a.with_image AS image_a, b.with_image AS image_b
    FROM a_release_member a JOIN b_release_member b USING (sample_id)
),
dropped_a AS (
    SELECT sample_id, arg_min({'stage': stage, 'reason': reason}, position) AS d
    FROM a_decision JOIN stage_order USING (stage) WHERE NOT kept GROUP BY sample_id
),
dropped_b AS (
    SELECT sample_id, arg_min({'stage': stage, 'reason': reason}, position) AS d
    FROM b_decision JOIN stage_order USING (stage) WHERE NOT kept GROUP BY sample_id
),
text_a AS (SELECT sample_id, min(text) AS text, min(kind) AS kind FROM a_caption WHERE chosen GROUP BY sample_id),
text_b AS (SELECT sample_id, min(text) AS text, min(kind) AS kind FROM b_caption WHERE chosen GROUP BY sample_id),
changes AS (
    SELECT b.sample_id, 'added' AS change,
        CASE WHEN s.sample_id IS NULL THEN 'crawl' ELSE d.d.stage END AS stage,
        CASE WHEN s.sample_id IS NULL THEN 'new' ELSE d.d.reason END AS reason,
        NULL::VARCHAR AS before, NULL::VARCHAR AS after
    FROM b_release_member b ANTI JOIN a_release_member a USING (sample_id)
    LEFT JOIN a_sample s ON s.sample_id = b.sample_id LEFT JOIN dropped_a d ON d.sample_id = b.sample_id
    UNION ALL
    SELECT a.sample_id, 'removed',
        CASE WHEN s.sample_id IS NULL THEN 'crawl' ELSE d.d.stage END,
        CASE WHEN s.sample_id IS NULL THEN 'gone' ELSE d.d.reason END, NULL, NULL
    FROM a_release_member a ANTI JOIN b_release_member b USING (sample_id)
    LEFT JOIN b_sample s ON s.sample_id = a.sample_id LEFT JOIN dropped_b d ON d.sample_id = a.sample_id
    UNION ALL
    SELECT sample_id, 'changed caption', 'captions',
        CASE WHEN a.kind = b.kind THEN b.kind ELSE concat(a.kind, ' -> ', b.kind) END, a.text, b.text
    FROM both_released JOIN text_a a USING (sample_id) JOIN text_b b USING (sample_id)
    WHERE a.text IS DISTINCT FROM b.text
    UNION ALL
    SELECT sample_id, 'changed license', 'rights', coalesce(b.decided_by, b.reason), a.image_license, b.image_license
    FROM both_released JOIN a_rights a USING (sample_id) JOIN b_rights b USING (sample_id)
    WHERE a.image_license <> b.image_license
    UNION ALL
    SELECT sample_id, 'changed delivery', 'rights', b.reason,
        CASE WHEN image_a THEN 'image' ELSE 'address' END, CASE WHEN image_b THEN 'image' ELSE 'address' END
    FROM both_released JOIN b_rights b USING (sample_id) WHERE image_a <> image_b
)
SELECT sample_id, change, stage, reason, before, after
FROM changes JOIN change_order USING (change) ORDER BY rank, sample_id
"""
