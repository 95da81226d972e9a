"""`provenance.duckdb`: every table of a build in one file, with comments, and views for people.

Built from the files a manifest names; nothing else writes to it. The caller gives a temporary path and publishes the
file by rename, so a reader never sees half a build.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from assets.provenance.sql_files import SqlFile, read_sql
from assets.provenance.tables import STAGES, TABLES, Table, describe
from assets.release.attribution import ATTRIBUTED

VIEWS = ("funnel", "sample_evidence", "why", "sources", "attribution_list", "fetch_outcome")
"""Views for people, in the order in which they build on each other; each is a file in `views/`."""

IN_LAKE = frozenset({"embedding", "centroid", "tag", "completion"})
"""Tables that are always views over the lake: vectors and raw answers outweigh all the rest and are read there."""

HELPERS = {
    "stage_order": "Stages in the order in which a sample meets them.",
    "host_domain": "Registrable domain of every host that a page or an image comes from.",
    "site_record": "Records that hold statements about a whole site, such as robots.txt, by host.",
    "decision_file": "Which asset and fingerprint decided for a stage and shard; joins decision to artifact and run.",
}
"""Small tables that are made here and that views and questions use."""

_HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)"
_TYPES = {
    pa.uint64(): "UBIGINT", pa.uint32(): "UINTEGER", pa.uint16(): "USMALLINT", pa.uint8(): "UTINYINT",
    pa.float64(): "DOUBLE", pa.float32(): "FLOAT", pa.float16(): "FLOAT", pa.string(): "VARCHAR", pa.bool_(): "BOOLEAN",
}  # fmt: skip


def build_database(
    path: Path,
    files: Mapping[str, Sequence[Path]],
    ledger: Mapping[str, pa.Table],
    materialize: bool = True,
    threads: int = 2,
    memory: str = "2GB",
) -> None:
    """Build the database of one build at `path`, where no file is yet.

    Args:
        path: temporary name in the folder where the database will be published.
        files: Parquet files by table of `TABLES`; tables without files are empty.
        ledger: tables with clocks and names of runs, by name.
        materialize: True copies the rows; False makes views over the files, for builds too large to copy.
        threads: threads of DuckDB.
        memory: memory limit of DuckDB; beyond it DuckDB spills into `path`'s folder.

    Raises ValueError where a name is no table of the contract.
    """
    unknown = sorted((set(files) | set(ledger)) - set(TABLES))
    if unknown:
        raise ValueError(f"no table of the contract is named {', '.join(unknown)}")
    with tempfile.TemporaryDirectory(prefix=".duckdb-", dir=path.parent) as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads,
            "memory_limit": memory,
            "temp_directory": spill,
        }
        with duckdb.connect(str(path), config=config) as connection:
            connection.begin()
            connection.execute(f"CREATE MACRO host(url) AS lower(regexp_extract(url, {_quoted(_HOST)}, 1))")
            for table in (table for table in TABLES.values() if not table.internal):
                if table.name in ledger:
                    _copy_ledger(connection, table, ledger[table.name])
                else:
                    _add_table(connection, table, files.get(table.name, ()), materialize)
                _comment_table(connection, table)
            _add_helpers(connection, files.get("decision", ()))
            for name in VIEWS:
                _add_view(connection, view(name))
            connection.commit()


def view(name: str) -> SqlFile:
    """A view's statement with its title and the description of each column."""
    return read_sql(Path(__file__).with_name("views") / f"{name}.sql", "column")


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's type for a column of the contract."""
    if pa.types.is_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMPTZ"
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return "BLOB"
    return _TYPES[kind]


def _add_table(connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[Path], copy: bool) -> None:
    columns = ", ".join(f"{_name(field.name)}::{sql_type(field.type)} AS {_name(field.name)}" for field in table.schema)
    paths = ", ".join(_quoted(str(path)) for path in files)
    rows = f"SELECT {columns} FROM read_parquet([{paths}])"
    if files and not (copy and table.name not in IN_LAKE):
        connection.execute(f"CREATE VIEW {_name(table.name)} AS {rows}")
        return
    _create(connection, table)
    if files:
        connection.execute(f"INSERT INTO {_name(table.name)} {rows}")


def _copy_ledger(connection: duckdb.DuckDBPyConnection, table: Table, rows: pa.Table) -> None:
    _create(connection, table)
    connection.register("ledger_rows", rows)
    columns = ", ".join(_name(field.name) for field in table.schema)
    connection.execute(f"INSERT INTO {_name(table.name)} SELECT {columns} FROM ledger_rows")
    connection.unregister("ledger_rows")


def _create(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    columns = ", ".join(f"{_name(field.name)} {sql_type(field.type)}" for field in table.schema)
    connection.execute(f"CREATE TABLE {_name(table.name)} ({columns})")


def _comment_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    row = connection.execute("SELECT count(*) FROM duckdb_views() WHERE view_name = ?", [table.name]).fetchone()
    kind = "VIEW" if row and row[0] else "TABLE"
    connection.execute(f"COMMENT ON {kind} {_name(table.name)} IS {_quoted(f'one row per {table.one_row_per}')}")
    for field in table.schema:
        column = f"{_name(table.name)}.{_name(field.name)}"
        connection.execute(f"COMMENT ON COLUMN {column} IS {_quoted(describe(field))}")


def _add_view(connection: duckdb.DuckDBPyConnection, file: SqlFile) -> None:
    sql = file.sql.replace("{attributed}", ATTRIBUTED.format(samples="sample"))
    connection.execute(f"CREATE VIEW {_name(file.name)} AS {sql}")
    connection.execute(f"COMMENT ON VIEW {_name(file.name)} IS {_quoted(file.title)}")
    for column, text in file.notes.items():
        connection.execute(f"COMMENT ON COLUMN {_name(file.name)}.{_name(column)} IS {_quoted(text)}")


def _add_helpers(connection: duckdb.DuckDBPyConnection, decisions: Sequence[Path]) -> None:
    order = pa.table({"stage": list(STAGES), "position": pa.array(range(len(STAGES)), pa.uint8())})
    _from_arrow(connection, "stage_order", order)
    hosts = connection.execute(
        "SELECT host(page_url) AS host FROM sample UNION SELECT host(image_url) FROM sample ORDER BY host"
    ).fetchall()
    names = [host for (host,) in hosts if host]
    _from_arrow(connection, "host_domain", pa.table({"host": pa.array(names, pa.string()), "domain": domains(names)}))
    connection.execute(
        """CREATE TABLE site_record AS SELECT host(url) AS host, record_id FROM record WHERE record_id IN (
            SELECT subject_id FROM license_evidence WHERE subject_type = 'site'
            UNION SELECT subject_id FROM reservation_evidence WHERE subject_type = 'site'
        ) ORDER BY host, record_id"""
    )
    _add_decision_files(connection, decisions)
    for name, text in HELPERS.items():
        connection.execute(f"COMMENT ON TABLE {name} IS {_quoted(text)}")


def _add_decision_files(connection: duckdb.DuckDBPyConnection, decisions: Sequence[Path]) -> None:
    """Stages are known by file, files by artifact: that is how a decision finds the code and settings that made it."""
    connection.execute(
        "CREATE TABLE decision_file (stage VARCHAR, shard_id UINTEGER, asset VARCHAR, fingerprint VARCHAR)"
    )
    if decisions:
        paths = ", ".join(_quoted(str(path)) for path in decisions)
        connection.execute(
            f"""INSERT INTO decision_file SELECT DISTINCT d.stage, a.shard_id, a.asset, a.fingerprint
            FROM (
                SELECT DISTINCT stage, parse_filename(filename) AS file FROM read_parquet([{paths}], filename = true)
            ) d
            JOIN artifact a ON a.table_name = 'decision' AND parse_filename(a.uri) = d.file ORDER BY ALL"""
        )


def domains(hosts: Sequence[str]) -> pa.Array:
    """Registrable domain of each host, by the public suffix list that comes with tldextract; nothing is fetched.

    A host under a suffix that the list does not know has its last two labels for a domain, as the list's own default
    rule says; an address of digits stands for itself.
    """
    import tldextract

    extract = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())
    return pa.array([_domain(host, extract(host).top_domain_under_public_suffix) for host in hosts], pa.string())


def _domain(host: str, known: str) -> str:
    if known or host.startswith("[") or re.fullmatch(r"[0-9.]+", host):
        return known or host
    return ".".join(host.rstrip(".").rsplit(".", 2)[-2:])


def _from_arrow(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    connection.register("helper_rows", rows)
    connection.execute(f"CREATE TABLE {_name(name)} AS SELECT * FROM helper_rows")
    connection.unregister("helper_rows")


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
