"""What a takedown reaches in a finished build: from selectors to samples, their copies, their duplicate groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from assets.provenance.tables import TABLES
from assets.rights.removals import match_sql

REACHES = ("exact", "twins", "duplicates")
"""How far a takedown goes: what is named, its copies of the same bytes, and whole groups of near-duplicates."""

TABLES_READ = ("sample", "image", "attribution", "decision")
"""Tables whose files `reached` reads."""


def reached(
    selectors: pa.Table,
    files: Mapping[str, Sequence[Path]],
    reach: str = "duplicates",
    secret: bytes | None = None,
    threads: int = 2,
) -> pa.Table:
    """Samples of a build that selectors reach: sample_id, match, distance, sha256 of the image; sorted by sample.

    A sample is reached as near as it can be: what is named comes before a twin (a copy of the same bytes), a twin before a
    duplicate (of the same group of dedup: one that went in its favor, or in whose favor it went). This goes on until
    nothing new is reached, so a group goes as a whole.

    Args:
        selectors: table `selector`.
        files: Parquet files of the build by table of TABLES_READ; a table left out is empty.
        reach: one of REACHES.
        secret: key of the home, where selectors are sealed.
        threads: threads of DuckDB.
    """
    with duckdb.connect(config={"threads": threads}) as connection:
        for name in TABLES_READ:
            open_files(connection, name, files.get(name, ()))
        connection.register("selector", selectors)
        kinds = selectors["kind"].unique().to_pylist()
        named = match_sql(kinds, secret) if kinds else _NOTHING
        connection.execute(f"""CREATE TABLE reached AS
            SELECT sample_id, min(match) AS match, min(distance) AS distance FROM ({named}) GROUP BY sample_id""")
        if reach != "exact":
            _spread(connection, with_duplicates=reach == "duplicates")
        return connection.execute(
            """SELECT r.sample_id, r.match, r.distance::FLOAT AS distance, i.sha256
            FROM reached r LEFT JOIN sample USING (sample_id) LEFT JOIN image i USING (image_id) ORDER BY sample_id"""
        ).to_arrow_table()


def named_among(
    members: pa.Table,
    selectors: pa.Table,
    files: Mapping[str, Sequence[Path]],
    secret: bytes | None = None,
    threads: int = 2,
) -> list[int]:
    """Samples among some that selectors name themselves.

    Args:
        members: column sample_id of the samples in question.
        selectors, files, secret, threads: as `reached` takes them.
    """
    with duckdb.connect(config={"threads": threads}) as connection:
        open_files(connection, "sample", files.get("sample", ()), "every_sample")
        for name in ("image", "attribution"):
            open_files(connection, name, files.get(name, ()))
        connection.register("member", members)
        connection.register("selector", selectors)
        connection.execute("CREATE VIEW sample AS FROM every_sample SEMI JOIN member USING (sample_id)")
        kinds = selectors["kind"].unique().to_pylist()
        found = connection.execute(f"SELECT DISTINCT sample_id FROM ({match_sql(kinds, secret)})") if kinds else None
        return [sample for (sample,) in found.fetchall()] if found else []


def _spread(connection: duckdb.DuckDBPyConnection, with_duplicates: bool) -> None:
    if with_duplicates:
        connection.execute(_EDGES)
    while True:
        grown = sum(_insert(connection, sql) for sql in (_TWINS, *([_DUPLICATES] if with_duplicates else [])))
        if not grown:
            return


def _insert(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(f"INSERT INTO reached {sql}").fetchone()
    return int(row[0]) if row else 0


def open_files(
    connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path], called: str | None = None
) -> None:
    """A view of a table's Parquet files under its name or another; an empty table where there are none."""
    if files:
        paths = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
        connection.execute(f"CREATE VIEW {called or name} AS SELECT * FROM read_parquet([{paths}])")
    else:
        connection.register(called or name, TABLES[name].empty())


_NOTHING = "SELECT NULL::UBIGINT AS sample_id, NULL::VARCHAR AS match, NULL::FLOAT AS distance WHERE false"
_EDGES = """CREATE TABLE edge AS
    SELECT sample_id AS a, other_sample_id AS b, CASE WHEN reason = 'near_duplicate' THEN 1 - score END AS distance
    FROM decision WHERE stage = 'dedup' AND other_sample_id IS NOT NULL"""
_TWINS = """SELECT s.sample_id, 'twin', NULL FROM sample s
    SEMI JOIN (
        SELECT image_id FROM image SEMI JOIN (
            SELECT DISTINCT i.sha256 FROM reached JOIN sample USING (sample_id) JOIN image i USING (image_id)
        ) USING (sha256)
    ) c ON c.image_id = s.image_id
    ANTI JOIN reached r ON r.sample_id = s.sample_id"""
_DUPLICATES = """SELECT sample_id, 'duplicate', min(distance) FROM (
        SELECT b AS sample_id, distance FROM edge SEMI JOIN reached r ON r.sample_id = edge.a
        UNION ALL SELECT a, distance FROM edge SEMI JOIN reached r ON r.sample_id = edge.b
    ) ANTI JOIN reached USING (sample_id) GROUP BY sample_id"""
