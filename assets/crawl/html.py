"""Pages: every <img> in document order, with its addresses and the texts around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from assets.crawl.nesting import too_deep
from assets.crawl.srcset import LAZY_SETS as LAZY_SETS
from assets.crawl.srcset import addresses, largest
from assets.crawl.surroundings import IMAGE_NAME, MAX_ALTERNATIVES, Surroundings, joined, primary, text_within
from assets.crawl.text import clean, collapse
from assets.crawl.urls import join

LAZY = ("data-src", "data-original", "data-lazy-src", "data-original-src", "data-hi-res-src", "data-orig-src",
        "data-lazyload-src", "data-lazy-original", "data-lazysrc", "data-cfsrc", "data-ezsrc", "data-opt-src",
        "data-wpfc-original-src", "data-pagespeed-lazy-src", "data-pagespeed-high-res-src", "pagespeed_lazy_src",
        "nitro-lazy-src", "data-flickity-lazyload", "data-ks-lazyload", "data-lazy-img", "data-actualsrc",
        "data-delayed-url", "data-defer-src", "data-deferred-src")  # fmt: skip
PERHAPS_LAZY = ("data-lazy", "data-lazyload", "data-url", "data-image", "data-img", "data-echo", "data-img-src",
                "data-image-src", "lazy-src", "lazysrc", "_src", "file")  # fmt: skip
"""Names that hold an image's address on some sites and on others a flag or the address of a page."""
LARGER = ("data-orig-file", "data-large-file", "data-large_image", "data-large-src", "data-full-src", "data-full",
          "data-zoom-image", "data-zoom-src", "data-highres", "data-hires", "data-old-hires", "data-src-retina",
          "data-pin-media", "zoomfile")  # fmt: skip
"""Names that hold the address of a larger version: an alternative."""
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
SILENT = {"script", "style", "template", "noscript", "svg", "head", "title", "textarea", "select"}
BLOCKS = {"p", "div", "li", "td", "th", "tr", "section", "article", "main", "aside", "nav", "header", "footer", "br",
          "figure", "figcaption", "blockquote", "ul", "ol", "dl", "dt", "dd", "table", "hr", "pre",
          *HEADINGS}  # fmt: skip
MAX_IMAGES = 100_000
HEADING_NODES = 60
"""Nodes of a heading that are read."""
MAX_PAGE_IMAGES = 32
PAGE_IMAGES = ("og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src")
"""Names of <meta> elements that say which images stand for the page."""
NEARBY = 300
"""Characters of text before and after an image that are kept as its context."""
_KINDS = {
    **dict.fromkeys(BLOCKS, "block"),
    **dict.fromkeys(HEADINGS, "heading"),
    **dict.fromkeys(SILENT - {"head", "noscript"}, "silent"),
    **{name: name for name in ("img", "figcaption", "base", "meta", "link")},
}
"""What the walk over a page does with an element; no entry: what stands in it is read as if it were not there."""
_SPECIAL = {"srcset", *LAZY, *PERHAPS_LAZY, *LAZY_SETS, *LARGER}


@dataclass(slots=True)
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
    """What a page holds of interest.

    Attributes:
        title: its <title>.
        language: primary subtag of what <html> declares.
        images: every <img>, in document order.
        og_images: absolute addresses of the images that stand for the page, as og:image, twitter:image and links of
            type image_src name them; at most MAX_PAGE_IMAGES.
    """

    title: str | None
    language: str | None
    images: list[ImageReference] = field(default_factory=list)
    og_images: list[str] = field(default_factory=list)


def parse_page(html: str, url: str) -> Page:
    """Every <img> of a page; `url` is the page's own address.

    Raises PageRefused where parsing would take too much time or memory, or there are more than MAX_IMAGES images.
    """
    data = html.encode("utf-8", "replace")
    if too_deep(data):
        raise PageRefused("too_deep")
    # With events, every <option> costs as much as all before it.
    tree = LexborHTMLParser(data, options=LexborDocumentOptions.WO_EVENTS)
    root = tree.root
    if root is None:
        return Page(None, None)
    reading = _Reading(root)
    declared = root.attributes
    language = primary(declared.get("lang") or declared.get("xml:lang"))
    base = (join(url, reading.base) if reading.base else None) or url
    page = Page(reading.title, language, og_images=_page_images(base, reading.stand_ins))
    if reading.images:
        around = Surroundings(base, tree, [node for node, _, _ in reading.images], reading.figcaptions, language)
        near = _Near(reading.texts, [place for _, place, _ in reading.images])
        for position, (node, place, heading) in enumerate(reading.images):
            page.images.append(_reference(node, position, base, around, heading, near.around(place)))
    return page


class _Reading:
    """One walk over a page in document order; scripts, drawings and other content that nobody reads are passed over.

    Attributes:
        texts: what a reader sees, piece by piece; a line end where a block begins.
        images: every <img>, its place among the texts, and the heading before it.
        figcaptions: every <figcaption>.
        title: of the page.
        base: of the first <base> that has an address.
        stand_ins: (kind, reference) of images that stand for the page.

    Raises PageRefused where there are more than MAX_IMAGES images.
    """

    def __init__(self, root: LexborNode) -> None:
        self.texts: list[str] = []
        self.images: list[tuple[LexborNode, int, str | None]] = []
        self.figcaptions: list[LexborNode] = []
        self.title: str | None = None
        self.base: str | None = None
        self.stand_ins: list[tuple[str, str]] = []
        self._walk(root)

    def _walk(self, root: LexborNode) -> None:
        texts = self.texts
        heading: str | None = None
        headings: list[LexborNode] = []
        nodes = root.traverse(include_text=True)
        for node in nodes:
            if node.is_text_node:
                texts.append(node.text_content or "")
                continue
            kind = _KINDS.get(node.tag or "")
            if kind is None:
                continue
            if kind == "block":
                texts.append("\n")
            elif kind == "img":
                if len(self.images) == MAX_IMAGES:
                    raise PageRefused("too_many_images")
                # Only those headings are read that an image follows.
                heading = _last_text(headings) or heading
                headings.clear()
                self.images.append((node, len(texts), heading))
            elif kind == "heading":
                headings.append(node)
            elif kind == "figcaption":
                texts.append("\n")
                self.figcaptions.append(node)
            elif kind == "silent":
                if node.tag == "title" and self.title is None:
                    self.title = text_within(node, 1000)
                _pass_over(node, nodes)
            else:
                self._note(kind, node.attributes)

    def _note(self, tag: str, attributes: Mapping[str, str | None]) -> None:
        """A <base>, <meta> or <link>."""
        if tag == "base":
            self.base = self.base if self.base is not None else attributes.get("href")
        elif len(self.stand_ins) >= 4 * MAX_PAGE_IMAGES:
            return
        elif tag == "meta":
            kind = (attributes.get("property") or attributes.get("name") or "").strip().lower()
            if kind in PAGE_IMAGES:
                self.stand_ins.append((kind, attributes.get("content") or ""))
        elif "image_src" in (attributes.get("rel") or "").lower().split():
            self.stand_ins.append(("image_src", attributes.get("href") or ""))


def _last_text(headings: list[LexborNode]) -> str | None:
    """The text of the last heading that has one."""
    return next((text for node in reversed(headings) if (text := text_within(node, 300, HEADING_NODES))), None)


def _pass_over(node: LexborNode, nodes: Iterator[LexborNode]) -> None:
    """Take what stands in a node from the walk over all of them."""
    last = node
    while (child := last.last_child) is not None:
        last = child
    if last is not node:
        end = last.mem_id
        while next(nodes).mem_id != end:
            pass


def _page_images(base: str, found: list[tuple[str, str]]) -> list[str]:
    """Absolute addresses, those of Open Graph first."""
    ordered = sorted(found, key=lambda pair: not pair[0].startswith("og:"))
    return list(dict.fromkeys(joined(base, [reference for _, reference in ordered])))[:MAX_PAGE_IMAGES]


class _Near:
    """The texts of a page with white space collapsed, and where in them its images stand."""

    def __init__(self, texts: list[str], places: list[int]) -> None:
        """`places` are the images' among the texts, in document order."""
        collapsed: list[str] = []
        self._ends: dict[int, int] = {}
        start = end = 0
        apart = False
        for place in dict.fromkeys([*places, len(texts)]):
            raw = "".join(texts[start:place])
            words = collapse(raw, len(raw))
            if words:
                if end and (apart or raw[0].isspace()):
                    words = " " + words
                collapsed.append(words)
                end += len(words)
            apart = raw[-1].isspace() if words else apart or bool(raw)
            self._ends[place] = end
            start = place
        self._all = "".join(collapsed)

    def around(self, place: int) -> tuple[str, str]:
        """NEARBY characters before and after an image."""
        end = self._ends[place]
        return self._all[max(0, end - NEARBY) : end], self._all[end : end + NEARBY + 1].lstrip()[:NEARBY]


def _reference(
    node: LexborNode, position: int, base: str, around: Surroundings, heading: str | None, near: tuple[str, str]
) -> ImageReference:
    attributes = node.attributes
    others: list[str] = []
    if _SPECIAL.isdisjoint(attributes):
        source = attributes.get("src")
        address = join(base, source) if source else None
    else:
        address, others = _chosen(attributes, base)
    others = others + around.alternatives(node)
    if others:
        others = list(dict.fromkeys(url for url in others if url != address))[:MAX_ALTERNATIVES]
    return ImageReference(
        position,
        address,
        others,
        clean(attributes["alt"] or "") if "alt" in attributes else None,
        clean(attributes["title"] or "") if "title" in attributes else None,
        around.caption(node),
        heading,
        *near,
        around.language(node),
    )


def _chosen(attributes: Mapping[str, str | None], base: str) -> tuple[str | None, list[str]]:
    """The address of an image that has more than `src`, and its alternatives.

    Where a lazy-loading attribute exists, `src` is only a stand-in; so is an address that holds its own data beside
    one that does not.
    """
    source = attributes.get("src")
    lazy = [_sized(value, attributes) for name in LAZY if (value := attributes.get(name))]
    lazy += [value for name in PERHAPS_LAZY if (value := attributes.get(name)) and IMAGE_NAME.search(value)]
    lazy += [largest(attributes.get(name)) for name in LAZY_SETS]
    candidates = [value for value in (*lazy, source, largest(attributes.get("srcset"))) if value and value.strip()]
    found = [(value, url) for value in candidates if (url := join(base, value))]
    elsewhere = (pair for pair in found if not pair[1].startswith("data:"))
    chosen, first = next(elsewhere, found[0] if found else (None, None))
    others = [value for value in candidates if value not in (chosen, source)]
    for name in ("srcset", *LAZY_SETS):
        others += addresses(attributes.get(name))
    others += [value for name in LARGER if (value := attributes.get(name)) and IMAGE_NAME.search(value)]
    return first, joined(base, others)


def _sized(address: str, attributes: Mapping[str, str | None]) -> str | None:
    """The address with the largest of the widths that stand beside it, where it is a pattern; None without widths."""
    if "{width}" not in address:
        return address
    widths = [int(width) for width in re.findall(r"[0-9]{1,5}", (attributes.get("data-widths") or "")[:1000])]
    return address.replace("{width}", str(max(widths))) if widths else None
