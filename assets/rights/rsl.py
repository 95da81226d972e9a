"""Really Simple Licensing: terms for crawlers in XML (RSL 1.0, TSC recommendation of November 2025).

A document says for patterns of addresses which uses a license permits or prohibits, to whom, and for what payment. A
prohibition beats a permission; a list of permitted uses grants no other. What must be paid for, or is granted to some
only, is `conditional`. Documents are read whole or not at all: one that cannot be read grants nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from lxml import etree

from assets.rights.addresses import host_and_port, origin_and_path, site_address
from assets.rights.findings import Findings, Subject, Where
from assets.rights.preferences import ALLOWED, CONDITIONAL, RESERVED, UNKNOWN
from assets.rights.robots import MAX_WILD_TEXT, matches, normalize

if TYPE_CHECKING:
    from assets.rights.site_rules import SiteFile

MAX_BYTES = 1 << 20
MAX_TAGS = 20_000
MAX_CONTENTS = 500
MAX_LICENSES = 50

_NAMESPACE = re.compile(r"https?://(?:www\.)?rslstandard\.org/rsl/?")
_FEEDS = {"rss", "RDF", "feed"}
_FEED_TAG = re.compile(rb"<(?:[\w.-]+:)?(?:rss|RDF|feed)[\s>]")

_USES: Mapping[str, tuple[str, ...]] = {
    "all": ("tdm", "ai_train", "ai_gen_train", "ai_input", "search", "index"),
    "ai-all": ("ai_train", "ai_gen_train", "ai_input", "index"),
    "ai-train": ("ai_train", "ai_gen_train"),
    "ai-input": ("ai_input",),
    "ai-index": ("index",),
    "search": ("search",),
    # Words of the drafts of 2025.
    "train-ai": ("ai_train", "ai_gen_train"),
    "train-genai": ("ai_gen_train",),
    "ai-use": ("ai_input",),
    "ai-summarize": ("ai_input",),
}
_USAGES = ("ai_train", "ai_gen_train", "ai_input", "search", "index")
_UNPAID = {"free", "attribution", "contribution"}


class UnreadableError(ValueError):
    """The document is no RSL, no well-formed XML, or asks for more than terms should."""


@dataclass(frozen=True)
class License:
    """One offer. Alternatives stand side by side in a document.

    Attributes:
        permits, prohibits: words of the usage vocabulary; `permits` None: no list, so nothing is said of other uses.
        users: whether it is open or closed to some users or places only.
        payments: kinds of payment, empty if none is named.
    """

    permits: tuple[str, ...] | None
    prohibits: tuple[str, ...]
    users: bool
    payments: tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """What a document says of the addresses that match a pattern.

    Attributes:
        pattern: path as in robots.txt, normalized.
        host: the host it is about; None for that of the document.
        licenses: offers.
        server: whether a license must be fetched from a server first, be it free or not.
        feed: whether the document is a feed, which speaks of its own site without being referred to.
        start, end: bytes of the content element, or of the whole document where it cannot be placed.
    """

    pattern: str
    host: str | None
    licenses: tuple[License, ...]
    server: bool
    feed: bool
    start: int
    end: int


class Decision(NamedTuple):
    """What terms say of one usage; `value` is the reason; `start` and `end` its bytes in the document."""

    usage: str
    decision: str
    value: str
    start: int
    end: int


def parse(data: bytes) -> tuple[Terms, ...]:
    """Terms of an RSL document, or of the RSL elements of a feed. Raises UnreadableError."""
    if len(data) > MAX_BYTES:
        raise UnreadableError("the document is too large")
    terms = _read(data)
    if sum(len(one.pattern) for one in terms if "*" in one.pattern) > MAX_WILD_TEXT:
        raise UnreadableError("the document has too many wildcards")
    return terms


def looks_like_feed(data: bytes) -> bool:
    """Whether a document that cannot be read has a tag that feeds begin with."""
    return bool(_FEED_TAG.search(data))


def _read(data: bytes) -> tuple[Terms, ...]:
    if data.count(b"<") > MAX_TAGS:
        raise UnreadableError("the document is too large")
    plain = data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<") and b"\0" not in data
    if not plain or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise UnreadableError("the document must be plain XML without a document type")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data.lstrip(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableError("no well-formed XML") from error
    kind = etree.QName(root).localname
    if root.getroottree().docinfo.internalDTD is not None or kind != "rsl" and kind not in _FEEDS:
        raise UnreadableError("the document is neither RSL nor a feed")
    elements = list(root.iter("{*}content"))
    ours = [(number, element) for number, element in enumerate(elements) if _is_rsl(element, kind)]
    if len(ours) > MAX_CONTENTS:
        raise UnreadableError("the document is about too many addresses")
    places = _places(data)
    exact = len(places) == len(elements)
    whole = (0, len(data))
    return tuple(_terms(element, kind in _FEEDS, places[number] if exact else whole) for number, element in ours)


def _is_rsl(element: etree._Element, kind: str) -> bool:
    namespace = etree.QName(element).namespace
    return bool(_NAMESPACE.fullmatch(namespace)) if namespace else kind == "rsl"


_TOKEN = re.compile(
    rb"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|</(?:[^\s/>:]+:)?content\s*>"
    rb"|<(?:[^\s/>:!?]+:)?content(?=[\s/>])(?:[^>\"']|\"[^\"]*\"|'[^']*')*>",
    re.S,
)


def _places(data: bytes) -> list[tuple[int, int]]:
    """Byte ranges of the content elements of a well-formed document, in the order of their start tags."""
    places: list[tuple[int, int]] = []
    still_open: list[int] = []
    for match in _TOKEN.finditer(data):
        text = match.group()
        if text.startswith((b"<!", b"<?")):
            continue
        if text.startswith(b"</"):
            if still_open:
                number = still_open.pop()
                places[number] = (places[number][0], match.end())
            continue
        if not text.endswith(b"/>"):
            still_open.append(len(places))
        places.append(match.span())
    return places


def _terms(element: etree._Element, feed: bool, place: tuple[int, int]) -> Terms:
    url = (element.get("url") or (_link_of_item(element) if feed else "")).strip()
    host, path = _scope(url)
    found = [child for child in element if _local(child) == "license"]
    if len(found) > MAX_LICENSES:
        raise UnreadableError("the document has too many licenses")
    server = bool(element.get("server")) or (element.get("encrypted") or "").lower() == "true"
    licenses = tuple(_license(child) for child in found)
    return Terms(normalize(path, pattern=True), host, licenses, server, feed, *place)


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _link_of_item(element: etree._Element) -> str:
    parent = element.getparent()
    links = [child for child in (parent if parent is not None else ()) if _local(child) == "link"]
    return (links[0].get("href") or links[0].text or "") if links else ""


def _scope(url: str) -> tuple[str | None, str]:
    """Host and path pattern of a content address; no address stands for everything."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None, "/"
    if parts.netloc:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return host_and_port(parts), path
    return None, url if url.startswith(("/", "*")) else "/" + url


def _license(element: etree._Element) -> License:
    lists: dict[tuple[str, str], list[str]] = {}
    payments: list[str] = []
    for child in element:
        name = _local(child)
        if name in ("permits", "prohibits"):
            words = re.split(r"[\s,]+", (child.text or "").lower().strip())
            lists.setdefault((name, (child.get("type") or "usage").lower()), []).extend(filter(None, words))
        elif name == "payment":
            payments.append((child.get("type") or "free").strip().lower())
    permits = lists.get(("permits", "usage"))
    return License(
        None if permits is None else tuple(permits),
        tuple(lists.get(("prohibits", "usage"), ())),
        any(kind != "usage" for _, kind in lists),
        tuple(payments),
    )


def decide(terms: Iterable[Terms], path: str, host: str | None = None) -> list[Decision]:
    """What the most specific terms for an address say, use by use.

    Args:
        terms: terms of one document.
        path: path with query of the address, as it is or normalized.
        host: its host; terms about another one do not count.
    Returns:
        Decisions; of terms with the same pattern all count. Nothing if no terms are about the address.
    """
    normalized = normalize(path)
    found = [t for t in terms if _is_about(t, normalized, host)]
    longest = max((len(t.pattern) for t in found), default=0)
    return [decision for t in found if len(t.pattern) == longest for decision in _decisions(t)]


def _is_about(terms: Terms, path: str, host: str | None) -> bool:
    ours = terms.host is None or host is None or matches(f"{_bare(terms.host)}$", _bare(host))
    return ours and matches(terms.pattern, path)


def _bare(host: str) -> str:
    """A host without `www.`: sites answer to both names and their terms name one of them."""
    return host.lower().removeprefix("www.")


def _decisions(terms: Terms) -> Iterator[Decision]:
    names_all = any("all" in (*(offer.permits or ()), *offer.prohibits) for offer in terms.licenses)
    for usage in ("tdm", *_USAGES) if names_all else _USAGES:
        said = [_offer(offer, usage, terms.server) for offer in terms.licenses]
        decision, reason = min(said, key=lambda one: _ORDER.index(one[0]), default=(UNKNOWN, "no license"))
        if decision == _FORBIDDEN:
            decision = RESERVED
        if decision != UNKNOWN or usage == "ai_train":
            yield Decision(usage, decision, f"{terms.pattern}: {reason}", terms.start, terms.end)
    for word in sorted({word for offer in terms.licenses for word in offer.prohibits} - _USES.keys()):
        yield Decision("tdm", UNKNOWN, f"{terms.pattern}: prohibits {word}", terms.start, terms.end)


_FORBIDDEN = "forbidden"
_ORDER = (_FORBIDDEN, ALLOWED, CONDITIONAL, UNKNOWN, RESERVED)
"""Which of several offers decides: a prohibition, else the best offer, else that none grants the use."""


def _offer(offer: License, usage: str, server: bool) -> tuple[str, str]:
    """Decision of one license over a use, and why."""
    forbidding = [word for word in offer.prohibits if usage in _USES.get(word, ())]
    if forbidding:
        return _FORBIDDEN, f"prohibits {forbidding[0]}"
    granting = [word for word in offer.permits or () if usage in _USES.get(word, ())]
    if offer.permits is not None and not granting:
        return RESERVED, f"permits only {', '.join(offer.permits)}"
    grant = f"permits {granting[0]}" if granting else "permits no list"
    paid = [payment for payment in offer.payments if payment not in _UNPAID]
    if paid:
        return CONDITIONAL, f"{grant}, payment {paid[0]}"
    if server:
        return CONDITIONAL, f"{grant}, license server"
    if offer.users:
        return CONDITIONAL, f"{grant}, some users or places only"
    if granting or offer.payments:
        return ALLOWED, f"{grant}, payment {offer.payments[0]}" if offer.payments else grant
    return UNKNOWN, grant


class Document:
    """An archived state of a document. It is read once, however many pages and images refer to it."""

    def __init__(self, file: SiteFile) -> None:
        """Nothing is read yet."""
        self.file = file

    @cached_property
    def terms(self) -> tuple[Terms, ...]:
        """Its terms; none where it cannot be read."""
        try:
            return parse(self.file.body) if self.file.found else ()
        except UnreadableError:
            return ()


Documents = Mapping[str, list[Document]]
"""Archived states of documents by `site_address`."""


def documents_of(files: Iterable[SiteFile]) -> Documents:
    """The RSL documents among site files."""
    found: dict[str, list[Document]] = defaultdict(list)
    for file in files:
        if file.kind == "rsl" and (address := site_address(file.url)):
            found[address].append(Document(file))
    return found


def add_documents(documents: Documents, address: str | None, url: str, subject: Subject, findings: Findings) -> bool:
    """What every state of a document says of `url`, which refers to it.

    Returns:
        Whether that is all there is to know; not where there is no document at the address, or a state of it cannot be
        read or has no terms for `url`.
    """
    host, path = host_and_path(url)
    states = documents.get((address and site_address(address)) or "", ())
    said = [(state.file, decide(state.terms, path, host)) for state in states]
    for file, decisions in said:
        add_decisions(decisions, "rsl_document", file, subject, findings)
    return bool(said) and all(decisions for _, decisions in said)


def add_decisions(said: Iterable[Decision], rule: str, file: SiteFile, subject: Subject, findings: Findings) -> None:
    """One finding for each decision of a document."""
    for usage, decision, value, start, end in said:
        where = Where(file.record_id, "body", start, end)
        findings.reservation(subject, rule, usage, decision, value, where, file.observed_at)


def host_and_path(url: str) -> tuple[str | None, str]:
    """Host and path of an address, as `decide` wants them."""
    place = origin_and_path(url)
    return (None, "/") if place is None else (place[0].partition("://")[2], place[1])
