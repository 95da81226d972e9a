"""Sites over all crawl files: a host's robots.txt speaks of its pages and images wherever they were archived.

Each shard hands over the site files that it holds and the references to RSL terms that it saw; all of them together are
then read for the pages and images of every shard. Where a file was archived more than once, every state of it counts:
any reservation wins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.crawl.urls import join
from assets.provenance.tables import TABLES, conform
from assets.rights.addresses import origin_and_path
from assets.rights.findings import Findings, Subject, Where
from assets.rights.rsl import add_document
from assets.rights.site_rules import SITE_PATHS, SiteFile, Target, read_sites

MAX_FILE = (1 << 20) + 1
"""Bytes of a site file that are kept: one more than any reader takes, so that it sees that there is more."""

MAX_REDIRECTS = 5
RSL_MARK = b"rslstandard.org/rsl"
REFERENCES = ("rsl_header", "rsl_link")
"""Rules whose finding refers to terms elsewhere."""

COLUMNS = tuple(field.name for field in fields(SiteFile))


def site_records(records: Mapping[int, Mapping[str, Any]]) -> dict[int, list[tuple[str, str]]]:
    """(kind, origin) of the site files among the records of table `record`, by record; every state of a file counts.

    A file behind a redirect binds the origin that redirects. A server that failed to answer is kept too: what its file
    says is not known.
    """
    answers: dict[str, list[int]] = defaultdict(list)
    for record_id, row in sorted(records.items()):
        failed = row["status"] == "http_error" and (row["http_status"] or 0) >= 500
        if row["url"] and (row["status"] == "ok" or failed):
            answers[row["url"]].append(record_id)
    sites: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for url, target in [*((url, url) for url in answers), *redirected(records).items()]:
        place = origin_and_path(url)
        kind = SITE_PATHS.get(place[1]) if place else None
        for record_id in answers.get(target, ()) if place and kind else ():
            sites[record_id].append((kind or "", place[0] if place else ""))
    return {record_id: sorted(set(found)) for record_id, found in sites.items()}


def redirected(records: Mapping[int, Mapping[str, Any]]) -> dict[str, str]:
    """Where each address that redirects leads in the end, by address."""
    steps = {
        row["url"]: row["redirect_to"]
        for _, row in sorted(records.items())
        if row["status"] == "redirect" and row["url"] and row["redirect_to"]
    }
    ends = {}
    for url in sorted(steps):
        end = url
        for _ in range(MAX_REDIRECTS):
            end = steps.get(end, end)
        ends[url] = end
    return ends


def holds_rsl(body: bytes, mime: str | None) -> bool:
    """Whether a record is an RSL document or a feed with RSL terms: XML that names the vocabulary near its start."""
    return "xml" in (mime or "") and "html" not in (mime or "") and RSL_MARK in body[:65536]


def site_files(found: Iterable[SiteFile]) -> pa.Table:
    """Table `site_file`, sorted; files that say the same are one, the one of the lowest record."""
    first: dict[tuple[object, ...], SiteFile] = {}
    for file in sorted(found, key=lambda file: file.record_id):
        first.setdefault((file.origin, file.kind, file.url, file.http_status, file.body[:MAX_FILE]), file)
    rows = [
        {**{name: getattr(file, name) for name in COLUMNS}, "body": file.body[:MAX_FILE]}
        for file in sorted(first.values(), key=lambda file: (file.origin, file.kind, file.url, file.record_id))
    ]
    return conform("site_file", pa.Table.from_pylist(rows, schema=TABLES["site_file"].schema))


def read_site_files(table: pa.Table) -> list[SiteFile]:
    """Rows of table `site_file` as the readers take them."""
    return [SiteFile(**row) for row in table.to_pylist()]


def references(reservation_evidence: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Findings that refer to RSL terms elsewhere, and all others."""
    refers = pc.is_in(reservation_evidence["rule"], pa.array(REFERENCES))
    return reservation_evidence.filter(refers), reservation_evidence.filter(pc.invert(refers))


def origins_of(record: pa.Table, sample: pa.Table) -> list[str]:
    """Origins that a shard's pages and images live on, sorted."""
    urls = {target.url for target in targets(record, sample)}
    return sorted({place[0] for url in urls if (place := origin_and_path(url))})


def targets(record: pa.Table, sample: pa.Table) -> list[Target]:
    """Pages and images of a shard; an image that the crawl lacks, or has under another address, is spoken of as a sample."""
    url_of = dict(zip(record["record_id"].to_pylist(), record["url"].to_pylist(), strict=True))
    columns = ("sample_id", "page_record_id", "image_record_id", "image_url")
    rows = list(zip(*(sample[name].to_pylist() for name in columns), strict=True))
    pages = dict.fromkeys(page for _, page, _, _ in rows if page is not None)
    images = dict.fromkeys(image for _, _, image, _ in rows if image is not None)
    found = [Target(Subject("page", i), url_of[i] or "") for i in pages]
    found += [Target(Subject("image", i), url_of[i] or "") for i in images]
    for sample_id, _, image, url in rows:
        if url and (image is None or url_of[image] != url):
            found.append(Target(Subject("sample", sample_id), url))
    return found


def site_evidence(
    files: Sequence[SiteFile], record: pa.Table, sample: pa.Table, referring: pa.Table, agents: Sequence[str] = ()
) -> pa.Table:
    """Table `reservation_evidence`: what site files say of a shard's pages and images.

    Args:
        files: site files of the whole build, at least those of the shard's origins and all RSL documents.
        record, sample: tables of the shard.
        referring: its findings that refer to RSL terms. Where the build holds the terms they take the finding's place.
        agents: product tokens that count, besides those known to collect for AI.
    """
    findings = Findings()
    read_sites(files, targets(record, sample), findings, agents)
    documents: dict[str, list[SiteFile]] = defaultdict(list)
    for file in files:
        if file.kind == "rsl":
            documents[file.url].append(file)
    url_of = dict(zip(record["record_id"].to_pylist(), record["url"].to_pylist(), strict=True)) if referring else {}
    for row in referring.to_pylist():
        subject, url = Subject(row["subject_type"], row["subject_id"]), url_of.get(row["record_id"]) or ""
        states = documents.get(join(url, row["value"]) or "", [])
        resolved = [add_document(state, url, subject, findings) for state in states]
        if not any(resolved):
            where = Where(row["record_id"], row["part"], row["byte_start"], row["byte_end"])
            findings.reservation(
                subject, row["rule"], row["usage"], row["decision"], row["value"], where, row["observed_at"]
            )
    return findings.evidence().reservation_evidence
