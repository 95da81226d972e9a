"""Rules run again on the bytes that a finding names, and on nothing else where the rule allows it.

Rules that read headers, image metadata, robots meta elements, structured data or whole site files are the rules
themselves, given an excerpt. Rules that need a whole page to know their subject are read here from the excerpt's tags
and words alone: a second reading, which must come to the same value and the same license.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from assets.crawl.html import PageRefused, parse_page
from assets.crawl.nesting import too_deep
from assets.rights.adapters import ADAPTERS, license_in_words, read_adapters
from assets.rights.findings import MAX_VALUE, Evidence, Findings, Subject, shorten
from assets.rights.http_rules import read_headers, read_reservation_metas
from assets.rights.image_rules import read_image
from assets.rights.licenses import NOASSERTION, choice_of, license_of_text, license_of_url, license_of_value
from assets.rights.markup import MAX_PAGE, Page
from assets.rights.page_images import Images
from assets.rights.page_rules import mark_outside, read_markup
from assets.rights.prose import spoken_reservations, words_of
from assets.rights.structured import read_structured
from assets.rights.tags import codec

_TABLE_PART = re.compile(rb"<(?:caption|col(?:group)?|t(?:body|foot|head|[dhr]))\b", re.I)

Readings = set[tuple[str, str]]
"""(value, what it says): an SPDX id, or usage and decision with a space between."""


@dataclass(frozen=True)
class Origin:
    """What a rule knew besides the bytes.

    Attributes:
        url: address of the record.
        charset: character set that a page was read in.
        http_status: of the answer.
        incomplete: words that say why the record is not whole: WARC-Truncated, or the reason of its status.
        agents: product tokens that counted, besides those known to collect for AI.
    """

    url: str = ""
    charset: str | None = None
    http_status: int | None = None
    incomplete: tuple[str, ...] = ()
    agents: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Excerpt:
    """A range of one part of a record, and the finding that names it."""

    rule: str
    value: str
    subject_type: str
    part: bytes
    start: int
    end: int
    origin: Origin

    @property
    def raw(self) -> bytes:
        """The bytes of the range."""
        return self.part[self.start : self.end]

    @property
    def whole_lines(self) -> bool:
        """Whether the range begins and ends where lines do."""
        around = self.part[max(self.start - 1, 0) : self.start] + self.part[self.end : self.end + 1]
        return not around.strip(b"\r\n") and self.raw == self.raw.strip(b"\r\n")

    @property
    def subject(self) -> Subject:
        """A subject of the finding's kind."""
        return Subject(self.subject_type, 0)

    @property
    def whole(self) -> bool:
        """Whether the range is the whole part."""
        return self.start == 0 and self.end == len(self.part)

    def page(self) -> Page:
        """The range as a page of its own."""
        # The parser drops parts of tables that stand alone.
        opened = b"<table>" + self.raw if _TABLE_PART.match(self.raw) else self.raw
        return Page(opened, self.origin.url, self.origin.charset, 0)

    def whole_page(self) -> Page:
        """The page that the range is of; many findings of one page are read again in a row."""
        return _page(self.part, self.origin.url, self.origin.charset)


@lru_cache(1)
def _page(body: bytes, url: str, charset: str | None) -> Page:
    return Page(body, url, charset, 0)


Reader = Callable[[Excerpt], Readings]


class Reread(NamedTuple):
    """A finding of a rule that was run again: what it says, and the range it names now."""

    rule: str
    value: str
    says: str
    place: tuple[int | None, int | None]


def rows_of(evidence: Evidence) -> list[Reread]:
    """Everything that rules found."""
    rows = [(row, row["spdx_id"]) for row in evidence.license_evidence.to_pylist()]
    rows += [(row, f"{row['usage']} {row['decision']}") for row in evidence.reservation_evidence.to_pylist()]
    return [Reread(row["rule"], row["value"], says, (row["byte_start"], row["byte_end"])) for row, says in rows]


def heard(excerpt: Excerpt, findings: Findings) -> Readings:
    """What the excerpt's rule found."""
    return {(row.value, row.says) for row in rows_of(findings.evidence()) if row.rule == excerpt.rule}


def read_header_lines(excerpt: Excerpt) -> Readings:
    """Header rules, on the lines of the range as a header block of their own."""
    findings = Findings()
    if excerpt.whole_lines:
        read_headers(excerpt.raw, excerpt.origin.url, excerpt.subject, None, findings, excerpt.origin.agents)
    return heard(excerpt, findings)


def read_metas(excerpt: Excerpt) -> Readings:
    """Robots meta elements and RSL of a page, on the tag or element as a page of its own."""
    if not _is_markup(excerpt.raw):
        return set()
    alone = Findings()
    read_reservation_metas(excerpt.page(), None, alone, excerpt.origin.agents)
    return heard(excerpt, alone)


def _is_markup(raw: bytes) -> bool:
    return raw.startswith(b"<") and raw.endswith(b">")


def _images(page: Page, about_page: bool) -> Images:
    """The images that a statement could be about: none, where the finding is about the page."""
    return Images(page, []) if about_page else _Anywhere(page)


class _Anywhere(Images):
    """One image at every address and in every place, so that data about any image finds it."""

    def __init__(self, page: Page) -> None:
        places = {(image.context.figures, image.context.item): number for number, image in enumerate(page.images)}
        super().__init__(page, [(number, number, []) for number in places.values()])

    def at(self, address: str | None) -> list[int]:
        return [] if address is None else [0]


def read_script(excerpt: Excerpt) -> Readings:
    """JSON-LD, on the script element as a page of its own."""
    findings = Findings()
    if _is_markup(excerpt.raw):
        page = excerpt.page()
        read_structured(page, _images(page, excerpt.subject_type == "page"), findings)
    return heard(excerpt, findings)


def read_whole_page(excerpt: Excerpt) -> Readings:
    """All page rules run again on the whole page, as far as they name exactly this range.

    Damaged markup does not say on its own what it says in its place: a caption that never ends, a link between others.
    """
    origin = excerpt.origin
    return _in_place(excerpt, _rows_of_page(excerpt.part, origin, excerpt.subject_type == "page"))


@lru_cache(2)
def _rows_of_page(body: bytes, origin: Origin, about_page: bool) -> list[Reread]:
    page, findings = _page(body, origin.url, origin.charset), Findings()
    images = _images(page, about_page)
    read_markup(page, images, findings)
    read_structured(page, images, findings)
    read_reservation_metas(page, None, findings, origin.agents)
    return rows_of(findings.evidence())


def _in_place(excerpt: Excerpt, found: Iterable[Reread]) -> Readings:
    """What was read from the whole part, as far as it names exactly this range."""
    place = (excerpt.start, excerpt.end)
    return {(row.value, row.says) for row in found if (row.rule, row.place) == (excerpt.rule, place)}


_RELATIONS = ("license", "copyright", "rights")
_OF_ITEMS = ("microdata_image", "rdfa_image", "microdata_page", "rdfa_page_license")
_OF_PLAIN_LINKS = ("page_link", "figure_text")


def _targets(page: Page, rule: str) -> list[str]:
    """What the tags of a range could state under a rule, in their order."""
    if rule == "page_meta":
        return [node.attributes.get("content") or "" for node in page.tree.css("meta[content]")]
    if rule in _OF_ITEMS:
        return [_item_value(node) for node in page.tree.css("[itemprop], [property]")]
    if rule in _OF_PLAIN_LINKS:
        return [node.attributes.get("href") or "" for node in page.tree.css("a[href]")]
    nodes = [node for node in page.tree.css("[rel], [property]") if _is_license_relation(node)]
    return [
        next((text for name in ("href", "action", "resource", "content") if (text := node.attributes.get(name))), "")
        for node in nodes
    ]


def _is_license_relation(node: LexborNode) -> bool:
    words = f"{node.attributes.get('rel') or ''} {node.attributes.get('property') or ''}".lower().split()
    return any(word.endswith(_RELATIONS) for word in words)


def _item_value(node: LexborNode) -> str:
    for name in ("content", "href", "src", "resource", "data"):
        if text := node.attributes.get(name):
            return text
    return " ".join(node.text().split())


@lru_cache(1)
def read_tags(excerpt: Excerpt) -> Readings:
    """License links, meta elements and items, from the attributes of the range's tags.

    One range may state the license of each of a thousand images.
    """
    if not _is_markup(excerpt.raw):
        return set()
    stated = _parts(excerpt.value, [text for text in _targets(excerpt.page(), excerpt.rule) if text])
    if not stated:
        return set()
    if excerpt.rule == "page_meta":
        return {(excerpt.value, license_of_value(stated[0]) or NOASSERTION)}
    joined = [_joined(excerpt, text) for text in stated]
    if excerpt.rule in _OF_ITEMS:
        return {(excerpt.value, choice_of(license_of_value(url if "/" in text else text)
                                          for text, url in zip(stated, joined, strict=True)))}  # fmt: skip
    ids = {license_of_url(url) for url in joined}
    if excerpt.rule == "figure_text" and len(ids) > 1:
        return {(excerpt.value, NOASSERTION)}
    return {(excerpt.value, choice_of(ids))}


def _parts(value: str, texts: Sequence[str]) -> list[str]:
    """The texts that a value joins by spaces, in order; nothing where they do not make it up.

    A value is cut at 500 characters: what follows in the range belongs to it then.
    """
    found: list[str] = []
    rest = value
    for text in texts:
        clean = text.encode("utf-8", "replace").decode("utf-8")
        if rest == clean or rest.startswith(clean + " "):
            found.append(text)
            rest = rest[len(clean) + 1 :]
        elif len(value) == MAX_VALUE and (clean.startswith(rest) or not rest):
            found.append(text)
            rest = ""
    return [] if rest else found


def _joined(excerpt: Excerpt, text: str) -> str:
    """Absolute address of a reference; only a relative one needs the page's base."""
    if "://" in text:
        return text.strip()
    page = excerpt.whole_page()
    return page.join(text) or text


def read_words(excerpt: Excerpt) -> Readings:
    """Captions, from the text of the element."""
    text = _text_of(excerpt)
    return {(excerpt.value, license_of_text(text) or NOASSERTION)} if excerpt.value in text else set()


def read_figure(excerpt: Excerpt) -> Readings:
    """A figure's words, or its links to a license that say no more than where they lead."""
    return read_words(excerpt) or read_tags(excerpt)


def _text_of(excerpt: Excerpt) -> str:
    return " ".join(excerpt.page().tree.text(separator=" ").split()) if excerpt.raw.startswith(b"<") else ""


def read_site_element(excerpt: Excerpt) -> Readings:
    """What a site adapter reads, from an element's text or from the attributes of its tags."""
    value = excerpt.value
    if value in _text_of(excerpt):
        known = license_in_words(excerpt.rule, value) or license_of_value(value)
        return {(value, spdx_id or NOASSERTION) for spdx_id in (known, license_of_text(value))}
    if not _is_markup(excerpt.raw):
        return set()
    attributes = [text for node in excerpt.page().tree.css("*") for text in node.attributes.values() if text]
    stated = _parts(value, attributes)
    return {(value, choice_of(license_of_value(_joined(excerpt, part)) for part in stated))} if stated else set()


def read_block(excerpt: Excerpt) -> Readings:
    """Rules of image metadata, on the block in a file that holds nothing else; else, in its place in the file.

    A block may need others: a packet in several segments, a signature over the whole file.
    """
    for file in (_file_with(excerpt.raw, excerpt.part), _iptc_file(excerpt.raw)):
        findings = Findings()
        read_image(file, 0, None, findings)
        alone = heard(excerpt, findings)
        if any(value == excerpt.value for value, _ in alone):
            return alone
    findings = Findings()
    read_image(excerpt.part, 0, None, findings)
    return _in_place(excerpt, rows_of(findings.evidence()))


def _file_with(block: bytes, whole: bytes) -> bytes:
    """A file of the same format that holds one block: its first bytes, and the block."""
    if whole.startswith(b"\xff\xd8"):
        return whole[:2] + block
    if whole.startswith(b"\x89PNG"):
        return whole[:8] + block
    if whole.startswith(b"RIFF"):
        return whole[:12] + block
    if whole.startswith(b"GIF8") and len(whole) > 10:
        colors = 3 << (whole[10] & 7) + 1 if whole[10] & 0x80 else 0
        return whole[: 13 + colors] + block
    return block


def _iptc_file(dataset: bytes) -> bytes:
    """A JPEG file that holds one IPTC dataset (IIM 4.2, in Photoshop's image resource 0x0404)."""
    if not dataset.startswith(b"\x1c") or len(dataset) > 60_000:
        return b""
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(dataset)) + dataset + b"\0" * (len(dataset) % 2)
    segment = b"Photoshop 3.0\0" + resource
    return b"\xff\xd8\xff\xed" + struct.pack(">H", len(segment) + 2) + segment


def read_unread_page(excerpt: Excerpt) -> Readings:
    """Why a page was not read to its end."""
    if not excerpt.whole:
        return set()
    reasons = list(excerpt.origin.incomplete)
    if len(excerpt.part) > MAX_PAGE:
        reasons.append("too_large")
    elif too_deep(excerpt.part):
        reasons.append("too_deep")
    elif _states_too_much(excerpt.part, excerpt.origin):
        reasons.append("too_many_statements")
    return {(f"page incomplete: {reason}", NOASSERTION) for reason in reasons}


def _states_too_much(body: bytes, origin: Origin) -> bool:
    """Whether rules come to a bound on a page, about the images that the crawl stage finds on it."""
    page, findings = Page(body, origin.url, origin.charset, 0), Findings()
    try:
        shown = parse_page(body.decode(codec(origin.charset), "replace"), origin.url).images
    except PageRefused:
        shown = []
    images = Images(page, [(i.position, i.position, [url for url in (i.url, *i.other_urls) if url]) for i in shown])
    read_markup(page, images, findings)
    read_structured(page, images, findings)
    read_adapters(ADAPTERS, page, images, findings)
    return page.cut


def read_outside(excerpt: Excerpt) -> Readings:
    """Where on its page an image stands: no excerpt can tell, so the page is read and must name this tag."""
    if excerpt.raw[:4].lower() != b"<img":
        return set()
    page, findings = excerpt.whole_page(), Findings()
    count = len(page.tree.css("img"))
    mark_outside(page, Images(page, [(i, i, []) for i in range(count)]), findings)
    return _in_place(excerpt, rows_of(findings.evidence()))


def read_prose(excerpt: Excerpt) -> Readings:
    """Terms of use in plain words, from the words of the range, which must be a reservation from end to end."""
    words = words_of(excerpt.raw)
    usages = {usage for usage, start, end in spoken_reservations(excerpt.raw) if (start, end) == (0, len(excerpt.raw))}
    return {(shorten(words), f"{usage} reserved") for usage in usages}


def never_placed(excerpt: Excerpt) -> Readings:
    """Rules that read a summary of a page, or a list: they name no bytes, so bytes cannot bear them out."""
    return set()
