"""`provenance.duckdb`: every table of a build in one file, with comments, and views for people.

Built from the files a manifest names; nothing else writes to it. The caller gives a temporary path and publishes the
file by rename, so a reader never sees half a build.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from assets.provenance.prov import IDENTIFIERS
from assets.provenance.sql_files import SqlFile, read_sql
from assets.provenance.tables import STAGES, TABLES, Table, describe
from assets.release.attribution import ATTRIBUTED, LICENSE_ADDRESSES
from assets.rights.addresses import HOST_OF_URL
from assets.rights.policy import Policy
from assets.rights.terms import policy_relations
from assets.rights.verdict import domains, rights_sql

VIEWS = (
    "funnel", "sample_evidence", "why", "sources", "attribution_list", "fetch_outcome",
    "prov_activity", "prov_maker", "prov_used", "prov_was_derived_from", "prov_was_generated_by",
    "prov_was_associated_with",
)  # fmt: skip
"""Views for people, in the order in which they build on each other; each is a file in `views/`."""

IN_LAKE = frozenset({"embedding", "centroid", "tag", "completion"})
"""Tables that are always views over the lake: vectors and raw answers outweigh all the rest and are read there."""

HELPERS = {
    "stage_order": "Stages in the order in which a sample meets them.",
    "host_domain": "Registrable domain of every host that a page or an image comes from, and a number for the host.",
    "sample_host": "Hosts of each sample's page and image, as numbers of host_domain.",
    "sample_group": "Samples that are copies or near-duplicates of others, with the group they belong to.",
    "verdict_change": "Samples that each policy that ships would judge otherwise than the one in force.",
    "site_record": "Records that hold statements about a whole site, such as robots.txt, by host.",
    "policy_setting": "Policies as rows: the one in force and those that ship with Winnow.",
    "policy_term": "What each policy says of each license that the evidence states; 0 allow, 1 url_only, 2 review, 3 deny.",
    "license_rule": "Rules that may decide over a license, with their rank; the lowest decides.",
    "optout_rule": "Rules that find opt-outs, with their protocol.",
    "decision_file": "Which asset and fingerprint decided for a stage and shard; joins decision to artifact and run.",
    "step_input": "Which asset reads the files of which other asset, under the recipe of the build.",
}
"""Small tables that are made here and that views and questions use."""

MACROS = {
    "host(url)": "Host of an address, lower case.",
    "occurrence_under(named)": "Table `occurrence` as it would be under the policy of that name.",
    "rights_under(named)": "Table `rights` as it would be under the policy of that name, copies on other pages included.",
    **{signature: f"PROV identifier: {means}" for signature, (_, means) in IDENTIFIERS.items()},
}
"""Functions that are made here: the rows that a build would have under another policy need no other build."""

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
    inputs: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Build the database of one build at `path`, where no file is yet.

    Args:
        path: temporary name in the folder where the database will be published.
        files: Parquet files by table of `TABLES`; tables without files are empty.
        ledger: tables with clocks and names of runs, by name.
        materialize: True copies the rows; False makes views over the files, for builds too large to copy.
        threads: threads of DuckDB.
        memory: memory limit of DuckDB; beyond it DuckDB spills into `path`'s folder.
        inputs: assets whose files an asset reads, by asset; without it nobody can tell which run used which file.

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
            connection.execute(f"CREATE MACRO host(url) AS lower(regexp_extract(url, {_quoted(HOST_OF_URL)}, 1))")
            for signature, (sql, _) in IDENTIFIERS.items():
                connection.execute(f"CREATE MACRO {signature} AS {sql}")
            for table in (table for table in TABLES.values() if not table.internal):
                if table.name in ledger:
                    _copy_ledger(connection, table, ledger[table.name])
                else:
                    _add_table(connection, table, files.get(table.name, ()), materialize)
                _comment_table(connection, table)
            _add_helpers(connection, files.get("decision", ()), inputs or {}, materialize)
            _add_policies(connection, materialize)
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
    sql = file.sql.replace(
        "{attributed}", ATTRIBUTED.format(samples="(FROM sample SEMI JOIN release_member USING (sample_id))")
    )
    sql = sql.replace("{addressed}", LICENSE_ADDRESSES)
    connection.execute(f"CREATE VIEW {_name(file.name)} AS {sql}")
    connection.execute(f"COMMENT ON VIEW {_name(file.name)} IS {_quoted(file.title)}")
    for column, text in file.notes.items():
        connection.execute(f"COMMENT ON COLUMN {_name(file.name)}.{_name(column)} IS {_quoted(text)}")


def _add_helpers(
    connection: duckdb.DuckDBPyConnection,
    decisions: Sequence[Path],
    inputs: Mapping[str, Sequence[str]],
    materialize: bool,
) -> None:
    order = pa.table({"stage": list(STAGES), "position": pa.array(range(len(STAGES)), pa.uint8())})
    _from_arrow(connection, "stage_order", order)
    _add_hosts(connection, materialize)
    _add_groups(connection)
    connection.execute(
        """CREATE TABLE site_record AS SELECT host(url) AS host, record_id FROM record WHERE record_id IN (
            SELECT subject_id FROM license_evidence WHERE subject_type = 'site'
            UNION SELECT subject_id FROM reservation_evidence WHERE subject_type = 'site'
        ) ORDER BY host, record_id"""
    )
    _add_decision_files(connection, decisions)
    _from_arrow(connection, "step_input", _pairs(inputs))
    for name in ("stage_order", "host_domain", "sample_group", "site_record", "decision_file", "step_input"):
        connection.execute(f"COMMENT ON TABLE {name} IS {_quoted(HELPERS[name])}")


_SAMPLE_HOST = """SELECT n.sample_id, p.host_id AS page_host, i.host_id AS image_host
    FROM (SELECT sample_id, host(page_url) AS page, host(image_url) AS image FROM sample) n
    LEFT JOIN host_domain p ON p.host = n.page LEFT JOIN host_domain i ON i.host = n.image"""


def _add_hosts(connection: duckdb.DuckDBPyConnection, materialize: bool) -> None:
    """Hosts as small numbers: whoever asks about a host or domain need not take four million addresses apart."""
    hosts = connection.execute(
        "SELECT host(page_url) AS host FROM sample UNION SELECT host(image_url) FROM sample ORDER BY host"
    ).fetchall()
    names = [host for (host,) in hosts if host]
    numbers = pa.array(range(len(names)), pa.uint32())
    rows = pa.table({"host": pa.array(names, pa.string()), "domain": domains(names), "host_id": numbers})
    _from_arrow(connection, "host_domain", rows)
    kind = "TABLE" if materialize else "VIEW"
    order = " ORDER BY n.sample_id" if materialize else ""
    connection.execute(f"CREATE {kind} sample_host AS {_SAMPLE_HOST}{order}")
    connection.execute(f"COMMENT ON {kind} sample_host IS {_quoted(HELPERS['sample_host'])}")


def _add_groups(connection: duckdb.DuckDBPyConnection) -> None:
    """Copies and near-duplicates, whole groups of them: what a takedown reaches from any one of a group."""
    edges = connection.execute(
        """SELECT sample_id AS a, other_sample_id AS b FROM decision WHERE stage = 'dedup' AND other_sample_id IS NOT NULL
        UNION ALL
        SELECT unnest(ids), ids[1] FROM (
            SELECT list(sample_id) AS ids FROM sample JOIN image USING (image_id) GROUP BY sha256 HAVING count(*) > 1
        )"""
    ).to_arrow_table()
    _from_arrow(connection, "sample_group", groups(edges["a"].to_numpy(), edges["b"].to_numpy()))


def groups(a: np.ndarray, b: np.ndarray) -> pa.Table:
    """Connected samples: sample_id and group_id, the smallest id of its group; sorted by sample.

    Args:
        a, b: (n,) uint64 samples that belong together, pair by pair.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ids, place = np.unique(np.concatenate([a, b]), return_inverse=True)
    ones = np.ones(len(a), np.int8)
    graph = coo_array((ones, (place[: len(a)], place[len(a) :])), shape=(len(ids), len(ids)))
    count, label = connected_components(graph, directed=False) if len(ids) else (0, np.empty(0, np.int32))
    smallest = np.full(count, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(smallest, label, ids)
    return pa.table({"sample_id": pa.array(ids, pa.uint64()), "group_id": pa.array(smallest[label], pa.uint64())})


def _add_policies(connection: duckdb.DuckDBPyConnection, materialize: bool) -> None:
    """Policies as relations, what the evidence comes to under any of them, and what each would change."""
    bodies = connection.execute('SELECT body FROM "policy" ORDER BY name').fetchall()
    stated = connection.execute("SELECT DISTINCT spdx_id FROM license_evidence ORDER BY ALL").fetchall()
    relations = policy_relations([Policy.model_validate_json(body) for (body,) in bodies], [i for (i,) in stated])
    for name, rows in relations.items():
        _from_arrow(connection, name, rows)
        connection.execute(f"COMMENT ON TABLE {name} IS {_quoted(HELPERS[name])}")
    verdict = rights_sql("verdict").replace("{policy}", "named")
    connection.execute(f"CREATE MACRO occurrence_under(named) AS TABLE {verdict}")
    connection.execute(
        f"""CREATE MACRO rights_under(named) AS TABLE
        WITH occurrence AS MATERIALIZED ({verdict}),
        sample_sha256 AS (SELECT sample_id, sha256 FROM sample JOIN image USING (image_id)),
        twin AS ({rights_sql("twin")})
        {rights_sql("final")}"""
    )
    others = connection.execute('SELECT name FROM "policy" WHERE NOT in_force ORDER BY name').fetchall()
    kind = "TABLE" if materialize else "VIEW"
    changes = " UNION ALL ".join([_NO_VERDICT_CHANGE, *(verdict_change(name) for (name,) in others)])
    connection.execute(f"CREATE {kind} verdict_change AS {changes}")
    connection.execute(f"COMMENT ON {kind} verdict_change IS {_quoted(HELPERS['verdict_change'])}")


_NO_VERDICT_CHANGE = """SELECT NULL::VARCHAR AS policy, sample_id, verdict AS verdict_now, verdict AS verdict_then, reason,
    image_license AS license FROM rights WHERE false"""


def verdict_change(policy: str) -> str:
    """SQL: rows of table `verdict_change` for one policy, weighed now."""
    name = _quoted(policy)
    return f"""SELECT {name} AS policy, u.sample_id, r.verdict AS verdict_now, u.verdict AS verdict_then, u.reason,
        u.image_license AS license FROM rights r JOIN rights_under({name}) u USING (sample_id) WHERE u.verdict <> r.verdict"""


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


def _pairs(inputs: Mapping[str, Sequence[str]]) -> pa.Table:
    schema = pa.schema([("asset", pa.string()), ("input", pa.string())])
    return pa.Table.from_pylist([{"asset": a, "input": name} for a, names in inputs.items() for name in names], schema)


def _from_arrow(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    connection.register("helper_rows", rows)
    connection.execute(f"CREATE TABLE {_name(name)} AS SELECT * FROM helper_rows")
    connection.unregister("helper_rows")


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
