"""A page as the HTML parser understands it, in which every element of interest still knows its bytes.

Structure comes from the HTML parser, places from a scan of the bytes (`tags.py`), and a tag that only one of them sees is
merely a finding without a place. One walk in document order notes everything that a rule could want, with where it
stands.

Bounds of all page rules stand here: a page of MAX_PAGE bytes, MAX_STATEMENTS of each kind of element, MAX_ITEMS items,
MAX_PAIRS rows about images; time grows with the bytes. What passes a bound is not read, and `cut` says so.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from assets.crawl.comments import is_comment
from assets.crawl.html import MAX_IMAGES, SILENT
from assets.crawl.urls import join
from assets.rights.addresses import same_resource_key
from assets.rights.elements import Context, Element, Item, Tag
from assets.rights.findings import Where
from assets.rights.licenses import license_of_url
from assets.rights.rdfa import LICENSE, RIGHTS, declared, meanings, speaks_of_rights
from assets.rights.tags import codec, has_ascii_tags, marked, span

MAX_PAGE = 8 << 20
"""A larger page is not read for rights."""

MAX_STATEMENTS = 20_000
"""Elements of one kind that are read; a page with more states nothing that a reader could find."""

MAX_ITEMS = 20_000
"""Items of microdata and RDFa, and as many properties, that are read."""

MAX_PAIRS = 20_000
"""Rows about single images, licenses and credits together, that are made of a page: each statement could be about each."""

MAX_SCRIPT, MAX_SCRIPTS, MAX_OBJECTS = 2 << 20, 200, 20_000
"""Characters of a script of JSON-LD, scripts, and objects in one."""

MAX_CREDITS = 20
"""Credits of one item that are read."""

MAX_REFERENCES, MAX_REFERRED, MAX_FOLLOWED = 20, 200, 20_000
"""Ids of `itemref` that are followed for one item, different ones for a page, and properties found by them."""

MAX_ELEMENT = 1 << 20
MAX_FIGURES = 16
MAX_VALUE = 8192
_NAMESPACES = re.compile(
    rb"xmlns:(?:cc|dc|dct|dcterms|xhv|schema)\b|creativecommons\.org/ns|purl\.org/dc/|web\.resource\.org/cc", re.I
)


class Page:
    """One HTML page.

    Args:
        body: bytes after content decoding.
        url: address of the page.
        charset: character set the page is read in; unknown names count as UTF-8.
        record_id: record the page was archived in.

    Attributes:
        images: every <img> that the crawl stage counts.
        statements: elements whose `rel` or `property` means something for rights.
        links: other links to creativecommons.org, and in figures to any license.
        captions, metas, scripts: as their names say; a caption in a caption is part of the outer one.
        items: what microdata and RDFa describe.
        loose: (name, element) of microdata properties that stand inside no item.
        has_namespaces: whether RDFa's prefixes may be declared as in XML.
        cut: whether anything was left out because there was too much; rules may set it.
    """

    def __init__(self, body: bytes, url: str, charset: str | None, record_id: int) -> None:
        self.body, self.record_id, self.url = body, record_id, url
        encoding = codec(charset)
        by_bytes = has_ascii_tags(encoding)
        text = (marked(body) if by_bytes else body).decode(encoding, "replace")
        # With events, every <option> costs as much as all before it.
        self.tree = LexborHTMLParser(text, options=LexborDocumentOptions.WO_EVENTS)
        # A visitor's <base> must not move what the page says.
        base = self.tree.css_first("head > base[href]")
        self.base = (base and join(url, base.attributes.get("href") or "")) or url
        self.images: list[Element] = []
        self.statements: list[Element] = []
        self.links: list[Element] = []
        self.captions: list[Element] = []
        self.metas: list[Element] = []
        self.scripts: list[Element] = []
        self.items: list[Item] = []
        self.loose: list[tuple[str, Element]] = []
        self.cut = False
        self._key = same_resource_key(url)
        self.has_namespaces = not by_bytes or (b"xmlns:" in body and _NAMESPACES.search(body) is not None)
        self._properties = 0
        self._licenses: dict[str, str | None] = {}
        self._ends: dict[str, list[int]] = {}
        self._walk()

    def join(self, reference: str | None) -> str | None:
        """Absolute address of a reference on the page."""
        return None if reference is None else join(self.base, reference)

    def is_at(self, address: str | None) -> bool:
        """Whether an absolute address is the page's own."""
        return address is not None and same_resource_key(address) == self._key

    def license_of(self, reference: str) -> str | None:
        """License that a reference on the page leads to."""
        if reference not in self._licenses:
            joined = self.join(reference)
            self._licenses[reference] = license_of_url(joined) if joined else None
        return self._licenses[reference]

    def where(self, *elements: Tag) -> Where:
        """Bytes from the first to the last of some start tags."""
        spans = [found for element in elements if (found := span(self.body, element.attributes))]
        if not spans:
            return Where(self.record_id, "body", None, None)
        return Where(self.record_id, "body", min(s for s, _ in spans), max(e for _, e in spans))

    def where_element(self, element: Tag) -> Where:
        """Bytes of an element from its start tag to its end tag, or as far as one is sought."""
        start_tag, tag = span(self.body, element.attributes), element.tag or ""
        if not start_tag:
            return Where(self.record_id, "body", None, None)
        if tag not in self._ends:
            closing = re.compile(rb"</" + re.escape(tag.encode()) + rb"\s*>", re.I)
            self._ends[tag] = [match.end() for match in closing.finditer(self.body)]
        ends, limit = self._ends[tag], min(len(self.body), start_tag[1] + MAX_ELEMENT)
        place = bisect_left(ends, start_tag[1])
        end = ends[place] if place < len(ends) and ends[place] < limit else limit
        return Where(self.record_id, "body", start_tag[0], end)

    def _walk(self) -> None:
        root = self.tree.root
        above: list[tuple[int, Context]] = [(0, Context())]
        for node in root.traverse() if root is not None else ():
            if not node.is_element_node:
                continue
            tag, attributes, parent = node.tag or "", node.attributes, node.parent
            parent_id = parent.mem_id if parent is not None else 0
            while above[-1][0] != parent_id and len(above) > 1:
                above.pop()
            around = context = above[-1][1]
            role = _role(tag, attributes) if attributes and "class" in attributes else tag
            if role in _STRUCTURE or (attributes and (self.has_namespaces or not _STEERING.isdisjoint(attributes))):
                element = Element(node, tag, attributes, around, parent_id)
                context = element.context = _inside(element, role, self)
                self._note(element, role, around)
            elif attributes and not _TELLING.isdisjoint(attributes):
                if not context.comment and ("class" in attributes or "id" in attributes):
                    context = context._replace(comment=True) if is_comment(tag, attributes) else context
                if tag in _KEPT or not _SAYING.isdisjoint(attributes):
                    self._note(Element(node, tag, attributes, context, parent_id), role, around)
            above.append((node.mem_id, context))

    def _note(self, element: Element, role: str, around: Context) -> None:
        """Keeps an element where some rule reads it."""
        tag, attributes = element.tag, element.attributes
        if tag == "img":
            if not element.context.silent:
                self._keep(self.images, element, MAX_IMAGES)
        elif role == "figcaption":
            if not around.caption:
                self._keep(self.captions, element)
        elif tag == "meta":
            if "content" in attributes:
                self._keep(self.metas, element)
        elif tag == "script" and element.get("type").split(";")[0].strip().lower() == "application/ld+json":
            self._keep(self.scripts, element)
        # Meta elements of the page itself are read by their names.
        if ("rel" in attributes or "property" in attributes) and (tag != "meta" or element.context.about):
            self._relate(element)
        if tag == "a" and LICENSE not in element.means and "itemprop" not in attributes:
            href = element.get("href")
            if "creativecommons.org" in href or (element.context.figures and "licen" in href and self.license_of(href)):
                self._keep(self.links, element)
        if ("itemprop" in attributes or "property" in attributes) and not element.context.comment:
            self._describe(element, around)

    def _relate(self, element: Element) -> None:
        rel, stated = element.get("rel")[:MAX_VALUE], element.get("property")[:MAX_VALUE]
        if "ugc" in rel.lower().split():  # HTML's word for what users of the site have written
            element.context = element.context._replace(comment=True)
        if speaks_of_rights(rel) or speaks_of_rights(stated):
            means = meanings(rel, stated, element.context.vocabulary, element.context.prefixes)
            if RIGHTS in means:
                means = means - {RIGHTS} | ({LICENSE} if self.license_of(element.target() or "") else set())
            element.means = means
            if means:
                self._keep(self.statements, element)

    def _keep(self, kept: list[Element], element: Element, limit: int = MAX_STATEMENTS) -> None:
        if len(kept) < limit:
            kept.append(element)
        else:
            self.cut = True

    def begin(self, element: Element, kind: str, types: str) -> Item | None:
        """A thing that an element begins to describe; None where there are too many."""
        if len(self.items) >= MAX_ITEMS:
            self.cut = True
            return None
        around = element.context.microdata if kind == "microdata" else element.context.rdfa
        item = Item(kind, frozenset(re.split(r"[\s/:#]+", types[:MAX_VALUE])), element, around)
        self.items.append(item)
        return item

    def _describe(self, element: Element, around: Context) -> None:
        """Adds an element to the thing it states properties of."""
        for kind, name in (("microdata", "itemprop"), ("rdfa", "property")):
            if name not in element.attributes:
                continue
            # A property that is itself a thing belongs to the thing around it.
            item = around.microdata if kind == "microdata" else around.rdfa
            for word in element.get(name)[:MAX_VALUE].split() if item is not None or kind == "microdata" else ():
                if self._properties >= MAX_ITEMS:
                    self.cut = True
                    return
                self._properties += 1
                stated = (re.split(r"[/:#]", word)[-1], element)
                (self.loose if item is None else item.properties).append(stated)


_QUIET = SILENT - {"head", "noscript"}
_STRUCTURE = {"figure", "main", "article", "nav", "header", "footer", "figcaption", "noscript", "img", *_QUIET}
"""Elements that matter even without attributes; an <img> among them: it has a place on the page."""
_KEPT = {"a", "meta"}
_SAYING = {"rel", "property", "itemprop"}
_STEERING = {"about", "typeof", "resource", "itemscope", "vocab", "prefix"}
"""Attributes by which RDFa and microdata say what is spoken of."""
_TELLING = {"class", "id", "href", "content", *_SAYING}
_PLACES: dict[str, dict[str, Any]] = {
    "main": {"main": True},
    "article": {"main": True},
    "nav": {"outside": True, "nav": True},
    "noscript": {"noscript": True},
    **{tag: {"silent": True} for tag in sorted(_QUIET)},
}
"""What an element makes of the place inside it, whatever is around it."""


def _role(tag: str, attributes: Mapping[str, str | None]) -> str:
    """The element's name; figure and figcaption for those by which WordPress said so before HTML had them."""
    names = attributes["class"]
    if names and "wp-caption" in names and tag in ("div", "p", "dd"):
        words = names.split()
        return "figcaption" if "wp-caption-text" in words else "figure" if "wp-caption" in words else tag
    return tag


def _inside(element: Element, role: str, page: Page) -> Context:
    """The context of what stands inside an element that counts as a `role`."""
    tag, attributes, context = element.tag, element.attributes, element.context
    if role == "figure":
        context = context._replace(figures=(element.id, *context.figures)[:MAX_FIGURES])
    elif role == "figcaption":
        context = context if context.caption else context._replace(caption=element.id)
    elif tag in ("header", "footer"):
        context = context if context.main else context._replace(outside=True)
    elif tag in _PLACES:
        context = context._replace(**_PLACES[tag])
    if not context.comment and ("class" in attributes or "id" in attributes) and is_comment(tag, attributes):
        context = context._replace(comment=True)
    if not _STEERING.isdisjoint(attributes) or page.has_namespaces:
        context = context._replace(**_subject(element, page))
    return context


def _subject(element: Element, page: Page) -> dict[str, Any]:
    """What an element says of what is spoken of inside it."""
    attributes, changes = element.attributes, dict[str, Any]()
    if "vocab" in attributes:
        changes["vocabulary"] = element.get("vocab")[:MAX_VALUE].strip()
    if "prefix" in attributes or page.has_namespaces:
        changes["prefixes"] = declared(attributes, element.context.prefixes)
    if "about" in attributes:
        changes["about"] = element.get("about")
    elif "typeof" in attributes or "resource" in attributes and not {"rel", "rev", "property"} & attributes.keys():
        changes["about"] = attributes.get("resource", "_:" if element.tag not in ("html", "head", "body") else None)
    for kind, marker, types in (("microdata", "itemscope", "itemtype"), ("rdfa", "typeof", "typeof")):
        if marker in attributes:
            element.item = page.begin(element, kind, element.get(types))
            changes |= {"item": element.item, kind: element.item}
            break
    return changes
