"""Elements of a page that rules read, where they stand, and the things that microdata and RDFa describe with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Protocol

from selectolax.lexbor import LexborNode

from assets.rights.rdfa import Prefixes

IMAGE_TYPES = frozenset(("ImageObject", "Photograph"))
PAGE_TYPES = frozenset(
    ("WebPage", "ItemPage", "CollectionPage", "AboutPage", "ProfilePage", "QAPage", "Article", "NewsArticle",
     "BlogPosting", "TechArticle", "ScholarlyArticle", "Report", "CreativeWork", "WebSite", "Blog", "ImageGallery",
     "MediaGallery")
)  # fmt: skip
"""Types of schema.org whose license is the page's."""
PAGE_KEYS = ("@graph", "mainEntity", "mainEntityOfPage")
"""Properties under which a page describes itself further."""

MAX_STEPS = 10
"""Things in things that describe one page."""

MAX_TEXT, MAX_TEXT_NODES = 2000, 200
"""Characters of an element's words, and nodes in it, that are read: elements in elements would cost the square."""


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
        types: names of its types, and pieces of the vocabulary's address.
        element: that describes it.
        around: thing of the same kind in which it stands.
        properties: (name without vocabulary, element) of what is said of it.
    """

    kind: str
    types: frozenset[str]
    element: Element
    around: Item | None = None
    properties: list[tuple[str, Element]] = field(default_factory=list)

    @property
    def is_image(self) -> bool:
        """Whether its type is an image."""
        return not IMAGE_TYPES.isdisjoint(self.types)

    @property
    def describes_page(self) -> bool:
        """Whether its type is a page's, and it is no property of a thing that is another than the page."""
        item: Item | None = self
        for _ in range(MAX_STEPS):
            if item is None:
                return True
            if item.types.isdisjoint(PAGE_TYPES):
                return False
            words = item.element.get("itemprop" if item.kind == "microdata" else "property").split()
            if words and not any(word.rpartition(":")[2].rpartition("/")[2] in PAGE_KEYS for word in words):
                return False
            item = item.around if words else None
        return False


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
        """The address it names; where it states a property, that may be its content."""
        named = self.get("href") or self.get("action") or self.get("resource")
        return named or (self.get("content") if "property" in self.attributes else "") or None

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
