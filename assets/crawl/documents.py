"""A page as a document: its texts and its images in the order in which they stand.

What is left out, and by which rule, is counted:

    navigation    nav, menu, and what says that it is navigation or a search
    footer        footer
    header        header, unless it is that of an article or of the main content
    aside         aside, and what says that it is complementary
    form          a form, unless the whole page stands in it: it holds an h1, a main or an article
    control       buttons, labels, dialogs, tool bars
    comment       what calls itself visitors' comments: a page's license does not speak of their words
    hidden        what the page hides from its readers
    fallback      what only readers without scripts, frames or players see; an image in a noscript has its place all the same
    outside_main  where the page marks its main content (main), everything beside it
    links         a short block that is mostly links, and no heading or caption
    no_words      a block without a letter or a digit
    too_long      a block of more than MAX_PART characters
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from assets.crawl.comments import is_comment
from assets.crawl.html import BLOCKS, HEADINGS, MAX_IMAGES, SILENT, PageRefused
from assets.crawl.nesting import too_deep
from assets.crawl.surroundings import CAPTION_CLASSES, primary
from assets.crawl.text import collapse

MAX_PARTS = 20_000
"""Texts and images of a page; a page with more is no document."""
MAX_TEXT = 2_000_000
"""Characters of a page's texts; a page with more is no document."""
MAX_PART = 50_000
"""Characters of one text; what is longer is no paragraph."""
LINK_SHARE, LINK_CHARACTERS = 0.67, 200
"""A block with a larger share of its characters in links, and fewer characters, leads elsewhere and says nothing."""

ROLES = ("heading", "paragraph", "list_item", "caption", "quote", "code", "term", "definition", "table_row")
"""What a text is on its page."""

_NOT_ENTERED = SILENT - {"head", "noscript"}
"""Images in these are not counted, here as in `html.parse_page`; their positions must agree."""
_BLOCKS = (BLOCKS - {"td", "th", "br"}) | {
    "address", "body", "caption", "center", "details", "dialog", "dir", "fieldset", "form", "hgroup", "menu", "search",
    "summary", "tbody", "tfoot", "thead", "legend", "optgroup", "option",
}  # fmt: skip
_CELLS = {"td", "th"}
_ROLE_OF = {
    **dict.fromkeys(HEADINGS, "heading"), "li": "list_item", "figcaption": "caption", "caption": "caption",
    "blockquote": "quote", "pre": "code", "dt": "term", "dd": "definition", "tr": "table_row",
}  # fmt: skip
_INHERITING = {"p", "div", "center", "span", "address", "section"}
"""Inside a list item, a caption or a quote these are parts of it."""
_REGION_OF = {
    **dict.fromkeys(("nav", "menu", "search"), "navigation"), "footer": "footer", "aside": "aside",
    **dict.fromkeys(("button", "label", "legend", "option", "optgroup", "datalist", "dialog"), "control"),
    **dict.fromkeys(("noscript", "iframe", "object", "noembed", "noframes", "video", "audio", "canvas", "head"), "fallback"),
}  # fmt: skip
_REGION_OF_ROLE = {
    **dict.fromkeys(("navigation", "search", "menu", "menubar", "tablist", "directory"), "navigation"),
    "contentinfo": "footer", "banner": "header", "complementary": "aside",
    **dict.fromkeys(("dialog", "alertdialog", "alert", "button", "toolbar", "tooltip", "status"), "control"),
}  # fmt: skip
_HIDING_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_MAX_STYLE = 500


@dataclass(frozen=True, slots=True)
class Part:
    """A text, or the place of an image.

    Attributes:
        tag: element that the text stands in; `img` of an image.
        role: one of ROLES; `image` of an image.
        text: white space collapsed; None of an image.
        position: index of the image on the page, as `sample.position`; None of a text.
        block: texts that an image cuts out of one block share it.
    """

    tag: str
    role: str
    text: str | None
    position: int | None
    block: int


@dataclass(frozen=True)
class PageDocument:
    """A page's parts in document order, and what is none of them.

    Attributes:
        parts: texts and images.
        images: how many <img> the page has, wanted or not.
        language: primary subtag of what <html> declares.
        left_out: texts left out, by rule.
        images_left_out: rule by position, for images of which the page has no place among its texts.
    """

    parts: list[Part]
    images: int
    language: str | None
    left_out: Mapping[str, int]
    images_left_out: Mapping[int, str]


def read_document(
    body: bytes, charset: str | None, wanted: Collection[int] | None = None, max_bytes: int = 8 << 20
) -> PageDocument:
    """The document that a page holds.

    Args:
        body: the page's bytes, after transfer and content decoding.
        charset: codec it was read in, as table `record` says.
        wanted: positions of the images that get a part; others neither stand in the document nor cut a text in two.
            None: all.
        max_bytes: a larger page is not read.

    Raises PageRefused: the message is the reason.
    """
    if charset is None:
        raise PageRefused("not_a_page")
    if len(body) > max_bytes:
        raise PageRefused("too_large")
    try:
        html = body.decode(charset, "replace").removeprefix("\ufeff")
    except LookupError:
        raise PageRefused("bad_charset") from None
    data = html.encode("utf-8", "replace")
    if too_deep(data):
        raise PageRefused("too_deep")
    # With events, every <option> costs as much as all before it.
    tree = LexborHTMLParser(data, options=LexborDocumentOptions.WO_EVENTS)
    if (root := tree.root) is None:
        return PageDocument([], 0, None, {}, {})
    walk = _Walk(wanted)
    walk.over(root)
    declared = root.attributes
    return walk.document(primary(declared.get("lang") or declared.get("xml:lang")))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands.

    Attributes:
        block: number of the block around it.
        tag, role: of that block.
        region: rule that leaves it out; None where it stays.
        area: number of the element whose rule that is.
        linked: inside a link.
        form: number of the form around it; 0 for none.
        main: inside the main content; article: inside that or an article.
    """

    block: int = 0
    tag: str = "html"
    role: str = "paragraph"
    region: str | None = None
    area: int = 0
    linked: bool = False
    form: int = 0
    main: bool = False
    article: bool = False


class _Walk:
    """One walk over a page, element by element, without recursion: a page may nest thousands."""

    def __init__(self, wanted: Collection[int] | None) -> None:
        self._wanted = wanted if wanted is None else frozenset(wanted)
        self._found: list[tuple[Part, _Place]] = []
        self._texts: list[str] = []
        self._linked = self._characters = self._images = self._numbers = 0
        self._broken = False
        self._left_out: Counter[str] = Counter()
        self._silenced: set[int] = set()
        self._images_left_out: dict[int, str] = {}
        self._whole_page_forms: set[int] = {0}

    def over(self, root: LexborNode) -> None:
        """Visit every node in document order; each element's end is seen too."""
        path: list[tuple[LexborNode, _Place]] = []
        node, place = root, _Place()
        while True:
            inner = self._enter(node, place)
            child = node.first_child if inner is not None else None
            if inner is not None and child is not None:
                path.append((node, place))
                node, place = child, inner
                continue
            if inner is not None:
                self._leave(inner, place)
            following: LexborNode | None = None
            while path and (following := node.next) is None:
                node, outer = path.pop()
                self._leave(place, outer)
                place = outer
            if following is None:
                return
            node = following

    def document(self, language: str | None) -> PageDocument:
        """What was found, once it is known whether the page has a main content and which forms are the page itself."""
        kept = [(part, place) for part, place in self._found if self._stays(part, place, "form")]
        if any(place.main and part.text for part, place in kept):
            kept = [(part, place) for part, place in kept if self._stays(part, place, "outside_main")]
        parts = [part for part, _ in kept]
        return PageDocument(parts, self._images, language, dict(self._left_out), self._images_left_out)

    def _stays(self, part: Part, place: _Place, rule: str) -> bool:
        if place.form in self._whole_page_forms if rule == "form" else place.main:
            return True
        if part.position is not None:
            self._images_left_out[part.position] = rule
        else:
            self._left_out[rule] += 1
        return False

    def _enter(self, node: LexborNode, place: _Place) -> _Place | None:
        """The place of what stands in a node; None where nothing in it is looked at."""
        if node.is_text_node:
            self._read(node.text_content or "", place)
            return None
        tag = node.tag or ""
        if tag in _NOT_ENTERED or not node.is_element_node:
            return None
        if tag == "img":
            self._image(place)
            return None
        if tag == "br":
            self._break(place)
            return None
        inner = self._inside(tag, node.attributes, place)
        if tag in _CELLS:
            self._texts.append(" ")
        if inner.block != place.block:
            self._flush(place)
        return inner

    def _leave(self, inner: _Place, outer: _Place) -> None:
        if inner.block != outer.block:
            self._flush(inner)

    def _inside(self, tag: str, attributes: Mapping[str, str | None], place: _Place) -> _Place:
        changes: dict[str, object] = {}
        role = (attributes.get("role") or "").strip().lower() if attributes else ""
        is_caption = bool(attributes) and not CAPTION_CLASSES.isdisjoint((attributes.get("class") or "").split())
        if tag in _BLOCKS or is_caption:
            inherits = tag in _INHERITING and place.role != "heading"
            named = "caption" if is_caption else _ROLE_OF.get(tag, place.role if inherits else "paragraph")
            changes |= {"block": self._number(), "tag": tag, "role": named}
        if tag == "a" and "href" in attributes:
            changes["linked"] = True
        if tag == "form" and not place.form:
            changes["form"] = self._number()
        if tag in ("main", "article", "h1") or role == "main":
            self._whole_page_forms.add(place.form)
        if tag == "main" or role == "main":
            changes |= {"main": True, "article": True}
        elif tag == "article":
            changes["article"] = True
        if place.region is None and (region := _region(tag, role, attributes, place.article)):
            changes |= {"region": region, "area": self._number()}
        return replace(place, **changes) if changes else place  # type: ignore[arg-type]

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _read(self, text: str, place: _Place) -> None:
        if place.region is not None:
            if place.area not in self._silenced and not text.isspace():
                self._silenced.add(place.area)
                self._left_out[place.region] += 1
            return
        self._texts.append(text)
        size = len(text.strip())
        if size:
            self._broken = False
            self._linked += size * place.linked

    def _break(self, place: _Place) -> None:
        """A line's end; two of them with nothing in between end a paragraph."""
        if place.region is not None:
            return
        if self._broken:
            self._flush(place)
        self._texts.append("\n")
        self._broken = True

    def _image(self, place: _Place) -> None:
        position, self._images = self._images, self._images + 1
        if position == MAX_IMAGES:
            raise PageRefused("too_many_images")
        if self._wanted is not None and position not in self._wanted:
            return
        if place.region not in (None, "fallback"):
            self._images_left_out[position] = str(place.region)
            return
        self._flush(place)
        self._add(Part("img", "image", None, position, place.block), place)

    def _flush(self, place: _Place) -> None:
        """End the text that was gathered; `place` is where it stands."""
        raw, linked = "".join(self._texts), self._linked
        self._texts.clear()
        self._linked, self._broken = 0, False
        text = collapse(raw, len(raw))
        if text is None:
            return
        self._characters += len(text)
        if self._characters > MAX_TEXT:
            raise PageRefused("too_much_text")
        rule = _rule_against(text, linked, place.role)
        if rule is not None:
            self._left_out[rule] += 1
        else:
            self._add(Part(place.tag, place.role, text, None, place.block), place)

    def _add(self, part: Part, place: _Place) -> None:
        if len(self._found) == MAX_PARTS:
            raise PageRefused("too_many_parts")
        self._found.append((part, place))


def _region(tag: str, role: str, attributes: Mapping[str, str | None], in_article: bool) -> str | None:
    """The rule that leaves an element out; None where it stays."""
    if tag in _REGION_OF:
        return _REGION_OF[tag]
    if tag == "header":
        return None if in_article else "header"
    if not attributes or tag in ("html", "body", "main"):
        return None
    if role in _REGION_OF_ROLE:
        return _REGION_OF_ROLE[role]
    if "hidden" in attributes or (attributes.get("aria-hidden") or "").strip().lower() == "true":
        return "hidden"
    if "style" in attributes and _HIDING_STYLE.search((attributes["style"] or "")[:_MAX_STYLE]):
        return "hidden"
    return "comment" if is_comment(tag, attributes) else None


def _rule_against(text: str, linked: int, role: str) -> str | None:
    """Why a block is no part of the document; None where it is."""
    if len(text) > MAX_PART:
        return "too_long"
    if not any(map(str.isalnum, text)):
        return "no_words"
    mostly_links = len(text) < LINK_CHARACTERS and linked > LINK_SHARE * len(text)
    return "links" if mostly_links and role not in ("heading", "caption") else None
