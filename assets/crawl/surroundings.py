"""What stands around an image: captions, languages and alternatives, looked up once per element."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from assets.crawl.srcset import LAZY_SETS, addresses
from assets.crawl.text import MAX_CHARACTERS, collapse
from assets.crawl.urls import join

IMAGE_NAME = re.compile(r"\.(?:jpe?g|png|webp|gif|avif|tiff?|bmp|svg)(?:$|[?#])", re.IGNORECASE)
CAPTION_CLASSES = {"caption", "wp-caption-text", "thumbcaption", "gallerytext"}
SECTIONS = ("body", "main", "article", "section", "html")
MAX_ALTERNATIVES = 32
MAX_TEXT_NODES = 250
"""Nodes of a caption that are read; a page may nest thousands of them, each with all that follows in it."""
MAX_SIBLINGS = 200
_LIKE_CAPTIONS = f"small, {', '.join(f'.{name}' for name in sorted(CAPTION_CLASSES))}"
_WITH_LANGUAGE = f"{_LIKE_CAPTIONS}, [lang], [xml\\:lang]"


class Surroundings:
    """Answers about the elements around the images of one page.

    Everything is remembered by element: a page of 100,000 images in one <figure> asks once for its caption.
    """

    def __init__(
        self,
        base: str,
        tree: LexborHTMLParser,
        images: Sequence[LexborNode],
        figcaptions: Sequence[LexborNode],
        language: str | None,
    ) -> None:
        """`base` is what addresses are relative to, `language` that of the page; the nodes in document order."""
        self._base = base
        self._page_language = language
        self._declared: dict[int, str | None] = {}
        captions: list[LexborNode] = []
        # One search for both: it is the walk over the page that costs, not what is looked for.
        for node in tree.css(_WITH_LANGUAGE):
            attributes = node.attributes
            declares = "lang" in attributes or "xml:lang" in attributes
            tag = node.tag
            if declares and tag != "html":
                self._declared[node.mem_id] = primary(attributes.get("lang") or attributes.get("xml:lang"))
            if not declares or tag == "small" or CAPTION_CLASSES & set((attributes.get("class") or "").split()):
                captions.append(node)
        self._in_figure = _first_in(figcaptions)
        self._in_container = _first_in(captions)
        self._images_in = _counts(images) if captions else {}
        self._texts: dict[int, str | None] = {}
        self._languages: dict[int, str | None] = {}
        self._alternatives: dict[int, list[str]] = {}

    def caption(self, image: LexborNode) -> str | None:
        """figcaption; else the <small> or caption-like element beside the image in its own small container."""
        if self._in_figure:
            figure = _ancestor(image, "figure", 8)
            found = self._in_figure.get(figure.mem_id) if figure is not None else None
            if found is not None:
                return self._text(found)
        if not self._in_container:
            return None
        container = image.parent
        for _ in range(3):
            if container is None or container.tag in SECTIONS or self._images_in.get(container.mem_id, 0) > 1:
                return None
            found = self._in_container.get(container.mem_id)
            if found is not None:
                return self._text(found)
            container = container.parent
        return None

    def language(self, image: LexborNode) -> str | None:
        """Nearest declared language of the image or what it stands in, else the page's; as a primary subtag."""
        if not self._declared:
            return self._page_language
        passed: list[int] = []
        found: str | None = None
        node: LexborNode | None = image
        while node is not None and found is None:
            key = node.mem_id
            if key in self._languages:
                found = self._languages[key]
                break
            passed.append(key)
            found = self._declared.get(key)
            node = node.parent
        self._languages.update(dict.fromkeys(passed, found))
        return found or self._page_language

    def alternatives(self, image: LexborNode) -> list[str]:
        """Absolute addresses of the sources of its <picture>, and of the larger version that it links to."""
        found: list[str] = []
        node = image.parent
        for level in range(4):
            if node is None:
                break
            tag = node.tag
            if tag == "picture" and level == 0:
                found += self._of(node, _sources)
            elif tag == "a":
                return found + self._of(node, _target)
            node = node.parent
        return found

    def _text(self, element: LexborNode) -> str | None:
        key = element.mem_id
        if key not in self._texts:
            self._texts[key] = text_within(element)
        return self._texts[key]

    def _of(self, element: LexborNode, read: Callable[[LexborNode], list[str]]) -> list[str]:
        key = element.mem_id
        if key not in self._alternatives:
            self._alternatives[key] = joined(self._base, read(element))
        return self._alternatives[key]


def joined(base: str, found: Sequence[str]) -> list[str]:
    """Absolute addresses, without those that hold their data."""
    every = (join(base, url) for url in found[: 4 * MAX_ALTERNATIVES])
    return [url for url in every if url and not url.startswith("data:")]


def text_within(element: LexborNode, limit: int = MAX_CHARACTERS, nodes: int = MAX_TEXT_NODES) -> str | None:
    """The first `limit` characters of an element's text, collapsed; what stands in its first `nodes` nodes."""
    texts: list[str] = []
    size = 0
    for node in islice(element.traverse(include_text=True), nodes):
        if node.is_text_node:
            texts.append((node.text_content or "")[: 2 * limit])
            size += len(texts[-1])
            if size > 2 * limit:
                break
    return collapse(" ".join(texts), limit)


def _sources(picture: LexborNode) -> list[str]:
    found: list[str] = []
    element = picture.first_child
    for _ in range(MAX_SIBLINGS):
        if element is None:
            break
        if element.tag == "source":
            attributes = element.attributes
            for name in ("srcset", *LAZY_SETS):
                found += addresses(attributes.get(name))
        element = element.next
    return found


def _target(link: LexborNode) -> list[str]:
    target = link.attributes.get("href") or ""
    return [target] if IMAGE_NAME.search(target) else []


def _first_in(found: Sequence[LexborNode]) -> dict[int, LexborNode]:
    """For each element that is or holds one of those found, which stand in document order, the first of them."""
    first: dict[int, LexborNode] = {}
    for element in found:
        node: LexborNode | None = element
        # Where one is known already, it is known above as well.
        while node is not None and (key := node.mem_id) not in first:
            first[key] = element
            node = node.parent
    return first


def _counts(images: Sequence[LexborNode]) -> dict[int, int]:
    """Images in each element that holds any, counted up to two."""
    found: dict[int, int] = {}
    for image in images:
        node = image.parent
        # Where two are already counted, they are above it as well.
        while node is not None and (count := found.get(key := node.mem_id, 0)) < 2:
            found[key] = count + 1
            node = node.parent
    return found


def _ancestor(node: LexborNode, tag: str, steps: int) -> LexborNode | None:
    found = node.parent
    for _ in range(steps):
        if found is None or found.tag == tag:
            return found
        found = found.parent
    return None


def primary(tag: str | None) -> str | None:
    """Primary subtag of a language tag; None where it is none."""
    match = re.match(r"\s*([a-zA-Z]{2,3})(?:[-_]|\s*$)", tag or "")
    return match[1].lower() if match else None
