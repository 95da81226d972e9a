"""A page as the HTML parser understands it, in which every element of interest still knows its bytes.

Structure comes from the HTML parser, places from a scan of the bytes (`tags.py`), and a tag that only one of them sees is
merely a finding without a place. One walk in document order notes everything that a rule could want, with where it
stands.

Bounds: a page of MAX_PAGE bytes, MAX_STATEMENTS of each kind of element, MAX_ITEMS items; time grows with the bytes.
What passes a bound is not read, and `cut` says so.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, Protocol

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from assets.crawl.html import MAX_IMAGES, SILENT
from assets.crawl.urls import join
from assets.rights.addresses import same_resource_key
from assets.rights.findings import Where
from assets.rights.licenses import license_of_url
from assets.rights.rdfa import LICENSE, Prefixes, declared, meanings, speaks_of_rights
from assets.rights.tags import codec, has_ascii_tags, marked, span

MAX_PAGE = 8 << 20
"""A larger page is not read for rights."""

MAX_STATEMENTS = 20_000
"""Elements of one kind that are read; a page with more states nothing that a reader could find."""

MAX_ITEMS = 20_000
"""Items of microdata and RDFa, and as many properties, that are read."""

MAX_ELEMENT = 1 << 20
MAX_FIGURES = 16
MAX_TEXT, MAX_TEXT_NODES = 2000, 200
"""Characters of an element's words, and nodes in it, that are read: elements in elements would cost the square."""

MAX_VALUE = 8192
_COMMENT_TOKENS = re.compile(
    r"(?<!\S)(?:comments?|comment-?(?:list|body|content|text|area|author)|commentlist|respond|disqus_thread|replies)"
    r"(?!\S)",
    re.I,
)
_NAMESPACES = re.compile(
    rb"xmlns:(?:cc|dc|dct|dcterms|xhv|schema)\b|creativecommons\.org/ns|purl\.org/dc/|web\.resource\.org/cc", re.I
)
_IMAGE_TYPES = {"ImageObject", "Photograph"}


class Tag(Protocol):
    """An element, or a node of the parser."""

    @property
    def tag(self) -> str | None:
        """Its name."""

    @property
    def attributes(self) -> Mapping[str, str | None]:
        """By name; None where an attribute has no value."""


@dataclass(slots=True, eq=False)
class Item:
    """A thing that microdata or RDFa describes.

    Attributes:
        kind: `microdata` or `rdfa`.
        is_image: whether its type is an image.
        element: that describes it.
        properties: (name without vocabulary, element) of what is said of it.
    """

    kind: str
    is_image: bool
    element: Element
    properties: list[tuple[str, Element]] = field(default_factory=list)


class Context(NamedTuple):
    """Where an element stands.

    Attributes:
        figures: the figures around it, innermost first, as ids of nodes.
        comment, nav: inside visitors' comments, inside navigation.
        main: inside `main` or `article`.
        outside: inside a header, footer or navigation that belongs to the site and not to an article.
        caption: the outermost figcaption around it, as id of a node; 0 for none.
        silent: inside an element whose content the crawl stage passes over.
        noscript: inside a noscript: only readers without scripts see it.
        about: RDFa subject as written; None if nothing sets one; "_:" for a thing without a name.
        item: nearest thing of microdata or RDFa around it.
        microdata, rdfa: nearest thing of either.
        vocabulary, prefixes: of RDFa, in force.
    """

    figures: tuple[int, ...] = ()
    comment: bool = False
    nav: bool = False
    main: bool = False
    outside: bool = False
    caption: int = 0
    silent: bool = False
    noscript: bool = False
    about: str | None = None
    item: Item | None = None
    microdata: Item | None = None
    rdfa: Item | None = None
    vocabulary: str = ""
    prefixes: Prefixes = ()


@dataclass(slots=True, eq=False)
class Element:
    """An element of interest.

    Attributes:
        node: of the parser.
        tag, attributes: its name and attributes.
        context: where it stands, itself included.
        parent: id of the node around it.
        means: what it says by `rel` and `property`: see `rdfa.meanings`.
        item: the thing it begins to describe.
    """

    node: LexborNode
    tag: str
    attributes: dict[str, str | None]
    context: Context
    parent: int
    means: frozenset[str] = frozenset()
    item: Item | None = None

    @property
    def id(self) -> int:
        """Id of its node."""
        return self.node.mem_id

    def get(self, name: str) -> str:
        """An attribute; empty if absent."""
        return self.attributes.get(name) or ""

    def target(self) -> str | None:
        """The address it names."""
        return self.get("href") or self.get("action") or self.get("resource") or None

    def text(self, separator: str = " ") -> str:
        """Its first words, with single spaces; `separator` stands between what two elements hold."""
        pieces: list[str] = []
        size = 0
        for node in islice(self.node.traverse(include_text=True), MAX_TEXT_NODES):
            if node.is_text_node:
                pieces.append((node.text_content or "")[: 4 * MAX_TEXT])
                size += len(pieces[-1])
                if size > 4 * MAX_TEXT:
                    break
        return " ".join(separator.join(pieces).split())[:MAX_TEXT]

    def value(self) -> str:
        """Value of the property that it states: an address or its words."""
        for name in ("content", "href", "src", "resource", "data"):
            if self.attributes.get(name):
                return self.get(name)
        return self.text("")


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
        links: other links to creativecommons.org.
        captions, metas, scripts: as their names say; a caption in a caption is part of the outer one.
        items: what microdata and RDFa describe.
        loose: (name, element) of microdata properties that stand inside no item.
        has_namespaces: whether RDFa's prefixes may be declared as in XML.
        cut: whether anything was left out because there was too much.
    """

    def __init__(self, body: bytes, url: str, charset: str | None, record_id: int) -> None:
        self.body, self.record_id, self.url = body, record_id, url
        encoding = codec(charset)
        by_bytes = has_ascii_tags(encoding)
        text = (marked(body) if by_bytes else body).decode(encoding, "replace")
        # With events, every <option> costs as much as all before it.
        self.tree = LexborHTMLParser(text, options=LexborDocumentOptions.WO_EVENTS)
        base = self.tree.css_first("base[href]")
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
            if tag in _STRUCTURE or (attributes and (self.has_namespaces or not _STEERING.isdisjoint(attributes))):
                element = Element(node, tag, attributes, around, parent_id)
                context = element.context = _inside(element, self)
                self._note(element, around)
            elif attributes and not _TELLING.isdisjoint(attributes):
                if not context.comment and ("class" in attributes or "id" in attributes):
                    context = context._replace(comment=True) if _is_comment(tag, attributes) else context
                if tag in _KEPT or not _SAYING.isdisjoint(attributes):
                    self._note(Element(node, tag, attributes, context, parent_id), around)
            above.append((node.mem_id, context))

    def _note(self, element: Element, around: Context) -> None:
        """Keeps an element where some rule reads it."""
        tag, attributes = element.tag, element.attributes
        if tag == "img":
            if not element.context.silent:
                self._keep(self.images, element, MAX_IMAGES)
        elif tag == "figcaption":
            if not around.caption:
                self._keep(self.captions, element)
        elif tag == "meta":
            if "content" in attributes:
                self._keep(self.metas, element)
        elif tag == "script" and element.get("type").split(";")[0].strip().lower() == "application/ld+json":
            self._keep(self.scripts, element)
        if tag != "meta" and ("rel" in attributes or "property" in attributes):
            self._relate(element)
        says_nothing = LICENSE not in element.means and "itemprop" not in attributes
        if tag == "a" and says_nothing and "creativecommons.org" in element.get("href"):
            self._keep(self.links, element)
        if "itemprop" in attributes or "property" in attributes:
            self._describe(element, around)

    def _relate(self, element: Element) -> None:
        rel, stated = element.get("rel")[:MAX_VALUE], element.get("property")[:MAX_VALUE]
        if speaks_of_rights(rel) or speaks_of_rights(stated):
            element.means = meanings(rel, stated, element.context.vocabulary, element.context.prefixes)
            if element.means:
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
        is_image = not _IMAGE_TYPES.isdisjoint(re.split(r"[\s/:#]+", types[:MAX_VALUE]))
        item = Item(kind, is_image, element)
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


def _inside(element: Element, page: Page) -> Context:
    """The context of what stands inside an element."""
    tag, attributes, context = element.tag, element.attributes, element.context
    if tag == "figure":
        context = context._replace(figures=(element.id, *context.figures)[:MAX_FIGURES])
    elif tag == "figcaption":
        context = context if context.caption else context._replace(caption=element.id)
    elif tag in ("header", "footer"):
        context = context if context.main else context._replace(outside=True)
    elif tag in _PLACES:
        context = context._replace(**_PLACES[tag])
    if not context.comment and ("class" in attributes or "id" in attributes) and _is_comment(tag, attributes):
        context = context._replace(comment=True)
    if not _STEERING.isdisjoint(attributes) or page.has_namespaces:
        context = context._replace(**_subject(element, page))
    return context


def _is_comment(tag: str, attributes: Mapping[str, str | None]) -> bool:
    """Whether an element calls itself visitors' comments; of a whole page that tells only that it may have some."""
    names = f"{(attributes.get('class') or '')[:500]} {(attributes.get('id') or '')[:500]}"
    return tag not in ("html", "body", "main") and _COMMENT_TOKENS.search(names) is not None


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
