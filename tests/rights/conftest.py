"""The sample crawl read once, its truth, and small pages and tables for single rules."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest

from assets.provenance.tables import TABLES
from assets.rights.evidence import Sources, collect_evidence
from assets.rights.findings import Evidence, Findings
from assets.rights.http_rules import read_reservation_metas
from assets.rights.markup import Page
from assets.rights.page_images import Images
from assets.rights.page_rules import mark_outside, read_markup
from assets.rights.policy import Policy, load_policy
from assets.rights.site_rules import SiteFile
from assets.rights.sites import read_site_files, site_evidence
from assets.rights.structured import read_structured
from tests.crawl.shards import Crawled, crawl_warc

REPOSITORY = Path(__file__).resolve().parents[2]
URL = "http://site.example/dir/page.html"


@dataclass
class Shard:
    path: Path
    crawled: Crawled
    evidence: Evidence


@pytest.fixture(scope="session")
def shards(tmp_path_factory) -> dict[int, Shard]:
    """Every shard of the sample crawl with its evidence."""
    folder = tmp_path_factory.mktemp("tars")
    found = {}
    for number in range(1, 6):
        path = REPOSITORY / "examples" / "crawl" / f"sample-{number:05}.warc.gz"
        crawled = crawl_warc(path, number, folder / f"{number}.tar")
        found[number] = Shard(path, crawled, collect_evidence(Sources(path), number, crawled.record, crawled.sample))
    files = [file for shard in found.values() for file in read_site_files(shard.evidence.site_file)]
    for shard in found.values():
        shard.evidence = with_sites(shard, files)
    return found


def with_sites(shard: Shard, files: list[SiteFile]) -> Evidence:
    """A shard's evidence together with what site files of all shards say of it."""
    said = site_evidence(files, shard.crawled.record, shard.crawled.sample, shard.evidence.rsl_reference)
    both = pa.concat_tables([shard.evidence.reservation_evidence, said])
    return replace(shard.evidence, reservation_evidence=both)


@pytest.fixture(scope="session")
def truth() -> dict[tuple[str, int], dict]:
    """Rows of the crawl's truth by page and position."""
    with gzip.open(REPOSITORY / "examples" / "crawl" / "truth.jsonl.gz") as file:
        rows = [json.loads(line) for line in file]
    return {(row["page_url"], row["img_index"]): row for row in rows}


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy("commercial-open")


def read_page(html: str | bytes, images: list[str] = (), charset: str = "utf-8") -> Evidence:
    """What the page rules find on a page whose <img> elements, in order, show these addresses (ids from 0)."""
    body = html.encode(charset) if isinstance(html, str) else html
    page, findings = Page(body, URL, charset, 1), Findings()
    shown = Images(page, [(i, i, [page.join(url)]) for i, url in enumerate(images)])
    read_markup(page, shown, findings)
    read_structured(page, shown, findings)
    read_reservation_metas(page, None, findings)
    if findings.licenses_page(1):
        mark_outside(page, shown, findings)
    return findings.evidence()


def licenses_in(evidence: Evidence) -> set[tuple[str, int, str, str]]:
    """(subject_type, subject_id, rule, spdx_id) of every license finding."""
    rows = evidence.license_evidence.to_pylist()
    return {(row["subject_type"], row["subject_id"], row["rule"], row["spdx_id"]) for row in rows}


def reservations_in(evidence: Evidence) -> set[tuple[str, str, str]]:
    """(rule, usage, decision) of every opt-out finding."""
    return {(row["rule"], row["usage"], row["decision"]) for row in evidence.reservation_evidence.to_pylist()}


def table(name: str, rows: list[dict]) -> pa.Table:
    """A table of the contract from partial rows; columns left out are null, empty or zero."""
    schema = TABLES[name].schema
    blank = {pa.string(): "", pa.bool_(): False, pa.list_(pa.string()): []}
    full = [
        {
            f.name: row.get(
                f.name,
                None if f.nullable else blank.get(f.type, bytes(f.type.byte_width) if "binary" in str(f.type) else 0),
            )
            for f in schema
        }
        for row in rows
    ]
    return pa.Table.from_pylist(full, schema=schema)
