"""Findings: what the rules saw, where, and how sure they are; collected row by row, handed over as tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from assets.provenance.tables import TABLES, conform

MAX_VALUE = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to find a license.

    Attributes:
        rank: precedence, lower decides first; None: recorded, never decides.
        confidence: how sure the rule is, by default, that the statement is about its subject.
        version: raised when the rule reads differently.
    """

    rank: int | None
    confidence: float
    version: int = 1


# Levels: bytes 10, HTTP 20, structured data 30, RDFa about 40, figure 50, notice 60, page 70, its data 80, unread 90
PAGE_AUTHOR_RANK, NOTICE_RANK, PAGE_RANK, UNREAD_RANK = 30, 60, 70, 90
"""First ranks of what a page's author says, of notices, of statements about whole pages, of what could not be read.

Rules of rank UNREAD_RANK could not read something, so that a page's license counts for nothing beside them; what has a
higher rank is an address that may be a page of terms.
"""

OUTSIDE = "outside_main"
"""Not a license: the image stands where no license of the page reaches it."""

RULES = {
    "xmp_cc_license": Rule(10, 0.98, 2),
    "svg_cc_license": Rule(10, 0.98, 2),
    "xmp_web_statement": Rule(11, 0.9, 2),
    "xmp_usage_terms": Rule(12, 0.85, 3),
    "c2pa_creative_work": Rule(12, 0.8, 3),
    "xmp_dc_rights": Rule(13, 0.8, 3),
    "exif_copyright": Rule(14, 0.8, 3),
    "iptc_copyright": Rule(14, 0.8, 3),
    "png_text": Rule(14, 0.8, 3),
    "jpeg_comment": Rule(14, 0.7, 3),
    "gif_comment": Rule(14, 0.7, 3),
    "xmp_marked": Rule(15, 0.8, 2),
    "http_link_image": Rule(20, 0.95, 2),
    "jsonld_image": Rule(30, 0.9, 3),
    "microdata_image": Rule(30, 0.9, 3),
    "rdfa_image": Rule(30, 0.9, 3),
    "rdfa_about": Rule(40, 0.9, 3),
    "figure_rel": Rule(50, 0.8, 3),
    "figure_text": Rule(55, 0.6, 3),
    "caption_notice": Rule(NOTICE_RANK, 0.8, 3),
    "page_rel": Rule(PAGE_RANK, 0.8, 3),
    "http_link_page": Rule(PAGE_RANK, 0.8, 2),
    "page_meta": Rule(75, 0.7, 3),
    "jsonld_page": Rule(80, 0.7, 3),
    "microdata_page": Rule(80, 0.7, 2),
    "rdfa_page_license": Rule(80, 0.7, 2),
    # A WAT file has a page's links, but not where on the page they stand; a list says what somebody else found.
    "wat_rel": Rule(81, 0.6),
    "wat_meta": Rule(82, 0.6, 3),
    "adapter_wikimedia_commons": Rule(83, 0.75, 3),
    "adapter_flickr": Rule(83, 0.75),
    "adapter_the_met": Rule(83, 0.75),
    "list_license": Rule(85, 0.5, 3),
    "xmp_web_page": Rule(UNREAD_RANK + 1, 0.5, 2),
    "jsonld_unread": Rule(UNREAD_RANK, 0.5, 3),
    "metadata_unread": Rule(UNREAD_RANK, 0.5, 2),
    "page_unread": Rule(UNREAD_RANK, 0.5, 2),
    "comment_rel": Rule(None, 0.1, 2),
    "page_link": Rule(None, 0.1),
    OUTSIDE: Rule(None, 0.8),
}
"""Every license rule, in order of precedence. Ranks differ inside a level where one statement is more explicit."""

SPEC_DATES = {
    "robots": "2022-09 RFC 9309",
    "content_signal": "2025-09 contentsignals.org",
    "content_usage": "2026-08 draft-ietf-aipref-attach-05",
    "x_robots_tag": "noai, noimageai: convention of 2022",
    "meta_robots": "noai, noimageai: convention of 2022",
    "tdmrep": "2024-05 W3C TDMRep",
    "plus": "2023-10 IPTC/PLUS data mining",
    "c2pa": "2025-05 CAWG training and data mining 1.1",
    "ai_txt": "2023 Spawning ai.txt",
    "trust_txt": "2024-04 JournalList trust.txt",
    "natural_language": "none: terms of use in prose",
    "rsl": "2025-12 RSL 1.0",
}


class Subject(NamedTuple):
    """What a finding is about: `type` site, page, image, sample or text, and its record or sample id."""

    type: str
    id: int


class Where(NamedTuple):
    """The bytes a finding was read from: `part` headers or body; the range may be unknown."""

    record_id: int
    part: str
    start: int | None
    end: int | None


@dataclass(frozen=True)
class Evidence:
    """What all rules found in one crawl file, as tables; the last two are read once all crawl files are at hand."""

    license_evidence: pa.Table
    reservation_evidence: pa.Table
    attribution: pa.Table
    site_file: pa.Table = field(default_factory=TABLES["site_file"].empty)
    rsl_reference: pa.Table = field(default_factory=TABLES["rsl_reference"].empty)


class Findings:
    """Rows as they come; `evidence` sorts them, drops repetitions and makes tables."""

    def __init__(self) -> None:
        self._licenses: set[tuple] = set()
        self._reservations: set[tuple] = set()
        self._attributions: set[tuple] = set()
        self._licensing_pages: set[int] = set()

    def license(
        self, subject: Subject, rule: str, spdx_id: str, value: str, where: Where, confidence: float | None = None
    ) -> None:
        """One statement of a license; NOASSERTION where it cannot be read."""
        known = RULES[rule]
        if subject.type == "page" and known.rank is not None:
            self._licensing_pages.add(subject.id)
        sure = known.confidence if confidence is None else confidence
        self._licenses.add((*subject, rule, known.version, spdx_id, sure, shorten(value), *where))

    def licenses_page(self, record_id: int) -> bool:
        """Whether anything was found that could license what a page shows."""
        return record_id in self._licensing_pages

    def reservation(
        self,
        subject: Subject,
        rule: str,
        usage: str,
        decision: str,
        value: str,
        where: Where,
        observed_at: datetime | None,
        spec: str | None = None,
    ) -> None:
        """One opt-out signal, whatever it says; `spec`: the specification it follows, if not its rule's own."""
        spec = spec or next((date for start, date in SPEC_DATES.items() if rule.startswith(start)), None)
        self._reservations.add((*subject, rule, usage, decision, shorten(value), *where, observed_at, spec))

    def attribution(self, subject: Subject, rule: str, field: str, value: str | None) -> None:
        """Who made it, whom to credit, where it comes from; empty values are no statement."""
        value = shorten(" ".join((value or "").split()))
        if value:
            self._attributions.add((*subject, rule, field, value))

    def evidence(self) -> Evidence:
        """The findings as tables, sorted by subject, rule and place."""
        return Evidence(
            _table("license_evidence", self._licenses),
            _table("reservation_evidence", self._reservations),
            _table("attribution", self._attributions),
        )


class Unplaced(Findings):
    """Findings whose bytes cannot be told: what was read is somebody's summary of them."""

    def __init__(self, found: Findings) -> None:
        """Everything goes to `found`, without places."""
        self._found = found

    def license(
        self, subject: Subject, rule: str, spdx_id: str, value: str, where: Where, confidence: float | None = None
    ) -> None:
        """One statement of a license."""
        self._found.license(subject, rule, spdx_id, value, where._replace(start=None, end=None), confidence)

    def reservation(
        self,
        subject: Subject,
        rule: str,
        usage: str,
        decision: str,
        value: str,
        where: Where,
        observed_at: datetime | None,
        spec: str | None = None,
    ) -> None:
        """One opt-out signal."""
        place = where._replace(start=None, end=None)
        self._found.reservation(subject, rule, usage, decision, value, place, observed_at, spec)


def shorten(value: str) -> str:
    """The raw value as it is stored: at most 500 characters, without lone surrogates."""
    cut = value[:MAX_VALUE]
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode("utf-8")


def _table(name: str, rows: set[tuple]) -> pa.Table:
    schema = TABLES[name].schema
    ordered = _in_order(rows)
    columns = list(zip(*ordered, strict=True)) if ordered else [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return conform(name, pa.Table.from_arrays(arrays, schema=schema))


def _in_order(rows: set[tuple]) -> list[tuple]:
    """Rows sorted, what is missing first; asked for row by row only where something missing meets a value."""
    try:
        return sorted(rows)
    except TypeError:
        return sorted(rows, key=lambda row: tuple((value is not None, value) for value in row))
