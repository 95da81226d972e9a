"""Pages: every <img> in document order, with its addresses and the texts around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from assets.crawl.nesting import too_deep
from assets.crawl.srcset import addresses, largest
from assets.crawl.surroundings import IMAGE_NAME, MAX_ALTERNATIVES, Surroundings, joined, primary
from assets.crawl.text import clean, collapse
from assets.crawl.urls import join

LAZY = ("data-src", "data-original", "data-lazy-src", "data-original-src", "data-hi-res-src")
PERHAPS_LAZY = ("data-lazy", "data-lazyload", "data-url", "data-image", "data-img")
"""Names that hold an image's address on some sites and on others a flag or the address of a page."""
LAZY_SETS = ("data-srcset", "data-lazy-srcset")
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
SILENT = {"script", "style", "template", "noscript", "svg", "head", "title", "textarea", "select"}
BLOCKS = {"p", "div", "li", "td", "th", "tr", "section", "article", "main", "aside", "nav", "header", "footer", "br",
          "figure", "figcaption", "blockquote", "ul", "ol", "dl", "dt", "dd", "table", "hr", "pre",
          *HEADINGS}  # fmt: skip
MAX_IMAGES = 100_000
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


class PageRefused(Exception):
    """A page that is not read; the message is the reason, as in table `record`."""


@dataclass
class Page:
    """What a page holds of interest."""

    title: str | None
    language: str | None
    images: list[ImageReference] = field(default_factory=list)


def parse_page(html: str, url: str) -> Page:
    """Every <img> of a page; `url` is the page's own address.

    Raises PageRefused where parsing would take too much time or memory, or there are more than MAX_IMAGES images.
    """
    if too_deep(html.encode("utf-8", "replace")):
        raise PageRefused("too_deep")
    tree = LexborHTMLParser(html)
    base = _base(tree, url)
    root = tree.root
    language = primary((root.attributes.get("lang") or root.attributes.get("xml:lang")) if root else None)
    title = tree.css_first("title")
    page = Page(collapse(title.text(deep=True), 1000) if title else None, language)
    texts, images = _reading_order(_walk(root) if root else iter(()))
    if len(images) > MAX_IMAGES:
        raise PageRefused("too_many_images")
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


def _reading_order(
    nodes: Iterator[tuple[LexborNode, str]],
) -> tuple[list[str], list[tuple[LexborNode, int, str | None]]]:
    """Texts of the page in reading order; every <img> with its place among them and the heading before it."""
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
    """The image's address and its alternatives.

    Where a lazy-loading attribute exists, `src` is only a stand-in; so is an address that holds its own data beside
    one that does not.
    """
    source = attributes.get("src")
    lazy = [attributes.get(name) for name in LAZY]
    lazy += [value for name in PERHAPS_LAZY if IMAGE_NAME.search(value := attributes.get(name) or "")]
    lazy += [largest(attributes.get(name)) for name in LAZY_SETS]
    candidates = [value for value in (*lazy, source, largest(attributes.get("srcset"))) if value and value.strip()]
    found = [(value, url) for value in candidates if (url := join(around.base, value))]
    elsewhere = (pair for pair in found if not pair[1].startswith("data:"))
    chosen, first = next(elsewhere, found[0] if found else (None, None))
    others = [value for value in candidates if value not in (chosen, source)]
    for name in ("srcset", *LAZY_SETS):
        others += addresses(attributes.get(name))
    every = [*joined(around.base, others), *around.alternatives(node)]
    distinct = dict.fromkeys(url for url in every if url != first)
    return first, list(distinct)[:MAX_ALTERNATIVES]
