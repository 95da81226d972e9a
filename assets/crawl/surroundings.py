"""What stands around an image: captions, languages and alternatives, looked up once per element."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from selectolax.lexbor import LexborNode

from assets.crawl.srcset import addresses
from assets.crawl.text import collapse
from assets.crawl.urls import join

IMAGE_NAME = re.compile(r"\.(?:jpe?g|png|webp|gif|avif|tiff?|bmp|svg)(?:$|[?#])", re.IGNORECASE)
CAPTIONS = "small, .caption, .wp-caption-text, .thumbcaption, .gallerytext"
SECTIONS = ("body", "main", "article", "section", "html")
MAX_ALTERNATIVES = 32


class Surroundings:
    """Answers about the elements around the images of one page.

    Everything is remembered by element: a page of 100,000 images in one <figure> asks once for its caption.
    """

    def __init__(self, base: str, images: Sequence[LexborNode]) -> None:
        self.base = base
        self._images_in = _counts(images)
        self._captions: dict[int, tuple[bool, str | None]] = {}
        self._languages: dict[int, str | None] = {}
        self._alternatives: dict[int, list[str]] = {}

    def caption(self, image: LexborNode) -> str | None:
        """figcaption; else the <small> or caption-like element beside the image in its own small container."""
        figure = _ancestor(image, "figure", 8)
        if figure is not None:
            there, text = self._text(figure, "figcaption")
            if there:
                return text
        container = image.parent
        for _ in range(3):
            if container is None or container.tag in SECTIONS or self._images_in.get(container.mem_id, 0) > 1:
                return None
            there, text = self._text(container, CAPTIONS)
            if there:
                return text
            container = container.parent
        return None

    def language(self, image: LexborNode) -> str | None:
        """Nearest declared language of the image or what it stands in, as a primary subtag."""
        passed: list[int] = []
        found: str | None = None
        node: LexborNode | None = image
        while node is not None and found is None:
            if node.mem_id in self._languages:
                found = self._languages[node.mem_id]
                break
            passed.append(node.mem_id)
            found = primary(node.attributes.get("lang") or node.attributes.get("xml:lang"))
            node = node.parent
        self._languages.update(dict.fromkeys(passed, found))
        return found

    def alternatives(self, image: LexborNode) -> list[str]:
        """Absolute addresses of the sources of its <picture>, and of the larger version that it links to."""
        found: list[str] = []
        picture = image.parent
        if picture is not None and picture.tag == "picture":
            found += self._of(picture, _sources)
        link = _ancestor(image, "a", 4)
        return found + self._of(link, _target) if link is not None else found

    def _text(self, element: LexborNode, selector: str) -> tuple[bool, str | None]:
        """Whether the element holds one that the selector finds, and its text."""
        key = element.mem_id if selector == CAPTIONS else -element.mem_id
        if key not in self._captions:
            found = element.css_first(selector)
            self._captions[key] = (found is not None, collapse(found.text(deep=True, separator=" ")) if found else None)
        return self._captions[key]

    def _of(self, element: LexborNode, read: Callable[[LexborNode], list[str]]) -> list[str]:
        if element.mem_id not in self._alternatives:
            self._alternatives[element.mem_id] = joined(self.base, read(element))
        return self._alternatives[element.mem_id]


def joined(base: str, found: Sequence[str]) -> list[str]:
    """Absolute addresses, without those that hold their data."""
    every = (join(base, url) for url in found[: 4 * MAX_ALTERNATIVES])
    return [url for url in every if url and not url.startswith("data:")]


def _sources(picture: LexborNode) -> list[str]:
    found: list[str] = []
    for element in picture.css("source")[:MAX_ALTERNATIVES]:
        found += addresses(element.attributes.get("srcset")) + addresses(element.attributes.get("data-srcset"))
    return found


def _target(link: LexborNode) -> list[str]:
    target = link.attributes.get("href") or ""
    return [target] if IMAGE_NAME.search(target) else []


def _counts(images: Sequence[LexborNode]) -> dict[int, int]:
    """Images in each element that holds any, counted up to two."""
    found: dict[int, int] = {}
    for image in images:
        node = image.parent
        # Where two are already counted, they are above it as well.
        while node is not None and found.get(node.mem_id, 0) < 2:
            found[node.mem_id] = found.get(node.mem_id, 0) + 1
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
