"""One sample's whole story, from the byte range in the crawl to the row in the release, gathered from the database."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import duckdb

from assets.provenance.story import MOST, Row, Story
from assets.provenance.story_text import render

__all__ = ["Story", "explain", "render"]

MAX_ID = 2**64 - 1


def explain(connection: duckdb.DuckDBPyConnection, sample_id: int) -> Story:
    """Gather a sample's story from a provenance database.

    Raises LookupError, with a sentence that says how to find ids, where no sample has this id.
    """
    found = _rows(connection, _SAMPLE, sample_id) if 0 <= sample_id <= MAX_ID else []
    if not found:
        raise no_such_sample(connection, sample_id)
    sample = found[0]
    ids = {name: sample.pop(name) for name in ("page_record_id", "image_record_id", "image_id")}
    rights = _one(_rows(connection, "FROM rights WHERE sample_id = ?", sample_id))
    evidence = _evidence(connection, sample, ids, (rights or {}).get("decided_by"))
    image = _one(_rows(connection, _IMAGE, ids["image_id"]))
    copies, copy_count = _copies(connection, sample_id, image) if image else ([], 0)
    archived = ids["image_id"] if ids["image_id"] is not None else ids["image_record_id"]
    policies = _rows(connection, "SELECT name FROM policy WHERE in_force ORDER BY name")
    return Story(
        sample=sample,
        page=_one(_rows(connection, _RECORD, ids["page_record_id"])) or {},
        image_record=_one(_rows(connection, _RECORD, archived)),
        image=image,
        rights=rights,
        policy=", ".join(row["name"] for row in policies) or None,
        licenses=[row for row in evidence if row["kind"] == "license"],
        reservations=[row for row in evidence if row["kind"] == "reservation"],
        attributions=_rows(connection, _ATTRIBUTION, {"sample": sample_id, **ids}),
        copies=copies,
        copy_count=copy_count,
        origin=(_one(_rows(connection, _ORIGIN, sample_id, sample_id)) or {}).get("origin", ""),
        attempts=_rows(connection, _ATTEMPTS, sample_id),
        decisions=_decisions(connection, sample_id),
        captions=_rows(connection, _CAPTIONS, sample_id),
        scores=_rows(connection, "FROM score WHERE sample_id = ? ORDER BY scorer, model", sample_id),
        cluster=_one(_rows(connection, _CLUSTER, sample_id)),
        releases=_rows(connection, _RELEASES, sample_id),
        earlier=_rows(connection, _EARLIER, sample_id),
        takedowns=_rows(connection, _TAKEDOWNS, sample_id),
        hits=_rows(connection, "FROM hit WHERE sample_id = ? ORDER BY list", sample_id),
    )


def _evidence(connection: duckdb.DuckDBPyConnection, sample: Row, ids: Row, decided_by: str | None) -> list[Row]:
    """The rows of view `sample_evidence` for one sample, looked up by id: a join would read all evidence."""
    addresses = {name: sample[name] for name in ("page_url", "image_url")}
    sites = [row["record_id"] for row in _rows(connection, _SITES, addresses)]
    subjects = {
        *(("image", ids[name]) for name in ("image_record_id", "image_id")),
        *((kind, sample["sample_id"]) for kind in ("sample", "text")),
        ("page", ids["page_record_id"]),
        *(("site", record) for record in sites),
    }
    found = _among(connection, _FINDINGS, {number for _, number in subjects if number is not None})
    found = [row for row in found if (row["subject_type"], row.pop("subject_id")) in subjects]
    places = {row.pop("record_id"): row for row in _among(connection, _PLACES, {row["record_id"] for row in found})}
    for row in found:
        row |= places.get(row["record_id"], {"crawl_file": None, "record_offset": None})
        row |= {"sample_id": sample["sample_id"], "decided": decided_by is not None and row["rule"] == decided_by}
    return sorted(found, key=_evidence_order)


def _evidence_order(row: Row) -> tuple[Any, ...]:
    """What decided first, then what reserves, then what is surest."""
    start = row["byte_start"]
    sure = -row["confidence"] if row["confidence"] is not None else float("inf")
    place = (start is None, start or 0)
    return (not row["decided"], row["says"] != "reserved", sure, row["rule"], row["usage"] or "", place, row["says"])


def _copies(connection: duckdb.DuckDBPyConnection, sample_id: int, image: Row) -> tuple[list[Row], int]:
    """Samples of the same bytes, the first few of them, and how many there are: looked up in the sample's group."""
    group = [row["sample_id"] for row in _rows(connection, _GROUP, sample_id, sample_id)]
    held = _among(connection, "SELECT sample_id, image_id FROM sample WHERE sample_id IN ({ids})", group)
    same = "SELECT image_id FROM image WHERE image_id IN ({ids}) AND sha256 = unhex('" + image["sha256"] + "')"
    images = {row["image_id"] for row in _among(connection, same, {row["image_id"] for row in held} - {None})}
    copies = sorted(row["sample_id"] for row in held if row["image_id"] in images)
    return _among(connection, _COPY, copies[:MOST]), len(copies)


def _among(connection: duckdb.DuckDBPyConnection, query: str, ids: Collection[int]) -> list[Row]:
    """Rows of a query whose `{ids}` are these numbers: written out, they let DuckDB pass over what has none of them."""
    return _rows(connection, query.replace("{ids}", ", ".join(str(int(i)) for i in sorted(ids)))) if ids else []


def no_such_sample(connection: duckdb.DuckDBPyConnection, sample_id: int) -> LookupError:
    """The error for an id that no sample has, with a sentence that says how to find ids."""
    [[first, last, count]] = connection.execute(_IDS).fetchall()
    known = f"its {count} samples have ids from {first} to {last}" if count else "it has no samples"
    return LookupError(
        f"no sample has the id {sample_id} in this database; {known}: "
        'winnow sql "SELECT sample_id, outcome, image_url FROM why LIMIT 10" lists some'
    )


def _decisions(connection: duckdb.DuckDBPyConnection, sample_id: int) -> list[Row]:
    """Decisions in the order of the stages; the few other samples one by one, because a join would read them all."""
    rows = _rows(connection, _DECISIONS, sample_id)
    for row in rows:
        other = row["other_sample_id"]
        found = (
            _rows(connection, "SELECT image_url FROM sample WHERE sample_id = ?", other) if other is not None else []
        )
        row["other_url"] = found[0]["image_url"] if found else None
    return rows


_IDS = "SELECT min(sample_id), max(sample_id), count(*) FROM sample"
_SAMPLE = """SELECT sample_id, page_record_id, image_record_id, image_id, page_url, image_url, position, alt, title,
    caption, heading, context, language, page_title FROM sample WHERE sample_id = ?"""
_RECORD = """SELECT coalesce(r.file, h.uri) AS crawl_file, h.source, r.offset, r.length, r.url,
    epoch_us(r.fetched_at) AS fetched_us,
    r.http_status, r.status, r.reason FROM record r LEFT JOIN shard h USING (shard_id) WHERE r.record_id = ?"""
_ORIGIN = """SELECT uri || CASE kind WHEN 'links' THEN ', row ' || (coalesce(first_row, 0) + (?::UBIGINT & 4294967295))
        WHEN 'images' THEN ', an image of that shard' ELSE '' END AS origin
    FROM shard WHERE shard_id = (?::UBIGINT >> 32)"""
_IMAGE = """SELECT lower(hex(sha256)) AS sha256, width, height, format, bytes, file, member
    FROM image WHERE image_id = ?"""
_GROUP = """SELECT sample_id FROM sample_group
    WHERE group_id = (SELECT group_id FROM sample_group WHERE sample_id = ?) AND sample_id <> ? ORDER BY sample_id"""
_COPY = """SELECT s.sample_id, coalesce(s.page_url, s.image_url) AS page_url, r.image_license, r.verdict, o.decided_by
    FROM (FROM sample WHERE sample_id IN ({ids})) s
    LEFT JOIN (FROM rights WHERE sample_id IN ({ids})) r USING (sample_id)
    LEFT JOIN (FROM occurrence WHERE sample_id IN ({ids})) o USING (sample_id) ORDER BY s.sample_id"""
_ATTEMPTS = """SELECT f.attempt, f.status, f.reason, f.detail, epoch_us(f.started_at) AS started_us, f.final_url
    FROM sample s JOIN "fetch" f ON f.shard_id = s.shard_id AND f.url = s.image_url
    WHERE s.sample_id = ? AND f.kind = 'image' ORDER BY f.attempt, f.started_at"""
_SITES = "SELECT record_id FROM site_record WHERE host = host($page_url) OR host = host($image_url)"
_FINDINGS = """SELECT 'license' AS kind, subject_type, subject_id, rule, spdx_id AS says, NULL AS usage, confidence, value,
        record_id, part, byte_start, byte_end FROM license_evidence WHERE subject_id IN ({ids})
    UNION ALL
    SELECT 'reservation', subject_type, subject_id, rule, decision, usage, NULL, value, record_id,
        part, byte_start, byte_end FROM reservation_evidence WHERE subject_id IN ({ids})"""
_PLACES = """SELECT e.record_id, coalesce(e.file, h.uri) AS crawl_file, e.offset AS record_offset
    FROM (FROM record WHERE record_id IN ({ids})) e LEFT JOIN shard h USING (shard_id)"""
_ATTRIBUTION = """SELECT field, value, rule, subject_type FROM attribution
    WHERE subject_type = 'sample' AND subject_id = $sample OR subject_type = 'page' AND subject_id = $page_record_id
        OR subject_type = 'image' AND subject_id IN ($image_record_id, $image_id)
    ORDER BY field, subject_type, rule, value"""
_DECISIONS = """SELECT stage, kept, reason, score, threshold, other_sample_id
    FROM decision JOIN stage_order USING (stage) WHERE sample_id = ? ORDER BY position"""
_CAPTIONS = """SELECT c.* FROM caption c WHERE c.sample_id = ? ORDER BY c.chosen DESC, c.kind, c.model, c.attempt"""
_CLUSTER = """SELECT m.cluster_id, m.distance, c.size, c.quota, c.complexity
    FROM cluster_member m LEFT JOIN cluster c USING (cluster_id) WHERE m.sample_id = ?"""
_EARLIER = """SELECT h.release_id, h.file, h."row", h.with_image, epoch_us(r.withdrawn_at) AS withdrawn_us
    FROM release_history h LEFT JOIN release r USING (release_id) WHERE h.sample_id = ? ORDER BY r.published_at, h.release_id"""
_TAKEDOWNS = """SELECT DISTINCT takedown_id, match, basis, status, epoch_us(received_at) AS received_us
    FROM takedown_hit LEFT JOIN takedown USING (takedown_id) WHERE sample_id = ? ORDER BY received_us, takedown_id, match"""
_RELEASES = """SELECT release_id, file, "row", with_image, caption_kind FROM release_member
    WHERE sample_id = ? ORDER BY release_id"""


def _rows(connection: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[Row]:
    bound = values[0] if len(values) == 1 and isinstance(values[0], dict) else list(values)
    result = connection.execute(query, bound) if values else connection.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _one(rows: list[Row]) -> Row | None:
    return rows[0] if rows else None
