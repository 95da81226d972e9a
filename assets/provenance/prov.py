"""Provenance in the words of W3C PROV: identifiers, and one sample's story as a PROV-JSON document.

No triples are stored. The tables hold foreign keys; the views `prov_*` show them as relations, and the document below
takes its relations from these views, so both always say the same. Runs are activities; crawl files, records, images,
samples, findings, decisions, captions, files and release rows are entities; models and programs are agents.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from assets.provenance.explain import MAX_ID, no_such_sample
from assets.provenance.prov_layout import Account
from assets.provenance.story import Row

PROGRAM = "winnow:agent/winnow"
"""The program that runs every activity."""

_TEXT = "replace(url_encode({}), '%40', '@')"

IDENTIFIERS = {
    "prov_shard(shard_id)": ("'winnow:shard/' || shard_id", "Crawl file, or piece of a link list."),
    "prov_record(record_id)": ("'winnow:record/' || record_id", "Record: page, image, robots.txt."),
    "prov_image(image_id)": ("'winnow:image/' || image_id", "Decoded image."),
    "prov_sample(sample_id)": ("'winnow:sample/' || sample_id", "Sample."),
    "prov_hint(sample_id)": ("'winnow:hint/' || sample_id", "What experts saw in a sample's picture."),
    "prov_rights(sample_id)": ("'winnow:rights/' || sample_id", "Verdict over a sample."),
    "prov_decision(sample_id, stage)": (
        "'winnow:decision/' || sample_id || '/' || stage",
        "What a stage decided on a sample.",
    ),
    "prov_finding(record_id, rule, says, part, byte_start, byte_end)": (
        f"concat_ws('/', 'winnow:finding', record_id, {_TEXT.format('rule')}, {_TEXT.format('says')}, part,"
        " byte_start || '-' || byte_end)",
        "What a rule read in a record, at these bytes where they are known.",
    ),
    "prov_caption(sample_id, kind, model, attempt)": (
        f"concat_ws('/', 'winnow:caption', sample_id, {_TEXT.format('kind')},"
        f" coalesce({_TEXT.format('model')}, '-'), attempt)",
        "Text about a sample; `-` stands for no model.",
    ),
    "prov_artifact(uri)": (
        f"'winnow:artifact/' || replace({_TEXT.format('uri')}, '%2F', '/')",
        "File of the home.",
    ),
    "prov_release(release_id)": (f"'winnow:release/' || {_TEXT.format('release_id')}", "Release."),
    "prov_release_row(release_id, sample_id)": (
        f"'winnow:release/' || {_TEXT.format('release_id')} || '/' || sample_id",
        "Sample in a release.",
    ),
    "prov_activity_id(asset, shard, fingerprint)": (
        f"'winnow:run/' || {_TEXT.format('asset')} || '/' || coalesce({_TEXT.format('shard')}, 'all') || '@' || fingerprint",
        "An asset's work for a partition, or for all of them: the same for every run that would make the same files.",
    ),
    "prov_build(build_id)": ("'winnow:build/' || build_id", "Recipe, code and sources of a build."),
    "prov_agent(agent_id)": (f"'winnow:agent/' || {_TEXT.format('agent_id')}", "Model or program."),
}
"""PROV identifiers, as macros of the database: signature -> (SQL, what it identifies).

Words from outside are percent-encoded, `@` and the slashes of a path excepted. `generated = prov_sample(8589935121)`
asks for an identifier without spelling it.
"""


def prov_json(connection: duckdb.DuckDBPyConnection, sample_id: int) -> str:
    """`prov_document` as text: the same for the same database, in ASCII, whatever the web wrote."""
    return json.dumps(prov_document(connection, sample_id), indent=1, ensure_ascii=True, allow_nan=False)


def prov_document(connection: duckdb.DuckDBPyConnection, sample_id: int) -> dict[str, dict[str, Any]]:
    """One sample's provenance in the layout of PROV-JSON (W3C member submission, 2013).

    From the release row back to the crawl file: records with offsets, image, findings with byte ranges, verdict,
    decisions, captions with their models, and the runs that made them. Raises LookupError where no sample has this id.
    """
    found = _rows(connection, _SAMPLE, sample_id) if 0 <= sample_id <= MAX_ID else []
    if not found:
        raise no_such_sample(connection, sample_id)
    account = Account()
    _tell_sample(account, connection, found[0], sample_id)
    _tell_judgements(account, connection, sample_id)
    _tell_captions(account, connection, sample_id)
    _tell_releases(account, connection, sample_id)
    _tell_files(account, connection)
    _tell_runs(account, connection)
    return account.document()


def _tell_sample(account: Account, connection: duckdb.DuckDBPyConnection, row: Row, sample_id: int) -> None:
    """The sample, its image, its records and those that findings were read from, and what was made from what."""
    image_id = row.pop("image_id")
    own = {row.pop(name) for name in ("page_record_id", "image_record_id")} | {image_id}
    read = {found["record_id"] for found in _rows(connection, _READ_FROM, sample_id)}
    shards = [row.pop("shard_id")]
    account.entity("sample", row)
    records = sorted((own | read) - {None})
    for record in _among(connection, _RECORDS, records):
        shards.append(record.pop("shard_id"))
        account.lies_in(record["file"])
        account.entity("record", record)
    for image in _rows(connection, _IMAGE, image_id):
        account.lies_in(image["file"], account.entity("image", image))
    for shard in _among(connection, _SHARDS, sorted(set(shards))):
        account.entity("crawl_file", shard)
    for edge in _edges(connection, "sample_id", [sample_id]) + _edges(connection, "record_id", records):
        account.derive(edge["generated"], edge["used"], edge["activity"])


def _tell_judgements(account: Account, connection: duckdb.DuckDBPyConnection, sample_id: int) -> None:
    """Findings and the bytes they were read from, the verdict that follows from them, and what each stage decided."""
    verdicts = _rows(connection, _RIGHTS, sample_id)
    for row in verdicts:
        account.generate(row["id"], row.pop("activity"))
        account.entity("rights", row)
    for row in _rows(connection, _FINDINGS, sample_id):
        read_from, activity = row.pop("read_from"), row.pop("activity")
        finding = account.entity("finding", row)
        account.derive(finding, read_from, activity)
        for verdict in verdicts:
            account.derive(verdict["id"], finding)
    for row in _rows(connection, _DECISIONS, sample_id):
        about, activity = row.pop("about"), row.pop("activity")
        decision = account.entity("decision", row)
        for entity in about:
            account.derive(decision, entity, activity)


def _tell_captions(account: Account, connection: duckdb.DuckDBPyConnection, sample_id: int) -> None:
    """Every text that was written, by whom, and what experts saw; a text that was not written is none."""
    for made in _rows(connection, f"{_WRITTEN} {int(sample_id)}"):
        account.generate(made["entity"], made["activity"])
    for kind, query in (("caption", _CAPTIONS), ("hint", _HINTS)):
        for row in _rows(connection, query, sample_id):
            agents = row.pop("agents")
            entity = account.entity(kind, row)
            for agent in agents:
                account.attribute(entity, agent)


def _tell_releases(account: Account, connection: duckdb.DuckDBPyConnection, sample_id: int) -> None:
    """Releases with the sample, and its row in each."""
    for row in _rows(connection, _RELEASE_ROWS, sample_id):
        release, uri = row.pop("release"), row.pop("uri")
        member = account.entity("release_row", row)
        account.contain(release, member)
        account.lies_in(uri, member)
    for row in _rows(connection, _RELEASES, sample_id):
        account.entity("release", row, "prov:Collection")


def _tell_files(account: Account, connection: duckdb.DuckDBPyConnection) -> None:
    """Files of the home that hold something the document names, with their hashes."""
    for row in _among(connection, _FILES, sorted(account.files)):
        members, activity = account.files[row["uri"]], row.pop("activity")
        file = account.entity("file", row, "prov:Collection")
        account.generate(file, activity)
        for member in members:
            account.contain(file, member)


def _tell_runs(account: Account, connection: duckdb.DuckDBPyConnection) -> None:
    """Runs that the document names, with the program and the build they worked for."""
    runs = _among(connection, _RUNS, account.activities())
    builds = {run["build_id"] for run in runs} - {None}
    plans = {row.pop("build_id"): row for row in _among(connection, _BUILDS, sorted(builds))}
    for row in plans.values():
        account.entity("build", row, "prov:Plan")
    named = {agent for _, agent in account.relations["wasAttributedTo"]}
    for row in _among(connection, _AGENTS, sorted(named | {PROGRAM})):
        account.agent(row)
    for run in runs:
        plan = plans.get(run["build_id"], {}).get("id")
        account.associate(account.activity(run), PROGRAM, plan)


def _rows(connection: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[Row]:
    result = connection.execute(query, list(values))
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _among(connection: duckdb.DuckDBPyConnection, query: str, values: Iterable[Any]) -> list[Row]:
    """Rows of a query with `IN ({among})`: the values stand in it one by one, so that they are looked up."""
    given = list(values)
    return _rows(connection, query.format(among=", ".join("?" * len(given))), *given) if given else []


def _edges(connection: duckdb.DuckDBPyConnection, column: str, numbers: Sequence[int]) -> list[Row]:
    """What was made from what, for some samples or records, one by one.

    Each number stands in the query itself: parts of the view that cannot hold it are then left out before it runs.
    """
    query = f"SELECT generated, used, activity FROM prov_was_derived_from WHERE {column} ="
    return [row for number in numbers for row in _rows(connection, f"{query} {int(number)}")]


def _time(column: str) -> str:
    return f"strftime(make_timestamp(epoch_us({column})), '%Y-%m-%dT%H:%M:%S.%fZ')"


_SAMPLE = """SELECT prov_sample(sample_id) AS id, shard_id, page_record_id, image_record_id, image_id, page_url, position,
    image_url, alt, title, caption, language FROM sample WHERE sample_id = ?"""
_READ_FROM = "SELECT DISTINCT record_id FROM sample_evidence WHERE sample_id = ?"
_RECORDS = f"""SELECT prov_record(record_id) AS id, shard_id, file, "offset", length, type, url,
    {_time("fetched_at")} AS fetched_at, http_status, status, mime, digest
    FROM record WHERE record_id IN ({{among}}) ORDER BY record_id"""
_IMAGE = """SELECT prov_image(image_id) AS id, sha256, width, height, format, bytes, file, member, stored_sha256
    FROM image WHERE image_id = ?"""
_SHARDS = """SELECT prov_shard(shard_id) AS id, uri, kind, sha256, bytes, source, first_row, rows
    FROM shard WHERE shard_id IN ({among}) ORDER BY shard_id"""
_RIGHTS = """SELECT prov_rights(r.sample_id) AS id, image_license, text_license, verdict, reason, reservation, conflict,
    decided_by, confidence, m.activity
    FROM rights r LEFT JOIN prov_maker m ON m.table_name = 'rights' AND m.shard_id = (r.sample_id >> 32)
    WHERE r.sample_id = ?"""
_FINDINGS = """SELECT DISTINCT prov_finding(e.record_id, e.rule, concat_ws(':', e.usage, e.says), e.part, e.byte_start,
        e.byte_end) AS id,
    prov_record(e.record_id) AS read_from, e.kind, e.subject_type, e.rule, e.says, e.usage, e.confidence, e.value, e.part,
    e.byte_start, e.byte_end, e.decided, m.activity
    FROM sample_evidence e JOIN sample s USING (sample_id)
    LEFT JOIN prov_maker m ON m.table_name = e.kind || '_evidence' AND m.shard_id = s.shard_id
        AND (m.asset = 'evidence') = (e.kind = 'license' OR e.rule NOT LIKE 'rsl%'
            AND e.record_id IN (s.page_record_id, s.image_record_id, s.image_id))
    WHERE e.sample_id = ? ORDER BY id, e.decided, e.subject_type, e.confidence, e.value"""
_DECISIONS = """SELECT prov_decision(d.sample_id, d.stage) AS id, d.stage, d.kept, d.reason, d.score, d.threshold,
    list_filter([CASE WHEN d.stage = 'rights' THEN prov_rights(r.sample_id) END, prov_sample(d.sample_id),
        prov_sample(d.other_sample_id)], lambda x: x IS NOT NULL) AS about, a.activity
    FROM decision d JOIN stage_order USING (stage) LEFT JOIN rights r ON r.sample_id = d.sample_id
    LEFT JOIN decision_file f ON f.stage = d.stage AND coalesce(f.shard_id, d.sample_id >> 32) = (d.sample_id >> 32)
    LEFT JOIN prov_activity a ON a.asset = f.asset AND a.fingerprint = f.fingerprint
    WHERE d.sample_id = ? ORDER BY position"""
_CAPTIONS = """SELECT prov_caption(sample_id, kind, model, attempt) AS id, kind, attempt, text, model, revision,
    prompt_sha256, status, reason, chosen, license, model_license, output_terms,
    CASE WHEN model IS NULL THEN [] ELSE [prov_agent(model)] END AS agents
    FROM caption WHERE sample_id = ? AND text IS NOT NULL ORDER BY id"""
_WRITTEN = "SELECT entity, activity FROM prov_was_generated_by WHERE what = 'caption' AND sample_id ="
_HINTS = """SELECT prov_hint(sample_id) AS id, tags, text_lines, faces, people,
    list_transform(experts, lambda x: prov_agent(x)) AS agents FROM hint WHERE sample_id = ?"""
_AGENTS = """SELECT prov_agent(agent_id) AS id, kind, name, revision, weights_sha256, license, output_terms
    FROM agent WHERE prov_agent(agent_id) IN ({among}) ORDER BY agent_id"""
_RELEASE_ROWS = """SELECT prov_release_row(release_id, sample_id) AS id, prov_release(release_id) AS release,
    'releases/' || release_id || '/' || file AS uri, file, "row", with_image, caption_kind
    FROM release_member WHERE sample_id = ? ORDER BY release_id"""
_RELEASES = f"""SELECT DISTINCT ON (release_id) prov_release(release_id) AS id, name, version, manifest_sha256,
    {_time("published_at")} AS published_at, {_time("withdrawn_at")} AS withdrawn_at
    FROM release JOIN release_member USING (release_id) WHERE sample_id = ? ORDER BY release_id, release.published_at"""
_FILES = """SELECT prov_artifact(f.uri) AS id, f.uri, f.table_name, f.sha256, f.bytes, f.rows,
    CASE WHEN f.uri NOT LIKE 'observations/%' THEN a.activity END AS activity
    FROM artifact f LEFT JOIN prov_activity a USING (asset, fingerprint) WHERE f.uri IN ({among}) ORDER BY f.uri"""
_RUNS = f"""SELECT activity AS id, asset, "partition", fingerprint, run_id, build_id, code_version, config_sha256,
    {_time("started_at")} AS start, {_time("ended_at")} AS "end"
    FROM prov_activity WHERE activity IN ({{among}}) ORDER BY activity"""
_BUILDS = """SELECT DISTINCT ON (build_id) build_id, prov_build(build_id) AS id, name, recipe_sha256, policy_sha256,
    code_version FROM build WHERE build_id IN ({among}) ORDER BY build_id, completed_at"""
