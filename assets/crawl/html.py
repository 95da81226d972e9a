"""Pages: every <img> in document order, with its addresses and the texts around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from assets.crawl.srcset import addresses, largest
from assets.crawl.surroundings import MAX_ALTERNATIVES, Surroundings, joined, primary
from assets.crawl.text import clean, collapse
from assets.crawl.urls import join

LAZY = ("data-src", "data-original", "data-lazy-src", "data-lazy", "data-url", "data-original-src", "data-hi-res-src")
LAZY_SETS = ("data-srcset", "data-lazy-srcset")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
SILENT = {"script", "style", "template", "noscript", "svg", "head", "title", "textarea", "select"}
BLOCKS = {"p", "div", "li", "td", "th", "tr", "section", "article", "main", "aside", "nav", "header", "footer", "br",
          "figure", "figcaption", "blockquote", "ul", "ol", "dl", "dt", "dd", "table", "hr", "pre", *HEADINGS}  # fmt: skip
NEARBY = 300
"""Characters of text before and after an image that are kept as its context."""


@dataclass
class ImageReference:
    """One <img> element.

    Attributes:
        position: index on the page, from 0, in document order.
        url: absolute address; None if the element has none.
        other_urls: alternatives, without `url`.
        alt, title: attributes; None if absent.
        caption: figcaption, or the text that stands in a caption's place.
        heading: nearest heading before the element.
        before, after: text next to it.
        language: nearest declared language, primary subtag.
    """

    position: int
    url: str | None
    other_urls: list[str]
    alt: str | None
    title: str | None
    caption: str | None
    heading: str | None
    before: str
    after: str
    language: str | None


@dataclass
class Page:
    """What a page holds of interest."""

    title: str | None
    language: str | None
    images: list[ImageReference] = field(default_factory=list)


def parse_page(html: str, url: str) -> Page:
    """Every <img> of a page; `url` is the page's own address."""
    tree = LexborHTMLParser(html)
    base = _base(tree, url)
    root = tree.root
    language = primary((root.attributes.get("lang") or root.attributes.get("xml:lang")) if root else None)
    title = tree.css_first("title")
    page = Page(collapse(title.text(deep=True), 1000) if title else None, language)
    nodes = list(_walk(root)) if root else []
    texts, images = _reading_order(nodes)
    around = Surroundings(base, [node for node, _, _ in images])
    for position, (node, at, heading) in enumerate(images):
        page.images.append(_reference(node, position, around, heading, _before(texts, at), _after(texts, at), language))
    return page


def _base(tree: LexborHTMLParser, url: str) -> str:
    element = tree.css_first("base[href]")
    href = element.attributes.get("href") if element else None
    return (join(url, href) if href else None) or url


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, str]]:
    """(node, tag) of elements and texts in document order, without recursion; content nobody reads is passed over."""
    node: LexborNode | None = root
    while node is not None:
        tag = node.tag or ""
        yield node, tag
        following = None if tag in SILENT - {"head", "noscript"} else node.child
        while following is None and node is not None:
            if node.mem_id == root.mem_id:
                return
            following = node.next
            if following is None:
                node = node.parent
        node = following


def _reading_order(nodes: list[tuple[LexborNode, str]]) -> tuple[list[str], list[tuple[LexborNode, int, str | None]]]:
    """Texts of the page in reading order, and for every <img> where it stands among them, with the heading before it."""
    texts: list[str] = []
    images: list[tuple[LexborNode, int, str | None]] = []
    heading: str | None = None
    for node, tag in nodes:
        if tag == "img":
            images.append((node, len(texts), heading))
        elif tag == "-text":
            texts.append(node.text(deep=False) or node.text_content or "")
        elif tag in HEADINGS:
            heading = collapse(node.text(deep=True, separator=" "), 300) or heading
        elif tag in BLOCKS:
            texts.append("\n")
    return texts, images


def _before(texts: list[str], at: int) -> str:
    found: list[str] = []
    size = 0
    while at > 0 and size < 2 * NEARBY and len(found) < 200:
        at -= 1
        found.append(texts[at][-8 * NEARBY :])
        size += len(texts[at])
    return (collapse("".join(reversed(found)), 10**6) or "")[-NEARBY:]


def _after(texts: list[str], at: int) -> str:
    found: list[str] = []
    size = 0
    while at < len(texts) and size < 2 * NEARBY and len(found) < 200:
        found.append(texts[at][: 8 * NEARBY])
        size += len(texts[at])
        at += 1
    return collapse("".join(found), NEARBY) or ""


def _reference(
    node: LexborNode,
    position: int,
    around: Surroundings,
    heading: str | None,
    before: str,
    after: str,
    page_language: str | None,
) -> ImageReference:
    attributes = node.attributes
    address, others = _addresses(node, attributes, around)
    return ImageReference(
        position,
        address,
        others,
        clean(attributes.get("alt") or "") if "alt" in attributes else None,
        clean(attributes.get("title") or "") if "title" in attributes else None,
        around.caption(node),
        heading,
        before,
        after,
        around.language(node) or page_language,
    )


def _addresses(
    node: LexborNode, attributes: dict[str, str | None], around: Surroundings
) -> tuple[str | None, list[str]]:
    """The image's address and its alternatives: where a lazy-loading attribute exists, `src` is only a stand-in."""
    lazy = [attributes.get(name) for name in LAZY]
    lazy += [largest(attributes.get(name)) for name in LAZY_SETS]
    source = attributes.get("src")
    candidates = [value for value in (*lazy, source, largest(attributes.get("srcset"))) if value and value.strip()]
    first = join(around.base, candidates[0]) if candidates else None
    stand_in = source if candidates and source and candidates[0] is not source else None
    others = [*(other for other in candidates[1:] if other is not stand_in), *addresses(attributes.get("srcset"))]
    for name in LAZY_SETS:
        others += addresses(attributes.get(name))
    every = [*joined(around.base, others), *around.alternatives(node)]
    distinct = dict.fromkeys(url for url in every if url != first)
    return first, list(distinct)[:MAX_ALTERNATIVES]
