"""Evidence: one pass over a crawl file in which every rule reads what it knows to read."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.crawl.image_shards import read_image
from assets.crawl.nesting import too_deep
from assets.crawl.urls import join
from assets.crawl.warc import WarcRecord, iter_records
from assets.crawl.wat import read_wat
from assets.rights.adapters import read_adapters
from assets.rights.addresses import origin_and_path, site_address
from assets.rights.chains import MAX_HOPS, Chains
from assets.rights.findings import Evidence, Findings, Subject, Unplaced, Where
from assets.rights.http_rules import read_headers, read_meta_reservations, read_reservation_metas
from assets.rights.image_rules import read_image as read_image_bytes
from assets.rights.licenses import NOASSERTION, license_of_url, license_of_value
from assets.rights.markup import MAX_PAGE, Page
from assets.rights.page_images import Images
from assets.rights.page_rules import LICENSE_METAS, mark_outside, read_markup
from assets.rights.preferences import CONDITIONAL
from assets.rights.prose import read_prose
from assets.rights.site_rules import NOT_HERE, SiteFile
from assets.rights.sites import MAX_FILE, Kept, holds_rsl, is_xml, references, site_files, site_records
from assets.rights.structured import read_structured


@dataclass(frozen=True)
class _Wanted:
    """Which records of the crawl file are read, and as what.

    Attributes:
        pages: samples by the record of their page.
        images: records of images.
        hops: images behind redirects and revisits, by the record of those.
        sites: (kind, origin) of site files.
        answers: addresses that each record answers.
    """

    pages: dict[int, list[dict[str, Any]]]
    images: set[int]
    hops: dict[int, list[int]]
    sites: dict[int, list[tuple[str, str]]]
    answers: dict[int, list[str]]


@dataclass(frozen=True)
class Sources:
    """Where the bytes of a shard are.

    Attributes:
        path: the crawl file.
        kind: warc, wat, links or images.
        fetched: WARC files of fetched answers, oldest first, by how table `record` names them.
        max_body: as the crawl stage read them; what is longer was not a sample either.
        agents: product tokens that count in what is addressed to single crawlers, besides those known to collect for AI.
        adapters: names of the site adapters that are read.
    """

    path: str | os.PathLike[str]
    kind: str = "warc"
    fetched: Mapping[str, Path] = field(default_factory=dict)
    max_body: int = 32 << 20
    agents: frozenset[str] = frozenset()
    adapters: tuple[str, ...] = ()


def collect_evidence(
    sources: Sources, shard_id: int, record: pa.Table, sample: pa.Table, stated: Mapping[int, str] | None = None
) -> Evidence:
    """All statements about licenses, opt-outs and credits in one shard, and the site files that it holds.

    What site files say is left to `sites.site_evidence`: they bind pages and images of other shards too.

    Args:
        sources: its bytes.
        shard_id: its number, upper half of its record and sample ids.
        record: table `record` of the shard, fetched answers included.
        sample: table `sample` of the shard, before any filter.
        stated: licenses that a link list states, by sample_id.
    """
    records = {row["record_id"]: row for row in record.to_pylist()}
    samples = sample.to_pylist()
    findings = Findings()
    wanted = _wanted(records, samples, findings)
    kept = Kept()
    for record_id, found in _records(sources, shard_id, records):
        if record_id in wanted.pages:
            _read_page(found, records[record_id], wanted.pages[record_id], sources, findings)
        if record_id in wanted.images:
            _read_image(found, record_id, sources.agents, findings)
        for image in wanted.hops.get(record_id, ()):
            url, subject = found.url or "", Subject("image", image)
            read_headers(found.header_bytes, url, subject, found.fetched_at, findings, sources.agents, record_id)
        if record_id in wanted.answers:
            for file in _site_files(found, records[record_id], wanted):
                kept.add(file)
    if sources.kind == "wat":
        _read_wat_pages(sources, shard_id, wanted, findings)
    if sources.kind == "images":
        _read_members(sources, records, wanted, findings)
    _read_list(shard_id, stated or {}, findings)
    made = findings.evidence()
    referring, reservations = references(made.reservation_evidence)
    return replace(made, reservation_evidence=reservations, site_file=site_files(kept.files), rsl_reference=referring)


def _site_files(found: WarcRecord, row: dict[str, Any], wanted: _Wanted) -> Iterator[SiteFile]:
    """The record as the site files that it is: of every host that it binds, and RSL terms at every address they have."""
    record_id, url = row["record_id"], found.url or ""
    places = [(kind, origin, url) for kind, origin in wanted.sites.get(record_id, ())]
    if not places and _may_hold_rsl(found):
        addresses = sorted({one for known in wanted.answers[record_id] if (one := site_address(known))})
        places = [("rsl", place[0], one) for one in addresses if (place := origin_and_path(one))]
    body, status, incomplete = found.body[:MAX_FILE], found.http_status, found.truncated or found.reason
    if found.type == "revisit" and (status in (None, 304) or status < 300):
        incomplete, status = NOT_HERE, None
    for kind, origin, address in places:
        yield SiteFile(kind, origin, record_id, found.fetched_at, body, address, status, incomplete, row["digest"])


def _may_hold_rsl(found: WarcRecord) -> bool:
    """Whether a record is an RSL document, or could be one and cannot be read."""
    if found.status == "ok" or found.reason == "truncated" and found.body:
        return holds_rsl(found.body, found.mime)
    return found.status in ("error", "repeat") and (found.http_status or 200) < 300 and is_xml(found.mime)


def _records(
    sources: Sources, shard_id: int, records: Mapping[int, dict[str, Any]]
) -> Iterator[tuple[int, WarcRecord]]:
    """WARC records with their ids: of the crawl file, if it is one, and of what was fetched."""
    if sources.kind == "warc":
        for found in iter_records(sources.path, max_body=sources.max_body):
            yield shard_id << 32 | found.ordinal, found
    ids = {(row["file"], row["offset"]): i for i, row in records.items() if row["file"] is not None}
    for name, path in sources.fetched.items():
        for found in iter_records(path, max_body=sources.max_body):
            yield ids[name, found.offset], found


def _read_wat_pages(sources: Sources, shard_id: int, wanted: _Wanted, findings: Findings) -> None:
    """Header fields, meta elements and license links of pages, as a WAT file tells them: without places."""
    unplaced = Unplaced(findings)
    for record in iter_records(sources.path, max_body=sources.max_body):
        record_id = shard_id << 32 | record.ordinal
        if record_id not in wanted.pages:
            continue
        page = read_wat(record.body)
        url, subject, where = page.url or "", Subject("page", record_id), Where(record_id, "body", None, None)
        read_headers(page.header_bytes, url, subject, page.fetched_at, unplaced, sources.agents)
        if page.truncated:
            findings.license(subject, "page_unread", NOASSERTION, f"page incomplete: {page.truncated}", where)
        read_meta_reservations(page.metas, subject, where, page.fetched_at, unplaced, sources.agents)
        for rule, value in read_wat_licenses(page.metas, page.license_links):
            joined = join(url, value) if rule == "wat_rel" else None
            spdx_id = license_of_url(joined) if joined else license_of_value(value)
            findings.license(subject, rule, spdx_id or NOASSERTION, value, where)


def read_wat_licenses(metas: Sequence[tuple[str, str]], links: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(rule, value) of everything in a WAT record that states a license for its page."""
    yield from (("wat_rel", url) for url in links)
    yield from (("wat_meta", content) for name, content in metas if name.strip().lower() in LICENSE_METAS)


def _read_members(sources: Sources, records: Mapping[int, dict[str, Any]], wanted: _Wanted, findings: Findings) -> None:
    """What the images of an image shard say of themselves, as far as whoever wrote the shard left it in them."""
    for record_id in wanted.images:
        row = records[record_id]
        if row["file"] is None:
            data = read_image(sources.path, row["offset"], row["length"])
            read_image_bytes(data, record_id, row["fetched_at"], findings)


def _read_list(shard_id: int, stated: Mapping[int, str], findings: Findings) -> None:
    """Licenses that a link list states: second hand, so below what any page or file says."""
    where = Where(shard_id << 32, "body", None, None)
    for sample_id, value in stated.items():
        if value.strip() in ("", "?"):
            continue
        spdx_id = license_of_url(value) or license_of_value(value) or NOASSERTION
        findings.license(Subject("sample", sample_id), "list_license", spdx_id, value, where)


def _wanted(records: dict[int, dict[str, Any]], samples: list[dict[str, Any]], findings: Findings) -> _Wanted:
    pages: dict[int, list[dict[str, Any]]] = defaultdict(list)
    hops: dict[int, set[int]] = defaultdict(set)
    chains, images = Chains(records), set()
    for row in samples:
        image = row["image_record_id"]
        if row["page_record_id"] is not None:
            pages[row["page_record_id"]].append(row)
        if image is not None:
            images.add(image)
            on_the_way = chains.hops(row["image_url"] or "")
            for hop in on_the_way[:MAX_HOPS]:
                hops[hop].add(image)
            if len(on_the_way) > MAX_HOPS:
                subject, where = Subject("image", image), Where(on_the_way[MAX_HOPS], "headers", None, None)
                findings.reservation(subject, "x_robots_tag", "tdm", CONDITIONAL, "too many redirects", where, None)
    answers = chains.answers()
    behind = {hop: sorted(found - {hop}) for hop, found in hops.items()}
    return _Wanted(pages, images, behind, site_records(records, answers), answers)


def _read_page(
    found: WarcRecord,
    row: dict[str, Any],
    samples: list[dict[str, Any]],
    sources: Sources,
    findings: Findings,
) -> None:
    record_id, url, observed_at = row["record_id"], row["url"] or "", found.fetched_at
    subject = Subject("page", record_id)
    read_headers(found.header_bytes, url, subject, observed_at, findings, sources.agents)
    unread = "too_large" if len(found.body) > MAX_PAGE else "too_deep" if too_deep(found.body) else None
    if found.truncated or found.status == "error" or unread:
        reason = found.truncated or found.reason or unread
        where = Where(record_id, "body", 0, len(found.body))
        findings.license(subject, "page_unread", NOASSERTION, f"page incomplete: {reason}", where)
    if unread:
        return
    page = Page(found.body, url, row["charset"] or found.charset, record_id)
    images = Images(page, [(s["sample_id"], s["position"], _addresses(s)) for s in samples])
    read_markup(page, images, findings)
    read_structured(page, images, findings)
    read_adapters(sources.adapters, page, images, findings)
    read_reservation_metas(page, observed_at, findings, sources.agents)
    read_prose(page, observed_at, findings)
    if findings.licenses_page(record_id):
        mark_outside(page, images, findings)


def _addresses(sample: dict[str, Any]) -> list[str]:
    return [url for url in [sample["image_url"], *(sample["other_urls"] or ())] if url]


def _read_image(found: WarcRecord, record_id: int, agents: frozenset[str], findings: Findings) -> None:
    subject = Subject("image", record_id)
    read_headers(found.header_bytes, found.url or "", subject, found.fetched_at, findings, agents)
    read_image_bytes(found.body, record_id, found.fetched_at, findings)
