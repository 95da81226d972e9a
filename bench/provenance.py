"""The provenance database of four million samples: built, and asked: `python -m bench.provenance`."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from assets.provenance.database import build_database, sql_type
from assets.provenance.explain import explain, render
from assets.provenance.questions import answer, list_questions
from assets.provenance.tables import STAGES, TABLES
from assets.rights.licenses import license_table
from assets.rights.policy import load_policy, policy_table
from bench.measure import duration, machine, table

SAMPLES, SHARDS = 4_000_000, 40
ROUNDS = 3
NARROW = ("decision", "rights", "score", "cluster_member", "release_member")
GOAL_ROWS, GOAL_QUESTION, GOAL_EXPLAIN = 500_000, 2.0, 0.5

LICENSES = "['CC-BY-4.0', 'CC-BY-SA-4.0', 'CC0-1.0', 'CC-BY-NC-4.0', 'CC-PDDC', 'NOASSERTION']"
PASSING = {"crawl": 90, "rights": 60, "removals": 60, "pool": 35, "embeddings": 35, "agreement": 35, "dedup": 28, "prune": 16,
           "captions": 16, "release": 16}  # fmt: skip
"""Of a hundred <img> elements, how many each stage lets go on."""

BASE = """SELECT ({shard}::UBIGINT << 32) | i::UBIGINT AS sample_id, {shard}::UINTEGER AS shard_id, i,
    hash(i, {shard}, 1) % 100 AS luck, ({shard}::UBIGINT << 32) | (2000000 + i // 20)::UBIGINT AS page_record_id,
    ({shard}::UBIGINT << 32) | (1000000 + i)::UBIGINT AS image_record_id,
    floor(20000 * pow((hash(i // 20, {shard}, 2) % 1000003) / 1000003, 3))::BIGINT AS site,
    CASE WHEN hash(i, {shard}, 3) % 100 < 3 THEN hash(i, {shard}, 4) % 4000 ELSE {shard}::BIGINT * 100000000 + i END AS picture
    FROM range({count}) r(i)"""
"""What everything about a sample of a shard follows from."""

_SITE = "'https://www.site-' || site || '.example'"
ROWS: dict[str, str] = {
    "sample": f"""SELECT sample_id, shard_id, page_record_id, {_SITE} || '/articles/page-' || (i // 20) || '.html' AS page_url,
        image_record_id, CASE WHEN luck < 90 THEN image_record_id END AS image_id,
        'https://img' || (i % 3) || '.site-' || site || '.example/media/2024/' || picture || '-large.jpg' AS image_url, [] AS other_urls,
        'a picture of thing number ' || picture || ' in a row' AS alt, 'a picture of thing number ' || picture AS text, 'en' AS language,
        'words before and after picture ' || i || ', as they stand on the page, some of them' AS context,
        'Page ' || (i // 20) AS page_title, i % 20 AS position FROM base""",
    "record": """SELECT image_record_id AS record_id, shard_id, i * 9000 AS "offset", 8000 AS length, 'response' AS type,
            'https://img' || (i % 3) || '.site-' || site || '.example/media/2024/' || picture || '-large.jpg' AS url,
            TIMESTAMPTZ '2024-05-06 07:08:09+00' AS fetched_at, 200 AS http_status, 'ok' AS status, 'image/jpeg' AS mime FROM base
        UNION ALL BY NAME
        SELECT DISTINCT page_record_id AS record_id, shard_id, (i // 20) * 190000 AS "offset", 20000 AS length, 'response' AS type,
            'https://www.site-' || site || '.example/articles/page-' || (i // 20) || '.html' AS url,
            TIMESTAMPTZ '2024-05-06 07:08:09+00' AS fetched_at, 200 AS http_status, 'ok' AS status, 'text/html' AS mime FROM base
        ORDER BY record_id""",
    "image": """SELECT image_record_id AS image_id, shard_id, unhex(md5(picture::VARCHAR) || md5(picture || 'b')) AS sha256,
        unhex(md5(picture::VARCHAR)) AS md5, unhex(md5(picture::VARCHAR)[:16]) AS phash, 640 AS width, 480 AS height, 'JPEG' AS format,
        20000 + hash(picture) % 90000 AS bytes, 1 AS frames, 'lake/image/' || shard_id || '.tar' AS file, image_record_id::VARCHAR AS member,
        unhex(md5(picture::VARCHAR) || md5(picture || 'b')) AS stored_sha256, 20000 AS stored_bytes, 'JPEG' AS stored_format,
        640 AS stored_width, 480 AS stored_height FROM base WHERE luck < 90""",
    "rights": f"""SELECT sample_id, CASE WHEN hash(i // 20, 5) % 10 < 3 THEN {LICENSES}[(1 + hash(i // 20, 6) % 6)::BIGINT] ELSE 'NONE' END AS image_license,
        'NONE' AS text_license, CASE WHEN hash(i // 20, 5) % 10 < 2 THEN 1 ELSE 0 END AS obligations, 0.8 AS confidence, false AS conflict,
        CASE WHEN hash(site, 7) % 10 = 0 THEN 'reserved' ELSE 'unknown' END AS reservation,
        CASE WHEN hash(i // 20, 5) % 10 < 3 THEN 'page_rel' END AS decided_by,
        CASE WHEN luck < 40 THEN 'allow' WHEN luck < 60 THEN 'url_only' ELSE 'deny' END AS verdict, 'license_allowed' AS reason
        FROM base WHERE luck < 90""",
    "score": """SELECT sample_id, unnest(['image_text_similarity', 'nsfw', 'language:en']) AS scorer, 'm@1' AS model,
        unnest([0.3, 0.01, 0.9]) AS value FROM base WHERE luck < 35""",
    "cluster_member": "SELECT sample_id, hash(picture) % 500 AS cluster_id, 0.3 AS distance FROM base WHERE luck < 28",
    "caption": """SELECT sample_id, unnest(['alt', 'synthetic-short', 'fused']) AS kind, 1 AS attempt, 'a picture of thing number ' || picture AS text,
        unnest([NULL, 'captioner@1', 'writer@1']) AS model, 'r1' AS revision, 'Apache-2.0' AS model_license, 'none' AS output_terms,
        'NONE' AS license, 0 AS obligations, ['image'] AS inputs, 'ok' AS status, true AS selected,
        unnest([false, false, true]) AS chosen FROM base WHERE luck < 16""",
    "license_evidence": f"""SELECT DISTINCT 'page' AS subject_type, page_record_id AS subject_id, 'page_rel' AS rule, 1 AS rule_version,
            {LICENSES}[(1 + hash(i // 20, 6) % 6)::BIGINT] AS spdx_id, 0.8 AS confidence, 'https://creativecommons.org/' AS value,
            page_record_id AS record_id, 'body' AS part, 100 AS byte_start, 160 AS byte_end FROM base WHERE hash(i // 20, 5) % 10 < 3
        UNION ALL
        SELECT 'image', image_record_id, 'exif_copyright', 1, 'CC-BY-4.0', 0.8, '(c) somebody', image_record_id, 'body', 20, 60
            FROM base WHERE luck BETWEEN 20 AND 29""",
    "reservation_evidence": """SELECT DISTINCT 'page' AS subject_type, page_record_id AS subject_id, 'robots_agents' AS rule,
            'ai_train' AS usage, 'reserved' AS decision, 'GPTBot: Disallow: /' AS value, page_record_id AS record_id, 'body' AS part
            FROM base WHERE hash(site, 7) % 10 = 0""",
    "attribution": """SELECT 'image' AS subject_type, image_record_id AS subject_id, 'exif_artist' AS rule, 'creator' AS field,
            'Maker ' || (picture % 5000) AS value FROM base WHERE luck BETWEEN 5 AND 14""",
    "release_change": """SELECT 'before' AS older, 'after' AS newer, sample_id, 'removed' AS change, 'prune' AS stage,
        'over_quota' AS reason FROM base WHERE luck BETWEEN 14 AND 15""",
    "release_member": """SELECT 'world-1.0.0-0' AS release_id, sample_id, lpad((i // 6000)::VARCHAR, 5, '0') || '-' || shard_id || '.tar' AS file,
        i AS row, luck < 12 AS with_image, 'fused' AS caption_kind FROM base WHERE luck < 16""",
}  # fmt: skip


def decisions() -> str:
    """SQL: a decision for every sample and stage that it reaches."""
    before, parts = 100, []
    for stage in (stage for stage in STAGES if stage in PASSING):
        after = PASSING[stage]
        other = "CASE WHEN luck >= 28 THEN sample_id - 1 END" if stage == "dedup" else "NULL"
        parts.append(f"""SELECT sample_id, '{stage}' AS stage, luck < {after} AS kept,
            CASE WHEN luck >= {after} THEN '{stage}_' || (luck % 3) END AS reason, (luck / 100)::DOUBLE AS score, {after / 100} AS threshold,
            {other} AS other_sample_id FROM base WHERE luck < {before}""")
        before = after
    return " UNION ALL ".join(parts)


def world(folder: Path, samples: int, shards: int) -> dict[str, list[Path]]:
    """Parquet files by table: the same world every time."""
    files: dict[str, list[Path]] = {}
    with duckdb.connect() as connection:
        for shard in range(1, shards + 1):
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE base AS {BASE.format(shard=shard, count=samples // shards)}"
            )
            for name, rows in {**ROWS, "decision": decisions(), "occurrence": ROWS["rights"]}.items():
                path = folder / f"{name}-{shard:05d}.parquet"
                order = "ORDER BY sample_id" if name == "decision" else ""
                connection.execute(
                    f"COPY (SELECT {_whole(connection, name, rows)} FROM ({rows}) {order}) TO '{path}' (FORMAT parquet)"
                )
                files.setdefault(name, []).append(path)
    for name, rows in _small(shards).items():
        path = folder / f"{name}.parquet"
        pq.write_table(rows, path)
        files[name] = [path]
    return files


def _whole(connection: duckdb.DuckDBPyConnection, name: str, rows: str) -> str:
    """Every column of a table of the contract: those that rows have, the others null, false or empty."""
    given = {column[0] for column in connection.execute(f"SELECT * FROM ({rows}) LIMIT 0").description}
    return ", ".join(
        f'"{field.name}"::{sql_type(field.type)} AS "{field.name}"'
        if field.name in given
        else f'NULL::{sql_type(field.type)} AS "{field.name}"'
        for field in TABLES[name].schema
    )


def _small(shards: int) -> dict[str, pa.Table]:
    policy = load_policy("commercial-open")
    shard = [{"shard_id": n, "source": "world", "uri": f"world-{n:05d}.warc.gz", "kind": "warc", "sha256": bytes(32), "bytes": 1,
              "status": "ok"} for n in range(1, shards + 1)]  # fmt: skip
    cluster = [{"cluster_id": n, "size": 2000, "d_intra": 0.3, "d_inter": 0.4, "complexity": 0.12, "target": 1000.0, "floor": 1,
                "quota": 1000} for n in range(500)]  # fmt: skip
    agent = [
        {"agent_id": name, "kind": "captioner", "name": name, "license": "Apache-2.0", "output_terms": "none"}
        for name in ("captioner@1", "writer@1")
    ]
    made = {"shard": shard, "cluster": cluster, "agent": agent}
    tables = {name: pa.Table.from_pylist(rows, TABLES[name].schema) for name, rows in made.items()}
    return {**tables, "license": license_table(), "policy": policy_table(policy, "")}


def ask_for() -> dict[str, tuple[str, dict[str, Any]]]:
    """The fifteen questions of the contract: number and title -> question and its parameters."""
    sample = (7 << 32) | 5
    return {
        "1 where did this sample come from": ("where_from", {"sample_id": sample}),
        "2 why was it dropped": ("why_dropped", {"sample_id": sample}),
        "3 which license evidence was seen": ("license_evidence", {"sample_id": sample}),
        "4 which models wrote the captions": ("caption_models", {}),
        "5 which releases contain it": ("releases_with", {"sample_id": sample}),
        "6 attribution list of a release": ("attribution", {}),
        "7 license by cluster": ("license_by_cluster", {}),
        "8 difference of two builds": ("build_diff", {"older": "before", "newer": "after"}),
        "9 everything from a domain": ("from_domain", {"domain": "site-77.example"}),
        "10 share of unknown licenses": ("unknown_licenses", {}),
        "11 what changes under another policy": ("what_if_policy", {"policy": "research-eu"}),
        "12 from a takedown to the files": ("takedown_reach", {"kind": "domain", "value": "site-77.example"}),
        "13 domains by bytes": ("domains_by_bytes", {}),
        "14 reservations by protocol": ("reservations_by_protocol", {}),
        "15 the funnel": ("funnel", {}),
    }


def timed(run: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Median seconds."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def measure(samples: int = SAMPLES, shards: int = SHARDS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Rows a second of the build, seconds of questions."""
    with tempfile.TemporaryDirectory(prefix="winnow-provenance-") as name:
        folder = Path(name)
        files = world(folder, samples, shards)
        rows = {table: sum(pq.read_metadata(path).num_rows for path in paths) for table, paths in files.items()}
        narrow = {table: files[table] for table in NARROW}
        seconds = timed(lambda: _built(folder / "narrow.duckdb", narrow), rounds)
        whole = timed(lambda: _built(folder / "whole.duckdb", files), 1)
        size = (folder / "whole.duckdb").stat().st_size
        found = {"samples": samples, "rows": rows, "narrow": seconds, "whole": whole, "bytes": size}
        with duckdb.connect(
            str(folder / "whole.duckdb"), read_only=True, config={"threads": 2, "memory_limit": "4GB"}
        ) as connection:
            sample = (7 << 32) | 5
            found["explain"] = timed(lambda: render(explain(connection, sample)), rounds)
            known = {question.name for question in list_questions()}
            found["questions"] = {
                title: timed(lambda name=name, values=values: answer(connection, name, values), rounds)
                for title, (name, values) in ask_for().items()
                if name in known
            }
        found["compare"] = timed(lambda: _differ(files), rounds)
        return found


def _differ(files: Mapping[str, Sequence[Path]]) -> None:
    from assets.provenance.diff import diff

    # The second build has other decisions and members in a tenth of the shards.
    half = {name: list(paths) for name, paths in files.items()}
    after = {**half, "release_member": half["release_member"][: -len(half["release_member"]) // 10]}
    diff(half, after)


def _built(path: Path, files: Mapping[str, Sequence[Path]]) -> None:
    path.unlink(missing_ok=True)
    build_database(path, files, {})


def section(found: dict[str, Any]) -> str:
    """The section of docs/benchmarks.md."""
    narrow = sum(found["rows"][name] for name in NARROW)
    total = sum(found["rows"].values())
    questions = sorted(found["questions"].items(), key=lambda item: int(item[0].partition(" ")[0]))
    return f"""## The provenance database

{found["samples"]:,} samples, generated, {total:,} rows in all; `build_database` with native tables, 2 threads, 2 GB of memory.

| what | measured | goal |
| --- | --- | --- |
| narrow tables ({", ".join(NARROW)}): {narrow:,} rows | {narrow / found["narrow"]:,.0f} rows/s | {GOAL_ROWS:,} |
| all tables, helpers and views | {duration(found["whole"])}, {found["bytes"] / 1e9:.1f} GB | |
| `explain` of one sample | {duration(found["explain"])} | {duration(GOAL_EXPLAIN)} |
| two builds compared for the first time, as asset `changes` does | {duration(found["compare"])} | |
| slowest of the questions | {duration(max(found["questions"].values()))} | {duration(GOAL_QUESTION)} |

{table(["question", "seconds"], [[title, duration(seconds)] for title, seconds in questions])}

{machine(["duckdb", "pyarrow"])}; medians of {ROUNDS}"""


def main(samples: int = SAMPLES, shards: int = SHARDS) -> str:
    """Measure; the section for docs/benchmarks.md."""
    return section(measure(samples, shards))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--shards", type=int, default=SHARDS)
    given = parser.parse_args()
    print(main(given.samples, given.shards))
