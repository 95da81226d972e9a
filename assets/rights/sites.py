"""Sites over all crawl files: a host's robots.txt speaks of its pages and images wherever they were archived.

Each shard hands over the site files that it holds and the references to RSL terms that it saw; all of them together are
then read for the pages and images of every shard. Where a file was archived more than once, every state of it counts:
any reservation wins. A redirect of a site's file to another host is followed inside its own shard only: what it leads to
in another one is not known, and neither is what a revisit repeats from another host's file there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.crawl.answers import digest_key
from assets.crawl.urls import join
from assets.provenance.tables import TABLES, conform
from assets.rights import robots
from assets.rights.addresses import origin_and_path, site_address
from assets.rights.findings import Findings, Subject, Where
from assets.rights.rsl import add_documents, documents_of
from assets.rights.site_rules import NOT_HERE, NOT_KEPT, SITE_PATHS, SiteFile, Target, read_sites, terms_address

MAX_FILE = (1 << 20) + 1
"""Bytes of a site file that are kept: one more than any reader takes, so that it sees that there is more."""

MAX_SHARD = 256 << 20
"""Bytes of all site files of a shard that are kept."""

RSL_MARK = b"rslstandard.org/rsl"
REFERENCES = ("rsl_header", "rsl_link")
"""Rules whose finding refers to terms elsewhere."""

COLUMNS = tuple(field.name for field in fields(SiteFile))


def site_records(
    records: Mapping[int, Mapping[str, Any]], answers: Mapping[int, Sequence[str]]
) -> dict[int, list[tuple[str, str]]]:
    """(kind, origin) of the site files among the records of table `record`, by record; every state of a file counts.

    A file behind a redirect binds the host that redirects. A server that failed to answer is kept too, and an answer
    that was cut off, cannot be decoded or is not here: what the file says is not known.

    Args:
        answers: addresses that each record answers, of `Chains.answers`.
    """
    sites: dict[int, set[tuple[str, str]]] = {}
    for record_id, urls in answers.items():
        if not _may_speak(records[record_id]):
            continue
        places = (place for url in urls if (place := origin_and_path(url)))
        found = {(SITE_PATHS[path], origin) for origin, path in places if path in SITE_PATHS}
        if found:
            sites[record_id] = found
    return {record_id: sorted(found) for record_id, found in sites.items()}


def _may_speak(row: Mapping[str, Any]) -> bool:
    """Whether a record is a file, or hides what a file says; not where the server says that there is none."""
    status = row["http_status"] or 200
    return status >= 500 or status < 400 and row["status"] != "http_error"


def holds_rsl(body: bytes, mime: str | None) -> bool:
    """Whether a record is an RSL document or a feed with RSL terms: XML that names the vocabulary near its start."""
    return is_xml(mime) and RSL_MARK in body[:65536]


def is_xml(mime: str | None) -> bool:
    """Whether a record may be an RSL document by its media type."""
    return "xml" in (mime or "") and "html" not in (mime or "")


class Kept:
    """Site files of a shard; past a number of bytes no more of them is kept than that they are there."""

    def __init__(self) -> None:
        """None yet."""
        self.files: list[SiteFile] = []
        self._bytes = 0

    def add(self, file: SiteFile) -> None:
        """Takes one more file in."""
        if self._bytes + len(file.body) > MAX_SHARD:
            file = replace(file, body=b"", truncated=NOT_KEPT)
        self._bytes += len(file.body)
        self.files.append(file)


def site_files(found: Iterable[SiteFile]) -> pa.Table:
    """Table `site_file`, sorted; files that say the same are one, the one of the lowest record."""
    first: dict[tuple[object, ...], SiteFile] = {}
    for file in sorted(found, key=lambda file: file.record_id):
        said = (file.http_status, file.truncated, file.digest, file.body[:MAX_FILE])
        first.setdefault((file.origin, file.kind, file.url, *said), file)
    rows = [
        {**{name: getattr(file, name) for name in COLUMNS}, "body": file.body[:MAX_FILE]}
        for file in sorted(first.values(), key=lambda file: (file.origin, file.kind, file.url, file.record_id))
    ]
    return conform("site_file", pa.Table.from_pylist(rows, schema=TABLES["site_file"].schema))


def _without_repeats(files: Iterable[SiteFile]) -> list[SiteFile]:
    """Without revisits of what is among the files: it counts by itself."""
    files = list(files)
    digests: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for file in files:
        if file.truncated != NOT_HERE and not file.failed:
            digests[_place(file)].add(digest_key(file.digest or ""))
    return [f for f in files if f.truncated != NOT_HERE or not _is_among(f, digests.get(_place(f), ()))]


def _place(file: SiteFile) -> tuple[str, ...]:
    """What a file is the file of: its host, or an address where it is a document."""
    return (file.kind, file.origin, file.url if file.kind == "rsl" else "")


def _is_among(revisit: SiteFile, digests: Iterable[str]) -> bool:
    """Whether one of some digests may be what a revisit repeats: its own, or one that is stated in another way."""
    digest = digest_key(revisit.digest or "")
    name = digest.partition(":")[0]
    return any(digest in ("", one) or one.partition(":")[0] != name for one in digests)


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


def terms_named(files: Iterable[SiteFile], record: pa.Table, referring: pa.Table) -> list[str]:
    """Addresses of RSL terms, sorted, that robots.txt files and a shard's references name, as table `site_file` has them.

    Args:
        files: site files of the shard's origins.
        record, referring: as for `site_evidence`.
    """
    named = {join(url, row["value"]) for row, url in _with_urls(referring, record)}
    for file in files:
        if file.kind == "robots" and file.found and b"license" in file.body.lower():
            named |= {terms_address(file, line) for line in robots.parse(file.body).licenses}
    return sorted({address for url in named if url and (address := site_address(url))})


def _with_urls(referring: pa.Table, record: pa.Table) -> list[tuple[dict[str, Any], str]]:
    """References, each with the address of the record that it stands in."""
    if not referring.num_rows:
        return []
    url_of = dict(zip(record["record_id"].to_pylist(), record["url"].to_pylist(), strict=True))
    return [(row, url_of.get(row["record_id"]) or "") for row in referring.to_pylist()]


def site_evidence(
    files: Sequence[SiteFile], record: pa.Table, sample: pa.Table, referring: pa.Table, agents: Sequence[str] = ()
) -> pa.Table:
    """Table `reservation_evidence`: what site files say of a shard's pages and images.

    Args:
        files: site files of the whole build, at least those of the shard's origins and the documents of `terms_named`.
        record, sample: tables of the shard.
        referring: its findings that refer to RSL terms. Where the build holds the terms, and every state of them can be
            read and speaks of the subject, they take the finding's place.
        agents: product tokens that count, besides those known to collect for AI.
    """
    files = _without_repeats(files)
    findings, documents = Findings(), documents_of(files)
    read_sites(files, targets(record, sample), findings, agents, documents)
    for row, url in _with_urls(referring, record):
        subject = Subject(row["subject_type"], row["subject_id"])
        if not add_documents(documents, join(url, row["value"]), url, subject, findings):
            where = Where(row["record_id"], row["part"], row["byte_start"], row["byte_end"])
            findings.reservation(
                subject, row["rule"], row["usage"], row["decision"], row["value"], where, row["observed_at"]
            )
    return findings.evidence().reservation_evidence
