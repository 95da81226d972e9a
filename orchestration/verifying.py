"""`winnow verify`: findings of a build, read again from the crawl files that they name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.crawl.image_bytes import ImageRefused
from assets.crawl.image_shards import read_image
from assets.crawl.warc import read_record
from assets.provenance.tables import TABLES
from assets.rights.verify import BATCH, FINE, PartGoneError, Verified, drawn, evidence_rows, verify_with
from orchestration.asking import connect
from orchestration.manifest import BuildError
from orchestration.plan import Build
from orchestration.recipe import Recipe
from orchestration.registry import Shard
from resources.lake import Lake, hash_file, local_path

_FINDINGS = """SELECT subject_type, subject_id, rule, spdx_id AS says, NULL::VARCHAR AS usage, value, record_id,
        part, byte_start, byte_end FROM license_evidence
    UNION ALL SELECT subject_type, subject_id, rule, decision, usage, value, record_id,
        part, byte_start, byte_end FROM reservation_evidence"""
_OF_SAMPLES = """SELECT DISTINCT subject_type, NULL::UBIGINT AS subject_id, rule, says, usage, value, record_id,
    part, byte_start, byte_end FROM sample_evidence WHERE sample_id IN (SELECT unnest(?::UBIGINT[]))"""
_WITH_RECORD = """SELECT f.*, r.url, r.charset, r.http_status, r.truncated, r.reason, r.file, r."offset", r.length,
    h.uri, h.kind, lower(hex(h.sha256)) AS sha256
    FROM ({findings}) f LEFT JOIN record r USING (record_id)
    LEFT JOIN shard h ON h.shard_id = (f.record_id >> 32)
    ORDER BY f.record_id, f.byte_start, f.rule, f.says, f.value, f.subject_type, f.subject_id"""


def findings(home: str, samples: Sequence[int], count: int | None) -> pa.Table:
    """Findings to be verified, with their records: those of some samples, else a sample of `count`, else all.

    Raises BuildError where a sample is unknown or there is no database.
    """
    with connect(home) as connection:
        if not samples:
            table = connection.execute(_WITH_RECORD.format(findings=_FINDINGS)).to_arrow_table()
            return table if count is None else drawn(table, count)
        wanted = list(samples)
        known = connection.execute(
            "SELECT sample_id FROM sample WHERE sample_id IN (SELECT unnest(?::UBIGINT[]))", [wanted]
        )
        missing = sorted(set(wanted) - {row[0] for row in known.fetchall()})
        if missing:
            raise BuildError(
                f"no sample has the id {missing[0]} in this database; "
                'winnow sql "SELECT sample_id, outcome, image_url FROM why LIMIT 10" lists some'
            )
        return connection.execute(_WITH_RECORD.format(findings=_OF_SAMPLES), [wanted]).to_arrow_table()


def agents(home: str) -> list[str]:
    """Product tokens that the build's policy names."""
    with connect(home) as connection:
        bodies = [
            json.loads(body) for (body,) in connection.execute("SELECT body FROM policy WHERE in_force").fetchall()
        ]
    return sorted({agent for body in bodies for agent in body.get("reservations", {}).get("agents", ())})


@dataclass
class Parts:
    """Parts of records, opened by what a row says of its record; the record read last is kept.

    A crawl file must still have the bytes that the build read. WARC files of fetched answers must be there; their
    bytes are not hashed again.
    """

    recipe: Recipe
    lake: Lake
    _trusted: dict[str, str] = field(default_factory=dict)
    _last: tuple[int, dict[str, bytes]] = (-1, {})

    def open(self, row: dict[str, Any], record_id: int, part: str) -> bytes:
        """Bytes of the headers or the body of a finding's record; raises PartGoneError."""
        if self._last[0] != record_id:
            self._last = (record_id, self._read(row))
        return self._last[1][part]

    def _read(self, row: dict[str, Any]) -> dict[str, bytes]:
        if row["offset"] is None:
            raise PartGoneError("the build has no such record")
        path = self._path(row)
        if row["kind"] == "images" and row["file"] is None:
            try:
                return {"headers": b"", "body": read_image(path, row["offset"], row["length"])}
            except ImageRefused as error:
                raise PartGoneError(f"the tar no longer holds the image: {error}") from error
        record = read_record(path, row["offset"], self.recipe.crawl.max_body_mib << 20)
        return {"headers": record.header_bytes, "body": record.body}

    def _path(self, row: dict[str, Any]) -> Path:
        """Where a record's file lies; each crawl file is hashed once."""
        name = row["file"] or row["uri"]
        place = self.lake.home / row["file"] if row["file"] else self.recipe.locate(row["uri"])
        if name not in self._trusted:
            gone = "" if place.exists() else "the file is gone"
            if not gone and not row["file"] and hash_file(place) != row["sha256"]:
                gone = "its bytes changed after the build"
            self._trusted[name] = gone
        if self._trusted[name]:
            raise PartGoneError(self._trusted[name])
        return local_path(place)


def shard_findings(build: Build, shard: Shard) -> tuple[pa.Table, Callable[[int, str], bytes]]:
    """Findings of one shard of a build that is being made, and what opens the parts that they name.

    A site's file may lie in another crawl file than the pages it speaks of.
    """
    found = [build.read(step, "reservation_evidence", shard=shard) for step in ("evidence", "site_evidence")]
    reservations = pa.concat_tables(found)
    licenses = build.read("evidence", "license_evidence", shard=shard)
    ids = pc.unique(pa.chunked_array([*licenses["record_id"].chunks, *reservations["record_id"].chunks], pa.uint64()))
    by_id = {s.shard_id: s for s in build.snapshot.shards}
    holders = sorted({record_id >> 32 for record_id in ids.to_pylist()})
    steps = ("candidates", "fetch")
    record = pa.concat_tables(
        [TABLES["record"].empty(), *(build.read(step, "record", shard=by_id[i]) for i in holders for step in steps)]
    )
    record = record.filter(pc.is_in(record["record_id"], ids))
    places = {row["record_id"]: row for row in record.select(["record_id", "offset", "length", "file"]).to_pylist()}
    parts = Parts(build.recipe, build.lake)

    def open_part(record_id: int, part: str) -> bytes:
        holder = by_id[record_id >> 32]
        return parts.open(
            {**places[record_id], "uri": holder.uri, "kind": holder.kind, "sha256": holder.sha256}, record_id, part
        )

    return evidence_rows(licenses, reservations, record), open_part


def verified(recipe: Recipe, home: str, rows: pa.Table) -> Iterator[tuple[dict[str, Any], Verified]]:
    """Every finding with what became of it, in the order of the rows."""
    parts, tokens = Parts(recipe, Lake(home)), agents(home)
    for batch in rows.to_batches(max_chunksize=BATCH):
        for row in batch.to_pylist():
            yield row, verify_with(row, partial(parts.open, row), tokens)


def line_of(row: dict[str, Any], found: Verified) -> str:
    """One line about a finding: rule, what it says, where it stands, what became of it."""
    says = f"{row['says']} ({row['usage']})" if row["usage"] else row["says"]
    range_ = "" if row["byte_start"] is None else f" {row['part']} {row['byte_start']}-{row['byte_end']}"
    offset = "" if row["offset"] is None else f"@{row['offset']}"
    detail = f": {found.detail}" if found.detail else ""
    return f"{row['rule']}  {says}  {row['file'] or row['uri']}{offset}{range_}  {found.outcome}{detail}"


def count_line(outcomes: Counter[str]) -> str:
    """The last line: how many findings, and what became of them."""
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    return f"{outcomes.total()} findings" + (f": {told}" if told else "")


def stands(outcomes: Counter[str]) -> bool:
    """Whether nothing speaks against any of the findings."""
    return all(outcome in FINE for outcome in outcomes)
