"""A page as the HTML parser understands it, in which every element of interest still knows its bytes.

The parser keeps no positions. So a light scan of the bytes writes each start tag's offset into the tag, as its first
attribute, before the page is parsed: structure comes from the HTML parser, places from the scan, and a tag that only
one of them sees is merely a finding without a place.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from assets.crawl.html import SILENT
from assets.crawl.urls import join
from assets.rights.findings import Where

MAX_PAGE = 8 << 20
"""A larger page is not read for rights."""

MAX_ELEMENT = 1 << 20
MAX_FIGURES = 16
_AT = "data-winnow-at"
_NAMED = {b"a", b"link", b"area", b"form", b"meta", b"figure", b"figcaption", b"script", b"img"}
_RAW_TEXT = {b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed", b"noframes"}
_TAG_NAME = re.compile(rb"<(?:!--|([A-Za-z][^\s/>]*))")
_TAG = re.compile(rb"<[A-Za-z](?:=\s*\"[^\"]*\"|=\s*'[^']*'|[^>=]++|=)*+>")
_ATTRIBUTES = re.compile(rb"\b(?:rel|about|resource|property|typeof|itemprop|itemscope)\b", re.I)
_COMMENT_TOKENS = re.compile(
    r"comments?|comment-?(?:list|body|content|text|area|author)|commentlist|respond|disqus_thread|replies"
)


def starts_of_tags(body: bytes) -> Iterator[tuple[int, int]]:
    """(offset of `<`, offset after the name) of start tags of interest; comments and raw text are skipped."""
    position = 0
    while match := _TAG_NAME.search(body, position):
        start, position = match.span()
        name = (match[1] or b"").lower()
        if not name:
            end = body.find(b"-->", start + 2)
            position = end + 3 if end >= 0 else len(body)
            continue
        whole = _TAG.match(body, start)
        if whole is None:
            return
        if name in _NAMED or _ATTRIBUTES.search(body, position, whole.end()):
            yield start, position
        position = whole.end()
        if name in _RAW_TEXT:
            closing = re.compile(rb"</" + name + rb"(?=[\s/>])", re.I).search(body, position)
            position = closing.start() if closing else len(body)


@dataclass(frozen=True, slots=True)
class Context:
    """Where an element stands.

    Attributes:
        figures: the figures around it, innermost first, as ids of nodes.
        comment, nav: inside visitors' comments, inside navigation.
        main: inside `main` or `article`.
        outside: inside a header, footer or navigation that belongs to the site and not to an article.
        caption: inside a figcaption.
        silent: inside an element whose content the crawl stage passes over.
        about: RDFa subject as written; None if nothing sets one; "_:" for a thing without a name.
        item: nearest ImageObject (microdata or RDFa) around it, as id of a node.
        item_kind: `microdata` or `rdfa`; "" where the nearest item is no ImageObject.
    """

    figures: tuple[int, ...] = ()
    comment: bool = False
    nav: bool = False
    main: bool = False
    outside: bool = False
    caption: bool = False
    silent: bool = False
    about: str | None = None
    item: int | None = None
    item_kind: str = ""


class Page:
    """One HTML page.

    Args:
        body: bytes after content decoding.
        url: address of the page.
        charset: character set the page is read in; unknown names count as UTF-8.
        record_id: record the page was archived in.
    """

    def __init__(self, body: bytes, url: str, charset: str | None, record_id: int) -> None:
        self.body, self.record_id, self.url = body, record_id, url
        encoding = _codec(charset)
        marked = _marked(body) if _by_bytes(encoding) else body
        # With events, every <option> costs as much as all before it.
        self.tree = LexborHTMLParser(marked.decode(encoding, "replace"), options=LexborDocumentOptions.WO_EVENTS)
        base = self.tree.css_first("base[href]")
        self.base = (base and join(url, base.attributes.get("href") or "")) or url
        self._contexts: dict[int, Context] = {}

    def join(self, reference: str | None) -> str | None:
        """Absolute address of a reference on the page."""
        return None if reference is None else join(self.base, reference)

    def where(self, *nodes: LexborNode) -> Where:
        """Bytes from the first to the last of some start tags."""
        spans = [span for node in nodes if (span := self._span(node))]
        if not spans:
            return Where(self.record_id, "body", None, None)
        return Where(self.record_id, "body", min(s for s, _ in spans), max(e for _, e in spans))

    def where_element(self, node: LexborNode) -> Where:
        """Bytes of an element from its start tag to its end tag, or as far as one is sought."""
        span = self._span(node)
        if not span:
            return Where(self.record_id, "body", None, None)
        limit = min(len(self.body), span[1] + MAX_ELEMENT)
        closing = re.compile(rb"</" + re.escape((node.tag or "").encode()) + rb"\s*>", re.I)
        found = closing.search(self.body, span[1], limit)
        return Where(self.record_id, "body", span[0], found.end() if found else limit)

    def _span(self, node: LexborNode) -> tuple[int, int] | None:
        mark = node.attributes.get(_AT) or ""
        start = int(mark) if mark.isascii() and mark.isdigit() and len(mark) < 10 else -1
        if not 0 <= start < len(self.body) or self.body[start : start + 1] != b"<":
            return None
        match = _TAG.match(self.body, start)
        return (start, match.end()) if match else None

    def context(self, node: LexborNode) -> Context:
        """Where an element stands, itself included."""
        path: list[LexborNode] = []
        step: LexborNode | None = node
        while step is not None and step.mem_id not in self._contexts:
            path.append(step)
            step = step.parent
        context = self._contexts[step.mem_id] if step is not None else Context()
        for element in reversed(path):
            context = self._contexts[element.mem_id] = _inside(context, element)
        return context


def _codec(charset: str | None) -> str:
    try:
        return codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        return "utf-8"


def _by_bytes(encoding: str) -> bool:
    """Whether `<` is one byte that is nothing else, so that tags can be found before decoding."""
    return not encoding.startswith(("utf-16", "utf-32", "utf-7", "iso2022", "hz"))


def _marked(body: bytes) -> bytes:
    pieces, last = [], 0
    for start, after_name in starts_of_tags(body):
        pieces += [body[last:after_name], b' %s="%d"' % (_AT.encode(), start)]
        last = after_name
    return b"".join([*pieces, body[last:]])


def _inside(context: Context, element: LexborNode) -> Context:
    tag = element.tag
    if tag is None or not tag[:1].isalpha():
        return context
    attributes = element.attributes
    changes: dict[str, object] = {}
    if tag == "figure":
        changes["figures"] = (element.mem_id, *context.figures)[:MAX_FIGURES]
    if tag in ("main", "article"):
        changes["main"] = True
    if tag == "nav" or tag in ("header", "footer") and not context.main:
        changes |= {"outside": True, "nav": context.nav or tag == "nav"}
    if tag in SILENT and tag not in ("head", "noscript"):
        changes["silent"] = True
    if tag == "figcaption":
        changes["caption"] = True
    if tag not in ("html", "body", "main") and not context.comment and _is_comment(attributes):
        changes["comment"] = True
    if "about" in attributes:
        changes["about"] = attributes["about"] or ""
    elif "typeof" in attributes or "resource" in attributes and not {"rel", "rev", "property"} & attributes.keys():
        changes["about"] = attributes.get("resource", "_:" if tag not in ("html", "head", "body") else None)
    changes |= _item(element, attributes)
    return replace(context, **changes) if changes else context  # type: ignore[arg-type]


def _is_comment(attributes: dict[str, str | None]) -> bool:
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"[:500].lower().split()
    return any(_COMMENT_TOKENS.fullmatch(name) for name in names)


def _item(element: LexborNode, attributes: dict[str, str | None]) -> dict[str, object]:
    for kind, marker, types in (("microdata", "itemscope", "itemtype"), ("rdfa", "typeof", "typeof")):
        if marker in attributes:
            names = re.split(r"[\s/:#]+", attributes.get(types) or "")
            is_image = bool({"ImageObject", "Photograph"} & set(names))
            return {"item": element.mem_id if is_image else None, "item_kind": kind if is_image else ""}
    return {}
